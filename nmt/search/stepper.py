"""All that search knows of a model."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from nmt.core.errors import CheckpointError
from nmt.data.batch import DecodingStep, Tokens


class Stepper(Protocol):
    """Whatever gives the distribution of the next token: a model, an ensemble, a table in a test.

    ``prepared`` and ``state`` are opaque trees whose tensors are batch-first, so that ``select_rows`` reorders them.
    ``prepared`` has one row a source sentence (B); ``state`` one row a hypothesis (N). N is a multiple of B: the
    hypotheses of one sentence are contiguous, row ``b * (N // B) + k`` being hypothesis k of sentence b. Memory is thus
    shared, not copied; search may select rows of ``prepared`` (to retire finished sentences) and of ``state``.
    """

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        ...

    def start(self, source: Tokens) -> tuple[Any, Any]:
        """Encode B sentences and return ``(prepared, state)``, both with B rows."""
        ...

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Consume the last tokens (N,) int64 (bos at first) and give the next distribution."""
        ...


def refuse_nan(log_probs: Tensor) -> None:
    """Raise if a model gave NaN.

    Raises:
        CheckpointError: it did.
    """
    if bool(log_probs.isnan().any()):
        raise CheckpointError("the model gives NaN instead of probabilities; its weights are damaged, or diverged")
