"""How far hypotheses of one line have come with what is asked of it, and which pieces that allows next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nmt.core.writing_systems import in_spaced_word
from nmt.search.control.line_control import LineControl
from nmt.text.piece_texts import Kind, PieceTexts, decoded, kind_of


@dataclass(frozen=True, slots=True)
class _State:
    """What matters of a hypothesis.

    Args:
        forced: forced pieces that are still to come.
        typed: typed text that is still to come.
        last: the kind of the last character; empty for an empty text.
        matches: phrase and number of its characters, of each phrase that the text ends in a beginning of. A whole
            phrase is a match while it depends on the next character whether it ends there.
        unmet: required phrases that have not occurred.
        begun: bytes of a character that is not complete.
        broken: whether an avoided phrase has occurred.
    """

    forced: int
    typed: bytes
    last: Kind
    matches: frozenset[tuple[int, int]]
    unmet: frozenset[int]
    begun: bytes = b""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What may follow a hypothesis.

    Args:
        allowed: the only pieces that may; ``None``: all but the forbidden ones.
        forbidden: pieces that may not, eos among them.
        inside_word: whether only pieces may that continue a word.
    """

    allowed: tuple[int, ...] | None = None
    forbidden: tuple[int, ...] = ()
    inside_word: bool = False


class LineMachine:
    """States of the hypotheses of one line, numbered from 0, the empty one; each is worked out once.

    Args:
        control: what is asked.
        texts: spellings of the target's pieces.
        eos_id: the piece that ends a target.
    """

    def __init__(self, control: LineControl, texts: PieceTexts, eos_id: int) -> None:
        self.control = control
        self.texts = texts
        self.eos_id = eos_id
        self._phrases = (*(phrase.text for phrase in control.required), *control.avoided)
        self._count = len(control.required)
        self.has_no_phrases = not self._phrases
        self._heads = frozenset(text[0] for text in self._phrases)
        # A phrase that ends in a word ends only where the word does.
        self._in_word = tuple((in_spaced_word(text[0]), in_spaced_word(text[-1])) for text in self._phrases)
        begin = _State(len(control.forced), control.typed, "", frozenset(), frozenset(range(self._count)))
        self._numbers = {begin: 0}
        self._states = [begin]
        self._next: dict[tuple[int, int], int] = {}
        self._plain: dict[tuple[int, Kind], int] = {}
        self._rules: dict[int, Rule] = {}
        self._lefts: dict[int, int] = {}
        self._advancing: dict[int, dict[int, int]] = {}
        self._within: dict[tuple[int, int], tuple[int, ...]] = {}

    def advance(self, number: int, piece: int) -> int:
        """The state after one more piece."""
        found = self._next.get((number, piece))
        if found is None:
            state = self._states[number]
            kind = self.texts.kinds[piece]
            if kind and self._is_plain(state, piece):  # most pieces, most of the time
                found = self._after_plain(number, kind)
            else:
                found = self._number(self._after(state, piece))
            self._next[number, piece] = found
        return found

    def _after_plain(self, number: int, kind: Kind) -> int:
        """The state after a plain piece, whose last character is of a kind."""
        found = self._plain.get((number, kind))
        if found is None:
            state = self._states[number]
            found = self._number(_State(0, b"", kind, frozenset(), state.unmet, b"", state.broken))
            self._plain[number, kind] = found
        return found

    def _number(self, state: _State) -> int:
        found = self._numbers.setdefault(state, len(self._states))
        if found == len(self._states):
            self._states.append(state)
        return found

    def _is_plain(self, state: _State, piece: int) -> bool:
        """Whether a piece neither goes on with anything nor begins a phrase."""
        if state.forced or state.typed or state.begun or not self._heads.isdisjoint(self.texts.openings[piece]):
            return False
        first = self.texts.texts[piece][0][0]
        if first in self._heads and not (state.last == "word" and self.texts.inside_word[piece]):
            return False
        return all(self._phrases[phrase][length : length + 1] not in ("", first) for phrase, length in state.matches)

    def _special(self, state: _State) -> frozenset[int]:
        """The pieces that are perhaps not plain."""
        texts = self.texts
        nexts = {self._phrases[phrase][length : length + 1] for phrase, length in state.matches}
        if state.forced or state.typed or state.begun or state.broken or "" in nexts:
            return frozenset(range(len(texts.spellings)))
        begin = (texts.by_character.get(character, frozenset()) for character in (*self._heads, *nexts))
        return texts.by_kind.get("", frozenset()).union(*begin)

    def rule(self, number: int) -> Rule:
        """What may follow a hypothesis."""
        if number not in self._rules:
            self._rules[number] = self._rule(number)
        return self._rules[number]

    def left(self, number: int) -> int:
        """Pieces that are needed until all required phrases have occurred, if the furthest match is followed."""
        if number not in self._lefts:
            state = self._states[number]
            self._lefts[number] = self.most_left(number) - max(
                (self._saved(state, each) for each in state.unmet), default=0
            )
        return self._lefts[number]

    def most_left(self, number: int) -> int:
        """The same if no match is followed."""
        return sum(self._needed(each, 0) for each in self._states[number].unmet)

    def advancing(self, number: int) -> Mapping[int, int]:
        """Pieces by which fewer are left, and how many then are."""
        if number not in self._advancing:
            state, left, most = self._states[number], self.left(number), self.most_left(number)
            found: dict[int, int] = {}
            for phrase in sorted(state.unmet):
                for piece, place in self._continuing(state, phrase):
                    # The state after the piece tells it too, but most of these pieces are never taken.
                    saved = self._needed(phrase, 0) - self._needed(phrase, place)
                    then = self.left(self.advance(number, piece)) if place < 0 else most - saved
                    if then < min(left, found.get(piece, left)) and not self._breaks(number, piece):
                        found[piece] = then
            self._advancing[number] = found
        return self._advancing[number]

    def within(self, number: int, room: int) -> tuple[int, ...]:
        """Pieces after which as many pieces as there is room for are enough to do all that is asked."""
        if (number, room) not in self._within:
            state = self._states[number]
            plain: frozenset[int] = frozenset()
            if self.most_left(number) > room + 1 and not self._whole(state):  # only a match that is followed is enough
                special = frozenset(piece for phrase in state.unmet for piece, _ in self._continuing(state, phrase))
            else:
                special = self._special(state)
                for kind, pieces in self.texts.by_kind.items():
                    if kind and not pieces <= special and self._fits(self._after_plain(number, kind), room):
                        plain |= pieces - special
            own = (
                piece
                for piece in special
                if self.texts.spellings[piece]
                and not self._breaks(number, piece)
                and self._fits(self.advance(number, piece), room)
            )
            self._within[number, room] = tuple(sorted((*plain, *own)))
        return self._within[number, room]

    def _fits(self, number: int, room: int) -> bool:
        return self.left(number) <= room and (room > 0 or self.ends(number))

    def ends(self, number: int) -> bool:
        """Whether a hypothesis may end: the prefix is there, and so are all required phrases, and no avoided one."""
        state = self._states[number]
        whole = self._whole(state)
        asked = state.forced or state.typed or state.unmet - whole
        return not asked and not state.broken and all(phrase < self._count for phrase in whole)

    def _after(self, state: _State, piece: int) -> _State:
        spelling = self.texts.spellings[piece]
        if not spelling and not state.forced:
            return state
        forced, typed = state.forced, state.typed
        if forced:
            forced -= 1
        elif typed:
            typed = typed[len(spelling) :] if typed.startswith(spelling) else b""
        text, begun = decoded(state.begun + spelling) if state.begun else self.texts.texts[piece]
        last, matches, unmet, broken = state.last, state.matches, state.unmet, state.broken
        for each in text if self._phrases else "":
            character = " " if each.isspace() else each
            if character == " " and last in ("", "space"):
                continue
            matches, found = self._matched(character, last, matches, unmet)
            if found:
                unmet = unmet.difference(found)
                broken = broken or any(phrase >= self._count for phrase in found)
                matches = frozenset(match for match in matches if match[0] >= self._count or match[0] in unmet)
            last = kind_of(character)
        return _State(forced, typed, last, matches, unmet, begun, broken)

    def _matched(
        self, character: str, last: Kind, matches: frozenset[tuple[int, int]], unmet: frozenset[int]
    ) -> tuple[frozenset[tuple[int, int]], list[int]]:
        """The matches after one more character, and the phrases that have occurred before it or with it."""
        goes_on = last == "word" and in_spaced_word(character)
        found, after = [], []
        begun = () if goes_on else ((phrase, 0) for phrase in (*unmet, *range(self._count, len(self._phrases))))
        for phrase, length in (*matches, *begun):
            text = self._phrases[phrase]
            if length == len(text):
                found += [] if goes_on else [phrase]
            elif text[length] == character:
                if length + 1 == len(text) and not self._in_word[phrase][1]:
                    found.append(phrase)
                else:
                    after.append((phrase, length + 1))
        return frozenset(after), found

    def _needed(self, phrase: int, place: int) -> int:
        needed = self.control.required[phrase].needed[place]
        return 1 << 20 if needed is None else needed

    def _saved(self, state: _State, phrase: int) -> int:
        """Pieces of a required phrase that need not come any more."""
        whole = self._needed(phrase, 0)
        rest = whole
        for length in self._reached(state, phrase):
            place, begun = length + 1, len(state.begun)
            spelt = self._phrases[phrase][length : length + 1].encode()
            if not begun:
                rest = min(rest, self._needed(phrase, place))
            elif spelt.startswith(state.begun) and self._needed(phrase, place) == len(spelt) + self._needed(
                phrase, place + 1
            ):
                rest = min(rest, self._needed(phrase, place) - begun)
        return whole - rest

    def _reached(self, state: _State, phrase: int) -> list[int]:
        """Numbers of characters of a phrase that the text may end in; 0 where it may begin without a space."""
        lengths = [length for each, length in state.matches if each == phrase]
        ready = state.last in ("", "space") or not self._in_word[phrase][0]
        return [*lengths, 0] if ready else lengths

    def _whole(self, state: _State) -> set[int]:
        """Phrases that the text ends in, which the next character may make parts of words."""
        return {phrase for phrase, length in state.matches if length == len(self._phrases[phrase])}

    def _continuing(self, state: _State, phrase: int) -> Iterator[tuple[int, int]]:
        """Pieces that begin a required phrase or go on with it, and the place in a space and its text after each.

        The place is -1 where it is inside a character.
        """
        marked = f" {self._phrases[phrase]}"
        places = [length + 1 for length in self._reached(state, phrase)]
        if state.last != "space" and not state.begun:
            places.append(0)
        for place in places:
            rest = marked[place:].encode()
            if rest.startswith(state.begun):
                for piece in self.texts.within(rest[len(state.begun) :]):
                    text, begun = self.texts.texts[piece]
                    yield piece, -1 if begun or state.begun else place + len(text)

    def _rule(self, number: int) -> Rule:
        state = self._states[number]
        eos = () if self.ends(number) else (self.eos_id,)
        if state.forced:
            return Rule((self.control.forced[-state.forced],))
        if state.typed:
            pieces = {*self.texts.within(state.typed), *self.texts.beginning_with(state.typed)}
            return Rule(tuple(piece for piece in sorted(pieces) if not self._breaks(number, piece)))
        avoided = [(phrase, length) for phrase, length in state.matches if phrase >= self._count]
        inside_word = any(length == len(self._phrases[phrase]) for phrase, length in avoided)
        if inside_word and state.begun:  # the character must turn out to continue the word
            last = (piece for byte in range(0x80, 0xC0) for piece in self.texts.spelling(bytes([byte])))
            return Rule(tuple(piece for piece in last if not self._breaks(number, piece)))
        return Rule(None, (*eos, *sorted(self._breaking(number, avoided))), inside_word)

    def _breaking(self, number: int, avoided: list[tuple[int, int]]) -> Iterator[int]:
        """Pieces with which an avoided phrase occurs, but for those that end a word which is one."""
        begun = self._states[number].begun
        pieces = {piece for text in self.control.avoided for piece in self.texts.holding(text.encode())}
        for phrase, length in avoided:
            rest = self._phrases[phrase][length:].encode()
            if rest and rest.startswith(begun):
                begins = self.texts.beginning_with(rest[len(begun) :])
                longer = len(rest) - len(begun) + self._in_word[phrase][1]
                pieces.update(piece for piece in begins if len(self.texts.spellings[piece]) >= longer)
        return (piece for piece in pieces if self._breaks(number, piece))

    def _breaks(self, number: int, piece: int) -> bool:
        return bool(self.control.avoided) and self._states[self.advance(number, piece)].broken
