"""Measure one bidirectional GRU layer, forward and backward: the library's, torch's own kernels, and the fused layer.

On a GPU the library is cuDNN. The routes take turns. Prints a JSON line for each.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nmt.core.machine.device import autocast, resolve_device
from nmt.core.tensors import length_mask
from nmt.model.cells import run_packed
from nmt.model.fast.bidirectional_gru import bidirectional_gru
from tools.bench_train import clock_of, timed, without_cudnn
from tools.measuring import print_line
from tools.running import status_of

# Units of a direction, sentences, pieces.
SIZES = ((256, 73, 14), (256, 580, 14), (1000, 290, 28))
ROUNDS = 7


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    device = resolve_device(options.device)
    clock = clock_of(device, torch.get_num_threads())
    for size, rows, pieces in ((16, 4, 6),) if options.quick else SIZES:
        torch.manual_seed(1)
        layer = nn.GRU(size, size, batch_first=True, bidirectional=True).to(device)
        inputs = torch.randn(rows, pieces, size, device=device, requires_grad=True)
        lengths = torch.randint(pieces // 2, pieces + 1, (rows,), device=device)
        seconds: dict[str, list[float]] = {}
        for turn in range(1 + (2 if options.quick else ROUNDS)):
            for name, route in routes(layer, inputs, lengths).items():
                taken = timed(lambda route=route: route().sum().backward(), clock)
                if turn:  # the first warms up
                    seconds.setdefault(name, []).append(taken)
        base = statistics.median(seconds["library"])
        for name, taken in seconds.items():
            middle = statistics.median(taken)
            print_line(
                {
                    "route": name,
                    "units": size,
                    "sentences": rows,
                    "pieces": pieces,
                    "milliseconds": round(1e3 * middle, 2),
                    "speed_to_library": round(base / middle, 2),
                }
            )
    return 0


def routes(layer: nn.GRU, inputs: Tensor, lengths: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Outputs of the layer, by name of the route."""
    device, mask = inputs.device, length_mask(lengths, inputs.shape[1])

    def native() -> Tensor:
        with without_cudnn():
            return run_packed(layer, inputs, lengths)[0]

    def fused() -> Tensor:
        return bidirectional_gru(layer, inputs, mask)[0]

    def rounded() -> Tensor:
        with autocast(device, "bf16"):
            return fused()

    return {
        "library": lambda: run_packed(layer, inputs, lengths)[0],
        "native": native,
        "fused fp32": fused,
        "fused bf16": rounded,
    }


if __name__ == "__main__":
    sys.exit(status_of(main))
