from __future__ import annotations

from typing import Any

import pytest
from echoing import Asking, echo_model, echo_service, refused

from nmt.search.search_config import SearchConfig

DE_EN = {"source": "de", "target": "en"}


@pytest.fixture
def asking() -> Any:
    with Asking(echo_service()) as opened:
        yield opened


def several() -> Asking:
    models = (echo_model(), echo_model("fr", "fr", "en"), echo_model("x", "de", "pt_BR"))
    return Asking(echo_service(*models))


@pytest.mark.parametrize("form", [False, True])
def test_a_text_is_translated(asking: Asking, form: bool) -> None:
    fields = {"q": "abc d", **DE_EN}
    answer = asking.post("/translate", data=fields) if form else asking.post("/translate", fields)
    assert answer.json() == {"translatedText": "d cba"}


def test_texts_of_a_list_are_translated_in_order(asking: Asking) -> None:
    answer = asking.post("/translate", {"q": ["ab", "", "cd\nef"], **DE_EN})
    assert answer.json() == {"translatedText": ["ba", "", "dc\nfe"]}
    assert asking.post("/translate", {"q": [], **DE_EN}).json() == {"translatedText": []}
    assert asking.post("/translate", data={"q": ["ab", "cd"], **DE_EN}).json() == {"translatedText": ["ba", "dc"]}


def test_lines_stay_lines_and_blank_ones_are_not_translated(asking: Asking) -> None:
    answer = asking.post("/translate", {"q": "ab\n\n  \ncd\n", **DE_EN})
    assert answer.json()["translatedText"] == "ba\n\n  \ndc\n"
    taken: Any = asking.service.registry.models[0].engine
    assert [line.text for line in taken.taken] == ["ab", "cd"]


def test_line_ends_of_a_form_are_line_feeds(asking: Asking) -> None:
    assert asking.post("/translate", data={"q": "ab\r\ncd", **DE_EN}).json() == {"translatedText": "ba\ndc"}


def test_alternatives_are_the_next_best(asking: Asking) -> None:
    answer = asking.post("/translate", {"q": "ab\ncd", **DE_EN, "alternatives": 2})
    assert answer.json() == {"translatedText": "ba\ndc", "alternatives": ["ba1\ndc1", "ba2\ndc2"]}
    answer = asking.post("/translate", data={"q": "ab", **DE_EN, "alternatives": "1"})
    assert answer.json() == {"translatedText": "ba", "alternatives": ["ba1"]}
    answer = asking.post("/translate", {"q": ["ab", "c"], **DE_EN, "alternatives": 1})
    assert answer.json()["alternatives"] == [["ba1"], ["c1"]]


@pytest.mark.parametrize(
    ("usual", "alternatives", "strategy", "beam_size"),
    [
        (SearchConfig(beam_size=3), 6, "beam", 7),
        (SearchConfig(beam_size=9), 6, "beam", 9),
        (SearchConfig(strategy="greedy"), 2, "beam", 5),
        (SearchConfig(strategy="sampling"), 2, "sampling", 5),
    ],
)
def test_the_search_has_as_many_as_it_is_asked_for(
    usual: SearchConfig, alternatives: int, strategy: str, beam_size: int
) -> None:
    model = echo_model(search=usual)
    with Asking(echo_service(model)) as asking:
        asking.post("/translate", {"q": "ab", **DE_EN, "alternatives": alternatives})
    taken: Any = model.engine
    search = taken.taken[0].search
    assert (search.strategy, search.beam_size, search.n_best) == (strategy, beam_size, alternatives + 1)


def test_a_recipe_with_n_best_gives_one_translation_and_no_alternatives() -> None:
    with Asking(echo_service(echo_model(search=SearchConfig(n_best=3)))) as asking:
        assert asking.post("/translate", {"q": "ab", **DE_EN}).json() == {"translatedText": "ba"}


def test_auto_is_the_only_source_language(asking: Asking) -> None:
    detected = {"confidence": 100.0, "language": "de"}
    answer = asking.post("/translate", {"q": "ab", "source": "auto", "target": "en"})
    assert answer.json() == {"translatedText": "ba", "detectedLanguage": detected}
    answer = asking.post("/translate", {"q": ["ab", "c"], "source": "auto", "target": "en"})
    assert answer.json()["detectedLanguage"] == [detected, detected]
    assert asking.post("/detect", {"q": "whatever"}).json() == [detected]
    assert asking.post("/detect", data={"q": "whatever"}).json() == [detected]


def test_auto_among_several_source_languages_is_refused() -> None:
    with several() as asking:
        sentence = refused(asking.post("/translate", {"q": "ab", "source": "auto", "target": "en"}), 400)
        assert "source must be one of de, fr" in sentence
        assert "source must be one of de, fr" in refused(asking.post("/detect", {"q": "a"}), 400)
        answer = asking.post("/translate", {"q": "ab", "source": "auto", "target": "pt_BR"})
        assert answer.json()["detectedLanguage"]["language"] == "de"


def test_auto_leaves_out_models_of_unknown_languages() -> None:
    with Asking(echo_service(echo_model("x", None, None), echo_model())) as asking:
        assert asking.post("/detect", {"q": "ab"}).json() == [{"confidence": 100.0, "language": "de"}]


def test_languages_have_names_and_targets() -> None:
    with several() as asking:
        assert asking.get("/languages").json() == [
            {"code": "de", "name": "German", "targets": ["en", "pt_BR"]},
            {"code": "fr", "name": "French", "targets": ["en"]},
            {"code": "en", "name": "English", "targets": []},
            {"code": "pt_BR", "name": "Portuguese (BR)", "targets": []},
        ]
        settings = asking.get("/frontend/settings").json()
    assert settings["language"]["target"] == {"code": "en", "name": "English"}
    assert settings["charLimit"] == 20_000
    assert settings["keyRequired"] is False


def test_a_model_of_unknown_languages_cannot_be_chosen_by_them() -> None:
    with Asking(echo_service(echo_model("run", None, None))) as asking:
        assert asking.get("/languages").json() == []
        assert "there is no model" in refused(asking.post("/translate", {"q": "ab", **DE_EN}), 400)
        assert "de-en=RUN" in refused(asking.post("/detect", {"q": "ab"}), 400)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"q": 7}, "q must be a string or a list of strings, but is 7"),
        ({"q": None}, "q must be a string or a list of strings, but is null"),
        ({"q": ["a", 7]}, "q must be a string or a list of strings, but is a list"),
        ({"source": ""}, "there is no model from '' to 'en', but de-en"),
        ({"target": "tlh"}, "there is no model from 'de' to 'tlh', but de-en"),
        ({"format": "pdf"}, 'format must be text or html, but is "pdf"'),
        ({"alternatives": -1}, "alternatives must be a whole number of at least 0, but is -1"),
        ({"alternatives": "many"}, 'alternatives must be a whole number of at least 0, but is "many"'),
        ({"alternatives": 99}, "alternatives must be at most 19 on this server, but is 99"),
        ({"q": "a problem"}, "q cannot be translated: it says so"),
        ({"q": "x", "source": [], "target": {}},
         "source must be the code of a language, or auto, but is a list; target must be the code of a language, but is "
         "an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(asking: Asking, changes: dict[str, Any], sentence: str) -> None:
    assert refused(asking.post("/translate", {"q": "ab", **DE_EN, **changes}), 400) == sentence


def test_what_is_missing_is_told(asking: Asking) -> None:
    sentence = refused(asking.post("/translate", {"q": "ab"}), 400)
    assert "source must be the code of a language, or auto, but is missing; target must" in sentence


def test_html_keeps_its_tags_and_entities_and_what_is_not_translated(asking: Asking) -> None:
    html = "<p>ab &amp; cd</p>\n<code>x</code><p><b>ef</b></p>"
    answer = asking.post("/translate", {"q": html, **DE_EN, "format": "html", "alternatives": 1}).json()
    assert answer["translatedText"] == "<p>dc &amp; ba</p>\n<code>x</code><p><b>fe</b></p>"
    assert answer["alternatives"] == ["<p>dc &amp; ba1</p>\n<code>x</code><p><b>fe1</b></p>"]


def test_html_of_too_many_tags_is_refused(asking: Asking) -> None:
    sentence = refused(asking.post("/translate", {"q": "x<b>" * 501, **DE_EN, "format": "html"}), 413)
    assert sentence == "a paragraph of q must have at most 500 tags, but one has 501"
    sentence = refused(asking.post("/translate", {"q": "<p>" * 8000, **DE_EN, "format": "html"}), 413)
    assert sentence == "a request must have at most 20000 characters, but has 24000"


def test_other_keys_are_ignored(asking: Asking) -> None:
    assert asking.post("/translate", {"q": "ab", **DE_EN, "secret": "x"}).json() == {"translatedText": "ba"}
