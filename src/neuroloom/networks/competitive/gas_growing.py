"""Growing neural gas: units and edges come and go as the data ask for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Integer, Number, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import costs
from neuroloom.networks.competitive import layer_rules as rules
from neuroloom.networks.competitive.gas import parts
from neuroloom.networks.competitive.layer import Quantizer
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

Share = Annotated[float, Number(0, 1, expects="a number from 0 to 1")]
FAR = 3e38
"""The distance of a place that has no unit."""

NEVER = -(1 << 30)
"""When an edge was new that there is not."""


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
        middle = self._origin(X)
        state, self.loss_curve_ = self._run(
            grow, X - middle, self._places(p, X, middle, bool(done)), rates, p.insert_every, self.n_inputs_,
            draws.key(self.seed_, "order"), done, np.zeros(epochs), float(p.epochs),
        )  # fmt: skip
        w, alive, error, won, _, new, _ = state
        self._finite(w[alive], error[alive])
        ages = (won[:, None] + won - new.reshape(len(won), -1))[alive][:, alive]
        self.weights_, self.errors_ = middle + w[alive], error[alive]
        self.ages_ = np.where(ages <= p.max_age, ages, -1).astype(np.float32)
        self.edges_ = np.argwhere(np.triu(self.ages_ >= 0))
        self.clusters_ = parts(self.edges_, len(self.weights_))
        self.n_iter_, self.n_inputs_ = done + epochs, self.n_inputs_ + epochs * len(X)
        return self

    def _places(self, p: SimpleNamespace, X: np.ndarray, middle: np.ndarray, again: bool) -> tuple[np.ndarray, ...]:
        """Room for all units that there may be: weights less `middle`, which places are taken, errors, inputs won,
        numbers of edges; and when each edge was new, the rows of that matrix one after the other."""
        units = len(self.weights_) if again else 2
        places = max(p.max_units, units)
        w, error = np.zeros((places, X.shape[1])), np.zeros(places, np.float32)
        won, degrees = np.zeros(places, np.int32), np.zeros(places, np.int32)
        new = np.full((places, places), NEVER, np.int32)
        if again:
            joined = (self.ages_ >= 0) & (self.ages_ <= p.max_age)
            w[:units], error[:units], degrees[:units] = self.weights_ - middle, self.errors_, joined.sum(axis=1)
            new[:units, :units] = np.where(joined, -self.ages_, NEVER)
        else:
            w[:units] = rules.start(X, units, "sample", self._generator("weights")) - middle
        return w, np.arange(places) < units, error, won, degrees, new.ravel()


@costs(lambda a: (350 + a.places[0].size / 10 + len(a.places[0]) ** 2 / 500) * len(a.x) * len(a.curve))
def grow(
    engine: Engine, x: Array, places: Any, rates: Array, every: Array, seen: Array, key: Key, first: Array,
    curve: Array, epochs: Array,
) -> Any:  # fmt: skip
    """Passes of growing neural gas: the places, with the inputs seen at the end, and the mean distance in each pass.

    The age of the edge i-j is T_i + T_j - B_ij: T counts the inputs that a unit has won, and B is their sum when the
    edge was new. So edges grow older by themselves, and one too old is none. An input reads the row of its winner and
    writes two elements; what it costs grows with the units, not with their square.
    """
    slots = places[0].shape[0]
    numbers = engine.arange(slots)
    move, pull, old, split, decay = (rates[i] for i in range(5))

    def edges(row: Array, won: Array, i: Array) -> Array:
        """The units that unit i has an edge to."""
        return ops.cast(won + ops.gather(won, i) - row, "float32") <= old

    def one(state: Any, given: Any) -> Any:
        (w, alive, error, won, degrees, new, seen), (x_i, _) = state, given
        d = ops.where(alive, ops.sum(ops.square(x_i - w), axis=1), FAR)
        s = _first(numbers, d == ops.min(d))
        is_s = numbers == s
        others = ops.where(is_s, FAR, d)
        u = _first(numbers, others == ops.min(others))
        row = engine.rows(new, s * slots, slots)
        near = edges(row, won, s)
        error = error + ops.where(is_s, ops.min(d), 0.0)
        w = w + ops.where(is_s, move, ops.where(near, pull, 0.0))[:, None] * (x_i - w)
        won = won + ops.cast(is_s, "int32")
        fresh = ops.where(numbers == u, ops.gather(won, s) + ops.gather(won, u), row)
        new = _added(engine, new, slots, [(s, u, ops.gather(fresh - row, u))])  # waits for row: XLA copies nothing
        change = ops.cast(edges(fresh, won, s), "int32") - ops.cast(near, "int32")
        degrees = degrees + change + ops.where(is_s, ops.cast(ops.sum(change), "int32"), 0)
        alive, seen = alive & (degrees > 0), seen + 1
        due = (seen % every == 0) & ops.any(~alive)
        q = _largest(numbers, error, alive)
        near = edges(engine.rows(new, q * slots, slots), won, q)
        now = w, alive, error, degrees
        (w, alive, error, degrees), r, f = engine.cond(
            due, lambda: _inserted(numbers, now, q, near, split), lambda: (now, q, q)
        )
        then = [(q, f, q * 0 + NEVER), *((i, r, ops.gather(won, i) + ops.gather(won, r)) for i in (q, f))]
        then = [(i, j, ops.where(due, value - ops.gather(new, i * slots + j), 0)) for i, j, value in then]
        return (w, alive, error * decay, won, degrees, _added(engine, new, slots, then), seen), ops.sqrt(ops.min(d))

    return rules.passes(engine, one, (*places, seen), x, lambda t: t, key, first, curve, epochs)


def _first(numbers: Array, holds: Array) -> Array:
    """The first place where it holds. XLA computes argmin on a CPU element by element."""
    return ops.cast(ops.min(ops.where(holds, numbers, len(numbers) - 1)), "int32")


def _largest(numbers: Array, error: Array, among: Array) -> Array:
    error = ops.where(among, error, -1.0)
    return _first(numbers, error == ops.max(error))


def _added(engine: Engine, new: Array, slots: int, edges: Any) -> Array:
    """The matrix, row by row, with a number added for each edge (i, j, number) in both directions."""
    index = ops.stack([a * slots + b for i, j, _ in edges for a, b in ((i, j), (j, i))])
    return engine.add_at(new, index, ops.cast(ops.stack([n for *_, n in edges for _ in range(2)]), "int32"))


def _inserted(numbers: Array, now: tuple[Array, ...], q: Array, near: Array, split: Array) -> Any:
    """Step 5, in the first place that is free; that place r, and f."""
    w, alive, error, degrees = now
    f, r = _largest(numbers, error, near), _first(numbers, ~alive)
    is_r, ends = numbers == r, (numbers == q) | (numbers == f)
    w = ops.where(is_r[:, None], 0.5 * (ops.gather(w, q) + ops.gather(w, f)), w)
    error = ops.where(ends, split * error, error)
    error = ops.where(is_r, ops.gather(error, q), error)
    return (w, alive | is_r, error, ops.where(is_r, 2, degrees)), r, f
