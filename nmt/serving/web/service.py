"""What all protocols do with the models: choose one, check limits, translate, and stop when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from nmt.core.errors import DataError
from nmt.core.logging import logger
from nmt.serving.registry import Model, Registry
from nmt.serving.web.access import Access
from nmt.serving.web.limits import Limits
from nmt.serving.web.metrics import Metrics
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request

AUTO = "auto"
"""In place of a source language: that of the one model that fits."""

T = TypeVar("T")


@dataclass
class State:
    """What a server does at the moment.

    Args:
        requests: how many it is answering.
        ending: whether it takes no more.
    """

    requests: int = 0
    ending: bool = False


@dataclass(frozen=True)
class Service:
    """The models of a server and the terms on which clients use them.

    Args:
        registry: the models.
        limits: of requests.
        access: who may use them.
        metrics: what is counted.
        log_text: whether the log has the texts of clients.
        state: what it does at the moment.
    """

    registry: Registry
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    metrics: Metrics = field(default_factory=Metrics)
    log_text: bool = False
    state: State = field(default_factory=State)

    async def translate(self, http: HttpRequest, model: Model, lines: Sequence[Request]) -> list[Translation]:
        """Translate lines for a client, in order.

        Raises:
            NmtError: see ``check`` and ``Engine.translate``.
            ClientDisconnect: the client went away.
        """
        self.check(model, lines)
        found = await while_there(http, model.engine.translate([*map(model.asked, lines)])) if lines else []
        self.told(model, zip((line.text for line in lines), (each.text for each in found), strict=True))
        return found

    def check(self, model: Model, lines: Sequence[Request]) -> None:
        """Refuse what is too large; see ``Limits.check``."""
        self.limits.check(lines, model.engine.translator.search)

    def told(self, model: Model, pairs: Iterable[tuple[str, str]]) -> None:
        """Count translated lines, and log them if wanted; ``pairs`` are of texts and translations."""
        pairs = list(pairs)
        self.metrics.sentences.labels(model.name).inc(len(pairs))
        if self.log_text:
            for text, translated in pairs:
                logger.info("%s: %r -> %r", model.name, text, translated)

    def choose(self, source: str | None = None, target: str | None = None) -> Model:
        """Find the first model of a language pair; ``None`` is any language, and ``auto`` the only one.

        For ``auto`` a model that reads several languages is returned without a source language.

        Raises:
            DataError: there is none, or the source language cannot be told.
        """
        models = self.registry.models
        if source is not None is not target and source != AUTO:
            return self.registry.by_languages(source, target)
        found = [each for each in models if (target in (None, each.target)) and source in (None, AUTO, each.source)]
        if not found:
            return self.registry.by_languages(source or AUTO, target or "any")
        if source == AUTO:
            found = [each for each in found if each.source] or found
            if len(sources := {str(each.source) for each in found}) > 1:
                if target is not None and all(each.engine is found[0].engine for each in found):
                    return replace(found[0], source=None)
                names = ", ".join(sorted(sources))
                raise DataError(f"source must be one of {names}, since no language is detected here, but is auto")
        return found[0]


async def while_there(http: HttpRequest, work: Awaitable[T]) -> T:
    """Await work, and cancel it when the client goes away.

    Raises:
        ClientDisconnect: it did.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(http))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass
