"""Train every variant of attention on one corpus, and write one table of what came out into the recipe's README."""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.core.run_folder import MODEL, RunFolder, best_checkpoint
from nmt.model.weights import read_tensors

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / "recipes" / "attention-zoo"
RECIPE, VARIANTS, README = ZOO / "attention-zoo.yaml", ZOO / "variants.txt", ZOO / "README.md"
OVERRIDE = re.compile(r"[\w.]+=(?:\{[^}]*\}|\[[^\]]*\]|\S+)")
BEGIN, END = "<!-- table -->", "<!-- /table -->"


@dataclass(frozen=True)
class Variant:
    """A line of the list.

    Args:
        name: what to call it; its run folder.
        overrides: ``a.b=c`` over the recipe.
    """

    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """What a run folder says of a variant; ``None`` where there is nothing to measure."""

    name: str
    decoder: str
    bleu: float
    signature: str
    perplexity: float
    aer: float | None
    entropy: float | None
    tokens_per_second: float
    parameters: int

    def __str__(self) -> str:
        aer = "" if self.aer is None else f"{self.aer:.3f}"
        entropy = "" if self.entropy is None else f"{self.entropy:.2f}"
        return (
            f"| {self.name} | {self.decoder} | {self.bleu:.2f} | {self.perplexity:.3f} | {aer} | {entropy} | "
            f"{self.tokens_per_second:,.0f} | {self.parameters:,} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/attention_zoo.py",
        description=__doc__,
        epilog="examples:\n  python tools/attention_zoo.py\n  python tools/attention_zoo.py soft-additive local-p\n"
        "  python tools/attention_zoo.py --output smoke --table smoke.md training.max_steps=30",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs="*", metavar="variant | a.b=c", help="which ones (default: all); overrides")
    parser.add_argument("--output", type=Path, default=Path("attention-zoo"), help="folder of the runs (%(default)s)")
    parser.add_argument("--table", type=Path, default=README, help="file that gets the table (%(default)s)")
    options = parser.parse_intermixed_args()
    variants = read_variants(VARIANTS)
    names = [argument for argument in options.arguments if "=" not in argument]
    overrides = [argument for argument in options.arguments if "=" in argument]
    unknown = sorted(set(names) - {variant.name for variant in variants})
    if unknown:
        parser.error(f"no such variant: {', '.join(unknown)}; {VARIANTS} names them all")
    for variant in variants:
        if not names or variant.name in names:
            train(variant, options.output / variant.name, overrides)
    rows = [summarise(variant, options.output / variant.name) for variant in variants if done(options.output, variant)]
    write_table(options.table, rows)
    print(f"{len(rows)} of {len(variants)} variants in the table: {options.table}")
    return 0


def read_variants(path: Path) -> list[Variant]:
    """Read the list: a name, and overrides of which a value in braces or brackets may hold blanks."""
    variants = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *rest = line.split(maxsplit=1)[:2] if line.strip() and not line.startswith("#") else [""]
        if name:
            variants.append(Variant(name, tuple(OVERRIDE.findall(rest[0] if rest else ""))))
    return variants


def done(output: Path, variant: Variant) -> bool:
    """Whether a run has been trained and scored; alignments come last, where there is attention."""
    run = RunFolder(output / variant.name)
    aligned = (run.path / "alignment.json").exists() or "model.attention=none" in variant.overrides
    return run.test.exists() and aligned


def train(variant: Variant, run: Path, overrides: list[str]) -> None:
    """Train into a folder, go on there, or leave a finished run as it is."""
    if done(run.parent, variant):
        print(f"{variant.name}: finished before", file=sys.stderr)
        return
    words = [str(Path(sys.executable).parent / "nmt-train"), "--output", str(run)]
    if (run / "recipe.yaml").exists():
        words.append("--resume")
    else:
        words += [str(RECIPE), f"name={variant.name}", *variant.overrides, *overrides]
    print("$ " + shlex.join(words), file=sys.stderr, flush=True)
    status = subprocess.run(words, check=False).returncode
    if status:
        sys.exit(status)


def summarise(variant: Variant, path: Path) -> Row:
    """Collect what a run folder says of itself."""
    run = RunFolder(path)
    records = [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]
    checkpoint = best_checkpoint(run)
    best = (("average" if checkpoint.name == "averaged" else "validation"), read(run.best).get("step"))
    perplexity = next((one["perplexity"] for one in records if (one["kind"], one["step"]) == best), math.nan)
    bleu = read(run.test)["scores"][0]
    alignment = read(path / "alignment.json") if (path / "alignment.json").exists() else {}
    return Row(
        name=variant.name,
        decoder=decoder_of(variant),
        bleu=bleu["value"],
        signature=bleu["signature"],
        perplexity=perplexity,
        aer=alignment.get("aer"),
        entropy=alignment.get("entropy"),
        tokens_per_second=speed([record for record in records if record["kind"] == "train"]),
        parameters=sum(tensor.numel() for tensor in read_tensors(checkpoint / MODEL).values()),
    )


def decoder_of(variant: Variant) -> str:
    """Name of the decoder that a variant overrides, or the recipe's."""
    chosen = [
        value for key, _, value in (one.partition("=") for one in variant.overrides) if key == "model.decoder.type"
    ]
    return chosen[-1] if chosen else "bahdanau"


def speed(records: list[dict[str, Any]]) -> float:
    """Target tokens a second over all logged windows: their tokens over their seconds."""
    tokens, seconds, before = 0, 0.0, 0
    for record in records:
        counted = record["tokens"] - before
        before = record["tokens"]
        if record["tokens_per_second"] > 0:
            tokens += counted
            seconds += counted / record["tokens_per_second"]
    return tokens / seconds if seconds else math.nan


def write_table(path: Path, rows: list[Row]) -> None:
    """Put the table between its markers; what stands around them stays. A file without them is made."""
    signatures = sorted({row.signature for row in rows})
    lines = [
        BEGIN,
        *(f"BLEU signature: `{signature}`" for signature in signatures),
        "",
        "| variant | decoder | BLEU | perplexity | AER | entropy (nats) | tokens/s | parameters |",
        "|---|---|---|---|---|---|---|---|",
        *map(str, rows),
        END,
    ]
    text = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        sys.exit(f"{path}: must hold the lines {BEGIN} and {END}, between which the table goes")
    path.write_text(before + "\n".join(lines) + after, encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object that a command of ours has written."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


if __name__ == "__main__":
    sys.exit(main())
