"""The tutorial as a notebook: it has the text of the document, and every command in it runs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tools.notebook import DOCUMENT, NOTEBOOK, notebook_of

ROOT = DOCUMENT.parents[1]


def test_the_notebook_has_the_text_of_the_document_and_no_outputs() -> None:
    assert NOTEBOOK.read_text(encoding="utf-8") == notebook_of(DOCUMENT.read_text(encoding="utf-8")), (
        "docs/tutorial.md has changed: run `python tools/notebook.py`"
    )


def outputs(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.costly
@pytest.mark.timeout(3600)
def test_every_command_runs_and_shows_what_the_text_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copy(NOTEBOOK, tmp_path / "docs")
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(tmp_path / "docs" / NOTEBOOK.name, as_version=4)
    handler = signal.getsignal(signal.SIGINT)
    try:
        NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(tmp_path / "docs")}}).execute()
    finally:
        signal.signal(signal.SIGINT, handler)  # the client leaves Python's own

    shown = {cell.source: outputs(cell) for cell in notebook.cells if cell.cell_type == "code"}

    def after(part: str) -> str:
        (found,) = (text for source, text in shown.items() if part in source)
        return found

    checked = after("nmt-check")
    assert "0 errors, 0 warnings" in checked and "but for one word" in checked
    assert "astronaut" not in after("(astronaut,)").split("\n")[0]
    assert "astronaut" in after("--glossary")
    assert "astronaut" in after("Günther fragt")
    assert "astronaut" in after("nmt-export")
