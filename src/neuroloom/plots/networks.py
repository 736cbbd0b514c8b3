"""Pictures of textbook networks: what they connect, what they decide, how their energy falls, what they recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00", "#444444", "#882255", "#117733")
"""Colours of classes, after Okabe and Ito."""


def decision_regions(points: Any, labels: Any, grid: Any, names: Sequence[str] = ("", ""), title: str = "") -> Figure:
    """Points of the plane in the colour of their class, before the regions that a classifier gives to each.

    Args:
        points: (n, 2).
        labels: the class of each point, (n,).
        grid: (columns, rows, answers): coordinates along both axes, (a,) and (b,), and the class of each place, (b, a).
        names: what the axes measure.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> x = np.linspace(0, 1, 5)
    >>> figure = decision_regions([[0.1, 0.2], [0.8, 0.9]], [0, 1], (x, x, x[:, None] + x > 1))
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    columns, rows, answers = (np.asarray(part) for part in grid)
    if points.shape != (len(labels), 2) or answers.shape != (len(rows), len(columns)):
        raise ShapeError(
            f"decision_regions expected points (n, 2), labels (n,) and answers (rows, columns), received "
            f"{points.shape}, {labels.shape} and {answers.shape} for {len(rows)} rows and {len(columns)} columns."
        )
    classes = np.unique(labels)
    shares = np.stack([_smooth((answers == label).astype(float)) for label in classes])
    figure = style.blank(5.2, 4.2)
    axes = figure.add_subplot()
    style.plain(axes, title, *names)
    for i, label in enumerate(classes):
        colour = PALETTE[i % len(PALETTE)]
        most_other = np.delete(shares, i, axis=0).max(axis=0, initial=0)
        rest = np.maximum(most_other, 1 - shares.sum(axis=0))  # what no class of the points takes
        axes.contourf(columns, rows, shares[i] - rest, levels=[0, 2], colors=[colour], alpha=0.15)
        own = points[labels == label]
        look: dict[str, Any] = {"color": colour, "marker": "osD^vP*X<>"[i % 10], "edgecolor": "white", "linewidth": 0.5}
        axes.scatter(own[:, 0], own[:, 1], s=22, label=str(label), **look)
    axes.legend(fontsize=style.SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _smooth(shares: np.ndarray) -> np.ndarray:
    """Each place with the weights 1, 4, 6, 4, 1 of those around it, so that an edge has no steps."""
    for axis in (0, 1):
        n = shares.shape[axis]
        padded = np.pad(shares, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        shifted = [np.take(padded, range(k, k + n), axis) for k in range(5)]
        shares = np.tensordot([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16], shifted, axes=1)
    return shares


def hinton(
    weights: Any,
    rows: Sequence[object] = (),
    columns: Sequence[object] = (),
    title: str = "",
    names: Sequence[str] = ("", ""),
) -> Figure:
    """Weights as squares: area for size, blue for positive, orange for negative.

    Args:
        weights: (rows, columns).
        rows, columns: their names.
        names: what the columns and the rows are.

    Raises:
        ShapeError: no such array, or not as many names as rows or columns.

    >>> len(hinton([[1.0, -0.5], [0.0, 2.0]], "ab", "xy").axes)
    1
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle

    w = np.asarray(weights, float)
    if w.ndim != 2 or not w.size or len(rows) not in (0, w.shape[0]) or len(columns) not in (0, w.shape[1]):
        raise ShapeError(
            f"hinton expected weights (rows, columns) and a name for each, received {w.shape}, {len(rows)} and "
            f"{len(columns)} names."
        )
    largest = abs(w).max()
    sides = 0.92 * np.sqrt(abs(w) / (largest or 1))
    cell = float(np.clip(4 / max(w.shape), 0.28, 0.8))
    figure = style.blank(cell * w.shape[1] + 2.8, max(cell * w.shape[0] + 0.9, 1.8))
    style.heading(figure, title)
    axes = figure.add_subplot()
    style.plain(axes, "", *names)
    for sign, colour in ((1, style.BLUE), (-1, style.ORANGE)):
        places = np.argwhere(np.sign(w) == sign)
        squares = [Rectangle((j - sides[i, j] / 2, i - sides[i, j] / 2), sides[i, j], sides[i, j]) for i, j in places]
        axes.add_collection(PatchCollection(squares, facecolor=colour, edgecolor="none"))
    axes.set(xlim=(-0.6, w.shape[1] - 0.4), ylim=(w.shape[0] - 0.4, -0.6), aspect="equal", facecolor="#F4F4F4")
    axes.set_xticks(range(len(columns)), [str(c) for c in columns])
    axes.set_yticks(range(len(rows)), [str(r) for r in rows])
    signs = [Patch(color=style.BLUE, label="positive"), Patch(color=style.ORANGE, label="negative")]
    axes.legend(
        handles=[patch for patch, there in zip(signs, ((w > 0).any(), (w < 0).any()), strict=True) if there],
        title=f"largest square: {largest:.3g}", title_fontsize=style.SMALL, fontsize=style.SMALL, frameon=False,
        loc="upper left", bbox_to_anchor=(1, 1),
    )  # fmt: skip
    return figure


def energies(values: Any, title: str = "", step: str = "sweep") -> Figure:
    """How the energy of each state goes, a line per state.

    Args:
        values: (steps + 1, states).
        step: what a step is called.

    Raises:
        ShapeError: no such array.

    >>> axes = energies([[0.0, -1.0], [-2.0, -3.0], [-4.0, -3.0]]).axes[0]
    >>> len(axes.lines)
    2
    """
    from matplotlib.ticker import MaxNLocator

    values = np.asarray(values, float)
    if values.ndim != 2 or not values.size:
        raise ShapeError(f"energies expected shape (steps + 1, states), received {values.shape}.")
    figure = style.blank(5.2, 3.2)
    axes = figure.add_subplot()
    style.plain(axes, title, step, "energy")
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    alpha = float(np.clip(8 / values.shape[1], 0.15, 0.9))
    axes.plot(
        values, color=style.BLUE, linewidth=1.2, alpha=alpha, marker="o" if len(values) < 20 else "", markersize=2.5
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def recalls(
    stored: Any, given: Any, found: Any, shape: tuple[int, int], title: str = "", nearest: bool = False
) -> Figure:
    """Three rows of pictures: patterns, what a memory was given of them, and what it found; wrong ones have a frame.

    Args:
        stored, given, found: (n, height * width) each.
        shape: (height, width).
        nearest: what is wrong. True: an answer that lies nearer to another stored pattern than to its own, for
            networks whose answers are graded. False: one of which a pixel is off by more than a quarter of all
            pictures' range.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> x = np.eye(4)
    >>> len(recalls(x, x, x, (2, 2)).axes)
    12
    """
    parts = [np.asarray(part, float) for part in (stored, given, found)]
    n = len(parts[0])
    if any(part.shape != (n, shape[0] * shape[1]) for part in parts):
        raise ShapeError(
            f"recalls expected three arrays ({n}, {shape[0] * shape[1]}), received {[part.shape for part in parts]}."
        )
    cell = float(np.clip(9 / n, 0.32, 0.9))
    figure = style.blank(cell * n + 0.8, 3 * cell * shape[0] / shape[1] + (0.4 if title else 0.1))
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.02, wspace=0.0, hspace=0.02)  # type: ignore[union-attr, call-arg]
    style.heading(figure, title)
    low, high = min(part.min() for part in parts), max(part.max() for part in parts)
    apart = np.square(parts[2][:, None] - parts[0]).sum(axis=2)
    wrong = apart.min(axis=1) < apart.diagonal() if nearest else abs(parts[2] - parts[0]).max(axis=1) > (high - low) / 4
    for row, (part, name) in enumerate(zip(parts, ("stored", "given", "found"), strict=True)):
        for i in range(n):
            axes = figure.add_subplot(3, n, row * n + i + 1)
            axes.imshow(part[i].reshape(shape), cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            missed = row == 2 and wrong[i]
            for spine in axes.spines.values():
                spine.set(color=style.ORANGE if missed else style.GRID, linewidth=1.6 if missed else 0.6)
            if i == 0:
                axes.set_ylabel(name, fontsize=style.SMALL, color=style.INK)
    return figure
