"""Gradient descent, with and without momentum."""

from __future__ import annotations

from typing import Any

from neuroloom.config import Bool
from neuroloom.optimizers.base import LearningRate, Momentum, Optimizer, fused
from neuroloom.typing import Array


class SGD(Optimizer):
    """Stochastic gradient descent.

    θ ← θ - η g                                 without momentum
    v ← μ v - η g,   θ ← θ + v                  with momentum μ
    v ← μ v - η g,   θ ← θ + μ v - η g          with Nesterov's momentum

    Args:
        learning_rate: η, a positive number or a schedule.
        momentum: μ, from 0 to 1.
        nesterov: look ahead along v; without momentum it changes nothing, as in Keras.
        clipnorm, clipvalue, global_clipnorm: see `Optimizer`.

    Keras 3 computes the same. PyTorch keeps v without η (v ← μ v + g, θ ← θ - η v), which is the same as
    long as η stays constant, has η = 0.001, and refuses `nesterov` without momentum.

    Robbins and Monro, A stochastic approximation method, 1951. Polyak, Some methods of speeding up the
    convergence of iteration methods, 1964. Sutskever et al., On the importance of initialization and momentum
    in deep learning, 2013.
    """

    learning_rate: LearningRate = 0.01
    momentum: Momentum = 0.0
    nesterov: Bool = False

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0} if self.momentum else {}

    @fused("sgd")
    def rule(self, p: Array, g: Array, slots: tuple[Array, ...], scalars: tuple[Any, ...]) -> tuple[Array, ...]:
        (η,), μ = scalars, self.momentum
        if not slots:
            return (p - η * g,)
        v = μ * slots[0] - η * g
        return (p + μ * v - η * g if self.nesterov else p + v), v
