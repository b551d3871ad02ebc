"""Takes turns with other toolkits: works on request, reports the time, and waits.

Runs in the environments of the peers, so it uses the standard library only. Standard input has one number per line: the
number of updates, or the beam to translate with; 0 ends. For each there is a JSON line on standard output, which has no
other content.
"""

from __future__ import annotations

import json
import os
import sys
import time


class Stopped(Exception):  # noqa: N818  # it is no error
    """No more turns."""


class Turns:
    """The turns of one toolkit."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # whatever the toolkit prints goes to standard error
        self._wanted = self._updates = self._tokens = 0
        self._began = (0.0, 0.0)

    def wait(self) -> int:
        """Wait for the next turn.

        Raises:
            Stopped: there are no more turns.
        """
        line = sys.stdin.readline().strip()
        self._wanted, self._updates, self._tokens = int(line or 0), 0, 0
        if not self._wanted:
            raise Stopped
        self._began = _clocks()
        return self._wanted

    def tell(self, **found: object) -> None:
        """Report what was done since the turn began."""
        cpu, wall = (now - then for now, then in zip(_clocks(), self._began, strict=True))
        print(json.dumps({"cpu_seconds": cpu, "seconds": wall, **found}), file=self._answers, flush=True)

    def updated(self, tokens: int) -> None:
        """Count an update; after the last one of a turn, report and wait for the next turn.

        Args:
            tokens: target tokens of its batch, including each end of sentence.

        Raises:
            Stopped: there are no more turns.
        """
        self._updates += 1
        self._tokens += tokens
        if self._updates == self._wanted:
            self.tell(updates=self._updates, target_tokens=self._tokens)
            self.wait()


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()
