"""A model file holds all of a model, is the same for the same model, and is refused unless it is as it was written."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_run import CHECKPOINT, MODEL_CONFIG, make_run, sentences

from nmt.core.errors import CheckpointError, ConfigError, NmtError
from nmt.core.storage.checksums import origin_of_scores
from nmt.core.storage.run_folder import MODEL, RunFolder
from nmt.model.weights import model_tensors
from nmt.translation.model_files import packed
from nmt.translation.model_files.bundle import Bundle, open_model
from nmt.translation.model_files.exporting import export
from nmt.translation.model_files.packed import read_manifest, write_packed
from nmt.translation.translator import Translator

FILES = ["recipe.yaml", "best.json", "vocabulary/joint.model", f"checkpoints/{CHECKPOINT}/{MODEL}"]


@pytest.fixture(scope="module")
def model(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "model.nmt"
    export(tiny_run, path)
    return path


def assert_same_bundle(one: Bundle, other: Bundle) -> None:
    left, right = model_tensors(one.model), model_tensors(other.model)
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    assert one.vocabularies.fingerprint == other.vocabularies.fingerprint
    assert (one.normalisations, one.search) == (other.normalisations, other.search)
    assert (one.source_language, one.target_language) == (other.source_language, other.target_language)


def test_a_file_is_the_run(tiny_run: Path, model: Path) -> None:
    run, file = Bundle.load(tiny_run), Bundle.load(model)
    assert_same_bundle(run, file)
    assert (file.path, file.checkpoint) == (model, CHECKPOINT)
    lines = sentences(5, seed=9)
    texts = [[each.text for each in Translator([bundle]).translate(lines)] for bundle in (run, file)]
    assert texts[0] == texts[1] and any(texts[0])


def test_two_vocabularies_tied_embeddings_and_a_lexical_model(tmp_path: Path) -> None:
    tied = {**MODEL_CONFIG, "embedding": {"size": 12, "tied": "target"}, "lexical": True}
    run = make_run(tmp_path / "run", joint=False, model=tied, lowercase=True)
    export(run, tmp_path / "model.nmt")
    bundle = Bundle.load(tmp_path / "model.nmt")
    assert_same_bundle(Bundle.load(run), bundle)
    assert not bundle.vocabularies.joint and bundle.normalisations.source.lowercase


def test_equal_models_are_equal_files_and_only_model_files_are_replaced(tiny_run: Path, model: Path) -> None:
    again, text = model.with_name("again.nmt"), model.with_name("text.de")
    for _ in range(2):
        export(tiny_run, again)
        assert again.read_bytes() == model.read_bytes()
    text.write_text("ein Text\n")
    with pytest.raises(ConfigError, match=r"text\.de: exists and is not a model file"):
        export(tiny_run, text)
    assert text.read_text() == "ein Text\n"
    with pytest.raises(ConfigError, match=r"the folder .*nowhere does not exist"):
        export(tiny_run, model.parent / "nowhere" / "x.nmt")
    with pytest.raises(CheckpointError, match="must be a run folder, but is a file"):
        export(model, again)


def test_what_is_known_goes_along_and_what_is_local_does_not(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    folder = RunFolder(run)
    folder.versions.write_text('{"torch": "2.9", "seed": 5}')
    score = {"name": "BLEU", "value": 31.5, "signature": "nrefs:1|case:mixed"}
    folder.test.write_text(json.dumps({"scores": [score], "checkpoint": CHECKPOINT}))
    records = [
        {"kind": "validation", "step": 400, "bleu": 1.0},
        {"kind": "validation", "step": 500, "bleu": 30.0, "bleu_signature": "s", "seconds": 3},
        {"kind": "train", "step": 500, "bleu": 2.0},
        {"kind": "validation", "step": 600, "bleu": 29.0},
        {"kind": "average", "step": 500, "bleu": 31.0},
    ]
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records) + '{"half')
    export(run, tmp_path / "model.nmt")
    manifest = read_manifest(tmp_path / "model.nmt")
    assert manifest["scores"] == {"validation": {"bleu": 30.0, "bleu_signature": "s"}, "test": [score]}
    assert manifest["versions"]["torch"] == "2.9" and manifest["provenance"] == {"run": "run", "seed": 3}
    assert manifest["recipe"]["data"]["root"] == "." and str(tmp_path) not in json.dumps(manifest)
    folder.test.write_text(json.dumps({"scores": [score], "checkpoint": "step-00000400"}))
    export(run, tmp_path / "model.nmt")
    assert "test" not in read_manifest(tmp_path / "model.nmt")["scores"], "of another checkpoint"
    folder.test.write_text(json.dumps({"scores": [score], "checkpoint": CHECKPOINT, "weights": "0" * 64}))
    export(run, tmp_path / "model.nmt")
    assert "test" not in read_manifest(tmp_path / "model.nmt")["scores"], "of another one of that name"
    origin = origin_of_scores(folder.checkpoints / CHECKPOINT, {})
    folder.test.write_text(json.dumps({"scores": [score], **origin}))
    export(run, tmp_path / "model.nmt")
    assert read_manifest(tmp_path / "model.nmt")["scores"]["test"] == [score]
    shutil.copytree(folder.checkpoints / CHECKPOINT, folder.checkpoints / "averaged")
    export(run, tmp_path / "model.nmt", "averaged")
    assert read_manifest(tmp_path / "model.nmt")["scores"] == {"validation": {"bleu": 31.0}}


def test_damage_far_behind_is_seen_too(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum is computed block by block; here a file has many."""
    monkeypatch.setattr(packed, "_BLOCK", 1000)
    path = tmp_path / "model.nmt"
    export(tiny_run, path)
    monkeypatch.undo()
    content = path.read_bytes()
    assert len(content) > 5000
    open_model(path)
    monkeypatch.setattr(packed, "_BLOCK", 1000)
    for place in (-1, -1500, len(content) // 2):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="does not match its checksum"):
            open_model(path)


def test_a_file_has_one_checkpoint(model: Path) -> None:
    with pytest.raises(CheckpointError, match="leave out --checkpoint"):
        Bundle.load(model, checkpoint="last")


def test_damage_anywhere_is_refused_in_one_message(model: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    path = tmp_path / "model.nmt"
    offsets = {*range(200), *range(200, len(content), 1501), len(content) - 1}
    for offset in offsets:
        damaged = bytearray(content)
        damaged[offset] ^= 1 << offset % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"model\.nmt: ") as caught:
            open_model(path)
        assert "\n" not in str(caught.value)
    for length in {0, 1, 7, 8, 9, 100, *range(200, len(content), 5003), len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"model\.nmt: "):
            open_model(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(CheckpointError, match="checksum"):
        open_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x95",
        b"PK\x03\x04",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.nmt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is not an intact file that nmt-export wrote"):
        Bundle.load(path)


def test_a_newer_format_is_named(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_run: Path) -> None:
    monkeypatch.setattr(packed, "FORMAT", 2)
    export(tiny_run, tmp_path / "new.nmt")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"has format 2, but this version reads format 1; it may be of a newer"):
        Bundle.load(tmp_path / "new.nmt")


# ---------------------------------------------------------------- files made with ill will: all sums are right


def forged(tiny_run: Path, path: Path, **changes: Any) -> Path:
    stored = open_model(tiny_run)
    recipe = {**stored.recipe, **changes.pop("recipe", {})}
    tensors = stored.read() | changes.pop("tensors", {})
    write_packed(path, tensors, stored.vocabularies, {"checkpoint": "x", "recipe": recipe, **changes})
    return path


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"encoder": {"size": 10**12}}, r"model\.encoder\.size is 1000000000000, but there are only"),
        ({"encoder": {"layers": 10**5}}, r"model\.encoder\.layers is 100000, but there are only \d+ weights"),
        ({"decoder": {"size": 500}}, "the weights do not fit the model of this recipe"),
        ({"embedding": {"size": 500}}, "the weights do not fit"),
    ],
)
def test_a_small_file_cannot_ask_for_a_large_model(
    tiny_run: Path, tmp_path: Path, model: dict[str, Any], message: str
) -> None:
    path = forged(tiny_run, tmp_path / "bomb.nmt", recipe={"model": {**MODEL_CONFIG, **model}})
    with pytest.raises(CheckpointError, match=message):
        Bundle.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"data": 3}},
        {"recipe": {"data": {"normalisation": "none"}}},
        {"recipe": {"model": [1, 2]}},
        {"recipe": {"model": {"attention": "nmt.evil.Attention"}}},
        {"recipe": {"search": {"beam_size": -1}}},
        {"tensors": {"output.bias": torch.zeros(60, dtype=torch.int64)}},
        {"tensors": {"output.bias": torch.zeros(60, 1)}},
        {"tensors": {"more": torch.zeros(0)}},
    ],
)
def test_other_nonsense_is_one_message(tiny_run: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    path = forged(tiny_run, tmp_path / "odd.nmt", **changes)
    with pytest.raises(NmtError):
        Bundle.load(path)


def test_tensors_that_belong_nowhere_are_refused(model: Path, tmp_path: Path) -> None:
    tensors = load_file(model)
    text = json.dumps({"format": 1, "sha256": "0" * 64, "recipe": {}})
    path = tmp_path / "odd.nmt"
    save_file({**tensors, "../../etc": torch.zeros(1)}, path, metadata={"nmt": text})
    with pytest.raises(CheckpointError, match="checksum"):
        Bundle.load(path)


# ---------------------------------------------------------------- run folders


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.mark.parametrize("name", [*FILES, "checkpoints"])
def test_links_out_of_a_run_are_not_followed(run: Path, tmp_path: Path, name: str) -> None:
    (run / name).replace(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="is a link out of the run folder"):
        Bundle.load(run)
    linked = tmp_path / "linked"
    linked.symlink_to(run)
    (run / name).unlink()
    (tmp_path / "elsewhere").replace(run / name)
    Bundle.load(linked)


@pytest.mark.parametrize("name", ["..", ".", "", "/", "step-1/../step-00000500", "damaged-step-00000500"])
def test_best_names_a_checkpoint_and_nothing_else(run: Path, name: str) -> None:
    RunFolder(run).best.write_text(json.dumps({"checkpoint": name}))
    with pytest.raises(CheckpointError, match="must name a checkpoint under"):
        Bundle.load(run)


def test_best_must_agree_with_itself(run: Path) -> None:
    RunFolder(run).best.write_text(json.dumps({"checkpoint": CHECKPOINT, "step": 400}))
    with pytest.raises(CheckpointError, match="names step-00000500 and update 400"):
        Bundle.load(run)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1,1]\nb: &b [*a,*a]\ndata: {}\n",
        "data: !!python/object/apply:os.system ['true']\n",
        "data: " + "[" * 50_000,
        "data: {root: 1, root: 2}\n",
        "\0",
    ],
)
def test_a_recipe_is_plain_data(run: Path, text: str) -> None:
    RunFolder(run).recipe.write_text(text)
    with pytest.raises(CheckpointError, match=r"recipe\.yaml: cannot be read as a recipe"):
        Bundle.load(run)


def test_files_beyond_all_measure_are_not_read(run: Path) -> None:
    for path in (RunFolder(run).recipe, RunFolder(run).best):
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(2**40)  # a hole: takes no room
        with pytest.raises(CheckpointError, match="must have at most"):
            Bundle.load(run)
        path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["recipe.yaml", "best.json", "vocabulary/joint.model", f"checkpoints/{CHECKPOINT}/{MODEL}"]
)
def test_a_pickle_runs_nothing(run: Path, tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "run-by-a-file",)

    torch.save(Evil(), run / name)
    with pytest.raises(NmtError):
        Bundle.load(run)
    (run / name).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(NmtError):
        Bundle.load(run)
    assert not (tmp_path / "run-by-a-file").exists()


@pytest.mark.costly
@pytest.mark.parametrize("name", ["recipe.yaml", "best.json", f"checkpoints/{CHECKPOINT}/{MODEL}"])
def test_flips_and_cuts_in_a_run_end_in_a_model_or_in_a_message(run: Path, name: str) -> None:
    """Without a state there are no checksums here: whatever is read must still be a model or one message."""
    content = (run / name).read_bytes()
    few = range(0, len(content), max(1, len(content) // 60))
    loaded = 0
    for offset in few:
        flipped = bytearray(content)
        flipped[offset] ^= 1 << offset % 8
        for damaged in (bytes(flipped), content[:offset]):
            (run / name).write_bytes(damaged)
            try:
                Bundle.load(run)
                loaded += 1
            except NmtError as error:
                assert str(error)
    assert loaded < 2 * len(few)
