"""From a frame and a subject to a clause: objects, places, tense, negation."""

from __future__ import annotations

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item
from tools.corpus.draws import Draws
from tools.corpus.frames import Frame
from tools.corpus.nouns import Noun
from tools.corpus.objects import nouns_of, person_object, thing
from tools.corpus.phrases import Phrase, noun_phrase
from tools.corpus.scenes import SPECIAL, Scene
from tools.corpus.tenses import Wish, draw_tense
from tools.corpus.words import Source, Target

_PEOPLE = frozenset({"person", "kin", "relative", "child"})


_NEVER_NEGATED = ("called", "cost", "go", "travel", "fly", "eatup")


def draw_clause(draws: Draws, frame: Frame, subject: Phrase, wish: Wish) -> Clause:
    """Draw everything that a clause of this frame needs for this subject."""
    clause = Clause(subject, frame.verb)
    negated = draws.chance(wish.negative) and frame.name not in _NEVER_NEGATED
    special = SPECIAL.get(frame.name)
    if special is not None:
        special(Scene(draws, clause, frame.flags, wish))
    _objects(draws, clause, frame, wish, negated=negated)
    _circumstances(draws, clause, frame, wish)
    draw_tense(draws, clause, frame, wish)
    if negated and clause.negation is None and frame.name != "please" and not _has_never(clause):
        _negate(clause)
    return clause


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
        definite = "def" in flags or "own" in flags
        if not definite and kind != "room":
            return noun_phrase(noun, "acc", "no", plural=_often_plural(noun) and draws.chance(0.5))
    return thing(
        draws,
        kind,
        "acc",
        definite="def" in flags,
        indefinite="indef" in flags,
        own="own" in flags,
        owner=subject.pronoun,
        adjective=wish.adjective,
    )


def _often_plural(noun: Noun) -> bool:
    return noun.kind in ("fruit", "text", "plant", "thing", "animal") and not noun.mass


def _has_never(clause: Clause) -> bool:
    return any(item.english_rank < 0 or "gerade" in item.texts for item in clause.items)


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
        elif item.german_rank == 27:
            item.german_rank = 55  # nicht allein


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
        clause.items.append(adv.location(draws, frame.place, clause.subject.pronoun))
    if frame.manner and clause.negation is None and draws.chance(wish.extras):
        item = adv.manner(draws, frame.manner)
        together = item.texts[0] == "zusammen"
        if not together or clause.subject.person.endswith("pl"):
            clause.items.append(item)
    if "clock" in flags and wish.time > 0 and wish.family != "perfect" and draws.chance(0.5):
        clause.items.append(adv.clock(draws))
