"""Where the package does something of its own on a GPU: functions that ask for a device, or for what only GPUs have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

NAMES = {"cuda", "cudnn", "is_cuda", "nccl", "autocast", "is_nccl_available"}
WORDS = {"cuda", "nccl"}


def branches(root: Path) -> list[str]:
    """``file: function`` of every place below ``nmt`` in a checkout."""
    found = []
    for path in sorted((root / "nmt").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(root)}: {name}" for name in _functions(tree, "") if name]
    return found


def _functions(node: ast.AST, outer: str) -> Iterator[str]:
    """Yield the innermost functions that mention a GPU; ``module`` for what is outside all of them."""
    if _mentions(node):
        yield outer or "module"
    for child in _inner(node):
        yield from _functions(child, f"{outer}.{child.name}".lstrip("."))  # type: ignore[attr-defined]


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
        else:
            yield from _inner(child)


def _mentions(node: ast.AST) -> bool:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if _is_mention(child) or _mentions(child):
            return True
    return False


def _is_mention(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value in WORDS
    if isinstance(node, ast.Name):
        return node.id in NAMES
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value
    of_device = getattr(owner, "id", getattr(owner, "attr", "")).lstrip("_") == "device"
    return node.attr in NAMES or (node.attr == "type" and of_device)
