"""Where everything of a graph with scopes is drawn: each scope is laid out by itself, from the inside out.

Coordinates count from the upper left corner of the scope's frame, in pixels.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuroloom.plots import diagram_text
from neuroloom.plots.diagram_layout import Arrangement, Link, arrange
from neuroloom.plots.diagram_scopes import End, Scope

if TYPE_CHECKING:
    from neuroloom.plots.diagram import Box

LABEL, NAME = 13.0, 11.0  # sizes of text
HEADER = 26.0  # of a scope
PADDING = 18.0
GAP, PORT_GAP = 46.0, 20.0  # between two rows; between a port and a row
STUB = 15.0  # how far all lines go on straight below a row: there the shapes stand beside them
SINK = 14.0  # how far below the top of a high row a low box stands, at most
LONGEST = 34  # characters of a text in a box


@dataclass
class Item:
    """A box or a scope in its place.

    Attributes:
        x, y: its upper left corner.
        anchor: where a scope's edges come together when it is collapsed, from its left side.
        texts: the lines in a box.
    """

    end: End
    width: float
    height: float
    anchor: float
    box: Box | None = None
    frame: Frame | None = None
    texts: list[str] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    row: int = 0


@dataclass
class Line:
    """An edge in one scope: straight through each of its stations (x, top, bottom, row), with curves between them.

    Attributes:
        tail, head: numbers of the items that it joins; None for a port.
        label: the shape written beside its first curve; '' where another line says it already.
        side: on which side of the line the label stands: 1 right, -1 left.
    """

    source: str
    tail: int | None
    head: int | None
    stations: list[tuple[float, float, float, int]]
    label: str = ""
    side: int = 1

    @property
    def label_span(self) -> tuple[float, float]:
        """From where to where the label reaches."""
        near = self.stations[0][0] + 6 * self.side
        far = near + diagram_text.width(self.label, NAME) * self.side
        return min(near, far), max(near, far)


@dataclass
class Frame:
    """A scope's drawing.

    Attributes:
        rows: (top, height, how far lines go on straight below it) of each row.
        ports: where edges enter (source, True) and leave (source, False), from the left side.
    """

    scope: Scope
    width: float = 0.0
    height: float = 0.0
    items: list[Item] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    rows: list[tuple[float, float, float]] = field(default_factory=list)
    ports: dict[End, float] = field(default_factory=dict)

    @property
    def closed_width(self) -> float:
        """How wide it is when it is collapsed: its name and its number of boxes."""
        return diagram_text.width(title_of(self.scope), LABEL, bold=True) + 58


def title_of(scope: Scope) -> str:
    """What a scope's header says."""
    return diagram_text.shortened(scope.name, LONGEST) + f"  ({scope.boxes})"


def framed(root: Scope, boxes: dict[str, Box], ends: set[str]) -> Frame:
    """The drawing of a graph.

    Args:
        root: its tree of scopes.
        boxes: its boxes by name.
        ends: names of the boxes whose value no other box takes; these show their shape themselves.
    """
    frame = Frame(root)
    frame.items = [_item(end, item, boxes, ends) for end, item in root.items.items()]
    ins, outs = root.ports("in"), root.ports("out")
    number = {end: i for i, end in enumerate([*root.items, *ins, *outs])}
    links = [_link(frame.items, number, a, b, source) for a, b, source in root.edges]
    k, n = len(frame.items), len(number)
    widths = [item.width for item in frame.items] + [0.0] * len(ins)
    widths += [diagram_text.width(_shape(boxes[name]), NAME) + 12 for _, name in outs]  # it is written outside
    arrangement = arrange(widths, links, list(range(k, k + len(ins))), list(range(k + len(ins), n)))
    _place(frame, arrangement, links)
    frame.ports = {end: arrangement.x[number[end]] for end in [*ins, *outs]}
    _draw_lines(frame, arrangement, links, boxes)
    _begin_at_zero(frame)
    return frame


def _shape(box: Box) -> str:
    return diagram_text.shape_text(box.shape)


def _item(end: End, item: Box | Scope, boxes: dict[str, Box], ends: set[str]) -> Item:
    if isinstance(item, Scope):
        frame = framed(item, boxes, ends)
        anchor = sum(frame.ports.values()) / len(frame.ports) if frame.ports else frame.width / 2
        return Item(end, frame.width, frame.height, anchor, frame=frame)
    texts = texts_of(item, item.name in ends)
    widest = max(diagram_text.width(t, LABEL if i == 0 else NAME, i == 0) for i, t in enumerate(texts))
    width = max(widest + (34 if item.kind == "input" else 26), 54)
    return Item(end, width, 12 + LABEL * 1.25 + (len(texts) - 1) * NAME * 1.35, width / 2, box=item, texts=texts)


def texts_of(box: Box, shows_shape: bool) -> list[str]:
    """The lines in a box: what it does, its name where that says more, and the shape if no edge shows it."""
    name = box.name.rpartition("/")[2]
    same = re.sub(r"[\s_\d()]+$", "", name).replace("_", "").lower() == box.label.replace("_", "").lower()
    texts = [box.label or name]
    if name != texts[0] and (box.kind == "layer" or not same):
        texts.append(name)
    if shows_shape and box.shape is not None:
        texts.append(f"\u2192 {diagram_text.shape_text(box.shape)}")
    return [diagram_text.shortened(text, LONGEST) for text in texts]


def _link(items: list[Item], number: dict[End, int], a: End, b: End, source: str) -> Link:
    """The link of an edge; on a scope it is attached where the scope has its port."""

    def offset(end: End, kind: str) -> float:
        frame = items[number[end]].frame if number[end] < len(items) else None
        return frame.ports[kind, source] - frame.width / 2 if frame else 0.0

    return Link(number[a], number[b], source, offset(a, "out"), offset(b, "in"))


# ----------------------------------------------------------------------------------------------------------- places


def _place(frame: Frame, arrangement: Arrangement, links: list[Link]) -> None:
    """Give the rows and the items their places."""
    frame.rows, frame.height = _row_places(frame, arrangement, links)
    for v, item in enumerate(frame.items):
        item.row = arrangement.row[v]
        top, height, _ = frame.rows[item.row]
        item.x, item.y = arrangement.x[v] - item.width / 2, top + min((height - item.height) / 2, SINK)


def _begin_at_zero(frame: Frame) -> None:
    """Give the frame its width, and move all that is in it so that it begins at 0."""
    spans = [(item.x, item.x + item.width) for item in frame.items]
    spans += [(x - 8, x + 8) for line in frame.lines for x, *_ in line.stations]
    spans += [line.label_span for line in frame.lines if line.label]
    left, right = min(a for a, _ in spans), max(b for _, b in spans)
    padding = PADDING if frame.scope.path else 0.0
    missing = max(frame.closed_width - (right - left + 2 * padding), 0.0) if frame.scope.path else 0.0
    frame.width = right - left + 2 * padding + missing
    by = padding + missing / 2 - left
    for item in frame.items:
        item.x += by
    for line in frame.lines:
        line.stations = [(x + by, top, bottom, row) for x, top, bottom, row in line.stations]
    frame.ports = {end: x + by for end, x in frame.ports.items()}


def _row_places(
    frame: Frame, arrangement: Arrangement, links: list[Link]
) -> tuple[list[tuple[float, float, float]], float]:
    """(the rows, the frame's height); rows are further apart where edges go far to the side."""
    inside, k = bool(frame.scope.path), len(frame.items)
    ports = _port_rows(frame, arrangement)
    reach = _reach(arrangement, links)
    y = (HEADER if inside else 0.0) + (PADDING if inside and 0 not in ports else 0.0)
    rows = []
    end = len(arrangement.rows) - 1
    for r, line in enumerate(arrangement.rows):
        height = max((frame.items[v].height for v in line if v < k), default=0.0)
        near = bool({r, r + 1} & ports)
        rows.append((y, height, 0.0 if near else STUB))
        y += height + (0.0 if r == end else (PORT_GAP if near else GAP) + min(0.07 * reach[r], 44.0))
    return rows, y + (PADDING if inside and end not in ports else 0.0)


def _port_rows(frame: Frame, arrangement: Arrangement) -> set[int]:
    """The rows that consist of ports."""
    ins, outs = frame.scope.ports("in"), frame.scope.ports("out")
    return ({0} if ins else set()) | ({len(arrangement.rows) - 1} if outs else set())


def _reach(arrangement: Arrangement, links: list[Link]) -> list[float]:
    """How far to the side the edges go between each row and the next."""
    reach = [0.0] * len(arrangement.rows)
    for link in links:
        way = [link.tail, *link.lanes, link.head]
        for a, b in itertools.pairwise(way):
            r = min(arrangement.row[a], arrangement.row[b])
            ax = arrangement.x[a] + (link.leaves if a == link.tail else 0.0)
            bx = arrangement.x[b] + (link.arrives if b == link.head else 0.0)
            reach[r] = max(reach[r], abs(ax - bx))
    return reach


# ------------------------------------------------------------------------------------------------------------ lines


def _draw_lines(frame: Frame, arrangement: Arrangement, links: list[Link], boxes: dict[str, Box]) -> None:
    k = len(frame.items)
    told: set[tuple[int, str]] = set()
    for link in links:
        stations = _stations(frame, arrangement, link)
        tail, head = (v if v < k else None for v in (link.tail, link.head))
        line = Line(link.source, tail, head, stations)
        if tail is not None and head is not None and (link.tail, link.source) not in told:
            told.add((link.tail, link.source))
            line.label = _shape(boxes[link.source])
        frame.lines.append(line)
    _choose_sides(frame)


def _stations(frame: Frame, arrangement: Arrangement, link: Link) -> list[tuple[float, float, float, int]]:
    x, row, k = arrangement.x, arrangement.row, len(frame.items)
    top = [y for y, _, _ in frame.rows]
    bottom = [y + height + stub for y, height, stub in frame.rows]
    start, end = row[link.tail], row[link.head]
    tail, head = (frame.items[v] if v < k else None for v in (link.tail, link.head))
    leave = tail.y + tail.height if tail else top[start]
    enter = head.y if head else top[end]
    lanes = [(x[v], top[row[v]], bottom[row[v]], row[v]) for v in link.lanes]
    if start >= end:  # upwards
        lanes = [(at, low, high, r) for at, high, low, r in lanes]
    first = (x[link.tail] + link.leaves, leave, bottom[start], start)
    return [first, *lanes, (x[link.head] + link.arrives, top[end], enter, end)]


def _choose_sides(frame: Frame) -> None:
    """Labels stand on the side to which fewer edges of their source turn."""
    turns: dict[tuple[int | None, str], float] = {}
    for line in frame.lines:
        to = line.stations[1][0] - line.stations[0][0]
        key = (line.tail, line.source)
        turns[key] = turns.get(key, 0.0) + (to > 1) - (to < -1)
    for line in frame.lines:
        line.side = -1 if turns[line.tail, line.source] > 0 else 1
