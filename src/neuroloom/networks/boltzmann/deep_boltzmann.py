"""Deep Boltzmann machines: several layers of hidden units, all joined by symmetric weights and learned together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neuroloom.config import Count, Positive, PositiveInt, Sizes
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network
from neuroloom.networks.boltzmann import deep_boltzmann_rules as rules
from neuroloom.networks.boltzmann import rbm_rules
from neuroloom.networks.boltzmann.rbm import LARGEST, BernoulliRBM, within_unit
from neuroloom.ops import draws


class DeepBoltzmannMachine(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network):
    """Deep Boltzmann machine: binary units in layers, where each layer hears from the one below and the one above.

    Visible units v = h⁰ (the columns: 0, 1 or probabilities between; values outside count as 0 or 1, with a warning)
    and hidden layers h¹ … hᴸ have the energy

        E(v, h¹, …, hᴸ) = -bᵀ v - Σ_l c_lᵀ h_l - Σ_l h_{l-1}ᵀ W_l h_l,      p(v) = Σ_h exp(-E) / Z
        P(h_l = 1 | its neighbours) = σ(c_l + W_lᵀ h_{l-1} + W_{l+1} h_{l+1})

    First each layer learns alone (contrastive divergence), hearing twice the one layer it has, where the whole machine
    has two. Then each batch moves all weights along an estimate of the gradient of a lower bound on ln p(v),

        ΔW_l = η (⟨μ_{l-1} μ_lᵀ⟩ of the batch - ⟨h_{l-1} h_lᵀ⟩ of chains that go on from batch to batch)

    where μ is the mean field of a row, the fixed point of μ_l = σ(c_l + W_lᵀ μ_{l-1} + W_{l+1} μ_{l+1}) with μ_0 = v,
    and η falls in equal steps towards 0. Odd layers hear only from even ones: mean field and chains draw all odd
    layers, then all even ones.

    Args:
        layers: hidden units of each layer, from below.
        learning_rate: η in the first pass; that of the layers alone stays as it is.
        batch_size: rows per step.
        epochs: passes of all layers together.
        pretrain_epochs: passes of each layer alone before; 0 starts from small random weights.
        mean_field_steps: sweeps over the layers for the mean field of a batch. Answers use as many as it takes.
        k: steps of the chains per batch.
        chains: how many.

    Attributes:
        weights_: the weights between units of odd layers and units of even layers, (odd, even): blocks W_l or W_lᵀ,
            and 0 between layers that are no neighbours. `coefs_` are the blocks.
        intercept_even_: biases of the units of layers 0, 2, …, one layer after the other; v is layer 0.
        intercept_odd_: those of layers 1, 3, …; `intercepts_` are the biases by layer.
        units_: units of each layer, v first.
        means_: of the even layers over the rows of X, for `ais`.
        n_seen_: rows of X.
        loss_curve_: after each pass together, the mean squared error of reconstruction of the first 500 rows.
        n_iter_: passes together.
        seed_: the seed of weights, orders and chains.

    Source: R. Salakhutdinov and G. Hinton, "Deep Boltzmann machines", AISTATS (2009). Biases that two machines learned
    alone start as their mean, as in their "An efficient learning procedure for deep Boltzmann machines", Neural
    Computation 24 (2012). Here without sparsity targets and fine-tuning; scikit-learn has none.

    >>> import numpy as np
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 50)
    >>> net = DeepBoltzmannMachine(layers=(6, 3), epochs=100, random_state=0).fit(X)
    >>> net.reconstruct(X[:2]).round()
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    >>> bool(net.lower_bound(X).mean() <= net.log_likelihood(X).mean() <= np.log(1 / 2))  # no model is above ln ½
    True
    """

    layers: Sizes = (100, 50)
    learning_rate: Positive = 0.05
    batch_size: PositiveInt = 20
    epochs: PositiveInt = 50
    pretrain_epochs: Count = 10
    mean_field_steps: PositiveInt = 10
    k: PositiveInt = 5
    chains: PositiveInt = 100

    def fit(self, X: Any, y: Any = None) -> DeepBoltzmannMachine:
        """Learn the distribution of the rows of X."""
        p = self._start()
        X = self._inputs(X, reset=True)
        self.units_: np.ndarray = np.array([X.shape[1], *p.layers], np.int32)
        normal, coin = self._generator("weights").normal, self._generator("chains").integers
        weights = [normal(0, 0.01, shape) for shape in zip(self.units_[1:], self.units_[:-1], strict=True)]
        chains = coin(0, 2, (p.chains, self.units_[1::2].sum())).astype(np.float32)
        net, means, curve = self._run(
            rules.train, weights, [np.zeros(n) for n in self.units_], chains, X, draws.key(self.seed_, "train"),
            p.learning_rate, batch=min(p.batch_size, len(X)), k=p.k, sweeps=p.mean_field_steps,
            pretraining=p.pretrain_epochs, epochs=p.epochs,
        )  # fmt: skip
        self._finite(net, means, curve)
        self.weights_, self.intercept_even_, self.intercept_odd_ = net
        self.means_, self.loss_curve_ = means, curve
        self.n_seen_, self.n_iter_ = len(X), p.epochs
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The last layer's probabilities in the mean field of each row: (examples, layers[-1])."""
        sides = self._answer(rules.mean_field, self._net, self._inputs(X))
        return sides[(len(self.units_) - 1) % 2][:, -self._n_features_out :]

    def reconstruct(self, X: Any) -> np.ndarray:
        """The means of the columns given the mean field of each row: (examples, features)."""
        return self._answer(rules.reconstruction, self._net, self._inputs(X))

    def sample(self, n_samples: int = 1, steps: int = 1000, seed: int = 0) -> np.ndarray:
        """Visible states at the end of Gibbs chains that start from noise: (n_samples, features).

        Args:
            n_samples: chains.
            steps: how often all layers are drawn anew.
            seed: another number gives other states.
        """
        return self._rbm().sample(n_samples, steps, seed=seed)[:, : self.n_features_in_]

    def energy(self, states: Any) -> np.ndarray:
        """E of rows of states of all units, layer after layer, visible ones first: (rows,)."""
        check_is_fitted(self)
        s = np.asarray(states, np.float64)
        if s.ndim != 2 or s.shape[1] != self.units_.sum():
            raise ShapeError(f"energy expected shape (rows, {self.units_.sum()}), received {s.shape}.")
        parts = np.split(s, np.cumsum(self.units_)[:-1], axis=1)
        return self._answer(rules.energy, self._net, np.hstack(parts[::2]), np.hstack(parts[1::2]))

    def lower_bound(self, X: Any, log_z: float | None = None) -> np.ndarray:
        """A lower bound on ln p(v) of each row, by its mean field: (examples,).

        Args:
            log_z: ln Z, as `ais` estimates it; None: exactly, see `log_partition`.
        """
        found = self._answer(rules.bound, self._net, self._inputs(X))
        return found - (self.log_partition() if log_z is None else log_z)

    def log_likelihood(self, X: Any, log_z: float | None = None) -> np.ndarray:
        """ln p(v) of each row, by a sum over the states of all hidden layers: (examples,).

        Args:
            log_z: ln Z, as `ais` estimates it; None: exactly, see `log_partition`.

        Raises:
            ConfigurationError: the even and the odd hidden layers have more than 20 units each.
        """
        rows, back = np.unique(self._inputs(X).astype(np.float64), axis=0, return_inverse=True)
        (w, b, c), d = self._net, self.n_features_in_
        self._few(len(b) - d, len(c))
        found = [v @ b[:d] + rbm_rules.log_partition((w[:, d:], b[d:], c + w[:, :d] @ v), "binary") for v in rows]
        return np.array(found)[back.ravel()] - (self.log_partition() if log_z is None else log_z)

    def log_partition(self) -> float:
        """ln Z, exactly, by a sum over all states of the even or of the odd layers.

        Raises:
            ConfigurationError: both have more than 20 units; `ais` estimates ln Z then.
        """
        check_is_fitted(self)
        self._few(len(self.intercept_odd_), len(self.intercept_even_))
        return rbm_rules.log_partition(self._net, "binary")

    def ais(self, chains: int = 100, steps: int = 1000) -> tuple[float, float, float]:
        """An estimate of ln Z by annealed importance sampling, and bounds three standard errors below and above it.

        The chains go from independent units with the means of the training data to this machine in so many steps.
        """
        return self._rbm().ais(chains, steps)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """W_1 to W_L, (units below, units above) each: views of `weights_`."""
        at = self._places()
        return [
            self.weights_[at[i], at[i + 1]] if i % 2 else self.weights_[at[i + 1], at[i]].T for i in range(len(at) - 1)
        ]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, b first: views."""
        sides = (self.intercept_even_, self.intercept_odd_)
        return [sides[i % 2][at] for i, at in enumerate(self._places())]

    @property
    def _net(self) -> tuple[np.ndarray, ...]:
        return self.weights_, self.intercept_even_, self.intercept_odd_

    @property
    def _n_features_out(self) -> int:
        return int(self.units_[-1])

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        return within_unit(self, self._rows(X, reset=reset))

    def _places(self) -> list[slice]:
        """Where each layer is on its side."""
        ends = [int(self.units_[i % 2 : i + 1 : 2].sum()) for i in range(len(self.units_))]
        return [slice(end - int(n), end) for end, n in zip(ends, self.units_, strict=True)]

    def _rbm(self) -> BernoulliRBM:
        """This machine as a restricted one between the even and the odd layers."""
        check_is_fitted(self)
        rbm = BernoulliRBM(n_components=len(self.intercept_odd_), engine=self.engine)
        rbm.components_, rbm.intercept_visible_, rbm.intercept_hidden_ = self._net
        rbm.n_features_in_, rbm.seed_ = len(self.intercept_even_), self.seed_
        rbm.means_, rbm.n_seen_ = self.means_, self.n_seen_
        return rbm

    def _few(self, one: int, other: int) -> None:
        if min(one, other) > LARGEST:
            raise ConfigurationError(
                f"DeepBoltzmannMachine expected at most {LARGEST} units to enumerate in its even or in its odd layers, "
                f"received {one} and {other}. Estimate: lower_bound(X, log_z=net.ais()[0])."
            )
