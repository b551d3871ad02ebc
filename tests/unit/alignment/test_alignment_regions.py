"""Regions: how they are read, which positions lie in them, and how much attention does."""

from __future__ import annotations

import json

import numpy
import pytest

from nmt.alignment.regions import (
    PointingTally,
    Region,
    cells_within,
    fractions,
    parse_regions,
    pointing_positions,
    read_regions,
)
from nmt.core.errors import DataError

SQUARE = (0.0, 0.0, 40.0, 40.0)  # of 4 x 4 cells of 10 x 10 pixels


def test_lines_of_boxes_and_of_spans(tmp_path):
    path = tmp_path / "regions"
    path.write_text('[{"word": 1, "box": [1, 2.5, 3, 4]}, {"word": 0, "box": [0, 0, 1, 1]}]\n\n[]\n', encoding="utf-8")
    boxes = read_regions(path, "box", target_lengths=[2, 0, 5])
    assert boxes == [(Region(1, (1.0, 2.5, 3.0, 4.0)), Region(0, (0.0, 0.0, 1.0, 1.0))), (), ()]
    assert parse_regions('[{"span": [0.5, 1], "word": 3}]', "span", where="here") == (Region(3, (0.5, 1.0)),)


WRONG = [
    ("[", "box", "line 2: must be JSON"),
    ("{}", "box", "line 2: must be a list of regions, such as .*but is {}"),
    ("[3]", "box", "line 2, region 1: must be an object"),
    ('[{"word": 1, "box": [1, 2, 3, 4]}, {"word": 1}]', "box", 'region 2: must be an object with "word" and "box"'),
    ('[{"word": 1, "span": [1, 2]}]', "box", 'region 1: must be an object with "word" and "box"'),
    ('[{"word": 1, "box": [1, 2, 3, 4]}]', "span", 'region 1: must be an object with "word" and "span"'),
    ('[{"word": 1, "box": [1, 2, 3, 4], "name": 1}]', "box", "region 1: must be an object"),
    ('[{"word": -1, "box": [1, 2, 3, 4]}]', "box", "region 1: word must be the index of a word"),
    ('[{"word": true, "box": [1, 2, 3, 4]}]', "box", "region 1: word must be the index of a word"),
    ('[{"word": 1.5, "box": [1, 2, 3, 4]}]', "box", "region 1: word must be the index of a word"),
    ('[{"word": 1, "box": [1, 2, 3]}]', "box", "region 1: box must be .left, top, right, bottom."),
    ('[{"word": 1, "box": [3, 2, 1, 4]}]', "box", "with left below right and top below bottom"),
    ('[{"word": 1, "box": [1, 4, 3, 4]}]', "box", "with left below right and top below bottom"),
    ('[{"word": 1, "box": [1, 2, 3, NaN]}]', "box", "region 1: box must be"),
    ('[{"word": 1, "box": [1, 2, 3, "4"]}]', "box", "region 1: box must be"),
    ('[{"word": 1, "span": [2, 1]}]', "span", r"span must be \[begin, end\] with begin below end, but is \[2, 1\]"),
    ("[" * 100_000, "box", "line 2: must be JSON"),
]


@pytest.mark.parametrize(("line", "kind", "message"), WRONG)
def test_what_is_no_region_is_told_with_its_place(tmp_path, line, kind, message):
    path = tmp_path / "test.regions"
    path.write_text(f"[]\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        read_regions(path, kind)
    assert str(error.value).startswith(f"{path}: line 2")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("lengths", "message"), [([2], "must have a line for each target, 1, but has 2"), ([2, 1], "line 2: word must be")]
)
def test_regions_of_other_targets(tmp_path, lengths, message):
    path = tmp_path / "test.regions"
    path.write_text('[]\n[{"word": 1, "box": [1, 2, 3, 4]}]\n', encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_regions(path, "box", target_lengths=lengths)


def test_parts_of_cells_count_by_their_area():
    cells = cells_within((5, 10, 20, 25), SQUARE, (4, 4)).reshape(4, 4)
    assert cells.tolist() == [[0, 0, 0, 0], [0.5, 1, 0, 0], [0.25, 0.5, 0, 0], [0, 0, 0, 0]]
    assert cells_within((-100, -100, 100, 100), SQUARE, (4, 4)).tolist() == [1.0] * 16
    assert not cells_within((50, 0, 60, 10), SQUARE, (4, 4)).any()


def test_rows_and_columns_have_their_own_scale():
    """A grid of 2 x 4 cells over a part of the plane that begins at (-10, 100)."""
    cells = cells_within((0, 150, 10, 200), (-10, 100, 30, 200), (2, 4))
    assert cells.tolist() == [0, 0, 0, 0, 0, 1, 0, 0]


def test_bounds_as_fractions_of_what_is_covered():
    assert fractions((0, 10, 10, 30), (-10, 0, 30, 40)) == (0.25, 0.25, 0.5, 0.75)
    assert fractions((1, 4), (0, 8)) == (0.125, 0.5)


def test_spans_cover_positions_in_time():
    assert cells_within((0.5, 2.25), (0.0, 4.0), (4,)).tolist() == [0.5, 1.0, 0.25, 0.0]
    assert pointing_positions((0.5, 2.25), (0.0, 4.0), (4,)).tolist() == [True, True, False, False]


def test_a_position_points_by_its_middle_or_at_a_small_region_within():
    inside = pointing_positions((4, 4, 26, 14), SQUARE, (4, 4)).reshape(4, 4)
    assert inside.tolist() == [[True, True, True, False], *[[False] * 4] * 3]
    tiny = pointing_positions((31, 21, 33, 22), SQUARE, (4, 4)).reshape(4, 4)
    assert [list(each) for each in zip(*tiny.nonzero(), strict=True)] == [[2, 3]]


def tally(rows, regions, **options):
    found = PointingTally()
    words = [f"w{place}" for place in range(len(rows))]
    found.add(words, numpy.array(rows), regions, **({"extent": (0.0, 4.0), "shape": (4,)} | options))
    return found


def test_the_score_is_a_mean_over_words_that_have_a_region():
    rows = [[0.7, 0.1, 0.1, 0.1], [0.25] * 4, [0.0, 0.2, 0.2, 0.6]]
    found = tally(rows, [Region(0, (0.0, 1.0)), Region(2, (1.0, 3.0))])
    score = found.score()
    assert (score.words, score.hits) == (2, 0.5)
    assert score.share == pytest.approx((0.7 + 0.4) / 2)
    assert score.chance_hits == score.chance_share == pytest.approx((0.25 + 0.5) / 2)
    assert found.score(["w0"]).hits == 1.0
    assert found.score(["w1"]) is None
    assert {word: each.hits for word, each in found.by_word().items()} == {"w0": 1.0, "w2": 0.0}
    assert "inside 50.0 % (by chance 37.5 %)" in str(score)


def test_what_stays_with_a_sentinel_is_left_out():
    score = tally([[0.3, 0.1, 0.0, 0.0]], [Region(0, (0.0, 1.0))]).score()
    assert score.share == pytest.approx(0.75)
    shut = tally([[0.0] * 4], [Region(0, (0.0, 1.0))]).score()
    assert (shut.hits, shut.share) == (0.0, 0.0)


def test_how_much_each_word_looks_is_told_of_words_without_regions_too():
    found = tally([[0.3, 0.1, 0.0, 0.0], [0.2] * 4], [Region(0, (0.0, 1.0))])
    found.add(["w1"], numpy.full((1, 4), 0.25), [], extent=(0.0, 4.0), shape=(4,))
    assert found.looking() == pytest.approx({"w0": 0.4, "w1": 0.9})
    assert found.to_mapping()["looking"] == found.looking()


def test_even_attention_scores_what_chance_does():
    draw, rows, regions = numpy.random.default_rng(0), [], []
    for word in range(200):
        left, top = draw.uniform(0, 25, 2)
        regions.append(Region(word, (left, top, left + draw.uniform(1, 15), top + draw.uniform(1, 15))))
        rows.append(draw.dirichlet(numpy.ones(16)))
    score = tally(rows, regions, extent=SQUARE, shape=(4, 4)).score()
    assert score.share == pytest.approx(score.chance_share, abs=0.02)
    assert score.hits == pytest.approx(score.chance_hits, abs=0.06)


def test_regions_outside_of_the_source_or_the_target_are_refused():
    with pytest.raises(DataError, match=r"file: line 3: the region \[5.0, 6.0\] of word 0 lies outside of its source"):
        tally([[1.0] * 4], [Region(0, (5.0, 6.0))], where="file: line 3")
    with pytest.raises(DataError, match="line 3: word must be below 1, but is 1"):
        tally([[1.0] * 4], [Region(1, (0.0, 1.0))], where="line 3")


def test_no_regions_have_no_score():
    assert tally([[1.0] * 4], []).score() is None
    assert json.dumps(tally([[1.0] * 4], []).by_word()) == "{}"
