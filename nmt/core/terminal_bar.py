"""A bar on a terminal that moves by itself."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Any

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[type-arg]
    """A bar that a thread keeps moving, also within a long step, and whose remaining time is set from outside.

    It does not appear before its delay is over, not even below a message.
    """

    left = "?"

    def start(self, tick: float) -> None:
        """Start the thread, which draws the bar every ``tick`` seconds at least."""
        self._closing = threading.Event()
        self._mover = threading.Thread(target=self._move, args=(tick,), daemon=True)
        self._mover.start()

    def _move(self, tick: float) -> None:
        patience = self.delay
        with suppress(OSError):  # the terminal was closed
            while not self._closing.wait(patience):
                self.refresh()
                patience = tick

    def refresh(self, *arguments: Any, **options: Any) -> None:
        """Draw the bar, if its delay is over."""
        if self.format_dict["elapsed"] >= self.delay:
            self.delay = 0  # it has appeared, and is removed when it is closed
            super().refresh(*arguments, **options)

    def stop(self) -> None:
        """Stop the thread, and close the bar."""
        self._closing.set()
        self._mover.join()
        with suppress(OSError):
            self.close()

    @property
    def format_dict(self) -> Any:
        """Values for the format string."""
        return {**super().format_dict, "left": self.left}


def on_screen() -> dict[str, Any]:
    """Arguments of a bar on standard error that vanishes at the end."""
    sized = all(os.get_terminal_size(sys.stderr.fileno()))  # some terminals do not tell their size
    size = {"dynamic_ncols": True} if sized else {"ncols": 80, "nrows": 24}
    return {"file": sys.stderr, "leave": False, **size}
