"""Random numbers inside compiled programs that are equal on every engine.

A number is a function of a key and a counter and of nothing else (pcg3d: Jarzynski and Olano, "Hash Functions for
GPU Rendering", JCGT 9(3), 2020), in 32-bit whole numbers, which all engines multiply and shift alike. The initial
values of weights are drawn on the host instead, by `config.generator`.

    key = draws.key(seed, "order")              # on the host, once
    order = draws.permutation(draws.fold_in(key, epoch), n)     # inside a learning rule
"""

from __future__ import annotations

import math

import numpy as np

from neuroloom import config, engines, ops
from neuroloom.typing import Array, Key


def key(seed: int, *stream: int | str) -> np.ndarray:
    """The key of one purpose: two int32 words, drawn on the host."""
    return config.generator(seed, *stream).integers(-(2**31), 2**31, 2, dtype=np.int32)


def fold_in(key: Key, number: Array | int) -> Key:
    """Another key, from a key and a whole number, such as that of the epoch."""
    counter = key[:1] * 0 + number
    return ops.concat(_hash(counter, key[:1], key[1:])[1:], axis=0)


def bits(key: Key, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Two arrays of random int32 words."""
    counter = ops.reshape(engines.of(key).arange(math.prod(shape)), shape)
    where = (1,) * max(len(shape), 1)
    low, high, _ = _hash(counter, ops.reshape(key[:1], where), ops.reshape(key[1:], where))
    return low, high


def uniform(key: Key, shape: tuple[int, ...]) -> Array:
    """Numbers from [0, 1): the multiples of 2⁻²⁴, each as likely as the others."""
    return _unit(bits(key, shape)[0])


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Numbers from N(0, 1), by Box and Muller's formula; none lies beyond 5.8."""
    first, second = bits(key, shape)
    return ops.sqrt(-2 * ops.log(1 - _unit(first))) * ops.cos(2 * math.pi * _unit(second))


def integers(key: Key, shape: tuple[int, ...], high: int) -> Array:
    """Whole numbers from 0 to high - 1 (at most 2²⁴), as int32."""
    return ops.cast(ops.floor(uniform(key, shape) * high), "int32")


def permutation(key: Key, n: int) -> Array:
    """0 to n - 1 in random order, as int32."""
    return ops.cast(ops.argsort(bits(key, (n,))[0]), "int32")


def permutations(key: np.ndarray, numbers: np.ndarray, n: int) -> np.ndarray:
    """`permutation(fold_in(key, i), n)` for each of the numbers, a row each, on the host."""
    _, first, second = _hash(numbers[:, None], key[:1], key[1:])
    return np.argsort(_hash(np.arange(n, dtype=np.int32), first, second)[0], axis=1)


def _unit(words: Array) -> Array:
    return ops.cast(_shifted(words, 8), "float32") * 2.0**-24


def _hash(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """pcg3d: a one-to-one map of three words."""
    x, y, z = (v * 1664525 + 1013904223 for v in (x, y, z))
    x, y, z = _mixed(x, y, z)
    x, y, z = (v ^ _shifted(v, 16) for v in (x, y, z))
    return _mixed(x, y, z)


def _mixed(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    x = x + y * z
    y = y + z * x
    z = z + x * y
    return x, y, z


def _shifted(words: Array, by: int) -> Array:
    """Shifted right with zeros, although int32 has a sign."""
    return (words >> by) & ((1 << (32 - by)) - 1)


def truncated(key: Key, shape: tuple[int, ...]) -> Array:
    """Numbers from N(0, 1) that lie within ±2: the first of eight draws that does (else, once in 10¹⁰, 0)."""
    value = None
    for attempt in range(8):
        drawn = normal(fold_in(key, attempt), shape)
        value = (
            ops.where(ops.abs(drawn) <= 2, drawn, 0.0)
            if value is None
            else ops.where((value == 0) & (ops.abs(drawn) <= 2), drawn, value)
        )
    return value
