"""A batch cut in two."""

from __future__ import annotations

import torch

from nmt.data.batch import Batch, Tokens


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
