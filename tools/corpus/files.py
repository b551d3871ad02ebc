"""Writing the parts of a corpus: `NAME.de`, `NAME.en`, `NAME.align`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tools.corpus.words import Pair


def write_part(folder: Path, name: str, pairs: Iterable[Pair]) -> Iterator[Pair]:
    r"""Write one part as UTF-8 with `\\n`, handing on every pair that is written.

    Files are complete only when the iterator has been read to its end.
    """
    with ExitStack() as stack:
        source, target, align = (
            stack.enter_context((folder / f"{name}.{suffix}").open("w", encoding="utf-8", newline="\n"))
            for suffix in ("de", "en", "align")
        )
        for pair in pairs:
            source.write(pair.source + "\n")
            target.write(pair.target + "\n")
            align.write(pair.pharaoh + "\n")
            yield pair
