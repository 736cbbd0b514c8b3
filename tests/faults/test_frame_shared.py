"""Layers that several models share have one set of weights; what is set on models counts."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers

Z = np.array([[1.0], [2.0], [-1.0]], "float32")
T = np.array([[1.0], [1.0], [0.5]], "float32")


def doubled(regularizer=None):
    """f(z) = w · w · z, where a model and the model in it hold the same layer."""
    d = layers.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer=regularizer)
    a, z = nl.Input((1,)), nl.Input((1,))
    tower = nl.Model(a, d(a), name="tower")
    model = nl.Model(z, d(tower(z)))
    model.set_weights([np.array([[0.7]])])
    return model


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
def test_a_shared_layer_moves_by_its_whole_gradient(engine):
    """Fault 1: one step of descent moved the weights of both places, each by a part."""
    model = doubled()
    model.compile(nl.optimizers.SGD(0.1), "mse")
    model.fit(Z, T, batch_size=3, verbose=0, engine=engine)
    w = 0.7
    slope = np.mean(2 * (w * w * Z - T) * 2 * w * Z)  # d/dw mean (w² z - t)²
    assert model.count_params() == 1
    assert model.weights.keys() == ["tower/dense/kernel"]
    np.testing.assert_allclose(model.get_weights()[0], [[w - 0.1 * slope]], rtol=1e-6)


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_every_optimizer_agrees_with_the_plain_formula(optimizer, engine):
    """Fault 1: with Adam both engines moved such a weight wrongly. |w| alone, as w² z, is the same function."""

    class Square(layers.Layer):
        """w² z, with one weight."""

        def build(self, shape):
            return {"w": layers.Weight((1, 1), "ones")}

        def call(self, w, x, ctx):
            return x @ (w.w * w.w)

    model, plain = doubled(), nl.Sequential([Square(input_shape=(1,))])
    plain.set_weights([np.array([[0.7]])])
    found = []
    for one in (model, plain):
        one.compile(optimizer, "mse")
        one.fit(Z, T, batch_size=3, epochs=5, shuffle=False, verbose=0, engine=engine)
        found.append(one.get_weights()[0])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_its_penalty_counts_once():
    """Fault 1: λ w² was added for each place."""
    model = doubled(nl.regularizers.L2(0.5))
    model.compile("sgd", "mse")
    loss = np.mean((0.49 * Z - T) ** 2) + 0.5 * 0.49
    assert model.evaluate(Z, T, verbose=0) == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
def test_shared_batch_normalization_follows_both_of_its_inputs(engine):
    """Fault 1: the statistics of the second place overwrote those of the first, or were another set."""
    norm = layers.BatchNormalization(momentum=0.5, center=False, scale=False)
    a, z = nl.Input((1,)), nl.Input((1,))
    tower = nl.Model(a, norm(a) * 3.0 + 1.0)
    model = nl.Model(z, norm(tower(z)))
    model.compile("sgd", "mse")
    model.fit(Z, T, batch_size=3, verbose=0, engine=engine)
    mean, variance = norm.get_weights()
    first = Z.mean(), Z.var()
    inner = 3 * (Z - first[0]) / np.sqrt(first[1] + 1e-3) + 1
    expected = 0.5 * (0.5 * 0 + 0.5 * first[0]) + 0.5 * inner.mean()
    np.testing.assert_allclose(mean, [expected], rtol=1e-5)
    np.testing.assert_allclose(variance, [0.5 * (0.5 + 0.5 * first[1]) + 0.5 * inner.var()], rtol=1e-5)


def test_layers_that_are_one_are_one_after_loading(tmp_path):
    """Fault 1: after loading they were apart."""
    model = doubled()
    model.save(tmp_path / "shared.safetensors")
    again = nl.models.load_model(tmp_path / "shared.safetensors")
    assert again.weights.keys() == ["tower/dense/kernel"]
    again.compile(nl.optimizers.SGD(0.1), "mse")
    model.compile(nl.optimizers.SGD(0.1), "mse")
    for one in (model, again):
        one.fit(Z, T, batch_size=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.predict(Z), model.predict(Z))


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
def test_a_frozen_model_stays_as_it_is(engine):
    """Fault 4: `model.trainable = False` was accepted and ignored."""
    base = nl.Sequential([layers.Dense(2, input_shape=(1,)), layers.BatchNormalization()])
    model = nl.Sequential([base, layers.Dense(1)])
    model.compile("sgd", "mse")
    base.trainable = False
    before = base.get_weights()
    model.fit(Z, T, verbose=0, engine=engine)
    for a, b in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_on_symbolic_inputs_counts():
    """Fault 4: `layer(x, training=...)` was dropped where x is symbolic."""
    x = nl.Input((4,))
    ones = np.ones((64, 4), "float32")
    always = nl.Model(x, layers.Dropout(0.5)(x, training=True))
    assert set(np.unique(always(ones, key=3))) == {0.0, 2.0}
    never = nl.Model(x, layers.Dropout(0.5)(x, training=False))
    assert (never(ones, training=True, key=3) == 1).all()


@pytest.mark.parametrize("name", ["trainabel", "optimiser_", "learning_rat"])
def test_unknown_attributes_of_models_are_errors(name):
    """Fault 4: any attribute could be set."""
    with pytest.raises(AttributeError, match=f"Model has no attribute '{name}'"):
        setattr(doubled(), name, False)
