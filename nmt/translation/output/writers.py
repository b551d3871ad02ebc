"""Output formats: translations as text, TSV or JSON lines; alignments as JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from nmt.alignment.links import Links, format_links
from nmt.translation.lines import ScoredTarget, Translation

Format: TypeAlias = Literal["text", "tsv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)

Writer: TypeAlias = Callable[[Translation], str]
"""Returns the output of a line, with line ends."""


def writer_of(name: Format, *, weights: bool = False) -> Writer:
    """Return the writer of a format; with ``weights``, JSON lines hold the attention matrix between words."""
    if name == "jsonl":
        return lambda translation: jsonl(translation, weights=weights)
    return text if name == "text" else tsv


def text(translation: Translation) -> str:
    """Write the best translation: one output line per input line."""
    return f"{translation.text}\n"


def pharaoh(translation: Translation) -> str:
    """Write the links of the best translation: one output line per input line, source-target, words from 0."""
    return f"{format_links(translation.alignment)}\n"


def tsv(translation: Translation) -> str:
    """Write line number, rank (both from 1), score, confidence and text of each hypothesis; a tab becomes a space."""
    rows = []
    for rank, each in enumerate(translation.hypotheses, start=1):
        numbers = f"{translation.source.number}\t{rank}\t{each.score:.6f}\t{each.confidence:.6f}"
        rows.append(f"{numbers}\t{each.text.replace(chr(9), ' ')}\n")
    return "".join(rows)


def jsonl(translation: Translation, *, weights: bool = False) -> str:
    """Write the record of a translation as one JSON object."""
    return _line(record_of(translation, weights=weights))


def record_of(translation: Translation, *, weights: bool = False) -> dict[str, Any]:
    """Return a translation as a JSON object.

    Its keys are ``line`` (from 1), ``source``, ``source_spans`` (start and end of each word in the source, in
    characters from 0) and ``hypotheses``, best first. Each has ``text``, ``spans`` (of its words in the text),
    ``score``, ``log_prob`` (nats), ``confidence``, ``finished`` (whether it ends in eos), ``cut`` (whether the length
    limit ended it, not the model), ``pieces``, ``piece_log_probs`` (that of eos last, if finished), ``alignment``
    (Pharaoh, words from 0, by the attention during search) and, on request, ``weights``: one
    row per target word, one column per source word, then the null word; ``null`` without attention. For a line
    translated in parts, ``parts`` is their number; a line without a translation has a ``problem``. Keys of the input's
    JSON lines that ask nothing follow.
    """
    record: dict[str, Any] = {
        "line": translation.source.number,
        "source": translation.source.text,
        "source_spans": translation.source.spans,
        "hypotheses": [_hypothesis(each, weights=weights) for each in translation.hypotheses],
    }
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
