"""Our own protocol: all that a translation has, and all that can be asked of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse

from nmt.alignment.report.json_entries import entry_record, tree_record
from nmt.core.errors import DataError, NmtError
from nmt.search.search_config import SearchConfig
from nmt.serving.registry import Model
from nmt.serving.web.bodies import read_json
from nmt.serving.web.refusals import Refused, sentence
from nmt.serving.web.schemas import Must, body_of, checked, refusals
from nmt.serving.web.service import Service, while_there
from nmt.translation.lines import Translation
from nmt.translation.output.page_entries import translated_entry
from nmt.translation.output.writers import record_of
from nmt.translation.requests.json_lines import kind_of, request_of
from nmt.translation.requests.request import Request


class Line(BaseModel):
    """A line, and what is asked of its translation; other keys are passed through to the answer."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(description="one line", examples=["Ein Hund läuft."])
    prefix: str = Field("", description="how the translation begins; its last word may go on")
    constraints: list[str] = Field([], description="phrases that must occur; needs beam search")
    avoid: list[str] = Field([], description="phrases that must not occur")
    search: SearchConfig = Field(default_factory=SearchConfig, description="what differs from the model's recipe")
    target_language: str | None = Field(
        None, description="code of the language to translate into, where the model has several"
    )


class Options(BaseModel):
    """Which model is to translate, and what its answer has."""

    model_config = ConfigDict(strict=True)

    model: Annotated[str | None, Must("the name of a model")] = None
    source: Annotated[str | None, Must("the code of a language")] = None
    target: Annotated[str | None, Must("the code of a language")] = None


class Shown(Options):
    """Options of an answer that is not streamed."""

    attention: Annotated[bool, Must("true or false"), Field(description="the weights of each translation")] = False
    tree: Annotated[bool, Must("true or false"), Field(description="all that the beam had")] = False
    entry: Annotated[bool, Must("true or false"), Field(description="the line as the HTML report has it")] = False


class OneLine(Line, Shown):
    """A line to translate."""


class Lines(Shown):
    """Lines to translate together."""

    lines: list[Line]


class _Several(Shown):
    """Lines, each read for itself."""

    lines: Annotated[list[Any], Must("a list of objects")]


class StreamedLine(Line, Options):
    """A line to translate by greedy search; its ``strategy`` is ignored."""


class Hypothesis(BaseModel):
    """A translation."""

    text: str
    spans: list[tuple[int, int]] = Field(description="start and end of each word in the text, in characters from 0")
    score: float | None
    log_prob: float | None = Field(description="in nats")
    confidence: float | None
    finished: bool = Field(description="whether it ends in eos")
    cut: bool = Field(description="whether the length limit ended it")
    pieces: list[str]
    piece_log_probs: list[float | None]
    alignment: str = Field(description="links source-target between words, from 0")
    utility: float | None = Field(None, description="expected chrF, with search.mbr")
    weights: list[list[float | None]] | None = Field(
        None, description="a row per target word, a column per source word, then the null word"
    )


class Record(BaseModel):
    """A translated line, as ``nmt-translate --format jsonl`` writes it."""

    model_config = ConfigDict(extra="allow")

    line: int
    source: str
    source_spans: list[tuple[int, int]]
    hypotheses: list[Hypothesis] = Field(description="best first")
    parts: int = 1
    problem: str = Field("", description="why it has no translation")
    tree: dict[str, Any] | None = Field(None, description="the search, as the HTML report has it")
    entry: dict[str, Any] | None = Field(None, description="the line, as the HTML report has it")


class Records(BaseModel):
    """Translated lines, in order."""

    lines: list[Record]


class ModelInfo(BaseModel):
    """A model."""

    name: str
    source: str | None
    target: str | None
    attention: bool = Field(description="whether it has attention to show")
    search: SearchConfig = Field(description="how it searches where nothing else is asked")


class Models(BaseModel):
    """The models of this server; the first one is taken where none is named."""

    models: list[ModelInfo]
    limits: dict[str, float] = Field(description="of requests")


def routes(service: Service) -> APIRouter:
    """Return the routes of the protocol."""
    router = APIRouter(prefix="/v1", tags=["nmt's own protocol"])

    @router.post("/translate", response_model=None, responses={200: {"model": Record | Records}, **refusals()},
                 openapi_extra=body_of(OneLine, Lines))  # fmt: skip
    async def translate(http: HttpRequest) -> Response:
        """Translate a line, or several; a line that cannot be translated has a problem, and alone is refused."""
        service.access.check_key(http.headers)
        fields = await _object(service, http)
        several = "lines" in fields
        asked = checked(_Several if several else Shown, fields)
        model = _model(service, asked)
        found = await service.translate(http, model, _requests(fields, asked, model))
        if not several and found[0].problem:
            raise Refused(422, f"the line cannot be translated: {found[0].problem}")
        if asked.attention or asked.entry:
            service.limits.check_weights(found)

        def written() -> Response:
            records = [_record(each, asked, number) for number, each in enumerate(found, start=1)]
            return JSONResponse({"lines": records} if several else records[0])

        if asked.attention or asked.entry or asked.tree:  # which may be much, and others are answered meanwhile
            return await asyncio.to_thread(written)
        return written()

    @router.post("/translate/stream", response_model=None, response_class=Events, responses=_STREAMED,
                 openapi_extra=body_of(StreamedLine))  # fmt: skip
    async def stream(http: HttpRequest) -> Events:
        """Translate a line by greedy search; each event has the text that follows, the last one the whole."""
        service.access.check_key(http.headers)
        fields = await _object(service, http)
        asked = checked(Options, fields)
        model = _model(service, asked)
        request = _request(_own(fields, asked), asked, model)
        service.check(model, [request])
        deltas = model.engine.stream(model.asked(request))
        first = await while_there(http, anext(deltas, ""))  # what is refused is refused by a status
        return Events(_events(service, model, request, first, deltas))

    @router.get("/models", response_model=None, responses={200: {"model": Models}, **refusals((401, 403))})
    async def models(http: HttpRequest) -> dict[str, Any]:
        """List the models."""
        service.access.check_key(http.headers)
        return {"models": [_info(model) for model in service.registry.models], "limits": service.limits.shown()}

    return router


class Events(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": 'Events with {"text": ...}; the last one is named end, or error'},
    **refusals(),
}


async def _object(service: Service, http: HttpRequest) -> dict[str, Any]:
    value = await read_json(http, service.limits)
    if not isinstance(value, dict):
        raise Refused(400, f"the body must be an object, but is {kind_of(value)}")
    return value


def _model(service: Service, asked: Options) -> Model:
    if asked.model is not None:
        return service.registry.get(asked.model)
    return service.choose(asked.source, asked.target)


def _requests(fields: dict[str, Any], asked: Shown, model: Model) -> list[Request]:
    names = type(asked).model_fields
    if not isinstance(asked, _Several):
        return [_request(_own(fields, asked), asked, model)]
    if others := [name for name in fields if name not in names]:
        raise DataError(f"{others[0]} must stand in a line, or be one of {', '.join(names)}, but stands beside lines")
    requests = []
    for place, line in enumerate(asked.lines):
        try:
            if isinstance(line, dict) and (others := [name for name in names if name in line]):
                raise DataError(f"{others[0]} must stand beside lines, and holds for all, but stands in a line")
            requests.append(_request(line, asked, model))
        except DataError as error:
            raise DataError(f"lines[{place}]: {error}") from None
    return requests


def _own(fields: dict[str, Any], asked: Options) -> dict[str, Any]:
    """What a body says of its line."""
    return {name: value for name, value in fields.items() if name not in type(asked).model_fields}


def _request(fields: Any, asked: Options, model: Model) -> Request:
    translator = model.engine.translator
    request = request_of(fields, translator.search, translator.tags)
    return replace(request, tree=isinstance(asked, Shown) and asked.tree)


def _record(translation: Translation, asked: Shown, number: int) -> dict[str, Any]:
    record = {**record_of(translation, weights=asked.attention), "line": number}
    if asked.tree and translation.tree is not None:
        record["tree"] = tree_record(translation.tree)
    if asked.entry:
        record["entry"] = {**entry_record(translated_entry(translation)), "number": number}
    return record


async def _events(
    service: Service, model: Model, request: Request, first: str, deltas: AsyncGenerator[str]
) -> AsyncIterator[str]:
    whole = first
    try:
        async with aclosing(deltas):  # a client may go away
            yield _event({"text": first})
            async for delta in deltas:
                whole += delta
                yield _event({"text": delta})
    except NmtError as error:
        yield _event({"error": sentence(error)}, "error")
    else:
        service.told(model, [(request.text, whole)])
        yield _event({"text": whole}, "end")


def _event(data: dict[str, Any], name: str = "") -> str:
    return f"{f'event: {name}' + chr(10) if name else ''}data: {json.dumps(data)}\n\n"


def _info(model: Model) -> dict[str, Any]:
    from nmt.core import config

    translator = model.engine.translator
    return {
        "name": model.name,
        "source": model.source,
        "target": model.target,
        "attention": any(bundle.has_attention for bundle in translator.bundles),
        "search": config.to_mapping(translator.search),
    }
