"""What of a recipe may change when a run is resumed, and what may not.

Of the corpora the text counts and not the path: its fingerprint is a part of the run state (``run_state.Origin``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What weights, optimiser, position in the data and the scores compared with each other depend on.
FIXED = (
    "model",
    "seed",
    "data.normalisation",
    "data.target_normalisation",
    "data.subword",
    "data.filters",
    "data.batch",
    "training.objective",
    "training.optimiser.type",
    "training.validation.select",
    "training.validation.search",
    "training.validation.tokenize",
    "training.validation.lowercase",
    "training.validation.limit",
    "training.validation.gold",
    "training.validation.gold_first_index",
    "training.validation.gold_tokenized",
)
# What decides how long training is, what is written down, and what is done afterwards. Anything else changes how
# training goes on, which is worth a word.
FREE = (
    "name",
    "search",
    "test",
    "alignment",
    "data.root",
    "data.cache",
    "data.processes",
    "data.train",
    "data.validation",
    "data.source_language",
    "data.target_language",
    "training.max_steps",
    "training.max_epochs",
    "training.interval_unit",
    "training.validation_interval",
    "training.checkpoint_interval",
    "training.log_interval",
    "training.max_skipped",
    "training.early_stopping",
    "training.keep_best",
    "training.keep_resumable",
    "training.average",
    "training.init_from",
    "training.pretrained_embeddings",
    "training.validation.samples",
    "training.validation.batch_tokens",
)
_LENGTH = ("training.max_steps", "training.max_epochs")
_SHAPED_BY_LENGTH = ("linear", "cosine")


def refused_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Paths that are different and may not be.

    Args:
        before: the recipe the run began with, as plain values.
        now: the recipe it is to be resumed with.
    """
    paths = list(FIXED)
    if _at(now, "data.validation") is None:  # the best checkpoint would stay what it was, whatever is trained
        paths.append("data.validation")
    return [path for path in paths if _at(before, path) != _at(now, path) and not _was_default(before, now, path)]


def _was_default(before: Mapping[str, Any], now: Mapping[str, Any], path: str) -> bool:
    """Whether only the default changed since, to one that is the same wherever the old one fits."""
    return path == "training.validation.tokenize" and (_at(before, path), _at(now, path)) == ("13a", "auto")


def noted_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what is different and changes how training goes on: ``path was a, is b``."""
    changes = dict(_changes(before, now))
    quiet = (*FREE, *FIXED)
    notes = [
        f"{path} was {old}, is {new}"
        for path, (old, new) in changes.items()
        if not any(path == each or path.startswith(f"{each}.") for each in quiet)
    ]
    schedule = _at(now, "training.schedule.type")
    counted = () if _at(now, "training.max_epochs") is None else ("training.accumulation",)
    if schedule in _SHAPED_BY_LENGTH and any(path in changes for path in (*_LENGTH, *counted)):
        notes.append(f"the {schedule} schedule ends with training, which is of another length now")
    return notes


def _changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            yield from _changes(before.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif before != now:
        yield path, (before, now)


def _at(mapping: Mapping[str, Any], path: str) -> Any:
    value: Any = mapping
    for key in path.split("."):
        value = value[key]
    return value
