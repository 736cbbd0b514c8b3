"""Checks of arrays: how they are made, what their namespace has, how they are taken from and added to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from neuroloom import engines
from neuroloom.engines import NAMESPACE, Engine
from neuroloom.errors import DataError, NeuroloomError
from neuroloom.testing.compare import Checks, check_gradients, close, drawn, put, refused
from neuroloom.typing import Array, Function

CHECKS = Checks()

X, Y, V = drawn(3, 4), drawn(3, 4, seed=4), drawn(4)
POSITIVE = np.abs(X) + 0.5
INTEGERS = np.array([[5, -3, 2], [0, 7, -8]], np.int32)
TRUTHS = X > 0
INDEX = np.array([2, 0, 2], np.int32)


# ------------------------------------------------------------------------------------------------- the engine


@CHECKS.add("version")
def _version(engine: Engine) -> None:
    assert isinstance(engine.version, str) and engine.version, f"expected a text, received {engine.version!r}"


@CHECKS.add("devices")
def _devices(engine: Engine) -> None:
    found = engine.devices()
    assert found and all(isinstance(one, str) for one in found), f"expected names of devices, received {found!r}"


@CHECKS.add("capabilities")
def _capabilities(engine: Engine) -> None:
    names = "trains", "traces", "static_shapes", "background", "on_host", "forks", "bfloat16", "reference"
    for name in names:
        assert isinstance(getattr(engine, name), bool), f"{name}: expected True or False"
    assert isinstance(engine.name, str) and engine.name
    assert not engine.static_shapes or engine.traces, "programs for one shape are those of an engine that traces"
    host = isinstance(engine.asarray(X), np.ndarray)
    assert host == engine.on_host, f"on_host is {engine.on_host}, but asarray gives {type(engine.asarray(X))}"


# ---------------------------------------------------------------------------------------------- making arrays


@CHECKS.add("asarray")
def _asarray(engine: Engine) -> None:
    for value, dtype in ((2.5, "float32"), ([[1.0, 2.0], [3.0, 4.0]], "float32"), ([True, False], "bool")):
        x = engine.asarray(value)
        assert engine.dtype_name(x) == dtype, f"expected {dtype} for {value}, received {engine.dtype_name(x)}"
        close(engine, x, np.asarray(value, dtype))
    for dtype in ("float32", "int32", "uint8", "int8", "bool"):
        for x in (engine.asarray(np.abs(INTEGERS), dtype), engine.asarray(np.abs(INTEGERS).astype(dtype))):
            assert engine.dtype_name(x) == dtype, f"expected {dtype}, received {engine.dtype_name(x)}"
            close(engine, x, np.abs(INTEGERS).astype(dtype))
    x = engine.asarray(X.astype("float32"))
    assert engine.asarray(x) is x or engine.on_host, "an array of the engine's own is copied"
    assert engines.of(x) is engine, f"an array of {type(x)} is taken for one of {engines.of(x).name}"


@CHECKS.add("asarray: errors")
def _asarray_errors(engine: Engine) -> None:
    for value in (["a", "b"], [None]):
        refused(DataError, functools.partial(engine.asarray, value), f"asarray({value})")


@CHECKS.add("to_numpy")
def _to_numpy(engine: Engine) -> None:
    for value in (X.astype("float32"), INTEGERS, TRUTHS, np.float32(3)):
        found = engine.to_numpy(engine.asarray(value))
        assert isinstance(found, np.ndarray), f"expected a NumPy array, received {type(found)}"
        assert found.dtype == value.dtype, f"expected {value.dtype}, received {found.dtype}"
        np.testing.assert_array_equal(found, value)


@CHECKS.add("dtype_name")
def _dtype_name(engine: Engine) -> None:
    for dtype in ("float32", "int32", "uint8", "bool"):
        found = engine.dtype_name(engine.asarray(INTEGERS.astype(dtype)))
        assert found == dtype, f"expected {dtype!r}, received {found!r}"


@CHECKS.add("astype")
def _astype(engine: Engine) -> None:
    x = engine.asarray(np.abs(3 * X).astype("float32"))
    for dtype in ("int32", "float32", "bool", "uint8"):
        found = engine.astype(x, dtype)
        assert engine.dtype_name(found) == dtype, f"expected {dtype}, received {engine.dtype_name(found)}"
        close(engine, found, np.abs(3 * X).astype("float32").astype(dtype))
    check_gradients(engine, lambda x: engine.astype(x, "float64") * 2, X)


@CHECKS.add("bfloat16")
def _bfloat16(engine: Engine) -> None:
    x = engine.asarray([1.0, 1 + 2**-9, 1.5, 3e38])
    if not engine.bfloat16:
        refused(NeuroloomError, lambda: engine.astype(x, "bfloat16"), "astype(x, 'bfloat16')")
        return
    narrow = engine.astype(x, "bfloat16")
    assert engine.dtype_name(narrow) == "bfloat16"
    close(engine, engine.astype(narrow, "float32")[:3], np.array([1.0, 1.0, 1.5], "float32"), within=0)


@CHECKS.add("double")
def _double(engine: Engine) -> None:
    with engine.double():
        x = engine.asarray(X, "float64")
        assert engine.dtype_name(x) == "float64" == engine.dtype_name(x * 2.0)
        np.testing.assert_array_equal(engine.to_numpy(x), X)


# ------------------------------------------------------------------------------------------- the namespace

Case = tuple[tuple[Any, ...], dict[str, Any]]

ELEMENTWISE = ("cos", "exp", "expm1", "sin", "square", "tanh")
REDUCTIONS = ("sum", "mean", "prod", "max", "min")
ALONG = ("argmax", "argmin", "argsort", "sort", "cumulative_sum")
CASES: dict[str, list[Case]] = {
    **{name: [((X,), {})] for name in (*ELEMENTWISE, "abs", "floor", "round", "sign", "ones_like", "zeros_like")},
    **{name: [((POSITIVE,), {})] for name in ("log", "log1p", "sqrt")},
    **{name: [((X, Y), {})] for name in ("maximum", "minimum", "logaddexp")},
    **{name: [((TRUTHS, ~TRUTHS), {})] for name in ("logical_and", "logical_or")},
    **{name: [((X,), {}), ((X,), {"axis": 0}), ((X,), {"axis": (0, 1), "keepdims": True})] for name in REDUCTIONS},
    **{name: [((TRUTHS,), {}), ((TRUTHS,), {"axis": 1})] for name in ("any", "all")},
    **{name: [((X,), {"axis": 1}), ((X,), {"axis": 0})] for name in ALONG},
    "var": [((X,), {}), ((X,), {"axis": 1, "keepdims": True, "correction": 1})],
    "isfinite": [((np.array([0.0, np.inf, -np.inf, np.nan]),), {})],
    "logical_not": [((TRUTHS,), {})],
    "floor_divide": [((INTEGERS, np.full_like(INTEGERS, 3)), {}), ((X, POSITIVE), {})],
    "remainder": [((INTEGERS, np.full_like(INTEGERS, 3)), {}), ((X, POSITIVE), {})],
    "where": [((TRUTHS, X, Y), {})],
    "clip": [((X, -0.5, 0.5), {})],
    "arange": [((5,), {})],
    "zeros": [(((2, 3),), {})],
    "full_like": [((X, 1.5), {})],
    "broadcast_to": [((V, (3, 4)), {})],
    "concat": [(([X, Y],), {"axis": 1}), (([X, Y],), {})],
    "stack": [(([X, Y],), {"axis": 1}), (([X, Y],), {})],
    "expand_dims": [((X,), {"axis": 1})],
    "squeeze": [((X[:, None],), {"axis": 1})],
    "flip": [((X,), {"axis": 1})],
    "moveaxis": [((drawn(2, 3, 4), 0, 2), {})],
    "permute_dims": [((drawn(2, 3, 4), (2, 0, 1)), {})],
    "reshape": [((X, (2, 6)), {}), ((X, (-1,)), {})],
    "roll": [((X, 2), {"axis": 1})],
    "tile": [((X, (2, 1)), {})],
    "searchsorted": [((np.array([-1.0, 0.5, 2.0]), V), {})],
}  # fmt: skip
"""Function of the namespace -> arguments; NumPy's function of the same name says what comes of them."""

FLAT = {
    "arange", "floor", "floor_divide", "full_like", "ones_like", "remainder", "round", "searchsorted", "sign", "zeros",
    "zeros_like",
}  # fmt: skip
"""Functions whose derivative is 0, or that have several definitions of it."""


def _of_namespace(name: str, engine: Engine) -> None:
    fn = getattr(engine.xp, name)
    for args, kwargs in CASES[name]:
        expected = getattr(np, name)(*args, **kwargs)
        found = fn(*put(engine, args), **kwargs)
        if np.asarray(expected).dtype.kind in "iu":  # indices and whole numbers have the engine's own width
            np.testing.assert_array_equal(engine.to_numpy(found), expected)
        else:
            close(engine, found, expected)
        arrays = [a for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        if name not in FLAT and arrays and np.asarray(expected).dtype.kind == "f" and np.isfinite(expected).all():
            check_gradients(engine, functools.partial(_filled, engine, fn, args, kwargs), *arrays)


def _filled(engine: Engine, fn: Function, args: tuple[Any, ...], kwargs: Any, *floats: Array) -> Array:
    """fn of the arguments, with arrays of an engine in the place of their floats."""
    left = iter(floats)

    def one(a: Any) -> Any:
        return next(left) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else put(engine, a, "float64")

    return fn(*map(one, args), **kwargs)


for _name in CASES:
    CHECKS[f"xp.{_name}"] = functools.partial(_of_namespace, _name)


@CHECKS.add("xp.asarray, xp.astype")
def _converted(engine: Engine) -> None:
    xp, x = engine.xp, put(engine, X)
    close(engine, xp.asarray(2.5, dtype=x.dtype), np.float32(2.5))
    close(engine, xp.astype(x, xp.int32), X.astype("int32"))
    close(engine, x + xp.nan, X + np.nan)


@CHECKS.add("xp: nothing lacks")
def _namespace(engine: Engine) -> None:
    missing = [name for name in NAMESPACE if not hasattr(engine.xp, name)]
    assert not missing, f"the namespace lacks {', '.join(missing)}"


@CHECKS.add("xp.linalg")
def _linalg(engine: Engine) -> None:
    a, b = drawn(3, 3) + 3 * np.eye(3), drawn(3, 2)
    with engine.double():
        close(engine, engine.xp.linalg.solve(*put(engine, (a, b), "float64")), np.linalg.solve(a, b), 1e-9)
        close(engine, engine.xp.linalg.vector_norm(put(engine, b, "float64")), np.linalg.vector_norm(b), 1e-9)


OPERATORS: dict[str, Callable[..., Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: 2 - x - y,
    "*": lambda x, y: 3 * x * y,
    "/": lambda x, y: x / (y * y + 1),
    "**": lambda x, y: x**2 + y**3,
    "@": lambda x, y: x @ y.reshape((4, 3)),
    "-x": lambda x, y: -x,
    "x[...]": lambda x, y: x[1:, ::2] * y[:2, None, 0],
    "methods": lambda x, y: x.sum() + y.mean() + x.sum(axis=0).max(),
}


@CHECKS.add("operators of arrays")
def _operators(engine: Engine) -> None:
    for fn in OPERATORS.values():
        close(engine, fn(*put(engine, (X, Y))), fn(X, Y))
        check_gradients(engine, fn, X, Y)
    x, y = put(engine, (X, Y))
    for found, expected in ((x > y, X > Y), (x <= y, X <= Y), (x == x, X == X), ((x > 0) & (y > 0), (X > 0) & (Y > 0))):
        close(engine, found, expected)
    assert tuple(x.shape) == (3, 4) and x.ndim == 2


# ----------------------------------------------------------------------------------- functions of arrays


@CHECKS.add("erf")
def _erf(engine: Engine) -> None:
    close(engine, engine.erf(put(engine, 2 * X)), special.erf(2 * X))
    check_gradients(engine, engine.erf, X)


@CHECKS.add("gather")
def _gather(engine: Engine) -> None:
    for index in (INDEX, np.array([[1, 1], [2, 0]], np.int32)):
        at = engine.asarray(index)
        close(engine, engine.gather(put(engine, X), at), X[index])
        check_gradients(engine, lambda x, at=at: engine.gather(x, at), X)  # a row that is taken twice


@CHECKS.add("add_at")
def _add_at(engine: Engine) -> None:
    expected = X.copy()
    np.add.at(expected, INDEX, Y)
    x, index, y = put(engine, (X, INDEX, Y))
    close(engine, engine.add_at(x, index, y), expected)
    close(engine, x, X)  # which is left as it was
    check_gradients(engine, lambda x, y: engine.add_at(x, index, y), X, Y)


@CHECKS.add("pad")
def _pad(engine: Engine) -> None:
    widths = [(1, 0), (2, 3)]
    for value in (0.0, -1.5):
        close(engine, engine.pad(put(engine, X), widths, value), np.pad(X, widths, constant_values=value))
    check_gradients(engine, lambda x: engine.pad(x, widths), X)
