"""Main loop of ``nmt-translate``: pairs inputs with outputs, translates, writes and resumes."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from nmt.cli.options.translate_options import ASKED
from nmt.cli.run import COMMAND_LINE, warn_of_lines
from nmt.cli.streams import check_outputs, opened, standard_input, standard_output
from nmt.core.errors import ConfigError
from nmt.core.logging import Progress, logger
from nmt.core.storage.compression import without_suffix
from nmt.core.storage.files import (
    LineCount,
    existing_file,
    packing,
    read_stream_lines,
    read_text_lines,
    reporting_os_errors,
)
from nmt.core.storage.output_place import check_place

if TYPE_CHECKING:
    from nmt.alignment.report.document import ReportWriter
    from nmt.translation.output.rendering import Rendering, RenderingPool
    from nmt.translation.output.shards import Part
    from nmt.translation.requests.glossary import Glossary
    from nmt.translation.requests.request import Line


@dataclass(frozen=True, slots=True)
class Job:
    """An input and its output.

    Args:
        source: ``None`` is standard input.
        target: ``None`` is standard output.
        whole: the output of which the target is a shard; ``None`` for no shard.
        part: the lines of that shard; ``None`` for all lines.
    """

    source: Path | None
    target: Path | None
    whole: Path | None = None
    part: Part | None = None

    @property
    def before(self) -> int:
        """Number of lines of the input before those to translate."""
        return 0 if self.part is None else self.part.before


def translation_jobs(options: argparse.Namespace) -> list[Job]:
    """Pair inputs with outputs, after checking that all inputs exist and none is overwritten."""
    inputs = [existing_file(path) for path in options.input or ()]
    if options.input is None:
        jobs = [Job(None, options.output)]
    elif options.output_dir is None:
        jobs = [Job(path, options.output) for path in inputs]
    else:
        jobs = [Job(path, options.output_dir / _output_name(path, options.format)) for path in inputs]
        names = [job.target for job in jobs]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(
                    f"two inputs would both be written to {name}; translate them separately", COMMAND_LINE
                )
    option = "--output" if options.output_dir is None else "--output-dir"
    translations = [(option, path) for path, _ in _by_output(jobs)]
    others = [(f"--{name}", getattr(options, name)) for name in ("alignments", "html", "plots")]
    beside = [existing_file(path) for name in (*ASKED, "glossary") if (path := getattr(options, name)) is not None]
    check_outputs([*translations, *others], [*inputs, *beside, *options.runs])
    return jobs if options.shard is None else _sharded(jobs, options, option)


def _sharded(jobs: Sequence[Job], options: argparse.Namespace, option: str) -> list[Job]:
    """Let each job write a shard of its output."""
    from nmt.translation.output.shards import Shard

    shard = Shard.parse(options.shard, "--shard")
    sharded = []
    for job in jobs:
        if job.source is None or job.target is None or not job.source.is_file():
            raise ConfigError(f"{job.source}: must be a file for --shard, since it is read twice", COMMAND_LINE)
        if job.target.exists() and not job.target.is_file():
            raise ConfigError(f"{job.target}: is not a regular file, and cannot be written in shards", COMMAND_LINE)
        if options.output_dir is None:
            check_place(job.target, "translations")  # before the input is read
        sharded.append(replace(job, target=shard.path(job.target), whole=job.target))
    check_outputs([(option, job.target) for job in sharded], [*(options.input or ()), *options.runs])
    return sharded


def with_parts(jobs: Sequence[Job], options: argparse.Namespace) -> list[Job]:
    """Find the lines of each job that writes a shard; its input is read once for that.

    Raises:
        NmtError: an input cannot be read.
    """
    if options.shard is None:
        return list(jobs)
    from nmt.core.storage.line_index import index_lines
    from nmt.translation.output.shards import Part, Shard
    from nmt.translation.windows import WINDOW

    shard = Shard.parse(options.shard, "--shard")
    located = []
    for job in jobs:
        if job.source is not None:
            logger.info("%s: reading it once, to find the lines of shard %s", job.source, shard)
            part = Part.of(shard, index_lines(job.source, options.window or WINDOW))
            lines = f"lines {part.before + 1} to {part.before + part.lines}" if part.lines else "no lines"
            whole = f"{part.input['lines']}, in whole windows of {part.window} (--window)"
            logger.info("%s: shard %s has %s of %s", job.source, shard, lines, whole)
            located.append(replace(job, part=part))
    return located


def _output_name(path: Path, form: str) -> str:
    name = without_suffix(path.name)
    return name if form == "text" else f"{name}.{form}"


def _by_output(jobs: Sequence[Job]) -> Iterator[tuple[Path | None, list[Job]]]:
    outputs = list(dict.fromkeys(job.target for job in jobs))
    for output in outputs:
        yield output, [job for job in jobs if job.target == output]


class Target(Protocol):
    """Destination of translations."""

    def skip(self, lines: Iterator[Line]) -> None:
        """Read the lines that are translated already."""

    def check_skipped(self) -> None:
        """Check that the input had all of these lines."""

    def write(self, lines: Sequence[Line], written: bytes) -> None:
        """Write the output of the next lines."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """A stream that cannot be resumed, such as standard output."""

    stream: IO[bytes]

    def skip(self, lines: Iterator[Line]) -> None:
        pass

    def check_skipped(self) -> None:
        pass

    def write(self, lines: Sequence[Line], written: bytes) -> None:  # noqa: ARG002
        with reporting_os_errors("write the translations"):
            self.stream.write(written)
            self.stream.flush()


@contextlib.contextmanager
def _opened(job: Job, identity: dict[str, Any], *, resume: bool) -> Iterator[Target]:
    """Open the output of a job; it is written line by line, so that no finished work is lost."""
    path, part = job.target, job.part
    if path is None:
        yield _Stream(standard_output())
        return
    check_place(path, "translations")
    if path.exists() and not path.is_file():
        if resume:
            raise ConfigError(f"{path}: is not a regular file, and cannot be resumed; leave out --resume", COMMAND_LINE)
        with reporting_os_errors("write the translations"), path.open("wb") as raw, packing(raw, path) as stream:
            yield _Stream(stream)
        return
    from nmt.translation.output.resuming import Output

    # A scheduler may start the job of a shard again, so it always continues.
    own, resume = ({}, resume) if part is None else (part.identity, True)
    with Output(path, {**identity, **own}, resume=resume) as output:
        done = output.done.lines
        if part is not None and done == part.lines:
            logger.info("%s: all its %d lines are done", path, done)
        elif done:
            logger.info("%s: has %d lines; continuing with line %d", path, done, job.before + done + 1)
        yield output


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Destinations of translations and, if wanted, of their links."""

    target: Target
    links: IO[bytes] | None


class Translating:
    """Translates the inputs one after another.

    Args:
        options: the command line.
        pool: translates windows.
        here: its part in this process, which draws pictures.
        identity: what the translations depend on, besides their input.
        report: HTML report of the sentences, if wanted.
        glossary: translations of terms, if wanted.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        pool: RenderingPool,
        here: Rendering,
        *,
        identity: dict[str, Any],
        report: ReportWriter | None = None,
        glossary: Glossary | None = None,
    ) -> None:
        from nmt.translation.requests.files_beside import Asked, FilesBeside
        from nmt.translation.windows import WINDOW

        paths: dict[Asked, Path] = {name: path for name in ASKED if (path := getattr(options, name)) is not None}
        self._beside = FilesBeside(paths, options.errors) if paths else None
        self._glossary = glossary
        self._options = options
        self._window = options.window or WINDOW
        self._pool = pool
        self._here = here
        self._identity = identity
        self._report_writer = report
        self._several = len(options.input or ()) > 1
        self._cut: list[str] = []
        self._untranslated: list[str] = []

    def __call__(self, jobs: Sequence[Job], shown: Progress | None) -> int:
        """Translate, and return the exit status: 1 if lines are left untranslated.

        Raises:
            NmtError: an input cannot be read or an output cannot be written; finished output is kept.
        """
        from nmt.translation.output.resuming import forget

        with opened(self._options.alignments, "alignments") as links:
            for _, several in _by_output(jobs):
                with _opened(several[0], self._identity, resume=self._options.resume) as target:
                    first = 1
                    for job in several:
                        first = self._translate(job, _Sinks(target, links), first, shown)
                    target.check_skipped()
            if self._beside is not None:
                self._beside.check_end()
        for output, (job, *_) in _by_output(jobs):
            if job.whole is not None:  # --join needs the record
                logger.info("%s: finished; when all shards are, join them: nmt-translate --join %s", output, job.whole)
            elif output is not None:
                forget(output)
        return self._report()

    def _translate(self, job: Job, sinks: _Sinks, first: int, shown: Progress | None) -> int:
        from nmt.translation.windows import numbered, windows

        count = LineCount(job.before)
        name = "standard input" if job.source is None else str(job.source)
        lines = self._lines(job, name, count)
        begin = first
        sinks.target.skip(lines)
        if shown is not None:
            shown.skip(count.lines - job.before)
        self._here.name_pictures(f"{job.source.name}-" if self._several and job.source is not None else "", begin)
        stream = numbered(windows(lines, self._window), begin + count.lines)
        for several, written in self._pool.translate(stream):
            sinks.target.write(several, written.output)
            if sinks.links is not None:
                with reporting_os_errors("write the alignments", self._options.alignments):
                    sinks.links.write(written.links)
                    sinks.links.flush()
            if self._report_writer is not None:
                file = str(job.source) if self._several else ""
                self._report_writer.add_encoded(written.entries, file=file, begin=begin)
            self._cut += [self._place(job, number - begin + 1) for number in written.cut]
            self._untranslated += [self._place(job, number - begin + 1) for number in written.untranslated]
            if shown is not None:
                shown.advance(len(several))
        if count.replaced:
            logger.warning(
                "%s: %d lines had bytes that are not UTF-8 (the first is line %d); they were replaced by U+FFFD",
                name,
                count.replaced,
                count.first_replaced,
            )
        return begin + count.lines

    def _lines(self, job: Job, name: str, count: LineCount) -> Iterator[Line]:
        """Read the lines of a job, with what is asked of them; ``name`` is that of the input in messages."""
        from nmt.translation.requests.json_lines import read_requests

        here, errors = self._here, self._options.errors
        if job.source is None:
            text = read_stream_lines(standard_input(), name, count=count, errors=errors)
        elif job.part is None:
            text = read_text_lines(job.source, count=count, errors=errors)
        else:
            text = read_text_lines(job.source, count=count, errors=errors, offset=job.part.offset)
            text = itertools.islice(text, job.part.lines)
        lines: Iterator[Line] = text if self._beside is None else self._beside.beside(text)
        if self._options.input_format == "jsonl":
            lines = read_requests(text, name, count=count, search=here.search, tags=here.tags, errors=errors)
        if self._options.markup is not None:
            lines = self._without_tags(lines, name, count)
        if errors == "strict" and here.tags.always:
            lines = self._with_tags(lines, name, count)
        return lines if self._glossary is None else self._glossary.applied(lines)

    def _without_tags(self, lines: Iterator[Line], name: str, count: LineCount) -> Iterator[Line]:
        from nmt.translation.requests.marked_up import segments, without_tags

        if self._options.markup == "html":
            return segments(lines)
        return without_tags(lines, name, count=count, errors=self._options.errors)

    def _with_tags(self, lines: Iterator[Line], name: str, count: LineCount) -> Iterator[Line]:
        """Check that every line has the tag that the model needs."""
        for line in lines:
            self._here.tags.check(line, f"{name}: line {count.lines}", self._options.target_language)
            yield line

    def _place(self, job: Job, number: int) -> str:
        return f"{job.source}:{number}" if self._several else str(number)

    def _report(self) -> int:
        warn_of_lines(self._cut, "translations cut at the length limit (see --max-length-ratio)")
        warn_of_lines(self._untranslated, "lines left untranslated; their translations are empty")
        return 1 if self._untranslated else 0
