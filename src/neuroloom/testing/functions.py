"""Checks of what an engine does to functions: derivatives, programs, loops; and of its random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroloom.engines import Engine, Spec
from neuroloom.errors import EngineError
from neuroloom.testing.compare import Checks, check_gradients, close, drawn, put, refused
from neuroloom.typing import Array, Key

CHECKS = Checks()

X, Y = drawn(3, 4), drawn(3, 4, seed=4)


# ------------------------------------------------------------------------------------------------ derivatives


@CHECKS.add("value_and_grad")
def _value_and_grad(engine: Engine) -> None:
    """d/dw Σ w² x = 2 w x; the second result is passed through; a parameter without a part gets zeros."""
    if not engine.trains:
        refused(EngineError, lambda: engine.value_and_grad(lambda p: (p, None)), "value_and_grad, which it has not")
        return

    def fn(p: Any, x: Array) -> Any:
        return (p["w"] ** 2 * x).sum(), {"twice": 2 * p["w"]}

    params = {"w": put(engine, X), "unused": put(engine, Y)}
    (value, aux), grads = engine.value_and_grad(fn)(params, put(engine, Y))
    close(engine, value, np.array((X**2 * Y).sum(), "float32"))
    close(engine, aux, {"twice": 2 * X})
    close(engine, grads, {"w": 2 * X * Y, "unused": 0 * Y})
    (_, _), grad = engine.value_and_grad(lambda p: ((0 * p + 1).sum(), None))(put(engine, X))
    close(engine, grad, 0 * X)


@CHECKS.add("value_and_grad: what leaves it")
def _leaves_no_trace(engine: Engine) -> None:
    """Values and gradients are plain arrays: NumPy has their values, and what follows is no longer written down."""
    if engine.trains:
        (value, aux), grad = engine.value_and_grad(lambda p: ((p * p).sum(), p * 3))(put(engine, X))
        for array, expected in ((value, np.array((X * X).sum())), (aux, 3 * X), (grad, 2 * X)):
            kinds = type(put(engine, X)), type(put(engine, X).sum())  # a scalar of NumPy has a type of its own
            assert type(array) in kinds, f"expected an array, received {type(array)}"
            close(engine, array * 2, 2 * expected)
            assert not getattr(array, "requires_grad", False), "a result still belongs to the derivative"


@CHECKS.add("value_and_grad: derivatives of derivatives")
def _second(engine: Engine) -> None:
    if not engine.trains:
        return

    def slope(x: Array) -> Array:
        return engine.value_and_grad(lambda x: ((x**4).sum(), ()))(x)[1]

    check_gradients(engine, slope, X)


@CHECKS.add("stop_gradient")
def _stop_gradient(engine: Engine) -> None:
    close(engine, engine.stop_gradient(put(engine, X)), X)
    if engine.trains:
        (_, _), grad = engine.value_and_grad(lambda x: ((x * engine.stop_gradient(x)).sum(), ()))(put(engine, X))
        close(engine, grad, X)


# --------------------------------------------------------------------------------------------------- programs


@CHECKS.add("compile")
def _compile(engine: Engine) -> None:
    calls = []

    def fn(x: Array, y: dict[str, Array]) -> Any:
        calls.append(1)
        return {"a": x @ y["y"].T, "b": [(x - y["y"]).sum(axis=0), None]}

    def expected(x: np.ndarray, y: np.ndarray) -> Any:
        return {"a": x @ y.T, "b": [(x - y).sum(axis=0), None]}

    program = engine.compile(fn)
    program(put(engine, X), {"y": put(engine, Y)})
    first = len(calls)
    close(engine, program(put(engine, Y), {"y": put(engine, X)}), expected(Y, X))
    assert (len(calls) == first) == engine.traces, f"traces is {engine.traces}, which is not what compile does"
    close(engine, program(put(engine, X[:2]), {"y": put(engine, Y[:2])}), expected(X[:2], Y[:2]))
    assert not engine.traces or (len(calls) > first) == engine.static_shapes, f"static_shapes is {engine.static_shapes}"
    if engine.traces:
        close(engine, program(X.astype("float32"), {"y": Y.astype("float32")}), expected(X, Y))


@CHECKS.add("compile: numbers that are not finite")
def _compile_nan(engine: Engine) -> None:
    """They show in the values; there is no warning or error."""
    zeros = put(engine, np.zeros(2))
    found = engine.compile(lambda x: (x / x, 1 / x))(zeros)
    close(engine, found, (np.full(2, np.nan), np.full(2, np.inf)))


@CHECKS.add("abstract")
def _abstract(engine: Engine) -> None:
    def fn(t: dict[str, Array], y: Array) -> Any:
        return {"product": t["x"] @ y, "flag": t["x"] > 0, "key": engine.uniform(engine.key(3), (2,))}

    found = engine.abstract(fn, {"x": Spec((3, 4))}, Spec((4, 5)))
    wanted = {"product": Spec((3, 5)), "flag": Spec((3, 4), "bool"), "key": Spec((2,))}
    assert found == wanted, f"expected {wanted}, received {found}"


# ------------------------------------------------------------------------------------------ loops and branches


@CHECKS.add("loop")
def _loop(engine: Engine) -> None:
    """Doubling from 1 until it passes 100, at most so many times."""

    def body(i: Any, state: Any) -> Any:
        x = state["x"] * 2
        return {"x": x, "sum": state["sum"] + i}, x <= 100

    run = engine.compile(lambda low, high, state: engine.loop(low, high, body, state))
    for low, high, x, total in ((0, 20, 128.0, 21), (2, 5, 8.0, 9), (3, 3, 1.0, 0)):
        start = {"x": engine.asarray(1.0), "sum": engine.asarray(0, "int32")}
        close(engine, run(low, high, start), {"x": np.float32(x), "sum": np.int32(total)})


@CHECKS.add("scan")
def _scan(engine: Engine) -> None:
    """A running sum over trees; the outputs are stacked along the first axis."""

    def step(carry: Any, x: Any) -> Any:
        return {"s": carry["s"] + x["a"]}, (carry["s"] * x["b"], None)

    carry, ys = engine.scan(step, {"s": put(engine, 0 * X[0])}, put(engine, {"a": X, "b": Y}))
    before = np.concatenate([0 * X[:1], np.cumsum(X, 0)[:-1]])
    close(engine, carry, {"s": X.sum(0)})
    close(engine, ys, (before * Y, None))


@CHECKS.add("scan: gradient")
def _scan_gradient(engine: Engine) -> None:
    def fn(start: Array, xs: Array) -> Any:
        return engine.scan(lambda c, x: (engine.xp.tanh(c * x), c + x), start, xs)

    check_gradients(engine, fn, X[0], X)


@CHECKS.add("while_loop")
def _while_loop(engine: Engine) -> None:
    run = engine.compile(lambda x: engine.while_loop(lambda s: s["x"] < 50, lambda s: {"x": s["x"] * 3}, {"x": x}))
    close(engine, run(engine.asarray(1.0)), {"x": np.float32(81)})
    close(engine, run(engine.asarray(70.0)), {"x": np.float32(70)})


@CHECKS.add("cond")
def _cond(engine: Engine) -> None:
    run = engine.compile(lambda pred, x: engine.cond(pred, lambda x: {"y": x + 1}, lambda x: {"y": x * 10}, x))
    for pred, expected in ((True, X + 1), (False, 10 * X)):
        close(engine, run(engine.asarray(pred), put(engine, X)), {"y": expected})
    check_gradients(engine, lambda x: engine.cond(engine.asarray(True), lambda x: x**2, lambda x: x, x), X)


@CHECKS.add("vmap")
def _vmap(engine: Engine) -> None:
    """A matrix shared, a vector per row; trees; and a gradient inside."""
    x, m = put(engine, (X, X.T @ X))
    close(engine, engine.vmap(lambda v, m: m @ v, (0, None))(x, m), X @ (X.T @ X).T)
    close(engine, engine.vmap(lambda t: {"y": t["a"] * t["b"]})(put(engine, {"a": X, "b": Y})), {"y": X * Y})
    if engine.trains:
        slopes = engine.vmap(engine.value_and_grad(lambda v: ((v**3).sum(), ())))
        close(engine, slopes(x)[1], 3 * X**2)


# ---------------------------------------------------------------------------------------------- random numbers


def _numbers(engine: Engine, key: Key) -> bytes:
    return engine.to_numpy(engine.uniform(key, (50,))).tobytes()


@CHECKS.add("key")
def _key(engine: Engine) -> None:
    """A seed names its numbers; large ones too."""
    seeds = (0, 7, 8, 7 + 2**40, 2**32, 2**63 - 1)
    assert _numbers(engine, engine.key(7)) == _numbers(engine, engine.key(7)), "the same seed gave other numbers"
    found = {_numbers(engine, engine.key(seed)) for seed in seeds}
    assert len(found) == len(seeds), "different seeds gave the same numbers"


@CHECKS.add("fold_in")
def _fold_in(engine: Engine) -> None:
    """Each path of numbers has a key of its own, in and out of a program."""
    fold, key = engine.fold_in, engine.key(7)
    keys = [key, fold(key, 0), fold(key, 1), fold(key, 2**32 - 1), fold(fold(key, 1), 2), fold(fold(key, 2), 1)]
    assert len({_numbers(engine, k) for k in keys}) == len(keys), "different numbers gave the same key"
    inside = engine.compile(lambda key, n: engine.uniform(fold(key, n), (50,)))(key, 1)
    assert engine.to_numpy(inside).tobytes() == _numbers(engine, keys[2]), "a program folds in otherwise"


def _moments(engine: Engine, draw: str) -> np.ndarray:
    found = engine.to_numpy(getattr(engine, draw)(engine.key(1), (200, 200)))
    again = engine.to_numpy(getattr(engine, draw)(engine.key(1), (200, 200)))
    other = engine.to_numpy(getattr(engine, draw)(engine.key(2), (200, 200)))
    assert found.dtype == np.float32 and found.shape == (200, 200)
    np.testing.assert_array_equal(found, again)
    assert abs(np.corrcoef(found.ravel(), other.ravel())[0, 1]) < 5 / 200, "numbers of two keys depend on each other"
    assert abs(np.corrcoef(found.ravel()[:-1], found.ravel()[1:])[0, 1]) < 5 / 200, "neighbours depend on each other"
    return found


@CHECKS.add("uniform")
def _uniform(engine: Engine) -> None:
    u = _moments(engine, "uniform")
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 1 / 2) < 5 / np.sqrt(12 * u.size) and abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / u.size)


@CHECKS.add("normal")
def _normal(engine: Engine) -> None:
    z = _moments(engine, "normal")
    assert abs(z.mean()) < 5 / np.sqrt(z.size) and abs(z.var() - 1) < 5 * np.sqrt(2 / z.size) and abs(z).max() > 3.5


@CHECKS.add("key_of")
def _key_of(engine: Engine) -> None:
    words = [engine.asarray(np.array(w, np.int32)) for w in ([3, 4], [4, 3], [-3, 4], [3, -4])]
    found = [_numbers(engine, engine.key_of(w)) for w in words]
    assert len(set(found)) == 4, "different words gave the same key"
    assert found[0] == _numbers(engine, engine.key_of(words[0]))
    inside = engine.compile(lambda w: engine.uniform(engine.key_of(w), (50,)))(words[1])
    assert engine.to_numpy(inside).tobytes() == found[1], "a program makes another key of the same words"


@CHECKS.add("keys")
def _keys(engine: Engine) -> None:
    """Populations need them, on engines that trace."""
    if engine.traces:
        together = engine.vmap(lambda key: engine.uniform(key, (50,)))(engine.keys([5, 2**40]))
        alone = [_numbers(engine, engine.key(seed)) for seed in (5, 2**40)]
        assert [row.tobytes() for row in engine.to_numpy(together)] == alone
