"""Kosko's bidirectional associative memory: pairs of patterns, each of which calls up the other."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.utils import Tags

from neuroloom import ops
from neuroloom.config import PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ShapeError
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.competitive.hamming import _signs
from neuroloom.networks.memory.hopfield import _sign
from neuroloom.typing import Array


class BAM(Network):
    """Bidirectional associative memory: two layers that call up each other's half of stored pairs.

    Pairs (x, y) of patterns of ±1 (1 where a value is above 0) are stored in one matrix, read in both directions:

        W = Σ x yᵀ;   y ← sign(Wᵀ x),   x ← sign(W y),   y ← sign(Wᵀ x),   ...

    where a sum of 0 leaves a unit as it is. The energy E = -xᵀ W y never rises, so each recall ends in a pair at rest,
    whatever W is. The layer that is called up begins at 0, and a unit that no stored pair decides stays 0.

    Args:
        max_steps: most times that the activity goes to the other layer and back.

    Attributes:
        weights_: W, (features, targets).
        n_patterns_: pairs stored.
        capacity_: the smaller of n / (2 ln p) and p / (2 ln n) for layers of n and p units: of so many random pairs
            about nine in ten rest. Kosko's own bound is the smaller of n and p. Storing more warns.
        seed_: unused.

    Source: B. Kosko, "Bidirectional associative memories", IEEE Trans. Systems, Man, and Cybernetics 18 (1988).

    >>> X, y = [5 * [1] + 5 * [-1], 5 * [1, -1]], [5 * [-1, 1], 5 * [-1] + 5 * [1]]
    >>> memory = BAM().fit(X, y)
    >>> memory.predict([[1, 1, 1, 1, -1, -1, -1, -1, -1, -1]])
    array([[-1.,  1., -1.,  1., -1.,  1., -1.,  1., -1.,  1.]])
    >>> memory.recall_inputs([y[1]])
    array([[ 1., -1.,  1., -1.,  1., -1.,  1., -1.,  1., -1.]])
    """

    max_steps: PositiveInt = 100

    def fit(self, X: Any, y: Any) -> BAM:
        """Store the pairs of a row of X and a row of y, (examples,) or (examples, targets)."""
        if hasattr(self, "weights_"):
            del self.weights_
        return self._store(X, y, again=False)

    def partial_fit(self, X: Any, y: Any) -> BAM:
        """Store these pairs in addition."""
        return self._store(X, y, again=hasattr(self, "weights_"))

    def _store(self, X: Any, y: Any, again: bool) -> BAM:
        self._start(again)
        X, y = self._rows(X, y, reset=not again, y_numeric=True, multi_output=True)
        self.single_target_ = y.ndim == 1
        x, y = _signs(X), _signs(y.reshape(len(y), -1))
        w = self.weights_ if again else np.zeros((x.shape[1], y.shape[1]), np.float32)
        if w.shape[1] != y.shape[1]:
            raise ShapeError(f"BAM expected {w.shape[1]} targets, as before, received {y.shape[1]}.")
        self.weights_: np.ndarray = self._run(correlate, w, x, y)
        self.n_patterns_: int = len(x) + (self.n_patterns_ if again else 0)
        self._warn()
        return self

    def _warn(self) -> None:
        n, p = self.weights_.shape
        self.capacity_ = capacity(n, p)
        if self.n_patterns_ > self.capacity_:
            warnings.warn(
                f"BAM holds {self.n_patterns_} pairs, beyond the capacity of {n} and {p} units: about "
                f"{self.capacity_:.1f} random pairs. Expect errors in recall.",
                UserWarning,
                stacklevel=4,
            )

    def predict(self, X: Any) -> np.ndarray:
        """The patterns that the rows of X call up, -1, 1 or 0 for undecided: (examples, targets), as y was."""
        found = self.recall(X)[1]
        return found[:, 0] if self.single_target_ else found

    def recall_inputs(self, y: Any) -> np.ndarray:
        """The other way: the patterns of X that the rows of y call up, (examples, features)."""
        y = self._targets(y)
        return self._answer(bounce, self.weights_.T, y, self._unknown(y, 0), self._checked().max_steps)[1]

    def recall(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Both layers at rest, from the rows of X and, if given, of y: (examples, features), (examples, targets)."""
        return self._steps(*self._pair(X, y), self._checked().max_steps)

    def trajectory(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All states of both layers in a recall, (steps + 1, examples, units) each, and their energies."""
        pairs = [self._pair(X, y)]
        for _ in range(self._checked().max_steps):
            pairs.append(self._steps(*pairs[-1], 1))
            if all(np.array_equal(new, old) for new, old in zip(*pairs[-2:], strict=True)):
                break
        x, y = (np.stack(states) for states in zip(*pairs, strict=True))
        return x, y, np.stack([self._energy(*pair) for pair in pairs])

    def energy(self, X: Any, y: Any) -> np.ndarray:
        """E = -xᵀ W y of each pair: (examples,)."""
        return self._energy(*self._pair(X, y))

    def score(self, X: Any, y: Any) -> float:
        """The share of the targets' units that X calls up rightly."""
        return float((self.recall(X)[1] == self._targets(y)).mean())

    def _steps(self, x: np.ndarray, y: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        found: tuple[np.ndarray, np.ndarray] = self._answer(bounce, self.weights_, x, y, steps)
        return found

    def _energy(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -np.einsum("ei,ij,ej->e", x, self.weights_.astype(np.float64), y)

    def _pair(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        x = _signs(self._rows(X, reset=False))
        return x, self._unknown(x, 1) if y is None else self._targets(y)

    def _unknown(self, states: np.ndarray, layer: int) -> np.ndarray:
        return np.zeros((len(states), self.weights_.shape[layer]))

    def _targets(self, y: Any) -> np.ndarray:
        found = _signs(np.asarray(y, np.float64))
        found = found[:, None] if found.ndim == 1 else found
        if found.ndim != 2 or found.shape[1] != self.weights_.shape[1]:
            raise ShapeError(f"BAM expected y (examples, {self.weights_.shape[1]}), received {np.shape(y)}.")
        return found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def capacity(n: int, p: int) -> float:
    """About how many random pairs of n and p units can be stored; see `BAM`."""
    return max(1.0, min(n / (2 * math.log(max(p, 2))), p / (2 * math.log(max(n, 2)))))


@direct
def correlate(engine: Engine, w: Array, x: Array, y: Array) -> Array:
    """W + Σ x yᵀ."""
    return w + x.T @ y


@costs(lambda a: (60 + (len(a.x) * a.w.size) / 2500) * a.steps)
def bounce(engine: Engine, w: Array, x: Array, y: Array, steps: Array) -> tuple[Array, Array]:
    """x calls up y and y calls up x, until neither changes. Sums are whole numbers: 0 is exactly 0."""

    def step(i: Array, state: Any) -> Any:
        x, y = state
        new_y = _sign(x @ w, y, 0.0)
        new_x = _sign(new_y @ w.T, x, 0.0)
        return (new_x, new_y), ops.any(new_x != x) | ops.any(new_y != y)

    return engine.loop(0, steps, step, (x, y))
