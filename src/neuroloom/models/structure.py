"""What a model is, apart from what it learns: a network, its weights by path, its description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.calls import friendly_methods
from neuroloom.errors import ConfigurationError, ShapeError, UnknownNameError, nearest
from neuroloom.layers import Input, Layer, Network
from neuroloom.layers.base import show_shape
from neuroloom.layers.parts import copied, layers_in, specs_of
from neuroloom.layers.run import here
from neuroloom.layers.variables import Variables, as_weight
from neuroloom.models.written import WrittenNetwork, inputs_like
from neuroloom.ops.graph import Node, has_node
from neuroloom.summary import Summary

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

CLASSES: dict[str, Any] = {}
"""Classes of models by name: what a model file may name."""


def class_named(name: Any) -> Any:
    """The class of models of a name; files never import one.

    Raises:
        UnknownNameError: there is none.
    """
    if not isinstance(name, str) or name not in CLASSES:
        raise UnknownNameError(
            f"The class {name!r} of the model is not known here. Import or define it before the file is read. "
            f"{nearest(str(name), CLASSES)}"
        )
    return CLASSES[name]


@friendly_methods
class Structure:
    """A network of layers, and everything about it that needs no data and no training."""

    _network: Network | None
    name: str | None = None

    call_arguments: ClassVar[tuple[str, ...]] = ()  # of the `call` of a class that a user wrote

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        CLASSES[cls.__name__] = cls
        if _is_ours(cls):
            return
        if "call" in cls.__dict__:
            cls.call_arguments = tuple(inspect.signature(cls.__dict__["call"]).parameters)[1:]
        if "__init__" in cls.__dict__:
            config.keep_arguments(cls, cls.__dict__["__init__"])

    @classmethod
    def register_as(cls, name: str) -> None:
        """Let files know the class by this name."""
        config.take_name(CLASSES, name, cls)
        cls.registered_name = name  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name in ("_network", "_body") and "_seed" not in vars(self):
            raise ConfigurationError(f"{type(self).__name__}.__init__ must call super().__init__(**kwargs) first.")
        raise self._no_attribute(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name) and _is_ours(type(self)):
            raise self._no_attribute(name)
        if not name.startswith("_") and here.run is not None and next(layers_in(value), None) is not None:
            raise ConfigurationError(
                f"{type(self).__name__} is given a layer as self.{name} while it computes; it would be a new one at "
                f"every call. Make it in __init__."
            )
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
        self._seen = 0  # the value of Cell.writes when a training last looked
        self._trainable = True
        self._body: WrittenNetwork | None = None

    def _write(self) -> None:
        """Take the class's own `call` as the network; the frame's attributes are those that exist now."""
        self._frame = frozenset((*vars(self), "_frame", "_arguments"))
        self._body = WrittenNetwork(self, name=self.name or config.snake(type(self).__name__))

    def attributes(self) -> dict[str, Any]:
        """What a user's class has set on itself."""
        return {name: value for name, value in vars(self).items() if name not in vars(self)["_frame"]}

    def __copied__(self, memo: dict[int, Any], number: Callable[[Any], Any] | None) -> Self:
        made = object.__new__(type(self))
        memo[id(self)] = made
        vars(made).update(dict.fromkeys(vars(self)))
        for name in ("name", "_seed", "_trainable", "_frame", "_chain", "_network", "_body"):
            if name in vars(self):
                vars(made)[name] = copied(vars(self)[name], memo, number)
        vars(made).update({name: copied(value, memo, number) for name, value in self.attributes().items()})
        return made

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
        own = self.network.layers if self._body is None else self._body.children
        return list(own.values())

    @property
    def trainable(self) -> bool:
        """False keeps all weights as they are. It holds for all layers inside, and can be set at any time."""
        layer = self.__layer__()
        return self._trainable if layer is None else layer.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        layer = self.__layer__()
        if layer is not None:
            layer.set_trainable(value)
        for inner in layers_in(vars(self).get("_chain", [])):
            inner.set_trainable(value)
        self._trainable = bool(value)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, or by its place in `layers`."""
        if (name is None) == (index is None):
            raise ConfigurationError(f"get_layer expected a name or an index, received {name!r} and {index!r}.")
        if index is not None:
            n, place = len(self.layers), int(config.checked("index", index, config.Integer(-len(self.layers))))
            if place >= n:
                raise ConfigurationError(f"The model has {n} layers, with indices from 0 to {n - 1}, received {index}.")
            return self.layers[place]
        found = self.network.layers if self._body is None else self._body.children
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

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, key: Any = None) -> Any:
        """The model as a layer: symbolic for symbolic inputs, values for arrays (of the arrays' engine).

        Args:
            training: whether to act as in training.
            mask: of the inputs' steps.
            key: a seed, for layers that draw numbers. Only for arrays.
        """
        if self._body is None:
            self._build_for(x)
        layer = self.__layer__()
        assert layer is not None
        if has_node(x) or here.run is not None:
            return layer(x, training=training, mask=mask)
        self._draw()
        given = x if self._network is None else _typed(self._network.inputs, x)
        return layer(given, training=training, mask=mask, key=key)

    def __layer__(self) -> Layer | None:
        """The model as a part of a layer."""
        return self._network if self._body is None else self._body

    def _build_for(self, x: Any) -> None:
        """Make sure that there is a network; a Sequential, or a user's class, may make it from data."""
        if self._network is None and self._body is not None:
            inputs = inputs_like(x)
            self._network = Network(inputs=inputs, outputs=self._body(inputs), name=self.name)
        _ = self.network

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of a shape, the batch first: (None, 8), or a list or dict of such."""
        if isinstance(input_shape, dict):
            inputs: Any = {name: Input(shape[1:], name=name) for name, shape in input_shape.items()}
        elif isinstance(input_shape, list):
            inputs = [Input(shape[1:]) for shape in input_shape]
        else:
            inputs = Input(tuple(input_shape)[1:])
        self._build_for(inputs)

    def _draw(self) -> None:
        if self._network is not None:
            self._network.initialize(self._seed, "")

    # ------------------------------------------------------------------------------------------------ weights

    @property
    def weights(self) -> Variables:
        """All weights as objects, in Keras's order, with a path, a shape and a value that can be assigned.

        `weights["dense/kernel"]` is a copy of the value of one, `weights.items()` all pairs of path and copy.
        """
        self._draw()
        return self.network.weights

    @property
    def trainable_weights(self) -> Variables:
        """Those that training changes."""
        self._draw()
        return self.network.trainable_weights

    @property
    def non_trainable_weights(self) -> Variables:
        """Those that training with gradients does not change."""
        self._draw()
        return self.network.non_trainable_weights

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return self.weights.values()

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace all weights, given in the order of `weights`, or by path in a dict.

        Raises:
            ShapeError: another number of weights, another path or another shape.
        """
        if isinstance(weights, str) or not isinstance(weights, Mapping | Sequence):
            raise ConfigurationError(
                f"set_weights expected a list of arrays, as get_weights gives them, or a dict of them by path, "
                f"received {weights!r:.60}."
            )
        shapes = {variable.path: variable.shape for variable in self.weights}
        given = dict(weights) if isinstance(weights, Mapping) else self._by_order(list(weights), shapes)
        for path in given:
            if path not in shapes:
                raise ShapeError(f"The model has no weight {path!r}. {nearest(path, shapes)}")
        for path, shape in shapes.items():
            if path not in given:
                raise ShapeError(f"The weight {path!r} expected an array of shape {shape}, received nothing.")
        specs = specs_of(self.network)
        arrays = {path: as_weight(path, given[path], shape, specs[path][0].dtype) for path, shape in shapes.items()}
        self.network.assign(tree.from_items(list(arrays.items())))
        self.network.say_written()

    def _by_order(self, weights: list[Any], shapes: dict[str, Any]) -> dict[str, Any]:
        if len(weights) != len(shapes):
            raise ShapeError(f"The model has {len(shapes)} weights, received {len(weights)}.")
        return dict(zip(shapes, weights, strict=True))

    def count_params(self) -> int:
        """Number of numbers in all weights."""
        return self.network.count_params()

    def summary(self, print_fn: Callable[[str], Any] | None = None, expand_nested: bool = False) -> Summary:
        """Print a table of the layers: output shape, number of parameters, memory; and return it.

        Args:
            print_fn: what to print with, line by line; by default the terminal gets a table in colour.
            expand_nested: whether layers in layers, and in models, have rows too, indented below the one that holds
                them. The row of that one counts their parameters as well.
        """
        nested = config.checked("expand_nested", expand_nested, config.Flag())
        table = Summary(self.network, self.name or type(self).__name__, self._body, nested)
        table.show(print_fn)
        return table

    # ------------------------------------------------------------------------------------------ configuration

    def get_config(self) -> dict[str, Any]:
        """The structure as JSON values, or the arguments of a class of your own; `from_config` is the inverse."""
        if self._body is not None:
            return {name: config.to_json(value) for name, value in vars(self).get("_arguments", {}).items()}
        return {"network": self.network.get_config()}

    @classmethod
    def from_config(cls, structure: dict[str, Any]) -> Self:
        """A model of the structure that `get_config` returned, with fresh weights."""
        if cls.call_arguments:
            return cls(**{name: config.from_json(value) for name, value in structure.items()})
        if not isinstance(structure, dict) or "network" not in structure:
            raise ConfigurationError(
                f"{cls.__name__}.from_config expected what get_config returned, received {structure!r:.60}."
            )
        model = cls.__new__(cls)
        model._network = Network.from_config(structure["network"])
        model._begin(model._network.name)
        return model

    @staticmethod
    def from_json(made: dict[str, Any]) -> Any:
        """The model that `to_json` described, with fresh weights."""
        model = class_named(made["class"]).from_config(made["config"])
        model._read(made)
        return model

    def _read(self, made: dict[str, Any]) -> None:
        """What `to_json` kept beside the configuration."""
        if "inputs" in made:
            self._build_for(_inputs_from_json(made["inputs"]["x"]))

    def to_json(self) -> dict[str, Any]:
        """What a model file keeps of the structure."""
        made = {"class": config.registered_name(type(self)), "config": config.config_json(self.get_config())}
        if self._body is not None:
            made["inputs"] = tree.map(lambda node: [list(node.shape[1:]), node.dtype], {"x": self.network.inputs})
        return made

    def __repr__(self) -> str:
        if self._network is None:
            return f"<{type(self).__name__}, input shape unknown>"
        ends = f"{_shown(self.input_shape)} -> {_shown(self.output_shape)}"
        return f"<{type(self).__name__} {ends}, {self.count_params():,} parameters>"


config.READERS["model"] = Structure.from_json


def _inputs_from_json(made: Any) -> Any:
    """Symbolic inputs from [shape, dtype], or a list or dict of such."""
    if isinstance(made, dict):
        return {name: _inputs_from_json(one) for name, one in made.items()}
    if len(made) == 2 and isinstance(made[1], str):
        return Input(tuple(made[0]), made[1])
    return [_inputs_from_json(one) for one in made]


def _typed(inputs: Any, x: Any) -> Any:
    """Tensors in the dtypes of the inputs that they are for."""
    if isinstance(inputs, Node):
        engine = engines.dispatch.of_type(type(x))
        return x if engine is None or engine.on_host else engine.astype(x, inputs.dtype)
    if isinstance(inputs, dict) and isinstance(x, dict) and inputs.keys() == x.keys():
        return {name: _typed(inputs[name], part) for name, part in x.items()}
    if isinstance(inputs, list | tuple) and isinstance(x, list | tuple) and len(inputs) == len(x):
        return [_typed(one, part) for one, part in zip(inputs, x, strict=True)]
    return x


def _is_ours(cls: type) -> bool:
    """Whether a class is the library's, and not a user's own."""
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _shown(shape: Any) -> str:
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{k}: {show_shape(s)}" for k, s in shape.items()) + "}"
    return f"[{', '.join(map(show_shape, shape))}]" if isinstance(shape, list) else show_shape(shape)
