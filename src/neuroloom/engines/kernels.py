"""What follows from the protocol, and where an engine may be faster.

Each kernel has a plain definition over the protocol: an engine that overrides nothing here is whole. An engine
overrides one for speed, never for meaning; the test-kit compares the two.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.engines.protocol import Protocol, Windows
from neuroloom.typing import Array, Function, Key, Tree


class Engine(Protocol):
    """A tensor library: the protocol and its kernels."""

    # ------------------------------------------------------------------------ elementwise, beyond the standard

    def abs(self, x: Array) -> Array:
        """|x|; the derivative at 0 is 0."""
        return x * self.stop_gradient(self.xp.sign(x))

    def clip(self, x: Array, low: Any, high: Any) -> Array:
        """x, but at least `low` and at most `high`, None: no bound; the derivative at a bound is 1."""
        x = x if low is None else self.xp.where(x < low, low, x)
        return x if high is None else self.xp.where(x > high, high, x)

    def relu(self, x: Array) -> Array:
        """max(x, 0); the derivative at 0 is 0."""
        return self.xp.where(x <= 0, self.xp.zeros_like(x), x)

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x)), without overflow."""
        return 0.5 * (1 + self.xp.tanh(0.5 * x))

    def softplus(self, x: Array) -> Array:
        """log(1 + exp(x)), without overflow."""
        return self.xp.logaddexp(x, self.xp.zeros_like(x))

    def binary_crossentropy(self, y: Array, logits: Array) -> Array:
        """-y log σ(z) - (1 - y) log(1 - σ(z)) for logits z, finite and right to 1e-6 for z of any size."""
        return y * self.softplus(-logits) + (1 - y) * self.softplus(logits)

    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / Σ exp(x) along an axis."""
        e = self.xp.exp(x - self.xp.max(x, axis=axis, keepdims=True))
        return e / self.xp.sum(e, axis=axis, keepdims=True)

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log Σ exp(x) along an axis."""
        x = x - self.xp.max(x, axis=axis, keepdims=True)
        return x - self.xp.log(self.xp.sum(self.xp.exp(x), axis=axis, keepdims=True))

    def lerp(self, start: Array, end: Array, weight: Any) -> Array:
        """start + weight * (end - start)."""
        return start + weight * (end - start)

    def affine(self, x: Array, kernel: Array, bias: Array) -> Array:
        """x W + b over the last axis of x."""
        return x @ kernel + bias

    def is_finite(self, x: Array) -> Any:
        """Whether a scalar is neither infinite nor NaN, in a form that `guarded` and `loop` take."""
        return self.xp.isfinite(x)

    # ------------------------------------------------------------------------------ making and choosing

    def arange(self, n: int) -> Array:
        """0, 1, ..., n - 1 as int32, made on the default device."""
        return self.xp.arange(n, dtype=self.xp.int32)

    def full_like(self, x: Array, value: float) -> Array:
        """An array like x of one value."""
        return self.xp.full_like(x, value)

    def getitem(self, x: Array, index: Any) -> Array:
        """x[index], as the array API standard defines it; slices may go backwards."""
        return x[index]

    def rows(self, x: Array, start: Any, n: int) -> Array:
        """n rows of x from row `start` on."""
        return self.gather(x, start + self.arange(n))

    def pick(self, x: Array, index: Array) -> Array:
        """For each row, the entry along the last axis that `index` (shape x.shape[:-1]) names."""
        depth = x.shape[-1]
        chosen = self.arange(depth) == self.clip(index, 0, depth - 1)[..., None]
        return self.xp.sum(self.xp.where(chosen, x, self.xp.zeros_like(x)), axis=-1)

    def one_hot(self, index: Array, depth: int, dtype: str) -> Array:
        """Rows of zeros with a one at `index`; shape index.shape + (depth,)."""
        return self.astype(index[..., None] == self.arange(depth), dtype)

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        """The k largest values along the last axis, in falling order, and their positions."""
        index = self.xp.argsort(-x, axis=-1, stable=True)[..., :k]
        return self.xp.take_along_axis(x, index, axis=-1), index

    # ------------------------------------------------------------------------------------------ windows

    def conv(self, x: Array, kernel: Array, windows: Windows, groups: int = 1, bias: Array | None = None) -> Array:
        """Cross-correlation, plus bias. x (batch, *spatial, channels), kernel (*size, channels // groups, filters)."""
        *size, inputs, filters = kernel.shape
        seen = self._seen(x, tuple(size), windows)
        n, parts = filters // groups, []
        for g in range(groups):
            patches = self.xp.concat([cut[..., g * inputs : (g + 1) * inputs] for cut in seen], axis=-1)
            parts.append(patches @ kernel[..., g * n : (g + 1) * n].reshape((-1, n)))
        y = parts[0] if groups == 1 else self.xp.concat(parts, axis=-1)
        return y if bias is None else y + bias

    def max_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        """Largest value in each window of x (batch, *spatial, channels); at ties the first gets the gradient."""
        largest, *others = self._seen(x, size, windows, -math.inf)
        for other in others:
            largest = self.xp.where((other > largest) | (other != other), other, largest)  # NaN wins over numbers
        return largest

    def sum_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        """Sum of each window of x (batch, *spatial, channels)."""
        first, *others = self._seen(x, size, windows)
        return sum(others, first)

    def _seen(self, x: Array, size: tuple[int, ...], windows: Windows, value: float = 0.0) -> list[Array]:
        """For each element of a window, in a kernel's order, what it sees in all windows: (batch, *out, channels)."""
        if any(map(sum, windows.padding)):
            x = self.pad(x, [(0, 0), *windows.padding, (0, 0)], value)
        last = [n - (k - 1) * d for n, k, d in zip(x.shape[1:-1], size, windows.dilation, strict=True)]
        cuts = []
        for place in itertools.product(*map(range, size)):
            spatial = (
                slice(p * d, p * d + end, s)
                for p, end, s, d in zip(place, last, windows.strides, windows.dilation, strict=True)
            )
            cuts.append(x[(slice(None), *spatial, slice(None))])
        return cuts

    # --------------------------------------------------------------------------------------- recurrence

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

    # --------------------------------------------------------------------------- updates of weights and sums

    def update_rule(self, name: str) -> Function | None:
        """The fused form of an optimizer's rule, by the name that the rule gives itself; None: there is none here.

        It takes what `Optimizer.rule` takes, with a list of all weights' arrays in the place of each array, and
        overwrites weights and slots.
        """
        return None

    def kept(self, values: Tree) -> Tree:
        """`values` as they are now, where `update_rule` overwrites arrays: copies."""
        return values

    def guarded(self, ok: Any, new: Function, old: Tree) -> Tree:
        """`new()` if the scalar `ok` holds, else `old`.

        With `traces` it is `new()` in any case, since to select among all weights would cost 3 to 6 % of a step: the
        loop takes such a step back itself.
        """
        return new() if self.traces or ok else old

    def zero_sum(self, shape: tuple[int, ...]) -> Array:
        """A sum of nothing, to which many numbers can be added without rounding away the later ones."""
        return self.xp.zeros(shape, dtype=self.xp.float64)

    def add_to_sum(self, total: Array, x: Any) -> Array:
        """Such a sum and x (an array of its shape, or a number)."""
        return total + x

    def sum_value(self, total: Array) -> Array:
        """The value of such a sum."""
        return total

    # ------------------------------------------------------------------------------------ logs of a loop

    def new_log(self, rows: int, columns: int) -> Any:
        """An empty log for at most so many rows of scalars; the last row of the array is for `end_log`."""
        return self.xp.zeros((rows + 1, columns), dtype=self.xp.float32)

    def put_row(self, log: Any, i: Any, row: list[Array]) -> Any:
        """The log with its row i; rows come in order."""
        here = (self.arange(log.shape[0]) == i)[:, None]
        return self.xp.where(here, self.astype(self.xp.stack(row), "float32"), log)

    def end_log(self, log: Any, weights: list[Array]) -> Any:
        """The log, and behind its rows whether all numbers of these arrays are finite."""
        finite = self.asarray(1.0)
        for w in weights:
            finite = finite * self.astype(self.xp.all(self.xp.isfinite(w)), "float32")
        return self.put_row(log, log.shape[0] - 1, [finite] * log.shape[1])

    def read_log(self, log: Any, rows: int) -> tuple[np.ndarray, bool]:
        """The first rows of an ended log, float32, and what `end_log` found; waits until they exist."""
        values = np.array(self.to_numpy(log))
        return values[:rows], bool(values[-1, 0])

    # ------------------------------------------------------------------------------------------ placing

    def adopt(self, x: np.ndarray) -> Array:
        """`asarray(x)` for an array that nobody will change: its memory may become the new one's."""
        return self.asarray(x)

    def scalar(self, value: float, dtype: str = "float32") -> Any:
        """A number in the form that costs least: a Python number where functions run eagerly."""
        return self.asarray(value, dtype)

    def apart(self, x: Array, others: list[Any]) -> Array:
        """x, copied where it lies in the memory of others. Arrays that nobody can write into need no copy."""
        return x

    def inner(self, a: np.ndarray, b: np.ndarray) -> float:
        """The inner product of two contiguous arrays of one shape, of the host's memory."""
        return np.vdot(a, b)

    def wait(self, values: Tree) -> Tree:
        """Return `values` once they exist: with `background` this blocks."""
        return values

    def free_memory(self) -> int:
        """Bytes that arrays on the default device may still take."""
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4 << 30

    def double(self) -> AbstractContextManager[Any]:
        """A `with` block inside which float64 stays float64, on engines that narrow it otherwise."""
        return nullcontext()

    # ----------------------------------------------------------------------------------------- programs

    def recorded(self, fn: Function) -> Function:
        """`fn`, a pure function of trees of arrays and keys, made ready for many calls with equal shapes."""
        return fn

    def precision(self) -> str:
        """What, beside shapes and dtypes, programs depend on."""
        return ""

    def programs_folder(self) -> Path | None:
        """Where programs are kept for other processes; None where they are not."""
        return None

    def held_bytes(self, run: Function) -> int:
        """About how much memory each compilation of what `compile` gave holds; a new shape is a new compilation."""
        return 0

    def release(self, run: Function) -> None:
        """Free what the engine holds of what `compile` gave. Called again, it is compiled again."""

    # ---------------------------------------------------------------------------------------------- keys

    def keys(self, seeds: Sequence[int]) -> Key:
        """The keys of seeds, along a new first axis."""
        return self.xp.stack([self.key(seed) for seed in seeds])

    def key_of(self, words: Array) -> Key:
        """The key of two int32 words, which may be traced."""
        low, high = (words[i] & 0x7FFFFFFF for i in (0, 1))
        return self.fold_in(self.fold_in(self.key(0), low), high)
