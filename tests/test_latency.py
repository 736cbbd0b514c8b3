"""Predicting a sample costs little beside the program that computes it, and nothing is skipped for that."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import neuroloom as nl
from nets import binary, small
from neuroloom import engines, layers
from neuroloom.engines.torch import record as torch_record
from neuroloom.errors import DataError, ShapeError
from neuroloom.learning import loop, predicting


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


@pytest.mark.parametrize(("engine", "most"), [("numpy", 180), ("jax", 95), ("torch", 190)])
def test_a_prediction_calls_few_functions(engine, most):
    model, x = small(), binary(n=1)[0]
    for _ in range(4):  # the first ones compile, or record
        model.predict(x, engine=engine)
    assert calls(lambda: model.predict(x, engine=engine)) < most


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


def recordings(monkeypatch):
    """The numbers of rows that a plan of the PyTorch engine computes from here on, one per call."""
    rows = []
    run = torch_record._Entry.run

    def noted(self, args):
        rows.append(args[1][0].shape[0])
        return run(self, args)

    monkeypatch.setattr(torch_record._Entry, "run", noted)
    return rows


def test_small_calls_of_torch_are_recorded_and_large_ones_are_not(monkeypatch):
    """2-300-300-1 takes 90,900 multiplications a row: 184 rows are below 2²⁴, 185 above."""
    rows = recordings(monkeypatch)
    model = nl.Sequential([layers.Dense(300, "tanh", input_shape=(2,)), layers.Dense(300, "tanh"), layers.Dense(1)])
    x = np.random.default_rng(0).random((185, 2), np.float32)
    for _ in range(4):
        model.predict(x[:184], engine="torch")
        model.predict(x, engine="torch")
    assert rows == 4 * [184]
    assert np.allclose(model.predict(x[:9], engine="torch"), model.predict(x[:9], engine="numpy"), atol=1e-6)


def test_recorded_predictions_follow_weights_shapes_and_layouts(monkeypatch):
    rows = recordings(monkeypatch)
    model, (x, _) = small(units=7), binary(n=12)
    wide = [w.shape for w in model.get_weights()]
    rng = np.random.default_rng(0)
    for n in (1, 1, 1, 1, 12, 3, 1, 12, 5, 6, 7, 8, 9, 10, 11, 12):
        new = [rng.random(shape[::-1], np.float32).T for shape in wide]
        model.set_weights(new)
        for layer in model.network.layers.values():  # transposed, as a user's own tensors may be
            layer.assign({key: torch.from_numpy(np.array(a).T.copy().T) for key, a in layer.arrays().items()})
        found = model.predict(x[:n], engine="torch")
        assert np.allclose(found, model.predict(x[:n], engine="numpy"), atol=1e-6), n
    assert rows[:4] == [1, 1, 1, 1] and 12 in rows


def test_threads_may_predict_with_one_model(training_engine):
    model, x = small(), binary(n=16)[0]
    expected = {n: model.predict(x[:n], engine="numpy") for n in range(1, 17)}

    def many(start):
        for i in range(start, start + 100):
            n = i % 16 + 1
            assert np.allclose(model.predict(x[:n]), expected[n], atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))


def test_what_a_network_hands_through_is_the_callers_own(training_engine):
    end = nl.Input((2,))
    model, x = nl.Model(end, [end, layers.Dense(2)(end)]), np.ones((1, 2), np.float32)
    for _ in range(4):
        same, _ = model.predict(x)
        same[:] = 7
        assert np.array_equal(x, np.ones((1, 2)))


def test_a_copy_predicts_with_the_program_of_the_original(training_engine):
    model, x = small(units=5), binary(n=3)[0]
    expected, before = model.predict(x), loop.compilations()
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(copied.predict(x), expected)
    assert loop.compilations() == before


def test_many_calls_are_recorded_unless_that_takes_much_memory():
    """A row of 1000-1000-1000 takes 2·10⁶ multiplications and 12 kB; 2²⁸ bytes are 22,369 rows of them."""
    wide = nl.Sequential([layers.Dense(1000, input_shape=(1000,)), layers.Dense(1000)]).network
    for n, size, recorded in (
        (8, 8, True), (9, 9, False), (31 * 9, 9, False), (32 * 9, 9, True), (10**6, 22369, True), (10**6, 22370, False),
    ):  # fmt: skip
        assert predicting._is_to_record(wide, n, size) is recorded, (n, size)


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
