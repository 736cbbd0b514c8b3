"""What competing units share: distances, quantities that fall while they learn, passes over the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from neuroloom import ops
from neuroloom.config import Check, Choice, Number
from neuroloom.engines import Engine
from neuroloom.errors import DataError
from neuroloom.networks.base import direct
from neuroloom.ops import draws
from neuroloom.typing import Array, Key, Tree

Distance = Annotated[str, Choice("euclidean", "manhattan", "chebyshev", "cosine")]
TINY = 1e-30
"""Beside what a float32 rule divides by: so small that nothing but 0 is below it."""


class _Ends(Check):
    """What a quantity is at the start and at the end of learning; one number stands for both."""

    expects = "a positive number, or a tuple of two: at the start and at the end"

    def __call__(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, list | tuple):
            value = (value, value)
        if len(value) != 2:
            raise self.refuse()
        start, end = (Number(0, np.inf, open_low=True, open_high=True, expects=self.expects)(v) for v in value)
        return start, end


class _Rates(_Ends):
    """The same for rates, of which none is above 1."""

    expects = "a number above 0 and up to 1, or a tuple of two: at the start and at the end"

    def __call__(self, value: Any) -> tuple[float, float]:
        ends = super().__call__(value)
        if max(ends) > 1:
            raise self.refuse()
        return ends


Ends = Annotated[Any, _Ends()]
Rates = Annotated[Any, _Rates()]
Decay = Annotated[str, Choice("linear", "exponential", "inverse")]


def between(ends: Array, t: Array, decay: str) -> Array:
    """The value at time t from 0 to 1: a + (b - a) t, or a (b/a)ᵗ, or a / (1 + (a/b - 1) t)."""
    start, end = ends[0], ends[1]
    if decay == "linear":
        return start + (end - start) * t
    if decay == "exponential":
        return start * ops.exp(ops.log(end / start) * t)
    return start / (1 + (start / end - 1) * t)


def gap(difference: Array, x: Array, w: Array, distance: str, axis: int) -> Array:
    """How far w lies from x along `axis`, given x - w, in which features that are missing are 0.

    The Euclidean distance is left squared: whoever wants to know it takes the root.
    """
    if distance == "euclidean":
        return ops.sum(ops.square(difference), axis=axis)
    if distance == "manhattan":
        return ops.sum(ops.abs(difference), axis=axis)
    if distance == "chebyshev":
        return ops.max(ops.abs(difference), axis=axis)
    known = ops.where(x == x, x, 0.0)
    lengths = [ops.sum(ops.square(part), axis=axis) for part in (known, ops.where(x == x, w, 0.0))]
    one, other = (ops.sqrt(ops.maximum(length, TINY)) for length in lengths)  # their product has no room in float32
    return 1 - ops.sum(known * w, axis=axis) / one / other


def minus(x: Array, w: Array, missing: bool) -> Array:
    """x - w, and 0 where x is missing (NaN)."""
    return ops.where(x == x, x - w, 0.0) if missing else x - w


def gaps(engine: Engine, x: Array, w: Array, *, distance: str, missing: bool) -> Array:
    """`gap` from each of w (units, features) to each row of x (n, features): (units, n)."""
    if distance == "euclidean" and not missing:
        both = w @ x.T
        return ops.maximum(ops.sum(ops.square(x), axis=1) - 2 * both + ops.sum(ops.square(w), axis=1)[:, None], 0.0)

    def to_one(nothing: Array, unit: Array) -> tuple[Array, Array]:
        return nothing, gap(minus(x, unit, missing), x, unit, distance, 1)

    return engine.scan(to_one, w[:0, 0], w)[1]


def wins(engine: Engine, found: Array) -> tuple[Array, Array]:
    """1 for the first of the nearest units to each row, else 0, (units, n), and the gap to it, (n,).

    XLA computes argmin on a CPU element by element: this took a quarter of the time.
    """
    units = engine.arange(found.shape[0])[:, None]
    least = ops.min(found, axis=0)
    first = ops.min(ops.where(found == least, units, found.shape[0]), axis=0)
    return ops.cast(units == first, "float32"), least


def length(found: Array, distance: str) -> Array:
    """What `gap` found as a distance: the root of the Euclidean one."""
    return ops.sqrt(found) if distance == "euclidean" else found


@direct
def lengths(engine: Engine, x: Array, w: Array, *, distance: str, missing: bool) -> Array:
    """The distance of each row of x (n, features) to each of w (units, features): (n, units)."""
    return length(gaps(engine, x, w, distance=distance, missing=missing).T, distance)


def passes(
    engine: Engine, one: Callable[..., Any], state: Tree, x: Array, settings: Callable[[Array], Tree], key: Key,
    first: Any, curve: Array, epochs: Array,
) -> tuple[Tree, Array]:  # fmt: skip
    """Passes number `first` and so on over the rows x, each in its own random order, as many as `curve` is long.

    Args:
        one: `state, error = one(state, (row, settings))` for one row.
        settings: gives what `one` needs at times t, which rise from 0 to 1 in all `epochs` and stay there.
        curve: zeros, one per pass.

    Returns:
        the state, and the mean of `error` over the rows in each pass.
    """
    n = x.shape[0]
    within = ops.cast(engine.arange(n), "float32") / n

    def one_pass(i: Any, carry: Any) -> Any:
        state, curve = carry
        order = draws.permutation(draws.fold_in(key, first + i), n)
        t = ops.cast(ops.minimum((first + i + within) / epochs, 1.0), "float32")
        state, errors = engine.scan(one, state, (ops.gather(x, order), settings(t)))
        return (state, ops.where(engine.arange(curve.shape[0]) == i, ops.mean(errors), curve)), True

    return engine.loop(0, curve.shape[0], one_pass, (state, curve))


# ------------------------------------------------------------------------------------------------- on the host


def middle(X: np.ndarray) -> np.ndarray:
    """The mean of each column over what is known of it.

    Raises:
        DataError: nothing is known of a column, or of a row.
    """
    known = np.isfinite(X)
    for axis, name in ((0, "column"), (1, "row")):
        if not known.any(axis=axis).all():
            at = int(np.flatnonzero(~known.any(axis=axis))[0])
            raise DataError(f"Expected at least one known value in each {name}, received only NaN in {name} {at}.")
    return np.asarray(np.mean(X, axis=0, dtype=np.float64, where=known))


def start(X: np.ndarray, units: int, init: str, rng: np.random.Generator) -> np.ndarray:
    """Weights to begin with: rows of X ("sample"), or uniform between each column's ends ("random")."""
    if init == "random":
        low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
        return rng.uniform(low, high, (units, X.shape[1]))
    rows = X[rng.choice(len(X), units, replace=len(X) < units)]
    return np.where(np.isfinite(rows), rows, middle(X))
