"""Keras 3 as the oracle: the order of weights, freezing, and `training=` on symbolic calls. Keras computes on JAX."""

import numpy as np
import pytest

import neuroloom as nl
from tolerances import assert_close

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's variables

rng = np.random.default_rng(4)
X = rng.normal(size=(32, 5)).astype("float32")
Y = rng.normal(size=(32, 2)).astype("float32")


def block(nn, units):
    """A layer with weights of its own, some before and some after the layers in it; all in a build or an __init__."""

    class Block(nn.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.norm = nn.layers.BatchNormalization()
            self.parts = [nn.layers.Dense(units, activation="tanh"), nn.layers.Dense(units + 1)]

        def build(self, input_shape):
            self.count = self.add_weight(shape=(2,), initializer="ones", trainable=False, name="count")
            self.scale = self.add_weight(shape=(int(input_shape[-1]), 3), initializer="ones", name="scale")
            self.late = nn.layers.Dense(2, use_bias=False)

        def call(self, x, training=None):
            y = self.norm(x, training=training)
            for part in self.parts:
                y = part(y)
            return self.late(y) + (x @ self.scale)[:, :2] * self.count

    return Block(units)


def written(nn):
    class Written(nn.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.out = nn.layers.Dense(2, name="out")
            self.ends = {"z": nn.layers.Dense(4), "a": nn.layers.Dense(6, use_bias=False)}
            self.blocks = [block(nn, 3), nn.layers.Dense(5), (nn.layers.BatchNormalization(),)]

        def call(self, x, training=None):
            y = self.blocks[0](x, training=training)
            y = self.ends["a"](self.ends["z"](y))
            return self.out(self.blocks[2][0](self.blocks[1](y), training=training))

    return Written()


def chain(nn):
    return nn.Sequential([
        nn.layers.Input((5,)),
        nn.layers.BatchNormalization(center=False),
        nn.layers.Dense(4, activation="tanh"),
        nn.Sequential([nn.layers.Input((4,)), nn.layers.Dense(3), nn.layers.BatchNormalization(scale=False)]),
        nn.layers.Dense(2),
    ])  # fmt: skip


def branches(nn):
    """Two ways from the input to the output, of which one is longer, and a layer on both."""
    L = nn.layers
    x = L.Input((5,))
    short = L.Dense(3)(x)
    long = L.Dense(7)(x)
    long = L.BatchNormalization()(long)
    shared = L.Dense(6)
    joined = L.Concatenate()([shared(L.Dense(8)(short)), shared(L.Dense(8)(L.Dense(4)(long)))])
    return nn.Model(x, L.Dense(2)(joined))


def nested(nn):
    """A model in a model, used twice."""
    L = nn.layers
    a = L.Input((5,))
    inner = nn.Model(a, L.Dense(5, activation="tanh")(L.BatchNormalization()(a)))
    x = L.Input((5,))
    return nn.Model(x, [L.Dense(1)(inner(inner(x))), L.Dense(2)(x)])


def recurrent(nn):
    L = nn.layers
    x = L.Input((6,), dtype="int32")
    return nn.Model(x, L.Dense(2)(L.SimpleRNN(4)(L.LSTM(3, return_sequences=True)(L.Embedding(9, 5)(x)))))


MODELS = {"chain": chain, "branches": branches, "nested": nested, "written": written, "recurrent": recurrent}


def built(make, nn, data=X):
    model = make(nn)
    if make is recurrent:
        data = rng.integers(0, 9, (4, 6)).astype("int32")
    model.predict(data, verbose=0)
    return model


def described(variables):
    return [(v.path.split("/")[-1], tuple(v.shape), str(np.dtype(v.dtype))) for v in variables]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_weights_stand_in_the_order_of_keras(make, keras):
    ours, theirs = built(make, nl), built(make, keras)
    for name in ("weights", "trainable_weights", "non_trainable_weights", "trainable_variables"):
        assert described(getattr(ours, name)) == described(getattr(theirs, name)), name
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    kinds = [
        type(layer).__name__ for layer in theirs.layers if type(layer).__name__ not in ("InputLayer", "Functional")
    ]
    named = [type(layer).__name__ for layer in ours.layers]
    assert [kind for kind in named if kind not in ("Network", "Model")] == kinds


@pytest.mark.parametrize("make", [chain, branches, nested, written])
def test_weights_of_keras_give_its_outputs(make, keras):
    ours, theirs = built(make, nl), built(make, keras)
    drawn = [np.abs(rng.normal(size=w.shape)).astype("float32") for w in theirs.get_weights()]
    ours.set_weights(drawn)
    theirs.set_weights(drawn)
    expected = theirs.predict(X, verbose=0)
    found = ours.predict(X)
    for a, b in zip(*(v if isinstance(v, list) else [v] for v in (found, expected)), strict=True):
        assert_close(a, b, terms=300)


def test_weights_are_objects_with_a_value(keras):
    ours, theirs = built(chain, nl), built(chain, keras)
    values = theirs.get_weights()
    for mine, other, value in zip(ours.weights, theirs.weights, values, strict=True):
        mine.assign(value + 1)
        other.assign(value + 1)
        assert mine.name == other.name and tuple(mine.shape) == tuple(other.shape)
        assert str(mine.dtype) == str(other.dtype)
        assert_close(mine.numpy(), np.asarray(other))
    assert_close(ours.predict(X), theirs.predict(X, verbose=0), terms=100)
    with pytest.raises(nl.errors.ShapeError, match="expected an array of shape"):
        ours.weights[0].assign(np.zeros(3))


# --------------------------------------------------------------------------------------------------- freezing


def inner_model(model):
    return model.layers[2]


FREEZING = {
    "nothing": lambda model: None,
    "the model": lambda model: setattr(model, "trainable", False),
    "batch normalization": lambda model: setattr(model.layers[0], "trainable", False),
    "a dense layer": lambda model: setattr(model.layers[1], "trainable", False),
    "the inner model": lambda model: setattr(inner_model(model), "trainable", False),
    "a layer of the inner model": lambda model: setattr(inner_model(model).layers[1], "trainable", False),
    "all but the last": lambda model: [setattr(layer, "trainable", False) for layer in model.layers[:-1]],
    "the model, then one layer free": lambda model: (
        setattr(model, "trainable", False), setattr(model, "trainable", True),
        setattr(model.layers[1], "trainable", False),
    ),
}  # fmt: skip


def ready(nn, weights=None):
    model = built(chain, nn)
    model.set_weights(start_weights(model))
    return model


def start_weights(model):
    drawn = np.random.default_rng(8)
    return [np.abs(0.5 + 0.3 * drawn.normal(size=np.shape(w))).astype("float32") for w in model.get_weights()]


def trained(model, nn, freeze, before):
    """The model, frozen before or after it is compiled; Keras is compiled anew, as its guide asks."""
    if before:
        freeze(model)
    model.compile(nn.optimizers.SGD(0.05), "mse")
    if not before:
        model.fit(X, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
        freeze(model)
        if nn is not nl:
            model.compile(nn.optimizers.SGD(0.05), "mse")
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model


@pytest.mark.filterwarnings("ignore:.*all of them are frozen")
@pytest.mark.parametrize("before", [True, False], ids=["before compile", "after a training"])
@pytest.mark.parametrize("name", FREEZING)
def test_freezing_is_that_of_keras(name, before, keras):
    ours = trained(ready(nl), nl, FREEZING[name], before)
    theirs = trained(ready(keras), keras, FREEZING[name], before)
    assert described(ours.trainable_weights) == described(theirs.trainable_weights)
    assert described(ours.non_trainable_weights) == described(theirs.non_trainable_weights)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(a, b, terms=2000)
    for training in (False, True):  # a frozen normalization uses its moving statistics
        assert_close(np.asarray(ours(X, training=training)), np.asarray(theirs(X, training=training)), terms=2000)


def test_what_is_inside_a_frozen_model_is_frozen(keras):
    """On purpose not as in Keras, where a layer that is freed inside a frozen model is in no list of that model but
    in the one of the model around it, and is trained."""
    ours, theirs = ready(nl), ready(keras)
    for model in (ours, theirs):
        inner_model(model).trainable = False
        inner_model(model).layers[0].trainable = True
    assert not inner_model(ours).trainable_weights and not inner_model(theirs).trainable_weights
    assert len(theirs.trainable_weights) - len(ours.trainable_weights) == 2


# ------------------------------------------------------------------------------- training= on symbolic calls
#
# A call that says `training=` means it, also in a model that is told another thing: Keras's rule for calls of layers.
# In Keras's functional models the outermost call wins; there the oracle are models of a class, which follow it.


def told(said, training):
    return training if said is None else said


def functional(said, nested):
    """Normalization that is told how to act, alone or as a model in the model, then one that is not."""
    L = nl.layers
    x = L.Input((5,))
    first = L.BatchNormalization(momentum=0.6)
    if nested:
        a = L.Input((5,))
        first = nl.Model(a, L.Dense(4)(first(a)))
    y = first(x, training=said)
    y = y if nested else L.Dense(4)(y)
    return nl.Model(x, L.Dense(2)(L.BatchNormalization(momentum=0.7)(y)))


def of_a_class(keras, said):
    class Told(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.BatchNormalization(momentum=0.6)
            self.dense = keras.layers.Dense(4)
            self.second = keras.layers.BatchNormalization(momentum=0.7)
            self.out = keras.layers.Dense(2)

        def call(self, x, training=None):
            y = self.dense(self.first(x, training=told(said, training)))
            return self.out(self.second(y, training=training))

    model = Told()
    model(X)
    return model


@pytest.mark.parametrize("said", [True, False, None])
@pytest.mark.parametrize("nested", [False, True], ids=["a layer", "a model"])
def test_training_on_symbolic_calls_is_that_of_keras(said, nested, keras):
    ours, theirs = functional(said, nested), of_a_class(keras, said)
    weights = start_weights(theirs)
    for given in ({}, {"training": True}, {"training": False}):
        ours.set_weights(weights)
        theirs.set_weights(weights)
        assert_close(np.asarray(ours(X, **given)), np.asarray(theirs(X, **given)), terms=500)
    theirs.set_weights(weights)  # Keras's call on arrays has moved the statistics; ours changes nothing
    for a, b in zip(ours.get_weights(), weights, strict=True):
        assert_close(a, b)
    assert_close(ours.predict(X), theirs.predict(X, verbose=0), terms=500)
    theirs.set_weights(weights)
    for model, nn in ((ours, nl), (theirs, keras)):
        model.compile(nn.optimizers.SGD(0.05), "mse")
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(a, b, terms=2000)


@pytest.mark.parametrize("said", [True, False, None])
def test_a_functional_model_that_is_told_nothing_is_that_of_keras(said, keras):
    def made(nn):
        L = nn.layers
        x = L.Input((5,))
        model = nn.Model(x, L.Dense(2)(L.BatchNormalization(momentum=0.6)(x, training=said)))
        model.set_weights(start_weights(model))
        return model

    assert_close(np.asarray(made(nl)(X)), np.asarray(made(keras)(X)), terms=500)


def dropped(nn, said):
    L = nn.layers
    x = L.Input((400,))
    return nn.Model(x, L.Dropout(0.25)(x, training=said))


def test_dropout_on_symbolic_calls(keras):
    """Told to train it always drops, told not to it never does; else it follows the call of the model."""
    ones = np.ones((3, 400), "float32")

    def share(model, **given):
        values = np.asarray(model(ones, **given))
        assert set(np.unique(np.round(values, 4))) <= {0.0, np.float32(1.3333), 1.0}
        return (values == 0).mean()

    always, never, follows = (dropped(nl, said) for said in (True, False, None))
    for given in ({}, {"training": True}, {"training": False}):
        assert 0.15 < share(always, **given, key=3) < 0.35
        assert share(never, **given) == 0
    assert share(follows) == 0 and share(follows, training=False) == 0
    assert 0.15 < share(follows, training=True, key=3) < 0.35
    assert (
        0.15 < share(dropped(keras, True)) < 0.35 and share(dropped(keras, False)) == share(dropped(keras, None)) == 0
    )
    with pytest.raises(nl.errors.ConfigurationError, match=r"dropout needs random numbers.*call it with key="):
        always.predict(ones)
