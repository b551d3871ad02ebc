"""Allowed next pieces, and the most probable ones among them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.text.subword import SubwordModel

BLOCK = 64


@dataclass(frozen=True, slots=True)
class Symbols:
    """The target pieces with a special role in search.

    Args:
        bos_id: first input of the decoder.
        eos_id: ends a target.
        forbid: pieces never produced; eos is ignored here, since some vocabularies use it for padding.
        copied: source and target ids of placeholders, each produced only where the source has it.
    """

    bos_id: int
    eos_id: int
    forbid: tuple[int, ...] = ()
    copied: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(
        cls, vocabulary: SubwordModel, *, unknown: bool = False, copied: tuple[tuple[int, int], ...] = ()
    ) -> Symbols:
        """Take the symbols from a target vocabulary; pad and bos are forbidden, and unk unless ``unknown``."""
        forbid = (vocabulary.pad_id, vocabulary.bos_id, *(() if unknown else (vocabulary.unk_id,)))
        return cls(vocabulary.bos_id, vocabulary.eos_id, forbid, copied)


class AllowedTokens:
    """Decides which pieces may come next. Probabilities of allowed pieces are not renormalised.

    Args:
        symbols: eos and the forbidden pieces.
        device: device of the log-probabilities.
    """

    def __init__(self, symbols: Symbols, device: torch.device) -> None:
        self.eos_id = symbols.eos_id
        forbidden = sorted({*symbols.forbid} - {symbols.eos_id})
        self.forbidden = torch.tensor(forbidden, dtype=torch.int64, device=device)
        self._blocks = sorted({piece // BLOCK for piece in (symbols.eos_id, *forbidden)})

    def mask(self, log_probs: Tensor, early: Tensor) -> Tensor:
        """Return a copy of (b, k, V) in which disallowed pieces have -inf, and eos where (b,) ``early`` says so."""
        masked = log_probs.index_fill(2, self.forbidden, float("-inf"))
        masked[:, :, self.eos_id] = masked[:, :, self.eos_id].masked_fill(early.unsqueeze(1), float("-inf"))
        return masked

    def end(self, log_probs: Tensor, full: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Allow only eos for targets at the maximum length: with one more word they could not finish.

        Args:
            log_probs: (b, k, V).
            full: (b,) bool from ``LengthLimits.reached``, or ``None``.

        Returns:
            A copy in which all other pieces have -inf there, and (b, k) bool, whether eos then ends a hypothesis for
            which another piece is more probable; or the input unchanged, and ``None``.
        """
        if full is None:
            return log_probs, None
        ends = log_probs[:, :, self.eos_id]
        words = log_probs.index_fill(2, self.forbidden, float("-inf"))
        words[:, :, self.eos_id] = float("-inf")
        cut = full.unsqueeze(1) & (words.amax(2) > ends)
        log_probs = log_probs.masked_fill(full[:, None, None], float("-inf"))
        log_probs[:, :, self.eos_id] = ends
        return log_probs, cut

    def best(self, log_probs: Tensor, early: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Find at least the ``count`` most probable allowed pieces, without masking all of the vocabulary.

        The top-k includes as many extra pieces as could be disallowed; disallowed ones then get -inf.

        Args:
            log_probs: (b, k, V).
            early: (b,) bool, ``True`` where eos may not come yet.
            count: pieces wanted.

        Returns:
            Log-probabilities and pieces, both (b, k, C), in the order of the pieces' ids.
        """
        values, tokens = largest(log_probs.flatten(0, 1), count + len(self.forbidden) + 1)
        tokens, order = tokens.sort(dim=1)
        values = torch.unflatten(values.gather(1, order), 0, log_probs.shape[:2])
        tokens = torch.unflatten(tokens, 0, log_probs.shape[:2])
        banned = (tokens == self.eos_id) & early[:, None, None]
        if len(self.forbidden):
            banned |= torch.isin(tokens, self.forbidden)
        return values.masked_fill(banned, float("-inf")), tokens

    def best_of_all(
        self, before: Tensor, log_probs: Tensor, early: Tensor, count: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Find the most probable continuations over all k hypotheses of a sentence, ranking only a few.

        The ``count`` best lie in the ``count`` blocks of pieces with the largest maxima, over all hypotheses.

        Args:
            before: (b, k) log-probability of every hypothesis so far.
            log_probs: (b, k, V).
            early: (b,) bool, ``True`` where eos may not come yet.
            count: continuations wanted.

        Returns:
            Totals, best first, with ties in the order of hypotheses and ids; hypotheses; pieces; log-probabilities of
            the pieces; all (b, count). ``None`` if the vocabulary is too small for this to be faster.
        """
        sentences, width, size = log_probs.shape
        whole = size // BLOCK
        if whole < 4 * count:
            return None
        blocked = torch.unflatten(log_probs[:, :, : whole * BLOCK], 2, (whole, BLOCK))
        peaks = blocked.amax(3)
        if size > whole * BLOCK:
            peaks = torch.cat([peaks, log_probs[:, :, whole * BLOCK :].amax(2, keepdim=True)], 2)
        each = peaks.shape[2]
        # The maximum of a block with disallowed pieces is recomputed without them.
        for block in self._blocks:
            places = slice(block * BLOCK, (block + 1) * BLOCK)
            ids = torch.arange(size, device=log_probs.device)[places]
            banned = self._banned(ids, early).unsqueeze(1)
            peaks[:, :, block] = log_probs[:, :, places].masked_fill(banned, float("-inf")).amax(2)
        chosen = (before.unsqueeze(2) + peaks).flatten(1).topk(count, dim=1).indices.sort(dim=1).values
        parents, first = chosen // each, chosen % each * BLOCK
        tokens = (first.unsqueeze(2) + torch.arange(BLOCK, device=log_probs.device)).flatten(1)
        parents = parents.repeat_interleave(BLOCK, dim=1)
        inside = tokens.clamp(max=size - 1)
        values = log_probs.reshape(sentences, width * size).gather(1, parents * size + inside)
        values = values.masked_fill((tokens >= size) | self._banned(inside, early), float("-inf"))
        totals = before.gather(1, parents) + values
        # First in the order of hypotheses and ids, so that the stable sort keeps ties in that order.
        order = totals.topk(count, dim=1).indices.sort(dim=1).values
        totals, again = totals.gather(1, order).sort(dim=1, descending=True, stable=True)
        order = order.gather(1, again)
        return totals, parents.gather(1, order), inside.gather(1, order), values.gather(1, order)

    def _banned(self, ids: Tensor, early: Tensor) -> Tensor:
        """Whether pieces (b, n), or the same (n,) for all, are disallowed: (b, n)."""
        banned = (ids == self.eos_id) & early.unsqueeze(1)
        return banned | torch.isin(ids, self.forbidden) if len(self.forbidden) else banned


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Exact top-k of each row of (N, V), with int64 columns, largest first, in two stages if that is faster.

    The ``count`` largest values of a row lie in the ``count`` blocks with the largest maxima (or after the last whole
    block), so only these are searched.
    """
    width = values.shape[1]
    count = min(count, width)
    blocks = width // BLOCK
    if blocks < 4 * count:
        return values.topk(count, dim=1)
    whole = torch.unflatten(values[:, : blocks * BLOCK], 1, (blocks, BLOCK))
    chosen = whole.amax(2).topk(count, dim=1).indices.unsqueeze(2)
    rest = values[:, blocks * BLOCK :]
    inside = whole.gather(1, chosen.expand(-1, -1, BLOCK)).flatten(1)
    columns = torch.arange(width, device=values.device)
    places = torch.cat(
        [(chosen * BLOCK + columns[:BLOCK]).flatten(1), columns[blocks * BLOCK :].expand(len(values), -1)], dim=1
    )
    found, where = torch.cat([inside, rest], dim=1).topk(count, dim=1)
    return found, places.gather(1, where)
