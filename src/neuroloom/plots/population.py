"""Learning curves of many models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroloom.errors import DataError
from neuroloom.plots import style
from neuroloom.plots.curves import COLUMNS, _scale, _title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

Histories = Sequence[Mapping[str, Sequence[float]]]


def population(histories: Histories, best: int | None = None) -> Figure:
    """Learning curves of many models: a panel for each value, a thin line for each model, the best one's in bold.

    Where there is validation, its values are shown: a panel for "val_loss" takes the place of the one for "loss".
    A model that stopped early ends in a dot.

    Args:
        histories: for each model name -> one number per epoch.
        best: the number of the model to emphasise.

    Raises:
        DataError: there is nothing to draw.

    >>> figure = population([{"loss": [0.9, 0.5]}, {"loss": [0.8, 0.3]}], best=1)
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Loss']
    """
    every = dict.fromkeys(name for history in histories for name in history)
    names = [name for name in every if f"val_{name}" not in every]
    if not names:
        raise DataError("population expected at least one epoch of one model, received none. Was fit called?")
    columns = min(len(names), COLUMNS)
    rows = math.ceil(len(names) / columns)
    figure = style.blank(max(3.5 * columns, 5.4), 2.9 * rows + 0.3)
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        _panel(axes, name, histories, best)
        if i + columns >= len(names):
            axes.set_xlabel("Epoch", fontsize=style.LABEL, color=style.INK)
    _legend(figure, len(histories), best)
    return figure


def _panel(axes: Axes, name: str, histories: Histories, best: int | None) -> None:
    style.plain(axes, _title(name.replace("val_", "validation ")))
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    curves = [np.asarray(history.get(name, ()), np.float64) for history in histories]
    longest = max(map(len, curves))
    faint = float(np.clip(6 / len(curves), 0.2, 0.8))
    for i, curve in enumerate(curves):
        if i != best:
            _line(axes, curve, longest, style.BLUE, 0.9, faint)
    if best is not None:
        _line(axes, curves[best], longest, style.ORANGE, 2.0, 1.0)
    _scale(axes, np.concatenate(curves), np.arange(1, longest + 1))


def _line(axes: Axes, curve: np.ndarray, longest: int, colour: str, width: float, alpha: float) -> None:
    at = np.flatnonzero(np.isfinite(curve))
    axes.plot(at + 1, curve[at], color=colour, linewidth=width, alpha=alpha)
    if at.size and (len(at) < longest or longest == 1):
        axes.plot(at[-1] + 1, curve[at[-1]], "o", color=colour, markersize=3, alpha=alpha)


def _legend(figure: Figure, n: int, best: int | None) -> None:
    from matplotlib.lines import Line2D

    shown = [Line2D([], [], color=style.BLUE, linewidth=0.9, label=f"{n} models")]
    if best is not None:
        shown.append(Line2D([], [], color=style.ORANGE, linewidth=2.0, label=f"best: model {best}"))
    figure.legend(
        handles=shown,
        loc="outside lower center",
        ncols=len(shown),
        frameon=False,
        fontsize=style.LABEL,
        labelcolor=style.INK,
    )


def reliability(confidences: ArrayLike, accuracies: ArrayLike, counts: ArrayLike) -> Figure:
    """How often answers of each confidence are right, against the diagonal on which they should lie.

    The area of a dot is proportional to the number of answers in its bin.

    Args:
        confidences, accuracies: means in each bin, NaN where it is empty.
        counts: how many answers are in each.

    >>> reliability([0.55, 0.9], [0.5, 0.8], [10, 40]).axes[0].get_xlabel()
    'Confidence'
    """
    x, y, n = (np.asarray(values, np.float64) for values in (confidences, accuracies, counts))
    if not np.nansum(n):
        raise DataError("reliability expected at least one answer, received none.")
    there = n > 0
    figure = style.blank(4.2, 4.0)
    axes = figure.add_subplot()
    style.plain(axes, "Reliability", "Confidence", "Share that is right")
    axes.plot([0, 1], [0, 1], color=style.FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.plot(x[there], y[there], color=style.BLUE, linewidth=1.6)
    axes.scatter(x[there], y[there], s=8 + 160 * n[there] / n.max(), color=style.BLUE, alpha=0.6, linewidths=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    return figure
