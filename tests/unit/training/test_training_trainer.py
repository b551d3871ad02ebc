"""Updates, skipped updates, what is kept, when training stops, and what the log says."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import build, make_losses_bad, make_recipe, records, train
from torch.nn import functional

from nmt.assembly import prepare_corpora
from nmt.core import config
from nmt.core.errors import ConfigError, DataError, TrainingError
from nmt.core.storage.checksums import write_checksums
from nmt.core.storage.run_folder import MODEL, OPTIMISER, STATE, checkpoint_path, checkpoint_steps
from nmt.data.batch import Batch
from nmt.dry_run import describe
from nmt.metrics.score import Score
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import model_tensors, read_tensors
from nmt.recipe import Recipe
from nmt.training.interruption import Interruption
from nmt.training.optimisation.accumulation import grouped
from nmt.training.optimisation.optimiser import optimiser_tensors
from nmt.training.records.training_pictures import Pictures
from nmt.training.trainer import Trainer
from nmt.training.training_config import TrainingConfig
from nmt.training.validation_result import Validation
from nmt.translation.model_files.bundle import Bundle

pytestmark = pytest.mark.slow

NO_DROPOUT = "model.dropout={embedding: 0, layers: 0, readout: 0, word: 0}"
NO_VALIDATION = "data.validation=null"
PLAIN = (NO_DROPOUT, NO_VALIDATION, "training.schedule={type: constant}", "data.subword.sampling=null")
SGD = "training.optimiser={type: sgd, learning_rate: 0.5}"


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model_tensors(trainer.model).items()}


def assert_close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-4, atol=1e-6, msg=name)


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], *, same: bool = True) -> None:
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items()) == same


@pytest.mark.parametrize("optimiser", [SGD, "training.optimiser={type: adam}"])
def test_four_batches_of_two_are_one_batch_of_eight(corpus: Path, tmp_path: Path, optimiser: str) -> None:
    parts, whole = (build(make_recipe(corpus, *PLAIN, optimiser), tmp_path / name) for name in ("parts", "whole"))
    before = weights(whole)
    examples = [3, 50, 7, 120, 9, 11, 190, 5]
    lengths = [int(parts.loader._corpus.target_lengths[example]) for example in examples]
    assert len({sum(lengths[i : i + 2]) for i in range(0, 8, 2)}) > 1, "batches with unequal numbers of tokens"
    for _ in range(2):
        parts._update([parts.loader.assemble(examples[i : i + 2]) for i in range(0, 8, 2)])
        whole._update([whole.loader.assemble(examples)])
    assert_close(weights(parts), weights(whole))
    assert_equal(before, weights(whole), same=False)
    assert parts.state.window.loss == pytest.approx(whole.state.window.loss, rel=1e-5)
    assert parts.state.window.gradient_norm == pytest.approx(whole.state.window.gradient_norm, rel=1e-4)
    assert parts.state.tokens == whole.state.tokens == 2 * sum(lengths)


def smoothed(trainer: Trainer, batch: Batch) -> torch.Tensor:
    """Label-smoothed cross-entropy, summed over the real tokens: all logits at once, by torch."""
    model = trainer.model
    features = model(batch.source, batch.target, trainer.vocabularies.target.bos_id).features
    rows = [
        functional.cross_entropy(
            model.output(features[row, :length]), batch.target.ids[row, :length], label_smoothing=0.1, reduction="sum"
        )
        for row, length in enumerate(batch.target.lengths.tolist())
    ]
    return torch.stack(rows).sum()


def test_the_loss_is_normalised_by_the_tokens_of_all_batches(corpus: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(corpus, *PLAIN, SGD, "training.clip_norm=0"), tmp_path / "run")
    batches = [trainer.loader.assemble(examples) for examples in ([1, 2, 3, 4, 5], [6])]
    tokens = sum(int(batch.target.lengths.sum()) for batch in batches)
    before = weights(trainer)
    total = torch.stack([smoothed(trainer, batch) for batch in batches]).sum()
    names, parameters = zip(*trainer.model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(total / tokens, parameters)
    trainer._update(batches)
    by_hand = {name: before[name] - 0.5 * gradient for name, gradient in zip(names, gradients, strict=True)}
    assert_close(by_hand, weights(trainer))
    assert trainer.state.window.loss == pytest.approx(total.item(), rel=1e-5)
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    assert trainer.state.window.gradient_norm == pytest.approx(norm, rel=1e-4)


def test_a_recipe_may_do_without_fast_paths(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In updates, in validation and in a dry run; what is trained is the same."""
    few = (*PLAIN[:1], *PLAIN[2:], "training.max_steps=4", "training.validation_interval=2")
    fast = train(make_recipe(corpus, *few), tmp_path / "fast").trainer
    for name in (
        "nmt.model.model_stepper.prepack",
        "nmt.model.encoder.rnn.bidirectional_gru",
        "nmt.model.decoder.bahdanau.fused_unroll",
        "nmt.model.fast.cross_entropy._FusedCrossEntropy",
    ):
        monkeypatch.setattr(name, None)  # no fast path can be taken
    recipe = make_recipe(corpus, *few, "training.fast_paths=false")
    plain = train(recipe, tmp_path / "plain").trainer
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(tensor, weights(fast)[name], rtol=1e-3, atol=1e-5, msg=name)
    assert "largest batch: " in describe(recipe, prepare_corpora(recipe, plain.folder))
    assert not Bundle.load(plain.folder.path).model.fast
    assert Bundle.load(plain.folder.path, fast_paths=True).model.fast
    assert Bundle.load(fast.folder.path).model.fast


def test_clipping_bounds_the_step(corpus: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(corpus, *PLAIN, SGD, "training.clip_norm=0.01"), tmp_path / "run")
    before = weights(trainer)
    trainer._update([trainer.loader.assemble([1, 2, 3])])
    assert trainer.state.window.gradient_norm > 0.1, "what is logged is the norm before clipping"
    moved = math.sqrt(sum(float((before[name] - tensor).square().sum()) for name, tensor in weights(trainer).items()))
    assert moved == pytest.approx(0.5 * 0.01, rel=1e-3)


# ---------------------------------------------------------------- updates that are not finite


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_changes_nothing(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: float
) -> None:
    trainer = build(make_recipe(corpus, NO_VALIDATION), tmp_path / "run")
    make_losses_bad(monkeypatch, trainer, lambda step: value if step == 2 else None)
    updates = grouped(trainer.loader.batches(trainer.state.position), trainer.config)
    trainer._update(next(updates)[0])
    trainer.state.step += 1
    before, moments = (
        weights(trainer),
        {k: v.clone() for k, v in optimiser_tensors(trainer.optimiser, trainer.model).items()},
    )
    assert moments
    tokens = trainer.state.tokens
    with caplog.at_level(logging.WARNING, "nmt"):
        trainer._update(next(updates)[0])
    trainer.state.step += 1
    assert "update 2 skipped" in caplog.text
    assert_equal(before, weights(trainer))
    assert_equal(moments, optimiser_tensors(trainer.optimiser, trainer.model))
    assert (trainer.state.skipped, trainer.state.skipped_in_a_row) == (1, 1)
    assert trainer.state.tokens == tokens
    trainer._update(next(updates)[0])
    assert_equal(before, weights(trainer), same=False)
    assert (trainer.state.skipped, trainer.state.skipped_in_a_row) == (1, 0)


def test_a_gradient_that_is_not_finite_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(corpus, NO_VALIDATION), tmp_path / "run")
    before = weights(trainer)
    hook = trainer.model.output.bias.register_hook(lambda gradient: gradient * math.inf)
    trainer._update([trainer.loader.assemble([1])])
    hook.remove()
    assert_equal(before, weights(trainer))
    assert all(parameter.grad is None for parameter in trainer.model.parameters())
    assert trainer.state.skipped == 1


def test_a_run_that_does_not_mend_ends_with_advice_and_keeps_its_checkpoint(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(corpus, NO_VALIDATION, "training.max_skipped=4")

    def spoil(trainer: Trainer) -> None:
        make_losses_bad(monkeypatch, trainer, lambda step: math.nan if step in {2, 5, 6, 7, 8} else None)

    with pytest.raises(TrainingError) as caught:
        train(recipe, tmp_path / "run", before=spoil)
    # Due at 2 and 6 too, but not written while updates are skipped: the weights may be the reason.
    assert "in 4 updates in a row; the checkpoint of update 4 is kept" in str(caught.value)
    assert "learning_rate" in str(caught.value)
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [4]
    resumed = build(recipe, tmp_path / "run", resume=True)
    assert (resumed.state.step, resumed.state.skipped, resumed.state.skipped_in_a_row) == (4, 1, 0)
    assert all(tensor.isfinite().all() for tensor in weights(resumed).values())


def test_without_any_checkpoint_the_message_says_so(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(corpus, NO_VALIDATION, "training.max_steps=50", "training.checkpoint_interval=null")
    with pytest.raises(TrainingError, match="in 20 updates in a row; there is no checkpoint yet"):
        train(recipe, tmp_path / "run", before=lambda t: make_losses_bad(monkeypatch, t, lambda step: math.nan))


def test_a_window_of_skipped_updates_has_no_loss(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(corpus, NO_VALIDATION, "training.max_steps=6")
    done = train(
        recipe, tmp_path / "run", before=lambda t: make_losses_bad(monkeypatch, t, lambda s: [None, math.nan][s < 4])
    )
    first, second = records(done.folder)
    assert first["loss"] is first["nll"] is None and first["skipped"] == 3
    assert second["loss"] > 0 and second["skipped"] == 3
    assert done.result.state.skipped == 3


# ---------------------------------------------------------------- what is kept, and when training stops


class Scores:
    """A validator with given scores, in the order of its calls."""

    def __init__(self, *values: float) -> None:
        self.values = values
        self.calls = 0

    def __call__(self, model: object) -> Validation:
        value = self.values[self.calls]
        self.calls += 1
        # Each metric ranks differently: perplexity is the value, BLEU the value, chrF its opposite.
        return Validation(value, Score("BLEU", value, "bleu|sig"), Score("chrF2", 100 - value, "chrf|sig"), ())


def scored(
    corpus: Path, path: Path, values: Sequence[float], *overrides: str, resume: bool = False
) -> tuple[Trainer, Scores]:
    """Train with a validation every second update that finds the given values."""
    found = Scores(*values)
    recipe = make_recipe(
        corpus,
        "training.validation_interval=2",
        "training.checkpoint_interval=null",
        f"training.max_steps={2 * len(values)}",
        *overrides,
    )
    done = train(recipe, path, resume=resume, before=lambda trainer: setattr(trainer, "validator", found))
    return done.trainer, found


def best(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((path / "best.json").read_text())
    return content


def test_the_best_and_the_last_are_kept(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    trainer, _ = scored(corpus, path, [1, 5, 3, 4, 2], "training.keep_best=2")
    assert [(kept.step, kept.value) for kept in trainer.state.kept] == [(4, 5), (8, 4)]
    assert checkpoint_steps(path / "checkpoints") == [4, 8, 10]
    has_optimiser = [step for step in (4, 8, 10) if (checkpoint_path(path / "checkpoints", step) / OPTIMISER).exists()]
    assert has_optimiser == [8, 10]
    assert best(path) == {"checkpoint": "step-00000004", "step": 4, "metric": "bleu", "value": 5}
    assert [record["best"] for record in records(trainer.folder, "validation")] == [True, True, False, False, False]


@pytest.mark.parametrize(("metric", "step", "value"), [("bleu", 4, 5), ("perplexity", 2, 1), ("chrf", 2, 99)])
def test_the_selection_metric_selects(corpus: Path, tmp_path: Path, metric: str, step: int, value: float) -> None:
    scored(corpus, tmp_path / "run", [1, 5, 3], f"training.validation.select={metric}")
    wanted = {"checkpoint": f"step-{step:08d}", "step": step, "metric": metric, "value": value}
    assert best(tmp_path / "run") == wanted


def test_of_equals_the_first_is_the_best(corpus: Path, tmp_path: Path) -> None:
    trainer, _ = scored(corpus, tmp_path / "run", [3, 3, 3], "training.early_stopping=2")
    assert best(tmp_path / "run")["step"] == 2
    assert trainer.state.finished is not None


def test_early_stopping_waits_for_patience(corpus: Path, tmp_path: Path) -> None:
    trainer, found = scored(corpus, tmp_path / "run", [1, 0, 2, 1, 1, 9, 9], "training.early_stopping=2")
    assert found.calls == 5 and trainer.state.step == 10
    assert trainer.state.finished == "no better bleu in 2 validations"
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [6, 8, 10]


def test_more_patience_makes_a_stopped_run_go_on(corpus: Path, tmp_path: Path) -> None:
    scored(corpus, tmp_path / "run", [1, 0, 0, 0], "training.early_stopping=1")
    trainer, found = scored(corpus, tmp_path / "run", [7, 0, 5, 9], "training.early_stopping=3", resume=True)
    assert trainer.state.step == 8 and found.calls == 2
    assert best(tmp_path / "run")["step"] == 6


def test_plateau_cuts_the_rate_of_the_updates_that_follow(corpus: Path, tmp_path: Path) -> None:
    trainer, _ = scored(
        corpus,
        tmp_path / "run",
        [5, 1, 1, 9, 1],
        "training.schedule={type: plateau, patience: 0, factor: 0.5}",
        "training.optimiser.learning_rate=0.08",
        "training.log_interval=1",
    )
    # cut after the validations at 4, 6 and 10; each is seen from the next update on
    rates = [record["learning_rate"] for record in records(trainer.folder, "train")]
    assert rates == pytest.approx([0.08] * 4 + [0.04] * 2 + [0.02] * 4)
    assert trainer.state.plateau.share == 0.125


def test_a_run_resumed_with_another_schedule_has_its_rate(corpus: Path, tmp_path: Path) -> None:
    rate = ("training.optimiser.learning_rate=0.08", "training.log_interval=1")
    plateau = "training.schedule={type: plateau, patience: 0, factor: 0.5}"
    scored(corpus, tmp_path / "run", [5, 1], plateau, *rate)
    constant = "training.schedule={type: constant}"
    trainer, _ = scored(corpus, tmp_path / "run", [5, 1, 1], constant, *rate, resume=True)
    rates = [record["learning_rate"] for record in records(trainer.folder, "train")]
    assert rates == [0.08] * 6 and trainer.state.plateau.share == 0.5


PICTURES = ("training.validation.samples=1", "training.checkpoint_interval=null")
AVERAGE = ("training.keep_best=3", "training.average=2")


def test_a_better_average_is_kept(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    found = Scores(1, 5, 3, 4, 6)
    recipe = make_recipe(corpus, *AVERAGE, "training.validation_interval=2", "training.max_steps=8")
    trainer = train(recipe, path, before=lambda trainer: setattr(trainer, "validator", found)).trainer
    assert found.calls == 5
    assert best(path) == {"checkpoint": "averaged", "step": 8, "metric": "bleu", "value": 6}
    parts = [read_tensors(checkpoint_path(path / "checkpoints", step) / MODEL) for step in (4, 8)]
    averaged = read_tensors(path / "checkpoints" / "averaged" / MODEL)
    for name, tensor in averaged.items():
        torch.testing.assert_close(tensor, (parts[0][name] + parts[1][name]) / 2)
    assert not (path / "checkpoints" / "averaged" / OPTIMISER).exists()
    assert_equal(weights(trainer), parts[1])
    record = records(trainer.folder, "average")[0]
    assert (record["average_of"], record["bleu"], record["best"]) == ([4, 8], 6, True)
    told = json.loads((path / "average.json").read_text())
    assert [(each["step"], each["bleu"]) for each in told["checkpoints"]] == [(4, 5), (8, 4)]
    assert (told["average"]["bleu"], told["selection"], told["kept"]) == (6, "bleu", True)
    again = Scores()
    resumed = train(recipe, path, resume=True, before=lambda trainer: setattr(trainer, "validator", again))
    assert again.calls == 0 and not resumed.result.trained
    assert best(path)["checkpoint"] == "averaged"


def test_an_average_needs_a_validation(corpus: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.average needs data\.validation"):
        make_recipe(corpus, NO_VALIDATION, *AVERAGE)


def test_a_picture_comes_after_its_checkpoint(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, list[int]] = {}

    def draw(_self: Pictures, *_arguments: object, step: int) -> None:
        seen[step] = checkpoint_steps(tmp_path / "run" / "checkpoints")

    monkeypatch.setattr(Pictures, "draw_sample", draw)
    train(make_recipe(corpus, *PICTURES), tmp_path / "run")
    assert {step: saved[-1] for step, saved in seen.items()} == {5: 5, 10: 10, 12: 12}


def test_a_picture_that_cannot_be_drawn_is_a_warning(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = train(
        make_recipe(corpus, *PICTURES), tmp_path / "run", before=lambda trainer: trainer.folder.plots.write_text("")
    )
    assert trained.result.state.finished and best(tmp_path / "run")
    (warning,) = [record.getMessage() for record in caplog.records if "picture" in record.getMessage()]
    assert str(tmp_path / "run" / "plots") in warning and "File exists" in warning


def test_an_average_that_is_not_better_is_left_out(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    _, found = scored(corpus, path, [1, 5, 3, 5], *AVERAGE, "training.max_steps=6")
    assert found.calls == 4
    assert best(path)["checkpoint"] == "step-00000004"
    assert not (path / "checkpoints" / "averaged").exists()
    told = json.loads((path / "average.json").read_text())
    assert (len(told["checkpoints"]), told["average"]["bleu"], told["kept"]) == (2, 5, False)


def test_an_average_that_an_interruption_prevented_is_made_when_resuming(corpus: Path, tmp_path: Path) -> None:
    recipe = make_recipe(corpus, *AVERAGE, "training.validation_interval=2", "training.max_steps=4")
    found = Scores(1, 2, 9)

    def install(trainer: Trainer) -> None:
        trainer.validator = found  # type: ignore[assignment]

    first = train(recipe, tmp_path / "run", interrupt_at=4, before=install)
    assert first.result.interrupted and found.calls == 1, "the last validation is left for later, too"
    second = train(recipe, tmp_path / "run", resume=True, before=install)
    assert found.calls == 3 and second.batches == []
    assert best(tmp_path / "run")["checkpoint"] == "averaged"


def test_an_average_is_the_best_before_the_log_says_so(corpus: Path, tmp_path: Path) -> None:
    recipe = make_recipe(corpus, *AVERAGE, "training.validation_interval=2", "training.max_steps=4")
    found = Scores(1, 2, 9, 9)

    def killed(trainer: Trainer) -> None:
        trainer.validator = found  # type: ignore[assignment]
        append = trainer.log.append

        def appended(record: dict[str, Any]) -> None:
            if record["kind"] == "average":
                raise KeyboardInterrupt
            append(record)

        trainer.log.append = appended  # type: ignore[method-assign]

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", before=killed)
    assert best(tmp_path / "run")["checkpoint"] == "averaged"
    train(recipe, tmp_path / "run", resume=True, before=lambda trainer: setattr(trainer, "validator", found))
    assert found.calls == 4, "what the log does not know is made again"
    assert best(tmp_path / "run")["checkpoint"] == "averaged"


def test_without_validation_the_last_is_the_best(corpus: Path, tmp_path: Path) -> None:
    done = train(make_recipe(corpus, NO_VALIDATION, "training.max_steps=3"), tmp_path / "run")
    assert best(tmp_path / "run") == {"checkpoint": "step-00000003"}
    assert checkpoint_steps(done.folder.checkpoints) == [2, 3]


# ---------------------------------------------------------------- intervals, the log, signals, the config


def test_lines_of_the_log(corpus: Path, tmp_path: Path) -> None:
    done = train(make_recipe(corpus, NO_VALIDATION, "training.max_steps=8"), tmp_path / "run")
    lines = records(done.folder)
    assert [line["step"] for line in lines] == [3, 6, 8], "every third, and the last"
    # linear from 0.01 at update 3 to 0 at update 8
    assert [line["learning_rate"] for line in lines] == pytest.approx([0.01, 0.01 * 2 / 5, 0.0])
    tokens = [sum(len(row) - row.count(0) for row in batch) for batch in done.batches]
    assert lines[-1]["tokens"] < sum(tokens), "only target tokens"
    assert lines[-1]["tokens"] == done.result.state.tokens > lines[0]["tokens"] > 0
    assert all(0 < line["nll"] < line["loss"] * 1.2 < 10 for line in lines)
    assert (done.folder.plots / "learning-curves.png").exists()


@pytest.mark.parametrize(
    ("overrides", "ago", "steps"),
    [
        (("training.validation_interval=2", "training.checkpoint_interval=100"), 0, [2, 2, 4, 4, 5, 5]),
        ((NO_VALIDATION, "training.checkpoint_interval=2"), 0, [2, 4, 5]),
        ((NO_VALIDATION, "training.checkpoint_interval=100"), 0, [5]),
        ((NO_VALIDATION, "training.checkpoint_interval=100"), 10_000, [1, 5]),
    ],
)
def test_freed_memory_is_given_back_now_and_then(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: tuple[str, ...],
    ago: int,
    steps: list[int],
) -> None:
    trainer = build(make_recipe(corpus, "training.max_steps=5", *overrides), tmp_path)
    given: list[int] = []
    trainer._gave_back -= ago
    monkeypatch.setattr("nmt.training.trainer.give_back_freed_memory", lambda: given.append(trainer.state.step))
    trainer.run()
    assert given == steps


@pytest.mark.parametrize("error", [DataError("pair 3 does not fit"), OSError(28, "No space left on device")])
def test_a_validation_that_fails_loses_no_update(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The run that goes on from it equals one that was not disturbed."""
    recipe = make_recipe(
        corpus, "training.max_steps=6", "training.validation_interval=4", "training.checkpoint_interval=null"
    )
    whole = train(recipe, tmp_path / "whole")
    trainer = build(recipe, tmp_path / "run")
    validate, calls = trainer.validator, []

    def failing(model: Seq2Seq) -> Validation:
        calls.append(trainer.state.step)
        torch.rand(3)
        raise error

    trainer.validator = failing  # type: ignore[assignment]
    with pytest.raises(type(error)):
        trainer.run()
    assert calls == [4] and validate is not None
    assert checkpoint_steps(trainer.folder.checkpoints) == [4]
    assert "the validation after update 4 failed; its checkpoint is kept" in caplog.text
    again = train(recipe, tmp_path / "run", resume=True)
    assert [line["step"] for line in records(again.folder, "validation")] == [4, 6]
    for (name, tensor), other in zip(
        whole.trainer.model.state_dict().items(), again.trainer.model.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, other), name


def test_waiting_for_batches_is_measured(corpus: Path, tmp_path: Path) -> None:
    """Of 8 updates of two batches each the last four wait 0.1 s for each batch."""
    trainer = build(make_recipe(corpus, "training.max_steps=8", "training.log_interval=4", *PLAIN), tmp_path / "run")
    assemble = trainer.loader.assemble

    def slow(examples: Any, epoch: int = 0) -> Batch:
        if trainer.state.step >= 4:
            time.sleep(0.1)
        return assemble(examples, epoch)

    trainer.loader.assemble = slow  # type: ignore[method-assign]
    trainer.run()
    first, second = trainer.log.records()
    assert 0 < first["waiting"] < second["waiting"] < 1
    tokens = second["tokens"] - first["tokens"]
    assert second["waiting"] * tokens / second["tokens_per_second"] > 0.79, "of the time that is counted"


EPOCHS = 5


def in_epochs(corpus: Path, accumulation: int, *overrides: str) -> Recipe:
    """Passes of batches whose number is another in many of them."""
    return make_recipe(
        corpus,
        "training.max_steps=null",
        f"training.max_epochs={EPOCHS}",
        "training.interval_unit=epochs",
        "training.validation_interval=1",
        "training.checkpoint_interval=2",
        "training.keep_resumable=20",
        "training.log_interval=1",
        f"training.accumulation={accumulation}",
        "data.batch.size=400",
        "training.schedule.warmup_steps=1",
        *overrides,
    )


def watch_pairs(seen: list[list[int]]) -> Callable[[Trainer], None]:
    """Note which pairs each update is made of."""

    def install(trainer: Trainer) -> None:
        update = trainer._update

        def watched(batches: Sequence[Batch]) -> None:
            seen.append([int(pair) for batch in batches for pair in batch.examples])
            update(batches)

        trainer._update = watched  # type: ignore[method-assign]

    return install


@pytest.mark.parametrize("accumulation", [1, 3, 20])
def test_epochs_are_passes_whatever_is_accumulated(corpus: Path, tmp_path: Path, accumulation: int) -> None:
    seen: list[list[int]] = []
    done = train(in_epochs(corpus, accumulation), tmp_path / "run", before=watch_pairs(seen))
    loader, pairs = done.trainer.loader, 200
    batches = [loader.epoch_batches(epoch) for epoch in range(EPOCHS)]
    assert sum(batches) != EPOCHS * batches[0], "passes have unequal numbers of batches"
    assert Counter(pair for update in seen for pair in update) == dict.fromkeys(range(pairs), EPOCHS)
    totals = list(itertools.accumulate(map(len, seen)))
    ends = [next(n for n, total in enumerate(totals, 1) if total >= epochs * pairs) for epochs in range(1, EPOCHS + 1)]
    assert [line["step"] for line in records(done.folder, "validation")] == sorted(set(ends))
    assert done.result.state.finished == f"all {len(seen)} updates are made"
    logged = records(done.folder, "train")
    assert [line["epoch"] for line in logged] == [round(total / pairs, 4) for total in totals]
    assert logged[-1]["epoch"] == EPOCHS and logged[-1]["learning_rate"] == 0, "the schedule ends with the last update"
    saved = [step for step in checkpoint_steps(done.folder.checkpoints) if step not in ends]
    assert not saved, "checkpoints are saved where passes end"


def test_a_resumed_run_makes_as_many_passes(corpus: Path, tmp_path: Path) -> None:
    whole, first, second = [list[list[int]]() for _ in range(3)]
    one = train(in_epochs(corpus, 3), tmp_path / "whole", before=watch_pairs(whole))
    stop = len(whole) // 2
    train(in_epochs(corpus, 3), tmp_path / "run", interrupt_at=stop, before=watch_pairs(first))
    other = train(in_epochs(corpus, 3), tmp_path / "run", resume=True, before=watch_pairs(second))
    assert len(first) == stop and first + second == whole
    assert records(other.folder) == records(one.folder)
    more = list[list[int]]()
    longer = in_epochs(corpus, 7, f"training.max_epochs={EPOCHS + 1}")
    train(longer, tmp_path / "run", resume=True, before=watch_pairs(more))
    assert sorted(pair for update in more for pair in update) == list(range(200)), "one pass more"


def test_a_run_that_was_finished_when_every_epoch_counted_as_the_first_stays_so(corpus: Path, tmp_path: Path) -> None:
    recipe = in_epochs(corpus, 1)
    old = EPOCHS * build(recipe, tmp_path / "plan").loader.epoch_batches(0)
    new = build(recipe, tmp_path / "other").length.limit
    short, finished = old - 3, f"all {old} updates are made"
    assert new != old
    run = tmp_path / "run"
    stopped = train(in_epochs(corpus, 1, f"training.max_steps={short}"), run)
    assert stopped.result.state.finished == f"all {short} updates are made"
    path = checkpoint_path(stopped.folder.checkpoints, short)
    state = json.loads((path / STATE).read_text())
    (path / STATE).write_text(json.dumps({**state, "finished": finished}))
    write_checksums(path)
    again = train(recipe, run, resume=True)
    assert not again.result.trained and again.result.state.finished == finished
    longer = train(in_epochs(corpus, 1, f"training.max_epochs={EPOCHS + 1}"), run, resume=True)
    assert longer.result.trained and longer.result.state.position.epoch == EPOCHS + 1


def test_a_dry_run_adds_up(corpus: Path, tmp_path: Path) -> None:
    """Tied embeddings are counted once, and terms are told apart from the likelihood."""
    recipe = make_recipe(corpus, NO_DROPOUT, "training.terms=[{type: doubly-stochastic, weight: 20.0}]")
    trainer = build(recipe, tmp_path / "run")
    text = describe(recipe, prepare_corpora(recipe, trainer.folder))
    total = sum(parameter.numel() for parameter in trainer.module.parameters())
    assert f"\nparameters: {total:,}\n" in text
    parts = [int(each.replace(",", "")) for each in re.findall(r"^  [\w.]+: ([\d,]+)(?:, and|$)", text, re.M)]
    assert sum(parts) == total and "tied to a part above" in text
    nll, loss, term = (
        float(re.search(pattern, text)[1])  # type: ignore[index]
        for pattern in (r"loss before training: ([\d.]+)", r"with terms: ([\d.]+)", r"doubly-stochastic ([\d.]+)")
    )
    assert nll == pytest.approx(math.log(trainer.vocabularies.target.size), rel=0.1)
    assert loss == pytest.approx(nll + 20 * term, abs=0.05) and term > 0.01, "label smoothing of a flat model is little"
    assert "; 12 updates\n" in text


def test_the_smaller_limit_holds(corpus: Path, tmp_path: Path) -> None:
    few = build(make_recipe(corpus, "training.max_epochs=100"), tmp_path / "steps")
    assert few.length.limit == 12
    one = build(make_recipe(corpus, "training.max_steps=1000", "training.max_epochs=1"), tmp_path / "epochs")
    assert one.length.limit == -(-one.loader.epoch_batches(0) // 2)


def test_a_sample_is_shown_and_drawn(corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe = make_recipe(corpus, "training.max_steps=2", "training.validation.samples=2")
    with caplog.at_level(logging.INFO, "nmt"):
        done = train(recipe, tmp_path / "run")
    assert (done.folder.plots / "attention-00000002.png").read_bytes().startswith(b"\x89PNG")
    assert sum(record.message.startswith("  source ") for record in caplog.records) == 2


def test_the_second_signal_stops_at_once_and_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.requested is signal.SIGTERM
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "max_steps"),
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": 1, "validation_interval": 0}, "validation_interval"),
        ({"max_steps": 1, "label_smoothing": 1.0}, "label_smoothing"),
        ({"max_steps": 1, "clip_norm": -1.0}, "clip_norm"),
        ({"max_steps": 1, "average": 1}, "average"),
        ({"max_steps": 1, "average": 4, "keep_best": 3}, "average"),
        ({"max_steps": 1, "validation": {"limit": 0}}, "validation.limit"),
        ({"max_steps": 1, "validation": {"samples": -1}}, "validation.samples"),
        ({"max_steps": 1, "validation": {"batch_tokens": 0}}, "validation.batch_tokens"),
    ],
)
def test_impossible_values_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(TrainingConfig, fields, name="training")
    assert [problem.path for problem in caught.value.problems] == [field]
