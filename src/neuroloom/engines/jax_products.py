"""Products with narrow kernels for JAX on the CPU.

XLA's matrix product for the CPU is slow where the result has few columns and where the left factor lies transposed.
Both meet in the gradient of a narrow layer's kernel, xᵀ g of (features, batch) and (batch, units). The same product
written from the other side has neither:

    y = (Wᵀ xᵀ)ᵀ,    whose gradient is  ∂W = (gᵀ x)ᵀ

with Wᵀ and gᵀ, which are small, laid out anew. For 512 features, 10 units and batches of 128 the gradient took 22 µs
instead of 188; for 10,000 features and 16 units 2.7 ms instead of 4.1.
"""

from __future__ import annotations

import math

from jax import lax

from neuroloom.typing import Array

NARROW = 32
"""Up to this many units the product is written from the kernel's side."""

TINY = 1 << 12
"""Up to this many multiplications the product is written as a sum, which XLA fuses with what stands around it."""


def affine(x: Array, kernel: Array, bias: Array) -> Array:
    """See `Engine.affine`."""
    if math.prod(x.shape) * kernel.shape[-1] <= TINY:
        return (x[..., :, None] * kernel).sum(-2) + bias
    if kernel.shape[-1] > NARROW:
        return x @ kernel + bias
    rows = x.reshape(-1, x.shape[-1])
    laid_out = lax.optimization_barrier  # else XLA folds the transpositions into the product
    y = laid_out(laid_out(kernel.T) @ rows.T).T
    return y.reshape(*x.shape[:-1], kernel.shape[-1]) + bias
