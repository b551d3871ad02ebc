"""Numbers with a range as types of config fields, as in ``size: PositiveInt = 256``; the loader refuses others."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple


class Range(NamedTuple):
    """The numbers that a field accepts.

    Args:
        words: completes the message ``must be ...``.
        holds: whether a number is in the range.
    """

    words: str
    holds: Callable[[float], bool]


PositiveInt = Annotated[int, Range("at least 1", lambda number: number >= 1)]
NonNegativeInt = Annotated[int, Range("at least 0", lambda number: number >= 0)]
Positive = Annotated[float, Range("above 0", lambda number: number > 0)]
NonNegative = Annotated[float, Range("at least 0", lambda number: number >= 0)]
Rate = Annotated[float, Range("at least 0 and below 1", lambda number: 0 <= number < 1)]
Share = Annotated[float, Range("between 0 and 1", lambda number: 0 <= number <= 1)]


def problems_of(config: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a config's values, as field and message: by range, then by its ``problems()``."""
    cls: Any = type(config)
    for name, allowed in ranges_of(cls).items():
        value = getattr(config, name)
        several = isinstance(value, tuple)
        for index, number in enumerate(value if several else (value,)):
            finite = number is None or isinstance(number, int) or math.isfinite(number)  # an int may be beyond floats
            if number is not None and not (finite and allowed.holds(number)):
                yield f"{name}.{index}" if several else name, f"must be {allowed.words}, but is {number}"
    examine = getattr(config, "problems", None)
    if callable(examine):
        yield from examine()


@functools.cache
def ranges_of(cls: type) -> dict[str, Range]:
    """The ranges of the fields of a config that have one."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {item.name: _range_in(hints[item.name]) for item in dataclasses.fields(cls)}
    return {name: allowed for name, allowed in found.items() if allowed is not None}


def _range_in(hint: Any) -> Range | None:
    """The range of a type, or of the numbers in an optional one or a tuple."""
    if typing.get_origin(hint) is Annotated:
        return next((each for each in hint.__metadata__ if isinstance(each, Range)), None)
    return next(filter(None, map(_range_in, typing.get_args(hint))), None)
