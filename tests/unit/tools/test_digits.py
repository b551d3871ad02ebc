"""Generated digits: targets say what is in the picture, boxes are where it is."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import numpy
import pytest
from PIL import Image

from nmt.alignment.regions import read_regions
from tools.digits import main
from tools.scenery.clutter import FONTS, Digit, draw_digits

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "digits.py"
SMALL = ["--train", "4", "--validation", "3", "--test", "20", "--size", "48"]
DRAWN = [draw_digits(Random(number), 64, 0) for number in range(120)]


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def marked(picture: Image.Image) -> numpy.ndarray:
    """Where a picture differs from its ground, which most of it is."""
    pixels = numpy.asarray(picture).astype(int)
    ground = numpy.median(pixels.reshape(-1, 3), axis=0)
    found: numpy.ndarray = abs(pixels - ground).max(-1) > 60
    return found


def test_it_runs_from_anywhere_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "one", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert "4 for train, 3 for validation, 20 for test" in done.stdout
    assert main([str(tmp_path / "other"), *SMALL[2:], "--train", "2"]) == 0
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(names) == 27 + 3 * 3
    for name in names:
        if "train" not in str(name):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert main([str(tmp_path / "third"), *SMALL, "--seed", "2"]) == 0
    assert lines(tmp_path / "third", "test.digits") != lines(tmp_path / "one", "test.digits")
    with Image.open(tmp_path / "one" / lines(tmp_path / "one", "test.images")[7]) as picture:
        assert picture.size == (48, 48)


def test_the_regions_are_those_that_the_pointing_score_reads(tmp_path: Path) -> None:
    main([str(tmp_path), *SMALL])
    targets = [line.split() for line in lines(tmp_path, "test.digits")]
    regions = read_regions(tmp_path / "test.regions", "box", target_lengths=[len(each) for each in targets])
    for target, (first, second) in zip(targets, regions, strict=True):
        assert len(target) == 2 and all(digit in "0123456789" for digit in target)
        assert (first.word, second.word) == (0, 1)
        assert sum(first.bounds[::2]) < sum(second.bounds[::2])  # from left to right


def test_without_clutter_all_ink_is_in_the_boxes_and_reaches_their_edges() -> None:
    for picture, digits in DRAWN:
        ink, covered = marked(picture), numpy.zeros((64, 64), dtype=bool)
        for digit in digits:
            left, top, right, bottom = digit.box
            assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
            assert 64 / 4 - 2 <= bottom - top <= 64 * 3 / 8 + 1
            inside = ink[top:bottom, left:right]
            assert inside[:2].any() and inside[-2:].any() and inside[:, :2].any() and inside[:, -2:].any()
            covered[top:bottom, left:right] = True
        outside = ink & ~covered
        assert outside.mean() < 0.001, "the noise alone"


def test_digits_do_not_touch_and_their_order_is_plain() -> None:
    for _, digits in DRAWN:
        one, other = (digit.box for digit in digits)
        assert one[2] <= other[0] - 2 or one[3] <= other[1] - 2 or other[3] <= one[1] - 2
        assert (other[0] + other[2] - one[0] - one[2]) / 2 >= 64 / 8
    assert len(Counter(digit.text for _, digits in DRAWN for digit in digits)) == 10


def test_fragments_lie_around_the_digits_and_leave_them_as_they_are() -> None:
    for number, (plain, digits) in enumerate(DRAWN[:30]):
        picture, same = draw_digits(Random(number), 64, 8)
        assert same == digits
        covered = numpy.zeros((64, 64), dtype=bool)
        for left, top, right, bottom in (digit.box for digit in digits):
            covered[top:bottom, left:right] = True
        more = marked(picture) & ~covered
        assert 0.01 < more.mean() < 0.25
        assert (marked(picture) ^ marked(plain))[covered].mean() < 0.1  # other noise, other colours


@pytest.mark.parametrize("font", FONTS)
def test_every_font_of_matplotlib_draws_ten_shapes(font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.scenery.clutter.FONTS", (font,))
    found: dict[str, Digit] = {}
    for number in range(80):
        for digit in draw_digits(Random(number), 64, 0)[1]:
            found[digit.text] = digit
    assert sorted(found) == list("0123456789")


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--test", "-1"], "must be 0 or more"), (["--fragments", "few"], "invalid")]
)
def test_wrong_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), *arguments])
    assert message in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file"), *SMALL]) == 1
    assert capsys.readouterr().err.startswith("digits.py: error: ")
