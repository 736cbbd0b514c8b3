"""Saving the model while it trains."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any, Literal

from neuroloom.config import Check, Flag
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.learning.callbacks.base import Logs, State, check_place, expect, expect_path
from neuroloom.learning.callbacks.monitor import Mode, Monitor


class _Frequency(Check):
    expects = "'epoch' or a positive whole number of steps"

    def __call__(self, value: Any) -> int | Literal["epoch"]:
        if value == "epoch" or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        raise self.refuse()


class ModelCheckpoint(Monitor):
    """Save the model after every epoch, every n steps, or whenever a value is better than ever.

    Args:
        filepath: where to save. `{epoch}` (the first one is 1), `{batch}` (steps done in the epoch; only where
            `save_freq` is a number) and names of the logs are filled in: "run/{epoch:02d}-{val_loss:.2f}".
            Missing folders are made; a file of the same name is replaced.
        monitor, mode: see `Monitor`; they matter where `save_best_only` is set.
        verbose: 1 prints every file saved.
        save_best_only: save only when `monitor` is better than it was at every earlier save.
        save_weights_only: save the weights without the configuration.
        save_freq: "epoch", or the number of steps from one save to the next, counted across epochs; training
            then runs step by step, which is slower.

    Attributes:
        best: the best value so far.

    Raises:
        ConfigurationError: a wrong argument; a name in `filepath` or `monitor` that the logs do not have.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Mode = "auto",
        save_freq: int | Literal["epoch"] = "epoch",
    ) -> None:
        self.save_best_only: bool = expect(self, "save_best_only", Flag(), save_best_only)
        # without save_best_only the direction is of no interest and need not be known
        super().__init__(monitor, mode if save_best_only or mode != "auto" else "min", min_delta=0)
        self.filepath = expect_path(self, "filepath", filepath)
        self.fields = _fields(self.filepath)
        self.verbose = verbose
        self.save_weights_only: bool = expect(self, "save_weights_only", Flag(), save_weights_only)
        self.save_freq = expect(self, "save_freq", _Frequency(), save_freq)
        self.between_steps = self.save_freq != "epoch"
        self.epoch = self.steps = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._check_path()
        self.steps = 0

    def _check_path(self) -> None:
        """Fill the path in as a save will, to see now what would be wrong with it then."""
        known = self.params.get("metrics")
        names = known or [name for name in self.fields if name not in ("epoch", "batch")]
        numbers: dict[str, float] = {**dict.fromkeys(names, 0.5), "learning_rate": 0.5, "epoch": 1}
        numbers |= {} if self.save_freq == "epoch" else {"batch": 1}
        check_place(self, self._path(numbers))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_chunk_end(self, step: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self.steps += 1  # between_steps: every chunk is one step
        if self.steps == self.save_freq:
            self.steps = 0
            self._save(dict(logs or {}), {"epoch": self.epoch + 1, "batch": step})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(dict(logs or {}), {"epoch": epoch + 1})

    def _save(self, logs: Logs, position: dict[str, int]) -> None:
        if self.save_best_only:
            value = self.value(logs)
            if value is None or not self.better(value, self.best):
                return
            self.best = value
        path = self._path({**logs, **position})
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path)
        if self.verbose:
            print(f"Epoch {position['epoch']}: saved {path}")

    def _path(self, values: dict[str, float]) -> str:
        unknown = next((name for name in self.fields if name not in values), None)
        if unknown is not None:
            raise ConfigurationError(
                f"ModelCheckpoint cannot fill {{{unknown}}} in the filepath {self.filepath!r}: there is no such "
                f"value. {nearest(unknown, values)}"
            )
        try:
            return self.filepath.format(**values)
        except ValueError as error:
            raise ConfigurationError(
                f"ModelCheckpoint cannot fill in the filepath {self.filepath!r}: {error}. Write it such as "
                f"'run/{{epoch:02d}}-{{val_loss:.2f}}'."
            ) from None

    def get_state(self) -> State:
        return {"best": self.best, "steps": self.steps, "epoch": self.epoch}

    def set_state(self, state: State) -> None:
        self.best, self.steps, self.epoch = state["best"], state["steps"], state["epoch"]


def _fields(pattern: str) -> list[str]:
    """The names in braces; a malformed pattern is an error."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
        if not all(name.isidentifier() for name in fields):
            raise ValueError("only names can stand in braces")
    except ValueError as error:
        raise ConfigurationError(
            f"ModelCheckpoint expected a filepath such as 'run/{{epoch:02d}}-{{val_loss:.2f}}', "
            f"received {pattern!r} ({error})."
        ) from None
    return fields
