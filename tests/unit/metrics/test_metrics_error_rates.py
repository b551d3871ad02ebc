"""Word and character error rates and exact lines: by hand, over several references, and without jiwer."""

from __future__ import annotations

from importlib.metadata import version
from random import Random
from typing import Any

import pytest

from nmt.core.errors import DataError, NmtError
from nmt.metrics import error_rates
from nmt.metrics.error_rates import cer, exact, wer


def distance(one: Any, other: Any) -> int:
    """Levenshtein's, by its recursion."""
    row = list(range(len(other) + 1))
    for place, left in enumerate(one, start=1):
        before, row = row, [place]
        for index, right in enumerate(other, start=1):
            row.append(min(before[index] + 1, row[-1] + 1, before[index - 1] + (left != right)))
    return row[-1]


def test_error_rates_by_hand() -> None:
    hypotheses, references = ["go left two steps", "call one", ""], ["go left ten steps then", "call one", "stop"]
    found = wer(hypotheses, references)
    assert found.value == pytest.approx(100 * 3 / 8)  # one word replaced, two missing
    assert found.format() == (
        f"WER|nrefs:1|case:mixed|jiwer:{version('jiwer')} = 37.50 (1 substitutions, 2 deletions and 0 insertions in 8 "
        "words)"
    )
    assert not found.higher_is_better
    assert cer(["ab  cd "], ["a cd"]).value == pytest.approx(100 * 1 / 4)
    assert wer(["a b c d"], ["x"]).value == pytest.approx(400.0)


@pytest.mark.parametrize("measure", [wer, cer])
def test_rates_are_edit_distances_over_the_corpus(measure: Any) -> None:
    random = Random(1)
    lines = [" ".join(random.choices("ab", k=random.randint(1, 6))) for _ in range(60)]
    hypotheses, references = lines[:30], lines[30:]
    cut = str.split if measure is wer else list
    errors = sum(distance(cut(one), cut(other)) for one, other in zip(hypotheses, references, strict=True))
    expected = 100 * errors / sum(len(cut(each)) for each in references)
    assert measure(hypotheses, references).value == pytest.approx(expected)


def test_the_closest_reference_counts_and_a_blank_one_is_missing() -> None:
    references = [["go on", "stop here", "a b"], ["go left", "", "a c"]]
    found = wer(["go left", "stop", "a c"], references)
    assert found.value == pytest.approx(100 * 1 / 6)
    assert found.signature.startswith("nrefs:2|")
    assert exact(["go left", "stop", "a c"], references).value == pytest.approx(100 * 2 / 3)


def test_case_counts_unless_it_is_ignored() -> None:
    assert wer(["Go on"], ["go on"]).value == 50.0 and exact(["Go on"], ["go on"]).value == 0.0
    for measure in (wer, cer):
        assert measure(["Go on"], ["go ON"], lowercase=True).value == 0.0
    found = exact(["Go  on "], ["go ON"], lowercase=True)
    assert (found.value, found.signature, found.detail) == (100.0, "nrefs:1|case:lc", "(1 of 1 lines)")


@pytest.mark.parametrize("measure", [wer, cer, exact])
def test_numbers_of_lines_must_agree(measure: Any) -> None:
    with pytest.raises(DataError, match="there are 1 translations, but the reference has 2 lines"):
        measure(["a"], ["a", "b"])
    with pytest.raises(DataError, match="no translations to score"):
        measure([], [])


def test_without_jiwer_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_rates, "find_spec", lambda name: None)
    with pytest.raises(NmtError, match=r"need jiwer, which is not installed; run: pip install 'nmt\[sound\]'"):
        wer(["a"], ["a"])
    assert exact(["a"], ["a"]).value == 100.0
