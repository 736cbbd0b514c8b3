"""Engines that run each operation at once: their loops and branches are Python's, their logs are lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.engines.kernels import Engine
from neuroloom.typing import Array, Function, Tree


class Eager(Engine):
    """The part of the protocol that is Python itself where arrays have values."""

    traces = False

    def compile(self, fn: Function) -> Function:
        return fn

    def loop(self, low: int, high: int, body: Function, state: Tree) -> Tree:
        for i in range(low, high):
            state, go_on = body(i, state)
            if not go_on:
                break
        return state

    def scan(self, fn: Function, carry: Tree, xs: Tree) -> tuple[Tree, Tree]:
        ys = []
        for i in range(tree.first(xs).shape[0]):
            carry, y = fn(carry, tree.map(lambda leaf: leaf[i], xs))  # noqa: B023
            ys.append(y)
        return carry, self._stacked(ys)

    def while_loop(self, holds: Function, body: Function, state: Tree) -> Tree:
        while holds(state):
            state = body(state)
        return state

    def cond(self, pred: Array, yes: Function, no: Function, *args: Any) -> Tree:
        return yes(*args) if pred else no(*args)

    def vmap(self, fn: Function, in_axes: Any = 0) -> Function:
        def mapped(*args: Any) -> Tree:
            axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
            n = next(tree.first(a).shape[0] for a, axis in zip(args, axes, strict=True) if axis is not None)

            def row(i: int) -> Tree:
                given = zip(args, axes, strict=True)
                return fn(*(a if axis is None else tree.map(lambda leaf: leaf[i], a) for a, axis in given))

            return self._stacked(list(map(row, range(n))))

        return mapped

    def _stacked(self, rows: list[Tree]) -> Tree:
        return tree.map(lambda *items: self.xp.stack(items), *rows)

    # ------------------------------------------------------------------------------------------- kernels

    def rows(self, x: Array, start: Any, n: int) -> Array:
        return x[start : start + n]

    def scalar(self, value: float, dtype: str = "float32") -> Any:
        return value

    def is_finite(self, x: Array) -> Any:
        return math.isfinite(x)

    def new_log(self, rows: int, columns: int) -> Any:
        return []

    def put_row(self, log: Any, i: Any, row: list[Array]) -> Any:
        log.append(row)
        return log

    def end_log(self, log: Any, weights: list[Array]) -> Any:
        log.append(all(bool(self.xp.all(self.xp.isfinite(w))) for w in weights))
        return log

    def read_log(self, log: Any, rows: int) -> tuple[np.ndarray, bool]:
        *found, finite = log
        return np.asarray([[float(value) for value in row] for row in found[:rows]], np.float32), finite
