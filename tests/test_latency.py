"""Predicting a sample costs little beside the program that computes it, and nothing is skipped for that."""

import sys

import numpy as np
import pytest

import neuroloom as nl
from nets import binary, small
from neuroloom import engines, layers
from neuroloom.errors import DataError, ShapeError
from neuroloom.training import predicting


def calls(act):
    """How many functions of Python an act calls: a measure of its cost that no other process disturbs."""
    count = 0

    def note(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def test_a_prediction_calls_few_functions():
    """It took 1,050 before weights and signatures were looked up instead of made anew, and takes about 200."""
    model, x = small(), binary(n=1)[0]
    model.predict(x, engine="jax")
    model.predict(x, engine="jax")
    assert calls(lambda: model.predict(x, engine="jax")) < 260


def test_a_prediction_calls_as_many_functions_for_a_wide_network_as_for_a_small_one():
    counts = []
    for units in (2, 300):
        model, x = small(units=units), binary(n=1)[0]
        model.predict(x, engine="jax")
        model.predict(x, engine="jax")
        counts.append(calls(lambda m=model, x=x: m.predict(x, engine="jax")))
    assert counts[0] == pytest.approx(counts[1], abs=5)


def test_checks_still_happen_after_many_predictions(training_engine):
    model, x = small(), binary(n=1)[0]
    for _ in range(3):
        model.predict(x)
    with pytest.raises(DataError, match=r"finite.*row 0"):
        model.predict(np.full_like(x, np.nan))
    with pytest.raises(ShapeError):
        model.predict(x[:, :1])
    with pytest.raises(DataError, match="at least one sample"):
        model.predict(x[:0])


def test_new_weights_count_at_the_next_prediction(training_engine):
    model, x = small(), binary(n=4)[0]
    before = model.predict(x)
    model.set_weights([0.5 * w for w in model.get_weights()])
    assert not np.allclose(before, model.predict(x))
    model.compile("sgd", "binary_crossentropy")
    between = model.predict(x)
    model.fit(x, binary(n=4)[1], verbose=0)
    assert not np.array_equal(between, model.predict(x))


def test_a_result_is_the_callers_own(training_engine):
    model, x = small(), binary(n=2)[0]
    first = model.predict(x)
    kept = first.copy()
    model.predict(x + 1)
    assert np.array_equal(first, kept)
    first[:] = 7  # writable
    assert np.array_equal(model.predict(x), kept)


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("row", [0, 3, 4, 9])
@pytest.mark.filterwarnings("error")
def test_a_fault_in_any_piece_is_named_with_its_row(engine, batch_size, row, tmp_path):
    model, x = small(), binary(n=10)[0]
    x[row, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    for given in (x, np.load(tmp_path / "x.npy", mmap_mode="r")):
        with pytest.raises(nl.errors.DataError, match=rf"received nan at x\[{row}, 1\] \(row {row}\)"):
            model.predict(given, batch_size=batch_size, engine=engine)


def test_a_fraction_in_any_piece_is_named_with_its_row():
    model = nl.Sequential([nl.Input((1,), dtype="int32"), layers.Embedding(5, 2)])
    with pytest.raises(nl.errors.DataError, match=r"received 2\.5 in row 7"):
        model.predict(np.where(np.arange(10) == 7, 2.5, 1.0)[:, None], batch_size=3)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float64", "float32"])
def test_numbers_of_any_width_predict_what_floats_do(training_engine, dtype):
    model = small()
    x = np.array([[1, 0], [0, 1], [1, 1]])
    assert np.array_equal(model.predict(x.astype(dtype)), model.predict(x.astype("float32")))


def test_two_networks_of_equal_structure_share_a_program_and_not_their_weights():
    one, other, x = small(), small(), binary(n=5)[0]
    first, second = one.predict(x, engine="jax"), other.predict(x, engine="jax")
    assert not np.array_equal(first, second)
    assert np.array_equal(one.predict(x, engine="jax"), first)


def test_networks_that_are_gone_leave_no_key():
    import gc

    gc.collect()
    before = len(predicting._keys)
    for _ in range(3):
        small().predict(binary(n=1)[0], engine="jax")
    gc.collect()
    assert len(predicting._keys) <= before + 1


def test_pieces_follow_the_widest_array():
    """2²³ / 8 is over the cap; 2²³ / (784 · 4) is 2674; 2²² / (4 · 30 · 30 · 64) is 18, under the least; 2²² /
    (4 · 40 · 60) is 436 and 2²³ would be 873."""

    def piece(*given):
        network = nl.Sequential(list(given)).network
        return predicting._piece(network, [np.zeros((1, *network.inputs.shape[1:]), np.float32)])

    assert piece(layers.Dense(2, input_shape=(2,))) == 16384
    assert piece(layers.Dense(10, input_shape=(784,))) == 2048
    assert piece(layers.Dense(1024, input_shape=(2,))) == 2048
    assert piece(layers.Conv2D(64, 3, input_shape=(32, 32, 1))) == 32
    assert piece(layers.LSTM(8, input_shape=(40, 60))) == 256


def test_an_array_of_the_engine_is_handed_through():
    jax = engines.load("jax")
    x = jax.asarray(np.ones(3, "float32"))
    assert jax.asarray(x) is x and jax.asarray(x, "float32") is x
    assert str(jax.asarray(x, "int32").dtype) == "int32"
    with jax.double():
        wide = jax.asarray(np.ones(3), "float64")
        assert str(wide.dtype) == "float64"
    assert str(jax.asarray(wide).dtype) == "float32"
