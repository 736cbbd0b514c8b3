"""Symbolic values. Given a `Node`, the functions of `ops` and the layers record what to compute; given arrays, they
compute. So functional models, sub-models and explicit graphs are one graph, evaluated by one evaluator.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.engines import Spec
from neuroloom.engines.arrays import default_width
from neuroloom.errors import NeuroloomError, ShapeError
from neuroloom.typing import Shape, Tree

F = TypeVar("F", bound=Callable[..., Any])

PROBES = ((2, 37), (3, 53))
"""(batch, other) lengths tried for free axes: an axis of the result that differs between the two is free too."""

INFERRED = 1024
"""Results of `infer` that are kept for layers: a model that is built again is not traced again."""

_inferred: OrderedDict[Any, Tree] = OrderedDict()


class Node:
    """A value that does not exist yet: the call that makes it, its shape (None: free) and its dtype.

    Attributes:
        call: the function or layer; None for an input.
        args, kwargs: what it is called with; Nodes among them are the graph's edges.
        shape: axis lengths; the first is the batch.
        dtype: its name, such as 'float32'.
        name: of an input; else None.
    """

    __slots__ = ("args", "call", "dtype", "kwargs", "name", "shape")
    __array_priority__ = 1000  # a NumPy array on the left leaves the operation to the Node

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        NODES.add(cls)
        _MAY_HOLD.add(cls)

    def __init__(
        self,
        call: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        shape: Shape,
        dtype: str,
        name: str | None = None,
    ) -> None:
        self.call, self.args, self.kwargs = call, args, kwargs or {}
        self.shape, self.dtype, self.name = shape, dtype, name

    def __repr__(self) -> str:
        made = "Input" if self.call is None else getattr(self.call, "name", None) or _call_name(self.call)
        return f"<Node {self.name or made} {self.dtype}{list(self.shape)}>".replace("None", "?")

    @property
    def recorder(self) -> Recorder:
        """What makes the Nodes of calls that use this one."""
        return PLAIN

    @property
    def ndim(self) -> int:
        """Number of axes, the batch counted."""
        return len(self.shape)

    def parents(self) -> Iterator[Node]:
        """The Nodes that the call uses, in order."""
        return (leaf for leaf in tree.leaves([self.args, self.kwargs]) if isinstance(leaf, Node))

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError("A symbolic value has no length before it is computed.")
        return self.shape[0]

    def __bool__(self) -> bool:
        raise TypeError(
            "A symbolic value is neither true nor false before it is computed. "
            "Use neuroloom.ops.where(condition, a, b)."
        )

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("A symbolic value cannot be iterated over; index it instead, as in x[:, 0].")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "A symbolic value is not a NumPy array. Use the functions of neuroloom.ops instead of NumPy's, "
            "or compute it with a Model first."
        )

    # Operators are set by ops.array, which knows the functions that they record.


class Recorder:
    """How the Nodes of a graph come about. Functional models have this one; explicit graphs bring their own."""

    def infer(self, call: Any, args: Any, kwargs: Any, compute: Callable[..., Any], weights: Tree) -> Tree:
        """Specs of what a call returns."""
        return infer(call, args, kwargs, compute, weights)

    def operand(self, value: Any, like: Node) -> Any:
        """What stands beside a Node in an operation: nested lists of numbers become an array."""
        return np.asarray(value) if isinstance(value, list | tuple) and not has_node(value) else value

    def node(self, call: Any, args: Any, kwargs: Any, shape: Shape, dtype: str) -> Node:
        """The Node of a call."""
        return Node(call, args, kwargs, shape=shape, dtype=dtype)


PLAIN = Recorder()

NODES: set[type] = {Node}
"""Node and its subclasses: comparing types costs less than isinstance, and eager steps come here often."""

_MAY_HOLD: set[type] = {Node, list, tuple, dict}
"""Types of values in which a Node may be."""

_PLAIN = frozenset((str, int, float, bool, type(None)))
"""Types of values that say nothing about the engine."""


def _call_name(call: Any) -> str:
    return getattr(call, "__name__", None) or type(call).__name__


def has_node(value: Any) -> bool:
    """Whether a Node is among the leaves of `value`."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(has_node, value))
    return type(value) in NODES


def op(fn: F, probe: Callable[..., Any] | None = None) -> F:
    """Make a function of arrays record itself when it is given a Node.

    Args:
        probe: a function of the same arguments that gives a result of the same shape, where `fn` refuses lengths that
            are tried for free axes.
    """

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        constants = others = False
        for value in args:
            cls = type(value)
            if cls is np.ndarray:
                constants = True
                continue
            others = others or cls not in _PLAIN
            if cls in _MAY_HOLD and has_node(value):
                return record(wrapper, args, kwargs, probe or wrapper)
        if kwargs:
            if any(map(has_node, kwargs.values())):
                return record(wrapper, args, kwargs, probe or wrapper)
            constants, others = constants or any(type(value) is np.ndarray for value in kwargs.values()), True
        if constants and others:  # else there is nothing to become
            joined = _joined((*args, *kwargs.values()))
            args, kwargs = joined[: len(args)], dict(zip(kwargs, joined[len(args) :], strict=True))
        return fn(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def _joined(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """NumPy arrays among the values become arrays of the engine of the others."""
    engine = engines.of(*args)
    if engine.on_host:
        return args
    return tuple(engine.asarray(a) if type(a) is np.ndarray else a for a in args)


def _constant(value: Any) -> Any:
    """A NumPy number or array that a graph keeps: it must not widen the float32 values that it meets."""
    if isinstance(value, np.generic):
        return value.item()
    return default_width(value) if isinstance(value, np.ndarray) else value


def record(
    call: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    compute: Callable[..., Any],
    weights: Tree = None,
) -> Any:
    """The Node (or tuple of Nodes) that `call(*args, **kwargs)` makes.

    Args:
        call: what the Node remembers.
        compute: `compute(*args, **kwargs)` on arrays, or `compute(weights, *args, **kwargs)` if weights are given.
        weights: a tree of Specs.
    """
    args, kwargs = tree.map(_constant, args), tree.map(_constant, kwargs)
    recorder = of_nodes([args, kwargs])
    made = recorder.infer(call, args, kwargs, compute, weights)
    if isinstance(made, tuple | list | dict):
        return parts(recorder, recorder.node(call, args, kwargs, (), "tuple"), made)
    return recorder.node(call, args, kwargs, made.shape, made.dtype)


def of_nodes(value: Tree) -> Recorder:
    """What makes the Nodes of calls that use those in a tree."""
    recorders = [leaf.recorder for leaf in tree.leaves(value) if isinstance(leaf, Node)]
    return next((r for r in recorders if r is not PLAIN), PLAIN)


def parts(recorder: Recorder, whole: Node, made: Any) -> Any:
    """A Node for each of several results of a call, in their structure."""

    def part(index: Any, inner: Any) -> Any:
        if isinstance(inner, tuple | list | dict):
            return parts(recorder, recorder.node(select, (whole, index), {}, (), "tuple"), inner)
        return None if inner is None else recorder.node(select, (whole, index), {}, inner.shape, inner.dtype)

    if isinstance(made, dict):
        return {name: part(name, inner) for name, inner in made.items()}
    return type(made)(part(i, inner) for i, inner in enumerate(made))


def select(values: Any, index: Any) -> Any:
    """One of several results of a call."""
    return values[index]


def infer(call: Any, args: Any, kwargs: Any, compute: Callable[..., Any], weights: Tree = None) -> Tree:
    """Specs (None where a length is free) of what a call returns, found by the engine without computing."""
    nodes = list(dict.fromkeys(leaf for leaf in tree.leaves([args, kwargs]) if isinstance(leaf, Node)))
    key = _layer_key(call, args, kwargs, nodes)
    if key is None:
        return _infer(call, args, kwargs, compute, weights, nodes)
    if key not in _inferred:
        _inferred[key] = _infer(call, args, kwargs, compute, weights, nodes)
        while len(_inferred) > INFERRED:
            _inferred.popitem(last=False)
    return _inferred[key]


def _layer_key(call: Any, args: Any, kwargs: Any, nodes: list[Node]) -> Any:
    """Equal for calls of layers of equal structure on inputs of equal shapes; None for other calls."""
    if kwargs or not hasattr(call, "signature") or not all(isinstance(leaf, Node) for leaf in tree.leaves(args)):
        return None
    engine, number = engines.current(), {node: i for i, node in enumerate(nodes)}
    places = config.signature(tree.map(lambda node: number[node], args))
    return engine.name, engine.precision(), call.signature(), places, tuple((n.shape, n.dtype) for n in nodes)


def _infer(call: Any, args: Any, kwargs: Any, compute: Callable[..., Any], weights: Tree, nodes: list[Node]) -> Tree:
    extra = () if weights is None else (weights,)

    def run(arrays: list[Any], *weights: Any) -> Any:
        value_of = dict(zip(nodes, arrays, strict=True))
        fill = functools.partial(substitute, value_of)
        return compute(*weights, *fill(args), **fill(kwargs))

    def probe(lengths: tuple[int, int]) -> Tree:
        specs = [Spec(fixed(node.shape, lengths), node.dtype) for node in nodes]
        try:
            return engines.current().abstract(run, specs, *extra)
        except NeuroloomError:
            raise
        except Exception as error:
            shapes = ", ".join(str(n.shape).replace("None", "?") for n in nodes)
            reason = str(error).strip().split("\n")[0]
            raise ShapeError(f"{_call_name(call)} cannot be applied to inputs of shape {shapes}: {reason}") from error

    one = probe(PROBES[0])
    if all(None not in node.shape for node in nodes):
        return one
    return tree.map(_free_axes, one, probe(PROBES[1]))


def substitute(value_of: dict[Node, Any], value: Any) -> Any:
    """`value` (nested lists, tuples, dicts) with each Node replaced by what it stands for."""
    if type(value) in NODES:
        return value_of[value]
    if isinstance(value, dict):
        return {k: substitute(value_of, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(substitute(value_of, v) for v in value)
    return value


def fixed(shape: Shape, lengths: tuple[int, int]) -> tuple[int, ...]:
    """A shape whose free lengths, of the first axis and of others, are these."""
    return tuple(lengths[min(i, 1)] if n is None else n for i, n in enumerate(shape))


def _free_axes(a: Spec, b: Spec) -> Spec:
    shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True))
    return Spec(shape, a.dtype)  # type: ignore[arg-type]


def walk(
    order: Sequence[Node],
    value_of: dict[Node, Any],
    special: type | tuple[type, ...],
    apply: Callable[[Node], Any],
    calls: Collection[Any] = (),
) -> Iterator[tuple[Node, Any]]:
    """The evaluator: each Node and its value, in order, from those in `value_of`; the caller keeps them there.

    Args:
        special: classes of calls that need more than their arguments.
        apply: the value of a Node with such a call.
        calls: other such calls.
    """
    for node in order:
        if node in value_of:
            continue
        if isinstance(node.call, special) or node.call in calls:
            yield node, apply(node)
        else:
            yield node, node.call(*substitute(value_of, node.args), **substitute(value_of, node.kwargs))


def topological(
    outputs: Sequence[Node],
    inputs: Collection[Node] = (),
    parents: Callable[[Any], Iterator[Node]] = Node.parents,
) -> list[Node]:
    """Every Node that the outputs need, parents before children; `inputs` are taken as given."""
    order: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(outputs)]
    while stack:
        node, done = stack.pop()
        if node in order:
            continue
        if done or node in inputs:
            order[node] = None
        else:
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(list(parents(node))))
    return list(order)
