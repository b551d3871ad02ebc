"""Noun phrases and prepositional phrases: both sides built together, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tools.corpus import german as g
from tools.corpus.adjectives import adjectives_for
from tools.corpus.draws import Draws
from tools.corpus.english import article, possessive
from tools.corpus.german import Case, Gender
from tools.corpus.nouns import Noun
from tools.corpus.numerals import english_number, german_number
from tools.corpus.words import English, German, Source, Target, targets

Determiner = Literal["the", "a", "no", "my", "this", "each", "number", "some", "many", "several", "bare", "a little"]
_WEAK = ("the", "this", "each")
_MIXED = ("a", "no", "my")
# pronoun: nominative, accusative, dative, person, English subject, English object, possessive German, English
_PRONOUNS = {
    "ich": ("ich", "mich", "mir", "1sg", "I", "me", "mein", "my"),
    "du": ("du", "dich", "dir", "2sg", "you", "you", "dein", "your"),
    "er": ("er", "ihn", "ihm", "3sg", "he", "him", "sein", "his"),
    "sie": ("sie", "sie", "ihr", "3sg", "she", "her", "ihr", "her"),
    "wir": ("wir", "uns", "uns", "1pl", "we", "us", "unser", "our"),
    "ihr": ("ihr", "euch", "euch", "2pl", "you", "you", "euer", "your"),
    "they": ("sie", "sie", "ihnen", "3pl", "they", "them", "ihr", "their"),
    "Sie": ("Sie", "Sie", "Ihnen", "3pl", "you", "you", "Ihr", "your"),
}
_GENDER = {"er": "m", "sie": "f", "they": "pl"}


@dataclass(slots=True)
class Phrase:
    """A noun phrase in one case, on both sides.

    Args:
        german: Its words.
        english: Its words.
        person: For agreement of the German verb (3sg ...); the English verb uses the same, with `you` as 2pl.
        gender: For relative pronouns: m, f, n or pl.
        pronoun: The pronoun that refers back to it (er, sie, they, ich ...), empty where none may.
        definite: Whether it goes before adverbs in the German middle field.
        is_pronoun: Whether it is a pronoun itself.
        negative: The German word for kein, which negates the clause.
        noun: The head, for relative clauses.
    """

    german: German
    english: English
    person: str = "3sg"
    gender: str = "n"
    pronoun: str = ""
    definite: bool = True
    is_pronoun: bool = False
    negative: Source | None = None
    noun: Noun | None = None
    kind: str = field(default="")


def english_person(person: str) -> str:
    """Return the person of the English verb: every you is plural."""
    return "2pl" if person == "2sg" else person


def pronoun_phrase(name: str, case: Case) -> Phrase:
    """Return a personal pronoun; `they` is the third person plural, `Sie` the formal address."""
    forms = _PRONOUNS[name]
    word = Source(forms[{"nom": 0, "acc": 1, "dat": 2}[case]])
    english = Target(forms[4 if case == "nom" else 5], word)
    return Phrase([word], [english], forms[3], _GENDER.get(name, "n"), name, is_pronoun=True, kind="pronoun")


def name_phrase(first: str, gender: str) -> Phrase:
    """Return a person's first name, the same in every case but the genitive."""
    word = Source(first)
    return Phrase([word], [Target(first, word)], "3sg", gender, "er" if gender == "m" else "sie", kind="name")


def titled_phrase(surname: str, gender: str, case: Case) -> Phrase:
    """Return Herr or Frau with a surname."""
    if gender == "m":
        title = Source("Herr" if case == "nom" else "Herrn")
        english = "Mr"
    else:
        title, english = Source("Frau"), "Mrs"
    name = Source(surname)
    both = [Target(english, title), Target(surname, name)]
    return Phrase([title, name], [*both], "3sg", gender, "er" if gender == "m" else "sie", kind="name")


def pair_of_names(one: str, other: str) -> Phrase:
    """Return two names joined by und."""
    a, und, b = Source(one), Source("und"), Source(other)
    both: English = [Target(one, a), Target("and", und), Target(other, b)]
    return Phrase([a, und, b], both, "3pl", "pl", "they", kind="name")


def _determiner_word(determiner: Determiner, gender: Gender, case: Case, owner: str) -> str:
    if determiner == "the":
        return g.DEFINITE[gender, case]
    if determiner == "this":
        return g.dies_word("dies", gender, case)
    if determiner == "each":
        return g.dies_word("jed", gender, case)
    if determiner == "a":
        return g.ein_word("ein", gender, case)
    if determiner == "no":
        return g.ein_word("kein", gender, case)
    if determiner == "my":
        return g.ein_word(_PRONOUNS[owner][6], gender, case)
    return {"some": "einige", "many": "viele", "several": "mehrere", "a little": "etwas"}[determiner] + (
        {"dat": "n", "gen": "r"}.get(case, "") if determiner != "a little" else ""
    )


def noun_phrase(
    noun: Noun,
    case: Case,
    determiner: Determiner,
    *,
    plural: bool = False,
    adjectives: Sequence[tuple[str, str]] = (),
    owner: str = "",
    number: int = 0,
) -> Phrase:
    """Build a noun phrase; the endings follow from determiner, gender, number and case.

    Args:
        noun: The head.
        case: Of the whole phrase.
        determiner: Named in English; `my` stands for every possessive, `bare` for none.
        plural: Whether the head is plural.
        adjectives: (German, English) pairs in order.
        owner: The pronoun that owns it, for `my`.
        number: For `number`, 2 to 999.
    """
    gender: Gender = "pl" if plural else noun.gender  # type: ignore[assignment]
    weak, mixed = determiner in _WEAK, determiner in _MIXED
    declension: Literal["weak", "mixed", "strong"] = "weak" if weak else "mixed" if mixed else "strong"
    words = [Source(g.adjective(de, declension, gender, case)) for de, _ in adjectives]
    head = Source(g.decline(noun.german, noun.german_plural, gender, case, weak=noun.weak))
    many = plural or noun.english.endswith("vegetables")
    nouns = targets(noun.english_plural if plural else noun.english, head)
    english: English = [*(Target(en, word) for (_, en), word in zip(adjectives, words, strict=True)), *nouns]
    first = english[0].text
    german: German = [*words, head]
    negative = None
    if determiner == "number":
        word = Source(german_number(number))
        german.insert(0, word)
        english[:0] = targets(english_number(number), word)
    elif determiner != "bare":
        word = Source(_determiner_word(determiner, gender, case, owner))
        german.insert(0, word)
        english.insert(0, Target(_english_determiner(determiner, first, many=many, mass=noun.mass, owner=owner), word))
        negative = word if determiner == "no" else None
    definite = determiner in ("the", "my", "this")
    person = "3pl" if plural else "3sg"
    pronoun = "they" if plural else {"m": "er", "f": "sie"}.get(noun.gender, "")
    if noun.kind not in ("person", "kin", "child"):
        pronoun = ""
    return Phrase(german, english, person, gender, pronoun, definite, False, negative, noun, noun.kind)


def _english_determiner(determiner: Determiner, following: str, *, many: bool, mass: bool, owner: str) -> str:
    if determiner == "a" or (determiner == "no" and not many and not mass):
        return article(following)
    if determiner == "my":
        return _PRONOUNS[owner][7]
    if determiner == "this":
        return "these" if many else "this"
    return {"the": "the", "no": "any", "each": "every", "a little": "some"}.get(determiner, determiner)


def measured(container: tuple[str, str, str], noun: Noun, case: Case) -> Phrase:
    """Return a container of something: eine Tasse Tee, a cup of tea (of is linked to the container)."""
    german, gender, english = container
    ein = Source(g.ein_word("ein", gender, case))  # type: ignore[arg-type]
    cup, content = Source(german), Source(noun.german)
    words: English = [Target(article(english), ein), Target(english, cup), Target("of", cup)]
    words += targets(noun.english, content)
    return Phrase([ein, cup, content], words, "3sg", gender, definite=False, kind=noun.kind)


def with_name_owner(name: str, noun: Noun, case: Case, adjectives: Sequence[tuple[str, str]] = ()) -> Phrase:
    """Return Annas Hund, Anna's dog; the adjective is strong."""
    phrase = noun_phrase(noun, case, "bare", adjectives=adjectives)
    owner = Source(name + "s")
    phrase.german.insert(0, owner)
    phrase.english.insert(0, Target(possessive(name), owner))
    phrase.definite = True
    return phrase


def with_genitive(phrase: Phrase, owner: Phrase) -> Phrase:
    """Put a genitive behind a phrase with definite article: der Hund meines Bruders, my brother's dog.

    The article of the possessed noun has no English counterpart and stays without a link.
    """
    owners = list(owner.english)
    last = owners[-1]
    owners[-1] = Target(possessive(last.text), *last.links)  # type: ignore[union-attr]
    phrase.german += owner.german
    phrase.english = owners + phrase.english[1:]
    return phrase


def prepositional(preposition: str, english: str, phrase: Phrase) -> tuple[German, English]:
    """Put a preposition before a phrase; an + dem and the like become one word with the links of both."""
    first = phrase.german[0]
    merged = g.contraction(preposition, first.text)
    if merged is not None:
        word = Source(merged)
        rest: English = []
        for target in phrase.english:
            links = tuple(word if link is first else link for link in target.links)  # type: ignore[union-attr]
            rest.append(Target(target.text, *links))
        return [word, *phrase.german[1:]], [*targets(english, word), *rest]
    word = Source(preposition)
    return [word, *phrase.german], [*targets(english, word), *phrase.english]


def draw_adjectives(draws: Draws, noun: Noun, chance: float) -> tuple[tuple[str, str], ...]:
    """Draw no adjective, one, or rarely two that suit a noun."""
    if not draws.chance(chance):
        return ()
    fitting = adjectives_for(noun.german, noun.kind)
    if not fitting:
        return ()
    return (draws.pick(fitting),)
