"""Recurrent layers over sequences (batch, time, features)."""

from __future__ import annotations

from typing import Any, ClassVar

from neuroloom import activations, engines, initializers, ops
from neuroloom.activations import Activation as ActivationField
from neuroloom.config import Bool, Fraction, PositiveInt
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.initializers import InitializerLike
from neuroloom.layers.base import Context, Layer, Weight, Weights, show_shape
from neuroloom.layers.core import known
from neuroloom.regularizers import RegularizerLike
from neuroloom.typing import Array


class _Recurrent(Layer, abstract=True):
    """Arguments that recurrent layers share."""

    units: PositiveInt
    activation: ActivationField = "tanh"
    use_bias: Bool = True
    kernel_initializer: InitializerLike = "glorot_uniform"
    recurrent_initializer: InitializerLike = "orthogonal"
    bias_initializer: InitializerLike = "zeros"
    kernel_regularizer: RegularizerLike | None = None
    dropout: Fraction = 0.0
    return_sequences: Bool = False
    return_state: Bool = False
    go_backwards: Bool = False

    supports_masking = True
    gates = 1
    states: ClassVar[tuple[str, ...]] = ("h",)

    def build(self, shape: Any) -> dict[str, Weight]:
        if isinstance(shape, list):  # [x, h, ...]
            self._check_number(len(shape) - 1)
            shape = shape[0]
        if len(shape) != 3:
            hint = " Add the feature axis: x[..., None]." if len(shape) == 2 else ""
            raise ShapeError(
                f"{self.label} expected x of shape (batch, time, features), received {show_shape(shape)}.{hint}"
            )
        inputs, width = known(shape[-1], self, shape), self.gates * self.units
        weights = {
            "kernel": Weight((inputs, width), self.kernel_initializer, self.kernel_regularizer),
            "recurrent_kernel": Weight((self.units, width), self.recurrent_initializer),
        }
        if self.use_bias:
            weights["bias"] = Weight((width,), self.bias_initializer)
        return weights

    def call(self, w: Weights, x: Any, ctx: Context, mask: Any = None, initial_state: Any = None) -> Any:
        if isinstance(x, list | tuple):
            x, *given = x
            if initial_state is not None:
                raise ConfigurationError(f"{self.label} received states in its list of inputs and as initial_state.")
            initial_state = given or None
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        if ctx.training and self.dropout:
            x = x * ops.dropout(ops.ones_like(x[:, :1]), self.dropout, ctx.key())  # one mask for all steps
        if self.go_backwards:
            x, mask = ops.flip(x, axis=1), None if mask is None else ops.flip(mask, axis=1)
        bias = w.bias if self.use_bias else ops.zeros_like(w.kernel[0])
        zeros = _zeros(x, w.recurrent_kernel)[:, : self.units]
        start = (zeros,) * len(self.states) if initial_state is None else self._given(initial_state, zeros)
        outputs, states = self.run(x, start, w, bias, mask)
        result = outputs if self.return_sequences else states[0]
        return (result, *states) if self.return_state else result

    def run(
        self, x: Array, start: tuple[Array, ...], w: Weights, bias: Array, mask: Array | None
    ) -> tuple[Array, tuple[Array, ...]]:
        """All outputs (batch, time, units) and the last states, from the first states, each (batch, units)."""
        raise NotImplementedError  # abstract

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.states)] if self.return_state else mask

    def _given(self, states: Any, zeros: Array) -> tuple[Array, ...]:
        """The first states that a call was given."""
        states = states if isinstance(states, list | tuple) else [states]
        self._check_number(len(states))
        for name, state in zip(self.states, states, strict=True):
            if tuple(state.shape) != tuple(zeros.shape):
                raise ShapeError(
                    f"{self.label} expected a first state {name} of shape {show_shape(tuple(zeros.shape))}, "
                    f"(batch, units), received {show_shape(tuple(state.shape))}."
                )
        dtype = engines.of(zeros).dtype_name(zeros)
        return tuple(ops.cast(state, dtype) for state in states)

    def _check_number(self, received: int) -> None:
        wanted = len(self.states)
        if received != wanted:
            raise ShapeError(
                f"{self.label} expected {wanted} first state{'s' if wanted > 1 else ''} ({', '.join(self.states)}), "
                f"each (batch, units), received {received}."
            )


@ops.op
def _zeros(x: Array, kernel: Array) -> Array:
    """A row of zeros, as wide as the kernel, for each row of x."""
    return ops.broadcast_to(ops.zeros_like(kernel[:1]), (x.shape[0], kernel.shape[1]))


class SimpleRNN(_Recurrent):
    """The fully connected recurrent network of Elman (1990).

        h_t = g(x_t W + h_{t-1} U + b),    h_0 = 0

    Args:
        units: number of neurons.
        activation: g.
        dropout: share of the inputs that training drops, the same ones at all steps.
        return_sequences: whether to return all h_t (batch, time, units) or the last (batch, units).
        return_state: whether to return the last state as well.
        go_backwards: whether to read the sequence from its end.

    A call takes `initial_state=h_0`, or [x, h_0] in the place of x. At steps that x's mask (batch, time) leaves out,
    the state and the output stay what they are.
    """

    def run(
        self, x: Array, start: tuple[Array, ...], w: Weights, bias: Array, mask: Array | None
    ) -> tuple[Array, tuple[Array, ...]]:
        g = activations.get(self.activation)

        def cell(h: Array, z: Array) -> tuple[Array, Array]:
            h = g(z + h @ w.recurrent_kernel)
            return h, h

        h, outputs = ops.recurrence(cell, x, w.kernel, bias, start[0], mask)
        return outputs, (h,)


class LSTM(_Recurrent):
    """Long short-term memory.

        i, f, o = σ(x_t W + h_{t-1} U + b)  by gate,    z = g(x_t W_z + h_{t-1} U_z + b_z)
        c_t = f c_{t-1} + i z,    h_t = o g(c_t),    h_0 = c_0 = 0

    The kernels hold the gates in the order i, f, z, o. With `unit_forget_bias` the forget gate's bias starts at 1, so
    that the cell remembers until it learns otherwise (Jozefowicz et al., 2015).
    Sources: Hochreiter and Schmidhuber (1997); the forget gate: Gers et al. (2000).

    Args:
        units: number of cells.
        activation: g.
        recurrent_activation: σ.
        dropout, return_sequences, return_state, go_backwards: as for `SimpleRNN`; the states are h and c.

    A call takes `initial_state=[h_0, c_0]`, or [x, h_0, c_0] in the place of x. Masks are heeded as by `SimpleRNN`.
    """

    recurrent_activation: ActivationField = "sigmoid"
    unit_forget_bias: Bool = True

    gates = 4
    states = ("h", "c")

    def build(self, shape: Any) -> dict[str, Weight]:
        weights = super().build(shape)
        if self.use_bias and self.unit_forget_bias:
            weights["bias"] = Weight((4 * self.units,), _ForgetBias(self.units))
        return weights

    def run(
        self, x: Array, start: tuple[Array, ...], w: Weights, bias: Array, mask: Array | None
    ) -> tuple[Array, tuple[Array, ...]]:
        if mask is None and self.activation == "tanh" and self.recurrent_activation == "sigmoid":
            outputs, h, c = ops.lstm(x, start[0], start[1], w.kernel, w.recurrent_kernel, bias)
            return outputs, (h, c)
        g, gate, units = activations.get(self.activation), activations.get(self.recurrent_activation), self.units

        def cell(carry: Any, z: Array) -> tuple[Any, Array]:
            h, c = carry
            z = z + h @ w.recurrent_kernel
            i, f, o = (gate(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
            c = f * c + i * g(z[:, 2 * units : 3 * units])
            h = o * g(c)
            return (h, c), h

        (h, c), outputs = ops.recurrence(cell, x, w.kernel, bias, start, mask)
        return outputs, (h, c)


class _ForgetBias(initializers.Initializer):
    """Zeros, and ones for the forget gate."""

    units: PositiveInt

    def __call__(self, shape: tuple[int, ...], rng: Any) -> Any:
        bias = initializers.Zeros()(shape, rng)
        bias[self.units : 2 * self.units] = 1
        return bias
