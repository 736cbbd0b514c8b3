"""A network of layers as the boxes of a diagram."""

from __future__ import annotations

from typing import Any

from neuroloom import tree
from neuroloom.layers import Layer, Network
from neuroloom.layers.base import show_shape
from neuroloom.ops.graph import Node, select
from neuroloom.plots.diagram import Box

LONGEST = 80  # characters of a detail


def boxes_of(network: Network) -> list[Box]:
    """One box per input, layer and operation; networks inside the network become scopes.

    A layer that is called twice has two boxes, 'dense' and 'dense (2)', of which the first counts its parameters.

    >>> import neuroloom as nl
    >>> x = nl.Input((4,))
    >>> [box.name for box in boxes_of(nl.Model(x, nl.layers.Dense(2)(x)).network)]
    ['input', 'dense']
    """
    recorder = _Recorder()
    recorder.inside(network, "", {})
    return recorder.boxes


class _Recorder:
    """Collects boxes; `made` tells which box (or boxes, of a call with several results) makes a Node."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.taken: set[str] = set()
        self.counted: set[Layer] = set()

    def inside(self, network: Network, scope: str, given: dict[Node, Any]) -> Any:
        """The boxes of a network's outputs, when those of its inputs are given."""
        made = dict(given)
        for node in network.order:
            if node in made:
                continue
            if node.call is select:
                whole = made[node.args[0]]
                made[node] = whole[node.args[1]] if isinstance(whole, list | tuple | dict) else whole
            elif isinstance(node.call, Network):
                made[node] = self._network(network, scope, node, made)
            else:
                made[node] = self._box(network, scope, node, made)
        return tree.map(made.__getitem__, network.outputs)

    def _network(self, network: Network, scope: str, node: Node, made: dict[Node, Any]) -> Any:
        inner = node.call
        name = self._free(scope + network.names[inner], called=True)
        sources = [made[parent] for parent in tree.leaves(node.args[0])]
        return self.inside(inner, f"{name}/", dict(zip(tree.leaves(inner.inputs), sources, strict=True)))

    def _box(self, network: Network, scope: str, node: Node, made: dict[Node, Any]) -> str:
        call = node.call
        if isinstance(call, Layer):
            kind, label, name = "layer", type(call).__name__, network.names[call]
        elif call is None:
            kind, label, name = "input", "Input", node.name or "input"
        else:
            kind, label = "operation", str(getattr(call, "__name__", "operation"))
            name = label
        name = self._free(scope + name, called=kind == "layer")
        inputs = tuple(made[parent] for parent in node.parents())
        several = node.dtype == "tuple"
        details = self._details(node)
        dtype = "several values" if several else node.dtype
        self.boxes.append(Box(name, kind, label, inputs, None if several else node.shape, dtype, details))
        return name

    def _free(self, name: str, called: bool) -> str:
        """The name, or with a number if another box has it: 'dense (2)' of calls, 'add_1' of operations."""
        free, n = name, 1
        while free in self.taken:
            n += 1
            free = f"{name} ({n})" if called else f"{name}_{n - 1}"
        self.taken.add(free)
        return free

    def _details(self, node: Node) -> dict[str, str]:
        layer = node.call
        if not isinstance(layer, Layer):
            given = [v for v in tree.leaves([node.args, node.kwargs]) if not isinstance(v, Node)]
            return {"with": ", ".join(map(_short, given))} if given else {}
        config = {k: v for k, v in layer.get_config().items() if k not in ("name", "input_shape")}
        details = {name: _short(_readable(value)) for name, value in config.items()}
        weights = layer.specs
        details |= {f"weight {name}": show_shape(weight.shape) for name, weight in weights.items()}
        if layer in self.counted:
            return details | {"parameters": "those of the first call"}
        self.counted.add(layer)
        return details | {"parameters": f"{layer.count_params():,}"}


def _readable(value: Any) -> Any:
    """A value of a configuration without the frame that files need."""
    return value["class"] if isinstance(value, dict) and "class" in value else value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
