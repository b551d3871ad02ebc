"""What is asked of the translation of one line, in pieces and characters of the target vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nmt.core.writing_systems import in_spaced_word
from nmt.text.piece_texts import PieceTexts


@dataclass(frozen=True, slots=True)
class RequiredPhrase:
    """A phrase that must occur.

    Args:
        text: its characters, one space between words.
        needed: pieces needed to go on from each character of a space and the text, n + 2 numbers; the last is 0.
            ``None`` where there are no such pieces.
    """

    text: str
    needed: tuple[int | None, ...]

    @classmethod
    def spelt(cls, text: str, pieces: Sequence[int], texts: PieceTexts) -> RequiredPhrase | None:
        """Work out the pieces of a phrase; ``None`` if the vocabulary cannot spell it.

        Args:
            text: the phrase.
            pieces: its usual segmentation, which is preferred to shorter ones; from elsewhere, the fewest are taken.
            texts: of the vocabulary.
        """
        marked = f" {text}"
        usual: dict[int, int] = {}
        spelling = b"".join(texts.spellings[piece] for piece in pieces)
        if spelling in (marked.encode(), text.encode()):
            ends = {len(marked[:place].encode()): place for place in range(len(marked) + 1)}
            at = len(marked.encode()) - len(spelling)
            for number, piece in enumerate(pieces):
                if at in ends:
                    usual[ends[at]] = len(pieces) - number
                at += len(texts.spellings[piece])
        needed: list[int | None] = [None] * len(marked) + [0]
        for place in reversed(range(len(marked))):
            needed[place] = usual.get(place) or _fewest(marked, place, needed, texts)
        return None if needed[0] is None else cls(text, tuple(needed))


def _fewest(marked: str, place: int, needed: Sequence[int | None], texts: PieceTexts) -> int | None:
    counts = [
        1 + rest
        for end in range(place + 1, len(marked) + 1)
        if (rest := needed[end]) is not None and texts.spelling(marked[place:end].encode())
    ]
    spelt, rest = marked[place].encode(), needed[place + 1]
    if rest is not None and all(texts.spelling(bytes([byte])) for byte in spelt):
        counts.append(len(spelt) + rest)
    return min(counts, default=None)


def fewest_pieces(typed: bytes, texts: PieceTexts) -> int:
    """The fewest pieces that spell a text, of which the last may go on; one for each byte if there are none."""
    needed = [0] * (len(typed) + 1)
    for place in reversed(range(len(typed))):
        rest = typed[place:]
        longest = any(True for _ in texts.beginning_with(rest))
        ends = {place + len(texts.spellings[piece]) for piece in texts.within(rest)}
        needed[place] = 1 + (0 if longest else min((needed[end] for end in ends), default=needed[place + 1]))
    return needed[0]


@dataclass(frozen=True, slots=True)
class LineControl:
    """What is asked of one translation.

    A phrase occurs where its characters stand in the text, however they are segmented, and neither end is inside a word
    of a script with spaces; several white-space characters count as one.

    Args:
        forced: the first pieces.
        typed: text that must follow them, in any segmentation, or be the beginning of what follows them; UTF-8.
        required: phrases that must occur.
        avoided: phrases that must not, one space between words.
    """

    forced: tuple[int, ...] = ()
    typed: bytes = b""
    required: tuple[RequiredPhrase, ...] = ()
    avoided: tuple[str, ...] = ()


def occurs(phrase: str, text: str) -> bool:
    """Whether a phrase stands in a text, with neither end inside a word; white space is compared as one space."""
    phrase, text = " ".join(phrase.split()), " ".join(text.split())
    place = text.find(phrase)
    while place >= 0:
        end = place + len(phrase)
        if not (_joined(text[:place], phrase) or _joined(phrase, text[end:])):
            return True
        place = text.find(phrase, place + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Whether two stretches of text meet inside a word."""
    return in_spaced_word(left[-1:]) and in_spaced_word(right[:1])
