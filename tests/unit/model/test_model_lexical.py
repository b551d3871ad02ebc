"""The lexical model at the readout: what it reads, what it is refused for, and that it teaches the table of words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_sweep import BOS, PAD, SOURCES, TARGETS, VOCABULARY, close, ragged, sharpened
from torch import nn

from nmt.data.batch import Dense, Tokens
from nmt.model.attention.base import AttentionState, Prepared
from nmt.model.attention.marginal import MarginalConfig
from nmt.model.attention.none import NoAttentionConfig
from nmt.model.decoder.luong import LuongConfig
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.initialisation import InitialisationConfig
from nmt.model.readout.lexical import LexicalOutputLayer
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

CONFIG = Seq2SeqConfig(
    embedding=EmbeddingConfig(size=4), encoder=RnnEncoderConfig(size=3), decoder=LuongConfig(size=5), lexical=True
)
SOURCE, TARGET = Tokens.pad(SOURCES, PAD), Tokens.pad(TARGETS, PAD)


def prepared(embedded: torch.Tensor | None) -> Prepared:
    nothing = torch.zeros(1, 2, 0)
    return Prepared(nothing, nothing, torch.ones(1, 2, dtype=torch.bool), torch.tensor([2]), embedded=embedded)


def test_by_hand() -> None:
    """Two heads weigh two words of one number: of 0.25 and 0.75, and of 0.75 and 0.75, the means 0.5 and 0.75."""
    layer = LexicalOutputLayer(1, 2, source_size=1)
    values = {
        "weight": [[1.0], [0.0]],
        "bias": [0.0, 0.5],
        "W.weight": [[2.0]],
        "words.weight": [[0.0], [3.0]],
        "words.bias": [0.25, 0.0],
    }
    layer.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    weights = torch.tensor([[[0.25, 0.75], [0.75, 0.75]]])
    given = DecoderOutput(torch.tensor([[0.1]]), weights, DecoderState((), None, AttentionState()))
    found = layer.complete(given, prepared(torch.tensor([[[1.0], [-2.0]]])))
    average = torch.tanh(torch.tensor(0.5 * 1.0 - 0.75 * 2.0))
    hidden = torch.tanh(2.0 * average) + average
    close(found.features, torch.stack([torch.tensor(0.1), hidden]).view(1, 2), 1e-6)
    close(layer(found.features), torch.stack([torch.tensor(0.1 + 0.25), 0.5 + 3.0 * hidden]).view(1, 2), 1e-6)
    with pytest.raises(TypeError, match="this source has none"):
        layer.complete(given, prepared(None))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_fused_loss_equals_the_plain_one(smoothing: float) -> None:
    results = []
    for fast in (True, False):
        torch.manual_seed(1)
        model = sharpened(CONFIG.build(VOCABULARY, VOCABULARY).double())
        model.fast = fast
        loss = model.loss(model(SOURCE, TARGET, BOS), TARGET, smoothing=smoothing)
        loss.loss.backward()
        results.append([loss.loss, *(each.grad for each in model.parameters() if each.grad is not None)])
    for one, other in zip(*results, strict=True):
        close(one, other, 1e-8)
    assert len(results[0]) == 1 + len(list(model.parameters()))


@pytest.mark.parametrize("attention", [NoAttentionConfig(), MarginalConfig()])
def test_it_is_refused_without_weights_of_one_distribution(attention: object) -> None:
    ((path, message),) = replace(CONFIG, attention=attention).problems()
    assert path == "lexical"
    assert message.startswith("must be false with attention ") and message.endswith("; or choose soft")
    assert not list(replace(CONFIG, attention=attention, lexical=False).problems())


def test_it_reads_what_the_encoder_reads() -> None:
    """A word dropped for the encoder is dropped here too, and padding has no weight."""
    torch.manual_seed(2)
    model = replace(CONFIG, dropout=DropoutConfig(word=0.5)).build(VOCABULARY, VOCABULARY)
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    memory = model.encode(SOURCE)
    assert memory.embedded is seen[0]
    gone = (seen[0] == 0).all(2)
    assert bool(gone.any()) and not bool(gone.all())
    model.eval()
    one, other = model(ragged(SOURCES), TARGET, BOS), model(ragged(SOURCES, seed=5), TARGET, BOS)
    close(one.features, other.features, 1e-6)


def test_a_model_without_one_carries_no_words() -> None:
    plain = replace(CONFIG, lexical=False).build(VOCABULARY, VOCABULARY)
    prepared, _ = plain.start(plain.encode(SOURCE))
    assert prepared.embedded is None
    assert plain(SOURCE, TARGET, BOS).features.shape[2] == 4
    assert CONFIG.build(VOCABULARY, VOCABULARY)(SOURCE, TARGET, BOS).features.shape[2] == 8


def test_features_have_no_words() -> None:
    model = CONFIG.build(None, VOCABULARY, 6)
    with pytest.raises(TypeError, match="this source has none"):
        model(Dense.pad([torch.ones(3, 6).numpy()]), Tokens.pad([[3, 2]], PAD), BOS)


@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_its_matrix_is_never_tied_and_has_a_row_per_piece(tied: str) -> None:
    model = replace(CONFIG, embedding=EmbeddingConfig(size=4, tied=tied)).build(VOCABULARY, VOCABULARY)
    layer = model.output
    assert isinstance(layer, LexicalOutputLayer)
    assert layer.words.weight is not model.target_embedding.weight
    assert {"output.words.weight", "output.words.bias"} <= model.piece_rows
    assert "output.W.weight" not in model.piece_rows


@pytest.mark.parametrize("scheme", ["xavier", "bahdanau", "luong", "nematus", "uniform", "normal"])
def test_every_scheme_draws_it_and_its_share_of_the_logits_is_small(scheme: str) -> None:
    torch.manual_seed(0)
    config = replace(CONFIG, embedding=EmbeddingConfig(size=64), initialisation=InitialisationConfig(scheme=scheme))
    model = config.build(300, 300)
    layer = model.output
    assert isinstance(layer, LexicalOutputLayer)
    matrices = [layer.W.weight, layer.words.weight]
    assert all(0.005 < float(each.detach().std()) < 0.2 for each in matrices)
    hidden = model(SOURCE, TARGET, BOS).features[..., 64:]
    assert float((hidden @ layer.words.weight.t()).detach().abs().max()) < 0.5


def test_words_alone_teach_a_table_of_words() -> None:
    """Where the decoder's features say nothing, the word that attention looks at gives its translation."""
    torch.manual_seed(0)
    layer = LexicalOutputLayer(1, 12, source_size=8)
    embedding = nn.Embedding(12, 8)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.words.weight, std=0.1)
    parameters = [*layer.parameters(), *embedding.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=0.05)
    words = torch.arange(12).view(3, 4)
    weights = torch.eye(4).expand(3, 4, 4).unsqueeze(2)
    state = DecoderState((), None, AttentionState())
    lengths = torch.full((3,), 4)
    for _ in range(60):
        known = Prepared(torch.zeros(3, 4, 0), torch.zeros(3, 4, 0), torch.ones(3, 4) > 0, lengths)
        known = replace(known, embedded=embedding(words))
        output = layer.complete(DecoderOutput(torch.zeros(3, 4, 1), weights, state), known)
        loss = layer.loss(output, Tokens(words.flip(0), lengths)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(layer.log_probs(output).argmax(-1), words.flip(0))
