"""What `fit` and `evaluate` accept instead of arrays: generators and other iterables of batches."""

from __future__ import annotations

import itertools
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from neuroloom.errors import ConfigurationError, DataError, NeuroloomError

PATIENCE_SECONDS = 1.0
"""After which time an evaluation says that its generator goes on."""


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
    head = next_batch(iterator, "batch 1")
    if head is None:
        raise DataError("Expected at least one batch, but the generator gives none.")
    return head, itertools.chain([head], iterator) if iterator is source else source


def next_batch(source: Iterator[Any], place: str) -> Any:
    """The next batch, None at the end. What goes wrong in a user's generator is said with its place."""
    try:
        return next(source, None)
    except NeuroloomError as error:
        error.add_note(f"This happened at {place}.")
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"The generator of batches failed at {place} with {what}. Mend what it does there.") from error


class Patience:
    """Called for each batch: says a word where a source of unknown length goes on for more than a second.

    Args:
        steps: how many batches are wanted; None: all.
        argument: what limits them.
    """

    def __init__(self, source: Any, steps: int | None, verbose: int | str, argument: str) -> None:
        self.argument, self.count, self.began = argument, 0, time.monotonic()
        self.waiting = bool(verbose) and steps is None and not operator.length_hint(source)

    def __call__(self) -> None:
        self.count += 1
        if self.waiting and time.monotonic() - self.began > PATIENCE_SECONDS:
            self.waiting = False
            print(
                f"{self.count} batches evaluated, and the generator goes on. If it never ends, interrupt and give "
                f"{self.argument}, the number of batches.",
                flush=True,
            )


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
