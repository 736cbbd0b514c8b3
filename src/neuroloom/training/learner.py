"""Learning that is a user's own: losses of networks, and the moves that make each of them small.

A `Moves` is to a `Learner` what a `Task` is to a compiled model: its `train` and `test` are pure functions

    train(state, fixed, batch, key) -> (state, row)

for the loop of `loop.py`. Random numbers of a loss come from `ops.draws`, so that they are equal on every engine.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neuroloom import config, engines, ops, regularizers, tree
from neuroloom.engines import Engine, Spec
from neuroloom.errors import ConfigurationError
from neuroloom.layers import Context, Layer, Run
from neuroloom.layers.parts import copied, signature_of, specs_of
from neuroloom.ops import draws
from neuroloom.optimizers import Optimizer
from neuroloom.optimizers.schedules import Schedule
from neuroloom.training.step import Mean
from neuroloom.typing import Array, Function, Key, Tree


@dataclass(frozen=True)
class Move:
    """Steps of some networks down the gradient of a loss, in the order in which a learner lists its moves.

    Args:
        name: of the move; its optimizer and its loss in the logs are known by it.
        trains: the attributes of the networks whose weights the move changes; by default the one of its name.
        loss: the method that gives the loss; by default `{name}_loss`.
        times: steps per batch, each with fresh random numbers.
    """

    name: str
    trains: tuple[str, ...] | str | None = None
    loss: str | None = None
    times: int = 1

    def __post_init__(self) -> None:
        config.checked("times", self.times, config.Integer(1))

    @property
    def networks(self) -> tuple[str, ...]:
        """The attributes of the networks that are trained."""
        given = self.name if self.trains is None else self.trains
        return (given,) if isinstance(given, str) else tuple(given)

    @property
    def method(self) -> str:
        """The name of the method that gives the loss."""
        return self.loss or f"{self.name}_loss"


class Batch(dict[str, Any]):
    """What a step sees: `batch.x`, `batch.y` and `batch.weight`, in the structure in which they were given."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"A batch has x, y and weight, not {name!r}.") from None


class LossContext(Context):
    """The context of a loss: `training`, `key()` for layers, and random numbers that are equal on every engine."""

    __slots__ = ("_count", "_words")

    def __init__(self, run: Run, words: Key) -> None:
        super().__init__(run=run)
        self._words, self._count = words, 0

    def _next(self) -> Key:
        self._count += 1
        return draws.fold_in(self._words, self._count)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Numbers from N(0, 1)."""
        return draws.normal(self._next(), tuple(shape))

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Numbers from [0, 1)."""
        return draws.uniform(self._next(), tuple(shape))

    def integers(self, shape: tuple[int, ...], high: int) -> Array:
        """Whole numbers from 0 to high - 1."""
        return draws.integers(self._next(), tuple(shape), high)


class LossLayer(Layer, abstract=True):
    """A learner's losses as a layer; the layers in it are its networks.

    Args:
        learner: the object whose methods give the losses.
    """

    learner: Any

    _pure = False

    @property
    def label(self) -> str:
        return type(self.learner).__name__

    @property
    def children(self) -> dict[str, Layer]:
        found: dict[str, Layer] = self.learner.networks()
        return found

    def compute(self, w: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ctx: Context) -> Any:
        batch, words = args
        return getattr(self.learner, kwargs["loss"])(self.learner, batch, LossContext(ctx.run, words))

    def check_result(self, value: Any) -> None:
        """`checked` looks at it, where the loss is needed."""

    def build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The layers inside find their weights when they are called."""

    def signature(self) -> Any:
        return LossLayer, self.learner.structure_signature(), self.trainable

    def copied(self, memo: dict[int, Any], number: Any = None) -> Layer:
        made = super().copied(memo, number)
        made.cell.specs, made.cell.traced = {}, True
        return made


@dataclass(frozen=True)
class Moves:
    """The moves of a learner, compiled.

    Attributes:
        network: the learner's losses as a layer.
        moves: what is done with each batch, in this order.
        rules: the optimizer of each move.
        like: the batch's structure: Specs of x, y and weight, of which the first length does not count.
        names: of what the losses log, in order.
    """

    network: LossLayer
    moves: tuple[Move, ...]
    rules: tuple[Optimizer, ...]
    like: Tree
    names: tuple[str, ...] = field(default=())

    targets = ()  # a learner checks its targets itself

    @property
    def optimizer(self) -> Optimizer:
        """That of the first move, whose learning rate a training may change."""
        return self.rules[0]

    def signature(self) -> Any:
        """The key of its compiled programs."""
        first = self.rules[0]
        if not isinstance(first.learning_rate, Schedule):
            first = replace(first, learning_rate=1.0)  # it is part of the state
        like = tuple((path, spec.shape[1:], spec.dtype) for path, spec in tree.items(self.like))
        return signature_of(self.network), self.moves, tuple(r.signature() for r in (first, *self.rules[1:])), like

    def detached(self) -> Moves:
        """A copy that holds no weights, for compiled programs to keep."""
        return replace(self, network=copied(self.network, {}))

    @property
    def columns(self) -> list[str]:
        """The names of a log row's numbers."""
        return ["loss", *self._parts, *self.names]

    @property
    def _parts(self) -> list[str]:
        return [f"{move.name}_loss" for move in self.moves] if len(self.moves) > 1 else []

    # -------------------------------------------------------------------------------------------------- state

    def trained(self, number: int) -> list[str]:
        """The paths of the weights that a move changes."""
        starts = tuple(f"{name}/" for name in self.moves[number].networks)
        everything = len(self.moves) == 1 and self.moves[0].trains == ()
        return [
            path
            for path, (_, trains) in specs_of(self.network).items()
            if trains and (everything or path.startswith(starts))
        ]

    def init_slots(self, params: dict[str, Array]) -> dict[str, Tree]:
        """What the optimizers remember, at the start."""
        return {
            move.name: rule.init({path: params[path] for path in self.trained(i) if path in params})
            for i, (move, rule) in enumerate(zip(self.moves, self.rules, strict=True))
        }

    def fresh_metrics(self, engine: Engine) -> Tree:
        """The means at the start of an epoch."""
        return {"means": [Mean.init(engine) for _ in self.columns]}

    # -------------------------------------------------------------------------------------------------- steps

    def train(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """All moves on one batch; a batch with a loss that is not finite changes no weight."""
        engine, step = engines.current(), state["step"]
        key, words = engine.fold_in(key, step), draws.fold_in(state["words"], step)
        params, frozen, slots = dict(state["params"]), dict(state["frozen"]), dict(state["slots"])
        losses: dict[str, Array] = {}
        logs: dict[str, Array] = {}
        number = 0
        for i, move in enumerate(self.moves):
            paths = self.trained(i)
            for k in range(move.times):
                mine = {path: params[path] for path in paths}
                rest = {**frozen, **{path: value for path, value in params.items() if path not in mine}}
                learn = self._recorded(engine, i)
                grads, updates, losses[move.name], said = learn(
                    mine, rest, batch, engine.fold_in(key, number), draws.fold_in(words, number)
                )
                rule, count = self.rules[i], step * move.times + k
                rate = self._rate(i, state, count)
                new, slots[move.name] = rule.update(mine, grads, slots[move.name], rate, count)
                params.update(new)
                frozen.update(updates)
                logs.update(said)
                number += 1
        total = functools.reduce(lambda a, b: a + b, losses.values())
        new = {"params": params, "slots": slots, "frozen": frozen, "step": step + 1}
        old = {name: state[name] for name in new}
        kept = engine.guarded(engine.is_finite(total), lambda: new, old)
        metrics, row = self._log(state["metrics"], total, losses, logs, batch)
        return {**state, **kept, "metrics": metrics}, row

    def _rate(self, number: int, state: Tree, count: Any) -> Any:
        given = self.rules[number].learning_rate
        if isinstance(given, Schedule):
            return given(count)
        return state["learning_rate"] if number == 0 else given

    def test(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """The losses of a batch; `fixed` holds the weights."""
        weights = {**fixed["params"], **fixed["frozen"]}
        losses, logs = {}, {}
        for i, move in enumerate(self.moves):
            words = draws.fold_in(fixed["words"], i)
            losses[move.name], said = self._loss(i, weights, batch, Run(key=key), words)
            logs.update(said)
        total = functools.reduce(lambda a, b: a + b, losses.values())
        metrics, row = self._log(state["metrics"], total, losses, logs, batch)
        return {"metrics": metrics}, row

    def _recorded(self, engine: Engine, number: int) -> Function:
        """The function below for one move, as the engine runs it often."""
        place = (engine.name, number)
        if place not in self._functions:
            self._functions[place] = engine.recorded(functools.partial(self._learn, number))
        return self._functions[place]

    @functools.cached_property
    def _functions(self) -> dict[tuple[str, int], Function]:
        return {}

    def _learn(self, number: int, mine: Tree, rest: Tree, batch: Tree, key: Key, words: Key) -> tuple[Any, ...]:
        """The gradient of a move's loss, updates of other weights, the loss, what it logs."""

        def loss_of(mine: Tree) -> tuple[Array, Any]:
            run = Run(True, key)
            total, logs = self._loss(number, {**mine, **rest}, batch, run, words)
            return total, (logs, run.updates)

        (total, (logs, updates)), grads = engines.current().value_and_grad(loss_of)(mine)
        return self.rules[number].clip(grads), updates, total, logs

    def _loss(self, number: int, weights: Tree, batch: Tree, run: Run, words: Key) -> tuple[Array, dict[str, Array]]:
        """A move's loss, with penalties and added losses, and what it logs."""
        move = self.moves[number]
        given = run.apply(
            self.network, tree.from_items(list(weights.items())), (self.batch(batch), words), {"loss": move.method}
        )
        total, logs = checked(given, move.method)
        for path, penalty in self._penalties(number):
            total = total + penalty(weights[path])
        return functools.reduce(lambda a, b: a + b, run.losses, total), logs

    def _penalties(self, number: int) -> list[tuple[str, Any]]:
        specs = specs_of(self.network)
        found = [(path, specs[path][0].regularizer) for path in self.trained(number)]
        return [(path, regularizers.get(penalty)) for path, penalty in found if penalty is not None]

    def batch(self, rows: Tree) -> Batch:
        """A batch's arrays in the structure in which they were given, with the dtypes of the data."""
        leaves = iter([*rows["x"], *rows["y"], *([] if rows["weight"] is None else [rows["weight"]])])
        return Batch(tree.map(lambda spec: ops.cast(next(leaves), spec.dtype), self.like))

    def _log(self, state: Tree, total: Array, losses: Any, logs: Any, batch: Tree) -> tuple[Tree, list[Array]]:
        n = tree.first(batch["x"]).shape[0]
        values = [total, *(losses.values() if self._parts else []), *(logs[name] for name in self.names)]
        means = [Mean.update(s, v, n) for s, v in zip(state["means"], values, strict=True)]
        return {"means": means}, [mean["mean"] for mean in means]


def checked(given: Any, method: str) -> tuple[Array, dict[str, Array]]:
    """A loss, and what it logs, if they are scalars.

    Raises:
        ConfigurationError: they are not.
    """
    total, logs = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    if hasattr(total, "dtype") and "float" not in str(total.dtype):
        raise ConfigurationError(f"{method} expected to return a scalar of floats, received {total.dtype}.")
    if not hasattr(total, "shape") or tuple(total.shape):
        received = f"an array of shape {tuple(total.shape)}" if hasattr(total, "shape") else repr(total)
        raise ConfigurationError(
            f"{method} expected to return a scalar, or (scalar, logs), received {received}. "
            f"Take a mean over the batch: ops.mean(values)."
        )
    if not isinstance(logs, Mapping):
        raise ConfigurationError(f"{method} expected logs as a dict of scalars, received {type(logs).__name__}.")
    for name, value in logs.items():
        if not hasattr(value, "shape") or tuple(value.shape):
            raise ConfigurationError(
                f"{method} expected the log {name!r} to be a scalar. Take its mean: ops.mean(...)."
            )
        if name == "loss":
            raise ConfigurationError(f"{method} logs 'loss', which is the name of the loss itself. Choose another.")
    return total, dict(logs)


def traced(moves: Moves, size: int) -> Moves:
    """The same moves, with the names of their logs; the networks find their weights on the way."""
    names: dict[str, None] = {}
    specs = tree.map(lambda spec: Spec((size, *spec.shape[1:]), spec.dtype), moves.like)
    leaves = tree.leaves(specs)
    for move in moves.moves:
        run = Run(True)
        run.building = run.shapes_only = True

        def compute(arrays: list[Array], words: Key, run: Run = run, move: Move = move) -> Any:
            given = iter(arrays)
            batch = Batch(tree.map(lambda _: next(given), moves.like))
            return checked(run.apply(moves.network, {}, (batch, words), {"loss": move.method}), move.method)

        _, logs = engines.current().abstract(compute, leaves, Spec((2,), "int32"))
        for name in logs:
            if name in names:
                raise ConfigurationError(f"Two losses log {name!r}; give each a name of its own.")
            names[name] = None
    made = replace(moves, names=tuple(names))
    for i, move in enumerate(moves.moves):
        if not made.trained(i):
            raise ConfigurationError(
                f"The move {move.name!r} trains {', '.join(move.networks) or 'all networks'}, "
                f"which have no weight that is trained."
            )
    return made
