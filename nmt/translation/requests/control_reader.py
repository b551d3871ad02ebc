"""What requests ask, in pieces and characters of the target vocabulary, and whether translations do it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from nmt.core.characters import is_blank
from nmt.core.errors import DataError
from nmt.core.writing_systems import in_spaced_word
from nmt.search.control.line_control import LineControl, RequiredPhrase, fewest_pieces, occurs
from nmt.search.control.line_machine import LineMachine
from nmt.text.normalisation import NormalisationConfig
from nmt.text.piece_texts import PieceTexts
from nmt.text.placeholders import Placeholders
from nmt.text.reserved_characters import SPACE_MARKER
from nmt.text.subword import SubwordModel
from nmt.translation.lines import ScoredTarget
from nmt.translation.requests.request import Request

Known: TypeAlias = Sequence[tuple[str, str]]
"""The placeholders of a line and what they stand for."""


class ControlReader:
    """Tells search what requests ask.

    Args:
        model: the target's vocabulary.
        normalisation: of the target; what is asked is normalised as the training text was.
        placeholders: of the model; what is asked is masked as the line's translation is.
        unwritten: pieces that no translation has: tags of sources.
    """

    def __init__(
        self,
        model: SubwordModel,
        normalisation: NormalisationConfig,
        placeholders: Placeholders | None = None,
        *,
        unwritten: Collection[str] = (),
    ) -> None:
        self._model = model
        self._normalisation = normalisation
        self._placeholders = placeholders
        self._unwritten = unwritten

    @cached_property
    def texts(self) -> PieceTexts:
        """The spellings of the target's pieces."""
        return PieceTexts.of(self._model)

    def machine(self, request: Request, longest: int, known: Known = ()) -> LineMachine:
        """Make what follows hypotheses of a request; see ``read``. The placeholders of the line are ``known``."""
        return LineMachine(self.read(self._masked(request, known), longest), self.texts, self._model.eos_id)

    def _masked(self, request: Request, known: Known) -> Request:
        placeholders = self._placeholders
        if placeholders is None or not known:
            return request

        def mask(*texts: str) -> tuple[str, ...]:
            return tuple(placeholders.mask_target(text, known).text for text in texts)

        (prefix,), constraints, avoid = mask(request.prefix), mask(*request.constraints), mask(*request.avoid)
        return replace(request, prefix=prefix, constraints=constraints, avoid=avoid)

    def read(self, request: Request, longest: int) -> LineControl:
        """Put what a request asks into pieces.

        Args:
            request: with anything asked.
            longest: most pieces of its translation.

        Raises:
            DataError: it cannot be: a character is not in the vocabulary, a text too long, two wishes contradict.
        """
        asked = (request.constraints, request.avoid)
        wanted, avoided = (tuple(dict.fromkeys(map(self._spaced, phrases))) for phrases in asked)
        if any(map(is_blank, (*wanted, *avoided))):
            raise DataError("a phrase must have a visible character")
        forced, typed = self._prefix(request.prefix)
        required = tuple(map(self._required, wanted))
        needed = len(forced) + fewest_pieces(typed, self.texts) + sum(phrase.needed[0] or 0 for phrase in required)
        if needed > longest:
            what = "prefix" if not required else "constraints" if not forced else "prefix and constraints"
            raise DataError(
                f"its {what} must be at most {longest} pieces, as its translation, but "
                f"{'has' if not required else 'have'} {needed}; see --max-length-ratio and --max-length-offset"
            )
        # A word at the end may still go on, so that a phrase does not end there.
        begun = f"{(self._bytes(forced) + typed).decode(errors='replace')}x"
        for phrase in avoided:
            for each in (text.text for text in required):
                if occurs(phrase, each):
                    raise DataError(f"it must have {each!r} and avoid {phrase!r}")
            if occurs(phrase, begun):
                raise DataError(f"its prefix has {phrase!r}, which it is to avoid")
        return LineControl(forced, typed, required, avoided)

    def broken(self, request: Request, target: ScoredTarget) -> str:
        """Say what a translation lacks of what was asked; empty if nothing."""
        written = self._model.decode(target.pieces.ids)  # before anything was copied into it
        masked = self._masked(request, target.source.placeholders)
        for phrase, looked_for in zip(request.constraints, masked.constraints, strict=True):
            if not occurs(self._spaced(looked_for), written):
                return f"no translation was found that has {phrase!r}"
        for phrase in request.avoid:
            if occurs(self._spaced(phrase), target.text):
                return f"no translation was found without {phrase!r}"
        if not written.startswith(self._spaced(masked.prefix)):
            return f"no translation was found that begins with {request.prefix!r}"
        return ""

    def _spaced(self, text: str) -> str:
        """The text as it stands in a translation, one space between words."""
        normalised = self._model.normalise(text, self._normalisation)
        pieces = self._model.encode(normalised)
        written = normalised if self._model.unk_id in pieces else self._model.decode(pieces)
        return " ".join(written.split())

    def _encoded(self, text: str) -> list[int]:
        normalised = self._model.normalise(text, self._normalisation)
        spans = self._model.encode_with_offsets(normalised)
        unknown = next((span.piece for span in spans if span.id == self._model.unk_id), None)
        if unknown is not None:
            shown = unknown.replace(SPACE_MARKER, " ").strip() or unknown
            raise DataError(f"the vocabulary cannot spell {shown!r} in {text!r}")
        if never := [span.piece for span in spans if span.piece in self._unwritten]:
            raise DataError(f"no translation has {never[0]!r}, as in {text!r}: it is a tag of sources")
        return [span.id for span in spans]

    def _required(self, text: str) -> RequiredPhrase:
        phrase = RequiredPhrase.spelt(text, self._encoded(text), self.texts)
        if phrase is None:
            raise DataError(f"the vocabulary cannot spell {text!r}")
        return phrase

    def _prefix(self, text: str) -> tuple[tuple[int, ...], bytes]:
        """Pieces of a prefix up to its last word, whose segmentation depends on how it goes on, and that word."""
        pieces = [] if is_blank(text) else self._encoded(re.sub(r"\s", " ", text))
        if not pieces:
            return (), b""
        if text[-1].isspace():
            return tuple(pieces), b" "
        letters = [self.texts.texts[piece][0] for piece in pieces]
        begin = len(pieces) - 1
        while begin and in_spaced_word(letters[begin - 1][-1:]) and in_spaced_word(letters[begin][:1]):
            begin -= 1
        while begin and letters[begin - 1] == " ":  # which may belong to a longer piece
            begin -= 1
        return tuple(pieces[:begin]), self._bytes(pieces[begin:])

    def _bytes(self, pieces: Sequence[int]) -> bytes:
        return b"".join(self.texts.spellings[piece] for piece in pieces)
