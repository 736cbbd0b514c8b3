"""The one list of layers, with cases. Every sweep of tests goes through it, so a new row gets all tests.

`make` is called with `neuroloom.layers` and with `keras.layers`: the vocabulary is the same. Every axis of an
input has another length, and pads are odd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom import layers, tree
from neuroloom.layers import Context
from neuroloom.layers.parts import specs_of


@dataclass(frozen=True, eq=False)
class Case:
    """A layer, what it is called with, and what is known of it.

    Attributes:
        make: the layer, from the module that has its class.
        shape: of one sample; a list of such where the layer takes several inputs.
        below: inputs are whole numbers below this; None: real numbers.
        keras: whether Keras has the same layer under the same arguments.
        statistics: whether training computes something else than inference, without drawing numbers.
        draws: whether training draws random numbers.
    """

    make: Callable[[Any], Any]
    shape: Any
    below: int | None = None
    keras: bool = True
    statistics: bool = False
    draws: bool = False
    batch: int = 2

    def layer(self):
        return self.make(layers)

    def inputs(self, dtype="float32", seed=5):
        """An input, or a list of them, with the batch first."""
        rng = np.random.default_rng(seed)
        shapes = self.shape if isinstance(self.shape, list) else [self.shape]
        made = [self._draw(rng, (self.batch, *s), dtype) for s in shapes]
        return made if isinstance(self.shape, list) else made[0]

    def _draw(self, rng, shape, dtype):
        if self.below is not None:
            return rng.integers(0, self.below, shape).astype("int32")
        return rng.normal(size=shape).astype(dtype)

    def symbolic(self):
        """The symbolic input, or a list of them."""
        dtype = "float32" if self.below is None else "int32"
        several = isinstance(self.shape, list)
        return [layers.Input(s, dtype) for s in self.shape] if several else layers.Input(self.shape, dtype)


def random_weights(layer, dtype="float32", seed=9):
    """Weights of which none is 0 or 1 or equal to another; variances are positive."""
    rng = np.random.default_rng(seed)
    drawn = []
    for path, (weight, _) in specs_of(layer).items():
        values = 0.6 * rng.normal(size=weight.shape)
        drawn.append((path, (np.abs(values) + 0.1 if "variance" in path else values).astype(dtype)))
    return tree.from_items(drawn)


def built(case):
    """A fresh layer of a case that knows the shape of its input."""
    layer = case.layer()
    layer(case.symbolic())
    return layer


def pure(layer, training=False):
    """The layer as a function of weights and input."""
    return lambda w, x: layer.apply(w, x, ctx=Context(training))


def _encoder(L):
    x = L.Input((5,))
    hidden = L.Dense(4, activation="tanh", name="hidden")(x)
    return layers.Network(inputs=x, outputs=L.Dense(3)(hidden) * 2 + 1)


def _two_ends(L):
    a, b = L.Input((4,)), L.Input((3,))
    joined = L.Concatenate()([a, b])
    shared = L.Dense(4)
    return layers.Network(inputs=[a, b], outputs=[shared(shared(a)), L.Dense(2)(joined)[:, ::-1]])


CASES = {
    "dense": Case(lambda L: L.Dense(3), (4,)),
    "dense, relu": Case(lambda L: L.Dense(3, activation="relu"), (4,)),
    "dense, tanh, no bias": Case(lambda L: L.Dense(5, activation="tanh", use_bias=False), (3,)),
    "dense, softmax": Case(lambda L: L.Dense(3, activation="softmax"), (4,)),
    "dense, over time": Case(lambda L: L.Dense(5, activation="sigmoid"), (4, 3)),
    "dense, one unit": Case(lambda L: L.Dense(1, activation="tanh"), (1,), batch=1),
    "dense, he normal": Case(lambda L: L.Dense(3, kernel_initializer="he_normal"), (4,)),
    "activation": Case(lambda L: L.Activation("gelu"), (3, 4)),
    "activation, softmax": Case(lambda L: L.Activation("softmax"), (3, 4)),
    "dropout": Case(lambda L: L.Dropout(0.3), (3, 4), draws=True),
    "dropout, none": Case(lambda L: L.Dropout(0.0), (3,)),
    "flatten": Case(lambda L: L.Flatten(), (3, 4, 5)),
    "flatten, flat": Case(lambda L: L.Flatten(), (3,)),
    "reshape": Case(lambda L: L.Reshape((6, 2)), (3, 4)),
    "reshape, the rest": Case(lambda L: L.Reshape((2, -1, 5)), (3, 4, 5)),
    "embedding": Case(lambda L: L.Embedding(7, 3), (5,), below=7),
    "embedding, of pairs": Case(lambda L: L.Embedding(6, 1), (3, 4), below=6),
    "embedding, padded": Case(lambda L: L.Embedding(4, 3, mask_zero=True), (5,), below=4),
    "masking": Case(lambda L: L.Masking(), (5, 3)),
    "masking, a value": Case(lambda L: L.Masking(mask_value=0.5), (4, 2)),
    "conv2d": Case(lambda L: L.Conv2D(3, 2), (4, 5, 2)),
    "conv2d, same": Case(lambda L: L.Conv2D(3, (4, 3), padding="same", activation="tanh"), (5, 6, 2)),
    "conv2d, strides": Case(lambda L: L.Conv2D(2, (3, 2), strides=(2, 3)), (6, 8, 3)),
    "conv2d, strides, same": Case(lambda L: L.Conv2D(2, (2, 5), strides=(2, 3), padding="same"), (6, 7, 3)),
    "conv2d, dilation": Case(lambda L: L.Conv2D(2, 2, dilation_rate=(2, 3)), (5, 7, 3)),
    "conv2d, dilation, same": Case(lambda L: L.Conv2D(2, (3, 2), dilation_rate=2, padding="same"), (4, 5, 3)),
    "conv2d, groups": Case(lambda L: L.Conv2D(6, (2, 3), groups=2, use_bias=False), (4, 5, 4)),
    "conv2d, pixels": Case(lambda L: L.Conv2D(4, 1, activation="relu"), (3, 5, 2)),
    "conv2d, one of each": Case(lambda L: L.Conv2D(1, 1), (1, 1, 1), batch=1),
    "max pooling": Case(lambda L: L.MaxPooling2D(), (5, 7, 3)),
    "max pooling, overlapping": Case(lambda L: L.MaxPooling2D((3, 2), strides=(1, 2)), (5, 7, 2)),
    "max pooling, same": Case(lambda L: L.MaxPooling2D((2, 3), padding="same"), (5, 7, 2)),
    "max pooling, same, strides": Case(lambda L: L.MaxPooling2D(3, strides=2, padding="same"), (5, 6, 2)),
    "average pooling": Case(lambda L: L.AveragePooling2D((2, 3)), (5, 7, 3)),
    "average pooling, same": Case(lambda L: L.AveragePooling2D(3, strides=2, padding="same"), (5, 6, 2)),
    "global average pooling": Case(lambda L: L.GlobalAveragePooling2D(), (3, 4, 5)),
    "global average pooling, axes kept": Case(lambda L: L.GlobalAveragePooling2D(keepdims=True), (3, 4, 5)),
    "batch normalization": Case(lambda L: L.BatchNormalization(), (3,), statistics=True, batch=5),
    "batch normalization, images": Case(
        lambda L: L.BatchNormalization(momentum=0.8, epsilon=0.01), (3, 4, 5), statistics=True
    ),
    "batch normalization, axis 1": Case(lambda L: L.BatchNormalization(axis=1), (3, 4), statistics=True),
    "batch normalization, no shift": Case(
        lambda L: L.BatchNormalization(center=False, momentum=0.5), (4,), statistics=True, batch=3
    ),
    "batch normalization, no scale": Case(
        lambda L: L.BatchNormalization(scale=False), (2, 3), statistics=True, batch=4
    ),
    "simple rnn": Case(lambda L: L.SimpleRNN(3), (5, 4)),
    "simple rnn, sequences": Case(lambda L: L.SimpleRNN(3, return_sequences=True), (5, 4)),
    "simple rnn, state": Case(lambda L: L.SimpleRNN(3, return_state=True, use_bias=False), (5, 4)),
    "simple rnn, backwards": Case(
        lambda L: L.SimpleRNN(3, go_backwards=True, return_sequences=True, return_state=True), (5, 2)
    ),
    "simple rnn, sigmoid": Case(lambda L: L.SimpleRNN(2, activation="sigmoid"), (4, 3)),
    "simple rnn, one step": Case(lambda L: L.SimpleRNN(1), (1, 1), batch=1),
    "simple rnn, first state": Case(lambda L: L.SimpleRNN(3, return_sequences=True), [(5, 4), (3,)], keras=False),
    "lstm": Case(lambda L: L.LSTM(3), (5, 4)),
    "lstm, sequences": Case(lambda L: L.LSTM(3, return_sequences=True), (5, 4)),
    "lstm, state": Case(lambda L: L.LSTM(3, return_state=True), (5, 4)),
    "lstm, backwards": Case(lambda L: L.LSTM(3, go_backwards=True, return_sequences=True, return_state=True), (5, 2)),
    "lstm, no bias": Case(lambda L: L.LSTM(3, use_bias=False), (4, 2)),
    "lstm, no forget bias": Case(lambda L: L.LSTM(2, unit_forget_bias=False), (4, 3)),
    "lstm, softsign": Case(lambda L: L.LSTM(3, activation="softsign", return_sequences=True), (4, 2)),
    "lstm, silu gates": Case(lambda L: L.LSTM(3, recurrent_activation="silu"), (4, 2)),
    "lstm, linear, sequences, state": Case(
        lambda L: L.LSTM(2, activation=None, return_sequences=True, return_state=True), (4, 3)
    ),
    "lstm, one step": Case(lambda L: L.LSTM(1, return_state=True), (1, 1), batch=1),
    "lstm, first state": Case(lambda L: L.LSTM(3, return_state=True), [(5, 4), (3,), (3,)], keras=False),
    "lstm, first state, silu": Case(
        lambda L: L.LSTM(3, recurrent_activation="silu"), [(4, 2), (3,), (3,)], keras=False
    ),
    "add": Case(lambda L: L.Add(), [(3, 4), (3, 4), (3, 4)]),
    "add, broadcast": Case(lambda L: L.Add(), [(3, 4), (1, 4)]),
    "multiply": Case(lambda L: L.Multiply(), [(3,), (3,)]),
    "average": Case(lambda L: L.Average(), [(3, 4), (3, 4), (3, 4)]),
    "concatenate": Case(lambda L: L.Concatenate(), [(3, 4), (3, 2), (3, 1)]),
    "concatenate, axis 1": Case(lambda L: L.Concatenate(axis=1), [(3, 4), (5, 4)]),
    "concatenate, axis -2": Case(lambda L: L.Concatenate(axis=-2), [(2, 3, 4), (2, 1, 4)]),
    "network": Case(_encoder, (5,), keras=False),
    "network, two ends": Case(_two_ends, [(4,), (3,)], keras=False),
}

ACTIVATIONS = (
    "linear", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "softplus", "softsign", "elu", "selu", "gelu",
    "silu", "swish", "leaky_relu", "hard_sigmoid", "exponential",
)  # fmt: skip

INITIALIZERS = (
    "zeros", "ones", "constant", "random_uniform", "random_normal", "truncated_normal", "variance_scaling",
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal",
    "identity",
)  # fmt: skip
