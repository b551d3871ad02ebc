"""What is said of texts that are not of one kind, and of those that are nothing."""

from __future__ import annotations

import unicodedata

import pytest

from nmt.metrics.mismatches import mismatches

PLAIN = [f"Der Käfer läuft über die Straße {number}." for number in range(30)]
OTHERS = {
    "form NFC": [unicodedata.normalize("NFD", line) for line in PLAIN],
    "subwords": [line.replace("Käfer", "Kä@@ fer") for line in PLAIN],
    "escapes": [line.replace("über", "&quot;über&quot;") for line in PLAIN],
    "space before": [line.replace(".", " .") for line in PLAIN],
}


@pytest.mark.parametrize("sign", OTHERS)
def test_what_one_side_alone_has_is_told(sign: str) -> None:
    other = OTHERS[sign]
    (found,) = mismatches(PLAIN, other)
    assert found.startswith("0 of 30 translations and 30 of 30 references ") and sign in found
    (found,) = mismatches(other, PLAIN)
    assert found.startswith("30 of 30 translations and 0 of 30 references ") and sign in found


def test_what_both_sides_have_or_few_lines_is_not_told() -> None:
    for other in (PLAIN, *OTHERS.values()):
        assert not list(mismatches(other, other))
        assert not list(mismatches(PLAIN * 2, [*PLAIN, *PLAIN[1:], other[0]]))
    assert not list(mismatches([], []))
    assert not list(mismatches(["R&D; 5 & 6.", "mail@@home", "?"] * 9, ["A & B;", "a@@b", "."] * 9))
