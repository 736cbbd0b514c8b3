"""The mathematics of neurons: activations, normalised exponentials, dropout, recurrence, windows."""

from __future__ import annotations

import math
from typing import Any

from neuroloom import engines
from neuroloom.engines import Windows
from neuroloom.errors import ShapeError
from neuroloom.ops import array
from neuroloom.ops.graph import op
from neuroloom.typing import Array, Key

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@op
def affine(x: Array, kernel: Array, bias: Array) -> Array:
    """x W + b over the last axis of x."""
    return engines.of(x, kernel).affine(x, kernel, bias)


@op
def relu(x: Array) -> Array:
    """max(x, 0). The derivative at 0 is 0."""
    return engines.of(x).relu(x)


@op
def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ)."""
    return engines.of(x).sigmoid(x)


@op
def softplus(x: Array) -> Array:
    """log(1 + eˣ)."""
    return engines.of(x).softplus(x)


@op
def binary_crossentropy(y: Array, logits: Array) -> Array:
    """-y log σ(z) - (1 - y) log(1 - σ(z)), elementwise, for logits z."""
    return engines.of(y, logits).binary_crossentropy(y, logits)


@op
def softmax(x: Array, axis: int = -1) -> Array:
    """eˣ / Σ eˣ along an axis.

    >>> import numpy as np
    >>> softmax(np.log(np.array([1.0, 3.0]))).round(6).tolist()
    [0.25, 0.75]
    """
    return engines.of(x).softmax(x, axis)


@op
def log_softmax(x: Array, axis: int = -1) -> Array:
    """x - log Σ eˣ along an axis."""
    return engines.of(x).log_softmax(x, axis)


@op
def erf(x: Array) -> Array:
    """The error function."""
    return engines.of(x).erf(x)


@op
def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """x where x > 0, else `negative_slope` · x. The derivative at 0 is `negative_slope`."""
    return engines.of(x).xp.where(x > 0, x, negative_slope * x)


@op
def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, else α (eˣ - 1). The derivative at 0 is α."""
    xp = engines.of(x).xp
    negative = xp.where(x > 0, xp.zeros_like(x), x)  # so that the branch that is not taken cannot overflow
    return xp.where(x > 0, x, alpha * xp.expm1(negative))


@op
def selu(x: Array) -> Array:
    """λ x where x > 0, else λ α (eˣ - 1), with Klambauer's constants (2017). The derivative at 0 is λ α."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


@op
def gelu(x: Array, approximate: bool = False) -> Array:
    """x Φ(x), Φ the normal distribution function; `approximate` uses tanh (Hendrycks and Gimpel, 2016)."""
    engine = engines.of(x)
    if approximate:
        return 0.5 * x * (1 + engine.xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + engine.erf(x / math.sqrt(2)))


@op
def silu(x: Array) -> Array:
    """x · sigmoid(x), also called swish."""
    return x * engines.of(x).sigmoid(x)


@op
def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return x / (1 + engines.of(x).xp.abs(x))


@op
def hard_sigmoid(x: Array) -> Array:
    """x / 6 + 1/2, cut to [0, 1]. The derivative at -3 and 3 is 1/6."""
    return engines.of(x).clip(x + 3, 0.0, 6.0) / 6


@op
def stop_gradient(x: Array) -> Array:
    """x, as a constant of differentiation."""
    return engines.of(x).stop_gradient(x)


@op
def gather(x: Array, index: Array) -> Array:
    """Rows of x at an integer array; shape index.shape + x.shape[1:]."""
    return engines.of(x, index).gather(x, index)


@op
def pick(x: Array, index: Array) -> Array:
    """For each row of x, the entry along the last axis that `index` (shape x.shape[:-1]) names."""
    return engines.of(x, index).pick(x, index)


@op
def one_hot(index: Array, depth: int, dtype: str = "float32") -> Array:
    """Rows of zeros with a one at `index`; shape index.shape + (depth,)."""
    return engines.of(index).one_hot(index, depth, dtype)


@op
def top_k(x: Array, k: int) -> tuple[Array, Array]:
    """The k largest values along the last axis, in falling order, and their positions; of equal ones the first."""
    return engines.of(x).top_k(x, k)


@op
def pad(x: Array, widths: Any, value: float = 0.0) -> Array:
    """x with `value` put before and after each axis: widths ((before, after), ...)."""
    return engines.of(x).pad(x, widths, value)


def dropout(x: Array, rate: float, key: Key) -> Array:
    """x with each element set to 0 with probability `rate`, the others divided by 1 - rate."""
    engine = engines.of(x)
    keep = engine.uniform(key, tuple(x.shape)) >= rate
    return engine.xp.where(keep, x / (1 - rate), 0 * x)


def sum_where(mask: Array, values: Array, what: str) -> tuple[Array, Array]:
    """The sum of the values where a mask of their first axes is true, and their number.

    >>> import numpy as np
    >>> total, count = sum_where(np.array([True, False]), np.array([[1.0, 2.0], [3.0, 4.0]]), "the values")
    >>> float(total), float(count)
    (3.0, 2.0)
    """
    given, shape = tuple(mask.shape), tuple(values.shape)
    if given != shape[: len(given)]:
        raise ShapeError(
            f"The output has a mask of shape {given}, which does not fit {what} of shape {shape}. A mask says for each "
            f"step of the output whether it counts; let a layer before the output end it (return_sequences=False, "
            f"pooling), or return one value for each step."
        )
    counts = array.not_equal(array.reshape(mask, given + (1,) * (len(shape) - len(given))), 0)
    dtype = engines.of(values).dtype_name(values)
    number = array.sum(array.cast(counts, dtype if "float" in dtype else "float32")) * math.prod(shape[len(given) :])
    return array.sum(array.where(counts, values, array.zeros_like(values))), number


# ------------------------------------------------------------------------------------------- sliding windows


def resolve_windows(
    lengths: tuple[int, ...],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    dilation: tuple[int, ...] | None = None,
) -> Windows:
    """The (before, after) padding that 'valid' or 'same' means for spatial axes of these lengths.

    'same' gives ⌈length / stride⌉ windows; an odd row of padding goes after, as in Keras.

    >>> resolve_windows((7,), (3,), (2,), "same").padding
    ((1, 1),)
    >>> resolve_windows((8,), (3,), (2,), "same").padding
    ((0, 1),)
    """
    dilation = dilation or (1,) * len(size)
    if padding == "valid":
        return Windows(strides, ((0, 0),) * len(size), dilation)
    pads = []
    for length, k, s, d in zip(lengths, size, strides, dilation, strict=True):
        total = max((math.ceil(length / s) - 1) * s + (k - 1) * d + 1 - length, 0)
        pads.append((total // 2, total - total // 2))
    return Windows(strides, tuple(pads), dilation)


def _check_fit(what: str, x: Array, size: tuple[int, ...], windows: Windows) -> None:
    spatial = tuple(x.shape[1:-1])
    if len(spatial) != len(size):
        raise ShapeError(
            f"{what} expected x of {len(size) + 2} axes (batch, {len(size)} spatial axes, channels), "
            f"received shape {tuple(x.shape)}."
        )
    for length, k, (before, after), d in zip(spatial, size, windows.padding, windows.dilation, strict=True):
        if length + before + after < (k - 1) * d + 1:
            raise ShapeError(
                f"{what} expected spatial axes at least as long as its window {size}, received x of shape "
                f"{tuple(x.shape)}. Use padding='same', a smaller window, or fewer such layers before."
            )


@op
def conv(
    x: Array,
    kernel: Array,
    strides: tuple[int, ...],
    padding: str = "valid",
    dilation: tuple[int, ...] | None = None,
    groups: int = 1,
    bias: Array | None = None,
) -> Array:
    """Convolution as neural networks use the word (cross-correlation), channels last.

    y[b, p, f] = Σ_q Σ_c x[b, p · stride + q · dilation, c] kernel[q, c, f] + bias[f]

    Args:
        x: (batch, *spatial, channels).
        kernel: (*size, channels // groups, filters).
        padding: 'valid' or 'same'.
        bias: (filters,).
    """
    size = tuple(kernel.shape[:-2])
    windows = resolve_windows(tuple(x.shape[1:-1]), size, strides, padding, dilation)
    _check_fit("conv", x, size, windows)
    return engines.of(x, kernel).conv(x, kernel, windows, groups, bias)


@op
def max_pool(x: Array, size: tuple[int, ...], strides: tuple[int, ...], padding: str = "valid") -> Array:
    """Largest value of each window of x (batch, *spatial, channels). Of equal ones the first has the derivative."""
    windows = resolve_windows(tuple(x.shape[1:-1]), size, strides, padding)
    _check_fit("max_pool", x, size, windows)
    return engines.of(x).max_pool(x, size, windows)


@op
def average_pool(x: Array, size: tuple[int, ...], strides: tuple[int, ...], padding: str = "valid") -> Array:
    """Mean of each window of x (batch, *spatial, channels); padding does not count."""
    engine = engines.of(x)
    windows = resolve_windows(tuple(x.shape[1:-1]), size, strides, padding)
    _check_fit("average_pool", x, size, windows)
    total = engine.sum_pool(x, size, windows)
    if not any(map(sum, windows.padding)):
        return total / math.prod(size)
    return total / engine.sum_pool(engine.xp.ones_like(x[:1, ..., :1]), size, windows)


# ------------------------------------------------------------------------------------------------ recurrence


@op
def lstm(x: Array, h: Array, c: Array, kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
    """All outputs, last h and last c of an LSTM with sigmoid gates and tanh (see `layers.LSTM`)."""
    return engines.of(x, kernel).lstm(x, h, c, kernel, recurrent, bias)
