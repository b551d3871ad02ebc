"""The pictures: what is drawn where, nothing cut off, the same file twice, text only as text."""

import errno
import subprocess
import sys
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontEntry
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text

from nmt.alignment.drawing import colours, fonts
from nmt.alignment.drawing.font_advice import font_of
from nmt.alignment.drawing.plots import edges, heatmap, save_figure
from nmt.alignment.links import Links
from nmt.core.errors import DataError
from nmt.core.logging import logger

SOURCE = ["Das", "kleine", "Haus"]
TARGET = ["the", "little", "house", "."]
WEIGHTS = np.array([[0.9, 0.1, 0.0, 0.0], [0.2, 0.7, 0.1, 0.0], [0.02, 0.08, 0.9, 0.0], [0.1, 0.1, 0.1, 0.7]])
GOLD = Links(frozenset({(0, 0), (2, 2)}), frozenset({(1, 1)}))
SCRIPTS = [
    "κόσμος",
    "привет",
    "שלום",
    "مرحبا",
    "日本語",
    "번역",
    "हिन्दी",
    "\U000103a0",
    "$x_1^2$",
    "$",
    "😀",
    "<i>",
    "\x1b",
]

both = pytest.mark.parametrize("draw", [heatmap, edges])


def words_of(figure):
    return {text.get_text(): text for text in figure.findobj(Text) if text.get_text()}


def outside(figure):
    """Texts that are not wholly on the page."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    page = figure.bbox
    with fonts.quiet_about_missing_glyphs():
        boxes = [(name, text.get_window_extent(renderer)) for name, text in words_of(figure).items()]
    return [
        name
        for name, box in boxes
        if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
    ]


def test_heatmap_shows_each_weight_in_its_cell():
    figure = heatmap(SOURCE, TARGET, WEIGHTS)
    axes = figure.axes[0]
    mesh = axes.collections[0]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(4, 4), WEIGHTS)
    assert mesh.get_clim() == (0.0, 1.0)
    figure.canvas.draw()
    assert to_hex(mesh.get_facecolors()[0]) == colours.shade(0.9)
    place = axes.transData.transform
    assert place((0.5, 0.5))[1] > place((0.5, 1.5))[1], "the first target word is at the top"
    texts = words_of(figure)
    assert [texts[word].get_position()[0] for word in [*SOURCE, "∅"]] == [0.5, 1.5, 2.5, 3.5]
    assert [texts[word].get_position()[1] for word in TARGET] == [0.5, 1.5, 2.5, 3.5]
    assert all(texts[word].get_position()[1] < 0 for word in SOURCE)
    assert all(texts[word].get_position()[0] < 0 for word in TARGET)


def test_heatmap_outlines_gold_links():
    boxes = [p for p in heatmap(SOURCE, TARGET, WEIGHTS, gold=GOLD).axes[0].patches if isinstance(p, Rectangle)]
    styles = {(int(box.get_x()), int(box.get_y())): box.get_linestyle() for box in boxes}
    assert styles.keys() == {(0, 0), (2, 2), (1, 1)}
    assert styles[0, 0] == styles[2, 2] != styles[1, 1]


def test_edges_are_as_thick_as_the_weights_and_join_their_words():
    figure = edges(SOURCE, TARGET, WEIGHTS)
    texts = words_of(figure)
    drawn = {}
    for patch in figure.axes[0].patches:
        assert isinstance(patch, PathPatch)
        top, bottom = patch.get_path().vertices[0][0], patch.get_path().vertices[-1][0]
        i = min(range(4), key=lambda i: abs(texts[[*SOURCE, "∅"][i]].get_position()[0] - top))
        j = min(range(4), key=lambda j: abs(texts[TARGET[j]].get_position()[0] - bottom))
        assert texts[[*SOURCE, "∅"][i]].get_position()[0] == pytest.approx(top)
        assert texts[TARGET[j]].get_position()[0] == pytest.approx(bottom)
        drawn[j, i] = patch.get_linewidth()
    expected = {(j, i): 5 * WEIGHTS[j, i] for j, i in np.ndindex(4, 4) if WEIGHTS[j, i] >= 0.04}
    assert drawn == pytest.approx(expected)
    assert texts["Das"].get_position()[1] > texts["the"].get_position()[1], "the source is above"


def test_edges_of_a_long_sentence_join_their_words_across():
    source, target = [f"wort{i}" for i in range(60)], [f"word{j}" for j in range(50)]
    weights = np.eye(50, 60, k=3)
    figure = edges(source, target, weights, gold=Links(frozenset({(7, 4)})))
    width, height = figure.get_size_inches()
    assert width < 7 < height
    texts = words_of(figure)
    ends = {}
    for patch in figure.axes[0].patches:
        (left, begin), (right, end) = patch.get_path().vertices[[0, -1]]
        assert texts["wort0"].get_position()[0] < left == 0 < right < texts["word0"].get_position()[0]
        i = min(range(60), key=lambda i: abs(texts[f"wort{i}"].get_position()[1] - begin))
        j = min(range(50), key=lambda j: abs(texts[f"word{j}"].get_position()[1] - end))
        assert texts[f"wort{i}"].get_position()[1] == pytest.approx(begin)
        assert texts[f"word{j}"].get_position()[1] == pytest.approx(end)
        ends.setdefault((i, j), []).append(to_hex(patch.get_edgecolor()))
    assert ends.keys() == {(j + 3, j) for j in range(50)}
    assert ends[7, 4] == [colours.shade(0.85), colours.GOLD]
    assert outside(figure) == []


def test_edges_draw_gold_links_dashed():
    patches = edges(SOURCE, TARGET, WEIGHTS, gold=GOLD).axes[0].patches
    gold = [patch.get_linestyle() for patch in patches if to_hex(patch.get_edgecolor()) == colours.GOLD]
    assert sorted(gold) == ["--", "--", ":"]


def test_a_right_to_left_sentence_runs_from_right_to_left():
    texts = words_of(edges(["שלום", "עולם"], ["hello", "world"], np.eye(2)))
    # A matplotlib that does not lay out text by itself is given the letters from left to right.
    first, second = (texts.get(word) or texts[word[::-1]] for word in ("שלום", "עולם"))
    assert first.get_position()[0] > second.get_position()[0]
    assert texts["hello"].get_position()[0] < texts["world"].get_position()[0]


@pytest.mark.costly
@both
@pytest.mark.parametrize("title", [None, "A rather long title for such a short sentence, with $ and ^"])
def test_nothing_is_cut_off(draw, title):
    words = ["Donaudampfschifffahrtsgesellschaftskapitän", "a", *SCRIPTS]
    score = None if title is None else -1.25
    for source, target in [(words, ["x"]), (words[::-1], ["x"]), (["x"], words), (["x"], ["y"]), (["a"] * 70, words)]:
        weights = np.full((len(target), len(source)), 1 / len(source))
        assert outside(draw(source, target, weights, gold=Links(), title=title, score=score)) == []


def test_the_check_for_cut_text_sees_cut_text():
    figure = heatmap(SOURCE, TARGET, WEIGHTS)
    figure.text(0.99, 0.5, "sticking out")
    assert outside(figure) == ["sticking out"]


@both
def test_labels_of_a_long_sentence_do_not_overlap(draw):
    figure = draw([f"wort{i}" for i in range(120)], [f"word{i}" for i in range(110)], np.eye(110, 120))
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = words_of(figure)
    if draw is heatmap:
        places = [texts[f"wort{i}"].get_transform().transform(texts[f"wort{i}"].get_position())[0] for i in range(120)]
        between = np.diff(places).min() * np.sqrt(0.5)  # across slanted lines of text
        assert between >= 9 * figure.dpi / 72
    else:
        boxes = [texts[f"wort{i}"].get_window_extent(renderer) for i in range(120)]
        assert all(lower.y1 < upper.y0 for upper, lower in pairwise(boxes)), "a word a line, the first at the top"
        figure = draw([f"wort{i}" for i in range(20)], ["a"], np.eye(1, 20))
        texts = words_of(figure)
        boxes = [texts[f"wort{i}"].get_window_extent(renderer) for i in range(20)]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes)), "a shorter sentence is a row"


@pytest.mark.costly
@both
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_any_script_is_saved_without_warnings_and_reproducibly(tmp_path, draw, suffix):
    weights = np.full((2, len(SCRIPTS)), 0.5)
    files = []
    for name in ("one", "two"):
        figure = draw(SCRIPTS, ["日", "b$"], weights, gold=GOLD_SMALL, title="$\\frac{", score=0.5)
        files.append(save_figure(figure, tmp_path / (name + suffix)).read_bytes())
    assert files[0] == files[1]
    assert files[0].startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()])
    assert b"Date" not in files[0] or suffix != ".svg"


GOLD_SMALL = Links(frozenset({(0, 0)}), frozenset({(1, 1)}))


@both
def test_dollar_signs_are_no_formulas(draw):
    figure = draw(["$x^2$"], ["a"], np.ones((1, 1)), title="$y$")
    texts = words_of(figure)
    assert not texts["$x^2$"].get_parse_math()
    assert not texts["$y$"].get_parse_math()


@pytest.mark.parametrize(("name", "said"), [("plot.gif", ".gif"), ("plot", "nothing")])
def test_an_unknown_suffix_is_refused(tmp_path, name, said):
    with pytest.raises(DataError, match=rf"must end in .png, .svg, .pdf, but ends in {said}"):
        save_figure(heatmap(["a"], ["b"], np.ones((1, 1))), tmp_path / name)


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    def full(*_arguments, **_keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    figure = heatmap(["a"], ["b"], np.ones((1, 1)))
    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(DataError, match=r"plot.png: the plot cannot be written: No space left on device; free some"):
        save_figure(figure, tmp_path / "plot.png")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/plot.png: the plot cannot be written"):
        save_figure(heatmap(["a"], ["b"], np.ones((1, 1))), tmp_path / "nowhere" / "plot.png")


@both
def test_gold_links_must_be_inside(draw):
    with pytest.raises(ValueError, match="gold link 3-0 is outside"):  # column 3 is the null word
        draw(SOURCE, TARGET, WEIGHTS, gold=Links(frozenset({(3, 0)})))


@pytest.mark.slow
def test_a_very_long_sentence_fits_the_limits_of_a_png(tmp_path):
    figure = edges(["Raum"] * 800, ["a"], np.full((1, 800), 1 / 800))
    assert figure.get_size_inches()[1] > 160
    header = save_figure(figure, tmp_path / "long.png").read_bytes()[20:24]
    assert 20000 < int.from_bytes(header, "big") <= 30001


def test_pyplot_is_never_loaded_and_matplotlib_only_to_draw():
    program = (
        "import sys, nmt.metrics.curves\n"
        "from nmt.alignment.drawing import svg, terminal\n"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules\n"
        "import nmt.training.records.training_pictures, nmt.translation.output.gallery\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import numpy as np, nmt.alignment.drawing.plots as p\n"
        "p.edges(['a'], ['b'], np.ones((1, 1))); p.heatmap(['a'], ['b'], np.ones((1, 1)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_families_add_only_what_is_missing():
    assert fonts.families(["Haus", "κόσμος", "привет", "שלום"]) == [fonts.BASE]
    assert fonts.families(["\U0010fffd"])[0] == fonts.BASE


def test_families_take_the_preferred_font_that_has_the_letters(monkeypatch):
    held = {"base": frozenset(map(ord, "ab")), "han": frozenset(map(ord, "日本a")), "kana": frozenset(map(ord, "あ日"))}
    monkeypatch.setattr(fonts, "_path_of", lambda name: "base")
    monkeypatch.setattr(fonts, "_characters", held.__getitem__)
    monkeypatch.setattr(fonts, "_installed", lambda: (("Han", "han"), ("Kana", "kana")))
    assert fonts.families(["ab 日本"]) == [fonts.BASE, "Han"]
    assert fonts.families(["日", "あ"]) == [fonts.BASE, "Han", "Kana"]
    assert fonts.families(["あ"]) == [fonts.BASE, "Kana"]


def test_a_family_without_a_regular_weight_is_taken_as_it_comes(monkeypatch):
    def font(name, weight, style="normal"):
        return FontEntry(fname=f"{name}-{weight}.ttf", name=name, style=style, weight=weight)

    listed = [
        font("Zen", 500),
        font("Zen", 200),
        font("Sans", "bold"),
        font("Sans", 400),
        font("Slanted", 400, "italic"),
    ]
    monkeypatch.setattr(fonts, "fontManager", SimpleNamespace(ttflist=listed))
    found = fonts._installed.__wrapped__()
    assert found == (("Sans", "Sans-400.ttf"), ("Zen", "Zen-500.ttf"))


@pytest.fixture
def no_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "_reported", set())
    monkeypatch.setattr(fonts, "_installed", lambda: ())
    monkeypatch.setattr(fonts, "_find_new_fonts", lambda: False)
    monkeypatch.setattr(logger, "propagate", True)


@pytest.mark.usefixtures("no_fonts")
def test_a_script_that_no_font_has_is_named_once(caplog):
    for _ in range(2):
        edges(["日本", "\U000103a0", "Haus\u200d\ufe0f"], ["a"], np.ones((1, 3)))
    (record,) = caplog.records
    assert record.getMessage() == (
        "plots: no installed font has 日 本 \U000103a0 (CJK, OLD PERSIAN), so boxes are drawn in their place; install "
        "Noto Sans CJK JP, Noto Sans Old Persian (Debian and Ubuntu: fonts-noto-cjk, fonts-noto-core)"
    )
    heatmap(["語"], ["a"], np.ones((1, 1)))
    assert len(caplog.records) == 1, "another letter of a script that was named"
    heatmap(["ᏣᎳᎩ"], ["a"], np.ones((1, 1)))
    assert "(CHEROKEE)" in caplog.records[-1].getMessage()
    assert "install Noto Sans Cherokee (Debian and Ubuntu: fonts-noto-core)" in caplog.records[-1].getMessage()
    heatmap(["\U0010fffd"], ["a"], np.ones((1, 1)))
    assert "(no character of Unicode), so boxes" in caplog.records[-1].getMessage()
    assert caplog.records[-1].getMessage().endswith("install a font that has them")


@pytest.mark.parametrize(
    ("letter", "font"),
    [
        ("ꮳ", "Noto Sans Cherokee"),
        ("ཀ", "Noto Serif Tibetan"),
        ("ߒ", "Noto Sans NKo"),
        ("ᐃ", "Noto Sans Canadian Aboriginal"),
        ("ꡀ", "Noto Sans PhagsPa"),
        ("አ", "Noto Sans Ethiopic"),
        ("ᱚ", "Noto Sans Ol Chiki"),
        ("𐀀", "Noto Sans Linear B"),
        ("한", "Noto Sans CJK KR"),
        ("か", "Noto Sans CJK JP"),
        ("ｶ", "Noto Sans CJK JP"),
        ("Ꙁ", "Noto Sans"),
        ("\u2de0", "Noto Sans"),  # a combining letter
        ("🜚", "Noto Sans Symbols 2"),
        ("\ue000", ""),
    ],
)
def test_the_font_of_a_letter(letter, font):
    assert font_of(letter) == font


def test_fonts_installed_since_matplotlib_listed_them_are_found(monkeypatch):
    held = {"base": frozenset(map(ord, "a")), "new.ttf": frozenset(map(ord, "Ꭰ"))}
    listed = []
    add = lambda path: listed.append(FontEntry(fname=path, name="New", style="normal", weight=400))  # noqa: E731
    monkeypatch.setattr(fonts, "fontManager", SimpleNamespace(ttflist=listed, addfont=add))
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: ["new.ttf"])
    monkeypatch.setattr(fonts, "_path_of", lambda name: "base")
    monkeypatch.setattr(fonts, "_characters", held.__getitem__)
    for function in ("_installed", "_find_new_fonts"):
        monkeypatch.setattr(fonts, function, cache(getattr(fonts, function).__wrapped__))
    assert fonts.families(["aᎠ"]) == [fonts.BASE, "New"]
    assert len(listed) == 1


def test_older_matplotlib_gets_words_reversed(monkeypatch):
    monkeypatch.delattr(ft2font, "__libraqm_version__", raising=False)
    assert fonts.shown("שלוֹם") == "םוֹלש"  # the point stays on its letter
    assert fonts.shown("Haus") == "Haus"
    monkeypatch.setattr(ft2font, "__libraqm_version__", "0.10", raising=False)
    assert fonts.shown("שלום") == "שלום"
