import io
import math
import random
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.text.sampling import SamplingConfig
from nmt.text.subword import SubwordModel


def trained(lines, **options) -> SubwordModel:
    """A model as other programs train them."""
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=writer, minloglevel=2, **options
    )
    return SubwordModel(writer.getvalue(), Path("other.model"))


def test_a_function_of_the_seed_alone(models, lines):
    for name in ("unigram", "bpe"):
        model, config = models[name], SamplingConfig(alpha=0.3)
        drawn = {seed: model.sample(lines[seed], config, seed) for seed in range(40)}
        again = {}

        def draw(model=model, config=config, again=again):
            for seed in reversed(range(40)):
                model.sample("disturb", config, 5)
                again[seed] = model.sample(lines[seed], config, seed)

        draw()
        assert again == drawn
        again.clear()
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join()
        assert again == drawn


def test_segmentations_differ_but_spell_the_line(models, lines):
    for name in ("unigram", "bpe"):
        model = models[name]
        drawn = {tuple(model.sample(lines[0], SamplingConfig(alpha=0.2), seed)) for seed in range(50)}
        assert len(drawn) > 4
        assert {model.decode(ids) for ids in drawn} == {lines[0]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"character_coverage": 0.98},
        {"character_coverage": 0.98, "byte_fallback": True, "vocab_size": 375},
        {"split_by_whitespace": False},
        {"treat_whitespace_as_suffix": True},
        {"remove_extra_whitespaces": False},
        {"user_defined_symbols": ["grün", "rü", "de", "ade", "grüna"]},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_no_dropout_is_the_best_segmentation(lines, options):
    model = trained(lines, **{"vocab_size": 120, "model_type": "bpe", **options})
    for seed, line in enumerate([*lines, "", "ΩΩ Ωba 😀", "  bade   grünade ", "▁▁ba▁ de"]):
        assert model.sample(line, SamplingConfig(alpha=0.0), seed) == model.encode(line), line
        assert model.sample_with_offsets(line, SamplingConfig(alpha=0.0), seed) == model.encode_with_offsets(line), line


def test_full_dropout_is_characters(models):
    ids = models["bpe"].sample("bade", SamplingConfig(alpha=1.0), 7)
    assert "".join(models["bpe"].pieces(ids)) == "▁bade"
    assert len(ids) == 5


def test_the_share_of_dropped_merges_is_alpha():
    # Pieces: three special ones, the space, a, b and one merge of each letter with the space before it, which stays
    # in two parts exactly when that merge is dropped.
    model = trained(["a b"] * 20, vocab_size=8, model_type="bpe")
    for alpha in (0.1, 0.5, 0.8):
        split = sum(len(model.sample("a", SamplingConfig(alpha=alpha), seed)) == 2 for seed in range(2000))
        assert abs(split - 2000 * alpha) < 4 * math.sqrt(2000 * alpha * (1 - alpha))


def merged_plainly(word, scores, alpha, draw):
    """BPE dropout by looking at all neighbours again before each merge; each possible merge is considered once."""
    symbols, considered = list(enumerate(word)), set()
    while True:
        pairs = pairwise(symbols)
        possible = {(place, after, one + other) for (place, one), (after, other) in pairs if one + other in scores}
        if not possible - considered:
            return [symbol for _, symbol in symbols]
        place, after, joined = best = min(possible - considered, key=lambda each: (-scores[each[2]], each[0]))
        considered.add(best)
        if draw() >= alpha:
            symbols = [(at, joined if at == place else symbol) for at, symbol in symbols if at != after]


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_merges_are_dropped_one_by_one(models, lines, alpha):
    model = models["bpe"]
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.serialised)
    scores = {processor.id_to_piece(i): processor.get_score(i) for i in range(4, model.size)}
    for seed, line in enumerate(lines[:40]):
        draw = random.Random(seed).random
        plain = [piece for word in line.split() for piece in merged_plainly(f"▁{word}", scores, alpha, draw)]
        assert model.pieces(model.sample(line, SamplingConfig(alpha=alpha), seed)) == plain


def segmentations(text, scores):
    """Every way to write text in pieces, with the sum of their scores."""
    if not text:
        yield (), 0.0
    for end in range(1, len(text) + 1):
        if text[:end] in scores:
            for rest, score in segmentations(text[end:], scores):
                yield (text[:end], *rest), scores[text[:end]] + score


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_segmentations_are_drawn_by_their_smoothed_probability(lines, alpha):
    model = trained([line[:-1] for line in lines[:40]], vocab_size=88)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.serialised)
    scores = {processor.id_to_piece(i): processor.get_score(i) for i in range(4, model.size)}
    found = {word: list(segmentations(f"▁{word}", scores)) for word in " ".join(lines[:40]).replace(".", "").split()}
    word = max(found, key=lambda word: len(found[word]))
    weights = {pieces: math.exp(alpha * score) for pieces, score in found[word]}
    assert len(weights) > 10
    total, count = sum(weights.values()), 4000
    drawn = Counter(tuple(model.pieces(model.sample(word, SamplingConfig(alpha=alpha), seed))) for seed in range(count))
    assert set(drawn) <= set(weights)
    for pieces, weight in weights.items():
        share = weight / total
        assert abs(drawn[pieces] - count * share) < 5 * math.sqrt(count * share * (1 - share)) + 1, pieces


def test_unknown_characters_as_in_encoding(lines):
    for options in ({"vocab_size": 100}, {"vocab_size": 375, "byte_fallback": True}):
        model = trained(lines, character_coverage=0.98, **options)
        for text in ("Ω", "ΩΩba Ω", "ba😀de"):
            drawn = model.sample(text, SamplingConfig(alpha=1.0), 1)
            assert model.decode(drawn) == model.decode(model.encode(text))
            assert drawn.count(model.unk_id) == model.encode(text).count(model.unk_id)


@given(text=st.text(alphabet=" baßdegrünΩ\u2028\x00\r\t\u00a0😀▁.§", max_size=30), seed=st.integers(0, 2**63 - 1))
def test_whatever_is_drawn_spells_the_text(models, text, seed):
    for model in models.values():
        drawn = model.sample(text, SamplingConfig(alpha=0.3), seed)
        assert model.decode(drawn) == model.decode(model.encode(text))


@pytest.mark.parametrize("kind", ["word", "char"])
def test_models_of_one_segmentation_cannot_sample(lines, kind):
    model = trained(lines, model_type=kind, vocab_size=120, hard_vocab_limit=False)
    with pytest.raises(DataError, match=r"other\.model: subword sampling needs a unigram or BPE model"):
        model.sample(lines[0], SamplingConfig(), 1)


@given(text=st.text(alphabet=" baßdegrünΩ\u2028\x00\r\t\u00a0😀▁.§", max_size=30), seed=st.integers(0, 2**63 - 1))
def test_offsets_of_what_is_drawn(models, text, seed):
    for model in models.values():
        spans = model.sample_with_offsets(text, SamplingConfig(alpha=0.3), seed)
        assert [span.id for span in spans] == model.sample(text, SamplingConfig(alpha=0.3), seed)
        position = 0
        for span in spans:
            assert position <= span.begin <= span.end <= len(text)
            assert not text[position : span.begin].strip(" \t"), "only spaces may be skipped"
            position = span.end
