"""Whole sentences: statements, questions, and clauses put together until they are as long as is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.corpus import adverbials as adv
from tools.corpus import objects, states
from tools.corpus.clauses import Clause, main_clause, question, second_conjunct
from tools.corpus.draws import Draws
from tools.corpus.events import draw_clause
from tools.corpus.frames import PEOPLE_FRAMES, Frame, frames
from tools.corpus.phrases import Phrase, pronoun_phrase
from tools.corpus.relatives import relative, relative_object, relative_whom
from tools.corpus.statements import Both, Mood, add, draw_in_mood, event, main, without_gern, word
from tools.corpus.subordinate import (
    although,
    because,
    before,
    if_clause,
    purpose,
    that_clause,
    try_to,
    whether_clause,
    while_clause,
)
from tools.corpus.tenses import Family, Wish
from tools.corpus.words import English, German, Mark, Pair, Source, linearise


def simple(draws: Draws, mood: Mood) -> Both:
    """One main clause."""
    choice = draws.below(100)
    if choice < 8 and mood.family in ("present", "past"):
        return main(draws, states.description(draws, mood.family))
    if choice < 17:
        subject = objects.subject(draws, first=mood.first, known=True)
        if not (subject.person[0] == "2" and mood.family == "past"):
            return main(draws, states.mood(draws, subject, mood.family))
    clause, _ = event(draws, mood)
    return main(draws, clause)


_TOGETHER = tuple(
    frames(names)
    for names in (
        "cook bake wash clean tidy peel water repair",
        "read hear write draw paint sing playpiano drink eat watchtv",
        "buyfood cook bake buybread eat drink",
        "read write learn drink work",
    )
)


def two_deeds(draws: Draws, mood: Mood) -> Both:
    """One subject and two verbs joined by und."""
    subject = objects.subject(draws, first=mood.first)
    family: Family = mood.family
    if subject.person[0] == "2" and family == "past":
        family = "present"
    pool = draws.pick(_TOGETHER)
    one = draws.pick(pool)
    other = draws.pick(pool)
    while one.verb is other.verb:
        other = draws.pick(pool)
    first = draw_clause(draws, one, subject, Wish(family, 0.3, 0.4, 0, 0.1, 0.3))
    second = draw_clause(draws, other, subject, Wish(family, 0, 0.4, 0, 0.1, 0.3))
    without_gern(first, family)
    without_gern(second, family)
    second.habitual, second.english_future = first.habitual, first.english_future
    return add(main_clause(first), word("und", "and"), second_conjunct(second))


def ask(draws: Draws, mood: Mood) -> Both:
    """A question, by the verb or by a question word."""
    subject = objects.subject(draws, first=mood.first)
    if draws.chance(0.35):
        subject = pronoun_phrase(draws.pick(("du", "ihr", "Sie", "Sie")), "nom")
    frame = draws.pick(PEOPLE_FRAMES)
    asked = draws.below(10)
    time = 0.0 if asked in (7, 8) else None
    clause = _clause_in_question(draws, frame, subject, mood, time)
    if asked < 6:
        return question(clause)
    if asked == 6 and clause.negation is None and not clause.english_future:
        return question(clause, (Source("wo"), "where")) if _placeless(clause, frame) else question(clause)
    if asked in (7, 8) and clause.tense != "perfect":  # English does not say `when have you bought`
        return question(clause, (Source("wann"), "when"))
    return question(clause, (Source("warum"), "why"))


def _placeless(clause: Clause, frame: Frame) -> bool:
    return bool(frame.place) and not any(item.german_rank in (56, 62) for item in clause.items)


def _clause_in_question(draws: Draws, frame: Frame, subject: Phrase, mood: Mood, time: float | None) -> Clause:
    clause = draw_in_mood(draws, frame, subject, mood, 0.08)
    if time == 0.0:
        clause.items = [item for item in clause.items if item.german_rank not in (adv.TIME_RANK, adv.FREQUENCY_RANK)]
        clause.english_future = clause.since = False
        clause.habitual = True
    return clause


Builder = Callable[[Draws, Mood], Both]
_SHORT: tuple[tuple[int, Builder], ...] = ((70, simple), (4, try_to))
_MEDIUM: tuple[tuple[int, Builder], ...] = (
    (30, simple),
    (12, because),
    (9, that_clause),
    (8, while_clause),
    (8, two_deeds),
    (7, purpose),
    (4, relative),
    (4, relative_whom),
    (6, relative_object),
    (5, although),
    (4, try_to),
    (6, whether_clause),
)
_LONG: tuple[tuple[int, Builder], ...] = (
    (14, because),
    (12, that_clause),
    (12, while_clause),
    (8, two_deeds),
    (8, purpose),
    (8, relative),
    (6, relative_whom),
    (9, relative_object),
    (6, although),
    (8, whether_clause),
)
_HABIT: tuple[tuple[int, Builder], ...] = ((3, if_clause), (1, before))


def _unit(draws: Draws, mood: Mood, size: int) -> Both:
    return draws.weighted(_SHORT if size < 9 else _MEDIUM if size < 13 else _LONG)(draws, mood)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence before it is written as text.

    Args:
        german: Its words.
        english: Its words.
        end: What closes it.
    """

    german: German
    english: English
    end: str

    def lengths(self) -> tuple[int, int]:
        """Return the number of words of both sides."""
        return _length(self.german), _length(self.english)

    def pair(self) -> Pair:
        """Write it as text with its alignment."""
        return linearise(self.german, self.english, self.end)


def draw_sentence(draws: Draws, size: int) -> Sentence:
    """Draw a sentence pair of about `size` German words."""
    rich = 0 if size < 8 else draws.below(2) if size < 12 else 2 - (draws.below(4) == 0)
    family: Family = draws.weighted(((60, "present"), (28, "past"), (12, "habit")))  # type: ignore[assignment]
    mood = Mood(family, rich)
    if draws.chance(0.09) and size < 16 and family != "habit":
        return Sentence(*ask(draws, mood), "?")
    if family == "habit":
        both = draws.weighted(_HABIT)(draws, mood) if size >= 8 else simple(draws, Mood("present", 0))
    elif family == "past" and size >= 10 and draws.chance(0.08):
        both = before(draws, mood)
    else:
        both = _unit(draws, mood, size if size < 20 else 14)
    while _length(both[0]) + 6 < size and size >= 16:
        joint = draws.weighted(((5, ("und", "and")), (1, ("aber", "but"))))
        joined = word(*joint, comma=joint[0] == "aber", english_comma=True)
        remaining = size - _length(both[0])
        both = add(both, joined, _unit(draws, mood.later(), min(remaining, 14)))
    return Sentence(*both, ".")


def _length(words: Sequence[object]) -> int:
    return sum(not isinstance(word, Mark) for word in words)
