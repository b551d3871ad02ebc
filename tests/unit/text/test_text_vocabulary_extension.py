"""Symbols that are added to vocabularies, and what vocabularies say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sentencepiece import SentencePieceTrainer

from nmt.core.errors import DataError
from nmt.text.subword import SideCoverages, SideSizes, SubwordConfig, SubwordModel
from nmt.text.training import train_subword
from nmt.text.vocabularies import Vocabularies
from nmt.text.vocabulary_extension import section_of, with_symbols


@pytest.fixture(params=["unigram", "bpe"])
def model(request, lines, tmp_path) -> SubwordModel:
    config = SubwordConfig(algorithm=request.param, size=120, user_symbols=("<old>",))
    return train_subword(lines, config, output=tmp_path / "a.model", name="x")


def joint(model: SubwordModel) -> Vocabularies:
    return Vocabularies(model, model)


def test_new_symbols_stand_behind_the_pieces_there_are(model, lines):
    grown = with_symbols(joint(model), ["<2de>", "<old>", "<2en>"])
    assert grown.source is grown.target and grown.joint
    new = grown.source
    assert new.size == model.size + 2
    assert new.pieces(range(model.size)) == model.pieces(range(model.size))
    assert new.pieces([model.size, model.size + 1]) == ["<2de>", "<2en>"]
    for line in lines[:200]:
        assert new.encode(line) == model.encode(line)
    text = f"<2de> {lines[0]}<2en>"
    ids = new.encode(text)
    assert ids.count(model.size) == 1 and ids.count(model.size + 1) == 1 and new.unk_id not in ids
    assert new.decode(ids) == text
    assert (new.pad_id, new.unk_id, new.bos_id, new.eos_id) == (0, 1, 2, 3)


def test_nothing_new_is_the_same_model(model):
    assert with_symbols(joint(model), ["<old>"]).source is model
    assert with_symbols(joint(model), []).source is model
    twice = [with_symbols(joint(model), ["<new>"]) for _ in range(2)]
    assert twice[0].fingerprint == twice[1].fingerprint


def test_a_piece_that_there_is_keeps_its_id_and_is_never_split_again(lines, tmp_path):
    model = train_subword(lines, SubwordConfig(size=120), output=tmp_path / "a.model", name="x")
    piece = next(p for p in model.pieces(range(4, model.size)) if len(p) == 3 and not p.startswith("\u2581"))
    grown = with_symbols(joint(model), [piece]).source
    assert grown.size == model.size and grown.id_of(piece) == model.id_of(piece)
    assert grown.encode(f"zz{piece}zz").count(model.id_of(piece)) == 1
    assert section_of(joint(grown), SubwordConfig()).user_symbols == (piece,)


@pytest.mark.parametrize("symbol", ["</s>", "<unk>"])
def test_special_pieces_are_refused(model, symbol):
    with pytest.raises(DataError, match=rf"must not have '{symbol}', which is a special piece of .*a.model"):
        with_symbols(joint(model), [symbol])


def test_both_sides_grow(lines, tmp_path):
    configs = [SubwordConfig(size=size) for size in (90, 120)]
    models = [train_subword(lines, each, output=tmp_path / f"{each.size}.model", name="x") for each in configs]
    grown = with_symbols(Vocabularies(*models), ["<2de>"])
    assert (grown.source.size, grown.target.size) == (91, 121) and not grown.joint


def test_grown_models_can_be_sampled_from(model, lines):
    from nmt.text.sampling import SamplingConfig

    grown = with_symbols(joint(model), ["<2de>"]).source
    drawn = [grown.sample(f"<2de> {' '.join(lines[:5])}", SamplingConfig(alpha=0.1), seed) for seed in range(20)]
    assert len({tuple(row) for row in drawn}) > 1 and all(row.count(model.size) == 1 for row in drawn)


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_vocabulary_says_what_it_was_trained_with(lines, tmp_path, algorithm, byte_fallback):
    config = SubwordConfig(
        algorithm=algorithm,
        size=380,
        byte_fallback=byte_fallback,
        character_coverage=0.9995,
        user_symbols=("<a>", "<b>"),
    )
    config = config if byte_fallback else replace(config, size=120)
    model = train_subword(lines, config, output=tmp_path / "a.model", name="x")
    assert section_of(joint(model), SubwordConfig()) == config
    # What a vocabulary does not know stays.
    kept = SubwordConfig(max_lines=7, source_model="x")
    assert section_of(joint(model), kept) == replace(config, max_lines=7, source_model="x")


def test_two_vocabularies_say_it_of_each(lines, tmp_path):
    config = SubwordConfig(
        joint=False,
        size=SideSizes(source=120, target=90),
        character_coverage=SideCoverages(source=0.99, target=1.0),
    )
    models = [
        train_subword(lines, config, output=tmp_path / f"{side}.model", name="x", side=side)
        for side in ("source", "target")
    ]
    assert section_of(Vocabularies(*models), SubwordConfig()) == config


def test_a_vocabulary_from_elsewhere_says_what_a_recipe_can_say(lines, tmp_path: Path):
    (tmp_path / "text").write_text("\n".join(lines))
    SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "w"), model_type="word", vocab_size=20,
        character_coverage=0.99, minloglevel=2,
    )  # fmt: skip
    model = SubwordModel.load(tmp_path / "w.model")
    found = section_of(joint(model), SubwordConfig(algorithm="bpe"))
    assert found == SubwordConfig(algorithm="bpe", size=20, character_coverage=0.99)
