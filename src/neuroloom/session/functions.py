"""The functions that build graphs, under the names that programs with explicit graphs use."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuroloom import engines, ops
from neuroloom.errors import GraphError
from neuroloom.ops.graph import Node, op
from neuroloom.session.graph import Tensor, constant, get_default_graph
from neuroloom.session.values import config_dtype, python_dtype


def placeholder(dtype: Any, shape: Any = None, name: str = "Placeholder") -> Tensor:
    """A value that is given at each run, in `feed_dict`.

    Args:
        dtype: such as 'float32' or 'int16', whose width it keeps.
        shape: lengths of the axes, None where one is free; None altogether: any shape.
    """
    graph = get_default_graph()
    return Tensor(graph, name, None, (), {}, None if shape is None else tuple(shape), config_dtype(dtype) or "float32")


def convert_to_tensor(value: Any, dtype: Any = None, name: str = "Const") -> Tensor:
    """A Tensor as it is; anything else as a constant."""
    return value if isinstance(value, Tensor) else constant(value, dtype, name=name)


def _named(base: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`fn(...)` recorded under a name; at least one argument has to be a Tensor, so the first becomes one."""
    name = kwargs.pop("name", None) or base
    if not builtins.any(isinstance(leaf, Node) for leaf in _leaves([args, kwargs])):
        args = (convert_to_tensor(args[0]), *args[1:])
    graph = next(leaf for leaf in _leaves([args, kwargs]) if isinstance(leaf, Tensor)).graph
    with graph.naming(name):
        return fn(*args, **kwargs)


def operands(x: Any, y: Any) -> tuple[Any, Any]:
    """Two values for one operation: numbers and arrays beside a Tensor take its dtype if that holds them."""
    x = x if isinstance(y, Tensor) else convert_to_tensor(x)
    like = x if isinstance(x, Tensor) else y
    return like.graph.operand(x, like), like.graph.operand(y, like)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list | tuple) else [value]


def _one(base: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, name: str | None = None) -> Any:
        return _named(base, fn, x, name=name)

    return _dressed(function, base, fn)


def _two(base: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return _named(base, fn, *operands(x, y), name=name)

    return _dressed(function, base, fn)


def _reduced(base: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    def function(
        input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None, **old: Any
    ) -> Any:
        axis, keepdims = old.pop("reduction_indices", axis), old.pop("keep_dims", keepdims)
        axis = tuple(axis) if isinstance(axis, list) else axis
        input_tensor = convert_to_tensor(input_tensor)
        whole = "int" in input_tensor.dtype and base in ("reduce_sum", "reduce_prod", "reduce_mean")
        given = cast(input_tensor, "float32") if whole and base == "reduce_mean" else input_tensor
        found = _named(base, fn, given, axis=axis, keepdims=keepdims, name=name, **old)
        return cast(found, input_tensor.dtype) if whole else found

    return _dressed(function, base, fn)


def _dressed(function: Callable[..., Any], base: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = base
    function.__doc__ = fn.__doc__
    return function


abs = _one("abs", ops.abs)
exp = _one("exp", ops.exp)
log = _one("log", ops.log)
sqrt = _one("sqrt", ops.sqrt)
square = _one("square", ops.square)
tanh = _one("tanh", ops.tanh)
sigmoid = _one("sigmoid", ops.sigmoid)
sin = _one("sin", ops.sin)
cos = _one("cos", ops.cos)
sign = _one("sign", ops.sign)
floor = _one("floor", ops.floor)
round = _one("round", ops.round)
negative = _one("negative", ops.negative)
logical_not = _one("logical_not", ops.logical_not)
zeros_like = _one("zeros_like", ops.zeros_like)
ones_like = _one("ones_like", ops.ones_like)
stop_gradient = _one("stop_gradient", ops.stop_gradient)
add = _two("add", ops.add)
subtract = _two("subtract", ops.subtract)
multiply = _two("multiply", ops.multiply)
floordiv = _two("floordiv", ops.floor_divide)
mod = _two("mod", ops.remainder)
pow = _two("pow", ops.pow)
maximum = _two("maximum", ops.maximum)
minimum = _two("minimum", ops.minimum)
equal = _two("equal", ops.equal)
less = _two("less", ops.less)
less_equal = _two("less_equal", ops.less_equal)
greater = _two("greater", ops.greater)
greater_equal = _two("greater_equal", ops.greater_equal)
reduce_sum = _reduced("reduce_sum", ops.sum)
reduce_mean = _reduced("reduce_mean", ops.mean)
reduce_max = _reduced("reduce_max", ops.max)
reduce_min = _reduced("reduce_min", ops.min)
reduce_prod = _reduced("reduce_prod", ops.prod)
reduce_any = _reduced("reduce_any", ops.any)
reduce_all = _reduced("reduce_all", ops.all)


def truediv(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y; whole numbers become float64 before, of 8 or 16 bits float32."""
    x, y = operands(x, y)
    if _whole(x) and _whole(y):
        wide = builtins.any(getattr(v, "dtype", "int8") in ("int32", "int64") for v in (x, y))
        x, y = (cast(v, "float64" if wide else "float32") for v in (x, y))
    return _named("truediv", ops.divide, x, y, name=name)


def div(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y as Python 2 divides: ⌊x / y⌋ for whole numbers."""
    x, y = operands(x, y)
    return (floordiv if _whole(x) and _whole(y) else truediv)(x, y, name)


def _whole(x: Any) -> bool:
    return "int" in x.dtype if isinstance(x, Node) else isinstance(x, int)


_QUOTIENTS: dict[str, Callable[..., Any]] = {
    "__truediv__": lambda self, other: truediv(self, other),
    "__rtruediv__": lambda self, other: truediv(other, self),
}
for _name, _fn in _QUOTIENTS.items():
    setattr(Tensor, _name, _fn)


@op
def _repeated(x: Any, multiples: tuple[int, ...]) -> Any:
    return engines.of(x).xp.tile(x, multiples)


@op
def _same(x: Any) -> Any:
    return x


def add_n(inputs: Sequence[Any], name: str | None = None) -> Any:
    """The sum of several tensors of one shape."""
    total = convert_to_tensor(inputs[0])
    for other in inputs[1:-1]:
        total = total + other
    return add(total, inputs[-1], name or "add_n") if len(inputs) > 1 else identity(total, name)


def identity(x: Any, name: str | None = None) -> Any:
    """x, as a tensor of its own."""
    return _named("identity", _same, x, name=name)


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, name: str | None = None) -> Any:
    """The matrix product over the last two axes."""
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    a = _swapped(a) if transpose_a else a
    return _named("matmul", ops.matmul, a, _swapped(b) if transpose_b else b, name=name)


def _swapped(x: Tensor) -> Any:
    return ops.moveaxis(x, -1, -2)


def argmax(input: Any, axis: int = 0, name: str | None = None, dimension: int | None = None) -> Any:
    """The position of the largest value along an axis, as int32."""
    axis = axis if dimension is None else dimension
    return cast(_named("argmax", ops.argmax, input, axis=axis), "int32", name=name)


def argmin(input: Any, axis: int = 0, name: str | None = None) -> Any:
    """The position of the least value along an axis, as int32."""
    return cast(_named("argmin", ops.argmin, input, axis=axis), "int32", name=name)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The values in another dtype; numbers that are no Tensor yet are taken with all their digits."""
    x = x if isinstance(x, Tensor) else constant(np.asarray(x))
    return _named("cast", ops.cast, x, config_dtype(dtype), name=name)


def reshape(tensor: Any, shape: Sequence[int], name: str | None = None) -> Any:
    """The same elements in another shape; -1 stands for the length that fits."""
    return _named("reshape", ops.reshape, tensor, tuple(int(n) for n in shape), name=name)


def transpose(a: Any, perm: Sequence[int] | None = None, name: str | None = None) -> Any:
    """Axes in another order, by default reversed."""
    a = convert_to_tensor(a)
    return _named("transpose", ops.permute_dims, a, tuple(perm or builtins.reversed(builtins.range(a.ndim))), name=name)


def expand_dims(input: Any, axis: int, name: str | None = None) -> Any:
    """A new axis of length 1."""
    return _named("expand_dims", ops.expand_dims, input, axis=axis, name=name)


def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """Without axes of length 1: those of `axis`, or all of them."""
    input = convert_to_tensor(input)
    axes = tuple(i for i, n in enumerate(input.shape) if n == 1) if axis is None else axis
    return _named("squeeze", ops.squeeze, input, axis=tuple(axes) if isinstance(axes, list) else axes, name=name)


def concat(values: Sequence[Any], axis: int, name: str | None = None) -> Any:
    """Tensors joined along an axis."""
    return _named("concat", ops.concat, [convert_to_tensor(v) for v in values], axis=axis, name=name)


def stack(values: Sequence[Any], axis: int = 0, name: str | None = None) -> Any:
    """Tensors of one shape along a new axis."""
    return _named("stack", ops.stack, [convert_to_tensor(v) for v in values], axis=axis, name=name)


def unstack(value: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The parts along an axis whose length is known."""
    value = convert_to_tensor(value)
    length = num if num is not None else value.shape[axis]
    if length is None:
        raise GraphError(f"unstack expected an axis of known length, or num; {value!r} has a free one.")
    return [value[(slice(None),) * (axis % value.ndim) + (i,)] for i in builtins.range(length)]


def split(value: Any, num_or_size_splits: int | Sequence[int], axis: int = 0) -> list[Any]:
    """So many equal parts along an axis, or parts of these lengths.

    Raises:
        GraphError: the lengths do not add up to the axis's, or that is not known.
    """
    value = convert_to_tensor(value)
    length = value.shape[axis]
    if isinstance(num_or_size_splits, int):
        if length is None or length % num_or_size_splits:
            raise GraphError(f"split expected an axis of {num_or_size_splits} equal parts, received {value!r}.")
        sizes = [length // num_or_size_splits] * num_or_size_splits
    else:
        sizes = list(num_or_size_splits)
        if length is not None and builtins.sum(sizes) != length:
            raise GraphError(f"split expected lengths with the sum {length}, received {sizes} for {value!r}.")
    starts = [builtins.sum(sizes[:i]) for i in builtins.range(len(sizes))]
    before = (slice(None),) * (axis % value.ndim)
    return [value[(*before, slice(start, start + size))] for start, size in zip(starts, sizes, strict=True)]


def tile(input: Any, multiples: Sequence[int], name: str | None = None) -> Any:
    """Repeated along each axis as often as `multiples` says."""
    return _named("tile", _repeated, input, tuple(int(n) for n in multiples), name=name)


def where(condition: Any, x: Any, y: Any, name: str | None = None) -> Any:
    """x where the condition holds, else y."""
    return _named("where", ops.where, convert_to_tensor(condition), *operands(x, y), name=name)


def gather(params: Any, indices: Any, name: str | None = None) -> Any:
    """Rows of `params` at `indices`, whole numbers of any shape."""
    return _named("gather", ops.gather, convert_to_tensor(params), convert_to_tensor(indices), name=name)


def one_hot(indices: Any, depth: int, dtype: Any = "float32", name: str | None = None) -> Any:
    """Rows of zeros with a one at `indices`."""
    return _named("one_hot", ops.one_hot, indices, depth, config_dtype(dtype), name=name)


def clip_by_value(t: Any, clip_value_min: float, clip_value_max: float, name: str | None = None) -> Any:
    """t, limited to a range."""
    return _named("clip_by_value", ops.clip, t, clip_value_min, clip_value_max, name=name)


def clip_by_norm(t: Any, clip_norm: float, name: str | None = None) -> Any:
    """t, shortened to a length of at most `clip_norm`. The derivative at t = 0 is 1."""
    t = convert_to_tensor(t)
    square = ops.maximum(ops.sum(ops.square(t)), clip_norm * clip_norm)  # above 0, where the root has no derivative
    return _named("clip_by_norm", ops.multiply, t, clip_norm / ops.sqrt(square), name=name)


def zeros(shape: Sequence[int], dtype: Any = "float32", name: str = "zeros") -> Tensor:
    """Zeros."""
    return constant(0, dtype, shape, name)


def ones(shape: Sequence[int], dtype: Any = "float32", name: str = "ones") -> Tensor:
    """Ones."""
    return constant(1, dtype, shape, name)


def fill(dims: Sequence[int], value: Any, name: str = "fill") -> Tensor:
    """One number, repeated to a shape."""
    return constant(value, None, dims, name)


def range(start: float, limit: float | None = None, delta: float = 1, dtype: Any = None, name: str = "range") -> Tensor:
    """Numbers from `start` (0 if only one is given) up to, but not, `limit`; the dtype is that of `constant`."""
    start, limit = (0, start) if limit is None else (start, limit)
    steps = np.arange(start, limit, delta)
    return constant(steps, dtype or python_dtype(steps), name=name)
