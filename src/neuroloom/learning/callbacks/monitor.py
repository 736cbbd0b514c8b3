"""Watching one value of the logs: is it better than before?"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np

from neuroloom.config import Choice, Flag, Integer, Number, Text
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.learning.callbacks.base import Callback, Logs, State, expect

Mode = Literal["auto", "min", "max"]

RISING = {"acc", "accuracy", "auc", "f1", "iou", "precision", "r2", "recall", "score", "similarity"}
FALLING = {
    "crossentropy",
    "divergence",
    "error",
    "hinge",
    "loss",
    "mae",
    "mape",
    "mse",
    "msle",
    "perplexity",
    "rmse",
}
NONNEGATIVE = Number(0, math.inf, open_high=True, expects="a number of at least 0")
FINITE = Number(-math.inf, math.inf, open_low=True, open_high=True, expects="a number")


def direction(name: str) -> Literal["min", "max"] | None:
    """Whether a value of this name should fall or rise; None if the name does not tell.

    >>> direction("val_loss"), direction("sparse_categorical_accuracy"), direction("auc_1"), direction("energy")
    ('min', 'max', 'max', None)
    """
    for word in reversed(re.split(r"_+", name.lower())):  # an output called "score" has the loss "score_loss"
        if word in RISING:
            return "max"
        if word in FALLING:
            return "min"
    return None


class Monitor(Callback):
    """Base of callbacks that act when one value of the logs gets better, or no longer does.

    A value is better if it beats the best one so far by more than `min_delta`; NaN and infinity never are.

    Args:
        monitor: name of the value, such as "val_loss".
        mode: "min" if smaller is better, "max" if larger is; "auto" goes by the name.
        min_delta: by how much a value must be better.

    Raises:
        ConfigurationError: a wrong argument, or a name that does not tell the direction; later, at the end of an
            epoch, logs without the value.
    """

    def __init__(self, monitor: str, mode: Mode, min_delta: float) -> None:
        self.monitor: str = expect(self, "monitor", Text(), monitor)
        self.mode: Mode = expect(self, "mode", Choice("auto", "min", "max"), mode)
        self.min_delta: float = expect(self, "min_delta", NONNEGATIVE, min_delta)
        self.best: float | None = None
        which = direction(self.monitor) if self.mode == "auto" else self.mode
        if which is None:
            raise ConfigurationError(
                f"{type(self).__name__} cannot tell from the name {self.monitor!r} whether smaller or larger is "
                f"better. Give mode='min' or mode='max', or mend the name."
            )
        self.falls = which == "min"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None

    def value(self, logs: Logs | None) -> float | None:
        """The monitored value; None in an epoch without validation, to which it belongs.

        Raises:
            ConfigurationError: no epoch has a value of that name; the message suggests the nearest.
        """
        logs = logs or {}
        if self.monitor in logs:
            return float(logs[self.monitor])
        later = [name for name in getattr(self, "params", {}).get("metrics", ()) if name.startswith("val_")]
        if self.monitor in later:
            return None
        known = dict.fromkeys([*logs, *later])
        validate = self.monitor.startswith("val_") and not any(name.startswith("val_") for name in known)
        hint = "Give fit validation_data or validation_split." if validate else nearest(self.monitor, known)
        raise ConfigurationError(
            f"{type(self).__name__} monitors {self.monitor!r}, but the logs hold "
            f"{', '.join(known) or 'nothing'}. {hint}"
        )

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another by more than `min_delta`; any finite value beats None."""
        if not math.isfinite(value) or than is None:
            return math.isfinite(value)
        return value + self.min_delta < than if self.falls else value - self.min_delta > than


class EarlyStopping(Monitor):
    """End training when a value has not improved for `patience` epochs.

    The weights are those of the last epoch unless `restore_best_weights` is set; then those of the best epoch are
    put back at the end of training, whether it was stopped or not.

    Args:
        monitor, min_delta, mode: see `Monitor`. Here an unknown name is an error, in Keras a warning.
        patience: epochs without improvement after which training ends; 0 is treated as 1.
        verbose: 1 prints when training was stopped and which weights were restored.
        baseline: a value that must be beaten, too, for an epoch to count as an improvement.
        restore_best_weights: whether to put the weights of the best epoch back.
        start_from_epoch: epochs (counted from 0) before this one are not looked at.

    Attributes:
        best: the best value. best_epoch: its epoch, from 0. wait: epochs since the last improvement.
        stopped_epoch: the epoch after which training was stopped, else 0.

    Raises:
        ConfigurationError: a wrong argument; at the end of the first epoch, an unknown `monitor`.

    Source: Prechelt, "Early Stopping - But When?", 1998; arguments as in Keras.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience: int = expect(self, "patience", Integer(0), patience)
        self.verbose = verbose
        self.baseline: float | None = None if baseline is None else expect(self, "baseline", FINITE, baseline)
        self.restore_best_weights: bool = expect(self, "restore_best_weights", Flag(), restore_best_weights)
        self.start_from_epoch: int = expect(self, "start_from_epoch", Integer(0), start_from_epoch)
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.better(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                print(f"Restored the weights of the best epoch: {self.best_epoch + 1}.")

    def get_state(self) -> State:
        weights: dict[str, Any] = {f"best_weights_{i}": w for i, w in enumerate(self.best_weights or ())}
        counters = {name: getattr(self, name) for name in ("best", "best_epoch", "wait", "stopped_epoch")}
        return counters | {"n_weights": len(weights)} | weights

    def set_state(self, state: State) -> None:
        for name in ("best", "best_epoch", "wait", "stopped_epoch"):
            setattr(self, name, state[name])
        self.best_weights = [state[f"best_weights_{i}"] for i in range(state["n_weights"])] or None
