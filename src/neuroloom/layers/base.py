"""What a layer is: a configuration that says which weights it has, and a function of them and of its inputs.

There are two ways to write one. With fields, whose annotations are arguments, checks and configuration at once:

    class Scale(Layer):
        factor: Real = 1.0

        def build(self, shape):
            return {"kernel": Weight(shape[-1:], "ones")}

        def call(self, w, x, ctx):
            return self.factor * x * w.kernel

and as in Keras:

    class Scale(Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=input_shape[-1:], initializer="ones")

        def call(self, inputs, training=None):
            return self.factor * inputs * self.kernel

Layers may hold layers, in fields, attributes, lists and dicts, and call them as functions (see `layers/run.py`). The
weights themselves lie in a cell beside the configuration: a layer that two models share has one set of them.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.config import Bool, Configured, Name, Sizes
from neuroloom.engines import Engine, Spec
from neuroloom.errors import ConfigurationError, NeuroloomError, ShapeError, nearest
from neuroloom.initializers import get as get_initializer
from neuroloom.layers import parts
from neuroloom.layers.parts import Version, parts_of
from neuroloom.layers.run import Context, Run, Weights, arrays_in, here
from neuroloom.layers.variables import Variable, Variables, has_variable, values_of
from neuroloom.ops.graph import Node, has_node, record
from neuroloom.typing import Array, Shape, Tree

DTYPES = ("float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool")
"""Of weights."""

FREE = 1009
"""The length that stands for a free axis while a layer that holds layers is traced to find their weights."""


@dataclass(frozen=True)
class Weight:
    """One weight that a layer asks for in `build`."""

    shape: tuple[int, ...]
    initializer: Any = "glorot_uniform"
    regularizer: Any = None
    trainable: bool = True
    dtype: str = "float32"


class Cell:
    """Where a layer's weights lie: their specs since the first call, their arrays since the first use.

    Attributes:
        written: when its weights were last set by hand, counted over all cells.
        stamp: of the class; another number since any cell gave arrays that it had not given before.
        writes: of the class; how often weights were set by hand.
    """

    __slots__ = ("arrays", "engine", "shape", "specs", "traced", "written")
    stamp = writes = 0
    _stamps = itertools.count(1)

    def __init__(self) -> None:
        self.shape: Any = None  # of the first input
        self.specs: dict[str, Weight] | None = None
        self.traced = False  # whether the weights of the layers inside are known
        self.written = 0
        self.put(None)

    def put(self, arrays: dict[str, Array] | None) -> None:
        """Take arrays of any engine."""
        self.arrays = arrays
        self.engine: Engine | None = None  # whose they are known to be

    def on(self, engine: Engine) -> dict[str, Array] | None:
        """The arrays as those of an engine, which stay so."""
        if self.engine is not engine:
            self.arrays, self.engine = tree.map(engine.asarray, self.arrays), engine
            Cell.stamp = next(Cell._stamps)
        return self.arrays

    def __getstate__(self) -> Any:
        # used by pickle and deepcopy: NumPy copies, since an engine may overwrite its arrays while it trains
        copies = tree.map(lambda a: engines.of(a).to_numpy(a).copy(), self.arrays)
        return self.shape, self.specs, self.traced, copies

    def __setstate__(self, state: Any) -> None:
        self.shape, self.specs, self.traced, arrays = state
        self.written = 0
        self.put(arrays)

    def say_written(self) -> None:
        """The weights were set by hand: a training of them goes on with these."""
        Cell.writes += 1
        self.written = Cell.writes


class Layer(Configured, kind="layer"):
    """Base of layers. A subclass has fields or an `__init__`, `build` and `call`; see the module's text.

    Args:
        name: the layer's part of its weights' paths; by default its class's name.
        trainable: False keeps all its weights, and those of all layers in it, as they are. It can be set at any time.
        input_shape: the shape of one sample, on the first layer of a Sequential.
    """

    name: Name | None = field(default=None, kw_only=True)
    trainable: Bool = field(default=True, kw_only=True)
    input_shape: Sizes | None = field(default=None, kw_only=True)

    input_dtype = "float32"  # of the Input that a Sequential puts before its first layer
    ends_with_activation = False  # whether the field `activation` is applied last, to the output
    supports_masking = False  # whether an output's mask is its input's
    makes_mask = False  # whether there may be a mask for outputs whose inputs have none

    _pure: ClassVar[bool] = True
    _keywords: ClassVar[frozenset[str] | None] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            cls._pure, cls._keywords = _style(cls.call)
        if "build" in cls.__dict__:
            _check_build(cls)
            cls.build = _kept(cls.__dict__["build"])  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        super().__post_init__()
        vars(self)["_cell"] = Cell()

    # ------------------------------------------------------------------------------------- what layers define

    def build(self, shape: Shape) -> dict[str, Any] | None:
        """The weights that inputs of this shape (batch first, as None) need, by name; or calls of `add_weight`."""
        return {}

    def call(self, w: Weights, x: Any, ctx: Context) -> Any:
        """The output for an input, as a pure function."""
        raise ConfigurationError(f"{self.label} does not define call(self, inputs).")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output, for inputs (arrays) with a mask: the same one, if the layer supports masks."""
        return mask if not isinstance(mask, list | dict) else next(iter(tree.leaves([mask])), None)

    # ---------------------------------------------------------------------------------------- what users call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record the layer when an input is symbolic; compute, with fresh weights the first time, on arrays.

        Args:
            x: a Node or an array, or a list or dict of them where the layer takes several.
            training: whether to act as in training; None: as the layer or training around this call does.
            key: a random key of the engine, or a seed, for layers that draw numbers. Only for arrays.
            mask, initial_state, ...: what `call` takes beside x.
        """
        key = kwargs.pop("key", None)
        if kwargs:
            kwargs = {name: value for name, value in kwargs.items() if value is not None}
        self._check_arguments(args, kwargs)
        if has_node(args) or (kwargs and has_node(kwargs)):
            return self._record(args, kwargs)
        if here.run is not None:
            return here.run.call(self, args, kwargs)
        return self._eager(args, kwargs, key)

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.build_for(args, kwargs)
        specs = tree.from_items([(path, Spec(w.shape, w.dtype)) for path, (w, _) in parts.specs_of(self).items()])

        def compute(w: Tree, *args: Any, **kwargs: Any) -> Any:
            run = Run()
            run.shapes_only = True
            return run.apply(self, w, args, kwargs)

        return record(self, args, kwargs, compute, weights=specs)

    def _eager(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        engine = engines.of(*tree.leaves([args, kwargs]))
        args = tuple(_as_array(engine, x) for x in args)
        kwargs = {name: v if isinstance(v, bool | None) else _as_array(engine, v) for name, v in kwargs.items()}
        with engines.engine(engine.name):
            self.build_for(args, kwargs)
            weights = self.arrays(engine)
            run = Run(key=engine.key(key) if isinstance(key, int) else key)
            run.recall(args)
            try:
                value = run.apply(self, weights, args, kwargs)
            except RecursionError:
                raise ConfigurationError(f"{self.label} calls itself in call(), which would never end.") from None
            self.check_result(value)
            value = self._own_memory(engine, run, value, tree.leaves([args, kwargs]))
        run.remember(value)
        run.close()
        return value

    @staticmethod
    def _own_memory(engine: Engine, run: Run, value: Any, given: list[Any]) -> Any:
        """The result, in memory that is not the caller's."""

        def apart(y: Any) -> Any:
            made, mask = engine.apart(y, given), run.mask_of(y)
            if made is not y and mask is not None:
                run.set_mask(made, mask)
            return made

        return tree.map(apart, value)

    def apply(self, w: Tree, *args: Any, ctx: Context | None = None, **kwargs: Any) -> Any:
        """The layer, with all layers in it, as a pure function of its weights (a tree by path) and its inputs.

        Args:
            ctx: with the phase, the random key and, afterwards, the updates.
        """
        return (ctx or Context()).run.apply(self, w, args, kwargs)

    def compute(self, w: Weights, args: tuple[Any, ...], kwargs: dict[str, Any], ctx: Context) -> Any:
        """`call` in the way in which the class defines it."""
        if self._pure:
            return self.call(w, args[0], ctx, **kwargs)
        if self.takes("training") and "training" not in kwargs:
            kwargs = {**kwargs, "training": ctx.training}
        return self.call(*args, **kwargs)

    def check_result(self, value: Any) -> None:
        """Refuse what is no array, or tree of arrays."""
        leaves = tree.leaves([value])
        wrong = next((leaf for leaf in leaves if not hasattr(leaf, "dtype")), None)
        if not leaves or wrong is not None:
            raise ConfigurationError(
                f"{self.label}.call expected to return an array, or a list or dict of arrays, received {wrong!r}. "
                f"Is a return missing?"
            )

    def check_kept(self) -> None:
        """Refuse arrays of a trace in lists and dicts among the attributes."""
        if not self.has_own_init:
            return
        for name, value in vars(self).items():
            if name not in _FRAME and isinstance(value, list | dict) and any(True for _ in arrays_in(value)):
                raise self._keeps(name)

    def _keeps(self, name: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.label} keeps an array as self.{name} while it computes. Arrays exist only while a step runs; "
            f"return it, or keep it in a weight: add_weight(..., trainable=False) in build and assign in call."
        )

    @classmethod
    def takes(cls, name: str) -> bool:
        """Whether `call` has an argument of this name."""
        return cls._keywords is None or name in cls._keywords

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if "_cell" not in vars(self):
            raise ConfigurationError(f"{type(self).__name__}.__init__ must call super().__init__(**kwargs).")
        if not args and not kwargs:
            raise ConfigurationError(f"{self.label} was called without inputs. Write layer(x).")
        if self._pure and len(args) != 1:
            raise ConfigurationError(
                f"{self.label} expected one x, received {len(args)}. Give several inputs as a list: layer([a, b])."
            )
        training = kwargs.get("training")
        if training is not None and not isinstance(training, bool | np.bool_):
            raise ConfigurationError(
                f"A call of {self.label} expected training to be True or False, received {training!r}."
            )
        if not self._pure and here.run is None:
            check_fits(
                self.label, type(self).call, args, {k: v for k, v in kwargs.items() if k not in ("training", "mask")}
            )
        for name in kwargs:
            if name not in ("training", "mask") and not self.takes(name):
                known = {"training", "mask", "key", *(self._keywords or ())}
                raise ConfigurationError(f"A call of {self.label} has no argument {name!r}. {nearest(name, known)}")

    # --------------------------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable":
            self.set_trainable(value)
        elif not self.has_own_init:
            super().__setattr__(name, value)
        else:
            self._keep(name, value)

    def set_trainable(self, value: Any) -> None:
        """`layer.trainable = value`: also for all layers inside."""
        if not isinstance(value, bool | np.bool_):
            raise ConfigurationError(f"{self.label} expected trainable to be True or False, received {value!r}.")
        vars(self)["trainable"] = bool(value)
        if "_cell" in vars(self):
            Version.next()
            for child in self.children.values():
                child.set_trainable(value)

    def _keep(self, name: str, value: Any) -> None:
        """An attribute of a layer that is written as in Keras."""
        refs = vars(self).setdefault("_refs", {})
        refs.pop(name, None)
        if has_variable(value):
            if isinstance(value, Variable) and value.layer is self:
                self._rename(value, name)
            refs[name] = value
            vars(self).pop(name, None)
            return
        if here.run is not None and not here.run.building and any(True for _ in arrays_in(value)):
            raise self._keeps(name)
        inner = next(parts.layers_in(value), None)
        if inner is not None and here.run is not None and not vars(self).get("_building"):
            raise ConfigurationError(
                f"{self.label} is given the layer {inner.label} as self.{name} while it computes; it would be a new "
                f"one at every call. Make it in __init__ or in build."
            )
        if name == "name" and value is not None:
            value = config.Text()(value)
        vars(self)[name] = value
        if inner is not None:
            Version.next()
            if "_cell" in vars(self):
                self.cell.traced = False

    def __getattr__(self, name: str) -> Any:
        refs = vars(self).get("_refs", {})
        if name in refs:
            run = here.run
            return values_of(refs[name]) if run is not None and run.holds(self) else refs[name]
        if name.startswith("__"):
            raise AttributeError(name)
        public = [known for known in dir(self) if not known.startswith("_")]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}. {nearest(name, public)}")

    # ------------------------------------------------------------------------------------------ layers inside

    @property
    def children(self) -> dict[str, Layer]:
        """The layers directly inside this one, by their names in it."""
        values = [value for name, value in vars(self).items() if name not in _FRAME]
        found = list(parts.layers_in(values))
        return parts.named(found, type(self).__name__) if found else {}

    # ------------------------------------------------------------------------------------------------ weights

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Ask for a weight, in `__init__` or `build`; keep what is returned as an attribute.

        Args:
            shape: of the array.
            initializer: by default Glorot's uniform one for matrices; zeros where `dtype` is a whole-number type.
            dtype: float32 by default.
            trainable: whether gradients train it; other weights are changed with `assign` in `call`.
            regularizer: a penalty added to the loss.
            name: its part of the weight's path; by default the attribute's name.
        """
        if here.run is not None and not vars(self).get("_building"):
            raise ConfigurationError(
                f"{self.label} makes a weight while it computes; it would be a new one at every call. "
                f"Make it in build or in __init__."
            )
        if self.built and not vars(self).get("_building"):
            raise ConfigurationError(
                f"{self.label} is built already, so nothing would train a weight that is made now. Make it in build or "
                f"in __init__."
            )
        shape = _whole_lengths(self, shape)
        name = None if name is None else config.checked("name", name, config.Text())
        dtype = config.checked("dtype", dtype or "float32", config.Choice(*DTYPES))
        initializer = initializer or ("glorot_uniform" if "float" in dtype else "zeros")
        added = vars(self).setdefault("_added", {})
        key = name or parts.free_name("weight", set(added))
        if key in added:
            raise ConfigurationError(f"{self.label} has a weight {key!r} already.")
        added[key] = Weight(shape, get_initializer(initializer), regularizer, trainable, dtype), name is not None
        return Variable(self, key)

    def _rename(self, variable: Variable, name: str) -> None:
        """A weight without a name of its own takes the attribute's."""
        added = vars(self).get("_added", {})
        if variable.name in added and not added[variable.name][1] and name not in added:
            renamed = {name if key == variable.name else key: value for key, value in added.items()}
            renamed[name] = renamed[name][0], True
            vars(self)["_added"] = renamed
            variable.name = name

    def add_loss(self, value: Array) -> None:
        """In `call`: add a scalar to what training makes small."""
        if here.run is None:
            raise ConfigurationError("add_loss counts inside call(), while the layer computes.")
        here.run.add_loss(value)

    @property
    def cell(self) -> Cell:
        """Where the weights lie."""
        cell: Cell = vars(self)["_cell"]
        return cell

    @property
    def specs(self) -> dict[str, Weight]:
        """What the layer itself asked for, by name; empty before the first call."""
        return self.cell.specs or {}

    @property
    def built(self) -> bool:
        """Whether the weights are known."""
        return self.cell.specs is not None

    @built.setter
    def built(self, value: bool) -> None:
        pass  # programs written for Keras set it at the end of build

    @property
    def label(self) -> str:
        """How errors name the layer."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    @property
    def own_name(self) -> str:
        """The name, or what a network would call the layer."""
        return self.name or config.snake(type(self).__name__)

    def build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Make sure that the weights of this layer and of all layers in it are known, for such arguments."""
        given = [*args, *(value for name, value in kwargs.items() if name not in ("training", "mask"))]
        self.specs_for(shape_of(given[0]))
        if not self.cell.traced:
            if self.children:
                self._trace(args, kwargs)
            self.cell.traced = True

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Find the weights of the layers inside by computing with shapes alone."""
        run = here.run
        if run is not None and run.building and run.holds(self):
            return  # the trace that is going on comes through here
        tracing = Run()
        tracing.building, tracing.shapes_only, tracing.free = True, True, FREE
        leaves = [leaf for leaf in tree.leaves([args, kwargs]) if hasattr(leaf, "shape")]
        specs = [Spec(_fixed(leaf.shape), _dtype_of(leaf)) for leaf in leaves]
        self.cell.traced = True

        def compute(arrays: list[Any]) -> Any:
            value_of = {id(leaf): array for leaf, array in zip(leaves, arrays, strict=True)}
            fill = functools.partial(tree.map, lambda leaf: value_of.get(id(leaf), leaf))
            return tracing.apply(self, {}, fill(args), fill(kwargs))

        try:
            engines.current().abstract(compute, specs)
        except NeuroloomError:
            self.cell.traced = False
            raise
        self._check_called()

    def _check_called(self) -> None:
        idle = [path for layer, path in parts_of(self).paths.items() if not layer.built]
        if idle:
            warnings.warn(
                f"{self.label} holds the layer {idle[0]!r} and never calls it in call(), so it has no weights and "
                f"nothing trains it.",
                stacklevel=3,
            )

    def specs_for(self, shape: Any) -> dict[str, Weight]:
        """What the layer itself asks for with inputs of a shape; fixed by the first shape that it meets."""
        cell = self.cell
        if cell.specs is None:
            self._build(shape)
        elif shape != cell.shape:
            self._check_same(shape)
        return cell.specs or {}

    def _build(self, shape: Any) -> dict[str, Weight]:
        try:
            made = flat(self.build(shape))
            if self.cell.specs is None:  # the class has no build of its own
                self._take_specs(made, shape)
            return made
        except NeuroloomError:
            raise
        except (TypeError, IndexError, ValueError) as error:
            raise ShapeError(f"{self.label} cannot take inputs of shape {show_shape(shape)}: {error}.") from error

    def _take_specs(self, made: dict[str, Weight], shape: Any) -> None:
        """The weights are known from now on: what build returned, and what add_weight was asked for."""
        added = {name: weight for name, (weight, _) in vars(self).get("_added", {}).items()}
        self.cell.specs, self.cell.shape = {**added, **made}, shape
        Version.next()

    def _check_same(self, shape: Any) -> None:
        if self.has_own_init:
            return  # building anew would make new weights; what does not fit, the call says
        now, then = self._build(shape), self.specs
        for name, weight in then.items():
            if name not in now or now[name].shape != weight.shape:
                needed = f" and would need {now[name].shape}" if name in now else ""
                raise ShapeError(
                    f"{self.label} expected x of shape {show_shape(self.cell.shape)} (fixed at the first call), "
                    f"received {show_shape(shape)}: its {name} has shape {weight.shape}{needed}. "
                    f"Is a Flatten() missing?"
                )

    def own_arrays(self, engine: Engine | None = None) -> dict[str, Array]:
        """The layer's own weights, without those of layers in it; drawn the first time."""
        cell = self.cell
        if cell.specs is None:
            raise ShapeError(f"{self.label} has no weights yet: its input shape is unknown. Call it on data first.")
        if cell.arrays is None:
            self._draw(config.next_seed(), self.name or "")
        found = cell.arrays if engine is None else cell.on(engine)
        return found or {}

    def arrays(self, engine: Engine | None = None) -> Tree:
        """The weights, and those of all layers inside, as arrays of an engine (None: of whichever used them last)."""
        found: dict[str, Any] = {}
        for keys, layer in parts_of(self).owners:
            cell = layer._cell  # each call of a function counts where one sample is predicted
            own = cell.arrays if engine is not None and cell.engine is engine else layer.own_arrays(engine)
            place = found
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            if not keys:
                place.update(own)
            elif keys[-1] in place:
                place[keys[-1]].update(own)
            else:
                place[keys[-1]] = dict(own)
        return found

    def stamped_arrays(self, engine: Engine) -> tree.Stamped:
        """The arrays with a stamp, a new one since any layer's, also of another network, were replaced."""
        return tree.Stamped(self.arrays(engine), (id(self), Cell.stamp))

    def assign(self, arrays: Tree) -> None:
        """Put arrays, a tree by path, in the place of the weights; layers that it leaves out keep theirs."""
        for layer, keys in parts_of(self).keys.items():
            place: Any = arrays
            for key in keys:
                place = place.get(key, {})
            if layer.specs and place:
                layer.cell.put({name: place[name] for name in dict.fromkeys(n.split("/")[0] for n in layer.specs)})

    def assign_own(self, values: dict[str, Any]) -> None:
        """Put arrays in the place of some of the layer's own weights, by name."""
        now = dict(tree.items(self.own_arrays()))
        self.cell.put(tree.from_items([(name, values.get(name, array)) for name, array in now.items()]))
        self.cell.say_written()

    def say_written(self) -> None:
        """The weights of this layer and of all in it were set by hand: a training of them goes on with these."""
        for layer in parts_of(self).paths:
            layer.cell.say_written()

    def written_since(self, then: int) -> bool:
        """Whether weights, those of layers inside too, were set by hand since `Cell.writes` had this value."""
        return Cell.writes > then and any(layer.cell.written > then for layer in parts_of(self).paths)

    def initialize(self, seed: int, path: str) -> None:
        """Draw the weights of this layer and of all in it, from a seed and their paths, unless they exist."""
        for layer, inner in parts_of(self).paths.items():
            layer._draw(seed, "/".join(p for p in (path, inner) if p))

    def _draw(self, seed: int, path: str) -> None:
        if self.cell.arrays is None:
            drawn = []
            for name, w in self.specs.items():
                array = get_initializer(w.initializer)(w.shape, config.generator(seed, f"{path}/{name}"))
                drawn.append((name, array.astype(w.dtype, copy=False)))
            self.cell.put(tree.from_items(drawn))

    @property
    def weights(self) -> Variables:
        """All weights, those of layers inside too, in Keras's order."""
        return variables_of(self)

    variables = weights

    @property
    def trainable_weights(self) -> Variables:
        """The weights that gradients train."""
        trained = parts.specs_of(self)
        return Variables(v for v in self.weights if trained[v.path][1])

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> Variables:
        """The weights that gradients do not train."""
        trained = parts.specs_of(self)
        return Variables(v for v in self.weights if not trained[v.path][1])

    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Replace all weights, given in the order of `weights`.

        Raises:
            ShapeError: another number of weights, or another shape.
        """
        variables = self.weights
        if not isinstance(weights, list | tuple) or len(weights) != len(variables):
            given = len(weights) if isinstance(weights, list | tuple) else f"{weights!r:.60}, which is no list"
            raise ShapeError(f"{self.label} has {len(variables)} weights, received {given}.")
        for variable, value in zip(variables, weights, strict=True):
            if np.shape(value) != variable.shape:
                raise ShapeError(
                    f"The weight {variable.path!r} expected an array of shape {variable.shape}, "
                    f"received {np.shape(value)}."
                )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    # ---------------------------------------------------------------------------------------------- structure

    def signature(self) -> Any:
        names = [f.name for f in fields(self) if f.name not in ("name", "input_shape")]
        own = (type(self), *((name, config.signature(getattr(self, name))) for name in names))
        if not self.has_own_init:
            return own
        kept = {k: v for k, v in vars(self).items() if k not in _FRAME and k not in names and k != "name"}
        weights = tuple(
            (n, w.shape, w.dtype, w.trainable, config.signature(w.regularizer)) for n, w in self.specs.items()
        )
        return own, parts.attribute_signature(kept), weights

    def copied(self, memo: dict[int, Any], number: Callable[[Any], Any] | None = None) -> Layer:
        """A copy without arrays, with copies of the layers inside; see `parts.copied`."""
        made = object.__new__(type(self))
        memo[id(self)] = made
        lifted = self.lifted if number is not None else ()
        for name, value in vars(self).items():
            if name in ("_cell", "_parts"):
                continue
            if number is not None and name in lifted:
                vars(made)[name] = number(value)
            else:
                vars(made)[name] = parts.copied(value, memo, number)
        cell = vars(made)["_cell"] = Cell()
        cell.shape, cell.specs, cell.traced = self.cell.shape, self.cell.specs, self.cell.traced
        if number is not None and cell.specs and not self.has_own_init:
            cell.specs = flat(made.build(cell.shape))  # they hold the regularizers
        return made

    def clone(self, **changes: Any) -> Layer:
        """A layer of the same configuration but for the changes, without arrays."""
        if not changes:
            return self.copied({})
        same = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        copy = type(self)(**{**same, **changes})
        copy.cell.shape, copy.cell.specs, copy.cell.traced = self.cell.shape, self.cell.specs, self.cell.traced
        return copy

    def count_params(self) -> int:
        """Number of numbers in the weights."""
        return sum(math.prod(w.shape) for w, _ in parts.specs_of(self).values())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_parts"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        Version.next()


_FRAME = frozenset(("_cell", "_parts", "_refs", "_added", "_arguments", "_building"))
"""Entries of a layer that are the frame's own."""


def check_fits(label: str, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that a written `call` does not take; the frame takes `training` and `mask` itself."""
    given = {name: value for name, value in kwargs.items() if name not in ("training", "mask")}
    try:
        inspect.signature(call).bind(None, *args, **given)
    except TypeError as error:
        raise ConfigurationError(f"{label}.call does not fit what it is called with: {error}.") from None


def _style(call: Callable[..., Any]) -> tuple[bool, frozenset[str] | None]:
    """(whether `call` is a pure function (w, x, ctx, ...), its other arguments by name; None: it takes any)."""
    parameters = list(inspect.signature(call).parameters.values())[1:]
    names = [p.name for p in parameters]
    pure = names[:1] == ["w"] and "ctx" in names
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return pure, None
    return pure, frozenset(names[3:] if pure else names)


def _kept(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, so that what it returns, or adds, is known from then on."""

    @functools.wraps(build)
    def wrapper(self: Layer, shape: Any, *rest: Any, **kwargs: Any) -> Any:
        if vars(self).get("_building"):
            return build(self, shape, *rest, **kwargs)  # super().build(...)
        if self.has_own_init and self.built:
            return {}
        vars(self)["_building"] = True
        try:
            made = build(self, shape, *rest, **kwargs)
        finally:
            del vars(self)["_building"]
        if self.cell.specs is None:
            self._take_specs(flat(made), shape)
        return made

    return wrapper


def _check_build(cls: type[Layer]) -> None:
    try:
        inspect.signature(cls.__dict__["build"]).bind(None, None)
    except TypeError:
        raise ConfigurationError(
            f"{cls.__name__}.build expected one argument, the shape of the inputs: def build(self, input_shape)."
        ) from None


def _whole_lengths(layer: Layer, shape: Any) -> tuple[int, ...]:
    """A weight's shape.

    Raises:
        ShapeError: a length is free, or no whole number.
    """
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    try:
        return tuple(operator.index(n) for n in lengths)
    except TypeError:
        raise ShapeError(
            f"add_weight of {layer.label} expected a shape of whole numbers, received {shape!r}. A weight has no batch "
            f"and no free length: take lengths of input_shape that are known, such as input_shape[-1]."
        ) from None


def flat(weights: Any) -> dict[str, Weight]:
    """Weights in nested dicts, by path.

    >>> list(flat({"gate": {"kernel": Weight((2, 1)), "bias": Weight((1,))}}))
    ['gate/kernel', 'gate/bias']
    """
    found = dict(tree.items(weights or {}))
    wrong = next((value for value in found.values() if not isinstance(value, Weight)), None)
    if wrong is not None:
        raise ConfigurationError(f"build expected to return a dict of Weights by name, or nothing, received {wrong!r}.")
    return found


def _as_array(engine: Engine, x: Any) -> Any:
    """An input as an array of the engine; lists and dicts of arrays stay such."""
    if isinstance(x, list | tuple) and any(engines.dispatch.of_type(type(v)) for v in tree.leaves(x)):
        return [_as_array(engine, v) for v in x]
    if isinstance(x, dict):
        return {name: _as_array(engine, v) for name, v in x.items()}
    return engine.asarray(x)


def _fixed(shape: Shape) -> tuple[int, ...]:
    """A shape whose free lengths are numbers that stand for them."""
    return tuple((2 if i == 0 else FREE) if n is None else n for i, n in enumerate(shape))


def _dtype_of(x: Any) -> str:
    return x.dtype if isinstance(x, Node) else engines.of(x).dtype_name(x)


def variables_of(layer: Layer) -> Variables:
    """The weights of a layer and of those in it, as objects known by their paths in it."""
    found = Variables()
    for inner, path in parts_of(layer).paths.items():
        trained = sorted(inner.specs, key=lambda name: not inner.specs[name].trainable)
        found += [Variable(inner, name, f"{path}/{name}" if path else name) for name in trained]
    return found


def shape_of(x: Any) -> Any:
    """The shape (batch first, as None) of an input, or a list of them."""
    if isinstance(x, list | tuple):
        return [shape_of(v) for v in x]
    if isinstance(x, dict):
        return {name: shape_of(v) for name, v in x.items()}
    if x.shape is None:
        raise ShapeError(f"A layer expected an input whose number of axes is known, received {x!r}.")
    run = here.run
    if run is not None and run.building:
        return (None, *(None if n == run.free else n for n in tuple(x.shape)[1:]))
    return (None, *tuple(x.shape)[1:])


def show_shape(shape: Any) -> str:
    """A shape as errors and summaries print it: ? where a length is free.

    >>> show_shape((None, 8))
    '(?, 8)'
    """
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{name}: {show_shape(s)}" for name, s in shape.items()) + "}"
    if isinstance(shape, list):
        return " and ".join(map(show_shape, shape))
    inner = ", ".join("?" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
