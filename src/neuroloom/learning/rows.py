"""What `fit`, `evaluate` and `predict` are given, checked and turned into rows: a tree of NumPy arrays, or of memory
maps that make such arrays of the rows asked for.

{"x": [one array per input], "y": [one per output that has a loss or metrics], "weight": array or None}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from neuroloom import tree
from neuroloom.data import numbers
from neuroloom.data.labels import class_weight_vector
from neuroloom.data.sources import Inner, as_arrays, check_finite, column_names, sample_count
from neuroloom.errors import ConfigurationError, DataError, ShapeError, nearest
from neuroloom.layers import Embedding, Network
from neuroloom.layers.base import show_shape
from neuroloom.learning.supervised import Target
from neuroloom.ops.graph import Node
from neuroloom.typing import Tree

Check = Callable[[int, int | None, Inner], None]
"""Looks at the rows from start to stop (None: to the end) and raises what is wrong with them, with the help of an
inner product of arrays."""


def input_rows(network: Network, x: Any, name: str = "x") -> list[np.ndarray]:
    """One checked array per input of the network.

    Raises:
        ShapeError, DataError: x does not fit the inputs, holds NaN, or indices that an Embedding does not have.
    """
    arrays, check = unread_rows(network, x, name)
    check(0, None, np.vdot)
    return arrays


def unread_rows(network: Network, x: Any, name: str = "x") -> tuple[list[np.ndarray], Check]:
    """One array per input, whose floating-point numbers nobody has looked at, and what looks at some rows of them.

    Raises:
        ShapeError, DataError: as `input_rows`; for NaN, and fractions in the place of whole numbers, the check does.
    """
    ends = network.once(_ends)
    parts = _by_input(network.inputs, x, name)
    arrays, checks = [], []
    for end, (label, part) in zip(ends, parts, strict=True):
        given = as_arrays(part, name=label, dtype=None if end.whole else "float32")
        if isinstance(given, list | tuple | dict):
            raise DataError(f"{label} expected one array, received a {type(part).__name__} of {len(part)}.")
        _check_shape(end, given, label)
        if end.words is not None:
            _check_indices(end.words, given, label)
        array = _whole(end, given, part, label) if end.whole else given
        arrays.append(array)
        checks.append((end, label, part, array.source if isinstance(array, numbers.Mapped) else array))

    def check(start: int, stop: int | None, inner: Inner) -> None:
        for end, label, part, array in checks:
            if end.whole and not np.can_cast(array.dtype, end.dtype):
                _check_whole(end, array, part, label, start, stop, inner)
            elif array.dtype.kind == "f":
                check_finite(label, array, _columns(part), start, stop, inner)

    return arrays, check


def _columns(part: Any) -> list[str] | None:
    return None if type(part) is np.ndarray else column_names(part)


class _End(NamedTuple):
    """What an input asks of its data: whether it takes whole numbers only, and if so, below which."""

    shape: tuple[int | None, ...]
    dtype: str
    whole: bool
    words: int | None


def _ends(network: Network) -> list[_End]:
    found = []
    for node in tree.leaves(network.inputs):
        sizes = [n.call.input_dim for n in network.order if isinstance(n.call, Embedding) and node in n.args]
        dtype = {"int64": "int32", "uint64": "uint32"}.get(node.dtype, node.dtype)  # what all engines have room for
        found.append(_End(node.shape, dtype, "float" not in dtype, min(sizes, default=None)))
    return found


def _by_input(ends: Any, x: Any, name: str) -> list[tuple[str, Any]]:
    """(name in messages, data) per input."""
    if isinstance(ends, Node) and isinstance(x, np.ndarray):
        return [(name, x)]
    if isinstance(ends, dict):
        return _by_name(list(ends), x, name)
    if isinstance(x, Mapping) and all(node.name for node in tree.leaves(ends)):
        return _by_name([node.name for node in tree.leaves(ends)], x, name)
    if isinstance(ends, list | tuple):
        if not isinstance(x, list | tuple) or len(x) != len(ends):
            received = f"{len(x)}" if isinstance(x, list | tuple) else type(x).__name__
            raise DataError(f"{name} expected a list of {len(ends)} arrays, one per input, received {received}.")
        return [(f"{name}[{i}]", part) for i, part in enumerate(x)]
    if isinstance(x, list | tuple) and len(x) == 1 and getattr(x[0], "ndim", 0) > 1:
        x = x[0]
    return [(name, x)]


def _by_name(names: list[str], x: Any, name: str) -> list[tuple[str, Any]]:
    if not isinstance(x, Mapping):
        raise DataError(f"{name} expected a dict with the inputs {', '.join(names)}, received {type(x).__name__}.")
    for key in x:
        if key not in names:
            raise DataError(f"{name} has no input {key!r}. {nearest(str(key), names)}")
    missing = [key for key in names if key not in x]
    if missing:
        raise DataError(f"{name} expected the inputs {', '.join(names)}; {', '.join(missing)} is missing.")
    return [(f"{name}[{key!r}]", x[key]) for key in names]


def _check_shape(end: _End, array: np.ndarray, name: str) -> None:
    want, have = end.shape[1:], array.shape[1:]
    if want == have or (len(want) == len(have) and all(n in {None, m} for n, m in zip(want, have, strict=True))):
        return
    hints = {
        len(want) - 1: " Add the missing axis, for example x[..., None].",
        len(want) + 1: " Is a Flatten() missing?",
    }
    raise ShapeError(
        f"The network expected {name} of shape {show_shape(end.shape)}, received {tuple(array.shape)}."
        f"{hints.get(len(have), '')}"
    )


def _whole(end: _End, given: np.ndarray, part: Any, name: str) -> Any:
    """What an input of whole numbers is given, in a dtype whose numbers it has room for; a memory map is unread."""
    if np.can_cast(given.dtype, end.dtype):
        return numbers.taken(given, given.dtype.newbyteorder("="))
    if not isinstance(given, np.memmap):
        _check_whole(end, given, part, name, 0, None, np.vdot)
    return numbers.taken(given, end.dtype)


def _check_whole(
    end: _End, array: np.ndarray, part: Any, name: str, start: int, stop: int | None, inner: Inner
) -> None:
    """That the input's dtype of whole numbers has room for all of these rows."""
    if array.dtype.kind == "f":
        check_finite(name, array, _columns(part), start, stop, inner)
    low, high = (0, 1) if end.dtype == "bool" else (np.iinfo(end.dtype).min, np.iinfo(end.dtype).max)
    for first, rows in numbers.chunks(array, start, stop):
        if array.dtype.kind == "f":  # in float64, which has all numbers of 32 bits
            broken = (rows < np.float64(low)) | (rows > np.float64(high)) | (rows != np.floor(rows))
        else:
            broken = (rows < low) | (rows > high)
        if broken.any():
            place = tuple(int(i) for i in np.argwhere(broken)[0])
            span = f" from {low} to {high}" if rows[place] == np.floor(rows[place]) else ""
            columns = _columns(part)
            column = f", column {columns[place[-1]]!r}" if columns and len(place) > 1 else ""
            raise DataError(
                f"{name} expected whole numbers{span}, since the network's input is {end.dtype}, "
                f"received {rows[place]} in row {first + place[0]}{column}."
            )


def _check_indices(words: int, array: np.ndarray, name: str) -> None:
    if array.size and (array.min() < 0 or array.max() >= words):
        row = int(np.argwhere((array < 0) | (array >= words))[0][0])
        raise DataError(
            f"The Embedding expected whole numbers from 0 to {words - 1} in {name}, received "
            f"{array.min()} to {array.max()} (first in row {row}). Raise input_dim or limit the vocabulary."
        )


def target_rows(targets: tuple[Target, ...], ends: list[Node], y: Any, name: str = "y") -> list[np.ndarray | None]:
    """One checked array per output; None where an output has neither loss nor metrics."""
    parts = _by_output(targets, y, name)
    rows: list[np.ndarray | None] = []
    for target, end, (label, part) in zip(targets, ends, parts, strict=True):
        if target.loss is None and not target.metrics:
            rows.append(None)
            continue
        if part is None:
            raise DataError(f"The output {target.name!r} has a loss, but {label} was not given.")
        if target.loss is None:
            array = _labels(part, label, "float32")
            check_finite(label, array, _columns(part))
            rows.append(array)
        else:
            rows.append(target.loss.prepare(_labels(part, label, None), end.shape, label))
    return rows


def _labels(part: Any, name: str, dtype: str | None) -> np.ndarray:
    array = as_arrays(part, name=name, dtype=dtype)
    if isinstance(array, list | tuple | dict):
        raise DataError(f"{name} expected one array, received {len(array)}.")
    return np.asarray(array)


def _by_output(targets: tuple[Target, ...], y: Any, name: str) -> list[tuple[str, Any]]:
    names = [t.name for t in targets]
    if len(targets) == 1:
        if isinstance(y, Mapping) and names[0] in y:
            return [(f"{name}[{names[0]!r}]", y[names[0]])]
        return [(name, y)]
    if isinstance(y, Mapping):
        for key in y:
            if key not in names:
                raise DataError(f"{name} has no output {key!r}. {nearest(key, names)}")
        return [(f"{name}[{key!r}]", y.get(key)) for key in names]
    if not isinstance(y, list | tuple) or len(y) != len(targets):
        raise DataError(f"{name} expected a list of {len(targets)} arrays, one per output: {', '.join(names)}.")
    return [(f"{name}[{i}]", part) for i, part in enumerate(y)]


def weight_row(sample_weight: Any, n: int) -> np.ndarray | None:
    """The weight of each sample, checked."""
    if sample_weight is None:
        return None
    weight = as_arrays(sample_weight, name="sample_weight")
    if not isinstance(weight, np.ndarray):
        raise DataError(f"sample_weight expected one array, received a {type(sample_weight).__name__} of several.")
    if weight.shape not in {(n,), (n, 1)}:
        raise ShapeError(f"sample_weight expected shape ({n},), one weight a sample, received {weight.shape}.")
    weight = weight.reshape(n).astype(np.float32)
    check_finite("sample_weight", weight)
    if (weight < 0).any():
        raise DataError(f"sample_weight expected no negative weights, received {weight.min()}.")
    return weight


def class_weighted(network: Network, rows: Tree, class_weight: Any) -> Tree:
    """Rows whose weights are multiplied by those of their classes."""
    if class_weight is None:
        return rows
    if not isinstance(class_weight, Mapping):
        raise ConfigurationError(f"class_weight expected a dict from class to weight, received {class_weight!r}.")
    ends = tree.leaves(network.outputs)
    if len(ends) > 1:
        raise ConfigurationError("class_weight expected a model with one output; give sample_weight instead.")
    classes = class_weight_vector(rows["y"][0], class_weight, max(2, ends[0].shape[-1] or 2))
    return {**rows, "weight": classes if rows["weight"] is None else rows["weight"] * classes}


def make_rows(
    network: Network,
    targets: tuple[Target, ...],
    x: Any,
    y: Any,
    sample_weight: Any = None,
    prefix: str = "",
) -> Tree:
    """Rows of everything that a training or an evaluation is given."""
    inputs = input_rows(network, x, f"{prefix}x")
    outputs = target_rows(targets, tree.leaves(network.outputs), y, f"{prefix}y")
    n = sample_count(**{f"{prefix}x": inputs, f"{prefix}y": outputs})
    return {"x": inputs, "y": outputs, "weight": weight_row(sample_weight, n)}
