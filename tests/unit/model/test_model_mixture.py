"""Latent alignment: the mixture over positions against plain loops, brute force and its own naive form."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from graphs import graph_of
from model_sweep import BOS, PAD, SOURCES, TARGETS, VOCABULARY, Combination, close, ragged, sharp_model
from reference_model import ReferenceModel, dot, log_softmax
from reference_objective import likelihood_over_alignments, log_sum, mixed, position_log_probs

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.data.batch import Tokens
from nmt.model.fast import mixture as fast_mixture
from nmt.model.readout import mixture
from nmt.model.readout.mixture import PositionFeatures, position_scores
from nmt.model.readout.output_layer import OutputLayer
from nmt.model.seq2seq import Seq2SeqConfig

SMALL = {"embedding": {"size": 4}, "encoder": {"size": 3}, "attention": "marginal"}
DECODERS = itertools.product(("gru", "lstm"), (True, False), (1, 2))
MARGINAL = [
    Combination(
        f"{cell}-{fed}-{layers}",
        config.from_mapping(
            Seq2SeqConfig,
            {**SMALL, "decoder": {"type": "luong", "cell": cell, "size": 5, "layers": layers, "input_feeding": fed}},
            name="model",
        ),
    )
    for cell, fed, layers in DECODERS
    if (cell == "gru") == (layers == 1)
]
every_marginal = pytest.mark.parametrize("combination", MARGINAL, ids=lambda one: one.name)
TARGET = Tokens.pad(TARGETS, PAD)


def plainly(combination):
    """For every sentence: steps, and log p(v | s) of every word and position."""
    model = sharp_model(combination.config)
    reference = ReferenceModel(model, combination.config)
    found = []
    for source, target in zip(SOURCES, TARGETS, strict=True):
        memory = reference.encode(source)
        steps = reference.decode(memory, [BOS, *target[:-1]])
        found.append((target, steps, [position_log_probs(reference, memory.values, step.top) for step in steps]))
    return model, found


@every_marginal
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_marginal_likelihood_equals_plain_loops(combination, smoothing, monkeypatch):
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 7 * VOCABULARY)
    model, sentences = plainly(combination)
    result = model.loss(model(ragged(SOURCES), ragged(TARGETS), BOS), ragged(TARGETS), smoothing=smoothing)
    loss = nll = 0.0
    for target, steps, given in sentences:
        for word, step, rows in zip(target, steps, given, strict=True):
            prior = [math.log(weight) for weight in step.weights[0]]
            smoothed = [(1 - smoothing) * row[word] + smoothing * math.fsum(row) / len(row) for row in rows]
            loss -= log_sum([a + p for a, p in zip(prior, smoothed, strict=True)])
            nll -= log_sum([a + row[word] for a, row in zip(prior, rows, strict=True)])
    assert result.loss.item() == pytest.approx(loss, abs=1e-9)
    assert result.nll.item() == pytest.approx(nll, abs=1e-9)
    assert result.tokens == sum(map(len, TARGETS)) == len(result.token_nll)


@every_marginal
def test_the_likelihood_of_a_sentence_is_the_sum_over_all_its_alignments(combination):
    """3 pieces and 5 words have 243 alignments."""
    model, sentences = plainly(combination)
    target, steps, given = sentences[0]
    weights = [step.weights[0] for step in steps]
    words = [[row[word] for row in rows] for word, rows in zip(target, given, strict=True)]
    source = Tokens.pad(SOURCES[:1], PAD)
    loss = model.loss(model(source, Tokens.pad([target], PAD), BOS), Tokens.pad([target], PAD))
    assert -loss.nll.item() == pytest.approx(likelihood_over_alignments(weights, words), abs=1e-9)


@every_marginal
def test_search_gets_the_mixture(combination, monkeypatch):
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 20 * VOCABULARY)
    model, sentences = plainly(combination)
    log_probs = model.log_probs(model(ragged(SOURCES), ragged(TARGETS), BOS))
    for row, (_, steps, given) in enumerate(sentences):
        for place, step in enumerate(steps):
            expected = torch.tensor(mixed(step.weights[0], given[place]), dtype=torch.float64)
            close(log_probs[row, place], expected)
            close(expected.exp().sum(), torch.ones((), dtype=torch.float64))


def test_search_may_get_the_expectation():
    one = MARGINAL[0]
    attention = replace(one.config.attention, translation="expectation")
    model, sentences = plainly(replace(one, config=replace(one.config, attention=attention)))
    log_probs = model.log_probs(model(ragged(SOURCES), TARGET, BOS))
    exact = sharp_model(one.config)
    for row, (_, steps, _) in enumerate(sentences):
        for place, step in enumerate(steps):
            close(log_probs[row, place], torch.tensor(log_softmax(step.logits), dtype=torch.float64))
    assert bool(((log_probs - exact.log_probs(exact(ragged(SOURCES), TARGET, BOS))).abs() > 0.1).any())
    # Training is the same.
    losses = [each.loss(each(ragged(SOURCES), TARGET, BOS), TARGET).loss for each in (model, exact)]
    assert torch.equal(*losses)


@every_marginal
def test_gradients_equal_those_of_the_form_that_keeps_everything(combination, monkeypatch):
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 11 * VOCABULARY)
    model = sharp_model(combination.config)
    parameters = list(model.parameters())
    output = model(ragged(SOURCES), TARGET, BOS)
    gradients = torch.autograd.grad(model.loss(output, TARGET).loss, parameters)
    output = model(ragged(SOURCES), TARGET, BOS)
    contexts = output.memory.values.unsqueeze(1).expand(-1, output.queries.shape[1], -1, -1)
    queries = output.queries.unsqueeze(2).expand(-1, -1, contexts.shape[2], -1)
    logits = model.output(torch.tanh(model.decoder.W_c(torch.cat([contexts, queries], -1))))
    wanted = torch.log_softmax(logits, -1).gather(3, TARGET.ids[:, :, None, None].expand(*logits.shape[:3], 1))
    likelihood = (output.weights.squeeze(2) * wanted.squeeze(3).exp()).sum(2).log()
    real = torch.arange(TARGET.ids.shape[1]) < TARGET.lengths.unsqueeze(1)
    expected = torch.autograd.grad(-likelihood[real].sum(), parameters)
    for one, other in zip(gradients, expected, strict=True):
        close(one, other, 1e-8)


def tiny_pairs(scaled: bool):
    torch.manual_seed(2)
    mask = torch.tensor([[True, True, False], [True, True, True], [True, False, False]])
    scale = torch.rand(3, 4, dtype=torch.float64) if scaled else None
    queries, positions = torch.randn(3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    return PositionFeatures(queries.requires_grad_(), positions.requires_grad_(), torch.tensor([0, 1, 0]), mask, scale)


def tiny_output(dtype=torch.float64):
    output = OutputLayer(4, 5).to(dtype)
    torch.nn.init.normal_(output.weight)
    torch.nn.init.normal_(output.bias)
    return output


@pytest.mark.parametrize("scaled", [False, True])
def test_derivatives_of_position_scores(scaled, monkeypatch):
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 4 * 5)
    pairs, output = tiny_pairs(scaled), tiny_output()

    def scores(queries, positions, weight, bias):
        changed = replace(pairs, queries=queries, positions=positions)
        parameters = {"output.weight": weight, "output.bias": bias}
        found = torch.func.functional_call(_Scores(output), parameters, (changed,))
        return [tensor[pairs.mask] for tensor in (found.log_likelihood, found.smoothed)]

    parameters = [each.detach().clone().requires_grad_() for each in (output.weight, output.bias)]
    assert torch.autograd.gradcheck(scores, (pairs.queries, pairs.positions, *parameters))


def both_ways(pairs, output, towards, *, smoothing):
    """Scores, and gradients of all that has one, the fast way and the plain one."""
    found = []
    for fast in (True, False):
        output.fast = fast
        scores = position_scores(pairs, torch.tensor([1, 4, 0]), output, smoothing=smoothing)
        assert ("PairScores" in graph_of(scores.smoothed)) is fast
        plain, smoothed = scores.log_likelihood[pairs.mask], scores.smoothed[pairs.mask]
        total = (plain * towards[0]).sum() + (smoothed * towards[1]).sum()
        leaves = [pairs.queries, pairs.positions, output.weight, output.bias]
        found.append([plain, smoothed, *torch.autograd.grad(total, leaves)])
    return found


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_fast_way_equals_the_plain_one(dtype, smoothing, scaled, monkeypatch):
    """Also for pairs of which nothing is wanted (the second) and of which next to nothing is (the fifth)."""
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 4 * 5)
    towards = torch.tensor([[3.0, 0.0, -1.0, 0.5, 1e-12, 2.0], [1.0, 0.0, 2.0, -0.2, 1e-12, 1.5]], dtype=dtype)
    pairs = in_dtype(tiny_pairs(scaled), dtype)
    for one, other in zip(*both_ways(pairs, tiny_output(dtype), towards, smoothing=smoothing), strict=True):
        close(one, other, 1e-11 if dtype == torch.float64 else 1e-5)


def in_dtype(pairs, dtype):
    queries, positions = (each.detach().to(dtype).requires_grad_() for each in (pairs.queries, pairs.positions))
    scale = None if pairs.scale is None else pairs.scale.to(dtype)
    return replace(pairs, queries=queries, positions=positions, scale=scale)


def test_a_piece_too_improbable_for_a_number_has_a_logarithm():
    """Logits of many hundreds: e to their difference is zero in float32, and the gradient is that of the plain way."""
    pairs, output = in_dtype(tiny_pairs(False), torch.float32), tiny_output(torch.float32)
    with torch.no_grad():
        output.weight.mul_(1000.0)
    found, expected = both_ways(pairs, output, torch.ones(2, 6), smoothing=0.1)
    assert found[0].min() < -500.0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("dtype", "lost", "counted"), [(torch.float32, 1e-15, 1e-13), (torch.bfloat16, 5e-5, 1e-4)])
def test_only_what_rounding_would_lose_has_no_gradient(dtype, lost, counted):
    """The squares of 2^-23 and 2^-7 are 1.4e-14 and 6.1e-5; the first token has two pairs, of which one is tiny."""
    for tiny in (lost, counted):
        pairs, output = in_dtype(tiny_pairs(False), torch.float32), tiny_output(torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            scores = position_scores(pairs, torch.tensor([1, 4, 0]), output, smoothing=0.1)
        total = scores.smoothed[0, 0] + tiny * scores.smoothed[0, 1]
        gradient, *_ = torch.autograd.grad(total, [pairs.positions])
        assert bool((gradient[0, 0] != 0).all())
        assert bool((gradient[0, 1] != 0).any()) is (tiny == counted)


def test_a_word_that_counts_little_keeps_its_own_gradient():
    """What is left out is measured at a word's own pairs: here the second word's part of the loss is tiny."""
    pairs = in_dtype(tiny_pairs(False), torch.float32)
    towards = torch.tensor([[0.0] * 6, [1.0, 2.0, 3e-17, 4e-17, 2e-17, 1.0]])
    found, expected = both_ways(pairs, tiny_output(torch.float32), towards, smoothing=0.1)
    for one, other in zip(found[2:4], expected[2:4], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=0.0)


def test_a_pair_that_knows_its_word_leaves_the_others_their_gradient():
    """In bf16, one posterior is 60,000 times the other, but its softmax has next to nothing left to learn."""
    output = tiny_output(torch.float32)
    with torch.no_grad():
        output.weight.zero_()
        output.bias.zero_()
        output.weight[1] = 4.0  # features of tanh(2): e^15.4 to 1 for piece 1
    mask = torch.tensor([[True, True]])
    positions = torch.tensor([[[2.0] * 4, [-2.0] * 4]], requires_grad=True)
    pairs = PositionFeatures(torch.zeros(1, 4, requires_grad=True), positions, torch.tensor([0]), mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = position_scores(pairs, torch.tensor([1]), output)
    weight = torch.tensor([1.0, 1.6e-5])
    gradient, *_ = torch.autograd.grad((scores.smoothed[0] * weight).sum(), [positions])
    # The second position has p(1) = 4e-8, so that one unit more there is worth its whole weight, times W tanh'.
    assert gradient[0, 1].tolist() == pytest.approx([1.6e-5 * 4.0 * (1 - math.tanh(2.0) ** 2)] * 4, rel=0.05)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_seen(wrong):
    pairs, output = in_dtype(tiny_pairs(False), torch.float32), tiny_output(torch.float32)
    scores = position_scores(pairs, torch.tensor([1, 4, 0]), output, smoothing=0.1)
    (scores.smoothed[1, 0] * wrong).backward()
    assert not bool(output.weight.grad.isfinite().all())
    assert not bool(pairs.queries.grad.isfinite().all())


def test_a_gradient_where_nothing_was_read_out_is_no_part_of_any(wrong=math.nan):
    pairs, output = in_dtype(tiny_pairs(False), torch.float32), tiny_output(torch.float32)
    found = []
    for beyond in (0.0, wrong):
        scores = position_scores(pairs, torch.tensor([1, 4, 0]), output, smoothing=0.1)
        towards = torch.where(pairs.mask, 1.0, beyond)
        found.append(torch.autograd.grad(scores.smoothed, [pairs.queries, output.weight], towards))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_positions_that_are_not_chosen_have_no_prior():
    """Both ways agree where the mask leaves out more than padding."""
    pairs, output = tiny_pairs(False), tiny_output()
    log_prior = torch.log_softmax(torch.zeros(3, 3, dtype=torch.float64), 1)
    for fast in (True, False):
        output.fast = fast
        scores = position_scores(pairs, torch.tensor([1, 4, 0]), output, smoothing=0.1, log_prior=log_prior)
        assert torch.equal(scores.smoothed.isneginf(), ~pairs.mask)


def test_no_pairs_have_no_scores():
    pairs, output = tiny_pairs(False), tiny_output()
    nobody = replace(pairs, mask=torch.zeros_like(pairs.mask))
    scores = position_scores(nobody, torch.tensor([1, 4, 0]), output, smoothing=0.1)
    assert bool(scores.smoothed.isneginf().all())
    scores.smoothed[nobody.mask].sum().backward()
    assert bool((output.weight.grad == 0).all())


@pytest.mark.parametrize("scaled", [False, True])
def test_position_scores_equal_plain_loops(scaled):
    pairs, output = tiny_pairs(scaled), tiny_output()
    targets = [1, 4, 0]
    found = position_scores(pairs, torch.tensor(targets), output, smoothing=0.1)
    for token, (target, owner) in enumerate(zip(targets, pairs.owners.tolist(), strict=True)):
        for place in range(3):
            if not pairs.mask[token, place]:
                continue
            sums = (pairs.queries[token] + pairs.positions[owner, place]).tolist()
            scale = [1.0] * 4 if pairs.scale is None else pairs.scale[token].tolist()
            features = [math.tanh(one) * by for one, by in zip(sums, scale, strict=True)]
            rows = zip(output.weight.tolist(), output.bias.tolist(), strict=True)
            log_probs = log_softmax([dot(row, features) + bias for row, bias in rows])
            assert found.log_likelihood[token, place].item() == pytest.approx(log_probs[target], abs=1e-12)
            smoothed = 0.9 * log_probs[target] + 0.1 * math.fsum(log_probs) / 5
            assert found.smoothed[token, place].item() == pytest.approx(smoothed, abs=1e-12)


class _Scores(torch.nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, pairs):
        return position_scores(pairs, torch.tensor([1, 4, 0]), self.output, smoothing=0.1)


def test_positions_left_out_say_nothing():
    pairs = tiny_pairs(False)
    found = position_scores(pairs, torch.tensor([1, 4, 0]), OutputLayer(4, 5).double())
    for scores in (found.log_likelihood, found.smoothed):
        assert torch.equal(scores.isneginf(), ~pairs.mask)


def read_out(log_prior, rows, *, dtype=torch.float32, smoothing=0.0):
    """Scores of piece 1 from S positions that give it these log-probabilities (rows), and which were read out."""
    output = OutputLayer(4, 3).float()
    with torch.no_grad():
        output.bias.zero_()
        output.weight.zero_()
        output.weight[1] = 5.0  # features of tanh(x) four times: the logit is 20 tanh(x), those of the other two are 0
    logits = torch.tensor([row + math.log(2.0) - math.log1p(-math.exp(row)) for row in rows])
    positions = torch.atanh(logits / 20.0).view(1, -1, 1).expand(1, -1, 4).clone().requires_grad_()
    pairs = PositionFeatures(torch.zeros(1, 4, requires_grad=True), positions, torch.tensor([0]), log_prior > -math.inf)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        return position_scores(pairs, torch.tensor([1]), output, smoothing=smoothing, log_prior=log_prior)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "read"), [([-0.7, -0.7], False), ([-9.0, -0.7], True), ([-1e-4, -0.7], True)])
def test_only_positions_that_can_change_the_sum_are_read_out(dtype, rows, read):
    """A prior that is half of what rounding loses, twice: it matters to a word that the first position finds
    improbable, and to one that the first position knows, which has nothing more to learn there."""
    small = torch.finfo(dtype).eps ** 2 / 8
    log_prior = torch.tensor([[1.0, small]]).log()
    scores = read_out(log_prior, rows, dtype=dtype)
    assert [not each for each in scores.smoothed.isneginf()[0].tolist()] == [True, read]
    assert scores.log_likelihood[0, 0].item() == pytest.approx(rows[0], rel=0.1)


def test_what_many_positions_could_add_together_is_read_out():
    """None of them would matter alone; the least ones, which do not matter together, are left out."""
    small = torch.finfo(torch.bfloat16).eps ** 2
    log_prior = torch.tensor([[1.0, *(small / (8 + place / 9) for place in range(20)), small / 1e3, 0.0, 0.0]]).log()
    scores = read_out(log_prior, [-0.7] * 24, dtype=torch.bfloat16)
    unread = scores.smoothed.isneginf()[0].tolist()
    assert not any(unread[:15])
    assert all(unread[21:])


def test_smoothing_is_part_of_what_a_position_can_add():
    """A smoothed score is at most -0.5 log 3, which counts on both sides; a floor for what there is left to learn."""
    small = torch.finfo(torch.bfloat16).eps ** 2
    for share, read in ((0.05, False), (0.2, True)):
        scores = read_out(
            torch.tensor([[1.0, share * small]]).log(), [-1e-3, -0.7], dtype=torch.bfloat16, smoothing=0.5
        )
        assert scores.smoothed.isneginf()[0].tolist() == [False, not read]


def test_the_likelihood_without_smoothing_is_exact_too():
    """Smoothing with 0.5 makes e^-6 of a probability of e^-9; only beside the latter a prior of 0.001 matters."""
    small = torch.finfo(torch.bfloat16).eps ** 2
    log_prior = torch.tensor([[1.0, 1e-3 * small]]).log()
    scores = read_out(log_prior, [-9.0, -0.7], dtype=torch.bfloat16, smoothing=0.5)
    assert not bool(scores.log_likelihood.isneginf().any())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("peaked", [0.0, 30.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_sum_over_what_is_read_out_is_the_sum_over_all(dtype, peaked, smoothing, monkeypatch):
    """60 tokens with 3 to 20 positions, priors from flat to all but one-hot; gradients of the prior as well."""
    monkeypatch.setattr(fast_mixture, "MOST_LOGITS", 50 * 11)
    counted = []
    chunks = fast_mixture._chunks
    monkeypatch.setattr(fast_mixture, "_chunks", lambda pairs, pieces: counted.append(pairs) or chunks(pairs, pieces))
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    mask = torch.arange(20).unsqueeze(0) < torch.randint(3, 21, (60, 1), generator=generator)
    owners = torch.randint(0, 4, (60,), generator=generator)
    targets = torch.randint(0, 11, (60,), generator=generator)
    output = OutputLayer(5, 11).to(dtype)
    torch.nn.init.normal_(output.weight, std=3.0, generator=generator)
    energies = (peaked * drawn(60, 20)).requires_grad_()
    queries, positions = drawn(60, 5).requires_grad_(), drawn(4, 20, 5).requires_grad_()
    pairs = PositionFeatures(queries, positions, owners, mask)
    found = []
    for fast in (True, False):
        output.fast = fast
        log_prior = mixture.log_weights(torch.softmax(energies.masked_fill(~mask, -math.inf), 1), mask)
        scores = position_scores(pairs, targets, output, smoothing=smoothing, log_prior=log_prior)
        plain, smoothed = (torch.logsumexp(log_prior + each, 1) for each in (scores.log_likelihood, scores.smoothed))
        leaves = [energies, queries, positions, output.weight, output.bias]
        if fast:
            read = float((~scores.smoothed.isneginf()).sum()) / float(mask.sum())
            assert sum(counted) / float(mask.sum()) == read  # none twice
            assert read == 1.0 if peaked == 0.0 else (read < (0.99 if peaked == 30.0 else 0.6))
        found.append([plain, smoothed, *torch.autograd.grad(smoothed.sum(), leaves)])
    for one, other in zip(*found, strict=True):
        close(one, other, 1e-9 if dtype == torch.float64 else 2e-4)


def test_features_of_all_positions_are_not_kept():
    """4 x 7 words and 6 positions have 168 pairs of 64 features, or of 512 logits; none of them waits for the backward
    pass."""
    small = MARGINAL[0].config
    decoder = replace(small.decoder, feature_size=64)
    torch.manual_seed(0)
    model = replace(small, decoder=decoder).build(512, 512)
    output = model(ragged(SOURCES), TARGET, BOS)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        loss = model.loss(output, TARGET).loss
    loss.backward()
    pairs = sum(len(source) * len(target) for source, target in zip(SOURCES, TARGETS, strict=True))
    assert max(kept) <= max(model.output.weight.numel(), 7 * 4 * 64)
    assert model.output.weight.numel() < pairs * 512


def test_dropout_of_features_is_shared_by_the_positions_of_a_word():
    one = replace(MARGINAL[0].config, dropout=replace(MARGINAL[0].config.dropout, readout=0.5))
    torch.manual_seed(0)
    model = one.build(7, 7).double()
    scales = []
    original = model.output.dropout.forward
    model.output.dropout.forward = lambda sequence: scales.append(original(sequence)) or scales[-1]
    output = model(ragged(SOURCES), TARGET, BOS)
    model.loss(output, TARGET)
    assert scales[-1].shape == output.features.shape
    assert set(scales[-1].unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("decoder", ["bahdanau", "conditional"])
def test_decoders_whose_state_takes_the_context_in_are_refused(decoder):
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(Seq2SeqConfig, {"decoder": decoder, "attention": "marginal"}, name="model")
    ((problem),) = caught.value.problems
    assert problem.path == "attention.type"
    assert f"must not be marginal in the {decoder} decoder" in problem.message
    assert "choose decoder: luong" in problem.message
