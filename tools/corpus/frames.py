"""What can happen: each frame says who does what to what, where, and why."""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus.rows import words
from tools.corpus.verbs import VERBS, Verb

_ROWS = """
eat essen acc=fruit,eaten,cake,soup,salad place=eat why=hungry manner=alone
drink trinken acc=drink,cup,cup place=eat why=thirsty
drinkcafe trinken acc=cup place=- why=thirsty
eatup aufessen acc=cake,salad,soup,fruit def why=hungry
drinkup austrinken acc=drink,cup def why=thirsty
cook kochen acc=soup place=cook why=guests
bake backen acc=cake place=cook why=guests
order bestellen acc=cake,soup,salad place=order why=hungry
orderdrink bestellen acc=cup,drink place=order why=thirsty
buyfood kaufen acc=fruit,food,drink,cup place=food why=guests
buybread kaufen acc=bread why=hungry
buybook kaufen acc=sold why=time
buy kaufen acc=clothing,furniture,device,ride,instrument,flower,thing why=money
sell verkaufen acc=ride,furniture,instrument,home,device own why=needmoney def
read lesen acc=text place=read why=time manner=alone
write schreiben acc=writing place=read why=time
see sehen acc=animal,person,vehicle,kin past
hear hören fixed=Musik=music/0 place=home why=tired
listen zuhören dat=person,kin why=time
repair reparieren acc=vehicle,device own place=repair why=broken manner=care def
wash waschen acc=ride,clothing own def why=dirty
clean putzen acc=cleaned own def why=dirty
wear tragen acc=clothing time why=cold
puton anziehen acc=clothing own why=cold
takeoff ausziehen acc=outerwear own why=warm
tryon anprobieren acc=clothing def
open öffnen acc=opening,parcel def manner=care why=warm
close schließen acc=opening def manner=care why=cold
draw zeichnen acc=animal,plant,building,portrait why=time manner=care
paint malen acc=picture why=time
paintdoor streichen acc=opening,painted def why=time
build bauen acc=built indef
look suchen acc=thing,animal,kin,clothing own why=lost def
find finden acc=thing,clothing past own def
lose verlieren acc=lostthing past own def
forget vergessen acc=thing,clothing past own def
need brauchen acc=device,thing,furniture,ride,clothing why=need
have haben acc=owned,owned,homebig why=- indef
use benutzen acc=switched,ride own
visit besuchen acc=kin,person,museum why=birthday
visitkin besuchen acc=kin why=ill
meet treffen acc=person,kin,person place=meet why=talk
know kennen acc=person,kin,town why=-
love lieben acc=relative,relative,pet own why=- def
ask fragen acc=person,kin why=question
help helfen dat=person,kin,child why=time
thank danken dat=person,kin
answer antworten dat=person,kin
follow folgen dat=person,animal
belong gehören subj=vehicle,thing,animal,instrument,text,home dat=person,kin why=-
give geben dat=person,kin,child acc=text,thing,fruit
bring bringen dat=person,kin acc=cup,text,thing,flower
send schicken dat=person,kin,child acc=letter
lend leihen dat=person,kin acc=borrowed,small,thing why=time
show zeigen dat=person,kin,child acc=text,picture,flower,thing
pickup abholen acc=kin,child,person place=pickup
bringalong mitbringen acc=cake,flower,salad why=birthday
takealong mitnehmen acc=pet,umbrella own why=rain def
bringback zurückbringen acc=borrowed,small,key def
giveback zurückgeben acc=borrowed,key,small def
pickupthing aufheben acc=ball,coin def
tidy aufräumen acc=room def why=guests
switchon einschalten acc=switched,lamp def why=dark
switchoff ausschalten acc=switched,lamp def why=tired
writedown aufschreiben acc=task def why=forgetful
callup anrufen acc=kin,person why=question
invite einladen acc=kin,person why=birthday
understand verstehen acc=task,text def
explain erklären to=person,kin,child acc=task def
play spielen subj=child place=play
playball spielen fixed=Fußball=football/0 place=play why=sunny
playchess spielen fixed=Schach=chess/0 place=home why=time
playtennis spielen fixed=Tennis=tennis/0 why=sunny
playpiano spielen music place=- why=time
learn lernen language why=travel
practise üben acc=song place=- why=exam
work arbeiten place=work why=money manner=alone
live wohnen live why=-
sleep schlafen place=sleep why=tired manner=well
fallasleep einschlafen place=sleep clock why=tired
wakeup aufwachen clock why=noise
getup aufstehen clock why=getup
goout ausgehen clock why=friends
comeback zurückkommen clock past why=work
travelback zurückfahren totown why=work
swim schwimmen place=swim why=warm manner=alone
hike wandern place=hike why=sunny manner=alone
laugh lachen manner=sound why=happy
cry weinen subj=child why=sad manner=sound
dance tanzen why=happy place=dance manner=alone
sing singen place=home why=happy manner=sound
watchtv fernsehen place=tv why=tired manner=alone
watch fernsehen why=tired
wait warten waitfor place=wait why=late
talk sprechen talkwith
think denken thinkof why=miss
go gehen goto
run laufen subj=child goto=green why=happy
travel fahren totown means why=visit
fly fliegen totown why=visit
put stellen acc=putthing def toward
lay legen acc=laything def toward
lie liegen subj=laything on why=-
stand stehen subj=vehicle infront why=-
sit sitzen under why=tired
stay bleiben stayhome why=ill
feed füttern acc=animal why=hungryit
stroke streicheln acc=pet def
peel schälen acc=peeled place=cook
water gießen acc=plant why=dry own
plant pflanzen acc=plant place=yard
photoanimal fotografieren acc=animal
photo fotografieren acc=animal,building,plant,child,vehicle
rent mieten acc=rented why=holiday indef
pay bezahlen acc=cup,cake,clothing def
bark bellen subj=dog manner=sound why=-
sleepanimal schlafen subj=animal under why=-
eatanimal fressen subj=animal acc=animalfood why=-
runaway weglaufen subj=animal past why=-
cost kosten subj=clothing,vehicle,furniture,device,instrument price why=-
please gefallen subj=text,show,clothing,picture,town,building swap why=-
called heißen subj=animal name why=-
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """Who does what to what.

    Args:
        name: What other frames and places call it.
        verb: The verb.
        subjects: Classes of inanimate or special subjects; empty for people.
        accusative: Classes of the direct object.
        dative: Classes of the dative object.
        explained: Classes of the person after English `to` (erklären).
        fixed: A fixed object, as for `adverbials.linked`.
        place: Group of places, or empty.
        manner: Group of adverbs of manner, or empty.
        why: The reasons that suit it; empty if it needs none.
        flags: Further properties, see `events`.
    """

    name: str
    verb: Verb
    subjects: tuple[str, ...]
    accusative: tuple[str, ...]
    dative: tuple[str, ...]
    explained: tuple[str, ...]
    fixed: str
    place: str
    manner: str
    why: str
    flags: frozenset[str]

    @property
    def human(self) -> bool:
        """Whether people do it."""
        return not self.subjects or self.subjects == ("child",)


def _frame(row: str) -> Frame:
    name, verb, *fields = row.split()
    values: dict[str, str] = {}
    flags = set()
    for item in fields:
        key, equals, value = item.partition("=")
        if equals:
            values[key] = "" if value == "-" else value
        else:
            flags.add(key)
    if "goto" in values:
        flags.add("goto")

    def kinds(key: str) -> tuple[str, ...]:
        return tuple(kind for kind in values.get(key, "").split(",") if kind)

    return Frame(
        name,
        VERBS[verb],
        kinds("subj"),
        kinds("acc"),
        kinds("dat"),
        kinds("to"),
        values.get("fixed", ""),
        values.get("place", ""),
        values.get("manner", ""),
        values.get("why", ""),
        frozenset(flags),
    )


FRAMES = {frame.name: frame for frame in (_frame(row) for row in _ROWS.strip().splitlines())}


def frames(names: str) -> tuple[Frame, ...]:
    """Return the frames of a list of names."""
    return tuple(FRAMES[name] for name in words(names))


PEOPLE_FRAMES = tuple(
    frame for frame in FRAMES.values() if not frame.subjects and frame.name not in ("drinkcafe", "watch")
)
# what children do as well
YOUNG_FRAMES = frames(
    "eat read write hear listen draw paint look find lose forget visit love ask help follow give show takealong"
    " pickupthing understand playpiano learn sleep fallasleep wakeup getup swim hike laugh dance sing watchtv wait talk"
    " think go travel sit feed stroke peel water photo puton takeoff open close callup"
)
CHILD_FRAMES = tuple(frame for frame in FRAMES.values() if frame.subjects == ("child",))
THING_FRAMES = tuple(frame for frame in FRAMES.values() if not frame.human)
