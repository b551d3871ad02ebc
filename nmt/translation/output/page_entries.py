"""Translations and aligned pairs as entries of the HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from nmt.alignment.links import Links
from nmt.alignment.report.entries import Entry, Layer, Picture, Target, Text
from nmt.alignment.soft_alignment import mean_entropy
from nmt.metrics.aer import alignment_error_rate
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Translation

Boxes: TypeAlias = Mapping[int, Sequence[Sequence[float]]]

ATTENTION = "attention"
LINKS = "links"


def aligned_entry(
    target: ScoredTarget,
    *,
    layers: Sequence[Layer] | None = None,
    links: Mapping[str, Links] | None = None,
    gold: Links | None = None,
    boxes: Boxes | None = None,
) -> Entry:
    """Return the entry of an aligned pair.

    Args:
        target: the pair.
        layers: its soft alignments, in display order; by default its attention.
        links: its links by name; the first are scored against gold. By default the arg-max links.
        gold: gold links.
        boxes: what words of the target name in a picture, as fractions of it.
    """
    shown = {LINKS: target.alignment} if links is None else links
    return Entry(
        number=target.source.number,
        source=_source(target.source),
        targets=(_target(target, attention_layers(target) if layers is None else layers, shown, gold, boxes),),
        note=_file(target.source) if target.source.words and target.words else "A side of this pair is blank.",
        picture=_picture(target.source),
    )


def translated_entry(translation: Translation) -> Entry:
    """Return the entry of a translated line, with all its hypotheses."""
    return Entry(
        number=translation.source.number,
        source=_source(translation.source),
        targets=tuple(
            _target(target, attention_layers(target), {LINKS: target.alignment}, None, None)
            for target in translation.hypotheses
        ),
        tree=translation.tree,
        note=_note(translation),
        picture=_picture(translation.source),
    )


def attention_layers(target: ScoredTarget, *, name: str = ATTENTION, relative: bool = False) -> tuple[Layer, ...]:
    """Return the weights of a target as a layer (by default named attention), or no layer without weights."""
    weights = target.weights
    if weights is not None and target.source.features is not None:
        weights = weights[:, :-1]  # a file has no null word
    return () if weights is None else (Layer(name, weights, target.piece_weights, relative),)


def _target(
    target: ScoredTarget, layers: Sequence[Layer], links: Mapping[str, Links], gold: Links | None, boxes: Boxes | None
) -> Target:
    return Target(
        text=_text(target.words, target.pieces),
        layers=tuple(layers),
        links=links,
        gold=gold,
        measures=_measures(target, next(iter(links.values()), None), gold),
        log_probs=tuple(target.hypothesis.token_log_probs),
        boxes=boxes or {},
    )


def _measures(target: ScoredTarget, links: Links | None, gold: Links | None) -> dict[str, float | None]:
    weights = target.piece_weights
    measures: dict[str, float | None] = {
        "score": target.score,
        "confidence": target.confidence,
        "entropy": None if weights is None else mean_entropy([weights]),
        "source length": len(target.source.words),
        "target length": len(target.words),
    }
    if target.utility is not None:
        measures["expected chrF"] = target.utility
    if gold is not None and links is not None:
        measures["AER"] = alignment_error_rate([links.sure], [gold.sure], [gold.possible]).aer
    return measures


def _source(source: SourceLine) -> Text:
    text = _text(source.words, source.pieces)
    return text if source.features is None else replace(text, file=source.text.strip())


def _picture(source: SourceLine) -> Picture | None:
    if source.features is None or not source.is_picture:
        return None
    return Picture(source.features, (source.shape[0], source.shape[1]))


def _text(words: Sequence[str], pieces: Pieces) -> Text:
    return Text(tuple(words), pieces.pieces, pieces.words)


def _file(source: SourceLine) -> str:
    """Name the file that a line stands for, if it does."""
    return "" if source.features is None else f"Source: {source.text.strip()}."


def _note(translation: Translation) -> str:
    notes = [named] if (named := _file(translation.source)) else []
    if translation.problem:
        notes.append(f"Not translated: {translation.problem}.")
    if translation.parts > 1:
        notes.append(f"Translated in {translation.parts} parts, as the line is long.")
    if translation.best.cut:
        notes.append("Cut at the length limit.")
    return " ".join(notes)
