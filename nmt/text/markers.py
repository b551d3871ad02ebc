"""Letters that SentencePiece takes for marks of its own, carried through it as others.

It writes a space as U+2581 and reads U+2581 as a space; lines with U+2585, its mark of the unknown, it leaves out of
training; a tab divides its sentences. Models trained here carry rules of normalisation, in SentencePiece's own form, so
that whoever loads the model follows them: both letters become noncharacters of Unicode, which no text has, and are what
they were again when pieces are decoded; a tab becomes a space. A model without these rules reads text as ever.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SPACE_MARKER = "\u2581"
_AS = {SPACE_MARKER: "\ufdd0", "\u2585": "\ufdd1"}
ESCAPED_SPACE_MARKER = _AS[SPACE_MARKER]
ESCAPES = tuple(_AS.values())
_SPECIAL = re.compile(r"</?s>|<unk>|<pad>")
_TABLE = str.maketrans({**_AS, "\t": " "})


def write_rules(folder: Path) -> dict[str, str]:
    """Write the rules into a folder, and return the options by which SentencePiece's trainer reads them."""
    options = {}
    back = {escape: letter for letter, escape in _AS.items()}
    for option, rules in (
        ("normalization_rule_tsv", {**_AS, "\t": " "}),
        ("denormalization_rule_tsv", back),
    ):
        path = folder / option
        path.write_text("".join(f"{ord(one):X}\t{ord(other):X}\n" for one, other in rules.items()), encoding="ascii")
        options[option] = str(path)
    return options


def escaped(line: str) -> str:
    """Return a line as the trainer has to be given it: it looks for its marks before it follows the rules.

    What spells a special piece it would leave out, so that its letters might be unknown: they stand apart.
    """
    if any(letter in line for letter in (*_AS, "\t")):
        line = line.translate(_TABLE)
    return _SPECIAL.sub(lambda piece: " ".join(piece[0]), line) if "<" in line else line


def without_paths(serialised: bytes) -> bytes:
    """Return a trained model without the paths of the rules: the same bytes wherever it was trained."""
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(serialised)
    for spec in (model.normalizer_spec, model.denormalizer_spec):
        spec.ClearField("normalization_rule_tsv")
    return bytes(model.SerializeToString(deterministic=True))
