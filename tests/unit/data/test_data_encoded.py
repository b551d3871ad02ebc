import dataclasses

import numpy
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

    def noted(work, pieces, *, processes):
        asked.append(processes)
        return map(work, pieces)

    monkeypatch.setattr(encoding, "in_turn", noted)
    monkeypatch.setattr(encoding, "usable_cores", lambda: 6)
    monkeypatch.setattr(encoding, "SEVERAL", 4)
    for count, processes in [(3, None), (4, None), (4, 2)]:
        pairs = write_pairs(tmp_path, "Haus\n" * count, "x\n" * count)
        encode_corpus(pairs, vocabularies, dataclasses.replace(config, processes=processes))
    assert asked == [1, 6, 2]


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

    def fingerprint(config=config, vocabularies=vocabularies, source="Hund\n"):
        pairs = write_pairs(tmp_path, source, "dog\n")
        return encode_corpus(pairs, vocabularies, config, cache=tmp_path / "cache").fingerprint

    base = fingerprint()
    assert fingerprint() == base
    other = SubwordModel(vocabularies.source.serialised + b"\x12\x00", vocabularies.source.path)
    changed = [
        fingerprint(source="Haus\n"),
        fingerprint(config=dataclasses.replace(config, normalisation=NormalisationConfig(lowercase=True))),
        fingerprint(config=dataclasses.replace(config, target_normalisation=NormalisationConfig(lowercase=True))),
        fingerprint(config=dataclasses.replace(config, filters=FilterConfig(max_length=99))),
        fingerprint(vocabularies=Vocabularies(vocabularies.source, other)),
    ]
    assert len({base, *changed}) == 6
    assert fingerprint() == base


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
