"""Options of ``nmt-serve``."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmt.cli.options.run_options import add_search_options
from nmt.cli.run import command_parser

EXAMPLES = (
    "nmt-serve runs/deen",
    "nmt-serve de-en=runs/deen en-de=runs/ende.nmt --port 8000      # two models, and their languages",
    "nmt-serve runs/one+runs/two                                    # an ensemble",
    "nmt-serve runs/deen --host 0.0.0.0 --api-key-file keys.txt     # for others, who need a key",
    "nmt-serve runs/deen --cors https://example.org                 # for pages of that site",
    "nmt-serve runs/deen --allow-host translate.example.org         # behind a proxy, which passes that name",
    "nmt-serve runs/deen --beam-size 1 --max-length-ratio 1.5       # unless a request asks for another search",
    "curl http://127.0.0.1:5000/translate -d q='Ein Hund läuft.' -d source=de -d target=en",
)
HOST, PORT = "127.0.0.1", 5000


def serve_parser() -> argparse.ArgumentParser:
    """Return the parser of ``nmt-serve``."""
    parser = command_parser(
        "nmt-serve",
        "Translate for clients over HTTP, with a page that shows attention; LibreTranslate's and OpenNMT-py's clients "
        "work as they are. Only this machine can reach it, unless --host says otherwise. Stops at SIGTERM or Ctrl-C "
        "when it has answered what it took.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run folder, model file or hf:owner/name[@revision], also as NAME=RUN; a name such as de-en tells the "
        "languages; A+B is an ensemble",
    )
    _add_address(parser)
    _add_access(parser)
    _add_limits(parser)
    add_search_options(parser, n_best="translations of a line, where a protocol takes several")
    model = parser.add_argument_group("model")
    model.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    model.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    return parser


def _add_address(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("address")
    group.add_argument(
        "--host", default=HOST, help=f"address to listen on (default: {HOST}, which only this machine reaches)"
    )
    group.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0 takes one that is free")


def _add_access(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("access")
    group.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="keys, one a line, of which a request must have one"
    )
    group.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="site whose pages may ask; may be repeated"
    )
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name by which the server is asked, such as that of a proxy; may be repeated",
    )
    group.add_argument("--log-text", action="store_true", help="texts and translations in the log")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits of a request")
    group.add_argument("--max-characters", type=int, metavar="N", help="of all its texts (default: 20000)")
    group.add_argument("--max-lines", type=int, metavar="N", help="default: 500")
    group.add_argument("--max-beam", type=int, metavar="N", help="hypotheses per line (default: 20)")
    group.add_argument("--max-bytes", type=int, metavar="N", help="of its body (default: 1048576)")
    group.add_argument("--timeout", type=int, metavar="SECONDS", help="until it is answered (default: 120)")
