"""Evaluating a part of a graph: the evaluator of `ops.graph`, for nodes that also read and change variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from neuroloom import layers, ops, tree
from neuroloom.engines import Engine
from neuroloom.engines.arrays import axes_of
from neuroloom.layers import Layer
from neuroloom.ops import draws
from neuroloom.ops.graph import Node, substitute, topological, walk
from neuroloom.session.graph import Tensor, Variable
from neuroloom.typing import Array

INDEXED = (ops.gather, ops.pick, ops.getitem)
"""Functions of (x, index) whose index is checked when it is known, since engines clamp one that is out of range."""


class Special:
    """The call of a node that needs more than its arguments: the state, the random key, a part of the graph."""

    label = "Operation"

    def apply(self, run: Run, node: Tensor) -> Any:
        """The node's value; `run.state` may be changed."""
        raise NotImplementedError  # abstract

    def reads(self) -> Iterable[Variable]:
        """Variables that are read although they are no arguments."""
        return ()

    def writes(self) -> Iterable[Variable]:
        """Variables that are changed."""
        return ()

    draws = False  # whether it needs the random key


class Values(dict[Any, Any]):
    """Values by node; a variable's is the present one."""

    def __init__(self, values: dict[Any, Any], state: dict[Variable, Array]) -> None:
        super().__init__(values)
        self.state = state

    def __missing__(self, node: Any) -> Any:
        return self.state[node]


class Run:
    """One evaluation.

    Attributes:
        state: the present value of each variable.
        values: what has been computed.
        key: two int32 words from which this run's random numbers follow.
        training: whether layers act as in training.
        wrong: of the first index that was out of range three int32: the number of its node + 1, the index, the length
            of its axis; zeros if there was none, None if there is no index to check.
    """

    def __init__(
        self, engine: Engine, state: dict[Variable, Array], values: dict[Any, Any], key: Any, training: bool
    ) -> None:
        self.engine, self.state, self.key, self.training = engine, state, key, training
        self.values = Values(values, state)
        self.wrong: Any = None
        self.past: dict[Variable, list[tuple[int, Array]]] = {}

    def change(self, variable: Variable, value: Array, number: int) -> None:
        """Give a variable a value; `number` is that of the node that does so."""
        self.past.setdefault(variable, []).append((number, self.state.get(variable)))
        self.state[variable] = value

    def value_at(self, variable: Variable, number: int) -> Array:
        """The value of a variable that the node of this number met."""
        return next((old for changed, old in self.past.get(variable, ()) if changed > number), self.state[variable])

    def branch(self, values: dict[Any, Any], state: dict[Variable, Array] | None = None, key: Any = None) -> Run:
        """A run that knows what this one knows and more, and whose changes of variables do not count here."""
        key = self.key if key is None else key
        return Run(self.engine, {**self.state, **(state or {})}, {**self.values, **values}, key, self.training)

    def compute(self, order: list[Tensor], added: dict[Tensor, Array] | None = None) -> Values:
        """Compute these nodes, which stand in the order of creation; to some values something is added."""
        for node, value in walk(order, self.values, (Special, Layer), self._apply, INDEXED):
            self.values[node] = value + added[node] if added and node in added else value
        return self.values

    def _apply(self, node: Any) -> Any:
        if isinstance(node.call, Special):
            return node.call.apply(self, node)
        if node.call in INDEXED:
            return self._at(node)
        variables = node.graph.weights[node.call]
        weights = tree.from_items([(path, self.state[v]) for path, v in variables.items()])
        run = layers.Run(self.training, self._layer_key(node) if self.training else None)
        args, kwargs = substitute(self.values, node.args), substitute(self.values, node.kwargs)
        run.recall(args)
        value = run.apply(node.call, weights, args, kwargs)
        run.remember(value)
        for path, new in run.updates.items():
            self.change(variables[path], new, node.number)
        return value

    def _at(self, node: Any) -> Any:
        """The value of a call with an index, which is checked and, so that no engine fails, brought into range."""
        given = dict(zip(("x", "index"), substitute(self.values, node.args), strict=False))
        x, index = (given | substitute(self.values, node.kwargs)).values()
        if node.call is not ops.getitem:
            axis, low = (0, 0) if node.call is ops.gather else (-1, 0)
            return node.call(x, self._checked(node, index, x.shape[axis], low))
        parts, axis = list(index) if isinstance(index, tuple) else [index], 0
        used = sum(axes_of(part) for part in parts)
        for i, part in enumerate(parts):
            if hasattr(part, "dtype") and "int" in str(part.dtype):
                parts[i] = self._checked(node, part, x.shape[axis], -x.shape[axis])
            axis += x.ndim - used if part is Ellipsis else axes_of(part)
        return node.call(x, tuple(parts) if isinstance(index, tuple) else parts[0])

    def _checked(self, node: Any, index: Any, length: int, low: int) -> Any:
        if 0 in index.shape:
            return index
        if "int64" not in str(index.dtype):
            index = ops.cast(index, "int32")
        least, most = ops.min(index), ops.max(index)
        worst = ops.cast(ops.clip(ops.where(most >= length, most, least), -(2**31), 2**31 - 1), "int32")
        found = [ops.zeros_like(worst) + (node.number + 1), worst, ops.zeros_like(worst) + length]
        self.note(ops.where((least < low) | (most >= length), ops.stack(found), 0))
        return ops.clip(index, low, max(length - 1, low))

    def note(self, wrong: Any) -> None:
        """Keep what is wrong, if nothing was before."""
        self.wrong = wrong if self.wrong is None else ops.where(self.wrong[0] != 0, self.wrong, wrong)

    def _layer_key(self, node: Tensor) -> Any:
        """An engine's own key for the layers, from this run's."""
        return self.engine.key_of(draws.fold_in(self.key, node.number))


def needed(outputs: Iterable[Tensor], given: Iterable[Node] = ()) -> list[Tensor]:
    """What has to be computed for the outputs, in the order of creation; neither what is given nor variables."""
    skipped: set[Node] = set(given)
    found: Any = topological(list(outputs), skipped, parents=lambda node: node.needs())
    return sorted((n for n in found if n not in skipped and not isinstance(n, Variable)), key=lambda n: n.number)


def variables_of(order: Iterable[Tensor]) -> tuple[list[Variable], list[Variable]]:
    """(read, written) by the nodes of a part of a graph, in order."""
    read: dict[Variable, None] = {}
    written: dict[Variable, None] = {}
    for node in order:
        read |= dict.fromkeys(n for n in node.parents() if isinstance(n, Variable))
        if isinstance(node.call, Special):
            read |= dict.fromkeys(node.call.reads())
            written |= dict.fromkeys(node.call.writes())
        elif isinstance(node.call, Layer):
            own = node.graph.weights[node.call].values()
            read |= dict.fromkeys(own)
            written |= dict.fromkeys(v for v in own if not v.trainable)
    return list(read), list(written)


def special(graph: Any, name: str, call: Special, args: Any, shape: Any, dtype: str) -> Tensor:
    """A node with a call of this kind."""
    return Tensor(graph, name, call, args, {}, shape, dtype)


class Part:
    """A piece of a graph that is computed as a whole, as often as need be: a branch, the body of a loop.

    Args:
        make: records the piece and returns its outputs.
        inputs: what stands for the values that it is computed with.
    """

    def __init__(self, graph: Any, make: Callable[[], Any], inputs: tuple[Tensor, ...] = ()) -> None:
        first = len(graph.tensors)
        self.outputs = make()
        self.inputs = inputs
        ends = tree.leaves([self.outputs])
        made = set(graph.tensors[first:])
        self.order = [n for n in needed(ends, inputs) if n in made and n.call is not None]  # constants are captured
        inside = {*self.order, *inputs}
        outer = [p for n in self.order for p in n.needs() if p not in inside]
        outer += [n for n in ends if n not in inside]
        self.captured = list(dict.fromkeys(n for n in outer if not isinstance(n, Variable)))
        self.read, self.written = variables_of(self.order)
        self.read += [n for n in ends if isinstance(n, Variable)]
