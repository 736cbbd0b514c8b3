"""The rules of Elman's and Jordan's networks: answers, errors, gradients through time, training."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from neuroloom import activations, ops, optimizers
from neuroloom.engines import Engine
from neuroloom.networks.base import costs
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.typing import Array, Tree

CLIP = 1.0
"""Longest gradient of "adam": back-propagation through many steps may give a very long one."""

ADAM = optimizers.Adam(epsilon=1e-4, global_clipnorm=CLIP)


class Form(NamedTuple):
    """How a network answers; programs are compiled for it.

    Attributes:
        classify: softmax and cross-entropy, else squared errors.
        each: a target at every step, else after the last.
        activation: of the hidden layer.
        output: of the outputs that are numbers.
    """

    classify: bool
    each: bool
    activation: Any = "tanh"
    output: Any = "linear"


def steps_costs(a: Any, step: float) -> float:
    """What a way through all steps of time costs, where a step costs so much beside its products."""
    x = a.data[0] if hasattr(a, "data") else a.x
    w = sum(part.size for part in a.weights) if hasattr(a, "weights") else a.w.size
    return len(x) * (step + x.shape[1] * w / 300)


def run_through(engine: Engine, weights: Any, x: Array, real: Array | None, memory: Array | None, start: Array,
                form: Form) -> tuple[Array, Array]:  # fmt: skip
    """What is heard after each step, and V h + c at each: (steps, sequences, units), (steps, sequences, outputs).

    Args:
        real: (steps, sequences, 1), whether there is such a step; where not, what is heard stays. None: all.
        memory: None is Elman's network, else Jordan's μ.
        start: what is heard at the first step.
    """
    w_in, w_back, b, v, c = weights
    activation = activations.get(form.activation)

    def step(heard: Array, item: Any) -> Any:
        u, there = (item, None) if real is None else item
        h = activation(u + heard @ w_back)
        z = h @ v + c
        after = h if memory is None else memory * heard + answer_of(z, form)
        after = after if there is None else ops.where(there, after, heard)
        return after, (after, z)

    driven = x @ w_in + b  # (steps, sequences, units)
    found: tuple[Array, Array] = engine.scan(step, start, driven if real is None else (driven, real))[1]
    return found


def answer_of(z: Array, form: Form) -> Array:
    """Probabilities or numbers from the sums of the outputs."""
    return ops.softmax(z, axis=-1) if form.classify else activations.get(form.output)(z)


def sums(engine: Engine, weights: Any, x: Array, real: Array | None, memory: Array | None, start: Array,
         form: Form) -> Array:  # fmt: skip
    """V h + c at every step, or at the last step of each sequence."""
    found = run_through(engine, weights, x, real, memory, start, form)[1]
    if form.each:
        return found
    if real is None:
        return found[-1]
    there = ops.cast(real, engine.dtype_name(found))
    after = ops.concat([there[1:], there[:1] * 0], axis=0)
    return ops.sum(found * (there - after), axis=0)


@costs(lambda a: steps_costs(a, 25))
def outputs(engine: Engine, weights: Any, x: Array, real: Array | None, memory: Array | None, start: Array, *,
            form: Form) -> Array:  # fmt: skip
    """What the network says of x (steps, sequences, features): (steps, sequences, outputs), or the last of them."""
    return answer_of(sums(engine, weights, x, real, memory, start, form), form)


@costs(lambda a: steps_costs(a, 25))
def heard(engine: Engine, weights: Any, x: Array, real: Array | None, memory: Array | None, start: Array, *,
          form: Form) -> Array:  # fmt: skip
    """What is heard after each step, (steps, sequences, units)."""
    return run_through(engine, weights, x, real, memory, start, form)[0]


def loss(engine: Engine, weights: Any, data: Any, memory: Array | None, *, form: Form) -> Array:
    """Mean squared error, or mean cross-entropy, over the steps that there are."""
    x, real, targets = data
    start = ops.zeros_like(x[0] @ weights[0] @ weights[1].T)
    z = sums(engine, weights, x, real, memory, start, form)
    if form.classify:
        values = -ops.sum(targets * ops.log_softmax(z, axis=-1), axis=-1)
    else:
        values = ops.mean(ops.square(answer_of(z, form) - targets), axis=-1)
    if real is None or not form.each:
        return ops.mean(values)
    there = ops.cast(real[:, :, 0], engine.dtype_name(values))
    return ops.sum(values * there) / ops.sum(there)


def parts(w: Any, shapes: tuple[tuple[int, ...], ...]) -> tuple[Any, ...]:
    """The weights of one vector."""
    found, first = [], 0
    for shape in shapes:
        n = math.prod(shape)
        found.append(ops.reshape(w[first : first + n], shape))
        first += n
    return tuple(found)


@costs(lambda a: 100 * steps_costs(a, 280))
def gradient(engine: Engine, w: Array, data: Any, memory: Array | None, *, shapes: Any, form: Form) -> Any:
    """The error and its gradient, through all steps of time, for weights as one vector."""

    def error(w: Array) -> tuple[Array, tuple[()]]:
        return loss(engine, parts(w, shapes), data, memory, form=form), ()

    (f, _), g = engine.value_and_grad(error)(w)
    return f, g


@costs(lambda a: len(a.curve) * steps_costs(a, 280) * (5 if a.algorithm in ("cgf", "cgp") else 1))
def descend(
    engine: Engine, w: Array, slots: Tree, curve: Array, data: Any, memory: Array | None, rate: Array, goal: Array,
    first: Array, *, shapes: Any, form: Form, algorithm: str, momentum: float,
) -> Any:  # fmt: skip
    """Iterations number `first` and so on, as many as `curve` is long, fewer if the error reaches the goal.

    Returns:
        (weights, slots, the error after each iteration, iterations done).
    """

    def evaluate(w: Array) -> tuple[Array, Array]:
        found: tuple[Array, Array] = gradient(engine, w, data, memory, shapes=shapes, form=form)
        return found

    problem = algorithms.Problem(engine, evaluate, lambda w: w)

    def step(i: Any, state: Any) -> Any:
        point, slots, curve, done = state
        if algorithm == "adam":
            w, slots = ADAM.update(point[0], ADAM.clip(point[2]), slots, rate, first + i)
            point = (w, *evaluate(w))
        else:
            point, slots = algorithms.algorithm(algorithm, momentum).step(problem, point, slots, rate)
        curve = ops.where(engine.arange(curve.shape[0]) == i, point[1], curve)
        go_on = point[1] > goal  # not so where it is NaN
        if "still" in slots:
            go_on = go_on & (slots["still"] < 2)
        return (point, slots, curve, done + 1), go_on

    start = (w, *evaluate(w)), slots, curve, first * 0
    point, slots, curve, done = engine.loop(0, curve.shape[0], step, start)
    return point[0], slots, curve, done
