"""Diagrams of graphs: what a network or an explicit graph is made of, and its drawing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from neuroloom.errors import ConfigurationError, nearest
from neuroloom.plots import diagram_svg
from neuroloom.plots.diagram_frames import framed
from neuroloom.plots.diagram_scopes import scope_tree
from neuroloom.typing import Shape


@dataclass(frozen=True)
class Box:
    """One box of a diagram.

    Attributes:
        name: unique; the parts before the last '/' are the scopes it lies in, as in 'encoder/dense_1'.
        kind: 'input', 'constant', 'variable', 'layer' or 'operation': what it is coloured by.
        label: what it does, such as 'Dense' or 'matmul'.
        inputs: the names of the boxes that its edges come from, in order.
        shape: of what it gives; None where a length is free.
        dtype: of what it gives.
        details: what else is worth reading, such as {'units': '64', 'parameters': '50,240'}.
    """

    name: str
    kind: str
    label: str
    inputs: tuple[str, ...] = ()
    shape: Shape | None = None
    dtype: str = "float32"
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A drawn graph. Notebooks show it; `save` writes it into a file.

    Attributes:
        svg: one <svg> element that needs nothing else. A click on a scope's header collapses or expands the scope;
            where scripts do not run, everything is shown expanded.
        title: what it is called.
    """

    svg: str
    title: str | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing into a file that a browser shows, '.svg' or '.html'; missing folders are made.

        Raises:
            ConfigurationError: another ending.
        """
        target = Path(path)
        writers = {".svg": self._document, ".html": self._page}
        if target.suffix.lower() not in writers:
            raise ConfigurationError(
                f"A drawing expected a file name that ends in .svg or .html, received {target.name!r}. "
                f"Browsers show both; they also print them and export pictures."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(writers[target.suffix.lower()](), encoding="utf-8")

    def _document(self) -> str:
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{self.svg}\n'

    def _page(self) -> str:
        return diagram_svg.page(self.svg, self.title or "Diagram")

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Drawing{f' of {self.title}' if self.title else ''}, {len(self.svg):,} characters of SVG>"


def draw(boxes: Iterable[Box], title: str | None = None) -> Drawing:
    """Draw a graph: boxes in rows from the top down, scopes as frames, shapes beside the edges.

    Colours and forms tell the kinds apart, as the legend shows. Scopes can be collapsed by a click; graphs of more
    than 60 boxes begin with inner scopes collapsed. Details are shown when the mouse rests on a box.

    Args:
        boxes: the graph; names are unique, inputs name other boxes. A circle of inputs is drawn as a way back up.
        title: what to write above it.

    Raises:
        DataError: there are no boxes.
        ConfigurationError: two boxes of one name, an unknown kind, or an input that no box has.

    >>> drawing = draw([Box("x", "input", "Input", shape=(None, 8)), Box("y", "layer", "Dense", ("x",), (None, 1))])
    >>> drawing.svg.startswith("<svg")
    True
    """
    boxes = list(boxes)
    for box in boxes:
        if box.kind not in diagram_svg.KINDS:
            raise ConfigurationError(
                f"The box {box.name!r} has the kind {box.kind!r}. {nearest(box.kind, diagram_svg.KINDS)}"
            )
    root = scope_tree(boxes)
    used = {name for box in boxes for name in box.inputs}
    table = {box.name: box for box in boxes}
    frame = framed(root, table, set(table) - used)
    return Drawing(diagram_svg.markup(frame, title), title)
