"""A chain of layers as a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from neuroloom.data.sources import as_arrays
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.layers import Input, Layer, Network
from neuroloom.models.model import Model
from neuroloom.ops.graph import Node


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

    def __init__(self, layers: Iterable[Any] = (), name: str | None = None) -> None:
        self._network = None
        self._chain: list[Any] = []
        self._begin(name)
        for layer in layers:
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Append a layer or a model."""
        chain = self._chain_now()
        if isinstance(layer, Node):
            if chain:
                raise ConfigurationError("Input comes first in a Sequential.")
        elif not isinstance(layer, Layer | Model):
            hint = f" Write {layer.__name__}(...)." if isinstance(layer, type) else ""
            raise ConfigurationError(f"Sequential expected a layer, received {layer!r}.{hint}")
        chain.append(layer)
        self._chain, self._network = chain, None
        self._task = None
        start = chain[0]
        shape = None if isinstance(start, Node | Model) else start.input_shape
        if isinstance(start, Node) and len(chain) > 1:
            self._connect(start, chain[1:])
        elif shape is not None:
            self._connect(Input(shape, start.input_dtype), chain)
        elif isinstance(start, Model) and start._network is not None:
            self._connect(start.network.inputs, chain, follow=start)

    def _chain_now(self) -> list[Any]:
        if not hasattr(self, "_chain"):  # loaded from a file
            order = self.network.order
            self._chain = [order[0], *(node.call for node in order[1:])]
        return self._chain

    def _connect(self, start: Node, chain: list[Any], follow: Model | None = None) -> None:
        value: Any = Input(start.shape[1:], start.dtype, start.name) if follow else start
        source = value
        for layer in chain:
            value = layer(value)
        self._network = Network(inputs=source, outputs=value, name=self.name)

    def _build_for(self, x: Any) -> None:
        if self._network is not None:
            return
        if not self._chain:
            raise ConfigurationError("The Sequential has no layers; add some before using it.")
        data = as_arrays(x, name="x")
        if not isinstance(data, np.ndarray):
            raise DataError("A Sequential has one input; it received several arrays. Use Model(inputs, outputs).")
        first = self._chain[0]
        self._connect(Input(data.shape[1:], getattr(first, "input_dtype", "float32")), self._chain)

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
        self._task = None
        for layer in chain[:-1]:
            self.add(layer)
        return last
