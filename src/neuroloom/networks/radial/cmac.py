"""Albus's cerebellar model."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.base import Network, costs
from neuroloom.ops import draws
from neuroloom.typing import Array


class CMAC(ManyTargets, Network):
    """Cerebellar model: a table looked up through several coarse tilings that are shifted against each other.

    Each of C tilings cuts the space into boxes, `n_tiles` along each feature's range; the t-th tiling is shifted by
    t/C of a box. A point lies in one box of each, and

        ŷ(x) = Σ_{t=1..C} w[box of x in tiling t],       w[those boxes] ← w + η (y - ŷ(x)) / C

    for each example in turn. Nearby points share most boxes, distant ones none: learning at one place leaves others
    alone. Only boxes in which examples lie are stored, each with a weight of its own (no hashing).

    Args:
        n_tilings: C. A box is cut into C parts, the finest that can be told apart.
        n_tiles: boxes along the range of each feature.
        learning_rate: η in (0, 2); 1 makes the error of the example at hand zero.
        epochs: passes over the examples, each in an order of its own.

    Attributes:
        low_, step_: the least value of each feature, and the width of a box, (features,).
        boxes_: the boxes with weights, rows (tiling, box along each feature), in order.
        weights_: w, (boxes, outputs).
        loss_curve_: the mean squared error of the examples as they came, per epoch.
        n_iter_: epochs done.

    A point in a box without weight gets 0 from that tiling.

    Source: J. Albus, "A new approach to manipulator control: the cerebellar model articulation controller (CMAC)",
    Journal of Dynamic Systems, Measurement, and Control 97 (1975).

    >>> import numpy as np
    >>> x = np.linspace(0, 6, 200)[:, None]
    >>> net = CMAC(random_state=0).fit(x, np.sin(x[:, 0]))
    >>> bool(abs(net.predict(x) - np.sin(x[:, 0])).max() < 0.1)
    True
    """

    n_tilings: PositiveInt = 8
    n_tiles: PositiveInt = 8
    learning_rate: Positive = 0.3
    epochs: PositiveInt = 50

    def fit(self, X: Any, y: Any) -> CMAC:
        """Learn from X (examples, features) and targets y, (examples,) or (examples, outputs)."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True, y_numeric=True)
        span = np.ptp(X.astype(np.float64), axis=0)
        self.low_, self.step_ = X.min(axis=0).astype(np.float64), np.where(span > 0, span, 1) / p.n_tiles
        boxes = self._boxes_of(X)
        self.boxes_, index = np.unique(boxes.reshape(-1, boxes.shape[2]), axis=0, return_inverse=True)
        targets = self._columns(y)
        found = self._run(
            learn, index.reshape(boxes.shape[:2]), targets, np.zeros((len(self.boxes_), targets.shape[1])),
            p.learning_rate, draws.key(self.seed_, "order"), epochs=p.epochs,
        )  # fmt: skip
        self._finite(found)
        self.weights_, self.loss_curve_ = found
        self.n_iter_ = p.epochs
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        X = self._rows(X, reset=False)
        place = {box.tobytes(): i for i, box in enumerate(self.boxes_)}
        boxes = self._boxes_of(X)
        index = np.array([[place.get(box.tobytes(), -1) for box in row] for row in boxes])
        found = np.where(index[..., None] >= 0, self.weights_[index], 0).sum(axis=1, dtype=np.float64)
        return self._as_given(found)

    def _boxes_of(self, X: np.ndarray) -> np.ndarray:
        """(rows, tilings, 1 + features): the tiling and the box along each feature."""
        tilings = np.arange(self.n_tilings)
        at = (X.astype(np.float64) - self.low_) / self.step_  # in boxes
        boxes = np.floor(at[:, None, :] + (tilings / self.n_tilings)[:, None])
        numbers = np.broadcast_to(tilings[:, None], (len(X), self.n_tilings, 1))
        return np.concatenate([numbers, np.clip(boxes, -(2**31), 2**31 - 1)], axis=2).astype(np.int32)


@costs(lambda a: 60 * len(a.index) * a.epochs)
def learn(
    engine: Engine, index: Array, targets: Array, weights: Array, rate: Array, key: Array, *, epochs: int
) -> tuple[Array, Array]:
    """Passes over examples that lie in the boxes `index` (n, tilings): weights, and the mean squared error of each."""
    n, tilings = index.shape

    def one(weights: Array, example: Any) -> Any:
        boxes, target = example
        error = target - ops.sum(ops.gather(weights, boxes), axis=0)
        change = ops.broadcast_to((rate / tilings * error)[None, :], (tilings, error.shape[0]))
        return engine.add_at(weights, boxes, change), ops.mean(ops.square(error))

    def one_pass(weights: Array, i: Array) -> Any:
        order = draws.permutation(draws.fold_in(key, i), n)
        weights, errors = engine.scan(one, weights, (ops.gather(index, order), ops.gather(targets, order)))
        return weights, ops.mean(errors)

    return engine.scan(one_pass, weights, engine.arange(epochs))
