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
from neuroloom.layers import Layer, Network, Run
from neuroloom.layers.parts import copied, parts_of, signature_of
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
    mixes = n > 1 and network.once(_Rows).are_mixed(engine, inputs)
    size = batch_size or (n if n <= LEAST else LEAST if mixes else _piece(network, inputs))
    forward = _program(engine, network, n, size)

    def begun(start: int, n: int) -> Tree:
        check(start, start + n, engine.inner)
        return forward(_parts(engine, inputs, start, n, padded=engine.static_shapes and not mixes))

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


class _Rows:
    """Whether the output for a row depends on the other rows of its batch, which then is what the user says.

    Our own layers compute row by row, but for those that are told to act as in training. Of classes and operations of
    the user's own it is found out with two rows: whether it matters to the first one what the second one is.
    """

    def __init__(self, network: Network) -> None:
        self.network, self.answer = network, None if _is_unknown(network) else False

    def are_mixed(self, engine: Engine, inputs: list[np.ndarray]) -> bool:
        """The answer; with no row that is not 0, nothing can be found out, and each batch is taken as it is."""
        if self.answer is None:
            rows = range(min(64, inputs[0].shape[0]))
            place = next((i for i in rows if all(np.any(np.asarray(a[i])) for a in inputs)), None)
            if place is None:
                return True
            self.answer = self._asked(engine, [np.asarray(a[place]) for a in inputs])
        return self.answer

    def _asked(self, engine: Engine, row: list[np.ndarray]) -> bool:
        forward = _program(engine, self.network, 2, 2)
        alike, apart = (
            tree.leaves(forward([engine.asarray(np.stack([a, a if same else np.zeros_like(a)])) for a in row]))
            for same in (True, False)
        )
        pairs = [(engine.to_numpy(one)[0], engine.to_numpy(two)[0]) for one, two in zip(alike, apart, strict=True)]
        return not all(np.allclose(one, two, rtol=1e-4, atol=1e-6, equal_nan=True) for one, two in pairs)


def _is_unknown(network: Network) -> bool:
    """Whether something in a network may mix rows: what a user wrote, operations, layers told to act as in training."""
    ours = __name__.partition(".")[0]
    for layer in parts_of(network).paths:
        if not layer._pure or type(layer).__module__.partition(".")[0] != ours:
            return True
        for node in layer.order if isinstance(layer, Network) else ():
            if node.kwargs.get("training") or not (node.call is None or isinstance(node.call, Layer)):
                return True
    return False


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


def _parts(engine: Engine, inputs: list[np.ndarray], start: int, n: int, padded: bool) -> list[Array]:
    """n rows of the inputs. Compiled engines get, and give, a power of two of them: few programs."""
    parts: list[Array] = [np.asarray(a[start : start + n]) for a in inputs]
    if not engine.static_shapes:
        return [engine.asarray(part) for part in parts]
    more = (1 << (n - 1).bit_length()) - n if padded else 0
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
