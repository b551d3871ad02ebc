"""The quickstart: generate a corpus, train on it, translate, score, draw alignments, write ``summary.json``."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECIPE = Path("recipes/quickstart/quickstart.yaml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="tools/quickstart",
        description=__doc__,
        epilog="examples:\n  tools/quickstart\n  tools/quickstart --seed 2 --output quickstart-2\n"
        "  tools/quickstart training.max_epochs=2 model.attention.score=general",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="a.b=c", help="values that override the recipe's")
    parser.add_argument("--output", type=Path, default=Path("quickstart"), help="folder for all of it (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the training (%(default)s)")
    options = parser.parse_args(argv)
    output, run = options.output.resolve(), options.output.resolve() / "run"
    began = time.monotonic()
    corpus = output / "corpus"
    if run.exists() and not (run / "recipe.yaml").is_file():
        sys.exit(
            f"tools/quickstart: error: {run}: is no run of a training, and would be removed; choose another --output"
        )
    call(sys.executable, ROOT / "tools" / "generate_corpus.py", corpus, "--seed", "1")
    if run.exists():
        print(f"removing the run of the last time, {run}", file=sys.stderr)
        shutil.rmtree(run)
    call(
        command("nmt-train"), ROOT / RECIPE, f"data.root={corpus}", f"seed={options.seed}", *options.overrides,
        "--output", run,
    )  # fmt: skip
    samples = translate_samples(run, corpus, count=5)
    summary = summarise(run, seconds=time.monotonic() - began)
    (output / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    show(summary, samples, output)
    return 0


def command(name: str) -> Path:
    """Path of an installed command, in the folder of the Python that runs this."""
    return Path(sys.executable).parent / name


def call(*words: str | Path) -> None:
    """Show a command, run it, and exit with its status if it fails."""
    print("$ " + " ".join(shown(word) for word in words), file=sys.stderr, flush=True)
    status = subprocess.run([str(word) for word in words], check=False).returncode
    if status:
        sys.exit(status)


def shown(word: str | Path) -> str:
    """A word of a command line; a path below the working directory is shown relative to it."""
    path = Path(word)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(word)


def translate_samples(run: Path, corpus: Path, *, count: int) -> list[tuple[str, str, str]]:
    """Translate some test sentences as a user would: (source, translation, reference)."""
    sources = (corpus / "test.de").read_text(encoding="utf-8").split("\n")[:-1]
    references = (corpus / "test.en").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [number * len(sources) // count for number in range(count)]
    words = [str(command("nmt-translate")), str(run), "--quiet"]
    print(f"$ nmt-translate {shown(run)} < five sentences of test.de", file=sys.stderr, flush=True)
    text = "".join(f"{sources[row]}\n" for row in rows)
    finished = subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE, check=False)
    if finished.returncode:
        sys.exit(finished.returncode)
    translations = finished.stdout.decode().split("\n")
    return [(sources[row], translations[place], references[row]) for place, row in enumerate(rows)]


def summarise(run: Path, *, seconds: float) -> dict[str, Any]:
    """Collect the results in the run folder."""
    scores = {score["name"]: score for score in read(run / "test.json")["scores"]}
    summary: dict[str, Any] = {
        "bleu": round(scores["BLEU"]["value"], 2),
        "signature": scores["BLEU"]["signature"],
    }
    if (run / "alignment.json").exists():
        alignment = read(run / "alignment.json")
        summary |= {"aer": round(alignment["aer"], 4), "aer_oracle": round(alignment["oracle"]["aer"], 4)}
    return {**summary, "seconds": round(seconds, 1), "seed": read(run / "versions.json")["seed"]}


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object that one of our commands has written."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def show(summary: dict[str, Any], samples: list[tuple[str, str, str]], output: Path) -> None:
    """Print the results."""
    for source, translation, reference in samples:
        mark = "=" if translation == reference else "~"
        print(f"\n  German     {source}\n  English  {mark} {translation}")
        if translation != reference:
            print(f"  reference  {reference}")
    print()
    print(json.dumps(summary, indent=1))
    run = output / "run"
    plots = sorted((run / "plots").glob("alignment-*"))
    print(f"\nmodel         {shown(run)}")
    print(f"summary       {shown(output / 'summary.json')}")
    print(f"curves        {shown(run / 'plots' / 'learning-curves.png')}")
    for path in plots:
        print(f"alignment     {shown(path)}")
    print(f'\ntry it:  echo "Der alte Mann liest ein Buch." | .venv/bin/nmt-translate {shown(run)}')


if __name__ == "__main__":
    sys.exit(main())
