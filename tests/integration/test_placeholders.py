"""A model that was trained with ``data.placeholders`` copies what its training text never had, wherever it is used."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy
import pytest
import yaml

import nmt
from nmt.cli.train import main
from nmt.core.errors import CheckpointError, ConfigError
from nmt.core.storage.run_folder import RunFolder, read_json

WORDS = {
    "кот": "cat",
    "пес": "dog",
    "дом": "house",
    "сад": "garden",
    "лес": "forest",
    "мост": "bridge",
    "друг": "friend",
}
SEEN, NEVER_SEEN = ("12345", "abcdef"), ("67890", "STUVWX")
SEARCH = nmt.SearchConfig(beam_size=3)


def pairs(count: int, seed: int, characters: tuple[str, str]) -> list[tuple[str, str, list[str]]]:
    """Words with numbers and Latin names in between, which stand on both sides; and these."""
    draw, found = random.Random(seed), []
    for number in range(count):
        source = draw.choices(sorted(WORDS), k=draw.randint(1, 3))
        target, copied = [WORDS[word] for word in source], []
        for kind in ((), (0,), (1,), (0, 1), (0, 0))[number % 5]:
            string = "".join(draw.choices(characters[kind], k=draw.randint(2, 5)))
            place = draw.randint(0, len(source))
            source.insert(place, string)
            target.insert(place, string)
            copied.append(string)
        found.append((" ".join(source), " ".join(target), copied))
    return found


def train(folder: Path, output: Path, *overrides: str) -> Path:
    assert main([str(folder / "recipe.yaml"), "--output", str(output), "--quiet", *overrides]) == 0
    return output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copying")
    for name, count, seed, characters in (
        ("train", 1200, 1, SEEN),
        ("validation", 40, 2, NEVER_SEEN),
        ("test", 60, 3, NEVER_SEEN),
    ):
        rows = pairs(count, seed, characters)
        for side, suffix in enumerate(("ru", "en")):
            (folder / f"{name}.{suffix}").write_text("".join(row[side] + "\n" for row in rows), encoding="utf-8")
    recipe: dict[str, Any] = {
        "data": {
            "root": str(folder),
            "train": [{"source": "train.ru", "target": "train.en"}],
            "validation": {"source": "validation.ru", "target": "validation.en"},
            "placeholders": ["numbers", "latin"],
            "subword": {"algorithm": "bpe", "size": 70},
            "batch": {"size": 300},
        },
        "model": {"embedding": {"size": 48}, "encoder": {"size": 48}, "decoder": {"size": 48}, "dropout": {}},
        "training": {
            "max_steps": 220,
            "validation_interval": 220,
            "optimiser": {"learning_rate": 0.01},
            "label_smoothing": 0.0,
            "device": "cpu",
            "precision": "fp32",
            "validation": {"samples": 2, "search": {"strategy": "beam", "beam_size": 3}},
        },
        "search": {"beam_size": 3},
        "test": {"corpus": {"source": "test.ru", "target": "test.en"}},
        "alignment": {"plots": 0},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(folder, tmp_path_factory.mktemp("runs") / "copying")


def share_copied(translator: nmt.Translator, folder: Path) -> float:
    rows = pairs(60, 3, NEVER_SEEN)
    texts = [translation.text.split() for translation in translator.translate([source for source, _, _ in rows])]
    copied = [string in text for text, (_, _, strings) in zip(texts, rows, strict=True) for string in strings]
    return sum(copied) / len(copied)


def test_what_was_never_seen_is_copied_with_placeholders_alone(trained: Path, folder: Path, tmp_path: Path) -> None:
    assert share_copied(nmt.Translator.load(trained, attention=False), folder) > 0.95
    plain = train(
        folder, tmp_path / "plain", "data.placeholders=[]", "training.max_steps=40", "test=null", "alignment=null"
    )
    assert share_copied(nmt.Translator.load(plain), folder) == 0


def test_scores_are_of_restored_text(trained: Path, folder: Path) -> None:
    records = [json.loads(line) for line in RunFolder(trained).metrics.read_text(encoding="utf-8").splitlines()]
    validated = [record for record in records if "bleu" in record]
    lines = (folder / "validation.ru").read_text(encoding="utf-8").splitlines()
    references = (folder / "validation.en").read_text(encoding="utf-8").splitlines()
    translator = nmt.Translator.load(trained, search=SEARCH)
    hypotheses = [translation.text for translation in translator.translate(lines)]
    assert validated[-1]["bleu"] == pytest.approx(nmt.bleu(hypotheses, references).value)
    assert validated[-1]["bleu"] > 50
    assert read_json(RunFolder(trained).test)["scores"][0]["value"] > 50


def test_every_hypothesis_and_its_alignment_are_in_words_of_the_texts(trained: Path) -> None:
    translator = nmt.Translator.load(trained, search=nmt.SearchConfig(beam_size=4, n_best=3))
    (translation,) = translator.translate(["кот 7788 дом"])
    assert "7788" in translation.text.split()
    for hypothesis in translation.hypotheses:
        assert hypothesis.weights.shape == (len(hypothesis.words), 4)
        assert "<" not in hypothesis.text
        assert hypothesis.words == hypothesis.text.split()
    assert "<number1>" in translation.best.pieces.pieces
    assert translation.source.words == ["кот", "7788", "дом"]


def test_text_that_spells_a_symbol_stands_for_itself(trained: Path) -> None:
    (translation,) = nmt.Translator.load(trained).translate(["<number1> кот 66"])
    assert {"<number1>", "66"} <= set(translation.text.split())


def test_a_symbol_is_never_invented(trained: Path) -> None:
    sampled = nmt.SearchConfig(strategy="sampling", n_best=60, temperature=3.0, max_length_offset=10)
    texts = [each.text for each in nmt.Translator.load(trained, search=sampled).translate(["кот 77"])[0].hypotheses]
    assert not any("<number2>" in text or "<latin1>" in text for text in texts)
    assert sum("77" in text for text in texts) > 10


def test_what_is_asked_is_masked_as_the_line_is(trained: Path) -> None:
    translator = nmt.Translator.load(trained, search=SEARCH)
    line = "кот 77 дом 88"
    prefix, typed, must, avoid, foreign = translator.translate(
        [
            nmt.Request(line, prefix="88 "),
            nmt.Request(line, prefix="house 7"),
            nmt.Request(line, constraints=("88 77",)),
            nmt.Request(line, avoid=("77",)),
            nmt.Request(line, constraints=("<latin1>",)),
        ]
    )
    assert prefix.text.startswith("88 ")
    assert typed.text.startswith("house 7") or typed.problem  # no piece of this vocabulary begins a number
    assert "88 77" in must.text
    assert avoid.text
    assert "77" not in avoid.text
    assert foreign.problem


def test_a_translation_that_grows_shows_what_is_copied(trained: Path) -> None:
    greedy = nmt.SearchConfig(strategy="greedy")
    translator = nmt.Translator.load(trained, search=greedy)
    grown, steps = [], translator.grow(["кот 7788 дом"], [1])
    try:
        while True:
            grown.append(next(steps)[0])
    except StopIteration as end:
        text = end.value[0].text
    assert "7788" in text.split()
    assert any(each.endswith("7788") for each in grown)
    assert all(text.startswith(each) for each in grown)


def test_parts_of_a_long_line_copy_their_own(trained: Path) -> None:
    translator = nmt.Translator.load(trained, search=SEARCH, max_pieces=8)
    (translation,) = translator.translate(["кот 77 дом. Лес сад 88. 77 кот"])
    assert translation.parts > 1
    assert [word for word in translation.text.split() if word.strip(".").isdigit()] == ["77", "88", "77"]


def test_a_phrase_that_stands_in_a_later_part_is_avoided(trained: Path) -> None:
    translator = nmt.Translator.load(trained, search=SEARCH, max_pieces=8)
    (translation,) = translator.translate([nmt.Request("кот 77 дом. Лес сад 88. 77 кот", avoid=("88",))])
    assert translation.parts > 1
    assert not translation.problem
    assert "88" not in translation.text


@pytest.mark.parametrize("unit", ["whitespace", "characters", "pieces"])
def test_given_translations_are_aligned_in_their_own_words(trained: Path, unit: Any) -> None:
    (target,) = nmt.Aligner.load(trained, unit=unit).align(["кот 7788 дом 5"], ["cat 7788 house"])
    sources, targets = target.source.words, target.words
    assert "<number1>" in target.pieces.pieces
    assert target.source.pieces.pieces.count("<number1>") == 1
    weights = target.weights
    assert weights is not None
    assert weights.shape == (len(targets), len(sources) + 1)
    if unit == "characters":
        assert (sources, targets) == ([*"кот7788дом5"], [*"cat7788house"])
        numpy.testing.assert_allclose(weights[4:7], weights[[4] * 3])  # beside its space, a symbol is aligned as one
        numpy.testing.assert_allclose(weights[:, 4:7], weights[:, [4] * 3])
    elif unit == "pieces":
        assert "7788" in sources
        assert "7788" in targets
    else:
        assert (sources, targets) == (["кот", "7788", "дом", "5"], ["cat", "7788", "house"])


def test_a_model_file_copies_too(trained: Path, tmp_path: Path) -> None:
    from nmt.cli.export import main as export

    assert export([str(trained), str(tmp_path / "model.nmt"), "--quiet"]) == 0
    texts = [
        nmt.Translator.load(path).translate(["кот 7788 дом"])[0].text for path in (trained, tmp_path / "model.nmt")
    ]
    assert texts[0] == texts[1]
    assert "7788" in texts[0].split()


def test_what_does_not_fit_is_refused(trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copying = nmt.CopyConfig(placeholders=(nmt.Placeholder.parse("<number1>=[0-9]+"),))
    with pytest.raises(ConfigError, match="<number1>: must be left out, because the model was trained with placehold"):
        nmt.Translator.load(trained, copying=copying)
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    text = (other / "recipe.yaml").read_text(encoding="utf-8")
    (other / "recipe.yaml").write_text(
        text.replace("placeholders:\n  - numbers\n", "placeholders:\n"), encoding="utf-8"
    )
    with pytest.raises(CheckpointError, match=r"must have the same data\.placeholders"):
        nmt.Translator.load([trained, other])
    recipe = trained / "recipe.yaml"
    assert main([str(recipe), "--output", str(trained), "--resume", "data.placeholders=[numbers]"]) != 0
    assert "data.placeholders must stay as in the run" in capfd.readouterr().err


def test_a_training_that_begins_from_the_model_goes_on_with_its_placeholders(
    trained: Path, folder: Path, tmp_path: Path
) -> None:
    values = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    for name in ("placeholders", "subword"):
        del values["data"][name]
    values["training"] |= {"init_from": str(trained), "max_steps": 2, "validation_interval": 2}
    del values["model"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    run = train(tmp_path, tmp_path / "further")
    assert yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))["data"]["placeholders"] == [
        "numbers",
        "latin",
    ]
    assert share_copied(nmt.Translator.load(run), folder) > 0.9
