"""Networks described by small classes that belong to no library, and the weights that all peers start from.

Weights are in the layout of Keras: dense (inputs, units), convolution (height, width, channels, filters), LSTM gates
in the order i, f, c, o; for each layer kernel, recurrent kernel, bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
class Embedding:
    """A learned vector for each of so many words; takes whole numbers."""

    words: int
    units: int

    def shape(self, x: Shape) -> Shape:
        return (*x, self.units)

    def weights(self, x: Shape, rng: np.random.Generator) -> list[np.ndarray]:
        return [rng.uniform(-0.05, 0.05, (self.words, self.units)).astype(np.float32)]


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


Layer = Dense | Conv | MaxPool | Flatten | Embedding | LSTM
Network = tuple[Layer, ...]


def shapes(network: Network, x: Shape) -> list[Shape]:
    """What each layer is given, and last what the network gives; `x` is the shape of one sample.

    >>> shapes((Conv(32), MaxPool(), Flatten(), Dense(10)), (28, 28, 1))
    [(28, 28, 1), (26, 26, 32), (13, 13, 32), (5408,), (10,)]
    """
    found = [x]
    for layer in network:
        found.append(layer.shape(found[-1]))
    return found


def first_weights(network: Network, x: Shape, seed: int = 0) -> Weights:
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
