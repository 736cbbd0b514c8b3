"""Numbers of a configuration that several networks may differ in and still share one program.

A class declares them in `lifted`: a penalty's strength, a dropout's rate. Taken out of the structure they enter the
compiled step as arrays; a learning rate is in the training state anyway. So networks that differ in nothing else have
one structure, one signature and one program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from neuroloom.config import Configured
from neuroloom.layers.parts import copied
from neuroloom.learning.supervised import Supervised

T = TypeVar("T", bound=Configured)

MARK = 0.5
"""What stands in the place of a lifted number in a structure."""


def parted(task: Supervised) -> tuple[Any, list[float]]:
    """The signature of the structure, equal for tasks that share a program, and the lifted numbers.

    >>> import neuroloom as nl
    >>> model = nl.Sequential([nl.layers.Dense(1, kernel_regularizer=nl.regularizers.L2(0.1), input_shape=(2,))])
    >>> parted(Supervised(model.network, ()))[1]
    [0.1]
    """
    kept = vars(task)  # it lives as long as the task; finding it anew takes longer than an epoch of a small network
    if "_parted" not in kept:
        found: list[float] = []

        def taken(number: float) -> float:
            found.append(number)
            return MARK

        kept["_parted"] = _replaced(task, taken).signature(), found
    return kept["_parted"]


def without(task: Supervised) -> Supervised:
    """The task with a mark in the place of each lifted number."""
    return _replaced(task, lambda _: MARK)


def holding(task: Supervised, values: list[Any]) -> Supervised:
    """The task with these values (arrays, inside a program) in the places of its lifted numbers."""
    given = iter(values)
    return _replaced(task, lambda _: next(given))


def _replaced(task: Supervised, fn: Callable[[Any], Any]) -> Supervised:
    if not isinstance(task, Supervised) or task.model is None:
        return replace(task, network=with_numbers(task.network, fn))
    network, model = copied((task.network, task.model), {}, fn)  # the model's layers are the network's
    return replace(task, network=network, model=model)


def with_numbers(value: T, fn: Callable[[Any], Any]) -> T:
    """A copy of `value`, without weights, with `fn(number)` for each lifted number in it."""
    return copied(value, {}, fn)
