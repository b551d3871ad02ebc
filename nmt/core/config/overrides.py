"""Overrides of single values, ``a.b=c``; applied to the tree of a document before checking."""

from __future__ import annotations

from nmt.core.config.tree import Entry, Fields, Items, Node, Origin, Reader, Scalar, YamlError, join
from nmt.core.errors import Problem


def apply_override(root: Node, override: str, problems: list[Problem]) -> None:
    """Set one value in a tree, as ``path.to.field=value`` says in YAML; create missing parts of its path.

    A number in the path is an index into a list; the index after the last one appends. A field below a bare family name
    turns the name into a mapping with that ``type``. ``problems`` receives what is wrong with the override.
    """
    path, equals, text = override.partition("=")
    path = path.strip()
    parts = path.split(".")
    if not equals or not all(parts):
        problems.append(Problem("", f"the override `{override}` must have the form `path.to.field=value`"))
        return
    origin = Origin(override=override)
    reader = Reader(override)
    try:
        value = reader.read(text, path)
    except YamlError as fault:
        message = f"must be a value in YAML, but {fault.message}; put special characters in quotes"
        problems.append(origin.problem(path, message))
        return
    problems.extend(reader.problems)
    fault_text = _set(root, parts, value, origin)
    if fault_text is not None:
        problems.append(origin.problem(path, fault_text))


def _set(root: Node, parts: list[str], value: Node, origin: Origin) -> str | None:
    """Walk to the last part, creating containers, and set it; return an error message, if any."""
    node = root
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        here = ".".join(parts[:position])
        if isinstance(node, Scalar):
            return f"cannot be set: `{here}` is {node.text!r}, which has no fields"
        child = _child(node, part)
        if isinstance(child, str):
            return child.format(here=here or "the document")
        if last:
            replacement = value
        elif child is None or (isinstance(child, Scalar) and child.value is None):
            replacement = _empty(parts[position + 1], origin)
        elif isinstance(child, Scalar) and isinstance(child.value, str):
            replacement = Fields({"type": Entry(child, child.origin)}, child.origin)
        else:
            node = child
            continue
        _put(node, part, replacement, origin)
        node = replacement
    return None


def _empty(following: str, origin: Origin) -> Node:
    return Items([], origin) if following.isascii() and following.isdigit() else Fields({}, origin)


def _child(node: Fields | Items, part: str) -> Node | str | None:
    """Return the child, ``None`` if it is missing, or an error message."""
    if isinstance(node, Fields):
        entry = node.entries.get(part)
        return entry.node if entry is not None else None
    count = len(node.items)
    if not (part.isascii() and part.isdigit()):
        return f"must have the index of an entry after `{{here}}` (a list of {count}), such as `{join('{here}', '0')}`"
    # Compare as text first: int() of a very long number is slow and limited.
    if len(part) > 9 or int(part) > count:
        return f"must have an index up to {count} after `{{here}}`, a list of {count} (index {count} appends)"
    return node.items[int(part)] if int(part) < count else None


def _put(node: Fields | Items, part: str, value: Node, origin: Origin) -> None:
    if isinstance(node, Fields):
        node.entries[part] = Entry(value, origin)
    elif int(part) < len(node.items):
        node.items[int(part)] = value
    else:
        node.items.append(value)
