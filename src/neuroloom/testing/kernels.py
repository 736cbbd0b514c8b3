"""Checks of kernels: each against its plain definition, values and derivatives; and of what has no numbers."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.engines import Engine, Windows
from neuroloom.testing.compare import EXACT, Checks, check_gradients, close, drawn, put
from neuroloom.typing import Array, Tree

CHECKS = Checks()

X, Y, V = drawn(3, 4), drawn(3, 4, seed=4), drawn(4)
TIES = np.array([[1.0, 2.0, 2.0, -1.0], [0.0, -0.5, 0.5, 0.5]])
LARGE = np.array([[800.0, -800.0, 0.0, 30.0]])
IMAGES, VOLUMES, SERIES = drawn(2, 7, 5, 4), drawn(1, 4, 3, 5, 2), drawn(2, 9, 3)
EVEN, ODD = Windows((1, 1), ((0, 0), (0, 0)), (1, 1)), Windows((2, 1), ((1, 2), (0, 1)), (1, 2))
APART = Windows((2, 2), ((0, 0), (0, 0)), (1, 1))
LINE, SPACE = Windows((2,), ((1, 0),), (3,)), Windows((1, 2, 1), ((0, 1), (1, 0), (0, 0)), (1, 1, 1))
MASK = np.array([[True, True, False], [True, False, False]])
SEQUENCES, UNITS = drawn(2, 3, 4), 2
KERNELS = (drawn(4, 4 * UNITS), drawn(UNITS, 4 * UNITS), drawn(4 * UNITS))

CASES: dict[str, list[tuple[Any, ...]]] = {
    "abs": [(X,)],
    "clip": [(X, -0.5, 0.7), (X, None, 0.7), (X, -0.5, None), (TIES, -0.5, 0.5)],
    "relu": [(X,)],
    "sigmoid": [(X,), (LARGE,)],
    "softplus": [(X,), (LARGE,)],
    "binary_crossentropy": [(np.abs(np.tanh(Y)), X), (np.array([[1.0, 0.0, 1.0, 0.0]]), LARGE)],
    "softmax": [(X, 1), (X, 0), (LARGE, -1)],
    "log_softmax": [(X, 1), (X, 0), (LARGE, -1)],
    "lerp": [(X, Y, 0.3)],
    "affine": [
        (X, drawn(4, 2), drawn(2)), (drawn(2, 3, 4), drawn(4, 5), drawn(5)),
        (drawn(80, 40), drawn(40, 8), drawn(8)), (drawn(70, 9), drawn(9, 80), drawn(80)),
    ],
    "arange": [(0,), (5,)],
    "full_like": [(X, 2.5)],
    "rows": [(X, 1, 2)],
    "pick": [(X, np.array([2, 0, 3], np.int32)), (drawn(2, 3, 4), np.array([[0, 3, 1], [2, 2, 0]], np.int32))],
    "one_hot": [(np.array([[2, 0], [1, 3]], np.int32), 4, "float32")],
    "top_k": [(X, 3)],
    "conv": [
        (IMAGES, drawn(3, 2, 4, 3), EVEN), (IMAGES, drawn(3, 2, 4, 3), ODD, 1, drawn(3)),
        (IMAGES, drawn(3, 2, 2, 6), ODD, 2, drawn(6)), (IMAGES[..., :1], drawn(2, 2, 1, 3), ODD, 1, drawn(3)),
        (SERIES, drawn(2, 3, 4), LINE), (VOLUMES, drawn(2, 2, 3, 2, 2), SPACE),
    ],
    "max_pool": [(IMAGES, (2, 2), APART), (IMAGES, (3, 2), ODD), (SERIES, (2,), LINE), (VOLUMES, (2, 2, 3), SPACE)],
    "sum_pool": [(IMAGES, (2, 2), EVEN), (IMAGES, (3, 2), ODD), (SERIES, (2,), LINE), (VOLUMES, (2, 2, 3), SPACE)],
    "lstm": [(SEQUENCES, drawn(2, UNITS), drawn(2, UNITS, seed=4), *KERNELS)],
    "is_finite": [(np.array(x),) for x in (1.0, math.inf, -math.inf, math.nan)],
}  # fmt: skip
"""Kernel -> arguments. Arrays of float64 are also what it is differentiated by."""


def plain(engine: Engine) -> Any:
    """The engine with every kernel as its plain definition."""
    own = {name: body for name, body in vars(Engine).items() if not name.startswith("_")}
    made: Any = object.__new__(type("Plain", (type(engine),), own))
    vars(made).update(vars(engine))
    return made


def _as_defined(name: str, engine: Engine) -> None:
    """The values and the derivatives of a kernel are those of its definition."""
    defined = getattr(plain(engine), name)
    kernel = getattr(engine, name)
    for args in CASES[name]:
        given = [put(engine, a) if isinstance(a, np.ndarray) else a for a in args]
        close(engine, _scalars(kernel(*given)), _scalars(defined(*given)))
        floats = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        results = tree.leaves(_scalars(kernel(*given)))
        if engine.trains and floats and all("float" in engine.dtype_name(r) for r in results[:1]):
            _same_derivatives(engine, kernel, defined, args, floats)


def _scalars(value: Tree) -> Tree:
    """Truths of Python as arrays."""
    return tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, bool) else leaf, value)


def _same_derivatives(engine: Engine, kernel: Any, defined: Any, args: tuple[Any, ...], floats: list[int]) -> None:
    def of(fn: Any) -> Tree:
        def total(differentiated: list[Array], rest: dict[str, Array]) -> Any:
            left = list(args)
            for i, value in zip(floats, differentiated, strict=True):
                left[i] = value
            for place, value in rest.items():
                left[int(place)] = value
            results = [r for r in tree.leaves(fn(*left)) if "float" in engine.dtype_name(r)]
            parts = [(r * engine.asarray(drawn(*r.shape, seed=5), "float64")).sum() for r in results]
            return sum(parts), results

        others = {str(i): a for i, a in enumerate(args) if isinstance(a, np.ndarray) and i not in floats}
        given = put(engine, [args[i] for i in floats], "float64"), put(engine, others, None)
        return engine.compile(engine.value_and_grad(total))(*given)

    with engine.double():
        close(engine, of(kernel), of(defined), EXACT)


for _name in CASES:
    CHECKS[_name] = functools.partial(_as_defined, _name)


@CHECKS.add("abs: at 0, relu: at 0, clip: at a bound")
def _at_corners(engine: Engine) -> None:
    """The derivatives where there are several."""
    if not engine.trains:
        return
    zero = put(engine, np.zeros(2))
    for fn, slope in (
        (engine.abs, 0.0),
        (engine.relu, 0.0),
        (lambda x: engine.clip(x, 0.0, 1.0), 1.0),
        (lambda x: engine.clip(x, -1.0, 0.0), 1.0),
    ):
        close(engine, engine.value_and_grad(lambda x, fn=fn: (fn(x).sum(), ()))(zero)[1], np.full(2, slope))


@CHECKS.add("getitem")
def _getitem(engine: Engine) -> None:
    """As NumPy has it; slices may go backwards, and a place may be named twice."""
    twice = np.array([2, 0, 2], np.int32)
    for index in ((slice(2, 0, -1), Ellipsis), (None, 1), (slice(None), slice(3, None, -2)), twice):
        close(engine, engine.getitem(put(engine, X), put(engine, index)), X[index])
        check_gradients(engine, lambda x, index=index: engine.getitem(x, put(engine, index)), X)
    close(engine, engine.getitem(put(engine, X), engine.asarray(X > 0)), X[X > 0])


@CHECKS.add("max_pool: at ties")
def _ties(engine: Engine) -> None:
    """The first of equal values has the derivative; NaN wins over numbers."""
    x, windows = np.array([1.0, 3.0, 3.0, 2.0]).reshape(1, 4, 1), Windows((4,), ((0, 0),), (1,))
    if engine.trains:
        grad = engine.value_and_grad(lambda x: (engine.max_pool(x, (4,), windows).sum(), ()))(put(engine, x))[1]
        close(engine, grad, np.array([0.0, 1.0, 0.0, 0.0]).reshape(1, 4, 1))
    found = engine.max_pool(put(engine, np.array([1.0, np.nan, 3.0, 2.0]).reshape(1, 4, 1)), (4,), windows)
    close(engine, found, np.full((1, 1, 1), np.nan))


# ------------------------------------------------------------------------------------------ sums and logs


def _sums(engine: Engine) -> None:
    """2²⁴ + 1 + 1 is lost in plain float32."""
    total = engine.zero_sum((2,))
    for x in (2.0**24, 1.0, 1.0, 1.0):
        total = engine.add_to_sum(total, engine.asarray([x, -x]))
    total = engine.add_to_sum(total, 2)
    found = np.asarray(engine.to_numpy(engine.sum_value(total)), np.float64)
    assert np.abs(found - [2**24 + 5, -(2**24) - 1]).max() <= 1, f"expected ±(2²⁴ + 3) + 2, received {found}"
    close(engine, engine.sum_value(engine.zero_sum(())), np.float32(0))


def _logs(engine: Engine) -> None:
    rows = [[i * 1.5, -float(i)] for i in range(3)]
    for bad in (None, math.nan, math.inf, -math.inf):

        def fill(state: Any, bad: float | None = bad) -> Any:
            def body(i: Any, carry: Any) -> Any:
                x, log = carry
                log = engine.put_row(log, i, [x * 1.5, 0 - x])
                return (x + 1, log), engine.is_finite(x)

            x, log = engine.loop(0, 3, body, (state, engine.new_log(5, 2)))
            weights = [x + engine.asarray([3e38, 3e38]), engine.asarray([bad or 0.0])]
            return engine.end_log(log, weights)

        found, finite = engine.read_log(engine.compile(fill)(engine.asarray(0.0)), 3)
        assert finite is (bad is None), f"expected {bad is None} for a weight of {bad}, received {finite}"
        assert found.dtype == np.float32, f"expected float32, received {found.dtype}"
        np.testing.assert_array_equal(found, rows)


for _name in ("zero_sum", "add_to_sum", "sum_value"):
    CHECKS[_name] = _sums
for _name in ("new_log", "put_row", "end_log", "read_log"):
    CHECKS[_name] = _logs


@CHECKS.add("guarded")
def _guarded(engine: Engine) -> None:
    new, old = engine.asarray(1.0), engine.asarray(2.0)
    close(engine, engine.guarded(engine.is_finite(new), lambda: new, old), np.float32(1))
    if not engine.traces:
        close(engine, engine.guarded(engine.is_finite(engine.asarray(math.nan)), lambda: new, old), np.float32(2))


@CHECKS.add("kept")
def _kept(engine: Engine) -> None:
    values = {"a": put(engine, X), "n": 3}
    close(engine, engine.kept(values)["a"], X)
    assert engine.kept(values)["n"] == 3


# --------------------------------------------------------------------------------------------------- placing


@CHECKS.add("adopt")
def _adopt(engine: Engine) -> None:
    for dtype in ("float32", "uint8", "int32"):
        given = np.abs(drawn(40, 30) * 9).astype(dtype)
        found = engine.adopt(given.copy())
        assert engine.dtype_name(found) == dtype
        close(engine, found, given)


@CHECKS.add("scalar")
def _scalar(engine: Engine) -> None:
    for value, dtype in ((0.25, "float32"), (7, "int32")):
        found = engine.scalar(value, dtype)
        assert float(found) == value
        close(engine, put(engine, X) * found, X * value)


@CHECKS.add("apart")
def _apart(engine: Engine) -> None:
    """A change of the copy, where arrays can be changed, does not reach the other."""
    x = put(engine, X)
    found = engine.apart(x, [x])
    close(engine, found, X)
    values = engine.to_numpy(found)
    if values.flags.writeable:
        values[:] = 0
        close(engine, x, X)


@CHECKS.add("inner")
def _inner(engine: Engine) -> None:
    for n in (3, 100_000):
        a, b = drawn(n).astype("float32"), drawn(n, seed=4).astype("float32")
        np.testing.assert_allclose(engine.inner(a, b), np.vdot(a, b), rtol=1e-3)


@CHECKS.add("wait")
def _wait(engine: Engine) -> None:
    values = {"a": put(engine, X), "b": [put(engine, Y)]}
    close(engine, engine.wait(values), {"a": X, "b": [Y]})


@CHECKS.add("free_memory")
def _free_memory(engine: Engine) -> None:
    assert engine.free_memory() > 1 << 20, f"expected a number of bytes, received {engine.free_memory()!r}"


# -------------------------------------------------------------------------------------------------- programs


@CHECKS.add("recorded")
def _recorded(engine: Engine) -> None:
    """A recorded function gives what the function gives, at each call and in each shape."""

    def fn(x: Array, params: dict[str, Array], key: Any) -> Any:
        return {"y": engine.xp.tanh(x @ params["w"]), "u": engine.uniform(engine.fold_in(key, 3), (3,))}

    run = engine.compile(engine.recorded(fn))
    for seed in range(5):
        for n in (2, 3):
            args = put(engine, drawn(n, 4, seed=seed)), {"w": put(engine, drawn(4, 2, seed=seed))}, engine.key(seed)
            close(engine, run(*args), fn(*args))


@CHECKS.add("precision")
def _precision(engine: Engine) -> None:
    assert isinstance(engine.precision(), str)


@CHECKS.add("programs_folder")
def _programs_folder(engine: Engine) -> None:
    assert engine.programs_folder() is None or isinstance(engine.programs_folder(), Path)


def _programs(engine: Engine) -> None:
    """A program that was released is made anew when it is called again."""
    run = engine.compile(lambda x: x + 1)
    close(engine, run(put(engine, X)), X + 1)
    assert engine.held_bytes(run) >= 0
    engine.release(run)
    close(engine, run(put(engine, X)), X + 1)


for _name in ("held_bytes", "release"):
    CHECKS[_name] = _programs
