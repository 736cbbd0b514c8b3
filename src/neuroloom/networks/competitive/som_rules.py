"""How a map learns: row by row, or from all rows at once. Functions of arrays of any engine."""

from __future__ import annotations

from typing import Any

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.networks.base import costs
from neuroloom.networks.competitive import layer_rules as rules
from neuroloom.typing import Array, Key

LARGE = 3e38
EDGE = 1e-4
"""By how much rounding may push a unit out of a bubble."""


def influence(squared: Array, radius: Array, kind: str) -> Array:
    """h(d) for squared distances d² on the grid."""
    if kind == "bubble":
        return ops.cast(squared <= ops.square(radius) + EDGE, "float32")
    if kind == "triangle":
        return ops.maximum(1 - ops.sqrt(squared) / radius, 0.0)
    share = squared / ops.square(radius)
    bell = ops.exp(-0.5 * share)
    return bell * (1 - share) if kind == "mexican_hat" else bell


def _box(x: Array, kind: str) -> tuple[Array, Array] | None:
    """The ends of each column of x, which hold the weights where units are pushed away, the farther the stronger."""
    if kind != "mexican_hat":
        return None
    return ops.min(ops.where(x == x, x, LARGE), axis=0), ops.max(ops.where(x == x, x, -LARGE), axis=0)


def _held(w: Array, box: tuple[Array, Array] | None) -> Array:
    """Weights (..., features) inside the box."""
    return w if box is None else ops.minimum(ops.maximum(w, box[0]), box[1])


@costs(lambda a: (80 + a.w.size / 50) * len(a.x) * len(a.curve))
def online(
    engine: Engine, x: Array, w: Array, squared: Array, rates: Array, radii: Array, key: Key, first: Array,
    curve: Array, epochs: Array, *, distance: str, kind: str, decay: str, missing: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """Row by row: w (units, features), and the mean distance to the winner in each pass."""

    box = _box(x, kind)

    def one(w: Array, given: Any) -> tuple[Array, Array]:  # w (features, units), which is the faster order
        x_i, (rate, radius) = given
        x_i = x_i[:, None]
        difference = rules.minus(x_i, w, missing)
        d = rules.gap(difference, x_i, w, distance, 0)
        winner = ops.argmin(d)
        h = influence(ops.gather(squared, ops.reshape(winner, (1,)))[0], radius, kind)
        return _held((w + rate * h * difference).T, box).T, rules.length(ops.min(d), distance)

    def settings(t: Array) -> tuple[Array, Array]:
        return rules.between(rates, t, decay), rules.between(radii, t, decay)

    w, curve = rules.passes(engine, one, w.T, x, settings, key, first, curve, epochs)
    return w.T, curve


@costs(lambda a: (200 + len(a.x) * len(a.w) / 10) * len(a.curve))
def batch(
    engine: Engine, x: Array, w: Array, squared: Array, radii: Array, first: Array, curve: Array, epochs: Array, *,
    distance: str, kind: str, decay: str, missing: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """From all rows at once: w (units, features), and the mean distance to the winner before each pass."""
    box = _box(x, kind)
    known = ops.where(x == x, x, 0.0)
    present = ops.cast(x == x, "float32") if missing else x[:, :1] * 0 + 1

    def one_pass(i: Any, carry: Any) -> Any:
        w, curve = carry
        found = rules.gaps(engine, x, w, distance=distance, missing=missing)
        wins, least = rules.wins(engine, found)
        t = ops.minimum((first + i) / ops.maximum(epochs - 1, 1.0), 1.0)
        h = influence(squared, rules.between(radii, t, decay), kind)
        counts = wins @ present  # (units, features), or (units, 1)
        weight = ops.abs(h) @ counts
        step = (h @ (wins @ known) - w * (h @ counts)) / ops.maximum(weight, rules.TINY)
        error = ops.mean(rules.length(least, distance))
        return (_held(w + step, box), ops.where(engine.arange(curve.shape[0]) == i, error, curve)), True

    return engine.loop(0, curve.shape[0], one_pass, (w, curve))
