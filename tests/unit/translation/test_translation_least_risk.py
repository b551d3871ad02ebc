"""Minimum Bayes risk chooses the hypothesis with the highest expected chrF, and says how high it is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sacrebleu import sentence_chrf
from tiny_run import SEARCH, sentences

from nmt.core.errors import ConfigError
from nmt.search.hypothesis import Hypothesis
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.translation.least_risk import least_risk
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine
from nmt.translation.long_lines import join_hypotheses
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output.writers import jsonl
from nmt.translation.translator import Translator

BEAM = SearchConfig(mbr="chrf")
SAMPLING = SearchConfig(mbr="chrf", strategy="sampling")


def target(text: str, log_prob: float) -> ScoredTarget:
    return ScoredTarget(
        SourceLine(1, "", Pieces()), text, Pieces(), Hypothesis([], log_prob, log_prob, [log_prob], True)
    )


def by_hand(texts: Sequence[str], probabilities: Sequence[float], text: str) -> float:
    pairs = zip(texts, probabilities, strict=True)
    return sum(share * sentence_chrf(text, [other]).score for other, share in pairs) / sum(probabilities)


TEXTS = ["a cat sleeps", "the dog runs home", "the dogs run home", "the dog ran home"]


def test_the_most_like_all_others_by_hand() -> None:
    targets = [target(text, math.log(p)) for text, p in zip(TEXTS, (0.4, 0.1, 0.1, 0.2), strict=True)]
    found = least_risk(targets, replace(BEAM, n_best=4))
    expected = {text: by_hand(TEXTS, (0.4, 0.1, 0.1, 0.2), text) for text in TEXTS}
    assert [each.text for each in found] == sorted(TEXTS, key=lambda text: -expected[text])
    assert [each.utility for each in found] == pytest.approx([expected[each.text] for each in found], rel=1e-6)
    assert least_risk(targets, BEAM) == found[:1]


def test_samples_count_as_often_as_they_were_drawn_whatever_the_model_says() -> None:
    drawn = [TEXTS[0], TEXTS[0], TEXTS[1], TEXTS[0], TEXTS[2], TEXTS[0]]
    targets = [target(text, -float(rank)) for rank, text in enumerate(drawn)]
    (found,) = least_risk(targets, SAMPLING)
    assert (found.text, found.log_prob) == (TEXTS[0], 0.0), "the first of equal texts"
    assert found.utility == pytest.approx(by_hand(drawn, [1.0] * 6, TEXTS[0]), rel=1e-6)
    assert len(least_risk(targets, replace(SAMPLING, n_best=5))) == 3


def test_hypotheses_of_a_beam_with_the_same_text_add_up() -> None:
    drawn = [TEXTS[1], TEXTS[0], TEXTS[0]]
    targets = [target(text, math.log(p)) for text, p in zip(drawn, (0.4, 0.3, 0.3), strict=True)]
    assert [each.text for each in least_risk(targets[:2], BEAM)] == [TEXTS[1]]
    (found,) = least_risk(targets, BEAM)
    assert (found.text, found.utility) == (TEXTS[0], pytest.approx(by_hand(drawn, (0.4, 0.3, 0.3), TEXTS[0])))


@pytest.mark.parametrize("log_prob", [-2000.0, -math.inf])
def test_improbable_hypotheses_are_ranked_too(log_prob: float) -> None:
    targets = [target(text, log_prob) for text in TEXTS]
    (found,) = least_risk(targets, BEAM)
    assert found.utility == pytest.approx(by_hand(TEXTS, [1.0] * 4, found.text), rel=1e-6)
    assert least_risk([], BEAM) == []


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


LINES = [*sentences(6, seed=9), ""]


def test_a_translator_chooses_among_the_whole_beam(bundle: Bundle) -> None:
    plain = replace(SEARCH, beam_size=6, n_best=6)
    lists = Translator([bundle], search=plain).translate(LINES)
    search = replace(plain, n_best=2, mbr="chrf")
    found = Translator([bundle], search=search).translate(LINES)
    for translation, candidates in zip(found[:-1], lists[:-1], strict=True):
        texts = [each.text for each in candidates.hypotheses]
        ranked = sorted(
            (by_hand(texts, [math.exp(each.log_prob) for each in candidates.hypotheses], text), text) for text in texts
        )
        assert translation.best.utility == pytest.approx(ranked[-1][0], rel=0.05)
        assert len(translation.hypotheses) == min(2, len(texts))
        record = json.loads(jsonl(translation))
        utilities = [each["utility"] for each in record["hypotheses"]]
        assert utilities == sorted(utilities, reverse=True)
    assert [each.best.text for each in found] != [each.best.text for each in lists]
    assert found[-1].best.text == "" and found[-1].best.utility is None
    assert "utility" not in json.loads(jsonl(lists[0]))["hypotheses"][0]


def test_a_translator_chooses_among_samples(bundle: Bundle) -> None:
    plain = replace(SEARCH, strategy="sampling", n_best=8, max_length_ratio=1.0, max_length_offset=4)
    drawn = Translator([bundle], search=plain).translate(LINES)
    search = replace(plain, n_best=1, mbr="chrf", mbr_samples=8)
    for batch_tokens in (1, 4000):
        found = Translator([bundle], search=search, batch_tokens=batch_tokens).translate(LINES)
        for translation, samples in zip(found[:-1], drawn[:-1], strict=True):
            texts = [each.text for each in samples.hypotheses]
            expected = {text: by_hand(texts, [1.0] * 8, text) for text in texts}
            assert translation.best.utility == pytest.approx(max(expected.values()), rel=1e-6)
            assert expected[translation.best.text] == pytest.approx(max(expected.values()), rel=1e-6)


def test_parts_of_a_long_line_are_chosen_one_by_one() -> None:
    parts = [SourceLine(1, word, Pieces((7,), (word,), (0,))) for word in ("Ab.", "Cd.")]
    whole = SourceLine(1, "Ab. Cd.", Pieces((7, 7), ("Ab.", "Cd."), (0, 1)))
    found = [
        [replace(target("a", -9.0), utility=60.0), replace(target("b", -1.0), utility=50.0)],
        [replace(target("c", -9.0), utility=30.0), replace(target("d", -1.0), utility=20.0)],
    ]
    joined = join_hypotheses(whole, parts, found, Scorer(1.0, 0.0))
    assert [each.utility for each in joined] == [45.0, 35.0]
    assert joined[0].log_prob < joined[1].log_prob


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strategy": "greedy"}, "mbr must be none with strategy greedy, but is chrf; use beam or sampling"),
        (
            {"strategy": "sampling", "n_best": 9, "mbr_samples": 8},
            r"n_best must be at most mbr_samples \(8\), but is 9",
        ),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(bundle: Bundle, values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Translator([bundle], search=replace(SEARCH, mbr="chrf", **values))  # type: ignore[arg-type]
