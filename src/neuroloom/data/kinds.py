"""What each column of a table is: numbers in some spelling, text, codes, or numbers of its rows.

What it must satisfy: it is decided once, from the whole training table, so that neither the split nor a later
file can decide it otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuroloom.data.cells import (
    KINDS_OF_MARKS,
    MISSING,
    MISSING_NUMBERS,
    PLAIN,
    SPELLINGS,
    decimal_mark,
    is_missing,
    parse_number,
    read_cells,
    text_of,
    thousands_mark,
)
from neuroloom.data.frames import Table

STRAY_SHARE = 0.05
"""A column with fewer words than this among numbers is a column of numbers with errors in it."""

FEWEST_COUNTED = 10
"""Fewer whole numbers in a row than this prove nothing."""

INDEX_NAME = re.compile(r"(.*[\s_-])?id|index|row|unnamed: 0", re.IGNORECASE)
"""Names of columns whose whole numbers name the rows if all are different."""

_EXACT = 2**53  # float64 holds every whole number up to here
_MARKED = re.compile(r"\d[,.' \u00a0\u202f\u2019]")
_LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True)
class Kind:
    """What one column is.

    Attributes:
        spelling: how its numbers are written; None where most cells are words.
        code: a cell that would lose digits as a number; such a column is text unless it is asked for values.
        numbers_rows: whether its cells only number the rows.
        gaps: the marks beside `MISSING` that stand for missing numbers in it.
    """

    spelling: str | None
    code: str | None = None
    numbers_rows: bool = False
    gaps: tuple[str, ...] = ()

    @property
    def reading(self) -> str | None:
        """The spelling to read the column in; None: as text."""
        return None if self.code else self.spelling


def column_kinds(table: Table) -> dict[str, Kind]:
    """Decides what each column of a training table is.

    Numbers may be written in any of `SPELLINGS` that the whole column agrees on. Where several fit, as for
    1,234, the other columns decide, then the delimiter: a semicolon goes with decimal commas.

    Example:
        >>> from neuroloom.data.frames import as_table
        >>> kinds = column_kinds(as_table({"price": ["1.299,5", "12,25"], "zip": ["01067", "80331"]}))
        >>> kinds["price"].reading, kinds["zip"].reading, kinds["zip"].code
        ('1.234,5', None, '01067')
    """
    columns = {name: _filled(table.column(name)) for name in table.names}
    fitting = {name: _fitting(texts) for name, texts in columns.items()}
    order = _preference(fitting.values(), table.delimiter)
    return {name: _kind(table, name, columns[name], _first(fitting[name], order)) for name in table.names}


def kind_notes(kinds: Mapping[str, Kind]) -> list[str]:
    """What a user should know of how columns are read, one sentence each."""
    written: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        if kind.reading not in (None, PLAIN):
            written.setdefault(str(kind.reading), []).append(repr(name))
    notes = [f"Numbers are read as in {spelling} in {', '.join(names)}." for spelling, names in written.items()]
    for name, kind in kinds.items():
        if kind.gaps and kind.reading:
            notes.append(f"Column {name!r}: {', '.join(map(repr, kind.gaps))} is read as a missing number.")
        if kind.code:
            notes.append(f"Column {name!r} is read as text: {kind.code!r} would lose digits as a number.")
    return notes


def _filled(values: np.ndarray) -> Counter[str]:
    """The texts of the cells that are not missing, and how many cells hold each; none for a column of numbers."""
    if values.dtype.kind in "iuf":
        return Counter()
    return Counter(text_of(value) for value in values if not is_missing(value, MISSING_NUMBERS))


def _fitting(texts: Counter[str]) -> dict[str, bool]:
    """The spellings in which nearly all texts are numbers, and whether they all are."""
    present = texts.total()
    marked = {text: count for text, count in texts.items() if _MARKED.search(text)}
    strays = _strays({text: count for text, count in texts.items() if text not in marked}, PLAIN, present)
    marks = set("".join(marked).translate(KINDS_OF_MARKS))  # a mark that is nowhere parts nothing
    tried = [spelling for spelling in SPELLINGS if marks.issuperset(thousands_mark(spelling))]
    found = {spelling: strays + _strays(marked, spelling, present) for spelling in tried}
    return {spelling: count == 0 for spelling, count in found.items() if count < max(1, STRAY_SHARE * present)}


def _strays(texts: Mapping[str, int], spelling: str, present: int) -> int:
    """How many cells are no numbers; no longer counted once they are too many."""
    strays = 0
    for text, count in texts.items():
        if parse_number(text, spelling) is None:
            strays += count
            if strays >= max(1, STRAY_SHARE * present):
                break
    return strays


def _preference(fitting: Iterable[Mapping[str, bool]], delimiter: str | None) -> tuple[str, ...]:
    """The spellings, the likeliest first."""
    points = [s for s in SPELLINGS if decimal_mark(s) == "."]
    commas = [s for s in SPELLINGS if decimal_mark(s) == ","]
    marks = [{decimal_mark(spelling) for spelling in spellings} for spellings in fitting if spellings]
    if {","} in marks and {"."} not in marks:
        return (*commas, *points)
    return (PLAIN, *commas, *points[1:]) if delimiter == ";" else (*points, *commas)


def _first(fitting: Mapping[str, bool], order: tuple[str, ...]) -> str | None:
    """The likeliest spelling that fits, one in which all cells are numbers before all others."""
    return min(fitting, key=lambda spelling: (not fitting[spelling], order.index(spelling)), default=None)


def _kind(table: Table, name: str, texts: Counter[str], spelling: str | None) -> Kind:
    values = table.column(name)
    if values.dtype.kind in "iuf":
        kind = Kind(PLAIN, _inexact(values))
    elif spelling is None or not texts:
        return Kind(None)
    else:
        gaps = MISSING_NUMBERS.intersection(value.strip() for value in values if isinstance(value, str))
        kind = Kind(spelling, _code(texts), gaps=tuple(sorted(gaps - MISSING)))
        if not all((parse_number(text, spelling) or 0.0).is_integer() for text in texts):
            return kind
    return kind if kind.code else replace(kind, numbers_rows=_numbers_rows(table, name, kind.spelling))


def _code(texts: Iterable[str]) -> str | None:
    """A text that says more than the number that it is: with a leading zero, or too many digits."""
    for text in texts:
        if not _WHOLE.fullmatch(text):
            continue
        number = parse_number(text)
        if _LEADING_ZERO.fullmatch(text) or (number is not None and int(number) != int(text)):
            return text
    return None


def _inexact(values: np.ndarray) -> str | None:
    """A whole number that float64 cannot hold."""
    if values.dtype.kind == "f" or max(-int(values.min()), int(values.max())) <= _EXACT:
        return None
    return next((str(value) for value in values.tolist() if int(float(value)) != value), None)


def _numbers_rows(table: Table, name: str, spelling: str | None) -> bool:
    """Whether whole numbers, all different, count: in a row without gaps, down a first column, or by their name."""
    if table.rows < FEWEST_COUNTED:
        return False
    numbers = read_cells(table, name, spelling).numbers
    if np.isnan(numbers).any() or (numbers != np.round(numbers)).any():
        return False
    steps = np.diff(np.sort(numbers))
    if not (steps > 0).all():
        return False
    rising = name == table.names[0] and bool((np.diff(numbers) > 0).all())
    unnamed = name == "c0" and "c1" not in table.names  # what read_csv calls a first column without a name
    return bool((steps == 1).all()) or rising or unnamed or INDEX_NAME.fullmatch(name) is not None
