"""Learning vector quantisation by Kohonen's rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.cluster import KMeans

from neuroloom import ops
from neuroloom.config import Choice, Fraction, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ByScores
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.radial.kernel import squared_distances
from neuroloom.ops import draws
from neuroloom.typing import Array


class Prototypes(ByScores, Network):
    """What all networks of labelled prototypes share: the class of the nearest one is the answer."""

    prototypes_per_class: PositiveInt = 1

    def _first_prototypes(self, X: np.ndarray, labels: np.ndarray, per_class: int) -> None:
        """The means that k-means finds in each class; sets `prototypes_` and `prototype_labels_`."""
        found, marks = [], []
        for c in range(len(self.classes_)):
            mine = X[labels == c].astype(np.float64)
            if not len(mine):
                mine = X.astype(np.float64)  # a class that is named but has not come yet
            n = min(per_class, len(np.unique(mine, axis=0)))
            seed = int(self._generator("prototypes", c).integers(2**31))
            found.append(KMeans(n, n_init=1, random_state=seed).fit(mine).cluster_centers_)
            marks += [c] * n
        self.prototypes_ = np.concatenate(found)
        self.prototype_labels_ = np.array(marks, np.int32)

    def _distances(self, X: Any) -> np.ndarray:
        """Squared distances, (rows, prototypes)."""
        return self._per_row(_squared_distances, *self._centred(X))

    def _centred(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """X and the prototypes less the prototypes' mean: sums of squares lose fewer digits near the origin."""
        middle = self.prototypes_.mean(axis=0)
        return X - middle, self.prototypes_ - middle

    def decision_function(self, X: Any) -> np.ndarray:
        """How much nearer the class is than the nearest other: (rows,) for two classes, else minus the squared distance
        to each class, (rows, classes)."""
        distances = self._distances(self._rows(X, reset=False))
        mine = self.prototype_labels_ == np.arange(len(self.classes_))[:, None]
        nearest = np.stack([distances[:, m].min(axis=1) for m in mine], axis=1)
        return nearest[:, 0] - nearest[:, 1] if nearest.shape[1] == 2 else -nearest


class LVQ(Prototypes):
    """Kohonen's learning vector quantisation: prototypes of classes, moved by one example after the other.

    With w the prototype nearest to x, and α falling from η to 0 over the training:

        lvq1:    w ← w + α (x - w) if their classes agree, else w - α (x - w)
        olvq1:   the same with a rate per prototype, α ← α / (1 ± α): + if the classes agree, - if not, at most η
        lvq2:    only if the nearest is of another class and the second nearest of x's, and x lies in the window
                 between them: the first is moved away, the second towards x
        lvq2.1:  the same if either of the two nearest is of x's class and the other is not
        lvq3:    as lvq2.1; and if both are of x's class, both are moved towards x by ε α

    x lies in the window if d₁/d₂ > (1 - b)/(1 + b), d₁ ≤ d₂ the distances to the two nearest, b the window's width.

    Args:
        rule: 'lvq1', 'olvq1', 'lvq2', 'lvq2.1' or 'lvq3'; all but the first two are meant for refining prototypes that
            are good already.
        prototypes_per_class: how many; they start at the means that k-means finds in each class.
        learning_rate: η.
        epochs: passes over the examples, each in an order of its own.
        window: b.
        epsilon: ε.

    Attributes:
        prototypes_: w, (prototypes, features).
        prototype_labels_: their classes, as positions in `classes_`.
        classes_: the labels.
        loss_curve_: the share of examples whose nearest prototype was of another class when they came, per epoch.
        n_iter_: epochs done.

    Source: T. Kohonen, Self-Organizing Maps, 3rd ed. (2001), chapter 6.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(LVQ(prototypes_per_class=3, random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    rule: Annotated[str, Choice("lvq1", "olvq1", "lvq2", "lvq2.1", "lvq3")] = "lvq1"
    learning_rate: Positive = 0.1
    epochs: PositiveInt = 30
    window: Fraction = 0.3
    epsilon: Fraction = 0.2

    def fit(self, X: Any, y: Any) -> LVQ:
        """Learn from X (examples, features) with labels y."""
        p = self._start()
        X, y = self._rows(X, y)
        labels = self._labels(y)
        self._first_prototypes(X, labels, p.prototypes_per_class)
        return self._learn(p, X, labels, np.linspace(p.learning_rate, 0, p.epochs * len(X), endpoint=False), 0)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> LVQ:
        """One more pass, at the rate η. The first call has to name all classes that will come."""
        again = hasattr(self, "prototypes_")
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again)
        labels = self._labels(y, classes, again)
        if not again:
            self._first_prototypes(X, labels, p.prototypes_per_class)
        return self._learn(p, X, labels, np.full(len(X), p.learning_rate), self.n_iter_ if again else 0)

    def _learn(self, p: SimpleNamespace, X: np.ndarray, labels: np.ndarray, rates: np.ndarray, done: int) -> LVQ:
        epochs = len(rates) // len(X)
        middle = self.prototypes_.mean(axis=0)
        w, errors = self._run(
            learn, X - middle, labels, self.prototypes_ - middle, self.prototype_labels_,
            rates.reshape(epochs, len(X)), p.window, p.epsilon, draws.key(self.seed_, "order", done), rule=p.rule,
        )  # fmt: skip
        self._finite(w)
        self.prototypes_ = middle + w
        self.loss_curve_: np.ndarray = np.concatenate([self.loss_curve_, errors]) if done else errors
        self.n_iter_ = done + epochs
        return self


@costs(lambda a: (80 + a.w.size / 10) * a.rates.size)
def learn(
    engine: Engine, x: Array, labels: Array, w: Array, marks: Array, rates: Array, window: Array, epsilon: Array,
    key: Array, *, rule: str,
) -> tuple[Array, Array]:  # fmt: skip
    """Passes over x (n, d): prototypes (k, d), and the share of wrong winners in each pass."""
    own = ops.zeros_like(w[:, 0]) + rates[0, 0]  # the rate of each prototype, for olvq1
    closest = (1 - window) / (1 + window)

    def one(state: Any, example: Any) -> Any:
        w, own = state
        x_i, label, rate = example
        change, right = moves(w, marks, x_i, label, closest, epsilon, rule)
        step = own if rule == "olvq1" else rate
        moved = w + (step * change)[:, None] * (x_i - w)
        if rule == "olvq1":
            own = ops.minimum(own / (1 + change * own), rates[0, 0])
        return (moved, own), ops.cast(ops.logical_not(right), "float32")

    def one_pass(state: Any, given: Any) -> Any:
        i, pass_rates = given
        order = draws.permutation(draws.fold_in(key, i), x.shape[0])
        state, wrong = engine.scan(one, state, (ops.gather(x, order), ops.gather(labels, order), pass_rates))
        return state, ops.mean(wrong)

    (w, _), errors = engine.scan(one_pass, (w, own), (engine.arange(rates.shape[0]), rates))
    return w, errors


def moves(
    w: Array, marks: Array, x: Array, label: Array, closest: Array, epsilon: Array, rule: str
) -> tuple[Array, Array]:
    """What each prototype's step is multiplied by, (k,): 0 for most; and whether the winner's class is right."""
    k = w.shape[0]
    squared = ops.sum(ops.square(x - w), axis=1)
    first = ops.one_hot(ops.argmin(squared), k)
    second = ops.one_hot(ops.argmin(ops.where(first > 0, np.inf, squared)), k)
    same = ops.cast(marks == label, "float32")
    right, next_right = ops.sum(first * same), ops.sum(second * same)
    sign = first * (2 * right - 1)
    if rule not in ("lvq1", "olvq1"):
        near, far = ops.sum(first * squared), ops.sum(second * squared)
        inside = ops.cast(near > closest**2 * far, "float32")
        differ = inside * (next_right * (1 - right) if rule == "lvq2" else ops.abs(right - next_right))
        sign = differ * (sign + second * (2 * next_right - 1))
        if rule == "lvq3":
            sign = sign + epsilon * right * next_right * (first + second)
    return sign, right > 0


@direct
def _squared_distances(engine: Engine, x: Array, w: Array) -> Array:
    return squared_distances(x, w)
