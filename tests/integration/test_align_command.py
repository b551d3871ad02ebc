"""nmt-align as a person calls it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
from report_entries import entries_in
from tiny_run import MODEL_CONFIG, make_run, sentences

import nmt
from nmt.alignment.extraction_methods import EXTRACTION_METHODS, ExtractionMethod
from nmt.alignment.links import format_links
from nmt.alignment.soft_alignment import LinkRule
from nmt.alignment.symmetrisation import SYMMETRISATIONS, inverse, symmetrise
from nmt.cli.align import main
from nmt.cli.options.align_options import align_parser
from nmt.cli.symmetrise import main as symmetrise_main
from nmt.core.storage.files import read_text_lines
from nmt.translation.aligning.evidence import EvidenceConfig

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


def test_formulas_as_they_stand(
    capfd: pytest.CaptureFixture[str],
    tiny_run: Path,
    folder: Path,
    wanted: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nmt.model.model_stepper.prepack", None)  # a fast path that cannot be taken
    out, _ = call(capfd, tiny_run, folder, "--no-fast-paths")
    assert out.split("\n") == [*wanted, ""]
    with pytest.raises(TypeError):
        call(capfd, tiny_run, folder)


def test_the_command_offers_every_way_and_symmetrisation() -> None:
    choices = {action.dest: action.choices for action in align_parser()._actions}
    assert choices["by"] == choices["layers"] == EXTRACTION_METHODS
    assert choices["symmetrise"] == SYMMETRISATIONS


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
    assert "best possible with one link per target word: 0.0000" in out


def test_packed_and_marked_files_are_read_and_written(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, wanted: list[str]
) -> None:
    links = "".join(f"{line}\n" for line in wanted).encode()
    for name in ("source", "target"):
        (folder / name).write_bytes(lzma.compress((folder / name).read_bytes()))
    (folder / "gold.bz2").write_bytes(bz2.compress(b"\xef\xbb\xbf" + links))
    output, soft = folder / "out.xz", folder / "soft.gz"
    out, _ = call(capfd, tiny_run, folder, "--gold", folder / "gold.bz2", "--output", output, "--soft", soft)
    assert out.startswith("AER = 0.0000")
    assert lzma.decompress(output.read_bytes()) == links
    assert gzip.decompress(soft.read_bytes()).count(b"\n") == len(PAIRS)
    both = folder / "both.gz"
    assert symmetrise_main([str(folder / "gold.bz2"), str(output), "--output", str(both)]) == 0
    assert [set(line.split()) for line in read_text_lines(both)] == [set(line.split()) for line in wanted]


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


def test_other_ways_lie_over_the_one_of_the_links(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path
) -> None:
    page = folder / "page.html"
    ways: list[ExtractionMethod] = ["gradient-x-input", "attention", "leave-one-out"]
    out, _ = call(capfd, tiny_run, folder, "--by", ways[0], "--html", page, "--layers", *ways[1:])
    assert out == call(capfd, tiny_run, folder, "--by", ways[0])[0], "links are those of --by"
    entries = entries_in(page.read_text(encoding="utf-8"))
    lines = list(zip(*PAIRS, strict=True))
    for place, way in enumerate(ways):
        aligned = nmt.Aligner.load(tiny_run, by=EvidenceConfig(way=way)).align(lines[0], lines[1])
        for entry, target in zip(entries, aligned, strict=True):
            if target.weights is None:
                assert "layers" not in entry["targets"][0]
                continue
            layers = entry["targets"][0]["layers"]
            assert layers[place]["name"] == way
            assert layers[place]["words"][2] == pytest.approx(float(target.weights.max()), abs=1e-4)
            assert bool(layers[place].get("relative")) == (way != "attention")


@pytest.mark.parametrize("words", ["characters", "pieces"])
def test_a_page_of_other_words(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, words: str) -> None:
    page = folder / "page.html"
    call(capfd, tiny_run, folder, "--html", page, "--soft", folder / "soft", "--words", words)
    records = [json.loads(line) for line in (folder / "soft").read_text(encoding="utf-8").split("\n")[:-1]]
    for entry, record in zip(entries_in(page.read_text(encoding="utf-8")), records, strict=True):
        assert (entry["source"]["words"], entry["targets"][0]["words"]) == (record["source"], record["target"])


@pytest.mark.parametrize("way", EXTRACTION_METHODS)
def test_links_by_other_evidence(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, way: ExtractionMethod
) -> None:
    options = ["--samples", 2] if way == "smoothgrad" else []
    out, _ = call(capfd, tiny_run, folder, "--by", way, "--links", "mutual", *options)
    aligner = nmt.Aligner.load(tiny_run, by=EvidenceConfig(way=way, samples=2))
    targets = aligner.align(*zip(*PAIRS, strict=True))
    assert out.split("\n")[:-1] == [format_links(target.links(LinkRule(kind="mutual"))) for target in targets]


def test_both_directions_become_one(capfd: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    languages = {"data": {"source_language": "yy", "target_language": "xx"}}
    there, back = make_run(tmp_path / "there"), make_run(tmp_path / "back", seed=5, sections=languages)
    lines = list(zip(*PAIRS, strict=True))
    forward = [target.alignment for target in nmt.Aligner.load(there).align(lines[0], lines[1])]
    backward = [inverse(target.alignment) for target in nmt.Aligner.load(back).align(lines[1], lines[0])]
    for method in ("intersection", "grow-diag"):
        out, _ = call(capfd, there, folder, "--reverse", back, "--symmetrise", method)
        expected = [symmetrise(*each, method) for each in zip(forward, backward, strict=True)]
        assert out.split("\n")[:-1] == [format_links(each) for each in expected]
    assert call(capfd, there, folder, "--reverse", back)[0] == out
    # The same from two files of links, the second as the model of the other direction itself gives it.
    (folder / "forward").write_text("".join(f"{format_links(each)}\n" for each in forward))
    (folder / "backward").write_text("".join(f"{format_links(inverse(each))}\n" for each in backward))
    assert symmetrise_main([str(folder / "forward"), str(folder / "backward"), "--inverse"]) == 0
    assert capfd.readouterr().out == out
    (folder / "backward").write_text("0-0\n")
    for name in ("forward", "backward"):
        before = (folder / name).read_bytes()
        both = [str(folder / "forward"), str(folder / "backward"), "--output", str(folder / name)]
        assert symmetrise_main(both) == 2
        assert f"{name}: is an input and would be overwritten" in capfd.readouterr().err
        assert (folder / name).read_bytes() == before
    assert symmetrise_main([str(folder / "forward"), str(folder / "backward")]) == 1
    assert "has 11 lines, but" in capfd.readouterr().err


def test_models_that_are_no_two_directions_are_refused(
    capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, tmp_path: Path
) -> None:
    languages = {"data": {"source_language": "yy", "target_language": "xx"}}
    assert (
        "must translate from yy to xx, but translates from xx to yy"
        in call(capfd, tiny_run, folder, "--reverse", tiny_run, status=2)[1]
    )
    other = make_run(tmp_path / "other", joint=False, sections=languages)
    err = call(capfd, tiny_run, folder, "--reverse", other, "--words", "pieces", status=2)[1]
    assert "must cut both languages into the same pieces" in err
    # Words have no need of the same pieces.
    call(capfd, tiny_run, folder, "--reverse", other)
    nameless = make_run(tmp_path / "nameless", joint=False, sections={"data": {}})
    assert (
        "it cannot be checked that the second translates in the other direction"
        in call(capfd, tiny_run, folder, "--reverse", nameless)[1]
    )
    assert (
        "has the same source vocabulary and the same target"
        in call(capfd, nameless, folder, "--reverse", nameless, status=2)[1]
    )


def test_offsets_carry_words_over(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    for options in ([], ["--words", "characters"], ["--words", "pieces"], ["--tokenized"]):
        call(capfd, tiny_run, folder, "--soft", folder / "soft", *options)
        records = [json.loads(line) for line in (folder / "soft").read_text(encoding="utf-8").split("\n")[:-1]]
        for record, (source, target) in zip(records, PAIRS, strict=True):
            assert [source[begin:end] for begin, end in record["source_spans"]] == record["source"]
            assert [target[begin:end] for begin, end in record["target_spans"]] == record["target"]


def test_pairs_without_links_are_named(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    _, err = call(capfd, tiny_run, folder)
    assert "pairs without links, as one side is empty: 2 (lines 9, 10)" in err
    out, err = call(capfd, tiny_run, folder, "--max-pieces", 20, status=1)
    assert "pieces, but at most 20 are aligned at once; see --max-pieces" in err
    assert len(out.split("\n")) == len(PAIRS) + 1


def test_faithfulness_is_printed_and_written(capfd: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    options = ["--output", folder / "out", "--faithfulness", folder / "figures.json"]
    out, _ = call(capfd, tiny_run, folder, *options)
    figures = json.loads((folder / "figures.json").read_text())
    assert set(figures["correlations"]) == {"gradient-x-input", "leave-one-out"}
    assert f"gradient-x-input: {figures['correlations']['gradient-x-input']:.3f}" in out
    assert f"falls by {figures['fall_attended']:.2f} nats per pair" in out
    assert call(capfd, tiny_run, folder, *options)[0] == out
    assert call(capfd, tiny_run, folder, *options, "--seed", 2)[0] != out


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
        ({}, ["--links", "threshold"], 2, "--links threshold needs --threshold W"),
        ({}, ["--links", "mutual", "--threshold", "0.5"], 2, "--threshold needs --links threshold"),
        ({}, ["--samples", "3"], 2, "--samples needs --by smoothgrad"),
        ({}, ["--symmetrise", "union"], 2, "--symmetrise needs --reverse RUN"),
        ({"gold": ""}, ["--gold", "{tmp}/gold", "--words", "pieces"], 2, "gold links are between words"),
        ({"gold": "0-0\n" * 12}, ["--gold", "{tmp}/gold"], 1, "has 12 lines, but there are 11"),
        ({}, ["--plot-count", "0"], 2, "--plot-count must be at least 1"),
        ({}, ["--output", "{tmp}/source"], 2, "would be overwritten"),
        ({}, ["--html", "{tmp}/target"], 2, "would be overwritten"),
        ({}, ["--soft", "{tmp}/x", "--output", "{tmp}/x"], 2, "--output and --soft must be two files, but both are"),
        ({}, ["--html", "{tmp}/x", "--output", "{tmp}/./x"], 2, "--output and --html must be two files"),
        ({}, ["--faithfulness", "{tmp}/x", "--html", "{tmp}/x"], 2, "--faithfulness and --html must be two files"),
        ({}, ["--faithfulness", "{tmp}/x", "--plots", "{tmp}/x"], 2, "--faithfulness and --plots must be two files"),
        ({}, ["--faithfulness", "{tmp}/no/x"], 1, "no/x: cannot write the results of --faithfulness; the folder"),
        ({}, ["--layers", "smoothgrad"], 2, "--layers needs --html FILE"),
        ({}, ["--html", "{tmp}/x", "--layers", "attention"], 2, "must name each method once, and not attention"),
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
