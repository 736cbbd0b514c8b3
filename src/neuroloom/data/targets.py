"""The column to predict: classes or values, and the way there and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np

from neuroloom.data.cells import PLAIN, SPELLINGS, Cells, parse_number, read_cells
from neuroloom.data.columns import category_limit, mean_and_scale
from neuroloom.data.config_reader import Fields, kind_of
from neuroloom.data.frames import Table
from neuroloom.data.kinds import Kind
from neuroloom.errors import ConfigurationError, DataError, nearest

Task = Literal["binary", "multiclass", "regression"]
Label = str | int | bool

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
MOST_CLASSES = 20
"""A target of more different whole numbers than this is taken for values, not for classes."""

_INT64 = np.iinfo(np.int64).max


@dataclass(frozen=True)
class ClassTarget:
    """Classes, numbered in sorted order (texts that are all numbers in the order of these).

    Attributes:
        name: of the column.
        task: `"binary"` or `"multiclass"`.
        classes: the label of each number, as the table has it.
    """

    name: str
    task: Task
    classes: tuple[Label, ...]

    spelling: ClassVar[None] = None  # labels are no numbers, whatever they look like

    @classmethod
    def fit(cls, cells: Cells, task: Task | None) -> ClassTarget:
        """Learns the classes; see `fit_target`."""
        classes = tuple(_in_order(set(_labels(cells))))
        if len(classes) < 2:
            raise DataError(f"target {cells.name!r} expected two classes or more, received only {classes[0]!r}.")
        if isinstance(classes[0], str) and len(classes) > category_limit(len(cells.values)):
            raise DataError(
                f"target {cells.name!r} expected classes, received {len(classes)} different texts in "
                f"{len(cells.values)} rows. Choose another column."
            )
        if task == "binary" and len(classes) > 2:
            raise DataError(f"target {cells.name!r} expected two classes (task='binary'), received {len(classes)}.")
        return cls(cells.name, task or ("binary" if len(classes) == 2 else "multiclass"), classes)

    def transform(self, cells: Cells) -> np.ndarray:
        """Labels of shape (rows,), int32.

        Raises:
            DataError: a cell is missing, or holds a label that training did not show.
        """
        _check_filled(cells)
        numbers = {str(label): i for i, label in enumerate(self.classes)}
        labels = np.array([numbers.get(label or "", -1) for label in cells.texts()], dtype=np.int32)
        if (labels < 0).any():
            row = int(np.argmax(labels < 0))
            raise DataError(
                f"target {self.name!r} {cells.table.where(row)}: {cells.text(row)!r} is not a class seen in "
                f"training. {nearest(cells.text(row), numbers)}"
            )
        return labels

    def inverse(self, array: np.ndarray) -> np.ndarray:
        """The labels of class numbers, in the shape of `array`.

        Raises:
            DataError: the array holds something else than the numbers of classes.
        """
        numbers = np.asarray(array)
        if numbers.dtype.kind not in "iu":
            raise DataError(
                f"target {self.name!r} expected class numbers (integers), received {numbers.dtype}. Turn "
                f"probabilities into numbers first: argmax(axis=-1), or (p > 0.5).astype(int) of one unit."
            )
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self.classes):
            raise DataError(
                f"target {self.name!r} expected class numbers from 0 to {len(self.classes) - 1}, received "
                f"{numbers.min()} to {numbers.max()}."
            )
        exact = all(abs(label) <= _INT64 for label in self.classes if isinstance(label, int))
        return np.array(self.classes, None if exact else object)[numbers]

    def to_config(self) -> dict[str, Any]:
        """The target as JSON."""
        return {"kind": "classes", **asdict(self), "classes": list(self.classes)}


@dataclass(frozen=True)
class ValueTarget:
    """A number, standardised.

    Attributes:
        name: of the column.
        mean, scale: of the training cells.
        spelling: how its numbers are written.
    """

    name: str
    mean: float
    scale: float
    spelling: str = PLAIN

    task: ClassVar[Task] = "regression"
    classes: ClassVar[tuple[Label, ...]] = ()

    @classmethod
    def fit(cls, cells: Cells) -> ValueTarget:
        """Learns mean and standard deviation; see `fit_target`."""
        values = cells.check_numbers()
        if np.ptp(values) == 0:
            raise DataError(f"target {cells.name!r} expected different values, received only {values[0]:g}.")
        return cls(cells.name, *mean_and_scale(cells.name, values), cells.spelling or PLAIN)

    def transform(self, cells: Cells) -> np.ndarray:
        """Standardised values of shape (rows,), float32.

        Raises:
            DataError: a cell is missing or is not a number.
        """
        _check_filled(cells)
        return ((cells.check_numbers() - self.mean) / self.scale).astype(np.float32)

    def inverse(self, array: np.ndarray) -> np.ndarray:
        """The values of standardised ones, float64, in the shape of `array`."""
        return np.asarray(array, np.float64) * self.scale + self.mean

    def to_config(self) -> dict[str, Any]:
        """The target as JSON."""
        return {"kind": "values", **asdict(self)}


Target = ClassTarget | ValueTarget


def fit_target(table: Table, name: str, kind: Kind, task: Task | None) -> Target:
    """Decides what is to be predicted, unless `task` says it.

    Text and booleans are classes. Whole numbers are classes if at most 20 of them are different, and each
    occurs twice on average (two classes are always allowed). All else is a value.

    Raises:
        ConfigurationError: there is no such task.
        DataError: a cell is missing, there is one class only, or the cells do not fit the task.
    """
    if task is not None and task not in TASKS:
        raise ConfigurationError(
            f"task expected one of {', '.join(TASKS)}, received {task!r}. {nearest(str(task), TASKS)}"
        )
    cells = read_cells(table, name, (kind.spelling or PLAIN) if task == "regression" else kind.reading)
    _check_filled(cells)
    classes = task != "regression" if task else _looks_like_classes(cells)
    return ClassTarget.fit(cells, task) if classes else ValueTarget.fit(cells)


def target_from_config(config: Any, path: str) -> Target:
    """Reads what `to_config` wrote.

    Raises:
        DataError: anything is not as it was written; the message names the path inside the JSON.
    """
    if kind_of(config, path, ("classes", "values")) == "values":
        fields = Fields(config, path, ("kind", "name", "mean", "scale", "spelling"))
        numbers = fields.number("mean"), fields.positive("scale")
        return ValueTarget(fields.text("name"), *numbers, fields.choice("spelling", SPELLINGS))
    fields = Fields(config, path, ("kind", "name", "task", "classes"))
    task, classes = fields.choice("task", ("binary", "multiclass")), fields.labels("classes")
    if task == "binary" and len(classes) > 2:
        raise DataError(f"{path}.classes expected two classes (task is binary), received {len(classes)}.")
    return ClassTarget(fields.text("name"), cast(Task, task), classes)


def _looks_like_classes(cells: Cells) -> bool:
    if cells.spelling is None:
        return True
    different = np.unique(cells.check_numbers())
    whole = bool((different == np.round(different)).all())
    return whole and len(different) <= min(MOST_CLASSES, max(2, len(cells.values) // 2))


def _labels(cells: Cells) -> list[Any]:
    """Booleans, whole numbers or texts, all of one type, as the table has them."""
    labels = cells.values.tolist()
    types = {type(label) for label in labels}
    if float in types and types <= {float, int}:
        _check_whole(cells)
        return [int(label) for label in labels]
    if types in ({bool}, {int}):
        return labels
    return [cells.text(row) for row in range(len(labels))]


def _check_whole(cells: Cells) -> None:
    values = cells.values.astype(np.float64)
    fractions = values != np.round(values)
    if fractions.any():
        row = int(np.argmax(fractions))
        raise DataError(
            f"target {cells.name!r} {cells.table.where(row)} expected a class (text or a whole number), "
            f"received {values[row]:g}. Is the task 'regression'?"
        )


def _in_order(labels: set[Any]) -> list[Any]:
    """Labels in their order, which for texts that are all numbers is that of the numbers."""
    if all(isinstance(label, str) and parse_number(label) is not None for label in labels):
        return sorted(labels, key=lambda label: (parse_number(label), label))
    return sorted(labels)


def _check_filled(cells: Cells) -> None:
    if cells.missing.any():
        where = cells.table.where(int(np.argmax(cells.missing)))
        raise DataError(f"target {cells.name!r} {where} is missing. Fill it in or remove the row.")
