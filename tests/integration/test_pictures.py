"""Pictures from a recipe to captions: the pointing score, attention over pictures, and one message for a mistake."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from nmt.cli import align, train

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 200, 30)}
RECIPE = """
data:
  source: {type: picture, size: 16}
  train: [{source: train.images, target: train.en}]
  subword: {algorithm: bpe, size: 40}
  batch: {unit: sentences, size: 32}
model:
  embedding: {size: 16}
  encoder: {type: grid, channels: [12, 16], size: 16}
  decoder: {type: luong, size: 24, input_feeding: false}
training: {max_steps: 200, device: cpu, optimiser: {learning_rate: 1e-2}}
test: {corpus: {source: test.images, target: test.en}}
alignment: {plots: 2, regions: test.regions}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wide pictures of two coloured blocks, named from left to right; a model reads them on a square."""
    root, draw = tmp_path_factory.mktemp("blocks"), random.Random(1)
    for part, count in (("train", 200), ("test", 12)):
        lines: dict[str, list[str]] = {"images": [], "en": [], "regions": []}
        for number in range(count):
            colours, y = draw.choices(list(COLOURS), k=2), draw.randint(0, 10)
            picture = Image.new("RGB", (32, 20), (120, 120, 120))
            boxes = [(x, y, x + 10, y + 10) for x in (draw.randint(0, 4), draw.randint(18, 22))]
            for colour, box in zip(colours, boxes, strict=True):
                picture.paste(COLOURS[colour], box)
            picture.save(root / f"{part}{number}.png")
            lines["images"].append(f"{part}{number}.png")
            lines["en"].append(" then ".join(colours))
            lines["regions"].append(json.dumps([{"word": 2 * k, "box": box} for k, box in enumerate(boxes)]))
        for name, content in lines.items():
            (root / f"{part}.{name}").write_text("".join(f"{line}\n" for line in content))
    (root / "recipe.yaml").write_text(RECIPE)
    return root


@pytest.fixture(scope="module")
def model(corpus: Path) -> Path:
    assert train.main([str(corpus / "recipe.yaml"), f"data.root={corpus}", "--output", str(corpus / "run")]) == 0
    return corpus / "run"


def aligned(corpus: Path, model: Path, folder: Path, *options: str, regions: str = "test.regions") -> int:
    sides = [str(corpus / "test.images"), str(corpus / "test.en")]
    given = ["--root", str(corpus), "--regions", str(corpus / regions), "--output", str(folder / "links")]
    return align.main([str(model), *sides, *given, *options])


def test_training_ends_with_the_pointing_score(model: Path) -> None:
    pointing = json.loads((model / "alignment.json").read_text())["pointing"]
    assert pointing["words"] == 24
    assert sum(each["words"] for each in pointing["by_word"].values()) == 24
    assert pointing["hits"] > 0.6 > 2 * pointing["chance_hits"]
    assert pointing["share"] > 2 * pointing["chance_share"]
    assert {path.name for path in (model / "plots").glob("alignment-*")} == {
        f"alignment-{line}-{kind}.png" for line in ("000001", "000007") for kind in ("strip", "word")
    }


def test_nmt_align_prints_the_same_score_and_draws(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--plots", str(tmp_path / "plots"), "--plot-count", "1", "--plot-format", "svg"]
    assert aligned(corpus, model, tmp_path, *options) == 0
    pointing = json.loads((model / "alignment.json").read_text())["pointing"]
    assert f"heaviest position inside {100 * pointing['hits']:.1f} % " in capsys.readouterr().out
    strip = (tmp_path / "plots" / "line-000001-strip.svg").read_text()
    assert strip.count("<image") == 4  # the picture, and one for each of three words
    assert (tmp_path / "plots" / "line-000001-word.svg").exists()


def test_a_picture_that_cannot_be_read_is_left_out(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = (corpus / "test.images").read_text().splitlines()
    (tmp_path / "images").write_text("".join(f"{line}\n" for line in ["none.png", *listed[1:]]))
    given = [str(tmp_path / "images"), str(corpus / "test.en"), "--root", str(corpus), "--output", str(tmp_path / "x")]
    assert align.main([str(model), *given, "--regions", str(corpus / "test.regions")]) == 1
    output = capsys.readouterr()
    assert ", 22 words" in output.out
    assert "line 1 is left unaligned: " in output.err


MISTAKES = [
    ("[]\n", "must have a line for each target, 12, but has 1"),
    ('[{"word": 3, "box": [0, 0, 5, 5]}]\n' + "\n" * 11, "line 1: word must be below 3"),
    ("\n" * 11 + '[{"word": 1, "span": [0, 5]}]\n', 'line 12, region 1: must be an object with "word" and "box"'),
    ('[{"word": 1, "box": [40, 0, 50, 5]}]\n' + "\n" * 11, "line 1: the region [40.0, 0.0, 50.0, 5.0] of word 1 lies"),
]


@pytest.mark.parametrize(("content", "message"), MISTAKES)
def test_regions_that_do_not_fit_are_one_message(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (corpus / "wrong.regions").write_text(content)
    assert aligned(corpus, model, tmp_path, regions="wrong.regions") == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_what_regions_cannot_be_used_with(
    corpus: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aligned(corpus, model, tmp_path, "--words", "pieces") == 2
    assert "--regions cannot be used with --words pieces" in capsys.readouterr().err
    given = [str(corpus / "recipe.yaml"), f"data.root={corpus}", "--output", str(tmp_path / "run")]
    assert train.main([*given, "data.source={type: text}", "model.encoder={type: rnn}"]) == 2
    assert "alignment.regions must be left out where sources are text" in capsys.readouterr().err


def test_training_refuses_regions_that_do_not_fit_before_it_begins(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "short.regions").write_text("[]\n")
    given = [str(corpus / "recipe.yaml"), f"data.root={corpus}", "--output", str(tmp_path / "run")]
    assert train.main([*given, "alignment.regions=short.regions"]) == 1
    assert "alignment.regions: " in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoints").exists()
