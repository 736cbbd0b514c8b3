"""The cells of one column, read as numbers or as text.

What it must satisfy: a cell is a finite number, a missing value or text, by one rule for files and frames; text
stays as it is written.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from neuroloom.data.frames import Table
from neuroloom.errors import DataError

MISSING = frozenset({"", "?", "NA", "NaN", "nan", "null", "NULL"})
"""The texts that stand for a missing value in any column."""

MISSING_NUMBERS = MISSING | {"N/A", "n/a", "na", "NAN", "#N/A", "None", "-"}
"""The texts that stand for a missing value in a column of numbers; elsewhere they may be words like others."""

PLAIN = "1234.5"
SPELLINGS = (PLAIN, "1,234.5", "1 234.5", "1'234.5", "1234,5", "1.234,5", "1 234,5", "1'234,5")
"""The ways to write numbers, each by an example that shows the decimal mark and what parts the thousands."""

KINDS_OF_MARKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'"})
"""The other spaces and apostrophes that part thousands -> those of `SPELLINGS`."""


def decimal_mark(spelling: str) -> str:
    """The decimal mark of a spelling."""
    return spelling[-2]


def thousands_mark(spelling: str) -> str:
    """What parts the thousands in a spelling; empty for nothing."""
    return spelling[1].strip("2")


def parse_number(text: str, spelling: str = PLAIN) -> float | None:
    """The finite decimal number that the text is in that spelling, or None.

    >>> parse_number("-1.5e3"), parse_number("1_000"), parse_number("inf")
    (-1500.0, None, None)
    >>> parse_number("1.234,5", "1.234,5"), parse_number("1,5", "1234,5"), parse_number("12,34", "1,234.5")
    (1234.5, 1.5, None)
    """
    pattern, marks = _reader(spelling)
    if spelling != PLAIN:
        text = text.translate(KINDS_OF_MARKS)
    if not pattern.fullmatch(text):
        return None
    value = float(text if spelling == PLAIN else text.translate(marks))
    return value if math.isfinite(value) else None


@cache
def _reader(spelling: str) -> tuple[re.Pattern[str], dict[int, str | None]]:
    """The pattern of a spelling's numbers, and what makes Python's numbers of them."""
    point, parting = decimal_mark(spelling), thousands_mark(spelling)
    whole = r"\d+"
    if parting:
        whole = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(parting)}\d{{3}})+|\d+)"
    mark = re.escape(point)
    pattern = re.compile(rf"[+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?", re.ASCII)
    return pattern, {**({ord(parting): None} if parting else {}), ord(point): "."}


def text_of(value: object) -> str:
    """A cell as text; a whole number is written without a fraction.

    >>> text_of(" 007 "), text_of(3.0), text_of(2.5), text_of(True)
    ('007', '3', '2.5', 'True')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (float, np.floating)) and value == np.floor(value) and math.isfinite(value):
        return str(int(value))
    return str(value).strip()


@dataclass(frozen=True, eq=False)
class Cells:
    """One column as it was read.

    Attributes:
        name: of the column.
        values: the cells themselves, shape (rows,).
        numbers: float64, shape (rows,); NaN where the cell is missing or is no number.
        missing: bool, shape (rows,).
        table: the table that the column came from, which knows the lines.
        spelling: how numbers are written in it; None where it was read as text.
    """

    name: str
    values: np.ndarray
    numbers: np.ndarray
    missing: np.ndarray
    table: Table
    spelling: str | None

    @property
    def words(self) -> np.ndarray:
        """bool, shape (rows,): the cells that are neither numbers nor missing."""
        return np.isnan(self.numbers) & ~self.missing

    def text(self, row: int) -> str:
        """A cell as text."""
        return text_of(self.values[row])

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
        like = f" as in {self.spelling}" if self.spelling != PLAIN else ""
        raise DataError(
            f"column {self.name!r} {self.table.where(row)}: {self.text(row)!r} is not a number{like}. "
            f"Correct the cell, or leave it empty if the value is missing."
        )


def read_cells(table: Table, name: str, spelling: str | None) -> Cells:
    """Reads one column of a table, as numbers in that spelling or, for None, as text.

    Raises:
        DataError: there is no such column, or one of its numbers is infinite.
    """
    values = table.column(name)
    marks = MISSING if spelling is None else MISSING_NUMBERS
    plain = values.dtype.kind in "iuf"
    missing = np.isnan(values) if plain else np.array([is_missing(value, marks) for value in values], dtype=bool)
    if spelling is None:
        return Cells(name, values, np.full(len(values), np.nan), missing, table, None)
    if plain:
        numbers = values.astype(np.float64)
    else:
        found = zip(values, missing, strict=True)
        numbers = np.array([math.nan if gone else _number(value, spelling) for value, gone in found])
    if np.isinf(numbers).any():
        row = int(np.argmax(np.isinf(numbers)))
        raise DataError(f"column {name!r} {table.where(row)} expected a finite number, received {numbers[row]}.")
    return Cells(name, values, numbers, missing, table, spelling)


def is_missing(value: object, marks: frozenset[str]) -> bool:
    """Whether a cell that is no number of NumPy's is missing."""
    if isinstance(value, str):
        return value.strip() in marks
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: object, spelling: str) -> float:
    if isinstance(value, str):
        number = parse_number(value.strip(), spelling)
        return math.nan if number is None else number
    if isinstance(value, (bool, np.bool_)):
        return math.nan
    if isinstance(value, (int, float, np.number)):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return _number(str(value), PLAIN)  # a decimal or another kind of number
