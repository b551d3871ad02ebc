"""nmt-evaluate as a person calls it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from sacrebleu.tokenizers import tokenizer_ja_mecab
from tiny_run import CHECKPOINT, MODEL_CONFIG, make_run, sentences

import nmt
from nmt.cli.evaluate import main
from nmt.translation.model_files.exporting import export

SOURCES = sentences(20, seed=9)


@pytest.fixture
def folder(tmp_path: Path, tiny_run: Path) -> Path:
    """Sources; what the model makes of them; that with a third of the lines spoilt; a perfect reference."""
    texts = [translation.text for translation in nmt.Translator.load(tiny_run).translate(SOURCES)]
    spoilt = [text[::-1] if number % 3 == 0 else text for number, text in enumerate(texts)]
    for name, lines in (("source", SOURCES), ("reference", texts), ("good", texts), ("bad", spoilt)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> tuple[str, str]:
    result = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert result == status, captured.err
    assert "Traceback" not in captured.err
    return captured.out, captured.err


def test_a_run_and_files(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    out, err = call(capsys, tiny_run, folder / "source", folder / "reference", "--output", folder / "kept")
    bleu, chrf = out.strip().split("\n")
    assert bleu.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert " = 100.00 " in bleu
    assert chrf.startswith("chrF2|")
    assert "translating" in err
    assert (folder / "kept").read_text() == (folder / "good").read_text()


def test_an_ensemble_is_scored_as_it_translates(
    capsys: pytest.CaptureFixture[str], tiny_run: Path, tmp_path: Path, folder: Path
) -> None:
    other = make_run(tmp_path / "other", seed=8)
    packed = tmp_path / "packed.nmt"
    export(other, packed, None)
    texts = [each.text for each in nmt.Translator.load([tiny_run, other]).translate(SOURCES)]
    assert texts != (folder / "good").read_text().splitlines()
    for second in (other, packed):
        call(capsys, tiny_run, second, folder / "source", folder / "reference", "--output", folder / "kept")
        assert (folder / "kept").read_text().splitlines() == texts
    (folder / "own").write_text("".join(f"{text}\n" for text in texts))
    out, _ = call(capsys, tiny_run, other, folder / "source", folder / "own", "--format", "json")
    assert json.loads(out)["scores"][0]["value"] == pytest.approx(100)
    assert json.loads(out)["checkpoint"] == f"{CHECKPOINT}, {CHECKPOINT}"


def test_an_ensemble_has_no_test_of_its_own(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    _, err = call(capsys, tiny_run, tiny_run, status=2)
    assert "several runs make an ensemble, which has no test set of its own; give a source file and a reference" in err
    _, err = call(capsys, tiny_run, tiny_run, folder / "source", status=2)
    assert f"besides runs, only {folder}/source" in err


def test_blank_references_are_named(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    lines = (folder / "reference").read_text().splitlines()
    (folder / "holes").write_text("".join(f"{'' if row in (2, 5) else line}\n" for row, line in enumerate(lines)))
    (folder / "short").write_text("".join(f"{line[:9]}\n" for line in lines))
    message = (
        f"warning: {folder}/holes: 2 lines are blank where another reference is not, and count as missing (lines 3, 6)"
    )
    alone, err = call(capsys, "--hypotheses", folder / "short", folder / "reference", folder / "reference", "--ter")
    assert "blank" not in err
    for given in ((folder / "reference", folder / "holes"), (folder / "holes", folder / "reference")):
        out, err = call(capsys, "--hypotheses", folder / "short", "--compare", folder / "good", *given, "--ter")
        assert message in err and err.count("warning") == 1
        assert out.replace("nrefs:var", "nrefs:2").startswith(alone)
    out, err = call(capsys, tiny_run, folder / "source", folder / "good", folder / "holes")
    assert message in err and " = 100.00 " in out
    out, err = call(capsys, tiny_run, folder / "source", folder / "holes")
    assert (
        f"{folder}/holes: 2 lines are blank where the translations are not; everything in them counts as an error"
    ) in err


def test_json_has_scores_with_signatures(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    out, _ = call(
        capsys, tiny_run, folder / "source", folder / "bad", "--format", "json", "--ter", "--moses", "en", "--lowercase"
    )
    record = json.loads(out)
    assert [score["name"] for score in record["scores"]] == ["BLEU", "chrF2", "TER", "BLEU"]
    assert "case:lc" in record["scores"][0]["signature"]
    assert "prep:moses-en-lc" in record["scores"][3]["signature"]
    assert 0 < record["scores"][0]["value"] < 100
    assert record["sentences"] == 20
    assert record["search"]["beam_size"] == 3


def test_error_rates_are_printed_where_asked(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out, _ = call(capsys, "--hypotheses", folder / "bad", folder / "reference", "--wer", "--cer", "--exact")
    _, _, *lines = out.splitlines()
    assert [line.split("|")[0] for line in lines] == ["WER", "CER", "exact"]
    out, _ = call(capsys, "--hypotheses", folder / "reference", folder / "reference", "--wer", "--exact")
    assert " = 0.00 (0 substitutions" in out and " = 100.00 (" in out.splitlines()[-1]


def test_formulas_as_they_stand(
    capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.model.model_stepper.prepack", None)  # a fast path that cannot be taken
    files = folder / "source", folder / "reference"
    out, _ = call(capsys, tiny_run, *files, "--no-fast-paths")
    assert " = 100.00 " in out.split("\n")[0]
    with pytest.raises(TypeError):
        call(capsys, tiny_run, *files)


def test_search_options_count(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    out, _ = call(capsys, tiny_run, folder / "source", folder / "reference", "--strategy", "greedy")
    assert " = 100.00 " not in out.split("\n")[0]


def test_finished_hypotheses_and_several_references(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out, _ = call(capsys, "--hypotheses", folder / "good", folder / "bad", folder / "reference", "--tokenize", "none")
    assert "nrefs:2" in out
    assert "tok:none" in out
    assert " = 100.00 " in out.split("\n")[0]


def test_paired_bootstrap_against_a_baseline(capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path) -> None:
    out, _ = call(capsys, "--hypotheses", folder / "good", folder / "reference", "--compare", folder / "bad")
    scores, comparisons = out.strip().split("\n")[:2], out.strip().split("\n")[2:]
    assert len(scores) == len(comparisons) == 2
    assert "nrefs:1|" in scores[0]
    assert "-> 100.00 (+" in comparisons[0]
    out, _ = call(
        capsys, tiny_run, folder / "source", folder / "reference", "--compare", folder / "bad", "--format", "json"
    )
    assert "nrefs:1|" in json.loads(out)["scores"][0]["signature"]
    comparison = json.loads(out)["comparisons"][0]
    assert comparison["delta"] > 0
    assert comparison["p_value"] < 0.05


def test_packed_translations_are_written_and_read(
    capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path
) -> None:
    kept = folder / "kept.xz"
    out, _ = call(capsys, tiny_run, folder / "source", folder / "reference", "--output", kept)
    assert kept.read_bytes().startswith(b"\xfd7zXZ\x00")
    again, _ = call(capsys, "--hypotheses", kept, folder / "reference")
    assert again == out


def test_a_full_disk_costs_no_scores(
    capsys: pytest.CaptureFixture[str], tiny_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files = folder / "source", folder / "reference"
    monkeypatch.setattr("nmt.core.storage.files._sync", full)
    out, err = call(capsys, tiny_run, *files, "--output", folder / "kept", "--quiet", status=1)
    assert out == call(capsys, tiny_run, *files)[0]
    assert err.startswith(f"error: {folder / 'kept'}: cannot write the translations: No space left on device; free")


@pytest.fixture
def tested(tiny_run: Path, folder: Path) -> Path:
    """A run whose recipe has a test and alignments."""
    run = Path(shutil.copytree(tiny_run, folder / "run"))
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["data"]["root"] = str(folder)
    (folder / "gold").write_text("0-0\n" * 20)
    recipe["test"] = {"corpus": {"type": "text", "source": "source", "target": "bad"}, "tokenize": "none"}
    recipe["alignment"] = {"plots": 1, "gold": "gold"}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return run


def test_another_checkpoint_is_scored_and_the_scores_of_the_best_one_stay(
    capsys: pytest.CaptureFixture[str], tested: Path
) -> None:
    call(capsys, tested)
    other = tested / "checkpoints" / "step-00000400"
    shutil.copytree(tested / "checkpoints" / CHECKPOINT, other)

    def content() -> dict[Path, tuple[bytes, int]]:
        files = [path for path in tested.rglob("*") if path.is_file() and "cache" not in path.parts]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = content()
    out, err = call(capsys, tested, "--checkpoint", other.name, "--format", "json")
    record = json.loads(out)
    assert record["checkpoint"] == other.name
    assert record["alignment"]["pairs"] == 20 and record["alignment"]["plots"] == []
    for name in ("test.json", "alignment.json"):
        assert (
            f"{tested / name}: not changed, as it describes the best checkpoint ({CHECKPOINT}), not {other.name}" in err
        )
    assert content() == before
    (tested / "best.json").unlink()
    assert "the best checkpoint (none)" in call(capsys, tested, "--checkpoint", other.name)[1]


def test_a_run_alone_repeats_the_test_of_its_recipe(
    capsys: pytest.CaptureFixture[str], tested: Path, folder: Path
) -> None:
    run = tested
    out, _ = call(capsys, run)
    assert "tok:none" in out
    assert "AER = " in out
    assert (run / "test.hypotheses.txt").read_text() == (folder / "good").read_text()
    assert len((run / "alignments.pharaoh").read_text().split("\n")) == 21
    record = json.loads(call(capsys, run, "--format", "json", "--quiet")[0])
    assert record["alignment"]["pairs"] == 20
    assert record["scores"] == json.loads((run / "test.json").read_text())["scores"]
    out, err = call(capsys, run, "--lowercase", status=2)
    assert "the recipe's test set is translated and scored as the recipe says" in err


def test_a_recipe_without_a_test(capsys: pytest.CaptureFixture[str], tiny_run: Path) -> None:
    _, err = call(capsys, tiny_run, status=1)
    assert "names no test set; give a source file and its reference" in err


def test_a_model_without_attention_can_be_scored(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    run = make_run(folder / "plain", model={**MODEL_CONFIG, "attention": "none"})
    assert "BLEU" in call(capsys, run, folder / "source", folder / "reference")[0]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "a run folder must be given"),
        (["{run}", "{tmp}/source"], 2, "besides runs, only"),
        (["{run}", "{tmp}/source", "{tmp}/short"], 1, "source has 20 lines, but"),
        (["{run}", "{tmp}/source", "{tmp}/nope"], 1, "no such file"),
        (["{run}", "{tmp}/empty", "{tmp}/empty"], 1, "must have one line or more"),
        (["{run}x", "{tmp}/source", "{tmp}/bad"], 1, "no such run folder"),
        (["--hypotheses", "{tmp}/good"], 2, "a reference must be given"),
        (["--hypotheses", "{tmp}/good", "{tmp}/bad", "--beam-size", "2"], 2, "existing translations"),
        (["--hypotheses", "{tmp}/good", "{tmp}/short"], 1, "good has 20 lines, but"),
        (["--hypotheses", "{tmp}/latin", "{tmp}/latin"], 1, "line 1, byte 2: must be UTF-8"),
        # All of these are said before the run is looked for.
        (
            ["{run}x", "{tmp}/source", "{tmp}/bad", "--output", "{tmp}/no/x"],
            1,
            "no/x: cannot write the translations; the",
        ),
        (
            ["{run}x", "{tmp}/source", "{tmp}/bad", "--output", "{tmp}"],
            1,
            "cannot write the translations; it is a folder",
        ),
        (
            ["{run}x", "{tmp}/source", "{tmp}/bad", "--output", "{tmp}/source"],
            2,
            "source: is an input and would be over",
        ),
        (
            ["{run}x", "{tmp}/source", "{tmp}/bad", "--output", "{tmp}/bad"],
            2,
            "bad: is an input and would be overwritten",
        ),
        (
            ["{run}x", "{tmp}/source", "{tmp}/bad", "--compare", "{tmp}/good", "--output", "{tmp}/good"],
            2,
            "good: is an input and would be overwritten",
        ),
        (["{run}x", "{tmp}/source", "{tmp}/bad", "--moses", "ge"], 2, "rules for, but is 'ge'"),
        (["{run}x", "{tmp}/source", "{tmp}/bad", "--tokenize", "ja-mecab"], 1, 'pip install "sacrebleu[ja]"'),
        (["--hypotheses", "{tmp}/good", "{tmp}/bad", "--output", "{tmp}/x"], 2, "leave out --output"),
        (["--hypotheses", "{tmp}/good", "{tmp}/bad", "--checkpoint", "last"], 2, "leave out --checkpoint"),
        (
            [
                "--hypotheses",
                "{tmp}/good",
                "{tmp}/bad",
                "--device",
                "cpu",
                "--no-fast-paths",
                "--threads",
                "1",
                "--seed=2",
            ],
            2,
            "which need no run; leave out --seed, --threads, --device, --no-fast-paths",
        ),
        (["--hypotheses", "{tmp}/good", "{tmp}/bad", "--batch-tokens", "9"], 2, "leave out --batch-tokens"),
    ],
)
def test_mistakes_end_in_one_message(
    capsys: pytest.CaptureFixture[str],
    tiny_run: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.setattr(tokenizer_ja_mecab, "MeCab", None)  # as where it is not installed
    (folder / "short").write_text("a\n")
    (folder / "empty").write_text("")
    (folder / "latin").write_bytes(b"a\xe4\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    out, err = call(capsys, *(argument.format(run=tiny_run, tmp=folder) for argument in arguments), status=status)
    assert out == ""
    assert message in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
