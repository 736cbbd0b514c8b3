"""A laid-out graph as SVG: its parts, the data that its script needs to collapse scopes, and an HTML page.

No element has an id, every class begins with "nld-", and the script finds its drawings by class: any number of
drawings can stand in one page. Names come from users: all text is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from xml.sax.saxutils import escape

from neuroloom.plots import diagram_text, style
from neuroloom.plots.diagram_frames import HEADER, LABEL, NAME, PADDING, SINK, Frame, Item, Line, title_of

KINDS = {
    "input": ("#E3F4EE", "#00805D"),
    "layer": ("#E1EEF7", style.BLUE),
    "operation": ("#F3F4F5", "#5A646B"),
    "variable": ("#F9EBF2", "#A6467B"),
    "constant": ("#FDF4DE", "#94670A"),
}
"""kind -> its fill and line: Okabe and Ito's hues, darkened where they are lines. Each kind has its own form, too."""

MARGIN = 24.0
LINE, HALO = "#8A949B", "white"
CLOSED = 8.0  # how much higher than its header a collapsed scope is
MANY = 60  # boxes from which on a drawing begins with inner scopes collapsed

_CSS = f"""
.nld-diagram{{font-family:Helvetica,Arial,"Liberation Sans",sans-serif;background:white}}
.nld-diagram text{{fill:{style.INK};font-size:{NAME:g}px}}
.nld-diagram .nld-label{{font-size:{LABEL:g}px;font-weight:bold}}
.nld-diagram .nld-heading{{font-size:16px;font-weight:bold}}
.nld-diagram .nld-faint{{fill:#555}}
.nld-line{{fill:none;stroke:{LINE};stroke-width:1.3}}
.nld-arrow{{fill:{LINE}}}
.nld-shape{{paint-order:stroke;stroke:{HALO};stroke-width:4px;stroke-linejoin:round}}
.nld-frame{{fill:#F7F9FA;stroke:#B6BFC5;stroke-width:1}}
.nld-bar{{fill:#E6EAED;stroke:#B6BFC5;stroke-width:1}}
.nld-head{{cursor:pointer}}
.nld-head:hover .nld-bar,.nld-head:focus .nld-bar{{fill:#D3DBE0}}
.nld-head:focus{{outline:none}}
.nld-box:hover>:not(text):not(title){{stroke-width:2.6}}
""" + "".join(
    f".nld-{kind}>:not(text){{fill:{fill};stroke:{line};stroke-width:1.4}}\n" for kind, (fill, line) in KINDS.items()
)


def markup(frame: Frame, title: str | None) -> str:
    """The drawing as one <svg> element."""
    frames = list(_walk(frame))
    kinds = dict.fromkeys(item.box.kind for f in frames for item in f.items if item.box)
    legend, legend_width = _legend([kind for kind in KINDS if kind in kinds])
    heading = diagram_text.width(title or "", 16, bold=True)
    top = MARGIN + (30 if title else 0) + 34
    width = max(frame.width, legend_width, heading) + 2 * MARGIN
    height = top + frame.height + MARGIN
    head = f'<text class="nld-heading" x="{MARGIN:g}" y="{MARGIN + 14:g}">{_text(title)}</text>' if title else ""
    number = {id(f): i for i, f in enumerate(frames)}
    data = _data(frames, number, max(legend_width, heading), top)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nld-diagram" role="img" '
        f'aria-label="{_text(title or "diagram")}" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}">'
        f"<style>{_CSS}</style>"
        f'<rect class="nld-page" width="100%" height="100%" fill="white"/>{head}'
        f'<g transform="translate({MARGIN:g},{top - 34:g})">{legend}</g>'
        f'<g class="nld-graph" transform="translate({_n((width - frame.width) / 2)},{_n(top)})">'
        f"{_content(frame, number)}</g>"
        f"<metadata>{data}</metadata><script>{_script()}</script></svg>"
    )


def page(svg: str, title: str) -> str:
    """An HTML page that shows a drawing and needs nothing else."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        f"<style>body{{margin:0;text-align:center}}</style>\n</head>\n<body>\n{svg}\n</body>\n</html>\n"
    )


def _script() -> str:
    """The script that collapses scopes. It has neither < nor &, so it is the same text in XML and in HTML."""
    return files("neuroloom.plots").joinpath("diagram.js").read_text(encoding="utf-8")


def _walk(frame: Frame) -> Iterator[Frame]:
    yield frame
    for item in frame.items:
        if item.frame is not None:
            yield from _walk(item.frame)


# ----------------------------------------------------------------------------------------------------------- parts


def _content(frame: Frame, number: dict[int, int]) -> str:
    """Lines below, boxes and scopes above them, shapes on top."""
    lines = "".join(_line(line) for line in frame.lines)
    items = "".join(_scope(item, number) if item.frame else _box(item) for item in frame.items)
    labels = "".join(_label(i, line) for i, line in enumerate(frame.lines) if line.label)
    return f'<g class="nld-content" data-frame="{number[id(frame)]}">{lines}{items}{labels}</g>'


def _line(line: Line) -> str:
    arrow = f'<path class="nld-arrow" d="{arrowhead(line)}"/>' if line.head is not None else ""
    return f'<path class="nld-line" d="{path(line)}"/>{arrow}'


def path(line: Line) -> str:
    """The curve of a line: straight at its stations, bent between them. diagram.js draws it in the same way."""
    x, top, bottom, _ = line.stations[0]
    d = f"M{_n(x)} {_n(top)}V{_n(bottom)}"
    going = 1
    for to_x, start, end, _ in line.stations[1:]:
        then = -1 if end < start else 1
        middle = (bottom + start) / 2 if going == then else bottom + 24 * going
        d += f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(start)}V{_n(end)}"
        x, bottom, going = to_x, end, then
    return d


def arrowhead(line: Line) -> str:
    """The arrow at a line's end."""
    x, _, y, _ = line.stations[-1]
    return f"M{_n(x - 3.6)} {_n(y - 7)}h7.2L{_n(x)} {_n(y)}z"


def _label(i: int, line: Line) -> str:
    x, _, y, _ = line.stations[0]
    anchor = "start" if line.side > 0 else "end"
    return (
        f'<text class="nld-shape nld-faint" data-line="{i}" text-anchor="{anchor}" '
        f'x="{_n(x + 6 * line.side)}" y="{_n(y - 2)}">{_text(line.label)}</text>'
    )


def _scope(item: Item, number: dict[int, int]) -> str:
    frame = item.frame
    assert frame is not None
    count = f"{frame.scope.boxes} box{'es' if frame.scope.boxes > 1 else ''}"
    return (
        f'<g class="nld-item nld-scope" transform="translate({_n(item.x)},{_n(item.y)})">'
        f'<rect class="nld-frame" width="{_n(item.width)}" height="{_n(item.height)}" rx="6"/>'
        f"{_content(frame, number)}"
        f'<g class="nld-head" role="button" tabindex="0" aria-expanded="true">'
        f"<title>{_text(frame.scope.path)}\n{count}</title>"
        f'<rect class="nld-bar" width="{_n(item.width)}" height="{HEADER:g}" rx="6"/>'
        f'<path class="nld-sign" d="M11 10h9l-4.5 7z" fill="#5A646B"/>'
        f'<text class="nld-label" x="27" y="18">{_text(title_of(frame.scope))}</text></g></g>'
    )


def _box(item: Item) -> str:
    box = item.box
    assert box is not None
    middle = _n(item.width / 2)
    y = 6 + LABEL
    texts = []
    for i, text in enumerate(item.texts):
        kind = ' class="nld-label"' if i == 0 else ' class="nld-faint"'
        texts.append(f'<text{kind} x="{middle}" y="{_n(y)}" text-anchor="middle">{_text(text)}</text>')
        y += NAME * 1.35 + (1 if i == 0 else 0)
    return (
        f'<g class="nld-item nld-box nld-{box.kind}" transform="translate({_n(item.x)},{_n(item.y)})">'
        f"<title>{_text(_tooltip(item))}</title>{_form(box.kind, item.width, item.height)}{''.join(texts)}</g>"
    )


def _form(kind: str, width: float, height: float) -> str:
    """The outline of a box: each kind has another, so that colour is not all that tells them apart."""
    w, h = _n(width), _n(height)
    if kind == "input":
        return f'<rect width="{w}" height="{h}" rx="{_n(height / 2)}"/>'
    if kind == "layer":
        return f'<rect width="{w}" height="{h}" rx="4"/>'
    if kind == "operation":
        return f'<path d="M9 0H{_n(width - 9)}L{w} {_n(height / 2)}L{_n(width - 9)} {h}H9L0 {_n(height / 2)}z"/>'
    if kind == "variable":
        return f'<rect width="{w}" height="{h}"/><path d="M5 0V{h}M{_n(width - 5)} 0V{h}"/>'
    return f'<rect width="{w}" height="{h}" stroke-dasharray="4 2.5"/>'


def _tooltip(item: Item) -> str:
    box = item.box
    assert box is not None
    shape = diagram_text.shape_text(box.shape)
    lines = [box.name, f"{box.label} ({box.kind})", f"{box.dtype} {shape}" if shape else box.dtype]
    return "\n".join(lines + [f"{key}: {value}" for key, value in box.details.items()])


def _legend(kinds: list[str]) -> tuple[str, float]:
    """(the kinds in their forms and colours, its width)."""
    x, parts = 0.0, []
    for kind in kinds:
        parts.append(
            f'<g class="nld-{kind}" transform="translate({_n(x)},0)">{_form(kind, 26, 14)}'
            f'<text x="32" y="11">{kind}</text></g>'
        )
        x += 32 + diagram_text.width(kind, NAME) + 20
    return "".join(parts), x


# ---------------------------------------------------------------------------------------- what the script must know


def _data(frames: list[Frame], number: dict[int, int], least: float, top: float) -> str:
    """Places and sizes as JSON numbers; no user's text is in it."""
    record = {
        "least": _r(least),
        "top": _r(top),
        "margin": MARGIN,
        "header": HEADER,
        "padding": PADDING,
        "sink": SINK,
        "closedHeight": HEADER + CLOSED,
        "closed": [number[id(f)] for f in closed_at_first(frames)],
        "frames": [_frame_data(f, number) for f in frames],
    }
    return json.dumps(record, separators=(",", ":"))


def _frame_data(frame: Frame, number: dict[int, int]) -> dict[str, object]:
    return {
        "w": _r(frame.width),
        "h": _r(frame.height),
        "closedWidth": _r(frame.closed_width),
        "rows": [[_r(y), _r(h), _r(stub)] for y, h, stub in frame.rows],
        "items": [
            [_r(i.x), _r(i.y), _r(i.width), _r(i.height), i.row, _r(i.anchor), number[id(i.frame)] if i.frame else -1]
            for i in frame.items
        ],
        "lines": [
            [
                -1 if line.tail is None else line.tail,
                -1 if line.head is None else line.head,
                line.side,
                [[_r(x), _r(a), _r(b), row] for x, a, b, row in line.stations],
            ]
            for line in frame.lines
        ],
    }


def closed_at_first(frames: list[Frame]) -> list[Frame]:
    """The scopes that a large drawing begins with collapsed: the deepest, until at most MANY boxes are seen."""
    depth = {id(f): f.scope.path.count("/") + 1 if f.scope.path else 0 for f in frames}
    for level in range(max(depth.values()) + 1, 0, -1):
        shown = [f for f in frames if depth[id(f)] < level]
        if sum(sum(item.frame is None or depth[id(item.frame)] >= level for item in f.items) for f in shown) <= MANY:
            return [f for f in frames if depth[id(f)] >= level]
    return [f for f in frames if depth[id(f)] >= 1]


_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(text: str) -> str:
    """Text for XML and HTML; characters that XML does not have become question marks."""
    return escape(_NO_XML.sub("\ufffd", text), {'"': "&quot;"})


def _r(value: float) -> float:
    return round(value, 1)


def _n(value: float) -> str:
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )
