"""Objectives and terms: what they sum, how they are weighed, with which models they are defined."""

from __future__ import annotations

from dataclasses import replace

import pytest
import reference_objective
import torch
from objective_models import SOURCES, TARGETS, VOCABULARY, batch_of, drawn_weights, model_config, output_of, run, sharp
from torch.nn import functional

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.core.tensors import select_rows
from nmt.model.dropout import DropoutConfig
from nmt.recipe import Recipe
from nmt.training.objective.base import ObjectiveConfig, TermConfig
from nmt.training.objective.doubly_stochastic import DoublyStochastic, DoublyStochasticConfig
from nmt.training.objective.guided_alignment import LEAST_WEIGHT, GuidedAlignment, GuidedAlignmentConfig
from nmt.training.objective.likelihood import LikelihoodConfig
from nmt.training.objective.training_module import TrainingModule

LINKS = ({(0, 0), (1, 0), (2, 2)}, set(), {(0, 1), (0, 3)})


def alignment_of(links):
    """(B, T, S) rows even over the linked source pieces."""
    batch = batch_of()
    rows = torch.zeros(3, batch.target.ids.shape[1], batch.source.ids.shape[1])
    for row, sentence in enumerate(links):
        for source, target in sentence:
            rows[row, target, source] = 1.0 / sum(other == target for _, other in sentence)
    return rows


# ---------------------------------------------------------------- the doubly stochastic penalty


def test_doubly_stochastic_by_hand():
    # Columns sum to 0.5 + 0.9 = 1.4 and 0.5 + 0.1 = 0.6: 0.4^2 + 0.4^2 = 0.32. The third is padding.
    weights = torch.tensor([[[[0.5, 0.5]], [[0.9, 0.1]], [[1.0, 0.0]]]])
    batch = batch_of([[3, 2]], [[3, 2, 0]])
    batch.target.lengths[0] = 2
    assert DoublyStochastic()(batch, output_of(weights)).item() == pytest.approx(0.32)


def test_doubly_stochastic_equals_plain_loops_and_averages_heads():
    batch = batch_of()
    weights = drawn_weights(batch, heads=2)
    expected = 0.0
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        heads = weights[row, : len(target), :, : len(source)].mean(1)
        expected += reference_objective.doubly_stochastic(heads.tolist())
    assert DoublyStochastic()(batch, output_of(weights)).item() == pytest.approx(expected, abs=1e-12)


# ---------------------------------------------------------------- guided alignment


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("delay", [0, 1, 2])
def test_guided_alignment_equals_plain_loops(delay, heads):
    batch = batch_of(alignment=alignment_of(LINKS))
    weights = drawn_weights(batch, heads=heads)
    expected = 0.0
    for row, target in enumerate(TARGETS):
        # A piece is taught to a later step, if the target has one.
        taught = weights[row, delay : len(target)].mean(1).tolist()
        links = {(source, word) for source, word in LINKS[row] if word < len(taught)}
        expected += reference_objective.guided(taught, links)
    assert GuidedAlignment(delay=delay)(batch, output_of(weights)).item() == pytest.approx(expected, abs=1e-5)


def test_guided_alignment_teaches_the_step_that_has_read_a_word_if_asked():
    for decoder, shifted, delay in (("luong", False, 0), ("luong", True, 1), ("bahdanau", True, 2)):
        term = GuidedAlignmentConfig(shifted=shifted).build(sharp(model_config(type=decoder)))
        assert isinstance(term, GuidedAlignment) and term.delay == delay


def test_words_without_links_carry_no_loss():
    weights = drawn_weights(batch_of())
    term = GuidedAlignment()
    assert term(batch_of(alignment=alignment_of([set()] * 3)), output_of(weights)).item() == 0.0
    one = weights.clone().requires_grad_()
    term(batch_of(alignment=alignment_of(LINKS)), output_of(one)).backward()
    linked = alignment_of(LINKS) > 0
    assert bool((one.grad.squeeze(2)[linked] < 0).all()) and bool((one.grad.squeeze(2)[~linked] == 0).all())


def test_a_weight_of_zero_has_a_finite_loss():
    weights = torch.zeros_like(drawn_weights(batch_of())).requires_grad_()
    loss = GuidedAlignment()(batch_of(alignment=alignment_of(LINKS)), output_of(weights))
    loss.backward()
    assert loss.item() == pytest.approx(-4 * torch.tensor(LEAST_WEIGHT).log().item(), rel=1e-5)
    assert bool(weights.grad.isfinite().all())


def test_batches_without_alignments_are_a_mistake():
    with pytest.raises(ValueError, match="needs batches with alignments"):
        GuidedAlignment()(batch_of(), output_of(drawn_weights(batch_of())))


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize("term", [DoublyStochastic(), GuidedAlignment()], ids=["doubly-stochastic", "guided"])
def test_derivatives_of_terms(term):
    batch = batch_of(alignment=alignment_of(LINKS).double())
    weights = drawn_weights(batch, heads=2).requires_grad_()
    real = weights.detach() > 0

    def value(values):
        return term(batch, output_of(torch.where(real, values, 0.0)))

    assert torch.autograd.gradcheck(value, (weights.detach().clamp_min(0.01).requires_grad_(),))


# ---------------------------------------------------------------- a model with its objective


def test_likelihood_alone_is_the_models_loss():
    model = sharp(model_config())
    likelihood = LikelihoodConfig().build(model_config(), vocabulary_size=7, smoothing=0.1)
    batch = batch_of()
    found = TrainingModule(model, likelihood, {})(batch, 1, 0)
    expected = model.loss(run(model, batch), batch.target, smoothing=0.1)
    assert torch.equal(found.loss, expected.loss) and torch.equal(found.nll, expected.nll)
    assert found.tokens == sum(map(len, TARGETS)) and found.terms == {}


def test_two_passes_are_averaged_and_held_together():
    """Against both passes one by one, drawn by the same random numbers, and torch's divergence."""
    made = replace(model_config(), dropout=DropoutConfig(embedding=0.2, annotation=0.2, readout=0.3))
    model, batch = sharp(made), batch_of(alignment=alignment_of(LINKS))
    guided = GuidedAlignmentConfig(weight=2.0)
    likelihood = LikelihoodConfig(consistency=4.0).build(made, vocabulary_size=7, smoothing=0.1)
    torch.manual_seed(8)
    found = TrainingModule(model, likelihood, {"guided-alignment": (guided, guided.build(model))})(batch, 1, 0)
    torch.manual_seed(8)
    output = run(model, batch.repeated(2))
    words, taught, distributions = [], [], []
    for reading in (slice(0, 3), slice(3, 6)):
        one = replace(output, features=output.features[reading], weights=output.weights[reading])
        words.append(model.loss(one, batch.target, smoothing=0.1))
        taught.append(GuidedAlignment()(batch, one))
        rows = [model.log_probs(one)[row, : len(target)] for row, target in enumerate(TARGETS)]
        distributions.append(torch.cat(rows))
    first, second = distributions
    both_ways = ((first, second), (second, first))
    apart = sum(functional.kl_div(other, one, reduction="sum", log_target=True) for one, other in both_ways)
    expected = sum(each.loss for each in words) / 2 + 4.0 * apart / 4 + 2.0 * sum(taught) / 2
    assert float(apart.detach()) > 1.0, "the passes differ"
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(found.nll, sum(each.nll for each in words) / 2)
    torch.testing.assert_close(found.terms["guided-alignment"], sum(taught) / 2, check_dtype=False)
    assert found.tokens == sum(map(len, TARGETS))


def test_passes_that_agree_cost_nothing():
    model, batch = sharp(model_config()), batch_of()
    twice = LikelihoodConfig(consistency=4.0).build(model_config(), vocabulary_size=7, smoothing=0.1)
    once = LikelihoodConfig().build(model_config(), vocabulary_size=7, smoothing=0.1)
    torch.testing.assert_close(
        *(TrainingModule(model, objective, {})(batch, 1, 0).loss for objective in (twice, once)), rtol=0, atol=1e-12
    )


def test_terms_are_weighed_and_told_apart():
    model = sharp(model_config())
    batch = batch_of(alignment=alignment_of(LINKS))
    configs = {
        "doubly-stochastic": DoublyStochasticConfig(weight=0.5),
        "guided-alignment": GuidedAlignmentConfig(weight=3.0, decay=0.5, decay_interval=10),
    }
    likelihood = LikelihoodConfig().build(model_config(), vocabulary_size=7, smoothing=0.0)
    module = TrainingModule(model, likelihood, {name: (each, each.build(model)) for name, each in configs.items()})
    words = model.loss(run(model, batch), batch.target).loss
    for step, weight in ((0, 3.0), (9, 3.0), (10, 1.5), (25, 0.75)):
        found = module(batch, 1, step)
        expected = words + 0.5 * found.terms["doubly-stochastic"] + weight * found.terms["guided-alignment"]
        torch.testing.assert_close(found.loss, expected)
    assert all(value > 0 for value in found.terms.values())
    assert list(module.auxiliary.parameters()) == [] and len(list(module.parts.parameters())) == len(
        list(model.parameters())
    )


def test_a_decay_of_one_keeps_the_weight():
    assert [DoublyStochasticConfig(weight=2.0).weight_at(step) for step in (0, 10**6)] == [2.0, 2.0]


# ---------------------------------------------------------------- what is defined, when the recipe is read


def load(*overrides):
    text = """
data: {train: [{source: a, target: b}]}
training: {max_steps: 1}
"""
    return config.load(Recipe, text, name="recipe", overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        (["model.attention=hard", "training.objective=likelihood"], "training.objective", "must be reinforce"),
        (
            [
                "model.decoder=luong",
                "model.attention=marginal",
                "training.objective={type: likelihood, consistency: 5}",
            ],
            "training.objective",
            "must be without consistency where model.attention is marginal",
        ),
        (["training.objective={type: likelihood, consistency: 5}"], "training.objective", "dropout drops nothing"),
        (["training.objective={type: likelihood, consistency: -5}"], "training.objective.consistency", "at least 0"),
        (["training.objective=reinforce"], "training.objective", "must not be reinforce where model.attention is soft"),
        (["training.objective=variational"], "training.objective", "choose attention: marginal"),
        (["model.attention=none", "training.terms=[doubly-stochastic]"], "training.terms.0", "which has no weights"),
        (["model.attention=marginal"], "model.attention.type", "must not be marginal in the bahdanau decoder"),
        (["training.terms=[guided-alignment]"], "data.train.0.alignment", "must be given"),
        (["training.terms=[doubly-stochastic, doubly-stochastic]"], "training.terms.1", "must be of another type"),
        (["training.terms=[{type: doubly-stochastic, weight: 0}]"], "training.terms.0.weight", "must be above 0"),
        (["training.terms=[{type: doubly-stochastic, decay: 1.5}]"], "training.terms.0.decay", "at most 1"),
        (
            ["training.terms=[{type: doubly-stochastic, decay_interval: 0}]"],
            "training.terms.0.decay_interval",
            "must be at least 1",
        ),
        (["training.objective={type: reinforce, reward_weight: 0}"], "training.objective.reward_weight", "above 0"),
        (["training.objective={type: reinforce, baseline_decay: 1}"], "training.objective.baseline_decay", "below 1"),
        (["training.objective={type: reinforce, entropy_weight: -1}"], "training.objective.entropy_weight", "least 0"),
        (["training.objective={type: variational, size: 0}"], "training.objective.size", "must be at least 1"),
        (["training.terms=[guided-aligment]"], "training.terms.0", "did you mean 'guided-alignment'"),
    ],
)
def test_what_is_not_defined_is_refused_by_name(overrides, path, message):
    with pytest.raises(ConfigError) as caught:
        load(*overrides)
    (problem,) = caught.value.problems
    assert problem.path == path and message in problem.message


def test_left_out_the_objective_is_what_the_attention_needs():
    for overrides, name in (
        ([], "likelihood"),
        (["model.attention=hard"], "reinforce"),
        (["model.attention=marginal", "model.decoder=luong"], "likelihood"),
    ):
        recipe = load(*overrides)
        chosen = recipe.training.objective_for(recipe.model)
        assert ObjectiveConfig.registry.name_of(type(chosen)) == name
    assert load("training.terms=[guided-alignment]", "data.train.0.alignment=c").training.needs_alignments


def each_alone(batch):
    return [select_rows(batch, torch.tensor([row])) for row in range(batch.source.rows)]


@pytest.mark.parametrize("name", TermConfig.registry.names())
def test_every_term_is_a_sum_over_sentences(name):
    model = sharp(model_config()).eval()
    term = TermConfig.registry.find(name)().build(model).double().eval()
    batch = batch_of(alignment=alignment_of(LINKS).double())
    value = term(batch, run(model, batch))
    assert value.item() == pytest.approx(sum(term(one, run(model, one)).item() for one in each_alone(batch)))
    value.backward()
    assert all(parameter.grad is not None for parameter in term.parameters())
    assert model.source_embedding.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", ObjectiveConfig.registry.names())
def test_every_objective_is_a_sum_over_words(name):
    objective_config = ObjectiveConfig.registry.find(name)()
    made = next(
        each for each in map(model_config, ("soft", "hard", "marginal")) if objective_config.check(each) is None
    )
    model, batch = sharp(made), batch_of()
    objective = objective_config.build(made, vocabulary_size=VOCABULARY, smoothing=0.1).double()
    found = objective(model, batch, run(model, batch))
    assert found.tokens == sum(map(len, TARGETS))
    assert 0 < found.nll.item() == pytest.approx(found.token_nll.sum().item())
    found.loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in [*model.parameters(), *objective.parameters()])
    if not made.attention.samples and objective(model, batch, run(model, batch)).loss == found.loss:  # nothing is drawn
        alone = sum(objective(model, one, run(model, one)).loss.item() for one in each_alone(batch))
        assert found.loss.item() == pytest.approx(alone)
