"""Placeholders: symbols that stand for text which is copied, such as numbers, and that the model reads and writes.

A kind of text has the symbols ``<number1>``, ``<number2>`` ...: user-defined pieces of both vocabularies, never split.
They are given in the order of the source; the same string has the same symbol, wherever it stands. In training a string
is replaced only where it stands on both sides, so that a symbol always means "copy". In translation all matches of the
source are replaced, as far as there are symbols, and those that the model writes become the source's strings again.

Matches lie within white-space words, whose number and order never change. The leftmost match wins, then the longest,
then that of the first kind. Text that spells a symbol is that symbol, and stands for itself. Strings are compared, and
restored, as the target side writes them: normalised.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from nmt.core.logging import few
from nmt.text.normalisation import NormalisationConfig, kept, normalise
from nmt.text.vocabularies import Vocabularies
from nmt.text.words import Span

MOST = 9
"""Most symbols of a kind."""
ENOUGH = 10
"""Least lines of the training text that a symbol needs to be learnt."""

_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a"
_LINK = r"(?:(?:https?|ftp)://|www\.)[!#-;=?-~\u00c0-\u024f]*[A-Za-z0-9/=#%&+~_\u00c0-\u024f-]"
_ADDRESS = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_BUILT_IN = {
    "numbers": ("number", r"\d+"),
    "urls": ("url", f"{_LINK}|{_ADDRESS}"),
    "latin": ("latin", rf"[{_LATIN}][{_LATIN}\d\u0300-\u036f]*"),
}
_RESERVED = [name for name, _ in _BUILT_IN.values()]
_OTHER_SCRIPT = re.compile(rf"[^\W\d_\u00b5{_LATIN}]")
_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternConfig:
    """Text of a user's own that is copied.

    Args:
        pattern: a regular expression, matched within white-space words.
        name: of its symbols, ``<name1>`` and so on; several patterns may share one.
    """

    pattern: str
    name: str = "pattern"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        try:
            if re.compile(self.pattern).match(""):
                yield "pattern", f"must not match the empty text, as {self.pattern!r} does"
        except (re.error, OverflowError, RecursionError) as error:
            yield "pattern", f"must be a regular expression, but is {self.pattern!r}: {error}"
        if _NAME.fullmatch(self.name) is None or self.name in _RESERVED:
            yield "name", f"must be of the letters a-z, and none of {', '.join(_RESERVED)}, but is {self.name!r}"


Kind: TypeAlias = Literal["numbers", "urls", "latin"] | PatternConfig
"""What is copied: runs of digits, of any script; URLs and e-mail addresses; words in Latin letters, where the source
has letters of another script; or what a pattern matches."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A line with symbols in place of strings.

    Args:
        text: the line as a model reads it.
        found: each symbol of it, in order, with the string that it stands for.
        spans: where that string is in the raw line.
    """

    text: str
    found: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()

    def raw_offset(self, offset: int) -> int:
        """The offset in the raw line of a character of ``text``, or of its end; all of a symbol is at its string."""
        ahead = 0  # characters by which the text is ahead of the raw line
        for (symbol, _), (begin, end) in zip(self.found, self.spans, strict=True):
            if offset <= begin + ahead:
                break
            if offset < begin + ahead + len(symbol):
                return begin
            ahead += len(symbol) - (end - begin)
        return offset - ahead


class Placeholders:
    """Masks lines and restores them; picklable.

    Args:
        kinds: what is copied.
        symbols: those that the model knows.
        normalisation: of the target side.
        others: symbols that stand for no string, such as tags of a corpus; nothing in them is masked.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        symbols: Collection[str],
        normalisation: NormalisationConfig,
        others: Collection[str] = (),
    ) -> None:
        self._normalisation = normalisation
        named = [_BUILT_IN[kind] if isinstance(kind, str) else (kind.name, kind.pattern) for kind in kinds]
        self._symbols = {name: [each for each in _all_symbols(name) if each in symbols] for name, _ in named}
        self._patterns = [(name, re.compile(pattern)) for name, pattern in named if self._symbols[name]]
        self.symbols = tuple(each for own in self._symbols.values() for each in own)
        self._others = tuple(sorted(set(others).difference(self.symbols)))
        self._symbol = _any_of(self.symbols)
        self._literal = _any_of((*self.symbols, *self._others))

    @classmethod
    def of(
        cls, kinds: Sequence[Kind], vocabularies: Vocabularies, normalisation: NormalisationConfig
    ) -> Placeholders | None:
        """Return the placeholders of a model; ``None`` if its vocabularies have no symbols of these kinds."""
        if not kinds:
            return None
        source, target = set(vocabularies.source.symbols), set(vocabularies.target.symbols)
        placeholders = cls(kinds, source & target, normalisation, source | target)
        return placeholders if placeholders.symbols else None

    def erase(self, text: str) -> str:
        """Leave the symbols out of a masked text."""
        return self._symbol.sub("", text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placeholders) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.symbols)

    def ids(self, vocabularies: Vocabularies) -> tuple[tuple[int, int], ...]:
        """The source and target id of each symbol."""
        return tuple((vocabularies.source.id_of(each), vocabularies.target.id_of(each)) for each in self.symbols)

    @property
    def identity(self) -> dict[str, Any]:
        """Patterns and symbols as plain values."""
        patterns = [[name, pattern.pattern] for name, pattern in self._patterns]
        others = {"others": list(self._others)} if self._others else {}
        return {"patterns": patterns, "symbols": list(self.symbols), **others}

    def mask(self, source: str) -> Masked:
        """Mask a source line that is to be translated."""
        return self._masked_source(source, None, ())

    def mask_pair(self, source: str, target: str) -> tuple[Masked, Masked]:
        """Mask the strings that stand on both sides of a pair."""
        matches = list(self._matches(target, self._patterns))
        strings = {self._string(target, match) for match in matches}
        masked = self._masked_source(source, strings, [string for name, string in strings if not name])
        return masked, self.mask_target(target, masked.found)

    def mask_target(self, target: str, found: Iterable[tuple[str, str]]) -> Masked:
        """Mask in a target line, or in a part of one, what the source's symbols stand for."""
        symbols = {(self._name_of[symbol], string): symbol for symbol, string in found if symbol != string}
        return self._replaced(target, list(self._matches(target, self._patterns)) if symbols else [], symbols)

    def restore(self, text: str, found: Iterable[tuple[str, str]]) -> str:
        """Put the source's strings in place of its symbols; other symbols stay."""
        strings = dict(found)
        return self._symbol.sub(lambda match: strings.get(match[0], match[0]), text) if strings else text

    @cached_property
    def _name_of(self) -> Mapping[str, str]:
        return {symbol: name for name, own in self._symbols.items() for symbol in own}

    def _masked_source(self, source: str, among: Collection[tuple[str, str]] | None, taken: Collection[str]) -> Masked:
        latin = _OTHER_SCRIPT.search(source) is not None
        matches = list(self._matches(source, [each for each in self._patterns if latin or each[0] != "latin"]))
        strings = [self._string(source, match) for match in matches]
        # Text that spells a symbol keeps it.
        taken = {*taken, *(string for name, string in strings if not name)}
        free = {name: iter([each for each in own if each not in taken]) for name, own in self._symbols.items()}
        symbols: dict[tuple[str, str], str] = {}
        for string in strings:
            if string[0] and string not in symbols and (among is None or string in among):
                symbol = next(free[string[0]], None)
                if symbol is not None:
                    symbols[string] = symbol
        return self._replaced(source, matches, symbols)

    def _replaced(
        self, text: str, matches: Sequence[tuple[str, Span]], symbols: Mapping[tuple[str, str], str]
    ) -> Masked:
        parts, found, spans, place = [], [], [], 0
        for match in matches:
            begin, end = match[1]
            name, string = self._string(text, match)
            symbol = symbols.get((name, string)) if name else string
            if symbol is not None:
                parts += [text[place:begin], symbol]
                found.append((symbol, string))
                spans.append((begin, end))
                place = end
        return Masked("".join([*parts, text[place:]]), tuple(found), tuple(spans)) if found else Masked(text)

    def _string(self, text: str, match: tuple[str, Span]) -> tuple[str, str]:
        """The name of the kind of a match, and what it matches as the target side writes it."""
        name, (begin, end) = match
        string = text[begin:end]
        if name and not (string.isascii() and string.isdigit()):
            string = normalise(string, self._normalisation, kept((), self._normalisation))
        return name, string

    def _matches(self, text: str, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> Iterator[tuple[str, Span]]:
        """Yield the name of the kind of each match and its place, from left to right; no name for a symbol of ours."""
        # A user's own may look at the ends of a word, and cannot be sought in the whole line.
        patterns = [each for each in patterns if each[0] not in _RESERVED or each[1].search(text)]
        if not patterns and self._literal.search(text) is None:
            return
        for word in _WORD.finditer(text):
            letters, first, place = word[0], word.start(), 0
            while found := _leftmost(letters, place, self._literal, patterns):
                name, (begin, place) = found
                if name or letters[begin:place] not in self._others:
                    yield name, (first + begin, first + place)


def _leftmost(
    word: str, place: int, symbol: re.Pattern[str], patterns: Sequence[tuple[str, re.Pattern[str]]]
) -> tuple[str, Span] | None:
    literal = symbol.search(word, place)
    best = None if literal is None else ("", literal.span())
    for name, pattern in patterns:
        match = pattern.search(word, place)
        if match is not None and not match[0]:  # such as that of a word boundary
            match = next((each for each in pattern.finditer(word, place) if each[0]), None)
        if match is None:
            continue
        begin, end = match.span()
        if best is None or begin < best[1][0] or (begin == best[1][0] and best[0] and end > best[1][1]):
            best = name, (begin, end)
    return best


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a training text teaches of a kind of placeholders.

    Args:
        name: of the kind.
        symbols: those that enough of its lines would have.
        matches: strings of this kind in its sources.
        copied: how many of them stand in the target too.
    """

    name: str
    symbols: tuple[str, ...]
    matches: int
    copied: int

    def __str__(self) -> str:
        counts = f"{self.copied} of {self.matches} strings in the sources of the training text are in the targets too"
        if not self.symbols:
            return f"{self.name}: {counts}, too few to learn from; they stay as they are"
        most = len(self.symbols)
        return f"{self.name}: {counts}; in translation up to {most} of a line are copied ({few(self.symbols)})"

    @property
    def doubtful(self) -> bool:
        """Whether there is nothing to learn, or most strings are not copied in the training text."""
        return not self.symbols or 2 * self.copied < self.matches


def learnt_placeholders(
    kinds: Sequence[Kind],
    pairs: Iterable[tuple[str, str]],
    normalisation: NormalisationConfig,
    others: Collection[str] = (),
) -> list[Learnt]:
    """Find the placeholders that a training text teaches; the rest as for ``Placeholders``."""
    names = _names(kinds)
    every = Placeholders(kinds, symbols_of(kinds), normalisation, others)
    lines, matches, copied = Counter[str](), Counter[str](), Counter[str]()
    for source, target in pairs:
        shared = {symbol for symbol, _ in every.mask_pair(source, target)[0].found}
        lines.update(shared)
        copied.update(symbol.strip("<0123456789>") for symbol in shared)
        matches.update(symbol.strip("<0123456789>") for symbol, _ in set(every.mask(source).found))
    return [
        Learnt(name, tuple(each for each in _all_symbols(name) if lines[each] >= ENOUGH), matches[name], copied[name])
        for name in names
    ]


def symbols_of(kinds: Sequence[Kind]) -> frozenset[str]:
    """Return all symbols that placeholders of these kinds may have."""
    return frozenset(symbol for name in _names(kinds) for symbol in _all_symbols(name))


def _names(kinds: Sequence[Kind]) -> list[str]:
    return list(dict.fromkeys(_BUILT_IN[kind][0] if isinstance(kind, str) else kind.name for kind in kinds))


def _any_of(symbols: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(symbols, key=len, reverse=True))) or r"(?!)")


def _all_symbols(name: str) -> list[str]:
    return [f"<{name}{number}>" for number in range(1, MOST + 1)]
