"""Training that begins from another model: what is taken over, what is refused, what is told, and new symbols."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_run import MODEL_CONFIG, make_run, sentences

from nmt.cli import check, export, train
from nmt.core import config
from nmt.core.storage.run_folder import MODEL, RunFolder, best_checkpoint
from nmt.model.weights import read_tensors
from nmt.recipe import Recipe, load_recipe
from nmt.text.vocabularies import Vocabularies
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.translator import Translator

# What hardly moves a weight, so that what was taken over is seen.
STILL = ("training.optimiser={type: sgd, learning_rate: 1e-12}", "training.max_steps=1", "training.device=cpu")


@dataclass
class Outcome:
    status: int
    errors: str


@pytest.fixture
def run_train(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        status = train.main([str(each) for each in arguments])
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return Outcome(status, errors)

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe that says nothing of its model."""
    for suffix, seed in (("source", 6), ("target", 7)):
        (tmp_path / suffix).write_text("".join(f"{line}\n" for line in sentences(40, seed=seed, longest=4)))
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"data:\n  root: {tmp_path}\n  train: [{{source: source, target: target}}]\ntraining:\n  max_steps: 1\n"
    )
    return path


def base(tmp_path: Path, **changes: Any) -> Path:
    model = {**MODEL_CONFIG, **changes.pop("model", {})}
    return make_run(tmp_path / "base", model=model, **changes)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return read_tensors(best_checkpoint(RunFolder(run)) / MODEL)


KINDS = [
    ({"embedding": {"size": 12, "tied": tied}}, joint)
    for tied, joint in (("none", True), ("none", False), ("target", True), ("target", False), ("all", True))
]


@pytest.mark.parametrize(("model", "joint"), KINDS)
def test_new_symbols_join_a_model_and_the_rest_stays(
    model: dict[str, Any], joint: bool, recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun = base(tmp_path, model=model, joint=joint)
    run = tmp_path / "run"
    begin = f"training.init_from={begun}"
    symbols = "data.subword.user_symbols=[<num>, <2de>, <2en>]"  # the first is there already
    outcome = run_train(recipe, begin, symbols, *STILL, "--output", run)
    assert outcome.status == 0
    assert ": <2de> <2en>" in outcome.errors
    before, after = Vocabularies.load(begun / "vocabulary"), Vocabularies.load(run / "vocabulary")
    assert (after.source.size, after.target.size) == (before.source.size + 2, before.target.size + 2)
    old, new = weights_of(begun), weights_of(run)
    assert old.keys() == new.keys()
    for name, tensor in old.items():
        torch.testing.assert_close(new[name][: len(tensor)], tensor, rtol=0, atol=1e-6)
        rows = {"source": before.source, "target": before.target}[name.split("_")[0]] if "embedding" in name else None
        rows = before.target if name.startswith("output") else rows
        assert len(new[name]) == (len(tensor) + 2 if rows is not None else len(tensor)), name
    # It exports, loads, translates, is resumed by its own recipe and by the one it began with, and is begun from again.
    assert export.main([str(run), str(tmp_path / "run.nmt"), "--quiet"]) == 0
    for path in (run, tmp_path / "run.nmt"):
        bundle = Bundle.load(path)
        symbol = bundle.vocabularies.source.size - 2
        assert bundle.vocabularies.source.encode("<2de> abc").count(symbol) == 1
        assert len(Translator([bundle]).translate(["<2de> abc"])) == 1
    assert run_train("--output", run, "--resume", *STILL, "training.max_steps=2").status == 0
    shutil.rmtree(begun)
    assert run_train(recipe, begin, symbols, *STILL, "training.max_steps=3", "--output", run, "--resume").status == 0
    outcome = run_train(
        recipe, f"training.init_from={tmp_path / 'run.nmt'}", "data.subword.user_symbols=[<2fr>]", *STILL,
        "--output", tmp_path / "again",
    )  # fmt: skip
    assert outcome.status == 0 and len(weights_of(tmp_path / "again")["output.bias"]) == after.target.size + 1


def test_tags_of_corpora_join_a_model(recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]) -> None:
    begin = f"training.init_from={base(tmp_path)}"
    validated = "data.validation={source: source, target: target, tag: "
    command = (recipe, begin, "data.train.0.tag=<bt>", *STILL, "--output", tmp_path / "run")
    outcome = run_train(*command, validated + "<2de>}")
    assert outcome.status == 2
    assert "data.validation.tag must be one of <num>, <bt>: a model learns the tags of data.train" in outcome.errors
    shutil.rmtree(tmp_path / "run")
    outcome = run_train(*command, validated + "<bt>}")
    assert outcome.status == 0 and ": <bt>\n" in outcome.errors
    bundle = Bundle.load(tmp_path / "run")
    assert bundle.vocabularies.source.symbols == ("<num>", "<bt>")
    assert len(Translator([bundle]).translate(["<bt> abc", "a<bt>b"])) == 2
    outcome = run_train("--output", tmp_path / "run", "--resume", "data.train.0.tag=<num>", "training.max_steps=2")
    assert outcome.status == 2 and "data.train.*.tag must stay as in the run" in outcome.errors


def test_a_model_of_several_languages_that_goes_on_without_tags(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun = base(tmp_path, tags=("<2de>", "<2fr>"))
    command = recipe, f"training.init_from={begun}", *STILL
    said = f"data.train.0.tag is null, but every source of {begun} had one before it: <2de>, <2fr>"
    assert said in run_train(*command, "--output", tmp_path / "without").errors
    assert "data.train.0.tag" not in run_train(*command, "data.train.0.tag=<2fr>", "--output", tmp_path / "with").errors
    assert Translator.load(tmp_path / "with", target_language="fr").translate(["ab"])[0].problem == ""


def test_the_stored_recipe_tells_the_truth(recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]) -> None:
    """The run begun from says nothing of its vocabulary, as one of a user's own model does."""
    model = {"decoder": {"type": "luong", "size": 14}, "attention": {"type": "sparsemax", "score": "general"}}
    begun = base(tmp_path, model=model, lowercase=True)
    stored = load_recipe(begun / "recipe.yaml", ["data.train=[{source: a, target: b}]"])
    assert stored.data.subword.size == 8000, "which it has not"
    symbols = "data.subword.user_symbols=[<2de>]"
    outcome = run_train(recipe, f"training.init_from={begun}", symbols, *STILL, "--output", tmp_path / "run")
    assert outcome.status == 0
    found = config.load_file(Recipe, tmp_path / "run" / "recipe.yaml")
    assert found.model == stored.model and found.data.normalisation == stored.data.normalisation
    assert found.data.subword.size == 61 and found.data.subword.user_symbols == ("<num>", "<2de>")
    assert found.data.subword.algorithm == "unigram" and found.data.subword.joint


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.subword.size=70",
            "data.subword.size must be 60, as in {base}, whose vocabulary is kept",
        ),
        ("data.subword.algorithm=bpe", "data.subword.algorithm must be unigram, as in {base}"),
        ("data.subword.byte_fallback=true", "data.subword.byte_fallback must be false, as in {base}"),
        ("data.subword.joint=false", "data.subword.joint must be true, as in {base}"),
        ("data.subword.character_coverage=0.99", "data.subword.character_coverage must be 1.0, as in {base}"),
        ("data.subword.source_model=other.model", "data.subword.source_model must be that of {base}"),
        ("data.subword.user_symbols=[</s>]", "must not be </s>, which every vocabulary contains"),
        ("model.decoder.size=16", "model.decoder.size must be 12, as in {base}, whose weights are used, but is 16"),
        (
            "model.decoder=luong",
            "model.decoder.type must be bahdanau, as in {base}, whose weights are",
        ),
        ("model.encoder.layers=2", "model.encoder.layers must be 1, as in {base}"),
        ("model.embedding.tied=all", "model.embedding.tied must be none, as in {base}"),
    ],
)
def test_what_a_recipe_says_and_cannot_be_is_refused_by_name(
    override: str, message: str, recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun = base(tmp_path)
    other = make_run(tmp_path / "other", words="abcdefghijkl")
    shutil.copy(other / "vocabulary" / "joint.model", tmp_path / "other.model")
    outcome = run_train(recipe, f"training.init_from={begun}", override, *STILL, "--output", tmp_path / "run")
    assert outcome.status in (1, 2) and message.format(base=begun) in outcome.errors
    assert not (tmp_path / "run").exists()


def test_several_refusals_come_at_once_with_their_lines(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    text = recipe.read_text()
    recipe.write_text(f"model:\n  encoder:\n    size: 5\n{text}  init_from: {base(tmp_path)}\n")
    outcome = run_train(recipe, "data.subword.size=9", "--dry-run")
    assert outcome.status == 2
    assert (
        "line 3: model.encoder.size must be 12" in outcome.errors and "data.subword.size must be 60" in outcome.errors
    )


@pytest.mark.parametrize(
    "same",
    [
        ["data.subword.size=60"],
        ["data.subword.size=8000"],  # as the recipe of the other run has it
        ["data.subword.source_model=base/vocabulary/joint.model"],
        ["model.decoder.size=12", "model.decoder.type=bahdanau"],
        ["model.decoder=bahdanau", "model.attention=soft"],
        ["data.subword.user_symbols=[<num>]"],
        ["data.subword.user_symbols=[<2de>]", "data.subword.size=61"],
    ],
)
def test_what_is_said_and_true_is_accepted(
    same: Sequence[str], recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun, run = base(tmp_path), tmp_path / "run"
    options = [recipe, f"training.init_from={begun}", *same, *STILL, "--output", run]
    assert run_train(*options).status == 0
    stored = load_recipe(run / "recipe.yaml", run=RunFolder(run))
    assert stored.data.subword.size == len(weights_of(run)["output.bias"])
    assert run_train(*options, "training.max_steps=2", "--resume").status == 0, "by the same recipe"


def test_what_means_another_thing_to_the_weights_is_told(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun = base(tmp_path)
    changes = ("model.attention=sparsemax", "data.normalisation.lowercase=true", "model.dropout.readout=0.2")
    outcome = run_train(recipe, f"training.init_from={begun}", *changes, *STILL, "--output", tmp_path / "run")
    assert outcome.status == 0
    assert f"model.attention.type is sparsemax, but soft in {begun}" in outcome.errors
    assert f"data.normalisation.lowercase is true, but false in {begun}" in outcome.errors
    assert "dropout" not in outcome.errors
    outcome = run_train(recipe, f"training.init_from={begun}", "data.target_normalisation={unicode: nfkc}", "--dry-run")
    assert f"data.target_normalisation.unicode is nfkc, but nfc in {begun}" in outcome.errors
    assert "data.normalisation" not in outcome.errors


def test_keys_that_do_nothing_beside_other_weights_are_told(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    overrides = ("model.initialisation.scheme=luong", "data.subword.max_lines=10")
    outcome = run_train(recipe, f"training.init_from={base(tmp_path)}", *overrides, "--dry-run")
    assert "model.initialisation has no effect" in outcome.errors
    assert "data.subword.max_lines has no effect" in outcome.errors


def test_text_that_the_vocabulary_does_not_know_is_told_with_share_and_lines(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source").write_text("猫 狗\nab ab\n" * 20)
    begin = f"training.init_from={base(tmp_path)}"
    outcome = run_train(recipe, begin, *STILL, "--output", tmp_path / "run")
    told = "40 characters of the source (33.33%) are unknown to the vocabulary, 2 different: '狗' '猫'"
    assert outcome.status == 0 and f"{told} (lines 1, 3, 5, 7, 9)" in outcome.errors
    assert check.main([str(recipe), begin]) == 3
    output = capfd.readouterr().out
    assert told.split(" (lines", maxsplit=1)[0] in output and "leave out init_from" in output


def test_a_run_whose_recipe_claims_another_vocabulary_is_resumed(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    """As runs were written before the recipe was made to tell the truth."""
    run = tmp_path / "run"
    options = [recipe, f"training.init_from={base(tmp_path)}"]
    assert run_train(*options, *STILL, "--output", run).status == 0
    stored = yaml.safe_load((run / "recipe.yaml").read_text())
    stored["data"]["subword"] |= {"size": 70, "algorithm": "bpe"}
    (run / "recipe.yaml").write_text(yaml.safe_dump(stored))
    assert run_train("--output", run, "--resume", "training.max_steps=2").status == 0
    claims = ("data.subword.size=70", "data.subword.algorithm=bpe")
    assert run_train(*options, *claims, *STILL, "training.max_steps=3", "--output", run, "--resume").status == 0


def test_two_files_are_learnt_by_a_model_that_is_there(
    recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]
) -> None:
    begun = base(tmp_path)
    lines = sentences(80, seed=9, longest=4)
    for side in ("source", "target"):
        (tmp_path / side).write_text("".join(f"{line}\n" for line in lines))
    files = ["--source", tmp_path / "source", "--target", tmp_path / "target"]
    outcome = run_train(*files, f"training.init_from={begun}", *STILL, "alignment=null", "--output", tmp_path / "run")
    assert outcome.status == 0, outcome.errors
    stored = load_recipe(tmp_path / "run" / "recipe.yaml", run=RunFolder(tmp_path / "run"))
    assert stored.model.decoder.size == 12 and stored.data.subword.size == 60


def test_a_model_that_is_not_there_is_named(recipe: Path, tmp_path: Path, run_train: Callable[..., Outcome]) -> None:
    outcome = run_train(recipe, f"training.init_from={tmp_path / 'nowhere'}", "--output", tmp_path / "run")
    assert outcome.status == 1 and "nowhere: there is no such run folder" in outcome.errors
