"""Curves that networks put through data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (style.BLUE, "#d1495b", "#2e8b57", "#8a63b8")


def approximation(
    x: Any, y: Any, grid: Any, curves: Mapping[str, Any], marks: Any = None, names: tuple[str, str] = ("x", "y")
) -> Figure:
    """Data of one input and one output as points, and curves over a grid.

    Args:
        x, y: (examples,) the data.
        grid: (points,) where the curves are given.
        curves: name -> (points,) values.
        marks: places on the x axis to mark, such as the centres of units.
        names: of the axes.

    Raises:
        ShapeError: y is not as long as x, or a curve not as long as the grid.

    >>> import numpy as np
    >>> grid = np.linspace(0, 1, 5)
    >>> figure = approximation([0, 1], [0, 1], grid, {"line": grid})
    >>> len(figure.axes[0].lines)
    1
    """
    x, y, grid = (np.asarray(v, np.float64).ravel() for v in (x, y, grid))
    for name, values, wanted in (("y", y, x), *((n, np.asarray(v), grid) for n, v in curves.items())):
        if np.size(values) != len(wanted):
            raise ShapeError(f"approximation expected {len(wanted)} values of {name!r}, received {np.size(values)}.")
    figure = style.blank(6.4, 3.6)
    axes = figure.add_subplot()
    style.plain(axes, "", *names)
    axes.scatter(x, y, s=14, color=style.INK, alpha=0.45, linewidths=0)
    for colour, (name, values) in zip(COLOURS * len(curves), curves.items(), strict=False):
        axes.plot(grid, np.ravel(values), color=colour, linewidth=1.8, label=name)
    if marks is not None:
        bottom = axes.get_ylim()[0]
        axes.scatter(np.ravel(marks), np.full(np.size(marks), bottom), marker="^", s=30, color=style.INK, clip_on=False)
    axes.legend(frameon=False, fontsize=style.SMALL)
    return figure
