"""Training on a GPU: the losses of the CPU, the same bits after a resumption, and models that translate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_training_kinds import KINDS, SHORT
from tiny_training import WORDS, Trained, assert_same_tensors, build, make_recipe, records, train

from nmt.assembly import prepare_corpora
from nmt.core.machine.device import kernels
from nmt.core.storage.run_folder import MODEL, OPTIMISER, RunFolder, checkpoint_path
from nmt.dry_run import describe
from nmt.search.search_config import SearchConfig
from nmt.serving.registry import Registry
from nmt.training.checkpoints.checkpoint import random_tensors, restore_random
from nmt.training.optimisation.accumulation import Accumulation
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.translator import Translator

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
STILL = (
    "model.dropout=null",
    "data.subword.sampling=null",
    "training.log_interval=1",
    "training.validation_interval=4",
)
DRAWS = {"reinforce", "remaining", "variational"}  # positions, which another device draws otherwise
every_kind = pytest.mark.parametrize("kind", KINDS)


def trained(aligned: Path, path: Path, device: Any, *overrides: str, **options: Any) -> Trained:
    return train(make_recipe(aligned, *SHORT, f"training.device={device}", *overrides), path, **options)


def losses(done: Trained) -> list[float]:
    return [line["nll"] for line in records(done.folder, "train")]


@every_kind
def test_losses_and_scores_are_those_of_the_cpu(gpu: torch.device, aligned: Path, tmp_path: Path, kind: str) -> None:
    name = gpu.type
    here = trained(aligned, tmp_path / "cpu", "cpu", *STILL, *KINDS[kind])
    full = trained(aligned, tmp_path / "fp32", name, *STILL, *KINDS[kind])
    low = trained(aligned, tmp_path / "bf16", name, *STILL, *KINDS[kind], "training.precision=bf16")
    assert len(losses(low)) == 4
    if kind not in DRAWS:
        assert losses(full) == pytest.approx(losses(here), rel=2e-3)  # cuDNN rounds to TF32
        one, other = (records(each.folder, "validation")[-1]["perplexity"] for each in (here, full))
        assert other == pytest.approx(one, rel=5e-3)
    assert losses(low) == pytest.approx(losses(full), rel=0.02)


@every_kind
def test_interrupted_and_resumed_is_uninterrupted(gpu: torch.device, aligned: Path, tmp_path: Path, kind: str) -> None:
    """With dropout, and so with the random state of the device."""
    options = (*KINDS[kind], "training.deterministic=true")
    with kernels(deterministic=gpu.type == "cuda"):
        whole = trained(aligned, tmp_path / "whole", gpu.type, *options)
        trained(aligned, tmp_path / "run", gpu.type, *options, interrupt_at=2)
        again = trained(aligned, tmp_path / "run", gpu.type, *options, resume=True)
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(*(checkpoint_path(each.folder.checkpoints, 4) / name for each in (whole, again)))


@every_kind
def test_what_was_trained_translates_and_aligns(gpu: torch.device, aligned: Path, tmp_path: Path, kind: str) -> None:
    done = trained(aligned, tmp_path / "run", gpu.type, *KINDS[kind])
    lines, options = [" ".join(sorted(WORDS)[:4]), "und"], SearchConfig(beam_size=3, min_length=3)
    found = []
    for place in ("cpu", gpu.type):
        bundle = Bundle.load(done.folder.path, device=place)
        texts = [each.text for each in Translator([bundle, bundle], search=options).translate(lines)]
        ways = EvidenceConfig(), EvidenceConfig(way="gradient-x-input")
        pairs = [Aligner([bundle], by=way).align(lines[:1], ["the dog sees"])[0] for way in ways]
        found.append((texts, [pair.log_prob for pair in pairs]))
    assert found[1][0] == found[0][0] and all(found[0][0])
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-4)
    Translator.load(done.folder.path, device=gpu.type, search=options, precision="bf16").translate(lines)
    (served,) = Registry.load([str(done.folder.path)], device=gpu.type).models
    assert [each.text for each in served.engine.translator.translate(lines)]


def test_a_dry_run_describes_the_gpu(gpu: torch.device, aligned: Path, tmp_path: Path) -> None:
    recipe = make_recipe(aligned, f"training.device={gpu.type}", "training.precision=bf16")
    told = describe(recipe, prepare_corpora(recipe, RunFolder(tmp_path)))
    assert f"device: {gpu.type}" in told and "precision: bf16" in told
    assert "loss before training: 4." in told


def test_the_random_state_of_the_device_is_restored(cuda: torch.device) -> None:
    before = {name: each.clone() for name, each in random_tensors(cuda).items()}
    assert len(before) == 2
    drawn = torch.rand(3, device=cuda)
    restore_random(before, cuda, "memory")
    assert torch.equal(torch.rand(3, device=cuda), drawn)


@pytest.mark.usefixtures("little_memory")
def test_an_update_that_does_not_fit_is_halved(cuda: torch.device, aligned: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(aligned, *STILL, "training.device=cuda"), tmp_path / "run")
    (batch, _) = next(trainer.loader.batches(trainer.state.position))
    accumulate = Accumulation(trainer.module, trainer._loss, device=cuda)
    expected = accumulate([batch]).loss
    rows, loss = [], trainer._loss

    def greedy(part: Any) -> Any:
        rows.append(part.source.rows)
        kept = torch.empty(part.source.rows * 2**29 // batch.source.rows, dtype=torch.uint8, device=cuda)
        found = loss(part)
        del kept
        return found

    found = Accumulation(trainer.module, greedy, device=cuda)([batch]).loss
    assert rows[0] == batch.source.rows and max(rows[1:]) < rows[0]
    assert found == pytest.approx(expected, rel=1e-3)
