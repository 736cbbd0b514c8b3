"""Numbers on their way into a graph: dtypes by name, and conversions that lose no more than a float's last digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroloom.errors import ConfigurationError, GraphError, nearest

DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "string")

OLD_NAMES = {"float": "float32", "double": "float64", "int": "int32", float: "float32", int: "int32"}


def config_dtype(dtype: Any) -> str | None:
    """The name of a dtype given as a name or as NumPy's.

    Raises:
        ConfigurationError: there is no such dtype.
    """
    if dtype is None:
        return None
    name = OLD_NAMES.get(dtype) or (dtype if isinstance(dtype, str) else np.dtype(dtype).name)
    if name not in DTYPES:
        raise ConfigurationError(f"Unknown dtype {name!r}. {nearest(name, DTYPES)}")
    return name


def numbers(value: Any, dtype: str | None, what: str) -> np.ndarray:
    """A copy of numbers as an array: what is done to `value` afterwards does not count.

    Args:
        dtype: by default that of an array; float32 for Python's numbers with a point, and int32 for whole ones, or
            int64 where one needs it.
        what: begins the message of an error, such as "constant expected int32".

    Raises:
        GraphError: no numbers, or numbers that the dtype cannot hold.
    """
    try:
        array = np.array(value)
    except ValueError as error:
        raise GraphError(f"{what}, received {type(value).__name__}: {error}.") from None
    if array.dtype.kind not in "fiub":
        raise GraphError(f"{what}, received {type(value).__name__}, which is no array of numbers of at most 64 bits.")
    if dtype is None and not isinstance(value, np.ndarray | np.generic):
        dtype = python_dtype(array)
    return converted(array, dtype or array.dtype.name, what)


def python_dtype(array: np.ndarray) -> str:
    """The dtype that Python's numbers get."""
    if array.dtype.kind != "i":
        return {"float64": "float32"}.get(array.dtype.name, array.dtype.name)
    limits = np.iinfo(np.int32)
    fits = not array.size or (array.min() >= limits.min and array.max() <= limits.max)
    return "int32" if fits else "int64"


def converted(array: np.ndarray, dtype: str, what: str) -> np.ndarray:
    """The array in a dtype and in this machine's order of bytes; itself if it is that already.

    Raises:
        GraphError: fractions for whole numbers, or numbers beyond the dtype's range.
    """
    if array.dtype.name == dtype:  # whatever the order of its bytes
        return array.astype(dtype, copy=False)
    wanted = np.dtype(dtype)
    if array.dtype.kind not in "fiub" or (array.dtype.kind == "f" and wanted.kind != "f"):
        raise GraphError(f"{what}, received {array.dtype.name}. Convert it with np.asarray(value, {dtype!r}).")
    with np.errstate(over="ignore"):
        new = array.astype(wanted)
    if wanted.kind == "f" and wanted.itemsize > array.itemsize:
        return new
    kept = np.isfinite(new) | ~np.isfinite(array) if wanted.kind == "f" else new == array
    if not kept.all():
        worst = array[~kept].flat[0] if array.ndim else array
        raise GraphError(f"{what}, received {worst}, which does not fit it. Use a wider dtype.")
    return new
