"""Recurrent cells: by hand, against torch's own, and by their derivatives."""

from __future__ import annotations

import math

import pytest
import reference_model
import torch
from model_sweep import close
from torch import nn

from nmt.model.cells import GATES, ContextCell, GateNorm, LoopedRnn, RnnStack, run_packed
from nmt.model.dropout import Dropout
from nmt.model.fast.lstm import run_both_ways
from nmt.model.memory import CellState

KINDS = ("gru", "lstm")
every_kind = pytest.mark.parametrize("kind", KINDS)
every_normed_kind = pytest.mark.parametrize("kind", ["ln-gru", "ln-lstm"])


def filled(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def drawn_state(kind, rows=3, size=4, seed=5):
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(rows, size, generator=generator, dtype=torch.float64) for _ in range(2)]
    return CellState(parts[0], parts[1] if kind.endswith("lstm") else None)


def test_a_gru_step_by_hand():
    cell = ContextCell("gru", input_size=1, context_size=1, size=1)
    with torch.no_grad():
        cell.W.weight.copy_(torch.tensor([[0.0], [math.log(3.0)], [1.0]]))
        cell.W.bias.copy_(torch.tensor([0.0, 0.0, 0.5]))
        cell.C.weight.copy_(torch.tensor([[0.0], [0.0], [2.0]]))
        cell.U.weight.copy_(torch.tensor([[0.0], [0.0], [4.0]]))
        cell.U.bias.copy_(torch.tensor([0.0, 0.0, -2.0]))
    # x = 1, c = 0.25, h = 1. Reset: sigmoid(0) = 1/2. Update: sigmoid(log 3) = 3/4.
    # Candidate: tanh(1 * 1 + 0.5 + 2 * 0.25 + 1/2 * (4 * 1 - 2)) = tanh(3) = 0.9950548.
    # h' = (1 - 3/4) * 0.9950548 + 3/4 * 1 = 0.9987637.
    new = cell(cell.project(torch.tensor([[1.0]])), torch.tensor([[0.25]]), CellState(torch.tensor([[1.0]])))
    close(new.hidden, torch.tensor([[0.9987637]]), 1e-6)
    assert new.cell is None


def test_an_lstm_step_by_hand():
    cell = ContextCell("lstm", input_size=1, context_size=1, size=1)
    with torch.no_grad():
        # Gates in the order input, forget, candidate, output.
        cell.W.weight.copy_(torch.tensor([[math.log(3.0)], [0.0], [1.0], [0.0]]))
        cell.W.bias.copy_(torch.tensor([0.0, -math.log(3.0), 0.0, 0.0]))
        cell.C.weight.copy_(torch.tensor([[0.0], [0.0], [1.0], [math.log(3.0)]]))
        cell.U.weight.zero_()
    # x = 1, c = 1, cell = 2. Input sigmoid(log 3) = 3/4, forget sigmoid(-log 3) = 1/4, output sigmoid(log 3) = 3/4,
    # candidate tanh(1 + 1) = 0.9640276. cell' = 1/4 * 2 + 3/4 * 0.9640276 = 1.2230207.
    # h' = 3/4 * tanh(1.2230207) = 3/4 * 0.8405430 = 0.6304072.
    state = CellState(torch.tensor([[5.0]]), torch.tensor([[2.0]]))
    new = cell(cell.project(torch.tensor([[1.0]])), torch.tensor([[1.0]]), state)
    close(new.cell, torch.tensor([[1.2230207]]), 1e-6)
    close(new.hidden, torch.tensor([[0.6304072]]), 1e-6)


@every_kind
@pytest.mark.parametrize(("input_size", "context_size"), [(3, 0), (0, 5), (3, 5)])
def test_context_cells_equal_plain_loops_and_torch(kind, input_size, context_size):
    cell = filled(ContextCell(kind, input_size=input_size, context_size=context_size, size=4))
    state = drawn_state(kind)
    inputs = torch.randn(3, input_size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    context = torch.randn(3, context_size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    projected = cell.project(inputs) if input_size else None
    new = cell(projected, context if context_size else None, state)

    # Torch's own cell, fed with both side by side.
    own = (nn.GRUCell if kind == "gru" else nn.LSTMCell)(input_size + context_size, 4).double()
    parts = [part for part in (cell.W, cell.C) if part is not None]
    with torch.no_grad():
        own.weight_ih.copy_(torch.cat([part.weight for part in parts], dim=1))
        own.bias_ih.copy_(sum(part.bias for part in parts if part.bias is not None))
        own.weight_hh.copy_(cell.U.weight)
        own.bias_hh.copy_(torch.zeros_like(own.bias_hh) if cell.U.bias is None else cell.U.bias)
    both = torch.cat([inputs, context], dim=1)
    expected = own(both, state.hidden) if kind == "gru" else own(both, (state.hidden, state.cell))
    close(new.hidden, expected if kind == "gru" else expected[0])
    if kind == "lstm":
        close(new.cell, expected[1])

    # Plain loops over the first row.
    driven = (own.weight_ih @ both[0] + own.bias_ih).tolist()
    recurrent = (own.weight_hh @ state.hidden[0] + own.bias_hh).tolist()
    plain = (state.hidden[0].tolist(), None if state.cell is None else state.cell[0].tolist())
    hidden, memory_cell = reference_model.cell_step(driven, recurrent, plain)
    close(new.hidden[0], torch.tensor(hidden, dtype=torch.float64))
    if memory_cell is not None:
        close(new.cell[0], torch.tensor(memory_cell, dtype=torch.float64))


@every_kind
def test_every_bias_of_a_cell_counts_once(kind):
    """Input and context share one bias; a GRU's recurrent bias is its own, because the reset gate scales it."""
    both = ContextCell(kind, input_size=3, context_size=5, size=4)
    assert both.W.bias is not None
    assert both.C.bias is None
    assert ContextCell(kind, input_size=0, context_size=5, size=4).C.bias is not None
    assert (both.U.bias is not None) == (kind == "gru")
    assert both.W.weight.shape == (GATES[kind] * 4, 3)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(("input_size", "context_size", "transition"), [(2, 0, 1), (0, 3, 0), (2, 3, 2)])
def test_gradients_of_context_cells(kind, input_size, context_size, transition):
    cell = filled(ContextCell(kind, input_size=input_size, context_size=context_size, size=2, transition=transition))
    names = [name for name, _ in cell.named_parameters()]
    generator = torch.Generator().manual_seed(4)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    def step(hidden, memory_cell, inputs, context, *parameters):
        whole = _Step(cell)
        named = {f"cell.{name}": value for name, value in zip(names, parameters, strict=True)}
        return torch.func.functional_call(whole, named, (hidden, memory_cell, inputs, context))

    inputs = (draw(2, 2), draw(2, 2), draw(2, input_size), draw(2, context_size))
    parameters = tuple(parameter.detach().clone().requires_grad_() for parameter in cell.parameters())
    assert torch.autograd.gradcheck(step, (*inputs, *parameters))


class _Step(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, hidden, memory_cell, inputs, context):
        projected = self.cell.project(inputs) if inputs.shape[1] else None
        state = CellState(hidden, memory_cell if self.cell.kind.endswith("lstm") else None)
        new = self.cell(projected, context if context.shape[1] else None, state)
        return (new.hidden,) if new.cell is None else (new.hidden, new.cell)


def test_a_cell_says_what_it_lacks():
    with pytest.raises(TypeError, match="no input"):
        ContextCell("gru", input_size=0, context_size=2, size=2).project(torch.zeros(1, 2))
    cell = ContextCell("lstm", input_size=2, context_size=0, size=2)
    with pytest.raises(TypeError, match="memory cell"):
        cell(cell.project(torch.zeros(1, 2)), None, CellState(torch.zeros(1, 2)))


@every_kind
@pytest.mark.parametrize("input_size", [3, 4])
def test_a_stack_equals_its_layers_one_by_one(kind, input_size):
    stack = filled(RnnStack(kind, input_size=input_size, size=4, layers=3, dropout=Dropout(0.0)))
    states = [drawn_state(kind, seed=seed) for seed in range(3)]
    inputs = torch.randn(3, 5, input_size, dtype=torch.float64)
    outputs, final = stack(inputs, states)
    expected = inputs
    for layer, state, after in zip(stack.layers, states, final, strict=True):
        initial = state.hidden.unsqueeze(0)
        above, last = layer(expected, initial if kind == "gru" else (initial, state.cell.unsqueeze(0)))
        close(after.hidden, (last if kind == "gru" else last[0])[0])
        if kind == "lstm":
            close(after.cell, last[1][0])
        # Only where the sizes agree can an input be added; the lowest layer's differ for input_size 3.
        expected = above
    close(outputs, expected)
    # Step by step with the carried states it is the same.
    stepped = []
    for column in inputs.unbind(1):
        output, states = stack(column.unsqueeze(1), states)
        stepped.append(output)
    close(torch.cat(stepped, 1), outputs)


@every_kind
def test_a_stack_without_layers_gives_its_inputs(kind):
    stack = RnnStack(kind, input_size=3, size=4, layers=0, dropout=Dropout(0.5))
    inputs = torch.randn(2, 5, 3)
    outputs, states = stack(inputs, ())
    assert outputs is inputs
    assert states == ()


@every_kind
@pytest.mark.parametrize("dropout_first", [False, True])
def test_dropout_falls_between_layers_only(kind, dropout_first):
    dropout = Dropout(0.5)
    seen = []
    dropout.register_forward_hook(lambda module, given, result: seen.append(given[0].shape))
    stack = RnnStack(kind, input_size=3, size=4, layers=2, dropout=dropout, dropout_first=dropout_first)
    zeros = torch.zeros(2, 4)
    states = [CellState(zeros, zeros if kind == "lstm" else None)] * 2
    stack(torch.randn(2, 5, 3), states)
    assert seen == ([torch.Size([2, 5, 3])] if dropout_first else []) + [torch.Size([2, 5, 4])]


# Deep transition


@every_kind
def test_further_cells_are_those_of_torch_that_read_zeros(kind):
    deep = filled(ContextCell(kind, input_size=3, context_size=5, size=4, transition=2))
    first = ContextCell(kind, input_size=3, context_size=5, size=4).double()
    first.load_state_dict({name: value for name, value in deep.state_dict().items() if "further" not in name})
    inputs, context = (torch.randn(3, size, dtype=torch.float64) for size in (3, 5))
    state = first(first.project(inputs), context, drawn_state(kind))
    for further in deep.further:
        own = (nn.GRUCell if kind == "gru" else nn.LSTMCell)(1, 4).double()
        with torch.no_grad():
            own.bias_ih.zero_()
            own.weight_hh.copy_(further.U.weight)
            own.bias_hh.copy_(further.U.bias)
        zeros = torch.zeros(3, 1, dtype=torch.float64)
        found = own(zeros, state.hidden if kind == "gru" else (state.hidden, state.cell))
        state = CellState(found) if kind == "gru" else CellState(*found)
    new = deep(deep.project(inputs), context, drawn_state(kind))
    close(new.hidden, state.hidden)
    if state.cell is not None:
        close(new.cell, state.cell)


@pytest.mark.parametrize("kind", GATES)
def test_every_parameter_of_a_deep_cell_has_a_gradient(kind):
    cell = filled(ContextCell(kind, input_size=3, context_size=5, size=4, transition=1))
    inputs, context = (torch.randn(3, size, dtype=torch.float64) for size in (3, 5))
    cell(cell.project(inputs), context, drawn_state(kind)).hidden.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in cell.parameters())
    assert {name for name, _ in cell.further[0].named_parameters() if "bias" in name} == {
        "gru": {"U.bias"},
        "lstm": {"U.bias"},
        "ln-gru": {"norms.1.bias"},
        "ln-lstm": {"norms.1.bias", "norms.2.bias"},
    }[kind]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("above", [False, True])
def test_a_stack_with_all_that_there_is_equals_its_layers_one_by_one(kind, above):
    """Residual connections, from the second layer on, a context for each layer, and further cells."""
    stack = filled(
        RnnStack(
            kind,
            input_size=4,
            size=4,
            layers=3,
            dropout=Dropout(0.0),
            dropout_first=above,
            residual=True,
            context_size=2,
            transition=1,
        )
    )
    states = [drawn_state(kind, seed=seed) for seed in range(3)]
    inputs, context = (torch.randn(3, 5, size, dtype=torch.float64) for size in (4, 2))
    outputs, final = stack(inputs, states, context=context)
    below = inputs
    for index, (layer, state, after) in enumerate(zip(stack.layers, states, final, strict=True)):
        found, last = layer(torch.cat([below, context], 2), state)
        close(after.hidden, last.hidden)
        below = found + below if index or above else found
    close(outputs, below)
    stepped = []
    for column, beside in zip(inputs.unbind(1), context.unbind(1), strict=True):
        output, states = stack(column.unsqueeze(1), states, context=beside.unsqueeze(1))
        stepped.append(output)
    close(torch.cat(stepped, 1), outputs)


# Layer normalisation within the gates


def test_every_gate_is_normalised_by_itself():
    """As layer norm of each gate with its own gain and bias; a gate that is large beside the others changes none."""
    norm = filled(GateNorm(3, 12))
    gates = torch.randn(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = norm(gates)
    for gate in range(3):
        part = slice(4 * gate, 4 * gate + 4)
        expected = nn.functional.layer_norm(gates[..., part], (4,), norm.weight[part], norm.bias[part])
        close(found[..., part], expected)
    gates[..., :4] *= 100.0
    close(norm(gates)[..., 4:], found[..., 4:])
    close(norm(gates), nn.GroupNorm.forward(norm, gates.flatten(0, 1)).view_as(gates))


def test_a_normalised_gru_step_by_hand():
    """Two units of opposite value are 1 and -1 when normalised, whatever their size."""
    cell = ContextCell("ln-gru", input_size=1, context_size=0, size=2).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.W.weight.copy_(torch.tensor([[1.0], [-1.0], [2.0], [-2.0], [300.0], [-300.0]]))
        cell.U.weight[4] = torch.tensor([5.0, 5.0])
        cell.norms[0].weight.copy_(torch.tensor([math.log(3.0)] * 4 + [0.5] * 2))
        cell.norms[1].weight.fill_(1.0)
    # Reset and update of the first unit: sigmoid(log 3) = 3/4, of the second 1/4. What recurs in the candidate is 5 and
    # 0, normalised 1 and -1. Candidates: tanh(0.5 + 3/4), tanh(-0.5 - 1/4).
    state = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    new = cell(cell.project(torch.ones(1, 1, dtype=torch.float64)), None, CellState(state))
    expected = [0.25 * math.tanh(1.25) + 0.75 * 0.25, 0.75 * math.tanh(-0.75) + 0.25 * 0.75]
    close(new.hidden, torch.tensor([expected], dtype=torch.float64), 1e-4)


def test_a_normalised_lstm_reads_its_memory_through_a_norm():
    cell = filled(ContextCell("ln-lstm", input_size=3, context_size=0, size=4))
    state = drawn_state("lstm")
    projected = cell.project(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    new = cell(projected, None, state)
    gates = projected + cell.norms[1](cell.U(state.hidden))
    entry, forget, candidate, out = gates.chunk(4, 1)
    memory = torch.sigmoid(forget) * state.cell + torch.sigmoid(entry) * torch.tanh(candidate)
    close(new.cell, memory)
    norm = cell.norms[2]
    read = nn.functional.layer_norm(memory, (4,), norm.weight, norm.bias)
    close(new.hidden, torch.sigmoid(out) * torch.tanh(read))


@every_normed_kind
def test_input_and_context_are_normalised_together(kind):
    both = filled(ContextCell(kind, input_size=3, context_size=5, size=4))
    alone = ContextCell(kind, input_size=8, context_size=0, size=4).double()
    with torch.no_grad():
        alone.W.weight.copy_(torch.cat([both.W.weight, both.C.weight], 1))
    alone.U, alone.norms = both.U, both.norms
    inputs, context = (torch.randn(3, size, dtype=torch.float64) for size in (3, 5))
    one = both(both.project(inputs), context, drawn_state(kind))
    other = alone(alone.project(torch.cat([inputs, context], 1)), None, drawn_state(kind))
    close(one.hidden, other.hidden)


@pytest.mark.parametrize(("kind", "transition"), [("ln-gru", 0), ("ln-lstm", 0), ("gru", 1), ("ln-lstm", 2)])
def test_both_ways_equal_one_way_over_each_row_alone(kind, transition):
    """Values and gradients; what stands in padding is not read."""
    layer = filled(LoopedRnn(kind, 3, 4, bidirectional=True, transition=transition))
    lengths = [5, 1, 3]
    inputs = torch.randn(3, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    mask = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    outputs, final = layer.both_ways(inputs.masked_fill(~mask.unsqueeze(2), 7.0), mask)
    expected = []
    zeros = torch.zeros(1, 4, dtype=torch.float64)
    for row, length in enumerate(lengths):
        for part, turned in ((slice(4), False), (slice(4, 8), True)):
            one_way = LoopedRnn(kind, 3, 4).double()
            one_way.cells = nn.ModuleList([layer.cells[int(turned)]])
            own = inputs[row : row + 1, :length]
            state = CellState(zeros, zeros if kind == "ln-lstm" else None)
            found, last = one_way(own.flip(1) if turned else own, state)
            found = found.flip(1) if turned else found
            close(outputs[row, :length, part], found[0])
            close(final.hidden[row, part], last.hidden[0])
            assert (final.cell is None) == (last.cell is None)
            if final.cell is not None:
                close(final.cell[row, part], last.cell[0])
            expected.append(found.square().sum())
    loss = outputs.masked_fill(~mask.unsqueeze(2), 0.0).square().sum()
    for one, other in zip(*(torch.autograd.grad(each, inputs) for each in (loss, sum(expected))), strict=True):
        close(one, other)


@every_normed_kind
def test_a_normalised_stack_step_by_step_equals_the_whole(kind):
    stack = filled(RnnStack(kind, input_size=3, size=4, layers=3, dropout=Dropout(0.0)))
    states = [drawn_state(kind, seed=seed) for seed in range(3)]
    inputs = torch.randn(3, 5, 3, dtype=torch.float64)
    outputs, final = stack(inputs, states)
    stepped = []
    for column in inputs.unbind(1):
        output, states = stack(column.unsqueeze(1), states)
        stepped.append(output)
    close(torch.cat(stepped, 1), outputs)
    for one, other in zip(states, final, strict=True):
        close(one.hidden, other.hidden)


def test_variational_masks_are_drawn_once_a_target():
    stack = RnnStack("gru", input_size=4, size=4, layers=2, dropout=Dropout(0.5, variational=True), dropout_first=True)
    like = torch.zeros(3, 6, 4)
    masks = stack.draw_masks(like)
    assert [mask.shape for mask in masks] == [torch.Size([3, 1, 4])] * 2
    assert {float(value) for mask in masks for value in mask.flatten()} == {0.0, 2.0}
    assert stack.eval().draw_masks(like) is None
    plain = RnnStack("gru", input_size=4, size=4, layers=2, dropout=Dropout(0.5))
    assert plain.draw_masks(like) is None


def test_both_passes_over_padded_rows_equal_packed_rows() -> None:
    """Values, and gradients of inputs and weights; what stands in padding is not read."""
    torch.manual_seed(3)
    layer = nn.LSTM(4, 3, batch_first=True, bidirectional=True).double()
    lengths = torch.tensor([5, 1, 3])
    inputs = torch.randn(3, 5, 4, dtype=torch.float64).requires_grad_()
    towards = torch.randn(3, 5, 6, dtype=torch.float64)
    found = []
    for outputs in (run_both_ways(layer, inputs, lengths), run_packed(layer, inputs, lengths)[0]):
        leaves = [inputs, *layer.parameters()]
        found.append([outputs, *torch.autograd.grad((outputs * towards).sum(), leaves)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
    assert bool((found[0][0][1, 1:] == 0).all()) and bool((found[0][1][1, 1:] == 0).all())
