"""Derivatives of NumPy functions, by a tape: each operation is done at once and written down with the way back.

A `Traced` is an array on a tape. Given one, NumPy's own functions and operators come here, so whatever is written with
them has a derivative, if `rules` knows theirs. The way back goes through the tape from its end. It is computed by
NumPy's functions too; so it stands on an outer tape where there is one, and derivatives have derivatives.

As in Karpathy's micrograd (2020), over arrays.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from neuroloom import tree
from neuroloom.errors import EngineError, ShapeError
from neuroloom.typing import Array, Function, Tree

PRODUCTS: dict[str, Sequence[Function | None]] = {}
"""Name of a function of NumPy -> for each operand, `product(g, y, *operands)`: a gradient g of the result y times the
derivative of y by that operand. None: there is no derivative by it."""

DEFINED: dict[str, Function] = {}
"""Name -> the function, written with others."""

STEPS: set[str] = set()
"""Names of functions whose derivative is 0, although their results are floats."""

REDUCTIONS: dict[Any, Function] = {}
"""A ufunc of two operands -> what its `reduce` is."""


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
            return _call(REDUCTIONS.get(ufunc, ufunc.reduce), *inputs, **{"axis": 0, **kwargs})
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

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)


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

_WRITERS = {"at", "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"}
"""Functions that write into an array, where a derivative would be lost."""


def _call(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of NumPy, given what is Traced."""
    name = fn.__name__
    if name in DEFINED:
        return DEFINED[name](*args, **kwargs)
    if name in PRODUCTS:
        return _apply(fn, PRODUCTS[name], *args, **kwargs)
    result = fn(*tree.map(plain, args), **tree.map(plain, kwargs)) if name not in _WRITERS else None
    floats = any(getattr(leaf, "dtype", np.dtype(int)).kind == "f" for leaf in tree.leaves(result))
    if name in STEPS or (not floats and result is not None):
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


def _method(fn: Any) -> Function:
    return lambda self, axis=None, keepdims=False: fn(self, axis=axis, keepdims=keepdims)


for _fn in (np.sum, np.mean, np.prod, np.max, np.min, np.var):
    setattr(Traced, _fn.__name__, _method(_fn))
