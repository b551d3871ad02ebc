"""Run this toolkit in turns.

`run_nmt.py train RECIPE.yaml RUN` or `run_nmt.py translate RUN PRECISION INPUT OUTPUT SHORTEST LONGEST SENTENCES`,
which searches as the recipe of the run says, but for beam and lengths.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from turns import Stopped, Turns

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nmt.core.machine.allocator import keep_freed_memory, memory_variables
from nmt.core.machine.device import Precision
from nmt.core.storage.files import read_text_lines, write_lines
from nmt.data.batch import Batch
from nmt.search.search_config import SearchConfig
from nmt.training.trainer import Trainer


def train(turns: Turns, recipe: str, run: str) -> None:
    from nmt.cli.train import main

    update, stopped = Trainer._update, []

    def counted(self: Trainer, batches: Sequence[Batch]) -> None:
        update(self, batches)
        if stopped:
            return
        try:
            turns.updated(sum(batch.target_tokens for batch in batches))
        except Stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)  # which saves the weights

    Trainer._update = counted  # type: ignore[method-assign]
    turns.wait()
    status = main([recipe, "--output", run, "--quiet"])
    if not stopped:
        sys.exit(status)


def translate(
    turns: Turns, run: str, precision: Precision, source: str, output: str, shortest: str, longest: str, sentences: str
) -> None:
    from nmt import Translator
    from nmt.translation.model_files.bundle import open_model

    lines, size = list(read_text_lines(source)), int(sentences)
    given = open_model(Path(run)).section(SearchConfig, "search")
    translators = {}
    keep_freed_memory()  # as every command does
    while True:
        beam = turns.wait()
        if beam not in translators:
            strategy = "greedy" if beam == 1 else "beam"
            limits = {"min_length": int(shortest), "max_length_ratio": 0.0, "max_length_offset": int(longest)}
            search = replace(given, strategy=strategy, beam_size=beam, **limits)
            translators[beam] = Translator.load(run, search=search, attention=False, device="cpu", precision=precision)
        # Batches of that many sentences; the default ones are larger.
        batches = [lines[first : first + size] for first in range(0, len(lines), size)]
        texts = [translation.text for batch in batches for translation in translators[beam].translate(batch)]
        write_lines(Path(f"{output}.{beam}"), texts)
        turns.tell(sentences=len(texts))


if __name__ == "__main__":
    with suppress(Stopped), memory_variables():
        {"train": train, "translate": translate}[sys.argv[1]](Turns(), *sys.argv[2:])
