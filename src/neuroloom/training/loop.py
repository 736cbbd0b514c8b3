"""The loop: epochs, segments, chunks. It runs any step of the form

    step(state, fixed, batch, key) -> (state, row)

A chunk is one compiled program that runs many steps on data that lies on the device. Its length follows from the
measured time of a step, so that the display moves about five times a second and a small epoch is one program.
"""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom import engines
from neuroloom.engines import Engine
from neuroloom.training.feed import Feed, Same, Segment
from neuroloom.typing import Array, Function, Key, Tree

CHUNK_SECONDS = 0.2
"""How long a chunk should take."""

LOG_ROWS = 4096
"""Most steps in a chunk."""

PROGRAMS = 256
"""Compiled programs that are kept; the one unused for longest goes first."""


@dataclass
class Program:
    """A compiled function, and the least time that a step of it was seen to take."""

    run: Function
    step_seconds: float | None = None


_programs: OrderedDict[Any, Program] = OrderedDict()
_compilations = 0


def compilations() -> int:
    """How many programs this process has compiled (on an eager engine: prepared) for training and use."""
    return _compilations


def program(engine: Engine, key: Any, make: Callable[[], Function]) -> Program:
    """The program of a structure: made once, then shared by all models of equal structure.

    Args:
        key: hashable, equal for structures that compile to the same program.
        make: gives the function; it must not hold on to a model's weights.
    """
    key = (engine.name, engine.precision(), key)
    if key not in _programs:
        _programs[key] = Program(engine.compile(_counted(engine, make())))
        while len(_programs) > PROGRAMS:
            _programs.popitem(last=False)
    _programs.move_to_end(key)
    return _programs[key]


def _counted(engine: Engine, fn: Function) -> Function:
    """`fn`, counted when the engine traces it, or now if the engine runs eagerly."""

    def count(*args: Any) -> Any:
        global _compilations
        _compilations += 1
        return fn(*args)

    if engine.compiles:
        return count
    global _compilations
    _compilations += 1
    return fn


def chunk_program(engine: Engine, key: Any, step: Function, columns: int, batch_size: int, same: Same = ()) -> Program:
    """`run(state, fixed, rows, order, low, high, key) -> (state, log)`: steps low to high of a segment."""

    def run(
        state: Tree, fixed: Tree, rows: Tree, order: Array | None, low: Any, high: Any, key: Key
    ) -> tuple[Tree, Array]:
        segment = Segment(rows, order, high, batch_size, same)
        segment = segment.laid_out(engine) if engine.compiles else segment

        def body(i: Any, carry: Any) -> Any:
            state, log = carry
            state, row = step(state, fixed, segment.batch(engine, i), key)
            return (state, engine.put_row(log, i - low, row)), engine.is_finite(row[0])

        with engines.engine(engine.name):
            return engine.loop(low, high, body, (state, engine.new_log(min(LOG_ROWS, segment.room), columns)))

    return program(engine, ("chunk", key, batch_size, same), lambda: run)


@dataclass
class Chunk:
    """What the loop reports after each chunk.

    Attributes:
        done: the number of the epoch's steps done.
        rows: a log row per new step.
        batch: the batch of one of these rows.
    """

    done: int
    rows: np.ndarray
    batch: Callable[[int], Tree]


class Runner:
    """Runs a step over feeds, chunk by chunk.

    Args:
        signature: equal for steps that compile to the same program.
        step: see the module's text.
        columns: the length of a log row.
    """

    def __init__(self, engine: Engine, signature: Any, step: Function, columns: int) -> None:
        self.engine, self.signature, self.step, self.columns = engine, signature, step, columns

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
    ) -> Iterator[tuple[Tree, Chunk]]:
        """Run one epoch; gives the state after each chunk.

        Args:
            one_by_one: chunks of one step, for callbacks that act between steps.
            before: what to do with the state before each chunk, such as setting the learning rate.
            meanwhile: what to do once while the device works.
        """
        done = 0
        for segment in feed.epoch(number):
            chunk = chunk_program(
                self.engine, self.signature, self.step, self.columns, segment.batch_size, segment.same
            )
            low = 0
            while low < segment.steps:
                high = low + (1 if one_by_one else _length(chunk.step_seconds, segment.steps - low))
                started = time.perf_counter()
                running = self._start(chunk, before(state), fixed, segment, low, high, key)
                if not done:
                    meanwhile()
                state, rows = running()
                per_step = (time.perf_counter() - started) / (high - low)
                chunk.step_seconds = min(per_step, chunk.step_seconds or per_step)
                done += high - low
                yield state, Chunk(done, rows, functools.partial(_batch, self.engine, segment, low))
                low = high

    def _start(
        self, chunk: Program, state: Tree, fixed: Tree, segment: Segment, low: int, high: int, key: Key
    ) -> Callable[[], tuple[Tree, np.ndarray]]:
        """Start a chunk; the result waits for its end. At a row that is not finite: the state before that step."""

        def run(high: int) -> tuple[Tree, Array]:
            return chunk.run(state, fixed, segment.rows, segment.order, low, high, key)

        new, log = run(high)

        def finish() -> tuple[Tree, np.ndarray]:
            rows = self.engine.read_log(log, high - low)
            bad = np.flatnonzero(~np.isfinite(rows[:, 0]))
            if bad.size and self.engine.compiles:  # an eager engine has not taken the step
                return run(low + int(bad[0]))[0], rows
            return new, rows

        return finish


def _batch(engine: Engine, segment: Segment, low: int, i: int) -> Tree:
    return segment.batch(engine, low + i)


def _length(step_seconds: float | None, left: int) -> int:
    """Steps in the next chunk: few at first, then as many as fit into CHUNK_SECONDS."""
    if step_seconds is None:
        return min(left, 2)
    return max(1, min(left, LOG_ROWS, int(CHUNK_SECONDS / step_seconds)))
