"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom.config import Integer, Number
from neuroloom.errors import ConfigurationError
from neuroloom.learning.callbacks.base import Callback, Logs, State, expect
from neuroloom.learning.callbacks.monitor import NONNEGATIVE, Mode, Monitor

FACTOR = Number(0, 1, open_low=True, open_high=True, expects="a number between 0 and 1")


class LearningRateScheduler(Callback):
    """Set the learning rate of every epoch by a function, and log it as "learning_rate".

    Args:
        schedule: `schedule(epoch)` or `schedule(epoch, learning_rate)`, the first epoch being 0; returns the
            learning rate of this epoch.
        verbose: 1 prints the learning rate of every epoch.

    Raises:
        ConfigurationError: `schedule` cannot be called so, or returns anything but a finite number of at least 0.

    >>> halved = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        if not callable(schedule):
            raise ConfigurationError(
                f"LearningRateScheduler expected a function of the epoch, or of the epoch and the learning rate, "
                f"received {schedule!r}."
            )
        self.schedule, self.verbose = schedule, verbose
        self.takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.schedule(epoch, self.model.learning_rate) if self.takes_rate else self.schedule(epoch)
        self.model.learning_rate = expect(self, "schedule's result", NONNEGATIVE, _number(rate))
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {self.model.learning_rate:.6g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.learning_rate)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except (TypeError, ValueError):  # ValueError: a function of C that has no signature
        return False
    return True


def _number(value: Any) -> Any:
    """A scalar array of any engine as a Python number; other values as they are."""
    return value.item() if getattr(value, "shape", None) == () else value


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` when a value has not improved for `patience` epochs.

    The learning rate of every epoch is logged as "learning_rate".

    Args:
        monitor, mode, min_delta: see `Monitor`.
        factor: new learning rate / old one, between 0 and 1.
        patience: epochs without improvement after which the learning rate is reduced.
        verbose: 1 prints every reduction.
        cooldown: epochs after a reduction that count neither for nor against.
        min_lr: the learning rate is not made smaller than this.

    Attributes:
        best: the best value. wait: epochs since the last improvement or reduction.
        cooldown_counter: epochs of cooldown that are left.

    Raises:
        ConfigurationError: a wrong argument; at the end of the first epoch, an unknown `monitor`.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor: float = expect(self, "factor", FACTOR, factor)
        self.patience: int = expect(self, "patience", Integer(0), patience)
        self.verbose = verbose
        self.cooldown: int = expect(self, "cooldown", Integer(0), cooldown)
        self.min_lr: float = expect(self, "min_lr", NONNEGATIVE, min_lr)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.learning_rate)
        value = self.value(logs)
        if value is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.learning_rate)
        if old <= np.float32(self.min_lr):  # the model may hold its rate in 32 bits
            return
        self.model.learning_rate = max(old * self.factor, self.min_lr)
        self.wait, self.cooldown_counter = 0, self.cooldown
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate reduced to {self.model.learning_rate:.6g}")

    def get_state(self) -> State:
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: State) -> None:
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]
