"""Tags of corpora: a word before each source, such as ``<bt>``, that tells a model where the text is from."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.core.characters import is_blank
from nmt.core.logging import few
from nmt.text.subword import symbol_problem


def with_tag(source: str, tag: str) -> str:
    """Put a tag before a source, unless that is blank."""
    return source if is_blank(source) else f"{tag} {source}"


def tag_problem(tag: str, known: Sequence[str] | None = None) -> str | None:
    """Return why a text cannot be the tag of a corpus, if it cannot.

    Args:
        tag: the text.
        known: what it must be one of: the symbols of a vocabulary, or those that it will have.
    """
    if problem := symbol_problem(tag):
        return problem
    if tag[0].isalnum() or tag[-1].isalnum():
        ends = "must begin and end with a character that is neither letter nor digit, such as"
        return f"{ends} <{tag}>: a symbol is cut out of words that contain it; it is {tag}"
    if not any(map(str.isalnum, tag)):
        return f"must have a letter or digit, such as <bt>: no translation has a tag, but texts may have {tag}"
    if known is not None and tag not in known:
        learnt = f"one of {few(known)}" if known else "left out"
        return f"must be {learnt}: a model learns the tags of data.train, and symbols of its vocabulary; it is {tag}"
    return None
