"""``nmt-translate``: translate lines of text with a trained model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nmt.cli.options.run_options import gallery_of, load_models, page_of, search_config, use_threads
from nmt.cli.options.translate_options import check_translate, translate_parser
from nmt.cli.run import COMMAND_LINE, begin, run
from nmt.cli.translating import Job, Translating, translation_jobs, with_parts
from nmt.core.errors import ConfigError, Problem
from nmt.core.logging import Progress, logger
from nmt.core.storage.files import count_lines, reporting_os_errors

if TYPE_CHECKING:
    from nmt.translation.output.rendering import Plan
    from nmt.translation.translator import Translator


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    options = translate_parser().parse_args(argv)
    begin(options)
    check_translate(options)
    if options.join is not None:
        from nmt.translation.output.joining import join

        join(options.join, remove=options.remove_shards)
        return 0
    jobs = translation_jobs(options)
    if options.output_dir is not None:
        with reporting_os_errors("make the output folder"):
            options.output_dir.mkdir(parents=True, exist_ok=True)
    with use_threads(options):
        return _translate(options, jobs)


def _translate(options: argparse.Namespace, jobs: Sequence[Job]) -> int:
    plan, translator = _plan(options)
    if options.interactive:
        from nmt.cli.interactive import interact

        interact(translator)
        return 0
    from nmt.translation.output.rendering import Rendering, RenderingPool
    from nmt.translation.requests.glossary import Glossary

    glossary = None
    if options.glossary is not None:
        glossary = Glossary.read(options.glossary, ignore_case=options.glossary_ignore_case)
    _tell_of_other_gpus(options)
    jobs = with_parts(jobs, options)
    here = Rendering(translator, plan, gallery_of(options))
    pool = RenderingPool(plan, here, processes=_processes(options, translator))
    identity = {} if options.output is options.output_dir is None else _identity(plan, translator, options)
    runs = ", ".join(path.name or str(path) for path in options.runs)
    inputs = ", ".join(path.name for path in options.input or ()) or "standard input"
    page = page_of(options.html, title=f"Translations by {runs}", subtitle=f"of {inputs}")
    with page as report, pool, _progress(jobs, options) as shown:
        return Translating(options, pool, here, identity=identity, report=report, glossary=glossary)(jobs, shown)


def _tell_of_other_gpus(options: argparse.Namespace) -> None:
    import torch

    count = torch.cuda.device_count()
    if count > 1 and options.input is not None and options.shard is None and options.device in ("auto", "cuda"):
        logger.info(
            "this machine has %d GPUs, of which one process uses one; for a large input start %d commands with "
            "--device cuda:0 --shard 1/%d, --device cuda:1 --shard 2/%d and so on",
            *[count] * 4,
        )


def _plan(options: argparse.Namespace) -> tuple[Plan, Translator]:
    from nmt.translation.copying import CopyConfig, Placeholder
    from nmt.translation.models import without_attention
    from nmt.translation.output.rendering import Plan
    from nmt.translation.translator import BATCH_TOKENS, MAX_PIECES
    from nmt.translation.trees import LineNumbers

    copying = CopyConfig(options.replace_unknown, tuple(Placeholder.parse(text) for text in options.placeholder))
    bundles = load_models(options, options.runs)
    if options.alignments is not None and not any(bundle.has_attention for bundle in bundles):
        raise ConfigError(f"--alignments has nothing to write: {without_attention(bundles)}", COMMAND_LINE)
    if options.markup is not None and not any(bundle.has_attention for bundle in bundles):
        raise ConfigError(f"--markup has nothing to place tags by: {without_attention(bundles)}", COMMAND_LINE)
    search = search_config(options, bundles[0].search)
    requiring = [f"--{name}" for name in ("constraints", "glossary", "trees") if getattr(options, name) is not None]
    if requiring and search.strategy != "beam" and options.input_format == "text":
        message = f"must be beam for {' and '.join(requiring)}, but is {search.strategy}"
        raise ConfigError([Problem("--strategy", message)], COMMAND_LINE)
    for name in ("glossary", "markup"):
        if getattr(options, name) is not None:
            bundles[0].source.require_text(f"--{name} needs a model that translates text")
    plan = Plan(
        # These are fixed here: a model on the hub may be replaced, and a running training may find a better checkpoint.
        runs=tuple(bundle.path for bundle in bundles),
        checkpoints=tuple(bundle.checkpoint if bundle.path.is_dir() else None for bundle in bundles),
        device=options.device,
        search=search,
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        attention=options.format == "jsonl"
        or options.interactive
        or any(each is not None for each in (options.plots, options.html, options.alignments, options.markup)),
        copying=copying,
        max_pieces=options.max_pieces or MAX_PIECES,
        long_lines=options.long_lines,
        precision=options.precision,
        fast_paths=options.fast_paths,
        format=options.format,
        weights=options.weights,
        report=options.html is not None,
        trees=LineNumbers() if options.trees is None else LineNumbers.parse(options.trees, path="--trees"),
        links=options.alignments is not None,
        verbose=options.verbose,
        imports=tuple(options.imports),
        root=options.root,
        target_language=options.target_language,
    )
    names = ", ".join(f"{bundle.path} ({bundle.checkpoint})" for bundle in bundles)
    logger.debug("model: %s on %s", names, bundles[0].device)
    return plan, plan.translator(bundles)


def _processes(options: argparse.Namespace, translator: Translator) -> int | None:
    """Choose the number of processes; ``None`` lets it depend on the size of the input."""
    one = (
        options.plots is not None  # drawn in the process that has the attention
        or options.threads is not None
        or options.window is not None  # a window is given for low latency
        or translator.bundles[0].device.type != "cpu"
    )
    return 1 if options.processes is None and one else options.processes


def _identity(plan: Plan, translator: Translator, options: argparse.Namespace) -> dict[str, Any]:
    """Return what translations depend on, for outputs that may be resumed."""
    from nmt.core import config
    from nmt.core.machine.device import resolve_precision
    from nmt.core.storage.checksums import file_checksum
    from nmt.translation.output.resuming import identity_of

    copying = plan.copying
    settings = {
        **config.to_mapping(translator.search),
        **({} if options.input_format == "text" else {"input_format": options.input_format}),
        **({} if translator.bundles[0].source.features is None else {"root": str(options.root)}),
        **({} if options.target_language is None else {"target_language": options.target_language}),
        **({} if options.markup is None else {"markup": options.markup}),
        **({} if options.glossary is None else {"glossary": file_checksum(options.glossary)}),
        **({"glossary_ignore_case": True} if options.glossary_ignore_case else {}),
        "replace_unknown": copying.replace_unknown,
        "placeholders": [f"{each.symbol}={each.pattern.pattern}" for each in copying.placeholders],
        "max_pieces": plan.max_pieces,
        "long_lines": plan.long_lines,
        "precision": resolve_precision(plan.precision, translator.bundles[0].device),
        "format": plan.format,
        "weights": plan.weights,
    }
    return identity_of(translator.bundles, settings)


@contextlib.contextmanager
def _progress(jobs: Sequence[Job], options: argparse.Namespace) -> Iterator[Progress | None]:
    """Show progress, unless it is unwanted or the results go to the terminal."""
    if options.quiet or (sys.stdout is not None and sys.stdout.isatty()):
        yield None
        return
    counts = [None if options.markup == "html" else _lines_of(job) for job in jobs]
    total = None if None in counts else sum(filter(None, counts))
    with Progress("translating", unit="sentences", total=total) as shown:
        yield shown


def _lines_of(job: Job) -> int | None:
    if job.part is not None:
        return job.part.lines
    return None if job.source is None else count_lines(job.source)


if __name__ == "__main__":
    sys.exit(main())
