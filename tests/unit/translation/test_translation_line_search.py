"""Lines of several streams in one search: each keeps its number, its samples and what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_run import SEARCH, sentences

from nmt.search.search_config import SearchConfig
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator


def test_lines_of_several_streams_get_what_each_would_get_in_its_own(tiny_run: Path) -> None:
    translator = Translator.load(tiny_run)
    sampling = SearchConfig(strategy="sampling", n_best=2, max_length_ratio=1.0)
    lines = [Request(line, search=search) for line, search in zip(sentences(4), (sampling, None) * 2, strict=True)]
    lines[1] = replace(lines[1], prefix="ab")
    lines[3] = replace(lines[3], avoid=("ab",))
    together = translator.translate_numbered(lines * 2, [*range(1, 5), *range(1, 5)])
    for found, alone in zip(together, translator.translate(lines) * 2, strict=True):
        assert found.source == alone.source
        assert [target.text for target in found.hypotheses] == [target.text for target in alone.hypotheses]
        assert found.score == pytest.approx(alone.score, abs=1e-4)


def test_only_the_line_that_asks_for_it_has_a_tree(tiny_run: Path) -> None:
    greedy = replace(SEARCH, strategy="greedy")
    lines = [Request("ab cd", tree=True), "ab", Request("ab", tree=True, search=greedy)]
    with_tree, without, refused = Translator.load(tiny_run).translate(lines)
    assert with_tree.tree is not None
    assert with_tree.tree.returned[0] is not None
    assert without.tree is None
    assert refused.problem == "a tree needs the strategy beam, but it is greedy"


def test_nothing_is_logged_about_lines_where_it_must_not_be(tiny_run: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundles = Translator.load(tiny_run).bundles
    with caplog.at_level("WARNING", logger="nmt"):
        (found,) = Translator(bundles, warn=False).translate([Request("ab", prefix="☃")])
        assert "☃" in found.problem
        assert not caplog.records
        Translator(bundles).translate([Request("ab", prefix="☃")])
    assert "☃" in caplog.text
