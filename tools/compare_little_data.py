"""Compare what toolkits learn from little data in the same time: BLEU and chrF by the number of pairs.

This toolkit trains by the settings that it chooses for two text files, JoeyNMT by its own kinds of a small Transformer
and a small recurrent model. Each training has the same seconds of the processor, start-up and validation included, on
one thread; the kernel ends it. The best checkpoint by greedy BLEU then translates with a beam of 5.

What is done is kept in --folder: the command can be called again, and goes on. Each score is printed as a JSON line; at
the end there are `table.md` and `curve.png`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

import yaml  # noqa: E402

from nmt.alignment.drawing.plots import save_figure  # noqa: E402
from nmt.core import config as configs  # noqa: E402
from nmt.core.errors import ConfigError, NmtError  # noqa: E402
from nmt.core.storage.files import existing_file, read_text_lines, reporting_os_errors, write_json, write_lines  # noqa: E402
from nmt.core.storage.run_folder import read_json  # noqa: E402
from nmt.data.data_config import DataConfig  # noqa: E402
from nmt.data.pipeline import prepare_vocabulary, read_training_pairs  # noqa: E402
from nmt.metrics.score import bleu, chrf  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.peers.environments import JOEYNMT, PeerError, python_of, surroundings  # noqa: E402
from tools.peers.little_data import BEAM, PIECES, configuration  # noqa: E402
from tools.peers.little_data_scores import OWN, TITLES, curve, table  # noqa: E402
from tools.peers.settings import SPECIAL  # noqa: E402
from tools.running import Ended, count, run_limited, status_of  # noqa: E402

BUDGETS = ((5_000, 4.0), (10_000, 5.0), (20_000, 7.0), (40_000, 10.0))
_AFTER = 20  # seconds that this toolkit keeps for the last validation, and that of an average
# Pairs of the validation set by which JoeyNMT chooses: to translate all would take it a tenth of its time, each time.
_CHOOSING = 500


@dataclass(frozen=True)
class Comparison:
    """What all trainings share.

    Args:
        slices: folder of the slices, each in a folder named by its pairs.
        sets: pairs of files to translate, without the language at the end, by ``validation`` and ``test``.
        languages: of source and target, as the files end.
        folder: gets everything.
        joeynmt: JoeyNMT's interpreter; ``None`` if it is not asked for.
        pieces: of JoeyNMT's vocabulary.
        changes: of JoeyNMT's configuration, ``a.b=c``.
    """

    slices: Path
    sets: Mapping[str, Path]
    languages: tuple[str, str]
    folder: Path
    joeynmt: Path | None
    pieces: int = PIECES
    changes: Sequence[str] = ()

    def files(self, name: Path) -> tuple[Path, Path]:
        """Both sides of a pair of files."""
        source, target = (name.with_name(f"{name.name}.{language}") for language in self.languages)
        return source, target

    def run(self, pairs: int, system: str) -> Path:
        """The folder of a training."""
        return self.folder / f"{pairs}-{system}"

    def train(self, pairs: int, system: str, minutes: float) -> Ended:
        """Train until the time is over.

        Raises:
            PeerError: a training failed; the message has the end of its output.
            NmtError: the slice is missing or unusable.
        """
        run, train = self.run(pairs, system), self.slices / str(pairs) / "train"
        if run.exists():  # it was interrupted
            shutil.rmtree(run)
        words: list[str | Path]
        if system == OWN:
            given = ["test=null", "alignment=null", "training.threads=1", "training.tune_search=false"]
            given.append(f"training.max_minutes={max(minutes - _AFTER / 60, 0.1):g}")
            words = [sys.executable, ROOT / "tools" / "peers" / "train_nmt.py"]
            words += ["--source", self.files(train)[0], "--target", self.files(train)[1]]
            words += ["--validation", *self.files(self.sets["validation"]), "--output", run, *given]
        else:
            words = [*self._joeynmt(), "train", self._configuration(pairs, system, train), "--skip-test"]
        log = self.folder / f"{run.name}.log"
        ended = run_limited(words, environment=_environment(system), log=log, seconds=60 * minutes)
        if not ended.by_limit:
            _check(ended, f"the training of {run.name}", log)
        return ended

    def translate(self, pairs: int, system: str, name: str) -> tuple[list[str], Ended]:
        """Translate a set with the best checkpoint.

        Raises:
            PeerError: the translation failed; the message has the end of its output.
        """
        run, text = self.run(pairs, system), self.by_length(name)
        output, log = self.folder / f"{run.name}.{name}", self.folder / f"{run.name}.{name}.log"
        words: list[str | Path]
        if system == OWN:
            words = [sys.executable, "-m", "nmt.cli.translate", run, "--threads", "1", "--beam-size", str(BEAM)]
            words += ["--output", output]
        else:
            words = [*self._joeynmt(), "translate", self.folder / f"{run.name}.yaml", "--output-path", output]
        ended = run_limited(words, environment=_environment(system), log=log, text=self.files(text)[0])
        _check(ended, f"the translation of {name} by {run.name}", log)
        return list(read_text_lines(output)), ended

    def by_length(self, name: str, most: int | None = None) -> Path:
        """Write a set, or its first pairs, by the length of their sources: JoeyNMT does not sort what it translates."""
        path = self.folder / "by-length" / (name if most is None else f"{name}-{most}")
        path.parent.mkdir(exist_ok=True)  # a folder of its own: the set may lie in that of the results
        sides = (list(read_text_lines(side))[:most] for side in self.files(self.sets[name]))
        ordered = sorted(zip(*sides, strict=True), key=lambda pair: len(pair[0]))
        for side, lines in zip(self.files(path), zip(*ordered, strict=True), strict=True):
            write_lines(side, lines)
        return path

    def _joeynmt(self) -> list[str | Path]:
        if self.joeynmt is None:
            raise PeerError("JoeyNMT is not installed")
        return [self.joeynmt, "-m", "joeynmt"]

    def _configuration(self, pairs: int, system: str, train: Path) -> Path:
        """Write the vocabulary and the configuration for JoeyNMT; return the path of the latter."""
        folder = self.folder / f"{pairs}-vocabulary"
        source, target = (path.name for path in self.files(train))
        section = {
            "root": str(train.parent),
            "train": [{"source": source, "target": target}],
            "subword": {"size": self.pieces},
        }
        config = configs.from_mapping(DataConfig, section, name="compare_little_data")
        model = prepare_vocabulary(config, read_training_pairs(config, cache=folder / "cache"), folder).source
        own = [piece for piece in model.pieces(range(model.size)) if piece not in SPECIAL]
        write_lines(folder / "joeynmt.pieces", ["<unk>", "<pad>", "<s>", "</s>", *own])
        run = self.run(pairs, system)
        values = configuration(
            system,
            train=train,
            validation=self.by_length("validation", _CHOOSING),
            languages=self.languages,
            subword=folder / "joint.model",
            vocabulary=folder / "joeynmt.pieces",
            run=run,
        )
        for change in self.changes:
            apply(values, change)
        path = self.folder / f"{run.name}.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return path


def _environment(system: str) -> dict[str, str]:
    return surroundings(1) | ({"PYTHONPATH": str(ROOT)} if system == OWN else {})


def apply(values: dict[str, Any], change: str) -> None:
    """Change one value of JoeyNMT's configuration, ``training.batch_size=512``.

    Raises:
        ConfigError: it is no change, or the section does not exist.
    """
    path, equals, text = change.partition("=")
    *sections, key = path.split(".")
    inner: Any = values
    for section in sections:
        inner = inner.get(section) if isinstance(inner, dict) else None
    if not equals or not isinstance(inner, dict):
        raise ConfigError(f"{change}: must be a value of JoeyNMT's configuration, such as training.batch_size=512")
    inner[key] = yaml.safe_load(text)


def _check(ended: Ended, what: str, log: Path) -> None:
    if ended.status:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:])
        raise PeerError(f"{what} ended with status {ended.status}; {log} ends with\n{last}")


def compare(comparison: Comparison, budgets: Sequence[tuple[int, float]], systems: Sequence[str]) -> dict[str, Any]:
    """Do what is left to do, and keep it after each step; return all results, by pairs and system.

    Raises:
        ConfigError: an earlier call gave a training another time.
    """
    path = comparison.folder / "results.json"
    results: dict[str, Any] = read_json(path) if path.exists() else {}
    for pairs, minutes in budgets:
        for system in systems:
            name = comparison.run(pairs, system).name
            if name not in results:
                ended = comparison.train(pairs, system, minutes)
                results[name] = {"pairs": pairs, "system": system, "minutes": minutes, "scores": {}}
                results[name] |= {"seconds": round(ended.seconds, 1), "commit": commit(), "machine": machine()}
                write_json(path, results)
            elif results[name]["minutes"] != minutes:
                raise ConfigError(
                    f"{path}: {name} was trained for {results[name]['minutes']:g} minutes, not for {minutes:g}; "
                    "give another --folder"
                )
            scores = results[name]["scores"]
            for set_ in comparison.sets:
                if set_ not in scores:
                    lines, ended = comparison.translate(pairs, system, set_)
                    scores[set_] = scored(lines, list(read_text_lines(comparison.files(comparison.by_length(set_))[1])))
                    scores[set_]["seconds"] = round(ended.seconds, 1)
                    write_json(path, results)
                    print_line({"run": name, "set": set_, **scores[set_]})
    return results


def scored(lines: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """BLEU and chrF, each with its signature."""
    found: dict[str, Any] = {}
    for name, score in (("bleu", bleu(lines, references)), ("chrf", chrf(lines, references))):
        found |= {name: round(score.value, 2), f"{name}_signature": score.signature}
    return found


def budget(text: str) -> tuple[int, float]:
    """Read ``PAIRS=MINUTES``, as a ``type`` of ``argparse``."""
    pairs, equals, minutes = text.partition("=")
    try:
        found = int(pairs), float(minutes)
    except ValueError:
        equals = ""
    if not equals or found[0] < 1 or not 0 < found[1] < float("inf"):
        raise argparse.ArgumentTypeError(f"must be pairs and minutes, such as 5000=4, but is {text}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/compare_little_data.py",
        description=__doc__,
        epilog="example:\n"
        "  python tools/slices.py tatoeba/train.de tatoeba/train.en slices\n"
        "  python tools/compare_little_data.py slices --validation tatoeba/dev --languages de en \\\n"
        "      --environments ~/peers --folder little-data",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("slices", type=Path, help="folder of tools/slices.py, with 5000/train.de and so on")
    parser.add_argument("--validation", type=Path, required=True, help="files, without the language at their end")
    parser.add_argument("--test", type=Path, help="likewise; scored only if it is given")
    parser.add_argument("--languages", nargs=2, required=True, metavar=("SOURCE", "TARGET"), help="ends of the files")
    parser.add_argument("--environments", type=Path, help="folder of JoeyNMT's virtual environment; created if missing")
    parser.add_argument("--folder", type=Path, required=True, help="where models and results are kept")
    parser.add_argument("--systems", nargs="+", choices=list(TITLES), default=list(TITLES), help="(default: all)")
    parser.add_argument(
        "--budgets",
        nargs="+",
        type=budget,
        metavar="PAIRS=MINUTES",
        default=BUDGETS,
        help=f"of the processor for each training (default: {' '.join(f'{pairs}={m:g}' for pairs, m in BUDGETS)})",
    )
    parser.add_argument("--pieces", type=count, default=PIECES, help="of JoeyNMT's vocabulary (default: %(default)s)")
    parser.add_argument("--joeynmt", nargs="+", default=[], metavar="a.b=c", help="changes of its configuration")
    return parser


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    others = options.systems != [OWN]
    if others and options.environments is None:
        parser.error("JoeyNMT needs --environments, where it is installed")
    folder = options.folder.resolve()
    with reporting_os_errors("make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    sets = {"validation": options.validation.resolve()}
    if options.test is not None:
        sets["test"] = options.test.resolve()
    python = None
    if others:
        try:
            python = python_of(JOEYNMT, options.environments.resolve())
        except PeerError as error:
            raise NmtError(str(error)) from error
    comparison = Comparison(
        slices=options.slices.resolve(),
        sets=sets,
        languages=tuple(options.languages),
        folder=folder,
        joeynmt=python,
        pieces=options.pieces,
        changes=options.joeynmt,
    )
    for name in (*sets.values(), *(comparison.slices / str(pairs) / "train" for pairs, _ in options.budgets)):
        for path in comparison.files(name):
            existing_file(path)
    try:
        results = compare(comparison, options.budgets, options.systems)
    except PeerError as error:
        raise NmtError(str(error)) from error
    last = list(sets)[-1]
    (folder / "table.md").write_text(table(results, last) + "\n", encoding="utf-8")
    save_figure(curve(results, last), folder / "curve.png")
    print(table(results, last))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit code."""
    return status_of(lambda: _main(arguments))


if __name__ == "__main__":
    sys.exit(main())
