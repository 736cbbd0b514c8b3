"""How adaptive resonance learns: categories compete for an input, are tested by vigilance, and take it in.

Signals and weights are float64, and what is equal to SLACK counts as equal: the first of equal categories wins, on
every engine.
"""

from __future__ import annotations

from typing import Any

from neuroloom import ops
from neuroloom.engines import Engine
from neuroloom.typing import Array

SLACK = 1e-13  # above what rounding adds to sums of some thousand numbers from 0 to 1
STILL = 1e-9
"""A pass after which no weight differs by more has changed nothing."""


def learn(
    engine: Engine, x: Array, labels: Array, state: Any, settings: Any, passes: Array, room: Array, *, code: str
) -> tuple[Any, Any, Array, Array]:
    """Passes over x (n, m) until one changes nothing: the state, that before the last pass, passes, and rows lost.

    The state is (w, marks, count): weights (places, m), the label of each category, and how many are committed.
    Without classes all labels are 0. Lost are rows of the last pass that found no category, nor a place for a new one;
    if there is room for more places, it is the end.
    """
    places = engine.arange(state[0].shape[0])

    def one(state: Any, example: Any) -> Any:
        (w, marks, count), (x_i, label) = state, example
        choice, match, moved = CODES[code](x_i, w, settings)
        hit = _search(engine, choice, match, places < count, marks != label, settings)
        new = (places == count) & ~ops.any(hit)
        first = settings["commit"] * x_i + (1 - settings["commit"])
        w = ops.where(hit[:, None], moved, ops.where(new[:, None], first, w))
        added = ops.any(new)
        lost = ops.cast(~(ops.any(hit) | added), "int32")
        return (w, ops.where(new, label, marks), count + ops.cast(added, "int32")), lost

    def one_pass(i: Array, state: Any) -> Any:
        before, _, done, _ = state
        after, lost = engine.scan(one, before, (x, labels))
        lost = ops.cast(ops.sum(lost), "int32")
        changed = ops.any(ops.abs(after[0] - before[0]) > STILL)
        return (after, before, done + 1, lost), changed & ((lost == 0) | ~room)

    none = state[2] * 0
    return engine.loop(0, passes, one_pass, (state, state, none, none))


def winners(engine: Engine, x: Array, w: Array, settings: Any, *, code: str) -> Array:
    """The category that each row of x resonates with, (n,); -1 where none is near enough."""

    def one(w: Array, x_i: Array) -> Any:
        choice, match, _ = CODES[code](x_i, w, settings)
        hit = _winner(engine, choice, match, choice == choice, settings["vigilance"])
        j = ops.cast(ops.argmax(ops.cast(hit, "int32")), "int32")
        return w, ops.where(ops.any(hit), j, -1)

    return engine.scan(one, w, x)[1]


def _search(engine: Engine, choice: Array, match: Array, left: Array, wrong: Array, settings: Any) -> Array:
    """The category that takes the input, as a mask; no place is set if it needs a new one.

    Match tracking: a winner of a wrong class is shut out, and vigilance rises just above its match.
    """

    def track(state: Any) -> Any:
        left, hit = state
        left = left & ~hit
        vigilance = ops.sum(ops.where(hit, match, 0.0)) + settings["epsilon"]
        return left, _winner(engine, choice, match, left, vigilance)

    start = (left, _winner(engine, choice, match, left, settings["vigilance"]))
    return engine.while_loop(lambda state: ops.any(state[1] & wrong), track, start)[1]


def _winner(engine: Engine, choice: Array, match: Array, left: Array, vigilance: Array) -> Array:
    """The category of largest choice among those left that match, as a mask: all resets at once."""
    left = left & (match >= vigilance - SLACK)
    best = ops.max(ops.where(left, choice, -2.0))
    first = ops.argmax(ops.cast(left & (choice >= best - SLACK), "int32"))
    return left & (engine.arange(choice.shape[0]) == first)


def fuzzy(x: Array, w: Array, settings: Any) -> tuple[Array, Array, Array]:
    """|x ∧ w| / (α + |w|), |x ∧ w| / |x|, and the weights that learned x; all for each category.

    A category that shares nothing with x does not match: a new one, whose weights are all above 0, comes before it.
    An empty x matches the empty category only.
    """
    both = ops.minimum(x, w)
    shared, size, sizes = ops.sum(both, axis=1), ops.sum(x), ops.sum(w, axis=1)
    match = ops.where(shared > 0, shared / ops.where(size > 0, size, 1.0), -2.0)
    match = ops.where(size + sizes == 0, 1.0, match)
    rate = settings["rate"]
    return shared / (settings["choice"] + sizes), match, rate * both + (1 - rate) * w


def cosine(x: Array, w: Array, settings: Any) -> tuple[Array, Array, Array]:
    """x·w for choice and for match, and the weights that learned x; for x and w of length 1.

    A category whose choice is below α Σ |x|, that of a new one, does not match, nor does one at a right angle to x.
    An x of zeros matches the category of zeros only.
    """
    near, size = ops.sum(w * x, axis=1), ops.sum(ops.abs(x))
    match = ops.where((near > 0) & (near >= settings["choice"] * size - SLACK), near, -2.0)
    match = ops.where(size + ops.sum(ops.abs(w), axis=1) == 0, 1.0, match)
    kept = unit(ops.where(ops.abs(w) > settings["theta"], x, 0.0), w)
    rate = settings["rate"]
    return near, match, unit(rate * kept + (1 - rate) * w, w)


def unit(x: Array, instead: Array) -> Array:
    """The rows of x brought to length 1, and rows of `instead` for those that have none."""
    length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
    return ops.where(length > 0, x / ops.where(length > 0, length, 1.0), instead)


CODES = {"fuzzy": fuzzy, "cosine": cosine}
