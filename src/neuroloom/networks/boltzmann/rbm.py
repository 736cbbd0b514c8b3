"""Restricted Boltzmann machines: a layer of visible and a layer of hidden units, joined by symmetric weights."""

from __future__ import annotations

import math
import warnings
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from neuroloom.config import Bool, Fraction, NonNegative, Positive, PositiveInt
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network
from neuroloom.networks.boltzmann import rbm_rules as rules
from neuroloom.ops import draws

LARGEST = 20
"""Units of the smaller side up to which the states are enumerated."""

SLACK = 1e-6
"""How far beyond 0 and 1 rounding may lead."""

NONE = np.zeros(0, np.float32)


def within_unit(network: Network, X: np.ndarray) -> np.ndarray:
    """Values of binary units: those below 0 as 0, those above 1 as 1, with a warning."""
    low, high = X.min(), X.max()
    if low < -SLACK or high > 1 + SLACK:
        warnings.warn(
            f"{type(network).__name__} expected values from 0 to 1, received values from {low:g} to {high:g}: those "
            f"outside count as 0 or 1. Scale X, or take a network of Gaussian visible units, such as GaussianRBM.",
            UserWarning,
            stacklevel=4,
        )
    return np.clip(X, 0, 1)


class _RBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network):
    """What machines of binary and of Gaussian visible units share."""

    renamed: ClassVar[dict[str, str]] = {"n_iter": "epochs"}
    _kind: ClassVar[str]
    _noise: ClassVar[Any]
    _start_of_ais: ClassVar[Any]

    n_components: PositiveInt = 256
    learning_rate: Positive = 0.1
    batch_size: PositiveInt = 10
    epochs: PositiveInt = 10
    k: PositiveInt = 1
    persistent: Bool = True
    momentum: Fraction = 0.0
    weight_decay: NonNegative = 0.0

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the distribution of the rows of X."""
        p = self._start()
        X = self._inputs(X, reset=True)
        self._begin(p, X)
        return self._learn(p, X, p.epochs)

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """One more pass, over these rows; the chains go on."""
        again = hasattr(self, "components_")
        p = self._start(again)
        X = self._inputs(X, reset=not again)
        if not again:
            self._begin(p, X)
        return self._learn(p, X, 1)

    def transform(self, X: Any) -> np.ndarray:
        """P(h = 1 | v) of each row: (examples, components)."""
        return self._answer(rules.hidden_means, self._net, self._inputs(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """E(v | h) of each row of hidden values: (examples, features)."""
        check_is_fitted(self)
        X = check_array(X, dtype=np.float64)
        if X.shape[1] != self._n_features_out:
            raise ShapeError(f"inverse_transform expected {self._n_features_out} columns, received {X.shape[1]}.")
        return self._answer(rules.visible_means, self._net, X, kind=self._kind)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What the hidden probabilities of each row make of it: (examples, features)."""
        return self.inverse_transform(self.transform(X))

    def free_energy(self, X: Any) -> np.ndarray:
        """F(v) of each row, where p(v) = exp(-F(v)) / Z: (examples,)."""
        return self._answer(rules.free_energy, self._net, self._inputs(X), kind=self._kind)

    def sample(self, n_samples: int = 1, steps: int = 1000, X: Any = None, seed: int = 0) -> np.ndarray:
        """Visible states at the end of Gibbs chains: (n_samples, features).

        Args:
            n_samples: chains.
            steps: how often both layers are drawn anew.
            X: rows that the chains start from, instead of noise; there are as many chains, then.
            seed: another number gives other states.
        """
        check_is_fitted(self)
        start = self._noise(n_samples, seed) if X is None else self._inputs(X)
        key = draws.key(self.seed_, "sample", seed)
        return self._run(rules.sample, self._net, start, steps, key, kind=self._kind).astype(np.float64)

    def log_partition(self) -> float:
        """ln Z, exactly, by a sum over all states of the smaller layer.

        Raises:
            ConfigurationError: it has more than 20 units; `ais` estimates ln Z then.
        """
        check_is_fitted(self)
        units = self.components_.shape[0] if self._kind == "gaussian" else min(self.components_.shape)
        if units > LARGEST:
            raise ConfigurationError(
                f"{type(self).__name__} expected at most {LARGEST} units to enumerate, received {units}. Estimate: "
                f"log_likelihood(X, log_z=net.ais()[0])."
            )
        return rules.log_partition(self._net, self._kind)

    def log_likelihood(self, X: Any, log_z: float | None = None) -> np.ndarray:
        """ln p(v) of each row: (examples,).

        Args:
            log_z: ln Z, as `ais` estimates it; None: exactly, see `log_partition`.
        """
        return -self.free_energy(X) - (self.log_partition() if log_z is None else log_z)

    def ais(self, chains: int = 100, steps: int = 1000) -> tuple[float, float, float]:
        """An estimate of ln Z by annealed importance sampling, and bounds three standard errors below and above it.

        The chains go from independent units with the means of the training data to this machine in so many steps.
        """
        check_is_fitted(self)
        base, log_z, start = self._start_of_ais(chains)
        key, temperatures = draws.key(self.seed_, "ais"), np.linspace(0, 1, steps + 1)
        gains = self._run(rules.anneal, self._net, base, temperatures, start, key, kind=self._kind)
        log_weights = log_z + self.components_.shape[0] * math.log(2) + gains.sum(axis=0, dtype=np.float64)
        return rules.bounds(log_weights)

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        """X as checked rows of visible values."""
        return self._rows(X, reset=reset)

    @property
    def _net(self) -> tuple[np.ndarray, ...]:
        return self.components_, self.intercept_visible_, self.intercept_hidden_

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]

    def _begin(self, p: SimpleNamespace, X: np.ndarray) -> None:
        shape = (p.n_components, X.shape[1])
        self.components_ = self._generator("weights").normal(0, 0.01, shape).astype(np.float32)
        self.intercept_visible_, self.intercept_hidden_ = (np.zeros(n, np.float32) for n in reversed(shape))
        self.chains_ = np.zeros((p.batch_size, p.n_components), np.float32)
        self.velocity_ = NONE
        self.means_, self.n_seen_, self.n_iter_, self.loss_curve_ = np.zeros(X.shape[1]), 0, 0, np.zeros(0)

    def _learn(self, p: SimpleNamespace, X: np.ndarray, epochs: int) -> Any:
        net, velocity, chains, measures = self._run(
            rules.train, self._net, self._velocity(), self.chains_, X, draws.key(self.seed_, "train", self.n_iter_),
            p.learning_rate, p.momentum, p.weight_decay, batch=p.batch_size, epochs=epochs, k=p.k,
            persistent=p.persistent, moving=p.momentum > 0, kind=self._kind,
        )  # fmt: skip
        self._finite(net, velocity, measures)
        self.components_, self.intercept_visible_, self.intercept_hidden_ = net
        self.chains_ = chains
        self.velocity_ = np.concatenate([part.ravel() for part in velocity]) if p.momentum else NONE
        self.means_ = self.means_ + (X.mean(axis=0, dtype=np.float64) - self.means_) * len(X) / (self.n_seen_ + len(X))
        self.n_seen_ += len(X)
        self.n_iter_ += epochs
        self.loss_curve_ = np.concatenate([self.loss_curve_, measures])
        return self

    def _velocity(self) -> tuple[np.ndarray, ...]:
        """What momentum remembers, in the shapes of the weights."""
        ends = np.cumsum([part.size for part in self._net])
        flat = self.velocity_ if self.velocity_.size else np.zeros(ends[-1], np.float32)
        return tuple(part.reshape(own.shape) for part, own in zip(np.split(flat, ends[:-1]), self._net, strict=True))


class BernoulliRBM(_RBM):
    """Restricted Boltzmann machine of binary units: learns features, and the distribution of its data.

    Visible units v (the columns: 0, 1 or probabilities between; values outside count as 0 or 1, with a warning) and
    hidden units h have the energy

        E(v, h) = -bᵀ v - cᵀ h - hᵀ W v,      p(v) = Σ_h exp(-E(v, h)) / Z = exp(-F(v)) / Z
        P(h_j = 1 | v) = σ(c_j + W_j v),      P(v_i = 1 | h) = σ(b_i + hᵀ W_i)

    and each batch moves W (b and c likewise) along an estimate of the likelihood's gradient,

        ΔW = η (⟨h vᵀ⟩ of the batch - ⟨h vᵀ⟩ of chains after k steps - λ W) + μ ΔW of the batch before

    with chains that start at the batch (contrastive divergence, CD-k) or go on from batch to batch (persistent, PCD).

    Args:
        n_components: hidden units.
        learning_rate: η.
        batch_size: rows per step, and persistent chains.
        epochs: passes over the rows, each in an order of its own (also: `n_iter`).
        k: steps of the chains per batch.
        persistent: True for PCD, False for CD-k.
        momentum: μ.
        weight_decay: λ.

    Attributes:
        components_: W, (components, features).
        intercept_visible_: b, (features,).
        intercept_hidden_: c, (components,).
        chains_: the hidden states of the chains, (batch_size, components).
        loss_curve_: after each pass, an estimate of the mean negative log pseudo-likelihood, -Σᵢ ln p(vᵢ | the other
            units), from one unit of each of the first 500 rows; `score_samples` has it exactly, with a plus sign.
        n_iter_: passes done.
        n_seen_: rows seen, those of each call counted once.
        means_: their mean, (features,), for `ais`.
        velocity_: the last changes of W, b and c, one after the other, if there is momentum.
        seed_: the seed of weights, orders and chains.

    Source: P. Smolensky, "Information processing in dynamical systems", Parallel Distributed Processing 1 (1986);
    G. Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14 (2002);
    T. Tieleman, ICML (2008), for PCD; R. Salakhutdinov and I. Murray, ICML (2008), for `ais`. scikit-learn's
    `BernoulliRBM` is PCD-1 without momentum; it divides the chains' part by the number of rows instead of that of
    chains, so a batch or a chunk of another size than `batch_size` teaches it something else, and its
    `score_samples` flips one random unit.

    >>> import numpy as np
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 50)
    >>> net = BernoulliRBM(n_components=3, epochs=100, random_state=0).fit(X)
    >>> net.reconstruct([[1, 1, 0, 0]]).round()
    array([[1., 1., 0., 0.]])
    >>> bool(net.log_likelihood(X).mean() > np.log(0.5) - 0.1)  # no model is above ln ½
    True
    """

    _kind = "binary"

    def score_samples(self, X: Any) -> np.ndarray:
        """The log pseudo-likelihood Σᵢ ln p(vᵢ | the other units) of each row: (examples,)."""
        return self._answer(rules.pseudo_likelihoods, self._net, self._inputs(X))

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        return within_unit(self, self._rows(X, reset=reset))

    def _noise(self, n: int, seed: int) -> np.ndarray:
        return self._generator("noise", seed).integers(0, 2, (n, self.n_features_in_)).astype(np.float32)

    def _start_of_ais(self, chains: int) -> tuple[np.ndarray, float, np.ndarray]:
        least = 1 / (self.n_seen_ + 2)
        means = np.clip(self.means_, least, 1 - least)
        states = self._generator("ais").random((chains, len(means))) < means
        return np.log(means / (1 - means)), float(-np.log1p(-means).sum()), states.astype(np.float32)


class GaussianRBM(_RBM):
    """Restricted Boltzmann machine of Gaussian visible units, for data that are no probabilities.

        E(v, h) = ½ ‖v - b‖² - cᵀ h - hᵀ W v,      p(v) = Σ_h exp(-E(v, h)) / Z
        P(h_j = 1 | v) = σ(c_j + W_j v),      v | h ~ N(b + Wᵀ h, 1)

    The noise of the visible units has variance 1: scale features so that what is noise in them has, or to unit
    variance if that is not known: large values make the weights grow without bound, which is a NonFiniteError.
    Training is that of `BernoulliRBM`, with a smaller rate.

    Args:
        n_components: hidden units.
        learning_rate: η.
        batch_size: rows per step, and persistent chains.
        epochs: passes over the rows (also: `n_iter`).
        k: steps of the chains per batch.
        persistent: True for PCD, False for CD-k.
        momentum: μ.
        weight_decay: λ.

    Attributes:
        components_, intercept_visible_, intercept_hidden_, chains_, n_iter_, n_seen_, means_: as of `BernoulliRBM`.
        loss_curve_: after each pass, the mean squared error of reconstruction of the first 500 rows.
        velocity_: the last changes of the weights, if there is momentum.
        seed_: the seed of weights, orders and chains.

    Source: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313
    (2006); G. Hinton, "A practical guide to training restricted Boltzmann machines" (2010). scikit-learn has none.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 2)) + np.array([[3, 3], [-3, -3]] * 200)
    >>> net = GaussianRBM(n_components=2, epochs=30, random_state=0).fit(X)
    >>> net.reconstruct([[3, 2], [-2, -3]]).round()
    array([[ 3.,  3.],
           [-3., -3.]])
    """

    _kind = "gaussian"

    learning_rate: Positive = 0.01

    def _noise(self, n: int, seed: int) -> np.ndarray:
        return self._generator("noise", seed).normal(size=(n, self.n_features_in_)).astype(np.float32)

    def _start_of_ais(self, chains: int) -> tuple[np.ndarray, float, np.ndarray]:
        states = self.means_ + self._generator("ais").normal(size=(chains, len(self.means_)))
        return self.means_, len(self.means_) / 2 * math.log(2 * math.pi), states.astype(np.float32)
