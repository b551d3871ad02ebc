"""Entries as compact JSON that is safe inside a ``<script>`` element."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmt.alignment.drawing.labels import clean, right_to_left
from nmt.alignment.links import format_links
from nmt.alignment.report.entries import Entry, Layer, Target, Text, Tree
from nmt.alignment.soft_alignment import Weights

STEPS = 255
"""Quantisation steps of a weight, relative to the largest of its matrix: an error of at most 0.2 per cent of it."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSAFE = {ord("<"): "\\u003c", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def encode(entries: Iterable[Entry]) -> bytes:
    """Write entries as JSON objects separated by commas."""
    return ",\n".join(embeddable(entry_record(entry)) for entry in entries).encode("utf-8")


def embeddable(value: Any) -> str:
    r"""Write JSON that cannot end its ``<script>`` element, whatever its strings contain.

    Replaces ``<``, which occurs only in strings, by the equivalent ``\u003c``, so that neither ``</script>`` nor
    ``<!--`` can arise. Lone surrogates become U+FFFD.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _LONE_SURROGATE.sub("\ufffd", text).translate(_UNSAFE)


def quantised(weights: Weights) -> list[Any]:
    """Write a matrix as ``[rows, columns, largest, base64]``, one byte per cell: ``largest * byte / STEPS``.

    Negative or non-finite values become 0.
    """
    matrix = np.nan_to_num(np.asarray(weights, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    largest = float(matrix.max(initial=0.0))
    parts = np.rint(matrix / largest * STEPS) if largest > 0 else matrix
    data = base64.b64encode(parts.astype(np.uint8).tobytes()).decode("ascii")
    return [*matrix.shape, float(f"{largest:.6g}"), data]


def entry_record(entry: Entry) -> dict[str, Any]:
    """Return an entry as a JSON object, which the scripts of the page read."""
    record: dict[str, Any] = {
        "number": entry.number,
        "source": _text(entry.source),
        "targets": [_target(target, entry.source) for target in entry.targets],
    }
    if entry.tree is not None:
        record["tree"] = tree_record(entry.tree)
    if entry.note:
        record["note"] = entry.note
    if entry.picture is not None:
        record["picture"] = {"image": _png(entry.picture.pixels), "shape": entry.picture.shape}
    return record


def _text(text: Text) -> dict[str, Any]:
    # No control characters and no direction marks, which would reverse the text after them.
    record: dict[str, Any] = {"words": [clean(word) for word in text.words]}
    if text.pieces:
        record |= {"pieces": [clean(piece) for piece in text.pieces], "owners": text.words_of_pieces}
    if text.file:
        record["file"] = clean(text.file)
    if right_to_left(text.words):
        record["rtl"] = True
    return record


def _target(target: Target, source: Text) -> dict[str, Any]:
    record = _text(target.text)
    record["measures"] = {name: _number(value) for name, value in target.measures.items()}
    if target.layers:
        record["layers"] = [_layer(layer, source, target.text) for layer in target.layers]
    if target.links:
        record["links"] = {name: format_links(links) for name, links in target.links.items()}
    if target.gold is not None:
        record["gold"] = format_links(target.gold)
    if target.log_probs:
        record["logProbs"] = [_number(value) for value in target.log_probs]
    if target.boxes:
        record["boxes"] = {word: [[*map(_number, box)] for box in boxes] for word, boxes in target.boxes.items()}
    return record


def _png(pixels: NDArray[np.uint8]) -> str:
    """Write pixels (H, W, 3) as a URL that holds a PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _layer(layer: Layer, source: Text, target: Text) -> dict[str, Any]:
    _check(layer.name, "words", layer.words, len(target.words), len(source.words))
    record: dict[str, Any] = {"name": layer.name, "words": quantised(layer.words)}
    if layer.pieces is not None:
        _check(layer.name, "pieces", layer.pieces, len(target.pieces), len(source.pieces))
        record["pieces"] = quantised(layer.pieces)
    if layer.relative:
        record["relative"] = True
    return record


def _check(name: str, unit: str, weights: Weights, rows: int, columns: int) -> None:
    """Check that the shape of a matrix fits its sentences.

    Raises:
        ValueError: it does not fit.
    """
    shape = np.shape(weights)
    if len(shape) != 2 or shape[0] - rows not in (0, 1) or shape[1] - columns not in (0, 1):
        raise ValueError(
            f"{unit} of layer {name} must be of shape ({rows}, {columns}), or one longer with the null word or eos, "
            f"but are of shape {shape}"
        )


def tree_record(tree: Tree) -> dict[str, Any]:
    """Return a tree as a JSON object: its branches column by column, each distinct piece once."""
    letters = {piece: index for index, piece in enumerate(dict.fromkeys(each.piece for each in tree.branches))}
    return {
        "letters": list(letters),
        "pieces": [letters[each.piece] for each in tree.branches],
        "parents": [each.parent for each in tree.branches],
        "logProbs": [_number(each.log_prob) for each in tree.branches],
        "totals": [_number(each.total) for each in tree.branches],
        "scores": [_number(each.score) for each in tree.branches],
        "fates": "".join(each.fate[0] for each in tree.branches),
        "returned": tree.returned,
    }


def _number(value: float | None) -> float | None:
    return round(value, 4) if value is not None and math.isfinite(value) else None
