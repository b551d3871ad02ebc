"""BLEU by sentence length, with and without attention.

Trains the recipe twice (unless the runs exist), translates the same test sentences with both, and writes a table and a
plot. A decoder that sees only a vector of fixed size fails on long sentences (Cho et al., 2014; Bahdanau et al., 2015,
figure 2).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from matplotlib.figure import Figure  # noqa: E402

import nmt  # noqa: E402
from nmt.alignment.drawing.plots import save_figure  # noqa: E402
from nmt.core.errors import ConfigError  # noqa: E402
from nmt.core.storage.files import write_json  # noqa: E402
from nmt.data.corpus import read_pairs  # noqa: E402
from nmt.metrics.lengths import LengthBucket, bleu_by_length  # noqa: E402
from nmt.recipe import load_recipe  # noqa: E402
from tools.running import status_of, train  # noqa: E402

MODELS = {"attention": (), "no attention": ("model.attention=none",)}
EDGES = (8, 12, 16, 20, 25, 30)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bleu_by_length.py",
        description=__doc__,
        epilog="example:\n  python tools/bleu_by_length.py recipes/quickstart/quickstart.yaml "
        "data.root=quickstart/corpus --output lengths",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, help="recipe of the model with attention, with a test corpus")
    parser.add_argument("overrides", nargs="*", metavar="a.b=c", help="values that override the recipe's, in both runs")
    parser.add_argument("--output", type=Path, default=Path("lengths"), help="folder of runs, table and plot")
    options = parser.parse_intermixed_args()
    sources, references = corpus_of(options.recipe, options.overrides)
    lengths = [len(source.split()) for source in sources]
    buckets = {}
    for name, overrides in MODELS.items():
        run = options.output / name.replace(" ", "-")
        if status := train(options.recipe, [*options.overrides, *overrides], run):
            return status
        hypotheses = [translation.text for translation in nmt.Translator.load(run).translate(sources)]
        buckets[name] = bleu_by_length(hypotheses, references, lengths, EDGES)
    text = table(buckets)
    print(text)
    (options.output / "bleu-by-length.md").write_text(text + "\n", encoding="utf-8")
    write_json(options.output / "bleu-by-length.json", {name: by_label(found) for name, found in buckets.items()})
    save_figure(plot(buckets), options.output / "bleu-by-length.png")
    print(f"\nplot: {options.output / 'bleu-by-length.png'}")
    return 0


def corpus_of(path: Path, overrides: list[str]) -> tuple[list[str], list[str]]:
    """Sources and references of the test set of a recipe.

    Raises:
        ConfigError: the recipe is wrong, or has no test set.
        DataError: the corpus is unusable.
    """
    recipe = load_recipe(path, overrides)
    if recipe.test is None:
        raise ConfigError(f"{path}: needs a test part, whose sentences are translated")
    pairs = list(read_pairs(recipe.test.corpus, recipe.data.root))
    return [source for source, _ in pairs], [reference for _, reference in pairs]


def by_label(buckets: list[LengthBucket]) -> dict[str, float]:
    """BLEU of each range of lengths that has sentences."""
    return {bucket.label: bucket.score.value for bucket in buckets if bucket.score}


def table(buckets: dict[str, list[LengthBucket]]) -> str:
    """A Markdown table with a row per range of lengths and a column per model."""
    rows = ["| source words | sentences | " + " | ".join(buckets) + " |", "|---|---|" + "---|" * len(buckets)]
    for same in zip(*buckets.values(), strict=True):
        if same[0].score is None:
            continue
        scores = " | ".join(f"{bucket.score.value:.1f}" for bucket in same if bucket.score)
        rows.append(f"| {same[0].label} | {same[0].sentences} | {scores} |")
    return "\n".join(rows)


def plot(buckets: dict[str, list[LengthBucket]]) -> Figure:
    """BLEU over source length, with a line per model."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, row), style in zip(buckets.items(), (("#0072B2", "o"), ("#D55E00", "s")), strict=True):
        filled = [bucket for bucket in row if bucket.score]
        values = [bucket.score.value for bucket in filled if bucket.score]
        axes.plot([bucket.label for bucket in filled], values, color=style[0], marker=style[1], label=name)
        axes.annotate(
            name, (len(values) - 1, values[-1]), (6, 0), textcoords="offset points", color=style[0], va="center"
        )
    axes.set_xlabel("words in the source sentence")
    axes.set_ylabel("BLEU")
    axes.set_ylim(0, 100)
    axes.set_xlim(-0.3, len(EDGES) + 1.1)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    sys.exit(status_of(main))
