"""The classical training algorithms, over one vector of weights.

An epoch of an algorithm is `step(problem, point, slots, rate) -> (point, slots)`. A point is (w, error at w, gradient
at w); slots are what the algorithm remembers, `begin` makes the first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neuroloom import ops, optimizers
from neuroloom.engines import Engine
from neuroloom.typing import Array, Tree

BATCHES = ("sgd", "adam", "rmsprop", "adagrad", "adamw")
"""Algorithms that make a step per mini-batch: the library's optimizers."""

SCIPY = {"bfgs": "BFGS", "lbfgs": "L-BFGS-B", "ncg": "Newton-CG"}
"""Algorithms that are SciPy's, by its names."""

FASTER, SLOWER, WORSE = 1.05, 0.7, 1.04
"""gda, gdx: factors on the rate after a good and after a bad epoch, and how much larger an error may become."""

GROW, SHRINK, LEAST, MOST = 1.2, 0.5, 1e-6, 50.0
"""Rprop: factors on a step while the gradient keeps its sign and when it changes it; bounds of steps."""

GROWTH = 1.75
"""Quickprop: how many times as long as the last a step may be."""

FALL, FLAT, TRIES = 1e-4, 0.1, 20
"""Line search: Wolfe's constants, and most evaluations."""

DAMPING, LEAST_DAMPING = 10.0, 1e-10
"""Levenberg-Marquardt: factor on μ, and its least part of the mean curvature."""


class Problem(NamedTuple):
    """What an algorithm may ask: error and gradient at weights; for Levenberg-Marquardt the curvature."""

    engine: Engine
    evaluate: Callable[[Array], tuple[Array, Array]]
    curvature: Callable[[Array], Array]


def dot(a: Array, b: Array) -> Array:
    """Σ a b."""
    return ops.sum(a * b)


def select(condition: Array, yes: tuple[Array, ...], no: tuple[Array, ...]) -> tuple[Array, ...]:
    """`yes` where the scalar condition holds, else `no`."""
    return tuple(ops.where(condition, a, b) for a, b in zip(yes, no, strict=True))


def _moved(problem: Problem, w: Array) -> tuple[Array, ...]:
    return (w, *problem.evaluate(w))


# ------------------------------------------------------------------------------------------- down the gradient


def descent(problem: Problem, point: Any, slots: Any, rate: Array, momentum: float) -> Any:
    """gd, gdm: a step of the library's SGD."""
    w, _, g = point
    w, memory = optimizers.SGD(momentum=momentum).update(w, g, slots, rate, 0)
    return _moved(problem, w), memory


def adaptive(problem: Problem, point: Any, slots: Any, rate: Array, momentum: float) -> Any:
    """gda, gdx: the same; the rate grows while the error falls, and what makes it 4 % larger is taken back."""
    memory = {name: slots[name] for name in slots if name != "rate"}
    moved, memory = descent(problem, point, memory, slots["rate"], momentum)
    good = moved[1] <= WORSE * point[1]
    rate = slots["rate"]
    rate = ops.where(good, ops.where(moved[1] < point[1], FASTER * rate, rate), SLOWER * rate)
    memory = {name: ops.where(good, value, 0.0) for name, value in memory.items()}
    return select(good, moved, point), {"rate": rate, **memory}


def rprop(problem: Problem, point: Any, slots: Any, rate: Array) -> Any:
    """A step per weight, longer while its gradient keeps its sign; where it changed, the weight waits."""
    w, _, g = point
    agree = g * slots["before"]
    step = _resized(slots["step"], agree)
    g = ops.where(agree < 0, 0.0, g)
    return _moved(problem, w - ops.sign(g) * step), {"step": step, "before": g}


def irprop_plus(problem: Problem, point: Any, slots: Any, rate: Array) -> Any:
    """The same; where the sign changed and the error grew, the weight's last change is taken back."""
    w, f, g = point
    agree = g * slots["before"]
    step = _resized(slots["step"], agree)
    back = ops.where(f > slots["error"], -slots["change"], 0.0)
    change = ops.where(agree < 0, back, -ops.sign(g) * step)
    memory = {"step": step, "before": ops.where(agree < 0, 0.0, g), "change": change, "error": f}
    return _moved(problem, w + change), memory


def _resized(step: Array, agree: Array) -> Array:
    return ops.clip(ops.where(agree > 0, GROW * step, ops.where(agree < 0, SHRINK * step, step)), LEAST, MOST)


def quickprop(problem: Problem, point: Any, slots: Any, rate: Array) -> Any:
    """To the lowest point of the parabola through the last two slopes of each weight, as Fahlman's program does."""
    w, _, g = point
    last, before = slots["change"], slots["before"]
    ahead = (last == 0) | (-ops.sign(last) * g > 0)  # still downhill
    apart = before - g
    parabola = last * g / ops.where(apart == 0, 1.0, apart)
    far = -ops.sign(last) * (g - GROWTH / (1 + GROWTH) * before) >= 0
    change = ops.where(far, GROWTH * last, parabola) - ops.where(ahead, rate * g, 0.0)
    return _moved(problem, w + change), {"change": change, "before": g}


# --------------------------------------------------------------------------------------------- conjugate gradients


def conjugate(problem: Problem, point: Any, slots: Any, rate: Array, formula: str) -> Any:
    """cgf, cgp: along directions conjugate to those before, to where the error is lowest.

    Every so many steps as there are weights it begins anew, down the gradient; so it does where a direction does not
    lead down, and after a step that found nothing lower.
    """
    _, f, g = point
    old = slots["gradient"]
    change = g if formula == "fletcher-reeves" else g - old
    beta = ops.maximum(dot(g, change), 0.0) / ops.maximum(dot(old, old), 1e-300)
    goes_on = (slots["slope"] < 0) & (slots["since"] < g.shape[0])
    d = ops.where(goes_on, beta, 0.0) * slots["direction"] - g
    downhill = dot(g, d) < 0
    d = ops.where(downhill, d, -g)
    slope = dot(g, d)
    again = slots["length"] * slots["slope"] / ops.minimum(slope, -1e-300)
    length = ops.where(slots["slope"] < 0, again, rate / ops.sqrt(ops.maximum(dot(d, d), 1e-300)))
    found, length = line_search(problem, point, d, slope, length)
    fell = found[1] < f
    still = ops.where(fell, 0, slots["still"] + 1)
    memory = {"direction": d, "gradient": g, "length": length, "slope": ops.where(fell, slope, 0.0)}
    since = ops.where(goes_on & downhill, slots["since"], 0) + 1  # steps from the last beginning on
    return found, {**memory, "still": still, "since": since}


def line_search(problem: Problem, point: Any, d: Array, slope: Array, length: Array) -> tuple[Any, Array]:
    """A point along d that fulfils Wolfe's strong conditions, and how far it is; else the lowest that was seen.

    The next try is where the slopes at both ends of the interval, or at the last two tries, lead a line to 0: exact
    on a parabola.
    """
    w, f, _ = point

    def attempt(i: Any, state: Any) -> Any:
        a, (low, low_slope), (high, high_slope), best, length = state
        new = _moved(problem, w + a * d)
        s = dot(new[2], d)
        above = ops.logical_not(new[1] <= f + FALL * a * slope)  # also where it is NaN
        long, short = above | (s > -FLAT * slope), s < FLAT * slope
        better = ops.logical_not(long | short) | (new[1] < best[1])
        ahead = ops.clip(_root(low, low_slope, a, s), 1.1 * a, 10 * a)
        low_end = select(long, (low, low_slope), (a, s))
        high_end = select(long, (a, ops.where(above & (s <= 0), np.inf, s)), (high, high_slope))
        inside = _inside(low_end, high_end)
        a_next = ops.where(high_end[0] < np.inf, inside, ops.where(ahead == ahead, ahead, 2 * a))
        kept = select(better, new, best), ops.where(better, a, length)
        return (a_next, low_end, high_end, *kept), long | short

    zero = length * 0
    ends = (zero, slope), (zero + np.inf, zero)
    return problem.engine.loop(0, TRIES, attempt, (length, *ends, tuple(point), zero))[3:]


def _root(a: Array, slope_a: Array, b: Array, slope_b: Array) -> Array:
    """Where the line through two slopes is 0."""
    return b - slope_b * (b - a) / (slope_b - slope_a)


def _inside(low: tuple[Array, Array], high: tuple[Array, Array]) -> Array:
    """The next try between two ends, not within a tenth of them."""
    width = high[0] - low[0]
    root = _root(*low, *high)
    middle = low[0] + 0.5 * width
    usable = (high[1] < np.inf) & (root == root)
    return ops.where(usable, ops.clip(root, low[0] + 0.1 * width, high[0] - 0.1 * width), middle)


# ------------------------------------------------------------------------------------------- Levenberg-Marquardt


def levenberg_marquardt(problem: Problem, point: Any, slots: Any, rate: Array) -> Any:
    """w - (H + μ I)⁻¹ g, H by Gauss and Newton; μ grows until the error falls."""
    w, f, g = point
    h = problem.curvature(w)
    n = problem.engine.arange(w.shape[0])
    diagonal = n[:, None] == n
    least = LEAST_DAMPING * ops.maximum(ops.sum(ops.where(diagonal, h, 0.0)) / w.shape[0], LEAST_DAMPING)

    def attempt(i: Any, state: Any) -> Any:
        _, damping = state
        damping = ops.maximum(damping, least)
        step = problem.engine.xp.linalg.solve(h + ops.where(diagonal, damping, 0.0), g[:, None])[:, 0]
        new = _moved(problem, w - step)
        fell = new[1] < f
        damping = ops.where(fell, damping / DAMPING, damping * DAMPING)
        return (select(fell, new, point), damping), ops.logical_not(fell)

    found, damping = problem.engine.loop(0, TRIES, attempt, (tuple(point), slots["damping"]))
    return found, {"damping": damping, "still": ops.where(found[1] < f, 0, slots["still"] + 2)}


# ------------------------------------------------------------------------------------------------------- by name


class Algorithm(NamedTuple):
    """How an algorithm steps, what it remembers at first (filled like the weights, or scalars), and its usual rate."""

    step: Callable[..., Any]
    filled: dict[str, Any]
    scalars: dict[str, Any]
    rate: float


def algorithm(name: str, momentum: float) -> Algorithm:
    """The algorithm of a name that is neither a mini-batch optimizer nor SciPy's."""
    mass = {"momentum": 0.0} if momentum else {}
    cg = {"direction": 0.0, "gradient": 0.0}, {"length": 0.0, "slope": 0.0, "still": 0, "since": 0}, 1.0
    found: dict[str, Algorithm] = {
        "gd": Algorithm(functools.partial(descent, momentum=0.0), {}, {}, 0.1),
        "gdm": Algorithm(functools.partial(descent, momentum=momentum), mass, {}, 0.1),
        "gda": Algorithm(functools.partial(adaptive, momentum=0.0), {}, {"rate": None}, 0.1),
        "gdx": Algorithm(functools.partial(adaptive, momentum=momentum), mass, {"rate": None}, 0.1),
        "rprop": Algorithm(rprop, {"step": None, "before": 0.0}, {}, 0.1),
        "irprop+": Algorithm(irprop_plus, {"step": None, "before": 0.0, "change": 0.0}, {"error": np.inf}, 0.1),
        "quickprop": Algorithm(quickprop, {"change": 0.0, "before": 0.0}, {}, 0.1),
        "cgf": Algorithm(functools.partial(conjugate, formula="fletcher-reeves"), *cg),
        "cgp": Algorithm(functools.partial(conjugate, formula="polak-ribiere"), *cg),
        "lm": Algorithm(levenberg_marquardt, {}, {"damping": None, "still": 0}, 0.001),
    }
    return found[name]


CLASSICAL = ("gd", "gdm", "gda", "gdx", "rprop", "irprop+", "quickprop", "cgf", "cgp", "lm")
"""The names that `algorithm` knows."""


def usual_rate(name: str) -> float:
    """The learning rate that an algorithm has unless it is given one; SciPy's have none."""
    if name in SCIPY:
        return 1.0
    return optimizers.get(name).learning_rate if name in BATCHES else algorithm(name, 0.9).rate


def begin(name: str, w: np.ndarray, rate: float, momentum: float) -> Tree:
    """What an algorithm remembers before its first epoch; where the table has None, the rate stands."""
    if name in SCIPY:
        return {}
    if name in BATCHES:
        return optimizers.get(name).init(w)
    found = algorithm(name, momentum)
    filled = {k: np.full_like(w, rate if v is None else v) for k, v in found.filled.items()}
    return {**filled, **{k: np.array(rate if v is None else v) for k, v in found.scalars.items()}}
