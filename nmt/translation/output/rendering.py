"""Translation window by window, in one process or several: from lines to output bytes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from nmt.alignment.report.json_entries import encode
from nmt.core.logging import configure_logging
from nmt.core.machine.device import Precision
from nmt.core.machine.processes import POSSIBLE, Processes
from nmt.core.own_parts import import_own
from nmt.search.search_config import SearchConfig
from nmt.translation.copying import CopyConfig
from nmt.translation.line_reader import LongLines
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output.gallery import Gallery
from nmt.translation.output.page_entries import translated_entry
from nmt.translation.output.writers import Format, pharaoh, writer_of
from nmt.translation.requests.request import Line, markup_of
from nmt.translation.requests.tags import Tags
from nmt.translation.translator import BATCH_TOKENS, MAX_PIECES, Translator
from nmt.translation.trees import LineNumbers
from nmt.translation.windows import WINDOW, Window

MOST_PROCESSES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings that all translating processes share: those of ``Translator`` and ``Bundle.load``, and these.

    Args:
        runs: run folders; several make an ensemble.
        checkpoints: a checkpoint name for each run, or ``None`` for its best one; by default the best of every run.
        device: device to compute on.
        search: how to search; ``None`` as in the recipe.
        format: output format.
        weights: whether JSON lines hold attention matrices.
        report: whether to make entries of an HTML report too.
        links: whether to write the links of the best translations too.
        verbose: more than warnings and errors of the processes on standard error.
        trees: lines whose search tree is recorded; the others run at full speed.
        imports: imported by ``import_own`` before a model is loaded.
        root: folder that paths in the input start from, if sources are files.
        target_language: of lines that do not say it themselves.
    """

    runs: tuple[Path, ...]
    checkpoints: tuple[str | None, ...] = ()
    device: str = "auto"
    search: SearchConfig | None = None
    batch_tokens: int = BATCH_TOKENS
    attention: bool = False
    copying: CopyConfig = field(default_factory=CopyConfig)
    max_pieces: int = MAX_PIECES
    long_lines: LongLines = "split"
    precision: Precision = "fp32"
    fast_paths: bool | None = None
    format: Format = "text"
    weights: bool = False
    report: bool = False
    trees: LineNumbers = field(default_factory=LineNumbers)
    links: bool = False
    verbose: bool = False
    imports: tuple[str, ...] = ()
    root: Path = Path()
    target_language: str | None = None

    def translator(self, bundles: Sequence[Bundle] | None = None) -> Translator:
        """Load the models, unless they are given, and build the translator."""
        if bundles is None:
            named = itertools.zip_longest(self.runs, self.checkpoints)
            bundles = [
                Bundle.load(path, device=self.device, checkpoint=checkpoint, fast_paths=self.fast_paths)
                for path, checkpoint in named
            ]
        return Translator(
            bundles,
            search=self.search,
            batch_tokens=self.batch_tokens,
            attention=self.attention,
            copying=self.copying,
            max_pieces=self.max_pieces,
            long_lines=self.long_lines,
            precision=self.precision,
            root=self.root,
            target_language=self.target_language,
        )

    def alone(self) -> Rendering:
        """Set up a worker process: one thread, its own models."""
        configure_logging(quiet=not self.verbose, verbose=self.verbose)  # the first process tells how far all are
        for each in self.imports:
            import_own(each)
        torch.set_num_threads(1)
        return Rendering(self.translator(), self)


@dataclass(frozen=True, slots=True)
class Written:
    """Output of a window.

    Args:
        output: the bytes.
        cut: numbers of the lines whose best translation was cut at the length limit.
        untranslated: numbers of the non-blank lines without a translation.
        entries: of the HTML report, encoded; empty without a report.
        links: links of the best translations, one line each; empty if not wanted.
    """

    output: bytes
    cut: tuple[int, ...]
    untranslated: tuple[int, ...]
    entries: bytes = b""
    links: bytes = b""


class Rendering:
    """Translates windows and formats the output.

    Args:
        translator: the translator.
        plan: says how to write.
        gallery: draws the first sentences.
    """

    def __init__(self, translator: Translator, plan: Plan, gallery: Gallery | None = None) -> None:
        self._translator = translator
        self._write = writer_of(plan.format, weights=plan.weights)
        self._links = plan.links
        self._trees = plan.trees
        self._gallery = gallery
        self._report = plan.report
        self._naming = "", 1

    @property
    def search(self) -> SearchConfig:
        """How translations are searched for."""
        return self._translator.search

    @property
    def tags(self) -> Tags:
        """What may or must stand before a source."""
        return self._translator.tags

    def name_pictures(self, prefix: str, begin: int) -> None:
        """Set the ``prefix`` of picture names, and count their lines from line ``begin``."""
        self._naming = prefix, begin

    def __call__(self, window: Window) -> Written:
        """Translate lines and return their output.

        Raises:
            NmtError: the model is damaged, or a picture cannot be written.
        """
        translations = self._translator.translate_window(self._trees.asked(*window), window[1])
        if self._gallery is not None:
            prefix, begin = self._naming
            for each in translations:
                self._gallery.add(each.best, name=f"{prefix}line-{each.source.number - begin + 1:06d}")
        return Written(
            "".join(map(self._write, translations, map(markup_of, window[0]))).encode("utf-8", "replace"),
            tuple(each.source.number for each in translations if each.best.cut),
            tuple(each.source.number for each in translations if each.problem),
            encode(map(translated_entry, translations)) if self._report else b"",
            "".join(map(pharaoh, translations)).encode() if self._links else b"",
        )


class RenderingPool:
    """Translates streams of windows: small inputs in this process, larger ones in several.

    Starting a process takes seconds. So if the number of processes is not given, the first ``WINDOW`` lines are
    translated here; processes start while the window that reaches that number is translated. Use as a context manager.

    Args:
        plan: shared settings.
        here: translation in this process.
        processes: their number; ``None`` for one per available thread, or one on a GPU.
        enough: number of lines translated here before processes are started.
    """

    def __init__(self, plan: Plan, here: Rendering, *, processes: int | None = None, enough: int = WINDOW) -> None:
        self._plan = plan
        self._here: Rendering | None = here
        several = min(MOST_PROCESSES, torch.get_num_threads()) if processes is None else processes
        self._processes = several if POSSIBLE else 1
        self._left = enough if processes is None else 0
        self._several: Processes[Window, Written] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._several is not None:
            self._several.__exit__(kind, error, trace)

    def translate(self, windows: Iterator[Window]) -> Iterator[tuple[list[Line], Written]]:
        """Translate windows.

        Yields:
            The lines of each window and their output, in order.

        Raises:
            NmtError: a window cannot be read or translated; those before it are yielded first.
        """
        for window in windows:
            if self._here is None or (self._processes > 1 and self._left <= 0):
                yield from self._elsewhere(itertools.chain([window], windows))
                return
            self._left -= len(window[0])
            if self._processes > 1 and self._left <= 0:
                self._start()  # more lines are likely to follow
            yield window[0], self._here(window)

    def _start(self) -> Processes[Window, Written]:
        if self._several is None:
            advice = "give fewer --processes or a smaller --batch-tokens"
            several = Processes(self._plan.alone, self._processes, each="a translating process", advice=advice)
            self._several = several.__enter__()
        return self._several

    def _elsewhere(self, windows: Iterator[Window]) -> Iterator[tuple[list[Line], Written]]:
        processes = self._start()
        self._here = None
        waiting: deque[list[Line]] = deque()

        def noted() -> Iterator[Window]:
            for window in windows:
                waiting.append(window[0])
                yield window

        for written in processes.map(noted()):
            yield waiting.popleft(), written
