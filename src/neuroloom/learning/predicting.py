"""Outputs of a network for many rows: one compiled program, called on pieces of good size."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from neuroloom import tree
from neuroloom.engines import Engine
from neuroloom.layers import Network, Run
from neuroloom.layers.parts import copied, signature_of
from neuroloom.learning.feed import row_bytes
from neuroloom.learning.loop import program
from neuroloom.learning.rows import Check
from neuroloom.learning.speeds import device_of, measures
from neuroloom.learning.supervised import inputs_of
from neuroloom.typing import Array, Function, Tree

PIECE_BYTES = 8 << 20
"""About how large the widest array between two layers is in one call: what is worked on should stay in the processor's
cache. Half of it where layers hold more inside, convolutions and recurrent ones. 100,000 samples by 784-512-10 took
407 ms so and 430 with half of it; 5,000 sequences of 40 by an LSTM of 128 would take 421 instead of 329, and 1,024
images by convolutions take 100 ms in pieces of 64, 280 in one."""

LEAST = 32
"""Rows that are never cut into pieces."""

SMALL = 1 << 24
"""Multiplications up to which the way into each operation is a good part of an eager engine's call."""

MANY = 32
"""Calls that are worth it to record the first one and to compute two twice: 100,000 samples by 784-512-10 took 346 ms
on PyTorch, and 324 recorded."""

TAPE_BYTES = 1 << 28
"""How much memory the first of many calls may take for all that it computes: a tape keeps it to the end."""


class _Key:
    """The key of a network's program: one object for all networks of equal structure, compared by identity.

    Making a signature, or comparing two, takes longer than running a small network.
    """


_keys: WeakValueDictionary[Any, _Key] = WeakValueDictionary()


def _key(network: Network) -> _Key:
    return _keys.setdefault(("predict", signature_of(network)), _Key())


def predict(engine: Engine, network: Network, inputs: list[np.ndarray], check: Check, batch_size: int | None) -> Tree:
    """NumPy arrays in the structure of the network's outputs.

    `check` looks at a piece of the inputs before its turn, while the device computes the one before.
    """
    n = inputs[0].shape[0]
    size = batch_size or (n if n <= LEAST else _piece(network, inputs))
    forward = _program(engine, network, n, size)

    def begun(start: int, n: int) -> Tree:
        check(start, start + n, engine.inner)
        return forward(_parts(engine, inputs, start, n))

    if n <= size:
        return tree.map(lambda whole: np.array(engine.to_numpy(whole)[:n]), begun(0, n))
    pieces = (begun(i, min(size, n - i)) for i in range(0, n, size))
    parts = [tree.map(engine.to_numpy, outputs) for outputs in _one_behind(pieces)]
    return tree.map(lambda *pieces: np.concatenate(pieces)[:n], *parts)


def _program(engine: Engine, network: Network, n: int, size: int) -> Function:
    """The network's outputs, on their way, for pieces of n rows: a function of its inputs."""
    key = network.once(_key)
    if engine.traces or device_of(engine) != "cpu" or not _is_to_record(network, n, size):
        run = program(engine, key, lambda: _forward(copied(network, {}))).run
        return functools.partial(run, network.arrays(engine))
    run = program(engine, ("recorded", key), lambda: engine.recorded(_forward(copied(network, {})))).run
    return functools.partial(run, network.stamped_arrays(engine))


def _is_to_record(network: Network, n: int, size: int) -> bool:
    _, work = network.once(measures)
    return min(n, size) * work <= SMALL or (n >= MANY * size and size * sum(network.once(_bytes)) <= TAPE_BYTES)


def _bytes(network: Network) -> list[int]:
    """The size of a sample at each place between two layers."""
    return [4 * math.prod(n for n in node.shape[1:] if n) for node in network.order]


def _forward(network: Network) -> Function:
    return lambda arrays, x: Run().apply(network, arrays, (inputs_of(network, x),))


def _piece(network: Network, inputs: list[np.ndarray]) -> int:
    """Rows per call: a power of two from LEAST to 16,384, by the widest array between two layers."""
    kind, _ = network.once(measures)
    widest = max(1, row_bytes(inputs), *network.once(_bytes))
    fitting = (PIECE_BYTES if kind == "dense" else PIECE_BYTES // 2) // widest
    return max(LEAST, min(16384, 1 << fitting.bit_length() >> 1))


def _parts(engine: Engine, inputs: list[np.ndarray], start: int, n: int) -> list[Array]:
    """n rows of the inputs. Compiled engines get, and give, a power of two of them: few programs."""
    parts: list[Array] = [np.asarray(a[start : start + n]) for a in inputs]
    if not engine.static_shapes:
        return [engine.asarray(part) for part in parts]
    more = (1 << (n - 1).bit_length()) - n
    if more:
        return [np.concatenate([part, np.repeat(part[-1:], more, 0)]) for part in parts]
    return parts  # a program takes them faster than the engine places them


def _one_behind(items: Iterable[Any]) -> Iterator[Any]:
    """Each item once the next one exists: the device computes one while the last one's results are fetched."""
    items = iter(items)
    last = next(items)
    for item in items:
        yield last
        last = item
    yield last
