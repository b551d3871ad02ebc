"""Copying of source text into a translation: unknown words and placeholders.

A model that was trained with ``data.placeholders`` copies by these alone (``nmt.text.placeholders``): they tell which
text they stand for. What follows needs attention.

An unknown word of a translation is replaced by the source word that its unknown piece attends to most (Luong et al.,
2015, "Addressing the Rare Word Problem", by attention instead of an aligner).

A placeholder is a symbol such as ``<num>`` that is one piece of both vocabularies (``data.subword.user_symbols``). In
the training text it stands for text that is not to be translated. Before a line is encoded, each match of the pattern
in its words is replaced by the symbol. In the translation, each symbol is replaced by the original text of the source
symbol that it attends to. Source symbols are assigned by weight, heaviest first, each once. If the translation has
more symbols than the source, the extra ones copy their most attended symbol; without source symbols they stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from nmt.alignment.soft_alignment import Weights
from nmt.core.errors import ConfigError
from nmt.core.logging import few
from nmt.text.placeholders import Placeholders
from nmt.text.vocabularies import Vocabularies
from nmt.translation.lines import Pieces, SourceLine
from nmt.translation.model_files.bundle import Normalisations

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A symbol and the text it stands for.

    Args:
        symbol: a piece of both vocabularies, such as ``<num>``.
        pattern: the text it replaces, within white-space words; the symbol itself always stands for itself.
    """

    symbol: str
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Placeholder:
        """Read ``SYMBOL=REGEX``.

        Raises:
            ConfigError: it is not of that form, or the regular expression is wrong.
        """
        symbol, equals, pattern = text.partition("=")
        if not symbol or not equals or not pattern:
            raise ConfigError(f"a placeholder must be SYMBOL=REGEX, such as '<num>=[0-9]+', but is {text!r}")
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"placeholder {symbol}: {pattern!r} is not a regular expression: {error}") from error
        return cls(symbol, compiled)


@dataclass(frozen=True, slots=True)
class CopyConfig:
    """Settings of copying from the source.

    Args:
        replace_unknown: let the model write unknown pieces, and replace their words by the source words they attend to.
        placeholders: symbols and the patterns they replace.
    """

    replace_unknown: bool = False
    placeholders: tuple[Placeholder, ...] = ()

    @property
    def active(self) -> bool:
        """Whether anything is copied by attention."""
        return self.replace_unknown or bool(self.placeholders)


class Copier:
    """Masks source lines, and restores masked and unknown words in translations.

    Args:
        config: what is copied.
        vocabularies: of both sides.
        normalisations: of both sides; a symbol must survive them.
        trained: placeholders that the model was trained with.

    Raises:
        ConfigError: a symbol is not one piece of both vocabularies, or the model was trained with other placeholders.
    """

    def __init__(
        self,
        config: CopyConfig,
        vocabularies: Vocabularies,
        normalisations: Normalisations,
        trained: Placeholders | None = None,
    ) -> None:
        self.config = config
        self._trained = trained
        self.copied = () if trained is None else trained.ids(vocabularies)
        if trained is not None and config.placeholders:
            raise ConfigError(
                f"placeholder {config.placeholders[0].symbol}: must be left out, because the model was trained with "
                f"placeholders of its own (data.placeholders: {few(trained.symbols)}), which are always replaced"
            )
        self._unknown = vocabularies.target.unk_id
        self._ids: dict[str, tuple[int, int]] = {}
        for placeholder in config.placeholders:
            symbol = placeholder.symbol
            sides = (vocabularies.source, normalisations.source), (vocabularies.target, normalisations.target)
            ids = tuple(model.id_of(symbol) for model, _ in sides)
            for (model, normalisation), piece in zip(sides, ids, strict=True):
                if piece == model.unk_id:
                    raise ConfigError(
                        f"placeholder {symbol}: must be one piece of the vocabulary {model.path}, but is not; "
                        "a model has those placeholders it was trained with (data.subword.user_symbols)"
                    )
                changed = model.normalise(symbol, normalisation)
                if piece not in model.encode(changed):
                    raise ConfigError(
                        f"placeholder {symbol}: is a piece of the vocabulary {model.path}, but data.normalisation "
                        f"turned it into {changed}, so the model never saw it; train the model again"
                    )
            self._ids[symbol] = ids[0], ids[1]
        self._symbols = re.compile("|".join(map(re.escape, self._ids)) or r"(?!)")

    def mask(self, text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Replace matches in a raw line by symbols; the number and order of its words do not change.

        Returns:
            The line to encode; name and original text of each of its symbols, in order.
        """
        if self._trained is not None:
            masked = self._trained.mask(text)
            return masked.text, masked.found
        found: list[tuple[str, str]] = []
        if not self._ids:
            return text, ()
        return _WORD.sub(lambda word: self._mask_word(word[0], found), text), tuple(found)

    def _mask_word(self, word: str, found: list[tuple[str, str]]) -> str:
        parts, place = [], 0
        while (first := self._first(word, place)) is not None:
            symbol, match = first
            found.append((symbol, match[0]))
            parts += [word[place : match.start()], symbol]
            place = match.end()
        return "".join([*parts, word[place:]])

    def _first(self, word: str, place: int) -> tuple[str, re.Match[str]] | None:
        """Find the leftmost match from a place on; ties go to the literal symbol, then to the first placeholder."""
        best: tuple[str, re.Match[str]] | None = None
        literal = self._symbols.search(word, place)
        if literal is not None:
            best = literal[0], literal
        for placeholder in self.config.placeholders:
            match = next((m for m in placeholder.pattern.finditer(word, place) if m[0]), None)
            if match is not None and (best is None or match.start() < best[1].start()):
                best = placeholder.symbol, match
        return best

    def count_symbols(self, ids: Sequence[int]) -> int:
        """Count the source pieces that are symbols."""
        symbols = {source for source, _ in (*self._ids.values(), *self.copied)}
        return sum(piece in symbols for piece in ids)

    def first_copied(self, ids: Sequence[int]) -> int | None:
        """Find the first target piece for which source text may be put in."""
        copied = {target for _, target in self._ids.values()} | (
            {self._unknown} if self.config.replace_unknown else set()
        )
        return next((place for place, piece in enumerate(ids) if piece in copied), None)

    def restore(self, text: str, target: Pieces, weights: Weights | None, source: SourceLine) -> str:
        """Put the copied source text into a translation, whose number of words stays the same.

        The attention (T or more, S + 1) is between the pieces of both, eos last; ``None`` if there is none.
        """
        text = self.restore_trained(text, source)
        if weights is None:
            return text
        if self.config.replace_unknown and self._unknown in target.ids:
            text = self._replace_unknown(text, target, weights, source)
        if self._ids and source.placeholders:
            text = self._replace_symbols(text, target.ids, weights, source)
        return text

    def restore_trained(self, text: str, source: SourceLine) -> str:
        """Put in what the model's own placeholders stand for; the text may be the beginning of a translation."""
        return text if self._trained is None else self._trained.restore(text, source.placeholders)

    def _replace_unknown(self, text: str, target: Pieces, weights: Weights, source: SourceLine) -> str:
        source_words = source.words
        mass = numpy.zeros((len(target.ids), len(source_words)))  # one row per target word; no more words than pieces
        for place, (piece, word) in enumerate(zip(target.ids, target.words, strict=True)):
            if piece == self._unknown and word >= 0:
                for column, source_word in enumerate(source.pieces.words[source.lead :], source.lead):
                    mass[word, source_word] += weights[place, column]
        replacements = {word: source_words[int(row.argmax())] for word, row in enumerate(mass) if row.any()}
        numbers = iter(range(len(text)))
        return _WORD.sub(lambda word: replacements.get(next(numbers), word[0]), text)

    def _replace_symbols(self, text: str, tokens: Sequence[int], weights: Weights, source: SourceLine) -> str:
        written = [match[0] for match in self._symbols.finditer(text)]
        by_id = {target: symbol for symbol, (_, target) in self._ids.items()}
        places = [place for place, piece in enumerate(tokens) if piece in by_id]
        by_source_id = {own: symbol for symbol, (own, _) in self._ids.items()}
        columns = [column for column, piece in enumerate(source.pieces.ids) if piece in by_source_id]
        # Ordinary text may happen to spell a symbol. The counts then differ, and nothing is replaced.
        if [by_id[tokens[place]] for place in places] != written or [
            by_source_id[source.pieces.ids[column]] for column in columns
        ] != [symbol for symbol, _ in source.placeholders]:
            return text
        originals = list(written)
        for symbol in set(written):
            mine = [number for number, name in enumerate(written) if name == symbol]
            theirs = [number for number, (name, _) in enumerate(source.placeholders) if name == symbol]
            if theirs:
                block = weights[numpy.ix_([places[n] for n in mine], [columns[n] for n in theirs])]
                for number, given in zip(mine, assign(block), strict=True):
                    originals[number] = source.placeholders[theirs[given]][1]
        remaining = iter(originals)
        return self._symbols.sub(lambda _: next(remaining), text)


def assign(weights: Weights) -> list[int]:
    """Assign a column to each row: heaviest pairs first, each column once; remaining rows take their heaviest column.

    There are one or more columns; of equal weights the first row and column go first.
    """
    chosen: list[int | None] = [None] * len(weights)
    free = set(range(weights.shape[1]))
    for cell in numpy.argsort(-weights, axis=None, kind="stable"):
        row, column = divmod(int(cell), weights.shape[1])
        if chosen[row] is None and column in free:
            chosen[row] = column
            free.remove(column)
    return [int(weights[row].argmax()) if column is None else column for row, column in enumerate(chosen)]
