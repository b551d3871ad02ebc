"""``nmt-evaluate``: BLEU, chrF and other metrics of a model or of finished translations."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.cli.options.run_options import (
    add_model_options,
    add_search_options,
    at_least_one,
    given_of_run,
    load_models,
    search_config,
    searches,
    use_threads,
)
from nmt.cli.run import COMMAND_LINE, begin, command_parser, run
from nmt.cli.streams import check_outputs, read_sides
from nmt.core.errors import ConfigError, DataError
from nmt.core.storage.files import reporting_os_errors, write_lines
from nmt.core.storage.hub import is_hub_name
from nmt.core.storage.output_place import check_place

if TYPE_CHECKING:
    from nmt.metrics.score import Score
    from nmt.translation.scoring import TestReport

EXAMPLES = (
    "nmt-evaluate runs/deen test.de test.en",
    "nmt-evaluate runs/deen                       # the recipe's test and alignments again",
    "nmt-evaluate runs/one runs/two test.de test.en      # an ensemble",
    "nmt-evaluate runs/deen test.de test.en-1 test.en-2   # two references a line; one may be blank",
    "nmt-evaluate --hypotheses test.out test.en --ter",
    "nmt-evaluate --hypotheses new.out --compare old.out test.en --format json",
)


METRICS = {
    "ter": "the translation edit rate",
    "wer": "the word error rate, as of speech (by jiwer)",
    "cer": "the character error rate (by jiwer)",
    "exact": "the share of translations that equal a reference",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-evaluate",
        "Score translations with sacreBLEU: those of a run (or an ensemble) on a test set, those of the test set "
        "that the run's recipe names, or existing ones. Every score has its signature. Where one of several "
        "references is blank, it counts as missing: its line is reported and scored by the others. RUN alone also "
        "renews the results of the best checkpoint in the run folder (test.json, alignment.json and the files that "
        "belong to them); for another checkpoint (--checkpoint) the scores are only printed.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="[RUN ...] [SOURCE REFERENCE ...]",
        help="a run folder, a model file or hf:owner/name (several make an ensemble), and a source file with one or "
        "more references; with --hypotheses only references",
    )
    parser.add_argument("--hypotheses", type=Path, metavar="FILE", help="existing translations, instead of a run")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="another system's translations, the baseline of a paired bootstrap"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the translations to this file")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the scores (default: text)")
    scores = parser.add_argument_group("scores")
    scores.add_argument(
        "--tokenize",
        choices=("auto", "13a", "none", "zh", "ja-mecab", "ko-mecab", "intl", "char"),
        help="sacreBLEU's tokenizer (default: auto, by the script of the references: 13a, zh or char)",
    )
    scores.add_argument("--lowercase", action="store_true", help="ignore case")
    scores.add_argument(
        "--moses", metavar="LANG", help="also BLEU of text tokenised with sacremoses, as papers report it"
    )
    for name, measured in METRICS.items():
        scores.add_argument(f"--{name}", action="store_true", help=f"also {measured}")
    add_search_options(
        parser, n_best="with --strategy sampling: score the best of N samples (by the model's own score)"
    )
    add_model_options(parser)
    return parser


@dataclass(frozen=True, slots=True)
class _Result:
    """Output of the command."""

    scores: Sequence[Score]
    hypotheses: Sequence[str] = ()
    lines: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    begin(options)
    runs, files = _runs_and_files(options)
    _check(options, runs, files)
    with use_threads(options):
        result = _result(options, runs, files) if files else _repeat(options)
    if options.format == "json":
        record = {"scores": [score.to_mapping() for score in result.scores], **result.record}
        print(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        print("\n".join([*map(str, result.scores), *result.lines]))
    if options.output is not None:  # last, so that a full disk does not lose the scores
        with reporting_os_errors("write the translations"):
            write_lines(options.output, result.hypotheses)
    return 0


def _runs_and_files(options: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """Separate the runs, which come first, from the text files."""
    files: list[Path] = options.files
    count = 0 if options.hypotheses is not None else len(files[:1])
    while 0 < count < len(files) and _is_model(files[count]):
        count += 1
    return files[:count], files[count:]


def _is_model(path: Path) -> bool:
    if is_hub_name(path) or not path.is_file():
        return is_hub_name(path) or path.is_dir()
    from nmt.translation.model_files.packed import is_packed

    return is_packed(path)


def _check(options: argparse.Namespace, runs: Sequence[Path], files: Sequence[Path]) -> None:
    problem = None
    given = [
        name for name in ("tokenize", "lowercase", "moses", *METRICS, "compare", "output") if getattr(options, name)
    ]
    if options.hypotheses is not None:
        needless = [*given_of_run(options), *(["--output"] if options.output is not None else [])]
        if not files:
            problem = "a reference must be given with --hypotheses"
        elif needless:
            problem = f"--hypotheses are existing translations, which need no run; leave out {', '.join(needless)}"
    elif not runs:
        problem = "a run folder must be given, or --hypotheses; see nmt-evaluate --help"
    elif len(files) == 1:
        problem = f"a run folder, a source file and a reference must be given; besides runs, only {files[0]} is"
    elif not files and len(runs) > 1:
        problem = "several runs make an ensemble, which has no test set of its own; give a source file and a reference"
    elif not files and (given or searches(options) or options.target_language is not None):
        problem = (
            "the recipe's test set is translated and scored as the recipe says; for "
            "other settings, give source and reference"
        )
    if problem:
        raise ConfigError(problem, COMMAND_LINE)
    at_least_one(options, "batch_tokens")
    if options.output is not None:
        check_outputs([("--output", options.output)], (*options.files, options.compare))
        check_place(options.output, "translations")
    from nmt.metrics.error_rates import check_jiwer
    from nmt.metrics.score import check_moses, check_tokenizer

    if options.wer or options.cer:
        check_jiwer()
    if options.tokenize is not None:
        check_tokenizer(options.tokenize)
    if options.moses is not None:
        check_moses(options.moses)


def _result(options: argparse.Namespace, runs: Sequence[Path], files: Sequence[Path]) -> _Result:
    """Score existing translations, or those by the runs; with a paired bootstrap test if there is a baseline."""
    from nmt.translation.scoring import score_lines, warn_of_text

    named = files if options.hypotheses is not None else files[1:]
    baseline = [options.compare] if options.compare else []
    first, *others = read_sides(options.hypotheses or files[0], *baseline, *named)
    references = others[len(baseline) :]
    how = {"tokenize": options.tokenize or "auto", "lowercase": options.lowercase}
    scoring = {**how, "moses": options.moses, "metrics": [name for name in METRICS if getattr(options, name)]}
    scores: Sequence[Score]
    hypotheses: Sequence[str]
    record: dict[str, Any] = {}
    if options.hypotheses is not None:
        hypotheses, scores = first, score_lines(first, references, **scoring)
    else:
        report = _translated(options, runs, first, references, scoring)
        hypotheses, scores = report.hypotheses, report.scores
        record = {key: value for key, value in report.to_mapping().items() if key != "scores"}
    warn_of_text(hypotheses, references, [str(path) for path in named])
    record = {"sentences": len(hypotheses), **record}
    if not baseline:
        return _Result(scores, hypotheses, record=record)
    from nmt.metrics.bootstrap import paired_bootstrap

    comparisons = paired_bootstrap(
        others[0], hypotheses, references, metrics=("bleu", "chrf", "ter") if options.ter else ("bleu", "chrf"), **how
    )
    record["comparisons"] = [comparison.to_mapping() for comparison in comparisons]
    return _Result(scores, hypotheses, [comparison.format() for comparison in comparisons], record)


def _translated(
    options: argparse.Namespace,
    runs: Sequence[Path],
    source: Sequence[str],
    references: Sequence[Sequence[str]],
    scoring: dict[str, Any],
) -> TestReport:
    from nmt.translation.scoring import translate_and_score
    from nmt.translation.translator import BATCH_TOKENS, Translator

    bundles = load_models(options, runs)
    translator = Translator(
        bundles,
        search=search_config(options, bundles[0].search),
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        attention=False,
        root=options.root,
        target_language=options.target_language,
    )
    translator.tags.check_all(source, str(options.files[len(runs)]), options.target_language)
    return translate_and_score(translator, source, references, **scoring)


def _repeat(options: argparse.Namespace) -> _Result:
    """Repeat the last steps of ``nmt-train``: the recipe's test and alignments."""
    from nmt.core.storage.run_folder import RunFolder
    from nmt.plain_text import root_now
    from nmt.translation.evaluation import AlignmentConfig, TestConfig, evaluate, export_alignments
    from nmt.translation.model_files.bundle import open_model

    (bundle,) = load_models(options, options.files)
    stored = open_model(bundle.path, options.checkpoint)
    if stored.path.is_file():
        raise DataError(f"{stored.path}: is a model file, which has no test set; give a source file and its reference")
    root = Path(root_now(stored.text("root") or ".", RunFolder(stored.path)))
    test = stored.section(TestConfig, "test") if stored.recipe.get("test") else None
    alignment = stored.section(AlignmentConfig, "alignment") if stored.recipe.get("alignment") else None
    if test is None and alignment is None:
        raise DataError(f"{stored.source}: names no test set; give a source file and its reference")
    scores: Sequence[Score] = ()
    lines: list[str] = []
    record: dict[str, Any] = {}
    if test is not None:
        report = evaluate(bundle, test, root)
        scores = report.scores
        record |= {key: value for key, value in report.to_mapping().items() if key != "scores"}
    if alignment is not None:
        exported = export_alignments(bundle, alignment, test, root)
        if exported is not None:
            record["alignment"] = exported.to_mapping()
            lines += [str(exported.gold.measured)] if exported.gold is not None else []
    return _Result(scores, lines=lines, record=record)


if __name__ == "__main__":
    sys.exit(main())
