"""Names of the types that signatures share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of any engine: numpy.ndarray, jax.Array, torch.Tensor."""

Key: TypeAlias = Any
"""A random key of an engine: the same key gives the same numbers."""

Tree: TypeAlias = Any
"""Nested dicts, lists and tuples whose leaves are arrays (or None)."""

Shape: TypeAlias = tuple[int | None, ...]
"""Axis lengths; None where the length is free, as the batch axis is."""

Function: TypeAlias = Callable[..., Any]
