"""compile(precision="bfloat16"): layers compute in bfloat16 while they learn, everything else stays float32."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import neuroloom as nl
from catalogue import CASES, built, random_weights
from neuroloom import config, engines, layers, ops, tree
from neuroloom.errors import ConfigurationError, EngineError
from neuroloom.layers import Context
from neuroloom.layers.parts import specs_of


@pytest.fixture(params=["jax", "torch"])
def training_engine(request):
    """The engines that have bfloat16, in use while the test runs."""
    with engines.engine(request.param) as found:
        yield found


CLOSE = 4 / 2**8
"""A few roundings to 8 bits."""


def specs(layer):
    return {path: weight for path, (weight, _) in specs_of(layer).items()}


@pytest.mark.parametrize("name", CASES)
def test_every_layer_stays_in_bfloat16_and_near_float32(name, training_engine):
    """An array that a layer makes itself in float32 would widen everything after it, or be refused by PyTorch."""
    case, engine = CASES[name], training_engine
    layer = built(case)
    weights, x = tree.map(engine.asarray, random_weights(layer)), tree.map(engine.asarray, case.inputs())

    def narrow(a):
        return ops.cast(a, "bfloat16") if "float" in str(a.dtype) else a

    def call(change):
        wanted = specs(layer)
        w = [(path, change(a) if wanted[path].trainable else a) for path, a in tree.items(weights)]
        with engines.engine(engine.name):
            found = layer.apply(tree.from_items(w), tree.map(change, x), ctx=Context(True, engine.key(0)))
        return tree.leaves(found)

    for low, full in zip(call(narrow), call(lambda a: a), strict=True):
        assert "bfloat16" in str(low.dtype)
        low, full = engine.to_numpy(ops.cast(low, "float32")), engine.to_numpy(full)
        assert np.abs(low - full).max() <= CLOSE * max(1.0, np.abs(full).max())


def images(precision, optimizer="adam"):
    with config.seeded(3):
        model = nl.Sequential(
            [
                layers.Conv2D(12, 3, activation="relu", input_shape=(8, 8, 1)),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dropout(0.1),
                layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], precision=precision)
        model.get_weights()  # drawn now
    return model


def digits():
    x, y = load_digits(return_X_y=True)
    return (x[:640].reshape(-1, 8, 8, 1) / 16).astype("float32"), y[:640]


def test_training_goes_as_in_float32_and_weights_keep_their_width(training_engine):
    low, full = (images(precision) for precision in ("bfloat16", "float32"))
    curves = [
        model.fit(*digits(), epochs=4, verbose=0, engine=training_engine.name).history["loss"] for model in (low, full)
    ]
    assert np.allclose(*curves, rtol=0.02) and curves[0] != curves[1]
    assert curves[0][-1] < 0.5 * curves[0][0]
    assert {str(w.dtype).removeprefix("torch.") for w in low.weights.values()} == {"float32"}


def test_small_updates_are_not_lost(training_engine):
    """0.001 is less than half the step from 1 to the next bfloat16; float32 weights take it."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    model.compile(nl.optimizers.SGD(0.001), "mae", precision="bfloat16")
    model.fit(np.ones((8, 1), "float32"), np.zeros((8, 1)), batch_size=1, verbose=0, engine=training_engine.name)
    assert model.get_weights()[0].item() == pytest.approx(0.992, abs=1e-6)


def test_what_is_measured_and_predicted_is_float32(training_engine):
    low, full = (images(precision) for precision in ("bfloat16", "float32"))
    low.set_weights(full.get_weights())
    x, y = digits()
    assert low.evaluate(x, y, verbose=0, engine=training_engine.name) == full.evaluate(
        x, y, verbose=0, engine=training_engine.name
    )
    assert np.array_equal(low.predict(x, engine=training_engine.name), full.predict(x, engine=training_engine.name))


def test_a_saved_model_keeps_its_precision(tmp_path):
    model = nl.Sequential([layers.Dense(10, activation="softmax", input_shape=(64,))])
    model.compile("sgd", "sparse_categorical_crossentropy", precision="bfloat16")
    model.save(tmp_path / "model.nl")
    again, wide = nl.load_model(tmp_path / "model.nl"), nl.load_model(tmp_path / "model.nl")
    wide.compile("sgd", "sparse_categorical_crossentropy")
    x, y = digits()
    losses = [m.fit(x.reshape(-1, 64), y, verbose=0, shuffle=False).history for m in (model, again, wide)]
    assert losses[0] == losses[1] != losses[2]


def test_numpy_has_no_bfloat16():
    model = images("bfloat16")
    before = model.get_weights()
    with pytest.raises(EngineError, match=r"NumPy has no bfloat16\. Use engine='jax' or engine='torch', or precision="):
        model.fit(*digits(), verbose=0, engine="numpy")
    assert all(map(np.array_equal, model.get_weights(), before))


def test_other_precisions_are_refused():
    with pytest.raises(ConfigurationError, match="precision expected 'float32' or 'bfloat16', received 'float16'"):
        images("float16")
