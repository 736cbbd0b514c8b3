"""Adam and its relatives: running means of gradients and of their squares."""

from __future__ import annotations

import math
from typing import Any

from neuroloom import engines, ops
from neuroloom.config import Bool, Fraction, NonNegative, Positive
from neuroloom.optimizers.base import Optimizer, fused
from neuroloom.typing import Array


class _Moments:
    """The rule that Adam and AdamW share; each declares the fields, in the order of its Keras namesake."""

    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool
    weight_decay = 0.0

    def slots(self) -> dict[str, float]:
        names = ("momentum", "velocity", "velocity_hat") if self.amsgrad else ("momentum", "velocity")
        return dict.fromkeys(names, 0.0)

    def scalars(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        t = step + 1
        bias_1, bias_2 = _one_minus_power(self.beta_1, t), _one_minus_power(self.beta_2, t)
        return learning_rate * bias_2**0.5 / bias_1, 1.0 - self.weight_decay * learning_rate

    @fused("adam")
    def rule(self, p: Array, g: Array, slots: tuple[Array, ...], scalars: tuple[Any, ...]) -> tuple[Array, ...]:
        (α, keep), (m, v, *highest) = scalars, slots
        m = m + (1 - self.beta_1) * (g - m)
        v = self.beta_2 * v + (1 - self.beta_2) * (g * g)
        highest = [ops.maximum(largest, v) for largest in highest]
        root = ops.sqrt(highest[0] if self.amsgrad else v) + self.epsilon
        return keep * p - α * (m / root), m, v, *highest


def _one_minus_power(β: float, t: Any) -> Any:
    """1 - βᵗ as -expm1(t log β): the power, rounded to float32, would lose half the digits for β near 1."""
    exponent = t * (math.log(β) if β else -math.inf)
    return -math.expm1(exponent) if isinstance(exponent, float) else -engines.of(t).xp.expm1(exponent)


class Adam(_Moments, Optimizer):
    """Gradient descent along a running mean of gradients, divided by the root of one of their squares.

    m ← β₁ m + (1 - β₁) g
    v ← β₂ v + (1 - β₂) g²
    α = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)                t = 1 at the first step
    θ ← θ - α m / (√v + ε)

    With `amsgrad`, the largest v so far takes the place of v in the last line.

    Args:
        learning_rate: η, a positive number or a schedule.
        beta_1, beta_2: β₁ and β₂, from 0 up to 1.
        epsilon: ε, a positive number.
        amsgrad: never let the divisor shrink.
        clipnorm, clipvalue, global_clipnorm: see `Optimizer`.

    Keras 3 computes the same: its ε is the ε̂ of the paper's section 2, added before v's bias is corrected.
    PyTorch and optax follow the paper's Algorithm 1, √(v / (1 - β₂ᵗ)) + ε, with ε = 1e-8.

    Kingma and Ba, Adam: a method for stochastic optimization, 2015. Reddi, Kale and Kumar, On the
    convergence of Adam and beyond, 2018.
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-7
    amsgrad: Bool = False


class AdamW(_Moments, Optimizer):
    """Adam with weight decay that does not pass through the running means.

    θ ← (1 - η λ) θ, then the step of `Adam`.

    Args:
        learning_rate: η, a positive number or a schedule.
        weight_decay: λ, at least 0; it reaches every weight, biases too.
        beta_1, beta_2, epsilon, amsgrad, clipnorm, clipvalue, global_clipnorm: see `Adam`.

    Keras 3 computes the same. PyTorch has λ = 0.01, and ε as said at `Adam`.

    Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """

    weight_decay: NonNegative = 0.004
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-7
    amsgrad: Bool = False
