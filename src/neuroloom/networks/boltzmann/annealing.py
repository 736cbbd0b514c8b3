"""Simulated annealing: a search for the state of lowest energy that goes uphill less and less often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import run
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

MOVES = ("flip", "swap", "reverse")


class Annealed(NamedTuple):
    """What a search found.

    Attributes:
        state: the best state of all chains.
        energy: its energy.
        energies: the energy of each chain after each step, (steps, chains).
    """

    state: np.ndarray
    energy: float
    energies: np.ndarray


def simulated_annealing(
    energy: Callable[..., Array], start: Any, *data: Any, moves: str = "flip", hot: float = 1.0, cold: float = 0.01,
    steps: int = 10_000, random_state: int = 0, engine: str | None = None,
) -> Annealed:  # fmt: skip
    """The state of lowest energy that chains find while their temperature falls.

    Each step proposes a neighbour of each chain's state and takes it with probability min(1, exp(-ΔE / T)); T falls
    from `hot` to `cold` by equal factors. A good `hot` is the size of a usual ΔE, a good `cold` below the smallest.

    Args:
        energy: `energy(states, *data)`, the energy of each row of (chains, n) states, written with `neuroloom.ops`: it
            becomes part of a compiled program. Give it a function of a module, since a program is kept for each.
        start: states to begin with, a row for each chain: 0s and 1s, or for "swap" and "reverse" 0 to n - 1 in an
            order; one state is a chain alone.
        data: arrays that the energy needs.
        moves: "flip" one unit of the state, "swap" two places, or "reverse" what stands between two places.
        hot, cold: the first and the last temperature.
        steps: proposals to each chain.
        random_state: equal seeds give equal results, on every engine.
        engine: None is the one in use.

    Raises:
        ConfigurationError: no such moves, or temperatures that do not fall.
        ShapeError: `start` is no row of states.

    Source: S. Kirkpatrick, C. Gelatt and M. Vecchi, "Optimization by simulated annealing", Science 220 (1983).

    >>> import numpy as np
    >>> cities = np.exp(2j * np.pi * np.array([0, 3, 1, 4, 2, 5]) / 6)  # on a circle, out of order
    >>> distances = abs(cities[:, None] - cities)
    >>> found = simulated_annealing(tour_lengths, np.arange(6), distances, moves="reverse", steps=2000)
    >>> round(found.energy, 4)
    6.0
    """
    if moves not in MOVES:
        raise ConfigurationError(f"simulated_annealing expected moves to be one of {MOVES}, received {moves!r}.")
    if not hot >= cold > 0:
        raise ConfigurationError(f"simulated_annealing expected hot >= cold > 0, received {hot!r} and {cold!r}.")
    states = np.atleast_2d(np.asarray(start))
    if states.ndim != 2 or not states.size:
        raise ShapeError(f"simulated_annealing expected states (chains, n), received {states.shape}.")
    states = states.astype(np.float32 if moves == "flip" else np.int32)
    temperatures, key = np.geomspace(hot, cold, steps), draws.key(random_state, "annealing")
    best, lowest, energies = run(engine, anneal, states, temperatures, key, data, energy=energy, moves=moves)
    winner = int(lowest.argmin())
    return Annealed(best[winner], float(lowest[winner]), energies)


def tour_lengths(tours: Array, distances: Array) -> Array:
    """The length of each closed tour: an energy for `simulated_annealing`.

    Args:
        tours: cities in order, (tours, n).
        distances: (n, n).

    >>> tour_lengths(np.array([[0, 1, 2]]), np.array([[0.0, 3, 4], [3, 0, 5], [4, 5, 0]]))
    array([12.])
    """
    n = distances.shape[0]
    after = ops.roll(tours, -1, axis=1)
    return ops.sum(ops.gather(ops.reshape(distances, (n * n,)), tours * n + after), axis=1)


def anneal(
    engine: Engine, states: Array, temperatures: Array, key: Key, data: Any, *, energy: Callable[..., Array], moves: str
) -> Any:
    """The chains' best states, the energies of these, and all energies, (steps, chains)."""

    def step(carry: Any, item: Any) -> Any:
        state, now, best, lowest = carry
        temperature, i = item
        own = draws.fold_in(key, i)
        other = neighbours(engine, state, draws.fold_in(own, 0), moves)
        then = energy(other, *data)
        chance = draws.uniform(draws.fold_in(own, 1), now.shape)
        taken = (then <= now) | (chance < ops.exp(ops.minimum(now - then, 0.0) / temperature))
        state, now = ops.where(taken[:, None], other, state), ops.where(taken, then, now)
        better = now < lowest
        best, lowest = ops.where(better[:, None], state, best), ops.where(better, now, lowest)
        return (state, now, best, lowest), now

    first = energy(states, *data)
    items = (temperatures, engine.arange(temperatures.shape[0]))
    (_, _, best, lowest), energies = engine.scan(step, (states, first, states, first), items)
    return best, lowest, energies


def neighbours(engine: Engine, states: Array, key: Key, moves: str) -> Array:
    """A random neighbour of each row."""
    chains, n = states.shape
    place = engine.arange(n)[None, :]
    drawn = draws.integers(key, (chains, 2), n)
    a, b = drawn[:, :1], drawn[:, 1:]
    if moves == "flip":
        return ops.where(place == a, 1 - states, states)
    if moves == "swap":
        source = ops.where(place == a, b, ops.where(place == b, a, place))
    else:
        low, high = ops.minimum(a, b), ops.maximum(a, b)
        source = ops.where((place >= low) & (place <= high), low + high - place, place)
    rows = engine.arange(chains)[:, None] * n
    return ops.gather(ops.reshape(states, (chains * n,)), rows + source)
