"""Adaptive resonance: categories that learn inputs alike enough, and a new one for each that is like none."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar

import numpy as np
from sklearn.base import ClusterMixin

from neuroloom.config import Bool, Check, NonNegative, Number, Positive, PositiveInt
from neuroloom.errors import ConfigurationError
from neuroloom.networks.base import Network
from neuroloom.networks.resonance import art_rules as rules

Share = Annotated[float, Number(0, 1, expects="a number from 0 to 1")]
Rate = Annotated[float, Number(0, 1, open_low=True, expects="a number above 0 and up to 1")]


class _Bounds(Check):
    """The ends of a range."""

    expects = "a tuple of two numbers, the smaller first,"

    def __call__(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise self.refuse()
        number = Number(-np.inf, np.inf, open_low=True, open_high=True, expects=self.expects)
        low, high = (number(v) for v in value)
        if low >= high:
            raise self.refuse()
        return low, high


class _Resonant(Network):
    """Base of all: categories, at most `max_categories`, that a search among them fills."""

    code: ClassVar[str] = "fuzzy"

    vigilance: Share = 0.7
    max_categories: PositiveInt = 1000
    max_iter: PositiveInt = 20

    def _bound(self, p: SimpleNamespace, X: np.ndarray) -> None:
        """Take from the first rows of all what later ones are coded by."""

    def _coded(self, p: SimpleNamespace, X: np.ndarray) -> np.ndarray:
        """The rows of X as the signals that categories are compared with, in float64."""
        raise NotImplementedError  # abstract

    def _settings(self, p: SimpleNamespace) -> dict[str, float]:
        """What the rules read beside signals and weights."""
        return {"vigilance": p.vigilance, "commit": 1.0, "epsilon": 0.0}

    def _resonate(self, p: SimpleNamespace, x: np.ndarray, labels: np.ndarray, again: bool, passes: int) -> np.ndarray:
        """Learn the signals x; the labels of all categories."""
        found = (
            rules.Categories(self.templates_, self._marks(), p.max_categories)
            if again
            else rules.Categories(x[:0], labels[:0], p.max_categories)
        )
        done, lost = rules.learn(x, labels, found, self._settings(p), passes, self.code)
        self.n_categories_: int = found.count
        self.templates_: np.ndarray = found.w.copy()
        self.n_iter_: int = done + (self.n_iter_ if again else 0)
        self._warn(p, lost)
        return found.marks[: found.count].copy()

    def _marks(self) -> np.ndarray:
        return np.zeros(self.n_categories_, np.int32)

    def _winners(self, p: SimpleNamespace, x: np.ndarray, **other: float) -> np.ndarray:
        return rules.winners(x, self.templates_, self._settings(p) | other, self.code)

    def _warn(self, p: SimpleNamespace, lost: int) -> None:
        if lost:
            warnings.warn(
                f"{type(self).__name__} has all of max_categories={p.max_categories} categories in use. Rows that "
                f"match none of them and were not learned: {lost}. Raise max_categories or lower vigilance.",
                UserWarning,
                stacklevel=5,
            )


class _Clusters(ClusterMixin, _Resonant):
    """Base of those that learn without labels."""

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the rows of X, in their order, in passes until one changes nothing (at most `max_iter`)."""
        return self._learn(X, False)

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Learn these rows in addition, in one pass."""
        return self._learn(X, hasattr(self, "templates_"), 1)

    def predict(self, X: Any) -> np.ndarray:
        """The category of each row of X; -1 where none is near enough."""
        X = self._rows(X, reset=False)
        p = self._checked()
        return self._winners(p, self._coded(p, X))

    def _learn(self, X: Any, again: bool, passes: int | None = None) -> Any:
        p = self._start(again)
        X = self._rows(X, reset=not again)
        if not again:
            self._bound(p, X)
        x = self._coded(p, X)
        self._resonate(p, x, np.zeros(len(x), np.int32), again, passes or p.max_iter)
        self.labels_ = self._winners(p, x)
        return self


class _Boxes(_Resonant):
    """Base of those whose categories are boxes: features from 0 to 1, each with its complement."""

    choice: Positive = 0.001
    learning_rate: Rate = 1.0
    fast_commit: Bool = True
    bounds: Annotated[tuple[float, float], _Bounds()] | None = None

    @property
    def boxes_(self) -> np.ndarray:
        """The corners of each category's box, the lower ones first, in units of X: (categories, 2, features)."""
        d = len(self.lower_)
        u, v = self.templates_[:, :d], 1 - self.templates_[:, d:]
        return self.lower_ + np.stack([u, v], axis=1) * (self.upper_ - self.lower_)

    def _bound(self, p: SimpleNamespace, X: np.ndarray) -> None:
        """Set `lower_` and `upper_`, between which features are scaled."""
        low, high = p.bounds or (X.min(axis=0), X.max(axis=0))
        self.lower_ = np.broadcast_to(low, X.shape[1]).astype(np.float64)
        self.upper_ = np.broadcast_to(high, X.shape[1]).astype(np.float64)

    def _coded(self, p: SimpleNamespace, X: np.ndarray) -> np.ndarray:
        span = self.upper_ - self.lower_
        a = np.clip((X - self.lower_) / np.where(span > 0, span, 1), 0, 1)
        return np.hstack([a, 1 - a])

    def _settings(self, p: SimpleNamespace) -> dict[str, float]:
        mine = {"choice": p.choice, "rate": p.learning_rate, "commit": 1.0 if p.fast_commit else p.learning_rate}
        return super()._settings(p) | mine


class ART1(_Clusters):
    """ART 1: binary patterns in categories, each with a template of what all its patterns have in common.

    For each pattern I (features above 0), |·| the number of ones:

        1. of the categories not yet reset, J is that of largest choice   T_j = |I ∧ w_j| / (α + |w_j|)
        2. if |I ∧ w_J| / |I| ≥ ρ it resonates: w_J ← I ∧ w_J (fast learning); else it is reset, and 1 goes on
        3. if all are reset, a new category has w = I

    Templates only ever lose ones, so that learning comes to an end: after some passes nothing changes any more. What is
    found depends on the order of the rows.

    Args:
        vigilance: ρ, from 0 (coarse) to 1 (a category for each distinct pattern).
        choice: α, L - 1 in the paper: the smaller, the more the search prefers a template that lies within I to
            a larger one of which I has a larger part.
        max_categories: how many there may be. Rows that find no category when all are in use are not learned (a
            warning says how many) and have the label -1.
        max_iter: most passes over the rows.

    Attributes:
        templates_: w, (categories, features), of 0 and 1.
        labels_: the category of each row that was learned last, as `predict` says it.
        n_categories_: how many there are.
        n_iter_: passes done.

    Source: G. Carpenter, S. Grossberg, "A massively parallel architecture for a self-organizing neural pattern
    recognition machine", Computer Vision, Graphics, and Image Processing 37 (1987), with L/(L - 1 + |w|) as bottom-up
    weights and those of new categories in the limit of 0: they are tried last, before categories that share nothing
    with I. A pattern without ones has a category of its own. artlib divides the match by the number of features
    instead of by |I|, so its vigilance means something else, and gives a new category bottom-up weights as if it had
    all ones.

    >>> net = ART1(vigilance=0.6).fit([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])
    >>> print(net.labels_, net.predict([[0, 0, 0, 0, 1], [0, 1, 0, 1, 0]]))
    [0 0 1 1] [ 1 -1]
    >>> net.templates_
    array([[1., 1., 0., 0., 0.],
           [0., 0., 0., 1., 1.]])
    """

    code: ClassVar[str] = "binary"

    choice: Positive = 1.0

    def _coded(self, p: SimpleNamespace, X: np.ndarray) -> np.ndarray:
        return (X > 0).astype(np.float64)

    def _settings(self, p: SimpleNamespace) -> dict[str, float]:
        return super()._settings(p) | {"choice": p.choice, "rate": 1.0}


class FuzzyART(_Boxes, _Clusters):
    """Fuzzy ART: numbers in categories, each of which is a box around its rows.

    Each row a, scaled to [0, 1], is given with its complement: I = (a, 1 - a), whose size |I| = Σ I_i is the number of
    features d. As in ART 1, with the smaller number for what two have in common, ∧ = min:

        1. of the categories not yet reset, J is that of largest choice   T_j = |I ∧ w_j| / (α + |w_j|)
        2. if |I ∧ w_J| / d ≥ ρ it resonates:   w_J ← β (I ∧ w_J) + (1 - β) w_J;   else it is reset, and 1 goes on
        3. if all are reset, a new category has w = I (from w = 1 and by β without `fast_commit`)

    w = (u, 1 - v) is the box from u to v. With β = 1 it is the smallest around all rows that the category has learned;
    its sides add up to at most d (1 - ρ), and boxes only ever grow, so that learning comes to an end.

    Args:
        vigilance: ρ, from 0 (coarse) to 1 (a category for each distinct row).
        choice: α. Near 0 a row that lies in boxes goes to the smallest of them.
        learning_rate: β; 1 is fast learning.
        fast_commit: whether a new category takes its first row in at once, however small β (fast commit, slow recode).
            Without, boxes begin turned inside out.
        bounds: (low, high): what becomes 0 and 1 in each feature. None: the smallest and largest number of each
            feature in the rows of `fit`, or of the first `partial_fit`. Numbers beyond count as the bound.
        max_categories: how many there may be. Rows that find no category when all are in use are not learned (a
            warning says how many) and have the label -1.
        max_iter: most passes over the rows.

    Attributes:
        templates_: w, (categories, 2 · features).
        boxes_: u and v in units of X, (categories, 2, features).
        labels_: the category of each row that was learned last, as `predict` says it.
        lower_, upper_: the bounds of each feature.
        n_categories_: how many there are.
        n_iter_: passes done.

    Source: G. Carpenter, S. Grossberg, D. Rosen, "Fuzzy ART: fast stable learning and categorization of analog
    patterns by an adaptive resonance system", Neural Networks 4 (1991), with new categories tried last (their
    weights, before they learn, in the limit of large numbers). artlib's `predict` has no test of vigilance (no -1), it
    makes a fixed number of passes, and rounding decides there between equal choices; here the first category wins.

    >>> net = FuzzyART(vigilance=0.75, bounds=(0, 10)).fit([[1, 1], [2, 4], [9, 8], [8, 9], [1, 2]])
    >>> print(net.labels_, net.predict([[5, 5]]))
    [0 0 1 1 0] [-1]
    >>> net.boxes_.round(6).tolist()
    [[[1.0, 1.0], [2.0, 4.0]], [[8.0, 8.0], [9.0, 9.0]]]
    """


class ART2A(_Clusters):
    """ART 2-A: directions in categories, whatever the lengths of the rows.

    With N(x) = x/‖x‖ and F(x) = x where |x| > θ, else 0:   I = N(F(N(x)))

        1. J is the category of largest choice   T_j = I·w_j
        2. if T_J ≥ ρ and T_J ≥ α Σ |I_i| it resonates:   w_J ← N(β N(ψ) + (1 - β) w_J),   ψ = I where |w_J| > θ, else 0
        3. else a new category has w = I

    A feature that fell to θ or below in a category stays there: θ > 0 makes categories of the features that all
    their rows have, as ART 1 does.

    Args:
        vigilance: ρ, the least cosine between a row and its category.
        choice: α, at most 1/√features.
        learning_rate: β; with 1 a category is its last row, in the features that it has.
        theta: θ, below 1/√features.
        max_categories: how many there may be. Rows that find no category when all are in use are not learned (a
            warning says how many) and have the label -1.
        max_iter: most passes over the rows.

    Attributes:
        templates_: w, (categories, features), of length 1.
        labels_: the category of each row that was learned last, as `predict` says it.
        n_categories_: how many there are.
        n_iter_: passes done.

    Source: G. Carpenter, S. Grossberg, D. Rosen, "ART 2-A: an adaptive resonance algorithm for rapid category
    learning and recognition", Neural Networks 4 (1991), which has no negative numbers; here they count by their size
    where they are compared with θ, and a row of zeros has a category of its own. artlib has neither N nor θ.

    >>> net = ART2A(vigilance=0.9).fit([[1, 2, 0], [2, 4, 0.1], [0, 1, 5], [0, 3, 15]])
    >>> print(net.labels_, net.predict([[10, 21, 0], [1, 0, 0]]))
    [0 0 1 1] [ 0 -1]
    """

    code: ClassVar[str] = "cosine"

    vigilance: Share = 0.9
    choice: NonNegative = 0.0
    learning_rate: Rate = 0.1
    theta: NonNegative = 0.0

    def _coded(self, p: SimpleNamespace, X: np.ndarray) -> np.ndarray:
        most = 1 / np.sqrt(X.shape[1])
        if p.theta >= most or p.choice > most:
            raise ConfigurationError(
                f"ART2A expected theta below, and choice up to, 1/√features = {most:.4g}, received theta={p.theta} "
                f"and choice={p.choice}."
            )
        x = _unit(X.astype(np.float64))
        return _unit(np.where(abs(x) > p.theta, x, 0.0))

    def _settings(self, p: SimpleNamespace) -> dict[str, float]:
        return super()._settings(p) | {"choice": p.choice, "rate": p.learning_rate, "theta": p.theta}


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)
