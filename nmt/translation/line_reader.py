"""Model input from raw lines: placeholders masked, lines encoded, long lines split into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordModel
from nmt.translation.copying import Copier
from nmt.translation.lines import Pieces, SourceLine, cut, led
from nmt.translation.long_lines import parts_of
from nmt.translation.requests.request import Line, text_of
from nmt.translation.requests.tags import Tags

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
        tags: of the model.
        target_language: of lines that ask for none.
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
        tags: Tags,
        target_language: str | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._normalisation = normalisation
        self._copier = copier
        self._max_pieces = max_pieces
        self._long_lines = long_lines
        self._in_words = in_words
        self._tags = {tag: cut(tag, vocabulary, normalisation) for tag in ("", *tags.known)}
        self._divided = partial(tags.divided, usual=target_language)

    def read(self, lines: Sequence[Line], numbers: Sequence[int]) -> list[SourceLine]:
        """Read lines, each with its number; blank ones get no pieces and are not given to a model."""
        divided = [self._tagged(line) for line in lines]
        masked = [self._copier.mask(text) for _, text, _ in divided]
        cuts = self._cut([text for text, _ in masked])
        return [
            SourceLine(number, text, Pieces(), problem=problem)
            if problem
            else led(SourceLine(number, text, pieces, placeholders), tag, self._tags[tag])
            for number, (tag, text, problem), pieces, (_, placeholders) in zip(
                numbers, divided, cuts, masked, strict=True
            )
        ]

    def _tagged(self, line: Line) -> tuple[str, str, str]:
        """The tag of a line, its text, and what is wrong with them."""
        try:
            return (*self._divided(line), "")
        except DataError as error:
            return "", text_of(line), str(error)

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
        tag, text = source.pieces.part(slice(source.lead)), source.pieces.part(slice(source.lead, None))
        if len(text.ids) <= self._max_pieces:
            return [source] if text.ids else []
        if self._long_lines == "report":
            return []
        parts, before = [], 0
        for each in parts_of(text, source.words, self._max_pieces):
            pieces = text.part(each)
            after = before + self._copier.count_symbols(pieces.ids)
            parts.append(replace(source, pieces=pieces.after(tag), placeholders=source.placeholders[before:after]))
            before = after
        return parts

    def unread(self, source: SourceLine) -> str:
        """Say why a line has no parts: it has no tag, or is too long; empty for a blank line."""
        if not source.readable:
            return source.problem
        count = len(source.pieces.ids) - source.lead
        return f"it has {count} pieces, but at most {self._max_pieces} are translated at once"
