"""``nmt-export``: export a run folder as one model file, or for other programs and places."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.run import begin, command_parser, run
from nmt.core.errors import ConfigError

EXAMPLES = (
    "nmt-export runs/deen deen.nmt",
    "nmt-export runs/deen deen.nmt --checkpoint last",
    "nmt-export runs/deen model.npz --to marian",
    "nmt-export runs/deen --hub deen-hub --example 'Ein Hund rennt.'     # a folder to upload to the Hugging Face hub",
    "nmt-export --show deen.nmt",
    "nmt-translate deen.nmt < test.de > test.en",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = command_parser(
        "nmt-export",
        "Write a model as one file: weights, vocabularies, recipe, versions, provenance and scores. Every command "
        "accepts it in place of a run folder.",
        examples=EXAMPLES,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="RUN MODEL", help="run folder, and the file to write")
    parser.add_argument("--checkpoint", metavar="NAME", help="a checkpoint of the run, or last (default: the best one)")
    parser.add_argument(
        "--to",
        choices=("nmt", "marian"),
        default="nmt",
        help="marian: a model for the C++ engine Marian, with its vocabularies and settings (docs/marian.md)",
    )
    parser.add_argument(
        "--hub",
        type=Path,
        metavar="FOLDER",
        help="write a folder to upload to the Hugging Face hub, with a model card to complete (docs/hub.md)",
    )
    parser.add_argument(
        "--example",
        metavar="SENTENCE",
        help="with --hub: a sentence that the card shows with its translation and a picture of the attention",
    )
    parser.add_argument("--show", action="store_true", help="print the manifest of a model file, as JSON")
    options = parser.parse_args(argv)
    begin(options)
    if options.hub is not None and (options.show or options.to != "nmt"):
        raise ConfigError("--hub writes a folder of its own; leave out --show and --to", "command line")
    if options.example is not None and options.hub is None:
        raise ConfigError("--example needs --hub FOLDER, whose card shows it", "command line")
    if len(options.files) != (1 if options.show or options.hub else 2):
        raise ConfigError("give one MODEL with --show, RUN with --hub, and RUN and MODEL without them", "command line")
    if options.show:
        from nmt.translation.model_files.hub_folder import local_model
        from nmt.translation.model_files.packed import read_manifest

        print(json.dumps(read_manifest(local_model(options.files[0])), indent=1, ensure_ascii=False))
        return 0
    if options.hub is not None:
        return _share(options)
    source, output = options.files
    if options.to == "marian":
        from nmt.translation.marian.exporting import export_to_marian

        for path in export_to_marian(source, output, options.checkpoint):
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        return 0
    from nmt.translation.model_files.exporting import export

    manifest = export(source, output, options.checkpoint)
    print(f"{output}: {manifest['checkpoint']} of {source}, {output.stat().st_size / 1e6:.1f} MB")
    return 0


def _share(options: argparse.Namespace) -> int:
    from nmt.translation.hub.model_card import NAME
    from nmt.translation.hub.sharing import CARD, share

    folder: Path = options.hub
    manifest = share(options.files[0], folder, options.checkpoint, example=options.example)
    print(f"{folder}: {manifest['checkpoint']} of {options.files[0]}; next:")
    print(f"  write the licence, where to get nmt and, for {NAME}, the name of the repository into {folder / CARD}")
    print(f"  hf auth login\n  hf upload {NAME} {folder}\n  nmt-translate hf:{NAME} < input.txt")
    if options.example is None:
        print("  (for a picture of the attention in the card, give a sentence: --example SENTENCE)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
