"""Event files for TensorBoard, of what the metrics log records (``training.tensorboard``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.core.errors import NmtError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def check_tensorboard() -> None:
    """Check that event files can be written.

    Raises:
        NmtError: TensorBoard is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise NmtError('needs TensorBoard, which is not installed; run: pip install "nmt[tensorboard]"') from error


class Events:
    """Writes event files into a folder, from the first event on.

    Args:
        folder: of the event files; created with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: SummaryWriter | None = None
        self._resumed_after: int | None = None

    def cut_after(self, step: int) -> None:
        """Have readers drop the events after the update from which a run is resumed; they will be written again."""
        self._resumed_after = step

    def add(self, record: Mapping[str, Any]) -> None:
        """Write every number of a record of the metrics log, such as ``train/loss``."""
        for name, value in _numbers(record):
            self._writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    def add_text(self, name: str, text: str, step: int) -> None:
        """Write a text that is shown as it is, line by line."""
        self._writer.add_text(name, "\n".join(f"    {line}" for line in text.splitlines()), step)

    def add_picture(self, name: str, path: Path, step: int) -> None:
        """Write a PNG file."""
        from matplotlib.image import imread

        self._writer.add_image(name, imread(path), step, dataformats="HWC")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._opened is not None:
            self._opened.flush()

    def close(self) -> None:
        """Flush and end the thread that writes; further events open another file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _writer(self) -> SummaryWriter:
        if self._opened is None:
            from torch.utils.tensorboard import SummaryWriter

            purged = None if self._resumed_after is None else self._resumed_after + 1
            self._opened = SummaryWriter(str(self._folder), purge_step=purged)
            self._resumed_after = None
        return self._opened


def _numbers(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{name}/{inner}", number) for inner, number in _numbers(value))
        elif name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
