"""One training of several models of equal structure, as one program.

What each model hears, records and ends up with is what it would have had alone. On a processor the members are dealt
out to its cores, where they have enough to do: each core runs the program for its shard of them.
"""

from __future__ import annotations

import contextvars
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom.engines import Engine
from neuroloom.learning import CallbackList, Progress
from neuroloom.learning.loop import Chunk
from neuroloom.learning.speeds import device_of, kind_of, work_of
from neuroloom.models.model import Model
from neuroloom.populations.shard import Data, Logs, Shard

SHARD = 2
"""Fewest members for which a core of their own pays."""

WORTH_SHARING = 16_000_000
"""Multiplications in a forward pass of all members through an epoch from which more than one core pays; recurrent
networks, which take many small ones, pay with fewer. Measured on 2 cores: 64 networks 2-8-1, in batches of 16, take
1.9 times as long on both in epochs of 64 steps (1.6 million), 1.1 in those of 256, 0.8 in those of 1,024."""


@dataclass(frozen=True)
class Terms:
    """What all members share in a training."""

    engine: Engine
    batch_size: int
    epochs: int
    shuffle: bool
    verbose: int | str


class Together:
    """A training of models of equal structure.

    Args:
        told: of each model its callbacks, the last of them its History.
        data, held_out: what each trains on, and is validated on after each epoch.
    """

    def __init__(
        self, terms: Terms, models: Sequence[Model], told: Sequence[CallbackList], data: Data, held_out: Data | None
    ) -> None:
        self.terms, self.models, self.told = terms, models, told
        self.listening = any(len(callbacks.callbacks) > 1 for callbacks in told)  # to more than the history
        engine = terms.engine
        data, held_out = data.on(engine), held_out and held_out.on(engine)
        parts = [part.tolist() for part in np.array_split(np.arange(len(models)), _shards(terms, models, data))]
        self.shards = [
            Shard(
                engine,
                [models[i] for i in part],
                terms.batch_size,
                terms.shuffle,
                data.of(part),
                held_out and held_out.of(part),
                terms.epochs,
            )
            for part in parts
        ]
        self.learning = np.ones(len(models), bool)
        self.begun = np.zeros(len(models), int)  # epochs that the models have not been told of yet
        self.failed = np.zeros(len(models), bool)  # who ended at a step that is not finite

    def run(self) -> None:
        """Train; weights, optimizer states and histories end up in the models, also when it is interrupted."""
        with ExitStack() as closing:
            for callbacks in self.told:
                closing.enter_context(callbacks)
                callbacks.on_train_begin()
            try:
                self._train()
            finally:
                self._hand_out(slots=True)
            for callbacks, logs in zip(self.told, self.logs, strict=True):
                callbacks.on_train_end(logs)
        self._say_failed()

    def _say_failed(self) -> None:
        """A loss that is not finite shows in the history; a gradient does not."""
        silent = [i for i in np.flatnonzero(self.failed).tolist() if math.isfinite(self.logs[i]["loss"])]
        if silent:
            warnings.warn(
                f"Training ended early for {len(silent)} of {len(self.models)} models of one structure, at a step "
                f"whose loss is finite, but whose gradient or new weights are not. They have the weights before "
                f"this step. fit one of them alone to see which weight it is.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _train(self) -> None:
        progress = Progress(self.terms.verbose)  # type: ignore[arg-type]
        with CallbackList(progress, None, self._params()) as shown, ThreadPoolExecutor(len(self.shards)) as self.pool:
            shown.on_train_begin()
            self._epochs(shown)

    def _params(self) -> dict[str, Any]:
        return {"epochs": self.terms.epochs, "steps": self.shards[0].feed.steps, "verbose": self.terms.verbose}

    def _epochs(self, shown: CallbackList) -> None:
        self.logs: list[Logs] = [{} for _ in self.models]
        for epoch in range(self.terms.epochs):
            shown.on_epoch_begin(epoch)
            for i in np.flatnonzero(self.learning).tolist():
                self.told[i].on_epoch_begin(epoch)
            self.begun += self.learning
            for chunk, logs in self._chunks(epoch):
                shown.on_chunk_end(chunk.done, logs)
            finite = self._tell(epoch)
            shown.on_epoch_end(epoch, self._mean_logs())
            self.failed |= ~finite
            self.learning &= finite & [not model.stop_training for model in self.models]
            if not self.learning.any():
                break

    def _chunks(self, epoch: int) -> Iterator[tuple[Chunk, Logs]]:
        """Run the epoch in all shards; gives what the first one reports meanwhile."""
        at = 0
        live = []
        for shard in self.shards:
            shard.enter(self.learning[at : at + len(shard.models)])
            live += [shard] if shard.learning.any() else []
            at += len(shard.models)
        first, *others = live
        running = [self.pool.submit(contextvars.copy_context().run, shard.run, epoch) for shard in others]
        try:
            yield from first.epoch(epoch)
            for one in running:
                one.result()
        except BaseException:
            for shard in others:
                shard.halted = True
            raise

    def _tell(self, epoch: int) -> np.ndarray:
        """Each member's logs for its callbacks; which members' losses are finite."""
        if self.listening:
            self._hand_out(slots=False)
        logs = [one for shard in self.shards for one in shard.logs]
        for i in np.flatnonzero(self.learning).tolist():
            self.logs[i] = logs[i]
            self.told[i].on_epoch_end(epoch, logs[i])
        return np.concatenate([shard.finite for shard in self.shards])

    def _mean_logs(self) -> Logs:
        """What the progress shows: means over the members that learn and have finite values."""
        names = list(self.logs[0])
        values = np.array([[logs[name] for name in names] for logs in self.logs])[self.learning]
        good = values[np.isfinite(values).all(axis=1)]
        return dict(zip(names, good.mean(axis=0).tolist() if len(good) else [math.nan] * len(names), strict=True))

    def _hand_out(self, slots: bool) -> None:
        for i in np.flatnonzero(self.begun).tolist():
            self.models[i]._count_epochs(int(self.begun[i]))
        self.begun[:] = 0
        for shard in self.shards:
            shard.hand_out(slots)


def _shards(terms: Terms, models: Sequence[Model], data: Data) -> int:
    """How many programs train them: one for each core of a processor, if that pays; other devices do all at once."""
    network = models[0].network
    little = data.samples() * work_of(network) < WORTH_SHARING and kind_of(network) != "recurrent"
    if little or device_of(terms.engine) != "cpu":
        return 1
    return max(1, min(os.cpu_count() or 1, len(models) // SHARD))
