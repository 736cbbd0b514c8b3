"""Turns what users hand to `fit` into NumPy arrays: arrays, lists, frames, memory maps, and trees of them.

What it must satisfy: numbers come out unchanged but for the width that the caller asked for (see `numbers`); a memory
map comes out unread; whatever is no array of numbers is refused with the place of the first fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from neuroloom.data import numbers
from neuroloom.data.frames import frame_columns, frame_names, is_frame
from neuroloom.errors import DataError

_SQUARE = float(numbers.LARGEST) ** 2

Inner = Callable[[np.ndarray, np.ndarray], float]


def as_arrays(x: Any, *, name: str = "x", dtype: DTypeLike | None = "float32") -> Any:
    """Turns data into arrays, samples along the first axis.

    Args:
        x: an array, a list of numbers or of rows, a frame or series, anything with `__array__`; or a list or
            tuple of arrays and frames, or a dict of any of these: then every leaf is converted and the tree
            is kept.
        name: what messages call the data.
        dtype: what floating-point numbers become, and integers for which int32 has no room (uint8 and the
            other small ones stay, as do booleans); None leaves them, and memory maps, as they are.

    Returns:
        An array of shape (samples, ...) in this machine's byte order, or a tree of them. A memory map stays
        one, or becomes a `Mapped` where its numbers have another dtype.

    Raises:
        DataError: ragged lists, text, objects, complex numbers or dates, a single number, a column of text, a
            generator, a sparse matrix, a number beyond the range of `dtype`.

    Example:
        >>> as_arrays([[1, 2.5], [3, 4]]).dtype, as_arrays({"a": np.arange(3), "b": [True]})["a"].dtype
        (dtype('float32'), dtype('int32'))
        >>> as_arrays([[1, 2], [3]])
        Traceback (most recent call last):
        neuroloom.errors.DataError: x expected rows of one length, received ragged lists: x[1] has length 1, \
x[0] has length 2. Pad them first.
    """
    if type(x) is np.ndarray:
        return _taken(x, name, dtype, x)
    if isinstance(x, dict):
        return {key: as_arrays(leaf, name=f"{name}[{key!r}]", dtype=dtype) for key, leaf in x.items()}
    if isinstance(x, (list, tuple)) and any(_is_leaf(item) for item in x):
        leaves = [as_arrays(leaf, name=f"{name}[{i}]", dtype=dtype) for i, leaf in enumerate(x)]
        return leaves if isinstance(x, list) else tuple(leaves)
    return _taken(_frame_array(x, name) if is_frame(x) else _array(x, name), name, dtype, x)


def sample_count(**trees: Any) -> int:
    """The number of samples, which all arrays in all trees must share; None is passed over.

    Raises:
        DataError: two arrays differ along the first axis, or there are no samples.

    Example:
        >>> sample_count(x=np.zeros((5, 2)), y=np.zeros(5), sample_weight=None)
        5
    """
    counts = {path: len(leaf) for name, tree in trees.items() for path, leaf in _leaves(tree, name)}
    if len(set(counts.values())) > 1:
        received = ", ".join(f"{path} with {count}" for path, count in counts.items())
        raise DataError(f"Expected the same number of samples everywhere, received {received}.")
    if not counts or not next(iter(counts.values())):
        raise DataError(f"Expected at least one sample, received none in {', '.join(counts) or 'no data'}.")
    return next(iter(counts.values()))


def _surely_finite(array: np.ndarray, inner: Inner) -> bool:
    """Whether the squares have a small sum: it is known in half the time, but those of large numbers do not."""
    return array.dtype.char in "fd" and array.flags.c_contiguous and float(inner(array, array)) < _SQUARE


def check_finite(
    name: str,
    array: np.ndarray,
    columns: list[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    inner: Inner = np.vdot,
) -> None:
    """Makes sure that no number is NaN, infinite, or beyond the range of float32; reads a memory map in chunks.

    Args:
        name: what the message calls the array.
        array: of shape (samples, ...).
        columns: names of the last axis, for the message (`column_names` gives those of a frame).
        start, stop: the rows to look at; None: to the end.
        inner: the inner product of two contiguous arrays.

    Raises:
        DataError: some number is; the message names the first one.

    Example:
        >>> check_finite("x", np.array([[1.0, 2.0], [3.0, np.nan]]), ["age", "height"])
        Traceback (most recent call last):
        neuroloom.errors.DataError: x expected finite numbers, received nan at x[1, 1] (row 1, column \
'height'). Fill such cells in or remove their rows.
    """
    if array.dtype.kind != "f":
        return
    for first, part in numbers.chunks(array, start, stop):
        if array.dtype.isnative and _surely_finite(part, inner):
            continue
        finite = np.abs(part) <= numbers.LARGEST
        if not finite.all():
            index = np.argwhere(~finite)[0]
            index[0] += first
            raise _not_finite(name, array, tuple(int(i) for i in index), columns)


def column_names(x: Any) -> list[str] | None:
    """The names of the columns of a frame or series; None for anything else."""
    return frame_names(x) if is_frame(x) else None


def train_validation_split(arrays: Any, fraction: float) -> tuple[Any, Any]:
    """Cuts the last fraction of the samples off every array of a tree, before any shuffling, as Keras does.

    Args:
        arrays: an array of shape (samples, ...) or a tree of them; None leaves stay None.
        fraction: of the samples that are held out, between 0 and 1.

    Returns:
        `(train, validation)`, trees like `arrays`, of views.

    Raises:
        DataError: the fraction is not between 0 and 1, or leaves one part without samples.

    Example:
        >>> train, validation = train_validation_split({"x": np.arange(5)}, 0.4)
        >>> train["x"].tolist(), validation["x"].tolist()
        ([0, 1, 2], [3, 4])
    """
    samples = sample_count(data=arrays)
    if not 0 < fraction < 1:
        raise DataError(f"validation_split expected a fraction between 0 and 1, received {fraction!r}.")
    cut = int(samples * (1.0 - fraction))
    if not 0 < cut < samples:
        raise DataError(f"validation_split={fraction} leaves one part of {samples} samples empty.")
    return _sliced(arrays, slice(None, cut)), _sliced(arrays, slice(cut, None))


def _is_leaf(item: object) -> bool:
    """Whether an element of a list is an input of its own rather than a row or a number."""
    if isinstance(item, dict) or is_frame(item):
        return True
    return hasattr(item, "__array__") and getattr(item, "ndim", 0) > 0


def _array(x: Any, name: str) -> np.ndarray:
    if isinstance(x, np.memmap):
        return x
    if isinstance(x, Iterator) or hasattr(x, "toarray"):  # a generator, or a sparse matrix of SciPy
        raise _no_array(x, name)
    try:
        return np.asarray(numbers.foreign(x))
    except (ValueError, TypeError, RuntimeError) as error:
        raise _ragged(x, name) or DataError(f"{name} expected an array of numbers: {error}.") from error


def _frame_array(frame: Any, name: str) -> np.ndarray:
    columns = [(column, numbers.native(values)) for column, values in frame_columns(frame)]
    if not columns:
        raise DataError(f"{name} expected a frame with columns, received one without.")
    for column, values in columns:
        _check_numbers(values, f"column {column!r} of {name}")
    is_series = not hasattr(frame, "columns")
    return columns[0][1] if is_series else np.stack([values for _, values in columns], axis=1)


def _taken(array: np.ndarray, name: str, dtype: DTypeLike | None, x: Any) -> Any:
    """An array or memory map made of x, its numbers checked and as wide as they should be."""
    if not isinstance(array, np.memmap):
        array = numbers.native(array)
    _check_numbers(array, name)
    if dtype is None:
        return array if isinstance(array, np.memmap) else array.astype(numbers.width(array, array.dtype), copy=False)
    try:
        return numbers.taken(array, numbers.width(array, dtype))
    except FloatingPointError:
        check_finite(name, array, column_names(x))
        raise


def _check_numbers(array: np.ndarray, name: str) -> None:
    if array.dtype.kind not in "biuf":
        raise _no_numbers(array, name)
    if array.ndim == 0:
        raise DataError(f"{name} expected samples along a first axis, received the single number {array}.")


def _no_numbers(array: np.ndarray, name: str) -> DataError:
    first = next(iter(array.flat), None)
    if array.dtype.kind in "UST" or isinstance(first, str):
        return DataError(
            f"{name} expected numbers, received text (the first: {str(first)!r}). Encode labels first, for "
            f"example `classes, y = np.unique(labels, return_inverse=True)`; for a table of text and numbers "
            f"use TableSchema."
        )
    if array.dtype.kind == "O" and array.ndim:
        return _no_number(array, name)
    if array.dtype.kind == "O":
        return _no_array(first, name)
    return DataError(f"{name} expected numbers, received {array.dtype}. Convert it to float32 first.")


def _no_number(array: np.ndarray, name: str) -> DataError:
    """The first object that is no number, or that is one of more bits than NumPy has."""
    place, value = next(
        (place, value)
        for place, value in np.ndenumerate(array)
        if not isinstance(value, float | int | np.number) or (isinstance(value, int) and not -(2**63) <= value < 2**64)
    )
    where = f"{name}[{', '.join(map(str, place))}]"
    if value is None or type(value).__name__ == "NAType":
        return DataError(f"{name} expected numbers, received {value} at {where}. Fill it in or remove its row.")
    if isinstance(value, int):
        return DataError(f"{name} expected numbers of up to 64 bits, received {value} at {where}. Make it a float.")
    advice = " Pad lists to one length." if isinstance(value, list | tuple | np.ndarray) else ""
    return DataError(
        f"{name} expected numbers, received Python objects (the first: {type(value).__name__} at {where}).{advice}"
    )


def _no_array(x: Any, name: str) -> DataError:
    kind = type(x).__name__
    if isinstance(x, Iterator):
        return DataError(
            f"{name} expected an array, list or frame, received a {kind}. Only fit and evaluate take batches one "
            f"after another; for other calls put them into one array, for example np.concatenate(list(batches))."
        )
    if hasattr(x, "toarray"):
        return DataError(f"{name} expected a dense array, received the sparse {kind}. Give {name}.toarray().")
    return DataError(f"{name} expected an array, list or frame of numbers, received {kind}.")


def _ragged(rows: Any, name: str) -> DataError | None:
    """The fault of the first element whose length differs from the first one's, at any depth."""
    if not isinstance(rows, (list, tuple)):
        return None
    lengths = [len(row) if isinstance(row, (list, tuple)) else None for row in rows]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            here, there = (f"has length {n}" if n is not None else "is a number" for n in (length, lengths[0]))
            return DataError(
                f"{name} expected rows of one length, received ragged lists: {name}[{i}] {here}, {name}[0] "
                f"{there}. Pad them first."
            )
    return next(filter(None, (_ragged(row, f"{name}[{i}]") for i, row in enumerate(rows))), None)


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _leaves(branch, f"{path}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        for i, branch in enumerate(tree):
            yield from _leaves(branch, f"{path}[{i}]")
    elif tree is not None:
        yield path, tree


def _sliced(tree: Any, part: slice) -> Any:
    if isinstance(tree, dict):
        return {key: _sliced(branch, part) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        branches = [_sliced(branch, part) for branch in tree]
        return branches if isinstance(tree, list) else tuple(branches)
    return None if tree is None else tree[part]


def _not_finite(name: str, array: np.ndarray, index: tuple[int, ...], columns: list[str] | None) -> DataError:
    place = f"{name}[{', '.join(map(str, index))}]"
    column = f", column {columns[index[-1]]!r}" if columns and len(index) > 1 else ""
    where = f"received {array[index]} at {place} (row {index[0]}{column})."
    if np.isfinite(array[index]):
        return DataError(f"{name} expected numbers up to {numbers.LARGEST:.2g}, {where} Scale them down.")
    return DataError(f"{name} expected finite numbers, {where} Fill such cells in or remove their rows.")
