"""docs/attention.md says of every variant what the code says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_sweep import AsGrid
from registered import ours

from nmt.core.config.ranges import problems_of
from nmt.model.attention.base import AttentionConfig, ScoreConfig
from nmt.model.attention.coverage import CoverageConfig
from nmt.model.attention.scores import GeneralConfig
from nmt.model.attention.soft import SoftConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.seq2seq import Seq2SeqConfig

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "attention.md"


class UnorderedGrid(RnnEncoderConfig):
    ordered = False
    gives_grid = True


def table(title: str) -> list[list[str]]:
    """Give the rows of the first table under a heading, backquotes off."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.split("\n") if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows[1:]]


def names(cell: str) -> set[str]:
    return {name.strip() for name in cell.split(",")}


def decoders_of(attention: AttentionConfig, context_gate: str = "none", *, lexical: bool = False) -> set[str]:
    """Name the decoders in which a recipe with it is read without a complaint."""
    found = set()
    for name in ours(DecoderConfig):
        decoder = replace(DecoderConfig.registry.find(name)(size=6), context_gate=context_gate)
        config = Seq2SeqConfig(encoder=AsGrid(size=3), decoder=decoder, attention=attention, lexical=lexical)
        if not [*problems_of(decoder), *problems_of(attention), *problems_of(config)]:
            found.add(name)
    return found


def attention_problems(attention: AttentionConfig) -> list[tuple[str, str]]:
    return list(problems_of(attention))


def fitting_source(attention: AttentionConfig) -> str:
    """Say which sources an attention is not refused for."""
    decoder = DecoderConfig.registry.find("bahdanau")(size=6)
    fitting = []
    for kind, encoder in (("in order", RnnEncoderConfig(size=3)), ("grid", UnorderedGrid(size=3))):
        config = Seq2SeqConfig(encoder=encoder, decoder=decoder, attention=attention)
        if not any("where the source" in message for _, message in config.problems()):
            fitting.append(kind)
    return "any" if len(fitting) == 2 else fitting[0]


def test_every_alignment_function_has_its_row() -> None:
    rows = table("Alignment functions")
    assert [row[0] for row in rows] == [row[0] for row in sorted(rows, key=lambda row: row[0] == "none")]
    assert {row[0] for row in rows} == set(ours(AttentionConfig))
    for name, paper, decoders, row_sum, source in rows:
        attention = AttentionConfig.registry.find(name)()
        assert "(20" in paper
        assert names(decoders) == decoders_of(attention), name
        assert row_sum == attention.row_sum, name
        assert source == fitting_source(attention), name


def test_every_score_has_its_row() -> None:
    rows = table("Scores")
    assert {row[0] for row in rows} == set(ours(ScoreConfig))
    scored = [name for name in ours(AttentionConfig) if hasattr(AttentionConfig.registry.find(name)(), "score")]
    for name, paper, attentions, source in rows:
        score = ScoreConfig.registry.find(name)()
        fitting = {one for one in scored if not attention_problems(AttentionConfig.registry.find(one)(score=score))}
        assert "(20" in paper
        assert names(attentions) == fitting, name
        assert source == fitting_source(SoftConfig(score=score)), name


def test_every_addition_has_its_row() -> None:
    rows = table("Additions")
    coverages = {f"model.attention.coverage: {name}" for name in ours(CoverageConfig)}
    gates = {f"model.decoder.context_gate: {gate}" for gate in ("source", "target", "both")}
    alone = {"model.attention.sentinel: true", "model.attention.looks: 2", "model.lexical: true"}
    assert {row[0] for row in rows} == {*coverages, *gates, *alone}
    for key, paper, decoders, row_sum, refused in rows:
        path, value = key.split(": ")
        gate, lexical = "none", path.endswith("lexical")
        attention = SoftConfig()
        if path.endswith("coverage"):
            attention = SoftConfig(coverage=CoverageConfig.registry.find(value)())
        elif path.endswith("sentinel"):
            attention = SoftConfig(sentinel=True)
        elif path.endswith("looks"):
            attention = SoftConfig(looks=int(value))
        elif not lexical:
            gate = value
        assert "(20" in paper
        assert names(decoders) == decoders_of(attention, gate, lexical=lexical), key
        assert row_sum == attention.row_sum, key
        assert ("a source without order" in refused) == (fitting_source(attention) == "in order"), key


@pytest.mark.parametrize("name", ["soft", "sparsemax", "entmax-1.5"])
def test_coverage_and_sentinel_are_refused_as_the_table_says(name: str) -> None:
    cls = AttentionConfig.registry.find(name)
    for coverage in (CoverageConfig.registry.find(one)() for one in CoverageConfig.registry.names()):
        assert not attention_problems(cls(coverage=coverage))
        assert attention_problems(cls(coverage=coverage, sentinel=True))
        assert attention_problems(cls(coverage=coverage, looks=2))
        for score in (ScoreConfig.registry.find(one)() for one in ScoreConfig.registry.names()):
            assert score.accepts_coverage == (not attention_problems(cls(coverage=coverage, score=score)))
    for score in (ScoreConfig.registry.find(one)() for one in ScoreConfig.registry.names()):
        fits = not score.needs_order and score.head_count == 1
        assert fits == (not attention_problems(cls(sentinel=True, score=score)))
        assert not attention_problems(cls(looks=2, score=score))
    assert attention_problems(cls(sentinel=True, looks=2))
    assert not attention_problems(cls(sentinel=True, score=GeneralConfig()))
