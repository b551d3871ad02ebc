"""What is asked of the lines of a window, made ready for search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nmt.core.errors import DataError, NmtError
from nmt.core.logging import logger
from nmt.search.control.line_machine import LineMachine
from nmt.search.length_limits import longest_target
from nmt.search.search_config import SearchConfig
from nmt.translation.lines import SourceLine
from nmt.translation.requests.control_reader import ControlReader
from nmt.translation.requests.request import Line, Request


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the translations of lines, by their number.

    Args:
        requests: all there are.
        machines: of those that ask for a prefix or phrases.
        problems: why some cannot be translated.
        usual: the search of lines that ask for no other.
    """

    requests: dict[int, Request]
    machines: dict[int, LineMachine]
    problems: dict[int, str]
    usual: SearchConfig

    @classmethod
    def of(
        cls,
        lines: Sequence[Line],
        sources: Sequence[SourceLine],
        parts: Sequence[Sequence[SourceLine]],
        *,
        usual: SearchConfig,
        controls: ControlReader,
        check: Callable[[SearchConfig], None],
    ) -> Asked:
        """Read what is asked; what cannot be is told in a warning.

        Args:
            lines: texts and requests.
            sources: as models read them.
            parts: in which they are translated.
            usual: see the class.
            controls: puts prefixes and phrases into pieces.
            check: refuses, by an ``NmtError``, a search that the models cannot do.
        """
        asked = cls({}, {}, {}, usual)
        for line, source, own in zip(lines, sources, parts, strict=True):
            if not isinstance(line, Request):
                continue
            number = source.number
            asked.requests[number] = line
            try:
                if line.search is not None:
                    check(line.search)
                _check(line, asked.search(number), len(own))
                if line.controlled and own:
                    longest = min(longest_target(len(part.pieces.ids), asked.search(number)) for part in own)
                    asked.machines[number] = controls.machine(line, longest)
            except NmtError as error:
                asked.problems[number] = str(error)
                logger.warning("line %d is left untranslated: %s", number, error)
        return asked

    def search(self, number: int) -> SearchConfig:
        """How to search for the translation of a line."""
        request = self.requests.get(number)
        return self.usual if request is None else request.search or self.usual


def _check(request: Request, search: SearchConfig, parts: int) -> None:
    if request.problem:
        raise DataError(request.problem)
    if parts > 1 and request.held_by_one_part:
        raise DataError("a line that is translated in parts can have no prefix and no constraints")
    if request.constraints and search.strategy != "beam":
        raise DataError(f"constraints need the strategy beam, but it is {search.strategy}")
