"""Many networks at once: each ends up as it would have alone, whatever distinguishes them."""

import copy
import gc
import os
import re
import time
import tracemalloc

import numpy as np
import pytest

import neuroloom as nl
from nets import NETS, binary, data, net, same, small
from neuroloom import config, plots
from neuroloom.errors import ConfigurationError, DataError, NonFiniteError
from neuroloom.layers.parts import specs_of
from neuroloom.learning import History, compilations, loop
from neuroloom.plots import style
from neuroloom.populations import Population, lifting, together
from neuroloom.populations.members import cell, text_table
from neuroloom.populations.steps import IndexFeed

L = nl.layers
X, Y = binary(96)  # whole batches of 16
MANY = binary(103)
FOLDS = np.array_split(np.random.default_rng(1).permutation(103), 3)  # 35, 34 and 34 rows
TRAIN = [np.setdiff1d(np.arange(103), fold) for fold in FOLDS]


def varied(learning_rate=0.01, dropout=0.2, l2=0.01, l1=0.0):
    """A compiled network with a number of each kind that members may differ in."""
    penalty = nl.regularizers.L1L2(l1, l2)
    layers = [
        L.Dense(5, activation="tanh", input_shape=(2,), kernel_regularizer=penalty),
        L.Dropout(dropout),
        L.Dense(1, activation="sigmoid"),
    ]
    model = nl.Sequential(layers)
    model.compile(nl.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=["accuracy"])
    return model


RATES = [0.01, 0.1, 0.003]
NUMBERS = [(0.01, 0.2, 0.01, 0.0), (0.1, 0.0, 0.1, 0.01), (0.003, 0.5, 0.0, 0.003)]


def both(build, together, alone, n=3):
    """Models trained together, and the same models trained one after another."""
    nl.utils.set_random_seed(5)
    population = together([build(i) for i in range(n)])
    nl.utils.set_random_seed(5)
    models = [build(i) for i in range(n)]
    for i, model in enumerate(models):
        alone(i, model)
    return population, models


def assert_equal(population, models):
    """Weights, histories, optimizer states and step counts, up to rounding."""
    assert len(population) == len(models)
    for one, other in zip(population, models, strict=True):
        for path, weights in other.weights.items():
            np.testing.assert_allclose(one.weights[path], weights, rtol=1e-5, atol=2e-6, err_msg=path)
        assert one.history.epoch == other.history.epoch
        assert list(one.history.history) == list(other.history.history)
        for name, values in other.history.history.items():
            np.testing.assert_allclose(one.history.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
        assert one._state.step == other._state.step and one._state.epoch == other._state.epoch


def check(build, n=3, x=X, y=Y, **options):
    """`fit_many` and `fit` with the same options end up the same."""
    options = {"epochs": 3, "batch_size": 16, "verbose": 0, **options}
    population, models = both(
        build,
        lambda models: nl.fit_many(models, x, y, **copy.deepcopy(options)),
        lambda i, model: model.fit(x, y, **copy.deepcopy(options)),
        n,
    )
    assert_equal(population, models)
    return population, models


# --------------------------------------------------------------------------------------------- equal to each alone


def test_one_step_worked_by_hand():
    """ŷ = w x, L = (ŷ - 2)², x = 1: dL/dw = 2 (w - 2). From w = 1 and w = 3 with rates 0.1 and 0.25: 1.2 and 2.5."""

    def build(start, rate):
        model = nl.Sequential([L.Dense(1, use_bias=False, kernel_initializer=start, input_shape=(1,))])
        model.compile(nl.optimizers.SGD(rate), "mse")
        return model

    three = nl.initializers.Constant(3.0)
    population = nl.fit_many([build("ones", 0.1), build(three, 0.25)], [[1.0]], [[2.0]], verbose=0)
    assert [m.get_weights()[0].item() for m in population] == pytest.approx([1.2, 2.5])
    assert [m.history.history["loss"] for m in population] == [[1.0], [1.0]]


@pytest.mark.parametrize("kind", NETS)
def test_each_kind_of_network(kind):
    x, y = data(kind)
    check(lambda i: net(kind), x=x, y=y, epochs=2)


def test_rates_penalties_dropouts_weights_and_validation(training_engine):
    weight = np.random.default_rng(2).uniform(0.1, 2, 96)
    check(
        lambda i: varied(*NUMBERS[i]),
        validation_data=(X[:32], Y[:32], weight[:32]),
        class_weight={0: 1.0, 1: 2.5},
        sample_weight=weight,
    )


def test_without_shuffling_and_with_a_split():
    check(lambda i: varied(RATES[i]), shuffle=False, validation_split=0.5)


def test_state_of_layers_several_inputs_and_outputs():
    def build(i):
        a, b = nl.Input((2,)), nl.Input((3,))
        hidden = L.BatchNormalization()(L.Concatenate()([L.Dense(4, activation="relu")(a), b]))
        outputs = [L.Dense(1, activation="sigmoid", name="yes")(hidden), L.Dense(2, name="much")(hidden)]
        model = nl.Model([a, b], outputs)
        model.compile("rmsprop", ["binary_crossentropy", "mse"], loss_weights=[1.0, 0.5], metrics=[["auc"], ["mae"]])
        return model

    more = np.random.default_rng(0).normal(size=(96, 5)).astype("float32")
    check(build, x=[X, more[:, :3]], y=[Y, more[:, 3:]], validation_split=0.5)


def test_schedules_and_callbacks_that_set_the_rate():
    schedule = nl.optimizers.schedules.ExponentialDecay(0.05, 5, 0.5)
    check(lambda i: small(nl.optimizers.SGD(schedule, momentum=0.9)))
    falling = [nl.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)]
    population, _ = check(lambda i: varied(RATES[i]), callbacks=falling)
    assert [m.learning_rate for m in population] == pytest.approx([rate / 8 for rate in RATES])


def test_folds_of_unequal_size_with_early_stopping(training_engine):
    """80 per cent of the demands in one: rows per member, smaller last batches of two sizes, restored weights."""
    stop = nl.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    given = {"epochs": 12, "batch_size": 11, "verbose": 0, "class_weight": {0: 1.0, 1: 2.0}}
    population, models = both(
        lambda i: varied(RATES[i]),
        lambda models: nl.fit_many(models, *MANY, rows=TRAIN, validation_rows=FOLDS, callbacks=[stop], **given),
        lambda i, model: model.fit(
            MANY[0][TRAIN[i]],
            MANY[1][TRAIN[i]],
            validation_data=(MANY[0][FOLDS[i]], MANY[1][FOLDS[i]]),
            callbacks=[copy.deepcopy(stop)],
            **given,
        ),
    )
    assert_equal(population, models)
    lengths = [len(m.history.epoch) for m in population]
    assert len(set(lengths)) > 1 and min(lengths) < 12  # else nothing was stopped


def test_members_of_very_different_sizes():
    rows = [np.arange(7), np.arange(103), None, np.arange(40, 72)]
    population, models = both(
        lambda i: small("adam"),
        lambda models: nl.fit_many(models, *MANY, rows=rows, epochs=2, batch_size=32, verbose=0),
        lambda i, m: m.fit(MANY[0][_all(rows[i])], MANY[1][_all(rows[i])], epochs=2, batch_size=32, verbose=0),
        4,
    )
    assert_equal(population, models)
    assert [m._state.step for m in population] == [2, 8, 8, 2]


def _all(rows):
    return slice(None) if rows is None else rows


def test_rows_as_a_mask_and_repeated_rows():
    mask = Y == 1
    twice = np.repeat(np.arange(20), 2)
    population = nl.fit_many([small(), small()], X, Y, rows=[mask, twice], verbose=0, batch_size=10)
    assert [m._state.step for m in population] == [-(-int(mask.sum()) // 10), 4]


def test_training_goes_on_where_it_ended():
    """Optimizer states, step counts and the numbers of epochs, which name the shuffles, are each model's own."""

    def together(models):
        models[1].fit(X, Y, epochs=2, verbose=0, batch_size=16)
        nl.fit_many(models, X, Y, epochs=2, verbose=0, batch_size=16)
        return nl.fit_many(models, X, Y, epochs=1, verbose=0, batch_size=16)

    def alone(i, model):
        for epochs in ([2] if i == 1 else []) + [2, 1]:
            model.fit(X, Y, epochs=epochs, verbose=0, batch_size=16)

    population, models = both(lambda i: varied(RATES[i]), together, alone)
    assert_equal(population, models)
    for one, other in zip(population, models, strict=True):
        one.fit(X, Y, verbose=0)
        other.fit(X, Y, verbose=0)
    assert_equal(population, models)


@pytest.mark.parametrize("cores, parts", [(1, [7]), (3, [3, 2, 2]), (64, [3, 2, 2])])
def test_the_number_of_cores_changes_nothing(cores, parts, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(together, "WORTH_SHARING", 0)
    dealt = []

    class Seen(together.Shard):
        def __init__(self, engine, models, *args):
            super().__init__(engine, models, *args)
            dealt.append(len(models))

    monkeypatch.setattr(together, "Shard", Seen)
    check(lambda i: varied(RATES[i % 3]), n=7, epochs=2)
    assert dealt == parts
    monkeypatch.setattr(together, "WORTH_SHARING", 1e9)  # too little work for more than one core
    check(lambda i: varied(RATES[i % 3]), n=7, epochs=2)
    assert dealt[len(parts) :] == [7]


@pytest.mark.parametrize("kind, members, rows, parts", [
    ("dense", 64, 64 * 16, 1),  # 64 · 1,024 · 24 is 1.6 million multiplications
    ("dense", 64, 10_416, 1),  # 15,998,976
    ("dense", 64, 10_417, 2),
    ("dense", 3, 222_223, 1),  # members for one core only
    ("recurrent", 64, 1, 2),
])  # fmt: skip
def test_cores_share_what_is_worth_it(kind, members, rows, parts, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    given = {"dense": [L.Dense(8, input_shape=(2,))], "recurrent": [L.SimpleRNN(2, input_shape=(3, 2))]}[kind]
    models = members * [nl.Sequential([*given, L.Dense(1)])]
    terms = together.Terms(nl.engines.load("jax"), 16, 1, True, 0)
    half = together.Data({"x": np.zeros((2 * rows, 2))}, members * [np.arange(rows)])
    whole = together.Data({"x": np.zeros((rows, 2))}, members * [None])
    assert together._shards(terms, models, half) == together._shards(terms, models, whole) == parts


class Falling(nl.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.learning_rate = 0.1 / (1 + epoch)


class Halved(nl.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([w / 2 for w in self.model.get_weights()])


class AtTheFourth(nl.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 3


CHANGES = {"rate": [Falling()], "weights": [Halved()], "stop": [nl.callbacks.EarlyStopping("loss", min_delta=9)]}


@pytest.mark.parametrize("sharing", [0, 1e9], ids=["shards", "one program"])
@pytest.mark.parametrize("what", ["nothing", *CHANGES, "one member stops", "validation", "in order", "not finite"])
def test_starting_early_changes_no_number(monkeypatch, what, sharing):
    """Epochs are started before those before them are looked at, or not: the same weights and histories."""

    def build(i):
        model = nl.Sequential([L.Dense(3, activation="tanh", input_shape=(2,)), L.Dense(1)])
        model.compile(nl.optimizers.SGD(1e30 if what == "not finite" and i == 1 else 0.05, momentum=0.9), "mse")
        return model

    monkeypatch.setattr(together, "WORTH_SHARING", sharing)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    given = {"validation_data": (MANY[0][:32], MANY[1][:32])} if what == "validation" else {}
    third = lambda i: [AtTheFourth()] if i == 2 else []  # noqa: E731
    given |= {"callbacks": third if what == "one member stops" else CHANGES.get(what, [])}
    given |= {"rows": TRAIN + [TRAIN[0]], "shuffle": what != "in order", "batch_size": 16, "verbose": 0}
    nl.fit_many([build(i) for i in range(4)], *MANY, epochs=2, **given)  # from here on the time of a step is known
    results = []
    for most in (0.0, 1e9):
        monkeypatch.setattr(loop, "AHEAD_SECONDS", most)
        nl.utils.set_random_seed(3)
        models = [build(i) for i in range(4)]
        results.append(nl.fit_many(models, *MANY, epochs=6, **given))
    late, early = results
    for one, other in zip(late, early, strict=True):
        assert same(one, other)
        np.testing.assert_equal(one.history.history, other.history.history)
        assert one._state.step == other._state.step and one._state.epoch == other._state.epoch
    ends = {"stop": [2] * 4, "one member stops": [6, 6, 4, 6], "not finite": [6, 1, 6, 6]}.get(what, [6] * 4)
    assert [len(model.history.epoch) for model in early] == ends


@pytest.mark.parametrize("what, taken", [("nothing", 3), ("rate", 0), ("weights", 2), ("stop", 1)])
def test_short_epochs_of_many_are_started_early(monkeypatch, what, taken):
    """Of four epochs, which find their beginning done: after a change none does."""
    found, plain = [], loop.Runner._taken
    monkeypatch.setattr(loop.Runner, "_taken", lambda self, *args: found.append(plain(self, *args)) or found[-1])
    given = {"batch_size": 16, "verbose": 0, "callbacks": CHANGES.get(what, [])}
    nl.fit_many([small(), small()], X, Y, epochs=2, **given)  # from here on the time of a step is known
    monkeypatch.setattr(loop, "AHEAD_SECONDS", 1e9)
    found.clear()
    nl.fit_many([small(), small()], X, Y, epochs=4, **given)
    assert sum(one is not None for one in found) == taken
    monkeypatch.setattr(loop, "AHEAD_SECONDS", 0.0)
    nl.fit_many([small(), small()], X, Y, epochs=4, **given)
    assert sum(one is not None for one in found) == taken


def test_unequal_structures_are_trained_in_groups():
    sizes = [3, 4, 3, 5, 4]
    before = compilations()
    population, _ = check(lambda i: small("sgd", units=sizes[i]), n=5, batch_size=96, epochs=2)
    assert [m.count_params() for m in population] == [4 * n + 1 for n in sizes]
    assert compilations() - before <= 6  # three structures, together and alone


def test_a_sequential_learns_its_shape_from_the_data():
    def build(i):
        model = nl.Sequential([L.Dense(4, activation="relu"), L.Dense(1)])
        model.compile("sgd", "mse")
        return model

    check(build)


# --------------------------------------------------------------------------------------- programs are not made anew


def test_other_numbers_and_seeds_compile_nothing():
    options = {"epochs": 2, "batch_size": 16, "verbose": 0, "validation_data": (X, Y)}
    nl.fit_many([varied(*one) for one in NUMBERS], X, Y, **options)
    before = compilations()
    nl.fit_many([varied(rate * 2, dropout / 2, l2 + 1, 0.5) for rate, dropout, l2, _ in NUMBERS], X, Y, **options)
    assert compilations() == before


def test_lifted_numbers_leave_equal_structures():
    a, b = varied(*NUMBERS[0])._make_task(), varied(*NUMBERS[1])._make_task()
    assert lifting.parted(a)[1] == [0.0, 0.01, 0.2] and lifting.parted(b)[1] == [0.01, 0.1, 0.0]
    assert a.signature() != b.signature()
    assert lifting.parted(a)[0] == lifting.parted(b)[0] == lifting.without(a).signature()
    assert lifting.parted(lifting.holding(lifting.without(a), [1, 2, 3]))[1] == [1, 2, 3]
    assert lifting.parted(a)[0] != lifting.parted(small()._make_task())[0]


def test_lifting_reaches_models_inside_models():
    inner = nl.Sequential([L.Dropout(0.3, input_shape=(2,)), L.Dense(2)])
    model = nl.Sequential([inner, L.Dropout(0.4)])
    model.compile("sgd", "mse")
    assert lifting.parted(model._make_task())[1] == [0.3, 0.4]
    model._draw()
    assert lifting.without(model._make_task()).network.weights.keys() == model.network.weights.keys()


# -------------------------------------------------------------------------------------------------- stopping, failing


def test_who_is_stopped_changes_no_more_and_others_go_on(training_engine):
    def callbacks(i):
        def stop(epoch, logs):
            if epoch == 2 * i:
                population[i].stop_training = True

        return [nl.callbacks.LambdaCallback(on_epoch_end=stop)] if i < 2 else []

    population = Population([small(), small(), small()])
    population.fit(X, Y, epochs=5, batch_size=16, callbacks=callbacks, verbose=0)
    assert [len(m.history.epoch) for m in population] == [1, 3, 5]
    assert [m._state.step for m in population] == [6, 18, 30]


def test_training_ends_when_all_are_stopped(capsys):
    stop = nl.callbacks.EarlyStopping("loss", patience=1, min_delta=100)
    population = nl.fit_many([small(), small()], X, Y, epochs=50, callbacks=stop, verbose=2)
    assert [len(m.history.epoch) for m in population] == [2, 2]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_member_that_diverges_keeps_its_weights_and_the_others_go_on(training_engine):
    def build(i):
        model = nl.Sequential([L.Dense(1, input_shape=(2,))])
        model.compile(nl.optimizers.SGD([1e30, 0.01][i % 2]), "mse")
        return model

    quiet = [nl.callbacks.TerminateOnNaN()]
    population, _ = check(build, n=4, epochs=3, callbacks=quiet)
    assert [len(m.history.epoch) for m in population] == [1, 3, 1, 3]
    assert not np.isfinite(population.value(0))
    assert all(np.isfinite(w).all() for w in population[0].get_weights())
    assert population.ranking[2:] == [0, 2] and population.best in (population[1], population[3])
    assert "nan" in repr(population) or "inf" in repr(population)


def test_all_diverge(training_engine):
    def build():
        model = nl.Sequential([L.Dense(1, input_shape=(2,))])
        model.compile(nl.optimizers.SGD(1e30), "mse")
        return model

    with pytest.raises(NonFiniteError, match="The losses or gradients of all 2 models became NaN or infinite"):
        nl.fit_many([build(), build()], X, Y, epochs=9, batch_size=8, verbose=0)


def test_an_interrupt_leaves_the_weights_of_the_last_chunk():
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    models = [small(), small()]
    with pytest.raises(KeyboardInterrupt):
        nl.fit_many(models, X, Y, epochs=9, callbacks=[nl.callbacks.LambdaCallback(on_epoch_end=interrupt)], verbose=0)
    assert [m._state.step for m in models] == [6, 6] and [m.history.epoch for m in models] == [[0], [0]]


def test_callbacks_are_copied_told_and_closed():
    heard = []

    class Ear(nl.callbacks.Callback):
        def on_train_begin(self, logs=None):
            heard.append(("begin", id(self)))

        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = 1.0
            heard.append((epoch, self.model.get_weights()[0].sum()))

        def on_train_end(self, logs=None):
            heard.append(("end", sorted(logs)))

        def close(self):
            heard.append("closed")

    population = nl.fit_many([small(), small()], X, Y, epochs=1, callbacks=[Ear()], verbose=0)
    assert heard[0][0] == heard[1][0] == "begin" and heard[0][1] != heard[1][1]
    assert [h[1] for h in heard[2:4]] == [m.get_weights()[0].sum() for m in population]
    assert heard[4:] == [("end", ["extra", "loss"])] * 2 + ["closed"] * 2
    assert population[0].history.history["extra"] == [1.0]
    assert isinstance(population.callbacks[1][0], Ear)


def test_weights_that_a_callback_sets_enter_the_next_epoch():
    class Zero(nl.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights([0 * w for w in self.model.get_weights()])

    check(lambda i: small("sgd"), callbacks=[Zero()], epochs=3)


def test_models_stay_ordinary(tmp_path):
    population = nl.fit_many([small(), small()], X, Y, verbose=0)
    population[1].save(tmp_path / "m.nl")
    assert same(nl.load_model(tmp_path / "m.nl"), population[1])
    assert not same(population[0], population[1])
    assert population.predict(X).shape == (2, 96, 1)
    np.testing.assert_array_equal(population.predict(X)[1], population[1].predict(X))


# ----------------------------------------------------------------------------------------------------- population


def test_population_is_what_the_seeds_make_alone():
    population = nl.population(varied, seeds=[3, 4], learning_rate=[0.1, 0.2], dropout=0.4, l2=[0.0, 0.3])
    for i, seed in enumerate([3, 4]):
        nl.utils.set_random_seed(seed)
        alone = varied(dropout=0.4, l2=[0.0, 0.3][i])
        assert same(alone, population[i]) and alone._seed == population[i]._seed
    assert [m.learning_rate for m in population] == [0.1, 0.2]
    assert population.settings[1] == {"seed": 4, "learning_rate": 0.2, "l2": 0.3, "dropout": 0.4}


def test_numbers_are_put_into_a_model_whose_builder_takes_none():
    def build():
        inner = nl.Sequential([L.Dropout(0.5, input_shape=(2,)), L.Dense(3, name="inside")])
        model = nl.Sequential([inner, L.Dense(1, bias_regularizer="l2", name="last")])
        model.compile(nl.optimizers.SGD(0.5, momentum=0.9), "mse")
        model.set_weights([w + 1 for w in model.get_weights()])  # as if they came from a file
        return model

    (model,) = nl.population(build, 1, learning_rate=0.25, l2=0.125, dropout=0.75, seeds=[9])
    with config.seeded(9):
        before = build()
    assert same(model, before)  # weights that it had already stay
    assert model.optimizer.learning_rate == 0.25 and model.optimizer.momentum == 0.9
    assert [layer.rate for layer in model.layers[0].layers.values() if isinstance(layer, L.Dropout)] == [0.75]
    penalties = {path: w.regularizer for path, (w, _) in specs_of(model.network).items() if w.regularizer}
    assert {path.split("/", 1)[-1] if "inside" in path else path: p.l2 for path, p in penalties.items()} == {
        "inside/kernel": 0.125,
        "last/kernel": 0.125,
        "last/bias": 0.01,
    }


def test_numbers_in_a_sequential_of_unknown_shape_and_as_train_alone():
    def build(rate=0.3):
        model = nl.Sequential([L.Dropout(rate), L.Dense(1)])
        model.compile("sgd", "mse")
        return model

    plain = lambda: build()  # noqa: E731  (takes no rate)
    population = nl.population(plain, seeds=[1, 2], dropout=[0.1, 0.6]).fit(X, Y, epochs=2, verbose=0)
    for seed, rate, one in zip([1, 2], [0.1, 0.6], population, strict=True):
        nl.utils.set_random_seed(seed)
        alone = build(rate)
        alone.fit(X, Y, epochs=2, verbose=0)
        np.testing.assert_allclose(one.get_weights()[0], alone.get_weights()[0], rtol=1e-5)


def test_seeds_leave_the_streams_of_the_process_alone():
    nl.utils.set_random_seed(1)
    expected = (config.next_seed(), np.random.random())  # noqa: NPY002
    nl.utils.set_random_seed(1)
    nl.population(small, seeds=[5, 6, 7])
    assert (config.next_seed(), np.random.random()) == expected  # noqa: NPY002


# -------------------------------------------------------------------------------------------------- table and picture


@pytest.fixture(scope="module")
def trained():
    population = nl.population(varied, seeds=[1, 2, 3], learning_rate=[0.3, 1e-4, 0.05])
    return population.fit(X, Y, epochs=6, batch_size=16, validation_data=(X, Y), verbose=0)


def test_best_by_the_monitored_value_and_its_direction(trained):
    losses = [m.history.history["val_loss"][-1] for m in trained]
    assert trained.monitored == "val_loss" and trained.ranking == np.argsort(losses).tolist()
    assert trained.best is trained[int(np.argmin(losses))]
    by_accuracy = Population(trained.models, monitor="val_accuracy")
    accuracies = [m.history.history["val_accuracy"][-1] for m in trained]
    assert by_accuracy.value(by_accuracy.ranking[0]) == max(accuracies)
    with pytest.raises(ConfigurationError, match=r"no value 'val_acuracy'\. Did you mean 'val_accuracy'"):
        Population(trained.models, monitor="val_acuracy").best
    odd = small()
    odd.history = History()
    odd.history.on_epoch_end(0, {"loss": 1.0, "energy": 2.0})
    with pytest.raises(ConfigurationError, match="'energy' does not tell whether smaller or larger is better"):
        Population([odd], monitor="energy").best


def test_values_are_those_of_the_restored_epoch():
    """With restored weights, the value that `evaluate` gives is the one by which the member is compared."""
    stop = nl.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    population = nl.population(varied, seeds=[1, 2], learning_rate=[3.0, 0.5])
    population.fit(X, Y, epochs=12, batch_size=16, validation_data=(X, Y), callbacks=stop, verbose=0)
    assert any(population.epoch(i) < len(population.histories[i]["loss"]) - 1 for i in (0, 1))
    for i in (0, 1):
        score = population[i].evaluate(X, Y, verbose=0)[0]
        penalty = 0  # evaluate and the validation both count it
        assert population.value(i) == pytest.approx(score + penalty, rel=1e-5)


def test_table(trained):
    frame = trained.frame()
    assert frame["learning_rate"].tolist() == [0.3, 1e-4, 0.05] and frame["epochs"].tolist() == [6, 6, 6]
    assert frame["val_loss"].tolist() == [m.history.history["val_loss"][-1] for m in trained]
    lines = repr(trained).splitlines()
    best = trained.ranking[0]
    assert lines[0] == f"<Population of 3 models: best val_loss {cell(trained.value(best))}, model {best}>"
    assert lines[1].split()[:4] == ["model", "seed", "learning_rate", "epochs"] and len(lines) == 5
    page = trained._repr_html_()
    assert page.count("<tr>") == 4 and cell(trained.value(best)) in page
    assert repr(nl.population(small, 2)).startswith("<Population of 2 models, not trained>")


def test_large_tables_show_the_best():
    population = nl.population(varied, seeds=range(20), learning_rate=np.geomspace(1e-4, 0.3, 20))
    assert repr(population).splitlines()[-1].split() == ["…"] * 3
    population.fit(X, Y, verbose=0)
    rows = repr(population).splitlines()[2:]
    assert [int(r.split()[0]) for r in rows[:12]] == population.ranking[:12] and len(rows) == 13
    assert isinstance(population[3:5], Population) and population[3:5].settings == population.settings[3:5]


def test_picture(trained, tmp_path):
    figure = trained.plot(tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000
    assert [a.get_title(loc="left") for a in figure.axes] == ["Validation loss", "Validation accuracy"]
    drawn = figure.axes[0].lines
    assert [line.get_color() for line in drawn] == [style.BLUE, style.BLUE, style.ORANGE]
    assert drawn[-1].get_ydata().tolist() == trained.best.history.history["val_loss"]
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert texts == ["3 models", f"best: model {trained.ranking[0]}"]


def test_picture_marks_the_end_of_who_stopped_early():
    figure = plots.population([{"loss": [3, 2, 1]}, {"loss": [3.0, 2.5]}, {"loss": [1.0, np.nan]}])
    marks = [(m.get_xdata()[0], m.get_ydata()[0]) for m in figure.axes[0].lines if m.get_marker() == "o"]
    assert marks == [(2, 2.5), (1, 1.0)]
    with pytest.raises(DataError, match="population expected at least one epoch"):
        plots.population([{}, {}])


def test_progress_shows_means(capsys):
    population = nl.fit_many([small(metrics=["accuracy"]) for _ in range(3)], X, Y, epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    mean = np.mean([m.history.history["loss"][-1] for m in population])
    assert len(lines) == 2 and lines[1].startswith("Epoch 2/2") and f"loss {mean:.4f}" in lines[1]
    assert [h.split()[0] for h in text_table({"a": ["1"]}).splitlines()] == ["a", "1"]


def test_progress_of_the_eager_engine(capsys):
    nl.fit_many([small(), small()], X, Y, epochs=2, verbose=2, engine="torch")
    assert re.fullmatch(r"Model 1/2  loss [\d.]+\nModel 2/2  loss [\d.]+\n", capsys.readouterr().out)


# --------------------------------------------------------------------------------------------------------- wrong use


def shared():
    layer = L.Dense(1, input_shape=(2,))
    models = [nl.Sequential([layer]), nl.Sequential([layer])]
    for model in models:
        model.compile("sgd", "mse")
    return models


class EveryStep(nl.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


WRONG = [
    (lambda: nl.fit_many([], X, Y), "at least one model, received none"),
    (lambda: nl.fit_many([small(), 3], X, Y), "Expected models, received 3 at place 1"),
    (lambda: nl.fit_many([nl.Sequential([L.Dense(1)])], X, Y), "Call compile"),
    (lambda: nl.fit_many(shared(), X, Y), "models 0 and 1 share the layer Dense"),
    (lambda: nl.fit_many([small()] * 2, X, Y), "share the layer"),
    (lambda: nl.fit_many([small()], X, Y, rows=[[0], [1]]), "rows expected 1 lists of row numbers.*received 2"),
    (lambda: nl.fit_many([small()], X, Y, rows=5), "rows expected 1 lists of row numbers.*received 5"),
    (lambda: nl.fit_many([small()], X, Y, rows=[[96]]), r"rows\[0\] expected numbers from 0 to 95, received 96"),
    (lambda: nl.fit_many([small()], X, Y, rows=[[0.5]]), r"rows\[0\] expected whole numbers"),
    (lambda: nl.fit_many([small()], X, Y, rows=[[]]), r"rows\[0\] expected whole numbers, at least one"),
    (lambda: nl.fit_many([small()], X, Y, rows=[[1]], validation_split=0.5), "cannot be given beside rows"),
    (
        lambda: nl.fit_many([small()], X, Y, validation_data=(X, Y), validation_rows=[[1]]),
        "one kind of validation data, received validation_data and validation_rows",
    ),
    (lambda: nl.fit_many([small()], X, Y, validation_data=X), r"validation_data expected a tuple \(x, y\)"),
    (lambda: nl.fit_many([small()], iter([(X, Y)]), None), "received batches"),
    (lambda: nl.fit_many([small()], X, Y, callbacks=[EveryStep()]), "EveryStep listens to single steps"),
    (lambda: nl.fit_many([small()], X, Y, callbacks=[3]), "callbacks expected objects"),
    (lambda: nl.fit_many([small()], X, Y, verbose=7), "verbose"),
    (lambda: nl.fit_many([small()], X, Y, epochs=0), "epochs expected a positive whole number"),
    (lambda: nl.fit_many([small()], X, Y[:5]), "same number of samples"),
    (lambda: nl.population(small, 2).fit(X, Y, epoch=3), "fit has no argument 'epoch'. Did you mean 'epochs'"),
    (lambda: nl.population(small), "population expected n"),
    (lambda: nl.population(small, 3, seeds=[1, 2]), "expected 3 entries in seeds, one per model, received 2"),
    (lambda: nl.population(small, learning_rate=[0.1, 0.2], l2=[0.1]), "expected 2 entries in l2.*received 1"),
    (lambda: nl.population(small, 1, learning_rate=-1), "learning_rate expected positive numbers, received -1"),
    (lambda: nl.population(varied, 1, dropout=1.5), "rate|dropout"),
    (lambda: nl.population(small, 1, dropout=0.5), "dropout needs a Dropout layer, and the model has none"),
    (lambda: nl.population(small, 1, seeds=[-1]), "seed from 0"),
    (lambda: nl.population(small(), 2), "Write a function that builds"),
    (lambda: nl.population(lambda: 3, 2), "but it returned 3"),
    (lambda: nl.population(small, 2).best, "not trained yet"),
    (
        lambda: nl.population(
            lambda: small(nl.optimizers.SGD(nl.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5))),
            1,
            learning_rate=0.1,
        ),
        "learning_rate cannot be set: it follows ExponentialDecay",
    ),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[m[:40] for _, m in WRONG])
def test_wrong_use_is_said(call, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        call()


# -------------------------------------------------------------------------------------------------------- the feed


def test_orders_are_those_of_the_members_alone():
    """Each row of each member once per epoch; whole batches first, then the members' last batches by size."""
    engine = nl.engines.load("numpy")
    rows = {"x": np.arange(10)}
    feed = IndexFeed(engine, rows, [None, np.array([7, 2, 4])], 4, seeds=[1, 2], first=[0, 5])
    segments = list(feed.epoch(0))
    assert [(s.steps, s.order.shape) for s in segments] == [(2, (2, 2, 4)), (1, (1, 2, 2)), (1, (1, 2, 3))]
    first = [*segments[0].order[:, 0].ravel(), *segments[1].order[0, 0]]
    assert first == config.generator(1, "shuffle", 0).permutation(10).tolist()
    expected = np.array([7, 2, 4])[config.generator(2, "shuffle", 5).permutation(3)]
    assert segments[2].order[0, 1].tolist() == expected.tolist()
    assert segments[0].batch(engine, 1)["x"].shape == (1, 2, 4)
    feed.active = np.array([True, False])
    assert not list(feed.epoch(0))[2].order[0, 1].any()  # nobody draws for who is stopped


# ---------------------------------------------------------------------------------------------- thousands of fits


def fits(n, slower):
    """How much longer a fit takes after n of one model; bytes and objects that each of 300 more leaves behind.

    Longer than `slower` may be a slow spell of the machine: then it is measured again, up to five times.
    """
    model, x, y = small(), X[:64], Y[:64]

    def fit():
        started = time.process_time()
        model.fit(x, y, batch_size=16, verbose=0)
        return time.process_time() - started

    first, *_ = (quick([fit() for _ in range(400)]) for _ in range(n // 400))  # they also fill the caches
    for _ in range(6):
        ratio = quick([fit() for _ in range(400)]) / first
        if ratio < slower:
            break
    tracemalloc.start()
    for _ in range(400):  # so that what the caches hold was made while it was counted
        fit()
    marks = [held()]
    for _ in range(3):
        for _ in range(100):
            fit()
        marks.append(held())
    tracemalloc.stop()
    return ratio, np.diff(marks, axis=0).min(axis=0) / 100  # a leak grows each time, a cache that fills does not


def quick(seconds):
    """What the quickest hundredth takes."""
    return np.quantile(seconds, 0.01)


def held():
    """Bytes and objects held now."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0], len(gc.get_objects())


def test_hundreds_of_fits_neither_slow_down_nor_leak():
    before = compilations()
    ratio, (size, objects) = fits(800, slower=1.5)
    assert compilations() - before <= 1
    assert ratio < 1.5
    assert size < 150 and objects < 0.1


@pytest.mark.slow
def test_ten_thousand_fits_neither_slow_down_nor_leak():
    ratio, (size, objects) = fits(10_000, slower=1.15)
    assert ratio < 1.15
    assert size < 150 and objects < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("n, limit", [(64, 20), (16, 8)], ids=["64 tiny", "16 on digits"])
def test_many_take_a_few_times_the_time_of_one(n, limit):
    """On 2 cores: 64 tiny networks at most 20 times the time of one, 16 of 64 hidden units on digits 8 times."""

    def tiny():
        return small(metrics=["accuracy"], units=8)

    def digits():
        model = nl.Sequential([L.Dense(64, activation="relu", input_shape=(64,)), L.Dense(10, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    (images, labels), _ = nl.datasets.digits.load_data()
    x, y = binary(4096) if n == 64 else (images.reshape(-1, 64) / 16, labels)
    build, size = (tiny, 16) if n == 64 else (digits, 32)
    ratios = []
    for i in range(6):
        started = time.perf_counter()
        build().fit(x, y, batch_size=size, epochs=20, verbose=0)
        between = time.perf_counter()
        nl.population(build, n).fit(x, y, batch_size=size, epochs=20, verbose=0)
        ratios += [(time.perf_counter() - between) / (between - started)] if i else []
    assert np.median(ratios) <= limit
