"""Kohonen's self-organizing map."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from neuroloom.config import Bool, Choice, PositiveInt, Sizes
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.competitive import layer_rules as rules
from neuroloom.networks.competitive import som_grid, som_rules
from neuroloom.networks.competitive.layer import Quantizer
from neuroloom.ops import draws

NAMES = {"manhattan": "cityblock"}
"""SciPy's names of distances, where they differ."""


class SelfOrganizingMap(Quantizer):
    """Kohonen's map: units on a grid learn to lie among the data so that neighbours on the grid lie near each other.

    The winner c of an input x is the unit whose weights are nearest. It and its neighbours on the grid move:

        c = argmin_j ‖x - w_j‖
        online   w_j ← w_j + η(t) h(d_cj) (x - w_j)                                   row after row
        batch    w_j ← w_j + Σ_x h(d_cj) (x - w_j) / Σ_x |h(d_cj)|                    all rows at once

    where d_cj is the distance from c to j on the grid and h falls with it (r = r(t), the radius):

        gaussian     h = exp(-d²/2r²)                    bubble     h = 1 for d ≤ r, else 0
        mexican_hat  h = (1 - d²/r²) exp(-d²/2r²)        triangle   h = max(0, 1 - d/r)

    For h ≥ 0 the batch rule is the weighted mean of the rows. Missing values (NaN) are left out of distances and
    steps. A Mexican hat pushes units away, the stronger the farther they are: they are held between the ends of each
    column of X, and represent the data worse than with the others.

    Args:
        shape: units along each axis of the grid: (rows, columns), a number for a line, or more axes.
        grid: "rectangular" or "hexagonal" (two axes; odd rows lie half a unit to the right).
        toroidal: whether opposite edges of the grid meet.
        neighborhood: h: "gaussian", "bubble", "mexican_hat" or "triangle".
        distance: of inputs to weights: "euclidean", "manhattan", "chebyshev" or "cosine" (1 - cos). Steps are the same
            for all.
        training: "batch" or "online".
        init: first weights: "pca", on the plane of the first principal components; "sample", rows of X; "random",
            uniform between the ends of each column.
        learning_rate: η: (at the start, at the end), at most 1; for online training.
        radius: r: (at the start, at the end), in units of the grid; None is half the longest axis, then
            0.5 for a Gaussian, 1 for the others. The smaller the end, the nearer the units lie to the data, and the
            less their order counts: a 10 x 10 Gaussian map of scikit-learn's digits (pixels from 0 to 1) has
            quantization and topographic errors of 1.39 and 0.015 with 1, of 1.23 and 0.046 with 0.5; 100 means
            (k-means), which have no order, have 1.09.
        decay: how both get from start to end: "linear", "exponential" or "inverse".
        epochs: passes over the rows.

    Attributes:
        weights_: w, (units, features); unit 0 is at (0, 0), unit 1 at (0, 1), ...
        positions_: where the units lie on the plane of the grid, (units, axes).
        loss_curve_: the mean distance of the rows to their winners in each pass of the last fit: before the pass
            (batch), or while it goes on (online).
        n_iter_: passes done.
        seed_: the seed of weights and orders.

    Source: T. Kohonen, "Self-organized formation of topologically correct feature maps", Biological Cybernetics 43
    (1982); "Essentials of the self-organizing map", Neural Networks 37 (2013). MiniSom's bubble and triangle are
    products over the axes, its Chebyshev distance lacks the absolute value, its distortion is not squared, and its
    Mexican hat lets weights grow without bound.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> som = SelfOrganizingMap(shape=(6, 5), random_state=0).fit(X)
    >>> som.transform(X[:2]).shape, som.weights_.shape
    ((2, 30), (30, 4))
    >>> som.topographic_error(X) < 0.1
    True
    >>> som.cluster(3).shape
    (6, 5)
    """

    shape: Sizes = (10, 10)
    grid: Annotated[str, Choice("rectangular", "hexagonal")] = "rectangular"
    toroidal: Bool = False
    neighborhood: Annotated[str, Choice("gaussian", "bubble", "mexican_hat", "triangle")] = "gaussian"
    distance: rules.Distance = "euclidean"
    training: Annotated[str, Choice("batch", "online")] = "batch"
    init: Annotated[str, Choice("pca", "sample", "random")] = "pca"
    learning_rate: rules.Rates = (0.5, 0.01)
    radius: rules.Ends | None = None
    decay: rules.Decay = "linear"
    epochs: PositiveInt = 20

    # --------------------------------------------------------------------------------------------- what it says of X

    def positions(self, X: Any) -> np.ndarray:
        """Where on the grid the winner of each row of X lies: (rows, axes)."""
        winners = self.predict(X)
        return self.positions_[winners]

    def topographic_error(self, X: Any) -> float:
        """The share of rows of X whose two nearest units do not touch on the grid. Corners touch, too."""
        nearest = np.argsort(self.transform(X), axis=1, kind="stable")[:, :2]
        if nearest.shape[1] < 2:
            return 0.0
        return float(1 - self._neighbours()[nearest[:, 0], nearest[:, 1]].mean())

    def distortion(self, X: Any) -> float:
        """The mean over the rows of X of Σ_j h(d_cj) ‖x - w_j‖², with the radius that learning ends with."""
        p, d = self._settled(), self.transform(X)
        h = som_rules.influence(self._squared(p), np.asarray(p.radius[1]), p.neighborhood)
        return float((h[d.argmin(axis=1)] * d**2).sum(axis=1).mean())

    def hit_map(self, X: Any) -> np.ndarray:
        """How many rows of X each unit is the nearest to, in the shape of the grid."""
        winners = self.predict(X)
        return np.bincount(winners, minlength=len(self.weights_)).reshape(self._shape())

    def label_map(self, X: Any, y: Any) -> np.ndarray:
        """The most frequent label among the rows of X that each unit is nearest to, in the shape of the grid.

        None where there are no such rows; of equally frequent labels the smallest.

        Raises:
            ShapeError: there are not as many labels as rows.
        """
        winners = self.predict(X)
        if np.shape(y) != winners.shape:
            raise ShapeError(f"label_map expected {len(winners)} labels, one per row, received shape {np.shape(y)}.")
        names, labels = np.unique(y, return_inverse=True)
        votes = np.zeros((len(self.weights_), len(names)), int)
        np.add.at(votes, (winners, labels), 1)
        found = names.astype(object)[votes.argmax(axis=1)]
        found[votes.sum(axis=1) == 0] = None
        return found.reshape(self._shape())

    # ------------------------------------------------------------------------------------------ what it says of itself

    def u_matrix(self) -> np.ndarray:
        """The mean distance of each unit's weights to those of the units that touch it, in the shape of the grid.

        Low values are inside clusters, high ones are borders (A. Ultsch, 1990).
        """
        check_is_fitted(self)
        touch = self._neighbours()
        apart = cdist(self.weights_, self.weights_, NAMES.get(self.distance, self.distance))
        return ((apart * touch).sum(axis=1) / np.maximum(touch.sum(axis=1), 1)).reshape(self._shape())

    def component_planes(self) -> np.ndarray:
        """The weights of each feature in the shape of the grid: (features, *shape)."""
        check_is_fitted(self)
        return self.weights_.T.reshape(-1, *self._shape())

    def cluster(self, n_clusters: int) -> np.ndarray:
        """Regions of the grid, by Ward's method over units that touch: a number per unit, in the shape of the grid.

        `som.cluster(3).ravel()[som.predict(X)]` are clusters of rows (Vesanto and Alhoniemi, IEEE Trans. Neural
        Networks 11, 2000).

        Raises:
            ConfigurationError: `n_clusters` is not a whole number from 1 to the number of units.
        """
        check_is_fitted(self)
        if isinstance(n_clusters, bool) or not isinstance(n_clusters, int) or not 0 < n_clusters <= len(self.weights_):
            raise ConfigurationError(
                f"cluster expected n_clusters to be a whole number from 1 to {len(self.weights_)}, the number of "
                f"units, received {n_clusters!r}."
            )
        if len(self.weights_) == 1:
            return np.zeros(self._shape(), np.int64)
        ward = AgglomerativeClustering(n_clusters, connectivity=self._neighbours().astype(int))
        return ward.fit_predict(self.weights_).reshape(self._shape())

    # ----------------------------------------------------------------------------------------------------- inside

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> SelfOrganizingMap:
        p, done = self._settled(), self._begun()
        shift = self._origin(X)
        w = self.weights_ if done else self._first(p, X)
        modes = {"distance": p.distance, "kind": p.neighborhood, "decay": p.decay, "missing": bool(np.isnan(X).any())}
        places = done, np.zeros(epochs), float(p.epochs)
        values = X - shift, w - shift, self._squared(p)
        if p.training == "online":
            ways = np.array(p.learning_rate), np.array(p.radius), draws.key(self.seed_, "order")
            w, self.loss_curve_ = self._run(som_rules.online, *values, *ways, *places, **modes)
        else:
            w, self.loss_curve_ = self._run(som_rules.batch, *values, np.array(p.radius), *places, **modes)
        self._finite(w, self.loss_curve_)
        self.weights_: np.ndarray = w + shift
        self.positions_ = som_grid.positions(p.shape, p.grid)
        self.n_iter_ = done + epochs
        return self

    def _first(self, p: SimpleNamespace, X: np.ndarray) -> np.ndarray:
        if p.init == "pca":
            return som_grid.unfolded(X, p.shape, p.grid)
        return rules.start(X, int(np.prod(p.shape)), p.init, self._generator("weights"))

    def _settled(self) -> SimpleNamespace:
        """The parameters, with the radius that None stands for."""
        p = self._grid()
        end = 0.5 if p.neighborhood == "gaussian" else 1.0
        p.radius = p.radius or (max(max(p.shape) / 2, 1.0), end)
        return p

    def _grid(self) -> SimpleNamespace:
        """The parameters, after a look at whether there is such a grid and whether the units fit it."""
        p = self._checked()
        som_grid.check(p.shape, p.grid, p.toroidal)
        if hasattr(self, "weights_") and len(self.weights_) != np.prod(p.shape):
            raise ConfigurationError(
                f"SelfOrganizingMap was fitted with {len(self.weights_)} units, and now has shape {p.shape}. Fit it "
                f"again."
            )
        return p

    def _squared(self, p: SimpleNamespace) -> np.ndarray:
        return som_grid.squared_distances(p.shape, p.grid, p.toroidal)

    def _neighbours(self) -> np.ndarray:
        p = self._grid()
        return som_grid.neighbours(p.shape, p.grid, p.toroidal)

    def _shape(self) -> tuple[int, ...]:
        return tuple(self._grid().shape)

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        return self._rows(X, reset=reset, ensure_all_finite="allow-nan")

    def _distance(self) -> str:
        return str(self.distance)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
