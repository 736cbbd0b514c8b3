"""The JAX engine: differentiation and compilation by XLA; the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from neuroloom import tree
from neuroloom.engines import dispatch
from neuroloom.engines.base import Engine, Spec, Windows, default_width
from neuroloom.typing import Array, Function, Key, Tree

NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
"""What JAX stores 64-bit numbers as unless `jax_enable_x64` is set."""


class JaxEngine(Engine):
    """See `Engine`."""

    name = "jax"
    xp = jnp
    compiles = True

    @property
    def version(self) -> str:
        return jax.__version__

    def devices(self) -> list[str]:
        return [str(d) for d in jax.devices()]

    def precision(self) -> str:
        return "x64" if jax.config.jax_enable_x64 else ""

    def free_memory(self) -> int:
        stats = jax.devices()[0].memory_stats()
        return stats["bytes_limit"] - stats["bytes_in_use"] if stats else super().free_memory()

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        if not isinstance(x, jax.Array):
            other = dispatch.of_type(type(x))
            x = other.to_numpy(x) if other is not None else default_width(x)
        dtype = dtype or str(x.dtype)
        return jnp.asarray(x, dtype=dtype if jax.config.jax_enable_x64 else NARROW.get(dtype, dtype))

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def scalar(self, value: float, dtype: str = "float32") -> Array:
        return jnp.asarray(value, dtype)

    def guarded(self, ok: Any, new: Function, old: Tree) -> Tree:
        return jax.tree.map(lambda n, o: jnp.where(ok, n, o), new(), old)

    def rows(self, x: Array, start: Any, n: int) -> Array:
        return lax.dynamic_slice_in_dim(x, start, n)

    def put_row(self, buffer: Array, i: Any, row: Array) -> Array:
        return lax.dynamic_update_index_in_dim(buffer, row, i, 0)

    def wait(self, values: Tree) -> Tree:
        return jax.block_until_ready(values)

    # ------------------------------------------------------------------------- transformations of functions

    def value_and_grad(self, fn: Function) -> Function:
        return jax.value_and_grad(fn, has_aux=True)

    def compile(self, fn: Function, donate: tuple[int, ...] = ()) -> Function:
        return jax.jit(fn, donate_argnums=donate)

    def loop(self, low: Any, high: Any, body: Function, state: Tree) -> Tree:
        def advance(carry: Any) -> Any:
            i, _, state = carry
            state, go_on = body(i, state)
            return i + 1, go_on, state

        start = (jnp.asarray(low, jnp.int32), jnp.asarray(True), state)
        return lax.while_loop(lambda carry: (carry[0] < high) & carry[1], advance, start)[2]

    def scan(self, fn: Function, carry: Tree, xs: Tree) -> tuple[Tree, Tree]:
        return lax.scan(fn, carry, xs)

    def cond(self, pred: Array, yes: Function, no: Function, *args: Any) -> Tree:
        return lax.cond(pred, yes, no, *args)

    def vmap(self, fn: Function, in_axes: Any = 0) -> Function:
        return jax.vmap(fn, in_axes=in_axes)

    def stop_gradient(self, x: Array) -> Array:
        return lax.stop_gradient(x)

    def abstract(self, fn: Function, *specs: Tree) -> Tree:
        shapes = [tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype), spec) for spec in specs]
        return tree.map(lambda s: Spec(tuple(s.shape), str(s.dtype)), jax.eval_shape(fn, *shapes))

    # ------------------------------------------------------------------------ elementwise, beyond the standard

    def relu(self, x: Array) -> Array:
        return jax.nn.relu(x)

    def sigmoid(self, x: Array) -> Array:
        return jax.nn.sigmoid(x)

    def erf(self, x: Array) -> Array:
        return lax.erf(x)

    def softplus(self, x: Array) -> Array:
        return jax.nn.softplus(x)

    def softmax(self, x: Array, axis: int) -> Array:
        return jax.nn.softmax(x, axis=axis)

    def log_softmax(self, x: Array, axis: int) -> Array:
        return jax.nn.log_softmax(x, axis=axis)

    # --------------------------------------------------------------------------- gathering, windows, recurrence

    def gather(self, x: Array, index: Array) -> Array:
        return jnp.take(x, index, axis=0, mode="clip")

    def pick(self, x: Array, index: Array) -> Array:
        return jnp.take_along_axis(x, index[..., None], axis=-1, mode="clip")[..., 0]

    def one_hot(self, index: Array, depth: int, dtype: str) -> Array:
        return jax.nn.one_hot(index, depth, dtype=dtype)

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        values, index = lax.top_k(x, k)
        return values, index

    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        return jnp.pad(x, widths, constant_values=value)

    def conv(self, x: Array, kernel: Array, windows: Windows, groups: int = 1) -> Array:
        axes = "DHW"[-len(windows.strides) :]
        return lax.conv_general_dilated(
            x,
            kernel,
            windows.strides,
            windows.padding,
            rhs_dilation=windows.dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=groups,
        )

    def max_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        return lax.reduce_window(x, -jnp.inf, lax.max, *_window_arguments(size, windows))

    def sum_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        return lax.reduce_window(x, 0.0, lax.add, *_window_arguments(size, windows))

    # ----------------------------------------------------------------------------------------- random numbers

    def key(self, seed: int) -> Key:
        return jnp.asarray([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], jnp.uint32)

    def fold_in(self, key: Key, data: Any) -> Key:
        return jax.random.fold_in(key, data)

    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return jax.random.uniform(key, shape, dtype)

    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return jax.random.normal(key, shape, dtype)


def _window_arguments(size: tuple[int, ...], windows: Windows) -> tuple[Any, ...]:
    return (
        (1, *size, 1),
        (1, *windows.strides, 1),
        ((0, 0), *windows.padding, (0, 0)),
        None,
        (1, *windows.dilation, 1),
    )


ENGINE = JaxEngine()
