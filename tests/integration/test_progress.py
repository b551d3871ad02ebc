"""On a terminal, every step that a person may wait for shows that it moves; elsewhere such steps say nothing."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny_training import recipe_text, write_corpus

from nmt.cli import evaluate, train

# Steps on this corpus take no second: here they are shown at once, and each change of a number too.
PROGRAM = """
import importlib, sys
from nmt.core import logging
logging.PATIENCE, logging.TICK = 0.0, 0.001
sys.exit(importlib.import_module(f"nmt.cli.{sys.argv[1]}").main(sys.argv[2:]))
"""
COUNTED = ("reading", "encoding", "checking", "validating", "validating by search", "judging attention", "translating")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("progress")
    write_corpus(path)
    (path / "recipe.yaml").write_text(recipe_text(path))
    assert train.main([str(path / "recipe.yaml"), "--output", str(path / "run"), "--quiet"]) == 0
    return path


def on_a_terminal(arguments: Sequence[str]) -> str:
    """What a command writes to standard error, if that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TQDM_MININTERVAL": "0", "COLUMNS": "200", "LINES": "50"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    ):
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        os.close(ours)
        said = b"".join(parts).decode()
    assert "Traceback" not in said and "error: " not in said
    return said


def frames(said: str, step: str) -> set[str]:
    return {each for each in re.split(r"[\r\n]", said) if each.removeprefix("\x1b[A").startswith(step)}


# Commands, with @ for the folder, and what they show.
COMMANDS = {
    "check @/recipe.yaml data.cache=@/checked --html @/page.html": (
        "reading train.xx; checking train.xx; looking for problems; looking for sentences in several corpora; "
        "looking for quotes and unknown characters; drawing; writing"
    ),
    "train @/recipe.yaml training.average=2 training.keep_best=2 data.cache=@/other --output @/again": (
        "reading train.xx; training the vocabulary on the joint text; encoding train.xx; checking train.xx; "
        "building the model; validating; validating by search; averaging 2 checkpoints; drawing the learning curves"
    ),
    "train --source @/train.xx --target @/train.yy --dry-run model.embedding.size=8": (
        "dividing the corpus; choosing defaults; writing the parts; planning the batches; trying the largest batch"
    ),
    "export @/run @/run.nmt": "writing",
    "evaluate @/run @/test.xx @/test.yy --compare @/test.xx": (
        "loading; translating; scoring 12 translations; comparing by 1000 resampled test sets"
    ),
    "align @/run @/test.xx @/test.yy --faithfulness @/faithfulness.json": "loading; aligning; judging attention",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_step_moves(folder: Path, command: str) -> None:
    said = on_a_terminal(command.replace("@", str(folder)).split())
    for step in COMMANDS[command].split("; "):
        shown = frames(said, step)
        assert shown, f"{step} is not shown in {said!r}"
        if step.split(" train.xx")[0] in COUNTED:
            assert len(shown) > 1, f"{step} does not move: {shown}"


def test_steps_say_nothing_where_there_is_no_terminal(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.core.logging.PATIENCE", 0.0)  # on a terminal they would be shown at once
    assert evaluate.main([str(folder / "run"), str(folder / "test.xx"), str(folder / "test.yy")]) == 0
    said = capfd.readouterr().err
    assert "translating: 12 sentences" in said
    assert not any(word in said for word in ("loading", "scoring"))
