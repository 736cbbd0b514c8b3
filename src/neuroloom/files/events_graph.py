"""A graph of boxes as the GraphDef that TensorBoard's graph page reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroloom.plots.diagram import Box

OPS = {"input": "Placeholder", "constant": "Const", "variable": "VariableV2"}
"""The operations that TensorBoard draws in forms of their own."""


def graph_record(boxes: Sequence[Box]) -> bytes:
    """The serialised GraphDef: one node per box, shapes as `_output_shapes`, details as attributes."""
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.versions_pb2 import VersionDef

    names = _names([box.name for box in boxes])
    nodes = [_node(box, names) for box in boxes]
    return bytes(GraphDef(node=nodes, versions=VersionDef(producer=22)).SerializeToString())


def _node(box: Box, names: dict[str, str]) -> Any:
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.node_def_pb2 import NodeDef

    texts = {"label": box.label, "dtype": box.dtype, **box.details}
    attributes = {clean_part(key): AttrValue(s=str(text).encode()) for key, text in texts.items()}
    if box.shape is not None:
        attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[_shape(box.shape)]))
    op = OPS.get(box.kind) or clean_part(box.label)
    return NodeDef(name=names[box.name], op=op, input=[names[name] for name in box.inputs], attr=attributes)


def _shape(shape: tuple[int | None, ...]) -> Any:
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1 if n is None else n) for n in shape])


def clean_part(text: str) -> str:
    """A name of letters, digits and `_.-`, as GraphDef allows it.

    >>> clean_part("dense (2)")
    'dense_2_'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip("_-") or "_"


def _names(given: list[str]) -> dict[str, str]:
    """Allowed names, different where the given ones are."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in given:
        clean = "/".join(clean_part(part) for part in name.split("/"))
        free, n = clean, 1
        while free in taken:
            free, n = f"{clean}_{n}", n + 1
        names[name] = free
        taken.add(free)
    return names
