"""Models that need no model, for tests of the server: a line is translated to itself, backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import torch
from fastapi import FastAPI

from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.serving.engine import Engine
from nmt.serving.registry import Model, Registry
from nmt.serving.web.application import application
from nmt.serving.web.service import Service
from nmt.text.words import word_spans
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Translation
from nmt.translation.requests.request import Request
from nmt.translation.requests.tags import Tags

ADDRESS = "http://127.0.0.1:5000"


@dataclass
class EchoEngine:
    """Stands in for an engine.

    Args:
        search: the usual one.
        failure: raised for every request, if given.
        waits: whether translations wait until ``go`` is set.
    """

    search: SearchConfig = field(default_factory=SearchConfig)
    failure: Exception | None = None
    waits: bool = False
    taken: list[Request] = field(default_factory=list)
    lines: int = 0
    running: bool = False
    on_batch: Any = None

    def __post_init__(self) -> None:
        self.translator = SimpleNamespace(
            search=self.search, bundles=[SimpleNamespace(has_attention=True)], tags=Tags()
        )
        self.go, self.cancelled = asyncio.Event(), 0

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def translate(self, lines: Sequence[Request]) -> list[Translation]:
        assert self.running
        self.taken += lines
        if self.failure is not None:
            raise self.failure
        if self.waits:
            self.lines += len(lines)
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            finally:
                self.lines -= len(lines)
        return [echoed(line, line.search or self.search) for line in lines]

    async def stream(self, line: Request) -> AsyncIterator[str]:
        (translation,) = await self.translate([line])
        for letter in translation.text:
            yield letter


def echoed(line: Request, search: SearchConfig) -> Translation:
    """Return a translation whose hypotheses are the line backwards, with their rank."""
    source = SourceLine(4711, line.text, _pieces(line.text))
    texts = [f"{line.text[::-1]}{rank or ''}" for rank in range(search.n_best)]
    problem = "it says so" if "problem" in line.text else ""
    return Translation(source, tuple(_target(source, text) for text in texts), extra=line.extra, problem=problem)


def _target(source: SourceLine, text: str) -> ScoredTarget:
    pieces = _pieces(text)
    count = len(pieces.ids)
    weights = torch.full((count + 1, len(source.pieces.ids) + 1), 1 / (len(source.pieces.ids) + 1))
    hypothesis = Hypothesis([*pieces.ids], -1.5, -3.0, [-1.0] * (count + 1), finished=True, weights=weights)
    return ScoredTarget(source, text, pieces, hypothesis)


def _pieces(text: str) -> Pieces:
    words = [text[begin:end] for begin, end in word_spans(text)]
    numbers = tuple(range(len(words)))
    return Pieces(numbers, tuple(f"▁{word}" for word in words), numbers)


def echo_model(name: str = "de-en", source: str | None = "de", target: str | None = "en", **engine: Any) -> Model:
    """Return a model with an ``EchoEngine``."""
    return Model(name, source, target, cast("Engine", EchoEngine(**engine)))


def echo_service(*models: Model, **terms: Any) -> Service:
    """Return the service of models, by default of one."""
    return Service(Registry(models or (echo_model(),)), **terms)


class Asking:
    """Asks an application in this process, and runs its lifespan; use as a context manager.

    Args:
        service: what is served.
        headers: of all requests.
    """

    def __init__(self, service: Service, headers: dict[str, str] | None = None) -> None:
        self.service = service
        self.app: FastAPI = application(service)
        self._headers = headers
        self._runner = asyncio.Runner()

    def __enter__(self) -> Asking:
        self._runner.__enter__()
        self._lifespan = self.app.router.lifespan_context(self.app)
        self.run(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        self.client = httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=self._headers)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.client.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))
        self._runner.__exit__(None, None, None)

    def run(self, work: Any) -> Any:
        """Run a coroutine in the loop of the application."""
        return self._runner.run(work)

    def __call__(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Ask, and return the answer."""
        return cast("httpx.Response", self.run(self.client.request(method, path, **what)))

    def get(self, path: str, **what: Any) -> httpx.Response:
        """Ask by GET."""
        return self("GET", path, **what)

    def post(self, path: str, json: Any = None, **what: Any) -> httpx.Response:
        """Ask by POST, of JSON unless told otherwise."""
        return self("POST", path, **({} if json is None else {"json": json}), **what)


def refused(answer: httpx.Response, status: int) -> str:
    """Check that an answer refuses, and return its sentence."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}, answer.text
    return cast("str", answer.json()["error"])
