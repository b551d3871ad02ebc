"""Check this toolkit on a GPU: tests, speed and memory of training and search, scores, precision, torchrun.

Every part runs in processes of its own, so that one which fails leaves the others alone. What was found is in the JSON
file after every step, and as Markdown at the end on standard output. The exit status is 1 if a part failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from nmt.core.errors import ConfigError
from nmt.core.machine.device import resolve_device
from tools.gpu.parts import Setting, parts
from tools.gpu.running import Check
from tools.gpu.tables import markdown
from tools.measuring import commit, machine
from tools.running import status_of

MINUTES = 8.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(argv)
    if options.table is not None:
        print(markdown(json.loads(options.table.read_text(encoding="utf-8"))), end="")
        return 0
    device = resolve_device(options.device)
    if device.type == "cpu" and options.device == "auto":
        raise ConfigError("there is no GPU here; --device cpu --quick shows that the check itself works")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        setting = Setting(str(device), options.quick, (options.work or Path(folder)).resolve())
        setting.work.mkdir(parents=True, exist_ok=True)
        return _check(setting, options)


def _check(setting: Setting, options: argparse.Namespace) -> int:
    chosen = [part for part in parts(setting) if not options.parts or part.name in options.parts]
    context = {
        "commit": commit(),
        "machine": machine(),
        "began": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "device": setting.device,
        "quick": setting.quick,
    }
    check = Check(options.output.resolve(), setting.work, context)
    check.write()
    end = time.monotonic() + 60 * options.minutes
    for number, part in enumerate(chosen, 1):
        left = end - time.monotonic()
        _say(f"[{number}/{len(chosen)}] {part.title} (at most {max(0.0, left) / 60:.1f} minutes are left for all)")
        began = time.monotonic()
        error = check.run(part, min(left, 60 * part.minutes * options.minutes / MINUTES))
        outcome = "done" if error is None else f"FAILED: {error.splitlines()[-1][:300]}"
        _say(f"      {outcome} ({time.monotonic() - began:.0f} seconds)")
    print(markdown({**check.context, "parts": check.parts}), end="")
    failed = f"; failed: {', '.join(check.failed)}" if check.failed else ""
    _say(f"written to {options.output}{failed}")
    return 1 if check.failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    names = [part.name for part in parts(Setting("cpu", True, Path()))]
    parser = argparse.ArgumentParser(
        prog="tools/gpu_check.py",
        description=__doc__,
        epilog="examples:\n  python tools/gpu_check.py\n  python tools/gpu_check.py --device cpu --quick\n"
        "  python tools/gpu_check.py --table gpu-check.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="auto", help="auto (the first GPU), cuda:1, cpu (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="sizes that only show that every part works")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for everything (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=names, metavar="PART", help=f"some of: {', '.join(names)}")
    parser.add_argument("--output", type=Path, default=Path("gpu-check.json"), help="(default: %(default)s)")
    parser.add_argument("--work", type=Path, help="folder for corpora, runs and logs (default: one that is removed)")
    parser.add_argument("--table", type=Path, metavar="JSON", help="only print the Markdown of an earlier check")
    return parser


if __name__ == "__main__":
    sys.exit(status_of(main))
