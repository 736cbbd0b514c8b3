"""Pictures of stochastic networks: what hidden units look for, and tours through cities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def receptive_fields(weights: Any, shape: tuple[int, int], title: str = "") -> Figure:
    """The weights of each hidden unit as a picture: blue excites, orange inhibits, the same scale for all.

    Args:
        weights: (units, height * width).
        shape: (height, width).

    Raises:
        ShapeError: the weights are no such pictures.

    >>> len(receptive_fields(np.zeros((6, 4)), (2, 2)).axes)
    6
    """
    from matplotlib.colors import LinearSegmentedColormap

    w = np.asarray(weights, float)
    if w.ndim != 2 or not len(w) or w.shape[1] != shape[0] * shape[1]:
        raise ShapeError(f"receptive_fields expected (units, {shape[0] * shape[1]}), received {w.shape}.")
    colours = LinearSegmentedColormap.from_list("fields", [style.ORANGE, "white", style.BLUE])
    columns = math.ceil(math.sqrt(len(w)))
    rows = math.ceil(len(w) / columns)
    most = float(np.quantile(abs(w), 0.995)) or 1.0
    figure = style.blank(0.5 * columns + 0.2, 0.5 * rows * shape[0] / shape[1] + (0.4 if title else 0.1))
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)  # type: ignore[union-attr, call-arg]
    style.heading(figure, title)
    for i, field in enumerate(w):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(field.reshape(shape), cmap=colours, vmin=-most, vmax=most, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=style.GRID, linewidth=0.6)
    return figure


def tours(places: Any, orders: Sequence[Any], titles: Sequence[str] = ()) -> Figure:
    """Closed tours through the same places, side by side.

    Args:
        places: (n, 2).
        orders: for each tour, the places in order, (n,).
        titles: what to write above each.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> figure = tours([[0, 0], [1, 0], [0, 1]], [[0, 1, 2]], ["length 3.4"])
    """
    places = np.asarray(places, float)
    found = [np.asarray(order) for order in orders]
    if places.ndim != 2 or places.shape[1] != 2 or any(sorted(o) != list(range(len(places))) for o in found):
        raise ShapeError(
            f"tours expected places (n, 2) and each of them once in every order, received {places.shape} and "
            f"{[order.tolist() for order in found]}."
        )
    figure = style.blank(3.4 * len(found), 3.4)
    for i, order in enumerate(found):
        axes = figure.add_subplot(1, len(found), i + 1)
        style.plain(axes, titles[i] if titles else "")
        around = places[np.append(order, order[0])]
        axes.plot(around[:, 0], around[:, 1], color=style.BLUE, linewidth=1.4)
        axes.scatter(places[:, 0], places[:, 1], color=style.ORANGE, s=22, zorder=3, edgecolor="white", linewidth=0.5)
        axes.set(xticks=[], yticks=[], aspect="equal")
    return figure
