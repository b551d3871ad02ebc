"""Every way of aligning, as the aligner gives it."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from tiny_run import MODEL_CONFIG, make_run, sentences

from nmt.alignment.extraction_methods import EXTRACTION_METHODS, ExtractionMethod
from nmt.alignment.soft_alignment import row_shares
from nmt.core.errors import ConfigError
from nmt.data.batch import Tokens
from nmt.model import saliency
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.model_files.bundle import Bundle

PAIRS = [
    *zip(sentences(5, seed=9, longest=5), sentences(5, seed=8, longest=5), strict=True),
    ("", "ab"),
    ("ab", ""),
    ("ab", "cd"),
]
OTHERS = EXTRACTION_METHODS[1:]


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


def way_config(way: ExtractionMethod) -> EvidenceConfig:
    return EvidenceConfig(way=way, samples=2)


@pytest.mark.slow
@pytest.mark.parametrize("way", EXTRACTION_METHODS)
def test_batches_and_windows_change_nothing(bundle: Bundle, way: ExtractionMethod) -> None:
    one, other = (Aligner([bundle], by=way_config(way), batch_tokens=tokens) for tokens in (1, 10_000))
    pairs = zip(one.align_pairs(PAIRS, window=3), other.align_pairs(PAIRS), strict=True)
    for (source, text), (alone, together) in zip(PAIRS, pairs, strict=True):
        if not (source and text):
            assert alone.weights is together.weights is None
            continue
        assert alone.weights is not None and together.weights is not None
        numpy.testing.assert_allclose(alone.weights, together.weights, atol=2e-2)
        assert alone.weights.shape == (len(text.split()), len(source.split()) + 1)
        assert (alone.weights >= 0).all()
        numpy.testing.assert_allclose(alone.weights.sum(axis=1), 1.0, atol=1e-4)
        assert alone.log_prob == pytest.approx(together.log_prob, rel=1e-3)


@pytest.mark.costly
@pytest.mark.parametrize("way", OTHERS)
def test_the_weights_are_those_of_the_model(bundle: Bundle, way: ExtractionMethod) -> None:
    target = next(Aligner([bundle], by=way_config(way)).align_pairs(PAIRS[:1]))
    vocabularies = bundle.vocabularies
    sides = [
        Tokens.pad([[*pieces.ids, vocabularies.source.eos_id]], 0) for pieces in (target.source.pieces, target.pieces)
    ]
    words, bos = [target.source.pieces.words], vocabularies.target.bos_id
    if way == "shifted-attention":
        expected = saliency.shifted_attention(bundle.model, *sides, bos_id=bos)[0].numpy()
    elif way == "attention-x-gradient":
        expected = row_shares(saliency.attention_times_gradient(bundle.model, *sides, bos_id=bos)[0].numpy())
    elif way == "leave-one-out":
        expected = row_shares(saliency.leave_one_out(bundle.model, *sides, words, bos_id=bos)[0].numpy())
    elif way == "gradient-x-input":
        expected = row_shares(saliency.gradient_times_input(bundle.model, *sides, bos_id=bos)[0].numpy())
    else:  # the mean over noisy embeddings tends to the plain gradient as the noise goes to nothing
        quiet = EvidenceConfig(way=way, samples=1, noise=1e-7)
        target = next(Aligner([bundle], by=quiet).align_pairs(PAIRS[:1]))
        expected = row_shares(saliency.gradient_times_input(bundle.model, *sides, bos_id=bos)[0].numpy())
    assert target.piece_weights is not None
    numpy.testing.assert_allclose(target.piece_weights, expected, atol=1e-3)
    assert target.links() == target.alignment


@pytest.mark.slow
def test_noise_follows_seed_and_number(bundle: Bundle) -> None:
    def weights(seed: int, pairs: list[tuple[str, str]]) -> numpy.ndarray:
        found = list(Aligner([bundle], by=EvidenceConfig(way="smoothgrad", samples=1, seed=seed)).align_pairs(pairs))
        assert found[-1].piece_weights is not None
        return found[-1].piece_weights

    numpy.testing.assert_array_equal(weights(1, PAIRS[:2]), weights(1, PAIRS[:2]))
    assert numpy.abs(weights(1, PAIRS[:2]) - weights(2, PAIRS[:2])).max() > 1e-3
    assert numpy.abs(weights(1, PAIRS[1:2]) - weights(1, PAIRS[:2])).max() > 1e-3  # another number


def test_several_models_are_averaged(bundle: Bundle, tiny_run: Path, tmp_path: Path) -> None:
    other = Bundle.load(make_run(tmp_path / "other", seed=7), device="cpu")
    by = EvidenceConfig(way="shifted-attention")
    parts = [next(Aligner([each], by=by).align_pairs(PAIRS[:1])).piece_weights for each in (bundle, other)]
    both = next(Aligner([bundle, other], by=by).align_pairs(PAIRS[:1])).piece_weights
    assert both is not None and parts[0] is not None and parts[1] is not None
    numpy.testing.assert_allclose(both, (parts[0] + parts[1]) / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("attention", "refused"), [("none", EXTRACTION_METHODS[:3]), ("hard", ("attention-x-gradient",))]
)
def test_what_a_model_has_nothing_for_is_refused_by_name(
    tmp_path: Path, attention: str, refused: tuple[ExtractionMethod, ...]
) -> None:
    bundle = Bundle.load(make_run(tmp_path / "run", model={**MODEL_CONFIG, "attention": attention}), device="cpu")
    for way in EXTRACTION_METHODS:
        if way in refused:
            with pytest.raises(ConfigError, match=f"nothing can be aligned by {way}.*leave-one-out"):
                Aligner([bundle], by=way_config(way))
        else:
            (target,) = Aligner([bundle], by=way_config(way)).align(["ab cd"], ["cd ef"])
            assert target.weights is not None


def test_numbers_out_of_range_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"(?s)samples must be at least 1.*noise must be above 0"):
        Aligner([bundle], by=EvidenceConfig(samples=0, noise=0.0))
    with pytest.raises(ConfigError, match="max_pieces must be at least 1"):
        Aligner([bundle], max_pieces=0)


def test_long_pairs_are_left_out_and_named(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    aligner = Aligner([bundle], max_pieces=20)
    long = " ".join(["abcde"] * 40)
    found = aligner.align(["ab", long, "ab", ""], ["cd", "ab", long, long])
    assert [target.weights is None for target in found] == [False, True, True, True]
    assert aligner.unaligned == [2, 3]
    assert "line 2 is left unaligned: its source has" in caplog.text
    assert "line 3 is left unaligned: its target has" in caplog.text


def test_a_batch_too_large_for_the_memory_is_halved(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    aligner = Aligner([bundle])
    wanted = [target.alignment for target in aligner.align_pairs(PAIRS)]
    force, sizes = aligner._force, []

    def scarce(sources, targets):
        sizes.append(len(sources))
        if len(sources) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return force(sources, targets)

    monkeypatch.setattr(aligner, "_force", scarce)
    assert [target.alignment for target in aligner.align_pairs(PAIRS)] == wanted
    assert max(sizes) > 2


def test_characters_tokens_and_pieces_as_words(bundle: Bundle) -> None:
    source, text = "ab c\u00a0d", " cde  f"
    by_unit = {
        unit: next(Aligner([bundle], unit=unit).align_pairs([(source, text)]))
        for unit in ("whitespace", "tokens", "characters", "pieces")
    }
    words = {unit: (target.source.words, target.words) for unit, target in by_unit.items()}
    assert words["whitespace"] == (["ab", "c", "d"], ["cde", "f"])
    assert words["tokens"] == (["ab", "c\u00a0d"], ["cde", "f"])
    assert words["characters"] == (["a", "b", "c", "d"], ["c", "d", "e", "f"])
    assert "".join("".join(words["pieces"][0]).split()) == "abcd"  # the space before c may be a piece of its own
    assert "".join("".join(words["pieces"][1]).split()) == "cdef"
    assert len(words["pieces"][0]) == len(by_unit["pieces"].source.pieces.ids)
    for target in by_unit.values():
        for line, spans, found in (
            (source, target.source.spans, target.source.words),
            (text, target.spans, target.words),
        ):
            assert [line[begin:end] for begin, end in spans] == found
        assert target.weights is not None
        assert target.weights.shape == (len(target.words), len(target.source.words) + 1)
        numpy.testing.assert_allclose(target.weights.sum(axis=1), 1.0, atol=1e-4)
    pieces = by_unit["pieces"]
    assert pieces.weights is not None and pieces.piece_weights is not None
    numpy.testing.assert_allclose(pieces.weights, pieces.piece_weights[:-1], atol=1e-6)
    # Whatever a word is, the same pieces carry its weight: the columns of a and b sum to that of "ab".
    whole, letters = by_unit["whitespace"].weights, by_unit["characters"].weights
    assert whole is not None and letters is not None
    numpy.testing.assert_allclose(letters[:, :2].sum(axis=1)[3], whole[1, 0], atol=1e-6)
