#!/usr/bin/env python
"""Translates a text file with Ray Data: every actor loads the model once, and the translations come in order.

All machines read RUN and INPUT under the same paths; the output is written by the machine that runs this.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from nmt import Translator
from nmt.core.storage.files import LineCount, atomic_write, read_text_lines
from nmt.core.storage.line_index import LineIndex, index_lines

WINDOW = 1024  # lines that are sorted by length and translated together
MOST_TASKS = 10_000


class WindowTranslator:
    """An actor that translates windows of the lines of a file."""

    def __init__(self, run: Path, source: Path, index: LineIndex) -> None:
        self.translator = Translator.load(run, attention=False)
        self.source, self.index = source, index

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Translate a batch of one window, which is given by its number."""
        (number,) = batch["number"].tolist()
        before = number * WINDOW
        lines = read_text_lines(self.source, offset=int(self.index.starts[number]), count=LineCount(before))
        window = list(itertools.islice(lines, WINDOW))
        return {"text": ["".join(f"{each.text}\n" for each in self.translator.translate_window(window, before + 1))]}


def translations(run: Path, source: Path, *, actors: int, gpus: float) -> Iterator[str]:
    """Yield the translations of each window of lines, in order."""
    index = index_lines(source, WINDOW)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    numbers = [{"number": number} for number in range(len(index.starts))]
    # Rows that are in memory need no task that reads them, which would wait for a CPU while actors hold all.
    windows = ray.data.from_items(numbers, override_num_blocks=max(1, min(len(numbers), MOST_TASKS)))
    translated = windows.map_batches(
        WindowTranslator,
        fn_constructor_args=(run, source, index),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        num_gpus=gpus,
    )
    for row in translated.iter_rows():
        yield row["text"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("input", type=Path, help="not compressed: each window would be decompressed from the start")
    parser.add_argument("output", type=Path)
    parser.add_argument("--actors", type=int, default=2, help="copies of the model (default: 2)")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of each; 0.5 lets two share one (default: 0)")
    options = parser.parse_args()
    run, source = options.run.resolve(), options.input.resolve()
    with atomic_write(options.output) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        for text in translations(run, source, actors=options.actors, gpus=options.gpus):
            stream.write(text)


if __name__ == "__main__":
    main()
