"""Extreme learning machines: a random hidden layer that is never trained, and a linear layer solved for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from neuroloom import activations
from neuroloom.config import Choice, NonNegative, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks import least_squares
from neuroloom.networks.answers import ByScores, ManyTargets, targets_of
from neuroloom.networks.base import Network, direct
from neuroloom.typing import Array


class _Extreme(Network):
    """What the regressor and the classifier share."""

    n_hidden: PositiveInt = 100
    activation: Annotated[str, Choice("tanh", "sigmoid", "relu")] = "tanh"
    alpha: NonNegative = 1e-3

    def _learn(self, p: SimpleNamespace, X: np.ndarray, targets: np.ndarray, sample_weight: Any) -> None:
        rng = self._generator("hidden")
        self.hidden_coef_ = (rng.normal(size=(X.shape[1], p.n_hidden)) / np.sqrt(X.shape[1])).astype(np.float32)
        self.hidden_intercept_ = rng.uniform(-1, 1, p.n_hidden).astype(np.float32)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        roots = np.sqrt(weights)[:, None]
        rows = np.empty((len(X), p.n_hidden + 1))
        np.multiply(self._hidden(X), roots, out=rows[:, :-1])
        rows[:, -1:] = roots
        penalties = np.append(np.full(p.n_hidden, p.alpha), 0.0)  # none on the bias
        solution = least_squares.solve(rows, targets * roots, penalties)
        self.coef_, self.intercept_ = solution[:-1].T.copy(), solution[-1].copy()

    def _hidden(self, X: np.ndarray) -> np.ndarray:
        return self._per_row(hidden, X, self.hidden_coef_, self.hidden_intercept_, activation=self.activation)

    def _outputs(self, X: Any) -> np.ndarray:
        X = self._rows(X, reset=False)
        return self._hidden(X) @ self.coef_.T + self.intercept_


class ELMRegressor(ManyTargets, _Extreme):
    """Extreme learning machine: random hidden units, and the linear layer that fits best over them.

        ŷ(x) = B g(A x + a) + b,      A, a random and kept,      min over B, b of Σᵢ sᵢ ‖ŷ(xᵢ) - yᵢ‖² + α ‖B‖²

    Args:
        n_hidden: hidden units.
        activation: g: 'tanh', 'sigmoid' or 'relu'.
        alpha: α; 0 gives the solution of least length.

    Attributes:
        hidden_coef_: A, (features, units), from N(0, 1/features).
        hidden_intercept_: a, (units,), from [-1, 1).
        coef_: B, (outputs, units).
        intercept_: b, (outputs,).

    Features should have about unit scale. Other programs draw A from [-1, 1] whatever the number of features, so that
    with many of them nearly all units are saturated.

    Source: G.-B. Huang, Q.-Y. Zhu and C.-K. Siew, "Extreme learning machine", Neurocomputing 70 (2006); with random
    weights already W. Schmidt, M. Kraaijveld and R. Duin, ICPR (1992).

    >>> import numpy as np
    >>> x = np.linspace(-3, 3, 80)[:, None]
    >>> net = ELMRegressor(n_hidden=40, alpha=1e-6, random_state=0).fit(x, np.sin(2 * x[:, 0]))
    >>> bool(abs(net.predict(x) - np.sin(2 * x[:, 0])).max() < 0.02)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ELMRegressor:
        """Learn from X (examples, features), targets y, (examples,) or (examples, outputs), and weights of examples."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True, y_numeric=True)
        self._learn(p, X, self._columns(y), sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        return self._as_given(self._outputs(X))


class ELMClassifier(ByScores, _Extreme):
    """Extreme learning machine that classifies: the output of a class is to be 1 for its examples, else -1.

    The network and the arguments are those of `ELMRegressor`; two classes share one output.

    Args:
        n_hidden: hidden units.
        activation: 'tanh', 'sigmoid' or 'relu'.
        alpha: the penalty on the squared weights of the linear layer.

    Attributes:
        classes_: the labels.
        hidden_coef_, hidden_intercept_, coef_, intercept_: as of `ELMRegressor`.

    Source: G.-B. Huang, Q.-Y. Zhu and C.-K. Siew, "Extreme learning machine", Neurocomputing 70 (2006).

    >>> import numpy as np
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), np.array([0, 1, 1, 0])  # no line separates them
    >>> ELMClassifier(random_state=0).fit(X, y).score(X, y)
    1.0
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ELMClassifier:
        """Learn from X (examples, features), labels y and weights of the examples."""
        p = self._start()
        X, y = self._rows(X, y)
        self._learn(p, X, targets_of(self._labels(y), len(self.classes_)), sample_weight)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs: (rows,) for two classes, else (rows, classes)."""
        found = self._outputs(X)
        return found[:, 0] if len(self.classes_) == 2 else found


@direct
def hidden(engine: Engine, x: Array, w: Array, b: Array, *, activation: str) -> Array:
    """g(x W + b)."""
    return activations.get(activation)(x @ w + b)
