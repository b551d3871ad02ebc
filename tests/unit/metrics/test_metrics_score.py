"""Scores, their signatures, and the line counts they insist on."""

import logging
import math
import sys

import pytest
from sacrebleu.tokenizers import tokenizer_ja_mecab, tokenizer_ko_mecab

from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.metrics.bootstrap import paired_bootstrap
from nmt.metrics.lengths import bleu_by_length
from nmt.metrics.score import (
    Score,
    bleu,
    check_moses,
    check_tokenizer,
    chrf,
    missing_references,
    moses_tokenise,
    ter,
    tokenised_bleu,
)


def test_bleu_by_hand():
    # unigrams 4/5, bigrams 3/4, trigrams 2/3, 4-grams 1/2; their product is 1/5; no brevity penalty
    score = bleu(["a b c d e"], ["a b c d f"])
    assert score.value == pytest.approx(100 * 0.2**0.25)
    assert score.name == "BLEU"
    assert score.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "80.0/75.0/66.7/50.0" in score.detail
    assert score.higher_is_better


def test_brevity_penalty_by_hand():
    assert bleu(["a b c d e"], ["a b c d e f"]).value == pytest.approx(100 * math.exp(1 - 6 / 5))


def test_several_references_are_streams():
    hypotheses = ["a b c d", "e f g h"]
    first, second = ["a b c d", "x x x x"], ["y y y y", "e f g h"]
    score = bleu(hypotheses, [first, second])
    assert score.value == pytest.approx(100)
    assert score.signature.startswith("nrefs:2|")
    assert bleu(hypotheses, first).value < 80
    assert bleu(hypotheses, [first]).value == bleu(hypotheses, first).value


def test_a_blank_among_several_references_is_a_missing_one():
    hypotheses, first = ["a b", "e f g h"], ["a b c d e f", "e f g x"]
    for blank in ("", " ", "\u3000"):
        second = ["y y y y y y", blank]
        for order in ([first, second], [second, first]):
            for metric in (bleu, chrf, ter):
                # As if nobody had given the second one a reference of its own
                assert metric(hypotheses, order).value == metric(hypotheses, [first, [*second[:1], first[1]]]).value
                assert metric(hypotheses, order).signature.startswith("nrefs:var|")
    short = ["a", "e"]
    assert bleu(short, [first, ["", ""]]).value == bleu(short, first).value, "no brevity penalty is lost"
    assert bleu(short, [first, ["", ""]]).signature == bleu(short, first).signature
    assert tokenised_bleu(short, [first, ["", ""]], language="en").value == bleu(short, first).value
    assert missing_references([first, ["y", " "], ["", ""]]) == [[], [2], [1, 2]]


def test_a_line_without_any_reference_asks_for_a_blank_translation():
    hypotheses = ["a b c d", "e"]
    for metric in (bleu, chrf, ter):
        alone = metric(hypotheses, ["a b c d", ""]).value
        assert metric(hypotheses, [["a b c d", ""], ["a b c d", " "]]).value == alone
        assert metric(["a b c d", ""], [["a b c d", ""], ["", ""]]).value == pytest.approx(0 if metric is ter else 100)
    assert missing_references([["a", ""], ["b", " "]]) == [[], []]
    assert missing_references([["a", ""]]) == [[]]


def test_a_bootstrap_sees_the_same_references():
    hypotheses, worse = ["a b c d e", "e f g h"] * 5, ["a b", "e f x h"] * 5
    first, blank = ["a b c d e f", "e f g x"] * 5, ["", ""] * 5
    for alone, both in zip(
        *(
            paired_bootstrap(worse, hypotheses, streams, metrics=("bleu", "chrf", "ter"), samples=20)
            for streams in ([first], [first, blank])
        ),
        strict=True,
    ):
        assert alone == both


def test_case():
    assert bleu(["A b c d"], ["a b c d"]).value < 100
    lowered = bleu(["A b c d"], ["a b c d"], lowercase=True)
    assert lowered.value == pytest.approx(100)
    assert "case:lc" in lowered.signature


def test_chrf_and_ter():
    assert chrf(["abc"], ["abc"]).value == pytest.approx(100)
    assert chrf(["abc"], ["abc"]).name == "chrF2"
    assert chrf(["abc"], ["abc"], word_order=2).name == "chrF2++"
    one_of_four = ter(["a b c x"], ["a b c d"])  # one substitution for four words
    assert one_of_four.value == pytest.approx(25)
    assert not one_of_four.higher_is_better


def test_format_and_mapping_carry_the_signature():
    score = Score("BLEU", 40.128, "tok:13a", "(BP = 1)")
    assert score.format() == str(score) == "BLEU|tok:13a = 40.13 (BP = 1)"
    assert score.format(1) == "BLEU|tok:13a = 40.1 (BP = 1)"
    assert score.to_mapping() == {"name": "BLEU", "value": 40.128, "signature": "tok:13a", "detail": "(BP = 1)"}
    assert Score("chrF2", 1.0, "x").format() == "chrF2|x = 1.00"


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_line_counts_must_agree(metric):
    with pytest.raises(DataError, match="there are 2 translations, but the reference has 1 lines"):
        metric(["a", "b"], ["a"])
    with pytest.raises(DataError, match="2 translations, but reference 2 of 2 has 3 lines"):
        metric(["a", "b"], [["a", "b"], ["a", "b", "c"]])
    with pytest.raises(DataError, match="no translations"):
        metric([], [])


def test_tokenised_periods_are_no_matter_for_a_warning(caplog):
    lines = ["a b c ."] * 150
    with caplog.at_level(logging.WARNING):
        bleu(lines, lines, tokenize="none")
        bleu(lines, lines)
    assert not caplog.records


def test_moses_tokens():
    assert moses_tokenise(['It\'s a dog & a "cat".', "", "Mr. X"], "en") == ['It \'s a dog & a " cat " .', "", "Mr. X"]
    assert moses_tokenise(["L'Été."], "fr", lowercase=True) == ["l' été ."]


def test_tokenised_bleu_scores_the_tokens_and_says_so():
    hypotheses, references = ["The dog's here, now."], ["the dog's here, Now!"]
    score = tokenised_bleu(hypotheses, references, language="en")
    by_hand = bleu(["the dog 's here , now ."], ["the dog 's here , now !"], tokenize="none")
    assert score.value == by_hand.value
    assert "tok:none" in score.signature
    assert "|prep:moses-en-lc|sacremoses:" in score.signature
    cased = tokenised_bleu(hypotheses, references, language="en", lowercase=False)
    assert cased.value < score.value
    assert "|prep:moses-en|" in cased.signature
    assert "case:mixed" in cased.signature


def test_tokenised_bleu_checks_its_lines():
    with pytest.raises(DataError, match="1 translations"):
        tokenised_bleu(["a"], ["a", "b"], language="en")


def test_missing_sacremoses_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    for use in (lambda: check_moses("en"), lambda: tokenised_bleu(["a"], ["a"], language="en")):
        with pytest.raises(NmtError, match=r'pip install "nmt\[moses\]"'):
            use()


@pytest.mark.parametrize(("language", "module"), [("ja", tokenizer_ja_mecab), ("ko", tokenizer_ko_mecab)])
def test_tokenizers_that_need_more_packages_name_them(monkeypatch, language, module):
    monkeypatch.setattr(module, "MeCab", None)
    name, lines = f"{language}-mecab", ["a b c d"]
    message = rf'the tokenizer {name} needs packages .* pip install "sacrebleu\[{language}\]"$'
    for use in (
        lambda: check_tokenizer(name),
        lambda: bleu(lines, lines, tokenize=name),
        lambda: paired_bootstrap(lines, lines, lines, tokenize=name),
    ):
        with pytest.raises(NmtError, match=message):
            use()


@pytest.mark.parametrize("name", ["13a", "none", "zh", "intl", "char"])
def test_tokenizers_that_are_always_there(name):
    check_tokenizer(name)


@pytest.mark.parametrize(
    ("language", "hint"),
    [
        ("dee", "did you mean de?"),
        ("DE", "did you mean de?"),
        ("german", "did you mean de?"),
        ("", "it has as, bn, ca,"),
    ],
)
def test_languages_that_sacremoses_would_take_for_english(language, hint):
    for use in (lambda: check_moses(language), lambda: tokenised_bleu(["a"], ["a"], language=language)):
        with pytest.raises(ConfigError, match="moses must be a language that sacremoses has rules for") as caught:
            use()
        assert hint in str(caught.value)
    for known in ("de", "en", "zh", "mni"):
        check_moses(known)


def test_bleu_by_length():
    hypotheses = ["a b c d", "a b c d e", "x", "a b c x"]
    references = ["a b c d", "a b c d e", "y", "a b c d"]
    buckets = bleu_by_length(hypotheses, references, [4, 5, 21, 10], (4, 10, 20))
    assert [(b.label, b.sentences) for b in buckets] == [("0–4", 1), ("5–10", 2), ("11–20", 0), ("21+", 1)]
    assert buckets[0].score.value == pytest.approx(100)
    assert buckets[1].score == bleu(["a b c d e", "a b c x"], ["a b c d e", "a b c d"])
    assert buckets[2].score is None
    assert buckets[3].score.value == 0


def test_bleu_by_length_takes_several_references():
    buckets = bleu_by_length(["a b c d", "e f g h"], [["x x x x", "e f g h"], ["a b c d", "y y y y"]], [1, 9], [5])
    assert [bucket.score.value for bucket in buckets] == pytest.approx([100, 100])


def test_bleu_by_length_checks_its_input():
    with pytest.raises(DataError, match="2 translations, but 1 source lengths"):
        bleu_by_length(["a", "b"], ["a", "b"], [1], [5])
    with pytest.raises(ValueError, match="must rise"):
        bleu_by_length(["a"], ["a"], [1], [5, 5])
