"""Enter what was measured: new values in the register and in the texts, which stay as they are otherwise."""

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
    """What of a figure its commands have not given: it is to be put into the texts by hand before it is entered.

    Args:
        root: of the checkout.
        figure: which one.
        measured: values that were read, by name.
        printed: what the commands printed.
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

    Medians that the values take part in change with them. A table of the figure with the head of one that was printed
    becomes that one; digests become those of the tables that stand there then.

    Args:
        root: of the checkout.
        figure: which one.
        measured: new values by name; others stay.
        commit: at which they were measured.
        processor: on which.
        printed: what its commands printed.

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


def _printed(document: Document, table: Table, printed: str) -> str | None:
    """The last table of what was printed that has the head of a document's."""
    head = document.text[table.begin :].partition("\n")[0]
    found = Document("printed", printed)
    same = [one for one in found.tables if printed[one.begin :].partition("\n")[0] == head]
    return printed[same[-1].begin : same[-1].end] if same else None


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
