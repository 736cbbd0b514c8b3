"""The loop: epochs, segments, chunks. It runs any step of the form

    step(state, fixed, batch, key) -> (state, row)

A chunk is one compiled program that runs many steps on data that lies on the device. Its length follows from the
measured time of a step, so that the display moves about five times a second and a small epoch is one program.
"""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom import engines, tree
from neuroloom.engines import Engine
from neuroloom.learning.feed import Feed, Same, Segment
from neuroloom.typing import Array, Function, Key, Tree

CHUNK_SECONDS = 0.2
"""How long a chunk should take."""

AHEAD_SECONDS = 0.01
"""Stretches of at most this long are started before the one before them has been looked at."""

LOG_ROWS = 4096
"""Most steps in a chunk."""

KEPT = 100
"""How many times as long as it took to copy a state, steps are run again from that copy if need be."""

PROGRAMS = 256
"""Programs that are kept; the one unused for longest goes first."""

PROGRAM_BYTES = 160_000_000
"""About how much memory their compilations hold before the one unused for longest goes: those of some 20 small
networks, each trained and used. 500 structures, each fitted and used, take 230 MB at most above the first one."""

LATEST = 16
"""Compilations that stay whatever they hold: a large network trains, is tested and predicts by several in turn."""


@dataclass(eq=False)
class Program:
    """A compiled function, and the least time that a step of it was seen to take.

    Attributes:
        compilations: how often it was compiled: once for each shape of its arguments.
    """

    engine: Engine
    run: Function
    step_seconds: float | None = None
    compilations: int = 0

    def measure(self, seconds: float) -> None:
        self.step_seconds = min(seconds, self.step_seconds or seconds)

    def held_bytes(self) -> int:
        return self.compilations * self.engine.held_bytes(self.run)


_programs: OrderedDict[Any, Program] = OrderedDict()
_compilations = 0
_checked = 0  # the number of compilations when the programs' memory was last looked at


def compilations() -> int:
    """How many programs this process has compiled (on an eager engine: prepared) for training and use."""
    return _compilations


def program(engine: Engine, key: Any, make: Callable[[], Function]) -> Program:
    """The program of a structure: made once, then shared by all models of equal structure.

    Args:
        key: hashable, equal for structures that compile to the same program.
        make: gives the function; it must not hold on to a model's weights.
    """
    if _checked != _compilations:
        _limit_memory()
    key = (engine.name, engine.precision(), key)
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = _made(engine, make())
        while len(_programs) > PROGRAMS:
            _drop_oldest()
    _programs.move_to_end(key)
    return found


def _made(engine: Engine, fn: Function) -> Program:
    """The program of `fn`. It is counted when the engine traces it, or now if the engine runs eagerly."""

    def count() -> None:
        global _compilations
        _compilations += 1
        made.compilations += 1

    def traced(*args: Any) -> Any:
        count()
        return fn(*args)

    made = Program(engine, engine.compile(traced if engine.traces else fn))
    if not engine.traces:
        count()
    return made


def _limit_memory() -> None:
    """Let the programs go that were unused for longest, while all together hold too much."""
    global _checked
    _checked = _compilations
    held = sum(one.held_bytes() for one in _programs.values())
    left = sum(one.compilations for one in _programs.values())
    while held > PROGRAM_BYTES and left > LATEST:
        gone = _drop_oldest()
        held, left = held - gone[0], left - gone[1]


def _drop_oldest() -> tuple[int, int]:
    """Its program goes, and what the engine holds of it, though a model may still hold the program.

    Returns:
        the bytes that it held, and how many compilations.
    """
    _, gone = _programs.popitem(last=False)
    held = gone.held_bytes(), gone.compilations
    gone.engine.release(gone.run)
    gone.compilations = 0
    return held


def chunk_program(
    engine: Engine, key: Any, make_step: Callable[[], Function], columns: int, batch_size: int, same: Same
) -> Program:
    """`run(state, fixed, rows, order, low, high, key) -> (state, log)`: steps low to high of a segment."""

    def make() -> Function:
        step = make_step()

        def run(
            state: Tree, fixed: Tree, rows: Tree, order: Array | None, low: Any, high: Any, key: Key
        ) -> tuple[Tree, Array]:
            segment = Segment(rows, order, high, batch_size, same)
            segment = segment.laid_out(engine) if engine.traces else segment

            def body(i: Any, carry: Any) -> Any:
                state, log = carry
                state, row = step(state, fixed, segment.batch(engine, i), key)
                return (state, engine.put_row(log, i - low, row)), engine.is_finite(row[0])

            with engines.engine(engine.name):
                log = engine.new_log(min(LOG_ROWS, segment.room), columns)
                state, log = engine.loop(low, high, body, (state, log))
                return state, engine.end_log(log, _weights(state))

        return run

    return program(engine, ("chunk", key, batch_size, same), make)


@dataclass
class Chunk:
    """What the loop reports after each chunk.

    Attributes:
        done: the number of the epoch's steps done.
        rows: a log row per new step.
        batch: the batch of one of these rows.
        failed: where the last row is of a step whose loss or new weights are not finite: the state after it. The
            loop's state is the one before it.
    """

    done: int
    rows: np.ndarray
    batch: Callable[[int], Tree]
    failed: Tree | None = None


@dataclass
class Origin:
    """A state from which the steps of a segment, from number `low` on, can be run again; best before `until`."""

    segment: Segment
    low: int
    state: Tree
    until: float


@dataclass
class Running:
    """A chunk that the device works on: the state it began with, the state and the log after it, and its steps.

    `again` runs it up to another end.
    """

    segment: Segment
    given: Tree
    state: Tree
    log: Array
    low: int
    high: int
    again: Callable[[int], tuple[Tree, Array]]

    def finish(self, engine: Engine) -> tuple[Tree, np.ndarray, Tree | None]:
        """Wait for its end: the state, the rows, and None.

        Where a step's loss or new weights are not finite: the state before it, the rows with its own as the last, and
        the state after it.
        """
        rows, finite = engine.read_log(self.log, self.high - self.low)
        bad = np.flatnonzero(~np.isfinite(rows[:, 0]))
        if bad.size:
            rows = rows[: bad[0] + 1]
            if finite and not engine.traces:  # an eager engine has not taken the step
                return self.state, rows, self.state
        return self._taken_back(engine, rows, bool(bad.size)) if bad.size or not finite else (self.state, rows, None)

    def _taken_back(self, engine: Engine, rows: np.ndarray, lost: bool) -> tuple[Tree, np.ndarray, Tree | None]:
        """The same; `lost`: the last row's loss is not finite. Weights that are not finite stay so: bisection."""
        good, bad = -1, len(rows) - (lost and not engine.traces)  # numbers of steps
        n = bad - 1
        while bad - good > 1:
            state, log = self.again(self.low + n)
            if engine.read_log(log, 0)[1]:
                good, before = n, state
            else:
                bad = n
            n = (good + bad) // 2
        if good >= 0:
            return before, rows[:bad], self.again(self.low + bad)[0]
        if not lost:
            return self.state, rows, None  # the weights were not finite before the first step: no step did it
        return self.again(self.low + len(rows) - 1)[0], rows, self.state


@dataclass(frozen=True)
class Epoch:
    """What an epoch is run with; see `Runner.epoch`."""

    fixed: Tree
    feed: Feed
    number: int
    key: Key
    one_by_one: bool
    before: Callable[[Tree], Tree]
    following: Callable[[Tree], Tree] | None


class Runner:
    """Runs a step over feeds, chunk by chunk.

    Where an epoch takes no longer than the way to the device and back, what follows is started while it runs, on the
    state that it will end with. When its turn comes, that is compared with the state of then: if a callback has changed
    the learning rate or a weight, or the loss was not finite, it is dropped, and nothing is started early any more.

    Args:
        signature: equal for steps that compile to the same program.
        make_step: gives the step that the module's text describes; it is asked when a program is made.
        columns: the length of a log row.
    """

    def __init__(self, engine: Engine, signature: Any, make_step: Callable[[], Function], columns: int) -> None:
        self.engine, self.signature, self.make_step, self.columns = engine, signature, make_step, columns
        self._chunks: dict[tuple[int, Same], Program] = {}  # the signature is long, and looking it up takes its time
        self._early: Running | None = None
        self._origin: Origin | None = None
        self._ended: Tree = None  # the state after the last chunk
        self._next: tuple[int, list[Segment]] | None = None  # an epoch's number and its segments
        self._looks_ahead = engine.background

    def epoch(
        self,
        state: Tree,
        fixed: Tree,
        feed: Feed,
        number: int,
        key: Key,
        one_by_one: bool = False,
        before: Callable[[Tree], Tree] = lambda state: state,
        meanwhile: Callable[[], None] = lambda: None,
        following: Callable[[Tree], Tree] | None = None,
    ) -> Iterator[tuple[Tree, Chunk]]:
        """Run one epoch; gives the state after each chunk.

        After a step whose loss is not finite there are no more. A step whose new weights are not finite is taken again,
        unless the caller stops; `before` has to change what made them so.

        Args:
            one_by_one: chunks of one step, for callbacks that act between steps.
            before: what to do with the state before each chunk, such as setting the learning rate.
            meanwhile: what to do once while the device works.
            following: gives the state with which the next epoch begins if nothing happens in between; None if there is
                no next epoch, or not all of its rows lie on the device.
        """
        epoch = Epoch(fixed, feed, number, key, one_by_one, before, following)
        segments, looks = self._segments(feed, number), following is not None and not one_by_one
        known, done = list(segments) if looks else [], 0
        for place, segment in enumerate(known or segments):
            low = 0
            while low < segment.steps:
                started = time.perf_counter()
                given = before(state)
                early = self._taken(segment, given)
                running = early or self._start(epoch, segment, given, low)
                if not done:
                    meanwhile()
                if looks and self._looks_ahead and running.high == segment.steps:
                    self._start_early(epoch, known[place + 1 :], known[0], running.state)
                state, rows, failed = running.finish(self.engine)
                if early is None and failed is None:
                    self._chunk(segment).measure((time.perf_counter() - started) / (running.high - low))
                taken = len(rows) - (failed is not None)
                done, self._ended = done + taken, state
                yield state, Chunk(done, rows, functools.partial(_batch, self.engine, segment, low), failed)
                if failed is not None and not np.isfinite(rows[-1, 0]):
                    return
                low += taken

    def _segments(self, feed: Feed, number: int) -> Iterable[Segment]:
        """Those of an epoch: as they were begun early, if that was this epoch."""
        begun, self._next = self._next, None
        return begun[1] if begun is not None and begun[0] == number else feed.epoch(number)

    def _start(self, epoch: Epoch, segment: Segment, given: Tree, low: int) -> Running:
        """Let the device begin with the next chunk."""
        chunk = self._chunk(segment)
        high = low + (1 if epoch.one_by_one else _length(chunk.step_seconds, segment.steps - low))
        origin = self._kept(segment, given, low)

        def run(state: Tree, low: int, high: int) -> tuple[Tree, Array]:
            return chunk.run(state, epoch.fixed, segment.rows, segment.order, low, high, epoch.key)

        def again(high: int) -> tuple[Tree, Array]:
            return run(self.engine.kept(origin.state), origin.low, high)

        return Running(segment, given, *run(given, low, high), low, high, again)

    def _start_early(self, epoch: Epoch, left: list[Segment], first: Segment, state: Tree) -> None:
        """Begin with the segment after the one that runs, or with the next epoch, if that is worth it."""
        seconds = self._chunk(left[0] if left else first).step_seconds  # all epochs look the same
        if seconds is None or seconds * (left[0] if left else first).steps > AHEAD_SECONDS:
            return
        if not left:
            assert epoch.following is not None
            self._next = epoch.number + 1, list(epoch.feed.epoch(epoch.number + 1))
            left, state = self._next[1], epoch.following(state)
        self._early = self._start(epoch, left[0], epoch.before(state), 0)

    def _chunk(self, segment: Segment) -> Program:
        key = segment.batch_size, segment.same
        if key not in self._chunks:
            self._chunks[key] = chunk_program(self.engine, self.signature, self.make_step, self.columns, *key)
        return self._chunks[key]

    def _kept(self, segment: Segment, given: Tree, low: int) -> Origin:
        """Where to run steps again from: this state, or a former one if keeping this one would cost time."""
        origin, now = self._origin, time.perf_counter()
        follows = origin is not None and origin.segment is segment and low and _ids(given) == _ids(self._ended)
        if origin is None or not follows or now > origin.until:
            state = self.engine.kept(given)
            origin = self._origin = Origin(segment, low, state, now + KEPT * (time.perf_counter() - now))
        return origin

    def _taken(self, segment: Segment, given: Tree) -> Running | None:
        """What was started early, if it began with this segment and state."""
        early, self._early = self._early, None
        if early is None:
            return None
        same = early.segment is segment and _ids(early.given) == _ids(given)
        self._looks_ahead = same
        return early if same else None


def _weights(state: Tree) -> list[Array]:
    """The weights in the state of a training, of one network or of several; none in that of a test."""
    state = state.get("members", state)
    return tree.leaves([state.get("params"), state.get("frozen")])


def _ids(state: Tree) -> list[int]:
    return [id(leaf) for leaf in tree.leaves(state)]


def _batch(engine: Engine, segment: Segment, low: int, i: int) -> Tree:
    return segment.batch(engine, low + i)


def _length(step_seconds: float | None, left: int) -> int:
    """Steps in the next chunk: few at first, then as many as fit into CHUNK_SECONDS."""
    if step_seconds is None:
        return min(left, 2)
    return max(1, min(left, LOG_ROWS, int(CHUNK_SECONDS / step_seconds)))
