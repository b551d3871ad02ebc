"""``nmt-translate``: translate lines of text with a trained model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nmt.cli.options import (
    COMMAND_LINE,
    add_model_options,
    add_search_options,
    at_least_one,
    search_config,
    standard_input,
    standard_output,
    use_threads,
)
from nmt.cli.run import command_parser, run
from nmt.core.errors import ConfigError, NmtError
from nmt.core.files import existing_file, iter_lines, missing_hint, read_text_lines, reporting_os_errors
from nmt.core.logging import Progress, configure_logging, logger

if TYPE_CHECKING:
    from nmt.translation.pictures import Gallery
    from nmt.translation.translator import Translation, Translator

EXAMPLES = (
    "nmt-translate runs/deen < test.de > test.en",
    "nmt-translate runs/deen --input a.de b.de --output-dir out/ --plots plots/",
    "nmt-translate runs/deen --format jsonl --n-best 5 < test.de > test.jsonl",
    "nmt-translate runs/one runs/two runs/three < test.de      # an ensemble",
    "nmt-translate runs/deen --strategy sampling --top-p 0.9 --n-best 3 --format tsv < test.de",
    "nmt-translate runs/deen --placeholder '<num>=[0-9]+' < test.de",
    "tail -f log.de | nmt-translate runs/deen --window 1",
    "nmt-translate runs/deen --interactive",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-translate",
        "Translate text, a sentence a line: line k of the output is the translation of line k of the input, and an "
        "empty line stays empty. Reads standard input and writes standard output unless told otherwise.",
        examples=EXAMPLES,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder; several make an ensemble")
    files = parser.add_argument_group("input and output")
    files.add_argument("--input", nargs="+", type=Path, metavar="FILE", help="text files, plain or gzip")
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write; of several inputs one after another"
    )
    where.add_argument("--output-dir", type=Path, metavar="DIR", help="write a file for each input, of the same name")
    files.add_argument(
        "--format",
        choices=("text", "tsv", "jsonl"),
        default="text",
        help="text (default): the best "
        "translation; tsv: line, rank, score, confidence, translation; jsonl: all that is known",
    )
    files.add_argument("--weights", action="store_true", help="with --format jsonl: attention matrices between words")
    files.add_argument("--window", type=int, metavar="N", help="lines read before the first is written (default: 1024)")
    files.add_argument("--interactive", action="store_true", help="translate what is typed, and show the attention")
    add_search_options(parser)
    copying = parser.add_argument_group("copying")
    copying.add_argument(
        "--replace-unknown",
        action="store_true",
        help="let the model write unknown words, and replace each by the source word it attends to",
    )
    copying.add_argument(
        "--placeholder",
        action="append",
        default=[],
        metavar="SYMBOL=REGEX",
        help="put a symbol of "
        "the vocabulary in place of what matches, and the original in place of the symbol in the "
        "translation; may be repeated",
    )
    plots = parser.add_argument_group("plots of the attention")
    plots.add_argument("--plots", type=Path, metavar="DIR", help="folder for plots of the first sentences")
    plots.add_argument("--plot-count", type=int, default=10, metavar="N", help="how many (default: 10)")
    plots.add_argument("--plot-format", choices=("png", "svg", "pdf"), default="png", help="png (default), svg or pdf")
    add_model_options(parser)
    return parser


@dataclass(frozen=True, slots=True)
class _Job:
    """An input with its output; ``None`` is a standard stream."""

    source: Path | None
    target: Path | None


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure_logging(quiet=options.quiet, verbose=options.verbose)
    _check(options)
    jobs = _jobs(options)
    translator = _translator(options)
    if options.interactive:
        from nmt.cli.interactive import interact

        interact(translator)
        return 0
    gallery = _gallery(options)
    with _progress() as shown:
        _Run(options, translator, gallery, shown)(jobs)
    return 0


class _Run:
    """Translates the inputs one after another."""

    def __init__(
        self, options: argparse.Namespace, translator: Translator, gallery: Gallery | None, shown: Progress | None
    ) -> None:
        from nmt.translation.translator import WINDOW
        from nmt.translation.writers import writer_of

        self._write = writer_of(options.format, weights=options.weights)
        self._window = WINDOW if options.window is None else options.window
        self._translator = translator
        self._gallery = gallery
        self._shown = shown
        self._cut: list[str] = []

    def __call__(self, jobs: Sequence[_Job]) -> None:
        first = 1
        for output, several in _by_output(jobs):
            with _opened(output) as stream:
                for job in several:
                    first = self._translate(job, stream, first, named=len(jobs) > 1)
            first = 1
        if self._cut:
            shown = ", ".join(self._cut[:10]) + (", ..." if len(self._cut) > 10 else "")
            logger.warning(
                "%d translations were cut at the length limit (lines %s); see --max-length-ratio", len(self._cut), shown
            )

    def _translate(self, job: _Job, stream: IO[bytes], first: int, *, named: bool) -> int:
        lines = iter_lines(standard_input(), "standard input") if job.source is None else read_text_lines(job.source)
        begin = first
        for translation in self._translator.translate_lines(lines, window=self._window, first=first):
            with reporting_os_errors("write the translations"):
                stream.write(self._write(translation).encode("utf-8"))
                stream.flush()
            self._note(translation, job.source if named else None, begin)
            first = translation.source.number + 1
        return first

    def _note(self, translation: Translation, source: Path | None, begin: int) -> None:
        number = translation.source.number - begin + 1
        where = "" if source is None else f"{source.name}-"
        if self._gallery is not None:
            self._gallery.add(translation.best, name=f"{where}line-{number:06d}")
        if not translation.best.finished:
            self._cut.append(str(number) if source is None else f"{source}:{number}")
        if self._shown is not None:
            self._shown.advance()


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other, before anything is loaded."""
    problems = []
    if options.output_dir is not None and options.input is None:
        problems.append("--output-dir needs --input; for standard input give --output FILE")
    if options.weights and options.format != "jsonl":
        problems.append("--weights needs --format jsonl")
    if options.format == "text" and (options.n_best or 1) > 1 and not options.interactive:
        problems.append("--n-best needs --format tsv or jsonl: as text, line k is the one translation of line k")
    if options.interactive and (options.input or options.output or options.plots):
        problems.append("--interactive reads and writes the terminal; leave --input, --output and --plots out")
    if problems:
        raise ConfigError("; ".join(problems), COMMAND_LINE)
    at_least_one("--plot-count", options.plot_count)
    for option in ("window", "batch_tokens"):
        if getattr(options, option) is not None:
            at_least_one(f"--{option.replace('_', '-')}", getattr(options, option))


def _jobs(options: argparse.Namespace) -> list[_Job]:
    """Pair inputs and outputs; every input is seen to be there, and none is overwritten."""
    if options.input is None:
        return [_Job(None, options.output)]
    inputs = [existing_file(path) for path in options.input]
    if options.output_dir is None:
        jobs = [_Job(path, options.output) for path in inputs]
    else:
        jobs = [_Job(path, options.output_dir / _output_name(path, options.format)) for path in inputs]
        names = [job.target for job in jobs]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two inputs would both be written to {name}; translate them apart", COMMAND_LINE)
    for job in jobs:
        for path in inputs:
            if job.target is not None and job.target.exists() and job.target.samefile(path):
                raise ConfigError(f"{path}: is an input and would be overwritten; choose another output", COMMAND_LINE)
    return jobs


def _output_name(path: Path, form: str) -> str:
    name = path.name.removesuffix(".gz")
    return name if form == "text" else f"{name}.{form}"


def _by_output(jobs: Sequence[_Job]) -> Iterator[tuple[Path | None, list[_Job]]]:
    outputs = list(dict.fromkeys(job.target for job in jobs))
    for output in outputs:
        yield output, [job for job in jobs if job.target == output]


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Open an output; it grows as lines are translated, so that nothing finished is lost."""
    if path is None:
        yield standard_output()
        return
    with reporting_os_errors("write the translations"):
        if not path.parent.is_dir():
            raise NmtError(f"{path}: cannot write the translations{missing_hint(path)}")
        stream = path.open("wb")
    with stream:
        yield stream


def _translator(options: argparse.Namespace) -> Translator:
    from nmt.translation.bundle import Bundle
    from nmt.translation.copying import CopyConfig, Placeholder
    from nmt.translation.translator import BATCH_TOKENS, Translator

    copying = CopyConfig(options.replace_unknown, tuple(Placeholder.parse(text) for text in options.placeholder))
    if options.output_dir is not None:
        with reporting_os_errors("make the output folder"):
            options.output_dir.mkdir(parents=True, exist_ok=True)
    use_threads(options.threads)
    bundles = [Bundle.load(path, device=options.device, checkpoint=options.checkpoint) for path in options.runs]
    translator = Translator(
        bundles,
        search=search_config(options, bundles[0].search),
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        attention=options.format == "jsonl" or options.plots is not None or options.interactive,
        copying=copying,
    )
    names = ", ".join(f"{bundle.path} ({bundle.checkpoint})" for bundle in bundles)
    logger.debug("model: %s on %s", names, bundles[0].device)
    return translator


def _gallery(options: argparse.Namespace) -> Gallery | None:
    if options.plots is None:
        return None
    from nmt.translation.pictures import Gallery

    return Gallery(options.plots, count=options.plot_count, format=options.plot_format)


@contextlib.contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show progress, unless the results themselves go to the terminal."""
    if sys.stdout is not None and sys.stdout.isatty():
        yield None
        return
    with Progress("translating", unit="sentences") as shown:
        yield shown


if __name__ == "__main__":
    sys.exit(main())
