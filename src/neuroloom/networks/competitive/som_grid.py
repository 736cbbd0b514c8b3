"""Where the units of a map lie, which are neighbours, and weights that unfold the map over the data. NumPy only."""

from __future__ import annotations

import numpy as np

from neuroloom.errors import ConfigurationError
from neuroloom.networks.competitive import layer_rules as rules

ROW = 3**0.5 / 2
"""The distance of two rows of a hexagonal grid."""


def check(shape: tuple[int, ...], grid: str, toroidal: bool) -> None:
    """Refuse grids that there are not.

    Raises:
        ConfigurationError: a grid without axes, a hexagonal grid that has not two axes, or a toroidal one with an odd
            number of rows.
    """
    if not shape:
        raise ConfigurationError("A grid expected the number of units along each axis, received ().")
    if grid == "hexagonal" and len(shape) != 2:
        raise ConfigurationError(f"A hexagonal grid expected shape (rows, columns), received {shape}.")
    if grid == "hexagonal" and toroidal and shape[0] % 2:
        raise ConfigurationError(
            f"A toroidal hexagonal grid expected an even number of rows, since every other row is shifted, "
            f"received {shape[0]}."
        )


def positions(shape: tuple[int, ...], grid: str) -> np.ndarray:
    """Where the units lie, (units, axes), with neighbours at distance 1; odd rows of hexagons lie half a unit right."""
    at = np.indices(shape).reshape(len(shape), -1).T.astype(np.float64)
    if grid == "hexagonal":
        at[:, 1] += 0.5 * (at[:, 0] % 2)
        at[:, 0] *= ROW
    return at


def _apart(at: np.ndarray, periods: np.ndarray, toroidal: bool) -> np.ndarray:
    """|difference| of each two positions along each axis: (units, units, axes)."""
    apart = np.abs(at[:, None] - at[None])
    return np.minimum(apart, periods - apart) if toroidal else apart


def squared_distances(shape: tuple[int, ...], grid: str, toroidal: bool) -> np.ndarray:
    """The squared distance of each two units on the grid: (units, units)."""
    periods = np.array(shape) * (np.array([ROW, 1.0]) if grid == "hexagonal" else 1.0)
    return np.square(_apart(positions(shape, grid), periods, toroidal)).sum(axis=-1)


def neighbours(shape: tuple[int, ...], grid: str, toroidal: bool) -> np.ndarray:
    """Which units touch, (units, units): in a rectangular grid also by a corner, in a hexagonal one the six around."""
    if grid == "hexagonal":
        near = squared_distances(shape, grid, toroidal) < 1.1
    else:
        near = _apart(positions(shape, grid), np.array(shape), toroidal).max(axis=-1) < 1.1
    return near & ~np.eye(len(near), dtype=bool)


def unfolded(X: np.ndarray, shape: tuple[int, ...], grid: str) -> np.ndarray:
    """Weights on the plane (line, space) of the first principal components of X, from -σ to σ along each.

    The longest axis of the map goes with the first component. Missing values count as their column's mean.
    """
    mean = rules.middle(X)
    centred = np.where(np.isfinite(X), X - mean, 0.0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(X))
    variances, directions = variances[::-1], directions.T[::-1]
    flips = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    spread = (flips * np.sqrt(np.maximum(variances, 0)))[:, None] * directions
    at = positions(shape, grid)
    at = 2 * at / np.maximum(at.max(axis=0), 1) - (at.max(axis=0) > 0)  # from -1 to 1; 0 where an axis has length 1
    order = np.argsort([-n for n in shape], kind="stable")[: len(spread)]
    return np.asarray(mean + at[:, order] @ spread[: len(order)])
