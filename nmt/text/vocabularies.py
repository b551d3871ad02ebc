"""The vocabularies of both sides of a translation model."""

from __future__ import annotations

from pathlib import Path

from nmt.core.errors import DataError
from nmt.core.storage.files import atomic_write, reporting_os_errors
from nmt.text.subword import Side, SubwordModel

FILES = ("joint.model", "source.model", "target.model")


class Vocabularies:
    """The subword models of source and target; the same object if joint.

    Args:
        source: model of the source side; ``None`` if sources have no words.
        target: model of the target side.
    """

    def __init__(self, source: SubwordModel | None, target: SubwordModel) -> None:
        self._source = source
        self.target = target

    @property
    def source(self) -> SubwordModel:
        """Model of the source side.

        Raises:
            DataError: sources are no text.
        """
        if self._source is None:
            raise DataError(
                f"{self.target.path}: there is no source vocabulary: sources of this model are files, not text, and "
                "what was asked for needs text"
            )
        return self._source

    @property
    def has_source(self) -> bool:
        """Whether there is a source vocabulary: sources are text, or files with text beside them."""
        return self._source is not None

    @property
    def by_side(self) -> dict[Side, SubwordModel]:
        """The model of each side that is text."""
        return {"target": self.target} if self._source is None else {"source": self._source, "target": self.target}

    @property
    def by_name(self) -> dict[str, SubwordModel]:
        """The distinct models: ``joint``, or those by side."""
        return {"joint": self.target} if self.joint else {str(side): model for side, model in self.by_side.items()}

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self._source is not None and self._source.fingerprint == self.target.fingerprint

    @property
    def fingerprint(self) -> str:
        """Identifies both models by their content."""
        return f"{'' if self._source is None else self._source.fingerprint}-{self.target.fingerprint}"

    def save(self, directory: Path) -> None:
        """Write each model into a folder, under its name with ``.model``; remove the other names."""
        with reporting_os_errors("write the vocabularies"):
            directory.mkdir(parents=True, exist_ok=True)
            for name, model in self.by_name.items():
                with atomic_write(directory / f"{name}.model") as path:
                    path.write_bytes(model.serialised)
            for name in {"joint", "source", "target"} - self.by_name.keys():
                (directory / f"{name}.model").unlink(missing_ok=True)

    @classmethod
    def load(cls, directory: Path, *, has_source: bool = True) -> Vocabularies:
        """Load what ``save`` wrote; ``has_source`` says whether there is a source vocabulary.

        Raises:
            DataError: missing or damaged.
        """
        if not has_source:
            return cls(None, SubwordModel.load(directory / "target.model"))
        if (directory / "joint.model").is_file():
            model = SubwordModel.load(directory / "joint.model")
            return cls(model, model)
        if not (directory / "source.model").is_file():
            raise DataError(f"{directory}: must hold joint.model, or source.model and target.model, but holds neither")
        return cls(SubwordModel.load(directory / "source.model"), SubwordModel.load(directory / "target.model"))
