"""Which registered parts are of this package, for documents and lists of figures that tell of these alone."""

from __future__ import annotations

from typing import Any


def ours(family: type[Any]) -> list[str]:
    """Names of the variants of a family that this package registers."""
    return [name for name in family.registry.names() if family.registry.find(name).__module__.startswith("nmt.")]
