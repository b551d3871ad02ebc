"""A YAML document as a small tree in which every value knows its origin.

Scalars follow the core schema of YAML 1.2 (true/false, null, decimal integers and floats), not YAML 1.1, in which
``no`` (the language code of Norwegian) is a boolean and ``1e-3`` is text. Recipes are plain data: aliases and tags are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from nmt.core.errors import Problem

_TAG = "tag:yaml.org,2002:"
# The implicit types of a plain (unquoted) scalar: tag, pattern, and possible first characters.
IMPLICIT_TYPES: tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...] = (
    (f"{_TAG}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ("~", "n", "N", "")),
    (f"{_TAG}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), tuple("tTfF")),
    (f"{_TAG}int", re.compile(r"[-+]?[0-9]+\Z"), tuple("-+0123456789")),
    (
        f"{_TAG}float",
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        tuple("-+.0123456789"),
    ),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a value: a line of the document or a command-line override.

    Args:
        line: 1-based line, or ``None`` if the value is not from a file.
        override: the override as written, or ``None``.
    """

    line: int | None = None
    override: str | None = None

    @property
    def known(self) -> bool:
        """Whether the value was written, in a file or as an override."""
        return self.line is not None or self.override is not None

    def problem(self, path: str, message: str) -> Problem:
        """Describe something wrong with the value at ``path``."""
        if self.override is not None:
            return Problem(path, f"{message} (from the override `{self.override}`)")
        if not path and message.startswith("must"):
            message = f"the document {message}"
        return Problem(path, message, self.line)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Placeholder for a value that no field accepts, such as a Python object or a lone surrogate."""


@dataclass(slots=True)
class Scalar:
    """A single value; ``text`` is its spelling, or a description if it is foreign."""

    value: bool | int | float | str | Foreign | None
    text: str
    origin: Origin


@dataclass(slots=True)
class Items:
    """A list of values."""

    items: list[Node]
    origin: Origin


@dataclass(slots=True)
class Entry:
    """The value of one key, and the position of the key."""

    node: Node
    origin: Origin


@dataclass(slots=True)
class Fields:
    """A mapping of keys to values, in the order of the document."""

    entries: dict[str, Entry]
    origin: Origin


Node: TypeAlias = Scalar | Items | Fields


class YamlError(Exception):
    """The text is not valid YAML, or not plain data.

    Args:
        message: what is wrong.
        line: 1-based line, if known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes of plain data: the implicit types above, no aliases, no tags."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the declared way to configure a PyYAML loader

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """Compose one node; refuse aliases and tags."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        message = None
        if isinstance(event, yaml.AliasEvent):
            message = f"aliases such as `*{event.anchor}` are not supported; put a value that begins with * in quotes"
        elif getattr(event, "tag", None) is not None:
            message = f"tags such as `{event.tag}` are not supported; put a value that begins with ! in quotes"
        if message is not None:
            raise yaml.composer.ComposerError(None, None, message, event.start_mark)
        return super().compose_node(parent, index)  # type: ignore[arg-type]


for _tag, _pattern, _first in IMPLICIT_TYPES:
    _PlainLoader.add_implicit_resolver(_tag, _pattern, list(_first))


@dataclass(slots=True)
class Reader:
    """Turns YAML text or plain Python values into a tree, and collects problems.

    Args:
        override: the override that the text belongs to, or ``None`` for a document.
        problems: those found so far; reading continues after each.
    """

    override: str | None = None
    problems: list[Problem] = field(default_factory=list)

    def read(self, text: str, path: str = "") -> Node:
        """Read YAML text; empty text is null.

        Raises:
            YamlError: it is not YAML.
        """
        try:
            root = yaml.compose(text, Loader=_PlainLoader)
            if root is None:
                return Scalar(None, "", self._origin(1))
            return self._convert(root, path, None)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = " ".join(part for part in (error.problem, error.context) if part)
            # PyYAML reports something missing at the end after the last line, where there is nothing to see.
            line = min(mark.line + 1, len(text.splitlines())) if mark else None
            raise YamlError(message or "unreadable", line) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise YamlError(f"the character {text[error.position]!r} is not allowed", line) from None
        except (ValueError, OverflowError):  # PyYAML passes an impossible escape such as \U00110000 to chr()
            raise YamlError("a quoted text has an escape that is no character") from None
        except RecursionError:
            raise YamlError("values are nested too deeply") from None

    def read_value(self, value: object, path: str = "") -> Node:
        """Read plain Python values (mappings, lists, scalars), such as parsed JSON."""
        origin = self._origin(None)
        if isinstance(value, AbstractMapping):
            entries = {}
            for key, item in value.items():
                name = str(key)
                entries[name] = Entry(self.read_value(item, join(path, name)), origin)
            return Fields(entries, origin)
        if isinstance(value, list | tuple):
            return Items([self.read_value(item, join(path, str(i))) for i, item in enumerate(value)], origin)
        if isinstance(value, str):
            return _text(value, origin)
        if value is None or isinstance(value, bool | int | float):
            return Scalar(value, "" if value is None else str(value), origin)
        return Scalar(Foreign(), f"a {type(value).__name__}", origin)

    def _origin(self, line: int | None) -> Origin:
        return Origin(override=self.override) if self.override is not None else Origin(line=line)

    def _convert(self, node: yaml.Node, path: str, key_line: int | None) -> Node:
        line = node.start_mark.line + 1
        # A block below its key is reported at the line of the key.
        outer = self._origin(key_line if key_line is not None else line)
        if isinstance(node, yaml.MappingNode):
            return self._convert_mapping(node, path, outer)
        if isinstance(node, yaml.SequenceNode):
            items = [self._convert(item, join(path, str(i)), None) for i, item in enumerate(node.value)]
            return Items(items, outer)
        return _resolve(node.tag, str(node.value), self._origin(line))

    def _convert_mapping(self, node: yaml.MappingNode, path: str, outer: Origin) -> Fields:
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            origin = self._origin(line)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(origin.problem(path, "has a key that is not a name, but a list or a mapping"))
                continue
            name = str(key.value)
            place = join(path, name)
            if name in entries:
                first = entries[name].origin.line
                where = f" on line {first}" if first is not None and first != line else ""
                self.problems.append(origin.problem(place, f"is given twice; the first is{where or ' before it'}"))
                continue
            entries[name] = Entry(self._convert(value, place, line), origin)
        return Fields(entries, outer)


def _resolve(tag: str, text: str, origin: Origin) -> Scalar:
    match tag.removeprefix(_TAG):
        case "null":
            return Scalar(None, text, origin)
        case "bool":
            return Scalar(text.lower() == "true", text, origin)
        case "int":
            try:
                return Scalar(int(text), text, origin)
            except ValueError:  # Python refuses more than 4,300 digits
                return Scalar(Foreign(), f"a number of {len(text)} digits", origin)
        case "float":
            number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            return Scalar(number, text, origin)
    return _text(text, origin)


def _text(text: str, origin: Origin) -> Scalar:
    try:
        text.encode()
    except UnicodeEncodeError:  # an escape such as "\\ud800", or an argument that is not UTF-8
        return Scalar(Foreign(), "text with half a character (a lone surrogate)", origin)
    return Scalar(text, text, origin)


def join(path: str, name: str) -> str:
    """Append a name to a dotted path."""
    return f"{path}.{name}" if path else name


def reached(node: Node, path: str) -> tuple[Node, bool]:
    """Return the deepest node that a relative dotted path reaches, and whether that is the end of the path."""
    for part in path.split("."):
        if isinstance(node, Fields) and part in node.entries:
            node = node.entries[part].node
        elif isinstance(node, Items) and part.isdigit() and int(part) < len(node.items):
            node = node.items[int(part)]
        else:
            return node, False
    return node, True


def underlay(upper: Fields, lower: Fields) -> None:
    """Fill the gaps of a tree, in place, with the values of a lower one.

    A bare family name equals a mapping with that ``type``; values below another ``type`` are not used.
    """
    for name, below in lower.entries.items():
        above = upper.entries.get(name)
        if above is None:
            upper.entries[name] = below
        elif isinstance(below.node, Fields):
            node = above.node
            if isinstance(node, Scalar) and isinstance(node.value, str) and "type" in below.node.entries:
                node = Fields({"type": Entry(node, node.origin)}, node.origin)
            if isinstance(node, Fields) and _of_one_type(node, below.node):
                underlay(node, below.node)
                upper.entries[name] = Entry(node, above.origin)


def _of_one_type(upper: Fields, lower: Fields) -> bool:
    types = [fields.entries["type"].node for fields in (upper, lower) if "type" in fields.entries]
    return len({node.value for node in types if isinstance(node, Scalar)}) <= 1
