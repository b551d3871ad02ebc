"""Each trouble planted in a sound corpus is found, with its lines; the sound corpus is let alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import sentencepiece
from sound_corpora import check, config_of, lines, only, sound, write

from nmt.core import config as configs
from nmt.data.checks import corpora as checks
from nmt.data.checks.corpora import check_data, warn_of
from nmt.data.corpus import read_pairs
from nmt.data.data_config import DataConfig
from nmt.text.subword import SubwordConfig
from nmt.text.training import train_subword
from nmt.text.vocabularies import Vocabularies


def test_a_sound_corpus_is_let_alone(tmp_path: Path) -> None:
    report = check(tmp_path, sound(2500), sound(200, seed=1), sound(200, seed=2))
    assert report.findings == []
    assert report.severity == "note"
    assert [(each.part, each.pairs) for each in report.corpora] == [
        ("training", 2500),
        ("validation", 200),
        ("test", 200),
    ]
    assert "0 errors, 0 warnings, 0 notes" in str(report)


def test_lengths_are_counted(tmp_path: Path) -> None:
    pairs = [("a b c", "d"), ("eé f", "g hh"), ("i", "j k")]
    summary = check(tmp_path, pairs).corpora[0]
    assert (summary.source.words, summary.source.characters, summary.source.distinct) == (6, 10, 8)
    assert (summary.source.mean, summary.source.median, summary.source.longest) == (2.0, 2.0, 3)
    assert (summary.source.longest_line, summary.target.longest_line) == (1, 2)
    assert summary.target.words == 5


def test_empty_sides(tmp_path: Path) -> None:
    pairs = sound(300)
    pairs[6] = ("", pairs[6][1])
    pairs[8] = (pairs[8][0], " \u3000")
    finding = only(check(tmp_path, pairs), "empty")
    assert (finding.severity, finding.count, lines(finding)) == ("warning", 2, [7, 9])
    assert finding.examples[0].target == pairs[6][1]
    everything = [(source, "") for source, _ in pairs]
    assert check(tmp_path, everything).severity == "error"


@pytest.mark.parametrize(("count", "severity"), [(2, "note"), (20, "warning")])
def test_lines_equal_on_both_sides(tmp_path: Path, count: int, severity: str) -> None:
    pairs = sound(1000)
    pairs[10] = ("1 234 %", "1 234 %")  # nothing to translate
    for place in range(count):
        pairs[50 + place] = (pairs[50 + place][0], pairs[50 + place][0].replace(" ", "  "))
    report = check(tmp_path, pairs)
    finding = next(each for each in report.findings if each.kind == "copies")
    assert (finding.count, finding.severity, lines(finding)[0]) == (count, severity, 51)


@pytest.mark.parametrize("mark", ["\0", "\t", "\x1b", "\x85", "\u200b", "\u2028", "\ufeff", "\r"])
def test_control_and_invisible_characters(tmp_path: Path, mark: str) -> None:
    pairs = sound(300)
    pairs[4] = (f"{pairs[4][0]}{mark}x", pairs[4][1])
    pairs[9] = (pairs[9][0], f"a{mark} {pairs[9][1]}")
    write(tmp_path, "train", pairs)
    finding = only(check_data(config_of(tmp_path)), "invisible")
    assert (finding.severity, finding.count, lines(finding)) == ("warning", 2, [5, 10])
    assert mark not in str(finding)


@pytest.mark.parametrize("text", ["fran\ufffdais", "franÃ§ais", "donâ€™t"])
def test_text_that_was_decoded_wrongly(tmp_path: Path, text: str) -> None:
    pairs = [*sound(300), (f"{text} ist hier", "klm nop qrs"), ("Ã la française", "klm nop qrst")]
    finding = next(each for each in check(tmp_path, pairs).findings if each.kind == "damaged")
    assert (finding.count, lines(finding)) == (1, [301])


def test_targets_that_no_translation_can_equal(tmp_path: Path) -> None:
    training, held_out = sound(300), sound(200, seed=1)
    training[3] = (training[3][0], "u\u0308 " + training[3][1])  # is trained on in the form NFC
    for row in (4, 9):
        held_out[row] = (held_out[row][0], "u\u0308 \ufb01 " + held_out[row][1])
    finding = next(each for each in check(tmp_path, training, held_out).findings if each.kind == "form")
    assert (finding.severity, finding.count, lines(finding)) == ("warning", 2, [5, 10])
    assert finding.corpus.startswith("validation")
    ligature = [(source, target.replace("u\u0308", "\u00fc")) for source, target in held_out]
    kinds = {each.kind for each in check(tmp_path, training, ligature).findings}
    assert "form" not in kinds
    report = check(tmp_path, training, test=ligature, normalisation={"unicode": "nfkc"})
    assert lines(next(each for each in report.findings if each.kind == "form")) == [5, 10]
    report = check(tmp_path, training, test=[("a", "B")], normalisation={"lowercase": True})
    assert "form" not in {each.kind for each in report.findings}, "whether case counts is for the metric to say"


def test_marks_of_sentencepiece_are_known_to_a_vocabulary_that_is_trained_here(tmp_path: Path) -> None:
    pairs = sound(200)
    pairs[6] = ("\u2585 " + pairs[6][0], pairs[6][1] + "\u2581")
    assert not check(tmp_path, pairs).findings


def test_unusual_ratios_worst_first(tmp_path: Path) -> None:
    pairs = sound(300)
    pairs[20] = (pairs[20][0] * 4, pairs[20][1])
    pairs[30] = (pairs[30][0], pairs[30][1] * 9)
    finding = only(check(tmp_path, pairs), "ratio")
    assert (finding.severity, lines(finding)) == ("warning", [31, 21])
    # A target language that takes four times as many characters is as usual as any.
    wide = [(source, " ".join(word * 4 for word in target.split())) for source, target in sound(300)]
    assert check(tmp_path, wide).findings == []


def test_long_lines(tmp_path: Path) -> None:
    pairs = sound(300)
    pairs[3] = ("a " * 30, "k " * 30)
    finding = only(check(tmp_path, pairs, filters={"max_length": 25}), "long")
    assert (finding.severity, lines(finding)) == ("note", [4])
    assert check(tmp_path, pairs, filters={"max_length": None}).findings == []


def test_sides_that_have_shifted(tmp_path: Path) -> None:
    pairs = sound(4000)
    shifted = [pair[1] for pair in pairs[2501:]] + ["klm nop"]
    half = [*pairs[:2500], *zip([pair[0] for pair in pairs[2500:]], shifted, strict=True)]
    finding = next(each for each in check(tmp_path, half).findings if each.kind == "unlike")
    assert (finding.severity, lines(finding)) == ("warning", [3001])
    whole = list(zip([pair[0] for pair in pairs], [pair[1] for pair in pairs[1:]] + ["k"], strict=True))
    finding = next(each for each in check(tmp_path, whole).findings if each.kind == "unlike")
    assert (finding.severity, finding.count) == ("error", 4)


@pytest.mark.parametrize(("count", "severity"), [(3, "note"), (150, "warning")])
def test_duplicates(tmp_path: Path, count: int, severity: str) -> None:
    pairs = sound(1000)
    again = [*pairs, *((f" {source}", target.replace(" ", "   ")) for source, target in pairs[:count])]
    finding = only(check(tmp_path, again), "duplicates")
    assert (finding.severity, finding.count, lines(finding)[0]) == (severity, count, 1001)


def test_sources_with_several_translations(tmp_path: Path) -> None:
    pairs = sound(300)
    pairs[7] = (pairs[3][0], pairs[3][1].replace("k", "l") + "s")
    pairs[9] = pairs[12] = pairs[5]  # one translation, three times
    findings = {each.kind: each for each in check(tmp_path, pairs).findings}
    assert set(findings) == {"ambiguous", "duplicates"}
    assert findings["ambiguous"].message.startswith("1 of 297 sources have several translations, up to 2")
    assert lines(findings["ambiguous"]) == [4]
    assert findings["duplicates"].count == 2


def test_test_sentences_that_are_trained_on(tmp_path: Path) -> None:
    training, test = sound(500), sound(100, seed=1)
    test[4] = training[77]
    test[8] = (training[78][0], test[8][1])
    report = check(tmp_path, training, test=test)
    finding = next(each for each in report.findings if each.kind == "overlap")
    assert (finding.severity, finding.count, lines(finding)) == ("warning", 2, [5, 9])
    assert finding.corpus.startswith("test:")
    assert "1 of them with the same target" in finding.message
    report = check(tmp_path, training, test=[*test, *training[:20]])
    assert report.severity == "error"
    held_out = sound(300, seed=5)
    report = check(tmp_path, training, held_out=held_out, test=held_out[:150])
    finding = only(report, "overlap")
    assert finding.severity == "warning"
    assert "in validation" in finding.message


def test_validation_corpora_may_share_sources_but_not_with_training_or_a_test(tmp_path: Path) -> None:
    """As where one text is translated into two languages."""
    training, held_out = sound(500), sound(300, seed=5)
    write(tmp_path, "other", [*held_out[:100], training[3]])
    write(tmp_path, "one", held_out)
    several = [{"source": f"{name}.xx", "target": f"{name}.yy"} for name in ("one", "other")]
    findings = [each for each in check(tmp_path, training, validation=several).findings if each.kind == "overlap"]
    assert [(each.corpus, each.count) for each in findings] == [("validation: other.xx and other.yy", 1)]
    found = check(tmp_path, training, test=held_out[:7], validation=several).findings
    assert [each.count for each in found if each.kind == "overlap" and each.corpus.startswith("test:")] == [7, 7]


def test_characters_that_no_vocabulary_will_know(tmp_path: Path) -> None:
    training, held_out = sound(300), sound(50, seed=1)
    held_out[5] = (f"{held_out[5][0]} ☃☃", held_out[5][1])
    finding = only(check(tmp_path, training, held_out), "unknown")
    assert (finding.corpus.split(":")[0], finding.count, lines(finding)) == ("validation", 1, [6])
    assert "2 characters of the source" in finding.message
    assert "'☃'" in finding.message
    assert check(tmp_path, training, held_out, subword={"byte_fallback": True}).findings == []
    # One vocabulary knows the letters of both sides, two do not.
    swapped = [(target, source) for source, target in sound(50, seed=2)]
    only(check(tmp_path, training, swapped), "unseen")
    report = check(tmp_path, training, swapped, subword={"joint": False})
    assert {each.kind for each in report.findings} == {"unknown", "unseen"}


def test_characters_beyond_the_coverage(tmp_path: Path) -> None:
    training = [*sound(300), ("ab ☃", "kl mno")]
    assert check(tmp_path, training).findings == []
    report = check(tmp_path, training, subword={"character_coverage": 0.9995})
    assert lines(only(report, "unknown")) == [301]


def test_characters_of_a_vocabulary_that_is_given(tmp_path: Path) -> None:
    training = sound(300)
    text = [side.replace("a", "b") for pair in training for side in pair]
    train_subword(text, SubwordConfig(size=60), output=tmp_path / "given.model", name="given")
    report = check(tmp_path, training, subword={"source_model": "given.model"})
    assert "'a'" in only(report, "unknown").message


def test_normalisation_comes_first(tmp_path: Path) -> None:
    training = sound(300)
    held_out = [(source.upper(), target) for source, target in sound(50, seed=1)]
    assert {each.kind for each in check(tmp_path, training, held_out).findings} == {"unknown"}
    assert check(tmp_path, training, held_out, normalisation={"lowercase": True}).findings == []


def test_files_that_cannot_be_read_are_findings_and_the_others_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "train", sound(100))
    (tmp_path / "train.yy").write_bytes(b"one\ntw\xffo\n")
    write(tmp_path, "validation", [*sound(100, seed=1), ("", "x")])
    data = config_of(tmp_path, validation={"source": "validation.xx", "target": "validation.yy"})
    report = check_data(data)
    kinds = {each.kind: each for each in report.findings}
    assert kinds["unreadable"].severity == "error"
    assert "line 2, byte 3: must be UTF-8" in kinds["unreadable"].message
    assert kinds["empty"].corpus.startswith("validation")
    (tmp_path / "train.yy").write_text("one\n")
    assert "has 100 lines, but" in check_data(data).findings[0].message


def test_lines_are_those_of_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "one.xx").write_text("a\nb\n")
    (tmp_path / "one.yy").write_text("c\nd\n")
    with gzip.open(tmp_path / "two.xx.gz", "wt") as file:
        file.write("a\n\n")
    (tmp_path / "two.yy").write_text("c\nd\n")
    (tmp_path / "t.tsv").write_text("source\ttarget\ne\tf\n\tg\n")
    (tmp_path / "t.jsonl").write_text('{"source": "", "target": "x"}\n')
    data = config_of(
        tmp_path,
        train=[
            {"source": ["one.xx", "two.xx*"], "target": ["one.yy", "two.yy"]},
            {"type": "tsv", "files": "*.tsv"},
            {"type": "json", "files": "t.jsonl"},
        ],
    )
    report = check_data(data)
    assert [each.corpus for each in report.corpora] == ["one.xx and one.yy", "two.xx.gz and two.yy", "t.tsv", "t.jsonl"]
    found = {each.corpus: lines(each) for each in report.findings if each.kind == "empty"}
    assert found == {"training: two.xx.gz and two.yy": [2], "training: t.tsv": [3], "training: t.jsonl": [1]}


def test_as_json_is_plain(tmp_path: Path) -> None:
    pairs = [*sound(200), ("", "a")]
    value = json.loads(json.dumps(check(tmp_path, pairs).as_json()))
    assert value["severity"] == "warning"
    assert value["findings"][0]["examples"] == [{"line": 201, "source": "", "target": "a"}]
    assert value["corpora"][0]["pairs"] == 201


def test_training_is_warned_in_short_and_the_second_time_from_the_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [*sound(200), ("", "a")]
    write(tmp_path, "train", pairs)
    write(tmp_path, "validation", sound(50, seed=1))
    data = config_of(tmp_path, validation={"source": "validation.xx", "target": "validation.yy"})
    training = read_pairs(data.train[0], tmp_path, cache=tmp_path / "cache")
    assert data.validation is not None
    validation = read_pairs(data.validation, tmp_path, cache=tmp_path / "cache")
    text = [side for pair in pairs for side in pair]
    vocabulary = train_subword(text, SubwordConfig(size=60), output=tmp_path / "x.model", name="x")
    vocabularies = Vocabularies(vocabulary, vocabulary)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("WARNING", logger="nmt"):
            warn_of(data, training, validation, vocabularies, cache=tmp_path / "cache")
        assert [record.getMessage() for record in caplog.records] == [
            "training: train.xx and train.yy: a side is blank in 1 of 201 pairs (0.50%) (lines 201); see nmt-check"
        ]
        monkeypatch.setattr(checks, "statistics_of", lambda *_, **__: pytest.fail("looked at again"))


def write_pair(folder: Path, source: str, target: str) -> dict[str, str]:
    (folder / "m.s").write_text(source)
    (folder / "m.t").write_text(target)
    return {"source": "m.s", "target": "m.t"}


def kinds_of(folder: Path, **data: object) -> dict[str, list[int]]:
    config = configs.from_mapping(DataConfig, {"root": str(folder), **data}, name="data")
    return {each.kind: [example.line for example in each.examples] for each in check_data(config).findings}


def test_lines_without_a_visible_character_are_blank(tmp_path: Path) -> None:
    train = [write_pair(tmp_path, "a\n\u200b\ufeff\nb\n\xad\n", "x\ny\n\u3164\nz\n")]
    assert kinds_of(tmp_path, train=train)["empty"] == [2, 3, 4]


def test_marks_of_a_given_vocabulary(tmp_path: Path) -> None:
    train = [write_pair(tmp_path, "a\nb\u2581c\n", "x\n▅y\n")]
    assert "markers" not in kinds_of(tmp_path, train=train)
    old = tmp_path / "old.model"
    with old.open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c x y"] * 9),
            model_writer=writer,
            vocab_size=12,
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    assert kinds_of(tmp_path, train=train, subword={"source_model": "old.model"})["markers"] == [2]


def test_the_dotless_i_of_turkish(tmp_path: Path) -> None:
    train = [write_pair(tmp_path, "ışık\nISPARTA\n", "light\nI see\n")]
    lower = {"train": train, "normalisation": {"lowercase": True}}
    assert kinds_of(tmp_path, **lower, source_language="tr-TR", target_language="en")["dotted"] == [2]
    assert "dotted" not in kinds_of(tmp_path, **lower, source_language="de", target_language="en")
    turkic = {"train": train, "normalisation": {"lowercase": "turkic"}}
    assert "dotted" not in kinds_of(tmp_path, **turkic, source_language="tr", target_language="en")


def test_training_judges_a_large_corpus_by_a_sample_and_names_its_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [*sound(9000, seed=3), *[("", "a")] * 40]
    write(tmp_path, "train", pairs)
    data = config_of(tmp_path)
    training = read_pairs(data.train[0], tmp_path, cache=tmp_path / "cache")
    sample = training.sample(3000)
    assert sample.rows is not None and len(sample) == len(sample.rows) == 3000
    assert list(sample) == [pairs[row] for row in sample.rows]
    assert sample.rows[0] == 0 and sample.rows[-1] == 9039, "from the beginning to the end"
    assert training.sample(9040) is training
    text = [side for pair in pairs[:200] for side in pair]
    vocabulary = train_subword(text, SubwordConfig(size=60), output=tmp_path / "x.model", name="x")
    monkeypatch.setattr(checks, "ENOUGH", 3000)
    with caplog.at_level("WARNING", logger="nmt"):
        warn_of(data, training, None, Vocabularies(vocabulary, vocabulary), cache=None)
    (blank,) = (record.getMessage() for record in caplog.records if "blank" in record.getMessage())
    assert "3,000 of the 9,040 pairs of train.xx and train.yy: a side is blank in 40 of 3,000 pairs" in blank
    assert "(lines 9001, " in blank


def test_a_weight_that_repeats_pairs_often_is_told(tmp_path: Path) -> None:
    write(tmp_path, "train", sound(200))
    write(tmp_path, "few", sound(4, seed=2))
    two = [{"source": f"{name}.xx", "target": f"{name}.yy"} for name in ("train", "few")]
    for weight, found in ((1.0, []), (9.0, ["training: few.xx and few.yy"])):
        weighted = [{**two[0], "weight": 9.0}, {**two[1], "weight": weight}]
        findings = checks.check_data(config_of(tmp_path, train=weighted)).findings
        assert [each.corpus for each in findings if each.kind == "repeated"] == found
    (told,) = (each for each in findings if each.kind == "repeated")
    assert told.message == "its weight draws each pair 26 times in an epoch" and told.severity == "warning"
