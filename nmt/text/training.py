"""Training of subword models: the same text and settings give the same bytes."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece

from nmt.core.errors import DataError
from nmt.core.logging import waiting
from nmt.core.storage.files import atomic_write, reporting_os_errors
from nmt.text.reserved_characters import escaped, without_paths, write_rules
from nmt.text.subword import Side, SideCoverages, SideSizes, SubwordConfig, SubwordModel

# Partial sums are added in the order of the threads, so a fixed number of threads gives the same bytes on any machine.
_THREADS = 16
# Longest line that SentencePiece is given, in characters: its unigram training is quadratic in the length of a line.
_STRETCH = 4_000
_TOO_LARGE = re.compile(r"set it to a value <= (\d+)")
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


def train_subword(
    lines: Iterable[str], config: SubwordConfig, *, output: Path, name: str, side: Side = "source"
) -> SubwordModel:
    """Train a SentencePiece model with pad 0, unk 1, bos 2, eos 3 and write it.

    Args:
        lines: normalised lines of text, without line ends; long ones are split.
        config: algorithm, size and the rest.
        output: the ``.model`` file to write, atomically.
        name: what to call the text in messages, such as ``"source text"``.
        side: whose size and coverage to use, where the config has one for each.

    Returns:
        The model.

    Raises:
        DataError: no text, or the size does not fit it (the message says which size would).
    """
    writer = io.BytesIO()
    with reporting_os_errors("write the vocabulary"), tempfile.TemporaryDirectory() as folder:
        rules = write_rules(Path(folder))
        with waiting(f"training the vocabulary on the {name}"):
            _train(lines, config, writer, rules, name=name, side=side)
    serialised = without_paths(writer.getvalue())
    with reporting_os_errors("write the vocabulary"):
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(output) as path:
            path.write_bytes(serialised)
    return SubwordModel(serialised, output)


def _train(
    lines: Iterable[str], config: SubwordConfig, writer: io.BytesIO, rules: dict[str, Any], *, name: str, side: Side
) -> None:
    size = config.size_of(side)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(stretch for line in lines for stretch in _stretches(escaped(line))),
            model_writer=writer,
            model_type=config.algorithm,
            vocab_size=size,
            character_coverage=config.coverage_of(side),
            user_defined_symbols=list(config.user_symbols),
            byte_fallback=config.byte_fallback,
            pad_id=0,
            unk_id=1,
            bos_id=2,
            eos_id=3,
            **rules,
            input_sentence_size=0,
            shuffle_input_sentence=False,
            max_sentence_length=2**24,  # no line is that long, but the number is part of the model's bytes
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise DataError(_explain(str(error), config, name, side)) from error


def _stretches(line: str) -> Iterator[str]:
    """Split a line into stretches of at most ``_STRETCH`` characters, at spaces where there are any."""
    start = 0
    while len(line) - start > _STRETCH:
        # The space itself is dropped: SentencePiece treats both ends of a line as if there were one.
        space = line.rfind(" ", start + 1, start + _STRETCH + 1)
        end = start + _STRETCH if space < 0 else space
        yield line[start:end]
        start = end if space < 0 else space + 1
    yield line[start:]


def _explain(message: str, config: SubwordConfig, name: str, side: Side) -> str:
    size, each = config.size_of(side), f".{side}" if isinstance(config.size, SideSizes) else ""
    if found := _TOO_LARGE.search(message):
        apart = "" if config.joint or each else "; data.subword.size may be {source: ..., target: ...}"
        return (
            f"data.subword.size{each} must be at most {found[1]}, but is {size}: the {name} does not give more "
            f"pieces{apart}"
        )
    if found := _TOO_SMALL.search(message):
        spelt = "the 256 bytes of data.subword.byte_fallback, " if config.byte_fallback else ""
        lowered = f".{side}" if isinstance(config.character_coverage, SideCoverages) else ""
        return (
            f"data.subword.size{each} must be at least {found[1]}, but is {size}: {spelt}the special pieces and each "
            f"character of the {name} take that many; or lower data.subword.character_coverage{lowered}"
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return f"the {name} is empty: no vocabulary can be trained on it"
    return f"the vocabulary of the {name} cannot be trained: {message}"
