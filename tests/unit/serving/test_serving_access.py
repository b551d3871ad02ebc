from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from echoing import Asking, echo_service, refused

from nmt.core.errors import DataError
from nmt.serving.web.access import Access, hosts_of, read_keys
from nmt.serving.web.gate import HEADERS

LINE = {"text": "ab"}
TEXT = {"q": "ab", "source": "de", "target": "en"}
PAGE = {"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"}


@pytest.fixture
def keys(tmp_path: Path) -> tuple[bytes, ...]:
    path = tmp_path / "keys.txt"
    path.write_text("first\n\n  second \n")
    return read_keys(path)


@pytest.fixture
def guarded(keys: tuple[bytes, ...]) -> Any:
    with Asking(echo_service(access=Access(keys))) as opened:
        yield opened


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


POSTED = [
    ("/v1/translate", LINE),
    ("/v1/translate/stream", LINE),
    ("/translate", TEXT),
    ("/detect", {"q": "ab"}),
    ("/translator/translate", [{"src": "ab"}]),
]
READ = ["/v1/models", "/translator/models", "/metrics"]
OPEN = ["/", "/page/page.js", "/health", "/languages", "/frontend/settings", "/openapi.json"]


@pytest.mark.parametrize(("path", "body"), [*POSTED, *((path, None) for path in READ)])
def test_what_translates_or_tells_needs_a_key(guarded: Asking, path: str, body: Any) -> None:
    method = "GET" if body is None else "POST"
    answer = guarded(method, path, json=body)
    assert "Authorization: Bearer KEY" in refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "must be one that the server knows" in refused(guarded(method, path, json=body, headers=bearer("x")), 403)
    assert refused(guarded(method, path, json=body, headers={"Authorization": "Basic first"}), 401)
    for key in ("first", "second"):
        assert guarded(method, path, json=body, headers=bearer(key)).status_code == 200


@pytest.mark.parametrize("path", [*READ, *OPEN])
def test_head_is_answered_as_get(guarded: Asking, path: str) -> None:
    for headers in ({}, bearer("first")):
        read, head = guarded.get(path, headers=headers), guarded("HEAD", path, headers=headers)
        assert head.status_code == read.status_code
        assert head.headers["content-type"] == read.headers["content-type"]
    assert guarded("HEAD", "/v1/translate").status_code == 405


@pytest.mark.parametrize("path", OPEN)
def test_what_tells_nothing_of_the_models_texts_needs_none(guarded: Asking, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(("path", "body"), [("/translate", TEXT), ("/detect", {"q": "ab"})])
def test_the_protocol_of_libretranslate_has_its_own_key(guarded: Asking, path: str, body: dict[str, str]) -> None:
    assert guarded.post(path, {**body, "api_key": "second"}).status_code == 200
    assert guarded.post(path, data={**body, "api_key": "first"}).status_code == 200
    refused(guarded.post(path, {**body, "api_key": "no"}), 403)
    refused(guarded.post(path, {**body, "api_key": ""}), 401)


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("\n  \n")
    with pytest.raises(DataError, match="must have an API key a line, but has none"):
        read_keys(path)
    with pytest.raises(DataError, match=r"no\.txt"):
        read_keys(tmp_path / "no.txt")


@pytest.mark.parametrize(("host", "others", "allowed", "refused_names"), [
    ("127.0.0.1", (), ["localhost:5000", "127.0.0.1", "[::1]:5000"], ["evil.example", "evil.example:5000", "", "[::"]),
    ("127.0.0.1", ("mt.example",), ["mt.example", "MT.example:80", "localhost"], ["evil.example"]),
    ("0.0.0.0", (), ["whatever", ""], []),
    ("10.1.2.3", ("mt.example",), ["10.1.2.3:5000", "mt.example"], ["evil.example"]),
])  # fmt: skip
def test_a_server_is_asked_by_its_own_names(
    host: str, others: tuple[str, ...], allowed: list[str], refused_names: list[str]
) -> None:
    with Asking(echo_service(access=Access(hosts=hosts_of(host, others)))) as asking:
        for name in allowed:
            assert asking.get("/health", headers={"Host": name}).status_code == 200, name
        for name in refused_names:
            assert "--allow-host" in refused(asking.get("/health", headers={"Host": name}), 403), name


@pytest.mark.parametrize(("origin", "status"), [
    (None, 200),
    ("http://127.0.0.1:5000", 200),
    ("https://mt.example", 200),
    ("https://friend.example", 200),
    ("http://127.0.0.1:8080", 200),  # a page of this machine
    ("https://evil.example", 403),
    ("http://friend.example", 403),
    ("null", 403),
    ("http://[", 403),
])  # fmt: skip
def test_pages_of_other_sites_are_refused_unless_named(origin: str | None, status: int) -> None:
    access = Access(hosts=hosts_of("127.0.0.1", ["mt.example"]), origins=("https://friend.example",))
    with Asking(echo_service(access=access)) as asking:
        answer = asking.post("/v1/translate", LINE, headers={} if origin is None else {"Origin": origin})
    assert answer.status_code == status
    told = answer.headers.get("access-control-allow-origin")
    assert told == (origin if origin == "https://friend.example" else None)


@pytest.mark.parametrize("name", ["Mt.Example", "mt.example:8443"])
def test_a_host_is_allowed_in_any_letters_and_with_a_port(name: str) -> None:
    assert hosts_of("127.0.0.1", [name]) == hosts_of("127.0.0.1", ["mt.example"])


def test_what_is_no_host_is_refused() -> None:
    with pytest.raises(DataError, match="--allow-host must be a name"):
        hosts_of("127.0.0.1", [""])


def test_a_browser_may_ask_whether_it_may_ask() -> None:
    asks = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    with Asking(echo_service(access=Access(origins=("https://friend.example",)))) as asking:
        answer = asking("OPTIONS", "/v1/translate", headers=asks)
        other = asking("OPTIONS", "/v1/translate", headers={**asks, "Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-origin" not in other.headers
    with Asking(echo_service()) as asking:
        answer = asking("OPTIONS", "/v1/translate", headers=asks)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/health", "/nothing", "/openapi.json", "/v1/translate"])
def test_every_answer_has_the_headers_of_security(path: str) -> None:
    with Asking(echo_service()) as asking:
        headers = asking.get(path).headers
    assert set(HEADERS) >= PAGE
    for name, value in HEADERS.items():
        assert headers[name] == value
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


@pytest.mark.parametrize("path", [
    "/etc/passwd", "/../../etc/passwd", "/page/../../../pyproject.toml", "/page/%2e%2e/%2e%2e/registry.py",
    "/page/page.js/", "//etc/passwd", "/page/", "/page/state.js", "/docs", "/redoc", "/%00", "/\\..\\x",
])  # fmt: skip
def test_no_file_is_read_through_it(path: str) -> None:
    with Asking(echo_service()) as asking:
        assert refused(asking.get(path), 404) == "there is nothing at this path; see /openapi.json"
