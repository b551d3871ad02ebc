"""The strict loader: what it reads, what it refuses, and that it says everything at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Optional

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from nmt.core import config
from nmt.core.config.ranges import NonNegative, NonNegativeInt, Positive, PositiveInt, Rate, Share, problems_of
from nmt.core.errors import ConfigError, Problem
from nmt.core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    registry: ClassVar[Registry[Any]] = Registry("attention score", default="additive")


@ScoreConfig.registry.register("additive")
@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveConfig(ScoreConfig):
    size: int = 256


@ScoreConfig.registry.register("dot")
@dataclass(frozen=True, slots=True, kw_only=True)
class DotConfig(ScoreConfig):
    scaled: bool = False


class Corpus:
    """A family whose base is no dataclass and that has no default."""

    registry: ClassVar[Registry[Any]] = Registry("corpus")


@Corpus.registry.register("text")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextCorpus(Corpus):
    source: str | tuple[str, ...]
    target: str | tuple[str, ...] = ()


@Corpus.registry.register("none")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoCorpus(Corpus):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    size: int
    layers: int = 1
    dropout: float = 0.0

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.size < 1:
            yield "size", f"must be at least 1, but is {self.size}"
        if self.layers == 1 and self.dropout > 0:
            yield "", "must have two layers for a dropout between layers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    encoder: EncoderConfig
    score: ScoreConfig = field(default_factory=AdditiveConfig)
    extra: ScoreConfig | None = None
    bridge: Optional[EncoderConfig] = None  # noqa: UP045 - both spellings must work
    train: tuple[Corpus, ...] = ()
    validation: Corpus | None = None
    language: str = ""
    model_path: str | None = None
    column: str | int = 0
    unit: Literal["tokens", "sentences"] = "tokens"
    level: Literal["none", "nfc"] | None = "nfc"
    limit: int | None = None
    rates: tuple[float, ...] = ()
    betas: tuple[float, float] = (0.9, 0.999)
    shuffle: bool = True


ENCODER = "encoder: {size: 4}\n"


def load(text: str, *overrides: str) -> Settings:
    return config.load(Settings, text, name="recipe.yaml", overrides=overrides)


def problems(text: str, *overrides: str) -> list[tuple[str, int | None]]:
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    return [(problem.path, problem.line) for problem in caught.value.problems]


def message(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    assert len(caught.value.problems) == 1, caught.value
    assert str(caught.value).startswith("recipe.yaml: ")
    return str(caught.value).removeprefix("recipe.yaml: ")


class TestScalars:
    @pytest.mark.parametrize("text", ["1e-3", "1.0e-3", ".001", "0.001", "1E-3", "+0.001", "10e-4"])
    def test_floats_with_exponents(self, text: str) -> None:
        value = load(f"encoder: {{size: 4, layers: 2, dropout: {text}}}").encoder.dropout
        assert value == 0.001
        assert type(value) is float

    def test_integer_becomes_float(self) -> None:
        value = load("encoder: {size: 4, layers: 2, dropout: 1}").encoder.dropout
        assert value == 1.0
        assert type(value) is float

    @pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "No", "1_000", "12:30", "2016-01-01", "0x1F"])
    def test_yaml_1_1_traps_are_text(self, word: str) -> None:
        assert load(f"{ENCODER}language: {word}").language == word

    def test_leading_zero_is_decimal(self) -> None:
        assert load(f"{ENCODER}limit: 010").limit == 10

    @pytest.mark.parametrize("text", ["yes", "1", "'true'", "null", "[true]"])
    def test_bool_is_true_or_false_only(self, text: str) -> None:
        assert "shuffle must be true or false, but is" in message(f"{ENCODER}shuffle: {text}")

    @pytest.mark.parametrize("text", ["true", "1.0", "1e3", "'3'", "three", "{}", "null"])
    def test_int_is_an_integer_only(self, text: str) -> None:
        assert "encoder.size must be an integer, but is" in message(f"encoder: {{size: {text}}}")

    @pytest.mark.parametrize("text", ["true", "'1.5'", "x", "[]", "nan", "inf"])
    def test_float_is_a_number_only(self, text: str) -> None:
        assert "encoder.dropout must be a number, but is" in message(f"encoder: {{size: 4, dropout: {text}}}")

    @pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1e999", "1" + "0" * 400])
    def test_numbers_are_finite(self, text: str) -> None:
        assert "must be a finite number" in message(f"encoder: {{size: 4, dropout: {text}}}")

    def test_number_too_long_for_python(self) -> None:
        text = message(f"encoder: {{size: {'9' * 5000}}}")
        assert "must be an integer, but is a number of 5000 digits" in text
        assert len(text) < 200

    @pytest.mark.parametrize(("text", "shown"), [("5", "5"), ("true", "true"), ("1e-3", "1e-3")])
    def test_text_is_not_guessed_from_numbers(self, text: str, shown: str) -> None:
        expected = f"line 2: language must be text, but is {shown}; put it in quotes"
        assert message(f"{ENCODER}language: {text}") == expected

    def test_literal(self) -> None:
        assert load(f"{ENCODER}unit: sentences").unit == "sentences"
        expected = "line 2: unit must be one of tokens, sentences, but is 'sentence'; did you mean 'sentences'?"
        assert message(f"{ENCODER}unit: sentence") == expected

        @dataclass(frozen=True, kw_only=True)
        class Count:
            number: Literal[1, 2]

        assert config.load(Count, "number: 1", name="x").number == 1
        for text in ("true", "1.0", "'1'", "[1]", "null"):
            with pytest.raises(ConfigError, match="number must be one of 1, 2, but is"):
                config.load(Count, f"number: {text}", name="x")

    def test_long_values_are_cut_in_messages(self) -> None:
        assert len(message(f"{ENCODER}unit: {'x' * 5000}")) < 200


class TestNone:
    @pytest.mark.parametrize("text", ["none", "null", "~", ""])
    def test_absent_parts(self, text: str) -> None:
        loaded = load(f"{ENCODER}extra: {text}\nbridge: {text}\nlimit: {text}")
        assert loaded.extra is None
        assert loaded.bridge is None
        assert loaded.limit is None

    def test_none_is_text_where_text_is_meant(self) -> None:
        assert load(f"{ENCODER}model_path: none").model_path == "none"
        assert load(f"{ENCODER}model_path: null").model_path is None

    def test_none_belongs_to_a_choice_or_a_variant_of_that_name(self) -> None:
        assert load(f"{ENCODER}level: none").level == "none"
        assert load(f"{ENCODER}level: null").level is None
        assert load(f"{ENCODER}validation: none").validation == NoCorpus()
        assert load(f"{ENCODER}validation: null").validation is None

    def test_none_for_a_part_that_must_be(self) -> None:
        assert "score must be the name of a known attention score" in message(f"{ENCODER}score: none")

    def test_empty_section_is_its_defaults(self) -> None:
        assert load(f"{ENCODER}score:\n").score == AdditiveConfig()
        assert problems("encoder:\n") == [("encoder.size", 1)]


class TestFamilies:
    @pytest.mark.parametrize("text", ["dot", "{type: dot}", "\n  type: dot\n  scaled: false"])
    def test_name_or_mapping(self, text: str) -> None:
        assert load(f"{ENCODER}score: {text}").score == DotConfig()

    def test_default_type(self) -> None:
        assert load(f"{ENCODER}score: {{size: 3}}").score == AdditiveConfig(size=3)

    def test_type_is_needed_without_a_default(self) -> None:
        text = message(f"{ENCODER}validation: {{source: a}}")
        assert text == "line 2: validation must name its `type`, the corpus: one of text, none"

    def test_unknown_name_with_nearest(self) -> None:
        text = message(f"{ENCODER}score: additiv")
        assert text.endswith(
            "(one of additive, dot), but is 'additiv'; did you mean 'additive'? If it is a part of your own, give "
            "--import FILE"
        )
        assert problems(f"{ENCODER}score:\n  scaled: 1\n  type: dott") == [("score.type", 4)]

    @pytest.mark.parametrize("value", ["3", "[dot]", "true", "{type: 3}", "{type: [dot]}", "{type: {a: b}}"])
    def test_name_of_a_wrong_kind(self, value: str) -> None:
        assert "must be the name of a known attention score" in message(f"{ENCODER}score: {value}")

    def test_field_of_another_variant_is_unknown(self) -> None:
        text = message(f"{ENCODER}score: {{type: dot, size: 3}}")
        assert text == "line 2: score.size is not defined for `type: dot`; it belongs to additive"
        assert "did you mean `score.scaled`" in message(f"{ENCODER}score: {{type: dot, scale: true}}")

    def test_variant_or_family_as_the_whole_document(self) -> None:
        assert config.load(DotConfig, "scaled: true", name="x") == DotConfig(scaled=True)
        assert config.from_mapping(ScoreConfig, {"type": "dot"}, name="x") == DotConfig()
        with pytest.raises(ConfigError, match="type must be 'dot' here, but is 'additive'"):
            config.load(DotConfig, "type: additive", name="x")


class TestLists:
    def test_tuple_of_families(self) -> None:
        loaded = load(f"{ENCODER}train:\n- {{type: text, source: a}}\n- type: text\n  source: [b, c]\n")
        assert loaded.train == (TextCorpus(source="a"), TextCorpus(source=("b", "c")))

    def test_a_scalar_is_not_silently_a_list(self) -> None:
        assert message(f"{ENCODER}rates: 0.1") == "line 2: rates must be a list, but is 0.1; write [0.1]"

    def test_entries_are_named_by_index(self) -> None:
        assert problems(f"{ENCODER}rates:\n- 0.1\n- x\n- y") == [("rates.1", 4), ("rates.2", 5)]
        text = f"{ENCODER}train: [{{type: text, source: [a, 3]}}]"
        assert message(text) == "line 2: train.0.source.1 must be text, but is 3; put it in quotes"

    def test_fixed_length(self) -> None:
        assert load(f"{ENCODER}betas: [0.5, 1e-1]").betas == (0.5, 0.1)
        assert message(f"{ENCODER}betas: [0.5]") == "line 2: betas must have 2 entries, but has 1"

    def test_union_of_scalars(self) -> None:
        assert load(f"{ENCODER}column: 3").column == 3
        assert load(f"{ENCODER}column: de").column == "de"
        assert message(f"{ENCODER}column: true") == "line 2: column must be text or an integer, but is true"
        assert message(f"{ENCODER}column: [a]") == "line 2: column must be text or an integer, but is a list"


class TestProblems:
    def test_everything_at_once_in_the_order_of_the_file(self) -> None:
        text = (
            "language: 5\n"  # 1 not text
            "encoder:\n"
            "  size: 0\n"  # 3 by problems(), though siblings elsewhere are wrong
            "bridge:\n"
            "  layers: two\n"  # 5 no integer; and size is missing, reported at the key of the section
            "unitt: tokens\n"  # 6 unknown
            "rates: [1, x]\n"  # 7 an entry
            "language: de\n"  # 8 twice
            "score: {type: dot, scale: 1}\n"  # 9 unknown field of a variant
        )
        assert problems(text) == [
            ("language", 1),
            ("encoder.size", 3),
            ("bridge.size", 4),
            ("bridge.layers", 5),
            ("unitt", 6),
            ("rates.1", 7),
            ("language", 8),
            ("score.scale", 9),
        ]

    def test_nearest_key_with_its_path(self) -> None:
        assert message("encoder:\n  size: 3\n  layer: 2") == (
            "line 3: encoder.layer is not a known key; did you mean `encoder.layers`?"
        )
        assert message("encoder:\n  size: 3\n  zzz: 2").endswith("; the keys here are size, layers, dropout")

    def test_a_key_in_the_wrong_section_is_told_its_place(self) -> None:
        beginning = "encoder:\n  size: 3\n"
        assert message(f"{beginning}  language: de") == (
            "line 3: encoder.language is not a known key; did you mean `language`?"
        )
        assert message(f"{beginning}dropout: 0.1") == (
            "line 3: dropout is not a known key; did you mean `encoder.dropout`?"
        )

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Pair:
            one: EncoderConfig
            other: EncoderConfig
            length: int = 1

        with pytest.raises(ConfigError, match=r"; the keys here are one, other, length$"):  # in two places: in none
            config.load(Pair, "one: {size: 1}\nother: {size: 1}\ndropout: 0.1", name="x")

    def test_missing_required(self) -> None:
        assert message("{}") == "line 1: encoder must be given, but is missing"

    def test_own_problems_of_a_whole_section_and_of_a_list_entry(self) -> None:
        assert problems("encoder:\n  size: 4\n  dropout: 0.5") == [("encoder", 1)]

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Stack:
            encoders: tuple[EncoderConfig, ...]

            def problems(self) -> Iterator[tuple[str, str]]:
                yield "encoders.1.layers", "must differ"

        # The hints of a class made in a function are found through its own module's names.
        with pytest.raises(ConfigError) as caught:
            config.load(Stack, "encoders:\n- {size: 1}\n- size: 2\n  layers: 3", name="x")
        assert [(problem.path, problem.line) for problem in caught.value.problems] == [("encoders.1.layers", 4)]

    def test_nothing_is_built_from_wrong_parts(self) -> None:
        built = []

        @dataclass(frozen=True, kw_only=True)
        class Outer:
            encoder: EncoderConfig
            count: int = 0

            def __post_init__(self) -> None:
                built.append(self)

        for text in ("encoder: {size: 0}", "encoder: {size: 1}\ncount: x", "encoder: {size: 1}\ncuont: 1"):
            with pytest.raises(ConfigError):
                config.load(Outer, text, name="x")
        assert built == []
        config.load(Outer, "encoder: {size: 1}", name="x")
        assert len(built) == 1

    def test_unsupported_annotation_is_our_mistake(self) -> None:
        @dataclass(frozen=True, kw_only=True)
        class Odd:
            table: dict[str, int]

        with pytest.raises(TypeError, match="table"):
            config.load(Odd, "table: {}", name="x")


class TestDocuments:
    @pytest.mark.parametrize(
        ("text", "line", "part"),
        [
            ("a: 1\nb: [\n", 2, "not readable as YAML"),
            ("a: 1\n\tb: 2", 2, "tab|'\\\\t'"),
            ("a: 'x", 1, "quoted scalar"),
            ("a: &x 1\nb: *x", 2, "aliases such as `\\*x`"),
            ("a: 1\nb: !!python/object/apply:os.system [x]", 2, "tags such as"),
            ("a: 1\nb: ! x", 2, "tags such as"),
            ("a: 1\n---\nb: 2", 2, "single document"),
            ("a: 1\nb: \x00", 2, "not allowed"),
            ('a: "\\U99999999"', None, "escape"),
            ("[" * 3000, None, "too deeply"),
            ("", 1, "mapping of keys to values, but is empty"),
            ("# nothing", 1, "mapping of keys to values, but is empty"),
            ("- a\n- b", 1, "the document must be a mapping of keys to values, but is a list"),
            ("\nwords", 2, "the document must be a mapping of keys to values, but is 'words'"),
        ],
    )
    def test_unreadable(self, text: str, line: int | None, part: str) -> None:
        with pytest.raises(ConfigError, match=part) as caught:
            load(text)
        assert [problem.line for problem in caught.value.problems] == [line]

    def test_keys_that_are_no_names(self) -> None:
        assert problems("? [a]\n: 1\nencoder: {size: 1}\n5: x\ntrue: y") == [("", 1), ("5", 4), ("true", 5)]

    def test_duplicates_deep_down(self) -> None:
        text = "encoder:\n  size: 1\n  layers: 1\n  size: 2"
        assert message(text) == "line 4: encoder.size is given twice; the first is on line 2"

    def test_files(self, tmp_path: Path) -> None:
        path = tmp_path / "recipe.yaml"
        path.write_bytes(b"\xef\xbb\xbfencoder: {size: 3}\r\nlanguage: \xc3\xa9\r\n")
        loaded = config.load_file(Settings, path, overrides=["limit=2"])
        assert (loaded.encoder.size, loaded.language, loaded.limit) == (3, "é", 2)
        path.write_bytes(b"encoder: {size: 3}\nlanguage: \xe9\n")
        with pytest.raises(ConfigError, match=r"recipe\.yaml: line 2: .*UTF-8, but has the byte 0xe9"):
            config.load_file(Settings, str(path))
        with pytest.raises(ConfigError, match="cannot be read"):
            config.load_file(Settings, tmp_path)
        with pytest.raises(ConfigError, match=r"recipes\.yaml.*did you mean .*recipe\.yaml"):
            config.load_file(Settings, tmp_path / "recipes.yaml")

    def test_mapping_of_plain_values(self) -> None:
        loaded = config.from_mapping(Settings, {"encoder": {"size": 3}, "rates": (1, 0.5)}, name="x")
        assert loaded.rates == (1.0, 0.5)
        with pytest.raises(ConfigError) as caught:
            config.from_mapping(Settings, {"encoder": {"size": object()}, "rates": [math.nan], 3: 4}, name="x")
        assert {(problem.path, problem.line) for problem in caught.value.problems} >= {
            ("encoder.size", None),
            ("rates.0", None),
            ("3", None),
        }


class TestOverrides:
    def test_values_are_yaml(self) -> None:
        loaded = load(ENCODER, "encoder.size=7", "language=no", "rates=[1e-3, 2]", "shuffle=false", "model_path=a b=c")
        assert loaded.encoder.size == 7
        assert loaded.language == "no"
        assert loaded.rates == (0.001, 2.0)
        assert loaded.shuffle is False
        assert loaded.model_path == "a b=c"

    def test_paths_are_made(self) -> None:
        assert load("{}", "encoder.size=2", "bridge.size=3").bridge == EncoderConfig(size=3)
        assert load(f"{ENCODER}bridge: null", "bridge.size=3").bridge == EncoderConfig(size=3)

    def test_list_index(self) -> None:
        text = f"{ENCODER}train: [{{type: text, source: a}}]"
        assert load(text, "train.0.source=x").train == (TextCorpus(source="x"),)
        assert load(text, "train.1.type=text", "train.1.source=y").train[1] == TextCorpus(source="y")
        assert load(ENCODER, "train.0.type=text", "train.0.source=z").train == (TextCorpus(source="z"),)
        assert "index up to 1 after `train`" in message(text, "train.2.source=x")
        assert "such as `train.0`" in message(text, "train.source=x")
        assert "index" in message(text, f"train.{'9' * 5000}=x")

    def test_bare_family_name_turns_into_a_mapping(self) -> None:
        assert load(f"{ENCODER}score: dot", "score.scaled=true").score == DotConfig(scaled=True)
        assert load(f"{ENCODER}score: dot", "score=additive", "score.size=10").score == AdditiveConfig(size=10)
        assert load(f"{ENCODER}score: {{type: dot, scaled: true}}", "score=dot").score == DotConfig()

    def test_later_wins(self) -> None:
        assert load(ENCODER, "limit=1", "limit=2").limit == 2

    def test_below_the_word_none(self) -> None:
        text = message(f"{ENCODER}bridge: none", "bridge.size=3")
        assert "bridge is none and has no fields" in text

    @pytest.mark.parametrize("override", ["", "encoder.size", "=3", ".size=3", "encoder..size=3", "encoder.=3"])
    def test_malformed(self, override: str) -> None:
        assert f"the override `{override}` must have the form" in message(ENCODER, override)

    @pytest.mark.parametrize(
        "override", ["encoder.size=x", "encoder.siez=3", "encoder.size=", "encoder.size=[", "encoder.size=*.de"]
    )
    def test_errors_point_to_the_override(self, override: str) -> None:
        with pytest.raises(ConfigError) as caught:
            load(ENCODER, override)
        (problem,) = caught.value.problems
        assert problem.line is None
        assert problem.path == override.partition("=")[0]
        assert f"(from the override `{override}`)" in problem.message

    def test_own_problems_point_to_the_override(self) -> None:
        assert "(from the override `encoder.size=-1`)" in message(ENCODER, "encoder.size=-1")

    def test_no_fields_below_a_number(self) -> None:
        # The number becomes no mapping, and the document's own value stays as it was.
        assert "`limit` is '3', which has no fields" in message(f"{ENCODER}limit: 3", "limit.x=1")

    def test_reported_together_with_the_document(self) -> None:
        assert problems("encoder: {size: x}\nlimit: y", "limit=z", "foo") == [
            ("encoder.size", 1),
            ("", None),
            ("limit", None),
        ]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN_TRAPS = r"""no yes on null ~ none 1e-3 1_000 0x1F 1:30 2016-01-01 .inf = << # ' " % !x &x *x true é 🙂"""
AWKWARD = st.sampled_from(
    [*PLAIN_TRAPS.split(), "", " x ", "- a", "a: b", "a\nb\n", "\n", "\t", "\ufeff", "\x85", "\u2028", "\x07"]
)
WORDS = TEXT | AWKWARD
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ENCODERS = st.builds(EncoderConfig, size=st.integers(1, 10**30), layers=st.integers(2), dropout=NUMBERS)
SCORES = st.builds(AdditiveConfig, size=st.integers()) | st.builds(DotConfig, scaled=st.booleans())
SOURCES = WORDS | st.lists(WORDS, max_size=3).map(tuple)
CORPORA = st.builds(TextCorpus, source=SOURCES, target=SOURCES) | st.just(NoCorpus())
SETTINGS = st.builds(
    Settings,
    encoder=ENCODERS,
    score=SCORES,
    extra=st.none() | SCORES,
    bridge=st.none() | ENCODERS,
    train=st.lists(CORPORA, max_size=3).map(tuple),
    validation=st.none() | CORPORA,
    language=WORDS,
    model_path=st.none() | WORDS,
    column=WORDS | st.integers(),
    unit=st.sampled_from(["tokens", "sentences"]),
    level=st.sampled_from(["none", "nfc", None]),
    limit=st.none() | st.integers(),
    rates=st.lists(NUMBERS, max_size=4).map(tuple),
    shuffle=st.booleans(),
)


class TestWriting:
    @given(SETTINGS)
    @example(Settings(encoder=EncoderConfig(size=1, layers=2), language="\x85", model_path="a\u2028b"))
    @example(Settings(encoder=EncoderConfig(size=1, layers=2, dropout=1e-05), rates=(1e-7, 1e22, 0.1, -0.0, 5e-324)))
    def test_round_trip(self, settings: Settings) -> None:
        text = config.to_yaml(settings)
        assert load(text) == settings
        assert repr(load(text)) == repr(settings)  # -0.0 and the types of numbers too
        mapping = config.to_mapping(settings)
        assert config.from_mapping(Settings, mapping, name="x") == settings
        # What another writer of YAML makes of the same numbers loads as well.
        other = yaml.safe_dump({"encoder": mapping["encoder"], "rates": mapping["rates"]})
        assert (load(other).encoder, load(other).rates) == (settings.encoder, settings.rates)

    def test_form(self) -> None:
        settings = load("encoder: {size: 3}\nscore: dot\nlanguage: no\ntrain: [{type: text, source: [a]}]")
        mapping = config.to_mapping(settings)
        assert list(mapping) == list(Settings.__dataclass_fields__)
        assert mapping["score"] == {"type": "dot", "scaled": False}
        assert mapping["train"] == [{"type": "text", "source": ["a"], "target": []}]
        text = config.to_yaml(settings)
        assert text.startswith("encoder:\n  size: 3\n  layers: 1\n")
        assert "language: 'no'\n" in text  # for readers of YAML 1.1
        assert yaml.safe_load(text) == mapping

    @given(SETTINGS, st.booleans())
    @example(Settings(encoder=EncoderConfig(size=1), language="a # b", model_path="a\u2028b"), True)
    def test_comments_change_nothing(self, settings: Settings, every: bool) -> None:
        mapping = config.to_mapping(settings)
        comments = {
            "encoder.size": "why: this",
            "language": "#",
            "train": "{",
            **dict.fromkeys(mapping if every else ()),
        }
        text = config.commented_yaml(mapping, {path: f"{why} because" for path, why in comments.items()})
        assert load(text) == settings
        assert text.count("because\n") == len(comments)

    def test_a_comment_stands_behind_its_key(self) -> None:
        values = {"a": {"b": {"c": 1}, "d": [1, {"e": "no"}]}, "f": {"g": None}, "h": {}}
        text = config.commented_yaml(values, {"a.b.c": "first", "a.d": "second", "h": "third", "elsewhere": "none"})
        assert text.splitlines() == [
            "a:",
            "  b:",
            "    c: 1                                # first",
            "  d: [1, {e: 'no'}]                     # second",
            "f: {g: null}",
            "h: {}                                   # third",
        ]
        assert config.commented_yaml({"a" * 50: 1}, {"a" * 50: "far"}) == f"{'a' * 50}: 1 # far\n"

    def test_equal_parts_are_written_out(self) -> None:
        corpus = TextCorpus(source=("a", "b"))
        text = config.to_yaml(Settings(encoder=EncoderConfig(size=1), train=(corpus, corpus)))
        assert "*" not in text
        assert "&" not in text


def refused_or_built(text: str, overrides: list[str]) -> None:
    try:
        assert isinstance(load(text, *overrides), Settings)
    except ConfigError as error:
        assert error.problems
        assert all(isinstance(problem, Problem) and problem.message for problem in error.problems)
        assert all(problem.line is None or problem.line >= 1 for problem in error.problems)


WORDS_OF_YAML = (
    r"""encoder size score type dot train none : { } [ ] , ' " # | > &a *a !!str ! % ? --- ... 1 1e-3 << \ @"""
)
FRAGMENTS = st.sampled_from([*WORDS_OF_YAML.split(), ": ", "- ", "\n", "\n  ", " ", "\t", "\x00", '"\\ud800"'])


class TestAnyInput:
    @given(st.text())
    def test_any_text(self, text: str) -> None:
        refused_or_built(text, [])

    @given(st.lists(FRAGMENTS, max_size=25).map("".join))
    def test_any_mix_of_yaml(self, text: str) -> None:
        refused_or_built(text, [])

    @given(st.binary())
    def test_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        path = tmp_path_factory.getbasetemp() / "any.yaml"
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            config.load_file(Settings, path)

    @given(
        st.dictionaries(
            st.sampled_from(list(Settings.__dataclass_fields__)) | TEXT,
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["type", "size", "source", "layers"]) | TEXT, inner, max_size=3)
                ),
            ),
        )
    )
    def test_any_plain_values(self, mapping: dict[str, Any]) -> None:
        refused_or_built(yaml.safe_dump(mapping), [])
        try:
            config.from_mapping(Settings, mapping, name="x")
        except ConfigError as error:
            assert error.problems

    @given(
        st.lists(
            st.text()
            | st.tuples(
                st.lists(
                    st.sampled_from([*Settings.__dataclass_fields__, "size", "type", "0", "1", "source"]), max_size=4
                ).map(".".join),
                WORDS | FRAGMENTS,
            ).map("=".join),
            max_size=4,
        )
    )
    def test_any_overrides(self, overrides: list[str]) -> None:
        refused_or_built(f"{ENCODER}score: dot\nbridge: none\ntrain: [{{type: text, source: a}}]", overrides)


@pytest.mark.parametrize(
    ("hint", "wrong", "words"),
    [
        (PositiveInt, 0, "at least 1"),
        (PositiveInt, -(10**400), "at least 1"),
        (NonNegativeInt, -1, "at least 0"),
        (Positive, 0.0, "above 0"),
        (NonNegative, -0.5, "at least 0"),
        (Rate, 1.0, "at least 0 and below 1"),
        (Share, 1.5, "between 0 and 1"),
        (Share, math.nan, "between 0 and 1"),
        (Positive, math.inf, "above 0"),
    ],
)
@pytest.mark.parametrize("optional", [True, False])
def test_a_number_outside_the_range_of_its_field_is_a_problem(
    hint: Any, wrong: float, words: str, optional: bool
) -> None:
    declared = hint | None if optional else hint
    cls = dataclasses.make_dataclass("Ranged", [("value", declared)], frozen=True)
    assert list(problems_of(cls(wrong))) == [("value", f"must be {words}, but is {wrong}")]
    least = {"at least 1": 1, "above 0": 1e-9}.get(words, 0)
    assert not list(problems_of(cls(least)))
    if optional:
        assert not list(problems_of(cls(None)))
    if isinstance(wrong, int) or math.isfinite(wrong):
        with pytest.raises(ConfigError, match=f"^x: line 1: value must be {words}, but is {wrong}$"):
            config.load(cls, f"value: {wrong}", name="x")


def test_plain_values_differ_by_path_and_where_the_type_differs_by_that_alone() -> None:
    before = {"part": {"type": "one", "size": 1}, "same": [1], "none": None, "gone": 2, "deep": {"er": 1.5}}
    now = {"part": {"type": "two", "depth": 2}, "same": [1], "none": True, "new": {"a": False}, "deep": {"er": 2.5}}
    assert list(config.differences(before, now)) == [
        ("part.type", "one", "two"),
        ("none", "null", "true"),
        ("gone", "2", "null"),
        ("deep.er", "1.5", "2.5"),
        ("new", "null", "{a: false}"),
    ]
    assert list(config.differences(before, before)) == []
    assert list(config.differences(1, 2, "a.b")) == [("a.b", "1", "2")]
