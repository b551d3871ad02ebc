"""Word alignment links: sure and possible pairs, read from and written to Pharaoh and TALP files.

A line has the links of one sentence pair: ``SOURCE-TARGET`` (a sure link) or ``SOURCEpTARGET`` (a possible one), as in
``0-1 2p3``. Pharaoh files count words from 0, TALP files from 1; inside the program all indices count from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nmt.core.errors import DataError
from nmt.core.storage.files import read_text_lines

Link: TypeAlias = tuple[int, int]
"""(source word, target word), both counted from 0."""

# At most nine digits: no sentence has more words, and Python refuses numbers of thousands of digits.
_FIELD = re.compile(r"([0-9]{1,9})([-p])([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one sentence pair; every sure link is also a possible one (Och and Ney, 2003).

    Args:
        sure: links that a correct alignment must have.
        possible: links that a correct alignment may have; the sure ones are added automatically.
    """

    sure: frozenset[Link] = frozenset()
    possible: frozenset[Link] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sure", frozenset(self.sure))
        object.__setattr__(self, "possible", frozenset(self.possible) | self.sure)

    @property
    def only_possible(self) -> frozenset[Link]:
        """The possible links that are not sure."""
        return self.possible - self.sure

    def __str__(self) -> str:
        return format_links(self)


def parse_links(text: str, *, first_index: Literal[0, 1] = 0, where: str = "") -> Links:
    """Read one line of links.

    Args:
        text: links separated by white space; may be empty.
        first_index: index of the first word of a sentence in the text.
        where: file and line, for the start of an error message.

    Returns:
        The links, counted from 0. A pair that is both sure and possible is sure.

    Raises:
        DataError: a field is not a link, or has an index below ``first_index``.
    """
    sure: set[Link] = set()
    possible: set[Link] = set()
    for number, field in enumerate(text.split(), start=1):
        place = f"{where + ', ' if where else ''}field {number}"
        match = _FIELD.fullmatch(field)
        if match is None:
            shown = field if len(field) <= 60 else f"{field[:57]}..."
            raise DataError(
                f"{place}: a link must be SOURCE-TARGET (sure) or SOURCEpTARGET (possible), such as 0-1 or 2p3, "
                f"but is {shown!r}"
            )
        link = int(match[1]) - first_index, int(match[3]) - first_index
        if min(link) < 0:
            raise DataError(
                f"{place}: link {field} has the index 0, but words were said to count from 1; "
                "this proves that the file counts from 0: read it with first_index=0 (--gold-first-index 0)"
            )
        (sure if match[2] == "-" else possible).add(link)
    return Links(frozenset(sure), frozenset(possible))


def format_links(links: Links, *, first_index: Literal[0, 1] = 0) -> str:
    """Format the links of one sentence pair as a line (without line end), sorted by source, then target word."""
    return " ".join(_format_link(link, link in links.sure, first_index) for link in sorted(links.possible))


def read_links(
    path: str | Path,
    *,
    first_index: Literal[0, 1] = 0,
    source_lengths: Sequence[int] | None = None,
    target_lengths: Sequence[int] | None = None,
) -> list[Links]:
    """Read a file of links, one line per sentence pair.

    Args:
        path: a text file in Pharaoh or TALP format, plain or compressed.
        first_index: index of the first word of a sentence in the file (TALP: 1).
        source_lengths: words of each source sentence; with ``target_lengths``, to check the links.
        target_lengths: words of each target sentence.

    Returns:
        One ``Links`` per line, counted from 0.

    Raises:
        DataError: the file cannot be read, a field is not a link, or ``check_links`` refuses it.
    """
    result = [
        parse_links(line, first_index=first_index, where=f"{path}, line {number}")
        for number, line in enumerate(read_text_lines(path, what="file of links"), start=1)
    ]
    if source_lengths is not None and target_lengths is not None:
        check_links(result, source_lengths, target_lengths, path=path, first_index=first_index)
    return result


def check_links(
    links: Sequence[Links],
    source_lengths: Sequence[int],
    target_lengths: Sequence[int],
    *,
    path: str | Path,
    first_index: Literal[0, 1] = 0,
) -> None:
    """Raise an error for links that point outside their sentences, whose lengths are given in words.

    Path and index of the first word in the file are for the message.

    Raises:
        DataError: the numbers of lines differ, or a link is out of range: names line, link and sentence lengths, and
            says so if the links prove that the file counts from 1 though it was read as counting from 0.
    """
    if not len(links) == len(source_lengths) == len(target_lengths):
        raise DataError(
            f"{path}: has {len(links)} lines, but there are {len(source_lengths)} source and {len(target_lengths)} "
            "target sentences; every sentence pair needs one line of links, which may be empty"
        )
    outside = [
        (number, link)
        for number, (each, source, target) in enumerate(zip(links, source_lengths, target_lengths, strict=True), 1)
        for link in sorted(each.possible)
        if not _fits(link, source, target)
    ]
    if not outside:
        return
    number, link = outside[0]
    field = _format_link(link, link in links[number - 1].sure, first_index)
    source, target = source_lengths[number - 1], target_lengths[number - 1]
    message = (
        f"{path}, line {number}: link {field} is out of range: the source has {source} words and the target "
        f"{target}, counted from {first_index}"
    )
    if len(outside) > 1:
        message += f" (and {len(outside) - 1} more such links in the file)"
    if first_index == 0 and _counts_from_one(links, source_lengths, target_lengths):
        message += (
            "; no link has an index 0 and all would fit counted from 1: read the file with first_index=1 "
            "(--gold-first-index 1)"
        )
    raise DataError(message)


def _fits(link: Link, source_length: int, target_length: int) -> bool:
    return 0 <= link[0] < source_length and 0 <= link[1] < target_length


def _counts_from_one(links: Iterable[Links], source_lengths: Iterable[int], target_lengths: Iterable[int]) -> bool:
    return all(
        _fits((i - 1, j - 1), source, target)
        for each, source, target in zip(links, source_lengths, target_lengths, strict=True)
        for i, j in each.possible
    )


def _format_link(link: Link, sure: bool, first_index: int) -> str:
    return f"{link[0] + first_index}{'-' if sure else 'p'}{link[1] + first_index}"
