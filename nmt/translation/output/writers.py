"""Output formats: translations as text, TSV or JSON lines; alignments as JSON lines."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, get_args

from nmt.alignment.links import Links, format_links
from nmt.translation.lines import ScoredTarget, Translation
from nmt.translation.markup.document import Document

Format: TypeAlias = Literal["text", "tsv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Writer(Protocol):
    """Writes a line."""

    def __call__(self, translation: Translation, markup: Document | None = None) -> str:
        """Return the output of a line, with line ends; given the markup of the line, its translations have it too."""


def writer_of(name: Format, *, weights: bool = False) -> Writer:
    """Return the writer of a format; with ``weights``, JSON lines hold the attention matrix between words."""
    if name == "jsonl":
        return partial(jsonl, weights=weights)
    return text if name == "text" else tsv


def text(translation: Translation, markup: Document | None = None) -> str:
    """Write the best translation: one output line per input line, but of HTML what stands there."""
    end = "" if markup is not None and markup.kind == "html" else "\n"
    return f"{_marked_up(translation, translation.best, markup)}{end}"


def pharaoh(translation: Translation) -> str:
    """Write the links of the best translation: one output line per input line, source-target, words from 0."""
    return f"{format_links(translation.alignment)}\n"


def tsv(translation: Translation, markup: Document | None = None) -> str:
    """Write line number, rank (both from 1), score, confidence and text of each hypothesis; a tab becomes a space."""
    rows = []
    for rank, each in enumerate(translation.hypotheses, start=1):
        numbers = f"{translation.source.number}\t{rank}\t{each.score:.6f}\t{each.confidence:.6f}"
        rows.append(f"{numbers}\t{_marked_up(translation, each, markup).replace(chr(9), ' ')}\n")
    return "".join(rows)


def jsonl(translation: Translation, markup: Document | None = None, *, weights: bool = False) -> str:
    """Write the record of a translation as one JSON object."""
    return _line(record_of(translation, markup, weights=weights))


def record_of(translation: Translation, markup: Document | None = None, *, weights: bool = False) -> dict[str, Any]:
    """Return a translation as a JSON object.

    Its keys are ``line`` (from 1), ``source``, ``source_spans`` (start and end of each word in the source, in
    characters from 0) and ``hypotheses``, best first. Each has ``text``, ``spans`` (of its words in the text),
    ``score``, ``log_prob`` (nats), ``confidence``, ``finished`` (whether it ends in eos), ``cut`` (whether the length
    limit ended it, not the model), ``pieces``, ``piece_log_probs`` (that of eos last, if finished), ``alignment``
    (Pharaoh, words from 0, by the attention during search), with minimum Bayes risk the ``utility`` (expected chrF,
    0 to 100) by which they are ranked and, on request, ``weights``: one row per target word, one column per source
    word, then the null word; ``null`` without attention. For a line
    translated in parts, ``parts`` is their number; a line without a translation has a ``problem``. Keys of the input's
    JSON lines that ask nothing follow. Of a line with markup, the ``text`` of a hypothesis has its tags, and ``plain``
    is the text without them, to which spans and all else refer; ``source`` is the text that was translated.
    """
    record: dict[str, Any] = {
        "line": translation.source.number,
        "source": translation.source.text,
        "source_spans": translation.source.spans,
        "hypotheses": [_hypothesis(each, weights=weights) for each in translation.hypotheses],
    }
    if markup is not None:
        for hypothesis, each in zip(record["hypotheses"], translation.hypotheses, strict=True):
            hypothesis |= {"text": _marked_up(translation, each, markup), "plain": each.text}
    if translation.parts > 1:
        record["parts"] = translation.parts
    if translation.problem:
        record["problem"] = translation.problem
    return {**record, **translation.extra}


def soft_alignment(target: ScoredTarget, links: Links | None = None) -> str:
    """Write a forced target and its weights as one JSON object.

    Its keys are ``line`` (from 1), ``source`` and ``target`` (words), ``source_spans`` and ``target_spans`` (start
    and end of each word in its raw line, in characters from 0), ``log_prob`` (nats), ``confidence``, ``alignment``
    (Pharaoh, words from 0) and ``weights``: one row per target word, one column per source word, then the null word;
    ``null`` for a pair with a blank side.

    Args:
        target: the forced target.
        links: its alignment; by default each target word to its heaviest source word.
    """
    record = {
        "line": target.source.number,
        "source": target.source.words,
        "target": target.words,
        "source_spans": target.source.spans,
        "target_spans": target.spans,
        "log_prob": number(target.log_prob),
        "confidence": number(target.confidence),
        "alignment": format_links(target.alignment if links is None else links),
        "weights": _matrix(target),
    }
    return _line(record)


def _marked_up(translation: Translation, target: ScoredTarget, markup: Document | None) -> str:
    """The text of a hypothesis, with the tags of its line."""
    if markup is None:
        return target.text
    if translation.problem and markup.kind == "xml":
        return ""
    return markup.restored([None if translation.problem else target] * len(markup.texts))


def _hypothesis(target: ScoredTarget, *, weights: bool) -> dict[str, Any]:
    record: dict[str, Any] = {
        "text": target.text,
        "spans": target.spans,
        "score": number(target.score),
        "log_prob": number(target.log_prob),
        "confidence": number(target.confidence),
        "finished": target.finished,
        "cut": target.cut,
        "pieces": list(target.pieces.pieces),
        "piece_log_probs": [number(each, 4) for each in target.hypothesis.token_log_probs],
        "alignment": format_links(target.alignment),
    }
    if target.utility is not None:
        record["utility"] = number(target.utility)
    if weights:
        record["weights"] = _matrix(target)
    return record


def _matrix(target: ScoredTarget) -> list[list[float | None]] | None:
    weights = target.weights
    return None if weights is None else [[number(each, 4) for each in row] for row in weights.tolist()]


def number(value: float, digits: int = 6) -> float | None:
    """Round a number for JSON; an infinite score (probability 0) becomes ``null``."""
    return round(value, digits) if math.isfinite(value) else None


def _line(record: dict[str, Any]) -> str:
    # Unicode line separators stay escaped, so that readers that split at them still find one object per line.
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085") + "\n"
