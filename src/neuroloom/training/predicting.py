"""Outputs of a network for many rows: one compiled program, called on pieces of good size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.engines import Engine
from neuroloom.layers import Context, Network
from neuroloom.layers.base import Weights
from neuroloom.training.feed import row_bytes
from neuroloom.training.loop import program
from neuroloom.training.step import inputs_of
from neuroloom.typing import Array, Function, Tree

PIECE_BYTES = 16 << 20
"""About how much data one call gets."""


def predict(engine: Engine, network: Network, inputs: list[np.ndarray], batch_size: int | None) -> Tree:
    """NumPy arrays in the structure of the network's outputs."""
    forward = program(engine, ("predict", network.signature()), lambda: _forward(network.clone())).run
    arrays = network.arrays(engine)
    n, size = inputs[0].shape[0], batch_size or _piece(inputs)
    parts = [_outputs(engine, forward, arrays, inputs, i, min(size, n - i)) for i in range(0, n, size)]
    return parts[0] if len(parts) == 1 else tree.map(lambda *pieces: np.concatenate(pieces), *parts)


def _forward(network: Network) -> Function:
    return lambda arrays, x: network.call(Weights(arrays), inputs_of(network, x), Context())


def _piece(inputs: list[np.ndarray]) -> int:
    """Rows per call: a power of two from 32 to 16,384, about PIECE_BYTES of inputs."""
    fitting = PIECE_BYTES // max(1, row_bytes(inputs))
    return 1 << min(14, max(5, int(math.log2(max(1, fitting)))))


def _outputs(engine: Engine, forward: Any, arrays: Tree, inputs: list[np.ndarray], start: int, n: int) -> Tree:
    """The outputs of n rows. Compiled engines get a power of two of them, so that few programs are made."""
    length = 1 << (n - 1).bit_length() if engine.compiles else n

    def cut(a: np.ndarray) -> Array:
        part = a[start : start + n]
        return engine.asarray(part if n == length else np.concatenate([part, np.repeat(part[-1:], length - n, 0)]))

    outputs = forward(arrays, [cut(a) for a in inputs])
    return tree.map(lambda o: np.array(engine.to_numpy(o)[:n]), outputs)
