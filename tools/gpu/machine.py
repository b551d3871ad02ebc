"""Print what torch finds on a device: its name, memory, precision and libraries."""

from __future__ import annotations

import argparse
import sys

import torch

from nmt.core.machine.device import resolve_device, resolve_precision
from tools.measuring import commit, machine, print_line
from tools.running import status_of


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    device = resolve_device(parser.parse_args().device)
    found = {
        "commit": commit(),
        "machine": machine(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "device": str(device),
        "precision": resolve_precision("auto", device),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        major, minor = torch.cuda.get_device_capability(device)
        found |= {
            "name": torch.cuda.get_device_name(device),
            "capability": f"{major}.{minor}",
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "processors": properties.multi_processor_count,
            "devices": torch.cuda.device_count(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "nccl": torch.distributed.is_available() and torch.distributed.is_nccl_available(),
        }
        torch.ones(1, device=device).add_(1.0)  # fails here, and not in a later part, where there are no kernels for it
    print_line(found)
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))
