"""A headless browser for tests of pages; they skip, with one reason, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: tools/setup dev")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PATIENCE = 120_000
"""Milliseconds until a test that hangs is ended."""

expect = playwright.expect
expect.set_options(timeout=PATIENCE)


@contextmanager
def launched() -> Iterator[Any]:
    """Run a browser."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    with playwright.sync_playwright() as driver:
        path = installed or driver.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("needs a browser: apt-get install chromium")
        running = driver.chromium.launch(executable_path=path)
        yield running
        running.close()
