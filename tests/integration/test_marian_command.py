"""nmt-export --to marian, and Marian itself, the C++ engine, run on what it wrote."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from marian_run import make_marian_run
from tiny_run import sentences

from nmt.cli import export
from nmt.search.search_config import SearchConfig
from nmt.translation.translator import Translator

# In a process of its own, which keeps its threads and its log.
MARIAN = """
import sys
import pymarian
settings, beam = sys.argv[1:]
marian = pymarian.Translator(f"--config {settings} --beam-size {beam} --cpu-threads 1 --quiet --log-level off")
print("\\n".join(marian.translate(sys.stdin.read().splitlines())))
"""
LINES = sentences(200, seed=9)


@pytest.fixture
def exported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    assert (
        export.main([str(make_marian_run(tmp_path / "run", tied="all")), str(tmp_path / "m.npz"), "--to", "marian"])
        == 0
    )
    printed = capfd.readouterr()
    written = [line.split(":")[0] for line in printed.out.splitlines()]
    assert written == [str(tmp_path / name) for name in ("m.npz", "m.npz.decoder.yml", "m.vocab.spm")]
    assert printed.err == ""
    return tmp_path


def ours(folder: Path, beam: int) -> list[tuple[str, bool]]:
    """Our translations, and whether the length limit cut them."""
    search = SearchConfig(beam_size=beam, length_penalty=0.0, max_length_ratio=3.0)
    return [(each.text, each.best.cut) for each in Translator.load(folder / "run", search=search).translate(LINES)]


def theirs(folder: Path, beam: int) -> list[str]:
    if find_spec("pymarian") is None:
        pytest.skip("needs pymarian: pip install pymarian")
    command = [sys.executable, "-c", MARIAN, str(folder / "m.npz.decoder.yml"), str(beam)]
    return subprocess.run(command, input="\n".join(LINES), text=True, capture_output=True, check=True).stdout.split(
        "\n"
    )[:-1]


@pytest.mark.parametrize("beam", [1, 5])
def test_marian_translates_the_same(exported: Path, beam: int) -> None:
    pairs = list(zip(ours(exported, beam), theirs(exported, beam), strict=True))
    ended = [(mine, other) for (mine, cut), other in pairs if not cut]
    # A long babble may tie within rounding. And Marian's beam narrows with each hypothesis that ends, ours does not.
    assert sum(mine == other for mine, other in ended) > 0.97 * len(ended)
    assert len(ended) > 150 and len({mine for mine, _ in ended}) > 80


def test_the_other_forms_are_as_they_were(tmp_path: Path, tiny_run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export.main([str(tiny_run), str(tmp_path / "model.npz"), "--to", "marian"]) == 2
    message = capfd.readouterr().err
    assert "Marian has no such model" in message and "model.decoder.type must be conditional" in message
    assert export.main([str(tiny_run), str(tmp_path / "model.nmt"), "--to", "nmt"]) == 0
