from __future__ import annotations

import json
from typing import Any

import pytest
from echoing import Asking, echo_model, echo_service, refused

from nmt.core.errors import DataError
from nmt.search.search_config import SearchConfig


@pytest.fixture
def asking() -> Any:
    models = (echo_model(), echo_model("greedy", "en", "fr", search=SearchConfig(strategy="greedy")))
    with Asking(echo_service(*models)) as opened:
        yield opened


def taken(asking: Asking, model: int = 0) -> list[Any]:
    engine: Any = asking.service.registry.models[model].engine
    return list(engine.taken)


def test_a_line_is_answered_by_the_record_of_the_json_lines(asking: Asking) -> None:
    answer = asking.post("/v1/translate", {"text": "ab cd", "id": {"mine": 7}}).json()
    (hypothesis,) = answer.pop("hypotheses")
    assert answer == {"line": 1, "source": "ab cd", "source_spans": [[0, 2], [3, 5]], "id": {"mine": 7}}
    assert hypothesis["text"] == "dc ba"
    assert hypothesis["spans"] == [[0, 2], [3, 5]]
    assert "weights" not in hypothesis


def test_lines_are_numbered_from_1_and_keep_their_own_keys(asking: Asking) -> None:
    answer = asking.post("/v1/translate", {"lines": [{"text": "ab", "id": 1}, {"text": "cd", "id": "x"}]}).json()
    assert [(each["line"], each["id"], each["source"]) for each in answer["lines"]] == [(1, 1, "ab"), (2, "x", "cd")]
    assert asking.post("/v1/translate", {"lines": []}).json() == {"lines": []}


def test_attention_and_entry_are_given_on_request(asking: Asking) -> None:
    answer = asking.post("/v1/translate", {"text": "ab cd", "attention": True, "entry": True}).json()
    assert len(answer["hypotheses"][0]["weights"]) == 2
    assert answer["entry"]["source"]["words"] == ["ab", "cd"]
    assert answer["entry"]["number"] == 1


def test_what_is_asked_of_a_line_reaches_the_model(asking: Asking) -> None:
    line = {"text": "ab", "prefix": "x", "constraints": ["y"], "avoid": ["z"], "search": {"beam_size": 7}}
    asking.post("/v1/translate", {**line, "tree": True})
    asking.post("/v1/translate", {"lines": [line]})
    request, other = taken(asking)
    assert (request.tree, other.tree) == (True, False)
    assert (request.prefix, request.constraints, request.avoid) == ("x", ("y",), ("z",))
    assert request.search == SearchConfig(beam_size=7)


@pytest.mark.parametrize(
    ("chosen", "model"),
    [
        ({}, 0),
        ({"model": "greedy"}, 1),
        ({"source": "en", "target": "fr"}, 1),
        ({"target": "fr"}, 1),
        ({"source": "en"}, 1),
    ],
)
def test_a_model_is_chosen_by_name_or_languages(asking: Asking, chosen: dict[str, str], model: int) -> None:
    asking.post("/v1/translate", {"text": "ab", **chosen})
    assert [line.text for line in taken(asking, model)] == ["ab"]


def test_models_are_listed(asking: Asking) -> None:
    answer = asking.get("/v1/models").json()
    assert [(each["name"], each["source"], each["target"]) for each in answer["models"]] == [
        ("de-en", "de", "en"),
        ("greedy", "en", "fr"),
    ]
    assert answer["models"][1]["search"]["strategy"] == "greedy"
    assert answer["limits"]["beam_size"] == 20


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (["ab"], "the body must be an object, but is a list"),
        ({}, 'must have "text", but has not'),
        ({"text": 1}, "text must be a string, but is a number"),
        ({"text": "a\nb"}, "text must be one line, but has a line feed"),
        ({"text": "ab", "constraints": "x"}, 'constraints must be a list of strings, but is "x"'),
        ({"text": "ab", "search": {"beam": 2}}, "search.beam"),
        ({"text": "ab", "search": {"beam_size": 21}}, "search.beam_size must be at most 20 on this server, but is 21"),
        ({"text": "ab", "search": {"max_length_offset": 100_000}}, "search.max_length_offset must be at most 200"),
        ({"text": "ab", "hypotheses": 1}, "hypotheses must have another name"),
        ({"text": "ab", "model": "no"}, "there is no model 'no', but de-en, greedy"),
        ({"text": "ab", "model": 1}, "model must be the name of a model, but is 1"),
        ({"text": "ab", "source": "xx", "target": "yy"}, "there is no model from 'xx' to 'yy'"),
        ({"text": "ab", "target": "yy"}, "there is no model"),
        ({"text": "ab", "attention": "yes"}, 'attention must be true or false, but is "yes"'),
        ({"lines": "ab"}, 'lines must be a list of objects, but is "ab"'),
        ({"lines": [{"text": "ab"}, {"text": 1}]}, "lines[1]: text must be a string, but is a number"),
        ({"lines": [{"text": "ab"}, 7]}, "lines[1]"),
        ({"lines": [{"text": "ab", "tree": True}]}, "lines[0]: tree must stand beside lines"),
        ({"lines": [{"text": "ab"}], "text": "ab"}, "text must stand in a line"),
    ],
)
def test_what_is_wrong_is_told(asking: Asking, body: Any, sentence: str) -> None:
    assert sentence in refused(asking.post("/v1/translate", body), 400)


def test_a_line_that_cannot_be_translated_is_refused_alone_and_told_among_others(asking: Asking) -> None:
    sentence = refused(asking.post("/v1/translate", {"text": "a problem"}), 422)
    assert sentence == "the line cannot be translated: it says so"
    answer = asking.post("/v1/translate", {"lines": [{"text": "ab"}, {"text": "a problem"}]}).json()
    assert [each.get("problem") for each in answer["lines"]] == [None, "it says so"]


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


def test_a_stream_has_the_text_as_it_grows(asking: Asking) -> None:
    answer = asking.post("/v1/translate/stream", {"text": "ab\u2028c"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, end = events(answer.text)
    assert deltas == [("message", {"text": letter}) for letter in "c\u2028ba"]
    assert end == ("end", {"text": "c\u2028ba"})


def test_a_stream_that_cannot_begin_is_refused_by_a_status() -> None:
    with Asking(echo_service(echo_model(failure=DataError("not\nso")))) as asking:
        assert refused(asking.post("/v1/translate/stream", {"text": "ab"}), 400) == "not; so"
        assert "text must be" in refused(asking.post("/v1/translate/stream", {"text": 1}), 400)


def test_a_stream_that_fails_on_its_way_ends_in_an_error() -> None:
    model = echo_model()
    engine: Any = model.engine

    async def stream(_line: Any) -> Any:
        yield "a"
        raise DataError("it broke")

    engine.stream = stream
    with Asking(echo_service(model)) as asking:
        answer = asking.post("/v1/translate/stream", {"text": "ab"})
    assert events(answer.text) == [("message", {"text": "a"}), ("error", {"error": "it broke"})]
