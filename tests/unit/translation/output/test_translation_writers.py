from __future__ import annotations

import json
import math

import torch

from nmt.alignment.soft_alignment import LinkRule
from nmt.search.hypothesis import Hypothesis
from nmt.translation.lines import Pieces, ScoredTarget, SourceLine, Translation, unseen
from nmt.translation.output.writers import soft_alignment, writer_of

SOURCE = SourceLine(7, "ein Hund", Pieces((5, 6, 7), ("▁ein", "▁Hu", "nd"), (0, 1, 1)))


def hypothesis(log_probs: list[float], weights: list[list[float]] | None) -> Hypothesis:
    return Hypothesis(
        tokens=[8, 9],
        score=-0.5,
        log_prob=sum(log_probs),
        token_log_probs=log_probs,
        finished=True,
        weights=None if weights is None else torch.tensor(weights),
    )


# Rows a, dog, eos; columns ein, Hu, nd, eos.
WEIGHTS = [[0.7, 0.1, 0.1, 0.1], [0.1, 0.3, 0.4, 0.2], [0.0, 0.0, 0.0, 1.0]]
BEST = ScoredTarget(SOURCE, "a dog", Pieces((8, 9), ("▁a", "▁dog"), (0, 1)), hypothesis([-0.25, -0.5, -0.25], WEIGHTS))
SECOND = ScoredTarget(SOURCE, "a\tdog", Pieces((8, 9), ("▁a", "▁dog"), (0, 1)), hypothesis([-1.0, -1.0, -1.0], None))
TRANSLATION = Translation(SOURCE, (BEST, SECOND))
BLANK = SourceLine(8, "", Pieces())
EMPTY = Translation(BLANK, (unseen(BLANK),))


def test_text_is_one_line_a_line() -> None:
    write = writer_of("text")
    assert write(TRANSLATION) == "a dog\n"
    assert write(EMPTY) == "\n"


def test_tsv_has_a_row_a_hypothesis_of_five_fields() -> None:
    write = writer_of("tsv")
    confidence = math.exp(-1 / 3)
    assert write(TRANSLATION) == (
        f"7\t1\t-0.500000\t{confidence:.6f}\ta dog\n7\t2\t-0.500000\t{math.exp(-1):.6f}\ta dog\n"
    )
    assert write(EMPTY) == "8\t1\t0.000000\t1.000000\t\n"


def test_jsonl_has_all_that_is_known() -> None:
    record = json.loads(writer_of("jsonl")(TRANSLATION))
    assert list(record) == ["line", "source", "source_spans", "hypotheses"]
    assert (record["line"], record["source"]) == (7, "ein Hund")
    best, second = record["hypotheses"]
    assert best == {
        "text": "a dog",
        "spans": [[0, 1], [2, 5]],
        "score": -0.5,
        "log_prob": -1.0,
        "confidence": round(math.exp(-1 / 3), 6),
        "finished": True,
        "cut": False,
        "pieces": ["▁a", "▁dog"],
        "piece_log_probs": [-0.25, -0.5, -0.25],
        "alignment": "0-0 1-1",
    }
    assert second["alignment"] == ""


def test_jsonl_gives_weights_between_words_when_asked() -> None:
    best, second = json.loads(writer_of("jsonl", weights=True)(TRANSLATION))["hypotheses"]
    # Hund takes what Hu and nd have; the last column is the null word.
    assert best["weights"] == [[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]]
    assert second["weights"] is None


def test_jsonl_stays_one_line_and_knows_no_infinity() -> None:
    source = SourceLine(1, "a\u2028b\x85c", SOURCE.pieces)
    target = ScoredTarget(source, "x", Pieces((8, 9), ("▁a", "▁dog"), (0, 0)), hypothesis([-math.inf, 0.0], None))
    written = writer_of("jsonl")(Translation(source, (target,)))
    assert len(written.splitlines()) == 1
    record = json.loads(written)
    assert record["source"] == "a\u2028b\x85c"
    assert record["hypotheses"][0]["log_prob"] is None
    assert record["hypotheses"][0]["piece_log_probs"] == [None, 0.0]


def test_soft_alignment() -> None:
    record = json.loads(soft_alignment(BEST))
    assert record == {
        "line": 7,
        "source": ["ein", "Hund"],
        "target": ["a", "dog"],
        "log_prob": -1.0,
        "confidence": round(math.exp(-1 / 3), 6),
        "source_spans": [[0, 3], [4, 8]],
        "target_spans": [[0, 1], [2, 5]],
        "alignment": "0-0 1-1",
        "weights": [[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]],
    }
    links = BEST.links(LinkRule(kind="threshold", threshold=0.15))
    assert json.loads(soft_alignment(BEST, links))["alignment"] == "0-0 1-0 1-1"
    assert json.loads(soft_alignment(unseen(BLANK, "x")))["weights"] is None
