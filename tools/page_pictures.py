"""Draw the pictures of docs/page.md: the server's page, in a headless browser.

Start the server, then give its address and a folder:

    nmt-serve de-en=runs/deen --port 5000
    python tools/page_pictures.py http://127.0.0.1:5000 docs

The sentence from right to left is not translated by a model: its translation and its attention are written below.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

from nmt.alignment.links import Links
from nmt.alignment.report.entries import Entry, Layer, Target, Text
from nmt.alignment.report.json_entries import entry_record
from nmt.text.words import word_spans

SENTENCES = "Zwei Hunde spielen mit einem Ball im Schnee. Ein Mann schaut ihnen zu."
PATIENCE = 120_000  # milliseconds

ENGLISH = "The little girl is reading a book in the garden."
ARABIC = "تقرأ الفتاة الصغيرة كتابا في الحديقة."
# Word of the translation: English words, and the probability of the word.
LINKED = (((4, 3), 0.9), ((2, 0), 0.8), ((1,), 0.95), ((6, 5), 0.6), ((7,), 0.97), ((9, 8), 0.9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with sync_playwright() as driver:
        path = shutil.which("chromium") or driver.chromium.executable_path
        browser = driver.chromium.launch(executable_path=path)
        for name, draw in PICTURES.items():
            page = draw(browser, options.address)
            page.screenshot(path=options.folder / f"{name}.png")
            page.close()
        browser.close()


def opened(browser: Browser, address: str, *, width: int = 1280, height: int = 800, **media: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce", **media)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    return page


def translated(page: Page, text: str) -> None:
    page.locator("#source").fill(text)
    page.locator("#translation .word").last.wait_for()
    settled(page)


def settled(page: Page) -> None:
    page.locator("body.busy, #translation .stale, #translation .waiting").first.wait_for(state="detached")


def word(page: Page, text: str) -> Locator:
    return page.locator("#translation .word", has_text=text).first


def choosing(browser: Browser, address: str) -> Page:
    """A desktop: the menu of a word, while its links are shown."""
    page = opened(browser, address)
    translated(page, SENTENCES)
    word(page, "play").click()
    page.locator("#menu").get_by_text("…", exact=False).nth(1).wait_for(state="detached")
    return page


def writing(browser: Browser, address: str) -> Page:
    """In the dark: a translation that is written on, and the beam."""
    page = opened(browser, address, color_scheme="dark")
    translated(page, SENTENCES)
    page.locator("#translation .word").first.focus()
    page.locator("#pictures [data-value=beam]").click()
    page.locator("#translation .word").nth(2).focus()
    page.keyboard.type("are p")
    page.locator(".completion:not(.stale)").filter(has_text="laying").wait_for()
    return page


def phone(browser: Browser, address: str) -> Page:
    """A phone."""
    page = opened(browser, address, width=390, height=844, device_scale_factor=1.5, is_mobile=True, has_touch=True)
    translated(page, SENTENCES.split(".", maxsplit=1)[0] + ".")
    word(page, "ball").focus()
    return page


def right_to_left(browser: Browser, address: str) -> Page:
    """A translation from right to left, not by a model."""

    def answer(route: Route) -> None:
        if "/v1/models" in route.request.url:
            route.fulfill(json={"models": [{"name": "en-ar", "source": "en", "target": "ar", "search": None}]})
        else:
            route.fulfill(json={"lines": [arabic()]})

    page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.route("**/v1/*", answer)
    page.goto(address)
    translated(page, ENGLISH)
    page.locator("#translation .word").nth(3).focus()
    return page


def arabic() -> dict[str, Any]:
    """The record of the Arabic sentence."""
    words, others = ARABIC.split(), ENGLISH.split()
    weights = np.full((len(words), len(others) + 1), 0.02)
    for row, (columns, _) in enumerate(LINKED):
        weights[row, columns[0]] += 1.0
        weights[row, list(columns[1:])] += 0.45
    weights /= weights.sum(axis=1, keepdims=True)
    log_probs = [math.log(chance) for _, chance in LINKED]
    links = Links(frozenset((column, row) for row, (columns, _) in enumerate(LINKED) for column in columns))
    measures = {"score": sum(log_probs) / len(words), "confidence": math.exp(sum(log_probs) / len(words))}
    own = Text(tuple(words), tuple(f"\u2581{each}" for each in words), tuple(range(len(words))))
    target = Target(own, (Layer("attention", weights),), {"links": links}, None, measures, (*log_probs, -0.01))
    entry = Entry(1, Text(tuple(others)), (target,))
    return {
        "source": ENGLISH,
        "source_spans": word_spans(ENGLISH),
        "hypotheses": [{"text": ARABIC, "spans": word_spans(ARABIC)}],
        "entry": entry_record(entry),
    }


PICTURES = {"page": choosing, "page-dark": writing, "page-phone": phone, "page-rtl": right_to_left}

if __name__ == "__main__":
    main()
