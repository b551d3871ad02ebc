"""Variational attention: its bound in plain loops, below the likelihood, and the estimate of its gradient."""

from __future__ import annotations

import itertools
import math

import pytest
import reference_model
import reference_objective
import torch
from graphs import graph_of
from objective_models import EOS, SOURCES, TARGETS, batch_of, model_config, run, sharp

from nmt.core.config.ranges import problems_of
from nmt.core.tensors import length_mask
from nmt.data.batch import Batch, Tokens
from nmt.training.objective import variational as module
from nmt.training.objective.variational import (
    Posterior,
    Variational,
    VariationalConfig,
    draw,
    expectation,
    kl_divergence,
)

CONFIG = model_config("marginal")
DECODERS = [{}, {"input_feeding": False}]
every_decoder = pytest.mark.parametrize("options", DECODERS, ids=["fed", "not fed"])


def made(model, *, estimator="enumerate", draws=1, smoothing=0.0, **options):
    config = model_config("marginal", **options)
    objective = VariationalConfig(estimator=estimator, draws=draws, size=3).build(
        config, vocabulary_size=7, smoothing=smoothing
    )
    torch.manual_seed(8)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.normal_(0.0, 0.8)
    return objective.double()


def given(model, batch, output, smoothing=0.0):
    """log p(y_t | s), log a_ts of the real words, (N, S)."""
    scores = model.output.position_scores(output, batch.target, smoothing=smoothing)
    return scores, model.output.log_prior(output, batch.target)


# ---------------------------------------------------------------- the inference network


def test_the_posterior_equals_plain_loops():
    """Bidirectional LSTMs over both sides, and ``softmax_s(u_t W h_s)``."""
    model, objective, batch = sharp(CONFIG), made(sharp(CONFIG)), batch_of()
    posterior = objective.posterior
    found = posterior(model, batch)
    embedded = {"source": model.source_embedding.weight.tolist(), "target": model.target_embedding.weight.tolist()}
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        states = {}
        for side, ids in (("source", source), ("target", target)):
            layer = getattr(posterior, f"{side}_encoder")
            vectors = [embedded[side][piece] for piece in ids]
            states[side] = reference_model.bidirectional_lstm(layer, vectors)
        keys = [reference_model.product(posterior.W.weight.tolist(), each) for each in states["source"]]
        for place, state in enumerate(states["target"]):
            expected = reference_model.log_softmax([reference_model.dot(state, key) for key in keys])
            assert found[row, place, : len(source)].tolist() == pytest.approx(expected, abs=1e-12)
            assert bool(found[row, place, len(source) :].isneginf().all())


def test_the_posterior_is_the_same_without_paths_of_its_own():
    model, objective, found = sharp(CONFIG), made(sharp(CONFIG)), []
    for fast in (True, False):
        model.fast = fast
        log_q = objective.posterior(model, batch_of())
        assert ("PackPaddedSequence" in graph_of(log_q)) is not fast
        found.append(log_q)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------- the bound


@every_decoder
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_bound_equals_plain_loops(options, smoothing):
    model = sharp(model_config("marginal", **options))
    objective, batch = made(model, smoothing=smoothing, **options), batch_of()
    output = run(model, batch)
    found = objective(model, batch, output)
    log_q = objective.posterior(model, batch)
    scores, prior = given(model, batch, output, smoothing)
    total, plain, begin = 0.0, 0.0, 0
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        rows, real = slice(begin, begin + len(target)), len(source)
        begin += len(target)
        q = log_q[row, : len(target), :real].exp().tolist()
        a = prior[rows, :real].exp().tolist()
        total -= reference_objective.bound(q, a, scores.smoothed[rows, :real].tolist())
        plain -= reference_objective.bound(q, a, scores.log_likelihood[rows, :real].tolist())
    assert found.loss.item() == pytest.approx(total, abs=1e-9)
    assert found.nll.item() == pytest.approx(plain, abs=1e-9)
    assert found.tokens == sum(map(len, TARGETS))


@every_decoder
def test_the_bound_stays_below_the_likelihood(options):
    model = sharp(model_config("marginal", **options))
    batch = batch_of()
    output = run(model, batch)
    found = made(model, **options)(model, batch, output)
    marginal = model.loss(output, batch.target)
    assert bool((found.token_nll >= marginal.token_nll - 1e-12).all())
    assert found.nll.item() > marginal.nll.item() + 0.1


def test_with_the_true_posterior_the_bound_is_the_likelihood():
    model = sharp(CONFIG)
    batch = batch_of()
    output = run(model, batch)
    scores, prior = given(model, batch, output)
    joint = prior + scores.log_likelihood
    true = joint - torch.logsumexp(joint, 1, keepdim=True)
    bound = expectation(true, scores.log_likelihood) - kl_divergence(true, prior)
    torch.testing.assert_close(-bound, model.loss(output, batch.target).token_nll, rtol=1e-10, atol=1e-10)


def test_divergence_by_hand():
    # 3/4 log (3/4 / 1/4) + 1/4 log (1/4 / 3/4) = 1/2 log 3; the third position is padding.
    log_q, log_p = (torch.tensor([[first, 1 - first, 0.0]]).log() for first in (0.75, 0.25))
    assert kl_divergence(log_q, log_p).tolist() == pytest.approx([0.5 * math.log(3.0)])
    assert kl_divergence(log_q, log_q).tolist() == [0.0]
    assert expectation(log_q, torch.tensor([[4.0, 8.0, -math.inf]])).tolist() == [5.0]


def test_derivatives_of_the_bound():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    torch.manual_seed(0)
    inputs = [torch.randn(2, 3, dtype=torch.float64).requires_grad_() for _ in range(3)]

    def bound(q, p, values):
        log_q, log_p = (torch.log_softmax(each.masked_fill(~mask, -math.inf), 1) for each in (q, p))
        return expectation(log_q, values.masked_fill(~mask, -math.inf)) - kl_divergence(log_q, log_p)

    assert torch.autograd.gradcheck(bound, inputs)


# ---------------------------------------------------------------- draws


@every_decoder
@pytest.mark.parametrize("draws", [1, 2])
def test_the_estimate_by_draws_is_without_bias(options, draws, monkeypatch):
    """One word, three positions: the sum over all draws, weighed by q, is the gradient of the whole sum."""
    model = sharp(model_config("marginal", **options))
    objective = made(model, estimator="sample", draws=draws, smoothing=0.1, **options)
    batch = batch_of([[3, 5, EOS]], [[EOS]])
    parameters = [*model.parameters(), *objective.parameters()]

    def gradients(which):
        found = which(model, batch, run(model, batch))
        parts = torch.autograd.grad(found.loss, parameters, allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, parts, strict=True)]
        return torch.cat([part.flatten() for part in flat]), found

    whole = Variational(objective.posterior, draws=0, smoothing=0.1)
    exact, everything = gradients(whole)
    q = objective.posterior(model, batch).exp().flatten().tolist()
    estimate, value, nlls, spread = torch.zeros_like(exact), 0.0, {}, []
    for positions in itertools.product(range(3), repeat=draws):
        monkeypatch.setattr(module, "draw", lambda log_q, count, at=positions: torch.tensor([at]))
        part, found = gradients(objective)
        probability = math.prod(q[position] for position in positions)
        estimate += probability * part
        value += probability * found.loss.item()
        nlls[positions] = found.nll.item()
        spread.append(part)
    torch.testing.assert_close(estimate, exact, rtol=1e-9, atol=1e-9)
    assert value == pytest.approx(everything.loss.item(), abs=1e-9)
    nll = sum(math.prod(q[each] for each in positions) * found for positions, found in nlls.items())
    assert nll == pytest.approx(everything.nll.item(), abs=1e-9)
    first, last = nlls[(0,) * draws], nlls[(2,) * draws]
    assert first != pytest.approx(last, abs=1e-3)
    assert draws == 1 or nlls[0, 2] == pytest.approx((first + last) / 2, abs=1e-9)
    assert float((spread[0] - spread[1]).abs().max()) > 0.1


@pytest.mark.slow
def test_several_draws_are_each_others_baseline():
    """Their gradient varies less than that of as many single draws with soft attention as the baseline."""
    model = sharp(CONFIG)
    batch = batch_of([[3, 5, EOS]] * 40, [[4, EOS]] * 40)
    several, one = made(model, estimator="sample", draws=4), made(model, estimator="sample")
    one.load_state_dict(several.state_dict())

    def spread(objective, count):
        torch.manual_seed(4)
        found = []
        for _ in range(60):
            loss = sum(objective(model, batch, run(model, batch)).loss for _ in range(count)) / count
            parts = torch.autograd.grad(loss, list(objective.parameters()))
            found.append(torch.cat([part.flatten() for part in parts]))
        return float(torch.stack(found).var(0).sum())

    assert spread(several, 1) < 0.9 * spread(one, 4)


def test_draws_follow_their_probabilities():
    torch.manual_seed(0)
    positions = draw(torch.tensor([0.2, 0.0, 0.8]).log().expand(10_000, 3), 2)
    assert positions.shape == (10_000, 2)
    shares = torch.bincount(positions.flatten(), minlength=3) / 20_000
    # Independent of each other: both are the first with probability 0.04.
    assert abs(float((positions == 0).all(1).float().mean()) - 0.04) < 0.008
    # The standard error is sqrt(0.16 / 20000) = 0.003.
    assert shares[1] == 0 and abs(float(shares[0]) - 0.2) < 0.012


@pytest.mark.costly
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_baseline_of_soft_attention_takes_variance_away(smoothing, monkeypatch):
    model = sharp(CONFIG)
    objective = made(model, estimator="sample", smoothing=smoothing)
    batch = batch_of([[3, 5, EOS]] * 40, [[4, EOS]] * 40)
    parameters = list(objective.parameters())

    def spread():
        torch.manual_seed(4)
        found = []
        for _ in range(30):
            loss = objective(model, batch, run(model, batch)).loss
            found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)]))
        return float(torch.stack(found).var(0).sum())

    with_baseline = spread()
    scores = model.output.expected_scores
    monkeypatch.setattr(model.output, "expected_scores", lambda *arguments, **options: torch.zeros(80).double())
    assert with_baseline < 0.7 * spread()
    # One that is not smoothed, where rewards are, is too high by what smoothing takes.
    monkeypatch.setattr(model.output, "expected_scores", lambda output, target, smoothing: scores(output, target))
    assert smoothing == 0.0 or with_baseline < 0.9 * spread()


def test_the_baseline_is_smoothed_as_rewards_are():
    model, batch = sharp(CONFIG), batch_of()
    output = run(model, batch)
    for smoothing in (0.0, 0.3):
        log_probs = torch.log_softmax(model.output(output.features), -1)
        expected = [
            (1 - smoothing) * rows[word].item() + smoothing * rows.mean().item()
            for sentence, target in zip(log_probs, TARGETS, strict=True)
            for rows, word in zip(sentence, target, strict=False)
        ]
        baseline = model.output.expected_scores(output, batch.target, smoothing=smoothing)
        assert baseline.tolist() == pytest.approx(expected, abs=1e-12)
        assert not baseline.requires_grad


# ---------------------------------------------------------------- the inference network


def test_the_posterior_sees_the_word_itself_and_no_padding():
    model = sharp(CONFIG)
    torch.manual_seed(1)
    posterior = Posterior(4, 3).double()
    log_q = posterior(model, batch_of())
    sums = log_q.exp().sum(2)
    real = length_mask(batch_of().target.lengths, sums.shape[1])
    torch.testing.assert_close(sums[real], torch.ones_like(sums[real]))
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        assert bool(log_q[row, :, len(source) :].isneginf().all())
        alone = posterior(model, batch_of([source], [target]))
        torch.testing.assert_close(log_q[row, : len(target), : len(source)], alone[0])
    changed = [[*TARGETS[0][:2], 3, *TARGETS[0][3:]], *TARGETS[1:]]
    other = posterior(model, batch_of(SOURCES, changed))
    assert bool(((other - log_q)[0, 2, :3].abs() > 1e-4).all())


@pytest.mark.parametrize(("estimator", "draws"), [("sample", 1), ("sample", 4), ("enumerate", 1)])
def test_everything_learns_by_it(estimator, draws):
    model = sharp(CONFIG)
    objective = made(model, estimator=estimator, draws=draws)
    loss = objective(model, batch_of(), run(model, batch_of())).loss
    for name, parameter in [*model.named_parameters(), *objective.named_parameters()]:
        (part,) = torch.autograd.grad(loss, [parameter], retain_graph=True)
        assert bool((part != 0).any()), name


@pytest.mark.parametrize("name", ["draws", "size"])
def test_numbers_that_are_not_positive_are_refused(name):
    assert list(problems_of(VariationalConfig(**{name: 0}))) == [(name, "must be at least 1, but is 0")]


def test_draws_by_default():
    """One learns far too slowly (docs/objectives.md)."""
    assert VariationalConfig().build(CONFIG, vocabulary_size=7, smoothing=0.0).draws == 4


def test_sizes_of_the_inference_network():
    built = VariationalConfig().build(model_config("marginal", size=10), vocabulary_size=7, smoothing=0.0)
    assert built.posterior.W.weight.shape == (10, 10)
    assert VariationalConfig(size=4).build(CONFIG, vocabulary_size=7, smoothing=0.0).posterior.W.weight.shape == (8, 8)


def test_padding_of_a_batch_changes_no_bound():
    model = sharp(CONFIG)
    objective = made(model)
    together = objective(model, batch_of(), run(model, batch_of()))
    total = 0.0
    for source, target in zip(SOURCES, TARGETS, strict=True):
        alone = Batch(Tokens.pad([source], 0), Tokens.pad([target], 0), torch.zeros(1))
        total += objective(model, alone, run(model, alone)).loss.item()
    assert together.loss.item() == pytest.approx(total, abs=1e-9)
