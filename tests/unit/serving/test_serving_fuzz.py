"""Whatever is asked, the server answers as its OpenAPI document says: never by a traceback, a 5xx or another form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import jsonschema
import pytest
from echoing import Asking, echo_model, echo_service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nmt.serving.web.limits import Limits

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MODELS = (echo_model(), echo_model("en-fr", "en", "fr"), echo_model("nameless", None, None))
LIMITS = Limits(characters=300, lines=8, body_bytes=4000)
KNOWN_CODES = ("de", "en", "fr", "auto", "de-en", "nameless")


class Document:
    """The OpenAPI document of an application, whose answers it checks."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.paths = document["paths"]
        self._definitions = document["components"]
        self._validators: dict[str, Any] = {}

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "components": self._definitions}

    def bodies(self, path: str) -> st.SearchStrategy[Any]:
        """Draw bodies of a route."""
        return self.values(self.paths[path]["post"]["requestBody"]["content"][JSON]["schema"])

    def values(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        """Draw JSON that fits a schema, of the kinds of schemas that the document has."""
        if "$ref" in schema:
            return self.values(self._definitions["schemas"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return st.one_of(*map(self.values, schema["anyOf"]))
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        match schema["type"]:
            case "object":
                needed = schema.get("required", ())
                fields = {name: self.values(each) for name, each in schema["properties"].items()}
                return st.fixed_dictionaries(
                    {name: fields[name] for name in needed},
                    optional={name: each for name, each in fields.items() if name not in needed},
                )
            case "array":
                return st.lists(self.values(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
            case "string":
                return TEXTS
            case "integer" | "number" as kind:
                above = "exclusiveMinimum" in schema
                least = schema.get("minimum", schema.get("exclusiveMinimum", -3))
                most = min(schema.get("maximum", 20), 20)
                if kind == "integer":
                    return st.integers(least, most)
                return st.floats(least, most, exclude_min=above)
        return {"boolean": st.booleans(), "null": st.none()}[schema["type"]]

    def check(self, method: str, path: str, answer: httpx.Response) -> None:
        described = self.paths[path][method.lower()]["responses"]
        assert str(answer.status_code) in described, (method, path, answer.status_code, answer.text)
        content = described[str(answer.status_code)]["content"]
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in content, (kind, path)
        if kind == JSON:
            schema = content[kind]["schema"]
            key = json.dumps(schema)
            if key not in self._validators:
                self._validators[key] = jsonschema.Draft202012Validator(self.whole(schema))
            self._validators[key].validate(answer.json())


class Asked(NamedTuple):
    """A request."""

    path: str
    content: bytes
    kind: str = JSON


LINES = ["Ein Hund läuft.", "a problem", "a\0b", "e\u0301", "", " \t", "long " * 70]
TEXTS = st.one_of(st.sampled_from(LINES), st.text(max_size=12))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(["", "\0", "\ud800", "a\nb", "\r\n", " ", "\u2028", "🙂" * 400, "de", "problem", *KNOWN_CODES]),
    st.text(max_size=8),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    st.integers(30, 2000).map(lambda depth: json.loads("[" * min(depth, 500) + "]" * min(depth, 500))),
)


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """Replace, add or take away something anywhere in a JSON value."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(value)))
        match draw(st.sampled_from(["inside", "away", "new", "renamed"])):
            case "inside":
                return {**value, name: draw(mutated(value[name]))}
            case "away":
                return {key: each for key, each in value.items() if key != name}
            case "new":
                return {**value, draw(st.text(max_size=4)): draw(ODD)}
        return {name + "x" if key == name else key: each for key, each in value.items()}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], draw(mutated(value[place])), *value[place + draw(st.integers(0, 1)) :]]
    return draw(ODD)


def encoded(value: Any, kind: str) -> bytes:
    if kind == FORM and isinstance(value, dict):
        fields = {name: each if isinstance(each, list) else str(each) for name, each in value.items()}
        return urlencode(fields, doseq=True, errors="surrogatepass").encode()
    return json.dumps(value).encode()


@st.composite
def requests_of(draw: st.DrawFn, bodies: dict[str, st.SearchStrategy[Any]]) -> Asked:
    """Draw a request: a body by the document, most of them changed a little, some in their bytes."""
    path = draw(st.sampled_from(sorted(bodies)))
    value = draw(bodies[path])
    kind = draw(st.sampled_from([JSON, JSON, JSON, FORM, "application/vnd.x+json; charset=utf-8", "text/plain", ""]))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        value = draw(mutated(value))
    content = encoded(value, kind)
    match draw(st.integers(0, 9)):
        case 0:
            place = draw(st.integers(0, len(content)))
            content = content[:place] + draw(st.binary(max_size=4)) + content[place + draw(st.integers(0, 3)) :]
        case 1:
            content = content.replace(b"1", b"NaN").replace(b'"', draw(st.sampled_from([b"'", b'"\\ud834', b""])), 1)
        case 2:
            content = draw(st.binary(max_size=40))
    return Asked(path, content, kind)


def with_languages(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw bodies whose codes and names often exist."""
    known = st.sampled_from(KNOWN_CODES)

    def told(pair: tuple[Any, dict[str, str]]) -> Any:
        body, names = pair
        objects = body if isinstance(body, list) else [body]
        for each in objects:
            each.update({name: value for name, value in names.items() if name in each})
        return body

    names = st.fixed_dictionaries({}, optional={"source": known, "target": known, "model": known, "id": st.just(0)})
    right = st.just({"source": "de", "target": "en", "model": "de-en", "id": 0})
    return st.tuples(bodies, st.one_of(right, names)).map(told)


def rounds(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(max_examples=count, suppress_health_check=[*HealthCheck], database=None)


@pytest.fixture
def asking() -> Any:
    with Asking(echo_service(*MODELS, limits=LIMITS)) as opened:
        yield opened


@pytest.fixture
def document(asking: Asking) -> Document:
    return Document(asking.get("/openapi.json").json())


@pytest.mark.parametrize("count", [100, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_whatever_is_asked_is_answered_as_described(asking: Asking, document: Document, count: int) -> None:
    posted = [path for path, methods in document.paths.items() if "post" in methods]
    bodies = {path: with_languages(document.bodies(path)) for path in posted}
    seen: dict[int, int] = {}

    @rounds(count)
    @given(requests_of(bodies))
    def check(asked: Asked) -> None:
        answer = asking.post(asked.path, content=asked.content, headers={"Content-Type": asked.kind})
        document.check("POST", asked.path, answer)
        assert answer.status_code < 500
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1

    check()
    assert seen[200] > count // 20, seen
    assert seen[400] > count // 20, seen
    assert {413, 415, 422} <= set(seen) or count < 5000, seen
