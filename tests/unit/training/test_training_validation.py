"""Validation against direct computations."""

from __future__ import annotations

import json
import logging
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from tiny_training import build, make_recipe, records, train
from torch.nn import functional

from nmt.core.errors import ConfigError, DataError
from nmt.core.storage.run_folder import RunFolder
from nmt.data.batch import Tokens
from nmt.metrics.error_rates import cer, exact, wer
from nmt.metrics.score import Score
from nmt.model.seq2seq import Seq2Seq
from nmt.search.hypothesis import Hypothesis
from nmt.search.search_config import SearchConfig
from nmt.training import validation as module
from nmt.training.trainer import Trainer
from nmt.training.validation import ValidationConfig, Validator
from nmt.training.validation_result import Validation, score_text, scores_of

COUNT = 12


@pytest.fixture(scope="module")
def root(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus half of whose validation targets are what a sharpened random model gives, so that scores are high."""
    root = tmp_path_factory.mktemp("own") / "corpus"
    shutil.copytree(corpus, root)
    validate, model = sharpened(root, tmp_path_factory.mktemp("own") / "run")
    lines = [each.translation if row % 2 else each.reference for row, each in enumerate(validate(model).samples)]
    (root / "validation.yy").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def validator(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Validator, Seq2Seq]:
    """The validator of the tiny recipe, showing every sentence, and a model in train mode."""
    return sharpened(root, tmp_path_factory.mktemp("validation") / "run")


def sharpened(root: Path, path: Path) -> tuple[Validator, Seq2Seq]:
    recipe = make_recipe(root, f"training.validation.samples={COUNT}", "training.validation.search.min_length=3")
    trainer = build(recipe, path)
    assert trainer.validator is not None
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.mul_(4)
    return trainer.validator, trainer.model.train()


def with_config(validator: Validator, config: ValidationConfig) -> Validator:
    return Validator(
        config,
        validator.corpus,
        validator.vocabularies,
        device=validator.device,
        precision=validator.precision,
    )


def test_scores_are_sacrebleus_of_the_translations(validator: tuple[Validator, Seq2Seq], root: Path) -> None:
    validate, model = validator
    found = validate(model)
    assert len(found.samples) == COUNT
    translations = [sample.translation for sample in found.samples]
    references = [sample.reference for sample in found.samples]
    assert references == (root / "validation.yy").read_text().splitlines()
    assert len(set(translations)) > 6 and all(translations)
    assert found.bleu.value == pytest.approx(sacrebleu.corpus_bleu(translations, [references]).score)
    assert found.chrf.value == pytest.approx(sacrebleu.corpus_chrf(translations, [references]).score)
    assert 10 < found.bleu.value < 95 and 10 < found.chrf.value < 95
    assert "tok:13a" in found.bleu.signature
    for sample in found.samples:
        weights = sample.hypothesis.weights
        assert weights is not None and weights.shape[1] == len(sample.source_pieces)
        assert "".join(sample.source_pieces[:-1]).replace("▁", " ").strip() == sample.source


@pytest.mark.parametrize(("select", "measure"), [("wer", wer), ("cer", cer), ("exact", exact)])
def test_a_checkpoint_may_be_chosen_by_error_rates_and_exact_lines(
    validator: tuple[Validator, Seq2Seq], select: Any, measure: Any
) -> None:
    validate, model = validator
    found = with_config(validate, replace(validate.config, select=select))(model)
    expected = measure([sample.translation for sample in found.samples], [sample.reference for sample in found.samples])
    assert found.selected == expected
    assert found.value(select) == (expected.value if select == "exact" else -expected.value)
    assert str(found).endswith(f", {expected.name} {expected.value:.2f}")
    assert scores_of(found)[select] == expected.value and scores_of(found)[f"{select}_signature"] == expected.signature
    plain = validate(model)
    assert plain.selected is None and select not in scores_of(plain)


def test_perplexity_is_that_of_each_sentence_alone(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    corpus, target = validate.corpus, validate.vocabularies.target
    model.eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for index in range(COUNT):
            source = Tokens.pad([corpus.source_ids(index)], 0)
            given = Tokens.pad([corpus.target_ids(index)], 0)
            logits = model.output(model(source, given, target.bos_id).features[0])
            total += functional.cross_entropy(logits, given.ids[0], reduction="sum").item()
            tokens += given.ids.numel()
    model.train()
    assert validate(model).perplexity == pytest.approx(math.exp(total / tokens), rel=1e-4)


def test_search_is_in_float32_whatever_the_surroundings_ask_for(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    expected = [sample.hypothesis for sample in validate(model).samples]
    with torch.autocast("cpu", torch.bfloat16):
        found = [sample.hypothesis for sample in validate(model).samples]
    assert [each.tokens for each in found] == [each.tokens for each in expected]
    assert [each.token_log_probs for each in found] == [each.token_log_probs for each in expected]


def starving(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch, *, most: int, longest: int = 10**6) -> list[int]:
    """Let memory hold so many sentences of so many pieces; gives the sizes of what is tried."""
    encode, tried = Seq2Seq.encode, []

    def holding(self: Seq2Seq, source: Tokens, *rest: object) -> object:
        tried.append(source.rows)
        if source.rows > most or int(source.lengths.max()) > longest:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return encode(self, source, *rest)

    monkeypatch.setattr(Seq2Seq, "encode", holding)
    return tried


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    validator: tuple[Validator, Seq2Seq], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    validate, model = validator
    validate = with_config(validate, validate.config)
    expected = validate(model)
    tried = starving(model, monkeypatch, most=2)
    found = validate(model)
    assert max(tried) > 2 and tried.count(1) + tried.count(2) > 2
    assert math.log(found.perplexity) == pytest.approx(math.log(expected.perplexity), rel=1e-5)
    assert [each.translation for each in found.samples] == [each.translation for each in expected.samples]
    assert caplog.text.count("does not fit into memory in validation") == 1


def test_a_pair_that_does_not_fit_by_itself_is_named(
    validator: tuple[Validator, Seq2Seq], monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, model = validator
    lengths = validate.corpus.source_lengths.tolist()
    longest = max(lengths)
    starving(model, monkeypatch, most=100, longest=longest - 1)
    row = f"pair ({'|'.join(str(place + 1) for place, length in enumerate(lengths) if length == longest)}) of"
    with pytest.raises(DataError, match=rf"{row} the validation corpus \({longest} source and .* leave it out"):
        validate(model)
    assert model.training


def test_the_model_and_the_random_state_are_left_as_they_were(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    validate(model)
    assert model.training and all(part.training for part in model.modules())
    assert torch.equal(torch.get_rng_state(), random), "a resumed run would draw other dropout"
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()
    validate(model)
    assert not model.training
    model.train()


def test_it_comes_back_to_train_mode_after_a_failure(
    validator: tuple[Validator, Seq2Seq], monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, model = validator
    monkeypatch.setattr(validate, "_translate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        validate(model)
    assert model.training


def test_batches_make_no_difference(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    one = with_config(validate, replace(validate.config, batch_tokens=1))(model)
    many = validate(model)
    assert [each.translation for each in one.samples] == [each.translation for each in many.samples]
    assert one.perplexity == pytest.approx(many.perplexity, rel=1e-4)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("search", "width"),
    [
        ({"strategy": "greedy", "beam_size": 5}, 1),
        ({"strategy": "beam", "beam_size": 3}, 3),
        ({"strategy": "sampling", "beam_size": 5, "n_best": 4}, 1),  # a validation draws one sample a sentence
    ],
)
def test_batches_are_as_large_as_memory_is_meant_to_hold(
    validator: tuple[Validator, Seq2Seq], monkeypatch: pytest.MonkeyPatch, search: dict[str, Any], width: int
) -> None:
    validate, model = validator
    sizes: list[tuple[int, int]] = []
    real = module.search

    def spy(stepper: Any, source: Tokens, *options: Any, **named: Any) -> list[list[Hypothesis]]:
        found = real(stepper, source, *options, **named)
        assert all(len(each) == 1 for each in found)
        sizes.append((source.rows, source.rows * source.ids.shape[1]))
        return found

    monkeypatch.setattr(module, "search", spy)
    longest = int(validate.corpus.source_lengths.max())
    budget = 3 * width * longest
    with_config(validate, replace(validate.config, batch_tokens=budget, search=SearchConfig(**search)))(model)
    assert sum(rows for rows, _ in sizes) == COUNT
    assert sizes[0] == (3, 3 * longest), "three rows of the longest sentence, each of which takes so many hypotheses"
    assert all(tokens * width <= budget for _, tokens in sizes)


def test_pieces_that_are_no_text_are_never_written(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    target, bias = validate.vocabularies.target, model.output.bias
    forbidden = [target.pad_id, target.bos_id, target.unk_id]
    kept = bias.detach().clone()
    with torch.no_grad():
        bias[forbidden] += 1000.0  # what a model would write above all
    try:
        for search in ({"strategy": "greedy"}, {"strategy": "beam"}, {"strategy": "sampling"}):
            found = with_config(validate, replace(validate.config, search=SearchConfig(**search, min_length=2)))(model)  # type: ignore[arg-type]
            written = {piece for sample in found.samples for piece in sample.hypothesis.tokens}
            assert len(found.samples) == COUNT and written and not written & {*forbidden}
    finally:
        with torch.no_grad():
            bias.copy_(kept)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(6.789, "6.79"), (123456.789, "123456.79"), (12345678.9, "1.2e+07"), (math.exp(700), "too large to show")],
)
def test_a_perplexity_is_short_however_large(value: float, shown: str) -> None:
    assert score_text(value, "perplexity") == shown
    found = Validation(value, Score("BLEU", 0.0, "s"), Score("chrF2", 0.0, "s"), ())
    assert str(found) == f"perplexity {shown}, BLEU 0.00, chrF 0.00"


def test_a_limit_is_for_the_translations_only(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    whole = validate(model)
    part = with_config(validate, replace(validate.config, limit=5))(model)
    assert [each.translation for each in part.samples] == [each.translation for each in whole.samples[:5]]
    assert part.perplexity == whole.perplexity
    assert part.bleu.value != whole.bleu.value
    beyond = with_config(validate, replace(validate.config, limit=500))(model)
    assert beyond.bleu == whole.bleu


def test_samples_are_spread_and_always_the_same(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    whole = validate(model)
    three = with_config(validate, replace(validate.config, samples=3))(model)
    assert [each.source for each in three.samples] == [whole.samples[index].source for index in (0, 4, 8)]
    assert with_config(validate, replace(validate.config, samples=0))(model).samples == ()


def test_case_can_be_ignored_and_the_signature_says_so(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    found = with_config(validate, replace(validate.config, lowercase=True, tokenize="none"))(model)
    assert "case:lc" in found.bleu.signature and "tok:none" in found.bleu.signature
    assert "case:lc" in found.chrf.signature


def test_perplexity_of_a_broken_model_can_be_written_as_json(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    bias = model.output.bias
    kept = bias.detach().clone()
    for value in (math.nan, math.inf):
        with torch.no_grad():
            bias.fill_(value)
        assert math.isfinite(validate._force(model)[0])
    with torch.no_grad():
        bias.copy_(kept)


def gold_of(root: Path, path: Path, *lines: str, attention: str | None = None) -> tuple[Validator, Seq2Seq]:
    """Give the validator of a recipe with gold links counted from 1, and a sharpened model."""
    (root / "validation.gold").write_text("".join(f"{line}\n" for line in lines))
    gold = "training.validation.gold=validation.gold", "training.validation.gold_first_index=1"
    score = () if attention is None else (f"model.attention={attention}",)
    trainer = build(make_recipe(root, *gold, *score), path)
    assert trainer.validator is not None
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.mul_(4)
    return trainer.validator, trainer.model.train()


def links_of(model: Seq2Seq, validate: Validator, index: int) -> set[tuple[int, int]]:
    """Link one sentence pair by hand: a word begins with a piece that begins with the space marker."""
    corpus, vocabularies = validate.corpus, validate.vocabularies
    ids = corpus.source_ids(index), corpus.target_ids(index)
    weights = model(Tokens.pad(ids[:1], 0), Tokens.pad(ids[1:], 0), vocabularies.target.bos_id).weights[0].mean(1)
    models = vocabularies.source, vocabularies.target
    starts = [[piece.startswith("▁") for piece in each.pieces(row[:-1])] for each, row in zip(models, ids, strict=True)]
    sides = [[sum(side[: place + 1]) - 1 for place in range(len(side))] for side in starts]
    found = set()
    for word in range(max(sides[1]) + 1):
        mass = [0.0] * (max(sides[0]) + 2)
        for row, owner in enumerate(sides[1]):
            if owner == word:
                for column, source in enumerate([*sides[0], len(mass) - 1]):
                    mass[source] += float(weights[row, column])
        if mass.index(max(mass)) < len(mass) - 1:
            found.add((mass.index(max(mass)), word))
    return found


@pytest.mark.costly
@pytest.mark.parametrize("attention", [None, "{score: {type: multi-head-additive, heads: 3, size: 4}}"])
def test_the_alignment_error_rate_is_that_of_links_by_hand(root: Path, tmp_path: Path, attention: str | None) -> None:
    # Half of the lines have one sure and one possible link, the others none; AER by the formula over all of them.
    lines = ["1-1 1p1" if row % 2 else "" for row in range(COUNT)]
    validate, model = gold_of(root, tmp_path / "run", *lines, attention=attention)
    found = validate(model)
    model.eval()
    with torch.no_grad():
        links = [links_of(model, validate, index) for index in range(COUNT)]
    model.train()
    hits = sum((0, 0) in each for each in links[1::2])
    total = sum(map(len, links))
    assert total > COUNT
    assert found.alignment is not None
    assert found.alignment.aer == pytest.approx(1 - 2 * hits / (total + COUNT // 2))
    assert found.value("aer") == -found.alignment.aer
    assert f"AER {found.alignment.aer:.4f}" in str(found)
    assert with_config(validate, validate.config)(model).alignment is None
    one = Validator(
        replace(validate.config, batch_tokens=1),
        validate.corpus,
        validate.vocabularies,
        device=validate.device,
        precision=validate.precision,
        gold=validate.gold,
    )
    assert one(model).alignment == found.alignment


@pytest.mark.parametrize(("tokenized", "aer"), [(True, 0.0), (False, 1 / 7)])
def test_gold_links_may_count_what_stands_between_spaces(
    corpus: Path, tmp_path: Path, tokenized: bool, aer: float
) -> None:
    """A word with a no-break space in it is one token, or else two words."""
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    for side in ("xx", "yy"):  # the same pieces on both sides, so that each attends to itself
        (root / f"validation.{side}").write_text("der\u00a0hund sieht heute\n" * 3)
    (root / "validation.gold").write_text("0-0 1-1 2-2\n" * 3)
    settings = "training.validation.gold=validation.gold", f"training.validation.gold_tokenized={tokenized}".lower()
    validate = build(make_recipe(root, *settings), tmp_path / "run").validator
    assert validate is not None and validate.gold is not None
    pieces = [len(validate.corpus.target_ids(row)) for row in range(3)]
    found = validate.gold.score({row: torch.eye(count).numpy() for row, count in enumerate(pieces)})
    assert (found.links, found.sure) == (9 if tokenized else 12, 9)
    assert found.aer == pytest.approx(aer)


def test_gold_of_a_pair_with_an_empty_side_is_passed_over(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    lines = (root / "validation.yy").read_text().splitlines()
    (root / "validation.yy").write_text("".join(f"{line if row != 4 else ''}\n" for row, line in enumerate(lines)))
    validate, model = gold_of(root, tmp_path / "run", *("" if row == 4 or row % 2 else "1-1" for row in range(COUNT)))
    assert validate.gold is not None
    expected = [set() if row % 2 else {(0, 0)} for row in range(COUNT) if row != 4]
    assert [set(each.sure) for each in validate.gold.links] == expected
    assert validate(model).alignment is not None


@pytest.mark.slow
def test_the_checkpoint_can_be_chosen_by_it(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    (root / "validation.gold").write_text("0-0\n" * COUNT)
    recipe = make_recipe(
        root,
        "training.validation.gold=validation.gold",
        "training.validation.select=aer",
        "training.validation_interval=2",
        "training.optimiser.learning_rate=0.3",
    )

    def sharpen(trainer: Trainer) -> None:
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.mul_(4)

    trained = train(recipe, tmp_path / "run", before=sharpen)
    values = {record["step"]: record["aer"] for record in records(trained.folder, "validation")}
    best = json.loads(trained.folder.best.read_text())
    assert best["metric"] == "aer"
    assert best["value"] == pytest.approx(min(values.values()))
    assert len(set(values.values())) > 1
    assert values[best["step"]] == min(values.values())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.validation.select=aer"], "training.validation.select must be bleu, chrf, wer, cer"),
        (
            ["training.validation.gold=gold", "model.attention=none"],
            "validation.gold must be null for a model",
        ),
        (["training.validation.gold=gold", "data.validation=null"], "validation.gold needs data.validation"),
    ],
)
def test_recipes_without_gold_or_attention_are_refused(corpus: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_recipe(corpus, *overrides)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such gold alignment"),
        ("0-0\n", "has 1 lines, but there are 12"),
        ("\n" * COUNT, "has no links"),
        ("9-0\n" + "\n" * (COUNT - 1), "line 1: link 9-0 is out of range"),
    ],
)
def test_gold_that_does_not_fit_stops_before_training(
    corpus: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    if content is not None:
        (root / "validation.gold").write_text(content)
    with pytest.raises(DataError, match=message):
        build(make_recipe(root, "training.validation.gold=validation.gold"), tmp_path / "run")


def test_each_of_several_corpora_is_scored_too(root: Path, tmp_path: Path) -> None:
    several = "[{source: validation.xx, target: validation.yy}, {source: test.xx, target: test.yy}]"
    (root / "test.xx").write_text(f"\n{(root / 'test.xx').read_text()}")  # a blank line is in no score
    (root / "test.yy").write_text(f"\n{(root / 'test.yy').read_text()}")
    asked = f"data.validation={several}", "training.validation.samples=100", "training.validation.search.min_length=3"
    trainer = build(make_recipe(root, *asked), tmp_path / "run")
    assert trainer.validator is not None
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.mul_(4)
    found = trainer.validator(trainer.model)
    texts, references = zip(*[(each.translation, each.reference) for each in found.samples], strict=True)
    assert len(texts) == 2 * COUNT
    first, second = found.parts
    assert (first.name, second.name) == ("validation.xx and validation.yy", "test.xx and test.yy")
    for part, own in ((first, slice(COUNT)), (second, slice(COUNT, None))):
        assert part.bleu.value == pytest.approx(sacrebleu.corpus_bleu(texts[own], [references[own]]).score)
        assert part.chrf.value == pytest.approx(sacrebleu.corpus_chrf(texts[own], [references[own]]).score)
    assert first.chrf.value != second.chrf.value != found.chrf.value
    assert found.chrf.value == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    recorded = scores_of(found)["corpora"][second.name]
    assert recorded == {"bleu": second.bleu.value, "chrf": second.chrf.value}


def test_the_scores_of_each_corpus_are_told_and_recorded(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = (f"{{source: {name}.xx, target: {name}.yy}}" for name in ("validation", "test"))
    with caplog.at_level(logging.INFO, "nmt"):
        train(make_recipe(corpus, f"data.validation=[{one}, {two}, {one}]"), tmp_path / "run")
    (record, *_) = records(RunFolder(tmp_path / "run"), "validation")
    name = "validation.xx and validation.yy"
    names = [f"{name} (data.validation.0)", "test.xx and test.yy", f"{name} (data.validation.2)"]
    assert [*record["corpora"]] == names
    assert all(f"  {each}: BLEU " in caplog.text for each in names)


def test_a_blank_one_of_several_corpora_is_told_and_cannot_be_scored(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(corpus, tmp_path / "corpus"))
    (root / "blank").write_text("\n\n")
    several = "[{source: validation.xx, target: validation.yy}, {source: blank, target: blank}]"
    with pytest.raises(DataError, match=r"data\.validation\.1: must have a pair with text on both sides"):
        build(make_recipe(root, f"data.validation={several}"), tmp_path / "run")
    several = "[{source: train.xx, target: train.yy}, {source: blank, target: blank}]"
    build(make_recipe(root, f"data.train={several}"), tmp_path / "other")
    assert "blank and blank: none of its pairs is left after the filters" in caplog.text
    assert "train.xx and train.yy: none" not in caplog.text


def test_tags_are_in_no_translation(corpus: Path, tmp_path: Path) -> None:
    corpora = {"data.train": "[{source: train.xx, target: train.yy, tag: <a>}]", "data.subword.user_symbols": "[<b>]"}
    corpora["data.validation"] = "{source: validation.xx, target: validation.yy, tag: <b>}"
    recipe = make_recipe(corpus, *(f"{path}={value}" for path, value in corpora.items()), "model.embedding.tied=none")
    trainer = build(recipe, tmp_path / "run")
    assert trainer.validator is not None
    ids = [trainer.vocabularies.target.id_of(tag) for tag in ("<a>", "<b>")]
    with torch.no_grad():
        trainer.model.output.bias[ids] += 100.0
    for search in (trainer.validator.config.search, SearchConfig(beam_size=3)):
        for best, *_ in trainer.validator.translations(trainer.model, search):
            assert not {*ids} & {*best.tokens}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("data.validation=[]", "data.validation must name at least one corpus, or be null, but is empty"),
        ("training.validation.limit=3", "training.validation.limit must be null where data.validation has several"),
    ],
)
def test_what_several_corpora_cannot_do_is_refused(corpus: Path, given: str, message: str) -> None:
    one = "{source: validation.xx, target: validation.yy}"
    with pytest.raises(ConfigError, match=re.escape(message)):
        make_recipe(corpus, f"data.validation=[{one}, {one}]", given)


def test_a_part_of_the_set_is_translated_and_scored_by_itself(validator: tuple[Validator, Seq2Seq]) -> None:
    validate, model = validator
    assert validate.spread(COUNT + 1) == [*range(COUNT)]
    rows = validate.spread(5)
    assert rows == [0, 2, 4, 7, 9]
    search = SearchConfig(beam_size=2, n_best=2, min_length=3)
    every, some = validate.translations(model, search), validate.translations(model, search, rows)
    assert [[each.tokens for each in best] for best in some] == [[each.tokens for each in every[row]] for row in rows]
    targets = [best[0].tokens for best in some]
    texts = [validate.vocabularies.target.decode(target) for target in targets]
    references = [validate.corpus.target_text(row) for row in rows]
    bleu, chrf = validate.scores(targets, rows)
    assert bleu.value == pytest.approx(sacrebleu.BLEU(force=True).corpus_score(texts, [references]).score)
    assert chrf.value == pytest.approx(sacrebleu.CHRF().corpus_score(texts, [references]).score) != 0.0
    with pytest.raises(ValueError, match="zip"):
        validate.scores(targets)
