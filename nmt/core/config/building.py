"""Builds config dataclasses from a tree, checking every value against its declared type."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from nmt.core.config.ranges import problems_of
from nmt.core.config.tree import Entry, Fields, Items, Node, Origin, Scalar, join, reached
from nmt.core.errors import Problem
from nmt.core.registry import Registry, nearest

WRONG: Any = object()  # stands for a value that could not be built; its problems are already recorded
_SCALAR_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


def family_of(declared: object) -> Registry[Any] | None:
    """Return the registry of a family's base class, or ``None`` for any other type (including a variant)."""
    registry = vars(declared).get("registry") if isinstance(declared, type) else None
    return registry if isinstance(registry, Registry) else None


def variant_name(cls: type) -> str | None:
    """Return the name under which a class is registered in its family, or ``None``."""
    registry = getattr(cls, "registry", None)
    if not isinstance(registry, Registry):
        return None
    try:
        return registry.name_of(cls)
    except KeyError:
        return None


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


@dataclass(slots=True)
class Builder:
    """Builds values bottom up; a value is built only if its parts have no problem.

    Args:
        problems: those found so far.
        notes: written keys that have no effect, according to each config's ``idle``.
        root: the outermost class, searched for the right section of a misplaced key.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    root: type | None = None

    def build(self, declared: Any, node: Node, path: str = "") -> Any:
        """Build a value of a declared type from a node.

        Args:
            declared: a scalar type, ``Literal``, ``Optional`` or union, ``tuple``, config dataclass or family.
            node: the given value.
            path: its dotted path.

        Returns:
            The value, or ``WRONG``.

        Raises:
            TypeError: the declared type is not supported (a programming error).
        """
        origin = get_origin(declared)
        if origin in (Union, types.UnionType):
            return self._union(declared, node, path)
        if origin is Literal:
            return self._literal(declared, node, path)
        if origin is tuple:
            return self._tuple(declared, node, path)
        if declared in _SCALAR_NAMES:
            return self._scalar(declared, node, path)
        registry = family_of(declared)
        if registry is not None:
            return self._family(registry, node, path)
        if dataclasses.is_dataclass(declared) and isinstance(declared, type):
            return self._section(declared, node, path)
        raise TypeError(f"{path}: a config field cannot be of type {declared!r}")

    def _wrong(self, origin: Origin, path: str, message: str) -> Any:
        self.problems.append(origin.problem(path, message))
        return WRONG

    def _mismatch(self, declared: Any, node: Node, path: str, hint: str = "") -> Any:
        return self._wrong(node.origin, path, f"must be {_in_words(declared)}, but is {_shown(node)}{hint}")

    def _scalar(self, declared: type, node: Node, path: str) -> Any:
        value = node.value if isinstance(node, Scalar) else None
        if declared is float and type(value) is int:
            try:
                value = float(value)
            except OverflowError:
                value = math.inf
        if type(value) is not declared:
            quotable = declared is str and isinstance(node, Scalar) and value is not None
            return self._mismatch(declared, node, path, "; put it in quotes" if quotable else "")
        if isinstance(value, float) and not math.isfinite(value):
            return self._wrong(node.origin, path, f"must be a finite number, but is {_shown(node)}")
        return value

    def _literal(self, declared: Any, node: Node, path: str) -> Any:
        choices = get_args(declared)
        if isinstance(node, Scalar):
            for choice in choices:
                if type(choice) is type(node.value) and choice == node.value:
                    return choice
        words = [choice for choice in choices if isinstance(choice, str)]
        return self._mismatch(declared, node, path, _suggestion(node, words))

    def _tuple(self, declared: Any, node: Node, path: str) -> Any:
        members = get_args(declared)
        if not isinstance(node, Items):
            given = node.text if isinstance(node, Scalar) and node.value is not None else ""
            return self._mismatch(declared, node, path, f"; write [{_shortened(given)}]" if given else "")
        if members[-1] is Ellipsis:
            members = (members[0],) * len(node.items)
        elif len(members) != len(node.items):
            message = f"must have {len(members)} entries, but has {len(node.items)}"
            return self._wrong(node.origin, path, message)
        values = [
            self.build(member, item, join(path, str(index)))
            for index, (member, item) in enumerate(zip(members, node.items, strict=True))
        ]
        return WRONG if any(value is WRONG for value in values) else tuple(values)

    def _union(self, declared: Any, node: Node, path: str) -> Any:
        members = [member for member in get_args(declared) if member is not types.NoneType]
        if len(members) < len(get_args(declared)) and _is_none(node, members):
            if isinstance(node, Fields) and len(node.entries) > 1:  # an override of a field below `none`
                return self._wrong(node.origin, path, "is none and has no fields; override it as a whole")
            return None
        if len(members) == 1:
            return self.build(members[0], node, path)
        if not isinstance(node, Scalar):
            fitting = [member for member in members if _takes(member, node)]
            return self.build(fitting[0], node, path) if len(fitting) == 1 else self._mismatch(declared, node, path)
        for member in members:
            value = Builder().build(member, node, path)  # a separate builder: a failed trial is not a problem
            if value is not WRONG:
                return value
        return self._mismatch(declared, node, path)

    def _family(self, registry: Registry[Any], node: Node, path: str) -> Any:
        fields = Fields({}, node.origin)
        name: Node | None = None
        if isinstance(node, Fields):
            fields = node
            name = node.entries["type"].node if "type" in node.entries else None
        elif isinstance(node, Items) or node.value is not None:
            name = node
        place = join(path, "type") if isinstance(node, Fields) else path
        names = ", ".join(registry.names())
        if name is None:
            if registry.default is None:
                return self._wrong(node.origin, path, f"must name its `type`, the {registry.kind}: one of {names}")
            name = Scalar(registry.default, registry.default, node.origin)
        found = registry.find(name.value) if isinstance(name, Scalar) and isinstance(name.value, str) else None
        if found is None:
            message = f"must be the name of a known {registry.kind} (one of {names}), but is {_shown(name)}"
            if isinstance(name, Scalar) and isinstance(name.value, str):
                close = _suggestion(name, registry.names())
                message += f"{f'{close} If' if close else '; if'} it is a part of your own, give --import FILE"
            return self._wrong(name.origin, place, message)
        return self._section(found, fields, path)

    def _section(self, cls: type, node: Node, path: str) -> Any:
        if isinstance(node, Scalar) and node.value is None and path:
            node = Fields({}, node.origin)  # `model:` with every key below it commented out
        if not isinstance(node, Fields):
            named = "type" in _keys(cls) and isinstance(node, Scalar) and isinstance(node.value, str)
            hint = f"; set `{join(path, 'type')}` to {_shown(node)}" if named else ""
            return self._mismatch(cls, node, path, hint)
        entries = dict(node.entries)
        right = self._check_type(cls, entries, path)
        declared = {item.name: item for item in dataclasses.fields(cls) if item.init}
        for name, entry in entries.items():
            if name not in declared:
                right = False
                self._unknown(name, entry, cls, path)
        values: dict[str, Any] = {}
        for name, item in declared.items():
            if name in entries:
                values[name] = self.build(_hints(cls)[name], entries[name].node, join(path, name))
            elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
                values[name] = self._wrong(node.origin, join(path, name), "must be given, but is missing")
        if not right or any(value is WRONG for value in values.values()):
            return WRONG
        return self._examined(cls(**values), node, path)

    def _check_type(self, cls: type, entries: dict[str, Entry], path: str) -> bool:
        """Take the ``type`` of a variant from its entries and check it."""
        name = variant_name(cls)
        if name is None or "type" not in entries:
            return True
        entry = entries.pop("type")
        if isinstance(entry.node, Scalar) and entry.node.value == name:
            return True
        message = f"must be {name!r} here, but is {_shown(entry.node)}"
        return self._wrong(entry.node.origin, join(path, "type"), message) is not WRONG

    def _unknown(self, name: str, entry: Entry, cls: type, path: str) -> None:
        known = _keys(cls)
        close = nearest(name, known)
        elsewhere = _variants_with(name, cls)
        if elsewhere:
            message = f"is not defined for `type: {variant_name(cls)}`; it belongs to {', '.join(elsewhere)}"
            self._wrong(entry.origin, join(path, name), message)
            return
        meant = self._place_of(name) or (None if close is None else join(path, close))
        if meant is not None:
            hint = f"did you mean `{meant}`?"
        elif known:
            hint = f"the keys here are {', '.join(known)}"
        else:
            hint = "there are no keys here"
        self._wrong(entry.origin, join(path, _shortened(name)), f"is not a known key; {hint}")

    def _place_of(self, name: str) -> str | None:
        """Path of the shallowest key of this name in the root class, if it is unique."""
        paths = [] if self.root is None else list(_places_of(name, self.root))
        depths = [path.count(".") for path in paths]
        return paths[depths.index(min(depths))] if depths and depths.count(min(depths)) == 1 else None

    def _examined(self, config: Any, node: Fields, path: str) -> Any:
        """Return the config, or ``WRONG`` if it has ``problems_of``."""
        found = list(problems_of(config))
        for place, message in found:
            self._wrong(reached(node, place)[0].origin, join(path, place) if place else path, message)
        if found:
            return WRONG
        idle = getattr(config, "idle", None)
        for place, message in idle() if callable(idle) else ():
            there, whole = reached(node, place)
            if whole and there.origin.known and not _is_default(config, place):
                self.notes.append(there.origin.problem(join(path, place), message))
        return config


def _keys(cls: type) -> list[str]:
    return [item.name for item in dataclasses.fields(cls) if item.init]


def _places_of(name: str, cls: type, path: str = "") -> Iterator[str]:
    """Paths of all keys of this name in a class and the sections within it; not in the variants of a family."""
    for key, declared in ((key, _hints(cls)[key]) for key in _keys(cls)):
        if key == name:
            yield join(path, key)
        if isinstance(declared, type) and dataclasses.is_dataclass(declared) and family_of(declared) is None:
            yield from _places_of(name, declared, join(path, key))


def _variants_with(name: str, cls: type) -> list[str]:
    """Names of the other variants of a config's family that have this key."""
    if variant_name(cls) is None:
        return []
    registry: Registry[Any] = cls.registry  # type: ignore[attr-defined]
    return [other for other in registry.names() if name in _keys(registry.find(other) or cls)]


def _is_default(config: Any, path: str) -> bool:
    """Whether the value at a dotted path of a config is its default.

    Raises:
        AttributeError: there is no such field (a programming error).
    """
    *above, name = path.split(".")
    for part in above:
        config = config[int(part)] if isinstance(config, tuple) else getattr(config, part)
    value = getattr(config, name)
    item = next(item for item in dataclasses.fields(config) if item.name == name)
    default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    return bool(value == default)


def _is_none(node: Node, members: Iterable[Any]) -> bool:
    """Whether an optional value is absent: null, or the word ``none`` if no member of the union accepts it."""
    if isinstance(node, Fields) and "type" in node.entries:
        node = node.entries["type"].node
    if not isinstance(node, Scalar):
        return False
    return node.value is None or (node.value == "none" and not any(_knows_none(member) for member in members))


def _knows_none(member: Any) -> bool:
    """Whether a member of a union accepts the word ``none``."""
    registry = family_of(member)
    if registry is not None:
        return registry.find("none") is not None
    return member is str or (get_origin(member) is Literal and "none" in get_args(member))


def _takes(member: Any, node: Node) -> bool:
    if isinstance(node, Items):
        return get_origin(member) is tuple
    return family_of(member) is not None or dataclasses.is_dataclass(member)


def _in_words(declared: Any) -> str:
    origin = get_origin(declared)
    if origin in (Union, types.UnionType):
        return " or ".join(_in_words(member) for member in get_args(declared))
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(declared))
    if origin is tuple:
        return "a list"
    if declared is types.NoneType:
        return "null"
    registry = family_of(declared)
    if registry is not None:
        return f"the name of a known {registry.kind} or a mapping with its `type`"
    return _SCALAR_NAMES.get(declared, "a mapping of keys to values")


def _shown(node: Node) -> str:
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, str):
        return repr(_shortened(node.value))
    return str(node.value).lower() if isinstance(node.value, bool) else _shortened(node.text)


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _suggestion(node: Node, choices: Iterable[str]) -> str:
    given = node.value if isinstance(node, Scalar) else None
    close = nearest(given, choices) if isinstance(given, str) else None
    return f"; did you mean {close!r}?" if close is not None else ""
