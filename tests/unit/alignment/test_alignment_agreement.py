"""Rank correlation."""

from __future__ import annotations

import numpy as np
import pytest

from nmt.alignment.agreement import kendall_tau, row_correlations


@pytest.mark.parametrize(
    ("one", "other", "tau"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        # Of six pairs 1-2, 1-3, 1-4, 2-4 and 3-4 are ranked alike, 2-3 is not: (5 - 1) / 6.
        ([1, 2, 3, 4], [1, 3, 2, 4], 2 / 3),
        # One pair tied in the first: C = 2, D = 0, (3 - 1) and 3 untied pairs: 2 / sqrt(2 * 3).
        ([1, 1, 2], [1, 2, 3], 2 / 6**0.5),
        ([1, 1, 1], [1, 2, 3], None),
        ([1], [2], None),
        ([], [], None),
    ],
)
def test_kendalls_tau(one: list[float], other: list[float], tau: float | None) -> None:
    assert kendall_tau(one, other) == (None if tau is None else pytest.approx(tau))
    assert kendall_tau(other, one) == (None if tau is None else pytest.approx(tau))


def test_rows_that_say_nothing_are_left_out() -> None:
    one, other = np.array([[0.1, 0.9], [0.5, 0.5], [0.2, 0.8]]), np.array([[0.2, 0.8], [0.1, 0.9], [0.9, 0.1]])
    assert list(row_correlations(one, other)) == [1.0, -1.0]
