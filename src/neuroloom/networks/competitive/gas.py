"""Neural gas: units without a grid, ranked by their distance to each input."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from neuroloom import ops
from neuroloom.config import PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import costs
from neuroloom.networks.competitive import layer_rules as rules
from neuroloom.networks.competitive.layer import Quantizer
from neuroloom.ops import draws
from neuroloom.typing import Array, Key


class NeuralGas(Quantizer):
    """Neural gas: every unit moves towards the input, the less the more units are nearer.

    With k_j the number of units that are nearer to x than unit j:

        w_j ← w_j + η(t) exp(-k_j / λ(t)) (x - w_j),   η(t) = η₀ (η₁/η₀)ᵗ,   λ(t) = λ₀ (λ₁/λ₀)ᵗ

    Unlike a map it has no grid that must fit the data. Which units are neighbours follows from the data afterwards
    (competitive Hebbian learning): those that are nearest and second to some row are joined.

    Args:
        n_units: units.
        learning_rate: η: (at the start, at the end), at most 1.
        range: λ, in ranks: (at the start, at the end); None is half the units, then 0.01.
        epochs: passes over the rows, each in its own random order.

    Attributes:
        weights_: w, (units, features), at first rows of X.
        edges_: pairs of neighbours among the rows of the last fit, (edges, 2), the smaller number first.
        clusters_: for each unit the number of its part of the graph of edges.
        loss_curve_: the mean distance of rows to the nearest unit in each pass of the last fit, while it goes on.
        n_iter_: passes done.
        seed_: the seed of weights and orders.

    Source: T. Martinetz, S. Berkovich, K. Schulten, "Neural-gas network for vector quantization", IEEE Trans. Neural
    Networks 4 (1993); T. Martinetz, K. Schulten, "Topology representing networks", Neural Networks 7 (1994).

    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [8, 8], [8, 9], [9, 8]])
    >>> gas = NeuralGas(n_units=2, epochs=100, random_state=0).fit(X)
    >>> np.sort(gas.weights_, axis=0).round(1)
    array([[0.3, 0.3],
           [8.3, 8.3]])
    """

    n_units: PositiveInt = 25
    learning_rate: rules.Rates = (0.5, 0.005)
    range: rules.Ends | None = None
    epochs: PositiveInt = 20

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> NeuralGas:
        done = self._begun()
        w = self.weights_ if done else rules.start(X, p.n_units, "sample", self._generator("weights"))
        middle = self._origin(X)
        ranges = np.array(p.range or (max(p.n_units / 2, 0.01), 0.01))
        w, self.loss_curve_ = self._run(
            diffuse, X - middle, w - middle, np.array(p.learning_rate), ranges,
            draws.key(self.seed_, "order"), done, np.zeros(epochs), float(p.epochs),
        )  # fmt: skip
        self._finite(w, self.loss_curve_)
        self.weights_: np.ndarray = middle + w
        self.n_iter_ = done + epochs
        self.edges_ = joined(self._lengths(X))
        self.clusters_ = parts(self.edges_, len(self.weights_))
        return self


@costs(lambda a: (45 + a.w.size / 10) * len(a.x) * len(a.curve))
def diffuse(
    engine: Engine, x: Array, w: Array, rates: Array, ranges: Array, key: Key, first: Array, curve: Array,
    epochs: Array,
) -> tuple[Array, Array]:  # fmt: skip
    """Passes of neural gas: w (units, features), mean distance to the nearest unit in each pass."""

    def one(w: Array, given: Any) -> tuple[Array, Array]:
        x_i, (rate, reach) = given
        d = ops.sum(ops.square(x_i - w), axis=1)
        rank = ops.cast(ops.argsort(ops.argsort(d)), "float32")
        return w + rate * ops.exp(-rank / reach)[:, None] * (x_i - w), ops.sqrt(ops.min(d))

    def settings(t: Array) -> tuple[Array, Array]:
        return rules.between(rates, t, "exponential"), rules.between(ranges, t, "exponential")

    return rules.passes(engine, one, w, x, settings, key, first, curve, epochs)


def joined(distances: np.ndarray) -> np.ndarray:
    """The pairs of units that are nearest and second to some row of distances (rows, units), in rising order."""
    if distances.shape[1] < 2:
        return np.zeros((0, 2), np.int64)
    return np.unique(np.sort(np.argsort(distances, axis=1, kind="stable")[:, :2], axis=1), axis=0)


def parts(edges: np.ndarray, units: int) -> np.ndarray:
    """For each unit the number of the connected part of the graph that it belongs to."""
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(units, units))
    return connected_components(graph, directed=False)[1].astype(np.int64)
