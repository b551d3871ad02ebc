"""The model in plain loops over plain lists, one sentence at a time: what every vectorised form must equal.

The formulas are written down from the papers that the model's docstrings name, with the conventions they state: gates
of a GRU in the order reset, update, candidate; of an LSTM input, forget, candidate, output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Vector = list[float]
Matrix = list[Vector]


# Algebra


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    assert len(one) == len(other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def add(*vectors: Sequence[float]) -> Vector:
    return [math.fsum(column) for column in zip(*vectors, strict=True)]


def product(matrix: Matrix, vector: Sequence[float]) -> Vector:
    return [dot(row, vector) for row in matrix]


def sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


def tanh(vector: Sequence[float]) -> Vector:
    return [math.tanh(value) for value in vector]


def log_softmax(logits: Sequence[float]) -> Vector:
    largest = max(logits)
    normaliser = largest + math.log(math.fsum(math.exp(value - largest) for value in logits))
    return [value - normaliser for value in logits]


def softmax(logits: Sequence[float]) -> Vector:
    return [math.exp(value) for value in log_softmax(logits)]


def layer_norm(vector: Sequence[float], gain: Vector, bias: Vector, epsilon: float = 1e-5) -> Vector:
    mean = math.fsum(vector) / len(vector)
    variance = math.fsum((value - mean) ** 2 for value in vector) / len(vector)
    return [
        (value - mean) / math.sqrt(variance + epsilon) * g + b for value, g, b in zip(vector, gain, bias, strict=True)
    ]


# Cells: ``driven`` is what the input (and context) gives to the gates, ``recurrent`` what the old state gives.


def gru_step(driven: Vector, recurrent: Vector, hidden: Vector) -> Vector:
    """``h' = (1 - z) n + z h``, ``n = tanh(x_n + r (U_n h + b'))``."""
    size = len(hidden)
    new = []
    for unit in range(size):
        reset = sigmoid(driven[unit] + recurrent[unit])
        update = sigmoid(driven[size + unit] + recurrent[size + unit])
        candidate = math.tanh(driven[2 * size + unit] + reset * recurrent[2 * size + unit])
        new.append((1.0 - update) * candidate + update * hidden[unit])
    return new


def lstm_step(driven: Vector, recurrent: Vector, hidden: Vector, cell: Vector) -> tuple[Vector, Vector]:
    """``c' = f c + i g``, ``h' = o tanh(c')``."""
    size = len(hidden)
    gates = add(driven, recurrent)
    new_hidden, new_cell = [], []
    for unit in range(size):
        entry, forget = sigmoid(gates[unit]), sigmoid(gates[size + unit])
        candidate, out = math.tanh(gates[2 * size + unit]), sigmoid(gates[3 * size + unit])
        new_cell.append(forget * cell[unit] + entry * candidate)
        new_hidden.append(out * math.tanh(new_cell[-1]))
    return new_hidden, new_cell


State = tuple[Vector, Vector | None]


def cell_step(driven: Vector, recurrent: Vector, state: State) -> State:
    hidden, cell = state
    return (gru_step(driven, recurrent, hidden), None) if cell is None else lstm_step(driven, recurrent, hidden, cell)


# Attention


def additive_score(query: Vector, annotation: Vector, w_a: Matrix, u_a: Matrix, v_a: Vector) -> float:
    """Bahdanau et al. (2015), appendix A.1.2."""
    return dot(v_a, tanh(add(product(w_a, query), product(u_a, annotation))))


def dot_score(query: Vector, annotation: Vector) -> float:
    """Luong et al. (2015), equation 8."""
    return dot(query, annotation)


def scaled_dot_score(query: Vector, annotation: Vector) -> float:
    """Vaswani et al. (2017), equation 1."""
    return dot(query, annotation) / math.sqrt(len(query))


def general_score(query: Vector, annotation: Vector, w_a: Matrix) -> float:
    """Luong et al. (2015), equation 8: ``q^T W_a h``."""
    return math.fsum(
        query[row] * w_a[row][column] * annotation[column]
        for row in range(len(query))
        for column in range(len(annotation))
    )


def soft_attention(energies: Vector, annotations: Matrix) -> tuple[Vector, Vector]:
    """Weights and context: Bahdanau et al. (2015), equations 5 and 6."""
    weights = softmax(energies)
    size = len(annotations[0])
    return weights, [
        math.fsum(weight * annotation[unit] for weight, annotation in zip(weights, annotations, strict=True))
        for unit in range(size)
    ]


# Readout and loss


def maxout(vector: Vector) -> Vector:
    """The larger of each pair of neighbours."""
    return [max(vector[2 * unit], vector[2 * unit + 1]) for unit in range(len(vector) // 2)]


def smoothed_cross_entropy(logits: Vector, target: int, smoothing: float) -> float:
    """``-sum_v q_v log p_v`` with ``q = (1 - eps) onehot + eps / V`` (Szegedy et al., 2016)."""
    log_probs = log_softmax(logits)
    total = 0.0
    for token, value in enumerate(log_probs):
        wanted = (1.0 - smoothing) * (token == target) + smoothing / len(logits)
        total -= wanted * value
    return total


# The whole model


@dataclass(frozen=True)
class Memory:
    values: Matrix
    states: list[State]
    """Last state of every layer, forward then backward side by side."""


@dataclass(frozen=True)
class Step:
    features: Vector
    logits: Vector
    weights: Vector
    """Empty without attention."""
    top: Vector
    """Hidden state of the top layer."""


class ReferenceModel:
    """One sentence at a time through a model's own parameters.

    Args:
        model: a ``Seq2Seq``; only its parameters are used, by name.
        config: its ``Seq2SeqConfig``.
    """

    def __init__(self, model: Any, config: Any) -> None:
        self._parameters: dict[str, Any] = {
            name: parameter.detach().tolist() for name, parameter in model.named_parameters(remove_duplicate=False)
        }
        self._config = config

    def encode(self, source: Sequence[int], embedded: Matrix | None = None) -> Memory:
        """Encode one sentence without padding."""
        config = self._config.encoder
        outputs = [self._get("source_embedding.weight")[token] for token in source] if embedded is None else embedded
        states = []
        for layer in range(config.layers):
            below = outputs
            forward, last_forward = self._direction(f"encoder.layers.{layer}", "", below, config)
            backward, last_backward = self._direction(f"encoder.layers.{layer}", "_reverse", below[::-1], config)
            outputs = [ahead + behind for ahead, behind in zip(forward, backward[::-1], strict=True)]
            if config.layer_norm:
                gain, bias = self._get(f"encoder.norms.{layer}.weight"), self._get(f"encoder.norms.{layer}.bias")
                outputs = [layer_norm(output, gain, bias) for output in outputs]
            if config.residual and layer:
                outputs = [add(output, low) for output, low in zip(outputs, below, strict=True)]
            cells = None
            if last_forward[1] is not None and last_backward[1] is not None:
                cells = last_forward[1] + last_backward[1]
            states.append((last_forward[0] + last_backward[0], cells))
        return Memory(outputs, states)

    def bridge(self, memory: Memory) -> list[State]:
        """First state of every decoder layer."""
        config = self._config.decoder
        states: list[State] = []
        for layer in range(config.layers):
            height = min(layer, len(memory.states) - 1)
            top = memory.states[-1][0]
            seen = {
                "zero": None,
                "first-backward": top[len(top) // 2 :],
                "last": memory.states[height][0],
                "mean": [sum(column) / len(memory.values) for column in zip(*memory.values, strict=True)],
            }[self._config.bridge]
            zeros = [0.0] * config.size
            hidden = zeros if seen is None else tanh(self._linear(f"bridge.W_s.{layer}", seen))
            cell = None
            if config.cell == "lstm":
                encoded = memory.states[height][1]
                carried = self._config.bridge == "last" and encoded is not None
                cell = self._linear(f"bridge.W_cell.{layer}", encoded) if carried and encoded is not None else zeros
            states.append((hidden, cell))
        return states

    def decode(self, memory: Memory, inputs: Sequence[int]) -> list[Step]:
        """Feed tokens (bos first) and give what the decoder says after each."""
        name = type(self._config.decoder).registry.name_of(type(self._config.decoder))
        step = {"bahdanau": self._bahdanau, "conditional": self._conditional, "luong": self._luong}[name]
        states = self.bridge(memory)
        feed = [0.0] * self._feature_size
        steps = []
        for token in inputs:
            embedded = self._get("target_embedding.weight")[token]
            features, weights, states = step(embedded, memory, states, feed)
            feed = features
            logits = add(product(self._get("output.weight"), features), self._get("output.bias"))
            steps.append(Step(features, logits, weights, states[-1][0]))
        return steps

    # Decoders

    def _bahdanau(
        self, embedded: Vector, memory: Memory, states: list[State], _feed: Vector
    ) -> tuple[Vector, Vector, list[State]]:
        weights, context = self._attend(states[0][0], memory)
        lowest = self._context_cell("decoder.recurrent", embedded, context, states[0])
        new = self._above(lowest, states)
        seen = states[-1][0] if self._config.decoder.readout.state == "previous" else new[-1][0]
        return self._readout(seen, embedded, context), weights, new

    def _conditional(
        self, embedded: Vector, memory: Memory, states: list[State], _feed: Vector
    ) -> tuple[Vector, Vector, list[State]]:
        proposal = self._context_cell("decoder.first", embedded, None, states[0])
        weights, context = self._attend(proposal[0], memory)
        lowest = self._context_cell("decoder.second", None, context, proposal)
        new = self._above(lowest, states)
        return self._readout(new[-1][0], embedded, context), weights, new

    def _luong(
        self, embedded: Vector, memory: Memory, states: list[State], feed: Vector
    ) -> tuple[Vector, Vector, list[State]]:
        if self._config.decoder.input_feeding:
            new = self._above(self._context_cell("decoder.lowest", embedded, feed, states[0]), states)
        else:
            new = []
            below = embedded
            for layer, state in enumerate(states):
                new.append(self._plain_cell(f"decoder.upper.layers.{layer}", "", below, state))
                below = new[-1][0]
        weights, context = self._attend(new[-1][0], memory)
        return tanh(product(self._get("decoder.W_c.weight"), context + new[-1][0])), weights, new

    def _above(self, lowest: State, states: list[State]) -> list[State]:
        new = [lowest]
        for layer, state in enumerate(states[1:]):
            new.append(self._plain_cell(f"decoder.upper.layers.{layer}", "", new[-1][0], state))
        return new

    def _readout(self, state: Vector, embedded: Vector, context: Vector) -> Vector:
        combined = add(
            self._linear("decoder.readout.U_o", state),
            product(self._get("decoder.readout.V_o.weight"), embedded),
            product(self._get("decoder.readout.C_o.weight"), context),
        )
        return maxout(combined) if self._config.decoder.readout.activation == "maxout" else tanh(combined)

    @property
    def _feature_size(self) -> int:
        return len(self._get("output.weight")[0])

    # Parts

    def _attend(self, query: Vector, memory: Memory) -> tuple[Vector, Vector]:
        attention = self._config.attention
        if attention.registry.name_of(type(attention)) == "none":
            top = memory.states[-1][0]
            return [], top if attention.context == "summary" else [0.0] * len(top)
        name = attention.registry.name_of(type(attention))
        energies = [self._score(query, annotation) for annotation in memory.values]
        if name == "hard":
            return softmax(energies), memory.values[energies.index(max(energies))]
        assert name in ("soft", "marginal")
        return soft_attention(energies, memory.values)

    def _score(self, query: Vector, annotation: Vector) -> float:
        score = self._config.attention.score
        name = score.registry.name_of(type(score))
        prefix = "decoder.attention.score"
        if name in ("additive", "concat"):
            w_a, u_a = self._get(f"{prefix}.W_a.weight"), self._get(f"{prefix}.U_a.weight")
            return additive_score(query, annotation, w_a, u_a, self._get(f"{prefix}.v_a.weight")[0])
        if name == "general":
            return general_score(query, annotation, self._get(f"{prefix}.W_a.weight"))
        return {"dot": dot_score, "scaled-dot": scaled_dot_score}[name](query, annotation)

    def _context_cell(self, name: str, embedded: Vector | None, context: Vector | None, state: State) -> State:
        parts = []
        if embedded is not None:
            parts.append(self._linear(f"{name}.W", embedded))
        if context is not None:
            parts.append(self._linear(f"{name}.C", context))
        return cell_step(add(*parts), self._linear(f"{name}.U", state[0]), state)

    def _plain_cell(self, name: str, suffix: str, inputs: Vector, state: State) -> State:
        driven = add(
            product(self._get(f"{name}.weight_ih_l0{suffix}"), inputs), self._get(f"{name}.bias_ih_l0{suffix}")
        )
        recurrent = add(
            product(self._get(f"{name}.weight_hh_l0{suffix}"), state[0]), self._get(f"{name}.bias_hh_l0{suffix}")
        )
        return cell_step(driven, recurrent, state)

    def _direction(self, name: str, suffix: str, inputs: Matrix, config: Any) -> tuple[Matrix, State]:
        zeros = [0.0] * config.size
        state: State = (zeros, zeros if config.cell == "lstm" else None)
        outputs = []
        for vector in inputs:
            state = self._plain_cell(name, suffix, vector, state)
            outputs.append(state[0])
        return outputs, state

    def _linear(self, name: str, vector: Vector) -> Vector:
        result = product(self._get(f"{name}.weight"), vector)
        bias = self._parameters.get(f"{name}.bias")
        return result if bias is None else add(result, bias)

    def _get(self, name: str) -> Any:
        return self._parameters[name]
