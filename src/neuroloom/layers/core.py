"""Layers of neurons and layers without weights."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any

from neuroloom import activations, ops
from neuroloom.activations import Activation as ActivationField
from neuroloom.config import Bool, Fraction, Integer, Integers, PositiveInt, Real
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.initializers import InitializerLike
from neuroloom.layers.base import Context, Layer, Weight, Weights, show_shape
from neuroloom.regularizers import RegularizerLike
from neuroloom.typing import Array, Shape


def known(length: int | None, layer: Layer, shape: Shape) -> int:
    """A length that weights depend on; an error where it is free."""
    if length is None:
        raise ShapeError(f"{layer.label} needs a known last axis, received inputs of shape {show_shape(shape)}.")
    return length


class Dense(Layer):
    """A layer of neurons, each connected to all inputs.

        y = g(x W + b)

    Args:
        units: number of neurons.
        activation: g, a name or a function; None is the identity.
        use_bias: whether there is b.
        kernel_initializer, bias_initializer: of W (inputs, units) and b (units,).
        kernel_regularizer, bias_regularizer: penalties added to the loss.

    Shapes: x (batch, ..., inputs) -> y (batch, ..., units).

    >>> import numpy as np, neuroloom as nl
    >>> layer = nl.layers.Dense(2, kernel_initializer="ones", bias_initializer="ones")
    >>> layer(np.array([[1.0, 2.0, 3.0]], "float32")).tolist()
    [[7.0, 7.0]]
    """

    units: PositiveInt
    activation: ActivationField = None
    use_bias: Bool = True
    kernel_initializer: InitializerLike = "glorot_uniform"
    bias_initializer: InitializerLike = "zeros"
    kernel_regularizer: RegularizerLike | None = None
    bias_regularizer: RegularizerLike | None = None

    ends_with_activation = True
    supports_masking = True

    def build(self, shape: Shape) -> dict[str, Weight]:
        inputs = known(shape[-1], self, shape)
        weights = {"kernel": Weight((inputs, self.units), self.kernel_initializer, self.kernel_regularizer)}
        if self.use_bias:
            weights["bias"] = Weight((self.units,), self.bias_initializer, self.bias_regularizer)
        return weights

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        y = ops.affine(x, w.kernel, w.bias) if self.use_bias else x @ w.kernel
        return activations.get(self.activation)(y)


class Activation(Layer):
    """An activation function as a layer of its own."""

    activation: ActivationField

    ends_with_activation = True
    supports_masking = True

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return activations.get(self.activation)(x)


class Dropout(Layer):
    """In training, sets each input to 0 with probability `rate` and divides the others by 1 - rate.

    Outside training it does nothing. Source: Srivastava et al., Dropout, JMLR 15 (2014).
    """

    lifted = ("rate",)
    rate: Fraction

    supports_masking = True

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        if not ctx.training or (self.rate == 0) is True:  # an array's comparison is not True, but an array
            return x
        return ops.dropout(x, self.rate, ctx.key())


class Flatten(Layer):
    """All axes but the batch in one: (batch, a, b, c) -> (batch, a · b · c)."""

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        inner = x.shape[1:]
        return ops.reshape(x, (x.shape[0], -1 if None in inner else math.prod(inner)))


class Reshape(Layer):
    """The same elements in another shape, the batch kept; one -1 stands for the length that fits.

    >>> import numpy as np, neuroloom as nl
    >>> nl.layers.Reshape((2, -1))(np.zeros((5, 12), "float32")).shape
    (5, 2, 6)
    """

    target_shape: Annotated[tuple[int, ...], Integers(None, low=-1)]

    def build(self, shape: Shape) -> dict[str, Weight]:
        have, want = shape[1:], self.target_shape
        if None not in have and -1 not in want and math.prod(want) != math.prod(have):  # type: ignore[arg-type]
            raise ShapeError(f"{self.label} cannot make {want} of inputs of shape {show_shape(shape)}.")
        return {}

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.reshape(x, (x.shape[0], *self.target_shape))


class Embedding(Layer):
    """A vector for each whole number from 0 to input_dim - 1, learned.

        y[..., :] = E[x[...]]

    Shapes: x (batch, ...) of whole numbers -> y (batch, ..., output_dim). A number outside the range is an error
    where data enters (`fit`, `evaluate`, `predict`), since inside a compiled program it could not be one.

    Args:
        input_dim: how many numbers there are.
        output_dim: length of a vector.
        mask_zero: whether 0 stands for padding: the output has a mask, true where x is not 0, which the layers after
            this one, losses and metrics heed.
    """

    input_dim: PositiveInt
    output_dim: PositiveInt
    embeddings_initializer: InitializerLike = "random_uniform"
    embeddings_regularizer: RegularizerLike | None = None
    mask_zero: Bool = False

    input_dtype = "int32"
    makes_mask = True

    def build(self, shape: Shape) -> dict[str, Weight]:
        size = (self.input_dim, self.output_dim)
        return {"embeddings": Weight(size, self.embeddings_initializer, self.embeddings_regularizer)}

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.gather(w.embeddings, ops.cast(x, "int32"))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class Masking(Layer):
    """A mask for steps all of whose features are `mask_value`; they become zeros.

    Shapes: x (batch, time, features) -> y of the same shape, with a mask (batch, time), true where a step counts.

    >>> import numpy as np, neuroloom as nl
    >>> x = np.array([[[1.0, 2.0], [9.0, 9.0], [9.0, 3.0]]], "float32")
    >>> nl.layers.Masking(mask_value=9.0).compute_mask(x).tolist()
    [[True, False, True]]
    """

    mask_value: Real = 0.0

    makes_mask = True

    def call(self, w: Weights, x: Array, ctx: Context) -> Array:
        return ops.where(self._counts(x, keepdims=True), x, ops.zeros_like(x))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self._counts(inputs)

    def _counts(self, x: Array, keepdims: bool = False) -> Array:
        return ops.any(ops.not_equal(x, self.mask_value), axis=-1, keepdims=keepdims)


class _Merge(Layer, abstract=True):
    """A layer of several inputs of one shape (or shapes that broadcast).

    A step of the output counts where it counts in any input; where an input has no mask, the output has none.
    """

    supports_masking = True

    def build(self, shape: Any) -> dict[str, Weight]:
        if not isinstance(shape, list) or len(shape) < 2:
            raise ShapeError(f"{self.label} expected a list of at least two inputs, received {show_shape(shape)}.")
        return {}

    def call(self, w: Weights, x: list[Array], ctx: Context) -> Array:
        total = x[0]
        for other in x[1:]:
            total = self.combine(total, other)
        return total

    def combine(self, a: Array, b: Array) -> Array:
        raise NotImplementedError  # abstract

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = self._masks(inputs, mask)
        return None if any(m is None for m in masks) else functools.reduce(ops.logical_or, masks)

    def _masks(self, inputs: Any, mask: Any) -> list[Any]:
        """One mask, or None, for each input."""
        if mask is None:
            return [None] * len(inputs)
        if not isinstance(mask, list | tuple) or len(mask) != len(inputs):
            raise ConfigurationError(
                f"{self.label} expected a list of {len(inputs)} masks, one (or None) for each input, received "
                f"{len(mask) if isinstance(mask, list | tuple) else 'a single one'}."
            )
        return list(mask)


class Add(_Merge):
    """x₁ + x₂ + ... for a list of inputs."""

    def combine(self, a: Array, b: Array) -> Array:
        return a + b


class Multiply(_Merge):
    """x₁ · x₂ · ..., elementwise, for a list of inputs."""

    def combine(self, a: Array, b: Array) -> Array:
        return a * b


class Average(Add):
    """The mean of a list of inputs."""

    def call(self, w: Weights, x: list[Array], ctx: Context) -> Array:
        return super().call(w, x, ctx) / len(x)


class Concatenate(_Merge):
    """A list of inputs joined along an axis (the batch counts as axis 0).

    An input without a mask counts as a whole. A step of the output counts where any of its features does.
    """

    axis: Annotated[int, Integer(-100)] = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.axis == 0:
            raise ShapeError(f"{self.label} cannot join along axis 0, the batch.")

    def build(self, shape: Any) -> dict[str, Weight]:
        super().build(shape)
        rest = [[n for i, n in enumerate(s) if i != self.axis % len(s)] for s in shape]
        if any(r != rest[0] for r in rest):
            raise ShapeError(
                f"{self.label} expected inputs that agree in every axis but {self.axis}, received {show_shape(shape)}."
            )
        return {}

    def call(self, w: Weights, x: list[Array], ctx: Context) -> Array:
        return ops.concat(x, axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = self._masks(inputs, mask)
        if all(m is None for m in masks):
            return None
        whole = [_widened(m, x) for m, x in zip(masks, inputs, strict=True)]
        return ops.any(ops.concat(whole, axis=self.axis), axis=-1)


def _widened(mask: Any, x: Array) -> Array:
    """A mask of the shape of its array, for each of its features."""
    if mask is None:
        return ops.not_equal(ops.ones_like(x), 0)
    if len(mask.shape) == len(x.shape):
        return mask
    return ops.broadcast_to(ops.expand_dims(mask, axis=-1), tuple(x.shape))
