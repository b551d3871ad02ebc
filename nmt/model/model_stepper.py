"""Adapter from a model to the interface of search."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from nmt.data.batch import DecodingStep, Source
from nmt.model.decoder.output import DecoderOutput
from nmt.model.fast.fingerprint import Fingerprint
from nmt.model.fast.prepacked import prepack
from nmt.model.seq2seq import Seq2Seq


class ModelStepper:
    """A model as a ``nmt.search.stepper.Stepper``, which it implements structurally, without importing it.

    Args:
        model: a model in evaluation mode, on the device of the sources. If it is fast, its weights are packed for
            search (``nmt.model.fast.prepacked``). It may be trained between two searches: the next ``start`` notices
            changes to a whole row or column of a weight; other changes need ``refresh``.
        precision: precision of the factors of matrix products; bf16 always packs the weights.
    """

    def __init__(self, model: Seq2Seq, *, precision: Literal["fp32", "bf16"] = "fp32") -> None:
        self._given = model
        self._precision: Literal["fp32", "bf16"] = precision
        self._prepack()

    def _prepack(self) -> None:
        model, precision = self._given, self._precision
        self.model = prepack(model, precision) if model.fast or precision == "bf16" else model
        self._weights = None if self.model is model else Fingerprint(model)

    def refresh(self) -> None:
        """Read all weights and repack them if any number has changed; takes a millisecond for 8 million."""
        if self._weights is not None and not self._weights.holds(self._given, every=True):
            self._prepack()

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        return self.model.output.weight.shape[0]

    @torch.inference_mode()
    def start(self, source: Source) -> tuple[Any, Any]:
        """Encode B sentences and prepare their memory.

        Raises:
            ValueError: the model is in training mode, in which dropout would affect the search.
        """
        if self._given.training:
            raise ValueError("the model is in training mode; call its eval() before searching with it")
        if self._weights is not None and not self._weights.holds(self._given):
            self._prepack()
        return self.model.start(self.model.encode(source))

    def mask(self, source: Source, prepared: Any) -> Tensor:  # noqa: ARG002
        """Positions of the memories, (B, S)."""
        mask: Tensor = prepared.mask
        return mask

    @torch.inference_mode()
    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Consume the last tokens (N,)."""
        output = self.model.step(tokens, prepared, state)
        return DecodingStep(self.model.log_probs(output).float(), _weights(output), output.state)

    @torch.inference_mode()
    def rough_step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """The same by rounded logits where that is faster, in bf16; their log-probabilities are to be refined."""
        if not self.model.output.rounds:
            return self.step(tokens, prepared, state)
        output = self.model.step(tokens, prepared, state)
        rounded = self.model.output.rounded_logits(output.features)
        return DecodingStep(rounded.log_probs, _weights(output), output.state, rounded.refine)


def _weights(output: DecoderOutput) -> Tensor | None:
    """Attention weights (N, S), averaged over heads."""
    return output.weights.float().mean(1) if output.weights.shape[1] else None
