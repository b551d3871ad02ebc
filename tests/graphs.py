"""What autograd has recorded of a tensor."""

from __future__ import annotations

from torch import Tensor


def graph_of(tensor: Tensor) -> str:
    """Names of all nodes that gave a tensor."""
    names, nodes, seen = "", [tensor.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names += node.name()
        nodes += [parent for parent, _ in node.next_functions]
    return names
