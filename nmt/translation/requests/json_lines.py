"""Requests as JSON lines, each an object with a text, what is asked of its translation, and keys to pass through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nmt.core import config
from nmt.core.errors import ConfigError, DataError
from nmt.core.storage.files import DecodingErrors, LineCount
from nmt.search.search_config import SearchConfig
from nmt.translation.requests.request import Request
from nmt.translation.requests.tags import Tags

KNOWN = ("text", "prefix", "constraints", "avoid", "search")
TARGET_LANGUAGE = "target_language"
WRITTEN = ("line", "source", "source_spans", "hypotheses", "parts", "problem")
"""Keys of the output's JSON lines, which cannot be passed through."""

_HALF = re.compile("[\ud800-\udfff]")


def read_requests(
    lines: Iterator[str],
    name: str,
    *,
    count: LineCount,
    search: SearchConfig,
    tags: Tags,
    errors: DecodingErrors = "strict",
) -> Iterator[Request]:
    """Read a request from each line.

    Args:
        lines: JSON objects, of which only ``text`` is necessary.
        name: of the input in messages.
        count: tells the number of the line.
        search: what the ``search`` of a line changes.
        tags: of the model.
        errors: ``replace`` makes a wrong line a request with a ``problem``.

    Raises:
        DataError: a line is wrong, with ``strict``; names line and field.
    """
    for line in lines:
        try:
            yield request_of(_parsed(line), search, tags)
        except DataError as error:
            if errors == "strict":
                raise DataError(f"{name}: line {count.lines}: {error}") from None
            yield Request("", problem=str(error))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply, or too large a number"
        raise DataError(f"must be a JSON object, but is not JSON: {reason}") from None


def request_of(fields: Any, search: SearchConfig, tags: Tags) -> Request:
    """Make a request of a JSON value.

    Args:
        fields: an object, of which only ``text`` is necessary.
        search: what the ``search`` of the object changes.
        tags: of the model; only one of several languages reads ``target_language``, which is passed through too.

    Raises:
        DataError: it is wrong; names the field.
    """
    if not isinstance(fields, dict):
        raise DataError(f"must be a JSON object, but is {kind_of(fields)}")
    if "text" not in fields:
        raise DataError('must have "text", but has not')
    for key, value in fields.items():
        if half := _HALF.search(json.dumps([key, value], ensure_ascii=False)):
            raise DataError(f"{key!a} must have characters, but has half of a surrogate pair, {half[0]!a}")
    for key in ("text", "prefix", *([TARGET_LANGUAGE] if tags.languages else [])):
        if not isinstance(fields.get(key, ""), str):
            raise DataError(f"{key} must be a string, but is {kind_of(fields[key])}")
        if "\n" in fields.get(key, ""):
            raise DataError(f"{key} must be one line, but has a line feed")
    for key in ("constraints", "avoid"):
        phrases = fields.get(key, [])
        if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
            raise DataError(f"{key} must be a list of strings, but is {json.dumps(phrases, ensure_ascii=False)}")
    for key in WRITTEN:
        if key in fields:
            raise DataError(f"{key} must have another name, since the output has such a key of its own")
    extra = {key: value for key, value in fields.items() if key not in KNOWN}
    try:
        json.dumps(extra, allow_nan=False)
    except ValueError:
        raise DataError("numbers must be finite, but one is not") from None
    return Request(
        fields["text"],
        prefix=fields.get("prefix", ""),
        constraints=tuple(fields.get("constraints", ())),
        avoid=tuple(fields.get("avoid", ())),
        search=_search(fields["search"], search) if "search" in fields else None,
        target_language=_target_language(fields, tags),
        extra=extra,
    )


def _target_language(fields: dict[str, Any], tags: Tags) -> str | None:
    if not tags.languages or TARGET_LANGUAGE not in fields:
        return None
    language: str = fields[TARGET_LANGUAGE]
    tags.of_language(language)
    return language


def _search(given: Any, search: SearchConfig) -> SearchConfig:
    if not isinstance(given, dict):
        raise DataError(f"search must be an object, but is {kind_of(given)}")
    try:
        return config.from_mapping(SearchConfig, {**config.to_mapping(search), **given}, name="search")
    except ConfigError as error:
        raise DataError("; ".join(f"search.{problem}" for problem in error.problems)) from None


def kind_of(value: object) -> str:
    """The kind of a JSON value, for messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
