"""Penalties on weights, added to the loss."""

from __future__ import annotations

from typing import Annotated, Any

from neuroloom import config, ops
from neuroloom.calls import public
from neuroloom.config import Configured, NonNegative, Resolve
from neuroloom.typing import Array


class Regularizer(Configured, kind="regularizer"):
    """Base of regularizers: `regularizer(w) -> scalar`."""

    def __call__(self, w: Array) -> Array:
        """The penalty of a weight."""
        raise NotImplementedError  # abstract


RegularizerLike = Annotated[Any, Resolve("regularizer")]
"""A field that holds a regularizer, given as an object or by name; None for none."""


def get(regularizer: Any) -> Regularizer:
    """The regularizer of a name, class, configuration or object."""
    return config.get("regularizer", regularizer)


class L1(Regularizer):
    """l1 Σ |w|. The derivative at w = 0 is 0."""

    renamed = {"l": "l1"}
    lifted = ("l1",)
    l1: NonNegative = 0.01

    def __call__(self, w: Array) -> Array:
        return self.l1 * ops.sum(ops.abs(w))


class L2(Regularizer):
    """l2 Σ w²."""

    renamed = {"l": "l2"}
    lifted = ("l2",)
    l2: NonNegative = 0.01

    def __call__(self, w: Array) -> Array:
        return self.l2 * ops.sum(ops.square(w))


class L1L2(Regularizer):
    """l1 Σ |w| + l2 Σ w². The derivative at w = 0 is 0."""

    lifted = ("l1", "l2")
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0

    def __call__(self, w: Array) -> Array:
        return self.l1 * ops.sum(ops.abs(w)) + self.l2 * ops.sum(ops.square(w))


l1, l2, l1_l2 = L1, L2, L1L2  # the names that programs written for Keras use

public(__name__)
