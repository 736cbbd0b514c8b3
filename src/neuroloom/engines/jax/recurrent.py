"""An LSTM layer for JAX on the CPU, with its gradient written out.

One tanh gives all four gates of a step, in half the time of three sigmoids and a tanh. The derived gradient keeps every
intermediate result of every step, fills that memory with zeros first, and adds up the weights' gradients step by step.
This one

* keeps the gates in the memory that held x W, and their gradients in the memory that held the gates,
* computes ∂W, ∂U and ∂b as one product each, over all steps.

    a_t = tanh(s (x_t W + h_{t-1} U + b)) s + 1 - s,  s = ½ for the gates i, f, o (so that a = σ) and 1 for the third
    c_t = f c_{t-1} + i z,    h_t = o tanh c_t

Arrays are (time, batch, width); hs and cs have one step more, the first state.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from neuroloom.typing import Array

_apart = lax.optimization_barrier
"""Keeps what it is given from being computed anew inside each of its uses."""


@jax.custom_vjp
def lstm(x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
    """See `Engine.lstm`."""
    return _forward(x, h, c, kernel, recurrent, bias)[0]  # XLA leaves out what only the gradient needs


def _forward(x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Any, Any]:
    steps, units = x.shape[1], h.shape[-1]
    scale = jnp.repeat(jnp.asarray([0.5, 0.5, 1.0, 0.5], x.dtype), units)
    xs = jnp.moveaxis(x, 1, 0)
    inner, first = recurrent * scale, bias * scale

    def step(t: Array, state: Any) -> Any:
        h, c, gates, hs, cs = state
        a = jnp.tanh(_at(gates, t) + h @ inner + first) * scale + (1 - scale)
        i, f, z, o = jnp.split(a, 4, axis=1)
        c = f * c + i * z
        h = o * jnp.tanh(c)
        return h, c, _put(gates, a, t), _put(hs, h, t + 1), _put(cs, c, t + 1)

    start = (h, c, xs @ (kernel * scale), *(_put(jnp.zeros((steps + 1, *s.shape), s.dtype), s, 0) for s in (h, c)))
    h, c, gates, hs, cs = lax.fori_loop(0, steps, step, start)
    return (jnp.moveaxis(hs[1:], 0, 1), h, c), (xs, kernel, recurrent, gates, hs, cs)


def _backward(saved: Any, given: Any) -> tuple[Array, ...]:
    xs, kernel, recurrent, gates, hs, cs = saved
    outputs, dh, dc = given
    back = recurrent.T

    def step(state: Any, now: Any) -> Any:
        dh, dc = state
        a, before, c, d_output = now
        i, f, z, o = jnp.split(a, 4, axis=1)
        tanh_c = jnp.tanh(c)
        dh = dh + d_output
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        parts = dc * z * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - z * z), dh * tanh_c * o * (1 - o)
        d = jnp.concatenate(parts, axis=1)
        return (d @ back, dc * f), d

    (dh, dc), ds = lax.scan(step, (dh, dc), (gates, cs[:-1], cs[1:], jnp.moveaxis(outputs, 1, 0)), reverse=True)
    flat = ds.reshape(-1, ds.shape[-1])  # (time * batch, 4 units)
    d_kernel = _transposed_product(xs.reshape(-1, xs.shape[-1]), flat)
    d_recurrent = _apart(hs[:-1].reshape(-1, hs.shape[-1]).T) @ flat
    d_bias = (jnp.ones((1, len(flat)), flat.dtype) @ flat)[0]  # XLA's sum over the first axis is six times as slow
    return jnp.moveaxis(ds @ kernel.T, 0, 1), dh, dc, d_kernel, d_recurrent, d_bias


lstm.defvjp(_forward, _backward)


def _transposed_product(a: Array, b: Array) -> Array:
    return lax.dot_general(a, b, (((0,), (0,)), ((), ())))


def _at(a: Array, t: Array) -> Array:
    return lax.dynamic_index_in_dim(a, t, 0, keepdims=False)


def _put(a: Array, value: Array, t: Any) -> Array:
    return lax.dynamic_update_index_in_dim(a, value, t, 0)
