"""What restricted Boltzmann machines compute, for binary and for Gaussian visible units.

A network is (W, b, c): weights (hidden, visible), biases of the visible and of the hidden units. The functions that
take an engine first are rules; `kind` is that of the visible units, "binary" or "gaussian".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import logsumexp

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.networks.base import costs, direct
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

WATCHED = 500
"""Rows on which a pass is measured."""

Net = tuple[Array, Array, Array]


def to_hidden(net: Net, v: Array) -> Array:
    """The sums that hidden units see: c + W v."""
    return v @ net[0].T + net[2]


def to_visible(net: Net, h: Array) -> Array:
    """The sums that visible units see: b + Wᵀ h."""
    return h @ net[0] + net[1]


def binary(key: Key, z: Array) -> Array:
    """States 0 and 1 of units that see these sums."""
    return ops.cast(draws.uniform(key, z.shape) < ops.sigmoid(z), "float32")


def visible(key: Key, z: Array, kind: str) -> Array:
    """States of visible units that see these sums."""
    return z + draws.normal(key, z.shape) if kind == "gaussian" else binary(key, z)


def expected(z: Array, kind: str) -> Array:
    """The means of visible units that see these sums."""
    return z if kind == "gaussian" else ops.sigmoid(z)


def gibbs(net: Net, h: Array, key: Key, kind: str) -> tuple[Array, Array, Array]:
    """One step of the chain: visible states drawn from hidden ones, sums of the hidden units, their new states."""
    v = visible(draws.fold_in(key, 0), to_visible(net, h), kind)
    z = to_hidden(net, v)
    return v, z, binary(draws.fold_in(key, 1), z)


def free_energies(net: Net, v: Array, kind: str) -> Array:
    """F(v), with p(v) = exp(-F(v)) / Z."""
    own = ops.sum(ops.square(v - net[1]), axis=1) / 2 if kind == "gaussian" else -(v @ net[1])
    return own - ops.sum(ops.softplus(to_hidden(net, v)), axis=1)


# --------------------------------------------------------------------------------------------------------- training


def training_costs(a: Any) -> float:
    """What `train` costs."""
    batches = math.ceil(len(a.x) / a.batch) * a.epochs
    return batches * (250 + 300 * a.k) + a.epochs * len(a.x) * (a.k + 1) * a.net[0].size / 500


@costs(training_costs)
def train(
    engine: Engine, net: Net, velocity: Net, chains: Array, x: Array, key: Key, rate: Array, momentum: Array,
    decay: Array, *, batch: int, epochs: int, k: int, persistent: bool, moving: bool, kind: str,
) -> Any:  # fmt: skip
    """Passes over x: weights, velocity, chains (states of the hidden units) and a measure of each pass."""

    def one_pass(state: Any, epoch: Array) -> Any:
        own = draws.fold_in(key, epoch)

        def one(state: Any, rows: Array, share: Array, key: Key) -> Any:
            net, velocity, chains = state
            v = ops.gather(x, rows)
            upward, chains = gradient(net, v, share, chains, key, k=k, persistent=persistent, kind=kind)
            upward = (upward[0] - decay * net[0], *upward[1:])
            if moving:
                upward = velocity = tuple(momentum * old + g for old, g in zip(velocity, upward, strict=True))
            return tuple(w + rate * g for w, g in zip(net, upward, strict=True)), velocity, chains

        state = by_batches(engine, one, state, x.shape[0], batch, own)
        return state, measure(state[0], x[:WATCHED], draws.fold_in(own, -1), kind)

    state, measures = engine.scan(one_pass, (net, velocity, chains), engine.arange(epochs))
    return *state, measures


def by_batches(engine: Engine, one: Any, state: Any, n: int, batch: int, key: Key) -> Any:
    """The state after `one(state, rows, share, key)` for batches of n rows in random order.

    `share` (batch, 1) sums to 1 over a batch's rows; the last batch may not be full, and is filled with shares of 0.
    """
    steps = math.ceil(n / batch)
    place = engine.arange(steps * batch)
    filled = ops.reshape(ops.cast(place < n, "float32"), (steps, batch, 1))
    order = ops.concat([draws.permutation(key, n), place[n:] * 0], axis=0)

    def step(state: Any, item: Any) -> Any:
        rows, weight, i = item
        return one(state, rows, weight / ops.sum(weight), draws.fold_in(key, i)), i

    return engine.scan(step, state, (ops.reshape(order, (steps, batch)), filled, engine.arange(steps)))[0]


def gradient(
    net: Net, v: Array, share: Array, chains: Array, key: Key, *, k: int, persistent: bool, kind: str
) -> tuple[Net, Array]:
    """An estimate of the gradient of Σ share · log p(v), and the chains after k steps.

    Each side is divided by its own number: the data's by the rows', the model's by the chains' where they persist.
    """
    z = to_hidden(net, v)
    data = share * ops.sigmoid(z)
    h, part = (chains, 1 / chains.shape[0]) if persistent else (binary(draws.fold_in(key, k), z), share)
    for step in range(k):
        dreamt, z, h = gibbs(net, h, draws.fold_in(key, step), kind)
    model = part * ops.sigmoid(z)
    return (
        data.T @ v - model.T @ dreamt,
        ops.sum(share * v, axis=0) - ops.sum(part * dreamt, axis=0),
        ops.sum(data, axis=0) - ops.sum(model, axis=0),
    ), h


def measure(net: Net, v: Array, key: Key, kind: str) -> Array:
    """Binary units: an estimate of the mean -Σᵢ log p(vᵢ | the other units), from one unit of each row.

    Gaussian units: the mean squared error of reconstruction.
    """
    if kind == "gaussian":
        return ops.mean(ops.square(v - to_visible(net, ops.sigmoid(to_hidden(net, v)))))
    n, d = v.shape
    flipped = ops.where(ops.one_hot(draws.integers(key, (n,), d), d) > 0, 1 - v, v)
    return d * ops.mean(ops.softplus(free_energies(net, v, kind) - free_energies(net, flipped, kind)))


# ----------------------------------------------------------------------------------------------------------- asking


@direct
def hidden_means(engine: Engine, net: Net, v: Array) -> Array:
    """P(h = 1 | v)."""
    return ops.sigmoid(to_hidden(net, v))


@direct
def visible_means(engine: Engine, net: Net, h: Array, *, kind: str) -> Array:
    """E(v | h)."""
    return expected(to_visible(net, h), kind)


@direct
def free_energy(engine: Engine, net: Net, v: Array, *, kind: str) -> Array:
    """F of each row."""
    return free_energies(net, v, kind)


@costs(lambda a: a.v.shape[1] * (30 + len(a.v) * len(a.net[0]) / 20))
def pseudo_likelihoods(engine: Engine, net: Net, v: Array) -> Array:
    """Σᵢ log p(vᵢ | the other units) of each row of binary units, all of them flipped in turn."""
    z = to_hidden(net, v)
    before = ops.sum(ops.softplus(z), axis=1)

    def one(total: Array, unit: Any) -> Any:
        w, b, v_i = unit
        turn = (1 - 2 * v_i)[:, None]
        gain = turn[:, 0] * b + ops.sum(ops.softplus(z + turn * w), axis=1) - before  # F(v) - F(flipped)
        return total - ops.softplus(gain), b

    return engine.scan(one, 0 * before, (net[0].T, net[1], v.T))[0]


@costs(lambda a: a.steps * (250 + len(a.v) * a.net[0].size / 500))
def sample(engine: Engine, net: Net, v: Array, steps: Array, key: Key, *, kind: str) -> Array:
    """The visible states after so many steps of the chain from v."""

    def step(i: Array, v: Array) -> Any:
        own = draws.fold_in(key, i)
        h = binary(draws.fold_in(own, 2), to_hidden(net, v))
        return gibbs(net, h, own, kind)[0], i >= 0

    return engine.loop(0, steps, step, v)


@costs(lambda a: len(a.temperatures) * (400 + len(a.v) * a.net[0].size / 500))
def anneal(engine: Engine, net: Net, base: Array, temperatures: Array, v: Array, key: Key, *, kind: str) -> Array:
    """Annealed importance sampling from units without connections and biases `base` to the network.

    At inverse temperature β the visible units have biases (1 - β) base + β b, and the hidden units see β z.

    Returns:
        what each step adds to the logarithm of each chain's weight, (steps, chains).
    """

    def tempered(beta: Array, v: Array) -> Array:
        b = base + beta * (net[1] - base)
        own = -ops.square(v - b) / 2 if kind == "gaussian" else v * b
        return ops.concat([own, ops.softplus(beta * to_hidden(net, v))], axis=1)

    def step(v: Array, item: Any) -> Any:
        low, high, i = item
        gain = ops.sum(tempered(high, v) - tempered(low, v), axis=1)
        own = draws.fold_in(key, i)
        cooler = (high * net[0], base + high * (net[1] - base), high * net[2])
        h = binary(draws.fold_in(own, 2), to_hidden(cooler, v))
        return visible(own, to_visible(cooler, h), kind), gain

    return engine.scan(step, v, (temperatures[:-1], temperatures[1:], engine.arange(temperatures.shape[0] - 1)))[1]


def log_partition(net: tuple[np.ndarray, ...], kind: str) -> float:
    """ln Z by a sum over all states of the smaller side (of the hidden units, if the visible ones are Gaussian)."""
    w, b, c = (np.asarray(part, np.float64) for part in net)
    if kind == "gaussian":
        constant, by_h = len(b) / 2 * math.log(2 * math.pi), lambda h: h @ c + h @ w @ b + ((h @ w) ** 2).sum(1) / 2
        return constant + _summed(len(c), by_h)
    if len(b) < len(c):
        w, b, c = w.T, c, b
    return _summed(len(c), lambda h: h @ c + np.logaddexp(0, b + h @ w).sum(axis=1))


def _summed(units: int, log_weight: Any) -> float:
    """ln Σ exp(log_weight(s)) over all binary states s."""
    blocks = (np.arange(i, min(i + 4096, 2**units)) for i in range(0, 2**units, 4096))
    return float(logsumexp([logsumexp(log_weight((block[:, None] >> np.arange(units)) & 1)) for block in blocks]))


def bounds(log_weights: np.ndarray) -> tuple[float, float, float]:
    """The logarithm of the mean weight, and of that three standard errors below and above it."""
    most = log_weights.max()
    weights = np.exp(log_weights - most)
    error = 3 * weights.std() / math.sqrt(len(weights))
    with np.errstate(divide="ignore"):
        found = most + np.log(np.maximum([weights.mean(), weights.mean() - error, weights.mean() + error], 0))
    return float(found[0]), float(found[1]), float(found[2])
