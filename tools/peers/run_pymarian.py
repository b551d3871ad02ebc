"""Translate with Marian in turns: `run_pymarian.py CONFIG INPUT OUTPUT SENTENCES THREADS`; in its own environment."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from turns import Stopped, Turns


def translate(turns: Turns, config: str, source: str, output: str, sentences: str, threads: str) -> None:
    import pymarian

    lines, size = Path(source).read_text(encoding="utf-8").split("\n")[:-1], int(sentences)
    options = f"--config {config} --cpu-threads {threads} --mini-batch {size} --maxi-batch 1 --quiet --log-level off"
    translators = {}
    while True:
        beam = turns.wait()
        if beam not in translators:
            translators[beam] = pymarian.Translator(f"{options} --beam-size {beam}")
        batches = [lines[first : first + size] for first in range(0, len(lines), size)]
        texts = [text for batch in batches for text in translators[beam].translate(batch)]
        Path(f"{output}.{beam}").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        turns.tell(sentences=len(texts))


if __name__ == "__main__":
    with suppress(Stopped):
        translate(Turns(), *sys.argv[1:])
