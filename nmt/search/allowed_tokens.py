"""Allowed next pieces, and the most probable ones among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.data.batch import Refine
from nmt.search.strategies.candidates import Candidates
from nmt.text.subword import SubwordModel

BLOCK = 32
# Continuations ranked beyond those wanted if log-probabilities are rough, or half as many if that is more.
_SPARE = 3


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
        cls,
        vocabulary: SubwordModel,
        *,
        unknown: bool = False,
        copied: tuple[tuple[int, int], ...] = (),
        tags: Iterable[str] = (),
    ) -> Symbols:
        """Take the symbols from a target vocabulary; pad, bos and tags are forbidden, and unk unless ``unknown``."""
        unk_id = vocabulary.unk_id
        tag_ids = {vocabulary.id_of(tag) for tag in tags} - {unk_id}
        forbid = (vocabulary.pad_id, vocabulary.bos_id, *sorted(tag_ids), *(() if unknown else (unk_id,)))
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
        not_always = [symbols.eos_id, *forbidden]
        self._not_always = torch.tensor(not_always, dtype=torch.int64, device=device)
        self._blocks = sorted({piece // BLOCK for piece in not_always})

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

    def best_of_each(self, log_probs: Tensor, early: Tensor) -> tuple[Tensor, Tensor]:
        """Find the most probable allowed piece of every hypothesis, in the block of pieces with the largest maximum.

        Args:
            log_probs: (b, k, V).
            early: (b,) bool, ``True`` where eos may not come yet.

        Returns:
            Log-probabilities (-inf where no piece is allowed) and pieces, of equal ones the first; both (b, k).
        """
        first = self._peaks(log_probs, early).argmax(2, keepdim=True) * BLOCK
        tokens = first + torch.arange(BLOCK, device=log_probs.device)
        inside = tokens.clamp(max=log_probs.shape[2] - 1)
        banned = (tokens != inside) | self._banned(inside, early[:, None, None])
        values = log_probs.gather(2, inside).masked_fill(banned, float("-inf"))
        place = values.argmax(2, keepdim=True)
        return values.gather(2, place).squeeze(2), inside.gather(2, place).squeeze(2)

    def best_of_all(
        self, before: Tensor, log_probs: Tensor, early: Tensor, count: int, refine: Refine | None = None
    ) -> Candidates:
        """Find the most probable continuations over all k hypotheses of a sentence, ranking only a few.

        The ``count`` best lie in the ``count`` blocks of pieces with the largest maxima, over all hypotheses.

        Args:
            before: (b, k) log-probability of every hypothesis so far.
            log_probs: (b, k, V).
            early: (b,) bool, ``True`` where eos may not come yet.
            count: continuations wanted.
            refine: computes more than ``count`` of them again before they are ranked, if ``log_probs`` are rough.

        Returns:
            (b, count), best first, with ties in the order of hypotheses and ids.
        """
        sentences, width, size = log_probs.shape
        ranked = count if refine is None else count + max(_SPARE, count // 2)
        peaks = self._peaks(log_probs, early)
        each = peaks.shape[2]
        chosen = (before.unsqueeze(2) + peaks).flatten(1).topk(min(ranked, width * each), dim=1).indices
        chosen = chosen.sort(dim=1).values
        parents, first = chosen // each, chosen % each * BLOCK
        tokens = (first.unsqueeze(2) + torch.arange(BLOCK, device=log_probs.device)).flatten(1)
        parents = parents.repeat_interleave(BLOCK, dim=1)
        inside = tokens.clamp(max=size - 1)
        banned = (tokens != inside) | self._banned(inside, early[:, None])
        values = log_probs.reshape(sentences, width * size).gather(1, parents * size + inside)
        values = values.masked_fill(banned, float("-inf"))
        if missing := max(0, ranked - tokens.shape[1]):
            parents, inside = (torch.nn.functional.pad(ids, (0, missing)) for ids in (parents, inside))
            values = torch.nn.functional.pad(values, (0, missing), value=float("-inf"))
        # First in the order of hypotheses and ids, so that the stable sort keeps ties in that order.
        order = (before.gather(1, parents) + values).topk(ranked, dim=1).indices.sort(dim=1).values
        parents, tokens, values = (found.gather(1, order) for found in (parents, inside, values))
        if refine is not None:
            real = values != float("-inf")  # NaN is kept, so that it is found
            values = refine(parents, tokens, real, self._not_always).masked_fill(~real, float("-inf"))
        totals = before.gather(1, parents) + values
        order = totals.argsort(dim=1, descending=True, stable=True)[:, :count]
        parents, tokens, values, totals = (found.gather(1, order) for found in (parents, tokens, values, totals))
        ends = (tokens == self.eos_id) & (totals > float("-inf"))
        return Candidates(parents, tokens, values, totals, ends)

    def _peaks(self, log_probs: Tensor, early: Tensor) -> Tensor:
        """The largest allowed log-probability of each block of pieces: (b, k, blocks)."""
        size = log_probs.shape[2]
        whole = size // BLOCK
        peaks = torch.unflatten(log_probs[:, :, : whole * BLOCK], 2, (whole, BLOCK)).amax(3)
        if size > whole * BLOCK:
            peaks = torch.cat([peaks, log_probs[:, :, whole * BLOCK :].amax(2, keepdim=True)], 2)
        # The maximum of a block with disallowed pieces is recomputed without them.
        for block in self._blocks:
            places = slice(block * BLOCK, (block + 1) * BLOCK)
            ids = torch.arange(size, device=log_probs.device)[places]
            banned = self._banned(ids, early[:, None, None])
            peaks[:, :, block] = log_probs[:, :, places].masked_fill(banned, float("-inf")).amax(2)
        return peaks

    def _banned(self, ids: Tensor, early: Tensor) -> Tensor:
        """Whether pieces are disallowed; ``early`` is (b, 1) or (b, 1, 1), to fit them."""
        banned = (ids == self.eos_id) & early
        return banned | torch.isin(ids, self.forbidden) if len(self.forbidden) else banned
