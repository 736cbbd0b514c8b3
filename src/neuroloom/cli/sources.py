"""Where examples come from, and which of them train, validate and test.

What it must satisfy: nothing is learnt from validation or test rows, except what the columns are (numbers in
which spelling, text) and which classes there are; the same seed parts a table in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from neuroloom import datasets
from neuroloom.cli.arrays import Arrays
from neuroloom.cli.preparation import (
    REVIEW_WORDS,
    ImagePreparation,
    Preparation,
    ReviewPreparation,
    TablePreparation,
)
from neuroloom.cli.recipes import recipe_for
from neuroloom.cli.terminal import listed
from neuroloom.data.cells import parse_number
from neuroloom.data.kinds import column_kinds
from neuroloom.data.tables import Table, TableSchema, as_table, read_csv
from neuroloom.data.targets import Task
from neuroloom.errors import DataError, nearest

TARGETS = {"iris": "species", "wine": "cultivar", "breast_cancer": "diagnosis", "diabetes": "progression"}
"""Tables among the data sets -> the column to predict."""

IMAGES = {"digits": 16, "mnist": 255, "fashion_mnist": 255, "cifar10": 255}
"""Image data sets -> the value of a full pixel."""

NAMES = ("digits", *TARGETS, "mnist", "fashion_mnist", "cifar10", "imdb")
"""The data sets that can be trained on by name."""

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.2
FEWEST_ROWS = 10


@dataclass(frozen=True)
class Source:
    """Examples in three parts, and how they are prepared.

    Attributes:
        name: of the data set, or of the file without its folder.
        about: what it is, in a sentence.
        preparation: learnt from the training part.
        train, validation, test: raw data.
        notes: what a user should know of the data, one sentence each.
    """

    name: str
    about: str
    preparation: Preparation
    train: Any
    validation: Any
    test: Any
    notes: tuple[str, ...] = ()


def open_source(data: str, target: str | None, task: str | None, seed: int) -> Source:
    """The examples that `neuroloom train` is given.

    Args:
        data: the name of a data set, or the path of a CSV file.
        target: the column to predict, for a CSV file only.
        task: "classification" or "regression"; None decides by the column.
        seed: of the split.

    Raises:
        DataError: neither a data set nor a file, no target column, or data that cannot be learnt from.
    """
    if data not in NAMES:
        return _from_csv(data, target, task, seed)
    if target is not None or task is not None:
        raise DataError(f"The data set {data!r} says itself what to predict; leave out --target and --task.")
    return _from_table(data, seed) if data in TARGETS else _from_arrays(data, seed)


def test_part(name: str) -> Any:
    """The raw test part of a data set."""
    return (_tables(name) if name in TARGETS else _arrays(name))[1]


# ---------------------------------------------------------------------------------------------------- CSV files


def _from_csv(data: str, target: str | None, task: str | None, seed: int) -> Source:
    if not Path(data).exists():
        known = nearest(data, NAMES)
        raise DataError(f"{data!r} is neither a data set nor a file. {known}")
    table = read_csv(data, () if target is None or parse_number(target) is None else (target,))
    if target is None:
        raise DataError(f"Say which column of {data} to predict: --target NAME. Columns: {', '.join(table.names)}.")
    if target not in table.names and table.names == tuple(f"c{i}" for i in range(len(table.names))):
        raise DataError(
            f"{data} has no column {target!r}: its first row holds numbers and was read as data, so its columns are "
            f"named {listed(table.names, 4)}. If the first row is names, write words there."
        )
    kinds = column_kinds(table)
    wanted: dict[str | None, Task | None] = {"classification": "multiclass", "regression": "regression"}
    seen = TableSchema.fit(table, target, wanted.get(task), kinds)  # all rows: every class, every wrong cell
    train, validation, test = _split(table, seen, (VALIDATION_SHARE, TEST_SHARE), seed)
    if not validation.rows or not test.rows:
        raise DataError(
            f"{data} has {table.rows} rows, too few to hold some out for validation and test. "
            f"At least {FEWEST_ROWS} are needed, and 3 of some class."
        )
    name = Path(data).name
    about = f"{name}: {table.rows:,} rows of {len(table.names)} columns."
    learnt = TablePreparation.fit(train, target, seen.task, kinds)
    return Source(name, about, learnt, train, validation, test, (*_header_notes(table), *learnt.schema.notes))


def _header_notes(table: Table) -> tuple[str, ...]:
    if not all(parse_number(name) is not None for name in table.names):
        return ()
    return (f"The first row, {listed(table.names)}, was read as the names of the columns.",)


def _split(table: Table, seen: TableSchema, shares: tuple[float, ...], seed: int) -> tuple[Table, ...]:
    labels = seen.transform_target(table) if seen.classes else None
    return tuple(table_rows(table, index) for index in split_rows(table.rows, labels, shares, seed))


def table_rows(table: Table, index: np.ndarray) -> Table:
    """Some rows of a table, which still know their lines."""
    lines = None if table.lines is None else tuple(table.lines[i] for i in index)
    return replace(table, columns=tuple(column[index] for column in table.columns), lines=lines)


def split_rows(n: int, labels: np.ndarray | None, shares: tuple[float, ...], seed: int) -> tuple[np.ndarray, ...]:
    """Row numbers of the training part and of a part for each share, every class in the same proportion.

    The training part gets at least one row of every class.

    >>> [part.tolist() for part in split_rows(6, np.array([0, 1, 0, 1, 0, 1]), (0.34,), seed=0)]
    [[0, 1, 2, 3], [4, 5]]
    """
    generator = np.random.default_rng(seed)
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    parts: list[list[int]] = [[] for _ in range(1 + len(shares))]
    for group in groups:
        shuffled = generator.permutation(group)
        ends = np.cumsum([round(share * len(group)) for share in shares])
        for part, rows in zip([*parts[1:], parts[0]], np.split(shuffled, ends), strict=True):
            part.extend(rows.tolist())
    return tuple(np.sort(np.array(part, int)) for part in parts)


# ---------------------------------------------------------------------------------------------------- data sets


def _module(name: str) -> ModuleType:
    return getattr(datasets, name)


def _about(name: str) -> str:
    """The first sentence of the data set's own documentation."""
    lines = (_module(name).__doc__ or name).split("\n\n")[0]
    return " ".join(lines.split())


def _tables(name: str) -> tuple[Table, Table]:
    module = _module(name)
    names = getattr(module, "class_names", None)
    train, test = module.load_data()

    def table(x: np.ndarray, y: np.ndarray) -> Table:
        columns = {feature: x[:, i] for i, feature in enumerate(module.feature_names)}
        return as_table({**columns, TARGETS[name]: y if names is None else np.array(names, object)[y]})

    return table(*train), table(*test)


def _from_table(name: str, seed: int) -> Source:
    rest, test = _tables(name)
    kinds = column_kinds(rest)
    seen = TableSchema.fit(rest, TARGETS[name], kinds=kinds)
    train, validation = _split(rest, seen, (recipe_for(name, rest.rows).held_out,), seed)
    learnt = TablePreparation.fit(train, TARGETS[name], seen.task, kinds)
    return Source(name, _about(name), learnt, train, validation, test)


def _arrays(name: str) -> tuple[Arrays, Arrays]:
    load = _module(name).load_data
    (x, y), (x_test, y_test) = load(num_words=REVIEW_WORDS) if name == "imdb" else load()
    return Arrays(x, y), Arrays(x_test, y_test)


def _from_arrays(name: str, seed: int) -> Source:
    rest, test = _arrays(name)
    classes = _module(name).class_names
    preparation: Preparation = ReviewPreparation(classes)
    if name in IMAGES:
        shape = (*rest.x.shape[1:], 1)[:3]
        preparation = ImagePreparation(shape, IMAGES[name], classes)
    share = recipe_for(name, len(rest.x)).held_out
    train, validation = split_rows(len(rest.x), preparation.target(rest), (share,), seed)
    return Source(name, _about(name), preparation, rest.rows(train), rest.rows(validation), test)
