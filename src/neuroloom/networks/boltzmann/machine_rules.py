"""What Boltzmann machines compute. A network is (W, θ): symmetric weights (units, units), 0 where not connected."""

from __future__ import annotations

from typing import Any

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.networks.base import costs, direct
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

Net = tuple[Array, Array]


def settle_costs(w: Any, rows: int, sweeps: int) -> float:
    """What `settle` costs."""
    return sweeps * len(w) * (50 + rows * len(w) / 500)


def settle(engine: Engine, net: Net, s: Array, free: Array, temperatures: Array, key: Key) -> tuple[Array, Array]:
    """Sweeps over the units, one per temperature: states at the end and after each sweep, (sweeps, rows, units).

    Args:
        s: (rows, units).
        free: which of them change, (rows or 1, units).
    """
    w, bias = net
    place = engine.arange(w.shape[0])

    def one_sweep(s: Array, item: Any) -> Any:
        temperature, i = item
        chances = draws.uniform(draws.fold_in(key, i), (w.shape[0], s.shape[0]))

        def one(s: Array, item: Any) -> Any:
            unit, w_i, bias_i, chance = item
            on = ops.cast(chance < ops.sigmoid((s @ w_i + bias_i) / temperature), "float32")
            return ops.where((place == unit)[None, :] & free, on[:, None], s), bias_i

        s, _ = engine.scan(one, s, (place, w, bias, chances))
        return s, s

    return engine.scan(one_sweep, s, (temperatures, engine.arange(temperatures.shape[0])))


@costs(lambda a: settle_costs(a.net[0], len(a.s), len(a.temperatures)))
def settled(
    engine: Engine, net: Net, s: Array, free: Array, temperatures: Array, key: Key, *, sweeps: int
) -> tuple[Array, Array]:
    """The states at the end, and how often each unit was on in the last sweeps, (rows, units) both."""
    end, states = settle(engine, net, s, free, temperatures, key)
    return end, ops.mean(states[-sweeps:], axis=0)


@costs(lambda a: 2 * a.epochs * settle_costs(a.net[0], len(a.v) + a.chains, len(a.temperatures)))
def train(
    engine: Engine, net: Net, v: Array, mask: Array, rate: Array, decay: Array, temperatures: Array, key: Key, *,
    sweeps: int, chains: int, epochs: int,
) -> tuple[Net, Array]:  # fmt: skip
    """Passes of a clamped and a free phase: the network, and how much the phases differed in each."""
    units, visible = mask.shape[0], v.shape[1]
    hidden = engine.arange(units)[None, :] >= visible

    def counted(net: Net, s: Array, free: Array, key: Key) -> tuple[Array, Array]:
        states = settle(engine, net, s, free, temperatures, key)[1][-sweeps:]
        return frequencies(ops.reshape(states, (sweeps * s.shape[0], units)))

    def one(net: Net, epoch: Array) -> Any:
        own = draws.fold_in(key, epoch)
        noise = ops.cast(draws.uniform(own, (v.shape[0] + chains, units)) < 0.5, "float32")
        clamped = ops.where(hidden, noise[: v.shape[0]], ops.pad(v, ((0, 0), (0, units - visible))))
        data = counted(net, clamped, hidden, draws.fold_in(own, 0)) if units > visible else frequencies(v)
        model = counted(net, noise[v.shape[0] :], hidden | True, draws.fold_in(own, 1))
        return changed(net, data, model, mask, rate, decay)

    return engine.scan(one, net, engine.arange(epochs))


@costs(lambda a: (150 + (a.clamped.size + a.every.size) * len(a.mask) / 2000) * a.epochs)
def train_exactly(
    engine: Engine, net: Net, clamped: Array, share: Array, every: Array, mask: Array, rate: Array, decay: Array, *,
    epochs: int,
) -> tuple[Net, Array]:  # fmt: skip
    """Passes with expectations in place of frequencies.

    Args:
        clamped: for each row all states that have it in the visible units, (rows, states, units).
        share: the part of each row, (rows,).
        every: all states of all units, (states, units).
    """
    rows, states, units = clamped.shape
    whole = ops.reshape(clamped, (rows * states, units))

    def one(net: Net, _: Array) -> Any:
        weights = share[:, None] * ops.softmax(ops.reshape(-energies(net, whole), (rows, states)), axis=1)
        data = expectations(whole, ops.reshape(weights, (rows * states,)))
        model = expectations(every, ops.softmax(-energies(net, every), axis=0))
        return changed(net, data, model, mask, rate, decay)

    return engine.scan(one, net, engine.arange(epochs))


def changed(net: Net, data: Any, model: Any, mask: Array, rate: Array, decay: Array) -> tuple[Net, Array]:
    """The network after a step, and how much the phases differed."""
    w, bias = net
    difference = mask * (data[0] - model[0])
    measure = ops.sum(ops.abs(difference)) / ops.maximum(ops.sum(mask), 1.0)
    return (w + rate * (difference - decay * w), bias + rate * (data[1] - model[1])), measure


def frequencies(s: Array) -> tuple[Array, Array]:
    """How often units are on together, and alone."""
    return s.T @ s / s.shape[0], ops.mean(s, axis=0)


def expectations(s: Array, p: Array) -> tuple[Array, Array]:
    """The same for states of these probabilities."""
    return s.T @ (p[:, None] * s), p @ s


def energies(net: Net, s: Array) -> Array:
    """E = -½ sᵀ W s - θᵀ s of each row."""
    return -ops.sum((s @ net[0]) * s, axis=1) / 2 - s @ net[1]


@direct
def hidden_means(engine: Engine, net: Net, v: Array, hidden: Array) -> Array:
    """P(h = 1 | v), by a sum over all states of the hidden units, (states, hidden)."""
    w, bias = net
    d = v.shape[1]
    own = energies((w[d:, d:], bias[d:]), hidden)
    return ops.softmax((v @ w[:d, d:]) @ hidden.T - own[None, :], axis=1) @ hidden


@costs(lambda a: (25 + len(a.v) * a.net[0].size / 2000) * a.steps)
def mean_field(engine: Engine, net: Net, v: Array, steps: Array) -> Array:
    """Where h ← ½ (h + σ(W (v, h) + θ)) leads."""
    w, bias = net
    d = v.shape[1]
    field = v @ w[:d, d:] + bias[d:]

    def step(i: Array, h: Array) -> Any:
        return (h + ops.sigmoid(field + h @ w[d:, d:])) / 2, i >= 0

    return engine.loop(0, steps, step, ops.sigmoid(field))
