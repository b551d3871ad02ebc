"""Text fields of structured records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmt.core.errors import DataError
from nmt.core.registry import nearest
from nmt.core.storage.files import atomic_write
from nmt.data.corpus.family import ReadCounts


def text_field(record: Mapping[str, Any], field: str, *, where: str, counts: ReadCounts) -> str:
    """Return a text field of a record.

    Args:
        record: names to values, nested or not.
        field: name of the field; a dot addresses a nested record (unless the name itself has one).
        where: the location for messages, such as a file and a line.
        counts: counts fields with line feeds.

    Returns:
        The text, on one line: line feeds in it become spaces.

    Raises:
        DataError: there is no such field (lists those that exist), or it is not text.
    """
    value = _value(record, field, where)
    if not isinstance(value, str):
        raise DataError(f"{where}: field {field!r} must be text, but is {_kind(value)}")
    return one_line(value, where=f"{where}: field {field!r}", counts=counts)


def source_field(record: Mapping[str, Any], field: str, *, where: str, counts: ReadCounts, files: Path) -> str:
    """Return a field that is text or a file; the arguments are those of ``text_field`` and one more.

    ``files`` is a folder for files that the record holds as bytes (``datasets`` calls them Image and Audio).

    Returns:
        The text, or the path of the file.
    """
    value = _value(record, field, where)
    if not isinstance(value, Mapping) or not {"bytes", "path"} <= value.keys():
        return text_field(record, field, where=where, counts=counts)
    counts.files += 1
    content, name = value["bytes"], str(value["path"] or "")
    if content is None:
        return name
    path = files.resolve() / f"{hashlib.sha256(content).hexdigest()[:32]}{Path(name).suffix}"
    if not path.exists():
        files.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_bytes(content)
    return str(path)


def _value(record: Mapping[str, Any], field: str, where: str) -> Any:
    """The value of a field, or a ``DataError``."""
    value: Any = record
    rest = field
    while rest:
        if isinstance(value, Mapping) and rest in value:
            value, rest = value[rest], ""
            continue
        name, _, rest = rest.partition(".")
        if not isinstance(value, Mapping) or name not in value:
            raise _missing(record, field, where)
        value = value[name]
    return value


def one_line(text: str, *, where: str, counts: ReadCounts) -> str:
    """Replace line feeds of a text by spaces, and count texts that have any.

    Raises:
        DataError: it has a lone surrogate, which no text file can hold.
    """
    if "\n" in text:
        counts.line_feeds += 1
        text = text.replace("\r\n", " ").replace("\n", " ")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"{where}: must be Unicode text, but character {error.start + 1} is half of a surrogate pair "
                f"(U+{ord(text[error.start]):04X})"
            ) from error
    return text


def _missing(record: Mapping[str, Any], field: str, where: str) -> DataError:
    names = _paths(record)
    close = nearest(field, names)
    hint = f"; did you mean {close!r}?" if close is not None else ""
    return DataError(f"{where}: there is no field {field!r}; the fields are {', '.join(names) or 'none'}{hint}")


def _paths(record: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of all fields, dotted if nested."""
    paths: list[str] = []
    for name, value in record.items():
        nested = _paths(value, f"{prefix}{name}.") if isinstance(value, Mapping) else []
        paths += nested or [f"{prefix}{name}"]
    return paths


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a record"}
    return kinds.get(type(value), type(value).__name__)
