"""The gate of the server: every request passes it, is counted and logged, and every answer gets its headers there."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nmt.core.logging import logger
from nmt.serving.engine import Expired, Stopped
from nmt.serving.web.metrics import Metrics
from nmt.serving.web.refusals import GONE, Refused, refusal
from nmt.serving.web.service import Service

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""


class Watch:
    """Outermost: counts, times and logs each request, and sets the headers of its answer.

    Args:
        app: what answers.
        metrics: where it counts.
        routes: paths that are named; the log and the counts have no others, which may be texts.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - begin
            route = scope["path"] if scope["path"] in self._routes else "another path"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            logger.info("%s %s %s: %d (%.0f ms)", _client(scope), scope["method"], route, status, 1000 * seconds)


class Gate:
    """Lets in what may come in, and answers what goes wrong inside; HEAD is answered as GET, without the body.

    Args:
        app: what answers.
        service: says who may come in, and how many.
    """

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state, limits = self._service.state, self._service.limits
        begun = False
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # uvicorn leaves out the body

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        state.requests += 1
        try:
            async with asyncio.timeout(limits.seconds):
                if state.ending:
                    raise Stopped("the server is ending; try again later")
                if state.requests > limits.requests:
                    raise Refused(503, "the server has too many requests; try again later", {"Retry-After": "1"})
                self._service.access.check_site(Headers(scope=scope))
                await self._app(asked, receive, sending)
        except Exception as error:  # whatever it is, one request fails and not the server
            if isinstance(error, TimeoutError):
                error = Expired(f"the answer was not there within {limits.seconds:g} seconds")
            answer = refusal(error)
            if not begun:
                with suppress(TimeoutError):  # of a client that does not read
                    async with asyncio.timeout(limits.body_seconds):
                        await answer(scope, receive, send)
        finally:
            state.requests -= 1


def _client(scope: Scope) -> Any:
    return (scope.get("client") or ("?",))[0]
