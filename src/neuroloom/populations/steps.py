"""Many networks as one: a step of all members, and their batches from one set of rows.

The step of one network, with a new first axis for the members, is again a step for `loop.py`. Its state holds

    members    the state of one network, each array with the members' axis first
    numbers    the lifted numbers (see `lifting.py`), each of shape (members,)
    active     which members still learn; the others' state no longer changes
    full, rest how many whole batches an epoch of a member has, and how many samples its last, smaller one
    done       how many batches of the epoch each member has had
    row        the last log row of each member, (members, columns)

A member whose loss is not finite keeps the weights before that step and learns no more; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.engines import Engine
from neuroloom.learning.feed import Segment
from neuroloom.learning.supervised import Supervised
from neuroloom.populations.lifting import holding
from neuroloom.typing import Array, Function, Key, Tree


def train_step(task: Supervised, batch_size: int, shared: bool) -> Function:
    """The training step of all members.

    Args:
        task: what the members have in common, detached, with marks for lifted numbers.
        batch_size: of whole batches.
        shared: whether all members see the same batches.
    """

    def one(member: Tree, numbers: list[Array], fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        return holding(task, numbers).train(member, fixed, batch, key)

    return _of_all(one, batch_size, shared)


def test_step(task: Supervised, batch_size: int, shared: bool) -> Function:
    """The step that evaluates all members; `fixed` holds their weights."""

    def one(member: Tree, numbers: list[Array], fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        return holding(task, numbers).test(member, fixed, batch, key)

    return _of_all(one, batch_size, shared)


def _of_all(one: Function, batch_size: int, shared: bool) -> Function:
    def step(state: Tree, fixed: Tree, batch: Tree, keys: Key) -> tuple[Tree, list[Array]]:
        engine = engines.current()
        batch = tree.map(lambda a: a[0, 0] if shared else a[0], batch)
        size = tree.first(batch).shape[0 if shared else 1]
        every = engine.vmap(one, (0, 0, 0, None if shared else 0, 0))
        new, columns = every(state["members"], state["numbers"], fixed, batch, keys)
        rows = engine.xp.stack(columns, axis=-1)  # (members, columns)
        wanted = engine.xp.where(state["done"] < state["full"], batch_size, state["rest"])
        present = state["active"] & (wanted == size)
        good = present & engine.xp.isfinite(rows[:, 0])
        members = tree.map(lambda a, b: _where(engine, good, a, b), new, {name: state["members"][name] for name in new})
        row = _where(engine, present, rows, state["row"])
        active = state["active"] & (good | ~present)
        changed = {"members": members, "active": active, "done": state["done"] + present, "row": row}
        return {**state, **changed}, _shown(engine, state["active"], active, row)

    return step


def _where(engine: Engine, flags: Array, yes: Array, no: Array) -> Array:
    """Per member one or the other."""
    return engine.xp.where(flags.reshape((-1,) + (1,) * (yes.ndim - 1)), yes, no)


def _shown(engine: Engine, before: Array, after: Array, rows: Array) -> list[Array]:
    """The means over those who learn: what the progress shows. NaN ends the loop: when a step finds nobody."""
    xp = engine.xp
    total = xp.sum(_where(engine, after, rows, xp.zeros_like(rows)), axis=0) / xp.maximum(xp.sum(after), 1)
    total = xp.where(xp.any(before), total, xp.nan)
    return [total[i] for i in range(rows.shape[1])]


class IndexFeed:
    """Batches of one set of rows on the device, for each member its own.

    Args:
        rows: a tree of arrays with equal first axes.
        index: the rows of each member; None: all.
        seeds: of each member's shuffles; None keeps the order.
        first: for each member the number of its first epoch, which tells shuffles apart.
    """

    def __init__(
        self,
        engine: Engine,
        rows: Tree,
        index: Sequence[np.ndarray | None],
        batch_size: int,
        seeds: Sequence[int] | None = None,
        first: Sequence[int] = (),
    ) -> None:
        self.engine, self.index, self.batch_size, self.seeds, self.first = engine, index, batch_size, seeds, first
        self.shared = seeds is None and all(one is None for one in index)
        self.total = tree.first(rows).shape[0]
        self.sizes = np.array([self.total if one is None else len(one) for one in index])
        self.full, self.rest = self.sizes // batch_size, self.sizes % batch_size
        self.steps: int | None = int(self.full.max()) + len(set(self.rest) - {0})
        self.active = np.ones(len(index), bool)
        self.rows = tree.map(engine.asarray, rows)
        self._ahead: tuple[int, list[np.ndarray]] | None = None

    def counts(self) -> Tree:
        """Each member's whole batches, samples of its last batch, and batches done, for the state."""
        done = np.zeros(len(self.index), np.int32)
        named = {"full": self.full, "rest": self.rest, "done": done}
        return {name: values.astype(np.int32) for name, values in named.items()}

    def prepare(self, number: int) -> None:
        self._ahead = number, self._orders(number)

    def epoch(self, number: int) -> Iterator[Segment]:
        ahead, self._ahead = self._ahead, None
        orders = ahead[1] if ahead and ahead[0] == number else self._orders(number)
        whole = int(self.full.max())
        if whole:
            cut = [order[: full * self.batch_size] for order, full in zip(orders, self.full, strict=False)]
            yield self._segment(cut, whole, self.batch_size)
        for rest in sorted(set(self.rest.tolist()) - {0}):
            ends = zip(orders, self.rest, strict=False)
            yield self._segment([order[-rest:] if have == rest else order[:0] for order, have in ends], 1, rest)

    def _segment(self, orders: list[np.ndarray], steps: int, size: int) -> Segment:
        """A Segment whose batch i is row i of an order of shape (steps, members, size)."""
        batches = np.zeros((steps, len(orders), size), np.int32)
        for i, order in enumerate(orders):
            batches[: len(order) // size, i] = order.reshape(-1, size)
        return Segment(self.rows, batches, steps, 1)

    def _orders(self, number: int) -> list[np.ndarray]:
        return [self._order(i, number) for i in range(1 if self.shared else len(self.index))]

    def _order(self, i: int, number: int) -> np.ndarray:
        """The rows of member i in the order in which it would see them alone."""
        own, n = self.index[i], int(self.sizes[i])
        if not self.active[i] and not self.shared:
            return np.zeros(n, np.int32)
        if self.seeds is None:
            return np.arange(n, dtype=np.int32) if own is None else own
        order = config.generator(self.seeds[i], "shuffle", self.first[i] + number).permutation(n)
        return order.astype(np.int32) if own is None else own[order]
