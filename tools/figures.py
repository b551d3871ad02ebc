"""The figures of the documents: measure them again, compare, enter new ones, and list those that are out of date.

`tools/benchmarks/figures.yaml`, the register, lists every figure of the documents with its command, commit, processor
and spread. A test fails if a document and the register differ; `check` reports the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.core.errors import ConfigError  # noqa: E402
from tools.measuring import changes, commit, cpu, uncommitted  # noqa: E402
from tools.register import measuring, writing  # noqa: E402
from tools.register.check import check  # noqa: E402
from tools.register.entries import UNKNOWN, Figure, Register, load  # noqa: E402
from tools.running import status_of  # noqa: E402

OUTPUT = Path("runs/figures")

_EXAMPLES = """\
examples:
  python tools/figures.py check                            # compare documents and register
  python tools/figures.py list README.md                   # the figures of a document, or of all
  python tools/figures.py stale                            # figures older than what they depend on
  python tools/figures.py run quickstart                   # measure again, and compare within the spread
  python tools/figures.py run quickstart --update          # and write the results into register and documents
  python tools/figures.py run multi30k-deen-bahdanau-1 --data multi30k=corpora/multi30k
  python tools/figures.py record bible-seed-1 --from bible # enter results from another folder
  python tools/figures.py record peers-training-intel bf16=3.4 --commit 1234567 --processor intel-amx

Runs are in runs/figures/ID; called again, they are resumed. The status is 0 if all is well, 1 if a figure differs, is
out of date or cannot be measured, and 2 for a mistake on the command line.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(argv)
    register = load(ROOT)
    status: int = options.action(register, options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/figures.py",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    one = actions.add_parser("check", help="compare the documents with the register")
    one.set_defaults(action=_check)
    one = actions.add_parser("list", help="list figures: value, commit, processor, places")
    one.add_argument("documents", nargs="*", metavar="DOCUMENT", help="of these documents (default: all)")
    one.set_defaults(action=_list)
    one = actions.add_parser("stale", help="list figures that are older than what they depend on, by git")
    one.add_argument("figures", nargs="*", metavar="ID", help="of these (default: all)")
    one.set_defaults(action=_stale)
    one = actions.add_parser("run", help="measure again, one after another, and compare")
    one.add_argument("figures", nargs="+", metavar="ID")
    one.add_argument("--update", action="store_true", help="write the results into the register and the documents")
    one.add_argument("--data", action="append", type=_named, default=[], metavar="NAME=PATH", help="path of a corpus")
    one.add_argument("--output", type=Path, default=OUTPUT, help="folder of the runs (%(default)s)")
    one.add_argument("--afresh", action="store_true", help="remove an earlier run of the figure first")
    one.add_argument("--new-processor", action="store_true", help="let --update replace speeds of another processor")
    one.set_defaults(action=_run)
    one = actions.add_parser("record", help="enter figures measured by hand or elsewhere")
    one.add_argument("figure", metavar="ID")
    one.add_argument("values", nargs="*", metavar="NAME=VALUE", help="new values; others are kept")
    one.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="read the values from this folder")
    one.add_argument("--commit", help="at which it was measured (default: that of the folder, or of this checkout)")
    one.add_argument("--processor", help="id of the processor it was measured on (default: that of this machine)")
    one.set_defaults(action=_record)
    return parser


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not name or not equals or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"must be NAME=PATH, and the path must exist, but is {text!r}")
    return name, Path(path).resolve()


def _check(register: Register, _: argparse.Namespace) -> int:
    problems = check(register, ROOT)
    print("\n".join(problems) or f"{len(register.figures)} entries agree with the documents")
    return 1 if problems else 0


def _list(register: Register, options: argparse.Namespace) -> int:
    for figure in register.figures:
        files = sorted({place.file for place in figure.places})
        if options.documents and not set(options.documents) & set(files):
            continue
        known = register.values(figure)
        values = ", ".join(f"{value.name} {known[value.name]:g}" for value in figure.values)
        members = ", ".join(member.id for member in register.members(figure))
        made = f"median of {members}" if figure.derived else f"{figure.commit}, {figure.processor}"
        print(f"{figure.id}: {values or 'a table, or figures in prose'} ({made})\n    {', '.join(files)}")
    return 0


def _stale(register: Register, options: argparse.Namespace) -> int:
    old = 0
    for figure in _measured(register, options.figures or [figure.id for figure in register.figures]):
        since = changes(figure.since, register.paths(figure), ROOT)
        if since is None:
            print(f"{figure.id}: git does not know {figure.since} here")
        elif since:
            print(f"{figure.id}: {len(since)} commits since {figure.since}, the last one {since[0]}")
        old += since != []
    if not old:
        print("no figure is older than what it depends on")
    return 1 if old else 0


def _measured(register: Register, names: Iterable[str]) -> list[Figure]:
    """Figures by name, each once, with the figures that a median is computed from in place of the median."""
    members = (member for name in names for member in register.members(register.find(name)))
    return list({figure.id: figure for figure in members}.values())


def _run(register: Register, options: argparse.Namespace) -> int:
    figures = _measured(register, options.figures)
    data, here = dict(options.data), register.processor(cpu())
    # Errors are reported before hours of training.
    commands = [measuring.words_of(figure, _folder(options, figure), data) for figure in figures]
    if options.update:
        for figure in figures:
            _updatable(figure, here, options)
    wrong = 0
    for figure, lines in zip(figures, commands, strict=True):
        folder = _folder(options, figure)
        at = measuring.begin(ROOT, register, figure, folder, lines, afresh=options.afresh)
        if options.update and at.endswith("+"):
            raise ConfigError(f"{figure.id}: what it depends on has uncommitted changes; commit them before --update")
        if status := measuring.run(ROOT, folder, lines):
            print(f"{figure.id}: its command ended with status {status}", file=sys.stderr)
            wrong += 1
            continue
        measured = measuring.read(figure, folder)
        agrees = report(figure, measured, here)
        wrong += not (_entered(figure, measured, folder, commit=at, processor=here) if options.update else agrees)
    return 1 if wrong else 0


def _folder(options: argparse.Namespace, figure: Figure) -> Path:
    return (options.output / figure.id).resolve()


def _updatable(figure: Figure, here: str, options: argparse.Namespace) -> None:
    if here == UNKNOWN:
        raise ConfigError(f"this processor is none of the register's; describe it there: {cpu().get('model name')}")
    speed = any(value.speed for value in figure.values)
    if speed and figure.processor not in (here, UNKNOWN) and not options.new_processor:
        raise ConfigError(
            f"{figure.id} has figures of speed of {figure.processor}, and this is {here}; --new-processor replaces "
            "them, and the text around them must then name it"
        )


def _entered(figure: Figure, measured: Mapping[str, float], folder: Path, *, commit: str, processor: str) -> bool:
    """Enter a figure if everything of it was measured; return whether it was."""
    printed = measuring.printed(folder)
    if left := writing.left_to_do(ROOT, figure, measured, printed):
        print(
            f"{figure.id}: not entered, since its commands do not tell {'; '.join(left)}. Put what came out into the "
            f"text, then: python tools/figures.py record {figure.id} --from {folder}"
        )
        return False
    _enter(figure, measured, commit=commit, processor=processor, printed=printed)
    return True


def report(figure: Figure, measured: Mapping[str, float], here: str) -> bool:
    """Print each value with that of the register; return whether all that can be compared agree."""
    agrees = True
    for value in figure.values:
        if value.name not in measured:
            print(f"{figure.id}.{value.name}: {value.value:g}, entered by hand; look at what was printed")
            continue
        if value.speed and figure.processor != here:
            said = f"not compared: that was {figure.processor}, this is {here}"
        elif value.agrees(measured[value.name]):
            said = f"agrees (spread {value.spread})"
        else:
            said, agrees = f"DIFFERS (spread {value.spread})", False
        print(f"{figure.id}.{value.name}: {measured[value.name]:g}, was {value.value:g}: {said}")
    return agrees


def _record(register: Register, options: argparse.Namespace) -> int:
    figure = register.find(options.figure)
    if figure.derived:
        raise ConfigError(f"{figure.id} is a median of others; record those")
    measured = measuring.read(figure, options.folder) if options.folder else {}
    names = {value.name for value in figure.values}
    for text in options.values:
        name, _, number = text.partition("=")
        if name not in names:
            raise ConfigError(f"{figure.id} has no value {name!r}; it has {', '.join(sorted(names)) or 'none'}")
        try:
            measured[name] = float(number)
        except ValueError:
            raise ConfigError(f"{text}: must be NAME=NUMBER") from None
    given = options.commit or (measuring.begun_at(options.folder) if options.folder else "")
    if not given and (files := uncommitted(register.paths(figure), ROOT)):
        raise ConfigError(f"{figure.id}: depends on files with uncommitted changes ({', '.join(files)}); give --commit")
    at, processor = given or commit(ROOT).removesuffix("+"), options.processor or register.processor(cpu())
    if changes(at, ["."], ROOT) is None:
        raise ConfigError(f"--commit: git does not know {at!r}")
    if processor not in {each.id for each in register.processors}:
        raise ConfigError(f"--processor: must be one of {', '.join(each.id for each in register.processors)}")
    report(figure, measured, processor)
    printed = measuring.printed(options.folder) if options.folder else ""
    if left := writing.left_to_do(ROOT, figure, measured, printed):
        print(f"{figure.id}: entered as it stands, so see that it is what was measured: {'; '.join(left)}")
    _enter(figure, measured, commit=at, processor=processor, printed=printed)
    return 0


def _enter(figure: Figure, measured: Mapping[str, float], *, commit: str, processor: str, printed: str) -> None:
    files = writing.enter(ROOT, figure, measured, commit=f'"{commit}"', processor=processor, printed=printed)
    print(f"{figure.id}: written into {', '.join(files)}")
    if processor != figure.processor:
        where = ", ".join(sorted({place.file for place in figure.places}))
        print(f"{figure.id}: measured on {processor} now, not {figure.processor}; see that {where} says so")
    for problem in check(load(ROOT), ROOT):
        print(problem, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(status_of(main))
