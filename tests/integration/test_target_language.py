"""A model of several languages, as a person asks the commands for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_translate_command import Streams, as_bytes
from tiny_run import make_run, sentences

from nmt.cli import align, evaluate
from nmt.translation.translator import Translator

LINES = sentences(4, seed=9, longest=5)
TAGGED = [f"<2fr> {line}" for line in LINES]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("many") / "run", tags=("<2de>", "<2fr>"))


@pytest.fixture(scope="module")
def french(many: Path) -> list[str]:
    return [each.text for each in Translator.load(many, target_language="fr").translate(LINES)]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Streams:
    return Streams(monkeypatch, capfdbinary)


def test_the_command_or_a_line_says_the_language(command: Streams, many: Path, french: list[str]) -> None:
    lines = ["", *LINES]
    assert command(many, "--target-language", "fr", given=as_bytes(lines)) == as_bytes(["", *french])
    mixed = [LINES[0], *TAGGED[1:]]
    found = command(many, "--target-language", "de", "--processes", 2, "--window", 2, given=as_bytes(mixed))
    german = command(many, "--target-language", "de", given=as_bytes(LINES))
    assert found == as_bytes([german.decode().split("\n")[0], *french[1:]]) != german


def test_json_lines_say_their_own_language(command: Streams, many: Path, french: list[str]) -> None:
    asked = [{"text": line, "target_language": "fr", "id": number} for number, line in enumerate(LINES)]
    given = as_bytes([json.dumps(each) for each in asked])
    found = [json.loads(each) for each in command(many, *_JSON, given=given).splitlines()]
    assert [each["hypotheses"][0]["text"] for each in found] == french
    assert [(each["source"], each["target_language"]) for each in found] == [(line, "fr") for line in LINES]


_JSON = ("--input-format", "jsonl", "--format", "jsonl")


def test_markup_is_carried_over(command: Streams, many: Path) -> None:
    given = as_bytes([f"<b>{line}</b>" for line in LINES])
    found = command(many, "--markup", "xml", "--target-language", "fr", given=given).decode().splitlines()
    assert all(each.startswith("<b>") and each.endswith("</b>") for each in found)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ((), ["", LINES[0]], "standard input: line 2: must begin with a tag, as all that the model has learnt from: "
                             "<2de>, <2fr>, or give the target language (de, fr)"),
        (("--target-language", "it"), LINES, "target_language must be one of de, fr, but is 'it'"),
        (_JSON, ['{"text": "ab", "target_language": "it"}'], "standard input: line 1: target_language must be one of"),
        (_JSON, ['{"text": "ab"}'], "standard input: line 1: must begin with a tag"),
    ],
)  # fmt: skip
def test_a_missing_or_unknown_language_is_told(
    command: Streams, many: Path, options: tuple[str, ...], given: list[str], message: str
) -> None:
    command(many, *options, given=as_bytes(given), status=1)
    assert message in command.errors
    assert "Traceback" not in command.errors


def test_lines_without_a_tag_are_left_untranslated_where_errors_are_replaced(
    command: Streams, many: Path, french: list[str]
) -> None:
    given = as_bytes([LINES[0], *TAGGED[1:]])
    assert command(many, "--errors", "replace", given=given, status=1) == as_bytes(["", *french[1:]])
    assert "line 1 is left untranslated: must begin with a tag" in command.errors


def test_scores_and_alignments_are_those_of_the_language(
    many: Path, french: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "en").write_bytes(as_bytes(LINES))
    (tmp_path / "fr").write_bytes(as_bytes(french))
    sides = [str(tmp_path / "en"), str(tmp_path / "fr")]
    assert evaluate.main([str(many), *sides, "--target-language", "fr", "--format", "json", "--quiet"]) == 0
    assert json.loads(capfd.readouterr().out)["scores"][1]["value"] == pytest.approx(100.0)
    assert align.main([str(many), *sides, "--target-language", "fr", "--quiet"]) == 0
    found = capfd.readouterr().out.splitlines()
    pairs = [[tuple(map(int, link.split("-"))) for link in line.split()] for line in found]
    assert len(pairs) == len(LINES) and any(pairs)
    for links, source, target in zip(pairs, LINES, french, strict=True):
        assert all(one < len(source.split()) and other < len(target.split()) for one, other in links)
    for tool in (evaluate, align):
        assert tool.main([str(many), *sides]) == 1
        assert f"{sides[0]}: line 1: must begin with a tag" in capfd.readouterr().err


def test_gold_links_do_not_count_a_tag(many: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "en").write_bytes(as_bytes(TAGGED))
    (tmp_path / "fr").write_bytes(as_bytes(LINES))
    command = [str(each) for each in (many, tmp_path / "en", tmp_path / "fr", "--gold", tmp_path / "gold")]
    (tmp_path / "gold").write_bytes(as_bytes(["0-0"] * len(LINES)))
    assert align.main(command) == 0 and "AER" in capfd.readouterr().err
    (tmp_path / "gold").write_bytes(as_bytes([f"{len(LINES[0].split())}-0", *["0-0"] * (len(LINES) - 1)]))
    assert align.main(command) == 1 and "line 1: link" in capfd.readouterr().err


def test_the_test_set_of_a_recipe_has_its_own_language(many: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([str(many), "--target-language", "fr"]) == 2
    assert "for other settings, give source and reference" in capfd.readouterr().err


def test_a_model_of_one_language_is_asked_for_none(command: Streams, tiny_run: Path) -> None:
    command(tiny_run, "--target-language", "fr", given=b"ab\n", status=1)
    assert "target_language must be left out, since this model has one, but is 'fr'" in command.errors
