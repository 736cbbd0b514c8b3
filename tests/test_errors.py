"""Wrong uses of layers and networks, each with its text: what was expected, what was received, what to do."""
# ruff: noqa: E501

import pickle

import numpy as np
import pytest

from neuroloom import errors, layers, ops
from neuroloom.errors import ConfigurationError, ModelFileError, NeuroloomError, ShapeError, UnknownNameError, nearest
from neuroloom.layers import (
    LSTM,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Network,
    Reshape,
    SimpleRNN,
)

X, IMAGE, SEQUENCE = Input((8,)), Input((6, 5, 3)), Input((5, 3))


def after(layer, first, second):
    """The layer on inputs of one shape, then of another."""
    layer(np.zeros(first, "float32"))
    layer(np.zeros(second, "float32"))


def twice_named():
    Network(inputs=X, outputs=Dense(2, name="a")(Dense(2, name="a")(X)))


def called_with(shape):
    x = Input((4,))
    Network(inputs=x, outputs=Dense(2)(x))(np.zeros(shape, "float32"))


def unsaveable():
    Network(inputs=X, outputs=ops.op(lambda x: x + 1)(X)).get_config()


# (the wrong use, its class of error, the text)
TABLE = [
    # values
    (lambda: Dense(0), ConfigurationError, "Dense expected units to be a positive whole number, received 0."),
    (lambda: Dense(-3), ConfigurationError, "Dense expected units to be a positive whole number, received -3."),
    (lambda: Dense(2.5), ConfigurationError, "Dense expected units to be a positive whole number, received 2.5."),
    (lambda: Dense(True), ConfigurationError, "Dense expected units to be a positive whole number, received True."),
    (lambda: Dense("8"), ConfigurationError, "Dense expected units to be a positive whole number, received '8'."),
    (lambda: Dense(), ConfigurationError, "Dense needs the argument 'units'."),
    (lambda: Dense(2, use_bias=0), ConfigurationError, "Dense expected use_bias to be True or False, received 0."),
    (lambda: Dense(2, trainable=None), ConfigurationError, "Dense expected trainable to be True or False, received None."),
    (lambda: Dense(2, name="a/b"), ConfigurationError, "Dense expected name to be a name without '/', at most 200"),
    (lambda: Dense(2, name=""), ConfigurationError, "Dense expected name to be a name without '/'"),
    (lambda: Dense(2, name=".."), ConfigurationError, "not '.' or '..' or None, received '..'."),
    (lambda: Dropout(2.0), ConfigurationError, "Dropout expected rate to be a number from 0 up to, but not, 1, received 2.0."),
    (lambda: Dropout(1.0), ConfigurationError, "a number from 0 up to, but not, 1, received 1.0."),
    (lambda: Dropout(-0.1), ConfigurationError, "received -0.1."),
    (lambda: Dropout(None), ConfigurationError, "Dropout expected rate to be a number from 0"),
    (lambda: LSTM(4, dropout=1.5), ConfigurationError, "LSTM expected dropout to be a number from 0"),
    (lambda: Conv2D(4, 0), ConfigurationError, "Conv2D expected kernel_size to be a positive whole number"),
    (lambda: Conv2D(4, (3, 3, 3)), ConfigurationError, "a positive whole number, or a tuple of 2 such numbers, received (3, 3, 3)."),
    (lambda: Conv2D(4, 3, strides=0), ConfigurationError, "Conv2D expected strides to be a positive whole number"),
    (lambda: Conv2D(4, 3, padding="some"), ConfigurationError, "Conv2D expected padding to be 'valid' or 'same', received 'some'."),
    (lambda: Conv2D(5, 3, groups=2), ConfigurationError, "expected filters to be a multiple of groups, received filters=5 and groups=2."),
    (lambda: MaxPooling2D(pool_size=-1), ConfigurationError, "MaxPooling2D expected pool_size to be a positive whole number"),
    (lambda: BatchNormalization(epsilon=0), ConfigurationError, "BatchNormalization expected epsilon to be a positive number"),
    (lambda: BatchNormalization(momentum=1), ConfigurationError, "BatchNormalization expected momentum to be a number from 0"),
    (lambda: Reshape((2, -2)), ConfigurationError, "Reshape expected target_shape to be a whole number of at least -1"),
    (lambda: Embedding(0, 4), ConfigurationError, "Embedding expected input_dim to be a positive whole number"),
    (lambda: Input((8, 0)), ConfigurationError, "Input expected a shape of positive whole numbers or None, received (8, 0)."),
    (lambda: Input((2.5,)), ConfigurationError, "Input expected a shape of positive whole numbers or None"),
    # names
    (lambda: Dense(2, activation="sotfmax"), UnknownNameError, "Unknown activation 'sotfmax'. Did you mean 'softmax'?"),
    (lambda: Dense(2, activation=3), ConfigurationError, "Expected an activation's name or a function, received 3."),
    (lambda: Dense(2, kernel_initializer="he_nromal"), UnknownNameError, "Unknown initializer 'he_nromal'. Did you mean 'he_normal'?"),
    (lambda: Dense(2, kernel_initializer=0), ConfigurationError, "Expected an initializer (an object, its class or its name), received 0."),
    (lambda: Dense(2, kernel_regularizer="L3"), UnknownNameError, "Unknown regularizer 'L3'."),
    (lambda: Dense(2, activaton="relu"), ConfigurationError, "Dense has no argument 'activaton'. Did you mean 'activation'?"),
    (lambda: LSTM(2, return_sequence=True), ConfigurationError, "Did you mean 'return_sequences'?"),
    (lambda: layers.Layer(nme="a"), ConfigurationError, "Layer has no argument 'nme'. Did you mean 'name'?"),
    # shapes
    (lambda: after(Dense(2), (4, 8), (4, 7)), ShapeError, "Dense expected x of shape (?, 8) (fixed at the first call), received (?, 7): its kernel has shape (8, 2) and would need (7, 2). Is a Flatten() missing?"),
    (lambda: after(Dense(2, name="head"), (4, 8), (4, 2, 7)), ShapeError, "Dense 'head' expected x of shape (?, 8)"),
    (lambda: after(LSTM(2), (2, 5, 3), (2, 5, 4)), ShapeError, "LSTM expected x of shape (?, 5, 3)"),
    (lambda: Dense(2)(Input((None,))), ShapeError, "Dense needs a known last axis, received inputs of shape (?, ?)."),
    (lambda: Conv2D(4, 3)(X), ShapeError, "Conv2D expected x of shape (batch, height, width, channels), received (?, 8)."),
    (lambda: Conv2D(4, 3)(Input((28, 28))), ShapeError, "received (?, 28, 28). Add the channel axis: x[..., None]."),
    (lambda: Conv2D(4, 3, name="c")(X), ShapeError, "Conv2D 'c' expected x of shape"),
    (lambda: Conv2D(4, 7)(IMAGE), ShapeError, "expected spatial axes at least as long as its window (7, 7), received x of shape"),
    (lambda: Conv2D(4, 3, groups=2)(IMAGE), ShapeError, "Conv2D expected channels in a multiple of groups=2, received 3."),
    (lambda: MaxPooling2D(8)(IMAGE), ShapeError, "max_pool expected spatial axes at least as long as its window (8, 8)"),
    (lambda: AveragePooling2D()(SEQUENCE), ShapeError, "AveragePooling2D expected x of shape (batch, height, width, channels)"),
    (lambda: GlobalAveragePooling2D()(X), ShapeError, "GlobalAveragePooling2D expected x of shape (batch, height, width, channels)"),
    (lambda: LSTM(2)(X), ShapeError, "LSTM expected x of shape (batch, time, features), received (?, 8). Add the feature axis: x[..., None]."),
    (lambda: SimpleRNN(2)(IMAGE), ShapeError, "SimpleRNN expected x of shape (batch, time, features), received (?, 6, 5, 3)."),
    (lambda: Reshape((3, 3))(X), ShapeError, "Reshape cannot make (3, 3) of inputs of shape (?, 8)."),
    (lambda: Reshape((3, -1))(X), ShapeError, "Reshape cannot"),
    (lambda: BatchNormalization(axis=4)(X), ShapeError, "BatchNormalization cannot take inputs of shape (?, 8)"),
    (lambda: Add()(X), ShapeError, "Add expected a list of at least two inputs, received (?, 8)."),
    (lambda: Add()([X]), ShapeError, "Add expected a list of at least two inputs"),
    (lambda: Add()([X, Input((7,))]), ShapeError, "cannot be applied to inputs of shape (?, 8), (?, 7)"),
    (lambda: Concatenate(axis=1)([SEQUENCE, Input((4, 2))]), ShapeError, "Concatenate expected inputs that agree in every axis but 1, received (?, 5, 3) and (?, 4, 2)."),
    (lambda: Concatenate(axis=0), ShapeError, "Concatenate cannot join along axis 0, the batch."),
    (lambda: ops.concat([X, SEQUENCE], axis=1), ShapeError, "concat expected arrays with the same number of axes"),
    (lambda: X @ Input((5, 3)), ShapeError, "matmul cannot be applied to inputs of shape (?, 8), (?, 5, 3)"),
    (lambda: Dense(2).arrays(), ShapeError, "Dense has no weights yet: its input shape is unknown. Call it on data first."),
    # networks
    (twice_named, ConfigurationError, "Two different layers have the name 'a'; names in a network are unique."),
    (lambda: Network(inputs=X, outputs=Dense(2)(Input((3,)))), ConfigurationError, "The outputs depend on <Node Input float32[?, 3]>, which is not among the inputs."),
    (lambda: Network(inputs=[X, Input((3,))], outputs=Dense(2)(X)), ConfigurationError, "No output depends on the input <Node Input float32[?, 3]>."),
    (lambda: Network(inputs=np.zeros(3), outputs=X), ConfigurationError, "A network is made of symbolic inputs and outputs: x = Input((8,));"),
    (lambda: Network(inputs=[], outputs=X), ConfigurationError, "A network is made of symbolic inputs and outputs"),
    (lambda: called_with((2, 5)), ShapeError, "Network expected an input of shape (?, 4), received (?, 5)."),
    (lambda: called_with((2, 4, 1)), ShapeError, "Network expected an input of shape (?, 4), received (?, 4, 1)."),
    (lambda: Network(inputs={"a": X}, outputs=-X)({"b": np.zeros((1, 8))}), ShapeError, "Network expected inputs named ['a'], received ['b']."),
    (unsaveable, ConfigurationError, "The operation '<lambda>' is not one of neuroloom.ops, so the model cannot be written"),
    (lambda: Network.from_config({"layers": [], "nodes": [{"op": "eval", "args": [], "kwargs": {"dict": {}}}], "inputs": [], "outputs": []}), ConfigurationError, "Unknown operation 'eval' in the model's graph."),
    (lambda: Network.from_config({"layers": [{"name": "a", "class": "os.system", "config": {}}], "nodes": [], "inputs": [], "outputs": []}), UnknownNameError, "Unknown layer 'os.system'."),
]  # fmt: skip


@pytest.mark.parametrize("wrong, kind, text", TABLE, ids=[text[:60] for _, _, text in TABLE])
def test_wrong_uses_are_refused(wrong, kind, text):
    with pytest.raises(kind) as error:
        wrong()
    assert text in str(error.value)


def test_a_missing_weight_names_those_that_there_are():
    with pytest.raises(AttributeError, match="This layer has no weight 'kernal'; it has kernel, bias"):
        layers.Weights(kernel=1, bias=2).kernal


# --------------------------------------------------------------------------------------------- the classes themselves


def test_every_exception_is_one_of_ours_and_one_of_pythons():
    ours = {v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, NeuroloomError)}
    assert all(len(cls.__mro__) > len(NeuroloomError.__mro__) + 1 for cls in ours - {NeuroloomError})
    assert issubclass(ShapeError, ValueError) and issubclass(UnknownNameError, KeyError)


def test_a_key_error_prints_as_text():
    assert str(UnknownNameError("Unknown layer 'x'.")) == "Unknown layer 'x'." and str(UnknownNameError()) == ""


def test_model_file_errors_say_path_reason_and_hint():
    error = ModelFileError("a.safetensors", "The file is cut off.", "Save it again.")
    assert str(error) == "a.safetensors: The file is cut off. Save it again."
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.reason, again.hint, str(again)) == (error.path, error.reason, error.hint, str(error))


@pytest.mark.parametrize(
    "name, known, text",
    [
        ("dens", ["dense", "lstm"], "Did you mean 'dense'?"),
        ("LSMT", ["dense", "lstm"], "Did you mean 'lstm'?"),
        ("zebra", ["b", "a"], "Known: a, b."),
        ("", [], "Known: ."),
    ],
)
def test_the_nearest_name(name, known, text):
    assert nearest(name, known) == text
