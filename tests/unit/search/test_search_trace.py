"""The tree of a beam search: hand-worked, and the same as what the search returns."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from table_steppers import BOS, EOS, PAD, SENTENCES, Bigram, RecurrentTable, Table, tokens

from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.search.strategies.beam import BeamSearch
from nmt.search.strategies.trace import ROOT, BeamTrace, BeamTree

FORBID = (PAD, BOS)


def traced(stepper, rows, config, wanted=None, forbid=FORBID, **options):
    trace = BeamTrace(range(len(rows)) if wanted is None else wanted)
    return search(stepper, tokens(rows), config, Symbols(BOS, EOS, forbid), trace=trace, **options), trace


def path_of(tree: BeamTree, index: int) -> list[int]:
    found = []
    while index != ROOT:
        found.append(tree.nodes[index].token)
        index = tree.nodes[index].parent
    return found[::-1]


def test_a_tree_by_hand():
    # Pieces 3 and 4; K = 1, so the 2 best of each step are ranked. "3" 0.6, "" 0.3, "4" 0.1: 3 lives; eos is ranked,
    # but not among the first K, so that it does not finish.
    # Then after 3: eos 0.7, 3 0.2, 4 0.1: eos finishes with log(0.6 * 0.7) = -0.8675, over lp(2) = 7/6: -0.7436; "3 3"
    # is second and lives, but one of a beam of one has finished, and the search ends.
    stepper = Table([[0, 0, 0.3, 0.6, 0.1], [0, 0, 0.7, 0.2, 0.1]])
    (found,), trace = traced(stepper, [[5, EOS]], SearchConfig(beam_size=1))
    tree = trace.tree(0)
    assert [(node.parent, node.token, node.fate) for node in tree.nodes] == [
        (ROOT, 3, "kept"),
        (ROOT, EOS, "pruned"),
        (0, EOS, "finished"),
        (0, 3, "stopped"),
    ]
    assert [node.log_prob for node in tree.nodes] == pytest.approx([math.log(p) for p in (0.6, 0.3, 0.42, 0.12)])
    assert tree.nodes[2].token_log_prob == pytest.approx(math.log(0.7))
    assert tree.nodes[2].score == pytest.approx(-0.8675 / (7 / 6), abs=1e-4) == found[0].score
    assert tree.find([3, EOS]) == 2
    assert tree.find([EOS]) == 1
    assert tree.find([4, EOS]) is tree.find([4]) is tree.find([]) is None


@pytest.mark.parametrize("coverage", [0.0, 0.4])
def test_trees_hold_what_the_search_returns_and_no_more_than_a_beam_lives(coverage):
    stepper = RecurrentTable(20, seed=6, sharp=6, eos=4)
    config = SearchConfig(beam_size=4, n_best=3, min_length_ratio=1.0, coverage_penalty=coverage)
    results, trace = traced(stepper, SENTENCES, config)
    for row, hypotheses in enumerate(results):
        tree = trace.tree(row)
        assert hypotheses
        for hypothesis in hypotheses:
            index = tree.find([*hypothesis.tokens, *([EOS] * hypothesis.finished)])
            assert index is not None
            node = tree.nodes[index]
            assert node.fate == ("finished" if hypothesis.finished else "kept")
            assert node.log_prob == pytest.approx(hypothesis.log_prob, abs=1e-5)
            assert not hypothesis.finished or node.score == hypothesis.score
            path = path_of(tree, index)
            assert path[: len(hypothesis.tokens)] == hypothesis.tokens
        depths = [len(path_of(tree, index)) for index in range(len(tree.nodes))]
        assert depths == sorted(depths)
        kept = Counter(d for d, node in zip(depths, tree.nodes, strict=True) if node.fate in ("kept", "stopped"))
        assert max(kept.values()) <= 4
        assert max(Counter(depths).values()) <= 8
        parents = {node.parent for node in tree.nodes} - {ROOT}
        assert all(tree.nodes[parent].fate == "kept" for parent in parents)


def test_recording_changes_nothing_and_a_tree_depends_on_its_sentence_alone():
    stepper = RecurrentTable(20, seed=6, sharp=6, eos=4)
    config = SearchConfig(beam_size=3, n_best=3)
    plain = search(stepper, tokens(SENTENCES), config, Symbols(BOS, EOS, FORBID))
    some, trace = traced(stepper, SENTENCES, config, wanted=[2, 4])
    assert some == plain
    for row in (2, 4):
        alone = traced(stepper, [SENTENCES[row]], config)[1].tree(0)
        together = trace.tree(row)
        assert [(n.parent, n.token, n.fate) for n in together.nodes] == [
            (n.parent, n.token, n.fate) for n in alone.nodes
        ]
    with pytest.raises(KeyError):
        trace.tree(0)


def test_a_search_without_a_trace_builds_no_ranking(monkeypatch):
    monkeypatch.setattr(BeamSearch, "_ranking", lambda *_: pytest.fail("recorded without being asked"))
    search(RecurrentTable(9), tokens(), SearchConfig(), Symbols(BOS, EOS))


def test_empty_places_are_no_nodes_and_unfinished_ones_are_found():
    stepper = Bigram([[0, 0, 0.0, 1.0]] * 4)  # one piece to choose from, and no end
    (found,), trace = traced(stepper, [[5, EOS]], SearchConfig(beam_size=3, max_length_ratio=0, max_length_offset=2))
    tree = trace.tree(0)
    assert not found[0].finished
    assert [node.fate for node in tree.nodes] == ["kept", "stopped"]
    assert tree.find(found[0].tokens) == 1
