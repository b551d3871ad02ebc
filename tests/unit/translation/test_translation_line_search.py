"""Lines of several streams in one search: each keeps its number, its samples and what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import PLACEHOLDER, SEARCH, make_run, sentences

from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.translation.copying import CopyConfig, Placeholder
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


KINDS = {
    "plain": ({}, CopyConfig()),
    "bytes": ({"byte_fallback": True}, CopyConfig()),
    "two vocabularies": ({"joint": False}, CopyConfig()),
    "copying": ({"joint": False}, CopyConfig(True, (Placeholder.parse(f"{PLACEHOLDER}=[0-9]+"),))),
}


@pytest.fixture(scope="module", params=KINDS)
def growing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Translator:
    changes, copying = KINDS[request.param]
    run = make_run(tmp_path_factory.mktemp("growing") / "run", **changes)
    return Translator.load(run, search=replace(SEARCH, strategy="greedy"), copying=copying, max_pieces=40)


def test_a_translation_grows_to_what_greedy_search_gives(growing: Translator) -> None:
    long = " ".join(sentences(12))
    lines = ["", *sentences(8), long, Request("ab cd", prefix="AB a"), Request("cd", avoid=("a",)), "ab 12 cd 3"]
    lines += [Request("ab", prefix="☃"), Request("ab", constraints=("cd",))]
    numbers = range(1, len(lines) + 1)
    wanted = growing.translate(lines)
    seen = [[""] for _ in lines]
    steps = growing.grow(lines, numbers)
    while True:
        try:
            for row, text in zip(seen, next(steps), strict=True):
                row.append(text)
        except StopIteration as end:
            found = end.value
            break
    assert [each.problem for each in found] == [each.problem for each in wanted]
    for texts, one, other in zip(seen, found, wanted, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-2)
        for before, after in zip(texts, [*texts[1:], one.text or texts[-1]], strict=True):
            assert after.startswith(before)
    assert sum(len({*texts}) > 2 for texts in seen) > 5
    assert any(each.parts > 1 for each in found)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_settled_stays_whatever_follows(growing: Translator, data: st.DataObject) -> None:
    model = growing.bundles[0].vocabularies.target
    known = [piece for piece in range(model.size) if piece not in {model.eos_id, model.bos_id, model.pad_id}]
    unknown = {model.unk_id, model.id_of(PLACEHOLDER)}
    pieces = known if growing._copier.config.active else [piece for piece in known if piece not in unknown]
    letters = [model.id_of(f"<0x{byte:02X}>") for byte in "é你😀".encode()]
    tokens = data.draw(st.lists(st.sampled_from([*pieces, *[each for each in letters if each in pieces]])))
    (source,) = growing._reader.read(["ab 12 cd"], [1])
    weights = torch.rand(len(tokens), len(source.pieces.ids) + 1)
    hypothesis = Hypothesis(tokens, 0.0, 0.0, [0.0] * len(tokens), finished=False, weights=weights)
    whole = growing._search.target(source, hypothesis).text
    settled = [growing._search.settled(source, tokens[:count]) for count in range(len(tokens) + 1)]
    assert all(after.startswith(before) for before, after in zip(settled, [*settled[1:], whole], strict=True))


def test_nothing_is_logged_about_lines_where_it_must_not_be(tiny_run: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundles = Translator.load(tiny_run).bundles
    with caplog.at_level("WARNING", logger="nmt"):
        (found,) = Translator(bundles, warn=False).translate([Request("ab", prefix="☃")])
        assert "☃" in found.problem
        assert not caplog.records
        Translator(bundles).translate([Request("ab", prefix="☃")])
    assert "☃" in caplog.text
