"""Rosenblatt's perceptron."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Bool, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ByThresholds
from neuroloom.networks.base import Network, costs, direct
from neuroloom.ops import draws
from neuroloom.typing import Array


class Perceptron(ByThresholds, Network):
    """Threshold units that learn from their mistakes.

    For each example x with target t = ±1, in turn:

        z = w·x + b;   if t z ≤ 0:   w ← w + η t x,   b ← b + η t

    until a pass makes no mistake. If some separating w exists, the number of mistakes is at most (R/γ)², with R the
    largest length of (x, 1) and γ the margin of a separating (w, b) of length 1 (Novikoff). Of more than two classes
    each has a unit that tells it from the others; the largest z wins. Labels (examples, units) are of
    several units, a column each, with the same two classes.

    With `pocket=True` the weights with the longest run of right answers are kept aside, and exchanged only for
    weights that also classify more of the examples rightly: what to use where no line separates the classes.

    Args:
        learning_rate: η; the scale of the weights, as they start from 0.
        max_iter: most passes over the examples.
        fit_intercept: whether there is a bias b.
        shuffle: whether each pass has an order of its own.
        pocket: whether to keep the best weights instead of the last.

    Attributes:
        coef_: w, (1, features) for two classes, else (classes, features).
        intercept_: b, one per row of `coef_`.
        classes_: the labels.
        loss_curve_: the share of examples on which each pass made a mistake, the mean over units.
        n_iter_: passes done, that without a mistake counted.
        mistakes_: corrections made, one number per row of `coef_`.
        mistake_bound_: (R/γ)² with γ measured at the learned weights; infinite where they do not separate. No smaller
            than the bound at the best separator, which nobody knows.
        seed_: the seed of the orders.

    Source: F. Rosenblatt, Psychological Review 65 (1958); A. Novikoff, Symposium on the Mathematical Theory of
    Automata (1962); S. Gallant, "Perceptron-based learning algorithms", IEEE Trans. Neural Networks 1 (1990).
    scikit-learn's `Perceptron` stops when the loss no longer falls (`tol`), this one when a pass is without mistake.

    >>> import numpy as np
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array(["no", "no", "no", "yes"])
    >>> unit = Perceptron(random_state=0).fit(X, y)
    >>> print(unit.predict(X), unit.score(X, y))
    ['no' 'no' 'no' 'yes'] 1.0
    >>> bool(unit.mistakes_[0] <= unit.mistake_bound_[0])
    True
    """

    learning_rate: Positive = 1.0
    max_iter: PositiveInt = 1000
    fit_intercept: Bool = True
    shuffle: Bool = True
    pocket: Bool = False

    def fit(self, X: Any, y: Any) -> Perceptron:
        """Learn from X (examples, features) and labels y, (examples,) or (examples, units)."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True)
        targets = self._unit_targets(y, None, False)
        return self._learn(p, X, targets, self._zeros(X, targets), p.max_iter)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Perceptron:
        """One more pass, over these examples. The first call has to name all classes that will come."""
        again = hasattr(self, "coef_")
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again, multi_output=True)
        targets = self._unit_targets(y, classes, again)
        start = (self.coef_, self.intercept_, self.mistakes_) if again else self._zeros(X, targets)
        return self._learn(p, X, targets, start, 1)

    def decision_function(self, X: Any) -> np.ndarray:
        """z: (examples,) for one unit, else (examples, units)."""
        X = self._rows(X, reset=False)
        scores = self._answer(linear, X, self.coef_, self.intercept_)
        return self._scores(scores)

    def _zeros(self, X: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ...]:
        units = targets.shape[1]
        return np.zeros((units, X.shape[1]), np.float32), np.zeros(units, np.float32), np.zeros(units, np.int32)

    def _learn(self, p: SimpleNamespace, X: np.ndarray, targets: np.ndarray, start: Any, passes: int) -> Perceptron:
        again = start[0] is getattr(self, "coef_", None)
        before: np.ndarray = self.loss_curve_ if again else np.zeros(0, np.float32)
        w, b, mistakes = start
        none = np.zeros_like(mistakes)
        kept = (w, b, none, none - 1)  # weights, bias, length of their run, examples right
        curve = np.zeros(passes, np.float32)
        _, ran, (*_, mistakes, _), kept, curve, (w, b) = self._in_passes(
            learn, (True, 0, (w, b, mistakes, none), kept, curve, (w, b)), len(X), passes,
            draws.key(self.seed_, "order", len(before)) if p.shuffle else None, X, targets, p.learning_rate,
            bias=p.fit_intercept, pocket=p.pocket,
        )  # fmt: skip
        self.coef_, self.intercept_, self.mistakes_ = w, b, mistakes
        self.loss_curve_: np.ndarray = np.concatenate([before, curve[: int(ran)]])
        self.n_iter_ = len(self.loss_curve_)
        self.mistake_bound_ = bound(X, targets, self.coef_, self.intercept_, p.fit_intercept)
        return self


@costs(lambda a: (70 if a.pocket else 30) * len(a.x) * (a.ends[1] - a.ends[0]))
def learn(
    engine: Engine, state: Any, orders: Any, ends: Any, x: Array, t: Array, rate: Array, *, bias: bool, pocket: bool
) -> Any:
    """Passes over x (n, d) with targets t (n, k) until one is without mistake.

    The state: whether the last pass made a mistake, passes done, (w, b, mistakes, right answers since the last),
    the pocket, the share of mistakes in each pass, (w, b) to answer by.
    """

    def one(state: Any, row: Array) -> Any:
        (w, b, mistakes, run), kept = state
        x_i, t_i = ops.gather(x, row), ops.gather(t, row)
        wrong = t_i * (w @ x_i + b) <= 0
        if pocket:
            kept = _exchange(engine, x, t, w, b, run, kept, wrong)
        step = ops.where(wrong, rate * t_i, 0.0)  # (k,)
        w = w + step[:, None] * x_i
        run = ops.where(wrong, 0, run + 1)
        return ((w, b + step if bias else b, mistakes + ops.cast(wrong, "int32"), run), kept), mistakes[:0]

    def one_pass(i: Array, state: Any) -> Any:
        _, done, before, kept, curve = state
        (learned, kept), _ = engine.scan(one, (before, kept), in_order(engine, x.shape[0], orders, i))
        wrong = ops.mean(ops.cast(learned[2] - before[2], engine.dtype_name(x))) / x.shape[0]
        curve = ops.where(engine.arange(curve.shape[0]) == done, wrong, curve)
        again = wrong > 0
        return (again, done + 1, learned, kept, curve), again

    again, done, learned, kept, curve = engine.loop(0, ends[1] - ends[0], one_pass, state[:5])
    w, b, _, run = learned
    if pocket:
        over = ops.logical_not(again) | (done >= ends[2])
        kept = _exchange(engine, x, t, w, b, run, kept, (run >= 0) & over)
        w, b = kept[:2]
    return again, done, learned, kept, curve, (w, b)


def in_order(engine: Engine, n: int, orders: Any, i: Array) -> Array:
    """The numbers of the rows in the order number i, or as they are where there are no orders.

    A pass reads each row in its place: gathering them before takes as long as the pass.
    """
    return engine.arange(n) if isinstance(orders, tuple) else ops.squeeze(engine.rows(orders, i, 1), axis=0)


def _exchange(
    engine: Engine, x: Array, t: Array, w: Array, b: Array, run: Array, kept: Any, ends: Array
) -> tuple[Array, ...]:
    """The pocket after runs that end: exchanged where the run was longer and more of all examples are right."""
    longer = ends & (run > kept[2])

    def compare() -> tuple[Array, ...]:
        right = ops.cast(ops.sum(ops.cast(t * (x @ w.T + b) > 0, "int32"), axis=0), "int32")
        better = longer & (right > kept[3])
        pairs = zip((w, b, kept[2] + 1, right), kept, strict=True)  # the length at which the run became the longest
        return tuple(ops.where(better[:, None] if new.ndim == 2 else better, new, old) for new, old in pairs)

    return engine.cond(ops.any(longer), compare, lambda: tuple(kept))


@direct
def linear(engine: Engine, x: Array, w: Array, b: Array) -> Array:
    """x Wᵀ + b."""
    return x @ w.T + b


def bound(X: np.ndarray, targets: np.ndarray, w: np.ndarray, b: np.ndarray, bias: bool) -> np.ndarray:
    """(R/γ)² per unit, in float64; infinite where the unit does not separate its classes."""
    x, w, b = (part.astype(np.float64) for part in (X, w, b))
    length = np.maximum(np.sqrt((w**2).sum(axis=1) + b**2), np.finfo(float).tiny)
    margin = (targets * (x @ w.T + b)).min(axis=0) / length
    radius = np.sqrt(np.einsum("nd,nd->n", x, x).max() + bias)
    return np.where(margin > 0, (radius / np.where(margin > 0, margin, 1)) ** 2, np.inf)
