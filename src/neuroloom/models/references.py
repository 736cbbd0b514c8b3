"""The reference networks of the table of speeds (`training.speeds`), and how they are measured."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuroloom import config, engines
from neuroloom.layers import LSTM, Conv2D, Dense, Embedding, Flatten, MaxPooling2D
from neuroloom.learning.speeds import Row, Table, device_of, kind_of, work_of
from neuroloom.models.sequential import Sequential

STEPS = 40
"""Steps in an epoch."""

CALL_SECONDS = 0.2
"""How long a measured call of `fit` should take; half as long, calls of `predict` are repeated. In the first 20 ms
after a pause JAX predicts 4,096 samples by 784-512-10 in 16 to 30 ms each, then in 14."""

SECONDS = 2.0
"""How long one network's training is measured on one engine; predicting takes an eighth of that."""

PAUSE = 0.1
"""Seconds before each measurement, in which the threads of the engine before end their active waiting."""

SAMPLES = (1, 256, 4096)
"""How many samples are predicted."""


@dataclass(frozen=True)
class Reference:
    """A network and the shape of its samples; `indices` is the vocabulary where these are token numbers."""

    name: str
    build: Callable[[], list]
    sample: tuple[int, ...]
    batch_size: int
    indices: int = 0
    classes: int = 10

    def samples(self, n: int) -> np.ndarray:
        """n samples at random."""
        rng, shape = config.generator(0, self.name), (n, *self.sample)
        return rng.integers(0, self.indices, shape) if self.indices else rng.random(shape, np.float32)


REFERENCES = (
    Reference("tiny", lambda: [Dense(8, "tanh"), Dense(2, "softmax")], (2,), 16, classes=2),
    Reference("deep", lambda: [*(Dense(64, "relu") for _ in range(20)), Dense(10, "softmax")], (64,), 32),
    Reference("mnist mlp", lambda: [Dense(512, "relu"), Dense(10, "softmax")], (784,), 128),
    Reference("wide", lambda: [Dense(2048, "relu"), Dense(2048, "relu"), Dense(10, "softmax")], (1024,), 128),
    Reference("digits cnn", lambda: [Conv2D(16, 3, activation="relu"), Flatten(), Dense(10, "softmax")], (8, 8, 1), 32),
    Reference(
        "mnist cnn",
        lambda: [
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(10, "softmax"),
        ],
        (28, 28, 1),
        128,
    ),
    Reference("small lstm", lambda: [LSTM(16), Dense(10, "softmax")], (20, 8), 32),
    Reference("lstm", lambda: [LSTM(128), Dense(60, "softmax")], (40, 60), 128, classes=60),
    Reference("review lstm", lambda: [Embedding(10000, 32), LSTM(32), Dense(2, "softmax")], (80,), 128, 10000, 2),
    Reference("text lstm", lambda: [Embedding(5000, 64), LSTM(64), Dense(2, "softmax")], (100,), 32, 5000, 2),
)


def measure(tell: Callable[[Row], object] = lambda row: None) -> Table:
    """Measure each reference on each installed engine: training, and predicting.

    Training is left out on an engine that is there for being exact: nobody chooses it for its speed.

    The engines take turns, so that what slows the machine slows all of them; times are medians.

    Args:
        tell: is given each row as soon as it is measured.
    """
    here = [engines.load(name) for name in engines.dispatch.names() if engines.dispatch.installed(name)]
    rows = []
    for reference in REFERENCES:
        trained = {engine.name: _Trained(reference, engine.name) for engine in here if not engine.reference}
        network = next(iter(trained.values())).model.network
        work, kind = work_of(network), kind_of(network)
        steps = _medians({name: one.step_seconds for name, one in trained.items()}, SECONDS)
        size = reference.batch_size
        rows.append(Row(reference.name, kind, work * size, steps, "train", size))
        tell(rows[-1])
        for n in SAMPLES:
            calls = _medians({engine.name: _predicting(reference, engine.name, n) for engine in here}, SECONDS / 8)
            rows.append(Row(reference.name, kind, work * n, calls, "predict", n))
            tell(rows[-1])
    return Table(machine(), device_of(here[0]), tuple(rows))


def machine() -> str:
    """This machine in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def _medians(measured: dict[str, Callable[[], float]], seconds: float) -> dict[str, float]:
    """The median milliseconds of each, asked in turns for so many seconds each, three times at least."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    started = time.perf_counter()
    while time.perf_counter() - started < seconds * len(measured) or min(map(len, times.values())) < 3:
        for name, once in measured.items():
            time.sleep(PAUSE)
            times[name].append(once())
    return {name: round(1e3 * statistics.median(values), 5) for name, values in times.items()}


def _predicting(reference: Reference, engine: str, n: int) -> Callable[[], float]:
    """A function that gives the time of predicting n samples."""
    x = reference.samples(n)
    model = Sequential(reference.build())

    def seconds() -> float:
        model.predict(x, engine=engine)  # compiles; threads of the engine before, which wait actively, end
        calls, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < CALL_SECONDS / 2 or not calls:
            model.predict(x, engine=engine)
            calls += 1
        return spent / calls

    return seconds


class _Trained:
    """A reference on an engine, compiled, with the number of epochs that a measured call has."""

    def __init__(self, reference: Reference, engine: str) -> None:
        self.x = reference.samples(reference.batch_size * STEPS)
        self.y = config.generator(0, reference.name, "y").integers(0, reference.classes, len(self.x))
        self.batch_size, self.engine, self.epochs = reference.batch_size, engine, 1
        self.model = Sequential(reference.build())
        self.model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.step_seconds()  # compiles
        self.epochs = max(1, int(CALL_SECONDS / STEPS / self.step_seconds()))

    def step_seconds(self) -> float:
        """The time of a training step, in a call long enough that what a call costs weighs little."""
        started = time.perf_counter()
        self.model.fit(self.x, self.y, batch_size=self.batch_size, epochs=self.epochs, verbose=0, engine=self.engine)
        return (time.perf_counter() - started) / (self.epochs * STEPS)
