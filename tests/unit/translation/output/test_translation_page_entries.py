"""Aligned pairs as entries of the report: named layers, link sets, measures against gold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import mean_entropy
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.lines import ScoredTarget, Translation
from nmt.translation.output.page_entries import aligned_entry, attention_layers, translated_entry


@pytest.fixture(scope="module")
def pair(tiny_run: Path) -> ScoredTarget:
    return Aligner.load(tiny_run).align(["abcdefg hij"], ["cd efabcgh a"])[0]


def test_any_number_of_named_layers_and_links(pair: ScoredTarget) -> None:
    layers = [*attention_layers(pair), *attention_layers(pair, name="gradient-x-input", relative=True)]
    links = {"mutual": Links(frozenset({(0, 0)})), "links": pair.alignment}
    entry = aligned_entry(pair, layers=layers, links=links)
    (target,) = entry.targets
    assert [(layer.name, layer.relative) for layer in target.layers] == [
        ("attention", False),
        ("gradient-x-input", True),
    ]
    numpy.testing.assert_array_equal(target.layers[1].words, pair.weights)
    numpy.testing.assert_array_equal(target.layers[1].pieces, pair.piece_weights)
    assert list(target.links) == ["mutual", "links"]
    assert (entry.source.words, target.text.words) == (("abcdefg", "hij"), ("cd", "efabcgh", "a"))
    assert target.text.pieces == pair.pieces.pieces
    assert len(target.log_probs) == len(target.text.pieces) + 1


def test_a_layer_has_the_weights_of_words_and_of_pieces(pair: ScoredTarget) -> None:
    (layer,) = aligned_entry(pair).targets[0].layers
    assert pair.weights is not None and layer.pieces is not None
    numpy.testing.assert_array_equal(layer.words, pair.weights)
    numpy.testing.assert_array_equal(layer.pieces, pair.piece_weights)


def test_a_note_says_what_became_of_a_line(pair: ScoredTarget) -> None:
    short = replace(pair, hypothesis=replace(pair.hypothesis, cut=True))

    def note(*hypotheses: ScoredTarget, **said: Any) -> str:
        return translated_entry(Translation(pair.source, hypotheses, **said)).note

    assert note(pair) == note(pair, short) == "", "what is shown as the translation is whole"
    assert note(short, pair) == note(short) == "Cut at the length limit."
    assert note(short, parts=3) == "Translated in 3 parts, as the line is long. Cut at the length limit."
    assert note(pair, problem="it is too long") == "Not translated: it is too long."


def test_measures_are_those_of_the_pair(pair: ScoredTarget) -> None:
    # Links 0-0 and 1-1 against sure 0-0 and possible 0-2: 1 - (1 + 1) / (2 + 1) = 1/3.
    links = {"links": Links(frozenset({(0, 0), (1, 1)}))}
    entry = aligned_entry(pair, links=links, gold=Links(frozenset({(0, 0)}), frozenset({(0, 2)})))
    assert dict(entry.targets[0].measures) == {
        "score": pair.score,
        "confidence": pair.confidence,
        "entropy": mean_entropy([pair.piece_weights]),
        "source length": 2,
        "target length": 3,
        "AER": pytest.approx(1 / 3),
    }
    assert "AER" not in aligned_entry(pair).targets[0].measures
    assert aligned_entry(pair).targets[0].links == {"links": pair.alignment}
