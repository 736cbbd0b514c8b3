"""Growing neural gas: units and edges come and go as the data ask for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Integer, Number, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks import competitive_rules as rules
from neuroloom.networks.competitive import Quantizer
from neuroloom.networks.gas import parts
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

Share = Annotated[float, Number(0, 1, expects="a number from 0 to 1")]
FAR = 3e38
"""The distance of a place that has no unit."""


class GrowingNeuralGas(Quantizer):
    """Growing neural gas: a graph that grows where it errs, and takes the shape of the data.

    From two units. For each input x with nearest unit s and second u:

        1. the edges of s grow older by 1;   E_s ← E_s + ‖x - w_s‖²
        2. w_s ← w_s + ε_b (x - w_s),   w_n ← w_n + ε_n (x - w_n) for the neighbours n of s
        3. the edge between s and u is made, or made new (age 0)
        4. edges older than `max_age` go, and so do units that have none left
        5. with every λ-th input: halfway between the unit q with the largest error and its neighbour f with the
           largest, a new unit r; edges q-r and r-f instead of q-f; E_q ← α E_q, E_f ← α E_f, E_r = E_q
        6. E ← d E for all units

    Args:
        max_units: how many units there may be.
        insert_every: λ, in inputs.
        max_age: of an edge, in inputs won by one of its ends.
        learning_rate: ε_b, from 0 to 1.
        neighbor_rate: ε_n, from 0 to 1.
        error_split: α, from 0 to 1.
        error_decay: d, from 0 to 1.
        epochs: passes over the rows, each in its own random order.

    Attributes:
        weights_: w, (units, features), at first rows of X.
        edges_: pairs of neighbours, (edges, 2), the smaller number first.
        ages_: of the edges, (units, units); -1 where there is none.
        errors_: E, (units,).
        clusters_: for each unit the number of its part of the graph; `clusters_[predict(X)]` are clusters of rows.
        loss_curve_: the mean distance of rows to the nearest unit in each pass of the last fit, while it goes on.
        n_inputs_: inputs seen.
        n_iter_: passes done.
        seed_: the seed of weights and orders.

    Source: B. Fritzke, "A growing neural gas network learns topologies", NIPS 7 (1995).

    >>> from sklearn.datasets import make_circles
    >>> X, y = make_circles(400, factor=0.3, noise=0.02, random_state=0)
    >>> gas = GrowingNeuralGas(max_units=30, epochs=10, random_state=0).fit(X)
    >>> found = gas.clusters_[gas.predict(X)]
    >>> int(gas.clusters_.max()) + 1, bool((found == found[y.argmax()]).sum() == 200)
    (2, True)
    """

    max_units: Annotated[int, Integer(2)] = 50
    insert_every: PositiveInt = 100
    max_age: Positive = 50.0
    learning_rate: Share = 0.2
    neighbor_rate: Share = 0.006
    error_split: Share = 0.5
    error_decay: Share = 0.995
    epochs: PositiveInt = 20

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> GrowingNeuralGas:
        done = self._begun()
        self.n_inputs_: int = self.n_inputs_ if done else 0
        rates = np.array([p.learning_rate, p.neighbor_rate, p.max_age, p.error_split, p.error_decay])
        state, self.loss_curve_ = self._run(
            grow, X, self._places(p, X, bool(done)), rates, p.insert_every, self.n_inputs_,
            draws.key(self.seed_, "order"), done, np.zeros(epochs), float(p.epochs),
        )  # fmt: skip
        w, alive, age, error, _ = state
        self.weights_, self.errors_, self.ages_ = w[alive], error[alive], age[alive][:, alive]
        self.edges_ = np.argwhere(np.triu(self.ages_ >= 0))
        self.clusters_ = parts(self.edges_, len(self.weights_))
        self.n_iter_, self.n_inputs_ = done + epochs, self.n_inputs_ + epochs * len(X)
        return self

    def _places(self, p: SimpleNamespace, X: np.ndarray, again: bool) -> tuple[np.ndarray, ...]:
        """Room for all units that there may be: weights, which places are taken, ages of edges, errors."""
        units = len(self.weights_) if again else 2
        places = max(p.max_units, units)
        w, error = np.zeros((places, X.shape[1]), np.float32), np.zeros(places, np.float32)
        age = np.full((places, places), -1, np.float32)
        if again:
            w[:units], error[:units], age[:units, :units] = self.weights_, self.errors_, self.ages_
        else:
            w[:units] = rules.start(X, units, "sample", self._generator("weights"))
        return w, np.arange(places) < units, age, error


def grow(
    engine: Engine, x: Array, places: Any, rates: Array, every: Array, seen: Array, key: Key, first: Array,
    curve: Array, epochs: Array,
) -> Any:  # fmt: skip
    """Passes of growing neural gas: ((w, alive, ages, errors, inputs seen), mean distance in each pass)."""
    slots = places[0].shape[0]
    move, pull, old, split, decay = (rates[i] for i in range(5))

    def one(state: Any, given: Any) -> Any:
        (w, alive, age, error, seen), (x_i, _) = state, given
        d = ops.where(alive, ops.sum(ops.square(x_i - w), axis=1), FAR)
        s = engine.one_hot(ops.argmin(d), slots, "float32")
        u = engine.one_hot(ops.argmin(ops.where(s > 0, FAR, d)), slots, "float32")
        near = ops.cast(s @ age >= 0, "float32")  # the neighbours of s
        error = error + s * ops.min(d)
        w = w + (move * s + pull * near)[:, None] * (x_i - w)
        alive, age = _aged(alive, age, s, u, near, old)
        seen = seen + 1
        due = (seen % every == 0) & ops.any(~alive)
        w, alive, age, error = engine.cond(
            due, lambda: _inserted(engine, w, alive, age, error, split), lambda: (w, alive, age, error)
        )
        return (w, alive, age, error * decay, seen), ops.sqrt(ops.min(d))

    return rules.passes(engine, one, (*places, seen), x, lambda t: t, key, first, curve, epochs)


def _aged(alive: Array, age: Array, s: Array, u: Array, near: Array, old: Array) -> tuple[Array, Array]:
    """Steps 1, 3 and 4 of the edges: which places are taken, and the ages of edges."""
    age = age + _both(s, near)
    age = ops.where(_both(s, u) > 0, 0.0, age)
    age = ops.where(age > old, -1.0, age)
    return alive & ops.any(age >= 0, axis=1), age


def _both(a: Array, b: Array) -> Array:
    """The matrix of edges, in both directions, between units of a and units of b."""
    return a[:, None] * b + b[:, None] * a


def _inserted(engine: Engine, w: Array, alive: Array, age: Array, error: Array, split: Array) -> tuple[Array, ...]:
    """Step 5, in the first place that is free."""
    slots = w.shape[0]
    q = engine.one_hot(ops.argmax(ops.where(alive, error, -1.0)), slots, "float32")
    f = engine.one_hot(ops.argmax(ops.where(q @ age >= 0, error, -1.0)), slots, "float32")
    r = engine.one_hot(ops.argmin(ops.cast(alive, "int32")), slots, "float32")
    w = ops.where(r[:, None] > 0, 0.5 * ((q + f) @ w), w)
    error = ops.where(q + f > 0, split * error, error)
    error = ops.where(r > 0, ops.sum(q * error), error)
    age = ops.where(_both(q, f) > 0, -1.0, age)
    age = ops.where(_both(r, q + f) > 0, 0.0, age)
    return w, alive | (r > 0), age, error
