"""The server in a thread of this process, asked by sockets; what ends it by signals is in the integration tests."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from echoing import echo_service
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.core.errors import NmtError
from nmt.serving.web.limits import Limits
from nmt.serving.web.server import address_of, listen, serve

PATIENCE = 400.0
ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
NO_HTTP = {"error": "the request must be HTTP/1.1, but is not"}


@contextlib.contextmanager
def serving(**limits: Any) -> Iterator[socket.socket]:
    """Serve an echo in a thread; gives the socket on which it listens."""
    service = echo_service(limits=Limits(**limits))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=serve, args=(service, listener))
        thread.start()
        try:
            yield listener
        finally:
            service.state.ending = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with serving() as opened:
        yield opened


def connected(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), PATIENCE)


def test_the_answer_to_head_has_no_body(listener: socket.socket) -> None:
    with connected(listener) as connection:
        connection.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"content-length: 15" in head.lower() and body == b""


def answer_of(connection: socket.socket) -> tuple[int, Any]:
    """Read the answer until the server closes the connection: its status and its JSON."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"nosniff" in head
    return int(head.split(b" ", 2)[1]), json.loads(body)


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"\0" * 99 + b"\r\n\r\n"],
)
def test_what_is_no_http_is_refused_with_a_sentence(listener: socket.socket, sent: bytes) -> None:
    with connected(listener) as connection:
        connection.sendall(sent)
        assert answer_of(connection) == (400, NO_HTTP)


def test_a_head_without_end_is_refused(listener: socket.socket) -> None:
    with connected(listener) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000)
        assert answer_of(connection) == (400, NO_HTTP)


def test_a_body_that_breaks_off_harms_nobody(listener: socket.socket) -> None:
    head = b"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for rest in (
        b"Content-Length: 100\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"Content-Length: -1\r\n\r\n",
    ):
        with connected(listener) as connection:
            connection.sendall(head + rest)
    with connected(listener) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert connection.recv(12) in (b"HTTP/1.1 400", b"")
    assert httpx.post(f"{address_of(listener)}/v1/translate", json={"text": "ab"}, timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_any_bytes_leave_the_server_well(listener: socket.socket, count: int) -> None:
    pieces = [
        *(b"GET ", b"POST /v1/translate", b" HTTP/1.1", b"\r\n", b"Host: localhost", b"Content-Length: 7", b": "),
        *(b"0\r\n", b"Transfer-Encoding: chunked", b'{"text"', b"Expect: 100-continue", b"\xff\xfe", b"/%ff", b"\0"),
    ]

    @settings(max_examples=count, database=None)
    @given(st.lists(st.one_of(st.sampled_from(pieces), st.binary(max_size=20)), max_size=12).map(b"".join))
    def send(sent: bytes) -> None:
        with connected(listener) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                assert connection.recv(12)[9:10] in (b"2", b"4", b"", b"1")

    send()
    assert httpx.get(f"{address_of(listener)}/health", timeout=PATIENCE).json() == {"status": "ok"}


def test_a_websocket_is_answered_as_any_request(listener: socket.socket) -> None:
    with connected(listener) as connection:
        lines = ("GET /health HTTP/1.1", "Host: localhost", "Connection: Upgrade, close", "Upgrade: websocket", "", "")
        connection.sendall("\r\n".join(lines).encode())
        assert answer_of(connection)[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET /health HT", ASKED, b"GET /health HTTP/1.1\r\nX: y\r\n"])
def test_a_connection_that_asks_nothing_more_is_closed(sent: bytes) -> None:
    with serving(idle_seconds=0.2) as listener, connected(listener) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        assert received.startswith(b"HTTP/1.1 200") == sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("host", [b"localhost", b"elsewhere.example"])
def test_a_client_that_reads_nothing_does_not_keep_the_server(host: bytes) -> None:
    asked = ASKED.replace(b"/health", b"/page/page.js").replace(b"localhost", host)
    with serving(idle_seconds=0.2, body_seconds=0.2, seconds=1.0) as listener:
        connection = connected(listener)
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(50_000):
                connection.sendall(asked)
    connection.close()  # only now, when the server has ended


def test_bits_of_a_head_do_not_hold_a_connection_open() -> None:
    with serving(idle_seconds=0.5) as listener, connected(listener) as connection:
        connection.settimeout(0.05)
        sent = 0
        with contextlib.suppress(ConnectionError):
            for letter in b"GET /health HTTP/1.1\r\nX: " + b"x" * 2000:
                connection.sendall(bytes([letter]))
                sent += 1
                with contextlib.suppress(TimeoutError):
                    if connection.recv(1) == b"":
                        break
        assert sent < 1000


def test_a_taken_port_and_a_bad_host_are_told(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(NmtError, match=f"cannot listen on 127.0.0.1, port {port}: .*; choose another --port"):
        listen("127.0.0.1", port)
    with pytest.raises(NmtError, match=r"--host nowhere\.invalid: must be an address of this machine"):
        listen("nowhere.invalid", 0)


def test_addresses_are_links() -> None:
    with listen("localhost", 0) as listener:
        assert address_of(listener) == f"http://{listener.getsockname()[0]}:{listener.getsockname()[1]}"
    try:
        listener = listen("::1", 0)
    except NmtError:
        pytest.skip("needs IPv6")
    with listener:
        assert address_of(listener).startswith("http://[::1]:")
