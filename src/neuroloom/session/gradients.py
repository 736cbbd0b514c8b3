"""Gradients as values of the graph, so that they have gradients themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuroloom import ops
from neuroloom.errors import GraphError
from neuroloom.ops.graph import Node, select
from neuroloom.session.evaluate import Run, Special, needed, special, variables_of
from neuroloom.session.graph import Tensor, Variable


class Gradient(Special):
    """∂ Σ ys / ∂ x for each x; the part of the graph from the xs to the ys is computed as a function of the xs."""

    label = "Gradient"

    def __init__(self, ys: Sequence[Tensor], xs: Sequence[Tensor]) -> None:
        self.ys, self.xs = tuple(ys), tuple(xs)
        touched: set[Node] = set(xs)
        self.between: list[Tensor] = []
        for node in needed(ys):
            if any(n in touched for n in _uses(node)):
                touched.add(node)
                self.between.append(node)
        self.inner = [x for x in xs if x in self.between]  # those that depend on another x

    def depends_on(self, x: Tensor) -> bool:
        """Whether a y depends on x."""
        return x in self.ys or any(x in _uses(node) for node in self.between)

    def apply(self, run: Run, node: Tensor) -> Any:
        weights = [run.values[n] for n in node.args[0][len(self.ys) + len(self.xs) :]]

        def total(values: list[Any]) -> tuple[Any, tuple[()]]:
            given = dict(zip(self.xs, values, strict=True))
            state = {x: v for x, v in given.items() if isinstance(x, Variable)}
            inner = run.branch({x: v for x, v in given.items() if x not in state}, state)
            for n in self.between:
                inner.values.pop(n, None)
            self._compute(run, inner, {x: given[x] for x in self.inner})
            found = inner.values
            ends = [found[y] * (weights[i] if weights else 1) for i, y in enumerate(self.ys)]
            return sum(ops.sum(end) for end in ends), ()

        at = [ops.zeros_like(run.values[x]) if x in self.inner else self._met(run, x) for x in self.xs]
        grads = run.engine.value_and_grad(total)(at)[1]
        return tuple(grads)

    def _compute(self, run: Run, inner: Run, added: dict[Tensor, Any]) -> None:
        """Compute the part with the values that variables had when it was computed first, not those assigned since."""
        changed = [v for v in run.past if v not in self.xs]
        for node in self.between if changed else ():
            for v in changed:
                inner.state[v] = run.value_at(v, node.number)
            inner.compute([node], added)
        if not changed:
            inner.compute(self.between, added)

    def _met(self, run: Run, x: Tensor) -> Any:
        """The value of an x that the part was computed with."""
        if not isinstance(x, Variable):
            return run.values[x]
        first = next((n.number for n in self.between if x in _uses(n)), 0)
        return run.value_at(x, first)

    def reads(self) -> Any:
        return [*variables_of(self.between)[0], *(x for x in (*self.xs, *self.ys) if isinstance(x, Variable))]


def _uses(node: Tensor) -> list[Node]:
    """What a node's value follows from, variables inside calls counted."""
    return [*node.parents(), *variables_of([node])[0]]


def gradients(ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients") -> list[Any]:
    """The gradient of the sum of all ys with respect to each x; None where no y depends on it.

    Args:
        ys: a Tensor or a list of them.
        xs: likewise: variables, placeholders or any values between.
        grad_ys: what each y is multiplied by, of its shape; by default 1.

    Raises:
        GraphError: a y or an x is not of floats.
    """
    ys, xs = _list(ys), _list(xs)
    for tensor in (*ys, *xs):
        if not isinstance(tensor, Tensor) or "float" not in tensor.dtype:
            raise GraphError(f"gradients expected tensors of floats, received {tensor!r}. cast(...) makes them floats.")
    whole = Gradient(ys, xs)
    known = [x for x in xs if whole.depends_on(x)]
    if not known:
        return [None] * len(xs)
    graph, call = ys[0].graph, Gradient(ys, known)
    args = ([*ys, *known, *(() if grad_ys is None else _list(grad_ys))],)
    node = special(graph, f"{name}/all", call, args, (), "tuple")
    parts = {x: Tensor(graph, f"{name}/{x.name}", select, (node, i), {}, x.shape, x.dtype) for i, x in enumerate(known)}
    return [parts.get(x) for x in xs]


def lookups(y: Tensor, table: Variable) -> list[Tensor]:
    """The `gather`s of rows through which alone y depends on a variable; none if it does otherwise."""
    users: Any = [node for node in needed([y]) if table in _uses(node)]
    alone = all(n.call is ops.gather and len(n.args) == 2 and n.args[0] is table is not n.args[1] for n in users)
    return users if alone and y is not table else []


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
