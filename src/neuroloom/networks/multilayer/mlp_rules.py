"""Feed-forward networks as pure functions of one vector of weights: what is connected, outputs, errors, first weights.

The vector holds the matrices of all links, (units of the one layer, units of the other), and then the biases of all
layers after the inputs. One vector compiles to few and large operations, and is what the classical algorithms are
written for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuroloom import activations, initializers, losses, ops
from neuroloom.config import Check
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import costs, direct
from neuroloom.ops import draws
from neuroloom.typing import Array, Key

ROWS = 512
"""Rows whose slopes are held at a time."""

CALLS = 100
"""How often SciPy's algorithms ask for a gradient, to reckon with."""

RANGES = {"tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0)}
"""Between which values the units of an activation lie."""

POSITIVE = (0.0, np.inf)
REACH = {**RANGES, "softmax": (0.0, 1.0), "relu": POSITIVE, "softplus": POSITIVE, "exponential": POSITIVE}
"""Between which values outputs of an activation lie; others reach all numbers, or nearly."""


class Plan(NamedTuple):
    """What a network is, beside its weights; programs are compiled for it.

    Attributes:
        sizes: units of each layer, the inputs first.
        activations: of each hidden layer.
        links: (from layer, to layer), layers counted from 0, the inputs.
        loss: the name of a loss, a loss, or a function.
        output: the activation of the last layer; None is the one that belongs to the loss.
    """

    sizes: tuple[int, ...]
    activations: tuple[Any, ...]
    links: tuple[tuple[int, int], ...]
    loss: Any
    output: Any = None


class Links(Check):
    """Connections between layers, with a mask or None each; whether they fit the layers is seen in `fit`."""

    expects = "a list of (from layer, to layer) or (from layer, to layer, mask of 0 and 1)"

    def __call__(self, value: Any) -> tuple[tuple[int, int, Any], ...]:
        if not isinstance(value, list | tuple) or not value:
            raise self.refuse()
        return tuple(self._link(link) for link in value)

    def _link(self, link: Any) -> tuple[int, int, Any]:
        if not isinstance(link, list | tuple) or len(link) not in (2, 3):
            raise self.refuse()
        if any(isinstance(end, bool) or not isinstance(end, int | np.integer) for end in link[:2]):
            raise self.refuse()
        mask = np.asarray(link[2]) if len(link) == 3 and link[2] is not None else None
        if mask is not None and (mask.ndim != 2 or not np.isin(mask, (0, 1)).all()):
            raise self.refuse()
        return int(link[0]), int(link[1]), mask


# ---------------------------------------------------------------------------------------------- what is connected


def chain(layers: int) -> tuple[tuple[int, int, None], ...]:
    """Each layer to the next."""
    return tuple((i, i + 1, None) for i in range(layers - 1))


def check_links(links: Sequence[tuple[int, int, Any]], sizes: tuple[int, ...]) -> None:
    """Raise ConfigurationError or ShapeError unless the links make a feed-forward network of these layers."""
    last = len(sizes) - 1
    pairs = [(a, b) for a, b, _ in links]
    for a, b, mask in links:
        if not 0 <= a < b <= last:
            raise ConfigurationError(
                f"connections expected pairs (from, to) with 0 <= from < to <= {last}, received ({a}, {b}). Layer 0 is "
                f"the inputs, {last} the outputs."
            )
        if pairs.count((a, b)) > 1:
            raise ConfigurationError(f"connections expected each pair once, received ({a}, {b}) twice.")
        if mask is not None and mask.shape != (sizes[a], sizes[b]):
            raise ShapeError(
                f"connections expected a mask of shape ({sizes[a]}, {sizes[b]}) for ({a}, {b}), received {mask.shape}."
            )
    for layer in range(last + 1):
        if (layer and not any(b == layer for _, b in pairs)) or (
            layer < last and not any(a == layer for a, _ in pairs)
        ):
            raise ConfigurationError(
                f"connections expected each layer to be reached and to lead on, received {pairs}, in which layer "
                f"{layer} does not."
            )


def shapes(plan: Plan) -> list[tuple[int, int]]:
    """The shapes of the links' matrices, then of the biases, each as one row."""
    return [*((plan.sizes[a], plan.sizes[b]) for a, b in plan.links), *((1, size) for size in plan.sizes[1:])]


def filled(plan: Plan, links: Sequence[tuple[int, int, Any]]) -> list[np.ndarray]:
    """The links' masks, ones where there is none."""
    return [np.ones((plan.sizes[a], plan.sizes[b])) if mask is None else mask for a, b, mask in links]


def parts(plan: Plan, w: Array) -> tuple[list[Array], list[Array]]:
    """The links' matrices and the layers' biases; of several vectors (n, weights) each with the axis n before."""
    found, start = [], 0
    for rows, columns in shapes(plan):
        found.append(ops.reshape(w[..., start : start + rows * columns], (*w.shape[:-1], rows, columns)))
        start += rows * columns
    return found[: len(plan.links)], found[len(plan.links) :]


def joined(kernels: Sequence[Any], biases: Sequence[Any]) -> np.ndarray:
    """The vector of these parts, on the host."""
    return np.concatenate([np.asarray(part, np.float64).ravel() for part in (*kernels, *biases)])


# ----------------------------------------------------------------------------------------------- outputs and errors


def outputs(plan: Plan, w: Array, x: Array, drop: Callable[[Array, int], Array] | None = None) -> Array:
    """The sums of the last layer, (rows, units).

    Args:
        drop: what to do with the values of hidden layer number so and so.
    """
    return forward(plan, *parts(plan, w), x, drop)[0]


def forward(
    plan: Plan, kernels: Sequence[Array], biases: Sequence[Array], x: Array,
    drop: Callable[[Array, int], Array] | None = None,
) -> tuple[Array, list[Array]]:  # fmt: skip
    """The sums of the last layer, and the values of all layers before it. A bias may have a row for each of x."""
    layers = [x]
    for to, z in enumerate(biases, start=1):
        for (a, b), kernel in zip(plan.links, kernels, strict=True):
            z = z + layers[a] @ kernel if b == to else z
        if to < len(biases):
            z = activations.get(plan.activations[to - 1])(z)
            z = z if drop is None else drop(z, to)
        layers.append(z)
    return layers[-1], layers[:-1]


def dropping(key: Key, rate: Array) -> Callable[[Array, int], Array]:
    """Sets values to 0 with probability `rate` and divides the others by 1 - rate."""

    def drop(z: Array, layer: int) -> Array:
        keep = draws.uniform(draws.fold_in(key, layer), tuple(z.shape)) >= rate
        return ops.where(keep, z / (1 - rate), 0.0)

    return drop


def objective(plan: Plan, w: Array, data: Any, l2: Array, drop: Any = None) -> Array:
    """Σᵢ sᵢ L(tᵢ, ŷᵢ) + ½ l2 Σ w², biases apart, for data x, targets t, and s."""
    x, t, s = data
    loss, z = losses.get(plan.loss), outputs(plan, w, x, drop)
    if isinstance(loss, losses.Crossentropy) and plan.output in (None, loss.activation):
        values = loss.logit_values(t, z)
    else:
        values = loss.values(t, _last(plan)(z))
    if tuple(values.shape) != tuple(s.shape):
        raise ShapeError(
            f"loss expected one number per row, {tuple(s.shape)}, received values of shape {tuple(values.shape)}. Take "
            f"the mean over the outputs: ops.mean(..., axis=-1)."
        )
    kernels = w[: sum(plan.sizes[a] * plan.sizes[b] for a, b in plan.links)]
    return ops.sum(s * values) + 0.5 * l2 * ops.sum(ops.square(kernels))


def gradient(engine: Engine, plan: Plan, w: Array, data: Any, mask: Array, l2: Array, drop: Any = None) -> Any:
    """The objective and its gradient, which is 0 where the mask is."""

    def value(w: Array) -> tuple[Array, tuple[()]]:
        return objective(plan, w * mask, data, l2, drop), ()

    (f, _), g = engine.value_and_grad(value)(w)
    return f, g


def gradient_costs(plan: Plan, n: int) -> float:
    """What `gradient` costs for n rows."""
    weights = sum(plan.sizes[a] * plan.sizes[b] for a, b in plan.links)
    return 400 + 300 * len(plan.links) + n * (weights / 100 + sum(plan.sizes) / 15)


def jacobian(engine: Engine, plan: Plan, w: Array, x: Array, mask: Array, output: int) -> Array:
    """∂ŷ/∂w of one output for each row of x, (rows, weights), by backpropagation; 0 where the mask is.

    What a bias is to one row gives the slope of each unit's sum; a weight's is that times the value that it carries.
    """
    n = x.shape[0]
    kernels, biases = parts(plan, w * mask)

    def total(each: list[Array]) -> tuple[Array, list[Array]]:
        z, layers = forward(plan, kernels, each, x)
        return ops.sum(z[:, output]), layers

    (_, layers), slopes = engine.value_and_grad(total)([ops.broadcast_to(b, (n, b.shape[-1])) for b in biases])
    into = [layers[a][:, :, None] * slopes[b - 1][:, None, :] for a, b in plan.links]
    return ops.concat([*(ops.reshape(part, (n, -1)) for part in into), *slopes], axis=1) * mask


def curvature(engine: Engine, plan: Plan, w: Array, data: Any, mask: Array, l2: Array) -> Array:
    """The Gauss-Newton part of the objective's second derivatives: 2/k Σ s ∇ŷ ∇ŷᵀ over rows and k outputs, and l2.

    The rows are taken ROWS at a time, so that there are never more slopes than of so many. What lies below the diagonal
    is mostly what lies above: a quarter of the products is not computed.
    """
    x, _, s = data
    k, n, size = plan.sizes[-1], x.shape[0], w.shape[0]
    numbers = engine.arange(size)
    decay = ops.cast(numbers < size - sum(plan.sizes[1:]), engine.dtype_name(w)) * l2
    half = size // 2

    def add(totals: Any, block: Any) -> Any:
        x, s = block
        above, corner = totals
        for output in range(k):
            j = jacobian(engine, plan, w, x, mask, output) * ops.sqrt((2 / k) * s)[:, None]
            above, corner = above + j[:, :half].T @ j, corner + j[:, half:].T @ j[:, half:]
        return (above, corner), s[:0]

    start = ops.where(numbers[:, None] == numbers, decay * mask, 0.0)
    totals = start[:half], start[half:, half:]
    if n <= ROWS:
        totals = add(totals, (x, s))[0]
    else:
        more = -n % ROWS
        blocks = ops.pad(x, ((0, more), (0, 0))), ops.pad(s, ((0, more),))
        in_blocks = tuple(ops.reshape(part, (-1, ROWS, *part.shape[1:])) for part in blocks)
        totals = engine.scan(add, totals, in_blocks)[0]
    above, corner = totals
    return ops.concat([above, ops.concat([above[:, half:].T, corner], axis=1)], axis=0)


@direct
def answers(engine: Engine, w: Array, x: Array, *, plan: Plan) -> Array:
    """What the network says of each row: its outputs, or probabilities, (rows, outputs)."""
    return _last(plan)(outputs(plan, w, x))


def _last(plan: Plan) -> Callable[[Array], Array]:
    """The activation of the last layer."""
    return activations.get(losses.get(plan.loss).activation if plan.output is None else plan.output)


@costs(lambda a: CALLS * gradient_costs(a.plan, len(a.data[0])))
def value_and_gradient(engine: Engine, w: Array, data: Any, mask: Array, l2: Array, *, plan: Plan) -> Any:
    """`gradient` as a program of its own."""
    return gradient(engine, plan, w, data, mask, l2)


# ----------------------------------------------------------------------------------------- first weights, on the host


def first_weights(
    plan: Plan, masks: Sequence[np.ndarray], init: Any, ends: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """The vector of weights to begin with; 0 where a mask is.

    Args:
        init: "nguyen-widrow", or an initializer for the matrices beside biases of 0.
        ends: the least and the largest value of each input.
    """
    if init != "nguyen-widrow":
        kernels = [initializers.get(init)(mask.shape, rng) * mask for mask in masks]
        return joined(kernels, [np.zeros(size) for size in plan.sizes[1:]])
    spans = [ends, *(_span(name, size) for name, size in zip(plan.activations, plan.sizes[1:], strict=False))]
    kernels, biases = [np.zeros(0)] * len(masks), []
    for to in range(1, len(plan.sizes)):
        into = [i for i, (_, b) in enumerate(plan.links) if b == to]
        low, high = (np.concatenate([spans[plan.links[i][0]][side] for i in into]) for side in (0, 1))
        kernel, bias = nguyen_widrow(np.vstack([masks[i] for i in into]), low, high, to < len(plan.sizes) - 1, rng)
        rows = np.cumsum([masks[i].shape[0] for i in into])[:-1]
        for i, block in zip(into, np.split(kernel, rows), strict=True):
            kernels[i] = block
        biases.append(bias)
    return joined(kernels, biases)


def _span(activation: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = RANGES.get(activation, (-1.0, 1.0))
    return np.full(size, low), np.full(size, high)


def nguyen_widrow(
    mask: np.ndarray, low: np.ndarray, high: np.ndarray, hidden: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (inputs, units) and biases with which each unit bends in another part of the inputs' range.

    For N inputs in [-1, 1] and H units: each unit's weights from U(-1, 1), brought to the length 0.7 H^(1/N), the bias
    from U(±that length); then moved to inputs from `low` to `high`. Units of the last layer: U(-½, ½).
    """
    inputs, units = mask.shape
    kernel: np.ndarray = rng.uniform(-1, 1, (inputs, units)) * mask
    bias: Any = rng.uniform(-1, 1, units)
    if not hidden:
        return kernel / 2, bias / 2
    length = 0.7 * units ** (1 / np.maximum(mask.sum(axis=0), 1))
    kernel *= length / np.maximum(np.linalg.norm(kernel, axis=0), 1e-12)
    half = np.where(high > low, (high - low) / 2, 1.0)
    kernel /= half[:, None]
    return kernel, bias * length - ((high + low) / 2) @ kernel
