from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_run import CHECKPOINT, MODEL_CONFIG, make_run

from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.core.storage.run_folder import MODEL, STATE, RunFolder
from nmt.translation.model_files.bundle import Bundle


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_load_gives_a_model_ready_to_translate(tiny_run: Path) -> None:
    before = torch.get_rng_state()
    bundle = Bundle.load(tiny_run, device="cpu")
    assert not bundle.model.training
    assert not any(parameter.requires_grad for parameter in bundle.model.parameters())
    assert bundle.checkpoint == CHECKPOINT
    assert (bundle.source_language, bundle.target_language) == ("xx", "yy")
    assert bundle.search.beam_size == 3
    assert bundle.has_attention
    assert torch.equal(torch.get_rng_state(), before)
    weights = load_file(tiny_run / "checkpoints" / CHECKPOINT / MODEL)
    assert torch.equal(bundle.model.source_embedding.weight, weights["source_embedding.weight"])


def test_target_normalisation_may_differ(run: Path) -> None:
    recipe = RunFolder(run).recipe
    text = recipe.read_text().replace("data:\n", "data:\n  target_normalisation: {lowercase: true}\n")
    recipe.write_text(text)
    bundle = Bundle.load(run)
    assert bundle.normalisations.target.lowercase
    assert not bundle.normalisations.source.lowercase


def test_a_checkpoint_can_be_chosen(run: Path) -> None:
    folder = RunFolder(run)
    shutil.copytree(folder.checkpoints / CHECKPOINT, folder.checkpoints / "step-00000900")
    assert Bundle.load(run).checkpoint == CHECKPOINT
    assert Bundle.load(run, checkpoint="last").checkpoint == "step-00000900"
    assert Bundle.load(run, checkpoint="step-00000900").checkpoint == "step-00000900"
    with pytest.raises(CheckpointError, match=r"no checkpoint 'step-00000901'; did you mean step-00000900"):
        Bundle.load(run, checkpoint="step-00000901")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Bundle.load(run, checkpoint="../checkpoints/step-00000900")


def test_missing_folder_names_the_one_that_was_meant(run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no such run folder; did you mean .*run\?"):
        Bundle.load(run.with_name("runn"))
    with pytest.raises(CheckpointError, match="is not an intact file"):
        Bundle.load(run / "recipe.yaml")
    with pytest.raises(CheckpointError, match=r"not a run folder: it has no recipe.yaml; it contains run folders: run"):
        Bundle.load(run.parent)
    with pytest.raises(CheckpointError, match=r"part of a run folder; give .*run \(and --checkpoint"):
        Bundle.load(run / "checkpoints" / CHECKPOINT)


def test_run_without_a_model_says_that_training_has_not_come_so_far(run: Path) -> None:
    folder = RunFolder(run)
    folder.best.unlink()
    with pytest.raises(CheckpointError, match=f"names no best checkpoint; choose one of {CHECKPOINT}"):
        Bundle.load(run)
    shutil.rmtree(folder.checkpoints)
    with pytest.raises(CheckpointError, match="has no model yet: training has not reached its first checkpoint"):
        Bundle.load(run)


def test_best_cannot_point_out_of_the_run(run: Path) -> None:
    RunFolder(run).best.write_text(json.dumps({"checkpoint": f"../checkpoints/{CHECKPOINT}"}))
    with pytest.raises(CheckpointError, match="must name a checkpoint under"):
        Bundle.load(run)


def test_model_and_vocabulary_of_different_runs_are_told_apart(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", size=50)
    shutil.copy(other / "vocabulary" / "joint.model", run / "vocabulary" / "joint.model")
    with pytest.raises(CheckpointError, match=r"60 source pieces, but .*joint.model has 50; .* do not belong together"):
        Bundle.load(run)


def test_weights_of_another_shape_are_listed(run: Path) -> None:
    path = RunFolder(run).checkpoints / CHECKPOINT / MODEL
    weights = load_file(path)
    del weights["output.bias"]
    weights["extra"] = torch.zeros(1)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"(?s)output.bias is missing.*extra is not a part"):
        Bundle.load(run)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda run: (run / "checkpoints" / CHECKPOINT / MODEL).write_bytes(b"\x08" * 40), CheckpointError, "damaged"),
        (lambda run: (run / "recipe.yaml").write_text("data: [unclosed"), CheckpointError, "recipe.yaml.*damaged"),
        (lambda run: (run / "recipe.yaml").write_text("- 1\n"), CheckpointError, "no sections"),
        (lambda run: (run / "vocabulary" / "joint.model").write_bytes(b"no"), DataError, "joint.model"),
        (lambda run: (run / "vocabulary" / "joint.model").unlink(), DataError, "the run folder is damaged"),
        (lambda run: (run / "best.json").write_text("{"), CheckpointError, "best.json.*damaged"),
    ],
)
def test_damage_is_named(run: Path, damage: object, error: type[Exception], message: str) -> None:
    damage(run)  # type: ignore[operator]
    with pytest.raises(error, match=message):
        Bundle.load(run)


LOWER, AS_IT_IS = {"lowercase": True}, {"lowercase": False}


@pytest.mark.parametrize(
    ("trained", "written", "refused"),
    [
        ({}, {}, None),
        ({}, {"target_normalisation": AS_IT_IS}, None),  # said in other words
        ({"target_normalisation": LOWER}, {"target_normalisation": LOWER}, None),
        ({"normalisation": LOWER}, {"normalisation": LOWER, "target_normalisation": LOWER}, None),
        ({}, {"normalisation": LOWER, "target_normalisation": AS_IT_IS}, "normalisation"),
        ({}, {"target_normalisation": LOWER}, "target_normalisation"),
        ({"target_normalisation": LOWER}, {}, "target_normalisation"),
        ({"target_normalisation": LOWER}, {"target_normalisation": AS_IT_IS}, "target_normalisation"),
        # A target without a section of its own is as the source.
        ({"normalisation": LOWER}, {"normalisation": LOWER, "target_normalisation": {}}, "target_normalisation"),
        ({"normalisation": LOWER, "target_normalisation": {}}, {"normalisation": LOWER}, "target_normalisation"),
    ],
)
def test_weights_go_with_the_normalisation_they_were_trained_with(
    run: Path, trained: dict[str, object], written: dict[str, object], refused: str | None
) -> None:
    folder = RunFolder(run)
    recipe = yaml.safe_load(folder.recipe.read_text())
    sections = {"normalisation": AS_IT_IS, "target_normalisation": None, **trained, "model": recipe["model"]}
    origin = {"vocabulary": Bundle.load(run).vocabularies.fingerprint, "sections": sections}
    (folder.checkpoints / CHECKPOINT / STATE).write_text(json.dumps({"origin": origin}))
    recipe["data"] |= written
    folder.recipe.write_text(json.dumps(recipe))  # which is YAML, without anchors
    if refused is None:
        Bundle.load(run)
        return
    with pytest.raises(CheckpointError, match=f"the section '{refused}' is not the one that the weights were trained"):
        Bundle.load(run)


def test_unknown_model_settings_are_reported_with_their_place(run: Path) -> None:
    recipe = RunFolder(run).recipe
    recipe.write_text(recipe.read_text().replace("embedding:", "embeding:", 1))
    with pytest.raises(ConfigError, match=r"recipe.yaml: model.*embeding"):
        Bundle.load(run)


def test_model_without_attention_loads(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", model={**MODEL_CONFIG, "attention": "none"})
    assert not Bundle.load(run).has_attention


def test_tied_embeddings_load_as_one(tmp_path: Path) -> None:
    tied = {**MODEL_CONFIG, "embedding": {"size": 12, "tied": "all"}}
    model = Bundle.load(make_run(tmp_path / "run", model=tied)).model
    assert model.output.weight is model.source_embedding.weight is model.target_embedding.weight
