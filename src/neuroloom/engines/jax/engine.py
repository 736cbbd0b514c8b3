"""The JAX engine: differentiation and compilation by XLA; the default."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from neuroloom import tree
from neuroloom.engines import dispatch
from neuroloom.engines.arrays import aligned, default_width, numbers
from neuroloom.engines.jax import cache, memory, options, products
from neuroloom.engines.jax import windows as sliding
from neuroloom.engines.jax.recurrent import lstm
from neuroloom.engines.kernels import Engine
from neuroloom.engines.protocol import Spec, Windows
from neuroloom.errors import DataError
from neuroloom.typing import Array, Function, Key, Tree

NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
"""What JAX stores 64-bit numbers as unless `jax_enable_x64` is set."""

LARGE = 1 << 20
"""Bytes from which an array for the CPU device is copied here."""


class JaxEngine(Engine):
    """See `Engine`."""

    name = "jax"
    xp = jnp
    roots = ("jax", "jaxlib")
    traces = True
    static_shapes = True
    background = True
    bfloat16 = True

    @property
    def version(self) -> str:
        return jax.__version__

    def devices(self) -> list[str]:
        return [str(d) for d in jax.devices()]

    def precision(self) -> str:
        return "x64" if jax.config.read("jax_enable_x64") else ""

    def programs_folder(self) -> Path | None:
        return cache.folder()

    def double(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(True)

    def free_memory(self) -> int:
        stats = jax.devices()[0].memory_stats()
        return stats["bytes_limit"] - stats["bytes_in_use"] if stats else super().free_memory()

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        if isinstance(x, jax.Array):
            if x.dtype.itemsize < 8 and (dtype is None or x.dtype == dtype):
                return x  # what asarray does too, in 20 times as long
        else:
            other = dispatch.of_type(type(x))
            x = numbers(other.to_numpy(x) if other is not None else default_width(x))
        dtype = dtype or str(x.dtype)
        if dtype in NARROW and not jax.config.read("jax_enable_x64"):
            dtype = NARROW[dtype]
            _check_room(x, dtype)
        if isinstance(x, np.ndarray) and x.nbytes >= LARGE and _on_cpu():
            copy = aligned(x.shape, dtype)
            np.copyto(copy, x, casting="unsafe")
            return self.adopt(copy)  # JAX's own way to the CPU device takes 5 to 9 times as long from 64 MB on
        return jnp.asarray(x, dtype=dtype)

    def adopt(self, x: np.ndarray) -> Array:
        there = _on_cpu() and x.flags.c_contiguous and x.ctypes.data % 64 == 0
        return jax.device_put(x, may_alias=True) if there else self.asarray(x)

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def dtype_name(self, x: Array) -> str:
        return str(x.dtype)

    def astype(self, x: Array, dtype: str) -> Array:
        return x if str(x.dtype) == dtype else jnp.astype(x, dtype)

    def scalar(self, value: float, dtype: str = "float32") -> Array:
        return _scalar(value, dtype)

    def full_like(self, x: Array, value: float) -> Array:
        if isinstance(x, jax.core.Tracer):
            return jnp.full_like(x, value)
        return self.asarray(np.full(x.shape, value, x.dtype))  # outside a program, jnp compiles one for each shape

    def rows(self, x: Array, start: Any, n: int) -> Array:
        return lax.dynamic_slice_in_dim(x, start, n)

    def zero_sum(self, shape: tuple[int, ...]) -> Array:
        return self.asarray(np.zeros((2, *shape), np.float32))

    def add_to_sum(self, total: Array, x: Any) -> Array:
        """Two floats for one (Dekker, 1971), since there is no float64: total[1] is what rounding took from total[0].

        A plain float32 sum of ones stops at 2²⁴; this one loses no whole number before 2⁴⁷ or so, because what
        was taken goes back as soon as it is large enough.
        """
        old, taken = total
        x = jnp.asarray(x, jnp.float32)
        new = old + x
        rest = new - old
        taken = taken + ((old - (new - rest)) + (x - rest))
        high = new + taken
        return jnp.stack([high, taken - (high - new)])

    def sum_value(self, total: Array) -> Array:
        return total[0] + total[1]

    def put_row(self, log: Array, i: Any, row: list[Array]) -> Array:
        return lax.dynamic_update_index_in_dim(log, jnp.stack(row).astype(jnp.float32), i, 0)

    def end_log(self, log: Array, weights: list[Array]) -> Array:
        finite = functools.reduce(jnp.logical_and, [jnp.all(jnp.isfinite(w)) for w in weights], jnp.asarray(True))
        return log.at[-1].set(finite)

    def wait(self, values: Tree) -> Tree:
        return jax.block_until_ready(values)

    # ------------------------------------------------------------------------- transformations of functions

    def value_and_grad(self, fn: Function) -> Function:
        return jax.value_and_grad(fn, has_aux=True)

    def compile(self, fn: Function) -> Function:
        return options.Compiled(fn, _on_cpu())

    def held_bytes(self, run: Any) -> int:
        return run.held_bytes()

    def release(self, run: Any) -> None:
        run.release()
        memory.clean_up()

    def loop(self, low: Any, high: Any, body: Function, state: Tree) -> Tree:
        def advance(carry: Any) -> Any:
            i, _, state = carry
            state, go_on = body(i, state)
            return i + 1, go_on, state

        start = (jnp.asarray(low, jnp.int32), jnp.asarray(True), state)
        return lax.while_loop(lambda carry: (carry[0] < high) & carry[1], advance, start)[2]

    def scan(self, fn: Function, carry: Tree, xs: Tree) -> tuple[Tree, Tree]:
        return lax.scan(fn, carry, xs)

    def while_loop(self, holds: Function, body: Function, state: Tree) -> Tree:
        return lax.while_loop(holds, body, state)

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

    def binary_crossentropy(self, y: Array, logits: Array) -> Array:
        dtype = jnp.result_type(y, logits)
        return _binary_crossentropy(jnp.asarray(y, dtype), jnp.asarray(logits, dtype))

    def softmax(self, x: Array, axis: int) -> Array:
        return jax.nn.softmax(x, axis=axis)

    def log_softmax(self, x: Array, axis: int) -> Array:
        return jax.nn.log_softmax(x, axis=axis)

    # --------------------------------------------------------------------------- gathering, windows, recurrence

    def gather(self, x: Array, index: Array) -> Array:
        if jnp.ndim(index) == 0:  # a gather of one row takes longer than a slice
            return lax.dynamic_index_in_dim(x, index, keepdims=False)
        return jnp.take(x, index, axis=0, mode="clip")

    def add_at(self, x: Array, index: Array, values: Array) -> Array:
        return x.at[index].add(values)

    def pick(self, x: Array, index: Array) -> Array:
        depth = x.shape[-1]
        chosen = jnp.arange(depth, dtype=jnp.int32) == jnp.clip(index, 0, depth - 1)[..., None]
        return jnp.sum(jnp.where(chosen, x, 0), axis=-1)

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        values, index = lax.top_k(x, k)
        return values, index

    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        return jnp.pad(x, widths, constant_values=value)

    def conv(self, x: Array, kernel: Array, windows: Windows, groups: int = 1, bias: Array | None = None) -> Array:
        if _on_cpu():
            return sliding.conv(x, kernel, windows, groups, bias)
        y = lax.conv_general_dilated(
            x,
            kernel,
            windows.strides,
            windows.padding,
            rhs_dilation=windows.dilation,
            dimension_numbers=sliding.layout(len(windows.strides)),
            feature_group_count=groups,
        )
        return y if bias is None else y + bias

    def affine(self, x: Array, kernel: Array, bias: Array) -> Array:
        return products.affine(x, kernel, bias) if _on_cpu() else super().affine(x, kernel, bias)

    def lstm(self, x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
        args = x, h, c, kernel, recurrent, bias
        return lstm(*args) if _on_cpu() else super().lstm(*args)

    def max_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        return sliding.max_pool(x, size, windows)

    def sum_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        return sliding.sum_pool(x, size, windows)

    # ----------------------------------------------------------------------------------------- random numbers

    def key(self, seed: int) -> Key:
        return self.asarray(_words(seed))

    def keys(self, seeds: Sequence[int]) -> Key:
        return self.asarray(np.stack([_words(seed) for seed in seeds]))

    def key_of(self, words: Array) -> Key:
        return words.astype("uint32")

    def fold_in(self, key: Key, data: Any) -> Key:
        return jax.random.fold_in(key, data)

    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return jax.random.uniform(key, shape, dtype)

    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return jax.random.normal(key, shape, dtype)


@jax.custom_jvp
def _binary_crossentropy(y: Array, z: Array) -> Array:
    """|z| of the wrong side + log(1 + e^-|z|). With two softplus XLA takes four exponentials and two logarithms, and an
    autoencoder of 784 pixels half as long again."""
    size = jnp.abs(z)
    return size * jnp.where(z >= 0, 1 - y, y) + jnp.log1p(jnp.exp(-size))


@_binary_crossentropy.defjvp
def _binary_crossentropy_tangent(values: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (y, z), (dy, dz) = values, tangents
    e = jnp.exp(-jnp.abs(z))  # JAX takes 1 for the slope of |z| at 0, as the second derivative there needs
    other = e / (1 + e)  # the probability of the less likely class
    return _binary_crossentropy(y, z), dz * jnp.where(z >= 0, (1 - y) - other, other - y) - dy * z


def _words(seed: int) -> np.ndarray:
    return np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)


def _check_room(x: Any, dtype: str) -> None:
    """That no whole number is stored as another one."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and "int" in dtype and x.size:
        room = np.iinfo(dtype)
        low, high = int(x.min()), int(x.max())
        if low < room.min or high > room.max:
            raise DataError(
                f"JAX stores whole numbers in 32 bits (from {room.min} to {room.max}), received "
                f"{low if low < room.min else high}. Give such numbers as floats."
            )


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


@functools.lru_cache(64)
def _scalar(value: float, dtype: str) -> Array:
    """A number on the device; kept, since putting it there takes longer than a small network's step."""
    return jnp.asarray(np.asarray(value, dtype), dtype)  # without the first asarray JAX compiles a program for it


options.raise_loop_limit()
cache.enable()
ENGINE = JaxEngine()
