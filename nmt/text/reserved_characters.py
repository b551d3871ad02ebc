"""Characters that SentencePiece reserves for itself, escaped so that they survive it.

SentencePiece writes a space as U+2581 and reads U+2581 as a space. It leaves lines with U+2585, its mark of an unknown
piece, out of training, and a tab separates its sentences. Models trained here therefore carry normalisation rules in
SentencePiece's own format, which apply wherever the model is loaded: both characters become Unicode noncharacters,
which no text contains, and are restored when pieces are decoded; a tab becomes a space. A model without these rules
reads text unescaped.
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
    """Write the rules into a folder and return the options that point SentencePiece's trainer to them."""
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
    """Escape a line for the trainer, which looks for its reserved characters before it applies the rules.

    Text that spells a special piece, such as ``</s>``, is spaced out: the trainer would skip it, and its letters could
    become unknown.
    """
    if any(letter in line for letter in (*_AS, "\t")):
        line = line.translate(_TABLE)
    return _SPECIAL.sub(lambda piece: " ".join(piece[0]), line) if "<" in line else line


def without_paths(serialised: bytes) -> bytes:
    """Remove the paths of the rules from a trained model, so that its bytes do not depend on where it was trained."""
    from sentencepiece import sentencepiece_model_pb2

    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(serialised)
    for spec in (model.normalizer_spec, model.denormalizer_spec):
        spec.ClearField("normalization_rule_tsv")
    return bytes(model.SerializeToString(deterministic=True))
