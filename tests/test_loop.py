"""Chunks, callbacks, compiled programs, and what happens when a loss is not finite or a user interrupts."""

import contextlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import neuroloom as nl
from nets import binary, net, same, small
from neuroloom import callbacks, layers
from neuroloom.errors import DataError, NonFiniteError
from neuroloom.learning import compilations, loop


def steps(rows):
    """A callback that keeps the logs of every step."""
    return callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: rows.append((batch, logs)))


class Between(callbacks.Callback):
    """Makes chunks of one step."""

    between_steps = True


# ------------------------------------------------------------------------------------------------------ chunks


@pytest.mark.parametrize("way", ["one step", "a few", "all"])
def test_logs_and_weights_do_not_depend_on_the_length_of_chunks(training_engine, monkeypatch, way):
    x, y = binary(n=83)
    results = []
    for changed in (False, True):
        if changed and way != "one step":
            monkeypatch.setattr(loop, "_length", lambda seconds, left: min(left, 3 if way == "a few" else left))
        nl.utils.set_random_seed(3)
        model, rows, chunks = small(metrics=["acc", "auc"]), [], []

        def compare(step, logs, rows=rows, chunks=chunks):
            assert rows[-1] == (step - 1, logs)
            chunks.append(step)

        keep = callbacks.LambdaCallback(on_chunk_end=compare)
        extra = [Between()] if changed and way == "one step" else []
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[steps(rows), keep, *extra])
        assert [batch for batch, _ in rows] == list(range(11)) * 3
        results.append((model, rows, chunks))
    assert results[0][1] == results[1][1]
    assert same(results[0][0], results[1][0])
    expected = {"one step": 33, "a few": 3 * 5, "all": 3 * 2}[way]
    assert len(results[1][2]) == expected


class Rate(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.learning_rate = 0.1 / (1 + epoch)


class Halve(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([w / 2 for w in self.model.get_weights()])


class Stop(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 3


@pytest.fixture
def started(monkeypatch):
    """Keeps what runners start."""
    found = []

    class Seen(loop.Running):
        def __init__(self, *args):
            super().__init__(*args)
            found.append(self)

    monkeypatch.setattr(loop, "Running", Seen)
    return found


EPOCHS = {"nothing": None, "rate": Rate, "weights": Halve, "stop": Stop, "between": Between}


@pytest.mark.parametrize("n", [80, 83])
@pytest.mark.parametrize("what", [*EPOCHS, "validation", "in order", "not finite"])
def test_starting_early_changes_no_number(monkeypatch, what, n):
    """Epochs are started before those before them are looked at, or not: the same logs, weights and errors."""
    x, y = binary(n=n)
    with nl.engine("jax"):
        small().fit(x, y, batch_size=8, epochs=2, verbose=0)  # from here on the time of a step is known
    results = []
    for most in (0.0, 1e9):
        monkeypatch.setattr(loop, "AHEAD_SECONDS", most)
        nl.utils.set_random_seed(3)
        model, heard = small(), []
        if what == "not finite":  # the weights grow by some tens in each step
            model = nl.Sequential([layers.Dense(1, input_shape=(2,))])
            model.compile(nl.optimizers.SGD(20.0), "mse")
        told = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, heard=heard: heard.append(logs))
        extra = [EPOCHS[what]()] if EPOCHS.get(what) else []
        given = {"validation_data": (x, y)} if what == "validation" else {"shuffle": what != "in order"}
        with pytest.raises(NonFiniteError) if what == "not finite" else contextlib.nullcontext():
            model.fit(x, y, batch_size=8, epochs=6, verbose=0, callbacks=[told, *extra], engine="jax", **given)
        results.append((model, heard))
    (late, logs), (early, other) = results
    assert logs == other
    assert same(late, early)
    assert late._state.step == early._state.step and late._state.epoch == early._state.epoch
    assert len(logs) == {"stop": 4, "not finite": 1}.get(what, 6)


@pytest.mark.parametrize("n", [80, 83])
def test_short_epochs_are_started_before_the_one_before_them_has_ended(monkeypatch, started, n):
    x, y = binary(n=n)
    per_epoch = 1 if n == 80 else 2
    model = small("sgd")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, engine="jax")  # from here on the time of a step is known

    def counts(*extra):
        seen = []
        told = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(len(started)))
        started.clear()
        model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[told, *extra], engine="jax")
        return seen

    monkeypatch.setattr(loop, "AHEAD_SECONDS", 1e9)
    assert counts() == [per_epoch * epoch + 1 for epoch in (1, 2, 3)] + [per_epoch * 4]
    assert counts(Rate()) == [per_epoch + 1, *(per_epoch * epoch + 1 for epoch in (2, 3, 4))]  # one in vain, then none
    assert counts(Between()) == [10 + (n > 80), *((10 + (n > 80)) * epoch for epoch in (2, 3, 4))]
    monkeypatch.setattr(loop, "AHEAD_SECONDS", 0.0)
    assert counts() == [per_epoch * epoch for epoch in (1, 2, 3, 4)]


def test_chunk_lengths_follow_the_time_of_a_step():
    assert loop._length(None, 100) == 2
    assert loop._length(loop.CHUNK_SECONDS / 10, 100) == 10
    assert loop._length(loop.CHUNK_SECONDS / 10, 4) == 4
    assert loop._length(100.0, 4) == 1
    assert loop._length(1e-9, 10**6) == loop.LOG_ROWS


def test_more_steps_than_a_log_has_rows(training_engine, monkeypatch):
    monkeypatch.setattr(loop, "LOG_ROWS", 5)
    x, y = binary(n=26)
    rows = []
    model = small(units=2)
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[steps(rows)])
    assert [batch for batch, _ in rows] == list(range(13))


# ---------------------------------------------------------------------------------------------------- programs


@pytest.fixture
def fresh(monkeypatch):
    """No program is compiled yet."""
    monkeypatch.setattr(loop, "_programs", type(loop._programs)())


class Counted:
    """How many programs a block compiles."""

    def __enter__(self):
        self.start = compilations()
        return self

    def __exit__(self, *_):
        self.n = compilations() - self.start


def counted(act):
    with Counted() as block:
        act()
    return block.n


def test_what_is_compiled_and_what_is_not(training_engine, fresh):
    """70 samples in batches of 16 need two programs: for 16 and for the last 6. Nothing else is compiled again."""
    x, y = binary()
    model = small(metrics=["acc"])
    assert counted(lambda: model.fit(x, y, batch_size=16, epochs=2, verbose=0)) == 2
    assert counted(lambda: model.fit(x, y, batch_size=16, epochs=3, verbose=0)) == 0
    assert counted(lambda: model.fit(x + 1, 1 - y, batch_size=16, verbose=0, shuffle=False)) == 0
    assert counted(lambda: small(metrics=["acc"]).fit(x, y, batch_size=16, verbose=0)) == 0
    other_rate = small(nl.optimizers.Adam(0.3), metrics=["acc"])
    assert counted(lambda: other_rate.fit(x, y, batch_size=16, verbose=0)) == 0
    assert counted(lambda: model.evaluate(x, y, verbose=0)) == 2  # batches of 32 and a last one of 6
    assert counted(lambda: model.evaluate(x, y, verbose=0)) == 0
    assert counted(lambda: small(metrics=["acc"]).evaluate(x, y, verbose=0)) == 0
    assert counted(lambda: model.predict(x)) == 1
    assert counted(lambda: small().predict(x)) == 0
    assert counted(lambda: model.fit(x, y, batch_size=16, verbose=0, callbacks=[Between()])) == 0


def test_what_must_be_compiled_anew(training_engine, fresh):
    """Another structure, metric, optimizer or kind of weight is another program."""
    x, y = binary(n=16)

    def fit(model, **given):
        return lambda: model.fit(x, y, batch_size=16, verbose=0, **given)

    assert counted(fit(small())) == 1
    assert counted(fit(small(units=4))) == 1
    assert counted(fit(small(metrics=["acc"]))) == 1
    assert counted(fit(small("sgd"))) == 1
    assert counted(fit(small(nl.optimizers.Adam(clipnorm=1.0)))) == 1


def test_weights_of_samples_are_compiled_once_on_jax(fresh):
    x, y = binary(n=16)
    with nl.engine("jax"):
        model = small()
        model.fit(x, y, batch_size=16, verbose=0)
        assert counted(lambda: model.fit(x, y, batch_size=16, verbose=0, sample_weight=np.ones(16))) == 1
        assert counted(lambda: model.fit(x, y, batch_size=16, verbose=0, class_weight={0: 2.0})) == 0


def test_predicting_many_lengths_compiles_few_programs(fresh):
    """Compiled engines pad to powers of two: 1 to 40 rows are 7 programs."""
    x, _ = binary(n=40)
    with nl.engine("jax"):
        model = small()
        assert counted(lambda: [model.predict(x[:n]) for n in range(1, 41)]) == 7


def test_the_oldest_program_goes_first(training_engine, fresh, monkeypatch):
    monkeypatch.setattr(loop, "PROGRAMS", 2)
    x, _ = binary(n=4)
    models = [small(units=n) for n in (2, 3, 4)]
    for model in models:
        model.predict(x)
    assert len(loop._programs) == 2
    assert counted(lambda: models[2].predict(x)) == 0
    assert counted(lambda: models[0].predict(x)) == 1


# ------------------------------------------------------------------------------------------ losses not finite


def diverging(activation="exponential"):
    """A network that overflows at large inputs, in its second layer."""
    model = nl.Sequential(
        [
            layers.Dense(2, name="first", input_shape=(1,), kernel_initializer="ones"),
            layers.Dense(1, name="second", activation=activation, kernel_initializer="ones"),
        ]
    )
    model.compile(nl.optimizers.SGD(1e-9), "mse")
    return model


@pytest.mark.parametrize("bad_step", [0, 1, 4, 6])
def test_an_infinite_loss_stops_with_the_step_and_the_layer_named(training_engine, bad_step):
    """Seven batches of two; the weights and the optimizer's state are those before the bad step."""
    x = np.full((14, 1), 0.5)
    x[2 * bad_step] = 100.0  # exp(2 · 100) is beyond 32 bits
    y = np.ones(14)
    model, other = diverging(), diverging()
    with pytest.raises(NonFiniteError, match=rf"step {bad_step + 1} of epoch 1.*'second'.*before this step"):
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    if bad_step:
        other.fit(x[: 2 * bad_step], y[: 2 * bad_step], batch_size=2, shuffle=False, verbose=0)
    assert same(model, other)
    assert model._state.step == bad_step
    model.fit(x[x[:, 0] < 1], y[x[:, 0] < 1], batch_size=2, verbose=0)  # usable further


def test_the_layer_is_named_inside_nested_models_and_for_generators(training_engine):
    inner = nl.Sequential([layers.Dense(1, activation="exponential", name="exp", input_shape=(1,))], name="inner")
    model = nl.Sequential([layers.Dense(1, input_shape=(1,)), inner])
    model.set_weights([[[1.0]], [0.0], [[1.0]], [0.0]])
    model.compile("sgd", "mse")
    x = np.array([[0.1], [1000.0]])
    with pytest.raises(NonFiniteError, match=r"step 2 of epoch 1.*'inner/exp'"):
        model.fit(iter([(x[:1], [1.0]), (x[1:], [1.0])]), verbose=0)


def test_the_epoch_is_named(training_engine):
    model = diverging()
    x, y = np.full((6, 1), 0.5), np.ones(6)
    grow = callbacks.LambdaCallback(
        on_epoch_begin=lambda e, _: setattr(model, "learning_rate", 1e30 if e == 2 else 0.0)
    )
    with pytest.raises(NonFiniteError, match=r"step \d of epoch [34].*"):
        model.fit(x, y, batch_size=2, epochs=5, verbose=0, callbacks=[grow])


def test_an_update_that_overflows_is_noticed_at_the_last_step(training_engine):
    """The loss of the only step is finite, and so is the gradient; the new weights are not."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,), name="only")])
    model.set_weights([[[1.0]]])
    model.compile(nl.optimizers.SGD(1e38), "mse")
    with pytest.raises(NonFiniteError, match=r"step 1 of epoch 1.*the new value of the weight 'only/kernel' is not"):
        model.fit([[100.0]], [[0.0]], verbose=0)
    assert model.get_weights() == [[[1.0]]]


def test_weights_that_were_not_finite_before_are_named(training_engine):
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,), name="only")])
    model.set_weights([[[np.nan]]])
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteError, match=r"step 1 of epoch 1. The weight 'only/kernel' was not finite before"):
        model.fit([[100.0]], [[0.0]], epochs=3, verbose=0)


def test_terminate_on_nan_stops_quietly(training_engine):
    x = np.full((14, 1), 0.5)
    x[8] = 100.0
    model, seen = diverging(), []
    ends = callbacks.LambdaCallback(
        on_epoch_end=lambda e, logs: seen.append(e), on_train_end=lambda logs: seen.append("end")
    )
    given = {"batch_size": 2, "shuffle": False, "epochs": 3, "verbose": 0, "validation_data": (x[:2], [1.0, 1.0])}
    history = model.fit(x, np.ones(14), callbacks=[callbacks.TerminateOnNaN(), ends], **given)
    assert seen == [0, "end"]
    assert list(history.history) == ["loss", "val_loss"] and not np.isfinite(history.history["loss"][0])
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused_with_their_place(bad):
    import pandas as pd

    x, y = binary(n=20)
    x[13, 1] = bad
    frame = pd.DataFrame(x, columns=["width", "height"])
    for data, place in ((x, "row 13"), (frame, "row 13, column 'height'")):
        for act in (lambda d: small().fit(d, y, verbose=0), lambda d: small().predict(d)):
            with pytest.raises(DataError, match=rf"x expected finite numbers.*{place}"):
                act(data)
    with pytest.raises(DataError, match="validation x expected finite"):
        small().fit(x[:10], y[:10], validation_data=(x, y), verbose=0)


# --------------------------------------------------------------------------------------------------- callbacks


def test_hooks_come_in_order_and_validation_is_in_the_logs():
    x, y = binary(n=20)
    events = []

    class Recorder(callbacks.Callback):
        def on_train_begin(self, logs=None):
            events.append(("begin", self.params["epochs"], self.params["steps"]))

        def on_epoch_begin(self, epoch, logs=None):
            events.append(("epoch", epoch))

        def on_batch_end(self, batch, logs=None):
            events.append(("batch", batch))

        def on_epoch_end(self, epoch, logs=None):
            events.append(("end", epoch, sorted(logs)))

        def on_train_end(self, logs=None):
            events.append(("over", sorted(logs)))

    small(metrics=["acc"]).fit(x, y, epochs=2, batch_size=10, verbose=0, validation_split=0.25, callbacks=Recorder())
    keys = ["acc", "loss", "val_acc", "val_loss"]
    epoch = lambda i: [("epoch", i), ("batch", 0), ("batch", 1), ("end", i, keys)]  # noqa: E731
    assert events == [("begin", 2, 2), *epoch(0), *epoch(1), ("over", keys)]


@pytest.mark.parametrize("between", [False, True])
def test_stop_training_ends_after_the_epoch_or_the_step(training_engine, between):
    x, y = binary(n=40)
    model, rows = small(), []

    class Stop(callbacks.Callback):
        between_steps = between

        def on_train_batch_end(self, batch, logs=None):
            rows.append(batch)
            if batch == 1:
                self.model.stop_training = True

    history = model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[Stop()])
    assert len(history.history["loss"]) == 1
    assert rows == ([0, 1] if between else [0, 1, 2, 3, 4])
    assert len(model.fit(x, y, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize("where", ["on_train_batch_end", "on_chunk_end", "on_epoch_begin", "on_epoch_end"])
def test_ctrl_c_leaves_the_latest_weights_and_a_usable_model(training_engine, where):
    x, y = binary(n=40)

    def interrupt(*_):
        raise KeyboardInterrupt

    nl.utils.set_random_seed(3)
    model = small()
    before = model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[callbacks.LambdaCallback(**{where: interrupt})])
    moved = not all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert moved == (where != "on_epoch_begin")
    assert (model._state.step > 0) == moved
    assert np.isfinite(model.fit(x, y, epochs=2, verbose=0).history["loss"]).all()


def test_a_learning_rate_set_between_steps_takes_effect(training_engine):
    """With a rate of 0 after the third step nothing moves any more."""
    x, y = binary(n=40)
    seen = []

    class Freeze(callbacks.Callback):
        between_steps = True

        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights()[0])
            if batch == 2:
                self.model.learning_rate = 0.0

    model = small("sgd")
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[Freeze()])
    moved = [not np.array_equal(a, b) for a, b in itertools.pairwise(seen)]
    assert moved == [True, True, False, False]
    assert model.learning_rate == 0.0


def test_weights_set_by_a_callback_take_effect(training_engine):
    x, y = binary(n=40)

    class Reset(callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.start = self.model.get_weights()

        def on_epoch_begin(self, epoch, logs=None):
            self.model.set_weights(self.start)

    nl.utils.set_random_seed(3)
    one = small("sgd")
    one.fit(x, y, epochs=3, shuffle=False, verbose=0, callbacks=[Reset()])
    nl.utils.set_random_seed(3)
    other = small("sgd")
    other.fit(x, y, epochs=1, shuffle=False, verbose=0)
    assert same(one, other)


def test_a_scheduled_rate_is_that_of_the_formula(training_engine):
    """w ← w - rate(step) for a loss with gradient 1: w falls by the sum of the rates."""
    schedule = nl.optimizers.schedules.ExponentialDecay(0.5, decay_steps=2, decay_rate=0.1, staircase=True)
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,))])
    model.set_weights([[[0.0]]])
    model.compile(nl.optimizers.SGD(schedule), lambda y_true, y_pred: y_pred[:, 0])
    model.fit(np.ones((5, 1)), np.ones((5, 1)), batch_size=1, verbose=0)
    assert model.get_weights()[0].item() == pytest.approx(-(0.5 + 0.5 + 0.05 + 0.05 + 0.005), rel=1e-6)
    assert model.learning_rate == pytest.approx(0.005)
    with pytest.raises(nl.errors.ConfigurationError, match="follows ExponentialDecay"):
        model.learning_rate = 0.1


def test_learning_rate_scheduler_and_history(training_engine):
    x, y = binary(n=20)
    model = small("sgd")
    halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    history = model.fit(x, y, epochs=4, verbose=0, callbacks=[halve])
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.005, 0.0025, 0.00125])


def scripted(name, values):
    """A callback that puts given values into the logs."""
    return callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.__setitem__(name, values[epoch]))


def test_early_stopping_puts_the_best_weights_back(training_engine):
    x, y = binary(n=20)
    model, kept = small(), {}
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.__setitem__(epoch, model.get_weights()))
    stop = callbacks.EarlyStopping("score", mode="max", patience=2, restore_best_weights=True)
    given = [scripted("score", [0.1, 0.7, 0.3, 0.4, 0.9]), keep, stop]
    history = model.fit(x, y, epochs=5, verbose=0, callbacks=given)
    assert history.history["score"] == [0.1, 0.7, 0.3, 0.4]
    assert stop.best_epoch == 1
    assert all(np.array_equal(a, b) for a, b in zip(kept[1], model.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(kept[3], model.get_weights(), strict=True))


def test_a_plateau_reduces_the_rate(training_engine):
    x, y = binary(n=20)
    model = small("sgd")
    reduce = callbacks.ReduceLROnPlateau("cost", mode="min", factor=0.1, patience=2)
    history = model.fit(x, y, epochs=5, verbose=0, callbacks=[scripted("cost", [3.0, 2.0, 2.0, 2.5, 1.0]), reduce])
    assert history.history["learning_rate"] == pytest.approx([0.01] * 4 + [0.001])


def test_checkpoints_can_be_loaded(training_engine, tmp_path):
    x, y = binary(n=20)
    model = small(metrics=["acc"])
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.nl")
    best = callbacks.ModelCheckpoint(tmp_path / "best.nl", monitor="score", mode="max", save_best_only=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[scripted("score", [1.0, 3.0, 2.0]), save, best])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01.nl", "02.nl", "03.nl", "best.nl"]
    assert same(nl.load_model(tmp_path / "03.nl"), model)
    assert same(nl.load_model(tmp_path / "best.nl"), nl.load_model(tmp_path / "02.nl"))
    assert not same(nl.load_model(tmp_path / "01.nl"), model)


def test_an_unknown_monitor_is_an_error_that_names_the_nearest():
    x, y = binary(n=20)
    with pytest.raises(nl.errors.ConfigurationError, match="mode='min' or mode='max'"):
        callbacks.EarlyStopping("val_los")
    watch = callbacks.EarlyStopping("val_los", mode="min")
    with pytest.raises(nl.errors.ConfigurationError, match="Did you mean 'val_loss'"):
        small().fit(x, y, verbose=0, callbacks=[watch], validation_split=0.2)
    with pytest.raises(nl.errors.ConfigurationError, match=r"'val_loss'.*validation_data or validation_split"):
        small().fit(x, y, verbose=0, callbacks=[callbacks.EarlyStopping()])


def test_callbacks_are_closed_after_an_error(training_engine):
    x, y = binary(n=8)
    closed = []

    class Broken(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("broken")

        def close(self):
            closed.append(True)

    with pytest.raises(RuntimeError, match="broken"):
        small().fit(x, y, verbose=0, callbacks=[Broken()])
    assert closed == [True]


def test_what_fit_shows_is_what_history_holds(capsys):
    x, y = binary(n=20)
    history = small(metrics=["acc"]).fit(x, y, epochs=2, verbose=2)
    lines = capsys.readouterr().out.strip().split("\n")
    assert len(lines) == 2 and lines[1].startswith("Epoch 2/2")
    assert f"loss {history.history['loss'][1]:.4f}" in lines[1]


def test_dropout_and_normalization_leave_evaluation_alone(training_engine):
    model = net("dense")
    model.pop()
    model.add(layers.Dropout(0.9))
    model.add(layers.Dense(3, activation="softmax"))
    x = np.ones((4, 5))
    assert np.array_equal(model.predict(x), model.predict(x))


@pytest.fixture
def backend_compilations():
    """Seconds of each compilation by XLA: it can compile anew, for arrays placed otherwise, without a new trace."""
    from jax import monitoring

    seen = []

    def listen(event, seconds, **_):
        if "backend_compile" in event:
            seen.append(seconds)

    monitoring.register_event_duration_secs_listener(listen)
    yield seen
    monitoring.unregister_event_duration_listener(listen)


def digits_like(rows, seed=0):
    """Large enough for the way to the device by threads; no whole numbers, which would travel as bytes."""
    x = np.random.default_rng(seed).random((rows, 784), dtype=np.float32)
    return x, np.arange(rows) % 10


def classifier(rate=0.001):
    model = nl.Sequential([layers.Dense(11, activation="relu", input_shape=(784,)), layers.Dense(10, "softmax")])
    model.compile(nl.optimizers.RMSprop(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_xla_compiles_nothing_after_the_first_use(backend_compilations):
    """1,300 samples are ten batches of 128 and a last one of 20."""
    x, y = digits_like(1300)
    given = {"batch_size": 128, "verbose": 0, "engine": "jax"}

    def use(model, x):
        model.fit(x, y, epochs=2, validation_data=(x[:200], y[:200]), **given)
        model.evaluate(x, y, **given)
        for n in (1, 2, 20, 1300):
            model.predict(x[:n], engine="jax")
        for _ in range(3):
            model.train_on_batch(x[:64], y[:64], engine="jax")

    model = classifier()
    use(model, x)
    assert backend_compilations
    backend_compilations.clear()
    use(model, x)
    use(classifier(), x)
    use(classifier(rate=0.1), digits_like(1300, seed=1)[0])
    model.learning_rate = 0.5
    use(model, x)
    assert backend_compilations == []


def test_other_numbers_of_rows_are_programs_of_their_own(backend_compilations):
    """A program is made for the size of the data that lie on the device. Padding them to common sizes would not help:
    the last smaller batch has another size too, and padding that would change dropout and normalisation."""
    given = {"batch_size": 128, "verbose": 0, "engine": "jax"}
    classifier().fit(*digits_like(1280), **given)
    backend_compilations.clear()
    classifier().fit(*digits_like(1408), **given)
    assert len(backend_compilations) == 1
    backend_compilations.clear()
    classifier().fit(*digits_like(1408, seed=2), **given)
    assert backend_compilations == []


FIRST_USE = """
import jax, numpy as np, neuroloom as nl
seen = []
jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: seen.append(name))
compiled = lambda: sum("backend_compile" in name for name in seen)
x, y = np.random.default_rng(0).random((256, 20), dtype="float32"), np.arange(256) % 3
def build():
    model = nl.Sequential([nl.layers.Dense(9, activation="relu", input_shape=(20,)), nl.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
model = build()
model.fit(x, y, batch_size=32, verbose=0, engine="jax")
print(compiled())
models = [build() for _ in range(4)]
nl.fit_many(models, x, y, batch_size=32, verbose=0, engine="jax")
print(compiled())
nl.fit_many([model, *models], x, y, batch_size=32, verbose=0, engine="jax")  # one of them trained alone before
print(compiled())
"""


def test_a_first_fit_compiles_its_program_and_nothing_else(tmp_path):
    """Arrays are made without programs: each would take 5 to 20 ms of a process's first second.

    One program asks whether XLA has our options. `fit_many` has a program of its own for each size of a shard.
    """
    environment = {**os.environ, "NEUROLOOM_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, env=environment)
    assert not done.returncode, done.stderr
    first, many, mixed = map(int, done.stdout.split())
    assert first == 2
    assert 1 <= many - first <= 2 and 1 <= mixed - many <= 2  # two shards may begin at the same moment
