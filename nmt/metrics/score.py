"""BLEU, chrF and TER by sacreBLEU, each with the signature that says how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt.core.characters import is_blank
from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.registry import nearest
from nmt.metrics.tokenizer import Tokenizer, fitting_tokenizer

References: TypeAlias = Sequence[str] | Sequence[Sequence[str]]
"""One list of lines; or several such lists, each a translation of the test set. A line that is blank in some of several
lists but not in all is a missing reference; a line that is blank in all lists asks for a blank translation."""


@dataclass(frozen=True, slots=True)
class Score:
    """A value of a metric, with its signature.

    Args:
        name: ``BLEU``, ``chrF2``, ``TER`` ...
        value: on the metric's own scale, 0 to 100 (TER can exceed 100).
        signature: sacreBLEU's, with ``prep:`` appended where the text was preprocessed.
        detail: components, such as the n-gram precisions and the brevity penalty of BLEU; may be empty.
        higher_is_better: whether a better translation scores higher.
    """

    name: str
    value: float
    signature: str
    detail: str = ""
    higher_is_better: bool = True

    def format(self, digits: int = 2) -> str:
        """Return one line with name, signature, value and detail."""
        line = f"{self.name}|{self.signature} = {self.value:.{digits}f}"
        return f"{line} {self.detail}" if self.detail else line

    def to_mapping(self) -> dict[str, str | float]:
        """Return plain values for JSON."""
        return {"name": self.name, "value": self.value, "signature": self.signature, "detail": self.detail}

    def __str__(self) -> str:
        return self.format()


def bleu(
    hypotheses: Sequence[str], references: References, *, tokenize: Tokenizer = "auto", lowercase: bool = False
) -> Score:
    """Corpus BLEU (Papineni et al., 2002) of detokenised text, by sacreBLEU (Post, 2018).

    Args:
        hypotheses: one translation a line.
        references: one list of as many lines, or several.
        tokenize: sacreBLEU's tokeniser, applied to both sides; ``none`` for text that is tokenised already; ``auto``
            chooses by the script of the references: ``13a`` for scripts with spaces between words.
        lowercase: whether case is ignored.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        NmtError: the tokeniser needs packages that are not installed.
    """
    check_tokenizer(tokenize)
    name = resolved_tokenizer(tokenize, reference_streams(hypotheses, references))
    return _score(BLEU(tokenize=name, lowercase=lowercase, force=True), hypotheses, references)


def resolved_tokenizer(tokenize: Tokenizer, streams: Sequence[Sequence[str]]) -> Tokenizer:
    """Return the tokeniser that ``auto`` stands for with these references; any other unchanged."""
    return fitting_tokenizer(line for stream in streams for line in stream) if tokenize == "auto" else tokenize


def check_tokenizer(name: str) -> None:
    """Check that a tokeniser of sacreBLEU can be used; those for Japanese and Korean need more packages.

    Raises:
        NmtError: they are not installed; the message names them.
    """
    if name == "auto":
        return
    try:
        BLEU(tokenize=name)
    except RuntimeError as error:
        extra = name.removesuffix("-mecab")
        raise NmtError(
            f'the tokenizer {name} needs packages that are not installed; run: pip install "sacrebleu[{extra}]"'
        ) from error


def chrf(hypotheses: Sequence[str], references: References, *, word_order: int = 0, lowercase: bool = False) -> Score:
    """Corpus chrF2 (Popović, 2015) by sacreBLEU; ``word_order=2`` gives chrF++ (Popović, 2017).

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
    """
    return _score(CHRF(word_order=word_order, lowercase=lowercase), hypotheses, references)


def ter(hypotheses: Sequence[str], references: References, *, case_sensitive: bool = False) -> Score:
    """Corpus translation edit rate (Snover et al., 2006) by sacreBLEU; lower is better.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
    """
    return _score(TER(case_sensitive=case_sensitive), hypotheses, references, higher_is_better=False)


def tokenised_bleu(
    hypotheses: Sequence[str], references: References, *, language: str, lowercase: bool = True
) -> Score:
    """BLEU of Moses-tokenised text, for comparison with papers that report it; not comparable with ``bleu``.

    Both sides are tokenised with sacremoses for a language (two-letter code), lower-cased if asked, and scored without
    another tokeniser. The signature says so: ``tok:none`` ... ``prep:moses-en-lc``.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        ConfigError, NmtError: as for ``check_moses``.
    """
    streams = reference_streams(hypotheses, references)
    tokenised = moses_tokenise(hypotheses, language, lowercase=lowercase)
    plain = bleu(
        tokenised,
        [moses_tokenise(stream, language, lowercase=lowercase) for stream in streams],
        tokenize="none",
        lowercase=lowercase,
    )
    preparation = f"prep:moses-{language}{'-lc' if lowercase else ''}|sacremoses:{version('sacremoses')}"
    return Score(plain.name, plain.value, f"{plain.signature}|{preparation}", plain.detail)


def moses_tokenise(lines: Sequence[str], language: str, *, lowercase: bool = False) -> list[str]:
    """Tokenise lines as the Moses scripts do, by sacremoses, without its escapes for XML; a space between tokens.

    The two-letter code of the language selects the rules for abbreviations and apostrophes.

    Raises:
        ConfigError, NmtError: as for ``check_moses``.
    """
    check_moses(language)
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(lang=language)
    tokenised = (str(tokenizer.tokenize(line, return_str=True, escape=False)) for line in lines)
    return [line.lower() if lowercase else line for line in tokenised]


def check_moses(language: str) -> None:
    """Check that sacremoses knows a language by its two-letter code; it would tokenise any other as English.

    Raises:
        ConfigError: sacremoses has no rules for it; the message names the nearest language that it has.
        NmtError: sacremoses is not installed.
    """
    try:
        from sacremoses import corpus
    except ImportError as error:
        raise NmtError(
            'tokenised BLEU needs sacremoses, which is not installed; run: pip install "nmt[moses]"'
        ) from error
    codes: dict[str, str] = corpus.NonbreakingPrefixes().available_langs  # by names, such as german, and by codes
    if language not in codes.values():
        close = nearest(language.lower(), codes)
        hint = f"did you mean {codes[close]}?" if close else f"it has {', '.join(sorted(set(codes.values())))}"
        raise ConfigError(f"moses must be a language that sacremoses has rules for, but is {language!r}; {hint}")


def reference_streams(hypotheses: Sequence[str], references: References) -> list[list[str]]:
    """Return references as lists of lines, after checking that each is as long as the hypotheses.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
    """
    streams: list[list[str]]
    if not references or isinstance(references[0], str):
        streams = [[str(line) for line in references]]
    else:
        streams = [list(stream) for stream in references]
    for number, stream in enumerate(streams, start=1):
        if len(stream) != len(hypotheses):
            which = "the reference" if len(streams) == 1 else f"reference {number} of {len(streams)}"
            raise DataError(f"there are {len(hypotheses)} translations, but {which} has {len(stream)} lines")
    if not hypotheses:
        raise DataError("there are no translations to score")
    return streams


def present_references(streams: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Replace missing references by ``None``, as sacreBLEU expects (but does not annotate); every line keeps one.

    A blank reference besides others would be the closest in length to a short translation, which would then escape
    BLEU's brevity penalty; TER's mean length and chrF's best reference would be distorted likewise.
    """
    rows: list[list[str | None]] = []
    for references in zip(*streams, strict=True):
        row = [None if is_blank(reference) else reference for reference in references]
        rows.append(row if any(each is not None for each in row) else ["", *row[1:]])
    return [list(stream) for stream in zip(*rows, strict=True)]


def missing_references(streams: Sequence[Sequence[str]]) -> list[list[int]]:
    """The line numbers (from 1) of the missing references in each list: blank there, but not in every list."""
    told = [not all(map(is_blank, references)) for references in zip(*streams, strict=True)]
    return [
        [row + 1 for row, reference in enumerate(stream) if told[row] and is_blank(reference)] for stream in streams
    ]


def _score(metric: Any, hypotheses: Sequence[str], references: References, *, higher_is_better: bool = True) -> Score:
    streams = present_references(reference_streams(hypotheses, references))
    result = metric.corpus_score(list(hypotheses), streams)
    detail = f"{result._verbose}".strip() if getattr(result, "_verbose", "") else ""
    return Score(result.name, float(result.score), str(metric.get_signature()), detail, higher_is_better)
