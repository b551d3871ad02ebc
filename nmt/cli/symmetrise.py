"""``nmt-symmetrise``: symmetrise the links of two directions, by any aligner."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.alignment.links import format_links, read_links
from nmt.alignment.symmetrisation import SYMMETRISATIONS, inverse, symmetrise
from nmt.cli.run import begin, command_parser, run
from nmt.cli.streams import check_outputs, opened, standard_output
from nmt.core.errors import DataError
from nmt.core.storage.files import reporting_os_errors

EXAMPLES = (
    "nmt-symmetrise forward.pharaoh backward.pharaoh > both.pharaoh",
    "nmt-symmetrise deen.pharaoh ende.pharaoh --inverse --method grow-diag-final-and",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nmt-symmetrise",
        "Combine the links of two directions: line k of each file has the links of sentence pair k, as "
        "source-target, words counted from 0 (Pharaoh). nmt-align, fast_align, eflomal and others write such files.",
        examples=EXAMPLES,
        imports=False,
    )
    parser.add_argument("forward", type=Path, metavar="FORWARD", help="links of one direction")
    parser.add_argument("backward", type=Path, metavar="BACKWARD", help="links of the other")
    parser.add_argument(
        "--method", choices=SYMMETRISATIONS, default="grow-diag", help="how they are combined (default: grow-diag)"
    )
    parser.add_argument(
        "--inverse",
        action="store_true",
        help="the links of BACKWARD are target-source, as from an aligner that was given the sides swapped",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="file for the links (default: standard output)")
    return parser


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    begin(options)
    check_outputs([("--output", options.output)], (options.forward, options.backward))
    forward, backward = read_links(options.forward), read_links(options.backward)
    if len(forward) != len(backward):
        raise DataError(
            f"{options.forward} has {len(forward)} lines, but {options.backward} has {len(backward)}; line k of one "
            "belongs to line k of the other"
        )
    if options.inverse:
        backward = [inverse(each) for each in backward]
    with opened(options.output, "links") as file, reporting_os_errors("write the links", options.output):
        stream = file or standard_output()
        for pair in zip(forward, backward, strict=True):
            stream.write(f"{format_links(symmetrise(*pair, options.method))}\n".encode())
        stream.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
