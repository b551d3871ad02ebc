"""A batch cut in two."""

from __future__ import annotations

import numpy
import torch

from nmt.data.batch import Batch, Dense, Tokens


def test_halves_keep_everything_that_belongs_to_a_pair() -> None:
    source = Tokens(torch.arange(12).view(3, 4), torch.tensor([2, 4, 1]))
    target = Tokens(torch.arange(15).view(3, 5), torch.tensor([3, 1, 5]))
    alignment = torch.rand(3, 5, 4)
    first, second = Batch(source, target, torch.tensor([7, 8, 9]), alignment).halves()
    assert first.alignment is not None and second.alignment is not None
    assert (first.source.rows, second.source.rows) == (1, 2)
    assert first.examples.tolist() == [7] and second.examples.tolist() == [8, 9]
    assert first.source.ids.tolist() == [[0, 1]] and first.target.ids.tolist() == [[0, 1, 2]]
    assert torch.equal(first.alignment, alignment[:1, :3, :2])
    assert second.source.ids.shape == (2, 4) and second.target.ids.shape == (2, 5)
    assert torch.equal(second.alignment, alignment[1:])
    assert first.target_tokens + second.target_tokens == 9


def test_features_are_padded_cut_and_repeated_like_tokens() -> None:
    rows = [numpy.full((length, 2, 3), length, numpy.uint8) for length in (2, 4, 1)]
    dense = Dense.pad(rows, [7, 8, 9])
    assert dense.rows == 3 and dense.width == 4 and dense.values.shape == (3, 4, 2, 3)
    assert dense.values.flatten(2).amax(2).tolist() == [[2, 2, 0, 0], [4, 4, 4, 4], [1, 0, 0, 0]]
    assert torch.equal(dense.floats, dense.values.float() / 255)
    target = Tokens(torch.arange(15).view(3, 5), torch.tensor([3, 1, 5]))
    first, second = Batch(dense, target, torch.arange(3)).halves()
    assert isinstance(first.source, Dense) and isinstance(second.source, Dense)
    assert first.source.values.shape == (1, 2, 2, 3) and second.source.values.shape == (2, 4, 2, 3)
    assert second.source.lengths.tolist() == [4, 1] and second.source.units.tolist() == [8, 9]
    twice = Batch(dense, target, torch.arange(3)).repeated(2).source
    assert (
        isinstance(twice, Dense)
        and torch.equal(twice.values[3:], dense.values)
        and twice.units.tolist()[3:] == [7, 8, 9]
    )
    assert Dense.pad([numpy.ones((2, 1), numpy.float32)]).units.tolist() == [2]
