"""Whole sentences: statements, questions, and clauses put together until they are as long as is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.corpus import adverbials as adv
from tools.corpus import objects, states
from tools.corpus.clauses import (
    Clause,
    Item,
    final_clause,
    infinitive_clause,
    main_clause,
    question,
    second_conjunct,
)
from tools.corpus.draws import Draws
from tools.corpus.events import Family, Wish, draw_clause
from tools.corpus.frames import CHILD_FRAMES, FRAMES, PEOPLE_FRAMES, THING_FRAMES, Frame
from tools.corpus.german import DEFINITE
from tools.corpus.nouns import NOUNS
from tools.corpus.phrases import Phrase, noun_phrase, pronoun_phrase
from tools.corpus.verbs import VERBS
from tools.corpus.words import COMMA, English, German, Mark, Pair, Source, Target, linearise

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


def _wish(draws: Draws, mood: Mood, *, negative: float = 0.12, time: float | None = None) -> Wish:
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


def _event(draws: Draws, mood: Mood, subject: Phrase | None = None, *, negative: float = 0.12) -> tuple[Clause, Frame]:
    if subject is None:
        return _any_event(draws, mood, negative)
    frame = draws.pick(CHILD_FRAMES if subject.kind == "child" and draws.chance(0.4) else PEOPLE_FRAMES)
    return _clause(draws, frame, subject, mood, negative), frame


def _any_event(draws: Draws, mood: Mood, negative: float) -> tuple[Clause, Frame]:
    choice = draws.below(100)
    if choice < 8:
        subject = objects.subject(draws, child=True)
        frame = draws.pick(CHILD_FRAMES)
        return _clause(draws, frame, subject, mood, negative), frame
    if choice < 17:
        frame = draws.pick(THING_FRAMES)
        single = frame.name in ("called", "sleepanimal", "bark")
        kind = draws.pick(frame.subjects)
        subject = objects.thing(
            draws, kind, "nom", definite=True, adjective=0.2, single=single, own=single, owner="ich"
        )
        return _clause(draws, frame, subject, mood, negative), frame
    subject = objects.subject(draws, child=True) if choice < 22 else _speaking(draws, mood)
    return _event(draws, mood, subject, negative=negative)


def _clause(draws: Draws, frame: Frame, subject: Phrase, mood: Mood, negative: float) -> Clause:
    wish = _wish(draws, mood, negative=negative)
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


def _fronted(draws: Draws, clause: Clause, chance: float) -> Item | None:
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


def _main(draws: Draws, clause: Clause, *, front: float = 0.45) -> Both:
    return main_clause(clause, _fronted(draws, clause, front))


def _add(one: Both, *parts: Both) -> Both:
    german, english = list(one[0]), list(one[1])
    for more_german, more_english in parts:
        german += more_german
        english += more_english
    return german, english


def _word(german: str, english: str, *, comma: bool = False, english_comma: bool = False) -> Both:
    word = Source(german)
    before: German = [COMMA] if comma else []
    english_before: English = [COMMA] if english_comma else []
    return [*before, word], [*english_before, *(Target(part, word) for part in english.split())]


def _closing(comma: bool = True) -> Both:
    return ([COMMA], []) if comma else ([], [])


# what a unit can be: each takes the draws and the mood of the sentence and gives both sides


def simple(draws: Draws, mood: Mood) -> Both:
    """One main clause."""
    choice = draws.below(100)
    if choice < 8 and mood.family in ("present", "past"):
        return _main(draws, states.description(draws, mood.family))
    if choice < 17:
        subject = objects.subject(draws, first=mood.first, known=True)
        if not (subject.person[0] == "2" and mood.family == "past"):
            return _main(draws, states.mood(draws, subject, mood.family))
    clause, _ = _event(draws, mood)
    return _main(draws, clause)


def because(draws: Draws, mood: Mood) -> Both:
    """A main clause and its reason."""
    subject = objects.subject(draws, child=True) if draws.chance(0.1) else _speaking(draws, mood)
    frame = draws.pick(_EXPLAINED)
    clause = _clause(draws, frame, subject, mood, 0)
    if clause.negation is not None or any(word in _HARDLY for item in clause.items for word in _texts(item)):
        return _main(draws, clause)
    family: Family = "habit" if mood.family == "habit" else "past" if clause.tense == "past" else "present"
    reason = states.reason(draws, frame.why, clause.subject, family)
    if reason is None:
        return _main(draws, clause)
    return _add(_main(draws, clause), _word("weil", "because", comma=True), final_clause(reason), _closing())


def _texts(item: Item) -> list[str]:
    return [word.text for word in item.german]


_HARDLY = ("nie", "selten")
_EXPLAINED = tuple(frame for frame in PEOPLE_FRAMES if frame.why)


def although(draws: Draws, mood: Mood) -> Both:
    """A main clause and what should have prevented it."""
    subject = _speaking(draws, mood)
    past: Family = mood.family
    concession, frame = states.despite(draws, subject, past)
    clause = draw_clause(draws, frame, subject, Wish(past, 0.3, 0.4, 0, 0.2))
    _without_gern(clause, past)
    return _add(_main(draws, clause), _word("obwohl", "although", comma=True), final_clause(concession), _closing())


def _speaking(draws: Draws, mood: Mood) -> Phrase:
    """Draw a subject; in the past nobody is addressed, since German would not say du kauftest."""
    subject = objects.subject(draws, first=mood.first)
    while mood.family == "past" and subject.person[0] == "2":
        subject = objects.subject(draws, first=mood.first)
    return subject


def _without_gern(clause: Clause, family: Family) -> None:
    if clause.likes is not None:
        clause.items = [item for item in clause.items if item.german_rank != 52]
        clause.likes, clause.habitual = None, family == "habit"


def if_clause(draws: Draws, mood: Mood) -> Both:
    """A condition and what follows from it; both keep the simple present in English."""
    subject = objects.subject(draws, first=mood.first, known=True)
    condition, frame = states.condition(draws, subject)
    same = condition.subject is subject
    main_subject = pronoun_phrase(subject.pronoun, "nom") if same and subject.pronoun else subject
    clause = draw_clause(draws, frame, main_subject, Wish("habit", 0, 0.4, 0.05, 0.2))
    if draws.chance(0.6) or same:
        opening = _add(_word("wenn", "if"), final_clause(condition), ([COMMA], [COMMA]))
        return _add(opening, main_clause(clause, after_clause=True))
    return _add(_main(draws, clause, front=0.2), _word("wenn", "if", comma=True), final_clause(condition), _closing())


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
    opening = _add(_word(conjunction, english), final_clause(first), ([COMMA], [COMMA]))
    return _add(opening, main_clause(second, after_clause=True))


def _clause_of(draws: Draws, frame: Frame, subject: Phrase, family: Family, place: float) -> Clause:
    clause = draw_clause(draws, frame, subject, Wish(family, 0, place, 0, 0.1, 0.2))
    _without_gern(clause, family)
    return clause


_SEQUENCE_FIRST = tuple(
    FRAMES[name]
    for name in (
        "eat drink cook wash clean read write buyfood tidy feed repair water visit callup bake practise peel"
    ).split()
)
_SEQUENCE = tuple(
    FRAMES[name]
    for name in (
        "go drink read watchtv callup meet write hear switchon open sing playpiano bake travel visit sleep goout tidy"
    ).split()
)


def while_clause(draws: Draws, mood: Mood) -> Both:
    """Two things at the same time."""
    one, other = _durative(draws, mood), _durative(draws, mood, first=False)
    while one.verb is other.verb or one.subject.pronoun == other.subject.pronoun != "er":
        other = _durative(draws, mood, first=False)
    return _add(_main(draws, one, front=0.25), _word("während", "while", comma=True), final_clause(other), _closing())


def _durative(draws: Draws, mood: Mood, *, first: bool = True) -> Clause:
    family: Family = mood.family
    if draws.chance(0.25):
        subject, frame = objects.subject(draws, child=True), draws.pick(CHILD_FRAMES[:1] + _DURATIVE_CHILD)
    else:
        subject, frame = objects.subject(draws, first=first and mood.first), draws.pick(_DURATIVE)
        while family == "past" and subject.person[0] == "2":
            subject = objects.subject(draws, first=first and mood.first)
    clause = draw_clause(draws, frame, subject, Wish(family, 0, 0.5, 0, 0.2, 0.2))
    _without_gern(clause, family)
    return clause


_DURATIVE = tuple(
    FRAMES[name]
    for name in (
        "eat drink cook bake read write hear repair wash clean draw paint playchess playpiano work sleep wait talk sing"
        " watchtv sit tidy water peel"
    ).split()
)
_DURATIVE_CHILD = tuple(FRAMES[name] for name in "play sleep read draw watchtv playball eat sing".split())
_MATRIX = (
    ("glauben", 5),
    ("wissen", 4),
    ("sagen", 5),
    ("hoffen", 3),
)


def that_clause(draws: Draws, mood: Mood) -> Both:
    """Something that somebody says, believes, knows or hopes."""
    speaker = objects.subject(draws, first=mood.first)
    verb = VERBS[draws.weighted(tuple((weight, name) for name, weight in _MATRIX))]
    past = mood.family == "past" and speaker.person[0] != "2"
    matrix = Clause(speaker, verb, "past" if past else "present", habitual=True)
    inner_mood = mood.later() if not past else Mood("past", mood.rich, False)
    if mood.family == "past" and not past:
        inner_mood = Mood("present", mood.rich, False)
    if draws.chance(0.25):
        inner = states.mood(draws, objects.subject(draws, first=False, known=True), "past" if past else "present")
        if past and inner.subject.person[0] == "2":
            inner = states.description(draws, "past")
    else:
        inner, _ = _event(draws, inner_mood)
    dass, that = _word("dass", "that", comma=True)
    return _add(main_clause(matrix), (dass, that), final_clause(inner), _closing())


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
    inner, _ = _event(draws, Mood("habit" if mood.family == "habit" else "present", mood.rich, False), negative=0)
    return _add(main_clause(matrix), _word("ob", "whether", comma=True), final_clause(inner), _closing())


def purpose(draws: Draws, mood: Mood) -> Both:
    """Somebody goes somewhere in order to do something."""
    place = draws.pick(_GOALS)
    subject = objects.subject(draws, first=mood.first)
    family: Family = mood.family
    if subject.person[0] == "2" and family == "past":
        family = "present"
    clause = Clause(subject, VERBS["gehen"], "past" if family == "past" else "present", habitual=family == "habit")
    clause.items.append(adv.direction(place))
    if draws.chance(0.3) and family != "habit":
        time = adv.time_past(draws) if family == "past" else adv.time_now(draws)
        clause.items.append(time)
    goal = draw_clause(draws, FRAMES[draws.pick(place.goals)], subject, Wish("infinitive", 0, 0, 0, 0, 0.2))
    um = _word("um", "in order", comma=True)
    return _add(_main(draws, clause), um, infinitive_clause(goal), _closing())


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
    return _add(main_clause(clause), ([COMMA], []), infinitive_clause(goal), _closing())


def relative(draws: Draws, mood: Mood) -> Both:
    """A subject with a relative clause, and what it does."""
    noun = draws.pick(NOUNS["person"])
    plural = draws.chance(0.25)
    subject = noun_phrase(noun, "nom", "the", plural=plural)
    inner_subject = _relative_pronoun(subject, "nom", "who")
    family: Family = mood.family
    if draws.chance(0.35):
        inner = draw_clause(draws, FRAMES[draws.pick(("live", "work"))], inner_subject, Wish(family, 0, 1.0, 0, 0, 0.3))
    else:
        inner, _ = _event(draws, mood.untimed(), inner_subject, negative=0.05)
    german, english = final_clause(inner)
    subject.german = [*subject.german, COMMA, *german, COMMA]
    subject.english = [*subject.english, *english]
    clause, _ = _event(draws, mood, subject, negative=0.05)
    front = [item for item in clause.items if item.front == "stay"]
    if front and draws.chance(0.15):
        return main_clause(clause, front[0])
    return main_clause(clause)


def _relative_pronoun(head: Phrase, case: str, english: str) -> Phrase:
    word = Source(DEFINITE[head.gender, case] if (head.gender, case) != ("pl", "dat") else "denen")
    owner = {"er": "er", "sie": "sie", "they": "they"}.get(head.pronoun, "")
    return Phrase([word], [Target(english, word)], head.person, head.gender, owner, kind=head.kind)


def relative_object(draws: Draws, mood: Mood) -> Both:
    """An object with a relative clause: das Buch, das auf dem Tisch liegt."""
    name, kind, frames = draws.pick(_RELATIVE_OBJECTS)
    subject = objects.subject(draws, first=mood.first)
    noun = draws.pick(objects.nouns_of(kind))
    phrase = noun_phrase(noun, "acc", "the", plural=False, adjectives=objects.draw_adjectives(draws, noun, 0.3))
    clause = _bare(draws, FRAMES[name], subject, mood)
    inner_name = draws.pick(frames)
    if inner_name in ("lie", "stand"):
        family: Family = mood.family if mood.family != "present" else "present"
        inner = draw_clause(
            draws, FRAMES[inner_name], _relative_pronoun(phrase, "nom", "that"), Wish(family, 0, 0, 0, 0, 0)
        )
        german, english = final_clause(inner)
    else:
        buyer = pronoun_phrase(draws.pick(("ich", "wir")), "nom") if draws.chance(0.6) else objects.name(draws)
        inner = Clause(buyer, FRAMES[inner_name].verb, "pluperfect" if mood.family == "past" else "perfect")
        if draws.chance(0.6):
            inner.tense = "past"
            inner.items.append(adv.time_past(draws))
        pronoun = _relative_pronoun(phrase, "acc", "that")
        german, english = final_clause(inner)
        german, english = [*pronoun.german, *german], [*pronoun.english, *english]
    clause.items.append(Item(phrase.german, [*phrase.english, *english], 40, 90))
    # the relative clause follows the whole main clause: er zieht den Mantel an, den er gekauft hat
    return _add(main_clause(clause), ([COMMA, *german, COMMA], []))


_RELATIVE_OBJECTS = (
    ("read", "text", ("lie", "buy", "write", "find")),
    ("look", "laything", ("lose", "lose", "buy", "forget")),
    ("use", "parked", ("stand", "buy", "repair", "see")),
    ("puton", "clothing", ("buy", "wash", "find")),
    ("sell", "parked", ("stand", "repair", "buy")),
    ("give", "text", ("lie", "buy", "write")),
    ("show", "picture", ("paint", "buy", "find")),
    ("eat", "cake", ("bake", "buy", "order")),
)


def _bare(draws: Draws, frame: Frame, subject: Phrase, mood: Mood) -> Clause:
    """Draw a clause of the frame without its accusative object."""
    family: Family = mood.family
    if family == "past" and subject.person[0] == "2":
        family = "present"
    stripped = Frame(frame.name, frame.verb, frame.subjects, (), frame.dative, (), "", "", "", frame.why, frozenset())
    clause = draw_clause(draws, stripped, subject, Wish(family, 0, 0, 0, 0, 0))
    _without_gern(clause, family)
    return clause


_TOGETHER = tuple(
    tuple(FRAMES[name] for name in names.split())
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
    _without_gern(first, family)
    _without_gern(second, family)
    second.habitual, second.english_future = first.habitual, first.english_future
    return _add(main_clause(first), _word("und", "and"), second_conjunct(second))


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
    if asked in (7, 8):
        return question(clause, (Source("wann"), "when"))
    return question(clause, (Source("warum"), "why"))


def _placeless(clause: Clause, frame: Frame) -> bool:
    return bool(frame.place) and not any(item.german_rank in (56, 62) for item in clause.items)


def _clause_in_question(draws: Draws, frame: Frame, subject: Phrase, mood: Mood, time: float | None) -> Clause:
    clause = _clause(draws, frame, subject, mood, 0.08)
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
    (10, that_clause),
    (8, while_clause),
    (8, two_deeds),
    (7, purpose),
    (6, relative),
    (6, relative_object),
    (5, although),
    (4, try_to),
    (4, whether_clause),
)
_LONG: tuple[tuple[int, Builder], ...] = (
    (14, because),
    (12, that_clause),
    (12, while_clause),
    (8, two_deeds),
    (8, purpose),
    (12, relative),
    (9, relative_object),
    (6, although),
    (5, whether_clause),
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
        joined = _word(*joint, comma=joint[0] == "aber", english_comma=True)
        remaining = size - _length(both[0])
        both = _add(both, joined, _unit(draws, mood.later(), min(remaining, 14)))
    return Sentence(*both, ".")


def _length(words: Sequence[object]) -> int:
    return sum(not isinstance(word, Mark) for word in words)
