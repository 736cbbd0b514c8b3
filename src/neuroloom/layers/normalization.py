"""Layers that keep activations at a common scale."""

from __future__ import annotations

from typing import Annotated, Any

from neuroloom import ops
from neuroloom.config import Bool, Fraction, Integer, Positive
from neuroloom.errors import ShapeError
from neuroloom.initializers import InitializerLike
from neuroloom.layers.base import Context, Layer, Weight, Weights, show_shape
from neuroloom.layers.core import known
from neuroloom.typing import Array, Shape

TINY = 1e-7
"""Added to the number of steps that count, as in Keras: a batch without any has the mean 0."""


class BatchNormalization(Layer):
    """Each channel with mean β and standard deviation γ over the batch.

        y = γ (x - μ) / √(σ² + ε) + β

    In training μ and σ² are those of the batch, and running means of them follow with
    moving ← momentum · moving + (1 - momentum) · batch; otherwise the running means are used.

    The variance divides by n, in the running mean too, as in Keras (PyTorch: by n - 1 there). Where x has a mask, μ and
    σ² are those of the steps that count.
    Source: Ioffe and Szegedy, Batch Normalization (2015).

    Args:
        axis: the axis of the channels.
        momentum: of the running means.
        epsilon: ε.
        center, scale: whether there are β and γ.
    """

    axis: Annotated[int, Integer(-100)] = -1
    momentum: Fraction = 0.99
    epsilon: Positive = 1e-3
    center: Bool = True
    scale: Bool = True
    beta_initializer: InitializerLike = "zeros"
    gamma_initializer: InitializerLike = "ones"

    supports_masking = True

    def build(self, shape: Shape) -> dict[str, Weight]:
        channels = (known(shape[self.axis], self, shape),)
        weights = {}
        if self.scale:
            weights["gamma"] = Weight(channels, self.gamma_initializer)
        if self.center:
            weights["beta"] = Weight(channels, self.beta_initializer)
        weights["moving_mean"] = Weight(channels, "zeros", trainable=False)
        weights["moving_variance"] = Weight(channels, "ones", trainable=False)
        return weights

    def call(self, w: Weights, x: Array, ctx: Context, mask: Any = None) -> Array:
        axis = self.axis % len(x.shape)
        along = tuple(i for i in range(len(x.shape)) if i != axis)
        if ctx.training and self.trainable and ctx.trainable:
            mean, variance = _moments(x, along) if mask is None else self._masked_moments(x, along, mask)
            for name, old, new in (("mean", w.moving_mean, mean), ("variance", w.moving_variance, variance)):
                ctx.update(f"moving_{name}", ops.stop_gradient(self.momentum * old + (1 - self.momentum) * new))
        else:
            mean, variance = w.moving_mean, w.moving_variance
        factor = 1 / ops.sqrt(variance + self.epsilon)
        if self.scale:
            factor = factor * w.gamma
        offset = w.beta - mean * factor if self.center else -mean * factor
        spread = [1] * len(x.shape)
        spread[axis] = x.shape[axis]
        return x * ops.reshape(factor, tuple(spread)) + ops.reshape(offset, tuple(spread))

    def _masked_moments(self, x: Array, along: tuple[int, ...], mask: Array) -> tuple[Array, Array]:
        """Mean and variance of the steps that count; zeros where none does."""
        if len(mask.shape) != len(x.shape) - 1:
            raise ShapeError(
                f"{self.label} expected a mask of one axis less than x, received a mask of shape "
                f"{show_shape(tuple(mask.shape))} for x of shape {show_shape(tuple(x.shape))}."
            )
        counts = ops.broadcast_to(ops.not_equal(ops.expand_dims(mask, axis=-1), 0), tuple(x.shape))
        nothing = ops.zeros_like(x)
        n = ops.sum(ops.where(counts, ops.ones_like(x), nothing), axis=along, keepdims=True) + TINY
        mean = ops.sum(ops.where(counts, x, nothing), axis=along, keepdims=True) / n
        variance = ops.sum(ops.square(ops.where(counts, x - mean, nothing)), axis=along) / ops.reshape(n, (-1,))
        return ops.reshape(mean, (-1,)), variance


def _moments(x: Array, along: tuple[int, ...]) -> tuple[Array, Array]:
    return ops.mean(x, axis=along), ops.var(x, axis=along)
