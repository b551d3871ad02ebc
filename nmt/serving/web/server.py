"""The life of the server: it listens, answers over HTTP, and ends when it has finished what it took."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Generator
from math import ceil
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nmt.core.errors import NmtError
from nmt.core.logging import logger
from nmt.core.machine.signals import STOPPING, end_by, handling
from nmt.core.storage.files import os_reason
from nmt.serving.web.application import application
from nmt.serving.web.gate import HEADERS
from nmt.serving.web.service import Service


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address, also where another server has just ended.

    Raises:
        NmtError: it is taken, or not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "no host name"
        raise NmtError(f"--host {host}: must be an address of this machine, but: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise NmtError(f"cannot listen on {host}, port {port}: {reason}; choose another --port") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """The address of a listening socket as a link."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(service: Service, listener: socket.socket) -> None:
    """Answer requests until a signal asks to stop; a second one ends at once."""
    config = uvicorn.Config(
        application(service),
        http=_Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=cast("int", service.limits.idle_seconds),  # it need not be whole
        h11_max_incomplete_event_size=32 * 1024,
        proxy_headers=False,
        timeout_graceful_shutdown=ceil(service.limits.seconds),
    )
    with _quiet():
        _Server(config, service).run([listener])


class _Server(uvicorn.Server):
    """Ends when it has answered all that it took, and refuses the rest until then."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with handling(STOPPING, self.handle_exit):
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            logger.info("serving at %s (Ctrl-C ends it)", address_of(listener))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        state = self._service.state
        if state.ending:
            end_by(sig)
        elif state.requests:
            logger.info("ending: finishing %d requests; a second signal ends at once", state.requests)
        state.ending = True

    async def on_tick(self, counter: int) -> bool:
        state = self._service.state
        return await super().on_tick(counter) or (state.ending and not state.requests)


class _Protocol(H11Protocol):
    """Closes connections that send no request or read no answer, and says what is wrong as the application does."""

    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        waiting = self.timeout_keep_alive_task
        self.timeout_keep_alive_task = None  # a part of a request does not begin the time anew
        super().data_received(data)
        if waiting is None:
            return
        if self._idle() and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = waiting
        else:
            waiting.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        self._read()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.transport.abort()  # what is closed waits for a client that does not read

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        body = json.dumps({"error": "the request must be HTTP/1.1, but is not"}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        events = (h11.Response(status_code=400, headers=[*headers, *HEADERS.items()]), h11.Data(data=body))
        for event in (*events, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


@contextlib.contextmanager
def _quiet() -> Generator[None, None, None]:
    """Context in which uvicorn tells errors alone: whoever sends what is no HTTP is answered."""
    library = logging.getLogger("uvicorn.error")
    level = library.level
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.setLevel(level)
