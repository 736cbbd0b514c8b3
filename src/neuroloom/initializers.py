"""Initial values of weights, drawn with NumPy, so that every engine starts from the same numbers.

`initializer(shape, rng) -> float32 array`. For a kernel of shape (*window, inputs, outputs)

    fan_in = inputs · window elements,    fan_out = outputs · window elements.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from neuroloom import config
from neuroloom.calls import public
from neuroloom.config import Choice, Configured, NonNegative, Positive, Real, Resolve


class Initializer(Configured, kind="initializer"):
    """Base of initializers."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Initial values of this shape, float32."""
        raise NotImplementedError  # abstract


InitializerLike = Annotated[Any, Resolve("initializer")]
"""A field that holds an initializer, given as an object or by name."""


def get(initializer: Any) -> Initializer:
    """The initializer of a name, class, configuration or object."""
    return config.get("initializer", initializer)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """(fan_in, fan_out) of a kernel.

    >>> fans((3, 3, 16, 32))
    (144.0, 288.0)
    >>> fans((10,))
    (10.0, 10.0)
    """
    if len(shape) < 2:
        n = float(shape[0]) if shape else 1.0
        return n, n
    window = math.prod(shape[:-2])
    return float(shape[-2] * window), float(shape[-1] * window)


class Zeros(Initializer):
    """0."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.zeros(shape, np.float32)


class Ones(Initializer):
    """1."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.ones(shape, np.float32)


class Constant(Initializer):
    """A constant."""

    value: Real = 0.0

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.full(shape, self.value, np.float32)


class RandomUniform(Initializer):
    """U(minval, maxval)."""

    minval: Real = -0.05
    maxval: Real = 0.05

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.minval, self.maxval, shape).astype(np.float32)


class RandomNormal(Initializer):
    """N(mean, stddev²)."""

    mean: Real = 0.0
    stddev: NonNegative = 0.05

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mean, self.stddev, shape).astype(np.float32)


class TruncatedNormal(Initializer):
    """N(mean, stddev²), redrawn where it is further than two standard deviations from the mean."""

    mean: Real = 0.0
    stddev: NonNegative = 0.05

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return (self.mean + self.stddev * _truncated(shape, rng)).astype(np.float32)


def _truncated(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    z = rng.standard_normal(shape)
    while (far := np.abs(z) > 2).any():
        z[far] = rng.standard_normal(int(far.sum()))
    return z


TRUNCATED_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal variable cut at ±2."""


class VarianceScaling(Initializer):
    """Variance scale / n, where n is fan_in, fan_out or their mean.

    `distribution`: 'uniform' draws from ±√(3 scale / n); 'truncated_normal' from a normal variable cut at two
    standard deviations and widened so that the variance holds; 'untruncated_normal' without the cut.
    """

    scale: Positive = 1.0
    mode: Annotated[str, Choice("fan_in", "fan_out", "fan_avg")] = "fan_in"
    distribution: Annotated[str, Choice("uniform", "truncated_normal", "untruncated_normal")] = "truncated_normal"

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape).astype(np.float32)
        if self.distribution == "untruncated_normal":
            return rng.normal(0, math.sqrt(variance), shape).astype(np.float32)
        return (math.sqrt(variance) / TRUNCATED_STDDEV * _truncated(shape, rng)).astype(np.float32)


class _Scaled(Initializer, abstract=True):
    """An initializer that is a named case of VarianceScaling."""

    rule = VarianceScaling()

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return self.rule(shape, rng)


class GlorotUniform(_Scaled):
    """U(±√(6 / (fan_in + fan_out))): Glorot and Bengio (2010)."""

    rule = VarianceScaling(1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out): Glorot and Bengio (2010)."""

    rule = VarianceScaling(1.0, "fan_avg")


class HeUniform(_Scaled):
    """U(±√(6 / fan_in)): He et al. (2015), for relu."""

    rule = VarianceScaling(2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in: He et al. (2015), for relu."""

    rule = VarianceScaling(2.0)


class LecunUniform(_Scaled):
    """U(±√(3 / fan_in)): LeCun et al. (1998)."""

    rule = VarianceScaling(1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in: LeCun et al. (1998); for selu."""

    rule = VarianceScaling(1.0)


class Orthogonal(Initializer):
    """gain · Q, where Q has orthonormal rows or columns (Saxe et al., 2014)."""

    gain: Real = 1.0

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)


class Identity(Initializer):
    """gain on the diagonal of a matrix, 0 elsewhere."""

    gain: Real = 1.0

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if len(shape) != 2:
            raise config.ConfigurationError(f"Identity expected a matrix to fill, received shape {shape}.")
        return (self.gain * np.eye(*shape)).astype(np.float32)


public(__name__)
