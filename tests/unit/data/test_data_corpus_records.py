import json

import pytest

from nmt.core import config as configs
from nmt.core.errors import ConfigError, DataError
from nmt.data.corpus import CorpusConfig, JsonCorpusConfig, TsvCorpusConfig, read_pairs


def write(folder, text):
    (folder / "x").write_text(text, encoding="utf-8", newline="")


class TestJson:
    def test_fields(self, tmp_path):
        rows = [{"source": "ä", "target": "b\rc", "n": 1}, {"target": "d", "source": ""}]
        write(tmp_path, "".join(json.dumps(row) + "\r\n" for row in rows))
        pairs = read_pairs(JsonCorpusConfig(files="x"), tmp_path)
        assert list(pairs) == [("ä", "b\rc"), ("", "d")]
        assert (pairs.counts.pairs, pairs.counts.carriage_returns, pairs.counts.line_feeds) == (2, 2, 0)

    def test_nested_fields_and_names_with_dots(self, tmp_path):
        write(tmp_path, json.dumps({"translation": {"de": "a"}, "t.en": "b", "x": {"y.z": {"w": "c"}}}) + "\n")
        config = JsonCorpusConfig(files="x", source="translation.de", target="t.en")
        assert list(read_pairs(config, tmp_path)) == [("a", "b")]

    def test_line_feeds_in_a_field_become_spaces(self, tmp_path):
        write(tmp_path, json.dumps({"source": "a\nb\r\nc", "target": "d"}) + "\n")
        pairs = read_pairs(JsonCorpusConfig(files="x"), tmp_path)
        assert list(pairs) == [("a b c", "d")]
        assert pairs.counts.line_feeds == 1

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"source": "a"}', r"line 2: there is no field 'target'; the fields are source"),
            ('{"source": "a", "traget": "b"}', r"the fields are source, traget; did you mean 'traget'\?"),
            ('{"source": {"de": "a"}, "target": "b"}', r"line 2: field 'source' must be text, but is a record"),
            ('{"source": null, "target": "b"}', r"field 'source' must be text, but is empty"),
            ('{"source": 3, "target": "b"}', r"field 'source' must be text, but is a number"),
            ("[1]", r"line 2: must be a JSON object, but is list"),
            ("{", r"line 2: must be a JSON object, but is not: "),
            ("", r"line 2: must be a JSON object"),
            ("[" * 100_000, r"line 2: must be a JSON object"),
            ('{"source": "a\\ud800", "target": "b"}', r"field 'source': must be Unicode text, but character 2"),
        ],
    )
    def test_mistakes_name_file_and_line(self, tmp_path, line, message):
        write(tmp_path, f'{{"source": "a", "target": "b"}}\n{line}\n')
        with pytest.raises(DataError, match=message) as error:
            read_pairs(JsonCorpusConfig(files="x"), tmp_path)
        assert str(error.value).startswith(f"{tmp_path / 'x'}: line 2")

    def test_a_missing_nested_field_names_the_dotted_ones(self, tmp_path):
        write(tmp_path, json.dumps({"translation": {"de": "a", "fr": "b"}, "id": 1}) + "\n")
        with pytest.raises(DataError, match=r"the fields are translation\.de, translation\.fr, id"):
            read_pairs(JsonCorpusConfig(files="x", source="translation.de", target="translation.en"), tmp_path)


class TestTsv:
    def test_columns_by_name(self, tmp_path):
        write(tmp_path, 'id\ten\tde\n1\t"a\tb"\n2\tc\td\te\n')
        pairs = read_pairs(TsvCorpusConfig(files="x", source="de", target="en"), tmp_path)
        assert list(pairs) == [('b"', '"a'), ("d", "c")]
        assert pairs.counts.pairs == 2

    def test_columns_by_index(self, tmp_path):
        write(tmp_path, "a\tb\nc\td\n")
        config = TsvCorpusConfig(files="x", source=1, target=0, header=False)
        assert list(read_pairs(config, tmp_path)) == [("b", "a"), ("d", "c")]
        # Where both columns are numbered, nobody needs a header; one may be there all the same.
        config = TsvCorpusConfig(files="x", source=1, target=0)
        assert (list(read_pairs(config, tmp_path)), config.first_line) == ([("b", "a"), ("d", "c")], 1)
        config = TsvCorpusConfig(files="x", source=1, target=0, header=True)
        assert (list(read_pairs(config, tmp_path)), config.first_line) == ([("d", "c")], 2)
        config = TsvCorpusConfig(files="x", source="b", target=0)
        assert (list(read_pairs(config, tmp_path)), config.first_line) == ([("d", "c")], 2)

    def test_a_byte_order_mark_is_no_part_of_a_name(self, tmp_path):
        (tmp_path / "x").write_bytes("\ufeffsource\ttarget\na\tb\n".encode())
        assert list(read_pairs(TsvCorpusConfig(files="x"), tmp_path)) == [("a", "b")]

    def test_every_file_has_its_header(self, tmp_path):
        (tmp_path / "a.tsv").write_text("source\ttarget\na\tb\n")
        (tmp_path / "b.tsv").write_text("target\tsource\nd\tc\n")
        assert list(read_pairs(TsvCorpusConfig(files="*.tsv"), tmp_path)) == [("a", "b"), ("c", "d")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "source\ttraget\na\tb\n",
                r"line 1: there is no column 'target'; .* source, traget; did you mean 'traget'",
            ),
            ("source\ttarget\na\tb\nc\n", r"line 3: there is no column 'target'; the line has 1 columns"),
            ("source\ttarget\n", r"x: must hold at least one sentence pair, but is empty"),
        ],
    )
    def test_mistakes(self, tmp_path, text, message):
        write(tmp_path, text)
        with pytest.raises(DataError, match=message):
            read_pairs(TsvCorpusConfig(files="x"), tmp_path)

    def test_config(self):
        mapping = {"type": "tsv", "files": "x", "source": 0, "target": "b", "header": False}
        with pytest.raises(ConfigError, match="target must be the index of a column"):
            configs.from_mapping(CorpusConfig, mapping, name="x")
        loaded = configs.from_mapping(CorpusConfig, {**mapping, "target": 1}, name="x")
        assert loaded == TsvCorpusConfig(files="x", source=0, target=1, header=False)
