"""Recurrent cells of explicit graphs, and their run over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuroloom import ops, tree
from neuroloom.errors import GraphError
from neuroloom.session.functions import cast, concat, convert_to_tensor, transpose, where, zeros_like
from neuroloom.session.scopes import get_variable, variable_scope


class _Cell:
    """What cells share: their width and their variables."""

    base = "cell"

    def __init__(self, num_units: int, name: str | None = None) -> None:
        self.num_units, self.name = int(num_units), name or self.base
        self._made: dict[str, Any] = {}

    def _affine(self, name: str, x: Any, h: Any, width: int, first: float = 0.0) -> Any:
        """[x, h] W + b with W of its own name; one set of variables per cell."""
        joined = concat([x, h], axis=1)
        if name not in self._made:
            with variable_scope(self.name):
                kernel = get_variable(f"{name}kernel", (joined.shape[-1], width))
                bias = get_variable(f"{name}bias", (width,), initializer=lambda shape, rng: first)
            self._made[name] = kernel, bias
        kernel, bias = self._made[name]
        return ops.matmul(joined, kernel) + bias

    def zero_state(self, x: Any) -> Any:
        """Zeros for each row of x."""
        return x[:, :1] * 0 + ops.zeros_like(convert_to_tensor([0.0] * self.num_units))


class BasicRNNCell(_Cell):
    """h' = tanh([x, h] W + b)."""

    base = "basic_rnn_cell"

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        h = ops.tanh(self._affine("", x, state, self.num_units))
        return h, h


class GRUCell(_Cell):
    """Gated recurrent unit: r, u = σ([x, h] W + b); h' = u h + (1 - u) tanh([x, r h] V + c).

    Source: K. Cho et al., EMNLP (2014).
    """

    base = "gru_cell"

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        n = self.num_units
        gates = ops.sigmoid(self._affine("gates/", x, state, 2 * n, first=1.0))
        r, u = gates[:, :n], gates[:, n:]
        new = ops.tanh(self._affine("candidate/", x, r * state, n))
        h = u * state + (1 - u) * new
        return h, h


class BasicLSTMCell(_Cell):
    """Long short-term memory, gates in the order i, j, f, o; the state is (c, h).

    c' = σ(f + forget_bias) c + σ(i) tanh(j),      h' = σ(o) tanh(c')

    Source: S. Hochreiter and J. Schmidhuber, Neural Computation 9 (1997).
    """

    base = "basic_lstm_cell"

    def __init__(self, num_units: int, forget_bias: float = 1.0, name: str | None = None) -> None:
        super().__init__(num_units, name)
        self.forget_bias = forget_bias

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        c, h = state
        n = self.num_units
        z = self._affine("", x, h, 4 * n)
        i, j, f, o = (z[:, k * n : (k + 1) * n] for k in (0, 1, 2, 3))
        c = ops.sigmoid(f + self.forget_bias) * c + ops.sigmoid(i) * ops.tanh(j)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (c, h)

    def zero_state(self, x: Any) -> Any:
        zero = super().zero_state(x)
        return (zero, zero_copy(zero))


class MultiRNNCell:
    """Cells above each other; the state is a tuple with that of each."""

    def __init__(self, cells: Sequence[Any]) -> None:
        self.cells = list(cells)

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        new = []
        for i, (cell, own) in enumerate(zip(self.cells, state, strict=True)):
            with variable_scope(f"cell_{i}"):
                x, after = cell(x, own)
            new.append(after)
        return x, tuple(new)

    def zero_state(self, x: Any) -> Any:
        """Zeros for each row of x."""
        return tuple(cell.zero_state(x) for cell in self.cells)


def zero_copy(zero: Any) -> Any:
    """Zeros of the same shape."""
    return zeros_like(zero)


def dynamic_rnn(
    cell: Any, inputs: Any, sequence_length: Any = None, initial_state: Any = None, dtype: Any = None,
    time_major: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Run a cell over time.

    Args:
        inputs: (batch, time, features), or (time, batch, features) if `time_major`.
        sequence_length: (batch,), how many steps of each row count; afterwards outputs are 0 and states stay.
        initial_state: by default zeros.
        dtype: accepted for old programs; it is that of the inputs.

    Returns:
        the outputs of all steps, in the layout of the inputs, and the last state.
    """
    inputs = convert_to_tensor(inputs)
    if inputs.shape is None or len(inputs.shape) != 3:
        raise GraphError(f"dynamic_rnn expected inputs (batch, time, features), received {inputs!r}.")
    xs = inputs if time_major else transpose(inputs, (1, 0, 2))
    state = cell.zero_state(xs[0]) if initial_state is None else initial_state
    counter = cast(tree.first(state)[:, 0] * 0, "int32")  # (batch,), the number of the step

    def step(carry: Any, x: Any) -> Any:
        before, count = carry
        output, after = cell(x, before)
        if sequence_length is not None:
            live = ops.expand_dims(count < convert_to_tensor(sequence_length), axis=1)
            after = tree.map(lambda new, old: where(live, new, old), after, before)
            output = where(live, output, zeros_like(output))
        return (after, count + 1), output

    (last, _), outputs = ops.scan(step, (state, counter), xs)
    return outputs if time_major else transpose(outputs, (1, 0, 2)), last
