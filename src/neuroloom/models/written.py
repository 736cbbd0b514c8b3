"""A model that a user writes as a class: layers made in `__init__`, a `call` that uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.data.sources import as_arrays
from neuroloom.layers import Input, Layer
from neuroloom.layers.base import check_fits
from neuroloom.layers.parts import attribute_signature, layers_in, named
from neuroloom.layers.run import Context, Weights
from neuroloom.ops.graph import Node


class WrittenNetwork(Layer, abstract=True):
    """What such a model computes, as a layer; the layers in it are those among the model's attributes.

    Args:
        model: whose `call` it is.
    """

    model: Any

    _pure = False

    @property
    def label(self) -> str:
        return type(self.model).__name__

    @property
    def children(self) -> dict[str, Layer]:
        found = list(layers_in(list(self.model.attributes().values())))
        return named(found, type(self.model).__name__)

    def compute(self, w: Weights, args: tuple[Any, ...], kwargs: dict[str, Any], ctx: Context) -> Any:
        taken = type(self.model).call_arguments
        if "training" in taken:
            kwargs = {**kwargs, "training": ctx.training}
        return self.model.call(*args, **kwargs)

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        check_fits(self.label, type(self.model).call, args, kwargs)

    def takes(self, name: str) -> bool:  # type: ignore[override]
        return name in type(self.model).call_arguments

    def signature(self) -> Any:
        return WrittenNetwork, type(self.model), attribute_signature(self.model.attributes()), self.trainable

    def copied(self, memo: dict[int, Any], number: Callable[[Any], Any] | None = None) -> Layer:
        made = super().copied(memo, number)
        made.cell.traced = True
        return made


def inputs_like(x: Any) -> Any:
    """Symbolic inputs of the shapes and dtypes of data, in their structure."""
    if all(isinstance(leaf, Node) for leaf in tree.leaves([x])):
        return tree.map(lambda node: Input(node.shape[1:], node.dtype, node.name), x)
    data = as_arrays(x, name="x")
    if isinstance(data, dict):
        return {name: _input(array, name) for name, array in data.items()}
    return tree.map(_input, data)


def _input(array: np.ndarray, name: str | None = None) -> Node:
    return Input(array.shape[1:], "int32" if array.dtype.kind in "iu" else "float32", name)
