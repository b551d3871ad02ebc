"""Errors that a user can cause, each with one clear message and the exit status of the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class NmtError(Exception):
    """Base of every error that a command reports in one message, without a traceback."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration.

    Args:
        path: dotted path of the field, such as ``model.encoder.size``; empty for the whole document.
        message: what is required and what was given; a hint after a semicolon.
        line: 1-based line in the file that holds the value; ``None`` if it is not from a file.
    """

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.path} {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(NmtError):
    """A recipe, an override or a command-line value is wrong; carries all problems found.

    Args:
        problems: what is wrong, in the order of the file; a plain string counts as one problem without a path.
        source: name of the file or option the configuration came from.
    """

    exit_status = 2

    def __init__(self, problems: Sequence[Problem] | str, source: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        self.source = source
        heading = f"{source}: " if source else ""
        if len(self.problems) == 1:
            text = f"{heading}{self.problems[0]}"
        else:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            text = f"{heading}{len(self.problems)} problems\n{lines}"
        super().__init__(text)


class DataError(NmtError):
    """A corpus, a text file, an alignment file or a vocabulary is unusable."""


class CheckpointError(NmtError):
    """A run folder, a checkpoint or a model file is missing, damaged or does not fit."""


class TrainingError(NmtError):
    """Training cannot continue, for instance because the loss stays non-finite."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on any device; compares names, so that torch need not be imported."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in ("allocate memory", "not enough memory", "backend out of memory"))
