"""Initialisation of embeddings from pretrained word vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from nmt.core.storage.files import path_below
from nmt.data.data_config import DataConfig
from nmt.model.seq2seq import Seq2Seq
from nmt.text.subword import Side, SubwordModel
from nmt.text.vectors import PieceVectors, read_vectors
from nmt.text.vocabularies import Vocabularies


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedConfig:
    """Files of vectors in the text format of word2vec and fastText, relative to ``data.root``.

    Args:
        source: of the source language.
        target: of the target language.
    """

    source: str | None = None
    target: str | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield a problem if no file is named."""
        if self.source is None and self.target is None:
            yield "", "must name a file for source, target or both; or leave it out"

    def read(self, data: DataConfig, vocabularies: Vocabularies, size: int) -> dict[Side, PieceVectors]:
        """Read the vectors of each side that has a file, for embeddings of a size E.

        Raises:
            DataError: as ``read_vectors``.
        """
        sides: tuple[tuple[Side, str | None, SubwordModel, Callable[[str], str]], ...] = (
            ("source", self.source, vocabularies.source, data.normalise_source),
            ("target", self.target, vocabularies.target, data.normalise_target),
        )
        return {
            side: read_vectors(path_below(data.root, path), model, size, normalise=normalise)
            for side, path, model, normalise in sides
            if path is not None
        }


@torch.no_grad()
def begin_with_vectors(model: Seq2Seq, vectors: Mapping[Side, PieceVectors]) -> None:
    """Initialise embeddings from vectors; pieces without a vector keep their values.

    With a shared table, a piece found in both files gets the mean of its two vectors.
    """
    found = [
        ((model.source_words if side == "source" else model.target_embedding).weight, each)
        for side, each in vectors.items()
    ]
    counts = {table: table.new_zeros(len(table), 1) for table, _ in found}
    for table, each in found:
        counts[table][torch.from_numpy(each.ids)] += 1
    for table, count in counts.items():
        table.masked_fill_(count > 0, 0.0)
    for table, each in found:
        ids = torch.from_numpy(each.ids)
        table[ids] += torch.from_numpy(each.values).to(table) / counts[table][ids]
