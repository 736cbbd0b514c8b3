"""Learning vector quantisation that goes down the gradient of a cost: GLVQ, GRLVQ, GMLVQ, RSLVQ."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.base import TransformerMixin

from neuroloom import ops, optimizers
from neuroloom.config import Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import costs, direct
from neuroloom.networks.competitive.lvq import Prototypes
from neuroloom.networks.radial.kernel import log_share, squared_distances
from neuroloom.typing import Array, Tree


class _Descending(Prototypes):
    """Prototypes that follow the gradient of a cost over all examples, by Adam."""

    learning_rate: Positive = 0.02
    max_iter: PositiveInt = 300

    _cost = "glvq"

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (examples, features) with labels y."""
        p = self._start()
        X, y = self._rows(X, y)
        labels = self._labels(y)
        self._first_prototypes(X, labels, p.prototypes_per_class)
        middle = self.prototypes_.mean(axis=0)
        scale = X.std(axis=0, dtype=np.float64).mean() or 1.0
        start = {"prototypes": (self.prototypes_ - middle) / scale, **self._first_metric(p, X.shape[1])}
        found, self.loss_curve_ = self._run(
            descend, start, (X - middle) / scale, labels, self.prototype_labels_, p.learning_rate,
            getattr(p, "sigma", 1.0) / scale, cost=self._cost, steps=p.max_iter,
        )  # fmt: skip
        self._finite(found, self.loss_curve_)
        self.prototypes_ = middle + scale * found["prototypes"]
        self._keep_metric(found)
        self.n_iter_ = p.max_iter
        return self

    def _first_metric(self, p: SimpleNamespace, features: int) -> dict[str, np.ndarray]:
        return {}

    def _keep_metric(self, found: dict[str, np.ndarray]) -> None:
        pass


class GLVQ(_Descending):
    """Generalised learning vector quantisation: prototypes that go down the gradient of a margin.

        E = Σᵢ (d⁺ - d⁻) / (d⁺ + d⁻)

    with d⁺ the squared distance of example i to the nearest prototype of its class and d⁻ to the nearest of another.

    Args:
        prototypes_per_class: how many; they start at the means that k-means finds in each class.
        learning_rate: of Adam, in units of the features' mean standard deviation.
        max_iter: steps, over all examples each.

    Attributes:
        prototypes_: (prototypes, features).
        prototype_labels_: their classes, as positions in `classes_`.
        classes_: the labels.
        loss_curve_: E divided by the number of examples, before each step.

    Other programs take one example a step. Source: A. Sato and K. Yamada, "Generalized learning vector quantization",
    NIPS 8 (1996).

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> net = GLVQ(random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.94 and net.loss_curve_[-1] < net.loss_curve_[0])
    True
    """


class GRLVQ(_Descending):
    """GLVQ that also learns how much each feature counts.

        d(x, w) = Σⱼ λⱼ (xⱼ - wⱼ)²,      λⱼ ≥ 0,      Σⱼ λⱼ = 1

    Args:
        prototypes_per_class: how many; they start at the means that k-means finds in each class.
        learning_rate: of Adam, in units of the features' mean standard deviation; of λ one fifth.
        max_iter: steps, over all examples each.

    Attributes:
        relevances_: λ, (features,).
        prototypes_, prototype_labels_, classes_, loss_curve_: as of `GLVQ`.

    Features should have one scale, so that λ can be compared. Source: B. Hammer and T. Villmann, "Generalized
    relevance learning vector quantization", Neural Networks 15 (2002).

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> net = GRLVQ(random_state=0).fit((X - X.mean(0)) / X.std(0), y)
    >>> net.relevances_[2:].sum() > net.relevances_[:2].sum()  # the petals tell more than the sepals
    np.True_
    """

    def _first_metric(self, p: SimpleNamespace, features: int) -> dict[str, np.ndarray]:
        return {"relevances": np.full(features, 1 / features)}

    def _keep_metric(self, found: dict[str, np.ndarray]) -> None:
        self.relevances_ = found["relevances"]

    def _distances(self, X: Any) -> np.ndarray:
        return self._per_row(_scaled_distances, *self._centred(X), np.sqrt(self.relevances_))


class GMLVQ(TransformerMixin, _Descending):
    """GLVQ that also learns a linear map in which distances are measured.

        d(x, w) = ‖Ω (x - w)‖²,      Σ Ω² = 1

    Λ = Ωᵀ Ω says how much each feature, and each pair of features, counts.

    Args:
        prototypes_per_class: how many; they start at the means that k-means finds in each class.
        learning_rate: of Adam, in units of the features' mean standard deviation; of Ω one fifth.
        max_iter: steps, over all examples each.
        rank: rows of Ω; None: as many as there are features. 2 makes `transform` a picture.

    Attributes:
        omega_: Ω, (rank, features).
        relevance_matrix_: Λ, (features, features).
        prototypes_, prototype_labels_, classes_, loss_curve_: as of `GLVQ`.

    Source: P. Schneider, M. Biehl and B. Hammer, "Adaptive relevance matrices in learning vector quantization", Neural
    Computation 21 (2009).

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> net = GMLVQ(random_state=0).fit(X, y)
    >>> bool(net.score(X, y) >= 0.95), round(float(net.relevance_matrix_.trace()), 5)
    (True, 1.0)
    """

    rank: PositiveInt | None = None

    def _first_metric(self, p: SimpleNamespace, features: int) -> dict[str, np.ndarray]:
        rank = features if p.rank is None else min(p.rank, features)
        omega = np.eye(rank, features) + 0.1 * self._generator("omega").normal(size=(rank, features))
        return {"omega": omega / np.sqrt((omega**2).sum())}

    def _keep_metric(self, found: dict[str, np.ndarray]) -> None:
        self.omega_ = found["omega"]
        self.relevance_matrix_ = self.omega_.T @ self.omega_

    def _distances(self, X: Any) -> np.ndarray:
        return self._per_row(_mapped_distances, *self._centred(X), self.omega_)

    def transform(self, X: Any) -> np.ndarray:
        """Ω x, (rows, rank)."""
        return self._rows(X, reset=False).astype(np.float64) @ self.omega_.T


class RSLVQ(_Descending):
    """Robust soft learning vector quantisation: prototypes as a mixture of Gaussians, by the likelihood of the classes.

        E = -Σᵢ log( Σ_{w of the class of xᵢ} exp(-‖xᵢ - w‖² / 2σ²) / Σ_w exp(-‖xᵢ - w‖² / 2σ²) )

    Args:
        prototypes_per_class: how many; they start at the means that k-means finds in each class.
        learning_rate: of Adam, in units of the features' mean standard deviation.
        max_iter: steps, over all examples each.
        sigma: σ, in the units of the features.

    Attributes:
        prototypes_, prototype_labels_, classes_, loss_curve_: as of `GLVQ`, with E of this network.

    Source: S. Seo and K. Obermayer, "Soft learning vector quantization", Neural Computation 15 (2003).

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(RSLVQ(random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    sigma: Positive = 1.0

    _cost = "rslvq"

    def predict_proba(self, X: Any) -> np.ndarray:
        """The share of each class in the mixture at each row of X, (rows, classes)."""
        return np.exp(self._log_shares(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """log P: of the second class against the first, (rows,), for two classes, else (rows, classes)."""
        logs = self._log_shares(X)
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    def _log_shares(self, X: Any) -> np.ndarray:
        """log P(class | x), (rows, classes)."""
        logits = log_softmax(-self._distances(self._rows(X, reset=False)) / (2 * self.sigma**2), axis=1)
        classes = range(len(self.classes_))
        return np.stack([logsumexp(logits[:, self.prototype_labels_ == c], axis=1) for c in classes], axis=1)


@costs(lambda a: (850 + len(a.x) * len(a.marks) / 4) * a.steps)
def descend(
    engine: Engine, start: Tree, x: Array, labels: Array, marks: Array, rate: Array, sigma: Array, *, cost: str,
    steps: int,
) -> tuple[Tree, Array]:  # fmt: skip
    """Adam over prototypes and metric: both at the end, and the mean cost before each step."""
    adam = optimizers.Adam(epsilon=1e-4)  # a smaller one turns rounding into steps where a gradient is nearly zero
    same = labels[:, None] == marks[None, :]
    units = {name: 1.0 if name == "prototypes" else 0.2 for name in start}

    def loss(scaled: Tree) -> tuple[Array, tuple[()]]:
        params = {name: scaled[name] * units[name] for name in scaled}
        squared = distances(x, params)
        return ops.mean(soft(squared, same, sigma) if cost == "rslvq" else margin(squared, same)), ()

    def step(carry: Any, i: Array) -> Any:
        scaled, slots = carry
        (value, _), grads = engine.value_and_grad(loss)(scaled)
        scaled, slots = adam.update(scaled, grads, slots, rate, i)
        return ({name: normal(name, scaled[name] * units[name]) / units[name] for name in scaled}, slots), value

    first = {name: start[name] / units[name] for name in start}
    (scaled, _), curve = engine.scan(step, (first, adam.init(first)), engine.arange(steps))
    return {name: scaled[name] * units[name] for name in scaled}, curve


def normal(name: str, value: Array) -> Array:
    """A metric of size one: λ as shares, Ω with Σ Ω² = 1."""
    if name == "relevances":
        value = ops.maximum(value, 0.0)
        return value / ops.sum(value)
    return value / ops.sqrt(ops.sum(ops.square(value))) if name == "omega" else value


def distances(x: Array, params: Tree) -> Array:
    """Squared distances to the prototypes in the metric of `params`, (rows, prototypes)."""
    w = params["prototypes"]
    if "relevances" in params:  # without their roots, whose derivative at 0 is infinite
        share = params["relevances"]
        across = (x * share) @ ops.permute_dims(w, (1, 0))
        return ops.sum(x * x * share, axis=1)[:, None] - 2 * across + ops.sum(w * w * share, axis=1)[None, :]
    if "omega" in params:
        to = ops.permute_dims(params["omega"], (1, 0))
        x, w = x @ to, w @ to
    return squared_distances(x, w)


def margin(squared: Array, same: Array) -> Array:
    """(d⁺ - d⁻) / (d⁺ + d⁻) of each row."""
    right = ops.min(ops.where(same, squared, np.inf), axis=1)
    wrong = ops.min(ops.where(same, np.inf, squared), axis=1)
    total = right + wrong
    return (right - wrong) / ops.where(total > 0, total, 1.0)


def soft(squared: Array, same: Array, sigma: Array) -> Array:
    """-log of the share of the right class in the mixture, of each row."""
    return -log_share(-squared / (2 * sigma**2), same)


@direct
def _scaled_distances(engine: Engine, x: Array, w: Array, factors: Array) -> Array:
    return squared_distances(x * factors, w * factors)


@direct
def _mapped_distances(engine: Engine, x: Array, w: Array, omega: Array) -> Array:
    to = ops.permute_dims(omega, (1, 0))
    return squared_distances(x @ to, w @ to)
