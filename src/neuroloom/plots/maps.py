"""Pictures of maps: units on a grid with their distances, hits, features and labels; and units joined among data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.plots import style
from neuroloom.plots.networks import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EMPTY = "#F4F4F4"
COLUMNS = 4  # component planes beside each other


def u_matrix(
    values: Any, grid: str = "rectangular", labels: Any = None, title: str = "Mean distance to neighbours"
) -> Figure:
    """How far each unit lies from its neighbours: dark borders around light clusters.

    Args:
        values: `SelfOrganizingMap.u_matrix()`, (rows, columns) or (units,).
        grid: "rectangular" or "hexagonal" (odd rows half a unit to the right).
        labels: what to write into the units, in the shape of the values; nothing where None.

    Raises:
        ShapeError: no such array, or labels of another shape.
        ConfigurationError: there is no such grid.

    >>> len(u_matrix([[0.1, 0.5], [0.4, 0.2]], labels=[["a", None], [None, "b"]]).axes[0].texts)
    2
    """
    return _one(_plane(values, "u_matrix"), grid, labels, title, "bone_r")


def hit_map(counts: Any, grid: str = "rectangular", title: str = "Rows per unit") -> Figure:
    """How many rows each unit is nearest to.

    Args:
        counts: `SelfOrganizingMap.hit_map(X)`, (rows, columns) or (units,).
        grid: see `u_matrix`.

    Raises:
        ShapeError: no such array.
        ConfigurationError: there is no such grid.

    >>> [text.get_text() for text in hit_map([[3, 0], [1, 2]]).axes[0].texts]
    ['3', '1', '2']
    """
    plane = _plane(counts, "hit_map")
    texts = np.array([f"{n:g}" if n else None for n in plane.ravel()], object).reshape(plane.shape)
    return _one(plane, grid, texts, title, "Blues")


def component_planes(planes: Any, names: Sequence[object] = (), grid: str = "rectangular") -> Figure:
    """The weights of each feature over the map, a panel per feature, each with its own scale.

    Args:
        planes: `SelfOrganizingMap.component_planes()`, (features, rows, columns) or (features, units).
        names: of the features.
        grid: see `u_matrix`.

    Raises:
        ShapeError: no such array, or not as many names as features.
        ConfigurationError: there is no such grid.

    >>> len(component_planes(np.ones((3, 4, 5)), ["length", "width", "height"]).axes)
    3
    """
    planes = np.asarray(planes, float)
    if planes.ndim not in (2, 3) or not planes.size or len(names) not in (0, len(planes)):
        raise ShapeError(
            f"component_planes expected planes (features, rows, columns) and a name for each feature, received "
            f"shape {planes.shape} and {len(names)} names."
        )
    planes = planes.reshape(len(planes), -1, planes.shape[-1])
    columns = min(COLUMNS, len(planes))
    lines = math.ceil(len(planes) / columns)
    wide, high = _size(planes[0], grid, 1.9)
    figure = style.blank((wide + 0.6) * columns, (high + 0.35) * lines)
    for i, plane in enumerate(planes):
        axes = figure.add_subplot(lines, columns, i + 1)
        _bar(axes, _cells(axes, plane, grid, "viridis"))
        axes.set_title(str(names[i]) if len(names) else f"feature {i}", fontsize=style.LABEL, color=style.INK)
    return figure


def label_map(labels: Any, grid: str = "rectangular", title: str = "") -> Figure:
    """The units in the colours of their labels, or of their clusters.

    Args:
        labels: `SelfOrganizingMap.label_map(X, y)` or `.cluster(n)`, (rows, columns) or (units,); None: no label.
        grid: see `u_matrix`.

    Raises:
        ShapeError: no such array.
        ConfigurationError: there is no such grid.

    >>> len(label_map([["cat", "cat"], [None, "dog"]]).axes[0].texts)
    3
    """
    found = np.asarray(labels, object)
    found = found.reshape(1, -1) if found.ndim == 1 else found
    if found.ndim != 2 or not found.size:
        raise ShapeError(f"label_map expected labels (rows, columns) or (units,), received shape {found.shape}.")
    names = sorted({name for name in found.ravel() if name is not None}, key=lambda name: (str(type(name)), name))
    colours = [EMPTY if v is None else PALETTE[names.index(v) % len(PALETTE)] for v in found.ravel()]
    wide, high = _size(found, grid, 5.0)
    figure = style.blank(wide, high + (0.35 if title else 0.05))
    axes = figure.add_subplot()
    cells = _cells(axes, np.zeros(found.shape), grid, "viridis")
    cells.set(array=None, facecolor=colours, alpha=0.55)
    _texts(axes, found, grid)
    axes.set_title(title, loc="left", fontsize=style.TITLE, color=style.INK, wrap=True)
    return figure


def unit_graph(
    points: Any, weights: Any, edges: Any = (), labels: Any = None, names: Sequence[str] = ("", ""), title: str = ""
) -> Figure:
    """Units and the edges that join them, among the data that they stand for; the first two features are drawn.

    Args:
        points: (rows, features).
        weights: (units, features).
        edges: pairs of units, (edges, 2).
        labels: the class or cluster of each point, which colours it, (rows,).
        names: what the axes measure.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> figure = unit_graph([[0, 0], [1, 1]], [[0.1, 0.2], [0.9, 0.8]], [[0, 1]])
    """
    from matplotlib.collections import LineCollection

    points, weights = np.asarray(points, float), np.asarray(weights, float)
    edges = np.asarray(edges, int).reshape(-1, 2)
    wrong = points.ndim != 2 or weights.ndim != 2 or min(points.shape[-1], weights.shape[-1]) < 2
    if wrong or (edges.size and edges.max() >= len(weights)) or (labels is not None and len(labels) != len(points)):
        raise ShapeError(
            f"unit_graph expected points (rows, features), weights (units, features) with at least two features, edges "
            f"between these units and a label for each row, received {points.shape}, {weights.shape}, {edges.shape} "
            f"and {0 if labels is None else len(labels)} labels."
        )
    figure = style.blank(5.2, 4.2)
    axes = figure.add_subplot()
    style.plain(axes, title, *names)
    groups = np.zeros(len(points), int) if labels is None else np.unique(labels, return_inverse=True)[1]
    colours = ["#9A9A9A"] if labels is None else PALETTE
    axes.scatter(
        points[:, 0], points[:, 1], s=10, c=[colours[g % len(colours)] for g in groups], alpha=0.55, linewidths=0
    )
    axes.add_collection(LineCollection(weights[edges][:, :, :2], color=style.INK, linewidth=1.0))
    axes.scatter(weights[:, 0], weights[:, 1], s=26, color=style.INK, edgecolor="white", linewidth=0.7, zorder=3)
    return figure


def _plane(values: Any, name: str) -> np.ndarray:
    plane = np.asarray(values, float)
    plane = plane.reshape(1, -1) if plane.ndim == 1 else plane
    if plane.ndim != 2 or not plane.size:
        raise ShapeError(f"{name} expected shape (rows, columns) or (units,), received {np.shape(values)}.")
    return plane


def _one(plane: np.ndarray, grid: str, texts: Any, title: str, colours: str) -> Figure:
    """A figure of one map."""
    wide, high = _size(plane, grid, 5.0)
    figure = style.blank(wide + 0.7, high + 0.35)
    axes = figure.add_subplot()
    _bar(axes, _cells(axes, plane, grid, colours))
    if texts is not None:
        texts = np.asarray(texts, object)
        if texts.size != plane.size:
            raise ShapeError(f"Expected labels of shape {plane.shape}, received {texts.shape}.")
        _texts(axes, texts.reshape(plane.shape), grid, plane)
    axes.set_title(title, loc="left", fontsize=style.TITLE, color=style.INK, wrap=True)
    return figure


def _size(plane: np.ndarray, grid: str, most: float) -> tuple[float, float]:
    """Inches of a map whose longer side has `most`."""
    (left, top), (right, bottom) = (pick(_centres(plane.shape, grid), axis=0) for pick in (np.min, np.max))
    unit = most / max(right - left + 1, bottom - top + 1)
    return max(unit * (right - left + 1), 0.9), max(unit * (bottom - top + 1), 0.4)


def _cells(axes: Axes, plane: np.ndarray, grid: str, colours: str) -> Any:
    """The units as squares or hexagons, coloured by their values; the first row is at the top."""
    from matplotlib.collections import PolyCollection

    if grid not in ("rectangular", "hexagonal"):
        raise ConfigurationError(f"Expected grid to be 'rectangular' or 'hexagonal', received {grid!r}.")
    corners = 4 if grid == "rectangular" else 6
    angles = 2 * np.pi * (np.arange(corners) + 0.5) / corners
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (0.5 / math.cos(math.pi / corners))
    outlines: Any = _centres(plane.shape, grid)[:, None] + outline
    cells = PolyCollection(outlines, edgecolor=style.GRID, linewidth=0.6)
    cells.set(array=plane.ravel(), cmap=colours)
    axes.add_collection(cells)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.invert_yaxis()
    axes.set_axis_off()
    return cells


def _centres(shape: tuple[int, ...], grid: str) -> np.ndarray:
    """(x, y) of each unit, (units, 2)."""
    row, column = np.indices(shape).reshape(2, -1).astype(float)
    if grid == "hexagonal":
        return np.stack([column + 0.5 * (row % 2), row * math.sqrt(3) / 2], axis=1)
    return np.stack([column, row], axis=1)


def _texts(axes: Axes, texts: np.ndarray, grid: str, plane: np.ndarray | None = None) -> None:
    """What stands in the units: white where the colour below is dark."""
    values = np.zeros(texts.size) if plane is None else (plane - plane.min()).ravel() / (np.ptp(plane) or 1)
    size = float(np.clip(110 / max(texts.shape), 3.5, style.SMALL))
    for (x, y), text, value in zip(_centres(texts.shape, grid), texts.ravel(), values, strict=True):
        if text is not None:
            colour = "white" if value > 0.55 else style.INK
            axes.text(x, y, str(text), ha="center", va="center", fontsize=size, color=colour)


def _bar(axes: Axes, cells: Any) -> None:
    bar = axes.figure.colorbar(cells, cax=axes.inset_axes((1.03, 0, 0.03, 1)))
    bar.ax.tick_params(labelsize=style.SMALL, labelcolor=style.INK, color=style.FAINT, length=3)
    bar.outline.set_visible(False)
