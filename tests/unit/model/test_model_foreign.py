"""Parts that nobody here wrote: what they are able to do is asked of them, and not of their names."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from model_sweep import tensors
from my_parts import ConvolutionConfig
from torch import Tensor, nn

from nmt.core.errors import ConfigError
from nmt.core.tensors import length_mask
from nmt.data.batch import Batch, Tokens
from nmt.model.attention.base import (
    Attention,
    AttentionConfig,
    AttentionOutput,
    AttentionState,
    Prepared,
    RowSum,
    Score,
)
from nmt.model.attention.coverage import LinguisticCoverageConfig
from nmt.model.attention.hard import HardAttention, HardConfig
from nmt.model.attention.marginal import MarginalAttention, MarginalConfig
from nmt.model.attention.none import NoAttentionConfig
from nmt.model.attention.scores import AdditiveScore, DotConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.decoder.bahdanau import BahdanauConfig, BahdanauDecoder
from nmt.model.decoder.base import Decoder, DecoderConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.rnn import RnnEncoder, RnnEncoderConfig
from nmt.model.encoder.transformer import TransformerEncoderConfig
from nmt.model.fast.prepacked import PrepackedLinear, prepack
from nmt.model.initialisation import InitialisationConfig
from nmt.model.memory import CellState, SourceMemory
from nmt.model.model_stepper import ModelStepper
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig
from nmt.recipe import load_recipe
from nmt.search.allowed_tokens import Symbols
from nmt.search.search import search
from nmt.search.search_config import SearchConfig
from nmt.training.objective.doubly_stochastic import DoublyStochasticConfig
from nmt.training.objective.likelihood import LikelihoodConfig
from nmt.training.objective.reinforce import ReinforceConfig
from nmt.training.objective.variational import VariationalConfig
from nmt.training.training_config import TrainingConfig

PAD, BOS, EOS = 0, 1, 2
VOCABULARY = 11
SOURCES = ([3, 5, 7, EOS], [4, 6, 3, 9, 4, 10, EOS], [8, EOS])
TARGETS = ([5, 3, 6, 4, EOS], [9, EOS], [4, 4, 10, EOS])


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDecoderConfig(DecoderConfig):
    """A decoder that says nothing of itself."""

    def build(
        self, embedding_size: int, memory_size: int, attention: AttentionConfig, dropout: DropoutConfig
    ) -> Decoder:
        del dropout
        return OwnDecoder(self, embedding_size, attention.build(self.size, memory_size))


class OwnDecoder(Decoder):
    """Recurs, attends, and adds the context to the state."""

    def __init__(self, config: OwnDecoderConfig, embedding_size: int, attention: Attention) -> None:
        super().__init__(attention, cell="gru", size=config.size, layers=1, feature_size=config.size)
        self.recurrence = nn.GRUCell(embedding_size, config.size)
        self.entry = nn.Linear(attention.context_size, config.size)

    def step(self, embedded: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        hidden = self.recurrence(embedded, state.layers[0].hidden)
        attended = self.attention.attend(hidden, prepared, state.attention)
        features = torch.tanh(hidden + self.entry(attended.context))
        return DecoderOutput(
            features, attended.weights, DecoderState((CellState(hidden),), None, attended.state), attended.log_prob
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLuongConfig(LuongConfig):
    """Luong's decoder under another class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GruEncoderConfig(EncoderConfig):
    """An encoder that holds torch's layers and uses them in its own way."""

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        del dropout
        return GruEncoder(input_size)


class GruEncoder(Encoder):
    """A bidirectional GRU that is given padded rows as they are, and reads its own weights and sizes."""

    def __init__(self, input_size: int) -> None:
        super().__init__(memory_size=6, state_sizes=(6,), cell="gru")
        self.recurrence = nn.GRU(input_size, 3, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(6, 6)
        self.scaled = nn.Linear(6, 6)
        self.scaled.register_forward_hook(lambda layer, given, result: 2.0 * result)

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        mask = length_mask(lengths, embedded.shape[1])
        outputs, last = self.recurrence(embedded * mask.unsqueeze(2))
        assert isinstance(self.projection, nn.Linear)
        assert self.projection.in_features == self.projection.out_features == self.recurrence.hidden_size * 2
        values = self.scaled(torch.tanh(self.projection(outputs))) + self.projection.weight.sum()
        state = CellState(last.transpose(0, 1).flatten(1))
        return SourceMemory(values.masked_fill(~mask.unsqueeze(2), 0.0), mask, lengths, (state,))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingConfig(RnnEncoderConfig):
    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        del dropout
        return Packing(self, input_size)


class Packing(RnnEncoder):
    """Our encoder with a way of its own to run its layers."""

    def __init__(self, config: PackingConfig, input_size: int) -> None:
        super().__init__(config, input_size, nn.Identity())

    def forward(self, embedded: Tensor, lengths: Tensor) -> SourceMemory:
        mask = length_mask(lengths, embedded.shape[1])
        values, last = self.layers[0](embedded * mask.unsqueeze(2))
        return SourceMemory(values * mask.unsqueeze(2), mask, lengths, (CellState(last.transpose(0, 1).flatten(1)),))


def model(**parts: object) -> Seq2Seq:
    config = Seq2SeqConfig(
        **{"embedding": EmbeddingConfig(size=4), "encoder": RnnEncoderConfig(size=3), "decoder": BahdanauConfig(size=5)}
        | parts
    )
    assert not list(config.problems())
    torch.manual_seed(3)
    return config.build(VOCABULARY, VOCABULARY)


def learns_and_translates(one: Seq2Seq) -> None:
    """Some updates by a real optimiser, and then a search by the weights of now that equals the plain one."""
    source, target = Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD)
    optimiser = torch.optim.Adam(one.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        loss = one.loss(one.train()(source, target, BOS), target)
        optimiser.zero_grad()
        loss.loss.backward()
        optimiser.step()
        losses.append(float(loss.nll))
    assert losses[-1] < 0.7 * losses[0]
    one.eval()
    config = SearchConfig(beam_size=3, min_length=3, n_best=2)
    found = {}
    for fast in (True, False):
        one.fast = fast
        found[fast] = search(ModelStepper(one), source, config, Symbols(BOS, EOS, (PAD, BOS)))
    assert len({tuple(row[0].tokens) for row in found[True]}) > 1
    for row, plain in zip(found[True], found[False], strict=True):
        assert [hypothesis.tokens for hypothesis in row] == [hypothesis.tokens for hypothesis in plain]
        assert [each.score for each in row] == pytest.approx([each.score for each in plain], abs=1e-4)


@pytest.mark.costly
@pytest.mark.parametrize("encoder", [GruEncoderConfig(), PackingConfig(size=3)])
def test_an_encoder_may_hold_any_layers(encoder: EncoderConfig) -> None:
    learns_and_translates(model(encoder=encoder, bridge="last"))


@pytest.mark.parametrize("encoder", [TransformerEncoderConfig(size=6, heads=2), ConvolutionConfig(size=6)])
@pytest.mark.parametrize("bridge", ["auto", "zero"])
def test_an_encoder_may_leave_no_states(encoder: EncoderConfig, bridge: str) -> None:
    learns_and_translates(model(encoder=encoder, bridge=bridge))


def test_without_attention_the_mean_annotation_stands_for_an_encoder_without_states() -> None:
    one = model(encoder=ConvolutionConfig(size=6), attention=NoAttentionConfig()).eval()
    memory = one.encode(Tokens.pad(SOURCES, PAD))
    prepared, _ = one.start(memory)
    expected = torch.stack([memory.values[row, : len(source)].mean(0) for row, source in enumerate(SOURCES)])
    torch.testing.assert_close(prepared.summary, expected)
    learns_and_translates(one)


@pytest.mark.parametrize(
    "encoder", [TransformerEncoderConfig(size=6, heads=2), ConvolutionConfig(size=6), RnnEncoderConfig(size=3)]
)
def test_a_memory_keeps_its_precision_under_autocast(encoder: EncoderConfig) -> None:
    one = model(encoder=encoder)
    with torch.autocast("cpu", torch.bfloat16):
        memory = one.encode(Tokens.pad(SOURCES, PAD))
    assert {tensor.dtype for _, tensor in tensors(memory) if tensor.is_floating_point()} == {torch.float32}


def test_a_model_does_not_choose_another_bridge_than_its_recipe_names() -> None:
    assert Seq2SeqConfig().bridge == Seq2SeqConfig(bridge="first-backward").bridge == "first-backward"
    config = Seq2SeqConfig(encoder=ConvolutionConfig(), bridge="last")
    assert [place for place, _ in config.problems()] == ["bridge"]
    assert Seq2SeqConfig(encoder=ConvolutionConfig()).bridge == "mean"


@pytest.mark.parametrize("scheme", ["xavier", "luong", "uniform"])
def test_a_transformer_encoder_begins_with_annotations_that_differ(scheme: str) -> None:
    one = model(encoder=TransformerEncoderConfig(size=6, heads=2), initialisation=InitialisationConfig(scheme=scheme))
    memory = one.encode(Tokens.pad(SOURCES, PAD))
    assert float(memory.values.detach()[memory.mask].std()) > 0.5


def test_a_decoder_may_be_of_any_class() -> None:
    learns_and_translates(model(decoder=OwnDecoderConfig(size=6)))


def test_layers_with_hooks_of_their_own_are_left_alone() -> None:
    one = model(encoder=GruEncoderConfig(), bridge="last").eval()
    prepacked = prepack(one).encoder
    assert isinstance(prepacked.projection, PrepackedLinear)
    assert type(prepacked.scaled) is nn.Linear


@pytest.mark.parametrize("scheme", ["paper", "xavier"])
def test_the_papers_scheme_is_refused_where_a_decoder_names_no_paper(scheme: str) -> None:
    config = Seq2SeqConfig(decoder=OwnDecoderConfig(size=6), initialisation=InitialisationConfig(scheme=scheme))
    message = "must not be paper with the OwnDecoderConfig decoder, which names none; choose xavier"
    assert list(config.problems()) == ([("initialisation.scheme", message)] if scheme == "paper" else [])
    if scheme == "paper":
        with pytest.raises(ValueError, match="the decoder names none"):
            config.build(VOCABULARY, VOCABULARY)


def test_a_recipe_with_a_new_decoder_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(DecoderConfig.registry._classes, "own", OwnDecoderConfig)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "data: {train: [{source: a, target: b}]}\n"
        "model: {decoder: {type: own, size: 512}, attention: {type: marginal}, initialisation: {scheme: paper}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert "model.initialisation.scheme must not be paper with the own decoder" in str(caught.value)
    assert "model.attention.type must not be marginal in the own decoder" in str(caught.value)
    assert "choose decoder: luong" in str(caught.value)


def test_sentinels_and_latent_alignments_go_where_a_decoder_says_so() -> None:
    marginal, sentinel = MarginalConfig(), SoftConfig(sentinel=True)
    for decoder in (LuongConfig(), OwnLuongConfig()):
        assert not list(decoder.conflicts(marginal))
        assert not list(decoder.conflicts(sentinel))
    for decoder in (BahdanauConfig(), OwnDecoderConfig()):
        assert [place for place, _ in decoder.conflicts(marginal)] == ["type"]
        ((place, message),) = decoder.conflicts(sentinel)
        assert place == "sentinel"
        assert message.endswith("choose decoder: conditional or luong")
    learns_and_translates(model(decoder=OwnLuongConfig(size=6), attention=marginal))
    learns_and_translates(model(decoder=OwnLuongConfig(size=6), attention=sentinel))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMarginalConfig(AttentionConfig):
    """A latent alignment that is no subclass of ours, nor is its attention of the kind that search knew."""

    latent: ClassVar[bool] = True

    def build(self, query_size: int, memory_size: int) -> Attention:
        return OwnMarginal(DotConfig().build(query_size, memory_size), context_size=memory_size)


class OwnMarginal(Attention):
    latent: ClassVar[bool] = True

    def __init__(self, score: Score, *, context_size: int) -> None:
        super().__init__(context_size=context_size)
        self.ours = MarginalAttention(score, context_size=context_size, mixes=True)

    def prepare(self, memory: SourceMemory) -> Prepared:
        return self.ours.prepare(memory)

    def forward(self, query: Tensor, prepared: Prepared, state: AttentionState) -> AttentionOutput:
        return self.ours(query, prepared, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHardConfig(HardConfig):
    """Hard attention under another class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNoneConfig(NoAttentionConfig):
    """No attention under another class."""


def test_objectives_and_terms_ask_what_an_attention_is() -> None:
    def of(attention: AttentionConfig) -> Seq2SeqConfig:
        return Seq2SeqConfig(decoder=LuongConfig(size=6), attention=attention, dropout=DropoutConfig(readout=0.1))

    own_hard, own_latent, own_none = of(OwnHardConfig()), of(OwnMarginalConfig()), of(OwnNoneConfig())
    assert "is OwnHardConfig: nothing else trains its weights" in str(LikelihoodConfig().check(own_hard))
    assert ReinforceConfig().check(own_hard) is None
    assert isinstance(TrainingConfig().objective_for(own_hard), ReinforceConfig)
    assert VariationalConfig().check(own_latent) is None
    assert "where model.attention is OwnHardConfig" in str(VariationalConfig().check(own_hard))
    assert "is OwnMarginalConfig: it compares single" in str(LikelihoodConfig(consistency=1.0).check(own_latent))
    assert "is OwnMarginalConfig, which draws nothing" in str(ReinforceConfig().check(own_latent))
    assert "is OwnNoneConfig, which has no weights" in str(DoublyStochasticConfig().check(own_none))
    assert DoublyStochasticConfig().check(own_latent) is None


def test_search_mixes_over_any_latent_alignment() -> None:
    one = model(decoder=LuongConfig(size=6), attention=OwnMarginalConfig())
    same = model(decoder=LuongConfig(size=6), attention=MarginalConfig(score=DotConfig()))
    same.load_state_dict(one.state_dict(), strict=True)
    with torch.no_grad():
        for parameter, other in zip(one.parameters(), same.parameters(), strict=True):
            parameter.mul_(4.0)
            other.copy_(parameter)
    source = Tokens.pad(SOURCES, PAD)
    found = []
    for each in (one.eval(), same.eval()):
        stepper = ModelStepper(each)
        prepared, state = stepper.start(source)
        found.append(stepper.step(torch.full((3,), BOS), prepared, state).log_probs)
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScoreConfig(DotConfig):
    """A score that may be told of coverage, or counts positions."""

    accepts_coverage: ClassVar[bool] = True
    needs_order: ClassVar[bool] = True

    def check(self, query_size: int, memory_size: int) -> str | None:
        del query_size, memory_size

    def build(self, query_size: int, memory_size: int) -> Score:
        return AdditiveScore(query_size=query_size, memory_size=memory_size, size=7)


def test_a_score_says_whether_it_fits_coverage_and_a_sentinel() -> None:
    covered = SoftConfig(score=OwnScoreConfig(), coverage=LinguisticCoverageConfig())
    assert not list(covered.problems())
    learns_and_translates(model(attention=covered))
    assert [place for place, _ in SoftConfig(score=OwnScoreConfig(), sentinel=True).problems()] == ["score"]
    told = SoftConfig(score=DotConfig(), coverage=LinguisticCoverageConfig())
    assert [place for place, _ in told.problems()] == ["score"]


def test_flags_of_configs_are_those_of_what_they_build() -> None:
    for name in AttentionConfig.registry.names():
        config = AttentionConfig.registry.find(name)()  # type: ignore[misc]
        built = config.build(8, 8)
        assert (config.latent, config.samples) == (built.latent, built.samples), name
        assert config.reads_sentinel == built.reads_sentinel
        row_sum: RowSum = config.row_sum
        assert (row_sum == "no weights") == (built.heads == 0), name
    assert SoftConfig(sentinel=True).reads_sentinel == SoftConfig(sentinel=True).build(8, 8).reads_sentinel


class OneByOne(HardAttention):
    """Hard attention whose queries come one by one."""

    recurrent = True


def test_what_a_recurrent_attention_drew_is_not_lost() -> None:
    decoder = LuongConfig(size=6, input_feeding=False)
    one = model(decoder=decoder, attention=HardConfig(expected=0.0))
    whole = copy.deepcopy(one)
    ours = one.decoder.attention
    one.decoder.attention = OneByOne(ours.score, context_size=ours.context_size, expected=0.0)
    source, target = Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD)
    found = {each: each.eval()(source, target, BOS).log_prob for each in (one, whole)}
    assert found[one] is not None
    torch.testing.assert_close(found[one], found[whole])
    output = one.train()(source, target, BOS)
    objective = ReinforceConfig().build(
        Seq2SeqConfig(decoder=decoder, attention=HardConfig()), vocabulary_size=VOCABULARY, smoothing=0.0
    )
    objective(one, Batch(source, target, torch.arange(3)), output).loss.backward()
    assert one.decoder.attention.score.W_a.weight.grad is not None


class Doubled(BahdanauDecoder):
    """Bahdanau's decoder with a cell of its own."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.recurrent.__class__ = type("Slow", (type(self.recurrent),), {"forward": _halfway})


def _halfway(self: nn.Module, projected: Tensor, context: Tensor, state: CellState) -> CellState:
    new = type(self).__mro__[1].forward(self, projected, context, state)
    return CellState((new.hidden + state.hidden) / 2.0)


def test_a_cell_that_does_something_else_is_not_fused_away() -> None:
    one = model(decoder=BahdanauConfig(size=5))
    decoder = Doubled(BahdanauConfig(size=5), 4, replace(SoftConfig()).build(5, 6), DropoutConfig())
    embedded = torch.randn(3, 5, 4)
    memory = one.encode(Tokens.pad(SOURCES, PAD))
    prepared, state = decoder.start(memory, one.bridge(memory))
    decoder.fast = True
    torch.testing.assert_close(
        decoder.unroll(embedded, prepared, state).features, decoder.loop(embedded, prepared, state).features
    )
