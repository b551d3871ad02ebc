import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.data.holdout import hold_out


@given(st.lists(st.integers(0, 80), min_size=60, max_size=200), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_no_source_is_in_two_parts(numbers, validation, test, seed):
    sources = [f"satz {number}" if number % 3 else f" satz  {number - number % 2} " for number in numbers]
    try:
        split = hold_out(sources, validation=validation, test=test, seed=seed)
    except DataError:
        assert len(set(numbers)) < 60, "plenty of different sources"
        return
    parts = [split.train, split.validation, split.test]
    assert [len(part) for part in parts[1:]] == [validation, test]
    assert sorted(numpy.concatenate(parts).tolist()) == list(range(len(sources)))
    texts = [{" ".join(sources[i].split()) for i in part} for part in parts]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_drawn_by_seed():
    sources = [f"satz {number}" for number in range(1000)]
    first, again, other = (hold_out(sources, validation=50, test=50, seed=seed) for seed in (1, 1, 2))
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    assert first.test.tolist() == sorted(first.test.tolist())
    assert 300 < first.test.mean() < 700, "drawn from everywhere"


def test_a_frequent_or_empty_sentence_is_not_held_out():
    sources = ["Danke.", *(f"satz {number}" for number in range(40))] * 1 + ["Danke."] * 100 + [""] * 5
    split = hold_out(sources, validation=5, test=5, seed=1)
    assert all(sources[i].startswith("satz") for i in [*split.validation, *split.test])


def test_too_few():
    message = "3 pairs with 2 distinct sources are too few to hold out 1 for validation and 1 for test; give more text"
    with pytest.raises(DataError, match=message):
        hold_out(["a", "a", "b"], validation=1, test=1, seed=1)
