"""The run of layers: what is open while a network computes.

A run knows the weights of every layer in a tree of layers, the phase, the random key, the new values of weights that
move without gradients, extra losses, and the masks of what has been computed. A layer that is called on arrays while a
run is open asks the run for its weights; so layers hold layers, and `x + self.inner(x)` is all there is to write.
"""

from __future__ import annotations

import functools
import threading
import warnings
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import engines, tree
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.layers.parts import Parts, parts_of
from neuroloom.typing import Array, Key, Tree

if TYPE_CHECKING:
    from neuroloom.layers.base import Layer


class Weights(dict[str, Any]):
    """A layer's arrays by name: `w.kernel` is `w["kernel"]`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(
                f"This layer has no weight {name!r}; it has {', '.join(self) or _NO_WEIGHTS}."
            ) from None
        return Weights(value) if type(value) is dict else value


class Context:
    """What a call needs beyond weights and inputs: a layer's view of the run.

    Attributes:
        training: whether the call is part of training (dropout drops, statistics move).
        path: of the layer in the network that runs.
    """

    __slots__ = ("path", "run")

    def __init__(
        self,
        training: bool = False,
        key: Key | None = None,
        path: str = "",
        run: Run | None = None,
    ) -> None:
        self.run = Run(training, key) if run is None else run
        self.path = path

    @property
    def training(self) -> bool:
        return self.run.training

    @property
    def trainable(self) -> bool:
        """Whether neither the layer nor a layer around it is frozen."""
        return self.run.trains.get(self.path, True)

    @property
    def updates(self) -> dict[str, Array]:
        """path -> new value of weights that are not trained by gradients."""
        return self.run.updates

    def child(self, name: str) -> Context:
        """The context of a layer inside this one."""
        return Context(path=_joined(self.path, name), run=self.run)

    def key(self) -> Key:
        """A fresh random key, determined by the step's key, the layer's path and the number of earlier calls."""
        return self.run.draw(self.path)

    def update(self, name: str, value: Array) -> None:
        """Give a weight that moves without gradients, such as a running mean, a new value."""
        self.run.update(self.path, name, value)

    def add_loss(self, value: Array) -> None:
        """Add a scalar to what training makes small."""
        self.run.add_loss(value)


class Run:
    """One computation of a layer with all layers in it.

    Attributes:
        training: whether it is part of training.
        updates: path -> new value of weights that move without gradients.
        losses: scalars that layers add to the loss.
        trains: path -> False for frozen layers.
        building: whether layers that have no weights yet get them now (see `Layer.build`).
        shapes_only: whether nobody asks for the values.
    """

    def __init__(self, training: bool = False, key: Key | None = None) -> None:
        self.training, self._key = training, key
        self.updates: dict[str, Array] = {}
        self.losses: list[Array] = []
        self.trains: dict[str, bool] = {}
        self.building = self.shapes_only = False
        self.free: int | None = None  # the length that stands for a free one while building
        self.closed = False
        self._open: list[Layer] = []  # that are being traced
        self._draws: dict[str, int] = {}
        self._masks: dict[int, tuple[Any, Any]] = {}
        self._own: dict[Layer, Weights] = {}
        self._root: Layer | None = None
        self._parts: Parts | None = None
        self._paths: dict[Layer, str] = {}
        self._weights: Tree = {}

    # ------------------------------------------------------------------------------------------ opening, closing

    def apply(self, root: Layer, weights: Tree, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
        """`root(*args, **kwargs)` with these weights, a tree by path."""
        before = self._enter(root, weights)
        try:
            return self.call(root, args, kwargs or {})
        finally:
            self._leave(before)

    @contextmanager
    def inside(self, root: Layer, weights: Tree) -> Iterator[None]:
        """Inside, layers in `root` that are called have these weights."""
        before = self._enter(root, weights)
        try:
            yield
        finally:
            self._leave(before)

    def _enter(self, root: Layer, weights: Tree) -> tuple[Any, ...]:
        parts = parts_of(root)
        outer, here.run = here.run, self
        before = outer, self._root, self._parts, self._paths, self.trains, self._weights, self._own
        self._root, self._parts, self._weights, self._own = root, parts, weights, {}
        self._paths, self.trains = parts.paths, parts.trains
        return before

    def _leave(self, before: tuple[Any, ...]) -> None:
        if self.training or self.shapes_only:
            for own in self._own.values():
                own.clear()  # who keeps them beyond the computation has nothing
        here.run, self._root, self._parts, self._paths, self.trains, self._weights, self._own = before

    def close(self) -> None:
        """Nothing can be drawn, updated or added any more."""
        self.closed = True

    def _check_open(self, what: str) -> None:
        if self.closed:
            raise ConfigurationError(f"{what} was asked of a computation that is over. Ask for it inside call().")

    # ------------------------------------------------------------------------------------------------- calling

    def call(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a layer makes of its arguments, with its weights of this run."""
        if kwargs and "training" in kwargs:
            kwargs = dict(kwargs)
            training = kwargs.pop("training")
            if training is not None:
                outer, self.training = self.training, bool(training)
                try:
                    return self.call(layer, args, kwargs)
                finally:
                    self.training = outer
        path = self._paths[layer] if layer in self._paths else self.path_of(layer)
        if self.shapes_only:
            return self._traced(layer, path, args, kwargs)
        if self._masks or layer.makes_mask or "mask" in kwargs:
            return self._masked(layer, path, args, kwargs)
        own = self._own[layer] if layer in self._own else self.own(layer)
        if layer._pure:
            return layer.call(own, args[0], Context(path=path, run=self), **kwargs)
        return layer.compute(own, args, kwargs, Context(path=path, run=self))

    def _traced(self, layer: Layer, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of which only shapes are asked for: here, once, what a layer does is checked."""
        if layer in self._open:
            raise ConfigurationError(f"{layer.label} calls itself in call(), which would never end.")
        self._open.append(layer)
        try:
            if self.building:
                layer.build_for(args, kwargs)
            value = self._masked(layer, path, args, kwargs)
        finally:
            self._open.pop()
        layer.check_result(value)
        layer.check_kept()
        return value

    def path_of(self, layer: Layer) -> str:
        """Where a layer is in the layer that runs.

        Raises:
            ConfigurationError: it is not in it.
        """
        assert self._parts is not None and self._root is not None
        if layer not in self._paths:
            self._parts = parts_of(self._root)
            self._paths, self.trains = self._parts.paths, self._parts.trains
        path = self._paths.get(layer)
        if path is None:
            raise ConfigurationError(
                f"{layer.label} is called inside {self._root.label}, but is not one of its layers, so its weights "
                f"would never be trained or saved. Make it once, in __init__ or as a field, and keep it on the layer "
                f"that calls it; a layer that is made inside call() is a new one at every call."
            )
        return path

    def holds(self, layer: Layer) -> bool:
        """Whether a layer is part of what runs."""
        return layer in self._paths

    def own(self, layer: Layer) -> Weights:
        """A layer's weights."""
        if layer in self._own:
            return self._own[layer]
        if self.building:
            found = self._placeholders(layer)
        else:
            assert self._parts is not None
            place = self._weights
            for key in self._parts.keys[layer]:
                place = place.get(key, _NOTHING)
            found = Weights(place)
        self._own[layer] = found
        return found

    def _placeholders(self, layer: Layer) -> Weights:
        """Zeros, of which only shape and dtype count."""
        xp = engines.current().xp
        zeros = [(name, xp.zeros(w.shape, dtype=getattr(xp, w.dtype))) for name, w in layer.specs.items()]
        return Weights(tree.from_items(zeros))

    # ------------------------------------------------------------------------------- what layers ask and tell

    def draw(self, path: str) -> Key:
        """A fresh random key for the layer at a path."""
        self._check_open("A random key")
        if self._key is None:
            if self.shapes_only:
                return engines.current().key(0)
            raise ConfigurationError(
                f"The layer {path or 'that was called'} needs random numbers, and this call has no key. "
                f"Train it with fit, or call it with key=..."
            )
        engine = engines.current() if isinstance(self._key, int | tuple) else engines.of(self._key)
        count = self._draws[path] = self._draws.get(path, 0) + 1
        return engine.fold_in(engine.fold_in(self._key, path_number(path)), count)

    def update(self, path: str, name: str, value: Array) -> None:
        """The new value of a weight that moves without gradients; later calls in this run see it."""
        self._check_open(f"A new value of {name!r}")
        self.updates[_joined(path, name)] = value
        for layer, own in self._own.items():
            if self._paths[layer] == path and name in own:
                own[name] = value

    def add_loss(self, value: Array) -> None:
        """A scalar that training makes small as well."""
        self._check_open("An added loss")
        if tuple(getattr(value, "shape", ())):
            raise ConfigurationError(
                f"add_loss expected a scalar, received an array of shape {tuple(value.shape)}. "
                f"Take its mean or its sum: self.add_loss(ops.mean(value))."
            )
        self.losses.append(value)

    def seen(self, path: str, name: str, value: Any) -> None:
        """Hear of the value of an operation in the network at a path."""

    # --------------------------------------------------------------------------------------------------- masks

    def mask_of(self, value: Any) -> Any:
        """The mask of an array, (batch, time) and true where it counts, or None; of a list, one each."""
        if isinstance(value, list | tuple):
            masks = [self.mask_of(v) for v in value]
            return masks if any(m is not None for m in masks) else None
        if isinstance(value, dict):
            named = {k: self.mask_of(v) for k, v in value.items()}
            return named if any(m is not None for m in named.values()) else None
        kept = self._masks.get(id(value))
        return None if kept is None else kept[1]

    def set_mask(self, value: Any, mask: Any) -> None:
        """Say which steps of an array count."""
        if mask is None:
            return
        if isinstance(value, list | tuple):
            for one, its in zip(value, mask if isinstance(mask, list | tuple) else [mask] * len(value), strict=False):
                self.set_mask(one, its)
            return
        if isinstance(value, dict):
            for name, one in value.items():
                self.set_mask(one, mask.get(name) if isinstance(mask, dict) else mask)
            return
        self._masks[id(value)] = value, mask  # the array is kept, since an id is only known while it lives

    def recall(self, args: Any) -> None:
        """Take over the masks of arrays that other runs have returned."""
        for leaf in tree.leaves([args]) if _remembered else ():
            found = _remembered.get(id(leaf))
            if found is not None and found[0]() is leaf:
                self._masks[id(leaf)] = leaf, found[1]

    def remember(self, value: Any) -> None:
        """Let later runs know the masks of what this one returned, as long as it lives."""
        for leaf in tree.leaves([value]) if self._masks else ():
            if id(leaf) in self._masks:
                place = id(leaf)
                gone = weakref.ref(leaf, functools.partial(_forget, place))
                _remembered[place] = gone, self._masks[place][1]

    def _masked(self, layer: Layer, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0] if args else next(iter(kwargs.values()), None)
        mask = kwargs["mask"] if "mask" in kwargs else self.mask_of(x)
        if "mask" in kwargs and layer.supports_masking:
            _check_mask(layer, x, mask)
        kwargs = {name: value for name, value in kwargs.items() if name != "mask"}
        if mask is not None and layer.takes("mask"):
            kwargs["mask"] = mask
        y = layer.compute(self.own(layer), args, kwargs, Context(path=path, run=self))
        if self.mask_of(y) is not None:
            pass  # layers inside have said which steps count
        elif layer.makes_mask or layer.supports_masking:
            self.set_mask(y, layer.compute_mask(x, mask))
        elif mask is not None and not layer.takes("mask") and any(m is not None for m in tree.leaves([mask])):
            _say_dropped(layer)
        return y


class FiniteRun(Run):
    """A run that looks for the first layer or operation whose output has a NaN or an infinity.

    Attributes:
        found: its path; None while all are finite.
    """

    found: str | None = None

    def call(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = super().call(layer, args, kwargs)
        self.seen("", self.path_of(layer), value)
        return value

    def seen(self, path: str, name: str, value: Any) -> None:
        if self.found is None and not all(map(_is_finite, tree.leaves([value]))):
            self.found = _joined(path, name)


def _is_finite(value: Any) -> bool:
    if "float" not in str(value.dtype):
        return True
    engine = engines.of(value)
    return bool(np.isfinite(engine.to_numpy(value)).all())


class _Here(threading.local):
    """The run that is open in this thread."""

    run: Run | None = None


here = _Here()

_NOTHING: dict[str, Any] = {}
_NO_WEIGHTS = "none. They are there only while the layer computes; outside, read layer.weights"

_remembered: dict[int, tuple[weakref.ref[Any], Any]] = {}
"""id -> the array and its mask, for arrays that a run has returned."""

_dropped: set[str] = set()


def _forget(place: int, _: Any) -> None:
    """The array with this id is gone."""
    _remembered.pop(place, None)


def _check_mask(layer: Layer, x: Any, mask: Any) -> None:
    """Refuse a given mask that does not say of each step of x, or of its first axes, whether it counts."""
    if mask is None or isinstance(mask, list | tuple | dict) or not hasattr(x, "shape"):
        return
    given, shape = tuple(getattr(mask, "shape", ())), tuple(x.shape)
    if len(given) < 2 or given != shape[: len(given)]:
        raise ShapeError(
            f"{layer.label} expected a mask of shape {shape[:2]}, (batch, time), for x of shape {shape}, received "
            f"{given}."
        )


def _say_dropped(layer: Layer) -> None:
    """Once per class: that a mask ends here."""
    kind = type(layer).__name__
    if kind not in _dropped:
        _dropped.add(kind)
        warnings.warn(
            f"{layer.label} received values with a mask and drops it: what follows counts all steps. "
            f"Set supports_masking = True in {kind} if each output step belongs to the input step of the same place, "
            f"or define compute_mask(inputs, mask).",
            stacklevel=2,
        )


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def path_number(path: str) -> int:
    """A 32-bit number of a path, the same in every process (CRC-32)."""
    return zlib.crc32(path.encode())


def arrays_in(value: Any) -> Iterable[Any]:
    """The engines' arrays among the leaves of a value, NumPy's left out."""
    for leaf in tree.leaves([value]):
        engine = engines.dispatch.of_type(type(leaf))
        if engine is not None and not engine.on_host:
            yield leaf
