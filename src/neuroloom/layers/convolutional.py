"""Convolution and pooling over images, channels last: (batch, height, width, channels)."""

from __future__ import annotations

from typing import Annotated

from neuroloom import activations, ops
from neuroloom.activations import Activation as ActivationField
from neuroloom.config import Bool, Choice, Pair, PositiveInt
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.initializers import InitializerLike
from neuroloom.layers.base import Context, Layer, Weight, Weights, show_shape
from neuroloom.layers.core import known
from neuroloom.regularizers import RegularizerLike
from neuroloom.typing import Array, Shape

Padding = Annotated[str, Choice("valid", "same")]


def check_image(layer: Layer, shape: Shape) -> None:
    """Refuse inputs that are not (batch, height, width, channels)."""
    if len(shape) != 4:
        hint = " Add the channel axis: x[..., None]." if len(shape) == 3 else ""
        raise ShapeError(
            f"{layer.label} expected x of shape (batch, height, width, channels), received {show_shape(shape)}.{hint}"
        )


class Conv2D(Layer):
    """A bank of learned filters slid over an image.

        y[b, i, j, f] = g(Σ_{u, v, c} x[b, i s + u d, j s + v d, c] W[u, v, c, f] + b[f])

    with stride s and dilation d; as in all neural-network libraries this is a cross-correlation.

    Args:
        filters: number of filters.
        kernel_size: height and width of a filter, or one number for both.
        strides: how far the filters move.
        padding: 'valid' (none) or 'same' (zeros around, so that the output has ⌈length / stride⌉ rows).
        dilation_rate: the spacing of a filter's elements.
        groups: input channels and filters are split into this many groups that do not see each other.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', filters);
    W (kernel height, kernel width, channels / groups, filters).
    """

    filters: PositiveInt
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding = "valid"
    activation: ActivationField = None
    use_bias: Bool = True
    dilation_rate: Pair = 1
    groups: PositiveInt = 1
    kernel_initializer: InitializerLike = "glorot_uniform"
    bias_initializer: InitializerLike = "zeros"
    kernel_regularizer: RegularizerLike | None = None

    ends_with_activation = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters % self.groups:
            raise ConfigurationError(
                f"{self.label} expected filters to be a multiple of groups, "
                f"received filters={self.filters} and groups={self.groups}."
            )

    def build(self, shape: Shape) -> dict[str, Weight]:
        check_image(self, shape)
        channels = known(shape[-1], self, shape)
        if channels % self.groups:
            raise ShapeError(
                f"{self.label} expected channels in a multiple of groups={self.groups}, received {channels}."
            )
        size = (*self.kernel_size, channels // self.groups, self.filters)  # type: ignore[misc]
        weights = {"kernel": Weight(size, self.kernel_initializer, self.kernel_regularizer)}
        if self.use_bias:
            weights["bias"] = Weight((self.filters,), self.bias_initializer)
        return weights

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        how = self.strides, self.padding, self.dilation_rate, self.groups
        y = ops.conv(x, w.kernel, *how, bias=w.bias if self.use_bias else None)  # type: ignore[arg-type]
        return activations.get(self.activation)(y)


class _Pooling2D(Layer, abstract=True):
    pool_size: Pair = 2
    strides: Pair | None = None
    padding: Padding = "valid"

    def build(self, shape: Shape) -> dict[str, Weight]:
        check_image(self, shape)
        return {}


class MaxPooling2D(_Pooling2D):
    """The largest value in each window.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: how far the window moves; by default its own size.
        padding: 'valid' or 'same'.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', channels).
    """

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.max_pool(x, self.pool_size, self.strides or self.pool_size, self.padding)  # type: ignore[arg-type]


class AveragePooling2D(_Pooling2D):
    """The mean of each window; padding does not count. Arguments and shapes as for `MaxPooling2D`."""

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.average_pool(x, self.pool_size, self.strides or self.pool_size, self.padding)  # type: ignore[arg-type]


class GlobalAveragePooling2D(Layer):
    """The mean over height and width: (batch, height, width, channels) -> (batch, channels).

    Source: Lin, Chen and Yan, Network in Network (2014).
    """

    keepdims: Bool = False

    def build(self, shape: Shape) -> dict[str, Weight]:
        check_image(self, shape)
        return {}

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.mean(x, axis=(1, 2), keepdims=self.keepdims)
