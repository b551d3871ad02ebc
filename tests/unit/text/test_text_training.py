import re
from dataclasses import replace

import pytest
import sentencepiece

from nmt.core.errors import DataError
from nmt.text.subword import SideCoverages, SideSizes, SubwordConfig, SubwordModel
from nmt.text.training import train_subword


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_same_text_same_bytes(lines, tmp_path, algorithm):
    config = SubwordConfig(algorithm=algorithm, size=120)
    (tmp_path / "other").mkdir()
    outputs = [tmp_path / "a.model", tmp_path / "other" / "b.model", tmp_path / "a.model"]
    models = [train_subword(iter(lines), config, output=output, name="x") for output in outputs]
    assert len({model.serialised for model in models}) == 1
    assert outputs[0].read_bytes() == outputs[1].read_bytes() == models[0].serialised
    other = train_subword(lines[1:], config, output=tmp_path / "c.model", name="x")
    assert other.fingerprint != models[0].fingerprint


def test_special_pieces_and_size(lines, tmp_path):
    model = train_subword(lines, SubwordConfig(size=120), output=tmp_path / "a.model", name="x")
    assert (model.pad_id, model.unk_id, model.bos_id, model.eos_id, model.size) == (0, 1, 2, 3, 120)
    assert [path.name for path in tmp_path.iterdir()] == ["a.model"]


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize(("size", "bound"), [(100_000, "at most"), (5, "at least")])
def test_a_size_that_does_not_fit_names_one_that_does(lines, tmp_path, algorithm, byte_fallback, size, bound):
    config = SubwordConfig(algorithm=algorithm, size=size, byte_fallback=byte_fallback)
    output = tmp_path / "a.model"
    with pytest.raises(DataError, match=rf"^data.subword.size must be {bound} (\d+), but is {size}: ") as error:
        train_subword(lines, config, output=output, name="source text")
    assert not output.exists()
    assert "the source text" in str(error.value)
    # A text of few characters would be said to have hundreds of them.
    assert ("256 bytes" in str(error.value)) == (byte_fallback and bound == "at least")
    named = int(re.search(rf"{bound} (\d+)", str(error.value))[1])
    config = replace(config, size=named)
    assert train_subword(lines, config, output=output, name="source text").size == named


def test_each_side_has_a_size_and_a_coverage_of_its_own(lines, tmp_path):
    rare = [*lines, "猫"]
    config = SubwordConfig(
        joint=False,
        size=SideSizes(source=120, target=90),
        character_coverage=SideCoverages(source=0.99, target=1.0),
    )
    models = {
        side: train_subword(rare, config, output=tmp_path / f"{side}.model", name=side, side=side)
        for side in ("source", "target")
    }
    assert {side: model.size for side, model in models.items()} == {"source": 120, "target": 90}
    assert {side: model.unk_id in model.encode("猫") for side, model in models.items()} == {
        "source": True,
        "target": False,
    }


@pytest.mark.parametrize("size", [90_000, 5])
def test_a_size_that_does_not_fit_a_side_is_named_with_the_side(lines, tmp_path, size):
    config = SubwordConfig(joint=False, size=SideSizes(source=120, target=size))
    with pytest.raises(
        DataError, match=rf"^data\.subword\.size\.target must be at \w+ \d+, but is {size}: .*the target"
    ):
        train_subword(lines, config, output=tmp_path / "a.model", name="target text", side="target")


def test_one_size_that_does_not_fit_both_sides_says_that_there_may_be_two(lines, tmp_path):
    config = SubwordConfig(joint=False, size=90_000)
    with pytest.raises(DataError, match=r"may be \{source: \.\.\., target: \.\.\.\}$"):
        train_subword(lines, config, output=tmp_path / "a.model", name="target text", side="target")


@pytest.mark.parametrize("text", [[], [""], ["", "   "]])
def test_no_text(tmp_path, text):
    with pytest.raises(DataError, match="the target text is empty"):
        train_subword(text, SubwordConfig(), output=tmp_path / "a.model", name="target text")


def test_long_lines_and_control_characters_are_learnt(tmp_path):
    lines = ["ab" * 10_000, "c\x00d\u2028e\rf", *["ab c d e f"] * 5]
    model = train_subword(lines, SubwordConfig(algorithm="bpe", size=24), output=tmp_path / "a.model", name="x")
    assert model.unk_id not in model.encode("abcdef\u2028\r")  # SentencePiece never learns NUL


@pytest.mark.costly
@pytest.mark.parametrize(
    "line",
    [
        "a b " * 2_000,
        "ab" * 5_000,  # without a space
        " " * 9_000 + "ab",
        "c " + "ab" * 5_000 + " c",
        "a" * 4_000 + " b",
        "x" * 3_999 + " " + "y" * 4_000 + " z",
    ],
)
def test_long_lines_are_learnt_in_stretches(tmp_path, monkeypatch, line):
    # SentencePiece's unigram training takes the square of a line's length: minutes for one of 400 kB.
    given = []
    train = sentencepiece.SentencePieceTrainer.train

    def noting(*, sentence_iterator, **options):
        given.extend(sentence_iterator)
        train(sentence_iterator=iter(given), **options)

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", noting)
    short = ["abcxyz ab", "", "a" * 4_000]
    train_subword([*short, line], SubwordConfig(size=12), output=tmp_path / "a.model", name="x")
    assert given[:3] == short, "as they are"
    stretches = given[3:]
    assert max(map(len, stretches)) <= 4_000 and len(stretches) <= 2 + len(line) // 2_000
    assert "".join(stretches).replace(" ", "") == line.replace(" ", "")
    words = [word for stretch in stretches for word in stretch.split()]
    whole = [word for word in line.split() if len(word) <= 4_000]
    assert [word for word in words if word in whole] == whole, "cut at spaces only"


def test_a_line_with_a_character_of_sentencepiece_s_own_is_learnt_from(lines, tmp_path):
    model = train_subword([*lines, "猫 \u2585 鳥"], SubwordConfig(size=120), output=tmp_path / "a.model", name="x")
    assert model.unk_id not in model.encode("猫 \u2585 鳥")


def test_nothing_is_printed(lines, tmp_path, capfd):
    train_subword(lines, SubwordConfig(size=120), output=tmp_path / "a.model", name="x")
    with pytest.raises(DataError):
        train_subword(lines, SubwordConfig(size=90_000), output=tmp_path / "b.model", name="x")
    assert capfd.readouterr() == ("", "")


def test_the_written_model_loads(models):
    for model in models.values():
        assert SubwordModel.load(model.path).fingerprint == model.fingerprint
