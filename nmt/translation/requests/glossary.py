"""Terminology: how terms of the source are to be translated, as constraints of the lines in which they occur."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.storage.files import read_text_lines
from nmt.core.writing_systems import in_spaced_word
from nmt.translation.requests.request import Line, Request, text_of


class Glossary:
    """Finds the terms of lines: whole words (in scripts without spaces anywhere), of two that overlap the longer one.

    Args:
        terms: the translation of each source term.
        ignore_case: whether a term also occurs in other case.
    """

    def __init__(self, terms: Mapping[str, str], *, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        for source, target in sorted(terms.items(), key=lambda term: -len(term[0])):
            plain = self._plain(source)
            self._by_first.setdefault(plain[0], []).append((plain, target))

    @classmethod
    def read(cls, path: Path, *, ignore_case: bool = False) -> Glossary:
        """Read a file of lines with a source term, a tab, and its translation; blank lines are skipped.

        Raises:
            DataError: the file cannot be read, a line has another form, or a term two translations.
        """
        terms: dict[str, str] = {}
        places: dict[str, int] = {}
        for number, line in enumerate(read_text_lines(path, what="glossary"), start=1):
            if is_blank(line):
                continue
            fields = line.split("\t")
            if len(fields) != 2 or any(map(is_blank, fields)):
                raise DataError(f"{path}: line {number}: must be a term, a tab and its translation, but is {line!r}")
            source, target = (" ".join(field.split()) for field in fields)
            key = source.casefold() if ignore_case else source
            if terms.setdefault(key, target) != target:
                raise DataError(
                    f"{path}: line {number}: {source!r} must have one translation, but has {terms[key]!r} in line "
                    f"{places[key]}"
                )
            places.setdefault(key, number)
        return cls(terms, ignore_case=ignore_case)

    def applied(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Add the translations of the terms of each line to its constraints."""
        for line in lines:
            found = self.translations(text_of(line))
            if not found:
                yield line
                continue
            request = Request(line) if isinstance(line, str) else line
            yield replace(request, constraints=tuple(dict.fromkeys((*request.constraints, *found))))

    def translations(self, text: str) -> list[str]:
        """The translations of the terms that occur in a text, in their order."""
        text, place, found = self._plain(text), 0, list[str]()
        while place < len(text):
            term = next((each for each in self._by_first.get(text[place], ()) if _stands(each[0], text, place)), None)
            if term is None:
                place += 1
            else:
                found.append(term[1])
                place += len(term[0])
        return found

    def _plain(self, text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split())
        return text.casefold() if self._ignore_case else text


def _stands(term: str, text: str, place: int) -> bool:
    """Whether a term stands at a place of a text, with neither end inside a word."""
    end = place + len(term)
    inside = (at > 0 and in_spaced_word(text[at - 1]) and in_spaced_word(text[at : at + 1]) for at in (place, end))
    return text.startswith(term, place) and not any(inside)
