"""Compare nmt-serve with nmt-translate: sentences per second of many clients at once, and the latency of one alone.

One run starts a server, a process with the clients, which ask it over HTTP one sentence at a time, and a process that
translates as nmt-translate does, without its start-up. They take turns: each round translates all lines by both, and
then the first lines one by one. The first round is not counted. Ratios are of medians over the rounds, the latencies'
of all rounds together. All have as many threads.

Every figure is printed as a JSON line: sentences per second by both and their ratio (server / nmt-translate, above 1 is
faster), and milliseconds for one sentence by both with the ratio of the medians (server / in process, above 1 is
slower).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that it runs from any folder

from nmt.core.errors import NmtError  # noqa: E402
from nmt.core.storage.files import read_text_lines  # noqa: E402
from tools.measuring import commit, machine, print_line  # noqa: E402
from tools.running import count, status_of  # noqa: E402

_ADDRESS = re.compile(r"http://127\.0\.0\.1:([0-9]+)")


class Direct:
    """Translates as ``nmt-translate`` does, in this process or, from a thousand lines on, in several."""

    def __init__(self, run: Path, beam: int, threads: int | None) -> None:
        import torch

        from nmt.search.search_config import SearchConfig
        from nmt.translation.output.rendering import Plan, Rendering, RenderingPool

        if threads is not None:
            torch.set_num_threads(threads)
        plan = Plan(runs=(run,), search=SearchConfig(beam_size=beam))
        self._translator = plan.translator()
        self._pool = RenderingPool(plan, Rendering(self._translator, plan), processes=1 if threads else None)

    def throughput(self, lines: Sequence[str]) -> float:
        """Translate all lines; returns seconds."""
        from nmt.translation.windows import WINDOW, numbered, windows

        began = time.perf_counter()
        for _ in self._pool.translate(numbered(windows(lines, WINDOW), 1)):
            pass
        return time.perf_counter() - began

    def alone(self, lines: Sequence[str]) -> list[float]:
        """Translate lines one by one; returns the seconds of each."""
        taken = []
        for line in lines:
            began = time.perf_counter()
            self._translator.translate([line])
            taken.append(time.perf_counter() - began)
        return taken


class Clients:
    """Clients of a server, each with a connection, that ask for one sentence after another."""

    def __init__(self, port: int, clients: int, beam: int) -> None:
        self._port, self._clients = port, clients
        self._search = {"strategy": "beam", "beam_size": beam}

    def throughput(self, lines: Sequence[str]) -> float:
        """Have all lines translated by all clients; returns seconds."""
        began = time.perf_counter()
        asyncio.run(self._ask(lines, self._clients))
        return time.perf_counter() - began

    def alone(self, lines: Sequence[str]) -> list[float]:
        """Have lines translated by one client; returns the seconds of each."""
        return asyncio.run(self._ask(lines, 1))

    async def _ask(self, lines: Sequence[str], clients: int) -> list[float]:
        waiting, taken = iter(lines), list[float]()
        await asyncio.gather(*(self._client(waiting, taken) for _ in range(clients)))
        return taken

    async def _client(self, waiting: Any, taken: list[float]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for line in waiting:
            body = json.dumps({"text": line, "search": self._search}).encode()
            head = f"POST /v1/translate HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            began = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: ([0-9]+)", answer.lower())
            found = await reader.readexactly(int(length[1])) if length else b""
            taken.append(time.perf_counter() - began)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise NmtError(f"the server answered {answer.splitlines()[0].decode()}: {found.decode()}")
        writer.close()
        await writer.wait_closed()


class Process:
    """``Direct`` or ``Clients`` in a process of its own; the same calls."""

    def __init__(self, role: str, options: dict[str, Any]) -> None:
        words = [sys.executable, str(Path(__file__).resolve()), "--role", json.dumps([role, options])]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        with self._process:
            pass

    def throughput(self, lines: Sequence[str]) -> float:
        """See ``Direct``."""
        return float(self._call("throughput", lines))

    def alone(self, lines: Sequence[str]) -> list[float]:
        """See ``Direct``."""
        return list(self._call("alone", lines))

    def _call(self, name: str, lines: Sequence[str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, lines]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise NmtError("a measuring process has ended; see its message")
        return json.loads(answer)


def play(role: str, options: dict[str, Any]) -> int:
    """Do in this process what ``Process`` asks for."""
    player = Direct(**options) if role == "direct" else Clients(**options)
    for line in sys.stdin:
        name, lines = json.loads(line)
        print(json.dumps(getattr(player, name)(lines)), flush=True)
    return 0


class Server:
    """An ``nmt-serve`` on a free port.

    Args:
        run: what it serves.
        threads: as those of its option.

    Raises:
        NmtError: it does not start.
    """

    def __init__(self, run: Path, threads: int | None) -> None:
        words = [sys.executable, "-m", "nmt.cli.serve", str(run), "--port", "0"]
        words += [] if threads is None else ["--threads", str(threads)]
        self._process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if address := _ADDRESS.search(line):
                self.port = int(address[1])
                # It logs every request, and would wait for a reader.
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return
        with self._process:  # which has ended
            pass
        raise NmtError(f"nmt-serve does not start: {''.join(said).strip()}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        with self._process:
            pass


def measure(options: argparse.Namespace, lines: Sequence[str]) -> dict[str, Any]:
    """Measure in turns, and print what each round took."""
    beam, threads = options.beam_size, options.threads
    rates: dict[str, list[float]] = {"server": [], "direct": []}
    latencies: dict[str, list[float]] = {"server": [], "direct": []}
    with Server(options.run, threads) as server:
        asking = Process("clients", {"port": server.port, "clients": options.clients, "beam": beam})
        translating = Process("direct", {"run": str(options.run), "beam": beam, "threads": threads})
        with asking, translating:
            for number in range(options.rounds + 1):
                for name, process in (("server", asking), ("direct", translating)):
                    rate = len(lines) / process.throughput(lines)
                    seconds = process.alone(lines[: options.alone])
                    if number:
                        rates[name].append(rate)
                        latencies[name] += seconds
                        median = 1000 * statistics.median(seconds)
                        print_line({"round": number, "of": name, "sentences_per_second": rate, "alone_ms": median})
    return summary(rates, latencies)


def summary(rates: dict[str, list[float]], latencies: dict[str, list[float]]) -> dict[str, Any]:
    """Medians over the rounds and their ratios."""
    found: dict[str, Any] = {}
    for name, taken in latencies.items():
        found[f"{name}_sentences_per_second"] = round(statistics.median(rates[name]), 1)
        found[f"{name}_p50_ms"] = round(1000 * statistics.median(taken), 1)
        found[f"{name}_p99_ms"] = round(1000 * statistics.quantiles(taken, n=100, method="inclusive")[98], 1)
    rate = statistics.median(one / other for one, other in zip(rates["server"], rates["direct"], strict=True))
    slower = statistics.median(latencies["server"]) / statistics.median(latencies["direct"])
    return found | {"throughput_ratio": round(rate, 3), "alone_p50_ratio": round(slower, 3)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--role"]:
        return play(*json.loads(argv[1]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("input", type=Path, help="text to translate")
    parser.add_argument("--clients", type=count, default=64, metavar="N", help="clients at once (default: 64)")
    parser.add_argument("--beam-size", type=count, default=5, metavar="K", help="default: 5")
    parser.add_argument("--lines", type=count, default=512, metavar="N", help="lines a round (default: 512)")
    parser.add_argument("--alone", type=count, default=40, metavar="N", help="lines a round one by one (default: 40)")
    parser.add_argument("--rounds", type=count, default=5, metavar="N", help="default: 5, and one that does not count")
    parser.add_argument("--threads", type=count, metavar="N", help="of both (default: as each takes for itself)")
    options = parser.parse_args(argv)
    lines = [line for line in read_text_lines(options.input) if line.strip()][: options.lines]
    if len(lines) < 2:
        raise NmtError(f"{options.input}: must have two lines or more, but has {len(lines)}")
    print_line({"machine": machine(), "commit": commit(), "cores": len(os.sched_getaffinity(0)), "lines": len(lines)})
    print_line(measure(options, lines))
    return 0


if __name__ == "__main__":
    sys.exit(status_of(main))
