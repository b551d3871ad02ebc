"""A short soak: what `tools/soak.py` does with a million lines."""

from pathlib import Path

import pytest

from tools.soak import Soak, soak


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_nothing_is_lost_when_the_command_is_killed(tmp_path: Path) -> None:
    found = soak(tmp_path, 3000, kills=1, window=16)
    assert found.kills == 1
    assert found.resumed[0] == 0 < found.resumed[1] < 3000
    assert found.sound, found.table()
    assert not list(tmp_path.glob("*.resume"))
    assert "3,000 in, 3,000 out" in found.table()


def test_memory_that_grows_is_told() -> None:
    soaked = Soak(10, translated=10, memory=[100.0, 100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 150.0])
    assert soaked.growth == pytest.approx(0.5)
    assert soaked.sound
    assert not Soak(10, translated=9, memory=[1.0]).sound
    assert not Soak(10, translated=10, wrong=1, memory=[1.0]).sound
