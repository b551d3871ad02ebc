"""nmt-export --to marian, and Marian itself, the C++ engine, run on what it wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from marian_run import make_marian_run
from tiny_run import sentences

from nmt.cli import export, train
from nmt.search.search_config import SearchConfig
from nmt.translation.lines import ScoredTarget
from nmt.translation.translator import Translator
from tools import generate_corpus

RECIPE = Path(__file__).parents[2] / "recipes" / "quickstart" / "marian.yaml"
# In a process of its own, which keeps its threads and its log.
MARIAN = """
import sys
import pymarian
settings, beam = sys.argv[1:]
marian = pymarian.Translator(f"--config {settings} --beam-size {beam} --cpu-threads 1 --quiet --log-level off")
print("\\n".join(marian.translate(sys.stdin.read().splitlines())))
"""
# Sharpened random weights let an error of rounding grow tenfold with every few pieces, and so do float32 and float64
# here differ. Within so many pieces it does not yet decide between two.
BEFORE_CHAOS = 15


@pytest.fixture
def exported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    assert (
        export.main([str(make_marian_run(tmp_path / "run", tied="all")), str(tmp_path / "m.npz"), "--to", "marian"])
        == 0
    )
    printed = capfd.readouterr()
    written = [line.split(":")[0] for line in printed.out.splitlines()]
    assert written == [str(tmp_path / name) for name in ("m.npz", "m.npz.decoder.yml", "m.vocab.spm")]
    assert (
        printed.err.startswith("warning: Marian: reads and writes <num> as they are") and printed.err.count("\n") == 1
    )
    return tmp_path


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe for Marian, smaller, trained until it knows 200 short pairs of the quickstart corpus."""
    _want_marian()
    folder = tmp_path_factory.mktemp("learnt")
    parts = ("--train", "200", "--validation", "0", "--test", "0", "--max-words", "6")
    assert generate_corpus.main([str(folder), *parts]) == 0
    sizes = ("data.subword.size=700", *(f"model.{part}.size=64" for part in ("embedding", "encoder", "decoder")))
    training = (
        "max_steps=150", "interval_unit=steps", "label_smoothing=0", "optimiser.learning_rate=2e-2",
        "schedule.warmup_steps=20", "threads=1",
    )  # fmt: skip
    alone = ("data.validation=null", "test=null", "model.dropout.embedding=0", "model.dropout.readout=0")
    overrides = [f"data.root={folder}", *sizes, *alone, *(f"training.{each}" for each in training)]
    assert train.main([str(RECIPE), *overrides, "--output", str(folder / "run"), "--quiet"]) == 0
    assert export.main([str(folder / "run"), str(folder / "m.npz"), "--to", "marian", "--quiet"]) == 0
    return folder


def ours(folder: Path, lines: Sequence[str], search: SearchConfig) -> list[ScoredTarget]:
    return [each.best for each in Translator.load(folder / "run", search=search).translate(lines)]


def theirs(folder: Path, lines: Sequence[str], beam: int) -> list[str]:
    _want_marian()
    command = [sys.executable, "-c", MARIAN, str(folder / "m.npz.decoder.yml"), str(beam)]
    said = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=True).stdout
    return said.split("\n")[:-1]


def _want_marian() -> None:
    if find_spec("pymarian") is None:
        pytest.skip("needs pymarian: pip install pymarian")


@pytest.mark.parametrize("beam", [1, 5])
def test_marian_translates_the_quickstart_corpus_the_same(learnt: Path, beam: int) -> None:
    lines = (learnt / "train.de").read_text(encoding="utf-8").split("\n")[:-1]
    # As Marian's narrowing beam, one of more patience does not end while the best hypothesis is still live.
    search = SearchConfig(beam_size=beam, length_penalty=0.0, patience=10.0 if beam > 1 else 1.0)
    mine = ours(learnt, lines, search)
    assert [each.text for each in mine] == theirs(learnt, lines, beam)
    assert len(lines) == 200 and len({each.text for each in mine}) > 180
    assert not any(each.cut for each in mine)  # at our length limit, which Marian does not have


@pytest.mark.parametrize("beam", [1, 5])
def test_marian_translates_the_same_with_random_weights(exported: Path, beam: int) -> None:
    lines = sentences(200, seed=9)
    mine = ours(exported, lines, SearchConfig(beam_size=beam, length_penalty=0.0, max_length_ratio=3.0))
    pairs = zip(mine, theirs(exported, lines, beam), strict=True)
    compared = [(each.text, other) for each, other in pairs if len(each.pieces.ids) <= BEFORE_CHAOS and not each.cut]
    assert [own for own, _ in compared] == [other for _, other in compared]
    assert len(compared) > 100 and len({own for own, _ in compared}) > 50


def test_the_other_forms_are_as_they_were(tmp_path: Path, tiny_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export.main([str(tiny_run), str(tmp_path / "model.npz"), "--to", "marian"]) == 2
    message = capfd.readouterr().err
    assert "Marian has no such model" in message and "model.decoder.type must be conditional" in message
    assert export.main([str(tiny_run), str(tmp_path / "model.nmt"), "--to", "nmt"]) == 0
