"""Explicit graphs: the Nodes of `ops.graph`, with names, variables and an order of execution.

A Graph is a Recorder: whatever a function of `ops` or a layer makes of its Tensors becomes a Tensor of the same graph.
Operations of one run are executed in the order in which they were created; so a run means what the program's lines say.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from neuroloom import config, engines, initializers, tree
from neuroloom.engines import Engine, Spec
from neuroloom.errors import GraphError, ShapeError, nearest
from neuroloom.layers import Layer
from neuroloom.layers.parts import specs_of
from neuroloom.layers.run import path_number
from neuroloom.ops.graph import Node, Recorder, infer
from neuroloom.plots.diagram import Box, Drawing, draw
from neuroloom.session.values import config_dtype, numbers
from neuroloom.typing import Shape, Tree

_numbers = itertools.count(1)


class TensorShape(tuple[int | None, ...]):
    """The lengths of a Tensor's axes, None where one is free."""

    __slots__ = ()

    @property
    def ndims(self) -> int:
        """The number of axes."""
        return len(self)

    def as_list(self) -> list[int | None]:
        """The lengths as a list."""
        return list(self)


class Tensor(Node):
    """A value of a graph: its name, shape (None: free; a shape of None: unknown) and dtype; computed by a Session.

    Attributes:
        graph: the Graph that it belongs to.
        number: its place in the order of creation.
        control: Tensors that are computed before it although it does not use their values.
        value: of a constant.
    """

    __slots__ = ("__weakref__", "control", "graph", "number", "value")
    name: str

    def __init__(self, graph: Graph, name: str, call: Any, args: Any, kwargs: Any, shape: Any, dtype: str) -> None:
        shape = None if shape is None else TensorShape(shape)
        super().__init__(call, args, kwargs, shape=shape, dtype=dtype, name=name)
        self.graph, self.control = graph, tuple(graph.controls)
        self.value: Any = None
        self.number = graph.register(self)

    @property
    def recorder(self) -> Recorder:
        return self.graph

    @property
    def op(self) -> Tensor:
        """Itself; programs write `x.op.name`."""
        return self

    def get_shape(self) -> Any:
        """The shape, None where it is not known."""
        return self.shape

    def needs(self) -> Iterator[Node]:
        """What has to be computed before it."""
        yield from self.parents()
        yield from self.control

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Its value in a session, by default the one in use."""
        return self.graph.session(session).run(self, feed_dict)

    run = eval

    def __repr__(self) -> str:
        shape = "unknown shape" if self.shape is None else str(list(self.shape)).replace("None", "?")
        kind = {"none": "Operation"}.get(self.dtype, f"{type(self).__name__} {self.dtype}")
        return f"<{kind} {self.name!r}>" if self.dtype == "none" else f"<{kind} {self.name!r} {shape}>"


class Variable(Tensor):
    """A value that lasts from run to run; each Session has its own.

    Args:
        initial_value: a number, array or Tensor, or a function without arguments that gives one.
        trainable: whether optimizers change it.
        name: see `name_scope`.
        dtype: by default that of the initial value.
    """

    __slots__ = ("initial_value", "trainable")

    def __init__(
        self, initial_value: Any, trainable: bool = True, name: str | None = None, dtype: Any = None, graph: Any = None
    ) -> None:
        given = initial_value() if callable(initial_value) else initial_value
        graph = graph or (given.graph if isinstance(given, Tensor) else get_default_graph())
        with graph.as_default():
            name = graph.unique(name or "Variable")
            given = given if isinstance(given, Tensor) else constant(given, dtype, name=f"/{name}/initial_value")
        if given.dtype in ("string", "none"):
            raise GraphError(f"The variable {name!r} expected a number or array to begin with, received {given!r}.")
        super().__init__(graph, f"/{name}", None, (), {}, given.shape, config_dtype(dtype) or given.dtype)
        self.initial_value, self.trainable = given, trainable
        graph.variables.append(self)

    def needs(self) -> Iterator[Node]:
        return iter(())

    @classmethod
    def at(cls, graph: Graph, name: str, first: Any, trainable: bool) -> Variable:
        """A variable of exactly this name, with an initial value that is there already."""
        with graph.as_default():
            first = first if isinstance(first, Tensor) else constant(first, name=f"/{name}/initial_value")
        made = cls.__new__(cls)
        Tensor.__init__(made, graph, f"/{name}", None, (), {}, first.shape, first.dtype)
        made.initial_value, made.trainable = first, trainable
        graph.variables.append(made)
        return made

    # initializer, assign, assign_add and assign_sub are set by session.state, which knows these operations.


class Graph(Recorder):
    """A graph of Tensors. Functions of this module add to the default one.

    >>> import neuroloom.session as nls
    >>> graph = nls.Graph()
    >>> with graph.as_default():
    ...     x = nls.placeholder("float32", (None, 2), name="x")
    ...     y = nls.reduce_sum(x * 3, axis=1, name="y")
    >>> y
    <Tensor float32 'y' [?]>
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.tensors: list[Tensor] = []
        self.by_name: dict[str, Tensor] = {}
        self.variables: list[Variable] = []
        self.summaries: list[Tensor] = []
        self.controls: list[Tensor] = []
        self.weights: dict[Layer, dict[str, Variable]] = {}
        self._scope_of: dict[Layer, str] = {}
        self.seed: int | None = None
        self.shared: dict[str, Variable] = {}  # made by get_variable
        self.slices: dict[Tensor, list[Any]] = {}  # of a gradient: pairs (gradients of rows, their numbers)
        self._scopes: list[str] = []
        self._taken: dict[str, int] = {}
        self._named: str | None = None

    # ------------------------------------------------------------------------------------------------ recording

    def infer(self, call: Any, args: Any, kwargs: Any, compute: Callable[..., Any], weights: Tree) -> Tree:
        for leaf in tree.leaves([args, kwargs]):
            if isinstance(leaf, Node):
                self.check(leaf)
        known = tree.map(lambda leaf: leaf.shape is not None if isinstance(leaf, Node) else True, [args, kwargs])
        with wide(leaf for leaf in tree.leaves([list(args), kwargs]) if isinstance(leaf, Tensor | str)):
            if not all(tree.leaves(known)):
                return _unknown(call, args, kwargs, compute, weights)
            try:
                return infer(call, args, kwargs, compute, weights)
            except ShapeError:
                found = _as_fixed(args, kwargs, compute) if weights is None else None
                if found is None:
                    raise
                return found

    def operand(self, value: Any, like: Node) -> Any:
        """What stands beside a Tensor in an operation: lists and arrays become constants of its dtype.

        Raises:
            GraphError: numbers beyond the range of the Tensor's dtype.
        """
        if isinstance(value, Node | bool | str) or like.dtype in ("bool", "string", "none", "tuple"):
            return super().operand(value, like)
        fractions = np.asarray(value).dtype.kind == "f" and "float" not in like.dtype
        what = f"An operand of {like.name!r} expected {'numbers' if fractions else like.dtype}"
        array = numbers(value, None if fractions else like.dtype, what)
        return value if isinstance(value, int | float) else constant(array)

    def node(self, call: Any, args: Any, kwargs: Any, shape: Shape, dtype: str) -> Tensor:
        if isinstance(call, Layer):
            name = self._free(f"{self._make_weights(call)}/output")
            return Tensor(self, f"/{name}", call, args, kwargs, shape, dtype)
        base = self._named or getattr(call, "name", None) or getattr(call, "__name__", type(call).__name__).lower()
        self._named = None
        return Tensor(self, base, call, args, kwargs, shape, dtype)

    def check(self, node: Node) -> None:
        """Refuse what belongs to another graph.

        Raises:
            GraphError: it does.
        """
        if not isinstance(node, Tensor):
            raise GraphError(f"{node!r} is an Input of a functional model; use placeholder(...) in a session's graph.")
        if node.graph is not self:
            raise GraphError(f"{node!r} belongs to another graph. Create it inside `with graph.as_default():`.")
        if node.dtype in ("string", "none"):
            raise GraphError(f"{node!r} has no numeric value; it can only be run.")

    def register(self, tensor: Tensor) -> int:
        """Name a new Tensor and give it its number. A name that begins with '/' is whole already."""
        base = tensor.name or "tensor"
        tensor.name = base[1:] if base.startswith("/") else self.unique(base)
        self.tensors.append(tensor)
        self.by_name[tensor.name] = tensor
        return len(self.tensors) - 1

    def _make_weights(self, layer: Layer) -> str:
        """Variables for a layer's weights, with the initial values that its initializers draw; returns their scope."""
        if layer not in self.weights:
            scope = self.unique(layer.name or config.snake(type(layer).__name__))
            seed = config.next_seed() if self.seed is None else self.seed
            made = {}
            for path, (weight, trains) in specs_of(layer).items():
                drawn = initializers.get(weight.initializer)(weight.shape, config.generator(seed, f"{scope}/{path}"))
                made[path] = Variable.at(self, f"{scope}/{path}", drawn, trains)
            self.weights[layer], self._scope_of[layer] = made, scope
        return self._scope_of[layer]

    # -------------------------------------------------------------------------------------------------- names

    def unique(self, base: str) -> str:
        """The name in the present scope, with a number behind it if it is taken."""
        return self._free("/".join([*self._scopes, base]))

    def _free(self, full: str) -> str:
        count = self._taken.get(full, 0)
        self._taken[full] = count + 1
        if not count:
            return full
        name = f"{full}_{count}"
        self._taken.setdefault(name, 1)
        return name

    @contextmanager
    def name_scope(self, name: str) -> Iterator[str]:
        """Names of what is created inside begin with `name/`."""
        full = self.unique(name)
        self._scopes.append(full[len("/".join(self._scopes)) :].lstrip("/"))
        try:
            yield full
        finally:
            self._scopes.pop()

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """A scope that may be entered again under the same name."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    @contextmanager
    def naming(self, name: str | None) -> Iterator[None]:
        """The next Tensor gets this name."""
        self._named = name
        try:
            yield
        finally:
            self._named = None

    @property
    def scope(self) -> str:
        """The scope that is open, '' outside all."""
        return "/".join(self._scopes)

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The Tensor of this name; 'x:0' is 'x'.

        Raises:
            GraphError: there is none.
        """
        found = self.by_name.get(name.removesuffix(":0"))
        if found is None:
            raise GraphError(f"The graph has no tensor {name!r}. {nearest(name, self.by_name)}")
        return found

    get_operation_by_name = get_tensor_by_name

    # ------------------------------------------------------------------------------------------- as a default

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Inside, functions add to this graph."""
        _here.stack.append(self)
        try:
            yield self
        finally:
            _here.stack.pop()

    @contextmanager
    def control_dependencies(self, inputs: Sequence[Tensor]) -> Iterator[None]:
        """What is created inside is computed after `inputs`, and not without them."""
        for tensor in inputs:
            if tensor.graph is not self:
                raise GraphError(f"{tensor!r} belongs to another graph.")
        before, self.controls = self.controls, [*self.controls, *inputs]
        try:
            yield
        finally:
            self.controls = before

    def session(self, session: Any = None) -> Any:
        """The session that `eval` uses."""
        found = session or next((s for s in reversed(_here.sessions) if s.graph is self), None)
        if found is None:
            raise GraphError("There is no session. Use `with Session() as sess:` or pass session=sess.")
        return found

    # ------------------------------------------------------------------------------------------------ drawing

    def boxes(self) -> list[Box]:
        """What a diagram of the graph shows."""
        hidden = {v.initial_value for v in self.variables if v.initial_value.call is None}
        return [_box(tensor, hidden) for tensor in self.tensors if tensor not in hidden]

    def plot(self, path: Any = None) -> Drawing:
        """A drawing of the graph; `path` also writes it (.svg, .html)."""
        drawing = draw(self.boxes())
        if path is not None:
            drawing.save(path)
        return drawing


def _as_fixed(args: Any, kwargs: Any, compute: Callable[..., Any]) -> Tree:
    """The Spec where a free axis meets an axis of fixed length, which then is its length; None if none fits."""
    nodes = [leaf for leaf in tree.leaves([list(args), kwargs]) if isinstance(leaf, Node)]
    if not any(None in node.shape for node in nodes):
        return None
    for length in sorted({n for node in nodes for n in node.shape if n is not None}, reverse=True):
        specs = [Spec(tuple(length if n is None else n for n in node.shape), node.dtype) for node in nodes]
        try:
            return engines.current().abstract(_filled(args, kwargs, compute), specs)
        except Exception:
            continue
    return None


def _filled(args: Any, kwargs: Any, compute: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    """`compute` as a function of the arrays that stand for the Nodes among its arguments."""

    def run(arrays: list[Any]) -> Any:
        value_of = iter(arrays)
        filled = tree.map(lambda leaf: next(value_of) if isinstance(leaf, Node) else leaf, [list(args), kwargs])
        return compute(*filled[0], **filled[1])

    return run


def _unknown(call: Any, args: Any, kwargs: Any, compute: Callable[..., Any], weights: Tree) -> Tree:
    """A Spec of unknown shape; its dtype is tried out on numbers and on small matrices."""
    if weights is not None:
        raise GraphError("A layer needs a placeholder whose shape is known, such as placeholder('float32', (None, 4)).")

    nodes = [leaf for leaf in tree.leaves([list(args), kwargs]) if isinstance(leaf, Node)]
    for length in ((), (2, 2), (2,)):
        shapes = [length if node.shape is None else tuple(n or 2 for n in node.shape) for node in nodes]
        specs = [Spec(shape, node.dtype) for shape, node in zip(shapes, nodes, strict=True)]
        try:
            made = engines.current().abstract(_filled(args, kwargs, compute), specs)
        except Exception:
            continue
        return tree.map(lambda spec: Spec(None, spec.dtype), made)  # type: ignore[arg-type]
    return Spec(None, nodes[0].dtype)  # type: ignore[arg-type]


def _box(tensor: Tensor, hidden: set[Tensor]) -> Box:
    inputs = list(dict.fromkeys(n.name for n in tensor.parents() if n.name and n not in hidden))
    label = "Variable" if isinstance(tensor, Variable) else _label(tensor)
    return Box(tensor.name or "", kind_of(tensor), label, tuple(inputs), tensor.shape, tensor.dtype)


def _label(tensor: Tensor) -> str:
    if tensor.call is None:
        return "Constant" if tensor.value is not None else "Placeholder"
    return str(getattr(tensor.call, "__name__", None) or getattr(tensor.call, "label", type(tensor.call).__name__))


def kind_of(tensor: Tensor) -> str:
    """'variable', 'constant', 'input', 'layer' or 'operation'."""
    if isinstance(tensor, Variable):
        return "variable"
    if tensor.call is None:
        return "constant" if tensor.value is not None else "input"
    return "layer" if isinstance(tensor.call, Layer) else "operation"


def wide(values: Iterable[Tensor | str], engine: Engine | None = None) -> AbstractContextManager[Any]:
    """Inside, an engine (by default the one in use) keeps 64 bits, if a Tensor has them or a dtype names them."""
    dtypes = (v if isinstance(v, str) else v.dtype for v in values)
    return (engine or engines.current()).double() if any(dtype.endswith("64") for dtype in dtypes) else nullcontext()


class _Here(threading.local):
    """What is in use in this thread."""

    def __init__(self) -> None:
        self.stack: list[Graph] = []
        self.sessions: list[Any] = []


_here = _Here()
_default = Graph()


def get_default_graph() -> Graph:
    """The graph that functions add to."""
    return _here.stack[-1] if _here.stack else _default


def reset_default_graph() -> None:
    """Begin a new default graph; the old one stays as it is for the sessions that use it."""
    global _default
    _default = Graph()


def current_sessions() -> list[Any]:
    """The sessions of this thread's `with` blocks, the innermost last."""
    return _here.sessions


def seed_of(graph: Graph, tensor_name: str, seed: int | None) -> tuple[int, int]:
    """(graph's seed, number of the operation) of a random operation."""
    return (0 if graph.seed is None else graph.seed), path_number(f"{seed}/{tensor_name}")


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Tensor:
    """A value that is known.

    Args:
        value: a number, an array, of which a copy is kept, or a string; fetched, a string comes back as bytes (UTF-8).
        dtype: by default that of an array; float32 for Python's numbers with a point, and int32 for whole ones, or
            int64 where one needs it.
        shape: to which one number is repeated.

    Raises:
        GraphError: the dtype cannot hold the numbers: fractions for whole ones, or too large ones.

    >>> import neuroloom.session as nls
    >>> with nls.Session() as sess:
    ...     print(sess.run(nls.constant("Hello")), sess.run(nls.constant(2) + nls.constant(3)))
    b'Hello' 5
    """
    graph, wanted = get_default_graph(), config_dtype(dtype)
    if isinstance(value, str | bytes):
        tensor = Tensor(graph, name, None, (), {}, (), "string")
        tensor.value = value.encode() if isinstance(value, str) else value
        return tensor
    array = numbers(value, wanted, f"constant expected {wanted or 'numbers'}")
    array = array if shape is None else np.broadcast_to(array, tuple(shape)).copy()
    tensor = Tensor(graph, name, None, (), {}, array.shape, array.dtype.name)
    tensor.value = array
    return tensor
