"""Terms of a glossary are found in lines, and their translations become constraints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.core.errors import DataError
from nmt.translation.requests.glossary import Glossary
from nmt.translation.requests.request import Request

TERMS = {"Hund": "dog", "kleiner  Hund": "puppy", "Hunde": "dogs", "z.B.": "e.g.", "犬": "hound"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ein Hund.", ["dog"]),
        ("Ein kleiner\u00a0Hund und ein Hund", ["puppy", "dog"]),
        ("Hundehütte, hund, Schoßhund", []),
        ("Hunde (Hund)", ["dogs", "dog"]),
        ("z.B. dies", ["e.g."]),
        ("小犬が", ["hound"]),
        ("", []),
    ],
)
def test_the_longest_terms_in_whole_words(text: str, found: list[str]) -> None:
    terms = {" ".join(source.split()): target for source, target in TERMS.items()}
    assert Glossary(terms).translations(text) == found


def test_case_by_option() -> None:
    assert Glossary({"Hund": "dog", "STRASSE": "street"}, ignore_case=True).translations("hund HUND Straße") == [
        "dog",
        "dog",
        "street",
    ]


@given(st.lists(st.text("ab -", min_size=1, max_size=4).filter(str.strip), max_size=6), st.text("ab -", max_size=12))
def test_terms_are_found_as_a_regular_expression_finds_them(terms: list[str], text: str) -> None:
    table = {" ".join(term.split()): " ".join(term.split()) for term in terms}
    text = " ".join(text.split())
    if table:
        parts = [_bounded(term) for term in sorted(table, key=lambda term: -len(term))]
        assert Glossary(table).translations(text) == re.findall("|".join(parts), text)


def _bounded(term: str) -> str:
    return (r"(?<!\w)" if term[0].isalnum() else "") + re.escape(term) + (r"(?!\w)" if term[-1].isalnum() else "")


def test_translations_join_the_constraints() -> None:
    lines = ["Ein Hund", "nichts", Request("Hund Hund", constraints=("x", "dog"), prefix="A")]
    assert [*Glossary({"Hund": "dog"}).applied(lines)] == [
        Request("Ein Hund", constraints=("dog",)),
        "nichts",
        Request("Hund Hund", constraints=("x", "dog"), prefix="A"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n\nc\n", "line 3: must be a term, a tab and its translation, but is 'c'"),
        ("a\tb\tc\n", "line 1: must be a term"),
        ("a\t \n", "line 1: must be a term"),
        ("a\tb\nc\td\na\tc\n", "line 3: 'a' must have one translation, but has 'b' in line 1"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        Glossary.read(path)
    with pytest.raises(DataError, match="there is no such glossary"):
        Glossary.read(tmp_path / "none.tsv")


def test_case_makes_terms_differ_unless_it_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("a\tb\nA\tc\n")
    assert Glossary.read(path).translations("A a") == ["c", "b"]
    with pytest.raises(DataError, match="must have one translation"):
        Glossary.read(path, ignore_case=True)
