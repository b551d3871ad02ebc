"""Every objective and term through the whole training: saved, resumed bit for bit, and able to translate."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_training import WORDS, Trained, assert_same_tensors, build, make_recipe, records, train

from nmt.core.errors import CheckpointError
from nmt.core.storage.checksums import write_checksums
from nmt.core.storage.run_folder import MODEL, OPTIMISER, checkpoint_path
from nmt.model.weights import model_tensors, read_tensors
from nmt.search.search_config import SearchConfig
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.translator import Translator

pytestmark = pytest.mark.slow

LUONG = "model.decoder={type: luong, size: 12}"
SHORT = ("training.max_steps=4", "training.log_interval=2", "training.checkpoint_interval=null", "data.batch.size=60")
GUIDED = (
    "data.train.0.alignment=train.align",
    "training.terms=[{type: guided-alignment, decay: 0.5, decay_interval: 1}]",
)
KINDS = {
    "reinforce": ("model.attention=hard",),
    "remaining": ("model.attention=hard", "training.objective={type: reinforce, reward: remaining}", LUONG),
    "marginal": ("model.attention=marginal", LUONG),
    "variational": ("model.attention=marginal", LUONG, "training.objective=variational"),
    "enumerate": ("model.attention=marginal", LUONG, "training.objective={type: variational, estimator: enumerate}"),
    "doubly-stochastic": ("training.terms=[doubly-stochastic]",),
    "guided": GUIDED,
    "lexical-guidance": ("training.terms=[{type: lexical-guidance, size: 8, weight: 0.5}]",),
    "lexical": ("model.lexical=true",),
    "normed": ("model.encoder.cell=ln-lstm", "model.decoder={type: conditional, size: 12, layers: 2, cell: ln-gru}"),
    "deep": (
        "model.encoder={layers: 2, transition: 1, residual: true, size: 6}",
        "model.decoder={type: conditional, size: 12, layers: 2, transition: 1, residual: true, context_layers: all}",
        "model.gru_biases=one",
    ),
    "own": (
        "model.encoder={type: convolution, size: 8}",
        "training.objective=focal",
        "training.terms=[attention-entropy, bag-of-words]",
    ),
    "both": (*GUIDED[:1], "training.terms=[doubly-stochastic, guided-alignment]", "model.attention=marginal", LUONG),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def whole(aligned: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """Give the uninterrupted training of a kind, which is made once."""

    @functools.cache
    def trained(kind: str) -> Trained:
        return train(make_recipe(aligned, *SHORT, *KINDS[kind]), tmp_path_factory.mktemp("whole") / "run")

    return trained


Whole = Callable[[str], Trained]


@every_kind
def test_interrupted_and_resumed_is_uninterrupted(whole: Whole, aligned: Path, tmp_path: Path, kind: str) -> None:
    recipe = make_recipe(aligned, *SHORT, *KINDS[kind])
    first = train(recipe, tmp_path / "run", interrupt_at=2)
    assert first.result.interrupted
    second = train(recipe, tmp_path / "run", resume=True)
    for name in (MODEL, OPTIMISER):
        paths = [checkpoint_path(each.folder.checkpoints, 4) / name for each in (whole(kind), second)]
        assert_same_tensors(*paths)
    assert records(second.folder) == records(whole(kind).folder)
    assert first.batches + second.batches == whole(kind).batches


@every_kind
def test_what_was_trained_translates_and_aligns(whole: Whole, kind: str) -> None:
    bundle = Bundle.load(whole(kind).folder.path)
    line = " ".join(sorted(WORDS)[:4])
    found = []
    for bundles in ([bundle], [bundle, bundle]):
        options = SearchConfig(beam_size=3, min_length=3, max_length_ratio=1.0)
        found.append([each.text for each in Translator(bundles, search=options).translate_lines([line, "und"])])
        (pair,) = Aligner(bundles).align([line], ["the dog sees"])
        assert pair.log_prob < 0
        assert pair.weights is not None and pair.weights.shape == (3, 5)
    assert found[0] == found[1] and all(found[0])


@pytest.mark.parametrize("kind", ["doubly-stochastic", "lexical-guidance", "both"])
def test_terms_stand_in_the_log(whole: Whole, kind: str) -> None:
    done = whole(kind)
    lines = records(done.folder, "train")
    assert len(lines) == 2
    for line in lines:
        assert line["terms"].keys() == set(done.trainer.module.terms)
        assert all(value > 0 for value in line["terms"].values())


def test_guidance_decays_with_every_update(aligned: Path, tmp_path: Path) -> None:
    trainer = build(make_recipe(aligned, *SHORT, *GUIDED), tmp_path / "run")
    (batch, _), weights = next(trainer.loader.batches(trainer.state.position)), []
    for step in (0, 1, 3):
        trainer.state.step = step
        torch.manual_seed(1)  # the same dropout
        found = trainer._loss(batch)
        torch.manual_seed(1)
        without = trainer.module(batch, trainer.vocabularies.target.bos_id, 10**6)
        weights.append((found.loss - without.loss).item())
    assert weights[0] > 0
    assert weights[1:] == pytest.approx([weights[0] / 2, weights[0] / 8], rel=1e-3)


def test_what_an_objective_carries_is_kept_beside_the_model(whole: Whole, aligned: Path, tmp_path: Path) -> None:
    done = whole("variational")
    path = checkpoint_path(done.folder.checkpoints, 4)
    assert read_tensors(path / MODEL).keys() == model_tensors(done.trainer.model).keys()
    kept = read_tensors(path / OPTIMISER)
    weight = dict(done.trainer.module.named_parameters())["objective.posterior.W.weight"]
    assert torch.equal(kept["beside/objective.posterior.W.weight"], weight)
    assert bool((kept["objective.posterior.W.weight/exp_avg"] != 0).any()), "it is trained"
    fresh = build(make_recipe(aligned, *SHORT, *KINDS["variational"]), tmp_path / "fresh").module
    assert not torch.equal(weight, dict(fresh.named_parameters())["objective.posterior.W.weight"])


def test_a_lexicon_is_trained_and_kept_beside_the_model(whole: Whole, aligned: Path, tmp_path: Path) -> None:
    done = whole("lexical-guidance")
    kept = read_tensors(checkpoint_path(done.folder.checkpoints, 4) / OPTIMISER)
    fresh = build(make_recipe(aligned, *SHORT, *KINDS["lexical-guidance"]), tmp_path / "fresh").module
    began = dict(fresh.named_parameters())
    for name, weight in done.trainer.module.terms.named_parameters():
        assert name.startswith("lexical-guidance.lexicon.")
        assert torch.equal(kept[f"beside/terms.{name}"], weight) and not torch.equal(weight, began[f"terms.{name}"])


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("doubly-stochastic", "both", "are lexical-guidance, but were none"),
        ("lexical-guidance", "doubly-stochastic", "are none, but were lexical-guidance"),
    ],
)
def test_terms_that_learn_must_be_those_the_run_began_with(
    aligned: Path, tmp_path: Path, before: str, now: str, told: str
) -> None:
    terms = {
        "doubly-stochastic": "{type: doubly-stochastic}",
        "lexical-guidance": "{type: lexical-guidance, size: 8, weight: 0.5}",
        "both": "{type: doubly-stochastic}, {type: lexical-guidance, size: 8, weight: 0.5}",
    }
    run = tmp_path / "run"
    train(make_recipe(aligned, *SHORT, f"training.terms=[{terms[before]}]"), run)
    with pytest.raises(CheckpointError, match=rf"training.terms that learn {told}; .* training.init_from={run}"):
        build(make_recipe(aligned, *SHORT, f"training.terms=[{terms[now]}]"), run, resume=True)
    again = train(make_recipe(aligned, *SHORT, f"training.terms=[{terms[before]}]"), run, resume=True)
    assert again.result.state.finished is not None


def test_the_baseline_is_kept(whole: Whole) -> None:
    done = whole("reinforce")
    kept = read_tensors(checkpoint_path(done.folder.checkpoints, 4) / OPTIMISER)["beside/objective.baseline"]
    carried = dict(done.trainer.module.named_buffers())["objective.baseline"]
    assert torch.equal(kept, carried) and abs(kept.item() + math.log(70)) > 1e-3, "it has followed the rewards"


def test_a_checkpoint_without_what_the_objective_carries_is_refused(
    whole: Whole, aligned: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole("reinforce").folder.path, tmp_path / "run")
    path = checkpoint_path(tmp_path / "run" / "checkpoints", 4) / OPTIMISER
    save_file({name: tensor for name, tensor in read_tensors(path).items() if not name.startswith("beside/")}, path)
    write_checksums(path.parent)
    with pytest.raises(CheckpointError, match=r"objective\.baseline is missing"):
        build(make_recipe(aligned, *SHORT, *KINDS["reinforce"]), tmp_path / "run", resume=True)


def test_terms_and_objective_draw_nothing_from_the_models_beginning(aligned: Path, tmp_path: Path) -> None:
    """A model begins alike whatever trains it."""
    plain = build(make_recipe(aligned, *KINDS["marginal"]), tmp_path / "plain")
    bound = build(make_recipe(aligned, *KINDS["variational"]), tmp_path / "bound")
    for (name, one), (_, other) in zip(plain.model.named_parameters(), bound.model.named_parameters(), strict=True):
        assert torch.equal(one, other), name
