"""Small networks of each kind, for this library and for Keras, and data for them."""

import numpy as np

import neuroloom as nl

NETS = {
    "dense": ((5,), lambda L: [L.Dense(7, activation="tanh"), L.Dense(3, activation="softmax")]),
    "convolution": (
        (6, 5, 2),
        lambda L: [
            L.Conv2D(4, 3, activation="relu"),
            L.MaxPooling2D((2, 1)),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ],
    ),
    "lstm": ((6, 2), lambda L: [L.LSTM(4), L.Dense(3, activation="softmax")]),
}
"""kind -> (shape of one sample, layers of a classifier of three classes)."""

CLASSES = 3


def data(kind, n=70, seed=4):
    """Inputs and class numbers that depend on them."""
    shape = NETS[kind][0]
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, *shape)).astype("float32")
    return x, np.digitize(x.reshape(n, -1)[:, :4].sum(axis=1), [-1.0, 0.8]).astype("int32")


def net(kind, optimizer="adam", loss="sparse_categorical_crossentropy", metrics=("accuracy",)):
    """A compiled Sequential that knows its shape."""
    shape, make = NETS[kind]
    model = nl.Sequential([nl.Input(shape), *make(nl.layers)])
    model.compile(optimizer, loss, list(metrics))
    return model


def twin(keras, model, layers, shape):
    """Keras's Sequential of the same layers, with the weights of `model`."""
    other = keras.Sequential([keras.layers.Input(shape), *layers(keras.layers)])
    other.set_weights(model.get_weights())
    return other


def binary(n=70, features=2, seed=4):
    """Points and whether they lie above a line."""
    x = np.random.default_rng(seed).normal(size=(n, features)).astype("float32")
    return x, (x @ np.arange(1, features + 1) > 0.3).astype("float32")


def small(optimizer="adam", loss="binary_crossentropy", metrics=(), units=3, features=2):
    """A compiled network for `binary`, with one hidden layer."""
    layers = nl.layers
    model = nl.Sequential(
        [layers.Dense(units, activation="tanh", input_shape=(features,)), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer, loss, list(metrics))
    return model


def same(a, b):
    """Whether two models have weights that are equal bit for bit."""
    return all(np.array_equal(p, q) for p, q in zip(a.get_weights(), b.get_weights(), strict=True))
