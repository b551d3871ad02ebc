"""Sources that are files, from a recipe to translations and alignments, as a person meets them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy
import pytest

from nmt.cli import align, check, evaluate, export, serve, train, translate

WORDS = ["red", "blue", "green", "white", "old", "new"]
RECIPE = """
data:
  source: {type: array, size: 6}
  train: [{source: train.list, target: train.en}]
  validation: {source: held.list, target: held.en}
  subword: {size: 24}
model: {embedding: {size: 16}, encoder: {size: 24}, decoder: {type: luong, size: 32}, bridge: mean}
training: {max_steps: 150, validation_interval: 50, device: cpu, optimiser: {learning_rate: 1e-2}}
test: {corpus: {source: held.list, target: held.en}}
alignment: {plots: 1}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words as vectors of one to three positions, in files."""
    root = tmp_path_factory.mktemp("files")
    drawn, chosen = numpy.random.default_rng(1), random.Random(1)
    vectors = {word: drawn.normal(size=6) for word in WORDS}
    (root / "arrays").mkdir()
    for part, count in (("train", 300), ("held", 20)):
        names, targets = [], []
        for number in range(count):
            words = [chosen.choice(WORDS) for _ in range(chosen.randint(1, 4))]
            rows = [vectors[word] + drawn.normal(size=6) / 10 for word in words for _ in range(chosen.randint(1, 3))]
            numpy.save(root / "arrays" / f"{part}{number}.npy", numpy.array(rows))
            names.append(f"arrays/{part}{number}.npy")
            targets.append(" ".join(words))
        (root / f"{part}.list").write_text("".join(f"{name}\n" for name in names))
        (root / f"{part}.en").write_text("".join(f"{target}\n" for target in targets))
    (root / "recipe.yaml").write_text(f"{RECIPE}\n")
    return root


@pytest.fixture(scope="module")
def model(corpus: Path) -> Path:
    assert train.main([str(corpus / "recipe.yaml"), f"data.root={corpus}", "--output", str(corpus / "run")]) == 0
    return corpus / "run"


def first(count: int, path: Path) -> str:
    return "".join(path.read_text().splitlines(keepends=True)[:count])


def test_the_trained_model_knows_the_words(model: Path) -> None:
    assert json.loads((model / "test.json").read_text())["scores"][1]["value"] > 60  # chrF; guessing gives about 25
    assert not (model / "vocabulary" / "source.model").exists()
    assert [*(model / "plots").glob("alignment-*-heatmap.png")] and [*(model / "plots").glob("*-spectrogram.png")]


def test_line_k_stays_line_k_and_what_cannot_be_read_is_named(
    corpus: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = (corpus / "held.list").read_text().splitlines()[:3]
    (corpus / "text.npy").write_text("no array")
    listed = tmp_path / "list"
    listed.write_text("".join(f"{line}\n" for line in [good[0], "none.npy", "", good[1], "text.npy", good[2]]))
    assert translate.main([str(model), "--root", str(corpus), "--input", str(listed)]) == 1
    output = capfd.readouterr()
    lines = output.out.split("\n")
    assert len(lines) == 7 and [bool(line) for line in lines] == [True, False, False, True, False, True, False]
    assert "line 2 is left untranslated: " in output.err and "line 5 is left untranslated: " in output.err
    assert "must be a NumPy array" in output.err and "Traceback" not in output.err
    listed.write_text("".join(f"{line}\n" for line in good))
    assert translate.main([str(model), "--root", str(corpus), "--input", str(listed), "--quiet"]) == 0
    assert capfd.readouterr().out.splitlines() == [line for line in lines if line]


def test_one_by_one_and_in_several_processes_the_translations_are_the_same(
    corpus: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for options in ([], ["--batch-tokens", "1"], ["--processes", "2", "--window", "4"], ["--no-fast-paths"]):
        common = [str(model), "--root", str(corpus), "--input", str(corpus / "held.list"), "--quiet"]
        assert translate.main([*common, "--format", "tsv", "--n-best", "3", *options]) == 0
        rows = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
        outputs.append([(row[0], row[1], row[4]) for row in rows])
    assert outputs[0] == outputs[1] == outputs[2] == outputs[3] and len(outputs[0]) > 40


def test_json_lines_name_positions_and_an_ensemble_and_a_file_translate_alike(
    corpus: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "model.nmt"
    assert export.main([str(model), str(packed), "--quiet"]) == 0
    capfd.readouterr()
    records = []
    for runs in ([model], [packed], [model, packed]):
        options = ["--root", str(corpus), "--input", str(corpus / "held.list"), "--quiet", "--format", "jsonl"]
        assert translate.main([*map(str, runs), *options, "--weights"]) == 0
        records.append([json.loads(line) for line in capfd.readouterr().out.splitlines()])
    texts = [[record["hypotheses"][0]["text"] for record in each] for each in records]
    assert texts[0] == texts[1] == texts[2]
    names = (corpus / "held.list").read_text().splitlines()
    for name, record in zip(names, records[0], strict=True):
        positions = len(numpy.load(corpus / name))
        (best,) = record["hypotheses"]
        assert record["source"] == name and record["source_spans"] == []
        assert all(len(row) == positions + 1 and row[-1] == 0 for row in best["weights"])
        assert all(abs(sum(row) - 1) < 0.01 for row in best["weights"])
        assert all(0 <= int(link.split("-")[0]) < positions for link in best["alignment"].split())


def test_given_targets_are_aligned_scored_and_drawn(
    corpus: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names, targets = tmp_path / "names", tmp_path / "targets"
    names.write_text(first(4, corpus / "held.list") + "none.npy\n")
    targets.write_text(first(4, corpus / "held.en") + "red\n")
    options = ["--root", str(corpus), "--plots", str(tmp_path / "plots"), "--html", str(tmp_path / "page.html")]
    assert align.main([str(model), str(names), str(targets), *options]) == 1
    output = capfd.readouterr()
    assert output.out.count("\n") == 5 and output.out.endswith("\n\n") and "line 5 is left unaligned: " in output.err
    assert len([*(tmp_path / "plots").iterdir()]) >= 4 and "arrays/held0.npy" in (tmp_path / "page.html").read_text()
    scored = [str(model), str(corpus / "held.list"), str(corpus / "held.en"), "--root", str(corpus), "--quiet"]
    assert evaluate.main(scored) == 0
    assert capfd.readouterr().out.startswith("BLEU|")


def test_a_run_is_resumed_to_what_it_would_have_become(corpus: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = [str(corpus / "recipe.yaml"), f"data.root={corpus}", "training.validation_interval=10", "--quiet"]
    assert train.main([*common, "training.max_steps=20", "--output", str(whole)]) == 0
    assert train.main([*common, "training.max_steps=10", "--output", str(parts)]) == 0
    assert train.main([*common, "training.max_steps=20", "--output", str(parts), "--resume"]) == 0
    last = "checkpoints/step-00000020/model.safetensors"
    assert (whole / last).read_bytes() == (parts / last).read_bytes()


def test_a_question_beside_a_file_decides_the_answer(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One file, asked for its first word and for all: only the question tells the answers apart."""
    for part in ("train", "held"):
        names, targets = ((corpus / f"{part}.{kind}").read_text().splitlines() for kind in ("list", "en"))
        pairs = list(zip(names, map(str.split, targets), strict=True))
        asked = [f"{name}\t{asks} ?\n" for name, _ in pairs for asks in ("first word", "all words")]
        answers = [f"{answer}\n" for _, words in pairs for answer in (words[0], " ".join(words))]
        (tmp_path / f"{part}.asked").write_text("".join(asked))
        (tmp_path / f"{part}.answers").write_text("".join(answers))
    (tmp_path / "arrays").symlink_to(corpus / "arrays")
    recipe = (
        RECIPE.replace(".list", ".asked").replace(".en", ".answers").replace("size: 6}", "size: 6, question: true}")
    ).replace("size: 24}\nmodel", "size: {source: 16, target: 24}, joint: false}\nmodel")
    (tmp_path / "recipe.yaml").write_text(recipe)
    arguments = [str(tmp_path / "recipe.yaml"), f"data.root={tmp_path}", "--output", str(tmp_path / "run")]
    assert train.main([*arguments, "model.bridge=auto"]) == 2
    assert (
        "model.words must be given, such as {type: rnn}, where data.source.question is true" in capfd.readouterr().err
    )
    pyramid = "model.words={type: pyramid, layers: 2}"
    assert train.main([*arguments, "model.bridge=auto", pyramid]) == 2
    assert "model.words.type must be rnn, or another with an annotation for each piece" in capfd.readouterr().err
    asked = (tmp_path / "train.asked").read_text()
    (tmp_path / "train.asked").write_text(asked.replace("train2.npy\tfirst word ?", "train2.npy"))
    assert train.main([*arguments, "model.bridge=auto", "model.words={type: rnn}"]) == 1
    told = capfd.readouterr().err
    assert "1 array(s) cannot be read:\n  line 5: arrays/train2.npy: must have a tab and a question after" in told
    (tmp_path / "train.asked").write_text(asked)
    assert train.main([*arguments, "model.bridge=auto", "model.words={type: rnn, size: 12}"]) == 0
    capfd.readouterr()
    options = [
        "--root",
        str(corpus),
        "--input",
        str(tmp_path / "held.asked"),
        "--quiet",
        "--format",
        "jsonl",
        "--weights",
    ]
    assert translate.main([str(tmp_path / "run"), *options]) == 0
    records = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    given = (tmp_path / "held.answers").read_text().splitlines()
    found = [record["hypotheses"][0]["text"] for record in records]
    differing = [row for row in range(0, len(given), 2) if given[row] != given[row + 1]]
    assert sum(found[row] != found[row + 1] for row in differing) >= len(differing) / 2
    for record in records:
        positions = len(numpy.load(corpus / record["source"].split("\t")[0]))
        assert all(len(row) > positions + 3 for row in record["hypotheses"][0]["weights"])
    line = f"{records[0]['source']}\n"
    outputs = []
    for several in (line, line * 3 + "".join(f"{record['source']}\n" for record in records)):
        (tmp_path / "input").write_text(several)
        assert (
            translate.main(
                [str(tmp_path / "run"), "--root", str(corpus), "--input", str(tmp_path / "input"), "--quiet"]
            )
            == 0
        )
        outputs.append(capfd.readouterr().out.splitlines()[0])
    assert outputs[0] == outputs[1], "neither other files nor other questions change an answer"


def test_training_from_a_model_of_other_files_is_refused(
    corpus: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = (
        f"data: {{train: [{{source: train.list, target: train.en}}]}}\ntraining: {{max_steps: 1, init_from: {model}}}\n"
    )
    (tmp_path / "recipe.yaml").write_text(begun)
    arguments = [str(tmp_path / "recipe.yaml"), f"data.root={corpus}", "--output", str(tmp_path / "run")]
    assert train.main([*arguments, "data.source={type: sound, bins: 6}"]) == 2
    assert "data.source must be {type: array" in capfd.readouterr().err
    assert train.main(arguments) == 0, "what a source is is inherited"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.source={type: array, size: 7}", "test.corpus: held.list and held.en: 20 array(s) cannot be read:"),
        ("data.source={type: array, size: 0}", "data.source.size must be at least 1"),
        ("data.source={type: arrays}", "did you mean"),
        ("model.encoder={type: grid}", "model.encoder.type must be one that reads array ("),
        ("training.terms=[{type: lexical-guidance}]", "training.terms.0 must be another where sources are arrays"),
        ("model.lexical=true", "model.lexical must be false where sources are arrays: it reads source words"),
        ("training.validation.gold=held.en", "training.validation.gold must be left out where sources are"),
        ("training.pretrained_embeddings={source: held.en}", "pretrained_embeddings.source must be left out"),
        ("data.subword.source_model=x.model", "data.subword.source_model must be left out where sources are"),
        ("data.train=[{type: hub, name: x, source: a, target: b, streaming: true}]", "data.train.0.streaming must be"),
        ("test.corpus={source: held.en, target: held.en}", "test.corpus: held.en and held.en: "),
        ("model.words={type: rnn}", "model.words must be left out where data.source.question is false"),
        ("model.embedding.tied=all", "model.embedding.tied must be none or target"),
        ("data.validation={source: held.en, target: held.en}", " array(s) cannot be read:\n  line 1: "),
    ],
)
def test_mistakes_in_a_recipe_are_one_message(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    arguments = [str(corpus / "recipe.yaml"), f"data.root={corpus}", change, "--output", str(tmp_path / "run")]
    assert train.main(arguments) in (1, 2)
    told = capfd.readouterr().err
    assert message in told and "Traceback" not in told


def test_what_needs_text_says_so(corpus: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listed = str(corpus / "held.list")
    for command, arguments in (
        (check, [str(corpus / "recipe.yaml")]),
        (serve, [str(model), "--port", "0"]),
        (export, [str(model), str(tmp_path / "model.npz"), "--to", "marian"]),
        (translate, [str(model), "--input", listed, "--markup", "xml"]),
        (translate, [str(model), "--input", listed, "--glossary", listed]),
        (translate, [str(model), "--input", listed, "--placeholder", "<n>=x"]),
        (align, [str(model), listed, str(corpus / "held.en"), "--by", "leave-one-out"]),
        (align, [str(model), listed, str(corpus / "held.en"), "--faithfulness", str(tmp_path / "f.json")]),
        (align, [str(model), listed, str(corpus / "held.en"), "--reverse", str(model)]),
        (align, [str(model), listed, str(corpus / "held.en"), "--gold", listed]),
    ):
        assert command.main(arguments) in (1, 2)
        told = capfd.readouterr().err
        assert "array" in told and told.count("error: ") == 1 and "Traceback" not in told
