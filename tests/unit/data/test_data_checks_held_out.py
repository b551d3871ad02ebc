"""What held-out corpora have in common with training, and how text is written on both sides."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sound_corpora import check, lines, sound

from nmt.data.checks.against_training import _but_for_one
from nmt.data.checks.findings import Finding
from nmt.data.checks.report import Report


def found(report: Report, kind: str) -> list[Finding]:
    return [each for each in report.findings if each.kind == kind]


@pytest.mark.parametrize(("count", "severity"), [(3, "note"), (30, "warning")])
def test_words_that_training_has_never_seen(tmp_path: Path, count: int, severity: str) -> None:
    training, held_out = sound(1000), [(source, target) for source, target in sound(20, seed=1)]
    total = sum(len(source.split()) for source, _ in held_out)
    held_out[7] = (f"{held_out[7][0]} {' '.join(['Zebra', 'ZEBRA,'] * count)} -- 12", held_out[7][1])
    training[4] = (f"{training[4][0]} (12)", training[4][1])
    held_out[2] = (held_out[2][0].upper() + ".", held_out[2][1])
    (finding,) = found(check(tmp_path, training, held_out, subword={"byte_fallback": True}), "unseen")
    total += 2 * count + 1
    share = f"{2 * count / total:.2%}"
    expected = f"{2 * count} of {total} source words ({share}) never occur in training, 1 different: zebra"
    assert finding.message == expected
    assert (finding.severity, lines(finding)) == (severity, [8])
    assert finding.corpus.startswith("validation")


def test_the_words_of_all_training_corpora_count(tmp_path: Path) -> None:
    training = sound(400)
    for name, part in (("more", training[200:]), ("train", training[:200])):
        for side, suffix in ((0, "xx"), (1, "yy")):
            (tmp_path / f"{name}.{suffix}").write_text("".join(f"{pair[side]}\n" for pair in part), encoding="utf-8")
    both = [{"source": f"{name}.xx", "target": f"{name}.yy"} for name in ("train", "more")]
    rare = [(f"{training[350][0]} extra", training[350][1])]
    training[0] = (f"{training[0][0]} extra", training[0][1])
    report = check(tmp_path, training[:200], rare, train=both)
    assert not found(report, "unseen")


def test_words_are_not_looked_for_where_there_are_no_spaces(tmp_path: Path) -> None:
    draw = random.Random(1)
    letters = [chr(point) for point in range(0x4E00, 0x4E40)]

    def chinese(count: int) -> list[tuple[str, str]]:
        return [("".join(draw.choices(letters, k=draw.randint(5, 9))), "k l m n o p") for _ in range(count)]

    assert not found(check(tmp_path, chinese(50), chinese(5)), "unseen")


def test_lines_that_training_has_but_for_one_word(tmp_path: Path) -> None:
    training, test = sound(600), sound(40, seed=1)
    long = [row for row, (source, _) in enumerate(training) if len(source.split()) > 7]
    words = [training[row][0].split() for row in long[:5]]
    test[1] = (" ".join(["XY", *words[0][1:]]), training[long[0]][1])  # the first word is another one
    test[3] = (" ".join([*words[1][:4], "xy", *words[1][4:]]), test[3][1])  # one word more
    test[5] = (" ".join(words[2][:-1]) + ".", training[long[2]][1] + " xy")  # one word less
    test[7] = (" ".join(words[3]).upper() + " !", "xy " + training[long[3]][1])  # only case and punctuation
    test[9] = (" ".join(["xy", *words[4][1:-1], "xy"]), training[long[4]][1])  # two words are others
    test[11] = (" ".join(training[long[6]][0].split()[:4]), "a")  # too short to tell
    (finding,) = found(check(tmp_path, training, test=test, subword={"byte_fallback": True}), "near")
    assert (finding.count, lines(finding), finding.severity) == (4, [2, 4, 6, 8], "note")
    (fewer,) = found(check(tmp_path, training, test=test[:39], subword={"byte_fallback": True}), "near")
    assert fewer.severity == "warning", "a tenth is much"
    assert "the sources of 4 of 40 pairs (10.00%) are in training, 3 of them with such a target" in finding.message


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("a b c", "a b c", True),
        ("a b c", "a x c", True),
        ("a b c", "b c", True),
        ("a b c", "a b", True),
        ("a b", "a c b", True),
        ("a b c", "a c b", False),
        ("a b c", "x b y", False),
        ("a", "a b c", False),
        ("", "a", True),
    ],
)
def test_but_for_one_word(one: str, other: str, near: bool) -> None:
    assert _but_for_one(one.split(), other.split()) == near
    assert _but_for_one(other.split(), one.split()) == near


def test_targets_that_training_has_with_other_sources(tmp_path: Path) -> None:
    training, test = sound(500), sound(40, seed=1)
    for row in (3, 4):
        test[row] = (test[row][0], training[row][1])
    test[6] = training[6]
    report = check(tmp_path, training, test=test)
    (finding,) = found(report, "targets")
    assert (finding.severity, finding.count, lines(finding)) == ("note", 2, [4, 5])
    assert "2 of 40 pairs (5.00%) are also in training (train.xx and train.yy)" in finding.message
    for row in range(10):
        test[row] = (test[row][0], training[row][1])
    (finding,) = found(check(tmp_path, training, test=test), "targets")
    assert finding.severity == "warning"


def with_marks(pairs: list[tuple[str, str]], side: int, text: str, rows: range) -> list[tuple[str, str]]:
    """Append a text to one side of some pairs."""
    changed = list(pairs)
    for row in rows:
        pair = list(changed[row])
        pair[side] += f" {text}"
        changed[row] = (pair[0], pair[1])
    return changed


def test_quotes_in_two_ways_on_one_side(tmp_path: Path) -> None:
    training = with_marks(sound(300), 1, "k'l 'm", range(40))
    assert not found(check(tmp_path, training), "quotes")
    training = with_marks(training, 1, "k\u2019l", range(100, 115))
    (finding,) = found(check(tmp_path, training), "quotes")
    assert finding.message == "the target writes apostrophes in two ways: 80 are straight, 15 typographic"
    assert (finding.severity, lines(finding)) == ("warning", [101, 102, 103, 104, 105])
    assert "data.normalisation.quotes: straight" in finding.advice
    few = with_marks(with_marks(sound(300), 1, "k'l 'm", range(40)), 1, "k\u2019l", range(100, 103))
    (finding,) = found(check(tmp_path, few), "quotes")
    assert finding.severity == "note"
    assert not found(check(tmp_path, training, normalisation={"quotes": "straight"}), "quotes")


def test_quotes_that_differ_between_sides_and_between_training_and_test(tmp_path: Path) -> None:
    training = with_marks(with_marks(sound(300), 0, '"a"', range(20)), 1, "\u201ek\u201c", range(20))
    (finding,) = found(check(tmp_path, training), "quotes")
    assert finding.message == "quotes are mostly straight in the source and typographic in the target of training"
    assert (finding.severity, lines(finding)) == ("note", [1, 2, 3, 4, 5])
    test = with_marks(with_marks(sound(60, seed=1), 0, '"a"', range(20)), 1, '"k"', range(10, 30))
    findings = found(check(tmp_path, training, test=test), "quotes")
    (other,) = (each for each in findings if each.corpus.startswith("test"))
    assert other.message == "quotes of the target are mostly straight, but typographic in training"
    assert (other.severity, lines(other)) == ("warning", [11, 12, 13, 14, 15])
    assert "write them as in training" in other.advice
    straight = {"target_normalisation": {"quotes": "straight"}}
    assert not found(check(tmp_path, training, test=test, **straight), "quotes")


def test_words_of_the_other_sides_script(tmp_path: Path) -> None:
    greek = str.maketrans("klmnopqrs", "αβγδεζηθι")
    training = [(source, target.translate(greek)) for source, target in sound(300)]
    assert not found(check(tmp_path, training), "script")
    training[9] = (training[9][0], f"{training[9][1]} ABBA")
    training[12] = (training[12][0] + " α", training[12][1])  # a letter alone is no word
    (finding,) = found(check(tmp_path, training), "script")
    assert (finding.severity, lines(finding)) == ("note", [10])
    assert "the target of 1 of 300 pairs (0.33%) has words in the script of the other side (Latin, " in finding.message
    training = with_marks(training, 0, "αβγ", range(50, 80))
    assert {(each.severity, each.count) for each in found(check(tmp_path, training), "script")} == {
        ("note", 1),
        ("warning", 30),
    }
    assert not found(check(tmp_path, sound(300)), "script"), "where both sides have one script"
