"""A parallel corpus as memory-mapped piece ids, with statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import pyarrow
import pyarrow.compute
import torch
from numpy.typing import NDArray

from nmt.data.batch import Source, Tokens
from nmt.data.corpus.pairs import LINKS
from nmt.data.source.features import Features
from nmt.text.placeholders import Placeholders
from nmt.text.subword import SIDES, Side
from nmt.text.vocabularies import Vocabularies


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """Statistics of a corpus; tokens are pieces, including end-of-sentence pieces.

    Args:
        name: the corpus.
        lines: pairs read.
        carriage_returns: lines (of either side) with a removed CR before the line feed.
        line_feeds: fields whose inner line feeds became spaces.
        dropped: dropped pairs, by reason.
        kept: pairs kept.
        source_tokens: pieces of the sources kept; 0 if they are no text.
        target_tokens: pieces of the targets kept.
        source_unknown: unknown pieces among them.
        target_unknown: the same for the targets.
    """

    name: str
    lines: int
    carriage_returns: int
    line_feeds: int
    dropped: dict[str, int]
    kept: int
    source_tokens: int
    target_tokens: int
    source_unknown: int
    target_unknown: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        dropped = ", ".join(f"{reason} {count}" for reason, count in self.dropped.items() if count)
        return (
            f"{self.name}: {self.lines} pairs read, {self.kept} kept"
            + (f" (dropped: {dropped})" if dropped else "")
            + (f", {self.carriage_returns} carriage returns removed" if self.carriage_returns else "")
            + (f"; {self.source_tokens} source and " if self.source_tokens else "; ")
            + f"{self.target_tokens} target pieces"
        )


class _Ids:
    """Rows of ids in the record batches of a list column, without copies."""

    def __init__(self, column: pyarrow.ChunkedArray) -> None:
        self._offsets: list[NDArray[numpy.int32]] = []
        self._values: list[NDArray[numpy.int32]] = []
        lengths, starts, start = [], [], 0
        for chunk in column.chunks:
            if not len(chunk):
                continue
            offsets = chunk.offsets.to_numpy(zero_copy_only=True)
            self._offsets.append(offsets)
            # `values` ignores slicing; the offsets respect it.
            self._values.append(chunk.values.to_numpy(zero_copy_only=True))
            lengths.append(numpy.diff(offsets).astype(numpy.int32))
            starts.append(start)
            start += len(chunk)
        self._starts = numpy.array(starts, dtype=numpy.int64)
        self.lengths: NDArray[numpy.int32] = (
            numpy.concatenate(lengths) if lengths else numpy.zeros(0, dtype=numpy.int32)
        )

    def row(self, index: int) -> NDArray[numpy.int32]:
        """The ids of one row, a view."""
        chunk = int(numpy.searchsorted(self._starts, index, side="right")) - 1
        offsets, local = self._offsets[chunk], index - int(self._starts[chunk])
        return self._values[chunk][offsets[local] : offsets[local + 1]]


@dataclass(frozen=True, slots=True)
class Masking:
    """How the pairs of a corpus are masked.

    Args:
        placeholders: stand for what is copied.
        held_out: whether the sources are to be translated, and masked whatever the targets have.
    """

    placeholders: Placeholders
    held_out: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that the result depends on, besides the normalisation of the target side."""
        return {"held_out": self.held_out, **self.placeholders.identity}

    def __call__(self, source: str, target: str) -> tuple[str, str]:
        """Return the texts of a pair as a model reads them."""
        if not self.held_out:
            masked = self.placeholders.mask_pair(source, target)
            return masked[0].text, masked[1].text
        known = self.placeholders.mask(source)
        return known.text, self.placeholders.mask_target(target, known.found).text

    def erased(self, source: str, target: str) -> tuple[str, str]:
        """Return the texts of a pair without what is copied."""
        read = self(source, target)
        return self.placeholders.erase(read[0]), self.placeholders.erase(read[1])

    def restore(self, text: str, source: str) -> str:
        """Put the strings of a held-out source into its translation."""
        return self.placeholders.restore(text, self.placeholders.mask(source).found)


class EncodedCorpus:
    """Encoded sentence pairs; every row of pieces ends in its end-of-sentence id.

    Args:
        dataset: a ``datasets.Dataset`` with ``source``, ``target``, ``source_ids``, ``target_ids`` and ``line``, and
            ``links`` if there are word alignments.
        report: its statistics.
        fingerprint: hash of the content (lines, ids, given links, positions), independent of its file.
        features: of the sources, if they are no text; ``source_ids`` then begins with the row there,
            and the pieces of the words beside it follow, if there are any.
        masking: how the texts were masked before they were encoded.

    Attributes:
        parts: examples from each of the corpora that were joined.
    """

    def __init__(
        self,
        dataset: Any,
        report: CorpusReport,
        fingerprint: str,
        *,
        features: Features | None = None,
        masking: Masking | None = None,
    ) -> None:
        self.dataset = dataset
        self.report = report
        self.fingerprint = fingerprint
        self.features = features
        self.masking = masking
        self.parts: tuple[int, ...] = (len(dataset),)
        table = dataset.data.table
        self._source, self._target = _Ids(table.column("source_ids")), _Ids(table.column("target_ids"))
        self._links = _Ids(table.column(LINKS.name)) if LINKS.name in table.column_names else None
        self._source_lengths = self._source.lengths
        if features is not None:
            self._feature_rows = pyarrow.compute.list_element(table.column("source_ids"), 0).to_numpy()
            self._source_lengths = features.lengths[self._feature_rows]

    def __len__(self) -> int:
        return len(self._target.lengths)

    @property
    def source_lengths(self) -> NDArray[numpy.int32]:
        """(N,) source lengths in pieces, including eos, or in positions of features."""
        return self._source_lengths

    def feature_row(self, index: int) -> int:
        """Where the features of an example are."""
        return int(self._feature_rows[index])

    def sources(self, indices: Sequence[int], vocabularies: Vocabularies) -> Source:
        """Return the sources of examples as a batch."""
        if self.features is None:
            return padded([self.source_row(index) for index in indices], vocabularies.source.pad_id)
        words = None
        if vocabularies.has_source:
            words = padded([self.source_row(index)[1:] for index in indices], vocabularies.source.pad_id)
        return self.features.batch([self.feature_row(index) for index in indices], words)

    @property
    def target_lengths(self) -> NDArray[numpy.int32]:
        """(N,) target lengths in pieces, including eos."""
        return self._target.lengths

    def source_row(self, index: int) -> NDArray[numpy.int32]:
        """Source ids of an example, including eos; a read-only view."""
        return self._source.row(index)

    def target_row(self, index: int) -> NDArray[numpy.int32]:
        """Target ids of an example, including eos; a read-only view."""
        return self._target.row(index)

    def source_ids(self, index: int) -> list[int]:
        """Source ids of an example, including eos."""
        ids: list[int] = self._source.row(index).tolist()
        return ids

    def target_ids(self, index: int) -> list[int]:
        """Target ids of an example, including eos."""
        ids: list[int] = self._target.row(index).tolist()
        return ids

    @property
    def aligned(self) -> bool:
        """Whether there are word alignments."""
        return self._links is not None

    def links(self, index: int) -> NDArray[numpy.int32]:
        """Given links of an example, (n, 2): white-space words of source and target, counted from 0."""
        if self._links is None:
            return numpy.zeros((0, 2), dtype=numpy.int32)
        return self._links.row(index).reshape(-1, 2)

    def source_text(self, index: int) -> str:
        """Raw source line of an example."""
        return str(self.dataset.data.column("source")[index])

    def target_text(self, index: int) -> str:
        """Raw target line of an example."""
        return str(self.dataset.data.column("target")[index])

    def texts(self, index: int) -> tuple[str, str]:
        """Both lines of an example as a model reads them: masked, not yet normalised."""
        raw = self.source_text(index), self.target_text(index)
        return raw if self.masking is None else self.masking(*raw)

    def read_text(self, index: int, side: Side) -> str:
        """One of ``texts``; the other side is looked at only where it decides what is masked."""
        if self.masking is not None:
            return self.texts(index)[SIDES.index(side)]
        return self.source_text(index) if side == "source" else self.target_text(index)

    def restored(self, index: int, translation: str) -> str:
        """A translation of an example's source with what is copied from there."""
        return translation if self.masking is None else self.masking.restore(translation, self.source_text(index))

    def line(self, index: int) -> int:
        """0-based position of an example in the corpus before filtering."""
        return int(self.dataset.data.column("line")[index].as_py())


def padded(rows: Sequence[NDArray[Any] | list[int]], pad_id: int) -> Tokens:
    """Like ``Tokens.pad``, for numpy rows."""
    lengths = numpy.array([len(row) for row in rows], dtype=numpy.int64)
    ids = numpy.full((len(rows), int(lengths.max(initial=0))), pad_id, dtype=numpy.int64)
    if len(rows):
        ids[numpy.arange(ids.shape[1]) < lengths[:, None]] = numpy.concatenate(rows)
    return Tokens(torch.from_numpy(ids), torch.from_numpy(lengths))
