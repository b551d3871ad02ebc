"""Alignment error rate: worked by hand, and on real gold links."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.metrics.aer import alignment_error_rate, oracle_one_link

HANSARDS = Path(__file__).resolve().parents[4] / "shared" / "data" / "alignment" / "enfr"
SURE = [{(0, 0), (1, 1)}, {(0, 1)}]
POSSIBLE = [{(1, 2)}, set()]

link_sets = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=10)


def test_by_hand():
    # pair 1: A = 0-0 1-2 2-2, S = 0-0 1-1, P = S + 1-2: |A| 3, |S| 2, |A n S| 1, |A n P| 2
    # pair 2: A = 0-1,          S = P = 0-1:             |A| 1, |S| 1, |A n S| 1, |A n P| 1
    # AER = 1 - (2 + 3) / (4 + 3) = 2/7 (the mean over pairs would be 1/5); precision 3/4; recall 2/3
    score = alignment_error_rate([{(0, 0), (1, 2), (2, 2)}, {(0, 1)}], SURE, POSSIBLE)
    assert score.aer == pytest.approx(2 / 7)
    assert score.precision == pytest.approx(3 / 4)
    assert score.recall == pytest.approx(2 / 3)
    assert (score.links, score.sure, score.possible) == (4, 3, 4)
    assert str(score) == "AER = 0.2857 precision = 0.7500 recall = 0.6667 (links = 4 sure = 3 possible = 4)"
    assert score.to_mapping()["links"] == 4


def test_direction_matters():
    assert alignment_error_rate([{(0, 1)}], [{(1, 0)}], [set()]).aer == 1


def test_nothing_found_and_nothing_to_find():
    nothing = alignment_error_rate([set()], [{(0, 0)}], [set()])
    assert (nothing.aer, nothing.precision, nothing.recall) == (1.0, 1.0, 0.0)
    empty = alignment_error_rate([], [], [])
    assert (empty.aer, empty.precision, empty.recall) == (0.0, 1.0, 1.0)


@given(sure=link_sets, possible=link_sets, extra=link_sets)
def test_anything_between_sure_and_possible_is_perfect(sure, possible, extra):
    found = sure | (extra & possible)
    assert alignment_error_rate([found], [sure], [possible]).aer == pytest.approx(0)


def test_oracle_by_hand():
    # pair 1, target words 0, 1, 2: sure 0-0 and 3-0 (one of them), possible 0-1 beside sure 2-1 (the sure one),
    # possible 4-2; word 3 has none. A = 3 links, all possible, 2 sure; S = 3. AER = 1 - (2 + 3) / (3 + 3) = 1/6
    score = oracle_one_link([{(0, 0), (3, 0), (2, 1)}], [{(0, 1), (4, 2)}], [4])
    assert score.aer == pytest.approx(1 / 6)
    assert (score.links, score.precision) == (3, 1.0)
    assert score.recall == pytest.approx(2 / 3)


@given(sure=link_sets, possible=link_sets, found=link_sets)
def test_no_single_link_a_word_beats_the_oracle(sure, possible, found):
    single = {(i, j) for j, i in {j: i for i, j in found}.items()}
    oracle = oracle_one_link([sure], [possible], [5])
    assert oracle.aer <= alignment_error_rate([single], [sure], [possible]).aer + 1e-12


def test_bad_input():
    with pytest.raises(DataError, match="links for 1 sentence pairs, but gold links for 2"):
        alignment_error_rate([set()], SURE, POSSIBLE)
    with pytest.raises(DataError, match="but 1 target sentences"):
        oracle_one_link(SURE, POSSIBLE, [3])
    with pytest.raises(DataError, match="sentence pair 1: gold link 1-2 points past its 2 target words"):
        oracle_one_link(SURE, POSSIBLE, [2, 2])


@pytest.mark.skipif(not HANSARDS.is_dir(), reason="needs the gold links of ../shared/data/alignment")
def test_hansards():
    sure, possible = [], []
    for line in (HANSARDS / "gold.1idx.talp").read_text().splitlines():
        fields = re.findall(r"(\d+)([-p])(\d+)", line)
        sure.append({(int(i), int(j)) for i, kind, j in fields if kind == "-"})
        possible.append({(int(i), int(j)) for i, kind, j in fields if kind == "p"})
    assert alignment_error_rate(possible, sure, possible).recall == 0
    everything = alignment_error_rate([s | p for s, p in zip(sure, possible, strict=True)], sure, possible)
    assert (everything.aer, everything.sure, everything.possible) == (0, 4038, 4038 + 13400)
    # the diagonal of lines 6, 7 and 9: 1p1 4-4 5-5 6p6; 1p1; 1-1 2p2 7p7, and nothing else
    chosen = [5, 6, 8]
    diagonal = [{(n, n) for n in range(1, 8)} for _ in chosen]
    score = alignment_error_rate(diagonal, [sure[k] for k in chosen], [possible[k] for k in chosen])
    # |A| = 21; |A n S| = 2 + 0 + 1 = 3; |A n P| = 4 + 1 + 3 = 8
    assert score.precision == pytest.approx(8 / 21)
    assert score.recall == pytest.approx(3 / score.sure)
    assert score.aer == pytest.approx(1 - 11 / (21 + score.sure))
