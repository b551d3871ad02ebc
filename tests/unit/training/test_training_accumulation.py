"""A batch that memory does not hold is computed in parts: the same gradient, reported once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_training_trainer import NO_DROPOUT, PLAIN, SGD, assert_close, assert_equal, weights
from tiny_training import build, make_recipe

from nmt.data.batch import Batch, Tokens
from nmt.training.objective.training_module import BatchLoss
from nmt.training.trainer import Trainer

EXAMPLES = [3, 50, 7, 120, 9, 11, 190]


def hold_at_most(trainer: Trainer, rows: int, error: Callable[[], Exception], *, after: bool = False) -> list[int]:
    """Let memory hold so many sentences; ``after`` runs out in the backward pass, when there are gradients already."""
    loss, seen = trainer._accumulate._loss, []

    def limited(batch: Batch) -> BatchLoss:
        seen.append(batch.source.rows)
        if batch.source.rows <= rows:
            return loss(batch)
        if not after:
            raise error()
        found = loss(batch)

        def run_out(gradient: torch.Tensor) -> torch.Tensor:
            handle.remove()
            raise error()

        handle = trainer.model.source_embedding.weight.register_hook(run_out)
        return found

    trainer._accumulate._loss = limited
    return seen


ERRORS = [
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
]


@pytest.mark.costly
@pytest.mark.parametrize("error", ERRORS)
def test_parts_give_the_gradient_of_the_whole(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Callable[[], Exception]
) -> None:
    parts, whole = (build(make_recipe(corpus, *PLAIN, SGD), tmp_path / name) for name in ("parts", "whole"))
    seen = hold_at_most(parts, 2, error)
    with caplog.at_level(logging.WARNING, "nmt"):
        for _ in range(2):
            for trainer in (parts, whole):
                trainer._update([trainer.loader.assemble([1, 2]), trainer.loader.assemble(EXAMPLES)])
    # 7 = 3 + 4, 3 = 1 + 2, 4 = 2 + 2; each time from the beginning
    assert seen[: len(seen) // 2] == [2, 7, 2, 3, 2, 1, 2, 4, 2, 1, 2, 2, 2]
    assert_close(weights(parts), weights(whole))
    assert parts.state.window.loss == pytest.approx(whole.state.window.loss, rel=1e-5)
    assert parts.state.tokens == whole.state.tokens
    assert caplog.text.count("out of memory on a batch of 7 sentences") == 1 == len(caplog.records)


def test_gradients_of_a_failed_attempt_do_not_count(corpus: Path, tmp_path: Path) -> None:
    parts, whole = (build(make_recipe(corpus, *PLAIN, SGD), tmp_path / name) for name in ("parts", "whole"))
    seen = hold_at_most(parts, 2, ERRORS[0], after=True)
    for trainer in (parts, whole):
        trainer._accumulate([trainer.loader.assemble([1, 2]), trainer.loader.assemble([1, 2, 3, 4])])
    assert seen == [2, 4, 2, 2, 2]
    gradients = [{n: p.grad for n, p in trainer.model.named_parameters()} for trainer in (parts, whole)]
    assert_close(*gradients)  # type: ignore[arg-type]


def test_batches_that_fit_draw_the_dropout_they_drew_before(corpus: Path, tmp_path: Path) -> None:
    """A last batch that fails and is split leaves the dropout of the batches before it as it was."""
    one, other = (build(make_recipe(corpus, SGD), tmp_path / name) for name in ("one", "other"))
    for trainer in (one, other):
        torch.manual_seed(3)
        batches = [trainer.loader.assemble([1, 2]), *trainer.loader.assemble(EXAMPLES).halves()]
        if trainer is one:
            hold_at_most(one, 4, ERRORS[1])
            batches = [trainer.loader.assemble([1, 2]), trainer.loader.assemble(EXAMPLES)]
        trainer._update(batches)
    assert_equal(weights(one), weights(other))
    torch.manual_seed(0)


def test_a_sentence_that_does_not_fit_and_other_errors_end_training(corpus: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(corpus, NO_DROPOUT), tmp_path / "run")
    seen = hold_at_most(trainer, 0, ERRORS[0])
    with pytest.raises(torch.OutOfMemoryError):
        trainer._update([trainer.loader.assemble([1, 2])])
    assert seen == [2, 1]
    trainer = build(make_recipe(corpus, NO_DROPOUT), tmp_path / "other")
    seen = hold_at_most(trainer, 0, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        trainer._update([trainer.loader.assemble([1, 2])])
    assert seen == [2]


def test_halves_hold_every_row_with_its_own_padding() -> None:
    batch = Batch(
        Tokens.pad([[1, 2], [3, 4, 5], [6]], 0), Tokens.pad([[1], [2], [3, 4, 5, 6]], 0), torch.tensor([7, 8, 9])
    )
    first, second = batch.halves()
    assert first.source.ids.tolist() == [[1, 2]] and second.source.ids.tolist() == [[3, 4, 5], [6, 0, 0]]
    assert first.target.ids.tolist() == [[1]] and second.target.ids.tolist() == [[2, 0, 0, 0], [3, 4, 5, 6]]
    assert (first.examples.tolist(), second.examples.tolist()) == ([7], [8, 9])
    assert second.target.lengths.tolist() == [1, 4]


def test_what_buffers_carry_is_put_back(corpus: Path, tmp_path: Path) -> None:
    """A moving baseline must not move in an attempt that failed."""
    trainer = build(make_recipe(corpus, *PLAIN, SGD), tmp_path / "run")
    trainer.module.register_buffer("seen", torch.zeros(()))
    loss = trainer._accumulate._loss

    def counted(batch: Batch) -> BatchLoss:
        trainer.module.seen += batch.source.rows
        return loss(batch)

    trainer._accumulate._loss = counted
    hold_at_most(trainer, 2, ERRORS[0], after=True)
    trainer._accumulate([trainer.loader.assemble([1, 2]), trainer.loader.assemble([1, 2, 3, 4])])
    assert trainer.module.seen == 6
