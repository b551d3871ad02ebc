"""Entries for reports in tests: hostile text, scripts, layers, gold links, n-best lists, a tree, a long line."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import numpy as np

from nmt.alignment.links import Links
from nmt.alignment.report.entries import Branch, Entry, Layer, Picture, Target, Text, Tree

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img/src=x/onerror=document.title='owned'>",
    "<!--",
    '"quoted"',
    "'single'",
    "&lt;b&gt;",
    "line\u2028separator\u2029",
    "\\u003c",
    "null\x00",
    "\u202eevil",
    "${1}$",
)


def soft(target: int, source: int, *, seed: int = 0, sharp: float = 3.0) -> np.ndarray:
    """Rows that sum to one, near the diagonal; the last column is the null word."""
    noise = np.random.default_rng(seed).normal(size=(target, source))
    places = np.arange(source) / (source - 1) - np.arange(target)[:, None] / target
    scores = noise * 0.6 - sharp * np.abs(places) * 2
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True)


def text(words: str, *, cut: int = 4) -> Text:
    """Words, each cut into pieces of at most ``cut`` letters."""
    pieces, owners = [], []
    for index, word in enumerate(words.split()):
        marked = f"\u2581{word}"
        for begin in range(0, len(marked), cut):
            pieces.append(marked[begin : begin + cut])
            owners.append(index)
    return Text(tuple(words.split()), tuple(pieces), tuple(owners))


def target(words: str, source: Text, *, gold: Links | None = None, seed: int = 0, **measures: float | None) -> Target:
    """A target with two layers, links, and numbers."""
    own = text(words)
    shape = len(own.words), len(source.words) + 1
    pieces = len(own.pieces) + 1, len(source.pieces) + 1
    diagonal = Links(frozenset((i, i) for i in range(min(len(own.words), len(source.words)))))
    return Target(
        own,
        (
            Layer("attention", soft(*shape, seed=seed), soft(*pieces, seed=seed)),
            Layer("gradient-x-input", soft(*shape, seed=seed + 1) * 7, soft(*pieces, seed=seed + 1) * 7, relative=True),
        ),
        {"links": diagonal},
        gold,
        {"score": -0.5, "confidence": 0.7, "entropy": 1.0, **measures},
        tuple(-0.1 * (index % 5) for index in range(pieces[0])),
    )


def entry(number: int, source: str, *targets: str, **options: object) -> Entry:
    own = text(source)
    gold = options.pop("gold", None)
    tree = options.pop("tree", None)
    made = tuple(target(words, own, gold=gold, seed=number + rank, **options) for rank, words in enumerate(targets))
    return Entry(number, own, made, tree)


def pictured(number: int = 1, *, keeps: float = 0.0) -> Entry:
    """A picture under a grid of 2 x 3 cells; "a" looks everywhere, "red" at cell 4, "star" at cells 1 and 2.

    ``keeps`` is what a sentinel keeps of the attention of "star".
    """
    rows = [[1 / 6] * 6, [0, 0, 0, 0, 1, 0], [0, 0.75 - keeps, 0.25, 0, 0, 0]]
    words = tuple(f"{row},{column}" for row in (1, 2) for column in (1, 2, 3))
    own = Text(("a", "red", "star"), ("\u2581a", "\u2581red", "\u2581star"), (0, 1, 2))
    pixels = np.full((20, 30, 3), 180, dtype=np.uint8)
    pixels[10:, 10:20] = (200, 30, 30)
    made = Target(own, (Layer("attention", np.array(rows)),), boxes={1: [(1 / 3, 0.5, 2 / 3, 1.0)]})
    return Entry(number, Text(words, file="folder/a red star.png"), (made,), picture=Picture(pixels, (2, 3)))


def small_tree() -> Tree:
    """A beam of two over three steps; the first hypothesis is "the house", the second "a house"."""
    rows = [
        (-1, "\u2581the", -0.4, "kept"),
        (-1, "\u2581a", -1.3, "kept"),
        (-1, "\u2581one", -3.0, "pruned"),
        (0, "\u2581house", -0.2, "kept"),
        (1, "\u2581house", -0.3, "kept"),
        (0, "\u2581home", -2.2, "pruned"),
        (3, "", -0.1, "finished"),
        (4, "", -0.1, "finished"),
        (3, "s", -2.9, "stopped"),
    ]
    totals: list[float] = []
    branches = []
    for parent, piece, log_prob, fate in rows:
        totals.append(log_prob + (totals[parent] if parent >= 0 else 0.0))
        branches.append(Branch(parent, piece, log_prob, totals[-1], totals[-1] / 1.5, fate))
    return Tree(tuple(branches), (6, 7))


LONG = " ".join(f"wort{index}" for index in range(60))


def all_entries() -> list[Entry]:
    gold = Links(frozenset({(0, 0), (2, 2)}), frozenset({(1, 1)}))
    return [
        entry(1, "das kleine Haus", "the little house", gold=gold, entropy=0.4),
        entry(2, " ".join(HOSTILE), " ".join(reversed(HOSTILE)), entropy=2.5),
        entry(3, "ein Haus", "the house", "a house", tree=small_tree(), entropy=0.9, score=-0.2),
        entry(4, "السلام عليكم يا أصدقاء", "peace be upon you , friends", entropy=1.2),
        entry(5, "good morning , world", "בוקר טוב , עולם", entropy=1.4),
        entry(6, LONG, LONG.replace("wort", "word"), entropy=3.1),
        entry(7, "私は 日本語を 話します", "Я говорю по-японски", entropy=None),
        Entry(8, Text(()), (Target(Text(()), measures={"score": 0.0}),), note="A side of this pair is blank."),
    ]


def entries_in(page: str) -> list[dict[str, Any]]:
    """Read the entries back from a page, as a browser would find them."""
    reader = _Scripts()
    reader.feed(page)
    reader.close()
    return [entry for chunk in reader.chunks for entry in json.loads(chunk)["entries"]]


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = ("class", "entries") in attrs
        if self._inside:
            self.chunks.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.chunks[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False
