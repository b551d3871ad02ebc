"""The interface of a model to search."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from nmt.core.errors import CheckpointError
from nmt.data.batch import DecodingStep, Source


class Step(Protocol):
    """See ``Stepper.step``."""

    def __call__(self, tokens: Tensor, prepared: Any, state: Any, full: Tensor | None) -> DecodingStep:
        """Consume the last tokens; ``full`` is from ``LengthLimits.reached``."""
        ...


class Stepper(Protocol):
    """Provides next-token distributions: a model, an ensemble, or a table in a test.

    ``prepared`` and ``state`` are opaque trees of batch-first tensors, which ``select_rows`` can reorder. ``prepared``
    has one row per source (B), ``state`` one per hypothesis (N). N is a multiple of B: the hypotheses of a
    sentence are contiguous, with hypothesis k of sentence b in row ``b * (N // B) + k``. So memory is shared, not
    copied. Search may select rows of ``prepared`` (to drop finished sentences) and of ``state``.
    """

    @property
    def vocabulary_size(self) -> int:
        """Number of target pieces V."""
        ...

    def start(self, source: Source) -> tuple[Any, Any]:
        """Encode B sources and return ``(prepared, state)``, both with B rows."""
        ...

    def mask(self, source: Source, prepared: Any) -> Tensor:
        """Return the positions of each memory, the columns of attention weights: (B, S) bool, ``True`` = real."""
        ...

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Consume the last tokens (N,) int64 (bos first) and return the next distribution."""
        ...


@runtime_checkable
class RoughStepper(Stepper, Protocol):
    """A stepper that can also give rough log-probabilities, sooner, and refine those of the best pieces."""

    def rough_step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        """Do the same as ``step``; where the result has ``refine``, its log-probabilities are rough."""
        ...


def step_of(stepper: Stepper, *, rough: bool) -> Step:
    """The steps of a stepper; rough ones if it has them and the caller would refine them.

    At the maximum length they are not rough: all probable pieces may be forbidden there, and nothing would be refined.
    """
    early = stepper.rough_step if rough and isinstance(stepper, RoughStepper) else stepper.step

    def step(tokens: Tensor, prepared: Any, state: Any, full: Tensor | None) -> DecodingStep:
        return (early if full is None else stepper.step)(tokens, prepared, state)

    return step


def refuse_nan(log_probs: Tensor) -> None:
    """Raise if a model gave NaN.

    Raises:
        CheckpointError: a log-probability is NaN.
    """
    if bool(log_probs.isnan().any()):
        raise CheckpointError("the model gives NaN instead of probabilities; its weights are damaged, or diverged")
