from __future__ import annotations

import errno
import json
import lzma
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import make_run

from nmt.core.errors import CheckpointError, DataError, NmtError
from nmt.core.storage.files import read_text_lines
from nmt.core.storage.run_folder import RunFolder
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output import resuming
from nmt.translation.output.resuming import Output, forget, identity_of, record_path

IDENTITY = {"models": ["m"], "beam_size": 3}
LINES = [f"line {number}" for number in range(9)]


@pytest.fixture(autouse=True)
def every_write_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "INTERVAL", 0.0)


def translate(output: Output, lines: Iterator[str], *, window: int = 2, stop_after: int | None = None) -> None:
    """Write each line in capitals, a window at a time, as if killed after some windows."""
    count = 0
    while several := [line for _, line in zip(range(window), lines, strict=False)]:
        if count == stop_after:
            raise KeyboardInterrupt
        output.write(several, "".join(f"{line.upper()}\n" for line in several).encode())
        count += 1


def begin(path: Path, *, lines: list[str] = LINES, stop_after: int | None = 2) -> None:
    with pytest.raises(KeyboardInterrupt), Output(path, IDENTITY, resume=False) as output:
        translate(output, iter(lines), stop_after=stop_after)


def go_on(path: Path, lines: list[str] = LINES) -> int:
    """Go on to the end; returns the number of lines that were there."""
    with Output(path, IDENTITY, resume=True) as output:
        stream = iter(lines)
        output.skip(stream)
        translate(output, stream)
        output.check_skipped()
    return output.done.lines


def whole(lines: list[str] = LINES) -> bytes:
    return "".join(f"{line.upper()}\n" for line in lines).encode()


def test_goes_on_at_the_first_missing_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    begin(path)
    assert path.read_bytes() == whole(LINES[:4])
    assert go_on(path) == 4
    assert path.read_bytes() == whole()
    assert go_on(path) == 9  # nothing is left
    assert path.read_bytes() == whole()
    forget(path)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_begins_where_there_is_nothing(tmp_path: Path) -> None:
    assert go_on(tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes() == whole()


@pytest.mark.parametrize("more", [b"LINE", b"LINE 4\nLI", "LINÉ"[:4].encode()[:-1], b"x" * 1000])
def test_a_half_written_last_line_is_cut(tmp_path: Path, more: bytes) -> None:
    path = tmp_path / "out"
    begin(path)
    path.write_bytes(path.read_bytes() + more)
    assert go_on(path) == 4
    assert path.read_bytes() == whole()


@pytest.mark.parametrize(
    "lines", [["other", *LINES[1:]], [*LINES[:3], "line 3 ", *LINES[4:]], ["line 0line 1", *LINES[2:], "x"], LINES[:3]]
)
def test_another_input_is_refused_and_nothing_is_lost(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "out"
    begin(path)
    with pytest.raises(DataError, match=r"out: cannot be resumed: .* another input"):
        go_on(path, lines)
    assert path.read_bytes() == whole(LINES[:4])
    assert go_on(path) == 4
    assert path.read_bytes() == whole()


def test_other_models_and_settings_are_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "out"
    begin(path)
    with pytest.raises(CheckpointError, match=r"started with another model, beam_size 3 \(now 4\)$"):
        Output(path, {"models": ["n"], "beam_size": 4}, resume=True)
    with pytest.raises(CheckpointError, match="started with format None"):
        Output(path, {**IDENTITY, "format": "tsv"}, resume=True)


def test_an_output_that_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for lines in (0, 4):  # also before the first is written
        with Output(path, IDENTITY, resume=True) as output:
            output.skip(iter(LINES))
            output.write(LINES[:lines], whole(LINES[:lines]))
            late = Output(path, IDENTITY, resume=True)
            output.write(LINES[lines : lines + 2], whole(LINES[lines : lines + 2]))
            with pytest.raises(NmtError, match=r"out: is being written by another process"), late:
                pytest.fail("two write")
            assert path.read_bytes() == whole(LINES[: lines + 2])
        path.unlink()
        forget(path)


def test_an_output_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"
    begin(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"LINE 1", b"LINE_1"))
    with pytest.raises(CheckpointError, match="no longer holds what was written"):
        Output(path, IDENTITY, resume=True)
    path.write_bytes(content[:-3])
    with pytest.raises(CheckpointError, match="no longer holds what was written"):
        Output(path, IDENTITY, resume=True)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"it is missing; delete out\.resume"):
        Output(path, IDENTITY, resume=True)


def test_an_unfinished_output_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out"
    begin(path)
    with pytest.raises(CheckpointError, match=r"out: is unfinished; continue with --resume, or delete out\.resume"):
        Output(path, IDENTITY, resume=False)
    assert path.read_bytes() == whole(LINES[:4])


def test_what_is_finished_or_of_others_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"somebody's\n")
    with pytest.raises(CheckpointError, match=r"there is no out\.resume beside it"):
        Output(path, IDENTITY, resume=True)
    assert path.read_bytes() == b"somebody's\n"
    path.write_bytes(b"")
    assert go_on(path) == 0


def test_a_crash_before_a_record_costs_what_came_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    output = Output(path, IDENTITY, resume=False).__enter__()
    output.write(LINES[:2], whole(LINES[:2]))
    monkeypatch.setattr(resuming, "INTERVAL", 1e9)
    output.write(LINES[2:4], whole(LINES[2:4]))  # then the power fails
    assert output._stream is not None
    output._stream.close()
    assert path.read_bytes() == whole(LINES[:4])
    assert go_on(path) == 2
    assert path.read_bytes() == whole()


class Full:
    """A file on a disk that is full: some of what is written arrives."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._written = 0

    def write(self, content: memoryview) -> int:
        if self._written == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._written = self._stream.write(content[:3])
        return self._written

    def fileno(self) -> int:
        return self._stream.fileno()

    def __enter__(self) -> None: ...

    def __exit__(self, *exception: object) -> None:
        self._stream.close()


@pytest.mark.parametrize("interval", [0.0, 1e9])
def test_a_full_disk_is_one_message_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: float
) -> None:
    monkeypatch.setattr(resuming, "INTERVAL", interval)
    path = tmp_path / "out"
    message = r"cannot write the translations to .*out: No space left on device; free some space"
    with pytest.raises(NmtError, match=message), Output(path, IDENTITY, resume=False) as output:
        output.write(LINES[:4], whole(LINES[:4]))
        output._stream = Full(output._stream)  # type: ignore[assignment, arg-type]
        output.write(LINES[4:6], whole(LINES[4:6]))
    assert path.read_bytes() == whole(LINES[:4]) + b"LIN"
    assert go_on(path) == 4
    assert path.read_bytes() == whole()


@given(st.binary(max_size=60))
def test_random_bytes_for_a_record(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "out"
    path.write_bytes(b"x\n")
    record_path(path).write_bytes(content)
    with pytest.raises(NmtError, match="out"):
        Output(path, IDENTITY, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"progress": {}},
        {"progress": {"lines": -1}},
        {"progress": {"lines": "4"}},
        {"of": []},
        {"of": None},
    ],
)
def test_records_that_were_tampered_with(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "out"
    begin(path)
    record = json.loads(record_path(path).read_text())
    if isinstance(change.get("progress"), dict) and change["progress"]:
        change = {"progress": {**record["progress"], **change["progress"]}}  # type: ignore[dict-item]
    record_path(path).write_text(json.dumps({**record, **change}))
    with pytest.raises(CheckpointError, match=r"out\.resume: .*delete it to start"):
        Output(path, IDENTITY, resume=True)


def test_a_model_is_known_by_its_content(tiny_run: Path, tmp_path: Path) -> None:
    same = identity_of([Bundle.load(tiny_run)], {"beam_size": 3})
    assert identity_of([Bundle.load(make_run(tmp_path / "copy"))], {"beam_size": 3}) == same
    others = [make_run(tmp_path / "seed", seed=4), make_run(tmp_path / "lower", lowercase=True)]
    bundle = Bundle.load(tiny_run)
    models = [identity_of([each], {})["models"][0] for each in [bundle, *map(Bundle.load, others)]]
    recipe = RunFolder(make_run(tmp_path / "target")).recipe  # of which only the target's text is made uniform
    recipe.write_text(recipe.read_text().replace("data:\n", "data:\n  target_normalisation: {lowercase: true}\n"))
    models.append(identity_of([Bundle.load(tmp_path / "target")], {})["models"][0])
    assert len(set(models)) == 4
    assert identity_of([bundle, bundle], {}) != identity_of([bundle], {})
    moved = replace(bundle, path=tmp_path, checkpoint="other")
    assert identity_of([moved], {}) == identity_of([bundle], {})
    assert json.loads(json.dumps(same)) == same


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
@pytest.mark.parametrize("interval", [0.0, 3600.0])
def test_a_packed_output_goes_on_too(
    tmp_path: Path, suffix: str, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "INTERVAL", interval)
    path = tmp_path / f"out{suffix}"
    begin(path)
    assert list(read_text_lines(path)) == [line.upper() for line in LINES[:4]]
    path.write_bytes(path.read_bytes() + path.read_bytes()[:7])  # what a crash left of a piece
    assert go_on(path) == 4
    assert list(read_text_lines(path)) == [line.upper() for line in LINES]
    whole_file = path.read_bytes()
    assert go_on(path) == 9
    assert path.read_bytes() == whole_file
    forget(path)


def test_what_a_crash_costs_of_a_packed_output_is_what_was_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.gz"
    output = Output(path, IDENTITY, resume=False).__enter__()
    output.write(LINES[:2], whole(LINES[:2]))
    monkeypatch.setattr(resuming, "INTERVAL", 3600.0)
    output.write(LINES[2:4], whole(LINES[2:4]))
    assert output._stream is not None
    output._stream.close()  # as if killed here
    assert list(read_text_lines(path)) == ["LINE 0", "LINE 1"]
    assert go_on(path) == 2
    assert list(read_text_lines(path)) == [line.upper() for line in LINES]


def test_no_lines_packed(tmp_path: Path) -> None:
    with Output(tmp_path / "out.xz", IDENTITY, resume=False):
        pass
    assert lzma.decompress((tmp_path / "out.xz").read_bytes()) == b""
    assert go_on(tmp_path / "out.xz") == 0
    assert list(read_text_lines(tmp_path / "out.xz")) == [line.upper() for line in LINES]


def test_a_plain_output_under_a_packed_name_is_not_gone_on_with(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    for name in ("out", "out.resume"):
        (tmp_path / name).rename(tmp_path / name.replace("out", "out.gz"))
    with pytest.raises(CheckpointError, match=r"started with packed None \(now 'gzip'\)"):
        go_on(tmp_path / "out.gz")
