from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.core.storage.compression import COMPRESSIONS
from nmt.core.storage.files import LineCount, read_text_lines
from nmt.core.storage.line_index import index_lines

TEXT = "\ufeffone\r\n\n\ufefftwo\u2028\nthree\x85 \r\n\nfour"


@given(st.lists(st.sampled_from(b"\n\n\r\xffa")).map(bytes), st.integers(1, 5))
def test_a_line_begins_after_every_line_end(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, every: int
) -> None:
    path = tmp_path_factory.mktemp("index") / "x"
    content = b"text" + content  # no packed file begins so
    path.write_bytes(content)
    lines = content.removesuffix(b"\n").split(b"\n")
    starts = [sum(len(line) + 1 for line in lines[:place]) for place in range(0, len(lines), every)]
    index = index_lines(path, every)
    assert index.starts.tolist() == starts
    assert (index.lines, index.size, index.every) == (len(lines), len(content), every)
    assert index.sha256 == hashlib.sha256(content).hexdigest()


def test_lines_longer_than_a_block_and_many_in_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    lines = [b"a" * 2**20, b"b" * (2**20 - 2), *[b""] * 3000, b"c" * (2**21 + 1), b"d"]
    path.write_bytes(b"\n".join(lines))
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    for every in (1, 2, 7, 1024, 5000):
        assert index_lines(path, every).starts.tolist() == starts[::every]
    assert index_lines(path, 3).lines == len(lines)


def test_no_lines(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    index = index_lines(tmp_path / "x", 3)
    assert (index.starts.tolist(), index.lines, index.size) == ([], 0, 0)


@pytest.mark.parametrize("suffix", ["", *(each.suffix for each in COMPRESSIONS)])
def test_reading_from_any_line_is_reading_the_rest(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    pack = next((each.pack for each in COMPRESSIONS if each.suffix == suffix), bytes)
    path.write_bytes(pack(TEXT.encode()))
    whole = list(read_text_lines(path))
    index = index_lines(path, 1)
    assert index.lines == len(whole) == len(index.starts)
    assert index.sha256 == hashlib.sha256(TEXT.encode()).hexdigest(), "of the text, however it is packed"
    for before, offset in enumerate(index.starts.tolist()):
        count = LineCount(before)
        assert list(read_text_lines(path, offset=offset, count=count)) == whole[before:]
        assert count.lines == len(whole)


def test_what_is_wrong_is_said_with_the_number_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a\nb\nc\xff\nd\n")
    offset = int(index_lines(path, 2).starts[1])
    with pytest.raises(DataError, match="x: line 3, byte 2: must be UTF-8"):
        list(read_text_lines(path, offset=offset, count=LineCount(2)))
    count = LineCount(2)
    list(read_text_lines(path, offset=offset, count=count, errors="replace"))
    assert (count.first_replaced, count.replaced) == (3, 1)


@pytest.mark.parametrize("cut", [30, 12])
def test_damaged_files_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.gz"
    gzip = next(each for each in COMPRESSIONS if each.suffix == ".gz")
    path.write_bytes(gzip.pack(TEXT.encode() * 9)[:cut])
    with pytest.raises(DataError, match=r"x\.gz: the gzip file is damaged or truncated"):
        index_lines(path, 1)
    with pytest.raises(DataError, match=r"x\.gz: the gzip file is damaged or truncated"):
        list(read_text_lines(path, offset=200, count=LineCount(9)))
    with pytest.raises(DataError, match="there is no such file"):
        index_lines(tmp_path / "y", 1)
