"""Where the tags of a text stand in its translation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
from numpy.typing import NDArray

from nmt.text.words import Span
from nmt.translation.markup.segment import Mark
from nmt.translation.markup.tokens import Aligned

UNALIGNED = 0.05  # a smaller weight of an element on every word says nothing about its place
HELD = 0.1  # an element with this weight on a word encloses one, if it can
_AROUND = 0.6  # factor of the weight of the text around: a word too many is less wrong than one too few
_SHORT = 1e-6  # cost of a word within an element, so that of equally good spans the shorter is taken
_NEAR = 8  # source tokens on each side that a point is placed by
_STUCK = 3.0  # factor of the side to which a point is attached without a space


@dataclass(slots=True)
class Node:
    """An element, or a point, of a text.

    Args:
        opening: number of its first mark.
        closing: number of its last mark, which is the same for a point.
        tokens: source tokens within it, from and to.
        children: within it, in order.
        span: target tokens within it, once it is placed.
    """

    opening: int
    closing: int
    tokens: Span
    children: list[Node] = field(default_factory=list)
    span: Span = (0, 0)


def tree_of(marks: Sequence[Mark], aligned: Aligned) -> Node:
    """The tree of the marks; its root is the whole text."""
    ends = [end for _, end in aligned.source]
    root = Node(-1, len(marks), (0, len(aligned.source)), span=(0, len(aligned.target)))
    path = [root]
    for number, mark in enumerate(marks):
        before = bisect_right(ends, mark.place)
        if mark.kind == "close":
            path[-1].closing, path[-1].tokens = number, (path[-1].tokens[0], before)
            path.pop()
        else:
            node = Node(number, number, (before, before))
            path[-1].children.append(node)
            if mark.kind == "open":
                path.append(node)
    return root


def place(root: Node, marks: Sequence[Mark], text: str, aligned: Aligned) -> None:
    """Find the span of every node, from the root down: children lie within their parent and do not overlap.

    Elements with words get spans by ``arrange``, and what has no words, or none that was translated, gets the best
    place that is not inside one of them.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        first, last = node.span
        weights = {id(child): aligned.weight(*child.tokens)[first:last] for child in node.children}
        held = [child for child in node.children if child.tokens == node.tokens and child.tokens[0] < child.tokens[1]]
        if held:  # all words of the node
            held[0].span = node.span
        else:
            held = [child for child in node.children if weights[id(child)].max(initial=0.0) > UNALIGNED]
            held.sort(key=lambda child: _middle(weights[id(child)]))
            own = aligned.weight(*node.tokens)[first:last] - sum(weights.values(), numpy.zeros(last - first))
            spans = arrange(_AROUND * own, [weights[id(child)] for child in held])
            for child, (begin, end) in zip(held, spans, strict=True):
                child.span = first + begin, first + end
        held = [child for child in held if child.span[0] < child.span[1]]
        _place_points(node, held, marks, text, aligned)


def arrange(own: NDArray[numpy.float64], weights: Sequence[NDArray[numpy.float64]]) -> list[Span]:
    """Divide words among elements that do not overlap and stand in the given order.

    The sum over words of the weight of what each belongs to, an element or the text around, is made as large as
    possible, where an element with ``HELD`` on some word gains 1 by having words at all. One pass for each element
    (dynamic programming), linear in the number of words.

    Args:
        own: (T,), weight of the text around on each word.
        weights: (T,) of each element.

    Returns:
        First word and the one after the last, of each element; equal for one that has none.
    """
    places = numpy.arange(len(own) + 1)
    around = _cumulated(own)
    best = around
    choices = []
    for weight in weights:
        inside = _cumulated(weight - _SHORT)
        gain = best - inside  # of beginning at a place
        begins = _last_best(gain)
        ends = numpy.full(len(places), -numpy.inf)
        ends[1:] = inside[1:] + gain[begins[:-1]] + float(weight.max(initial=0.0) >= HELD)
        empty = best >= ends
        ended = numpy.where(empty, best, ends) - around
        last = _first_best(ended)
        choices.append((last, begins, empty))
        best = around + ended[last]
    spans, end = [], len(own)
    for last, begins, empty in reversed(choices):
        end = int(last[end])
        begin = end if empty[end] else int(begins[end - 1])
        spans.append((begin, end))
        end = begin
    return spans[::-1]


def _cumulated(weights: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    return numpy.concatenate([[0.0], numpy.cumsum(weights)])


def _last_best(values: NDArray[numpy.float64]) -> NDArray[numpy.intp]:
    """Where the largest value up to each place stands, the last of several."""
    largest = numpy.maximum.accumulate(values)
    return numpy.asarray(numpy.maximum.accumulate(numpy.where(values >= largest, numpy.arange(len(values)), 0)))


def _first_best(values: NDArray[numpy.float64]) -> NDArray[numpy.intp]:
    """Where the largest value up to each place stands, the first of several."""
    largest = numpy.maximum.accumulate(values)
    new = numpy.concatenate([[True], values[1:] > largest[:-1]])
    return numpy.asarray(numpy.maximum.accumulate(numpy.where(new, numpy.arange(len(values)), 0)))


def _middle(weight: NDArray[numpy.float64]) -> int:
    """The word up to which half of the weight lies."""
    cumulated = numpy.cumsum(weight)
    return int(numpy.searchsorted(cumulated, cumulated[-1] / 2))


def _place_points(node: Node, held: Sequence[Node], marks: Sequence[Mark], text: str, aligned: Aligned) -> None:
    """Place the children that enclose no word.

    The cost of a place is the weight of what it has on the wrong side: words that translate what follows in the
    source before it, and the other way round; what is nearer in the source weighs more.
    """
    first, last = node.span
    free = numpy.ones(last - first + 1, dtype=bool)
    for child in held:
        free[child.span[0] - first + 1 : child.span[1] - first] = False
    least, placed = first, set(map(id, held))
    for child in node.children:
        if id(child) in placed:
            continue
        spaces = _spaces(marks[child.opening].place, marks[child.closing].place, text)
        cost = _cost(child.tokens, spaces, node.span, aligned)
        fixed = marks[child.opening].fixed
        allowed = free & (numpy.arange(first, last + 1) >= least) if fixed else free
        cost = numpy.where(allowed, cost, numpy.inf)
        best = [int(gap) + first for gap in numpy.flatnonzero(cost <= cost.min() + 1e-9)]
        chosen = next((gap for gap in best if any(spaces) and _has_space(gap, aligned)), best[0])
        child.span = chosen, chosen
        if fixed:
            least = chosen


def _cost(tokens: Span, spaces: tuple[bool, bool], span: Span, aligned: Aligned) -> NDArray[numpy.float64]:
    """The cost of each place in a span of the translation for what stands between source tokens."""
    first, last = span
    after, before = numpy.zeros(last - first), numpy.zeros(last - first)
    for distance in range(_NEAR):
        share = numpy.exp(-distance / 2)
        left, right = tokens[0] - distance, tokens[1] + distance
        if right < len(aligned.source):
            after += share * aligned.weight(right, right + 1)[first:last]
        if left > 0:
            before += share * aligned.weight(left - 1, left)[first:last]
    if spaces == (True, False):
        after *= _STUCK
    elif spaces == (False, True):
        before *= _STUCK
    return numpy.asarray(_cumulated(after) + before.sum() - _cumulated(before))


def _spaces(begin: int, end: int, text: str) -> tuple[bool, bool]:
    """Whether white space stands before and after a part of a text."""
    return text[max(begin - 1, 0) : begin].isspace(), text[end : end + 1].isspace()


def _has_space(gap: int, aligned: Aligned) -> bool:
    """Whether white space, or an end of the text, stands before a target token."""
    return not 0 < gap < len(aligned.target) or aligned.target[gap - 1][1] < aligned.target[gap][0]
