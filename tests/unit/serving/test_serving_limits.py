from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from echoing import Asking, EchoEngine, echo_model, echo_service, refused

from nmt.cli.options.serve_options import serve_parser
from nmt.cli.serve import LIMITS
from nmt.search.search_config import SearchConfig
from nmt.serving.engine import Busy, Expired, Stopped
from nmt.serving.web.limits import Limits
from nmt.serving.web.service import Service

LINE = {"text": "ab"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def small() -> Any:
    limits = Limits(body_bytes=400, characters=20, lines=3, body_seconds=0.2)
    with Asking(echo_service(limits=limits)) as opened:
        yield opened


async def chunks(*several: bytes) -> AsyncIterator[bytes]:
    for each in several:
        yield each


def test_the_help_tells_the_limits() -> None:
    told = " ".join(serve_parser().format_help().split())
    for option, limit in LIMITS.items():
        help_of = told.partition(f" --{option.replace('_', '-')} ")[2].split(" --")[0]
        assert f"default: {getattr(Limits(), limit):.0f}" in help_of, option


@pytest.mark.parametrize("told", [True, False])
def test_a_large_body_is_refused(small: Asking, told: bool) -> None:
    body = b'{"text": "' + b"x" * 400 + b'"}'
    answer = small("POST", "/v1/translate", content=body if told else chunks(body[:200], body[200:]), headers=JSON)
    assert ("content-length" in answer.request.headers) == told
    assert refused(answer, 413) == "the body must be at most 400 bytes, but is larger"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v1/translate", {"text": "a" * 21}, "a request must have at most 20 characters, but has 21"),
        ("/v1/translate", {"text": "a" * 9, "prefix": "b" * 9, "avoid": ["ccc"]}, "but has 21"),
        ("/v1/translate", {"lines": [LINE] * 4}, "a request must have at most 3 lines, but has 4"),
        ("/v1/translate/stream", {"text": "a" * 21}, "but has 21"),
        ("/translate", {"q": "a\nb\n\nc\nd", "source": "de", "target": "en"}, "at most 3 lines, but has 4"),
        ("/translate", {"q": ["a" * 11, "b" * 10], "source": "de", "target": "en"}, "but has 21"),
        ("/translator/translate", [{"src": "a"}] * 4, "at most 3 lines, but has 4"),
    ],
)
def test_too_much_text_is_refused(small: Asking, path: str, body: Any, sentence: str) -> None:
    assert sentence in refused(small.post(path, body), 413)


def test_a_slow_body_is_refused(small: Asking) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"text": '
        await asyncio.sleep(30)
        yield b'"ab"}'

    answer = small("POST", "/v1/translate", content=slowly(), headers=JSON)
    assert refused(answer, 408) == "the body must arrive within 0.2 seconds, but has not"


def test_the_search_of_the_recipe_is_allowed_whatever_it_is() -> None:
    usual = SearchConfig(beam_size=50, max_length_offset=1000)
    with Asking(echo_service(echo_model(search=usual))) as asking:
        assert asking.post("/v1/translate", {**LINE, "search": {"beam_size": 50}}).status_code == 200
        assert "at most 50" in refused(asking.post("/v1/translate", {**LINE, "search": {"beam_size": 51}}), 400)


def test_samples_to_choose_from_are_limited_as_those_that_are_returned() -> None:
    drawing: dict[str, object] = {"strategy": "sampling", "mbr": "chrf"}
    with Asking(echo_service(limits=Limits(beam_size=8))) as asking:
        for search in ({**drawing, "mbr_samples": 8}, {**drawing, "strategy": "beam"}, {"strategy": "sampling"}):
            assert asking.post("/v1/translate", {**LINE, "search": search}).status_code == 200
        sentence = "search.mbr_samples must be at most 8 on this server, but is 100"
        assert sentence in refused(asking.post("/v1/translate", {**LINE, "search": drawing}), 400)


@pytest.mark.parametrize(
    ("failure", "status", "retry"),
    [
        (Busy(2.6), 503, "3"),
        (Stopped("ending"), 503, "5"),
        (Expired("late"), 504, None),
        (KeyError("secret"), 500, None),
    ],
)
def test_what_the_engine_raises_is_answered(
    failure: Exception, status: int, retry: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with Asking(echo_service(echo_model(failure=failure))) as asking:
        for path in ("/v1/translate", "/v1/translate/stream"):
            answer = asking.post(path, LINE)
            sentence = refused(answer, status)
            assert answer.headers.get("retry-after") == retry
            assert (status == 500) == ("the server made a mistake" in sentence)
        assert asking.get("/health").status_code == 200
    assert ("which is a bug: KeyError" in caplog.text) == (status == 500)
    assert ("tests/echoing.py" in caplog.text) == (status == 500)  # where it arose
    assert "secret" not in caplog.text


def test_more_weights_than_allowed_are_refused() -> None:
    with Asking(echo_service(limits=Limits(weights=0))) as asking:
        assert asking.post("/v1/translate", LINE).status_code == 200
        for key in ("attention", "entry"):
            assert "at most 0 weights" in refused(asking.post("/v1/translate", {**LINE, key: True}), 413)


def test_an_answer_that_is_not_there_in_time_is_given_up() -> None:
    model = echo_model(waits=True)
    with Asking(echo_service(model, limits=Limits(seconds=0.1))) as asking:
        assert refused(asking.post("/v1/translate", LINE), 504) == "the answer was not there within 0.1 seconds"
    engine: Any = model.engine
    assert engine.cancelled == 1


def test_more_requests_at_once_than_allowed_are_refused() -> None:
    model = echo_model(waits=True)
    engine: Any = model.engine
    with Asking(echo_service(model, limits=Limits(requests=2))) as asking:

        async def crowd() -> list[int]:
            posted = [asyncio.create_task(asking.client.post("/v1/translate", json=LINE)) for _ in range(2)]
            await until(lambda: engine.lines == 2)
            third = await asking.client.post("/v1/translate", json=LINE)
            assert third.headers["retry-after"] == "1"
            engine.go.set()
            return [*[answer.status_code for answer in await asyncio.gather(*posted)], third.status_code]

        assert asking.run(crowd()) == [200, 200, 503]
        assert asking.post("/v1/translate", LINE).status_code == 200


async def until(holds: Any) -> None:
    while not holds():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/translate/stream"])
def test_a_client_that_goes_away_takes_its_lines_out_of_the_queue(path: str) -> None:
    engine = EchoEngine(waits=True)
    model = echo_model()
    object.__setattr__(model, "engine", engine)
    service = echo_service(model)
    with Asking(service) as asking:
        asking.run(left(asking, engine, path))
        assert engine.cancelled == 1
        assert service.state.requests == 0
        assert f'route="{path}",status="499"' in asking.get("/metrics").text


async def left(asking: Asking, engine: EchoEngine, path: str) -> None:
    gone = asyncio.Event()
    told = [{"type": "http.request", "body": b'{"text": "ab"}', "more_body": False}]

    async def receive() -> dict[str, Any]:
        if told:
            return told.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "http_version": "1.1",
        "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 5000),
    }  # fmt: skip
    asked = asyncio.create_task(asking.app(scope, receive, send))
    await until(lambda: engine.lines == 1)
    gone.set()
    await asked


@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b"", "application/json", 400, "the body must be JSON, but is not"),
        (b"{", "application/json", 400, "(line 1, column 2)"),
        (b'{"text": "\xff"}', "application/json", 400, "the body must be UTF-8, but is not at byte 10"),
        (b'{"text": "\\ud800"}', "application/json", 400, "half a surrogate pair"),
        (b'{"text": "a", "x": NaN}', "application/json", 400, "finite numbers"),
        (b'{"text": "a", "x": 1e999}', "application/json", 400, "numbers must be finite"),
        (b'{"text": "a", "x": ' + b"9" * 5000 + b"}", "application/json", 400, "of usual length"),
        (b"[" * 100_000, "application/json", 400, "nested at most 32 deep"),
        (b"[" * 33 + b"]" * 33, "application/json", 400, "nested at most 32 deep"),
        (b'{"text": "a"}', "text/plain", 415, "must be of type application/json, but is text/plain"),
        (b'{"text": "a"}', "", 415, "but is of no type"),
        (b"text=a", "application/x-www-form-urlencoded", 415, "must be of type application/json"),
    ],
)
def test_a_body_that_is_no_strict_json_is_refused(body: bytes, kind: str, status: int, sentence: str) -> None:
    with Asking(echo_service()) as asking:
        answer = asking.post("/v1/translate", content=body, headers={"Content-Type": kind} if kind else {})
    assert sentence in refused(answer, status)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"q=%ff&source=de&target=en", "must be a form in UTF-8"),
        (b"q=\xff", "the body must be UTF-8"),
        (b"q=a&" * 1001, "at most 1000 fields"),
        (b"q=%ED%A0%80&source=de&target=en", "must be a form in UTF-8"),
    ],
)
def test_a_form_that_is_no_form_is_refused(body: bytes, sentence: str) -> None:
    with Asking(echo_service()) as asking:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert sentence in refused(asking.post("/translate", content=body, headers=form), 400)


def test_a_packed_body_is_refused() -> None:
    with Asking(echo_service()) as asking:
        answer = asking.post("/v1/translate", content=b"x", headers={**JSON, "Content-Encoding": "gzip"})
    assert "must not be packed" in refused(answer, 415)


def test_other_methods_and_paths_are_refused() -> None:
    with Asking(echo_service()) as asking:
        answer = asking("PUT", "/translate")
        assert refused(answer, 405) == "/translate must be asked by POST, but is by PUT"
        assert answer.headers["allow"] == "POST"
        refused(asking.get("/v2/translate"), 404)
        refused(asking.post("/v1/translate/", LINE), 404)


@pytest.mark.parametrize("log_text", [False, True])
def test_the_log_has_texts_only_on_request(log_text: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Asking(echo_service(log_text=log_text)) as asking:
        asking.post("/v1/translate", {"text": "geheim\u2028x"})
        asking.post("/v1/translate/stream", {"text": "geheim"})
        asking.post("/translate", {"q": "geheim", "source": "de", "target": "geheim"})
        asking.post("/geheim?geheim=geheim", {"text": "geheim"})
        asking.post("/v1/translate", {"text": "geheim", "search": {"geheim": 1}})
    mine = [record.getMessage() for record in caplog.records if record.name == "nmt"]
    assert any("POST /v1/translate: 200" in each for each in mine)
    assert any("geheim" in each for each in mine) == log_text
    assert not any("\u2028" in each for each in mine)


def test_an_ending_server_refuses_what_comes() -> None:
    service: Service = echo_service()
    with Asking(service) as asking:
        service.state.ending = True
        for path in ("/v1/models", "/health"):
            answer = asking.get(path)
            assert "the server is ending" in refused(answer, 503)
            assert answer.headers["connection"] == "close"


def test_what_was_done_is_counted() -> None:
    with Asking(echo_service()) as asking:
        asking.post("/v1/translate", {"lines": [LINE, LINE]})
        asking.post("/v1/translate", {})
        asking.post("/v1/translate/stream", LINE)
        asking.get("/secret/text")
        counts = asking.get("/metrics").text
    assert 'nmt_requests_total{route="/v1/translate",status="200"} 1.0' in counts
    assert 'nmt_requests_total{route="/v1/translate",status="400"} 1.0' in counts
    assert 'nmt_requests_total{route="another path",status="404"} 1.0' in counts
    assert 'nmt_request_seconds_count{route="/v1/translate"} 2.0' in counts
    assert 'nmt_sentences_total{model="de-en"} 3.0' in counts
    assert 'nmt_queue_lines{model="de-en"} 0.0' in counts
    assert "secret" not in counts
    with Asking(echo_service()) as asking:
        assert "nmt_sentences_total{" not in asking.get("/metrics").text
