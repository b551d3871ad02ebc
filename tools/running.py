"""What tools have in common as programs: counts on their command lines, and a user's mistakes told in a line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nmt.core.errors import NmtError


def count(text: str) -> int:
    """Read a whole number of at least 1, as a ``type`` of ``argparse``."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but is {value}")
    return value


def status_of(main: Callable[[], int]) -> int:
    """Run a tool, and say what was wrong where it cannot; returns the exit code."""
    name = Path(sys.argv[0]).name
    try:
        return main()
    except NmtError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
