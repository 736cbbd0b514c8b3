"""From a table of mixed columns to the float32 features and the target that a network learns from, and back.

What it must satisfy: everything learnt from the training table is in the schema, the schema is plain JSON,
and a table that does not fit is refused with the column and the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom.data.cells import read_cells
from neuroloom.data.columns import (
    CategoricalColumn,
    FeatureColumn,
    column_from_config,
    fit_column,
    why_dropped,
)
from neuroloom.data.config_reader import Fields
from neuroloom.data.csvfile import read_csv
from neuroloom.data.frames import Table, as_table
from neuroloom.data.kinds import Kind, column_kinds, kind_notes
from neuroloom.data.targets import Label, Target, Task, fit_target, target_from_config
from neuroloom.errors import DataError, nearest

__all__ = ["Table", "TableSchema", "as_table", "read_csv"]


@dataclass(frozen=True)
class TableSchema:
    """What a training table taught about its columns.

    Columns of numbers are filled in with their median and standardised, columns of text become one feature
    for each category; where training cells were missing, one more feature says which. Empty, constant and
    identifier-like columns are dropped, and `notes` says so: texts that are nearly all different, and whole
    numbers that count the rows (without gaps in any order, rising down the first column, or all different in
    a column named like id, customer_id or index), unless no other column is left.

    What a column is, is decided here and kept: later tables are read as the training table was. An empty cell,
    `?`, `NA`, `NaN`, `nan`, `null` and `NULL` are missing values; among numbers also `N/A`, `n/a`, `na`, `NAN`,
    `#N/A`, `None` and `-`. Numbers may have decimal commas and marks between thousands where the whole column
    agrees. Whole numbers with leading zeros, or with more digits than float64 holds, are text. Class labels are
    the texts, whole numbers or booleans of the table, unchanged.

    Attributes:
        columns: the columns that became features, in the order of the table.
        target: the column to predict.
        notes: what was dropped and why, and what is read in an unusual way, one sentence each.

    Example:
        >>> table = as_table({"age": [20, 40, 60, 40], "city": ["Riga", "Oslo", "Riga", "Oslo"],
        ...                   "bought": ["no", "yes", "yes", "no"]})
        >>> schema = TableSchema.fit(table, target="bought")
        >>> schema.task, schema.classes, schema.feature_names_out
        ('binary', ('no', 'yes'), ('age', 'city=Oslo', 'city=Riga'))
        >>> schema.transform({"age": [40], "city": ["Riga"]}).tolist()
        [[0.0, 0.0, 1.0]]
        >>> schema.transform_target(table).tolist(), schema.inverse_target(np.array([1, 0])).tolist()
        ([0, 1, 1, 0], ['yes', 'no'])
        >>> TableSchema.from_config(schema.to_config()) == schema
        True
    """

    columns: tuple[FeatureColumn, ...]
    target: Target
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, table: Any, target: str, task: Task | None = None, kinds: Mapping[str, Kind] | None = None
    ) -> TableSchema:
        """Learns from a training table.

        Args:
            table: a `Table`, a data frame or a dict of columns.
            target: the name of the column to predict.
            task: `"binary"`, `"multiclass"` or `"regression"`. None decides: text, booleans and at most 20
                different whole numbers, each twice on average, are classes; all else is a value.
            kinds: what the columns are, where the table is a part of one that decided it; None decides.

        Raises:
            DataError: no such column, a missing target cell, one class only, words in a column of numbers
                (fewer than 5 % of its cells), or no column left to learn from.
            ConfigurationError: there is no such task.
        """
        table, target = as_table(table), str(target)  # pandas has columns whose names are numbers
        table.column(target)  # refuses a name that is not there
        kinds = kinds or column_kinds(table)
        goal = fit_target(table, target, kinds[target], task)
        columns, notes = _fit_columns(table, target, kinds)
        if not columns:
            raise DataError(f"The table has no column to predict {target!r} from. {' '.join(notes)}".strip())
        return cls(columns, goal, notes)

    @property
    def task(self) -> Task:
        """`"binary"`, `"multiclass"` or `"regression"`."""
        return self.target.task

    @property
    def classes(self) -> tuple[Label, ...]:
        """The label of each class number; empty for a regression."""
        return self.target.classes

    @property
    def feature_names_out(self) -> tuple[str, ...]:
        """The name of each feature that `transform` gives."""
        return tuple(name for column in self.columns for name in column.feature_names)

    def transform(self, table: Any) -> np.ndarray:
        """Features of shape (rows, features), float32. Columns that the schema does not know are ignored.

        Raises:
            DataError: a column is lacking, or a cell of a column of numbers is none.
        """
        table = self._known(table)
        parts = [column.transform(read_cells(table, column.name, column.spelling)) for column in self.columns]
        return np.concatenate(parts, axis=1)

    def transform_target(self, table: Any) -> np.ndarray:
        """Class numbers, int32, or standardised values, float32; shape (rows,).

        Raises:
            DataError: the column is lacking, or a cell is missing, not a number, or not a class of training.
        """
        return self.target.transform(read_cells(as_table(table), self.target.name, self.target.spelling))

    def inverse_target(self, array: np.ndarray) -> np.ndarray:
        """Labels of class numbers, or values of standardised ones, in the shape of `array`.

        Raises:
            DataError: the array holds something else than the numbers of classes.
        """
        return self.target.inverse(array)

    def unknown_categories(self, table: Any) -> dict[str, int]:
        """For each column with categories that training did not show, how many cells hold one.

        `transform` makes such a cell 0 in every feature of its column.
        """
        table = self._known(table)
        columns = [column for column in self.columns if isinstance(column, CategoricalColumn)]
        counts = {column.name: column.unknown(read_cells(table, column.name, None)) for column in columns}
        return {name: count for name, count in counts.items() if count}

    def to_config(self) -> dict[str, Any]:
        """The schema as JSON: names, categories, classes and moments; no row of the training table."""
        return {
            "columns": [column.to_config() for column in self.columns],
            "target": self.target.to_config(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_config(cls, config: Any) -> TableSchema:
        """Reads what `to_config` wrote.

        Raises:
            DataError: anything is not as it was written; the message names the path inside the JSON.
        """
        fields = Fields(config, "schema", ("columns", "target", "notes"))
        items = enumerate(fields.items("columns"))
        columns = tuple(column_from_config(item, f"schema.columns[{i}]") for i, item in items)
        target = target_from_config(config["target"], "schema.target")
        names = Counter([target.name, *(column.name for column in columns)])
        if not columns or names.most_common(1)[0][1] > 1:
            raise DataError(f"schema.columns expected one or more columns of different names, received {names}.")
        return cls(columns, target, fields.texts("notes"))

    def _known(self, data: Any) -> Table:
        table = as_table(data)
        lacking = [column.name for column in self.columns if column.name not in table.names]
        if lacking:
            raise DataError(
                f"The table lacks {', '.join(map(repr, lacking))}, which the schema learnt from. "
                f"{nearest(lacking[0], table.names)}"
            )
        return table


def _fit_columns(
    table: Table, target: str, kinds: Mapping[str, Kind]
) -> tuple[tuple[FeatureColumn, ...], tuple[str, ...]]:
    """The columns that teach something, and the notes."""
    columns: list[FeatureColumn] = []
    counting: list[FeatureColumn] = []
    notes: list[str] = []
    for name in table.names:
        if name == target:
            continue
        cells = read_cells(table, name, kinds[name].reading)
        if reason := why_dropped(cells):
            notes.append(f"Column {name!r} was dropped: {reason}.")
        else:
            (counting if kinds[name].numbers_rows else columns).append(fit_column(cells))
    if columns:
        notes += [f"Column {one.name!r} was dropped: its whole numbers only number the rows." for one in counting]
    else:
        notes += [f"Column {one.name!r} may only number the rows; no other is left to learn from." for one in counting]
    used = {one.name for one in columns or counting}
    read = {name: kind for name, kind in kinds.items() if name in used or name == target}
    return tuple(columns or counting), (*notes, *kind_notes(read))
