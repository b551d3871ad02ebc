"""Train every variant of attention on the generated corpus, and six of them on Multi30k if it is there.

The results are written into the tables of the recipe's README. Variants train in parallel, one per core; each has a log
next to its run folder. The corpus is generated if it is missing. Measure training speed with --speed and no other load.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from tqdm import tqdm  # noqa: E402

from nmt.core import config  # noqa: E402
from nmt.core.errors import NmtError  # noqa: E402
from nmt.core.storage.run_folder import MODEL, RunFolder, best_checkpoint  # noqa: E402
from nmt.model.weights import read_tensors  # noqa: E402
from nmt.recipe import load_recipe  # noqa: E402
from tools.running import status_of, train  # noqa: E402

ZOO = ROOT / "recipes" / "attention-zoo"
README = ZOO / "README.md"
OUTPUT = "attention-zoo"
SPEED = "speed.json"
# Marks a run that was trained entirely with --jobs 1, so that its own log shows its speed.
ALONE = "alone"
# A few updates of each variant to measure speed, in the last four of six windows.
BRIEFLY = (
    "training.interval_unit=steps",
    "training.max_steps=60",
    "training.log_interval=10",
    "data.validation=null",
    "test=null",
    "alignment=null",
)
OVERRIDE = re.compile(r"[\w.]+=(?:\{[^}]*\}|\[[^\]]*\]|\S+)")


@dataclass(frozen=True)
class Suite:
    """Variants of one recipe.

    Args:
        name: of the recipe, and of the marks around the table in the README.
        variants: their list.
    """

    name: str
    variants: Path

    @property
    def recipe(self) -> Path:
        """What all variants have in common."""
        return ZOO / f"{self.name}.yaml"

    @property
    def marks(self) -> tuple[str, str]:
        """The lines before and after the table."""
        return f"<!-- {self.name} -->", f"<!-- /{self.name} -->"


GENERATED = Suite("attention-zoo", ZOO / "variants.txt")
MULTI30K = Suite("multi30k", ZOO / "multi30k.txt")


@dataclass(frozen=True)
class Variant:
    """A line of the list.

    Args:
        name: of the variant and of its run folder.
        overrides: ``a.b=c`` over the recipe.
    """

    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """The results in a run folder; ``None`` where there is nothing to measure."""

    name: str
    decoder: str
    bleu: float
    signature: str
    perplexity: float
    aer: float | None
    entropy: float | None
    tokens_per_second: float
    minutes: float
    parameters: int

    def cells(self) -> tuple[str, ...]:
        """The cells of a row of the table; a dash where there is nothing to measure."""
        return (
            self.name,
            self.decoder,
            f"{self.bleu:.2f}",
            f"{self.perplexity:.3f}",
            "-" if self.aer is None else f"{self.aer:.3f}",
            "-" if self.entropy is None else f"{self.entropy:.2f}",
            f"{self.tokens_per_second:,.0f}",
            f"{self.minutes:.1f}",
            f"{self.parameters:,}",
        )


SIGNATURE = "BLEU signature"
COLUMNS = ("variant", "decoder", "BLEU", "perplexity", "AER", "entropy (nats)", "tokens/s", "minutes", "parameters")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tools/attention_zoo.py",
        description=__doc__,
        epilog="examples:\n  python tools/attention_zoo.py\n  python tools/attention_zoo.py soft-additive local-p\n"
        "  python tools/attention_zoo.py --multi30k multi30k\n"
        "  python tools/attention_zoo.py --output smoke --table smoke.md training.max_steps=30",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs="*", metavar="variant | a.b=c", help="which ones (default: all); overrides")
    parser.add_argument("--multi30k", type=Path, metavar="DIR", help="train six on the Multi30k in this folder too")
    parser.add_argument("--output", type=Path, default=Path(OUTPUT), help="folder of the runs (%(default)s)")
    parser.add_argument(
        "--table",
        type=Path,
        help="file for the tables; rows of other variants are kept (default: the README of the zoo's recipes, or "
        "table.md in the folder of the runs where that or the recipe is another)",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="variants at a time (default: one per core)"
    )
    parser.add_argument(
        "--speed",
        action="store_true",
        help="after training, measure some updates of each, one variant after another and with all cores, for the "
        "columns of speed (those that --jobs 1 has trained are measured already); let nothing else run meanwhile",
    )
    options = parser.parse_intermixed_args(argv)
    standard = options.output == Path(OUTPUT) and not any("=" in argument for argument in options.arguments)
    table = options.table or (README if standard else options.output / "table.md")
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, but is {options.jobs}")
    suites = [(GENERATED, options.output, ())]
    if options.multi30k is not None:
        suites.append((MULTI30K, options.output / MULTI30K.name, (f"data.root={options.multi30k}",)))
    lists = [read_variants(suite.variants) for suite, _, _ in suites]
    names = [argument for argument in options.arguments if "=" not in argument]
    overrides = [argument for argument in options.arguments if "=" in argument]
    unknown = sorted(set(names) - {variant.name for variants in lists for variant in variants})
    if unknown:
        known = " and ".join(str(suite.variants) for suite, _, _ in suites)
        parser.error(f"no such variant: {', '.join(unknown)}; choose from {known}")
    threads = max((os.cpu_count() or 1) // options.jobs, 1)
    wanted = [
        (suite, variant, output / variant.name, [*own, f"training.threads={threads}", *overrides])
        for (suite, output, own), variants in zip(suites, lists, strict=True)
        for variant in variants
        if not names or variant.name in names
    ]
    if not any(override.startswith("data.root=") for override in overrides):
        generate(Path(load_recipe(GENERATED.recipe).data.root))
    stale = [f"{run}: {what}" for suite, variant, run, own in wanted if (what := stale_in(suite, variant, run, own))]
    if stale:
        raise NmtError("\n".join(["runs of another recipe:", *stale]))
    failed = train_all(wanted, options.jobs)
    if options.speed:
        failed += measure_all(wanted)
    for (suite, output, _), variants in zip(suites, lists, strict=True):
        rows = [summarise(variant, output / variant.name) for variant in variants if done(output, variant)]
        if rows:
            write_table(table, suite.marks, rows, [variant.name for variant in variants])
        print(f"{len(rows)} of {len(variants)} variants written into the table {suite.name} of {table}")
    return 1 if failed else 0


def generate(corpus: Path) -> None:
    """Generate the corpus if it is missing."""
    if not (corpus / "train.de").exists():
        words = [sys.executable, ROOT / "tools" / "generate_corpus.py", corpus, "--seed", "1"]
        if status := subprocess.run(words, check=False).returncode:
            sys.exit(status)


def train_all(wanted: Sequence[tuple[Suite, Variant, Path, Sequence[str]]], jobs: int) -> list[str]:
    """Train that many variants at a time; return the names of those that failed, which do not affect the others."""
    failed = []
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(wanted), unit="variant", disable=None) as progress:
        runs = {pool.submit(train_variant, *one, alone=jobs == 1): one[2] for one in wanted}
        try:
            for future in as_completed(runs):
                run = runs[future]
                if future.result():
                    failed.append(run.name)
                    progress.write(f"{run.name}: failed; {log_of(run)} says why", file=sys.stderr)
                else:
                    progress.write(f"{run.name}: trained", file=sys.stderr)
                progress.update()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def measure_all(wanted: Sequence[tuple[Suite, Variant, Path, Sequence[str]]]) -> list[str]:
    """Measure the speed of all trained variants, one after another; return the names of those that failed."""
    failed = []
    for suite, variant, run, own in tqdm(wanted, unit="variant", disable=None):
        if not done(run.parent, variant) or (run / ALONE).exists():
            continue
        if measure_speed(suite, variant, run, [*own, f"training.threads={os.cpu_count() or 1}"]):
            failed.append(variant.name)
            tqdm.write(f"{variant.name}: its speed was not measured; {log_of(run)} says why", file=sys.stderr)
    return failed


def read_variants(path: Path) -> list[Variant]:
    """Read the list: a name, and overrides, in which values in braces or brackets may contain spaces."""
    variants = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *rest = line.split(maxsplit=1)[:2] if line.strip() and not line.startswith("#") else [""]
        if name:
            variants.append(Variant(name, tuple(OVERRIDE.findall(rest[0] if rest else ""))))
    return variants


def done(output: Path, variant: Variant) -> bool:
    """Whether a run has been trained and scored; alignments come last, if there is attention."""
    run = RunFolder(output / variant.name)
    aligned = (run.path / "alignment.json").exists() or "model.attention=none" in variant.overrides
    return run.test.exists() and aligned


def stale_in(suite: Suite, variant: Variant, run: Path, overrides: Iterable[str]) -> str:
    """The sections in which the recipe of a run differs from this one; empty if none does."""
    path = RunFolder(run).recipe
    if not path.exists():
        return ""
    before = config.to_mapping(load_recipe(path))
    now = config.to_mapping(load_recipe(suite.recipe, [f"name={variant.name}", *variant.overrides, *overrides]))
    for mapping in (before, now):
        for name in ("root", "cache"):  # the same text may be elsewhere
            mapping["data"].pop(name)
        mapping["training"].pop("threads")
    sections = [name for name in now if now[name] != before.get(name)]
    return f"its {', '.join(sections)} differ; remove the folder to train it again" if sections else ""


def train_variant(suite: Suite, variant: Variant, run: Path, overrides: Iterable[str], *, alone: bool = False) -> int:
    """Train into a folder, resume there, or keep a finished run; return the exit status."""
    if done(run.parent, variant):
        return 0
    afresh = not RunFolder(run).recipe.exists()
    status = train(suite.recipe, [f"name={variant.name}", *variant.overrides, *overrides], run, log=log_of(run))
    if alone and afresh and not status:
        (run / ALONE).touch()
    return status


def measure_speed(suite: Suite, variant: Variant, run: Path, overrides: Iterable[str]) -> int:
    """Train some updates in a separate folder; the result is stored with the variant's run."""
    with tempfile.TemporaryDirectory(dir=run.parent) as folder:
        brief = Path(folder) / "run"
        status = train(suite.recipe, [*variant.overrides, *overrides, *BRIEFLY], brief, log=log_of(run))
        if status:
            return status
        windows = [one for one in records_of(RunFolder(brief)) if one["kind"] == "train"]
    before, *counted = windows[1:]
    tokens, seconds = trained(counted, before["tokens"])
    (run / SPEED).write_text(json.dumps({"tokens_per_second": tokens / seconds}) + "\n", encoding="utf-8")
    return 0


def log_of(run: Path) -> Path:
    """The log file of a training."""
    return run.with_name(f"{run.name}.log")


def summarise(variant: Variant, path: Path) -> Row:
    """Collect the results in a run folder."""
    run = RunFolder(path)
    records = records_of(run)
    checkpoint = best_checkpoint(run)
    best = (("average" if checkpoint.name == "averaged" else "validation"), read(run.best).get("step"))
    perplexity = next((one["perplexity"] for one in records if (one["kind"], one["step"]) == best), math.nan)
    bleu = read(run.test)["scores"][0]
    tokens, seconds = trained([record for record in records if record["kind"] == "train"])
    speed = tokens / seconds if seconds else math.nan
    if (path / SPEED).exists():
        speed = read(path / SPEED)["tokens_per_second"]
    alignment = read(path / "alignment.json") if (path / "alignment.json").exists() else {}
    return Row(
        name=variant.name,
        decoder=decoder_of(variant),
        bleu=bleu["value"],
        signature=bleu["signature"],
        perplexity=perplexity,
        aer=alignment.get("aer"),
        entropy=alignment.get("entropy"),
        tokens_per_second=speed,
        minutes=tokens / speed / 60.0,
        parameters=sum(tensor.numel() for tensor in read_tensors(checkpoint / MODEL).values()),
    )


def decoder_of(variant: Variant) -> str:
    """Name of the variant's decoder, by its overrides or by the recipe."""
    chosen = [
        value for key, _, value in (one.partition("=") for one in variant.overrides) if key == "model.decoder.type"
    ]
    return chosen[-1] if chosen else "bahdanau"


def records_of(run: RunFolder) -> list[dict[str, Any]]:
    """All records that a training has logged."""
    return [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]


def trained(records: list[dict[str, Any]], before: int = 0) -> tuple[int, float]:
    """Target tokens and seconds of the logged windows after that many tokens."""
    tokens, seconds = 0, 0.0
    for record in records:
        counted = record["tokens"] - before
        before = record["tokens"]
        if record["tokens_per_second"] > 0:
            tokens += counted
            seconds += counted / record["tokens_per_second"]
    return tokens, seconds


def write_table(path: Path, marks: tuple[str, str], rows: Sequence[Row], names: Sequence[str]) -> None:
    """Write rows into the table between two marks, in the order of the names.

    Rows of other names in the list and the text around the table are kept. A file without the marks gets them at its
    end.
    """
    begin, end = marks
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in text and end not in text:
        text += f"{begin}\n{end}\n"
    before, found, rest = text.partition(begin)
    table, closed, after = rest.partition(end)
    if not (found and closed):
        sys.exit(f"{path}: must hold the line {begin} before the line {end}, or neither; the table goes between them")
    cells = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("|")}
    cells.update((row.name, f"| {' | '.join(row.cells())} |") for row in rows)
    signatures = {line for line in table.splitlines() if line.startswith(SIGNATURE)}
    signatures |= {f"{SIGNATURE}: `{row.signature}`" for row in rows}
    lines = [
        *sorted(signatures),
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(cells[name] for name in names if name in cells),
    ]
    path.write_text(before + "\n".join([begin, *lines, end]) + after, encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object that one of our commands has written."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


if __name__ == "__main__":
    sys.exit(status_of(main))
