"""Subword models by SentencePiece (Kudo and Richardson 2018): encoding, sampling and decoding."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import sentencepiece

from nmt.core.config.ranges import Range
from nmt.core.errors import DataError
from nmt.core.storage.files import existing_file, reporting_os_errors
from nmt.core.storage.git_lfs import what_is_wrong
from nmt.text.normalisation import NormalisationConfig, kept, normalise, raw_offsets
from nmt.text.reserved_characters import ESCAPED_SPACE_MARKER, SPACE_MARKER
from nmt.text.sampling import PieceSampler, SamplingConfig
from nmt.text.words import PieceSpan

UNKNOWN_SURFACE = "\u2047"
_NO_SYMBOL = ",\u2581\u2585"  # the comma, and what SentencePiece reserves for itself
_TAKEN = re.compile(r"<(?:pad|unk|s|/s|0x[0-9A-F]{2})>")


Side: TypeAlias = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSizes:
    """The vocabulary size of each side.

    Args:
        source: of the source vocabulary.
        target: of the target vocabulary.
    """

    source: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SideCoverages:
    """The character coverage of each side.

    Args:
        source: of the source text.
        target: of the target text.
    """

    source: float
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SubwordConfig:
    """The vocabulary: trained on the training text or read from existing ``.model`` files.

    Args:
        algorithm: of the segmentation.
        size: number of pieces, special ones included; without ``joint`` the size of each vocabulary, or one number for
            each side.
        joint: one vocabulary for both sides.
        character_coverage: share of the characters of the text that get a piece; the rest is unknown. Without ``joint``
            it may be one number for each side.
        user_symbols: pieces that are never split, such as placeholders.
        byte_fallback: spell unknown characters in bytes.
        source_model: an existing SentencePiece model to use instead of training (for both sides if joint).
        target_model: the same for the target.
        max_lines: lines to train on, spread evenly over the corpus (over both sides if joint); ``null`` uses all.
            SentencePiece needs about 2 KiB of memory for each.
        sampling: subword regularisation during training; ``null`` always uses the best segmentation.
    """

    algorithm: Literal["unigram", "bpe"] = "unigram"
    size: int | SideSizes = 8000
    joint: bool = True
    character_coverage: float | SideCoverages = 1.0
    user_symbols: tuple[str, ...] = ()
    byte_fallback: bool = False
    source_model: str | None = None
    target_model: str | None = None
    max_lines: Annotated[int, Range("at least 2", lambda lines: lines >= 2)] | None = 1_000_000
    sampling: SamplingConfig | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        for path, size in self._by_side("size"):
            if size < 5:
                yield path, f"must be at least 5 (four special pieces and one more), but is {size}"
        for path, coverage in self._by_side("character_coverage"):
            if not 0.98 <= coverage <= 1.0:  # what SentencePiece accepts
                yield path, f"must be between 0.98 and 1, but is {coverage}"
        for index, symbol in enumerate(self.user_symbols):
            if (problem := symbol_problem(symbol)) is not None:
                yield f"user_symbols.{index}", problem
        if len(set(self.user_symbols)) != len(self.user_symbols):
            yield "user_symbols", "must be distinct"

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield what is given for each side, where both share a vocabulary."""
        if not self.joint:
            return
        for name in ("size", "character_coverage"):
            if len(self._by_side(name)) > 1:
                yield name, "must be one number where both sides share a vocabulary; set joint: false for one each"
        if self.target_model is not None and self.target_model != self.source_model:
            yield "target_model", "must be the source_model, because joint is true; set joint: false for two models"

    @property
    def trained(self) -> bool:
        """Whether a vocabulary has to be trained, at least for one side."""
        return self.source_model is None or (self.target_model is None and not self.joint)

    def idle(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that do nothing, mostly because an existing model is given."""
        models = (self.source_model, self.source_model if self.joint else self.target_model)
        given = [model is not None for model in models]
        if not self.trained:
            for name in ("algorithm", "size", "character_coverage", "user_symbols", "byte_fallback", "max_lines"):
                yield name, "has no effect where the vocabulary is an existing model"
        for name in ("size", "character_coverage"):
            for side, taken in zip(SIDES, given, strict=True):
                if taken and not all(given) and len(self._by_side(name)) > 1:
                    yield f"{name}.{side}", f"has no effect with a {side}_model"
        if self.sampling is not None and self.sampling.alpha == 0 and self.algorithm == "bpe":
            yield "sampling", "has no effect with alpha 0: bpe then drops no merge"

    def size_of(self, side: Side = "source") -> int:
        """Number of pieces of a side."""
        return self.size if isinstance(self.size, int) else int(getattr(self.size, side))

    def coverage_of(self, side: Side = "source") -> float:
        """Share of the characters of a side's text that get a piece."""
        coverage = self.character_coverage
        return float(getattr(coverage, side)) if isinstance(coverage, SideCoverages) else coverage

    def _by_side(self, name: str) -> list[tuple[str, Any]]:
        """Paths and values of a setting that is one number, or one for each side."""
        value = getattr(self, name)
        if isinstance(value, SideSizes | SideCoverages):
            return [(f"{name}.{side}", getattr(value, side)) for side in SIDES]
        return [(name, value)]


def symbol_problem(symbol: str) -> str | None:
    """Return why a text cannot be a piece that is never split, if it cannot."""
    if not symbol or any(character.isspace() or character in _NO_SYMBOL for character in symbol):
        return f"must be one word without white space and commas, but is {symbol!r}"
    if _TAKEN.fullmatch(symbol):
        return f"must not be {symbol}, which every vocabulary contains"
    return None


class SubwordModel:
    """A SentencePiece model whose ids are the vocabulary.

    Args:
        serialised: content of a ``.model`` file.
        path: where it came from; used in messages.

    Raises:
        DataError: not a SentencePiece model, or one without an end-of-sentence piece.
    """

    def __init__(self, serialised: bytes, path: Path) -> None:
        self.path = path
        self.serialised = serialised
        self.fingerprint = hashlib.sha256(serialised).hexdigest()
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.load_from_serialized_proto(serialised)
        except (RuntimeError, ValueError) as error:
            unreadable = "must be a SentencePiece model, but cannot be read; the file is damaged or of another kind"
            raise DataError(f"{path}: {what_is_wrong(path, unreadable)}") from error
        if self._processor.eos_id() < 0:
            raise DataError(
                f"{path}: must have an end-of-sentence piece (eos_id), but has none; train it with --eos_id=3"
            )
        self._sampler: PieceSampler | None = None
        # Whether the model has the rules of nmt.text.reserved_characters. One without them, older or from elsewhere,
        # reads text as it was trained: its symbols and Cherokee are normalised too.
        self.escapes: bool = self._processor.normalize(SPACE_MARKER).endswith(ESCAPED_SPACE_MARKER)
        self.size: int = self._processor.get_piece_size()
        self.unk_id: int = self._processor.unk_id()
        self.eos_id: int = self._processor.eos_id()
        # A padded or a first position cannot be confused with an inner one, so eos can stand in for pad and bos.
        self.pad_id: int = self._processor.pad_id() if self._processor.pad_id() >= 0 else self.eos_id
        self.bos_id: int = self._processor.bos_id() if self._processor.bos_id() >= 0 else self.eos_id

    @classmethod
    def load(cls, path: str | Path) -> SubwordModel:
        """Load a ``.model`` file.

        Raises:
            DataError: missing, damaged, or without an end-of-sentence piece.
        """
        path = existing_file(path, "vocabulary")
        with reporting_os_errors("read the vocabulary"):
            return cls(path.read_bytes(), path)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Pieces that are never split, such as placeholders."""
        model = self.proto()
        return tuple(each.piece for each in model.pieces if each.type == model.SentencePiece.USER_DEFINED)

    def normalise(self, text: str, config: NormalisationConfig) -> str:
        """Normalise a raw line for this model; its user symbols are kept."""
        return normalise(text, config, self._kept(config))

    def raw_offsets(self, text: str, config: NormalisationConfig) -> list[int]:
        """Map offsets of ``normalise(text, config)`` to offsets of the raw line; see ``normalisation.raw_offsets``."""
        return raw_offsets(text, config, self._kept(config))

    def _kept(self, config: NormalisationConfig) -> re.Pattern[str] | None:
        return kept(self.symbols, config) if self.escapes else None

    def encode(self, text: str) -> list[int]:
        """Encode a line into piece ids, without bos and eos."""
        ids: list[int] = self._processor.encode(text, return_type=int)
        return ids

    def encode_batch(self, texts: Sequence[str], *, threads: int = -1) -> list[list[int]]:
        """Encode many lines, on several threads; -1 means one thread per core."""
        rows: list[list[int]] = self._processor.encode(list(texts), return_type=int, num_threads=threads)
        return rows

    def sample(self, text: str, config: SamplingConfig, seed: int) -> list[int]:
        """Draw the piece ids of a line, without bos and eos; the same for the same seed, in every process.

        Raises:
            DataError: the model allows one segmentation only (word or character pieces).
        """
        return [piece_id for piece_id, _ in self._draw(self._processor.normalize(text), config, seed)]

    def sample_with_offsets(self, text: str, config: SamplingConfig, seed: int) -> list[PieceSpan]:
        """Draw the segmentation that ``sample`` draws, with the character offsets of every piece."""
        normalised, offsets = self._processor.normalize(text, with_offsets=True)
        spans, begin = [], 0
        for piece_id, length in self._draw(normalised, config, seed):
            piece = self._processor.id_to_piece(piece_id)
            surface = normalised[begin : begin + length] if piece_id == self.unk_id else piece
            spans.append(PieceSpan(piece_id, surface, offsets[begin], offsets[begin + length]))
            begin += length
        return spans

    def _draw(self, normalised: str, config: SamplingConfig, seed: int) -> list[tuple[int, int]]:
        if self._sampler is None:
            self._sampler = PieceSampler(self.proto(), self.path)
        return self._sampler.draw(normalised, config.alpha, seed)

    def encode_with_offsets(self, text: str) -> list[PieceSpan]:
        """Encode a line, with the character offsets of every piece in it."""
        found = self._processor.encode(text, return_type="offset_mapping")
        rows = zip(found["ids"], found["pieces"], found["offsets"], strict=True)
        return [PieceSpan(piece_id, piece, begin, end) for piece_id, piece, (begin, end) in rows]

    def decode(self, ids: Sequence[int], *, unknown: str = UNKNOWN_SURFACE) -> str:
        """Turn piece ids into text; special pieces vanish.

        Args:
            ids: piece ids.
            unknown: stands for an unknown piece. (SentencePiece itself would put spaces around it and so break words.)

        Returns:
            One line of text.
        """
        plain = [int(i) for i in ids]
        if self.unk_id not in plain:
            text: str = self._processor.decode(plain)
        else:
            text = self._processor.decode_pieces(
                [unknown if i == self.unk_id else self._processor.id_to_piece(i) for i in plain]
            )
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of ids as the vocabulary spells them."""
        return [self._processor.id_to_piece(int(i)) for i in ids]

    def id_of(self, piece: str) -> int:
        """The id of a piece; ``unk_id`` if the vocabulary has no such piece."""
        found: int = self._processor.piece_to_id(piece)
        return found

    def proto(self) -> Any:
        """The model as SentencePiece stores it: its pieces with their types, and the settings of its training."""
        from sentencepiece import sentencepiece_model_pb2  # slow to import, and seldom needed

        proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        proto.ParseFromString(self.serialised)
        return proto
