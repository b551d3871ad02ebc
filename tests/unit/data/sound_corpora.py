"""Corpora without any trouble, in which tests plant some, and what is found in them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from nmt.core import config as configs
from nmt.data.checks.corpora import check_data
from nmt.data.checks.findings import Finding
from nmt.data.checks.report import Report
from nmt.data.corpus import CorpusConfig
from nmt.data.data_config import DataConfig

Pairs = list[tuple[str, str]]


def sound(count: int, *, seed: int = 0) -> Pairs:
    """Sentences of two made-up languages; what is long in one is long in the other."""
    spell, draw = random.Random(7), random.Random(seed)
    lexicon = [
        tuple("".join(spell.choices(letters, k=spell.randint(2, 8))) for letters in ("abcdefghi", "klmnopqrs"))
        for _ in range(400)
    ]
    rows = [draw.choices(lexicon, k=draw.randint(3, 25)) for _ in range(count)]
    return [(" ".join(word[0] for word in row), " ".join(word[1] for word in row)) for row in rows]


def write(root: Path, name: str, pairs: Pairs) -> None:
    for side, suffix in ((0, "xx"), (1, "yy")):
        (root / f"{name}.{suffix}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")


def config_of(root: Path, **values: Any) -> DataConfig:
    mapping = {"root": str(root), "train": [{"source": "train.xx", "target": "train.yy"}], **values}
    return configs.from_mapping(DataConfig, mapping, name="data")


def check(
    root: Path, training: Pairs, held_out: Pairs | None = None, test: Pairs | None = None, **values: Any
) -> Report:
    write(root, "train", training)
    if held_out is not None:
        write(root, "validation", held_out)
        values["validation"] = {"source": "validation.xx", "target": "validation.yy"}
    corpus = None
    if test is not None:
        write(root, "test", test)
        corpus = configs.from_mapping(CorpusConfig, {"source": "test.xx", "target": "test.yy"}, name="test")
    return check_data(config_of(root, **values), test=corpus, cache=root / "cache")


def only(report: Report, kind: str) -> Finding:
    """The one finding there is, of this kind."""
    assert [finding.kind for finding in report.findings] == [kind], str(report)
    return report.findings[0]


def lines(finding: Finding) -> list[int]:
    return [example.line for example in finding.examples]
