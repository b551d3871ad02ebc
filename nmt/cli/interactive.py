"""Interactive translation, with the attention drawn in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nmt.cli.streams import standard_input, standard_output
from nmt.core.logging import logger
from nmt.core.storage.files import read_stream_lines

if TYPE_CHECKING:
    from nmt.translation.lines import ScoredTarget
    from nmt.translation.translator import Translator


def interact(translator: Translator) -> None:
    """Translate each line as it is typed, until end of input (Ctrl-D)."""
    for translation in translator.translate_lines(_typed(), window=1):
        for rank, hypothesis in enumerate(translation.hypotheses, start=1):
            several = len(translation.hypotheses) > 1
            print(f"{rank}. {hypothesis.text}" if several else hypothesis.text)
            if hypothesis.words:
                print(f"   score {hypothesis.score:.3f}, confidence {hypothesis.confidence:.3f}")
        picture = _picture(translation.best)
        if picture:
            print(f"\n{picture}\n")
        sys.stdout.flush()


def _typed() -> Iterator[str]:
    lines = standard_input()
    if not (lines.isatty() and standard_output().isatty()):
        yield from read_stream_lines(lines, "standard input")
        return
    import readline  # noqa: F401  (arrow keys and history)

    while True:
        try:
            yield input("> ")
        except EOFError:
            print()
            return
        except UnicodeDecodeError:
            logger.warning("that line is not UTF-8; is the terminal set to UTF-8?")


def _picture(target: ScoredTarget) -> str:
    from nmt.alignment.drawing.terminal import text_heatmap

    words = target.source.words, target.words
    weights = target.weights
    if weights is None or not all(words):
        return ""
    width = shutil.get_terminal_size().columns
    return text_heatmap(*words, weights, width=width, encoding=sys.stdout.encoding or "utf-8")
