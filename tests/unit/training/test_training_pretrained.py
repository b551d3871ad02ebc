"""Embeddings that begin as vectors: which rows, in which table, and what a run keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch
from tiny_training import build, make_recipe, train

from nmt.core import config
from nmt.core.errors import ConfigError, DataError
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.text.vectors import PieceVectors
from nmt.training.pretrained import begin_with_vectors
from nmt.translation.model_files.exporting import export
from nmt.translation.model_files.packed import read_manifest


def vectors(ids: list[int], value: float) -> PieceVectors:
    return PieceVectors(Path("x"), numpy.array(ids), numpy.full((len(ids), 4), value, dtype=numpy.float32), 9)


def model(tied: str) -> torch.nn.Module:
    values = {"embedding": {"size": 4, "tied": tied}, "encoder": {"size": 4}, "decoder": {"size": 4}}
    torch.manual_seed(0)
    return config.from_mapping(Seq2SeqConfig, values, name="x").build(9, 9)


@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_rows_that_are_found_are_put_in_and_the_others_stay(tied):
    before, after = model(tied), model(tied)
    begin_with_vectors(after, {"source": vectors([3, 5], 1.0), "target": vectors([5, 7], 3.0)})
    expected = {"source_embedding": {3: 1.0, 5: 1.0}, "target_embedding": {5: 3.0, 7: 3.0}}
    if tied == "all":
        expected = {name: {3: 1.0, 5: 2.0, 7: 3.0} for name in expected}
    for name, rows in expected.items():
        table, old = (getattr(each, name).weight for each in (after, before))
        for row in range(9):
            wanted = torch.full((4,), rows[row]) if row in rows else old[row]
            assert torch.equal(table[row], wanted), (name, row)
    assert (after.output.weight is after.target_embedding.weight) == (tied != "none")
    if tied == "none":
        assert torch.equal(after.output.weight, before.output.weight)


def test_nothing_to_put_in_changes_nothing():
    before, after = model("none"), model("none")
    begin_with_vectors(after, {})
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), after.parameters(), strict=True))


@pytest.mark.slow
def test_a_run_begins_with_them_says_so_and_goes_on_without_the_file(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["der", "hund", "haus", "zzz"]
    lines = [" ".join([word, *(str(place + column / 8) for column in range(8))]) for place, word in enumerate(words)]
    file = tmp_path / "w.vec"
    file.write_text("".join(f"{line}\n" for line in lines))
    recipe = make_recipe(corpus, f"training.pretrained_embeddings.source={file}", "training.max_steps=2")
    with caplog.at_level("INFO", logger="nmt"):
        trainer = build(recipe, tmp_path / "run")
    pieces = trainer.vocabularies.source
    there = [word for word in words if pieces.id_of(f"▁{word}") != pieces.unk_id]
    assert there
    assert f"source embeddings: {len(there)} of {pieces.size - 4} pieces" in caplog.text
    for word in there:
        row = trainer.model.source_embedding.weight[pieces.id_of(f"▁{word}")]
        assert row.tolist() == [words.index(word) + column / 8 for column in range(8)]
    from nmt import experiment
    from nmt.core.storage.run_folder import RunFolder

    path = tmp_path / "whole"
    folder = experiment.open_run(recipe, path, resume=False)
    experiment.run_training(recipe, folder, resume=False, again="")
    noted = json.loads((path / "corpus.json").read_text())["pretrained_embeddings"]
    assert noted == {"source": {"file": str(file), "found": len(there), "pieces": pieces.size - 4}}
    file.unlink()
    longer = make_recipe(corpus, f"training.pretrained_embeddings.source={file}", "training.max_steps=3")
    experiment.run_training(longer, RunFolder(path), resume=True, again="")
    assert json.loads((path / "corpus.json").read_text())["pretrained_embeddings"] == noted
    export(path, tmp_path / "model.nmt")
    assert read_manifest(tmp_path / "model.nmt")["recipe"]["training"]["pretrained_embeddings"] is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.pretrained_embeddings={}", "pretrained_embeddings must name a file for source, target or both"),
        ("training.pretrained_embeddings={source: null}", "must name a file for source, target or both"),
        ("training.init_from=nowhere", "pretrained_embeddings must be left out where there is init_from"),
    ],
)
def test_what_cannot_be_is_refused(corpus: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_recipe(corpus, "training.pretrained_embeddings.target=x", override)


def test_a_file_that_does_not_fit_is_named_with_its_key(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "w.vec").write_text("der 1 2 3\n")
    recipe = make_recipe(corpus, f"training.pretrained_embeddings.target={tmp_path / 'w.vec'}")
    with pytest.raises(DataError, match=r"^training.pretrained_embeddings: .*w.vec: line 1: must be a word and 8 "):
        train(recipe, tmp_path / "run")
