"""User code: imports the file or module that ``--import`` names, which registers its own components."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import operator
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nmt.core.errors import ConfigError, NmtError, Problem, broken_contract, is_out_of_memory
from nmt.core.logging import logger
from nmt.core.storage.checksums import file_checksum
from nmt.core.storage.files import missing_hint, os_reason

_files: set[str] = set()
"""Imported files, named as in tracebacks."""


def import_own(given: str) -> None:
    """Import a file or module once; the components that it registers are known from then on.

    Its folder is appended to ``sys.path``, so that it can import its neighbours, and other processes can import it.

    Args:
        given: path of a Python file or of a package, or name of a module, which may be in the working directory.

    Raises:
        ConfigError: it does not exist, or raises an error, which is reported with file and line.
    """
    name, file = _named_by(given)
    folder = str(Path.cwd() if file is None else file.parent if file.stem == name else file.parents[1])
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()  # the file may be newer than the cached listing
    try:
        found = importlib.util.find_spec(name)
        origin = None if found is None else found.origin
        if found is not None and (file is None or (origin is not None and Path(origin).resolve() == file)):
            if origin is not None:
                _files.add(origin)
            importlib.import_module(name)
            return
    except (Exception, SystemExit) as error:
        raise _told(error, given, file) from error
    if found is None:
        raise ConfigError("there is no such module, nor a file or package of this name in the working directory", given)
    raise ConfigError(f"must have another name: Python knows {name!r} as {origin}", given)


@contextlib.contextmanager
def own_errors_told() -> Iterator[None]:
    """Context in which an error that passes through an imported file is reported with file and line.

    The last executed line of user code is shown; the traceback is logged at level DEBUG. Errors that a command reports
    itself, such as lack of memory, pass unchanged.

    Raises:
        ConfigError: there was such an error.
    """
    try:
        yield
    except (NmtError, OSError):
        raise
    except Exception as error:
        frames = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        called = _called_wrongly(error)
        if is_out_of_memory(error) or (called is None and _files.isdisjoint(frames)):
            raise
        logger.debug("the error in full", exc_info=error)
        hint = "\n    (--verbose shows the traceback)"
        if called is not None:
            raise broken_contract(called, f"must take what it is called with: {error}{hint}") from error
        raise _told(error, "", None, hint) from error


def own_versions(config: Any) -> dict[str, str]:
    """Checksums of the files outside this package that define a config and those within it, by module.

    A file that can no longer be read is ``unknown``, with the reason.
    """
    found: dict[str, str] = {}
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            waiting += one
        elif dataclasses.is_dataclass(one):
            waiting += (getattr(one, each.name) for each in dataclasses.fields(one))
            module = type(one).__module__
            file = getattr(sys.modules.get(module), "__file__", None)
            if file and module.partition(".")[0] != __name__.partition(".")[0]:
                try:
                    found[module] = f"sha256 {file_checksum(Path(file))[:16]}"
                except OSError as error:
                    found[module] = f"unknown ({os_reason(error)})"
    return found


def _called_wrongly(error: Exception) -> Callable[..., object] | None:
    """The function of an imported file that was called with other arguments than it takes, if this is the error."""
    match = re.match(r"([\w.]+)\(\) ", str(error)) if isinstance(error, TypeError) else None
    if match is not None:
        for module in [each for each in sys.modules.values() if getattr(each, "__file__", None) in _files]:
            with contextlib.suppress(AttributeError):
                called: Callable[..., object] = operator.attrgetter(match[1])(module)
                return called
    return None


def _named_by(given: str) -> tuple[str, Path | None]:
    """Name of a module, and its file if a path was given."""
    if not given.endswith(".py") and "/" not in given:
        return given, None
    path = Path(given).resolve()
    path = path.parent if path.name == "__init__.py" else path
    file = path / "__init__.py" if path.is_dir() else path
    if not file.exists():
        wanted = "must be a Python file, a package or the name of a module, but is a folder"
        raise ConfigError(wanted if path.is_dir() else f"there is no such file{missing_hint(Path(given))}", given)
    if "." in path.stem:
        raise ConfigError("must have a name without dots, which would name a module within a package", given)
    return path.stem, file


def _told(error: BaseException, given: str, file: Path | None, hint: str = "") -> ConfigError:
    """Describe an error in a user's code, with the last executed line."""
    what = str(error) if isinstance(error, NmtError) else f"{type(error).__name__}: {error}"
    where, line, text = given, None, None
    if isinstance(error, SyntaxError) and error.filename is not None:
        what = f"{type(error).__name__}: {error.msg}"
        where, line, text = error.filename, error.lineno, error.text
    else:
        others = [Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))]
        for frame in traceback.extract_tb(error.__traceback__):
            if not frame.filename.startswith(("<", *(f"{folder}/" for folder in others))):
                where, line, text = frame.filename, frame.lineno, frame.line
    shown = f"\n    {text.strip()}" if text else ""
    return ConfigError([Problem("", f"{what}{shown}{hint}", line)], given if where == str(file) else where)
