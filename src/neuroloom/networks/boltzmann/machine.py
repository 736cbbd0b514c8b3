"""Boltzmann machines: symmetric networks of binary units that settle by chance, with hidden units among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from scipy.special import logsumexp
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neuroloom import config
from neuroloom.config import Choice, Count, NonNegative, Positive, PositiveInt
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network
from neuroloom.networks.boltzmann import machine_rules as rules
from neuroloom.networks.numbers import Matrix
from neuroloom.ops import draws

LARGEST = 16
"""Units up to which all states are enumerated."""

MARGINAL = 10
"""Hidden units up to which `transform` does."""

FIELD_STEPS = 100


class Schedule(config.Check):
    """Temperatures of sweeps."""

    expects = "a tuple of positive numbers"

    def __call__(self, value: Any) -> tuple[float, ...]:
        one = config.Number(0, open_low=True, expects=self.expects)
        if not isinstance(value, list | tuple):
            raise self.refuse()
        return tuple(one(v) for v in value)


class BoltzmannMachine(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network):
    """Boltzmann machine: binary units, visible and hidden, that settle by chance into states of low energy.

    States s of 0s and 1s, symmetric weights W without self-connections, biases θ:

        E(s) = -½ sᵀ W s - θᵀ s,      P(s) = exp(-E(s)) / Z
        P(s_i = 1 | the others) = 1 / (1 + exp(ΔE_i / T)),      ΔE_i = E(s_i = 1) - E(s_i = 0) = -Σ_j w_ij s_j - θ_i

    Each pass compares how often units are on together while the rows of X are clamped to the visible units and while
    the machine runs freely; both phases cool from random states to T = 1 first:

        Δw_ij = η (⟨s_i s_j⟩ clamped - ⟨s_i s_j⟩ free),      Δθ_i = η (⟨s_i⟩ clamped - ⟨s_i⟩ free)

    which is the gradient of the mean log-likelihood of X. Visible units come first, one per column; one is on where the
    value is above ½.

    Args:
        n_hidden: hidden units.
        connections: which units are connected, (units, units) of 0 and 1, symmetric; None: each with each.
        learning_rate: η.
        epochs: passes.
        method: "annealing", or "exact" for expectations by a sum over all states (up to 16 units).
        temperatures: the temperatures of the sweeps that cool a state, before those at T = 1.
        sweeps: sweeps at T = 1 over which frequencies are counted.
        chains: states of the free phase.
        weight_decay: λ, with Δw_ij ← Δw_ij - η λ w_ij.

    Attributes:
        weights_: W, (units, units).
        bias_: θ, (units,).
        loss_curve_: after each pass, the mean |⟨s_i s_j⟩ clamped - ⟨s_i s_j⟩ free| before it; 0 at a maximum.
        n_iter_: passes done.
        seed_: the seed of weights and chains.

    Source: D. Ackley, G. Hinton and T. Sejnowski, "A learning algorithm for Boltzmann machines", Cognitive Science 9
    (1985). Other Python libraries have restricted machines only.

    >>> import numpy as np
    >>> X = np.array([[0, 0, 1], [1, 1, 0]])
    >>> net = BoltzmannMachine(method="exact", learning_rate=1.0, epochs=500, random_state=0).fit(X)
    >>> bool(net.log_likelihood(X).mean() > np.log(1 / 2) - 0.02)  # no model is above ln ½
    True
    >>> net.complete([[1, np.nan, np.nan]]).round()
    array([[1., 1., 0.]])
    """

    n_hidden: Count = 0
    connections: Matrix | None = None
    learning_rate: Positive = 0.1
    epochs: PositiveInt = 100
    method: Annotated[str, Choice("annealing", "exact")] = "annealing"
    temperatures: Annotated[Any, Schedule()] = (4.0, 2.0, 1.5, 1.2)
    sweeps: PositiveInt = 10
    chains: PositiveInt = 100
    weight_decay: NonNegative = 0.0

    def fit(self, X: Any, y: Any = None) -> BoltzmannMachine:
        """Learn the distribution of the rows of X."""
        p = self._start()
        v = self._states(X, reset=True)
        self._begin(p, v.shape[1])
        return self._learn(p, v, p.epochs)

    def partial_fit(self, X: Any, y: Any = None) -> BoltzmannMachine:
        """One more pass, over these rows."""
        again = hasattr(self, "weights_")
        p = self._start(again)
        v = self._states(X, reset=not again)
        if not again:
            self._begin(p, v.shape[1])
        return self._learn(p, v, 1)

    def transform(self, X: Any) -> np.ndarray:
        """P(h = 1 | v) of each row, (examples, hidden): exact up to 10 hidden units, else by the mean field."""
        v, net = self._states(X), (self.weights_, self.bias_)
        if self._n_features_out > MARGINAL:
            return self._answer(rules.mean_field, net, v, FIELD_STEPS)
        return self._answer(rules.hidden_means, net, v, every_state(self._n_features_out))

    def complete(self, X: Any, chains: int = 100, seed: int = 0) -> np.ndarray:
        """The rows with each missing value (NaN) replaced by the frequency of 1 there, given the others.

        Args:
            chains: states per row that cool to T = 1 before frequencies are counted.
            seed: another number gives other chains.
        """
        p = self._checked()
        X = self._rows(X, reset=False, ensure_all_finite="allow-nan")
        units, d = len(self.bias_), X.shape[1]
        known = np.pad(~np.isnan(X), ((0, 0), (0, units - d))).repeat(chains, axis=0)
        given = np.pad(X > 0.5, ((0, 0), (0, units - d))).repeat(chains, axis=0)
        start = np.where(known, given, self._random(len(known), "complete", seed))
        _, counted = self._settle(p, start, ~known, draws.key(self.seed_, "complete", seed))
        found = counted[:, :d].reshape(len(X), chains, d).mean(axis=1)
        return np.where(np.isnan(X), found, X).astype(np.float64)

    def sample(self, n_samples: int = 1, seed: int = 0) -> np.ndarray:
        """Visible states of free chains that have cooled to T = 1: (n_samples, features)."""
        check_is_fitted(self)
        start = self._random(n_samples, "sample", seed)
        key = draws.key(self.seed_, "sample", seed)
        end, _ = self._settle(self._checked(), start, np.ones_like(start, bool), key)
        return end[:, : self.n_features_in_].astype(np.float64)

    def energy(self, states: Any) -> np.ndarray:
        """E of rows of states of all units, visible ones first: (rows,)."""
        check_is_fitted(self)
        s = np.asarray(states, np.float64)
        if s.ndim != 2 or s.shape[1] != len(self.bias_):
            raise ShapeError(f"energy expected shape (rows, {len(self.bias_)}), received {s.shape}.")
        return -0.5 * np.einsum("ni,ij,nj->n", s, self.weights_, s, optimize=True) - s @ self.bias_

    def log_likelihood(self, X: Any) -> np.ndarray:
        """ln P(v) of each row, by sums over all states: (examples,).

        Raises:
            ConfigurationError: there are more than 16 units.
        """
        _few(len(self.bias_))
        v = self._states(X)
        rows, back = np.unique(v, axis=0, return_inverse=True)
        clamped, _ = self._clamped(rows)
        own = logsumexp(-self.energy(clamped.reshape(-1, len(self.bias_))).reshape(len(rows), -1), axis=1)
        return (own - logsumexp(-self.energy(every_state(len(self.bias_)))))[back.ravel()]

    @property
    def _n_features_out(self) -> int:
        return len(self.bias_) - self.n_features_in_

    def _states(self, X: Any, reset: bool = False) -> np.ndarray:
        return (self._rows(X, reset=reset) > 0.5).astype(np.float32)

    def _random(self, n: int, *stream: int | str) -> np.ndarray:
        return self._generator(*stream).integers(0, 2, (n, len(self.bias_))).astype(np.float32)

    def _begin(self, p: SimpleNamespace, features: int) -> None:
        units = features + p.n_hidden
        self.bias_: np.ndarray = np.zeros(units, np.float32)
        self.weights_: np.ndarray = self._mask(p) * self._generator("weights").normal(0, 0.1, (units, units))
        self.weights_ = ((self.weights_ + self.weights_.T) / 2).astype(np.float32)
        self.n_iter_, self.loss_curve_ = 0, np.zeros(0)

    def _mask(self, p: SimpleNamespace) -> np.ndarray:
        units = len(self.bias_)
        mask = np.ones((units, units)) if p.connections is None else p.connections != 0
        if mask.shape != (units, units) or (mask != mask.T).any():
            raise ShapeError(
                f"BoltzmannMachine expected connections to be a symmetric matrix ({units}, {units}), received shape "
                f"{mask.shape}."
            )
        return (mask * (1 - np.eye(units))).astype(np.float32)

    def _learn(self, p: SimpleNamespace, v: np.ndarray, epochs: int) -> BoltzmannMachine:
        net, mask = (self.weights_, self.bias_), self._mask(p)
        if p.method == "exact":
            clamped, share = self._clamped(v)
            every = every_state(len(self.bias_))
            args = (clamped, share, every, mask, p.learning_rate, p.weight_decay)
            net, curve = self._run(rules.train_exactly, net, *args, epochs=epochs)
        else:
            key = draws.key(self.seed_, "train", self.n_iter_)
            args = (v, mask, p.learning_rate, p.weight_decay, _cooling(p), key)
            net, curve = self._run(rules.train, net, *args, sweeps=p.sweeps, chains=p.chains, epochs=epochs)
        self._finite(net, curve)
        self.weights_, self.bias_ = net
        self.n_iter_ += epochs
        self.loss_curve_ = np.concatenate([self.loss_curve_, curve])
        return self

    def _clamped(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The different rows with all states of the hidden units, (rows, states, units), and the rows' parts."""
        _few(len(self.bias_))
        rows, counts = np.unique(v, axis=0, return_counts=True)
        hidden = every_state(self._n_features_out)
        wide = np.hstack([np.repeat(rows, len(hidden), axis=0), np.tile(hidden, (len(rows), 1))])
        return wide.reshape(len(rows), len(hidden), -1), counts / len(v)

    def _settle(self, p: SimpleNamespace, start: np.ndarray, free: np.ndarray, key: np.ndarray) -> Any:
        net = (self.weights_, self.bias_)
        return self._run(rules.settled, net, start, free, _cooling(p), key, sweeps=p.sweeps)


def _cooling(p: SimpleNamespace) -> np.ndarray:
    return np.array([*p.temperatures, *[1.0] * p.sweeps])


def _few(units: int) -> None:
    if units > LARGEST:
        raise ConfigurationError(f"A sum over all states expected at most {LARGEST} units, received {units}.")


def every_state(units: int) -> np.ndarray:
    """All states of binary units, (2^units, units)."""
    return ((np.arange(2**units)[:, None] >> np.arange(units)) & 1).astype(np.float32)
