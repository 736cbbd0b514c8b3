"""Networks whose layers mix the rows of a batch: what is predicted is of the batches that the user names."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, ops

X = np.random.default_rng(4).normal(size=(75, 3)).astype("float32")


class Centred(layers.Layer):
    """Each batch less its mean."""

    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)


class RowWise(layers.Layer):
    """A layer of a user's own that mixes nothing."""

    def call(self, inputs):
        return inputs * 2.0 + 1.0


class Whole(nl.Model):
    """A model as a class, whose call mixes rows."""

    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)


def operations():
    x = nl.Input((3,))
    return nl.Model(x, x - ops.mean(x, axis=0, keepdims=True))


def in_training():
    x = nl.Input((3,))
    return nl.Model(x, layers.BatchNormalization(epsilon=1e-9, center=False, scale=False)(x, training=True))


def nested():
    return nl.Sequential([nl.Input((3,)), nl.Sequential([nl.Input((3,)), Centred()])])


def centred(batch):
    return batch - batch.mean(axis=0)


def normalised(batch):
    return centred(batch) / np.sqrt(batch.var(axis=0) + 1e-9)


MODELS = {
    "layer": (lambda: nl.Sequential([nl.Input((3,)), Centred()]), centred),
    "class": (Whole, centred),
    "operations": (operations, centred),
    "training=True": (in_training, normalised),
    "nested": (nested, centred),
}


@pytest.mark.parametrize("n, batch_size", [(75, None), (33, None), (5, None), (75, 20), (75, 75), (7, 4), (1, None)])
@pytest.mark.parametrize("name", MODELS)
def test_batches_are_those_that_the_user_names(name, n, batch_size, engine):
    """As Keras predicts: 32 rows a batch by default, the last one smaller, none filled up."""
    make, formula = MODELS[name]
    found = make().predict(X[:n], batch_size=batch_size, engine=engine.name)
    size = batch_size or 32
    expected = np.concatenate([formula(X[i : min(i + size, n)].astype("float64")) for i in range(0, n, size)])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_networks_that_mix_nothing_are_predicted_in_few_programs(monkeypatch):
    """A layer of a user's own that works row by row keeps the large pieces and the few sizes."""
    from neuroloom.learning.loop import compilations

    model = nl.Sequential([nl.Input((3,)), RowWise()])
    np.testing.assert_allclose(model.predict(X, engine="jax"), X * 2 + 1, rtol=1e-6)
    before = compilations()
    for n in (65, 70, 75, 127 // 2 + 1):
        model.predict(X[:n], engine="jax")
    assert compilations() - before <= 1


def test_rows_of_zeros_say_nothing():
    """The first rows are no evidence; later ones are."""
    model = nl.Sequential([nl.Input((3,)), Centred()])
    assert not model.predict(np.zeros((3, 3), "float32"), engine="jax").any()
    x = np.concatenate([np.zeros((2, 3), "float32"), X[:3]])
    np.testing.assert_allclose(model.predict(x, engine="jax"), centred(x), rtol=1e-4, atol=1e-6)


SAME = [layers.Flatten(), layers.Reshape((3,)), layers.Dropout(0.5), layers.Activation("linear")]


@pytest.mark.parametrize("layer", SAME, ids=lambda layer: type(layer).__name__)
def test_a_layer_called_directly_never_gives_the_callers_memory(layer, engine):
    x = engine.asarray(X[:4].copy())
    y = layer(x)
    if engine.name != "jax":  # whose arrays cannot be changed
        before = np.array(engine.to_numpy(y))
        x[:] = 7.0
        np.testing.assert_array_equal(engine.to_numpy(y), before)
