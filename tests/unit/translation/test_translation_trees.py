"""Trees of a beam search for the page: of which lines, and in letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.core.errors import ConfigError
from nmt.search.hypothesis import Hypothesis
from nmt.search.strategies.trace import ROOT, BeamTree, TreeNode
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.requests.request import Request
from nmt.translation.trees import LineNumbers, tree_in_letters


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", [1]),
        ("3-3", [3]),
        ("1-3,5", [1, 2, 3, 5]),
        (" 2 , 4-5 ", [2, 4, 5]),
        ("5,1", [1, 5]),
        ("1-2,2-3", [1, 2, 3]),
    ],
)
def test_lines_are_numbers_and_ranges_with_both_their_ends(text: str, numbers: list[int]) -> None:
    lines = LineNumbers.parse(text, path="--trees")
    assert [number for number in range(8) if number in lines] == numbers
    assert 1 not in LineNumbers()


@pytest.mark.parametrize("text", ["", "0", "0-3", "3-2", "-1", "1-", "a", "1;2", "1,,2", "1-2-3", "9" * 13, "٣"])
def test_anything_else_is_refused_with_what_it_is(text: str) -> None:
    with pytest.raises(
        ConfigError, match="--trees must be numbers of lines, from 1, such as 1-10,42, but is "
    ) as caught:
        LineNumbers.parse(text, path="--trees")
    assert repr(text) in str(caught.value)


def test_the_lines_with_those_numbers_ask_for_their_trees() -> None:
    numbers = LineNumbers(((2, 3), (7, 7)))
    lines = ["a", "b", Request("c", prefix="x"), Request("d")]
    assert numbers.asked(lines, 1) == ["a", Request("b", tree=True), Request("c", prefix="x", tree=True), lines[3]]
    assert numbers.asked(lines, 4) == [*lines[:3], Request("d", tree=True)]
    assert LineNumbers().asked(lines, 2) is lines


def test_a_tree_is_spelt_and_tells_where_what_was_returned_ends(tiny_run: Path) -> None:
    model = Bundle.load(tiny_run).vocabularies.target
    one, other = 10, 11
    nodes = (
        TreeNode(ROOT, one, -0.1, -0.1, -0.2, "kept"),
        TreeNode(ROOT, model.eos_id, -0.3, -0.3, -0.4, "pruned"),
        TreeNode(0, other, -0.5, -0.6, -0.7, "stopped"),
        TreeNode(0, model.eos_id, -0.8, -0.9, -1.0, "finished"),
    )
    returned = [
        Hypothesis(tokens, score=0.0, log_prob=0.0, token_log_probs=[0.0] * len(tokens), finished=finished)
        for tokens, finished in (([one], True), ([one, other], False), ([other], True))
    ]
    tree = tree_in_letters(BeamTree(nodes), returned, model)
    assert tree.returned == (3, 2, None)
    first, second = model.pieces([one, other])
    assert [branch.piece for branch in tree.branches] == [first, "", second, ""]
    assert [branch.parent for branch in tree.branches] == [ROOT, ROOT, 0, 0]
    assert [branch.fate for branch in tree.branches] == ["kept", "pruned", "stopped", "finished"]
    assert [(each.log_prob, each.total, each.score) for each in tree.branches] == [
        (node.token_log_prob, node.log_prob, node.score) for node in nodes
    ]
