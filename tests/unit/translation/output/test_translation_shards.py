from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import ConfigError
from nmt.core.storage.line_index import LineIndex
from nmt.translation.output.shards import Part, Shard, outputs_of_shards, shards_of


def index_of(lengths: list[int], every: int) -> LineIndex:
    """Index a text whose lines have these many bytes, with their ends."""
    starts = np.cumsum([0, *lengths])[:-1].astype(np.int64)
    return LineIndex(every, starts[::every], len(lengths), sum(lengths), "")


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9), st.integers(1, 12))
def test_shards_are_whole_windows_in_order(lengths: list[int], every: int, count: int) -> None:
    index = index_of(lengths, every)
    parts = [Part.of(Shard(number, count), index) for number in range(1, count + 1)]
    line = 0
    for part in parts:
        assert part.before == line
        assert part.before % every == 0 or not part.lines
        assert part.offset == sum(lengths[:line])
        line += part.lines
    assert line == len(lengths)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 12))
def test_shards_have_equal_shares_of_the_bytes(lengths: list[int], count: int) -> None:
    index = index_of(lengths, 1)
    for number in range(1, count + 1):
        part = Part.of(Shard(number, count), index)
        size = sum(lengths[part.before : part.before + part.lines])
        assert abs(size - index.size / count) <= max(lengths)


def test_a_share_of_a_file_that_is_sorted_by_length_is_one_of_bytes() -> None:
    index = index_of([10] * 900 + [90] * 100, 10)
    assert [Part.of(Shard(number, 2), index).lines for number in (1, 2)] == [900, 100]


def test_identity_differs_by_shard_window_and_input() -> None:
    index = index_of([3] * 40, 4)
    identity = Part.of(Shard(2, 3), index).identity
    assert identity == Part.of(Shard(2, 3), index).identity
    assert identity != Part.of(Shard(1, 3), index).identity
    assert identity != Part.of(Shard(2, 3), index_of([3] * 40, 5)).identity
    assert identity != Part.of(Shard(2, 3), index_of([3] * 41, 4)).identity


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "a/b", "3", "3/", "/3", "-1/4", "1/4/4", "1.5/4", "", "0/0", "٣/٤", " 1/4"]
)
def test_what_is_no_shard_is_refused_in_one_message(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Shard.parse(text, "--shard")
    assert str(caught.value) == f"--shard: must be I/N with I from 1 to N, such as 3/16, but is {text!r}"


@pytest.mark.parametrize(
    ("text", "output", "name"),
    [
        ("3/16", "big.en", "big.en.shard-03-of-16"),
        ("3/16", "big.en.gz", "big.en.shard-03-of-16.gz"),
        ("1/1", "big", "big.shard-1-of-1"),
        ("10/100", "a/b.ZST", "b.shard-010-of-100.ZST"),
    ],
)
def test_names(tmp_path: Path, text: str, output: str, name: str) -> None:
    whole = tmp_path / Path(output).name
    path = Shard.parse(text).path(whole)
    assert path == tmp_path / name
    path.touch()
    for other in ("x", f"{name}.resume", "big.shard-1-of-16", "big.shard-17-of-16", "big.shard-00-of-16", f".{name}"):
        (tmp_path / other).touch()
    assert shards_of(whole) == {Shard.parse(text)}
    assert outputs_of_shards(tmp_path) == {whole.name, f".{whole.name}"}
