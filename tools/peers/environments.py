"""Virtual environments for the peers, created once and kept in a folder of the user."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TORCH = "torch==2.13.0"


class PeerError(Exception):
    """A peer cannot be installed or run; the message says why."""


@dataclass(frozen=True)
class Peer:
    """Another toolkit.

    Args:
        name: of its driver and its environment.
        title: with its version.
        installs: arguments of ``pip install``, one call after the other.
        patches: files below ``site-packages`` that do not run with this torch: a text, and its replacement.
        said: the changes made to it, reported with its figures.
    """

    name: str
    title: str
    installs: tuple[tuple[str, ...], ...]
    patches: tuple[tuple[str, str, str], ...] = ()
    said: str = ""


JOEYNMT = Peer(
    name="joeynmt",
    title="JoeyNMT 2.3.0",
    # Later versions of sentencepiece cannot restrict the pieces to a vocabulary.
    installs=((TORCH,), ("joeynmt==2.3.0", "importlib_metadata", "sentencepiece==0.2.0")),
    patches=(
        ("joeynmt/builders.py", '            "verbose": False,\n', ""),
        ("joeynmt/prediction.py", "all_hypotheses, args.n_best)", "all_hypotheses, args.test.n_best)"),
    ),
    said="`verbose` is removed from its call of ReduceLROnPlateau, which torch does not accept, and where it writes "
    "translations to a file, n_best is looked for where it is",
)
OPENNMT = Peer(
    name="opennmt",
    title="OpenNMT-py 3.5.1",
    installs=(
        (TORCH,),
        ("--no-deps", "OpenNMT-py==3.5.1"),
        ("configargparse", "sacrebleu", "pyyaml", "six", "rapidfuzz", "pyahocorasick", "pyonmttok", "ctranslate2"),
        ("sentencepiece", "tensorboard", "flask", "waitress", "regex"),
    ),
    said="it asks for torch < 2.3 and is run with the same torch as the others; spacy and fasttext, which only "
    "transforms of text need that are not used, are left out; torch.load is told that its models may be loaded",
)
MARIAN = Peer(
    name="pymarian",
    title="pymarian 1.12.42",
    installs=(("pymarian==1.12.42",),),
    said="Marian's engine as its wheel has it, not built for this processor; it translates with weights that this "
    "toolkit has trained and exported",
)


def python_of(peer: Peer, folder: Path) -> Path:
    """The interpreter of a peer's environment, which is created if it does not exist.

    Args:
        peer: which one.
        folder: where environments are kept.

    Raises:
        PeerError: it cannot be created.
    """
    environment = folder / peer.name
    python = environment / "bin" / "python"
    ready = environment / "ready"
    wanted = repr(peer.installs)
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(environment)], f"make an environment for {peer.title}")
        for install in peer.installs:
            _run([str(python), "-m", "pip", "install", "--quiet", *install], f"install {peer.title}")
        ready.write_text(wanted, encoding="utf-8")
    for name, before, after in peer.patches:
        patch(_site_packages(environment) / name, before, after)
    return python


def patch(path: Path, before: str, after: str) -> None:
    """Replace one text by another in a file, unless that has been done.

    Raises:
        PeerError: the file is missing, or the text occurs more than once.
    """
    if not path.is_file():
        raise PeerError(f"{path}: there is no such file to patch; remove the environment and let it be made again")
    text = path.read_text(encoding="utf-8")
    if text.count(before) > 1:
        raise PeerError(f"{path}: has what is to be patched {text.count(before)} times; is it another version?")
    if before in text:
        path.write_text(text.replace(before, after), encoding="utf-8")


def surroundings(threads: int) -> dict[str, str]:
    """The environment variables of a toolkit's process: that many threads, and no packages from elsewhere."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}


def _site_packages(environment: Path) -> Path:
    found = sorted(environment.glob("lib/python*/site-packages"))
    if not found:
        raise PeerError(f"{environment}: is not a virtual environment; remove it and let it be made again")
    return found[0]


def _run(command: list[str], what: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise PeerError(f"cannot {what}: {error}") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise PeerError(f"cannot {what}: {' '.join(command[-3:])} ended with status {done.returncode}\n{last}")
