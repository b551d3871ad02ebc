"""Fixtures of all tests; modules beside this file can be imported by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from tiny_run import make_run

# A busy machine is no bug; and a test that passes here passes everywhere.
settings.register_profile("nmt", deadline=None, derandomize=True)
settings.load_profile("nmt")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a tiny joint vocabulary and a sharpened random model; not to be written to."""
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")
