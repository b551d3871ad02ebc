"""``nmt-serve`` as a process of its own, and clients that others have written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from libretranslatepy import LibreTranslateAPI
from tiny_run import sentences

from nmt.cli.serve import main
from nmt.serving.web.server import listen
from nmt.translation.translator import Translator

PATIENCE = 400.0
LINE = sentences(1)[0]


class Served:
    """A server in a process of its own; its log is read as it comes."""

    def __init__(self, *arguments: object) -> None:
        parts = [sys.executable, "-m", "nmt.cli.serve", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            parts,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Whoever runs the tests in the background has SIGINT ignored; the command must not inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        self.log += (line.decode() for line in stream)

    def address(self) -> str:
        """Wait until it serves, and return its address."""
        self.wait(lambda: self.process.poll() is not None or "http://" in self.told())
        found = re.search(r"http://\S+", self.told())
        assert found, self.told()
        return found[0]

    def told(self) -> str:
        return "".join(self.log)

    def wait(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.told()
            time.sleep(0.02)

    def ended(self) -> int:
        """Wait for its end, and return its status."""
        status = self.process.wait(PATIENCE)
        self._reader.join()
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[Served]:
    served = Served(*arguments)
    try:
        yield served
    finally:
        served.close()


@pytest.fixture(scope="module")
def served(tiny_run: Path) -> Iterator[Served]:
    with serving(f"de-en={tiny_run}", "--port", 0) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(served: Served) -> str:
    return served.address()


@pytest.fixture(scope="module")
def translated(tiny_run: Path) -> str:
    return Translator.load(tiny_run).translate([LINE])[0].text


def connected(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def answer_of(connection: socket.socket) -> tuple[int, Any]:
    """Read the answer until the server closes the connection: its status and its JSON."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


def test_a_client_of_libretranslate_works_unchanged(address: str, translated: str) -> None:
    client = LibreTranslateAPI(address)
    assert client.translate(LINE, "de", "en") == translated
    assert client.translate(f"{LINE}\n\n{LINE}", "auto", "en") == f"{translated}\n\n{translated}"
    assert client.detect(LINE) == [{"confidence": 100.0, "language": "de"}]
    assert client.languages()[0] == {"code": "de", "name": "German", "targets": ["en"]}


def test_all_protocols_give_the_translation_of_the_translator(address: str, translated: str) -> None:
    answer = httpx.post(f"{address}/translator/translate", json=[{"src": LINE}], timeout=PATIENCE)
    assert answer.json()[0][0]["tgt"] == translated
    asked = {"text": LINE, "tree": True, "entry": True, "attention": True}
    answer = httpx.post(f"{address}/v1/translate", json=asked, timeout=PATIENCE)
    record = answer.json()
    (hypothesis,) = record["hypotheses"]
    assert hypothesis["text"] == translated
    assert len(hypothesis["weights"]) == len(translated.split())
    assert record["tree"]["pieces"]
    assert record["entry"]["tree"] == record["tree"]
    greedy = {"strategy": "greedy"}
    refused = httpx.post(f"{address}/v1/translate", json={**asked, "search": greedy}, timeout=PATIENCE)
    assert (refused.status_code, "a tree needs the strategy beam" in refused.json()["error"]) == (422, True)
    streamed = httpx.post(f"{address}/v1/translate/stream", json={"text": LINE}, timeout=PATIENCE)
    deltas = [json.loads(line[6:])["text"] for line in streamed.text.splitlines() if line.startswith("data: ")]
    answer = httpx.post(f"{address}/v1/translate", json={"text": LINE, "search": greedy}, timeout=PATIENCE)
    assert "".join(deltas[:-1]) == deltas[-1] == answer.json()["hypotheses"][0]["text"]
    sampled = {"text": LINE, "search": {"strategy": "sampling", "n_best": 3, "seed": 4}}
    first, second = (httpx.post(f"{address}/v1/translate", json=sampled, timeout=PATIENCE).json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("text", ["\0", "a\0b", "\u2028", "\r", "🙂", "ア\u0301", "x" * 5000, "<s> </s>", "▁"])
def test_any_text_is_translated_or_refused(address: str, text: str) -> None:
    for path, body in (
        ("/v1/translate", {"text": text, "entry": True, "attention": True}),
        ("/translate", {"q": text, "source": "de", "target": "en", "format": "html"}),
        ("/v1/translate", {"text": LINE, "prefix": text}),
        ("/v1/translate", {"text": LINE, "constraints": [text], "avoid": [text + "b"]}),
    ):
        answer = httpx.post(f"{address}{path}", json=body, timeout=PATIENCE)
        assert answer.status_code in (200, 400, 422), answer.text


def test_batches_are_counted(address: str) -> None:
    httpx.post(f"{address}/v1/translate", json={"lines": [{"text": LINE}] * 3}, timeout=PATIENCE)
    counts = httpx.get(f"{address}/metrics", timeout=PATIENCE).text
    batches = re.search(r'^nmt_batch_lines_count\{model="de-en"\} (\S+)$', counts, re.MULTILINE)
    lines = re.search(r'^nmt_batch_lines_sum\{model="de-en"\} (\S+)$', counts, re.MULTILINE)
    assert batches
    assert lines
    assert float(lines[1]) >= float(batches[1]) + 2


def test_the_log_has_no_text(served: Served, address: str) -> None:
    answer = httpx.post(f"{address}/v1/translate", json={"text": LINE, "constraints": ["ǂǂ"]}, timeout=PATIENCE)
    assert answer.status_code == 422
    assert "ǂǂ" in answer.json()["error"]
    served.wait(lambda: "POST /v1/translate: 422" in served.told())
    assert "ǂǂ" not in served.told()
    assert LINE not in served.told()


def test_what_was_taken_is_finished_and_the_rest_refused(tiny_run: Path) -> None:
    with serving(tiny_run, "--port", 0) as served, connected(served.address()) as connection:
        address = served.address()
        body = json.dumps({"text": LINE}).encode()
        head = f"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        asked = "Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(f"{head}{asked}".encode())
        assert b"100 Continue" in connection.recv(100)  # the request is taken, and its body waited for
        served.process.send_signal(signal.SIGTERM)
        served.wait(lambda: "finishing 1 requests" in served.told())
        refused = httpx.get(f"{address}/health", timeout=PATIENCE)
        assert refused.status_code == 503
        assert "the server is ending" in refused.json()["error"]
        connection.sendall(body)
        status, record = answer_of(connection)
        assert status == 200
        assert record["hypotheses"]
        assert served.ended() == 0
        assert served.log[-1] == "ended\n"
        assert "Traceback" not in served.told()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once_and_well(tiny_run: Path, number: signal.Signals) -> None:
    with serving(tiny_run, "--port", 0) as served:
        served.address()
        served.process.send_signal(number)
        assert served.ended() == 0


COMPUTING = """
import time, torch
from nmt.translation.translator import Translator

def compute(self, *arguments):
    until = time.monotonic() + 300
    while time.monotonic() < until:
        torch.ones(64, 64) @ torch.ones(64, 64)

Translator.translate_numbered = compute
"""


@contextlib.contextmanager
def computing(tiny_run: Path, folder: Path, *options: object) -> Iterator[Served]:
    """A server whose thread computes for longer than the test takes; Python cannot end beside one."""
    (folder / "computing.py").write_text(COMPUTING)
    with serving(tiny_run, "--port", 0, "--import", folder / "computing.py", *options) as served:
        yield served


def wait_for_batch(served: Served) -> None:
    """Wait until a batch is computed."""
    metrics = f"{served.address()}/metrics"
    served.wait(lambda: re.search(r"_lines_count\S* 1", httpx.get(metrics, timeout=PATIENCE).text) is not None)


def test_a_second_signal_ends_the_server_amid_a_translation(tiny_run: Path, tmp_path: Path) -> None:
    with computing(tiny_run, tmp_path) as served, connected(served.address()) as connection:
        body = json.dumps({"text": LINE}).encode()
        head = f"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        wait_for_batch(served)
        served.process.send_signal(signal.SIGTERM)
        served.wait(lambda: "finishing 1 requests" in served.told())
        served.process.send_signal(signal.SIGTERM)
        assert served.ended() == -signal.SIGTERM, served.told()
        assert "Traceback" not in served.told() and "terminate" not in served.told()


def test_a_translation_that_was_given_up_does_not_spoil_the_end(tiny_run: Path, tmp_path: Path) -> None:
    with computing(tiny_run, tmp_path, "--timeout", 1) as served:
        late = httpx.post(f"{served.address()}/v1/translate", json={"text": LINE}, timeout=PATIENCE)
        assert late.status_code == 504
        served.process.send_signal(signal.SIGTERM)
        assert served.ended() == 0, served.told()
        assert served.log[-1] == "ended\n"


def test_a_second_signal_after_the_end_of_the_server_is_no_abort(tiny_run: Path, tmp_path: Path) -> None:
    with computing(tiny_run, tmp_path, "--timeout", 1) as served:
        httpx.post(f"{served.address()}/v1/translate", json={"text": LINE}, timeout=PATIENCE)
        served.process.send_signal(signal.SIGTERM)
        served.wait(lambda: served.told().endswith("ended\n"))
        served.process.send_signal(signal.SIGTERM)
        assert served.ended() in (0, -signal.SIGTERM), served.told()  # 0: the signal came late
        assert served.log[-1] == "ended\n"


def test_a_server_that_was_killed_can_begin_again_at_once(tiny_run: Path) -> None:
    with serving(tiny_run, "--port", 0) as first, httpx.Client(timeout=PATIENCE) as client:
        address = first.address()
        assert client.get(f"{address}/health").status_code == 200
        first.process.kill()
        first.ended()
        with serving(tiny_run, "--port", address.rpartition(":")[2]) as second:
            assert second.address() == address
            answer = httpx.post(f"{address}/v1/translate", json={"text": LINE}, timeout=PATIENCE)
            assert answer.status_code == 200


def test_what_it_means_to_be_reached_by_others_is_told_and_a_key_is_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("secret\n")
    options = ("--api-key-file", keys, "--beam-size", 7, "--min-length", 1)
    with serving(tiny_run, "--host", "0.0.0.0", "--port", 0, *options) as served:
        address = served.address().replace("0.0.0.0", "127.0.0.1")
        warning = (
            "warning: others can reach 0.0.0.0 and translate with a key of --api-key-file; texts travel unencrypted"
        )
        assert warning in served.told()
        assert httpx.get(f"{address}/v1/models", headers={"Host": "any.example"}, timeout=PATIENCE).status_code == 401
        model = {"source": "de", "target": "en", "q": LINE}
        assert httpx.post(f"{address}/translate", data={**model, "api_key": "x"}, timeout=PATIENCE).status_code == 403
        headers = {"Authorization": "Bearer secret"}
        (told,) = httpx.get(f"{address}/v1/models", headers=headers, timeout=PATIENCE).json()["models"]
        assert (told["search"]["beam_size"], told["search"]["min_length"], told["search"]["n_best"]) == (7, 1, 1)
        client = LibreTranslateAPI(address, "secret")
        assert client.detect(LINE)[0]["language"] == client.languages()[0]["code"]


def test_what_it_says_when_it_begins(served: Served, address: str) -> None:
    told = served.told()
    assert told.index("loading de-en=") < told.index("model de-en: de to en") < told.index(f"serving at {address}")
    assert address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{run}", "--port", "{taken}"], 1, "choose another --port"),
        (["{run}", "--host", "192.0.2.1"], 1, "cannot listen on 192.0.2.1"),
        (["{run}", "--host", "no.such.host.invalid"], 1, "--host no.such.host.invalid: must be an address of this"),
        (["{run}", "--port", "70000"], 2, "--port must be between 0 and 65535, but is 70000"),
        (["{run}", "--port", "0", "--beam-size", "0"], 2, "--beam-size must be at least 1, but is 0"),
        (["{run}", "--port", "0", "--top-k", "3"], 2, "--top-k needs --strategy sampling, but the strategy is beam"),
        (["{run}", "--max-lines", "0"], 2, "--max-lines must be at least 1, but is 0"),
        (["{run}", "--api-key-file", "/nowhere/keys"], 1, "/nowhere/keys"),
        (["{run}", "--cors", "*"], 2, "--cors must be an origin, such as https://example.org, but is *"),
        (["{run}-not-there", "--port", "0"], 1, "run-not-there"),
        (["{run}", "a={run}", "a={run}", "--port", "0"], 2, "two models have the name a"),
    ],
)
def test_what_cannot_be_served_ends_in_one_message(
    tiny_run: Path, arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run.parent / "run"
    with listen("127.0.0.1", 0) as taken:
        names = {
            "run": str(tiny_run) if "-not-there" not in arguments[0] else str(run),
            "taken": taken.getsockname()[1],
        }
        assert main([each.format(**names) for each in arguments]) == status
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_without_the_extra_it_says_what_to_install(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.cli.serve.NEEDED", ("fastapi", "no_such_library"))
    assert main([str(tiny_run)]) == 1
    assert 'nmt-serve needs no_such_library; install it: pip install "nmt[serve]"' in capsys.readouterr().err
