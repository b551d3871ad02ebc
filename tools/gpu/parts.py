"""What is checked on a device: the commands of every part, and how long they may take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WMT = ("recipes/wmt14/ende-bahdanau.yaml", "recipes/wmt14/ende-luong.yaml")
# So small that every part takes seconds on a CPU.
TINY = ("embedding.size=32", "encoder.size=32", "decoder.size=32")
TINY_TRAINING = (
    *(f"model.{each}" for each in TINY),
    "training.interval_unit=steps",
    "training.validation.limit=20",
    "alignment.plots=0",
)


@dataclass(frozen=True)
class Setting:
    """What a check runs on.

    Args:
        device: ``cuda``, ``cpu`` or another that ``--device`` of the commands takes.
        quick: whether only to show that every part works.
        work: a folder for corpora and runs.
    """

    device: str
    quick: bool
    work: Path


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Args:
        name: of the part.
        title: what it shows.
        minutes: what it may take at most.
        commands: each prints JSON lines; the next one runs even if one fails.
    """

    name: str
    title: str
    minutes: float
    commands: tuple[tuple[str, ...], ...]


def parts(setting: Setting) -> list[Part]:
    """All parts; the last one has what time is left."""
    device = ("--device", setting.device)
    quick = ("--quick",) if setting.quick else ()
    folder = ("--folder", str(setting.work))
    return [
        Part("machine", "the device and its precision", 0.5, (_module("machine", *device),)),
        Part("training", "an update, by every route", 2.0, tuple(_training(setting))),
        Part("encoder", "a bidirectional GRU layer, by every route", 0.5, (_module("encoder", *device, *quick),)),
        Part("search", "sentences per second of search", 1.0, (_module("decoding", *device, *quick),)),
        Part("score", "a training to its score", 2.0, (_module("score", *device, *quick, *folder),)),
        Part("precision", "losses in bf16 and in fp32", 1.5, (_precision(setting),)),
        Part("nccl", "a training by torchrun", 1.0, (_module("torchrun", *device, *folder),)),
        Part("tests", "tests of GPUs", 4.0, (_module("tests", *quick),)),
    ]


def _module(name: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tools.gpu.{name}", *options)


def _training(setting: Setting) -> Iterator[tuple[str, ...]]:
    program = (sys.executable, str(ROOT / "tools" / "bench_train.py"), "--device", setting.device, "--batches", "1")
    if setting.quick:
        sizes = ("--rounds", "1", "--tokens", "64", "--vocabulary", "100", "--target-length", "6")
        yield (*program, *TINY, "decoder.readout.size=32", *sizes, "--routes", "native", "plain", "loop", "fast")
        yield (*program, *TINY, "decoder=luong", "bridge=last", *sizes)
        return
    routes = ("--routes", "native", "plain", "loop", "fast")
    yield (*program, "--tokens", "1024", "--rounds", "5", *routes)
    yield (*program, "--tokens", "8192", "--rounds", "3", "--routes", "loop", "fast")
    for recipe in WMT:
        yield (*program, "--recipe", str(ROOT / recipe), "--tokens", "8192", "--target-length", "28", "--rounds", "3",
               "--routes", "loop", "fast")  # fmt: skip


def _precision(setting: Setting) -> tuple[str, ...]:
    updates, quick = ("18", ("--quick", *TINY_TRAINING, "data.subword.size=300")) if setting.quick else ("240", ())
    place = f"training.device={setting.device}"
    return _module("precision", "--folder", str(setting.work), "--updates", updates, *quick, place)
