"""The rules of the NumPy engine's tape: for each function of NumPy its derivative, by the function's name.

    "multiply": (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)

has for each operand the product of a gradient g of y = a * b with the derivative of y by that operand. What
broadcasting repeated is summed up by the tape. Functions that follow from others are written with those.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroloom.engines.numpy.tape import DEFINED, PRODUCTS, REDUCTIONS, STEPS, add_at, operation
from neuroloom.typing import Array, Function


@operation(lambda g, y, x: g * (x > 0))
def relu(x: Array) -> Array:
    """max(x, 0); the derivative at 0 is 0."""
    return np.maximum(x, 0)


def _kept(y: Any, x: Any, axis: Any) -> Any:
    """What was reduced over `axis`, with those axes as ones of length 1."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in np.atleast_1d(axis)]
    return np.reshape(y, [1 if i in axes else n for i, n in enumerate(x.shape)])


def _to_extremes(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    chosen = x == _kept(y, x, axis)
    return _kept(g, x, axis) * chosen / np.sum(chosen, axis=axis, keepdims=True)  # equal ones have equal parts


def _along(x: Any, index: Any, axis: int) -> tuple[Any, ...]:
    """The index of `take_along_axis` as one of all axes."""
    places = list(np.ogrid[tuple(map(slice, index.shape))])
    places[axis] = index
    return tuple(places)


def _summed_back(g: Any, y: Any, x: Any, axis: Any = None, include_initial: bool = False) -> Any:
    axis = 0 if axis is None else axis
    g = np.flip(np.cumulative_sum(np.flip(g, axis), axis=axis), axis)
    return g[(slice(None),) * (axis % x.ndim) + (slice(1, None),)] if include_initial else g


def _untransposed(g: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return np.transpose(g, None if axes is None else np.argsort(np.arange(x.ndim)[list(axes)]))


def _unpadded(g: Any, y: Any, x: Any, widths: Any, constant_values: Any = 0) -> Any:
    return g[tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))]


def _contracted(letters: str, operand: int) -> str:
    """The letters of the product that leads back to an operand: 'ab,bc->ac' becomes 'ac,bc->ab' and 'ac,ab->bc'."""
    operands, result = letters.split("->")
    parts = operands.split(",")
    return f"{result},{parts[1 - operand]}->{parts[operand]}"


PRODUCTS.update(
    {
        # of one operand
        "absolute": (lambda g, y, x: g * np.sign(x),),  # at 0 it is 0
        "cos": (lambda g, y, x: -g * np.sin(x),),
        "erf": (lambda g, y, x: g * (2 / math.sqrt(math.pi)) * np.exp(-x * x),),
        "exp": (lambda g, y, x: g * y,),
        "expm1": (lambda g, y, x: g * (y + 1),),
        "log": (lambda g, y, x: g / x,),
        "log1p": (lambda g, y, x: g / (1 + x),),
        "negative": (lambda g, y, x: -g,),
        "sin": (lambda g, y, x: g * np.cos(x),),
        "sqrt": (lambda g, y, x: g / (2 * y),),
        "square": (lambda g, y, x: g * 2 * x,),
        "tanh": (lambda g, y, x: g * (1 - y * y),),
        # of two
        "add": (lambda g, y, a, b: g, lambda g, y, a, b: g),
        "subtract": (lambda g, y, a, b: g, lambda g, y, a, b: -g),
        "multiply": (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
        "divide": (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
        "power": (
            lambda g, y, a, b: g * np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1)),
            lambda g, y, a, b: g * np.where(a == 0, 0, y * np.log(np.where(a == 0, 1, a))),
        ),
        "remainder": (lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor(a / b)),
        "maximum": (  # where they are equal, each has half
            lambda g, y, a, b: g * ((a > b) + 0.5 * (a == b)),
            lambda g, y, a, b: g * ((b > a) + 0.5 * (a == b)),
        ),
        "minimum": (
            lambda g, y, a, b: g * ((a < b) + 0.5 * (a == b)),
            lambda g, y, a, b: g * ((b < a) + 0.5 * (a == b)),
        ),
        "logaddexp": (lambda g, y, a, b: g * np.exp(a - y), lambda g, y, a, b: g * np.exp(b - y)),
        # choices
        "where": (
            None,
            lambda g, y, condition, a, b: np.where(condition, g, 0),
            lambda g, y, condition, a, b: np.where(condition, 0, g),
        ),
        "take_along_axis": (
            lambda g, y, x, index, axis=-1: add_at(np.zeros(x.shape, x.dtype), _along(x, index, axis), g),
        ),
        # over axes
        "sum": (lambda g, y, x, axis=None, dtype=None, keepdims=False: np.broadcast_to(_kept(g, x, axis), x.shape),),
        "max": (_to_extremes,),
        "min": (_to_extremes,),
        "cumulative_sum": (_summed_back,),
        "einsum": (
            None,
            lambda g, y, letters, a, b: np.einsum(_contracted(letters, 0), g, b),
            lambda g, y, letters, a, b: np.einsum(_contracted(letters, 1), g, a),
        ),
        # of shapes
        "reshape": (lambda g, y, x, shape, copy=None: np.reshape(g, x.shape),),
        "expand_dims": (lambda g, y, x, axis: np.reshape(g, x.shape),),
        "squeeze": (lambda g, y, x, axis=None: np.reshape(g, x.shape),),
        "broadcast_to": (lambda g, y, x, shape: g,),
        "transpose": (_untransposed,),
        "moveaxis": (lambda g, y, x, source, destination: np.moveaxis(g, destination, source),),
        "flip": (lambda g, y, x, axis=None: np.flip(g, axis),),
        "roll": (lambda g, y, x, shift, axis=None: np.roll(g, np.negative(shift), axis),),
        "pad": (_unpadded,),
    }
)

STEPS.update(
    ("sign", "floor", "ceil", "trunc", "rint", "round", "floor_divide", "zeros_like", "ones_like", "full_like")
)
REDUCTIONS.update({np.add: np.sum, np.maximum: np.max, np.minimum: np.min})


# ------------------------------------------------------------------------------- functions that follow from the others


def _clip(x: Any, low: Any = None, high: Any = None) -> Any:
    x = x if low is None else np.where(x < low, low, x)  # at a bound the derivative is 1
    return x if high is None else np.where(x > high, high, x)


def _concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    lengths = [a.shape[axis] for a in arrays]
    before = (slice(None),) * (axis % arrays[0].ndim)

    def part(i: int) -> Function:
        start = sum(lengths[:i])
        return lambda g, y, *arrays: g[(*before, slice(start, start + lengths[i]))]

    @operation(*map(part, range(len(arrays))))
    def concatenate(*arrays: Any) -> Any:
        return np.concatenate(arrays, axis=axis)

    return concatenate(*arrays)


def _swapped(x: Any) -> Any:
    return np.moveaxis(x, -1, -2)


def _matmul(a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return _matmul(a[None], b)[(..., 0) if b.ndim == 1 else (..., 0, slice(None))]
    if b.ndim == 1:
        return _matmul(a, b[:, None])[..., 0]
    return _product(a, b)


@operation(lambda g, y, a, b: g @ _swapped(b), lambda g, y, a, b: _swapped(a) @ g)
def _product(a: Any, b: Any) -> Any:
    return np.matmul(a, b)


def _mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    total = np.sum(x, axis=axis, keepdims=keepdims)
    return total / (x.size / max(total.size, 1))


def _prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Factor by factor, so that a factor 0 has a derivative."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in np.atleast_1d(axis)]
    factors = np.moveaxis(x, axes, range(len(axes))).reshape(-1, *(n for i, n in enumerate(x.shape) if i not in axes))
    product = functools.reduce(operator.mul, factors, np.ones(factors.shape[1:], x.dtype))
    return _kept(product, x, axis) if keepdims else product


def _var(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Any:
    squares = np.square(x - np.mean(x, axis=axis, keepdims=True))
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    return total / (x.size / max(total.size, 1) - correction)


def _tile(x: Any, multiples: Sequence[int]) -> Any:
    x = x.reshape((1,) * (len(multiples) - x.ndim) + x.shape)
    for axis, n in enumerate(multiples, x.ndim - len(multiples)):
        x = np.concatenate([x] * n, axis=axis) if n else x[(slice(None),) * axis + (slice(0),)]
    return x


DEFINED.update(
    {
        "clip": _clip,
        "concatenate": _concatenate,
        "matmul": _matmul,
        "mean": _mean,
        "prod": _prod,
        "sort": lambda x, axis=-1: np.take_along_axis(x, np.argsort(x, axis=axis), axis=axis),
        "stack": lambda arrays, axis=0: np.concatenate([np.expand_dims(a, axis) for a in arrays], axis=axis),
        "tile": _tile,
        "var": _var,
    }
)
