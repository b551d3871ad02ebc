"""Held-out parts of a corpus that has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.seeding import derive_seed


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the pairs of each part, ascending.

    Args:
        train: the rest.
        validation: for choosing the best checkpoint.
        test: scored once.
    """

    train: NDArray[numpy.int64]
    validation: NDArray[numpy.int64]
    test: NDArray[numpy.int64]


def hold_out(sources: Sequence[str], *, validation: int, test: int, seed: int) -> Split:
    """Draw held-out parts at random; all pairs of a source sentence go to the same part.

    Args:
        sources: the source of every pair; compared up to the amount of white space.
        validation: number of validation pairs.
        test: number of test pairs.
        seed: root seed.

    Returns:
        The indices of each part.

    Raises:
        DataError: too few distinct sources to hold out that many and keep some for training.
    """
    groups: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        groups.setdefault("" if is_blank(source) else " ".join(source.split()), []).append(index)
    wanted = {"validation": validation, "test": test}
    parts: dict[str, list[int]] = {"validation": [], "test": [], "train": groups.pop("", [])}
    members = list(groups.values())
    for drawn in numpy.random.default_rng(derive_seed(seed, "hold out")).permutation(len(members)):
        # The first part with room for the whole group; a frequent sentence fits in none, and goes to training.
        room = (part for part in wanted if len(parts[part]) + len(members[drawn]) <= wanted[part])
        parts[next(room, "train")].extend(members[drawn])
    if any(len(parts[part]) < wanted[part] for part in wanted) or len(parts["train"]) < max(1, validation + test):
        raise DataError(
            f"{len(sources)} pairs with {len(members)} distinct sources are too few to hold out {validation} for "
            f"validation and {test} for test; give more text, or a recipe that names data.train, data.validation and "
            "test.corpus"
        )
    indices = {part: numpy.sort(numpy.array(rows, dtype=numpy.int64)) for part, rows in parts.items()}
    return Split(train=indices["train"], validation=indices["validation"], test=indices["test"])
