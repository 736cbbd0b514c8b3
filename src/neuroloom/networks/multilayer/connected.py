"""Units run along any connections."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import ops
from neuroloom.config import Choice, NonNegative, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import topology
from neuroloom.networks.base import Network, costs
from neuroloom.networks.numbers import Matrix, PerUnit
from neuroloom.typing import Array


class ConnectedNetwork(TransformerMixin, Network):
    """Threshold or sigmoid units that act on each other along any weights, such as those of `networks.topology`.

        s_j ← f(Σ_i w_ij s_i + b_j) for all units at once, until they rest

    where f is one of

        threshold   1 where the sum is above 0, 0 where it is below; at 0 the unit stays as it was
        sign        the same with 1 and -1
        sigmoid     1 / (1 + exp(-z))
        tanh        tanh(z)
        linear      z

    A row of X holds the states at the start. With `inputs` it holds those of the first units, which keep them, and the
    others start at 0: so a layered network computes its layers one after the other. Layers without ways back rest after
    as many steps as there are layers; others may go round in a cycle until `max_steps`.

    Args:
        weights: w, (units, units), from unit i (row) to unit j (column); None joins each unit with each other by
            1 / units, with as many units as features.
        bias: b, a number for all units or one for each.
        activation: f.
        inputs: how many units, from the first, are held at the values of X; None: all start there and none is held.
        max_steps: most steps.
        tol: a row rests when no unit changes by more.

    Attributes:
        weights_: w.
        bias_: b, (units,).
        seed_: unused.

    Source: W. McCulloch, W. Pitts, "A logical calculus of the ideas immanent in nervous activity", Bulletin of
    Mathematical Biophysics 5 (1943), who let any units be joined.

    >>> weights = topology.layered((2, 2, 1)) * np.array([0, 0, 1, -1, 1])  # or, not-and; both: exactly one of two
    >>> net = ConnectedNetwork(weights=weights, bias=[0, 0, -0.5, 1.5, -1.5], inputs=2).fit([[0, 0]])
    >>> net.transform([[0, 0], [0, 1], [1, 0], [1, 1]])[:, 4]
    array([0., 1., 1., 0.])
    """

    weights: Matrix | None = None
    bias: PerUnit = 0.0
    activation: Annotated[str, Choice("threshold", "sign", "sigmoid", "tanh", "linear")] = "threshold"
    inputs: PositiveInt | None = None
    max_steps: PositiveInt = 100
    tol: NonNegative = 1e-6

    def fit(self, X: Any, y: Any = None) -> ConnectedNetwork:
        """Check the weights and the rows of X; nothing is learned."""
        p = self._start()
        features = self._rows(X).shape[1]
        self.weights_ = topology.full(features) / features if p.weights is None else p.weights
        self._check(p, features)
        self.bias_ = np.broadcast_to(p.bias, len(self.weights_)).copy()
        return self

    def _check(self, p: SimpleNamespace, features: int) -> None:
        units = len(self.weights_)
        if self.weights_.shape != (units, units) or p.bias.shape not in ((), (units,)):
            raise ShapeError(
                f"ConnectedNetwork expected weights (units, units) and one bias or as many as units, received "
                f"{self.weights_.shape} and {p.bias.shape}."
            )
        if p.inputs is not None and p.inputs > units:
            raise ConfigurationError(f"ConnectedNetwork expected inputs of at most {units} units, received {p.inputs}.")
        if features != (p.inputs or units):
            raise ShapeError(f"ConnectedNetwork expected {p.inputs or units} features, received {features}.")

    def transform(self, X: Any) -> np.ndarray:
        """The states of all units at rest: (examples, units)."""
        return self._spread(self._first(X), self._checked().max_steps)

    def trajectory(self, X: Any, steps: int) -> np.ndarray:
        """The first states of all units: (steps + 1, examples, units)."""
        states = [self._first(X)]
        for _ in range(steps):
            states.append(self._spread(states[-1], 1))
        return np.stack(states)

    def _first(self, X: Any) -> np.ndarray:
        X = self._rows(X, reset=False).astype(np.float64)
        return np.pad(X, ((0, 0), (0, len(self.weights_) - X.shape[1])))

    def _spread(self, states: np.ndarray, steps: int) -> np.ndarray:
        p = self._checked()
        held = np.arange(len(self.weights_)) < (p.inputs or 0)
        found: np.ndarray = self._answer(
            spread, self.weights_, self.bias_, held, states, p.tol, steps, activation=p.activation
        )
        return found


@costs(lambda a: (60 + a.s.size * (len(a.w) / 5000 + 0.02)) * a.steps)
def spread(
    engine: Engine, w: Array, b: Array, held: Array, s: Array, tol: Array, steps: Array, *, activation: str
) -> Array:
    """s ← f(s W + b) until s rests, each row for itself; units that are held stay."""

    def step(i: Array, state: Any) -> Any:
        s, moves = state
        new = ops.where(moves & ~held, activate(s @ w + b, s, activation), s)
        moves = ops.any(ops.abs(new - s) > tol, axis=1, keepdims=True)
        return (new, moves), ops.any(moves)

    return engine.loop(0, steps, step, (s, s[:, :1] == s[:, :1]))[0]


def activate(z: Array, s: Array, activation: str) -> Array:
    """f(z); where threshold and sign are at 0 the state s stays."""
    if activation in ("threshold", "sign"):
        return ops.where(z > 0, 1.0, ops.where(z < 0, 0.0 if activation == "threshold" else -1.0, s))
    return {"sigmoid": ops.sigmoid, "tanh": ops.tanh, "linear": lambda z: z}[activation](z)
