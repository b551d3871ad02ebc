"""Text, cut into the pieces of a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.data.source.family import SourceConfig


@SourceConfig.registry.register("text")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextSourceConfig(SourceConfig):
    """A line of text."""
