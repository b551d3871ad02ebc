"""Main clauses with a subordinate one: weil, obwohl, wenn, bevor, während, dass, ob, um ... zu."""

from __future__ import annotations

from tools.corpus import adverbials as adv
from tools.corpus import objects, states
from tools.corpus.clauses import Clause, Item, final_clause, infinitive_clause, main_clause
from tools.corpus.draws import Draws
from tools.corpus.events import draw_clause
from tools.corpus.frames import CHILD_FRAMES, FRAMES, PEOPLE_FRAMES, YOUNG_FRAMES, Frame, frames
from tools.corpus.phrases import Phrase, pronoun_phrase
from tools.corpus.statements import (
    Both,
    Mood,
    add,
    closing,
    draw_in_mood,
    event,
    main,
    speaking,
    without_gern,
    word,
)
from tools.corpus.tenses import Family, Wish
from tools.corpus.verbs import VERBS
from tools.corpus.words import COMMA, Source, Target


def because(draws: Draws, mood: Mood) -> Both:
    """A main clause and its reason."""
    subject = objects.subject(draws, child=True) if draws.chance(0.1) else speaking(draws, mood)
    frame = draws.pick(_EXPLAINED_YOUNG if subject.kind == "child" else _EXPLAINED)
    clause = draw_in_mood(draws, frame, subject, mood, 0)
    without_gern(clause, "present")
    if clause.modal in ("können", "dürfen", "sollen"):
        clause.modal = "wollen"  # what one wants has a reason
    if clause.negation is not None or any(word in _HARDLY for item in clause.items for word in item.texts):
        return main(draws, clause)
    family: Family = "habit" if mood.family == "habit" else "past" if clause.tense == "past" else "present"
    reason = states.reason(draws, frame.why, clause.subject, family)
    if reason is None:
        return main(draws, clause)
    return add(main(draws, clause), word("weil", "because", comma=True), final_clause(reason), closing())


_HARDLY = ("nie", "selten")
_EXPLAINED = tuple(frame for frame in PEOPLE_FRAMES if frame.why)
_EXPLAINED_YOUNG = tuple(frame for frame in YOUNG_FRAMES if frame.why)


def although(draws: Draws, mood: Mood) -> Both:
    """A main clause and what should have prevented it."""
    subject = speaking(draws, mood)
    past: Family = mood.family
    concession, frame = states.despite(draws, subject, past)
    # darkness and rain are of today, not of next year
    time = 0.3 if concession.subject.pronoun else 0.0
    clause = draw_clause(draws, frame, subject, Wish(past, time, 0.4, 0, 0.2))
    without_gern(clause, past)
    return add(main(draws, clause), word("obwohl", "although", comma=True), final_clause(concession), closing())


def if_clause(draws: Draws, mood: Mood) -> Both:
    """A condition and what follows from it; both keep the simple present in English."""
    subject = objects.subject(draws, first=mood.first, known=True)
    condition, frame = states.condition(draws, subject)
    same = condition.subject is subject
    main_subject = pronoun_phrase(subject.pronoun, "nom") if same and subject.pronoun else subject
    clause = draw_clause(draws, frame, main_subject, Wish("habit", 0, 0.4, 0.05, 0.2))
    if draws.chance(0.6) or same:
        opening = add(word("wenn", "if"), final_clause(condition), ([COMMA], [COMMA]))
        return add(opening, main_clause(clause, after_clause=True))
    return add(main(draws, clause, front=0.2), word("wenn", "if", comma=True), final_clause(condition), closing())


def before(draws: Draws, mood: Mood) -> Both:
    """Two things that the same person does one after the other, as a habit or in the past."""
    subject = objects.subject(draws, first=mood.first)
    while not subject.pronoun or subject.pronoun in ("du", "ihr"):
        subject = objects.subject(draws, first=mood.first)
    conjunction, english = draws.pick((("bevor", "before"), ("nachdem", "after"), ("sobald", "as soon as")))
    family: Family = mood.family if mood.family in ("habit", "past") else "past"
    first = _clause_of(draws, draws.pick(_SEQUENCE_FIRST), subject, family, 0.4)
    if conjunction != "bevor":
        first.tense = "pluperfect" if family == "past" else "perfect"
        first.habitual = False
    pronoun = pronoun_phrase(subject.pronoun, "nom")
    second = _clause_of(draws, draws.pick(_SEQUENCE), pronoun, family, 0)
    opening = add(word(conjunction, english), final_clause(first), ([COMMA], [COMMA]))
    return add(opening, main_clause(second, after_clause=True))


def _clause_of(draws: Draws, frame: Frame, subject: Phrase, family: Family, place: float) -> Clause:
    clause = draw_clause(draws, frame, subject, Wish(family, 0, place, 0, 0.1, 0.2))
    without_gern(clause, family)
    return clause


_SEQUENCE_FIRST = frames(
    "eat drink cook wash clean read write buyfood tidy feed repair water visit callup bake practise peel"
)
_SEQUENCE = frames(
    "go drink read watchtv callup meet write hear switchon open sing playpiano bake travel visit sleep goout tidy"
)


def while_clause(draws: Draws, mood: Mood) -> Both:
    """Two things at the same time."""
    one, other = _durative(draws, mood), _durative(draws, mood, first=False)
    while one.verb is other.verb or one.subject.pronoun == other.subject.pronoun != "er":
        other = _durative(draws, mood, first=False)
    return add(main(draws, one, front=0.25), word("während", "while", comma=True), final_clause(other), closing())


def _durative(draws: Draws, mood: Mood, *, first: bool = True) -> Clause:
    family: Family = mood.family
    if draws.chance(0.25):
        subject, frame = objects.subject(draws, child=True), draws.pick(CHILD_FRAMES[:1] + _DURATIVE_CHILD)
    else:
        subject, frame = objects.subject(draws, first=first and mood.first), draws.pick(_DURATIVE)
        while family == "past" and subject.person[0] == "2":
            subject = objects.subject(draws, first=first and mood.first)
    clause = draw_clause(draws, frame, subject, Wish(family, 0, 0.5, 0, 0.2, 0.2))
    without_gern(clause, family)
    return clause


_DURATIVE = frames(
    "eat drink cook bake read write hear repair wash clean draw paint playchess playpiano work sleep"
    " wait talk sing"
    " watchtv sit tidy water peel"
)
_DURATIVE_CHILD = frames("play sleep read draw watchtv playball eat sing")
_MATRIX = (
    (3, ("glauben", (("dass", "that"),))),
    (2, ("hoffen", (("dass", "that"),))),
    (6, ("sagen", (("dass", "that"), ("dass", "that"), ("warum", "why"), ("wann", "when")))),
    (6, ("wissen", (("dass", "that"), ("dass", "that"), ("warum", "why"), ("wann", "when")))),
)
_ASKED = (("ob", "whether"), ("ob", "whether"), ("warum", "why"), ("wann", "when"))


def that_clause(draws: Draws, mood: Mood) -> Both:
    """Something that somebody says, believes, knows or hopes."""
    speaker = objects.subject(draws, first=mood.first)
    verb, conjunctions = draws.weighted(_MATRIX)
    past = mood.family == "past" and speaker.person[0] != "2"
    matrix = Clause(speaker, VERBS[verb], "past" if past else "present", habitual=True)
    conjunction = draws.pick(conjunctions)
    if conjunction[0] == "dass" and draws.chance(0.25):
        inner = states.mood(draws, objects.subject(draws, first=False, known=True), "past" if past else "present")
        if past and inner.subject.person[0] == "2":
            inner = states.description(draws, "past")
        return _with_content(matrix, conjunction, inner)
    family: Family = "past" if past else "habit" if mood.family == "habit" else "present"
    return _content(draws, matrix, conjunction, Mood(family, mood.rich, False))


def whether_clause(draws: Draws, mood: Mood) -> Both:
    """What somebody asks or does not know."""
    speaker = objects.subject(draws, first=mood.first)
    if draws.chance(0.5):
        matrix = Clause(speaker, VERBS["wissen"], habitual=True)
        nicht = Source("nicht")
        matrix.negation = nicht
        matrix.items.append(Item([nicht], [], 50, 99))
    else:
        listener = objects.person_object(draws, draws.pick(("person", "kin")), "acc", speaker)
        matrix = Clause(speaker, VERBS["fragen"], habitual=mood.family == "habit")
        matrix.items.append(Item(listener.german, listener.english, 4 if listener.is_pronoun else 40, 20))
    family: Family = "habit" if mood.family == "habit" else "present"
    return _content(draws, matrix, draws.pick(_ASKED), Mood(family, mood.rich, False))


def _content(draws: Draws, matrix: Clause, conjunction: tuple[str, str], mood: Mood) -> Both:
    """Join a matrix clause and what it is about; wann asks for no time, and English gives it the simple present."""
    timeless = Mood(mood.family, mood.rich, False, timed=False)
    when = conjunction[0] == "wann"
    inner, _ = event(draws, timeless if when else mood, negative=0.1 if conjunction[0] == "dass" else 0)
    while when and (inner.tense == "perfect" or any(item.german_rank in (20, 25) for item in inner.items)):
        inner, _ = event(draws, timeless, negative=0)
    if when:
        without_gern(inner, "habit")
        inner.habitual = True
    return _with_content(matrix, conjunction, inner)


def _with_content(matrix: Clause, conjunction: tuple[str, str], inner: Clause) -> Both:
    return add(main_clause(matrix), word(*conjunction, comma=True), final_clause(inner), closing())


def purpose(draws: Draws, mood: Mood) -> Both:
    """Somebody goes somewhere in order to do something."""
    place = draws.pick(_GOALS)
    subject = objects.subject(draws, first=mood.first)
    family: Family = mood.family
    if subject.person[0] == "2" and family == "past":
        family = "present"
    clause = Clause(subject, VERBS["gehen"], "past" if family == "past" else "present", habitual=family == "habit")
    clause.items.append(adv.direction(draws, place, subject.pronoun))
    if draws.chance(0.3) and family != "habit":
        time = adv.time_past(draws) if family == "past" else adv.time_now(draws)
        clause.items.append(time)
    goal = draw_clause(draws, FRAMES[draws.pick(place.goals)], subject, Wish("infinitive", 0, 0, 0, 0, 0.2))
    um = Source("um")
    german, english = infinitive_clause(goal)
    to, *rest = english
    order = [Target("in", um), Target("order", um), Target("to", um, *to.links)]  # type: ignore[union-attr]
    return add(main(draws, clause), ([COMMA, um, *german], [*order, *rest]), closing())


_GOALS = tuple(place for place in adv.PLACES if place.goals)


def try_to(draws: Draws, mood: Mood) -> Both:
    """Somebody tries to do something."""
    subject = objects.subject(draws, first=mood.first)
    past = mood.family == "past" and subject.person[0] != "2"
    clause = Clause(subject, VERBS["versuchen"], "past" if past else "present", habitual=mood.family == "habit")
    frame = FRAMES[
        draws.pick(
            (
                "repair",
                "draw",
                "understand",
                "learn",
                "open",
                "write",
                "explain",
                "find",
                "callup",
                "fallasleep",
                "getup",
                "switchon",
                "close",
            )
        )
    ]
    goal = draw_clause(draws, frame, subject, Wish("infinitive", 0, 0.2, 0, 0, 0.3))
    return add(main_clause(clause), ([COMMA], []), infinitive_clause(goal), closing())
