"""A layer's weights as objects: what `add_weight` returns, and what `layer.weights` and `model.variables` list."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import engines
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.layers.parts import copied
from neuroloom.layers.run import here
from neuroloom.typing import Array

if TYPE_CHECKING:
    from neuroloom.layers.base import Layer


class Variable:
    """One weight of a layer: a name, a shape, and a value that can be read and assigned.

    While a layer computes, its value is the one that the computation works with; else it is the stored one. So it can
    stand in the place of an array in `call`.

    Args:
        layer: whose weight it is.
        name: its name in the layer; None until the layer keeps it under an attribute.
    """

    __array_priority__ = 900

    def __init__(self, layer: Layer, name: str, path: str | None = None) -> None:
        self.layer, self.name, self._path = layer, name, path

    @property
    def path(self) -> str:
        """Where the weight is: in the model or layer that listed it, else in its own layer."""
        return self._path or f"{self.layer.own_name}/{self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.layer.specs[self.name].shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> str:
        return self.layer.specs[self.name].dtype

    @property
    def trainable(self) -> bool:
        """Whether gradients train it, as far as its own layer says."""
        return self.layer.trainable and self.layer.specs[self.name].trainable

    @property
    def value(self) -> Array:
        """The array: of the run that is open, else the stored one."""
        run = here.run
        if run is not None and run.holds(self.layer):
            return _inside(run.own(self.layer), self.name)
        if run is not None:
            raise ConfigurationError(
                f"The weight {self.path!r} is read inside a computation that its layer is not a part of, so it would "
                f"not be trained. Keep its layer on the layer that uses it."
            )
        return _inside(self.layer.own_arrays(), self.name)

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        value = self.value
        return np.array(engines.of(value).to_numpy(value))

    def assign(self, value: Any) -> None:
        """Put another value in its place; in `call`, for weights that are not trained by gradients."""
        run = here.run
        if run is not None:
            if self.trainable:
                raise ConfigurationError(
                    f"The weight {self.path!r} is trained by gradients and cannot be assigned inside call(). "
                    f"Make it with add_weight(..., trainable=False)."
                )
            run.update(run.path_of(self.layer), self.name, value)
            return
        self.layer.assign_own({self.name: as_weight(self.path, value, self.shape, self.dtype)})

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self.value + value)

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self.value - value)

    def __copied__(self, memo: dict[int, Any], number: Callable[[Any], Any] | None) -> Variable:
        return Variable(copied(self.layer, memo, number), self.name, self._path)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable {self.path} {self.dtype}{list(self.shape)}>"

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return self.shape[0]

    def __neg__(self) -> Array:
        return -self.value


def as_weight(path: str, value: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A copy of a value, for a weight.

    Raises:
        ShapeError: it has another shape.
        DataError: it has no numbers.
    """
    received = np.shape(value)
    if received != shape:
        raise ShapeError(f"The weight {path!r} expected an array of shape {shape}, received shape {received}.")
    try:
        return np.array(value, dtype)
    except (TypeError, ValueError):
        raise DataError(f"The weight {path!r} expected numbers, received {value!r:.60}.") from None


def _inside(arrays: Any, name: str) -> Any:
    for key in name.split("/"):
        arrays = arrays[key]
    return arrays


def _operator(fn: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    def method(self: Variable, other: Any) -> Any:
        other = other.value if isinstance(other, Variable) else other
        return fn(other, self.value) if swapped else fn(self.value, other)

    return method


for _name in ("add", "sub", "mul", "truediv", "matmul", "pow", "floordiv", "mod"):
    _fn = getattr(operator, _name)
    setattr(Variable, f"__{_name}__", _operator(_fn))
    setattr(Variable, f"__r{_name}__", _operator(_fn, swapped=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _operator(getattr(operator, _name)))


class Variables(list[Variable]):
    """Weights in order; also by path, as NumPy copies: `weights["encoder/dense/kernel"]`."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            for variable in self:
                if variable.path == key:
                    return variable.numpy()
            raise KeyError(key)
        return super().__getitem__(key)

    def keys(self) -> list[str]:
        """The paths."""
        return [variable.path for variable in self]

    def values(self) -> list[np.ndarray]:
        """Copies of the values."""
        return [variable.numpy() for variable in self]

    def items(self) -> list[tuple[str, np.ndarray]]:
        """(path, copy of the value) pairs."""
        return [(variable.path, variable.numpy()) for variable in self]


def values_of(value: Any) -> Any:
    """Variables in lists, tuples and dicts as the arrays that they stand for."""
    if isinstance(value, Variable):
        return value.value
    if isinstance(value, list | tuple):
        return type(value)(values_of(v) for v in value)
    if isinstance(value, dict):
        return {k: values_of(v) for k, v in value.items()}
    return value


def has_variable(value: Any) -> bool:
    """Whether a Variable is among the leaves."""
    if isinstance(value, list | tuple):
        return any(map(has_variable, value))
    if isinstance(value, dict):
        return any(map(has_variable, value.values()))
    return isinstance(value, Variable)
