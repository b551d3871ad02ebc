"""Recipe values that may change when a run is resumed, and those that may not.

A corpus is compared by its text, not its path: the run state contains its fingerprint (``run_state.Origin``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from nmt.core import config

# Values that weights, optimiser, data position and the comparability of scores depend on.
FIXED = (
    "model",
    "seed",
    "data.source",
    "data.normalisation",
    "data.target_normalisation",
    "data.placeholders",
    "data.subword",
    "data.filters",
    "data.batch",
    "data.temperature",
    "data.train.*.weight",
    "data.window",
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
# Values that decide the length of training, the records, and the steps afterwards. Any other change affects training
# itself and is reported.
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
    "training.max_minutes",
    "training.interval_unit",
    "training.validation_interval",
    "training.checkpoint_interval",
    "training.log_interval",
    "training.max_skipped",
    "training.early_stopping",
    "training.keep_best",
    "training.keep_resumable",
    "training.average",
    "training.tune_search",
    "training.tensorboard",
    "training.init_from",
    "training.pretrained_embeddings",
    "training.validation.samples",
    "training.validation.batch_tokens",
)
_BATCHES = "training.accumulation"
_LENGTH = ("training.max_steps", "training.max_epochs", "training.max_minutes")
_SHAPED_BY_LENGTH = ("linear", "cosine")


def refused_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the paths of recipe values that differ between the original and the resumption, but must not."""
    paths = list(FIXED)
    if _at(now, "data.validation") is None:  # the best checkpoint would never change
        paths.append("data.validation")
    found = [path for path in paths if _at(before, path) != _at(now, path) and not _was_default(before, now, path)]
    return found + (["data.train.*.tag"] if _tags(before) != _tags(now) else [])


def _tags(mapping: Mapping[str, Any]) -> list[str | None]:
    """The tags of the training corpora, once for neighbours with the same: files may be divided otherwise."""
    return [tag for tag, _ in groupby(corpus.get("tag") for corpus in mapping["data"]["train"])]


def _was_default(before: Mapping[str, Any], now: Mapping[str, Any], path: str) -> bool:
    """Whether only the default has changed, to one that is equivalent wherever the old one applies."""
    return path == "training.validation.tokenize" and (_at(before, path), _at(now, path)) == ("13a", "auto")


def noted_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], *, processes: tuple[int, int] = (1, 1)
) -> list[str]:
    """Describe differences that affect further training: ``path was a, is b``.

    Args:
        before: original recipe of the run, as plain values.
        now: recipe for the resumption.
        processes: number of processes before and now; what counts is the number of batches of an update.
    """
    changes = {path: (old, new) for path, old, new in config.differences(before, now)}
    had, has = (_at(each, _BATCHES) * count for each, count in zip((before, now), processes, strict=True))
    if had == has:
        changes.pop(_BATCHES, None)
    elif processes != (1, 1):
        changes[_BATCHES] = f"{had} in all processes", f"{has} in all processes"
    quiet = (*FREE, *FIXED)
    notes = [
        f"{path} was {old}, is {new}"
        for path, (old, new) in changes.items()
        if not any(path == each or path.startswith(f"{each}.") for each in quiet)
    ]
    schedule = _at(now, "training.schedule.type")
    counted = () if _at(now, "training.max_epochs") is None else (_BATCHES,)
    if schedule in _SHAPED_BY_LENGTH and any(path in changes for path in (*_LENGTH, *counted)):
        notes.append(f"the {schedule} schedule depends on the length of training, which has changed")
    return notes


def _at(mapping: Mapping[str, Any], path: str) -> Any:
    """The value at a path; where it has a ``*``, what the items of a list have there, if anything."""
    value: Any = mapping
    items, star, rest = path.partition(".*.")
    for key in items.split("."):
        value = value[key]
    return [each[rest] for each in value if each.get(rest) is not None] if star else value
