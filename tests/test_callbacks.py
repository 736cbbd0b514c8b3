"""Callbacks: Keras as the oracle of early stopping and plateaus; files read back; state that survives a resume."""

import csv
import json
import math

import numpy as np
import pytest

from neuroloom.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    JSONLogger,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from neuroloom.errors import ConfigurationError
from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.callbacks.monitor import direction

NAN = math.nan


class Model:
    """What callbacks use of a model; its only weight is the number of the epoch."""

    def __init__(self, rate=0.1):
        self.stop_training, self.learning_rate = False, rate
        self.weights, self.saved = [np.zeros(1)], []
        self.optimizer, self.metrics = self, []  # where Keras looks for them

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.weights = weights

    def save(self, path, overwrite=True):
        self.saved.append(path)

    def save_weights(self, path, overwrite=True):
        self.saved.append(f"weights:{path}")


PARAMS = {"epochs": 40, "steps": 3, "verbose": 0}


def train(callbacks, values, monitor="val_loss", model=None, state=None, first=0):
    """The training loop's calls, with scripted values; returns what the model and the logs looked like."""
    model = model or Model()
    seen = []
    with CallbackList(callbacks, model, PARAMS) as every:
        every.on_train_begin()
        if state is not None:
            every.set_state(state)
        for epoch, value in enumerate(values[first:], first):
            every.on_epoch_begin(epoch)
            model.weights = [np.full(1, epoch + 1.0)]
            logs = {"loss": 10.0 - epoch, monitor: value}
            every.on_epoch_end(epoch, logs)
            seen.append((epoch, model.learning_rate, logs))
            if model.stop_training:
                break
        every.on_train_end(logs)
        return model, seen, every.get_state()


def kept(callback, values, **how):
    """The same calls on a callback of Keras, whose list would want a Keras model."""
    model = how.get("model") or Model()
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.weights = [np.full(1, epoch + 1.0)]
        callback.on_epoch_end(epoch, {"loss": 10.0 - epoch, "val_loss": value})
        seen.append((epoch, model.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return model, seen


def scripts(n=25, length=30):
    """Falling, noisy values in hundredths: ties occur, but none with a `min_delta` of half hundredths."""
    rng = np.random.default_rng(5)
    return (np.exp(-np.arange(length) / 8) + rng.normal(0, 0.1, (n, length))).round(2)


# ---------------------------------------------------------------------------------------------- early stopping

STOPPING = [
    {},
    {"patience": 3},
    {"patience": 2, "min_delta": 0.105, "restore_best_weights": True},
    {"patience": 4, "baseline": 0.6, "restore_best_weights": True},
    {"patience": 2, "start_from_epoch": 5, "restore_best_weights": True},
    {"patience": 3, "mode": "max"},
]


@pytest.mark.parametrize("arguments", STOPPING)
def test_early_stopping_stops_and_restores_as_keras(keras, arguments):
    stops = set()
    for values in scripts():
        theirs, ours = keras.callbacks.EarlyStopping(**arguments), EarlyStopping(**arguments)
        other, epochs = kept(theirs, values)
        model, seen, _ = train(ours, values)
        assert len(seen) == len(epochs)
        assert model.weights == other.weights
        assert (ours.stopped_epoch, ours.best_epoch, ours.wait) == (
            theirs.stopped_epoch, theirs.best_epoch, theirs.wait,
        )  # fmt: skip
        stops.add(ours.stopped_epoch)
    assert len(stops) > 2  # the scripts do differ


def test_early_stopping_by_hand():
    callback = EarlyStopping(patience=2, restore_best_weights=True)
    model, seen, _ = train(callback, [5.0, 3.0, 4.0, 3.0, 1.0])
    assert len(seen) == 4 and callback.stopped_epoch == 3  # 3.0 again is no improvement
    assert model.weights == [np.array([2.0])] and callback.best == 3.0


def test_nan_is_no_improvement_and_no_best():
    callback = EarlyStopping(patience=5, restore_best_weights=True)
    model, seen, _ = train(callback, [NAN, 2.0, NAN, 1.0, math.inf, -math.inf])
    assert callback.best == 1.0 and model.weights == [np.array([4.0])] and len(seen) == 6


def test_an_instance_forgets_its_earlier_training():
    callback = EarlyStopping(patience=1)
    train(callback, [1.0, 2.0])
    _, seen, _ = train(callback, [5.0, 4.0, 3.0])
    assert len(seen) == 3 and callback.best == 3.0


def test_unknown_monitor_names_the_nearest_key():
    with pytest.raises(ConfigurationError, match=r"'val_acuracy', but the logs hold loss, val_accuracy\. Did you mean"):
        train(EarlyStopping("val_acuracy", mode="max"), [0.5], monitor="val_accuracy")
    with pytest.raises(ConfigurationError, match="Give fit validation_data or validation_split"):
        train(EarlyStopping(), [0.5], monitor="accuracy")


@pytest.mark.parametrize(
    "name, way",
    [
        ("val_loss", "min"), ("loss", "min"), ("val_accuracy", "max"), ("acc", "max"), ("auc_2", "max"),
        ("score_loss", "min"), ("error_accuracy", "max"), ("mse", "min"), ("energy", None), ("lossy", None),
    ],
)  # fmt: skip
def test_direction_by_name(name, way):
    assert direction(name) == way


def test_a_name_without_a_direction_needs_a_mode():
    with pytest.raises(ConfigurationError, match=r"'energy' whether smaller or larger is better\. Give mode='min'"):
        EarlyStopping("energy")
    assert EarlyStopping("energy", mode="max").falls is False


# ------------------------------------------------------------------------------------------------ learning rates

PLATEAUS = [
    {"patience": 2},
    {"patience": 0, "factor": 0.5},
    {"patience": 1, "factor": 0.3, "cooldown": 3, "min_lr": 0.004},
    {"patience": 3, "factor": 0.5, "mode": "max", "min_delta": 0.055},
]


@pytest.mark.parametrize("arguments", PLATEAUS)
def test_plateaus_reduce_the_rate_as_keras(keras, arguments, monkeypatch):
    ends = set()
    for values in scripts():
        _, epochs = kept(keras.callbacks.ReduceLROnPlateau(**arguments), values)
        _, seen, _ = train(ReduceLROnPlateau(**arguments), values)
        assert [(epoch, rate) for epoch, rate, _ in seen] == epochs
        ends.add(epochs[-1][1])
    assert min(ends) < 0.1


def test_plateau_logs_the_rate_that_the_epoch_had():
    _, seen, _ = train(ReduceLROnPlateau(patience=1, factor=0.5), [1.0, 1.0, 1.0])
    assert [logs["learning_rate"] for *_, logs in seen] == [0.1, 0.1, 0.05]


def test_a_rate_of_32_bits_at_its_lowest_is_not_reduced_again(capsys):
    model = Model(rate=float(np.float32(0.001)))
    train(ReduceLROnPlateau(patience=1, min_lr=0.001, verbose=1), [1.0] * 5, model=model)
    assert model.learning_rate == float(np.float32(0.001)) and capsys.readouterr().out == ""


def test_schedules_of_one_and_of_two_arguments():
    _, seen, _ = train(LearningRateScheduler(lambda epoch: 1 / (1 + epoch)), [1.0] * 3)
    assert [rate for _, rate, _ in seen] == [1.0, 0.5, 1 / 3]
    _, seen, _ = train(LearningRateScheduler(lambda epoch, rate: rate / 2), [1.0] * 3)
    assert [logs["learning_rate"] for *_, logs in seen] == [0.05, 0.025, 0.0125]
    _, seen, _ = train(LearningRateScheduler(lambda epoch: np.float32(0.25)), [1.0])
    assert seen[0][1] == 0.25


def test_an_error_inside_a_schedule_is_its_own():
    def schedule(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        train(LearningRateScheduler(schedule), [1.0])


# -------------------------------------------------------------------------------------------------- saved models


def test_checkpoint_fills_in_epoch_and_logs(tmp_path):
    model, *_ = train(ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}"), [0.5, 0.256])
    assert model.saved == [f"{tmp_path}/new/01-0.50", f"{tmp_path}/new/02-0.26"]
    assert (tmp_path / "new").is_dir()


def test_checkpoint_of_the_best_and_of_weights(tmp_path):
    how = {"save_best_only": True, "save_weights_only": True}
    callback = ModelCheckpoint(tmp_path / "{epoch}", "val_accuracy", **how)
    model, *_ = train(callback, [0.5, 0.4, 0.5, 0.7, NAN], monitor="val_accuracy")
    assert model.saved == [f"weights:{tmp_path}/1", f"weights:{tmp_path}/4"]


def test_checkpoint_every_seven_steps_counts_across_epochs(tmp_path):
    callback, model = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=7), Model()
    every = CallbackList(callback, model, PARAMS)
    assert every.between_steps and not every.wants_batches
    every.on_train_begin()
    for epoch in range(5):
        every.on_epoch_begin(epoch)
        for step in range(1, 4):
            every.on_chunk_end(step, {"loss": 1.0})
        every.on_epoch_end(epoch, {"loss": 1.0})
    assert [path.removeprefix(f"{tmp_path}/") for path in model.saved] == ["3-1", "5-2"]  # steps 7 and 14 of 3 an epoch


def test_checkpoint_names_what_it_cannot_fill_in(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot fill {val_los} .* Did you mean 'val_loss'\?"):
        train(ModelCheckpoint(tmp_path / "{val_los}"), [1.0])


# --------------------------------------------------------------------------------------------------------- files


def test_csv_numbers_are_exact(tmp_path):
    values = [0.1 + 0.2, 1e-300, np.float32(0.1), NAN, -math.inf]
    train(CSVLogger(tmp_path / "deep" / "log.csv", separator=";"), values)
    with open(tmp_path / "deep" / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert list(rows[0]) == ["epoch", "loss", "val_loss"] and [r["epoch"] for r in rows] == list("01234")
    assert np.array_equal([float(r["val_loss"]) for r in rows], [float(v) for v in values], equal_nan=True)


def test_csv_appends_below_the_same_columns(tmp_path):
    path = tmp_path / "log.csv"
    train(CSVLogger(path), [1.0])
    train(CSVLogger(path, append=True), [2.0])
    assert path.read_text() == "epoch,loss,val_loss\n0,10.0,1.0\n0,10.0,2.0\n"
    train(CSVLogger(path), [3.0])
    assert path.read_text() == "epoch,loss,val_loss\n0,10.0,3.0\n"
    with pytest.raises(ConfigurationError, match=r"expected the columns of .*, received 'accuracy' in epoch 1"):
        train(CSVLogger(path, append=True), [1.0], monitor="accuracy")


def test_csv_writes_na_for_a_value_that_is_missing(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    with CallbackList(logger, Model(), PARAMS) as every:
        every.on_train_begin()
        for epoch, logs in enumerate([{"loss": 2.0, "f1": 0.5}, {"loss": 1.0}]):
            every.on_epoch_begin(epoch)
            every.on_epoch_end(epoch, logs)
    assert (tmp_path / "log.csv").read_text() == "epoch,loss,f1\n0,2.0,0.5\n1,1.0,NA\n"


def strict(line):
    """One JSON value, without the tokens that are no JSON."""
    return json.loads(line, parse_constant=lambda token: pytest.fail(f"{token} is no JSON"))


def test_json_lines_are_strict_and_complete(tmp_path):
    train(JSONLogger(tmp_path / "log.jsonl"), [0.5, NAN, math.inf])
    events = [strict(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(e["type"], e["epoch"]) for e in events] == [
        ("train_begin", 0), ("epoch_end", 0), ("epoch_end", 1), ("epoch_end", 2), ("train_end", 2),
    ]  # fmt: skip
    assert [e["logs"].get("val_loss") for e in events] == [None, 0.5, None, None, None]
    assert events[1]["logs"]["loss"] == 10.0 and all(e["time"].endswith("+00:00") for e in events)


@pytest.mark.parametrize("logger", [CSVLogger, JSONLogger])
def test_every_line_is_on_disk_at_once_and_the_file_is_closed_after_an_error(tmp_path, logger):
    path, callback = tmp_path / "log", None
    seen = []

    def look(epoch, logs):
        seen.append(len(path.read_text().splitlines()))
        raise KeyboardInterrupt

    callback = logger(path)
    with pytest.raises(KeyboardInterrupt):
        train([callback, LambdaCallback(on_epoch_end=look)], [1.0])
    assert seen == [2] and callback._file is None


# --------------------------------------------------------------------------------------------------------- resuming


def all_of_them(folder):
    return [
        EarlyStopping(patience=4, restore_best_weights=True),
        ReduceLROnPlateau(patience=1, cooldown=2, factor=0.5),
        ModelCheckpoint(folder / "{epoch}", save_best_only=True),
        CSVLogger(folder / "log.csv"),
        JSONLogger(folder / "log.jsonl"),
    ]


def without_time(path):
    return [{k: v for k, v in strict(line).items() if k != "time"} for line in path.read_text().splitlines()]


@pytest.mark.parametrize("stop", range(1, 9))
def test_resuming_is_equal_to_never_stopping(tmp_path, stop):
    values = [0.9, 0.7, 0.8, 0.75, 0.6, 0.65, 0.66, 0.61, 0.62, 0.5, 0.4]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    model, _, end = train(all_of_them(whole), values)

    broken = Model()
    callbacks = all_of_them(halves)
    with CallbackList(callbacks, broken, PARAMS) as every:
        every.on_train_begin()
        for epoch, value in enumerate(values[: stop + 1]):  # an epoch longer than the state that is kept
            if epoch == stop:
                state, rate = every.get_state(), broken.learning_rate
            every.on_epoch_begin(epoch)
            broken.weights = [np.full(1, epoch + 1.0)]
            every.on_epoch_end(epoch, {"loss": 10.0 - epoch, "val_loss": value})
    broken.saved = [p for p in broken.saved if int(p.rsplit("/", 1)[1]) <= stop]
    broken.learning_rate, broken.stop_training = rate, False
    _, _, again = train(all_of_them(halves), values, model=broken, state=state, first=stop)

    assert again.pop("JSONLogger") != end.pop("JSONLogger") and again == end  # an event more in that file
    assert (broken.learning_rate, broken.weights) == (model.learning_rate, model.weights)
    assert [p.rsplit("/", 1)[1] for p in broken.saved] == [p.rsplit("/", 1)[1] for p in model.saved]
    assert (halves / "log.csv").read_text() == (whole / "log.csv").read_text()
    events = [e for e in without_time(halves / "log.jsonl") if e["type"] != "train_resume"]
    assert events == without_time(whole / "log.jsonl")


def test_state_of_a_callback_that_is_missing_now():
    _, _, state = train([EarlyStopping(patience=3), EarlyStopping("loss")], [1.0])
    assert list(state) == ["EarlyStopping", "EarlyStopping_1"]
    with pytest.raises(ConfigurationError, match="EarlyStopping_1, which is not among the callbacks given now: Early"):
        train(EarlyStopping(patience=3), [1.0], state=state)


def test_restored_weights_survive_a_resume():
    values = [0.5, 0.1, 0.2, 0.3]
    first = EarlyStopping(patience=2, restore_best_weights=True)
    every = CallbackList(first, Model(), PARAMS)
    every.on_train_begin()
    for epoch, value in enumerate(values[:2]):
        every.model = first.model.weights = [np.full(1, epoch + 1.0)]
        every.on_epoch_end(epoch, {"val_loss": value})
    second = EarlyStopping(patience=2, restore_best_weights=True)
    model, seen, _ = train(second, values, state=every.get_state(), first=2)
    assert len(seen) == 2 and model.weights == [np.array([2.0])]


# ---------------------------------------------------------------------------------------------- the list of them


def test_only_hooks_that_are_overridden_are_called_and_wanted():
    class Quiet(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.heard = (epoch, logs, self.model, self.params)

    quiet, model = Quiet(), Model()
    every = CallbackList([quiet], model, PARAMS)
    assert not every.wants_batches and not every.between_steps
    assert {hook: len(heard) for hook, heard in every._listeners.items() if heard} == {"on_epoch_end": 1}
    every.on_train_batch_end(0, {})
    every.on_epoch_end(3, {"loss": 1.0})
    assert quiet.heard == (3, {"loss": 1.0}, model, PARAMS)


def test_batch_hooks_under_both_names_in_the_order_of_the_list():
    heard = []

    class Old(Callback):
        def on_batch_end(self, batch, logs=None):
            heard.append(("old", batch))

    new = LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(("new", batch)))
    every = CallbackList([Old(), new], Model(), PARAMS)
    assert every.wants_batches
    every.on_train_batch_begin(4)
    every.on_train_batch_end(4, {"loss": 1.0})
    assert heard == [("old", 4), ("new", 4)]


def test_what_one_callback_adds_to_the_logs_the_next_one_sees():
    seen = []
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(f1=0.5))
    train([add, LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["f1"]))], [1.0])
    assert seen == [0.5]


def test_all_are_closed_even_if_one_fails():
    closed = []

    class Closing(Callback):
        def __init__(self, name):
            self.name = name

        def close(self):
            closed.append(self.name)
            if self.name == "b":
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), CallbackList([Closing(n) for n in "abc"], Model(), PARAMS):
        pass
    assert sorted(closed) == ["a", "b", "c"]


def test_what_to_do_at_nan():
    assert CallbackList(None, Model(), PARAMS).nan_action == "raise"
    assert CallbackList([EarlyStopping(), TerminateOnNaN()], Model(), PARAMS).nan_action == "stop"
    assert CallbackList(TerminateOnNaN("raise"), Model(), PARAMS).nan_action == "raise"


class Misspelt(Callback):
    def on_epochs_end(self, epoch, logs=None):
        pass


class OfKeras(Callback):
    def on_test_begin(self, logs=None):
        pass


WRONG = [
    (lambda: CallbackList([EarlyStopping], Model(), PARAMS), r"received <class .*Write EarlyStopping\(\.\.\.\)"),
    (lambda: CallbackList([print], Model(), PARAMS), "callbacks expected objects of .*Callback, received <built-in"),
    (lambda: CallbackList([Misspelt()], Model(), PARAMS), "'on_epochs_end', which no training calls. Did you mean"),
    (lambda: CallbackList([OfKeras()], Model(), PARAMS), "'on_test_begin', which no training calls"),
    (lambda: EarlyStopping(patience=-1), "patience to be a whole number of at least 0, received -1"),
    (lambda: EarlyStopping(patience=1.5), "patience to be a whole number"),
    (lambda: EarlyStopping(mode="lowest"), "mode to be 'auto' or 'min' or 'max', received 'lowest'"),
    (lambda: EarlyStopping(min_delta=-0.1), "min_delta to be a number of at least 0"),
    (lambda: EarlyStopping(baseline=NAN), "baseline to be a number, received nan"),
    (lambda: EarlyStopping(monitor=3), "monitor to be a name"),
    (lambda: EarlyStopping(restore_best_weights="yes"), "to be True or False"),
    (lambda: ReduceLROnPlateau(factor=1), "factor to be a number between 0 and 1, received 1"),
    (lambda: ReduceLROnPlateau(cooldown=-2), "cooldown to be a whole number"),
    (lambda: LearningRateScheduler(0.1), "expected a function of the epoch, .* received 0.1"),
    (lambda: train(LearningRateScheduler(lambda e: None), [1.0]), "schedule's result to be .* received None"),
    (lambda: train(LearningRateScheduler(lambda e: -1.0), [1.0]), "schedule's result to be .* received -1.0"),
    (lambda: train(LearningRateScheduler(lambda e: NAN), [1.0]), "schedule's result to be .* received nan"),
    (lambda: ModelCheckpoint("{epoch"), "expected a filepath such as 'run/{epoch:02d}.*received '{epoch'"),
    (lambda: ModelCheckpoint("{epoch.real}"), "only names can stand in braces"),
    (lambda: ModelCheckpoint("{}"), "only names can stand in braces"),
    (lambda: ModelCheckpoint("a", save_freq=0), "save_freq to be 'epoch' or a positive whole number of steps"),
    (lambda: CSVLogger("a", separator=", "), "separator to be one character"),
    (lambda: JSONLogger("a", append=1), "append to be True or False"),
    (lambda: TerminateOnNaN("ignore"), "action to be 'raise' or 'stop'"),
    (lambda: LambdaCallback(on_epoch_end=3), "on_epoch_end to be a function, received 3"),
]


@pytest.mark.parametrize("call, message", WRONG)
def test_wrong_arguments(call, message):
    with pytest.raises(ConfigurationError, match=message):
        call()


def test_messages_are_printed_where_asked_for(capsys, tmp_path):
    train(
        [
            EarlyStopping(patience=2, restore_best_weights=True, verbose=1),
            ReduceLROnPlateau(patience=1, verbose=1),
            ModelCheckpoint(tmp_path / "m", save_best_only=True, verbose=1),
        ],
        [1.0, 2.0, 3.0],
    )
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: saved {tmp_path}/m",
        "Epoch 2: learning rate reduced to 0.01",
        "Epoch 3: learning rate reduced to 0.001",
        "Epoch 3: early stopping",
        "Restored the weights of the best epoch: 1.",
    ]
