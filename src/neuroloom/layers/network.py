"""A graph of layers and operations, as a layer: what functional models, Sequentials and sub-models are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any, TypeVar

from neuroloom import config, ops, tree
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.layers import parts
from neuroloom.layers.base import Layer, Weight, show_shape
from neuroloom.layers.parts import Version
from neuroloom.layers.run import Context, Weights
from neuroloom.ops.graph import Node, has_node, select, substitute, topological, walk
from neuroloom.ops.loops import Body, Closure
from neuroloom.typing import Array

Found = TypeVar("Found")

_NONE: dict[str, Any] = {}


def Input(shape: tuple[int | None, ...] | int, dtype: str = "float32", name: str | None = None) -> Node:
    """A symbolic input, the start of a functional model.

    Args:
        shape: of one sample, without the batch; None where a length is free.
        dtype: what arrays are converted to.
        name: for models that take a dict of inputs.

    >>> import neuroloom as nl
    >>> nl.layers.Input((28, 28, 1))
    <Node Input float32[?, 28, 28, 1]>
    """
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n is not None and (not isinstance(n, int) or n < 1) for n in lengths):
        raise ConfigurationError(f"Input expected a shape of positive whole numbers or None, received {shape!r}.")
    return Node(None, shape=(None, *lengths), dtype=dtype, name=name)


class Network(Layer):
    """The layer that computes `outputs` from `inputs`.

    Its weights are those of the layers in it, by path: a layer's name, or its class's name in lower case with a
    number where several have the same.

    Args:
        inputs: a Node made by `Input`, or a list or dict of them.
        outputs: a Node that depends on them, or a list or dict of such Nodes.
    """

    inputs: Any = field()
    outputs: Any = field()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_symbols()
        if any(node.call is not None for node in tree.leaves(self.inputs)):
            inputs, outputs = _cut(self.inputs, self.outputs)
            object.__setattr__(self, "inputs", inputs)
            object.__setattr__(self, "outputs", outputs)
        self._set("order", topological(tree.leaves(self.outputs), tree.leaves(self.inputs)))
        self._check_connected()
        self._set("names", self._named())
        self._set("found", {"version": -1})
        self._set("drawn", False)
        self.cell.specs, self.cell.traced = {}, True  # the layers inside have their weights already

    def _named(self) -> dict[Layer, str]:
        found = [node.call for node in self.order if isinstance(node.call, Layer)]
        return {layer: name for name, layer in parts.named(found, "network").items()}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, f"_{name}", value)

    def _check_symbols(self) -> None:
        given = tree.leaves(self.inputs)
        if not given or not all(isinstance(n, Node) for n in [*given, *tree.leaves(self.outputs)]):
            raise ConfigurationError(
                "A network is made of symbolic inputs and outputs: x = Input((8,)); y = Dense(1)(x); Model(x, y)."
            )

    def _check_connected(self) -> None:
        given = tree.leaves(self.inputs)
        for node in self.order:
            if node.call is None and node not in given:
                raise ConfigurationError(f"The outputs depend on {node!r}, which is not among the inputs.")
        for node in given:
            if node not in self.order:
                raise ConfigurationError(f"No output depends on the input {node!r}.")

    @property
    def order(self) -> list[Node]:
        """All Nodes, parents before children."""
        order: list[Node] = vars(self)["_order"]
        return order

    @property
    def names(self) -> dict[Layer, str]:
        """The name of each layer in this network."""
        names: dict[Layer, str] = vars(self)["_names"]
        return names

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers by name, in the order in which data meet them."""
        return {name: layer for layer, name in self.names.items()}

    @property
    def children(self) -> dict[str, Layer]:
        return self.layers

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_found": {"version": -1}}  # a copy finds its own

    def once(self, find: Callable[[Network], Found]) -> Found:
        """`find(self)`, looked for anew only when layers have changed: for what follows from the structure."""
        found: dict[Any, Any] = self._found
        if found["version"] != Version.now:
            found.clear()
            found["version"] = Version.now
        if find not in found:
            found[find] = find(self)
        return found[find]

    # ---------------------------------------------------------------------------------------------- computing

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As for any layer; several inputs are given as a list or dict like `inputs`."""
        if args and isinstance(args[0], dict) and isinstance(self.inputs, dict):
            args = (self._by_name(args[0]), *args[1:])
        if args and isinstance(args[0], list | tuple) and has_node(args) and isinstance(self.inputs, Node):
            raise ShapeError(f"{self.label} expected one input, received {len(args[0])}.")
        return super().__call__(*args, **kwargs)

    def call(self, w: Weights, x: Any, ctx: Context, mask: Any = None) -> Any:
        ctx.run.set_mask(x, mask)
        value_of = self._ends(x)
        for node, value in self.walk(value_of, ctx):
            value_of[node] = value
            if not isinstance(node.call, Layer):
                ctx.run.seen(ctx.path, _op_name(node), value)
        return tree.map(value_of.__getitem__, self.outputs)

    def _by_name(self, x: dict[str, Any]) -> list[Any]:
        if set(x) != set(self.inputs):
            raise ShapeError(f"{self.label} expected inputs named {list(self.inputs)}, received {list(x)}.")
        return [x[name] for name in self.inputs]

    def _ends(self, x: Any) -> dict[Node, Any]:
        if isinstance(self.inputs, Node):
            return {self.inputs: x}
        if isinstance(self.inputs, dict) and isinstance(x, dict):
            return {node: x[name] for name, node in self.inputs.items()}
        return dict(zip(tree.leaves(self.inputs), tree.leaves(x), strict=True))

    def walk(self, value_of: dict[Node, Any], ctx: Context) -> Iterator[tuple[Node, Any]]:
        """Each Node and its value, in order, from those of the inputs; the caller keeps them in `value_of`."""
        run = ctx.run

        def apply(node: Node) -> Any:
            kwargs = substitute(value_of, node.kwargs) if node.kwargs else _NONE
            arg = node.args[0]
            given = (value_of[arg],) if type(arg) is Node else substitute(value_of, node.args)
            return run.call(node.call, given, kwargs)

        return walk(self.order, value_of, Layer, apply)

    # ------------------------------------------------------------------------------------------------ weights

    def specs_for(self, shape: Any) -> dict[str, Weight]:
        shapes = shape if isinstance(shape, list) else tree.leaves(shape) if isinstance(shape, dict) else [shape]
        for node, got in zip(tree.leaves(self.inputs), shapes, strict=False):
            fits = len(got) == len(node.shape) and all(
                n is None or m is None or n == m for n, m in zip(node.shape, got, strict=True)
            )
            if not fits:
                raise ShapeError(
                    f"{self.label} expected an input of shape {show_shape(node.shape)}, received {show_shape(got)}."
                )
        return {}

    def initialize(self, seed: int, path: str) -> None:
        if not vars(self)["_drawn"]:
            super().initialize(seed, path)
            self._set("drawn", True)

    # ---------------------------------------------------------------------------------------------- structure

    def __repr__(self) -> str:
        return f"<Network of {len(self.names)} layers, {self.count_params():,} parameters>"

    def signature(self) -> Any:
        """Equal for networks of equal structure: the key of compiled programs."""
        number = {node: i for i, node in enumerate(self.order)}

        def show(value: Any) -> Any:
            return config.signature(tree.map(lambda v: ("node", number[v]) if isinstance(v, Node) else v, value))

        def describe(node: Node) -> Any:
            call = node.call
            what = (self.names[call], call.signature()) if isinstance(call, Layer) else call
            return what, show(node.args), show(node.kwargs), node.shape, node.dtype

        return (Network, tuple(map(describe, self.order)), show(self.inputs), show(self.outputs), self.trainable)

    def rebuilt(self, replace: Callable[[Node], Any]) -> Network:
        """The same graph with `replace(node)` in the place of each node's call; weights keep their paths."""
        new: dict[Node, Node] = {}
        names: dict[Layer, str] = {}
        for node in self.order:
            call = replace(node)
            if isinstance(node.call, Layer):
                names[call] = self.names[node.call]
            args, kwargs = substitute(new, node.args), substitute(new, node.kwargs)
            new[node] = Node(call, args, kwargs, shape=node.shape, dtype=node.dtype, name=node.name)
        copy = type(self)(
            inputs=substitute(new, self.inputs),
            outputs=substitute(new, self.outputs),
            name=self.name,
            trainable=self.trainable,
        )
        copy._set("names", names)
        copy.cell.specs, copy.cell.traced = {}, True
        return copy

    def copied(self, memo: dict[int, Any], number: Callable[[Any], Any] | None = None) -> Network:
        copies = {layer: parts.copied(layer, memo, number) for layer in self.names}
        made = memo[id(self)] = self.rebuilt(lambda node: copies.get(node.call, node.call))
        return made

    # ------------------------------------------------------------------------------------------ configuration

    def get_config(self) -> dict[str, Any]:
        """The graph as JSON values: layers once each, nodes with references by number."""
        with config.sharing():
            return self._config()

    def _config(self) -> dict[str, Any]:
        number = {node: i for i, node in enumerate(self.order)}
        place = {layer: i for i, layer in enumerate(self.names)}
        layers = [{"name": name, **config.object_json(layer)} for layer, name in self.names.items()]
        nodes = [_node_json(node, number, place) for node in self.order]
        ends = {"inputs": _encode(self.inputs, number), "outputs": _encode(self.outputs, number)}
        own: dict[str, Any] = {"name": self.name} if self.name else {}
        own |= {} if self.trainable else {"trainable": False}
        return {**own, "layers": layers, "nodes": nodes, **ends}

    @classmethod
    def from_config(cls, config_: dict[str, Any]) -> Network:
        """The inverse of `get_config`; classes and operations are looked up by name."""
        with config.sharing():
            layers: list[Layer] = [
                config.object_from_json("layer", {k: v for k, v in entry.items() if k != "name"})
                for entry in config_["layers"]
            ]
        nodes: list[Node] = []
        for entry in config_["nodes"]:
            nodes.append(_node_from_json(entry, nodes, layers))
        network = cls(
            inputs=_decode(config_["inputs"], nodes),
            outputs=_decode(config_["outputs"], nodes),
            name=config_.get("name"),
            trainable=config_.get("trainable", True),
        )
        network._set("names", {layer: e["name"] for layer, e in zip(layers, config_["layers"], strict=True)})
        return network


def _cut(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The graph from `inputs` on; those that a call made become inputs of their own, without what led to them."""
    given = tree.leaves(inputs)
    new = {n: Node(None, shape=n.shape, dtype=n.dtype, name=n.name) if n.call is not None else n for n in given}
    for node in topological(tree.leaves(outputs), given):
        if node.call is None:
            new.setdefault(node, node)
        elif node not in new:
            args, kwargs = substitute(new, node.args), substitute(new, node.kwargs)
            new[node] = Node(node.call, args, kwargs, shape=node.shape, dtype=node.dtype)
    return substitute(new, inputs), substitute(new, outputs)


def _op_name(node: Node) -> str:
    return getattr(node.call, "__name__", "")


# ------------------------------------------------------------------------------------------------ graph as JSON


def _node_json(node: Node, number: dict[Node, int], place: dict[Layer, int]) -> dict[str, Any]:
    if node.call is None:
        own = {"name": node.name} if node.name else {}
        return {"input": {"shape": list(node.shape[1:]), "dtype": node.dtype, **own}}
    if isinstance(node.call, Layer):
        own = {"kwargs": _encode(node.kwargs, number)} if node.kwargs else {}
        return {"layer": place[node.call], "args": _encode(list(node.args), number), **own}
    if node.call is select:
        return {"part": node.args[1], "of": number[node.args[0]]}
    if _OPS.get(_op_name(node)) is not node.call:
        raise ConfigurationError(
            f"The operation {_op_name(node)!r} is not one of neuroloom.ops, so the model cannot be written to a "
            f"file. Make it a layer of its own: a class with build and call."
        )
    return {
        "op": _op_name(node),
        "args": _encode(list(node.args), number),
        "kwargs": _encode(node.kwargs, number),
    }


def _node_from_json(entry: dict[str, Any], nodes: list[Node], layers: list[Layer]) -> Any:
    if "input" in entry:
        given = entry["input"]
        return Input(tuple(given["shape"]), given["dtype"], given.get("name"))
    if "part" in entry:
        return nodes[entry["of"]][entry["part"]]
    args = _decode(entry["args"], nodes)
    if "layer" in entry:
        return layers[entry["layer"]](*args, **_decode(entry.get("kwargs", {"dict": {}}), nodes))
    if entry["op"] not in _OPS:
        raise ConfigurationError(f"Unknown operation {entry['op']!r} in the model's graph.")
    return _OPS[entry["op"]](*args, **_decode(entry["kwargs"], nodes))


def _encode(value: Any, number: dict[Node, int]) -> Any:
    """Nodes, slices and arrays among arguments, as JSON."""
    if isinstance(value, Node):
        return {"node": number[value]}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, Closure):
        body, *outer = value
        return {"step": _body_json(body), "with": [_encode(v, number) for v in outer]}
    if isinstance(value, dict):
        return {"dict": {k: _encode(v, number) for k, v in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_encode(v, number) for v in value]}
    if isinstance(value, list):
        return [_encode(v, number) for v in value]
    return config.to_json(value)


def _decode(value: Any, nodes: list[Node]) -> Any:
    if isinstance(value, list):
        return [_decode(v, nodes) for v in value]
    if not isinstance(value, dict):
        return value
    (tag, inner), *_ = value.items()
    if tag == "node":
        return nodes[inner]
    if tag == "slice":
        return slice(*inner)
    if tag == "ellipsis":
        return Ellipsis
    if tag == "array":
        import numpy as np

        return np.asarray(inner, dtype=value["dtype"])
    if tag == "step":
        return Closure((_body_from_json(inner), *(_decode(v, nodes) for v in value["with"])))
    if tag == "dict":
        return {k: _decode(v, nodes) for k, v in inner.items()}
    return tuple(_decode(v, nodes) for v in inner)


def _body_json(body: Body) -> dict[str, Any]:
    """A recorded step as JSON: what comes in, what is used from outside, then the operations."""
    nodes = [*body.inputs, *body.outer, *body.order]
    number = {node: i for i, node in enumerate(nodes)}
    ends = [[[list(node.shape), node.dtype] for node in given] for given in (body.inputs, body.outer)]
    made = [_node_json(node, number, {}) for node in body.order]
    return {"inputs": ends[0], "outer": ends[1], "nodes": made, "outputs": _encode(body.outputs, number)}


def _body_from_json(made: dict[str, Any]) -> Body:
    inputs = [Node(None, shape=tuple(shape), dtype=dtype) for shape, dtype in made["inputs"]]
    nodes: list[Any] = [*inputs, *(Node(None, shape=tuple(shape), dtype=dtype) for shape, dtype in made["outer"])]
    for entry in made["nodes"]:
        nodes.append(_node_from_json(entry, nodes, []))
    return Body(inputs, _decode(made["outputs"], nodes))


_OPS: dict[str, Callable[..., Array]] = {
    name: fn for name in ops.__all__ if callable(fn := getattr(ops, name)) and hasattr(fn, "__wrapped__")
} | {"scan": ops.scan}
"""The operations that a model file may name."""
