"""Compare training with bf16 products and with fp32: the losses of the same recipe in both, with several seeds.

Prints a JSON line for every training: the mean negative log-likelihood per token (nats) in every window of updates, and
at the end on the validation set. The last line has, at each of these points, the means over the seeds, their
difference, and the standard deviation among seeds within a precision; and the largest difference, in standard
deviations of a difference of means.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.assembly import Corpora, build_trainer, prepare_corpora  # noqa: E402
from nmt.core import config as configs  # noqa: E402
from nmt.core.errors import ConfigError  # noqa: E402
from nmt.core.machine.allocator import keep_freed_memory, memory_variables  # noqa: E402
from nmt.core.machine.device import Precision, kernels  # noqa: E402
from nmt.core.storage.run_folder import RunFolder  # noqa: E402
from nmt.recipe import Recipe  # noqa: E402
from nmt.training.records.metrics_log import MetricsLog  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.running import status_of  # noqa: E402

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@memory_variables()
def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="a.b=c")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    if len(options.seeds) < 2:
        parser.error("--seeds must be two or more, to tell how far apart they are")
    keep_freed_memory()
    recipe = configs.load_file(Recipe, options.recipe, overrides=options.overrides)
    if recipe.data.validation is None:
        raise ConfigError("data.validation must be given, to compare on", str(options.recipe))
    curves: dict[Precision, list[list[float]]] = {precision: [] for precision in PRECISIONS}
    with tempfile.TemporaryDirectory() as name:
        corpora = prepare_corpora(recipe, RunFolder(Path(name)))
        for seed in options.seeds:
            for precision in PRECISIONS:
                curve = losses(recipe, corpora, Path(name) / f"{precision}-{seed}", seed=seed, precision=precision)
                curves[precision].append(curve)
                print_line({"precision": precision, "seed": seed, "nll": curve})
    print_line({**compared(curves), "commit": commit(), "machine": machine()})
    return 0


def losses(recipe: Recipe, corpora: Corpora, path: Path, *, seed: int, precision: Precision) -> list[float]:
    """Train, and return the losses of the windows and, last, of the validation set."""
    path.mkdir()
    folder = RunFolder(path)
    training = replace(recipe.training, precision=precision)
    with kernels(threads=training.threads, deterministic=training.deterministic):
        build_trainer(replace(recipe, seed=seed, training=training), folder, corpora).run()
    records = list(MetricsLog(folder.metrics).records())
    windows = [record["nll"] for record in records if record["kind"] == "train"]
    validation = [math.log(record["perplexity"]) for record in records if record["kind"] == "validation"]
    return [round(loss, 4) for loss in (*windows, validation[-1])]


def compared(curves: dict[Precision, list[list[float]]]) -> dict[str, object]:
    """Compare the curves of the two precisions, point by point."""
    one, other = (list(zip(*curves[precision], strict=True)) for precision in PRECISIONS)
    differences = [statistics.mean(b) - statistics.mean(a) for a, b in zip(one, other, strict=True)]
    deviations = [pooled(a, b) for a, b in zip(one, other, strict=True)]
    # The standard deviation of a difference of two means over n seeds is that of the seeds times the root of 2 / n.
    scale = math.sqrt(2 / len(curves[PRECISIONS[0]]))
    return {
        **{
            name: [round(statistics.mean(point), 4) for point in found]
            for name, found in zip(PRECISIONS, (one, other), strict=True)
        },
        "difference": [round(each, 4) for each in differences],
        "deviation": [round(each, 4) for each in deviations],
        "largest_in_deviations": round(
            max(abs(a) / (b * scale) if a else 0.0 for a, b in zip(differences, deviations, strict=True)), 2
        ),
    }


def pooled(one: Sequence[float], other: Sequence[float]) -> float:
    """Standard deviation within two groups of the same size."""
    return math.sqrt((statistics.variance(one) + statistics.variance(other)) / 2)


if __name__ == "__main__":
    sys.exit(status_of(main))
