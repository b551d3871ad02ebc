"""Subword regularisation: random segmentations into the pieces of a SentencePiece model.

SentencePiece's own sampling mixes per-process state into every seed, so a resumed run would see other segmentations
than an uninterrupted one. Here a draw depends on the seed alone.
"""

from __future__ import annotations

import heapq
import math
import random
import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, repeat
from pathlib import Path
from typing import Any, TypeAlias

from nmt.core.config.ranges import Share
from nmt.core.errors import DataError
from nmt.text.reserved_characters import SPACE_MARKER as _SPACE

_WORD = re.compile(f"{_SPACE}?[^{_SPACE}]+|{_SPACE}")
# SentencePiece's cost of a character without a piece, below the score of the worst piece.
_UNKNOWN_PENALTY = 10.0
_WORDS_KEPT = 2**15  # some 3 KiB each

Drawn: TypeAlias = tuple[int, int]
"""The id of a drawn piece and the number of characters that it covers."""
Ending: TypeAlias = tuple[float, tuple[float, ...], tuple[Drawn, ...]]
"""The pieces that may end a prefix: their summed weight, the cumulative weights but the last, and the pieces."""
_NO_PIECE: Drawn = (-1, 1)  # a character without a piece


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """Subword regularisation: each sentence is segmented at random, differently in every epoch.

    Args:
        alpha: for unigram the smoothing of the distribution over all segmentations, p(x)^alpha (Kudo 2018, section
            3.2; smaller is flatter); for BPE the probability of dropping a merge (Provilkov et al. 2020).
    """

    alpha: Share = 0.1


class PieceSampler:
    """Draws segmentations of text that a SentencePiece model has normalised.

    Args:
        model: a ``ModelProto`` of SentencePiece.
        path: where it came from; used in messages.

    Raises:
        DataError: the model allows one segmentation only (word or character pieces).
    """

    def __init__(self, model: Any, path: Path) -> None:
        kinds, kind = model.SentencePiece, model.trainer_spec.model_type
        if kind not in (model.trainer_spec.UNIGRAM, model.trainer_spec.BPE):
            raise DataError(f"{path}: subword sampling needs a unigram or BPE model; set sampling: null")
        self._of_bpe = kind == model.trainer_spec.BPE
        normal = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.NORMAL}
        whole = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.USER_DEFINED}
        self._drawn = {piece: (index, len(piece)) for piece, index in (normal | whole).items()}
        self._scores = {piece: model.pieces[index].score for piece, index in normal.items()}
        self._unknown_score = min(self._scores.values(), default=0.0) - _UNKNOWN_PENALTY
        self._longest = max(map(len, self._scores), default=1)
        self._unknown = next(index for index, piece in enumerate(model.pieces) if piece.type == kinds.UNKNOWN)
        self._bytes = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.BYTE}
        # Where two symbols match, the longer one wins.
        self._symbols = re.compile("|".join(map(re.escape, sorted(whole, key=len, reverse=True)))) if whole else None
        # Words are segmented one by one unless a piece can span a space.
        self._words_apart = not any(_SPACE in piece[1:] for piece in normal)
        # Words recur, so what does not depend on the draw is cached.
        self._lattice = lru_cache(_WORDS_KEPT)(self._new_lattice)
        self._whole = lru_cache(_WORDS_KEPT)(lambda text: self._merged(text, repeat(False)))

    def draw(self, normalised: str, alpha: float, seed: int) -> list[Drawn]:
        """Draw a segmentation.

        Args:
            normalised: output of the model's own ``normalize``.
            alpha: as in ``SamplingConfig``.
            seed: determines the draw.

        Returns:
            The id of each piece and the number of characters that it covers. (Of the byte pieces of a character, the
            last one covers it, as in SentencePiece's own offsets.)
        """
        draw = random.Random(seed).random
        add = self._merge if self._of_bpe else self._walk
        drawn: list[Drawn] = []
        end = 0
        for symbol in self._symbols.finditer(normalised) if self._symbols else ():
            for word in self._words(normalised[end : symbol.start()]):
                add(word, alpha, draw, drawn)
            drawn.append(self._drawn[symbol.group()])
            end = symbol.end()
        for word in self._words(normalised[end:]):
            add(word, alpha, draw, drawn)
        return self._spelt(drawn, normalised) if _NO_PIECE in drawn else drawn

    def _words(self, text: str) -> list[str]:
        if self._words_apart:
            return _WORD.findall(text)
        return [text] if text else []

    def _merge(self, text: str, dropped: float, draw: Callable[[], float], drawn: list[Drawn]) -> None:
        """BPE-dropout: skip each possible merge with probability ``dropped``."""
        merges, pieces = self._whole(text)
        for kept in range(merges):
            if draw() < dropped:
                rest = (draw() < dropped for _ in repeat(None))
                _, pieces = self._merged(text, chain(repeat(False, kept), (True,), rest))
                break
        drawn += pieces

    def _merged(self, text: str, drops: Iterator[bool]) -> tuple[int, tuple[Drawn, ...]]:
        """Apply the merges in their order, except those that are dropped; return how many, and the pieces."""
        symbols = list(text)
        before, after = list(range(-1, len(symbols) - 1)), list(range(1, len(symbols) + 1))
        agenda: list[tuple[float, int, int, str]] = []

        def propose(left: int, right: int) -> None:
            if left >= 0 and right < len(symbols):
                joined = symbols[left] + symbols[right]
                if joined in self._scores:
                    heapq.heappush(agenda, (-self._scores[joined], left, right, joined))

        for position in range(len(symbols) - 1):
            propose(position, position + 1)
        merges = 0
        while agenda:
            _, left, right, joined = heapq.heappop(agenda)
            # One of the two may have been merged with its other neighbour meanwhile.
            stale = not symbols[left] or not symbols[right] or symbols[left] + symbols[right] != joined
            if stale or next(drops):
                continue
            merges += 1
            symbols[left], symbols[right] = joined, ""
            after[left] = after[right]
            if after[left] < len(symbols):
                before[after[left]] = left
            propose(before[left], left)
            propose(left, after[left])
        return merges, tuple(self._drawn.get(symbol, _NO_PIECE) for symbol in symbols if symbol)

    def _new_lattice(self, text: str, alpha: float) -> list[Ending]:
        """The pieces that may end each prefix, the empty one first, with cumulative weights (forward filtering)."""
        total = [0.0]  # log of the summed p^alpha of all segmentations of a prefix
        lattice: list[Ending] = [(0.0, (), ())]
        for end in range(1, len(text) + 1):
            pieces, logs = [], []
            for start in range(max(0, end - self._longest), end):
                piece = text[start:end]
                score = self._scores.get(piece)
                if score is None and start == end - 1:
                    score = self._unknown_score
                if score is not None:
                    pieces.append(self._drawn.get(piece, _NO_PIECE))
                    logs.append(total[start] + alpha * score)
            top = max(logs)
            weights = tuple(accumulate(math.exp(log - top) for log in logs))
            total.append(top + math.log(weights[-1]))
            lattice.append((weights[-1], weights[:-1], tuple(pieces)))
        return lattice

    def _walk(self, text: str, alpha: float, draw: Callable[[], float], drawn: list[Drawn]) -> None:
        """Draw a segmentation with probability proportional to p^alpha, from its end to its beginning."""
        lattice = self._lattice(text, alpha)
        end, pieces = len(text), []
        while end:
            total, cuts, ending = lattice[end]
            piece = ending[bisect(cuts, draw() * total)]
            pieces.append(piece)
            end -= piece[1]
        pieces.reverse()
        drawn += pieces

    def _spelt(self, drawn: list[Drawn], normalised: str) -> list[Drawn]:
        """Replace characters without a piece by their byte pieces, or each run of them by one unknown piece."""
        found: list[Drawn] = []
        end = 0
        for piece in drawn:
            end += piece[1]
            if piece is not _NO_PIECE:
                found.append(piece)
            elif self._bytes:
                spelt = [self._bytes[f"<0x{byte:02X}>"] for byte in normalised[end - 1].encode()]
                found += [*((byte, 0) for byte in spelt[:-1]), (spelt[-1], 1)]
            elif found and found[-1][0] == self._unknown:
                found[-1] = (self._unknown, found[-1][1] + 1)
            else:
                found.append((self._unknown, 1))
        return found
