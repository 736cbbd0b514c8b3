"""Masks and first states: Keras as the oracle, padded against unpadded, and what is made of misuse."""

import functools
import warnings

import numpy as np
import pytest

import neuroloom as nl
from conftest import TRAINING
from gradients import value_and_gradients
from neuroloom import layers, losses, metrics, tree
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.layers import Layer, run
from tolerances import assert_close

WORDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [6, 7, 8, 2, 1], [3, 0, 4, 1, 0]], "int32")

WEIGHT = np.array([1.0, 2.0, 0.5, 0.0], "float32")


def signals():
    """(4, 5, 3), whose steps are 9 where WORDS is 0."""
    x = np.random.default_rng(1).normal(size=(4, 5, 3)).astype("float32")
    x[WORDS == 0] = 9.0
    return x


def numbers(*shape, seed=2):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# ------------------------------------------------------------------------------------------- Keras as oracle


def _last(L):
    x = L.Input((None,), dtype="int32")
    return x, L.Dense(2)(L.LSTM(4)(L.Embedding(9, 3, mask_zero=True)(x)))


def _each(L):
    x = L.Input((None, 3))
    h = L.SimpleRNN(4, return_sequences=True)(L.Masking(mask_value=9.0)(x))
    return x, L.Dense(2, activation="tanh")(L.Activation("tanh")(L.Dropout(0.0)(h)))


def _classes(L):
    x = L.Input((None,), dtype="int32")
    h = L.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid")(L.Embedding(9, 3, mask_zero=True)(x))
    return x, L.Dense(3, activation="softmax")(h)


def _one_unit(L):
    x = L.Input((None,), dtype="int32")
    h = L.LSTM(3, return_sequences=True)(L.Embedding(9, 3, mask_zero=True)(x))
    return x, L.Dense(1, activation="sigmoid")(h)


def _backwards(L):
    x = L.Input((None, 3))
    y = L.LSTM(4, return_sequences=True, go_backwards=True)(L.Masking(mask_value=9.0)(x))
    return x, L.Dense(2)(y)


def _deep(L):
    x = L.Input((None, 3))
    masking = L.Masking(mask_value=9.0)
    y, h, c = L.LSTM(4, return_sequences=True, return_state=True)(masking(x))
    # Keras forgets y's mask where there is a first state, unless it is given
    given = {} if L is layers else {"mask": masking.compute_mask(x)}
    return x, L.Dense(2)(L.LSTM(4)(y, initial_state=[h, c], **given))


def _normalized(L):
    x = L.Input((None, 3))
    y = L.BatchNormalization(momentum=0.6)(L.Masking(mask_value=9.0)(x))
    return x, L.Dense(2)(L.SimpleRNN(3, return_sequences=True)(y))


def _merged(merge):
    def make(L):
        x = L.Input((5,), dtype="int32")
        a = L.Embedding(9, 3, mask_zero=True)(x)
        b = L.SimpleRNN(3, return_sequences=True, go_backwards=True)(a)
        return x, L.Dense(2)(L.LSTM(3)(merge(L)([a, b])))

    return make


def _half_masked(merge):
    def make(L):
        x = L.Input((5,), dtype="int32")
        return x, L.Dense(2)(L.LSTM(3)(merge(L)([L.Embedding(9, 3, mask_zero=True)(x), L.Embedding(9, 3)(x)])))

    return make


def _nested(L):
    x, y = L.Input((None,), dtype="int32"), L.Input((None, 3))
    inner = {layers: lambda x, y: layers.Network(inputs=x, outputs=y)}.get(L)
    if inner is None:
        import keras

        inner = keras.Model
    top = L.Embedding(9, 3, mask_zero=True)(x)
    return x, L.Dense(2)(L.SimpleRNN(3)(inner(y, L.LSTM(3, return_sequences=True)(y))(top)))


MODELS = {
    "embedding, lstm": (_last, WORDS, numbers(4, 2), "mse"),
    "masking, each step": (_each, signals(), numbers(4, 5, 2), "mse"),
    "classes of each step": (_classes, WORDS, WORDS % 3, "sparse_categorical_crossentropy"),
    "yes or no of each step": (_one_unit, WORDS, (WORDS % 2)[..., None].astype("float32"), "binary_crossentropy"),
    "backwards": (_backwards, signals(), numbers(4, 5, 2), "mae"),
    "first state": (_deep, signals(), numbers(4, 2), "mse"),
    "batch normalization": (_normalized, signals(), numbers(4, 5, 2), "mse"),
    "add": (_merged(lambda L: L.Add()), WORDS, numbers(4, 2), "mse"),
    "multiply": (_merged(lambda L: L.Multiply()), WORDS, numbers(4, 2), "mse"),
    "average": (_merged(lambda L: L.Average()), WORDS, numbers(4, 2), "mse"),
    "concatenate": (_merged(lambda L: L.Concatenate()), WORDS, numbers(4, 2), "mse"),
    "concatenate, in time": (_merged(lambda L: L.Concatenate(axis=1)), WORDS, numbers(4, 2), "mse"),
    "add, one without": (_half_masked(lambda L: L.Add()), WORDS, numbers(4, 2), "mse"),
    "concatenate, one without": (_half_masked(lambda L: L.Concatenate()), WORDS, numbers(4, 2), "mse"),
    "concatenate, in time, one without": (_half_masked(lambda L: L.Concatenate(axis=1)), WORDS, numbers(4, 2), "mse"),
    "a model in a model": (_nested, WORDS, numbers(4, 2), "mse"),
}
sweep = pytest.mark.parametrize("name", MODELS)


def metric_of(loss):
    return {
        "sparse_categorical_crossentropy": "sparse_categorical_accuracy",
        "binary_crossentropy": "binary_accuracy",
    }.get(loss, "mae")


def ours(name):
    """A model that is ready for training, of the weights that `by_keras` starts from."""
    make, *_, loss = MODELS[name]
    model = nl.Model(*make(layers))
    model.set_weights([_weight(path, w.shape, i) for i, (path, w) in enumerate(model.weights.items())])
    model.compile(nl.optimizers.SGD(0.1), loss, metrics=[metric_of(loss)])
    return model


def _weight(path, shape, i):
    values = 0.5 * numbers(*shape, seed=i)
    return np.abs(values) if "variance" in path else values


@functools.cache
def by_keras(name, weighted=False):
    """What Keras's model predicts, the losses of its training, its weights after, and then its loss and metric."""
    import keras

    make, x, y, loss = MODELS[name]
    steps = np.shape(y)[1] == x.shape[1]
    weight = None if not weighted else np.repeat(WEIGHT[:, None], 5, axis=1) if steps else WEIGHT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras itself
        model = keras.Model(*make(keras.layers))
        model.set_weights([_weight(v.path, v.shape, i) for i, v in enumerate(model.weights)])
        before = np.asarray(model(x))
        model.compile(keras.optimizers.SGD(0.1), loss, metrics=[metric_of(loss)])
        found = model.fit(x, y, batch_size=2, epochs=2, shuffle=False, sample_weight=weight, verbose=0)
        weights = model.get_weights()
        return before, found.history["loss"], weights, model.evaluate(x, y, batch_size=4, verbose=0)


@sweep
def test_outputs_are_those_of_keras(name, engine, keras):
    assert_close(np.asarray(ours(name).predict(MODELS[name][1])), by_keras(name)[0], terms=50)


WEIGHTED = ("embedding, lstm", "masking, each step", "classes of each step")


@pytest.mark.parametrize("name, weighted", [*((n, False) for n in MODELS), *((n, True) for n in WEIGHTED)])
def test_training_is_that_of_keras(name, weighted, training_engine, keras):
    """Losses and weights after four steps, and so the gradients of each; then the loss and metric of `evaluate`.

    The metrics that Keras shows while it trains count masked steps, unlike its losses and what it evaluates.
    """
    _, x, y, _ = MODELS[name]
    _, history, weights, evaluated = by_keras(name, weighted)
    model = ours(name)
    weight = WEIGHT if weighted else None
    found = model.fit(x, y, batch_size=2, epochs=2, shuffle=False, sample_weight=weight, verbose=0).history
    assert found["loss"] == pytest.approx(history, rel=2e-5)
    for a, e in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=2e-6)
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(evaluated, rel=2e-5)


# -------------------------------------------------------------------------------------- padded and unpadded


def _padded(x, value, n=3):
    widths = [(0, 0), (0, n), *[(0, 0)] * (x.ndim - 2)]
    return np.pad(x, widths, constant_values=value)


@pytest.mark.parametrize("name", ["embedding, lstm", "masking, each step", "classes of each step", "first state",
                                  "batch normalization", "a model in a model"])  # fmt: skip
def test_padding_changes_neither_outputs_nor_gradients(name, training_engine):
    _, x, y, _ = MODELS[name]
    padded = _padded(x, 9.0 if x.dtype == np.float32 else 0)
    steps = len(y.shape) > 1 and y.shape[1] == x.shape[1]
    short, long = ours(name), ours(name)
    out = np.asarray(long.predict(padded))
    np.testing.assert_allclose(
        out[:, : x.shape[1]] if steps else out, np.asarray(short.predict(x)), rtol=1e-5, atol=1e-6
    )
    a = short.fit(x, y, epochs=1, batch_size=4, verbose=0).history["loss"]
    b = long.fit(padded, _padded(y, 1) if steps else y, epochs=1, batch_size=4, verbose=0).history["loss"]
    assert a == pytest.approx(b, rel=1e-5)
    for one, other in zip(short.get_weights(), long.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


def test_masked_steps_have_no_gradient(training_engine):
    layer = layers.LSTM(3, return_sequences=True)
    x, mask = numbers(2, 4, 3), np.array([[True, False, True, False], [False, True, True, True]])
    layer(layers.Input((4, 3)))
    w = tree.map(training_engine.to_numpy, layer.arrays())
    run_ = lambda w, x: layer.apply(w, x, mask=training_engine.asarray(mask))  # noqa: E731
    _, (_, dx) = value_and_gradients(training_engine, run_, [w, x], np.ones((2, 4, 3), "float32"))
    assert not dx[~mask].any()
    assert dx[mask].any(axis=-1).all()


# -------------------------------------------------------------------------------------------------- by hand


def test_masked_steps_keep_the_state_and_repeat_the_output(engine):
    """h = x + h, so outputs are running sums of what counts; before the first they are the first state."""
    layer = layers.SimpleRNN(1, activation=None, return_sequences=True, return_state=True)
    layer(layers.Input((4, 1)))
    layer.assign({name: engine.asarray(v) for name, v in
                  {"kernel": [[1.0]], "recurrent_kernel": [[1.0]], "bias": [0.0]}.items()})  # fmt: skip
    x, mask = engine.asarray([[[1.0], [2.0], [4.0], [8.0]]]), engine.asarray(np.array([[False, True, False, True]]))
    y, h = layer(x, mask=mask, initial_state=engine.asarray([[0.5]]))
    assert engine.to_numpy(y)[0, :, 0].tolist() == [0.5, 2.5, 2.5, 10.5]
    assert engine.to_numpy(h).tolist() == [[10.5]]


def test_masks_of_layers(engine):
    words = engine.asarray(WORDS)
    mask = layers.Embedding(9, 2, mask_zero=True).compute_mask(words)
    np.testing.assert_array_equal(engine.to_numpy(mask), WORDS != 0)
    assert layers.Embedding(9, 2).compute_mask(words) is None
    x = engine.asarray(signals())
    np.testing.assert_array_equal(engine.to_numpy(layers.Masking(9.0).compute_mask(x)), WORDS != 0)
    assert layers.LSTM(2).compute_mask(x, mask) is None
    assert layers.LSTM(2, return_sequences=True).compute_mask([x, x, x], [mask, None, None]) is mask
    assert layers.LSTM(2, return_sequences=True, return_state=True).compute_mask(x, mask) == [mask, None, None]
    assert layers.SimpleRNN(2, return_state=True).compute_mask(x, mask) == [None, None]


def test_masks_of_merges(engine):
    a, b = engine.asarray(np.array([[True, False, False]])), engine.asarray(np.array([[True, True, False]]))
    x = engine.asarray(np.ones((1, 3, 2), "float32"))

    def show(mask):
        return engine.to_numpy(mask).tolist()

    assert show(layers.Add().compute_mask([x, x], [a, b])) == [[True, True, False]]
    assert layers.Add().compute_mask([x, x], [a, None]) is None
    assert show(layers.Concatenate().compute_mask([x, x], [a, a])) == [[True, False, False]]
    assert show(layers.Concatenate().compute_mask([x, x], [a, None])) == [[True, True, True]]
    assert show(layers.Concatenate(axis=1).compute_mask([x, x], [a, None])) == [[True, False, False, True, True, True]]
    assert layers.Concatenate().compute_mask([x, x], None) is None
    with pytest.raises(ConfigurationError, match="expected a list of 2 masks"):
        layers.Add().compute_mask([x, x], a)


def test_masking_sets_masked_steps_to_zero(engine):
    y = engine.to_numpy(layers.Masking(9.0)(engine.asarray(signals())))
    np.testing.assert_array_equal(y, np.where((WORDS == 0)[..., None], 0, signals()))


def test_a_loss_is_the_mean_over_the_steps_that_count(engine):
    values = engine.asarray(np.array([[1.0, 2.0, 30.0], [4.0, 50.0, 60.0]], "float32"))
    mask = engine.asarray(np.array([[True, True, False], [True, False, False]]))
    assert float(losses.reduce(values, None, mask)) == pytest.approx(7 / 3)
    assert float(losses.reduce(values, [2.0, 0.5], mask)) == pytest.approx(8 / 3)
    assert float(losses.reduce(values, None, mask & ~mask if engine.name != "numpy" else mask & False)) == 0
    with pytest.raises(ShapeError, match=r"mask of shape \(2, 3\).*loss's values of shape \(2,\)"):
        losses.reduce(values[:, 0], None, mask)


def test_a_loss_of_nothing_that_counts_moves_nothing(training_engine):
    model = nl.Sequential([layers.Masking(), layers.SimpleRNN(2, return_sequences=True), layers.Dense(1)])
    x = np.zeros((2, 3, 1), "float32")
    model.compile("sgd", "mse", metrics=["mae"])
    model.build(x.shape)
    before = model.get_weights()
    assert model.fit(x, x + 1, verbose=0).history == {"loss": [0.0], "mae": [0.0]}
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(other, one)


# -------------------------------------------------------------------------------------------------- metrics

SPARSE = (metrics.SparseCategoricalAccuracy(), metrics.SparseTopKCategoricalAccuracy(k=2))
DENSE = (
    metrics.MeanSquaredError(), metrics.RootMeanSquaredError(), metrics.MeanAbsoluteError(), metrics.BinaryAccuracy(),
    metrics.CategoricalAccuracy(), metrics.TopKCategoricalAccuracy(k=2), metrics.Precision(), metrics.Recall(),
    metrics.AUC(), metrics.FunctionMetric(lambda y, p: nl.ops.mean(nl.ops.abs(y - p), axis=-1)),
)  # fmt: skip


@pytest.mark.parametrize("metric", [*SPARSE, *DENSE], ids=lambda m: type(m).__name__)
def test_a_metric_of_masked_steps_is_that_of_the_others_alone(metric, engine):
    mask, rng = WORDS != 0, np.random.default_rng(6)
    p = rng.uniform(size=(4, 5, 3)).astype("float32")
    classes = rng.integers(0, 3, (4, 5)).astype("int32")
    y = classes if metric.sparse else np.eye(3, dtype="float32")[classes]
    batch = metric.batch(engine.asarray(y), engine.asarray(p), engine.asarray(mask))
    found = float(metric.result(metric.add(metric.init(), batch)))
    assert found == pytest.approx(metric(y[mask], p[mask]), rel=1e-6)
    assert found != pytest.approx(metric(y, p), rel=1e-6)


class Largest(metrics.Metric):
    def shapes(self):
        return {"sum": ()}

    def sums(self, y_true, y_pred):
        return {"sum": nl.ops.max(y_pred)}

    def ratio(self, sums):
        return sums["sum"]


def test_a_metric_that_cannot_leave_out_steps_says_so(training_engine):
    model = nl.Sequential([layers.Masking(), layers.SimpleRNN(2, return_sequences=True)])
    x = numbers(2, 3, 2)
    model.compile("sgd", "mse", metrics=[Largest()])
    with pytest.raises(ConfigurationError, match="'largest' cannot leave out the steps"):
        model.fit(x, x, verbose=0)
    model.compile("sgd", "mse", metrics=[lambda y, p: nl.ops.mean(y - p)])
    with pytest.raises(ShapeError, match=r"a mask of shape \(2, 3\), which does not fit what the metric"):
        model.evaluate(x, x, verbose=0)


# ------------------------------------------------------------------------------------- ways to write a model


class Tagger(Layer):
    """As in Keras, with a mask that is handed on by hand."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.embed = layers.Embedding(9, 3, mask_zero=True)
        self.lstm = layers.LSTM(units, return_sequences=True)
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(self.lstm(self.embed(inputs)))


class TaggerModel(nl.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(9, 3, mask_zero=True)
        self.lstm = layers.LSTM(4, return_sequences=True)
        self.dense = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.dense(self.lstm(self.embed(inputs)))


def _written():
    def sequence():
        return [layers.Embedding(9, 3, mask_zero=True), layers.LSTM(4, return_sequences=True), layers.Dense(2)]

    x = layers.Input((None,), "int32")
    y = x
    for layer in sequence():
        y = layer(y)
    inner = layers.Input((None,), "int32")
    return {
        "sequential": nl.Sequential([layers.Input((None,), "int32"), *sequence()]),
        "functional": nl.Model(x, y),
        "layer": nl.Model(inner, Tagger(4)(inner)),
        "model": TaggerModel(),
    }


@pytest.mark.parametrize("name", TRAINING)
def test_all_ways_to_write_a_model_carry_masks(name):
    y, found = numbers(4, 5, 2), {}
    with nl.engine(name):
        for kind, model in _written().items():
            model.predict(WORDS)
            model.set_weights([numbers(*w.shape, seed=i) for i, w in enumerate(model.get_weights())])
            model.compile(nl.optimizers.SGD(0.1), "mse")
            model.fit(WORDS, y, epochs=2, verbose=0)
            found[kind] = [*model.get_weights(), np.asarray(model.predict(WORDS))]
            np.testing.assert_array_equal(found[kind][-1][0, 2], found[kind][-1][0, 4])  # repeated
            found[kind].append(np.float32(model.evaluate(WORDS, y, verbose=0)))
    for kind in found:
        for a, e in zip(found[kind], found["sequential"], strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6, err_msg=kind)


class Doubled(Layer):
    """Its own mask: the steps of x whose first feature is positive."""

    makes_mask = True

    def call(self, w, x, ctx):
        return 2 * x

    def compute_mask(self, inputs, mask=None):
        return inputs[..., 0] > 0


class Heeds(Layer):
    supports_masking = True

    def call(self, inputs, mask=None):
        return inputs if mask is None else inputs * nl.ops.cast(mask, "float32")[..., None]


def test_layers_of_ones_own_make_and_take_masks(engine):
    x = layers.Input((3, 2))
    given = numbers(2, 3, 2)
    out = np.asarray(nl.Model(x, layers.SimpleRNN(2)(Heeds()(Doubled()(x)))).predict(given))
    assert out.shape == (2, 2)
    y = np.asarray(nl.Model(x, Heeds()(Doubled()(x))).predict(given))
    np.testing.assert_allclose(y, 2 * given * (given[..., :1] > 0))


def test_masks_live_between_calls_on_arrays(engine):
    """As in Keras, what a layer returned knows its mask, as long as it lives."""
    embed, rnn = layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2)
    whole = engine.to_numpy(rnn(embed(engine.asarray(WORDS[:2]))))
    part = engine.to_numpy(rnn(embed(engine.asarray(WORDS[:1, :3]))))
    np.testing.assert_allclose(whole[:1], part, rtol=1e-6)
    vectors = embed(engine.asarray(WORDS))
    known = len(run._remembered)
    assert known > 0
    del vectors
    assert len(run._remembered) == known - 1


def test_a_mask_can_be_given(engine):
    rnn, x = layers.SimpleRNN(2, return_sequences=True), engine.asarray(numbers(2, 3, 2))
    mask = np.array([[True, True, False], [True, False, False]])
    y = engine.to_numpy(rnn(x, mask=engine.asarray(mask)))
    np.testing.assert_array_equal(y[0, 1], y[0, 2])
    np.testing.assert_array_equal(y[1, 0], y[1, 2])
    a, m = layers.Input((3, 2)), layers.Input((3,), "bool")
    model = nl.Model([a, m], rnn(a, mask=m))
    np.testing.assert_allclose(np.asarray(model.predict([numbers(2, 3, 2), mask])), y, rtol=1e-6)
    network = layers.Network(inputs=a, outputs=rnn(a))
    np.testing.assert_allclose(engine.to_numpy(network(x, mask=engine.asarray(mask))), y, rtol=1e-6)


def test_a_layer_that_drops_a_mask_says_so_once(engine, monkeypatch):
    monkeypatch.setattr(run, "_dropped", set())
    x = layers.Input((5,), "int32")
    model = nl.Model(x, layers.Flatten()(layers.Embedding(9, 3, mask_zero=True)(x)))
    with pytest.warns(UserWarning, match="Flatten received values with a mask and drops it") as said:
        [model.predict(x) for x in (WORDS, WORDS[:2])]
    assert len(said) == 1


def test_batch_normalization_refuses_a_mask_that_does_not_fit():
    layer = layers.BatchNormalization()
    with pytest.raises(ShapeError, match="a mask of one axis less than x"):
        layer(numbers(2, 3, 4), mask=np.ones((2, 3, 4), bool), training=True)
    with pytest.raises(ShapeError, match=r"BatchNormalization expected a mask of shape \(2, 3\)"):
        layer(numbers(2, 3, 4), mask=np.ones((2,), bool), training=True)


# --------------------------------------------------------------------------------------------- first states


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM"])
def test_a_first_state_continues_where_a_sequence_ended(name, engine):
    layer = getattr(layers, name)(3, return_state=True)
    x = engine.asarray(numbers(2, 6, 4))
    whole, *_ = layer(x)
    _, *states = layer(x[:, :4])
    for rest in (layer(x[:, 4:], initial_state=states), layer([x[:, 4:], *states])):
        np.testing.assert_allclose(engine.to_numpy(rest[0]), engine.to_numpy(whole), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("listed", [False, True], ids=["keyword", "list"])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM"])
def test_first_states_are_recorded_saved_and_loaded(name, listed, engine, tmp_path):
    n = 2 if name == "LSTM" else 1
    x, states = layers.Input((None, 4)), [layers.Input((3,)) for _ in range(n)]
    layer = getattr(layers, name)(3)
    out = layer([x, *states]) if listed else layer(x, initial_state=states)
    model = nl.Model([x, *states], layers.Dense(2)(out))
    given = [numbers(2, 5, 4), *(numbers(2, 3, seed=i) for i in range(n))]
    y = np.asarray(model.predict(given))
    model.save(tmp_path / "model.nl")
    np.testing.assert_array_equal(np.asarray(nl.models.load_model(tmp_path / "model.nl").predict(given)), y)
    other = [given[0], *(s + 1 for s in given[1:])]
    assert np.abs(np.asarray(model.predict(other)) - y).max() > 1e-3


def test_masks_are_saved_and_loaded(tmp_path):
    x = layers.Input((5, 3))
    model = nl.Model(x, layers.LSTM(3)(layers.Masking(mask_value=9.0)(x)))
    model.save(tmp_path / "model.nl")
    loaded = nl.models.load_model(tmp_path / "model.nl")
    np.testing.assert_array_equal(np.asarray(loaded.predict(signals())), np.asarray(model.predict(signals())))
    words = [layers.Input((None,), "int32"), layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2)]
    sequential = nl.Sequential(words)
    y = np.asarray(sequential.predict(WORDS))
    sequential.save(tmp_path / "sequential.nl")
    loaded = nl.models.load_model(tmp_path / "sequential.nl")
    np.testing.assert_array_equal(np.asarray(loaded.predict(WORDS)), y)
    np.testing.assert_allclose(np.asarray(loaded.predict(WORDS[:1, :3])), y[:1], rtol=1e-5)


def test_first_states_that_do_not_fit_are_refused():
    x, h = numbers(2, 5, 4), numbers(2, 3)
    with pytest.raises(ShapeError, match=r"LSTM expected 2 first states \(h, c\).*received 1"):
        layers.LSTM(3)(x, initial_state=[h])
    with pytest.raises(ShapeError, match=r"LSTM expected 2 first states \(h, c\).*received 1"):
        layers.LSTM(3)([x, h])
    with pytest.raises(ShapeError, match=r"first state h of shape \(2, 3\).*received \(2, 4\)"):
        layers.SimpleRNN(3)(x, initial_state=numbers(2, 4))
    with pytest.raises(ConfigurationError, match="in its list of inputs and as initial_state"):
        layers.SimpleRNN(3)([x, h], initial_state=h)


# ------------------------------------------------------------------------------------------- other entry points


def test_masks_in_explicit_graphs(engine):
    import neuroloom.session as nls

    embed, rnn = layers.Embedding(9, 3, mask_zero=True), layers.LSTM(4)
    with nls.Graph().as_default():
        x = nls.placeholder("int32", [None, 5])
        y = rnn(embed(x))
        with nls.Session() as sess:
            sess.run(nls.global_variables_initializer())
            after, before = sess.run(y, {x: np.array([[1, 2, 3, 0, 0], [0, 1, 0, 2, 3]], "int32")})
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert np.abs(after).max() > 1e-3


@pytest.mark.parametrize("engine", ["jax", "torch"])  # NumPy has no bfloat16
def test_low_precision_heeds_masks(engine):
    _, x, y, loss = MODELS["classes of each step"]
    found = {}
    for precision in ("float32", "bfloat16"):
        model = ours("classes of each step")
        model.compile(nl.optimizers.SGD(0.1), loss, precision=precision)
        found[precision] = model.fit(x, y, batch_size=4, verbose=0, engine=engine).history["loss"][0]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=2e-3)


def test_models_that_are_trained_together_heed_masks(training_engine):
    name = "classes of each step"
    _, x, y, _ = MODELS[name]
    alone, together = ours(name), [ours(name), ours(name)]
    history = alone.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history
    for model in nl.fit_many(together, x, y, batch_size=2, epochs=2, shuffle=False, verbose=0):
        assert model.history.history["loss"] == pytest.approx(history["loss"], rel=1e-5)
        for one, other in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
