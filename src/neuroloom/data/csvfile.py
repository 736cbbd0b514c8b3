"""Strict reader of CSV files.

What it must satisfy: a file is read whole and right, or refused with the line and what is wrong with it; no
row is skipped, cut or filled up in silence (only blank lines are passed over). Cells stay the texts of the file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import zlib
from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.data.cells import MISSING, SPELLINGS, parse_number
from neuroloom.data.frames import Table
from neuroloom.errors import DataError

Rows = list[tuple[int, list[str]]]  # line number and cells

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 20  # rows that decide the delimiter
_GZIP = b"\x1f\x8b"


def read_csv(path: str | os.PathLike[str], names: Collection[str] = ()) -> Table:
    """Reads a CSV file whose cells are parted by commas, semicolons, tabs or bars.

    The text is UTF-8, or UTF-16 with its byte order mark; it may be packed with gzip. The first row names the
    columns. If all its cells are numbers it is data, and the columns are named `c0`, `c1`, ..., unless it holds
    `names` or counts 0, 1, 2, ... as pandas names columns (0, 1 alone are data where both stand below again).
    Cells stay text: what is a number is decided by the reader of a column, not here.

    Args:
        path: of the file.
        names: columns that the caller needs; a first row that holds them all is one of names.

    Raises:
        DataError: no such file, another encoding, empty, no rows under the header, a row of another length, an
            unclosed quote, two columns of one name, or a first row of numbers and words that is data and not
            names (a word of it stands in its column again, or fractions stand beside a column of different words).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "people.csv")
        ...     _ = path.write_text("age;city\\n31;Riga\\n54;Oslo\\n")
        ...     table = read_csv(path)
        >>> table.names, table.column("age").tolist(), table.lines
        (('age', 'city'), ['31', '54'], (2, 3))
    """
    text = _text(path)
    delimiter = _delimiter(text)
    rows = _parse(path, text, delimiter)
    first = rows[0][1]
    if _is_header(path, first, [row for _, row in rows[1:]], names):
        rows = rows[1:]
        found = [cell or f"c{i}" for i, cell in enumerate(first)]
    else:
        found = [f"c{i}" for i in range(len(first))]
    _check_shape(path, found, rows)
    cells = zip(*(row for _, row in rows), strict=True)
    columns = tuple(np.array(column, dtype=object) for column in cells)
    return Table(tuple(found), columns, tuple(line for line, _ in rows), delimiter)


def _text(path: str | os.PathLike[str]) -> str:
    data = _bytes(path)
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} expected text in {encoding.removesuffix('-sig').upper()}, received byte "
            f"{error.object[error.start]:#04x} at offset {error.start}. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise DataError(
            f"{path} expected text, received NUL characters, as UTF-16 without its mark has. Save it as UTF-8."
        )
    if not text.strip():
        raise DataError(f"{path} expected a row of column names and rows of data, received an empty file.")
    return text


def _bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file, unpacked if it is packed with gzip."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} expected a CSV file, and it cannot be read: {error.strerror}.") from error
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} expected a file packed with gzip, and it cannot be unpacked: {error}.") from error


def _parse(path: str | os.PathLike[str], text: str, delimiter: str) -> Rows:
    reader = _reader(text, delimiter)
    rows: Rows = []
    try:
        rows.extend((reader.line_num, [cell.strip() for cell in row]) for row in reader if row)
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num} cannot be read as CSV: {error}.") from error
    return rows


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first rows into most cells, preferring one that cuts them all alike."""

    def score(delimiter: str) -> tuple[bool, bool, bool, float, int]:
        rows, readable = _first_rows(text, delimiter)
        widths = [len(row) for row in rows]
        alike = len(set(widths)) == 1
        cells = [cell for row in rows for cell in row]
        share = sum(map(_is_number, cells)) / max(1, len(cells))  # commas cut "1,5;2,5" alike, not into numbers
        return alike and widths[0] > 1, widths[:1] > [1], readable, share, max(widths[:1], default=0)

    return max(_DELIMITERS, key=score)


def _first_rows(text: str, delimiter: str) -> tuple[list[list[str]], bool]:
    """The cells of the first rows, and whether these rows could be read to the end."""
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in islice(_reader(text, delimiter), _SAMPLE) if row)
    except csv.Error:
        return rows, False
    return rows, True


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)


def _is_header(path: str | os.PathLike[str], first: list[str], below: list[list[str]], names: Collection[str]) -> bool:
    """Whether the first row names the columns; else it is data.

    Raises:
        DataError: numbers stand in it beside words that are data.
    """
    words = [i for i, cell in enumerate(first) if not _is_number(cell)]
    if not words:
        return _names_columns(first, below, names)
    if len(words) < len(first) and not (names and set(names) <= set(first)):
        _check_words(path, first, below, words)
    return True


def _names_columns(first: list[str], below: list[list[str]], names: Collection[str]) -> bool:
    """Whether a row of numbers is one of names."""
    counts = first == [str(i) for i in range(len(first))]
    if names:  # one name that a number happens to be is no proof
        return set(names) <= set(first) and (counts or len(names) > 1 or len(first) == 1)
    return counts and (len(first) > 2 or not all(_stands_again(first, below, i) for i in range(len(first))))


def _check_words(path: str | os.PathLike[str], first: list[str], below: list[list[str]], words: list[int]) -> None:
    """Refuses words beside numbers that are data rather than names."""
    number = max((cell for i, cell in enumerate(first) if i not in words), key=_is_fraction)
    unsure = _is_fraction(number)
    for i in filter(first.__getitem__, words):
        again = first[i] in MISSING or _stands_again(first, below, i)
        if again or (unsure and _all_different(below, i)):
            raise DataError(
                f"{path} expected names of columns in its first row, received data: {number!r} beside "
                f"words ({first[i]!r}). Put a row of names above it."
            )


def _stands_again(first: list[str], below: list[list[str]], i: int) -> bool:
    return any(first[i] == row[i] for row in below if i < len(row))


def _all_different(below: list[list[str]], i: int) -> bool:
    """Whether a column holds words, no two of them equal: another one above them may be data like them."""
    cells = [row[i] for row in below if i < len(row)]
    return len(set(cells)) == len(cells) and not all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    return any(parse_number(cell.strip(), spelling) is not None for spelling in SPELLINGS)


def _is_fraction(number: str) -> bool:
    return any(mark in number for mark in ".,")


def _check_shape(path: str | os.PathLike[str], names: list[str], rows: Rows) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path} expected different column names, received {twice[0]!r} more than once.")
    if not rows:
        raise DataError(f"{path} expected rows of data under the column names, received none.")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path} line {line} has {len(row)} cells, expected {len(names)}.")
