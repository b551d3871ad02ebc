"""Bahdanau's decoder: look first, then recur with what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from nmt.model.attention.base import Attention, AttentionConfig, AttentionState, Prepared
from nmt.model.cells import ContextCell, RnnStack
from nmt.model.decoder.base import Decoder, DecoderConfig, DecoderOutput, DecoderState, StepOutput, shifted, stacked
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.fast.bahdanau import fused_unroll, fusible
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState
from nmt.model.readout import Readout, ReadoutConfig


@DecoderConfig.registry.register("bahdanau")
@dataclass(frozen=True, slots=True, kw_only=True)
class BahdanauConfig(DecoderConfig):
    """Decoder of Bahdanau et al. (2015).

    Args:
        readout: its deep output.
    """

    paper_scheme: ClassVar[Scheme | None] = "bahdanau"

    readout: ReadoutConfig = field(default_factory=ReadoutConfig)

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        """Build the decoder."""
        return BahdanauDecoder(self, embedding_size, attention.build(self.size, memory_size), dropout)


class BahdanauDecoder(Decoder):
    """``c_i = attend(s_{i-1})``, ``s_i = f(s_{i-1}, y_{i-1}, c_i)``, deep output (Bahdanau et al., 2015, section 3.1).

    The query s_{i-1} is the state of the lowest layer; layers above it are plain ones over its outputs, so an
    unrolled target runs them as whole sequences after the loop.
    """

    attention_shift: ClassVar[int] = 2

    def __init__(
        self, config: BahdanauConfig, embedding_size: int, attention: Attention, dropout: DropoutConfig
    ) -> None:
        readout = Readout(
            config.readout,
            state_size=config.size,
            embedding_size=embedding_size,
            context_size=attention.context_size,
        )
        super().__init__(attention, cell=config.cell, size=config.size, layers=config.layers, feature_size=readout.size)
        self.recurrent = ContextCell(
            config.cell,
            input_size=embedding_size,
            context_size=attention.context_size,
            size=config.size,
            context_gate=config.context_gate,
        )
        self.upper = RnnStack(
            config.cell,
            input_size=config.size,
            size=config.size,
            layers=config.layers - 1,
            dropout=Dropout(dropout.layers, variational=dropout.variational),
            dropout_first=True,
        )
        self.readout = readout
        self.reads_previous = config.readout.state == "previous"

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> StepOutput:
        """Attend with the previous state, then recur."""
        attended = self.attention.attend(state.layers[0].hidden, prepared, state.attention)
        lowest = self.recurrent(self.recurrent.project(embedded), attended.context, state.layers[0])
        top, upper = self.upper(lowest.hidden.unsqueeze(1), state.layers[1:])
        seen = state.layers[-1].hidden if self.reads_previous else top.squeeze(1)
        features = self.readout(seen, embedded, attended.context)
        new = DecoderState((lowest, *upper), None, attended.state)
        return StepOutput(features, attended.weights, new, attended.log_prob)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Project the embeddings before the loop; run upper layers and readout after it."""
        projected = self.recurrent.project(embedded)
        if self.fast and fusible(self.attention, self.recurrent):
            hiddens, contexts, weights = fused_unroll(
                self.attention, self.recurrent, projected, prepared, state.layers[0].hidden
            )
            run = _Recurrence(hiddens, contexts, weights.unsqueeze(2), CellState(hiddens[:, -1]), state.attention, None)
        else:
            run = self._recur(projected, prepared, state)
        top, upper = self.upper(run.hiddens, state.layers[1:])
        seen = shifted(state.layers[-1].hidden, top) if self.reads_previous else top
        features = self.readout(seen, embedded, run.contexts)
        return DecoderOutput(features, run.weights, DecoderState((run.last, *upper), None, run.attention), run.log_prob)

    def _recur(self, projected: Tensor, prepared: Prepared, state: DecoderState) -> _Recurrence:
        """Attend and recur step by step."""
        lowest, attention = state.layers[0], state.attention
        hiddens, contexts, weights, log_probs = [], [], [], []
        for column in projected.unbind(1):
            attended = self.attention.attend(lowest.hidden, prepared, attention)
            lowest = self.recurrent(column, attended.context, lowest)
            attention = attended.state
            hiddens.append(lowest.hidden)
            contexts.append(attended.context)
            weights.append(attended.weights)
            log_probs.append(attended.log_prob)
        return _Recurrence(
            torch.stack(hiddens, 1),
            torch.stack(contexts, 1),
            torch.stack(weights, 1),
            lowest,
            attention,
            stacked(log_probs),
        )


@dataclass(frozen=True, slots=True)
class _Recurrence:
    """The lowest layer over a whole target.

    Args:
        hiddens: (B, T, H).
        contexts: (B, T, D).
        weights: (B, T, heads, S).
        last: the state after the last step.
        attention: the attention's state after it.
        log_prob: (B, T) where the attention samples.
    """

    hiddens: Tensor
    contexts: Tensor
    weights: Tensor
    last: CellState
    attention: AttentionState
    log_prob: Tensor | None
