"""The NumPy engine: obvious and slow, its derivatives by a tape; the reference that the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.engines import dispatch
from neuroloom.engines.arrays import default_width, numbers
from neuroloom.engines.eager import Eager
from neuroloom.engines.numpy import rules, tape
from neuroloom.engines.numpy.tape import Traced
from neuroloom.engines.protocol import Spec
from neuroloom.errors import EngineError
from neuroloom.typing import Array, Function, Key, Tree


class NumpyEngine(Eager):
    """See `Protocol`."""

    name = "numpy"
    xp = np
    roots = ("numpy",)
    on_host = True
    forks = True
    reference = True

    @property
    def version(self) -> str:
        return np.__version__

    def devices(self) -> list[str]:
        return ["cpu"]

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        if type(x) is np.ndarray and dtype is None:
            return numbers(x)
        if type(x) is Traced:
            return x if dtype is None else x.astype(dtype)
        other = dispatch.of_type(type(x))
        return np.asarray(numbers(default_width(x) if other is None else other.to_numpy(x)), dtype=dtype)

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def apart(self, x: np.ndarray, others: list[Any]) -> np.ndarray:
        return x.copy() if any(np.may_share_memory(x, a) for a in others if isinstance(a, np.ndarray)) else x

    def dtype_name(self, x: Any) -> str:
        return str(x.dtype)

    def astype(self, x: Any, dtype: str) -> Any:
        if dtype == "bfloat16":
            raise EngineError("NumPy has no bfloat16. Use engine='jax' or engine='torch', or precision='float32'.")
        if type(x) is Traced:
            return x.astype(dtype)
        return np.asarray(x, dtype=dtype)  # a full sum is a NumPy scalar, which xp.astype refuses

    def compile(self, fn: Function) -> Function:
        return np.errstate(all="ignore")(fn)  # what is not finite shows in the values, as on other engines

    def value_and_grad(self, fn: Function) -> Function:
        return tape.value_and_grad(fn)

    def stop_gradient(self, x: Array) -> Array:
        return tape.plain(x)

    def abstract(self, fn: Function, *specs: Tree) -> Tree:
        zeros = [tree.map(lambda s: np.zeros(s.shape, s.dtype), spec) for spec in specs]
        with np.errstate(all="ignore"):  # nobody asked for the values at 0
            return tree.map(lambda a: Spec(np.shape(a), str(np.asarray(a).dtype)), fn(*zeros))

    def abs(self, x: Array) -> Array:
        return np.abs(x)

    def clip(self, x: Array, low: Any, high: Any) -> Array:
        return np.clip(x, low, high)

    def relu(self, x: Array) -> Array:
        return rules.relu(x)

    def softmax(self, x: Array, axis: int) -> Array:
        e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
        return e / np.add.reduce(e, axis=axis, keepdims=True)  # the methods max and sum take half as long again

    def erf(self, x: Array) -> Array:
        from scipy.special import erf  # here, since it takes longer to load than all of this engine

        return erf(x)

    def gather(self, x: Array, index: Array) -> Array:
        return x[index]

    def add_at(self, x: Array, index: Array, values: Array) -> Array:
        return tape.add_at(x, index, values)

    def pick(self, x: Array, index: Array) -> Array:
        return np.take_along_axis(x, index[..., None].astype(np.int64), axis=-1)[..., 0]

    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        return np.pad(x, widths, constant_values=value)

    def key(self, seed: int) -> Key:
        return (int(seed),)

    def fold_in(self, key: Key, data: Any) -> Key:
        return (*key, int(data))

    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return _generator(key).random(shape).astype(dtype)

    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return _generator(key).standard_normal(shape).astype(dtype)


def _generator(key: Key) -> np.random.Generator:
    seed, *folded = key
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=folded)))


ENGINE = NumpyEngine()
