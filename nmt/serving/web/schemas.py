"""Bodies as pydantic models, which describe them in OpenAPI, and messages about bodies that do not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from nmt.serving.web.refusals import Refused
from nmt.translation.requests.json_lines import kind_of

Body = TypeVar("Body", bound=BaseModel)

REFUSALS = (400, 401, 403, 408, 413, 415, 422, 500, 503, 504)


class Must(NamedTuple):
    """What a field must be; completes the message ``must be ...``."""

    words: str


class Error(BaseModel):
    """Why there is no answer."""

    error: str


def checked(model: type[Body], value: Any, *, where: str = "") -> Body:
    """Read a body by its model.

    Args:
        model: whose fields say by ``Must`` what they must be.
        value: parsed JSON, or the fields of a form.
        where: prefix of the names of fields in messages.

    Raises:
        Refused: it does not fit.
    """
    if not isinstance(value, dict):
        raise Refused(400, f"{where or 'the body'} must be an object, but is {kind_of(value)}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        problems = [f"{where}{'.' if where else ''}{_problem(model, name, value)}" for name in names]
        raise Refused(400, "; ".join(problems)) from None


def _problem(model: type[BaseModel], name: str, value: Mapping[str, Any]) -> str:
    words = next(each.words for each in model.model_fields[name].metadata if isinstance(each, Must))
    if name not in value:
        return f"{name} must be {words}, but is missing"
    given = value[name]
    shown = kind_of(given) if isinstance(given, dict | list) else json.dumps(given, ensure_ascii=False)
    return f"{name} must be {words}, but is {shown if len(shown) <= 80 else kind_of(given)}"


def refusals(statuses: Iterable[int] = REFUSALS) -> dict[int | str, dict[str, Any]]:
    """Describe the answers to requests that are refused, for a route."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Error.__name__}"}}}
    return {status: {"content": content} for status in statuses}


def body_of(*models: type[BaseModel], types: Sequence[str] = ("application/json",)) -> dict[str, Any]:
    """Describe the body of a route, which is one of several models."""
    options = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = options[0] if len(options) == 1 else {"anyOf": options}
    return {"requestBody": {"required": True, "content": {each: {"schema": schema} for each in types}}}
