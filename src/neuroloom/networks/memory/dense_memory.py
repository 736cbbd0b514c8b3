"""Associative memories of large capacity, which keep the patterns themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroloom import ops
from neuroloom.config import NonNegative, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import costs
from neuroloom.networks.memory.hopfield import RESTS, _Memory
from neuroloom.ops import draws
from neuroloom.typing import Array

ROUNDING = 1e-12
"""The largest sum, in parts of the sum of sizes, that is taken for 0."""


class DenseAssociativeMemory(_Memory):
    """A binary memory whose energy is steeper than quadratic, so that it holds more patterns than units.

        E = -Σ_μ F(ξ_μ·s),   F(z) = zⁿ for z > 0, else 0

    Recall, unit after unit in random order: s_i becomes the sign that has the lower energy, and stays where both are
    equal. So E never rises. About N^(n-1) / (2 (2n - 3)!! ln N) random patterns of N units are recalled.

    Args:
        degree: n. 2 is close to Hopfield's network of 1982; large ones recall the nearest pattern.
        max_sweeps: most sweeps over all units in a recall.

    Attributes:
        patterns_: ξ, -1 and 1, (patterns, features).
        seed_: the seed of the orders.

    Source: D. Krotov, J. Hopfield, "Dense associative memory for pattern recognition", NeurIPS 29 (2016), with their
    rectified polynomial.

    >>> X = [[1, 1, 1, 1], [1, -1, 1, -1], [-1, -1, 1, 1]]
    >>> DenseAssociativeMemory(random_state=0).fit(X).transform(X)[1]
    array([ 1., -1.,  1., -1.])
    """

    degree: PositiveInt = 3
    max_sweeps: PositiveInt = 100

    def fit(self, X: Any, y: Any = None) -> DenseAssociativeMemory:
        """Store the rows of X: patterns of -1 and 1, or 0 and 1 (a unit is 1 where its value is above 0)."""
        self._start()
        self.patterns_ = self._states(X, reset=True)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> DenseAssociativeMemory:
        """Store these patterns in addition."""
        again = hasattr(self, "patterns_")
        self._start(again)
        new = self._states(X, reset=not again)
        self.patterns_ = np.vstack([self.patterns_, new]) if again else new
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The states that the rows of X end in, of -1 and 1: (examples, features)."""
        p, states = self._checked(), self._states(X)
        key = draws.key(self.seed_, "order")
        return self._answer(recall_dense, self.patterns_, states, p.max_sweeps, key, degree=p.degree)

    def energy(self, X: Any) -> np.ndarray:
        """E of each row's state, in units of Nⁿ: (examples,)."""
        p, states = self._checked(), self._states(X)
        overlaps = states @ self.patterns_.T / states.shape[1]
        return -(np.maximum(overlaps, 0) ** p.degree).sum(axis=1)


class ModernHopfield(_Memory):
    """The modern Hopfield network: continuous states, and a recall that is attention over the patterns.

        s ← Ξᵀ softmax(β Ξ s);   E = -1/β ln Σ_μ exp(β ξ_μ·s) + ½ sᵀ s + 1/β ln M + ½ max ‖ξ‖²

    E never rises and is at least 0; one step usually is enough. A large β gives back the nearest of the M patterns, a
    small one the mean of those nearby.

    Args:
        beta: β; None: 1/√features, as in attention.
        max_steps: most steps in a recall.
        tol: a recall ends when no value changes by more than this in a step.

    Attributes:
        patterns_: Ξ, (patterns, features).
        beta_: β.
        seed_: unused.

    Source: H. Ramsauer et al., "Hopfield networks is all you need", ICLR 2021.

    >>> X = [[1.0, 0.0, 3.0], [0.0, 2.0, -1.0]]
    >>> ModernHopfield(beta=4.0).fit(X).transform([[0.5, 0.5, 2.0]]).round(3)
    array([[1., 0., 3.]])
    """

    beta: Positive | None = None
    max_steps: PositiveInt = 100
    tol: NonNegative = 1e-5

    def fit(self, X: Any, y: Any = None) -> ModernHopfield:
        """Store the rows of X."""
        p = self._start()
        self.patterns_ = np.array(self._rows(X))
        self.beta_ = p.beta or self.patterns_.shape[1] ** -0.5
        return self

    def partial_fit(self, X: Any, y: Any = None) -> ModernHopfield:
        """Store these patterns in addition."""
        if not hasattr(self, "patterns_"):
            return self.fit(X)
        self._start(again=True)
        self.patterns_ = np.vstack([self.patterns_, self._rows(X, reset=False)])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """What the rows of X recall: (examples, features)."""
        p, states = self._checked(), self._rows(X, reset=False)
        return self._answer(attend, self.patterns_, states, self.beta_, p.tol, p.max_steps)

    def energy(self, X: Any) -> np.ndarray:
        """E of each row: (examples,)."""
        s, patterns = self._rows(X, reset=False).astype(np.float64), self.patterns_.astype(np.float64)
        z = self.beta_ * s @ patterns.T
        top = z.max(axis=1, keepdims=True)
        lse = (np.log(np.exp(z - top).sum(axis=1)) + top[:, 0] - np.log(len(patterns))) / self.beta_
        return -lse + 0.5 * (s * s).sum(axis=1) + 0.5 * (patterns**2).sum(axis=1).max()


@costs(lambda a: (50 + len(a.patterns) * len(a.states) / 50) * a.patterns.shape[1] * min(a.sweeps, RESTS))
def recall_dense(engine: Engine, patterns: Array, states: Array, sweeps: Array, key: Array, *, degree: int) -> Array:
    """Unit after unit, until nothing changes. The overlaps with all patterns follow each change.

    Overlaps are divided by the largest, so that no degree makes all their powers vanish; a difference that is no larger
    than the rounding of its terms is none.
    """
    n = patterns.shape[1]

    def one(overlap: Array, item: Any) -> Any:  # overlap (patterns, batch)
        pattern, s = item
        rest = overlap - pattern[:, None] * s
        largest = ops.maximum(ops.max(rest, axis=0) + 1, 1.0)
        up, down = (ops.maximum((rest + side) / largest, 0.0) ** degree for side in (1, -1))
        gains = pattern[:, None] * (up - down)
        gain, least = ops.sum(gains, axis=0), ROUNDING * ops.sum(ops.abs(gains), axis=0)
        new = ops.where(gain > least, 1.0, ops.where(gain < -least, -1.0, s))
        return rest + pattern[:, None] * new, new

    def sweep(i: Array, s: Array) -> Any:  # s (units, batch)
        order = draws.permutation(draws.fold_in(key, i), n)
        _, new = engine.scan(one, patterns @ s, (ops.gather(patterns.T, order), ops.gather(s, order)))
        new = ops.gather(new, ops.argsort(order))
        return new, ops.any(new != s)

    return engine.loop(0, sweeps, sweep, states.T).T


@costs(lambda a: (60 + len(a.s) * a.patterns.size / 2000) * a.steps)
def attend(engine: Engine, patterns: Array, s: Array, beta: Array, tol: Array, steps: Array) -> Array:
    """s ← softmax(β s Ξᵀ) Ξ until s rests, each row for itself."""

    def step(i: Array, state: Any) -> Any:
        s, moves = state
        new = ops.where(moves, ops.softmax(beta * (s @ patterns.T)) @ patterns, s)
        moves = ops.any(ops.abs(new - s) > tol, axis=1, keepdims=True)
        return (new, moves), ops.any(moves)

    return engine.loop(0, steps, step, (s, s[:, :1] == s[:, :1]))[0]
