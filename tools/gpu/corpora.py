"""The generated corpus of the check, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.measuring import ROOT

SIZES = {True: ("400", "60", "60"), False: ("30000", "1000", "1000")}


def generated(folder: Path, *, quick: bool) -> Path:
    """The folder of the corpus of the quickstart, or of a small one."""
    corpus = folder / ("small" if quick else "corpus")
    done = corpus / "complete"
    if not done.exists():
        program = [sys.executable, str(ROOT / "tools" / "generate_corpus.py"), str(corpus), "--seed", "1"]
        options = [
            part for pair in zip(("--train", "--validation", "--test"), SIZES[quick], strict=True) for part in pair
        ]
        subprocess.run([*program, *options], check=True, stdout=sys.stderr)
        done.touch()
    return corpus
