"""The methods of extracting soft alignments from a model; docs/alignment.md describes them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

ExtractionMethod: TypeAlias = Literal[
    "attention", "shifted-attention", "attention-x-gradient", "gradient-x-input", "smoothgrad", "leave-one-out"
]
EXTRACTION_METHODS: tuple[ExtractionMethod, ...] = get_args(ExtractionMethod)

# Their rows sum to the same as those of attention; rows of the others are relative effects in a sentence.
HAS_A_SCALE: tuple[ExtractionMethod, ...] = ("attention", "shifted-attention")
