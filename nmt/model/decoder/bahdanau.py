"""Bahdanau's decoder: attend first, then update the state with the context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, Prepared
from nmt.model.cells import ContextCell
from nmt.model.decoder.base import Decoder, DecoderConfig, layers_above, shifted
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import DropoutConfig
from nmt.model.fast.bahdanau import fused_unroll
from nmt.model.fast.scores import fusible
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState
from nmt.model.readout.deep_output import DeepOutput, DeepOutputConfig


@DecoderConfig.registry.register("bahdanau")
@dataclass(frozen=True, slots=True, kw_only=True)
class BahdanauConfig(DecoderConfig):
    """Decoder of Bahdanau et al. (2015).

    Args:
        readout: its deep output.
    """

    paper_scheme: ClassVar[Scheme | None] = "bahdanau"
    takes_context_layers: ClassVar[bool] = True
    takes_residual: ClassVar[bool] = True
    takes_transition: ClassVar[bool] = True

    readout: DeepOutputConfig = field(default_factory=DeepOutputConfig)

    def problems(self) -> Iterator[tuple[str, str]]:
        """A readout of the last state, which has no sum with what is below."""
        yield from DecoderConfig.problems(self)
        if self.residual and self.readout.state == "previous":
            yield "readout.state", "must be current with residual, whose sum is no state of the top layer"

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        """Build the decoder."""
        return BahdanauDecoder(self, embedding_size, attention.build(self.size, memory_size), dropout)


class BahdanauDecoder(Decoder):
    """``c_i = attend(s_{i-1})``, ``s_i = f(s_{i-1}, y_{i-1}, c_i)``, deep output (Bahdanau et al., 2015, section 3.1).

    The query s_{i-1} is the state of the lowest layer. Upper layers run over its outputs (and the contexts, with
    ``context_layers: all``), so for a whole target they run on whole sequences after the loop.
    """

    attention_shift: ClassVar[int] = 2

    def __init__(
        self, config: BahdanauConfig, embedding_size: int, attention: Attention, dropout: DropoutConfig
    ) -> None:
        readout = DeepOutput(
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
            transition=config.transition,
        )
        self.upper = layers_above(config, dropout, attention.context_size)
        self.readout = readout
        self.reads_previous = config.readout.state == "previous"

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Attend with the previous state, then update the state."""
        attended = self.attention.attend(state.layers[0].hidden, prepared, state.attention)
        lowest = self.recurrent(self.recurrent.project(embedded), attended.context, state.layers[0])
        top, upper = self.upper(lowest.hidden.unsqueeze(1), state.layers[1:], context=attended.context.unsqueeze(1))
        seen = state.layers[-1].hidden if self.reads_previous else top.squeeze(1)
        features = self.readout(seen, embedded, attended.context)
        new = DecoderState((lowest, *upper), None, attended.state)
        return DecoderOutput(features, attended.weights, new, attended.log_prob)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Project the embeddings before the loop; run upper layers and readout after it."""
        projected = self.recurrent.project(embedded)
        if self.fast and fusible(self.attention, self.recurrent):
            hiddens, contexts, weights = fused_unroll(
                self.attention, self.recurrent, projected, prepared, state.layers[0].hidden
            )
            lowest = CellState(hiddens[:, -1])
            attended = AttentionOutput(contexts, weights.unsqueeze(2), state.attention)
        else:
            hiddens, lowest, attended = self._recur(projected, prepared, state)
        top, upper = self.upper(hiddens, state.layers[1:], context=attended.context)
        seen = shifted(state.layers[-1].hidden, top) if self.reads_previous else top
        features = self.readout(seen, embedded, attended.context)
        new = DecoderState((lowest, *upper), None, attended.state)
        return DecoderOutput(features, attended.weights, new, attended.log_prob)

    def _recur(
        self, projected: Tensor, prepared: Prepared, state: DecoderState
    ) -> tuple[Tensor, CellState, AttentionOutput]:
        """Attend and update step by step; returns states (B, T, H), the last one, and the attention outputs."""
        lowest, attention = state.layers[0], state.attention
        hiddens, steps = [], []
        for column in projected.unbind(1):
            attended = self.attention.attend(lowest.hidden, prepared, attention)
            lowest = self.recurrent(column, attended.context, lowest)
            attention = attended.state
            hiddens.append(lowest.hidden)
            steps.append(attended)
        return torch.stack(hiddens, 1), lowest, AttentionOutput.joined(steps)
