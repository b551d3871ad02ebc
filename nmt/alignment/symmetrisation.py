"""Symmetrisation of the links of two directions: intersection, union, and the grow-diag heuristics."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Literal, TypeAlias, get_args

from nmt.alignment.links import Link, Links

Symmetrisation: TypeAlias = Literal[
    "intersection", "union", "grow", "grow-diag", "grow-diag-final", "grow-diag-final-and"
]
SYMMETRISATIONS: tuple[Symmetrisation, ...] = get_args(Symmetrisation)

_ADJACENT = ((-1, 0), (0, -1), (1, 0), (0, 1))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def inverse(links: Links) -> Links:
    """Swap source and target."""
    return Links(frozenset((j, i) for i, j in links.sure), frozenset((j, i) for i, j in links.possible))


def symmetrise(forward: Links, backward: Links, method: Symmetrisation) -> Links:
    """Combine two directions of links: Och and Ney (2003), section 4; Koehn et al. (2003), section 3, and (2005).

    ``grow-diag`` starts with the intersection and repeatedly adds links of the union that are adjacent to a link
    (``grow``: above, below, left or right; ``grow-diag``: also diagonally) and have an unaligned word.
    ``grow-diag-final`` then adds links of either direction with at least one unaligned word,
    ``grow-diag-final-and`` only links with two.

    Koehn et al. leave the order of visits open. Here each round visits the existing links by target, then source word,
    and their neighbours above, left, below, right, then diagonally; each link is added at once. The last step visits
    all links of ``forward``, then all of ``backward``, which are (source, target) too; see ``inverse``.

    Returns:
        Sure links; possible links of the arguments count as links.
    """
    first, second = forward.possible, backward.possible
    union, found = first | second, set(first & second)
    if method == "intersection":
        return Links(frozenset(found))
    if method == "union":
        return Links(frozenset(union))
    _grow(found, union, _ADJACENT if method == "grow" else _ADJACENT + _DIAGONAL)
    if method in {"grow-diag-final", "grow-diag-final-and"}:
        for links in (first, second):
            _finish(found, links, both=method == "grow-diag-final-and")
    return Links(frozenset(found))


def _grow(found: set[Link], union: AbstractSet[Link], neighbours: Sequence[Link]) -> None:
    sources, targets = {i for i, _ in found}, {j for _, j in found}
    grown = True
    while grown:
        grown = False
        for i, j in sorted(found, key=_by_target):
            for down, right in neighbours:
                link = i + down, j + right
                if link in union and link not in found and (link[0] not in sources or link[1] not in targets):
                    found.add(link)
                    sources.add(link[0])
                    targets.add(link[1])
                    grown = True


def _finish(found: set[Link], links: AbstractSet[Link], *, both: bool) -> None:
    sources, targets = {i for i, _ in found}, {j for _, j in found}
    for i, j in sorted(links, key=_by_target):
        free = i not in sources, j not in targets
        if all(free) if both else any(free):
            found.add((i, j))
            sources.add(i)
            targets.add(j)


def _by_target(link: Link) -> Link:
    return link[1], link[0]
