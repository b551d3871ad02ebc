"""One clause, from its parts to the words of both sides: verb-second, verb-final, questions, infinitives.

German items are put in the order of their `german_rank` between the finite verb and the end, English ones in the order
of their `english_rank` after the verb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tools.corpus.english import BE, DO, HAVE, LIKE, WILL, EnglishVerb
from tools.corpus.german import HABEN, MODALS, SEIN, WERDEN
from tools.corpus.phrases import Phrase, english_person
from tools.corpus.verbs import Verb
from tools.corpus.words import English, German, Source, Target

Tense = Literal["present", "past", "perfect", "pluperfect", "future"]
# modal: English finite verb (None is a modal form), words after it
_MODAL_ENGLISH: dict[str, tuple[EnglishVerb, tuple[str, ...], bool]] = {
    "können": (EnglishVerb("can", "could"), (), True),
    "müssen": (HAVE, ("to",), False),
    "wollen": (EnglishVerb("want"), ("to",), False),
    "dürfen": (BE, ("allowed", "to"), True),
    "sollen": (EnglishVerb("should", "should"), (), True),
    "möchten": (EnglishVerb("would", "would"), ("like", "to"), True),
}


@dataclass(slots=True)
class Item:
    """Something besides subject and verb.

    Args:
        german: Its words.
        english: Its words; may be empty where another item carries them.
        german_rank: Position in the middle field, from left to right.
        english_rank: Position after the verb; 0 is before the particle, negative is before the main verb (often).
        front: Whether it may open a German main clause: `stay` opens the English one too, `move` does not.
    """

    german: German
    english: English
    german_rank: int
    english_rank: int
    front: Literal["", "stay", "move"] = ""

    @property
    def texts(self) -> list[str]:
        """The German words as text."""
        return [word.text for word in self.german]


@dataclass(slots=True)
class Clause:
    """A clause before it is put in order.

    Args:
        subject: In the nominative.
        verb: The main verb.
        tense: Of the finite verb (of the modal, where there is one).
        items: Objects, adverbs, predicate.
        modal: Infinitive of a modal verb, or empty.
        habitual: English simple instead of progressive present.
        english_future: A German present that means the future (morgen).
        since: A German present that English gives as a present perfect (seit zwei Jahren).
        negation: The German word behind English `not`.
        likes: The word gern, which becomes English `like to`.
        swapped: The English subject where it is not the German one (gefallen); the German subject is then the object.
    """

    subject: Phrase
    verb: Verb
    tense: Tense = "present"
    items: list[Item] = field(default_factory=list)
    modal: str = ""
    habitual: bool = False
    english_future: bool = False
    since: bool = False
    negation: Source | None = None
    likes: Source | None = None
    swapped: Phrase | None = None


@dataclass(slots=True)
class _German:
    """The German verb complex: finite verb and what stands at the end."""

    finite: Source
    main: Source
    prefix: Source | None
    tail: list[Source]


def _finite_form(verb: object, tense: Tense, person: str) -> str:
    past = tense in ("past", "pluperfect")
    return verb.preterite(person) if past else verb.present(person)  # type: ignore[attr-defined, no-any-return]


def _german_verbs(clause: Clause, *, final: bool) -> _German:
    verb, person = clause.verb.german, clause.subject.person
    if clause.modal:
        finite = Source(_finite_form(MODALS[clause.modal], clause.tense, person))
        main = Source(verb.full_infinitive)
    elif clause.tense == "future":
        finite, main = Source(WERDEN.present(person)), Source(verb.full_infinitive)
    elif clause.tense in ("perfect", "pluperfect"):
        auxiliary = HABEN if verb.auxiliary == "haben" else SEIN
        finite, main = Source(_finite_form(auxiliary, clause.tense, person)), Source(verb.full_participle)
    else:
        form = _finite_form(verb, clause.tense, person)
        if final or not verb.prefix:
            word = Source(verb.prefix + form)
            return _German(word, word, None, [])
        word, prefix = Source(form), Source(verb.prefix)
        return _German(word, word, prefix, [prefix])
    return _German(finite, main, None, [main])


@dataclass(slots=True)
class _English:
    """The English verb group: its first word as a verb still to be inflected, then the rest."""

    finite: EnglishVerb
    past: bool
    auxiliary: bool
    link: tuple[Source, ...]
    rest: list[Target]


def _english_verbs(clause: Clause, german: _German) -> _English:
    verb, past = clause.verb.english, clause.tense in ("past", "pluperfect")
    finite, main = german.finite, german.main
    # an English verb without a particle stands for the German one with its prefix (lädt ... ein, invites)
    whole = (main,) if german.prefix is None or clause.verb.rest else (main, german.prefix)
    base = Target(verb.base, *whole)
    if clause.modal:
        modal, words, auxiliary = _MODAL_ENGLISH[clause.modal]
        return _English(modal, past, auxiliary, (finite,), [*(Target(word, finite) for word in words), base])
    if clause.tense == "future" or clause.english_future:
        return _English(WILL, False, True, (finite,), [base])
    if clause.tense in ("perfect", "pluperfect") or clause.since:
        return _English(HAVE, past, True, (finite,), [Target(verb.past_participle, *whole)])
    if clause.likes is not None:
        to = [Target("to", clause.likes), base]
        return _English(LIKE, past, False, (clause.likes,), to)
    if clause.tense == "past" or clause.habitual or clause.verb.stative:
        return _English(verb, past, verb.base == "be", whole, [])
    return _English(BE, False, True, (finite,), [Target(verb.ing, *whole)])


def _english_clause(clause: Clause, german: _German, *, inverted: bool, drop_subject: bool = False) -> English:
    subject = clause.swapped or clause.subject
    person = english_person(subject.person)
    group = _english_verbs(clause, german)
    finite, rest, auxiliary, link = group.finite, list(group.rest), group.auxiliary, group.link
    if not auxiliary and (clause.negation is not None or inverted):
        rest.insert(0, Target(finite.base, *link))
        finite, auxiliary, link = DO, True, (german.finite,)
    form = finite.preterite(person) if group.past else finite.present(person)
    head: English = [Target(form, *link)]
    negation: English = [] if clause.negation is None else [Target("not", clause.negation)]
    if form == "can" and clause.negation is not None and not inverted:
        head, negation = [Target("cannot", *link, clause.negation)], []
    before = [word for item in _ranked(clause.items) if item.english_rank < 0 for word in item.english]
    subject_words: English = [] if drop_subject else subject.english
    if drop_subject and auxiliary and clause.negation is None:
        head = []  # the auxiliary of the first verb serves both: is reading and drinking
    if auxiliary:
        words = [*head, *subject_words] if inverted else [*subject_words, *head]
        words += [*negation, *before, *rest]
    else:
        words = [*subject_words, *before, *head, *rest]
    return words + _english_end(clause, german)


def _english_end(clause: Clause, german: _German) -> English:
    particle = [Target(word, german.prefix or german.main) for word in clause.verb.rest]
    items = list(_ranked(clause.items))
    inner = [] if clause.verb.object_last else [w for item in items if item.english_rank == 0 for w in item.english]
    done = 0 if inner else -1
    outer = [word for item in items if item.english_rank > done for word in item.english]
    return [*inner, *particle, *outer]


def _ranked(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.english_rank)


def _middle(clause: Clause, front: Item | None = None) -> German:
    items = sorted((item for item in clause.items if item is not front), key=lambda item: item.german_rank)
    return [word for item in items for word in item.german]


def main_clause(clause: Clause, front: Item | None = None, *, after_clause: bool = False) -> tuple[German, English]:
    """Return a statement with the verb second, opened by the subject, by `front`, or by a clause already written."""
    german = _german_verbs(clause, final=False)
    subject = clause.subject.german
    if front is None and not after_clause:
        words: German = [*subject, german.finite, *_middle(clause), *german.tail]
    else:
        opening = [] if front is None else front.german
        words = [*opening, german.finite, *subject, *_middle(clause, front), *german.tail]
    if front is None or front.front == "move":
        return words, _english_clause(clause, german, inverted=False)
    rest = Clause(
        clause.subject, clause.verb, clause.tense, [item for item in clause.items if item is not front], clause.modal,
        clause.habitual, clause.english_future, clause.since, clause.negation, clause.likes, clause.swapped,
    )  # fmt: skip
    return words, [*front.english, *_english_clause(rest, german, inverted=False)]


def second_conjunct(clause: Clause) -> tuple[German, English]:
    """Return a statement without its subject, to follow und."""
    german = _german_verbs(clause, final=False)
    words: German = [german.finite, *_middle(clause), *german.tail]
    return words, _english_clause(clause, german, inverted=False, drop_subject=True)


def question(clause: Clause, opening: tuple[Source, str] | None = None) -> tuple[German, English]:
    """Return a question, opened by the verb or by a question word (warum, why)."""
    german = _german_verbs(clause, final=False)
    words: German = [german.finite, *clause.subject.german, *_middle(clause), *german.tail]
    english = _english_clause(clause, german, inverted=True)
    if opening is None:
        return words, english
    word, translation = opening
    return [word, *words], [*(Target(part, word) for part in translation.split()), *english]


def final_clause(clause: Clause, *, subject: bool = True) -> tuple[German, English]:
    """Return a clause with the verb at the end, without its conjunction."""
    german = _german_verbs(clause, final=True)
    opening: German = clause.subject.german if subject else []
    words: German = [*opening, *_middle(clause), *german.tail, german.finite]
    if german.main is german.finite:
        words = [*opening, *_middle(clause), german.finite]
    return words, _english_clause(clause, german, inverted=False, drop_subject=not subject)


def infinitive_clause(clause: Clause) -> tuple[German, English]:
    """Return the clause as zu and infinitive, to and infinitive; a separable verb takes zu inside (aufzustehen)."""
    verb = clause.verb
    if verb.german.prefix:
        word = Source(verb.german.zu_infinitive())
        zu, tail = word, [word]
    else:
        zu, word = Source("zu"), Source(verb.german.infinitive)
        tail = [zu, word]
    german = _German(word, word, None, [])
    english: English = [Target("to", zu), Target(verb.english.base, word), *_english_end(clause, german)]
    return [*_middle(clause), *tail], english
