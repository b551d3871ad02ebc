"""Whether a file can be written, asked before the work whose result it takes."""

from __future__ import annotations

import os
from pathlib import Path

from nmt.core.errors import NmtError
from nmt.core.storage.files import missing_hint


def check_place(path: Path, what: str) -> None:
    """Refuse an output that is a folder, or whose folder is missing or closed; ``what`` names its content.

    Raises:
        NmtError: it cannot be written there.
    """
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = missing_hint(path).removeprefix("; ")
    elif not any(os.access(each, os.W_OK) for each in (path, path.parent)):
        why = f"you may not write into {path.parent}"
    else:
        return
    raise NmtError(f"{path}: cannot write the {what}; {why}")
