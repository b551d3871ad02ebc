"""Resumption of an interrupted translation at the end of its output file.

A small file ``NAME.resume`` is kept beside an unfinished output. It records what the output depends on (models,
settings) and its progress: input lines and their hash, output bytes and their hash. It is updated about every second,
after the output is flushed to disk, and deleted once all outputs of a command are complete. On resumption, output
after the last record (at most that second of work) is cut off and translated again. The lines before are read again,
to check that the input is the same. This works for files, pipes and every format.

An output may be compressed, as its name says. The output since the last record is then compressed by itself; the
concatenation of such members is the compressed file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nmt.core import config
from nmt.core.errors import CheckpointError, DataError, NmtError
from nmt.core.storage.compression import by_name
from nmt.core.storage.files import reporting_os_errors, write_json
from nmt.core.storage.lock import try_lock

if TYPE_CHECKING:
    from nmt.translation.model_files.bundle import Bundle
    from nmt.translation.requests.request import Line

FORMAT_VERSION = 1
INTERVAL = 1.0  # seconds between two records: the most work that a crash loses


@dataclass(frozen=True, slots=True)
class Reached:
    """Progress of an output.

    Args:
        lines: number of input lines translated and written.
        input: SHA-256 of these lines.
        size: bytes written for them, as in the file.
        output: SHA-256 of these bytes.
    """

    lines: int = 0
    input: str = hashlib.sha256().hexdigest()
    size: int = 0
    output: str = hashlib.sha256().hexdigest()


class Output:
    """An output file with the record of its progress next to it.

    Use as a context manager; on exit, also by an error, the progress is recorded.

    Args:
        path: the output.
        identity: plain values that the output depends on, besides its input.
        resume: whether to continue an existing output.

    Raises:
        CheckpointError: the existing output belongs to other models or settings, was changed, or cannot be resumed; or
            it is unfinished and would be lost.
        NmtError: the file cannot be read or written, or not compressed as its name says; or, when the context begins,
            another process is writing it.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self.record = record_path(path)
        self._compression = by_name(path)
        self._waiting: list[bytes] = []  # to be compressed
        self._identity = dict(identity)
        if self._compression is not None:
            self._identity["packed"] = self._compression.name
        self.done = _progress(path, self.record, self._identity) if resume else Reached()
        if not resume:
            refuse_unfinished(path)
        self._input, self._output = hashlib.sha256(), hashlib.sha256()
        self._lines = self._size = 0
        self._sound = not self.done.lines  # whether the input is known to be the original one
        self._stream: IO[bytes] | None = None
        self._recorded = 0.0

    def __enter__(self) -> Output:
        with self._writing():
            # Without a buffer, which a full disk would leave filled, so that no record could be written afterwards.
            stream = self.path.open("a+b", buffering=0)
            if not try_lock(stream.fileno(), self.path):
                stream.close()
                raise NmtError(f"{self.path}: is being written by another process; wait for it, or stop it")
            self._stream = stream
            stream.seek(0)
            _hash_start(stream, self.done.size, self._output)
            stream.truncate(self.done.size)
            self._size = self.done.size
            self._entry(Reached(self.done.lines, self.done.input, self._size, self._output.hexdigest()))
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._stream is None:
            return
        try:
            with self._writing(), self._stream:
                if self._sound:
                    if not self._size:
                        self._waiting.append(b"")  # empty input still has a compressed form
                    self._record()
        except NmtError:
            if kind is None:  # else the first error is reported
                raise

    def _writing(self) -> AbstractContextManager[None]:
        return reporting_os_errors(f"write the translations to {self.path}")

    def skip(self, lines: Iterator[Line]) -> None:
        """Read the lines that are translated already.

        Raises:
            DataError: they differ from those that were translated.
        """
        while self._lines < self.done.lines:
            line = next(lines, None)
            if line is None:
                return
            self._count(line)
        if self._input.hexdigest() != self.done.input and not self._sound:
            raise DataError(
                f"{self.path}: cannot be resumed: its {self.done.lines} lines are translations of another input"
            )
        self._sound = True

    def check_skipped(self) -> None:
        """Check that the input has at least the lines that were translated already.

        Raises:
            DataError: it has fewer.
        """
        if self._lines < self.done.lines:
            raise DataError(
                f"{self.path}: cannot be resumed: it has translations of {self.done.lines} lines, but the input has "
                f"only {self._lines}; it was another input"
            )

    def write(self, lines: Sequence[Line], written: bytes) -> None:
        """Write the output of the next input lines.

        It is in the file when this returns; compressed output follows with the next record.
        """
        if self._stream is None:
            raise RuntimeError("the output is not open")
        with self._writing():
            if self._compression is None:
                self._put(self._stream, written)
            elif written:
                self._waiting.append(written)
            for line in lines:
                self._count(line)
            if time.monotonic() - self._recorded >= INTERVAL:
                self._record()

    def _count(self, line: Line) -> None:
        whole = line if isinstance(line, str) else json.dumps(asdict(line))
        self._input.update(whole.encode("utf-8", "surrogatepass") + b"\n")
        self._lines += 1

    def _put(self, stream: IO[bytes], content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[stream.write(left) :]
        self._size += len(content)
        self._output.update(content)

    def _record(self) -> None:
        if self._stream is not None:
            if self._compression is not None and self._waiting:
                self._put(self._stream, self._compression.pack(b"".join(self._waiting)))
                self._waiting.clear()
            os.fsync(self._stream.fileno())
        self._entry(Reached(self._lines, self._input.hexdigest(), self._size, self._output.hexdigest()))

    def _entry(self, progress: Reached) -> None:
        write_json(self.record, {"format": FORMAT_VERSION, "of": self._identity, "progress": asdict(progress)})
        self._recorded = time.monotonic()


def record_path(path: Path) -> Path:
    """Path of the progress record of an output."""
    return path.with_name(f"{path.name}.resume")


def refuse_unfinished(path: Path) -> None:
    """Refuse to overwrite an output that can be resumed.

    Raises:
        CheckpointError: it has a record.
    """
    record = record_path(path)
    if record.exists():
        raise CheckpointError(f"{path}: is unfinished; continue with --resume, or delete {record.name} to start over")


def forget(path: Path) -> None:
    """Delete the record of a complete output."""
    record_path(path).unlink(missing_ok=True)


def identity_of(bundles: Sequence[Bundle], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values that translations depend on: the content of the models, and the settings.

    Models are identified by weights and vocabularies, not by path; settings that do not change a translation (devices,
    threads, batches) are left out.
    """
    return {"models": [_fingerprint(bundle) for bundle in bundles], **settings}


def _fingerprint(bundle: Bundle) -> str:
    digest = hashlib.sha256(bundle.vocabularies.fingerprint.encode())
    for side in (bundle.normalisations.source, bundle.normalisations.target):
        digest.update(json.dumps(config.to_mapping(side), sort_keys=True).encode())
    for name, tensor in sorted(bundle.model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(memoryview(tensor.cpu().contiguous().numpy()).cast("B") if tensor.numel() else b"")
    return digest.hexdigest()


def _progress(path: Path, record: Path, identity: Mapping[str, Any]) -> Reached:
    """Read the progress of an output, and check that it can be resumed; no progress without an output."""
    if not record.exists():
        if path.exists() and path.stat().st_size:
            raise CheckpointError(
                f"{path}: cannot be resumed: there is no {record.name} beside it, so it is finished or was not written "
                "by nmt-translate; delete it to write it again"
            )
        return Reached()
    before, progress = read_record(record)
    if different := differences(before, identity, "now"):
        raise CheckpointError(f"{path}: cannot be resumed: it was started with {different}")
    with reporting_os_errors("read the output that is to be resumed"):
        digest = hashlib.sha256()
        if progress.size and not path.exists():
            raise CheckpointError(f"{path}: cannot be resumed: it is missing; delete {record.name} to start over")
        if progress.size:
            with path.open("rb") as stream:
                _hash_start(stream, progress.size, digest)
    if digest.hexdigest() != progress.output:
        raise CheckpointError(
            f"{path}: cannot be resumed: it no longer holds what was written; delete {record.name} to start over"
        )
    return progress


def differences(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> str:
    """Describe how an output's identity differs from another one, which is found ``where``."""
    whole = {"models": "another model", "input": "another input"}  # their checksums tell nobody anything
    return ", ".join(
        whole.get(key) or f"{key} {one.get(key)!r} ({where} {other.get(key)!r})"
        for key in {**one, **other}
        if one.get(key) != other.get(key)
    )


def read_record(record: Path) -> tuple[dict[str, Any], Reached]:
    """Read the record of an output: its identity and its progress.

    Raises:
        CheckpointError: it is damaged, or of another version.
        NmtError: it cannot be read.
    """
    damaged = CheckpointError(f"{record}: the file is damaged; delete it to start the output over")
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        version, identity, progress = content["format"], content["of"], Reached(**content["progress"])
    except OSError as error:
        raise NmtError(f"{record}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged from error
    numbers = (progress.lines, progress.size)
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{record}: was written by another version of nmt; delete it to start the output over")
    whole = isinstance(identity, dict) and content["progress"] == asdict(progress)
    if not whole or any(type(number) is not int or number < 0 for number in numbers):
        raise damaged
    return identity, progress


def _hash_start(stream: IO[bytes], size: int, digest: Any) -> None:
    """Hash the first bytes of a file, leaving the position after them."""
    while size and (block := stream.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
