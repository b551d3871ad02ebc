"""Answers of ``POST /v1/translate`` by a word list in place of a model, which honours prefixes, with trees to read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from report_entries import soft, text

from nmt.alignment.links import Links
from nmt.alignment.report.entries import Branch, Entry, Layer, Target, Tree
from nmt.alignment.report.json_entries import entry_record
from nmt.text.words import word_spans

WORDS = {
    "das": ("the", "this"),
    "kleine": ("little", "small"),
    "Haus": ("house", "home"),
    "Haus.": ("house.", "home."),
    "Ein": ("A", "One"),
    "Hund": ("dog", "hound"),
    "bellt.": ("barks.", "barks"),
    "hello": ("שלום", "היי"),
    "world": ("עולם", "תבל"),
}
PROBABILITIES = (0.8, 0.15)
UNFINISHED = ("bui", "building"), 0.04
"""What the beam dropped in the place of Haus, which is the beginning of a word."""

DROPPED = ("\u2581hut", "\u2581is")
"""A word and what followed it, of no translation."""

SURE = math.log(0.99)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Translate the lines of a request."""
    return {
        "lines": [record(line, number, tree=body.get("tree", False)) for number, line in enumerate(body["lines"], 1)]
    }


def record(line: dict[str, Any], number: int = 1, *, tree: bool = True) -> dict[str, Any]:
    """Translate a line word by word; the n-best list differs from the best in one word each."""
    source, count = line["text"], line["search"]["n_best"]
    choices = [WORDS.get(word, (word.upper(),)) for word in source.split()]
    begun = line.get("prefix", "")
    given = begun.split()
    if given and not begun.endswith(" "):
        last = choices[len(given) - 1] if len(given) <= len(choices) else ()
        given[-1] = next((word for word in (*last, UNFINISHED[0][1]) if word.startswith(given[-1])), given[-1])
    best = [*given, *(words[0] for words in choices[len(given) :])]
    lists = [best]
    for place in range(len(given), len(choices)):
        lists += [[*best[:place], other, *best[place + 1 :]] for other in choices[place][1:]]
    return made(line, [*map(" ".join, lists[:count])], number, tree=tree)


def made(line: dict[str, Any], texts: Sequence[str], number: int = 1, *, tree: bool = True) -> dict[str, Any]:
    """The record of a line with given translations."""
    own = text(line["text"])
    targets = tuple(_target(own, each, rank) for rank, each in enumerate(texts))
    entry = Entry(number, own, targets, _tree([each.text.pieces for each in targets]) if tree else None)
    return {
        "line": number,
        "source": line["text"],
        "source_spans": word_spans(line["text"]),
        "hypotheses": [
            {
                "text": each,
                "spans": word_spans(each),
                "score": -0.5 - rank,
                "pieces": list(target.text.pieces),
                "piece_log_probs": list(target.log_probs),
            }
            for rank, (each, target) in enumerate(zip(texts, targets, strict=True))
        ],
        "entry": entry_record(entry),
    }


def _target(source: Any, words: str, rank: int) -> Target:
    own = text(words)
    chances = []
    for place, piece in enumerate(own.pieces):
        first = place == 0 or own.words_of_pieces[place] != own.words_of_pieces[place - 1]
        chances.append(_chance(own.words[own.words_of_pieces[place]]) if first and piece else SURE)
    shape, pieces = (len(own.words), len(source.words) + 1), (len(own.pieces) + 1, len(source.pieces) + 1)
    links = Links(frozenset((place, place) for place in range(min(len(own.words), len(source.words)))))
    layers = (Layer("attention", soft(*shape), soft(*pieces)),)
    measures = {"score": -0.5 - rank, "confidence": 0.7, "entropy": 1.0}
    return Target(own, layers, {"links": links}, None, measures, (*chances, SURE))


def _chance(word: str) -> float:
    ranks = [words.index(word) for words in WORDS.values() if word in words and len(words) > 1]
    return math.log(PROBABILITIES[ranks[0]]) if ranks else SURE


def _tree(several: Sequence[Sequence[str]]) -> Tree:
    """All continuations of several translations, and one that the beam dropped."""
    branches: list[Branch] = []
    places: dict[tuple[str, ...], int] = {}
    returned = []

    def add(path: tuple[str, ...], chance: float, fate: str) -> int:
        if path not in places:
            parent = places[path[:-1]] if len(path) > 1 else -1
            total = chance + (branches[parent].total if parent >= 0 else 0.0)
            places[path] = len(branches)
            branches.append(Branch(parent, path[-1], chance, total, total, fate))
        return places[path]

    for pieces in several:
        for end in range(1, len(pieces) + 1):
            piece = pieces[end - 1]
            whole = "".join(pieces[end - 1 : end + 2]).split("\u2581")[1:2]
            chance = _chance(whole[0]) if piece.startswith("\u2581") and whole else SURE
            if piece == "\u2581hou":
                add((*pieces[: end - 1], f"\u2581{UNFINISHED[0][0]}"), math.log(UNFINISHED[1]), "pruned")
                add((*pieces[: end - 1], DROPPED[0]), math.log(0.02), "kept")
                add((*pieces[: end - 1], *DROPPED), SURE, "pruned")
            add(tuple(pieces[:end]), chance, "kept")
        returned.append(add((*pieces, ""), SURE, "finished"))
    return Tree(tuple(branches), tuple(returned))
