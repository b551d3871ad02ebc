"""The preparation of encoded corpora from the recipe's ``data`` section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.logging import logger
from nmt.core.storage.files import path_below
from nmt.data.corpus import Pairs, read_all_pairs
from nmt.data.data_config import DataConfig
from nmt.data.encoded import EncodedCorpus
from nmt.data.encoding import encode_pairs
from nmt.data.filters import FilterConfig
from nmt.data.loader import Alignments, Loader, Sampling
from nmt.data.mixture import Mixture, shares_of
from nmt.data.source.features import find_features
from nmt.text.placeholders import Placeholders, learnt_placeholders
from nmt.text.subword import SIDES, Side, SubwordConfig, SubwordModel
from nmt.text.training import train_subword
from nmt.text.vocabularies import Vocabularies
from nmt.text.vocabulary_extension import with_symbols


def read_training_pairs(config: DataConfig, *, cache: Path | None = None) -> Pairs:
    """Read and concatenate the training corpora.

    Raises:
        DataError: a corpus cannot be read or is empty.
    """
    return read_all_pairs(config.train, config.root, cache=cache)


def prepare_vocabulary(config: DataConfig, pairs: Pairs, output_dir: Path) -> Vocabularies:
    """Train the vocabularies on the training text, or load the models that the recipe names.

    Args:
        config: the ``data`` section.
        pairs: raw training pairs.
        output_dir: folder for ``joint.model``, or ``source.model`` and ``target.model``.

    Raises:
        DataError: a named model is unusable, or the text is too small for the vocabulary size.
    """
    symbols = learnt_symbols(config, pairs)
    placeholders = Placeholders(config.placeholders, symbols, config.written, config.symbols) if symbols else None
    added = tuple(dict.fromkeys((*config.tags, *symbols)))
    subword = replace(config.subword, user_symbols=tuple(dict.fromkeys((*config.symbols, *symbols))))

    def side_lines(side: Side) -> Iterator[str]:
        if placeholders is None:
            yield from (line for (line,) in _evenly(pairs, config.subword, side))
        else:
            rows = _evenly(pairs, config.subword, *SIDES)
            yield from (placeholders.mask_pair(*row)[SIDES.index(side)].text for row in rows)

    def sources() -> Iterator[str]:
        lines = side_lines("source")
        if config.source.features is not None:
            lines = map(config.source.words_of, lines)
        return (config.normalise_source(line) for line in lines if not is_blank(line))

    def targets() -> Iterator[str]:
        return (config.normalise_target(line) for line in side_lines("target") if not is_blank(line))

    def both() -> Iterator[str]:
        yield from sources()
        yield from targets()

    def model(existing: str | None, name: str, side: Side, lines: Iterator[str]) -> SubwordModel:
        if existing is not None:
            return SubwordModel.load(path_below(config.root, existing))
        output, text = output_dir / f"{name}.model", f"{name} text of {pairs.name}"
        return train_subword(lines, subword, output=output, name=text, side=side)

    if not config.source.has_words:
        vocabularies = Vocabularies(None, model(subword.target_model, "target", "target", targets()))
    elif subword.joint:
        joint = model(subword.source_model, "joint", "source", both())
        vocabularies = Vocabularies(joint, joint)
    else:
        vocabularies = Vocabularies(
            model(subword.source_model, "source", "source", sources()),
            model(subword.target_model, "target", "target", targets()),
        )
    vocabularies = with_symbols(vocabularies, added)  # to those that the recipe names
    check_symbols(vocabularies, config)
    vocabularies.save(output_dir)
    return Vocabularies.load(output_dir, has_source=vocabularies.has_source)


def check_symbols(vocabularies: Vocabularies, config: DataConfig) -> None:
    """Raise an error for vocabularies with symbols that normalisation changes; those trained here have none.

    Raises:
        DataError: names the symbol and its normalised form.
    """
    for side, model in vocabularies.by_side.items():
        normalisation = config.normalisation if side == "source" else config.written
        for symbol in model.symbols:
            changed = model.normalise(symbol, normalisation)
            if changed != symbol:
                raise DataError(
                    f"{model.path}: has the symbol {symbol}, but normalisation turns it into {changed} in the "
                    f"{side} text, so it would never be read; change data.normalisation, or train the vocabulary "
                    "here, which keeps symbols as they are"
                )


def learnt_symbols(config: DataConfig, pairs: Pairs) -> tuple[str, ...]:
    """Return the symbols of ``data.placeholders`` that the training text teaches, and log what there is to copy."""
    if not config.placeholders:
        return ()
    rows = _evenly(pairs, config.subword, *SIDES)
    learnt = learnt_placeholders(config.placeholders, rows, config.written, config.symbols)
    for each in learnt:
        (logger.warning if each.doubtful else logger.info)("data.placeholders: %s", each)
    return tuple(symbol for each in learnt for symbol in each.symbols)


def _evenly(pairs: Pairs, subword: SubwordConfig, *sides: Side) -> Iterator[Any]:
    """Yield the sides of the evenly spaced pairs that a vocabulary is trained on; the others are not made strings."""
    wanted = len(pairs)
    if subword.max_lines is not None:
        wanted = min(wanted, subword.max_lines // 2 if subword.joint else subword.max_lines)
    places = -(-numpy.arange(wanted, dtype=numpy.int64) * len(pairs) // wanted)
    for first, table in pairs.tables():
        begin, end = numpy.searchsorted(places, [first, first + len(table)])
        chosen = places[begin:end] - first
        yield from zip(*(table[side].take(chosen).to_pylist() for side in sides), strict=True)


def encode_corpus(
    pairs: Pairs,
    vocabularies: Vocabularies,
    config: DataConfig,
    *,
    filters: FilterConfig | None = None,
    held_out: bool = False,
    cache: Path | None = None,
) -> EncodedCorpus:
    """Normalise, encode and filter a corpus, or load it from the cache.

    Args:
        pairs: raw pairs.
        vocabularies: of both sides.
        config: the ``data`` section.
        filters: instead of ``config.filters``; validation corpora are not filtered by length.
        held_out: whether its sources are to be translated, so that all that may be copied is replaced in them.
        cache: folder for the result; ``None`` for a temporary one.

    Raises:
        DataError: the filters leave no pair, or files of features cannot be read.
    """
    source, found = config.source.features, None
    if source is None and pairs.counts.files:
        raise DataError(f"{pairs.name}: its sources are files, not text; say by data.source what they are")
    if source is not None:
        found = find_features(pairs.sources(), source, Path(config.root), name=pairs.name, cache=cache)
    return encode_pairs(
        pairs,
        vocabularies,
        found=found,
        source_normalisation=config.normalisation,
        target_normalisation=config.written,
        filters=config.filters if filters is None else filters,
        masking=config.masking(vocabularies, held_out=held_out),
        processes=config.processes,
        cache=cache,
    )


def training_loader(
    corpus: EncodedCorpus,
    vocabularies: Vocabularies,
    config: DataConfig,
    *,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    aligned: bool = False,
) -> Loader:
    """Build the loader of a training corpus as in the recipe, including subword sampling.

    Args:
        corpus: the encoded corpus.
        vocabularies: of both sides.
        config: the ``data`` section.
        seed: root seed of the run.
        rank: number of this process.
        world_size: number of processes.
        aligned: whether batches include the given alignments.

    Raises:
        DataError: alignments are requested, but the corpus has none; or a corpus with a weight is never drawn.
    """
    sampling = alignments = None
    if config.subword.sampling is not None:
        sampling = Sampling(config.subword.sampling, config.normalisation, config.written)
    if aligned:
        if not corpus.aligned:
            raise DataError(f"{corpus.report.name}: has no alignments to train with; name their files in data.train")
        alignments = Alignments(config.normalisation, config.written)
    mixture = mixture_of(config, corpus.parts)
    if mixture is not None:
        logger.info("mixture: %s", mixture.describe([each.describe() for each in config.train]))
    return Loader(
        corpus,
        vocabularies,
        config.batch,
        seed=seed,
        rank=rank,
        world_size=world_size,
        alignments=alignments,
        mixture=mixture,
        sampling=sampling,
    )


def mixture_of(config: DataConfig, sizes: Sequence[int]) -> Mixture | None:
    """Return how often each training corpus is drawn; ``None`` for every example once an epoch.

    Args:
        config: the ``data`` section.
        sizes: examples of each corpus after the filters.

    Raises:
        DataError: a corpus has no example, or so small a share that none is drawn; names its weight.
    """
    shares = shares_of(sizes, config.weights, config.temperature)
    if shares is None or len(sizes) == 1:
        return None
    for corpus, size in zip(config.train, sizes, strict=True):
        if not size:
            raise DataError(f"{corpus.describe()}: none of its pairs is left after the filters, so none can be drawn")
    mixture = Mixture.of(sizes, shares)
    for index, count in enumerate(mixture.counts):
        if not count:
            raise DataError(
                f"data.train.{index}.weight: none of the {sizes[index]} pairs of {config.train[index].describe()} is "
                f"among the {sum(sizes)} examples of an epoch: its share is {shares[index] / sum(shares):.1g}; raise "
                "its weight, or leave the corpus out"
            )
    return mixture
