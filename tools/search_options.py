"""Translate validation text with several options of search: what do scores, loops and time become?

Prints a JSON line for the options of the run, named `usual`, and one for each `--try`: BLEU, chrF, the lines in 100 in
which three words in a row occur again (`loops`; of the references `loops_of_references`), and the time, in seconds of
the processor for a line.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.options.run_options import add_search_options, search_config
from nmt.core.machine.device import kernels
from nmt.core.storage.files import read_text_lines
from nmt.metrics.score import bleu, chrf
from nmt.translation.translator import Translator

NGRAM = 3


def repeats(line: str) -> bool:
    """Whether three words in a row occur twice."""
    words = line.split()
    ngrams = [tuple(words[place : place + NGRAM]) for place in range(len(words) - NGRAM + 1)]
    return len(set(ngrams)) < len(ngrams)


def share(lines: Sequence[str]) -> float:
    """Return how many lines in 100 repeat three words."""
    return round(100 * sum(map(repeats, lines)) / len(lines), 2)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--checkpoint", help="default: the best")
    parser.add_argument("--lines", type=int, help="only the first; default: all")
    parser.add_argument("--try", dest="tried", action="append", default=[], metavar="NAME=OPTIONS")
    options = parser.parse_args()
    asked = argparse.ArgumentParser()
    add_search_options(asked, n_best="")
    translator = Translator.load(options.run, device="cpu", checkpoint=options.checkpoint, attention=False)
    recipe = translator.search
    sources, references = ([*read_text_lines(path)][: options.lines] for path in (options.source, options.reference))
    with kernels(threads=1):
        for name, _, given in (each.partition("=") for each in ("usual=", *options.tried)):
            translator.search = search_config(asked.parse_args(shlex.split(given)), recipe)
            begin = time.process_time()
            texts = [translation.text for translation in translator.translate(sources)]
            record = {
                "bleu": round(bleu(texts, [references]).value, 2),
                "chrf": round(chrf(texts, [references]).value, 2),
                "loops": share(texts),
                "loops_of_references": share(references),
                "seconds": round((time.process_time() - begin) / len(sources), 3),
            }
            print(json.dumps({name: record}), flush=True)


if __name__ == "__main__":
    main()
