"""Adagrad: gradients divided by the root of all squares so far."""

from __future__ import annotations

from typing import Any

from neuroloom import ops
from neuroloom.config import NonNegative, Positive
from neuroloom.optimizers.base import Optimizer, fused
from neuroloom.typing import Array


class Adagrad(Optimizer):
    """Gradient descent whose steps shrink with the sum of squared gradients, weight by weight.

    G ← G + g²
    θ ← θ - η g / √(G + ε)

    Args:
        learning_rate: η, a positive number or a schedule.
        initial_accumulator_value: G before the first step, at least 0.
        epsilon: ε, a positive number.
        clipnorm, clipvalue, global_clipnorm: see `Optimizer`.

    Keras 3 computes the same. PyTorch has √G + ε, starts from G = 0 and has η = 0.01.

    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization,
    2011.
    """

    initial_accumulator_value: NonNegative = 0.1
    epsilon: Positive = 1e-7

    def slots(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    @fused("adagrad")
    def rule(self, p: Array, g: Array, slots: tuple[Array, ...], scalars: tuple[Any, ...]) -> tuple[Array, ...]:
        (η,), (G,) = scalars, slots
        G = G + g * g
        return p - η * (g / ops.sqrt(G + self.epsilon)), G
