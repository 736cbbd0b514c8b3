"""Outputs of a network for many rows: one compiled program, called on pieces of good size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from neuroloom import tree
from neuroloom.engines import Engine
from neuroloom.layers import Context, Network
from neuroloom.layers.base import Weights
from neuroloom.training.feed import row_bytes
from neuroloom.training.loop import program
from neuroloom.training.rows import Check
from neuroloom.training.speeds import kind_of
from neuroloom.training.step import inputs_of
from neuroloom.typing import Array, Function, Tree

PIECE_BYTES = 8 << 20
"""About how large the widest array between two layers is in one call: what is worked on should stay in the processor's
cache. Half of it where layers hold more inside, convolutions and recurrent ones. 100,000 samples by 784-512-10 took
407 ms so and 430 with half of it; 5,000 sequences of 40 by an LSTM of 128 would take 421 instead of 329, and 1,024
images by convolutions take 100 ms in pieces of 64, 280 in one."""

LEAST = 32
"""Rows that are never cut into pieces."""


class _Key:
    """The key of a network's program. Making a signature takes longer than running a small network."""

    def __init__(self, network: Network) -> None:
        self.signature = "predict", network.signature()
        self.number = hash(self.signature)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Key) and self.signature == other.signature


_keys: WeakKeyDictionary[Network, _Key] = WeakKeyDictionary()


def predict(engine: Engine, network: Network, inputs: list[np.ndarray], check: Check, batch_size: int | None) -> Tree:
    """NumPy arrays in the structure of the network's outputs.

    `check` looks at a piece of the inputs before its turn, while the device computes the one before.
    """
    key = _keys.get(network) or _keys.setdefault(network, _Key(network))
    forward = program(engine, key, lambda: _forward(network.clone())).run
    arrays = network.arrays(engine)
    n = inputs[0].shape[0]
    size = batch_size or (n if n <= LEAST else _piece(network, inputs))

    def begun(start: int, n: int) -> Tree:
        check(start, start + n)
        return _begun(engine, forward, arrays, inputs, start, n)

    if n <= size:
        return tree.map(lambda whole: np.array(engine.to_numpy(whole)[:n]), begun(0, n))
    pieces = (begun(i, min(size, n - i)) for i in range(0, n, size))
    parts = [tree.map(engine.to_numpy, outputs) for outputs in _one_behind(pieces)]
    return tree.map(lambda *pieces: np.concatenate(pieces)[:n], *parts)


def _forward(network: Network) -> Function:
    return lambda arrays, x: network.call(Weights(arrays), inputs_of(network, x), Context())


def _piece(network: Network, inputs: list[np.ndarray]) -> int:
    """Rows per call: a power of two from LEAST to 16,384, by the widest array between two layers."""
    between = [4 * math.prod(n for n in node.shape[1:] if n) for node in network.order]
    fitting = (PIECE_BYTES if kind_of(network) == "dense" else PIECE_BYTES // 2) // max(1, row_bytes(inputs), *between)
    return max(LEAST, min(16384, 1 << fitting.bit_length() >> 1))


def _begun(engine: Engine, forward: Any, arrays: Tree, inputs: list[np.ndarray], start: int, n: int) -> Tree:
    """The outputs of n rows, on their way. Compiled engines get, and give, a power of two of them: few programs."""
    length = 1 << (n - 1).bit_length() if engine.compiles else n

    def cut(a: np.ndarray) -> Array:
        part = a[start : start + n]
        if n < length:
            part = np.concatenate([part, np.repeat(part[-1:], length - n, 0)])
        return part if engine.compiles else engine.asarray(part)  # a program takes it faster than the engine places it

    return forward(arrays, [cut(a) for a in inputs])


def _one_behind(items: Iterable[Any]) -> Iterator[Any]:
    """Each item once the next one exists: the device computes one while the last one's results are fetched."""
    items = iter(items)
    last = next(items)
    for item in items:
        yield last
        last = item
    yield last
