"""Wrong calls: each one is an error of the right class that says what was expected, received, and what to do."""

# ruff: noqa: E501  (tables, one case a line)

import numpy as np
import pandas as pd
import pytest

import neuroloom as nl
from nets import binary, small
from neuroloom import callbacks, layers, optimizers
from neuroloom.errors import (
    ConfigurationError,
    DataError,
    ModelFileError,
    NeuroloomError,
    ShapeError,
    UnknownNameError,
)

X, Y = binary(n=20)
LABELS = np.arange(20) % 3
WORDS = np.array(["cat", "dog"] * 10)
schedules = optimizers.schedules


def classifier(loss="sparse_categorical_crossentropy", metrics=None, **compiled):
    """Three classes of points."""
    model = nl.Sequential([layers.Dense(3, activation="softmax", input_shape=(2,))])
    model.compile("sgd", loss, metrics=metrics, **compiled)
    return model


def regression(units=1, metrics=None):
    model = nl.Sequential([layers.Dense(units, input_shape=(2,))])
    model.compile("sgd", "mse", metrics=metrics)
    return model


def unbuilt():
    model = nl.Sequential([layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


def two_inputs():
    a, b = nl.Input((2,), name="a"), nl.Input((1,), name="b")
    model = nl.Model([a, b], layers.Dense(1, name="y")(layers.Concatenate()([a, b])))
    model.compile("sgd", "mse")
    return model


def two_outputs(loss="mse", **compiled):
    x = nl.Input((2,), name="x")
    model = nl.Model(x, [layers.Dense(1, name="size")(x), layers.Dense(1, name="price")(x)])
    model.compile("sgd", loss, **compiled)
    return model


def words():
    model = nl.Sequential([layers.Embedding(10, 2, input_shape=(4,)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(model, x=X, y=Y, **given):
    return model.fit(x, y, verbose=0, **given)


def holed():
    frame = pd.DataFrame({"age": [1.0, 2.0, np.nan], "height": [4.0, 5.0, 6.0]})
    return fit(small(), frame, [0, 1, 0])


def functional(inputs, outputs):
    return lambda: nl.Model(inputs(), outputs())


# name -> (call, class of the error, part of its text)
CASES = {
    # names
    "a loss misspelt": (lambda: small(loss="binary_crosentropy"), UnknownNameError, "Unknown loss 'binary_crosentropy'. Did you mean 'binary_crossentropy'?"),
    "an optimizer misspelt": (lambda: small("adamm"), UnknownNameError, "Unknown optimizer 'adamm'. Did you mean 'adam'?"),
    "a metric misspelt": (lambda: small(metrics=["accurracy"]), UnknownNameError, "Unknown metric 'accurracy'. Did you mean"),
    "a metric misspelt before the shape is known": (lambda: unbuilt().compile("sgd", "mse", metrics=["mean_sqared_error"]), UnknownNameError, "Unknown metric 'mean_sqared_error'. Did you mean 'mean_squared_error'?"),
    "an activation misspelt": (lambda: layers.Dense(3, activation="sotfmax"), UnknownNameError, "Did you mean 'softmax'?"),
    "an initializer misspelt": (lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"), UnknownNameError, "Did you mean 'glorot_uniform'?"),
    "a regularizer misspelt": (lambda: layers.Dense(3, kernel_regularizer="l3"), UnknownNameError, "l3"),
    "an engine misspelt": (lambda: fit(small(), engine="tourch"), UnknownNameError, "Unknown engine 'tourch'. Did you mean 'torch'?"),
    "an engine to use misspelt": (lambda: nl.use("jaxx"), UnknownNameError, "Did you mean 'jax'?"),
    "a layer's name misspelt": (lambda: small().get_layer("dens"), ConfigurationError, "no layer 'dens'. Did you mean 'dense'?"),
    "an argument misspelt": (lambda: layers.Dense(3, activaton="relu"), ConfigurationError, "Dense has no argument 'activaton'. Did you mean 'activation'?"),
    "an optimizer's argument misspelt": (lambda: optimizers.Adam(learning_rat=0.1), ConfigurationError, "Did you mean 'learning_rate'?"),
    "an argument missing": (lambda: layers.Dense(), ConfigurationError, "Dense needs the argument 'units'."),
    "a monitor misspelt": (lambda: fit(small(), callbacks=[callbacks.EarlyStopping("los", mode="min")]), ConfigurationError, "Did you mean 'loss'?"),
    "a monitor without validation": (lambda: fit(small(), callbacks=[callbacks.EarlyStopping()]), ConfigurationError, "validation_data or validation_split"),
    "a hook misspelt": (lambda: fit(small(), callbacks=[type("Mine", (callbacks.Callback,), {"on_epoch_ends": print})()]), ConfigurationError, "'on_epoch_ends', which no training calls. Did you mean 'on_epoch_end'?"),
    "a padding that is none": (lambda: layers.Conv2D(3, 3, padding="sane"), ConfigurationError, "'valid' or 'same'"),
    # values
    "no units": (lambda: layers.Dense(0), ConfigurationError, "units to be a positive whole number, received 0"),
    "half a unit": (lambda: layers.Dense(2.5), ConfigurationError, "received 2.5"),
    "units as text": (lambda: layers.Dense("3"), ConfigurationError, "received '3'"),
    "dropout of everything": (lambda: layers.Dropout(1.0), ConfigurationError, "rate to be a number from 0 up to, but not, 1, received 1.0"),
    "dropout in per cent": (lambda: layers.Dropout(50), ConfigurationError, "received 50"),
    "a negative learning rate": (lambda: optimizers.SGD(-0.1), ConfigurationError, "received -0.1"),
    "a learning rate of NaN": (lambda: optimizers.SGD(float("nan")), ConfigurationError, "received nan"),
    "clipping twice": (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), ConfigurationError, "at most one"),
    "a rate set beside a schedule": (lambda: setattr(small(optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.9))), "learning_rate", 0.1), ConfigurationError, "follows ExponentialDecay"),
    "a negative rate set": (lambda: setattr(small(), "learning_rate", -1.0), ConfigurationError, "learning_rate expected a number of at least 0, received -1.0"),
    "no epochs": (lambda: fit(small(), epochs=0), ConfigurationError, "epochs expected a positive whole number, received 0"),
    "negative epochs": (lambda: fit(small(), epochs=-3), ConfigurationError, "epochs expected a positive whole number, received -3"),
    "half an epoch": (lambda: fit(small(), epochs=1.5), ConfigurationError, "received 1.5"),
    "a batch of nothing": (lambda: fit(small(), batch_size=0), ConfigurationError, "batch_size expected a positive whole number, received 0"),
    "a batch of nothing to predict": (lambda: small().predict(X, batch_size=0), ConfigurationError, "batch_size expected a positive whole number, received 0"),
    "a batch of nothing to evaluate": (lambda: small().evaluate(X, Y, batch_size=-1), ConfigurationError, "batch_size expected a positive whole number, received -1"),
    "no steps": (lambda: fit(small(), steps_per_epoch=0), ConfigurationError, "steps_per_epoch expected a positive whole number, received 0"),
    "shuffle as text": (lambda: fit(small(), shuffle="batch"), ConfigurationError, "shuffle expected True or False, received 'batch'"),
    "an unknown verbosity": (lambda: small().fit(X, Y, verbose=3), ConfigurationError, "'auto', 0, 1 or 2"),
    "more than all for validation": (lambda: fit(small(), validation_split=1.5), ConfigurationError, "validation_split expected a share of the samples"),
    "nothing left for training": (lambda: fit(small(), validation_split=0.99), DataError, "leaves one part of 20 samples empty"),
    "validation twice": (lambda: fit(small(), validation_split=0.2, validation_data=(X, Y)), ConfigurationError, "validation_data or validation_split, not both"),
    "validation data without targets": (lambda: fit(small(), validation_data=X), DataError, "validation_data expected a tuple (x, y)"),
    "validation data of another shape": (lambda: fit(small(), validation_data=(X[:, :1], Y)), ShapeError, "validation x of shape (?, 2), received (20, 1)"),
    "a seed that is none": (lambda: nl.utils.set_random_seed(-5), ConfigurationError, "a seed from 0"),
    # structure
    "a class for a layer": (lambda: nl.Sequential([layers.Flatten]), ConfigurationError, "Write Flatten(...)."),
    "a number for a layer": (lambda: nl.Sequential([3]), ConfigurationError, "Sequential expected a layer, received 3"),
    "a layer for a list": (lambda: nl.Sequential(layers.Dense(3)), ConfigurationError, "Sequential expected a list of layers"),
    "Input in the middle": (lambda: nl.Sequential([layers.Dense(3), nl.Input((2,))]), ConfigurationError, "Input comes first"),
    "nothing to train": (lambda: fit_empty(), ConfigurationError, "has no layers"),
    "an input of no shape": (lambda: nl.Input((0, 3)), ConfigurationError, "positive whole numbers or None, received (0, 3)"),
    "outputs from other inputs": (functional(lambda: nl.Input((2,)), lambda: layers.Dense(1)(nl.Input((2,)))), ConfigurationError, "which is not among the inputs"),
    "arrays for symbols": (lambda: nl.Model(X, Y), ConfigurationError, "symbolic inputs and outputs"),
    "two layers of one name": (lambda: nl.Sequential([layers.Dense(3, name="a", input_shape=(2,)), layers.Dense(3, name="a")]), ConfigurationError, "Two different layers have the name 'a'"),
    "a slash in a name": (lambda: layers.Dense(3, name="a/b"), ConfigurationError, "without '/'"),
    "joined shapes that differ": (lambda: layers.Concatenate()([nl.Input((3, 2)), nl.Input((4, 2))]), ShapeError, "agree in every axis but -1"),
    "a reshape that does not fit": (lambda: layers.Reshape((5,))(nl.Input((4,))), ShapeError, "cannot make (5,)"),
    "a window larger than the image": (lambda: layers.Conv2D(3, 5)(nl.Input((3, 3, 1))), ShapeError, "at least as long as its window (5, 5)"),
    "weights before the shape is known": (lambda: unbuilt().get_weights(), ShapeError, "does not know its input shape yet"),
    "truth of a symbol": (lambda: bool(nl.Input((2,))), TypeError, "neither true nor false"),
    "NumPy on a symbol": (lambda: np.exp(nl.Input((2,))), TypeError, "neuroloom.ops"),
    # compiling
    "fit before compile": (lambda: fit(nl.Sequential([layers.Dense(1, input_shape=(2,))])), ConfigurationError, "Call compile(optimizer, loss) before"),
    "evaluate before compile": (lambda: nl.Sequential([layers.Dense(1)]).evaluate(X, Y), ConfigurationError, "Call compile(optimizer, loss) before"),
    "no loss": (lambda: small(loss=None), ConfigurationError, "compile expected a loss"),
    "accuracy of a regression": (lambda: regression(metrics=["accuracy"]), ConfigurationError, "a loss of classification beside the metric 'accuracy'"),
    "a metric twice": (lambda: small(metrics=["mae", "mae"]), ConfigurationError, "'mae' is given twice"),
    "softmax over one unit": (lambda: nl.Sequential([layers.Dense(1, activation="softmax", input_shape=(2,))]).compile("sgd", "binary_crossentropy"), ConfigurationError, "softmax over one unit, which is the same for every input. Use one unit with activation='sigmoid'"),
    "classes of one unit": (lambda: fit(nl_one_unit()), ShapeError, "at least 2 classes"),
    "losses for another number of outputs": (lambda: two_outputs(["mse"]), ConfigurationError, "loss expected 2 entries, one per output, received 1"),
    "a loss for an output that is none": (lambda: two_outputs({"siez": "mse"}), ConfigurationError, "loss names the output 'siez'. Did you mean 'size'?"),
    "weights for outputs that are none": (lambda: two_outputs(loss_weights={"prise": 2.0}), ConfigurationError, "Did you mean 'price'?"),
    "a loss weight as text": (lambda: two_outputs(loss_weights=["much", 1.0]), ConfigurationError, "loss_weights expected for 'size' a number of at least 0, received 'much'"),
    # data
    "no targets": (lambda: small().fit(X, verbose=0), DataError, "Expected x and y"),
    "lengths that differ": (lambda: fit(small(), X, Y[:-1]), DataError, "Expected the same number of samples everywhere, received x[0] with 20, y[0] with 19"),
    "no samples": (lambda: fit(small(), X[:0], Y[:0]), DataError, "at least one sample"),
    "no samples to predict": (lambda: small().predict(X[:0]), DataError, "at least one sample"),
    "another number of features": (lambda: fit(small(), X[:, :1]), ShapeError, "x of shape (?, 2), received (20, 1)"),
    "a missing axis": (lambda: small().predict(X[:, 0]), ShapeError, "Add the missing axis, for example x[..., None]."),
    "a spare axis": (lambda: small().predict(X[..., None]), ShapeError, "Is a Flatten() missing?"),
    "ragged rows": (lambda: fit(small(), [[1, 2], [3]], [0, 1]), DataError, "ragged lists: x[1] has length 1"),
    "text as input": (lambda: fit(small(), WORDS), DataError, "x expected numbers, received text"),
    "NaN in a column": (holed, DataError, "received nan at x[2, 0] (row 2, column 'age')"),
    "an infinite input": (lambda: small().predict([[1.0, np.inf]]), DataError, "received inf"),
    "NaN as target": (lambda: fit(regression(), y=np.where(Y == 1, np.nan, Y)), DataError, "that are finite, received nan in row"),
    "string labels": (lambda: fit(classifier(), y=WORDS), DataError, "np.unique(labels, return_inverse=True)"),
    "a label out of range": (lambda: fit(classifier(), y=np.where(np.arange(20) == 6, 3, LABELS)), DataError, "from 0 to 2, for 3 classes, received 3 in row 6"),
    "a negative label": (lambda: fit(classifier(), y=LABELS - 1), DataError, "received -1 in row 0"),
    "labels between classes": (lambda: fit(classifier(), y=LABELS + 0.5), DataError, "whole class numbers"),
    "labels of 1 and 2": (lambda: fit(small(), y=Y + 1), DataError, "from 0 to 1"),
    "labels of -1 and 1": (lambda: fit(small(), y=2 * Y - 1), DataError, "received -1.0 in row"),
    "one-hot rows for class numbers": (lambda: fit(classifier(), y=np.eye(3)[LABELS]), ShapeError, "For one-hot rows use CategoricalCrossentropy"),
    "class numbers for one-hot rows": (lambda: fit(classifier("categorical_crossentropy"), y=LABELS), ShapeError, "Use SparseCategoricalCrossentropy"),
    "two columns for one unit": (lambda: fit(regression(), y=X), ShapeError, "Targets are never broadcast"),
    "one column for two units": (lambda: fit(regression(2), y=Y), ShapeError, "Targets are never broadcast"),
    "one column of two axes for two units": (lambda: fit(regression(2), y=Y[:, None]), ShapeError, "Targets are never broadcast"),
    "sample weights of another length": (lambda: fit(small(), sample_weight=np.ones(19)), ShapeError, "sample_weight expected shape (20,)"),
    "negative sample weights": (lambda: fit(small(), sample_weight=-np.ones(20)), DataError, "no negative weights, received -1.0"),
    "a class weight for no class": (lambda: fit(small(), class_weight={2: 1.0}), DataError, "class numbers from 0 to 1 (as in y), received 2"),
    "class weights as a list": (lambda: fit(small(), class_weight=[1.0, 2.0]), ConfigurationError, "class_weight expected a dict from class to weight"),
    "class weights of two outputs": (lambda: fit(two_outputs(), y=[Y, Y], class_weight={0: 1.0}), ConfigurationError, "give sample_weight instead"),
    "a word outside the vocabulary": (lambda: fit(words(), np.full((20, 4), 10)), DataError, "whole numbers from 0 to 9 in x, received 10 to 10 (first in row 0)"),
    "half a word": (lambda: words().predict([[0, 1, 2, 1.5]]), DataError, "x expected whole numbers, since the network's input is int32, received 1.5 in row 0"),
    "one array for two inputs": (lambda: two_inputs().predict(X), DataError, "a list of 2 arrays, one per input"),
    "two arrays for one input": (lambda: small().predict([X, X]), DataError, "x expected one array, received a list of 2"),
    "inputs of two lengths": (lambda: two_inputs().predict([X, X[:3, :1]]), DataError, "same number of samples"),
    "an input misspelt": (lambda: two_inputs().predict({"a": X, "bb": X[:, :1]}), DataError, "x has no input 'bb'"),
    "an input missing": (lambda: two_inputs().predict({"a": X}), DataError, "b is missing"),
    "a dict for one nameless input": (lambda: small().predict({"a": X}), DataError, "x expected one array, received a dict of 1"),
    "a target for no output": (lambda: fit(two_outputs(), y={"size": Y, "prize": Y}), DataError, "y has no output 'prize'. Did you mean 'price'?"),
    "an output without target": (lambda: fit(two_outputs(), y={"size": Y}), DataError, "'price' has a loss, but y['price'] was not given"),
    "one target for two outputs": (lambda: fit(two_outputs(), y=Y), DataError, "a list of 2 arrays, one per output: size, price"),
    "several arrays for a Sequential without shape": (lambda: unbuilt().predict([X, X]), DataError, "A Sequential has one input"),
    # generators
    "targets beside a generator": (lambda: fit(small(), iter([(X, Y)]), Y), ConfigurationError, "y cannot be given beside a generator"),
    "a batch size beside a generator": (lambda: small().fit(iter([(X, Y)]), batch_size=4), ConfigurationError, "batch_size cannot be given beside a generator"),
    "a split of a generator": (lambda: small().fit(iter([(X, Y)]), validation_split=0.2), ConfigurationError, "validation_split cannot be given beside a generator"),
    "batches without targets": (lambda: small().fit(iter([X]), verbose=0), DataError, "A batch is a tuple (x, y)"),
    "predicting a generator": (lambda: small().predict(iter([X])), DataError, "x expected"),
    # engines, callbacks, files
    "a class for a callback": (lambda: fit(small(), callbacks=[callbacks.TerminateOnNaN]), ConfigurationError, "Write TerminateOnNaN(...)."),
    "a function for a callback": (lambda: fit(small(), callbacks=[print]), ConfigurationError, "callbacks expected objects"),
    "a path that cannot be filled in": (lambda: fit(small(), callbacks=[callbacks.ModelCheckpoint("{val_acc}.nl")]), ConfigurationError, "cannot fill {val_acc}"),
    "a file that is not there": (lambda: nl.load_model("nowhere.nl"), ModelFileError, "cannot be read: No such file"),
    "a folder that is not there": (lambda: small().save("nowhere/m.nl"), ModelFileError, "Choose a folder that exists"),
}  # fmt: skip


def fit_empty():
    model = nl.Sequential()
    model.compile("sgd", "mse")
    return fit(model)


def nl_one_unit():
    model = nl.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_call_says_what_to_do(case):
    call, kind, text = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert text in message
    assert len(message) < 700 and message[0].strip() and not message.startswith(("(", "'", '"'))


def test_the_table_is_long_enough():
    assert len(CASES) >= 60
    own = [case for case, (_, kind, _) in CASES.items() if issubclass(kind, NeuroloomError)]
    assert len(own) >= len(CASES) - 2


def test_wrong_calls_leave_the_model_as_it_was():
    """After all errors of fit the same model still trains, from the same weights."""
    model = small()
    before = model.get_weights()
    for given in (
        {"epochs": 0},
        {"batch_size": 0},
        {"validation_split": 2.0},
        {"sample_weight": [1.0]},
        {"engine": "x"},
    ):
        with pytest.raises(NeuroloomError):
            fit(model, **given)
    with pytest.raises(NeuroloomError):
        fit(model, X[:, :1])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert len(fit(model).history["loss"]) == 1
