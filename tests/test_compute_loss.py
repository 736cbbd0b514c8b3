"""A `compute_loss` of a user's own, in models of all kinds."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, ops
from neuroloom.errors import ConfigurationError
from neuroloom.learning.loop import compilations
from tolerances import assert_close

rng = np.random.default_rng(2)
X = rng.normal(size=(48, 4)).astype("float32")
Y = rng.normal(size=(48, 2)).astype("float32")
WEIGHT = rng.uniform(0.5, 2, 48).astype("float32")


def huber_like(nn_ops, y, y_pred, sample_weight):
    error = nn_ops.sum(nn_ops.sqrt(1 + nn_ops.square(y_pred - y)), axis=-1)
    return nn_ops.mean(error if sample_weight is None else error * sample_weight)


class Written(nl.Model):
    def __init__(self, beta=0.5, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.hidden = layers.Dense(3, activation="tanh", kernel_regularizer=nl.regularizers.L2(0.1))
        self.out = layers.Dense(2)

    def call(self, x, training=None):
        return self.out(self.hidden(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.beta * huber_like(ops, y, y_pred, sample_weight) + ops.mean(self.hidden(x) ** 2)


class Functional(nl.Model):
    def __init__(self, beta=0.5):
        self_hidden = layers.Dense(3, activation="tanh")
        x = nl.Input((4,))
        super().__init__(x, layers.Dense(2)(self_hidden(x)))
        self.hidden, self.beta = self_hidden, beta

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.beta * huber_like(ops, y, y_pred, sample_weight) + ops.mean(self.hidden(x) ** 2)


class Chain(nl.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        more = ops.mean(self.layers[0](x) ** 2)
        return super().compute_loss(x, y, y_pred, sample_weight, training) + more


MAKE = {
    "written": Written,
    "functional": Functional,
    "sequential": lambda: Chain([layers.Dense(3, activation="tanh", input_shape=(4,)), layers.Dense(2)]),
}


def fitted(make, engine, epochs=4, **given):
    nl.utils.set_random_seed(5)
    model = make()
    model.compile(nl.optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=epochs, batch_size=16, shuffle=False, verbose=0, engine=engine, **given)
    return model, history.history["loss"]


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_engines_agree_and_a_chunk_is_one_program(make):
    curves = [fitted(make, engine)[1] for engine in ("jax", "torch", "numpy")]
    assert curves[0][-1] < curves[0][0]
    for curve in curves[1:]:
        np.testing.assert_allclose(curve, curves[0], rtol=1e-4)
    before = compilations()
    fitted(make, "jax", 7)
    assert compilations() == before


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's variables
def test_it_is_that_of_keras(weighted, keras):
    class Theirs(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(3, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.1))
            self.out = keras.layers.Dense(2)

        def call(self, x, training=None):
            return self.out(self.hidden(x))

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 0.5 * huber_like(keras.ops, y, y_pred, sample_weight) + keras.ops.mean(self.hidden(x) ** 2)

    given = {"sample_weight": WEIGHT} if weighted else {}
    nl.utils.set_random_seed(5)
    ours, theirs = Written(), Theirs()
    ours.compile(nl.optimizers.SGD(0.1), "mse")
    ours.predict(X)
    theirs(X)
    theirs.set_weights(ours.get_weights())
    theirs.compile(keras.optimizers.SGD(0.1), "mse")
    how = {"batch_size": 16, "shuffle": False, "verbose": 0, "epochs": 3, **given}
    curves = [model.fit(X, Y, **how).history["loss"] for model in (ours, theirs)]
    np.testing.assert_allclose(*curves, rtol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(a, np.asarray(b), terms=500)
    assert_close(ours.evaluate(X, Y, verbose=0), np.float32(theirs.evaluate(X, Y, verbose=0)), terms=50)


def test_the_compiled_loss_has_penalties_and_added_losses():
    """super().compute_loss: the mean square, 0.1 Σ w² of the hidden layer, and what layers add, by hand."""

    class Adds(layers.Layer):
        def call(self, w, x, ctx):
            ctx.add_loss(3 * ops.mean(x))
            return x

    class All(Written):
        def call(self, x, training=None):
            return self.adds(super().call(x))

        def __init__(self):
            super().__init__()
            self.adds = Adds()

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2 * nl.Model.compute_loss(self, x, y, y_pred, sample_weight, training)

    model = All()
    model.compile("sgd", "mse")
    predicted = model.predict(X)
    kernel = model.hidden.get_weights()[0]
    expected = 2 * (((predicted - Y) ** 2).mean() + 0.1 * (kernel**2).sum() + 3 * predicted.mean())
    assert_close(np.float32(model.evaluate(X, Y, batch_size=48, verbose=0)), np.float32(expected), terms=200)


def test_attributes_are_in_the_program():
    before = compilations()
    one, _ = fitted(lambda: Functional(0.5), "jax")
    assert fitted(lambda: Functional(0.25), "jax")[1] != fitted(lambda: Functional(0.5), "jax")[1]
    assert compilations() - before <= 2 and one.beta == 0.5


@pytest.mark.parametrize("make", [Written, Functional])
def test_many_models_train_as_one_program(make):
    def members():
        for seed in range(3):
            nl.utils.set_random_seed(seed)
            model = make()
            model.compile(nl.optimizers.SGD(0.1), "mse")
            model.predict(X)
            yield model

    alone, together = list(members()), list(members())
    for model in alone:
        model.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    nl.fit_many(together, X, Y, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            assert_close(b, a, terms=200)


def test_what_is_no_scalar_is_refused(training_engine):
    class Wrong(Written):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return (y - y_pred) ** 2

    with pytest.raises(ConfigurationError, match=r"Wrong.compute_loss expected to return a scalar .*shape \(16, 2\)"):
        fitted(Wrong, training_engine.name)
    model = Written()
    model.compile("sgd", "mse")
    with pytest.raises(ConfigurationError, match="compute_loss runs inside a step"):
        nl.Model.compute_loss(model, X, Y, Y)
