"""Networks that keep every example and weigh it by a Gaussian of its distance: GRNN and PNN."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from neuroloom import ops
from neuroloom.config import Positive
from neuroloom.engines import Engine
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.base import Network, costs, direct
from neuroloom.typing import Array

WIDTHS = np.geomspace(0.01, 2.0, 28)
"""Widths that are tried where none is given, as shares of the mean distance between two examples."""

TRIED_ON = 2000
"""Most examples on which the widths are tried."""


class _Kernel(Network):
    """What both networks share: the stored examples, the width of the Gaussian, and sums over it."""

    sigma: Positive | None = None

    def _keep(self, X: np.ndarray, targets: np.ndarray, width: float | None, again: bool) -> None:
        """Store examples, behind those there are if `again`, and find the width."""
        if again:
            X, targets = np.concatenate([self.patterns_, X]), np.concatenate([self.targets_, targets])
        self.patterns_: np.ndarray = np.array(X, np.float64)
        self.targets_: np.ndarray = np.array(targets, np.float64)
        self.sigma_ = self._width() if width is None else width

    def _width(self) -> float:
        """The width with the least leave-one-out error."""
        n = len(self.patterns_)
        kept = self._generator("width").permutation(n)[:TRIED_ON] if n > TRIED_ON else np.arange(n)
        X, targets = self.patterns_[kept], self.targets_[kept]
        distance = np.sqrt(2 * X.var(axis=0).sum())
        if n == 1 or distance == 0:
            return 1.0
        tried = WIDTHS * distance
        errors = self._answer(left_out, self._centred(X), targets, tried, likelihood=isinstance(self, ClassifierMixin))
        return float(tried[np.flatnonzero(errors <= errors.min() + 1e-3 * errors.std())[-1]])  # of equals the widest

    def _centred(self, X: np.ndarray) -> np.ndarray:
        """Distances lose fewer digits near the origin."""
        return X - self.patterns_.mean(axis=0)

    def _averages(self, X: Any) -> np.ndarray:
        """The weighted mean of the targets at each row of X, (rows, columns of the targets)."""
        X = self._rows(X, reset=False)
        return self._per_row(average, self._centred(X), self._centred(self.patterns_), self.targets_, self.sigma_)


class GRNN(ManyTargets, _Kernel):
    """General regression network: the mean of all targets, weighted by how near their examples are.

        ŷ(x) = Σᵢ yᵢ kᵢ(x) / Σᵢ kᵢ(x),      kᵢ(x) = exp(-‖x - xᵢ‖² / 2σ²)

    There is nothing to train but σ: a small one follows every example, a large one gives the mean of all.

    Args:
        sigma: σ, in the units of the features (scale them alike first); None takes the width with the least squared
            error when each example is predicted from the others.

    Attributes:
        patterns_: the examples, (examples, features).
        targets_: their targets, (examples, outputs).
        sigma_: σ.

    Far from all examples the nearest one decides, since the quotient is formed without underflow; other
    implementations divide 0 by 0 there.

    Source: D. Specht, "A general regression neural network", IEEE Trans. Neural Networks 2 (1991); the estimate is
    that of Nadaraya and of Watson (1964).

    >>> import numpy as np
    >>> net = GRNN(sigma=0.1).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> net.predict([[0.5], [1.0], [100.0]]).round(3)
    array([0.5, 1. , 4. ])
    """

    def fit(self, X: Any, y: Any) -> GRNN:
        """Keep X (examples, features) and targets y, (examples,) or (examples, outputs)."""
        return self._take(X, y, again=False)

    def partial_fit(self, X: Any, y: Any) -> GRNN:
        """Keep further examples."""
        return self._take(X, y, again=hasattr(self, "patterns_"))

    def _take(self, X: Any, y: Any, again: bool) -> GRNN:
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again, multi_output=True, y_numeric=True)
        self._keep(X, self._columns(y), p.sigma, again)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        return self._as_given(self._averages(X).astype(np.float64))


class PNN(ClassifierMixin, _Kernel):
    """Probabilistic network: Bayes' rule with a density per class, estimated by Gaussians around its examples.

        P(c | x) = Σ_{i in c} kᵢ(x) / Σᵢ kᵢ(x),      kᵢ(x) = exp(-‖x - xᵢ‖² / 2σ²)

    The pattern layer has a unit per example, the summation layer one per class; classes weigh as often as they occur.

    Args:
        sigma: σ, in the units of the features (scale them alike first); None takes the width with the greatest
            likelihood when each example is classified by the others.

    Attributes:
        patterns_: the examples, (examples, features).
        targets_: their classes as rows of zeros with a one, (examples, classes).
        sigma_: σ.
        classes_: the labels.

    Source: D. Specht, "Probabilistic neural networks", Neural Networks 3 (1990); the densities are Parzen's (1962).

    >>> import numpy as np
    >>> net = PNN(sigma=1.0).fit([[0.0], [0.5], [4.0]], ["low", "low", "high"])
    >>> net.predict([[1.0], [3.5]])
    array(['low', 'high'], dtype='<U4')
    """

    def fit(self, X: Any, y: Any) -> PNN:
        """Keep X (examples, features) with labels y."""
        return self._take(X, y, None, again=False)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> PNN:
        """Keep further examples. The first call has to name all classes that will come."""
        return self._take(X, y, classes, again=hasattr(self, "patterns_"))

    def _take(self, X: Any, y: Any, classes: Any, again: bool) -> PNN:
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again)
        labels = self._labels(y, classes, again)
        self._keep(X, np.eye(len(self.classes_))[labels], p.sigma, again)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """P(c | x), (rows, classes)."""
        return self._averages(X)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row of X."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]


@direct
def average(engine: Engine, x: Array, patterns: Array, targets: Array, sigma: Array) -> Array:
    """Σ targets k / Σ k for each row of x; softmax forms the quotient without underflow."""
    return ops.softmax(-squared_distances(x, patterns) / (2 * sigma**2), axis=-1) @ targets


@costs(lambda a: len(a.sigmas) * (40 + len(a.x) ** 2 / 50))
def left_out(engine: Engine, x: Array, targets: Array, sigmas: Array, *, likelihood: bool) -> Array:
    """Per width the error of predicting each example from the others: -log likelihood, or squared.

    An example that is the only one of its class has likelihood 0 with every width, and counts as 1.
    """
    place = engine.arange(x.shape[0])
    own = place[:, None] == place
    distances = ops.where(own, np.inf, squared_distances(x, x))
    mine = (targets @ targets.T > 0) & ~own
    mine = mine | ~ops.any(mine, axis=1, keepdims=True)

    def error(carry: Array, sigma: Array) -> tuple[Array, Array]:
        logits = -distances / (2 * sigma**2)
        if likelihood:
            return carry, -ops.sum(log_share(logits, mine))
        return carry, ops.sum(ops.square(ops.softmax(logits, axis=-1) @ targets - targets))

    return engine.scan(error, sigmas[0], sigmas)[1]


def log_share(logits: Array, mine: Array) -> Array:
    """log(Σ exp over the places `mine` / Σ exp over all) of each row, without underflow; a row needs one such place."""
    logs = ops.where(mine, ops.log_softmax(logits, axis=-1), -np.inf)
    top = ops.stop_gradient(ops.max(logs, axis=-1, keepdims=True))
    return top[:, 0] + ops.log(ops.sum(ops.exp(logs - top), axis=-1))


def squared_distances(x: Array, y: Array) -> Array:
    """‖xᵢ - yⱼ‖², (rows of x, rows of y)."""
    across = x @ ops.permute_dims(y, (1, 0))
    return ops.maximum(ops.sum(x * x, axis=1)[:, None] - 2 * across + ops.sum(y * y, axis=1)[None, :], 0.0)
