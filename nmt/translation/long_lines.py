"""Lines too long for a model to read at once: split at sentence ends, translated in parts, joined again."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nmt.search.hypothesis import Hypothesis
from nmt.search.scorer import Scorer
from nmt.text.spacing import join_parts
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, pieces_of_words

# There is no attention between parts; a larger matrix would be mostly zeros and take as much memory as the model.
MOST_WEIGHTS = 2**24

_SENTENCE_END = re.compile(r"""[.!?\u2026\u0964\u061f]["'\u201c\u201d\u2019\u00bb\u203a)\]]*$""")
_ABBREVIATION = re.compile(r"^\W*(\w|\d\d)\.$")  # "z. B.", "J. S. Bach", "3. Mai": no sentence ends there
_CLAUSE_END = re.compile(r"""[,;:\u2013\u2014]["'\u201c\u201d\u2019\u00bb\u203a)\]]*$""")
_WIDE_SENTENCE_ENDS = tuple("\u3002\uff01\uff1f\uff61\u0f0d\u104b\u17d4")
_WIDE_CLAUSE_ENDS = tuple("\uff0c\u3001\uff1b\uff1a")

_SENTENCE, _CLAUSE, _WORD, _ANYWHERE = 3, 2, 1, 0


def parts_of(pieces: Pieces, words: Sequence[str], limit: int) -> list[slice]:
    """Split a long line, of white-space words, into non-empty parts of at most ``limit`` pieces, as slices in order.

    Every sentence becomes a part, since models are trained on sentences. A sentence that is too long is split after a
    comma or similar, else between words, else between pieces, always in the second half of the limit.
    """
    strengths = _boundaries(pieces, words)
    ends = [place + 1 for place, strength in enumerate(strengths) if strength == _SENTENCE]
    parts: list[slice] = []
    begin = 0
    for end in [*ends, len(pieces.ids)]:
        while end - begin > limit:
            cut = _best_cut(strengths, begin + (limit + 1) // 2, begin + limit)
            parts.append(slice(begin, cut))
            begin = cut
        if end > begin:
            parts.append(slice(begin, end))
            begin = end
    return parts


def _boundaries(pieces: Pieces, words: Sequence[str]) -> list[int]:
    """Rate the boundary after each piece but the last as a place to split."""
    strengths = []
    for place in range(len(pieces.ids) - 1):
        word, following, letters = pieces.words[place], pieces.words[place + 1], pieces.pieces[place]
        if letters.endswith(_WIDE_SENTENCE_ENDS):
            strength = _SENTENCE
        elif letters.endswith(_WIDE_CLAUSE_ENDS):
            strength = _CLAUSE
        elif word == following:
            strength = _ANYWHERE
        elif _ends_sentence(words[word], words[following]):
            strength = _SENTENCE
        else:
            strength = _CLAUSE if _CLAUSE_END.search(words[word]) else _WORD
        strengths.append(strength)
    return strengths


def _ends_sentence(word: str, following: str) -> bool:
    return (
        _SENTENCE_END.search(word) is not None
        and _ABBREVIATION.match(word) is None
        and not following.lstrip("\"'([\u00ab\u201e\u201c\u2018").islower()
    )


def _best_cut(strengths: Sequence[int], first: int, last: int) -> int:
    """Find the last of the best boundaries, counted in pieces before it, from ``first`` to ``last``."""
    return max(range(first, last + 1), key=lambda cut: (strengths[cut - 1], cut))


def join_hypotheses(
    source: SourceLine, parts: Sequence[SourceLine], found: Sequence[Sequence[ScoredTarget]], scorer: Scorer
) -> tuple[ScoredTarget, ...]:
    """Join the translations of the parts of a source, in order, into translations of the line, best first.

    The first joins the best translations of all parts, the second the second best, and so on; a part with fewer
    translations contributes its best. Texts are joined by a space or by nothing, as their script requires
    (``nmt.text.spacing``). The utility of the whole is the mean of its parts.
    """
    most = max(len(targets) for targets in found)
    ranked = [[targets[min(rank, len(targets) - 1)] for targets in found] for rank in range(most)]
    whole = [_join(source, parts, targets, scorer) for targets in ranked]
    return tuple(sorted(whole, key=lambda target: -(target.score if target.utility is None else target.utility)))


def _join(
    source: SourceLine, parts: Sequence[SourceLine], targets: Sequence[ScoredTarget], scorer: Scorer
) -> ScoredTarget:
    text, merged = join_parts([target.text for target in targets if target.words])
    goes_on = iter([False, *merged])
    held: list[tuple[int, ...]] = []
    count = 0
    for target in targets:
        first = count - next(goes_on) if target.words else count
        held += (tuple(word + first if word >= 0 else -1 for word in each) for each in target.pieces.held)
        count = first + len(target.words)
    pieces = pieces_of_words(
        [piece for target in targets for piece in target.pieces.ids],
        [letters for target in targets for letters in target.pieces.pieces],
        held,
    )
    utilities = [target.utility for target in targets if target.utility is not None]
    utility = statistics.fmean(utilities) if utilities else None
    return ScoredTarget(source, text, pieces, _join_scores(source, parts, targets, pieces, scorer), utility)


def _join_scores(
    source: SourceLine,
    parts: Sequence[SourceLine],
    targets: Sequence[ScoredTarget],
    pieces: Pieces,
    scorer: Scorer,
) -> Hypothesis:
    """Score the joined translation as one; the eos of inner parts is not counted."""
    hypotheses = [target.hypothesis for target in targets]
    finished = all(hypothesis.finished for hypothesis in hypotheses)
    log_probs = [each for hypothesis in hypotheses for each in hypothesis.token_log_probs[: len(hypothesis.tokens)]]
    if finished:
        log_probs += hypotheses[-1].token_log_probs[len(hypotheses[-1].tokens) :]
    log_prob = sum(log_probs)
    coverage = sum(each.score - each.log_prob / _divisor(each, scorer) for each in hypotheses)
    cut = any(hypothesis.cut for hypothesis in hypotheses)
    joined = Hypothesis(list(pieces.ids), 0.0, log_prob, log_probs, finished, cut)
    score = log_prob / _divisor(joined, scorer) + (coverage if scorer.coverage_penalty else 0.0)
    return replace(joined, score=score, weights=_join_weights(source, parts, hypotheses, finished=finished))


def _divisor(hypothesis: Hypothesis, scorer: Scorer) -> float:
    return scorer.divisor(len(hypothesis.token_log_probs))


def _join_weights(
    source: SourceLine, parts: Sequence[SourceLine], hypotheses: Sequence[Hypothesis], *, finished: bool
) -> Tensor | None:
    """Place the attention of the parts along the diagonal; that to a part's tag and eos goes to those of the line."""
    width = len(source.pieces.ids) + 1
    height = sum(len(hypothesis.tokens) for hypothesis in hypotheses) + finished
    present = [hypothesis.weights for hypothesis in hypotheses if hypothesis.weights is not None]
    if height * width > MOST_WEIGHTS or len(present) < len(hypotheses):
        return None
    joined = torch.zeros(height, width)
    row, column, lead = 0, source.lead, source.lead
    for part, hypothesis, weights in zip(parts, hypotheses, present, strict=True):
        rows, columns = len(hypothesis.tokens) + (finished and part is parts[-1]), len(part.pieces.ids) - lead
        joined[row : row + rows, :lead] = weights[:rows, :lead]
        joined[row : row + rows, column : column + columns] = weights[:rows, lead : lead + columns]
        joined[row : row + rows, -1] = weights[:rows, lead + columns]
        row, column = row + rows, column + columns
    return joined
