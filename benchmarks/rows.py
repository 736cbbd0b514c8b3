"""The programs that are measured. A new row is one entry in ROWS; every peer understands it.

A network is described by the small classes here, which belong to no library. The weights that all peers start from
are drawn here too, in the layout of Keras: dense (inputs, units), convolution (height, width, channels, filters),
LSTM gates in the order i, f, c, o; for each layer kernel, recurrent kernel, bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import data
from benchmarks.data import Data

Shape = tuple[int, ...]
Weights = list[list[np.ndarray]]
"""For each layer its arrays."""


@dataclass(frozen=True)
class Dense:
    """Neurons, each connected to all inputs."""

    units: int
    activation: str = "linear"

    def shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.units)

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        return [glorot(rng, (x[-1], self.units)), zeros(self.units)]


@dataclass(frozen=True)
class Conv:
    """A bank of square filters, not padded."""

    filters: int
    size: int = 3
    activation: str = "relu"

    def shape(self, x: Shape) -> Shape:
        return (x[0] - self.size + 1, x[1] - self.size + 1, self.filters)

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        return [glorot(rng, (self.size, self.size, x[2], self.filters)), zeros(self.filters)]


@dataclass(frozen=True)
class MaxPool:
    """The largest value in each square window; windows do not overlap."""

    size: int = 2

    def shape(self, x: Shape) -> Shape:
        return (x[0] // self.size, x[1] // self.size, x[2])

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        return []


@dataclass(frozen=True)
class Flatten:
    """All axes in one."""

    def shape(self, x: Shape) -> Shape:
        return (math.prod(x),)

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        return []


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory; gives its last output."""

    units: int

    def shape(self, x: Shape) -> Shape:
        return (self.units,)

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        bias = zeros(4 * self.units)
        bias[self.units : 2 * self.units] = 1  # remembers until it learns otherwise
        return [glorot(rng, (x[1], 4 * self.units)), glorot(rng, (self.units, 4 * self.units)), bias]


Layer = Dense | Conv | MaxPool | Flatten | LSTM


@dataclass(frozen=True)
class Optimizer:
    """Keras's optimizer of this class name, with its other defaults."""

    name: str
    learning_rate: float = 0.001


@dataclass(frozen=True)
class Row:
    """One program.

    Attributes:
        network: its layers; the last one's activation goes with the loss.
        loss: 'binary_crossentropy' of targets (samples, 1) or 'sparse_categorical_crossentropy' of labels (samples,).
        metric: as `compile(metrics=[metric])` takes it.
        epochs: in one timed call, so that what a call costs beside its epochs weighs as in a usual training.
        quick_epochs: the same with --quick.
    """

    name: str
    data: Callable[[], Data]
    network: tuple[Layer, ...]
    batch_size: int
    optimizer: Optimizer
    loss: str
    metric: str = "accuracy"
    epochs: int = 1
    quick_epochs: int = 1

    def steps(self, samples: int) -> int:
        """Steps in an epoch."""
        return math.ceil(samples / self.batch_size)


def shapes(network: tuple[Layer, ...], x: Shape) -> list[Shape]:
    """What each layer is given, and last what the network gives; `x` is the shape of one sample.

    >>> shapes((Conv(32), MaxPool(), Flatten(), Dense(10)), (28, 28, 1))
    [(28, 28, 1), (26, 26, 32), (13, 13, 32), (5408,), (10,)]
    """
    found = [x]
    for layer in network:
        found.append(layer.shape(found[-1]))
    return found


def first_weights(network: tuple[Layer, ...], x: Shape, seed: int = 0) -> Weights:
    """The weights that every peer starts from."""
    rng = np.random.default_rng(seed)
    return [layer.weights(given, rng) for layer, given in zip(network, shapes(network, x)[:-1], strict=True)]


def glorot(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Uniform within ±√(6 / (fan in + fan out))."""
    window = math.prod(shape[:-2])
    limit = math.sqrt(6 / (window * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, np.float32)


ROWS = {
    row.name: row
    for row in (
        Row(
            "tiny",
            data=partial(data.quadrants, 4096),
            network=(Dense(8, "tanh"), Dense(1, "sigmoid")),
            batch_size=16,
            optimizer=Optimizer("Adam"),
            loss="binary_crossentropy",
            epochs=20,
            quick_epochs=20,
        ),
        Row(
            "mlp",
            data=partial(data.mnist, 60000, flat=True),
            network=(Dense(512, "relu"), Dense(10, "softmax")),
            batch_size=128,
            optimizer=Optimizer("RMSprop"),
            loss="sparse_categorical_crossentropy",
            epochs=5,
        ),
        Row(
            "cnn",
            data=partial(data.mnist, 5120),
            network=(Conv(32), MaxPool(), Conv(64), MaxPool(), Flatten(), Dense(10, "softmax")),
            batch_size=128,
            optimizer=Optimizer("Adam"),
            loss="sparse_categorical_crossentropy",
        ),
        Row(
            "lstm",
            data=partial(data.sequences, 7680, length=40, symbols=60),
            network=(LSTM(128), Dense(60, "softmax")),
            batch_size=128,
            optimizer=Optimizer("RMSprop", learning_rate=0.01),
            loss="sparse_categorical_crossentropy",
        ),
        Row(
            "imdb",
            data=partial(data.imdb, 15000, words=10000),
            network=(Dense(16, "relu"), Dense(16, "relu"), Dense(1, "sigmoid")),
            batch_size=512,
            optimizer=Optimizer("RMSprop"),
            loss="binary_crossentropy",
            epochs=4,
            quick_epochs=4,
        ),
    )
}
