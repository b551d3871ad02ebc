"""nmt-check --html, opened in a headless browser; skips where none is found."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from tiny_training import write_corpus

from nmt.cli import check
from nmt.core.errors import NmtError
from nmt.data.checks import page_document
from nmt.data.checks.corpora import check_data
from nmt.data.checks.portrait import Portrait
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.data_config import DataConfig
from nmt.text.subword import SubwordConfig

HOSTILE = '<script>document.title = "run"</script> <img src=x onerror=alert(1)> & </td></table> \u202eevil $title'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpora")
    write_corpus(path, train=300)
    for suffix in ("xx", "yy"):
        file = path / f"train.{suffix}"
        lines = file.read_text(encoding="utf-8").splitlines()
        lines[4] = HOSTILE
        lines[7] = "" if suffix == "xx" else lines[7]
        file.write_text("".join(f"{line}\n" for line in [*lines, *[lines[20]] * 30]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page_path(folder: Path) -> Path:
    path = folder / "corpora.html"
    files = ["--source", str(folder / "train.xx"), "--target", str(folder / "train.yy")]
    held_out = ["--test", str(folder / "test.xx"), str(folder / "test.yy")]
    assert check.main([*files, *held_out, "--html", str(path), "--quiet"]) == 1
    return path


@pytest.fixture
def page(page_path: Path) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: tools/setup dev")
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if installed is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=installed)
        tab = running.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
        tab.set_default_timeout(120_000)
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: said.append(request.url) if request.url != page_path.as_uri() else None)
        tab.goto(page_path.as_uri())
        yield tab
        assert said == []
        running.close()


def test_the_page_shows_pictures_and_findings(page: Any) -> None:
    assert page.title() == "Corpora"
    assert page.locator("h2").all_inner_texts()[0].endswith("train.yy")
    titles = ["Lengths", "Lengths of both sides", "Ratio of lengths", "Pieces of a word", "Repetitions"]
    assert page.locator("figure h3").all_inner_texts() == titles * 2
    assert "330 pairs" in page.locator(".numbers").first.inner_text()
    assert page.locator(".finding.error").count() >= 1
    for picture in page.locator("figure > svg").all():
        box = picture.bounding_box()
        assert box["width"] > 200 and box["height"] > 60
    shown = page.locator("figure").first.locator("rect").all()
    # The bars of a side add up to all lines that are not blank.
    told = [re.search(r": ([\d,]+) lines", each.inner_html()) for each in shown]
    assert sum(int(each[1].replace(",", "")) for each in told if each) == 2 * 329
    assert "more often" in page.locator(".repeated").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_text_of_the_corpus_stays_text(page: Any, page_path: Path) -> None:
    copies = page.locator(".finding", has_text="both sides are equal")
    copies.locator("summary").click()
    shown = copies.locator("td").all_inner_texts()
    assert any('<script>document.title = "run"</script>' in each and "$title" in each for each in shown)
    assert page.locator("script").count() == 1 and page.locator("main img").count() == 0
    assert "\u202e" not in page_path.read_text(encoding="utf-8")
    policy = page.locator("meta[http-equiv]").get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy


def test_it_is_light_or_dark(page: Any) -> None:
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light == "rgb(255, 255, 255)" != dark
    page.locator("#theme").click()
    assert page.locator("#theme").inner_text() == "Light" and page.evaluate(paper) == light


def test_a_page_that_cannot_be_written_is_refused_before_the_check(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = ["--source", str(folder / "test.xx"), "--target", str(folder / "test.yy")]
    for path, message in (("nowhere/page.html", "cannot write the report"), ("page.html.gz", "leave out .gz")):
        assert check.main([*files, "--html", str(folder / path)]) == 1
        said = capfd.readouterr()
        assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_check_is_told_though_its_page_cannot_be_written_in_the_end(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise NmtError("no space")

    monkeypatch.setattr(page_document, "write_page", full)
    files = ["--source", str(folder / "test.xx"), "--target", str(folder / "test.yy")]
    assert check.main([*files, "--html", str(folder / "page.html")]) == 1
    said = capfd.readouterr()
    assert "no space" in said.err and "errors" in said.out


def portrait(tmp_path: Path, pairs: list[tuple[str, str]], **subword: Any) -> Portrait:
    for side, suffix in enumerate(("xx", "yy")):
        (tmp_path / suffix).write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    corpus = TextCorpusConfig(source="xx", target="yy")
    data = DataConfig(root=str(tmp_path), train=(corpus,), subword=SubwordConfig(**subword))
    (found,) = check_data(data, portraits=True).portraits
    return found


def test_numbers_of_a_portrait(tmp_path: Path) -> None:
    pairs = [("a b c", "a b c d e f"), ("a b c d", "a b c d e f g h"), ("", "x")] + [("e f g", "x y z u v w")] * 3
    found = portrait(tmp_path, pairs)
    assert found.unit == "words" and found.width == 1 and found.lengths.sum(1).tolist() == [5, 5]
    assert found.lengths[0][:4].tolist() == [0, 0, 4, 1] and found.lengths[1][[5, 6]].tolist() == [
        4,
        1,
    ]  # the longest, of 8, is in the last bin
    assert found.joint[5, 2] == 4 and found.joint[6, 3] == 1 and found.joint.sum() == 5
    assert found.usual == pytest.approx(11 / 5) and found.ratios.sum() == 5
    assert found.repeated == {"once": 3, "twice": 0, "3–5 times": 3, "6–20 times": 0, "more often": 0}


def test_pieces_of_words_add_up_to_the_words(tmp_path: Path) -> None:
    write_corpus(tmp_path, train=100)
    lines = [(tmp_path / f"train.{suffix}").read_text(encoding="utf-8").splitlines() for suffix in ("xx", "yy")]
    found = portrait(tmp_path, list(zip(*lines, strict=True)), size=8000)
    assert found.pieces is not None
    assert found.pieces.sum(1).tolist() == [sum(len(line.split()) for line in side) for side in lines]
    assert found.pieces[:, 1:].sum() > 0  # a vocabulary that is too large is made smaller, and words have pieces


def test_a_text_without_spaces_is_measured_in_characters(tmp_path: Path) -> None:
    found = portrait(tmp_path, [("あいうえおかきくけこ" * (1 + place % 3), "a b c d e") for place in range(9)])
    assert found.unit == "characters" and int(numpy.flatnonzero(found.lengths[0]).max()) * found.width <= 30
