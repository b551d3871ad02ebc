"""Links: reading, writing, and refusing what is wrong with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.alignment.links import Links, check_links, format_links, parse_links, read_links
from nmt.core.errors import DataError

GOLD = Path(__file__).resolve().parents[4] / "shared" / "data" / "alignment"

pairs = st.frozensets(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20)


@given(sure=pairs, possible=pairs, first_index=st.sampled_from([0, 1]))
def test_written_links_read_back(sure, possible, first_index):
    links = Links(sure, possible)
    assert parse_links(format_links(links, first_index=first_index), first_index=first_index) == links


@given(sure=pairs, possible=pairs)
def test_sure_links_are_possible(sure, possible):
    links = Links(sure, possible)
    assert links.possible == sure | possible
    assert links.only_possible == possible - sure


def test_talp_counts_from_one():
    assert parse_links("3-1 14p19", first_index=1) == Links(frozenset({(2, 0)}), frozenset({(13, 18)}))


def test_format_is_sorted_by_source_then_target():
    assert format_links(Links(frozenset({(10, 0), (2, 3), (2, 1)}), frozenset({(2, 2)}))) == "2-1 2p2 2-3 10-0"


def test_a_link_both_sure_and_possible_is_sure():
    assert parse_links("0p0 0-0") == Links(frozenset({(0, 0)}))


@pytest.mark.parametrize("field", ["1:2", "1-", "-1-2", "1-2-3", "1x2", "a-b", "1.0-2", "٣-٤", "1P2"])
def test_what_is_not_a_link_is_refused_with_its_place(tmp_path, field):
    path = tmp_path / "gold"
    path.write_text(f"0-0\n\n0-0 1-1 {field} 2-2\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_links(path)
    assert f"{path}, line 3, field 3: a link must be SOURCE-TARGET (sure) or SOURCEpTARGET (possible)" in str(
        error.value
    )
    assert repr(field) in str(error.value)


def test_a_number_too_long_for_any_sentence_is_no_link() -> None:
    with pytest.raises(DataError, match=r"field 2: a link must be SOURCE-TARGET .*but is '0-999\d*\.\.\.'$"):
        parse_links("0-0 0-" + "9" * 5000)


def test_index_zero_proves_that_the_file_counts_from_zero(tmp_path):
    path = tmp_path / "gold"
    path.write_text("1-1\n2-0\n")
    with pytest.raises(DataError, match=r"line 2, field 1: link 2-0 has the index 0.*read it with first_index=0"):
        read_links(path, first_index=1)


def test_an_index_equal_to_the_length_proves_that_the_file_counts_from_one(tmp_path):
    path = tmp_path / "gold"
    path.write_text("1-1 2-2\n1-1 3p2\n")
    with pytest.raises(DataError, match=r"line 1: link 2-2 is out of range: .* 2 words.*\(and 1 more.*first_index=1"):
        read_links(path, source_lengths=[2, 3], target_lengths=[2, 3])
    assert len(read_links(path, first_index=1, source_lengths=[2, 3], target_lengths=[2, 3])) == 2


@pytest.mark.parametrize("text", ["0-0 2-2\n1-1\n", "1-1 2-2\n1-7\n"])  # an index 0; a link that fits neither way
def test_a_wrong_index_base_is_not_claimed_without_proof(tmp_path, text):
    path = tmp_path / "gold"
    path.write_text(text)
    with pytest.raises(DataError, match="line 1: link 2-2 is out of range") as error:
        read_links(path, source_lengths=[2, 3], target_lengths=[2, 3])
    assert "first_index" not in str(error.value)


def test_a_file_counting_from_one_is_named_in_its_own_numbers():
    links = [Links(frozenset({(0, 3)}))]
    with pytest.raises(DataError, match=r"gold, line 1: link 1-4 is out of range.*counted from 1"):
        check_links(links, [1], [3], path="gold", first_index=1)


def test_line_counts_must_agree(tmp_path):
    path = tmp_path / "gold"
    path.write_text("0-0\n")
    with pytest.raises(DataError, match="has 1 lines, but there are 2 source and 2 target sentences"):
        read_links(path, source_lengths=[1, 1], target_lengths=[1, 1])


def test_only_a_newline_ends_a_line(tmp_path):
    path = tmp_path / "gold"
    path.write_bytes("0-0\r\n1-1\r\u2028 2-2\x0b\x0c\n\n3-3".encode())
    assert [len(links.sure) for links in read_links(path)] == [1, 2, 0, 1]


def test_undecodable_bytes_are_placed(tmp_path):
    path = tmp_path / "gold"
    path.write_bytes(b"0-0\n1-1 \xff\n")
    with pytest.raises(DataError, match="line 2, byte 5: must be UTF-8"):
        read_links(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: there is no such file of links"):
        read_links(tmp_path / "nowhere")


def lengths(path: Path) -> list[int]:
    return [len(line.split()) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.mark.skipif(not GOLD.is_dir(), reason="needs the gold links of ../shared/data/alignment")
class TestRealFiles:
    def test_hansards(self):
        folder = GOLD / "enfr"
        source, target = lengths(folder / "src.en"), lengths(folder / "tgt.fr")
        path = folder / "gold.1idx.talp"
        links = read_links(path, first_index=1, source_lengths=source, target_lengths=target)
        assert len(links) == 447
        # counted with: tr ' ' '\n' < gold.1idx.talp | grep -c -e - ; ... | grep -c p
        assert sum(len(each.sure) for each in links) == 4038
        assert sum(len(each.only_possible) for each in links) == 13400
        assert links[6] == Links(frozenset({(3, 1)}), frozenset({(2, 0), (1, 0), (0, 0)}))  # 3p1 2p1 4-2 1p1
        with pytest.raises(DataError, match="first_index=1"):
            read_links(path, source_lengths=source, target_lengths=target)

    def test_german_has_one_link_out_of_range(self):
        folder = GOLD / "deen_bicici100"
        source, target = lengths(folder / "src.de"), lengths(folder / "tgt.en")
        path = folder / "gold.0idx.pharaoh"
        with pytest.raises(DataError) as error:  # the 63rd line, sentence 62 counted from 0
            read_links(path, source_lengths=source, target_lengths=target)
        assert "line 63: link 12-16 is out of range: the source has 13 words and the target 13" in str(error.value)
        assert "more such" not in str(error.value)
        assert "first_index" not in str(error.value)
        with pytest.raises(DataError, match="counts from 0"):
            read_links(path, first_index=1)

    def test_greek(self):
        folder = GOLD / "gren_bible_manual"
        source, target = lengths(folder / "src.grc"), lengths(folder / "tgt.en")
        links = read_links(folder / "gold.0idx.pharaoh", source_lengths=source, target_lengths=target)
        assert len(links) == 7919
        assert links[0].sure >= {(0, 0), (7, 18), (7, 19)}
        assert not any(each.only_possible for each in links)


def test_links_show_themselves_in_pharaoh_format() -> None:
    assert str(Links(sure=frozenset({(1, 0), (0, 2)}), possible=frozenset({(3, 3)}))) == "0-2 1-0 3p3"
