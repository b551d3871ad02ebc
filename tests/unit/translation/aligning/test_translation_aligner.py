from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from tiny_run import make_run, sentences

from nmt.core.characters import is_blank
from nmt.core.storage.run_folder import RunFolder
from nmt.model.model_stepper import ModelStepper
from nmt.search.hypothesis import Hypothesis
from nmt.text.words import words_in_spans
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine
from nmt.translation.model_files.bundle import Bundle

PAIRS = [
    *zip(sentences(25, seed=9), sentences(25, seed=8), strict=True),
    ("", "ab"),
    ("ab", ""),
    ("\u3000", ""),
    ("\u200b\ufeff", "ab"),
    ("ab ☃", "☃ cd"),
]


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def alone(bundle: Bundle) -> list[ScoredTarget]:
    return [Aligner([bundle]).align([source], [target])[0] for source, target in PAIRS]


def assert_same(found: ScoredTarget, wanted: ScoredTarget) -> None:
    assert (found.source.text, found.text) == (wanted.source.text, wanted.text)
    assert found.hypothesis.token_log_probs == pytest.approx(wanted.hypothesis.token_log_probs, rel=1e-3, abs=2e-2)
    if wanted.weights is None:
        assert found.weights is None
    else:
        numpy.testing.assert_allclose(found.weights, wanted.weights, atol=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("batch_tokens", [1, 50, 10_000])
@pytest.mark.parametrize("window", [3, 100])
def test_batches_windows_and_order_change_nothing(
    bundle: Bundle, alone: list[ScoredTarget], batch_tokens: int, window: int
) -> None:
    order = list(range(len(PAIRS)))
    random.Random(batch_tokens).shuffle(order)
    aligner = Aligner([bundle], batch_tokens=batch_tokens)
    found = list(aligner.align_pairs((PAIRS[place] for place in order), window=window))
    assert [target.source.number for target in found] == list(range(1, len(PAIRS) + 1))
    for place, target in zip(order, found, strict=True):
        assert_same(target, alone[place])


@pytest.mark.costly
@pytest.mark.parametrize("way", [None, "leave-one-out", "gradient-x-input"])
def test_autocast_around_it_changes_nothing(bundle: Bundle, way: str | None) -> None:
    evidence = {} if way is None else {"by": EvidenceConfig(way=way)}  # type: ignore[arg-type]
    sources, targets = zip(*PAIRS[:6], strict=True)
    wanted = Aligner([bundle], **evidence).align(sources, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Aligner([bundle], **evidence).align(sources, targets)
    for one, other in zip(found, wanted, strict=True):
        assert one.hypothesis.token_log_probs == other.hypothesis.token_log_probs
        numpy.testing.assert_array_equal(one.weights, other.weights)


def test_weights_are_between_the_raw_words(alone: list[ScoredTarget]) -> None:
    for (source, text), target in zip(PAIRS, alone, strict=True):
        if is_blank(source) or is_blank(text):
            assert target.weights is None
            assert not target.alignment.sure
            assert target.score == 0.0
            continue
        assert target.weights is not None
        assert target.weights.shape == (len(text.split()), len(source.split()) + 1)
        numpy.testing.assert_allclose(target.weights.sum(axis=1), 1.0, atol=1e-4)
        assert target.finished


def test_the_score_is_that_of_the_given_target(bundle: Bundle) -> None:
    aligner = Aligner([bundle])
    for source, target in itertools.islice(PAIRS, 5):
        forced, other = aligner.align([source, source], [target, f"{target} ab"])
        assert forced.log_prob == pytest.approx(sum(forced.hypothesis.token_log_probs))
        assert len(forced.hypothesis.token_log_probs) == len(forced.pieces.ids) + 1
        assert forced.log_prob != other.log_prob


def test_different_numbers_of_lines_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="shorter"):
        Aligner([bundle]).align(["a", "b"], ["a"])


def test_how_far_it_is_is_told_between_the_batches(bundle: Bundle) -> None:
    pairs = [("ahfga fca", "fca"), ("fca", "ich fca iab"), ("", "fca"), ("iab iab iab iab", "ich")]
    told: list[float] = []
    list(Aligner([bundle], batch_tokens=1).align_pairs(pairs, window=3, reached=told.append))
    vocabularies = bundle.vocabularies
    first, second, _, _ = (
        max(len(vocabularies.source.encode(source)), len(vocabularies.target.encode(target))) + 1
        for source, target in pairs
    )
    assert told[1:] == pytest.approx([3, 4]), "a blank side is no work"
    assert told[0] in (pytest.approx(3 * first / (first + second)), pytest.approx(3 * second / (first + second)))


def test_nothing_gives_nothing(bundle: Bundle) -> None:
    assert Aligner([bundle]).align([], []) == []


def test_each_side_is_cut_by_its_own_vocabulary(tmp_path: Path) -> None:
    bundle = Bundle.load(make_run(tmp_path / "run", joint=False))
    (forced,) = Aligner([bundle]).align(["ab cd"], ["AB CD"])
    assert bundle.vocabularies.target.unk_id not in forced.pieces.ids
    assert bundle.vocabularies.source.unk_id not in forced.source.pieces.ids


def test_each_side_is_normalised_by_its_own_rules(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", joint=False)
    recipe = RunFolder(run).recipe
    recipe.write_text(recipe.read_text().replace("data:\n", "data:\n  target_normalisation: {lowercase: true}\n"))
    (forced,) = Aligner([Bundle.load(run, device="cpu")]).align(["ab"], ["AB"])
    unknown = forced.pieces.ids.count(Bundle.load(run, device="cpu").vocabularies.target.unk_id)
    assert unknown, "the target vocabulary knows capitals alone, which the rules of the target take away"


@pytest.mark.parametrize("side", [0, 1])
def test_a_pair_as_long_as_allowed_is_aligned(bundle: Bundle, side: int) -> None:
    long, short = "abc de fghi a b c", "ab"
    sides = bundle.vocabularies.source, bundle.vocabularies.target
    count = len(sides[side].encode(long))
    pair = ([long], [short]) if side == 0 else ([short], [long])
    for most, aligned in ((count, True), (count - 1, False)):
        aligner = Aligner([bundle], max_pieces=most)
        assert (aligner.align(*pair)[0].weights is not None) == aligned
        assert aligner.unaligned == ([] if aligned else [1])


def test_what_does_not_fit_into_memory_is_halved_and_one_pair_takes_no_other_with_it(
    bundle: Bundle, alone: list[ScoredTarget], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    aligner = Aligner([bundle])
    force, sizes = aligner._force, []

    def starving(sources: list[SourceLine], targets: list[Pieces]) -> list[Hypothesis]:
        sizes.append(len(sources))
        if len(sources) > 4 or any(source.number == 7 for source in sources):
            raise MemoryError
        return force(sources, targets)

    monkeypatch.setattr(aligner, "_force", starving)
    with caplog.at_level("WARNING", logger="nmt"):
        found = aligner.align(*map(list, zip(*PAIRS, strict=True)))
    assert max(sizes) > 16 and aligner.unaligned == [7]
    assert caplog.text.count("it is aligned in halves") == 1
    assert "line 7 is left unaligned: it does not fit into memory" in caplog.text
    assert found[6].weights is None and not found[6].alignment.possible
    for place, (one, wanted) in enumerate(zip(found, alone, strict=True)):
        if place != 6:
            assert_same(one, wanted)


def test_targets_are_scored_by_the_length_penalty_of_the_recipe(bundle: Bundle) -> None:
    for penalty in (0.0, 0.7, 1.3):
        given = replace(bundle, search=replace(bundle.search, length_penalty=penalty, coverage_penalty=0.4))
        (forced,) = Aligner([given]).align(*map(list, zip(PAIRS[0], strict=True)))
        length = len(forced.hypothesis.token_log_probs)
        assert forced.score == pytest.approx(forced.log_prob / ((5 + length) / 6) ** penalty)


def test_weights_are_looked_at_before_every_window(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them: a search by itself looks at a sample, which a change of few numbers may escape."""
    looked: list[int] = []
    monkeypatch.setattr(ModelStepper, "refresh", lambda _self: looked.append(len(found)))
    found: list[ScoredTarget] = []
    for target in Aligner([bundle, bundle]).align_pairs(PAIRS[:4], window=2):
        found.append(target)
    assert looked == [0, 0, 2, 2], "both models, before each of the two windows"


def test_words_that_share_a_piece_are_both_aligned(tmp_path: Path) -> None:
    """A no-break space divides words, and SentencePiece takes it for a digit: two words in one piece."""
    letters = "01\u00a0"
    aligner = Aligner.load(make_run(tmp_path / "run", words=letters, size=36))
    model = aligner.bundles[0].vocabularies.source
    shared = [
        line
        for line in sentences(200, seed=5, letters=letters, longest=2)
        if any(len(held) > 1 for held in words_in_spans(line, model.encode_with_offsets(line)))
    ]
    line = next(line for line in shared if len(line.split()) == 2)
    (target,) = aligner.align([line], [line])
    weights = target.weights
    assert weights is not None and weights.shape == (2, 3)
    assert (weights[:, :2].sum(0) > 0).all() and (weights.sum(1) > 0.99).all()
