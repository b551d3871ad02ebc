"""nmt-align as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_entries import entries_in
from tiny_run import MODEL_CONFIG, make_run, sentences

import nmt
from nmt.alignment.links import format_links
from nmt.cli.align import main

PAIRS = [*zip(sentences(8, seed=9), sentences(8, seed=8), strict=True), ("", "ab"), ("ab", ""), ("ab ☃", "☃ cd")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in (("source", [pair[0] for pair in PAIRS]), ("target", [pair[1] for pair in PAIRS])):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


@pytest.fixture
def wanted(tiny_run: Path) -> list[str]:
    targets = nmt.Aligner.load(tiny_run).align(*zip(*PAIRS, strict=True))
    return [format_links(target.alignment) for target in targets]


def call(
    capfd: pytest.CaptureFixture[str], run: Path, folder: Path, *arguments: object, status: int = 0
) -> tuple[str, str]:
    parts = [run, folder / "source", folder / "target", *arguments]
    result = main([str(part) for part in parts])
    captured = capfd.readouterr()
    assert result == status, captured.err
    assert "Traceback" not in captured.err
    return captured.out, captured.err


def test_links_a_line_a_pair(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, wanted: list[str]
) -> None:
    out, err = call(capfd, tiny_run, folder)
    assert out.split("\n") == [*wanted, ""]
    assert wanted[8] == wanted[9] == ""
    assert "aligning" in err
    assert call(capfd, tiny_run, folder, "--batch-tokens", 1, "--output", folder / "out")[0] == ""
    assert (folder / "out").read_text().split("\n") == [*wanted, ""]


def test_soft_matrices_threshold_and_plots(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    plots = folder / "plots"
    options = [
        "--soft",
        folder / "soft",
        "--threshold",
        0.2,
        "--plots",
        plots,
        "--plot-count",
        1,
        "--plot-format",
        "pdf",
    ]
    out, _ = call(capfd, tiny_run, folder, *options)
    records = [json.loads(line) for line in (folder / "soft").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [record["alignment"] for record in records] == out.split("\n")[:-1]
    for record, (source, target) in zip(records, PAIRS, strict=True):
        assert (record["source"], record["target"]) == (source.split(), target.split())
        if record["weights"] is None:
            continue
        links = {
            f"{column}-{row}"
            for row, weights in enumerate(record["weights"])
            for column, weight in enumerate(weights[:-1])
            if weight >= 0.2
        }
        assert set(record["alignment"].split()) == links
        assert all(sum(row) == pytest.approx(1.0, abs=1e-3) for row in record["weights"])
    assert sorted(path.name for path in plots.iterdir()) == ["line-000001-edges.pdf", "line-000001-heatmap.pdf"]


def test_gold_gives_aer(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, wanted: list[str]) -> None:
    gold = folder / "gold"
    gold.write_text("".join(f"{line}\n" for line in wanted))
    out, err = call(capfd, tiny_run, folder, "--gold", gold)
    assert out.split("\n") == [*wanted, ""]
    assert "AER = 0.0000 precision = 1.0000 recall = 1.0000" in err
    shifted = [" ".join("-".join(str(int(n) + 1) for n in link.split("-")) for link in line.split()) for line in wanted]
    gold.write_text("".join(f"{line}\n" for line in shifted))
    out, _ = call(capfd, tiny_run, folder, "--gold", gold, "--gold-first-index", 1, "--output", folder / "out")
    assert out.startswith("AER = 0.0000")
    assert "one perfect link a target word: 0.0000" in out


def test_a_page_of_attention_links_and_gold(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, wanted: list[str]
) -> None:
    gold = folder / "gold"
    gold.write_text("".join(f"{line}\n" for line in [*wanted[:-1], "0p0"]))
    page = folder / "page.html"
    call(capfd, tiny_run, folder, "--html", page, "--gold", gold, "--soft", folder / "soft")
    entries = entries_in(page.read_text(encoding="utf-8"))
    records = [json.loads(line) for line in (folder / "soft").read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(entries) == len(PAIRS)
    for entry, record, links in zip(entries, records, [*wanted[:-1], "0p0"], strict=True):
        (target,) = entry["targets"]
        assert (entry["source"]["words"], target["words"]) == (record["source"], record["target"])
        assert (target["links"]["links"], target["gold"]) == (record["alignment"], links)
        assert target["measures"]["target length"] == len(record["target"])
        if record["weights"] is not None:
            (layer,) = target["layers"]
            rows, columns, largest, _ = layer["words"]
            assert (rows, columns) == (len(record["weights"]), len(record["weights"][0]))
            assert largest == pytest.approx(max(map(max, record["weights"])), abs=1e-4)
            assert layer["pieces"][:2] == [len(target["pieces"]) + 1, len(entry["source"]["pieces"]) + 1]
    assert {entry["targets"][0]["measures"]["AER"] for entry in entries[:8]} == {0.0}
    assert [entry["number"] for entry in entries if "note" in entry] == [9, 10]


@pytest.mark.parametrize(
    ("files", "arguments", "status", "message"),
    [
        ({"target": "ab\n"}, [], 1, "source has 11 lines, but"),
        ({"source": "", "target": ""}, [], 1, "must have one line or more"),
        ({"gold": "0-0\n"}, ["--gold", "{tmp}/gold"], 1, "has 1 lines, but there are 11"),
        ({"gold": "0-99\n" * 11}, ["--gold", "{tmp}/gold"], 1, "line 1: link 0-99 is out of range"),
        ({"gold": "x\n" * 11}, ["--gold", "{tmp}/gold"], 1, "a link must be SOURCE-TARGET"),
        ({"gold": "\n" * 11}, ["--gold", "{tmp}/gold"], 1, "the gold alignment has no links"),
        ({}, ["--gold", "{tmp}/none"], 1, "no such gold alignment"),
        ({}, ["--threshold", "0"], 2, "--threshold must be above 0"),
        ({}, ["--plot-count", "0"], 2, "--plot-count must be 1 or more"),
        ({}, ["--output", "{tmp}/source"], 2, "would be overwritten"),
        ({}, ["--html", "{tmp}/target"], 2, "would be overwritten"),
        ({}, ["--html", "{tmp}/no/x"], 1, "cannot write the report; the folder"),
        ({}, ["--output", "{tmp}/no/x"], 1, "cannot write the alignments"),
    ],
)
def test_mistakes_end_in_one_message(
    capfd: pytest.CaptureFixture[str],
    tiny_run: Path,
    folder: Path,
    files: dict[str, str],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)
    filled = [argument.format(tmp=folder) for argument in arguments]
    _, err = call(capfd, tiny_run, folder, *filled, status=status)
    assert message in err


def test_a_run_that_is_missing_or_has_no_attention(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path
) -> None:
    assert "did you mean" in call(capfd, tiny_run.with_name("tinny"), folder, status=1)[1]
    run = make_run(folder / "plain", model={**MODEL_CONFIG, "attention": "none"})
    assert "has no attention (model.attention: none)" in call(capfd, run, folder, status=2)[1]
