"""States, the weather, and why somebody does something."""

from __future__ import annotations

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item
from tools.corpus.draws import Draws
from tools.corpus.english import BE
from tools.corpus.events import draw_clause
from tools.corpus.frames import FRAMES, Frame
from tools.corpus.german import HABEN
from tools.corpus.nouns import NOUNS, Noun
from tools.corpus.numerals import english_number, german_number
from tools.corpus.objects import nouns_of, thing
from tools.corpus.phrases import Phrase, draw_adjectives, noun_phrase, pronoun_phrase
from tools.corpus.tenses import Family, Wish
from tools.corpus.verbs import VERBS, Verb
from tools.corpus.words import English, Source, Target, targets

_BE = VERBS["sein"]
_HAVE = VERBS["haben"]
_HAVE_BE = Verb(HABEN, BE, (), True)  # hat Hunger, is hungry
PREDICATE = 64

MOODS = (
    "müde = tired/0", "krank = ill/0", "glücklich = happy/0", "traurig = sad/0", "zufrieden = content/0",
    "nervös = nervous/0", "wütend = angry/0", "hungrig = hungry/0", "durstig = thirsty/0", "stolz = proud/0",
    "neugierig = curious/0", "einsam = lonely/0", "beschäftigt = busy/0", "verliebt = in/0 love/0",
    "sehr müde = very/0 tired/1", "sehr stolz = very/0 proud/1", "sehr nervös = very/0 nervous/1",
    "zu müde = too/0 tired/1", "noch krank = still/0 ill/1", "wieder gesund = healthy/1 again/0",
    "sehr glücklich = very/0 happy/1", "sehr krank = very/0 ill/1", "sehr traurig = very/0 sad/1",
)  # fmt: skip
# why: ways to say it, each `way|row`
_REASONS = {
    "hungry": ("be|hungrig = hungry/0", "hb|Hunger = hungry/0", "be|sehr hungrig = very/0 hungry/1"),
    "thirsty": ("be|durstig = thirsty/0", "hb|Durst = thirsty/0", "be|sehr durstig = very/0 thirsty/1"),
    "tired": (
        "be|müde = tired/0",
        "be|sehr müde = very/0 tired/1",
        "it|schon spät = already/0 late/1",
    ),
    "ill": ("be|krank = ill/0", "weather|rain", "be|müde = tired/0", "be|noch krank = still/0 ill/1"),
    "happy": ("be|glücklich = happy/0", "be|sehr glücklich = very/0 happy/1", "weather|sun"),
    "sad": ("be|traurig = sad/0", "be|müde = tired/0", "hb|Hunger = hungry/0", "be|krank = ill/0"),
    "time": ("have|Zeit = time/0", "have|viel Zeit = a/0 lot/0 of/0 time/1"),
    "guests": ("have|Gäste = guests/0", "have|Besuch = visitors/0"),
    "money": ("need|Geld = money/0", "have|wenig Geld = little/0 money/1"),
    "needmoney": ("need|Geld = money/0", "no|Geld = money/0"),
    "need": ("have|viel Arbeit = a/0 lot/0 of/0 work/1", "frame|müssen|work"),
    "broken": ("have|Zeit = time/0", "have|viel Zeit = a/0 lot/0 of/0 time/1"),
    "dirty": ("have|Zeit = time/0", "have|Gäste = guests/0", "weather|sun"),
    "cold": ("weather|cold", "weather|snow", "weather|winter"),
    "warm": ("weather|warm", "weather|sun", "weather|hot"),
    "sunny": ("weather|sun", "weather|fine", "weather|warm"),
    "rain": ("weather|rain", "weather|fine"),
    "dark": ("weather|dark", "weather|winter"),
    "dry": ("weather|hot", "weather|warm", "weather|dry"),
    "lost": ("frame|müssen|work", "frame|wollen|goout", "have|Zeit = time/0"),
    "birthday": ("have|Zeit = time/0", "be|glücklich = happy/0"),
    "talk": ("frame|wollen|talk", "have|Zeit = time/0", "frame|müssen|talk"),
    "question": ("have|eine Frage = a/0 question/1", "need|Hilfe = help/0", "be|einsam = lonely/0"),
    "forgetful": ("be|vergesslich = forgetful/0", "have|morgen eine Prüfung = an/1 exam/2 tomorrow/0"),
    "exam": ("have|eine Prüfung = an/0 exam/1", "frame|wollen|sing"),
    "travel": ("frame|wollen|travel", "have|eine Prüfung = an/0 exam/1", "frame|wollen|fly"),
    "visit": ("frame|wollen|visitkin", "frame|müssen|work", "have|Urlaub = a/0 holiday/0", "frame|wollen|visit"),
    "getup": ("frame|müssen|work", "frame|wollen|travel", "be|nervös = nervous/0"),
    "work": ("frame|müssen|work", "have|viel Arbeit = a/0 lot/0 of/0 work/1"),
    "noise": ("be|nervös = nervous/0", "frame|müssen|work", "hb|Hunger = hungry/0"),
    "friends": ("frame|wollen|dance", "have|Zeit = time/0", "frame|wollen|meet"),
    "late": ("no|Auto = car/0", "no|Zeit = time/0"),
    "miss": ("be|einsam = lonely/0", "be|traurig = sad/0", "be|verliebt = in/0 love/0"),
    "holiday": ("have|Urlaub = a/0 holiday/0", "frame|wollen|travel"),
    "hungryit": ("have|Zeit = time/0",),
}
_OUTSIDE = "go hike swim playball playtennis goout travel visit photo takealong"
_AT_HOME = "read hear watchtv cook bake playchess playpiano stay drink write draw"
# what should have prevented something, and what is done all the same
DESPITE = (
    (("be|müde = tired/0", "be|sehr müde = very/0 tired/1", "be|krank = ill/0", "be|noch krank = still/0 ill/1"),
     "work goout help read learn write dance clean visit travel invite playtennis cook"),
    (("weather|rain", "weather|cold", "weather|snow"), _OUTSIDE),
    (("no|Zeit = time/0", "have|wenig Zeit = little/0 time/1", "have|viel Arbeit = a/0 lot/0 of/0 work/1"),
     "help visit read watchtv goout playchess cook meet bake playpiano talk hear"),
    (("no|Geld = money/0", "have|wenig Geld = little/0 money/1"), "buy travel fly goout invite order rent"),
    (("it|schon spät = already/0 late/1",), "work read watchtv callup write learn hear cook goout playpiano"),
    (("weather|dark",), "work go hike travel read repair"),
)  # fmt: skip
# a condition, and what people do if it holds
CONDITIONS = (
    (("weather|rain", "weather|snow", "weather|cold"), _AT_HOME),
    (("weather|sun", "weather|warm", "weather|fine"), "go hike swim playball playtennis visit photo"
        " water play draw"),
    (("have|Zeit = time/0", "have|Urlaub = a/0 holiday/0"),
     "visit cook bake read help hike travel draw practise repair paint learn meet invite"),
    (("be|müde = tired/0",), "stay hear watchtv drink sleep drinkcafe"),
    (("be|traurig = sad/0", "be|einsam = lonely/0"), "hear callup think playpiano write visit sing eat"),
    (("have|Besuch = visitors/0", "have|Gäste = guests/0"), "cook bake tidy clean buyfood"),
    (("be|nervös = nervous/0",), "hear playpiano drink sing draw"),
    (("be|krank = ill/0",), "stay sleep drink hear callup"),
)  # fmt: skip
_WEATHER = {
    "cold": "kalt = cold/0", "warm": "warm = warm/0", "hot": "heiß = hot/0", "dark": "dunkel = dark/0",
    "winter": "draußen kalt = cold/1 outside/0",
}  # fmt: skip


def _it() -> Phrase:
    word = Source("es")
    return Phrase([word], [Target("it", word)], "3sg", is_pronoun=True)


def _named(german: str, gender: str, english: str) -> Phrase:
    return noun_phrase(Noun(german, gender, "", english, "", ""), "nom", "the")


def weather(kind: str, family: Family) -> Clause:
    """Return a clause about the weather: es regnet, die Sonne scheint."""
    if kind == "sun":
        clause = Clause(_named("Sonne", "f", "sun"), VERBS["scheinen"])
    elif kind in ("fine", "dry"):
        row = "schön = fine/0" if kind == "fine" else "trocken = dry/0"
        clause = Clause(_named("Wetter", "n", "weather"), _BE, items=[adv.fixed(row, PREDICATE, 20)])
    elif kind in ("rain", "snow"):
        clause = Clause(_it(), VERBS["regnen" if kind == "rain" else "schneien"])
    else:
        clause = Clause(_it(), _BE, items=[adv.fixed(_WEATHER[kind], PREDICATE, 20)])
    _set(clause, family)
    return clause


def _set(clause: Clause, family: Family) -> None:
    clause.tense = "past" if family == "past" else "present"
    clause.habitual = family == "habit"


def say(draws: Draws, way: str, subject: Phrase, family: Family) -> Clause:
    """Turn `way|row` into a clause about the subject (or the weather)."""
    kind, row = way.split("|", 1)
    if kind == "weather":
        return weather(row, family)
    if kind == "frame":
        modal, name = row.split("|")
        clause = draw_clause(
            draws, FRAMES[name], subject, Wish("infinitive", place=0.3, negative=0, extras=0, adjective=0.1)
        )
        clause.modal = modal
        _set(clause, family)
        return clause
    if kind == "it":
        clause = Clause(_it(), _BE, items=[adv.fixed(row, PREDICATE, 20)])
    elif kind == "no":
        german, english = row.split(" = ")
        noun = Noun(german, "f" if german == "Zeit" else "n", "", english.split("/")[0], "", "")
        phrase = noun_phrase(noun, "acc", "no")
        clause = Clause(subject, _HAVE, items=[Item(phrase.german, phrase.english, 58, 20)], negation=phrase.negative)
    else:
        verb = {"be": _BE, "hb": _HAVE_BE, "have": _HAVE, "need": VERBS["brauchen"]}[kind]
        clause = Clause(subject, verb, items=[adv.fixed(row, PREDICATE, 20)])
    _set(clause, family)
    return clause


def _possible(ways: tuple[str, ...], subject: Phrase) -> tuple[str, ...]:
    if subject.pronoun:
        return ways
    return tuple(way for way in ways if way.startswith(("weather", "it|")))


def _pronoun(subject: Phrase) -> Phrase:
    return pronoun_phrase(subject.pronoun, "nom") if subject.pronoun else _it()


def reason(draws: Draws, why: str, subject: Phrase, family: Family) -> Clause | None:
    """Draw a clause that says why the subject does it, or None if nothing suits."""
    ways = _possible(_REASONS.get(why, ()), subject)
    return say(draws, draws.pick(ways), _pronoun(subject), family) if ways else None


def despite(draws: Draws, subject: Phrase, family: Family) -> tuple[Clause, Frame]:
    """Draw a clause for obwohl, and what is done in spite of it; nothing can be said of a child but the weather."""
    ways, names = draws.pick(DESPITE if subject.pronoun else DESPITE[1:2])
    return say(draws, draws.pick(ways), _pronoun(subject), family), FRAMES[draws.pick(names.split())]


def condition(draws: Draws, subject: Phrase) -> tuple[Clause, Frame]:
    """Draw a clause for wenn about the subject or the weather, and what follows."""
    ways, names = draws.pick(CONDITIONS if subject.pronoun else CONDITIONS[:2])
    return say(draws, draws.pick(ways), subject, "habit"), FRAMES[draws.pick(names.split())]


def mood(draws: Draws, subject: Phrase, family: Family) -> Clause:
    """Draw how somebody is, how old, or of what profession."""
    kind = draws.below(10)
    clause = Clause(subject, _BE)
    if kind < 3 and subject.person.endswith("sg") and subject.kind in ("name", "pronoun", "kin"):
        _age(draws, clause)
    elif kind < 5 and subject.person == "3sg" and subject.gender in "mf" and subject.kind in ("name", "kin"):
        _profession(draws, clause)
    else:
        clause.items.append(adv.fixed(draws.pick(MOODS), PREDICATE, 20))
        if draws.chance(0.25):
            nicht = Source("nicht")
            clause.negation = nicht
            clause.items.append(Item([nicht], [], 50, 99))
    _set(clause, family)
    return clause


def _age(draws: Draws, clause: Clause) -> None:
    number = draws.between(18, 79)
    words = [Source(german_number(number)), Source("Jahre"), Source("alt")]
    english: English = [*targets(english_number(number), words[0]), Target("years", words[1]), Target("old", words[2])]
    clause.items.append(Item([*words], english, PREDICATE, 20))


_PROFESSIONS = tuple(
    noun
    for noun in NOUNS["person"]
    if noun.english
    not in ("man", "woman", "boy", "lady", "friend", "guest", "tourist", "neighbour", "colleague", "mayor", "pupil")
)


def _profession(draws: Draws, clause: Clause) -> None:
    noun = draws.pick(_PROFESSIONS)
    while noun.gender != clause.subject.gender:
        noun = draws.pick(_PROFESSIONS)
    word = Source(noun.german)
    phrase = noun_phrase(noun, "nom", "a")
    clause.items.append(Item([word], [Target(part.text, word) for part in phrase.english], PREDICATE, 20))  # type: ignore[union-attr]


_OWNED = ("clothing", "vehicle", "device", "instrument")
_ABSOLUTE = ("kaputt", "gebraucht", "neu", "rot", "blau", "grün", "schwarz", "weiß", "frisch", "lecker")
_DESCRIBED = (
    "clothing",
    "furniture",
    "vehicle",
    "device",
    "text",
    "building",
    "cake",
    "soup",
    "opening",
    "instrument",
    "show",
)


def row_words(clause: Clause) -> list[str]:
    """Return the German words of the items of a clause."""
    return [word.text for item in clause.items for word in item.german]


def description(draws: Draws, family: Family) -> Clause:
    """Draw what a thing is like, or compare it: der Mantel ist teurer als die Jacke."""
    kind = draws.pick(_DESCRIBED)
    compared = kind in _COMPARED and draws.chance(0.45)
    subject = thing(draws, kind, "nom", definite=True, adjective=0, own=kind in _OWNED)
    if compared:
        noun = draws.pick(nouns_of(kind))
        subject = noun_phrase(noun, "nom", draws.pick(("the", "the", "this")))  # type: ignore[arg-type]
    clause = Clause(subject, _BE)
    fitting = draw_adjectives(draws, subject.noun, 1.0) if subject.noun is not None else ()
    if compared:
        _compare(draws, clause, kind)
    elif fitting:
        german, english = fitting[0]
        prefix = draws.pick(("", "", "sehr very", "zu too", "ziemlich rather"))
        if prefix and german not in _ABSOLUTE:
            de, en = prefix.split()
            row = f"{de} {german} = {en}/0 {english}/1"
        else:
            row = f"{german} = {english}/0"
        if german == "gebraucht":
            row = "neu = new/0"
        clause.items.append(adv.fixed(row, PREDICATE, 20))
    if draws.chance(0.15) and "ziemlich" not in row_words(clause):
        nicht = Source("nicht")
        clause.negation = nicht
        clause.items.append(Item([nicht], [], 50, 99))
    _set(clause, family)
    return clause


_COMPARED = {
    "clothing": (
        "teurer = more/0 expensive/0",
        "billiger = cheaper/0",
        "schöner = more/0 beautiful/0",
        "neuer = newer/0",
    ),
    "furniture": ("größer = bigger/0", "älter = older/0", "schwerer = heavier/0", "teurer = more/0 expensive/0"),
    "vehicle": ("schneller = faster/0", "teurer = more/0 expensive/0", "neuer = newer/0", "älter = older/0"),
    "device": ("neuer = newer/0", "teurer = more/0 expensive/0", "besser = better/0"),
    "text": ("länger = longer/0", "interessanter = more/0 interesting/0", "besser = better/0", "kürzer = shorter/0"),
    "building": ("größer = bigger/0", "älter = older/0", "höher = higher/0", "schöner = more/0 beautiful/0"),
    "show": ("länger = longer/0", "interessanter = more/0 interesting/0", "besser = better/0", "lustiger = funnier/0"),
}


def _compare(draws: Draws, clause: Clause, kind: str) -> None:
    words, english = adv.linked(draws.pick(_COMPARED[kind]))
    other = draws.pick(nouns_of(kind))
    while clause.subject.noun is not None and other.german == clause.subject.noun.german:
        other = draws.pick(nouns_of(kind))
    phrase = noun_phrase(other, "nom", "the")
    als = Source("als")
    clause.items.append(
        Item([*words, als, *phrase.german], [*english, Target("than", als), *phrase.english], PREDICATE, 20)
    )
