"""Learning-rate schedules: Keras's values at many steps, for numbers and arrays of every engine."""

import json
import os

import numpy as np
import pytest

from neuroloom import config, engines
from neuroloom.errors import ConfigurationError
from neuroloom.optimizers.schedules import Constant, CosineDecay, ExponentialDecay, PiecewiseConstantDecay

os.environ.setdefault("KERAS_BACKEND", "jax")

TABLE = {
    "piecewise": PiecewiseConstantDecay([10, 25, 90], [0.5, 0.1, 0.3, 0.0]),
    "piecewise, one boundary": PiecewiseConstantDecay([0], [0.5, 0.1]),
    "exponential": ExponentialDecay(0.3, 20, 0.6),
    "exponential, staircase": ExponentialDecay(0.3, 7, 0.6, staircase=True),
    "exponential, staircase, odd length": ExponentialDecay(0.3, 2.5, 0.9, staircase=True),
    "cosine": CosineDecay(0.3, 50),
    "cosine, alpha": CosineDecay(0.3, 50, alpha=0.1),
    "cosine, warmup": CosineDecay(0.0, 50, alpha=0.2, warmup_target=0.4, warmup_steps=10),
    "cosine, warmup from above 0": CosineDecay(0.1, 31, warmup_target=0.4, warmup_steps=13),
    "cosine, target without warmup": CosineDecay(0.1, 50, warmup_target=0.4),
}
EVERY = range(130)  # beyond the end of each
BOUNDARIES = [0, 1, 5, 6, 7, 8, 10, 11, 13, 14, 25, 26, 31, 43, 44, 45, 50, 51, 60, 61, 90, 91, 10**6]

sweep = pytest.mark.parametrize("schedule", TABLE.values(), ids=TABLE)


def at_steps(schedule):
    return np.array([schedule(step) for step in EVERY])


@sweep
def test_values_are_those_of_keras(schedule):
    keras = pytest.importorskip("keras")
    kwargs = {name: getattr(schedule, name) for name in config.checks(type(schedule))}
    twin = getattr(keras.optimizers.schedules, type(schedule).__name__)(**kwargs)
    expected = [float(twin(step)) for step in BOUNDARIES]
    np.testing.assert_allclose([schedule(s) for s in BOUNDARIES], expected, rtol=1e-5, atol=1e-7)


BY_HAND = [
    (Constant(0.25), {0: 0.25, 10**9: 0.25}),
    (PiecewiseConstantDecay([2, 5], [0.3, 0.2, 0.1]), {0: 0.3, 2: 0.3, 3: 0.2, 5: 0.2, 6: 0.1, 10**9: 0.1}),
    (ExponentialDecay(0.8, 10, 0.25), {0: 0.8, 5: 0.4, 10: 0.2, 20: 0.05}),
    (ExponentialDecay(0.8, 10, 0.5, staircase=True), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2}),
    (CosineDecay(0.8, 12), {0: 0.8, 4: 0.6, 6: 0.4, 8: 0.2, 12: 0.0, 99: 0.0}),
    (CosineDecay(0.8, 12, alpha=0.5), {0: 0.8, 4: 0.7, 6: 0.6, 12: 0.4, 99: 0.4}),
    (
        CosineDecay(0.2, 12, warmup_target=0.8, warmup_steps=6),
        {0: 0.2, 1: 0.3, 5: 0.7, 6: 0.8, 10: 0.6, 12: 0.4, 14: 0.2, 18: 0.0, 99: 0.0},
    ),
]


@pytest.mark.parametrize("schedule, points", BY_HAND, ids=lambda v: repr(v)[:60])
def test_values_worked_by_hand(schedule, points):
    for step, rate in points.items():
        value = schedule(step)
        assert type(value) is float
        assert value == pytest.approx(rate, rel=1e-12, abs=1e-16), step


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
@sweep
def test_arrays_of_steps(schedule, name):
    if not engines.installed(name):
        pytest.skip(f"{name} is not installed")
    engine = engines.load(name)
    rates = schedule(engine.asarray(np.array(EVERY, np.int32)))
    assert engines.of(rates) is engine and engine.dtype_name(rates) == "float32"
    np.testing.assert_allclose(engine.to_numpy(rates), at_steps(schedule), rtol=1e-6, atol=1e-7)
    one = schedule(engine.asarray(np.int32(11)))
    assert one.shape == () and float(one) == pytest.approx(schedule(11), rel=1e-6)


@sweep
def test_traced_steps(schedule):
    jax = pytest.importorskip("jax")
    compiled = jax.jit(schedule)
    rates = np.array([compiled(step) for step in EVERY])
    np.testing.assert_allclose(rates, at_steps(schedule), rtol=1e-6, atol=1e-7)
    assert schedule(np.int64(11)) == schedule(11) and type(schedule(np.int64(11))) is float


def test_compiled_stairs_are_never_late():
    """97 · (1/97), rounded to float32, lies below 1."""
    jax = pytest.importorskip("jax")
    for steps in (41, 47, 55, 61, 82, 83, 97):
        compiled = jax.jit(ExponentialDecay(1.0, steps, 0.5, staircase=True))
        for stair in (1, 2, 3, 7):
            assert float(compiled(stair * steps)) == pytest.approx(0.5**stair, rel=1e-6)
            assert float(compiled(stair * steps - 1)) == pytest.approx(0.5 ** (stair - 1), rel=1e-6)


@pytest.mark.parametrize("schedule", [Constant(0.1), *TABLE.values()], ids=["constant", *TABLE])
def test_configuration_round_trip(schedule):
    again = config.from_json(json.loads(json.dumps(config.to_json(schedule))))
    assert config.signature(again) == config.signature(schedule)


RISE = "PiecewiseConstantDecay expected boundaries that rise, received "
VALUES = "PiecewiseConstantDecay expected values to be a list of numbers of at least 0, received "
WRONG = [
    (lambda: Constant(0), "Constant expected learning_rate to be a positive number, received 0."),
    (
        lambda: PiecewiseConstantDecay([10, 20], [0.1, 0.2]),
        "PiecewiseConstantDecay expected one value more than boundaries, received 2 values and 2 boundaries.",
    ),
    (
        lambda: PiecewiseConstantDecay([20, 10], [0.1, 0.2, 0.3]),
        RISE + "(20, 10). Sort them, without repeats.",
    ),
    (
        lambda: PiecewiseConstantDecay([10, 10], [0.1, 0.2, 0.3]),
        RISE + "(10, 10). Sort them, without repeats.",
    ),
    (
        lambda: PiecewiseConstantDecay([10], [0.1, "low"]),
        VALUES + "[0.1, 'low'].",
    ),
    (
        lambda: PiecewiseConstantDecay([10], 0.1),
        VALUES + "0.1.",
    ),
    (
        lambda: ExponentialDecay(0.1, 0, 0.9),
        "ExponentialDecay expected decay_steps to be a positive number, received 0.",
    ),
    (lambda: ExponentialDecay(0.1, 10), "ExponentialDecay needs the argument 'decay_rate'."),
    (
        lambda: CosineDecay(0, 10),
        "CosineDecay expected a positive initial_learning_rate, received 0.0: the rate would stay 0. "
        "Give warmup_target and warmup_steps, or a positive rate.",
    ),
    (
        lambda: CosineDecay(0.1, 10, warmup_steps=2.5),
        "CosineDecay expected warmup_steps to be a whole number of at least 0, received 2.5.",
    ),
]


@pytest.mark.parametrize("wrong, text", WRONG, ids=[text for _, text in WRONG])
def test_wrong_arguments(wrong, text):
    with pytest.raises(ConfigurationError) as caught:
        wrong()
    assert str(caught.value) == text
