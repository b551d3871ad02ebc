"""BLEU of scripts without spaces."""

from __future__ import annotations

import pytest

from nmt.core.writing_systems import writing
from nmt.metrics.bootstrap import paired_bootstrap
from nmt.metrics.lengths import bleu_by_length
from nmt.metrics.score import bleu
from nmt.metrics.tokenizer import Tokenizer, fitting_tokenizer, misfit

# One phrase in many scripts: what is common, and what is not, is cut into words by spaces or not at all.
TEXTS: dict[str, tuple[Tokenizer, str]] = {
    "Chinese": ("zh", "猫看见狗和鱼在水里游。"),
    "Chinese with names": ("zh", "Smith 先生昨天在 Paris 看见了三条大鱼。"),
    "Japanese": ("char", "猫は水の中で魚を見た。"),
    "Katakana": ("char", "コンピュータープログラム"),
    "Thai": ("char", "แมวเห็นปลาในน้ำเมื่อวานนี้"),
    "Lao": ("char", "ແມວເຫັນປາຢູ່ໃນນ້ຳ"),
    "Khmer": ("char", "ឆ្មាឃើញត្រីនៅក្នុងទឹក"),
    "Burmese": ("char", "ကြောင်သည်ရေထဲတွင်ငါးကိုမြင်သည်"),
    "Tibetan": ("char", "ཞི་མིས་ཆུའི་ནང་ཉ་མཐོང་།"),
    "Korean": ("13a", "고양이가 물속에서 물고기를 보았다."),
    "English": ("13a", "The cat saw 3 fish in the water, 猫 by its Chinese name."),
    "Greek": ("13a", "Η γάτα είδε το ψάρι."),
    "Hindi": ("13a", "बिल्ली ने पानी में मछली देखी।"),
    "nothing": ("13a", "12 - 14 ..."),
}


@pytest.mark.parametrize(("tokenizer", "text"), TEXTS.values(), ids=list(TEXTS))
def test_the_tokenizer_fits_the_script(tokenizer: Tokenizer, text: str) -> None:
    assert fitting_tokenizer([text]) == tokenizer
    assert misfit("auto", [text]) is None and misfit(tokenizer, [text]) is None
    assert (misfit("13a", [text]) is None) == (tokenizer == "13a")
    other = text[:-3] + text[-2:]  # nearly all of it is right
    score = bleu([other], [text])
    assert f"tok:{tokenizer}" in score.signature
    if tokenizer != "13a":
        assert score.value > 30 and bleu([text], [text]).value == pytest.approx(100)
        assert " " in text or bleu([other], [text], tokenize="13a").value < 10, "or there would be no need"


def test_a_tokenizer_that_finds_no_words_is_told() -> None:
    thai = TEXTS["Thai"][1]
    assert "zh does not cut" in str(misfit("zh", [thai])) and "which is char here" in str(misfit("zh", [thai]))
    assert misfit("none", [thai]) is None, "text that is cut already"


def test_one_tokenizer_serves_all_parts_of_a_comparison() -> None:
    lines = [TEXTS["Chinese"][1], TEXTS["English"][1]]
    found = bleu_by_length(lines, lines, [1, 20], [10])
    assert [each.score is not None and "tok:zh" in each.score.signature for each in found] == [True, True]
    assert "tok:zh" in paired_bootstrap(lines, lines, lines, metrics=("bleu",), samples=10)[0].signature


def test_letters_and_others() -> None:
    assert [writing(each) for each in "猫のアa가1。"] == ["han", "kana", "kana", "spaced", "spaced", None, None]
    assert [writing(each) for each in "กㄅｱ"] == ["unspaced", "han", "kana"]
