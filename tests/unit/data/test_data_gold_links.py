"""Gold readers and AER: cases worked out by hand, on made-up lines and on the English-French Hansards.

The Hansards (Och and Ney, 2000; sure and possible links, counted from 1) lie beside the checkout where they are there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.alignment.links import Links, parse_links
from nmt.core.errors import DataError
from nmt.data.gold_links import read_gold, score_links

HANSARDS = Path(__file__).parents[4] / "shared" / "data" / "alignment" / "enfr"
needs_hansards = pytest.mark.skipif(not HANSARDS.is_dir(), reason="needs the gold links of ../shared/data/alignment")


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_sure_and_possible_links_by_hand(tmp_path: Path) -> None:
    pairs = [("a b c", "x y"), ("a", "x y z")]
    gold = read_gold(write(tmp_path / "gold", "1-1 2p1 3-2", "1p2 1p3"), pairs, first_index=1)
    # Pair 1: S = {0-0, 2-1}, P = S + {1-0}; A = {0-0, 1-0, 1-1}: one sure, two possible, one wrong.
    # Pair 2: S = {}, P = {0-1, 0-2}; A = {0-1}: possible.
    found = [parse_links("0-0 1-0 1-1"), parse_links("0-1")]
    score = score_links(found, gold, [2, 3])
    # |A| = 4, |S| = 2, |A n S| = 1, |A n P| = 2 + 1: AER = 1 - (1 + 3) / (4 + 2) = 1/3.
    assert score.measured.aer == pytest.approx(1 / 3)
    assert score.measured.precision == pytest.approx(3 / 4)
    assert score.measured.recall == pytest.approx(1 / 2)
    # The oracle takes 0-0 and 2-1 (sure before possible), 0-1 and 0-2: 1 - (2 + 4) / (4 + 2) = 0.
    assert score.oracle.aer == 0.0
    assert score.oracle.links == 4


def test_words_are_counted_as_they_are_aligned(tmp_path: Path) -> None:
    pairs = [("你好 吗", "a\u00a0b c")]
    path = write(tmp_path / "gold", "2-3")
    with pytest.raises(DataError, match="the source has 2 words and the target 3"):
        read_gold(path, pairs)
    with pytest.raises(DataError, match="the source has 2 words and the target 2"):
        read_gold(path, pairs, words="tokens")
    with pytest.raises(DataError, match="the source has 3 words and the target 3"):
        read_gold(path, pairs, words="characters")
    assert read_gold(write(path, "2-2"), pairs, words="characters")[0].sure == {(2, 2)}


def test_words_that_can_be_counted_in_two_ways_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = [("a b", "x y"), ("10\u00a0000 rot", "10\u00a0000 red"), ("c\u00a0d", "z")]
    path = write(tmp_path / "gold", "0-0", "0-0 1-1", "")
    with caplog.at_level("WARNING", logger="nmt"):
        read_gold(path, pairs, words="tokens")
        read_gold(path, pairs, words="characters")
        assert not caplog.text
        read_gold(path, pairs)
    assert f"{path}: in 1 pairs with links (lines 2) words can be counted in two ways" in caplog.text
    assert "--tokenized, gold_tokenized: true" in caplog.text


@pytest.mark.parametrize(
    ("lines", "first_index", "message"),
    [
        # Two words a side: word 2 counted from 0 is not there, and nothing is numbered 0: the file counts from 1.
        (["1-1 2-2", "1-1"], 0, r"line 1: link 2-2 is out of range.*counted from 0.*--gold-first-index 1"),
        # Here 0-0 shows that it does count from 0.
        (["0-0 2-2", "0-0"], 0, r"line 1: link 2-2 is out of range: the source has 2 words and the target 2, counted"),
        (["0-1", "1-1"], 1, r"line 1, field 1: link 0-1 has the index 0.*--gold-first-index 0"),
        (["1-1", "1-1 3p2"], 1, r"line 2: link 3p2 is out of range"),
        (["1-1"], 1, r"has 1 lines, but there are 2 source and 2 target"),
        (["1-1", "", "1-1"], 1, r"has 3 lines, but there are 2 source and 2 target"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], first_index: int, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_gold(write(tmp_path / "gold", *lines), [("a b", "x y")] * 2, first_index=first_index)  # type: ignore[arg-type]
    assert ("first-index 1" in str(caught.value)) == (lines[0] == "1-1 2-2")


def hansards() -> tuple[list[tuple[str, str]], list[Links]]:
    sides = [(HANSARDS / name).read_text(encoding="utf-8").splitlines() for name in ("src.en", "tgt.fr")]
    pairs = list(zip(*sides, strict=True))
    return pairs, read_gold(HANSARDS / "gold.1idx.talp", pairs, first_index=1)


@needs_hansards
def test_the_hansards_are_read_whole() -> None:
    pairs, gold = hansards()
    # Fields with "-" and with "p", counted with awk: 4038 and 13400, none of them twice in a line.
    assert len(pairs) == len(gold) == 447
    assert sum(len(each.sure) for each in gold) == 4038
    assert sum(len(each.only_possible) for each in gold) == 13400
    lengths = [len(target.split()) for _, target in pairs]
    perfect = score_links([Links(each.sure) for each in gold], gold, lengths).measured
    assert (perfect.aer, perfect.precision, perfect.recall) == (0.0, 1.0, 1.0)
    everything = score_links([Links(each.possible) for each in gold], gold, lengths).measured
    # A = P: |A n S| = 4038, |A n P| = |A| = 17438: AER = 1 - (4038 + 17438) / (17438 + 4038) = 0.
    assert (everything.aer, everything.links) == (0.0, 17438)


@needs_hansards
def test_three_lines_of_the_hansards_by_hand() -> None:
    _, gold = hansards()
    chosen = [gold[2], gold[6], gold[8]]
    # Line 3, of 4 and 4 words: S = P = {1-1, 2-2, 3-3, 4-4}. A = {1-1, 2-2, 3-4}: 2 sure, 2 possible of 3.
    # Line 7, of 4 and 2 words: S = {4-2}, P = S + {1-1, 2-1, 3-1}. A = {1-1, 2-2, 4-2}: 1 sure, 2 possible of 3.
    # Line 9, of 13 and 16 words: 11 sure and 7 more possible links. A = the diagonal 1-1 ... 13-13: 1-1 is sure, 2-2
    # and 7-7 are possible, the other ten are neither: 1 sure, 3 possible of 13.
    found = [parse_links("1-1 2-2 3-4", first_index=1), parse_links("1-1 2-2 4-2", first_index=1)]
    found.append(Links(frozenset((place, place) for place in range(13))))
    alone = [score_links([one], [other], [16]).measured.aer for one, other in zip(found, chosen, strict=True)]
    # 1 - (2 + 2) / (3 + 4) = 3/7; 1 - (1 + 2) / (3 + 1) = 1/4; 1 - (1 + 3) / (13 + 11) = 5/6.
    assert alone == pytest.approx([3 / 7, 1 / 4, 5 / 6])
    # Together |A| = 19, |S| = 16, |A n S| = 4, |A n P| = 7: AER = 1 - 11/35, no mean of the three.
    together = score_links(found, chosen, [4, 2, 16]).measured
    assert together.aer == pytest.approx(24 / 35)
    assert (together.precision, together.recall) == pytest.approx((7 / 19, 4 / 16))


@needs_hansards
def test_the_hansards_counted_from_0_are_refused_with_the_way_out() -> None:
    pairs, _ = hansards()
    with pytest.raises(DataError, match=r"line 1: link 2-2 is out of range.*--gold-first-index 1"):
        read_gold(HANSARDS / "gold.1idx.talp", pairs)
    with pytest.raises(DataError, match="has 447 lines, but there are 446 source"):
        read_gold(HANSARDS / "gold.1idx.talp", pairs[:-1], first_index=1)
