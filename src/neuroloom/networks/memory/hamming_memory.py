"""A memory that recalls the stored pattern with the fewest different bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import ops
from neuroloom.config import PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ShapeError
from neuroloom.networks.base import Network, costs
from neuroloom.networks.competitive.hamming import _signs, equal_bits, maxnet
from neuroloom.typing import Array


class HammingMemory(TransformerMixin, Network):
    """Recalls the stored pattern that differs from the given one in the fewest bits, or what was stored with it.

    A Hamming layer counts the bits that x (1 where X is above 0, else -1) shares with each of M stored patterns, and
    MAXNET lets the best match win, which calls up its pattern (autoassociative) or its answer (heteroassociative):

        y_j = (N + x·ξ_j) / 2;   y_j ← f(y_j - ε Σ_{k ≠ j} y_k),   ε = 1 / (M + 1)

    It recalls each pattern from fewer than d/2 wrong bits, with d its distance from the nearest other pattern, however
    many there are: unlike a `Hopfield` network it has no capacity, but a unit for each pattern. Of equally near
    patterns the first is recalled.

    Args:
        max_steps: most steps of MAXNET; the answer is the strongest unit, which never changes.

    Attributes:
        patterns_: ξ, -1 and 1, (patterns, features).
        answers_: what the patterns call up: the rows of y, or the patterns.
        seed_: unused.

    Source: R. Lippmann, "An introduction to computing with neural nets", IEEE ASSP Magazine 4 (1987), whose network
    (`HammingNetwork`) gives the class.

    >>> X = [[1, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]]
    >>> HammingMemory().fit(X).transform([[1, 1, -1, -1, -1, -1]])
    array([[ 1.,  1.,  1., -1., -1., -1.]])
    >>> print(HammingMemory().fit(X, ["halves", "stripes"]).predict([[1, -1, -1, -1, 1, -1]]))
    ['stripes']
    """

    max_steps: PositiveInt = 100

    def fit(self, X: Any, y: Any = None) -> HammingMemory:
        """Store the rows of X, and with each the row of y that it calls up: one value or several, of any kind."""
        if hasattr(self, "patterns_"):
            del self.patterns_
        return self.partial_fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> HammingMemory:
        """Store these patterns in addition."""
        again = hasattr(self, "patterns_")
        self._start(again)
        if y is None:
            X = self._rows(X, reset=not again)
        else:
            X, y = self._rows(X, y, reset=not again, multi_output=True)
        patterns = _signs(X)
        answers = patterns if y is None else np.array(y)
        if again and answers.shape[1:] != self.answers_.shape[1:]:
            raise ShapeError(
                f"HammingMemory expected answers of shape {self.answers_.shape[1:]} for a pattern, as before, received "
                f"{answers.shape[1:]}."
            )
        self.patterns_: np.ndarray = np.concatenate([self.patterns_, patterns]) if again else patterns
        self.answers_: np.ndarray = np.concatenate([self.answers_, answers]) if again else answers
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The stored patterns that are nearest to the rows of X: (examples, features)."""
        winner = self._winners(X)
        return self.patterns_[winner]

    def predict(self, X: Any) -> np.ndarray:
        """What the nearest patterns call up: rows of y, or the patterns."""
        winner = self._winners(X)
        return self.answers_[winner]

    def _winners(self, X: Any) -> np.ndarray:
        x = _signs(self._rows(X, reset=False))
        return self._answer(winners, x, self.patterns_, self._checked().max_steps)


@costs(lambda a: (60 + len(a.x) * len(a.patterns) / 100) * a.steps)
def winners(engine: Engine, x: Array, patterns: Array, steps: Array) -> Array:
    """The number of the pattern that wins for each row of x."""
    return ops.argmax(maxnet(engine, equal_bits(engine, x, patterns), 1 / (len(patterns) + 1), steps)[0], axis=1)
