"""The page and the server together: ``nmt-serve`` with a tiny model, in a process of its own, used in a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from in_browser import PATIENCE, expect, launched
from tiny_run import make_run, sentences

pytest.importorskip("fastapi", reason='needs the server: pip install "nmt[serve]"')

FIRST, SECOND = sentences(2, seed=5, longest=5)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a tiny model; at the end the server must end by itself."""
    run = make_run(tmp_path_factory.mktemp("served") / "run")
    command = [sys.executable, "-m", "nmt.cli.serve", f"de-en={run}", "--port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr
        for line in server.stderr:
            if found := re.search(r"serving at (\S+)", line):
                break
        else:
            pytest.fail(f"the server ended with {server.wait()}")
        yield found[1]
        server.send_signal(signal.SIGTERM)
        server.stderr.read()
    assert server.returncode == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@pytest.fixture
def tab(browser: Any, address: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(address)
    yield opened
    assert said == []
    opened.close()


def settled(tab: Any) -> str:
    """Wait until nothing more is awaited; return the translation."""
    expect(tab.locator("#translation")).to_have_attribute("aria-busy", "false")
    expect(tab.locator("#translation :is(.stale, .waiting)")).to_have_count(0)
    expect(tab.locator("#translation .word").first).to_be_visible()
    return str(tab.locator("#translation").inner_text())


def told(address: str, text: str, **asked: Any) -> str:
    """What the server says without the page."""
    search = {"strategy": "beam", "beam_size": 5, "n_best": 5}
    line = {"text": text, "search": search, **asked}
    answer = httpx.post(f"{address}/v1/translate", json={"lines": [line]}, timeout=600)
    return str(answer.raise_for_status().json()["lines"][0]["hypotheses"][0]["text"])


def test_typing(tab: Any, address: str) -> None:
    tab.locator("#source").press_sequentially(f"{FIRST}\n{SECOND}")
    expect(tab.locator("#translation p")).to_have_text([told(address, FIRST), told(address, SECOND)])
    settled(tab)
    assert tab.locator('#picture [data-side="source"]').all_inner_texts() == [*SECOND.split(), "∅"]
    tab.locator("#pictures [data-value=beam]").click()
    assert tab.locator(".branch.winner").count() > 0


def test_choosing_and_going_back(tab: Any, address: str) -> None:
    tab.locator("#source").fill(FIRST)
    own = settled(tab)
    words = own.split()
    assert len(words) > 1
    tab.locator("#translation .word").nth(1).click()
    other = tab.locator('#menu [aria-checked="false"]').first
    chosen = str(other.get_attribute("data-word"))
    other.click()
    expect(tab.locator("#undo")).to_be_visible()
    expect(tab.locator("#translation")).to_have_text(re.compile(rf"^{re.escape(words[0])} {re.escape(chosen)}"))
    settled(tab)
    tab.locator("#reset").click()
    assert settled(tab) == own
    tab.locator("#undo").click()
    assert settled(tab).startswith(f"{words[0]} {chosen}")


def test_writing(tab: Any, address: str) -> None:
    tab.locator("#source").fill(FIRST)
    own = settled(tab)
    letter = next(each for each in "abcdefghij" if not own.split()[1].startswith(each))
    tab.locator("#source").press("Escape")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.type(letter)
    prefix = f"{own.split()[0]} {letter}"
    wanted = told(address, FIRST, prefix=prefix)
    assert wanted.startswith(prefix)
    expect(tab.locator(".completion")).to_have_text(wanted.removeprefix(prefix))
    tab.keyboard.press("Tab")
    assert settled(tab) == wanted
    tab.keyboard.press("Control+z")
    assert settled(tab) == own
