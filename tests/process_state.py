"""Every test, and every fixture that outlives one, leaves the process as it was; whoever does not fails by name.

What a test leaves behind decides what the next one sees, and the suite would pass in one order only.
"""

from __future__ import annotations

import functools
import locale
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from tqdm import TMonitor

import nmt.core.logging  # noqa: F401 - its logger is watched
from nmt.core.machine.device import _Unrounded
from nmt.core.registry import Registry
from nmt.model.fast.onednn import _has_onednn

# Where the program or a library that it arranges writes its messages.
LOGGERS = ("nmt", "matplotlib", "datasets", "py")
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGCHLD")
# Variables that pytest, torch (the last one where it finds a GPU) and OpenMP set for themselves.
OWN = ("PYTEST_", "TORCHINDUCTOR_", "KMP_", "CUDA_MODULE_LOADING")
# In seconds: a thread or process that is about to end may need a while on a busy machine.
PATIENCE = 20.0

State = dict[str, dict[Any, Any]]


@pytest.fixture(autouse=True)
def process_stays_as_it_was() -> Iterator[None]:
    """Begin every test with the same random numbers, and fail the one that changes the process."""
    _seed()
    before, running = _state(), _running()
    yield
    left = [*_changes(before, _state()), *_left_running(running)]
    if left:
        pytest.fail(f"the test leaves behind: {'; '.join(left)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """Do the same for a fixture that outlives a test; what it runs, such as a browser, may run on."""
    if fixturedef.scope == "function":
        return (yield)
    _seed()
    before = _state()
    made = yield
    left = [*_changes(before, _state())]
    if left:
        pytest.fail(f"the fixture {fixturedef.argname} leaves behind: {'; '.join(left)}", pytrace=False)
    return made


def _seed() -> None:
    random.seed(0)
    numpy.random.seed(0)
    torch.default_generator.manual_seed(0)


def _state() -> State:
    """Give what could be changed, by kind and name."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "process": {
            "working directory": os.getcwd(),  # noqa: PTH109 - quicker
            "umask": oct(umask),
            "locale": locale.setlocale(locale.LC_ALL),
            "sys.path": [each for each in sys.path if each != _folder_of_torch()],
            "sys.argv": [*sys.argv],
            "recursion limit": sys.getrecursionlimit(),
            "standard streams": (sys.stdin, sys.stdout, sys.stderr),
            "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
            "errors of numpy": numpy.geterr(),
            "use of oneDNN": _has_onednn(),
        },
        "environment": {name: value for name, value in os.environ.items() if not name.startswith(OWN)},
        "handler of": {name: signal.getsignal(getattr(signal, name)) for name in SIGNALS if hasattr(signal, name)},
        "logger": {name: _arrangement(each) for name, each in _loggers().items()},
        "torch": {
            "threads": torch.get_num_threads(),
            "default dtype": torch.get_default_dtype(),
            "default device": torch.get_default_device(),
            "gradients": torch.is_grad_enabled(),
            "inference mode": torch.is_inference_mode_enabled(),
            "anomaly detection": torch.is_anomaly_enabled(),
            "deterministic algorithms": torch.get_deterministic_debug_mode(),
            "filling of memory": torch.utils.deterministic.fill_uninitialized_memory,
            "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
            "oneDNN": torch.backends.mkldnn.enabled,
            "cuDNN": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
            "rounding": [getattr(place, name) for place, name, _ in _Unrounded._switches()],
        },
        "registry": {name: each.names() for name, each in _registries().items()},
        "module": dict(sys.modules),
    }


def _folder_of_torch() -> str | None:
    """The folder that older versions of torch put on the path of modules when ``torch.distributed.nn`` is imported."""
    module = sys.modules.get("torch.distributed.nn.jit.instantiator")
    return getattr(module, "INSTANTIATED_TEMPLATE_DIR_PATH", None)


def _changes(before: State, after: State) -> Iterator[str]:
    """Say what differs; modules may come, but not go or be replaced."""
    for kind, old in before.items():
        new = after[kind]
        if old == new or (kind == "module" and old.items() <= new.items()):
            continue
        names = old if kind in {"module", "logger"} else {**old, **new}
        for name in names:
            if old.get(name) != new.get(name):
                yield f"{kind} {name}: {new.get(name)} instead of {old.get(name)}"


def _loggers() -> dict[str, logging.Logger]:
    known = logging.root.manager.loggerDict
    names = [name for name in known if name.partition(".")[0] in LOGGERS]
    return {"root": logging.root, **{name: each for name in names if isinstance(each := known[name], logging.Logger)}}


def _arrangement(logger: logging.Logger) -> tuple[Any, ...]:
    return logger.level, logger.disabled, logger.propagate, [*logger.handlers], [*logger.filters]


@functools.cache
def _registries() -> dict[str, Registry[Any]]:
    modules = [module for name, module in sys.modules.items() if name.startswith("nmt.")]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    found = [vars(each)["registry"] for each in classes if isinstance(vars(each).get("registry"), Registry)]
    return {registry.kind: registry for registry in found}


def _running() -> set[threading.Thread | int]:
    """Give the threads of this process and the numbers of what it has started, but for what libraries keep.

    tqdm keeps a thread, and ``multiprocessing`` a process that tidies up after the others.
    """
    found = {*(each for each in threading.enumerate() if not isinstance(each, TMonitor)), *_children()}
    return found - {resource_tracker._resource_tracker._pid}


def _children() -> Iterator[int]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, ChildProcessError):  # none, or a system that does not tell
        return
    for each in Path("/proc/self/task").glob("*/children"):
        yield from map(int, each.read_text().split())


def _left_running(before: set[threading.Thread | int]) -> list[str]:
    end = time.monotonic() + PATIENCE
    while (left := _running() - before) and time.monotonic() < end:
        time.sleep(0.02)
    return [f"running: {each if isinstance(each, threading.Thread) else f'process {each}'}" for each in left]
