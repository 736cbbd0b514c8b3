"""What a person sees of a training: a live bar on a terminal, a small page in a notebook, lines in a log file.

What it must satisfy: its numbers are those of the history; it draws at most ten times a second, without a thread;
it never hides the cursor, so no end of the program, however sudden, leaves a terminal without one.
"""

from __future__ import annotations

import html
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from neuroloom.config import Check
from neuroloom.learning.callbacks import Callback
from neuroloom.learning.callbacks.base import Logs, expect
from neuroloom.learning.history import format_logs

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SECONDS_BETWEEN_DRAWINGS = 0.1
NOTEBOOK_ROWS = 10
BAR_WIDTH = 24

Verbose = Literal["auto", 0, 1, 2]


class _Verbosity(Check):
    expects = "'auto', 0, 1 or 2"

    def __call__(self, value: Any) -> Verbose:
        if value != "auto" and (not isinstance(value, int) or value not in (0, 1, 2)):
            raise self.refuse()
        return value if value == "auto" else int(value)  # type: ignore[return-value]


@dataclass
class Moment:
    """Where a training stands: what every way of showing it shows.

    Attributes:
        epoch: from 0. epochs: of the training. step: steps done in the epoch. steps: in an epoch, None if unknown.
        seconds: since the epoch began. logs: running values, at the end of the epoch its results.
    """

    epoch: int
    epochs: int
    steps: int | None
    step: int = 0
    seconds: float = 0.0
    logs: Logs = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"Epoch {self.epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"

    @property
    def count(self) -> str:
        return f"{self.step}" if self.steps is None else f"{self.step:>{len(str(self.steps))}}/{self.steps}"

    @property
    def pace(self) -> str:
        """Time per step, as "1.2 ms/step"."""
        seconds = self.seconds / max(self.step, 1)
        scale, unit = (1, "s") if seconds >= 1 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
        return f"{seconds * scale:.3g} {unit}/step"

    @property
    def left(self) -> str:
        """Time left in the epoch, as "0:12 left"."""
        if self.steps is None or not self.step:
            return ""
        return f"{clock(self.seconds / self.step * (self.steps - self.step))} left"

    def line(self) -> str:
        """The finished epoch on one line."""
        return f"{self.title}  {clock(self.seconds)}  {self.pace}  {format_logs(self.logs)}"


def clock(seconds: float) -> str:
    """A duration as people write it.

    >>> clock(0.25), clock(75), clock(3675)
    ('0.2 s', '1:15', '1:01:15')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Screen(Protocol):
    """A place that shows a training."""

    def running(self, now: Moment) -> None:
        """Show an epoch in progress; called at most ten times a second."""

    def finished(self, now: Moment) -> None:
        """Show the result of an epoch."""

    def close(self) -> None:
        """Leave the place clean, with all that was shown."""


class Progress(Callback):
    """Shows the training while it runs.

    Args:
        verbose: 0 shows nothing; 1 a live bar on a terminal or in a notebook (lines, where the output is a file);
            2 one line per epoch; "auto" is 1. On a terminal, epochs shorter than 0.1 s share a line.
        console: the rich console to draw on; None is standard output.

    Raises:
        ConfigurationError: `verbose` is none of these.
    """

    def __init__(self, verbose: Verbose = "auto", console: Console | None = None) -> None:
        self.verbose: Verbose = expect(self, "verbose", _Verbosity(), verbose)
        self.console = console
        self.screen: Screen | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.close()
        self.screen = _screen(self.verbose, self.console)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.now = Moment(epoch, self.params["epochs"], self.params.get("steps"))
        self.began = self.drawn = time.perf_counter()

    def on_chunk_end(self, step: int, logs: Logs | None = None) -> None:
        time_now = time.perf_counter()
        self.now.step = step
        if self.screen is not None and time_now - self.drawn >= SECONDS_BETWEEN_DRAWINGS:
            self.drawn = time_now
            self.now.seconds, self.now.logs = time_now - self.began, logs or {}
            self.screen.running(self.now)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.screen is not None:
            self.now.seconds, self.now.logs = time.perf_counter() - self.began, dict(logs or {})
            self.screen.finished(self.now)

    def close(self) -> None:
        if self.screen is not None:
            self.screen.close()
            self.screen = None


# ------------------------------------------------------------------------------------------------ where to show


def _screen(verbose: Verbose, console: Console | None) -> Screen | None:
    if verbose == 0:
        return None
    if verbose == 2:
        return Lines()
    if console is None and _in_notebook():
        return Notebook()
    if console is None:
        if not sys.stdout.isatty():
            return Lines()
        from rich.console import Console

        console = Console()
    return Terminal(console) if console.is_terminal else Lines()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this program; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Lines:
    """One line per epoch on standard output."""

    def running(self, now: Moment) -> None:
        pass

    def finished(self, now: Moment) -> None:
        print(now.line(), flush=True)

    def close(self) -> None:
        pass


class Terminal:
    """The epoch in progress as a live bar; above it, a line for each finished epoch."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.live.start()
        console.show_cursor(True)
        self.printed = -SECONDS_BETWEEN_DRAWINGS
        self.unprinted: Moment | None = None

    def running(self, now: Moment) -> None:
        self.live.update(_bar(now, self.console.width), refresh=True)

    def finished(self, now: Moment) -> None:
        self.unprinted = now
        if time.perf_counter() - self.printed >= SECONDS_BETWEEN_DRAWINGS:  # `close` prints what was left out
            self._print()

    def _print(self) -> None:
        if self.unprinted is not None:
            self.live.update("", refresh=True)  # else the print below draws the old bar again
            self.console.print(self.unprinted.line(), highlight=False, markup=False)
            self.unprinted, self.printed = None, time.perf_counter()

    def close(self) -> None:
        try:
            self._print()
        finally:
            self.live.stop()


def _bar(now: Moment, width: int) -> RenderableType:
    """One row; on a narrow terminal the logs stand in a second one."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = f"{now.count}  {now.left}  {now.pace}" if now.left else f"{now.count}  {now.pace}"
    logs = Text(format_logs(now.logs))
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(no_wrap=True)
    fits = len(now.title) + BAR_WIDTH + len(head) + len(logs) + 6 < width
    bar = ProgressBar(total=now.steps, completed=now.step, width=BAR_WIDTH, pulse=now.steps is None)
    table.add_row(now.title, bar, head, logs if fits else "")
    return table if fits else Group(table, Text("  ") + logs)


class Notebook:
    """A bar and the last epochs as a table, in one output cell that is replaced in place."""

    def __init__(self) -> None:
        self.rows: deque[str] = deque(maxlen=NOTEBOOK_ROWS)
        self.handle: Any = None
        self.shown = -SECONDS_BETWEEN_DRAWINGS
        self.last: Moment | None = None

    def running(self, now: Moment) -> None:
        self._show(now, bar=True)

    def finished(self, now: Moment) -> None:
        self.rows.append(now.line())
        self.last = now
        if time.perf_counter() - self.shown >= SECONDS_BETWEEN_DRAWINGS:
            self._show(now, bar=False)

    def close(self) -> None:
        if self.last is not None:
            self._show(self.last, bar=False)

    def _show(self, now: Moment, bar: bool) -> None:
        lines = list(self.rows)
        text = "\n".join(lines)
        page = f'<pre style="margin:0">{html.escape(text)}</pre>' + (_html_bar(now) if bar else "")
        bundle = {"text/html": page, "text/plain": text}
        if self.handle is None:
            self.handle = sys.modules["IPython"].display.display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)
        self.shown = time.perf_counter()


def _html_bar(now: Moment) -> str:
    value = "" if now.steps is None else f' value="{now.step}" max="{now.steps}"'
    text = "  ".join(part for part in (now.count, now.left, now.pace, format_logs(now.logs)) if part)
    return (
        f'<pre style="margin:0">{now.title}  <progress{value} style="width:12em;vertical-align:middle"></progress>  '
        f"{html.escape(text)}</pre>"
    )
