"""chrF of all pairs of a list is what sacreBLEU gives for each."""

from __future__ import annotations

import random

import numpy
import pytest
from sacrebleu import sentence_chrf

from nmt.metrics.pairwise import pairwise_chrf

WRITTEN = [
    "A dog runs through the snow.",
    "A dog is running through snow .",
    "a  dog\truns",
    "ab",
    "a",
    "",
    "   ",
    "zzzzzzzzzzzz",
    "zzzz",
    "Ein Hund läuft\u2028durch 雪🐕.",
    "A dog runs through the snow.",
]


def expected(texts: list[str]) -> list[list[float]]:
    return [[sentence_chrf(one, [other]).score for other in texts] for one in texts]


def test_it_equals_sacrebleu() -> None:
    numpy.testing.assert_allclose(pairwise_chrf(WRITTEN), expected(WRITTEN), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_sacrebleu_where_few_letters_repeat_often(seed: int) -> None:
    generator = random.Random(seed)
    texts = ["".join(generator.choices("aab ", k=generator.randint(0, 40))) for _ in range(20)]
    found = pairwise_chrf(texts)
    assert found.shape == (20, 20)
    numpy.testing.assert_allclose(found, expected(texts), rtol=1e-6, atol=1e-9)


def test_few_texts() -> None:
    assert pairwise_chrf([]).shape == (0, 0)
    assert pairwise_chrf(["a dog"]).tolist() == [[pytest.approx(100.0)]]
