"""English morphology: plurals, the indefinite article, verb forms."""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus.rows import words

_VOWELS = "aeiou"
_AN = ("hour", "honest")
_A = ("university", "uniform", "unicorn", "useful", "european", "one", "euro")
_DOUBLED = frozenset(
    words("put get run sit swim shop stop plan forget cut begin travel hug chat jog nod rob win set knit")
)


def article(following: str) -> str:
    """Return a or an for the word that follows."""
    word = following.lower()
    if word.startswith(_AN):
        return "an"
    return "an" if word[0] in _VOWELS and not word.startswith(_A) else "a"


def plural(noun: str) -> str:
    """Return the regular plural; of several words the last is inflected."""
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun + "s"


def possessive(noun: str) -> str:
    """Return the noun with 's (or ' after a plural in s)."""
    return noun + "'s"


_BE = {
    "present": {"1sg": "am", "3sg": "is"},
    "past": {"1sg": "was", "3sg": "was"},
}
_MODAL_FORMS = ("can", "will", "would", "should", "could")


@dataclass(frozen=True, slots=True)
class EnglishVerb:
    """A verb with its irregular parts.

    Args:
        base: The infinitive, one word.
        past: Empty for a regular verb.
        participle: Empty if it is the past form.
    """

    base: str
    past: str = ""
    participle: str = ""

    @property
    def past_form(self) -> str:
        """The simple past."""
        if self.past:
            return self.past
        if self.base.endswith("e"):
            return self.base + "d"
        if self.base.endswith("y") and self.base[-2] not in _VOWELS:
            return self.base[:-1] + "ied"
        return self._doubled() + "ed"

    @property
    def past_participle(self) -> str:
        """The past participle."""
        return self.participle or self.past_form

    @property
    def ing(self) -> str:
        """The present participle."""
        if self.base.endswith("ie"):
            return self.base[:-2] + "ying"
        if self.base.endswith("e") and self.base not in ("be", "see"):
            return self.base[:-1] + "ing"
        return self._doubled() + "ing"

    def _doubled(self) -> str:
        return self.base + self.base[-1] if self.base in _DOUBLED else self.base

    def present(self, person: str) -> str:
        """Return the present form for a person such as 3sg."""
        if self.base == "be":
            return _BE["present"].get(person, "are")
        if person != "3sg" or self.base in _MODAL_FORMS:
            return self.base
        if self.base in ("have", "do", "go"):
            return {"have": "has", "do": "does", "go": "goes"}[self.base]
        if self.base.endswith("y") and self.base[-2] not in _VOWELS:
            return self.base[:-1] + "ies"
        if self.base.endswith(("s", "x", "ch", "sh", "z")):
            return self.base + "es"
        return self.base + "s"

    def preterite(self, person: str) -> str:
        """Return the past form for a person."""
        if self.base == "be":
            return _BE["past"].get(person, "were")
        if self.base in _MODAL_FORMS:
            return {"can": "could", "will": "would"}.get(self.base, self.base)
        return self.past_form


BE = EnglishVerb("be", "was", "been")
HAVE = EnglishVerb("have", "had")
DO = EnglishVerb("do", "did", "done")
WILL = EnglishVerb("will")
LIKE = EnglishVerb("like")
