"""Attention over pieces to attention over words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.alignment.links import Links
from nmt.alignment.pieces_to_words import piece_alignment, piece_links, word_weights

PIECES = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.1, 0.3], [0.25, 0.25, 0.0, 0.5]])


def test_source_pieces_are_summed_and_target_pieces_averaged():
    # source: word 0 = pieces 0, 1; word 1 = piece 2; EOS. target: word 0 = rows 0, 1; row 2 is EOS and dropped.
    # word 0: ((0.1 + 0.2) + (0.5 + 0.1)) / 2 = 0.45; word 1: (0.3 + 0.1) / 2 = 0.2; null: (0.4 + 0.3) / 2 = 0.35
    np.testing.assert_allclose(word_weights(PIECES, [0, 0, 1], [0, 0]), [[0.45, 0.2, 0.35]])


def test_without_eos_the_null_column_is_zero():
    np.testing.assert_allclose(word_weights(PIECES[:2, :3], [0, 0, 1], [0, 1]), [[0.3, 0.3, 0.0], [0.6, 0.1, 0.0]])


def test_pieces_of_no_word_go_to_the_null_word_or_are_dropped():
    # source piece 1 belongs to no word: null = 0.2 + 0.4; target row 1 belongs to none
    np.testing.assert_allclose(word_weights(PIECES, [0, -1, 1], [0, -1]), [[0.1, 0.3, 0.6]])


def test_words_without_pieces_get_zeros():
    result = word_weights(PIECES, [0, 0, 2], [1, 1], source_count=4, target_count=3)
    np.testing.assert_allclose(result, [[0] * 5, [0.45, 0, 0.2, 0, 0.35], [0] * 5])


def test_an_empty_target_has_no_rows():
    assert word_weights(np.zeros((1, 3)), [0, 1], []).shape == (0, 3)
    assert word_weights(np.zeros((1, 1)), [], [], source_count=0, target_count=0).shape == (0, 1)


@given(
    source=st.lists(st.integers(-1, 4), min_size=1, max_size=8),
    target=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    eos=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 100),
)
def test_rows_keep_their_mass(source, target, eos, seed):
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(source) + eos[1]), len(target) + eos[0])
    words = word_weights(weights, source, target, source_count=5, target_count=4)
    assert words.shape == (4, 6)
    np.testing.assert_allclose(words.sum(axis=1), [1.0 if word in target else 0.0 for word in range(4)])


def test_single_precision_is_taken():
    assert word_weights(PIECES.astype(np.float32), [0, 0, 1], [0, 0]).dtype == np.float64


@pytest.mark.parametrize("shape", [(4, 4), (1, 4), (3, 5), (3, 2), (3,)])
def test_a_shape_that_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match=r"must be of shape \(2, 3\)"):
        word_weights(np.zeros(shape), [0, 0, 1], [0, 0])


def test_too_few_words_are_refused():
    with pytest.raises(ValueError, match="word 1, but there are only 1 words"):
        word_weights(PIECES, [0, 0, 1], [0, 0], source_count=1)


def test_links_spread_over_pieces_by_hand():
    # source "the black-bird sings": words 0, 1, 2 in pieces the | black - bird | sings; target "Amsel singt" in pieces
    # Am sel | singt. Amsel is linked to both "the" and "black-bird": 1 + 3 = 4 pieces, so each of its rows has four
    # quarters. singt is linked to "sings", one piece.
    result = piece_alignment([(0, 0), (1, 0), (2, 1)], [0, 1, 1, 1, 2], [0, 0, 1])
    quarter = [0.25, 0.25, 0.25, 0.25, 0.0]
    np.testing.assert_array_equal(result, [quarter, quarter, [0.0, 0.0, 0.0, 0.0, 1.0]])
    assert result.dtype == np.float32


def test_pieces_without_links_have_rows_of_zeros():
    result = piece_alignment([(1, 1)], [0, 1, -1], [0, 1, -1])
    np.testing.assert_array_equal(result, [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    # Neither a piece without a word nor a link to a word without pieces has a part in it.
    assert piece_alignment([(0, 0), (1, 0), (0, 1), (0, 3)], [0, -1], [-1, 0]).tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert not piece_alignment([], [0, 1], [0]).any()
    assert piece_alignment([], [], []).shape == (0, 0)


def test_links_between_words_become_links_between_all_their_pieces():
    links = Links(frozenset({(0, 1)}), frozenset({(2, 0)}))
    # source pieces of words 0 0 1 2 and of none; target pieces of words 0 1 1
    spread = piece_links(links, [0, 0, 1, 2, -1], [0, 1, 1])
    assert spread.sure == {(0, 1), (0, 2), (1, 1), (1, 2)}
    assert spread.only_possible == {(3, 0)}


def test_pieces_of_several_words_share_out_columns_and_repeat_rows():
    # Source piece 0 holds words 0 and 1, piece 1 word 1 (they meet in one letter), piece 2 word 2; target piece 0 holds
    # words 0 and 1, piece 1 word 1. Row of word 0: 0.1 / 2, 0.1 / 2 + 0.2, 0.3, null 0.4. Word 1 averages both rows.
    first, second = [0.05, 0.25, 0.3, 0.4], [0.25, 0.35, 0.1, 0.3]
    mean = [(one + other) / 2 for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(word_weights(PIECES, [(0, 1), (1,), (2,)], [(0, 1), (1,)]), [first, mean])
    # No word at all: to the null word, or dropped.
    np.testing.assert_allclose(word_weights(PIECES[:2], [(), (0,), (-1,)], [(), (0,)]), [[0.1, 0.5 + 0.1 + 0.3]])


def test_a_piece_of_several_words_has_the_links_of_all_of_them():
    # The source has pieces (10), (10 000), (km); the target (ten), (thousand), (km).
    sources, targets = [(0,), (0, 1), (2,)], [0, 1, 2]
    linked = piece_alignment([(0, 0), (1, 1), (2, 2)], sources, targets)
    assert linked.tolist() == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    turned = piece_alignment([(0, 0), (1, 1), (2, 2)], targets, sources)
    assert turned.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    both = piece_alignment([(1, 1)], sources, [(0, 1), (), (2,)])
    assert both.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert piece_alignment([], [], []).shape == (0, 0)
