"""Subword regularisation: segmentations drawn at random from the pieces of a SentencePiece model.

SentencePiece samples too, but mixes a number of the process into every seed: a run that is continued would see other
segmentations than one that was never stopped. Here what is drawn depends on the seed alone.
"""

from __future__ import annotations

import heapq
import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from nmt.core.errors import DataError

_SPACE = "\u2581"
_WORD = re.compile(f"{_SPACE}?[^{_SPACE}]+|{_SPACE}")
# SentencePiece's cost of a character without a piece, below the score of the worst piece.
_UNKNOWN_PENALTY = 10.0
_WORDS_KEPT = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """Subword regularisation: another segmentation of each sentence in every epoch.

    Args:
        alpha: for unigram the smoothing of the distribution over all segmentations, p(x)^alpha (Kudo 2018, section
            3.2; smaller is flatter); for BPE the probability of dropping a merge (Provilkov et al. 2020).
    """

    alpha: float = 0.1

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        if not 0.0 <= self.alpha <= 1.0:
            yield "alpha", f"must be between 0 and 1, but is {self.alpha}"


class PieceSampler:
    """Draws segmentations of text that a SentencePiece model has normalised.

    Args:
        serialised: content of a ``.model`` file that is known to be whole.
        path: where it came from; used in messages.

    Raises:
        DataError: the model is of a kind that has one segmentation only (word or character pieces).
    """

    def __init__(self, serialised: bytes, path: Path) -> None:
        # Slow to import, and most trainings do not sample.
        from sentencepiece import sentencepiece_model_pb2

        model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        model.ParseFromString(serialised)
        kinds, kind = model.SentencePiece, model.trainer_spec.model_type
        if kind not in (model.trainer_spec.UNIGRAM, model.trainer_spec.BPE):
            raise DataError(f"{path}: subword sampling needs a unigram or BPE model; set sampling: null")
        self._of_bpe = kind == model.trainer_spec.BPE
        normal = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.NORMAL}
        whole = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.USER_DEFINED}
        self._ids = normal | whole
        self._scores = {piece: model.pieces[index].score for piece, index in normal.items()}
        self._unknown_score = min(self._scores.values(), default=0.0) - _UNKNOWN_PENALTY
        self._longest = max(map(len, self._scores), default=1)
        self._unknown = next(index for index, piece in enumerate(model.pieces) if piece.type == kinds.UNKNOWN)
        self._bytes = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == kinds.BYTE}
        # The longest symbol wins where two begin; with none, nothing is cut.
        self._symbols = re.compile("|".join(map(re.escape, sorted(whole, key=len, reverse=True))) or r"(?!)")
        # Words are drawn one by one unless a piece can reach over the space between two.
        self._words_apart = not any(_SPACE in piece[1:] for piece in normal)
        # Words come again and again: what can be computed once a word is.
        self._lattice = lru_cache(_WORDS_KEPT)(self._new_lattice)

    def draw(self, normalised: str, alpha: float, seed: int) -> list[tuple[int, int]]:
        """Draw a segmentation.

        Args:
            normalised: text as the model's own ``normalize`` gives it.
            alpha: of ``SamplingConfig``.
            seed: what alone decides the draw.

        Returns:
            The id of each piece and the number of characters that it stands for. (Of the bytes of a character the last
            stands for it, as in SentencePiece's own offsets.)
        """
        rng = random.Random(seed)
        pieces: list[str] = []
        for part, is_symbol in self._parts(normalised):
            if is_symbol:
                pieces.append(part)
            elif self._of_bpe:
                pieces += self._merge(part, alpha, rng)
            else:
                pieces += self._walk(part, alpha, rng)
        return self._numbered(pieces)

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """Cut text into symbols that are never split and parts that no piece reaches out of."""
        end = 0
        for symbol in self._symbols.finditer(text):
            yield from ((word, False) for word in self._words(text[end : symbol.start()]))
            yield symbol.group(), True
            end = symbol.end()
        yield from ((word, False) for word in self._words(text[end:]))

    def _words(self, text: str) -> list[str]:
        if self._words_apart:
            return _WORD.findall(text)
        return [text] if text else []

    def _merge(self, text: str, dropped: float, rng: random.Random) -> list[str]:
        """Join characters to pieces in the order of the merges, leaving each possible merge out at random."""
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
        while agenda:
            _, left, right, joined = heapq.heappop(agenda)
            # A neighbour may have taken one of the two since; an emptied symbol joins to nothing of this length.
            stale = not symbols[left] or not symbols[right] or symbols[left] + symbols[right] != joined
            if stale or rng.random() < dropped:
                continue
            symbols[left], symbols[right] = joined, ""
            after[left] = after[right]
            if after[left] < len(symbols):
                before[after[left]] = left
            propose(before[left], left)
            propose(left, after[left])
        return [symbol for symbol in symbols if symbol]

    def _new_lattice(self, text: str, alpha: float) -> list[tuple[list[int], list[float]]]:
        """Where the last piece of each prefix may begin, with cumulative weights (forward filtering)."""
        total = [0.0]  # log of the summed p^alpha of all segmentations of a prefix
        lattice: list[tuple[list[int], list[float]]] = []
        for end in range(1, len(text) + 1):
            starts, logs = [], []
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(text[start:end])
                if score is None and start == end - 1:
                    score = self._unknown_score
                if score is not None:
                    starts.append(start)
                    logs.append(total[start] + alpha * score)
            top = max(logs)
            weights = list(accumulate(math.exp(log - top) for log in logs))
            total.append(top + math.log(weights[-1]))
            lattice.append((starts, weights))
        return lattice

    def _walk(self, text: str, alpha: float, rng: random.Random) -> list[str]:
        """Draw a segmentation with probability proportional to p^alpha, from its end to its beginning."""
        lattice = self._lattice(text, alpha)
        pieces, end = [], len(text)
        while end:
            starts, weights = lattice[end - 1]
            start = rng.choices(starts, cum_weights=weights)[0]
            pieces.append(text[start:end])
            end = start
        return pieces[::-1]

    def _numbered(self, pieces: list[str]) -> list[tuple[int, int]]:
        """Ids and lengths of pieces; what has no id is spelt in bytes, or a run of it is one unknown piece."""
        found: list[tuple[int, int]] = []
        for piece in pieces:
            number = self._ids.get(piece)
            if number is not None:
                found.append((number, len(piece)))
            elif self._bytes:
                spelt = [self._bytes[f"<0x{byte:02X}>"] for byte in piece.encode()]
                found += [(byte, 0) for byte in spelt[:-1]]
                found.append((spelt[-1], len(piece)))
            elif found and found[-1][0] == self._unknown:
                found[-1] = (self._unknown, found[-1][1] + len(piece))
            else:
                found.append((self._unknown, len(piece)))
        return found
