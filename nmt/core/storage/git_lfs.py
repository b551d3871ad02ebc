"""Pointers of Git LFS: small texts in place of large files, where a repository was cloned without them."""

from __future__ import annotations

from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
"""How a pointer begins."""
KIND, ADVICE = "a pointer of Git LFS, not the file itself", "fetch it with: git lfs pull"


def what_is_wrong(path: Path, otherwise: str) -> str:
    """Say what is wrong with a file whose content is not as expected: it is a pointer, or ``otherwise``."""
    try:
        with path.open("rb") as file:
            found = file.read(len(POINTER))
    except OSError:
        return otherwise
    return f"is {KIND}; {ADVICE}" if found == POINTER else otherwise
