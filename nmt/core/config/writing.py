"""Converts config dataclasses to plain values, and to YAML that loads back equal."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from nmt.core.config.building import variant_name
from nmt.core.config.tree import IMPLICIT_TYPES, join


class _PlainDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or the strict loader would read as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out instead of using aliases."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML loses some line breaks in its other styles, such as a lone U+0085.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainDumper.add_representer(str, _represent_text)
for _tag, _pattern, _first in IMPLICIT_TYPES:
    _PlainDumper.add_implicit_resolver(_tag, _pattern, list(_first))


def to_mapping(config: Any) -> dict[str, Any]:
    """Return a config dataclass as plain values: dicts in the order of the fields, lists, scalars and ``None``.

    A variant of a family becomes a mapping with its ``type`` first.
    """
    mapping: dict[str, Any] = {}
    name = variant_name(type(config))
    if name is not None:
        mapping["type"] = name
    for item in dataclasses.fields(config):
        if item.init:
            mapping[item.name] = _plain(getattr(config, item.name))
    return mapping


def to_yaml(config: Any) -> str:
    """Return a config as block-style YAML, from which ``load`` builds an equal config."""
    return _dumped(to_mapping(config), flow=False)


def commented_yaml(values: Mapping[str, Any], comments: Mapping[str, str], path: str = "") -> str:
    """Return plain values as YAML, with a comment behind each key that has one.

    Args:
        values: dicts, lists and scalars.
        comments: one line each, by the path of the key, such as ``model.dropout.word``.
        path: of the values.
    """
    lines = []
    for key, value in values.items():
        here = join(path, key)
        inside = isinstance(value, dict) and any(each.startswith(f"{here}.") for each in comments)
        line = f"{key}:" if inside else _dumped({key: value}, flow=True).strip()[1:-1]
        comment, width = comments.get(here), 39 - 2 * here.count(".")
        lines.append(f"{line:<{width}} # {comment}" if comment else line)
        if inside:
            lines.append(textwrap.indent(commented_yaml(value, comments, here), "  ").rstrip("\n"))
    return "\n".join(lines) + "\n"


def _dumped(values: Any, *, flow: bool) -> str:
    return yaml.dump(
        values,
        Dumper=_PlainDumper,
        sort_keys=False,
        default_flow_style=flow,
        allow_unicode=True,
        width=10**9,  # never fold long text
    )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def differences(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the paths at which plain values differ, with both ``shown``; where ``type`` differs, that path alone."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        if before != now:
            yield path, shown(before), shown(now)
        return
    for key in ("type",) if before.get("type") != now.get("type") else dict.fromkeys((*before, *now)):
        yield from differences(before.get(key), now.get(key), join(path, key))


def shown(value: Any) -> str:
    """Write a value, plain or a config, for a message, in the manner of YAML."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if dataclasses.is_dataclass(value):
        value = to_mapping(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {shown(inner)}" for name, inner in value.items()) + "}"
    return str(value)
