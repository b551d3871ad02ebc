"""Reading the small tables that hold the lexicon."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Return the words of a table that is just words."""
    return tuple(text.split())
