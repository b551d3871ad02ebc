"""A model as search sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from nmt.data.batch import Tokens
from nmt.model.frozen import frozen
from nmt.model.seq2seq import Seq2Seq


@dataclass(frozen=True, slots=True)
class ModelStep:
    """One step: log-probabilities (N, V) in nats, weights (N, S) averaged over heads or ``None``, the new state."""

    log_probs: Tensor
    weights: Tensor | None
    state: Any


class ModelStepper:
    """Satisfies ``nmt.search.stepper.Stepper`` without knowing of it.

    Args:
        model: a model in evaluation mode, on the device on which sources will come; its weights must not change while
            the stepper is in use. If it is fast they are arranged for search (``nmt.model.frozen``).
        precision: of the factors of matrix products; bf16 needs arranged weights, and so arranges them always.
    """

    def __init__(self, model: Seq2Seq, *, precision: Literal["fp32", "bf16"] = "fp32") -> None:
        self.model = frozen(model, precision) if model.fast or precision == "bf16" else model

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        return self.model.output.weight.shape[0]

    @torch.inference_mode()
    def start(self, source: Tokens) -> tuple[Any, Any]:
        """Encode B sentences and prepare their memory."""
        return self.model.start(self.model.encode(source))

    @torch.inference_mode()
    def step(self, tokens: Tensor, prepared: Any, state: Any) -> ModelStep:
        """Consume the last tokens (N,)."""
        output = self.model.step(tokens, prepared, state)
        log_probs = self.model.step_log_probs(output, prepared).float()
        weights = output.weights.float().mean(1) if output.weights.shape[1] else None
        return ModelStep(log_probs, weights, output.state)
