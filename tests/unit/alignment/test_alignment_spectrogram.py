"""Attention over a spectrogram: words and times lie where they are said to be."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nmt.alignment.drawing import colours
from nmt.alignment.drawing.spectrogram import NARROWEST, WIDEST, spectrogram
from nmt.core.errors import DataError

FRAMES = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
WEIGHTS = np.array([[0.1, 0.8, 0.1, 0.0], [0.0, 0.1, 0.4, 0.5]])
SPANS = {0: [(0.25, 0.5)], 1: [(0.6, 0.9)]}


def drawn(**options: object) -> Figure:
    return spectrogram(FRAMES, ["go", "$left$"], WEIGHTS, **{"extent": (0.5, 1.0), **options})  # type: ignore[arg-type]


def test_frames_and_rows_share_the_time_axis() -> None:
    top, rows = drawn().axes
    assert top.get_xlim() == rows.get_xlim() == (0.5, 1.0)
    left, right = (axes.get_position() for axes in (top, rows))
    assert (left.x0, left.x1) == (right.x0, right.x1) and left.y0 > right.y1
    np.testing.assert_array_equal(top.images[0].get_array(), FRAMES.T)
    np.testing.assert_array_equal(rows.images[0].get_array(), WEIGHTS)
    assert top.images[0].origin == "lower" and rows.images[0].origin == "upper"
    assert rows.get_xlabel() == "seconds"
    words = {text.get_text(): text.get_position()[1] for text in rows.texts}
    assert words == {"go": 0.5, "$left$": 1.5}


def test_spans_are_outlined_in_the_rows_of_their_words_and_named_above() -> None:
    top, rows = drawn(spans=SPANS).axes
    boxes = [patch for patch in rows.patches if isinstance(patch, Rectangle)]
    found = [(box.get_x(), box.get_x() + box.get_width(), int(box.get_y())) for box in boxes]
    np.testing.assert_allclose(found, [(0.625, 0.75, 0), (0.8, 0.95, 1)])
    assert {text.get_text(): round(text.get_position()[0], 3) for text in top.texts} == {"go": 0.375, "$left$": 0.75}
    assert all(text.get_color() == colours.GOLD for text in top.texts)
    close = drawn(spans={0: [(0.5, 0.51)], 1: [(0.51, 0.52)]}).axes[0]
    assert [text.get_text() for text in close.texts] == ["go"], "there is no room for the other"


@pytest.mark.parametrize(("seconds", "inches"), [(0.2, NARROWEST), (2.5, 6.0), (60.0, WIDEST)])
def test_longer_recordings_are_wider_within_limits(seconds: float, inches: float) -> None:
    figure = drawn(extent=(0.0, seconds))
    assert figure.axes[0].get_position().width * figure.get_size_inches()[0] == pytest.approx(inches)


def test_it_can_be_saved_with_heading_silence_and_no_attention() -> None:
    figure = spectrogram(
        np.zeros((5, 3)), ["a"], np.zeros((1, 2)), extent=(0, 5), unit="positions", title="a $b", score=-1.5
    )
    figure.savefig(io.BytesIO(), format="png")
    texts = [text.get_text() for text in figure.texts]
    assert "a $b" in texts and "−1.50" in texts and "darkest: 0.00" in texts


def test_words_and_weights_must_fit() -> None:
    with pytest.raises(DataError):
        spectrogram(FRAMES, [], np.zeros((0, 4)), extent=(0, 1))
    with pytest.raises(ValueError, match="weights"):
        spectrogram(FRAMES, ["a"], WEIGHTS, extent=(0, 1))
