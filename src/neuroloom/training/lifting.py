"""Numbers of a configuration that several networks may differ in and still share one program.

A class declares them in `lifted`: a penalty's strength, a dropout's rate. Taken out of the structure they enter the
compiled step as arrays; a learning rate is in the training state anyway. So networks that differ in nothing else have
one structure, one signature and one program.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from neuroloom.config import Configured
from neuroloom.layers import Layer, Network
from neuroloom.layers.base import Cell
from neuroloom.training.step import Task

T = TypeVar("T", bound=Configured)

MARK = 0.5
"""What stands in the place of a lifted number in a structure."""


def parted(task: Task) -> tuple[Any, list[float]]:
    """The signature of the structure, equal for tasks that share a program, and the lifted numbers.

    >>> import neuroloom as nl
    >>> model = nl.Sequential([nl.layers.Dense(1, kernel_regularizer=nl.regularizers.L2(0.1), input_shape=(2,))])
    >>> parted(Task(model.network, ()))[1]
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


def without(task: Task) -> Task:
    """The task with a mark in the place of each lifted number."""
    return _replaced(task, lambda _: MARK)


def holding(task: Task, values: list[Any]) -> Task:
    """The task with these values (arrays, inside a program) in the places of its lifted numbers."""
    given = iter(values)
    return _replaced(task, lambda _: next(given))


def _replaced(task: Task, fn: Callable[[Any], Any]) -> Task:
    return replace(task, network=with_numbers(task.network, fn))


def with_numbers(value: T, fn: Callable[[Any], Any]) -> T:
    """`value` with `fn(number)` for each lifted number in it; its weights are left out where something changes."""
    if isinstance(value, Network):
        copies = {layer: with_numbers(layer, fn) for layer in value.names}
        return value.rebuilt(lambda node: copies.get(node.call, node.call))  # type: ignore[return-value]
    old = {f.name: getattr(value, f.name) for f in fields(value)}  # type: ignore[arg-type]
    new = {name: _one(part, fn, name in value.lifted) for name, part in old.items()}
    changed = {name: part for name, part in new.items() if part is not old[name]}
    return _changed(value, changed) if changed else value


def _one(value: Any, fn: Callable[[Any], Any], lifted: bool) -> Any:
    if lifted:
        return fn(value)
    return with_numbers(value, fn) if isinstance(value, Configured) else value


def _changed(value: T, changed: dict[str, Any]) -> T:
    """A copy with other fields. The constructor is passed by: its checks know numbers, not arrays of a program."""
    made = copy.copy(value)
    for name, part in changed.items():
        object.__setattr__(made, name, part)
    if isinstance(value, Layer) and isinstance(made, Layer):
        cell = Cell()
        cell.shape = value.cell.shape
        cell.specs = None if value.cell.specs is None else made.build(cell.shape)  # they hold the regularizers
        object.__setattr__(made, "_cell", cell)
    return made
