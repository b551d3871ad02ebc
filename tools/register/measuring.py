"""Run the commands of a figure in a folder that records the commit of its start, and read the values."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nmt.core.errors import ConfigError, DataError
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import RunFolder
from tools.measuring import changes, commit, uncommitted
from tools.register.entries import Figure, Register
from tools.running import command

BEGUN = "begun.json"
PRINTED = "stdout.txt"


def words_of(figure: Figure, output: Path, data: Mapping[str, Path]) -> list[list[str]]:
    """The command lines of a figure, with its folder and the given paths.

    Raises:
        ConfigError: there is no command, or a path is missing.
    """
    if not figure.command:
        raise ConfigError(f"{figure.id}: there is no command that measures it; measure by hand, then use `record`")
    paths = {**data, "output": output.resolve()}
    for name in re.findall(r"\{(\w+)\}", " ".join(figure.command)):
        if name not in paths:
            raise ConfigError(f"{figure.id}: needs --data {name}=PATH")
    return [
        [re.sub(r"\{(\w+)\}", lambda match: str(paths[match[1]]), word) for word in shlex.split(line)]
        for line in figure.command
    ]


def begin(root: Path, register: Register, figure: Figure, output: Path, lines: list[list[str]], *, afresh: bool) -> str:
    """Create the folder, or continue in one that was begun with the same code; return the commit that is measured.

    Raises:
        ConfigError: it was begun by another command, or what the figure depends on has changed since.
    """
    stamp, paths = output / BEGUN, register.paths(figure)
    if afresh and stamp.exists():
        shutil.rmtree(output)
    if not stamp.exists():
        if output.exists() and any(output.iterdir()):
            raise ConfigError(f"{output}: holds something else; choose another --output")
        output.mkdir(parents=True, exist_ok=True)
        head = (commit(root) or "unknown").removesuffix("+") + ("+" if uncommitted(paths, root) else "")
        write_json(stamp, {"figure": figure.id, "commit": head, "commands": lines})
        return head
    begun = json.loads(stamp.read_text(encoding="utf-8"))
    again = "; --afresh removes the folder and starts over"
    if begun["commands"] != lines:
        raise ConfigError(f"{output}: was begun by another command{again}")
    head = str(begun["commit"])
    if head.endswith("+") or uncommitted(paths, root) or changes(head, paths, root) != []:
        raise ConfigError(f"{output}: was begun at {head}, and what {figure.id} depends on is not the same now{again}")
    return head


def run(root: Path, output: Path, lines: Iterable[list[str]]) -> int:
    """Run command lines from the root, and keep their output; return the first status other than 0.

    A training whose run folder exists is resumed.
    """
    with (output / PRINTED).open("w", encoding="utf-8") as printed:
        for line in lines:
            words = resumed(line)
            print(f"$ {shlex.join(words)}", file=sys.stderr, flush=True)
            words[0] = sys.executable if words[0] == "python" else str(command(words[0]))
            with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
                for said in process.stdout or ():
                    print(said, end="", flush=True)
                    printed.write(said)
            if process.returncode:
                return process.returncode
    return 0


def resumed(line: list[str]) -> list[str]:
    """A command line; that of a training whose run folder exists resumes it."""
    if line[0] != "nmt-train" or "--output" not in line:
        return list(line)
    folder = line[line.index("--output") + 1]
    begun = RunFolder(Path(folder)).recipe.exists()
    return ["nmt-train", "--output", folder, "--resume"] if begun else list(line)


def read(figure: Figure, output: Path) -> dict[str, float]:
    """Read the values of a figure from the output of its commands.

    Raises:
        DataError: one is missing or not a number.
    """
    return {value.name: _number(output, value.read) for value in figure.values if value.read}


def printed(output: Path) -> str:
    """The standard output of the commands; empty if it was not kept."""
    path = output / PRINTED
    return path.read_text(encoding="utf-8") if path.exists() else ""


def begun_at(output: Path) -> str:
    """The commit at which a folder was begun; empty if it was not begun by this tool, or without a commit."""
    path = output / BEGUN
    head = str(json.loads(path.read_text(encoding="utf-8"))["commit"]) if path.exists() else ""
    return "" if head.endswith("+") else head


def _number(output: Path, where: str) -> float:
    name, _, key = where.partition(":")
    key, _, divisor = key.partition("/")
    try:
        text = (output / name).read_text(encoding="utf-8")
    except OSError:
        raise DataError(f"{output / name}: is not there, though {key} is to be read from it") from None
    records = [text] if name.endswith(".json") else [line for line in text.splitlines() if line.startswith("{")]
    for record in reversed(records):
        found: Any = json.loads(record)
        for part in key.split("."):
            if isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, int | float):
            return found / float(divisor or 1)
    raise DataError(f"{output / name}: has no number {key}")
