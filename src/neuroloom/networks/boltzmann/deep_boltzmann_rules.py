"""What deep Boltzmann machines compute.

Every connection joins an even layer (0 holds the visible units) to an odd one, so the machine is a restricted one: its
"visible" side are the units of all even layers, its "hidden" side those of all odd layers, and the weights of layers
that are no neighbours stay 0. A network is (W, b, c) as in `rbm_rules`: weights (odd, even), biases of both sides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.networks.base import costs, direct
from neuroloom.networks.boltzmann import rbm_rules as rules
from neuroloom.networks.boltzmann.rbm_rules import Net
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

SWEEPS, STILL = 1000, 1e-10
"""The mean field of an answer: at most so many sweeps, and none once a row's probabilities move less than this."""


def joined(weights: Sequence[Array], biases: Sequence[Array]) -> Net:
    """The restricted machine of even and odd layers, from weights (layer above, layer below) and biases of layers."""

    def block(odd: int, even: int) -> Array:
        if odd == even + 1:
            return weights[even]
        return weights[odd].T if even == odd + 1 else 0 * biases[odd][:, None] * biases[even][None, :]

    layers = range(len(biases))
    w = ops.concat([ops.concat([block(i, j) for j in layers[::2]], axis=1) for i in layers[1::2]], axis=0)
    return w, ops.concat(list(biases[::2]), axis=0), ops.concat(list(biases[1::2]), axis=0)


# --------------------------------------------------------------------------------------------------------- training


def training_costs(a: Any) -> float:
    """What `train` costs."""
    batches, product = math.ceil(len(a.x) / a.batch), sum(w.size for w in a.weights) / 500
    first = len(a.weights) * a.pretraining * batches * (200 + a.batch * product)
    sweeps, chains = (50 + a.batch * product) * a.sweeps, (250 + len(a.chains) * product) * a.k
    return first + a.epochs * batches * (200 + sweeps + chains)


@costs(training_costs)
def train(
    engine: Engine, weights: Sequence[Array], biases: Sequence[Array], chains: Array, x: Array, key: Key, rate: Array,
    *, batch: int, k: int, sweeps: int, pretraining: int, epochs: int,
) -> Any:  # fmt: skip
    """Both trainings: the network, means of the even units over x, and the error of reconstruction after each pass."""
    if pretraining:
        weights, biases = pretrained(engine, weights, biases, x, key, rate, batch=batch, epochs=pretraining)
    mask = joined([ops.ones_like(w) for w in weights], biases)[0]

    def one_pass(state: Any, epoch: Array) -> Any:
        falling = rate * (1 - epoch / epochs)

        def one(state: Any, rows: Array, share: Array, key: Key) -> Any:
            net, chains = state
            even = completed(engine, net, ops.gather(x, rows), sweeps, 0)
            (w, b, c), chains = rules.gradient(net, even, share, chains, key, k=k, persistent=True, kind="binary")
            return tuple(old + falling * g for old, g in zip(net, (mask * w, b, c), strict=True)), chains

        state = rules.by_batches(engine, one, state, x.shape[0], batch, draws.fold_in(key, epoch))
        watched = x[: rules.WATCHED]
        seen = reconstructed(state[0], completed(engine, state[0], watched, sweeps, 0), x.shape[1])
        return state, ops.mean(ops.square(watched - seen))

    (net, _), errors = engine.scan(one_pass, (joined(weights, biases), chains), engine.arange(epochs))
    return net, ops.mean(completed(engine, net, x, sweeps, 0), axis=0), errors


def pretrained(
    engine: Engine, weights: Sequence[Array], biases: Sequence[Array], x: Array, key: Key, rate: Array, *, batch: int,
    epochs: int,
) -> tuple[list[Array], list[Array]]:  # fmt: skip
    """Weights and biases that restricted machines learn one by one, from the probabilities of the layer below.

    In the whole machine a layer in the middle hears from both sides, so here it hears one side twice. Two machines
    learn the biases of such a layer; it starts with their mean.
    """
    last = len(weights) - 1
    nets: list[Net] = []
    for i, w in enumerate(weights):
        up, down = (1 if i == last else 2), (1 if i == 0 else 2)
        net, own = (w, biases[i], biases[i + 1]), draws.fold_in(key, -1 - i)
        nets.append(contrasted(engine, net, x, own, rate, up=up, down=down, batch=batch, epochs=epochs))
        x = ops.sigmoid(up * (x @ nets[-1][0].T) + nets[-1][2])
    middle = [(below[2] + above[1]) / 2 for below, above in itertools.pairwise(nets)]
    return [net[0] for net in nets], [nets[0][1], *middle, nets[-1][2]]


def contrasted(
    engine: Engine, net: Net, x: Array, key: Key, rate: Array, *, up: int, down: int, batch: int, epochs: int
) -> Net:
    """A restricted machine after contrastive divergence (CD-1): hidden units hear up W v, visible ones down Wᵀ h."""

    def one(net: Net, rows: Array, share: Array, key: Key) -> Net:
        w, b, c = net
        v = ops.gather(x, rows)
        data = ops.sigmoid(up * (v @ w.T) + c)
        h = ops.cast(draws.uniform(draws.fold_in(key, 0), data.shape) < data, "float32")
        dreamt = rules.binary(draws.fold_in(key, 1), down * (h @ w) + b)
        model = ops.sigmoid(up * (dreamt @ w.T) + c)
        w = w + rate * ((share * data).T @ v - (share * model).T @ dreamt)
        return w, b + rate * ops.sum(share * (v - dreamt), axis=0), c + rate * ops.sum(share * (data - model), axis=0)

    def one_pass(net: Net, epoch: Array) -> Any:
        return rules.by_batches(engine, one, net, x.shape[0], batch, draws.fold_in(key, epoch)), epoch

    return engine.scan(one_pass, net, engine.arange(epochs))[0]


# ----------------------------------------------------------------------------------------------------------- asking


def answer_costs(a: Any) -> float:
    """What an answer costs, where the mean field rests after a hundred sweeps."""
    return 100 * (50 + len(a.v) * a.net[0].size / 500)


def completed(engine: Engine, net: Net, v: Array, sweeps: int, still: float) -> Array:
    """The even layers: v, and the mean-field probabilities of the hidden ones, (rows, even).

    Odd and even layers settle in turn, from ½; each turn is the best one given the other side, so the lower bound on
    ln p(v) never falls. A row rests once its probabilities move less than `still`.
    """
    d = v.shape[1]
    w, b = net[0][:, d:], net[1][d:]
    heard = v @ net[0][:, :d].T + net[2]

    def sweep(i: Array, even: Array) -> Any:
        new = ops.sigmoid(ops.sigmoid(heard + even @ w.T) @ w + b)
        moved = ops.sum(ops.abs(new - even), axis=1, keepdims=True) > still
        return ops.where(moved, new, even), ops.any(moved)

    return ops.concat([v, engine.loop(0, sweeps, sweep, ops.sigmoid(0 * (heard @ w)))], axis=1)


def reconstructed(net: Net, even: Array, d: int) -> Array:
    """The means of the visible units given the first hidden layer's mean field."""
    return ops.sigmoid(rules.to_visible(net, ops.sigmoid(rules.to_hidden(net, even))))[:, :d]


@costs(answer_costs)
def mean_field(engine: Engine, net: Net, v: Array) -> tuple[Array, Array]:
    """The probabilities of all even and of all odd layers where they rest."""
    even = completed(engine, net, v, SWEEPS, STILL)
    return even, ops.sigmoid(rules.to_hidden(net, even))


@costs(answer_costs)
def reconstruction(engine: Engine, net: Net, v: Array) -> Array:
    """What the mean field makes of each row."""
    return reconstructed(net, completed(engine, net, v, SWEEPS, STILL), v.shape[1])


@direct
def energy(engine: Engine, net: Net, even: Array, odd: Array) -> Array:
    """E of each row of states."""
    return -(even @ net[1]) - ops.sum(odd * rules.to_hidden(net, even), axis=1)


@costs(answer_costs)
def bound(engine: Engine, net: Net, v: Array) -> Array:
    """A lower bound on ln p(v) + ln Z: the mean field's mean of -E, and its entropy.

    Given the even layers the odd ones are independent, so theirs is the free energy of the restricted machine.
    """
    even = completed(engine, net, v, SWEEPS, STILL)
    hidden = even[:, v.shape[1] :]
    return ops.sum(_entropy(hidden) + _entropy(1 - hidden), axis=1) - rules.free_energies(net, even, "binary")


def _entropy(p: Array) -> Array:
    """-p ln p, 0 at 0."""
    return -p * ops.log(ops.maximum(p, 1e-300))
