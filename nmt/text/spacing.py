"""What stands between two parts of a text: a space, or nothing in scripts that are written without spaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from nmt.core.writing_systems import Writing, mostly_unspaced, writing, writings

# Spaces between such letters, as a share of the letters, from which on a text is taken to be written with spaces: it is
# tokenised, or its script puts them between phrases or sentences, as Thai does.
_MANY = 0.02


def join_parts(parts: Sequence[str]) -> tuple[str, list[bool]]:
    """Join parts of a text as it is written itself.

    Two parts that meet in letters of a script without spaces are joined without one, and so are others where the text
    is mostly of such a script, unless both meet in letters of scripts with spaces; but not where the parts themselves
    have spaces between such letters.

    Args:
        parts: each with a word.

    Returns:
        The text, and for each part but the first whether its first word goes on with the last one of the part before.
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
    """Whether the letters that meet are of scripts without spaces; ``None`` where there is no letter."""
    return _unspaced(reversed(left)), _unspaced(right)


def _unspaced(letters: Iterable[str]) -> bool | None:
    how: Writing | None = next(filter(None, map(writing, letters)), None)
    return None if how is None else how != "spaced"
