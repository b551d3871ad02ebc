"""Requests as JSON lines: what they ask, what passes through, and what is said of wrong ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_run import SEARCH, sentences

from nmt.core.errors import DataError
from nmt.core.storage.files import LineCount
from nmt.search.search_config import SearchConfig
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output.writers import jsonl
from nmt.translation.requests.json_lines import read_requests
from nmt.translation.requests.request import Request
from nmt.translation.requests.tags import Tags
from nmt.translation.translator import Translator

GOOD = '{"text": "ab"}'


ONE, MANY = Tags(), Tags(("<2de>", "<2fr>"), always=True)


def read(*lines: str, errors: Any = "strict", tags: Tags = ONE) -> list[Request]:
    count = LineCount()

    def counted() -> Any:
        for line in lines:
            count.lines += 1
            yield line

    return [*read_requests(counted(), "in.jsonl", count=count, search=SEARCH, tags=tags, errors=errors)]


def test_all_fields() -> None:
    fields = {"text": "ab", "prefix": "c", "constraints": ["d e"], "avoid": ["f"], "search": {"beam_size": 7}}
    (found,) = read(json.dumps({**fields, "id": 3, "meta": {"a": [None]}}))
    assert found == Request(
        "ab",
        prefix="c",
        constraints=("d e",),
        avoid=("f",),
        search=replace(SEARCH, beam_size=7),
        extra={"id": 3, "meta": {"a": [None]}},
    )
    assert read(GOOD) == [Request("ab")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "must be a JSON object, but is not JSON"),
        ("{", "must be a JSON object, but is not JSON"),
        ("[" * 100_000, "must be a JSON object, but is not JSON"),
        ("9" * 5000, "must be a JSON object, but is not JSON"),
        ("[]", "must be a JSON object, but is a list"),
        ("3", "must be a JSON object, but is a number"),
        ("{}", 'must have "text", but has not'),
        ('{"text": null}', "text must be a string, but is null"),
        ('{"text": "a\\nb"}', "text must be one line, but has a line feed"),
        ('{"text": "a", "prefix": 3}', "prefix must be a string, but is a number"),
        ('{"text": "a", "constraints": "b"}', 'constraints must be a list of strings, but is "b"'),
        ('{"text": "a", "avoid": ["b", 3]}', 'avoid must be a list of strings, but is ["b", 3]'),
        ('{"text": "a", "search": true}', "search must be an object, but is true or false"),
        ('{"text": "a", "search": {"beam_sise": 3}}', "search.beam_sise is not a known key; did you mean `beam_size`?"),
        ('{"text": "a", "search": {"beam_size": 0}}', "search.beam_size must be at least 1, but is 0"),
        ('{"text": "a", "id": NaN}', "numbers must be finite"),
        ('{"text": "a", "id": [1e400]}', "numbers must be finite"),
        (r'{"text": "a\ud800"}', r"'text' must have characters, but has half of a surrogate pair, '\ud800'"),
        (r'{"text": "a", "constraints": ["b\udfff"]}', "'constraints' must have characters, but has half"),
        (r'{"text": "a", "id": {"x": ["\ud83d"]}}', "'id' must have characters, but has half"),
        (r'{"text": "a", "\udc00": 1}', r"'\udc00' must have characters, but has half"),
        ('{"text": "a", "hypotheses": 3}', "hypotheses must have another name"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(line: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(GOOD, line)
    assert str(caught.value).startswith("in.jsonl: line 2: ")
    assert message in str(caught.value)
    first, second, third = read(GOOD, line, GOOD, errors="replace")
    assert (first, third) == (Request("ab"), Request("ab"))
    assert message in second.problem


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read(r'{"text": "\ud83d\ude00"}') == [Request("\U0001f600")]


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Bundle:
    return Bundle.load(tiny_run, device="cpu")


def test_each_line_is_searched_for_in_its_own_way(bundle: Bundle) -> None:
    lines = sentences(6, seed=9)
    ways = [
        SEARCH,
        replace(SEARCH, strategy="greedy"),
        replace(SEARCH, strategy="sampling", n_best=3, seed=4),
        replace(SEARCH, n_best=3, length_penalty=0.0),
        None,
        replace(SEARCH, beam_size=1),
    ]
    requests = [Request(text, search=way) for text, way in zip(lines, ways, strict=True)]
    translator = Translator([bundle], search=SEARCH)
    for number, (request, found) in enumerate(zip(requests, translator.translate(requests), strict=True), start=1):
        alone = Translator([bundle], search=request.search or SEARCH)
        (wanted,) = alone.translate_lines([request.text], first=number)
        assert [each.text for each in found.hypotheses] == [each.text for each in wanted.hypotheses]
        assert found.score == pytest.approx(wanted.score, abs=2e-3)


def test_other_keys_pass_through_and_problems_are_told(bundle: Bundle) -> None:
    requests = [
        Request("ab cd", extra={"id": 7}),
        Request("", extra={"id": 8}),
        Request("ab", constraints=("☃",), extra={"id": 9}),
        Request("", problem="text is wrong"),
        Request("ab", search=SearchConfig(beam_size=0)),
    ]
    records = [json.loads(jsonl(each)) for each in Translator([bundle], search=SEARCH).translate(requests)]
    assert [record.get("id") for record in records] == [7, 8, 9, None, None]
    assert [record.get("problem", "") for record in records][:2] == ["", ""]
    assert "cannot spell" in records[2]["problem"]
    assert records[3]["problem"] == "text is wrong"
    assert "beam_size must be at least 1" in records[4]["problem"]


def test_a_target_language_is_read_where_a_model_has_several_and_passed_through() -> None:
    line = '{"text": "ab", "target_language": "fr"}'
    (asked,), (passed,) = read(line, tags=MANY), read(line)
    assert (asked.target_language, passed.target_language) == ("fr", None)
    assert asked.extra == passed.extra == {"target_language": "fr"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('"it"', "target_language must be one of de, fr, but is 'it'"),
        ('["fr"]', "target_language must be a string, but is a list"),
        ("null", "target_language must be a string, but is null"),
    ],
)
def test_a_wrong_target_language_is_told_with_its_line(given: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(GOOD, f'{{"text": "ab", "target_language": {given}}}', tags=MANY)
    assert str(error.value) == f"in.jsonl: line 2: {message}"
