"""Saliency: which source positions a model's words depend on, by shifted attention, gradients, or leaving words out.

Every function runs a model in evaluation mode on B sources and given targets, all ending in eos, teacher-forced from
``bos_id``. It returns (B, T, S) on the device of the model: row t is for the target piece y_t (the last real row for
eos), column s for the source piece x_s. Padding is zero. Values are raw: those
of gradients and of words left out may be negative, and rows are not normalised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nmt.core.tensors import length_mask, select_rows
from nmt.data.batch import Tokens
from nmt.model.decoder.output import DecoderOutput
from nmt.model.readout.mixture import MixtureOutputLayer
from nmt.model.readout.output_layer import real_tokens
from nmt.model.seq2seq import Seq2Seq


def shifted_attention(model: Seq2Seq, source: Tokens, target: Tokens, *, bos_id: int) -> Tensor:
    """Shifted attention: each target piece gets the attention, averaged over heads, of the step whose query read it.

        w_t = a_{t + k}

    Chen et al. (2020), section 3.2, "shift-att", where k is 1, as in every decoder that attends with the new state. k
    is ``Decoder.attention_shift``; the last pieces need steps beyond eos. Rows sum to what those of the attention do.
    """
    delay = model.decoder.attention_shift
    # The padding read by the steps beyond a target affects none of the queries used.
    longer = torch.cat([target.ids, target.ids[:, -1:].expand(-1, delay)], dim=1)
    with torch.no_grad():
        weights = model(source, Tokens(longer, target.lengths + delay), bos_id).weights.mean(2)
    return _real(weights[:, delay:], source, target)


def gradient_times_input(
    model: Seq2Seq, source: Tokens, target: Tokens, *, bos_id: int, noise: Tensor | None = None
) -> Tensor:
    """Multiply source embeddings by the gradients of a word's log-probability with respect to them.

        w_ts = sum_d e_sd * d log p(y_t | y_<t, x) / d e_sd

    Ding et al. (2019), section 3: the gradient by the one-hot vector that selects the embedding. They use p instead of
    log p, which only scales a row by p(y_t). The gradient flows through all paths: encoder, bridge, attention, earlier
    states; models without attention are possible too. Noise (B, S, E) is added to the embeddings first (one sample of
    SmoothGrad).
    """
    with torch.enable_grad(), _differentiable_recurrence():
        embedded = model.embed_source(source.ids).detach()
        embedded = (embedded if noise is None else embedded + noise).requires_grad_()
        output = model.run(model.encode(source, embedded), target, bos_id)
        rows = []
        for place in range(target.ids.shape[1]):
            log_prob = _log_prob(model, output, target, place).sum()
            # Zero if nothing depends on the source: no attention, and a decoder with a zero initial state.
            (gradient,) = torch.autograd.grad(log_prob, embedded, retain_graph=True, materialize_grads=True)
            rows.append((gradient * embedded).sum(-1).detach())
    return _real(torch.stack(rows, 1), source, target)


def attention_times_gradient(model: Seq2Seq, source: Tokens, target: Tokens, *, bos_id: int) -> Tensor:
    """Multiply attention weights, which must be differentiable, by the gradients of their own word's log-probability.

        w_ts = sum_k a_kts * d log p(y_t | y_<t, x) / d a_kts        over the heads k

    Serrano and Smith (2019), section 3.2. The context is linear in both the weights and the values. So this equals
    ``v_s . d log p / d v_s`` with only the memory of step t as variable, and it is computed that way. With a latent
    alignment (``marginal``) it is the posterior ``a_ts p(y_t | s) / p(y_t)``. A lexical model's words are linear in the
    weights too, and add theirs.
    """
    if isinstance(model.output, MixtureOutputLayer) and model.output.in_search:
        return _posterior(model, model.output, source, target, bos_id=bos_id)
    with torch.no_grad():
        prepared, state = model.start(model.encode(source))
    blended = {"values": prepared.values} | ({} if prepared.embedded is None else {"embedded": prepared.embedded})
    tokens = torch.full_like(target.lengths, bos_id)
    rows = []
    with torch.enable_grad(), _differentiable_recurrence():
        for wanted in target.ids.unbind(1):
            weighed: dict[str, Any] = {name: each.detach().requires_grad_() for name, each in blended.items()}
            seen = replace(prepared, **weighed)
            output = model.step(tokens, seen, state)
            log_probs = model.log_probs(output).gather(1, wanted.unsqueeze(1))
            gradients = torch.autograd.grad(log_probs.sum(), list(weighed.values()))
            pairs = zip(gradients, weighed.values(), strict=True)
            rows.append(torch.stack([(one * each).sum(-1) for one, each in pairs]).sum(0).detach())
            tokens, state = wanted, _detached(output.state)
    return _real(torch.stack(rows, 1), source, target)


def leave_one_out(
    model: Seq2Seq, source: Tokens, target: Tokens, words: Sequence[Sequence[int]], *, bos_id: int
) -> Tensor:
    """Leave out one source word at a time, and measure the change of each target piece's log-probability.

        w_tI = log p(y_t | y_<t, x) - log p(y_t | y_<t, x without I)

    Li et al. (2016), "Understanding neural networks through representation erasure", equation 1 (they divide by the
    first term). The pieces of word I are removed from the source, which gets shorter. They share w_tI equally, so that
    they sum to it. ``words`` holds the word of each piece, row by row; pieces with a negative one (eos may be omitted)
    stay. Models without attention are possible too.
    """
    member = _word_of_piece(source, words)
    whole = token_log_probs(model, source, target, bos_id=bos_id)
    found = whole.new_zeros(*target.ids.shape, source.ids.shape[1])
    for word in range(int(member.max()) + 1):
        gone = member == word
        rows = gone.any(1).nonzero().squeeze(1)
        part = without_pieces(select_rows(source, rows), gone[rows])
        fall = whole[rows] - token_log_probs(model, part, select_rows(target, rows), bos_id=bos_id)
        share = gone[rows].to(fall.dtype) / gone[rows].sum(1, keepdim=True)
        found[rows] += fall.unsqueeze(2) * share.unsqueeze(1)
    return _real(found, source, target)


def without_pieces(source: Tokens, gone: Tensor) -> Tokens:
    """Remove pieces (B, S), at most all but one of each row, from sources, which get shorter."""
    stays = ~gone & length_mask(source.lengths, source.ids.shape[1])
    order = (~stays).to(torch.int8).sort(dim=1, stable=True).indices
    lengths = stays.sum(1)
    return Tokens(source.ids.gather(1, order)[:, : int(lengths.max())], lengths)


@torch.no_grad()
def token_log_probs(model: Seq2Seq, source: Tokens, target: Tokens, *, bos_id: int) -> Tensor:
    """Log-probability (B, T) of every target piece in nats, as in search; zero on padding."""
    output = model(source, target, bos_id)
    steps = [_log_prob(model, output, target, place) for place in range(target.ids.shape[1])]
    return torch.stack(steps, 1)


@contextmanager
def _differentiable_recurrence() -> Iterator[None]:
    """Disable cuDNN, whose recurrent layers refuse a backward pass in evaluation mode.

    ``torch.backends.cudnn.flags`` would also allow TF32, or fail where only recurrent layers must not use it.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.enabled
    cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled = before


def _log_prob(model: Seq2Seq, output: DecoderOutput, target: Tokens, place: int) -> Tensor:
    """Log-probability (B,) of the target pieces at one position; zero for rows that ended before it."""
    here = slice(place, place + 1)
    log_probs = model.log_probs(output.of_words(here)).squeeze(1).gather(1, target.ids[:, here]).squeeze(1)
    return log_probs.masked_fill(target.lengths <= place, 0.0)


@torch.no_grad()
def _posterior(model: Seq2Seq, readout: MixtureOutputLayer, source: Tokens, target: Tokens, *, bos_id: int) -> Tensor:
    output = model(source, target, bos_id)
    scores = readout.position_scores(output, target).log_likelihood
    posterior = torch.softmax(readout.log_prior(output, target) + scores, dim=1)
    found = posterior.new_zeros(target.ids.numel(), source.ids.shape[1])
    found[real_tokens(target)] = posterior
    return found.view(*target.ids.shape, -1)


def _word_of_piece(source: Tokens, words: Sequence[Sequence[int]]) -> Tensor:
    member = torch.full_like(source.ids, -1)
    for row, each in enumerate(words):
        member[row, : len(each)] = torch.tensor(each, dtype=member.dtype, device=member.device)
    return member


def _real(found: Tensor, source: Tokens, target: Tokens) -> Tensor:
    """Set padding to zero."""
    sides = (length_mask(side.lengths, side.ids.shape[1]) for side in (target, source))
    rows, columns = sides
    found = found[:, : rows.shape[1]]
    return found.masked_fill(~(rows.unsqueeze(2) & columns.unsqueeze(1)), 0.0)


def _detached(tree: Any) -> Any:
    """Detach a state from the graph that computed it."""
    if isinstance(tree, Tensor):
        return tree.detach()
    if is_dataclass(tree) and not isinstance(tree, type):
        return replace(tree, **{field.name: _detached(getattr(tree, field.name)) for field in fields(tree)})
    if isinstance(tree, tuple):
        return tuple(_detached(each) for each in tree)
    return tree
