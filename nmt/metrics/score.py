"""BLEU, chrF and TER by sacreBLEU; every number carries the signature that says how it was made."""

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
"""One list of lines; or several such lists, each a translation of the test set. Of several, a line that is blank in one
and not in another is a missing reference; one that is blank in all asks for a blank translation, as in one list."""


@dataclass(frozen=True, slots=True)
class Score:
    """A number with the way it was made.

    Args:
        name: ``BLEU``, ``chrF2``, ``TER`` ...
        value: in the metric's own scale, 0 to 100 (TER may exceed it).
        signature: sacreBLEU's, with ``prep:`` appended where the text was changed before.
        detail: what the number is made of, such as the n-gram precisions and the brevity penalty of BLEU; may be empty.
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
        """Return what belongs into a JSON file."""
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
            for what fits the script of the references, ``13a`` where words stand between spaces.
        lowercase: whether case is ignored.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        NmtError: the tokeniser needs packages that are not installed.
    """
    check_tokenizer(tokenize)
    name = resolved_tokenizer(tokenize, reference_streams(hypotheses, references))
    return _score(BLEU(tokenize=name, lowercase=lowercase, force=True), hypotheses, references)


def resolved_tokenizer(tokenize: Tokenizer, streams: Sequence[Sequence[str]]) -> Tokenizer:
    """Return the tokeniser that ``auto`` is for lists of references; any other as it is."""
    return fitting_tokenizer(line for stream in streams for line in stream) if tokenize == "auto" else tokenize


def check_tokenizer(name: str) -> None:
    """See that one of sacreBLEU's tokenisers can be used here; those of Japanese and Korean need more packages.

    Raises:
        NmtError: they are not installed; names them.
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
    """BLEU of Moses-tokenised text, to compare with papers that report it; never comparable with ``bleu``.

    Both sides are tokenised with sacremoses, then lower-cased if asked, and scored without a further tokeniser. The
    signature says so: ``tok:none`` ... ``prep:moses-en-lc``.

    Args:
        hypotheses: detokenised translations.
        references: detokenised, one list of as many lines, or several.
        language: two-letter code of the target language.
        lowercase: whether both sides are lower-cased.

    Raises:
        DataError: nothing to score, or the numbers of lines differ.
        ConfigError, NmtError: as ``check_moses``.
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
    """Tokenise as the Moses scripts do, by sacremoses, without its escapes for XML.

    Args:
        lines: plain text.
        language: two-letter code; decides on abbreviations and apostrophes.
        lowercase: whether the tokens are lower-cased afterwards.

    Returns:
        As many lines, with a space between tokens.

    Raises:
        ConfigError, NmtError: as ``check_moses``.
    """
    check_moses(language)
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(lang=language)
    tokenised = (str(tokenizer.tokenize(line, return_str=True, escape=False)) for line in lines)
    return [line.lower() if lowercase else line for line in tokenised]


def check_moses(language: str) -> None:
    """See that sacremoses can tokenise a language; one that it does not know it would tokenise as English.

    Args:
        language: the code, as of ``moses_tokenise``.

    Raises:
        ConfigError: sacremoses has no rules for it; names the nearest language that it has.
        NmtError: sacremoses is not installed.
    """
    try:
        from sacremoses import corpus
    except ImportError as error:
        raise NmtError(
            'tokenised BLEU needs sacremoses, which is not installed; run: pip install "nmt[moses]"'
        ) from error
    codes: dict[str, str] = corpus.NonbreakingPrefixes().available_langs  # of names, such as german, and of the codes
    if language not in codes.values():
        close = nearest(language.lower(), codes)
        hint = f"did you mean {codes[close]}?" if close else f"it has {', '.join(sorted(set(codes.values())))}"
        raise ConfigError(f"moses must be a language that sacremoses has rules for, but is {language!r}; {hint}")


def reference_streams(hypotheses: Sequence[str], references: References) -> list[list[str]]:
    """Return references as lists of lines, each checked to be as long as the hypotheses.

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
    """Leave out the references that are missing, as sacreBLEU wants it: they are ``None``.

    A blank among others would be the closest in length to a short translation, and so do away with the brevity penalty
    of BLEU; to TER's mean length and chrF's best reference it does likewise.

    Args:
        streams: lists of references, of equal length.

    Returns:
        As many lists of ``str | None`` (which sacreBLEU's types do not tell); every line has a reference left.
    """
    rows: list[list[str | None]] = []
    for references in zip(*streams, strict=True):
        row = [None if is_blank(reference) else reference for reference in references]
        rows.append(row if any(each is not None for each in row) else ["", *row[1:]])
    return [list(stream) for stream in zip(*rows, strict=True)]


def missing_references(streams: Sequence[Sequence[str]]) -> list[list[int]]:
    """Number the lines (from 1) of each list that are blank where another list's are not, and so are no references."""
    told = [not all(map(is_blank, references)) for references in zip(*streams, strict=True)]
    return [
        [row + 1 for row, reference in enumerate(stream) if told[row] and is_blank(reference)] for stream in streams
    ]


def _score(metric: Any, hypotheses: Sequence[str], references: References, *, higher_is_better: bool = True) -> Score:
    streams = present_references(reference_streams(hypotheses, references))
    result = metric.corpus_score(list(hypotheses), streams)
    detail = f"{result._verbose}".strip() if getattr(result, "_verbose", "") else ""
    return Score(result.name, float(result.score), str(metric.get_signature()), detail, higher_is_better)
