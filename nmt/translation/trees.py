"""Beam search trees: the lines whose trees are recorded, and trees with pieces as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nmt.alignment.report.entries import Branch, Tree
from nmt.core.errors import ConfigError, Problem
from nmt.search.hypothesis import Hypothesis
from nmt.search.strategies.trace import BeamTree
from nmt.text.subword import SubwordModel
from nmt.translation.requests.request import Line, Request


@dataclass(frozen=True, slots=True)
class LineNumbers:
    """Numbers of lines, from 1.

    Args:
        ranges: (first, last) of each range.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str, *, path: str) -> LineNumbers:
        """Read comma-separated numbers and ranges, such as ``1-10,42``; ``path`` names them in messages.

        Raises:
            ConfigError: the text is not of that form.
        """
        ranges = []
        for field in text.split(","):
            match = re.fullmatch(r"\s*([0-9]{1,12})(?:-([0-9]{1,12}))?\s*", field)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not 1 <= first <= last:
                message = f"must be numbers of lines, from 1, such as 1-10,42, but is {text!r}"
                raise ConfigError([Problem(path, message)], "command line")
            ranges.append((first, last))
        return cls(tuple(ranges))

    def asked(self, lines: Sequence[Line], first: int) -> Sequence[Line]:
        """Ask for the trees of those lines, numbered from ``first``, that are among the numbers."""
        if not self.ranges:
            return lines
        return [
            replace(line if isinstance(line, Request) else Request(line), tree=True) if number in self else line
            for number, line in enumerate(lines, first)
        ]

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)


def tree_in_letters(tree: BeamTree, hypotheses: Sequence[Hypothesis], model: SubwordModel) -> Tree:
    """Write the pieces of a tree as text, and mark where the returned hypotheses (best first) end."""
    tokens = sorted({node.token for node in tree.nodes})
    letters = dict(zip(tokens, model.pieces(tokens), strict=True)) | {model.eos_id: ""}
    return Tree(
        branches=tuple(
            Branch(node.parent, letters[node.token], node.token_log_prob, node.log_prob, node.score, node.fate)
            for node in tree.nodes
        ),
        returned=tuple(tree.find([*each.tokens, *[model.eos_id] * each.finished]) for each in hypotheses),
    )
