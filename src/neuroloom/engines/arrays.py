"""What engines do with NumPy's arrays on their way to a tensor library, and with indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroloom.errors import DataError


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array without values that begins at a multiple of 64 bytes, where an engine can use it as it lies."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def default_width(x: Any) -> np.ndarray:
    """Python numbers as an array: floats have 32 bits here, on every engine."""
    array = np.asarray(x)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def axes_of(part: Any) -> int:
    """How many axes of an array one part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if "bool" in str(getattr(part, "dtype", "")) else 1


def numbers(array: np.ndarray) -> np.ndarray:
    """The array, if it holds numbers or truths; text, None and other objects are refused."""
    if array.dtype.kind in "OUSmM":
        received = f"{array.flat[0]!r:.60}" if array.size else f"an array of {array.dtype}"
        raise DataError(f"Expected an array of numbers, received {received}. Encode text and dates as numbers first.")
    return array
