"""Bodies of requests, read within limits: strict JSON, or forms."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from nmt.serving.web.limits import Limits
from nmt.serving.web.refusals import Refused

FORM = "application/x-www-form-urlencoded"
DEEPEST = 32
MOST_FIELDS = 1000


async def read_fields(request: Request, limits: Limits) -> Any:
    """Read a form as an object of strings, or JSON; a field that occurs several times is a list.

    Raises:
        Refused: the body is too large or slow, of another media type, or not what its type says.
    """
    if media_type(request) != FORM:
        return await read_json(request, limits)
    text = _text(await read_body(request, limits))
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "the body must be a form in UTF-8, but is not UTF-8") from None
    except ValueError:
        raise Refused(400, f"a form must have at most {MOST_FIELDS} fields, but has more") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


async def read_json(request: Request, limits: Limits, *, any_type: bool = False) -> Any:
    """Read JSON; ``any_type`` ignores the media type.

    Raises:
        Refused: the body is too large or slow, of another media type, or no strict JSON.
    """
    kind = media_type(request)
    if not any_type and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Refused(415, f"the body must be of type application/json, but is {kind or 'of no type'}")
    text = _text(await read_body(request, limits))
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused(400, f"the body must be JSON, but is not: {error.msg} ({where})") from None
    except RecursionError:
        raise Refused(400, f"the body must be nested at most {DEEPEST} deep, but is deeper") from None
    except ValueError as error:  # a constant, or a whole number of thousands of digits
        raise Refused(400, f"the body must be JSON with finite numbers of usual length: {error}") from None
    _check_depth(value)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Refused(400, "strings must be Unicode, but one has half a surrogate pair") from None
    except ValueError:
        raise Refused(400, "numbers must be finite, but one is not") from None
    return value


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the whole body.

    Raises:
        Refused: it is too large, too slow, or packed.
    """
    too_large = Refused(413, f"the body must be at most {limits.body_bytes} bytes, but is larger", CLOSE)
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told[:20]) > limits.body_bytes:
        raise too_large
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "the body must not be packed, but has a Content-Encoding", CLOSE)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise too_large
    except TimeoutError:
        raise Refused(408, f"the body must arrive within {limits.body_seconds:g} seconds, but has not", CLOSE) from None
    return bytes(body)


def media_type(request: Request) -> str:
    """The media type of the body without parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


CLOSE = {"Connection": "close"}
"""Header of an answer that leaves the rest of a body unread."""


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body must be UTF-8, but is not at byte {error.start}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is none")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise Refused(400, f"the body must be nested at most {DEEPEST} deep, but is deeper")
