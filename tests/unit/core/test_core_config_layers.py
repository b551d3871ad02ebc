"""What stands beneath a document, what is examined beyond its configs, and which keys are told to do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from nmt.core import config
from nmt.core.errors import ConfigError, Problem
from nmt.core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    registry: ClassVar[Registry[Any]] = Registry("cell", default="plain")
    size: int = 1


@Cell.registry.register("plain")
@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(Cell):
    pass


@Cell.registry.register("gated")
@dataclass(frozen=True, slots=True, kw_only=True)
class Gated(Cell):
    gates: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    on: bool = True
    rate: float = 0.5
    cells: tuple[Cell, ...] = ()

    def idle(self) -> Iterator[tuple[str, str]]:
        if not self.on:
            yield "rate", "has no effect where it is off"
            yield "cells.0.size", "has no effect where it is off"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    cell: Cell = field(default_factory=Plain)
    part: Part = field(default_factory=Part)
    other: Part = field(default_factory=Part)
    limit: int | None = 3

    def idle(self) -> Iterator[tuple[str, str]]:
        if self.limit is None:
            yield "other", "has no effect without a limit"


def load(text: str, *overrides: str, **options: Any) -> House:
    return config.load(House, text, name="house", overrides=overrides, **options)


def notes_of(text: str, *overrides: str) -> list[str]:
    notes: list[Problem] = []
    load(text, *overrides, notes=notes)
    return [str(note) for note in notes]


def test_a_written_key_that_does_nothing_is_noted_with_its_place() -> None:
    text = "limit: 4\npart:\n  on: false\n  rate: 0.1\n"
    assert notes_of(text) == ["line 4: part.rate has no effect where it is off"]
    assert notes_of("part: {on: false}", "part.rate=0.2") == [
        "part.rate has no effect where it is off (from the override `part.rate=0.2`)"
    ]
    assert notes_of("part: {on: false, cells: [{size: 3}, {size: 4}]}") == [
        "line 1: part.cells.0.size has no effect where it is off"
    ]


@pytest.mark.parametrize("text", ["part: {on: false}", "part: {on: false, rate: 0.5}", "part: {rate: 0.1}", "limit:"])
def test_nothing_is_noted_of_defaults_and_of_what_does_something(text: str) -> None:
    assert notes_of(text) == []


def test_of_a_section_that_does_nothing_no_key_is_noted() -> None:
    assert notes_of("limit:\nother: {on: false, rate: 0.1}") == ["line 2: other has no effect without a limit"]


def test_a_key_that_does_not_exist_is_a_mistake_of_the_programmer() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wrong:
        rate: float = 0.5
        cell: Cell = field(default_factory=Plain)

        def idle(self) -> Iterator[tuple[str, str]]:
            yield "cell.gates", "has no effect"

    assert config.load(Wrong, "cell: {size: 3}", name="x").cell.size == 3
    notes: list[Problem] = []
    config.load(Wrong, "cell: {type: gated, gates: 5}", name="x", notes=notes)
    assert [note.path for note in notes] == ["cell.gates"]


def beneath(**values: Any) -> Any:
    return lambda document: values


def test_what_stands_beneath_fills_the_gaps() -> None:
    lower = beneath(limit=9, part={"on": False, "rate": 0.1}, cell={"type": "gated", "size": 5, "gates": 7})
    assert load("{}", beneath=lower) == House(limit=9, part=Part(on=False, rate=0.1), cell=Gated(size=5, gates=7))
    assert load("limit: null\npart: {rate: 0.2}", beneath=lower).part == Part(on=False, rate=0.2)
    assert load("limit: null", beneath=lower).limit is None
    assert load("{}", "cell.size=6", beneath=lower).cell == Gated(size=6, gates=7)
    # By name alone, of the same type and of another.
    assert load("cell: gated", beneath=lower).cell == Gated(size=5, gates=7)
    assert load("cell: plain", beneath=lower).cell == Plain()
    assert load("cell: {type: plain}", beneath=lower).cell == Plain()


def test_what_stands_beneath_may_depend_on_the_document() -> None:
    seen: list[Any] = []

    def lower(document: Any) -> dict[str, Any]:
        seen.append(document)
        return {"part": {"rate": document["limit"] / 10}}

    assert load("part: {on: false}", "limit=4", beneath=lower).part.rate == 0.4
    assert seen == [{"part": {"on": False}, "limit": 4}]


def test_nothing_is_noted_of_what_stands_beneath() -> None:
    notes: list[Problem] = []
    load("{}", beneath=beneath(part={"on": False, "rate": 0.1}), notes=notes)
    assert notes == []


def test_what_is_examined_is_refused_with_its_place() -> None:
    def examine(house: House) -> Iterator[tuple[str, str]]:
        if house.part.rate > 0.9:
            yield "part.rate", f"must be at most 0.9 here, but is {house.part.rate}"

    assert load("part: {rate: 0.9}", examine=examine).part.rate == 0.9
    with pytest.raises(ConfigError, match=r"^house: line 2: part.rate must be at most 0.9 here, but is 0.95$"):
        load("part:\n  rate: 0.95", examine=examine)
    with pytest.raises(ConfigError, match=r"from the override `part.rate=1.0`"):
        load("{}", "part.rate=1.0", examine=examine)
