"""What is asked of the translation of a line, made ready for search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nmt.core.errors import DataError, NmtError
from nmt.search.control.line_machine import LineMachine
from nmt.search.length_limits import longest_target
from nmt.search.search_config import SearchConfig
from nmt.translation.lines import SourceLine
from nmt.translation.requests.control_reader import ControlReader
from nmt.translation.requests.request import Line, Request


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the translation of one line.

    Args:
        search: how to search for it.
        request: the line, if anything may be asked of it.
        machine: follows its prefix and phrases, if it asks for any.
        problem: why it cannot be translated; empty if it can.
    """

    search: SearchConfig
    request: Request | None = None
    machine: LineMachine | None = None
    problem: str = ""

    @classmethod
    def of(
        cls,
        line: Line,
        parts: Sequence[SourceLine],
        *,
        usual: SearchConfig,
        controls: ControlReader,
        check: Callable[[SearchConfig], None],
    ) -> Asked:
        """Read what is asked.

        Args:
            line: a text or a request.
            parts: in which it is translated.
            usual: the search of a line that asks for no other.
            controls: puts prefixes and phrases into pieces.
            check: refuses, by an ``NmtError``, a search that the models cannot do.
        """
        if not isinstance(line, Request):
            return cls(usual)
        search, machine = line.search or usual, None
        try:
            if line.search is not None:
                check(search)
            _check(line, search, len(parts))
            if line.controlled and parts:
                longest = min(longest_target(part.target_units, search) for part in parts)
                known = [each for part in parts for each in part.placeholders]  # a phrase may stand in any part
                machine = controls.machine(line, longest, known)
        except NmtError as error:
            return cls(search, line, problem=str(error))
        return cls(search, line, machine)

    @property
    def tree(self) -> bool:
        """Whether to record the tree of the search."""
        return self.request is not None and self.request.tree


def _check(request: Request, search: SearchConfig, parts: int) -> None:
    if request.problem:
        raise DataError(request.problem)
    if parts > 1 and request.held_by_one_part:
        raise DataError("a line that is translated in parts can have no prefix and no constraints")
    if request.constraints and search.strategy != "beam":
        raise DataError(f"constraints need the strategy beam, but it is {search.strategy}")
    if request.tree and search.strategy != "beam":
        raise DataError(f"a tree needs the strategy beam, but it is {search.strategy}")
