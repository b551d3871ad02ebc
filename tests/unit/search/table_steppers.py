"""Small models with a known distribution, in place of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nmt.core.tensors import length_mask, masked_softmax
from nmt.data.batch import DecodingStep, Source, Tokens

PAD, BOS, EOS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Memory:
    keys: Tensor
    mask: Tensor


class ReadsText:
    """A memory with a position for each token of the source."""

    def mask(self, source: Source, prepared: Any) -> Tensor:
        return length_mask(source.lengths, source.width)


class RecurrentTable(ReadsText):
    """A tiny random recurrent network with attention, sharpened: the next distribution depends on the whole history.

    In float64 inside, as it is chaotic enough to blow the last digit of a float32 up.
    """

    def __init__(
        self, vocabulary_size: int, *, seed: int = 0, sharp: float = 4.0, attention: bool = True, eos: float = 0.0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        size = 12

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64) / size**0.5

        self._size = size
        self._attention = attention
        self._source = draw(100, size) * 4
        self._embedding = draw(vocabulary_size, size) * 4
        self._recur = draw(size, size) * 2
        self._context = draw(size, size) * 2
        self._out = draw(size, vocabulary_size) * sharp
        self._bias = torch.zeros(vocabulary_size, dtype=torch.float64)
        self._bias[EOS] = eos
        self.steps: list[int] = []

    @property
    def vocabulary_size(self) -> int:
        return self._out.shape[1]

    def start(self, source: Tokens) -> tuple[Any, Any]:
        memory = Memory(self._source[source.ids], length_mask(source.lengths, source.ids.shape[1]))
        return memory, (torch.zeros(source.rows, self._size, dtype=torch.float64),)

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        assert len(tokens) == len(state[0])
        assert len(tokens) % len(prepared.keys) == 0
        self.steps.append(len(tokens))
        rows = torch.arange(len(prepared.keys)).repeat_interleave(len(tokens) // len(prepared.keys))
        hidden = torch.tanh(state[0] @ self._recur + self._embedding[tokens])
        weights = masked_softmax((prepared.keys[rows] @ hidden.unsqueeze(2)).squeeze(2), prepared.mask[rows])
        context = (weights.unsqueeze(1) @ prepared.keys[rows]).squeeze(1)
        hidden = torch.tanh(hidden + context @ self._context)
        log_probs = torch.log_softmax(hidden @ self._out + self._bias, dim=1)
        return DecodingStep(log_probs.float(), weights.float() if self._attention else None, (hidden,))

    def following(self, sentence: Sequence[int]) -> Any:
        """Return the plain function that the reference searches with."""
        source = Tokens.pad([sentence], PAD)

        def after(prefix: tuple[int, ...]) -> tuple[list[float], list[float]]:
            prepared, state = self.start(source)
            for token in (BOS, *prefix):
                step = self.step(torch.tensor([token]), prepared, state)
                state = step.state
            return step.log_probs[0].tolist(), [] if step.weights is None else step.weights[0].tolist()

        return after


class Table(ReadsText):
    """Distributions by hand: row ``t`` of the table at step t, the last one for ever; the same for every history."""

    def __init__(self, rows: Sequence[Sequence[float]], weights: Sequence[Sequence[float]] | None = None) -> None:
        self._log_probs = torch.tensor(rows).log()
        self._weights = None if weights is None else torch.tensor(weights)

    @property
    def vocabulary_size(self) -> int:
        return self._log_probs.shape[1]

    def start(self, source: Tokens) -> tuple[Any, Any]:
        return None, torch.zeros(source.rows, dtype=torch.int64)

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        weights = None if self._weights is None else self._weights[state.clamp(max=len(self._weights) - 1)]
        return DecodingStep(self._log_probs[state.clamp(max=len(self._log_probs) - 1)], weights, state + 1)


class Bigram(ReadsText):
    """Distributions by hand that depend on the last token alone; no attention."""

    def __init__(self, rows: Sequence[Sequence[float]]) -> None:
        self._log_probs = torch.tensor(rows).log()

    @property
    def vocabulary_size(self) -> int:
        return self._log_probs.shape[1]

    def start(self, source: Tokens) -> tuple[Any, Any]:
        return None, None

    def step(self, tokens: Tensor, prepared: Any, state: Any) -> DecodingStep:
        return DecodingStep(self._log_probs[tokens], None, None)


SENTENCES = [[7, 9, 11, EOS], [5, EOS], [13, 21, 34, 55, 89, EOS], [EOS], [3, 5, 8, 13, 21, EOS], [40, 41, EOS]]


def tokens(rows: Sequence[Sequence[int]] = SENTENCES) -> Tokens:
    return Tokens.pad(rows, PAD)
