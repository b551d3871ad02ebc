"""The check of a GPU: what fails leaves the rest alone, nothing that was found is lost, and it works on a CPU."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tools import gpu_check
from tools.gpu.branches import branches
from tools.gpu.parts import Part, Setting, parts
from tools.gpu.running import Check
from tools.gpu.tables import markdown
from tools.running import status_of

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "tools" / "benchmarks" / "gpu.md"


def program(text: str) -> tuple[str, ...]:
    return sys.executable, "-c", text


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path / "found.json", tmp_path, {"commit": "abc", "machine": "one"})


def test_a_command_that_fails_leaves_the_others_alone(check: Check) -> None:
    bad = program("print('{\"a\": 1}', flush=True); print('words\\n5\\n{\"b'); raise SystemExit('what went wrong')")
    part = Part("some", "title", 1.0, (bad, program("print('{\"a\": 2}')")))
    error = check.run(part, 600.0)
    assert error is not None and "status 1: what went wrong" in error
    found = json.loads(check.path.read_text())
    assert found["commit"] == "abc"
    assert found["parts"]["some"]["records"] == [{"a": 1}, {"a": 2}]
    assert found["parts"]["some"]["error"] == error
    assert check.run(Part("other", "title", 1.0, (program("print(7)"),)), 600.0) is None
    assert check.failed == ["some"]


def test_a_part_beyond_its_time_is_ended_with_all_that_it_started(check: Check, tmp_path: Path) -> None:
    grandchild = tmp_path / "waits.py"
    grandchild.write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(900)"
    )
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, {str(grandchild)!r}])"
    error = check.run(Part("slow", "title", 1.0, (program(child), program("print('{}')"))), 10.0)
    assert error is not None
    assert "stopped after 10 seconds" in error and error.endswith("left out: no time left")
    assert check.parts["slow"]["records"] == []
    started = tmp_path / "pid"
    if started.exists() and started.read_text():  # on a slow machine it may not have come that far
        for _ in range(200):
            try:
                os.kill(int(started.read_text()), 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        status = Path(f"/proc/{started.read_text()}/stat")
        assert not status.exists() or ") Z" in status.read_text(), "a process is left"


def test_what_was_found_is_written_before_a_part_ends(check: Check, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    reader = (
        "import json, pathlib, time\n"
        "print('{\"first\": 1}', flush=True)\n"
        f"path = pathlib.Path({str(check.path)!r})\n"
        "while not path.exists() or not json.loads(path.read_text())['parts']['some']['records']: time.sleep(0.05)\n"
        f"pathlib.Path({str(seen)!r}).write_text(json.loads(path.read_text())['parts']['some']['error'])\n"
    )
    assert check.run(Part("some", "title", 1.0, (program(reader),)), 600.0) is None
    assert seen.read_text() == "not finished"


def test_a_table_for_every_kind_of_record() -> None:
    facts = {"name": "H200", "torch": "2.11", "commit": "abc"}
    records = [{"way": "a|b", "speed": 1234}, {"way": "c", "speed": 2}, {"losses": [1.5, 2.5]}, {"ratios": {"x": 1}}]
    report = {
        "commit": "abc",
        "machine": "EPYC",
        "parts": {
            "machine": {"title": "t", "commands": [], "records": [facts], "error": None},
            "some": {"title": "an update", "commands": ["x.py --y"], "records": records, "error": "x:\nit broke"},
        },
    }
    assert markdown(report).splitlines() == [
        "## H200, commit abc",
        "",
        "name H200, torch 2.11.",
        "",
        "### An update",
        "",
        "`python x.py --y`",
        "",
        "| way | speed |",
        "|---|---|",
        "| a\\|b | 1,234 |",
        "| c | 2 |",
        "",
        "| losses |",
        "|---|",
        "| 1.5 2.5 |",
        "",
        "Failed: it broke",
    ]


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert status_of(lambda: gpu_check.main([])) == 1
    assert "there is no GPU here; --device cpu --quick shows" in capsys.readouterr().err


def test_the_status_says_whether_a_part_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (Part(name, name, 1.0, (program(text),)) for name, text in (("a", "print(1)"), ("b", "1 / 0")))
    monkeypatch.setattr(gpu_check, "parts", lambda setting: [bad, good])
    words = ["--device", "cpu", "--minutes", "400", "--output", str(tmp_path / "found.json"), "--parts"]
    assert gpu_check.main([*words, "a"]) == 0
    assert gpu_check.main([*words, "b", "a"]) == 1
    told = capsys.readouterr().err
    assert "FAILED: ZeroDivisionError" in told and told.endswith("found.json; failed: b\n")
    found = json.loads((tmp_path / "found.json").read_text())["parts"]
    assert found["a"]["error"] is None and "ZeroDivisionError" in found["b"]["error"]


@pytest.mark.slow
def test_small_parts_on_a_cpu(tmp_path: Path) -> None:
    output = tmp_path / "found.json"
    words = [sys.executable, str(ROOT / "tools" / "gpu_check.py"), "--device", "cpu", "--quick", "--minutes", "400"]
    words += ["--output", str(output), "--work", str(tmp_path / "work"), "--parts", "machine", "training", "encoder"]
    done = subprocess.run([*words, "search"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())["parts"]
    assert list(found) == ["machine", "training", "encoder", "search"]
    assert found["machine"]["records"][0]["torch"] == torch.__version__
    ways = {record["way"] for record in found["training"]["records"] if "way" in record}
    assert {"fp32 native", "fp32 plain", "fp32 loop", "bf16 fast"} <= ways
    assert {record["search"] for record in found["search"]["records"]} == {"greedy", "beam 5"}
    assert "| bf16 fast |" in done.stdout and "[4/4]" in done.stderr
    again = subprocess.run([*words[:2], "--table", str(output)], capture_output=True, text=True, check=True)
    assert again.stdout == done.stdout


@pytest.mark.slow
def test_every_command_takes_its_options(tmp_path: Path) -> None:
    wanted: dict[tuple[str, ...], set[str]] = {}
    for quick in (True, False):
        for part in parts(Setting("cuda", quick, tmp_path)):
            for words in part.commands:
                options = {word for word in words if word.startswith("--")}
                wanted.setdefault(words[: 3 if words[1] == "-m" else 2], set()).update(options)
    for words, options in wanted.items():
        shown = subprocess.run([*words, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert all(option in shown for option in options), words


@pytest.mark.slow
def test_failures_are_told_at_once_and_counts_by_file(tmp_path: Path) -> None:
    for name, body in (("one", "assert 1 == 2, 'no'"), ("two", "pass")):
        path = tmp_path / f"test_{name}.py"
        path.write_text(f"import pytest\n\n\ndef test_a():\n    {body}\n\n\ndef test_b():\n    pytest.skip('x')\n")
    run = "import contextlib, sys, pytest\nfrom tools.gpu.tests import Reporter\n"
    arguments = [str(tmp_path), "-q", "-p", "no:randomly"]
    run += f"with contextlib.redirect_stdout(sys.stderr):\n    pytest.main({arguments!r}, [Reporter()])"
    words = [sys.executable, "-c", run]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    failed, *counts = map(json.loads, done.stdout.splitlines())
    assert failed["failed"].endswith("test_one.py::test_a") and "AssertionError: no" in failed["message"]
    assert sorted((Path(each["file"]).name, each["passed"], each["failed"], each["skipped"]) for each in counts) == [
        ("test_one.py", 0, 1, 1),
        ("test_two.py", 1, 0, 1),
    ]


def reached() -> dict[str, str]:
    """The places of the document and what reaches them."""
    rows = re.findall(r"^\| `(nmt/\S+: \S+)` \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(dict(rows)) == len(rows), "a place is listed twice"
    return dict(rows)


def test_every_place_that_asks_for_a_gpu_is_listed() -> None:
    assert set(reached()) == set(branches(ROOT)), "tools/benchmarks/gpu.md lists other places than there are"


def test_what_reaches_them_exists() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "unit").rglob("test_*_gpu.py")]
    tests = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    names = {part.name for part in parts(Setting("cuda", False, Path()))}
    for place, by in reached().items():
        given = re.findall(r"`(\w+)`", by)
        assert given, place
        assert set(given) <= tests | names, place


def test_branches_are_found(tmp_path: Path) -> None:
    (tmp_path / "nmt").mkdir()
    (tmp_path / "nmt" / "a.py").write_text(
        '"""cuda in words."""\nimport torch.cuda\nplace = "cuda"\n\n\nclass A:\n'
        '    def f(self):\n        """cuda"""\n\n'
        "    def g(self, x):\n        def h():\n            return x.device.type\n        return h\n\n"
        "    def kind(self):\n        return self.type\n\n    def k(self):\n        return self._device.type != 'cpu'\n"
    )
    assert branches(tmp_path) == ["nmt/a.py: module", "nmt/a.py: A.g.h", "nmt/a.py: A.k"]
