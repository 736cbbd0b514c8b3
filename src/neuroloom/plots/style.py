"""The look that all figures share, and their form for HTML pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours stay apart for the colour-blind; their lightness differs, so they do in print, too.
BLUE, ORANGE = "#0072B2", "#D55E00"
INK, FAINT, GRID = "#222222", "#767676", "#E4E4E4"
TITLE, LABEL, SMALL = 10.5, 9, 8  # points


def blank(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, whose parts never overlap."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white", dpi=110)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    return figure


def extent(text: str, size: float) -> tuple[float, float]:
    """Width and height in inches of a line of text of this size in points."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0, 0.0
    box = TextPath((0, 0), text, size=size).get_extents()
    return box.width / 72, box.height / 72


def heading(figure: Figure, title: str) -> None:
    """A title of the whole figure, which grows as wide as the title needs."""
    figure.set_figwidth(max(figure.get_figwidth(), extent(title, TITLE)[0] + 0.3))
    figure.suptitle(title, fontsize=TITLE, color=INK, x=0.01, ha="left")


def plain(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Axes with two quiet lines, a title at the left and labels."""
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK, wrap=True)
    axes.set_xlabel(x, fontsize=LABEL, color=INK)
    axes.set_ylabel(y, fontsize=LABEL, color=INK)
    axes.tick_params(labelsize=SMALL, colors=FAINT, labelcolor=INK, width=0.7, length=3)
    axes.tick_params(which="minor", length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set(color=FAINT, linewidth=0.7)


def svg(figure: Figure) -> str:
    """The figure as one <svg> element that needs nothing else: letters are outlines, equal figures give equal text.

    >>> svg(blank(2, 1))[:4]
    '<svg'
    """
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "neuroloom"}):
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    markup = text.getvalue()
    return markup[markup.index("<svg") :].strip()
