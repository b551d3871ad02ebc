"""The vocabularies of both sides of a translation model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nmt.core.errors import DataError
from nmt.core.storage.files import atomic_write, reporting_os_errors
from nmt.text.subword import SubwordModel

FILES = ("joint.model", "source.model", "target.model")


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """The subword models of source and target; the same object if joint.

    Args:
        source: model of the source side.
        target: model of the target side.
    """

    source: SubwordModel
    target: SubwordModel

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source.fingerprint == self.target.fingerprint

    @property
    def fingerprint(self) -> str:
        """Identifies both models by their content."""
        return f"{self.source.fingerprint}-{self.target.fingerprint}"

    def save(self, directory: Path) -> None:
        """Write ``joint.model``, or ``source.model`` and ``target.model``, into a folder; remove the other names."""
        models = {"joint": self.source} if self.joint else {"source": self.source, "target": self.target}
        with reporting_os_errors("write the vocabularies"):
            directory.mkdir(parents=True, exist_ok=True)
            for name, model in models.items():
                with atomic_write(directory / f"{name}.model") as path:
                    path.write_bytes(model.serialised)
            for name in {"joint", "source", "target"} - models.keys():
                (directory / f"{name}.model").unlink(missing_ok=True)

    @classmethod
    def load(cls, directory: Path) -> Vocabularies:
        """Load what ``save`` wrote.

        Raises:
            DataError: missing or damaged.
        """
        if (directory / "joint.model").is_file():
            model = SubwordModel.load(directory / "joint.model")
            return cls(model, model)
        if not (directory / "source.model").is_file():
            raise DataError(f"{directory}: must hold joint.model, or source.model and target.model, but holds neither")
        return cls(SubwordModel.load(directory / "source.model"), SubwordModel.load(directory / "target.model"))
