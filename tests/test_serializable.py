"""Classes of a user's own in files: registered ones are saved and loaded, others are named, and nothing is imported."""

import subprocess
import sys

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, losses, ops
from neuroloom.config import REGISTRIES
from neuroloom.errors import ConfigurationError, ModelFileError
from neuroloom.models.structure import CLASSES

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def scale(package, factor):
    """Two programs' classes of one name."""

    @nl.utils.register_keras_serializable(package=package)
    class Scale(layers.Layer):
        def __init__(self, more=0.0, **kwargs):
            super().__init__(**kwargs)
            self.more = more

        def call(self, x, training=None):
            return factor * x + self.more

    Scale.__qualname__ = f"{package}.Scale"
    return Scale


@nl.utils.register_serializable
class Doubled(nl.Model):
    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(units)

    def call(self, x, training=None):
        return 2 * self.inner(x)


@nl.saving.register_serializable(package="tests", name="Cubic")
class MeanCube(losses.Loss):
    def values(self, y, z):
        return ops.mean(ops.abs(y - z) ** 3, axis=-1)


def test_two_classes_of_one_name_are_saved_and_loaded(tmp_path):
    one, other = scale("one", 2.0), scale("other", 3.0)
    model = nl.Sequential([layers.Dense(3, input_shape=(3,)), one(more=1.0), other()])
    model.save(tmp_path / "m.nl")
    again = nl.load_model(tmp_path / "m.nl")
    assert [type(layer) for layer in again.layers] == [layers.Dense, one, other]
    np.testing.assert_allclose(again.predict(X), 3 * (2 * model.layers[0](X) + 1), rtol=1e-5)
    assert nl.saving.get_registered_name(one) == "one>Scale"


def test_models_and_losses_are_saved_under_their_names(tmp_path):
    model = Doubled(3)
    model.compile("sgd", MeanCube())
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "m.nl")
    assert b"Custom>Doubled" in (tmp_path / "m.nl").read_bytes()
    assert b"tests>Cubic" in (tmp_path / "m.nl").read_bytes()
    again = nl.load_model(tmp_path / "m.nl")
    assert type(again) is Doubled
    assert again.evaluate(X, X, verbose=0) == pytest.approx(model.evaluate(X, X, verbose=0))


def test_what_is_not_registered_is_named(tmp_path):
    made = scale("gone", 2.0)
    model = nl.Sequential([layers.Dense(3, input_shape=(3,)), made()])
    model.save(tmp_path / "layer.nl")
    other = Doubled(1)
    other.predict(X)
    other.save(tmp_path / "model.nl")
    del REGISTRIES["layer"]["gone>scale"]
    known = CLASSES.pop("Custom>Doubled")
    try:
        with pytest.raises(ModelFileError, match=r"Unknown layer 'gone>Scale'.*reading never imports it"):
            nl.load_model(tmp_path / "layer.nl")
        with pytest.raises(ModelFileError, match=r"class 'Custom>Doubled' of the model is not known here"):
            nl.load_model(tmp_path / "model.nl")
    finally:
        CLASSES["Custom>Doubled"] = known


def test_a_file_imports_nothing(tmp_path):
    """In another process, where a module of the file's name can be imported and leaves a trace if it is."""
    (tmp_path / "evil.py").write_text("print('imported')\n")
    made = scale("evil", 2.0)
    model = nl.Sequential([layers.Dense(3, input_shape=(3,)), made()])
    model.save(tmp_path / "m.nl")
    code = "import neuroloom as nl\ntry: nl.load_model('m.nl')\nexcept nl.errors.ModelFileError as e: print(e.reason)"
    env = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "PATH": "/usr/bin"}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
    )
    assert "Unknown layer 'evil>Scale'" in said.stdout and "imported\n" not in said.stdout.replace("is imported", "")


def test_a_name_that_is_taken_is_refused():
    first = scale("taken", 1.0)

    class Other(layers.Layer):
        pass

    with pytest.raises(ConfigurationError, match=r"The name 'taken>scale' belongs to .*taken.Scale already"):
        nl.utils.register_serializable(package="taken", name="Scale")(Other)
    assert nl.utils.register_serializable(package="taken")(first) is first


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: nl.utils.register_serializable(package="a")(print), "expected a subclass of Layer, Model"),
        (lambda: nl.utils.register_serializable(int), "expected a subclass of Layer, Model"),
        (lambda: nl.utils.register_serializable(package="a>b")(Doubled), "package to be a text without '>'"),
        (lambda: nl.utils.register_serializable(package="a", name=3)(Doubled), "name to be a text without '>'"),
        (lambda: nl.utils.register_serializable(pakage="a"), "Did you mean 'package'"),
    ],
)
def test_misuse(call, text):
    with pytest.raises(ConfigurationError, match=text):
        call()
