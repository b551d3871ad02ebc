"""Translate very many short lines with kills and resumptions; nothing may be lost, and memory must not grow.

Generates lines (some of them empty, blank or unusual), has `nmt-translate --output ... --resume` translate them with a
tiny model, kills all of its processes with SIGKILL at random moments, and starts it again. At the end every line must
have its translation (blank lines a blank one), and a sample must equal what the model gives for these lines alone.
Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tiny_run import make_run, sentences  # noqa: E402

import nmt  # noqa: E402

STRANGE = ("", "   ", "\t", "\u3000", "a\0b", "ab\u2028cd", "ef\x85gh", "\ufeffab", "☃ ☃", "gh\rij")
SEARCH = ("--strategy", "greedy", "--max-length-ratio", "1", "--max-length-offset", "2")
SAMPLE = 500
SECONDS = 0.2  # between two looks at the memory


@dataclass
class Soak:
    """The result.

    Args:
        lines: input lines.
        translated: output lines.
        wrong: lines of the sample that differ from what the model gives for them alone.
        seconds: of all starts together.
        kills: starts that were killed.
        resumed: lines found by each start.
        memory: MiB of all processes together in the last start, from the first tenth of its lines on.
    """

    lines: int
    translated: int = 0
    wrong: int = 0
    seconds: float = 0.0
    kills: int = 0
    resumed: list[int] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The relative growth of the median memory from the first to the last quarter."""
        quarter = max(1, len(self.memory) // 4)
        first, last = (sorted(part)[len(part) // 2] for part in (self.memory[:quarter], self.memory[-quarter:]))
        return last / first - 1

    @property
    def sound(self) -> bool:
        """Whether nothing was lost."""
        return self.translated == self.lines and self.wrong == 0

    def table(self) -> str:
        """A Markdown table."""
        rows = {
            "lines": f"{self.lines:,} in, {self.translated:,} out",
            "killed and resumed": f"{self.kills} times, at lines {', '.join(f'{n:,}' for n in self.resumed[1:])}",
            "lines/s": f"{self.lines / self.seconds:,.0f}, starts and repeated work counted",
            "memory": f"{min(self.memory):,.0f} to {max(self.memory):,.0f} MiB in all processes; {self.growth:+.1%} "
            "from the first quarter to the last",
            "sample": f"{self.wrong} of {min(SAMPLE, self.lines)} lines differ from the same lines translated alone",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/soak.py",
        description=__doc__,
        epilog="example:\n  python tools/soak.py --lines 1000000 --kills 5 --processes 2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines to translate (default: 1,000,000)")
    parser.add_argument("--kills", type=int, default=5, help="how often the command is killed (default: 5)")
    parser.add_argument("--processes", type=int, default=1, help="of nmt-translate (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of lines and moments (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nmt-soak-") as folder:
        found = soak(Path(folder), options.lines, kills=options.kills, processes=options.processes, seed=options.seed)
    print(found.table())
    return 0 if found.sound and found.growth < 0.1 else 1


def soak(folder: Path, count: int, *, kills: int, processes: int = 1, window: int = 1024, seed: int = 1) -> Soak:
    """Run the test.

    Args:
        folder: for model, input and output.
        count: number of lines.
        kills: how often the command is killed, evenly over the lines and a little at random.
        processes: of the command.
        window: of the command.
        seed: of lines and moments.
    """
    draw = random.Random(seed)
    run, source, target = make_run(folder / "run"), folder / "lines.xx", folder / "lines.yy"
    with source.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in generated(count, draw))
    moments = [int(count * (place + draw.random()) / (kills + 1)) for place in range(kills)]
    soaked = Soak(count)
    words = [sys.executable, "-m", "nmt.cli.translate", str(run), "--input", str(source), "--output", str(target)]
    words += ["--resume", "--quiet", "--processes", str(processes), "--window", str(window), *SEARCH]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    while not soaked.resumed or moments or record(target).exists():
        begin = reached(target)
        soaked.resumed.append(begin)
        moment = next((each for each in moments if each > begin), count + 1)
        began = time.monotonic()
        process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
        memory = watch(process, target, begin + (count - begin) // 10, until=moment)
        soaked.seconds += time.monotonic() - began
        moments = [each for each in moments if each > moment]
        if memory is None:
            soaked.kills += 1
            continue
        if process.returncode:
            sys.exit(f"nmt-translate ended with status {process.returncode}")
        soaked.memory = memory
        moments = []
    soaked.translated, soaked.wrong = compare(run, source, target, draw)
    return soaked


def generated(count: int, draw: random.Random) -> Iterator[str]:
    """Short lines, one in a hundred of them unusual."""
    lexicon = sorted({word for line in sentences(200) for word in line.split()})
    for _ in range(count):
        yield draw.choice(STRANGE) if draw.random() < 0.01 else " ".join(draw.choices(lexicon, k=draw.randint(1, 5)))


def record(target: Path) -> Path:
    """The file that records the progress of an output."""
    return target.with_name(f"{target.name}.resume")


def reached(target: Path) -> int:
    """Lines that are recorded as written."""
    try:
        return int(json.loads(record(target).read_text(encoding="utf-8"))["progress"]["lines"])
    except FileNotFoundError:
        return 0


def watch(process: subprocess.Popen[bytes], target: Path, settled: int, *, until: int) -> list[float] | None:
    """Watch the memory until the process ends; kill it and its children once it has reached a line (then ``None``)."""
    memory = []
    while process.poll() is None:
        time.sleep(SECONDS)
        family = [process.pid, *children(process.pid)]
        lines = reached(target)
        if lines >= until:
            for each in family:
                os.kill(each, signal.SIGKILL)
            process.wait()
            return None
        if lines >= settled:
            memory.append(sum(map(resident, family)))
    return [each for each in memory if each] or [0.0]


def children(parent: int) -> list[int]:
    """The child processes of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def resident(process: int) -> float:
    """Resident MiB of a process; 0 after it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def compare(run: Path, source: Path, target: Path, draw: random.Random) -> tuple[int, int]:
    """Count the lines, and those of a sample that differ from what the model gives for them alone."""
    lines, written = (path.read_bytes().decode().split("\n")[:-1] for path in (source, target))
    places = sorted(draw.sample(range(len(lines)), min(SAMPLE, len(lines))))
    search = nmt.SearchConfig(strategy="greedy", max_length_ratio=1.0, max_length_offset=2, min_length=2)
    translator = nmt.Translator.load(run, search=search, attention=False, device="cpu")
    texts = [translation.text for translation in translator.translate([lines[place] for place in places])]
    if len(written) != len(lines):
        return len(written), len(places)
    blank = sum(bool(line.strip()) < bool(text) for line, text in zip(lines, written, strict=True))
    wrong = sum(written[place] != text for place, text in zip(places, texts, strict=True))
    return len(written), wrong + blank


if __name__ == "__main__":
    sys.exit(main())
