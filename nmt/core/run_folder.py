"""Where things lie in a run folder; training writes it, translation reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside a run folder.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def vocabulary(self) -> Path:
        """Folder of the SentencePiece models."""
        return self.path / "vocabulary"

    @property
    def cache(self) -> Path:
        """Encoded corpora; may be deleted at any time."""
        return self.path / "cache"

    @property
    def corpus(self) -> Path:
        """Counts of the corpora: lines, tokens, what was dropped and why."""
        return self.path / "corpus.json"

    @property
    def versions(self) -> Path:
        """Versions of this package and of what it stands on, and the machine."""
        return self.path / "versions.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line for every logged step and validation."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Names the checkpoint that translates."""
        return self.path / "best.json"

    @property
    def plots(self) -> Path:
        """Folder of the pictures."""
        return self.path / "plots"

    @property
    def test(self) -> Path:
        """Scores on the test set."""
        return self.path / "test.json"
