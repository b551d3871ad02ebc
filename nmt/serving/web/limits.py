"""What one request may ask at most, so that no client can exhaust the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nmt.core.errors import DataError
from nmt.search.search_config import SearchConfig
from nmt.serving.web.refusals import Refused
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a request; a search may always be as large as that of the model's recipe.

    Args:
        body_bytes: of its body.
        body_seconds: until its body must have arrived.
        idle_seconds: that a connection may be open without a whole head of a request.
        seconds: until its answer must have been sent.
        requests: most that are answered at once.
        characters: of all its texts, prefixes and phrases.
        lines: to translate.
        tags: of markup in a paragraph; placing them takes time by the square of their number.
        weights: between pieces, of all hypotheses that are shown with their attention.
        beam_size: hypotheses or samples per line.
        length_ratio: pieces of a translation per piece of its source.
        length_offset: pieces beyond that.
        patience: of the beam.
    """

    body_bytes: int = 2**20
    body_seconds: float = 20.0
    idle_seconds: float = 15.0
    seconds: float = 120.0
    requests: int = 512
    characters: int = 20_000
    lines: int = 500
    tags: int = 500
    weights: int = 4_000_000
    beam_size: int = 20
    length_ratio: float = 5.0
    length_offset: int = 200
    patience: float = 5.0

    def check(self, lines: Iterable[Request], usual: SearchConfig) -> None:
        """Check what is asked of a model whose usual search is given.

        Raises:
            Refused: there are too many lines or characters.
            DataError: a search is too large.
        """
        lines = list(lines)
        if len(lines) > self.lines:
            raise Refused(413, f"a request must have at most {self.lines} lines, but has {len(lines)}")
        self.check_characters(
            text for line in lines for text in (line.text, line.prefix, *line.constraints, *line.avoid)
        )
        for search in {line.search for line in lines if line.search is not None}:
            self._check_search(search, usual)

    def check_characters(self, texts: Iterable[str]) -> None:
        """Check how long the texts of a request are together.

        Raises:
            Refused: there are too many characters.
        """
        if (count := sum(map(len, texts))) > self.characters:
            raise Refused(413, f"a request must have at most {self.characters} characters, but has {count}")

    def shown(self) -> dict[str, float]:
        """What clients may want to know."""
        return {name: getattr(self, name) for name in ("body_bytes", "characters", "lines", "beam_size")}

    def check_weights(self, translations: Iterable[Translation]) -> None:
        """Check how much attention an answer would hold.

        Raises:
            Refused: it is too much.
        """
        count = sum(
            len(each.pieces.ids) * len(each.source.pieces.ids)
            for translation in translations
            for each in translation.hypotheses
        )
        if count > self.weights:
            raise Refused(
                413,
                f"an answer must have at most {self.weights} weights of attention, but would have {count}; ask for "
                "fewer or shorter lines, a smaller search.n_best, or no attention",
            )

    def _check_search(self, search: SearchConfig, usual: SearchConfig) -> None:
        for name, most in (
            ("beam_size", self.beam_size),
            ("n_best", self.beam_size),
            ("max_length_ratio", self.length_ratio),
            ("max_length_offset", self.length_offset),
            ("patience", self.patience),
        ):
            allowed, asked = max(most, getattr(usual, name)), getattr(search, name)
            if asked > allowed:
                raise DataError(f"search.{name} must be at most {allowed} on this server, but is {asked}")
        if search.strategy == "sampling" and search.candidates > (most := max(self.beam_size, usual.candidates)):
            raise DataError(f"search.mbr_samples must be at most {most} on this server, but is {search.mbr_samples}")
