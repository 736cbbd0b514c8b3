"""Strict reading of a JSON object: every fault names the path inside the JSON.

What it must satisfy: a value of another type than asked for never passes; true and false are no numbers.
"""

from __future__ import annotations

import sys
from typing import Any

from neuroloom.errors import DataError, nearest

_LARGEST = sys.float_info.max


def kind_of(value: Any, path: str, kinds: tuple[str, ...]) -> str:
    """The field "kind" of a JSON object, which says what the other fields are."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind not in kinds:
        raise DataError(f"{path} expected an object whose kind is one of {', '.join(kinds)}, received {value!r:.60}.")
    return kind


class Fields:
    """The fields of one JSON object, each of which must be asked for by its type.

    >>> Fields({"mean": "x"}, "columns[2]", ("mean",)).number("mean")
    Traceback (most recent call last):
    neuroloom.errors.DataError: columns[2].mean expected a finite number, received 'x'.
    """

    def __init__(self, value: Any, path: str, names: tuple[str, ...]) -> None:
        if not isinstance(value, dict):
            raise DataError(f"{path} expected an object, received {value!r:.60}.")
        self._fields, self._path = value, path
        for name in value:
            if name not in names:
                raise DataError(f"{path} has an unknown key {name!r}. {nearest(str(name), names)}")
        for name in names:
            if name not in value:
                raise DataError(f"{path} lacks the key {name!r}.")

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._fields[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
            raise self._wrong(name, "a finite number")
        return float(value)

    def positive(self, name: str) -> float:
        """A finite number above zero."""
        value = self.number(name)
        if value <= 0:
            raise self._wrong(name, "a number above 0")
        return value

    def text(self, name: str) -> str:
        """A string."""
        if not isinstance(self._fields[name], str):
            raise self._wrong(name, "a string")
        return self._fields[name]

    def flag(self, name: str) -> bool:
        """true or false."""
        if not isinstance(self._fields[name], bool):
            raise self._wrong(name, "true or false")
        return self._fields[name]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some strings."""
        if self.text(name) not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}")
        return self._fields[name]

    def items(self, name: str) -> list[Any]:
        """An array of anything."""
        if not isinstance(self._fields[name], list):
            raise self._wrong(name, "an array")
        return self._fields[name]

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of different strings."""
        items = self.items(name)
        if not all(isinstance(item, str) for item in items) or len(set(items)) < len(items):
            raise self._wrong(name, "an array of different strings")
        return tuple(items)

    def labels(self, name: str) -> tuple[str | int | bool, ...]:
        """An array of at least two different strings, integers or booleans, all of one type."""
        items = self.items(name)
        one_type = len({type(item) for item in items}) == 1 and type(items[0]) in (str, int, bool)
        if not one_type or not 2 <= len(items) == len(set(items)):
            raise self._wrong(name, "an array of two or more different strings, integers or booleans")
        return tuple(items)

    def _wrong(self, name: str, expected: str) -> DataError:
        return DataError(f"{self._path}.{name} expected {expected}, received {self._fields[name]!r:.60}.")
