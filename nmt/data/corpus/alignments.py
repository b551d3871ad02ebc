"""Word alignments of a corpus: one Pharaoh line per sentence pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from nmt.alignment.links import Link, parse_links
from nmt.core.errors import DataError
from nmt.core.storage.files import LineCount, read_text_lines
from nmt.text.words import WordKind, counts_differ, in_two_ways, word_spans, words_of_tokens

AlignedPair = tuple[str, str, tuple[Link, ...]]


def with_alignments(pairs: Iterable[tuple[str, str]], path: Path, *, tokenized: bool = False) -> Iterator[AlignedPair]:
    """Add to each pair its links, both sure and possible, sorted.

    Args:
        pairs: raw sentence pairs.
        path: a file in Pharaoh format, one line per pair, words from 0, plain or compressed; lines may be empty.
        tokenized: whether the links count tokens between spaces (U+0020) instead of white-space words.

    Yields:
        Source, target, and links between white-space words; if a token is several words, each gets its links.

    Raises:
        DataError: the file is missing, has more or fewer lines, an invalid link, or a link to a word that does
            not exist; names file, line and link.
    """
    count = LineCount()
    lines = read_text_lines(path, count=count, what="alignment")
    number = 0
    for source, target in pairs:
        number += 1
        line = next(lines, None)
        if line is not None:
            yield source, target, _links(line, source, target, where=f"{path}: line {number}", tokenized=tokenized)
    for _ in lines:
        pass
    if count.lines != number:
        raise DataError(
            f"{path} has {count.lines} lines, but its corpus has {number} sentence pairs: every pair needs one line "
            "of links, which may be empty"
        )


def _links(line: str, source: str, target: str, *, where: str, tokenized: bool) -> tuple[Link, ...]:
    links = tuple(sorted(parse_links(line, where=where).possible))
    kind: WordKind = "tokens" if tokenized else "whitespace"
    words = len(word_spans(source, kind)), len(word_spans(target, kind))
    for link in links:
        if link[0] >= words[0] or link[1] >= words[1]:
            raise DataError(
                f"{where}: link {link[0]}-{link[1]} is out of range: the source has {words[0]} words and the target "
                f"{words[1]}, counted from 0{in_two_ways(source, target, kind)}"
            )
    if not tokenized or not counts_differ(source, target):
        return links
    sources, targets = words_of_tokens(source), words_of_tokens(target)
    return tuple(sorted({pair for i, j in links for pair in product(sources[i], targets[j])}))
