"""The course of a training: epochs, validation, callbacks, and what to do at a loss that is not finite."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neuroloom.engines import Engine
from neuroloom.errors import NonFiniteError
from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.feed import ArrayFeed, Feed
from neuroloom.learning.loop import Chunk, Runner
from neuroloom.typing import Key, Tree

Logs = dict[str, float]

REMEDIES = {
    True: "Try a smaller learning rate, clipnorm=1.0 in the optimizer, or scaled inputs.",
    False: "Look for a square root, a power or a logarithm at 0 in the loss, or try a smaller learning rate.",
}
"""What to try, by whether the loss itself is not finite."""


@dataclass
class Trainer:
    """One training of one model.

    Attributes:
        keep: puts the state's weights into the model; called after every chunk.
        enter: what to do with the state before each chunk: what callbacks have changed in the model enters it.
        next_epoch: the number by which the feed knows the epoch that begins.
        validate: the validation's logs, or None.
        explain: what to say about a batch, and the state after its step, where that or the loss is not finite.
        frequency: validate every so many epochs, or after those of these numbers, from 1.
        failed: whether the training ended at such a step.
    """

    engine: Engine
    runner: Runner
    columns: list[str]
    feed: Feed
    key: Key
    callbacks: CallbackList
    keep: Callable[[Tree], None]
    enter: Callable[[Tree], Tree]
    next_epoch: Callable[[], int]
    metrics: Tree
    validate: Callable[[], Logs] | None
    explain: Callable[[Tree, Tree], str]
    stopped: Callable[[], bool]
    frequency: int | tuple[int, ...] = 1
    failed: bool = False

    def run(self, state: Tree, epochs: range) -> None:
        """Train for the given epochs."""
        logs: Logs = {}
        with self.callbacks as callbacks:
            callbacks.on_train_begin()
            for epoch in epochs:
                callbacks.on_epoch_begin(epoch)
                state, logs = self._epoch(state, epoch, last=epoch == epochs[-1])
                if self.validate is not None and self._validates(epoch + 1):
                    logs = {**logs, **{f"val_{name}": value for name, value in self.validate().items()}}
                callbacks.on_epoch_end(epoch, logs)
                if self.stopped() or self.failed:
                    break
            callbacks.on_train_end(logs)

    def _validates(self, number: int) -> bool:
        every = self.frequency
        return number in every if isinstance(every, tuple) else number % every == 0

    def _epoch(self, state: Tree, epoch: int, last: bool) -> tuple[Tree, Logs]:
        state = self._begun(state)
        logs: Logs = {}
        before = 0
        for state, chunk in self._chunks(state, last):  # noqa: B020  (the loop starts from it and gives the next)
            self.keep(state)
            self._tell_steps(chunk.rows, before)
            logs = dict(zip(self.columns, chunk.rows[-1].tolist(), strict=True))
            if chunk.failed is not None:
                self.failed = True
                self._not_finite(chunk, epoch, before + len(chunk.rows))
                break
            self.callbacks.on_chunk_end(chunk.done, logs)
            before = chunk.done
            if self.callbacks.between_steps and self.stopped():
                break
        return state, logs

    def _begun(self, state: Tree) -> Tree:
        """The state as an epoch begins: with metrics of no data."""
        return {**state, "metrics": self.metrics}

    def _chunks(self, state: Tree, last: bool) -> Iterator[tuple[Tree, Chunk]]:
        number, one_by_one = self.next_epoch(), self.callbacks.between_steps

        def meanwhile() -> None:
            if not last:
                self.feed.prepare(number + 1)

        resident = isinstance(self.feed, ArrayFeed) and self.feed.resident
        following = self._begun if resident and not last else None
        return self.runner.epoch(state, {}, self.feed, number, self.key, one_by_one, self.enter, meanwhile, following)

    def _tell_steps(self, rows: np.ndarray, first: int) -> None:
        if not self.callbacks.wants_batches:
            return
        for i, row in enumerate(rows.tolist(), first):
            self.callbacks.on_train_batch_begin(i)
            self.callbacks.on_train_batch_end(i, dict(zip(self.columns, row, strict=True)))

    def _not_finite(self, chunk: Chunk, epoch: int, step: int) -> None:
        """Raise, or where a callback wants a quiet end say what no log shows: a finite loss without a finite step."""
        last = len(chunk.rows) - 1
        lost, raises = not np.isfinite(chunk.rows[last, 0]), self.callbacks.nan_action == "raise"
        if lost and not raises:
            return
        what = "The loss is not finite" if lost else "The loss is finite, but not what follows from it,"
        message = (
            f"{what} at step {step} of epoch {epoch + 1}. {self.explain(chunk.batch(last), chunk.failed)} "
            f"The weights are those before this step. {REMEDIES[lost]}"
        )
        if raises:
            raise NonFiniteError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
