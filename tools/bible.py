"""Align the Greek New Testament with an English translation, and compare the links with manual ones."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from nmt.alignment.links import Links, read_links  # noqa: E402
from nmt.alignment.symmetrisation import SYMMETRISATIONS, Symmetrisation, inverse, symmetrise  # noqa: E402
from nmt.core.storage.files import write_json  # noqa: E402
from nmt.core.storage.run_folder import RunFolder  # noqa: E402
from nmt.metrics.aer import AlignmentScore, alignment_error_rate  # noqa: E402
from tools import bible_corpus  # noqa: E402
from tools.running import command  # noqa: E402

RECIPES = ROOT / "recipes" / "bible"
WAY = "shifted-attention"

_EXAMPLES = """\
examples:
  python tools/bible.py
  python tools/bible.py --seed 2 --output bible-2
  python tools/bible.py --output smoke training.max_steps=20

Finished runs are kept and unfinished ones resumed; links that are newer than their run are kept too. The method of
symmetrisation and the round are chosen on the first 800 verses; training does not use the manual links.
"""


@dataclass(frozen=True, slots=True)
class Direction:
    """A model of one direction.

    Args:
        name: of its run folder.
        source: suffix of the source language.
        target: suffix of the target language.
        after: name of the run whose weights it starts from, if any.
    """

    name: str
    source: str
    target: str
    after: str | None = None

    @property
    def recipe(self) -> Path:
        """The recipe of the first round, or of all later ones."""
        return RECIPES / f"{self.source}-{self.target}{'-2' if self.after else ''}.yaml"


ROUNDS = (
    (Direction("grc-en", "grc", "en"), Direction("en-grc", "en", "grc")),
    (Direction("grc-en-2", "grc", "en", after="grc-en"), Direction("en-grc-2", "en", "grc", after="en-grc")),
    (Direction("grc-en-3", "grc", "en", after="grc-en-2"), Direction("en-grc-3", "en", "grc", after="en-grc-2")),
)
# What makes one of both directions' links, for the next round to learn from; no manual link has a say in it.
TAUGHT: Symmetrisation = "grow-diag-final-and"


@dataclass(frozen=True, slots=True)
class Row:
    """Agreement of links with the manual ones.

    Args:
        turn: the round, from 1.
        name: a direction or a method of symmetrisation.
        scores: for ``tune``, ``rest`` and ``all``.
    """

    turn: int
    name: str
    scores: dict[str, AlignmentScore]

    def __str__(self) -> str:
        parts = (self.scores[part] for part in ("tune", "rest", "all"))
        return f"| {self.turn} | {self.name} | " + " | ".join(
            f"{score.aer:.3f} ({score.precision:.3f}, {score.recall:.3f})" for score in parts
        ) + " |"  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tools/bible.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="a.b=c", help="values that override those of every recipe")
    parser.add_argument("--output", type=Path, default=Path("bible"), help="folder for all of it (%(default)s)")
    parser.add_argument(
        "--package", type=Path, metavar="WHEEL", help=f"the package, if already downloaded ({bible_corpus.PACKAGE})"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of every training (%(default)s)")
    options = parser.parse_args(argv)
    output: Path = options.output.resolve()
    corpus = output / "corpus"
    if not prepare(corpus, options.package):
        return 1
    overrides = [f"data.root={corpus}", f"seed={options.seed}", *options.overrides]
    gold, rows = read_links(corpus / "all.align"), []
    for turn, directions in enumerate(ROUNDS, start=1):
        for direction in directions:
            train(direction, output, overrides)
        forward, backward = (read_links(align(direction, output)) for direction in directions)
        backward = [inverse(each) for each in backward]
        rows += score(turn, forward, backward, gold)
        if turn < len(ROUNDS):
            teach(corpus, forward, backward)
    summary = summarise(rows, output)
    write_json(output / "summary.json", summary)
    show(rows, summary, output)
    return 0


def prepare(corpus: Path, package: Path | None) -> bool:
    """Write the verses, unless they are there."""
    if (corpus / "verses.txt").exists():  # written last
        return True
    return bible_corpus.main([str(corpus), *(["--package", str(package)] if package else [])]) == 0


def train(direction: Direction, output: Path, overrides: list[str]) -> None:
    """Train into a folder, resume there, or keep a finished run."""
    run, finished = output / direction.name, output / f"{direction.name}.finished"
    if finished.exists():
        print(f"{direction.name}: finished before", file=sys.stderr)
        return
    words: list[str | Path] = [command("nmt-train"), "--output", run]
    if RunFolder(run).recipe.exists():
        words.append("--resume")
    else:
        begin = [f"training.init_from={output / direction.after}"] if direction.after else []
        words += [direction.recipe, *begin, *overrides]
    call(words)
    finished.touch()


def align(direction: Direction, output: Path) -> Path:
    """Align all verses, unless that was done after the run was trained; return the file of the links."""
    corpus, run, links = output / "corpus", output / direction.name, output / f"{direction.name}.align"
    if links.exists() and links.stat().st_mtime_ns >= RunFolder(run).best.stat().st_mtime_ns:
        print(f"{direction.name}: aligned before", file=sys.stderr)
        return links
    partial = links.with_suffix(".partial")
    sides = [corpus / f"all.{language}" for language in (direction.source, direction.target)]
    call([command("nmt-align"), run, *sides, "--by", WAY, "--quiet", "--output", partial])
    partial.replace(links)
    return links


def teach(corpus: Path, forward: list[Links], backward: list[Links]) -> None:
    """Write the symmetrised links that the next round learns from, as each direction counts words.

    Args:
        corpus: folder of the verses.
        forward: links of each verse by the model that writes English.
        backward: links by the model that writes Greek, also as (Greek, English).
    """
    both = [symmetrise(*pair, TAUGHT) for pair in zip(forward, backward, strict=True)]
    for name, links in (("grc-en", both), ("en-grc", [inverse(each) for each in both])):
        text = "".join(f"{each}\n" for each in links)
        path = corpus / f"agreed.{name}.align"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def score(turn: int, forward: list[Links], backward: list[Links], gold: list[Links]) -> list[Row]:
    """Compare the links of both directions and of every symmetrisation with the manual links.

    Args:
        turn: the round, from 1.
        forward: links of each verse by the model that writes English.
        backward: links by the model that writes Greek, also as (Greek, English).
        gold: the manual links.
    """
    rows = [Row(turn, "grc-en", _scores(forward, gold)), Row(turn, "en-grc", _scores(backward, gold))]
    for method in SYMMETRISATIONS:
        both = [symmetrise(*pair, method) for pair in zip(forward, backward, strict=True)]
        rows.append(Row(turn, method, _scores(both, gold)))
    return rows


def _scores(links: list[Links], gold: list[Links]) -> dict[str, AlignmentScore]:
    tuned = bible_corpus.TUNED
    parts = {"tune": slice(tuned), "rest": slice(tuned, None), "all": slice(None)}
    found, sure = [each.sure for each in links], [each.sure for each in gold]
    return {name: alignment_error_rate(found[part], sure[part], sure[part]) for name, part in parts.items()}


def chosen(rows: list[Row]) -> Row:
    """The row that is best on the first verses."""
    return min(rows, key=lambda row: row.scores["tune"].aer)


def summarise(rows: list[Row], output: Path) -> dict[str, Any]:
    """Collect what the runs have written."""
    names = [direction.name for directions in ROUNDS for direction in directions]
    best = chosen(rows)
    return {
        "chosen": {"round": best.turn, "links": best.name},
        "aer": {part: each.aer for part, each in best.scores.items()},
        "way": WAY,
        "scores": [
            {"round": row.turn, "links": row.name, **{part: each.to_mapping() for part, each in row.scores.items()}}
            for row in rows
        ],
        "runs": {name: _run(RunFolder(output / name)) for name in names},
    }


def _run(run: RunFolder) -> dict[str, Any]:
    records = [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]
    last = [record for record in records if record["kind"] == "train"][-1]
    seed = json.loads(run.versions.read_text(encoding="utf-8"))["seed"]
    return {"seed": seed, "updates": last["step"], "seconds": last["seconds"]}


def show(rows: list[Row], summary: dict[str, Any], output: Path) -> None:
    """Print the table."""
    print("AER (precision, recall) against the manual links\n")
    print("| round | links | first 800 verses | the rest | all |\n|---|---|---|---|---|")
    aer, best = summary["aer"], summary["chosen"]
    for row in rows:
        taken = (row.turn, row.name) == (best["round"], best["links"])
        print(str(row).replace(f"| {row.name} |", f"| **{row.name}** (chosen) |") if taken else row)
    figures = f"AER {aer['rest']:.3f} on the rest, {aer['all']:.3f} on all"
    print(f"\nchosen on the first 800 verses: {best['links']} of round {best['round']}, {figures}")
    print(f"summary: {output / 'summary.json'}")


def call(words: list[str | Path]) -> None:
    """Show a command, run it, and end with its status if it fails."""
    texts = [str(word) for word in words]
    print("$ " + shlex.join(texts), file=sys.stderr, flush=True)
    status = subprocess.run(texts, check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    sys.exit(main())
