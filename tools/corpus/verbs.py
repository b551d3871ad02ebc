"""The verbs with their principal parts, German and English.

A row is `prefix+infinitive third past participle auxiliary = base/past/participle rest`; `-` marks a regular form.
The English rest (up, for, to ...) is linked to the separable prefix, or to the verb where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus.english import EnglishVerb
from tools.corpus.german import GermanVerb

_PREPOSITIONS = ("for", "to", "at", "after", "of")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of both languages.

    Args:
        german: Its principal parts.
        english: Its principal parts.
        rest: English words that always follow it.
        stative: Whether English never puts it in the progressive.
    """

    german: GermanVerb
    english: EnglishVerb
    rest: tuple[str, ...] = ()
    stative: bool = False

    @property
    def object_last(self) -> bool:
        """Whether even a pronoun object follows the rest (looks for him, but picks him up)."""
        return not self.rest or self.rest[-1] in _PREPOSITIONS


_ROWS = """
essen isst aß gegessen haben = eat/ate/eaten
trinken - trank getrunken haben = drink/drank/drunk
kochen - - - haben = cook
backen backt - gebacken haben = bake
kaufen - - - haben = buy/bought
verkaufen - - - haben = sell/sold
lesen liest las gelesen haben = read/read
schreiben - schrieb geschrieben haben = write/wrote/written
sehen sieht sah gesehen haben = see/saw/seen !
hören - - - haben = listen to
reparieren - - - haben = repair
waschen wäscht wusch gewaschen haben = wash
putzen - - - haben = clean
tragen trägt trug getragen haben = wear/wore/worn
öffnen - - - haben = open
schließen - schloss geschlossen haben = close
malen - - - haben = paint
zeichnen - - - haben = draw/drew/drawn
bauen - - - haben = build/built
suchen - - - haben = look for
finden - fand gefunden haben = find/found !
verlieren - verlor verloren haben = lose/lost !
vergessen vergisst vergaß vergessen haben = forget/forgot/forgotten !
brauchen - - - haben = need !
benutzen - - - haben = use
besuchen - - - haben = visit
treffen trifft traf getroffen haben = meet/met
kennen - kannte gekannt haben = know/knew/known !
lieben - - - haben = love !
fragen - - - haben = ask
helfen hilft half geholfen haben = help
danken - - - haben = thank
antworten - - - haben = answer
folgen - - - sein = follow
geben gibt gab gegeben haben = give/gave/given
zeigen - - - haben = show/showed/shown
bringen - brachte gebracht haben = bring/brought
schicken - - - haben = send/sent
leihen - lieh geliehen haben = lend/lent
spielen - - - haben = play
arbeiten - - - haben = work
wohnen - - - haben = live !
schlafen schläft schlief geschlafen haben = sleep/slept
schwimmen - schwamm geschwommen sein = swim/swam/swum
lachen - - - haben = laugh
weinen - - - haben = cry
tanzen - - - haben = dance
singen - sang gesungen haben = sing/sang/sung
warten - - - haben = wait
lernen - - - haben = learn
üben - - - haben = practise
gehen - ging gegangen sein = go/went/gone
laufen läuft lief gelaufen sein = run/ran/run
fahren fährt fuhr gefahren sein = travel/travelled
fliegen - flog geflogen sein = fly/flew/flown
stehen - stand gestanden haben = stand/stood
liegen - lag gelegen haben = lie/lay/lain
sitzen - saß gesessen haben = sit/sat
stellen - - - haben = put/put
legen - - - haben = lay/laid
bleiben - blieb geblieben sein = stay
fressen frisst fraß gefressen haben = eat/ate/eaten
bellen - - - haben = bark
gießen - goss gegossen haben = water
pflanzen - - - haben = plant
fotografieren - - - haben = photograph
mieten - - - haben = rent
bestellen - - - haben = order
bezahlen - - - haben = pay_for
verstehen - verstand verstanden haben = understand/understood !
erklären - - - haben = explain
kosten - - - haben = cost/cost !
gehören - - gehört haben = belong to !
gefallen gefällt gefiel gefallen haben = like !
heißen - hieß geheißen haben = be called !
sprechen spricht sprach gesprochen haben = talk
denken - dachte gedacht haben = think/thought
glauben - - - haben = believe !
sagen - - - haben = say/said !
wissen - wusste gewusst haben = know/knew/known !
hoffen - - - haben = hope !
haben - hatte gehabt haben = have/had !
sein - war gewesen sein = be/was/been !
regnen - - - haben = rain
schneien - - - haben = snow
scheinen - schien geschienen haben = shine/shone
versuchen - - - haben = try
wandern - - - sein = hike
streichen - strich gestrichen haben = paint
schälen - - - haben = peel
füttern - - - haben = feed/fed
streicheln - - - haben = stroke
auf+stehen - stand gestanden sein = get/got/got up
auf+wachen - - - sein = wake/woke/woken up
ein+schlafen schläft schlief geschlafen sein = fall/fell/fallen asleep
aus+gehen - ging gegangen sein = go/went/gone out
weg+gehen - ging gegangen sein = go/went/gone away
weg+laufen läuft lief gelaufen sein = run/ran/run away
zurück+kommen - kam gekommen sein = come/came/come back
zurück+fahren fährt fuhr gefahren sein = travel/travelled back
mit+bringen - brachte gebracht haben = bring/brought along
mit+nehmen nimmt nahm genommen haben = take/took/taken along
zurück+bringen - brachte gebracht haben = bring/brought back
zurück+geben gibt gab gegeben haben = give/gave/given back
weg+werfen wirft warf geworfen haben = throw/threw/thrown away
ab+holen - - - haben = pick up
auf+heben - hob gehoben haben = pick up
auf+räumen - - - haben = tidy up
an+ziehen - zog gezogen haben = put/put on
aus+ziehen - zog gezogen haben = take/took/taken off
an+probieren - - - haben = try on
ein+schalten - - - haben = switch on
aus+schalten - - - haben = switch off
auf+essen isst aß gegessen haben = eat/ate/eaten up
aus+trinken - trank getrunken haben = drink/drank/drunk up
auf+schreiben - schrieb geschrieben haben = write/wrote/written down
zu+hören - - - haben = listen to
fern+sehen sieht sah gesehen haben = watch television
an+rufen - rief gerufen haben = ring/rang/rung up
ein+laden lädt lud geladen haben = invite
"""


def _parse(row: str) -> tuple[str, Verb]:
    german_side, english_side = (side.split() for side in row.split("="))
    name, third, past, participle, auxiliary = ("" if field == "-" else field for field in german_side)
    prefix, _, infinitive = name.rpartition("+")
    stative = english_side[-1] == "!"
    words = english_side[:-1] if stative else english_side
    head, *rest = [word for part in words for word in part.split("_")]
    base, past_en, participle_en = (*head.split("/"), "", "")[:3]
    german = GermanVerb(infinitive, third, past, participle, auxiliary, prefix)
    verb = Verb(german, EnglishVerb(base, past_en, participle_en), tuple(rest), stative)
    return name.replace("+", ""), verb


VERBS = dict(_parse(row) for row in _ROWS.strip().splitlines())
