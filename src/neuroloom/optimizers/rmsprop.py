"""RMSprop: gradients divided by their recent root mean square."""

from __future__ import annotations

from typing import Any

from neuroloom import ops
from neuroloom.config import Bool, Fraction, Positive
from neuroloom.optimizers.base import Momentum, Optimizer, fused
from neuroloom.typing import Array


class RMSprop(Optimizer):
    """Gradient descent with each gradient divided by its recent root mean square.

    v ← ρ v + (1 - ρ) g²
    a ← ρ a + (1 - ρ) g                         when centered; else a = 0
    d = η g / √(v - a² + ε)
    θ ← θ - d                                   without momentum
    m ← μ m + d,   θ ← θ - m                    with momentum μ

    Args:
        learning_rate: η, a positive number or a schedule.
        rho: ρ, from 0 up to 1.
        momentum: μ, from 0 to 1.
        epsilon: ε, a positive number.
        centered: divide by the deviation around the mean gradient.
        clipnorm, clipvalue, global_clipnorm: see `Optimizer`.

    Keras 3 computes the same. PyTorch has √(v - a²) + ε, η = 0.01 and ρ = 0.99, and keeps m without η.

    Hinton, Srivastava and Swersky, Neural networks for machine learning, lecture 6e, 2012. Centered: Graves,
    Generating sequences with recurrent neural networks, 2013.
    """

    rho: Fraction = 0.9
    momentum: Momentum = 0.0
    epsilon: Positive = 1e-7
    centered: Bool = False

    def slots(self) -> dict[str, float]:
        return {
            "velocity": 0.0,
            **({"average_gradient": 0.0} if self.centered else {}),
            **({"momentum": 0.0} if self.momentum else {}),
        }

    @fused("rmsprop")
    def rule(self, p: Array, g: Array, slots: tuple[Array, ...], scalars: tuple[Any, ...]) -> tuple[Array, ...]:
        (η,), (v, *others), ρ = scalars, slots, self.rho
        variance = v = ρ * v + (1 - ρ) * (g * g)
        kept = [v]
        if self.centered:
            a = others.pop(0)
            a = a + (1 - ρ) * (g - a)
            variance = v - a * a
            kept.append(a)
        d = η * (g / ops.sqrt(variance + self.epsilon))
        if not others:
            return p - d, *kept
        m = self.momentum * others[0] + d
        return p - m, *kept, m
