"""Learners: networks with losses of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from neuroloom import config, engines, optimizers, tree
from neuroloom.data.sources import as_arrays, check_finite, sample_count, train_validation_split
from neuroloom.engines import Engine, Spec
from neuroloom.errors import ConfigurationError, DataError, nearest
from neuroloom.layers import Layer
from neuroloom.layers.parts import Version, attribute_signature, copied, layers_in, specs_of
from neuroloom.learning.batches import parts
from neuroloom.learning.contexts import LossLayer, StepContext
from neuroloom.learning.moves import Move, Moves, traced, traced_step
from neuroloom.learning.plan import Plan
from neuroloom.learning.rows import weight_row
from neuroloom.learning.speeds import fastest
from neuroloom.models.model import CheckedRows, Model, not_finite
from neuroloom.ops import draws
from neuroloom.typing import Tree

__all__ = ["Learner", "Move"]


class Learner(Model):
    """Networks, and losses that make them learn.

    A subclass defines `loss(nets, batch, ctx)`, which returns a scalar, or a scalar and a dict of scalars to log:

        class Autoencoder(nl.Learner):
            def loss(self, nets, batch, ctx):
                restored = nets.decoder(nets.encoder(batch.x))
                return ops.mean((restored - batch.x) ** 2)

        learner = Autoencoder(encoder=encoder, decoder=decoder)
        learner.compile("adam")
        learner.fit(x, epochs=10)

    `nets` has the networks as attributes; `batch.x`, `batch.y` and `batch.weight` are as `fit` was given them; `ctx`
    has `training` and random numbers that are equal on every engine: `ctx.normal(shape)`, `ctx.uniform(shape)`. The
    loss runs inside the compiled step, so it uses the functions of `neuroloom.ops`. Whole numbers arrive as int32,
    others as float32.

    With several losses a subclass lists its `moves`, which are taken in this order on each batch:

        class GAN(nl.Learner):
            moves = [Move("critic", times=5), Move("generator")]

            def critic_loss(self, nets, batch, ctx): ...
            def generator_loss(self, nets, batch, ctx): ...

    What happens with a batch can be said too. `train(state, batch, ctx)` returns the new state and what to log; the
    inherited one takes the moves in their order:

        def train(self, state, batch, ctx):
            state, grads, logs = ctx.gradient(state, "critic", batch)
            norm = ops.sqrt(sum(ops.sum(g**2) for g in grads.values()))
            return ctx.update(state, "critic", grads), {**logs, "gradient": norm}

    Each move has an optimizer of its own: `compile({"critic": "rmsprop", "generator": "adam"})`. Fit, evaluate,
    callbacks, the history and saving are those of `Model`. The names of networks are the attributes under which they
    are kept. The learning rate that callbacks change is that of the first move. A learner has no output of its own:
    `predict` is that of its networks. Keras has such trainings as `train_step` of a subclassed model.

    Args:
        name: of the learner.
        networks: models and layers by name.
    """

    moves: ClassVar[list[Move] | tuple[Move, ...]] = ()

    def __init__(self, name: str | None = None, **networks: Any) -> None:
        self._network = None
        self._begin(name)
        self._rules: dict[str, Any] = {}
        self._like: Tree = None
        self._frame = frozenset((*vars(self), "_frame", "_arguments", "_losses"))
        vars(self).setdefault("_arguments", dict(networks))
        vars(self)["_losses"] = LossLayer(self)
        self._losses.cell.specs, self._losses.cell.traced = {}, True
        for key, value in sorted(networks.items()):  # a file does not keep the order
            if next(layers_in(value), None) is None and not hasattr(type(value), "__layer__"):
                raise ConfigurationError(f"{type(self).__name__} expected {key} to be a network, received {value!r}.")
            setattr(self, key, value)

    def loss(self, nets: Any, batch: Any, ctx: Any) -> Any:
        """The loss of a batch, a scalar; or the loss and a dict of scalars to log."""
        raise ConfigurationError(f"{type(self).__name__} does not define loss(self, nets, batch, ctx).")

    def train(self, state: Any, batch: Any, ctx: StepContext) -> tuple[Any, dict[str, Any]]:
        """The state after a batch, and scalars to log; see `learning.contexts.StepContext`. All moves, in their order.

        The scalar "loss" in the logs is the loss that is shown; without it that is the sum of the losses of the moves.
        """
        logs: dict[str, Any] = {}
        for move in ctx.moves:
            for _ in range(move.times):
                state, said = ctx.move(state, move.name, batch)
                logs |= said
        return state, logs

    # ---------------------------------------------------------------------------------------------- structure

    @property
    def network(self) -> Any:
        """The losses as a layer that holds all networks."""
        return vars(self)["_losses"]

    def networks(self) -> dict[str, Layer]:
        """The networks by name, as far as they exist."""
        found: dict[str, Layer] = {}
        for name, value in self.attributes().items():
            inner = list(dict.fromkeys(layers_in(value)))
            if len(inner) == 1:
                found[name] = inner[0]
            else:
                found |= {f"{name}_{i}": layer for i, layer in enumerate(inner)}
        return found

    def structure_signature(self) -> Any:
        """Equal for learners of equal class whose attributes are equal."""
        return type(self), attribute_signature(self.attributes())

    def __layer__(self) -> Layer | None:
        layer: Layer = self.network
        return layer

    def __copied__(self, memo: dict[int, Any], number: Callable[[Any], Any] | None) -> Any:
        made = super().__copied__(memo, number)
        for name, value in self.attributes().items():
            vars(made)[name] = copied(value, memo, number)
        return made

    @property
    def layers(self) -> list[Layer]:
        """The networks."""
        return list(self.networks().values())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.networks()) or 'no networks yet'}>"

    # ---------------------------------------------------------------------------------------------- compiling

    def compile(self, optimizer: Any = "adam", precision: str = "float32") -> None:  # type: ignore[override]
        """Say how the networks learn.

        Args:
            optimizer: an object or a name; for several moves one for all, or a dict by the move's name.
            precision: what the networks compute in while they learn, "float32" or "bfloat16" (see `Model.compile`).
                What a loss does outside the networks stays float32.

        Raises:
            ConfigurationError: a move without an optimizer, or an optimizer without a move.
        """
        names = [move.name for move in self._moves()]
        given = optimizer if isinstance(optimizer, Mapping) else dict.fromkeys(names, optimizer)
        for name in given:
            if name not in names:
                raise ConfigurationError(f"compile names the move {name!r}. {nearest(str(name), names)}")
        for name in names:
            if name not in given:
                raise ConfigurationError(f"compile expected an optimizer for the move {name!r}.")
        self._rules = {name: optimizers.get(given[name]) for name in names}
        precision = config.checked("precision", precision, config.Choice("float32", "bfloat16"))
        self._plan = Plan(self._rules[names[0]], None, None, None, precision)
        self._forget_training()

    def _moves(self) -> tuple[Move, ...]:
        if not type(self).moves:
            return (Move("loss", trains=(), loss="loss"),)
        moves = tuple(type(self).moves)
        for move in moves:
            if not isinstance(move, Move):
                raise ConfigurationError(f"{type(self).__name__}.moves expected Move objects, received {move!r}.")
            for name in move.networks:
                if name not in self.networks() and name not in self.attributes():
                    raise ConfigurationError(
                        f"The move {move.name!r} trains {name!r}. {nearest(name, self.attributes())}"
                    )
            if not hasattr(self, move.method):
                raise ConfigurationError(f"{type(self).__name__} has no method {move.method!r} for a move's loss.")
        return moves

    def _make_task(self) -> Any:
        self._compiled()
        if self._like is None:
            raise ConfigurationError(f"{type(self).__name__} has not seen data yet. Call fit first.")
        if self._task is None or self._task_version != Version.now:
            moves = self._moves()
            rules = tuple(self._rules[move.name] for move in moves)
            made = Moves(self.network, moves, rules, self._like, precision=self._compiled().precision)
            found = traced(made, 2)
            self._refuse_idle(found)
            if type(self).train is not Learner.train:
                found = traced_step(found, 2)
            if self._task is None or self._task.signature() != found.signature():
                self._task = found  # type: ignore[assignment]
            self._task_version = Version.now
        return self._task

    def _refuse_idle(self, made: Moves) -> None:
        """A weight that no move trains and nobody has frozen is a mistake; so is a network that is never called."""
        for name, value in self.attributes().items():
            inner = value.__layer__() if hasattr(type(value), "__layer__") else value
            if inner is None or (isinstance(inner, Layer) and not inner.built):
                raise ConfigurationError(
                    f"No loss of {type(self).__name__} calls the network {name!r}, so nothing trains it. Call "
                    f"nets.{name}(...) in a loss, or take it out."
                )
        trained = {path for number in range(len(made.moves)) for path in made.trained(number)}
        free = [path for path, (_, trains) in specs_of(self.network).items() if trains]
        idle = next((path.partition("/")[0] for path in free if path not in trained), None)
        if idle is not None:
            raise ConfigurationError(
                f"No move of {type(self).__name__} trains the network {idle!r}. Add Move({idle!r}), name it in the "
                f"trains=... of a move, or set its trainable = False."
            )

    # ----------------------------------------------------------------------------------------------- training

    def _build_for(self, x: Any) -> None:
        """Networks find their weights when the first batch is traced."""

    def _rows(self, x: Any, y: Any, weight: Any, prefix: str = "") -> Tree:
        """Checked rows, and the structure in which they were given."""
        data = {"x": as_arrays(x, name=f"{prefix}x"), "y": None if y is None else as_arrays(y, name=f"{prefix}y")}
        n = sample_count(**{name: part for name, part in data.items() if part is not None})
        for name, part in data.items():
            for array in tree.leaves([part]):
                if array.dtype.kind == "f":
                    check_finite(f"{prefix}{name}", array, None, 0, None, np.vdot)
        row = weight_row(weight, n)
        like = tree.map(_spec, {**data, "weight": row})
        if self._like is None or [*tree.items(like)] != [*tree.items(self._like)]:
            self._like, self._task = like, None
        return {"x": tree.leaves([data["x"]]), "y": tree.leaves([data["y"]]), "weight": row}

    def _training_rows(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any, validation_split: float
    ) -> tuple[Tree, Any]:
        if x is None:
            raise DataError("Expected x, or a generator of batches.")
        self._compiled()
        rows, held_out = self._weighted(self._rows(x, y, sample_weight), class_weight), None
        if validation_split:
            rows, rest = train_validation_split(rows, validation_split)
            held_out = CheckedRows(rest)
        return rows, held_out

    def _batch_rows(self, batch: Any, class_weight: Any) -> Tree:
        x, y, weight = parts(batch) if isinstance(batch, tuple | list) and len(batch) > 1 else (batch, None, None)
        return self._weighted(self._rows(x, y, weight), class_weight)

    def _weighted(self, rows: Tree, class_weight: Any) -> Tree:
        if class_weight is not None:
            raise ConfigurationError("A learner has no classes; give sample_weight instead of class_weight.")
        return rows

    def _see(self, x: Any, y: Any, weight: Any) -> None:
        self._rows(x, y, weight)

    def _first_batch(self, head: Any) -> None:
        self._batch_rows(head, None)

    def _checked_rows(self, x: Any, y: Any, weight: Any, prefix: str) -> Tree:
        return self._rows(x, y, weight, prefix)

    def _own_state(self) -> dict[str, np.ndarray]:
        return {"words": np.asarray(draws.key(self._seed, "loss"))}

    def _draw(self) -> None:
        self._make_task()
        self.network.initialize(self._seed, "")

    def _explain(self, engine: Engine, task: Any, batch: Tree, after: Tree) -> str:
        params, frozen = self._split(engine)
        bad = not_finite(engine, {**params, **frozen}) or not_finite(engine, {**after["params"], **after["frozen"]})
        return f"The weight {bad!r} is not finite." if bad else "A loss is not finite."

    def _engine(self, name: str | None, x: Any, batch_size: int) -> Engine:
        if name == "auto" and self._task is None:
            return engines.current()  # nothing is known of the networks before the first training
        return engines.load(fastest(self.network, batch_size)) if name == "auto" else engines.resolve(name)

    def _say_faster(self, engine: Engine, batch_size: int) -> None:
        """The table of speeds has no losses of a user's own."""

    def _put_rate(self, value: float) -> None:
        first = next(iter(self._rules))
        super()._put_rate(value)
        self._rules[first] = self._compiled().optimizer

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """A learner has no output of its own; its networks have: `learner.decoder.predict(z)`."""
        raise ConfigurationError(
            f"{type(self).__name__} has no output of its own. Call predict of one of its networks: "
            f"{', '.join(self.networks())}."
        )

    # -------------------------------------------------------------------------------------------------- files

    def get_config(self) -> dict[str, Any]:
        return {name: config.to_json(value) for name, value in vars(self).get("_arguments", {}).items()}

    @classmethod
    def from_config(cls, structure: dict[str, Any]) -> Any:
        return cls(**{name: config.from_json(value) for name, value in structure.items()})

    def to_json(self) -> dict[str, Any]:
        with config.sharing():
            made = {"class": config.registered_name(type(self)), "config": self.get_config()}
        if self._like is not None:
            made["like"] = tree.map(lambda spec: [list(spec.shape[1:]), spec.dtype], self._like)
        return made

    def _compile_json(self) -> dict[str, Any] | None:
        if not self._rules:
            return None
        return {"optimizer": config.to_json(self._rules), "precision": self._compiled().precision}

    def _read(self, made: dict[str, Any]) -> None:
        if "like" in made:
            self._like = {name: _like_from_json(part) for name, part in made["like"].items()}
            moves = self._moves()
            rules = tuple(optimizers.get("sgd") for _ in moves)
            traced(Moves(self.network, moves, rules, self._like), 2)  # the networks find their weights


def _like_from_json(made: Any) -> Any:
    if made is None:
        return None
    if isinstance(made, dict):
        return {name: _like_from_json(part) for name, part in made.items()}
    if len(made) == 2 and isinstance(made[1], str):
        return Spec((1, *made[0]), made[1])
    return [_like_from_json(part) for part in made]


def _spec(array: Any) -> Spec:
    dtype = "float32" if array.dtype.kind == "f" else "bool" if array.dtype.kind == "b" else "int32"
    return Spec((1, *array.shape[1:]), dtype)
