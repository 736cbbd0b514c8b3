"""What a person reads: tables and lines, coloured on a terminal and plain in a pipe."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100  # lines longer than this are hard to read
LABEL = 12


def console() -> Console:
    """The rich console on standard output, at most 100 columns wide."""
    from rich.console import Console

    one = Console(file=sys.stdout, highlight=False, emoji=False)
    return one if one.width <= WIDTH else Console(file=sys.stdout, highlight=False, emoji=False, width=WIDTH)


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """A table; its first `left` columns hold text, the others numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for i, name in enumerate(head):
        table.add_column(Text(name), justify="left" if i < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    one = console()
    with one.capture() as drawn:
        one.print(table)
    click.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()) + "\n")


def show_fact(label: str, text: str) -> None:
    """A line with a label before it; what does not fit is indented below."""
    width = max(console().width, 2 * LABEL)
    lines = textwrap.wrap(text, width - LABEL, break_on_hyphens=False) or [""]
    click.echo(click.style(label, bold=True) + " " * (LABEL - len(label)) + lines[0])
    for line in lines[1:]:
        click.echo(" " * LABEL + line)


def note(text: str) -> None:
    """A remark on standard error, where it does not mix with results."""
    click.echo(f"neuroloom: note: {' '.join(text.split())}", err=True)


def count(n: int, thing: str) -> str:
    """A number with its noun.

    >>> count(1, "row"), count(1200, "row"), count(2, "class")
    ('1 row', '1,200 rows', '2 classes')
    """
    return f"{n:,} {thing}" + ("" if n == 1 else "es" if thing.endswith("s") else "s")


def digits(value: float, spread: float) -> str:
    """A number with four digits, and more where they are needed to tell values apart that differ by the spread.

    >>> digits(1.23456, 1.0), digits(1_700_000_123.4, 20.0), digits(0.0, 1.0)
    ('1.235', '1700000123.4', '0')
    """
    further = math.log10(abs(value) / spread) if value and spread > 0 else 0
    return f"{value:.{min(17, 3 + max(1, math.ceil(further)))}g}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a row, cut off where they get many.

    >>> listed(["a", "b", "c"]), listed(list("abcdef"), most=3)
    ('a, b, c', 'a, b, c and 3 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def file_size(n: int) -> str:
    """Bytes in the unit that reads best.

    >>> file_size(512), file_size(1_628_200)
    ('512 B', '1.6 MB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} B"
