"""Models as structures: how they are put together, named, shown, and how weights go in and out."""

import copy
import pickle

import numpy as np
import pytest

import neuroloom as nl
from nets import NETS, binary, net, same, small
from neuroloom import layers
from neuroloom.errors import ConfigurationError, ShapeError

WAYS = {
    "input": lambda: nl.Sequential([nl.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)]),
    "input shape": lambda: nl.Sequential([layers.Dense(3, activation="relu", input_shape=(4,)), layers.Dense(2)]),
    "added": lambda: _added(nl.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)),
    "added, input shape": lambda: _added(layers.Dense(3, activation="relu", input_shape=(4,)), layers.Dense(2)),
    "first data": lambda: _called(nl.Sequential([layers.Dense(3, activation="relu"), layers.Dense(2)])),
    "generator": lambda: nl.Sequential(
        layer for layer in [nl.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)]
    ),
    "popped": lambda: _popped(),
    "functional": lambda: _functional(),
    "config": lambda: nl.Sequential.from_config(WAYS["input"]().get_config()),
}


def _added(*parts):
    model = nl.Sequential()
    for part in parts:
        model.add(part)
    return model


def _called(model):
    model.predict(np.zeros((1, 4)))
    return model


def _popped():
    model = WAYS["input"]()
    model.add(layers.Dense(9))
    assert model.pop().units == 9
    return model


def _functional():
    x = nl.Input((4,))
    return nl.Model(x, layers.Dense(2)(layers.Dense(3, activation="relu")(x)))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_builds_the_same_network(way):
    model = WAYS[way]()
    assert (model.input_shape, model.output_shape, model.count_params()) == (
        (None, 4),
        (None, 2),
        4 * 3 + 3 + 3 * 2 + 2,
    )
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense"]
    assert {path: w.shape for path, w in model.weights.items()} == {
        "dense/kernel": (4, 3), "dense/bias": (3,), "dense_1/kernel": (3, 2), "dense_1/bias": (2,),
    }  # fmt: skip
    kernel, bias, kernel_1, bias_1 = (
        np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(model.get_weights())
    )
    model.set_weights([kernel, bias, kernel_1, bias_1])
    x = np.random.default_rng(9).normal(size=(5, 4))
    np.testing.assert_allclose(
        model.predict(x), np.maximum(x @ kernel + bias, 0) @ kernel_1 + bias_1, rtol=1e-4, atol=1e-5
    )


def test_weights_stay_when_layers_are_added_and_removed():
    model = WAYS["input"]()
    before = dict(model.weights.items())
    model.add(layers.Dense(5))
    model.pop()
    assert all(np.array_equal(before[path], w) for path, w in model.weights.items())
    assert model.pop().units == 2 and model.pop().units == 3
    model.pop()
    with pytest.raises(ConfigurationError, match="no layer to remove"):
        model.pop()


def test_the_order_of_weights_survives_training(training_engine):
    """A compiler may sort names: bias before kernel, beta before gamma."""
    model = nl.Sequential([layers.Dense(3, input_shape=(2,)), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("sgd", "mse")
    paths = model.weights.keys()
    x, y = binary(n=8)
    model.fit(x, y, verbose=0)
    assert model.weights.keys() == paths
    assert [w.shape for w in model.get_weights()] == [(2, 3), (3,), (3,), (3,), (3,), (3,), (3, 1), (1,)]
    values = model.predict(x)
    model.set_weights(model.get_weights())
    assert np.array_equal(model.predict(x), values)


# ------------------------------------------------------------------------------------------- shared and nested


def test_a_layer_called_twice_has_one_set_of_weights(training_engine):
    a, b = nl.Input((3,)), nl.Input((3,))
    shared = layers.Dense(2, name="shared")
    model = nl.Model([a, b], layers.Add()([shared(a), shared(b)]))
    assert model.weights.keys() == ["shared/kernel", "shared/bias"] and model.count_params() == 8
    x = [np.eye(3), 2 * np.eye(3)]
    kernel, bias = np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0])
    model.set_weights([kernel, bias])
    np.testing.assert_allclose(model.predict(x), 3 * kernel + 2 * bias)
    model.compile(nl.optimizers.SGD(1.0), "mse")
    p, y = model.predict(x), np.zeros((3, 2))
    model.fit(x, y, verbose=0)
    gradient = 2 * (p - y) / 6  # of the mean over 3 rows and 2 columns
    np.testing.assert_allclose(model.get_weights()[0], kernel - (x[0] + x[1]).T @ gradient, rtol=1e-5)


def test_models_that_share_layers_train_each_other(training_engine):
    """An encoder trained as part of an autoencoder is the same object."""
    x = nl.Input((4,))
    code = layers.Dense(2, activation="tanh", name="code")(x)
    encoder, whole = nl.Model(x, code), nl.Model(x, layers.Dense(4)(code))
    whole.compile("sgd", "mse")
    data = np.random.default_rng(1).normal(size=(6, 4))
    before = encoder.predict(data)
    whole.fit(data, data, verbose=0)
    after = encoder.predict(data)
    assert not np.array_equal(before, after)
    assert np.array_equal(encoder.weights["code/kernel"], whole.weights["code/kernel"])
    part = nl.Model(whole.input, whole.get_layer("code")(whole.input))
    assert np.array_equal(part.predict(data), after)


@pytest.mark.parametrize("known", [True, False])
def test_models_inside_models(known):
    inner = nl.Sequential([layers.Dense(3, input_shape=(4,) if known else None), layers.Dense(2)], name="inner")
    outer = nl.Sequential([inner, layers.Dense(1)])
    x = np.random.default_rng(1).normal(size=(5, 4))
    whole = outer.predict(x)
    assert outer.weights.keys()[:2] == ["inner/dense/kernel", "inner/dense/bias"]
    assert outer.layers[0] is inner
    k, b = outer.weights["dense/kernel"], outer.weights["dense/bias"]
    np.testing.assert_allclose(whole, inner.predict(x) @ k + b, rtol=1e-4, atol=1e-5)


def test_an_unbuilt_model_inside_a_functional_one_takes_the_symbol_s_shape():
    inner = nl.Sequential([layers.Dense(3)])
    x = nl.Input((4,))
    model = nl.Model(x, inner(x))
    assert inner.input_shape == (None, 4) and model.output_shape == (None, 3)


def test_one_model_called_on_two_inputs():
    branch = nl.Sequential([layers.Dense(3, activation="tanh", input_shape=(4,))], name="branch")
    a, b = nl.Input((4,)), nl.Input((4,))
    model = nl.Model([a, b], branch(a) - branch(b))
    x = np.random.default_rng(1).normal(size=(5, 4))
    assert model.count_params() == branch.count_params() == 15
    np.testing.assert_allclose(model.predict([x, x]), np.zeros((5, 3)))
    np.testing.assert_allclose(model.predict([x, 0 * x]), branch.predict(x) - branch.predict(0 * x), atol=1e-6)


def test_operations_in_functional_models():
    x = nl.Input((4,))
    model = nl.Model(x, nl.ops.sum(2 * x[:, 1:] - 1, axis=-1, keepdims=True))
    assert model.output_shape == (None, 1) and model.count_params() == 0
    assert model.predict([[9.0, 1.0, 2.0, 3.0]]).tolist() == [[9.0]]


# --------------------------------------------------------------------------------------------------- accessors


def test_layers_by_name():
    model = net("convolution")
    assert [type(layer).__name__ for layer in model.layers] == ["Conv2D", "MaxPooling2D", "Flatten", "Dense"]
    assert model.get_layer("conv2d").filters == 4
    with pytest.raises(ConfigurationError, match=r"no layer 'conv_2d'. Did you mean 'conv2d'"):
        model.get_layer("conv_2d")


def test_a_model_without_a_shape_says_what_is_missing():
    model = nl.Sequential([layers.Dense(3)])
    for act in (lambda: model.weights, model.summary, model.count_params, lambda: model.output_shape):
        with pytest.raises(ShapeError, match=r"input_shape=.*Input.*or call fit or predict"):
            act()
    assert repr(model) == "<Sequential, input shape unknown>"


WRONG_WEIGHTS = {
    "too few": (lambda ws: ws[:-1], r"has 4 weights, received 3"),
    "too many": (lambda ws: [*ws, ws[0]], r"has 4 weights, received 5"),
    "transposed": (lambda ws: [ws[0].T, *ws[1:]], r"'dense/kernel' expected .* \(2, 3\), received shape \(3, 2\)"),
    "unknown path": (lambda ws: {"dense/kernle": ws[0]}, r"no weight 'dense/kernle'. Did you mean 'dense/kernel'"),
    "missing path": (lambda ws: {"dense/kernel": ws[0]}, r"'dense/bias' expected .* shape \(3,\), received nothing"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_weights_that_do_not_fit_change_nothing(case):
    change, text = WRONG_WEIGHTS[case]
    model = small()
    before = model.get_weights()
    with pytest.raises(ShapeError, match=text):
        model.set_weights(change(model.get_weights()))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_weights_are_copies_both_ways(training_engine):
    x, y = binary(n=8)
    model = small()
    given = [np.ones(w.shape) for w in model.get_weights()]
    model.set_weights(given)
    model.fit(x, y, verbose=0)
    assert all((w == 1).all() for w in given)
    taken = model.get_weights()
    copies = copy.deepcopy(taken)
    model.fit(x, y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(taken, copies, strict=True))
    taken[0][:] = 7.0
    assert not (model.get_weights()[0] == 7.0).any()


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_of_models_are_equal_and_independent(way):
    x, y = binary(n=8)
    model = small()
    model.fit(x, y, verbose=0)
    twin = way(model)
    assert same(model, twin)
    before = model.get_weights()
    twin.fit(x, y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not same(model, twin)


# ---------------------------------------------------------------------------------------------------- as text


def test_the_summary_of_a_chain():
    model = nl.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(8, 6, 2)),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(10, name="digits"),
        ]
    )
    lines = []
    table = model.summary(print_fn=lines.append)
    assert "\n".join(lines) == str(table) == CHAIN.strip("\n")
    assert (table.trainable, table.other) == (4 * 18 + 4 + 8 + 96 * 10 + 10, 8)
    assert repr(table) == "<Summary of Sequential: 5 rows, 1,062 parameters (4.2 kB), 8 of them not trained>"


def test_the_summary_of_several_inputs_names_what_feeds_a_layer():
    a, b = nl.Input((3,), name="left"), nl.Input((2,), name="right")
    joined = layers.Concatenate()([a, b])
    model = nl.Model([a, b], [layers.Dense(1, name="out")(joined), joined * 2.0], name="pair")
    assert str(model.summary(print_fn=lambda _: None)) == PAIR.strip("\n")


CHAIN = """
Sequential
─────────────────────────────────────────────────────────────────────────
Layer                Class               Output shape  Parameters  Memory
─────────────────────────────────────────────────────────────────────────
input                Input               (?, 8, 6, 2)           0     0 B
conv2d               Conv2D              (?, 6, 4, 4)          76   304 B
batch_normalization  BatchNormalization  (?, 6, 4, 4)          16    64 B
flatten              Flatten             (?, 96)                0     0 B
digits               Dense               (?, 10)              970  3.9 kB
─────────────────────────────────────────────────────────────────────────
1,062 parameters (4.2 kB), 8 of them not trained
"""

PAIR = """
pair
───────────────────────────────────────────────────────────────────────
Layer        Class        Output shape  Parameters  Memory  Inputs
───────────────────────────────────────────────────────────────────────
left         Input        (?, 3)                 0     0 B
right        Input        (?, 2)                 0     0 B
concatenate  Concatenate  (?, 5)                 0     0 B  left, right
out          Dense        (?, 1)                 6    24 B  concatenate
multiply     operation    (?, 5)                 0     0 B  concatenate
───────────────────────────────────────────────────────────────────────
6 parameters (24 B)
"""


def test_the_summary_on_a_terminal_holds_the_same_numbers(capsys):
    table = small().summary()
    shown = capsys.readouterr().out
    for row in table.cells:
        assert all(cell in shown for cell in row)
    assert "13 parameters" in shown


def test_reprs():
    assert repr(small()) == "<Sequential (?, 2) -> (?, 1), 13 parameters>"
    a, b = nl.Input((3,)), nl.Input((None, 2))
    model = nl.Model([a, b], {"p": layers.Dense(1)(a), "q": layers.LSTM(2)(b)})
    assert repr(model) == "<Model [(?, 3), (?, ?, 2)] -> {p: (?, 1), q: (?, 2)}, 44 parameters>"
    assert set(nl.layers.__all__) >= {"Dense", "Input"} and "Sequential" in dir(nl)


def test_many_layers_are_connected_once_each(monkeypatch):
    """Adding a layer does not go through all earlier ones again."""
    calls = []
    specs = layers.Dense.specs_for
    monkeypatch.setattr(layers.Dense, "specs_for", lambda self, shape=None: calls.append(1) or specs(self, shape))
    nl.Sequential([layers.Dense(2, input_shape=(2,)), *(layers.Dense(2) for _ in range(30))])
    assert len(calls) < 31 * 5


@pytest.mark.parametrize("kind", NETS)
def test_the_structure_round_trips(kind):
    model = net(kind)
    again = type(model).from_config(model.get_config())
    assert again.network.signature() == model.network.signature()
    assert again.get_config() == model.get_config()
    again.set_weights(model.weights)
    x = np.random.default_rng(1).normal(size=(3, *NETS[kind][0]))
    assert np.array_equal(again.predict(x), model.predict(x))


def test_old_programs_name_losses_metrics_and_rates_as_they_did():
    model = nl.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(3,))])
    model.compile(
        optimizer=nl.optimizers.RMSprop(lr=0.002),
        loss=nl.losses.binary_crossentropy,
        metrics=[nl.metrics.binary_accuracy],
    )
    history = model.fit(np.eye(3), [0, 1, 1], verbose=0)
    assert model.learning_rate == 0.002
    assert list(history.history) == ["loss", "binary_accuracy"]
