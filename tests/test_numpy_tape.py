"""Derivatives by the NumPy engine's tape: every rule against central differences, and the curves of trainings."""

import gc
import weakref

import numpy as np
import pytest
import scipy.special

import neuroloom as nl
from gradients import STEP
from nets import NETS, data, net
from neuroloom import engines, layers, losses, ops, optimizers, tree
from neuroloom.engines.numpy import rules as numpy_rules
from neuroloom.engines.numpy import tape as numpy_tape
from neuroloom.errors import ConfigurationError, EngineError, ShapeError
from tolerances import DIFFERENCES, assert_close

ENGINE = engines.load("numpy")
RNG = np.random.default_rng(12)
X = RNG.normal(size=(2, 3, 4))
Y = RNG.normal(size=(2, 3, 4))
ROW = RNG.normal(size=(3, 1))  # broadcast over the first and the last axis
POSITIVE = np.abs(X) + 0.4
M = RNG.normal(size=(4, 5))
V = RNG.normal(size=4)
PLACES = np.array([[2, 0, 2, 1]])
TWICE = np.array([1, 0, 1])

# name of a rule -> functions of arrays, with the arrays
CASES = {
    "absolute": [(np.abs, X)],
    "cos": [(np.cos, X)],
    "erf": [(scipy.special.erf, X)],
    "exp": [(np.exp, X)],
    "expm1": [(np.expm1, X)],
    "log": [(np.log, POSITIVE)],
    "log1p": [(np.log1p, POSITIVE)],
    "negative": [(np.negative, X)],
    "sin": [(np.sin, X)],
    "sqrt": [(np.sqrt, POSITIVE)],
    "square": [(np.square, X)],
    "tanh": [(np.tanh, X)],
    "add": [(np.add, X, ROW), (lambda x: x + x + 1.5, X), (lambda x: Y + x, ROW)],
    "subtract": [(np.subtract, ROW, X), (lambda x: 2 - x, X), (lambda x: Y - x, ROW)],
    "multiply": [(np.multiply, X, ROW), (lambda x: x * x * 3, X), (lambda s: s * Y, X[0, 0, 0])],
    "divide": [(np.divide, X, POSITIVE), (lambda x: 2 / x, POSITIVE), (np.divide, X, np.abs(ROW) + 0.3)],
    "power": [(np.power, POSITIVE, ROW), (lambda x: x**3, X), (lambda x: 2**x, X), (lambda x: x**-0.5, POSITIVE)],
    "remainder": [(np.remainder, 3 * X, POSITIVE), (lambda x: 5 % x, POSITIVE)],
    "maximum": [(np.maximum, X, ROW), (lambda x: np.maximum(x, 0.1), X)],
    "minimum": [(np.minimum, X, ROW), (lambda x: np.minimum(0.1, x), X)],
    "logaddexp": [(np.logaddexp, X, ROW)],
    "matmul": [
        (np.matmul, X, M),
        (np.matmul, M.T, X[0].T),
        (np.matmul, V, M),
        (np.matmul, X, V),
        (np.matmul, V, V + 1),
    ],
    "where": [(lambda x, y: np.where(X > 0, x, y), X, ROW), (lambda x: np.where(X > 0, x, 2.0), X)],
    "take_along_axis": [
        (lambda x: np.take_along_axis(x, PLACES, axis=0), X[0]),
        (lambda x: np.take_along_axis(x, PLACES.reshape(1, 1, 4)[..., :2], axis=-1), X[:1, :1]),
    ],
    "sum": [
        (lambda x: np.sum(x), X),
        (lambda x: np.sum(x, axis=1), X),
        (lambda x: np.sum(x, axis=(0, -1), keepdims=True), X),
        (lambda x: np.add.reduce(x), X),
        (lambda x: x.sum(-1), X),
    ],
    "max": [
        (lambda x: np.max(x), X),
        (lambda x: np.max(x, axis=(0, -1), keepdims=True), X),
        (lambda x: np.maximum.reduce(x, axis=1), X),
    ],
    "min": [(lambda x: np.min(x, axis=1), X), (lambda x: np.minimum.reduce(x), X)],
    "cumulative_sum": [
        (lambda x: np.cumulative_sum(x, axis=1), X),
        (lambda x: np.cumulative_sum(x, axis=-1, include_initial=True), X),
        (lambda x: np.cumulative_sum(x), V),
    ],
    "einsum": [(lambda a, b: np.einsum("abc,cd->adb", a, b), X, M), (lambda a, b: np.einsum("c,c->", a, b), V, V + 1)],
    "reshape": [(lambda x: np.reshape(x, (4, -1)), X), (lambda x: x.reshape(-1), X), (lambda x: x.reshape(2, 12), X)],
    "expand_dims": [(lambda x: np.expand_dims(x, 1), X)],
    "squeeze": [(lambda x: np.squeeze(x, axis=1), ROW)],
    "broadcast_to": [(lambda x: np.broadcast_to(x, (2, 3, 4)), ROW)],
    "transpose": [
        (lambda x: np.transpose(x, (1, -1, 0)), X),
        (lambda x: x.T, X),
    ],
    "moveaxis": [(lambda x: np.moveaxis(x, 0, -1), X), (lambda x: np.moveaxis(x, (0, 1), (2, 0)), X)],
    "flip": [(lambda x: np.flip(x), X), (lambda x: np.flip(x, axis=(0, 2)), X)],
    "roll": [
        (lambda x: np.roll(x, 1, axis=1), X),
        (lambda x: np.roll(x, (1, 3), axis=(1, 2)), X),
        (lambda x: np.roll(x, 5), X),
    ],
    "pad": [(lambda x: np.pad(x, ((0, 0), (2, 1), (0, 3)), constant_values=2.0), X)],
    "clip": [
        (lambda x: np.clip(x, -0.5, 0.7), X),
        (np.clip, X, ROW - 0.3, ROW + 0.3),
        (lambda x: np.clip(x, None, 0.1), X),
    ],
    "concatenate": [
        (lambda a, b: np.concatenate([a, b, a], axis=-1), X, Y[..., :2]),
        (lambda a: np.concatenate([Y, a, Y]), X[:1]),
    ],
    "mean": [(lambda x: np.mean(x), X), (lambda x: x.mean(axis=(0, 2), keepdims=True), X)],
    "prod": [
        (lambda x: np.prod(x), X[0, :2]),
        (lambda x: np.prod(x, axis=1), X * (np.abs(X) > 0.2)),
        (lambda x: np.prod(x, axis=(2, 0), keepdims=True), X),
    ],
    "sort": [(lambda x: np.sort(x, axis=1), X), (lambda x: np.sort(x), X)],
    "stack": [(lambda a, b: np.stack([a, b], axis=1), X, Y), (lambda a: np.stack([Y, a], axis=-1), X)],
    "tile": [(lambda x: np.tile(x, (2, 1, 3)), X), (lambda x: np.tile(x, (3, 2)), V), (lambda x: np.tile(x, (2,)), X)],
    "var": [(lambda x: np.var(x), X), (lambda x: np.var(x, axis=1, correction=1, keepdims=True), X)],
    # those that NumPy has not, and indices
    "relu": [(numpy_rules.relu, X)],
    "add_at": [
        (lambda x, v: numpy_tape.add_at(x, TWICE, v), X[0], Y[0]),
        (lambda x, v: numpy_tape.add_at(x, (slice(None), 1), v), X[0], V[:3]),
    ],
    "getitem": [
        (lambda x: x[1], X),
        (lambda x: x[..., None, ::-2], X),
        (lambda x: x[:, TWICE], X),
        (lambda x: x[:, [2, 2]], X),
        (lambda x: x[X > 0], X),
        (lambda x: sum(row * i for i, row in enumerate(x)), X),
    ],
    "astype": [(lambda x: x.astype("float64") * 2, X)],
}
SWEEP = [pytest.param(fn, args, id=f"{name} {i}") for name in CASES for i, (fn, *args) in enumerate(CASES[name])]


def test_every_rule_has_a_case():
    others = {"relu", "add_at", "getitem", "astype"}
    assert set(CASES) == {*numpy_tape.PRODUCTS, *numpy_tape.DEFINED, *others}


def weighted(fn, weights):
    return lambda args: ((fn(*args) * weights).sum(), ())


@pytest.mark.parametrize("fn, args", SWEEP)
def test_a_rule_is_the_central_difference(fn, args):
    """Values are NumPy's own; each operand's derivative is right, and has its shape and dtype."""
    args = [np.array(a) for a in args]
    y = fn(*args)
    weights = np.random.default_rng(1).normal(size=np.shape(y))
    (value, _), grads = numpy_tape.value_and_grad(weighted(fn, weights))(args)
    np.testing.assert_allclose(value, (y * weights).sum(), rtol=1e-13)
    for given, found in zip(args, grads, strict=True):
        expected = np.zeros(given.shape)
        for i in np.ndindex(given.shape):
            kept, ends = given[i], []
            for moved in (kept + STEP, kept - STEP):
                given[i] = moved
                ends.append((fn(*args) * weights).sum())
            given[i] = kept
            expected[i] = (ends[0] - ends[1]) / (2 * STEP)
        assert found.dtype == np.float64
        assert_close(found, expected, within=DIFFERENCES, reason="central differences")


@pytest.mark.parametrize("fn, args", SWEEP)
def test_derivatives_have_derivatives(fn, args):
    """The gradient of v · ∇ Σ sin(y) by one operand, against central differences of that product."""
    args = [np.array(a) for a in args]

    def along(args, v):
        def total(args):
            return np.sum(np.sin(fn(*args))), ()

        return sum((g * w).sum() for g, w in zip(numpy_tape.value_and_grad(total)(args)[1], v, strict=True)), ()

    rng = np.random.default_rng(2)
    v, direction = ([rng.normal(size=a.shape) for a in args] for _ in range(2))
    (value, _), grads = numpy_tape.value_and_grad(along)(args, v)
    assert np.isfinite(value)
    found = sum((g * d).sum() for g, d in zip(grads, direction, strict=True))
    ends = [along([a + step * d for a, d in zip(args, direction, strict=True)], v)[0] for step in (STEP, -STEP)]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * STEP), rtol=1e-5, atol=1e-6)


def test_derivatives_on_two_tapes_do_not_mix():
    """d/dx [x · d/dy (x + y)] = 1: that by y is 1, whatever x is; d³/dx³ x⁴ = 24 x."""

    def outer(x):
        slope = numpy_tape.value_and_grad(lambda y: (x + y, ()))(np.float64(2.0))[1]
        return x * slope, ()

    assert numpy_tape.value_and_grad(outer)(np.float64(5.0))[1] == 1

    def third(x):
        def second(x):
            return numpy_tape.value_and_grad(lambda x: (x**4, ()))(x)[1], ()

        return numpy_tape.value_and_grad(second)(x)[1], ()

    assert numpy_tape.value_and_grad(third)(np.float64(2.0))[1] == 48


def test_one_step_by_hand():
    """micrograd's first example: d = (a b + c) e with a = 2, b = -3, c = 10, e = -2."""
    (d, _), grads = numpy_tape.value_and_grad(lambda p: ((p["a"] * p["b"] + p["c"]) * p["e"], ()))(
        {name: np.float64(value) for name, value in {"a": 2, "b": -3, "c": 10, "e": -2}.items()}
    )
    assert (d, grads) == (-8, {"a": 6, "b": -4, "c": -2, "e": 4})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_width_of_their_parameters(dtype):
    """Beside constants of 64 bits too."""

    def loss(p):
        return (p["w"] * np.ones(3)).sum() + (p["b"] / 3.0).sum() + p["s"] * 2, p["w"] * 2

    params = {"w": np.ones(3, dtype), "b": np.ones((1, 2), dtype), "s": np.ones((), dtype)}
    (_, aux), grads = ENGINE.value_and_grad(loss)(params)
    assert {str(g.dtype) for g in tree.leaves(grads)} == {dtype} and str(aux.dtype) == dtype


STEPS = {
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "round": np.round,
    "floor_divide": lambda x: x // 0.3,
    "zeros_like": np.zeros_like,
    "ones_like": np.ones_like,
    "full_like": lambda x: np.full_like(x, 2.0),
    "comparison": lambda x: (x > 0) & ~(x >= 1) | (x == 2) | np.isfinite(x),
    "argmax": lambda x: np.argmax(x, axis=1),
    "cast": lambda x: x.astype("int32"),
    "length": lambda x: np.float64(len(x)),
    "shape": lambda x: np.shape(x)[1],
    "stop_gradient": ops.stop_gradient,
    "stop_gradient by the engine": ENGINE.stop_gradient,
}


@pytest.mark.parametrize("name", STEPS)
def test_what_goes_in_steps_is_a_constant(name):
    """The derivative of x · step(x) is the step, as plain numbers."""
    steps = []

    def loss(x):
        steps.append(STEPS[name](x))
        return np.sum(x * (np.sum(steps[0]) + 0.0)), ()

    grads = numpy_tape.value_and_grad(loss)(X)[1]
    assert not isinstance(steps[0], numpy_tape.Traced)
    np.testing.assert_allclose(grads, np.full(X.shape, np.sum(steps[0]) + 0.0))
    assert set(STEPS) >= numpy_tape.STEPS


# ----------------------------------------------------------------------------------------------- flow of the program


def on_both(fn, *args):
    """Gradients of a function of (engine, args) by NumPy's tape and by JAX, in float64."""
    found = []
    for name in ("numpy", "jax"):
        engine = engines.load(name)
        with engine.double(), engines.engine(name):
            program = engine.value_and_grad(lambda args, engine=engine: (ops.sum(fn(engine, *args)), ()))
            put = [engine.asarray(a, str(a.dtype)) for a in args]
            found.append([engine.to_numpy(g) for g in program(put)[1]])
    for ours, theirs in zip(*found, strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def cumulated(engine, c, xs):
    def step(carry, x):
        carry = ops.tanh(carry * x + 0.5)
        return carry, carry * x

    carry, ys = engine.scan(step, c, xs)
    return carry + ops.sum(ys * ys, axis=0)


def counted(engine, x, y):
    return engine.vmap(lambda a, b: ops.sum(a * a) * b, (0, None))(x, y)


def chosen(engine, x, y):
    return engine.cond(ops.sum(x) > ops.sum(y), lambda a, b: a * b, lambda a, b: a - b * b, x, y)


FLOWS = {
    "scan": (cumulated, [V, RNG.normal(size=(5, 4))]),
    "vmap": (counted, [X[0], V]),
    "cond, yes": (chosen, [V + 9, V]),
    "cond, no": (chosen, [V - 9, V]),
    "top_k": (lambda engine, x: engine.top_k(x, 2)[0] * np.arange(1, 3), [X]),
    "gather": (lambda engine, x: engine.gather(x, engine.asarray(TWICE)) ** 2, [X[0]]),
    "pick": (lambda engine, x: engine.pick(x, engine.asarray(TWICE[:2])) ** 2, [X[:, 0]]),
    "add_at": (lambda engine, x, v: engine.add_at(x, engine.asarray(TWICE), v) ** 2, [X[0], Y[0]]),
    "lstm": (
        lambda engine, *args: ops.sum(engine.lstm(*args)[0] ** 2, axis=0) + engine.lstm(*args)[2][0],
        [0.5 * np.random.default_rng(3).normal(size=s) for s in ((2, 4, 3), (2, 2), (2, 2), (3, 8), (2, 8), (8,))],
    ),
    "softmax": (lambda engine, x: engine.softmax(x, 1) * np.arange(4), [X]),
}


@pytest.mark.parametrize("name", FLOWS)
def test_loops_and_choices_are_those_of_jax(name):
    fn, args = FLOWS[name]
    on_both(fn, *args)


def test_a_loop_of_unknown_length():
    """Newton's root of x: the derivative is 1 / (2 √x). JAX cannot go back through such a loop."""

    def root(x):
        def step(state):
            r, _ = state
            new = 0.5 * (r + x / r)
            return new, r - new

        return ENGINE.while_loop(lambda s: np.abs(s[1]) > 1e-12, step, (ops.ones_like(x), np.inf))[0], ()

    (value, _), slope = numpy_tape.value_and_grad(root)(np.float64(3.0))
    np.testing.assert_allclose([value, slope], [np.sqrt(3), 0.5 / np.sqrt(3)], rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- misuse


def by_numpy(fn):
    return lambda: ENGINE.value_and_grad(lambda x: (fn(x), ()))(X[0])


MISUSE = {
    "no derivative": (by_numpy(lambda x: np.linalg.svd(x)[1].sum()), EngineError, "no derivative of svd. Compute it"),
    "of a ufunc": (by_numpy(lambda x: np.arctan(x).sum()), EngineError, "no derivative of arctan"),
    "of a reduction": (by_numpy(lambda x: np.multiply.reduce(x).sum()), EngineError, "no derivative of reduce"),
    "made a constant": (by_numpy(lambda x: np.asarray(x).sum()), TypeError, "as one it would be a constant"),
    "put into an array": (
        by_numpy(lambda x: np.zeros((3, 4)).__setitem__(slice(None), x)),
        TypeError,
        "as one it would be a constant",
    ),
    "written to an array": (by_numpy(lambda x: np.add(x, 1, out=0 * X[0]).sum()), EngineError, "cannot write into"),
    "added to an array": (by_numpy(lambda x: (0 * X[0]).__iadd__(x).sum()), EngineError, "add cannot write into"),
    "added at places": (by_numpy(lambda x: np.add.at(0 * X[0], [0], x)), EngineError, "no derivative of at"),
    "copied": (by_numpy(lambda x: np.copyto(0 * X[0], x)), EngineError, "no derivative of copyto"),
    "by keyword": (by_numpy(lambda x: np.sum(a=x * x)), EngineError, "among its arguments without a keyword"),
    "no scalar": (by_numpy(lambda x: x * 2), ShapeError, r"scalar value, received shape \(3, 4\)"),
    "whole numbers": (lambda: ENGINE.value_and_grad(lambda x: (x.sum(), ()))(np.arange(3)), EngineError, "of floats"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_says_what_is_wrong(name):
    call, kind, text = MISUSE[name]
    with pytest.raises(kind, match=text):
        call()


def test_adding_in_place_gives_a_new_value():
    def loss(x):
        kept = x
        x += 1
        x *= kept
        return x.sum(), ()

    np.testing.assert_allclose(numpy_tape.value_and_grad(loss)(V)[1], 2 * V + 1)


def test_nothing_of_a_tape_is_left():
    """Arrays between are freed at once, without the garbage collector."""
    seen = []

    def loss(x):
        y = np.tanh(x)
        seen.append(weakref.ref(y))
        return (y * y).sum(), y

    gc.disable()
    try:
        (value, aux), grads = numpy_tape.value_and_grad(loss)(X)
        assert seen[0]() is None
    finally:
        gc.enable()
    assert {type(value), type(aux), type(grads)} <= {np.ndarray, np.float64}


# ---------------------------------------------------------------------------------------------------------- trainings


@pytest.mark.parametrize("kind", NETS)
def test_curves_are_those_of_jax(kind):
    """50 steps of Adam in float32: the loss of each step within 1e-4."""
    x, y = data(kind, n=80)
    curves = {}
    for name in ("numpy", "jax"):
        nl.utils.set_random_seed(3)
        model = net(kind)
        model.fit(x, y, batch_size=16, epochs=10, verbose=0, engine=name)
        curves[name] = np.array(
            [*model.history.history["loss"], *np.concatenate([w.ravel() for w in model.get_weights()])]
        )
    assert curves["jax"][9] < curves["jax"][0] - 0.01
    np.testing.assert_allclose(curves["numpy"], curves["jax"], rtol=1e-4, atol=1e-4)


def curve(engine, kind, start, steps=50):
    """The losses of a training in float64 by steps that are written out: loss, gradient, update."""
    model, (x, y) = net(kind), data(kind)
    network, rule, loss = model.network, optimizers.Adam(0.01), losses.SparseCategoricalCrossentropy()
    found = []
    with engine.double(), engines.engine(engine.name):
        params = tree.map(lambda w: engine.asarray(w.astype("float64"), "float64"), start)
        x, y = engine.asarray(x.astype("float64"), "float64"), engine.asarray(y, "int32")
        slots = rule.init(params)

        def total(params):
            return losses.reduce(loss.values(y, network.apply(params, x, training=True))), ()

        program = engine.compile(engine.value_and_grad(total))
        for i in range(steps):
            (value, _), grads = program(params)
            params, slots = rule.update(params, grads, slots, 0.01, i)
            found.append(float(value))
        assert {engine.dtype_name(p) for p in tree.leaves(params)} == {"float64"}
    return np.array(found)


@pytest.mark.parametrize("kind", NETS)
def test_curves_in_float64_are_those_of_torch(kind):
    """To 1e-9, over 50 steps; those of JAX too."""
    model = net(kind)
    with nl.engine("numpy"):
        start = tree.map(np.asarray, model.network.arrays(ENGINE))
    ours, torch, jax = (curve(engines.load(name), kind, start) for name in ("numpy", "torch", "jax"))
    assert ours[-1] < 0.9 * ours[0]
    np.testing.assert_allclose(ours, torch, rtol=1e-9)
    np.testing.assert_allclose(ours, jax, rtol=1e-9)


def test_a_loss_in_numpys_own_functions_trains():
    """Where other engines need neuroloom.ops, NumPy's functions do; a loss that leaves the tape is named."""
    x, y = data("dense")
    target = np.eye(3, dtype="float32")[y]
    histories = []
    for loss in (lambda t, p: np.mean(np.square(p - t) + np.abs(p - t), axis=-1), ["mse", "mae"]):
        nl.utils.set_random_seed(3)
        made = nl.Sequential([nl.Input((5,)), layers.Dense(3, activation="tanh")])
        if isinstance(loss, list):
            made.compile("sgd", lambda t, p: losses.get("mse").values(t, p) + losses.get("mae").values(t, p))
        else:
            made.compile("sgd", loss)
        histories.append(made.fit(x, target, epochs=3, verbose=0, engine="numpy").history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-6)
    assert histories[0][2] < histories[0][0]
    made.compile("sgd", lambda t, p: np.asarray(p)[:, 0])
    with pytest.raises(
        ConfigurationError, match="failed with TypeError: A value that is differentiated is no NumPy array"
    ):
        made.fit(x, target, verbose=0, engine="numpy")


def test_a_training_on_numpy_is_saved_and_goes_on_elsewhere(tmp_path):
    x, y = data("dense")
    model = net("dense")
    first = model.fit(x, y, epochs=3, verbose=0, engine="numpy").history["loss"]
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    np.testing.assert_array_equal(again.predict(x, engine="numpy"), model.predict(x, engine="numpy"))
    assert again.fit(x, y, epochs=1, verbose=0, engine="jax").history["loss"][0] < first[0]
