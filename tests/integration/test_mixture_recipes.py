"""The recipes of several languages and of a domain, on generated text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_training import records

from nmt.cli import train
from nmt.core.storage.run_folder import RunFolder, best_checkpoint
from nmt.search.search_config import SearchConfig
from nmt.serving.registry import Registry
from nmt.text.vocabularies import Vocabularies
from nmt.translation.requests.tags import Tags
from nmt.translation.translator import Translator
from tools import generate_corpus

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
GREEDY = SearchConfig(strategy="greedy")
SMALL = (
    *(f"model.{part}.size=32" for part in ("embedding", "encoder", "decoder")), "training.threads=1", "--quiet",
)  # fmt: skip
LENGTH = ("max_epochs=null", "interval_unit=steps", "max_steps=150", "validation_interval=150")


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def capitals(text: str) -> float:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isupper() for letter in letters) / len(letters)


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    parts = ("--train", "160", "--validation", "8", "--test", "0", "--max-words", "6")
    assert generate_corpus.main([str(folder), *parts]) == 0
    return folder


def test_several_languages(text: Path, tmp_path: Path) -> None:
    """The third language is English in capitals, so that one sees by whom a translation is written."""
    for name in ("train", "validation"):
        write(text / f"{name}.fr", [line.upper() for line in lines_of(text / f"{name}.en")])
    for side in ("de", "en", "fr"):
        train_lines = lines_of(text / f"train.{side}")
        write(tmp_path / f"a.{side}", train_lines[:80])
        write(tmp_path / f"b.{side}", train_lines[80:])
        write(tmp_path / f"val.{side}", lines_of(text / f"validation.{side}"))
    run = RunFolder(tmp_path / "run")
    recipe = str(RECIPES / "multilingual" / "multilingual.yaml")
    training = ("optimiser.learning_rate=1e-2", "schedule.warmup_steps=20", "label_smoothing=0", *LENGTH)
    dropout = [f"model.dropout.{part}=0" for part in ("embedding", "annotation", "readout")]
    sizes = ("data.subword.size=500", "data.batch.size=256")
    overrides = (f"data.root={tmp_path}", *SMALL, *(f"training.{each}" for each in training), *dropout, *sizes)
    assert train.main([recipe, *overrides, "--output", str(run.path)]) == 0
    (record,) = records(run, "validation")
    assert [name.partition(" ")[0] for name in record["corpora"]] == ["<2de>", "<2en>", "<2fr>", "<2en>"]
    assert {"<2de>", "<2en>", "<2fr>"} <= set(Vocabularies.load(run.vocabulary).source.symbols)
    registry = Registry.load([f"m={run.path}"])
    pairs = ["de-en", "de-fr", "en-de", "en-fr", "fr-de", "fr-en"]
    assert [model.name for model in registry.models] == [f"m-{pair}" for pair in pairs]
    lines = lines_of(tmp_path / "val.de")
    english, french = (  # German to the third language has never been seen in training
        "".join(each.text for each in Translator.load(run.path, search=GREEDY, target_language=code).translate(lines))
        for code in ("en", "fr")
    )
    assert capitals(english) < 0.3 < 0.8 < capitals(french)


def test_a_domain(text: Path, tmp_path: Path) -> None:
    for side in ("de", "en"):
        for name, lines in (("general", slice(120)), ("captions", slice(120, 160))):
            write(tmp_path / f"{name}.{side}", lines_of(text / f"train.{side}")[lines])
            write(tmp_path / f"{name}-dev.{side}", lines_of(text / f"validation.{side}"))
    base, tuned = (RunFolder(tmp_path / name) for name in ("base", "tuned"))
    general, captions = (str(RECIPES / "domain" / f"{name}.yaml") for name in ("general", "captions"))
    root = f"data.root={tmp_path}"
    short = ("training.max_steps=6", "training.validation_interval=3")
    steps = (*(f"training.{each}" for each in LENGTH), *short, "data.subword.size=500")
    assert train.main([general, root, *SMALL, *steps, "--output", str(base.path)]) == 0
    begin = f"training.init_from={base.path}"
    assert train.main([captions, root, begin, *short, "--quiet", "--output", str(tuned.path)]) == 0
    found = records(tuned, "validation")
    for record in found:
        assert [*record["corpora"]] == [f"{name}-dev.de and {name}-dev.en" for name in ("captions", "general")]
    assert len(found) == 2 and best_checkpoint(tuned).exists()
    fingerprints = {Vocabularies.load(run.vocabulary).fingerprint for run in (base, tuned)}
    assert len(fingerprints) == 1, "the vocabulary is kept"
    assert Tags.of({}) == Translator.load(tuned.path).tags
