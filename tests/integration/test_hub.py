"""A model goes to the hub and comes back: nmt-export --hub, a local stand-in of the hub, and hf: in every command."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_stand_in import Repository, StandIn, stand_in
from tiny_run import CHECKPOINT, make_run, sentences

import nmt
from nmt.cli import align, evaluate, export, train, translate
from nmt.core.storage.checksums import origin_of_scores, write_checksums
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import RunFolder

SCORES = [{"name": "BLEU", "value": 12.345, "signature": "nrefs:1|case:mixed", "detail": ""}]
EXAMPLE = "abc <num> de_f *"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was scored on a test set."""
    path = make_run(
        tmp_path_factory.mktemp("runs") / "tiny",
        sections={"test": {"corpus": {"type": "hub", "name": "who/what", "source": "de", "target": "en"}}},
    )
    folder = RunFolder(path)
    write_json(folder.test, {"scores": SCORES, **origin_of_scores(folder.checkpoints / CHECKPOINT, {})})
    write_json(folder.corpus, {"training": {"name": "a_1|b_1", "lines": 30, "kept": 29}})
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Let the library in this process use a stand-in, and a cache of its own."""
    from huggingface_hub import constants

    with stand_in() as state:
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        address = f"{state.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield state


@pytest.fixture
def folder(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """What nmt-export wrote for the hub."""
    path = tmp_path / "shared"
    assert export.main([str(run), "--hub", str(path), "--example", EXAMPLE]) == 0
    said = capfd.readouterr().out
    assert said.startswith(f"{path}: {CHECKPOINT} of {run}; next:\n") and f"hf upload OWNER/NAME {path}\n" in said
    return path


@pytest.fixture
def commit(folder: Path, hub: StandIn) -> str:
    """The commit of that folder on the stand-in, as me/tiny."""
    hub.repositories["me/tiny"] = Repository()
    return hub.repositories["me/tiny"].commit(folder, "v1")


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "source", tmp_path / "target"]
    for path, seed in zip(paths, (4, 5), strict=True):
        path.write_text("".join(f"{line}\n" for line in sentences(30, seed=seed, longest=4)))
    return [str(path) for path in paths]


def test_every_command_takes_it_from_the_hub_as_it_takes_the_run(
    run: Path, hub: StandIn, commit: str, folder: Path, pair: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for place in (str(run), "hf:me/tiny", "hf:me/tiny@v1", str(folder)):
        assert translate.main([place, "--input", pair[0], "--quiet"]) == 0
        assert align.main([place, *pair, "--quiet"]) == 0
        assert evaluate.main([place, place, *pair, "--quiet"]) == 0
        outputs.append(capfd.readouterr().out)
    assert len(set(outputs)) == 1 and len(outputs[0].splitlines()) > 60
    translator = nmt.Translator.load("hf:me/tiny")
    assert translator.bundles[0].path.parent.name == commit, "the worker processes read the same one"
    assert {each for each in hub.asked if each.startswith("GET /me/")} == {
        "GET /me/tiny/resolve/main/config.json",
        f"GET /me/tiny/resolve/{commit}/model.safetensors",
    }


def test_training_begins_from_it_and_records_the_commit(
    commit: str, pair: list[str], hub: StandIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "data:\n  train: [{source: source, target: target}]\n"
        "training: {max_steps: 1, device: cpu, init_from: 'hf:me/tiny'}\n"
    )
    assert train.main([str(recipe), f"data.root={tmp_path}", "--output", str(tmp_path / "run")]) == 0
    assert "weights: begun from" in capfd.readouterr().err
    named = f"hf:me/tiny@{commit}"
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["training"]["init_from"] == named
    assert sum(each.startswith("HEAD") for each in hub.asked) == 2, "the hub is asked once, for two files"
    assert export.main([str(tmp_path / "run"), "--hub", str(tmp_path / "tuned")]) == 0
    assert not (tmp_path / "tuned" / "attention.png").exists(), "no text but what the user gives"
    assert "base_model: me/tiny\n" in (tmp_path / "tuned" / "README.md").read_text()
    assert export.main([str(tmp_path / "run"), str(tmp_path / "model.nmt")]) == 0
    recipe.write_text(recipe.read_text().replace("me/tiny", "me/none"))
    assert train.main([str(recipe), f"data.root={tmp_path}", "--output", str(tmp_path / "other")]) == 1
    assert "hf:me/none: there is no such repository" in capfd.readouterr().err


def test_the_card_says_what_the_hub_and_people_read(run: Path, folder: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(folder / "README.md")  # reads the header as the hub does
    data = card.data.to_dict()
    assert data["language"] == ["xx", "yy"] and data["library_name"] == "nmt" and data["pipeline_tag"] == "translation"
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"] == {"name": "who/what", "type": "who/what", "split": "test"}
    (metric,) = result["metrics"]
    assert (metric["type"], metric["value"], metric["args"]) == ("bleu", 12.35, {"signature": "nrefs:1|case:mixed"})
    assert "license" not in data and "\n# license: fill in" in (folder / "README.md").read_text()
    translation = nmt.Translator.load(run).translate([EXAMPLE])[0].text
    shown = re.search(r"> (.*)\n\n> (.*)\n\n!\[Attention\]\(attention.png\)", card.text)
    assert shown is not None and shown[1] == r"abc \<num\> de\_f \*" and shown[2].replace("\\", "") == translation
    assert r"| training | a\_1\|b\_1 | 30 | 29 |" in card.text
    assert f"(written by version {nmt.__version__}) by `pip install .`" in card.text
    assert r"| test | BLEU | 12.35 | `nrefs:1\|case:mixed` |" in card.text
    assert (folder / "attention.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((folder / "config.json").read_text())
    assert (
        config["model_type"] == "nmt" and config["source_language"] == "xx" and config["model"]["encoder"]["size"] == 12
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "attention.png",
        "config.json",
        "model.safetensors",
    ]


def test_the_card_of_a_model_of_several_languages(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub import ModelCard

    run = make_run(tmp_path / "many", tags=("<2de>", "<2en>", "<2fr>"))
    assert export.main([str(run), "--hub", str(tmp_path / "shared"), "--example", "abc"]) == 1
    assert "--example: 'abc' must begin with a tag" in capfd.readouterr().err
    assert export.main([str(run), "--hub", str(tmp_path / "shared"), "--example", "<2fr> abc"]) == 0
    card = ModelCard.load(tmp_path / "shared" / "README.md")
    assert card.data.to_dict()["language"] == ["de", "en", "fr"]
    assert "translates from de, en or fr to de, en or fr, sentence by sentence" in card.text
    assert "nmt-translate hf:OWNER/NAME --target-language de < input.txt" in card.text
    assert 'Translator.load("hf:OWNER/NAME", target_language="de")' in card.text
    assert "\n> abc\n" in card.text
    translated = nmt.Translator.load(tmp_path / "shared", target_language="fr").translate(["abc"])[0].text
    assert f"\n> {translated}\n" in card.text.replace("\\", "")


def test_a_folder_is_written_again_but_an_edited_card_is_kept(
    run: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "README.md").read_text()
    assert export.main([str(run), "--hub", str(folder)]) == 0
    without = (folder / "README.md").read_text()
    assert without != before and "attention.png" not in without and not (folder / "attention.png").exists()
    edited = without.replace("OWNER/NAME", "me/tiny")
    (folder / "README.md").write_text(edited)
    capfd.readouterr()
    assert export.main([str(folder / "model.safetensors"), "--hub", str(folder), "--example", EXAMPLE]) == 0
    assert "README.md: was edited, and is kept as it is, with its picture; delete it" in capfd.readouterr().err
    assert (folder / "README.md").read_text() == edited
    assert not (folder / "attention.png").exists()  # that card shows none


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_a_folder_without_its_model_file_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "model.safetensors").unlink()
    assert export.main(["--show", str(folder)]) == 1
    assert f"{folder}: has a config.json of nmt, but not model.safetensors" in capfd.readouterr().err
    assert export.main([str(folder), "--hub", str(folder)]) == 1


@pytest.mark.parametrize("of", ["folder", "weights", "weights of old", "vocabulary", "text"])
def test_a_pointer_of_git_lfs_is_no_damage(
    of: str, run: Path, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cloned = RunFolder(shutil.copytree(run, tmp_path / "cloned"))
    weights = cloned.checkpoints / CHECKPOINT / "model.safetensors"
    if of == "weights":
        write_checksums(weights.parent)
    pointer, command, read = {
        "folder": (folder / "model.safetensors", export.main, ["--show", str(folder)]),
        "weights": (weights, translate.main, [str(cloned.path)]),
        "weights of old": (weights, translate.main, [str(cloned.path)]),
        "vocabulary": (cloned.vocabulary / "joint.model", translate.main, [str(cloned.path)]),
        "text": (tmp_path / "text", translate.main, [str(run), "--input", str(tmp_path / "text")]),
    }[of]
    pointer.write_text(POINTER)
    assert command(read) == 1
    said = capfd.readouterr().err
    assert "is a pointer of Git LFS, not the file itself; fetch it with: git lfs pull" in said
    assert str(pointer) in said and said.count("\n") == 1


def test_mistakes_are_one_message(run: Path, hub: StandIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "marian"}')
    free = str(tmp_path / "free")
    for arguments, status, message in (
        ([str(run), "--hub", str(other)], 2, "other: exists and is not a folder that nmt-export --hub wrote"),
        ([str(run), "--hub", str(tmp_path / "no" / "where")], 2, "where: cannot be written; the folder"),
        ([str(run), free, "--hub", free], 2, "RUN with --hub"),
        ([str(run), free, "--example", "a"], 2, "--example needs --hub FOLDER"),
        ([str(run), "--hub", free, "--example", " "], 2, "--example: must be a sentence, but is blank"),
        ([str(run), "--hub", free, "--to", "marian"], 2, "leave out --show and --to"),
        (["nowhere", "--hub", free], 1, "nowhere: there is no such run folder"),
        (["--show", "hf:me/none"], 1, "hf:me/none: there is no such repository"),
        (["hf:me/none", "x.nmt"], 1, "hf:me/none: there is no such repository"),
    ):
        assert export.main(arguments) == status
        said = capfd.readouterr()
        assert message in said.err and "Traceback" not in said.err and said.out == "", arguments
    assert not Path(free).exists(), "nothing is left behind"
    assert [path.name for path in other.iterdir()] == ["config.json"]
