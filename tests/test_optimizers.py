"""Optimizers: one table of rules, and every property swept over it."""

import doctest
import importlib
import json
import os

import numpy as np
import pytest

from neuroloom import config, engines, optimizers, tree
from neuroloom.errors import ConfigurationError, UnknownNameError
from neuroloom.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop, schedules

os.environ.setdefault("KERAS_BACKEND", "jax")

TABLE = {
    "sgd": SGD(0.05),
    "sgd, momentum": SGD(0.05, momentum=0.8),
    "sgd, nesterov": SGD(0.05, momentum=0.8, nesterov=True),
    "sgd, nesterov without momentum": SGD(0.05, nesterov=True),
    "sgd, momentum 1": SGD(0.05, 1.0),
    "rmsprop": RMSprop(0.05, rho=0.7, epsilon=0.01),
    "rmsprop, momentum": RMSprop(0.05, rho=0.7, momentum=0.6),
    "rmsprop, centered": RMSprop(0.05, rho=0.7, epsilon=0.01, centered=True),
    "rmsprop, centered, momentum": RMSprop(0.05, 0.7, 0.6, 0.01, True),
    "adam": Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=0.01),
    "adam, defaults": Adam(),
    "adam, beta_1 = 0": Adam(0.05, beta_1=0.0),
    "adam, amsgrad": Adam(0.05, 0.8, 0.4, amsgrad=True),
    "adamw": AdamW(0.05, weight_decay=0.3, beta_1=0.8, epsilon=0.01),
    "adamw, amsgrad": AdamW(0.05, 0.3, 0.8, 0.4, amsgrad=True),
    "adagrad": Adagrad(0.05, initial_accumulator_value=0.2, epsilon=0.01),
    "sgd, clipnorm": SGD(0.05, clipnorm=1.5),
    "sgd, clipvalue": SGD(0.05, clipvalue=0.4),
    "sgd, global_clipnorm": SGD(0.05, global_clipnorm=1.5),
}
STEPS = 5

sweep = pytest.mark.parametrize("optimizer", TABLE.values(), ids=TABLE)


def weights():
    """Axes of unlike lengths, a nested list, an empty place, a scalar."""
    rng = np.random.default_rng(7)
    return {
        "dense": {"kernel": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)},
        "blocks": [rng.normal(size=(1, 4)), None],
        "scale": np.asarray(rng.normal()),
    }


def gradients(step):
    rng = np.random.default_rng(100 + step)
    grads = tree.map(lambda p: rng.normal(size=p.shape) * (3 if step == 1 else 1), weights())
    grads["dense"]["bias"] = np.zeros(2) if step == 0 else grads["dense"]["bias"]
    return grads


def on(engine, values, dtype="float32"):
    return tree.map(lambda p: engine.asarray(p.astype(dtype)), values)


def run(optimizer, engine, dtype="float32", number=lambda x: x, how="update"):
    """(params, state) after STEPS updates; `number` makes learning rate and step what the engine is given."""
    params = on(engine, weights(), dtype)
    state = optimizer.init(params)
    for step in range(STEPS):
        grads = optimizer.clip(on(engine, gradients(step), dtype))
        rate = number(optimizer.learning_rate)
        params, state = getattr(optimizer, how)(params, grads, state, rate, number(step))
    return params, state


def assert_close(actual, expected, rtol=1e-6, atol=1e-6):
    actual, expected = dict(tree.items(actual)), dict(tree.items(expected))
    assert actual.keys() == expected.keys()
    for path in actual:
        a, b = (engines.of(v).to_numpy(v) for v in (actual[path], expected[path]))
        assert a.shape == b.shape, path
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=path)


# ---------------------------------------------------------------------------------- numbers from outside

BY_HAND = [
    # p = 1 and g = 2 throughout; (optimizer, η, updates before, state before, p after, state after)
    (SGD(), 0.25, 0, {}, 0.5, {}),
    (SGD(momentum=0.5), 0.1, 3, {"momentum": 0.8}, 1.2, {"momentum": 0.2}),
    (SGD(momentum=0.5, nesterov=True), 0.1, 3, {"momentum": 0.8}, 0.9, {"momentum": 0.2}),
    # v = 0.75 · 4 + 0.25 · 4 = 4, √(4 + 5) = 3, d = 0.2 / 3
    (RMSprop(rho=0.75, epsilon=5), 0.1, 0, {"velocity": 4}, 1 - 0.2 / 3, {"velocity": 4}),
    (
        RMSprop(rho=0.75, epsilon=5, momentum=0.5), 0.1, 0,
        {"velocity": 4, "momentum": 0.2}, 5 / 6, {"velocity": 4, "momentum": 1 / 6},
    ),
    # a = 0.75 · 1 + 0.25 · 2 = 1.25, √(4 - 1.5625 + 3.8125) = 2.5
    (
        RMSprop(rho=0.75, epsilon=3.8125, centered=True), 0.1, 0,
        {"velocity": 4, "average_gradient": 1}, 0.92, {"velocity": 4, "average_gradient": 1.25},
    ),
    # t = 2: α = 0.1 √(1 - 0.5625) / (1 - 0.25) = 0.0881917104, m = 1.5, v = 4, 1 - α 1.5 / (2 + 1)
    (
        Adam(beta_1=0.5, beta_2=0.75, epsilon=1), 0.1, 1,
        {"momentum": 1, "velocity": 4}, 0.9559041448, {"momentum": 1.5, "velocity": 4},
    ),
    # the largest v is 9: 1 - α 1.5 / (3 + 1)
    (
        Adam(beta_1=0.5, beta_2=0.75, epsilon=1, amsgrad=True), 0.1, 1,
        {"momentum": 1, "velocity": 4, "velocity_hat": 9}, 0.9669281086,
        {"momentum": 1.5, "velocity": 4, "velocity_hat": 9},
    ),
    # the weight first shrinks to 1 - 0.1 · 0.5
    (
        AdamW(weight_decay=0.5, beta_1=0.5, beta_2=0.75, epsilon=1), 0.1, 1,
        {"momentum": 1, "velocity": 4}, 0.9059041448, {"momentum": 1.5, "velocity": 4},
    ),
    # G = 12 + 4, √(16 + 9) = 5
    (Adagrad(epsilon=9), 0.1, 0, {"accumulator": 12}, 0.96, {"accumulator": 16}),
]  # fmt: skip


@pytest.mark.parametrize("optimizer, rate, step, before, p, after", BY_HAND, ids=lambda v: repr(v)[:60])
def test_one_step_worked_by_hand(optimizer, rate, step, before, p, after):
    state = {name: {"w": np.array([float(v)])} for name, v in before.items()}
    params, state = optimizer.update({"w": np.array([1.0])}, {"w": np.array([2.0])}, state, rate, step)
    np.testing.assert_allclose(params["w"], [p], rtol=1e-9)
    assert {k: round(float(v["w"][0]), 9) for k, v in state.items()} == {
        k: round(float(v), 9) for k, v in after.items()
    }


def keras_twin(optimizer):
    keras = pytest.importorskip("keras")
    names = [name for name in config.checks(type(optimizer)) if name != "learning_rate"]
    kwargs = {name: getattr(optimizer, name) for name in names}
    return getattr(keras.optimizers, type(optimizer).__name__)(optimizer.learning_rate, **kwargs)


@sweep
def test_five_steps_are_those_of_keras(optimizer):
    twin = keras_twin(optimizer)
    keras = pytest.importorskip("keras")
    variables = [keras.Variable(p.astype("float32")) for p in tree.leaves(weights())]
    for step in range(STEPS):
        twin.apply([g.astype("float32") for g in tree.leaves(gradients(step))], variables)
    params, _ = run(optimizer, engines.load("jax"))
    assert_close(tree.leaves(params), [np.asarray(v.value) for v in variables], atol=2e-6)


@pytest.mark.parametrize("cls", [SGD, RMSprop, Adam, AdamW, Adagrad])
def test_defaults_are_those_of_keras(cls):
    keras = pytest.importorskip("keras")
    ours, theirs = cls(), getattr(keras.optimizers, cls.__name__)()
    assert ours.learning_rate == pytest.approx(float(np.asarray(theirs.learning_rate)), rel=1e-6)
    for name in set(config.checks(cls)) - {"learning_rate"}:
        assert getattr(ours, name) == getattr(theirs, name), name


TINY = 1e-14  # PyTorch and optax add ε elsewhere
TORCH = [
    (SGD(0.05), "SGD", {}),
    (SGD(0.05, momentum=0.8), "SGD", {"momentum": 0.8}),
    (SGD(0.05, momentum=0.8, nesterov=True), "SGD", {"momentum": 0.8, "nesterov": True}),
    (RMSprop(0.05, rho=0.7, epsilon=TINY), "RMSprop", {"alpha": 0.7, "eps": TINY}),
    (
        RMSprop(0.05, 0.7, 0.6, TINY, True), "RMSprop",
        {"alpha": 0.7, "eps": TINY, "momentum": 0.6, "centered": True},
    ),
    (Adam(0.05, 0.8, 0.95, TINY), "Adam", {"betas": (0.8, 0.95), "eps": TINY}),
    (Adam(0.05, 0.8, 0.4, TINY, True), "Adam", {"betas": (0.8, 0.4), "eps": TINY, "amsgrad": True}),
    (AdamW(0.05, 0.3, 0.8, 0.95, TINY), "AdamW", {"betas": (0.8, 0.95), "eps": TINY, "weight_decay": 0.3}),
    (Adagrad(0.05, 0.2, TINY), "Adagrad", {"initial_accumulator_value": 0.2, "eps": TINY}),
]  # fmt: skip


@pytest.mark.parametrize("optimizer, name, kwargs", TORCH, ids=lambda v: repr(v)[:60])
def test_five_steps_are_those_of_pytorch_where_definitions_agree(optimizer, name, kwargs):
    torch = pytest.importorskip("torch")
    engine = engines.load("torch")
    params = [p.requires_grad_() for p in tree.leaves(on(engine, weights(), "float64"))]
    twin = getattr(torch.optim, name)(params, lr=0.05, **kwargs)
    for step in range(STEPS):
        for p, g in zip(params, tree.leaves(on(engine, gradients(step), "float64")), strict=True):
            p.grad = g
        twin.step()
    ours, _ = run(optimizer, engine, "float64")
    assert_close(tree.leaves(ours), params, rtol=1e-9, atol=1e-10)


OPTAX = [
    (SGD(0.05, momentum=0.8, nesterov=True), "sgd", {"momentum": 0.8, "nesterov": True}),
    (RMSprop(0.05, 0.7, 0.6, 0.01, True), "rmsprop",
     {"decay": 0.7, "momentum": 0.6, "eps": 0.01, "centered": True}),
    (RMSprop(0.05, 0.7, 0.0, 0.01), "rmsprop", {"decay": 0.7, "eps": 0.01}),
    (Adam(0.05, 0.8, 0.95, TINY), "adam", {"b1": 0.8, "b2": 0.95, "eps": TINY}),
    (AdamW(0.05, 0.3, 0.8, 0.95, TINY), "adamw", {"b1": 0.8, "b2": 0.95, "eps": TINY, "weight_decay": 0.3}),
    (Adagrad(0.05, 0.2, 0.01), "adagrad", {"initial_accumulator_value": 0.2, "eps": 0.01}),
]  # fmt: skip


@pytest.mark.parametrize("optimizer, name, kwargs", OPTAX, ids=lambda v: repr(v)[:60])
def test_five_steps_are_those_of_optax_where_definitions_agree(optimizer, name, kwargs):
    optax = pytest.importorskip("optax")
    jax = engines.load("jax")
    twin = getattr(optax, name)(0.05, **kwargs)
    params = on(jax, weights())
    state = twin.init(params)
    for step in range(STEPS):
        updates, state = twin.update(on(jax, gradients(step)), state, params)
        params = optax.apply_updates(params, updates)
    assert_close(run(optimizer, jax)[0], params)


# ------------------------------------------------------------------------------------------- every engine


def engine_named(name):
    if not engines.installed(name):
        pytest.skip(f"{name} is not installed")
    return engines.load(name)


@pytest.mark.parametrize("name", ["jax", "torch"])
@pytest.mark.parametrize("how", ["update", "overwrite"])
@sweep
def test_engines_agree(optimizer, name, how):
    engine = engine_named(name)
    expected = run(optimizer, engines.load("numpy"), "float64")
    actual = run(optimizer, engine, how=how)
    assert_close(actual, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["numpy", "torch"])
@sweep
def test_float64_stays_float64(optimizer, name):
    engine = engine_named(name)
    narrow = lambda x: engine.asarray(np.float32(x) if isinstance(x, float) else np.int32(x))  # noqa: E731
    for number in (lambda x: x, narrow):
        results = run(optimizer, engine, "float64", number)
        assert {engine.dtype_name(a) for a in tree.leaves(results)} == {"float64"}
    assert_close(run(optimizer, engine, "float64"), run(optimizer, engines.load("numpy"), "float64"), 1e-12, 1e-13)


@sweep
def test_float64_stays_float64_on_jax(optimizer):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        results = run(optimizer, engines.load("jax"), "float64", jax.numpy.float32)
        assert {str(a.dtype) for a in tree.leaves(results)} == {"float64"}
        assert_close(results, run(optimizer, engines.load("numpy"), "float64"))


@sweep
def test_narrow_weights_stay_narrow(optimizer):
    jax = pytest.importorskip("jax")
    narrow = lambda values: tree.map(lambda a: jax.numpy.asarray(a, "bfloat16"), values)  # noqa: E731
    params = narrow(weights())
    grads = optimizer.clip(narrow(gradients(1)))
    results = optimizer.update(params, grads, optimizer.init(params), jax.numpy.float32(0.1), 0)
    assert {str(a.dtype) for a in tree.leaves([grads, results])} == {"bfloat16"}


@sweep
def test_jax_traces_once_for_all_rates_and_steps(optimizer):
    jax = pytest.importorskip("jax")
    traces = []

    def update(params, grads, state, rate, step):
        traces.append(1)
        return optimizer.update(params, optimizer.clip(grads), state, rate, step)

    compiled, engine = jax.jit(update), engines.load("jax")
    params = on(engine, weights())
    state = optimizer.init(params)
    for step in range(STEPS):
        params, state = compiled(params, on(engine, gradients(step)), state, optimizer.learning_rate, step)
    assert len(traces) == 1
    assert_close((params, state), run(optimizer, engine))


@sweep
def test_torch_takes_scalar_tensors(optimizer):
    torch = engine_named("torch")
    assert_close(run(optimizer, torch, number=torch.asarray), run(optimizer, torch), rtol=2e-6)


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
@sweep
def test_update_leaves_its_arguments_alone(optimizer, name):
    engine = engine_named(name)
    params, grads = on(engine, weights()), on(engine, gradients(1))
    state = optimizer.init(params)
    before = tree.map(lambda a: engine.to_numpy(a).copy(), [params, grads, state])
    optimizer.update(params, optimizer.clip(grads), state, 0.1, 0)
    assert_close([params, grads, state], before, rtol=0, atol=0)


@sweep
def test_torch_overwrites_what_is_given_up(optimizer):
    torch = engine_named("torch")
    params = on(torch, weights())
    state = optimizer.init(params)
    grads = on(torch, gradients(1))
    before = tree.map(lambda a: torch.to_numpy(a).copy(), grads)
    places = {path: a.data_ptr() for path, a in tree.items([params, state])}
    results = optimizer.overwrite(params, grads, state, 0.1, 0)
    assert {path: a.data_ptr() for path, a in tree.items(results)} == places
    assert_close(grads, before, rtol=0, atol=0)


def test_a_rule_of_ones_own_is_what_runs():
    """A subclass of SGD with its own rule: the engine's fused form of SGD's does not take its place."""

    class Signs(SGD):
        def rule(self, p, g, slots, scalars):
            return (p - scalars[0] * g / abs(g),)

    torch = engine_named("torch")
    params, grads = (torch.asarray(np.array(v, "float32")) for v in ([1.0, 2.0], [5.0, -3.0]))
    assert torch.to_numpy(Signs().overwrite(params, grads, {}, 0.25, 0)[0]).tolist() == [0.75, 2.25]


# ---------------------------------------------------------------------------------------- trees and zeros


@sweep
def test_trees_without_arrays(optimizer):
    for empty in ({}, [], {"a": None}):
        state = optimizer.init(empty)
        assert optimizer.update(empty, optimizer.clip(empty), state, 0.1, 0) == (empty, state)


@sweep
def test_structure_is_kept(optimizer):
    params, state = run(optimizer, engines.load("numpy"))
    assert [path for path, _ in tree.items(params)] == [
        "dense/kernel", "dense/bias", "blocks/0", "scale",
    ]  # fmt: skip
    assert params["blocks"][1] is None
    assert list(state) == list(optimizer.slots())


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
@sweep
def test_zero_gradients_move_nothing_but_decay(optimizer, name):
    engine = engine_named(name)
    params = on(engine, weights())
    grads = tree.map(lambda p: 0 * p, params)
    moved, _ = optimizer.update(params, optimizer.clip(grads), optimizer.init(params), 0.1, 0)
    keep = 1 - 0.1 * getattr(optimizer, "weight_decay", 0.0)
    assert_close(moved, tree.map(lambda p: keep * p, params), rtol=1e-6, atol=0)


# ---------------------------------------------------------------------------------------------- clipping


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_clipping_by_hand(name):
    engine = engine_named(name)
    grads = on(engine, {"a": np.array([[3.0, -4.0]]), "b": np.array([12.0]), "c": np.array([0.0, 0.3])})

    def clipped(**kwargs):
        return [engine.to_numpy(g).ravel().tolist() for g in SGD(**kwargs).clip(grads).values()]

    assert clipped() == [[3, -4], [12], [0, pytest.approx(0.3)]]
    assert clipped(clipvalue=3.5) == [[3, -3.5], [3.5], [0, pytest.approx(0.3)]]
    assert clipped(clipnorm=2.5) == [[1.5, -2], [2.5], [0, pytest.approx(0.3)]]
    # the norm of all is √(25 + 144 + 0.09), a little above 13
    scale = 6.5 / np.sqrt(169.09)
    expected = [[3 * scale, -4 * scale], [12 * scale], [0, 0.3 * scale]]
    assert clipped(global_clipnorm=6.5) == [pytest.approx(row, rel=1e-6) for row in expected]
    assert clipped(global_clipnorm=14) == [pytest.approx(row) for row in clipped()]


@pytest.mark.parametrize("kind", ["clipnorm", "clipvalue", "global_clipnorm"])
@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_clipping_zero_gradients_gives_zeros(name, kind):
    grads = on(engine_named(name), tree.map(np.zeros_like, weights()))
    assert_close(SGD(**{kind: 0.5}).clip(grads), grads, atol=0)


# ---------------------------------------------------------------------------------------- configuration


@sweep
def test_configuration_round_trip(optimizer):
    again = type(optimizer).from_config(json.loads(json.dumps(optimizer.get_config())))
    assert config.signature(again) == config.signature(optimizer)
    assert config.signature(eval(repr(optimizer))) == config.signature(optimizer)


def test_a_schedule_survives_the_round_trip():
    optimizer = RMSprop(schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True))
    again = config.from_json(json.loads(json.dumps(config.to_json(optimizer))))
    assert config.signature(again) == config.signature(optimizer)
    assert again.learning_rate(20) == 0.025


def test_optimizers_are_found_by_name():
    assert [type(optimizers.get(n)) for n in ("sgd", "RMSprop", "adam", "adam_w", "adagrad")] == [
        SGD, RMSprop, Adam, AdamW, Adagrad,
    ]  # fmt: skip
    assert optimizers.get(Adam).learning_rate == 0.001


def test_lr_is_the_learning_rate():
    assert Adam(lr=0.01).learning_rate == 0.01


RATE = "Adam expected learning_rate to be a positive number or a schedule, received "
WRONG = [
    (lambda: Adam(learning_rate=0), RATE + "0."),
    (lambda: Adam(learning_rate=-1), RATE + "-1."),
    (lambda: Adam(learning_rate="fast"), RATE + "'fast'."),
    (lambda: Adam(learning_rate=None), RATE + "None."),
    (lambda: Adam(learning_rate=float("nan")), RATE + "nan."),
    (lambda: Adam(learnin_rate=0.1), "Adam has no argument 'learnin_rate'. Did you mean 'learning_rate'?"),
    (lambda: Adam(beta_1=1.0), "Adam expected beta_1 to be a number from 0 up to, but not, 1, received 1.0."),
    (lambda: Adam(beta_2=-1), "Adam expected beta_2 to be a number from 0 up to, but not, 1, received -1."),
    (lambda: Adam(epsilon=0), "Adam expected epsilon to be a positive number, received 0."),
    (lambda: Adam(amsgrad=1), "Adam expected amsgrad to be True or False, received 1."),
    (
        lambda: AdamW(weight_decay=None),
        "AdamW expected weight_decay to be a number of at least 0, received None.",
    ),
    (lambda: SGD(momentum=1.1), "SGD expected momentum to be a number from 0 to 1, received 1.1."),
    (lambda: SGD(clipnorm=0), "SGD expected clipnorm to be a positive number or None, received 0."),
    (
        lambda: SGD(clipnorm=1, clipvalue=0.5),
        "SGD expected at most one of clipnorm, clipvalue, global_clipnorm, received clipnorm=1.0 and "
        "clipvalue=0.5. Choose one way to clip.",
    ),
]  # fmt: skip


@pytest.mark.parametrize("wrong, text", WRONG, ids=[text for _, text in WRONG])
def test_wrong_arguments(wrong, text):
    with pytest.raises(ConfigurationError) as caught:
        wrong()
    assert str(caught.value) == text


def test_an_unknown_optimizer_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown optimizer 'adan'\. Did you mean 'adam"):
        optimizers.get("adan")


@pytest.mark.parametrize("name", ["", ".base", ".sgd", ".rmsprop", ".adam", ".adagrad", ".schedules"])
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module("neuroloom.optimizers" + name)).failed == 0
