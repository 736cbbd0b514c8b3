"""The closed list of what a tensor library must do for neuroloom.

An engine is a tensor library behind this protocol. `xp` carries the functions of the Python array API standard;
the methods here are what the standard has not: transformations of functions, loops, windows, random numbers,
placement, and a few elementwise functions that every library has fused. Nothing outside `engines/` imports a
tensor library.

A method with a body here is the definition; engines override it for speed, never for meaning.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neuroloom import tree
from neuroloom.errors import DataError, EngineError
from neuroloom.typing import Array, Function, Key, Tree


@dataclass(frozen=True)
class Spec:
    """Shape and dtype of an array that does not exist."""

    shape: tuple[int, ...]
    dtype: str = "float32"


class Windows(NamedTuple):
    """How a window slides: per spatial axis its steps, (before, after) padding, and spacing of its elements."""

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array without values that begins at a multiple of 64 bytes, where an engine can use it as it lies."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def default_width(x: Any) -> np.ndarray:
    """Python numbers as an array: floats have 32 bits here, on every engine."""
    array = np.asarray(x)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def axes_of(part: Any) -> int:
    """How many axes of an array one part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if "bool" in str(getattr(part, "dtype", "")) else 1


def numbers(array: np.ndarray) -> np.ndarray:
    """The array, if it holds numbers or truths; text, None and other objects are refused."""
    if array.dtype.kind in "OUSmM":
        received = f"{array.flat[0]!r:.60}" if array.size else f"an array of {array.dtype}"
        raise DataError(f"Expected an array of numbers, received {received}. Encode text and dates as numbers first.")
    return array


class Engine(ABC):
    """One tensor library. `name` is the word users choose it by; `xp` its array API namespace."""

    name: str
    xp: Any
    trains = True
    compiles = False

    # ------------------------------------------------------------------------------------ arrays and devices

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the tensor library."""

    @abstractmethod
    def devices(self) -> list[str]:
        """The devices that arrays can be on, the default one first."""

    @property
    def many(self) -> Any:
        """lerp, axpy, addcmul, addcdiv, root and adam for lists of arrays, in place; None where that is no faster."""
        return None

    def precision(self) -> str:
        """What, beside shapes and dtypes, compiled programs depend on."""
        return ""

    def programs_folder(self) -> Path | None:
        """Where compiled programs are kept for other processes; None where they are not."""
        return None

    def double(self) -> AbstractContextManager[Any]:
        """A `with` block inside which float64 stays float64, on engines that narrow it otherwise."""
        return nullcontext()

    def free_memory(self) -> int:
        """Bytes that arrays on the default device may still take."""
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4 << 30

    @abstractmethod
    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """`x` (of any engine, or nested numbers) as an array of this engine on its default device."""

    def adopt(self, x: np.ndarray) -> Array:
        """`asarray(x)` for an array that nobody will change: its memory may become the new one's."""
        return self.asarray(x)

    @abstractmethod
    def to_numpy(self, x: Array) -> np.ndarray:
        """The values as a NumPy array; without a copy where memory is shared."""

    def dtype_name(self, x: Array) -> str:
        """The dtype's name: 'float32', 'int32', 'bool', ..."""
        return str(x.dtype)

    def astype(self, x: Array, dtype: str) -> Array:
        """The values in another dtype."""
        return x if self.dtype_name(x) == dtype else self.xp.astype(x, getattr(self.xp, dtype))

    def scalar(self, value: float, dtype: str = "float32") -> Any:
        """A number in the form that costs least: a Python number where functions run eagerly."""
        return value

    def guarded(self, ok: Any, new: Function, old: Tree) -> Tree:
        """`new()` if the scalar `ok` holds, else `old`.

        An engine with `compiles` may return `new()` in any case: the loop then takes such a step back itself.
        """
        return new() if ok else old

    def arange(self, n: int) -> Array:
        """0, 1, ..., n - 1 as int32, made on the default device."""
        return self.xp.arange(n, dtype=self.xp.int32)

    def rows(self, x: Array, start: Any, n: int) -> Array:
        """n rows of x from row `start` on."""
        return x[start : start + n]

    def full_like(self, x: Array, value: float) -> Array:
        """An array like x of one value."""
        return self.xp.full_like(x, value)

    def zero_sum(self, shape: tuple[int, ...]) -> Array:
        """A sum of nothing, to which many numbers can be added without rounding away the later ones."""
        return self.xp.zeros(shape, dtype=self.xp.float64)

    def add_to_sum(self, total: Array, x: Any) -> Array:
        """Such a sum and x (an array of its shape, or a number)."""
        return total + x

    def sum_value(self, total: Array) -> Array:
        """The value of such a sum."""
        return total

    def new_log(self, rows: int, columns: int) -> Any:
        """An empty log for at most so many rows of scalars."""
        return []

    def put_row(self, log: Any, i: Any, row: list[Array]) -> Any:
        """The log with its row i; rows come in order."""
        log.append(row)
        return log

    def end_log(self, log: Any, weights: list[Array]) -> Any:
        """The log, and behind its rows whether all numbers of these arrays are finite."""
        log.append(all(bool(self.xp.all(self.xp.isfinite(w))) for w in weights))
        return log

    def read_log(self, log: Any, rows: int) -> tuple[np.ndarray, bool]:
        """The first rows of an ended log, float32, and what `end_log` found; waits until they exist."""
        *found, finite = log
        return self.stacked(found[:rows]), finite

    def stacked(self, rows: list[list[Array]]) -> np.ndarray:
        """Rows of scalars as an array, float32."""
        return np.asarray([[float(value) for value in row] for row in rows], np.float32)

    def is_finite(self, x: Array) -> Any:
        """Whether a scalar is neither infinite nor NaN, in a form that `guarded` and `loop` take."""
        return math.isfinite(x)

    def kept(self, values: Tree) -> Tree:
        """`values` as they are now, where steps overwrite the arrays that they are given: copies."""
        return values

    def wait(self, values: Tree) -> Tree:
        """Return `values` once they exist (engines that compute in the background block here)."""
        return values

    def apart(self, x: Array, others: list[Any]) -> Array:
        """x, copied where it lies in the memory of others."""
        return x

    def inner(self, a: np.ndarray, b: np.ndarray) -> float:
        """The inner product of two contiguous arrays of one shape, of the host's memory."""
        return np.vdot(a, b)

    def affine(self, x: Array, kernel: Array, bias: Array) -> Array:
        """x W + b over the last axis of x."""
        return x @ kernel + bias

    # ------------------------------------------------------------------------- transformations of functions

    def value_and_grad(self, fn: Function) -> Function:
        """`g(params, *args) -> ((value, aux), gradients)` for `fn(params, *args) -> (scalar value, aux)`."""
        raise EngineError(f"The {self.name} engine computes forward only and cannot train. Use another engine.")

    def compile(self, fn: Function) -> Function:
        """`fn` as one compiled program."""
        return fn

    def held_bytes(self, run: Function) -> int:
        """About how much memory each compilation of what `compile` gave holds; a new shape is a new compilation."""
        return 0

    def release(self, run: Function) -> None:  # noqa: B027
        """Free what the engine holds of what `compile` gave. Called again, it is compiled again."""

    def recorded(self, fn: Function) -> Function:
        """`fn`, a pure function of trees of arrays and keys, made ready for many calls with equal shapes."""
        return fn

    def loop(self, low: int, high: int, body: Function, state: Tree) -> Tree:
        """`for i in range(low, high): state, go_on = body(i, state)`, left as soon as `go_on` is false."""
        for i in range(low, high):
            state, go_on = body(i, state)
            if not go_on:
                break
        return state

    def scan(self, fn: Function, carry: Tree, xs: Tree) -> tuple[Tree, Tree]:
        """`carry, y = fn(carry, x)` for each x along the first axis of the leaves of `xs`; the y's are stacked."""
        ys = []
        for i in range(tree.first(xs).shape[0]):
            carry, y = fn(carry, tree.map(lambda leaf: leaf[i], xs))  # noqa: B023
            ys.append(y)
        return carry, tree.map(lambda *items: self.xp.stack(items), *ys)

    def while_loop(self, holds: Function, body: Function, state: Tree) -> Tree:
        """`while holds(state): state = body(state)`."""
        while holds(state):
            state = body(state)
        return state

    def cond(self, pred: Array, yes: Function, no: Function, *args: Any) -> Tree:
        """`yes(*args)` where the scalar `pred` holds, else `no(*args)`."""
        return yes(*args) if pred else no(*args)

    def vmap(self, fn: Function, in_axes: Any = 0) -> Function:
        """`fn` over a new first axis of those arguments whose entry of `in_axes` is 0 (None: shared)."""

        def mapped(*args: Any) -> Tree:
            axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
            n = next(tree.first(a).shape[0] for a, axis in zip(args, axes, strict=True) if axis is not None)
            rows = [
                fn(
                    *(
                        a if axis is None else tree.map(lambda leaf, i=i: leaf[i], a)
                        for a, axis in zip(args, axes, strict=True)
                    )
                )
                for i in range(n)
            ]
            return tree.map(lambda *items: self.xp.stack(items), *rows)

        return mapped

    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant of differentiation."""
        return x

    @abstractmethod
    def abstract(self, fn: Function, *specs: Tree) -> Tree:
        """The Specs of what `fn` returns for arguments of these Specs, without computing where possible."""

    # ------------------------------------------------------------------------ elementwise, beyond the standard

    def abs(self, x: Array) -> Array:
        """|x|; the derivative at 0 is 0."""
        return self.xp.abs(x)

    def clip(self, x: Array, low: Any, high: Any) -> Array:
        """x, but at least `low` and at most `high`, None: no bound; the derivative at a bound is 1."""
        return self.xp.clip(x, low, high)

    def relu(self, x: Array) -> Array:
        """max(x, 0); the derivative at 0 is 0."""
        return self.xp.where(x > 0, x, 0 * x)

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x)), without overflow."""
        return 0.5 * (1 + self.xp.tanh(0.5 * x))

    @abstractmethod
    def erf(self, x: Array) -> Array:
        """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""

    def softplus(self, x: Array) -> Array:
        """log(1 + exp(x)), without overflow."""
        return self.xp.logaddexp(x, 0 * x)

    def binary_crossentropy(self, y: Array, logits: Array) -> Array:
        """-y log σ(z) - (1 - y) log(1 - σ(z)) for logits z, finite and right to 1e-6 for z of any size."""
        return y * self.softplus(-logits) + (1 - y) * self.softplus(logits)

    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / Σ exp(x) along an axis."""
        e = self.xp.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log Σ exp(x) along an axis."""
        x = x - self.xp.max(x, axis=axis, keepdims=True)
        return x - self.xp.log(self.xp.sum(self.xp.exp(x), axis=axis, keepdims=True))

    # The arithmetic of update rules. With `donate` the caller gives the first array up: its memory may hold the
    # result, as with `compile(donate=)`. These bodies ignore it.

    def lerp(self, start: Array, end: Array, weight: Any, donate: bool = False) -> Array:
        """start + weight * (end - start)."""
        return start + weight * (end - start)

    def axpy(self, x: Array, y: Array, scale: Any, keep: Any = 1.0, donate: bool = False) -> Array:
        """keep * x + scale * y."""
        return keep * x + scale * y

    def addcmul(self, x: Array, a: Array, b: Array, scale: Any, keep: Any = 1.0, donate: bool = False) -> Array:
        """keep * x + scale * a * b."""
        return keep * x + scale * (a * b)

    def addcdiv(self, x: Array, a: Array, b: Array, scale: Any, keep: Any = 1.0, donate: bool = False) -> Array:
        """keep * x + scale * a / b."""
        return keep * x + scale * (a / b)

    def root(self, x: Array, inside: float = 0.0, outside: float = 0.0) -> Array:
        """√(x + inside) + outside, a new array."""
        return self.xp.sqrt(x + inside) + outside

    def adam(
        self, p: Array, g: Array, m: Array, v: Array, rate: Any, keep: Any, betas: tuple[float, float], epsilon: float,
        donate: bool = False,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """(p, m, v) after m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², p ← keep · p - rate · m / (√v + ε)."""
        m = self.lerp(m, g, 1 - betas[0], donate=donate)
        v = self.addcmul(v, g, g, 1 - betas[1], keep=betas[1], donate=donate)
        return self.addcdiv(p, m, self.root(v, outside=epsilon), -rate, keep=keep, donate=donate), m, v

    # --------------------------------------------------------------------------- gathering, windows, recurrence

    def getitem(self, x: Array, index: Any) -> Array:
        """x[index], as the array API standard defines it."""
        return x[index]

    @abstractmethod
    def gather(self, x: Array, index: Array) -> Array:
        """Rows of `x` (its first axis) at an integer array; the gradient adds up. Shape index.shape + x.shape[1:]."""

    @abstractmethod
    def add_at(self, x: Array, index: Array, values: Array) -> Array:
        """x with `values` added to its rows at `index` (k,); where a row is named twice, both are added."""

    @abstractmethod
    def pick(self, x: Array, index: Array) -> Array:
        """For each row, the entry along the last axis that `index` (shape x.shape[:-1]) names."""

    @abstractmethod
    def one_hot(self, index: Array, depth: int, dtype: str) -> Array:
        """Rows of zeros with a one at `index`; shape index.shape + (depth,)."""

    @abstractmethod
    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        """The k largest values along the last axis, in falling order, and their positions."""

    @abstractmethod
    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        """`x` with `value` put before and after each axis."""

    @abstractmethod
    def conv(self, x: Array, kernel: Array, windows: Windows, groups: int = 1, bias: Array | None = None) -> Array:
        """Cross-correlation, plus bias. x (batch, *spatial, channels), kernel (*size, channels // groups, filters)."""

    @abstractmethod
    def max_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        """Largest value in each window of x (batch, *spatial, channels); at ties the first gets the gradient."""

    @abstractmethod
    def sum_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        """Sum of each window of x (batch, *spatial, channels)."""

    def lstm(self, x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
        """An LSTM layer with sigmoid gates and tanh (equations: `layers.LSTM`); gates in the order i, f, c, o.

        Args:
            x: (batch, time, features).
            h, c: the first state, (batch, units).
            kernel, recurrent, bias: (features, 4 units), (units, 4 units), (4 units,).

        Returns:
            all outputs (batch, time, units), and the last h and c.
        """
        xp, units = self.xp, h.shape[-1]

        def cell(carry: Any, z: Array) -> tuple[Any, Array]:
            h, c = carry
            z = z + h @ recurrent
            i, f, o = (self.sigmoid(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
            c = f * c + i * xp.tanh(z[:, 2 * units : 3 * units])
            h = o * xp.tanh(c)
            return (h, c), h

        (h, c), outputs = self.scan(cell, (h, c), xp.moveaxis(x, 1, 0) @ kernel + bias)
        return xp.moveaxis(outputs, 0, 1), h, c

    # ----------------------------------------------------------------------------------------- random numbers

    @abstractmethod
    def key(self, seed: int) -> Key:
        """The random key of a seed (0 to 2**63 - 1)."""

    def keys(self, seeds: Sequence[int]) -> Key:
        """The keys of seeds, along a new first axis."""
        return self.xp.stack([self.key(seed) for seed in seeds])

    @abstractmethod
    def fold_in(self, key: Key, data: Any) -> Key:
        """Another key, from a key and a whole number below 2**32."""

    @abstractmethod
    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """Numbers from [0, 1)."""

    @abstractmethod
    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """Numbers from N(0, 1)."""
