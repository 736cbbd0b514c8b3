"""Chua and Yang's cellular network: a grid of cells, one per pixel, that act on their neighbours."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Annotated, Any, TypeAlias

import numpy as np
from sklearn.base import TransformerMixin

from neuroloom import config, ops
from neuroloom.config import Choice, NonNegative, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.numbers import Numbers
from neuroloom.typing import Array

Templates: TypeAlias = tuple[np.ndarray, np.ndarray, float]

TEMPLATES: dict[str, Any] = {
    "edges": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], -1),
    "noise": ([[0, 1, 0], [1, 2, 1], [0, 1, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]], 0),
}
"""name -> (A, B, z)."""


class Template(config.Check):
    """A name of `TEMPLATES`, or (A, B, z)."""

    expects = " or ".join(map(repr, TEMPLATES)) + " or (A, B, z) with square matrices A and B of one odd size"

    def __call__(self, value: Any) -> Templates:
        try:
            a, b, z = TEMPLATES[value] if isinstance(value, str) else value
            a, b, z = Numbers(2)(a), Numbers(2)(b), Numbers(0)(z)
        except (KeyError, TypeError, ValueError):
            raise self.refuse() from None
        if a.shape != b.shape or a.shape[0] != a.shape[1] or len(a) % 2 == 0:
            raise self.refuse()
        return a, b, float(z)


class Index(config.Check):
    """The neighbourhood index."""

    expects = "4 or 8"

    def __call__(self, value: Any) -> int:
        if isinstance(value, bool) or value not in (4, 8):
            raise self.refuse()
        return int(value)


class Size(config.Check):
    """(height, width)."""

    expects = "(height, width)"

    def __call__(self, value: Any) -> tuple[int, int]:
        try:
            height, width = config.Integers(2)(tuple(value))
        except (TypeError, ValueError):
            raise self.refuse() from None
        return height, width


class CellularNetwork(TransformerMixin, Network):
    """Cells on a grid, one per pixel, each driven by its neighbours' outputs and inputs through one small template.

        dx/dt = -x + A * y + B * u + z,   y = ½ (|x + 1| - |x - 1|)

    (A * y)_ij = Σ_kl A_kl y_i+k,j+l reaches the neighbours only. A row of X is an image u, line by line, of values from
    -1 (white) to 1 (black); what lies beyond is cut off. Euler's steps go on until the cells rest; y is the answer.
    Every |x| stays below 1 + |z| + Σ |A| + Σ |B|. With symmetric A the energy

        E = -½ Σ y (A * y) + ½ Σ y² - Σ y (B * u) - z Σ y

    never rises along the flow (with cells beyond the border that are 0 or those of the other side), and with A's centre
    above 1 every cell ends black or white.

    Args:
        template: "edges" (the black pixels with a white one among their 8 neighbours), "noise" (removes single pixels
            and smooths borders, by 4 neighbours) or (A, B, z).
        image_shape: (height, width); None: square where the number of features is a square, else one row.
        neighbours: the neighbourhood index: 8, or 4, which leaves out of A and B what is more than their radius away
            in rows and columns together, such as the corners.
        border: what the cells beyond the image are: "zero", "copy" (of the nearest cell) or "torus" (the other side).
        start: x at first: "input" (u) or "zero".
        step: the length of Euler's steps, in units of time.
        tol: an image is finished when no |dx/dt| is larger.
        max_steps: most steps.

    Attributes:
        image_shape_: (height, width).
        seed_: unused.

    Source: L. Chua, L. Yang, "Cellular neural networks: theory" and "Cellular neural networks: applications", IEEE
    Trans. Circuits and Systems 35 (1988), where the template for noise is from; that for edges is EDGE of the CNN
    software library (T. Roska, L. Kék and others).

    >>> image = -np.ones((4, 6))
    >>> image[:, 2:] = 1
    >>> edges = CellularNetwork(image_shape=(4, 6), border="copy").fit_transform(image.reshape(1, 24))
    >>> edges.reshape(4, 6)[1].round(3)
    array([-1., -1.,  1., -1., -1., -1.])
    """

    template: Annotated[Any, Template()] = "edges"
    image_shape: Annotated[Any, Size()] | None = None
    neighbours: Annotated[int, Index()] = 8
    border: Annotated[str, Choice("zero", "copy", "torus")] = "zero"
    start: Annotated[str, Choice("input", "zero")] = "input"
    step: Positive = 0.1
    tol: NonNegative = 1e-3
    max_steps: PositiveInt = 1000

    def fit(self, X: Any, y: Any = None) -> CellularNetwork:
        """Check the images of X, (images, height * width); nothing is learned."""
        p = self._start()
        features = self._rows(X).shape[1]
        side = math.isqrt(features)
        self.image_shape_ = p.image_shape or ((side, side) if side * side == features else (1, features))
        if math.prod(self.image_shape_) != features:
            raise ShapeError(
                f"CellularNetwork expected images of {self.image_shape_[0]} x {self.image_shape_[1]} pixels, received "
                f"{features} features."
            )
        if p.border == "torus" and len(p.template[0]) // 2 > min(self.image_shape_):
            raise ConfigurationError(
                f"CellularNetwork expected a template no larger than the image on a torus, received "
                f"{p.template[0].shape} for {self.image_shape_}."
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """y of the cells at rest, from -1 to 1: (images, height * width)."""
        u, p = self._images(X), self._checked()
        return np.clip(self._flow(p, u, _first(p, u), p.max_steps), -1, 1).reshape(len(u), -1)

    def trajectory(self, X: Any, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
        """The first states x, (steps + 1, images, height * width), and their energies, (steps + 1, images)."""
        u, p = self._images(X), self._checked()
        states = [_first(p, u)]
        for _ in range(steps):
            states.append(self._flow(p, u, states[-1], 1))
        found = np.stack([x.reshape(len(u), -1) for x in states])
        return found, np.stack([self.energy(X, x) for x in found])

    def energy(self, X: Any, states: Any) -> np.ndarray:
        """E of images X in the states x, (images, height * width) each: (images,)."""
        u, p = self._images(X), self._checked()
        y = np.clip(np.asarray(states, np.float64).reshape(u.shape), -1, 1)
        return self._answer(energy, _around(p), u, y, border=p.border)

    def _images(self, X: Any) -> np.ndarray:
        X = self._rows(X, reset=False)
        return np.clip(X.astype(np.float64), -1, 1).reshape(-1, *self.image_shape_)

    def _flow(self, p: SimpleNamespace, u: np.ndarray, x: np.ndarray, steps: int) -> np.ndarray:
        found: np.ndarray = self._answer(flow, _around(p), u, x, p.step, p.tol, steps, border=p.border)
        return found


def _first(p: SimpleNamespace, u: np.ndarray) -> np.ndarray:
    return u if p.start == "input" else np.zeros_like(u)


def _around(p: SimpleNamespace) -> Templates:
    """The templates, within the neighbourhood."""
    a, b, z = p.template
    away = abs(np.arange(len(a)) - len(a) // 2)
    near = (away[:, None] + away <= len(a) // 2) | (p.neighbours == 8)
    return a * near, b * near, z


@costs(lambda a: (150 + a.x.size / 25) * a.limit)
def flow(
    engine: Engine, templates: Any, u: Array, x: Array, step: Array, tol: Array, limit: Array, *, border: str
) -> Array:
    """Euler's steps of dx/dt = -x + A * y + B * u + z until x rests, each image for itself."""
    a, b, z = templates
    drive = around(b, u, border) + z

    def one(i: Array, state: Any) -> Any:
        x, moves = state
        change = around(a, ops.clip(x, -1.0, 1.0), border) - x + drive
        x = ops.where(moves, x + step * change, x)
        moves = moves & ops.any(ops.any(ops.abs(change) > tol, axis=2, keepdims=True), axis=1, keepdims=True)
        return (x, moves), ops.any(moves)

    return engine.loop(0, limit, one, (x, x[:, :1, :1] == x[:, :1, :1]))[0]


@direct
def energy(engine: Engine, templates: Any, u: Array, y: Array, *, border: str) -> Array:
    """E of each image."""
    a, b, z = templates
    cells = y * (0.5 * (y - around(a, y, border)) - around(b, u, border) - z)
    return ops.sum(ops.sum(cells, axis=2), axis=1)


def around(template: Array, images: Array, border: str) -> Array:
    """(A * y)_ij = Σ_kl A_kl y_i+k,j+l of each image."""
    size, (_, height, width) = template.shape[0], images.shape
    if size > 1:
        images = _wider(_wider(images, 1, size // 2, border), 2, size // 2, border)
    windows = [images[:, k : k + height, m : m + width] * template[k, m] for k in range(size) for m in range(size)]
    return sum(windows[1:], windows[0])


def _wider(images: Array, axis: int, by: int, border: str) -> Array:
    """Images with `by` more cells at both ends of an axis."""
    if border == "zero":
        return ops.pad(images, [(by, by) if i == axis else (0, 0) for i in range(3)])

    def part(low: int | None, high: int | None) -> Array:
        return images[:, low:high] if axis == 1 else images[:, :, low:high]

    before, after = (part(-by, None), part(None, by)) if border == "torus" else (part(None, 1), part(-1, None))
    repeats = 1 if border == "torus" else by
    return ops.concat([before] * repeats + [images] + [after] * repeats, axis=axis)
