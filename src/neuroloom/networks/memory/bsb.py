"""Anderson's brain-state-in-a-box: a state that grows until it is stuck in a corner of the cube."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import ops
from neuroloom.config import Choice, Number, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.memory.hopfield import energies
from neuroloom.typing import Array


class BrainStateInABox(TransformerMixin, Network):
    """Units with values from -1 to 1 that drive each other along their connections until all are at their limits.

        x ← f(x + β W x),   f cuts off at -1 and 1

    The patterns, of values from -1 to 1 (what lies beyond is cut off), are stored in W by one of two rules:

        Hebb         W = 1/N Σ ξ ξᵀ
        Widrow-Hoff  W ← W + η (ξ - W ξ) ξᵀ / ξᵀξ   for each pattern in turn, from W = 0

    The second ends in the projection onto the patterns: each has W ξ = ξ, grows by 1 + β a step and, being a corner of
    the cube, stays there. The energy E = -½ xᵀ W x never rises for symmetric W without eigenvalues below -2/β, as both
    rules make it (the second one, when it has settled).

    Args:
        rule: "widrow-hoff" or "hebb".
        beta: β.
        learning_rate: η, below 2.
        epochs: passes of Widrow and Hoff's rule over the patterns.
        max_steps: most steps of a recall, which ends when nothing changes any more.

    Attributes:
        weights_: W, (features, features).
        seed_: unused.

    Source: J. Anderson, J. Silverstein, S. Ritz, R. Jones, "Distinctive features, categorical perception, and
    probability learning", Psychological Review 84 (1977); the energy: R. Golden, "The brain-state-in-a-box neural model
    is a gradient descent algorithm", Journal of Mathematical Psychology 30 (1986).

    >>> X = [[1, 1, 1, 1, -1, -1, -1, -1], [1, -1, 1, -1, 1, -1, 1, -1]]
    >>> net = BrainStateInABox().fit(X)
    >>> net.transform([[0.1, 0.2, 0.1, 0.1, 0.0, -0.1, -0.2, -0.1]])
    array([[ 1.,  1.,  1.,  1., -1., -1., -1., -1.]])
    """

    rule: Annotated[str, Choice("widrow-hoff", "hebb")] = "widrow-hoff"
    beta: Positive = 0.2
    learning_rate: Annotated[
        float, Number(0, 2, open_low=True, open_high=True, expects="a positive number below 2")
    ] = 1.0
    epochs: PositiveInt = 100
    max_steps: PositiveInt = 1000

    def fit(self, X: Any, y: Any = None) -> BrainStateInABox:
        """Store the rows of X: patterns of values from -1 to 1."""
        if hasattr(self, "weights_"):
            del self.weights_
        return self.partial_fit(X)

    def partial_fit(self, X: Any, y: Any = None) -> BrainStateInABox:
        """Store these patterns in addition, with as many passes as `epochs`."""
        again = hasattr(self, "weights_")
        p = self._start(again)
        X = self._inside(X, reset=not again)
        w = self.weights_ if again else np.zeros((X.shape[1], X.shape[1]), np.float32)
        if p.rule == "hebb":
            self.weights_: np.ndarray = self._run(associate, w, X)
        else:
            self.weights_ = self._run(correct, w, X, p.learning_rate, p.epochs)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Where the rows of X, states in the cube (what lies beyond is cut off), come to rest."""
        return self._grow(self._inside(X), self._checked().max_steps)

    def trajectory(self, X: Any, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
        """The first states of a recall, (steps + 1, examples, features), and their energies, (steps + 1, examples)."""
        states = [self._inside(X)]
        for _ in range(steps):
            states.append(self._grow(states[-1], 1))
        return np.stack(states), np.stack([energies(state, self.weights_) for state in states])

    def energy(self, X: Any) -> np.ndarray:
        """E = -½ xᵀ W x of each row: (examples,)."""
        return energies(self._inside(X), self.weights_)

    def _inside(self, X: Any, reset: bool = False) -> np.ndarray:
        return np.clip(self._rows(X, reset=reset).astype(np.float64), -1, 1)

    def _grow(self, states: np.ndarray, steps: int) -> np.ndarray:
        found: np.ndarray = self._answer(grow, self.weights_, states, self._checked().beta, steps)
        return found


@direct
def associate(engine: Engine, w: Array, patterns: Array) -> Array:
    """W + 1/N Σ ξ ξᵀ."""
    return w + patterns.T @ patterns / w.shape[0]


@costs(lambda a: (20 + a.w.size / 500) * len(a.patterns) * a.epochs)
def correct(engine: Engine, w: Array, patterns: Array, rate: Array, epochs: Array) -> Array:
    """Widrow and Hoff's rule, pattern by pattern; a pattern of zeros changes nothing."""
    lengths = ops.sum(patterns * patterns, axis=1)

    def one(w: Array, item: Any) -> Any:
        s, length = item
        step = rate / ops.where(length > 0, length, 1.0)
        return w + step * (s - w @ s)[:, None] * s[None, :], s[:0]

    def epoch(i: Array, w: Array) -> Any:
        new, _ = engine.scan(one, w, (patterns, lengths))
        return new, ops.any(new != w)

    return engine.loop(0, epochs, epoch, w)


@costs(lambda a: (25 + len(a.x) * a.w.size / 5000) * a.steps)
def grow(engine: Engine, w: Array, x: Array, beta: Array, steps: Array) -> Array:
    """x ← f(x + β W x) until nothing changes."""

    def step(i: Array, x: Array) -> Any:
        new = ops.clip(x + beta * (x @ w.T), -1.0, 1.0)
        return new, ops.any(new != x)

    return engine.loop(0, steps, step, x)
