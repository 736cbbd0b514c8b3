"""Pictures of what memories recall from damaged patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ShapeError
from neuroloom.plots import style
from neuroloom.plots.networks import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def recall_rates(
    damage: Sequence[float], rates: Mapping[str, Any], x: str = "share of units that are wrong", title: str = ""
) -> Figure:
    """The share of patterns that memories recall, against how much of a pattern is damaged; a line per memory.

    Args:
        damage: the shares of a pattern that are damaged, (n,).
        rates: what a line is called -> its rates from 0 to 1, (n,).
        x: what the damage is.

    Raises:
        ShapeError: a line has not as many rates as there are shares.

    >>> axes = recall_rates([0, 0.1, 0.2], {"Hebb": [1, 0.9, 0.2], "Storkey": [1, 1, 0.8]}).axes[0]
    >>> [line.get_label() for line in axes.lines]
    ['Hebb', 'Storkey']
    """
    from matplotlib.ticker import PercentFormatter

    figure = style.blank(5.6, 3.4)
    axes = figure.add_subplot()
    style.plain(axes, title, x, "patterns recalled without an error")
    axes.grid(axis="y", color=style.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for i, (name, values) in enumerate(rates.items()):
        if np.shape(values) != (len(damage),):
            raise ShapeError(f"recall_rates expected {len(damage)} rates of {name!r}, received {np.shape(values)}.")
        look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "marker": "osD^vPX"[i % 7]}
        axes.plot(damage, values, label=name, linewidth=1.4, markersize=4, **look)
    axes.set_ylim(-0.03, 1.03)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(fontsize=style.SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
