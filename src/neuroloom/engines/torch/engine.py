"""The PyTorch engine: the same step, run eagerly."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
import torch.nn.functional as F

from neuroloom import tree
from neuroloom.engines import dispatch
from neuroloom.engines.arrays import axes_of, default_width, numbers
from neuroloom.engines.eager import Eager
from neuroloom.engines.protocol import Spec, Windows
from neuroloom.engines.torch import lstm as own_lstm
from neuroloom.engines.torch.memory import keep_freed_memory
from neuroloom.engines.torch.record import Recorded, compiled
from neuroloom.engines.torch.rules import RULES
from neuroloom.engines.torch.tape import TracedKey, drawn
from neuroloom.typing import Array, Function, Key, Tree

_MASK = (1 << 64) - 1

_LONG = 1 << 16
"""Numbers from which an inner product on all cores takes less time than NumPy's, which is on one."""
_FLOATS = {torch.float16, torch.float32, torch.float64}
"""The floating-point numbers that NumPy has too; bfloat16 and the like become float32 there."""


def _shares(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors lie in one piece of memory; inside a transformation (vmap, grad) none is the caller's."""
    if torch._C._functorch.maybe_current_level() is not None:
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


class TorchEngine(Eager):
    """See `Protocol`. A random key is a plain whole number that seeds a generator."""

    name = "torch"
    xp = xp
    roots = ("torch",)
    bfloat16 = True

    @property
    def version(self) -> str:
        return torch.__version__

    def devices(self) -> list[str]:
        cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        return [*cuda, "cpu"]

    def free_memory(self) -> int:
        return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else super().free_memory()

    def arange(self, n: int) -> torch.Tensor:
        return torch.arange(n, dtype=torch.int32, device=_device())

    def asarray(self, x: Any, dtype: str | None = None) -> torch.Tensor:
        if not isinstance(x, torch.Tensor):
            if type(x) is not np.ndarray:
                other = dispatch.of_type(type(x))
                x = default_width(x) if other is None else other.to_numpy(x)
            x = numbers(x)
            x = torch.from_numpy(x if x.flags.writeable else x.copy())
        wanted = x.dtype if dtype is None else getattr(torch, dtype)
        if x.dtype is wanted and x.device.type == _device():
            return x
        return x.to(device=_device(), dtype=wanted)

    def to_numpy(self, x: Any) -> np.ndarray:
        if not isinstance(x, torch.Tensor):
            return np.asarray(x)
        if x.dtype.is_floating_point and x.dtype not in _FLOATS:
            x = x.float()
        return x.numpy(force=True)

    def apart(self, x: torch.Tensor, others: list[Any]) -> torch.Tensor:
        return x.clone() if any(_shares(x, a) for a in others if isinstance(a, torch.Tensor)) else x

    def dtype_name(self, x: Array) -> str:
        return str(x.dtype).removeprefix("torch.")

    def astype(self, x: Array, dtype: str) -> Array:
        wanted = getattr(torch, dtype)
        return x if x.dtype is wanted else x.to(wanted)

    def inner(self, a: np.ndarray, b: np.ndarray) -> float:
        if a.size < _LONG or not (a.flags.writeable and b.flags.writeable):
            return np.vdot(a, b)
        return torch.dot(torch.from_numpy(a).view(-1), torch.from_numpy(b).view(-1)).item()

    def affine(self, x: Array, kernel: Array, bias: Array) -> Array:
        return torch.addmm(bias, x, kernel) if x.ndim == 2 else x @ kernel + bias

    def zero_sum(self, shape: tuple[int, ...]) -> Array:
        return torch.zeros(shape, dtype=torch.float64, device=_device())

    def end_log(self, log: Any, weights: list[Array]) -> Any:
        if weights and not torch.stack([w.sum() for w in weights]).isfinite().all():  # or large numbers overflow
            return super().end_log(log, weights)
        return [*log, True]

    def read_log(self, log: Any, rows: int) -> tuple[np.ndarray, bool]:
        found = log[:-1][:rows]
        if not found:
            return super().read_log(log, rows)
        columns = [torch.stack(column).detach().float() for column in zip(*found, strict=True)]
        return torch.stack(columns, dim=1).cpu().numpy(), log[-1]

    def update_rule(self, name: str) -> Function | None:
        inside = torch._C._functorch.maybe_current_level() is not None  # of vmap, where lists cannot be updated
        return None if inside else RULES.get(name)

    def kept(self, values: Tree) -> Tree:
        return tree.map(lambda v: v.clone() if isinstance(v, torch.Tensor) else v, values)

    def wait(self, values: Tree) -> Tree:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return values

    # ------------------------------------------------------------------------- transformations of functions

    def value_and_grad(self, fn: Function) -> Function:
        def value_and_gradients(params: Tree, *args: Any) -> Any:
            if torch._C._functorch.maybe_current_level() is not None:  # inside vmap
                grads, found = torch.func.grad_and_value(fn, has_aux=True)(params, *args)
                return found, grads
            outer, _here.differentiates = _here.differentiates, True  # outer: this derivative has one itself
            try:
                with torch.enable_grad():
                    params = tree.map(_again if outer else _leaf, params)
                    value, aux = fn(params, *args)
                    found = iter(_gradients(value, tree.leaves(params), outer))
            finally:
                _here.differentiates = outer
            grads = tree.map(lambda p: _or_zeros(next(found), p), params)
            return ((value, aux) if outer else (value.detach(), tree.map(_detach, aux))), grads

        return value_and_gradients

    def compile(self, fn: Function) -> Function:
        keep_freed_memory()
        return compiled(fn)

    def recorded(self, fn: Function) -> Function:
        return Recorded(fn, self.fold_in)

    def vmap(self, fn: Function, in_axes: Any = 0) -> Function:
        return torch.func.vmap(fn, in_dims=in_axes)

    def stop_gradient(self, x: Array) -> Array:
        return x.detach()

    def abstract(self, fn: Function, *specs: Tree) -> Tree:
        outer, _here.meta = _here.meta, True
        try:
            with torch.device("meta"), torch.no_grad():
                args = [tree.map(lambda s: torch.empty(s.shape, dtype=getattr(torch, s.dtype)), t) for t in specs]
                return tree.map(lambda t: Spec(tuple(t.shape), self.dtype_name(t)), fn(*args))
        finally:
            _here.meta = outer

    # ------------------------------------------------------------------------ elementwise, beyond the standard

    def abs(self, x: Array) -> Array:
        return torch.abs(x)

    def clip(self, x: Array, low: Any, high: Any) -> Array:
        return xp.clip(x, low, high)

    def relu(self, x: Array) -> Array:
        return torch.relu(x)

    def sigmoid(self, x: Array) -> Array:
        return torch.sigmoid(x)

    def erf(self, x: Array) -> Array:
        return torch.erf(x)

    def softplus(self, x: Array) -> Array:
        return F.softplus(x, 1.0, 40.0)  # beyond 40 the difference to x is below the rounding of float64

    def binary_crossentropy(self, y: Array, logits: Array) -> Array:
        return F.binary_cross_entropy_with_logits(logits, y, reduction="none")

    def softmax(self, x: Array, axis: int) -> Array:
        return torch.softmax(x, axis)

    def log_softmax(self, x: Array, axis: int) -> Array:
        return torch.log_softmax(x, axis)

    def lerp(self, start: Array, end: Array, weight: Any) -> Array:
        return torch.lerp(start, end, weight)

    # --------------------------------------------------------------------------- gathering, windows, recurrence

    def getitem(self, x: Array, index: Any) -> Array:
        return x[index] if isinstance(index, torch.Tensor) and index.ndim else _getitem(x, index)

    def gather(self, x: Array, index: Array) -> Array:
        if index.ndim == 1:
            return torch.index_select(x, 0, index)
        return F.embedding(index, x) if x.ndim == 2 and x.is_floating_point() else x[index.long()]

    def add_at(self, x: Array, index: Array, values: Array) -> Array:
        return torch.index_add(x, 0, index, values)

    def pick(self, x: Array, index: Array) -> Array:
        return torch.take_along_dim(x, index.long()[..., None], dim=-1)[..., 0]

    def one_hot(self, index: Array, depth: int, dtype: str) -> Array:
        return (index[..., None] == torch.arange(depth, device=index.device)).to(getattr(torch, dtype))

    def top_k(self, x: Array, k: int) -> tuple[Array, Array]:
        values, index = torch.topk(x, k, dim=-1)
        return values, index

    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
        flat = [w for pair in reversed(widths) for w in pair]
        return F.pad(x, flat, value=value) if any(flat) else x

    def conv(self, x: Array, kernel: Array, windows: Windows, groups: int = 1, bias: Array | None = None) -> Array:
        n = len(windows.strides)
        x, padding = self._split_padding(x, windows, 0.0)
        convolve = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
        weight = kernel.permute(n + 1, n, *range(n))
        return _channels_last(
            convolve(_channels_first(x), weight, bias, windows.strides, padding, windows.dilation, groups)
        )

    def max_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        n = len(size)
        x = self.pad(x, [(0, 0), *windows.padding, (0, 0)], -torch.inf)
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
        return _channels_last(pool(_channels_first(x), size, windows.strides, 0, windows.dilation))

    def sum_pool(self, x: Array, size: tuple[int, ...], windows: Windows) -> Array:
        n = len(size)
        x = self.pad(x, [(0, 0), *windows.padding, (0, 0)])
        ones = x.new_ones((x.shape[-1], 1, *size))
        convolve = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
        return _channels_last(
            convolve(_channels_first(x), ones, None, windows.strides, 0, windows.dilation, x.shape[-1])
        )

    def _split_padding(self, x: Array, windows: Windows, value: float) -> tuple[Array, tuple[int, ...]]:
        """Leave symmetric padding to the convolution; put asymmetric padding on x here."""
        if all(before == after for before, after in windows.padding):
            return x, tuple(before for before, _ in windows.padding)
        return self.pad(x, [(0, 0), *windows.padding, (0, 0)], value), (0,) * len(windows.padding)

    def lstm(self, x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
        if x.is_meta or x.shape[1] == 0 or torch._C._functorch.maybe_current_level() is not None:
            return super().lstm(x, h, c, kernel, recurrent, bias)
        if x.is_cpu and h.numel() >= own_lstm.LARGE:
            return own_lstm.lstm(x, h, c, kernel, recurrent, bias)
        weights = [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]
        training = torch.is_grad_enabled()
        out, h, c = torch._VF.lstm(
            x, (h[None].contiguous(), c[None].contiguous()), weights, True, 1, 0.0, training, False, True
        )
        return out, h[0], c[0]

    # ----------------------------------------------------------------------------------------- random numbers

    def key(self, seed: int) -> Key:
        return int(seed)

    def fold_in(self, key: Key, data: Any) -> Key:
        """One round of splitmix64, a bijection of 64-bit numbers."""
        if isinstance(key, TracedKey):
            return TracedKey(self.fold_in(int(key), data), key.origin, (*key.folded, int(data)))
        z = (key + (int(data) + 1) * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        return z ^ z >> 31

    def uniform(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return drawn(_uniform, key, shape, dtype)

    def normal(self, key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        return drawn(_normal, key, shape, dtype)


class _Here(threading.local):
    """Where arrays are made in this thread, on the hardware or inside `abstract` nowhere; whether in a derivative."""

    meta = False
    differentiates = False


_here = _Here()


def _device() -> str:
    return "meta" if _here.meta else _hardware()


@functools.cache
def _hardware() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _generator(key: Key) -> torch.Generator:
    """The generator of a key; on the CPU only the low 32 bits of a seed count, so the high ones go into them."""
    return torch.Generator(_device()).manual_seed((key ^ key >> 32) & (_MASK >> 1))


def _uniform(key: Key, shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    if _here.meta:  # no generator is there
        return torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
    return torch.rand(shape, generator=_generator(key), dtype=getattr(torch, dtype), device=_device())


def _normal(key: Key, shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    if _here.meta:
        return torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
    return torch.randn(shape, generator=_generator(key), dtype=getattr(torch, dtype), device=_device())


def _gradients(value: torch.Tensor, params: list[torch.Tensor], again: bool) -> Sequence[torch.Tensor | None]:
    if not value.requires_grad:  # no parameter has a part in it
        return [None] * len(params)
    return torch.autograd.grad(value, params, allow_unused=True, create_graph=again)


def _leaf(p: torch.Tensor) -> torch.Tensor:
    return p.detach().requires_grad_()


def _again(p: torch.Tensor) -> torch.Tensor:
    """p as a parameter of an inner derivative, still a part of the outer one."""
    return p.view_as(p) if p.requires_grad else _leaf(p)


def _or_zeros(grad: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(like) if grad is None else grad


def _detach(x: Any) -> Any:
    return x.detach() if isinstance(x, torch.Tensor) else x


def _getitem(x: torch.Tensor, index: Any) -> torch.Tensor:
    """x[index]; PyTorch has no slices with a negative step, so their axes are flipped first.

    A number that is a tensor stays one: PyTorch would take its value, which a recorded program must not.
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(axes_of(part) for part in parts)
    axis = 0
    for i, part in enumerate(parts):
        if isinstance(part, slice) and (part.step or 1) < 0:
            n = x.shape[axis]
            at = range(n)[part]
            x = x.flip(axis)
            parts[i] = slice(n - 1 - at.start, max(n - 1 - at.stop, 0), -at.step)
        elif isinstance(part, torch.Tensor) and part.ndim == 0 and part.dtype is not torch.bool:
            number = torch.where(part < 0, part + x.shape[axis], part)
            x, parts[i] = x.index_select(axis, number.reshape(1)), 0
        axis += x.ndim - used if part is Ellipsis else axes_of(part)
    return x[tuple(parts)] if isinstance(index, tuple) else x[parts[0]]


def _channels_first(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, *range(2, x.ndim), 1)


ENGINE = TorchEngine()
