"""Diagrams of units: circles with names, and connections that excite, inhibit or come one step later."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ConfigurationError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

Edges = Sequence[tuple[str, str]]

INCH = 0.62
"""Between two neighbours of a layer."""
RADIUS = 0.3
"""Of a unit, where neighbours lie at distance 1."""
COLUMN = 2.0
"""Between two layers."""
BENDS = (0.0, 0.3, -0.3, 0.45, -0.45, 0.6, -0.6, 0.8, -0.8)
"""Of a connection: the first that keeps clear of the other units is taken."""
LOOKS: dict[str, dict[str, Any]] = {
    "connection": {"color": style.FAINT, "linewidth": 0.8, "arrowstyle": "-|>"},
    "inhibition": {"color": style.ORANGE, "linewidth": 0.9, "arrowstyle": "-[,widthB=0.9,lengthB=0"},
    "one step later": {"color": style.BLUE, "linewidth": 1.0, "arrowstyle": "-|>", "linestyle": (0, (4, 2))},
}


def unit_diagram(
    layers: Sequence[Sequence[str]],
    edges: Edges | None = None,
    title: str = "",
    inhibitory: Edges = (),
    delayed: Edges = (),
) -> Figure:
    """A diagram of units: layers from left to right, connections as lines that bend round the units between.

    A single layer stands on a circle; an edge within one of several layers is an arc.

    Args:
        layers: the labels of the units of each layer, all different; '…' stands for units left out.
        edges: (from, to) labels; None: each unit with all of the next layer.
        inhibitory: edges that hold units down, orange with a bar at the end.
        delayed: edges that arrive one step later, such as those to context units, dashed and blue.

    Raises:
        ConfigurationError: an edge names a unit that there is not.

    >>> figure = unit_diagram([["u", "h′"], ["h"]], delayed=[("h", "h′")])
    """
    from matplotlib.patches import FancyArrowPatch

    places = _places(layers)
    if edges is None:
        pairs = itertools.pairwise(layers)
        edges = [(a, b) for left, right in pairs for a in left for b in right if "…" not in (a, b)]
    kinds = dict(zip(LOOKS, (edges, inhibitory, delayed), strict=True))
    bends: dict[tuple[str, str, str], float] = {}
    for kind, a, b in ((kind, *edge) for kind, some in kinds.items() for edge in some):
        if a not in places or b not in places:
            raise ConfigurationError(f"unit_diagram has an edge from {a!r} to {b!r}, but no such units.")
        arc = kind == "one step later" or (len(layers) > 1 and places[a][0] == places[b][0])
        bends[kind, a, b] = _bend(places, a, b, arc)
    units = {name: unit(place, name, RADIUS, INCH) for name, place in places.items() if isinstance(name, str)}
    curves = [_curve(places[a], places[b], bend) for (_, a, b), bend in bends.items()]
    figure = _empty(places, curves, title, [kind for kind, some in kinds.items() if some])
    axes = figure.axes[0]
    for (kind, a, b), bend in bends.items():
        ends: dict[str, Any] = {"patchA": units[a], "patchB": units[b], "shrinkA": 0, "shrinkB": 1}
        look = LOOKS[kind] | {"connectionstyle": f"arc3,rad={bend}", "mutation_scale": 7, "gid": kind}
        axes.add_patch(FancyArrowPatch(places[a], places[b], **ends, **look))
    for name, place in places.items():
        if name in units:
            axes.add_patch(units[name])
        axes.text(*place, name if name in units else "…", ha="center", va="center", fontsize=style.SMALL, zorder=3)
    return figure


def unit(place: Sequence[float], label: str, radius: float, inch: float) -> Patch:
    """A circle, or where the label is too long for it, an ellipse.

    Args:
        place: its centre.
        radius: half its height.
        inch: inches of a unit of length.
    """
    from matplotlib.patches import Circle, Ellipse

    look: dict[str, Any] = {"facecolor": "white", "edgecolor": style.BLUE, "linewidth": 1.2, "zorder": 2}
    half = half_width(label, radius, inch)
    if half == radius:
        return Circle((place[0], place[1]), radius, **look)
    return Ellipse((place[0], place[1]), 2 * half, 2 * radius, **look)


def half_width(label: str, radius: float, inch: float) -> float:
    """Half the width of a unit in whose outline the corners of its label lie: the radius, or more."""
    wide, high = (0.5 * side / inch / radius + 0.1 for side in style.extent(label, style.SMALL))
    return radius * max(1.0, wide / math.sqrt(max(1 - high**2, 0.25)))


def _places(layers: Sequence[Sequence[str]]) -> dict[Any, tuple[float, float]]:
    """(x, y) of each unit; those left out are named by where they stand."""
    named = [[(k, i) if name == "…" else name for i, name in enumerate(layer)] for k, layer in enumerate(layers)]
    if len(named) == 1:
        angles = [2 * math.pi * i / len(named[0]) for i in range(len(named[0]))]
        radius = max(1.0, len(angles) / 5)
        return {n: (radius * math.sin(a), -radius * math.cos(a)) for n, a in zip(named[0], angles, strict=True)}
    return {n: (COLUMN * k, i - (len(layer) - 1) / 2) for k, layer in enumerate(named) for i, n in enumerate(layer)}


def _curve(start: tuple[float, float], end: tuple[float, float], bend: float) -> np.ndarray:
    """Points along a connection, (points, 2): matplotlib's 'arc3' where y grows downwards."""
    a, b, t = np.array(start), np.array(end), np.linspace(0, 1, 33)[:, None]
    middle = (a + b) / 2 + bend * np.array([a[1] - b[1], b[0] - a[0]])
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * middle + t**2 * b


def _bend(places: dict[Any, tuple[float, float]], a: str, b: str, arc: bool) -> float:
    """The least bend that keeps clear of the other units; the largest where none does."""
    others = np.array([place for name, place in places.items() if name not in (a, b)]).reshape(-1, 1, 2)
    for bend in BENDS[1:] if arc else BENDS:
        apart = np.linalg.norm(_curve(places[a], places[b], bend) - others, axis=-1)
        if (apart > 1.25 * RADIUS).all():
            return bend
    return BENDS[-1]


def _empty(
    places: dict[Any, tuple[float, float]], curves: Sequence[np.ndarray], title: str, kinds: list[str]
) -> Figure:
    """A figure in which everything lies, of INCH per unit of length, with a legend of the kinds of edges."""
    from matplotlib.lines import Line2D

    halves = {n: half_width(n, RADIUS, INCH) if isinstance(n, str) else RADIUS for n in places}
    rims = [(x + side * halves[n], y + side * RADIUS) for n, (x, y) in places.items() for side in (-1, 1)]
    points = np.concatenate([np.array(rims), *curves])
    low, high = points.min(axis=0) - 0.1, points.max(axis=0) + 0.1
    wide, tall = INCH * (high - low)
    legend = len(kinds) > 1 or kinds == ["inhibition"]
    wide = max(wide, sum(style.extent(kind, style.SMALL)[0] + 0.6 for kind in kinds) if legend else 0)
    figure = style.blank(wide + 0.2, tall + 0.2 + (0.3 if title else 0) + (0.3 if legend else 0))
    axes = figure.add_subplot()
    axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    axes.set_axis_off()
    style.heading(figure, title)
    if legend:
        handles = [
            Line2D([], [], label=kind, color=LOOKS[kind]["color"], linestyle=LOOKS[kind].get("linestyle", "-"))
            for kind in kinds
        ]
        figure.legend(
            handles=handles, ncols=len(kinds), loc="outside lower center", fontsize=style.SMALL, frameon=False
        )
    return figure
