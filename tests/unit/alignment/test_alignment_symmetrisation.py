from __future__ import annotations

import random

import pytest

from nmt.alignment.links import Links, parse_links
from nmt.alignment.symmetrisation import SYMMETRISATIONS, Symmetrisation, inverse, symmetrise

# Rows are source words, columns target words; f: forward only, b: backward only, x: both.
#
#        0 1 2 3 4
#    0   x f . . .
#    1   . . b . .
#    2   . . . f .
#    3   b . . . f
#    4   . . . . .
FORWARD = parse_links("0-0 0-1 2-3 3-4")
BACKWARD = parse_links("0-0 1-2 3-0")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("intersection", "0-0"),
        ("union", "0-0 0-1 2-3 3-4 1-2 3-0"),
        # 0-1 lies beside 0-0 and word 1 of the target is free. No other link lies beside or below one.
        ("grow", "0-0 0-1"),
        # From 0-1 to 1-2, from there to 2-3, and on to 3-4: each diagonally, each with free words. 3-0 has no neighbour
        # (1-2 and 3-4 are too far), and so stays out.
        ("grow-diag", "0-0 0-1 1-2 2-3 3-4"),
        # 3-0 is between two words that have links: neither final step takes it.
        ("grow-diag-final", "0-0 0-1 1-2 2-3 3-4"),
        ("grow-diag-final-and", "0-0 0-1 1-2 2-3 3-4"),
    ],
)
def test_a_chain_by_hand(method: Symmetrisation, expected: str) -> None:
    assert symmetrise(FORWARD, BACKWARD, method) == parse_links(expected)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("grow-diag", "0-0"),
        # Of the forward links 3-3 has two free words, and then 3-5 one, that of the target. Of the backward links 3-0
        # has none (3 has 3-3, 0 has 0-0), and 5-0 one, that of the source.
        ("grow-diag-final", "0-0 3-3 3-5 5-0"),
        # Only 3-3 has two free words when its turn comes.
        ("grow-diag-final-and", "0-0 3-3"),
    ],
)
def test_the_final_steps_by_hand(method: Symmetrisation, expected: str) -> None:
    forward, backward = parse_links("0-0 3-3 3-5"), parse_links("0-0 5-0 3-0")
    assert symmetrise(forward, backward, method) == parse_links(expected)


def test_forward_links_come_before_backward_ones() -> None:
    # 2-2 and 2-4 both want the free word 2: whichever direction is first gets it.
    one, other = parse_links("2-2"), parse_links("2-4")
    assert symmetrise(one, other, "grow-diag-final-and") == one
    assert symmetrise(other, one, "grow-diag-final-and") == other


def test_a_link_between_two_linked_words_is_not_grown_into() -> None:
    # 0-0 and 1-1 are in both directions; 0-1 is beside both, but neither of its words is free.
    assert symmetrise(parse_links("0-0 1-1 0-1"), parse_links("0-0 1-1"), "grow-diag") == parse_links("0-0 1-1")


def test_links_that_grow_serve_to_grow_from() -> None:
    # 0-1 is found from 0-0 within a round, 0-2 only from 0-1: a second round is needed.
    assert symmetrise(parse_links("0-0 0-1 0-2"), parse_links("0-0"), "grow") == parse_links("0-0 0-1 0-2")


@pytest.mark.parametrize("seed", range(60))
def test_every_method_lies_where_it_belongs(seed: int) -> None:
    drawn = random.Random(seed)
    forward, backward = (
        Links(frozenset((drawn.randrange(6), drawn.randrange(7)) for _ in range(drawn.randrange(12)))) for _ in range(2)
    )
    found = {method: symmetrise(forward, backward, method).sure for method in SYMMETRISATIONS}
    assert found["intersection"] == forward.sure & backward.sure
    assert found["union"] == forward.sure | backward.sure
    assert found["intersection"] <= found["grow"] <= found["union"]
    assert found["intersection"] <= found["grow-diag"] <= found["grow-diag-final-and"] <= found["union"]
    assert found["grow-diag"] <= found["grow-diag-final"] <= found["union"]
    # After the last step no link of the union has two free words, or a free one.
    for method, enough in (("grow-diag-final-and", all), ("grow-diag-final", any)):
        sources, targets = ({link[side] for link in found[method]} for side in (0, 1))
        for i, j in found["union"] - found[method]:
            assert not enough((i not in sources, j not in targets))
    # Where both directions agree there is nothing to do.
    for method in SYMMETRISATIONS:
        assert symmetrise(forward, forward, method).sure == forward.sure
        # Nothing depends on the direction where there is no order.
        if method in ("intersection", "union"):
            assert symmetrise(inverse(forward), inverse(backward), method) == inverse(Links(found[method]))


def test_possible_links_count_and_nothing_gives_nothing() -> None:
    assert symmetrise(parse_links("0p0"), parse_links("0-0"), "intersection") == parse_links("0-0")
    for method in SYMMETRISATIONS:
        assert symmetrise(Links(), Links(), method) == Links()


def test_the_inverse_keeps_what_is_sure() -> None:
    assert inverse(parse_links("0-3 2p1")) == parse_links("3-0 1p2")
