"""Batches on their way to the device.

A `Segment` is a stretch of training that one compiled program can run: rows on the device and the order in which
batches take them. Data that fits in memory is one resident set of rows with a new order each epoch; other data
arrives segment by segment, the next one prepared while the last one is trained on.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from neuroloom import config, tree
from neuroloom.engines import Engine
from neuroloom.engines.arrays import aligned
from neuroloom.errors import DataError
from neuroloom.learning.batches import next_batch
from neuroloom.typing import Array, Tree

SEGMENT_BYTES = 64 << 20
"""About how much of streamed data is on its way at once."""

RESIDENT_SHARE = 0.5
"""The share of free memory that data may take to stay on the device."""

NARROW_BYTES = 16 << 20
"""Inputs from this size on are kept as bytes where bytes hold them exactly: pixels, multi-hot and one-hot vectors."""

LAID_OUT_BYTES = 1 << 20
"""Up to this size a chunk copies all rows at once: gathering them step by step costs a small network a fifth."""


Same = tuple[tuple[int, int, str], ...]
"""Targets that are inputs, as an autoencoder's: place among the targets, place among the inputs, dtype."""


@dataclass(frozen=True)
class Segment:
    """Rows, the order in which they are used (None: as they lie), and how many batches of which size they make.

    Targets that are `same` as inputs are not among the rows: each batch gets them from its inputs.
    """

    rows: Tree
    order: Array | None
    steps: int
    batch_size: int
    same: Same = ()

    @property
    def room(self) -> int:
        """How many batches the arrays hold: `steps`, or more where a last stretch is padded."""
        return (tree.first(self.rows) if self.order is None else self.order).shape[0] // self.batch_size

    def batch(self, engine: Engine, i: Any) -> Tree:
        """The rows of batch i."""
        start, n = i * self.batch_size, self.batch_size
        if self.order is None:
            batch = tree.map(lambda a: engine.rows(a, start, n), self.rows)
        else:
            index = engine.rows(self.order, start, n)
            batch = tree.map(lambda a: engine.gather(a, index), self.rows)
        for target, given, dtype in self.same:
            batch["y"][target] = engine.astype(batch["x"][given], dtype)
        return batch

    def laid_out(self, engine: Engine) -> Segment:
        """The same stretch, its rows copied into their order where they are few: batches are then slices."""
        if self.order is None or math.prod(self.order.shape) * row_bytes(self.rows) > LAID_OUT_BYTES:
            return self
        rows = tree.map(lambda a: engine.gather(a, self.order), self.rows)
        return Segment(rows, None, self.steps, self.batch_size, self.same)


class Feed(Protocol):
    """What the loop draws from: `steps` per epoch (None until the first epoch has ended) and each epoch's segments."""

    steps: int | None

    def epoch(self, number: int) -> Iterator[Segment]:
        """The segments of an epoch; `number` tells shuffles apart."""
        ...

    def prepare(self, number: int) -> None:
        """Do now what the beginning of epoch `number` can do without."""
        ...


def row_bytes(rows: Tree) -> int:
    """Bytes of one row of a tree of arrays."""
    return sum(a.dtype.itemsize * math.prod(a.shape[1:]) for a in tree.leaves(rows))


def same_arrays(rows: Tree) -> Same:
    """Which targets lie in the memory of inputs."""
    inputs, targets = rows.get("x"), rows.get("y")
    if not isinstance(inputs, list) or not isinstance(targets, list):
        return ()
    found = (
        (i, next((j for j, x in enumerate(inputs) if _is_same(x, y)), None), str(y.dtype))
        for i, y in enumerate(targets)
        if y is not None
    )
    return tuple((i, j, dtype) for i, j, dtype in found if j is not None)


def _is_same(a: Any, b: np.ndarray) -> bool:
    return a is b or getattr(a, "__array_interface__", None) == b.__array_interface__


class ArrayFeed:
    """Batches of arrays that lie in memory or in a memory map.

    Args:
        rows: a tree of NumPy arrays with equal first axes.
        batch_size: the last batch of an epoch is what remains.
        seed: of the shuffles; None keeps the order.
    """

    def __init__(
        self, engine: Engine, rows: Tree, batch_size: int, seed: int | None = None, steps: int | None = None
    ) -> None:
        self.engine, self.rows, self.batch_size, self.seed = engine, rows, batch_size, seed
        self.n = self.total = tree.first(rows).shape[0]
        self.steps: int | None = math.ceil(self.n / batch_size)
        if steps is not None:
            self.steps, self.n = min(steps, self.steps), min(steps * batch_size, self.n)
        self.resident = self.total * row_bytes(rows) <= RESIDENT_SHARE * engine.free_memory()
        self._device_rows: Tree = None
        self._same: Same = same_arrays(rows) if self.resident else ()
        self._ahead: tuple[int, np.ndarray] | None = None

    def order(self, number: int) -> np.ndarray:
        """The order of the samples in an epoch: the same on every engine."""
        if self.seed is None:
            return np.arange(self.n, dtype=np.int32)
        return config.generator(self.seed, "shuffle", number).permutation(self.total).astype(np.int32)[: self.n]

    def prepare(self, number: int) -> None:
        self._ahead = number, self.order(number)

    def epoch(self, number: int) -> Iterator[Segment]:
        ahead, self._ahead = self._ahead, None
        order = ahead[1] if ahead and ahead[0] == number else self.order(number)
        return self._resident(order) if self.resident else self._streamed(order)

    def _resident(self, order: np.ndarray) -> Iterator[Segment]:
        if self._device_rows is None:
            self._device_rows = self._on_device()
        size = self.batch_size
        if not self.engine.traces:  # a compiled program takes it from the host itself, and faster
            order = self.engine.asarray(order)
        whole = self.n // size
        if whole:
            yield Segment(self._device_rows, order[: whole * size], whole, size, self._same)
        if self.n % size:
            yield Segment(self._device_rows, order[whole * size :], 1, self.n % size, self._same)

    def _on_device(self) -> Tree:
        """The rows, with inputs as bytes where that is exact: the compiled step widens the batch that it takes."""
        engine = self.engine

        def small(a: np.ndarray) -> Array:
            found = narrowed(a)
            return engine.asarray(a) if found is a else engine.adopt(found)

        def placed(name: str) -> Callable[[np.ndarray], Array]:
            return small if name == "x" and engine.traces else engine.asarray

        rows = dict(self.rows)
        if self._same:
            known = {target for target, _, _ in self._same}
            rows["y"] = [None if i in known else y for i, y in enumerate(rows["y"])]
        return {name: tree.map(placed(name), part) for name, part in rows.items()}

    def _streamed(self, order: np.ndarray) -> Iterator[Segment]:
        size = self.batch_size
        steps = max(1, SEGMENT_BYTES // max(1, row_bytes(self.rows) * size))
        cuts = [order[i : i + steps * size] for i in range(0, self.n, steps * size)]

        def prepare(cut: np.ndarray) -> list[Segment]:
            whole = len(cut) // size
            parts = [(cut[: whole * size], whole, size)] if whole else []
            parts += [(cut[whole * size :], 1, len(cut) % size)] if len(cut) % size else []
            return [
                Segment(self._upload(part, steps * size if n == size else n), None, count, n)
                for part, count, n in parts
            ]

        for segments in prefetch(prepare, cuts):
            yield from segments

    def _upload(self, index: np.ndarray, length: int) -> Tree:
        """Rows at an index, padded to a common length so that every segment has one shape."""

        def take(a: np.ndarray) -> Array:
            part = np.zeros((length, *a.shape[1:]), a.dtype)
            part[: len(index)] = a[index]
            return self.engine.asarray(part)

        return tree.map(take, self.rows)


class BatchFeed:
    """Batches that a generator or another iterable gives.

    Args:
        batches: gives trees of NumPy arrays. What is not an iterator is started anew for each epoch.
        steps: batches per epoch; None: as many as there are.
        first: the number of the first epoch, from 0, for messages; None: there are no epochs.
    """

    def __init__(
        self, engine: Engine, batches: Iterable[Tree], steps: int | None = None, first: int | None = None
    ) -> None:
        self._epoch = first
        self.engine, self.batches, self.limit = engine, batches, steps
        self.steps = steps or operator.length_hint(batches) or None
        self._running = batches if isinstance(batches, Iterator) else None

    def prepare(self, number: int) -> None:
        """Nothing: a group of batches is prepared while the one before it is trained on."""

    def epoch(self, number: int) -> Iterator[Segment]:
        source = self._running if self._running is not None else iter(self.batches)
        done = 0
        for segment in prefetch(self._segment, self._groups(source)):
            done += segment.steps
            yield segment
        if done < (self.limit or 1):
            wanted = "at least one batch" if self.limit is None else f"{self.limit} batches"
            raise DataError(
                f"Each epoch expected {wanted}, but the generator ended after {done}. Give steps_per_epoch, "
                f"let the generator loop forever, or pass an iterable that can be started anew (with __iter__)."
            )
        self.steps = done
        self._epoch = None if self._epoch is None else self._epoch + 1

    def _groups(self, source: Iterator[Tree]) -> Iterator[_Group]:
        """Batches of equal shapes and dtypes that follow one another. They are copied at once: what the source gives
        may be filled anew for the next."""
        group: _Group | None = None
        taken = 0
        within = "" if self._epoch is None else f" of epoch {self._epoch + 1}"
        while self.limit is None or taken < self.limit:
            batch = next_batch(source, f"batch {taken + 1}{within}")
            if batch is None:
                break
            if group is not None and not group.fits(batch):
                yield group
                group = None
            group = group or _Group(batch)
            group.add(batch)
            taken += 1
        if group is not None:
            yield group

    def _segment(self, group: _Group) -> Segment:
        return Segment(tree.map(self.engine.asarray, group.filled()), None, group.count, group.size)


class _Group:
    """Room for batches like the first one, and those in it."""

    def __init__(self, first: Tree) -> None:
        self.kind, self.size, self.count = _kind(first), tree.first(first).shape[0], 0
        self.room = int(min(max(1, SEGMENT_BYTES // max(1, row_bytes(first) * self.size)), 64))
        self.rows = tree.map(lambda a: np.zeros((self.room * self.size, *a.shape[1:]), a.dtype), first)

    def fits(self, batch: Tree) -> bool:
        """Whether one more has room."""
        return self.count < self.room and _kind(batch) == self.kind

    def add(self, batch: Tree) -> None:
        """Copy one more."""
        start = self.count * self.size

        def put(there: np.ndarray, given: np.ndarray) -> None:
            there[start : start + self.size] = given

        tree.map(put, self.rows, batch)
        self.count += 1

    def filled(self) -> Tree:
        """All the room, so that groups have one shape; of a single batch just that."""
        return self.rows if self.count > 1 else tree.map(lambda a: a[: self.size], self.rows)


def narrowed(a: np.ndarray) -> np.ndarray:
    """`a` as uint8 if it is large and that holds it bit for bit, else `a`; the first rows tell other data."""
    if a.dtype != np.float32 or a.nbytes < NARROW_BYTES:
        return a
    small, rows, threads = aligned(a.shape, np.uint8), max(1, (1 << 20) // row_bytes(a)), os.cpu_count() or 1

    def fits(start: int) -> bool:
        part = np.ascontiguousarray(a[start : start + rows])
        with np.errstate(invalid="ignore"):
            small[start : start + rows] = part
        return np.array_equal(small[start : start + rows].astype(np.float32).view(np.int32), part.view(np.int32))

    def share_fits(first: int) -> bool:
        return all(fits(start) for start in range(first * rows, len(a), threads * rows))

    if not fits(0):
        return a
    with ThreadPoolExecutor(threads) as pool:
        return small if all(pool.map(share_fits, range(threads))) else a


def _kind(batch: Tree) -> list[tuple[tuple[int, ...], np.dtype]]:
    return [(a.shape, a.dtype) for a in tree.leaves(batch)]


def prefetch(prepare: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """`prepare(item)` for each item, one ahead, in another thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="neuroloom-feed") as pool:
        waiting = None
        for item in items:
            coming = pool.submit(prepare, item)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()
