"""What a training recorded: one number per epoch, loss and metric."""

from __future__ import annotations

import html
import importlib.util
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import plots
from neuroloom.errors import NeuroloomError
from neuroloom.learning.callbacks import Callback
from neuroloom.learning.callbacks.base import Logs, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_ROWS = 12


def format_number(value: float) -> str:
    """A number as the progress bar and the history show it: five digits or so.

    >>> format_number(0.43215), format_number(0.00012345), format_number(1234567.0), format_number(float("nan"))
    ('0.4321', '1.2345e-04', '1.2346e+06', 'nan')
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 or not math.isfinite(value) else f"{value:.4e}"


def format_logs(logs: Logs) -> str:
    """The logs on one line.

    >>> format_logs({"loss": 0.25, "val_loss": 0.5})
    'loss 0.2500  val_loss 0.5000'
    """
    return "  ".join(f"{name} {format_number(value)}" for name, value in logs.items())


def frame(columns: Mapping[str, Sequence[Any]], owner: str) -> Any:
    """Columns as a data frame of pandas, else of polars.

    Raises:
        NeuroloomError: neither library is installed.
    """
    import narwhals as nw

    backend = next((name for name in ("pandas", "polars") if importlib.util.find_spec(name)), None)
    if backend is None:
        raise NeuroloomError(
            f"{owner}.frame expected pandas or polars, found neither. Install one with: pip install pandas"
        )
    return nw.from_dict(columns, backend=backend).to_native()  # type: ignore[arg-type]


class History(Callback):
    """The record that `fit` returns. It holds no reference to the model.

    Attributes:
        history: name -> one number per epoch (NaN in epochs that did not have it), in full precision.
        epoch: the numbers of the epochs, from 0.
        params: "epochs", "steps" and "verbose" of the training.

    >>> history = History()
    >>> history.on_train_begin()
    >>> for epoch, loss in enumerate([0.9, 0.4, 0.5]):
    ...     history.on_epoch_end(epoch, {"loss": loss})
    >>> history.history
    {'loss': [0.9, 0.4, 0.5]}
    >>> history
    <History of 3 epochs: loss 0.5000; lowest loss 0.4000 in epoch 2>
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.on_train_begin()

    def set_model(self, model: Any) -> None:
        """Keep none: a history outlives its model and can be pickled."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for name in logs:
            if name not in self.history:
                self.history[name] = [math.nan] * len(self.epoch)
        for name, values in self.history.items():
            values.append(float(logs.get(name, math.nan)))
        self.epoch.append(epoch)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """The learning curves as a matplotlib Figure; with `path`, also as a file (PNG, SVG or PDF by its ending)."""
        figure = plots.curves(self.history, [epoch + 1 for epoch in self.epoch])
        if path is not None:
            figure.savefig(path, dpi=200)
        return figure

    def frame(self) -> Any:
        """A data frame (pandas, else polars) with a row per epoch: "epoch", from 0, then the logs.

        Raises:
            NeuroloomError: neither library is installed.
        """
        return frame({"epoch": self.epoch, **self.history}, "History")

    def get_state(self) -> State:
        columns = {f"history_{i}": np.asarray(values, np.float64) for i, values in enumerate(self.history.values())}
        return {"epoch": self.epoch.copy(), "names": list(self.history), **columns}

    def set_state(self, state: State) -> None:
        self.epoch = [int(epoch) for epoch in state["epoch"]]
        self.history = {name: state[f"history_{i}"].tolist() for i, name in enumerate(state["names"])}

    def _row(self, i: int) -> Logs:
        return {name: values[i] for name, values in self.history.items()}

    def __repr__(self) -> str:
        if not self.epoch:
            return "<History of 0 epochs>"
        n, best = len(self.epoch), plots.best_epoch(self.history)
        text = f"<History of {n} epoch{'s' * (n > 1)}: {format_logs(self._row(-1))}"
        if best is not None:
            name, i = best
            text += f"; lowest {name} {format_number(self.history[name][i])} in epoch {self.epoch[i] + 1}"
        return f"{text}>"

    def _repr_html_(self) -> str:
        best = plots.best_epoch(self.history)
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("epoch", *self.history))
        rows = [self._html_row(i, bold=best is not None and i == best[1]) for i in range(len(self.epoch))]
        if len(rows) > SHOWN_ROWS:
            half = SHOWN_ROWS // 2
            rows[half:-half] = [f'<tr><td colspan="{1 + len(self.history)}">…</td></tr>']
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def _html_row(self, i: int, bold: bool) -> str:
        cells = [str(self.epoch[i] + 1), *(format_number(value) for value in self._row(i).values())]
        tag = ("<td><b>", "</b></td>") if bold else ("<td>", "</td>")
        return f"<tr>{''.join(cell.join(tag) for cell in cells)}</tr>"
