"""Recurrent layers over sequences (batch, time, features)."""

from __future__ import annotations

from typing import Any

from neuroloom import activations, engines, initializers, ops
from neuroloom.activations import Activation as ActivationField
from neuroloom.config import Bool, Fraction, PositiveInt
from neuroloom.errors import ShapeError
from neuroloom.initializers import InitializerLike
from neuroloom.layers.base import Context, Layer, Weight, Weights, show_shape
from neuroloom.layers.core import known
from neuroloom.regularizers import RegularizerLike
from neuroloom.typing import Array, Shape


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

    gates = 1

    def build(self, shape: Shape) -> dict[str, Weight]:
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

    def call(self, w: Weights, x: Array, ctx: Context) -> Any:
        if ctx.training and self.dropout:
            x = x * ops.dropout(ops.ones_like(x[:, :1]), self.dropout, ctx.key())  # one mask for all steps
        if self.go_backwards:
            x = ops.flip(x, axis=1)
        bias = w.bias if self.use_bias else ops.zeros_like(w.kernel[0])
        start = ops.broadcast_to(ops.zeros_like(w.recurrent_kernel[:1]), (x.shape[0], self.gates * self.units))
        outputs, states = self.run(x, start[:, : self.units], w, bias)
        result = outputs if self.return_sequences else states[0]
        return (result, *states) if self.return_state else result

    def run(self, x: Array, zeros: Array, w: Weights, bias: Array) -> tuple[Array, tuple[Array, ...]]:
        """All outputs (batch, time, units) and the last states, from states of zeros (batch, units)."""
        raise NotImplementedError  # abstract


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
    """

    def run(self, x: Array, zeros: Array, w: Weights, bias: Array) -> tuple[Array, tuple[Array, ...]]:
        g = activations.get(self.activation)

        def cell(h: Array, z: Array) -> tuple[Array, Array]:
            h = g(z + h @ w.recurrent_kernel)
            return h, h

        h, outputs = engines.of(x, w.kernel).recurrence(cell, x, w.kernel, bias, zeros)
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
    """

    recurrent_activation: ActivationField = "sigmoid"
    unit_forget_bias: Bool = True

    gates = 4

    def build(self, shape: Shape) -> dict[str, Weight]:
        weights = super().build(shape)
        if self.use_bias and self.unit_forget_bias:
            weights["bias"] = Weight((4 * self.units,), _ForgetBias(self.units))
        return weights

    def run(self, x: Array, zeros: Array, w: Weights, bias: Array) -> tuple[Array, tuple[Array, ...]]:
        if self.activation == "tanh" and self.recurrent_activation == "sigmoid":
            outputs, h, c = ops.lstm(x, zeros, zeros, w.kernel, w.recurrent_kernel, bias)
            return outputs, (h, c)
        g, gate, units = activations.get(self.activation), activations.get(self.recurrent_activation), self.units

        def cell(carry: Any, z: Array) -> tuple[Any, Array]:
            h, c = carry
            z = z + h @ w.recurrent_kernel
            i, f, o = (gate(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
            c = f * c + i * g(z[:, 2 * units : 3 * units])
            h = o * g(c)
            return (h, c), h

        (h, c), outputs = engines.of(x, w.kernel).recurrence(cell, x, w.kernel, bias, (zeros, zeros))
        return outputs, (h, c)


class _ForgetBias(initializers.Initializer):
    """Zeros, and ones for the forget gate."""

    units: PositiveInt

    def __call__(self, shape: tuple[int, ...], rng: Any) -> Any:
        bias = initializers.Zeros()(shape, rng)
        bias[self.units : 2 * self.units] = 1
        return bias
