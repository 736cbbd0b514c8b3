"""Cascade-correlation: a network that begins without hidden units and adds them one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import _check_sample_weight

from neuroloom import activations, ops
from neuroloom.activations import Activation
from neuroloom.config import Choice, Count, NonNegative, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer import mlp_rules as rules
from neuroloom.networks.multilayer import mlp_training as training
from neuroloom.ops import draws
from neuroloom.typing import Array, Tree


class _Cascade(Network):
    """What the classifier and the regressor share."""

    max_units: Count = 20
    candidates: PositiveInt = 8
    activation: Activation = "tanh"
    algorithm: Annotated[str, Choice("quickprop", "rprop", "irprop+")] = "rprop"
    learning_rate: Positive | None = None
    epochs: PositiveInt = 100
    goal: NonNegative = 0.01

    def _learn(self, p: SimpleNamespace, X: np.ndarray, t: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> Any:
        """Learn t (numbers, or classes) with `targets`, (rows, outputs), for outputs, adding units one by one.

        Columns of units that are not there yet are 0, so that the programs are compiled once for all of them.
        """
        shares, seen = weight / weight.sum(), X[weight > 0].astype(np.float64)
        features = np.hstack([X, np.zeros((len(X), p.max_units))])
        plan = rules.Plan((features.shape[1], targets.shape[1]), (), ((0, 1),), self._loss())
        w = rules.joined(*([np.zeros(shape)] for shape in rules.shapes(plan)))
        self.hidden_coef_ = np.zeros((p.max_units, features.shape[1]))
        self.hidden_intercept_, losses, scores = np.zeros(p.max_units), [], []
        for unit in range(p.max_units + 1):
            w, loss = self._outputs_trained(p, w, (features, t, shares), plan)
            losses.append(loss)
            if loss <= p.goal or unit == p.max_units:
                break
            residual = self._answer(rules.answers, w, features, plan=plan) - targets
            start = self._start_of(p, seen, unit)
            incoming, score, column = self._recruited(p, start, features, residual, shares)
            features[:, X.shape[1] + unit] = column
            self.hidden_coef_[unit], self.hidden_intercept_[unit] = incoming[:-1], incoming[-1]
            scores.append(score)
        self.loss_curve_, self.correlations_ = np.array(losses), np.array(scores)
        return self._cut(w, plan, X.shape[1] + len(scores))

    def _outputs_trained(
        self, p: SimpleNamespace, w: np.ndarray, data: Any, plan: rules.Plan
    ) -> tuple[np.ndarray, float]:
        """Output weights after a training, and their error."""
        values = {"rate": self._rate(p), "l2": 0.0, "dropout": 0.0, "goal": p.goal, "patience": 1}
        slots = algorithms.begin(p.algorithm, w, self._rate(p), 0.0)
        w, *_, loss = self._answer(
            training.train, w, slots, (), np.zeros((2, p.epochs)), data, (), np.ones_like(w), values,
            draws.key(self.seed_, "order"), 0, plan=plan, algorithm=p.algorithm, momentum=0.0, batch=0, dropout=False,
        )  # fmt: skip
        training.check_finite(self, float(loss), p.epochs)
        return w, float(loss)

    def _start_of(self, p: SimpleNamespace, seen: np.ndarray, unit: int) -> np.ndarray:
        """Incoming weights of a pool of candidates, their biases in the last row: (columns + 1, candidates)."""
        low, high = (
            np.concatenate([end, np.full(unit, side)]) for end, side in ((seen.min(0), -1.0), (seen.max(0), 1.0))
        )
        rng = self._generator("candidates", unit)
        kernel, bias = rules.nguyen_widrow(np.ones((len(low), p.candidates)), low, high, True, rng)
        return np.vstack([kernel, np.zeros((p.max_units - unit, p.candidates)), bias])

    def _recruited(
        self, p: SimpleNamespace, start: np.ndarray, features: np.ndarray, residual: np.ndarray, shares: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """The best candidate after training: its incoming weights, its score, its values on all rows."""
        slots = algorithms.begin(p.algorithm, start.ravel(), self._rate(p), 0.0)
        weights, scores, values = self._answer(
            recruit, start.ravel(), slots, features, residual, shares, self._rate(p), p.epochs,
            algorithm=p.algorithm, activation=p.activation,
        )  # fmt: skip
        best = int(scores.argmax())
        return weights.reshape(start.shape)[:, best], float(scores[best]), values[:, best]

    def _cut(self, w: np.ndarray, plan: rules.Plan, columns: int) -> Any:
        """Keep the weights of columns that are there."""
        (kernel,), (bias,) = rules.parts(plan, w)
        self.coef_, self.intercept_ = kernel[:columns].T.copy(), bias[0].copy()
        self.n_units_ = len(self.correlations_)
        self.hidden_coef_ = self.hidden_coef_[: self.n_units_, :columns].copy()
        self.hidden_intercept_ = self.hidden_intercept_[: self.n_units_].copy()
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _rate(self, p: SimpleNamespace) -> float:
        return algorithms.usual_rate(p.algorithm) if p.learning_rate is None else float(p.learning_rate)

    def _outputs(self, X: Any) -> np.ndarray:
        X = self._rows(X, reset=False)
        found: np.ndarray = self._answer(
            cascade, X, self.hidden_coef_, self.hidden_intercept_, self.coef_, self.intercept_,
            activation=self._checked().activation, loss=self._loss(),
        )  # fmt: skip
        return found

    def _loss(self) -> str:
        raise NotImplementedError  # abstract


class CascadeCorrelationClassifier(ClassifierMixin, _Cascade):
    """Network that grows: hidden units are added one by one, each trained to go with what is still wrong, then frozen.

        uⱼ = g(bⱼ + Σ aⱼᵢ xᵢ + Σ_{k < j} aⱼₖ uₖ);   p = softmax(c + V [x, u]), a sigmoid for two classes

    It begins without hidden units. In turn, the output weights V and c are trained on the cross-entropy, and then a
    pool of candidates, which see the inputs and all units before, climbs the covariance of values with residuals,

        S = Σₒ |Σᵢ sᵢ (uᵢ - ū) (eᵢₒ - ēₒ)| / √(Σᵢₒ sᵢ (eᵢₒ - ēₒ)²),   e = p - t;

    the one with the largest S becomes a unit, and its weights stay as they are.

    Args:
        max_units: most hidden units.
        candidates: how many are trained for each place.
        activation: g, the name of an activation.
        algorithm: of both trainings: "quickprop", "rprop" or "irprop+" (see `MultilayerPerceptronClassifier`).
        learning_rate: of the algorithm; None takes 0.1.
        epochs: of each training.
        goal: cross-entropy at which no more units are added.

    Attributes:
        hidden_coef_: a, (units, features + units), 0 from units that come later.
        hidden_intercept_: b, (units,).
        coef_: V, (outputs, features + units).
        intercept_: c, (outputs,).
        n_units_: hidden units.
        correlations_: S of each.
        loss_curve_: error before the first unit and after each.
        classes_: the labels.
        n_iter_: trainings of the outputs.
        seed_: the seed of the candidates.

    Source: S. Fahlman, C. Lebiere, "The cascade-correlation learning architecture", NIPS 2 (1990), where quickprop is
    the algorithm, outputs are sigmoids with squared errors, and S is not divided by the size of the residuals. Here a
    unit's first weights fit the range of each feature (Nguyen and Widrow).

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]  # no line separates them
    >>> net = CascadeCorrelationClassifier(random_state=0).fit(X, y)
    >>> print(net.n_units_, net.predict(X))
    1 [0 1 1 0]
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CascadeCorrelationClassifier:
        """Learn from X (examples, features), labels y and weights of the examples."""
        p = self._start()
        X, y = self._rows(X, y)
        labels = self._labels(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        k = len(self.classes_)
        targets = labels[:, None].astype(np.float64) if k == 2 else np.eye(k)[labels]
        self._learn(p, X, targets if k == 2 else labels, targets, weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (rows, classes)."""
        found = self._outputs(X)
        return np.hstack([1 - found, found]) if len(self.classes_) == 2 else found

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row of X."""
        found = self.predict_proba(X)
        return self.classes_[found.argmax(axis=1)]

    def _loss(self) -> str:
        return "binary_crossentropy" if len(self.classes_) == 2 else "sparse_categorical_crossentropy"


class CascadeCorrelationRegressor(ManyTargets, _Cascade):
    """Network that grows, for numbers: hidden units are added one by one, each trained to go with what is still wrong.

    As `CascadeCorrelationClassifier`, with linear outputs, the mean squared error and residuals e = ŷ - y.

        uⱼ = g(bⱼ + Σ aⱼᵢ xᵢ + Σ_{k < j} aⱼₖ uₖ);   ŷ = c + V [x, u]

    Args:
        max_units: most hidden units.
        candidates: how many are trained for each place.
        activation: g, the name of an activation.
        algorithm: of both trainings: "quickprop", "rprop" or "irprop+".
        learning_rate: of the algorithm; None takes 0.1.
        epochs: of each training.
        goal: mean squared error at which no more units are added.

    Attributes:
        hidden_coef_, hidden_intercept_, coef_, intercept_: as of `CascadeCorrelationClassifier`.
        n_units_, correlations_, loss_curve_, n_iter_, seed_: likewise.

    Candidates that climb a covariance grow steep, which suits classes more than smooth functions (Hwang and others).

    Source: S. Fahlman, C. Lebiere, "The cascade-correlation learning architecture", NIPS 2 (1990); J.-N. Hwang et al.,
    "The cascade-correlation learning: a projection pursuit learning perspective", IEEE Trans. Neural Networks 7 (1996).

    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> net = CascadeCorrelationRegressor(goal=1e-3, random_state=0).fit(x, np.sin(4 * x[:, 0]))
    >>> bool(net.n_units_ < 10 and np.mean((net.predict(x) - np.sin(4 * x[:, 0])) ** 2) <= 1e-3)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CascadeCorrelationRegressor:
        """Learn from X (examples, features), targets y, (examples,) or (examples, outputs), and weights of examples."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True, y_numeric=True)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        targets = self._columns(y).astype(np.float64)
        self._learn(p, X, targets, targets, weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        return self._as_given(self._outputs(X))

    def _loss(self) -> str:
        return "mse"


@costs(lambda a: (900 + len(a.shares) * a.u.size / 300) * a.epochs)
def recruit(
    engine: Engine, u: Array, slots: Tree, features: Array, residual: Array, shares: Array, rate: Array, epochs: Array,
    *, algorithm: str, activation: Any,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Train candidates u, a vector of (columns + 1, candidates): the vector, S and values (rows, candidates)."""
    rows = (features.shape[1] + 1, u.shape[0] // (features.shape[1] + 1))

    def values(u: Array) -> Array:
        w = ops.reshape(u, rows)
        return activations.get(activation)(features @ w[:-1] + w[-1])

    def value(u: Array) -> tuple[Array, Array]:
        found = scores(values(u), residual, shares)
        return -ops.sum(found), found

    def evaluate(u: Array) -> tuple[Array, Array]:
        (f, _), g = engine.value_and_grad(value)(u)
        return f, g

    problem = algorithms.Problem(engine, evaluate, lambda u: u)

    def epoch(i: Any, state: Any) -> Any:
        return algorithms.algorithm(algorithm, 0.0).step(problem, *state, rate), True

    point, _ = engine.loop(0, epochs, epoch, ((u, *evaluate(u)), slots))
    return point[0], value(point[0])[1], values(point[0])


def scores(values: Array, residual: Array, shares: Array) -> Array:
    """S of each column of values (rows, candidates), for residuals (rows, outputs) and shares of rows (rows,)."""
    left = residual - ops.sum(shares[:, None] * residual, axis=0)
    size = ops.sqrt(ops.sum(shares[:, None] * ops.square(left)))
    values = values - ops.sum(shares[:, None] * values, axis=0)
    products = values.T @ (shares[:, None] * left)  # (candidates, outputs)
    return ops.sum(ops.abs(products), axis=1) / ops.maximum(size, 1e-300)


@direct
def cascade(
    engine: Engine, x: Array, hidden: Array, biases: Array, coef: Array, intercept: Array, *, activation: Any, loss: str
) -> Array:
    """The outputs, or probabilities, of each row of x, (rows, outputs)."""
    g, inputs = activations.get(activation), x.shape[1]
    for unit in range(hidden.shape[0]):
        z = x @ hidden[unit, : inputs + unit] + biases[unit]
        x = ops.concat([x, g(z)[:, None]], axis=1)
    plan = rules.Plan((x.shape[1], coef.shape[0]), (), ((0, 1),), loss)
    return rules.answers(engine, ops.concat([ops.reshape(coef.T, (-1,)), intercept]), x, plan=plan)
