"""Learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import DataError, ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
SHORT = {"acc", "auc", "iou", "mae", "mape", "mse", "msle", "rmse"}


def curves(history: Mapping[str, Sequence[float]], epochs: Sequence[int] | None = None) -> Figure:
    """Learning curves: a panel for each metric, with a line for training and one for validation.

    The epoch of the lowest validation loss (without validation: of the lowest loss) is marked in every panel. A
    panel whose values span more than two decades has a logarithmic axis.

    Args:
        history: name -> one number per epoch, as `History.history`; "val_x" goes into the panel of "x".
        epochs: what to write at the horizontal axis; 1, 2, 3, ... by default.

    Raises:
        DataError: there is nothing to draw.
        ShapeError: a list has another length than the epochs.

    >>> figure = curves({"loss": [0.9, 0.5], "val_loss": [1.0, 0.7], "accuracy": [0.5, 0.8]})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Loss', 'Accuracy']
    """
    values = {name: np.asarray(v, np.float64) for name, v in history.items()}
    at = _epochs(values, epochs)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in values))
    columns = 2 if len(names) == 4 else min(len(names), COLUMNS)
    rows = math.ceil(len(names) / columns)
    figure = style.blank(max(3.5 * columns, 5.4), 2.7 * rows + 0.3)
    best = best_epoch(history)
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        _panel(axes, name, values, at, None if best is None else best[1])
        if i + columns >= len(names):
            axes.set_xlabel("Epoch", fontsize=style.LABEL, color=style.INK)
    _legend(figure, values, at, best)
    return figure


def best_epoch(history: Mapping[str, Sequence[float]]) -> tuple[str, int] | None:
    """("val_loss" or else "loss", position of its lowest value), or None if there is no such number.

    >>> best_epoch({"loss": [3, 2, 1], "val_loss": [4, 2, 3]})
    ('val_loss', 1)
    """
    name = "val_loss" if "val_loss" in history else "loss"
    numbers = [(value, i) for i, value in enumerate(history.get(name, ())) if math.isfinite(value)]
    return (name, min(numbers)[1]) if numbers else None


def _epochs(values: Mapping[str, np.ndarray], epochs: Sequence[int] | None) -> np.ndarray:
    if not values or not max(map(len, values.values())):
        raise DataError("curves expected at least one epoch of one metric, received none. Was fit called?")
    n = len(epochs) if epochs is not None else max(map(len, values.values()))
    wrong = next((name for name, v in values.items() if v.shape != (n,)), None)
    if wrong is not None:
        raise ShapeError(
            f"curves expected {n} numbers, one per epoch, for every metric, received shape {values[wrong].shape} "
            f"for {wrong!r}."
        )
    return np.arange(1, n + 1) if epochs is None else np.asarray(epochs)


def _look(values: Mapping[str, np.ndarray]) -> list[tuple[str, str, str, Any]]:
    """(prefix, what it means, colour, dashes) of the lines; training is dashed only beside validation."""
    both = any(name.startswith("val_") for name in values)
    training = ("", "training", style.BLUE, (0, (4, 1.2)) if both else "-")
    return [training, ("val_", "validation", style.ORANGE, "-")] if both else [training]


def _panel(axes: Axes, name: str, values: Mapping[str, np.ndarray], at: np.ndarray, best: int | None) -> None:
    style.plain(axes, _title(name))
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    if best is not None:
        axes.axvline(float(at[best]), color=style.FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    if name == "learning_rate":  # set, not measured: no line of training, and constant within an epoch
        axes.step(at, values[name], where="mid", color=style.FAINT, linewidth=1.6)
    else:
        for prefix, _, colour, dashes in _look(values):
            if prefix + name in values:
                _line(axes, at, values[prefix + name], colour, dashes, best)
    _scale(axes, np.concatenate([v for key, v in values.items() if key.removeprefix("val_") == name]), at)


def _line(axes: Axes, at: np.ndarray, y: np.ndarray, colour: str, dashes: Any, best: int | None) -> None:
    there = np.isfinite(y)  # a value missing in some epochs is joined over the gap
    alone = "o" if there.sum() == 1 else ""
    axes.plot(at[there], y[there], color=colour, linestyle=dashes, linewidth=1.6, marker=alone, markersize=4)
    if best is not None and there[best]:
        axes.plot(at[best], y[best], "o", color=colour, markersize=5.5, markeredgecolor="white", markeredgewidth=1)


def _scale(axes: Axes, y: np.ndarray, at: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    y = y[np.isfinite(y)]
    if y.size and y.min() > 0 and y.max() > 99 * y.min():
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(at) == 1:
        axes.set_xticks(at)


def _legend(figure: Figure, values: Mapping[str, np.ndarray], at: np.ndarray, best: tuple[str, int] | None) -> None:
    from matplotlib.lines import Line2D

    shown = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=1.6, label=label)
        for _, label, colour, dashes in _look(values)
    ]
    if best is not None:
        label = f"lowest {best[0].replace('val_', 'validation ')}: epoch {at[best[1]]}"
        dots: Any = (0, (2, 2))
        mark = Line2D([], [], color=style.FAINT, marker="o", linestyle=dots, linewidth=0.8, markersize=5, label=label)
        shown.append(mark)
    look: Any = {"frameon": False, "fontsize": style.LABEL, "labelcolor": style.INK}
    figure.legend(handles=shown, loc="outside lower center", ncols=len(shown), **look)


def _title(name: str) -> str:
    words = [word.upper() if word in SHORT else word for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
