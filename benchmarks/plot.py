"""The results as a picture: each peer's time in each row, as a multiple of the best of neuroloom's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers import PEERS
from neuroloom.plots.style import GRID, INK, LABEL, SMALL, blank, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#222222", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
MARKERS = "osD^vP*X"


def figure(results: dict[str, Any]) -> Figure:
    """A line per row, a mark per peer; a stroke from quartile to quartile; further left is faster."""
    rows = {name: row for name, row in results["rows"].items() if ours(row)}
    picture = blank(9.2, 0.36 * len(rows) + 2.3)
    axes = picture.subplots()
    plain(
        axes, "Times as multiples of neuroloom's", "times the time of neuroloom (logarithmic; further left is faster)"
    )
    for place, row in enumerate(rows.values()):
        draw(axes, place, row)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rows)), rows, fontsize=LABEL)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="both", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    marks = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [peer.title for peer in PEERS.values() if peer.title in marks]
    picture.legend(
        [marks[name] for name in names], names, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False
    )
    return picture


def ours(row: dict[str, Any]) -> float | None:
    """The best of neuroloom's medians."""
    found = [r["median"] for peer, r in row["peers"].items() if peer.startswith("neuroloom") and "median" in r]
    return min(found, default=None)


def draw(axes: Axes, place: int, row: dict[str, Any]) -> None:
    """One row's marks."""
    unit = ours(row)
    for peer, result in row["peers"].items():
        if "median" in result and unit:
            colour, marker = look(peer)
            low, high = (value / unit for value in result["quartiles"])
            axes.plot([low, high], [place, place], color=colour, linewidth=1.2)
            axes.plot(
                result["median"] / unit, place, marker, color=colour, markersize=5.5, alpha=0.85, linestyle="none",
                markeredgecolor="white", markeredgewidth=0.6, label=PEERS[peer].title,
            )  # fmt: skip


def look(peer: str) -> tuple[str, str]:
    """A colour for each library, a mark for each of its peers."""
    modules = list(dict.fromkeys(p.module for p in PEERS.values()))
    module = PEERS[peer].module
    alike = [name for name, p in PEERS.items() if p.module == module]
    return COLOURS[modules.index(module) % len(COLOURS)], MARKERS[alike.index(peer) % len(MARKERS)]
