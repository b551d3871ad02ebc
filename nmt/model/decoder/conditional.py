"""The conditional GRU of Nematus: update the state with the word, attend, update it with the context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, AttentionState, Prepared
from nmt.model.attention.sentinel import Sentinel
from nmt.model.cells import ContextCell
from nmt.model.decoder.base import Decoder, DecoderConfig, layers_above
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import DropoutConfig
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState
from nmt.model.readout.deep_output import DeepOutput, DeepOutputConfig


@DecoderConfig.registry.register("conditional")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalConfig(DecoderConfig):
    """Decoder of Sennrich et al. (2017), "Nematus".

    Args:
        readout: its deep output; Nematus uses tanh.
    """

    paper_scheme: ClassVar[Scheme | None] = "nematus"
    gives_sentinel: ClassVar[bool] = True
    takes_context_layers: ClassVar[bool] = True
    takes_residual: ClassVar[bool] = True
    takes_transition: ClassVar[bool] = True

    readout: DeepOutputConfig = field(default_factory=lambda: DeepOutputConfig(activation="tanh"))

    def problems(self) -> Iterator[tuple[str, str]]:
        """A readout that the paper does not have."""
        yield from DecoderConfig.problems(self)
        if self.readout.state == "previous":
            yield "readout.state", "must be current for the conditional decoder, whose readout sees s_j; leave it out"

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        """Build the decoder."""
        return ConditionalDecoder(self, embedding_size, attention.build(self.size, memory_size), dropout)


class ConditionalDecoder(Decoder):
    """``s'_j = cell_1(y_{j-1}, s_{j-1})``, ``c_j = attend(s'_j)``, ``s_j = cell_2(s'_j, c_j)``: Sennrich et al. (2017).

    The two cells form one transition, with further ones after the second: the query s'_j depends on the previous word.
    Upper layers run over s_j (and c_j, with ``context_layers: all``). A context gate is part of the second cell, whose
    target side is s'_j alone.
    """

    def __init__(
        self, config: ConditionalConfig, embedding_size: int, attention: Attention, dropout: DropoutConfig
    ) -> None:
        context_size = attention.context_size
        readout = DeepOutput(
            config.readout, state_size=config.size, embedding_size=embedding_size, context_size=context_size
        )
        super().__init__(attention, cell=config.cell, size=config.size, layers=config.layers, feature_size=readout.size)
        self.first = ContextCell(config.cell, input_size=embedding_size, context_size=0, size=config.size)
        self.second = ContextCell(
            config.cell,
            input_size=0,
            context_size=context_size,
            size=config.size,
            context_gate=config.context_gate,
            transition=config.transition,
        )
        self.sentinel = Sentinel(input_size=embedding_size, size=config.size) if attention.reads_sentinel else None
        self.upper = layers_above(config, dropout, context_size)
        self.readout = readout

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Attend with the state that has read the previous word."""
        projected = self.first.project(embedded)
        entry = None if self.sentinel is None else self.sentinel.project(embedded)
        lowest, attended = self._transition(projected, entry, prepared, state.layers[0], state.attention)
        top, upper = self.upper(lowest.hidden.unsqueeze(1), state.layers[1:], context=attended.context.unsqueeze(1))
        features = self.readout(top.squeeze(1), embedded, attended.context)
        new = DecoderState((lowest, *upper), None, attended.state)
        return DecoderOutput(features, attended.weights, new, attended.log_prob)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Project the embeddings before the loop; run upper layers and readout after it."""
        lowest, attention = state.layers[0], state.attention
        hiddens, steps = [], []
        entries = None if self.sentinel is None else self.sentinel.project(embedded)
        for place, projected in enumerate(self.first.project(embedded).unbind(1)):
            entry = None if entries is None else entries[:, place]
            lowest, attended = self._transition(projected, entry, prepared, lowest, attention)
            attention = attended.state
            hiddens.append(lowest.hidden)
            steps.append(attended)
        run = AttentionOutput.joined(steps)
        top, upper = self.upper(torch.stack(hiddens, 1), state.layers[1:], context=run.context)
        features = self.readout(top, embedded, run.context)
        new = DecoderState((lowest, *upper), None, run.state)
        return DecoderOutput(features, run.weights, new, run.log_prob)

    def _transition(
        self,
        projected: Tensor,
        entry: Tensor | None,
        prepared: Prepared,
        lowest: CellState,
        state: AttentionState,
    ) -> tuple[CellState, AttentionOutput]:
        proposal = self.first(projected, None, lowest)
        sentinel = None if self.sentinel is None else self.sentinel(entry, lowest, proposal)
        attended = self.attention.attend(proposal.hidden, prepared, state, sentinel)
        return self.second(None, attended.context, proposal), attended
