"""What stands between two parts of a text: a space, or nothing in scripts that are written without spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

# Scripts that put no space between words: Han, Kana, Bopomofo and Yi with their signs and full-width forms, Tangut and
# Nushu; Thai, Lao, Tibetan, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Javanese, Tai Viet.
_UNSPACED = (
    "\u2e80-\u303f\u3041-\u312f\u31a0-\u4dbf\u4e00-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff9f\U00016fe0-\U00018dff"
    "\U0001afe0-\U0001b2ff\U00020000-\U0003ffff"
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
)
_ONE = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[^\W\d_{_UNSPACED}]+")
_TOGETHER = re.compile(f"[{_UNSPACED}](?=[{_UNSPACED}])")
_APART = re.compile(f"[{_UNSPACED}] +(?=[{_UNSPACED}])")
# Of the places between two such characters those with a space, from which on a text is taken to be written with spaces:
# because it is tokenised, or because its script puts them between phrases or sentences, as Thai does.
_MANY = 0.02


def join_parts(parts: Sequence[str]) -> tuple[str, list[bool]]:
    """Join parts of a text as it is written itself.

    Two parts that meet in letters of a script without spaces are joined without one, and so are two of which one does
    if the text is mostly of such a script; but not where the parts themselves have spaces there.

    Args:
        parts: each with a word.

    Returns:
        The text, and for each part but the first whether its first word goes on with the last one of the part before.
    """
    apart = sum(len(_APART.findall(part)) for part in parts)
    together = sum(len(_TOGETHER.findall(part)) for part in parts)
    with_spaces = apart > _MANY * (apart + together)
    unspaced, spaced = (sum(len(pattern.findall(part)) for part in parts) for pattern in (_ONE, _WORD))
    mostly = unspaced > spaced
    text, merged = "".join(parts[:1]), []
    for left, right in pairwise(parts):
        ends = _ONE.match(left.rstrip()[-1]) is not None, _ONE.match(right.lstrip()[0]) is not None
        space = with_spaces or not (all(ends) or (any(ends) and mostly))
        merged.append(not (space or left[-1].isspace() or right[0].isspace()))
        text += f"{' ' if space else ''}{right}"
    return text, merged
