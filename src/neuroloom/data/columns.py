"""Feature columns: how one column of a table becomes columns of float32.

What it must satisfy: whatever is learnt (medians, categories) is learnt in `fit` and only from the training
table; `transform` is a pure function of the column and the new cells.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from neuroloom.data.cells import PLAIN, SPELLINGS, Cells
from neuroloom.data.config_reader import Fields, kind_of
from neuroloom.errors import DataError


def category_limit(present: int) -> int:
    """The most categories that a column of so many filled cells may have: half as many, from 20 to 1000."""
    return min(1000, max(20, present // 2))


@dataclass(frozen=True)
class NumericColumn:
    """Numbers: missing ones become the training median, then all are standardised.

    Attributes:
        name: of the column.
        median: of the training cells.
        mean, scale: of the training cells once filled in; the scale is their standard deviation, or 1.
        indicator: whether a second feature says which cells were missing (some were in training).
        spelling: how its numbers are written.
    """

    name: str
    median: float
    mean: float
    scale: float
    indicator: bool
    spelling: str = PLAIN

    @classmethod
    def fit(cls, cells: Cells) -> NumericColumn:
        """Learns from the training cells, of which at least one is filled."""
        median = float(np.median(cells.numbers[~cells.missing]))
        filled = np.where(cells.missing, median, cells.numbers)
        mean, scale = mean_and_scale(cells.name, filled)
        return cls(cells.name, median, mean, scale, bool(cells.missing.any()), cells.spelling or PLAIN)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name for each feature."""
        return (self.name, f"{self.name} is missing") if self.indicator else (self.name,)

    def transform(self, cells: Cells) -> np.ndarray:
        """Features of shape (rows, 1), or (rows, 2) with the indicator."""
        filled = np.where(cells.missing, self.median, cells.check_numbers())
        features = [(filled - self.mean) / self.scale]
        return np.stack(features + [cells.missing] * self.indicator, axis=1).astype(np.float32)

    def to_config(self) -> dict[str, Any]:
        """The column as JSON."""
        return {"kind": "numeric", **asdict(self)}


@dataclass(frozen=True)
class CategoricalColumn:
    """Categories: one feature for each that training showed; an unknown or missing one is 0 in all of them.

    Attributes:
        name: of the column.
        categories: sorted.
        indicator: whether a last feature says which cells were missing (some were in training).
    """

    name: str
    categories: tuple[str, ...]
    indicator: bool

    spelling: ClassVar[None] = None  # its cells are read as text

    @classmethod
    def fit(cls, cells: Cells) -> CategoricalColumn:
        """Learns from the training cells, of which at least one is filled."""
        return cls(cells.name, _categories(cells), bool(cells.missing.any()))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name for each feature."""
        names = tuple(f"{self.name}={category}" for category in self.categories)
        return (*names, f"{self.name} is missing") if self.indicator else names

    def transform(self, cells: Cells) -> np.ndarray:
        """Features of shape (rows, categories), and one more with the indicator."""
        places = {category: i for i, category in enumerate(self.categories)}
        found = np.array([-1 if text is None else places.get(text, -1) for text in cells.texts()])
        features = (found[:, None] == np.arange(len(self.categories))).astype(np.float32)
        if not self.indicator:
            return features
        return np.concatenate([features, cells.missing[:, None].astype(np.float32)], axis=1)

    def unknown(self, cells: Cells) -> int:
        """How many cells hold a category that training did not show."""
        return sum(text is not None and text not in self.categories for text in cells.texts())

    def to_config(self) -> dict[str, Any]:
        """The column as JSON."""
        return {"kind": "categorical", **asdict(self), "categories": list(self.categories)}


FeatureColumn = NumericColumn | CategoricalColumn


def why_dropped(cells: Cells) -> str | None:
    """Why a training column teaches nothing, in words; None if it may teach something.

    Raises:
        DataError: a column of numbers holds a word.
    """
    present = int((~cells.missing).sum())
    if not present:
        return "all its cells are missing"
    numeric = cells.spelling is not None
    different = len(np.unique(cells.check_numbers()[~cells.missing])) if numeric else len(_categories(cells))
    if different == 1 and present == len(cells.values):
        return "all its cells are equal"
    if not numeric and (different == present > 1 or different > category_limit(present)):
        return f"{different} different texts in {present} filled cells name rows rather than categories"
    return None


def fit_column(cells: Cells) -> FeatureColumn:
    """The column of features that the training cells call for."""
    return CategoricalColumn.fit(cells) if cells.spelling is None else NumericColumn.fit(cells)


def column_from_config(config: Any, path: str) -> FeatureColumn:
    """Reads what `to_config` wrote.

    Raises:
        DataError: anything is not as it was written; the message names the path inside the JSON.
    """
    if kind_of(config, path, ("numeric", "categorical")) == "numeric":
        fields = Fields(config, path, ("kind", "name", "median", "mean", "scale", "indicator", "spelling"))
        numbers = fields.number("median"), fields.number("mean"), fields.positive("scale")
        flag, spelling = fields.flag("indicator"), fields.choice("spelling", SPELLINGS)
        return NumericColumn(fields.text("name"), *numbers, flag, spelling)
    fields = Fields(config, path, ("kind", "name", "categories", "indicator"))
    return CategoricalColumn(fields.text("name"), fields.texts("categories"), fields.flag("indicator"))


def mean_and_scale(name: str, values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation (1 where all values are equal).

    Raises:
        DataError: the values are too large for their squares to be summed.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(values.mean()), float(values.std())
    if not np.isfinite(scale):
        raise DataError(f"column {name!r} expected numbers below 1e150, received {np.abs(values).max():g}.")
    return mean, scale if scale > 0 else 1.0


def _categories(cells: Cells) -> tuple[str, ...]:
    return tuple(sorted({text for text in cells.texts() if text is not None}))
