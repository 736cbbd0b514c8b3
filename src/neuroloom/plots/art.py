"""Pictures of adaptive resonance: the boxes that categories are, and how many there are for each vigilance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style
from neuroloom.plots.networks import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def category_boxes(
    points: Any, labels: Any, boxes: Any, box_labels: Any, names: Sequence[str] = ("", ""), title: str = ""
) -> Figure:
    """Points of the plane and the boxes around them, in the colour of their label; what is labelled -1 is grey.

    Args:
        points: (n, 2).
        labels: of the points, (n,): their categories or their classes.
        boxes: the lower and the upper corner of each box, (k, 2, 2), as `FuzzyART.boxes_` has them.
        box_labels: of the boxes, (k,).
        names: what the axes measure.

    Raises:
        ShapeError: the arrays do not fit together.

    >>> boxes = [[[0, 0], [1, 2]], [[3, 3], [3, 3]]]
    >>> len(category_boxes([[0, 1], [1, 2], [3, 3]], [0, 0, 1], boxes, [0, 1]).axes[0].patches)
    2
    """
    points, labels, boxes, marks = np.asarray(points, float), *map(np.asarray, (labels, boxes, box_labels))
    if points.shape != (len(labels), 2) or boxes.shape != (len(marks), 2, 2):
        raise ShapeError(
            f"category_boxes expected points (n, 2) with n labels and boxes (k, 2, 2) with k labels, received "
            f"{points.shape} with {len(labels)} and {boxes.shape} with {len(marks)}."
        )
    figure = style.blank(5.6, 4.2)
    axes = figure.add_subplot()
    style.plain(axes, title, *names)
    found = np.unique(np.concatenate([labels, marks]))
    for i, label in enumerate(found[found.astype(str) != "-1"]):
        _group(axes, points[labels == label], boxes[marks == label], PALETTE[i % len(PALETTE)], i, str(label))
    lone = points[labels.astype(str) == "-1"]
    axes.scatter(lone[:, 0], lone[:, 1], s=18, color=style.FAINT, marker="x", linewidth=0.8)
    if len(found) <= len(PALETTE):
        axes.legend(fontsize=style.SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _group(axes: Any, points: np.ndarray, boxes: np.ndarray, colour: str, i: int, name: str) -> None:
    """The points and boxes of one label. A box without area is a line or a small square."""
    from matplotlib.patches import Rectangle

    for low, high in boxes:
        axes.add_patch(
            Rectangle(low, *(high - low), facecolor=(colour, 0.12), edgecolor=colour, linewidth=1.1, joinstyle="miter")
        )
    dots = boxes[np.isclose(boxes[:, 0], boxes[:, 1]).all(axis=1)][:, 0]
    axes.scatter(dots[:, 0], dots[:, 1], s=70, marker="s", facecolor=(colour, 0.12), edgecolor=colour, linewidth=1.1)
    look: dict[str, Any] = {"marker": "osD^vP*X<>"[i % 10], "edgecolor": "white", "linewidth": 0.5}
    axes.scatter(points[:, 0], points[:, 1], s=20, color=colour, label=name, **look)


def category_counts(vigilances: Any, counts: Mapping[str, Any], title: str = "") -> Figure:
    """How many categories each vigilance makes, a line per network or data set.

    Args:
        vigilances: (n,).
        counts: name -> (n,) numbers of categories.

    Raises:
        ShapeError: a line has another number of values.

    >>> axes = category_counts([0.5, 0.7, 0.9], {"ART1": [4, 9, 30]}).axes[0]
    >>> [text.get_text() for text in axes.texts]
    ['4', '9', '30']
    """
    at = np.asarray(vigilances, float)
    figure = style.blank(6.0, 3.4)
    axes = figure.add_subplot()
    style.plain(axes, title, "vigilance", "categories")
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for (name, line), colour in zip(counts.items(), PALETTE * len(counts), strict=False):
        if np.shape(line) != at.shape:
            raise ShapeError(f"category_counts expected {at.shape} numbers of {name!r}, received {np.shape(line)}.")
        axes.plot(at, line, color=colour, linewidth=1.6, marker="o", markersize=4, label=name)
        for x, y in zip(at, line, strict=True):
            look: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": style.SMALL}
            axes.annotate(f"{y:g}", (x, y), (-3, 4), color=colour, **look)
    axes.set_ylim(bottom=0)
    axes.set_xticks(at)
    axes.legend(fontsize=style.SMALL, frameon=False)
    return figure
