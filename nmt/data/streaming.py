"""Training on corpora that are streamed: read, encoded and forgotten, window by window."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from nmt.core.config import to_mapping
from nmt.core.errors import CheckpointError, DataError, NmtError
from nmt.core.logging import Progress
from nmt.core.machine.distributed import gathered
from nmt.core.seeding import derive_seed
from nmt.data.batch import Batch
from nmt.data.corpus.pairs import Pairs, pairs_in_memory
from nmt.data.corpus.tags import with_tag
from nmt.data.data_config import DataConfig
from nmt.data.encoded import EncodedCorpus
from nmt.data.encoding import MemoryEncoder
from nmt.data.loader import Loader, Position, Sampling
from nmt.text.vocabularies import Vocabularies


class Stream:
    """The streamed training corpora of a recipe, interleaved by their weights.

    Args:
        config: the ``data`` section; all its training corpora are streamed.
    """

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self.name = "; ".join(corpus.describe() for corpus in config.train)

    @property
    def fingerprint(self) -> str:
        """Hash of what is asked for: what would be read nobody knows."""
        asked = [to_mapping(corpus) for corpus in self._config.train]
        asked = [{name: value for name, value in each.items() if (name, value) != ("tag", None)} for each in asked]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    def open(self, *, seed: int = 0, number: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        """Open the stream for one pass; its files are in another order in each.

        Args:
            seed: root seed of the run.
            number: of the pass, from 0.
            rank: number of this process, which gets its own part.
            world_size: number of processes.

        Returns:
            A ``datasets.IterableDataset`` with the columns ``source`` and ``target``.

        Raises:
            DataError: a corpus cannot be loaded.
        """
        from datasets import interleave_datasets
        from datasets.distributed import split_dataset_by_node

        streams = [_tagged(corpus.stream(Path(self._config.root)), corpus.tag) for corpus in self._config.train]
        weights = self._config.weights
        if len(streams) > 1 and weights is not None:
            shares = [weight / sum(weights) for weight in weights]
            dataset = interleave_datasets(streams, shares, seed=seed % 2**32, stopping_strategy="all_exhausted")
        else:
            (dataset,) = streams
        if world_size > 1:
            dataset = split_dataset_by_node(dataset, rank=rank, world_size=world_size)
        # The library orders files by this number alone.
        dataset.set_epoch(1 + derive_seed(seed, "stream", number) % 2**31)
        return dataset

    def first(self, count: int) -> Pairs:
        """Read the first pairs into memory.

        Raises:
            DataError: the stream is empty or cannot be read.
        """
        with Progress(f"reading {self.name}", unit="pairs", total=count, passing=True) as shown:
            rows = []
            for row in islice(self.rows(self.open()), count):
                rows.append(row)
                shown.advance()
        if not rows:
            raise DataError(f"{self.name}: must hold at least one sentence pair, but is empty")
        return pairs_in_memory(rows, f"the first {len(rows)} pairs of {self.name}")

    def text(self) -> Pairs:
        """Read as much as a vocabulary is trained on: ``data.subword.max_lines``, from the beginning."""
        subword = self._config.subword
        if not (subword.trained or self._config.placeholders) or subword.max_lines is None:
            return self.first(1)
        return self.first(subword.max_lines // 2 if subword.joint else subword.max_lines)

    def rows(self, dataset: Any) -> Iterator[tuple[str, str]]:
        """Yield the pairs of an opened stream.

        Raises:
            DataError: it cannot be read further, or a record lacks a field.
        """
        try:
            for row in dataset:
                yield row["source"], row["target"]
        except NmtError:
            raise
        except Exception as error:  # the library raises many kinds of errors: of files, formats and networks
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(
                f"{self.name}: the stream cannot be read further: {reason}; check the network, and continue the run "
                "with --resume"
            ) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next batch of a process begins.

    Args:
        number: of the pass over the stream, from 0.
        window: windows read before, in all passes.
        examples: examples of this pass in windows read before.
        taken: examples of this window already consumed.
        state: state of the stream at the beginning of the window, as the library gives it; ``None`` at the beginning.
    """

    number: int = 0
    window: int = 0
    examples: int = 0
    taken: int = 0
    state: Mapping[str, Any] | None = None


class StreamLoader:
    """Endless batches of a stream, each process from its own part.

    So many pairs are read at a time, encoded, filtered, and planned like a small corpus: sorted by length, cut into
    batches, and shuffled. To resume, the window is read again from where it began: unlike the library's own shuffle
    buffer, which is lost then, it gives the same batches.

    Args:
        stream: the corpora.
        vocabularies: of both sides.
        config: the ``data`` section.
        seed: root seed of the run.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        stream: Stream,
        vocabularies: Vocabularies,
        config: DataConfig,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._stream = stream
        self._vocabularies = vocabularies
        self._config = config
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._encode = MemoryEncoder(
            vocabularies,
            source_normalisation=config.normalisation,
            target_normalisation=config.written,
            filters=config.filters,
            masking=config.masking(vocabularies),
        )
        self._sampling = None
        if config.subword.sampling is not None:
            self._sampling = Sampling(config.subword.sampling, config.normalisation, config.written)

    def passes(self, position: Position) -> float:
        """Passes over this process's part completed at a position: how long a pass is, is not known."""
        return float(position.epoch)

    def batches(self, position: Position) -> Iterator[tuple[Batch, Position]]:
        """Yield batches from a position on, each with the position after it; endless.

        Raises:
            DataError: the stream is empty or cannot be read.
            CheckpointError: the position is of another number of processes.
        """
        for corpus, place, after in self._windows(self._place(position)):
            for batch, inside in self._loader(corpus, place).batches(Position(0, place.taken)):
                if inside.epoch:
                    yield batch, _position(after)
                    break
                yield batch, _position(replace(place, taken=inside.examples))

    def first_window(self) -> Loader:
        """Read the first window."""
        corpus, place, _ = next(self._windows(_Place()))
        return self._loader(corpus, place)

    def shared(self, position: Position) -> Position:
        """Put the places of all processes into a position, which each then can resume from."""
        if len(position.streams) == self._world_size:  # no batch has been drawn since all places were put into it
            return position
        places = gathered(lambda: position.streams)
        return replace(position, streams=tuple(place for each in places for place in each))

    def _place(self, position: Position) -> _Place:
        if not position.streams:
            return _Place()
        if len(position.streams) != self._world_size:
            raise CheckpointError(
                f"a streamed corpus is read by as many processes as before, {len(position.streams)}, but there are "
                f"{self._world_size}; or begin a new run from these weights with training.init_from"
            )
        return _Place(**position.streams[self._rank])

    def _windows(self, place: _Place) -> Iterator[tuple[EncodedCorpus, _Place, _Place]]:
        """Yield the windows from a place on, each with its place and that of the next one."""
        while True:
            dataset = self._stream.open(
                seed=self._seed, number=place.number, rank=self._rank, world_size=self._world_size
            )
            if place.state is not None:
                dataset.load_state_dict(place.state)
            rows = self._stream.rows(dataset)
            while pairs := list(islice(rows, self._config.window)):
                corpus = self._encode(pairs_in_memory(pairs, self._stream.name))
                examples = place.examples + len(corpus)
                after = _Place(place.number, place.window + 1, examples, state=dataset.state_dict())
                if len(corpus):
                    yield corpus, place, after
                place = after
            if not place.examples:
                raise DataError(
                    f"{self._stream.name}: a whole pass gives no pair"
                    + (f" to process {self._rank + 1} of {self._world_size}" if self._world_size > 1 else "")
                    + "; the corpus is empty, or data.filters drops everything"
                )
            place = _Place(place.number + 1, place.window)

    def _loader(self, corpus: EncodedCorpus, place: _Place) -> Loader:
        seed = derive_seed(self._seed, "window", self._rank, place.window)
        return Loader(corpus, self._vocabularies, self._config.batch, seed=seed, sampling=self._sampling)


def _tagged(stream: Any, tag: str | None) -> Any:
    if tag is None:
        return stream
    return stream.map(lambda row: {"source": with_tag(row["source"], tag)})


def _position(place: _Place) -> Position:
    return Position(place.number, place.examples + place.taken, (asdict(place),))
