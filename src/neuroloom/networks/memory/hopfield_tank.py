"""Hopfield and Tank's network: a tour through cities as the resting state of n² graded units."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuroloom import ops
from neuroloom.config import NonNegative, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.base import Network, costs
from neuroloom.networks.boltzmann.annealing import tour_lengths
from neuroloom.typing import Array


class HopfieldTank(Network):
    """Hopfield and Tank's network for the travelling salesman: a short closed tour through the rows of X.

    Unit V_xi says that city x is the i-th of the tour. With d the cities' distances (scaled, so that the cities fill a
    unit square), n cities and positions modulo n the state flows down the energy

        E = A/2 Σ_x Σ_i Σ_{j ≠ i} V_xi V_xj + B/2 Σ_i Σ_x Σ_{y ≠ x} V_xi V_yi + C/2 (Σ V - m)²
            + D/2 Σ_x Σ_y Σ_i d_xy V_xi (V_y,i+1 + V_y,i-1) + 1/τ Σ ∫ u dV
        du/dt = -u/τ - ∂E/∂V,      V = ½ (1 + tanh(u / u₀))

    by Euler's steps: one position for each city (A), one city at each position (B), enough units on (C), and a short
    tour (D). Several starts, u₀ atanh of equal activities with noise, are computed together. A tour is read from an
    end by the assignment of cities to positions with the largest sum of activities; the shortest one wins.

    Args:
        a, b, c, d: A, B, C, D.
        excess: m - n.
        u0: u₀, the width of the units' response.
        tau: τ.
        step: the length of Euler's steps.
        max_steps: their number.
        starts: how often the network starts.

    Attributes:
        tour_: the rows of X in the order of the shortest tour, (n,).
        length_: its length, in the unit of X.
        cities_: X.
        lengths_: the length of the tour of each start, (starts,).
        valid_: whether each start's end already was a tour: n units above ½, one for each city and position.
        activities_: V at the end of the start that gave `tour_`, (cities, positions).
        energies_: E before each step, (steps, starts).
        seed_: the seed of the noise.

    `predict` gives places in the tour. Source: J. Hopfield and D. Tank, "'Neural' computation of decisions in
    optimization problems", Biological Cybernetics 52 (1985). G. Wilson and G. Pawley, Biological Cybernetics 58 (1988),
    found 15 % of the ends to be tours, and those little better than random ones: the assignment repairs the others, and
    `simulated_annealing` finds shorter tours. Other libraries have no such network.

    >>> import numpy as np
    >>> corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0.0]])
    >>> net = HopfieldTank(random_state=0).fit(corners)
    >>> float(net.length_)
    4.0
    """

    a: Positive = 500.0
    b: Positive = 500.0
    c: Positive = 200.0
    d: Positive = 500.0
    excess: NonNegative = 5.0
    u0: Positive = 0.02
    tau: Positive = 1.0
    step: Positive = 1e-6
    max_steps: PositiveInt = 5000
    starts: PositiveInt = 20

    def fit(self, X: Any, y: Any = None) -> HopfieldTank:
        """Find a tour through the rows of X: places, compared by their Euclidean distance."""
        p = self._start()
        X = self._rows(X, ensure_min_samples=2)
        self.cities_: np.ndarray = np.array(X, np.float64)
        distances = pairwise(self.cities_)
        scale = float(np.ptp(X, axis=0).max()) or 1.0
        wanted = len(X) + p.excess
        start = start_of(self._generator("noise"), len(X), p.starts, wanted, p.u0)
        ends, self.energies_ = self._run(
            flow, start, distances / scale, (p.a, p.b, p.c, p.d), wanted, p.u0, p.tau, p.step, steps=p.max_steps
        )
        self.valid_: np.ndarray = np.array([is_tour(v) for v in ends])
        tours = np.stack([read(v) for v in ends])
        self.lengths_: np.ndarray = tour_lengths(tours, distances)
        best = int(self.lengths_.argmin())
        self.tour_, self.length_, self.activities_ = tours[best], float(self.lengths_[best]), ends[best]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The place in the tour of each row: of the nearest city, for others."""
        X = self._rows(X, reset=False)
        nearest = [int(((self.cities_ - x) ** 2).sum(axis=1).argmin()) for x in X]
        return np.argsort(self.tour_)[nearest]


def pairwise(places: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each place to each."""
    return np.sqrt(((places[:, None] - places) ** 2).sum(axis=2))


def start_of(rng: np.random.Generator, n: int, starts: int, wanted: float, u0: float) -> np.ndarray:
    """u where all activities are equal and have the wanted sum, with noise of ±u₀/10, (starts, n, n)."""
    even = min(wanted / n**2, 0.5)
    return u0 * np.arctanh(2 * even - 1) + 0.1 * u0 * rng.uniform(-1, 1, (starts, n, n))


@costs(lambda a: a.steps * (200 + a.u.size / 10))
def flow(
    engine: Engine, u: Array, distances: Array, weights: Any, wanted: Array, u0: Array, tau: Array, dt: Array, *,
    steps: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Activities at the end, (starts, cities, positions), and the energies before each step, (steps, starts)."""

    def step(u: Array, _: Array) -> Any:
        v = activities(u, u0)
        found = energy(u, v, distances, weights, wanted, u0, tau)
        return u - dt * (u / tau + slopes(v, distances, weights, wanted)), found

    u, energies = engine.scan(step, u, engine.arange(steps))
    return activities(u, u0), energies


def activities(u: Array, u0: Array) -> Array:
    """½ (1 + tanh(u / u₀))."""
    return ops.sigmoid(2 * u / u0)


def slopes(v: Array, distances: Array, weights: Any, wanted: Array) -> Array:
    """∂E/∂V without the integral's."""
    a, b, c, d = weights
    city = ops.sum(v, axis=2, keepdims=True) - v
    position = ops.sum(v, axis=1, keepdims=True) - v
    total = ops.sum(v, axis=(1, 2), keepdims=True) - wanted
    return a * city + b * position + c * total + d * (distances @ (ops.roll(v, 1, axis=2) + ops.roll(v, -1, axis=2)))


def energy(u: Array, v: Array, distances: Array, weights: Any, wanted: Array, u0: Array, tau: Array) -> Array:
    """E of each start, (starts,)."""
    a, b, c, d = weights
    city = ops.sum(ops.square(ops.sum(v, axis=2)), axis=1) - ops.sum(v * v, axis=(1, 2))
    position = ops.sum(ops.square(ops.sum(v, axis=1)), axis=1) - ops.sum(v * v, axis=(1, 2))
    total = ops.square(ops.sum(v, axis=(1, 2)) - wanted)
    near = ops.sum(v * (distances @ (ops.roll(v, 1, axis=2) + ops.roll(v, -1, axis=2))), axis=(1, 2))
    inside = -v * ops.softplus(-2 * u / u0) - (1 - v) * ops.softplus(2 * u / u0)  # V ln V + (1 - V) ln(1 - V)
    return (a * city + b * position + c * total + d * near) / 2 + u0 / (2 * tau) * ops.sum(inside, axis=(1, 2))


def is_tour(v: np.ndarray) -> bool:
    """Whether the units above ½ are one for each city and one at each position."""
    on = v > 0.5
    return bool((on.sum(axis=0) == 1).all() and (on.sum(axis=1) == 1).all())


def read(v: np.ndarray) -> np.ndarray:
    """The tour of the largest sum of activities: the city at each position."""
    cities, positions = linear_sum_assignment(v, maximize=True)
    return cities[np.argsort(positions)]
