"""Networks in which a connection grows with the activity at its two ends."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight

from neuroloom import ops
from neuroloom.config import Bool, Fraction, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.answers import ByScores, ManyTargets
from neuroloom.networks.base import Network, costs, direct
from neuroloom.ops import draws
from neuroloom.typing import Array


class _Associator(ManyTargets, Network):
    """What `Hebb` and `Outstar` share: connections (inputs, targets), and y of one or more columns."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn to answer the rows of X with those of y, (examples,) or (examples, targets)."""
        if hasattr(self, "coef_"):
            del self.coef_
        return self.partial_fit(X, y)

    def _pairs(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Checked X and y, and the connections to go on from: zeros at first."""
        again = hasattr(self, "coef_")
        X, y = self._rows(X, y, reset=not again, y_numeric=True, multi_output=True)
        y = self._columns(y)
        w = self.coef_ if again else np.zeros((X.shape[1], y.shape[1]), np.float32)
        if w.shape[1] != y.shape[1]:
            raise ShapeError(f"{type(self).__name__} expected {w.shape[1]} targets, received {y.shape[1]}.")
        return X, y, w

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # correlations are no least squares
        return tags


class Hebb(_Associator):
    """Hebb's rule in a linear associator: a connection grows with the product of its input and its target.

        W = η Σ x tᵀ;   y = Wᵀ x

    Inputs of length 1 at right angles to each other are answered exactly (η = 1); others disturb one another.

    Args:
        learning_rate: η.

    Attributes:
        coef_: W, (features, targets).

    Source: D. Hebb, The Organization of Behavior (1949); as a matrix memory: T. Kohonen, "Correlation matrix
    memories", IEEE Trans. Computers C-21 (1972).

    >>> X, y = [[0.6, 0.8], [-0.8, 0.6]], [3.0, 5.0]
    >>> Hebb().fit(X, y).predict(X).round(5)
    array([3., 5.])
    """

    learning_rate: Positive = 1.0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Hebb:
        """Learn to answer the rows of X with those of y; a weight of 2 counts a row twice."""
        if hasattr(self, "coef_"):
            del self.coef_
        return self.partial_fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Hebb:
        """Learn these pairs in addition."""
        p = self._start(hasattr(self, "coef_"))
        X, y, w = self._pairs(X, y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
        self.coef_ = self._run(correlate, w, X, y, p.learning_rate * weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Wᵀ x: (examples,) or (examples, targets), as y was."""
        return self._as_given(self._answer(product, self._rows(X, reset=False), self.coef_))


class Outstar(_Associator):
    """Outstars: each input unit learns the pattern that it is to call up.

    For each example with activities x in [0, 1] (what lies beyond is cut off) and targets t, in turn:

        w_i ← w_i + η x_i (t - w_i);   y = Σ x_i w_i

    An input that is always 1 with the same t comes as close as 1 - (1 - η)ⁿ after n examples.

    Args:
        learning_rate: η, below 1.
        epochs: passes over the examples, in the given order.

    Attributes:
        coef_: w, (features, targets).

    Source: S. Grossberg, "Embedding fields", Journal of Mathematical Psychology 6 (1969).

    >>> X, y = [[1, 0], [0, 1]], [[1.0, 2.0], [3.0, 4.0]]
    >>> Outstar(epochs=100).fit(X, y).predict([[0, 1]]).round(3)
    array([[3., 4.]])
    """

    learning_rate: Fraction = 0.1
    epochs: PositiveInt = 20

    def partial_fit(self, X: Any, y: Any) -> Outstar:
        """Learn these pairs in addition, as many passes as `epochs`."""
        p = self._start(hasattr(self, "coef_"))
        X, y, w = self._pairs(X, y)
        self.coef_ = self._run(radiate, w, np.clip(X, 0, 1), y, p.learning_rate, p.epochs)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Σ x_i w_i: (examples,) or (examples, targets), as y was."""
        return self._as_given(self._answer(product, np.clip(self._rows(X, reset=False), 0, 1), self.coef_))


class Instar(ByScores, Network):
    """Instars: each unit turns towards the inputs at which its class is present.

    Rows x are scaled to length 1. For each example, in turn, the unit j of its class, and only that one, learns:

        w_j ← w_j + η (x - w_j)

    The class of a row is that of the unit with the largest w_j·x: what counts is the direction of x.

    Args:
        learning_rate: η, below 1.
        epochs: passes over the examples, in the given order.

    Attributes:
        coef_: w, (classes, features), from 0.
        classes_: the labels.

    Source: S. Grossberg, "Adaptive pattern classification and universal recoding I", Biological Cybernetics 23 (1976).

    >>> X, y = [[1.0, 0.1], [0.9, 0.0], [0.1, 1.0], [0.0, 2.0]], ["right", "right", "up", "up"]
    >>> Instar().fit(X, y).predict([[3.0, 1.0], [1.0, 3.0]])
    array(['right', 'up'], dtype='<U5')
    """

    learning_rate: Fraction = 0.1
    epochs: PositiveInt = 20

    def fit(self, X: Any, y: Any) -> Instar:
        """Learn from X (examples, features) and labels y."""
        if hasattr(self, "coef_"):
            del self.coef_
        return self.partial_fit(X, y)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Instar:
        """Learn these examples in addition. The first call has to name all classes that will come."""
        again = hasattr(self, "coef_")
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again)
        labels = self._labels(y, classes, again)
        w = self.coef_ if again else np.zeros((len(self.classes_), X.shape[1]), np.float32)
        self.coef_: np.ndarray = self._run(gather_in, w, unit_length(X), labels, p.learning_rate, p.epochs)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """w_j·x / ‖x‖: (examples, classes); of two classes the second's less the first's, (examples,)."""
        scores = self._answer(product, unit_length(self._rows(X, reset=False)), self.coef_.T)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores


class _Components(TransformerMixin, Network):
    """What `Oja` and `Sanger` share: linear units that turn towards the directions in which the data vary most."""

    triangular: ClassVar[bool]

    n_components: PositiveInt = 1
    learning_rate: Positive = 0.5
    epochs: PositiveInt = 100
    center: Bool = True

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from X (examples, features)."""
        p = self._start()
        return self._learn(p, self._rows(X), again=False, epochs=p.epochs)

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """One more pass, over these examples; the first call's mean and scale stay."""
        again = hasattr(self, "components_")
        p = self._start(again)
        return self._learn(p, self._rows(X, reset=not again), again, epochs=1)

    def _learn(self, p: Any, X: np.ndarray, again: bool, epochs: int) -> Any:
        if not again:
            self._set_start(p, X)
        key = draws.key(self.seed_, "order", self.n_iter_)
        found = self._run(
            turn, self.components_, (X - self.mean_) / self.scale_, p.learning_rate, self.n_iter_, epochs, key,
            triangular=self.triangular,
        )  # fmt: skip
        self._finite(found)
        self.components_: np.ndarray = found
        self.n_iter_ += epochs
        return self

    def _set_start(self, p: Any, X: np.ndarray) -> None:
        k, d = p.n_components, X.shape[1]
        if k > d:
            raise ConfigurationError(
                f"{type(self).__name__} expected n_components of at most {d}, the columns of X, received {k}."
            )
        self.mean_ = X.mean(axis=0, dtype=np.float64) if p.center else np.zeros(d)
        lengths = np.sqrt(((X - self.mean_).astype(np.float64) ** 2).sum(axis=1).max())
        self.scale_ = float(lengths) or 1.0
        start = self._generator("weights").normal(size=(d, k))
        self.components_ = np.linalg.qr(start)[0].T.astype(np.float32) * np.float32(0.5)
        self.n_iter_: int = 0

    def transform(self, X: Any) -> np.ndarray:
        """W (x - mean): (examples, n_components)."""
        return self._answer(product, self._rows(X, reset=False) - self.mean_, self.components_.T)


class Oja(_Components):
    """Oja's rule: Hebb's with a decay that keeps the weights' length at 1.

    For each example x (less the mean, divided by the largest such length), in an order new for each pass:

        y = W x;   W ← W + η_t y (x - Wᵀ y)ᵀ;   η_t = η / (1 + t / 10) in pass t

    One unit turns to the first principal component; several span the space of the first ones, but need not lie along
    them (`Sanger` does).

    Args:
        n_components: the number of units.
        learning_rate: η of the first pass.
        epochs: passes over the examples.
        center: whether the mean is taken off.

    Attributes:
        components_: W, (n_components, features).
        mean_, scale_: what was taken off x, and what the rest was divided by, for learning.
        n_iter_: passes done.
        seed_: the seed of first weights and orders.

    Source: E. Oja, "A simplified neuron model as a principal component analyzer", Journal of Mathematical Biology 15
    (1982); several units: E. Oja, International Journal of Neural Systems 1 (1989).

    >>> X = [[2.0, 2.1], [-1.0, -0.9], [1.0, 1.0], [-2.0, -2.2]]
    >>> abs(Oja(random_state=0).fit(X).components_).round(1)
    array([[0.7, 0.7]], dtype=float32)
    """

    triangular = False


class Sanger(_Components):
    """Sanger's generalised Hebbian algorithm: the principal components, in order, by a local rule.

    For each example x (less the mean, divided by the largest such length), in an order new for each pass:

        y = W x;   w_i ← w_i + η_t y_i (x - Σ_{k ≤ i} y_k w_k);   η_t = η / (1 + t / 10) in pass t

    Unit i learns from what the units before it leave over.

    Args:
        n_components: the number of units.
        learning_rate: η of the first pass.
        epochs: passes over the examples.
        center: whether the mean is taken off.

    Attributes:
        components_: W, (n_components, features); rows of length about 1, signs as they came.
        mean_, scale_: what was taken off x, and what the rest was divided by, for learning.
        n_iter_: passes done.
        seed_: the seed of first weights and orders.

    Source: T. Sanger, "Optimal unsupervised learning in a single-layer linear feedforward neural network", Neural
    Networks 2 (1989).

    >>> X = [[2.0, 2.1], [-1.0, -0.9], [1.0, 1.0], [-2.0, -2.2]]
    >>> Sanger(n_components=2, random_state=0).fit_transform(X).shape
    (4, 2)
    """

    triangular = True


@direct
def correlate(engine: Engine, w: Array, x: Array, t: Array, weight: Array) -> Array:
    """W + Σ weight x tᵀ."""
    return w + x.T @ (weight[:, None] * t)


@direct
def product(engine: Engine, x: Array, w: Array) -> Array:
    """x W."""
    return x @ w


@costs(lambda a: (15 + a.w.size / 500) * len(a.x) * a.epochs)
def radiate(engine: Engine, w: Array, x: Array, t: Array, rate: Array, epochs: Array) -> Array:
    """Outstar learning, example by example."""

    def one(w: Array, pair: Any) -> Any:
        x_i, t_i = pair
        return w + rate * x_i[:, None] * (t_i - w), x_i[:0]

    return engine.loop(0, epochs, lambda i, w: (engine.scan(one, w, (x, t))[0], i < epochs), w)


@costs(lambda a: (15 + a.w.size / 500) * len(a.x) * a.epochs)
def gather_in(engine: Engine, w: Array, x: Array, labels: Array, rate: Array, epochs: Array) -> Array:
    """Instar learning, example by example."""
    active = ops.one_hot(labels, w.shape[0])  # (n, classes)

    def one(w: Array, pair: Any) -> Any:
        x_i, on = pair
        return w + rate * on[:, None] * (x_i - w), x_i[:0]

    return engine.loop(0, epochs, lambda i, w: (engine.scan(one, w, (x, active))[0], i < epochs), w)


@costs(lambda a: (22 + a.w.size / 200) * len(a.x) * a.epochs)
def turn(
    engine: Engine, w: Array, x: Array, rate: Array, done: Array, epochs: Array, key: Array, *, triangular: bool
) -> Array:
    """Passes of Oja's rule, or of Sanger's, over x (n, d), after `done` others."""
    k = w.shape[0]
    mask = ops.cast(engine.arange(k)[:, None] >= engine.arange(k)[None, :], "float32") if triangular else 1.0

    def one_pass(i: Array, w: Array) -> Any:
        step = rate / (1 + (done + i) / 10.0)

        def one(w: Array, x_i: Array) -> Any:
            y = w @ x_i
            return w + step * (y[:, None] * x_i - (y[:, None] * y[None, :] * mask) @ w), y[:0]

        order = draws.permutation(draws.fold_in(key, i), x.shape[0])
        return engine.scan(one, w, ops.gather(x, order))[0], i < epochs

    return engine.loop(0, epochs, one_pass, w)


def unit_length(X: np.ndarray) -> np.ndarray:
    """Rows divided by their lengths; rows of zeros stay."""
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths > 0, lengths, 1)
