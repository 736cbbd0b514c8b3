"""Pictures of which units are connected: the matrix, and the units as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.plots import style
from neuroloom.plots.units import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

RADIUS = 0.27
"""Of a unit, where neighbours lie at distance 1."""


def connections(
    matrix: Any,
    layers: Sequence[int] = (),
    grid: Sequence[int] = (),
    torus: bool = False,
    names: Sequence[object] = (),
    title: str = "",
) -> Figure:
    """Connections as a matrix (rows send, columns receive) and, beside it, as lines between the units.

    Blue is positive, orange is negative, and stronger ones are darker. A line with an arrow goes one way, one without
    both ways; a ring around a unit is its connection with itself.

    Args:
        matrix: weights or 0 and 1, (units, units).
        layers: the sizes of layers, drawn from left to right, or
        grid: (rows, columns) of units on a grid. Units lie on a circle where neither is given.
        torus: whether the connections of the grid that are longer than half of it go round, over its border.
        names: of the units; their numbers by default.

    Raises:
        ShapeError: the matrix is not square, or does not have so many units.
        ConfigurationError: both layers and a grid are given.

    >>> figure = connections([[0, 1, 0], [0, 0, -2], [0, 0, 0]], layers=(1, 1, 1))
    >>> len(figure.axes[1].texts)
    3
    """
    weights = np.asarray(matrix, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not weights.size:
        raise ShapeError(f"connections expected a matrix (units, units), received shape {weights.shape}.")
    places = _places(len(weights), layers, grid)
    labels = [str(name) for name in names] if len(names) else [str(i) for i in range(len(weights))]
    if len(labels) != len(weights):
        raise ShapeError(f"connections expected {len(weights)} names, one per unit, received {len(labels)}.")
    figure = style.blank(7.6, 3.7)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    style.heading(figure, title)
    _matrix(left, weights)
    _graph(figure, right, weights, places, labels, _periods(grid, torus))
    return figure


def _places(units: int, layers: Sequence[int], grid: Sequence[int]) -> np.ndarray:
    """(x, y) of each unit, (units, 2)."""
    if len(layers) and len(grid):
        raise ConfigurationError("connections expected layers or a grid, received both.")
    if len(grid):
        rows, columns = (1, *grid)[-2:]
        found = np.array([(column, row) for row in range(rows) for column in range(columns)], float)
    elif len(layers):
        found = np.array([(1.6 * k, i - (size - 1) / 2) for k, size in enumerate(layers) for i in range(size)], float)
    else:
        angles = 2 * np.pi * np.arange(units) / units
        found = max(1.0, units / 6) * np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    if found.shape != (units, 2):
        raise ShapeError(f"connections expected layers or a grid of {units} units, received one of {len(found)}.")
    return found


def _matrix(axes: Axes, weights: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    colours = LinearSegmentedColormap.from_list("signs", [style.ORANGE, "#FFFFFF", style.BLUE])
    top = abs(weights).max() or 1
    axes.imshow(weights, cmap=colours, vmin=-top, vmax=top, interpolation="nearest")
    style.plain(axes, "", "to unit", "from unit")
    for spine in axes.spines.values():
        spine.set(visible=True, color=style.GRID)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))


def _periods(grid: Sequence[int], torus: bool) -> np.ndarray:
    """After how much x and y come back to where they were."""
    return np.array((1, *grid)[-2:][::-1], float) if torus and len(grid) else np.full(2, np.inf)


def _graph(
    figure: Figure, axes: Axes, weights: np.ndarray, places: np.ndarray, labels: Sequence[str], periods: np.ndarray
) -> None:
    from matplotlib.patches import Circle

    low, high = places.min(axis=0) - 0.7, places.max(axis=0) + 0.7
    axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    axes.set_axis_off()
    figure.draw_without_rendering()
    inch = axes.get_window_extent().height / figure.dpi / (high[1] - low[1])
    units = [unit(place, label, RADIUS, inch) for place, label in zip(places, labels, strict=True)]
    _wires(axes, weights, places, periods, units)
    for i, (place, label) in enumerate(zip(places, labels, strict=True)):
        if weights[i, i]:
            axes.add_patch(Circle(tuple(place), 1.45 * RADIUS, fill=False, edgecolor=style.FAINT, linewidth=1.1))
        units[i].set(edgecolor=style.INK, linewidth=0.9)
        axes.add_patch(units[i])
        axes.text(place[0], place[1], label, ha="center", va="center", fontsize=style.SMALL, color=style.INK, zorder=3)


def _wires(axes: Axes, weights: np.ndarray, places: np.ndarray, periods: np.ndarray, units: Sequence[Patch]) -> None:
    from matplotlib.patches import FancyArrowPatch

    strength = 0.25 + 0.6 * abs(weights) / (abs(weights).max() or 1)
    for i, j in np.argwhere(weights):
        both = weights[j, i] != 0
        if i == j or (both and j < i):
            continue
        look: dict[str, Any] = {"color": style.BLUE if weights[i, j] > 0 else style.ORANGE, "alpha": strength[i, j]}
        look |= {"arrowstyle": "-" if both else "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8, "zorder": 1}
        look |= {"patchA": units[i], "patchB": units[j], "linewidth": 1.1}
        for start, end in _lines(places[i], places[j], periods):
            axes.add_patch(FancyArrowPatch(start, end, connectionstyle=_bend(start, end), **look))


def _bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """An arc where a straight line along the grid or the layer would run behind other units."""
    across, along = sorted(abs(np.subtract(end, start)))
    return "arc3,rad=0.3" if across < 1e-9 and along > 1.2 else "arc3"


def _lines(start: np.ndarray, end: np.ndarray, periods: np.ndarray) -> list[tuple[Any, Any]]:
    """The line between two units, from rim to rim; two halves that leave the picture where it goes round a torus."""
    apart = end - start
    over = abs(apart) > periods / 2
    apart[over] -= np.sign(apart[over]) * periods[over]
    unit = apart / np.linalg.norm(apart)
    near, far = tuple(start + RADIUS * unit), tuple(end - RADIUS * unit)
    return [(near, tuple(start + 0.6 * unit)), (tuple(end - 0.6 * unit), far)] if over.any() else [(near, far)]
