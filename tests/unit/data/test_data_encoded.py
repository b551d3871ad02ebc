import dataclasses
import itertools

import numpy
import pyarrow
import pytest

from nmt.core.errors import DataError
from nmt.data import encoding
from nmt.data.corpus import TextCorpusConfig, read_pairs
from nmt.data.filters import FilterConfig
from nmt.data.pipeline import encode_corpus
from nmt.text.normalisation import NormalisationConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies


def write_pairs(folder, source, target):
    (folder / "x.de").write_text(source, encoding="utf-8", newline="")
    (folder / "x.en").write_text(target, encoding="utf-8", newline="")
    return read_pairs(TextCorpusConfig(source="x.de", target="x.en"), folder, cache=folder / "cache")


def test_rows_texts_and_lengths(prepared):
    _, vocabularies, corpus = prepared
    assert len(corpus) == 300
    for index in (0, 7, 299):
        ids = [*vocabularies.source.encode(corpus.source_text(index)), vocabularies.source.eos_id]
        assert corpus.source_ids(index) == corpus.source_row(index).tolist() == ids
        ids = [*vocabularies.target.encode(corpus.target_text(index)), vocabularies.target.eos_id]
        assert corpus.target_ids(index) == corpus.target_row(index).tolist() == ids
        assert corpus.target_lengths[index] == len(ids)
    assert corpus.source_lengths.dtype == numpy.int32
    assert not corpus.source_row(0).flags.writeable


def test_blank_lines_are_left_out(prepared, tmp_path):
    config, vocabularies, _ = prepared
    pairs = write_pairs(tmp_path, "Haus\n\u200b\nHaus\n\u3164 \ufeff\n", "x\ny\n\xad\nz\n")
    corpus = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
    assert len(corpus) == 1 and corpus.report.dropped["empty"] == 3


def test_rows_over_several_record_batches(prepared, tmp_path):
    config, vocabularies, _ = prepared
    lines = [" ".join(["Haus"] * (number % 5)) for number in range(23_000)]
    pairs = write_pairs(tmp_path, "".join(f"{line}\n" for line in lines), "x\n" * 23_000)
    corpus = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
    assert len(corpus) == 23_000 // 5 * 4
    for index in (0, 7_999, 8_000, 8_001, 15_999, 16_000, len(corpus) - 1):
        line = corpus.line(index)
        assert corpus.source_text(index) == lines[line]
        assert corpus.source_ids(index)[:-1] == vocabularies.source.encode(lines[line])
    assert [corpus.line(index) for index in (0, 3, 4, -1 + len(corpus))] == [1, 4, 6, 22_999]


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(prepared, tmp_path):
    config, vocabularies, _ = prepared
    lines = [" ".join(["Haus", "Ω"][number % 7 == 0] for _ in range(number % 5)) for number in range(23_000)]
    pairs = write_pairs(tmp_path, "".join(f"{line}\n" for line in lines), "x\n" * 23_000)
    written = []
    for processes in (1, 2):
        config = dataclasses.replace(config, processes=processes)
        cache = tmp_path / f"cache-{processes}"
        corpus = encode_corpus(pairs, vocabularies, config, cache=cache)
        (path,) = cache.glob("encoded-*/encoded.arrow")
        written.append((path.read_bytes(), corpus.report, corpus.fingerprint))
    assert written[0] == written[1]
    assert written[0][1].dropped["empty"] == 23_000 // 5
    assert written[0][1].source_unknown > 0


def test_a_large_corpus_is_encoded_by_all_cores(prepared, tmp_path, monkeypatch):
    config, vocabularies, _ = prepared
    asked = []

    def noted(work, pieces, processes):
        asked.append(processes)
        return map(work, pieces)

    monkeypatch.setattr(encoding, "_encoded", noted)
    monkeypatch.setattr(encoding, "usable_cores", lambda: 6)
    monkeypatch.setattr(encoding, "SEVERAL", 4)
    monkeypatch.setattr(encoding, "ROWS", 2)
    for count, processes in [(3, None), (12, None), (6, 2), (7, 8), (1, 4)]:
        pairs = write_pairs(tmp_path, "Haus\n" * count, "x\n" * count)
        encode_corpus(pairs, vocabularies, dataclasses.replace(config, processes=processes))
    assert asked == [1, 6, 2, 4, 1], "no more than there are pieces"


def test_report_counts_what_was_dropped(prepared, tmp_path):
    config, vocabularies, _ = prepared
    pairs = write_pairs(
        tmp_path, "Hund\r\n\nHund Hund\nHund\nΩ Haus\n", "dog\ndog\ndog\n" + "dog " * 50 + "\nhouse\r\n"
    )
    filters = FilterConfig(max_length=40, max_ratio=None)
    report = encode_corpus(pairs, vocabularies, config, filters=filters, cache=tmp_path / "cache").report
    assert (report.lines, report.kept, report.carriage_returns) == (5, 3, 2)
    assert report.dropped == {"empty": 1, "too_short": 0, "too_long": 1, "ratio": 0}
    assert (report.source_unknown, report.target_unknown) == (1, 0)
    expected = sum(len(vocabularies.source.encode(text)) + 1 for text in ("Hund", "Hund Hund", "Ω Haus"))
    assert report.source_tokens == expected
    assert "5 pairs read, 3 kept (dropped: empty 1, too_long 1), 2 carriage returns removed" in str(report)
    assert report.as_json()["dropped"]["too_long"] == 1


def test_nothing_left_tells_why(prepared, tmp_path):
    config, vocabularies, _ = prepared
    pairs = write_pairs(tmp_path, "\nHund Hund\n", "dog\n\n")
    with pytest.raises(DataError, match=r"none of the 2 pairs is left after the filters \(dropped: empty 2\)"):
        encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")


def test_the_cache_notices_every_change(prepared, tmp_path):
    config, vocabularies, _ = prepared

    def entries(config=config, vocabularies=vocabularies, source="Hund\n"):
        pairs = write_pairs(tmp_path, source, "dog\n")
        encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
        return len(list((tmp_path / "cache").glob("encoded-*")))

    other = SubwordModel(vocabularies.source.serialised + b"\x12\x00", vocabularies.source.path)
    found = [
        entries(),
        entries(),
        entries(source="Haus\n"),
        entries(config=dataclasses.replace(config, normalisation=NormalisationConfig(lowercase=True))),
        entries(config=dataclasses.replace(config, target_normalisation=NormalisationConfig(lowercase=True))),
        entries(config=dataclasses.replace(config, filters=FilterConfig(max_length=99))),
        entries(vocabularies=Vocabularies(vocabularies.source, other)),
        entries(),
    ]
    assert found == [1, 1, 2, 3, 4, 5, 6, 6]


def test_what_is_cached_is_named_by_the_files_of_now(prepared, tmp_path):
    config, vocabularies, _ = prepared
    encode_corpus(write_pairs(tmp_path, "Hund\n", "dog\n"), vocabularies, config, cache=tmp_path / "cache")
    for suffix in ("de", "en"):
        (tmp_path / f"x.{suffix}").rename(tmp_path / f"y.{suffix}")
    pairs = read_pairs(TextCorpusConfig(source="y.de", target="y.en"), tmp_path, cache=tmp_path / "cache")
    corpus = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
    assert corpus.report.name == "y.de and y.en"
    assert len(list((tmp_path / "cache").glob("encoded-*"))) == 1


def test_the_fingerprint_is_that_of_the_content(prepared, tmp_path, monkeypatch):
    config, vocabularies, _ = prepared
    sources, targets = ["Hund", "Haus Hund", "", "Haus"], ["dog", "house", "dog", "house dog"]

    def fingerprint(sources=sources, targets=targets, parts=1, filters=config.filters):
        names = []
        for part in range(parts):
            for suffix, lines in (("de", sources), ("en", targets)):
                own = lines[part * len(lines) // parts : (part + 1) * len(lines) // parts]
                (tmp_path / f"{part}.{suffix}").write_text("".join(f"{line}\n" for line in own))
            names.append(str(part))
        corpus = TextCorpusConfig(
            source=tuple(f"{name}.de" for name in names), target=tuple(f"{name}.en" for name in names)
        )
        return encode_corpus(read_pairs(corpus, tmp_path), vocabularies, config, filters=filters).fingerprint

    base = fingerprint()
    assert fingerprint(parts=2) == base, "the same lines in other files"
    assert fingerprint(filters=FilterConfig(max_length=99)) == base, "nothing else is left out"
    monkeypatch.setattr(encoding, "ROWS", 2)
    assert fingerprint() == base, "in other record batches"
    others = [
        fingerprint(sources=["Hund", "HausHund", "", "Haus"]),
        fingerprint(sources=["Hund", "Haus", " Hund", "Haus"]),  # the same letters, in other rows
        fingerprint(targets=["dog", "house", "dog", "dog house"]),
        fingerprint(sources=["Hund", "", "Haus Hund", "Haus"], targets=["dog", "dog", "house", "house dog"]),  # places
        fingerprint(filters=FilterConfig(max_length=2)),
    ]
    assert len({base, *others}) == 6


def test_everything_in_a_table_counts_in_its_fingerprint():
    def fingerprint(lines=("äb", "c", ""), lists=((1, 2), (), (3,)), numbers=(1, 2, 3), cuts=(0, 3)):
        batch = pyarrow.record_batch(
            [pyarrow.array(lines), pyarrow.array(lists, pyarrow.list_(pyarrow.int32())), pyarrow.array(numbers)],
            names=["lines", "lists", "numbers"],
        )
        content = encoding._Content()
        for begin, end in itertools.pairwise(cuts):
            content.add(batch.slice(begin, end - begin))
        return content.fingerprint()

    base = fingerprint()
    assert fingerprint(cuts=(0, 1, 3)) == fingerprint(cuts=(0, 0, 2, 3)) == base
    others = [
        fingerprint(lines=("äb", "d", "")),
        fingerprint(lines=("ä", "bc", "")),
        fingerprint(lists=((1, 2), (), (4,))),
        fingerprint(lists=((1,), (2,), (3,))),
        fingerprint(numbers=(1, 2, 4)),
    ]
    assert len({base, *others}) == 6


def test_a_damaged_cache_is_rebuilt(prepared, tmp_path, caplog):
    config, vocabularies, _ = prepared
    pairs = write_pairs(tmp_path, "Hund\n", "dog\n")
    first = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache").source_ids(0)
    (path,) = (tmp_path / "cache").glob("encoded-*/encoded.arrow")
    path.write_bytes(path.read_bytes()[:-40])
    second = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
    assert second.source_ids(0) == first
    assert "damaged" in caplog.text


def test_normalisation_is_applied_before_encoding(prepared, tmp_path):
    config, vocabularies, _ = prepared
    config = dataclasses.replace(config, target_normalisation=NormalisationConfig(lowercase=True))
    pairs = write_pairs(tmp_path, "gru\u0308n\n", "DOG\n")
    corpus = encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache")
    assert corpus.source_ids(0)[:-1] == vocabularies.source.encode("grün")
    assert corpus.target_ids(0)[:-1] == vocabularies.target.encode("dog")
    assert (corpus.source_text(0), corpus.target_text(0)) == ("gru\u0308n", "DOG")
