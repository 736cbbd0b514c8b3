"""Activations by name: values and slopes, at 0 and at saturation, against Keras and central differences."""

import numpy as np
import pytest

from catalogue import ACTIVATIONS
from gradients import check_gradients, value_and_gradients
from neuroloom import activations, layers
from neuroloom.errors import ConfigurationError, UnknownNameError
from tolerances import assert_close

X = np.array([[-3.7, -1.2, -0.4, 0.3, 0.9], [4.1, -0.01, 0.02, 2.5, -2.9]], np.float32)
FAR = np.array([[-1e4, -90.0, -20.0, 0.0, 20.0, 80.0]], np.float32)

sweep = pytest.mark.parametrize("name", ACTIVATIONS)

KINKS = {  # name -> derivative at 0, where the left and the right one differ
    "relu": 0.0,
    "leaky_relu": 0.2,
    "elu": 1.0,
    "selu": 1.0507009873554805 * 1.6732632423543772,
}
SLOPES = {  # name -> derivative at 0 by hand
    "linear": 1.0, "sigmoid": 0.25, "tanh": 1.0, "softplus": 0.5, "softsign": 1.0, "gelu": 0.5, "silu": 0.5,
    "swish": 0.5, "hard_sigmoid": 1 / 6, "exponential": 1.0,
}  # fmt: skip


def test_the_list_has_every_activation():
    library = activations._LIBRARY
    assert set(ACTIVATIONS) == library <= set(activations.names())
    assert set(ACTIVATIONS) - set(KINKS) - set(SLOPES) == {"softmax", "log_softmax"}  # which mix their inputs


@sweep
def test_values_are_those_of_keras(name, engine, keras):
    expected = np.asarray(keras.activations.get(name)(X))
    assert_close(activations.get(name)(engine.asarray(X)), expected)


@sweep
def test_values_far_out_are_those_of_keras(name, engine, keras):
    with np.errstate(over="ignore"):
        values = engine.to_numpy(activations.get(name)(engine.asarray(FAR)))
    expected = np.asarray(keras.activations.get(name)(FAR))
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-7)
    assert np.isfinite(values).all()


@sweep
def test_gradients_are_central_differences(name, training_engine):
    check_gradients(activations.get(name), [X], training_engine)


@sweep
def test_gradients_far_out_are_finite(name, training_engine):
    x = np.minimum(FAR, 80)
    _, (dx,) = value_and_gradients(training_engine, activations.get(name), [x], np.ones_like(x))
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("name", sorted({**KINKS, **SLOPES}))
def test_the_slope_at_zero(name, training_engine):
    x = np.zeros((1, 1), np.float32)
    _, (dx,) = value_and_gradients(training_engine, activations.get(name), [x], np.ones_like(x))
    np.testing.assert_allclose(dx, [[{**KINKS, **SLOPES}[name]]], rtol=1e-6)


def test_softmax_sums_to_one_over_the_last_axis(engine):
    y = engine.to_numpy(activations.get("softmax")(engine.asarray(np.stack([X, 100 * X]))))
    assert_close(y.sum(-1), np.ones((2, 2), "float32"), terms=5)
    assert (y >= 0).all()


def test_get_takes_names_functions_and_none():
    assert activations.get("relu") is activations.relu
    assert activations.get(np.tanh) is np.tanh
    assert activations.get(None) is activations.linear
    with pytest.raises(UnknownNameError, match=r"Unknown activation 'rellu'. Did you mean 'relu'?"):
        activations.get("rellu")
    with pytest.raises(ConfigurationError, match="Expected an activation's name or a function, received 3"):
        activations.get(3)


@pytest.fixture
def names(monkeypatch):
    """The registry of activations, restored afterwards."""
    monkeypatch.setattr(activations, "_BY_NAME", dict(activations._BY_NAME))


def cube(x):
    return x * x * x


def test_a_registered_function_is_written_by_name(names):
    with pytest.raises(ConfigurationError, match=r"Give the function a name with neuroloom\.activations\.register"):
        layers.Dense(2, activation=cube).get_config()
    activations.register("cube", cube)
    layer = layers.Dense(2, activation=cube)
    assert layer.get_config() == {"units": 2, "activation": "cube"}
    assert layers.Dense.from_config(layer.get_config()).activation == "cube"


def test_a_library_name_cannot_be_taken(names):
    with pytest.raises(ConfigurationError, match="The activation name 'relu' belongs to the library"):
        activations.register("relu", cube)


def test_a_library_function_becomes_its_name():
    assert layers.Dense(2, activation=activations.relu).activation == "relu"
    assert layers.Dense(2, activation=activations.relu).signature() == layers.Dense(2, activation="relu").signature()
