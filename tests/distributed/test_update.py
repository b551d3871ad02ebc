"""An update of several processes is that of one with the same batches; scores are those of one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import Ranks
from tiny_training import build, make_recipe

from nmt.model.weights import model_tensors, read_tensors
from nmt.training.trainer import Trainer

PLAIN = (
    "model.dropout={embedding: 0, layers: 0, readout: 0, word: 0}",
    "training.schedule={type: constant}",
    "training.optimiser={type: sgd, learning_rate: 0.5}",
)
UPDATES = 3


def one_process(corpus: Path, path: Path, overrides: list[str], world_size: int) -> Trainer:
    """Make the same updates in this process, from the batches of all ranks."""
    trainer = build(make_recipe(corpus, *overrides), path)
    trainer.module.train()
    loaders = []
    for number in range(world_size):
        loader = copy.copy(trainer.loader)
        loader._rank, loader._world_size, loader._planned = number, world_size, None
        loaders.append(loader.batches(trainer.state.position))
    for _ in range(UPDATES):
        drawn = [[next(each) for each in loaders] for _ in range(trainer.config.accumulation)]
        trainer._update([batch for turn in drawn for batch, _ in turn])
        trainer.state.position = drawn[-1][-1][1]
        trainer.state.step += 1
    return trainer


@pytest.mark.parametrize(("count", "accumulation"), [(2, 2), (3, 1)])
def test_an_update_is_that_of_one_process_with_all_batches(
    ranks: Ranks, corpus: Path, tmp_path: Path, count: int, accumulation: int
) -> None:
    overrides = [*PLAIN, f"training.accumulation={accumulation}", "training.terms=[{type: doubly-stochastic}]"]
    path = tmp_path / "several"
    # One rank is short of memory and halves its batches: no other waits for more than its gradient.
    faults = [[1, "short of memory", 5]]
    ended = ranks.run(
        count, "updates", corpus=str(corpus), overrides=overrides, path=str(path), times=UPDATES, faults=faults
    )
    assert ended.statuses == [0] * count, ended.output
    one = one_process(corpus, tmp_path / "one", overrides, count)
    found = [read_tensors(Path(f"{path}.{number}.safetensors")) for number in range(count)]
    for name, tensor in model_tensors(one.model).items():
        torch.testing.assert_close(found[0][name], tensor, rtol=1e-4, atol=1e-6, msg=name)
        assert all(torch.equal(found[0][name], other[name]) for other in found), "all ranks have the same bits"
    for result in ended.results:
        assert result["loss"] == pytest.approx(one.state.window.loss, rel=1e-5)
        assert result["nll"] == pytest.approx(one.state.window.nll, rel=1e-5)
        assert result["norm"] == pytest.approx(one.state.window.gradient_norm, rel=1e-4)
        assert (result["tokens"], result["examples"]) == (one.state.tokens, one.state.position.examples)
    assert len({result["random"] for result in ended.results}) == count, "each rank draws by itself"
    assert [output.count("out of memory on a batch") for output in ended.outputs] == [0, 1, *[0] * (count - 2)]


def test_a_loss_that_is_not_finite_on_one_rank_skips_the_update_on_all(
    ranks: Ranks, corpus: Path, tmp_path: Path
) -> None:
    def made(count: int, faults: list[Any]) -> Any:
        path = str(tmp_path / f"{count}")
        return ranks.run(2, "updates", corpus=str(corpus), overrides=[*PLAIN], path=path, times=count, faults=faults), [
            read_tensors(Path(f"{path}.{number}.safetensors")) for number in range(2)
        ]

    ended, found = made(2, [[1, "not finite", 2]])
    assert [result["skipped"] for result in ended.results] == [1, 1]
    _, before = made(1, [])
    for weights in found:
        assert all(torch.equal(tensor, before[0][name]) for name, tensor in weights.items())
    assert ended.output.count("update 2 skipped") == 1


def test_every_objective_and_term_has_the_gradient_of_all_batches(ranks: Ranks) -> None:
    ended = ranks.run(2, "objectives")
    assert ended.statuses == [0, 0], ended.output
    assert ended.results[0].keys() == ended.results[1].keys()
    names = " ".join(ended.results[0])
    for wanted in ("reinforce", "variational", "consistency", "lexical-guidance", "guided-alignment"):
        assert wanted in names
    for result in ended.results:
        for name, (difference, largest) in result.items():
            assert difference < 1e-9 * max(1.0, largest) and largest > 0, name


def test_unused_parameters_and_ranks_without_examples_do_no_harm(ranks: Ranks) -> None:
    ended = ranks.run(3, "odd")
    assert ended.statuses == [0, 0, 0], ended.output
    for result in ended.results:
        tokens = result["tokens"]
        assert result["all"] == pytest.approx([1.0, 1.0]) and result["none"]
        assert result["some"] == pytest.approx([1 / (3 * tokens)] * 2), "what one rank uses has a gradient on all"
        assert result["fixed"] and result["count"] == 3, "a buffer that no batch changes keeps its bits"
        assert result["lonely"] == pytest.approx([1.0, 1.0]) and result["counted"] == tokens


def test_the_scores_of_a_validation_are_those_of_one_process(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "gold").write_text("0-0\n" * 12)
    overrides = ["training.validation.samples=3", "training.validation.batch_tokens=20"]
    overrides += [f"training.validation.gold={tmp_path}/gold"]
    several = ranks.run(3, "validate", corpus=str(corpus), overrides=overrides, path=str(tmp_path / "several"))
    alone = ranks.run(0, "validate", corpus=str(corpus), overrides=overrides, path=str(tmp_path / "alone"))
    assert several.statuses == [0, 0, 0] and alone.statuses == [0], several.output + alone.output
    assert several.results == alone.results * 3
    assert alone.results[0]["aer"] > 0 and any(alone.results[0]["samples"]) and alone.results[0]["weights"][0]
