"""Strict reader of CSV files.

What it must satisfy: a file is read whole and right, or refused with the line and what is wrong with it; no
row is skipped, cut or filled up in silence (only blank lines are passed over).
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.data.cells import parse_number
from neuroloom.data.frames import Table
from neuroloom.errors import DataError

Rows = list[tuple[int, list[str]]]  # line number and cells

_DELIMITERS = (",", ";", "\t")
_SAMPLE = 20  # rows that decide the delimiter


def read_csv(path: str | os.PathLike[str]) -> Table:
    """Reads a CSV file in UTF-8 whose cells are parted by commas, semicolons or tabs.

    The first row names the columns; if all its cells are numbers it is data, and the columns are named `c0`,
    `c1`, ... Cells stay text: what is a number is decided by the reader of a column, not here.

    Raises:
        DataError: no such file, not UTF-8, empty, no rows under the header, a row of another length, an
            unclosed quote, two columns of one name, or a first row with fractions beside words, which is data
            and not names.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "people.csv")
        ...     _ = path.write_text("age;city\\n31;Riga\\n54;Oslo\\n")
        ...     table = read_csv(path)
        >>> table.names, table.column("age").tolist(), table.lines
        (('age', 'city'), ['31', '54'], (2, 3))
    """
    rows = _parse(path, _text(path))
    names = _names(path, rows[0][1])
    if names is None:
        names = [f"c{i}" for i in range(len(rows[0][1]))]
    else:
        rows = rows[1:]
    _check_shape(path, names, rows)
    cells = zip(*(row for _, row in rows), strict=True)
    columns = tuple(np.array(column, dtype=object) for column in cells)
    return Table(tuple(names), columns, tuple(line for line, _ in rows))


def _text(path: str | os.PathLike[str]) -> str:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} expected a CSV file, and it cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} expected text in UTF-8, received byte {error.object[error.start]:#04x} at offset "
            f"{error.start}. Save it as UTF-8."
        ) from error
    if not text.strip():
        raise DataError(f"{path} expected a row of column names and rows of data, received an empty file.")
    return text


def _parse(path: str | os.PathLike[str], text: str) -> Rows:
    reader = _reader(text, _delimiter(text))
    rows: Rows = []
    try:
        rows.extend((reader.line_num, [cell.strip() for cell in row]) for row in reader if row)
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num} cannot be read as CSV: {error}.") from error
    return rows


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first rows into most cells, preferring one that cuts them all alike."""

    def score(delimiter: str) -> tuple[bool, bool, bool, int]:
        widths, readable = _widths(text, delimiter)
        alike = len(set(widths)) == 1
        return alike and widths[0] > 1, widths[:1] > [1], readable, max(widths[:1], default=0)

    return max(_DELIMITERS, key=score)


def _widths(text: str, delimiter: str) -> tuple[list[int], bool]:
    """The numbers of cells in the first rows, and whether these rows could be read to the end."""
    widths: list[int] = []
    try:
        widths.extend(len(row) for row in islice(_reader(text, delimiter), _SAMPLE) if row)
    except csv.Error:
        return widths, False
    return widths, True


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)


def _names(path: str | os.PathLike[str], first: list[str]) -> list[str] | None:
    """The names in the first row, or None if the row is data."""
    numbers = [cell for cell in first if parse_number(cell) is not None]
    if len(numbers) == len(first):
        return None
    if fractions := [cell for cell in numbers if "." in cell]:
        raise DataError(
            f"{path} expected names of columns in its first row, received data: {fractions[0]!r} beside "
            f"words. Put a row of names above it."
        )
    return [cell or f"c{i}" for i, cell in enumerate(first)]


def _check_shape(path: str | os.PathLike[str], names: list[str], rows: Rows) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path} expected different column names, received {twice[0]!r} more than once.")
    if not rows:
        raise DataError(f"{path} expected rows of data under the column names, received none.")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path} line {line} has {len(row)} cells, expected {len(names)}.")
