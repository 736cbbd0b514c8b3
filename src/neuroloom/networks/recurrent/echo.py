"""The echo state network: a random reservoir that is never trained, and a linear layer that reads it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Count, NonNegative, Number, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.networks import least_squares
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.base import costs
from neuroloom.networks.recurrent.sequences import _Scored, _Sequences
from neuroloom.typing import Array

Share = Annotated[float, Number(0, 1, open_low=True, expects="a number above 0, at most 1")]


class EchoStateRegressor(_Scored, ManyTargets, _Sequences):
    """Echo state network: a random recurrent reservoir that echoes its input, and a linear layer that reads it.

        x(t) = (1 - a) x(t-1) + a tanh(A u(t) + W x(t-1) + b),      x(0) = 0
        ŷ(t) = V [x(t), u(t)] + c

    A, W and b are random and stay; only V and c are fitted, by ridge regression: min Σ ‖ŷ - y‖² + α ‖V‖². The
    reservoir forgets its first state (it has the echo property) if the largest singular value of W is below 1, and with
    input as a rule if its spectral radius, the largest |eigenvalue|, is below 1.

    A row of X is a sequence: X is (sequences, steps), a number per step, or (sequences, steps, features); a single
    long series is X[None]. Targets are (sequences,) or (sequences, outputs), read after the last step, or
    (sequences, steps, outputs), read at every step. A network that was fitted to its own next inputs goes on alone
    by `forecast`.

    Args:
        n_units: units of the reservoir.
        spectral_radius: the largest |eigenvalue| of W.
        density: the share of the units that each unit hears.
        input_scaling: elements of A are from [-input_scaling, input_scaling].
        bias_scaling: elements of b likewise.
        leak_rate: a; 1 keeps nothing of the last state but what W brings.
        washout: first steps of each sequence that are not fitted, where there is a target at every step.
        alpha: α.

    Attributes:
        input_coef_: A, (units, features).
        recurrent_coef_: W, (units, units).
        intercept_in_: b, (units,).
        coef_: V, (outputs, units + features).
        intercept_: c, (outputs,).
        seed_: the seed of the reservoir.

    Source: H. Jaeger, "The echo state approach to analysing and training recurrent neural networks", GMD Report 148
    (2001); leaky units as in H. Jaeger, M. Lukoševičius, D. Popovici and U. Siewert, Neural Networks 20 (2007). Other
    libraries keep the state between calls, so that an answer hangs on what was asked before; here each sequence
    starts at 0, or where `start` says.

    >>> import numpy as np
    >>> u = np.sin(np.arange(300) / 5)[None, :, None]  # one series of one feature
    >>> net = EchoStateRegressor(n_units=50, washout=50, random_state=0).fit(u[:, :-1], u[:, 1:])
    >>> bool(abs(net.forecast(u[:, :200], 100) - u[:, 200:]).max() < 0.05)
    True
    """

    n_units: PositiveInt = 100
    spectral_radius: Positive = 0.9
    density: Share = 0.1
    input_scaling: Positive = 1.0
    bias_scaling: NonNegative = 0.1
    leak_rate: Share = 1.0
    washout: Count = 0
    alpha: NonNegative = 1e-6

    def fit(self, X: Any, y: Any) -> EchoStateRegressor:
        """Draw the reservoir, and fit the linear layer to its states for X and y."""
        p = self._start()
        X = self._inputs(X, reset=True)
        y = self._targets(X, y, labels=False).astype(np.float64)
        y = self._columns(y)
        self._draw(p, X.shape[2])
        seen = self._seen(X, self._run_states(X, None))
        if self.each_:
            seen, y = self._after_washout(p, seen), self._after_washout(p, y)
        self.coef_, self.intercept_ = ridge(seen.reshape(-1, seen.shape[-1]), y.reshape(-1, y.shape[-1]), p.alpha)
        return self

    def predict(self, X: Any, start: Any = None) -> np.ndarray:
        """ŷ after the last step, or at every step if it was fitted so; `start` as of `states`."""
        X = self._inputs(X)
        return self._as_given(self._seen(X, self._run_states(X, start)) @ self.coef_.T + self.intercept_)

    def states(self, X: Any, start: Any = None) -> np.ndarray:
        """The states x(t) for sequences, (sequences, steps, units).

        Args:
            start: x(0) of each, (sequences, units), such as `states(before)[:, -1]` to go on where a series was cut;
                None: 0.
        """
        return self._run_states(self._inputs(X), start)

    def forecast(self, X: Any, steps: int) -> np.ndarray:
        """How the sequences go on, (sequences, steps, features): after X each ŷ is the next input.

        Raises:
            ConfigurationError: outputs are not as many as the features.
        """
        X = self._inputs(X)
        if len(self.coef_) != X.shape[2]:
            raise ConfigurationError(
                f"forecast needs a network fitted to its next inputs: {X.shape[2]} outputs, and it has "
                f"{len(self.coef_)}. Fit it with X[:, :-1] and X[:, 1:]."
            )
        last = self._run_states(X, None)[:, -1]
        found = self._answer(
            go_on, last, X[:, -1], self._weights(), self.coef_, self.intercept_, self._checked().leak_rate, steps=steps
        )
        return found.transpose(1, 0, 2)

    def _draw(self, p: SimpleNamespace, features: int) -> None:
        rng = self._generator("reservoir")
        self.input_coef_ = rng.uniform(-p.input_scaling, p.input_scaling, (p.n_units, features))
        self.intercept_in_ = rng.uniform(-p.bias_scaling, p.bias_scaling, p.n_units)
        self.recurrent_coef_ = reservoir(rng, p.n_units, p.density, p.spectral_radius)

    def _weights(self) -> tuple[np.ndarray, ...]:
        """Aᵀ and Wᵀ, as the products of states with them read fastest, and b."""
        return self.input_coef_.T.copy(), self.recurrent_coef_.T.copy(), self.intercept_in_

    def _run_states(self, X: np.ndarray, start: Any) -> np.ndarray:
        shape = (len(X), len(self.recurrent_coef_))
        start = np.zeros(shape) if start is None else np.asarray(start, np.float64)
        if start.shape != shape:
            raise ShapeError(
                f"{type(self).__name__} expected states (sequences, units) {shape}, received {start.shape}."
            )
        rows = X.transpose(1, 0, 2).astype(np.float64)
        return self._answer(echoes, start, rows, self._weights(), self._checked().leak_rate).transpose(1, 0, 2)

    def _seen(self, X: np.ndarray, states: np.ndarray) -> np.ndarray:
        """[x, u] at every step, or at the last."""
        seen = np.concatenate([states, X], axis=2)
        return seen if self.each_ else seen[:, -1]

    def _after_washout(self, p: SimpleNamespace, rows: np.ndarray) -> np.ndarray:
        if p.washout >= rows.shape[1]:
            raise DataError(
                f"washout={p.washout} leaves nothing of sequences of {rows.shape[1]} steps: expected longer sequences."
            )
        return rows[:, p.washout :]


def reservoir(rng: np.random.Generator, units: int, density: float, radius: float) -> np.ndarray:
    """A random matrix (units, units) with equally many entries in each row and this spectral radius."""
    heard = max(1, round(density * units))
    w = np.zeros((units, units))
    places = rng.permuted(np.tile(np.arange(units), (units, 1)), axis=1)[:, :heard]
    np.put_along_axis(w, places, rng.normal(size=(units, heard)), axis=1)
    return w * (radius / abs(np.linalg.eigvals(w)).max())


def ridge(rows: np.ndarray, targets: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """V and c of min Σ ‖V r + c - y‖² + α ‖V‖²: of equals the shortest."""
    centre, middle = rows.mean(axis=0), targets.mean(axis=0)
    solution = least_squares.solve(rows - centre, targets - middle, np.full(rows.shape[1], alpha)).T
    return solution, middle - solution @ centre


def step(x: Array, heard: Array, w: Array, leak: Array) -> Array:
    """The next state of each sequence, (sequences, units), that hears A u + b and, by Wᵀ, itself."""
    return (1 - leak) * x + leak * ops.tanh(heard + x @ w)


@costs(lambda a: len(a.inputs) * (12 + a.x.size * (len(a.weights[1]) / 5000 + 0.02)))
def echoes(engine: Engine, x: Array, inputs: Array, weights: tuple[Array, ...], leak: Array) -> Array:
    """All states for inputs (steps, sequences, features): (steps, sequences, units)."""
    w_in, w, bias = weights

    def one(x: Array, heard: Array) -> Any:
        x = step(x, heard, w, leak)
        return x, x

    return engine.scan(one, x, inputs @ w_in + bias)[1]


@costs(lambda a: a.steps * (25 + a.x.size * (len(a.weights[1]) / 5000 + 0.02)))
def go_on(
    engine: Engine, x: Array, u: Array, weights: tuple[Array, ...], v: Array, c: Array, leak: Array, *, steps: int
) -> Array:
    """What the network says when it hears itself, from a state x that heard u: (steps, sequences, features)."""

    w_in, w, bias = weights

    def turn(carry: Any, i: Array) -> Any:
        x, u = carry
        said = ops.concat([x, u], axis=1) @ v.T + c
        return (step(x, said @ w_in + bias, w, leak), said), said

    return engine.scan(turn, (x, u), engine.arange(steps))[1]
