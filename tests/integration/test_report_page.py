"""The report in a headless browser, with real clicks and keys; skips where no browser is found."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_browser import PATIENCE, launched
from report_entries import HOSTILE, LONG, all_entries, entry, pictured, soft

from nmt.alignment.drawing.labels import clean
from nmt.alignment.report.document import ReportWriter, report_file
from nmt.alignment.report.json_entries import encode

ATTENTION = soft(3, 4, seed=1)  # of the first sentence
MATRIX, BEAM = "#pictures [data-value=matrix]", "#pictures [data-value=beam]"


# How far, in pixels, the ends of each edge are from the words that it joins.
MISSES = """() => {
  const frame = document.querySelector(".edges").getBoundingClientRect();
  const far = (box, x, y) => Math.max(box.left - x, x - box.right, box.top - y, y - box.bottom);
  return [...document.querySelectorAll(".edge")].map((edge) => {
    const length = edge.getTotalLength(), ends = [edge.getPointAtLength(0), edge.getPointAtLength(length)];
    return Math.max(...["source", "target"].map((side, place) => {
      const word = document.querySelector(`[data-side=${side}][data-index="${edge.dataset[side]}"]`);
      return far(word.getBoundingClientRect(), frame.left + ends[place].x, frame.top + ends[place].y);
    }));
  });
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    with report_file(path, title="A </title> & <b>title</b>", subtitle="of tests") as writer:
        for each in all_entries():
            writer.add(each)
    return path


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, opened; at the end nothing may have gone wrong in it, and nothing been fetched."""
    tab = browser.new_page(viewport={"width": 1300, "height": 900})
    tab.set_default_timeout(PATIENCE)
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: said.append(request.url) if request.url != tab.url.split("#")[0] else None)
    tab.goto(report.as_uri())
    said.clear()  # the page itself
    yield tab
    assert said == []
    tab.close()


def word(page: Any, side: str, index: int) -> Any:
    return page.locator(f'[data-side="{side}"][data-index="{index}"]')


def words(page: Any, side: str) -> list[str]:
    return page.locator(f'[data-side="{side}"]').all_inner_texts()


def listed(page: Any) -> list[str]:
    return page.locator("#list .row .about span:first-child").all_inner_texts()


def heading(page: Any) -> str:
    return page.locator("#heading").inner_text()


def reading(page: Any) -> str:
    return re.sub(r"\s+", " ", page.locator("#reading").inner_text()).strip()


def figure(page: Any, after: str) -> float:
    """The number that is read out after a word; weights are kept to half a step of 255."""
    found = re.search(rf"{after} ([0-9.]+)", reading(page))
    assert found
    return float(found[1])


def go(page: Any, number: int) -> None:
    page.locator(f"#row-{number - 1}").click()


def test_it_opens_with_the_first_sentence(page: Any) -> None:
    assert page.title() == page.locator("h1").inner_text() == "A </title> & <b>title</b>"
    assert heading(page) == "Sentence 1"
    assert listed(page) == [str(number) for number in range(1, 9)]
    assert words(page, "source") == ["das", "kleine", "Haus", "∅"]
    assert words(page, "target") == ["the", "little", "house"]
    assert page.locator("#count").inner_text() == "8"
    assert "confidence 0.70" in re.sub(r"\s+", " ", page.locator("#measures").inner_text())


def test_text_is_text(page: Any) -> None:
    go(page, 2)
    wanted = [clean(each) for each in " ".join(HOSTILE).split()]
    assert [text for text in words(page, "source") if text != "∅"] == wanted
    page.locator(MATRIX).click()
    texts = page.locator('text[data-side="source"]').all_text_contents()
    assert [text for text in texts if text != "∅"] == wanted
    assert page.locator("#row-1 .source").text_content() == " ".join(wanted)
    word(page, "source", 0).hover()
    assert reading(page).startswith(wanted[0])
    assert page.title() == "A </title> & <b>title</b>"
    assert page.locator("img, b, i").count() == 0


def test_hovering_a_word_shows_its_links_both_ways(page: Any) -> None:
    word(page, "target", 2).hover()
    on = page.locator(".edge.on")
    assert on.count() >= 2
    assert {on.nth(i).get_attribute("data-target") for i in range(on.count())} == {"2"}
    assert reading(page).startswith("house target attention Haus")
    assert figure(page, "Haus") == pytest.approx(ATTENTION[2, 2], abs=0.008)
    assert reading(page).endswith("gold Haus")
    word(page, "source", 1).hover()
    assert {on.nth(i).get_attribute("data-source") for i in range(on.count())} == {"1"}
    assert reading(page).startswith("kleine source attention little")
    assert figure(page, "little") == pytest.approx(ATTENTION[1, 1], abs=0.008)
    assert figure(page, "the") == pytest.approx(ATTENTION[0, 1], abs=0.008)
    assert reading(page).endswith("gold little possible")
    page.locator("h1").hover()
    assert on.count() == 0
    assert reading(page).startswith("Hover or focus")


def test_an_edge_joins_its_two_words(page: Any) -> None:
    for number in (1, 4, 6):  # in rows, from right to left, in columns
        go(page, number)
        misses = page.evaluate(MISSES)
        assert len(misses) > 3
        assert max(misses) < 9


def test_layers_are_switched_by_click_and_by_key(page: Any) -> None:
    chips = page.locator("#layers .chip")
    assert chips.all_inner_texts() == ["attention", "gradient-x-input", "links", "gold"]
    state = lambda: [chips.nth(i).get_attribute("aria-pressed") == "true" for i in range(4)]  # noqa: E731
    assert state() == [True, False, False, True]
    assert page.locator(".edge.hue-1, .edge.link").count() == 0
    assert page.locator(".edge.gold").count() == 3
    assert page.locator(".edge.gold.sure").count() == 2
    chips.nth(1).click()
    page.keyboard.press("3")
    page.keyboard.press("4")
    assert state() == [True, True, True, False]
    assert page.locator(".edge.hue-1").count() > 0
    assert page.locator(".edge.link").count() == 3
    assert page.locator(".edge.gold").count() == 0
    page.keyboard.press("m")
    widths = {cell.get_attribute("width") for cell in page.locator(".cell").all()}
    assert widths == {"15"}  # two layers share cells of 30
    assert page.locator(".dot").count() == 3
    word(page, "target", 0).hover()
    assert "gradient-x-input" in reading(page)
    assert "links das" in reading(page)
    go(page, 3)
    assert state() == [True, True, True, False], "the choice stays from sentence to sentence"


def test_a_layer_without_a_scale_is_shaded_by_its_largest_value(page: Any) -> None:
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.locator(MATRIX).click()
    opacities = [float(cell.get_attribute("fill-opacity")) for cell in page.locator(".cell").all()]
    saliency = soft(3, 4, seed=2)  # of the first sentence, times 7
    shares = [share for share in (saliency / saliency.max()).flatten() if share > 0.012]
    assert sorted(opacities)[-len(shares) :] == pytest.approx(sorted(shares), abs=0.004)
    word(page, "target", 0).hover()
    assert figure(page, r"gradient-x-input \S+") > 1


def test_the_matrix_says_what_is_under_the_pointer(page: Any) -> None:
    page.locator(MATRIX).click()
    pane = page.locator(".pane").bounding_box()
    assert pane["width"] == pytest.approx(4 * 30)
    assert pane["height"] == pytest.approx(3 * 30)
    page.mouse.move(pane["x"] + 30 * 2 + 15, pane["y"] + 30 * 2 + 15)
    assert re.search(r"^Haus – house attention \S+ gold sure$", reading(page))
    assert figure(page, "attention") == pytest.approx(ATTENTION[2, 2], abs=0.008)
    page.mouse.move(pane["x"] + 45, pane["y"] + 45)
    assert reading(page).endswith("gold possible")
    assert sorted(page.locator(".matrix .word.on").all_text_contents()) == ["kleine", "little"]
    assert page.locator(".outline").count() == 3
    assert page.locator(".outline.sure").count() == 2


def test_words_and_pieces(page: Any) -> None:
    page.locator("#units [data-value=pieces]").click()
    assert words(page, "source") == ["das", "kle", "ine", "Hau", "s", "eos"]
    assert words(page, "target")[-1] == "eos"
    word(page, "target", 3).hover()
    assert "probability" in reading(page)
    page.keyboard.press("3")
    assert page.locator(".edge.link").count() == 1 * 1 + 2 * 2 + 2 * 2  # pieces of linked words: 1-1, 2-2, 2-2
    page.keyboard.press("p")
    assert words(page, "source") == ["das", "kleine", "Haus", "∅"]


def test_search_sort_and_bounds(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("HAUS")
    assert listed(page) == ["1", "3"]
    assert page.locator("#count").inner_text() == "2 of 8"
    page.keyboard.type(" kleine")
    assert listed(page) == ["1"]
    page.locator("#search").fill('"peace be"')
    assert listed(page) == ["4"]
    assert heading(page) == "Sentence 4"
    page.locator("#search").fill('"be peace"')
    assert listed(page) == []
    assert heading(page) == "Nothing found"
    for key in ("Escape", *"jkmlbpn123", "ArrowDown", "End", "Enter"):
        page.keyboard.press(key)  # nothing to go to, and nothing goes wrong
    page.locator("#search").fill("")
    assert heading(page) == "Sentence 1"
    page.locator("#measure").select_option("entropy")
    # 0.4, 0.9, 1.2, 1.4, 2.5, 3.1; sentences 7 and 8 have none and come last.
    assert listed(page) == ["1", "3", "4", "5", "2", "6", "7", "8"]
    page.locator("#reverse").click()
    assert listed(page) == ["6", "2", "5", "4", "3", "1", "7", "8"]
    page.locator("#least").fill("1")
    page.locator("#most").fill("2.5")
    assert listed(page) == ["2", "5", "4"]
    page.locator("#search").fill("morning")
    assert listed(page) == ["5"]
    page.locator("#search").fill("")
    page.locator("#measure").select_option("line")
    assert listed(page) == list("87654321")


def test_by_keyboard_alone(page: Any) -> None:
    assert page.evaluate("document.activeElement.id") == "list"
    page.keyboard.press("ArrowDown")
    assert heading(page) == "Sentence 2"
    page.keyboard.press("End")
    assert heading(page) == "Sentence 8"
    page.keyboard.press("Home")
    focused = lambda: page.evaluate("(({side, index}) => [side, Number(index)])(document.activeElement.dataset)")  # noqa: E731
    page.keyboard.press("Enter")
    assert focused() == ["source", 0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused() == ["source", 2]
    assert reading(page).startswith("Haus source")
    page.keyboard.press("ArrowDown")
    assert focused() == ["target", 2]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("m")
    assert focused() == ["target", 1], "the word keeps the focus in the other picture"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    assert heading(page) == "Sentence 4"
    page.keyboard.press("ArrowLeft")
    assert focused() == ["source", 1], "the next word of an Arabic sentence is on the left"
    page.keyboard.press("h")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("s")
    assert page.evaluate("document.activeElement.id") == "measure"


def test_the_n_best_are_compared(page: Any) -> None:
    assert page.locator("#hypotheses li").count() == 0
    go(page, 3)
    assert page.locator("#hypotheses .text").all_inner_texts() == ["the house", "a house"]
    assert page.locator("#hypotheses mark").all_inner_texts() == ["a"]
    page.locator("#hypotheses [data-rank='1']").click()
    assert words(page, "target") == ["a", "house"]
    page.keyboard.press("n")
    assert words(page, "target") == ["the", "house"]
    page.keyboard.press("Shift+N")
    assert words(page, "target") == ["a", "house"]


def test_the_beam_of_a_sentence(page: Any) -> None:
    assert page.locator(BEAM).count() == 0
    page.keyboard.press("b")
    assert page.locator(".tree").count() == 0
    go(page, 3)
    page.locator(BEAM).click()
    assert page.locator(".branch").count() == 7
    assert page.locator("#pruned").inner_text() == "2 pruned branches"
    page.locator("#pruned").click()
    assert page.locator(".branch").count() == 9
    assert page.locator(".branch.pruned").count() == 2
    assert page.locator(".branch.winner tspan:first-child").all_text_contents() == ["·the", "·house", "eos"]
    tops = {round(page.locator(".branch.winner").nth(i).bounding_box()["y"]) for i in range(3)}
    assert max(tops) - min(tops) <= 1, "the best hypothesis is one straight line"
    boxes = [branch.bounding_box() for branch in page.locator(".branch").all()]
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            apart = one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            assert apart or abs(one["y"] - other["y"]) > 20
    page.locator('[data-node="7"]').hover()
    assert reading(page) == "a house piece −0.100 (90 %) sum −1.700 score −1.133 fate finished, returned as #2"
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert reading(page).startswith("the house piece −0.200")
    page.keyboard.press("ArrowDown")
    assert "fell out of the beam" in reading(page)
    go(page, 1)
    assert words(page, "source") == ["das", "kleine", "Haus", "∅"], "a sentence without a tree shows its lines"


def test_a_long_sentence_stands_in_columns(page: Any) -> None:
    go(page, 6)
    assert page.locator(".lines.columns").count() == 1
    boxes = [word(page, "source", index).bounding_box() for index in (0, 30, 59)]
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
    assert words(page, "source")[:-1] == LONG.split()
    assert word(page, "target", 0).bounding_box()["x"] > boxes[0]["x"] + boxes[0]["width"] + 100
    overflow = page.evaluate("document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth")
    assert overflow <= 0
    page.locator(MATRIX).click()
    page.locator(".scroller").evaluate("box => box.scrollTo(400, 500)")
    page.wait_for_function("document.querySelector('.scroller').scrollTop == 500")
    left = page.locator(".scroller").bounding_box()["x"]
    # The words stay in sight; they follow the box a moment later.
    for selector, bound in (
        ("[data-side=target]", f"< {left} + 100"),
        ("[data-side=target][data-index='40']", f">= {left}"),
    ):
        page.wait_for_function(f'document.querySelector("{selector}").getBoundingClientRect().x {bound}')


def test_right_to_left(page: Any) -> None:
    go(page, 4)
    across = [word(page, "source", index).bounding_box()["x"] for index in range(4)]
    assert across == sorted(across, reverse=True)
    across = [word(page, "target", index).bounding_box()["x"] for index in range(4)]
    assert across == sorted(across)
    assert page.locator("#row-3 .source").get_attribute("dir") == "rtl"
    go(page, 5)
    across = [word(page, "target", index).bounding_box()["x"] for index in range(4)]
    assert across == sorted(across, reverse=True)


def test_a_blank_side_has_a_note(page: Any) -> None:
    go(page, 8)
    assert page.locator("#note").inner_text() == "A side of this pair is blank."
    assert "Nothing to draw" in page.locator("#picture").inner_text()
    page.keyboard.press("m")
    page.keyboard.press("p")
    go(page, 1)
    assert not page.locator("#note").is_visible()


def test_light_dark_and_paper(page: Any) -> None:
    background = lambda: page.evaluate("getComputedStyle(document.documentElement).backgroundColor")  # noqa: E731
    assert background() == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    dark = background()
    assert sum(map(int, re.findall(r"\d+", dark))) < 120
    page.keyboard.press("t")
    assert background() == "rgb(255, 255, 255)"
    page.keyboard.press("t")
    assert background() == dark
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("aside").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')") == "#fff"
    assert len(page.pdf()) > 1000
    page.emulate_media(media="screen")
    assert words(page, "target") == ["the", "little", "house"]


def test_edges_meet_their_words_on_paper(page: Any) -> None:
    for number in (1, 6):
        go(page, number)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 700, "height": 1000})
        assert max(page.evaluate(MISSES)) < 9
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": 1300, "height": 900})
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert max(page.evaluate(MISSES)) < 9


def test_an_address_names_a_sentence(browser: Any, report: Path) -> None:
    tab = browser.new_page()
    tab.goto(f"{report.as_uri()}#5")
    assert heading(tab) == "Sentence 5"
    tab.keyboard.press("j")
    assert tab.url.endswith("#6")
    tab.goto(f"{report.as_uri()}#99")
    assert heading(tab) in ("Sentence 1", "Sentence 6")
    tab.close()


def test_names_of_several_files(browser: Any, tmp_path: Path) -> None:
    stream = io.BytesIO()
    writer = ReportWriter(stream, title="x")
    writer.add_encoded(encode([entry(1, "a", "b"), entry(2, "a", "b")]), file="one</script>.de", begin=1)
    writer.add_encoded(encode([entry(3, "a", "b")]), file="two.de", begin=3)
    writer.finish()
    (tmp_path / "x.html").write_bytes(stream.getvalue())
    tab = browser.new_page()
    tab.goto((tmp_path / "x.html").as_uri())
    assert listed(tab) == ["one</script>.de:1", "one</script>.de:2", "two.de:1"]
    tab.close()


def test_an_empty_report_says_so(browser: Any, tmp_path: Path) -> None:
    with report_file(tmp_path / "x.html", title="x"):
        pass
    tab = browser.new_page()
    said: list[str] = []
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto((tmp_path / "x.html").as_uri())
    assert heading(tab) == "Nothing found"
    assert said == []
    tab.close()


def test_thousands_of_sentences_are_quick(browser: Any, tmp_path: Path) -> None:
    entropies = {number: (number * 7919) % 5000 / 1000 for number in range(1, 5001)}
    one = encode([entry(1, "satz NUMBER hat ein wort und noch eines", "a word and one more", entropy=9.5)]).decode()
    one = one.replace('"number":1', '"number":NUMBER')
    with report_file(tmp_path / "many.html", title="Many") as writer:
        made = (one.replace("NUMBER", str(n)).replace("9.5", str(entropies[n])) for n in entropies)
        writer.add_encoded(",".join(made).encode())
    tab = browser.new_page(viewport={"width": 1300, "height": 900})
    tab.set_default_timeout(PATIENCE)
    tab.goto((tmp_path / "many.html").as_uri())
    assert tab.locator("#count").inner_text() == "5000"
    assert 10 < tab.locator("#list .row").count() < 40
    took = tab.evaluate("performance.timing.domComplete - performance.timing.responseEnd")
    assert took < 10_000, "a machine that is busy has ten times what is needed"
    took = tab.evaluate(
        """() => {
          const begin = performance.now(), search = document.getElementById("search");
          for (const query of ["satz 12", "satz 123", "satz 1234"]) {
            search.value = query;
            search.dispatchEvent(new Event("input"));
          }
          return performance.now() - begin;
        }"""
    )
    assert took < 3000
    assert listed(tab) == ["1234"]
    tab.locator("#search").fill("")
    tab.locator("#measure").select_option("entropy")
    tab.locator("#list").focus()
    tab.keyboard.press("End")
    assert heading(tab) == f"Sentence {max(entropies, key=entropies.__getitem__)}"
    assert tab.locator("#list .row").count() < 40
    tab.close()


# Opacity of the shade over each of the six cells; none where the whole picture is seen.
SHADES = """() => {
  const shades = document.querySelector(".grid .shades");
  return shades.getAttribute("visibility") === "hidden" ? []
    : [...shades.children].map((shade) => Number(shade.getAttribute("fill-opacity")));
}"""


@pytest.fixture
def pictures(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A page of two pictures, for the second of which a sentinel keeps half of a word's attention."""
    with report_file(tmp_path / "report.html", title="Pictures") as writer:
        for each in (pictured(1), pictured(2, keeps=0.5), entry(3, "ein Satz", "a sentence")):
            writer.add(each)
    tab = browser.new_page(viewport={"width": 1300, "height": 900})
    tab.set_default_timeout(PATIENCE)
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto((tmp_path / "report.html").as_uri())
    yield tab
    assert said == []
    tab.close()


def test_a_word_lights_up_the_part_of_the_picture_that_it_looks_at(pictures: Any) -> None:
    assert pictures.evaluate(SHADES) == []
    word(pictures, "target", 1).hover()
    shades = pictures.evaluate(SHADES)
    assert shades[4] < 0.01 and min(shades[:4] + shades[5:]) > 0.7
    assert pictures.locator(".grid .boxes rect").count() == 1
    word(pictures, "target", 2).hover()
    shades = pictures.evaluate(SHADES)
    assert shades[1] < 0.01 < shades[2] < shades[0]
    assert pictures.locator(".grid .boxes rect").count() == 0
    word(pictures, "target", 0).hover()
    assert max(pictures.evaluate(SHADES)) < 0.01
    assert reading(pictures).startswith("a ")
    go(pictures, 2)
    word(pictures, "target", 2).hover()
    assert 0.3 < min(pictures.evaluate(SHADES)) < 0.45


def test_a_part_of_the_picture_lights_up_the_words_that_look_there(pictures: Any) -> None:
    word(pictures, "source", 4).hover()
    assert pictures.evaluate(SHADES) == []
    assert pictures.locator(".over .partner").all_inner_texts() == ["a", "red"]
    assert figure(pictures, "red") == 1.0
    pictures.locator("#list").focus()
    pictures.keyboard.press("Enter")
    pictures.keyboard.press("ArrowDown")
    assert pictures.locator(".over .word:focus, .grid .place:focus").count() == 1


def test_pictures_are_seen_in_the_list_and_found_by_the_name_of_their_file(pictures: Any) -> None:
    assert pictures.locator("#list .row img").count() == 2
    assert pictures.evaluate("[...document.images].every((image) => image.naturalWidth === 30)")
    assert pictures.locator("#row-0 .source").inner_text() == "folder/a red star.png"
    pictures.locator("#search").fill("folder/a")
    assert pictures.locator("#list .row").count() == 2
    pictures.locator("#search").fill("")
    go(pictures, 3)
    assert pictures.locator(".grid").count() == 0
    assert pictures.locator(".lines.rows").count() == 1
    assert pictures.locator("#pictures button").all_inner_texts() == ["Lines", "Matrix"]
    go(pictures, 1)
    pictures.keyboard.press("m")
    assert pictures.locator("svg.matrix").count() == 1
