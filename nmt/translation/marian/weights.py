"""A model's weights under Marian's names and in its shapes.

Marian multiplies by its matrices from the right, ``x W``: they are ours transposed. Its GRU has our formula and order
of gates; the two gates (``_W``, ``_U``, ``_b``) stand apart from the candidate (``_Wx``, ``_Ux``, ``_bx``), whose one
bias is added beside the reset gate, and in a decoder's second cell within it, as in Nematus.

Marian has no bos: its decoder first reads a zero vector. So the embedding of bos is subtracted from all embeddings, and
what it contributes is added to the biases of what reads them. Where the embeddings are also the output layer, this adds
the same number to all logits of a word, and the softmax does not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

Arrays = dict[str, NDArray[numpy.float64]]


def marian_weights(
    tensors: Mapping[str, Tensor], *, source_ids: Sequence[int], target_ids: Sequence[int], bos_id: int
) -> Arrays:
    """Rename and rearrange the weights of a model that fits (see ``misfits``).

    Args:
        tensors: of the model, by name.
        source_ids: our id of each piece of Marian's source vocabulary, in its order.
        target_ids: the same for the target.
        bos_id: our id of the target's bos.
    """
    given = {name: tensor.double() for name, tensor in tensors.items()}
    source, rows = given["source_embedding.weight"], list(target_ids)
    shared = "target_embedding.weight" not in given
    target = source if shared else given["target_embedding.weight"]
    first = target[bos_id]
    found = {} if shared else {"encoder_Wemb": source[list(source_ids)]}
    found["Wemb" if shared else "decoder_Wemb"] = (target - first)[rows]
    for prefix, suffix in (("encoder_bi", "l0"), ("encoder_bi_r", "l0_reverse")):
        part = {name: given[f"encoder.layers.0.{name}_{suffix}"] for name in _RECURRENT}
        bias = part["bias_ih"] + part["bias_hh"] + (part["weight_ih"] @ first if shared else 0.0)
        found |= _gru(prefix, part["weight_ih"], part["weight_hh"], bias)
    for prefix, cell, entry in (("decoder_cell1", "first", "W"), ("decoder_cell2", "second", "C")):
        inputs, recurrent = given[f"decoder.{cell}.{entry}.weight"], given[f"decoder.{cell}.U.weight"]
        bias = given[f"decoder.{cell}.{entry}.bias"] + given[f"decoder.{cell}.U.bias"]
        found |= _gru(prefix, inputs, recurrent, bias + inputs @ first if cell == "first" else bias)
    found["decoder_ff_state_W"] = given["bridge.W_s.0.weight"].T
    found["decoder_ff_state_b"] = given["bridge.W_s.0.bias"]
    found |= _attention(given) | _readout(given, first)
    found["decoder_ff_logit_l2_b"] = given["output.bias"][rows]
    if "output.weight" in given:
        found["decoder_ff_logit_l2_W"] = given["output.weight"][rows].T
    # A bias is a row.
    return {name: numpy.ascontiguousarray(each if each.dim() > 1 else each[None]) for name, each in found.items()}


_RECURRENT = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _gru(prefix: str, inputs: Tensor, recurrent: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """A cell of size H: inputs (3H, E), recurrent (3H, H) and bias (3H,), in the order reset, update, candidate."""
    gates = 2 * recurrent.shape[1]
    parts = {"W": inputs.T, "U": recurrent.T, "b": bias}
    return {f"{prefix}_{name}": each[..., :gates] for name, each in parts.items()} | {
        f"{prefix}_{name}x": each[..., gates:] for name, each in parts.items()
    }


def _attention(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The additive score, widened by zeros to the size of the annotations, the only one that Marian has."""
    W_a, U_a, v_a = (given[f"decoder.attention.score.{name}.weight"] for name in ("W_a", "U_a", "v_a"))
    more = U_a.shape[1] - U_a.shape[0]
    return {
        "decoder_W_comb_att": pad(W_a.T, (0, more)),
        "decoder_Wc_att": pad(U_a.T, (0, more)),
        "decoder_U_att": pad(v_a, (0, more)).T,
        "decoder_b_att": v_a.new_zeros(U_a.shape[1]),
    }


def _readout(given: Mapping[str, Tensor], first: Tensor) -> dict[str, Tensor]:
    """The deep output, with ``first``, the embedding (E,) of bos, in its bias."""
    V_o, bias = given["decoder.readout.V_o.weight"], given["decoder.readout.U_o.bias"]
    found = {}
    for place, name in enumerate(("V_o", "U_o", "C_o")):
        found[f"decoder_ff_logit_l1_W{place}"] = given[f"decoder.readout.{name}.weight"].T
        found[f"decoder_ff_logit_l1_b{place}"] = bias + V_o @ first if name == "U_o" else bias.new_zeros(bias.shape)
    return found
