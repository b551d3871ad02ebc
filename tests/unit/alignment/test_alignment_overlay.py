"""Pictures lit by attention: the right part of the right panel is bright, and figures fit what they show."""

from __future__ import annotations

import numpy
import pytest
from matplotlib.patches import Rectangle

from nmt.alignment.drawing import colours
from nmt.alignment.drawing.overlay import LARGE, PANEL, PANELS, large, lit, strip
from nmt.alignment.drawing.plots import save_figure
from nmt.core.errors import DataError

GREY = numpy.full((40, 60, 3), 200, dtype=numpy.uint8)
SHAPE = (2, 3)


def one_hot(*cells):
    weights = numpy.zeros((len(cells), 6))
    for row, cell in enumerate(cells):
        if cell is not None:
            weights[row, cell] = 1.0
    return weights


def panels(figure):
    return figure.axes


def picture_of(axes):
    return numpy.asarray(axes.images[0].get_array())


def texts(figure):
    return [each.get_text() for axes in figure.axes for each in axes.texts]


def brightest(picture):
    """Row and column of the brightest of the six cells."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 3
    light = picture.astype(float).sum(-1)[: 2 * height, : 3 * width].reshape(2, height, 3, width).mean((1, 3))
    return numpy.unravel_index(light.argmax(), (2, 3))


@pytest.mark.parametrize("cells", [False, True])
@pytest.mark.parametrize("cell", range(6))
def test_the_part_that_a_word_looks_at_is_bright(cell, cells):
    figure = strip(GREY, ["a", "b"], one_hot(cell, 5 - cell), SHAPE, cells=cells)
    whole, *shown = map(picture_of, panels(figure))
    assert (abs(whole.astype(int) - 200) <= 1).all()
    assert brightest(shown[0]) == divmod(cell, 3)
    assert brightest(shown[1]) == divmod(5 - cell, 3)
    assert max(each.max() for each in shown) <= 201
    assert shown[0].shape[0] * 3 == pytest.approx(shown[0].shape[1] * 2, abs=3)


def test_light_is_smooth_or_by_cells_and_grows_evenly():
    weights = numpy.array([[0.0, 0.5, 1.0]])
    stepped = lit(GREY, weights, cells=True)
    left, middle, right = (stepped[5, stepped.shape[1] * part // 6] / 255 for part in (1, 3, 5))
    lightness = [float(colours.to_oklab(each)[0]) for each in (left, middle, right)]
    assert lightness[2] - lightness[1] == pytest.approx(lightness[1] - lightness[0], abs=0.01)
    assert len(numpy.unique(stepped[5, :, 0])) == 3
    assert len(numpy.unique(lit(GREY, weights)[5, :, 0])) > 20


def test_colours_return_from_oklab():
    rgb = numpy.random.default_rng(0).random((50, 3))
    assert colours.to_rgb(colours.to_oklab(rgb)) == pytest.approx(rgb, abs=1e-6)
    assert colours.to_oklab(numpy.ones(3)) == pytest.approx([1, 0, 0], abs=1e-4)


def test_every_word_has_a_panel_below_its_name():
    words = [f"word{number}" for number in range(9)]
    figure = strip(GREY, words, one_hot(*[0] * 9), SHAPE, title="a.png", score=-0.5)
    assert texts(figure) == words
    assert {each.get_text() for each in figure.texts} == {"a.png", "−0.50"}
    places = [each.get_position() for each in panels(figure)]
    assert len(places) == 10
    width, height = figure.get_size_inches()
    assert PANELS * PANEL < width < PANELS * (PANEL + 0.2)
    for place in places:
        assert place.width * width == pytest.approx(PANEL)
        assert place.height * height == pytest.approx(PANEL * 2 / 3)
        assert place.x0 >= 0 and place.x1 <= 1 and place.y0 >= 0 and place.y1 <= 1
    assert len({round(place.y0, 3) for place in places}) == 2


def bars(figure):
    return [each.get_width() for each in figure.artists + figure.patches if isinstance(each, Rectangle)]


def test_a_sentinel_darkens_and_is_told_by_a_bar():
    weights = one_hot(0, 0)
    weights[1, 0] = 0.25
    figure = strip(GREY, ["a", "b"], weights, SHAPE)
    first, second = (picture_of(each).max() for each in panels(figure)[1:])
    assert first > 195
    assert second < 150
    full, whole, empty, quarter = bars(figure)
    assert full == whole == empty == pytest.approx(4 * quarter)
    assert not bars(strip(GREY, ["a", "b"], one_hot(0, 0), SHAPE))
    shut = strip(GREY, ["a", "b"], one_hot(0, None), SHAPE)
    assert len(numpy.unique(picture_of(panels(shut)[2])[..., 0])) == 1


def test_boxes_are_outlined_in_the_panel_of_their_word():
    figure = strip(GREY, ["a", "b"], one_hot(0, 1), SHAPE, boxes={1: [(0.25, 0.5, 0.75, 1.0)]})
    outlines = [each.patches for each in panels(figure)]
    assert [len(each) for each in outlines] == [0, 0, 1]
    (box,) = outlines[2]
    assert box.get_bbox().extents.tolist() == [0.25, 0.5, 0.75, 1.0]


def test_the_large_picture_shows_the_word_that_looks_most_closely():
    weights = numpy.full((3, 6), 1 / 6)
    weights[1] = one_hot(4)
    figure = large(GREY, ["the", "red", "star"], weights, SHAPE)
    (axes,) = panels(figure)
    assert brightest(picture_of(axes)) == (1, 1)
    bold = [each.get_text() for each in axes.texts if each.get_weight() == "bold"]
    assert (bold, texts(figure)) == (["red"], ["the", "red", "star"])
    chosen = large(GREY, ["the", "red", "star"], one_hot(0, 1, 2), SHAPE, word=2)
    assert brightest(picture_of(panels(chosen)[0])) == (0, 2)
    long = large(GREY, ["word"] * 60, one_hot(*[0] * 60), SHAPE)
    assert long.get_size_inches()[0] == pytest.approx(figure.get_size_inches()[0])
    assert long.get_size_inches()[1] > figure.get_size_inches()[1] + 0.7
    assert max(each.get_position()[0] for each in panels(long)[0].texts) < 1
    assert figure.get_size_inches()[0] == pytest.approx(LARGE, abs=0.3)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_equal_figures_are_equal_files(tmp_path, suffix):
    contents = []
    for name in ("one", "two"):
        figure = strip(GREY, ["$a_b", "猫"], one_hot(0, 1), SHAPE, title="t")
        contents.append(save_figure(figure, tmp_path / f"{name}.{suffix}").read_bytes())
    assert contents[0] == contents[1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="weights must be of shape"):
        strip(GREY, ["a"], one_hot(0, 1), SHAPE)
    with pytest.raises(ValueError, match="weights must be of shape"):
        large(GREY, ["a"], one_hot(0)[:, :5], SHAPE)
    with pytest.raises(DataError, match="has no words"):
        strip(GREY, [], numpy.zeros((0, 6)), SHAPE)
