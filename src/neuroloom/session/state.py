"""Operations that change variables, and groups of operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from neuroloom.errors import GraphError
from neuroloom.session.evaluate import Run, Special, special
from neuroloom.session.graph import Tensor, Variable, constant, get_default_graph


class Assign(Special):
    """Give a variable a value, or add to it."""

    label = "Assign"

    def __init__(self, variable: Variable, sign: int) -> None:
        self.variable, self.sign = variable, sign

    def apply(self, run: Run, node: Tensor) -> Any:
        value = run.engine.astype(run.values[node.args[0]], self.variable.dtype)
        new = value if not self.sign else run.state[self.variable] + self.sign * value
        run.change(self.variable, new, node.number)
        return new

    def reads(self) -> Iterable[Variable]:
        return (self.variable,) if self.sign else ()

    def writes(self) -> Iterable[Variable]:
        return (self.variable,)


class Initialize(Special):
    """Give variables their initial values, one after the other."""

    label = "Initialize"

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = tuple(variables)

    def apply(self, run: Run, node: Tensor) -> Any:
        for variable, first in zip(self.variables, node.args, strict=True):
            run.change(variable, run.engine.astype(run.values[first], variable.dtype), node.number)

    def writes(self) -> Iterable[Variable]:
        return self.variables


class Nothing(Special):
    """An operation that only makes others run."""

    label = "Group"

    def apply(self, run: Run, node: Tensor) -> Any:
        return None


def _change(variable: Variable, value: Any, sign: int, name: str) -> Tensor:
    if not isinstance(variable, Variable):
        raise GraphError(f"{name} expected a Variable, received {variable!r}.")
    graph = variable.graph
    with graph.as_default():
        value = value if isinstance(value, Tensor) else constant(value, variable.dtype, name=f"{name}/value")
    graph.check(value)
    if value.shape is not None and variable.shape is not None and not _fits(value.shape, variable.shape, sign):
        raise GraphError(
            f"{name} expected a value of shape {tuple(variable.shape)} for {variable.name!r}, received {value.shape}."
        )
    return special(graph, name, Assign(variable, sign), (value,), variable.shape, variable.dtype)


def _fits(given: Any, wanted: Any, sign: int) -> bool:
    if sign and len(given) < len(wanted):  # sums broadcast
        return True
    return len(given) == len(wanted) and all(None in (a, b) or a == b for a, b in zip(given, wanted, strict=True))


def assign(variable: Variable, value: Any, name: str = "Assign") -> Tensor:
    """An operation that gives a variable a value, and whose own value that is."""
    return _change(variable, value, 0, name)


def assign_add(variable: Variable, value: Any, name: str = "AssignAdd") -> Tensor:
    """An operation that adds to a variable, and whose value is the sum."""
    return _change(variable, value, 1, name)


def assign_sub(variable: Variable, value: Any, name: str = "AssignSub") -> Tensor:
    """An operation that subtracts from a variable, and whose value is the difference."""
    return _change(variable, value, -1, name)


def initialize(variables: Sequence[Variable], name: str = "init") -> Tensor:
    """An operation that gives these variables their initial values."""
    variables = list(variables)
    graph = variables[0].graph if variables else get_default_graph()
    return special(graph, name, Initialize(variables), tuple(v.initial_value for v in variables), (), "none")


variables_initializer = initialize


def global_variables_initializer() -> Tensor:
    """An operation that gives all variables of the graph, as far as it is built, their initial values."""
    return initialize(get_default_graph().variables)


def group(*inputs: Tensor, name: str = "group") -> Tensor:
    """An operation that runs others."""
    graph = inputs[0].graph if inputs else get_default_graph()
    with graph.control_dependencies(inputs):
        return special(graph, name, Nothing(), (), (), "none")


def no_op(name: str = "NoOp") -> Tensor:
    """An operation that does nothing."""
    return group(name=name)


@contextmanager
def control_dependencies(inputs: Sequence[Tensor]) -> Iterator[None]:
    """What is created inside is computed after `inputs`, and not without them."""
    with get_default_graph().control_dependencies(inputs):
        yield


def global_variables() -> list[Variable]:
    """All variables of the graph, in the order of creation."""
    return list(get_default_graph().variables)


def trainable_variables() -> list[Variable]:
    """The variables that optimizers change."""
    return [v for v in get_default_graph().variables if v.trainable]


Variable.assign = lambda self, value: assign(self, value)  # type: ignore[attr-defined]
Variable.assign_add = lambda self, value: assign_add(self, value)  # type: ignore[attr-defined]
Variable.assign_sub = lambda self, value: assign_sub(self, value)  # type: ignore[attr-defined]
Variable.initializer = property(lambda self: initialize([self]))  # type: ignore[attr-defined]
