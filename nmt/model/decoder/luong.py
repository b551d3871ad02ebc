"""Luong's decoder: update the state, attend with it, then combine state and context in an attentional vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.model.attention.base import Attention, AttentionConfig, AttentionOutput, AttentionState, Prepared
from nmt.model.attention.scored import SoftAttention
from nmt.model.attention.sentinel import Sentinel
from nmt.model.cells import ContextCell, RnnStack
from nmt.model.decoder.base import Decoder, DecoderConfig
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.fast.attention_parts import attend_by_parts
from nmt.model.fast.luong import fused_feeding_unroll
from nmt.model.fast.scores import fusible
from nmt.model.initialisation import Scheme
from nmt.model.memory import CellState, SourceMemory
from nmt.model.readout.mixture import LatentOutput


@DecoderConfig.registry.register("luong")
@dataclass(frozen=True, slots=True, kw_only=True)
class LuongConfig(DecoderConfig):
    """Decoder of Luong et al. (2015).

    Args:
        input_feeding: feed the attentional vector to the next step (section 3.3).
        feature_size: size of the attentional vector; by default the embedding size.
    """

    paper_scheme: ClassVar[Scheme | None] = "luong"
    gives_positions: ClassVar[bool] = True
    gives_sentinel: ClassVar[bool] = True
    takes_residual: ClassVar[bool] = True
    takes_transition: ClassVar[bool] = True

    input_feeding: bool = True
    feature_size: PositiveInt | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """A context gate, which this decoder does not have."""
        yield from DecoderConfig.problems(self)
        if self.context_gate != "none":
            yield (
                "context_gate",
                "must be none in the luong decoder, whose recurrence does not read the source context; choose "
                "decoder: bahdanau or conditional",
            )

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        """Build the decoder."""
        return LuongDecoder(self, embedding_size, attention.build(self.size, memory_size), dropout)


@dataclass(frozen=True, slots=True)
class _Projected:
    """An embedding's part of the gates of the lowest layer and of the sentinel, if any."""

    lowest: Tensor | None
    sentinel: Tensor | None


class LuongDecoder(Decoder):
    """``h_t = rnn(y_{t-1} [; h~_{t-1}])``, ``c_t = attend(h_t)``, ``h~_t = tanh(W_c [c_t; h_t])`` (equation 5).

    The query is the state of the top layer. Without input feeding the recurrence does not depend on the context, so a
    whole target takes one pass of the layers and one attention with T queries (T attentions with one query each if the
    attention is recurrent). A sentinel depends on consecutive states of the top layer, so it needs the loop.
    """

    def __init__(self, config: LuongConfig, embedding_size: int, attention: Attention, dropout: DropoutConfig) -> None:
        feature_size = config.feature_size or embedding_size
        super().__init__(attention, cell=config.cell, size=config.size, layers=config.layers, feature_size=feature_size)
        # With input feeding the lowest layer takes h~ as its context; without it all layers are plain.
        self.lowest = (
            ContextCell(
                config.cell,
                input_size=embedding_size,
                context_size=feature_size,
                size=config.size,
                transition=config.transition,
            )
            if config.input_feeding
            else None
        )
        self.upper = RnnStack(
            config.cell,
            input_size=config.size if config.input_feeding else embedding_size,
            size=config.size,
            layers=config.layers - 1 if config.input_feeding else config.layers,
            dropout=Dropout(dropout.layers, variational=dropout.variational),
            dropout_first=config.input_feeding,
            residual=config.residual,
            transition=config.transition,
        )
        self.sentinel = Sentinel(input_size=embedding_size, size=config.size) if attention.reads_sentinel else None
        self.W_c = nn.Linear(attention.context_size + config.size, feature_size, bias=False)

    def start(self, memory: SourceMemory, initial: tuple[CellState, ...]) -> tuple[Prepared, DecoderState]:
        """Start with a zero attentional vector if there is input feeding."""
        prepared, state = super().start(memory, initial)
        if self.lowest is None:
            return prepared, state
        feed = memory.values.new_zeros(memory.values.shape[0], self.feature_size)
        return prepared, DecoderState(state.layers, feed, state.attention)

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Update the state, attend with the new top state, combine."""
        projected = None if self.lowest is None else self.lowest.project(embedded)
        entry = None if self.sentinel is None else self.sentinel.project(embedded)
        return self._step(embedded, _Projected(projected, entry), prepared, state, masks=None)

    def unroll(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Without input feeding: one pass and T queries. With it: project the embeddings, then loop."""
        if self.lowest is None and self.sentinel is None:
            top, layers = self.upper(embedded, state.layers)
            attended = self._attend_all(top, prepared, state.attention)
            combined = torch.tanh(self.W_c(torch.cat([attended.context, top], dim=-1)))
            new = DecoderState(layers, None, attended.state)
            return self._for_readout(DecoderOutput(combined, attended.weights, new, attended.log_prob), top, prepared)
        if self.fast and self.depth == 1 and self.lowest is not None and fusible(self.attention, self.lowest):
            return self._unroll_fused(self.attention, self.lowest, embedded, prepared, state)
        projected = None if self.lowest is None else self.lowest.project(embedded)
        masks = self.upper.draw_masks(embedded)
        steps = []
        entries = None if self.sentinel is None else self.sentinel.project(embedded)
        for place, column in enumerate(embedded.unbind(1)):
            parts = _Projected(*(None if each is None else each[:, place] for each in (projected, entries)))
            steps.append(self._step(column, parts, prepared, state, masks))
            state = steps[-1].state
        return steps[-1].joined(steps)

    def _unroll_fused(
        self, attention: SoftAttention, lowest: ContextCell, embedded: Tensor, prepared: Prepared, state: DecoderState
    ) -> DecoderOutput:
        features, weights, states = fused_feeding_unroll(
            attention,
            lowest,
            self.W_c.weight,
            projected=lowest.project(embedded),
            prepared=prepared,
            hidden=state.layers[0].hidden,
            feed=cast("Tensor", state.feed),
        )
        last = states[:, -1]
        new = DecoderState((CellState(last),), features[:, -1].to(last.dtype), state.attention)
        return self._for_readout(DecoderOutput(features, weights.unsqueeze(2), new), states, prepared)

    def _for_readout(self, output: DecoderOutput, queries: Tensor, prepared: Prepared) -> DecoderOutput:
        """Add what the readout of a latent alignment needs to score from each position separately."""
        if not self.attention.latent:
            return output
        return LatentOutput(
            output.features,
            output.weights,
            output.state,
            output.log_prob,
            queries=queries,
            memory=prepared,
            W_c=self.W_c.weight,
        )

    def _attend_all(self, queries: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        if self.fast and not self.attention.recurrent:
            return attend_by_parts(self.attention, queries, prepared, state)
        if not self.attention.recurrent:
            return self.attention(queries, prepared, state)  # type: ignore[no-any-return]
        steps = []
        for query in queries.unbind(1):
            steps.append(self.attention.attend(query, prepared, state))
            state = steps[-1].state
        return AttentionOutput.joined(steps)

    def _step(
        self,
        embedded: Tensor,
        projected: _Projected,
        prepared: Prepared,
        state: DecoderState,
        masks: tuple[Tensor, ...] | None,
    ) -> DecoderOutput:
        below = embedded
        lowest: tuple[CellState, ...] = ()
        if self.lowest is not None:
            lowest = (self.lowest(projected.lowest, state.feed, state.layers[0]),)
            below = lowest[0].hidden
        top, upper = self.upper(below.unsqueeze(1), state.layers[len(lowest) :], masks)
        query = top.squeeze(1)
        sentinel = None
        if self.sentinel is not None:
            sentinel = self.sentinel(projected.sentinel, state.layers[-1], upper[-1] if upper else lowest[-1])
        attended = self.attention.attend(query, prepared, state.attention, sentinel)
        features = torch.tanh(self.W_c(torch.cat([attended.context, query], dim=-1)))
        feed = None if self.lowest is None else features.to(query.dtype)
        new = DecoderState((*lowest, *upper), feed, attended.state)
        return self._for_readout(DecoderOutput(features, attended.weights, new, attended.log_prob), query, prepared)
