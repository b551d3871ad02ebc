"""How two parts of a text are joined: by a space, or by nothing in scripts that are written without spaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from nmt.core.writing_systems import Writing, mostly_unspaced, writing, writings

# If spaces between letters of such scripts exceed this share of the letters, the text is written with spaces: it is
# tokenised, or its script puts spaces between phrases or sentences, as Thai does.
_MANY = 0.02


def join_parts(parts: Sequence[str]) -> tuple[str, list[bool]]:
    """Join parts of a text, each with at least one word, in the way that the text itself is written.

    No space is put between two parts if both letters at the joint are of a script without spaces. In a text mostly of
    such scripts, a space is put only if both letters are of scripts with spaces. If the parts themselves have spaces
    between letters of such scripts, a space is always put.

    Returns:
        The text, and for each part but the first whether its first word continues the last word of the previous part.
    """
    found = writings(parts)
    apart = sum(_ends(*pair) == (True, True) for part in parts for pair in pairwise(part.split()))
    with_spaces = apart > _MANY * (sum(found.values()) - found["spaced"])
    mostly = mostly_unspaced(found)
    text, merged = "".join(parts[:1]), []
    for left, right in pairwise(parts):
        ends = _ends(left, right)
        unspaced = all(ends) or (mostly and ends != (False, False))
        space = with_spaces or not unspaced
        merged.append(not (space or left[-1].isspace() or right[0].isspace()))
        text += f"{' ' if space else ''}{right}"
    return text, merged


def _ends(left: str, right: str) -> tuple[bool | None, bool | None]:
    """Whether the letters at the joint are of scripts without spaces; ``None`` where there is no letter."""
    return _unspaced(reversed(left)), _unspaced(right)


def _unspaced(letters: Iterable[str]) -> bool | None:
    how: Writing | None = next(filter(None, map(writing, letters)), None)
    return None if how is None else how != "spaced"
