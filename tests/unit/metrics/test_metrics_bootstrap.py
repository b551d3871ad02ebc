"""Paired bootstrap."""

import os

import pytest

from nmt.core.errors import DataError
from nmt.metrics.bootstrap import paired_bootstrap
from nmt.metrics.score import bleu

REFERENCES = [f"the quick brown fox number {n} jumps over the lazy dog" for n in range(40)]
GOOD = [line if n % 8 else line.replace("fox", "cat") for n, line in enumerate(REFERENCES)]
BAD = [line.replace("quick brown", "slow").replace("lazy", "old") for line in REFERENCES]


def test_a_much_better_system_is_significant():
    comparison, chrf = paired_bootstrap(BAD, GOOD, REFERENCES, samples=200)
    assert (comparison.name, chrf.name) == ("BLEU", "chrF2")
    assert comparison.baseline == pytest.approx(bleu(BAD, REFERENCES).value)
    assert comparison.system == pytest.approx(bleu(GOOD, REFERENCES).value)
    assert comparison.delta == pytest.approx(comparison.system - comparison.baseline)
    assert comparison.delta > 20
    assert comparison.p_value < 0.01
    assert "seed:12345" in comparison.signature
    assert "bs:200" in comparison.signature
    assert f"{comparison.delta:+.2f}" in comparison.format()
    assert comparison.to_mapping()["delta"] == comparison.delta
    mean, half = comparison.system_interval
    assert mean - half <= comparison.system <= mean + half


def test_a_system_is_not_better_than_itself():
    (comparison,) = paired_bootstrap(GOOD, list(GOOD), REFERENCES, metrics=["bleu"], samples=50)
    assert (comparison.delta, comparison.p_value) == (0.0, 1.0)


def test_a_hair_of_a_difference_is_not_significant():
    other = [line if n != 8 else REFERENCES[n] for n, line in enumerate(GOOD)]
    other[9] = other[9].replace("fox", "cat")
    (comparison,) = paired_bootstrap(GOOD, other, REFERENCES, metrics=["bleu"], samples=200)
    assert comparison.p_value > 0.1


def test_the_seed_decides_and_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "77")

    def run(seed):
        return paired_bootstrap(BAD, GOOD, REFERENCES, metrics=["bleu"], samples=50, seed=seed)[0]

    assert run(1) == run(1)
    assert run(1).system_interval != run(2).system_interval
    assert os.environ["SACREBLEU_SEED"] == "77"
    monkeypatch.delenv("SACREBLEU_SEED")
    run(1)
    assert "SACREBLEU_SEED" not in os.environ


def test_bad_input():
    with pytest.raises(ValueError, match="at least 1"):
        paired_bootstrap(["a"], ["a"], ["a"], seed=0)
    with pytest.raises(DataError, match="baseline has 1 translations, but the system has 2"):
        paired_bootstrap(["a"], ["a", "b"], ["a"])
    with pytest.raises(DataError, match="1 translations, but the reference has 2 lines"):
        paired_bootstrap(["a"], ["a"], ["a", "b"])
