"""Learning curves."""

import math

import pytest

from nmt.core.errors import DataError
from nmt.metrics.curves import learning_curves

RECORDS = [
    {"kind": "start", "step": 0, "loss": 99.0},
    {"kind": "train", "step": 10, "loss": 5.0, "learning_rate": 0.1, "tokens_per_second": 1e3},
    {"kind": "train", "step": 20, "loss": math.nan, "learning_rate": 0.2},
    {"kind": "train", "step": 30, "loss": 4.0, "learning_rate": None},
    {"kind": "validation", "step": 15, "perplexity": math.e**3, "bleu": 7.0, "chrf": 20.0},
    {"kind": "validation", "step": 30, "perplexity": math.inf, "bleu": 5.0},
]


def curves(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines if not line.get_label().startswith("_")}


def test_each_quantity_is_in_its_panel():
    figure = learning_curves(RECORDS, title="$run$")
    loss, scores, rate = figure.axes
    assert curves(loss) == {"training": [[10, 5], [30, 4]], "validation": [[15, pytest.approx(3)]]}
    assert curves(scores) == {"BLEU": [[15, 7], [30, 5]], "chrF": [[15, 20]]}
    assert rate.lines[0].get_xydata().tolist() == [[10, 0.1], [20, 0.2]]
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per token", "score", "learning rate"]
    assert [text.get_text() for text in scores.texts] == ["7.0", "20.0"], "the best of each is marked"
    figure.canvas.draw()


def test_panels_without_data_are_left_out():
    assert [axes.get_ylabel() for axes in learning_curves(RECORDS[:2]).axes] == ["nats per token", "learning rate"]
    assert [axes.get_ylabel() for axes in learning_curves(RECORDS[-1:]).axes] == ["score"]


@pytest.mark.parametrize("records", [[], [{"kind": "train", "step": 1}], [{}]])
def test_nothing_to_draw(records):
    with pytest.raises(DataError, match="no learning curves"):
        learning_curves(records)


def test_likelihood_is_drawn_in_place_of_a_smoothed_loss() -> None:
    records = [
        {"kind": "train", "step": 1, "loss": 3.0, "nll": 2.0},
        {"kind": "train", "step": 2, "loss": 2.0, "nll": 1.0},
    ]
    assert curves(learning_curves(records).axes[0]) == {"training": [[1, 2], [2, 1]]}
