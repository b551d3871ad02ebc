"""Encodes raw pairs to a corpus on disk; the bytes do not depend on the number of processes."""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy
import pyarrow
import pyarrow.compute

from nmt.core.characters import is_blank
from nmt.core.config import to_mapping
from nmt.core.errors import DataError
from nmt.core.logging import Progress
from nmt.core.machine.processes import POSSIBLE, Processes, usable_cores
from nmt.data.cache import Cache
from nmt.data.corpus.pairs import LINKS, Pairs, open_table, table_in_memory
from nmt.data.encoded import CorpusReport, EncodedCorpus, Masking
from nmt.data.filters import FilterConfig
from nmt.data.source.features import FoundFeatures
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies

ROWS = 10_000  # pairs encoded at once, and rows of a record batch
SEVERAL = 200_000  # least pairs for several processes by default; each takes half a second to start

_SCHEMA = pyarrow.schema(
    [
        ("source", pyarrow.string()),
        ("target", pyarrow.string()),
        ("source_ids", pyarrow.list_(pyarrow.int32())),
        ("target_ids", pyarrow.list_(pyarrow.int32())),
        ("line", pyarrow.int64()),
    ]
)


def encode_pairs(
    pairs: Pairs,
    vocabularies: Vocabularies,
    *,
    source_normalisation: NormalisationConfig,
    target_normalisation: NormalisationConfig,
    filters: FilterConfig,
    found: FoundFeatures | None = None,
    masking: Masking | None = None,
    processes: int | None = None,
    cache: Path | None = None,
) -> EncodedCorpus:
    """Normalise, encode and filter a corpus, or load it from the cache.

    Args:
        pairs: raw pairs.
        vocabularies: of both sides.
        source_normalisation: applied to the sources.
        target_normalisation: applied to the targets.
        filters: which pairs to keep.
        found: features of the sources, if they are no text; only targets are encoded then, and filtered by length.
        masking: how pairs are masked first.
        processes: number of processes; ``None`` for one per core if the corpus is large, else this one.
        cache: folder for the result; ``None`` for a temporary one.

    Raises:
        DataError: no pair is left.
    """
    identity = {
        "pairs": pairs.identity,
        "vocabularies": vocabularies.fingerprint,
        "normalisation": [to_mapping(source_normalisation), to_mapping(target_normalisation)],
        "filters": to_mapping(filters),
        **({} if found is None else {"features": found.fingerprint}),
        **({} if masking is None else {"masking": masking.identity}),
    }
    if processes is None:
        processes = usable_cores() if len(pairs) >= SEVERAL else 1
    processes = max(1, min(processes, math.ceil(len(pairs) / ROWS))) if POSSIBLE else 1

    def build(folder: Path) -> dict[str, Any]:
        normalisations = source_normalisation, target_normalisation
        sides = _sides(vocabularies, normalisations, found, threads=1 if processes > 1 else -1)
        counts, fingerprint = _write(pairs, folder / "encoded.arrow", _Encoder(sides, filters, masking), processes)
        report = counts.report(pairs)
        if not report.kept:
            reasons = ", ".join(f"{reason} {count}" for reason, count in report.dropped.items() if count)
            raise DataError(
                f"{pairs.name}: none of the {report.lines} pairs is left after the filters (dropped: {reasons}); "
                "loosen data.filters or check that the sides belong together"
            )
        if found is not None:  # the ids only tell where features are
            fingerprint = hashlib.sha256(f"{fingerprint} {found.fingerprint}".encode()).hexdigest()
        return {"report": report.as_json(), "fingerprint": fingerprint}

    folder, values = Cache(cache).fetch("encoded", identity, build)
    report = dataclasses.replace(CorpusReport(**values["report"]), name=pairs.name)
    features = None if found is None else found.features
    table, fingerprint = open_table(folder / "encoded.arrow"), values["fingerprint"]
    corpus = EncodedCorpus(table, report, fingerprint, features=features, masking=masking)
    ends = [bisect.bisect_left(range(len(corpus)), end, key=corpus.line) for end in itertools.accumulate(pairs.parts)]
    corpus.parts = tuple(end - begin for begin, end in itertools.pairwise([0, *ends]))
    return corpus


class MemoryEncoder:
    """Normalises, encodes and filters corpora that are on no disk; arguments as for ``encode_pairs``."""

    def __init__(
        self,
        vocabularies: Vocabularies,
        *,
        source_normalisation: NormalisationConfig,
        target_normalisation: NormalisationConfig,
        filters: FilterConfig,
        masking: Masking | None = None,
    ) -> None:
        sides = _sides(vocabularies, (source_normalisation, target_normalisation), None, threads=-1)
        self._encoder = _Encoder(sides, filters, masking)
        self._masking = masking

    def __call__(self, pairs: Pairs) -> EncodedCorpus:
        """Encode a corpus into memory; it may be that no pair is left."""
        counts, batches = _Counts(), []
        for message, counted in map(self._encoder, _pieces(pairs)):
            batches.append(pyarrow.ipc.read_record_batch(message, _SCHEMA))
            counts.add(counted)
        table = table_in_memory(pyarrow.Table.from_batches(batches, _SCHEMA))
        return EncodedCorpus(table, counts.report(pairs), "", masking=self._masking)


@dataclass(slots=True)
class _Counts:
    """Sums of the values of the report; lists have an element per side."""

    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=lambda: [0, 0])
    unknown: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, other: _Counts) -> None:
        self.kept += other.kept
        for reason, count in other.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        for side in (0, 1):
            self.tokens[side] += other.tokens[side]
            self.unknown[side] += other.unknown[side]

    def report(self, pairs: Pairs) -> CorpusReport:
        return CorpusReport(
            name=pairs.name,
            lines=len(pairs),
            carriage_returns=pairs.counts.carriage_returns,
            line_feeds=pairs.counts.line_feeds,
            dropped=self.dropped,
            kept=self.kept,
            source_tokens=self.tokens[0],
            target_tokens=self.tokens[1],
            source_unknown=self.unknown[0],
            target_unknown=self.unknown[1],
        )


class _Side:
    """Encodes the lines of one side; picklable.

    Args:
        serialised: content of the ``.model`` file.
        path: its file.
        normalisation: applied first.
        threads: of SentencePiece; -1 for one per core.
    """

    def __init__(self, serialised: bytes, path: Path, normalisation: NormalisationConfig, *, threads: int) -> None:
        self._given = serialised, path, normalisation
        self._threads = threads
        self._model: SubwordModel | None = None

    @property
    def model(self) -> SubwordModel:
        """The subword model, loaded on first use."""
        if self._model is None:
            serialised, path, _ = self._given
            self._model = SubwordModel(serialised, path)
        return self._model

    def encode(self, lines: list[str]) -> list[list[int]]:
        """Ids of each line, including eos; only eos for a blank line."""
        model, normalisation = self.model, self._given[2]
        texts = ["" if is_blank(line) else model.normalise(line, normalisation) for line in lines]
        rows = model.encode_batch(texts, threads=self._threads)
        for row in rows:
            row.append(model.eos_id)
        return rows

    def tokens(self, rows: list[list[int]]) -> int:
        """Number of pieces, including eos."""
        return sum(map(len, rows))

    def unknown(self, rows: list[list[int]]) -> int:
        """Number of unknown pieces."""
        unknown = self.model.unk_id
        return sum(row.count(unknown) for row in rows)


class _FeatureSide:
    """Finds the features of source lines that name files; picklable.

    Args:
        found: the features.
        words: encodes the words beside the files, if there are any.
    """

    def __init__(self, found: FoundFeatures, words: _Side | None) -> None:
        self._rows = found.rows
        self._source = found.features.source
        self._words = words

    def encode(self, lines: list[str]) -> list[list[int]]:
        """The row of each line, and the ids of its words with eos; nothing for a blank line."""
        rows = [[] if is_blank(line) else [self._rows[self._source.path_of(line)]] for line in lines]
        if self._words is not None:
            words = self._words.encode([self._source.words_of(line) for line in lines])
            rows = [row and row + ids for row, ids in zip(rows, words, strict=True)]
        return rows

    def tokens(self, rows: list[list[int]]) -> int:  # noqa: ARG002
        """There are no pieces."""
        return 0

    def unknown(self, rows: list[list[int]]) -> int:  # noqa: ARG002
        """Nothing is unknown."""
        return 0


def _sides(
    vocabularies: Vocabularies,
    normalisations: tuple[NormalisationConfig, NormalisationConfig],
    found: FoundFeatures | None,
    *,
    threads: int,
) -> tuple[_Side | _FeatureSide, _Side]:
    def side(model: SubwordModel, normalisation: NormalisationConfig) -> _Side:
        return _Side(model.serialised, model.path, normalisation, threads=threads)

    target = side(vocabularies.target, normalisations[1])
    source = side(vocabularies.source, normalisations[0]) if vocabularies.has_source else None
    if found is not None:
        return _FeatureSide(found, source), target
    assert source is not None, "text has a vocabulary"
    return source, target


class _Encoder:
    """Encodes a part of a corpus; picklable.

    Args:
        sides: source and target.
        filters: which pairs to keep.
        masking: how pairs are masked first.
    """

    def __init__(
        self, sides: tuple[_Side | _FeatureSide, _Side], filters: FilterConfig, masking: Masking | None
    ) -> None:
        self._sides = sides
        self._filters = filters
        self._masking = masking

    def begin(self) -> Self:
        """Start in a worker process."""
        return self

    def __call__(self, piece: tuple[int, bytes]) -> tuple[bytes, _Counts]:
        """Encode pairs.

        Args:
            piece: position of the first pair in the corpus, and the raw columns as an Arrow stream.

        Returns:
            The record batch of the pairs kept, as an Arrow message, and the counts.
        """
        first, stream = piece
        columns = pyarrow.ipc.open_stream(stream).read_all()
        texts = [columns[name].to_pylist() for name in ("source", "target")]
        read = texts
        if self._masking is not None:
            read = [list(side) for side in zip(*map(self._masking, *texts), strict=True)] or texts
        rows = [side.encode(lines) for side, lines in zip(self._sides, read, strict=True)]
        lengths = [numpy.array([len(row) for row in side], dtype=numpy.int64) for side in rows]
        targets = lengths[1] - 1
        # Features have no length to compare with: any source that is there passes.
        sources = lengths[0] - 1 if isinstance(self._sides[0], _Side) else numpy.where(lengths[0], targets, 0)
        kept, dropped = self._filters.apply(sources, targets)
        chosen = numpy.flatnonzero(kept)
        rows = [[side[i] for i in chosen] for side in rows]
        counts = _Counts(
            kept=len(chosen),
            dropped=dropped,
            tokens=[side.tokens(ids) for side, ids in zip(self._sides, rows, strict=True)],
            unknown=[side.unknown(ids) for side, ids in zip(self._sides, rows, strict=True)],
        )
        aligned = LINKS.name in columns.column_names
        given = [[side[i] for i in chosen] for side in texts]
        links = [columns[LINKS.name].take(chosen).combine_chunks()] if aligned else []
        batch = pyarrow.record_batch([*given, *rows, (chosen + first).tolist(), *links], schema=_schema(aligned))
        return batch.serialize().to_pybytes(), counts


class _Content:
    """Hashes the content of a table, independent of its batches and file layout."""

    def __init__(self) -> None:
        self._sums: dict[str, hashlib._Hash] = {}

    def add(self, batch: pyarrow.RecordBatch) -> None:
        """Hash more rows: the values of each column; for strings and lists their content and lengths."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pyarrow.types.is_string(column.type):
                self._add(f"{name} lengths", pyarrow.compute.binary_length(column))
                self._sum(name).update(_letters(column))
            elif pyarrow.types.is_list(column.type):
                self._add(f"{name} lengths", pyarrow.compute.list_value_length(column))
                self._add(name, column.flatten())
            else:
                self._add(name, column)

    def fingerprint(self) -> str:
        """One hash for all columns, in hexadecimal."""
        sums = "".join(f"{name}: {each.hexdigest()}\n" for name, each in sorted(self._sums.items()))
        return hashlib.sha256(sums.encode()).hexdigest()

    def _add(self, name: str, numbers: pyarrow.Array) -> None:
        self._sum(name).update(numbers.to_numpy(zero_copy_only=False).tobytes())

    def _sum(self, name: str) -> hashlib._Hash:
        return self._sums.setdefault(name, hashlib.sha256())


def _letters(lines: pyarrow.StringArray) -> memoryview:
    """The concatenated bytes of all lines, without a copy."""
    if not len(lines):
        return memoryview(b"")
    _, offsets, letters = lines.buffers()
    begin, end = numpy.frombuffer(offsets, numpy.int32)[[lines.offset, lines.offset + len(lines)]]
    return memoryview(letters or b"")[begin:end]


def _schema(aligned: bool) -> pyarrow.Schema:
    return _SCHEMA.append(LINKS) if aligned else _SCHEMA


def _write(pairs: Pairs, path: Path, encoder: _Encoder, processes: int) -> tuple[_Counts, str]:
    """Encode pairs into a file; return the counts, and the fingerprint of the content."""
    counts, content = _Counts(), _Content()
    schema = _schema(pairs.aligned)
    with (
        pyarrow.OSFile(str(path), "wb") as sink,
        pyarrow.ipc.new_stream(sink, schema) as writer,
        Progress(f"encoding {pairs.name}", unit="pairs", total=len(pairs), passing=True) as shown,
    ):
        for message, counted in _encoded(encoder, _pieces(pairs), processes):
            batch = pyarrow.ipc.read_record_batch(message, schema)
            writer.write_batch(batch)
            content.add(batch)
            counts.add(counted)
            shown.advance(min(ROWS, len(pairs) - shown.done))
    return counts, content.fingerprint()


def _encoded(encoder: _Encoder, pieces: Iterator[tuple[int, bytes]], processes: int) -> Iterator[tuple[bytes, _Counts]]:
    """Encode pieces here or in several processes, in order."""
    if processes == 1:
        yield from map(encoder, pieces)
        return
    advice = "set data.processes lower"
    with Processes(encoder.begin, processes, each="an encoding process", advice=advice) as several:
        yield from several.map(pieces)


def _pieces(pairs: Pairs) -> Iterator[tuple[int, bytes]]:
    """The corpus in pieces, each as the position of its first pair and an Arrow stream."""
    for first, table in pairs.tables(ROWS):
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        yield first, sink.getvalue().to_pybytes()
