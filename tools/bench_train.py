"""Measure training: fast paths against loops, bf16 against fp32, in tokens per second and in memory.

A model is trained by several routes: ``plain`` steps through the target, with nothing computed for several steps at
once; ``loop`` is ``training.fast_paths: false``; ``fast`` is the default; ``native`` is ``plain`` without cuDNN, for a
GPU. The model is the reference model of the other benchmarks, unless parts of it or a recipe are given.

Sentences are random pieces with drawn lengths, in batches as in training. All ways of training a model take turns,
update by update, in one process, so that other load slows all of them alike. Times are medians; on a CPU with one
thread they are processor time. Memory is what an update needs besides weights, gradients and moments. The peak is that
of one large product with a packed matrix, measured in turns with the rest; its share counts the products of the plain
loop. Prints a JSON line for every way, then one with ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.core import config as configs  # noqa: E402
from nmt.core.machine.allocator import keep_freed_memory, memory_variables  # noqa: E402
from nmt.core.machine.device import autocast, resolve_device  # noqa: E402
from nmt.data.batch import Batch, Tokens  # noqa: E402
from nmt.data.bucketing import BatchConfig, plan_epoch  # noqa: E402
from nmt.model.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from nmt.recipe import load_recipe  # noqa: E402
from nmt.training.optimisation.optimiser import OptimiserConfig  # noqa: E402
from tools.gemm import gemm_gflops  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.running import count, status_of  # noqa: E402

Precision = Literal["fp32", "bf16"]
Route = Literal["native", "plain", "loop", "fast"]
PAD, BOS, FIRST = 0, 1, 4
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# What the vocabulary is multiplied by has the decoder's size, as in the toolkits that bench_peers.py compares with.
REFERENCE = """
decoder: {readout: {activation: tanh, size: 512}}
dropout: {embedding: 0.3, readout: 0.3}
"""


@dataclass
class Way:
    """One way of training, with its own model.

    Args:
        precision: of matrix products.
        route: how recurrences and loss are computed.
        model: the model.
        optimiser: its optimiser.
        seconds: of each update so far.
        mib: peak memory of an update, besides what stays allocated.
    """

    precision: Precision
    route: Route
    model: Seq2Seq
    optimiser: torch.optim.Optimizer
    seconds: list[float] = field(default_factory=list)
    mib: float | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.precision} {self.route}"

    def update(self, batch: Batch, device: torch.device) -> None:
        """Train on a batch, as a trainer does."""
        with without_cudnn() if self.route == "native" else contextlib.nullcontext():
            self._update(batch, device)

    def _update(self, batch: Batch, device: torch.device) -> None:
        with autocast(device, self.precision):
            output = self.model(batch.source, batch.target, BOS)
            loss = self.model.loss(output, batch.target, smoothing=0.1).loss
        (loss / batch.target_tokens).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0).item()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)


@memory_variables()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parsed(argv)
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    batches = drawn_batches(options, device)
    clock = clock_of(device, options.threads)
    if device.type == "cpu":
        measure_by_mapping()
    ways = [built(options, device, precision, route) for precision in options.precision for route in options.routes]
    for way in ways:
        way.mib = memory_of_update(way, batches, device)
    keep_freed_memory()
    products = products_of_update(options, batches, device)
    peaks: dict[Precision, list[float]] = {each: [] for each in options.precision}
    for way, batch in itertools.product(ways, batches):
        way.update(batch, device)
    for batch in batches * options.rounds:
        for precision, found in peaks.items():
            found.append(gemm_gflops(DTYPES[precision], device, clock))
        for way in ways:
            way.seconds.append(timed(lambda way=way, batch=batch: way.update(batch, device), clock))
    tokens = sum(batch.target_tokens for batch in batches) / len(batches)
    name = [*([] if options.recipe is None else [options.recipe.stem]), *options.model]
    for way in ways:
        seconds, peak = statistics.median(way.seconds), statistics.median(peaks[way.precision])
        print_line(
            {
                "bench": "train",
                "model": name,
                "way": way.name,
                "batch_tokens": options.tokens,
                "source_length": options.source_length,
                "target_length": options.target_length,
                "tokens_per_second": round(tokens / seconds),
                "milliseconds_per_update": round(1e3 * seconds, 1),
                "update_mib": way.mib,
                "peak_gflops": round(peak),
                "share_of_peak": round(products / seconds / 1e9 / peak, 3),
                "commit": commit(),
                "machine": machine() if device.type == "cpu" else torch.cuda.get_device_name(device),
                "torch": torch.__version__,
                "threads": options.threads,
            }
        )
    print_line({"bench": "train", "model": name, "ratios": ratios(ways)})
    return 0


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "model", nargs="*", metavar="a.b=c", help="of the model section; decoder=luong attention.score=dot"
    )
    parser.add_argument("--recipe", type=Path, help="a recipe whose model and vocabulary size are taken instead")
    parser.add_argument("--precision", nargs="+", choices=get_args(Precision), default=list(get_args(Precision)))
    parser.add_argument("--routes", nargs="+", choices=get_args(Route), default=["plain", "fast"])
    parser.add_argument("--tokens", type=count, default=1024, help="target tokens per batch, including padding")
    parser.add_argument("--target-length", type=count, default=14, help="mean, in pieces")
    parser.add_argument("--source-length", type=count, help="mean, in pieces (default: as the targets)")
    parser.add_argument("--vocabulary", type=count, default=8000, help="pieces of each side")
    parser.add_argument("--batches", type=count, default=2, help="how many batches, of different lengths")
    parser.add_argument("--rounds", type=count, default=5, help="how often each way trains on each batch")
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    options.source_length = options.source_length or options.target_length
    if options.recipe is None:
        options.config = configs.load(Seq2SeqConfig, REFERENCE, name="bench_train", overrides=options.model)
    else:
        recipe = load_recipe(options.recipe, [f"model.{each}" for each in options.model])
        options.config, options.vocabulary = recipe.model, recipe.data.subword.size
    return options


def drawn_batches(options: argparse.Namespace, device: torch.device) -> list[Batch]:
    """Cut a drawn corpus into batches, and return some, from the shortest to the longest."""
    random = numpy.random.default_rng(1)
    count = 40 * options.tokens // options.target_length
    targets = random.gamma(8.0, options.target_length / 8.0, count).round().astype(int) + 1
    ratio = options.source_length / options.target_length
    sources = (targets * random.normal(ratio, 0.15 * ratio, count)).round().astype(int).clip(2)
    plan = plan_epoch(sources, targets, BatchConfig(size=options.tokens), seed=1, epoch=0)
    plan.sort(key=lambda rows: int(targets[rows].sum()))
    # By sentence length, not by the size of a batch.
    plan = sorted(plan[len(plan) // 2 :], key=lambda rows: float(targets[rows].mean()))
    chosen = [plan[(2 * place + 1) * len(plan) // (2 * options.batches)] for place in range(options.batches)]

    def tokens(lengths: Any) -> Tokens:
        return Tokens.pad([random.integers(FIRST, options.vocabulary, length).tolist() for length in lengths], PAD)

    batches = [Batch(tokens(sources[rows]), tokens(targets[rows]), torch.from_numpy(rows)) for rows in chosen]
    return [batch.to(device) for batch in batches]


def built(options: argparse.Namespace, device: torch.device, precision: Precision, route: Route) -> Way:
    torch.manual_seed(1)
    model = options.config.build(options.vocabulary, options.vocabulary).to(device).train()
    model.fast = route == "fast"
    if route in ("native", "plain"):
        model.decoder.unroll = model.decoder.loop
    return Way(precision, route, model, OptimiserConfig().build(model))


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Context in which a GPU runs recurrent layers by torch's own kernels."""
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


def clock_of(device: torch.device, threads: int) -> Callable[[], float]:
    """Processor time of a process with one thread on a CPU; else wall-clock time after the device has finished."""
    if device.type == "cpu":
        return time.process_time if threads == 1 else time.perf_counter

    def finished() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return finished


def timed(action: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    action()
    return clock() - began


def products_of_update(options: argparse.Namespace, batches: Sequence[Batch], device: torch.device) -> float:
    """Floating-point operations in the matrix products of an update by the plain loop; those of cuDNN are not seen."""
    way = built(options, device, "fp32", "native")
    with FlopCounterMode(display=False) as counter:
        for batch in batches:
            way.update(batch, device)
    return counter.get_total_flops() / len(batches)


def measure_by_mapping() -> None:
    """Make malloc map and unmap every large tensor separately, so that resident memory is memory in use."""
    threshold = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
    ctypes.CDLL(None).mallopt(threshold, 1 << 16)


def memory_of_update(way: Way, batches: Sequence[Batch], device: torch.device) -> float | None:
    """Peak MiB of the largest of some updates, besides weights and moments: on Linux, or on a GPU."""
    way.update(batches[0], device)  # creates the moments of the optimiser
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        for batch in batches:
            way.update(batch, device)
        return round((torch.cuda.max_memory_allocated(device) - before) / 2**20, 1)
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak to the present value
    except OSError:
        return None
    before = resident(status, "VmRSS")
    for batch in batches:
        way.update(batch, device)
    return round((resident(status, "VmHWM") - before) / 1024, 1)


def resident(status: Path, name: str) -> int:
    """KiB in a line of a process's status."""
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def ratios(ways: Sequence[Way]) -> dict[str, float]:
    """For each pair of ways: the speed of the later one relative to the earlier one, and its memory likewise."""
    found = {}
    for one, other in itertools.combinations(ways, 2):
        name = f"{other.name} / {one.name}"
        # Pair by pair: pairs close in time had the same load.
        found[f"speed {name}"] = round(
            statistics.median(a / b for a, b in zip(one.seconds, other.seconds, strict=True)), 2
        )
        if one.mib and other.mib:
            found[f"memory {name}"] = round(other.mib / one.mib, 2)
    return found


if __name__ == "__main__":
    sys.exit(status_of(main))
