"""Many models and what became of them: a table, a picture, the best one."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import plots
from neuroloom.calls import friendly_methods
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.learning.callbacks import Callback, EarlyStopping
from neuroloom.learning.callbacks.monitor import direction
from neuroloom.learning.history import format_number, frame
from neuroloom.models.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12
"""Most models that are printed one by one."""


@friendly_methods
class Members(Sequence[Model]):
    """Models side by side: a sequence of them, their table and picture, the best one.

    Attributes:
        models: the models; each has its `history`.
        settings: for each model what distinguishes it, such as {"learning_rate": 0.1}.
        monitor: the name of the value by which models are compared; None: "val_loss", without validation "loss".
        callbacks: for each model its own copies of the callbacks of the last training.
    """

    def __init__(
        self,
        models: Sequence[Model],
        settings: Sequence[dict[str, Any]] | None = None,
        monitor: str | None = None,
    ) -> None:
        self.models = list(models)
        self.settings = [{} for _ in self.models] if settings is None else list(settings)
        self.monitor = monitor
        self.callbacks: list[list[Callback]] = [[] for _ in self.models]

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, i: Any) -> Any:
        """A model, or for a slice several of them in an object of this class."""
        if not isinstance(i, slice):
            return self.models[self._place(i)]
        part = type(self)(self.models[i], self.settings[i], self.monitor)
        part.callbacks = self.callbacks[i]
        return part

    def _place(self, i: Any) -> int:
        """A model's number; IndexError, as Python's sequences raise it, for one that there is not."""
        n = len(self)
        if isinstance(i, bool) or not isinstance(i, int | np.integer):
            raise ConfigurationError(f"Expected the number of a model, from 0 to {n - 1}, received {i!r}.")
        if not -n <= i < n:
            raise IndexError(f"There are {n} models, with numbers from 0 to {n - 1}, received {i}.")
        return int(i)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    # -------------------------------------------------------------------------------------------------- values

    @property
    def histories(self) -> list[dict[str, list[float]]]:
        """The `history.history` of each model; empty before it was trained."""
        return [{} if model.history is None else model.history.history for model in self.models]

    @property
    def monitored(self) -> str:
        """The name of the value by which models are compared."""
        names = dict.fromkeys(name for history in self.histories for name in history)
        if not names:
            raise ConfigurationError("The population was not trained yet: call fit(x, y) first.")
        if self.monitor is None:
            return "val_loss" if "val_loss" in names else "loss"
        if self.monitor not in names:
            raise ConfigurationError(f"The histories have no value {self.monitor!r}. {nearest(self.monitor, names)}")
        return self.monitor

    def value(self, i: int) -> float:
        """The monitored value of model i in the epoch that its weights are from; NaN if it diverged."""
        values = self.histories[i].get(self.monitored, [])
        return values[self.epoch(i)] if values else math.nan

    def epoch(self, i: int) -> int:
        """The epoch, from 0, that the weights of model i are from: the last, or the one that was restored."""
        restored = [c for c in self.callbacks[i] if isinstance(c, EarlyStopping) and c.best_weights is not None]
        return restored[0].best_epoch if restored else len(self.histories[i].get("loss", [])) - 1

    @property
    def ranking(self) -> list[int]:
        """The numbers of the models, the best first, those without a finite value last."""
        falls = falling(self.monitored)
        values = [self.value(i) for i in range(len(self))]
        keys = [(v if falls else -v) if math.isfinite(v) else math.inf for v in values]
        return sorted(range(len(self)), key=lambda i: keys[i])

    @property
    def best(self) -> Model:
        """The model with the best monitored value."""
        return self.models[self.ranking[0]]

    def predict(self, x: Any, **options: Any) -> np.ndarray:
        """The outputs of all models, (models, samples, ...); options as for `Model.predict`."""
        return np.stack([model.predict(x, **options) for model in self.models])

    # ------------------------------------------------------------------------------------------------- showing

    def columns(self) -> dict[str, list[Any]]:
        """The table by columns: number of the model, what distinguishes it, epochs, values."""
        settings = dict.fromkeys(name for one in self.settings for name in one)
        logs = dict.fromkeys(name for history in self.histories for name in history)
        n = range(len(self))
        found: dict[str, list[Any]] = {"model": list(n)}
        found |= {name: [one.get(name) for one in self.settings] for name in settings}
        if logs:
            found["epochs"] = [len(history.get("loss", [])) for history in self.histories]
        return found | {name: [self._at_kept(i, name) for i in n] for name in logs}

    def _at_kept(self, i: int, name: str) -> float:
        values = self.histories[i].get(name, [])
        return values[self.epoch(i)] if values else math.nan

    def frame(self) -> Any:
        """The table as a data frame (pandas, else polars): a row per model."""
        return frame(self.columns(), "Population")

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """The learning curves of all models, the best one's in bold; with `path`, also as a file."""
        figure = plots.population(self.histories, self.ranking[0])
        if path is not None:
            figure.savefig(path, dpi=200)
        return figure

    def __repr__(self) -> str:
        return f"<{self._title()}>\n" + text_table(self._shown())

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._title())}</p>" + html_table(self._shown())

    def _title(self) -> str:
        count = f"Population of {len(self)} model{'s' * (len(self) != 1)}"
        if not any(self.histories):
            return f"{count}, not trained"
        best = self.ranking[0]
        return f"{count}: best {self.monitored} {format_number(self.value(best))}, model {best}"

    def _shown(self) -> dict[str, list[str]]:
        """The table as text: all of a small population, of a large one the best."""
        columns = self.columns()
        some = list(range(len(self)))
        if len(self) > SHOWN:
            some = self.ranking[:SHOWN] if any(self.histories) else some[:SHOWN]
        cells = text_cells({name: [values[i] for i in some] for name, values in columns.items()})
        if len(self) > SHOWN:
            cells = {name: [*values, "…"] for name, values in cells.items()}
        return cells


def falling(name: str) -> bool:
    """Whether smaller values of this name are better.

    Raises:
        ConfigurationError: the name does not tell.
    """
    way = direction(name)
    if way is None:
        raise ConfigurationError(
            f"The name {name!r} does not tell whether smaller or larger is better. Monitor a loss or a metric such as "
            f"'accuracy', or give the metric a name that ends in 'score' or in 'error'."
        )
    return way == "min"


def cell(value: Any) -> str:
    """A value as tables show it.

    >>> cell(0.25), cell(None), cell(3)
    ('0.2500', '', '3')
    """
    if value is None:
        return ""
    return format_number(float(value)) if isinstance(value, float | np.floating) else str(value)


def text_cells(columns: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Columns of values as columns of text."""
    return {name: [cell(value) for value in values] for name, values in columns.items()}


def text_table(columns: dict[str, list[str]]) -> str:
    """Columns of text, aligned.

    >>> print(text_table({"model": ["0", "10"], "loss": ["0.5", "0.25"]}))
    model  loss
        0   0.5
       10  0.25
    """
    widths = {name: max(map(len, [name, *values])) for name, values in columns.items()}
    lines = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths.values(), strict=True)) for line in lines)


def html_table(columns: dict[str, list[str]]) -> str:
    """The same for notebooks."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    rows = ("".join(f"<td>{html.escape(c)}</td>" for c in row) for row in zip(*columns.values(), strict=True))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
