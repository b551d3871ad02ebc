"""Enter what was measured: new values in the register and in the texts, which stay as they are otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.core.files import atomic_write
from tools.register.check import documents, find_table, pattern, shown
from tools.register.entries import FIELD, REGISTER, Figure, Register, load


def enter(root: Path, figure: Figure, measured: Mapping[str, float], *, commit: str, processor: str) -> list[str]:
    """Write values, commit and processor of a figure into the register, and the values into the texts that quote them.

    Medians that the values take part in change with them. Digests of its tables become those of the tables as they are.

    Args:
        root: of the checkout.
        figure: which one.
        measured: new values by name; others stay.
        commit: at which they were measured.
        processor: on which.

    Returns:
        The files that were changed, from the root.

    Raises:
        ConfigError: a text does not say what the register has, or the register cannot be written.
    """
    before = load(root)
    path, index = root / REGISTER, [one.id for one in before.figures].index(figure.id)
    new = {("figures", index, "commit"): commit, ("figures", index, "processor"): processor}
    for place, value in enumerate(figure.values):
        if value.name in measured:
            new["figures", index, "values", place, "value"] = f"{measured[value.name]:.6g}"
    texts = documents(before, root)
    for number, place in enumerate(figure.places):
        table = find_table(texts[place.file], place) if place.table is not None else None
        if table is not None:
            new["figures", index, "places", number, "digest"] = f'"{table.digest}"'
    text = path.read_text(encoding="utf-8")
    after = _parsed(edited(text, new))
    changed = {name: _requoted(name, document.text, before, after) for name, document in texts.items()}
    changed = {name: said for name, said in changed.items() if said != texts[name].text}
    for name, said in {**changed, str(REGISTER): edited(text, new)}.items():
        with atomic_write(root / name) as temporary:
            temporary.write_text(said, encoding="utf-8")
    return [str(REGISTER), *changed]


def edited(text: str, new: Mapping[tuple[str | int, ...], str]) -> str:
    """Replace scalars of a YAML text, each by its path; all else stays, comments too."""
    nodes = [(_node(yaml.compose(text), path), value) for path, value in new.items()]
    for node, value in sorted(nodes, key=lambda pair: -pair[0].start_mark.index):
        text = text[: node.start_mark.index] + value + text[node.end_mark.index :]
    return text


def _node(node: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    for part in path:
        if isinstance(node, yaml.MappingNode):
            node = next(value for key, value in node.value if key.value == part)
        else:
            node = node.value[part]
    return node


def _parsed(text: str) -> Register:
    return config.load(Register, text, name=str(REGISTER))


def _requoted(name: str, text: str, before: Register, after: Register) -> str:
    """A text with the new values in its quotes.

    Raises:
        ConfigError: a quote of a value that has changed does not stand in it once.
    """
    spans: list[tuple[int, int, str]] = []
    for figure in after.figures:
        old, new = before.values(before.find(figure.id)), after.values(figure)
        for quote in (quote for place in figure.places if place.file == name for quote in place.quotes):
            fields = FIELD.findall(quote)
            said = [shown(new[value], form) for value, form in fields]
            if said == [shown(old[value], form) for value, form in fields]:
                continue
            found = list(pattern(quote, old).finditer(text))
            if len(found) != 1:
                raise ConfigError(f"{name}: {figure.id}: {quote!r} stands here {len(found)} times; mend that first")
            spans += [(*found[0].span(group), number) for group, number in enumerate(said, start=1)]
    for begin, end, number in sorted(set(spans), reverse=True):
        text = text[:begin] + number + text[end:]
    return text
