"""The column to predict: classes or values, and the way there and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np

from neuroloom.data.cells import Cells
from neuroloom.data.columns import category_limit, holds_numbers, mean_and_scale
from neuroloom.data.config_reader import Fields, kind_of
from neuroloom.errors import ConfigurationError, DataError, nearest

Task = Literal["binary", "multiclass", "regression"]
Label = str | int | bool

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
MOST_CLASSES = 20
"""A target of more different whole numbers than this is taken for values, not for classes."""


@dataclass(frozen=True)
class ClassTarget:
    """Classes, numbered in sorted order.

    Attributes:
        name: of the column.
        task: `"binary"` or `"multiclass"`.
        classes: the label of each number.
    """

    name: str
    task: Task
    classes: tuple[Label, ...]

    @classmethod
    def fit(cls, cells: Cells, task: Task | None) -> ClassTarget:
        """Learns the classes; see `fit_target`."""
        classes = tuple(sorted(set(_labels(cells))))
        if len(classes) < 2:
            raise DataError(f"target {cells.name!r} expected two classes or more, received only {classes[0]!r}.")
        if _holds_words(cells) and len(classes) > category_limit(len(cells.values)):
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
        labels = np.array([numbers.get(str(label), -1) for label in _labels(cells)], dtype=np.int32)
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
        return np.array(self.classes)[numbers]

    def to_config(self) -> dict[str, Any]:
        """The target as JSON."""
        return {"kind": "classes", **asdict(self), "classes": list(self.classes)}


@dataclass(frozen=True)
class ValueTarget:
    """A number, standardised.

    Attributes:
        name: of the column.
        mean, scale: of the training cells.
    """

    name: str
    mean: float
    scale: float

    task: ClassVar[Task] = "regression"
    classes: ClassVar[tuple[Label, ...]] = ()

    @classmethod
    def fit(cls, cells: Cells) -> ValueTarget:
        """Learns mean and standard deviation; see `fit_target`."""
        values = cells.check_numbers()
        if np.ptp(values) == 0:
            raise DataError(f"target {cells.name!r} expected different values, received only {values[0]:g}.")
        return cls(cells.name, *mean_and_scale(cells.name, values))

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


def fit_target(cells: Cells, task: Task | None) -> Target:
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
    _check_filled(cells)
    classes = task != "regression" if task else _looks_like_classes(cells)
    return ClassTarget.fit(cells, task) if classes else ValueTarget.fit(cells)


def target_from_config(config: Any, path: str) -> Target:
    """Reads what `to_config` wrote.

    Raises:
        DataError: anything is not as it was written; the message names the path inside the JSON.
    """
    if kind_of(config, path, ("classes", "values")) == "values":
        fields = Fields(config, path, ("kind", "name", "mean", "scale"))
        return ValueTarget(fields.text("name"), fields.number("mean"), fields.positive("scale"))
    fields = Fields(config, path, ("kind", "name", "task", "classes"))
    task, classes = fields.choice("task", ("binary", "multiclass")), fields.labels("classes")
    if task == "binary" and len(classes) > 2:
        raise DataError(f"{path}.classes expected two classes (task is binary), received {len(classes)}.")
    return ClassTarget(fields.text("name"), cast(Task, task), classes)


def _holds_words(cells: Cells) -> bool:
    """Whether some cell is text or a boolean."""
    return bool(cells.words.any())


def _looks_like_classes(cells: Cells) -> bool:
    if not holds_numbers(cells):
        return True
    different = np.unique(cells.numbers)
    whole = bool((different == np.round(different)).all())
    return whole and len(different) <= min(MOST_CLASSES, max(2, len(cells.values) // 2))


def _labels(cells: Cells) -> list[Any]:
    """Booleans, whole numbers or texts, all of one type."""
    if cells.values.dtype.kind == "b":
        return cells.values.tolist()
    if _holds_words(cells):
        return [cells.text(row) for row in range(len(cells.values))]
    fractions = cells.numbers != np.round(cells.numbers)
    if fractions.any():
        row = int(np.argmax(fractions))
        raise DataError(
            f"target {cells.name!r} {cells.table.where(row)} expected a class (text or a whole number), "
            f"received {cells.numbers[row]:g}. Is the task 'regression'?"
        )
    return [int(number) for number in cells.numbers]


def _check_filled(cells: Cells) -> None:
    if cells.missing.any():
        where = cells.table.where(int(np.argmax(cells.missing)))
        raise DataError(f"target {cells.name!r} {where} is missing. Fill it in or remove the row.")
