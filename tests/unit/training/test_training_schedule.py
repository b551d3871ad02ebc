"""Learning-rate schedules by hand."""

from __future__ import annotations

import math

import pytest

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.training.optimisation.schedule import Plateau, ScheduleConfig


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        # step: share of the peak; 20 updates in all
        ({"type": "constant"}, {1: 1.0, 20: 1.0}),
        ({"type": "constant", "warmup_steps": 4}, {1: 0.25, 2: 0.5, 3: 0.75, 4: 1.0, 5: 1.0, 20: 1.0}),
        ({"type": "plateau", "warmup_steps": 4}, {2: 0.5, 20: 1.0}),
        # from 1 at update 4 to 0 at update 20: 1 - (step - 4) / 16
        ({"type": "linear", "warmup_steps": 4}, {2: 0.5, 4: 1.0, 8: 0.75, 12: 0.5, 20: 0.0, 25: 0.0}),
        # 0.2 + 0.8 (1 - 4 / 16) = 0.8
        ({"type": "linear", "warmup_steps": 4, "final": 0.2}, {8: 0.8, 20: 0.2}),
        ({"type": "linear"}, {1: 0.95, 10: 0.5}),
        # (1 + cos(pi / 4)) / 2 = 0.85355 after a quarter of the way, cos(pi / 2) = 0 half way
        (
            {"type": "cosine", "warmup_steps": 4},
            {2: 0.5, 4: 1.0, 8: 0.5 + math.sqrt(2) / 4, 12: 0.5, 20: 0.0},
        ),
        ({"type": "cosine", "final": 0.1}, {10: 0.55, 20: 0.1}),
        # sqrt(4 / step)
        ({"type": "inverse-sqrt", "warmup_steps": 4}, {1: 0.25, 4: 1.0, 9: 2 / 3, 16: 0.5, 100: 0.2}),
        # warm-up longer than training: it only rises
        ({"type": "linear", "warmup_steps": 40}, {1: 1 / 40, 20: 0.5}),
        # as long as training: the peak is the last update
        ({"type": "cosine", "warmup_steps": 20}, {19: 0.95, 20: 1.0}),
    ],
)
def test_shares(fields: dict[str, object], shares: dict[int, float]) -> None:
    schedule = config.from_mapping(ScheduleConfig, fields, name="schedule")
    assert {step: schedule.share(step, 20) for step in shares} == pytest.approx(shares)


def test_plateau_cuts_after_patience_and_stops_at_the_minimum() -> None:
    schedule = ScheduleConfig(type="plateau", factor=0.5, patience=1, minimum=0.2)
    plateau = Plateau()
    # Not better once is waited for, twice is a cut; better begins anew; 0.5, 0.25, then 0.2 instead of 0.125.
    betters = [True, False, True, False, False, False, False, False, False, False, False]
    shares = []
    for better in betters:
        cut = plateau.after_validation(schedule, better=better)
        shares.append((cut, plateau.share))
    assert [share for cut, share in shares if cut] == [0.5, 0.25, 0.2]
    assert [index for index, (cut, _) in enumerate(shares) if cut] == [4, 6, 8]


def test_patience_of_nothing_cuts_at_once_and_other_schedules_never() -> None:
    plateau = Plateau()
    assert plateau.after_validation(ScheduleConfig(type="plateau", patience=0), better=False)
    assert not plateau.after_validation(ScheduleConfig(type="linear", patience=0), better=False)
    assert plateau == Plateau(share=0.5, waited=0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"type": "inverse-sqrt"}, "warmup_steps"),
        ({"final": 1.5}, "final"),
        ({"minimum": -0.1}, "minimum"),
        ({"factor": 1.0}, "factor"),
        ({"factor": 0.0}, "factor"),
        ({"patience": -1}, "patience"),
        ({"type": "exponential"}, "type"),
    ],
)
def test_impossible_values_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(ScheduleConfig, fields, name="schedule")
    assert [problem.path for problem in caught.value.problems] == [field]
