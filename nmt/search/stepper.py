"""All that search knows of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from nmt.data.batch import Tokens


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a stepper gives, for N hypotheses.

    Args:
        log_probs: (N, V) float32 log-probabilities of the next token, in nats.
        weights: (N, S) attention weights of this step, heads averaged; ``None`` for a model without attention.
        state: the new decoder state, N rows, ready for ``nmt.core.tensors.select_rows``.
    """

    log_probs: Tensor
    weights: Tensor | None
    state: Any


class StepLike(Protocol):
    """Anything with the fields of ``Step``: a model gives its own, for it does not know of search."""

    @property
    def log_probs(self) -> Tensor:
        """See ``Step``."""
        ...

    @property
    def weights(self) -> Tensor | None:
        """See ``Step``."""
        ...

    @property
    def state(self) -> Any:
        """See ``Step``."""
        ...


class Stepper(Protocol):
    """A model, an ensemble, or a hand-written table: whatever gives the next token's distribution.

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

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> StepLike:
        """Consume the last tokens (N,) int64 (bos at first) and give the next distribution."""
        ...
