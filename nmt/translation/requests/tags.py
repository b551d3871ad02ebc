"""Tags before sources, such as the target language: which a model knows, and which a line asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.logging import few
from nmt.translation.requests.request import Line, language_of, text_of

MANY = "mul"
"""Code of several languages (ISO 639-2)."""

_LANGUAGE = re.compile(r"<2([A-Za-z]\w+(?:-\w+)*)>")


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of the corpora in a model's recipe; one such as ``<2fr>`` asks for a language.

    Johnson et al. (2017), "Google's Multilingual Neural Machine Translation System".

    Args:
        known: the tags, in the order of the corpora: those trained on, then others. A model that began with the weights
            of another may be validated and tested on more than it is trained on.
        always: whether every training corpus has one, so that the model has learnt from no source without.
    """

    known: tuple[str, ...] = ()
    always: bool = False

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Tags:
        """Find the tags in a recipe, given as plain values."""
        data = recipe.get("data") or {}
        trained = [_tag(corpus) for corpus in data.get("train") or ()]
        validation = data.get("validation")
        others = [*(validation if isinstance(validation, list) else [validation])]
        others += [(recipe.get(section) or {}).get("corpus") for section in ("test", "alignment")]
        known = tuple(dict.fromkeys(filter(None, (*trained, *map(_tag, others)))))
        return cls(known, bool(known) and None not in trained)

    @classmethod
    def shared(cls, several: Sequence[Tags]) -> Tags:
        """Return the tags that all models of an ensemble know, in the order of the first one's."""
        known = tuple(tag for tag in several[0].known if all(tag in each.known for each in several))
        return cls(known, any(each.always for each in several))

    @property
    def languages(self) -> dict[str, str]:
        """The tag of each target language; empty for a model of one language."""
        return {found[1]: tag for tag in self.known if (found := _LANGUAGE.fullmatch(tag))}

    def pairs(self, source_language: str = "") -> list[tuple[str, str]]:
        """Return the language pairs of a model of several: from its source language, or from each target language.

        Args:
            source_language: of the recipe; empty or ``mul`` where there are several.
        """
        languages = self.languages
        sources = languages if source_language in ("", MANY) else (source_language,)
        return [(source, target) for source in sources for target in languages if source != target]

    def of_language(self, language: str) -> str:
        """Return the tag of a target language.

        Raises:
            DataError: the model has none.
        """
        languages = self.languages
        if not languages:
            raise DataError(f"target_language must be left out, since this model has one, but is {language!r}")
        if language not in languages:
            raise DataError(f"target_language must be one of {', '.join(languages)}, but is {language!r}")
        return languages[language]

    def divided(self, line: Line, usual: str | None = None) -> tuple[str, str]:
        """Divide a line into its tag, possibly empty, and its text.

        Args:
            line: asks for a language, or begins with a tag.
            usual: the language of a line that does neither.

        Raises:
            DataError: it needs a tag and has none, or the model has no such language.
        """
        text, language = text_of(line), language_of(line)
        if language is not None:
            return self.of_language(language), text
        first = next(iter(text.split(maxsplit=1)), "")
        if first in self.known:
            return first, text.lstrip()[len(first) + 1 :]
        if usual is not None:
            return self.of_language(usual), text
        if self.always and not is_blank(text):
            languages = ", ".join(self.languages)
            asked = f", or give the target language ({languages})" if languages else ""
            raise DataError(f"must begin with a tag, as all that the model has learnt from: {few(self.known)}{asked}")
        return "", text

    def check(self, line: Line, place: str, usual: str | None) -> None:
        """Check that a line has the tag that it needs; see ``divided``.

        Raises:
            DataError: it has not; begins with the place.
        """
        try:
            self.divided(line, usual)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None

    def check_all(self, lines: Iterable[Line], name: str, usual: str | None) -> None:
        """Check the lines of an input, which is called ``name`` in errors; see ``check``.

        Raises:
            DataError: a line has not the tag that it needs.
        """
        for number, line in enumerate(lines, start=1):
            self.check(line, f"{name}: line {number}", usual)


def _tag(corpus: object) -> str | None:
    tag = corpus.get("tag") if isinstance(corpus, Mapping) else None
    return tag if isinstance(tag, str) else None
