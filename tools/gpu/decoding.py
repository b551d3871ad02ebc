"""Measure search by the reference model: sentences per second, greedy and by beam, by plain and fast paths.

Weights are random and a translation has as many pieces as its source, so that all ways do the same work. They take
turns. Prints a JSON line for each.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import torch

from nmt.core import config as configs
from nmt.core.machine.device import full_float32, resolve_device
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from tools.bench_train import BOS, PAD, REFERENCE, clock_of, drawn_batches, timed
from tools.measuring import print_line
from tools.running import status_of

EOS = 2
SMALL = ("embedding.size=32", "encoder.size=32", "decoder.size=32", "decoder.readout.size=32")
SEARCHES = {"greedy": SearchConfig(strategy="greedy"), "beam 5": SearchConfig(beam_size=5)}
EXACTLY = {"min_length_ratio": 1.0, "max_length_ratio": 1.0, "max_length_offset": 0}


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    device, quick = resolve_device(options.device), options.quick
    clock = clock_of(device, torch.get_num_threads())
    torch.manual_seed(1)
    vocabulary = 200 if quick else 8000
    model_config = configs.load(Seq2SeqConfig, REFERENCE, name="reference", overrides=SMALL if quick else ())
    model = model_config.build(vocabulary, vocabulary).to(device).eval()
    for name, chosen in SEARCHES.items():
        tokens = (128 if quick else 16384) // chosen.width
        shape = argparse.Namespace(tokens=tokens, target_length=14, source_length=14, vocabulary=vocabulary, batches=1)
        (batch,) = drawn_batches(shape, device)
        search_config = configs.from_mapping(SearchConfig, configs.to_mapping(chosen) | EXACTLY, name=name)
        steppers = {}
        for way, precision, fast in (("fp32 plain", "fp32", False), ("fp32", "fp32", True), ("bf16", "bf16", True)):
            model.fast = fast
            steppers[way] = ModelStepper(model, precision=precision)  # type: ignore[arg-type]

        def searched(stepper: ModelStepper, batch: object = batch, config: SearchConfig = search_config) -> None:
            with torch.inference_mode(), full_float32(device):
                search(stepper, batch.source, config, Symbols(BOS, EOS, (PAD, BOS)), keep_weights=False)  # type: ignore[attr-defined]

        seconds: dict[str, list[float]] = {way: [] for way in steppers}
        for turn in range(2 if quick else 4):
            for way, stepper in steppers.items():
                taken = timed(lambda stepper=stepper: searched(stepper), clock)
                if turn:
                    seconds[way].append(taken)
        for way, taken in seconds.items():
            middle = statistics.median(taken)
            print_line(
                {
                    "search": name,
                    "way": way,
                    "sentences": batch.source.rows,
                    "sentences_per_second": round(batch.source.rows / middle, 1),
                    "speed_to_plain": round(statistics.median(seconds["fp32 plain"]) / middle, 2),
                }
            )
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))
