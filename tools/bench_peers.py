"""Compare training and translation with other toolkits: same run, data, vocabulary, model shape and batches.

All toolkits are started at once and take turns of a few updates or one translation of the test set; the others wait
meanwhile. The results are medians over the rounds: of CPU seconds with one thread each (equal to wall-clock seconds on
an idle machine), of wall-clock seconds with several. Every figure is printed as a JSON line, the ratios in the last
one. JoeyNMT trains twice: as shipped, and in its best case, on a file in blocks of equal length.

Every toolkit translates with the model that it has just trained, all with the same number of updates and tokens; this
toolkit in both precisions with its fp32 model. --learn makes the models that translate train that many more updates
before, all at once and untimed; with --no-training, models that an earlier run left in --folder translate again. After
few updates the output is arbitrary, so use --length to make all translations equally long.

Marian only translates: the same weights as this toolkit, of one more model that it also has, and without --length. The
number of lines that the two translate differently is given with the ratios.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

import torch  # noqa: E402
import yaml  # noqa: E402

from nmt.core import config as configs  # noqa: E402
from nmt.core.machine.device import resolve_precision  # noqa: E402
from nmt.core.storage.files import read_text_lines, reporting_os_errors, write_lines  # noqa: E402
from nmt.data.data_config import DataConfig  # noqa: E402
from nmt.data.pipeline import encode_corpus, prepare_vocabulary, read_training_pairs  # noqa: E402
from nmt.metrics.score import bleu  # noqa: E402
from nmt.text.subword import SubwordModel  # noqa: E402
from nmt.translation.marian.exporting import export_to_marian  # noqa: E402
from tools.corpus.files import write_part  # noqa: E402
from tools.corpus.generator import Generator  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.peers.environments import JOEYNMT, MARIAN, OPENNMT, Peer, PeerError, python_of, surroundings  # noqa: E402
from tools.peers.settings import SEED, SPECIAL, Experiment, length_blocks  # noqa: E402
from tools.running import count, status_of  # noqa: E402

DRIVERS = Path(__file__).parent / "peers"
PEERS = (JOEYNMT, OPENNMT, MARIAN)
GREEDY, BEAM = 1, 5
PRECISIONS = ("fp32", "bf16")
# Peers in the order in which ratios are computed, best case first.
TRAINING_PEERS = ("joeynmt-blocks", "joeynmt", "opennmt")
TRANSLATION_PEERS = ("opennmt", "joeynmt")
# The model that Marian translates with.
FOR_MARIAN = "nmt-for-marian"
# These also translate; the others are trained for their speed only.
LEARNERS = ("nmt-fp32", "joeynmt-blocks", "opennmt", FOR_MARIAN)


class Toolkit:
    """A toolkit that runs in its own process.

    Args:
        name: in the figures.
        command: of its driver.
        log: file for its output.
        threads: number of threads.
    """

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, *, threads: int = 1) -> None:
        self.name = name
        self.log = log
        with log.open("w", encoding="utf-8") as file:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=surroundings(threads),
            )

    def __enter__(self) -> Toolkit:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        with self._process:
            pass

    def turn(self, number: int) -> dict[str, float]:
        """Request that many updates, or a translation with a beam of this size.

        Raises:
            PeerError: the process has ended; the message has the end of its output.
        """
        pipe, answers = self._process.stdin, self._process.stdout
        line = ""
        if pipe is not None and answers is not None:
            try:
                pipe.write(f"{number}\n")
                pipe.flush()
                line = answers.readline()
            except OSError:
                pass
        if not line:
            raise PeerError(f"{self.name} ended with status {self._process.wait()}:\n{last_words(self.log)}")
        found: dict[str, float] = json.loads(line)
        return found

    def stop(self) -> None:
        """Request to save the model and end."""
        if self._process.stdin is not None:
            with suppress(OSError):  # it has ended already
                self._process.stdin.write("0\n")
                self._process.stdin.close()
        self._process.wait()


def last_words(log: Path, lines: int = 5) -> str:
    """The end of the output of a process."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])


def rates(turns: Iterable[Mapping[str, float]], unit: str, clock: str) -> list[float]:
    """Units per second of each turn."""
    return [turn[unit] / turn[clock] for turn in turns]


def ratio(own: Sequence[float], peer: Sequence[float]) -> float | None:
    """How many times as fast: the quotient of the median rates; ``None`` if either was not measured."""
    if not own or not peer:
        return None
    return round(statistics.median(own) / statistics.median(peer), 3)


def summary(training: Mapping[str, Sequence[float]], translation: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The ratios, each with its peer: the first one of the order that was measured.

    Args:
        training: target tokens per second of every turn, by toolkit (``nmt-fp32``, ``nmt-bf16``, peers).
        translation: sentences per second of every turn, by toolkit and beam, such as ``nmt-fp32 5``.
    """
    found: dict[str, Any] = {}
    every: dict[str, Any] = {}
    for precision in PRECISIONS:
        own = training.get(f"nmt-{precision}", ())
        against = {peer: ratio(own, training.get(peer, ())) for peer in TRAINING_PEERS}
        found |= _first(f"train_ratio_{precision}", against)
        every[f"train_{precision}"] = against
    for name, beam in (("beam5", BEAM), ("greedy", GREEDY)):
        for precision in PRECISIONS:
            own = translation.get(f"nmt-{precision} {beam}", ())
            against = {peer: ratio(own, translation.get(f"{peer} {beam}", ())) for peer in TRANSLATION_PEERS}
            found |= _first(f"{name}_ratio" if precision == "fp32" else f"{name}_ratio_{precision}", against)
            every[f"{name}_{precision}"] = against
            own = translation.get(f"{FOR_MARIAN}-{precision} {beam}", ())
            every[f"{name}_{precision}_for_marian"] = {"pymarian": ratio(own, translation.get(f"pymarian {beam}", ()))}
    medians = {name: round(statistics.median(each), 2) for name, each in {**training, **translation}.items() if each}
    return {**found, "ratios": every, "medians": medians}


def _first(name: str, against: Mapping[str, float | None]) -> dict[str, Any]:
    peer = next((peer for peer, value in against.items() if value is not None), None)
    return {name: None if peer is None else against[peer], f"{name}_against": peer}


def prepare(folder: Path, options: argparse.Namespace) -> Experiment:
    """Find or generate the data, train the vocabulary, and write everything as pieces for the peers.

    Raises:
        NmtError: the data is missing or unusable.
    """
    if options.data is None:
        data, files, size = folder / "generated", ("train", "test"), options.vocabulary_size or 3000
        data.mkdir(exist_ok=True)
        generator = Generator(SEED)
        for part, count in (("test", options.sentences), ("train", options.pairs)):
            for _ in write_part(data, part, generator.pairs(count)):
                pass
    else:
        data, files, size = options.data, ("train", options.test), options.vocabulary_size or 8000
    source, target = languages = ("de", "en")
    section = {
        "root": str(data),
        "train": [{"source": f"{files[0]}.{source}", "target": f"{files[0]}.{target}"}],
        "subword": {"size": size},
    }
    config = configs.from_mapping(DataConfig, section, name="bench_peers")
    pairs = read_training_pairs(config, cache=folder / "cache")
    vocabularies = prepare_vocabulary(config, pairs, folder / "vocabulary")
    corpus = encode_corpus(pairs, vocabularies, config, cache=folder / "cache")
    model = vocabularies.source
    rows = [(corpus.source_ids(i)[:-1], corpus.target_ids(i)[:-1]) for i in range(len(corpus))]
    blocks = length_blocks(corpus.source_lengths, corpus.target_lengths, options.batch, seed=SEED)
    tests = [read_text_lines(data / f"{files[1]}.{language}") for language in languages]
    raw = [pair for pair, _ in zip(zip(*tests, strict=True), range(options.sentences), strict=False)]
    # The longest first: the best order for a toolkit that does not sort.
    test = sorted(
        ((model.encode(one), model.encode(other), one, other) for one, other in raw), key=lambda r: -len(r[0])
    )
    for name, chosen in (("train", rows), ("blocks", [rows[i] for i in blocks]), ("test", [row[:2] for row in test])):
        for side, suffix in enumerate(("source", "target")):
            write_lines(folder / f"{name}.{suffix}", (" ".join(model.pieces(row[side])) for row in chosen))
    write_lines(folder / "test.raw", (row[2] for row in test))
    write_lines(folder / "test.reference", (row[3] for row in test))
    pieces = [piece for piece in model.pieces(range(model.size)) if piece not in SPECIAL]
    write_lines(folder / "joey.vocabulary", ["<unk>", "<pad>", "<s>", "</s>", *pieces])
    write_lines(folder / "opennmt.vocabulary", ["<unk>", "<blank>", "<s>", "</s>", *pieces])
    shortest, longest = (options.length, options.length) if options.length else (0, 100)
    return Experiment(
        folder=folder.resolve(),
        data=Path(data).resolve(),
        files=files,
        languages=languages,
        subword=(folder / "vocabulary" / "joint.model").resolve(),
        batch=options.batch,
        shortest=shortest,
        longest=longest,
        sentences=options.batch_sentences,
        threads=options.threads,
    )


def written(path: Path, values: dict[str, Any]) -> Path:
    """Write YAML and return the path."""
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def alternate(
    toolkits: list[Toolkit], numbers: Sequence[int], rounds: int, line: Mapping[str, Any]
) -> dict[str, list[dict[str, float]]]:
    """Let all take turns; the first round is a warm-up. A toolkit that fails is left out from then on.

    Returns:
        The turns of each, by ``NAME NUMBER``.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for number in numbers:
        for round_ in range(rounds + 1):
            for toolkit in list(toolkits):
                try:
                    turn = toolkit.turn(number)
                except PeerError as error:
                    print(f"bench_peers.py: {error}", file=sys.stderr)
                    toolkits.remove(toolkit)
                    continue
                if round_:
                    found.setdefault(f"{toolkit.name} {number}", []).append(turn)
                    print_line({**line, "toolkit": toolkit.name, "number": number, "round": round_, **turn})
    return found


def train(
    experiment: Experiment, pythons: Mapping[str, Path], options: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Train with all toolkits in turns; their models are saved."""
    folder = experiment.folder
    for pattern in ("nmt-*/", "joeynmt-*/", "opennmt-model/"):
        for model in folder.glob(pattern):
            shutil.rmtree(model)
    commands: dict[str, list[str | Path]] = {}
    for precision in precisions():
        recipe = written(folder / f"nmt-{precision}.yaml", experiment.nmt(precision))
        run = folder / f"nmt-{precision}"
        commands[f"nmt-{precision}"] = [sys.executable, DRIVERS / "run_nmt.py", "train", recipe, run]
    if "joeynmt" in pythons:
        for blocks, name in ((True, "joeynmt-blocks"), (False, "joeynmt")):
            path = written(folder / f"{name}.yaml", experiment.joeynmt(blocks=blocks))
            commands[name] = [pythons["joeynmt"], DRIVERS / "run_joeynmt.py", "train", path]
    if "opennmt" in pythons:
        path = written(folder / "opennmt-train.yaml", experiment.opennmt_train())
        commands["opennmt"] = [pythons["opennmt"], DRIVERS / "run_opennmt.py", "train", path]
    if "pymarian" in pythons:
        recipe = written(folder / f"{FOR_MARIAN}.yaml", experiment.for_marian())
        commands[FOR_MARIAN] = [sys.executable, DRIVERS / "run_nmt.py", "train", recipe, folder / FOR_MARIAN]
    with at_work(commands, experiment, "train") as toolkits:
        found = alternate(toolkits, [options.updates], options.rounds, told("train"))
        if options.learn:
            learn([toolkit for toolkit in toolkits if toolkit.name in LEARNERS], options.learn)
    return found


def precisions() -> list[str]:
    """The precisions that are fast on this machine."""
    return list(PRECISIONS) if resolve_precision("auto", torch.device("cpu")) == "bf16" else ["fp32"]


def learn(toolkits: Sequence[Toolkit], updates: int) -> None:
    """Let all make that many updates at once; report those that fail."""
    with ThreadPoolExecutor(max(len(toolkits), 1)) as pool:
        turns = [pool.submit(toolkit.turn, updates) for toolkit in toolkits]
        for toolkit, turn in zip(toolkits, turns, strict=True):
            try:
                print_line({**told("learn"), "toolkit": toolkit.name, **turn.result()})
            except PeerError as error:
                print(f"bench_peers.py: {error}", file=sys.stderr)


def translate(
    experiment: Experiment, pythons: Mapping[str, Path], options: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Translate the test set with all toolkits in turns, greedily and with a beam."""
    folder = experiment.folder
    commands: dict[str, list[str | Path]] = {}
    limits = [str(experiment.shortest), str(experiment.longest), str(experiment.sentences)]

    def translate_by_nmt(run: str, name: str) -> None:
        for precision in precisions():
            output = folder / f"{name}-{precision}"
            driver = [sys.executable, DRIVERS / "run_nmt.py", "translate", folder / run]
            commands[output.name] = [*driver, precision, folder / "test.raw", output, *limits]

    translate_by_nmt("nmt-fp32", "nmt")
    if "joeynmt" in pythons and any(folder.glob("joeynmt-blocks/*.ckpt")):
        path = written(folder / "joeynmt-blocks.yaml", experiment.joeynmt(blocks=True))
        commands["joeynmt"] = [pythons["joeynmt"], DRIVERS / "run_joeynmt.py", "translate", path]
    if "opennmt" in pythons and any(folder.glob("opennmt-model/*.pt")):
        path = written(folder / "opennmt-translate.yaml", experiment.opennmt_translate())
        commands["opennmt"] = [pythons["opennmt"], DRIVERS / "run_opennmt.py", "translate", path]
    if "pymarian" in pythons and (folder / FOR_MARIAN).is_dir():
        translate_by_nmt(FOR_MARIAN, FOR_MARIAN)
        settings = export_to_marian(folder / FOR_MARIAN, folder / "marian.npz")[1]
        given = [settings, folder / "test.raw", folder / "pymarian", str(experiment.sentences), str(experiment.threads)]
        commands["pymarian"] = [pythons["pymarian"], DRIVERS / "run_pymarian.py", *given]
    with at_work(commands, experiment, "translate") as toolkits:
        return alternate(toolkits, [GREEDY, BEAM], options.rounds, told("translate"))


@contextmanager
def at_work(commands: Mapping[str, Sequence[str | Path]], experiment: Experiment, what: str) -> Iterator[list[Toolkit]]:
    """Start the processes of all toolkits; at the end those that are still in the list save their models."""
    with ExitStack() as stack:
        toolkits = [
            stack.enter_context(
                Toolkit(name, command, experiment.folder / f"{name}-{what}.log", threads=experiment.threads)
            )
            for name, command in commands.items()
        ]
        yield toolkits
        for toolkit in toolkits:
            toolkit.stop()


def told(what: str) -> dict[str, Any]:
    """The fields common to all lines."""
    return {"bench": "peers", "what": what, "commit": commit(), "machine": machine()}


def scores(experiment: Experiment) -> dict[str, Any]:
    """BLEU and length of every translation that exists."""
    folder, model = experiment.folder, SubwordModel.load(experiment.subword)
    references = list(read_text_lines(folder / "test.reference"))
    found: dict[str, Any] = {}
    own = (f"{name}-{precision}" for name in ("nmt", FOR_MARIAN) for precision in PRECISIONS)
    for name, beam in itertools.product((*own, "pymarian", *TRANSLATION_PEERS), (GREEDY, BEAM)):
        path = folder / f"{name}.{beam}"
        if path.exists():
            lines = list(read_text_lines(path))[-len(references) :]  # OpenNMT-py adds those of every turn
            if name in TRANSLATION_PEERS:
                lines = [joined(line) for line in lines]
            pieces = sum(len(model.encode(line)) for line in lines) / len(lines)
            score = round(bleu(lines, references).value, 2)
            found[f"{name} {beam}"] = {"bleu": score, "pieces_a_sentence": round(pieces, 2)}
            if name.startswith(FOR_MARIAN) and (theirs := folder / f"pymarian.{beam}").exists():
                pairs = zip(lines, read_text_lines(theirs), strict=True)
                found[f"{name} {beam}"]["lines_unlike_marian"] = sum(one != other for one, other in pairs)
    return found


def joined(pieces: str) -> str:
    """The text of pieces that are separated by spaces."""
    return "".join(pieces.split(" ")).replace("\u2581", " ").strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench_peers.py",
        description=__doc__,
        epilog="examples:\n"
        "  python tools/bench_peers.py --environments ~/peers --data multi30k --test test_2016_flickr\n"
        "  python tools/bench_peers.py --environments ~/peers --data multi30k --test test_2016_flickr --learn 1500\n"
        "  python tools/bench_peers.py --environments ~/peers --updates 5 --rounds 3 --length 15",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--environments", type=Path, required=True, help="folder of the peers' virtual environments; created if missing"
    )
    parser.add_argument("--data", type=Path, help="folder with train.de, train.en and a test set (default: generated)")
    parser.add_argument("--test", default="test", help="name of the test set in --data (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where data and models are kept (default: a temporary folder)")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="*", choices=names, default=names, help="(default: all)")
    parser.add_argument("--updates", type=count, default=20, help="updates per turn (default: %(default)s)")
    parser.add_argument(
        "--learn", type=int, default=0, help="untimed updates before translation (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=count, default=5, help="measured turns (default: %(default)s)")
    parser.add_argument("--batch", type=count, default=4096, help="tokens per training batch (default: %(default)s)")
    parser.add_argument(
        "--batch-sentences", type=count, default=64, help="sentences per batch in translation (default: %(default)s)"
    )
    parser.add_argument("--sentences", type=count, default=1000, help="to translate (default: %(default)s)")
    parser.add_argument("--pairs", type=count, default=30_000, help="to generate without --data (default: %(default)s)")
    parser.add_argument("--length", type=count, help="exact number of pieces of every translation (default: free)")
    parser.add_argument("--vocabulary-size", type=count, help="joint pieces (default: 8000; 3000 for generated text)")
    parser.add_argument("--threads", type=count, default=1, help="of every toolkit (default: %(default)s)")
    parser.add_argument(
        "--clock",
        choices=["cpu", "wall"],
        help="(default: cpu with one thread, wall with several)",
    )
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--no-translation", action="store_true", help="train only")
    parts.add_argument("--no-training", action="store_true", help="translate only, with the models in --folder")
    return parser


def environments(peers: Iterable[Peer], folder: Path) -> dict[str, Path]:
    """The interpreters of the available peers; for the others the reason is printed."""
    found = {}
    for peer in peers:
        try:
            found[peer.name] = python_of(peer, folder)
        except PeerError as error:
            print(f"bench_peers.py: goes on without {peer.title}: {error}", file=sys.stderr)
        else:
            print(f"bench_peers.py: {peer.title}{': ' + peer.said if peer.said else ''}", file=sys.stderr)
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.learn < 0:
        parser.error(f"--learn must be at least 0, but is {options.learn}")
    if options.clock == "cpu" and options.threads > 1:
        parser.error("--clock cpu counts the seconds of all threads together; with --threads above 1 use --clock wall")
    if options.no_training:
        if options.folder is None or not (options.folder / "nmt-fp32").is_dir():
            parser.error("--no-training needs --folder with the models of an earlier run")
        if options.learn:
            parser.error("--no-training makes no updates; leave out --learn or train")
    with tempfile.TemporaryDirectory(prefix="nmt-peers-") as temporary:
        folder = options.folder or Path(temporary)
        with reporting_os_errors("make the folder"):
            for needed in (folder, options.environments):
                needed.mkdir(parents=True, exist_ok=True)
        experiment = prepare(folder, options)
        wanted = [peer for peer in PEERS if peer.name in options.peers and not (options.length and peer is MARIAN)]
        pythons = environments(wanted, options.environments.resolve())
        wall = options.threads > 1 if options.clock is None else options.clock == "wall"
        clock, unit = "seconds" if wall else "cpu_seconds", f" {options.updates}"
        training: dict[str, list[float]] = {}
        translation: dict[str, list[float]] = {}
        if not options.no_training:
            trained = train(experiment, pythons, options)
            training = {
                name.removesuffix(unit): rates(turns, "target_tokens", clock) for name, turns in trained.items()
            }
        if not options.no_translation:
            translated = translate(experiment, pythons, options)
            translation = {name: rates(turns, "sentences", clock) for name, turns in translated.items()}
        found = summary(training, translation)
        print_line({"bench": "peers", **found, "scores": scores(experiment), "commit": commit(), "machine": machine()})
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))
