"""Models of a server, by name and by language pair."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from echoing import Asking, refused
from safetensors.torch import load_file, save_file
from tiny_run import CHECKPOINT, SEARCH, make_run

from nmt.core.errors import ConfigError, DataError
from nmt.core.storage.run_folder import MODEL, RunFolder
from nmt.search.search_config import SearchConfig
from nmt.serving.registry import Registry
from nmt.serving.web.service import Service
from nmt.translation.translator import Translator


def test_models_are_found_by_name_and_by_languages(tiny_run: Path) -> None:
    registry = Registry.load([str(tiny_run), f"de-en={tiny_run}", f"both={tiny_run}+{tiny_run}"])
    assert [(model.name, model.source, model.target) for model in registry.models] == [
        ("tiny", "xx", "yy"),
        ("de-en", "de", "en"),
        ("both", "xx", "yy"),
    ]
    assert registry.get() is registry.get("tiny") is registry.by_languages("xx", "yy")
    assert registry.get("de-en") is registry.by_languages("de", "en")
    assert len(registry.get("both").engine.translator.bundles) == 2
    with pytest.raises(DataError, match="there is no model 'fr', but tiny, de-en, both"):
        registry.get("fr")
    with pytest.raises(DataError, match=r"no model from 'en' to 'de', but xx-yy, de-en$"):
        registry.by_languages("en", "de")


def test_search_is_that_of_the_recipe_unless_something_else_is_asked_for(tiny_run: Path) -> None:
    def search(**changes: Any) -> SearchConfig:
        registry = Registry.load([str(tiny_run)], search_of=lambda recipe: replace(recipe, **changes))
        return registry.get().engine.translator.search

    assert Registry.load([str(tiny_run)]).get().engine.translator.search == search() == SEARCH
    assert search(beam_size=7) == replace(SEARCH, beam_size=7)


def test_a_model_of_damaged_weights_is_the_servers_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path / "run")
    weights = RunFolder(run).checkpoints / CHECKPOINT / MODEL
    tensors = load_file(weights)
    tensors["output.bias"] = tensors["output.bias"] * float("nan")
    save_file(tensors, weights)
    with Asking(Service(Registry.load([str(run)]))) as asking:
        told = refused(asking.post("/v1/translate", {"text": "ab"}), 500)
        assert told == "the model gives NaN instead of probabilities; its weights are damaged, or diverged"
    assert told in caplog.text


def test_two_models_of_one_name_are_refused(tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match="two models have the name tiny; give another one as NAME=RUN"):
        Registry.load([str(tiny_run)] * 2)


def test_two_models_of_one_name_are_refused_before_any_is_loaded() -> None:
    with pytest.raises(ConfigError, match="two models have the name x"):
        Registry.load(["x=nowhere", "x=elsewhere"])


def test_models_on_a_cpu_share_its_threads(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    registry = Registry.load([str(tiny_run), f"other={tiny_run}"], device="cpu", timeout=5.0)
    assert [(model.engine._workers, model.engine._threads) for model in registry.models] == [(3, 3)] * 2
    assert [model.engine._timeout for model in registry.models] == [5.0] * 2


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("many") / "run", tags=("<2de>", "<2en>", "<2fr>"))


def test_a_model_of_several_languages_is_there_for_every_pair(many: Path, tiny_run: Path) -> None:
    registry = Registry.load([f"m={many}", str(tiny_run), f"fr-en={many}"])
    names = ["m-de-en", "m-de-fr", "m-en-de", "m-en-fr", "m-fr-de", "m-fr-en"]
    assert [model.name for model in registry.models] == [*names, "tiny", "fr-en"]
    assert list(registry.engines) == ["m-de-en", "tiny", "fr-en"], "which the pairs share"
    assert registry.by_languages("de", "fr") is registry.get("m-de-fr")
    assert (registry.get("fr-en").source, registry.get("fr-en").target) == ("fr", "en")
    with pytest.raises(DataError, match=r"en-it: .*run translates into de, en, fr, and not into it"):
        Registry.load([f"en-it={many}"])


def test_a_model_that_translates_several_languages_into_one_that_has_a_tag(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tags=("<2fr>",))
    registry = Registry.load([f"m={run}"])
    assert [(model.name, model.source, model.target) for model in registry.models] == [("m", None, "fr")]
    with Asking(Service(registry)) as asking:
        assert asking.post("/v1/translate", {"text": "ab cd"}).json()["hypotheses"][0]["text"]


def test_clients_of_every_protocol_choose_the_target_language(many: Path) -> None:
    line = "ab cd ef"
    wanted = {
        language: Translator.load(many, target_language=language).translate([line])[0].text for language in ("de", "fr")
    }
    assert wanted["de"] != wanted["fr"]
    with Asking(Service(Registry.load([f"m={many}"]))) as asking:
        for target, text in wanted.items():
            libre = asking.post("/translate", {"q": line, "source": "en", "target": target}).json()
            own = asking.post("/v1/translate", {"text": line, "source": "en", "target": target}).json()
            asked = {"lines": [{"text": line, "target_language": target}], "model": "m-fr-en"}
            each = asking.post("/v1/translate", asked).json()["lines"][0]
            opennmt = asking.post("/translator/translate", [{"src": line, "id": f"m-en-{target}"}]).json()
            texts = libre["translatedText"], own["hypotheses"][0]["text"], each["hypotheses"][0]["text"]
            assert {*texts, opennmt[0][0]["tgt"]} == {text}
            auto = {"q": [line], "source": "auto", "target": target}
            assert asking.post("/translate", auto).json() == {"translatedText": [text]}, "no language is detected"
            greedy = {"text": line, "target": target, "search": {"strategy": "greedy", "n_best": 1}}
            events = asking.post("/v1/translate/stream", greedy).text
            whole = asking.post("/v1/translate", greedy).json()["hypotheses"][0]["text"]
            assert events.rstrip().endswith(json.dumps({"text": whole}))
        assert "source must be one of de, en, fr" in asking.post("/detect", {"q": line}).text
        wrong = {"text": line, "target_language": "it"}
        assert refused(asking.post("/v1/translate", wrong), 400).startswith("target_language must be one of de, en, fr")
        languages = {each["code"]: each["targets"] for each in asking.get("/languages").json()}
        assert languages == {"de": ["en", "fr"], "en": ["de", "fr"], "fr": ["de", "en"]}
