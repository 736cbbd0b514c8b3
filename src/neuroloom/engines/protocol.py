"""The closed list of what a tensor library must do for neuroloom.

`xp` carries the functions of the Python array API standard, those in NAMESPACE; the methods here are what the standard
has not: transformations of functions, loops, gathering, random numbers, placement. What follows from them is in
`kernels.py`, where an engine may be faster. Nothing outside `engines/` imports a tensor library, and nothing asks an
engine by its name: what it is like is said by capabilities.

`neuroloom.testing.check_engine` is this page as tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from neuroloom.errors import EngineError
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


NAMESPACE = (
    "abs", "all", "any", "arange", "argmax", "argmin", "argsort", "asarray", "astype", "broadcast_to", "clip", "concat",
    "cos", "cumulative_sum", "exp", "expand_dims", "expm1", "flip", "floor", "floor_divide", "full_like", "isfinite",
    "log", "log1p", "logaddexp", "logical_and", "logical_not", "logical_or", "max", "maximum", "mean", "min", "minimum",
    "moveaxis", "ones_like", "permute_dims", "prod", "remainder", "reshape", "roll", "round", "searchsorted", "sign",
    "sin", "sort", "sqrt", "square", "squeeze", "stack", "sum", "tanh", "tile", "var", "where", "zeros", "zeros_like",
)  # fmt: skip
"""The functions of the standard that neuroloom takes from `xp`; beside them the dtypes, `nan`, and of `xp.linalg`
`solve` and `vector_norm`. Arrays have the standard's operators, `shape`, `ndim`, `dtype`, indexing, and the methods
`reshape`, `sum`, `mean` and `max` of NumPy's."""


class Protocol(ABC):
    """What each engine must have.

    Attributes:
        name: the word users choose it by, which is that of its entry point.
        xp: its array API namespace.
        roots: the first parts of the module names of its arrays' types: `jaxlib` for `jaxlib._jax.ArrayImpl`. A type of
            the engine's own may name it instead, in a class attribute `neuroloom_engine`.
        trains: it differentiates.
        traces: `compile` calls a function once and keeps the program that comes of it. No decision in the function can
            depend on values, and its arguments may be NumPy arrays. Engines that do not trace are `Eager`.
        static_shapes: a program is for one shape of its arguments; another shape is compiled anew.
        background: a program's call returns before its results exist.
        on_host: its arrays are NumPy's or lie beside them; every other engine takes them up as constants.
        forks: a forked child can go on using it.
        bfloat16: it has these numbers.
        reference: it is there for being exact; nobody chooses it for its speed.
    """

    name: ClassVar[str]
    xp: Any
    roots: ClassVar[tuple[str, ...]] = ()

    trains: ClassVar[bool] = True
    traces: ClassVar[bool] = False
    static_shapes: ClassVar[bool] = False
    background: ClassVar[bool] = False
    on_host: ClassVar[bool] = False
    forks: ClassVar[bool] = False
    bfloat16: ClassVar[bool] = False
    reference: ClassVar[bool] = False

    # ------------------------------------------------------------------------------------ arrays and devices

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the tensor library."""

    @abstractmethod
    def devices(self) -> list[str]:
        """The devices that arrays can be on, the default one first."""

    @abstractmethod
    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """`x` (of any engine, or nested numbers) as an array of this engine on its default device."""

    @abstractmethod
    def to_numpy(self, x: Array) -> np.ndarray:
        """The values as a NumPy array; without a copy where memory is shared."""

    @abstractmethod
    def dtype_name(self, x: Array) -> str:
        """The dtype's name: 'float32', 'int32', 'bool', ..."""

    @abstractmethod
    def astype(self, x: Array, dtype: str) -> Array:
        """The values in another dtype, given by name."""

    # ------------------------------------------------------------------------- transformations of functions

    @abstractmethod
    def value_and_grad(self, fn: Function) -> Function:
        """`g(params, *args) -> ((value, aux), gradients)` for `fn(params, *args) -> (scalar value, aux)`.

        Derivatives have derivatives. An engine with `trains = False` calls this body, which says so.
        """
        raise EngineError(f"The {self.name} engine computes forward only and cannot train. Use another engine.")

    @abstractmethod
    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant of differentiation."""

    @abstractmethod
    def compile(self, fn: Function) -> Function:
        """`fn`, a function of trees of arrays, as one program."""

    @abstractmethod
    def loop(self, low: Any, high: Any, body: Function, state: Tree) -> Tree:
        """`for i in range(low, high): state, go_on = body(i, state)`, left as soon as `go_on` is false."""

    @abstractmethod
    def scan(self, fn: Function, carry: Tree, xs: Tree) -> tuple[Tree, Tree]:
        """`carry, y = fn(carry, x)` for each x along the first axis of the leaves of `xs`; the y's are stacked."""

    @abstractmethod
    def while_loop(self, holds: Function, body: Function, state: Tree) -> Tree:
        """`while holds(state): state = body(state)`."""

    @abstractmethod
    def cond(self, pred: Array, yes: Function, no: Function, *args: Any) -> Tree:
        """`yes(*args)` where the scalar `pred` holds, else `no(*args)`."""

    @abstractmethod
    def vmap(self, fn: Function, in_axes: Any = 0) -> Function:
        """`fn` over a new first axis of those arguments whose entry of `in_axes` is 0 (None: shared)."""

    @abstractmethod
    def abstract(self, fn: Function, *specs: Tree) -> Tree:
        """The Specs of what `fn` returns for arguments of these Specs, without computing where possible."""

    # ------------------------------------------------------------------------------ functions of arrays

    @abstractmethod
    def erf(self, x: Array) -> Array:
        """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""

    @abstractmethod
    def gather(self, x: Array, index: Array) -> Array:
        """Rows of `x` (its first axis) at an integer array; the gradient adds up. Shape index.shape + x.shape[1:]."""

    @abstractmethod
    def add_at(self, x: Array, index: Array, values: Array) -> Array:
        """x with `values` added to its rows at `index` (k,); where a row is named twice, both are added."""

    @abstractmethod
    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        """`x` with `value` put before and after each axis."""

    # ----------------------------------------------------------------------------------------- random numbers

    @abstractmethod
    def key(self, seed: int) -> Key:
        """The random key of a seed (0 to 2**63 - 1)."""

    @abstractmethod
    def fold_in(self, key: Key, data: Any) -> Key:
        """Another key, from a key and a whole number from 0 to 2**32 - 1."""

    @abstractmethod
    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """Numbers from [0, 1), the same ones for the same key."""

    @abstractmethod
    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """Numbers from N(0, 1), the same ones for the same key."""
