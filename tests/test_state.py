"""The state of a training as one value: what it holds, that a training goes on exactly, from a file too."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import callbacks, config, layers, ops, optimizers, tree
from neuroloom.errors import ConfigurationError, ModelFileError, ShapeError
from neuroloom.learning.state import TrainState
from neuroloom.models import Learner, Move

RNG = config.generator(11, "state")
X = RNG.normal(size=(70, 5)).astype("float32")
Y = np.abs(X).argmax(axis=1)


class Rivals(Learner):
    """A generator against a critic, which has two moves for each of its own."""

    moves = (Move("critic", times=2), Move("maker"))

    def _fake(self, nets, batch, ctx):
        return nets.maker(ctx.normal((batch.x.shape[0], 3)))

    def critic_loss(self, nets, batch, ctx):
        return ops.mean(ops.softplus(nets.critic(self._fake(nets, batch, ctx)))) + ops.mean(
            ops.softplus(-nets.critic(batch.x))
        )

    def maker_loss(self, nets, batch, ctx):
        return ops.mean(ops.softplus(-nets.critic(self._fake(nets, batch, ctx))))


def classifier(optimizer="adam"):
    """With all that a step may remember: moving statistics, dropout, slots, shuffles."""
    model = nl.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(5,)),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def rivals():
    made = Rivals(
        critic=nl.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(1)]),
        maker=nl.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(5)]),
    )
    made.compile({"critic": optimizers.RMSprop(0.01), "maker": optimizers.Adam(0.01)})
    return made


KINDS = {
    "adam": classifier,
    "momentum": lambda: classifier(optimizers.SGD(0.05, momentum=0.9)),
    "schedule": lambda: classifier(optimizers.Adam(optimizers.schedules.ExponentialDecay(0.05, 5, 0.7))),
    "learner": rivals,
}


def data(kind):
    return (X,) if kind == "learner" else (X, Y)


def trained(kind, engine, epochs=2):
    nl.utils.set_random_seed(4)
    model = KINDS[kind]()
    model.fit(*data(kind), batch_size=16, epochs=epochs, verbose=0, engine=engine)
    return model


def more(model, kind, engine, epochs=2):
    """What two more epochs give: curves, weights, memory."""
    history = model.fit(*data(kind), batch_size=16, epochs=epochs, verbose=0, engine=engine).history
    state = model.state
    return history, {**state.params, **state.frozen, **dict(tree.items(state.slots))}, (state.step, state.epoch)


def assert_same(one, other):
    assert one[0] == other[0]
    assert list(one[1]) == list(other[1])
    for path, array in one[1].items():
        np.testing.assert_array_equal(array, other[1][path], err_msg=path)
    assert one[2] == other[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_training_goes_on_exactly(kind, training_engine, tmp_path):
    """From a file, in a model that has drawn other weights and had another seed."""
    engine = training_engine.name
    model = trained(kind, engine)
    model.save(tmp_path / "m.safetensors", training=True)
    expected = more(model, kind, engine)
    nl.utils.set_random_seed(99)
    loaded = nl.load_model(tmp_path / "m.safetensors")
    assert_same(more(loaded, kind, engine), expected)
    assert expected[2] == (4 * 5, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_set_goes_on_exactly(kind, training_engine):
    engine = training_engine.name
    model = trained(kind, engine)
    before = model.state
    kept = copy.deepcopy(before)
    expected = more(model, kind, engine)
    for path, array in before.params.items():  # what a training gave out, no later one changes
        np.testing.assert_array_equal(array, kept.params[path])
    other = trained(kind, engine, epochs=1)
    other.state = pickle.loads(pickle.dumps(before))
    assert_same(more(other, kind, engine), expected)
    model.state = before  # back in time
    assert_same(more(model, kind, engine), expected)


def test_a_state_crosses_engines():
    """To rounding: what one engine began, another goes on with."""
    curves = []
    for first, second in (("jax", "jax"), ("torch", "jax"), ("numpy", "jax"), ("jax", "torch")):
        model = trained("momentum", first)
        state = model.state
        other = KINDS["momentum"]()
        other.state = state
        other.layers[2].trainable = True
        curves.append(other.evaluate(X, Y, verbose=0, engine=second, return_dict=True)["loss"])
        assert other.state.step == 10
    np.testing.assert_allclose(curves, curves[0], rtol=0.35)  # each drew its own dropout
    np.testing.assert_allclose(curves[3], curves[0], rtol=1e-5)


def test_what_a_state_holds():
    """Adam by hand: one step from w = 2 with the gradient of (2x - 1)² at x = 1, that is 6."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    model.compile(optimizers.Adam(0.1), "mse")
    start = model.state
    assert (start.step, start.epoch, start.slots, start.learning_rate) == (0, 0, None, None)
    model.set_weights([[[2.0]]])
    model.fit([[1.0]], [[-1.0]], verbose=0)
    state = model.state
    assert (state.step, state.epoch) == (1, 1)
    np.testing.assert_allclose(state.params["dense/kernel"], [[1.9]], rtol=1e-6)
    np.testing.assert_allclose(state.slots["momentum"]["dense/kernel"], [[0.6]], rtol=1e-6)
    np.testing.assert_allclose(state.slots["velocity"]["dense/kernel"], [[0.036]], rtol=1e-5)
    model.learning_rate = 0.25
    assert model.state.learning_rate == 0.25
    model.state = start
    assert model.learning_rate == 0.1
    np.testing.assert_array_equal(model.get_weights()[0], [[1.0]])


def test_what_is_frozen_stands_beside_and_is_never_changed(training_engine):
    model = trained("adam", training_engine.name)
    assert list(model.state.frozen) == [f"batch_normalization/moving_{name}" for name in ("mean", "variance")]
    model.layers[0].trainable = False
    state = model.state
    assert "dense/kernel" in state.frozen and "dense/kernel" not in state.params
    model.fit(X, Y, verbose=0, engine=training_engine.name)
    after = model.state
    np.testing.assert_array_equal(after.frozen["dense/kernel"], state.frozen["dense/kernel"])
    assert (after.params["dense_1/kernel"] != state.params["dense_1/kernel"]).all()


class Back(callbacks.Callback):
    """Takes the training back to its start after the second epoch, once."""

    def on_train_begin(self, logs=None):
        self.start = self.model.state

    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            self.model.state = self.start


def test_a_callback_takes_a_training_back(training_engine):
    """Weights, memory, step and shuffle: epochs three and four are as one and two."""
    nl.utils.set_random_seed(4)
    model = classifier()
    curve = model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=[Back()], engine=training_engine.name).history
    assert curve["loss"][2:] == curve["loss"][:2]
    assert curve["loss"][0] != curve["loss"][1]
    assert model.state.step == 10


def test_a_population_goes_on_as_its_members_would():
    def build(seed):
        nl.utils.set_random_seed(seed)
        return classifier(optimizers.SGD(0.05, momentum=0.9))

    alone = [build(seed) for seed in (1, 2)]
    together = [build(seed) for seed in (1, 2)]
    for model, other, epochs in zip(alone, together, (1, 3), strict=True):  # of different ages
        for one in (model, other):
            one.fit(X, Y, epochs=epochs, verbose=0, engine="jax")
    nl.fit_many(together, X, Y, epochs=2, verbose=0, engine="jax")
    for model, other in zip(alone, together, strict=True):
        model.fit(X, Y, epochs=2, verbose=0, engine="jax")
        one, two = model.state, other.state
        assert (one.step, one.epoch) == (two.step, two.epoch)
        for path, array in {**one.params, **one.frozen, **one.slots["momentum"]}.items():
            other_array = {**two.params, **two.frozen, **two.slots["momentum"]}[path]
            np.testing.assert_allclose(other_array, array, rtol=2e-4, atol=2e-5, err_msg=path)


# --------------------------------------------------------------------------------------------------------- misuse


def other_shape():
    model = nl.Sequential([layers.Dense(3, input_shape=(2,))])
    model.compile("adam", "mse")
    return model


def without_slot(state):
    return replace(state, slots={"momentum": state.slots["momentum"]})


def of_shape(state):
    slots = copy.deepcopy(state.slots)
    slots["velocity"]["dense/kernel"] = np.zeros((2, 2))
    return replace(state, slots=slots)


def without_weight(state):
    return replace(state, params={path: a for path, a in state.params.items() if path != "dense/bias"})


WRONG = [
    (lambda state: {"params": {}}, ConfigurationError, "state expected the state of a model, received {'params': {}}."),
    (without_slot, ConfigurationError, "it lacks 'velocity/dense/kernel', which this one remembers."),
    (of_shape, ShapeError, "'velocity/dense/kernel' expected an array of shape (5, 8), received (2, 2)."),
    (without_weight, ShapeError, "The weight 'dense/bias' expected an array of shape (8,), received nothing."),
    (lambda state: trained("momentum", "jax").state, ConfigurationError, "The state is of another optimizer"),
    (lambda state: other_shape().state, ShapeError, "expected an array of shape"),
]  # fmt: skip


@pytest.mark.parametrize("change, kind, text", WRONG, ids=[text[:50] for _, _, text in WRONG])
def test_states_that_do_not_fit_are_refused_and_change_nothing(change, kind, text):
    model = trained("adam", "jax")
    before = model.state
    with pytest.raises(kind) as error:
        model.state = change(before)
    assert text in str(error.value)
    after = model.state
    assert (after.step, after.seed) == (before.step, before.seed)
    for path, array in before.params.items():
        np.testing.assert_array_equal(array, after.params[path])


def test_a_model_of_no_state_says_that_it_starts_afresh(tmp_path, capsys):
    model = trained("adam", "jax")
    said = []
    for training in (False, True):
        model.save(tmp_path / "m.safetensors", training=training)
        nl.load_model(tmp_path / "m.safetensors").fit(X, Y, verbose=2, engine="jax")
        said.append("starts afresh" in capsys.readouterr().out)
    assert said == [True, False]


def test_a_file_with_a_training_gives_its_weights_alone(tmp_path):
    """To a model that is not compiled, and to one of another optimizer."""
    model = trained("adam", "jax")
    model.save(tmp_path / "m.safetensors", training=True)
    other = classifier("sgd")
    other.load_weights(tmp_path / "m.safetensors")
    for found in (other, nl.load_model(tmp_path / "m.safetensors", compile=False)):
        for one, two in zip(model.get_weights(), found.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
        assert found.state.slots is None


NUMBERS = [
    ("step", -1, "step of its training expected a whole number, received -1"),
    ("step", True, "step of its training expected a whole number, received True"),
    ("seed", "a", "seed of its training expected a whole number, received 'a'"),
    ("learning_rate", "fast", "learning_rate of its training expected a number, received 'fast'"),
    ("more", 1, "the state of its training is not what this library writes"),
    ("slots", False, "is not known"),
]


@pytest.mark.parametrize("name, value, text", NUMBERS, ids=[f"{name}={value}" for name, value, _ in NUMBERS])
def test_files_with_impossible_numbers_are_refused(name, value, text, tmp_path):
    model = trained("adam", "jax")
    record = {"model": model.to_json(), "compile": model._compile_json(), "extra": {}}
    state = model.state
    record["training"] = {**state.record(), name: value}
    nl.files.write(tmp_path / "m.safetensors", {**model.weights, **state.arrays()}, record)
    with pytest.raises(ModelFileError) as error:
        nl.load_model(tmp_path / "m.safetensors")
    assert text in str(error.value)


def test_a_state_is_a_value():
    state = TrainState(3)
    with pytest.raises(AttributeError):
        state.step = 4


SETTERS = {
    "assign": lambda model: model.weights[0].assign(np.zeros((5, 8))),
    "layer.set_weights": lambda model: model.layers[0].set_weights([np.zeros((5, 8)), np.zeros(8)]),
    "set_weights": lambda model: model.set_weights([np.zeros_like(w) for w in model.get_weights()]),
    "inner": lambda model: model.layers[0].weights[0].assign(np.zeros((5, 8))),
}


@pytest.mark.parametrize("way", SETTERS)
def test_weights_that_a_callback_sets_are_those_that_learn(way, training_engine):
    """Steps of next to nothing keep what was set; what a training holds would bring the old weights back."""
    model = classifier(optimizers.SGD(1e-30))
    setting = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: SETTERS[way](model) if epoch == 1 else None)
    other = classifier("sgd")
    model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=[setting], engine=training_engine.name)
    assert np.abs(model.get_weights()[0]).max() < 1e-20 < np.abs(other.get_weights()[0]).max()


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_callback_that_sets_the_state_of_a_member_is_heard(engine):
    """Where the members are one program, that is an error, not half of a state; one by one it is as in fit."""
    models = [trained("adam", "jax"), trained("adam", "jax")]
    if engine == "jax":
        with pytest.raises(ConfigurationError, match="A callback set the state of a model that learns together"):
            nl.fit_many(models, X, Y, epochs=4, verbose=0, callbacks=lambda i: [Back()], engine=engine)
    else:
        nl.fit_many(models, X, Y, batch_size=16, epochs=4, verbose=0, callbacks=lambda i: [Back()], engine=engine)
        curve = models[0].history.history["loss"]
        assert curve[2:] == curve[:2]


def test_epochs_of_members_are_counted_also_where_some_stop_early():
    models = [trained("adam", "jax"), trained("adam", "jax")]

    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            self.model.stop_training = epoch == 0

    nl.fit_many(models, X, Y, epochs=3, verbose=0, callbacks=lambda i: [Stop()] if i else [], engine="jax")
    assert [model.state.epoch for model in models] == [2 + 3, 2 + 1]
