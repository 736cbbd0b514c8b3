"""Learning that is a user's own: losses of networks, and the moves that make each of them small.

A `Moves` is to a `Learner` what a `Supervised` is to a compiled model: its `train` and `test` are pure functions

    train(state, fixed, batch, key) -> (state, row)

for the loop of `loop.py`. Random numbers of a loss come from `ops.draws`, so that they are equal on every engine.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from neuroloom import config, engines, ops, regularizers, tree
from neuroloom.engines import Engine, Spec
from neuroloom.errors import ConfigurationError
from neuroloom.layers import Run
from neuroloom.layers.parts import copied, signature_of, specs_of
from neuroloom.learning.contexts import Batch, LossLayer, LowRun, ShapesContext, StepContext
from neuroloom.learning.state import slots_of
from neuroloom.learning.supervised import Mean
from neuroloom.ops import draws
from neuroloom.optimizers import Optimizer
from neuroloom.optimizers.schedules import Schedule
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


@dataclass(frozen=True)
class Moves:
    """The moves of a learner, compiled.

    Attributes:
        network: the learner's losses as a layer.
        moves: what is done with each batch, in this order.
        rules: the optimizer of each move.
        like: the batch's structure: Specs of x, y and weight, of which the first length does not count.
        names: of what a training logs beside the losses, in order.
        tested: of what an evaluation logs beside the losses.
        precision: what the networks compute in while they learn.
    """

    network: LossLayer
    moves: tuple[Move, ...]
    rules: tuple[Optimizer, ...]
    like: Tree
    names: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    precision: str = "float32"

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
        rules = tuple(rule.signature() for rule in (first, *self.rules[1:]))
        return signature_of(self.network), self.moves, rules, like, self.precision

    def detached(self) -> Moves:
        """A copy that holds no weights, for compiled programs to keep."""
        return replace(self, network=copied(self.network, {}))

    @property
    def columns(self) -> list[str]:
        """The names of a log row's numbers in training."""
        return ["loss", *self._parts, *self.names]

    @property
    def test_columns(self) -> list[str]:
        """The names of a log row's numbers in an evaluation."""
        return ["loss", *self._parts, *self.tested]

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

    def slots(self, params: dict[str, Array], kept: Tree, engine: Engine) -> Tree:
        """What each move's optimizer remembers; `kept` is what they remembered before."""
        return {
            move.name: slots_of(
                rule, {path: params[path] for path in self.trained(i)}, (kept or {}).get(move.name), engine
            )
            for i, (move, rule) in enumerate(zip(self.moves, self.rules, strict=True))
        }

    def fresh_metrics(self, engine: Engine, testing: bool = False) -> Tree:
        """The means at the start of an epoch, or of an evaluation."""
        return {"means": [Mean.init(engine) for _ in (self.test_columns if testing else self.columns)]}

    # -------------------------------------------------------------------------------------------------- steps

    def train(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """What the learner does with a batch; one with a loss that is not finite changes no weight."""
        engine, step = engines.current(), state["step"]
        words = draws.fold_in(state["words"], step)
        ctx = StepContext(self, engine.fold_in(key, step), words, state["learning_rate"])
        old = {name: state[name] for name in ("params", "slots", "frozen", "step")}
        new, logs = self.network.learner.train(old, self.batch(batch), ctx)
        total = _total(logs, ctx)
        kept = engine.guarded(engine.is_finite(total), lambda: {**new, "step": step + 1}, old)
        metrics, row = self._log(state["metrics"], total, ctx.losses, [logs[name] for name in self.names], batch)
        return {**state, **kept, "metrics": metrics}, row

    def test(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """The losses of a batch; `fixed` holds the weights."""
        weights = {**fixed["params"], **fixed["frozen"]}
        losses, logs = {}, {}
        for i, move in enumerate(self.moves):
            words = draws.fold_in(fixed["words"], i)
            losses[move.name], said = self.loss(i, weights, self.batch(batch), Run(key=key), words)
            logs.update(said)
        total = functools.reduce(lambda a, b: a + b, losses.values())
        metrics, row = self._log(state["metrics"], total, losses, [logs[name] for name in self.tested], batch)
        return {"metrics": metrics}, row

    def recorded(self, engine: Engine, number: int) -> Function:
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
            run = Run(True, key) if self.precision == "float32" else LowRun(key, self.precision)
            total, logs = self.loss(number, {**mine, **rest}, batch, run, words)
            return total, (logs, run.updates)

        (total, (logs, updates)), grads = engines.current().value_and_grad(loss_of)(mine)
        updates = {path: ops.cast(value, "float32") for path, value in updates.items()}
        return self.rules[number].clip(grads), updates, total, logs

    def loss(self, number: int, weights: Tree, batch: Tree, run: Run, words: Key) -> tuple[Array, dict[str, Array]]:
        """A move's loss, with penalties and added losses, and what it logs."""
        method = self.moves[number].method
        arrays = tree.from_items(list(self._in_precision(weights, run).items()))
        total, logs = checked(run.apply(self.network, arrays, (Batch(batch), words), {"loss": method}), method)
        for path, penalty in self._penalties(number):
            total = total + penalty(weights[path])
        return functools.reduce(lambda a, b: a + b, run.losses, total), logs

    def _in_precision(self, weights: Tree, run: Run) -> dict[str, Array]:
        """The weights as the layers see them; running statistics stay as they are."""
        if not isinstance(run, LowRun):
            return dict(weights)
        learned = {path for path, (weight, _) in specs_of(self.network).items() if weight.trainable}
        return {path: ops.cast(value, run.dtype) if path in learned else value for path, value in weights.items()}

    def _penalties(self, number: int) -> list[tuple[str, Any]]:
        specs = specs_of(self.network)
        found = [(path, specs[path][0].regularizer) for path in self.trained(number)]
        return [(path, regularizers.get(penalty)) for path, penalty in found if penalty is not None]

    def batch(self, rows: Tree) -> Batch:
        """A batch's arrays in the structure in which they were given, with the dtypes of the data."""
        leaves = iter([*rows["x"], *rows["y"], *([] if rows["weight"] is None else [rows["weight"]])])
        return Batch(tree.map(lambda spec: ops.cast(next(leaves), spec.dtype), self.like))

    def _log(self, state: Tree, total: Array, losses: Any, logs: list[Array], batch: Tree) -> tuple[Tree, list[Array]]:
        n = tree.first(batch["x"]).shape[0]
        values = [total, *([losses[move.name] for move in self.moves] if self._parts else []), *logs]
        means = [Mean.update(s, v, n) for s, v in zip(state["means"], values, strict=True)]
        return {"means": means}, [mean["mean"] for mean in means]


def _total(logs: Mapping[str, Array], ctx: StepContext) -> Array:
    """The loss of a step: as its `train` says, else the sum of the losses of its moves."""
    return logs["loss"] if "loss" in logs else functools.reduce(lambda a, b: a + b, ctx.losses.values())


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

        said: list[str] = []  # an engine may give dicts back in another order

        def compute(arrays: list[Array], words: Key, run: Run = run, move: Move = move, said: Any = said) -> Any:
            given = iter(arrays)
            batch = Batch(tree.map(lambda _: next(given), moves.like))
            found = checked(run.apply(moves.network, {}, (batch, words), {"loss": move.method}), move.method)
            said[:] = found[1]
            return found

        engines.current().abstract(compute, leaves, Spec((2,), "int32"))
        for name in said:
            if name in names:
                raise ConfigurationError(f"Two losses log {name!r}; give each a name of its own.")
            names[name] = None
    made = replace(moves, names=tuple(names), tested=tuple(names))
    for i, move in enumerate(moves.moves):
        if not made.trained(i):
            raise ConfigurationError(
                f"The move {move.name!r} trains {', '.join(move.networks) or 'all networks'}, "
                f"which have no weight that is trained."
            )
    return made


def traced_step(moves: Moves, size: int) -> Moves:
    """The same moves, with the names of what the learner's own `train` logs.

    Raises:
        ConfigurationError: it returns no state and logs, or changes what a state consists of.
    """
    who = f"train of {moves.network.label}"
    weights = {path: Spec(tuple(w.shape), w.dtype) for path, (w, _) in specs_of(moves.network).items()}
    free = {path for path, (_, trains) in specs_of(moves.network).items() if trains}
    leaves = tree.leaves(tree.map(lambda spec: Spec((size, *spec.shape[1:]), spec.dtype), moves.like))
    said: list[str] = []

    def compute(arrays: list[Array], weights: Tree, words: Key, step: Array, rate: Array) -> Any:
        given = iter(arrays)
        batch = Batch(tree.map(lambda _: next(given), moves.like))
        params = {path: w for path, w in weights.items() if path in free}
        frozen = {path: w for path, w in weights.items() if path not in free}
        slots = moves.slots(params, None, engines.current())
        state = {"params": params, "frozen": frozen, "slots": slots, "step": step}
        ctx = ShapesContext(moves, None, words, rate)
        answer = moves.network.learner.train(state, batch, ctx)
        if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping)):
            raise ConfigurationError(f"{who} expected to return (state, logs), received {type(answer).__name__}.")
        _check_state(who, state, answer[0])
        logs = dict(answer[1])
        if "loss" not in logs and set(ctx.losses) != {move.name for move in moves.moves}:
            raise ConfigurationError(f"{who} takes not every move, so its logs need the 'loss', a scalar.")
        if len(moves.moves) > 1 and set(ctx.losses) != {move.name for move in moves.moves}:
            raise ConfigurationError(f"{who} expected to take every move: {[move.name for move in moves.moves]}.")
        said[:] = [name for name in logs if name != "loss"]
        return checked((_total(logs, ctx), {name: logs[name] for name in said}), who)

    scalar, words = Spec((), "int32"), Spec((2,), "int32")
    engines.current().abstract(compute, leaves, weights, words, scalar, Spec((), "float32"))
    return replace(moves, names=tuple(said))


def _check_state(who: str, before: Tree, after: Any) -> None:
    wanted = dict(tree.items(before))
    found = dict(tree.items(after)) if isinstance(after, Mapping) else {}
    for path, array in wanted.items():
        if path not in found:
            raise ConfigurationError(f"{who} expected a state like the one that it was given, which has {path!r}.")
        if path != "step" and tuple(found[path].shape) != tuple(array.shape):
            raise ConfigurationError(
                f"{who} expected {path!r} to keep its shape {tuple(array.shape)}, received {tuple(found[path].shape)}."
            )
    extra = next((path for path in found if path not in wanted), None)
    if extra is not None:
        raise ConfigurationError(f"{who} expected a state like the one that it was given, which has no {extra!r}.")
