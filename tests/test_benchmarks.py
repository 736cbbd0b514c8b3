"""The benchmarks: tables in order, peers that compute the same, work counted by hand, records that grow, no drift."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optax", reason="optax is not installed: pip install optax")

from benchmarks import __main__ as command
from benchmarks import compare, page, peers, plot, readme, records, report, roofline, rows, targets, textbook, worker
from benchmarks import data as benchmark_data
from benchmarks.data import Data
from benchmarks.measure import Workers, measure
from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, MaxPool, first_weights
from benchmarks.rows import BINARY, CATEGORICAL, Optimizer, Row
from benchmarks.tasks import Many, Predict, Reach, Train, fitting
from benchmarks.work import Product, work

pytestmark = pytest.mark.slow  # they start the peers, each in a process of its own

NETWORKS = {
    "dense": ((Dense(7, "tanh"), Dense(5, "relu"), Dense(1, "sigmoid")), (3,), BINARY),
    "conv": ((Conv(4), MaxPool(), Conv(5, 2), Flatten(), Dense(3, "softmax")), (9, 11, 2), CATEGORICAL),
    "lstm": ((LSTM(6), Dense(3, "softmax")), (5, 4), CATEGORICAL),
    "words": ((Embedding(9, 4), LSTM(6), Dense(1, "sigmoid")), (5,), BINARY),
    "autoencoder": ((Dense(3, "tanh"), Dense(6, "sigmoid")), (6,), BINARY),
}
SAMPLES, BATCH = 44, 8  # the last batch has 4
HERE = [name for name, peer in peers.PEERS.items() if peer.environment.get("KERAS_BACKEND", "jax") == "jax"]
"""Peers that can run inside this process."""


def problem(name):
    network, shape, loss = NETWORKS[name]
    rng = np.random.default_rng(5)
    x = rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
    y = rng.integers(0, 3, SAMPLES, dtype=np.int32)
    y = (y[:, None] == 1).astype(np.float32) if loss == BINARY else y
    if name == "words":
        x = rng.integers(0, 9, x.shape, dtype=np.int32)
    if name == "autoencoder":
        x = y = 1 / (1 + np.exp(-x))
    free = name == "autoencoder"
    row = Row(name, name, lambda: Data(x, y, "numbers"), network, BATCH, Optimizer("Adam", 0.01), loss, Train(),
              metric=None if free else "accuracy", functional=free)  # fmt: skip
    return row, x, y


def bench(peer, name):
    row, x, y = problem(name)
    return peers.Bench(peers.PEERS[peer], row, x, y, threads=2)


# -------------------------------------------------------------------------------------------------------- tables


def test_the_tables_are_well_formed():
    endings = {BINARY: "sigmoid", CATEGORICAL: "softmax"}
    for name, row in rows.EVERY.items():
        assert row.name == name
        assert row.network[-1].activation == endings[row.loss]
        assert set(row.peers) <= set(peers.PEERS)
    for peer in peers.PEERS.values():
        assert set(peer.only) <= set(rows.EVERY)
    assert not set(rows.ROWS) & set(rows.GPU_ROWS)
    for target in targets.TARGETS:
        limits = target.least if isinstance(target, targets.Faster) else target.most
        assert set(limits) <= set(rows.EVERY)
        assert {target.subject, *getattr(target, "against", ())} <= set(peers.PEERS)


def test_the_targets_are_those_that_were_asked_for():
    fastest = targets.TARGETS[0].least
    asked = {"tiny": 40, "deep": 4, "mlp": 1.4, "imdb": 1.5, "cnn": 1.2, "lstm": 1.1}
    assert {name: fastest[name] for name in asked} == asked
    others = {
        "mlp-batch-1",
        "mlp-batch-32",
        "mlp-batch-1024",
        "imdb-lstm",
        "autoencoder",
        "predict-1",
        "predict-100000",
    }
    assert {name: least for name, least in fastest.items() if name not in asked} == dict.fromkeys(others, 0.95)
    assert "scan" not in targets.TARGETS[0].against and "torch-compile" in targets.TARGETS[0].against


def test_the_pinned_versions_are_those_of_the_committed_record():
    lines = Path(peers.__file__).parents[1].joinpath("requirements.txt").read_text().split()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    committed = json.loads(readme.RESULTS.read_text())
    for row in committed["rows"].values():
        for result in row["peers"].values():
            for library, version in result.get("versions", {}).items():
                assert version.partition("+")[0] == pinned[library]
    assert set(pinned) == {"numpy", "minisom"}.union(*(peer.libraries for peer in peers.PEERS.values()))
    committed = json.loads(next(textbook.RESULTS.glob("textbook-cpu-*.json")).read_text())
    assert all(pinned[library] == version for library, version in committed["versions"].items())


@pytest.mark.parametrize(
    "name, input_shape, count",
    [
        ("tiny", (2,), 33),
        ("deep", (784,), 129_930),
        ("mlp", (784,), 407_050),
        ("cnn", (28, 28, 1), 34_826),
        ("lstm", (40, 60), 104_508),
        ("imdb", (10_000,), 160_305),
        ("imdb-lstm", (80,), 328_353),
        ("autoencoder", (784,), 50_992),
        ("many-digits", (64,), 4_810),
    ],
)
def test_the_networks_have_the_published_number_of_weights(name, input_shape, count):
    weights = first_weights(rows.ROWS[name].network, input_shape)
    assert sum(w.size for layer in weights for w in layer) == count


def test_words_of_reviews_are_padded_before_and_cut_to_the_last(monkeypatch):
    reviews = [[5, 6], [1, 2, 3, 4, 5, 6, 7]]
    monkeypatch.setattr(benchmark_data, "_reviews", lambda samples, words: (reviews, np.ones((2, 1)), "two"))
    assert benchmark_data.imdb_words(2, 10, length=4).x.tolist() == [[0, 0, 5, 6], [4, 5, 6, 7]]
    assert benchmark_data.imdb(2, 8).x.tolist() == [[0, 0, 0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 1, 1, 1, 1]]


# --------------------------------------------------------------------------------------------------------- peers


def pairs():
    """Each way of writing a network with each kind of network; peers that differ in settings only, with one kind."""
    seen = {"neuroloom"}
    for peer in (name for name in HERE if name not in ("neuroloom-jax", "sklearn")):
        module, compiled = peers.PEERS[peer].module, peers.PEERS[peer].options.get("compiled")
        kinds = NETWORKS if module not in seen or peer == "neuroloom-torch" else ["dense"]
        seen.add(module)
        yield from (pytest.param(peer, kind, marks=[pytest.mark.slow] if compiled else []) for kind in kinds)


@pytest.mark.parametrize("peer, name", list(pairs()))
def test_peers_learn_and_predict_alike(peer, name, keras):
    """From the same weights, on the same batches, the same loss and accuracy, epoch by epoch; the same predictions.

    PyTorch and optax add Adam's epsilon at another place than Keras, which is the tolerance.
    """
    one, reference = bench(peer, name).run(), bench("neuroloom-jax", name).run()
    x = problem(name)[1]
    np.testing.assert_allclose(one.predict(x[:3]), reference.predict(x[:3]), atol=2e-5)
    found, expected = (np.array(run.train(4, shuffle=False)) for run in (one, reference))
    assert np.ptp(expected[:, 0]) > 0.005  # it learns, so that a peer which does not is seen
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=2e-4)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=1.01 / SAMPLES)
    np.testing.assert_allclose(one.predict(x), reference.predict(x), atol=1e-3)


@pytest.mark.parametrize("peer", ["neuroloom-jax", "scan", "torch"])
def test_many_networks_learn_as_each_alone(peer):
    given = bench(peer, "dense")
    together = np.array(given.many(3)(4, shuffle=False))
    alone = [
        peers.PEERS["torch"].load().build(given.row, given.x, given.y, given.weights(seed), 1) for seed in range(3)
    ]
    expected = np.array([run.train(4, shuffle=False) for run in alone])
    assert together.shape == (3, 4, 2)
    assert np.ptp(expected[:, 0, 0]) > 0.01  # the networks differ
    np.testing.assert_allclose(together[..., 0], expected[..., 0], rtol=2e-4)


def test_scikit_learn_learns_and_says_what_it_cannot_express():
    run = bench("sklearn", "dense").run()
    losses = [loss for call in (3, 20) for loss, _ in run.train(call)]
    assert len(losses) == 23 and losses[-1] < losses[0] - 0.05
    assert run.predict(problem("dense")[1]).shape == (SAMPLES, 2)
    for name in ("conv", "lstm", "words", "autoencoder"):
        with pytest.raises(peers.Absent, match="dense layers, class labels"):
            bench("sklearn", name).run()


def test_rows_in_half_precision_are_rounded_and_absent_where_a_library_has_none():
    row, x, y = problem("dense")
    half = replace(row, dtype="bfloat16")
    with pytest.raises(peers.Absent, match="float32 only"):
        peers.Bench(peers.PEERS["sklearn"], half, x, y, 2).run()
    exact = np.array(bench("scan", "dense").run().train(2, shuffle=False))
    for peer in ("scan", "torch", "neuroloom-jax", "neuroloom-torch"):
        rounded = np.array(peers.Bench(peers.PEERS[peer], half, x, y, 2).run().train(2, shuffle=False))
        assert 1e-6 < abs(rounded - exact)[:, 0].max() < 0.02


# --------------------------------------------------------------------------------------------------------- tasks


class Clock:
    """A peer whose training and predicting take a known time."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr("benchmarks.tasks.time.perf_counter", lambda: self.now)

    def train(self, epochs, shuffle=True):
        self.calls.append(epochs)
        self.now += 0.1 * epochs

    def predict(self, x):
        self.calls.append(len(x))
        self.now += 0.002
        return np.eye(2)[np.zeros(len(x), int) if self.calls.count(1) < 5 else np.ones(len(x), int)]

    def bench(self, samples=40):
        run = peers.Run(self.train, self.predict)
        row = replace(problem("dense")[0], batch_size=8)
        found = peers.Bench(peers.PEERS["torch"], row, np.zeros((samples, 3)), np.ones(samples), 1)
        found.run, found.many = lambda: run, lambda members: self.together(members)
        return found

    def together(self, members):
        def train(epochs, shuffle=True):
            self.now += 0.05 * members * epochs

        return train


def test_tasks_give_times_per_step_and_per_call(monkeypatch):
    clock = Clock(monkeypatch)
    first, once = Train().ready(clock.bench())
    assert (first, once()["value"]) == (pytest.approx(0.1), pytest.approx(100 / 5))  # 5 steps in an epoch
    assert clock.calls == [1, 1, 2, 4, 5]  # one that compiles; the time of further ones; 0.6 s in binary: not for 6
    once = Predict(7).ready(clock.bench()).once
    assert once()["value"] == pytest.approx(2)
    clock.calls.clear()
    assert once()["value"] == pytest.approx(2)
    assert len(clock.calls) == pytest.approx(300, abs=1) and set(clock.calls) == {7}
    once = Many(4).ready(clock.bench()).once
    assert once() == {"value": pytest.approx(200 / 5), "one": pytest.approx(100 / 5)}


def test_reach_counts_training_only_until_the_held_out_samples_are_right(monkeypatch):
    clock = Clock(monkeypatch)
    given = clock.bench(samples=50)
    once = Reach(0.99, held_out=10).ready(given).once
    assert len(given.x) == 40
    assert once()["value"] == pytest.approx(0.4)  # 4 epochs after the one that compiles
    hopeless = clock.bench(samples=50)
    hopeless.run = lambda: peers.Run(clock.train, lambda x: np.eye(2)[np.zeros(len(x), int)])
    once = Reach(0.99, held_out=10, most_epochs=2).ready(hopeless).once
    with pytest.raises(RuntimeError, match="not reached in 2 epochs"):
        once()


@pytest.mark.parametrize(
    ("call", "epoch", "count"),
    [(0, 2**-10, 614), (0, 0.25, 2), (0, 5.0, 1), (0.25, 0.125, 4), (0.5, 0.125, 4), (2.0, 0.125, 1)],
)
def test_measurements_go_by_the_time_of_a_further_epoch(monkeypatch, call, epoch, count):
    clock = Clock(monkeypatch)

    def act(n):
        clock.now += call + n * epoch

    assert fitting(act)() == count


def test_a_peer_that_gets_ready_beside_another_is_not_measured_yet(monkeypatch):
    clock = Clock(monkeypatch)
    Train().ready(clock.bench())
    assert clock.calls == [1]


def test_a_slow_spell_in_between_does_not_make_a_measurement_endless(monkeypatch):
    clock, times = Clock(monkeypatch), iter([0.3, 0.3])

    def act(n):
        clock.now += next(times)

    assert fitting(act)() == 16  # as if a further one took an eighth of the first


# ------------------------------------------------------------------------------------------- work and rooflines


def test_work_of_dense_layers_counted_by_hand():
    found = work(rows.ROWS["mlp"], (784,))
    assert found.flop == 2 * 128 * (2 * 784 * 512 + 3 * 512 * 10)  # no gradient of the inputs
    numbers = 128 * (2 * 784 + 4 * (512 + 10)) + 407_050 * (6 + 2)  # RMSprop has one slot
    assert found.bytes == 4 * numbers


def test_work_of_other_layers_counted_by_hand():
    cnn = work(rows.ROWS["cnn"], (28, 28, 1))
    convolutions = 2 * 26 * 26 * 9 * 32 + 3 * 11 * 11 * 288 * 64
    assert cnn.flop == 2 * 128 * (convolutions + 3 * 1600 * 10)
    recurrent = work(rows.ROWS["lstm"], (40, 60))
    assert recurrent.flop == 2 * 128 * (2 * 40 * 60 * 512 + 3 * 40 * 128 * 512 + 3 * 128 * 60)
    assert Product(128, 128, 512, 40) in recurrent.products and Product(128, 5120, 512) in recurrent.products
    words = work(rows.ROWS["imdb-lstm"], (80,))
    assert words.flop == 2 * 128 * (3 * 80 * 32 * 128 + 3 * 80 * 32 * 128 + 3 * 32)  # an embedding lies before


def test_work_of_many_and_of_predicting():
    one = work(replace(rows.ROWS["many-tiny"], task=Train()), (2,))
    assert work(rows.ROWS["many-tiny"], (2,)).flop == pytest.approx(64 * one.flop)
    assert work(rows.ROWS["many-tiny"], (2,)).bytes == 64 * one.bytes
    assert work(rows.ROWS["predict-100000"], (784,)).flop == pytest.approx(2e5 * (784 * 512 + 5120))
    assert work(rows.ROWS["predict-1"], (784,)).bytes == 4 * (784 + 2 * 522 + 407_050)
    assert work(rows.ROWS["start"], (784,)) is None


def test_xla_counts_the_same_arithmetic_in_a_dense_network():
    """XLA's own count has the operations between the products, too: at most a tenth more here."""
    import jax

    row = rows.ROWS["mlp"]
    module, weights = peers.PEERS["scan"].load(), first_weights(row.network, (784,))
    x, y = np.zeros((128, 784), np.float32), np.zeros(128, np.int32)
    loss = lambda w: module.categorical(module.logits_of(row, w, x), y)[0]  # noqa: E731
    counted = jax.jit(jax.grad(loss)).lower(weights).compile().cost_analysis()["flops"]
    assert 0.99 < counted / work(row, (784,)).flop < 1.1


def entry(name, shape, **more):
    return {"data": "numbers", "shape": shape, "steps": 100, "unit": "ms / step", "repeats": 1, **more}


def test_the_roofline_is_the_longer_of_arithmetic_and_moving():
    shapes = sorted({p[:3] for p in work(rows.ROWS["mlp"], (784,)).products})
    rates = {"products": [[*shape, 50.0] for shape in shapes], "square": 100.0, "copy": 20.0, "large_copy": 10.0}
    found = roofline.roofline("mlp", entry("mlp", [784], rates=rates))
    flop, size = 209_453_056, 4 * (128 * 3656 + 8 * 407_050)
    assert found.arithmetic_ms == pytest.approx(flop / 50e9 * 1e3)
    assert found.moving_ms == pytest.approx(size / 20e9 * 1e3)
    assert found.least_ms == found.arithmetic_ms
    assert found.ideal_ms == pytest.approx(flop / 100e9 * 1e3)
    assert found.gflops == pytest.approx(50)
    slow = roofline.roofline("mlp", entry("mlp", [784], rates=rates | {"copy": 0.1}))
    assert slow.least_ms == slow.moving_ms > slow.arithmetic_ms
    assert roofline.roofline("mlp", entry("mlp", [784])) is None


# ----------------------------------------------------------------------------------------------------- measuring


def test_a_row_is_measured_in_processes_of_their_own():
    row = replace(rows.ROWS["tiny"], data=lambda: benchmark_data.quadrants(64))
    with Workers(threads=1) as workers:
        found = measure(row, ["scan", "torch", "sklearn"], 3, workers)  # the third in new processes
        again = measure(replace(rows.ROWS["imdb-lstm"], data=row.data), ["sklearn", "torch"], 1, workers)
        last = measure(replace(rows.ROWS["imdb"], data=row.data), ["sklearn", "torch"], 1, workers)
    assert (found["steps"], found["shape"], found["unit"]) == (4, [2], "ms / step")
    for peer, result in found["peers"].items():
        assert len(result["values"]) == 3
        assert result["min"] <= result["quartiles"][0] <= result["median"] <= result["quartiles"][1]
        assert result["versions"]["numpy"] == np.__version__
        assert 20 < result["peak_mb"] < 2000
        assert set(peers.PEERS[peer].libraries) < set(result["versions"])
    assert again["peers"]["sklearn"] == {"absent": "MLPClassifier has dense layers, class labels and float32 only."}
    assert "RuntimeError" in again["peers"]["torch"]["error"]  # points are no words
    assert "median" in last["peers"]["torch"]  # in a new process


def test_a_cold_start_takes_two_processes_that_share_a_folder():
    row = replace(rows.ROWS["start"], data=lambda: Data(*map(np.asarray, load()), "few"))

    def load():
        return np.zeros((128, 784), np.float32), np.arange(128, dtype=np.int32) % 10

    with Workers(threads=1) as workers:
        found = measure(row, ["sklearn"], 2, workers)["peers"]["sklearn"]
    assert len(found["values"]) == len(found["seconds"]) == 1
    assert found["median"] > found["import_s"] > 0.1
    assert found["second"] > 0.2 and found["peak_mb"] > 50


def test_an_order_that_comes_early_reaches_the_next_row(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 30)
    one = worker.Worker("sklearn", 1, tmp_path)
    np.save(tmp_path / "x.npy", benchmark_data.quadrants(64).x)
    np.save(tmp_path / "y.npy", benchmark_data.quadrants(64).y)
    try:
        orders = {"done": True}, {"row": "tiny", "folder": str(tmp_path)}
        one.begin("tiny", tmp_path)
        one._process.stdin.write("".join(json.dumps(order) + "\n" for order in orders))
        one._process.stdin.flush()
        assert one._answer()["first_s"] > 0
    finally:
        one.close()


def test_a_peer_without_its_libraries_is_absent_and_other_interpreters_are_asked(monkeypatch):
    monkeypatch.setattr(
        worker, "found", lambda python, names: dict.fromkeys(names, "1" if python == "/other" else None)
    )
    monkeypatch.delenv(worker.INTERPRETERS, raising=False)
    with pytest.raises(worker.AbsentError, match="keras and tensorflow-cpu not installed together here"):
        worker.interpreter("keras-tf")
    monkeypatch.setenv(worker.INTERPRETERS, "/none:/other")
    assert worker.interpreter("keras-tf") == "/other"


def test_processes_find_nothing_that_was_compiled_before_and_no_gpu_unless_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/warm")
    found = worker.environment("keras-jax", tmp_path, gpu=False)
    assert "JAX_COMPILATION_CACHE_DIR" not in found
    assert (found["NEUROLOOM_CACHE"], found["KERAS_BACKEND"]) == (str(tmp_path), "jax")
    assert (found["JAX_PLATFORMS"], found["CUDA_VISIBLE_DEVICES"]) == ("cpu", "")
    assert worker.environment("torch", tmp_path, gpu=True).get("CUDA_VISIBLE_DEVICES") != ""


# ------------------------------------------------------------------------------------------------------- records

HEAD = {
    "machine": {"cpu": "abacus", "cores": 2, "gpu": None, "compiler": True, "system": "none", "python": "3"},
    "threads": 2,
}


def result(median, **more):
    spread = {"min": 0.9 * median, "quartiles": [0.95 * median, 1.1 * median]}
    return {"median": median, **spread, "values": [median], "first_s": 2.0, "peak_mb": 300.4, "date": "today",
            "versions": {"numpy": "1"}, **more}  # fmt: skip


def results():
    times = {"neuroloom-jax": 1.0, "neuroloom-torch": 2.4, "neuroloom-auto": 1.1, "torch": 2.0, "scan": 0.7}
    shapes = sorted({p[:3] for p in work(rows.ROWS["mlp"], (784,)).products})
    rates = {"products": [[*shape, 500.0] for shape in shapes], "square": 600.0, "copy": 80.0, "large_copy": 20.0}
    mlp = entry("mlp", [784], load_average=[0.1], rates=rates)
    mlp["peers"] = {peer: result(median) for peer, median in times.items()}
    mlp["peers"]["keras-jax"] = {"error": "Traceback\nValueError: no luck"}
    mlp["peers"]["sklearn"] = {"absent": "It has no such thing."}
    many = entry("many-tiny", [2], load_average=[0.1]) | {"unit": "ms / step of all"}
    many["peers"] = {"neuroloom-jax": result(3.0, one=0.1), "scan": result(1.0, one=0.1)}
    return {**HEAD, "rows": {"mlp": mlp, "many-tiny": many}}


@pytest.fixture
def same_versions(monkeypatch):
    monkeypatch.setattr(records, "versions", lambda peer: {"numpy": "1"})


def test_a_record_grows_row_by_row_and_is_written_each_time(tmp_path, same_versions):
    found = results()["rows"]
    record = records.Record(tmp_path, "here", HEAD)
    for name in ("many-tiny", "mlp"):
        record.put(rows.ROWS[name], found[name])
        assert name in json.loads((tmp_path / "here.json").read_text())["rows"]
    assert {path.name for path in tmp_path.iterdir()} == {"here.json", "here.md", "here.png"}
    assert list(record.results["rows"]) == ["mlp", "many-tiny"]  # in the table's order
    again = records.Record(tmp_path, "here", HEAD)
    assert again.results == record.results
    assert again.has(rows.ROWS["mlp"], ["scan", "torch", "sklearn"])
    assert not again.has(rows.ROWS["mlp"], ["scan", "keras-jax"])  # which had failed
    again.put(rows.ROWS["mlp"], found["mlp"] | {"peers": {"torch": result(9.0)}})
    merged = again.results["rows"]["mlp"]["peers"]
    assert (merged["torch"]["median"], merged["scan"]["median"]) == (9.0, 0.7)
    again.put(rows.ROWS["mlp"], found["mlp"] | {"steps": 7, "peers": {"torch": result(8.0)}})
    assert list(again.results["rows"]["mlp"]["peers"]) == ["torch"]  # other data: nothing to compare with


def test_a_record_keeps_nothing_of_other_machines_or_versions(tmp_path, monkeypatch, same_versions):
    record = records.Record(tmp_path, "here", HEAD)
    record.put(rows.ROWS["mlp"], results()["rows"]["mlp"])
    said = []
    other = HEAD | {"machine": HEAD["machine"] | {"cores": 4}}
    assert records.Record(tmp_path, "here", other, said.append).results["rows"] == {}
    assert "another machine" in said[0]
    monkeypatch.setattr(records, "versions", lambda peer: {"numpy": "2" if peer == "torch" else "1"})
    kept = records.Record(tmp_path, "here", HEAD, said.append).results["rows"]["mlp"]["peers"]
    assert "torch" not in kept and "scan" in kept and "sklearn" in kept
    assert said[1].endswith("torch")


def test_targets_compare_with_the_fastest_that_was_measured():
    found = {(v["row"], v["subject"], v["what"]): v for v in targets.judge(results()["rows"])}
    assert {key: (round(v["value"], 3), v["met"]) for key, v in found.items()} == {
        ("mlp", "neuroloom-auto", "times as fast as torch"): (1.818, True),
        ("mlp", "neuroloom-jax", "times as fast as scan"): (0.7, False),
        ("mlp", "neuroloom-torch", "times as fast as torch"): (0.833, False),
        ("many-tiny", "neuroloom-jax", "times the time of one"): (30.0, False),
    }
    faster = {"mlp": {"peers": {"neuroloom-auto": {"median": 1.0}, "keras-tf-plain": {"median": 1.2}}}}
    faster["mlp"]["peers"] |= {"torch": {"median": 3.0}, "scan": {"median": 0.1}, "sklearn": {"absent": "no"}}
    assert [(round(v["value"], 1), v["met"]) for v in targets.judge(faster)] == [(1.2, False)]
    latency = {"predict-1": {"peers": {"neuroloom-auto": {"median": 1.0}, "keras-jax": {"median": 6.0}}}}
    assert [(v["least"], v["met"]) for v in targets.judge(latency)] == [(0.95, True), (5, True)]


def test_the_library_is_judged_by_what_auto_picks():
    mlp = results()["rows"]["mlp"]
    assert compare.ours(mlp) == ("neuroloom-auto", 1.1)
    assert compare.rival(mlp) == ("torch", 2.0)
    assert compare.ratio(mlp) == pytest.approx(2.0 / 1.1)
    del mlp["peers"]["neuroloom-auto"]
    assert compare.ours(mlp) == ("neuroloom-jax", 1.0)


def test_the_report_says_what_is_not_met_how_far_it_is_and_what_is_missing():
    text = report.markdown(results(), "plot.png")
    assert "## Not met: 3 of 4" in text
    assert "* mlp: neuroloom-jax is 0.70 times as fast as scan, wanted at least 0.87." in text
    assert "* many-tiny: neuroloom-jax takes 30.00 times the time of one, wanted at most 20." in text
    # 209.5 MFLOP at 500 GFLOP/s: 0.4189 ms; 14.9 MB at 80 GB/s: 0.1862; at 600: 0.3491; at 20 GB/s: 0.7449
    assert "| mlp | 209.5 | 14.9 | 500 | 600 | 80 | 0.4189 | 0.7449 | 1 | 2.387 | scan | 1.671 |" in text
    assert "* Keras on JAX: failed: ValueError: no luck (mlp)" in text
    assert "* scikit-learn: It has no such thing. (mlp)" in text
    assert "| PyTorch, eager, by hand | 2 | 2.86 | 1.8 | 1.9 - 2.2 | 2.00 | 300 |" in text
    assert "| neuroloom on JAX | 3 | 3.00 | 2.7 | 2.85 - 3.3 | 2.00 | 0.1 | 300 |" in text
    assert "no GPU" in text and "nothing is claimed" in text


def test_the_plot_has_a_mark_per_measured_peer():
    axes = plot.figure(results()).axes[0]
    marks = {line.get_label(): line.get_xdata()[0] for line in axes.lines if not line.get_label().startswith("_")}
    assert marks["PyTorch, eager, by hand"] == pytest.approx(2.0)
    assert marks["jax.lax.scan, by hand"] == pytest.approx(1 / 3)  # the last row's
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mlp", "many-tiny"]
    assert len({plot.look(peer) for peer in peers.PEERS}) == len(peers.PEERS)


def test_readme_page_and_report_show_the_committed_results():
    committed = json.loads(readme.RESULTS.read_text())
    text = (readme.ROOT / "README.md").read_text("utf-8")
    assert readme.updated(text, committed) == text
    assert readme.block(committed).splitlines()[4].startswith("| tiny |")
    assert report.markdown(committed, f"{readme.RESULTS.stem}.png") == readme.RESULTS.with_suffix(".md").read_text()
    assert page.page(committed) == page.PAGE.read_text("utf-8")


def test_textbook_networks_are_measured_by_turns_and_shown(tmp_path, monkeypatch, capsys):
    calls = []

    def side(name, pause):
        return lambda: lambda: (calls.append(name), time.sleep(pause))

    contest = textbook.Contest("a thing", side("ours", 0.001), {"they": side("theirs", 0.02)}, least=3, repeats=2)
    monkeypatch.setattr(textbook, "CONTESTS", {"thing": contest})
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- benchmark: b -->\nold\n<!-- end of benchmark -->\n")
    textbook.main([], tmp_path, page)
    assert calls == ["ours", "ours", "theirs", "ours", "theirs"]  # one compiles
    assert "| a thing | 0.00" in page.read_text() and "old" not in page.read_text()
    assert "times as fast as they | at least 3 | met |" in capsys.readouterr().out
    record = json.loads(next(tmp_path.glob("textbook-*.json")).read_text())
    assert len(record["contests"]["thing"]["seconds"]["they"]) == 2


def test_the_page_of_networks_shows_the_committed_results():
    committed = json.loads(next(textbook.RESULTS.glob("textbook-cpu-*.json")).read_text())
    assert set(committed["contests"]) == set(textbook.CONTESTS)
    page = textbook.PAGE.read_text("utf-8")
    assert textbook.updated(page, committed) == page and textbook.rows_of(committed) in page


def test_the_page_has_figures_reasons_and_advice():
    text = page.page(results())
    assert "| mlp | 784-512-10, batch 128 | ms / step | 1.1 | PyTorch, eager, by hand | 2 | 1.82 | 0.7 |" in text
    assert "* `many-tiny`: neuroloom 3 ms / step of all, one network alone 0.1 ms / step." in text
    assert "PyTorch, eager, by hand 2, its products alone (209.5 MFLOP) 0.4189." in text
    assert "## Convolutions" not in text  # none was measured
    assert "NEUROLOOM_CACHE" in text and "fit_many" in text and "mlp: neuroloom-jax is 0.70" in text
    reasons = {name for reason in page.REASONS for name in reason.rows}
    assert reasons == set(rows.ROWS)


# ------------------------------------------------------------------------------------------------------- command


def test_quick_measures_one_peer_of_each_kind():
    quick, whole = command.arguments(["--quick"]), command.arguments(["--peers", "torch,keras-torch-tuned"])
    plain = ["neuroloom-jax", "keras-jax", "torch", "scan"]
    assert command.peers_of(rows.ROWS["mlp"], quick) == plain
    assert command.peers_of(rows.ROWS["mlp"], whole) == ["torch", "keras-torch-tuned"]
    assert command.peers_of(rows.ROWS["cnn"], whole) == ["torch"]
    assert command.peers_of(rows.ROWS["many-tiny"], quick) == ["neuroloom-jax", "torch", "scan"]
    assert (quick.repeats, whole.repeats) == (1, 6)


def test_unknown_rows_and_peers_are_named(capsys):
    for given in (["--rows", "nil"], ["--peers", "torch,nobody"]):
        with pytest.raises(SystemExit):
            command.arguments(given)
        assert "expected some of" in capsys.readouterr().err


def test_the_command_measures_writes_and_resumes(tmp_path, monkeypatch):
    given = ["--rows", "tiny", "--peers", "sklearn", "--repeats", "1", "--out", str(tmp_path)]
    tiny = replace(rows.ROWS["tiny"], data=lambda: benchmark_data.quadrants(64))
    text = command.run([tiny], command.arguments(given), "box", gpu=False)
    written = json.loads((tmp_path / "box.json").read_text())
    assert "## tiny" in text and (tmp_path / "box.md").read_text() == text
    assert set(written["rows"]["tiny"]["rates"]) == {"products", "square", "copy", "large_copy"}
    assert all(rate > 0 for *_, rate in written["rows"]["tiny"]["rates"]["products"])
    monkeypatch.setattr(command, "measure", None)  # nothing is left to measure
    command.run([tiny], command.arguments([*given, "--resume"]), "box", gpu=False)
    assert json.loads((tmp_path / "box.json").read_text()) == written
