"""Convolution and pooling for JAX on the CPU, fast inside a compiled loop.

Inside `lax.while_loop` XLA's CPU compiler has a fast convolution for one form only: forward, channels last, one
group. The gradients that JAX derives have other forms and run tens of times slower there, as does the gradient of
`reduce_window`. So every product below is written in that one form or as a matrix product, and the gradients are
written out:

    y = conv(x, w)
    ∂x: one matrix product back to patches, which are then added up at their places
    ∂w: a forward convolution with the roles of batch and channels exchanged

Where a window holds few numbers, y is one product of patches with a matrix, and so are its gradients.

Arrays are (batch, *spatial, channels), kernels (*size, channels // groups, filters). Sizes of 1 to 3 spatial axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from neuroloom.engines.protocol import Windows
from neuroloom.typing import Array

THIN = 16
"""Up to this many numbers in a window, a product with patches beats the convolution."""


def layout(n: int) -> tuple[str, str, str]:
    """The axes of input, kernel and output for n spatial axes, in XLA's letters."""
    spatial = "DHW"[-n:]
    return f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"


def _places(size: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The elements of a window, in the order of a kernel's rows."""
    return np.ndindex(*size)


def _counts(lengths: Sequence[int], size: Sequence[int], windows: Windows) -> tuple[int, ...]:
    """How many windows fit along each spatial axis."""
    return tuple(
        (length + sum(pad) - (k - 1) * d - 1) // s + 1
        for length, k, s, pad, d in zip(lengths, size, *windows, strict=True)
    )


def _pad(x: Array, windows: Windows, value: float = 0.0) -> Array:
    if not any(map(sum, windows.padding)):
        return x
    inner = [(before, after, 0) for before, after in windows.padding]
    return lax.pad(x, jnp.asarray(value, x.dtype), [(0, 0, 0), *inner, (0, 0, 0)])


def _seen(padded: Array, place: tuple[int, ...], counts: tuple[int, ...], windows: Windows) -> Array:
    """What one element of all windows sees: (batch, *counts, channels)."""
    low = [p * d for p, d in zip(place, windows.dilation, strict=True)]
    high = [a + (n - 1) * s + 1 for a, n, s in zip(low, counts, windows.strides, strict=True)]
    ends = [0, *low, 0], [padded.shape[0], *high, padded.shape[-1]], [1, *windows.strides, 1]
    return lax.slice(padded, *ends)


def _put_back(g: Array, place: tuple[int, ...], lengths: tuple[int, ...], windows: Windows) -> Array:
    """The transpose of padding and `_seen`: g at its places in zeros of the input's spatial lengths."""
    config = [(0, 0, 0)]
    for p, n, count, s, (before, _), d in zip(place, lengths, g.shape[1:-1], *windows, strict=True):
        start = p * d - before
        config.append((start, n - start - ((count - 1) * s + 1), s - 1))  # negative numbers crop
    return lax.pad(g, jnp.zeros((), g.dtype), [*config, (0, 0, 0)])


# ---------------------------------------------------------------------------------------------- convolution


def conv(x: Array, kernel: Array, windows: Windows, groups: int, bias: Array | None) -> Array:
    """See `Engine.conv`."""
    if groups == 1 and math.prod(kernel.shape[:-1]) <= THIN:
        return _by_patches(x, kernel, windows, bias)
    y = _conv(x, kernel, windows, groups)
    return y if bias is None else y + bias


def _by_patches(x: Array, kernel: Array, windows: Windows, bias: Array | None) -> Array:
    """One matrix product. The bias is a row of the matrix, which saves adding it, and summing up its gradient."""
    cuts, matrix = _elements(x, kernel.shape[:-2], windows, 0.0), kernel.reshape(-1, kernel.shape[-1])
    if bias is not None:
        cuts, matrix = [*cuts, jnp.ones_like(cuts[0][..., :1])], jnp.concatenate([matrix, bias[None]])
    patches = jnp.concatenate(cuts, axis=-1)  # (batch, *counts, elements * inputs)
    y = patches.reshape(-1, len(matrix)) @ matrix
    return y.reshape(*patches.shape[:-1], -1)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: Array, kernel: Array, windows: Windows, groups: int) -> Array:
    size, inputs, filters = kernel.shape[:-2], kernel.shape[-2], kernel.shape[-1]
    if groups == 1:
        return lax.conv_general_dilated(
            x, kernel, *windows[:2], rhs_dilation=windows.dilation, dimension_numbers=layout(len(size))
        )
    cuts = _elements(x, size, windows, 0.0)
    patches = jnp.stack([cut.reshape(*cut.shape[:-1], groups, inputs) for cut in cuts], axis=-2)
    y = jnp.einsum("...gei,eigf->...gf", patches, kernel.reshape(-1, inputs, groups, filters // groups))
    return y.reshape(*y.shape[:-2], filters)


def _conv_forward(x: Array, kernel: Array, windows: Windows, groups: int) -> tuple[Array, Any]:
    return _conv(x, kernel, windows, groups), (x, kernel)


def _conv_backward(windows: Windows, groups: int, saved: Any, g: Array) -> tuple[Array, Array]:
    x, kernel = saved
    if groups == 1:
        return _input_gradient(g, x, kernel, windows), _kernel_gradient(g, x, kernel, windows)
    return _grouped_gradients(g, x, kernel, windows, groups)


def _input_gradient(g: Array, x: Array, kernel: Array, windows: Windows) -> Array:
    inputs = kernel.shape[-2]
    patches = g @ kernel.reshape(-1, kernel.shape[-1]).T  # (batch, *counts, elements * inputs)
    return sum(
        _put_back(patches[..., i * inputs : (i + 1) * inputs], place, x.shape[1:-1], windows)
        for i, place in enumerate(_places(kernel.shape[:-2]))
    )


def _kernel_gradient(g: Array, x: Array, kernel: Array, windows: Windows) -> Array:
    """Σ over batch and windows of input times g: a convolution whose batch is the channels, its kernel g."""
    n, size = g.ndim - 2, kernel.shape[:-2]
    after = [  # rows to add behind x so that exactly the kernel's places result; negative: rows no window saw
        (k - 1) * d + (count - 1) * s + 1 - length - before
        for k, count, length, s, (before, _), d in zip(size, g.shape[1:-1], x.shape[1:-1], *windows, strict=True)
    ]
    seen = [slice(length + min(a, 0)) for length, a in zip(x.shape[1:-1], after, strict=True)]
    spatial = tuple(range(1, n + 1))
    channels_first = lax.optimization_barrier(x[(slice(None), *seen)].transpose(n + 1, *spatial, 0))
    as_kernel = lax.optimization_barrier(g.transpose(*spatial, 0, n + 1))
    padding = [(before, max(a, 0)) for (before, _), a in zip(windows.padding, after, strict=True)]
    result = lax.conv_general_dilated(
        channels_first, as_kernel, windows.dilation, padding, rhs_dilation=windows.strides, dimension_numbers=layout(n)
    )
    return result.transpose(*spatial, 0, n + 1)


def _grouped_gradients(g: Array, x: Array, kernel: Array, windows: Windows, groups: int) -> tuple[Array, Array]:
    inputs, filters = kernel.shape[-2], kernel.shape[-1] // groups
    g = g.reshape(*g.shape[:-1], groups, filters)
    padded = _pad(x, windows)
    x_parts, kernel_parts = [], []
    for place in _places(kernel.shape[:-2]):
        part = jnp.einsum("...gf,igf->...gi", g, kernel[place].reshape(inputs, groups, filters))
        part = part.reshape(*part.shape[:-2], groups * inputs)
        x_parts.append(_put_back(part, place, x.shape[1:-1], windows))
        cut = _seen(padded, place, g.shape[1:-2], windows)
        cut = cut.reshape(*cut.shape[:-1], groups, inputs)
        kernel_parts.append(jnp.einsum("...gi,...gf->igf", cut, g).reshape(inputs, groups * filters))
    return sum(x_parts), jnp.stack(kernel_parts).reshape(kernel.shape)


_conv.defvjp(_conv_forward, _conv_backward)


# -------------------------------------------------------------------------------------------------- pooling


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(x: Array, size: tuple[int, ...], windows: Windows) -> Array:
    """See `Engine.max_pool`. NaN wins over numbers."""
    return reduce(jnp.maximum, _elements(x, size, windows, -np.inf))


def _elements(x: Array, size: tuple[int, ...], windows: Windows, value: float) -> list[Array]:
    """Per element of the window, what it sees in all windows: each (batch, *counts, channels)."""
    counts, padded = _counts(x.shape[1:-1], size, windows), _pad(x, windows, value)
    return [_seen(padded, place, counts, windows) for place in _places(size)]


def _max_forward(x: Array, size: tuple[int, ...], windows: Windows) -> tuple[Array, Any]:
    """The maximum, and which element of its window it was: the first at ties."""
    largest, *others = _elements(x, size, windows, -np.inf)
    which = jnp.zeros(largest.shape, jnp.int8 if len(others) < 127 else jnp.int32)
    for i, other in enumerate(others, 1):
        which = jnp.where((other > largest) | ((other != other) & (largest == largest)), which.dtype.type(i), which)
        largest = jnp.maximum(largest, other)
    return largest, (which, np.empty((0, *x.shape[1:-1])))  # the empty array carries the input's lengths


def _max_backward(size: tuple[int, ...], windows: Windows, saved: Any, g: Array) -> tuple[Array]:
    which, empty = saved
    lengths = empty.shape[1:]
    if size == windows.strides and not any(map(sum, windows.padding)) and set(windows.dilation) == {1}:
        return (_spread(which, g, size, lengths),)
    zero = jnp.zeros((), g.dtype)
    return (
        sum(
            _put_back(jnp.where(which == i, g, zero), place, lengths, windows) for i, place in enumerate(_places(size))
        ),
    )


def _spread(which: Array, g: Array, size: tuple[int, ...], lengths: tuple[int, ...]) -> Array:
    """The gradient for windows that do not overlap: one comparison with every element's number."""
    counts, last = g.shape[1:-1], g.shape[-1]
    apart = (g.shape[0], *(n for count in counts for n in (count, 1)), last)  # (batch, h, 1, w, 1, channels)
    number = np.arange(math.prod(size)).reshape(1, *(n for k in size for n in (1, k)), 1).astype(which.dtype)
    dense = jnp.where(which.reshape(apart) == number, g.reshape(apart), jnp.zeros((), g.dtype))
    dense = dense.reshape(g.shape[0], *(count * k for count, k in zip(counts, size, strict=True)), last)
    rest = [(0, n - count * k, 0) for n, count, k in zip(lengths, counts, size, strict=True)]
    return lax.pad(dense, jnp.zeros((), g.dtype), [(0, 0, 0), *rest, (0, 0, 0)])


max_pool.defvjp(_max_forward, _max_backward)


def sum_pool(x: Array, size: tuple[int, ...], windows: Windows) -> Array:
    """See `Engine.sum_pool`."""
    return sum(_elements(x, size, windows, 0.0))
