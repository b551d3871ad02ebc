"""The entries of the register: figures with their context, and numbers that were not measured."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.core.registry import nearest

REGISTER = Path("tools/benchmarks/figures.yaml")
UNKNOWN = "unknown"
# In a quote: {bleu:.1f} stands for the value `bleu` in the format of Python, {other.bleu:.1f} for another figure's.
FIELD = re.compile(r"\{([\w-]+(?:\.[\w-]+)?)(?::([^{}]+))?\}")


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of processor that figures are measured on.

    Args:
        id: its name in figures.
        name: in words, as in the documents.
        vendor: ``vendor_id`` in ``/proc/cpuinfo``.
        family: ``cpu family`` there, or any.
        flag: one of its ``flags`` there that others of the family lack.
    """

    id: str
    name: str
    vendor: str
    family: int | None = None
    flag: str | None = None

    def fits(self, cpu: Mapping[str, str]) -> bool:
        """Whether a processor that describes itself so is one of this kind."""
        family = self.family is None or cpu.get("cpu family") == str(self.family)
        flag = self.flag is None or self.flag in cpu.get("flags", "").split()
        return cpu.get("vendor_id") == self.vendor and family and flag


@dataclass(frozen=True, slots=True)
class Group:
    """Files that several figures depend on together.

    Args:
        id: its name in figures.
        paths: as git understands them, from the root of the repository.
    """

    id: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A number that a command measures.

    Args:
        name: within its figure. value: the measured value. median_of: instead of a value, those of other figures
        (``figure.name``) whose median it is. spread: how much another measurement may differ and still agree: a number,
        or a share such as ``25%``. read: where it is in the output of the command: ``FILE:KEY``, with dots between
        nested keys. In a file of JSON lines,
            such as ``stdout.txt`` (the standard output), the last line that has the key counts. ``KEY/60`` divides:
            seconds to minutes. A value without it is entered by hand.
        speed: whether it is meaningful for one kind of processor only.
    """

    name: str
    value: float | None = None
    median_of: tuple[str, ...] = ()
    spread: float | str = 0.0
    read: str | None = None
    speed: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what does not go together."""
        if (self.value is None) == (not self.median_of):
            yield "", "must have either a value or median_of"
        if isinstance(self.spread, str) and not re.fullmatch(r"\d+(\.\d+)?%", self.spread):
            yield "spread", f"must be a number or a share such as 25%, but is {self.spread!r}"

    def agrees(self, measured: float) -> bool:
        """Whether another measurement is within the spread."""
        assert self.value is not None
        if isinstance(self.spread, str):
            return abs(measured - self.value) <= float(self.spread[:-1]) / 100 * abs(self.value)
        return abs(measured - self.value) <= self.spread


@dataclass(frozen=True, slots=True)
class Place:
    """Where numbers are in a document: exactly one of quotes, numbers and table.

    Args:
        file: the document. under: the heading above them, for numbers and a table; empty for text above the first
        heading. quotes: pieces of the text that occur once, with values of the figure as ``{name:.2f}``, and those of
        another figure
            as ``{figure.name:.2f}``. Spaces and line breaks match each other.
        numbers: the figures below the heading that no quote has, in any order.
        table: which of the tables below the heading, from 1.
        digest: of the table's numbers; ``tools/figures.py check`` prints it.
    """

    file: str
    under: str = ""
    quotes: tuple[str, ...] = ()
    numbers: str = ""
    table: int | None = None
    digest: str = ""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what does not go together."""
        if (bool(self.quotes), bool(self.numbers), self.table is not None).count(True) != 1:
            yield "", "must have one of quotes, numbers and table"
        if (self.table is not None) != bool(self.digest):
            yield "digest", "belongs to a table, and a table needs it"


@dataclass(frozen=True, slots=True)
class Figure:
    """What one command has measured, and where the documents have it.

    Args:
        id: its name.
        command: what to run, one line after another: ``{output}`` is a separate folder, any other name in braces a path
            that the user gives by ``--data``. Empty if there is no tool, and for medians.
        commit: at which it was measured; or ``before HASH``: it was not noted, and HASH wrote the figure down.
        processor: what it was measured on: an id, or ``unknown``.
        seeds: of the trainings.
        signature: of the score.
        depends: groups and paths; after they change, the figure is out of date.
        values: the values that are read from the output.
        places: where they are in the documents.
        note: other circumstances, such as load.
    """

    id: str
    commit: str = ""
    processor: str = ""
    command: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    signature: str | None = None
    depends: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    places: tuple[Place, ...] = ()
    note: str = ""

    @property
    def derived(self) -> bool:
        """Whether it only sums up other figures."""
        return bool(self.values) and all(value.median_of for value in self.values)

    @property
    def since(self) -> str:
        """The commit after which a change makes it out of date."""
        return self.commit.removeprefix("before ")

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what does not go together."""
        if not self.places:
            yield "places", "must say where the figure stands"
        for name in ("commit", "processor", "depends"):
            if bool(getattr(self, name)) == self.derived:
                yield name, "is that of the figures it is a median of" if self.derived else "must be given"
        if not self.derived and not re.fullmatch(r"(before )?[0-9a-f]{7,40}", self.commit):
            yield "commit", f"must be a hash, or `before` and a hash, but is {self.commit!r}"
        if not self.derived and any(value.median_of for value in self.values):
            yield "values", "must all be medians, or none"


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Numbers that look like figures but are not.

    Args:
        reason: why they cannot become out of date.
        places: where they are.
    """

    reason: str
    places: tuple[Place, ...]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what does not go together."""
        if any(FIELD.search(quote) for place in self.places for quote in place.quotes):
            yield "places", "quotes a value, but nothing was measured"


@dataclass(frozen=True)
class Register:
    """The whole register.

    Args:
        documents: files whose figures must be in the register, as globs.
        processors: those that figures were measured on.
        groups: files that many figures depend on.
        figures: what was measured.
        not_measured: numbers that look like figures.
    """

    documents: tuple[str, ...]
    processors: tuple[Processor, ...]
    groups: tuple[Group, ...]
    figures: tuple[Figure, ...]
    not_measured: tuple[NotMeasured, ...] = ()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say which names are unknown or given twice."""
        ids = [figure.id for figure in self.figures]
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            yield "figures", f"has {twice!r} twice"
        processors = {processor.id for processor in self.processors} | {UNKNOWN}
        groups = {group.id for group in self.groups}
        every = set(self._measured())
        for index, figure in enumerate(self.figures):
            at = f"figures.{index}"
            if figure.processor and figure.processor not in processors:
                yield f"{at}.processor", f"must be one of {', '.join(sorted(processors))}, but is {figure.processor!r}"
            for name in figure.depends:
                if name not in groups and not re.search(r"[/.]", name):
                    yield f"{at}.depends", f"has {name!r}, which is neither a group nor a path"
            for value in figure.values:
                for name in value.median_of:
                    if name not in every:
                        yield f"{at}.values", f"has a median of {name!r}, which is no value of a figure"
            names = {value.name for value in figure.values} | every
            for quote in (quote for place in figure.places for quote in place.quotes):
                for name, _ in FIELD.findall(quote):
                    if name not in names:
                        yield f"{at}.places", f"quotes {name!r}, which is no value of {figure.id} or of another figure"

    def values(self, figure: Figure) -> dict[str, float]:
        """All that a figure may quote: its own values by name, and those of all figures as ``figure.name``."""
        found = self._measured()
        for value in figure.values:
            medians = [found[name] for name in value.median_of]
            found[value.name] = statistics.median(medians) if value.value is None else value.value
        return found

    def _measured(self) -> dict[str, float]:
        every = ((f"{one.id}.{each.name}", each.value) for one in self.figures for each in one.values)
        return {name: value for name, value in every if value is not None}

    def members(self, figure: Figure) -> list[Figure]:
        """The figures that a figure is a median of, or itself."""
        if not figure.derived:
            return [figure]
        wanted = {name.rpartition(".")[0] for value in figure.values for name in value.median_of}
        return [one for one in self.figures if one.id in wanted]

    def paths(self, figure: Figure) -> list[str]:
        """All that a figure depends on, as git understands it."""
        groups = {group.id: group.paths for group in self.groups}
        found = [path for one in self.members(figure) for name in one.depends for path in groups.get(name, (name,))]
        return sorted(set(found))

    def processor(self, cpu: Mapping[str, str]) -> str:
        """The id of a processor that describes itself so; ``unknown`` if it is none of those known."""
        return next((each.id for each in self.processors if each.fits(cpu)), UNKNOWN)

    def find(self, name: str) -> Figure:
        """The figure of a name.

        Raises:
            ConfigError: there is none.
        """
        for figure in self.figures:
            if figure.id == name:
                return figure
        close = nearest(name, [figure.id for figure in self.figures])
        hint = f"; did you mean {close!r}?" if close else "; `python tools/figures.py list` names all"
        raise ConfigError(f"there is no figure {name!r}{hint}", str(REGISTER))


def load(root: Path) -> Register:
    """Read the register of a checkout.

    Raises:
        ConfigError: it is wrong; every problem with its line.
    """
    return config.load_file(Register, root / REGISTER)
