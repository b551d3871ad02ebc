"""The files of the server's page: all of them served, whole, by the application, and none that loads anything else."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nmt.alignment.drawing import pages
from nmt.serving import page_files
from nmt.serving.page_files import SCRIPTS, files

FOLDER = Path(page_files.__file__).parent / "page"
ROOT = FOLDER.parents[2]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def text_of(path: str) -> str:
    return files()[path][1].decode("utf-8")


def test_every_file_is_used_and_goes_into_the_wheel() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*SCRIPTS, "page.html", "page.css", "icon.svg"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["nmt"]
    assert {*FOLDER.iterdir()} <= {path for pattern in patterns for path in (ROOT / "nmt").glob(pattern)}
    script = text_of("/page/page.js")
    for name in (*pages.PICTURES, *SCRIPTS):
        source = next(path for path in (ROOT / "nmt").rglob(name) if path.parent.name in ("pictures", "page"))
        assert source.read_text(encoding="utf-8") in script or source.parent != FOLDER


def test_what_the_page_names_is_served_and_nothing_stands_in_it() -> None:
    tags = Tags(text_of("/")).found
    named = {value for _, attributes in tags for name in ("src", "href") if (value := attributes.get(name))}
    assert {f"/{name}" for name in named} == {*files()} - {"/"}
    assert [attributes for tag, attributes in tags if tag == "script"] == [{"src": "page/page.js", "defer": None}]
    assert not [tag for tag, attributes in tags if tag == "style" or any(name.startswith("on") for name in attributes)]
    assert not [attributes for _, attributes in tags if "style" in attributes], "the policy would drop it"


def test_nothing_is_loaded_from_elsewhere_and_no_markup_is_made_of_text() -> None:
    script, style = text_of("/page/page.js"), text_of("/page/page.css")
    assert re.findall(r"https?://[^\s\"']+", script + style) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in style
    assert "@import" not in style
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|XMLHttp|import\(|localStorage|cookie"
    )
    assert not re.search(forbidden, script)
    assert not re.search(r"setAttribute\(\"style|style: ", script), "the policy would drop it"


def test_every_key_is_explained() -> None:
    script = pages.script("nmt.serving", SCRIPTS)
    own, shared = (re.search(rf"const {name} = \{{(.*?)\n\}};", script, re.DOTALL) for name in ("PLAIN", "KEYS"))
    assert own and shared
    keys = re.findall(r'^  "?([^\s":]+)"?:', own[1] + shared[1], re.MULTILINE)
    assert {"e", "j", "/", "N", "?"} <= {*keys} and len(keys) == len({*keys})
    for path in (FOLDER / "page.html", ROOT / "docs" / "page.md"):
        explained = set(re.findall(r"<kbd>(.+?)</kbd>", path.read_text(encoding="utf-8")))
        assert {key.lower() for key in keys} - {"?"} <= explained  # as h does
        assert {"Enter", "Esc", "Tab", "←", "→", "↑", "↓", "1", "9"} <= explained


def test_the_application_serves_them_without_a_key() -> None:
    pytest.importorskip("fastapi", reason='needs the server: pip install "nmt[serve]"')
    from echoing import Asking, echo_service

    from nmt.serving.web.access import Access

    with Asking(echo_service(access=Access(keys=(b"x",)))) as ask:
        for path, (media_type, content) in files().items():
            answer = ask.get(path)
            assert (answer.status_code, answer.content) == (200, content)
            assert answer.headers["content-type"] == media_type
            assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        assert ask.get("/page/page.html").status_code == 404
        assert ask.get("/page/../page_files.py").status_code == 404
        assert ask.get("/v1/models").status_code == 401
