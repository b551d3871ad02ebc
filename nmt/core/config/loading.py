"""Loads a config from YAML text, a file or a mapping; reports all problems in one ``ConfigError``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nmt.core.config.building import WRONG, Builder
from nmt.core.config.overrides import apply_override
from nmt.core.config.tree import Fields, Foreign, Items, Node, Reader, YamlError, reached, underlay
from nmt.core.errors import ConfigError, Problem
from nmt.core.storage.files import missing_hint, os_reason

C = TypeVar("C")


def load(
    cls: type[C],
    text: str,
    *,
    name: str,
    overrides: Sequence[str] = (),
    beneath: Callable[[Any], Mapping[str, Any]] | None = None,
    examine: Callable[[C], Iterable[tuple[str, str]]] | None = None,
    notes: list[Problem] | None = None,
) -> C:
    """Load a config from YAML text.

    Args:
        cls: the config dataclass (or the base of a family).
        text: the document, a mapping.
        name: of the document in messages, such as its file name.
        overrides: single values to set, ``path.to.field=value`` each, the value in YAML.
        beneath: given the document as plain values, returns values that fill its gaps and override the defaults.
        examine: yields further problems, each as the path of a wrong value and what it must be.
        notes: receives the written keys that have no effect.

    Raises:
        ConfigError: all problems of the document and of the overrides.
    """
    root, problems = _read(text, name)
    if isinstance(root, Fields):
        for override in overrides:
            apply_override(root, override, problems)
        if beneath is not None:
            lower = Reader().read_value(beneath(_plain(root)))
            if isinstance(lower, Fields):
                underlay(root, lower)
    built = _build(cls, root, problems, name, notes)
    found = [] if examine is None else list(examine(built))
    if found:
        raise ConfigError([reached(root, path)[0].origin.problem(path, message) for path, message in found], name)
    return built


def load_plain(text: str, *, name: str, overrides: Sequence[str] = ()) -> Any:
    """Load YAML text as plain values (dicts, lists, scalars), as strictly as ``load``: no tags, no aliases.

    Raises:
        ConfigError: the text is not such YAML, or an override is wrong.
    """
    root, problems = _read(text, name)
    for override in overrides:
        apply_override(root, override, problems)
    if problems:
        raise ConfigError(problems, name)
    return _plain(root)


def _read(text: str, name: str) -> tuple[Node, list[Problem]]:
    reader = Reader()
    try:
        return reader.read(text), reader.problems
    except YamlError as fault:
        raise ConfigError([Problem("", f"not readable as YAML: {fault.message}", fault.line)], name) from None


def _plain(node: Node) -> Any:
    if isinstance(node, Fields):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    return node.text if isinstance(node.value, Foreign) else node.value


def load_file(
    cls: type[C],
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    beneath: Callable[[Any], Mapping[str, Any]] | None = None,
    examine: Callable[[C], Iterable[tuple[str, str]]] | None = None,
    notes: list[Problem] | None = None,
) -> C:
    """Load a config from a UTF-8 YAML file; arguments as for ``load``.

    Raises:
        ConfigError: the file cannot be read, or as for ``load``.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"there is no such file{missing_hint(path)}", str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {os_reason(error)}", str(path)) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"must be in UTF-8, but has the byte 0x{content[error.start]:02x}"
        raise ConfigError([Problem("", f"the document {message}", line)], str(path)) from None
    return load(cls, text, name=str(path), overrides=overrides, beneath=beneath, examine=examine, notes=notes)


def from_mapping(cls: type[C], mapping: Mapping[str, Any], *, name: str) -> C:
    """Build a config from plain values, such as a section of a resolved recipe; ``name`` is used in messages.

    Raises:
        ConfigError: carries all problems.
    """
    reader = Reader()
    root = reader.read_value(mapping)
    return _build(cls, root, reader.problems, name)


def _build(cls: type[C], root: Node, problems: list[Problem], name: str, notes: list[Problem] | None = None) -> C:
    builder = Builder(problems, root=cls)
    config = builder.build(cls, root)
    if builder.problems:
        ordered = sorted(builder.problems, key=lambda problem: problem.line or sys.maxsize)
        raise ConfigError(ordered, name)
    if config is WRONG:
        raise RuntimeError(f"{cls.__qualname__} was not built, but no problem was noted")
    if notes is not None:
        sections = tuple(f"{note.path}." for note in builder.notes)  # keys within an unused section are not reported
        notes += sorted(
            (note for note in builder.notes if not note.path.startswith(sections)),
            key=lambda note: note.line or sys.maxsize,
        )
    result: C = config
    return result
