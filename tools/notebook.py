"""Write docs/tutorial.ipynb from docs/tutorial.md: the same text, with its commands as cells and without outputs."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOCS = Path(__file__).resolve().parents[1] / "docs"
DOCUMENT, NOTEBOOK = DOCS / "tutorial.md", DOCS / "tutorial.ipynb"

_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FOLDER = "%cd ..\n# All commands are given in the project's folder; a notebook starts in its own."


def notebook_of(text: str) -> str:
    """Return a notebook as JSON, whose cells are the text of a document and its blocks of bash and Python."""
    cells = [new_code_cell(_FOLDER)]
    prose, *blocks = _BLOCK.split(text)
    cells.append(new_markdown_cell(prose.strip()))
    for language, code, prose in zip(blocks[::3], blocks[1::3], blocks[2::3], strict=True):
        # A bash cell ends with the status of its last command unless told to stop at the first that fails.
        cells.append(new_code_cell(("%%bash\nset -e\n" if language == "bash" else "") + code.rstrip()))
        cells.append(new_markdown_cell(prose.strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # not a random one, so that the same text gives the same notebook
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(new_notebook(cells=cells, metadata={"kernelspec": kernel})) + "\n"


def main() -> None:
    argparse.ArgumentParser(prog="notebook.py", description=__doc__).parse_args()
    NOTEBOOK.write_text(notebook_of(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
