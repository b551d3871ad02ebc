"""User symbols added to the vocabularies of a trained model, and the settings that can be read from vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nmt.core.config.ranges import problems_of
from nmt.core.errors import DataError
from nmt.text.subword import SideCoverages, SideSizes, SubwordConfig, SubwordModel
from nmt.text.vocabularies import Vocabularies

_ALGORITHMS = ("unigram", "bpe")  # those of SubwordConfig; a SentencePiece model from elsewhere may have another


def with_symbols(vocabularies: Vocabularies, symbols: Sequence[str]) -> Vocabularies:
    """Add the user symbols that are missing. Every piece keeps its id; new symbols get the ids after the last one.

    A symbol that is already an ordinary piece keeps its id and is never split from then on.

    Raises:
        DataError: a symbol is a special piece, such as ``</s>``.
    """
    grown = {name: _with_symbols(model, symbols) for name, model in vocabularies.by_name.items()}
    joint = grown.get("joint")
    return Vocabularies(joint or grown.get("source"), joint or grown["target"])


def _with_symbols(model: SubwordModel, symbols: Sequence[str]) -> SubwordModel:
    if not symbols:
        return model
    proto = model.proto()
    kinds = proto.SentencePiece
    pieces = {piece.piece: piece for piece in proto.pieces}
    missing = [each for each in symbols if each not in pieces or pieces[each].type != kinds.USER_DEFINED]
    if not missing:
        return model
    for symbol in missing:
        piece = pieces[symbol] if symbol in pieces else proto.pieces.add(piece=symbol)
        if symbol in pieces and piece.type != kinds.NORMAL:
            raise DataError(
                f"data.subword.user_symbols must not have {symbol!r}, which is a special piece of {model.path}"
            )
        piece.type, piece.score = kinds.USER_DEFINED, 0.0
    proto.trainer_spec.user_defined_symbols.extend(missing)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return SubwordModel(proto.SerializeToString(deterministic=True), model.path)


def section_of(vocabularies: Vocabularies, otherwise: SubwordConfig) -> SubwordConfig:
    """Describe vocabularies as the section ``data.subword`` of a recipe would.

    ``otherwise`` supplies the settings that cannot be read from the models.
    """
    target = _facts(vocabularies.target)
    source = _facts(vocabularies.source) if vocabularies.has_source else target
    known = {name: value for name, value in source.items() if name in target}
    sizes, coverages = ([side[name] for side in (source, target)] for name in ("size", "character_coverage"))
    if sizes[0] != sizes[1]:
        known["size"] = SideSizes(source=sizes[0], target=sizes[1])
    if coverages[0] != coverages[1]:
        known["character_coverage"] = SideCoverages(source=coverages[0], target=coverages[1])
    known["user_symbols"] = tuple(each for each in source["user_symbols"] if each in target["user_symbols"])
    found = replace(otherwise, joint=vocabularies.joint, **known)
    return (
        found
        if not [*problems_of(found), *found.conflicts()]
        else replace(otherwise, joint=vocabularies.joint, size=known["size"])
    )


def _facts(model: SubwordModel) -> dict[str, Any]:
    proto = model.proto()
    kinds, spec = proto.SentencePiece, proto.trainer_spec
    algorithm = spec.ModelType.Name(spec.model_type).lower()
    facts = {
        "size": model.size,
        "character_coverage": round(spec.character_coverage, 6),  # stored as float32
        "byte_fallback": any(piece.type == kinds.BYTE for piece in proto.pieces),
        "user_symbols": [piece.piece for piece in proto.pieces if piece.type == kinds.USER_DEFINED],
    }
    return {**facts, "algorithm": algorithm} if algorithm in _ALGORITHMS else facts
