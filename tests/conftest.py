"""Fixtures of all tests; modules beside this file can be imported by their names."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tiny_run import make_run

# Parts that are not of this package are registered in every test, as if they were: whoever counts on ours alone fails.
sys.path.append(str(Path(__file__).parent / "foreign"))
import my_parts  # noqa: F401

pytest_plugins = ["process_state"]

QUICK_CASES = 2

# A busy machine is no bug; and a test that passes here passes everywhere.
settings.register_profile("nmt", deadline=None, derandomize=True)
settings.load_profile("nmt")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a tiny joint vocabulary and a sharpened random model; not to be written to."""
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    """The GPU of this machine, or the one that is pretended (``-p pretended_gpu``)."""
    pretended = sys.modules.get("pretended_gpu")
    if pretended is not None:
        with pretended.Pretending():
            yield torch.device(pretended.NAME, 0)
    elif torch.cuda.is_available():
        yield torch.device("cuda")
    else:
        pytest.skip("needs an accelerator: a machine with a GPU")


@pytest.fixture
def cuda() -> torch.device:
    """The GPU of this machine, for what no other device has."""
    if not torch.cuda.is_available():
        pytest.skip("needs an accelerator: a machine with a GPU")
    return torch.device("cuda")


@pytest.fixture
def little_memory(cuda: torch.device) -> Iterator[None]:
    """Leave this process half a gigabyte beyond what it holds."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(cuda).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(cuda) + 2**29) / total, cuda)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, cuda)
    torch.cuda.empty_cache()


@pytest.fixture
def signals_of_a_terminal() -> Iterator[None]:
    """Let the signals of a terminal do what they do there: under ``nohup``, or in the background, some do nothing."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the quick round."""
    parser.addoption(
        "--quick",
        action="store_true",
        help=f"no integration tests, none marked slow; {QUICK_CASES} cases of each other one, or 1 if costly",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of the quick round; after the order was drawn, so that it is other cases every time."""
    if not config.getoption("--quick"):
        return
    seen: Counter[str] = Counter()
    chosen, others = [], []
    for item in items:
        test = item.nodeid.partition("[")[0]
        slow = item.path.parent.name == "integration" or item.get_closest_marker("slow")
        most = 1 if item.get_closest_marker("costly") else QUICK_CASES
        (others if slow or seen[test] >= most else chosen).append(item)
        seen[test] += 1
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say in one line for want of what tests were skipped and how to get it, by the reasons that say what they need."""
    yield  # what pytest says of itself
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", ())]
    wanted = Counter(reason.removeprefix("needs ") for reason in reasons if reason.startswith("needs "))
    said = []
    for want, count in wanted.most_common():
        what, _, how = want.partition(": ")
        said.append(f"{what} ({count} test{'s' * (count > 1)}{how and f'; to get it: {how}'})")
    if said:
        terminalreporter.write_line(f"skipped for want of {', '.join(said)}")
