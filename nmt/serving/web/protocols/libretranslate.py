"""LibreTranslate's protocol (https://docs.libretranslate.com), so that its clients work unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request as HttpRequest

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.search.search_config import SearchConfig
from nmt.serving.registry import Model
from nmt.serving.web.bodies import FORM, read_fields
from nmt.serving.web.limits import Limits
from nmt.serving.web.protocols.language_names import name_of
from nmt.serving.web.refusals import Refused
from nmt.serving.web.schemas import Must, body_of, checked, refusals
from nmt.serving.web.service import AUTO, Service
from nmt.translation.lines import ScoredTarget, Translation
from nmt.translation.markup.document import Document, read_markup
from nmt.translation.markup.segment import Segment
from nmt.translation.requests.request import Request

CERTAIN = 100.0
_BODIES = ("application/json", FORM)


class Key(BaseModel):
    """A body with an API key."""

    api_key: Annotated[str | None, Must("a string")] = None


class LibreTranslation(Key):
    """Texts to translate, line by line."""

    q: Annotated[str | list[str], Must("a string or a list of strings")] = Field(examples=["Guten Morgen."])
    source: Annotated[str, Must("the code of a language, or auto")] = Field(examples=["de"])
    target: Annotated[str, Must("the code of a language")] = Field(examples=["en"])
    format: Annotated[Literal["text", "html"], Must("text or html")] = "text"
    alternatives: Annotated[int, Must("a whole number of at least 0"), Field(ge=0)] = 0


class LibreDetection(Key):
    """A text whose language is asked for."""

    q: Annotated[str | list[str], Must("a string")]


class Detected(BaseModel):
    """A language of a text."""

    confidence: float = Field(description="from 0 to 100; it is 100 where all models have one source language")
    language: str


class LibreTranslated(BaseModel):
    """Translations of a text, or of each text of a list."""

    translatedText: str | list[str]  # noqa: N815 - the protocol's name
    detectedLanguage: Detected | list[Detected] | None = None  # noqa: N815
    alternatives: list[str] | list[list[str]] | None = None


class Language(BaseModel):
    """A language, and those into which it is translated."""

    code: str
    name: str
    targets: list[str]


class NamedLanguage(BaseModel):
    """A language."""

    code: str
    name: str


class Defaults(BaseModel):
    """Languages to begin with."""

    source: NamedLanguage
    target: NamedLanguage


class Settings(BaseModel):
    """What a client may ask."""

    charLimit: int  # noqa: N815
    frontendTimeout: int  # noqa: N815
    apiKeys: bool  # noqa: N815
    keyRequired: bool  # noqa: N815
    suggestions: bool
    filesTranslation: bool  # noqa: N815
    supportedFilesFormat: list[str]  # noqa: N815
    language: Defaults


def routes(service: Service) -> APIRouter:
    """Return the routes of the protocol."""
    router = APIRouter(tags=["LibreTranslate's protocol"])

    @router.post("/translate", response_model=None, responses={200: {"model": LibreTranslated}, **refusals()},
                 openapi_extra=body_of(LibreTranslation, types=_BODIES))  # fmt: skip
    async def translate(http: HttpRequest) -> dict[str, Any]:
        """Translate a text, or a list of texts; lines stay lines."""
        asked = checked(LibreTranslation, await read_fields(http, service.limits))
        service.access.check_key(http.headers, asked.api_key)
        return await _translate(service, http, asked)

    @router.post("/detect", response_model=None, responses={200: {"model": list[Detected]}, **refusals()},
                 openapi_extra=body_of(LibreDetection, types=_BODIES))  # fmt: skip
    async def detect(http: HttpRequest) -> list[dict[str, Any]]:
        """Tell the language of a text, where all models translate from one language; nothing is detected."""
        asked = checked(LibreDetection, await read_fields(http, service.limits))
        service.access.check_key(http.headers, asked.api_key)
        return [_detected(service.choose(AUTO))]

    @router.get("/languages", response_model=None, responses={200: {"model": list[Language]}})
    async def languages() -> list[dict[str, Any]]:
        """List all languages, each with those into which it is translated."""
        targets: dict[str, list[str]] = {}
        pairs = {(model.source, model.target): None for model in service.registry.models}
        known = [(source, target) for source, target in pairs if source and target]
        for source, target in known:
            targets.setdefault(source, []).append(target)
        for _, target in known:  # clients look for it here
            targets.setdefault(target, [])
        return [{"code": code, "name": name_of(code), "targets": into} for code, into in targets.items()]

    @router.get("/frontend/settings", response_model=None, responses={200: {"model": Settings}})
    async def settings() -> dict[str, Any]:
        """Tell clients what they may ask."""
        model = service.registry.models[0]
        sides = {"source": model.source or AUTO, "target": model.target or AUTO}
        return {
            "charLimit": service.limits.characters,
            "frontendTimeout": 500,
            "apiKeys": bool(service.access.keys),
            "keyRequired": bool(service.access.keys),
            "suggestions": False,
            "filesTranslation": False,
            "supportedFilesFormat": [],
            "language": {side: {"code": code, "name": name_of(code)} for side, code in sides.items()},
        }

    return router


@dataclass(frozen=True, slots=True)
class _Lines:
    """A text whose lines are translated, but for blank ones, as ``Document`` is of markup."""

    lines: Sequence[str]

    @property
    def texts(self) -> list[str]:
        return [line for line in self.lines if not is_blank(line)]

    def restored(self, translations: Sequence[ScoredTarget]) -> str:
        found = iter(translations)
        return "\n".join(line if is_blank(line) else next(found).text for line in self.lines)


async def _translate(service: Service, http: HttpRequest, asked: LibreTranslation) -> dict[str, Any]:
    model = service.choose(asked.source, asked.target)
    texts = [asked.q] if isinstance(asked.q, str) else asked.q
    service.limits.check_characters(texts)
    documents = await asyncio.to_thread(_documents, texts, asked.format, service.limits)
    search = _search(model.engine.translator.search, asked.alternatives, service.limits)
    requests = [Request(text, search=search) for document in documents for text in document.texts]
    found = iter(await service.translate(http, model, requests))
    translations = [[next(found) for _ in document.texts] for document in documents]
    results = await asyncio.to_thread(lambda: [*map(_ranked, documents, translations)])
    several = isinstance(asked.q, list)
    best = [each[0] for each in results]
    answer: dict[str, Any] = {"translatedText": best if several else best[0]}
    if asked.source == AUTO and model.source is not None:
        answer["detectedLanguage"] = [_detected(model)] * len(texts) if several else _detected(model)
    if asked.alternatives:
        others = [each[1 : asked.alternatives + 1] for each in results]
        answer["alternatives"] = others if several else others[0]
    return answer


def _documents(texts: Sequence[str], form: str, limits: Limits) -> list[_Lines | Document]:
    """Divide texts; in a thread, since others need not wait for markup."""
    if form == "text":
        return [_Lines(text.split("\n")) for text in texts]
    if (count := sum(text.count("<") for text in texts)) > 4 * limits.tags:  # reading takes time by the square of it
        raise Refused(413, f"q must have at most {4 * limits.tags} tags, but has {count} of <")
    documents = [read_markup(text, "html") for text in texts]
    tags = max((len(part.marks) for each in documents for part in each.parts if isinstance(part, Segment)), default=0)
    if tags > limits.tags:
        raise Refused(413, f"a paragraph of q must have at most {limits.tags} tags, but one has {tags}")
    return [*documents]


def _search(usual: SearchConfig, alternatives: int, limits: Limits) -> SearchConfig | None:
    if not alternatives:
        return None if usual.n_best == 1 else replace(usual, n_best=1)
    count, most = alternatives + 1, max(limits.beam_size, usual.beam_size)
    if count > most:
        raise DataError(f"alternatives must be at most {most - 1} on this server, but is {alternatives}")
    if usual.strategy == "sampling":
        return replace(usual, n_best=count)
    return replace(usual, strategy="beam", beam_size=max(usual.beam_size, count), n_best=count)


def _ranked(document: _Lines | Document, translations: Sequence[Translation]) -> list[str]:
    """Put a document together from the translations of its texts: the best one first, and distinct others.

    The k-th has the k-th best translation of each text, or its best one where it has fewer.
    """
    if problem := next((each.problem for each in translations if each.problem), ""):
        raise DataError(f"q cannot be translated: {problem}")
    several = [each.hypotheses for each in translations]
    ranks = range(max(map(len, several), default=1))
    chosen = [[each[rank if rank < len(each) else 0] for each in several] for rank in ranks]
    return list(dict.fromkeys(map(document.restored, chosen)))


def _detected(model: Model) -> dict[str, Any]:
    if model.source is None:
        raise DataError("source cannot be auto: the model does not say its source language; start the server with "
                        "SOURCE-TARGET=RUN, such as de-en=RUN")  # fmt: skip
    return {"confidence": CERTAIN, "language": model.source}
