"""German morphology: articles, adjective endings, noun cases, verb forms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Case = Literal["nom", "acc", "dat", "gen"]
Gender = Literal["m", "f", "n", "pl"]  # the plural has one set of endings for all genders

CASES: tuple[Case, ...] = ("nom", "acc", "dat", "gen")
GENDERS: tuple[Gender, ...] = ("m", "f", "n", "pl")


def _table(rows: str) -> dict[tuple[str, str], str]:
    """Read four rows (m, f, n, pl) of four endings (nom, acc, dat, gen); `-` is the empty ending."""
    table = {}
    for gender, row in zip(GENDERS, rows.split("/"), strict=True):
        for case, ending in zip(CASES, row.split(), strict=True):
            table[gender, case] = "" if ending == "-" else ending
    return table


DEFINITE = _table("der den dem des / die die der der / das das dem des / die die den der")
_EIN = _table("- en em es / e e er er / - - em es / e e en er")  # ein, kein, mein, unser ...
_DIES = _table("er en em es / e e er er / es es em es / e e en er")  # dieser, jeder
_ADJECTIVE = {
    "weak": _table("e en en en / e e en en / e e en en / en en en en"),  # after der, dieser, jeder
    "mixed": _table("er en en en / e e en en / es es en en / en en en en"),  # after ein, kein, mein
    "strong": _table("er en em en / e e er er / es es em en / e e en er"),  # after nothing or a number
}
_CONTRACTIONS = {
    ("an", "dem"): "am",
    ("an", "das"): "ans",
    ("bei", "dem"): "beim",
    ("in", "dem"): "im",
    ("in", "das"): "ins",
    ("von", "dem"): "vom",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
}


def ein_word(stem: str, gender: Gender, case: Case) -> str:
    """Return a word that is declined like `ein`: ein, kein, mein, dein, sein, ihr, unser, euer."""
    ending = _EIN[gender, case]
    if stem == "euer" and ending:
        stem = "eur"
    return stem + ending


def dies_word(stem: str, gender: Gender, case: Case) -> str:
    """Return a word that is declined like `dieser`, from its stem (dies, jed)."""
    return stem + _DIES[gender, case]


@cache
def adjective(lemma: str, declension: Literal["weak", "mixed", "strong"], gender: Gender, case: Case) -> str:
    """Return an attributive adjective; teuer, dunkel and hoch lose or change their last syllable."""
    stem = {"teuer": "teur", "dunkel": "dunkl", "hoch": "hoh", "sauer": "saur"}.get(lemma, lemma)
    if stem.endswith("e"):
        stem = stem[:-1]
    return stem + _ADJECTIVE[declension][gender, case]


def contraction(preposition: str, article: str) -> str | None:
    """Return the one word for preposition and article (am, im, zur ...), or None where two are written."""
    return _CONTRACTIONS.get((preposition, article))


@cache
def decline(singular: str, plural: str, gender: Gender, case: Case, *, weak: bool = False) -> str:
    """Return a noun in a case; `gender` pl asks for the plural, `weak` for the n-declension (den Studenten)."""
    if gender == "pl":
        return plural + "n" if case == "dat" and plural[-1] not in "ns" else plural
    if weak and case != "nom":
        if singular.endswith(("e", "Herr", "Nachbar", "Bauer")):
            return singular + "n"
        return singular + "en"
    if case == "gen" and gender in ("m", "n"):
        if singular.endswith(("nis",)):
            return singular + "ses"
        short = sum(singular.lower().count(vowel) for vowel in "aeiouäöü") == 1
        if singular.endswith(("s", "ß", "z", "sch", "st")) or (short and singular[-1] not in "aeiou"):
            return singular + "es"
        return singular + "s"
    return singular


PERSONS = ("1sg", "2sg", "3sg", "1pl", "2pl", "3pl")
_PRESENT = dict(zip(PERSONS, ("e", "st", "t", "en", "t", "en"), strict=True))
_IRREGULAR_PRESENT = {
    "sein": "bin bist ist sind seid sind",
    "haben": "habe hast hat haben habt haben",
    "werden": "werde wirst wird werden werdet werden",
    "können": "kann kannst kann können könnt können",
    "müssen": "muss musst muss müssen müsst müssen",
    "wollen": "will willst will wollen wollt wollen",
    "dürfen": "darf darfst darf dürfen dürft dürfen",
    "sollen": "soll sollst soll sollen sollt sollen",
    "möchten": "möchte möchtest möchte möchten möchtet möchten",
    "mögen": "mag magst mag mögen mögt mögen",
    "wissen": "weiß weißt weiß wissen wisst wissen",
}


@dataclass(frozen=True, slots=True)
class GermanVerb:
    """The principal parts of a verb.

    Args:
        infinitive: Without the separable prefix.
        third: Third person singular of the present where the stem changes (liest), else empty.
        past: First person singular of the past where it is not stem + te (las), else empty.
        participle: Without the separable prefix (gelesen).
        auxiliary: haben or sein, for the perfect.
        prefix: The separable prefix, or empty.
    """

    infinitive: str
    third: str = ""
    past: str = ""
    participle: str = ""
    auxiliary: str = "haben"
    prefix: str = ""

    @property
    def stem(self) -> str:
        """The infinitive without its ending."""
        return self.infinitive[:-2] if self.infinitive.endswith("en") else self.infinitive[:-1]

    @property
    def full_participle(self) -> str:
        """The participle with the separable prefix before it: aufgestanden."""
        return self.prefix + (self.participle or self._weak_participle())

    @property
    def full_infinitive(self) -> str:
        """The infinitive with its prefix: aufstehen."""
        return self.prefix + self.infinitive

    def _needs_e(self) -> bool:
        stem = self.stem
        if stem[-1] in "mn" and stem[-2:-1] not in tuple("aeiouäöülrhmn"):
            return True
        return stem[-1] in "td" or stem.endswith(("chn", "chm"))

    def _weak_participle(self) -> str:
        ending = "et" if self._needs_e() else "t"
        inseparable = self.infinitive.startswith(("be", "ver", "er", "ent", "ge", "zer")) and self.infinitive not in (
            "bellen",
            "beten",
        )
        return ("" if inseparable or self.infinitive.endswith("ieren") else "ge") + self.stem + ending

    def present(self, person: str) -> str:
        """Return the present without the prefix."""
        if self.infinitive in _IRREGULAR_PRESENT:
            return _IRREGULAR_PRESENT[self.infinitive].split()[PERSONS.index(person)]
        stem = self.stem
        if person in ("1pl", "3pl"):
            return self.infinitive
        if self.third and person == "3sg":
            return self.third
        if self.third and person == "2sg":
            stem = self.third[:-1]
            return stem + ("t" if stem[-1] in "sßz" else "st")
        ending = _PRESENT[person]
        if person in ("2sg", "3sg", "2pl") and self._needs_e():
            ending = "e" + ending
        elif person == "2sg" and stem[-1] in "sßz":
            ending = "t"
        if person == "1sg" and stem.endswith("el"):
            stem = stem[:-2] + "l"
        return stem + ending

    def preterite(self, person: str) -> str:
        """Return the past without the prefix."""
        index = PERSONS.index(person)
        past = self.past or self.stem + ("ete" if self._needs_e() else "te")
        if past.endswith("te"):
            return past + ("", "st", "", "n", "t", "n")[index]
        e = "e" if past[-1] in "td" else ""
        second = past + ("est" if e else "t" if past[-1] in "sßz" else "st")
        return (past, second, past, past + "en", past + e + "t", past + "en")[index]

    def zu_infinitive(self) -> str:
        """Return the infinitive with `zu` inside it, for a separable verb: aufzustehen."""
        return f"{self.prefix}zu{self.infinitive}"


_MODAL_PAST = {
    "können": "konnte",
    "müssen": "musste",
    "wollen": "wollte",
    "dürfen": "durfte",
    "sollen": "sollte",
}
HABEN = GermanVerb("haben", past="hatte", participle="gehabt")
SEIN = GermanVerb("sein", past="war", participle="gewesen", auxiliary="sein")
WERDEN = GermanVerb("werden", past="wurde", participle="geworden", auxiliary="sein")
MODALS = {
    name: GermanVerb(name, past=_MODAL_PAST.get(name, name[:-1]))
    for name in ("können", "müssen", "wollen", "dürfen", "sollen", "möchten")
}
