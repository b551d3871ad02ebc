"""Emoji of a font with their names: variants stay together, and the baseline names the most similar picture."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from tools import emoji


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\U0001f44b", "\U0001f44b\U0001f3fd"),  # a wave, of another skin
        ("\U0001f9d1\u200d\U0001f680", "\U0001f469\U0001f3fb\u200d\U0001f680"),  # astronauts
        ("\U0001f3c3", "\U0001f3c3\U0001f3ff\u200d\u2640\ufe0f"),  # runners
        ("\u2764", "\u2764\ufe0f"),  # a heart, in two styles
        ("\U0001f468", "\U0001f469\U0001f3fe"),  # a man and a woman
    ],
)
def test_variants_have_one_base(one: str, other: str) -> None:
    assert emoji.base(one) == emoji.base(other)


def test_others_have_not() -> None:
    flags = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
    several = [
        *flags,
        "\U0001f9d1\u200d\U0001f680",
        "\U0001f9d1\u200d\U0001f33e",
        "\U0001f44b",
        "\U0001f468",
        "\U0001f46a",
    ]
    assert len({emoji.base(each) for each in several}) == len(several)


def test_no_base_is_in_two_parts_and_every_part_gets_its_share() -> None:
    tones = ["", *map(chr, range(0x1F3FB, 0x1F400))]
    emojis = [chr(code) + tone for code in range(0x1F400, 0x1F4C8) for tone in tones]
    parts = emoji.split(emojis, seed=3)
    assert sorted(each for several in parts.values() for each in several) == sorted(emojis)
    bases = {part: {emoji.base(each) for each in several} for part, several in parts.items()}
    assert not bases["train"] & (bases["validation"] | bases["test"]) and not bases["validation"] & bases["test"]
    assert abs(len(parts["train"]) - 960) <= 6 and abs(len(parts["test"]) - 120) <= 6
    assert emoji.split(emojis, seed=4) != parts == emoji.split(reversed(emojis), seed=3)


def test_the_nearest_picture_has_the_smallest_difference() -> None:
    drawn = numpy.random.default_rng(1)
    known = [drawn.random((4, 4, 3), dtype=numpy.float32) for _ in range(5)]
    asked = [known[3] + 0.01, known[0] * 0.99]
    assert emoji.nearest(asked, known) == [3, 0]


def test_what_is_not_installed_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no such font; install fonts-noto-color-emoji"):
        emoji.main([str(tmp_path / "out"), "--font", str(tmp_path / "none.ttf")])
    with pytest.raises(SystemExit, match=r"annotations.xx.xml: there is no such file; check the language"):
        emoji.read_names(tmp_path, "xx")


@pytest.mark.skipif(
    not (emoji.FONT.is_file() and emoji.NAMES.is_dir()), reason="needs fonts-noto-color-emoji: see tools/emoji.py"
)
def test_pictures_and_names_lie_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {each: f"name {each}" for each in (*map(chr, range(0x1F400, 0x1F414)), "A")}
    monkeypatch.setattr(emoji, "read_names", lambda folder, language: {key: f"{language} {few[key]}" for key in few})
    assert emoji.main([str(tmp_path), "--languages", "de", "en"]) == 0
    lines = 0
    for part in emoji.SHARES:
        images, names = ((tmp_path / f"{part}.{kind}").read_text().splitlines() for kind in ("images", "names"))
        lines += len(images)
        for image, name in zip(images, names, strict=True):
            path, language = image.split("\t")
            assert (tmp_path / path).is_file() and name.startswith(f"{language} name ")
    assert lines == 40, "a letter is no emoji"
