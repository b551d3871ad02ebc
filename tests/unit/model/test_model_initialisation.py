"""How parameters begin: orthogonal where the papers say so, and spread as they say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from model_sweep import combinations, few_decoders, variants
from torch import nn

from nmt.core.config.ranges import problems_of
from nmt.model.attention.soft import SoftConfig
from nmt.model.cells import GATES, GateNorm
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.initialisation import InitialisationConfig, initialise
from nmt.model.seq2seq import EmbeddingConfig, Seq2SeqConfig

GATED = ("decoder.recurrent.", "decoder.second.")  # the cells in which a context gate stands
DECODERS = few_decoders(variants(DecoderConfig, nested=False))
every_decoder = pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: f"{type(one).__name__}-{one.cell}")


def config_of(scheme, decoder=None, **changes):
    return Seq2SeqConfig(
        embedding=EmbeddingConfig(size=48),
        encoder=RnnEncoderConfig(size=32, layers=2, layer_norm=True),
        decoder=replace(decoder or BahdanauConfig(), size=40, layers=2),
        attention=SoftConfig(),
        initialisation=InitialisationConfig(scheme=scheme, **changes),
    )


def build(config, seed=0):
    torch.manual_seed(seed)
    return config.build(90, 70)


def is_recurrent(name):
    return "weight_hh" in name or name.endswith(".U.weight")


def spread(parameter, expected):
    """Mean 0 and a standard deviation as expected, within five standard errors of n draws."""
    values, count = parameter.detach(), parameter.numel()
    assert float(values.mean()) == pytest.approx(0.0, abs=5 * expected / math.sqrt(count))
    assert float(values.std()) == pytest.approx(expected, rel=5 / math.sqrt(2 * count))


@every_decoder
@pytest.mark.parametrize("scheme", ["bahdanau", "nematus", "xavier"])
def test_every_gates_recurrent_matrix_is_orthogonal(scheme, decoder):
    model = build(config_of(scheme, decoder))
    found = 0
    for name, parameter in model.named_parameters():
        if is_recurrent(name):
            size = parameter.shape[1]
            gates = parameter.detach().split(size)
            gated = name.startswith(GATED) and decoder.context_gate != "none"
            assert len(gates) - gated in GATES.values()
            for gate in gates:
                torch.testing.assert_close(gate @ gate.t(), torch.eye(size), atol=1e-5, rtol=0)
            assert not torch.allclose(gates[0], gates[1])
            found += 1
    assert found == 4 + 2 + (type(decoder).__name__ == "ConditionalConfig")


@every_decoder
@pytest.mark.parametrize("scheme", ["bahdanau", "nematus", "xavier", "uniform", "normal"])
def test_biases_begin_at_zero_and_gains_as_built(scheme, decoder):
    model = build(config_of(scheme, decoder))
    gains = gains_of(model)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            assert bool((parameter == gains.get(name, 0.0)).all()), name


def gains_of(model):
    """The first gains: one, but for what recurs, which would be magnified from step to step."""
    norms = {name: each for name, each in model.named_modules() if isinstance(each, nn.LayerNorm | GateNorm)}
    driven = {name for name, each in norms.items() if isinstance(each, nn.LayerNorm) or name.endswith(".norms.0")}
    return {f"{name}.weight": 1.0 if name in driven else 0.1 for name in norms}


@every_decoder
def test_bahdanaus_matrices(decoder):
    model = build(config_of("bahdanau", decoder))
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2 or is_recurrent(name):
            continue
        if name.endswith("v_a.weight"):
            assert bool((parameter == 0).all())
        elif name.endswith(("W_a.weight", "U_a.weight")):
            spread(parameter, 0.001)
        else:
            spread(parameter, 0.01)


@every_decoder
def test_nematus_matrices(decoder):
    for name, parameter in build(config_of("nematus", decoder)).named_parameters():
        if parameter.dim() > 1 and not is_recurrent(name):
            spread(parameter, 0.01)


@every_decoder
def test_luongs_parameters_are_all_uniform(decoder):
    model = build(config_of("luong", decoder))
    gains = gains_of(model)
    for name, parameter in model.named_parameters():
        if name in gains:
            # The paper has no layer norm; a gain of 0.05 would silence the encoder.
            assert bool((parameter == gains[name]).all())
            continue
        assert float(parameter.detach().abs().max()) <= 0.1
        # A uniform distribution on [-a, a] has a standard deviation of a / sqrt(3).
        spread(parameter, 0.1 / math.sqrt(3))


@every_decoder
def test_xaviers_bounds_are_those_of_each_gate(decoder):
    model = build(config_of("xavier", decoder))
    gates = GATES[decoder.cell]
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2 or is_recurrent(name):
            continue
        if "embedding" in name or name == "output.weight":
            spread(parameter, 1 / math.sqrt(48))
            continue
        stacked = 3 if name.startswith("encoder") else gates
        in_cell = "weight_ih" in name or any(part in name for part in (".W.", ".C."))
        stacked += name.startswith(GATED) and decoder.context_gate != "none"
        rows = parameter.shape[0] // (stacked if in_cell else 1)
        bound = math.sqrt(6 / (rows + parameter.shape[1]))
        assert 0.9 * bound < float(parameter.detach().abs().max()) <= bound, name


def test_scales_of_one_for_all():
    for name, parameter in build(config_of("uniform", scale=0.3)).named_parameters():
        if parameter.dim() > 1:
            assert 0.25 < float(parameter.detach().abs().max()) <= 0.3, name
    for parameter in build(config_of("normal", scale=0.3)).parameters():
        if parameter.dim() > 1:
            spread(parameter, 0.3)
    assert list(problems_of(InitialisationConfig(scale=0.0))) == [("scale", "must be above 0, but is 0.0")]


def test_decoders_name_the_papers_that_they_are_from():
    named = {name: DecoderConfig.registry.find(name).paper_scheme for name in ("bahdanau", "luong", "conditional")}
    assert named == {"bahdanau": "bahdanau", "luong": "luong", "conditional": "nematus"}


@pytest.mark.parametrize("decoder", [one for one in DECODERS if one.paper_scheme], ids=lambda one: type(one).__name__)
def test_paper_is_the_scheme_of_the_decoders_own_paper(decoder):
    one = build(config_of("paper", decoder))
    other = build(config_of(decoder.paper_scheme, decoder))
    for (name, parameter), same in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, same), name


class Foreign(nn.Module):
    """Layers and parameters as a part of somebody else's may have them."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.full((1,), 0.7))
        self.sharpness = nn.Parameter(torch.full((3, 4), 2.0))
        self.norms = nn.ModuleList([nn.LayerNorm(6), nn.BatchNorm1d(6), nn.GroupNorm(2, 6), nn.RMSNorm(6)])
        self.encoder = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)
        self.embedding = nn.Embedding(9, 6, padding_idx=2)
        self.positions = nn.Embedding.from_pretrained(torch.full((5, 6), 0.4))
        self.rnn = nn.LSTM(6, 6, proj_size=3, batch_first=True)
        self.convolution = nn.Conv1d(6, 6, 3)
        self.scaled = nn.utils.parametrizations.weight_norm(nn.Linear(6, 6, bias=False))


@pytest.mark.parametrize("scheme", ["bahdanau", "luong", "nematus", "xavier", "uniform", "normal"])
def test_what_is_no_layers_weight_or_bias_stays_as_it_was_built(scheme):
    torch.manual_seed(0)
    one = Foreign()
    built = {name: parameter.clone() for name, parameter in one.named_parameters()}
    initialise(one, InitialisationConfig(scheme=scheme), None)
    kept = {name for name, parameter in one.named_parameters() if torch.equal(parameter, built[name])}
    gains = {f"norms.{number}.weight" for number in range(4)} | {f"encoder.norm{one}.weight" for one in (1, 2)}
    zeros = {f"norms.{number}.bias" for number in range(3)} | {f"encoder.norm{one}.bias" for one in (1, 2)}
    zeros |= {"encoder.self_attn.out_proj.bias"}
    own = {
        "gain",
        "sharpness",
        "positions.weight",
        "encoder.self_attn.in_proj_weight",
        "encoder.self_attn.in_proj_bias",
    }
    own |= {name for name in built if name.startswith("scaled.")}
    assert kept == gains | own | (set() if scheme == "luong" else zeros)
    for name, parameter in one.named_parameters():
        if name not in own and "bias" in name and scheme != "luong":
            assert not parameter.any(), name
    assert not one.embedding.weight[2].any()


def test_a_transformers_annotations_and_a_learnt_scale_survive():
    """A gain of 0 in its norms would make every annotation 0, and one in a score every weight the same."""
    one = Foreign()
    initialise(one, InitialisationConfig(), None)
    annotations = one.encoder(torch.randn(2, 5, 6))
    assert float(annotations.detach().std()) > 0.5
    assert one.gain.tolist() == pytest.approx([0.7])


def test_one_seed_gives_one_model():
    for combination in combinations()[::7]:
        one, other, third = build(combination.config), build(combination.config), build(combination.config, seed=1)
        for (name, parameter), same, different in zip(
            one.named_parameters(), other.parameters(), third.parameters(), strict=True
        ):
            assert torch.equal(parameter, same), name
            assert parameter.dim() < 2 or not torch.equal(parameter, different), name


def test_no_parameter_is_left_as_memory_was():
    """The output weight is allocated without a value: NaN shows whoever forgets it."""
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True)
    try:
        model = build(config_of("xavier"))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
