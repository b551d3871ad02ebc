"""Pictures of aligned pairs: which words or pieces are drawn, and what is passed over."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from nmt.alignment.links import Links
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine
from nmt.translation.output.gallery import Gallery, heading


@pytest.fixture(scope="module")
def targets(tiny_run: Path) -> list[ScoredTarget]:
    return Aligner.load(tiny_run).align(["", "abcdefg hij", "ab"], ["ab", "cd efabcgh", "cd"])


def drawn(path: Path) -> list[str]:
    """The texts of an SVG, in the order of drawing."""
    return [unescape(text) for text in re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("unit", ["words", "pieces"])
def test_words_or_pieces(targets: list[ScoredTarget], tmp_path: Path, unit: str) -> None:
    gallery = Gallery(tmp_path / "plots", count=1, format="svg", unit=unit)
    for target in targets:
        gallery.add(target, gold=Links(frozenset({(0, 1)})) if target.words == ["cd", "efabcgh"] else None)
    names = [path.name for path in gallery.files]
    assert names == ["line-000002-heatmap.svg", "line-000002-edges.svg"]
    target = targets[1]
    if unit == "words":
        wanted = ["abcdefg", "hij", "∅", "cd", "efabcgh"]
    else:
        wanted = [*target.source.pieces.pieces, "</s>", *target.pieces.pieces, "</s>"]
        assert len(wanted) > 8
    for path in gallery.files:
        assert [text for text in drawn(path) if text in wanted] == wanted
    outlines = gallery.files[0].read_text(encoding="utf-8").count("stroke: #d55e00")
    linked = 1 if unit == "words" else target.source.pieces.words.count(0) * target.pieces.words.count(1)
    assert outlines == linked + 2, "and two in the key"


def test_no_tab_is_drawn() -> None:
    source = SourceLine(1, "pictures/7.png\twhat colour is the ball\n", Pieces())
    assert heading(source) == "pictures/7.png  what colour is the ball"
