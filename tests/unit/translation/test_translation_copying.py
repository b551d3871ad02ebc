from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from tiny_run import PLACEHOLDER, make_run, sentences

from nmt.core.errors import ConfigError
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordConfig, SubwordModel
from nmt.text.training import train_subword
from nmt.text.vocabularies import Vocabularies
from nmt.translation.copying import Copier, CopyConfig, Placeholder, assign
from nmt.translation.lines import Pieces, SourceLine, cut, led
from nmt.translation.model_files.bundle import Bundle, Normalisations
from nmt.translation.translator import Translator

NUMBER = Placeholder.parse(f"{PLACEHOLDER}=[0-9]+")


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


def copier(bundle: Bundle, *placeholders: Placeholder, unknown: bool = False) -> Copier:
    return Copier(CopyConfig(unknown, placeholders), bundle.vocabularies, bundle.normalisations)


def source_line(bundle: Bundle, text: str, *placeholders: Placeholder) -> SourceLine:
    masked, found = copier(bundle, *placeholders).mask(text)
    return SourceLine(1, text, cut(masked, bundle.vocabularies.source, bundle.normalisations.source), found)


def target_pieces(bundle: Bundle, text: str) -> Pieces:
    return cut(text, bundle.vocabularies.target, bundle.normalisations.target)


@pytest.mark.parametrize(
    ("text", "masked", "found"),
    [
        ("ab 12 cd", "ab <num> cd", ["12"]),
        ("12-345a", "<num>-<num>a", ["12", "345"]),
        ("<num> 7", "<num> <num>", ["<num>", "7"]),
        ("no digits", "no digits", []),
        ("  1\t\u30002 ", "  <num>\t\u3000<num> ", ["1", "2"]),
    ],
)
def test_mask(bundle: Bundle, text: str, masked: str, found: list[str]) -> None:
    assert copier(bundle, NUMBER).mask(text) == (masked, tuple((PLACEHOLDER, original) for original in found))
    assert copier(bundle).mask(text) == (text, ())


def test_a_pattern_that_matches_nothing_but_emptiness_masks_nothing(bundle: Bundle) -> None:
    assert copier(bundle, Placeholder.parse(f"{PLACEHOLDER}=x*")).mask("ab xx") == (
        "ab <num>",
        ((PLACEHOLDER, "xx"),),
    )


def test_symbols_take_the_originals_they_attend_to(bundle: Bundle) -> None:
    source = source_line(bundle, "11 ab 22", NUMBER)
    target = target_pieces(bundle, "<num> cd <num>")
    columns = [place for place, word in enumerate(source.pieces.pieces) if word == PLACEHOLDER]
    rows = [place for place, word in enumerate(target.pieces) if word == PLACEHOLDER]
    weights = numpy.zeros((len(target.ids) + 1, len(source.pieces.ids) + 1), dtype=numpy.float32)
    weights[rows[0], columns[1]] = 0.3  # crosses: the first symbol looks at 22
    weights[rows[1], columns[0]] = 0.2
    weights[rows[0], columns[0]] = 0.25  # heavier than the second row's, but its row is taken by 0.3
    assert copier(bundle, NUMBER).restore("<num> cd <num>", target, weights, source) == "22 cd 11"


def test_more_symbols_than_the_source_repeat_and_none_stay(bundle: Bundle) -> None:
    target = target_pieces(bundle, "<num> <num>")
    source = source_line(bundle, "ab 7", NUMBER)
    weights = numpy.full((len(target.ids) + 1, len(source.pieces.ids) + 1), 0.1, dtype=numpy.float32)
    assert copier(bundle, NUMBER).restore("<num> <num>", target, weights, source) == "7 7"
    bare = source_line(bundle, "ab cd", NUMBER)
    weights = numpy.full((len(target.ids) + 1, len(bare.pieces.ids) + 1), 0.1, dtype=numpy.float32)
    assert copier(bundle, NUMBER).restore("<num> <num>", target, weights, bare) == "<num> <num>"


@pytest.mark.parametrize("symbol", ["<NUM>", "ﬁX"])
def test_a_symbol_that_normalisation_would_change(tmp_path: Path, symbol: str) -> None:
    lines = [*sentences(90), f"{symbol} a"]
    subword = SubwordConfig(size=60, user_symbols=(symbol,))
    model = train_subword(lines, subword, output=tmp_path / "m.model", name="text")
    both = NormalisationConfig(lowercase=True, unicode="nfkc")
    placeholder = Placeholder.parse(f"{symbol}=[0-9]+")
    copier = Copier(CopyConfig(False, (placeholder,)), Vocabularies(model, model), Normalisations(both, both))
    masked, _ = copier.mask("AB 12 cd")
    assert model.id_of(symbol) in cut(masked, model, both).ids
    # A vocabulary from before symbols were kept.
    old = SubwordModel(model.serialised, model.path)
    old.escapes = False
    with pytest.raises(ConfigError, match=rf"placeholder {symbol}: is a piece .* turned it into "):
        Copier(CopyConfig(False, (placeholder,)), Vocabularies(old, old), Normalisations(both, both))


def test_letters_that_spell_a_symbol_leave_the_text_alone(bundle: Bundle) -> None:
    source = source_line(bundle, "7", NUMBER)
    target = target_pieces(bundle, "<num>")
    weights = numpy.ones((len(target.ids) + 1, len(source.pieces.ids) + 1), dtype=numpy.float32)
    assert copier(bundle, NUMBER).restore("<num> <num>", target, weights, source) == "<num> <num>"


def test_words_with_unknown_pieces_become_source_words(bundle: Bundle) -> None:
    source = source_line(bundle, "ab Weiß, cd")
    unknown = bundle.vocabularies.target.unk_id
    plain = target_pieces(bundle, "fe gh")
    # The second word: a letter, an unknown piece, a letter.
    target = Pieces(
        (*plain.ids, unknown, plain.ids[-1]),
        (*plain.pieces, "<unk>", plain.pieces[-1]),
        (*plain.words, 1, 1),
    )
    weights = numpy.zeros((len(target.ids) + 1, len(source.pieces.ids) + 1), dtype=numpy.float32)
    row = len(plain.ids)
    for column, word in enumerate(source.pieces.words):
        weights[row, column] = {0: 0.3, 1: 0.02, 2: 0.1}[word]
    weights[row, -1] = 9.0  # the null word is nobody's copy
    restore = copier(bundle, unknown=True).restore
    assert restore("fe gh⁇b", target, weights, source) == "fe ab"
    tagged = led(source, "<2fr>", Pieces((1, 2), ("▁", "<2fr>"), (0, 0)))
    after_tag = numpy.pad(weights, ((0, 0), (2, 0)), constant_values=0.9)
    assert restore("fe gh⁇b", target, after_tag, tagged) == "fe ab", "nor is the tag"
    # Several pieces of one word together outweigh a heavier single one.
    second = [column for column, word in enumerate(source.pieces.words) if word == 1]
    assert len(second) > 1
    weights[row, :-1] = 0.0
    weights[row, second] = 0.3
    weights[row, second[0] - 1] = 0.4
    assert restore("fe  gh⁇b", target, weights, source) == "fe  Weiß,"
    assert copier(bundle).restore("fe gh⁇b", target, weights, source) == "fe gh⁇b"


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> Vocabularies:
    """Vocabularies in which a symbol of the source has another number than that of the target."""
    folder = tmp_path_factory.mktemp("vocabularies")
    lines = sentences(200)

    def train(name: str, *symbols: str) -> SubwordModel:
        config = SubwordConfig(size=60, user_symbols=symbols)
        return train_subword(lines, config, output=folder / f"{name}.model", name=name)

    return Vocabularies(train("source", "<num>", "<url>"), train("target", "<other>", "<url>", "<num>"))


URL = Placeholder.parse("<url>=www[.]\\S+|[0-9]+[.]de")


def test_several_symbols_each_take_their_own_originals(unlike: Vocabularies) -> None:
    rules = Normalisations(NormalisationConfig(), NormalisationConfig())
    copying = Copier(CopyConfig(placeholders=(NUMBER, URL)), unlike, rules)
    text = "7 www.ab.de 8"
    masked, found = copying.mask(text)
    assert masked == "<num> <url> <num>" and found == (("<num>", "7"), ("<url>", "www.ab.de"), ("<num>", "8"))
    source = SourceLine(1, text, cut(masked, unlike.source, rules.source), found)
    target = cut("<url> ab <num>", unlike.target, rules.target)
    columns = [place for place, piece in enumerate(source.pieces.pieces) if piece.startswith("<")]
    rows = [place for place, piece in enumerate(target.pieces) if piece.startswith("<")]
    for heavy, number in ((0, "7"), (2, "8")):
        weights = numpy.zeros((len(target.ids) + 1, len(source.pieces.ids) + 1), dtype=numpy.float32)
        weights[rows[1], columns] = 0.1, 0.6, 0.1  # looks at the address most, which is no number
        weights[rows[1], columns[heavy]] = 0.2
        assert copying.restore("<url> ab <num>", target, weights, source) == f"www.ab.de ab {number}"
    assert copying.count_symbols(source.pieces.ids) == 3
    assert copying.count_symbols([unlike.source.id_of("<url>"), unlike.source.id_of("<num>")]) == 2
    assert copying.count_symbols([unlike.target.id_of("<num>")]) == 0, "that number is another piece of the source"


def test_of_matches_that_begin_together_the_symbol_and_then_the_first_given_counts(unlike: Vocabularies) -> None:
    rules = Normalisations(NormalisationConfig(), NormalisationConfig())

    def mask(text: str, *placeholders: Placeholder) -> tuple[tuple[str, str], ...]:
        return Copier(CopyConfig(placeholders=placeholders), unlike, rules).mask(text)[1]

    assert mask("12.de", NUMBER, URL) == (("<num>", "12"),)
    assert mask("12.de", URL, NUMBER) == (("<url>", "12.de"),)
    whatever = Placeholder.parse("<url>=\\S+")
    assert mask("<num>7", whatever) == (("<url>", "<num>7"),), "no symbol of this translation"
    assert mask("<num>7", whatever, NUMBER) == (("<num>", "<num>"), ("<url>", "7"))


def test_assign_gives_each_column_once_heaviest_first() -> None:
    weights = numpy.array([[0.5, 0.4], [0.6, 0.1], [0.2, 0.3]], dtype=numpy.float32)
    # 0.6 takes column 0 for row 1; 0.4 takes column 1 for row 0; row 2 repeats its heaviest.
    assert assign(weights) == [1, 0, 1]
    assert assign(numpy.zeros((2, 2), dtype=numpy.float32)) == [0, 1]


@pytest.mark.parametrize("text", ["<num>", "<num>=", "=x", ""])
def test_a_placeholder_needs_symbol_and_pattern(text: str) -> None:
    with pytest.raises(ConfigError, match="SYMBOL=REGEX"):
        Placeholder.parse(text)


def test_wrong_placeholders_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a regular expression"):
        Placeholder.parse("<num>=[")
    with pytest.raises(ConfigError, match=r"<url>: must be one piece of the vocabulary .*user_symbols"):
        copier(bundle, Placeholder.parse("<url>=http.*"))


def test_translations_carry_the_numbers_of_their_lines(tiny_run: Path) -> None:
    lines = ["ab 12 cd 345", "1 2 3", "ab cd"]
    plain = Translator.load(tiny_run).translate([line.replace("12", "<num>").replace("345", "<num>") for line in lines])
    copied = Translator.load(tiny_run, copying=CopyConfig(placeholders=(NUMBER,)), attention=False).translate(lines)
    assert PLACEHOLDER in plain[0].text
    assert copied[0].text != plain[0].text
    assert PLACEHOLDER not in copied[0].text
    assert [word for word in copied[0].text.split() if any(c.isdigit() for c in word)]
    assert copied[2].text == plain[2].text
    assert copied[0].source.text == lines[0]
    weights = copied[0].best.weights
    assert weights is not None
    assert weights.shape[0] == len(copied[0].text.split())


def test_unknown_pieces_are_written_only_when_they_are_replaced(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    bundle = Bundle.load(run)
    bundle.model.output.bias.data[bundle.vocabularies.target.unk_id] += 40.0
    line = "ab ☃☃ cd"
    without = Translator([bundle]).translate([line])[0]
    assert "⁇" not in without.text
    copied = Translator([bundle], copying=CopyConfig(replace_unknown=True)).translate([line])[0]
    assert bundle.vocabularies.target.unk_id in copied.best.pieces.ids
    assert "⁇" not in copied.text
    assert set(copied.text.split()) & {"ab", "☃☃", "cd"}
