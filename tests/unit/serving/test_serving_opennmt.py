from __future__ import annotations

from typing import Any

import pytest
from echoing import Asking, echo_model, echo_service, refused

from nmt.search.search_config import SearchConfig


@pytest.fixture
def asking() -> Any:
    models = (echo_model(), echo_model("other", "en", "fr", search=SearchConfig(n_best=2)))
    with Asking(echo_service(*models)) as opened:
        yield opened


def test_lines_are_translated_by_the_model_of_the_first(asking: Asking) -> None:
    answer = asking.post("/translator/translate", [{"id": 0, "src": "ab"}, {"src": "cd e"}])
    each = {"n_best": 1, "pred_score": -1.5}
    assert answer.json() == [[{"src": "ab", "tgt": "ba", **each}, {"src": "cd e", "tgt": "e dc", **each}]]


@pytest.mark.parametrize("name", [1, "other"])
def test_there_is_a_list_for_each_rank(asking: Asking, name: int | str) -> None:
    answer = asking.post("/translator/translate", [{"id": name, "src": "ab"}, {"src": "cd"}]).json()
    assert [[each["tgt"] for each in rank] for rank in answer] == [["ba", "dc"], ["ba1", "dc1"]]
    assert answer[0][0]["n_best"] == 2


def test_the_media_type_is_not_asked_for(asking: Asking) -> None:
    answer = asking.post("/translator/translate", content=b'[{"src": "ab"}]', headers={"Content-Type": "text/plain"})
    assert answer.json()[0][0]["tgt"] == "ba"


def test_models_are_listed(asking: Asking) -> None:
    models = asking.get("/translator/models").json()
    assert [(each["model_id"], each["models"]) for each in models] == [(0, ["de-en"]), (1, ["other"])]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"src": "ab"}, "the body must be a list of objects, but is an object"),
        ([], "the body must be a list of objects, but is an empty one"),
        ([{"src": "ab"}, "cd"], "[1] must be an object, but is a string"),
        ([{"src": "ab"}, {"src": 1}], "[1].src must be a string, but is 1"),
        ([{"id": 0}], "[0].src must be a string, but is missing"),
        ([{"src": "ab", "id": 2}], "id must be a number below 2 or the name of a model, but is 2"),
        ([{"src": "ab", "id": True}], "[0].id must be the number or the name of a model, but is true"),
        ([{"src": "ab", "id": "no"}], "there is no model 'no', but de-en, other"),
        ([{"src": "a problem"}], "src cannot be translated: it says so"),
    ],
)
def test_what_is_wrong_is_told(asking: Asking, body: Any, sentence: str) -> None:
    assert refused(asking.post("/translator/translate", body), 400) == sentence
