"""Forked processes, names in logs, trainings inside trainings, files under other formats' names, abstract metrics."""

import os
import subprocess
import sys

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers
from neuroloom.errors import ConfigurationError, ModelFileError

X = np.arange(8, dtype=np.float32)[:, None]

FORK = """
import multiprocessing, os, sys, numpy as np, neuroloom as nl
nl.use(sys.argv[1])
model = nl.Sequential([nl.layers.Dense(1, input_shape=(1,))])
model.compile("sgd", "mse")
x = np.ones((8, 1), np.float32)
model.fit(x, x, verbose=0)
def act(what):
    try:
        getattr(model, what)(*((x, x) if what != "predict" else (x,)), verbose=0)
    except nl.errors.EngineError as error:
        return str(error)
    return "works"
with multiprocessing.get_context("fork").Pool(1) as pool:
    for what in ("fit", "evaluate", "predict"):
        print(pool.apply_async(act, (what,)).get(60))
print(act("predict"))
"""


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_fork_after_training_says_at_once_that_it_cannot_compute(engine):
    """Fault 21: children waited forever; the process itself goes on computing."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, engine],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "NEUROLOOM_CACHE": "0"},
    )
    assert not done.returncode, done.stderr
    *children, itself = done.stdout.splitlines()
    assert len(children) == 3 and all("forked" in line and "'spawn'" in line for line in children)
    assert itself == "works"


class Loss(nl.metrics.MeanSquaredError):
    """A metric whose name in the logs would be "loss"."""


def test_no_metric_takes_the_name_of_the_loss():
    """Fault 19: the history's "loss" was the metric's number."""
    model = nl.Sequential([layers.Dense(1, input_shape=(1,))])
    for metric in (nl.metrics.MeanAbsoluteError(name="loss"), Loss()):
        with pytest.raises(ConfigurationError, match="two numbers named 'loss'"):
            model.compile("sgd", "mse", metrics=[metric])


def test_no_metric_takes_the_name_of_an_outputs_loss():
    """Fault 19: with several outputs there is a loss of each."""
    x = nl.Input((1,))
    model = nl.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    with pytest.raises(ConfigurationError, match="two numbers named 'a_loss'"):
        model.compile("sgd", "mse", metrics=[[nl.metrics.MeanAbsoluteError(name="loss")], []])


@pytest.mark.parametrize("inner", ["fit", "train_on_batch"])
def test_a_training_inside_a_callback_leaves_the_outer_history_alone(training_engine, inner):
    """Fault 19: the outer fit returned the history of the inner one, and its weights were lost on one engine."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,))])
    model.set_weights([[[0.0]]])
    model.compile(nl.optimizers.SGD(0.25), "mse")
    x, one = np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)

    def again(epoch, logs):
        if inner == "fit":
            model.fit(x, one, epochs=1, verbose=0)
        else:
            model.train_on_batch(x, one)

    history = model.fit(x, one, epochs=3, verbose=0, callbacks=[nl.callbacks.LambdaCallback(on_epoch_end=again)])
    assert model.history is history
    # each step halves the error, two steps an epoch: 1, 1/4, 1/16, and their squares are the losses
    np.testing.assert_allclose(history.history["loss"], [1.0, 1 / 16, 1 / 256])
    np.testing.assert_allclose(model.get_weights()[0], [[1 - 1 / 64]])


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "M.H5", "m.pt", "m.npz"])
@pytest.mark.parametrize("what", ["save", "save_weights", "network"])
def test_a_file_is_not_written_under_another_formats_name(tmp_path, name, what):
    """Fault 17: it held safetensors."""
    if what == "network":
        from neuroloom.networks import Perceptron

        save = Perceptron().fit(X, X[:, 0] > 3).save
    else:
        save = getattr(nl.Sequential([layers.Dense(1, input_shape=(1,))]), what)
    with pytest.raises(ModelFileError, match=rf"{name.split('.')[0]}\.safetensors"):
        save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_abstract_metrics_have_no_public_names():
    """Fault 18: they could be made, and failed in fit with NotImplementedError."""
    assert not hasattr(nl.metrics, "Mean") and not hasattr(nl.metrics, "TruePositives")
    with pytest.raises(ConfigurationError, match="base of metrics"):
        nl.metrics.Metric()
    for cls in {c for n, c in vars(nl.metrics).items() if isinstance(c, type) and not n.startswith("_")}:
        if issubclass(cls, nl.metrics.Metric) and cls not in (nl.metrics.Metric, nl.metrics.FunctionMetric):
            assert cls().shapes()


def test_a_loaded_model_says_once_that_its_optimizer_starts_afresh(tmp_path, capsys):
    """Fault 14: nothing said that the running means of Adam are not in the file."""
    model = nl.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile("adam", "mse")
    model.fit(X, X, verbose=2)
    model.save(tmp_path / "m.safetensors")
    assert "optimizer" not in capsys.readouterr().out
    loaded = nl.models.load_model(tmp_path / "m.safetensors")
    loaded.fit(X, X, verbose=2)
    assert "holds no state of the optimizer" in capsys.readouterr().out
    loaded.fit(X, X, verbose=2)
    assert "optimizer" not in capsys.readouterr().out
    again = nl.models.load_model(tmp_path / "m.safetensors")
    again.compile("adam", "mse")
    again.fit(X, X, verbose=2)
    assert "optimizer" not in capsys.readouterr().out
