"""Search tuned at the end of training: beam and length penalty that translate the validation set best."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nmt.core import config
from nmt.core.errors import CheckpointError
from nmt.core.logging import logger, waiting
from nmt.core.machine.distributed import first_only, from_first
from nmt.core.storage.checksums import file_checksum
from nmt.core.storage.files import write_json
from nmt.core.storage.run_folder import MODEL, RunFolder, best_checkpoint, read_json
from nmt.model.seq2seq import Seq2Seq
from nmt.model.weights import load_model_tensors, read_tensors
from nmt.search.scorer import Scorer
from nmt.search.search_config import SearchConfig
from nmt.training.checkpoints.ranking import NAMES
from nmt.training.validation import Validator
from nmt.training.validation_result import Selection, Validation

BEAMS = (3, 5, 8, 12)
LENGTH_PENALTIES = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6)
# Fewer pairs than these rank two searches by BLEU at random: one sentence more or less with a 4-gram decides.
FEW_PAIRS = 500
# Chosen on 500 or 858 pairs, searches of three models differed by under 0.04 BLEU on other pairs; on 250 two lost.
MOST_PAIRS = 500
# Other pairs, of which there must be FEW_PAIRS, on which the choice must be better too: of some thirty searches one may
# be the best of 500 pairs by luck. A length penalty of 0 that gained 0.7 BLEU on 500 pairs lost 0.1 (and 0.6
# chrF) on 1,000 others.
MOST_OTHERS = 1000
_GAIN = 0.05  # a larger beam must gain as much, since it takes longer
# Searches that were chosen for less on half of a validation set lost 0.04 BLEU on the other half, in the mean of three
# models.
WORTH = 0.3


@dataclass(frozen=True, slots=True)
class Trial:
    """Scores of the validation set under one search.

    Args:
        beam_size: hypotheses per sentence.
        length_penalty: alpha.
        value: of the translations by the metric that decides, larger is better.
        bleu: likewise.
        chrf: likewise.
    """

    beam_size: int
    length_penalty: float
    value: float
    bleu: float
    chrf: float


def tune_search(search: SearchConfig, model: Seq2Seq, validator: Validator, folder: RunFolder) -> None:
    """Choose the search for the best checkpoint, and write it into the run, unless that was done before.

    For each size of the beam the set is searched once; the hypotheses that have finished are ranked anew for each
    length penalty. In a beam whose search ends with as many hypotheses as it has places, which those are does not
    depend on the penalty. The choice is kept if it is better than the recipe's search on other pairs too, where there
    are enough of them.

    Args:
        search: section of the recipe; its own beam and length penalty are tried too, and kept unless others are better.
        model: gets the weights of the best checkpoint, and keeps them.
        validator: gives the pairs, and scores.
        folder: of the run.
    """
    # Only the first process knows that the checkpoint has been written.
    checkpoint, before = from_first(lambda: (best_checkpoint(folder), _asked_before(folder)))
    weights, pairs = from_first(lambda: file_checksum(checkpoint / MODEL)), validator.corpus.fingerprint
    asked: dict[str, Any] = {
        "checkpoint": checkpoint.name,
        "weights": weights,
        "pairs": pairs,
        "recipe": config.to_mapping(search),
    }
    if asked == before:
        return
    load_model_tensors(model, read_tensors(checkpoint / MODEL), "best")
    metric = metric_for(validator)
    rows, penalties = validator.spread(MOST_PAIRS), {search.length_penalty, *LENGTH_PENALTIES}
    tried: list[Trial] = []
    for beam_size in sorted({search.beam_size, *(each for each in BEAMS if each >= search.n_best)}):
        with waiting(f"tuning the search with a beam of {beam_size}"):
            wide = replace(search, beam_size=beam_size)
            tried += _trials(wide, penalties, model, validator, rows=rows, metric=metric)
    own = _like(tried, search)
    asked |= {"metric": metric, "sentences": len(rows)}
    # All processes go on together, so the first one decides.
    best = tried[from_first(lambda: tried.index(chosen(tried, own)))]
    others = validator.spread(MOST_OTHERS, without=rows)
    if best != own and len(others) >= FEW_PAIRS:
        again = _again((best, own), search, model, validator, rows=others, metric=metric)
        asked |= {"other_sentences": len(others), "others": [*map(config.to_mapping, again)]}
        new, old = (_like(again, each) for each in (best, own))
        kept = new.value >= old.value + _GAIN
        told = f"{_told(new, metric)} against {_told(old, metric)}: {'kept' if kept else 'not kept'}"
        _log(logging.INFO, f"search: on {len(others)} other pairs {told}")
        best = best if kept else own
    _keep(asked, best, own, tried, folder)


def metric_for(validator: Validator) -> Selection:
    """Return the metric of the validation, or chrF: for few pairs it is steadier, and some measure no translations."""
    select = validator.config.select
    few = select == "bleu" and validator.count < FEW_PAIRS
    if not few and select not in {"perplexity", "aer"}:
        return select
    if few:
        _log(
            logging.WARNING,
            f"BLEU of {validator.count} pairs is noise (below {FEW_PAIRS}): the search is chosen by chrF on validation",
        )
    return "chrf"


def chosen(tried: Sequence[Trial], own: Trial) -> Trial:
    """Choose the best, a larger beam only where it gains more than a rounding; the recipe's own if nearly as good."""
    best = own
    for each in sorted(tried, key=lambda trial: trial.beam_size):
        needed = _GAIN if each.beam_size > best.beam_size else 0.005
        if each.value > best.value + needed:
            best = each
    return best if best.value >= own.value + WORTH else own


def _like(trials: Sequence[Trial], search: Trial | SearchConfig) -> Trial:
    """Return the trial with the beam and length penalty of another, or of a search."""
    wanted = search.beam_size, search.length_penalty
    return next(each for each in trials if (each.beam_size, each.length_penalty) == wanted)


def _again(
    searches: Sequence[Trial],
    search: SearchConfig,
    model: Seq2Seq,
    validator: Validator,
    *,
    rows: Sequence[int],
    metric: Selection,
) -> list[Trial]:
    """Try searches on other pairs; each size of the beam is searched once."""
    again: list[Trial] = []
    for beam_size in sorted({each.beam_size for each in searches}):
        with waiting(f"trying a beam of {beam_size} on other pairs"):
            wide = replace(search, beam_size=beam_size)
            penalties = {each.length_penalty for each in searches if each.beam_size == beam_size}
            again += _trials(wide, penalties, model, validator, rows=rows, metric=metric)
    return again


def _trials(
    search: SearchConfig,
    penalties: set[float],
    model: Seq2Seq,
    validator: Validator,
    *,
    rows: Sequence[int],
    metric: Selection,
) -> list[Trial]:
    """Search pairs once, and score what is best by each length penalty."""
    found = validator.translations(model, replace(search, n_best=search.beam_size), rows)
    trials = []
    scorer = Scorer.of(search)
    for penalty in sorted(penalties):
        other = replace(scorer, length_penalty=penalty)
        targets = [max(each, key=lambda hypothesis: other.rescored(hypothesis, scorer)).tokens for each in found]
        bleu, chrf = validator.scores(targets, rows)
        scored = Validation(math.nan, bleu, chrf, (), selected=validator.selected(targets, rows))
        trials.append(Trial(search.beam_size, penalty, scored.value(metric), bleu.value, chrf.value))
    return trials


def _asked_before(folder: RunFolder) -> dict[str, Any] | None:
    try:
        found = read_json(folder.search)
    except CheckpointError:
        return None
    return {name: found.get(name) for name in ("checkpoint", "weights", "pairs", "recipe")}


@first_only
def _keep(asked: dict[str, Any], best: Trial, own: Trial, tried: Sequence[Trial], folder: RunFolder) -> None:
    told = _told(best, asked["metric"]), _told(own, asked["metric"])
    logger.info("search: %s, where the recipe's is %s, on %d pairs of validation", *told, asked["sentences"])
    values = {"beam_size": best.beam_size, "length_penalty": best.length_penalty}
    write_json(folder.search, {**asked, "search": values, "tried": [*map(config.to_mapping, tried)]})


@first_only
def _log(level: int, message: str) -> None:
    logger.log(level, "%s", message)


def _told(trial: Trial, metric: Selection) -> str:
    scores = {NAMES[metric]: abs(trial.value), "BLEU": trial.bleu, "chrF": trial.chrf}
    shown = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
    return f"beam_size {trial.beam_size}, length_penalty {trial.length_penalty:g} ({shown})"
