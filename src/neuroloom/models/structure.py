"""What a model is, apart from what it learns: a network, its weights by path, its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.calls import friendly_methods
from neuroloom.errors import ConfigurationError, ShapeError, nearest
from neuroloom.layers import Layer, Network
from neuroloom.layers.base import show_shape
from neuroloom.ops.graph import Node, has_node
from neuroloom.summary import Summary
from neuroloom.typing import Array

ELSEWHERE = {
    "predict_classes": "Write predict(x).argmax(-1), or predict(x) > 0.5 for one sigmoid unit.",
    "predict_proba": "Write predict(x).",
    "predict_on_batch": "Write predict(x).",
    "test_on_batch": "Write evaluate(x, y).",
    "fit_generator": "Write fit(generator).",
    "evaluate_generator": "Write evaluate(generator).",
    "predict_generator": "Write predict(x) for each x of the generator.",
    "lr": "Write learning_rate.",
}
"""What to write instead of names that models of other versions of Keras have."""


@friendly_methods
class Structure:
    """A network of layers, and everything about it that needs no data and no training."""

    _network: Network | None
    name: str | None = None

    def __getattr__(self, name: str) -> Any:
        raise self._no_attribute(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name) and _is_ours(type(self)):
            raise self._no_attribute(name)
        super().__setattr__(name, value)

    def _no_attribute(self, name: str) -> AttributeError:
        start = f"{type(self).__name__} has no attribute {name!r}"
        if name.startswith("_"):  # Python asks for such names
            return AttributeError(start)
        known = (one for one in dir(type(self)) if not one.startswith("_"))
        return AttributeError(f"{start}. {ELSEWHERE.get(name) or nearest(name, known)}")

    def _begin(self, name: str | None) -> None:
        self.name = name
        self._seed = config.next_seed()
        self._replaced = False  # whether weights were set since a training last looked

    # ---------------------------------------------------------------------------------------------- structure

    @property
    def network(self) -> Network:
        """The graph of layers."""
        if self._network is None:
            raise ShapeError(
                f"{type(self).__name__} does not know its input shape yet. Give the first layer input_shape=..., start "
                f"with Input((...)), or call fit or predict on data first."
            )
        return self._network

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which data meet them."""
        return list(self.network.layers.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, or by its place in `layers`."""
        if (name is None) == (index is None):
            raise ConfigurationError(f"get_layer expected a name or an index, received {name!r} and {index!r}.")
        if index is not None:
            n, place = len(self.layers), int(config.checked("index", index, config.Integer(-len(self.layers))))
            if place >= n:
                raise ConfigurationError(f"The model has {n} layers, with indices from 0 to {n - 1}, received {index}.")
            return self.layers[place]
        found = self.network.layers
        if name not in found:
            raise ConfigurationError(f"The model has no layer {name!r}. {nearest(str(name), found)}")
        return found[name]

    @property
    def inputs(self) -> list[Node]:
        """The symbolic inputs."""
        return tree.leaves(self.network.inputs)

    @property
    def outputs(self) -> list[Node]:
        """The symbolic outputs."""
        return tree.leaves(self.network.outputs)

    @property
    def input(self) -> Any:
        """The symbolic input, or the list or dict of them."""
        return self.network.inputs

    @property
    def output(self) -> Any:
        """The symbolic output, or the list or dict of them; a part of a model is made from such Nodes."""
        return self.network.outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input (None: free), or a list or dict of shapes."""
        return tree.map(lambda node: node.shape, self.network.inputs)

    @property
    def output_shape(self) -> Any:
        """The shape of the output (None: free), or a list or dict of shapes."""
        return tree.map(lambda node: node.shape, self.network.outputs)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """The model as a layer: symbolic for symbolic inputs, values for arrays (of the arrays' engine)."""
        self._build_for(x)
        if has_node(x):
            return self.network(x, training=training)
        self._draw()
        given = _typed(self.network.inputs, x)
        arrays = list(given.values()) if isinstance(given, dict) else given if isinstance(given, list) else [given]
        return tree.map(lambda y: engines.of(y).apart(y, arrays), self.network(given, training=training))

    def _build_for(self, x: Any) -> None:
        """Make sure that there is a network; a Sequential may make it from data."""
        _ = self.network

    def _draw(self) -> None:
        self.network.initialize(self._seed, "")

    # ------------------------------------------------------------------------------------------------ weights

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all weights by path, such as 'encoder/dense_1/kernel'."""
        self._draw()
        arrays = dict(tree.items(self.network.arrays()))  # jax returns dicts with sorted keys
        return {path: _copy(arrays[path]) for path in self.network.weights()}

    @property
    def trainable_weights(self) -> dict[str, np.ndarray]:
        """Copies of the weights that training changes, by path."""
        trained = self.network.weights()
        return {path: array for path, array in self.weights.items() if trained[path][1]}

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return list(self.weights.values())

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace all weights, given by path or in the order of `weights`.

        Raises:
            ShapeError: another number of weights, another path or another shape.
        """
        if isinstance(weights, str) or not isinstance(weights, Mapping | Sequence):
            raise ConfigurationError(
                f"set_weights expected a list of arrays, as get_weights gives them, or a dict of them by path, "
                f"received {weights!r:.60}."
            )
        self._draw()
        shapes = {path: w.shape for path, (w, _) in self.network.weights().items()}
        given = dict(weights) if isinstance(weights, Mapping) else self._by_order(list(weights), shapes)
        for path in given:
            if path not in shapes:
                raise ShapeError(f"The model has no weight {path!r}. {nearest(path, shapes)}")
        for path, shape in shapes.items():
            if path not in given or np.shape(given[path]) != tuple(shape):
                received = f"shape {np.shape(given[path])}" if path in given else "nothing"
                raise ShapeError(f"The weight {path!r} expected an array of shape {tuple(shape)}, received {received}.")
        arrays = {path: np.array(given[path], np.float32) for path in shapes}
        self.network.assign(tree.from_items(list(arrays.items())))
        self._replaced = True

    def _by_order(self, weights: list[Any], shapes: dict[str, Any]) -> dict[str, Any]:
        if len(weights) != len(shapes):
            raise ShapeError(f"The model has {len(shapes)} weights, received {len(weights)}.")
        return dict(zip(shapes, weights, strict=True))

    def count_params(self) -> int:
        """Number of numbers in all weights."""
        return self.network.count_params()

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> Summary:
        """Print a table of the layers: output shape, number of parameters, memory; and return it.

        Args:
            print_fn: what to print with, line by line; by default the terminal gets a table in colour.
        """
        table = Summary(self.network, self.name or type(self).__name__)
        table.show(print_fn)
        return table

    # ------------------------------------------------------------------------------------------ configuration

    def get_config(self) -> dict[str, Any]:
        """The structure as JSON values; `from_config` is the inverse."""
        return {"class": type(self).__name__, "network": self.network.get_config()}

    @classmethod
    def from_config(cls, structure: dict[str, Any]) -> Self:
        """A model of the structure that `get_config` returned, with fresh weights."""
        model = cls.__new__(cls)
        model._network = Network.from_config(structure["network"])
        model._begin(model._network.name)
        return model

    def __repr__(self) -> str:
        if self._network is None:
            return f"<{type(self).__name__}, input shape unknown>"
        ends = f"{_shown(self.input_shape)} -> {_shown(self.output_shape)}"
        return f"<{type(self).__name__} {ends}, {self.count_params():,} parameters>"


def _typed(inputs: Any, x: Any) -> Any:
    """Tensors in the dtypes of the inputs that they are for."""
    if isinstance(inputs, Node):
        engine = engines.dispatch.of_type(type(x))
        return x if engine is None or engine.name == "numpy" else engine.astype(x, inputs.dtype)
    if isinstance(inputs, dict) and isinstance(x, dict) and inputs.keys() == x.keys():
        return {name: _typed(inputs[name], part) for name, part in x.items()}
    if isinstance(inputs, list | tuple) and isinstance(x, list | tuple) and len(inputs) == len(x):
        return [_typed(one, part) for one, part in zip(inputs, x, strict=True)]
    return x


def _is_ours(cls: type) -> bool:
    """Whether a class is the library's, and not a user's own."""
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _copy(array: Array) -> np.ndarray:
    return np.array(engines.of(array).to_numpy(array))


def _shown(shape: Any) -> str:
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{k}: {show_shape(s)}" for k, s in shape.items()) + "}"
    return f"[{', '.join(map(show_shape, shape))}]" if isinstance(shape, list) else show_shape(shape)
