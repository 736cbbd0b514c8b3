"""Names, and variables that are shared by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from neuroloom import config, initializers
from neuroloom.errors import GraphError, nearest
from neuroloom.session.graph import Tensor, Variable, get_default_graph
from neuroloom.session.values import config_dtype, numbers

AUTO_REUSE = "auto"


@contextmanager
def name_scope(name: str, default_name: str | None = None, values: Any = None) -> Iterator[str]:
    """Names of what is created inside begin with `name/`."""
    with get_default_graph().name_scope(name or default_name or "scope") as full:
        yield full


class VariableScope:
    """Where `get_variable` finds variables.

    Attributes:
        name: of the scope.
        reuse: True: only those that exist; False: only new ones; AUTO_REUSE: either.
    """

    def __init__(self, name: str, reuse: Any) -> None:
        self.name, self.reuse = name, reuse

    def reuse_variables(self) -> None:
        """From here on only variables that exist."""
        self.reuse = True


_open: list[VariableScope] = []


def get_variable_scope() -> VariableScope:
    """The innermost open variable scope."""
    return _open[-1] if _open else VariableScope("", False)


@contextmanager
def variable_scope(name_or_scope: Any, reuse: Any = None) -> Iterator[VariableScope]:
    """Variables that `get_variable` makes inside are called `name/...`, and can be found again with `reuse=True`."""
    graph = get_default_graph()
    outer = get_variable_scope()
    name = name_or_scope.name if isinstance(name_or_scope, VariableScope) else name_or_scope
    full = name if isinstance(name_or_scope, VariableScope) or not outer.name else f"{outer.name}/{name}"
    scope = VariableScope(full, outer.reuse if reuse is None else reuse)
    _open.append(scope)
    try:
        with graph.inside(name):
            yield scope
    finally:
        _open.pop()


def get_variable(
    name: str, shape: Sequence[int] | None = None, dtype: Any = None, initializer: Any = None,
    trainable: bool = True,
) -> Variable:  # fmt: skip
    """The variable of this name in the open variable scope: made, or found where the scope says `reuse`.

    Args:
        dtype: by default that of a Tensor, number or array to begin with, float32 for drawn values.
        initializer: a Tensor, number or array, an object or name of `neuroloom.initializers`, or a function
            (shape, generator) -> array; Glorot's uniform one by default.

    Raises:
        GraphError: it exists and may not be reused, or is to be reused and does not exist, or has another shape.
    """
    graph, scope = get_default_graph(), get_variable_scope()
    full = f"{scope.name}/{name}" if scope.name else name
    found = graph.shared.get(full)
    if found is None and scope.reuse is True:
        raise GraphError(f"There is no variable {full!r} to reuse. {nearest(full, graph.shared)}")
    if found is not None:
        _check_reuse(found, full, shape, scope)
        return found
    first = _first(full, shape, config_dtype(dtype), initializer, graph.seed)
    made = Variable.at(graph, full, first, trainable)
    graph.shared[full] = made
    return made


def _check_reuse(found: Variable, name: str, shape: Any, scope: VariableScope) -> None:
    if not scope.reuse:
        raise GraphError(f"The variable {name!r} exists. Use variable_scope(..., reuse=True) to share it.")
    if shape is not None and tuple(shape) != tuple(found.shape):
        raise GraphError(f"The variable {name!r} has shape {found.shape}; get_variable asked for {tuple(shape)}.")


def _first(name: str, shape: Any, dtype: str | None, initializer: Any, seed: int | None) -> Any:
    if isinstance(initializer, Tensor):
        return initializer
    if isinstance(initializer, np.ndarray | np.generic | int | float | list):
        return numbers(initializer, dtype, f"The variable {name!r} expected {dtype or 'numbers'}")
    if shape is None:
        raise GraphError(f"get_variable expected a shape for {name!r}, or an initializer that has one.")
    rng = config.generator(config.next_seed() if seed is None else seed, name)
    draw = initializer if callable(initializer) else initializers.get(initializer or "glorot_uniform")
    return np.broadcast_to(np.asarray(draw(tuple(shape), rng), dtype or "float32"), tuple(shape))
