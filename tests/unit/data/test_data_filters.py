import numpy
import pytest

from nmt.core import config as configs
from nmt.core.errors import ConfigError
from nmt.data.filters import FilterConfig


def apply(config, pairs):
    kept, dropped = config.apply(*(numpy.array(side) for side in zip(*pairs, strict=True)))
    return kept.tolist(), {reason: count for reason, count in dropped.items() if count}


def test_each_pair_counts_for_its_first_reason():
    config = FilterConfig(min_length=2, max_length=10, max_ratio=3.0)
    pairs = [(0, 5), (5, 0), (0, 0), (1, 5), (11, 5), (5, 11), (3, 9), (3, 10), (2, 2), (10, 10), (1, 11)]
    kept, dropped = apply(config, pairs)
    assert kept == [False, False, False, False, False, False, True, False, True, True, False]
    assert dropped == {"empty": 3, "too_short": 2, "too_long": 2, "ratio": 1}


def test_without_limits_only_empty_sides_go():
    kept, dropped = apply(FilterConfig(max_length=None, max_ratio=None), [(1, 10_000), (0, 3)])
    assert kept == [True, False]
    assert dropped == {"empty": 1}


@pytest.mark.parametrize("text", ["min_length: 0", "max_ratio: 0.5"])
def test_impossible_limits(text):
    with pytest.raises(ConfigError, match="must be at least 1"):
        configs.load(FilterConfig, text, name="x")
