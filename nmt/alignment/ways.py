"""The ways in which a model tells what its words are aligned to; docs/alignment.md describes them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Way: TypeAlias = Literal[
    "attention", "shifted-attention", "attention-x-gradient", "gradient-x-input", "smoothgrad", "leave-one-out"
]
WAYS: tuple[Way, ...] = get_args(Way)

# Their rows sum to what the attention's do; those of the others are shares of a sentence's own effects.
HAS_A_SCALE: tuple[Way, ...] = ("attention", "shifted-attention")
