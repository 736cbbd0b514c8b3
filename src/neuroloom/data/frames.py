"""Tables: named columns of one length, from a CSV file, a data frame or a dict of arrays.

What it must satisfy: a frame is read through narwhals, which is loaded only when a frame is given; nulls come
out as NaN in columns of numbers and as None in all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom.data import numbers
from neuroloom.errors import DataError, nearest

_FRAME_LIBRARIES = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of one length.

    Attributes:
        names: the names of the columns, all different.
        columns: one array of shape (rows,) for each name; text as read, numbers or booleans.
        lines: where each row stands in its file, for messages; None for a table that came from no file.
        delimiter: what parts the cells of the file; None for a table that came from no file.

    Example:
        >>> table = as_table({"age": [31, 54], "city": ["Riga", "Oslo"]})
        >>> table.names, table.rows, table.column("city").tolist()
        (('age', 'city'), 2, ['Riga', 'Oslo'])
    """

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    lines: tuple[int, ...] | None = None
    delimiter: str | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> np.ndarray:
        """The column of that name, shape (rows,).

        Raises:
            DataError: there is none; the message suggests the nearest name.
        """
        if name not in self.names:
            raise DataError(f"The table has no column {name!r}. {nearest(str(name), self.names)}")
        return self.columns[self.names.index(name)]

    def where(self, row: int) -> str:
        """Names a row in a message: its line in the file, or its number counted from 0."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"


def is_frame(value: object) -> bool:
    """Whether the value is a data frame or a series of a known library; loads none to find out."""
    return type(value).__module__.partition(".")[0] in _FRAME_LIBRARIES


def as_table(data: Any) -> Table:
    """Makes a `Table` of a pandas or polars frame, or of a dict of arrays or lists; a `Table` stays itself.

    Raises:
        DataError: something else was given, the columns differ in length, or there are no rows.

    Example:
        >>> as_table({"x": [1.5, 2.5]}).columns[0].dtype
        dtype('float64')
    """
    if isinstance(data, Table):
        return data
    if not is_frame(data) and not isinstance(data, Mapping):
        raise DataError(
            f"Expected a table: a data frame, a dict of columns or the result of read_csv; received "
            f"{type(data).__name__}."
        )
    found = frame_columns(data) if is_frame(data) else [(str(name), values) for name, values in data.items()]
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise DataError(f"The columns of a table expected different names, received {', '.join(map(repr, names))}.")
    return _from_columns({name: _column(name, values) for name, values in found})


def frame_columns(frame: Any) -> list[tuple[str, np.ndarray]]:
    """Names and arrays of the columns of a frame, or of a series (one column), in their order.

    Names that are no texts, such as the numbers that pandas gives, come out as texts; several may be the same.

    Raises:
        DataError: the frame is lazy.
    """
    return [(name, _series_array(one)) for name, one in _series(frame)]


def frame_names(frame: Any) -> list[str]:
    """The names that `frame_columns` gives."""
    return [name for name, _ in _series(frame)]


def _series(frame: Any) -> list[tuple[str, Any]]:
    import narwhals as nw

    names, frame = _by_place(nw.to_native(frame, pass_through=True))
    try:
        native = nw.from_native(frame, eager_only=True, allow_series=True)
    except (TypeError, nw.exceptions.NarwhalsError) as error:
        raise DataError(
            f"Expected a frame or series in memory, received {type(frame).__name__}: {error} "
            f"Collect a lazy frame first."
        ) from error
    series = [native] if isinstance(native, nw.Series) else [native[name] for name in native.columns]
    return list(zip(names or [str(one.name) for one in series], series, strict=True))


def _by_place(frame: Any) -> tuple[list[str] | None, Any]:
    """The names of the columns, and the frame with their places for names; (None, frame) where they may stay.

    pandas takes anything for a name, several times if need be; narwhals finds columns by texts.
    """
    if hasattr(frame, "set_axis") and hasattr(frame, "columns"):  # pandas and what is made like it
        given = list(frame.columns)
        return [str(name) for name in given], frame.set_axis([str(i) for i in range(len(given))], axis=1)
    return None, frame


def _series_array(series: Any) -> np.ndarray:
    values = series.to_numpy()
    missing = series.is_null().to_numpy().astype(bool)
    if not missing.any() or values.dtype.kind == "f":
        return values
    values = values.astype(object)
    values[missing] = None
    return values


def _column(name: str, values: Any) -> np.ndarray:
    array = frame_columns(values)[0][1] if is_frame(values) else np.asarray(numbers.foreign(values))
    array = array if array.dtype.kind == "O" else numbers.native(array)
    if array.ndim != 1:
        raise DataError(f"Column {name!r} expected one value a row, received shape {array.shape}.")
    if array.dtype.kind not in "biufOUT":
        raise DataError(f"Column {name!r} expected numbers, text or booleans, received {array.dtype}. Convert it.")
    return array


def _from_columns(columns: dict[str, np.ndarray]) -> Table:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns of a table expected one length, received {lengths}.")
    if not columns or not next(iter(lengths.values())):
        raise DataError("A table expected at least one column and one row, received none.")
    return Table(tuple(columns), tuple(columns.values()))
