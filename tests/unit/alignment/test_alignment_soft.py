"""Soft weights to links."""

import math

import numpy as np
import pytest

from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import LinkRule, argmax_links, mean_entropy, mutual_links, row_shares, threshold_links

WEIGHTS = np.array(
    [
        [0.1, 0.6, 0.3],  # target word 0 looks at source word 1
        [0.2, 0.3, 0.5],  # target word 1 at the last column
        [0.4, 0.4, 0.2],  # a tie
    ]
)


def sure(*links):
    return Links(frozenset(links))


def test_argmax_gives_source_target_pairs():
    assert argmax_links(WEIGHTS) == sure((1, 0), (2, 1), (0, 2))


@pytest.mark.parametrize("null", [2, -1])
def test_the_null_column_wins_but_gets_no_link(null):
    assert argmax_links(WEIGHTS, null=null) == sure((1, 0), (0, 2))


def test_the_null_column_may_stand_anywhere():
    assert argmax_links(WEIGHTS, null=0) == sure((1, 0), (2, 1))


def test_no_weight_gives_no_link():
    weights = np.array([[0.0, 0.0], [np.nan, 0.5], [0.0, 0.1]], dtype=np.float32)
    assert argmax_links(weights) == sure((1, 2))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_sentences_have_no_links(shape):
    assert argmax_links(np.zeros(shape)) == Links()
    assert threshold_links(np.zeros(shape), 0.5) == Links()


def test_threshold_links_everything_that_reaches_it():
    assert threshold_links(WEIGHTS, 0.4) == sure((1, 0), (2, 1), (0, 2), (1, 2))
    assert threshold_links(WEIGHTS, 0.4, null=-1) == sure((1, 0), (0, 2), (1, 2))


def test_a_threshold_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        threshold_links(WEIGHTS, 0.0)


@pytest.mark.parametrize("null", [3, -4])
def test_a_null_column_that_is_not_there_is_refused(null):
    with pytest.raises(ValueError, match="one of 3 columns"):
        argmax_links(WEIGHTS, null=null)


def test_weights_must_be_a_matrix():
    with pytest.raises(ValueError, match=r"\(T, S\)"):
        argmax_links(np.zeros((1, 2, 3)))


def test_entropy_is_the_mean_over_the_rows_of_all_matrices():
    # log 2; then 0 of a single position, and log 3 of three.
    spread = [np.array([[0.5, 0.5, 0.0]], np.float32), np.array([[0.0, 1.0, 0.0], [1 / 3] * 3])]
    assert mean_entropy(spread) == pytest.approx((math.log(2) + math.log(3)) / 3)


def test_entropy_of_rows_that_do_not_sum_to_one():
    # A quarter and a quarter are half and half; nothing at all does not count.
    assert mean_entropy([np.array([[0.25, 0.25], [0.0, 0.0]])]) == pytest.approx(math.log(2))
    assert mean_entropy([np.zeros((2, 3)), np.zeros((0, 4))]) is None
    assert mean_entropy([]) is None


def test_mutual_links_are_each_others_heaviest():
    # Columns: 0 is heaviest in row 2 (0.4), 1 in row 0 (0.6), 2 in row 1 (0.5). Row 2 looks at column 0 first.
    assert mutual_links(WEIGHTS) == sure((1, 0), (2, 1), (0, 2))
    # Row 1 looks at column 0, whose heaviest row is 0: no link; the null word wins row 2 and gets none.
    weights = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    assert argmax_links(weights, null=-1) == sure((0, 0), (0, 1))
    assert mutual_links(weights, null=-1) == sure((0, 0))
    # Among equal rows the first has the column.
    assert mutual_links(np.array([[0.5, 0.1], [0.5, 0.1]])) == sure((0, 0))
    assert mutual_links(np.zeros((0, 3))) == Links()


def test_a_rule_is_what_its_name_says():
    assert LinkRule().links(WEIGHTS, null=-1) == argmax_links(WEIGHTS, null=-1)
    assert LinkRule(kind="mutual").links(WEIGHTS, null=-1) == mutual_links(WEIGHTS, null=-1)
    assert LinkRule(kind="threshold", threshold=0.4).links(WEIGHTS) == threshold_links(WEIGHTS, 0.4)
    for rule in ({"kind": "threshold"}, {"threshold": 0.4}, {"kind": "mutual", "threshold": 0.4}):
        with pytest.raises(ValueError, match="a threshold must be given for the rule threshold"):
            LinkRule(**rule)


def test_shares_are_of_magnitudes():
    # |1| + |-3| + |0| = 4: 1/4, 3/4, 0; a row of zeros stays.
    np.testing.assert_allclose(row_shares(np.array([[1.0, -3.0, 0.0], [0, 0, 0]])), [[0.25, 0.75, 0], [0, 0, 0]])
