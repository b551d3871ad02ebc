"""Translate with phrases of the references as constraints: are all found, what does BLEU gain, what does it cost?

For each of the first lines, one to four phrases of one to three words are drawn from the reference, at random by the
seed. The lines are translated without and with them, in turns. Prints a JSON line for each number of phrases (0: one to
four, drawn for each line): the share of phrases that stand in the translations, BLEU of both, and the median ratio of
the times.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nmt.core.machine.device import kernels
from nmt.core.storage.files import read_text_lines
from nmt.metrics.score import bleu
from nmt.translation.requests.request import Line, Request
from nmt.translation.translator import Translator

WORD = re.compile(r"\w+")


def drawn(reference: str, count: int, generator: random.Random) -> tuple[str, ...]:
    """Draw phrases that do not overlap; fewer where the reference is short."""
    words = [match.span() for match in WORD.finditer(reference)]
    taken: set[int] = set()
    phrases = []
    for _ in range(50):
        length = generator.randint(1, 3)
        first = generator.randrange(max(1, len(words) - length + 1))
        places = range(first, min(first + length, len(words)))
        if places and not taken.intersection(places):
            taken.update(places)
            phrases.append(reference[words[places[0]][0] : words[places[-1]][1]])
        if len(phrases) == count:
            break
    return tuple(phrases)


def stands(phrase: str, text: str) -> bool:
    """Whether a phrase stands in a text, in whole words."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


def timed(translator: Translator, lines: Sequence[Line]) -> tuple[float, list[str]]:
    """Translate, and return the seconds of the processor and the texts."""
    begin = time.process_time()
    texts = [translation.text for translation in translator.translate(lines)]
    return time.process_time() - begin, texts


def measure(
    translator: Translator, sources: Sequence[str], references: Sequence[str], options: argparse.Namespace
) -> None:
    """Print a line for each number of phrases."""
    for count in options.counts:
        generator = random.Random(options.seed)
        phrases = [drawn(reference, count or generator.randint(1, 4), generator) for reference in references]
        asked = [Request(text, constraints=each) for text, each in zip(sources, phrases, strict=True)]
        ratios = []
        for _ in range(options.turns):
            plain, free = timed(translator, sources)
            constrained, found = timed(translator, asked)
            ratios.append(constrained / plain)
        met = [stands(phrase, text) for own, text in zip(phrases, found, strict=True) for phrase in own]
        record = {
            "phrases": count,
            "lines": len(sources),
            "beam": translator.search.beam_size,
            "asked": len(met),
            "found": sum(met) / len(met),
            "bleu_free": round(bleu(free, [list(references)]).value, 2),
            "bleu": round(bleu(found, [list(references)]).value, 2),
            "times_as_long": round(statistics.median(ratios), 2),
        }
        print(json.dumps(record), flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--lines", type=int, default=500)
    counts = [0, 1, 2, 3, 4]
    parser.add_argument("--counts", type=int, nargs="+", default=counts, help="phrases of a line; 0: one to four")
    parser.add_argument("--beam-size", type=int, help="default: that of the recipe")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    translator = Translator.load(options.run, device="cpu", attention=False)
    if options.beam_size is not None:
        translator.search = replace(translator.search, beam_size=options.beam_size)
    sources, references = ([*read_text_lines(path)][: options.lines] for path in (options.source, options.reference))
    with kernels(threads=1):
        timed(translator, sources[:50])
        measure(translator, sources, references, options)


if __name__ == "__main__":
    main()
