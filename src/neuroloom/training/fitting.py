"""The course of a training: epochs, validation, callbacks, and what to do at a loss that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom.engines import Engine
from neuroloom.errors import NonFiniteError
from neuroloom.training.callbacks import CallbackList
from neuroloom.training.feed import Feed
from neuroloom.training.loop import Chunk, Runner
from neuroloom.typing import Key, Tree

Logs = dict[str, float]


@dataclass
class Course:
    """One training of one model.

    Attributes:
        keep: puts the state's weights into the model; called after every chunk.
        rate: the learning rate to use from the next chunk on.
        validate: the validation's logs, or None.
        explain: what to say about a step whose loss was not finite, from the state and the feed's epoch and step.
    """

    engine: Engine
    runner: Runner
    columns: list[str]
    feed: Feed
    key: Key
    callbacks: CallbackList
    keep: Callable[[Tree], None]
    rate: Callable[[], float]
    fresh_metrics: Callable[[], Tree]
    validate: Callable[[], Logs] | None
    explain: Callable[[Tree, int, int], str]
    stopped: Callable[[], bool]

    def run(self, state: Tree, epochs: range, shuffle_from: int) -> None:
        """Train for the given epochs; `shuffle_from` numbers the first one's shuffle."""
        logs: Logs = {}
        with self.callbacks as callbacks:
            callbacks.on_train_begin()
            for epoch in epochs:
                callbacks.on_epoch_begin(epoch)
                number = shuffle_from + epoch - epochs.start
                state, logs, finite = self._epoch(state, number, epoch)
                if self.validate is not None and finite:
                    logs = {**logs, **{f"val_{name}": value for name, value in self.validate().items()}}
                callbacks.on_epoch_end(epoch, logs)
                if self.stopped() or not finite:
                    break
            callbacks.on_train_end(logs)

    def _epoch(self, state: Tree, number: int, epoch: int) -> tuple[Tree, Logs, bool]:
        state = {**state, "metrics": self.fresh_metrics()}
        logs: Logs = {}
        before = 0
        for state, chunk in self._chunks(state, number):
            self.keep(state)
            bad = ~np.isfinite(chunk.rows[:, 0])
            rows = chunk.rows[: int(np.argmax(bad)) + 1] if bad.any() else chunk.rows
            self._tell_steps(rows, before)
            logs = dict(zip(self.columns, rows[-1].tolist(), strict=True))
            if bad.any():
                self._not_finite(state, epoch, number, before + len(rows) - 1)
                return state, logs, False
            self.callbacks.on_chunk_end(chunk.done, logs)
            before = chunk.done
            if self.callbacks.between_steps and self.stopped():
                break
        return state, logs, True

    def _chunks(self, state: Tree, number: int) -> Iterator[tuple[Tree, Chunk]]:
        def before(state: Tree) -> Tree:
            return {**state, "learning_rate": self.engine.scalar(self.rate())}

        return self.runner.epoch(state, {}, self.feed, number, self.key, self.callbacks.between_steps, before)

    def _tell_steps(self, rows: np.ndarray, first: int) -> None:
        if not self.callbacks.wants_batches:
            return
        for i, row in enumerate(rows.tolist(), first):
            self.callbacks.on_train_batch_begin(i)
            self.callbacks.on_train_batch_end(i, dict(zip(self.columns, row, strict=True)))

    def _not_finite(self, state: Tree, epoch: int, number: int, step: int) -> None:
        if self.callbacks.nan_action == "raise":
            raise NonFiniteError(
                f"The loss is not finite at step {step + 1} of epoch {epoch + 1}. {self.explain(state, number, step)} "
                f"The weights are those before this step. Try a smaller learning rate, clipnorm=1.0 in the optimizer, "
                f"or scaled inputs."
            )
