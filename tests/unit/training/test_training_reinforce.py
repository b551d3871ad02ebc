"""REINFORCE: its surrogate in plain loops, and its expectation against the exact gradient."""

from __future__ import annotations

import itertools
import math

import pytest
import reference_objective
import torch
from objective_models import EOS, TARGETS, VOCABULARY, batch_of, model_config, run, sharp

from nmt.training.objective.reinforce import Reinforce, ReinforceConfig, entropy

HARD = {"type": "hard", "expected": 0.0}
# Three source positions, two words: nine sequences of positions.
SOURCE, TARGET = [3, 5, EOS], [4, EOS]
PATHS = list(itertools.product(range(3), repeat=2))
DECODERS = [("luong", {"input_feeding": False}), ("luong", {}), ("bahdanau", {}), ("conditional", {})]
every_decoder = pytest.mark.parametrize(("decoder", "options"), DECODERS, ids=["luong", "fed", "bahdanau", "nematus"])


def objective(smoothing=0.0, **options):
    made = Reinforce(
        ReinforceConfig(**{"reward_weight": 1.0, **options}), vocabulary_size=VOCABULARY, smoothing=smoothing
    )
    return made.double()


def forced(model, paths):
    """Let row r of a batch look at paths[r][t] for its word t."""
    words = itertools.count()

    def choose(weights):
        positions = torch.tensor(paths)
        if weights.shape[1] > 1:  # a whole target at once
            return positions.unsqueeze(2)
        return positions[:, next(words) % positions.shape[1]].view(-1, 1, 1)

    model.decoder.attention.choose = choose
    return model


def gradient(loss, model):
    parts = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, retain_graph=True)
    return torch.cat(
        [
            torch.zeros_like(parameter).flatten() if part is None else part.flatten()
            for part, parameter in zip(parts, model.parameters(), strict=True)
        ]
    )


def enumerated(decoder, options, **config):
    """Exact gradient of the expected loss, and the exact expectation of the estimate of it."""
    model = forced(sharp(model_config(HARD, type=decoder, **options)), PATHS)
    batch = batch_of([SOURCE] * 9, [TARGET] * 9)
    output = run(model, batch)
    words = model.loss(output, batch.target)
    probabilities = output.log_prob.sum(1).exp()
    assert probabilities.sum().item() == pytest.approx(1.0)
    losses = torch.log_softmax(model.output(output.features), -1).gather(2, batch.target.ids.unsqueeze(2)).squeeze(2)
    assert -losses.sum().item() == pytest.approx(words.nll.item())
    exact = gradient(-(probabilities * losses.sum(1)).sum(), model)
    estimate = torch.zeros_like(exact)
    made = objective(**config)
    for row, path in enumerate(PATHS):
        forced(model, [path])
        made.baseline.fill_(-1.7)
        single = batch_of([SOURCE], [TARGET])
        estimate += probabilities[row].detach() * gradient(made(model, single, run(model, single)).loss, model)
    return exact, estimate


@every_decoder
def test_the_estimate_with_all_remaining_words_is_without_bias(decoder, options):
    exact, estimate = enumerated(decoder, options, reward="remaining", entropy_weight=0.0)
    torch.testing.assert_close(estimate, exact, rtol=1e-9, atol=1e-9)
    assert float(exact.abs().max()) > 0.1


def test_the_estimate_of_a_word_alone_is_without_bias_where_nothing_is_fed():
    exact, estimate = enumerated("luong", {"input_feeding": False}, reward="word", entropy_weight=0.0)
    torch.testing.assert_close(estimate, exact, rtol=1e-9, atol=1e-9)


def test_the_estimate_of_a_word_alone_leaves_out_what_later_words_owe_to_it():
    exact, estimate = enumerated("bahdanau", {}, reward="word", entropy_weight=0.0)
    assert float((estimate - exact).abs().max()) > 0.01 * float(exact.abs().max())


def sampled(model, made, batches, rows):
    """Gradients of the score's parameters in several batches of draws."""
    batch = batch_of([SOURCE] * rows, [TARGET] * rows)
    parameters = [parameter for name, parameter in model.named_parameters() if "attention.score" in name]
    found = []
    for _ in range(batches):
        made.baseline.fill_(-1.7)
        loss = made(model, batch, run(model, batch)).loss / rows
        found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)]))
    return torch.stack(found)


@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
def test_the_mean_over_many_draws_is_the_exact_gradient_within_its_standard_error(decoder):
    exact, _ = enumerated(decoder, {}, reward="remaining", entropy_weight=0.0)
    model = sharp(model_config(HARD, type=decoder))
    names = [(name, parameter) for name, parameter in model.named_parameters()]
    picked = torch.cat([torch.full((parameter.numel(),), "attention.score" in name) for name, parameter in names])
    torch.manual_seed(11)
    draws = sampled(model, objective(reward="remaining", entropy_weight=0.0), batches=24, rows=250)
    error = draws.std(0) / math.sqrt(len(draws))
    distance = (draws.mean(0) - exact[picked]) / error.clamp_min(1e-12)
    assert float(distance.abs().max()) < 5.0 and float(distance.square().mean()) < 4.0
    assert float((exact[picked].abs() / error.clamp_min(1e-12)).max()) > 5.0, "a sign error would be far away"


def test_the_baseline_takes_variance_away():
    model = sharp(model_config(HARD))
    spread = []
    for baseline in (0.0, None):
        torch.manual_seed(5)
        made = objective(reward="remaining", entropy_weight=0.0)
        batch = batch_of([SOURCE] * 200, [TARGET] * 200)
        mean = -float(model.loss(run(model, batch), batch.target).nll) / 400
        parameters = [parameter for name, parameter in model.named_parameters() if "attention.score" in name]
        single = batch_of([SOURCE], [TARGET])
        gradients = []
        for _ in range(60):
            made.baseline.fill_(mean if baseline is None else baseline)
            loss = made(model, single, run(model, single)).loss
            gradients.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)]))
        spread.append(float(torch.stack(gradients).var(0).sum()))
    assert spread[1] < 0.7 * spread[0]


@pytest.mark.parametrize("reward", ["word", "remaining"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_equals_plain_loops(reward, smoothing):
    model = sharp(model_config(HARD))
    batch = batch_of()
    torch.manual_seed(1)
    output = run(model, batch)
    made = objective(smoothing, reward=reward, reward_weight=0.7, entropy_weight=0.3)
    made.baseline.fill_(-1.25)
    found = made(model, batch, output)
    words = model.loss(output, batch.target, smoothing=smoothing)
    log_probs = torch.log_softmax(model.output(output.features), -1)
    expected = 0.0
    for row, target in enumerate(TARGETS):
        places = range(len(target))
        weights = output.weights[row, :, 0].tolist()
        expected += reference_objective.reinforce(
            [log_probs[row, place, target[place]].item() for place in places],
            [output.log_prob[row, place].item() for place in places],
            [-sum(a * math.log(a) for a in weights[place] if a > 0) for place in places],
            baseline=-1.25,
            remaining=reward == "remaining",
            weight=0.7,
            entropy_weight=0.3,
        )
    # Rewards are not smoothed, the words' own loss is.
    expected += (words.loss - words.nll).item()
    assert found.loss.item() == pytest.approx(expected, abs=1e-9)
    assert found.nll.item() == words.nll.item()


def test_the_baseline_follows_the_mean_of_a_word():
    model = sharp(model_config(HARD))
    made = objective(baseline_decay=0.9)
    assert made.baseline.item() == pytest.approx(-math.log(VOCABULARY))
    batch = batch_of()
    found = made(model, batch, run(model, batch))
    mean = -found.nll.item() / found.tokens
    assert made.baseline.item() == pytest.approx(0.9 * -math.log(VOCABULARY) + 0.1 * mean)
    assert dict(made.named_buffers()).keys() == {"baseline"}


def test_a_loss_that_is_not_finite_leaves_the_baseline():
    model = sharp(model_config(HARD))
    made, before = objective(), -math.log(VOCABULARY)
    with torch.no_grad():
        model.output.bias.fill_(math.nan)
    made(model, batch_of(), run(model, batch_of()))
    assert made.baseline.item() == pytest.approx(before)


def test_sentences_that_see_the_expected_context_reward_nothing():
    model = sharp(model_config({"type": "hard", "expected": 0.99}))
    torch.manual_seed(0)
    batch = batch_of()
    output = run(model, batch)
    assert bool((output.log_prob == 0).all())
    found = objective(entropy_weight=0.0)(model, batch, output)
    assert found.loss.item() == pytest.approx(found.nll.item())


def test_attention_that_draws_nothing_is_a_mistake():
    model = sharp(model_config())
    with pytest.raises(TypeError, match="needs an attention that draws"):
        objective()(model, batch_of(), run(model, batch_of()))


def test_entropy_of_even_and_of_certain_weights():
    # -2 * 1/2 log 1/2 = log 2; a certain choice has none.
    values = entropy(torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]))
    assert values.tolist() == pytest.approx([math.log(2.0), 0.0])


def test_scores_learn_by_it():
    model = sharp(model_config(HARD))
    torch.manual_seed(0)
    batch = batch_of([SOURCE] * 4, [TARGET] * 4)
    loss = objective()(model, batch, run(model, batch)).loss
    for name, parameter in model.named_parameters():
        (part,) = torch.autograd.grad(loss, [parameter], retain_graph=True)
        assert bool((part != 0).any()), name
