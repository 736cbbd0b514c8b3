"""Loops over an axis. Given Nodes, the step is recorded once, on Nodes that stand for its arguments.

The recorded step is a `Body`; with the values that it uses from outside it is a `Closure`, which a Node can have among
its arguments: where those are arrays, it is a function of arrays again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.engines.arrays import default_width
from neuroloom.errors import ShapeError
from neuroloom.ops import array
from neuroloom.ops.graph import Node, Recorder, has_node, of_nodes, parts, substitute, topological, walk
from neuroloom.typing import Array, Tree

SCANS: dict[type[Recorder], Callable[..., Any]] = {}
"""How kinds of graphs of their own record a scan: `(recorder, step, start, xs)`."""


class Body:
    """A function, recorded once.

    Attributes:
        inputs: the Nodes that stand for the leaves of its arguments.
        outputs: what it returned for them.
        order: the Nodes that follow from the inputs, parents before children.
        outer: the others that these use; they are computed once, outside.
    """

    def __init__(self, inputs: list[Node], outputs: Tree) -> None:
        self.inputs, self.outputs = inputs, outputs
        ends = [leaf for leaf in tree.leaves([outputs]) if isinstance(leaf, Node)]
        inside = set(inputs)
        self.order: list[Node] = []
        for node in topological(ends):
            if node not in inside and any(parent in inside for parent in node.parents()):
                inside.add(node)
                self.order.append(node)
        used = [*(parent for node in self.order for parent in node.parents()), *ends]
        self.outer = list(dict.fromkeys(node for node in used if node not in inside))
        self._structure = self._described()

    def compute(self, outer: tuple[Any, ...], args: tuple[Any, ...]) -> Tree:
        """The outputs for arrays."""
        given = [*self.inputs, *self.outer], [*tree.leaves(args), *outer]
        value_of = dict(zip(*given, strict=True))
        for node, value in walk(self.order, value_of, (), lambda node: None):
            value_of[node] = value  # noqa: PERF403  (the walk reads it)
        return substitute(value_of, self.outputs)

    def _described(self) -> Any:
        nodes = [*self.inputs, *self.outer, *self.order]
        number = {node: i for i, node in enumerate(nodes)}

        def show(value: Any) -> Any:
            return config.signature(tree.map(lambda v: ("node", number[v]) if isinstance(v, Node) else v, value))

        ends = tuple((node.shape, node.dtype) for node in (*self.inputs, *self.outer))
        return ends, tuple((n.call, show(n.args), show(n.kwargs)) for n in self.order), show(self.outputs)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Body) and self._structure == other._structure

    def __hash__(self) -> int:
        return hash(self._structure)


class Closure(tuple[Any, ...]):
    """(body, *values from outside); a function where these are arrays."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Tree:
        body, *outer = self
        return body.compute(tuple(outer), args)

    def function(self) -> Callable[..., Any]:
        """Itself, as a function to which engines can refer weakly."""
        return lambda *args: self(*args)


def scan(step: Callable[..., Any], start: Tree, xs: Tree) -> tuple[Tree, Tree]:
    """`state, output = step(state, x)` for each x along the first axis of `xs`.

    Args:
        step: a function of values, written with the functions of `ops`.
        start: the first state, an array or a tree of arrays.
        xs: an array, or a tree of arrays of equal length.

    Returns:
        (the last state, all outputs, stacked along a new first axis).

    Raises:
        ShapeError: the step gives a state of another structure, shape or dtype than it takes (on Nodes).

    >>> import numpy as np
    >>> total, sums = scan(lambda s, x: (s + x, s + x), np.zeros(()), np.array([1.0, 2.0, 3.0]))
    >>> total.item(), sums.tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    if has_node([start, xs]):
        recorder = of_nodes([start, xs])
        return SCANS.get(type(recorder), _recorded)(recorder, step, start, xs)
    engine = engines.of(*tree.leaves([start, xs]))
    start, xs = (tree.map(engine.asarray, values) for values in (start, xs))
    if isinstance(step, Closure):
        return engine.scan(step.function(), start, xs)
    return engine.scan(step, start, xs)


def recurrence(
    cell: Callable[..., Any], x: Array, kernel: Array, bias: Array, start: Tree, mask: Array | None = None
) -> tuple[Tree, Array]:
    """A recurrent cell over time: `cell(state, z) -> (state, output)` for z = x_t W + b of each step.

    The products with W are one for all steps. x is brought into the order of time before, since it is narrower than
    they are.

    Args:
        x: (batch, time, features).
        kernel, bias: W (features, width) and b (width,).
        start: the first state, a tree of arrays (batch, ...).
        mask: (batch, time); where it is false the state stays and its first leaf, which is the output of the step
            before, is the output.

    Returns:
        (the last state, outputs (batch, time, ...)).
    """
    steps = array.add(array.matmul(array.moveaxis(x, 1, 0), kernel), bias)  # (time, batch, width)
    if mask is None:
        state, outputs = scan(cell, start, steps)
        return state, array.moveaxis(outputs, 0, 1)

    def masked(state: Tree, step: Any) -> tuple[Tree, Array]:
        z, counts = step
        state = tree.map(lambda new, old: array.where(counts, new, old), cell(state, z)[0], state)
        return state, tree.first(state)

    counts = array.expand_dims(array.moveaxis(array.not_equal(mask, 0), 1, 0), axis=-1)  # (time, batch, 1)
    state, outputs = scan(masked, start, (steps, counts))
    return state, array.moveaxis(outputs, 0, 1)


# ------------------------------------------------------------------------------------------------ on Nodes


def row_of(x: Any) -> tuple[Any, ...]:
    """The shape of one x of a loop."""
    if not x.shape:
        raise ShapeError(f"scan expected values with a first axis to go along, received {x!r}.")
    return tuple(x.shape[1:])


def check_state(before: Tree, after: Tree) -> None:
    """Refuse a step whose state changes its structure, shape or dtype."""
    fits = _structure(before) == _structure(after) and all(
        old.dtype == new.dtype and _same(old.shape, new.shape)
        for old, new in zip(tree.leaves([before]), tree.leaves([after]), strict=True)
    )
    if not fits:
        raise ShapeError(f"The step of scan expected to give a state like {before!r}, gave {after!r}.")


def _structure(value: Tree) -> Any:
    return tree.map(lambda leaf: 0, value)


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(None in (m, n) or m == n for m, n in zip(a, b, strict=True))


def _recorded(recorder: Recorder, step: Callable[..., Any], start: Tree, xs: Tree) -> tuple[Tree, Tree]:
    """`scan` in functional models."""
    start, xs = (tree.map(_value, values) for values in (start, xs))
    state = tree.map(lambda s: _stand_in(s, tuple(s.shape)), start)
    row = tree.map(lambda x: _stand_in(x, row_of(x)), xs)
    after, output = step(state, row)
    check_state(state, after)
    body = Body(tree.leaves([state, row]), (after, output))
    layer = next((node.call for node in body.order if hasattr(node.call, "build")), None)
    if layer is not None:
        raise ShapeError(
            f"The step of scan calls {layer.label} on symbolic values. Write a layer that holds it and calls scan in "
            f"its own call()."
        )
    length = tree.first(xs).shape[0]
    made = start, tree.map(lambda node: _stand_in(node, (length, *node.shape)), output)
    call = (Closure((body, *body.outer)), start, xs)
    return parts(recorder, recorder.node(scan, call, {}, (), "tuple"), made)


def _value(leaf: Any) -> Any:
    return leaf if isinstance(leaf, Node) else default_width(np.asarray(leaf))


def _stand_in(like: Any, shape: tuple[Any, ...]) -> Node:
    return Node(None, shape=shape, dtype=str(like.dtype))
