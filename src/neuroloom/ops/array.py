"""Functions of arrays with the names and meaning of the Python array API standard, for arrays of any engine.

Given Nodes they record a graph. See the standard for arguments that are not repeated here.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuroloom import engines
from neuroloom.engines.arrays import axes_of
from neuroloom.errors import ShapeError
from neuroloom.ops.graph import Node, op
from neuroloom.typing import Array, Shape


def _standard(name: str, text: str) -> Callable[..., Any]:
    """A function of the standard, found in the namespace of the engine of its arrays."""

    def fn(x: Array, *args: Any, **kwargs: Any) -> Array:
        return getattr(engines.of(x, *args).xp, name)(x, *args, **kwargs)

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = text
    return op(fn)


def _elementwise(name: str, text: str) -> Callable[..., Any]:
    """The same, for functions of two operands of which either may be a number."""

    def fn(x: Any, y: Any) -> Array:
        engine = engines.of(x, y)
        if not hasattr(x, "dtype"):  # np.float64 is a float and has one
            x = engine.xp.asarray(x, dtype=y.dtype)
        elif not hasattr(y, "dtype"):
            y = engine.xp.asarray(y, dtype=x.dtype)
        return getattr(engine.xp, name)(x, y)

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = text
    return op(fn)


exp = _standard("exp", "eˣ.")
expm1 = _standard("expm1", "eˣ - 1, exact for small x.")
log = _standard("log", "Natural logarithm.")
log1p = _standard("log1p", "log(1 + x), exact for small x.")
sqrt = _standard("sqrt", "Square root. The derivative at 0 is infinite.")
square = _standard("square", "x².")
sin = _standard("sin", "Sine of radians.")
cos = _standard("cos", "Cosine of radians.")
tanh = _standard("tanh", "Hyperbolic tangent.")
sign = _standard("sign", "-1, 0 or 1. The derivative is 0.")
floor = _standard("floor", "Largest whole number not above x. The derivative is 0.")
round = _standard("round", "Nearest whole number; halves to the even one. The derivative is 0.")
isfinite = _standard("isfinite", "Neither infinite nor NaN.")
logical_not = _standard("logical_not", "Truth reversed.")

maximum = _elementwise("maximum", "The larger of x and y, elementwise. Where they are equal, each derivative is 1/2.")
minimum = _elementwise("minimum", "The smaller of x and y, elementwise. Where they are equal, each derivative is 1/2.")
_floor_divide = _elementwise("floor_divide", "⌊x / y⌋.")
remainder = _elementwise("remainder", "x - y ⌊x / y⌋, elementwise: it has the sign of y. The derivative by x is 1.")
logical_and = _elementwise("logical_and", "Whether both are true, elementwise.")
logical_or = _elementwise("logical_or", "Whether one or both are true, elementwise.")

sum = _standard("sum", "Sum over `axis` (all axes by default); `keepdims` keeps it with length 1.")
mean = _standard("mean", "Mean over `axis` (all axes by default); `keepdims` keeps it with length 1.")
var = _standard("var", "Variance over `axis`, divided by n - `correction`.")
prod = _standard("prod", "Product over `axis`.")
max = _standard("max", "Largest value over `axis`. Equal ones have equal parts of the derivative.")
min = _standard("min", "Smallest value over `axis`. Equal ones have equal parts of the derivative.")
any = _standard("any", "Whether any is true, over `axis`.")
all = _standard("all", "Whether all are true, over `axis`.")
argmax = _standard("argmax", "Position of the first largest value along `axis`.")
argmin = _standard("argmin", "Position of the first smallest value along `axis`.")
argsort = _standard("argsort", "Positions that sort along `axis`.")
sort = _standard("sort", "Sorted along `axis`.")
cumulative_sum = _standard("cumulative_sum", "Running sum along `axis`.")

permute_dims = _standard("permute_dims", "Axes in another order.")
moveaxis = _standard("moveaxis", "Axis `source` moved to `destination`.")
expand_dims = _standard("expand_dims", "A new axis of length 1 at `axis`.")
squeeze = _standard("squeeze", "Without the axes of length 1 at `axis`.")
flip = _standard("flip", "Reversed along `axis`.")
roll = _standard("roll", "Shifted cyclically along `axis`.")
broadcast_to = _standard("broadcast_to", "Repeated to a larger shape.")
zeros_like = _standard("zeros_like", "Zeros of the same shape and dtype.")
ones_like = _standard("ones_like", "Ones of the same shape and dtype.")


@op
def reshape(x: Array, shape: Any) -> Array:
    """The same elements in another shape; -1 stands for the length that fits, None for that of x's axis of the place.

    >>> import numpy as np
    >>> reshape(np.zeros((5, 2, 3)), (None, 6)).shape
    (5, 6)
    """
    if isinstance(shape, tuple) and None in shape:
        shape = tuple(x.shape[i] if n is None else n for i, n in enumerate(shape))
    return engines.of(x).xp.reshape(x, shape)


@op
def abs(x: Array) -> Array:
    """|x|. The derivative at 0 is 0."""
    return engines.of(x).abs(x)


@op
def add(x: Any, y: Any) -> Array:
    """x + y."""
    return x + y


@op
def subtract(x: Any, y: Any) -> Array:
    """x - y."""
    return x - y


@op
def multiply(x: Any, y: Any) -> Array:
    """x · y, elementwise."""
    return x * y


@op
def divide(x: Any, y: Any) -> Array:
    """x / y."""
    return x / y


@op
def floor_divide(x: Any, y: Any) -> Array:
    """⌊x / y⌋; the derivative is 0."""
    engine = engines.of(x, y)
    return _floor_divide(*(engine.stop_gradient(v) if hasattr(v, "dtype") else v for v in (x, y)))


@op
def pow(x: Any, y: Any) -> Array:
    """x to the power y."""
    return x**y


@op
def negative(x: Any) -> Array:
    """-x."""
    return -x


@op
def matmul(x: Any, y: Any) -> Array:
    """Matrix product of the last two axes."""
    return x @ y


@op
def equal(x: Any, y: Any) -> Array:
    """Whether x = y, elementwise."""
    return x == y


@op
def not_equal(x: Any, y: Any) -> Array:
    """Whether x ≠ y, elementwise."""
    return x != y


@op
def less(x: Any, y: Any) -> Array:
    """Whether x < y, elementwise."""
    return x < y


@op
def less_equal(x: Any, y: Any) -> Array:
    """Whether x ≤ y, elementwise."""
    return x <= y


@op
def greater(x: Any, y: Any) -> Array:
    """Whether x > y, elementwise."""
    return x > y


@op
def greater_equal(x: Any, y: Any) -> Array:
    """Whether x ≥ y, elementwise."""
    return x >= y


def _anywhere(x: Any, index: Any) -> Array:
    """x[index] with each number 0: the same shape, whatever length a free axis is tried with."""
    parts = tuple(0 if isinstance(part, int | np.integer) else part for part in _parts(index))
    return engines.of(x).getitem(x, parts if isinstance(index, tuple) else parts[0])


@functools.partial(op, probe=_anywhere)
def getitem(x: Any, index: Any) -> Array:
    """x[index]: numbers, slices (backwards too), None, `...` and integer or boolean arrays.

    Raises:
        ShapeError: a number beyond the end of its axis.
    """
    _check_numbers(tuple(x.shape), _parts(index))
    return engines.of(x).getitem(x, index)


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _check_numbers(shape: Shape, parts: tuple[Any, ...]) -> None:
    axis, used = 0, builtins.sum(axes_of(part) for part in parts)
    for part in parts:
        n = shape[axis] if axis < len(shape) else None
        if n is not None and isinstance(part, int | np.integer) and not -n <= part < n:
            raise ShapeError(f"Axis {axis} of shape {shape} expected an index from {-n} to {n - 1}, received {part}.")
        axis += len(shape) - used if part is Ellipsis else axes_of(part)


def _getitem(self: Node, index: Any) -> Node:
    if self.shape is not None:
        _check_numbers(tuple(self.shape), _parts(index))
    return getitem(self, index)


@op
def where(condition: Any, x: Any, y: Any) -> Array:
    """x where the condition holds, else y."""
    engine = engines.of(condition, x, y)
    like = next((v for v in (x, y) if hasattr(v, "dtype")), None)
    if like is not None:
        x, y = (v if hasattr(v, "dtype") else engine.xp.asarray(v, dtype=like.dtype) for v in (x, y))
    return engine.xp.where(condition, x, y)


@op
def clip(x: Array, low: float | None = None, high: float | None = None) -> Array:
    """x, but at least `low` and at most `high`. The derivative at a bound is 1, as between them."""
    return engines.of(x).clip(x, low, high)


@op
def concat(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays joined along an axis that exists.

    >>> import numpy as np
    >>> concat([np.ones((1, 2)), np.zeros((1, 3))], axis=1).shape
    (1, 5)
    """
    shapes = [tuple(a.shape) for a in arrays]
    if len({len(s) for s in shapes}) != 1:
        raise ShapeError(f"concat expected arrays with the same number of axes, received shapes {shapes}.")
    return engines.of(*arrays).xp.concat(list(arrays), axis=axis)


@op
def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis."""
    return engines.of(*arrays).xp.stack(list(arrays), axis=axis)


@op
def cast(x: Array, dtype: str) -> Array:
    """The values in another dtype, given by name: 'float32', 'int32', 'bool', ..."""
    return engines.of(x).astype(x, dtype)


def _operator(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: fn(self, self.recorder.operand(other, self))


def _reflected(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: fn(self.recorder.operand(other, self), self)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "pow": pow,
    "matmul": matmul,
    "mod": remainder,
    "floordiv": floor_divide,
    "and": logical_and,
    "or": logical_or,
}
for _name, _fn in _OPERATORS.items():
    setattr(Node, f"__{_name}__", _operator(_fn))
    setattr(Node, f"__r{_name}__", _reflected(_fn))
for _name, _fn in {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}.items():
    setattr(Node, f"__{_name}__", _operator(_fn))
_UNARY: dict[str, Callable[..., Any]] = {"neg": negative, "abs": abs, "invert": logical_not, "getitem": _getitem}
for _name, _fn in _UNARY.items():
    setattr(Node, f"__{_name}__", _fn)
