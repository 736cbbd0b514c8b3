"""Threshold logic, and single layers that follow the gradient of a squared error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import ops
from neuroloom.config import Bool, Choice, NonNegative, Positive, PositiveInt, Real
from neuroloom.engines import Engine
from neuroloom.errors import NonFiniteError, ShapeError
from neuroloom.networks.answers import ByThresholds, ManyTargets
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.linear.perceptron import in_order, linear
from neuroloom.networks.numbers import Numbers
from neuroloom.ops import draws
from neuroloom.typing import Array


class McCullochPitts(TransformerMixin, Network):
    """Threshold units with fixed connections: the logic of 1943.

    Inputs are active (above 0) or not. A unit fires, 1, if none of its inhibitory inputs (w < 0) is active and

        Σ w_i [x_i > 0] ≥ θ;   else it gives 0.

    With `inhibition="weighted"` an inhibitory input lowers the sum instead of forbidding the unit to fire.

    Args:
        weights: w, (inputs,) for one unit or (units, inputs); None: one unit and all ones.
        threshold: θ, of all units.
        inhibition: "absolute", as in the paper, or "weighted".

    Attributes:
        weights_: w as an array (units, inputs).

    Source: W. McCulloch, W. Pitts, "A logical calculus of the ideas immanent in nervous activity", Bulletin of
    Mathematical Biophysics 5 (1943).

    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> McCullochPitts(threshold=2).fit_transform(X).ravel()  # and
    array([0., 0., 0., 1.])
    >>> McCullochPitts(weights=[1, -1]).fit_transform(X).ravel()  # the first and not the second
    array([0., 0., 1., 0.])
    """

    weights: Annotated[Any, Numbers(1, 2)] | None = None
    threshold: Real = 1.0
    inhibition: Annotated[str, Choice("absolute", "weighted")] = "absolute"

    def fit(self, X: Any, y: Any = None) -> McCullochPitts:
        """Check that the connections fit X; nothing is learned from it."""
        p = self._start()
        X = self._rows(X)
        weights = np.atleast_2d(np.ones(X.shape[1]) if p.weights is None else p.weights).astype(np.float32)
        if weights.shape[1] != X.shape[1]:
            raise ShapeError(
                f"McCullochPitts expected one weight per column of X, {X.shape[1]}, received {weights.shape[1]}."
            )
        self.weights_ = weights
        return self

    def transform(self, X: Any) -> np.ndarray:
        """What each unit gives, 0 or 1: (examples, units)."""
        X = self._rows(X, reset=False)
        p = self._checked()
        return self._answer(fire, X, self.weights_, p.threshold, absolute=p.inhibition == "absolute")


@direct
def fire(engine: Engine, x: Array, w: Array, threshold: Array, *, absolute: bool) -> Array:
    """0 or 1 per example and unit."""
    active = ops.cast(x > 0, engine.dtype_name(x))
    fires = active @ w.T >= threshold
    if absolute:
        fires = fires & (active @ ops.cast(w < 0, engine.dtype_name(x)).T == 0)
    return ops.cast(fires, engine.dtype_name(x))


class _LeastMeanSquares(Network):
    """What `Adaline` and `DeltaRule` share: parameters and the rule."""

    learning_rate: Positive = 0.1
    max_iter: PositiveInt = 200
    tol: NonNegative = 1e-4
    fit_intercept: Bool = True
    shuffle: Bool = True
    normalize: Bool = True

    def _learn(self, p: SimpleNamespace, X: Any, targets: Any, start: Any, passes: int, activation: str) -> None:
        """`passes` over the rows of X from weights, bias and number of passes done."""
        w, b, done = start
        _, ran, w, b, curve, _ = self._in_passes(
            descend, (True, 0, w, b, np.zeros(passes, np.float32), 1e30), len(X), passes,
            draws.key(self.seed_, "order", done) if p.shuffle else None, X, targets, p.learning_rate, p.tol,
            activation=activation, bias=p.fit_intercept, normalize=p.normalize,
        )  # fmt: skip
        if not all(np.isfinite(values).all() for values in (w, b, curve)):
            raise NonFiniteError(
                f"{type(self).__name__}'s weights grew beyond all bounds at learning_rate={p.learning_rate}. "
                f"Use a smaller one, normalize=True, or scale the columns of X."
            )
        self.coef_, self.intercept_, self.n_iter_ = w, b, done + int(ran)
        self.loss_curve_: np.ndarray = (
            np.concatenate([self.loss_curve_, curve[: int(ran)]]) if done else curve[: int(ran)]
        )

    def _start_weights(self, X: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray, int]:
        return np.zeros((units, X.shape[1]), np.float32), np.zeros(units, np.float32), 0


class Adaline(ByThresholds, _LeastMeanSquares):
    """Adaptive linear neurons: threshold units whose sum, not whose answer, is brought to the target.

    For each example x with target t = ±1, in turn:

        e = t - (w·x + b);   w ← w + η e x / (‖x‖² + 1),   b ← b + η e / (‖x‖² + 1)

    so that η = 1 would remove the error of this example wholly (Widrow and Hoff's own rule, stable for 0 < η < 2).
    With `normalize=False` the division is left out: LMS, stable while η stays below 2 over the largest eigenvalue of
    the inputs' correlation matrix. Of more than two classes each has a unit; the largest sum wins. Labels (examples,
    units) are of several units, a column each, with the same two classes.

    Args:
        learning_rate: η.
        max_iter: most passes over the examples.
        tol: a pass that changes the mean squared error by less than this fraction of it is the last.
        fit_intercept: whether there is a bias b.
        shuffle: whether each pass has an order of its own.
        normalize: whether steps are divided by the squared length of (x, 1).

    Attributes:
        coef_, intercept_: w and b, one row per unit.
        classes_: the labels.
        loss_curve_: mean squared error over each pass, measured before each example's step.
        n_iter_: passes done.
        seed_: the seed of the orders.

    Source: B. Widrow, M. Hoff, "Adaptive switching circuits", IRE WESCON Convention Record 4 (1960).

    >>> X, y = [[-2.0], [-1.0], [1.0], [2.5]], [0, 0, 1, 1]
    >>> Adaline(random_state=0).fit(X, y).predict([[-0.5], [0.5]])
    array([0, 1])
    """

    def fit(self, X: Any, y: Any) -> Adaline:
        """Learn from X (examples, features) and labels y, (examples,) or (examples, units),."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True)
        targets = self._unit_targets(y, None, False)
        self._learn(p, X, targets, self._start_weights(X, targets.shape[1]), p.max_iter, "linear")
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Adaline:
        """One more pass, over these examples. The first call has to name all classes that will come."""
        again = hasattr(self, "coef_")
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again, multi_output=True)
        targets = self._unit_targets(y, classes, again)
        weights = (self.coef_, self.intercept_, self.n_iter_) if again else self._start_weights(X, targets.shape[1])
        self._learn(p, X, targets, weights, 1, "linear")
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """w·x + b: (examples,) for one unit, else (examples, units)."""
        sums = self._answer(linear, self._rows(X, reset=False), self.coef_, self.intercept_)
        return self._scores(sums)


class DeltaRule(ManyTargets, _LeastMeanSquares):
    """One layer of units that learns by the delta rule; with linear units this is Widrow and Hoff's LMS.

    For each example x with targets t, in turn:

        y = φ(W x + b);   δ = (t - y) φ'(W x + b);   W ← W + η δ xᵀ,   b ← b + η δ

    With `normalize=True` the step is divided by ‖x‖² + 1, so that no learning rate below 2 lets linear units diverge.

    Args:
        activation: φ: "linear", "sigmoid" (targets in [0, 1]) or "tanh" (targets in [-1, 1]).
        learning_rate: η.
        max_iter: most passes over the examples.
        tol: a pass that changes the mean squared error by less than this fraction of it is the last.
        fit_intercept: whether there is a bias b.
        shuffle: whether each pass has an order of its own.
        normalize: whether steps are divided by the squared length of (x, 1).

    Attributes:
        coef_, intercept_: W and b, one row per target.
        loss_curve_: mean squared error over each pass, measured before each example's step.
        n_iter_: passes done.
        seed_: the seed of the orders.

    Source: B. Widrow, M. Hoff, IRE WESCON Convention Record 4 (1960); D. Rumelhart, G. Hinton, R. Williams, "Learning
    internal representations by error propagation", in Parallel Distributed Processing 1 (1986), for φ that bends.

    >>> X, y = [[-2.0], [-1.0], [1.0], [2.0]], [-3.0, -1.0, 3.0, 5.0]  # y = 2 x + 1
    >>> net = DeltaRule(tol=0, random_state=0).fit(X, y)
    >>> print(net.coef_.round(3), net.intercept_.round(3))
    [[2.]] [1.]
    """

    activation: Annotated[str, Choice("linear", "sigmoid", "tanh")] = "linear"

    def fit(self, X: Any, y: Any) -> DeltaRule:
        """Learn from X (examples, features) and y, (examples,) or (examples, targets)."""
        p = self._start()
        X, y = self._rows(X, y, y_numeric=True, multi_output=True)
        y = self._columns(y)
        self._learn(p, X, y, self._start_weights(X, y.shape[1]), p.max_iter, p.activation)
        return self

    def partial_fit(self, X: Any, y: Any) -> DeltaRule:
        """One more pass, over these examples."""
        again = hasattr(self, "coef_")
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again, y_numeric=True, multi_output=True)
        y = self._columns(y)
        weights = (self.coef_, self.intercept_, self.n_iter_) if again else self._start_weights(X, y.shape[1])
        if len(weights[1]) != y.shape[1]:
            raise ShapeError(f"DeltaRule expected {len(weights[1])} targets, received {y.shape[1]}.")
        self._learn(p, X, y, weights, 1, p.activation)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """φ(W x + b): (examples,) or (examples, targets), as y was."""
        answers = self._answer(
            respond, self._rows(X, reset=False), self.coef_, self.intercept_, activation=self.activation
        )
        return self._as_given(answers)


ACTIVATIONS: dict[str, Any] = {
    "linear": (lambda z: z, lambda y: 1.0),
    "sigmoid": (ops.sigmoid, lambda y: y * (1 - y)),
    "tanh": (ops.tanh, lambda y: 1 - y * y),
}
"""name -> (φ, φ' as a function of φ's value)."""


@direct
def respond(engine: Engine, x: Array, w: Array, b: Array, *, activation: str) -> Array:
    """φ(x Wᵀ + b)."""
    return ACTIVATIONS[activation][0](x @ w.T + b)


@costs(lambda a: 35 * len(a.x) * (a.ends[1] - a.ends[0]))
def descend(
    engine: Engine, state: Any, orders: Any, ends: Any, x: Array, t: Array, rate: Array, tol: Array, *, activation: str,
    bias: bool, normalize: bool,
) -> Any:  # fmt: skip
    """Passes over x (n, d) with targets t (n, k), until the error stays as it is.

    The state: whether it still changes, passes done, w, b, the error in each pass, that of the last.
    """
    phi, slope = ACTIVATIONS[activation]
    lengths = ops.sum(x * x, axis=1) + (1.0 if bias else 0.0)
    rates = rate / ops.where(lengths > 0, lengths, 1.0) if normalize else rate + 0 * lengths

    def one(state: Any, row: Array) -> Any:
        w, b = state
        x_i, t_i, rate_i = (ops.gather(part, row) for part in (x, t, rates))
        y = phi(w @ x_i + b)
        delta = rate_i * (t_i - y) * slope(y)  # (k,)
        return (w + delta[:, None] * x_i, b + delta if bias else b), ops.mean((t_i - y) ** 2)

    def one_pass(i: Array, state: Any) -> Any:
        _, done, w, b, curve, before = state
        (w, b), errors = engine.scan(one, (w, b), in_order(engine, x.shape[0], orders, i))
        error = ops.mean(errors)
        curve = ops.where(engine.arange(curve.shape[0]) == done, error, curve)
        still = (ops.abs(before - error) >= tol * before) & (error > 0) & ops.isfinite(error)
        return (still, done + 1, w, b, curve, error), still

    return engine.loop(0, ends[1] - ends[0], one_pass, state)
