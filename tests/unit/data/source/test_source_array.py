"""Given features, and the refusal of every file that holds none."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy
import pytest

from nmt.core.errors import DataError
from nmt.data.source.array import ArraySourceConfig

SOURCE = ArraySourceConfig(size=3)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "uint16", ">f4"])
def test_numbers_of_every_type_are_read(tmp_path: Path, dtype: str) -> None:
    numbers = numpy.arange(12).reshape(4, 3)
    numpy.save(tmp_path / "a.npy", numbers.astype(dtype))
    read = SOURCE.read(tmp_path / "a.npy")
    assert read.dtype == numpy.float32 and read.tolist() == numbers.tolist()


def test_columns_may_lie_one_after_another(tmp_path: Path) -> None:
    numbers = numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))
    numpy.save(tmp_path / "a.npy", numbers)
    assert SOURCE.read(tmp_path / "a.npy").tolist() == numbers.tolist()


def save(path: Path, values: object) -> None:
    numpy.save(path, numpy.array(values), allow_pickle=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0]], r"must hold an array of shape \(positions, 3\), as data.source.size says, but holds \(1, 2\)"),
        ([1.0, 2.0, 3.0], r"but holds \(3,\)"),
        (numpy.zeros((0, 3)), r"but holds \(0, 3\)"),
        ([["a", "b", "c"]], "must hold numbers, but holds <U1"),
        ([[{}, {}, {}]], "must hold numbers, but holds object; arrays of objects are not read"),
        ([[1.0, 2.0, float("nan")]], "must hold finite numbers, but has NaN or infinity"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, values: object, message: str) -> None:
    save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=message):
        SOURCE.read(tmp_path / "a.npy")


def test_other_files_are_refused_and_nothing_in_them_runs(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'sprung')!r}, 'w')",)

    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "empty.npy").write_bytes(b"")
    save(tmp_path / "short.npy", numpy.zeros((5, 3)))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-4])
    save(tmp_path / "objects.npy", [[Trap(), Trap(), Trap()]])
    for name, message in (
        ("pickle.npy", "must be a NumPy array"),
        ("empty.npy", "must be a NumPy array"),
        ("short.npy", "is cut off or damaged"),
        ("objects.npy", "arrays of objects are not read"),
        ("missing.npy", "there is no such file"),
    ):
        with pytest.raises(DataError, match=message):
            SOURCE.read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with (tmp_path / "large.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 3)}
        numpy.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="must hold at most 268,435,456 numbers"):
        SOURCE.read(tmp_path / "large.npy")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 1:2}",
        "{[]: 1}",
        f"{'-' * 5000}1",
    ],
)
def test_no_header_is_a_traceback(tmp_path: Path, header: str) -> None:
    text = header.encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 24)
    with pytest.raises(DataError, match=r"a\.npy: (must be a NumPy array|is cut off or damaged)"):
        SOURCE.read(tmp_path / "a.npy")
