"""What `fit` and `evaluate` accept instead of arrays: generators and other iterables of batches."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from neuroloom.errors import ConfigurationError, DataError


def gives_batches(x: Any) -> bool:
    """Whether x is a generator or an iterable of batches rather than data."""
    if isinstance(x, list | tuple | Mapping | str) or hasattr(x, "shape") or hasattr(x, "__array__"):
        return False
    return isinstance(x, Iterable)


def refuse_beside_batches(**given: Any) -> None:
    """Arguments that make no sense beside a generator."""
    for name, value in given.items():
        if value is not None:
            raise ConfigurationError(f"{name} cannot be given beside a generator, which makes the batches itself.")


def parts(batch: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight or None) of a batch."""
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        raise DataError(f"A batch is a tuple (x, y) or (x, y, sample_weight), received {type(batch).__name__}.")
    x, y, *weight = batch
    return x, y, weight[0] if weight else None


def first_of(source: Any) -> tuple[Any, Any]:
    """The first batch, and an iterable that still gives it."""
    iterator = iter(source)
    head = next(iterator, None)
    if head is None:
        raise DataError("Expected at least one batch, but the generator gives none.")
    return head, itertools.chain([head], iterator) if iterator is source else source


class Converted:
    """An iterable with a function applied to each item; it can be started anew if the iterable can."""

    def __init__(self, items: Iterable[Any], convert: Callable[[Any], Any]) -> None:
        self.items, self.convert = items, convert

    def __iter__(self) -> Iterator[Any]:
        return map(self.convert, self.items)

    def __length_hint__(self) -> int:
        return operator.length_hint(self.items)


def converted(items: Iterable[Any], convert: Callable[[Any], Any]) -> Iterable[Any]:
    """`convert(item)` for each item: once for an iterator, as often as wanted for anything else."""
    return map(convert, items) if isinstance(items, Iterator) else Converted(items, convert)
