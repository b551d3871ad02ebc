"""Importing what a user wrote: the file or module that ``--import`` names, which registers parts of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.core.errors import ConfigError, NmtError, Problem, is_out_of_memory
from nmt.core.logging import logger
from nmt.core.storage.checksums import file_checksum
from nmt.core.storage.files import missing_hint

_files: set[str] = set()
"""What was imported, as tracebacks name files."""


def import_own(given: str) -> None:
    """Import a file or module, unless that was done before; what it registers is known from then on.

    Its folder is put last on ``sys.path``, so that the file finds those next to it, and other processes find the file.

    Args:
        given: path of a Python file or of a package, or the name of a module, which may lie in the working directory.

    Raises:
        ConfigError: there is no such thing, or it ends in an error, which is told with file and line.
    """
    name, file = _named_by(given)
    folder = str(Path.cwd() if file is None else file.parent if file.stem == name else file.parents[1])
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()  # the file may be as young as this process
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
    """Context in which an error that passes through a file that was imported is told with file and line.

    Its last line that ran is shown; the traceback is among the details of the log. What a command reports by itself,
    such as memory that is short, passes as it is.

    Raises:
        ConfigError: there was such an error.
    """
    try:
        yield
    except (NmtError, OSError):
        raise
    except Exception as error:
        frames = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        if is_out_of_memory(error) or _files.isdisjoint(frames):
            raise
        logger.debug("the error in full", exc_info=error)
        raise _told(error, "", None, "\n    (--verbose shows the traceback)") from error


def own_versions(config: Any) -> dict[str, str]:
    """Checksums of the files outside this package that a config, and those within it, are from, by their modules."""
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
                found[module] = f"sha256 {file_checksum(Path(file))[:16]}"
    return found


def _named_by(given: str) -> tuple[str, Path | None]:
    """Name of a module, and the file that is run for it where a path was given."""
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
    """Say what a user's code ended in, with its last line that ran."""
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
