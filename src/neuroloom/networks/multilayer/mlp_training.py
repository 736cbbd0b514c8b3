"""Trainings of feed-forward networks: all epochs as one program; SciPy's algorithms over a compiled gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from neuroloom import losses, ops, optimizers
from neuroloom.engines import Engine
from neuroloom.errors import NonFiniteError
from neuroloom.networks.base import costs
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer.mlp_rules import Plan, curvature, dropping, gradient, gradient_costs, objective
from neuroloom.ops import draws
from neuroloom.typing import Array, Tree

STUCK = 2
"""SciPy's status of a search that found nothing lower along its direction."""

LEVEL = 1e-5
"""Length of a cross-entropy's gradient below which algorithms without line search end, as in MATLAB's toolbox: those
that go by its sign would make much of what weighs next to nothing, and of rounding."""


def training_costs(a: Any) -> float:
    """What `train` costs."""
    n, w = len(a.data[0]), a.w.size
    epoch = gradient_costs(a.plan, n)
    if a.algorithm in algorithms.BATCHES:
        epoch = -(-n // a.batch) * gradient_costs(a.plan, a.batch)
    elif a.algorithm == "lm":
        slopes = n * w * (1 / 20 + w / 1000) * a.plan.sizes[-1]
        epoch = epoch + (slopes + w**3 / 5000) / 3  # this takes three times as long to compile as the others
    elif a.algorithm in ("cgf", "cgp"):
        epoch = 5 * epoch  # tries along a line
    return epoch * a.curves.shape[1]


@costs(training_costs)
def train(
    engine: Engine, w: Array, slots: Tree, best: Tree, curves: Array, data: Any, held: Any, mask: Array,
    values: dict[str, Array], key: Any, first: Array, *, plan: Plan, algorithm: str, momentum: float, batch: int,
    dropout: bool,
) -> Any:  # fmt: skip
    """As many epochs as `curves` is long, fewer if the error reaches the goal or the patience ends.

    Args:
        slots: what the algorithm remembers.
        best: (weights, error on held-out rows, epochs since) or ().
        curves: zeros (2, epochs): errors on the data and on the held-out rows.
        data: rows, targets, weights of rows whose sum is 1 for a mean.
        held: the same for held-out rows, or ().
        values: "rate", "l2", "dropout", "goal", "patience".
        first: the number of the first epoch.
        batch: rows in a mini-batch.

    Returns:
        (weights, slots, best, curves, epochs done, error).
    """

    def drop(i: Any) -> Any:
        return dropping(draws.fold_in(key, first + i), values["dropout"]) if dropout else None

    def whole(w: Array, i: Any) -> tuple[Array, Array]:
        return gradient(engine, plan, w, data, mask, values["l2"], drop(i))

    batches, classes = algorithm in algorithms.BATCHES, losses.get(plan.loss).activation is not None

    def epoch(i: Any, state: Any) -> Any:
        point, slots, best, curves, done = state
        if batches:
            point, slots = in_batches(
                engine, point, slots, data, mask, values, draws.fold_in(key, first + i), first + i,
                plan=plan, algorithm=algorithm, batch=batch, dropout=dropout,
            )  # fmt: skip
        else:
            problem = algorithms.Problem(
                engine, lambda w: whole(w, i), lambda w: curvature(engine, plan, w, data, mask, values["l2"])
            )
            point, slots = algorithms.algorithm(algorithm, momentum).step(problem, point, slots, values["rate"])
        f = point[1]
        go_on = f > values["goal"]  # not so where it is NaN
        if "still" in slots:
            go_on = go_on & (slots["still"] < 2)
        elif classes and not batches:
            go_on = go_on & (algorithms.dot(point[2], point[2]) > LEVEL**2)
        column = engine.arange(curves.shape[1]) == i
        errors = [f, f * 0]
        if held:
            errors[1] = objective(plan, point[0], held, values["l2"] * 0)
            best = improved(best, point[0], errors[1])
            go_on = go_on & (best[2] < values["patience"])
        curves = ops.where(column, ops.stack(errors)[:, None], curves)
        return (point, slots, best, curves, done + 1), go_on

    start = (w, ops.sum(w) * 0 + np.inf, w * 0) if batches else (w, *whole(w, -1))
    epochs = curves.shape[1]
    point, slots, best, curves, done = engine.loop(0, epochs, epoch, (start, slots, best, curves, first * 0))
    return point[0], slots, best, curves, done, point[1]


def improved(best: Any, w: Array, error: Array) -> tuple[Array, Array, Array]:
    """The best weights so far, their error, and the epochs since."""
    better = error < best[1]
    return (
        ops.where(better, w, best[0]),
        ops.where(better, error, best[1]),
        ops.where(better, 0, best[2] + 1),
    )


def in_batches(
    engine: Engine, point: Any, slots: Tree, data: Any, mask: Array, values: dict[str, Array], key: Any,
    epoch: Array, *, plan: Plan, algorithm: str, batch: int, dropout: bool,
) -> Any:  # fmt: skip
    """One pass over the rows in random order, a step of the library's optimizer per mini-batch."""
    x, t, s = data
    n = x.shape[0]
    steps = -(-n // batch)
    order = ops.concat([draws.permutation(key, n), engine.arange(steps * batch - n)], axis=0)
    real = ops.cast(engine.arange(steps * batch) < n, engine.dtype_name(s))
    optimizer = optimizers.get(algorithm)

    def one(carry: Any, item: Any) -> Any:
        w, slots = carry
        rows, real, j = item
        share = ops.gather(s, rows) * real * (n / ops.sum(real))
        part = (ops.gather(x, rows), ops.gather(t, rows), share)
        drop = dropping(draws.fold_in(key, j + 1), values["dropout"]) if dropout else None
        f, g = gradient(engine, plan, w, part, mask, values["l2"], drop)
        step = ops.cast(epoch * steps + j, engine.dtype_name(w))
        w, slots = optimizer.update(w, g, slots, values["rate"], step)
        return (w, slots), f * ops.sum(real)

    items = (ops.reshape(order, (steps, batch)), ops.reshape(real, (steps, batch)), engine.arange(steps))
    (w, slots), errors = engine.scan(one, (point[0], slots), items)
    return (w, ops.sum(errors) / n, point[2]), slots


class Course:
    """What SciPy's callback keeps: errors of all epochs, the best weights, and whether to stop."""

    def __init__(self, w: np.ndarray, goal: float, patience: int, held: Callable[[np.ndarray], float] | None) -> None:
        self.w, self.goal, self.patience, self.held = w.copy(), goal, patience, held
        self.errors: list[tuple[float, float]] = []
        self.best = (w, np.inf, 0)
        self.say: Callable[[int, float], None] = lambda epoch, error: None

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        self.w, error = intermediate_result.x.copy(), float(intermediate_result.fun)
        beyond = 0.0 if self.held is None else self.held(self.w)
        self.errors.append((error, beyond))
        self.say(len(self.errors), error)
        if self.held is not None:
            self.best = (self.w, beyond, 0) if beyond < self.best[1] else (*self.best[:2], self.best[2] + 1)
        if error <= self.goal or self.best[2] >= self.patience:
            raise StopIteration


def minimized(
    name: str, fun: Callable[[np.ndarray], tuple[float, np.ndarray]], w: np.ndarray, epochs: int, course: Course
) -> None:
    """SciPy's algorithm from w, an iteration an epoch; `course` holds what came out.

    Where its line search fails it begins anew from there, as long as that leads on: an estimate of the curvature that
    rounding has spoilt is forgotten.
    """
    tight = {
        "bfgs": {"gtol": 1e-8},
        "lbfgs": {"gtol": 1e-8, "ftol": 1e-14, "maxfun": 100 * epochs},
        "ncg": {"xtol": 1e-10},
    }
    done = -1
    while done < len(course.errors) < epochs:
        done = len(course.errors)
        options = {"maxiter": epochs - done, **tight[name]}
        found = minimize(fun, course.w, jac=True, method=algorithms.SCIPY[name], callback=course, options=options)
        if found.status != STUCK:
            break


def goes_on(network: Any) -> bool:
    """Whether its algorithm can be stopped and go on, as `partial_fit` needs; SciPy's cannot."""
    return network.algorithm not in algorithms.SCIPY


def check_finite(network: Any, error: float, epochs: int) -> None:
    """Raise NonFiniteError unless the error of a training of so many epochs is a number."""
    if not np.isfinite(error):
        raise NonFiniteError(
            f"The error of {type(network).__name__} was {error} after epoch {epochs}. Take a smaller learning_rate, "
            f"and features of about unit scale."
        )
