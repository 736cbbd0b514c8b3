"""A graph of layers and operations, as a layer: what functional models, Sequentials and sub-models are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any, TypeVar

from neuroloom import config, tree
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.layers import parts
from neuroloom.layers.base import Layer, Weight, show_shape
from neuroloom.layers.graph_json import decode, encode, node_from_json, node_json, op_name
from neuroloom.layers.parts import Version
from neuroloom.layers.run import Context, Weights
from neuroloom.ops.graph import Node, has_node, select, substitute, topological, walk

Found = TypeVar("Found")

_NONE: dict[str, Any] = {}


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
        names = {layer: name for name, layer in parts.named(found, "network").items()}
        return {layer: names[layer] for layer in _by_depth(self.order, tree.leaves(self.outputs))}

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
        """The name of each layer in this network, in Keras's order: farthest from the outputs first."""
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
                ctx.run.seen(ctx.path, op_name(node), value)
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
        calls: dict[Any, Any] = {}
        for node in self.order:
            call = calls[node.call] = replace(node)
            args, kwargs = substitute(new, node.args), substitute(new, node.kwargs)
            new[node] = Node(call, args, kwargs, shape=node.shape, dtype=node.dtype, name=node.name)
        copy = type(self)(
            inputs=substitute(new, self.inputs),
            outputs=substitute(new, self.outputs),
            name=self.name,
            trainable=self.trainable,
        )
        copy._set("names", {calls[layer]: name for layer, name in self.names.items()})
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
        nodes = [node_json(node, number, place) for node in self.order]
        ends = {"inputs": encode(self.inputs, number), "outputs": encode(self.outputs, number)}
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
            nodes.append(node_from_json(entry, nodes, layers))
        network = cls(
            inputs=decode(config_["inputs"], nodes),
            outputs=decode(config_["outputs"], nodes),
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


def _by_depth(order: list[Node], outputs: list[Node]) -> list[Layer]:
    """The layers by their greatest distance from an output, then in the order in which a walk back meets them."""
    met: dict[Any, int] = {}
    stack, seen = list(reversed(outputs)), set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            met.setdefault(_made_by(node), len(met))
            stack.extend(reversed(list(node.parents())))
    distance: dict[Any, int] = {}  # of nodes, and of the layers that make them
    for node in reversed(order):
        made_by, here = _made_by(node), distance.get(node, 0)
        here = distance[node] = distance[made_by] = max(here, distance.get(made_by, 0))
        for parent in node.parents():
            distance[parent] = max(here + (node.call is not select), distance.get(parent, 0))
    layers = [call for call in met if isinstance(call, Layer)]
    return sorted(layers, key=lambda layer: (-distance[layer], met[layer]))


def _made_by(node: Node) -> Any:
    """The layer that makes a Node; another Node stands for itself."""
    return node.call if isinstance(node.call, Layer) else node
