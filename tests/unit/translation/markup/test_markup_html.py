from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_up import translated

from nmt.translation.markup.document import read_markup
from nmt.translation.markup.html_events import read_html

PIECES = (
    *("<p>", "</p>", "<b>", "</B>", "<i class=x>", "</i>", "<br>", "<IMG SRC='a>b'>", "<!-- c > d -->", "<li>", "</>"),
    *("text", "More words. ", " ", "\n", "&nbsp;", "&amp;", "&lt;b&gt;", "&mdash;", "AT&T", "&#", "a < b", "<b"),
    *(
        "<pre>",
        "</pre>",
        "<span translate=no>",
        "<code>",
        "</code>",
        "</span>",
        "<script>if (a<b) x()</script>",
        "<x-y>",
    ),
    *("<?p?>", "\u4f60\u597d", "<!DOCTYPE html>", "<div class='a notranslate'>", "</div>", "<![CDATA[q]]>"),
)

ANY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = Counter[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[f"{tag}{attrs}"] += 1

    def handle_endtag(self, tag: str) -> None:
        self.found[f"/{tag}"] += 1

    def handle_comment(self, data: str) -> None:
        self.found[f"!{data}"] += 1


def kept(text: str) -> str:
    """The text without what tells nothing: spaces, and how a bare < is written."""
    return "".join(text.split()).replace("&lt;", "<")


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_a_page_of_which_nothing_is_translated_stays_as_it_is(page: str) -> None:
    document = read_markup(page, "html")
    assert document.restored([None] * len(document.texts)) == page
    assert not any("\n" in text for text in document.texts)


@settings(max_examples=100, deadline=None)
@given(ANY, st.integers(0, 10**6))
def test_all_tags_come_back_whatever_the_alignment(page: str, seed: int) -> None:
    document = read_markup(page, "html")
    targets = [translated(text, "One, two & three.", seed=seed) for text in document.texts]
    restored = document.restored(targets)
    assert Tags(restored).found == Tags(page).found
    again = read_markup(restored, "html")
    assert len(again.texts) == len(document.texts)
    for text in again.texts:
        assert kept(text) == kept("One, two & three.")


@settings(max_examples=100, deadline=None)
@given(ANY, st.integers(0, 10**6))
def test_a_copied_page_stays_as_it_is_but_for_its_spaces(page: str, seed: int) -> None:
    document = read_markup(page, "html")
    targets = [translated(text, text, seed=seed, copied=True) for text in document.texts]
    assert kept(document.restored(targets)) == kept(page)


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("<p>One<p>Two<ul><li>A<li>B <b>b</b></ul>", ["One", "Two", "A", "B b"]),
        ("<TABLE><tr><td>x<td>y</table>", ["x", "y"]),
        ("One.<br>Two<br/>three", ["One.", "Two", "three"]),
        ("See <span translate='no'>Foo <b>Bar</b></span> now", ["See  now"]),
        ("<div translate=no><p>a<div>b</div></div>c", ["c"]),
        ("<p translate=no>a<p>b", ["b"]),
        ("<li class='x notranslate'>a<ul><li>b</ul>c<li>d", ["d"]),
        ("<p><span translate=no>a</p>b", ["b"]),
        ("<style>b { }</style><script>a < b</script><title>T</title><pre>x</pre>", ["T"]),
        ("use <code>x = 1</code> here", ["use  here"]),
        ("caf&eacute; &amp; AT&T &unknown; a < b", ["caf\u00e9 & AT&T &unknown; a < b"]),
        ("<a href=x><h3>Title</h3> more</a>", ["Title", "more"]),
        ("&notit; &#x110000;", ["\u00acit; \ufffd"]),
        ("two\nlines", ["two lines"]),
        ("<p>&nbsp;</p>", []),
    ],
)
def test_what_is_translated_together(page: str, texts: list[str]) -> None:
    assert read_markup(page, "html").texts == texts


@pytest.mark.parametrize("text", ["a <![no section]> b", "a <![ b", "a <![<b>c</b>", "a <![1"])
def test_sections_that_no_parser_knows_stay_as_they_are(text: str) -> None:
    assert "".join(event.raw for event in read_html(text)) == text
