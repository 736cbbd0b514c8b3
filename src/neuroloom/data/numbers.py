"""The numbers that engines take: of native byte order, and none changed in silence.

Inputs become float32, to which every number is rounded, whole ones too; whole numbers for which int32 has room, and
small ones (8 and 16 bits, booleans), stay whole until they are on the device. A number beyond the range of float32, or
of a network's input of whole numbers, is an error, never infinity or another number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from neuroloom.engines import dispatch

LARGEST = np.finfo(np.float32).max
"""As a float32, to which half precision is widened in comparisons."""

CHUNK = 1 << 22
"""Values of a memory map that are looked at together."""

_INT32 = np.iinfo(np.int32)


class Mapped:
    """A memory map whose numbers come out in another dtype; they are read where an index of rows asks for them.

    A slice of it is another one, unread; `np.asarray` reads it.
    """

    def __init__(self, source: np.ndarray, dtype: DTypeLike) -> None:
        self.source, self.dtype = source, np.dtype(dtype)
        self.shape, self.ndim = source.shape, source.ndim

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers once they are read."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Any) -> Any:
        part = self.source[rows]
        return Mapped(part, self.dtype) if isinstance(rows, slice) else cast(part, self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(cast(self.source, self.dtype), dtype, copy=copy)


def foreign(x: Any) -> Any:
    """An engine's array as a NumPy array, without its gradient; anything else as it is."""
    engine = dispatch.of_type(type(x))
    return x if engine is None else engine.to_numpy(x)


def native(array: np.ndarray) -> np.ndarray:
    """`array` in this machine's byte order; numbers that NumPy itself does not have, such as bfloat16, as float32, and
    Python's as NumPy's."""
    if array.dtype.kind == "O":
        plain = np.array(array.tolist()) if all(isinstance(one, float | int) for one in array.flat) else array
        return plain if plain.dtype.kind in "biuf" else array
    if array.dtype.kind == "V" and np.can_cast(array.dtype, np.float32):
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def width(array: np.ndarray, dtype: DTypeLike) -> np.dtype:
    """The dtype that inputs have: small whole numbers their own, int32 where all fit, else `dtype`."""
    if array.dtype.kind == "f":
        return np.dtype(dtype)
    if array.dtype.itemsize < 4 or array.dtype == np.int32:
        return array.dtype.newbyteorder("=")
    whole = not isinstance(array, np.memmap) and _fits_int32(array)  # a map stays unread
    return np.dtype(np.int32 if whole else dtype)


def cast(array: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """`array` in a dtype.

    Raises:
        FloatingPointError: a number is beyond the range of the floating-point `dtype`.
    """
    with np.errstate(over="raise"):
        return array.astype(dtype, copy=False)


def taken(array: np.ndarray, dtype: DTypeLike) -> Any:
    """`array` in a dtype: a copy if need be, of a memory map one that is made when its rows are read."""
    if array.dtype == dtype:
        return array
    return Mapped(array, dtype) if isinstance(array, np.memmap) else cast(array, dtype)


def chunks(array: Any, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """(number of its first row, rows) of some rows, in pieces of about CHUNK values."""
    stop = len(array) if stop is None else min(stop, len(array))
    rows = max(1, CHUNK // max(1, math.prod(array.shape[1:])))
    for first in range(start, stop, rows):
        yield first, array[first : min(first + rows, stop)]


def _fits_int32(array: np.ndarray) -> bool:
    return not array.size or (array.min() >= _INT32.min and array.max() <= _INT32.max)
