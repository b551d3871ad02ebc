"""The OpenAPI document is one, and describes all that the server answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from echoing import Asking, echo_service
from fastapi.openapi.models import OpenAPI

from nmt.core.config.ranges import ranges_of
from nmt.search.search_config import SearchConfig


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    with Asking(echo_service()) as asking:
        return dict(asking.get("/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPI.model_validate(document)
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert {name.rpartition("/")[2] for name in references(document)} <= set(schemas)
    assert all(name.startswith("#/components/schemas/") for name in references(document))


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    found = dict(operations(document))
    assert set(found) == {
        *("POST /translate", "POST /detect", "GET /languages", "GET /frontend/settings"),
        *("POST /translator/translate", "GET /translator/models"),
        *("POST /v1/translate", "POST /v1/translate/stream", "GET /v1/models"),
        *("GET /health", "GET /metrics"),
    }
    identifiers = [operation["operationId"] for operation in found.values()]
    assert len(set(identifiers)) == len(identifiers)
    for name, operation in found.items():
        assert operation["description"], name
        assert ("requestBody" in operation) == name.startswith("POST"), name
        assert "200" in operation["responses"]
        for status, answer in operation["responses"].items():
            (content,) = answer["content"].values()
            if status != "200":
                assert content["schema"] == {"$ref": "#/components/schemas/Error"}, (name, status)


def test_the_ranges_of_search_are_told_and_no_defaults_that_may_differ(document: dict[str, Any]) -> None:
    search = document["components"]["schemas"]["SearchConfig"]
    assert set(search["properties"]) == set(SearchConfig.__dataclass_fields__)
    assert search["additionalProperties"] is False
    for name, field in search["properties"].items():
        assert "default" not in field
        assert ("must be" in field.get("description", "")) == (name in ranges_of(SearchConfig))
    assert search["properties"]["n_best"]["description"] == "must be at least 1"
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    told = {name: [field.get(key) for key in bounds] for name, field in search["properties"].items()}
    assert told["n_best"] == told["patience"] == [1, None, None, None]
    assert told["max_length_offset"] == [0, 100_000, None, None]
    assert told["top_p"] == [None, 1, 0, None]
    assert told["seed"] == [None, None, None, None]


@pytest.mark.parametrize("name", sorted(ranges_of(SearchConfig)))
def test_the_bounds_of_search_are_those_that_it_checks(document: dict[str, Any], name: str) -> None:
    field, holds = document["components"]["schemas"]["SearchConfig"]["properties"][name], ranges_of(SearchConfig)[name]
    validator = jsonschema.Draft202012Validator(field)
    for value in (-1, 0, 1, 2, 10, 11, 1000, 1001, 100_000, 100_001):
        assert validator.is_valid(value) == holds.holds(value), value


def test_a_form_is_as_good_as_json_for_libretranslate(document: dict[str, Any]) -> None:
    for path in ("/translate", "/detect"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert set(content) == {"application/json", "application/x-www-form-urlencoded"}
