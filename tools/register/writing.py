"""Enter measured figures: new values in the register and in the texts, which are otherwise unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.core.storage.files import atomic_write
from tools.register.check import documents, find_table, pattern, shown
from tools.register.entries import FIELD, REGISTER, Figure, Register, load
from tools.register.markdown import Document, Table


def left_to_do(root: Path, figure: Figure, measured: Mapping[str, float], printed: str) -> list[str]:
    """The numbers of a figure that its commands have not given, and that have to be changed in the texts by hand.

    Args:
        root: of the checkout.
        figure: which one.
        measured: values that were read, by name.
        printed: the output of the commands.
    """
    texts = documents(load(root), root)
    found = [f"the value {value.name}" for value in figure.values if value.name not in measured]
    for place in figure.places:
        if place.numbers:
            found.append(f"{place.numbers} under {place.under!r} of {place.file}")
        if place.table is not None:
            document = texts[place.file]
            table = find_table(document, place)
            if table and table.digest == place.digest and _printed(document, table, printed) is None:
                found.append(f"table {place.table} under {place.under!r} of {place.file}")
    return found


def enter(
    root: Path, figure: Figure, measured: Mapping[str, float], *, commit: str, processor: str, printed: str = ""
) -> list[str]:
    """Write values, commit and processor of a figure into the register, and the values into the texts that quote them.

    Medians of the values change with them. A table of the figure is replaced by a printed one with the same header;
    digests become those of the tables that are then in the documents.

    Args:
        root: of the checkout.
        figure: which one.
        measured: new values by name; others are kept.
        commit: at which they were measured.
        processor: on which.
        printed: the output of its commands.

    Returns:
        The changed files, from the root.

    Raises:
        ConfigError: a text does not have what the register has, or the register cannot be written.
    """
    before = load(root)
    path, index = root / REGISTER, [one.id for one in before.figures].index(figure.id)
    new = {("figures", index, "commit"): commit, ("figures", index, "processor"): processor}
    for place, value in enumerate(figure.values):
        if value.name in measured:
            new["figures", index, "values", place, "value"] = f"{measured[value.name]:.6g}"
    texts = documents(before, root)
    changed = {name: document.text for name, document in texts.items()}
    for number, place in enumerate(figure.places):
        document = Document(place.file, changed[place.file])
        table = find_table(document, place) if place.table is not None else None
        if table is not None:
            said = _printed(document, table, printed)
            if said is not None:
                changed[place.file] = document.text[: table.begin] + said + document.text[table.end :]
                table = find_table(Document(place.file, changed[place.file]), place) or table
            new["figures", index, "places", number, "digest"] = f'"{table.digest}"'
    text = path.read_text(encoding="utf-8")
    after = config.load(Register, edited(text, new), name=str(REGISTER))
    changed = {name: _requoted(name, said, before, after) for name, said in changed.items()}
    changed = {name: said for name, said in changed.items() if said != texts[name].text}
    for name, said in {**changed, str(REGISTER): edited(text, new)}.items():
        with atomic_write(root / name) as temporary:
            temporary.write_text(said, encoding="utf-8")
    return [str(REGISTER), *changed]


def edited(text: str, new: Mapping[tuple[str | int, ...], str]) -> str:
    """Replace scalars of a YAML text, each by its path; all else is kept, including comments."""
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


def _printed(document: Document, table: Table, printed: str) -> str | None:
    """The last printed table with the same header as a document's."""
    head = document.text[table.begin :].partition("\n")[0]
    found = Document("printed", printed)
    same = [one for one in found.tables if printed[one.begin :].partition("\n")[0] == head]
    return printed[same[-1].begin : same[-1].end] if same else None


def _requoted(name: str, text: str, before: Register, after: Register) -> str:
    """A text with the new values in its quotes.

    Raises:
        ConfigError: the quote of a changed value does not occur once.
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
