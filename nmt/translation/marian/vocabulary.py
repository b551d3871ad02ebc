"""A SentencePiece model by Marian's conventions: eos 0, unk 1, no bos and no pad."""

from __future__ import annotations

from nmt.text.subword import SubwordModel


def marian_order(vocabulary: SubwordModel) -> list[int]:
    """Our id of each piece in Marian's order."""
    special = [vocabulary.eos_id, vocabulary.unk_id]
    left_out = {*special, vocabulary.pad_id, vocabulary.bos_id}
    return special + [piece for piece in range(vocabulary.size) if piece not in left_out]


def marian_vocabulary(vocabulary: SubwordModel) -> bytes:
    """The model with its pieces in Marian's order, in the format of a ``.spm`` file."""
    model = vocabulary.proto()
    pieces = [model.pieces[piece] for piece in marian_order(vocabulary)]
    ordered = type(model)()
    ordered.CopyFrom(model)
    del ordered.pieces[:]
    ordered.pieces.extend(pieces)
    settings = ordered.trainer_spec
    settings.eos_id, settings.unk_id, settings.bos_id, settings.pad_id = 0, 1, -1, -1
    settings.vocab_size = len(pieces)
    serialised: bytes = ordered.SerializeToString(deterministic=True)
    return serialised
