"""Word and character error rates by jiwer, and the share of exact translations: metrics of speech and short answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from nmt.core.errors import NmtError
from nmt.metrics.score import References, Score, present_references, reference_streams


def wer(hypotheses: Sequence[str], references: References, *, lowercase: bool = False) -> Score:
    """Word error rate in percent: substitutions, deletions and insertions over the words of the references.

    Words are what white space separates; punctuation and case count. Of several references of a line, the one with the
    lowest error rate counts.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        NmtError: jiwer is not installed.
    """
    return _error_rate("WER", "words", hypotheses, references, lowercase=lowercase)


def cer(hypotheses: Sequence[str], references: References, *, lowercase: bool = False) -> Score:
    """Character error rate in percent, spaces included; otherwise as ``wer``."""
    return _error_rate("CER", "characters", hypotheses, references, lowercase=lowercase)


def exact(hypotheses: Sequence[str], references: References, *, lowercase: bool = False) -> Score:
    """Percentage of translations that equal a reference, whatever the white space between words.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
    """
    rows = _rows(hypotheses, references, lowercase=lowercase)
    right = sum(hypothesis in present for hypothesis, present in rows)
    signature = _signature(len(reference_streams(hypotheses, references)), lowercase=lowercase)
    return Score("exact", 100 * right / len(rows), signature, f"({right} of {len(rows)} lines)")


def check_jiwer() -> None:
    """Check that word and character error rates can be computed.

    Raises:
        NmtError: jiwer is not installed.
    """
    if find_spec("jiwer") is None:
        raise NmtError(
            "word and character error rates need jiwer, which is not installed; run: pip install 'nmt[sound]'"
        )


def _error_rate(name: str, unit: str, hypotheses: Sequence[str], references: References, *, lowercase: bool) -> Score:
    check_jiwer()
    import jiwer

    measure: Callable[..., Any] = getattr(jiwer, f"process_{unit}")
    rows = _rows(hypotheses, references, lowercase=lowercase)

    def closest(hypothesis: str, present: list[str]) -> str:
        if len(present) == 1:
            return present[0]
        return min(present, key=lambda reference: float(getattr(measure(reference, hypothesis), name.lower())))

    found = measure([closest(*row) for row in rows], [hypothesis for hypothesis, _ in rows])
    wrong, missing, added = found.substitutions, found.deletions, found.insertions
    total = found.hits + wrong + missing
    signature = _signature(len(reference_streams(hypotheses, references)), lowercase=lowercase)
    return Score(
        name,
        100 * float(getattr(found, name.lower())),
        f"{signature}|jiwer:{version('jiwer')}",
        f"({wrong} substitutions, {missing} deletions and {added} insertions in {total} {unit})",
        higher_is_better=False,
    )


def _signature(references: int, *, lowercase: bool) -> str:
    return f"nrefs:{references}|case:{'lc' if lowercase else 'mixed'}"


def _rows(hypotheses: Sequence[str], references: References, *, lowercase: bool) -> list[tuple[str, list[str]]]:
    """Return each translation with its references that are present, white space normalised."""

    def plain(text: str) -> str:
        return " ".join((text.lower() if lowercase else text).split())

    streams = present_references(reference_streams(hypotheses, references))
    return [
        (plain(hypothesis), [plain(each) for each in present if each is not None])
        for hypothesis, *present in zip(hypotheses, *streams, strict=True)
    ]
