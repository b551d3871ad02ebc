"""From a frame and a subject to a clause: objects, places, times, tense, negation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item
from tools.corpus.draws import Draws
from tools.corpus.frames import FRAMES, PEOPLE_FRAMES, Frame
from tools.corpus.names import TOWNS
from tools.corpus.nouns import NOUNS, Noun
from tools.corpus.numerals import english_number, german_number
from tools.corpus.objects import nouns_of, person_object, thing
from tools.corpus.phrases import Phrase, noun_phrase, prepositional, pronoun_phrase
from tools.corpus.words import Source, Target, targets

Family = Literal["present", "habit", "past", "perfect", "pluperfect", "future", "modal", "modal past", "infinitive"]
_PEOPLE = frozenset({"person", "kin", "relative", "child"})
_LANGUAGES = ("Deutsch German", "Englisch English", "Französisch French", "Spanisch Spanish", "Italienisch Italian")
_MODALS = ((4, "können"), (5, "müssen"), (5, "wollen"), (1, "dürfen"), (2, "sollen"), (5, "möchten"))
_MANY = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of an event.

    Args:
        family: Tense or modality; `habit` is a present that English keeps simple.
        time: Whether a time may be drawn.
        place: The chance of a place.
        negative: The chance of a negation.
        extras: The chance of manner and means.
        adjective: The chance of an adjective at an object.
    """

    family: Family
    time: float = 0.5
    place: float = 0.4
    negative: float = 0.12
    extras: float = 0.2
    adjective: float = 0.25


@dataclass(frozen=True, slots=True)
class Scene:
    """What a special frame works on: the random stream, the clause to fill, the frame's flags and the wish."""

    draws: Draws
    clause: Clause
    flags: frozenset[str]
    wish: Wish


def _object_item(phrase: Phrase, *, dative: bool = False) -> Item:
    """Rank an object: pronouns first, definite before adverbs where it is negated, indefinite late."""
    if phrase.is_pronoun:
        return Item(phrase.german, phrase.english, 4 if dative else 2, -0 if dative else 0)
    if dative:
        return Item(phrase.german, phrase.english, 30, 10)
    return Item(phrase.german, phrase.english, 40 if phrase.definite else 58, 20)


def _accusative(draws: Draws, frame: Frame, subject: Phrase, wish: Wish, *, negated: bool) -> Phrase:
    kind = draws.pick(frame.accusative)
    if kind in _PEOPLE:
        phrase = person_object(draws, kind, "acc", subject)
        if phrase.is_pronoun and frame.dative:
            phrase = person_object(draws, "kin", "acc", subject)
        return phrase
    flags = frame.flags
    if negated:
        noun = draws.pick(nouns_of(kind))
        definite = "def" in flags or "own" in flags or frame.verb.english.base == "love"
        if not definite and kind != "room":
            return noun_phrase(noun, "acc", "no", plural=_often_plural(noun) and draws.chance(0.5))
    return thing(
        draws, kind, "acc",
        definite="def" in flags or frame.name in ("look", "lose", "find", "forget", "repair", "sell", "love", "takealong"),
        indefinite="indef" in flags or frame.name in ("have", "rent"),
        own="own" in flags, owner=subject.pronoun, adjective=wish.adjective,
    )  # fmt: skip


def _often_plural(noun: Noun) -> bool:
    return noun.kind in ("fruit", "text", "plant", "thing", "animal") and not noun.mass


def draw_clause(draws: Draws, frame: Frame, subject: Phrase, wish: Wish) -> Clause:
    """Draw everything that a clause of this frame needs for this subject."""
    clause = Clause(subject, frame.verb)
    negated = draws.chance(wish.negative) and frame.name not in (
        "called",
        "cost",
        "go",
        "travel",
        "fly",
        "stayhome",
        "eatup",
    )
    special = _SPECIAL.get(frame.name)
    if special is not None:
        special(Scene(draws, clause, frame.flags, wish))
    _objects(draws, clause, frame, wish, negated=negated)
    _circumstances(draws, clause, frame, wish)
    _tense(draws, clause, frame, wish)
    if negated and clause.negation is None and special is not _swap and not _has_never(clause):
        _negate(clause)
    return clause


def _has_never(clause: Clause) -> bool:
    return any(item.english_rank < 0 or "gerade" in _texts(item) for item in clause.items)


def _texts(item: Item) -> list[str]:
    return [word.text for word in item.german]


def _negate(clause: Clause) -> None:
    if any(item.german_rank == 58 for item in clause.items):
        return  # an indefinite object would need kein
    nicht = Source("nicht")
    clause.negation = nicht
    clause.items.append(Item([nicht], [], 50, 99))
    for item in clause.items:
        if item.german_rank == 40:
            item.german_rank = 15
        elif item.german_rank == 30:
            item.german_rank = 12


def _objects(draws: Draws, clause: Clause, frame: Frame, wish: Wish, *, negated: bool) -> None:
    subject = clause.subject
    if frame.dative:
        phrase = person_object(draws, draws.pick(frame.dative), "dat", subject)
        two = bool(frame.accusative)
        item = _object_item(phrase, dative=True)
        item.english_rank = 10 if two or frame.verb.object_last else item.english_rank
        clause.items.append(item)
    if frame.fixed:
        clause.items.append(adv.fixed(frame.fixed, 60, 20))
    if frame.accusative:
        phrase = _accusative(draws, frame, subject, wish, negated=negated)
        if phrase.negative is not None:
            clause.negation = phrase.negative
        clause.items.append(_object_item(phrase))
    if frame.explained:
        phrase = person_object(draws, draws.pick(frame.explained), "dat", subject)
        to = phrase.german[0]
        clause.items.append(
            Item(phrase.german, [Target("to", to), *phrase.english], 4 if phrase.is_pronoun else 30, 25)
        )  # type: ignore[arg-type]


def _circumstances(draws: Draws, clause: Clause, frame: Frame, wish: Wish) -> None:
    flags = frame.flags
    if frame.place and draws.chance(wish.place):
        clause.items.append(adv.location(draws, frame.place))
    if frame.manner and clause.negation is None and draws.chance(wish.extras):
        item = adv.manner(draws, frame.manner)
        together = _texts(item)[0] == "zusammen"
        if not together or clause.subject.person.endswith("pl"):
            clause.items.append(item)
    if "clock" in flags and wish.time > 0 and wish.family != "perfect" and draws.chance(0.5):
        clause.items.append(adv.clock(draws))


def _tense(draws: Draws, clause: Clause, frame: Frame, wish: Wish) -> None:
    family = wish.family
    timed = draws.chance(wish.time) and not any(item.german_rank == adv.TIME_RANK for item in clause.items)
    stative = frame.verb.stative and frame.name != "live"
    if family in ("present", "habit"):
        _present(draws, clause, frame, timed=timed, habit=family == "habit")
    elif family == "past":
        clause.tense = "past"
        if timed and not stative:
            clause.items.append(adv.time_past(draws, far=frame.name in _RARE))
    elif family == "perfect":
        clause.tense = "perfect"
        if draws.chance(0.4) and not frame.verb.stative and clause.negation is None:
            clause.items.append(adv.fixed(draws.pick(("schon = already/0", "gerade = just/0")), adv.FREQUENCY_RANK, -1))
            _early(clause)
    elif family == "pluperfect":
        clause.tense = "pluperfect"
    elif family in ("future", "modal"):
        if family == "modal" and frame.name not in _NO_MODAL:
            clause.modal = draws.weighted(_MODALS)
        else:
            clause.tense = "future"
        if timed:
            clause.items.append(adv.time_modal(draws))
    elif family == "modal past" and frame.name in _NO_MODAL:
        clause.tense = "past"
    elif family == "modal past":
        clause.modal, clause.tense = draws.weighted(_MODALS[:4]), "past"
        if timed:
            clause.items.append(adv.time_past(draws, far=frame.name in _RARE))


def _early(clause: Clause) -> None:
    for item in clause.items:
        if item.german_rank == 40:
            item.german_rank = 15


def _present(draws: Draws, clause: Clause, frame: Frame, *, timed: bool, habit: bool) -> None:
    clock = any(item.german_rank == adv.TIME_RANK for item in clause.items)
    clause.habitual = habit or clock
    if frame.verb.stative or clock:
        return
    choice = draws.below(10)
    gern = (
        frame.name in _GERN
        and clause.negation is None
        and draws.chance(0.25)
        and not any(_texts(i) == ["schnell"] for i in clause.items)
    )
    if gern:
        word = Source("gern")
        clause.likes, clause.habitual = word, True
        clause.items.append(Item([word], [], 52, 99))
        return
    if not timed:
        return
    if (habit or choice < 4) and (clause.negation is not None or frame.name in _ONCE):
        return
    if habit or choice < 4:
        clause.habitual = True
        clause.items.append(adv.time_habit(draws, season=frame.name in _SEASONAL))
    elif choice < 7:
        clause.items.append(adv.time_now(draws))
    else:
        clause.items.append(adv.time_future(draws, far=frame.name in _RARE))
        clause.english_future = True


_RARE = frozenset(
    "buy sell travel fly visit rent invite build paint paintdoor repair plant hike meet lose find travelback lend".split()
)
_ONCE = frozenset("buy sell rent build lend plant paintdoor lose find see forget eatup writedown lay put run".split())
_SEASONAL = frozenset("swim hike travel work plant visit learn playball photo playtennis".split())
_NO_MODAL = frozenset("cry laugh lose forget wakeup hear see find follow".split())


_GERN = frozenset(
    "eat drink cook bake read write hear draw paint playball playchess playtennis playpiano swim hike dance sing watchtv"
    " play learn help work photo".split()
)


# what only some frames have


def _fill_people(draws: Draws, clause: Clause) -> Phrase:
    return person_object(draws, draws.pick(("person", "kin", "kin")), "dat", clause.subject)


def _wait(scene: Scene) -> None:
    kind = scene.draws.below(10)
    if kind < 5:
        noun = scene.draws.pick(_AWAITED)
        phrase = noun_phrase(noun, "acc", "the")
    else:
        phrase = person_object(scene.draws, scene.draws.pick(("person", "kin")), "acc", scene.clause.subject)
    scene.clause.items.append(Item(*prepositional("auf", "for", phrase), 60, 25))


_AWAITED = (
    Noun("Bus", "m", "", "bus", "", ""),
    Noun("Zug", "m", "", "train", "", ""),
    Noun("Taxi", "n", "", "taxi", "", ""),
    Noun("Post", "f", "", "post", "", ""),
    Noun("Straßenbahn", "f", "", "tram", "", ""),
)


def _talk(scene: Scene) -> None:
    scene.clause.items.append(Item(*prepositional("mit", "to", _fill_people(scene.draws, scene.clause)), 60, 25))
    if scene.draws.chance(0.5):
        phrase = thing(
            scene.draws, scene.draws.pick(("text", "show", "task")), "acc", definite=True, adjective=scene.wish.adjective
        )
        scene.clause.items.append(Item(*prepositional("über", "about", phrase), 61, 30))


def _think(scene: Scene) -> None:
    phrase = person_object(scene.draws, scene.draws.pick(("kin", "person")), "acc", scene.clause.subject)
    scene.clause.items.append(Item(*prepositional("an", "of", phrase), 60, 25))


def _go(scene: Scene) -> None:
    scene.clause.items.append(adv.direction(scene.draws.pick(_WALKED)))


_WALKED = tuple(place for place in adv.PLACES if "room" not in place.groups and "wait" not in place.groups)


def _run(scene: Scene) -> None:
    scene.clause.items.append(adv.direction(scene.draws.pick(adv.GROUPS["green"])))


def _travel(scene: Scene) -> None:
    scene.clause.items.append(adv.to_town(scene.draws.pick(TOWNS)))
    if "means" in scene.flags and scene.draws.chance(0.4):
        scene.clause.items.append(adv.means(scene.draws, far=True))


def _put(scene: Scene) -> None:
    scene.clause.items.append(adv.furniture_place(scene.draws, "acc"))


def _lie(scene: Scene) -> None:
    scene.clause.items.append(adv.furniture_place(scene.draws, "dat"))


def _stand(scene: Scene) -> None:
    noun = scene.draws.pick(NOUNS["building"])
    german, english = scene.draws.pick((("vor", "in front of"), ("neben", "next to"), ("hinter", "behind")))
    scene.clause.items.append(Item(*prepositional(german, english, noun_phrase(noun, "dat", "the")), 56, 50, "move"))


_SHADE = (
    ("unter", "under", Noun("Baum", "m", "", "tree", "", "plant")),
    ("unter", "under", Noun("Apfelbaum", "m", "", "apple tree", "", "plant")),
    ("auf", "on", Noun("Bank", "f", "", "bench", "", "furniture")),
    ("auf", "on", Noun("Sofa", "n", "", "sofa", "", "furniture")),
    ("vor", "in front of", Noun("Haus", "n", "", "house", "", "building")),
    ("am", "by", Noun("Fenster", "n", "", "window", "", "opening")),
)


def _sit(scene: Scene) -> None:
    german, english, noun = scene.draws.pick(_SHADE)
    phrase = noun_phrase(noun, "dat", "the")
    words = prepositional("an" if german == "am" else german, english, phrase)
    scene.clause.items.append(Item(*words, 56, 50, "move"))


def _stay(scene: Scene) -> None:
    row = scene.draws.pick(("zu Hause = at/0 home/1", "zu Hause = at/0 home/1", "im Bett = in/0 bed/1"))
    scene.clause.items.append(adv.fixed(row, 62, 35))


def _live(scene: Scene) -> None:
    kind = scene.draws.below(10)
    if kind < 6:
        town = scene.draws.pick(TOWNS)
        scene.clause.items.append(adv.fixed(f"in {town} = in/0 {town}/1", 62, 50, "move"))
    else:
        phrase = thing(scene.draws, scene.draws.pick(("homebig", "homebig")), "dat", adjective=1.0)
        scene.clause.items.append(Item(*prepositional("in", "in", phrase), 62, 50))
    if scene.wish.family == "present" and scene.draws.chance(0.4):
        scene.clause.items.append(adv.since(scene.draws))
        scene.clause.since = True


def _language(scene: Scene) -> None:
    german, english = scene.draws.pick(_LANGUAGES).split()
    scene.clause.items.append(adv.fixed(f"{german} = {english}/0", 60, 20))


def _music(scene: Scene) -> None:
    noun = scene.draws.pick(NOUNS["instrument"])
    scene.clause.items.append(adv.fixed(f"{noun.german} = the/0 {noun.english}/0", 60, 20))


def _price(scene: Scene) -> None:
    number = (
        scene.draws.between(2, 98)
        if scene.draws.chance(0.7)
        else scene.draws.between(2, 9) * 100 + scene.draws.between(2, 99)
    )
    euros = [Source(german_number(number)), Source("Euro")]
    english = [*targets(english_number(number), euros[0]), Target("euros", euros[1])]
    scene.clause.items.append(Item([*euros], [*english], 60, 20))


_PETS = (
    "Bello Minka Rex Luna Balu Felix Mimi Max Bruno Susi Lotte Rocky Flocke Schnurri Waldi Hasso Blacky Tapsi".split()
)


def _called(scene: Scene) -> None:
    pet = scene.draws.pick(_PETS)
    scene.clause.items.append(adv.fixed(f"{pet} = {pet}/0", 60, 20))


def _swap(scene: Scene) -> None:
    """Make the person who likes it the English subject: der Film gefällt mir, I like the film."""
    kind = scene.draws.pick(("kin", "person", "person", "name"))
    nobody = pronoun_phrase("er", "nom")
    nobody.pronoun = ""
    if kind == "name":
        phrase = person_object(scene.draws, "person", "dat", nobody)
    else:
        phrase = person_object(scene.draws, kind, "dat", nobody)
    english = phrase
    if phrase.is_pronoun:
        english = pronoun_phrase(phrase.pronoun, "nom")
        english.english = [Target(english.english[0].text, phrase.german[0])]  # type: ignore[union-attr, arg-type]
    scene.clause.swapped = Phrase(phrase.german, english.english, phrase.person, phrase.gender, phrase.pronoun)
    scene.clause.items.append(Item(phrase.german, [], 4 if phrase.is_pronoun else 30, 99))
    scene.clause.items.append(Item([], scene.clause.subject.english, 31, 20))
    if scene.draws.chance(scene.wish.negative * 2):
        nicht = Source("nicht")
        scene.clause.negation = nicht
        scene.clause.items.append(Item([nicht], [], 50, 99))
    elif scene.draws.chance(0.3):
        scene.clause.items.append(adv.fixed("sehr = very/0 much/0", 53, 40))


_SPECIAL = {
    "wait": _wait, "talk": _talk, "think": _think, "go": _go, "run": _run, "travel": _travel, "fly": _travel,
    "travelback": _travel, "put": _put, "lay": _put, "lie": _lie, "stand": _stand, "sit": _sit, "stay": _stay,
    "live": _live, "learn": _language, "playpiano": _music, "cost": _price, "called": _called, "please": _swap,
    "sleepanimal": _sit,
}  # fmt: skip

__all__ = ["FRAMES", "PEOPLE_FRAMES", "Family", "Wish", "draw_clause"]
