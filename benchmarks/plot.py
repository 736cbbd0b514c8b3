"""The results as a picture: milliseconds per step by row and peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers import PEERS
from neuroloom.plots.style import GRID, LABEL, SMALL, blank, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#444444", "#009E73", "#CC79A7", "#882255")


def figure(results: dict[str, Any]) -> Figure:
    """One panel per row, a bar per peer from 0 to the median, a line from quartile to quartile."""
    rows = results["rows"]
    names = [name for name in PEERS if any("median" in row["peers"].get(name, {}) for row in rows.values())]
    picture = blank(7.2, len(rows) * (0.55 + 0.2 * len(names)) + 0.4)
    panels = picture.subplots(len(rows), 1, squeeze=False)[:, 0]
    for panel, (name, row) in zip(panels, rows.items(), strict=True):
        draw(panel, name, row, names)
    panels[-1].set_xlabel("milliseconds per step (median; line: quartiles; less is better)", fontsize=LABEL)
    return picture


def draw(axes: Axes, name: str, row: dict[str, Any], names: list[str]) -> None:
    """One row's panel."""
    plain(axes, f"{name}   ({row['data']})")
    scale = 1000 / row["steps"]
    for place, peer in enumerate(names):
        result = row["peers"].get(peer, {})
        if "median" not in result:
            continue
        middle = result["ms_per_step"]
        low, high = (scale * seconds for seconds in result["quartiles"])
        axes.barh(place, middle, height=0.72, color=COLOURS[list(PEERS).index(peer) % len(COLOURS)])
        axes.plot([low, high], [place, place], color="black", linewidth=1.2)
        axes.annotate(f" {middle:.3g}", (max(middle, high), place), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(names)), [PEERS[peer].title for peer in names])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
