"""What Marian's ``s2s`` models can be: Nematus' architecture, of one size."""

from __future__ import annotations

from collections.abc import Iterator

from nmt.core.errors import Problem
from nmt.model.attention.scores import AdditiveConfig, ConcatConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.decoder.conditional import ConditionalConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.search.search_config import SearchConfig


def misfits(model: Seq2SeqConfig, search: SearchConfig) -> Iterator[Problem]:
    """Yield the settings with which Marian would translate differently, or not at all."""
    for path, fits, wanted, found in _conditions(model):
        if not fits:
            yield Problem(f"model.{path}", f"must be {wanted} for Marian, but is {found}")
    if search.strategy == "sampling":
        yield Problem("search.strategy", "must be beam or greedy for Marian, but is sampling")


def _conditions(model: Seq2SeqConfig) -> Iterator[tuple[str, bool, str, object]]:
    """Yield path, whether it fits, what would, and what is there; parts of another type have no further settings."""
    encoder, decoder, attention = model.encoder, model.decoder, model.attention
    yield "encoder.type", type(encoder) is RnnEncoderConfig, "rnn", encoder.registry.called(type(encoder))
    if isinstance(encoder, RnnEncoderConfig):
        yield "encoder.cell", encoder.cell == "gru", "gru", encoder.cell
        yield "encoder.layers", encoder.layers == 1, "1", encoder.layers
        yield "encoder.layer_norm", not encoder.layer_norm, "false", "true"
        yield "encoder.transition", encoder.transition == 0, "0", encoder.transition
        yield "decoder.size", decoder.size == encoder.size, f"{encoder.size}, the encoder's size,", decoder.size
    yield "bridge", model.bridge == "mean", "mean", model.bridge
    yield (
        "decoder.type",
        type(decoder) is ConditionalConfig,
        "conditional",
        decoder.registry.called(type(decoder)),
    )
    yield "decoder.cell", decoder.cell == "gru", "gru", decoder.cell
    yield "decoder.layers", decoder.layers == 1, "1", decoder.layers
    yield "decoder.transition", decoder.transition == 0, "0", decoder.transition
    yield "decoder.context_gate", decoder.context_gate == "none", "none", decoder.context_gate
    if isinstance(decoder, ConditionalConfig):
        readout, size = decoder.readout, model.embedding.size
        yield "decoder.readout.activation", readout.activation == "tanh", "tanh", readout.activation
        yield (
            "decoder.readout.size",
            readout.size in (None, size),
            f"{size}, the embedding size, or null",
            readout.size,
        )
    yield "attention.type", type(attention) is SoftConfig, "soft", attention.registry.called(type(attention))
    if isinstance(attention, SoftConfig):
        yield "attention.coverage", attention.coverage is None, "null", "set"
        yield "attention.sentinel", not attention.sentinel, "false", "true"
        score = attention.score
        additive = type(score) in (AdditiveConfig, ConcatConfig)
        yield "attention.score", additive, "additive", score.registry.called(type(score))
        if isinstance(score, AdditiveConfig) and isinstance(encoder, RnnEncoderConfig):
            most = 2 * encoder.size
            fits = score.size is None or score.size <= most
            yield "attention.score.size", fits, f"at most {most}, twice the encoder's size,", score.size
    yield "lexical", not model.lexical, "false", "true"
    yield "gru_biases", model.gru_biases == "one", "one (train or fine-tune with it)", model.gru_biases
