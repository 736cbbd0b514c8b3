"""Members of a population that one program trains: their state on the device, and the way there and back."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroloom import engines, tree
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError
from neuroloom.layers.base import Cell
from neuroloom.layers.parts import specs_of
from neuroloom.learning import Runner, Supervised
from neuroloom.learning.loop import Chunk
from neuroloom.models.model import Model
from neuroloom.optimizers.schedules import Schedule
from neuroloom.populations.lifting import parted, without
from neuroloom.populations.steps import IndexFeed, test_step, train_step
from neuroloom.typing import Array, Tree

Logs = dict[str, float]


@dataclass(frozen=True)
class Data:
    """Rows, and for each member the numbers of its own (None: all)."""

    rows: Tree
    index: list[np.ndarray | None]

    def samples(self) -> int:
        """How many all members see in an epoch."""
        return sum(tree.first(self.rows).shape[0] if one is None else len(one) for one in self.index)

    def of(self, members: Sequence[int]) -> Data:
        """The part of some of the members."""
        return Data(self.rows, [self.index[i] for i in members])

    def on(self, engine: Engine) -> Data:
        """The same with the rows on the device."""
        return replace(self, rows=tree.map(engine.asarray, self.rows))

    def alone(self, i: int) -> Tree:
        """The rows of one member."""
        index = self.index[i]
        return self.rows if index is None else tree.map(lambda a: a[index], self.rows)


class Shard:
    """Models of equal structure and their training as one program.

    Attributes:
        learning: which members still do.
        logs: after an epoch, the logs of each member. finite: which members' losses, gradients and weights are.
        halted: set by another thread to end the epoch after the chunk that runs.
    """

    def __init__(
        self,
        engine: Engine,
        models: Sequence[Model],
        batch_size: int,
        shuffle: bool,
        data: Data,
        held_out: Data | None,
        epochs: int,
    ) -> None:
        self.engine, self.models, self.size, self.halted = engine, models, batch_size, False
        self._small: dict[Hashable, tuple[np.ndarray, Array]] = {}
        self._failed: Tree = None  # what changes in the state for members whose step gave weights that are not finite
        self.epochs = epochs
        self.task: Supervised = without(models[0]._make_task().detached())
        self.columns, self.test_columns = self.task.columns, self.task.test_columns
        seeds = [model._seed for model in models] if shuffle else None
        self.feed = IndexFeed(
            engine, data.rows, data.index, batch_size, seeds, [model._state.epoch for model in models]
        )
        self.runner = self._runner("train", train_step, self.feed, self.columns)
        self.test_feed = None if held_out is None else IndexFeed(engine, held_out.rows, held_out.index, batch_size)
        self.test_runner = None
        if self.test_feed is not None:
            self.test_runner = self._runner("test", test_step, self.test_feed, self.test_columns)
        self.keys = engine.keys([model._seed for model in models])
        every = zip(*(parted(model._make_task())[1] for model in models), strict=True)
        self.numbers = [self._kept(("number", i), values) for i, values in enumerate(every)]
        self.state = self._first_state()

    def _runner(self, kind: str, step: Any, feed: IndexFeed, columns: list[str]) -> Runner:
        signature = (f"{kind} many", self.task.signature(), len(self.models), self.size, feed.shared)
        return Runner(self.engine, signature, lambda: step(self.task, self.size, feed.shared), len(columns))

    # ------------------------------------------------------------------------------------------------- epochs

    def enter(self, learning: np.ndarray) -> None:
        """Begin an epoch of those who learn, with what callbacks have set meanwhile."""
        if Cell.writes != self.writes and any(model.network.written_since(model._seen) for model in self.models):
            self._refuse_states()
            self.state["members"] |= self._weights()
        self.learning = self.feed.active = learning.copy()
        self.state = self._begun(self.state)

    def _refuse_states(self) -> None:
        """The optimizers' memory of members is the program's: a callback may set weights and rates, no more."""
        for model, (slots, step) in zip(self.models, self._first, strict=True):
            if model._state.slots is not slots or model._state.step is not step:
                raise ConfigurationError(
                    "A callback set the state of a model that learns together with others. Set its weights or its "
                    "learning rate, or train it alone, with fit."
                )

    def _begun(self, state: Tree) -> Tree:
        """The state as an epoch begins: with metrics of no data."""
        rates = self._kept("rates", [0.0 if self._scheduled else model.learning_rate for model in self.models])
        members = {**state["members"], "metrics": self._no_data, "learning_rate": rates}
        return {**state, "members": members, **self._around(self.feed, self.columns)}

    @property
    def _scheduled(self) -> bool:
        return self.task.optimizer is not None and isinstance(self.task.optimizer.learning_rate, Schedule)

    def run(self, number: int) -> None:
        """Run an epoch to its end."""
        with engines.engine(self.engine.name):
            for _ in self.epoch(number):
                pass

    def epoch(self, number: int) -> Iterator[tuple[Chunk, Logs]]:
        """Run an epoch: each chunk with the means over the members that learn."""

        def meanwhile() -> None:
            if number + 1 < self.epochs:
                self.feed.prepare(number + 1)

        following = self._begun if number + 1 < self.epochs else None
        for state, chunk in self.runner.epoch(
            self.state, {}, self.feed, number, self.keys, False, self._without_failed, meanwhile, following
        ):
            self.state = state
            if chunk.failed is not None:
                self._failed = self._stopped(state, chunk.failed)
            if self.halted or not math.isfinite(chunk.rows[-1, 0]):  # nobody learns any more
                break
            yield chunk, dict(zip(self.columns, chunk.rows[-1].tolist(), strict=True))
        self.finite = np.array(self.engine.to_numpy(self.state["active"])) | ~self.learning
        self.logs = self._logs(self.state, self.columns)
        if self.test_runner is not None:
            held_out = self._logs(self._tested(), self.test_columns)
            for logs, others in zip(self.logs, held_out, strict=True):
                logs |= {f"val_{name}": value for name, value in others.items()}

    def _stopped(self, before: Tree, after: Tree) -> Tree:
        """What changes for the members that a step gave weights that are not finite: they learn no more.

        Their log has that step's loss, which is finite.
        """
        bad = np.zeros(len(self.models), bool)
        for weights in tree.leaves([after["members"]["params"], after["members"]["frozen"]]):
            bad |= ~np.isfinite(self.engine.to_numpy(weights)).reshape(len(bad), -1).all(axis=1)
        bad &= self.engine.to_numpy(before["active"])
        rows = [self.engine.to_numpy(state["row"]) for state in (after, before)]
        active = self.engine.to_numpy(before["active"]) & ~bad
        row = np.where(bad[:, None], *rows)
        return {"active": self.engine.asarray(active), "row": self.engine.asarray(row)}

    def _without_failed(self, state: Tree) -> Tree:
        changed, self._failed = self._failed or {}, None
        return {**state, **changed}

    def _logs(self, state: Tree, columns: list[str]) -> list[Logs]:
        rows = np.asarray(self.engine.to_numpy(state["row"]), np.float32).tolist()
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _tested(self) -> Tree:
        """The state after the members have seen the held-out data."""
        assert self.test_runner is not None and self.test_feed is not None
        fixed = {name: self.state["members"][name] for name in ("params", "frozen", *self._own)}
        around = self._around(self.test_feed, self.test_columns)
        state = {"members": {"metrics": self._no_test_data}, "numbers": self.numbers, **around}
        *_, (after, _) = self.test_runner.epoch(state, fixed, self.test_feed, 0, self.keys)
        return after

    # -------------------------------------------------------------------------------------------------- state

    def _around(self, feed: IndexFeed, columns: list[str]) -> Tree:
        """What a population's state holds beside those of the members, at the start of an epoch."""
        row = np.zeros((len(self.models), len(columns)))
        counts = {name: self._kept((feed, name), values, np.int32) for name, values in feed.counts().items()}
        return {"active": self._kept("active", self.learning, bool), "row": self._kept(("row", feed), row), **counts}

    def _kept(self, name: Hashable, values: Any, dtype: Any = np.float32) -> Array:
        """A small array of the state: the one of this name from the epoch before, where that equals it.

        What begins an epoch early begins it with the very arrays that the epoch will have (see `Runner`).
        """
        values = np.array(values, dtype)
        before, array = self._small.get(name, (None, None))
        if before is None or not np.array_equal(before, values):
            array = self.engine.asarray(values)
            self._small[name] = values, array
        return array

    def _first_state(self) -> Tree:
        for model in self.models:
            model._draw()
        self._first = [(model._state.slots, model._state.step) for model in self.models]
        steps = [int(model._state.step) for model in self.models]
        members = {**self._weights(), "step": self._kept("step", steps, np.int32)}
        members["slots"] = self._slots(members["params"])
        own = [model._own_state() for model in self.models]
        self._own = tree.map(lambda *arrays: self._stacked(arrays), *own)
        self._no_data, self._no_test_data = (
            tree.map(self._repeated, self.task.fresh_metrics(self.engine, testing=testing)) for testing in (False, True)
        )
        members |= self._own
        return {"members": members, "numbers": self.numbers}

    def _weights(self) -> Tree:
        """The weights that the models have: {"params", "frozen"}, each path's stacked."""
        every = [dict(tree.items(model.network.arrays())) for model in self.models]
        found: Tree = {"params": {}, "frozen": {}}
        for path, (_, trains) in specs_of(self.models[0].network).items():
            found["params" if trains else "frozen"][path] = self._stacked([arrays[path] for arrays in every])
        self.writes = Cell.writes
        for model in self.models:
            model._seen = self.writes
        return found

    def _slots(self, params: Tree) -> Tree:
        """What the optimizers remember, stacked; of those who remember nothing, their start."""
        fresh = self.task.slots(params, None, self.engine)
        kept = [dict(tree.items(model._state.slots)) for model in self.models]
        if not any(kept):
            return fresh
        paths = iter([path for path, _ in tree.items(fresh)])

        def stacked(start: Array) -> Array:
            path, first = next(paths), self.engine.to_numpy(start)
            return self._stacked([own.get(path, first[i]) for i, own in enumerate(kept)])

        return tree.map(stacked, fresh)

    def hand_out(self, slots: bool) -> None:
        """Give the models their weights, and with `slots` what the optimizer remembers."""
        names = ("params", "frozen", "slots", "step") if slots else ("params", "frozen")
        arrays = tree.map(self.engine.to_numpy, {name: self.state["members"][name] for name in names})
        for i, model in enumerate(self.models):
            own = tree.map(lambda a: np.array(a[i]), arrays)  # noqa: B023  (a copy: used here only)
            if not model.network.written_since(model._seen):  # else a callback has set others since
                model.network.assign(tree.from_items([*own["params"].items(), *own["frozen"].items()]))
            if slots:
                model._state = replace(model._state, slots=own["slots"], step=int(own["step"]))

    def _repeated(self, array: Array) -> Array:
        """An array for each member."""
        return self.engine.asarray(np.stack([self.engine.to_numpy(array)] * len(self.models)))

    def _stacked(self, arrays: Sequence[Any]) -> Any:
        """Arrays of any engine with a new first axis, on this one."""
        return self.engine.asarray(np.stack([np.asarray(engines.of(a).to_numpy(a)) for a in arrays]))
