"""Engines: the closed list of what a tensor library must do, on each of them."""

import functools
import threading

import numpy as np
import pytest

import neuroloom as nl
from conftest import ENGINES
from neuroloom import engines, tree
from neuroloom.engines import Engine, Spec, dispatch
from neuroloom.errors import EngineError, UnknownNameError
from tolerances import assert_close

X = np.random.default_rng(4).normal(size=(3, 4)).astype("float32")


# ---------------------------------------------------------------------------------------------------- dispatch


def test_the_engine_of_an_array_is_found_by_its_type(engine):
    assert engines.of(engine.asarray(X)) is engine
    assert engines.of(3.0, None, [1, 2]) is engine  # the one in use
    assert engines.current() is engines.resolve(None) is engines.resolve(engine.name) is engine


def test_any_engine_wins_over_numpy(training_engine):
    assert engines.of(X, training_engine.asarray(X)) is engines.of(training_engine.asarray(X), X) is training_engine


def test_two_engines_do_not_mix():
    with pytest.raises(EngineError, match=r"jax and torch, met .* neuroloom\.engines\.load\('torch'\)\.asarray\(x\)"):
        engines.of(engines.load("jax").asarray(X), engines.load("torch").asarray(X))


def test_unknown_and_missing_engines(monkeypatch):
    with pytest.raises(UnknownNameError, match=r"Unknown engine 'troch'. Did you mean 'torch'?"):
        nl.use("troch")
    monkeypatch.setattr(dispatch, "installed", lambda name: False)
    monkeypatch.setattr(dispatch, "_loaded", {})
    with pytest.raises(EngineError, match=r"The engine 'torch' is not installed. Install it with: pip install"):
        nl.use("torch")


def test_the_engine_in_use(monkeypatch):
    monkeypatch.setattr(dispatch, "_default", None)
    for given, expected in {"": "jax", "numpy": "numpy"}.items():
        monkeypatch.setenv("NEUROLOOM_ENGINE", given)
        monkeypatch.setattr(dispatch, "from_environment", functools.cache(dispatch.from_environment.__wrapped__))
        assert engines.current().name == expected
    nl.use("torch")
    assert engines.current().name == "torch"
    with nl.engine("jax"), nl.engine("numpy"):
        assert engines.current().name == "numpy"
    assert engines.current().name == "torch"


def test_a_with_block_holds_in_its_own_thread():
    seen = []
    with nl.engine("numpy"):
        thread = threading.Thread(target=lambda: seen.append(engines.current().name))
        thread.start()
        thread.join()
    assert seen != ["numpy"]


def test_the_list_of_engines():
    with nl.engine("numpy"):
        rows = nl.engines()
    assert tuple(row.name for row in rows) == ENGINES
    assert [row.name for row in rows if row.in_use] == ["numpy"]
    for row in rows:
        assert row.installed == engines.installed(row.name) == bool(row.version) == bool(row.devices)
        assert row.install.startswith("pip install")


# ------------------------------------------------------------------------------------------------------ arrays


@pytest.mark.parametrize("source", ENGINES)
def test_asarray_takes_arrays_of_any_engine(source, engine):
    x = engine.asarray(engines.load(source).asarray(X))
    assert engines.of(x) is engine
    np.testing.assert_array_equal(engine.to_numpy(x), X)


@pytest.mark.parametrize(
    "value, dtype",
    [(2.5, "float32"), ([1.0, 2.0], "float32"), ([[True]], "bool"), (X, "float32"), (X.astype("int8"), "int8")],
)
def test_asarray_gives_python_floats_32_bits(value, dtype, engine):
    x = engine.asarray(value)
    assert engine.dtype_name(x) == dtype
    assert engine.dtype_name(engine.asarray(value, "float32")) == "float32"
    np.testing.assert_array_equal(engine.to_numpy(x), np.asarray(value))


def test_astype_and_names(engine):
    x = engine.asarray(3 * X)
    for dtype in ("int32", "float32", "bool", "uint8"):
        assert engine.dtype_name(engine.astype(engine.asarray(np.abs(3 * X)), dtype)) == dtype
    np.testing.assert_array_equal(engine.to_numpy(engine.astype(x, "int32")), (3 * X).astype("int32"))


def test_rows(engine):
    np.testing.assert_array_equal(engine.to_numpy(engine.rows(engine.asarray(X), 1, 2)), X[1:3])


def test_devices_and_versions(engine):
    assert engine.devices() and engine.version and engine.free_memory() > 1 << 20


# ------------------------------------------------------------------------------------ transformations of functions


def test_value_and_grad(training_engine):
    """d/dw Σ w² x = 2 w x; the second result is passed through; a parameter without a part gets zeros."""

    def fn(p, x):
        return ((p["w"] ** 2 * x).sum(), {"twice": 2 * p["w"]})

    params = {"w": training_engine.asarray(X), "unused": training_engine.asarray(X[0])}
    (value, aux), grads = training_engine.value_and_grad(fn)(params, training_engine.asarray(X))
    assert_close(value, (X**3).sum(), terms=12)
    assert_close(aux["twice"], 2 * X)
    assert_close(grads["w"], 2 * X * X)
    np.testing.assert_array_equal(training_engine.to_numpy(grads["unused"]), 0 * X[0])


def test_the_gradient_of_a_constant_is_zero(training_engine):
    def constant(p):
        return (training_engine.stop_gradient(p).sum(), None)

    (value, _), grad = training_engine.value_and_grad(constant)(training_engine.asarray(X))
    assert_close(value, X.sum(), terms=12)
    np.testing.assert_array_equal(training_engine.to_numpy(grad), 0 * X)


def test_gradients_leave_no_trace(training_engine):
    x = training_engine.asarray(X)
    fn = training_engine.compile(training_engine.value_and_grad(lambda p: ((p * p).sum(), p * 3)))
    (value, aux), grad = fn(x)
    for array in (value, aux, grad):
        assert not getattr(array, "requires_grad", False)


def test_an_engine_without_derivatives_says_so(engine):
    with pytest.raises(
        EngineError, match=rf"The {engine.name} engine computes forward only and cannot train\. Use another"
    ):
        Engine.value_and_grad(engine, lambda p: (p, None))


def test_scan_is_a_loop(engine):
    """A running sum over trees; the outputs are stacked along the first axis."""

    def step(carry, x):
        return ({"s": carry["s"] + x["a"]}, carry["s"] * x["b"])

    xs = {"a": X, "b": 2 * X}
    carry, ys = engine.scan(step, {"s": engine.asarray(0 * X[0])}, tree.map(engine.asarray, xs))
    before = np.concatenate([0 * X[:1], np.cumsum(X, 0)[:-1]])
    assert_close(carry["s"], X.sum(0), terms=3)
    assert_close(ys, before * 2 * X, terms=3)


def test_loop_stops_when_told(engine):
    """Doubling from 1 until it passes 100, at most 20 times."""

    def body(i, x):
        return x * 2, x * 2 <= 100

    found = engine.loop(0, 20, body, engine.asarray(1.0))
    assert float(found) == 128
    assert float(engine.loop(0, 3, body, engine.asarray(1.0))) == 8
    assert float(engine.loop(3, 3, body, engine.asarray(1.0))) == 1


def test_cond(engine):
    yes, no = (lambda x: x + 1), (lambda x: x * 10)
    x = engine.asarray(X)
    assert_close(engine.cond(engine.asarray(True), yes, no, x), X + 1)
    assert_close(engine.cond(engine.asarray(False), yes, no, x), 10 * X)


def test_vmap(engine):
    """One matrix shared, one vector per row."""
    x, m = engine.asarray(X), engine.asarray(X.T @ X)
    assert_close(engine.vmap(lambda v, m: m @ v, (0, None))(x, m), X @ (X.T @ X).T, terms=4)
    assert_close(engine.vmap(lambda a, b: a * b)(x, x), X * X)


def test_abstract_finds_shapes_without_data(engine):
    def fn(t, y):
        return {"product": t["x"] @ y, "flag": t["x"] > 0}

    specs = engine.abstract(fn, {"x": Spec((3, 4))}, Spec((4, 5)))
    assert specs == {"product": Spec((3, 5), "float32"), "flag": Spec((3, 4), "bool")}


def test_abstract_of_numpy_does_not_warn_about_zeros():
    spec = engines.load("numpy").abstract(lambda x: np.log(x) / x, Spec((2,)))
    assert spec == Spec((2,))


def test_compiled_functions_compute_the_same(engine):
    def fn(x, y):
        return {"a": x @ y.T, "b": (x - y).sum()}

    plain, compiled = fn(X, 2 * X), engine.compile(fn)(engine.asarray(X), engine.asarray(2 * X))
    tree.map(lambda c, p: assert_close(c, p, terms=12), compiled, plain)


# -------------------------------------------------------------------------------------------------- random numbers


def test_keys_name_their_numbers(engine):
    def draw(key):
        return engine.to_numpy(engine.uniform(key, (50,)))

    key = engine.key(7)
    np.testing.assert_array_equal(draw(key), draw(engine.key(7)))
    others = [engine.key(8), engine.key(7 + 2**40), engine.fold_in(key, 0), engine.fold_in(key, 1)]
    others += [engine.fold_in(engine.fold_in(key, 1), 2), engine.fold_in(engine.fold_in(key, 2), 1)]
    drawn = [draw(k) for k in [key, *others]]
    assert len({d.tobytes() for d in drawn}) == len(drawn)


def test_uniform_and_normal_have_their_moments(engine):
    n = 40_000
    u = engine.to_numpy(engine.uniform(engine.key(1), (200, n // 200)))
    z = engine.to_numpy(engine.normal(engine.key(1), (200, n // 200)))
    assert u.dtype == z.dtype == np.float32 and u.shape == z.shape == (200, n // 200)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 1 / 2) < 5 / np.sqrt(12 * n) and abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / n)
    assert abs(z.mean()) < 5 / np.sqrt(n) and abs(z.var() - 1) < 5 * np.sqrt(2 / n) and abs(z).max() > 3.5


def test_large_seeds(engine):
    for seed in (0, 2**32, 2**63 - 1):
        assert np.isfinite(engine.to_numpy(engine.uniform(engine.key(seed), (2,)))).all()


# ----------------------------------------------------------------------------------------------- state of training


def test_sums_stay_exact(engine):
    """2²⁴ + 1 + 1 is lost in plain float32."""
    total = engine.zero_sum(())
    for x in (2.0**24, 1.0, 1.0, 1.0):
        total = engine.add_to_sum(total, engine.asarray(x))
    assert float(engine.sum_value(total)) == pytest.approx(2**24 + 3, abs=1)


def test_logs_keep_their_rows(engine):
    log = engine.new_log(5, 2)
    for i in range(3):
        log = engine.put_row(log, i, [engine.asarray(float(i)), engine.asarray(i + 0.5)])
    rows, finite = engine.read_log(engine.end_log(log, [engine.asarray([1.0, 3e38, 3e38])]), 3)
    assert finite
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[0, 0.5], [1, 1.5], [2, 2.5]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logs_say_whether_weights_are_finite(engine, bad):
    for weights, expected in (([1.0], True), ([1.0, bad], False)):
        log = engine.put_row(engine.new_log(1, 1), 0, [engine.asarray(2.0)])
        arrays = [engine.asarray([0.0]), engine.asarray(weights)]
        assert engine.read_log(engine.end_log(log, arrays), 1)[1] is expected


def test_is_finite(engine):
    assert bool(engine.is_finite(engine.asarray(1.0)))
    assert not bool(engine.is_finite(engine.asarray(np.nan))) and not bool(engine.is_finite(engine.asarray(np.inf)))
