"""The frame: layers in layers, in both styles; models written as classes; freezing; weights known once."""

import numpy as np
import pytest

import neuroloom as nl
from gradients import check_gradients
from neuroloom import initializers, layers, ops, tree
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.layers.parts import parts_of, specs_of
from tolerances import assert_close

rng = np.random.default_rng(0)
X = rng.normal(size=(48, 5)).astype("float32")
Y = (X @ rng.normal(size=(5, 1)) + 0.3).astype("float32")


class Skip(layers.Layer):
    """x + f(x)."""

    inner: layers.Layer

    def call(self, w, x, ctx):
        return x + self.inner(x)


class PerFeature(layers.Layer):
    """One factor per feature, as a Keras program writes it."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer=initializers.Constant(self.start))

    def call(self, inputs, training=None):
        return inputs * self.factor


class Tower(layers.Layer):
    """Layers in a list, a dict, an attribute and a Sequential whose input nobody has said."""

    def __init__(self, width, depth=2, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [layers.Dense(width, activation="tanh") for _ in range(depth)]
        self.ends = {"scale": PerFeature(0.5), "bias": layers.Dense(width, use_bias=True)}
        self.chain = nl.Sequential([layers.Dense(3, activation="relu"), layers.Dense(width)])

    def call(self, x, training=None):
        for block in self.blocks:
            x = block(x)
        return self.chain(x) + self.ends["bias"](self.ends["scale"](x))


class TwoBranch(nl.Model):
    """A model with two branches and a list of blocks."""

    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.left = layers.Dense(width, activation="relu")
        self.right = Tower(width)
        self.blocks = [Skip(layers.Dense(width, activation="tanh")) for _ in range(2)]
        self.out = layers.Dense(1)

    def call(self, inputs, training=None, mask=None):
        x = self.left(inputs) + self.right(inputs, training=training)
        for block in self.blocks:
            x = block(x)
        return self.out(x)


def sequential():
    return nl.Sequential([Skip(layers.Dense(5, activation="tanh")), Skip(PerFeature(0.5)), Tower(4), layers.Dense(1)])


def functional():
    x = nl.Input((5,))
    return nl.Model(x, layers.Dense(1)(Tower(4)(Skip(Skip(layers.Dense(5)))(x))))


MODELS = {"sequential": sequential, "functional": functional, "class": TwoBranch}


def compiled(make, optimizer="sgd"):
    nl.utils.set_random_seed(3)
    model = make()
    model.compile(optimizer, "mse")
    return model


# ------------------------------------------------------------------------------------------- training, engines


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_every_weight_is_trained_and_curves_agree(make):
    curves = []
    for engine in ("jax", "torch", "numpy"):
        model = compiled(make, nl.optimizers.SGD(0.05))
        model.fit(X, Y, epochs=1, verbose=0, engine=engine)
        before = model.get_weights()
        curves.append(model.fit(X, Y, epochs=24, batch_size=24, verbose=0, engine=engine).history["loss"])
        assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
        assert curves[-1][-1] < 0.5 * curves[-1][0]
    for curve in curves[1:]:
        np.testing.assert_allclose(curve, curves[0], rtol=1e-4)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_gradients_through_layers_in_layers(make, training_engine):
    model = compiled(make)
    model.fit(X, Y, verbose=0)
    network = model.network
    w = tree.map(lambda a: training_engine.to_numpy(a).astype("float64"), network.arrays(training_engine))
    check_gradients(lambda w, x: network.apply(w, x), [w, X[:3].astype("float64")], training_engine)


def test_a_chunk_of_a_written_model_is_one_program():
    from neuroloom.learning.loop import compilations

    model = compiled(TwoBranch)
    model.fit(X, Y, epochs=2, verbose=0, engine="jax")
    before = compilations()
    model.fit(X, Y, epochs=5, verbose=0, engine="jax")
    compiled(TwoBranch).fit(X, Y, epochs=2, verbose=0, engine="jax")  # another one of equal structure
    assert compilations() == before


def test_outputs_are_those_of_the_formula():
    model = compiled(lambda: nl.Sequential([Skip(PerFeature(0.25)), Skip(layers.Dense(5, kernel_initializer="ones"))]))
    x = X[:4].astype("float64")
    inner = 1.25 * x
    assert_close(model.predict(X[:4]), inner + inner.sum(axis=1, keepdims=True), terms=20)


# ---------------------------------------------------------------------------------------------------- weights


def test_paths_follow_the_nesting():
    model = compiled(sequential)
    model.build((None, 5))
    assert list(specs_of(model.network)) == [
        "skip/dense/kernel", "skip/dense/bias", "skip_1/per_feature/factor",
        "tower/dense/kernel", "tower/dense/bias", "tower/dense_1/kernel", "tower/dense_1/bias",
        "tower/per_feature/factor", "tower/dense_2/kernel", "tower/dense_2/bias",  # as they stand in the dict
        "tower/network/dense/kernel", "tower/network/dense/bias", "tower/network/dense_1/kernel",
        "tower/network/dense_1/bias", "dense/kernel", "dense/bias",
    ]  # fmt: skip


def test_nested_dicts_of_weights():
    class Gate(layers.Layer):
        """Weights in groups."""

        def build(self, shape):
            return {"gate": {"kernel": layers.Weight((shape[-1], 1))}, "value": layers.Weight((1,), "ones")}

        def call(self, w, x, ctx):
            return ops.sigmoid(x @ w.gate.kernel) * w.value

    model = compiled(lambda: nl.Sequential([Gate()]))
    before = model.fit(X, Y, epochs=1, verbose=0).history["loss"][0]
    assert model.fit(X, Y, epochs=5, verbose=0).history["loss"][-1] < before
    assert model.weights.keys() == ["gate/gate/kernel", "gate/value"]


def test_a_layer_at_two_places_has_one_set_of_weights():
    shared = layers.Dense(5)
    model = compiled(lambda: nl.Sequential([Skip(shared), Skip(shared), layers.Dense(1)]))
    model.build((None, 5))
    assert model.weights.keys() == ["skip/dense/kernel", "skip/dense/bias", "dense/kernel", "dense/bias"]
    assert model.count_params() == 30 + 6
    assert parts_of(model.network).shared


def test_weights_of_a_layer_are_read_and_written():
    layer = Skip(layers.Dense(5))
    layer(X)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (5, 5) and bias.shape == (5,)
    layer.set_weights([np.zeros((5, 5)), np.ones(5)])
    np.testing.assert_array_equal(layer(X), X + 1)
    assert [v.path for v in layer.trainable_variables] == ["dense/kernel", "dense/bias"]
    with pytest.raises(ShapeError, match="Skip has 2 weights, received 1"):
        layer.set_weights([kernel])


def test_keras_lists_weights_in_this_order(keras):
    ours, theirs = layers.BatchNormalization(), keras.layers.BatchNormalization()
    ours(X), theirs(X)
    assert [v.path.split("/")[-1] for v in ours.weights] == [v.name for v in theirs.weights]


# ---------------------------------------------------------------------------------------------------- summary


def test_a_summary_shows_layers_in_layers():
    """Names below those that hold them, shapes from a trace, counts by hand; the totals are the same."""
    model = compiled(functional)
    plain, whole = (model.summary(print_fn=lambda line: None, expand_nested=nested) for nested in (False, True))
    assert [(row.name, row.shape, row.parameters) for row in whole.rows] == [
        ("input", (None, 5), 0),
        ("skip", (None, 5), 30), ("  skip", (None, 5), 30), ("    dense", (None, 5), 5 * 5 + 5),
        ("tower", (None, 4), 99),
        ("  dense", (None, 4), 5 * 4 + 4), ("  dense_1", (None, 4), 4 * 4 + 4), ("  per_feature", (None, 4), 4),
        ("  dense_2", (None, 4), 4 * 4 + 4), ("  network", (None, 4), 31),
        ("    dense", (None, 3), 4 * 3 + 3), ("    dense_1", (None, 4), 3 * 4 + 4),
        ("dense", (None, 1), 5),
    ]  # fmt: skip
    assert plain.rows == [row for row in whole.rows if not row.name.startswith(" ")]
    assert plain.foot == whole.foot == "134 parameters (536 B)"
    assert "  network      Network     (?, 4)" in str(whole)


def test_a_summary_of_a_written_model_shows_its_layers():
    model = compiled(TwoBranch)
    model.build((None, 5))
    plain, whole = (model.summary(print_fn=lambda line: None, expand_nested=nested) for nested in (False, True))
    assert [row.name for row in plain.rows] == ["input", "dense", "tower", "skip", "skip_1", "dense_1"]
    assert [row.name for row in whole.rows if row.name.strip() != row.name][:2] == ["  dense", "  dense_1"]
    assert sum(row.parameters for row in plain.rows) == plain.trainable == 168


def test_a_model_used_twice_is_counted_once():
    a, x = nl.Input((5,)), nl.Input((3, 5))
    inner = nl.Model(a, layers.Dense(5)(a), name="inner")
    over_time = layers.LSTM(2, return_state=True, name="lstm")(x)
    model = nl.Model([x, a], [inner(inner(a)), *over_time])
    rows = model.summary(print_fn=lambda line: None, expand_nested=True).rows
    assert [(row.name, row.parameters) for row in rows if "inner" in row.name or "dense" in row.name] == [
        ("inner", 30), ("  dense", 30), ("inner", 0),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------- freezing


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_what_is_frozen_stays_and_what_is_freed_moves(make, engine):
    model = compiled(make, "adam")
    model.fit(X, Y, verbose=0, engine=engine)
    inner = next(layer for layer in parts_of(model.network).paths if isinstance(layer, Tower))
    paths = [v.path for v in model.network.weights if v.layer in parts_of(inner).paths]
    inner.trainable = False
    before = dict(model.weights.items())
    model.fit(X, Y, verbose=0, engine=engine)
    moved = {path for path, now in model.weights.items() if (now != before[path]).any()}
    assert moved == set(before) - set(paths)
    model.trainable = True
    model.fit(X, Y, verbose=0, engine=engine)
    assert all((now != before[path]).any() for path, now in model.weights.items())


def test_a_frozen_model_has_nothing_to_train():
    model = compiled(sequential)
    model.build((None, 5))
    model.trainable = False
    assert not model.trainable and not model.network.trainable_weights
    assert all(not layer.trainable for layer in parts_of(model.network).paths)


@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
def test_batch_normalization_in_a_frozen_part_uses_its_moving_statistics(engine):
    base = nl.Sequential([layers.Dense(4, input_shape=(5,)), layers.BatchNormalization()])
    model = compiled(lambda: nl.Sequential([base, layers.Dense(1)]))
    base.trainable = False
    before = base.get_weights()
    model.fit(X, Y, epochs=3, verbose=0, engine=engine)
    for a, b in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(base(X, training=True), base(X))


def test_training_on_symbolic_values_means_what_it_says():
    x = nl.Input((5,))
    drop, norm = layers.Dropout(0.5), layers.BatchNormalization()
    always = nl.Model(x, drop(x, training=True))
    inference = nl.Model(x, norm(x, training=False))
    inference.compile("sgd", "mse")
    before = norm.get_weights()
    inference.fit(X, X, verbose=0)
    np.testing.assert_array_equal(before[2], norm.get_weights()[2])  # the moving mean stays
    assert (always(X, key=1) == 0).any()
    with pytest.raises(ConfigurationError, match="needs random numbers"):
        always(X)


# ----------------------------------------------------------------------------------------------- files, copies


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_saved_and_loaded(make, tmp_path):
    model = compiled(make)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = nl.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    again.fit(X, Y, epochs=2, verbose=0)
    model.compile("sgd", "mse")


def test_loading_a_class_that_is_not_known_says_so(tmp_path):
    class Passing(nl.Model):
        """A model whose class is forgotten."""

        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = compiled(Passing)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    from neuroloom.models import structure

    del structure.CLASSES["Passing"]
    with pytest.raises(nl.errors.ModelFileError, match=r"class 'Passing' of the model is not known here\. Import or"):
        nl.models.load_model(tmp_path / "m.safetensors")


# ----------------------------------------------------------------------------------------------------- misuse


class MakesInside(layers.Layer):
    def call(self, w, x, ctx):
        return layers.Dense(5)(x)


class WeightsInside(layers.Layer):
    def __init__(self):
        super().__init__()

    def call(self, x):
        return x * self.add_weight((5,))


class KeepsTracer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(5)

    def call(self, x):
        self.last = self.inner(x)
        return self.last


class NeverCalls(layers.Layer):
    inner: layers.Layer

    def call(self, w, x, ctx):
        return x * 2


class AddsVector(layers.Layer):
    def __init__(self):
        super().__init__()

    def call(self, x):
        self.add_loss(x)
        return x


class Forgets(layers.Layer):
    def __init__(self):
        self.units = 3

    def call(self, x):
        return x


def frozen_by_text():
    layers.Dense(1).trainable = "no"


def field_set():
    layers.Dense(1).units = 3


def field_misspelt():
    layers.Dense(1).trainabel = False


WRONG = {
    "a layer made in call": (
        lambda: compiled(lambda: nl.Sequential([MakesInside()])).fit(X, X, verbose=0),
        "is not one of its layers, so its weights would never be trained",
    ),
    "a weight made in call": (lambda: WeightsInside()(X), "makes a weight while it computes"),
    "an array kept on self": (
        lambda: compiled(lambda: nl.Sequential([KeepsTracer()])).fit(X, X, verbose=0),
        "keeps an array as self.last while it computes",
    ),
    "a loss that is no scalar": (lambda: AddsVector()(X), r"expected a scalar, received an array of shape \(48, 5\)"),
    "no super().__init__": (lambda: Forgets()(X), r"Forgets.__init__ must call super\(\).__init__"),
    "trainable is text": (frozen_by_text, "expected trainable to be True or False, received 'no'"),
    "a field is set": (field_set, r"units cannot be set. Make another: Dense\(..., units=3\)"),
    "a misspelt attribute": (field_misspelt, "'trainabel' that could be set. Did you mean 'trainable'"),
    "an unknown argument of a call": (lambda: layers.Dense(1)(X, trainin=True), "'trainin'. Did you mean 'training'"),
    "two inputs": (lambda: layers.Dense(1)(X, X), r"Dense expected one x, received 2. Give several inputs as a list"),
    "no input": (lambda: layers.Dense(1)(), "Dense was called without inputs"),
    "add_loss outside": (lambda: layers.Dense(1).add_loss(1.0), "add_loss counts inside call"),
}


@pytest.mark.parametrize("wrong, words", WRONG.values(), ids=WRONG)
def test_wrong_use_says_what_to_do(wrong, words):
    with pytest.raises(ConfigurationError, match=words):
        wrong()


def test_a_layer_that_is_never_called_is_named():
    with pytest.warns(UserWarning, match="NeverCalls holds the layer 'dense' and never calls it"):
        NeverCalls(layers.Dense(3))(X)


def test_a_run_that_is_over_gives_nothing():
    kept = []

    class Keeping(layers.Layer):
        def call(self, w, x, ctx):
            kept.append(ctx)
            return x

    Keeping()(X)
    with pytest.raises(ConfigurationError, match="a computation that is over"):
        kept[0].key()
