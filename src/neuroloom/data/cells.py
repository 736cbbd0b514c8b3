"""The cells of one column, read as numbers and as text.

What it must satisfy: a cell is a finite number, a missing value or text, by one rule for files and frames.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from neuroloom.data.frames import Table
from neuroloom.errors import DataError

MISSING = frozenset({"", "?", "NA", "NaN", "nan", "null", "NULL"})
"""The texts that stand for a missing value."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def parse_number(text: str) -> float | None:
    """The finite decimal number that the text is, or None.

    >>> parse_number("-1.5e3"), parse_number("1_000"), parse_number("inf")
    (-1500.0, None, None)
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Cells:
    """One column as it was found.

    Attributes:
        name: of the column.
        values: the cells themselves, shape (rows,).
        numbers: float64, shape (rows,); NaN where the cell is missing or is no number.
        missing: bool, shape (rows,).
        table: the table that the column came from, which knows the lines.
    """

    name: str
    values: np.ndarray
    numbers: np.ndarray
    missing: np.ndarray
    table: Table

    @property
    def words(self) -> np.ndarray:
        """bool, shape (rows,): the cells that are neither numbers nor missing."""
        return np.isnan(self.numbers) & ~self.missing

    def text(self, row: int) -> str:
        """A cell as text."""
        return str(self.values[row]).strip()

    def texts(self) -> list[str | None]:
        """All cells as text, None where missing."""
        return [None if gone else self.text(row) for row, gone in enumerate(self.missing)]

    def check_numbers(self) -> np.ndarray:
        """The numbers, once every cell that is not missing is one.

        Raises:
            DataError: some cell is not a number; the message names its line.
        """
        if not self.words.any():
            return self.numbers
        row = int(np.argmax(self.words))
        raise DataError(
            f"column {self.name!r} {self.table.where(row)}: {self.text(row)!r} is not a number. "
            f"Correct the cell, or leave it empty if the value is missing."
        )


def read_cells(table: Table, name: str) -> Cells:
    """Reads one column of a table.

    Raises:
        DataError: there is no such column, or one of its numbers is infinite.
    """
    values = table.column(name)
    if values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
        missing = np.isnan(numbers)
    elif values.dtype.kind == "b":
        numbers, missing = np.full(len(values), np.nan), np.zeros(len(values), bool)
    else:
        missing = np.array([_is_missing(value) for value in values], dtype=bool)
        numbers = np.array([math.nan if gone else _number(v) for v, gone in zip(values, missing, strict=True)])
    if np.isinf(numbers).any():
        row = int(np.argmax(np.isinf(numbers)))
        raise DataError(f"column {name!r} {table.where(row)} expected a finite number, received {numbers[row]}.")
    return Cells(name, values, numbers, missing, table)


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return value.strip() in MISSING
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: object) -> float:
    if isinstance(value, (bool, np.bool_)):
        return math.nan
    if isinstance(value, (int, float, np.number)):
        return float(value)
    number = parse_number(str(value).strip())
    return math.nan if number is None else number
