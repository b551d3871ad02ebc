"""Tags before sources, and models of several languages that read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy
import pytest
import torch
from tiny_run import SEARCH, make_run, sentences

from nmt.core.errors import CheckpointError, DataError
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.aligning.evidence import EvidenceConfig
from nmt.translation.aligning.faithfulness import faithfulness
from nmt.translation.lines import Translation
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.requests.request import Request
from nmt.translation.requests.tags import Tags
from nmt.translation.translator import Translator

TAGS = ("<2de>", "<2fr>")
LINES = sentences(5, seed=9)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.load(make_run(tmp_path_factory.mktemp("many") / "run", tags=TAGS), device="cpu")


def recipe(*tags: str | None) -> dict[str, Any]:
    return {"data": {"train": [{"source": "a", **({} if tag is None else {"tag": tag})} for tag in tags]}}


def test_the_tags_of_a_recipe() -> None:
    found = Tags.of(recipe("<2de>", "<2fr>", "<2de>", "<2pt-BR>"))
    assert found == Tags(("<2de>", "<2fr>", "<2pt-BR>"), always=True)
    assert found.languages == {"de": "<2de>", "fr": "<2fr>", "pt-BR": "<2pt-BR>"}
    assert Tags.of(recipe("<bt>", None)) == Tags(("<bt>",)) and not Tags(("<bt>",)).languages
    assert Tags.of(recipe(None)) == Tags.of({}) == Tags.of({"data": {"train": "damaged"}}) == Tags()


@pytest.mark.parametrize("several", [True, False])
def test_tags_of_corpora_that_are_not_trained_on_are_known_too(several: bool) -> None:
    """Such as the others of a model that goes on with one language, when it is tested on what it may have forgotten."""
    validation = {"source": "a", "tag": "<2fr>"}
    found = Tags.of(
        {
            "data": {**recipe("<2de>")["data"], "validation": [validation] if several else validation},
            "test": {"corpus": {"source": "a", "tag": "<2it>"}},
            "alignment": {"corpus": None},
        }
    )
    assert found == Tags(("<2de>", "<2fr>", "<2it>"), always=True)
    assert found.divided("<2it> ab") == ("<2it>", "ab")
    assert Tags.of({**recipe(None), "test": {"corpus": {"tag": "<bt>"}}}) == Tags(("<bt>",))


@pytest.mark.parametrize(
    ("source", "pairs"),
    [("", ["de-fr", "fr-de"]), ("mul", ["de-fr", "fr-de"]), ("en", ["en-de", "en-fr"]), ("de", ["de-fr"])],
)
def test_language_pairs(source: str, pairs: list[str]) -> None:
    assert ["-".join(pair) for pair in Tags(TAGS, always=True).pairs(source)] == pairs


def test_who_says_the_tag() -> None:
    tags = Tags((*TAGS, "<bt>"), always=True)
    assert tags.divided("<bt> ab  cd") == ("<bt>", "ab  cd")
    assert tags.divided("<bt> ab", "fr") == ("<bt>", "ab"), "a line before the command"
    assert tags.divided("ab", "fr") == ("<2fr>", "ab")
    assert tags.divided(Request("<bt> ab", target_language="de"), "fr") == ("<2de>", "<bt> ab"), "who asks before all"
    assert tags.divided("<2frab> <2it> ab", "de") == ("<2de>", "<2frab> <2it> ab"), "no tags of this model"
    assert tags.divided("<bt>\tab") == tags.divided(" <bt>\u3000ab") == ("<bt>", "ab"), "before any white space"
    assert tags.divided("<bt>") == ("<bt>", "")
    assert tags.divided("  ") == ("", "  ")
    wanted = r"must begin with a tag, .*: <2de>, <2fr>, <bt>, or give the target language \(de, fr\)"
    with pytest.raises(DataError, match=wanted):
        tags.divided("ab")
    assert Tags(("<bt>",)).divided("ab") == ("", "ab"), "it has learnt from others too"
    with pytest.raises(DataError, match="target_language must be one of de, fr, but is 'it'"):
        tags.divided(Request("ab", target_language="it"))
    with pytest.raises(DataError, match="target_language must be left out, since this model has one, but is 'fr'"):
        Tags(("<bt>",)).divided("ab", "fr")


def test_a_line_is_translated_into_the_language_that_is_asked(many: Bundle) -> None:
    french = Translator([many], target_language="fr").translate(LINES)
    german = Translator([many], target_language="de").translate(LINES)
    assert texts(french) != texts(german)
    for ways in ([f"<2fr> {line}" for line in LINES], [Request(line, target_language="fr") for line in LINES]):
        found = Translator([many], target_language="de").translate(ways)
        assert texts(found) == texts(french)
        assert [each.source.text for each in found] == LINES
    source = french[0].source
    read = many.vocabularies.source.encode(f"<2fr> {LINES[0]}")  # what training reads
    assert list(source.pieces.ids) == read
    assert source.words == LINES[0].split() and source.tag == "<2fr>"


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that would rather write tags than anything else."""
    bundle = Bundle.load(make_run(tmp_path_factory.mktemp("eager") / "run", tags=(*TAGS, "<bt>")), device="cpu")
    with torch.no_grad():
        for tag in (*TAGS, "<bt>"):
            bundle.model.output.bias[bundle.vocabularies.target.id_of(tag)] += 100.0
    return bundle


@pytest.mark.parametrize(
    ("search", "asked"),
    [
        ({"strategy": "greedy"}, {}),
        ({"strategy": "beam", "n_best": 3}, {}),
        ({"strategy": "sampling", "n_best": 3}, {}),
        ({"strategy": "sampling", "top_k": 2}, {}),
        ({"strategy": "greedy", "no_repeat_ngram": 2}, {"avoid": ["ab"]}),
        ({"strategy": "beam"}, {"prefix": "ab ", "constraints": ["cd"], "avoid": ["ef"]}),
    ],
)
@pytest.mark.parametrize("models", [1, 2])
def test_no_search_writes_a_tag(eager: Bundle, models: int, search: dict[str, Any], asked: dict[str, Any]) -> None:
    translator = Translator([eager] * models, search=replace(SEARCH, **search))
    requests = [Request(line, target_language="fr", **asked) for line in LINES]
    found = translator.translate(requests)
    written = [each.text for translation in found for each in translation.hypotheses]
    assert all(written) and len(set(written)) > 1
    assert not any(tag in text for text in written for tag in (*TAGS, "<bt>"))
    if search["strategy"] == "greedy":
        *_, grown = translator.grow(requests, range(len(requests)))
        assert any(grown) and not any(tag in text for text in grown for tag in (*TAGS, "<bt>"))


@pytest.mark.parametrize("asked", [{"prefix": "ab <2fr> "}, {"constraints": ["ab", "<bt>"]}])
def test_no_translation_can_be_asked_to_have_a_tag(eager: Bundle, asked: dict[str, Any]) -> None:
    (found,) = Translator([eager], target_language="fr").translate([Request("ab cd", **asked)])
    assert found.text == "" and found.problem.startswith("no translation has '<")
    assert found.problem.endswith(": it is a tag of sources")


def test_an_ensemble_knows_the_tags_that_all_of_its_models_know(eager: Bundle) -> None:
    def of(*known: str, always: bool = True) -> Bundle:
        return replace(eager, tags=Tags(known, always))

    translator = Translator([of("<2fr>", "<2de>", always=False), of("<2de>", "<bt>", "<2fr>")], target_language="fr")
    assert translator.tags == Tags(("<2fr>", "<2de>"), always=True)
    (found,) = translator.translate(LINES[:1])
    assert found.text and "<bt>" not in found.text, "nor a tag that only one knows"
    assert Aligner([of("<2fr>"), of(*TAGS)]).align(["<2fr> ab"], ["cd"])[0].source.words == ["ab"]
    with pytest.raises(DataError, match="target_language must be one of de, but is 'fr'"):
        Translator([of(*TAGS), of("<2de>")], target_language="fr")
    for others in (of("<2fr>"), of(always=False)):
        wanted = f"must know a common tag .* but theirs are .*: <2de>; .*: {'<2fr>' if others.tags.known else 'none'}"
        for tool in (Translator, Aligner):
            with pytest.raises(CheckpointError, match=wanted):
                tool([of("<2de>"), others])
    assert Translator([of("<bt>", always=False), of(always=False)]).tags == Tags()


def texts(found: list[Translation]) -> list[str]:
    return [each.text for each in found]


def test_attention_to_the_tag_goes_to_the_null_word(many: Bundle) -> None:
    for translation in Translator([many], target_language="fr").translate(LINES):
        weights, pieces = translation.best.weights, translation.best.piece_weights
        assert weights is not None and pieces is not None
        assert weights.shape[1] == len(translation.source.words) + 1
        numpy.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-4)
        lead = translation.source.lead
        assert lead >= 1 and pieces[:, :lead].sum() > 0.01
        null = numpy.concatenate([pieces[:, :lead], pieces[:, -1:]], 1).sum(1)[: len(translation.best.pieces.ids)]
        held = numpy.array([word for (word,) in translation.best.pieces.held])
        for word in range(len(weights)):
            assert weights[word, -1] == pytest.approx(null[held == word].mean(), abs=1e-4)


@pytest.mark.parametrize("attention", [True, False])
def test_every_part_of_a_long_line_has_the_tag(many: Bundle, attention: bool) -> None:
    parts = [f"{line[:1].upper()}{line[1:]} hij." for line in sentences(3, seed=2, longest=5)]
    limit = max(len(many.vocabularies.source.encode(part)) for part in parts)
    translator = Translator([many], target_language="fr", max_pieces=limit, attention=attention)
    (whole,), apart = translator.translate([" ".join(parts)]), translator.translate(parts)
    assert whole.parts == 3 and not any(each.parts > 1 for each in apart)
    assert whole.text == " ".join(texts(apart))
    if attention:
        assert whole.best.weights is not None
        blocks = [each.best.weights for each in apart]
        row = column = 0
        for block in blocks:
            assert block is not None
            height, width = block.shape
            found = whole.best.weights[row : row + height]
            numpy.testing.assert_allclose(found[:, column : column + width - 1], block[:, :-1], atol=1e-4)
            numpy.testing.assert_allclose(found[:, -1], block[:, -1], atol=1e-4)
            row, column = row + height, column + width - 1


def test_a_line_without_a_tag_is_left_untranslated(many: Bundle) -> None:
    found = Translator([many]).translate(["", "ab", "<2fr> ab", Request("ab", target_language="it"), "<2fr>"])
    assert [bool(each.problem) for each in found] == [False, True, False, True, False]
    assert found[1].problem.startswith("must begin with a tag") and found[1].text == ""
    assert found[2].text and not found[4].text
    with pytest.raises(DataError, match="must be one of de, fr, but is 'it'"):
        Translator([many], target_language="it")


@pytest.mark.parametrize("way", ["attention", "leave-one-out"])
def test_given_translations_are_aligned_with_the_tag(many: Bundle, way: str) -> None:
    greedy = replace(SEARCH, strategy="greedy")
    found = Translator([many], search=greedy, target_language="fr").translate(LINES)
    targets = [each.text for each in found]
    by = EvidenceConfig(way=way)  # type: ignore[arg-type]
    asked = Aligner([many], by=by, target_language="fr").align(LINES, targets)
    written = Aligner([many], by=by).align([f"<2fr> {line}" for line in LINES], targets)
    other = Aligner([many], by=by, target_language="de").align(LINES, targets)
    for line, one, same, differs in zip(LINES, asked, written, other, strict=True):
        assert one.source.words == same.source.words == line.split()
        assert one.log_prob == pytest.approx(same.log_prob) != pytest.approx(differs.log_prob)
        assert one.weights is not None and same.weights is not None and one.weights.shape[1] == len(line.split()) + 1
        numpy.testing.assert_allclose(one.weights, same.weights, atol=1e-5)


def test_faithfulness_keeps_the_tag(many: Bundle) -> None:
    pairs = [(line, "ab cd") for line in LINES if len(line.split()) > 1]
    asked = faithfulness(many, pairs, draws=1, target_language="fr")
    written = faithfulness(many, [(f"<2fr> {source}", target) for source, target in pairs], draws=1)
    assert asked == written != faithfulness(many, pairs, draws=1, target_language="de")
