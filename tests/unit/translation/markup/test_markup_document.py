"""Whatever the text and the alignment, what comes out is well-formed and has all that went in."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_up import translated

from nmt.core.errors import DataError
from nmt.translation.markup.document import Document, read_markup

WORDS = st.lists(
    st.sampled_from(["ab", "Cd", "e", ",", ".", "f\u0301", "don't", "\u4f60\u597d", "x-y", "(", ")", "&", "<", ">",
                     "]]>", "\u2014", '"', "\u00a0", "\ufffe", "\U0001f600", "=", "12"]), max_size=8,
)  # fmt: skip
TEXT = st.builds(lambda words, spaces: "".join(w + s for w, s in zip(words, spaces, strict=False)), WORDS,
                 st.lists(st.sampled_from(["", " ", " ", "  "]), min_size=8, max_size=8))  # fmt: skip


def escaped(text: str, style: int) -> str:
    written = {"&": ["&amp;", "&#38;"], "<": ["&lt;", "&#x3c;"], ">": ["&gt;", ">"], "\u2014": ["&#x2014;", "\u2014"]}
    text = text.replace("\ufffe", "")  # not a character of XML
    text = "".join(written.get(each, [each, each])[style] for each in text)
    return text.replace("]]>", "]]&gt;")


@st.composite
def xml(draw: st.DrawFn, depth: int = 3) -> str:
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["text", "element", "element", "empty", "comment", "instruction", "section"]))
        if kind == "element" and depth:
            name = draw(st.sampled_from(["b", "i", "g"]))
            attributes = draw(st.sampled_from(["", ' id="1"', " a='<>' ".replace("<", "&lt;")]))
            parts.append(f"<{name}{attributes}>{draw(xml(depth=depth - 1))}</{name}>")
        elif kind == "empty":
            parts.append(draw(st.sampled_from(['<x id="1"/>', "<br />", "<y></y>"])))
        elif kind == "comment":
            parts.append("<!-- a <b> -->")
        elif kind == "instruction":
            parts.append("<?php a > b ?>")
        elif kind == "section":
            content = draw(TEXT).replace("]]>", "").replace("\ufffe", "")
            parts.append(f"<![CDATA[{content}]]>")
        else:
            parts.append(escaped(draw(TEXT), draw(st.integers(0, 1))))
    return "".join(parts)


TAGS = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>|<[^<>]*>")


def tags(text: str) -> Counter[str]:
    return Counter(TAGS.findall(re.sub(r"<!\[CDATA\[.*?\]\]>", "<![CDATA[]]>", text)))


def path_texts(text: str) -> list[str]:
    """Names on the way down to each element, in the order of the tree, children sorted."""
    found = []

    def walk(element: ElementTree.Element, path: str) -> None:
        for child in element:
            found.append(f"{path}/{child.tag}{sorted(child.attrib)}")
            walk(child, found[-1])

    walk(ElementTree.fromstring(f"<r>{text}</r>"), "")
    return sorted(found)


def characters(text: str) -> str:
    return "".join("".join(ElementTree.fromstring(f"<r>{text}</r>").itertext()).split())


def only(document: Document) -> str:
    return document.texts[0] if document.texts else ""


@settings(max_examples=100, deadline=None)
@given(xml(), TEXT, st.integers(0, 10**6))
def test_nothing_is_lost_or_crossed_whatever_the_alignment(source: str, translation: str, seed: int) -> None:
    document = read_markup(source, "xml")
    if not document.texts:
        assert document.restored([]) == source
        return
    restored = document.restored([translated(document.texts[0], translation, seed=seed)])
    assert characters(restored) == "".join(translation.replace("\ufffe", "\ufffd").split())
    assert path_texts(restored) == path_texts(source)
    if "]]>" not in translation:  # which divides a section
        assert tags(restored) == tags(source)


@settings(max_examples=100, deadline=None)
@given(xml(), st.integers(0, 10**6), st.integers(1, 5))
def test_a_copied_sentence_gets_its_tags_where_they_were(source: str, seed: int, longest: int) -> None:
    document = read_markup(source, "xml")
    for text in document.texts:
        target = translated(text, text, seed=seed, copied=True, longest=longest)
        assert document.restored([target]) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <b>c", "<b> at character 3 is not closed"),
        ("a</b>", "the tag that ends at character 4 closes nothing"),
        ("</_><_>", "</_> at character 1 closes nothing"),
        ("<b><i>x</b></i>", "the tag that ends at character 10 closes not <i>, which is open"),
        ("\u00e9 & b", "character 4 is not allowed there (in text, & is written &amp; and < is written &lt;)"),
        ("a &nbsp; b", "the entity at character 3 is none of XML's own"),
        ("a\ud800", "character 2 is half of a surrogate pair"),
        ("<!DOCTYPE a>", "character 3 is not allowed"),
        ('<?xml version="1.0"?>a', "not at start of entity at character 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read_markup(text, "xml")
    assert str(error.value).startswith("must be well-formed XML, but ")
    assert message in str(error.value)
