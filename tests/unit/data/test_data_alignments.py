"""Given alignments: from their file, through filters, cache, shuffling and sampling, into the right batch."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

from nmt.core import config as configs
from nmt.core.errors import DataError
from nmt.data.checks.corpora import check_data
from nmt.data.corpus import read_pairs
from nmt.data.corpus.text import TextCorpusConfig
from nmt.data.data_config import DataConfig
from nmt.data.loader import Position
from nmt.data.pipeline import encode_corpus, prepare_vocabulary, read_training_pairs, training_loader

# Each word is translated by its capitals, in reversed order; every third pair has no links.
WORDS = ["ab", "cde", "fghi", "jk", "lmnop"]


def rows(count: int) -> list[list[str]]:
    draw = numpy.random.default_rng(3)
    return [[WORDS[i] for i in draw.integers(0, 5, size=draw.integers(1, 9))] for _ in range(count)]


def links_of(index: int, words: int) -> list[tuple[int, int]]:
    return [] if index % 3 == 0 else [(word, words - 1 - word) for word in range(words)]


def write(folder: Path, count: int = 60) -> Path:
    sources = rows(count)
    targets = [[word.upper() for word in reversed(row)] for row in sources]
    for name, lines in (("source", sources), ("target", targets)):
        (folder / f"train.{name}").write_text("".join(" ".join(row) + "\n" for row in lines))
    with (folder / "train.align").open("w") as file:
        for index, row in enumerate(sources):
            file.write(" ".join(f"{i}-{j}" for i, j in links_of(index, len(row))) + "\n")
    return folder


def prepared(folder: Path, **subword: object):
    config = configs.from_mapping(
        DataConfig,
        {
            "root": str(folder),
            "train": [{"source": "train.source", "target": "train.target", "alignment": "train.align"}],
            "subword": {"algorithm": "unigram", "size": 40, **subword},
            "filters": {"max_length": 30, "min_length": 4},
            "batch": {"size": 90},
        },
        name="test",
    )
    pairs = read_training_pairs(config, cache=folder / "cache")
    vocabularies = prepare_vocabulary(config, pairs, folder / "vocabulary")
    return config, vocabularies, encode_corpus(pairs, vocabularies, config, cache=folder / "cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("aligned"))


def expected_alignment(vocabularies, batch, row: int, text: tuple[str, str], links) -> torch.Tensor:
    """From the letters of the pieces alone, as neither side has a space in a word."""
    sides = []
    for model, ids, line in zip(
        (vocabularies.source, vocabularies.target),
        (batch.source.ids[row], batch.target.ids[row]),
        text,
        strict=True,
    ):
        letters = [word for word, letters in enumerate(line.split()) for _ in letters]
        words, at = [], 0
        for piece in model.pieces(ids):
            plain = piece.replace("\u2581", "")
            if piece in ("<pad>", "</s>"):
                words.append(None)
                continue
            words.append(letters[min(at, len(letters) - 1)])
            at += len(plain)
        sides.append(words)
    table = torch.zeros(len(sides[1]), len(sides[0]))
    for j, target in enumerate(sides[1]):
        linked = [i for i, source in enumerate(sides[0]) if (source, target) in links and source is not None]
        for i in linked:
            table[j, i] = 1.0 / len(linked)
    return table


@pytest.mark.parametrize("subword", [{}, {"sampling": {"alpha": 0.1}}], ids=["best", "sampled"])
def test_links_follow_their_pair(folder, subword):
    config, vocabularies, corpus = prepared(folder, **subword)
    assert corpus.aligned and 20 < len(corpus) < 60, "filters have left some out"
    lines = rows(60)
    loader = training_loader(corpus, vocabularies, config, seed=4, aligned=True)
    seen, segmentations = set(), set()
    for batch, position in itertools.islice(loader.batches(Position(0, 0)), 2 * loader.epoch_batches(0)):
        assert batch.alignment.shape == (batch.target.rows, batch.target.ids.shape[1], batch.source.ids.shape[1])
        for row, index in enumerate(batch.examples.tolist()):
            line = corpus.line(index)
            links = links_of(line, len(lines[line]))
            text = corpus.source_text(index), corpus.target_text(index)
            assert text[0] == " ".join(lines[line])
            wanted = expected_alignment(vocabularies, batch, row, text, links)
            torch.testing.assert_close(batch.alignment[row], wanted)
            assert bool(wanted.any()) == bool(links)
            seen.add(index)
            segmentations.add((index, tuple(batch.source.ids[row].tolist())))
        del position
    assert seen == set(range(len(corpus)))
    if subword:
        assert len(segmentations) > 1.2 * len(corpus), "sampling gives other segmentations"


def test_from_the_cache_they_are_the_same(folder):
    _, _, first = prepared(folder)
    _, _, second = prepared(folder)
    assert first.fingerprint == second.fingerprint
    for index in range(len(first)):
        assert numpy.array_equal(first.links(index), second.links(index))


def test_other_links_are_another_corpus(tmp_path):
    one = prepared(write(tmp_path))[2]
    (tmp_path / "train.align").write_text("0-0\n" * 60)
    other = prepared(tmp_path)[2]
    assert one.fingerprint != other.fingerprint
    assert other.links(0).tolist() == [[0, 0]]


def test_batches_carry_them_only_when_asked(folder):
    config, vocabularies, corpus = prepared(folder)
    loader = training_loader(corpus, vocabularies, config, seed=4)
    batch, _ = next(loader.batches(Position(0, 0)))
    assert batch.alignment is None and batch.to(torch.device("cpu")).alignment is None
    aligned, _ = next(training_loader(corpus, vocabularies, config, seed=4, aligned=True).batches(Position(0, 0)))
    assert torch.equal(aligned.source.ids, batch.source.ids)
    assert torch.equal(aligned.to(torch.device("cpu")).alignment, aligned.alignment)


def test_corpora_joined_with_one_that_has_none(folder):
    text = {"source": "train.source", "target": "train.target"}
    config, vocabularies, _ = prepared(folder)
    both = configs.from_mapping(
        DataConfig,
        {"root": str(folder), "train": [{**text, "alignment": "train.align"}, text]},
        name="test",
    )
    pairs = read_training_pairs(both, cache=folder / "cache")
    assert len(pairs) == 120 and not pairs.aligned
    corpus = encode_corpus(pairs, vocabularies, config, cache=folder / "cache")
    with pytest.raises(DataError, match="has no alignments to train with"):
        training_loader(corpus, vocabularies, config, seed=1, aligned=True)


def read(folder: Path, source: str, target: str, alignment: str):
    for name, text in (("s", source), ("t", target), ("a", alignment)):
        (folder / name).write_text(text)
    return read_pairs(TextCorpusConfig(source="s", target="t", alignment="a"), folder)


def test_empty_lines_and_possible_links(tmp_path):
    pairs = read(tmp_path, "a b\nc\nd e\n", "x\ny z\nv w\n", "1-0 0p0\n\n0-1 1-0\n")
    assert [row["links"] for row in pairs.dataset] == [[0, 0, 1, 0], [], [0, 1, 1, 0]]


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (
            "0-0\n",
            "/a has 1 lines, but its corpus has 2 sentence pairs: every pair needs one line of links",
        ),
        ("0-0\n\n\n", "/a has 3 lines, but its corpus has 2 sentence pairs"),
        ("", "/a has 0 lines, but its corpus has 2"),
        ("0-0\n0-0 2-0\n", "/a: line 2: link 2-0 is out of range: the source has 2 words and the target 1"),
        ("1-1\n\n", "/a: line 1: link 1-1 is out of range: the source has 1 words and the target 2, counted from 0"),
        ("0-0\nzero-0\n", "/a: line 2, field 1: a link must be SOURCE-TARGET"),
    ],
)
def test_alignments_that_do_not_fit(tmp_path, alignment, message):
    with pytest.raises(DataError) as caught:
        read(tmp_path, "a\nb c\n", "x y\nz\n", alignment)
    assert message in str(caught.value)


def test_an_alignment_that_is_not_there(tmp_path):
    for name in ("s", "t", "train.align"):
        (tmp_path / name).write_text("a\n")
    with pytest.raises(DataError, match=r"trian\.align: there is no such file; did you mean .*train\.align"):
        read_pairs(TextCorpusConfig(source="s", target="t", alignment="trian.align"), tmp_path)
    with pytest.raises(DataError, match="alignments for each of the 1 files of a side, but there are 2"):
        read_pairs(TextCorpusConfig(source="s", target="t", alignment=("train.align", "s")), tmp_path)


def test_each_file_has_its_alignments(tmp_path):
    for number in (1, 2):
        for name in ("s", "t"):
            (tmp_path / f"{name}{number}").write_text("a b\nc d\n")
        (tmp_path / f"a{number}").write_text(f"0-{number - 1}\n1-1\n")
    corpus = TextCorpusConfig(source=("s1", "s2"), target=("t1", "t2"), alignment="a?")
    parts = corpus.parts(tmp_path)
    assert [(part.source, part.target, part.alignment) for part in parts] == [
        ("s1", "t1", "a1"),
        ("s2", "t2", "a2"),
    ]
    assert [len(read_pairs(part, tmp_path)) for part in parts] == [2, 2]
    found = check_data(DataConfig(root=str(tmp_path), train=(corpus,))).findings
    assert not [each for each in found if each.severity == "error"]
    assert replace(corpus, alignment=None).parts(tmp_path)[1].alignment is None


def test_gzip_is_read(tmp_path):
    for name in ("s", "t"):
        (tmp_path / name).write_text("a\n")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"0-0\n"))
    pairs = read_pairs(TextCorpusConfig(source="s", target="t", alignment="a.gz"), tmp_path)
    assert pairs.dataset[0]["links"] == [0, 0]


def read_tokens(folder: Path, source: str, target: str, alignment: str):
    for name, text in (("s", source), ("t", target), ("a", alignment)):
        (folder / name).write_text(text)
    return read_pairs(TextCorpusConfig(source="s", target="t", alignment="a", tokenized=True), folder)


def test_links_over_tokens_hold_for_each_of_their_words(tmp_path):
    pairs = read_tokens(
        tmp_path,
        "10\u00a0000 rot blau\na b\n\u00a0 x\n",
        "10\u00a0000 red blue\na b\ny z\n",
        "0-0 1-1 2-2\n0-1\n0-0 1-1\n",
    )
    links = [[tuple(row["links"][at : at + 2]) for at in range(0, len(row["links"]), 2)] for row in pairs.dataset]
    assert links[0] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (3, 3)]
    assert links[1:] == [[(0, 1)], [(0, 1)]]  # a token of white space alone holds no word
    assert pairs.identity["tokenized"] is True
    undeclared = read(tmp_path, "a b\n", "x y\n", "0-0\n")
    assert "tokenized" not in undeclared.identity


def test_a_link_out_of_range_says_how_else_words_may_be_counted(tmp_path):
    with pytest.raises(
        DataError,
        match=r"3 words and the target 3, counted from 0; between white space of any kind there are 4 and 4",
    ):
        read_tokens(tmp_path, "10\u00a0000 rot blau\n", "10\u00a0000 red blue\n", "3-3\n")
    with pytest.raises(
        DataError, match=r"the source has 2 words and the target 2, counted from 0; between spaces alone .* are 1 and 2"
    ):
        read(tmp_path, "a\tb\n", "x y\n", "2-2\n")


def test_where_words_can_be_counted_in_two_ways_it_is_said_with_the_line(tmp_path):
    for name, text in (
        ("s", "a b\n10\u00a0000 rot\nc\u2003d e\n"),
        ("t", "x y\n10\u00a0000 red\nu v\n"),
        ("a", "0-0\n0-0 1-1\n\n"),
    ):
        (tmp_path / name).write_text(text)
    corpus = TextCorpusConfig(source="s", target="t", alignment="a")
    (found,) = [
        each for each in check_data(DataConfig(root=str(tmp_path), train=(corpus,))).findings if each.kind == "words"
    ]
    assert found.severity == "warning" and [example.line for example in found.examples] == [2]
    assert "tokenized: true" in found.advice
    declared = replace(corpus, tokenized=True)
    assert not [
        each for each in check_data(DataConfig(root=str(tmp_path), train=(declared,))).findings if each.kind == "words"
    ]
    both = DataConfig(root=str(tmp_path), train=(declared, corpus))
    assert [len(each.examples) for each in check_data(both).findings if each.kind == "words"] == [1]


def test_tokenized_needs_links():
    assert [*TextCorpusConfig(source="s", target="t", tokenized=True).problems()] == [
        ("tokenized", "needs alignment: it says how words in those files are counted")
    ]
