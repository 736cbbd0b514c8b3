"""Units that compete for each input: what all of them share, and the layer in which the winner takes all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from neuroloom import ops
from neuroloom.config import Bool, Choice, NonNegative, Number, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import Network, costs
from neuroloom.networks.competitive import layer_rules as rules
from neuroloom.ops import draws
from neuroloom.typing import Array


class Quantizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network):
    """Base of the networks whose units each stand for the inputs that lie nearest to their weights."""

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from the rows of X, in `epochs` passes."""
        if hasattr(self, "weights_"):
            del self.weights_
        p = self._start()
        return self._learn(p, self._inputs(X, reset=True), p.epochs)

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """One more pass, over these rows. `epochs` such calls are a `fit`; later ones go on as it ended."""
        again = hasattr(self, "weights_")
        return self._learn(self._start(again), self._inputs(X, reset=not again), 1)

    def transform(self, X: Any) -> np.ndarray:
        """The distance of each row of X to each unit: (rows, units)."""
        return self._lengths(self._inputs(X))

    def predict(self, X: Any) -> np.ndarray:
        """The number of the unit nearest to each row of X."""
        return self.transform(X).argmin(axis=1)

    def quantization_error(self, X: Any) -> float:
        """The mean distance of the rows of X to their nearest units."""
        return float(self.transform(X).min(axis=1).mean())

    def score(self, X: Any, y: Any = None) -> float:
        """-`quantization_error(X)`, so that more is better."""
        return -self.quantization_error(X)

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> Any:
        raise NotImplementedError  # abstract

    def _lengths(self, X: np.ndarray) -> np.ndarray:
        missing = bool(np.isnan(X).any())
        middle = self._origin(self.weights_)
        return self._answer(
            rules.lengths, X - middle, self.weights_ - middle, distance=self._distance(), missing=missing
        )

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        return self._rows(X, reset=reset)

    def _distance(self) -> str:
        return "euclidean"

    def _origin(self, X: np.ndarray) -> np.ndarray:
        """What to take off rows and weights: float32, and sums of squares, are finest around 0."""
        return rules.middle(X) if self._distance() != "cosine" else np.zeros(X.shape[1])

    def _begun(self) -> int:
        """Passes done before; 0 for a network that has to begin."""
        return self.n_iter_ if hasattr(self, "weights_") else 0

    @property
    def _n_features_out(self) -> int:
        return len(self.weights_)


class CompetitiveLayer(Quantizer):
    """A layer whose nearest unit takes all: it alone moves towards the input.

        j = argmin ‖x - w_j‖²;   w_j ← w_j + η (x - w_j)

    With a conscience, units that win more than their share stand back, so that none stays idle. Each has a share p_j
    of the competitions won, from 1/N, and a bias b_j that counts in a second competition, whose winner learns:

        p_j ← p_j + B (1 - p_j) for the nearest unit, p_k ← p_k - B p_k for the others
        b_j = C s² (1/N - p_j);   k = argmin ‖x - w_k‖² - b_k;   w_k ← w_k + η (x - w_k)

    Args:
        n_units: N.
        conscience: whether there is one (CWTA) or none (WTA).
        bias: C. The larger, the more equal the shares, whatever the sizes of clusters in the data.
        memory: B, one over the number of inputs that a share looks back upon.
        learning_rate: η: (at the start, at the end); it falls evenly. One number: it stays.
        epochs: passes over the rows, each in its own random order.
        init: "sample", rows of X, or "random", uniform between the ends of each column.

    Attributes:
        weights_: w, (units, features).
        shares_: p, (units,).
        scale_: s², the mean squared distance of the first rows from their mean.
        loss_curve_: the mean distance of rows to the unit that learned them, for each pass of the last fit.
        n_iter_: passes done.
        seed_: the seed of weights and orders.

    Source: D. Rumelhart, D. Zipser, "Feature discovery by competitive learning", Cognitive Science 9 (1985);
    D. DeSieno, "Adding a conscience to competitive learning", IEEE ICNN (1988), who has C = 10, B = 0.0001 and no s²,
    which here makes C independent of the scale of X. neurolab's CWTA multiplies distances by numbers of wins instead.

    >>> X = np.array([[0.0], [0.2], [5.0], [5.2], [9.9], [10.1]])
    >>> layer = CompetitiveLayer(n_units=3, conscience=True, epochs=100, random_state=0).fit(X)
    >>> np.sort(layer.weights_.ravel()).round(1)
    array([ 0.1,  5.1, 10. ])
    """

    n_units: PositiveInt = 8
    conscience: Bool = False
    bias: NonNegative = 1.0
    memory: Annotated[float, Number(0, 1, expects="a number from 0 to 1")] = 0.01
    learning_rate: rules.Rates = (0.3, 0.01)
    epochs: PositiveInt = 20
    init: Annotated[str, Choice("sample", "random")] = "sample"

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> CompetitiveLayer:
        done = self._begun()
        if not done:
            self.weights_ = rules.start(X, p.n_units, p.init, self._generator("weights"))
            self.shares_ = np.full(p.n_units, 1 / p.n_units, np.float32)
            self.scale_ = float(X.var(axis=0, dtype=np.float64).sum())
        middle = self._origin(X)
        state, self.loss_curve_ = self._run(
            compete, X - middle, (self.weights_ - middle, self.shares_), np.array(p.learning_rate), p.memory,
            p.bias * self.scale_, draws.key(self.seed_, "order"), done, np.zeros(epochs), p.epochs,
            conscience=p.conscience,
        )  # fmt: skip
        self._finite(state, self.loss_curve_)
        self.weights_, self.shares_ = middle + state[0], state[1]
        self.n_iter_ = done + epochs
        return self


@costs(lambda a: (40 + a.state[0].size / 10) * len(a.x) * len(a.curve))
def compete(
    engine: Engine, x: Array, state: Any, rates: Array, memory: Array, bias: Array, key: Array, first: Array,
    curve: Array, epochs: Array, *, conscience: bool,
) -> Any:  # fmt: skip
    """Passes in which the winner takes all: ((w, p), mean distance of the winner in each pass)."""

    def one(state: Any, given: Any) -> Any:
        (w, p), (x_i, rate) = state, given
        d = ops.sum(ops.square(x_i - w), axis=1)
        n = d.shape[0]
        nearest = engine.one_hot(ops.argmin(d), n, "float32")
        p = p + memory * (nearest - p)
        wins = engine.one_hot(ops.argmin(d - bias * (1 / n - p)), n, "float32") if conscience else nearest
        return (w + (rate * wins)[:, None] * (x_i - w), p), ops.sqrt(ops.sum(wins * d))

    def settings(t: Array) -> Array:
        return rules.between(rates, t, "linear")

    return rules.passes(engine, one, state, x, settings, key, first, curve, epochs)
