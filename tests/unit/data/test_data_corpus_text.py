import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.core import config as configs
from nmt.core.errors import DataError
from nmt.data.corpus import CorpusConfig, TextCorpusConfig, read_all_pairs, read_pairs
from nmt.data.corpus import text as text_corpus


def read(folder, source=b"a\nb\n", target=b"A\nB\n", **files):
    (folder / "x.de").write_bytes(source)
    (folder / "x.en").write_bytes(target)
    return read_pairs(TextCorpusConfig(source="x.de", target="x.en"), folder, cache=folder / "cache")


def test_only_a_line_feed_ends_a_line(tmp_path):
    source = "a\rb\u2028c\x85d\x0be\x0cf\x00g\r\n\r\nlast".encode()
    pairs = read(tmp_path, source, b"1\r\n2\n3")
    assert list(pairs) == [("a\rb\u2028c\x85d\x0be\x0cf\x00g", "1"), ("", "2"), ("last", "3")]
    assert (pairs.counts.pairs, pairs.counts.carriage_returns) == (3, 3)
    assert pairs.dataset.column_names == ["source", "target"]
    assert pairs.dataset[0]["source"].startswith("a\rb")


def test_only_one_carriage_return_goes(tmp_path):
    assert list(read(tmp_path, b"a\r\r\n", b"b\n")) == [("a\r", "b")]
    assert list(read(tmp_path, b"a\r", b"b")) == [("a\r", "b")]  # no line feed after it


@settings(max_examples=60)
@given(st.lists(st.text(alphabet="ab\r\u2028\x00 ü\t", max_size=6), min_size=1, max_size=30))
def test_line_k_is_line_k(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("lines")
    lines = [line.rstrip("\r") for line in lines]
    data = "".join(f"{line}\n" for line in lines).encode()
    assert list(read(folder, data, data)) == [(line, line) for line in lines]


def test_many_lines_over_several_record_batches(tmp_path):
    data = "".join(f"{number}\n" for number in range(25_000)).encode()
    pairs = read(tmp_path, data, data)
    assert len(pairs) == 25_000
    assert [int(source) for source in pairs.sources()] == list(range(25_000))
    assert pairs.dataset[24_999] == {"source": "24999", "target": "24999"}


@pytest.mark.parametrize(("source", "target"), [(b"a\nb\nc\n", b"A\n"), (b"a\n", b"A\nB\nC\n")])
def test_different_numbers_of_lines(tmp_path, source, target):
    with pytest.raises(DataError) as error:
        read(tmp_path, source, target)
    counts = source.count(b"\n"), target.count(b"\n")
    assert f"{tmp_path / 'x.de'} has {counts[0]} lines, but {tmp_path / 'x.en'} has {counts[1]}" in str(error.value)


def test_undecodable_bytes_are_named_with_file_line_and_byte(tmp_path):
    with pytest.raises(DataError, match=r"x\.en: line 2, byte 3: must be UTF-8, but has 0xff"):
        read(tmp_path, b"a\nb\n", b"A\nxy\xffz\n")


def test_a_bad_byte_beyond_the_end_of_the_other_side_is_still_the_first_message(tmp_path):
    with pytest.raises(DataError, match="line 3, byte 1"):
        read(tmp_path, b"a\n", b"A\nB\n\xfe\n")


def test_missing_file_names_its_neighbour(tmp_path):
    (tmp_path / "train.de").write_text("x\n")
    with pytest.raises(DataError, match=r"trian\.de: there is no such file; did you mean .*train\.de"):
        read_pairs(TextCorpusConfig(source="trian.de", target="train.de"), tmp_path, cache=tmp_path / "cache")


def test_empty_corpus(tmp_path):
    with pytest.raises(DataError, match=r"x\.de and x\.en: must hold at least one sentence pair, but is empty"):
        read(tmp_path, b"", b"")
    assert not list((tmp_path / "cache").iterdir()), "nothing half-built stays"


def test_gzip_several_files_and_globs(tmp_path):
    for number in (2, 1):
        (tmp_path / f"part{number}.de.gz").write_bytes(gzip.compress(f"d{number}\n".encode()))
        (tmp_path / f"part{number}.en").write_text(f"e{number}\n")
    (tmp_path / "more.de").write_text("d3\n")
    (tmp_path / "more.en").write_text("e3\n")
    expected = [("d1", "e1"), ("d2", "e2"), ("d3", "e3")]
    config = TextCorpusConfig(source=("part*.de.gz", "more.de"), target=("part*.en", "more.en"))
    assert list(read_pairs(config, tmp_path)) == expected
    absolute = TextCorpusConfig(source=f"{tmp_path}/part*.de.gz", target=f"{tmp_path}/part*.en")
    assert list(read_pairs(absolute, "/")) == expected[:2]
    several = read_all_pairs((config, absolute), tmp_path)
    assert list(several) == [*expected, *expected[:2]]
    assert several.counts.pairs == 5


def test_patterns_match_hidden_files_only_where_they_name_the_dot(tmp_path):
    for side in ("de", "en"):
        (tmp_path / f"a.{side}").write_text(side)
        (tmp_path / f"._a.{side}").write_text("Mac OS X")  # what archives of macOS hold beside every file
        for folder in (".old", "new"):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"b.{side}").write_text(folder)

    def read(*patterns, root=tmp_path):
        return list(read_pairs(TextCorpusConfig(source=patterns[0], target=patterns[1]), root))

    assert read("*.de", "*.en") == [("de", "en")]
    assert read("*/*.de", "*/*.en") == [("new", "new")]
    assert read(f"{tmp_path}/*.de", f"{tmp_path}/*.en", root="/") == [("de", "en")]
    assert read(".old/*.de", ".old/*.en") == [(".old", ".old")]
    assert read("../.old/*.de", "../.old/*.en", root=tmp_path / "new") == [(".old", ".old")]
    assert read("._*.de", "._*.en") == [("Mac OS X", "Mac OS X")]
    with pytest.raises(DataError, match="no file matches"):
        read("*/.*.de", "*/.*.en")


def test_a_text_that_is_written_while_it_is_read_is_not_taken_for_a_whole_one(tmp_path, monkeypatch):
    whole = text_corpus.read_text_lines

    def still_written(path, **options):
        (tmp_path / "x.de").write_text("new\nnew\n")
        return whole(path, **options)

    monkeypatch.setattr(text_corpus, "read_text_lines", still_written)
    with pytest.raises(
        DataError, match=r"x\.de and x\.en: has changed while it was read; start again when it is whole"
    ):
        read(tmp_path)
    monkeypatch.undo()
    assert list(read(tmp_path)) == [("a", "A"), ("b", "B")], "nothing is kept under the hash of what it was before"


def test_lines_are_compared_file_by_file(tmp_path):
    for name, text in {"1.de": "a\n", "2.de": "b\nc\n", "1.en": "A\nB\n", "2.en": "C\n"}.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=r"1\.de has 1 lines, but .*1\.en has 2"):
        read_pairs(TextCorpusConfig(source="*.de", target="*.en"), tmp_path)
    with pytest.raises(DataError, match="the source has 2 and the target 1"):
        read_pairs(TextCorpusConfig(source="*.de", target="1.en"), tmp_path)
    with pytest.raises(DataError, match="no file matches this pattern"):
        read_pairs(TextCorpusConfig(source="*.fr", target="1.en"), tmp_path)


def test_damaged_gzip(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"a\n" * 1000)[:-9])
    with pytest.raises(DataError, match=r"x\.gz: the gzip file is damaged"):
        read_pairs(TextCorpusConfig(source="x.gz", target="x.gz"), tmp_path)


def test_text_is_the_default_type():
    loaded = configs.from_mapping(CorpusConfig, {"source": "a", "target": ["b", "c"]}, name="x")
    assert loaded == TextCorpusConfig(source="a", target=("b", "c"))
    assert CorpusConfig.registry.names() == ("hub", "json", "tsv", "text")


def test_nothing_is_written_outside_the_cache(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    read(tmp_path)
    assert not list(home.iterdir())
