"""JAX by hand: one jitted epoch, a `lax.scan` over its batches, optax; NumPy's permutation. Many networks: its `vmap`.

Convolution and pooling as they are fast on a CPU: patches times a matrix, and the largest of a reshaped axis.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, Layer, MaxPool, Weights
from benchmarks.peers import Run
from benchmarks.rows import BINARY, CATEGORICAL, Row

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda x: x}
LAST = {BINARY: jax.nn.sigmoid, CATEGORICAL: jax.nn.softmax}
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
        case Embedding():
            return w[0][x]
        case LSTM():
            return lstm(x, *w)


def logits_of(row: Row, params: Any, x: jax.Array) -> jax.Array:
    if row.dtype != "float32":
        x, params = jax.tree.map(lambda a: a.astype(row.dtype), (x, params))
    for layer, w in zip(row.network, params, strict=True):
        x = apply(layer, w, x)
        if layer is not row.network[-1] and isinstance(layer, Dense | Conv):
            x = ACTIVATIONS[layer.activation](x)
    return x.astype(jnp.float32)


def binary(logits: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean loss, and how many are right."""
    return optax.sigmoid_binary_cross_entropy(logits, y).mean(), ((logits > 0) == (y > 0.5)).sum()


def categorical(logits: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean loss, and how many are right."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return losses.mean(), (logits.argmax(1) == y).sum()


def unscored(logits: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean loss, and 0."""
    return optax.sigmoid_binary_cross_entropy(logits, y).mean(), jnp.zeros((), jnp.int32)


SCORES = {(BINARY, True): binary, (BINARY, False): unscored}


def epoch_of(row: Row, n: int) -> Any:
    """A function (state, x, y, order) -> state, mean loss, accuracy."""
    score = SCORES.get((row.loss, bool(row.metric)), categorical)
    optimizer = OPTIMIZERS[row.optimizer.name](row.optimizer.learning_rate)
    size = row.batch_size
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

    return run_epoch


def first_state(row: Row, params: Any) -> Any:
    return params, OPTIMIZERS[row.optimizer.name](row.optimizer.learning_rate).init(params)


def build(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int) -> Run:
    inputs, targets = jnp.asarray(x), jnp.asarray(y)
    n, rng = len(x), np.random.default_rng(0)
    state = first_state(row, jax.tree.map(jnp.array, weights))
    compiled = jax.jit(epoch_of(row, n), donate_argnums=0)
    forward = jax.jit(lambda params, x: LAST[row.loss](logits_of(row, params, x)))

    def epoch(shuffle: bool) -> tuple[float, float]:
        nonlocal state
        order = rng.permutation(n) if shuffle else np.arange(n)
        state, loss, accuracy = compiled(state, inputs, targets, jnp.asarray(order, jnp.int32))
        return float(loss), float(accuracy)

    return Run(
        lambda epochs, shuffle=True: [epoch(shuffle) for _ in range(epochs)],
        lambda x: np.asarray(forward(state[0], x)),
    )


def many(row: Row, x: np.ndarray, y: np.ndarray, weights: list[Weights], threads: int) -> Any:
    """Each network has its own batch order."""
    inputs, targets = jnp.asarray(x), jnp.asarray(y)
    n, rng = len(x), np.random.default_rng(0)
    state = jax.vmap(lambda params: first_state(row, params))(jax.tree.map(lambda *w: jnp.stack(w), *weights))
    compiled = jax.jit(jax.vmap(epoch_of(row, n), in_axes=(0, None, None, 0)), donate_argnums=0)

    def epoch(shuffle: bool) -> np.ndarray:
        nonlocal state
        orders = np.stack([rng.permutation(n) if shuffle else np.arange(n) for _ in weights])
        state, losses, accuracies = compiled(state, inputs, targets, jnp.asarray(orders, jnp.int32))
        return np.stack([losses, accuracies], 1)

    return lambda epochs, shuffle=True: np.stack([epoch(shuffle) for _ in range(epochs)], 1)  # (networks, epochs, 2)
