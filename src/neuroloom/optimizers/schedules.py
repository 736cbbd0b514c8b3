"""Learning rates that change with the step, with the names and formulas of Keras.

A schedule is called with a number or with an array of any engine, traced ones too:

    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.025
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from neuroloom import engines
from neuroloom.calls import public
from neuroloom.config import Bool, Check, Configured, Count, Integers, NonNegative, Number, Positive
from neuroloom.errors import ConfigurationError
from neuroloom.typing import Array


class Rates(Check):
    """A list or tuple of numbers of at least 0."""

    expects = "a list of numbers of at least 0"
    number = Number(0, expects=expects)

    def __call__(self, value: Any) -> tuple[float, ...]:
        if not isinstance(value, list | tuple):
            raise self.refuse()
        return tuple(map(self.number, value))


class Schedule(Configured, kind="schedule"):
    """A learning rate as a function of the step. A subclass gives `rate`."""

    def __call__(self, step: Any) -> Any:
        """The learning rate η after `step` updates.

        Args:
            step: a number, or an array of whole numbers of any engine and shape.

        Returns:
            a float for a number, else float32 numbers of the step's shape.
        """
        if isinstance(step, int | float | np.generic):
            return float(self.rate(np.asarray(step, np.float64), np))
        engine = engines.of(step)
        return self.rate(engine.astype(step, "float32"), engine.xp)

    def rate(self, step: Array, xp: Any) -> Array:
        """η for an array of steps, as floats; `xp` is the array API namespace of its engine."""
        raise NotImplementedError  # abstract


class Constant(Schedule):
    """The same learning rate at every step.

    Args:
        learning_rate: η, a positive number.
    """

    learning_rate: Positive

    def rate(self, step: Array, xp: Any) -> Array:
        return xp.full_like(step, self.learning_rate)


class PiecewiseConstantDecay(Schedule):
    """A learning rate that jumps at given steps.

    η = values[i], i the number of boundaries below the step (a boundary itself still has the rate before it)

    Args:
        boundaries: steps, rising.
        values: learning rates, one more than boundaries.

    Raises:
        ConfigurationError: when the lengths do not fit or the boundaries do not rise.

    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(0), schedule(100), schedule(101), schedule(201)
    (0.1, 0.1, 0.01, 0.001)
    """

    boundaries: Annotated[tuple[int, ...], Integers(None, low=0)]
    values: Annotated[tuple[float, ...], Rates()]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1:
            raise ConfigurationError(
                f"PiecewiseConstantDecay expected one value more than boundaries, "
                f"received {len(self.values)} values and {len(self.boundaries)} boundaries."
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise ConfigurationError(
                f"PiecewiseConstantDecay expected boundaries that rise, received {self.boundaries}. "
                f"Sort them, without repeats."
            )

    def rate(self, step: Array, xp: Any) -> Array:
        η = xp.full_like(step, self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            η = xp.where(step > boundary, xp.full_like(step, value), η)
        return η


class ExponentialDecay(Schedule):
    """A learning rate that shrinks by a constant factor.

    η = η₀ · r^(step / k); with `staircase` the exponent is rounded down

    Args:
        initial_learning_rate: η₀, a positive number.
        decay_steps: k, a positive number.
        decay_rate: r, a positive number.
        staircase: change at multiples of k only.
    """

    initial_learning_rate: Positive
    decay_steps: Positive
    decay_rate: Positive
    staircase: Bool = False

    def rate(self, step: Array, xp: Any) -> Array:
        exponent = step / self.decay_steps
        if self.staircase:
            # Compilers may divide by a constant by multiplying with its inverse, which can fall short of a
            # whole number; so the product decides.
            whole = xp.round(exponent)
            exponent = xp.where(whole * self.decay_steps > step, whole - 1, whole)
        return self.initial_learning_rate * self.decay_rate**exponent


class CosineDecay(Schedule):
    """A learning rate that falls along half a cosine, after a linear rise if a target is given.

    η = η₁ · ((1 - α) · (1 + cos(π s / k)) / 2 + α),  s = min(step - w, k)        from step w on
    η = η₀ + (η₁ - η₀) · step / w                                                   before

    Args:
        initial_learning_rate: η₀, at least 0 (positive without a target).
        decay_steps: k, the steps that the fall takes, a positive number.
        alpha: α, the last learning rate as a part of η₁.
        warmup_target: η₁; None leaves the rise out (η₁ = η₀, w = 0).
        warmup_steps: w, the steps that the rise takes.

    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017. Rise: Goyal et al.,
    Accurate, large minibatch SGD, 2017.
    """

    initial_learning_rate: NonNegative
    decay_steps: Positive
    alpha: NonNegative = 0.0
    warmup_target: Positive | None = None
    warmup_steps: Count = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_target is None and self.initial_learning_rate == 0:
            raise ConfigurationError(
                "CosineDecay expected a positive initial_learning_rate, received 0.0: the rate would stay 0. "
                "Give warmup_target and warmup_steps, or a positive rate."
            )

    def rate(self, step: Array, xp: Any) -> Array:
        if self.warmup_target is None:
            return self._fall(step, self.initial_learning_rate, xp)
        after = self._fall(step - self.warmup_steps, self.warmup_target, xp)
        if self.warmup_steps == 0:
            return after
        rise = (self.warmup_target - self.initial_learning_rate) / self.warmup_steps
        return xp.where(step < self.warmup_steps, self.initial_learning_rate + rise * step, after)

    def _fall(self, step: Array, start: float, xp: Any) -> Array:
        """The half cosine from `start`; `step` counts from its beginning."""
        done = xp.clip(step / self.decay_steps, 0.0, 1.0)
        return start * ((1 - self.alpha) * 0.5 * (1 + xp.cos(math.pi * done)) + self.alpha)


public(__name__)
