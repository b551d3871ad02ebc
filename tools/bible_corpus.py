"""Write the Greek New Testament, an English translation, and manual word links between them, from a package."""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

PACKAGE = "bible-alignments==0.4.2"
SOURCE = "data/sources/SBLGNT.tsv"
TARGET = "data/eng/targets/BSB/nt_BSB.tsv"
LINKS = "data/eng/alignments/BSB/SBLGNT-BSB-manual.json"
TUNED = 800

_EXAMPLES = """\
examples:
  python tools/bible_corpus.py bible/corpus
      gets the package by pip (9 MB) and writes its verses
  python tools/bible_corpus.py bible/corpus --package bible_alignments-0.4.2-py3-none-any.whl
      from a package that is there already

It writes all.grc, all.en and all.align (Pharaoh, sure links, words from 0), the same for the first 800 verses (tune.*)
and for the rest (rest.*), and verses.txt with the number of each verse. Verses without a link are left out.
The Greek text is that of the SBLGNT (CC-BY 4.0), the English that of the Berean Standard Bible (public domain), the
links are Biblica's (CC-BY 4.0).
"""

Tokens: TypeAlias = dict[str, list[tuple[str, str]]]
"""Of every verse the number and the text of each word."""


@dataclass(frozen=True, slots=True)
class Verse:
    """A verse on both sides.

    Args:
        number: book, chapter and verse in eight digits.
        source: Greek words.
        target: English words and punctuation.
        links: pairs of a source and a target word, from 0.
    """

    number: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    links: frozenset[tuple[int, int]]


class PackageError(Exception):
    """The package is unusable; the message says why."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="bible_corpus.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="folder for the files; created if missing")
    parser.add_argument("--package", type=Path, metavar="WHEEL", help=f"the package, if already downloaded ({PACKAGE})")
    options = parser.parse_args(argv)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        verses = read_verses(options.package or download(options.output / "package"))
        write(options.output, verses)
    except (OSError, PackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(verses)} verses with {sum(len(verse.links) for verse in verses)} links in {options.output}")
    return 0


def download(folder: Path) -> Path:
    """Download the package by pip, once.

    Raises:
        PackageError: pip failed.
    """
    present = sorted(folder.glob("bible_alignments-*.whl"))
    if not present:
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        if subprocess.run(words, check=False).returncode:
            raise PackageError(f"pip could not get {PACKAGE}; get it elsewhere and name it by --package")
        present = sorted(folder.glob("bible_alignments-*.whl"))
    return present[-1]


def read_verses(package: Path) -> list[Verse]:
    """Read the verses that have words on both sides and at least one link, in the order of the Greek text.

    Raises:
        PackageError: the file is not that package.
    """
    try:
        with zipfile.ZipFile(package) as archive:
            source = _tokens(archive, SOURCE, verse=lambda row: row["id"].lstrip("n")[:8])
            target = _tokens(archive, TARGET, verse=lambda row: row["source_verse"].lstrip("n"))
            records = json.loads(archive.read(LINKS))["records"]
        links = _links(records, source, target)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise PackageError(f"{package}: not the package {PACKAGE}: {error}") from error
    return [
        Verse(number, _texts(words), _texts(target[number]), frozenset(links[number]))
        for number, words in source.items()
        if number in links
    ]


def write(folder: Path, verses: list[Verse]) -> None:
    """Write all verses, the first ones, and the others."""
    for name, part in (("all", verses), ("tune", verses[:TUNED]), ("rest", verses[TUNED:])):
        _write_lines(folder / f"{name}.grc", (" ".join(verse.source) for verse in part))
        _write_lines(folder / f"{name}.en", (" ".join(verse.target) for verse in part))
        _write_lines(folder / f"{name}.align", (" ".join(f"{i}-{j}" for i, j in sorted(one.links)) for one in part))
    _write_lines(folder / "verses.txt", (verse.number for verse in verses))


def _tokens(archive: zipfile.ZipFile, name: str, verse: Callable[[dict[str, str]], str]) -> Tokens:
    """Read a table of words, in the order of the file."""
    words: Tokens = defaultdict(list)
    with archive.open(name) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        # A word may be a quotation mark, which does not quote.
        for row in csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE):
            words[verse(row)].append((row["id"].lstrip("n"), row["text"]))
    return words


def _texts(words: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(text for _, text in words)


def _links(records: list[dict[str, list[str]]], source: Tokens, target: Tokens) -> dict[str, set[tuple[int, int]]]:
    """The links within verses; the few between different verses are left out, since lines are verses."""
    places = [
        {number: (verse, place) for verse, words in side.items() for place, (number, _) in enumerate(words)}
        for side in (source, target)
    ]
    links: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for here, there in _pairs(records):
        left, right = places[0].get(here), places[1].get(there)
        if left and right and left[0] == right[0]:
            links[left[0]].add((left[1], right[1]))
    return links


def _pairs(records: list[dict[str, list[str]]]) -> Iterator[tuple[str, str]]:
    for record in records:
        for here in record["source"]:
            for there in record["target"]:
                yield here.lstrip("n"), there


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
