"""What a layer is: a frozen dataclass that says which weights it has, and a pure function of them.

    class Scale(Layer):
        factor: Real = 1.0

        def build(self, shape):
            return {"kernel": Weight(shape[-1:], "ones")}

        def call(self, w, x, ctx):
            return self.factor * x * w.kernel

The weights themselves lie in a cell beside the configuration: a layer that two models share has one set of them.
"""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass, field, fields
from typing import Any

from neuroloom import config, engines, tree
from neuroloom.config import Bool, Configured, Name, Sizes
from neuroloom.engines import Engine, Spec
from neuroloom.errors import ConfigurationError, NeuroloomError, ShapeError
from neuroloom.initializers import get as get_initializer
from neuroloom.ops.graph import has_node, record
from neuroloom.typing import Array, Key, Shape, Tree


@dataclass(frozen=True)
class Weight:
    """One weight that a layer asks for in `build`."""

    shape: tuple[int, ...]
    initializer: Any = "glorot_uniform"
    regularizer: Any = None
    trainable: bool = True


class Weights(dict[str, Any]):
    """A layer's arrays by name: `w.kernel` is `w["kernel"]`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"This layer has no weight {name!r}; it has {', '.join(self) or 'none'}.") from None


class Context:
    """What a call needs beyond weights and inputs.

    Attributes:
        training: whether the call is part of training (dropout drops, statistics move).
        updates: path -> new value of weights that are not trained by gradients.
    """

    __slots__ = ("_draws", "_key", "path", "training", "updates")

    def __init__(
        self, training: bool = False, key: Key | None = None, path: str = "", updates: dict[str, Array] | None = None
    ) -> None:
        self.training, self._key, self.path, self._draws = training, key, path, 0
        self.updates: dict[str, Array] = {} if updates is None else updates

    def child(self, name: str) -> Context:
        """The context of a layer inside this one."""
        return Context(self.training, self._key, f"{self.path}/{name}" if self.path else name, self.updates)

    def key(self) -> Key:
        """A fresh random key, determined by the step's key, the layer's path and the number of earlier calls."""
        if self._key is None:
            raise ConfigurationError(
                f"The layer {self.path or 'that was called'} needs random numbers, and this call has no key. "
                f"Train it with fit, or call it with key=..."
            )
        engine = engines.current() if isinstance(self._key, int | tuple) else engines.of(self._key)
        self._draws += 1
        return engine.fold_in(engine.fold_in(self._key, path_number(self.path)), self._draws)

    def update(self, name: str, value: Array) -> None:
        """Record the new value of a weight that moves without gradients, such as a running mean."""
        self.updates[f"{self.path}/{name}" if self.path else name] = value


def path_number(path: str) -> int:
    """A 32-bit number of a path, the same in every process (CRC-32)."""
    return zlib.crc32(path.encode())


class Cell:
    """Where a layer's weights lie: their specs since the first call, their arrays since the first use.

    Attributes:
        stamp: of the class; another number since any cell gave arrays that it had not given before.
    """

    __slots__ = ("arrays", "engine", "shape", "specs")
    stamp = 0
    _stamps = itertools.count(1)

    def __init__(self) -> None:
        self.shape: Any = None  # of the first input
        self.specs: dict[str, Weight] | None = None
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
        return self.shape, self.specs, tree.map(lambda a: engines.of(a).to_numpy(a).copy(), self.arrays)

    def __setstate__(self, state: Any) -> None:
        self.shape, self.specs, arrays = state
        self.put(arrays)


class Layer(Configured, kind="layer"):
    """Base of layers. A subclass has fields, `build` and `call`; see the module's text.

    Args:
        name: the layer's part of its weights' paths; by default its class's name.
        trainable: False keeps all its weights as they are.
        input_shape: the shape of one sample, on the first layer of a Sequential.
    """

    name: Name | None = field(default=None, kw_only=True)
    trainable: Bool = field(default=True, kw_only=True)
    input_shape: Sizes | None = field(default=None, kw_only=True)

    input_dtype = "float32"  # of the Input that a Sequential puts before its first layer
    ends_with_activation = False  # whether the field `activation` is applied last, to the output

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_cell", Cell())

    # ------------------------------------------------------------------------------------- what layers define

    def build(self, shape: Shape) -> dict[str, Weight]:
        """The weights that inputs of this shape (batch first, as None) need, by name."""
        return {}

    def call(self, w: Weights, x: Any, ctx: Context) -> Any:
        """The output for an input, as a pure function."""
        raise NotImplementedError  # abstract

    # ---------------------------------------------------------------------------------------- what users call

    def __call__(self, x: Any, *, training: bool = False, key: Key | None = None) -> Any:
        """Record the layer when x is symbolic; compute, with fresh weights the first time, when x is an array.

        Args:
            x: a Node or an array, or a list of them where the layer takes several.
            training: whether to act as in training. Only for arrays.
            key: a random key of the engine, or a seed, for layers that draw numbers.
        """
        if has_node(x):
            specs = tree.map(lambda w: Spec(w.shape), self.specs_for(shape_of(x)))
            return record(self, (x,), {}, lambda w, x: self.call(Weights(w), x, Context()), weights=specs)
        several = isinstance(x, list | tuple) and any(engines.dispatch.of_type(type(v)) for v in x)
        engine = engines.of(*x) if several else engines.of(x)
        x = [engine.asarray(v) for v in x] if several else engine.asarray(x)
        self.specs_for(shape_of(x))
        context = Context(training, engine.key(key) if isinstance(key, int) else key)
        with engines.engine(engine.name):
            return self.call(Weights(self.arrays(engine)), x, context)

    # ------------------------------------------------------------------------------------------------ weights

    @property
    def cell(self) -> Cell:
        """Where the weights lie."""
        cell: Cell = vars(self)["_cell"]
        return cell

    @property
    def label(self) -> str:
        """How errors name the layer."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def specs_for(self, shape: Any) -> Tree:
        """The weights (a tree of Weight) for inputs of a shape; fixed by the first shape that the layer meets."""
        cell = self.cell
        if cell.specs is None:
            cell.specs, cell.shape = self._build(shape), shape
        elif shape != cell.shape:
            self._check_same(shape)
        return cell.specs

    def _build(self, shape: Any) -> dict[str, Weight]:
        try:
            return self.build(shape)
        except NeuroloomError:
            raise
        except (TypeError, IndexError, ValueError) as error:
            raise ShapeError(f"{self.label} cannot take inputs of shape {show_shape(shape)}: {error}.") from error

    def _check_same(self, shape: Any) -> None:
        now, then = self._build(shape), self.cell.specs or {}
        for name, weight in then.items():
            if name not in now or now[name].shape != weight.shape:
                needed = f" and would need {now[name].shape}" if name in now else ""
                raise ShapeError(
                    f"{self.label} expected x of shape {show_shape(self.cell.shape)} (fixed at the first call), "
                    f"received {show_shape(shape)}: its {name} has shape {weight.shape}{needed}. "
                    f"Is a Flatten() missing?"
                )

    def arrays(self, engine: Engine | None = None) -> Tree:
        """The weights as arrays of an engine (None: of whichever used them last); drawn the first time."""
        cell = self.cell
        if cell.specs is None:
            raise ShapeError(f"{self.label} has no weights yet: its input shape is unknown. Call it on data first.")
        if cell.arrays is None:
            self.initialize(config.next_seed(), self.name or "")
        return cell.arrays if engine is None else cell.on(engine)

    def assign(self, arrays: Tree) -> None:
        """Put arrays in the place of the weights."""
        self.cell.put(arrays)

    def initialize(self, seed: int, path: str) -> None:
        """Draw the weights from a seed and the layer's path, unless they exist."""
        if self.cell.arrays is None:
            drawn = {
                name: get_initializer(w.initializer)(w.shape, config.generator(seed, f"{path}/{name}"))
                for name, w in (self.cell.specs or {}).items()
            }
            self.cell.put(drawn)

    def signature(self) -> Any:
        names = [f.name for f in fields(self) if f.name not in ("name", "input_shape")]
        return (type(self), *((name, config.signature(getattr(self, name))) for name in names))

    def clone(self, **changes: Any) -> Layer:
        """A layer of the same configuration but for the changes, without arrays."""
        same = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        copy = type(self)(**{**same, **changes})
        copy.cell.shape, copy.cell.specs = self.cell.shape, self.cell.specs
        return copy

    def count_params(self) -> int:
        """Number of numbers in the weights."""
        return sum(math.prod(w.shape) for w in tree.leaves(self.cell.specs))


def shape_of(x: Any) -> Any:
    """The shape (batch first, as None) of an input, or a list of them."""
    if isinstance(x, list | tuple):
        return [shape_of(v) for v in x]
    if x.shape is None:
        raise ShapeError(f"A layer expected an input whose number of axes is known, received {x!r}.")
    return (None, *tuple(x.shape)[1:])


def show_shape(shape: Any) -> str:
    """A shape as errors and summaries print it: ? where a length is free.

    >>> show_shape((None, 8))
    '(?, 8)'
    """
    if isinstance(shape, list):
        return " and ".join(map(show_shape, shape))
    inner = ", ".join("?" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
