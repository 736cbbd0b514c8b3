"""Random values: other ones at each run, and for equal seeds equal ones on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuroloom import ops
from neuroloom.ops import draws
from neuroloom.ops.graph import Node
from neuroloom.session.evaluate import Run, Special, special
from neuroloom.session.functions import cast
from neuroloom.session.graph import Tensor, get_default_graph, seed_of
from neuroloom.session.values import config_dtype


class Random(Special):
    """Numbers of a distribution.

    Args:
        kind: 'uniform', 'normal' or 'truncated'.
        shape: None takes that of the node's argument.
        low, high: the range of 'uniform'; mean and standard deviation of the others.
    """

    draws = True

    def __init__(
        self, kind: str, shape: tuple[int, ...] | None, low: float, high: float, seed: tuple[int, int]
    ) -> None:
        self.kind, self.shape, self.low, self.high, self.seed = kind, shape, low, high, seed
        self.label = f"random {kind}"

    def apply(self, run: Run, node: Tensor) -> Any:
        shape = self.shape if self.shape is not None else tuple(run.values[node.args[0]].shape)
        key = draws.fold_in(draws.fold_in(run.key, self.seed[0] % 2**31), self.seed[1] % 2**31)
        if self.kind == "uniform":
            value = self.low + (self.high - self.low) * draws.uniform(key, shape)
        else:
            value = self.low + self.high * (draws.truncated if self.kind == "truncated" else draws.normal)(key, shape)
        value = ops.floor(value) if node.dtype.startswith(("int", "uint")) else value
        return run.engine.astype(value, node.dtype)


def _random(kind: str, base: str, shape: Any, low: float, high: float, dtype: Any, seed: Any, name: Any) -> Tensor:
    graph = get_default_graph()
    name = graph.unique(name or base)
    if not all(isinstance(limit, int | float) for limit in (low, high)):
        return _scaled(kind, shape, low, high, config_dtype(dtype) or "float32", seed, name)
    call = Random(kind, tuple(int(n) for n in shape), low, high, seed_of(graph, name, seed))
    return special(graph, f"/{name}", call, (), call.shape, config_dtype(dtype) or "float32")


def _scaled(kind: str, shape: Any, low: Any, high: Any, dtype: str, seed: Any, name: str) -> Tensor:
    """The same for limits that are values of the graph, or arrays."""
    number = "float32" if "int" in dtype else dtype
    low, high = (cast(limit, number) for limit in (low, high))
    drawn = _random(kind, f"{name}/standard", shape, 0.0, 1.0, number, seed, None)
    value = low + (high - low if kind == "uniform" else high) * drawn
    with value.graph.naming(f"/{name}"):
        return ops.cast(ops.floor(value) if number != dtype else value, dtype)


def random_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers from N(mean, stddev²)."""
    return _random("normal", "random_normal", shape, mean, stddev, dtype, seed, name)


def truncated_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers from N(mean, stddev²) that lie within two standard deviations."""
    return _random("truncated", "truncated_normal", shape, mean, stddev, dtype, seed, name)


def random_uniform(
    shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: Any = "float32", seed: int | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers from [minval, maxval)."""
    return _random("uniform", "random_uniform", shape, minval, maxval, dtype, seed, name)


def uniform_like(x: Node, seed: int | None, name: str) -> Tensor:
    """Numbers from [0, 1) in the shape that x has at the run."""
    graph = x.graph  # type: ignore[attr-defined]
    name = graph.unique(name)
    return special(
        graph, f"/{name}", Random("uniform", None, 0.0, 1.0, seed_of(graph, name, seed)), (x,), x.shape, "float32"
    )


def set_random_seed(seed: int) -> None:
    """The seed of the graph: the same program then draws the same numbers in each new Session."""
    get_default_graph().seed = int(seed)
