"""JAX by hand: one jitted epoch, a `lax.scan` over its batches, optax; NumPy's permutation.

Convolution and pooling as they are fast on a CPU: patches times a matrix, and the largest of a reshaped axis.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.peers import Train
from benchmarks.rows import LSTM, Conv, Dense, Flatten, Layer, MaxPool, Row, Weights

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda x: x}
OPTIMIZERS = {
    "Adam": lambda rate: optax.adam(rate, eps=1e-7),
    "RMSprop": lambda rate: optax.rmsprop(rate, decay=0.9, eps=1e-7),
}


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (batch, height, width, channels), kernel (k, k, channels, filters)."""
    k = kernel.shape[0]
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    patches = [x[:, i : i + height, j : j + width] for i in range(k) for j in range(k)]
    return jnp.concatenate(patches, -1) @ kernel.reshape(-1, kernel.shape[-1])


def max_pool(x: jax.Array, size: int) -> jax.Array:
    batch, height, width, channels = x.shape
    height, width = height // size, width // size
    cropped = x[:, : height * size, : width * size]
    return cropped.reshape(batch, height, size, width, size, channels).max((2, 4))


def lstm(x: jax.Array, kernel: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """The last output, (batch, units), for x (batch, time, features)."""

    def cell(carry: Any, z: jax.Array) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]))
    (h, _), _ = lax.scan(cell, (zeros, zeros), (x @ kernel + bias).swapaxes(0, 1))
    return h


def apply(layer: Layer, w: list[jax.Array], x: jax.Array) -> jax.Array:
    match layer:
        case Dense():
            return x @ w[0] + w[1]
        case Conv():
            return conv(x, w[0]) + w[1]
        case MaxPool(size):
            return max_pool(x, size)
        case Flatten():
            return x.reshape(x.shape[0], -1)
        case LSTM():
            return lstm(x, *w)


def logits_of(row: Row, params: Any, x: jax.Array) -> jax.Array:
    for layer, w in zip(row.network, params, strict=True):
        x = apply(layer, w, x)
        if layer is not row.network[-1] and isinstance(layer, Dense | Conv):
            x = ACTIVATIONS[layer.activation](x)
    return x


def binary(logits: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean loss, and how many are right."""
    return optax.sigmoid_binary_cross_entropy(logits, y).mean(), ((logits > 0) == (y > 0.5)).sum()


def categorical(logits: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean loss, and how many are right."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return losses.mean(), (logits.argmax(1) == y).sum()


def trainer(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int) -> Train:
    score = binary if row.loss == "binary_crossentropy" else categorical
    optimizer = OPTIMIZERS[row.optimizer.name](row.optimizer.learning_rate)
    inputs, targets = jnp.asarray(x), jnp.asarray(y)
    params = jax.tree.map(jnp.array, weights)
    state = (params, optimizer.init(params))
    n, size, rng = len(x), row.batch_size, np.random.default_rng(0)
    whole = n // size * size

    def run_epoch(state: Any, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
        def step(carry: Any, index: jax.Array) -> Any:
            (params, slots), total, right = carry
            score_of = lambda p: score(logits_of(row, p, x[index]), y[index])  # noqa: E731
            (loss, hits), grads = jax.value_and_grad(score_of, has_aux=True)(params)
            updates, slots = optimizer.update(grads, slots, params)
            return ((optax.apply_updates(params, updates), slots), total + loss * len(index), right + hits), None

        carry = state, jnp.zeros(()), jnp.zeros((), jnp.int32)
        carry, _ = lax.scan(step, carry, order[:whole].reshape(-1, size))
        if whole < n:
            carry, _ = step(carry, order[whole:])
        state, total, right = carry
        return state, total / n, right / n

    compiled = jax.jit(run_epoch, donate_argnums=0)

    def epoch(shuffle: bool) -> tuple[float, float]:
        nonlocal state
        order = rng.permutation(n) if shuffle else np.arange(n)
        state, loss, accuracy = compiled(state, inputs, targets, jnp.asarray(order, jnp.int32))
        return float(loss), float(accuracy)

    return lambda epochs, shuffle=True: [epoch(shuffle) for _ in range(epochs)]
