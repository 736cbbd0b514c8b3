"""The benchmarks: tables in order, peers that compute the same training, and a small row measured from end to end."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("optax", reason="optax is not installed: pip install optax")

from benchmarks import measure, peers, plot, readme, report, rows, targets
from benchmarks.data import Data
from benchmarks.rows import LSTM, Conv, Dense, Flatten, MaxPool, Optimizer, Row

BINARY, CATEGORICAL = "binary_crossentropy", "sparse_categorical_crossentropy"
NETWORKS = {
    "dense": ((Dense(7, "tanh"), Dense(5, "relu"), Dense(1, "sigmoid")), (3,), BINARY),
    "conv": ((Conv(4), MaxPool(), Conv(5, 2), Flatten(), Dense(3, "softmax")), (9, 11, 2), CATEGORICAL),
    "lstm": ((LSTM(6), Dense(3, "softmax")), (5, 4), CATEGORICAL),
}
SAMPLES, BATCH = 44, 8  # the last batch has 4


def problem(name):
    network, shape, loss = NETWORKS[name]
    rng = np.random.default_rng(5)
    x = rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
    y = rng.integers(0, 3, SAMPLES, dtype=np.int32)
    y = (y[:, None] == 1).astype(np.float32) if loss == BINARY else y
    return Row(name, lambda: Data(x, y, "numbers"), network, BATCH, Optimizer("Adam", 0.01), loss), x, y


def test_the_tables_are_well_formed():
    for name, row in rows.ROWS.items():
        assert row.name == name
        ending = {BINARY: "sigmoid", CATEGORICAL: "softmax"}[row.loss]
        assert row.network[-1].activation == ending
        assert row.epochs >= row.quick_epochs >= 1
    for target in targets.TARGETS:
        assert {target.subject, *target.against} <= set(peers.PEERS)
        assert set(target.least) <= set(rows.ROWS)


@pytest.mark.parametrize(
    "name, input_shape, count",
    [
        ("tiny", (2,), 33),
        ("mlp", (784,), 407_050),
        ("cnn", (28, 28, 1), 34_826),
        ("lstm", (40, 60), 104_508),
        ("imdb", (10_000,), 160_305),
    ],
)
def test_the_networks_have_the_published_number_of_weights(name, input_shape, count):
    weights = rows.first_weights(rows.ROWS[name].network, input_shape)
    assert sum(w.size for layer in weights for w in layer) == count


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("peer", [name for name in peers.PEERS if name != "neuroloom-jax"])
def test_peers_learn_alike(name, peer, keras):
    """From the same weights, on the same batches, the same loss and accuracy, epoch by epoch.

    PyTorch and optax add Adam's epsilon at another place than Keras, which is the tolerance.
    """
    row, x, y = problem(name)
    weights = rows.first_weights(row.network, x.shape[1:])

    def curve(peer):
        return peers.PEERS[peer].trainer(row, x, y, weights, threads=2)(4, shuffle=False)

    found, expected = np.array(curve(peer)), np.array(curve("neuroloom-jax"))
    assert np.ptp(expected[:, 0]) > 0.05  # it learns, so that a peer which does not is seen
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=2e-4)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=1.01 / SAMPLES)


def test_a_row_is_measured_in_processes_of_their_own(tmp_path):
    row = replace(rows.ROWS["tiny"], data=lambda: rows.data.quadrants(64))
    found = measure.measure(row, ["torch", "neuroloom-torch"], repeats=2, epochs=3, threads=1)
    assert found["steps"] == 4
    for result in found["peers"].values():
        assert len(result["seconds"]) == 2
        assert result["min"] <= result["quartiles"][0] <= result["median"] <= result["quartiles"][1]
        assert result["ms_per_step"] == pytest.approx(1000 * result["median"] / 4)
    assert [t["row"] for t in targets.judge({"tiny": found})] == ["tiny"]


def test_a_peer_that_fails_is_reported_and_the_others_go_on():
    row = replace(rows.ROWS["tiny"], data=lambda: rows.data.quadrants(32))
    found = measure.measure(row, ["torch", "nobody"], repeats=1, epochs=1, threads=1)
    assert "median" in found["peers"]["torch"]
    assert "KeyError: 'nobody'" in found["peers"]["nobody"]["error"]


def results():
    def result(seconds):
        spread = {"median": seconds, "min": 0.9 * seconds, "quartiles": [0.95 * seconds, 1.1 * seconds]}
        return {"first_epoch_s": 2.0, "seconds": [seconds], "ms_per_step": 10 * seconds, **spread}

    times = {"neuroloom-jax": 1.0, "neuroloom-torch": 2.4, "keras-jax": 4.0, "torch": 2.0, "scan": 0.7}
    measured = {"mlp": {"data": "numbers", "steps": 100, "epochs_per_call": 1}}
    measured["mlp"]["peers"] = {peer: result(seconds) for peer, seconds in times.items()}
    measured["mlp"]["peers"]["keras-jax"] = {"error": "Traceback\nValueError: no luck"}
    machine = {"cpu": "abacus", "cores": 2, "system": "none", "python": "3", "load_average": [0.1], "date": "today"}
    head = {"machine": machine, "versions": {"jax": "1"}, "threads": 2, "repeats": 1}
    return {**head, "rows": measured, "targets": targets.judge(measured)}


def test_targets_compare_with_the_fastest_and_need_all_peers():
    found = results()
    assert [(t["subject"], t["against"], t["met"]) for t in found["targets"]] == [
        ("neuroloom-jax", "scan", False),
        ("neuroloom-torch", "torch", False),
    ]
    found["rows"]["mlp"]["peers"]["keras-jax"] = {"median": 1.5}
    first = targets.judge(found["rows"])[0]
    assert (first["against"], first["ratio"], first["met"]) == ("keras-jax", 1.5, True)


def test_the_report_names_what_is_not_met_and_what_failed():
    text = report.markdown(results(), "plot.png")
    assert "## Not met: 2 of 2" in text
    assert "* mlp: neuroloom-jax is 0.70 times as fast as scan, wanted 0.80." in text
    assert "failed: ValueError: no luck" in text
    assert "| PyTorch, eager, by hand | 20 | 2 | 1.8 | 1.9 - 2.2 | 2.00 |" in text


def test_the_plot_has_a_bar_per_measured_peer():
    panel = plot.figure(results()).axes[0]
    assert [bar.get_width() for bar in panel.patches] == [10.0, 24.0, 20.0, 7.0]
    assert [label.get_text() for label in panel.get_yticklabels()][-1] == "jax.lax.scan, by hand"


def test_readme_and_report_show_the_committed_results():
    results = json.loads(readme.RESULTS.read_text())
    text = (readme.ROOT / "README.md").read_text("utf-8")
    assert readme.updated(text, results) == text
    assert readme.block(results).splitlines()[4].startswith("| tiny |")
    assert report.markdown(results, f"{readme.RESULTS.stem}.png") == readme.RESULTS.with_suffix(".md").read_text()
