"""Layers: every property is one test, swept over the catalogue."""

import functools

import numpy as np
import pytest

import neuroloom as nl
from catalogue import CASES, built, pure, random_weights
from conftest import TRAINING
from gradients import check_gradients, cotangents, value_and_gradients
from neuroloom import config, engines, layers, ops, tree
from neuroloom.layers import Context, Layer, Network, Weights
from neuroloom.ops.graph import Node
from tolerances import assert_close

sweep = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def only(condition):
    """The catalogue's rows of which a condition holds."""
    chosen = {name: case for name, case in CASES.items() if condition(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


def test_the_catalogue_lists_every_layer():
    here = {type(case.layer()) for case in CASES.values()}
    public = {getattr(layers, name) for name in layers.__all__}
    missing = {c.__name__ for c in public if isinstance(c, type) and issubclass(c, Layer)} - {c.__name__ for c in here}
    assert missing == {"Layer"}


@functools.cache
def reference(case, dtype="float32", training=False):
    """Outputs of a case on NumPy, for random weights."""
    with nl.engine("numpy"):
        layer = built(case)
        return pure(layer, training)(random_weights(layer, dtype), case.inputs(dtype))


@functools.cache
def trained(case, name, training=False):
    """Outputs and gradients of a case on an engine, for the same weights."""
    with nl.engine(name) as engine:
        layer = built(case)
        w, x = random_weights(layer), case.inputs()
        weights = tree.map(lambda a: a.astype("float32"), cotangents(reference(case)))
        if case.below is None:
            return value_and_gradients(engine, pure(layer, training), [w, x], weights)
        return value_and_gradients(engine, lambda w: pure(layer, training)(w, engine.asarray(x)), [w], weights)


def terms(case):
    """About how many numbers one output sums up."""
    return int(sum(np.size(x) for x in tree.leaves(case.inputs())))


# ---------------------------------------------------------------------------------------------------- shapes


@sweep
def test_the_symbolic_shape_is_the_computed_one(case, engine):
    recorded = tree.leaves(case.layer()(case.symbolic()))
    computed = tree.leaves(trained(case, engine.name)[0] if engine.name in TRAINING else reference(case))
    assert all(node.shape[0] is None for node in recorded)
    assert [node.shape[1:] for node in recorded] == [y.shape[1:] for y in computed]
    assert [node.dtype for node in recorded] == [str(y.dtype) for y in computed]
    assert all(y.shape[0] == case.batch for y in computed)


FREE = [
    (layers.Dense(5), (None, 3), (None, None, 5)),
    (layers.Dense(5), (None, None, 3), (None, None, None, 5)),
    (layers.Activation("relu"), (4, None), (None, 4, None)),
    (layers.Flatten(), (None, 3), (None, None)),
    (layers.Reshape((-1, 2)), (None, 4), (None, None, 2)),
    (layers.Embedding(7, 3), (None,), (None, None, 3)),
    (layers.Conv2D(4, 3), (None, 9, 2), (None, None, 7, 4)),
    (layers.Conv2D(4, (2, 3), strides=2, padding="same"), (9, None, 2), (None, 5, None, 4)),
    (layers.MaxPooling2D(2), (None, None, 3), (None, None, None, 3)),
    (layers.AveragePooling2D(2, padding="same"), (None, 7, 3), (None, None, 4, 3)),
    (layers.GlobalAveragePooling2D(), (None, None, 3), (None, 3)),
    (layers.BatchNormalization(), (None, 3), (None, None, 3)),
    (layers.SimpleRNN(4), (None, 3), (None, 4)),
    (layers.LSTM(4, return_sequences=True), (None, 3), (None, None, 4)),
]


@pytest.mark.parametrize("layer, shape, expected", FREE, ids=lambda v: str(v))
def test_free_axes_stay_free(layer, shape, expected, engine):
    node = layer.clone()(layers.Input(shape, layer.input_dtype))
    assert node.shape == expected


def test_free_axes_of_lists_and_states():
    a, b = layers.Input((None, 3)), layers.Input((None, 3))
    assert layers.Concatenate()([a, b]).shape == (None, None, 6)
    assert layers.Concatenate(axis=1)([a, b]).shape == (None, None, 3)
    whole, h, c = layers.LSTM(5, return_sequences=True, return_state=True)(a)
    assert (whole.shape, h.shape, c.shape) == ((None, None, 5), (None, 5), (None, 5))


# ------------------------------------------------------------------------------------------- Keras as oracle


def keras_outputs(module, case, training=False, x=None):
    """Outputs and moved statistics of Keras's layer for the weights that `random_weights` draws."""
    import jax

    twin, x = case.make(module), case.inputs() if x is None else x
    twin.build([(None, *v.shape[1:]) for v in x] if isinstance(x, list) else (None, *x.shape[1:]))
    weights = random_weights(built(case))

    def start(variables):
        return [weights.get(v.name, v.value) for v in variables]

    assert set(weights) <= {v.name for v in twin.variables}

    @jax.jit
    def run(trained, others, x):
        return twin.stateless_call(trained, others, x, **({"training": True} if training else {}))

    outputs, others = run(start(twin.trainable_variables), start(twin.non_trainable_variables), x)
    moved = {v.name: np.asarray(value) for v, value in zip(twin.non_trainable_variables, others, strict=True)}
    return tree.map(np.asarray, list(outputs) if isinstance(outputs, list | tuple) else outputs), moved


def listed(outputs):
    """Several outputs as a list."""
    return list(outputs) if isinstance(outputs, tuple) else outputs


@only(lambda case: case.keras)
def test_outputs_are_those_of_keras(case, keras):
    expected, _ = keras_outputs(keras.layers, case)
    tree.map(lambda y, k: assert_close(y, k, terms=terms(case)), listed(reference(case)), expected)


@only(lambda case: case.statistics)
def test_training_outputs_and_statistics_are_those_of_keras(case, keras):
    expected, moved = keras_outputs(keras.layers, case, training=True)
    layer = built(case)
    context = Context(training=True)
    with nl.engine("numpy"):
        y = layer.call(Weights(random_weights(layer)), case.inputs(), context)
    assert_close(y, expected, terms=terms(case))
    assert set(context.updates) == {"moving_mean", "moving_variance"}
    for name, value in context.updates.items():
        assert_close(value, moved[name], terms=terms(case))


@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 6, 3)])
def test_running_statistics_after_three_steps_are_those_of_keras(shape, engine, keras):
    batches = [np.random.default_rng(i).normal(i, 1 + i, shape).astype("float32") for i in range(3)]
    twin, layer = keras.layers.BatchNormalization(momentum=0.7), layers.BatchNormalization(momentum=0.7)
    layer(engine.asarray(batches[0]))
    for x in batches:
        twin(x, training=True)
        context = Context(training=True)
        layer.call(Weights(layer.arrays(engine)), engine.asarray(x), context)
        layer.assign({**layer.arrays(engine), **context.updates})
    for name in ("moving_mean", "moving_variance"):
        assert_close(layer.arrays()[name], np.asarray(getattr(twin, name).value), terms=x.size)


def test_frozen_batch_normalization_keeps_its_statistics():
    layer, context = layers.BatchNormalization(trainable=False), Context(training=True)
    x = np.random.default_rng(1).normal(3, 2, (5, 2)).astype("float32")
    y = layer(x)
    np.testing.assert_array_equal(layer.call(Weights(layer.arrays()), engines.load("jax").asarray(x), context), y)
    assert not context.updates


# ----------------------------------------------------------------------------------------- agreement of engines


def compare_engines(case, training=False):
    """Outputs and gradients of each engine against those of NumPy."""
    expected = listed(reference(case, training=training)), trained(case, "numpy", training)[1]
    for name in TRAINING:
        outputs, grads = trained(case, name, training)
        tree.map(lambda a, e: assert_close(a, e, terms=terms(case)), (listed(outputs), grads), expected)


@sweep
def test_engines_agree(case):
    compare_engines(case)


@only(lambda case: case.statistics)
def test_engines_agree_in_training(case):
    compare_engines(case, training=True)


@only(lambda case: not case.statistics and not case.draws)
def test_training_changes_nothing_else(case):
    tree.map(np.testing.assert_array_equal, reference(case, training=True), reference(case))


# ------------------------------------------------------------------------------------------------- gradients


@sweep
def test_gradients_are_central_differences(case, training_engine):
    layer, x = built(case), case.inputs("float64")
    w = random_weights(layer, "float64")
    if case.below is None:
        check_gradients(pure(layer), [w, x], training_engine)
    else:
        check_gradients(lambda w: pure(layer)(w, engines.of(*tree.leaves(w)).asarray(x)), [w], training_engine)


@only(lambda case: case.statistics)
def test_gradients_through_batch_statistics(case, training_engine):
    layer = built(case)
    args = [random_weights(layer, "float64"), case.inputs("float64")]
    check_gradients(pure(layer, training=True), args, training_engine)


def test_gradients_of_a_batch_of_one_are_finite(training_engine):
    layer = layers.BatchNormalization()
    x = np.array([[0.3, -2.0]], np.float32)
    layer(layers.Input((2,)))
    w = random_weights(layer)
    y, (_, dx) = value_and_gradients(training_engine, pure(layer, training=True), [w, x], np.ones((1, 2), "float32"))
    assert_close(y[0], w["beta"])  # x - mean = 0
    np.testing.assert_array_equal(dx, [[0, 0]])


SATURATED = [layers.Dense(2, activation=a) for a in ("sigmoid", "tanh", "softmax", "log_softmax")] + [
    layers.LSTM(2, return_sequences=True),
    layers.SimpleRNN(2),
]


@pytest.mark.parametrize("layer", SATURATED, ids=str)
def test_gradients_at_saturation_are_finite(layer, training_engine):
    shape = (3, 4) if hasattr(layer, "return_state") else (4,)
    x = 200 * np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    layer = layer.clone()
    outputs = layer(layers.Input(shape))
    weights = np.ones((2, *outputs.shape[1:]), "float32")
    y, grads = value_and_gradients(training_engine, pure(layer), [random_weights(layer), x], weights)
    assert all(np.isfinite(a).all() for a in tree.leaves([y, grads]))


# ------------------------------------------------------------------------------------------------- recurrence


def logistic(z):
    return 1 / (1 + np.exp(-z))


def test_one_lstm_step_by_hand(engine):
    """x = 1, W = (0.1, 0.2, 0.3, 0.4), b = (0, 1, -0.5, 0.25): c = σ(0.1) tanh(-0.2), h = σ(0.65) tanh(c)."""
    layer = layers.LSTM(1, return_state=True)
    layer(layers.Input((1, 1)))
    arrays = {
        "kernel": [[0.1, 0.2, 0.3, 0.4]], "recurrent_kernel": [[9.0, 9, 9, 9]], "bias": [0.0, 1, -0.5, 0.25],
    }  # fmt: skip
    layer.assign({name: engine.asarray(values) for name, values in arrays.items()})
    y, h, c = (engine.to_numpy(v) for v in layer(engine.asarray([[[1.0]]])))
    # σ(0.1) = 0.524979187, tanh(-0.2) = -0.197375320; σ(0.65) = 0.657010463, tanh(-0.103617935) = -0.103248635
    assert_close(c, np.array([[-0.103617935]]))
    assert_close(h, np.array([[-0.067835433]]))
    np.testing.assert_array_equal(y, h)


def test_two_lstm_steps_follow_the_equations(engine, rng):
    layer = layers.LSTM(3, return_sequences=True)
    x = rng.normal(size=(2, 2, 4))
    layer(layers.Input((2, 4)))
    w = random_weights(layer, "float64")
    h, c, expected = np.zeros((2, 3)), np.zeros((2, 3)), []
    for t in range(2):
        i, f, z, o = np.split(x[:, t] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4, axis=1)
        c = logistic(f) * c + logistic(i) * np.tanh(z)
        h = logistic(o) * np.tanh(c)
        expected.append(h)
    layer.assign(tree.map(lambda a: engine.asarray(a.astype("float32")), w))
    assert_close(layer(engine.asarray(x.astype("float32"))), np.stack(expected, axis=1), terms=10)


def test_two_simple_rnn_steps_follow_the_equation(engine, rng):
    layer = layers.SimpleRNN(3, activation="sigmoid")
    x = rng.normal(size=(2, 2, 4)).astype("float32")
    layer(layers.Input((2, 4)))
    w = random_weights(layer)
    h = logistic(x[:, 0] @ w["kernel"] + w["bias"])
    h = logistic(x[:, 1] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"])
    layer.assign(tree.map(engine.asarray, w))
    assert_close(layer(engine.asarray(x)), h, terms=10)


OPTIONS = [
    {"return_sequences": s, "return_state": r, "go_backwards": b, "use_bias": u}
    for s in (False, True)
    for r in (False, True)
    for b in (False, True)
    for u in (False, True)
]


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM"])
def test_every_option_of_recurrent_layers_is_as_in_keras(name, keras):
    """go_backwards reads from the end and returns outputs in the order in which they were computed."""
    import jax

    x = np.random.default_rng(2).normal(size=(2, 4, 3)).astype("float32")
    twins = [getattr(keras.layers, name)(2, **options) for options in OPTIONS]
    ours = [getattr(layers, name)(2, **options) for options in OPTIONS]
    weights = []
    for twin, layer in zip(twins, ours, strict=True):
        twin.build(x.shape)
        layer(layers.Input(x.shape[1:]))
        weights.append(random_weights(layer))

    @jax.jit
    def run(values):
        start = [[w[v.name] for v in twin.trainable_variables] for twin, w in zip(twins, values, strict=True)]
        rest = [[v.value for v in twin.non_trainable_variables] for twin in twins]
        calls = zip(twins, start, rest, strict=True)
        return [twin.stateless_call(trained, others, x)[0] for twin, trained, others in calls]

    for layer, w, theirs in zip(ours, weights, run(weights), strict=True):
        y = pure(layer)(w, x)
        tree.map(lambda a, e: assert_close(a, e, terms=20), tree.leaves(y), tree.leaves(theirs))


@pytest.mark.parametrize("cls", [layers.SimpleRNN, layers.LSTM])
def test_recurrent_dropout_uses_one_mask_for_all_steps(cls, engine, rng):
    x = engine.asarray(rng.normal(size=(6, 5, 8)).astype("float32"))
    layer = cls(2, dropout=0.5, return_sequences=True)
    layer(layers.Input((5, 8)))
    w = Weights(tree.map(engine.asarray, random_weights(layer)))
    mask = ops.dropout(ops.ones_like(x[:, :1]), 0.5, Context(True, engine.key(3)).key())  # (6, 1, 8)
    dropped = layer.call(w, x, Context(True, engine.key(3)))
    assert set(np.unique(engine.to_numpy(mask))) == {0.0, 2.0}
    assert_close(dropped, layer.call(w, x * mask, Context()), terms=20)
    assert (engine.to_numpy(dropped) != engine.to_numpy(layer.call(w, x, Context()))).any()


# ---------------------------------------------------------------------------------------------------- dropout


def test_dropout_zeroes_its_share_and_scales_the_rest(engine):
    x = np.full((200, 100), 2.0, np.float32)
    y = engine.to_numpy(layers.Dropout(0.3)(engine.asarray(x), training=True, key=5))
    share = np.mean(y == 0)
    assert abs(share - 0.3) < 5 * np.sqrt(0.3 * 0.7 / x.size)  # five standard deviations
    np.testing.assert_allclose(y[y != 0], 2 / 0.7, rtol=1e-6)
    assert np.unique(np.mean(y == 0, axis=0)).size > 10 and np.unique(np.mean(y == 0, axis=1)).size > 10


def test_dropout_follows_its_key(engine):
    x, layer = engine.asarray(np.ones((9, 8), np.float32)), layers.Dropout(0.5)

    def draw(key):
        return engine.to_numpy(layer(x, training=True, key=key))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()
    np.testing.assert_array_equal(engine.to_numpy(layer(x)), 1)


def test_dropout_passes_gradients_where_it_kept(training_engine):
    x = np.full((6, 7), 3.0, np.float32)
    key = training_engine.key(4)

    def drop(x):
        return layers.Dropout(0.4).call(Weights(), x, Context(True, key))

    y, (dx,) = value_and_gradients(training_engine, drop, [x], np.ones((6, 7), "float32"))
    np.testing.assert_allclose(dx, y / 3, rtol=1e-6)


def test_two_dropouts_draw_different_masks(engine):
    x = engine.asarray(np.ones((8, 9), np.float32))
    context = Context(True, engine.key(1))
    a, b = (layers.Dropout(0.5).call(Weights(), x, context.child(name)) for name in ("one", "two"))
    again = layers.Dropout(0.5).call(Weights(), x, Context(True, engine.key(1)).child("one"))
    a, b, again = map(engine.to_numpy, (a, b, again))
    assert (a != b).any()
    np.testing.assert_array_equal(a, again)


def test_a_second_draw_of_one_layer_differs(engine):
    context = Context(True, engine.key(1))
    x = engine.asarray(np.ones((8, 9), np.float32))
    a, b = (engine.to_numpy(layers.Dropout(0.5).call(Weights(), x, context)) for _ in range(2))
    assert (a != b).any()


# ------------------------------------------------------------------------------------------------ weights


def test_weights_are_drawn_at_first_use_and_kept(engine):
    layer = layers.Dense(3)
    x = engine.asarray(np.ones((2, 4), np.float32))
    first = engine.to_numpy(layer(x))
    np.testing.assert_array_equal(engine.to_numpy(layer(x)), first)
    assert layer.count_params() == 4 * 3 + 3
    assert np.abs(first).max() > 0


def test_a_layer_moves_between_engines():
    layer, x = layers.Dense(3), np.ones((2, 4), np.float32)
    values = []
    for name in ("numpy", "jax", "torch"):
        with nl.engine(name) as engine:
            y = layer(engine.asarray(x))
            assert engines.of(y) is engine
            values.append(engine.to_numpy(y))
    assert_close(values[1], values[0], terms=4)
    assert_close(values[2], values[0], terms=4)


def test_symbolic_and_concrete_calls_share_the_weights():
    layer = layers.Dense(3)
    x = layers.Input((4,))
    network = Network(inputs=x, outputs=layer(x))
    data = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    np.testing.assert_array_equal(layer(data), network(data))


def test_a_layer_of_ones_own_takes_ten_lines(engine, monkeypatch):
    monkeypatch.setitem(config.REGISTRIES, "layer", dict(config.REGISTRIES["layer"]))

    class Scale(Layer):
        factor: config.Real = 1.0

        def build(self, shape):
            return {"kernel": layers.Weight(shape[-1:], "ones")}

        def call(self, w, x, ctx):
            return self.factor * x * w.kernel

    assert config.get("layer", "scale").factor == 1.0
    x = layers.Input((3,))
    node = Scale(2.5)(x)
    assert isinstance(node, Node) and node.shape == (None, 3)
    y = Network(inputs=x, outputs=node)(engine.asarray(np.array([[1.0, 2.0, -4.0]], "float32")))
    assert_close(y, np.array([[2.5, 5.0, -10.0]]))


def test_initial_values_of_special_weights():
    with nl.engine("numpy"):
        lstm, plain, norm = layers.LSTM(2), layers.LSTM(2, unit_forget_bias=False), layers.BatchNormalization()
        for layer in (lstm, plain):
            layer(np.zeros((1, 3, 4), "float32"))
        norm(np.zeros((1, 3), "float32"))
    assert lstm.arrays()["bias"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert plain.arrays()["bias"].tolist() == [0] * 8
    assert {k: v.tolist() for k, v in norm.arrays().items()} == {
        "gamma": [1, 1, 1], "beta": [0, 0, 0], "moving_mean": [0, 0, 0], "moving_variance": [1, 1, 1],
    }  # fmt: skip
    rows = lstm.arrays()["recurrent_kernel"]
    assert_close(rows @ rows.T, np.eye(2), terms=8)
