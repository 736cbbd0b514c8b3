"""What every optimizer is: a frozen configuration, `init(params)`, and a pure `update`.

A rule says what happens to one weight; this file carries it over a tree of weights and clips gradients.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, Self, TypeVar

import numpy as np

from neuroloom import config, engines, ops, tree
from neuroloom.config import Configured, Positive
from neuroloom.errors import ConfigurationError
from neuroloom.optimizers.schedules import Schedule
from neuroloom.typing import Array, Tree


class Rate(config.Check):
    """A learning rate: a positive number, or a schedule (as an object or as its configuration)."""

    expects = "a positive number or a schedule"
    number = config.Number(0, open_low=True, expects=expects)

    def __call__(self, value: Any) -> float | Schedule:
        return config.get("schedule", value) if isinstance(value, Schedule | dict) else self.number(value)


F = TypeVar("F", bound=Callable[..., Any])
LearningRate = Annotated[Any, Rate()]
Momentum = Annotated[float, config.Number(0, 1, expects="a number from 0 to 1")]


def fused(name: str) -> Callable[[F], F]:
    """Name a rule, so that an engine's fused form of it is found (`Engine.update_rule`)."""

    def named(rule: F) -> F:
        rule.fused = name  # type: ignore[attr-defined]
        return rule

    return named


class Optimizer(Configured, kind="optimizer"):
    """A rule that makes better weights from weights and gradients.

    A subclass gives `slots` (what it remembers per weight) and `rule` (what it does to one weight).

    Args:
        learning_rate: a positive number or a `schedules.Schedule`.
        clipnorm: the largest Euclidean norm of the gradient of each weight.
        clipvalue: the largest magnitude of each element of a gradient.
        global_clipnorm: the largest Euclidean norm of all gradients taken as one vector.

    Raises:
        ConfigurationError: for values out of range, and for more than one of the three ways to clip.
    """

    renamed = {"lr": "learning_rate"}  # an annotation would make it a field

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__setattr__ = _set  # type: ignore[assignment,method-assign]

    learning_rate: LearningRate = 0.001
    clipnorm: Positive | None = dataclasses.field(default=None, kw_only=True)
    clipvalue: Positive | None = dataclasses.field(default=None, kw_only=True)
    global_clipnorm: Positive | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("clipnorm", "clipvalue", "global_clipnorm")
        given = [f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigurationError(
                f"{type(self).__name__} expected at most one of {', '.join(names)}, "
                f"received {' and '.join(given)}. Choose one way to clip."
            )

    def of_model(self, model: Any) -> Self:
        """A copy with the learning rate of a model; setting it there sets the model's."""
        copied = copy.copy(self)
        object.__setattr__(copied, "learning_rate", model.learning_rate)
        object.__setattr__(copied, "_model", model)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_model"}

    # ----------------------------------------------------------------------------------------- for subclasses

    def slots(self) -> dict[str, float]:
        """What is remembered per weight: name -> the number that fills it at first."""
        return {}

    def scalars(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        """The numbers that `rule` needs, worked out once for all weights; `step` counts from 0."""
        return (learning_rate,)

    def rule(self, p: Array, g: Array, slots: tuple[Array, ...], scalars: tuple[Any, ...]) -> tuple[Array, ...]:
        """One weight's step: (p, *slots) from the weight p, its gradient g and its slots; plain arithmetic."""
        raise NotImplementedError  # abstract

    # ------------------------------------------------------------------------------------------ for training

    def init(self, params: Tree) -> Tree:
        """The state before the first step: slot name -> a tree like `params`.

        >>> import numpy as np
        >>> from neuroloom.optimizers import Adam
        >>> Adam().init({"kernel": np.ones((1, 2))})
        {'momentum': {'kernel': array([[0., 0.]])}, 'velocity': {'kernel': array([[0., 0.]])}}
        """
        return {
            name: tree.map(lambda p, fill=fill: engines.of(p).full_like(p, fill), params)
            for name, fill in self.slots().items()
        }

    def update(self, params: Tree, grads: Tree, state: Tree, learning_rate: Any, step: Any) -> tuple[Tree, Tree]:
        """Take one step: `(params, state)` for arrays of any engine.

        Args:
            params: the weights.
            grads: their gradients, a tree like `params`.
            state: what `init` or the last `update` returned.
            learning_rate: a number or a scalar array.
            step: how many updates came before, a whole number or a scalar array.

        >>> import numpy as np
        >>> from neuroloom.optimizers import SGD
        >>> params, grads = {"bias": np.array([1.0, 2.0])}, {"bias": np.array([1.0, -1.0])}
        >>> SGD().update(params, grads, SGD().init(params), learning_rate=0.25, step=0)[0]
        {'bias': array([0.75, 2.25])}
        """
        scalars = self.scalars(_number(learning_rate), _number(step))
        names = list(self.slots())  # their order counts; that of `state` may be sorted by a compiler

        def one(p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
            engine = engines.of(p)
            dtype = engine.dtype_name(p)
            fitting = tuple(s if isinstance(s, float) else engine.astype(s, dtype) for s in scalars)
            return self.rule(p, g, slots, fitting)

        results = tree.map(one, params, grads, *(state[name] for name in names))

        def part(i: int) -> Tree:
            return tree.map(lambda _, result: result[i], params, results)

        return part(0), {name: part(i) for i, name in enumerate(names, start=1)}

    def overwrite(self, params: Tree, grads: Tree, state: Tree, learning_rate: Any, step: Any) -> tuple[Tree, Tree]:
        """`update`, for a caller who gives `params` and `state` up: where the engine has this rule in a fused form,
        the results lie in their memory.
        """
        scalars, leaves = self.scalars(_number(learning_rate), _number(step)), tree.leaves(params)
        rule = engines.of(*leaves).update_rule(getattr(self.rule, "fused", "")) if leaves else None
        if rule is None or not all(isinstance(s, float) for s in scalars):
            return self.update(params, grads, state, learning_rate, step)
        rule(self, leaves, tree.leaves(grads), tuple(tree.leaves(state[name]) for name in self.slots()), scalars)
        return params, state

    def clip(self, grads: Tree) -> Tree:
        """The gradients, made smaller where this optimizer's clipping says so.

        clipnorm c:         g · c / max(‖g‖, c) for the gradient g of each weight
        clipvalue c:        min(max(g, -c), c)
        global_clipnorm c:  g · c / max(‖(g₁, g₂, ...)‖, c)

        >>> import numpy as np
        >>> from neuroloom.optimizers import SGD
        >>> SGD(clipnorm=1.0).clip({"kernel": np.array([3.0, 4.0]), "bias": np.array([0.0])})
        {'kernel': array([0.6, 0.8]), 'bias': array([0.])}
        """
        if self.clipvalue is not None:
            limit = self.clipvalue
            return tree.map(lambda g: ops.clip(g, -limit, limit), grads)
        if self.clipnorm is not None:
            limit = self.clipnorm
            return tree.map(lambda g: _shorten(g, _norm(g), limit), grads)
        if self.global_clipnorm is not None and (norms := [_norm(g) for g in tree.leaves(grads)]):
            limit, whole = self.global_clipnorm, _norm(ops.stack(norms))
            return tree.map(lambda g: _shorten(g, whole, limit), grads)
        return grads


def _set(self: Optimizer, name: str, value: Any) -> None:
    """Optimizers are frozen, but for the learning rate of one that a model gave."""
    model = vars(self).get("_model")
    if name != "learning_rate" or model is None:
        raise dataclasses.FrozenInstanceError(
            f"{type(self).__name__} cannot be changed: the {name} is fixed when it is made. Set model.learning_rate or "
            f"model.optimizer.learning_rate, or compile with another optimizer."
        )
    model.learning_rate = value
    object.__setattr__(self, name, model.learning_rate)


def _number(value: Any) -> Any:
    """NumPy's numbers as Python's, which take on the dtype of the weights; others as they are."""
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def _norm(g: Array) -> Array:
    return engines.of(g).xp.linalg.vector_norm(g)


def _shorten(g: Array, norm: Array, limit: float) -> Array:
    scale = limit / ops.maximum(norm, limit)
    return g * ops.cast(scale, engines.of(g).dtype_name(g))
