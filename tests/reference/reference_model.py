"""The model in plain loops over plain lists, one sentence at a time: what every vectorised form must equal.

The formulas are written down from the papers that the model's docstrings name, with the conventions they state: gates
of a GRU in the order reset, update, candidate; of an LSTM input, forget, candidate, output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
Norm = tuple[Vector, Vector]
"""Gain and bias."""


def cell_step(driven: Vector, recurrent: Vector, state: State, norms: Sequence[Norm] = ()) -> State:
    """A step of a GRU or LSTM; with ``norms`` of its driven and its recurrent part, and of an LSTM's memory cell."""
    hidden, cell = state
    if norms:
        size = len(hidden)

        def normed(part: Vector, norm: Norm) -> Vector:
            found: Vector = []
            for start in range(0, len(part), size):
                gate = slice(start, start + size)
                found += layer_norm(part[gate], norm[0][gate], norm[1][gate])
            return found

        driven, recurrent = normed(driven, norms[0]), normed(recurrent, norms[1])
    if norms and cell is not None:
        gates = add(driven, recurrent)
        _, memory = lstm_step(driven, recurrent, hidden, cell)
        out = [sigmoid(value) for value in gates[3 * len(hidden) :]]
        return [gate * value for gate, value in zip(out, tanh(layer_norm(memory, *norms[2])), strict=True)], memory
    return (gru_step(driven, recurrent, hidden), None) if cell is None else lstm_step(driven, recurrent, hidden, cell)


# Attention


def bidirectional_lstm(layer: Any, inputs: Matrix) -> Matrix:
    """Outputs of an ``nn.LSTM`` layer in both directions, side by side; only its parameters are used."""
    parameters = {name: parameter.detach().tolist() for name, parameter in layer.named_parameters()}
    sides = []
    for suffix, vectors in (("", inputs), ("_reverse", inputs[::-1])):
        hidden = cell = [0.0] * layer.hidden_size
        outputs = []
        for vector in vectors:
            driven = add(product(parameters[f"weight_ih_l0{suffix}"], vector), parameters[f"bias_ih_l0{suffix}"])
            recurrent = add(product(parameters[f"weight_hh_l0{suffix}"], hidden), parameters[f"bias_hh_l0{suffix}"])
            hidden, cell = lstm_step(driven, recurrent, hidden, cell)
            outputs.append(hidden)
        sides.append(outputs)
    return [ahead + behind for ahead, behind in zip(sides[0], sides[1][::-1], strict=True)]


def additive_score(
    query: Vector, annotation: Vector, w_a: Matrix, u_a: Matrix, v_a: Vector, covered: Vector | None = None
) -> float:
    """Bahdanau et al. (2015), appendix A.1.2; with ``V_a C`` within the tanh: Tu et al. (2016), section 3.2."""
    parts = [product(w_a, query), product(u_a, annotation)]
    return dot(v_a, tanh(add(*parts, *([] if covered is None else [covered]))))


def dot_score(query: Vector, annotation: Vector) -> float:
    """Luong et al. (2015), section 3.1."""
    return dot(query, annotation)


def scaled_dot_score(query: Vector, annotation: Vector) -> float:
    """Vaswani et al. (2017), equation 1."""
    return dot(query, annotation) / math.sqrt(len(query))


def general_score(query: Vector, annotation: Vector, w_a: Matrix, scale: float | None = None) -> float:
    """Luong et al. (2015), section 3.1: ``q^T W_a h`` times a scale, by default over the root of the query's size."""
    bilinear = math.fsum(
        query[row] * w_a[row][column] * annotation[column]
        for row in range(len(query))
        for column in range(len(annotation))
    )
    return bilinear / math.sqrt(len(query)) if scale is None else bilinear * scale


def blend(weights: Vector, annotations: Matrix) -> Vector:
    """Weighted sum of annotations."""
    return [
        math.fsum(weight * annotation[unit] for weight, annotation in zip(weights, annotations, strict=True))
        for unit in range(len(annotations[0]))
    ]


def _bisect(scores: Vector, weigh: Callable[[float, float], float]) -> Vector:
    """Find tau with ``sum_j weigh(z_j, tau) = 1`` by halving an interval that holds it."""
    low, high = max(scores) - 1.0, max(scores)
    for _ in range(200):
        middle = (low + high) / 2.0
        if math.fsum(weigh(score, middle) for score in scores) < 1.0:
            high = middle
        else:
            low = middle
    return [weigh(score, low) for score in scores]


def sparsemax(scores: Vector) -> Vector:
    """``[z - tau]_+``: Martins and Astudillo (2016), proposition 1."""
    return _bisect(scores, lambda score, tau: max(score - tau, 0.0))


def entmax15(scores: Vector) -> Vector:
    """``[z / 2 - tau]_+^2``: Peters et al. (2019), alpha-entmax with alpha = 1.5."""
    return _bisect([score / 2.0 for score in scores], lambda score, tau: max(score - tau, 0.0) ** 2)


def local_weights(energies: Vector, centre: float, window: int, *, gaussian: bool) -> Vector:
    """Luong et al. (2015), section 3.2: softmax over |s - p| <= D, s from 1, then times the Gaussian of sigma D / 2."""
    inside = [place for place in range(1, len(energies) + 1) if abs(place - centre) <= window]
    aligned = dict(zip(inside, softmax([energies[place - 1] for place in inside]), strict=True))
    weights = []
    for place in range(1, len(energies) + 1):
        weight = aligned.get(place, 0.0)
        if gaussian:
            weight *= math.exp(-((place - centre) ** 2) / (2.0 * (window / 2.0) ** 2))
        weights.append(weight)
    return weights


# Readout and loss


def along(weights: Vector, filters: Matrix) -> Matrix:
    """Each filter's response at each position, with its middle there; nothing lies beyond the ends."""
    middle = len(filters[0]) // 2
    beyond = [0.0] * middle
    padded = [*beyond, *weights, *beyond]
    return [[dot(one, padded[place : place + len(one)]) for one in filters] for place in range(len(weights))]


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
    embedded: Matrix
    """The embeddings of the source."""


@dataclass(frozen=True)
class Step:
    features: Vector
    logits: Vector
    weights: Matrix
    """A row a head; empty without attention."""
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
            name.replace("attention.look.", "attention."): parameter.detach().tolist()
            for name, parameter in model.named_parameters(remove_duplicate=False)
        }
        self._config = config

    def encode(self, source: Sequence[int], embedded: Matrix | None = None) -> Memory:
        """Encode one sentence without padding."""
        config = self._config.encoder
        outputs = [self._get("source_embedding.weight")[token] for token in source] if embedded is None else embedded
        embedded, states = outputs, []
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
        return Memory(outputs, states, embedded)

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
            if config.cell.endswith("lstm"):
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
        self._words = 0
        self._covered: Matrix | None = None
        feed = [0.0] * self._feature_size
        steps = []
        for token in inputs:
            self._words += 1
            embedded = self._get("target_embedding.weight")[token]
            features, weights, states = step(embedded, memory, states, feed)
            feed = features
            logits = add(product(self._get("output.weight"), features), self._get("output.bias"))
            if self._config.lexical:
                logits = add(logits, self._lexical(weights, memory.embedded))
            steps.append(Step(features, logits, weights, states[-1][0]))
        return steps

    # Decoders

    def _bahdanau(
        self, embedded: Vector, memory: Memory, states: list[State], _feed: Vector
    ) -> tuple[Vector, Matrix, list[State]]:
        weights, context = self._attend(states[0][0], memory)
        lowest = self._context_cell("decoder.recurrent", embedded, context, states[0])
        new, top = self._above([lowest], lowest[0], states, context)
        seen = states[-1][0] if self._config.decoder.readout.state == "previous" else top
        return self._readout(seen, embedded, context), weights, new

    def _conditional(
        self, embedded: Vector, memory: Memory, states: list[State], _feed: Vector
    ) -> tuple[Vector, Matrix, list[State]]:
        proposal = self._context_cell("decoder.first", embedded, None, states[0])
        weights, context = self._attend(proposal[0], memory, self._sentinel(embedded, states[0], proposal))
        lowest = self._context_cell("decoder.second", None, context, proposal)
        new, top = self._above([lowest], lowest[0], states, context)
        return self._readout(top, embedded, context), weights, new

    def _luong(
        self, embedded: Vector, memory: Memory, states: list[State], feed: Vector
    ) -> tuple[Vector, Matrix, list[State]]:
        if self._config.decoder.input_feeding:
            lowest = self._context_cell("decoder.lowest", embedded, feed, states[0])
            new, top = self._above([lowest], lowest[0], states, None)
        else:
            new, top = self._above([], embedded, states, None)
        weights, context = self._attend(top, memory, self._sentinel(embedded, states[-1], new[-1]))
        return tanh(product(self._get("decoder.W_c.weight"), context + top)), weights, new

    def _above(
        self, new: list[State], below: Vector, states: list[State], context: Vector | None
    ) -> tuple[list[State], Vector]:
        """The layers that are left, over what is below them: all new states, and what the top gives."""
        decoder = self._config.decoder
        for layer, state in enumerate(states[len(new) :]):
            seen = below + context if context is not None and decoder.context_layers == "all" else below
            second = bool(new)
            new = [*new, self._plain_cell(f"decoder.upper.layers.{layer}", "", seen, state)]
            below = add(new[-1][0], below) if decoder.residual and second else new[-1][0]
        return new, below

    def _transition(self, name: str, state: State) -> State:
        """Miceli Barone et al. (2017), section 2.3: the further cells of a step, which read the state alone."""
        further = 0
        while f"{name}.further.{further}.U.weight" in self._parameters:
            cell = f"{name}.further.{further}"
            recurrent = self._linear(f"{cell}.U", state[0])
            norms = self._norms(cell)
            nothing = ([0.0] * len(recurrent), [0.0] * len(recurrent))
            # Nothing drives the gates, and with a gain of zero its norm gives nothing.
            state = cell_step(nothing[0], recurrent, state, [nothing, *norms] if norms else ())
            further += 1
        return state

    def _readout(self, state: Vector, embedded: Vector, context: Vector) -> Vector:
        combined = add(
            self._linear("decoder.readout.U_o", state),
            product(self._get("decoder.readout.V_o.weight"), embedded),
            product(self._get("decoder.readout.C_o.weight"), context),
        )
        return maxout(combined) if self._config.decoder.readout.activation == "maxout" else tanh(combined)

    def _lexical(self, weights: Matrix, embedded: Matrix) -> Vector:
        """``W_l h_l + b_l``: Nguyen and Chiang (2018), section 4, with the mean of the heads."""
        mean = [math.fsum(column) / len(weights) for column in zip(*weights, strict=True)]
        average = tanh([dot(mean, column) for column in zip(*embedded, strict=True)])
        hidden = add(tanh(product(self._get("output.W.weight"), average)), average)
        return self._linear("output.words", hidden)

    @property
    def _feature_size(self) -> int:
        return len(self._get("output.weight")[0])

    # Parts

    def _attend(self, query: Vector, memory: Memory, sentinel: Vector | None = None) -> tuple[Matrix, Vector]:
        """Look as often as asked: ``q_{k+1} = q_k + W_k c_k + b_k``, and all contexts side by side."""
        weights, context = self._look(query, memory, sentinel)
        contexts = context
        for further in range(getattr(self._config.attention, "looks", 1) - 1):
            query = add(query, self._linear(f"decoder.attention.W.{further}", context))
            weights, context = self._look(query, memory, sentinel)
            contexts = contexts + context
        return weights, contexts

    def _look(self, query: Vector, memory: Memory, sentinel: Vector | None) -> tuple[Matrix, Vector]:
        attention = self._config.attention
        name = attention.registry.name_of(type(attention))
        if name == "none":
            top = memory.states[-1][0]
            return [], top if attention.context == "summary" else [0.0] * len(top)
        heads = [
            [self._score(query, annotation, place, head) for place, annotation in enumerate(memory.values)]
            for head in range(attention.score.head_count)
        ]
        if sentinel is not None:
            return self._attend_beside(query, memory, sentinel, heads[0])
        weights = [self._align(energies, query) for energies in heads]
        if getattr(attention, "coverage", None) is not None:
            self._cover(weights[0], memory, query)
        if name == "hard":
            return weights, memory.values[heads[0].index(max(heads[0]))]
        if len(heads) == 1:
            return weights, blend(weights[0], memory.values)
        values = [product(self._get("decoder.attention.W_v.weight"), annotation) for annotation in memory.values]
        share = len(values[0]) // len(heads)
        mixed: Vector = []
        for head, row in enumerate(weights):
            mixed += blend(row, [value[head * share : (head + 1) * share] for value in values])
        return weights, product(self._get("decoder.attention.W_o.weight"), mixed)

    def _attend_beside(
        self, query: Vector, memory: Memory, sentinel: Vector, energies: Vector
    ) -> tuple[Matrix, Vector]:
        """Lu et al. (2017), equations 11 and 12: the softmax over k + 1 cut in two."""
        key = product(self._get("decoder.attention.W_s.weight"), sentinel)
        *weights, kept = self._align([*energies, self._score_key(query, key)], query)
        return [weights], add(blend(weights, memory.values), [kept * unit for unit in sentinel])

    def _sentinel(self, embedded: Vector, previous: State, current: State) -> Vector | None:
        """``g * tanh(m)``, or ``g * h`` of a GRU."""
        if not getattr(self._config.attention, "sentinel", False):
            return None
        driven = add(
            product(self._get("decoder.sentinel.W_x.weight"), embedded),
            product(self._get("decoder.sentinel.W_h.weight"), previous[0]),
        )
        hidden, cell = current
        memory = hidden if cell is None else tanh(cell)
        return [sigmoid(gate) * unit for gate, unit in zip(driven, memory, strict=True)]

    def _align(self, energies: Vector, query: Vector) -> Vector:
        attention = self._config.attention
        name = attention.registry.name_of(type(attention))
        if name in ("soft", "hard", "marginal"):
            return softmax(energies)
        if name in ("sparsemax", "entmax-1.5"):
            return {"sparsemax": sparsemax, "entmax-1.5": entmax15}[name](energies)
        if name == "local-m":
            return local_weights(energies, min(self._words, len(energies)), attention.window, gaussian=False)
        assert name == "local-p"
        hidden = tanh(product(self._get("decoder.attention.W_p.weight"), query))
        logit = dot(self._get("decoder.attention.v_p.weight")[0], hidden) / math.sqrt(len(hidden))
        centre = len(energies) * sigmoid(logit)
        return local_weights(energies, centre, attention.window, gaussian=True)

    def _score(self, query: Vector, annotation: Vector, place: int, head: int) -> float:
        score = self._config.attention.score
        name = score.registry.name_of(type(score))
        prefix = "decoder.attention.score"
        if name in ("additive", "concat"):
            w_a, u_a = self._get(f"{prefix}.W_a.weight"), self._get(f"{prefix}.U_a.weight")
            covered = None
            if self._covered is not None:
                covered = product(self._get("decoder.attention.V_a.weight"), self._covered[place])
            return additive_score(query, annotation, w_a, u_a, self._get(f"{prefix}.v_a.weight")[0], covered)
        if name == "general":
            return general_score(query, annotation, self._get(f"{prefix}.W_a.weight"), score.scale)
        if name == "location":
            rows = self._get(f"{prefix}.W_a.weight")
            # Without a row of its own a position has no weight; a number so low stands for minus infinity.
            return dot(rows[place], query) if place < len(rows) else -1e300
        if name == "multi-head-additive":
            v_a = self._get(f"{prefix}.v_a.weight")[head]
            mine = slice(head * len(v_a), (head + 1) * len(v_a))
            w_a, u_a = self._get(f"{prefix}.W_a.weight")[mine], self._get(f"{prefix}.U_a.weight")[mine]
            return additive_score(query, annotation, w_a, u_a, v_a)
        if name == "multi-head-dot":
            w_q, w_k = self._get(f"{prefix}.W_q.weight"), self._get(f"{prefix}.W_k.weight")
            mine = slice(head * len(w_q) // score.heads, (head + 1) * len(w_q) // score.heads)
            return scaled_dot_score(product(w_q[mine], query), product(w_k[mine], annotation))
        return {"dot": dot_score, "scaled-dot": scaled_dot_score}[name](query, annotation)

    def _score_key(self, query: Vector, key: Vector) -> float:
        """Score what is a key already."""
        score = self._config.attention.score
        name = score.registry.name_of(type(score))
        if name in ("additive", "concat"):
            driven = product(self._get("decoder.attention.score.W_a.weight"), query)
            return dot(self._get("decoder.attention.score.v_a.weight")[0], tanh(add(driven, key)))
        # The general score of an annotation is the dot product with its key, over the same root.
        return scaled_dot_score(query, key) if name in ("scaled-dot", "general") else dot(query, key)

    def _cover(self, weights: Vector, memory: Memory, query: Vector) -> None:
        """Tu et al. (2016), section 3.1; Chorowski et al. (2015), equation 8."""
        model = self._config.attention.coverage
        prefix = "decoder.attention.coverage"
        if model.registry.name_of(type(model)) == "location-aware":
            self._covered = along(weights, [rows[0] for rows in self._get(f"{prefix}.F.weight")])
            return
        if model.registry.name_of(type(model)) == "linguistic":
            before = self._covered or [[0.0] for _ in weights]
            after = []
            for old, weight, annotation in zip(before, weights, memory.values, strict=True):
                fertility = 1.0
                if model.fertility:
                    fertility = model.max_fertility * sigmoid(dot(self._get(f"{prefix}.U_f.weight")[0], annotation))
                after.append([old[0] + weight / fertility])
            self._covered = after
            return
        before = self._covered or [[0.0] * model.size for _ in weights]
        after = []
        for old, weight, annotation in zip(before, weights, memory.values, strict=True):
            driven = add(
                self._linear(f"{prefix}.recurrent.W", annotation),
                product(self._get(f"{prefix}.recurrent.C.weight"), [weight]),
                product(self._get(f"{prefix}.W_t.weight"), query),
            )
            after.append(gru_step(driven, self._linear(f"{prefix}.recurrent.U", old), old))
        self._covered = after

    def _context_cell(self, name: str, embedded: Vector | None, context: Vector | None, state: State) -> State:
        inputs = None if embedded is None else self._linear(f"{name}.W", embedded)
        source = None if context is None else self._linear(f"{name}.C", context)
        recurrent = self._linear(f"{name}.U", state[0])
        gate = self._config.decoder.context_gate
        if gate == "none" or name in ("decoder.first", "decoder.lowest"):
            driven = add(*[part for part in (inputs, source) if part is not None])
            return self._transition(name, cell_step(driven, recurrent, state, self._norms(name)))
        assert source is not None
        # Tu et al. (2017): the last rows are those of z, which weighs all the others, gate by gate.
        size = len(state[0])
        opened = [sigmoid(value) for value in add(*[p[-size:] for p in (inputs, source, recurrent) if p is not None])]
        from_source = [1.0] * size if gate == "target" else opened
        from_target = {"source": [1.0] * size, "target": opened, "both": [1.0 - value for value in opened]}[gate]

        def weighed(part: Vector, by: Vector) -> Vector:
            return [value * by[unit % size] for unit, value in enumerate(part[:-size])]

        driven = weighed(source, from_source)
        if inputs is not None:
            driven = add(driven, weighed(inputs, from_target))
        return self._transition(name, cell_step(driven, weighed(recurrent, from_target), state, self._norms(name)))

    def _norms(self, name: str) -> list[Norm]:
        """The norms of a cell, if it has any."""
        found = [f"{name}.{norm}" for norm in ("norms.0", "norms.1", "norms.2")]
        return [
            (self._get(f"{norm}.weight"), self._get(f"{norm}.bias"))
            for norm in found
            if f"{norm}.weight" in self._parameters
        ]

    def _plain_cell(self, name: str, suffix: str, inputs: Vector, state: State) -> State:
        normed = f"{name}.cells.{1 if suffix else 0}"
        if f"{normed}.W.weight" in self._parameters:
            driven, recurrent = self._linear(f"{normed}.W", inputs), self._linear(f"{normed}.U", state[0])
            return self._transition(normed, cell_step(driven, recurrent, state, self._norms(normed)))
        driven = add(
            product(self._get(f"{name}.weight_ih_l0{suffix}"), inputs), self._get(f"{name}.bias_ih_l0{suffix}")
        )
        recurrent = add(
            product(self._get(f"{name}.weight_hh_l0{suffix}"), state[0]), self._get(f"{name}.bias_hh_l0{suffix}")
        )
        return cell_step(driven, recurrent, state)

    def _direction(self, name: str, suffix: str, inputs: Matrix, config: Any) -> tuple[Matrix, State]:
        zeros = [0.0] * config.size
        state: State = (zeros, zeros if config.cell.endswith("lstm") else None)
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
