"""Search without loops: n-grams that must not occur again, and a penalty on pieces that do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.data.batch import Source
from nmt.search.control.controls import Controls, ControlState
from nmt.search.search_config import SearchConfig


class Repetition:
    """A ``Restriction`` of what stands in the target already.

    A piece that would complete an n-gram of the target a second time gets -inf (Paulus et al. 2018, "A Deep Reinforced
    Model for Abstractive Summarization", section 2.5). The log-probability of every other piece of the target is
    multiplied by the penalty (Keskar et al. 2019, "CTRL", section 4.1, for logits; as log-probabilities are negative,
    there is one case). Values are not renormalised, and count in scores.

    The controls of a line go before: what a required phrase needs next stays as it is, and where they leave a choice of
    few pieces, as inside a prefix (which can be spelt in several ways), or nothing but repetition, only they count.

    Args:
        config: gives the size of the n-grams and the penalty.
        controls: of some of the sentences; applied here, so that a search that has a ``Repetition`` needs them no more.
    """

    def __init__(self, config: SearchConfig, controls: Controls | None) -> None:
        self._size = config.no_repeat_ngram
        self._penalty = config.repetition_penalty
        self._controls = controls

    def start(self, source: Source, lines: Sequence[int]) -> ControlState | None:
        """Start the controls."""
        return None if self._controls is None else self._controls.start(source, lines)

    def restricted(
        self, log_probs: Tensor, prefixes: Tensor, lines: Tensor, state: ControlState | None
    ) -> tuple[Tensor, ControlState | None]:
        """Penalise and forbid; see ``Restriction.restricted``."""
        if self._controls is None or state is None:
            return self._changed(log_probs, prefixes), None
        controlled, following = self._controls.restricted(log_probs, prefixes, lines, state)
        changed = self._changed(controlled, prefixes)
        given = changed.amax(1) == float("-inf")  # nothing but repetition is left
        given[self._controls.bound(lines, following)] = True
        changed[given] = controlled[given]
        if needed := self._controls.advancing(lines, following):
            rows, pieces = torch.tensor(needed, device=changed.device).unbind(1)
            changed[rows, pieces] = controlled[rows, pieces]
        return changed, following

    def _changed(self, log_probs: Tensor, prefixes: Tensor) -> Tensor:
        """Return a changed copy of (N, V), given the pieces so far (N, T)."""
        if self._penalty > 1:
            changed = log_probs.scatter(1, prefixes, log_probs.gather(1, prefixes) * self._penalty)
        else:
            changed = log_probs.clone()
        if 0 < self._size <= prefixes.shape[1]:
            newest = prefixes[:, prefixes.shape[1] - self._size + 1 :].unsqueeze(1)
            ngrams = prefixes.unfold(1, self._size, 1)
            rows, places = (ngrams[:, :, :-1] == newest).all(2).nonzero(as_tuple=True)
            changed[rows, ngrams[rows, places, -1]] = float("-inf")
        return changed
