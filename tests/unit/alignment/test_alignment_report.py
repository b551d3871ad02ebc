"""The report without a browser: what stands in the file, what cannot, and that nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_entries import HOSTILE, all_entries, entries_in, entry, pictured, text

from nmt.alignment.drawing import pages
from nmt.alignment.drawing.labels import clean
from nmt.alignment.links import Links
from nmt.alignment.report import document
from nmt.alignment.report.document import SCRIPTS, ReportWriter, report_file
from nmt.alignment.report.entries import Entry, Layer, Target, Text
from nmt.alignment.report.json_entries import STEPS, embeddable, encode, quantised
from nmt.core.errors import NmtError

FOLDER = Path(document.__file__).parent / "page"


def page_of(entries, **options) -> str:
    stream = io.BytesIO()
    writer = ReportWriter(stream, **{"title": "Title", **options})
    for each in entries:
        writer.add(each)
    writer.finish()
    return stream.getvalue().decode("utf-8")


def unpacked(packed) -> np.ndarray:
    rows, columns, largest, data = packed
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(rows, columns) * largest / STEPS


class Markup(HTMLParser):
    """The elements of a page and the content of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("script", "style"):
            self.raw.append((tag, dict(attrs), ""))

    def handle_data(self, data):
        if self.cdata_elem:
            tag, attributes, before = self.raw[-1]
            self.raw[-1] = tag, attributes, before + data


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_json_in_a_script_element_says_the_same_and_cannot_end_it(string):
    written = embeddable([string, {string: 1}])
    assert "<" not in written
    assert not {"\u2028", "\u2029"} & set(written)
    plain = re.sub("[\ud800-\udfff]", "\ufffd", string)
    assert json.loads(written) == [plain, {plain: 1}]
    assert json.loads(written.encode("utf-8")) == json.loads(written)


def test_hostile_words_come_back_as_they_were_and_make_no_markup():
    plain = page_of([entry(1, "a b", "c d")])
    page = page_of(all_entries(), title="</title><script>alert(1)</script>", subtitle="<b onclick=x>")
    assert set(Markup(page).tags) == set(Markup(plain).tags)
    assert Markup(page).tags.count("script") == Markup(plain).tags.count("script") == 2
    assert [entry["source"]["words"] for entry in entries_in(page)][1] == [
        clean(word) for word in " ".join(HOSTILE).split()
    ]
    assert "<title>&lt;/title&gt;&lt;script&gt;" in page


def test_marks_of_direction_and_control_characters_are_not_shown():
    made = entries_in(
        page_of([Entry(1, Text(("a\u202eb", "\x1b["), ("\u2581a\u202e",), (0,)), (Target(Text(("x",))),))])
    )
    assert made[0]["source"] == {"words": ["ab", "\ufffd["], "pieces": ["\u2581a"], "owners": [0]}


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), min_size=1, max_size=4),
)
def test_a_quantised_weight_is_off_by_less_than_half_a_step(rows):
    matrix = np.array(rows)
    step = matrix.max() / STEPS
    np.testing.assert_allclose(unpacked(quantised(matrix)), matrix, atol=0.51 * step + 1e-5 * matrix.max(), rtol=0)


def test_what_is_no_weight_counts_as_none():
    matrix = np.array([[np.nan, -1.0, np.inf], [0.5, 0.25, 0.0]])
    np.testing.assert_allclose(unpacked(quantised(matrix)), [[0, 0, 0], [0.5, 128 / 255 * 0.5, 0]], atol=1e-6)
    assert quantised(np.zeros((2, 0))) == [2, 0, 0.0, ""]
    assert unpacked(quantised(np.full((1, 1), 5e-324))).tolist() == [[5e-324]]


def test_an_entry_holds_all_that_is_known():
    gold = Links(frozenset({(0, 0)}), frozenset({(1, 1)}))
    record = entries_in(page_of([entry(7, "das Haus", "the house", gold=gold, entropy=None)]))[0]
    (target,) = record["targets"]
    assert record["number"] == 7
    assert target["gold"] == "0-0 1p1"
    assert target["links"] == {"links": "0-0 1-1"}
    assert target["measures"] == {"score": -0.5, "confidence": 0.7, "entropy": None}
    assert [layer["name"] for layer in target["layers"]] == ["attention", "gradient-x-input"]
    assert [layer.get("relative", False) for layer in target["layers"]] == [False, True]
    assert unpacked(target["layers"][0]["words"]).sum(axis=1) == pytest.approx(1.0, abs=0.01)
    assert target["layers"][0]["pieces"][:2] == [len(target["pieces"]) + 1, len(record["source"]["pieces"]) + 1]


def test_infinite_numbers_are_written_as_unknown():
    target = Target(text("a"), measures={"score": float("-inf"), "other": float("nan")})
    assert entries_in(page_of([Entry(1, text("b"), (target,))]))[0]["targets"][0]["measures"] == {
        "score": None,
        "other": None,
    }


@pytest.mark.parametrize(("unit", "shape"), [("words", (1, 2)), ("words", (2, 4)), ("pieces", (2, 1)), ("words", (2,))])
def test_a_layer_that_does_not_fit_its_sentences_is_refused(unit, shape):
    sides = Text(("a", "b"), ("a", "b"), (0, 1))
    layer = Layer("saliency", **{"words": np.ones((2, 2)), unit: np.ones(shape)})
    with pytest.raises(ValueError, match=rf"{unit} of layer saliency must be of shape \(2, 2\)"):
        encode([Entry(1, sides, (Target(sides, (layer,)),))])


def test_sentences_are_written_as_they_come(monkeypatch):
    monkeypatch.setattr(document, "CHUNK", 2)
    stream = io.BytesIO()
    writer = ReportWriter(stream, title="x")
    sizes = []
    for number in range(1, 6):
        writer.add(entry(number, "a", "b"))
        sizes.append(len(stream.getvalue()))
    assert sizes[0] < sizes[1] == sizes[2] < sizes[3] == sizes[4]
    writer.finish()
    assert [each["number"] for each in entries_in(stream.getvalue().decode())] == [1, 2, 3, 4, 5]


def test_a_picture_lies_in_the_page_with_its_grid_and_the_name_of_its_file():
    page = page_of([pictured()])
    (record,) = entries_in(page)
    assert record["source"]["file"] == "folder/a red star.png"
    assert record["picture"]["shape"] == [2, 3]
    kind, data = record["picture"]["image"].split(",")
    assert kind == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert np.array_equal(pixels, pictured().picture.pixels)
    assert record["targets"][0]["boxes"] == {"1": [[0.3333, 0.5, 0.6667, 1.0]]}
    assert "img-src data:;" in page
    assert "picture" not in entries_in(page_of([entry(1, "a", "b")]))[0]


def test_the_policy_allows_only_what_stands_in_the_page():
    page = page_of(all_entries())
    markup = Markup(page)
    (policy,) = [value for name, value in markup.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; ")
    run = [(tag, content) for tag, attributes, content in markup.raw if attributes.get("type") != "application/json"]
    assert [tag for tag, _ in run] == ["style", "script"]
    for tag, content in run:
        digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    names = {name for name, _ in markup.attributes}
    assert not {name for name in names if name.startswith("on")} | ({"src", "href", "style", "action"} & names)


def test_the_page_fetches_nothing_and_makes_no_markup_of_text():
    style, script = pages.style("nmt.alignment.report"), pages.script("nmt.alignment.report", SCRIPTS)
    assert re.findall(r"https?://[^\s\"']+", style + script) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in style
    assert "@import" not in style
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|fetch\(|XMLHttp|import\("
    assert not re.search(forbidden, script)
    assert "</" not in script


def test_every_file_of_the_page_is_used_and_goes_into_the_wheel():
    shared = Path(pages.__file__).parent / "pictures"
    assert {path.name for path in FOLDER.iterdir()} == {*SCRIPTS, "page.html", "page.css"}
    assert {path.name for path in shared.iterdir()} == {*pages.PICTURES, "pictures.css", "head.html"}
    settings = tomllib.loads((FOLDER.parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["nmt"]
    packed = {path for pattern in patterns for path in FOLDER.parents[2].glob(pattern)}
    assert {*FOLDER.iterdir(), *shared.iterdir()} <= packed


def test_neither_torch_nor_matplotlib_is_needed():
    program = "import sys, nmt.alignment.report.document\nassert not {'torch', 'matplotlib'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_report_is_there_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(RuntimeError), report_file(path, title="x") as report:
        report.add(entry(1, "a", "b"))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with report_file(path, title="x") as report:
        report.add(entry(1, "a", "b"))
    assert len(entries_in(path.read_text(encoding="utf-8"))) == 1
    with pytest.raises(NmtError, match="cannot write the report; it is a folder"), report_file(tmp_path, title="x"):
        pass
    with (
        pytest.raises(NmtError, match=r"no/x\.html: cannot write the report; the folder"),
        report_file(tmp_path / "no" / "x.html", title="x"),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "CHUNK", 1)
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(NmtError, match=r"^[^ ]*/report\.html: cannot write the report: No space left"),
        report_file(tmp_path / "report.html", title="x") as report,
    ):
        monkeypatch.setattr(report, "_stream", full)
        report.add(entry(1, "a", "b"))
    assert list(tmp_path.iterdir()) == []


def test_every_key_is_explained_in_the_page_and_in_the_document():
    script = pages.script("nmt.alignment.report", SCRIPTS)
    tables = [re.search(rf"const {name} = \{{(.*?)\n\}};", script, re.DOTALL)[1] for name in ("KEYS", "PLAIN")]
    keys = re.findall(r'^  "?([^\s":]+)"?:', "".join(tables), re.MULTILINE)
    assert {"j", "/", "x", "N", "?"} <= set(keys) and len(keys) == len(set(keys))
    for path in (FOLDER / "page.html", FOLDER.parents[3] / "docs" / "report.md"):
        explained = set(re.findall(r"<kbd>(.+?)</kbd>", path.read_text(encoding="utf-8")))
        assert {key.lower() for key in keys} - {"?"} <= explained  # as h does
        assert {"Enter", "Esc", "←", "→", "↑", "↓", "1", "9"} <= explained


def test_the_example_of_the_document_works(tmp_path):
    text = (FOLDER.parents[3] / "docs" / "report.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(example, encoding="utf-8")
    subprocess.run([sys.executable, program.name], cwd=tmp_path, check=True)
    (made,) = entries_in((tmp_path / "my.html").read_text(encoding="utf-8"))
    assert unpacked(made["targets"][0]["layers"][0]["words"]).tolist() == [
        pytest.approx([0.9, 0.1], abs=0.002),
        pytest.approx([0.2, 0.8], abs=0.002),
    ]
