"""Errors that a user can cause, each with one clear message and the exit status of the command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
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


def wrong_result(method: Callable[..., object], wanted: str, result: object) -> ConfigError:
    """Describe a part whose method does not return what it must; see ``broken_contract``."""
    shape = getattr(result, "shape", None)
    kind = "None" if result is None else f"one of class {type(result).__name__}"
    returned = kind if shape is None else f"{kind} and shape {tuple(shape)}"
    return broken_contract(method, f"must return {wanted}, but returns {returned}")


def broken_contract(method: Callable[..., object], message: str) -> ConfigError:
    """Describe a part whose method is not as its contract demands, with the file and line of the method."""
    code = inspect.unwrap(method).__code__
    return ConfigError([Problem(method.__qualname__, message, code.co_firstlineno)], code.co_filename)


class DataError(NmtError):
    """A corpus, a text file, an alignment file or a vocabulary is unusable."""


class CheckpointError(NmtError):
    """A run folder, a checkpoint or a model file is missing, damaged or does not fit."""


class LostProcessError(NmtError):
    """Another process of this training has ended, so this one must.

    Args:
        message: empty if another process tells why.
        told: whether it is known already that another process tells why.
    """

    def __init__(self, message: str = "", *, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


class TrainingError(NmtError):
    """Training cannot continue, for instance because the loss stays non-finite."""


# What CPUs, mps, CUDA's runtime, and cuBLAS and cuDNN say.
_OUT_OF_MEMORY = (
    "allocate memory",
    "not enough memory",
    "backend out of memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on any device; compares names, so that torch need not be imported."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)
