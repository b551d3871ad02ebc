"""The web application: the three protocols, the page, health, metrics, and OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response

from nmt import __version__
from nmt.core.errors import NmtError
from nmt.serving.page_files import files
from nmt.serving.web.document import complete_document
from nmt.serving.web.gate import Gate, Watch
from nmt.serving.web.protocols import libretranslate, opennmt, own
from nmt.serving.web.refusals import Refused, refusal, refuse
from nmt.serving.web.schemas import Error, refusals
from nmt.serving.web.service import Service

_BODIES = (
    Error,
    libretranslate.LibreTranslation,
    libretranslate.LibreDetection,
    opennmt.OpenNMTLine,
    own.OneLine,
    own.Lines,
    own.StreamedLine,
)


class Health(BaseModel):
    """That the server answers."""

    status: str


def application(service: Service) -> FastAPI:
    """Return the application; it starts the models with its lifespan, and stops them at its end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for engine in service.registry.engines.values():
                await engine.start()
                stack.push_async_callback(engine.stop)
            yield

    app = FastAPI(
        title="nmt",
        version=__version__,
        description="Translation by the models of this server.",
        lifespan=lifespan,
        docs_url=None,  # that page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _elsewhere, NmtError: refuse},
    )
    for protocol in (libretranslate, opennmt, own):
        app.include_router(protocol.routes(service))
    _add_page(app)
    _add_state(app, service)
    service.metrics.watch(service.registry, lambda: service.state.requests)
    routes = complete_document(app, _BODIES) | {"/openapi.json", *files()}
    middleware = [Middleware(Watch, metrics=service.metrics, routes=routes)]
    if service.access.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=service.access.origins,
                allow_methods=("GET", "POST"),
                allow_headers=("Authorization", "Content-Type"),
            )
        )
    app.user_middleware = [*middleware, Middleware(Gate, service=service)]
    return app


def _add_page(app: FastAPI) -> None:
    async def answer(http: HttpRequest) -> Response:
        media_type, content = files()[http.url.path]
        return Response(content, media_type=media_type)

    for path in files():
        app.add_route(path, answer, include_in_schema=False)  # without a key, for which the page asks


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/health", response_model=None, tags=["server"], responses={200: {"model": Health}, **refusals((503,))})
    async def health() -> dict[str, Any]:
        """Tell that the server answers and takes requests."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse, tags=["server"], responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals((401, 403))})  # fmt: skip
    async def metrics(http: HttpRequest) -> Response:
        """Tell what the server has done, for Prometheus."""
        service.access.check_key(http.headers)
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _elsewhere(http: HttpRequest, error: Exception) -> Response:
    """Answer a request for a path or by a method that is not there."""
    if not isinstance(error, HTTPException):
        raise TypeError(f"must be an HTTPException, but is {error!r}")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{http.url.path} must be asked by {allowed}, but is by {http.method}"
    else:
        message = "there is nothing at this path; see /openapi.json"
    return refusal(Refused(error.status_code, message, error.headers))
