"""Hopfield's networks of 1982 and 1984: memories that a state falls into."""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import ops
from neuroloom.config import Choice, NonNegative, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network, costs
from neuroloom.networks.numbers import Matrix
from neuroloom.ops import draws
from neuroloom.typing import Array

BLOCK = 32
"""Units that asynchronous recall takes together: a matrix product for all, then one after the other."""

ROUNDING = 4e-6
"""Part of Σ |w| below which a sum counts as 0, so that rounding decides no tie."""

RESTS = 10
"""Sweeps after which a recall mostly rests."""

Rule = Annotated[str, Choice("hebb", "pseudo-inverse", "storkey")]


class _Memory(TransformerMixin, Network):
    """What the associative memories share: rows are states, and `transform` recalls."""

    def _states(self, X: Any, reset: bool = False) -> np.ndarray:
        """Rows as states: 1 where X is above 0, else -1."""
        return np.where(self._rows(X, reset=reset) > 0, 1, -1).astype(np.float64)


class _Connected(_Memory):
    """What the networks with one weight per pair of units share: how the weights are made."""

    rule: Rule = "hebb"
    connections: Matrix | None = None

    def fit(self, X: Any, y: Any = None) -> Any:
        """Store the rows of X: patterns of -1 and 1, or 0 and 1 (a unit is 1 where its value is above 0)."""
        return self._store(self._start(), self._states(X, reset=True), again=False)

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Store these patterns in addition."""
        again = hasattr(self, "weights_")
        p = self._start(again)
        return self._store(p, self._states(X, reset=not again), again)

    def _store(self, p: Any, patterns: np.ndarray, again: bool) -> Any:
        units = patterns.shape[1]
        if not again:
            self.__dict__.pop("projection_", None)
        elif (p.rule == "pseudo-inverse") != hasattr(self, "projection_"):
            raise ConfigurationError(
                f"{type(self).__name__} expected the rule with which its first patterns were stored, received "
                f"{p.rule!r}: the pseudo-inverse needs all patterns. Call fit with them, or set rule back."
            )
        mask = connected(p.connections, units)
        joined = units if mask is None else 1 + mask.sum() / units
        self.n_patterns_: int = len(patterns) + (self.n_patterns_ if again else 0)
        self.capacity_ = capacity(p.rule, joined)
        if p.rule == "pseudo-inverse":
            self.projection_: np.ndarray = project(self.projection_ if again else None, patterns)
            self.weights_: np.ndarray = masked(self.projection_.astype(np.float32), mask)
        else:
            before = self.weights_ if again else None
            self.weights_ = (storkey if p.rule == "storkey" else hebb)(before, patterns.astype(np.float32), mask)
        if self.n_patterns_ > self.capacity_:
            warnings.warn(
                f"{type(self).__name__} holds {self.n_patterns_} patterns, beyond the capacity of {p.rule!r}: about "
                f"{self.capacity_:.1f} random patterns of {units} units. Expect errors in recall.",
                UserWarning,
                stacklevel=3,
            )
        return self


class Hopfield(_Connected):
    """Hopfield's network: patterns stored as valleys of an energy, recalled from parts of them.

    The N units have values s_i = ±1 and symmetric weights without self-connections:

        Hebb             W = 1/N Σ ξ ξᵀ
        pseudo-inverse   W = Ξ⁺ Ξ, the projection onto the patterns (rows of Ξ)
        Storkey          Δw_ij = 1/N (ξ_i ξ_j - ξ_i h_ji - h_ij ξ_j),   h_ij = Σ_{k ≠ i, j} w_ik ξ_k

    Recall: s_i ← sign(Σ_j w_ij s_j), where a sum of 0 leaves s_i as it is. Unit after unit, in random order
    (asynchronous), the energy E = -½ sᵀ W s never rises, so each state ends in a fixed point. All at once
    (synchronous), it may end in a cycle of two states.

    Args:
        rule: "hebb", "pseudo-inverse" or "storkey".
        connections: a symmetric matrix that is not 0 where two units may be joined, such as
            `topology.local((8, 8))`; None: all are. Only these weights are learned.
        update: "asynchronous" or "synchronous".
        max_sweeps: most sweeps over all units in a recall.

    Attributes:
        weights_: W, (features, features).
        projection_: W before its diagonal was set to 0, in float64, for the pseudo-inverse only.
        n_patterns_: patterns stored.
        capacity_: about how many random patterns can be recalled: 0.138 N for Hebb's rule with few wrong bits
            (Amit, Gutfreund and Sompolinsky, 1985), N/√(2 ln N) for Storkey's, N - 1 for the pseudo-inverse, whose
            valleys become narrow above N/2, with one more than the mean number of a unit's connections for N. Storing
            more warns.
        seed_: the seed of the orders of asynchronous recall.

    Source: J. Hopfield, PNAS 79 (1982); L. Personnaz, I. Guyon, G. Dreyfus, Journal de Physique Lettres 46 (1985);
    A. Storkey, R. Valabregue, Neural Networks 12 (1999). Other libraries take sign(0) as 0 or 1 and so forget a
    unit's state, or do a single sweep when synchronous; some divide W by the number of patterns instead of by N, which
    changes no recall.

    >>> X = [[1, 1, 1, 1, -1, -1, -1, -1], [1, -1, 1, -1, 1, -1, 1, -1]]
    >>> net = Hopfield(rule="storkey", random_state=0).fit(X)
    >>> net.transform([[-1, 1, 1, 1, -1, -1, -1, -1]])
    array([[ 1.,  1.,  1.,  1., -1., -1., -1., -1.]])
    """

    update: Annotated[str, Choice("asynchronous", "synchronous")] = "asynchronous"
    max_sweeps: PositiveInt = 100

    def transform(self, X: Any) -> np.ndarray:
        """The states that the rows of X end in, of -1 and 1: (examples, features)."""
        return self._recall(self._states(X), self._checked().max_sweeps, 0)

    def trajectory(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """All states of a recall, (sweeps + 1, examples, features), and their energies, (sweeps + 1, examples)."""
        states = [self._states(X)]
        for sweep in range(self._checked().max_sweeps):
            states.append(self._recall(states[-1], 1, sweep))
            if any(np.array_equal(states[-1], past) for past in states[-3:-1]):
                break
        return np.stack(states), np.stack([self.energy(state) for state in states])

    def energy(self, X: Any) -> np.ndarray:
        """E = -½ sᵀ W s of each row's state: (examples,)."""
        return energies(self._states(X), self.weights_)

    def _recall(self, states: np.ndarray, sweeps: int, first: int) -> np.ndarray:
        recall = recall_together if self._checked().update == "synchronous" else recall_in_turn
        key = draws.key(self.seed_, "order")
        return self._run(recall, self.weights_, self._thresholds(), states, sweeps, first, key).astype(np.float64)

    def _thresholds(self) -> np.ndarray:
        """What the sums of the units have to exceed: (features,)."""
        return np.zeros(len(self.weights_))


class ContinuousHopfield(_Connected):
    """Hopfield's network of graded units, whose state flows downhill.

        du/dt = -u/τ + W v,   v = tanh(β u)

    by Euler's steps from v = x. With symmetric W its energy never rises along the flow:

        E = -½ vᵀ W v + 1/(τ β) Σ (v atanh v + ½ ln(1 - v²))

    Args:
        rule, connections: how W is made from the patterns; see `Hopfield`.
        gain: β. At low gain all states flow to 0, at high gain to the corners of the cube.
        tau: τ.
        step: the length of a step, in units of time.
        max_steps: most steps.
        tol: the flow ends when no v changes by more than this in a step.

    Attributes:
        weights_, n_patterns_, capacity_: see `Hopfield`.
        seed_: unused.

    Source: J. Hopfield, "Neurons with graded response have collective computational properties like those of
    two-state neurons", PNAS 81 (1984).

    >>> X = [[1, 1, 1, 1, -1, -1, -1, -1], [1, -1, 1, -1, 1, -1, 1, -1]]
    >>> net = ContinuousHopfield(rule="storkey").fit(X)
    >>> net.transform([[0.1, 0.8, 0.9, 0.7, -0.4, -0.3, -0.8, -0.9]]).round(1)
    array([[ 1.,  1.,  1.,  1., -1., -1., -1., -1.]])
    """

    gain: Positive = 8.0
    tau: Positive = 1.0
    step: Positive = 0.1
    max_steps: PositiveInt = 500
    tol: NonNegative = 1e-4

    def transform(self, X: Any) -> np.ndarray:
        """Where the rows of X, activities from -1 to 1 (what lies beyond is cut off), flow to."""
        p = self._checked()
        start = np.clip(self._rows(X, reset=False), -0.999, 0.999)
        return self._answer(flow, self.weights_, start, p.gain, p.tau, p.step, p.tol, p.max_steps)

    def trajectory(self, X: Any, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
        """The first states of a recall, (steps + 1, examples, features), and their energies, (steps + 1, examples)."""
        p = self._checked()
        states = [np.clip(self._rows(X, reset=False), -0.999, 0.999)]
        for _ in range(steps):
            states.append(self._answer(flow, self.weights_, states[-1], p.gain, p.tau, p.step, p.tol, 1))
        return np.stack(states), np.stack([self.energy(state) for state in states])

    def energy(self, X: Any) -> np.ndarray:
        """E of each row's state: (examples,)."""
        p = self._checked()
        v = np.clip(self._rows(X, reset=False).astype(np.float64), -1, 1)
        inside = np.where(abs(v) < 1, v, 0)
        leak = np.where(abs(v) < 1, inside * np.arctanh(inside) + 0.5 * np.log1p(-(inside**2)), math.log(2))
        return energies(v, self.weights_) + leak.sum(axis=1) / (p.tau * p.gain)


def connected(connections: np.ndarray | None, units: int) -> np.ndarray | None:
    """True for each two units that a weight may join, of all but each unit with itself; None: as those are.

    Raises:
        ShapeError: the matrix is not of these units.
        ConfigurationError: it joins two units in one direction only.
    """
    if connections is None:
        return None
    if connections.shape != (units, units):
        raise ShapeError(f"Expected connections of shape {(units, units)}, received {connections.shape}.")
    mask: np.ndarray = connections != 0
    if (mask != mask.T).any():
        raise ConfigurationError(
            "Expected symmetric connections, received one from a unit to another without the way back: the energy "
            "could rise. topology.symmetric(connections) adds them."
        )
    return mask & ~np.eye(units, dtype=bool)


def masked(w: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """w, in place, with 0 where there is no connection."""
    if mask is None:
        np.fill_diagonal(w, 0)
    else:
        w *= mask
    return w


def capacity(rule: str, units: float) -> float:
    """About how many random patterns the rule can store; see `Hopfield`."""
    if rule == "hebb":
        return 0.138 * units
    return units / math.sqrt(2 * math.log(units)) if rule == "storkey" and units > 1 else float(max(units - 1, 1))


def energies(s: np.ndarray, w: np.ndarray) -> np.ndarray:
    """-½ sᵀ W s for each row, in float64."""
    s = s.astype(np.float64)
    return -0.5 * np.einsum("bi,bi->b", s @ w.astype(np.float64), s)


def hebb(w: np.ndarray | None, patterns: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """W + 1/N Σ ξ ξᵀ where there are connections, in float32."""
    sums = patterns.T @ patterns
    sums /= np.float32(patterns.shape[1])
    sums = masked(sums, mask)
    return sums if w is None else w + sums


def storkey(w: np.ndarray | None, patterns: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Storkey's rule, pattern by pattern, where there are connections, in float32.

    With h = W ξ it is h_ij = h_i - w_ij ξ_j, as w_ii = 0, so that W is symmetric and ξ_i² = 1 make of it

        ΔW = 2/N W + 1/N (ξ (ξ/2 - h)ᵀ + (ξ/2 - h) ξᵀ)
    """
    n = patterns.shape[1]
    w = np.zeros((n, n), np.float32) if w is None else w.copy()
    for s in patterns:
        part = (s / 2 - w @ s) / np.float32(n)
        change = np.stack([s, part], axis=1) @ np.stack([part, s])
        change += np.float32(2 / n) * w
        w += masked(change, mask)
    return w


def project(projection: np.ndarray | None, patterns: np.ndarray) -> np.ndarray:
    """The projection onto a space and these patterns: what they have beyond it is added to it."""
    beyond = patterns if projection is None else patterns - patterns @ projection
    beyond = beyond[np.linalg.norm(beyond, axis=1) > 1e-6 * math.sqrt(patterns.shape[1])]
    _, sizes, basis = np.linalg.svd(beyond, full_matrices=False)
    basis = basis[sizes > 1e-9 * sizes.max(initial=0)]
    wider = basis.T @ basis
    return wider if projection is None else wider + projection


def _sign(h: Array, s: Array, slack: Array) -> Array:
    """-1 or 1; where h is 0 to rounding, as it was."""
    return ops.where(h > slack, 1.0, ops.where(h < -slack, -1.0, s))


@costs(lambda a: (60 + a.states.size * (len(a.w) / 5000 + 0.02)) * min(a.sweeps, RESTS))
def recall_together(
    engine: Engine, w: Array, theta: Array, states: Array, sweeps: Array, first: Array, key: Array
) -> Array:
    """All units at once, until nothing changes or two states alternate; each row stops for itself."""
    slack = ROUNDING * (ops.sum(ops.abs(w), axis=0) + ops.abs(theta))

    def sweep(i: Array, state: Any) -> Any:
        s, before, moves = state
        new = ops.where(moves, _sign(s @ w - theta, s, slack), s)
        moves = ops.any(new != s, axis=1, keepdims=True) & ops.any(new != before, axis=1, keepdims=True)
        return (new, s, moves), ops.any(moves)

    return engine.loop(0, sweeps, sweep, (states, states * 0, states[:, :1] == states[:, :1]))[0]


@costs(lambda a: (25 + len(a.states) / 100) * len(a.w) * min(a.sweeps, RESTS))
def recall_in_turn(
    engine: Engine, w: Array, theta: Array, states: Array, sweeps: Array, first: Array, key: Array
) -> Array:
    """Unit after unit, in an order new for each sweep, until nothing changes.

    A block's sums come from one matrix product; within the block each change is added to the sums after it. So the
    result is that of single updates, and nearly all work is in matrix products.
    """
    n, batch = w.shape[0], states.shape[0]
    block = min(BLOCK, n)
    padding = -n % block
    blocks = (n + padding) // block
    w, theta = ops.pad(w, ((0, padding), (0, padding))), ops.pad(theta, ((0, padding),))
    slack = ROUNDING * (ops.sum(ops.abs(w), axis=0) + ops.abs(theta))
    positions = engine.arange(block)

    def sweep(i: Array, s: Array) -> Any:
        order = ops.concat([draws.permutation(draws.fold_in(key, first + i), n), engine.arange(padding) + n], axis=0)
        ordered = ops.reshape(ops.gather(ops.gather(w, order).T, order), (blocks, block, n + padding))

        def one_block(s: Array, item: Any) -> Any:  # s (blocks, block, batch)
            k, rows, limits, slack_k, own = item  # (), (block, units), (block,), (block,), (block, block)
            old = ops.squeeze(engine.rows(s, k, 1), axis=0)
            h = rows @ ops.reshape(s, (n + padding, batch)) - limits[:, None]
            _, new = engine.scan(one, h, (positions, own, slack_k, old))
            return ops.where((numbers == k)[:, None, None], new[None], s), new[:0]

        def one(h: Array, item: Any) -> Any:  # h (block, batch)
            j, adds, slack_j, old = item
            new = _sign(ops.squeeze(engine.rows(h, j, 1), axis=0), old, slack_j)
            return h + adds[:, None] * (new - old), new

        numbers = engine.arange(blocks)
        own = ops.stack([ordered[k][:, k * block : (k + 1) * block] for k in range(blocks)], axis=0)
        limits, slacks = (ops.reshape(ops.gather(v, order), (blocks, block)) for v in (theta, slack))
        start = ops.reshape(ops.gather(s, order), (blocks, block, batch))
        new, _ = engine.scan(one_block, start, (numbers, ordered, limits, slacks, own))
        new = ops.gather(ops.reshape(new, (n + padding, batch)), ops.argsort(order))
        return new, ops.any(new != s)

    s = ops.pad(states.T, ((0, padding), (0, 0)), 1.0)
    return engine.loop(0, sweeps, sweep, s)[:n].T


@costs(lambda a: (40 + a.v.size * (len(a.w) / 5000 + 0.02)) * a.steps)
def flow(
    engine: Engine, w: Array, v: Array, gain: Array, tau: Array, dt: Array, tol: Array, steps: Array
) -> Array:  # fmt: skip
    """Euler's steps of du/dt = -u/τ + W v until v rests, each row for itself."""
    u = ops.log((1 + v) / (1 - v)) / (2 * gain)

    def step(i: Array, state: Any) -> Any:
        u, v, moves = state
        u = u + dt * (v @ w - u / tau)
        new = ops.where(moves, ops.tanh(gain * u), v)
        moves = ops.any(ops.abs(new - v) > tol, axis=1, keepdims=True)
        return (u, new, moves), ops.any(moves)

    return engine.loop(0, steps, step, (u, v, v[:, :1] == v[:, :1]))[1]
