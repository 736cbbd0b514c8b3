"""What the losses and the steps of a user's own learner are given: batches, random numbers, gradients, updates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from neuroloom import engines, ops, tree
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.layers import Context, Layer, Run
from neuroloom.ops import draws
from neuroloom.optimizers.schedules import Schedule
from neuroloom.typing import Array, Key, Tree

if TYPE_CHECKING:
    from neuroloom.learning.moves import Move, Moves


class Batch(dict[str, Any]):
    """What a step sees: `batch.x`, `batch.y` and `batch.weight`, in the structure in which they were given."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"A batch has x, y and weight, not {name!r}.") from None


class Draws:
    """Random numbers that are equal on every engine, a new set at each call."""

    _words: Key
    _count: int

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


class LossContext(Draws, Context):
    """The context of a loss: `training`, `key()` for layers, and random numbers that are equal on every engine."""

    def __init__(self, run: Run, words: Key) -> None:
        super().__init__(run=run)
        self._words, self._count = words, 0


class StepContext(Draws):
    """What a learner's `train` works with on one batch: moves, gradients, updates and random numbers.

    A state is a dict: "params", the weights that gradients train, by path, such as "critic/dense/kernel"; "frozen", the
    other weights; "slots", what the optimizers remember; "step", how many batches came before.

    Attributes:
        moves: the learner's.
        learning_rate: of the first move, as it is now.
    """

    training = True

    def __init__(self, made: Moves, key: Key | None, words: Key, learning_rate: Any) -> None:
        self._made, self._key, self._words, self.learning_rate = made, key, words, learning_rate
        self._count = -1
        self._taken = dict.fromkeys((move.name for move in made.moves), 0)
        self.losses: dict[str, Array] = {}

    @property
    def moves(self) -> tuple[Move, ...]:
        return self._made.moves

    def move(self, state: Tree, name: str, batch: Tree) -> tuple[Tree, dict[str, Array]]:
        """One step of a move: the state after it, and what its loss logs."""
        state, grads, logs = self.gradient(state, name, batch)
        return self.update(state, name, grads), logs

    def gradient(self, state: Tree, name: str, batch: Tree) -> tuple[Tree, dict[str, Array], dict[str, Array]]:
        """The gradient of a move's loss in the weights that the move trains, by path, clipped as its optimizer says.

        Returns:
            the state, whose moving statistics have seen the batch; the gradient; what the loss logs.
        """
        i = self._number(name)
        paths = self._made.trained(i)
        mine = {path: state["params"][path] for path in paths}
        rest = {**state["frozen"], **{path: w for path, w in state["params"].items() if path not in mine}}
        words = self._next()
        grads, updates, loss, logs = self._learned(i, mine, rest, batch, words)
        self.losses[name] = loss
        return {**state, "frozen": {**state["frozen"], **updates}}, grads, logs

    def update(self, state: Tree, name: str, grads: Mapping[str, Array]) -> Tree:
        """The state after a step of the move's optimizer down a gradient."""
        i = self._number(name)
        mine = {path: state["params"][path] for path in self._made.trained(i)}
        for path in mine:
            if path not in grads:
                raise ConfigurationError(f"update of the move {name!r} expected a gradient of {path!r}.")
        count = state["step"] * self.moves[i].times + self._taken[name]
        self._taken[name] += 1
        params, slots = self._updated(i, mine, {path: grads[path] for path in mine}, state["slots"][name], count)
        return {**state, "params": {**state["params"], **params}, "slots": {**state["slots"], name: slots}}

    def _number(self, name: str) -> int:
        names = [move.name for move in self.moves]
        if name not in names:
            raise ConfigurationError(f"{self._made.network.label} has no move {name!r}. {nearest(str(name), names)}")
        return names.index(name)

    def _learned(self, i: int, mine: Tree, rest: Tree, batch: Tree, words: Key) -> tuple[Any, ...]:
        engine = engines.current()
        learn = self._made.recorded(engine, i)
        found: tuple[Any, ...] = learn(mine, rest, dict(batch), engine.fold_in(self._key, self._count), words)
        return found

    def _updated(self, i: int, mine: Tree, grads: Tree, slots: Tree, count: Any) -> tuple[Tree, Tree]:
        engine, rule = engines.current(), self._made.rules[i]
        rate = self.learning_rate if i == 0 else rule.learning_rate
        if isinstance(rule.learning_rate, Schedule):
            rate = rule.learning_rate(count)
        return rule.overwrite(engine.kept(mine), grads, engine.kept(slots), rate, count)


class ShapesContext(StepContext):
    """The same where nobody asks for values: gradients are like the weights, updates change nothing."""

    def _learned(self, i: int, mine: Tree, rest: Tree, batch: Tree, words: Key) -> tuple[Any, ...]:
        run = Run(True)
        run.shapes_only = True
        loss, logs = self._made.loss(i, {**mine, **rest}, batch, run, words)
        return mine, {}, loss, logs

    def _updated(self, i: int, mine: Tree, grads: Tree, slots: Tree, count: Any) -> tuple[Tree, Tree]:
        return mine, slots


class LowRun(Run):
    """A run in which networks compute in another dtype than the losses around them."""

    def __init__(self, key: Key | None, dtype: str) -> None:
        super().__init__(True, key)
        self.dtype, self._inside = dtype, False

    def call(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._inside or isinstance(layer, LossLayer):
            return super().call(layer, args, kwargs)
        self._inside = True
        try:
            lower = functools.partial(self._cast, "float32", self.dtype)
            answer = super().call(layer, tree.map(lower, args), tree.map(lower, kwargs))
            return tree.map(functools.partial(self._cast, self.dtype, "float32"), answer)
        finally:
            self._inside = False

    def _cast(self, old: str, new: str, value: Any) -> Any:
        if not hasattr(value, "dtype") or engines.of(value).dtype_name(value) != old:
            return value
        made, mask = ops.cast(value, new), self.mask_of(value)
        if mask is not None:
            self.set_mask(made, mask)
        return made


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

    def once(self, find: Callable[[Any], Any]) -> Any:
        """`find(self)`, for what follows from the structure (see `Network.once`)."""
        return find(self)

    def signature(self) -> Any:
        return LossLayer, self.learner.structure_signature(), self.trainable

    def copied(self, memo: dict[int, Any], number: Any = None) -> Layer:
        made = super().copied(memo, number)
        made.cell.specs, made.cell.traced = {}, True
        return made
