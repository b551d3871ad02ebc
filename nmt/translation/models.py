"""One model, or several with the same vocabularies, that translate or align together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nmt.core.errors import CheckpointError, Problem
from nmt.core.logging import few
from nmt.core.machine.device import Precision, resolve_precision
from nmt.data.batch import Dense, Source, Tokens
from nmt.model.model_stepper import ModelStepper
from nmt.search.ensemble import EnsembleStepper
from nmt.search.stepper import Stepper
from nmt.text.subword import SubwordModel
from nmt.translation.file_reader import FileReader
from nmt.translation.lines import Pieces, SourceLine, cut
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.requests.tags import Tags


class Models:
    """One model, or an ensemble, ready for search.

    Args:
        bundles: one or more, over the same vocabularies and normalisation.
        precision: of the operands of matrix products.

    Attributes:
        stepper: input to search: the model, or the ensemble with averaged probabilities.
        tags: what may or must stand before a source: what all models know.

    Raises:
        CheckpointError: their vocabularies or normalisations differ, or they know no common tag and need one.
        ValueError: there is none.
    """

    def __init__(self, bundles: Sequence[Bundle], *, precision: Precision = "fp32") -> None:
        _check(bundles)
        self.bundles = tuple(bundles)
        self.device = bundles[0].device
        self.vocabularies = bundles[0].vocabularies
        self.normalisations = bundles[0].normalisations
        self.source = bundles[0].source
        self.placeholders = bundles[0].placeholders
        self.tags = _shared_tags(bundles)
        self._steppers = [
            ModelStepper(bundle.model, precision=resolve_precision(precision, bundle.device)) for bundle in bundles
        ]
        self.stepper: Stepper = self._steppers[0] if len(bundles) == 1 else EnsembleStepper(self._steppers)

    def refresh(self) -> None:
        """Update what is precomputed for search to the current weights."""
        for stepper in self._steppers:
            stepper.refresh()

    @property
    def unwritten(self) -> frozenset[str]:
        """The tags that any model knows, which are in no translation."""
        return frozenset(tag for bundle in self.bundles for tag in bundle.tags.known)

    @property
    def have_attention(self) -> bool:
        """Whether any model has attention to the source."""
        return any(bundle.has_attention for bundle in self.bundles)

    def sources(self, rows: Sequence[SourceLine]) -> Source:
        """Return source lines as a batch, pieces with eos, on the device of the models."""
        features = [row.features for row in rows if row.features is not None]
        words = None
        if self.source.has_words:
            words = self._padded([row.pieces for row in rows], self.vocabularies.source)
        if features:
            return Dense.pad(features, [row.units for row in rows], words).to(self.device)
        assert words is not None, "text has words"
        return words

    def targets(self, rows: Sequence[Pieces]) -> Tokens:
        """Return target lines as a batch, each with eos, on the device of the models."""
        return self._padded(rows, self.vocabularies.target)

    def _padded(self, rows: Sequence[Pieces], vocabulary: SubwordModel) -> Tokens:
        ids = [[*row.ids, vocabulary.eos_id] for row in rows]
        return Tokens.pad(ids, vocabulary.pad_id).to(self.device)


def load_bundles(
    runs: Path | str | Sequence[Path | str],
    *,
    device: str = "auto",
    checkpoint: str | None = None,
    fast_paths: bool | None = None,
) -> list[Bundle]:
    """Load one run or several; the arguments are those of ``Bundle.load``."""
    paths = [runs] if isinstance(runs, str | Path) else runs
    return [Bundle.load(path, device=device, checkpoint=checkpoint, fast_paths=fast_paths) for path in paths]


def counts_below_one(**counts: int) -> list[Problem]:
    """Describe the numbers below 1."""
    return [Problem(name, f"must be at least 1, but is {value}") for name, value in counts.items() if value < 1]


def _check(bundles: Sequence[Bundle]) -> None:
    """Refuse incompatible models.

    Raises:
        CheckpointError: their vocabularies or normalisations differ.
        ValueError: there is none.
    """
    if not bundles:
        raise ValueError("a translator needs one model or more, but there is none")
    first = bundles[0]
    for other in bundles[1:]:
        if other.vocabularies.fingerprint != first.vocabularies.fingerprint:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same vocabularies, but theirs "
                "differ; train them with the same data.subword.source_model"
            )
        if other.source != first.source:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same data.source, but theirs "
                "differ"
            )
        if other.placeholders != first.placeholders:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same data.placeholders, but "
                "theirs differ"
            )
        if other.normalisations != first.normalisations:
            raise CheckpointError(
                f"{first.path} and {other.path}: the models of an ensemble must have the same data.normalisation, but "
                "theirs differ"
            )


def _shared_tags(bundles: Sequence[Bundle]) -> Tags:
    """Return the tags that all models know.

    Raises:
        CheckpointError: there is none, though one of them needs one.
    """
    tags = Tags.shared([bundle.tags for bundle in bundles])
    if tags.always and not tags.known:
        theirs = "; ".join(f"{bundle.path}: {few(bundle.tags.known) or 'none'}" for bundle in bundles)
        raise CheckpointError(
            "the models of an ensemble must know a common tag (data.train.*.tag) where one of them has learnt from no "
            f"source without, but theirs are {theirs}"
        )
    return tags


def without_attention(bundles: Sequence[Bundle]) -> str:
    """Say that a model has no attention."""
    names = ", ".join(str(bundle.path) for bundle in bundles)
    return f"the model of {names} has no attention (model.attention: none)"


def file_reader(models: Models, root: Path | str) -> FileReader | None:
    """Return the reader of the models' sources, if they are files; ``None`` if they are text."""
    features = models.source.features
    if features is None:
        return None

    def pieces(text: str) -> Pieces:
        return cut(text, models.vocabularies.source, models.normalisations.source)

    return FileReader(features, models.bundles[0].model.memory_shape, Path(root), pieces)
