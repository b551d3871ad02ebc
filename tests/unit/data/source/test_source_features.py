"""Features of a corpus: each distinct file is read once, known by its content, kept, and given back unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest
import torch

from nmt.core.errors import DataError
from nmt.data.source.array import ArraySourceConfig
from nmt.data.source.features import FoundFeatures, find_features

SOURCE = ArraySourceConfig(size=2)


@pytest.fixture
def arrays(tmp_path: Path) -> list[numpy.ndarray]:
    drawn = numpy.random.default_rng(3)
    arrays = [drawn.normal(size=(length, 2)).astype(numpy.float32) for length in (3, 1, 5)]
    for number, each in enumerate(arrays):
        numpy.save(tmp_path / f"{number}.npy", each)
    (tmp_path / "copy.npy").write_bytes((tmp_path / "1.npy").read_bytes())
    return arrays


def find(root: Path, lines: Sequence[str]) -> FoundFeatures:
    return find_features(lines, SOURCE, root, name="corpus", cache=root / "cache")


def test_every_line_finds_its_own_features(tmp_path: Path, arrays: list[numpy.ndarray]) -> None:
    lines = ["2.npy", " 0.npy ", "", "copy.npy", "1.npy", "2.npy"]
    found = find(tmp_path, lines)
    assert len(found.features.lengths) == 3 and "" not in found.rows
    assert found.rows["copy.npy"] == found.rows["1.npy"]
    for line, number in zip(["2.npy", "0.npy", "1.npy"], (2, 0, 1), strict=True):
        row = found.rows[line]
        assert found.features.row(row).tolist() == arrays[number].tolist()
        assert found.features.lengths[row] == len(arrays[number])
    batch = found.features.batch([found.rows["2.npy"], found.rows["1.npy"]])
    assert batch.values.shape == (2, 5, 2) and batch.lengths.tolist() == batch.units.tolist() == [5, 1]
    assert torch.equal(batch.values[0], torch.from_numpy(arrays[2])) and not batch.values[1, 1:].any()
    nothing = found.features.batch([])
    assert nothing.rows == 0 and nothing.values.shape[2:] == (2,)


def test_features_are_read_once_and_again_when_a_file_changes(
    tmp_path: Path, arrays: list[numpy.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = ArraySourceConfig.read

    def counted(self: ArraySourceConfig, path: Path) -> numpy.ndarray:
        read.append(path.name)
        return plain(self, path)

    monkeypatch.setattr(ArraySourceConfig, "read", counted)
    before = find(tmp_path, ["0.npy", "1.npy", "copy.npy"])
    assert sorted(read)[0] == "0.npy" and len(read) == 2
    again = find(tmp_path, ["copy.npy", "0.npy"])  # the same content in another order
    assert len(read) == 2 and again.rows["copy.npy"] == before.rows["1.npy"]
    numpy.save(tmp_path / "0.npy", arrays[2])
    changed = find(tmp_path, ["0.npy", "1.npy"])
    assert len(read) == 4 and changed.fingerprint != before.fingerprint
    assert changed.features.row(changed.rows["0.npy"]).tolist() == arrays[2].tolist()


def test_all_files_that_cannot_be_read_are_told_with_their_lines(tmp_path: Path, arrays: list[numpy.ndarray]) -> None:
    del arrays
    (tmp_path / "text.npy").write_text("no array")
    outside = tmp_path.parent / "outside.npy"
    numpy.save(outside, numpy.zeros((1, 2)))
    lines = ["0.npy", "none.npy", "../outside.npy", str(outside), "none.npy"]
    with pytest.raises(DataError) as refused:
        find(tmp_path, lines)
    message = str(refused.value)
    assert message.startswith("corpus: 3 array(s) cannot be read:\n  line 2: ") and "did you mean" in message
    assert "\n  line 3: ../outside.npy: leads out of data.root" in message and "\n  line 4: " in message
    with pytest.raises(DataError, match=r"corpus: 1 array\(s\) cannot be read:\n  line 2: .*text.npy: must be a NumPy"):
        find(tmp_path, ["0.npy", "text.npy"])
    with pytest.raises(DataError, match="every source line is blank"):
        find(tmp_path, ["", " "])


def test_more_problems_than_can_be_told_are_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"corpus: 9 array\(s\) cannot be read:(\n  line \d: .*){5}\n  and 4 more"):
        find(tmp_path, [f"{number}.npy" for number in range(9)])


def test_files_that_exchange_their_contents_are_other_files(tmp_path: Path, arrays: list[numpy.ndarray]) -> None:
    before = find(tmp_path, ["0.npy", "2.npy"])
    numpy.save(tmp_path / "0.npy", arrays[2])
    numpy.save(tmp_path / "2.npy", arrays[0])
    after = find(tmp_path, ["0.npy", "2.npy"])
    assert after.fingerprint != before.fingerprint and after.rows["0.npy"] == before.rows["2.npy"]
    assert after.features.row(after.rows["0.npy"]).tolist() == arrays[2].tolist()
