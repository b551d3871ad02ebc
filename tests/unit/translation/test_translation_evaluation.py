from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.tokenizers import tokenizer_ja_mecab
from tiny_run import MODEL_CONFIG, make_run, sentences

import nmt.data.corpus  # noqa: F401
from nmt.alignment.links import format_links
from nmt.core import config
from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.storage.checksums import scores_are_of
from nmt.core.storage.files import write_lines
from nmt.data.corpus import TextCorpusConfig
from nmt.metrics import error_rates
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.evaluation import AlignmentConfig, TestConfig, evaluate, export_alignments
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.scoring import score_lines, translate_and_score
from nmt.translation.translator import Translator

SIDES = ("source", "target")
CORPUS = TextCorpusConfig(source="test.source", target="test.target")


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A test set whose references are almost what the model writes, with a blank pair in the middle."""
    folder = tmp_path / "data"
    folder.mkdir()
    sources = [*sentences(6, seed=9), "", *sentences(3, seed=4)]
    (folder / "test.source").write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
    targets = [*sentences(6, seed=8), "", *sentences(3, seed=3)]
    (folder / "test.target").write_text("".join(f"{line}\n" for line in targets), encoding="utf-8")
    gold = ["0-0" if line else "" for line in sources]
    (folder / "test.gold").write_text("".join(f"{line}\n" for line in gold), encoding="utf-8")
    return folder


def test_configs_load_strictly() -> None:
    text = "corpus: {source: a, target: b}\nmoses: en\ntokenize: none\nlowercase: true\n"
    loaded = config.load(TestConfig, text, name="x")
    assert loaded == TestConfig(
        corpus=TextCorpusConfig(source="a", target="b"), moses="en", tokenize="none", lowercase=True
    )
    with pytest.raises(ConfigError, match="tokenize"):
        config.load(TestConfig, "corpus: {source: a, target: b}\ntokenize: 13\n", name="x")
    with pytest.raises(ConfigError, match="plots must be at least 0"):
        config.load(AlignmentConfig, "plots: -1", name="x")


def test_evaluate_scores_and_keeps_the_translations(run: Path, root: Path) -> None:
    bundle = Bundle.load(run)
    report = evaluate(bundle, TestConfig(corpus=CORPUS, moses="en", lowercase=True), root)
    sources = (root / "test.source").read_text().split("\n")[:-1]
    wanted = [translation.text for translation in Translator([bundle]).translate(sources)]
    assert list(report.hypotheses) == wanted
    assert (run / "test.hypotheses.txt").read_text(encoding="utf-8").split("\n") == [*wanted, ""]
    record = json.loads((run / "test.json").read_text())
    assert [score["name"] for score in record["scores"]] == ["BLEU", "chrF2", "BLEU"]
    assert "case:lc" in record["scores"][0]["signature"]
    assert "prep:moses-en-lc" in record["scores"][2]["signature"]
    assert record["sentences"] == 10
    assert record["search"]["beam_size"] == 3
    assert report.bleu.signature == record["scores"][0]["signature"]
    assert scores_are_of(run / "test.json", run / "checkpoints" / bundle.checkpoint)


def test_nothing_is_translated_that_cannot_be_scored(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = Translator([Bundle.load(run)])
    monkeypatch.setattr(Translator, "translate_lines", None)
    monkeypatch.setattr(tokenizer_ja_mecab, "MeCab", None)
    with pytest.raises(NmtError, match="tokenizer ja-mecab needs packages"):
        translate_and_score(translator, ["a"], ["a"], tokenize="ja-mecab")
    with pytest.raises(ConfigError, match="rules for, but is 'xx'"):
        translate_and_score(translator, ["a"], ["a"], moses="xx")
    monkeypatch.setattr(error_rates, "find_spec", lambda name: None)
    with pytest.raises(NmtError, match="need jiwer, which is not installed"):
        translate_and_score(translator, ["a"], ["a"], metrics=["cer"])


def test_a_perfect_translation_scores_100(run: Path) -> None:
    bundle = Bundle.load(run)
    sources = sentences(12, seed=9)
    translator = Translator([bundle])
    references = [translation.text for translation in translator.translate(sources)]
    report = translate_and_score(translator, sources, references, metrics=["ter"])
    assert report.bleu.value == pytest.approx(100.0)
    assert report.scores[2].value == 0.0
    by_words = score_lines(references, references, metrics=["wer", "exact"])[2:]
    assert [(score.name, score.value) for score in by_words] == [("WER", 0.0), ("exact", 100.0)]
    upper = [line.upper() for line in references]
    assert score_lines(upper, references, lowercase=True, metrics=["ter"])[2].value == 0.0
    assert score_lines(upper, references, metrics=["ter"])[2].value > 0.0
    assert report.references == tuple(references)
    assert score_lines(references, [references, sources])[0].value == pytest.approx(100.0)


def test_export_writes_links_plots_and_aer(run: Path, root: Path) -> None:
    bundle = Bundle.load(run)
    alignment = AlignmentConfig(plots=2, format="svg", gold="test.gold")
    report = export_alignments(bundle, alignment, TestConfig(corpus=CORPUS), root)
    assert report is not None
    lines = (run / "alignments.pharaoh").read_text().split("\n")
    assert len(lines) == 11
    assert lines[6] == ""
    names = sorted(path.name for path in (run / "plots").iterdir())
    assert names == sorted(path.name for path in report.plots)
    assert len(names) == 4
    # The first pair and the middle one of the nine that are not blank.
    assert {name.split("-")[1] for name in names} == {"000001", "000005"}
    assert all(name.endswith(("-heatmap.svg", "-edges.svg")) for name in names)
    record = json.loads((run / "alignment.json").read_text())
    assert report.gold is not None
    assert record["aer"] == report.gold.measured.aer
    assert record["oracle"]["aer"] == 0.0
    assert record["pairs"] == 10
    assert scores_are_of(run / "alignment.json", run / "checkpoints" / bundle.checkpoint)
    forced = Aligner([bundle]).align(*[(root / f"test.{side}").read_text().split("\n")[:-1] for side in SIDES])
    rows = np.concatenate([-(w * np.log(w)).sum(1) for each in forced if (w := each.piece_weights) is not None])
    assert record["entropy"] == pytest.approx(float(rows.mean()), rel=1e-4)
    assert 0 < record["entropy"] < np.log(max(each.piece_weights.shape[1] for each in forced if each.words))


def test_gold_links_may_count_what_stands_between_spaces(run: Path, root: Path) -> None:
    """A word with a no-break space in it is one token, or else two words, and all links after it shift."""
    bundle, test = Bundle.load(run), TestConfig(corpus=CORPUS)
    texts = [[f"a\u00a0b {line}" for line in sentences(6, seed=seed, longest=5)] for seed in (9, 8)]
    for side, lines in zip(SIDES, texts, strict=True):
        (root / f"test.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    over_tokens = [each.alignment for each in Aligner([bundle], unit="tokens").align(*texts)]
    write_lines(root / "test.gold", [format_links(each) for each in over_tokens])
    declared = export_alignments(bundle, AlignmentConfig(gold="test.gold", gold_tokenized=True, plots=0), test, root)
    assert declared is not None and declared.gold is not None
    assert declared.gold.measured.aer == 0.0
    assert list(declared.links) == over_tokens
    assert (run / "alignments.pharaoh").read_bytes() == (root / "test.gold").read_bytes()
    undeclared = export_alignments(bundle, AlignmentConfig(gold="test.gold", plots=0), test, root)
    assert undeclared is not None and undeclared.gold is not None
    assert undeclared.gold.measured.aer > 0.3


def test_gold_links_do_not_count_the_tag_of_their_corpus(root: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(make_run(tmp_path / "tagged", tags=("<2de>", "<2fr>")))
    corpus = TextCorpusConfig(source="test.source", target="test.target", tag="<2fr>")
    texts = [(root / f"test.{side}").read_text().split("\n")[:-1] for side in SIDES]
    links = [each.alignment for each in Aligner([bundle], target_language="fr").align(*texts)]
    write_lines(root / "test.gold", [format_links(each) for each in links])
    report = export_alignments(bundle, AlignmentConfig(corpus=corpus, gold="test.gold", plots=1), None, root)
    assert report is not None and report.gold is not None and len(report.plots) == 2
    assert report.gold.measured.aer == 0.0 and list(report.links) == links
    longest = max(len(line.split()) for line in texts[0])
    write_lines(root / "test.gold", [f"{longest}-0" if len(line.split()) == longest else "" for line in texts[0]])
    with pytest.raises(DataError, match="is out of range: the source has"):  # a word too many, but for the tag
        export_alignments(bundle, AlignmentConfig(corpus=corpus, gold="test.gold"), None, root)


def test_export_takes_a_corpus_of_its_own(run: Path, root: Path) -> None:
    (root / "one.source").write_text("ab\n")
    (root / "one.target").write_text("cd\n")
    corpus = TextCorpusConfig(source="one.source", target="one.target")
    report = export_alignments(Bundle.load(run), AlignmentConfig(corpus=corpus, plots=0), None, root)
    assert report is not None
    assert (len(report.links), report.plots) == (1, ())
    with pytest.raises(ConfigError, match=r"alignment\.corpus must be given"):
        export_alignments(Bundle.load(run), AlignmentConfig(), None, root)


def test_gold_that_does_not_fit_is_refused_before_anything_is_aligned(run: Path, root: Path) -> None:
    bundle, test = Bundle.load(run), TestConfig(corpus=CORPUS)
    (root / "test.gold").write_text("0-0\n")
    with pytest.raises(DataError, match="has 1 lines"):
        export_alignments(bundle, AlignmentConfig(gold="test.gold"), test, root)
    with pytest.raises(DataError, match="no such gold alignment"):
        export_alignments(bundle, AlignmentConfig(gold="test.glod"), test, root)
    (root / "test.gold").write_text("\n" * 10)
    with pytest.raises(DataError, match="no links"):
        export_alignments(bundle, AlignmentConfig(gold="test.gold"), test, root)


def test_a_model_without_attention_exports_nothing_and_says_so(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path / "plain", model={**MODEL_CONFIG, "attention": "none"})
    with caplog.at_level("INFO", logger="nmt"):
        assert export_alignments(Bundle.load(run), AlignmentConfig(), TestConfig(corpus=CORPUS), root) is None
    assert "no attention" in caplog.text
