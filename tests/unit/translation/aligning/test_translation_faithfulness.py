"""Faithfulness of attention, against plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny_run import MODEL_CONFIG, make_run

from nmt.alignment.agreement import kendall_tau
from nmt.core.errors import ConfigError
from nmt.core.logging import Reached
from nmt.translation.aligning import faithfulness as module
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.aligning.faithfulness import faithfulness
from nmt.translation.lines import ScoredTarget
from nmt.translation.model_files.bundle import Bundle

PAIRS = [("ab cd ef", "gh ij"), ("a", "b"), ("", "b"), ("abc de fghi a b c", "cd"), ("ab ba", "ab")]
USABLE = [PAIRS[0], PAIRS[3], PAIRS[4]]  # one word cannot go, as nothing would be left


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


def test_both_measures_by_hand(bundle: Bundle) -> None:
    found = faithfulness(bundle, PAIRS, share=0.3, draws=2)
    assert found.pairs == len(USABLE)
    attended = Aligner([bundle]).align(*zip(*USABLE, strict=True))
    for way in ("gradient-x-input", "leave-one-out"):
        others = Aligner([bundle], by=EvidenceConfig(way=way)).align(*zip(*USABLE, strict=True))
        taus = [
            kendall_tau(row[:-1], against[:-1])
            for one, other in zip(attended, others, strict=True)
            for row, against in zip(one.weights, other.weights, strict=True)
        ]
        taus = [tau for tau in taus if tau is not None]
        assert found.correlations[way] == pytest.approx(sum(taus) / len(taus), abs=1e-3)
    falls = []
    for (source, text), target, count in zip(USABLE, attended, (1, 2, 1), strict=True):  # 0.3 of 3, 6 and 2 words
        words = source.split()
        mass = [sum(row[place] for row in target.weights) for place in range(len(words))]
        gone = sorted(range(len(words)), key=lambda place: -mass[place])[:count]
        left = " ".join(word for place, word in enumerate(words) if place not in gone)
        falls.append(target.log_prob - Aligner([bundle]).align([left], [text])[0].log_prob)
    assert found.fall_attended == pytest.approx(sum(falls) / 3, rel=1e-3, abs=1e-2)


def test_random_words_follow_the_seed(bundle: Bundle) -> None:
    one, other, third = (faithfulness(bundle, PAIRS, draws=1, seed=seed).fall_random for seed in (1, 1, 2))
    assert one == other != third


def test_every_draw_is_another_and_their_mean_is_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[list[set[int]]] = []
    falls: list[float] = []
    real = module._fall

    def noted(aligner: Aligner, targets: Sequence[ScoredTarget], words: Sequence[set[int]], reached: Reached) -> float:
        gone.append(list(words))
        falls.append(real(aligner, targets, words, reached))
        return falls[-1]

    monkeypatch.setattr(module, "_fall", noted)
    found = faithfulness(bundle, PAIRS, share=0.4, draws=4)
    drawn = gone[1:]  # the first are the words attended to most
    assert [len(words) for words in drawn[0]] == [1, 2, 1]
    assert all(
        words <= set(range(len(source.split())))
        for draw in drawn
        for (source, _), words in zip(USABLE, draw, strict=True)
    )
    assert len({tuple(map(frozenset, draw)) for draw in drawn}) > 1
    assert found.fall_attended == falls[0] and found.fall_random == pytest.approx(sum(falls[1:]) / 4)


def test_a_model_without_attention_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", model={**MODEL_CONFIG, "attention": "none"})
    with pytest.raises(ConfigError, match="has no attention"):
        faithfulness(Bundle.load(run, device="cpu"), PAIRS)
