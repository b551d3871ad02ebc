"""The suite's own rules: whoever changes the process fails by name, and what is skipped is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

# Name of a test: what it does, and what it is told to leave behind.
LEAKS = {
    "level": ("logging.getLogger('nmt').setLevel(logging.INFO)", "logger nmt"),
    "root": ("logging.getLogger().addHandler(logging.NullHandler())", "logger root"),
    "child": ("logging.getLogger('nmt.known').propagate = False", "logger nmt.known"),
    "threads": ("torch.set_num_threads(torch.get_num_threads() + 1)", "torch threads"),
    "dtype": ("torch.set_default_dtype(torch.float64)", "torch default dtype"),
    "gradients": ("torch.autograd.set_grad_enabled(False)", "torch gradients"),
    "deterministic": ("torch.use_deterministic_algorithms(True)", "torch deterministic algorithms"),
    "autocast": ("torch.set_autocast_enabled('cpu', True)", "torch autocast"),
    "onednn": ("torch.backends.mkldnn.set_flags(False)", "torch oneDNN"),
    "handler": ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "handler of SIGTERM"),
    "variable": ("os.environ['NEW'] = '1'", "environment NEW"),
    "folder": ("os.chdir('/')", "process working directory"),
    "path": ("sys.path.insert(0, '/nowhere')", "process sys.path"),
    "umask": ("os.umask(0o007)", "process umask"),
    "module": ("sys.modules['known'] = torch", "module known"),
    "registry": (
        "AttentionConfig.registry.register('mine')(AttentionConfig.registry.find('soft'))",
        "registry attention",
    ),
    "thread": ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "running: <Thread"),
    "process": ("subprocess.Popen(['sleep', '60'])", "running: process"),
}
BEGIN = """
import logging, numpy, os, pytest, random, signal, subprocess, sys, threading, time, torch
import process_state
from nmt.model.attention.base import AttentionConfig
logging.getLogger('nmt.known')
sys.modules['known'] = logging
process_state.PATIENCE = 0.1
drawn = []

@pytest.fixture(scope='module')
def lasting():
    os.environ['LASTING'] = '1'
def test_lasting(lasting):
    pass
def test_one():
    drawn.append((random.random(), numpy.random.random(), float(torch.rand(()))))
def test_other():
    assert drawn == [(random.random(), numpy.random.random(), float(torch.rand(())))]
def test_skipped_one(): pytest.skip('needs a browser: apt-get install chromium')
@pytest.mark.skipif(True, reason='needs a browser: apt-get install chromium')
def test_skipped_other(): pass
def test_skipped_for_another_want(): pytest.skip('needs /dev/full')
def test_skipped_where_it_says_nothing(): pytest.skip('no query')
"""


def run_inner(folder: Path, *options: str) -> str:
    """Run the tests of a folder under the rules of this suite, and give what pytest says."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n0",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-p",
            "conftest",
            *options,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.mark.slow
def test_whoever_changes_the_process_fails_by_name_and_what_is_skipped_is_told(tmp_path: Path) -> None:
    tests = [f"def test_{name}():\n    {action}\ndef test_after_{name}(): pass" for name, (action, _) in LEAKS.items()]
    (tmp_path / "test_inner.py").write_text("\n".join([BEGIN, *tests]))
    done = run_inner(tmp_path)
    for name, (_, left) in LEAKS.items():
        assert re.search(rf"at teardown of test_{name} _+\nthe test leaves behind: {left}", done), done
    assert "the fixture lasting leaves behind: environment LASTING: 1 instead of None" in done
    told = "skipped for want of a browser (2 tests; to get it: apt-get install chromium), /dev/full (1 test)"
    assert told in done.splitlines()
    counts = f"{2 * len(LEAKS) + 2} passed, 4 skipped, {len(LEAKS) + 1} errors in"
    assert counts in done, "the rest are innocent"


QUICK = """
import pytest

@pytest.mark.parametrize("case", range(9))
def test_many(case): pass

@pytest.mark.costly
@pytest.mark.parametrize("case", range(9))
def test_costly(case): pass

@pytest.mark.slow
def test_slow(): pass

def test_plain(): pass
"""


@pytest.mark.slow
def test_the_quick_round_takes_some_cases_of_everything_that_is_not_slow(tmp_path: Path) -> None:
    (tmp_path / "test_inner.py").write_text(QUICK)
    (tmp_path / "integration").mkdir()
    (tmp_path / "integration" / "test_whole.py").write_text("def test_whole(): pass")
    markers = "markers=slow:\ncostly:"
    done = run_inner(tmp_path, "--quick", "-v", "-o", markers)
    counts = {name: len(re.findall(rf"::test_{name}.* PASSED", done)) for name in ("many", "costly", "slow", "plain")}
    assert counts == {"many": 2, "costly": 1, "slow": 0, "plain": 1}, done
    assert "4 passed, 17 deselected" in done
