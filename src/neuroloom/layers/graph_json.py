"""A graph of layers and operations as JSON, for configurations and files. Operations are looked up in a closed list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom import config, ops
from neuroloom.errors import ConfigurationError
from neuroloom.layers.base import Layer
from neuroloom.layers.input import Input
from neuroloom.ops.graph import Node, select
from neuroloom.ops.loops import Body, Closure
from neuroloom.typing import Array


def node_json(node: Node, number: dict[Node, int], place: dict[Layer, int]) -> dict[str, Any]:
    """A Node, with the numbers of those that it uses and of its layer."""
    if node.call is None:
        own = {"name": node.name} if node.name else {}
        return {"input": {"shape": list(node.shape[1:]), "dtype": node.dtype, **own}}
    if isinstance(node.call, Layer):
        own = {"kwargs": encode(node.kwargs, number)} if node.kwargs else {}
        return {"layer": place[node.call], "args": encode(list(node.args), number), **own}
    if node.call is select:
        return {"part": node.args[1], "of": number[node.args[0]]}
    if OPS.get(op_name(node)) is not node.call:
        raise ConfigurationError(
            f"The operation {op_name(node)!r} is not one of neuroloom.ops, so the model cannot be written to a "
            f"file. Make it a layer of its own: a class with build and call."
        )
    return {
        "op": op_name(node),
        "args": encode(list(node.args), number),
        "kwargs": encode(node.kwargs, number),
    }


def op_name(node: Node) -> str:
    """The name of the operation that a Node is made by."""
    return getattr(node.call, "__name__", "")


def node_from_json(entry: dict[str, Any], nodes: list[Node], layers: list[Layer]) -> Any:
    """The inverse of `node_json`, for Nodes and layers that are there already."""
    if "input" in entry:
        given = entry["input"]
        return Input(tuple(given["shape"]), given["dtype"], given.get("name"))
    if "part" in entry:
        return nodes[entry["of"]][entry["part"]]
    args = decode(entry["args"], nodes)
    if "layer" in entry:
        return layers[entry["layer"]](*args, **decode(entry.get("kwargs", {"dict": {}}), nodes))
    if entry["op"] not in OPS:
        raise ConfigurationError(f"Unknown operation {entry['op']!r} in the model's graph.")
    return OPS[entry["op"]](*args, **decode(entry["kwargs"], nodes))


def encode(value: Any, number: dict[Node, int]) -> Any:
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
        return {"step": _body_json(body), "with": [encode(v, number) for v in outer]}
    if isinstance(value, dict):
        return {"dict": {k: encode(v, number) for k, v in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [encode(v, number) for v in value]}
    if isinstance(value, list):
        return [encode(v, number) for v in value]
    return config.to_json(value)


def decode(value: Any, nodes: list[Node]) -> Any:
    """The inverse of `encode`."""
    if isinstance(value, list):
        return [decode(v, nodes) for v in value]
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
        return np.asarray(inner, dtype=value["dtype"])
    if tag == "step":
        return Closure((_body_from_json(inner), *(decode(v, nodes) for v in value["with"])))
    if tag == "dict":
        return {k: decode(v, nodes) for k, v in inner.items()}
    return tuple(decode(v, nodes) for v in inner)


def _body_json(body: Body) -> dict[str, Any]:
    """A recorded step as JSON: what comes in, what is used from outside, then the operations."""
    nodes = [*body.inputs, *body.outer, *body.order]
    number = {node: i for i, node in enumerate(nodes)}
    ends = [[[list(node.shape), node.dtype] for node in given] for given in (body.inputs, body.outer)]
    made = [node_json(node, number, {}) for node in body.order]
    return {"inputs": ends[0], "outer": ends[1], "nodes": made, "outputs": encode(body.outputs, number)}


def _body_from_json(made: dict[str, Any]) -> Body:
    inputs = [Node(None, shape=tuple(shape), dtype=dtype) for shape, dtype in made["inputs"]]
    nodes: list[Any] = [*inputs, *(Node(None, shape=tuple(shape), dtype=dtype) for shape, dtype in made["outer"])]
    for entry in made["nodes"]:
        nodes.append(node_from_json(entry, nodes, []))
    return Body(inputs, decode(made["outputs"], nodes))


OPS: dict[str, Callable[..., Array]] = {
    name: fn for name in ops.__all__ if callable(fn := getattr(ops, name)) and hasattr(fn, "__wrapped__")
} | {"scan": ops.scan}
"""The operations that a model file may name."""
