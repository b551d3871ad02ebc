"""Lexical guidance: what the lexicon learns, what it believes, and what attention is shown of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import reference_objective
import torch
from objective_models import (
    EOS,
    SOURCES,
    TARGETS,
    VOCABULARY,
    batch_of,
    drawn_weights,
    model_config,
    output_of,
    run,
    sharp,
)

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.recipe import Recipe
from nmt.training.objective import lexical_guidance
from nmt.training.objective.lexical_guidance import LexicalGuidance, LexicalGuidanceConfig, Lexicon
from nmt.training.objective.likelihood import LikelihoodConfig
from nmt.training.objective.training_module import TrainingModule


def term_of(*, delay: int = 0, null_probability: float = 0.2, diagonal: float = 3.0, dropout: float = 0.0):
    torch.manual_seed(5)
    lexicon = Lexicon(VOCABULARY, VOCABULARY, size=4, dropout=dropout).double()
    with torch.no_grad():
        lexicon.embedding.weight.mul_(6.0)
        lexicon.output.bias.normal_()
    return LexicalGuidance(lexicon, null_probability=null_probability, diagonal=diagonal, delay=delay)


def translated(term, source, target):
    """``log p(y_t | x_s)`` in plain lists, eos of the target left out."""
    weight, bias = term.lexicon.output.weight.tolist(), term.lexicon.output.bias.tolist()
    rows = {}
    for piece in set(source):
        embedded = term.lexicon.embedding.weight[piece].tolist()
        energies = [
            sum(w * e for w, e in zip(row, embedded, strict=True)) + b for row, b in zip(weight, bias, strict=True)
        ]
        whole = reference_objective.log_sum(energies)
        rows[piece] = [energy - whole for energy in energies]
    return [[rows[piece][word] for piece in source] for word in target[:-1]]


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_it_equals_plain_loops_and_averages_heads(delay):
    term, batch = term_of(delay=delay), batch_of()
    weights = drawn_weights(batch, heads=2)
    expected = 0.0
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        heads = weights[row, : len(target), :, : len(source)].mean(1)
        lexicon, attention, posterior = reference_objective.lexical_guidance(
            heads.tolist(), translated(term, source, target), null_probability=0.2, diagonal=3.0, delay=delay
        )
        expected += lexicon + attention
        joint = term.log_joint(batch)[row, : len(target) - 1, : len(source)]
        torch.testing.assert_close(torch.softmax(joint, -1), torch.tensor(posterior, dtype=torch.float64))
    assert term(batch, output_of(weights)).item() == pytest.approx(expected, abs=1e-6)


def test_the_posterior_of_two_words_by_hand():
    # Pieces 3 and 4 against 5 and 6, lambda 2 ln 2. Both have their middles at 1/4 and 3/4, so that a distance of
    # 1/2 halves: on the diagonal the prior is 2/3, beside it 1/3, times 1 - p0 = 3/4: 1/2 and 1/4; p0 = 1/4.
    # The lexicon: p(5 | 3) = 0.2, p(5 | 4) = 0.4, p(5 | eos) = 0.2. For y_1 = 5:
    #   1/2 0.2 = 0.10, 1/4 0.4 = 0.10, 1/4 0.2 = 0.05, in all 0.25: q = 0.4, 0.4, 0.2.
    # And p(6 | 3) = 0.4, p(6 | 4) = 0.1, p(6 | eos) = 0.2. For y_2 = 6:
    #   1/4 0.4 = 0.10, 1/2 0.1 = 0.05, 1/4 0.2 = 0.05, in all 0.20: q = 0.5, 0.25, 0.25.
    # Weights of 1/2, 1/4, 1/4 at both: the losses are -ln 0.25 - ln 0.20 for the lexicon, and
    #   0.4 ln 2 + 0.6 ln 4 = 1.6 ln 2, and 0.5 ln 2 + 0.5 ln 4 = 1.5 ln 2 for the attention.
    term = term_of(null_probability=0.25, diagonal=2 * math.log(2.0))
    given = {3: (0.2, 0.4), 4: (0.4, 0.1), EOS: (0.2, 0.2)}
    with torch.no_grad():
        term.lexicon.embedding.weight.zero_()
        term.lexicon.output.weight.zero_()
        term.lexicon.output.bias.zero_()
        for place, (piece, (five, six)) in enumerate(given.items()):
            term.lexicon.embedding.weight[piece, place] = 1.0
            # What remains is shared evenly among the other five pieces.
            term.lexicon.output.weight[:, place] = math.log((1.0 - five - six) / 5)
            term.lexicon.output.weight[5, place] = math.log(five)
            term.lexicon.output.weight[6, place] = math.log(six)
    batch = batch_of([[3, 4, EOS]], [[5, 6, EOS]])
    posterior = torch.softmax(term.log_joint(batch), -1)[0, :2]
    torch.testing.assert_close(posterior, torch.tensor([[0.4, 0.4, 0.2], [0.5, 0.25, 0.25]], dtype=torch.float64))
    weights = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).expand(1, 3, 1, 3)
    expected = -math.log(0.25) - math.log(0.20) + 3.1 * math.log(2.0)
    assert term(batch, output_of(weights)).item() == pytest.approx(expected, abs=1e-6)


def test_a_row_of_a_batch_equals_the_sentence_alone():
    for delay in (0, 1, 2):
        term, batch = term_of(delay=delay), batch_of()
        weights = drawn_weights(batch)
        alone = 0.0
        for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
            alone += term(
                batch_of([source], [target]), output_of(weights[row : row + 1, : len(target), :, : len(source)])
            ).item()
        assert term(batch, output_of(weights)).item() == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize(("source", "target"), [([EOS], [3, EOS]), ([3, EOS], [EOS]), ([EOS], [EOS])])
def test_sentences_without_words_stay_finite(source, target):
    for delay in (0, 1, 2):
        term, batch = term_of(delay=delay), batch_of([source, SOURCES[0]], [target, TARGETS[0]])
        value = term(batch, output_of(drawn_weights(batch)))
        value.backward()
        assert bool(term.log_joint(batch)[0, :, len(source) :].isneginf().all())
        assert value.isfinite() and all(bool(each.grad.isfinite().all()) for each in term.parameters())


def test_a_weight_of_zero_has_a_finite_loss():
    batch = batch_of()
    weights = torch.zeros_like(drawn_weights(batch)).requires_grad_()
    term_of()(batch, output_of(weights)).backward()
    assert bool(weights.grad.isfinite().all())


def test_dropping_from_the_lexicon_is_for_training():
    term, batch = term_of(dropout=0.5), batch_of()
    output = output_of(drawn_weights(batch))
    assert term(batch, output).item() != term(batch, output).item()
    term.eval()
    assert term(batch, output).item() == term(batch, output).item() == pytest.approx(term_of()(batch, output).item())


def test_logits_beyond_what_is_kept_change_nothing(monkeypatch):
    found = []
    for kept in (2**24, 2 * VOCABULARY):
        monkeypatch.setattr(lexical_guidance, "KEPT_LOGITS", kept)
        term, batch = term_of(), batch_of()
        value = term(batch, output_of(drawn_weights(batch)))
        value.backward()
        found.append([value.detach(), *(each.grad for each in term.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


# ---------------------------------------------------------------- gradients


def test_derivatives_of_the_lexicon():
    """The posterior is not differentiated: weights that say nothing leave the lexicon's own loss."""
    term, batch = term_of(), batch_of()
    weights = torch.ones_like(drawn_weights(batch))  # of which the logarithm is zero
    parameters = tuple(term.parameters())

    def value(*_):
        return term(batch, output_of(weights))

    assert torch.autograd.gradcheck(value, parameters)


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_derivatives_of_the_weights(delay):
    term, batch = term_of(delay=delay), batch_of()
    weights = drawn_weights(batch, heads=2).clamp_min(0.01).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: term(batch, output_of(values)), (weights,))


def test_what_attention_does_teaches_the_lexicon_nothing():
    gradients = []
    for seed in (1, 2):
        term, batch = term_of(), batch_of()
        term(batch, output_of(drawn_weights(batch, seed=seed))).backward()
        gradients.append([each.grad for each in term.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_the_attention_taught_is_that_of_the_step_that_has_read_the_word():
    for delay in (0, 1, 2):
        term, batch = term_of(delay=delay), batch_of()
        weights = drawn_weights(batch).requires_grad_()
        term(batch, output_of(weights)).backward()
        taught = (weights.grad != 0).any(-1).squeeze(2)
        for row, target in enumerate(TARGETS):
            words = len(target) - 1
            steps = [delay <= step < min(words + delay, len(target)) for step in range(taught.shape[1])]
            assert taught[row].tolist() == steps


# ---------------------------------------------------------------- built beside a model


@pytest.mark.parametrize(
    ("decoder", "shifted", "delay"),
    [({}, True, 1), ({}, False, 0), ({"type": "bahdanau"}, True, 2), ({"type": "conditional"}, True, 1)],
)
def test_the_decoder_says_how_late_a_word_is_read(decoder, shifted, delay):
    model = sharp(model_config(**decoder))
    term = LexicalGuidanceConfig(shifted=shifted).build(model)
    assert isinstance(term, LexicalGuidance) and term.delay == delay


def test_sizes_come_from_the_model():
    model = replace(model_config()).build(9, 11)
    term = LexicalGuidanceConfig(size=3).build(model)
    assert {name: tuple(each.shape) for name, each in term.lexicon.named_parameters()} == {
        "embedding.weight": (9, 3),
        "output.weight": (11, 3),
        "output.bias": (11,),
    }


def test_both_learn_what_always_stands_together():
    """Piece 3 is always 5, 4 always 6, in either order: after some updates lexicon and attention have it."""
    torch.manual_seed(1)
    settings = model_config(input_feeding=False)
    model = settings.build(VOCABULARY, VOCABULARY).train()
    made = LexicalGuidanceConfig(size=4, dropout=0.0, diagonal=0.0)
    likelihood = LikelihoodConfig().build(settings, vocabulary_size=VOCABULARY, smoothing=0.0)
    module = TrainingModule(model, likelihood, {"lexical-guidance": (made, made.build(model))})
    batch = batch_of([[3, 4, EOS], [4, 3, EOS], [3, EOS], [4, EOS]], [[6, 5, EOS], [6, 5, EOS], [5, EOS], [6, EOS]])
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    for step in range(60):
        optimiser.zero_grad()
        module(batch, 1, step).loss.backward()
        optimiser.step()
    weights = run(model, batch).weights.squeeze(2)
    # Weights of the step after the word: the first pair is crossed, the second is not.
    assert weights[0, 1:3].argmax(-1).tolist() == [1, 0]
    assert weights[1, 1:3].argmax(-1).tolist() == [0, 1]
    assert set(dict(module.auxiliary.named_parameters())) == {
        f"terms.lexical-guidance.lexicon.{name}" for name in ("embedding.weight", "output.weight", "output.bias")
    }


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        (["model.attention=none", "training.terms=[lexical-guidance]"], "terms.0", "which has no weights"),
        (["training.terms=[{type: lexical-guidance, weight: 0}]"], "terms.0.weight", "must be above 0"),
        (["training.terms=[{type: lexical-guidance, size: 0}]"], "terms.0.size", "must be at least 1"),
        (["training.terms=[{type: lexical-guidance, dropout: 1}]"], "terms.0.dropout", "below 1"),
        (["training.terms=[{type: lexical-guidance, null_probability: 0}]"], "terms.0.null_probability", "above 0"),
        (["training.terms=[{type: lexical-guidance, null_probability: 1}]"], "terms.0.null_probability", "below 1"),
        (["training.terms=[{type: lexical-guidance, diagonal: -1}]"], "terms.0.diagonal", "must be at least 0"),
    ],
)
def test_what_is_not_defined_is_refused_by_name(overrides, path, message):
    text = "{data: {train: [{source: a, target: b}]}, training: {max_steps: 1}}"
    with pytest.raises(ConfigError) as caught:
        config.load(Recipe, text, name="recipe", overrides=overrides)
    (problem,) = caught.value.problems
    assert problem.path == f"training.{path}" and message in problem.message
