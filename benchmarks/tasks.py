"""What is done with a row's network, and which number comes of it. Tasks run in a peer's process.

`ready` does what comes before the first measurement and gives (seconds of the first call, once); each `once()` gives
the numbers of one measurement. Less is better in all of them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from benchmarks.peers import Bench

Once = Callable[[], dict[str, float]]
"""A measurement: 'value', and what else the task says."""


class Ready(NamedTuple):
    """The seconds of the first call, which holds compilation, and the measurement."""

    first: float
    once: Once


def seconds(act: Callable[..., Any], *args: Any) -> float:
    """How long the call took."""
    started = time.perf_counter()
    act(*args)
    return time.perf_counter() - started


PATIENCE = 0.6
"""Seconds of training (or predicting) in a measurement: more epochs of a fast peer than of a slow one, for all peers
the same stretch of time."""


def fitting(act: Callable[[int], Any]) -> Callable[[], int]:
    """How many epochs (or calls) of `act(epochs)`, at least one, a measurement has; found when it is first asked.

    By then no other peer gets ready. It goes by the time of a further epoch: what a call takes however many epochs it
    has may be longer than one.
    """

    @functools.cache
    def count() -> int:
        n, took = 1, seconds(act, 1)
        while took < PATIENCE / 4:
            n *= 2
            took = seconds(act, n)
        if took >= 2 * PATIENCE:
            return n
        further = (seconds(act, 2 * n) - took) / n
        return max(1, int(PATIENCE / max(further, took / n / 8)))

    return count


@dataclass(frozen=True)
class Train:
    """Milliseconds per step of a call that trains for some epochs; others come before."""

    unit = "ms / step"

    def ready(self, bench: Bench) -> Ready:
        run = bench.run()
        first, epochs = seconds(run.train, 1), fitting(run.train)
        return Ready(first, lambda: {"value": 1000 * seconds(run.train, epochs()) / (epochs() * bench.steps)})


@dataclass(frozen=True)
class Predict:
    """Milliseconds per call of predicting so many samples."""

    samples: int
    unit = "ms / call"

    def ready(self, bench: Bench) -> Ready:
        run, x = bench.run(), bench.x[: self.samples]
        first = seconds(run.predict, x)

        def calls(n: int) -> None:
            for _ in range(n):
                run.predict(x)

        count = fitting(calls)
        return Ready(first, lambda: {"value": 1000 * seconds(calls, count()) / count()})


@dataclass(frozen=True)
class Many:
    """Milliseconds per step of so many networks trained together, and of one trained alone ('one')."""

    members: int
    unit = "ms / step of all"

    def ready(self, bench: Bench) -> Ready:
        together, alone = bench.many(self.members), bench.run().train
        first = seconds(together, 1)
        alone(1)
        many, one = fitting(together), fitting(alone)

        def once() -> dict[str, float]:
            return {
                "value": 1000 * seconds(together, many()) / (many() * bench.steps),
                "one": 1000 * seconds(alone, one()) / (one() * bench.steps),
            }

        return Ready(first, once)


@dataclass(frozen=True)
class Reach:
    """Seconds of training until the held-out last samples are right at this rate; compilation came before."""

    accuracy: float
    held_out: int
    most_epochs: int = 40
    unit = "s"

    def ready(self, bench: Bench) -> Ready:
        x, y = bench.x[-self.held_out :], bench.y[-self.held_out :]
        bench.x, bench.y = bench.x[: -self.held_out], bench.y[: -self.held_out]

        def once() -> dict[str, float]:
            run, spent = bench.run(), 0.0
            for _ in range(self.most_epochs):
                spent += seconds(run.train, 1)
                if np.mean(run.predict(x).argmax(1) == y) >= self.accuracy:
                    return {"value": spent}
            raise RuntimeError(f"{self.accuracy} was not reached in {self.most_epochs} epochs.")

        return Ready(seconds(bench.run().train, 1), once)


@dataclass(frozen=True)
class Start:
    """Seconds from the start of Python to the end of the first epoch, in a process that finds no compiled program.

    Beside it 'second', the same in the next process, which finds what the first has kept; 'import_s'; 'peak_mb'.
    `measure.starts` does it: every measurement needs processes of its own.
    """

    unit = "s"

    def ready(self, bench: Bench) -> Ready:
        return Ready(seconds(bench.run().train, 1), dict)


Task = Train | Predict | Many | Reach | Start
