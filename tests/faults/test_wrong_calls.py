"""Faults 4, 26 and 40: wrong calls that ended in an exception of Python or of an engine, or were accepted in silence."""

# ruff: noqa: E501  (tables, one case a line)

import copy
import itertools
import pickle

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from nets import binary, small
from neuroloom import callbacks, datasets, layers, losses, models, ops, optimizers
from neuroloom.errors import ConfigurationError, DataError, GraphError, NeuroloomError
from neuroloom.learning import batches
from neuroloom.networks import Hopfield, MultilayerPerceptronClassifier, MultilayerPerceptronRegressor

X, Y = binary(n=20)
ONE_HOT = np.eye(3, dtype="float32")[np.arange(20) % 3]


def line(loss="mse", metrics=None, units=1, **compiled):
    """One layer."""
    model = nl.Sequential([layers.Dense(units, input_shape=(2,))])
    model.compile("sgd", loss, metrics=metrics, **compiled)
    return model


def fit(model=None, x=X, y=Y, **given):
    return (model or line()).fit(x, y, **{"verbose": 0, **given})


def softmax(y):
    model = nl.Sequential([layers.Dense(3, activation="softmax", input_shape=(2,))])
    model.compile("sgd", "categorical_crossentropy")
    return fit(model, y=y)


def built_from(units):
    return line(units=units)


def symbol():
    return nls.train.GradientDescentOptimizer(0.1).minimize(3.0)


def three():
    return nl.population(line, 3)


# name -> (call, class of the error, its whole text)
CALLS = {
    # arguments that there are not
    "epoch": (lambda: fit(epoch=3), ConfigurationError, "fit has no argument 'epoch'. Did you mean 'epochs'?"),
    "nb_epoch": (lambda: fit(nb_epoch=3), ConfigurationError, "fit has no argument 'nb_epoch'. Write epochs."),
    "samples_per_epoch": (lambda: fit(samples_per_epoch=3), ConfigurationError, "fit has no argument 'samples_per_epoch'. Write steps_per_epoch, a number of batches."),
    "workers": (lambda: fit(workers=2), ConfigurationError, "fit has no argument 'workers'. Leave it out: the next batches are prepared while the last ones are trained on."),
    "use_multiprocessing": (lambda: line().evaluate(X, Y, use_multiprocessing=True), ConfigurationError, "evaluate has no argument 'use_multiprocessing'. Leave it out: the next batches are prepared while the last ones are trained on."),
    "max_queue_size": (lambda: fit(max_queue_size=9), ConfigurationError, "fit has no argument 'max_queue_size'. Leave it out: the next batches are prepared while the last ones are trained on."),
    "callbacks of evaluate": (lambda: line().evaluate(X, Y, callbacks=[]), ConfigurationError, "evaluate has no argument 'callbacks'. Callbacks hear of trainings; give them to fit."),
    "a rate for compile": (lambda: line(learning_rate=0.1), ConfigurationError, "compile has no argument 'learning_rate'. Give it to the optimizer: compile(optimizers.Adam(learning_rate=0.01), ...)."),
    "weighted_metrics": (lambda: line(weighted_metrics=["mae"]), ConfigurationError, "compile has no argument 'weighted_metrics'. Sample weights count in the loss only; give metrics."),
    "run_eagerly": (lambda: line(run_eagerly=True), ConfigurationError, "run_eagerly expected False, received True. To run each step as Python, train with fit(..., engine='torch')."),
    "jit_compile as text": (lambda: line(jit_compile="yes"), ConfigurationError, "jit_compile expected True or False, received 'yes'."),
    "no steps_per_execution": (lambda: line(steps_per_execution=0), ConfigurationError, "steps_per_execution expected a positive whole number, received 0."),
    "Input(batch_size)": (lambda: nl.Input((3,), batch_size=8), ConfigurationError, "Input has no argument 'batch_size'. Leave it out: a network takes batches of any size."),
    "batch_input_shape": (lambda: layers.Dense(3, batch_input_shape=(None, 2)), ConfigurationError, "Dense has no argument 'batch_input_shape'. Write input_shape, the shape of one sample."),
    "input_dim": (lambda: layers.Dense(3, input_dim=2), ConfigurationError, "Dense has no argument 'input_dim'. Write input_shape=(n,)."),
    "Model(input)": (lambda: nl.Model(input=1, output=2), ConfigurationError, "Model has no argument 'input'. Did you mean 'inputs'?"),
    "safe_mode": (lambda: nl.load_model("m", safe_mode=False), ConfigurationError, "load_model has no argument 'safe_mode'. Leave it out: nothing in a file is ever executed."),
    "a callback's argument": (lambda: callbacks.EarlyStopping(patiance=3), ConfigurationError, "EarlyStopping has no argument 'patiance'. Did you mean 'patience'?"),
    "fit_many(epoch)": (lambda: nl.fit_many([line()], X, Y, epoch=3), ConfigurationError, "fit_many has no argument 'epoch'. Did you mean 'epochs'?"),
    "population(seed)": (lambda: nl.population(line, 3, seed=[1]), ConfigurationError, "population has no argument 'seed'. Did you mean 'seeds'?"),
    "an argument missing": (lambda: nl.fit_many([line()]), ConfigurationError, "fit_many needs the argument 'x'."),
    "a layer without input": (lambda: layers.Dense(3)(), ConfigurationError, "Dense was called without inputs. Write layer(x)."),
    "a model without input": (lambda: line()(), ConfigurationError, "Sequential needs the argument 'x'."),
    "a loss without predictions": (lambda: losses.MeanSquaredError()(Y), ConfigurationError, "MeanSquaredError needs the argument 'y_pred'."),
    "too many arguments": (lambda: line().predict(X, 1, 0, 1, None, 9), ConfigurationError, "predict takes at most 5 arguments by their places (x, batch_size, verbose, steps, engine), received 6."),
    "an argument twice": (lambda: line().predict(X, x=X), ConfigurationError, "predict received the argument 'x' twice, by its place and by its name."),
    "too many fields": (lambda: layers.Flatten(1), ConfigurationError, "Flatten takes at most 0 arguments by their places (), received 1."),
    # names that there are not
    "predict_classes": (lambda: line().predict_classes(X), AttributeError, "Sequential has no attribute 'predict_classes'. Write predict(x).argmax(-1), or predict(x) > 0.5 for one sigmoid unit."),
    "fit_generator": (lambda: line().fit_generator, AttributeError, "Sequential has no attribute 'fit_generator'. Write fit(generator)."),
    "a method misspelt": (lambda: line().evalute, AttributeError, "Sequential has no attribute 'evalute'. Did you mean 'evaluate'?"),
    "an attribute that nobody reads": (lambda: setattr(line(), "lerning_rate", 0.1), AttributeError, "Sequential has no attribute 'lerning_rate'. Did you mean 'learning_rate'?"),
    "an attribute of a Model": (lambda: setattr(nl.Model(*(2 * [nl.Input((2,))])), "stop_trainin", True), AttributeError, "Model has no attribute 'stop_trainin'. Did you mean 'stop_training'?"),
    "model.lr": (lambda: setattr(line(), "lr", 0.1), AttributeError, "Sequential has no attribute 'lr'. Write learning_rate."),
    "layers.Dens": (lambda: layers.Dens, AttributeError, "module 'neuroloom.layers' has no attribute 'Dens'. Did you mean 'Dense'?"),
    "models.Sequntial": (lambda: models.Sequntial, AttributeError, "module 'neuroloom.models' has no attribute 'Sequntial'. Did you mean 'Sequential'?"),
    "datasets.mnits": (lambda: datasets.mnits, AttributeError, "module 'neuroloom.datasets' has no attribute 'mnits'. Did you mean 'mnist'?"),
    "nl.layer": (lambda: nl.layer, AttributeError, "module 'neuroloom' has no attribute 'layer'. Did you mean 'layers'?"),
    "losses.mean_square_error": (lambda: losses.mean_square_error, AttributeError, "module 'neuroloom.losses' has no attribute 'mean_square_error'. Did you mean 'mean_squared_error'?"),
    "a far name of many": (lambda: nls.qqqq, AttributeError, "module 'neuroloom.session' has no attribute 'qqqq'. The nearest are"),
    # values
    "set_weights(5)": (lambda: line().set_weights(5), ConfigurationError, "set_weights expected a list of arrays, as get_weights gives them, or a dict of them by path, received 5."),
    "Sequential(5)": (lambda: nl.Sequential(5), ConfigurationError, "Sequential expected a list of layers, received 5."),
    "Sequential of text": (lambda: nl.Sequential("dense"), ConfigurationError, "Sequential expected a list of layers, received 'dense'."),
    "Input(None)": (lambda: nl.Input(None), ConfigurationError, "Input expected the shape of one sample, such as Input((8,)), received None."),
    "load_model(5)": (lambda: nl.load_model(5), ConfigurationError, "path expected text or a pathlib.Path, received 5."),
    "save(5)": (lambda: line().save(5), ConfigurationError, "path expected text or a pathlib.Path, received 5."),
    "load_weights(None)": (lambda: line().load_weights(None), ConfigurationError, "path expected text or a pathlib.Path, received None."),
    "ModelCheckpoint(5)": (lambda: callbacks.ModelCheckpoint(5), ConfigurationError, "ModelCheckpoint expected filepath to be text or a pathlib.Path, received 5."),
    "CSVLogger(None)": (lambda: callbacks.CSVLogger(None), ConfigurationError, "CSVLogger expected filename to be text or a pathlib.Path, received None."),
    "TensorBoard(5)": (lambda: callbacks.TensorBoard(5), ConfigurationError, "TensorBoard expected log_dir to be text or a pathlib.Path, received 5."),
    "a place without a layer": (lambda: small().get_layer(index=2), ConfigurationError, "The model has 2 layers, with indices from 0 to 1, received 2."),
    "a layer by nothing": (lambda: small().get_layer(), ConfigurationError, "get_layer expected a name or an index, received None and None."),
    "population[99]": (lambda: three()[99], IndexError, "There are 3 models, with numbers from 0 to 2, received 99."),
    "population['best']": (lambda: three()["best"], ConfigurationError, "Expected the number of a model, from 0 to 2, received 'best'."),
    "a build function with arguments": (lambda: nl.population(built_from, 3), ConfigurationError, "The function that builds was called with no arguments: missing a required argument: 'units'. Write lambda: built_from(...), with the values; searches take them among `values`."),
    "a build function with arguments, in folds": (lambda: nl.cross_validate(built_from, X, Y), ConfigurationError, "The function that builds was called with no arguments: missing a required argument: 'units'. Write lambda: built_from(...), with the values; searches take them among `values`."),
    "a number to minimize": (symbol, GraphError, "GradientDescent expected the Tensor to make small, made of variables, received 3.0. A number that `run` returned says nothing of them."),
    "custom_objects of no class": (lambda: nl.load_model("m", custom_objects={"A": 5}), ConfigurationError, "custom_objects expected a class or a function for 'A', not 5."),
    "custom_objects of another class": (lambda: nl.load_model("m", custom_objects={"A": dict}), ConfigurationError, "custom_objects expected for 'A' a subclass of Layer, Loss, Metric or the like, received <class 'dict'>."),
    "custom_objects for ours": (lambda: nl.load_model("m", custom_objects={"Dense": layers.Flatten}), ConfigurationError, "The layer name 'Dense' belongs to the library; choose another."),
    # accepted in silence
    "class weights of 0": (lambda: fit(small(), class_weight={0: 0.0, 1: 0.0}), DataError, "class_weight expected a positive weight for at least one of 2 classes, received {0: 0.0, 1: 0.0}."),
    "sample weights of 0": (lambda: fit(sample_weight=np.zeros(20)), DataError, "Expected a positive weight for at least one sample, but class_weight and sample_weight make all of them 0: nothing would be learned."),
    "no class": (lambda: softmax(np.where(np.arange(20)[:, None] == 4, 0, ONE_HOT)), DataError, "CategoricalCrossentropy expected targets 'y' whose rows have the sum 1, received 0.0 in row 4. Each row is one class, or probabilities. For several classes in a row use sigmoid and BinaryCrossentropy; a row without a class is left out by sample_weight 0."),
    "two classes": (lambda: softmax(np.maximum(ONE_HOT, ONE_HOT[[7]])), DataError, "CategoricalCrossentropy expected targets 'y' whose rows have the sum 1, received 2.0 in row 0. Each row is one class, or probabilities. For several classes in a row use sigmoid and BinaryCrossentropy; a row without a class is left out by sample_weight 0."),
    "initial_epoch at epochs": (lambda: fit(epochs=3, initial_epoch=3), ConfigurationError, "initial_epoch expected a number below epochs, received 3 and epochs=3: nothing would be trained. epochs is the number of the last epoch; for 3 more write epochs=6."),
    "initial_epoch beyond epochs": (lambda: fit(epochs=2, initial_epoch=5), ConfigurationError, "initial_epoch expected a number below epochs, received 5 and epochs=2: nothing would be trained. epochs is the number of the last epoch; for 2 more write epochs=7."),
    "no validation_steps": (lambda: fit(validation_data=(X, Y), validation_steps=0), ConfigurationError, "validation_steps expected a positive whole number, received 0."),
    "a validation_freq of text": (lambda: fit(validation_data=(X, Y), validation_freq="often"), ConfigurationError, "validation_freq expected a positive whole number of epochs, or a list of the epochs' numbers from 1, received 'often'."),
    "no steps to predict": (lambda: line().predict(X, steps=0), ConfigurationError, "steps expected a positive whole number, received 0."),
    # fields of frozen optimizers
    "a rate of an optimizer": (lambda: setattr(optimizers.SGD(), "learning_rate", 0.1), AttributeError, "SGD cannot be changed: the learning_rate is fixed when it is made. Set model.learning_rate or model.optimizer.learning_rate, or compile with another optimizer."),
    "a momentum of a model's": (lambda: setattr(small(optimizers.SGD()).optimizer, "momentum", 0.5), AttributeError, "SGD cannot be changed: the momentum is fixed when it is made. Set model.learning_rate or model.optimizer.learning_rate, or compile with another optimizer."),
    "a negative rate of a model's": (lambda: setattr(small().optimizer, "learning_rate", -1), ConfigurationError, "learning_rate expected a number of at least 0, received -1."),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_call_says_what_was_meant(case):
    call, kind, text = CALLS[case]
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == text or (text.endswith("are") and str(error.value).startswith(text))


MODULES = [
    "activations",
    "callbacks",
    "data",
    "datasets",
    "engines",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "ops",
    "optimizers",
    "plots",
    "regularizers",
    "session",
    "utils",
]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_module_suggests_the_nearest_name(name):
    """Fault 40: the longest name of each module, with two letters exchanged."""
    module = getattr(nl, name)
    own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__ and n[0] != "_"]
    longest = max(getattr(module, "__all__", own), key=len)
    wrong = longest[:2] + longest[3] + longest[2] + longest[4:]
    with pytest.raises(AttributeError) as error:
        getattr(module, wrong)
    assert str(error.value).endswith(f"Did you mean {longest!r}?")
    assert not hasattr(module, "__wrapped__")


def test_errors_from_inside_a_call_stay_what_they_are():
    """Fault 40: only a call that does not fit is explained; a TypeError of a user's callback is his."""

    class Mine(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        fit(callbacks=[Mine()])


# ----------------------------------------------------------------------------------------------- functions of users


def takes_one(y):
    return y


def gives_none(y_true, y_pred):
    y_pred - y_true


def chooses(y_true, y_pred):
    return y_pred - y_true if (y_pred - y_true).sum() > 0 else y_true - y_pred


def gives_float(y_true, y_pred):
    return 0.5


def floats(y_true, y_pred):
    return abs(float(y_true[0, 0]) - float(y_pred[0, 0]))


def leaves(y_true, y_pred):
    return np.zeros(len(y_true))


def numpys(y_true, y_pred):
    return np.linalg.norm(np.asarray(y_true) - np.asarray(y_pred), axis=-1)


FUNCTIONS = {
    takes_one: "expected to take two arguments (y_true, y_pred), but takes (y).",
    gives_none: "returned None. Is a return missing?",
    chooses: "failed with TracerBoolConversionError",
    gives_float: "returned a float, not an array of",
    floats: "failed with ConcretizationTypeError",
    leaves: "returned a ndarray, not an array of",
    numpys: "failed with",
}
EAGER: dict[tuple, dict] = {
    ("torch", "loss"): {chooses: None, floats: "", numpys: None},
    ("torch", "metric"): {chooses: None, floats: "", numpys: None},
    ("numpy", "loss"): {chooses: None, floats: "failed with TypeError", leaves: None},
    ("numpy", "metric"): {chooses: None, floats: "returned a float", leaves: None, numpys: None},
}
"""What is otherwise there, where steps run as Python. None: such a function works."""
FORMS = {"loss": "return ops.mean(ops.square(y_pred - y_true), axis=-1)", "metric": "return ops.abs(y_pred - y_true)"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_a_users_function_that_fails_is_named(kind, function, training_engine):
    """Fault 40: it says which function, what it gets, and how one looks."""
    text = EAGER.get((training_engine.name, kind), {}).get(function, FUNCTIONS[function])
    if text is None:
        pytest.skip("this works where steps run as Python")
    given = {"loss": function} if kind == "loss" else {"metrics": [function]}
    with pytest.raises(ConfigurationError) as error:
        fit(line(**given))
    message = str(error.value)
    assert message.startswith(f"The {kind} {function.__name__!r} {text}") and message.endswith(FORMS[kind])
    if function is not takes_one:
        name = training_engine.name
        assert f"called with arrays of {name}: y_true of shape (20, 1), y_pred of shape (20, 1)." in message
    assert ("failed with" in message) == (error.value.__cause__ is not None)


@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_the_form_that_errors_show_works(kind, training_engine):
    """Fault 40: what the message tells users to write is right."""
    function = eval(f"lambda y_true, y_pred: {FORMS[kind].removeprefix('return ')}", {"ops": ops})
    model = line(function) if kind == "loss" else line(metrics=[function])
    model.set_weights([[[1.0], [0.0]], [0.0]])
    wanted = np.mean((X[:, 0] - Y) ** 2) if kind == "loss" else np.mean(np.abs(X[:, 0] - Y))
    found = model.evaluate(X, Y, verbose=0)
    assert (found if kind == "loss" else found[1]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    "x", ["text", ["a", "b"], np.array([["a", "b"]]), None, object()], ids=["text", "texts", "array", "None", "object"]
)
@pytest.mark.parametrize("what", [lambda: layers.Dense(3), line], ids=["layer", "model"])
def test_a_layer_called_on_no_numbers(what, x, engine):
    """Fault 40: text, None and objects are refused in our words on every engine."""
    with pytest.raises(
        DataError,
        match=r"^(Expected an array of numbers, received .*\. Encode text and dates as numbers first\.|x expected)",
    ):
        what()(x)


# --------------------------------------------------------------------------------------------------- files of callbacks


WRITERS = {
    "ModelCheckpoint": callbacks.ModelCheckpoint,
    "CSVLogger": callbacks.CSVLogger,
    "JSONLogger": callbacks.JSONLogger,
    "TensorBoard": callbacks.TensorBoard,
}


@pytest.mark.parametrize("place", ["onto", "inside a file", "nowhere"])
@pytest.mark.parametrize("name", WRITERS)
def test_where_nothing_can_be_written_is_said_before_training(name, place, tmp_path):
    """Fault 40: files onto folders, into files, into places where no folder can be made."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    onto = tmp_path / ("file" if name == "TensorBoard" else "folder")
    kind = "file" if name == "TensorBoard" else "folder"
    path, why = {
        "onto": (onto, f"there is a {kind} of that name."),
        "inside a file": (tmp_path / "file" / "x" / "y", f"{tmp_path}/file is a file."),
        "nowhere": ("/proc/none/x", "/proc cannot be written to"),
    }[place]
    model = line()
    before = model.get_weights()
    with pytest.raises(ConfigurationError) as error:
        fit(model, callbacks=[WRITERS[name](path)])
    assert str(error.value).startswith(f"{name} cannot write {path}: {why}") and str(error.value).endswith(
        "Choose another place."
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"] and (tmp_path / "file").read_text() == "kept"
    )


@pytest.mark.parametrize("name", WRITERS)
def test_missing_folders_are_still_made(name, tmp_path):
    fit(callbacks=[WRITERS[name](tmp_path / "a" / "b")], epochs=2)
    assert (tmp_path / "a" / "b").exists()


@pytest.mark.parametrize(
    "pattern, text",
    [
        ("{epochs}", "cannot fill {epochs} in the filepath '{epochs}': there is no such value. Did you mean 'epoch'?"),
        (
            "{val_loss:.2f}",
            "cannot fill {val_loss} in the filepath '{val_loss:.2f}': there is no such value. Did you mean 'loss'?",
        ),
        (
            "{epoch:zz}",
            "cannot fill in the filepath '{epoch:zz}': Unknown format code 'z' for object of type 'int'. Write it such as 'run/{epoch:02d}-{val_loss:.2f}'.",
        ),
        (
            "{loss:d}",
            "cannot fill in the filepath '{loss:d}': Unknown format code 'd' for object of type 'float'. Write it such as 'run/{epoch:02d}-{val_loss:.2f}'.",
        ),
    ],
)
def test_a_bad_pattern_is_said_before_training(pattern, text, tmp_path, monkeypatch):
    """Fault 40: format fields of ModelCheckpoint."""
    monkeypatch.chdir(tmp_path)
    model = line()
    before = model.get_weights()
    with pytest.raises(ConfigurationError) as error:
        fit(model, callbacks=[callbacks.ModelCheckpoint(pattern)])
    assert str(error.value) == f"ModelCheckpoint {text}"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not list(tmp_path.iterdir())


def test_a_name_that_a_users_callback_logs_can_stand_in_the_pattern(tmp_path):
    class Logs(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 2.5

    fit(callbacks=[Logs(), callbacks.ModelCheckpoint(tmp_path / "{mine:.1f}")])
    fit(
        callbacks=[
            callbacks.LearningRateScheduler(lambda e: 0.25),
            callbacks.ModelCheckpoint(tmp_path / "{learning_rate}"),
        ]
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.25", "2.5"]


# ------------------------------------------------------------------------------------------------------- generators


def broken(after):
    for _ in range(after):
        yield X[:4], Y[:4]
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    "call, place",
    [
        (lambda: line().fit(broken(5), steps_per_epoch=2, epochs=4, verbose=0), "batch 2 of epoch 3"),
        (lambda: line().fit(broken(5), steps_per_epoch=2, epochs=9, initial_epoch=4, verbose=0), "batch 2 of epoch 7"),
        (lambda: line().fit(broken(0), verbose=0), "batch 1"),
        (lambda: line().evaluate(broken(2), verbose=0), "batch 3"),
        (lambda: fit(validation_data=broken(2)), "batch 3"),
    ],
)
def test_a_generator_that_raises(call, place, training_engine):
    """Fault 40: batch and epoch are named, the cause is kept."""
    with pytest.raises(DataError) as error:
        call()
    assert (
        str(error.value)
        == f"The generator of batches failed at {place} with OSError: the disk is gone. Mend what it does there."
    )
    assert isinstance(error.value.__cause__, OSError)


def test_a_batch_that_does_not_fit_is_placed():
    """Fault 40: the errors of batches say at which one they happened."""
    with pytest.raises(NeuroloomError) as error:
        line().fit(iter([(X[:4], Y[:4]), (X[:4, :1], Y[:4])]), verbose=0)
    assert "received (4, 1)" in str(error.value) and error.value.__notes__ == ["This happened at batch 2 of epoch 1."]


def endless():
    while True:
        yield X[:4], Y[:4]


def test_an_endless_generator_in_evaluate_says_a_word(monkeypatch, capsys):
    """Fault 40: with a clock of its own, which ends the generator a while after the word."""
    clock = itertools.count(0.0, 0.3)
    monkeypatch.setattr(batches.time, "monotonic", lambda: next(clock))
    line().evaluate(itertools.islice(endless(), 9), verbose=1)
    said = capsys.readouterr().out
    text = "4 batches evaluated, and the generator goes on. If it never ends, interrupt and give steps, the number of batches."
    assert said.count("generator goes on") == 1 and said.startswith(text)
    fit(validation_data=itertools.islice(endless(), 9), verbose=2)
    assert "interrupt and give validation_steps, the number" in capsys.readouterr().out


@pytest.mark.parametrize(
    "call",
    [
        lambda: line().evaluate(itertools.islice(endless(), 9), verbose=0),
        lambda: line().evaluate(endless(), steps=9, verbose=1),
        lambda: line().evaluate([(X, Y)].__iter__(), verbose=1),
    ],
    ids=["silent", "limited", "of known length"],
)
def test_no_word_where_none_is_needed(call, monkeypatch, capsys):
    clock = itertools.count(0.0, 0.3)
    monkeypatch.setattr(batches.time, "monotonic", lambda: next(clock))
    call()
    assert "generator goes on" not in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- what works as in Keras 3


def known_line():
    model = line(metrics=["mae"])
    model.set_weights([[[1.0], [0.0]], [0.0]])
    return model


def test_steps_limit_evaluate_and_predict(training_engine):
    """Fault 40: by NumPy; two batches of 4 are 8 rows."""
    wanted = np.mean((X[:8, 0] - Y[:8]) ** 2), np.mean(np.abs(X[:8, 0] - Y[:8]))
    assert known_line().evaluate(X, Y, batch_size=4, steps=2, verbose=0) == pytest.approx(wanted, rel=1e-5)
    pairs = ((X[i : i + 4], Y[i : i + 4]) for i in itertools.cycle(range(0, 20, 4)))
    assert known_line().evaluate(pairs, steps=2, verbose=0) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(known_line().predict(X, batch_size=4, steps=2)[:, 0], X[:8, 0], rtol=1e-6)
    assert known_line().predict(np.zeros((70, 2)), steps=2).shape == (64, 1)
    assert known_line().predict(X, steps=2).shape == (20, 1)


def test_validation_steps_and_batch_size(training_engine):
    """Fault 40: the first batches of the validation data, of their own size, by NumPy."""
    model = known_line()
    model.learning_rate = 0.0
    wanted = np.mean((X[:6, 0] - Y[:6]) ** 2)
    data = {"validation_data": (X, Y), "validation_batch_size": 3, "validation_steps": 2}
    assert fit(model, **data).history["val_loss"] == pytest.approx([wanted], rel=1e-5)
    pairs = ((X[i : i + 3], Y[i : i + 3]) for i in itertools.cycle([0, 3]))
    history = fit(model, epochs=3, validation_data=pairs, validation_steps=2).history
    assert history["val_loss"] == pytest.approx([wanted] * 3, rel=1e-5)


@pytest.mark.parametrize("freq, epochs", [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), ([1, 4], [1, 4])])
def test_validation_freq(freq, epochs):
    """Fault 40: after which epochs there is a value; the History holds NaN in the others."""
    values = np.array(fit(epochs=5, validation_data=(X, Y), validation_freq=freq).history["val_loss"])
    assert (np.flatnonzero(np.isfinite(values)) + 1).tolist() == epochs


def test_callbacks_wait_for_the_next_validation(tmp_path):
    """Fault 40: epochs without validation count neither for nor against."""
    model = line()
    model.learning_rate = 0.0  # val_loss is best in epoch 2 and never better
    early = callbacks.EarlyStopping("val_loss", patience=2)
    saved = callbacks.ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True)
    reduce = callbacks.ReduceLROnPlateau("val_loss", patience=9)
    history = fit(model, epochs=20, validation_data=(X, Y), validation_freq=2, callbacks=[early, saved, reduce])
    assert len(history.history["loss"]) == 6 and [p.name for p in tmp_path.iterdir()] == ["2"] and reduce.wait == 2
    with pytest.raises(ConfigurationError, match="Did you mean 'val_loss'"):
        fit(
            epochs=2,
            validation_data=(X, Y),
            validation_freq=2,
            callbacks=[callbacks.EarlyStopping("val_los", mode="min")],
        )


def test_compile_takes_what_changes_no_result():
    """Fault 40: the same losses with and without Keras's arguments for speed."""

    def trained(**given):
        nl.utils.set_random_seed(1)
        return fit(line(**given), epochs=3).history["loss"]

    assert trained() == trained(run_eagerly=False, steps_per_execution=8, jit_compile=True)
    assert trained() == trained(steps_per_execution="auto", jit_compile=False)


def test_get_layer_by_index():
    model = small()
    assert [model.get_layer(index=i) for i in (0, 1, -1)] == [*model.layers, model.layers[1]]
    assert model.get_layer("dense") is model.get_layer(index=0)


def test_a_sequential_of_none_is_empty():
    """As in Keras, where None is the default."""
    model = nl.Sequential(None)
    model.add(layers.Dense(3, input_shape=(2,)))
    assert model.output_shape == (None, 3)


def test_custom_objects_know_classes_and_functions_while_a_file_is_read(tmp_path):
    """Fault 40: a class under the name that the file has, and a function that was registered elsewhere."""

    class Half(layers.Layer):
        def call(self, w, x, ctx):
            return x / 2

    nl.activations.register("own_cube", lambda x: x * x * x)
    model = nl.Sequential([Half(input_shape=(2,)), layers.Dense(1, activation="own_cube")])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m")
    registry = nl.config.REGISTRIES["layer"]
    del registry["half"], nl.activations._BY_NAME["own_cube"]
    with pytest.raises(NeuroloomError, match=r"Unknown layer 'Half'"):
        nl.load_model(tmp_path / "m")
    loaded = nl.load_model(tmp_path / "m", custom_objects={"Half": Half, "own_cube": lambda x: x * x * x})
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert "half" not in registry and layers.Dense(3, activation="own_cube")


def test_a_model_is_loaded_without_compiling(tmp_path):
    line().save(tmp_path / "m")
    assert nl.load_model(tmp_path / "m").optimizer.learning_rate == 0.01
    with pytest.raises(ConfigurationError, match="Call compile"):
        fit(nl.load_model(tmp_path / "m", compile=False))


# -------------------------------------------------------------------------------------------------- attributes


def test_a_users_subclass_has_attributes_of_its_own():
    """Fault 4: only the library's own classes refuse what they do not know."""

    class Mine(nl.Sequential):
        pass

    model = Mine([layers.Dense(1, input_shape=(2,))])
    model.note = 5
    assert model.note == 5
    ours = line()
    ours.name, ours.stop_training = "a", True
    assert (ours.name, ours.stop_training) == ("a", True)
    with pytest.raises(AttributeError, match="Mine has no attribute 'nots'"):
        _ = model.nots


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_models_can_still_be_copied(copied):
    model = small()
    np.testing.assert_array_equal(copied(model).predict(X), model.predict(X))
    assert not hasattr(model, "__array__") and not hasattr(model, "nothing")


def test_the_rate_of_a_models_optimizer(training_engine):
    """Fault 26: by hand, w <- w - rate * gradient with d/dw (w - 1)^2 = -2 at w = 0."""
    shared = optimizers.SGD(0.5)

    def one():
        model = nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="zeros", input_shape=(1,))])
        model.compile(shared, "mse")
        return model

    a, b = one(), one()
    a.optimizer.learning_rate = 0.125
    assert (a.learning_rate, a.optimizer.learning_rate, b.optimizer.learning_rate, shared.learning_rate) == (
        0.125,
        0.125,
        0.5,
        0.5,
    )
    for model in (a, b):
        model.fit([[1.0]], [[1.0]], verbose=0)
    assert (a.get_weights()[0].item(), b.get_weights()[0].item()) == (0.25, 1.0)
    a.learning_rate = 0.25
    assert a.optimizer.learning_rate == 0.25 and isinstance(a.optimizer, optimizers.SGD)
    b.compile(a.optimizer, "mse")  # takes the rate along, and no more
    a.optimizer.learning_rate = 0.75
    assert (b.learning_rate, a.learning_rate) == (0.25, 0.75)
    assert copy.deepcopy(a.optimizer).get_config() == {"learning_rate": 0.75}


def test_a_rate_is_set_while_training():
    """Fault 26: as programs for Keras do in a callback."""

    class Halve(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = self.model.optimizer.learning_rate / 2
            self.seen = [*getattr(self, "seen", []), self.model.learning_rate]

    halve = Halve()
    fit(small(optimizers.SGD(1.0)), epochs=3, callbacks=[halve])
    assert halve.seen == [0.5, 0.25, 0.125]


# --------------------------------------------------------------------------------------- parameters set after fit


@pytest.mark.parametrize(
    "given",
    [
        {"hidden": (5,)},
        {"hidden": (4, 4)},
        {"hidden": ()},
        {"activation": "relu"},
        {"connections": [(0, 1), (0, 2), (1, 2)]},
        {"algorithm": "adam"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [MultilayerPerceptronClassifier, MultilayerPerceptronRegressor])
def test_parameters_set_after_fit(kind, given):
    """Fault 26: answers are those of the weights that were learned; to go on from them is refused, to fit anew is not."""
    net = kind(hidden=(4,), epochs=3, random_state=0).fit(X, Y)
    answers, matrices = net.predict(X), net.coefs_
    net.set_params(**given)
    np.testing.assert_array_equal(net.predict(X), answers)
    assert [m.shape for m in net.coefs_] == [m.shape for m in matrices] and len(net.intercepts_) == 2
    with pytest.raises(ConfigurationError, match=rf"expected {next(iter(given))}=.*, with which its weights began"):
        net.partial_fit(X, Y)
    net.fit(X, Y)
    assert net.predict(X).shape == Y.shape


def test_a_rule_set_after_storing():
    """Fault 26, the same cause: the pseudo-inverse needs all patterns from the first on."""
    patterns = np.where(np.random.default_rng(0).normal(size=(3, 60)) > 0, 1, -1)
    net = Hopfield(random_state=0).fit(patterns).set_params(rule="pseudo-inverse")
    with pytest.raises(
        ConfigurationError,
        match=r"Hopfield expected the rule with which its first patterns were stored, received 'pseudo-inverse'",
    ):
        net.partial_fit(patterns)
    assert not hasattr(net.fit(patterns).set_params(rule="hebb").fit(patterns), "projection_")
    net.partial_fit(patterns[:1])
    assert net.n_patterns_ == 4
