"""Networks of radial units: a layer of Gaussians around centres, and a linear layer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.cluster import KMeans

from neuroloom import ops, optimizers
from neuroloom.config import Choice, Count, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ByScores, ManyTargets, targets_of
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.radial.kernel import squared_distances
from neuroloom.typing import Array, Tree

CANDIDATES = 2000
"""Most examples among which orthogonal least squares looks for centres."""

TINY = 1e-10
"""A candidate that keeps a smaller share of its length beside those chosen adds nothing."""


class _Radial(Network):
    """What the regressor and the classifier share."""

    n_centers: PositiveInt = 20
    centers: Annotated[str, Choice("kmeans", "ols", "gradient")] = "kmeans"
    width: Positive | None = None
    max_iter: Count = 200
    learning_rate: Positive = 0.01

    def _learn(self, p: SimpleNamespace, X: np.ndarray, targets: np.ndarray) -> None:
        """Set centres, widths and the linear layer for targets (examples, outputs)."""
        targets = targets.astype(np.float64)
        n = min(p.n_centers, len(np.unique(X, axis=0)))
        self.n_iter_ = 1
        if p.centers == "ols":
            width = neighbour_widths(self._clusters(X, n)).mean() if p.width is None else p.width
            centers, widths = self._selected(X, targets, n, float(width))
        else:
            centers = self._clusters(X, n)
            widths = neighbour_widths(centers) if p.width is None else np.full(n, p.width)
        if p.centers == "gradient":
            centers, widths = self._descended(p, X, targets, centers, widths)
        self.centers_, self.widths_ = centers, widths
        self._solve(self._hidden(X), targets)

    def _clusters(self, X: np.ndarray, n: int) -> np.ndarray:
        seed = int(self._generator("clusters").integers(2**31))
        return KMeans(n, n_init=1, random_state=seed).fit(X.astype(np.float64)).cluster_centers_

    def _selected(self, X: np.ndarray, targets: np.ndarray, n: int, width: float) -> tuple[np.ndarray, np.ndarray]:
        among = self._generator("candidates").permutation(len(X))[:CANDIDATES] if len(X) > CANDIDATES else slice(None)
        middle = X[among].mean(axis=0, dtype=np.float64)
        phi = self._run(gaussians, X - middle, X[among] - middle, np.full(len(X[among]), width))
        chosen = orthogonal_selection(phi, targets, n)
        self.error_reduction_ = chosen[1]
        return X[among][chosen[0]], np.full(len(chosen[0]), width)

    def _descended(
        self, p: SimpleNamespace, X: np.ndarray, targets: np.ndarray, centers: np.ndarray, widths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        middle, scale, mean = centers.mean(axis=0), X.std(axis=0, dtype=np.float64).mean() or 1.0, targets.mean(axis=0)
        x, centers, widths = (X - middle) / scale, (centers - middle) / scale, widths / scale
        self._solve(self._answer(gaussians, x, centers, widths), targets)
        start = {
            "centers": centers, "log_widths": np.log(widths), "weights": self.coef_.T, "bias": self.intercept_ - mean
        }  # fmt: skip
        found, self.loss_curve_ = self._run(descend, start, x, targets - mean, p.learning_rate, steps=p.max_iter)
        self._finite(found)
        self.n_iter_ = max(p.max_iter, 1)
        return middle + scale * found["centers"], scale * np.exp(found["log_widths"].astype(np.float64))

    def _solve(self, phi: np.ndarray, targets: np.ndarray) -> None:
        """The linear layer, by least squares in float64."""
        rows = np.hstack([phi, np.ones((len(phi), 1))]).astype(np.float64)
        solution = np.linalg.lstsq(rows, targets, rcond=1e-7)[0]
        self.coef_, self.intercept_ = solution[:-1].T.copy(), solution[-1].copy()

    def _outputs(self, X: Any) -> np.ndarray:
        """(rows, outputs), float64."""
        return self._hidden(self._rows(X, reset=False)) @ self.coef_.T + self.intercept_

    def _hidden(self, X: np.ndarray) -> np.ndarray:
        """What the units say of each row, (rows, units); distances are taken from the middle, for their digits."""
        middle = self.centers_.mean(axis=0)
        return self._per_row(gaussians, X - middle, self.centers_ - middle, self.widths_)


class RBFRegressor(ManyTargets, _Radial):
    """Radial basis function network: Gaussian units around centres, and a linear layer over them.

        ŷ(x) = b + Σⱼ wⱼ exp(-‖x - cⱼ‖² / 2σⱼ²)

    Centres c are the means that k-means finds; or those examples that orthogonal least squares selects, one after the
    other, by how much squared error each takes away; or they start from k-means and go down the gradient together
    with σ, w and b (Adam). w and b are last solved for by least squares.

    Args:
        n_centers: how many units, at most one per different example.
        centers: 'kmeans', 'ols' or 'gradient'.
        width: σ, in the units of the features (scale them alike first), for all units; None takes for each unit the
            root of the mean squared distance to its two nearest neighbours.
        max_iter: steps of gradient descent, all examples each.
        learning_rate: of gradient descent; that of centres is in units of the features' mean standard deviation.

    Attributes:
        centers_: c, (units, features).
        widths_: σ, (units,).
        coef_: w, (outputs, units).
        intercept_: b, (outputs,).
        error_reduction_: with 'ols', the share of the squared error that each centre took away, in order.
        loss_curve_: with 'gradient', the mean squared error before each step.

    Source: D. Broomhead and D. Lowe, Complex Systems 2 (1988); J. Moody and C. Darken, Neural Computation 1 (1989);
    S. Chen, C. Cowan and P. Grant, "Orthogonal least squares learning algorithm for radial basis function networks",
    IEEE Trans. Neural Networks 2 (1991).

    >>> import numpy as np
    >>> x = np.linspace(0, 6, 60)[:, None]
    >>> net = RBFRegressor(n_centers=8, random_state=0).fit(x, np.sin(x[:, 0]))
    >>> bool(abs(net.predict(x) - np.sin(x[:, 0])).max() < 0.05)
    True
    """

    def fit(self, X: Any, y: Any) -> RBFRegressor:
        """Learn from X (examples, features) and targets y, (examples,) or (examples, outputs)."""
        p = self._start()
        X, y = self._rows(X, y, multi_output=True, y_numeric=True)
        self._learn(p, X, self._columns(y))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        return self._as_given(self._outputs(X))


class RBFClassifier(ByScores, _Radial):
    """Radial basis function network that classifies: the output of a class is to be 1 for its examples, else -1.

    The units and the arguments are those of `RBFRegressor`; two classes share one output.

    Args:
        n_centers: how many units, at most one per different example.
        centers: 'kmeans', 'ols' or 'gradient'.
        width: σ of all units; None takes the distance to each unit's two nearest neighbours.
        max_iter: steps of gradient descent, all examples each.
        learning_rate: of gradient descent; that of centres is in units of the features' mean standard deviation.

    Attributes:
        classes_: the labels.
        centers_, widths_, coef_, intercept_, error_reduction_, loss_curve_: as of `RBFRegressor`.

    Source: D. Broomhead and D. Lowe, "Multivariable functional interpolation and adaptive networks", Complex Systems 2
    (1988).

    >>> import numpy as np
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), np.array([0, 1, 1, 0])  # no line separates them
    >>> RBFClassifier(n_centers=4, random_state=0).fit(X, y).score(X, y)
    1.0
    """

    def fit(self, X: Any, y: Any) -> RBFClassifier:
        """Learn from X (examples, features) and labels y."""
        p = self._start()
        X, y = self._rows(X, y)
        self._learn(p, X, targets_of(self._labels(y), len(self.classes_)))
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs: (rows,) for two classes, else (rows, classes)."""
        found = self._outputs(X)
        return found[:, 0] if len(self.classes_) == 2 else found


@direct
def gaussians(engine: Engine, x: Array, centers: Array, widths: Array) -> Array:
    """exp(-‖x - c‖² / 2σ²), (rows, units)."""
    return ops.exp(-squared_distances(x, centers) / (2 * widths**2))


@costs(lambda a: (1000 + a.x.size * len(a.start["centers"]) / 50) * a.steps)
def descend(engine: Engine, start: Tree, x: Array, targets: Array, rate: Array, *, steps: int) -> tuple[Tree, Array]:
    """Adam on the mean squared error over centres, log widths, weights and bias; the error before each step."""
    adam = optimizers.Adam(epsilon=1e-4)  # a smaller one turns rounding into steps where a gradient is nearly zero

    def loss(params: Tree) -> tuple[Array, tuple[()]]:
        phi = gaussians(engine, x, params["centers"], ops.exp(params["log_widths"]))
        return ops.mean(ops.square(phi @ params["weights"] + params["bias"] - targets)), ()

    def step(carry: Any, i: Array) -> Any:
        params, slots = carry
        (value, _), grads = engine.value_and_grad(loss)(params)
        return adam.update(params, grads, slots, rate, i), value

    (params, _), curve = engine.scan(step, (start, adam.init(start)), engine.arange(steps))
    return params, curve


def neighbour_widths(centers: np.ndarray) -> np.ndarray:
    """For each centre the root of the mean squared distance to its two nearest neighbours (1 if it is alone)."""
    if len(centers) == 1:
        return np.ones(1)
    squared = ((centers[:, None] - centers) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    nearest = np.sort(squared, axis=1)[:, : min(2, len(centers) - 1)]
    return np.sqrt(nearest.mean(axis=1))


def orthogonal_selection(phi: np.ndarray, targets: np.ndarray, n: int) -> tuple[list[int], np.ndarray]:
    """Columns of phi by forward selection, and the share of the squared error that each takes away.

    What is chosen, as the mean at the start, for which there is a bias, is taken out of the error and out of the
    remaining columns (Gram and Schmidt). Of the columns only what a choice needs is brought up to date, their lengths
    and their products with the error: those of the columns as given, since the error lies at right angles to what was
    taken out. So a step reads phi once and writes none of it.
    """
    columns, error = phi.astype(np.float64), targets - targets.mean(axis=0)
    columns -= columns.mean(axis=0)
    left, total = np.einsum("nc,nc->c", columns, columns), max((error**2).sum(), np.finfo(float).tiny)
    least, products = TINY * left.max(), columns.T @ error
    basis = np.empty((0, len(columns)))
    chosen: list[int] = []
    shares: list[float] = []
    for _ in range(n):
        gain = np.where(left > least, (products**2).sum(axis=1) / np.maximum(left, TINY), -1)
        best = int(gain.argmax())
        if chosen and gain[best] <= 0:
            break
        direction = columns[:, best]
        for _ in range(2):  # once more for what rounding left
            direction = direction - basis.T @ (basis @ direction)
        direction = direction / max(np.linalg.norm(direction), np.finfo(float).tiny)
        error = error - np.outer(direction, direction @ error)
        found = np.hstack([error, direction[:, None]]).T @ columns
        products, left = found[:-1].T, left - found[-1] ** 2
        left[best] = 0
        basis = np.vstack([basis, direction])
        chosen.append(best)
        shares.append(float(max(gain[best], 0) / total))
    return chosen, np.array(shares)
