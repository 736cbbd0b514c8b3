"""Hopfield's network of 1982 as he wrote it: each unit has a threshold of its own."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from neuroloom.config import Choice
from neuroloom.errors import ShapeError
from neuroloom.networks.memory.hopfield import Hopfield, energies
from neuroloom.networks.numbers import PerUnit


class ThresholdHopfield(Hopfield):
    """Hopfield's binary model with individual thresholds: a unit is on where its sum exceeds its own threshold.

    With units s_i = ±1, or with units of 0 and 1, as Hopfield had them:

        s_i ← 1 if Σ_j w_ij s_j > θ_i, -1 if it is below; at θ_i as it was;   E = -½ sᵀ W s + θᵀ s

    Unit after unit, E never rises. Thresholds that are learned are weights, by the same rule, from one more unit that
    is 1 in every pattern (θ_i is minus its weight), so that units lean to the value that they have in most patterns:
    Hebb's rule gives θ = -Σ ξ / (N + 1). For units of 0 and 1 that becomes ½ (θ_i + Σ_j w_ij), at which both kinds of
    units go through the same states.

    Args:
        thresholds: θ, a number for all units or one for each; None: they are learned with the patterns.
        units: "bipolar" (-1 and 1) or "binary" (0 and 1).
        rule, connections, update, max_sweeps: see `Hopfield`.

    Attributes:
        thresholds_: θ, (features,).
        weights_, n_patterns_, capacity_, seed_: see `Hopfield`.
        projection_: see `Hopfield`; with the unit that is always 1, where thresholds are learned.

    Source: J. Hopfield, "Neural networks and physical systems with emergent collective computational abilities", PNAS
    79 (1982), who takes units of 0 and 1 and sets all thresholds to 0, whatever the patterns are.

    >>> net = ThresholdHopfield(rule="storkey", units="binary", thresholds=[0.1, 0.1, 0.6], random_state=0)
    >>> net.fit([[1, 1, 1]]).transform([[1, 1, 0], [0, 0, 1]])
    array([[1., 1., 1.],
           [0., 0., 0.]])
    """

    thresholds: PerUnit | None = None
    units: Annotated[str, Choice("bipolar", "binary")] = "bipolar"

    def transform(self, X: Any) -> np.ndarray:
        """The states that the rows of X end in: (examples, features)."""
        return self._values(super().transform(X))

    def trajectory(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """All states of a recall, (sweeps + 1, examples, features), and their energies, (sweeps + 1, examples)."""
        states, energies = super().trajectory(X)
        return self._values(states), energies

    def energy(self, X: Any) -> np.ndarray:
        """E of each row's state: (examples,)."""
        values = self._values(self._states(X))
        return energies(values, self.weights_) + values @ self.thresholds_

    def _values(self, states: np.ndarray) -> np.ndarray:
        """States of -1 and 1 as values of the units."""
        return (states + 1) / 2 if self._checked().units == "binary" else states

    def _store(self, p: Any, patterns: np.ndarray, again: bool) -> Any:
        if p.thresholds is not None:
            self.thresholds_: np.ndarray = _per_unit(p.thresholds, patterns.shape[1])
            return super()._store(p, patterns, again)
        if again:
            w, theta = self.weights_, self._thresholds()
            self.weights_ = np.block([[w, -theta[:, None]], [-theta[None], np.zeros((1, 1))]])
        if p.connections is not None:
            p.connections = np.pad(p.connections, (0, 1), constant_values=1)
        super()._store(p, np.pad(patterns, ((0, 0), (0, 1)), constant_values=1), again)
        self.weights_, theta = self.weights_[:-1, :-1].copy(), -self.weights_[-1, :-1].astype(np.float64)
        self.thresholds_ = (theta + self._sums()) / 2 if p.units == "binary" else theta
        return self

    def _thresholds(self) -> np.ndarray:
        """θ for units of -1 and 1."""
        return 2 * self.thresholds_ - self._sums() if self._checked().units == "binary" else self.thresholds_

    def _sums(self) -> np.ndarray:
        sums: np.ndarray = self.weights_.sum(axis=0, dtype=np.float64)
        return sums


def _per_unit(thresholds: np.ndarray, units: int) -> np.ndarray:
    if thresholds.shape not in ((), (units,)):
        raise ShapeError(f"ThresholdHopfield expected {units} thresholds, one per unit, received {len(thresholds)}.")
    return np.broadcast_to(thresholds, units).copy()
