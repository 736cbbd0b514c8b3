"""Pictures of series: what was measured, and what networks say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style
from neuroloom.plots.approximation import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def series(
    times: Any, values: Any, curves: Mapping[str, Any], title: str = "", names: tuple[str, str] = ("step", ""),
    label: str = "measured",
) -> Figure:  # fmt: skip
    """A series as a grey line, and what networks say of its last part as coloured ones.

    Args:
        times, values: (steps,) each.
        curves: name -> (n,) values for the last n steps.
        names: of the axes.
        label: of the grey line.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> figure = series([0, 1, 2, 3], [1, 2, 3, 4], {"forecast": [3.1, 3.8]})
    >>> len(figure.axes[0].lines)
    2
    """
    times, values = np.asarray(times), np.asarray(values, float)
    curves = {name: np.asarray(curve, float) for name, curve in curves.items()}
    wrong = [curve.shape for curve in curves.values() if curve.ndim != 1 or len(curve) > len(values)]
    if wrong or times.shape != values.shape or values.ndim != 1:
        raise ShapeError(
            f"series expected times and values (steps,) and curves of at most as many, received {times.shape}, "
            f"{values.shape} and {[curve.shape for curve in curves.values()]}."
        )
    figure = style.blank(7.2, 3.2)
    axes = figure.add_subplot()
    style.plain(axes, title, *names)
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.plot(times, values, color="#9A9A9A", linewidth=2.6, label=label)
    for colour, (name, curve) in zip(COLOURS * len(curves), curves.items(), strict=False):
        axes.plot(times[len(times) - len(curve) :], curve, color=colour, linewidth=1.3, label=name)
    axes.legend(frameon=False, fontsize=style.SMALL, loc="upper left", ncols=len(curves) + 1)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.14 * np.ptp(axes.get_ylim()))
    return figure
