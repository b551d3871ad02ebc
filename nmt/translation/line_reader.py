"""Model input from raw lines: placeholders masked, lines encoded, long lines split into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from nmt.core.characters import is_blank
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordModel
from nmt.translation.copying import Copier
from nmt.translation.lines import Pieces, SourceLine, cut
from nmt.translation.long_lines import parts_of

LongLines: TypeAlias = Literal["split", "report"]
"""Treatment of a line that is too long to be read at once: translate in parts, or leave out and report."""


class LineReader:
    """Reads source lines.

    Args:
        vocabulary: of the source.
        normalisation: of the source.
        copier: masks the text to be copied.
        max_pieces: most pieces of a line that is read at once.
        long_lines: treatment of longer lines.
        in_words: whether the words of every line are needed, for alignment.
    """

    def __init__(
        self,
        vocabulary: SubwordModel,
        normalisation: NormalisationConfig,
        copier: Copier,
        *,
        max_pieces: int,
        long_lines: LongLines,
        in_words: bool,
    ) -> None:
        self._vocabulary = vocabulary
        self._normalisation = normalisation
        self._copier = copier
        self._max_pieces = max_pieces
        self._long_lines = long_lines
        self._in_words = in_words

    def read(self, lines: Sequence[str], numbers: Sequence[int]) -> list[SourceLine]:
        """Read lines, each with its number; blank ones get no pieces and are not given to a model."""
        masked = [self._copier.mask(line) for line in lines]
        cuts = self._cut([text for text, _ in masked])
        return [
            SourceLine(number, line, pieces, placeholders)
            for number, line, pieces, (_, placeholders) in zip(numbers, lines, cuts, masked, strict=True)
        ]

    def _cut(self, texts: Sequence[str]) -> list[Pieces]:
        model, normalisation = self._vocabulary, self._normalisation
        if self._in_words:
            return [Pieces() if is_blank(text) else cut(text, model, normalisation) for text in texts]
        rows = model.encode_batch([model.normalise(text, normalisation) for text in texts])
        cuts = [Pieces() if is_blank(text) else Pieces(tuple(ids)) for ids, text in zip(rows, texts, strict=True)]
        # A long line is split by its words.
        return [
            cut(text, model, normalisation) if len(pieces.ids) > self._max_pieces else pieces
            for pieces, text in zip(cuts, texts, strict=True)
        ]

    def parts(self, source: SourceLine) -> list[SourceLine]:
        """Return the search input for a line: itself, its parts if it is long, nothing if it is blank or left out."""
        count = len(source.pieces.ids)
        if count <= self._max_pieces:
            return [source] if count else []
        if self._long_lines == "report":
            return []
        parts, before = [], 0
        for each in parts_of(source.pieces, source.words, self._max_pieces):
            pieces = source.pieces.part(each)
            after = before + self._copier.count_symbols(pieces.ids)
            parts.append(replace(source, pieces=pieces, placeholders=source.placeholders[before:after]))
            before = after
        return parts

    def unread(self, source: SourceLine) -> str:
        """Say why a line has no parts: it is too long; empty for a blank line."""
        if not source.readable:
            return ""
        return f"it has {len(source.pieces.ids)} pieces, but at most {self._max_pieces} are translated at once"
