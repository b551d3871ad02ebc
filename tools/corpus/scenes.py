"""What only some frames have: where one goes, whom one waits for, what it costs, who likes it."""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item
from tools.corpus.draws import Draws
from tools.corpus.names import TOWNS
from tools.corpus.nouns import NOUNS, Noun
from tools.corpus.numerals import english_number, german_number
from tools.corpus.objects import person_object, thing
from tools.corpus.phrases import Phrase, noun_phrase, prepositional, pronoun_phrase
from tools.corpus.rows import words
from tools.corpus.tenses import Wish
from tools.corpus.words import Source, Target, targets

_LANGUAGES = ("Deutsch German", "Englisch English", "Französisch French", "Spanisch Spanish", "Italienisch Italian")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a special frame works on: the random stream, the clause to fill, the frame's flags and the wish."""

    draws: Draws
    clause: Clause
    flags: frozenset[str]
    wish: Wish


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
            scene.draws,
            scene.draws.pick(("text", "show", "task")),
            "acc",
            definite=True,
            adjective=scene.wish.adjective,
        )
        scene.clause.items.append(Item(*prepositional("über", "about", phrase), 61, 30))


def _think(scene: Scene) -> None:
    phrase = person_object(scene.draws, scene.draws.pick(("kin", "person")), "acc", scene.clause.subject)
    scene.clause.items.append(Item(*prepositional("an", "of", phrase), 60, 25))


def _go(scene: Scene) -> None:
    scene.clause.items.append(adv.direction(scene.draws, scene.draws.pick(_WALKED), scene.clause.subject.pronoun))


_WALKED = tuple(place for place in adv.PLACES if "room" not in place.groups and "wait" not in place.groups)


def _run(scene: Scene) -> None:
    scene.clause.items.append(
        adv.direction(scene.draws, scene.draws.pick(adv.GROUPS["green"]), scene.clause.subject.pronoun)
    )


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
    row = scene.draws.pick(("daheim = at/0 home/0", "daheim = at/0 home/0", "im Bett = in/0 bed/1"))
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


_PETS = words(
    "Bello Minka Rex Luna Balu Felix Mimi Max Bruno Susi Lotte Rocky Flocke Schnurri Waldi Hasso Blacky Tapsi"
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


SPECIAL = {
    "wait": _wait, "talk": _talk, "think": _think, "go": _go, "run": _run, "travel": _travel, "fly": _travel,
    "travelback": _travel, "put": _put, "lay": _put, "lie": _lie, "stand": _stand, "sit": _sit, "stay": _stay,
    "live": _live, "learn": _language, "playpiano": _music, "cost": _price, "called": _called, "please": _swap,
    "sleepanimal": _sit,
}  # fmt: skip
