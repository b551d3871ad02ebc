"""Clauses with a subject and a tense of their own, and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus import objects
from tools.corpus.clauses import Clause, Item, main_clause
from tools.corpus.draws import Draws
from tools.corpus.events import draw_clause
from tools.corpus.frames import CHILD_FRAMES, PEOPLE_FRAMES, THING_FRAMES, YOUNG_FRAMES, Frame
from tools.corpus.phrases import Phrase
from tools.corpus.tenses import Family, Wish
from tools.corpus.words import COMMA, English, German, Source, Target

Both = tuple[German, English]


@dataclass(frozen=True, slots=True)
class Mood:
    """What holds for a whole sentence.

    Args:
        family: present, habit (a sentence with wenn or bevor) or past.
        rich: How full the clauses are, 0 to 2.
        first: Whether this clause opens the sentence; he, she and they are subjects only there.
        timed: Whether a time may be named.
    """

    family: Family
    rich: int = 1
    first: bool = True
    timed: bool = True

    def later(self) -> Mood:
        """Return the mood of a clause that does not open the sentence."""
        return Mood(self.family, self.rich, False, self.timed)

    def untimed(self) -> Mood:
        """Return the mood of a clause that names neither time nor place of its own."""
        return Mood(self.family, 0, self.first, False)


_TIME = (0.25, 0.55, 0.75)
_PLACE = (0.15, 0.45, 0.7)


def _draw_wish(draws: Draws, mood: Mood, *, negative: float = 0.12, time: float | None = None) -> Wish:
    family = mood.family
    if family == "present":
        family = draws.weighted(((50, "present"), (16, "perfect"), (22, "modal"), (8, "future")))  # type: ignore[assignment]
    elif family == "past":
        family = draws.weighted(((85, "past"), (15, "modal past")))  # type: ignore[assignment]
    rich = mood.rich
    return Wish(
        family,
        0 if not mood.timed else _TIME[rich] if time is None else time,
        _PLACE[rich],
        negative,
        0.25,
        (0.15, 0.3, 0.45)[rich],
    )


def event(draws: Draws, mood: Mood, subject: Phrase | None = None, *, negative: float = 0.12) -> tuple[Clause, Frame]:
    if subject is None:
        return _any_event(draws, mood, negative)
    frames = PEOPLE_FRAMES if subject.kind != "child" else CHILD_FRAMES if draws.chance(0.4) else YOUNG_FRAMES
    frame = draws.pick(frames)
    return draw_in_mood(draws, frame, subject, mood, negative), frame


def _any_event(draws: Draws, mood: Mood, negative: float) -> tuple[Clause, Frame]:
    choice = draws.below(100)
    if choice < 8:
        subject = objects.subject(draws, child=True)
        frame = draws.pick(CHILD_FRAMES)
        return draw_in_mood(draws, frame, subject, mood, negative), frame
    if choice < 17:
        frame = draws.pick(THING_FRAMES)
        single = frame.name in ("called", "sleepanimal", "bark")
        kind = draws.pick(frame.subjects)
        subject = objects.thing(
            draws, kind, "nom", definite=True, adjective=0.2, single=single, own=single, owner="ich"
        )
        return draw_in_mood(draws, frame, subject, mood, negative), frame
    subject = objects.subject(draws, child=True) if choice < 22 else speaking(draws, mood)
    return event(draws, mood, subject, negative=negative)


def draw_in_mood(draws: Draws, frame: Frame, subject: Phrase, mood: Mood, negative: float) -> Clause:
    wish = _draw_wish(draws, mood, negative=negative)
    stative = frame.verb.stative or not frame.human
    if stative and wish.family not in ("present", "habit", "past"):
        wish = Wish(
            "past" if mood.family == "past" else "habit" if mood.family == "habit" else "present",
            0,
            wish.place,
            negative,
        )
    if "past" in frame.flags and mood.family == "present" and wish.family == "present":
        wish = Wish("perfect", wish.time, wish.place, negative, adjective=wish.adjective)
    if subject.pronoun in ("du", "ihr") and wish.family in ("past", "modal past"):
        wish = Wish("perfect", 0, wish.place, negative)
    return draw_clause(draws, frame, subject, wish)


def speaking(draws: Draws, mood: Mood) -> Phrase:
    """Draw a subject; in the past nobody is addressed, since German would not say du kauftest."""
    subject = objects.subject(draws, first=mood.first)
    while mood.family == "past" and subject.person[0] == "2":
        subject = objects.subject(draws, first=mood.first)
    return subject


def without_gern(clause: Clause, family: Family) -> None:
    if clause.likes is not None:
        clause.items = [item for item in clause.items if item.german_rank != 52]
        clause.likes, clause.habitual = None, family == "habit"


def fronted(draws: Draws, clause: Clause, chance: float) -> Item | None:
    """Draw what opens the main clause: nothing, a time, a place, or an accusative that shows its case."""
    if not draws.chance(chance):
        return None
    able = [item for item in clause.items if item.front]
    if clause.swapped is None:
        able += [item for item in clause.items if _shows_accusative(item, clause)]
    return draws.pick(able) if able else None


def _shows_accusative(item: Item, clause: Clause) -> bool:
    first = item.german[0].text if item.german else ""
    shown = (
        item.german_rank in (15, 40, 58) and len(item.german) < 4 and first in ("den", "diesen", "meinen", "unseren")
    )
    if shown:
        item.front = "move"
    return shown and clause.subject.definite and clause.subject.kind in ("name", "person", "kin", "pronoun")


def main(draws: Draws, clause: Clause, *, front: float = 0.45) -> Both:
    return main_clause(clause, fronted(draws, clause, front))


def add(one: Both, *parts: Both) -> Both:
    german, english = list(one[0]), list(one[1])
    for more_german, more_english in parts:
        german += more_german
        english += more_english
    return german, english


def word(german: str, english: str, *, comma: bool = False, english_comma: bool = False) -> Both:
    word = Source(german)
    before: German = [COMMA] if comma else []
    english_before: English = [COMMA] if english_comma else []
    return [*before, word], [*english_before, *(Target(part, word) for part in english.split())]


def closing(comma: bool = True) -> Both:
    return ([COMMA], []) if comma else ([], [])
