"""How raw data become what a network takes: learnt in training, recorded in the model file, applied ever after.

What it must satisfy: `from_config(p.to_config())` prepares exactly as `p` does; a record that is not as it was
written is refused; data that do not fit are refused with what was expected.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from neuroloom.cli.arrays import Arrays, read_arrays
from neuroloom.cli.terminal import digits
from neuroloom.data.cells import PLAIN
from neuroloom.data.config_reader import Fields, kind_of
from neuroloom.data.kinds import Kind
from neuroloom.data.tables import Table, TableSchema, read_csv
from neuroloom.data.targets import Label, Task
from neuroloom.datasets import imdb
from neuroloom.errors import DataError

REVIEW_WORDS = 10_000  # words of the vocabulary; the last REVIEW_LENGTH of a review are read
REVIEW_LENGTH = 256
START, UNKNOWN, FIRST = 1, 2, 3  # the numbers of IMDB: padding is 0, rank r is r + FIRST


class Preparation(Protocol):
    """From raw data to features and targets, and from the network's outputs back."""

    @property
    def classes(self) -> tuple[Label, ...]:
        """The label of each class; empty for a regression."""

    def read(self, path: Path) -> Any:
        """Raw data from a file."""

    def features(self, data: Any) -> np.ndarray:
        """What the network takes, shape (rows, ...)."""

    def target(self, data: Any) -> np.ndarray:
        """What the network learns, shape (rows,): class numbers, or standardised values."""

    def values(self, target: np.ndarray) -> np.ndarray:
        """Labels of class numbers; values of standardised ones."""

    def remarks(self, data: Any) -> list[str]:
        """What a user should know about how these data fit."""

    def facts(self) -> list[tuple[str, str]]:
        """The preparation in words, as (what, how)."""

    def to_config(self) -> dict[str, Any]:
        """The preparation as JSON."""


@dataclass(frozen=True)
class TablePreparation:
    """Named columns, by a `TableSchema`."""

    schema: TableSchema

    @classmethod
    def fit(
        cls, table: Table, target: str, task: Task | None, kinds: Mapping[str, Kind] | None = None
    ) -> TablePreparation:
        """Learns medians, means, scales and categories; see `TableSchema.fit`."""
        return cls(TableSchema.fit(table, target, task, kinds))

    @property
    def classes(self) -> tuple[Label, ...]:
        return self.schema.classes

    def read(self, path: Path) -> Table:
        return read_csv(path, [column.name for column in self.schema.columns])

    def features(self, data: Table) -> np.ndarray:
        return self.schema.transform(data)

    def target(self, data: Table) -> np.ndarray:
        return self.schema.transform_target(data)

    def values(self, target: np.ndarray) -> np.ndarray:
        return self.schema.inverse_target(target)

    def remarks(self, data: Table) -> list[str]:
        unknown = self.schema.unknown_categories(data).items()
        return [
            f"column {name!r} holds {n} {'cell' if n == 1 else 'cells'} of categories that training did not show; "
            f"they count as none of the known ones."
            for name, n in unknown
        ]

    def facts(self) -> list[tuple[str, str]]:
        told = [(column.name, _column_in_words(column.to_config())) for column in self.schema.columns]
        target = self.schema.target
        classes = ", ".join(map(str, target.classes))
        goal = f"classes {classes}" if classes else f"{_number_in_words(target.to_config())}, standardised"
        return [*told, (f"{target.name} (target)", goal)]

    def to_config(self) -> dict[str, Any]:
        return {"kind": "table", "schema": self.schema.to_config()}


def _column_in_words(column: dict[str, Any]) -> str:
    missing = "; missing ones flagged" if column["indicator"] else ""
    if column["kind"] == "categorical":
        return f"{len(column['categories'])} categories, one feature each{missing}"
    return f"{_number_in_words(column)}{missing}"


def _number_in_words(column: dict[str, Any]) -> str:
    like = "" if column["spelling"] == PLAIN else f" written as in {column['spelling']}"
    mean, scale = column["mean"], column["scale"]
    return f"number{like}, mean {digits(mean, scale)}, scale {scale:.4g}"


@dataclass(frozen=True)
class ImagePreparation:
    """Pictures: pixels divided by the largest value they can have.

    Attributes:
        shape: of one picture: height, width, channels.
        largest: the value of a full pixel: 255, for digits 16.
        classes: the name of each class.
    """

    shape: tuple[int, ...]
    largest: int
    classes: tuple[Label, ...]

    def read(self, path: Path) -> Arrays:
        return read_arrays(path)

    def features(self, data: Arrays) -> np.ndarray:
        x = data.x
        shapes = {self.shape, self.shape[:-1] if self.shape[-1] == 1 else self.shape}
        if x.shape[1:] not in shapes or not len(x):
            plain = ", ".join(map(str, self.shape[:-1] if self.shape[-1] == 1 else self.shape))
            raise DataError(f"The model expected images of shape (n, {plain}), received an array of shape {x.shape}.")
        self._check_pixels(x)
        return (x.reshape(-1, *self.shape) / np.float32(self.largest)).astype(np.float32)

    def _check_pixels(self, x: np.ndarray) -> None:
        if x.dtype.kind not in "uif" or not np.isfinite(x).all() or x.min() < 0 or x.max() > self.largest:
            seen = f"{x.min()} to {x.max()}" if x.dtype.kind in "uif" else str(x.dtype)
            raise DataError(f"The model expected pixels from 0 to {self.largest}, received {seen}.")
        if x.dtype.kind == "f" and 0 < x.max() <= 1 < self.largest:
            raise DataError(
                f"The model expected pixels from 0 to {self.largest}, received fractions up to {x.max():g}. "
                f"Multiply them by {self.largest}."
            )

    def target(self, data: Arrays) -> np.ndarray:
        return data.labels(len(self.classes))

    def values(self, target: np.ndarray) -> np.ndarray:
        return np.array(self.classes)[target]

    def remarks(self, data: Arrays) -> list[str]:
        return []

    def facts(self) -> list[tuple[str, str]]:
        size = " × ".join(map(str, self.shape))
        return [("image", f"{size} pixels, divided by {self.largest}"), _classes_in_words(self.classes)]

    def to_config(self) -> dict[str, Any]:
        return {
            "kind": "images",
            "shape": list(self.shape),
            "largest": self.largest,
            "classes": list(self.classes),
        }


@dataclass(frozen=True)
class ReviewPreparation:
    """Texts: the numbers of their last words, by the ranks of IMDB's word list."""

    classes: tuple[Label, ...]

    def read(self, path: Path) -> Arrays:
        """A CSV file with a column `text`, and `label` to be evaluated on."""
        table, index = read_csv(path), imdb.get_word_index()
        rows = [[START, *_numbers(str(text), index)] for text in table.column("text")]
        y = self._label_numbers(table) if "label" in table.names else None
        return Arrays(_ragged(rows), y)

    def _label_numbers(self, table: Table) -> np.ndarray:
        names = [str(name) for name in self.classes]
        given = [str(label) for label in table.column("label")]
        for row, label in enumerate(given):
            if label not in names:
                raise DataError(f"label {table.where(row)} expected {' or '.join(names)}, received {label!r}.")
        return np.array([names.index(label) for label in given])

    def features(self, data: Arrays) -> np.ndarray:
        out = np.zeros((len(data.x), REVIEW_LENGTH), np.int32)
        for line, row in zip(out, data.x, strict=True):
            last = row[-REVIEW_LENGTH:]
            line[REVIEW_LENGTH - len(last) :] = last
        return out

    def target(self, data: Arrays) -> np.ndarray:
        return data.labels(len(self.classes))

    def values(self, target: np.ndarray) -> np.ndarray:
        return np.array(self.classes)[target]

    def remarks(self, data: Arrays) -> list[str]:
        return []

    def facts(self) -> list[tuple[str, str]]:
        words = f"the last {REVIEW_LENGTH} words, of the {REVIEW_WORDS:,} most frequent"
        return [("text", words), _classes_in_words(self.classes)]

    def to_config(self) -> dict[str, Any]:
        return {"kind": "reviews", "classes": list(self.classes)}


def _numbers(text: str, index: dict[str, int]) -> list[int]:
    """The words of a text as IMDB's numbers; words outside the list are left out, as there."""
    spaces = str.maketrans(dict.fromkeys(string.punctuation.replace("'", "") + "\t\n", " "))
    ranks = [index[word] + FIRST for word in text.lower().translate(spaces).split() if word in index]
    return [rank if rank < REVIEW_WORDS else UNKNOWN for rank in ranks]


def _ragged(rows: Sequence[list[int]]) -> np.ndarray:
    array = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        array[i] = row
    return array


def _classes_in_words(classes: tuple[Label, ...]) -> tuple[str, str]:
    return "target", f"classes {', '.join(map(str, classes))}"


def preparation_from_config(config: Any, path: str = "preparation") -> Preparation:
    """Reads what `to_config` wrote.

    Raises:
        DataError: anything is not as it was written; the message names the path inside the JSON.
    """
    kind = kind_of(config, path, ("table", "images", "reviews"))
    if kind == "table":
        Fields(config, path, ("kind", "schema"))
        return TablePreparation(TableSchema.from_config(config["schema"]))
    if kind == "reviews":
        return ReviewPreparation(Fields(config, path, ("kind", "classes")).labels("classes"))
    fields = Fields(config, path, ("kind", "shape", "largest", "classes"))
    shape = fields.items("shape")
    if len(shape) != 3 or not all(type(n) is int and n > 0 for n in shape):
        raise DataError(f"{path}.shape expected three positive integers, received {shape!r:.60}.")
    return ImagePreparation(tuple(shape), int(fields.positive("largest")), fields.labels("classes"))
