"""One HTML page that needs nothing else: no script, no style sheet, no font, no network.

What it must satisfy: every text is escaped; pictures are <svg> elements inside the page; equal contents give equal
bytes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #f4f5f7; color: #222; font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; font-weight: 650; margin: 0 0 1.25rem; letter-spacing: -0.01em; overflow-wrap: anywhere; }
section { background: #fff; border: 1px solid #e3e5e9; border-radius: 8px;
  margin: 0 0 1rem; padding: 1rem 1.25rem 1.25rem; }
h2 { font-size: 1.05rem; font-weight: 650; margin: 0 0 0.5rem; }
p { margin: 0 0 0.75rem; color: #555; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 1.5rem 0.3rem 0; text-align: right; border-bottom: 1px solid #eceef1;
  overflow-wrap: anywhere; }
th { font-weight: 600; color: #555; border-bottom-color: #cfd3d9; }
th.text, td.text { text-align: left; }
pre { background: #f4f5f7; border-radius: 6px; padding: 0.75rem 1rem; margin: 0; overflow-x: auto;
  font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
.scroll { overflow-x: auto; }
svg { max-width: 100%; height: auto; display: block; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: plain text.
        body: HTML, as `table`, `plots.svg` and `code` make it.
        text: a plain sentence between title and body.
    """

    title: str
    body: str
    text: str = ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """A table in HTML; its first `left` columns hold text, the others numbers.

    >>> table(["a"], [["<b>"]])
    '<div class="scroll"><table><tr><th class="text">a</th></tr><tr><td class="text">&lt;b&gt;</td></tr></table></div>'
    """
    lines = "".join(_row("td", row, left) for row in rows)
    return f'<div class="scroll"><table>{_row("th", head, left)}{lines}</table></div>'


def _row(tag: str, cells: Sequence[object], left: int) -> str:
    start = [f'<{tag} class="text">' if i < left else f"<{tag}>" for i in range(len(cells))]
    return f"<tr>{''.join(s + html.escape(str(c)) + f'</{tag}>' for s, c in zip(start, cells, strict=True))}</tr>"


def code(text: str) -> str:
    """Lines to be typed, in HTML."""
    return f"<pre>{html.escape(text)}</pre>"


def html_report(title: str, sections: Sequence[Section]) -> str:
    """The page.

    Args:
        title: plain text.
        sections: in their order.
    """
    name = html.escape(title)
    parts = "\n".join(_section(section) for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{name}</h1>\n{parts}\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    text = f"<p>{html.escape(section.text)}</p>" if section.text else ""
    return f"<section><h2>{html.escape(section.title)}</h2>{text}{section.body}</section>"
