"""Which units are connected, as matrices: entry (i, j) is 1 where unit i sends to unit j, else 0.

weights = rng.normal(size=(9, 9)) * topology.local((3, 3), neighbours=4)    # for ConnectedNetwork
Hopfield(connections=topology.partial(topology.full(64), 0.5, pairs=True))
plots.connections(topology.layered((3, 4, 2)), layers=(3, 4, 2))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroloom import config
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.competitive.som_grid import _apart, positions


def full(units: int, *, own: bool = False) -> np.ndarray:
    """Each unit with each other, and with itself if `own`.

    >>> full(3)
    array([[0., 1., 1.],
           [1., 0., 1.],
           [1., 1., 0.]])
    """
    (units,) = _sizes((units,), "units")
    return np.ones((units, units)) - (0 if own else np.eye(units))


def local(shape: Sequence[int], neighbours: int = 8, radius: int = 1, torus: bool = False) -> np.ndarray:
    """Each unit of a grid with those around it, both ways; units are counted row by row.

    Args:
        shape: the number of units along each axis, such as (rows, columns).
        neighbours: the neighbourhood index: 4 joins along the axes (|Δrow| + |Δcolumn| ≤ radius), 8 across corners, too
            (|Δrow| ≤ radius and |Δcolumn| ≤ radius).
        radius: how far.
        torus: whether the last unit of an axis lies beside the first.

    >>> local((2, 3), neighbours=4).astype(int)
    array([[0, 1, 0, 1, 0, 0],
           [1, 0, 1, 0, 1, 0],
           [0, 1, 0, 0, 0, 1],
           [1, 0, 0, 0, 1, 0],
           [0, 1, 0, 1, 0, 1],
           [0, 0, 1, 0, 1, 0]])
    """
    if neighbours not in (4, 8):
        raise ConfigurationError(f"local expected neighbours to be 4 or 8, received {neighbours!r}.")
    (radius,) = _sizes((radius,), "radius")
    shape = _sizes(shape, "shape")
    apart = _apart(positions(shape, "rectangular"), np.array(shape), torus)
    distance = apart.sum(axis=-1) if neighbours == 4 else apart.max(axis=-1)
    return ((distance > 0) & (distance <= radius)).astype(np.float64)


def layered(sizes: Sequence[int], *, between: bool = True, within: bool = False, two_way: bool = False) -> np.ndarray:
    """Layers of units, counted layer by layer.

    Args:
        sizes: the units of each layer.
        between: whether each unit sends to all units of the next layer.
        within: whether each unit sends to all others of its own layer.
        two_way: whether layers also send back.

    >>> layered((2, 1)).astype(int)
    array([[0, 0, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    sizes = _sizes(sizes, "sizes")
    layer = np.repeat(np.arange(len(sizes)), sizes)
    step = layer[None, :] - layer[:, None]
    joined = (step == 1) & between | (step == -1) & (between and two_way) | (step == 0) & within
    return joined * full(len(layer))


def partial(connections: Any, density: float, seed: int = 0, *, pairs: bool = False) -> np.ndarray:
    """A random share of the connections, and 0 for the others.

    Args:
        density: the share that stays, from 0 to 1; of n connections round(density n) stay.
        seed: of the choice.
        pairs: whether the two directions between two units stay or go together (the connections must be symmetric).

    >>> int(partial(full(10), 0.5).sum())
    45
    """
    found = _square(connections)
    if not 0 <= density <= 1:
        raise ConfigurationError(f"partial expected density to be a number from 0 to 1, received {density!r}.")
    if pairs:
        if (found != found.T).any():
            raise ConfigurationError("partial expected symmetric connections to choose pairs of, received others.")
        upper = partial(np.triu(found), density, seed)
        return upper + np.triu(upper, 1).T
    places = np.argwhere(found)
    gone = config.generator(seed, "partial").permutation(places)[round(density * len(places)) :]
    found[tuple(gone.T)] = 0
    return found


def symmetric(connections: Any) -> np.ndarray:
    """Two-way connections: each way back is added; where both are there, the one of larger size counts for both.

    >>> symmetric([[0, 1], [0, 0]])
    array([[0., 1.],
           [1., 0.]])
    """
    found = _square(connections)
    upper = np.triu(np.where(abs(found) >= abs(found.T), found, found.T))
    return upper + np.triu(upper, 1).T


def one_way(connections: Any) -> np.ndarray:
    """One-way connections: from each unit to later ones only, so that nothing comes back.

    >>> one_way(full(3)).astype(int)
    array([[0, 1, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    return np.triu(_square(connections), 1)


def _sizes(sizes: Any, name: str) -> tuple[int, ...]:
    try:
        found = config.Integers(None)(tuple(np.atleast_1d(sizes).tolist()))
    except ValueError as error:
        raise ConfigurationError(f"Expected {name} to be {error}, received {sizes!r}.") from None
    if not found:
        raise ConfigurationError(f"Expected {name} to have at least one number, received {sizes!r}.")
    return found


def _square(connections: Any) -> np.ndarray:
    found = np.array(connections, np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        raise ShapeError(f"Expected connections (units, units), received shape {found.shape}.")
    return found
