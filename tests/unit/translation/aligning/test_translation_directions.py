"""Links of two models, one of each direction, against those of each alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import make_run, sentences

from nmt.alignment.soft_alignment import LinkRule
from nmt.alignment.symmetrisation import Symmetrisation, inverse, symmetrise
from nmt.core.errors import ConfigError
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.directions import align_directions, language_back
from nmt.translation.model_files.bundle import Bundle

PAIRS = [*zip(sentences(9, seed=9), sentences(9, seed=8), strict=True), ("", "ab")]


@pytest.fixture(scope="module")
def aligners(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Aligner, Aligner]:
    back = make_run(tmp_path_factory.mktemp("back") / "run", seed=5)
    forward, reverse = (Aligner([Bundle.load(run, device="cpu")]) for run in (tiny_run, back))
    return forward, reverse


@pytest.mark.parametrize("rule", [None, LinkRule(kind="mutual"), LinkRule(kind="threshold", threshold=0.3)])
@pytest.mark.parametrize("method", ["intersection", "union", "grow-diag"])
def test_the_rule_holds_for_both_and_the_second_is_turned_round(
    aligners: tuple[Aligner, Aligner], rule: LinkRule | None, method: Symmetrisation
) -> None:
    forward, reverse = aligners
    sources, targets = zip(*PAIRS, strict=True)
    there, back = forward.align(sources, targets), reverse.align(targets, sources)
    found = list(align_directions(*aligners, PAIRS, method=method, rule=rule))
    assert [scored.text for scored, _ in found] == list(targets)
    assert [links for _, links in found] == [
        symmetrise(one.links(rule), inverse(other.links(rule)), method) for one, other in zip(there, back, strict=True)
    ]


def test_each_direction_tells_how_far_it_is(aligners: tuple[Aligner, Aligner]) -> None:
    told: tuple[list[float], list[float]] = ([], [])
    list(align_directions(*aligners, PAIRS, method="union", reached=(told[0].append, told[1].append)))
    for steps in told:
        assert steps == sorted(steps) and steps[-1] == pytest.approx(len(PAIRS))


def test_a_tag_is_no_word_for_the_second_model(aligners: tuple[Aligner, Aligner], tmp_path: Path) -> None:
    many = Bundle.load(make_run(tmp_path / "run", tags=("<2de>", "<2fr>")), device="cpu")
    tagged = [(f"<2fr> {source}" if source else "", target) for source, target in PAIRS]
    found = align_directions(Aligner([many]), aligners[1], tagged, method="union")
    asked = align_directions(Aligner([many], target_language="fr"), aligners[1], PAIRS, method="union")
    assert [links for _, links in found] == [links for _, links in asked]


def test_a_second_model_of_several_languages_writes_that_of_the_sources(tiny_run: Path, tmp_path: Path) -> None:
    forward = Bundle.load(tiny_run, device="cpu")  # from xx
    some, none = (
        Bundle.load(make_run(tmp_path / tag.strip("<>"), tags=(tag, "<2fr>")), device="cpu")
        for tag in ("<2xx>", "<2de>")
    )
    assert language_back(forward, forward) is None and language_back(forward, some) == "xx"
    with pytest.raises(ConfigError, match=r"2de: the second model needs a tag before what it reads \(<2de>, <2fr>\)"):
        language_back(forward, none)
