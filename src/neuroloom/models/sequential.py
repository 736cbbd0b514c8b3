"""A chain of layers as a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuroloom.calls import friendly_methods
from neuroloom.data.sources import as_arrays
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.layers import Input, Layer, Network
from neuroloom.layers.base import shape_of
from neuroloom.layers.parts import Version
from neuroloom.layers.run import here
from neuroloom.models.model import Model
from neuroloom.ops.graph import Node


@friendly_methods
class Sequential(Model):
    """A chain of layers.

    The input's shape comes from `Input(...)` as first element, from `input_shape=` of the first layer, or from the
    first data that the model sees.

    Args:
        layers: layers and models; more are added with `add`.

    >>> import neuroloom as nl
    >>> model = nl.Sequential([nl.layers.Dense(16, activation="relu", input_shape=(4,)), nl.layers.Dense(3)])
    >>> model
    <Sequential (?, 4) -> (?, 3), 131 parameters>
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None) -> None:
        self._network = None
        self._chain: list[Any] = []
        self._begin(name)
        if isinstance(layers, Layer | Model | Node | str) or not isinstance(layers, Iterable | None):
            raise ConfigurationError(f"Sequential expected a list of layers, received {layers!r}.")
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Append a layer or a model. What an optimizer remembered of a training is forgotten."""
        chain = self._chain_now()
        if isinstance(layer, Node):
            if chain:
                raise ConfigurationError("Input comes first in a Sequential.")
        elif layer is self:
            raise ConfigurationError("A Sequential cannot be a layer of itself.")
        elif not isinstance(layer, Layer | Model):
            hint = f" Write {layer.__name__}(...)." if isinstance(layer, type) else ""
            raise ConfigurationError(f"Sequential expected a layer, received {layer!r}.{hint}")
        if self._network is not None:
            self._connect(self.network.inputs, self.network.outputs, [layer])
        elif chain or not isinstance(layer, Node):
            self._connect_first([*chain, layer])
        chain.append(layer)
        self._forget_training()

    def _connect_first(self, chain: list[Any]) -> None:
        """Make the network if the chain's first element says which shape it takes."""
        start = chain[0]
        if isinstance(start, Node):
            self._connect(start, start, chain[1:])
        elif isinstance(start, Model):
            if start._network is not None:
                self._connect_to(_like(start.network.inputs), chain)
        elif start.input_shape is not None:
            self._connect_to(Input(start.input_shape, start.input_dtype), chain)

    def _chain_now(self) -> list[Any]:
        if not hasattr(self, "_chain"):  # loaded from a file
            order = self.network.order
            self._chain = [order[0], *(node.call for node in order[1:])]
        return self._chain

    def _connect_to(self, start: Node, chain: list[Any]) -> None:
        self._connect(start, start, chain)

    def _connect(self, source: Node, value: Any, chain: list[Any]) -> None:
        """The network from `source` through `value`, which exists, and the layers of `chain`."""
        for layer in chain:
            value = layer(value)
        self._network = Network(inputs=source, outputs=value, name=self.name, trainable=self._trainable)
        Version.next()

    def _build_for(self, x: Any) -> None:
        if self._network is not None:
            return
        if not any(isinstance(layer, Layer | Model) for layer in self._chain):
            raise ConfigurationError("The Sequential has no layers; add some before using it.")
        self._connect_to(_like(x) if isinstance(x, Node) else self._input_for(x), self._chain)

    def _input_for(self, x: Any) -> Node:
        """An Input of the data's shape."""
        if here.run is not None:
            return Input(shape_of(x)[1:], getattr(self._chain[0], "input_dtype", "float32"))
        data = as_arrays(x, name="x", dtype=None)
        if isinstance(data, list | tuple | dict):
            raise DataError("A Sequential has one input; it received several arrays. Use Model(inputs, outputs).")
        return Input(data.shape[1:], getattr(self._chain[0], "input_dtype", "float32"))

    @property
    def layers(self) -> list[Layer]:
        """The layers in order."""
        return [layer for layer in self._chain_now() if not isinstance(layer, Node)]

    def pop(self) -> Any:
        """Remove and return the last layer."""
        chain = self._chain_now()
        if not chain:
            raise ConfigurationError("The Sequential has no layer to remove.")
        last, self._chain, self._network = chain[-1], [], None
        self._forget_training()
        for layer in chain[:-1]:
            self.add(layer)
        return last


def _like(node: Any) -> Node:
    """A fresh Input of a Node's shape and dtype."""
    if not isinstance(node, Node):
        raise ConfigurationError("A Sequential has one input; its first model has several. Use Model(inputs, outputs).")
    return Input(node.shape[1:], node.dtype, node.name)
