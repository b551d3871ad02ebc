"""What is said of a scene: a caption, with the thing that each word names, and questions with answers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tools.scenery.layout import LARGE, Scene, Thing

ASIDE = 0.08
"""How far from the middle a thing must be, for it to be plain on which side it is."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a caption.

    Args:
        text: the word.
        thing: what it names; ``None`` for words such as "a" and "left".
    """

    text: str
    thing: Thing | None = None


def caption(scene: Scene) -> list[Word]:
    """Say what stands where, in the only way that the grammar has for a scene.

    ``a small red star at the top left``, ``a red star left of a blue ring``, ``a red star between a blue ring and a
    white cross``.
    """
    first, *others = scene.things
    if not others:
        size = "large" if first.radius >= LARGE[0] else "small"
        return [Word("a"), Word(size, first), *_name(first), *_words(scene.relation)]
    words = [*_noun_phrase(first), *_words(scene.relation)]
    for index, other in enumerate(others):
        words += [*_words("and" if index else ""), *_noun_phrase(other)]
    return words


def questions(scene: Scene) -> list[tuple[str, str]]:
    """All questions that have one answer, which is a word."""
    found = [("how many shapes are there", ("one", "two", "three")[len(scene.things) - 1])]
    for thing in scene.things:
        if [other.shape for other in scene.things].count(thing.shape) == 1:
            found.append((f"what colour is the {thing.shape}", thing.colour))
        if [other.colour for other in scene.things].count(thing.colour) == 1:
            found.append((f"what shape is {thing.colour}", thing.shape))
    if len(scene.things) == 2 and scene.things[0].name != scene.things[1].name:
        one, other = scene.things
        opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}
        side = scene.relation.split()[0]
        found.append((f"where is the {' '.join(one.name)} from the {' '.join(other.name)}", side))
        found.append((f"where is the {' '.join(other.name)} from the {' '.join(one.name)}", opposite[side]))
    return found


def requests(scene: Scene) -> list[tuple[str, str]]:
    """What else may be asked: to describe the scene, and where in it each thing stands.

    Who can tell where one thing is has half of what it takes to compare two.
    """
    found = [("describe the picture", " ".join(word.text for word in caption(scene)))]
    names = [thing.name for thing in scene.things]
    for thing in scene.things:
        name = " ".join(thing.name)
        if names.count(thing.name) > 1:
            continue
        if abs(thing.x - 0.5) > ASIDE:
            found.append((f"is the {name} left or right of the middle", "left" if thing.x < 0.5 else "right"))
        if abs(thing.y - 0.5) > ASIDE:
            found.append((f"is the {name} above or below the middle", "above" if thing.y < 0.5 else "below"))
    return found


def some_questions(scene: Scene, count: int, random: Random) -> list[tuple[str, str]]:
    """Draw questions, all of them if there are not more."""
    every = questions(scene)
    return random.sample(every, min(count, len(every)))


def _noun_phrase(thing: Thing) -> list[Word]:
    return [Word("an" if thing.colour[0] in "aeiou" else "a"), *_name(thing)]


def _name(thing: Thing) -> list[Word]:
    return [Word(each, thing) for each in thing.name]


def _words(text: str) -> list[Word]:
    return [Word(each) for each in text.split()]
