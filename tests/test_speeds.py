"""engine='auto' and the table of speeds that it asks."""

import json

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import engines, layers
from neuroloom.engines import dispatch
from neuroloom.errors import UnknownNameError
from neuroloom.learning import speeds
from neuroloom.learning.speeds import Row, Table, fastest, hint, kind_of, work_of
from neuroloom.models import references


def network(*stack, shape):
    return nl.Sequential([nl.Input(shape), *stack]).network


DENSE = network(layers.Dense(8), layers.Dense(1), shape=(3,))
LSTM = network(layers.Embedding(50, 6), layers.LSTM(4), layers.Dense(2), shape=(10,))
CONV = network(layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(2), shape=(8, 6, 2))


def use_table(monkeypatch, *rows, device="cpu"):
    found = Table("here", device, tuple(Row(*row) for row in rows))
    monkeypatch.setattr(speeds, "table", lambda: found)


@pytest.mark.parametrize(
    ("one", "kind", "work"),
    [
        (DENSE, "dense", 3 * 8 + 8 * 1),
        (LSTM, "recurrent", 10 * (6 * 16 + 4 * 16) + 4 * 2),
        (CONV, "convolutional", (6 * 4) * (3 * 3 * 2 * 5) + (6 * 4 * 5) * 2),
        (network(layers.Dense(4), shape=(7, 3)), "dense", 7 * 3 * 4),
        (network(layers.SimpleRNN(4), shape=(None, 3)), "recurrent", 32 * (3 * 4 + 4 * 4)),
    ],
)
def test_kind_and_work_by_hand(one, kind, work):
    assert (kind_of(one), work_of(one)) == (kind, work)


def test_work_of_a_model_inside_a_model_counts():
    inner = nl.Sequential([nl.Input((3,)), layers.Dense(8), layers.Dense(1)])
    assert work_of(network(inner, layers.Dense(5), shape=(3,))) == 3 * 8 + 8 + 5


def test_the_nearest_reference_of_the_same_kind_counts(monkeypatch):
    use_table(
        monkeypatch,
        ("small", "dense", 1e2, {"jax": 1.0, "torch": 3.0}),
        ("large", "dense", 1e6, {"jax": 3.0, "torch": 1.0}),
        ("cells", "recurrent", 1e2, {"jax": 3.0, "torch": 1.0}),
    )
    assert fastest(DENSE, 1) == "jax"
    assert fastest(DENSE, 100_000) == "torch"  # 3.2e6 products a step
    assert fastest(LSTM, 1) == "torch"
    assert fastest(CONV, 1) == "jax"  # nothing is known: the engine in use
    with engines.engine("torch"):
        assert fastest(CONV, 1) == "torch"


@pytest.mark.parametrize(("torch", "best"), [(1.15, "jax"), (1.14, "torch")])
def test_the_engine_in_use_stays_where_another_is_hardly_faster(monkeypatch, torch, best):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 1.2, "torch": torch}))
    assert fastest(DENSE, 1) == best


def test_engines_that_are_not_installed_do_not_count(monkeypatch):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 3.0, "torch": 1.0}))
    there = dispatch.installed
    monkeypatch.setattr(dispatch, "installed", lambda name: name != "torch" and there(name))
    assert fastest(DENSE, 1) == "jax"
    assert hint(DENSE, 1, engines.load("jax")) is None


def test_a_table_of_another_device_says_nothing(monkeypatch):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 3.0, "torch": 1.0}), device="gpu")
    assert fastest(DENSE, 1) == "jax"
    assert hint(DENSE, 1, engines.load("jax")) is None


@pytest.mark.parametrize(("torch", "said"), [(1.0, True), (2.0, True), (2.1, False), (3.5, False)])
def test_the_hint_comes_from_one_and_a_half_times_on(monkeypatch, torch, said):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 3.0, "torch": torch}))
    line = hint(DENSE, 1, engines.load("jax"))
    assert (line is not None) == said
    if line:
        assert f"about {3 / torch:.1f} times" in line
        assert "engine='torch'" in line


def trained(**how):
    model = nl.Sequential([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    model.fit(x, np.arange(20) % 3, **how)
    return model, x


def test_fit_says_so_once_and_only_when_nothing_was_chosen(monkeypatch, capsys):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 3.0, "torch": 1.0}))
    monkeypatch.setattr("neuroloom.models.model._said", set())
    for how, times in (({"verbose": 0}, 0), ({"verbose": 2, "engine": "jax"}, 0), ({"verbose": 2}, 1), ({}, 0)):
        trained(**how)
        assert capsys.readouterr().out.count("The torch engine is about 3.0 times as fast as jax") == times, how


def test_predicting_has_rows_of_its_own(monkeypatch):
    times = {"jax": 3.0, "numpy": 1.0, "torch": 2.0}
    use_table(
        monkeypatch,
        ("small", "dense", 1e2, {"jax": 1.0, "torch": 3.0}, "train", 4),
        ("small", "dense", 1e2, times, "predict", 1),
        ("small", "dense", 1e4, times | {"torch": 0.5}, "predict", 100),
    )
    assert [fastest(DENSE, n) for n in (1, 1000)] == ["jax", "jax"]
    assert [fastest(DENSE, n, "predict") for n in (1, 1000)] == ["numpy", "torch"]  # 32 and 32,000 products
    model, x = trained(verbose=0, engine="auto")
    used = []
    load = engines.load
    monkeypatch.setattr(engines, "load", lambda name: used.append(name) or load(name))
    one, all_of_them = model.predict(x[:1], engine="auto"), model.predict(np.repeat(x, 50, 0), engine="auto")
    assert used == ["numpy", "torch"]
    np.testing.assert_allclose(one[0], all_of_them[0], rtol=1e-5)
    np.testing.assert_allclose(all_of_them[::50], model.predict(x, engine="jax"), rtol=1e-5)


@pytest.mark.parametrize("best", ["jax", "torch"])
def test_auto_computes_on_the_engine_of_the_table(monkeypatch, best):
    times = {"jax": 2.0, "torch": 2.0, best: 1.0}
    use_table(monkeypatch, ("small", "dense", 1e2, times), ("small", "dense", 1e2, times, "predict"))
    model, x = trained(verbose=0, engine="auto")
    assert model.layers[0].arrays()["kernel"].__class__.__module__.partition(".")[0].startswith(best)
    used = []
    load = engines.load
    monkeypatch.setattr(engines, "load", lambda name: used.append(name) or load(name))
    model.evaluate(x, np.arange(20) % 3, verbose=0, engine="auto")
    model.predict(x, engine="auto")
    model.train_on_batch(x, np.arange(20) % 3, engine="auto")
    assert used.count(best) >= 3
    assert used.count({"jax": "torch", "torch": "jax"}[best]) == 0


def test_auto_trains_as_the_engine_would_by_name(monkeypatch):
    use_table(monkeypatch, ("small", "dense", 1e2, {"jax": 3.0, "torch": 1.0}))
    weights = []
    for engine in ("auto", "torch"):
        nl.utils.set_random_seed(3)
        weights.append(trained(verbose=0, engine=engine)[0].get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_use_does_not_take_auto():
    with pytest.raises(UnknownNameError, match="auto"):
        nl.use("auto")


def test_the_shipped_table_is_of_these_references_and_engines():
    shipped = {(row.name, row.task, row.samples): row for row in Table.read(speeds.SHIPPED).rows}
    expected = {}
    for reference in references.REFERENCES:
        dtype = "int32" if reference.indices else "float32"
        one = nl.Sequential([nl.Input(reference.sample, dtype), *reference.build()]).network
        expected[reference.name, "train", reference.batch_size] = one, {"jax", "torch"}
        for n in references.SAMPLES:
            expected[reference.name, "predict", n] = one, {"jax", "numpy", "torch"}
    assert shipped.keys() == expected.keys()
    for key, (one, names) in expected.items():
        row = shipped[key]
        assert (row.kind, row.work) == (kind_of(one), work_of(one) * key[2])
        assert set(row.ms) == names and min(row.ms.values()) > 0


def test_a_table_survives_its_file_and_a_broken_one_gives_way_to_the_shipped(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROLOOM_CACHE", str(tmp_path / "new"))
    speeds.table.cache_clear()
    mine = Table("mine", "cpu", (Row("a", "dense", 5.0, {"jax": 1.0}),))
    mine.save(speeds.measured_path())
    try:
        assert speeds.table() == mine
        for broken in ("{", "[]", json.dumps({"machine": "x", "device": "cpu", "rows": [{"nam": 1}]})):
            speeds.measured_path().write_text(broken)
            speeds.table.cache_clear()
            assert speeds.table() == Table.read(speeds.SHIPPED)
    finally:
        speeds.table.cache_clear()


def test_measuring_times_training_and_predicting_on_every_engine_that_can(monkeypatch):
    tiny, *_, text = references.REFERENCES
    monkeypatch.setattr(references, "REFERENCES", (tiny, text))
    monkeypatch.setattr(references, "STEPS", 2)
    monkeypatch.setattr(references, "CALL_SECONDS", 0.01)
    monkeypatch.setattr(references, "SECONDS", 0.0)
    monkeypatch.setattr(references, "PAUSE", 0.0)
    monkeypatch.setattr(references, "SAMPLES", (1, 256))
    told = []
    found = references.measure(told.append)
    assert list(found.rows) == told
    assert [(row.name, row.kind, row.task, row.samples, set(row.ms)) for row in told] == [
        (name, kind, task, samples, {"jax", "torch"} if task == "train" else {"jax", "numpy", "torch"})
        for name, kind, batch in (("tiny", "dense", 16), ("text lstm", "recurrent", 32))
        for task, samples in (("train", batch), ("predict", 1), ("predict", 256))
    ]
    tiny, text = told[0], told[3]
    assert 0 < tiny.ms["jax"] < text.ms["jax"]  # 10,000 times the work
    assert told[4].ms["numpy"] < told[5].ms["numpy"]
    assert found.device == "cpu"
