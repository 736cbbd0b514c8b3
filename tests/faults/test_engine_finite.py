"""Steps whose loss is finite and whose gradient is not: the weights are those before the step, and it is said."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, ops
from neuroloom.errors import NonFiniteError
from neuroloom.learning import loop

ENTRIES = ("array", "batches", "steps alone", "stream", "train_on_batch")
X = np.arange(1, 15, dtype=np.float32)[:, None]


def root(y, p):
    """√|y - p|, whose derivative at 0 is infinite times 0."""
    return ops.sqrt(ops.abs(y - p))[:, 0]


def build(w=1.0, optimizer=None):
    """y = w x, which the loss calls perfect where the target is w x."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,), name="only")])
    model.set_weights([[[w]]])
    model.compile(optimizer or nl.optimizers.SGD(1e-9), root)  # too small a rate to move a weight of 1
    return model


def targets(bad_step):
    """Batches of two; in one of them a sample has no error."""
    y = 3 * X
    y[2 * bad_step] = X[2 * bad_step]
    return y


class Between(nl.callbacks.Callback):
    between_steps = True


def train(model, entry, y, monkeypatch, **options):
    if entry == "stream":
        monkeypatch.setattr("neuroloom.learning.feed.RESIDENT_SHARE", 0.0)
    if entry == "train_on_batch":
        for i in range(0, len(X), 2):
            model.train_on_batch(X[i : i + 2], y[i : i + 2])
    elif entry == "batches":
        model.fit(((X[i : i + 2], y[i : i + 2]) for i in range(0, len(X), 2)), verbose=0, **options)
    else:
        extra = [Between()] if entry == "steps alone" else []
        callbacks = [*options.pop("callbacks", []), *extra]
        model.fit(X, y, batch_size=2, shuffle=False, verbose=0, callbacks=callbacks, **options)


@pytest.mark.parametrize("bad_step", [0, 4, 6])
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_gradient_that_is_not_finite_leaves_the_weights_before_its_step(
    training_engine, monkeypatch, bad_step, entry
):
    """Fault 16: the error said that the weights are those before the step, and they were NaN.

    With √|y - p| and targets 3 x the weight moves by a known way in each step: the same network trained on the batches
    before the bad one says where it has to be.
    """
    model, other = build(1.0, nl.optimizers.Adam(1e-9)), build(1.0, nl.optimizers.Adam(1e-9))
    y = targets(bad_step)
    step = 1 if entry == "train_on_batch" else bad_step + 1
    with pytest.raises(NonFiniteError, match=rf"loss is finite.*step {step} of epoch 1.*gradient of.*'only/kernel'"):
        train(model, entry, y, monkeypatch)
    if bad_step:
        other.fit(X[: 2 * bad_step], y[: 2 * bad_step], batch_size=2, shuffle=False, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    assert int(model._state.step) == bad_step
    for name, slot in model._state.slots.items():
        found = np.asarray(slot["only/kernel"])
        assert np.isfinite(found).all()
        if bad_step:
            np.testing.assert_array_equal(found, np.asarray(other._state.slots[name]["only/kernel"]))
    model.fit(X, 3 * X, batch_size=2, verbose=0)  # usable further
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_later_epoch_is_named_and_the_rate_of_each_epoch_is_used_again(training_engine, monkeypatch):
    """Fault 16: what is run again has the learning rates and weights that callbacks set in between."""
    y = 3 * X
    results = []
    for epochs in (2, 3):
        model = build()

        def change(epoch, logs, model=model):
            model.learning_rate = 0.01 / (1 + epoch)
            if epoch == 2:
                model.set_weights([[[3.0]]])  # every error is 0

        told = nl.callbacks.LambdaCallback(on_epoch_begin=change)
        options = {"batch_size": 4, "epochs": epochs, "verbose": 0, "callbacks": [told]}
        if epochs == 3:
            with pytest.raises(NonFiniteError, match="step 1 of epoch 3"):
                model.fit(X, y, **options)
        else:
            model.fit(X, y, **options)
        results.append((model.get_weights()[0].item(), int(model._state.step)))
    assert results[1] == (3.0, results[0][1])
    assert results[0][0] != 1.0


@pytest.mark.parametrize("bad_step", [0, 1, 4, 6])
def test_terminate_on_nan_ends_with_the_loss_of_the_step_and_says_why(training_engine, bad_step):
    """Fault 16: the training ended quietly. Loss by hand: the mean of √|y - x| over the samples up to the bad step."""
    model, y = build(), targets(bad_step)
    with pytest.warns(RuntimeWarning, match=rf"step {bad_step + 1} of epoch 1.*gradient of the weight 'only/kernel'"):
        history = model.fit(
            X, y, batch_size=2, shuffle=False, epochs=3, verbose=0, callbacks=[nl.callbacks.TerminateOnNaN()]
        )
    seen = slice(0, 2 * (bad_step + 1))
    expected = np.sqrt(np.abs(y[seen] - X[seen])).mean()
    assert history.history["loss"] == [pytest.approx(float(expected), rel=1e-5)]
    assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize("kept", [0.0, 1e9])
def test_steps_are_found_from_old_copies_and_from_new_ones(training_engine, monkeypatch, kept):
    """Fault 16: an engine that works in place copies the state now and then; chunks of three steps."""
    monkeypatch.setattr(loop, "KEPT", kept)
    monkeypatch.setattr(loop, "_length", lambda seconds, left: min(left, 3))
    model, other, x, y = build(1.0, nl.optimizers.Adam(0.01)), build(1.0, nl.optimizers.Adam(0.01)), X.copy(), 30 * X
    other.fit(x[:10], y[:10], batch_size=2, shuffle=False, verbose=0)
    w = other.get_weights()[0].item()
    x[10:12] = 4.0
    y[10:12] = 4 * w  # exact
    with pytest.raises(NonFiniteError, match="step 6 of epoch 1"):
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    assert model.get_weights()[0].item() == w != 1.0


def test_statistics_of_batch_normalisation_are_watched_too(training_engine):
    """Fault 16: the variance of 1e30 overflows, the loss is finite, and predictions were those of infinite variance."""
    model = nl.Sequential([layers.BatchNormalization(input_shape=(1,), name="norm"), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(NonFiniteError, match="norm/moving_variance"):
        model.fit([[1e30], [-1e30]], [[0.0], [1.0]], verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shuffle", [False, True])
def test_members_of_a_population_end_one_by_one(training_engine, shuffle):
    """Fault 16: each ends as it would alone; those that never meet a 0 go on."""
    y = 5 * X
    y[4], y[8] = X[4], 3 * X[8]  # no error for weights of 1 and of 3
    weights = (1.0, 2.0, 3.0, 0.25)
    population, alone = [build(w) for w in weights], [build(w) for w in weights]
    for a, b in zip(population, alone, strict=True):
        b._seed = a._seed
    options = {"batch_size": 2, "epochs": 2, "verbose": 0, "shuffle": shuffle}
    with pytest.warns(RuntimeWarning, match="gradient"):
        nl.fit_many(population, X, y, **options)
    for model, other, fails in zip(population, alone, (True, False, True, False), strict=True):
        if fails:
            with pytest.raises(NonFiniteError):
                other.fit(X, y, **options)
        else:
            other.fit(X, y, **options)
        assert len(model.history.epoch) == (1 if fails else 2)
        assert int(model._state.step) == int(other._state.step)
        np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
        assert np.isfinite(model.history.history["loss"]).all()


def test_a_population_of_which_all_fail_raises(training_engine):
    """Fault 16: with losses of 0 nothing was said."""
    with (
        pytest.warns(RuntimeWarning, match="gradient"),
        pytest.raises(NonFiniteError, match="gradients of all 2 models"),
    ):
        nl.fit_many([build(), build()], X, X, epochs=3, verbose=0)


def test_the_loss_of_an_evaluation_that_is_not_finite_is_not_zero(training_engine):
    """Fault 16: the log behind the step at which an evaluation stopped was read, and is zeros."""
    x = np.ones((40, 1), np.float32)
    x[4] = 3e38
    model = build()
    model.compile("sgd", "mse")
    assert not np.isfinite(model.evaluate(x, 0 * x, batch_size=2, verbose=0))
    history = model.fit(x[:2], x[:2], validation_data=(x, 0 * x), batch_size=2, epochs=2, verbose=0)
    assert not np.isfinite(history.history["val_loss"]).any()
