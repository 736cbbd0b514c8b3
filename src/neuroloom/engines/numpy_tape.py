"""Derivatives of NumPy functions, by a tape: each operation is done at once and written down with the way back.

A `Traced` is an array on a tape. Given one, NumPy's own functions and operators come here, so whatever is written with
them has a derivative. For an operation y = f(a, b) the tables below have, for each operand, the product of a gradient g
of y with the derivative of f by that operand:

    "multiply": (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)

The way back goes through the tape from its end. These products are computed by NumPy's functions too; so they stand on
an outer tape where there is one, and derivatives have derivatives. As in Karpathy's micrograd (2020), over arrays.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from neuroloom import tree
from neuroloom.errors import EngineError, ShapeError
from neuroloom.typing import Array, Function, Tree


class Tape:
    """The operations on some parameters, in order. A tape inside another one has the larger number."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        self.number = next(Tape._numbers)
        self.nodes: list[Traced] = []

    def value(self, x: Any) -> Any:
        """x without this tape."""
        return x.value if isinstance(x, Traced) and x.tape is self else x

    def back(self, end: Any) -> None:
        """Leave at each node the derivative of `end`, a scalar, by it."""
        if not isinstance(end, Traced) or end.tape is not self:
            return  # no parameter has a part in it
        end.grad = np.ones((), end.dtype)
        for node in reversed(self.nodes):
            for parent, product in node.parents if node.grad is not None else ():
                g = _fitted(product(node.grad), parent.value)
                parent.grad = g if parent.grad is None else parent.grad + g


def _fitted(g: Any, x: Any) -> Any:
    """A gradient in the shape and the dtype of x: summed up where x was repeated by broadcasting."""
    if g.ndim > x.ndim:
        g = np.sum(g, axis=tuple(range(g.ndim - x.ndim)))
    axes = tuple(i for i, n in enumerate(x.shape) if n == 1 != g.shape[i])
    g = np.sum(g, axis=axes, keepdims=True) if axes else g
    return g if g.dtype == x.dtype else g.astype(x.dtype)


class Traced(NDArrayOperatorsMixin):
    """An array on a tape.

    Attributes:
        value: the array; with an outer tape one that is on that.
        parents: what it was computed from, each with the product of a gradient and the derivative by it.
        grad: the derivative of the tape's end by it; None until the way back passed here.
    """

    neuroloom_engine = "numpy"

    def __init__(self, value: Any, tape: Tape, parents: Sequence[tuple[Traced, Function]] = ()) -> None:
        self.value, self.tape, self.parents = value, tape, parents
        self.grad: Any = None
        tape.nodes.append(self)

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    T = property(lambda self: np.transpose(self))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **kwargs: Any) -> Any:
        if any(not isinstance(o, Traced) for o in out):
            raise EngineError(f"{ufunc.__name__} cannot write into an array what is differentiated: use its result.")
        if method == "reduce":
            return _call(_REDUCTIONS.get(ufunc, ufunc.reduce), *inputs, **{"axis": 0, **kwargs})
        return _call(ufunc if method == "__call__" else getattr(ufunc, method), *inputs, **kwargs)

    def __array_function__(self, fn: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _call(fn, *args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "A value that is differentiated is no NumPy array: as one it would be a constant. Compute with NumPy's "
            "functions or those of neuroloom.ops, or take neuroloom.ops.stop_gradient of it."
        )

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"<Traced {self.value!r}>"

    def __getitem__(self, index: Any) -> Any:
        return _getitem(self, index)

    def astype(self, dtype: Any) -> Any:
        """The values in another dtype."""
        return _astype(self, dtype)

    def item(self) -> Any:
        """The value of a scalar, as a number: a constant."""
        return self.value.item()

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)


def value_and_grad(fn: Function) -> Function:
    """See `Engine.value_and_grad`."""

    def value_and_gradients(params: Tree, *args: Any) -> Any:
        tape = Tape()
        with np.errstate(all="ignore"):  # a value that is not finite shows in what is returned
            traced = tree.map(lambda p: Traced(_floats(p), tape), params)
            value, aux = fn(traced, *args)
            if np.shape(value):
                raise ShapeError(f"Expected a function with a scalar value, received shape {np.shape(value)}.")
            tape.back(value)
            grads = tree.map(lambda p: np.zeros_like(p.value) if p.grad is None else p.grad, traced)
        tape.nodes.clear()  # else all of them would wait for the garbage collector
        return (tape.value(value), tree.map(tape.value, aux)), grads

    return value_and_gradients


def _floats(x: Any) -> Any:
    x = x if isinstance(x, Traced) else np.asarray(x)
    if x.dtype.kind != "f":
        raise EngineError(f"Expected parameters of floats, to differentiate by, received {x.dtype}.")
    return x


def plain(x: Any) -> Any:
    """x without any tape."""
    return plain(x.value) if isinstance(x, Traced) else x


# ------------------------------------------------------------------------------------------------------- operations


def _call(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of NumPy, given what is Traced."""
    name = fn.__name__
    if name in _DEFINED:
        return _DEFINED[name](*args, **kwargs)
    if name in _PRODUCTS:
        return _apply(fn, _PRODUCTS[name], *args, **kwargs)
    result = fn(*tree.map(plain, args), **tree.map(plain, kwargs))
    if name in _STEPS or all(getattr(leaf, "dtype", np.dtype(int)).kind != "f" for leaf in tree.leaves(result)):
        return result  # its derivative is 0
    raise EngineError(
        f"The NumPy engine knows no derivative of {name}. Compute it with other functions of neuroloom.ops, as a "
        f"constant of neuroloom.ops.stop_gradient(x), or with engine='jax' or engine='torch'."
    )


def _apply(fn: Any, products: Sequence[Function | None], *args: Any, **kwargs: Any) -> Any:
    """fn of the arguments, on the innermost of their tapes."""
    tapes = [a.tape for a in args if isinstance(a, Traced)]
    if not tapes:
        raise EngineError(f"{fn.__name__} expected what is differentiated among its arguments without a keyword.")
    tape = max(tapes, key=lambda tape: tape.number)
    values = [tape.value(a) for a in args]
    y = fn(*values, **kwargs)
    if y.dtype.kind != "f":
        return y
    parents = [
        (a, functools.partial(_back, product, y, values, kwargs))
        for a, product in zip(args, products, strict=False)
        if product is not None and isinstance(a, Traced) and a.tape is tape
    ]
    return Traced(y, tape, parents)


def _back(product: Function, y: Any, values: list[Any], kwargs: dict[str, Any], g: Any) -> Any:
    return product(g, y, *values, **kwargs)


def operation(*products: Function | None) -> Callable[[Function], Function]:
    """Make a function of arrays one operation; `products` are those of its operands, in order."""

    def decorate(fn: Function) -> Function:
        @functools.wraps(fn)
        def operate(*args: Any) -> Any:
            for a in args:
                if isinstance(a, Traced):
                    return _apply(operate, products, *args)
            return fn(*args)

        return operate

    return decorate


@operation(lambda g, y, x: g * (x > 0))
def relu(x: Array) -> Array:
    """max(x, 0); the derivative at 0 is 0."""
    return np.maximum(x, 0)


@operation(lambda g, y, x: np.where(np.arange(len(x)).reshape(-1, *[1] * y.ndim) == np.argmax(x, axis=0), g, 0))
def first_largest(x: Array) -> Array:
    """The largest values along the first axis; of equal ones the first has the derivative."""
    return x.max(axis=0)


@operation(lambda g, y, x, index, values: g, None, lambda g, y, x, index, values: g[index])
def add_at(x: Array, index: Any, values: Array) -> Array:
    """x with `values` added at an index; where a place is named twice, both are added."""
    x = x.copy()
    if any(isinstance(part, np.ndarray | list) for part in (index if isinstance(index, tuple) else (index,))):
        np.add.at(x, index, values)
    else:
        x[index] += values
    return x


_getitem = operation(lambda g, y, x, index: add_at(np.zeros(x.shape, x.dtype), index, g))(operator.getitem)
_astype = operation(lambda g, y, x, dtype: g)(lambda x, dtype: x.astype(dtype))


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


def _swapped(x: Any) -> Any:
    return np.moveaxis(x, -1, -2)


def _contracted(letters: str, operand: int) -> str:
    """The letters of the product that leads back to an operand: 'ab,bc->ac' becomes 'ac,bc->ab' and 'ac,ab->bc'."""
    operands, result = letters.split("->")
    parts = operands.split(",")
    return f"{result},{parts[1 - operand]}->{parts[operand]}"


_PRODUCTS: dict[str, tuple[Function | None, ...]] = {
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
    "logaddexp": (
        lambda g, y, a, b: g * np.exp(a - y),
        lambda g, y, a, b: g * np.exp(b - y),
    ),
    "matmul": (lambda g, y, a, b: g @ _swapped(b), lambda g, y, a, b: _swapped(a) @ g),
    # choices
    "where": (
        None,
        lambda g, y, condition, a, b: np.where(condition, g, 0),
        lambda g, y, condition, a, b: np.where(condition, 0, g),
    ),
    "take_along_axis": (lambda g, y, x, index, axis=-1: add_at(np.zeros(x.shape, x.dtype), _along(x, index, axis), g),),
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
    "transpose": (lambda g, y, x, axes=None: np.transpose(g, axes and np.argsort([a % x.ndim for a in axes])),),
    "moveaxis": (lambda g, y, x, source, destination: np.moveaxis(g, destination, source),),
    "flip": (lambda g, y, x, axis=None: np.flip(g, axis),),
    "roll": (lambda g, y, x, shift, axis=None: np.roll(g, np.negative(shift), axis),),
    "pad": (
        lambda g, y, x, widths, constant_values=0: g[
            tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
        ],
    ),
}
"""Name of a function -> for each operand the product of a gradient g with the derivative of the result y by it."""

_STEPS = {"sign", "floor", "ceil", "trunc", "rint", "round", "floor_divide", "zeros_like", "ones_like", "full_like"}
"""Functions whose derivative is 0, although their results are floats."""

_REDUCTIONS = {np.add: np.sum, np.maximum: np.max, np.minimum: np.min}


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


def _matmul(a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return _matmul(a[None], b)[(..., 0) if b.ndim == 1 else (..., 0, slice(None))]
    if b.ndim == 1:
        return _matmul(a, b[:, None])[..., 0]
    return _apply(np.matmul, _PRODUCTS["matmul"], a, b)


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


_DEFINED: dict[str, Function] = {
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


# ---------------------------------------------------------------------------------------------- methods as NumPy's are


def _method(fn: Any) -> Function:
    return lambda self, axis=None, keepdims=False: fn(self, axis=axis, keepdims=keepdims)


for _fn in (np.sum, np.mean, np.prod, np.max, np.min, np.var):
    setattr(Traced, _fn.__name__, _method(_fn))
