"""Ensembles against sums by hand, calibration against scikit-learn and against counts by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

import neuroloom as nl
from neuroloom import plots
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.models.calibration import calibration
from test_examples import example

L = nl.layers
ROOT = Path(__file__).parents[1]


def constant(*logits, loss=None, ending="softmax"):
    """A classifier that gives the same logits for every input."""
    bias = nl.initializers.Zeros()
    model = nl.Sequential([L.Dense(len(logits), activation=ending, bias_initializer=bias, input_shape=(1,))])
    model.set_weights([np.zeros((1, len(logits))), np.array(logits)])
    model.compile("sgd", loss or ("binary_crossentropy" if len(logits) == 1 else "sparse_categorical_crossentropy"))
    return model


ONE = np.zeros((1, 1))
THREE = [constant(0, 2, 0), constant(0, 3, 1), constant(5, 0, 0)]


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def test_means_and_votes_by_hand():
    p = [softmax(np.array(z, float)) for z in ((0, 2, 0), (0, 3, 1), (5, 0, 0))]
    np.testing.assert_allclose(nl.ensemble(THREE).predict(ONE)[0], np.mean(p, axis=0), rtol=1e-5)
    np.testing.assert_allclose(nl.ensemble(THREE, "vote").predict(ONE)[0], [1 / 3, 2 / 3, 0], rtol=1e-6)
    weighted = nl.ensemble(THREE, weights=[1, 0, 3])
    np.testing.assert_allclose(weighted.predict(ONE)[0], (p[0] + 3 * p[2]) / 4, rtol=1e-5)
    assert nl.ensemble(THREE, "vote").classes(ONE).tolist() == [1] and weighted.classes(ONE).tolist() == [0]
    assert nl.ensemble(THREE, "vote", [1, 1, 2]).classes(ONE).tolist() == [0]  # a tie: the first


def test_one_unit_and_logits():
    sure, doubtful = constant(3.0, ending="sigmoid"), constant(-0.5, ending="sigmoid")
    votes = nl.ensemble([sure, doubtful, doubtful], "vote")
    np.testing.assert_allclose(votes.predict(ONE), [[1 / 3]], rtol=1e-6)
    assert votes.classes(ONE).tolist() == [0]
    assert nl.ensemble([sure, doubtful]).classes(ONE).tolist() == [1]
    logits = nl.losses.BinaryCrossentropy(from_logits=True)
    low = constant(0.25, loss=logits, ending="linear")  # above 0, below 0.5
    assert nl.ensemble([low], "vote").classes(ONE).tolist() == nl.ensemble([low]).classes(ONE).tolist() == [1]


def test_an_ensemble_of_a_population_is_an_ordinary_list_of_models():
    found = nl.ensemble(THREE)
    assert len(found) == 3 and repr(found).startswith("<Ensemble of 3 by mean: <Sequential")
    assert found.weights.sum() == pytest.approx(1)


WRONG = [
    (lambda: nl.ensemble([]), ConfigurationError, "at least one model"),
    (lambda: nl.ensemble([3]), ConfigurationError, "at least one model, received"),
    (lambda: nl.ensemble(THREE, "median"), ConfigurationError, "kind expected 'mean' or 'vote', received 'median'"),
    (lambda: nl.ensemble(THREE, weights=[1, 2]), ConfigurationError, "weights expected 3 numbers"),
    (lambda: nl.ensemble(THREE, weights=[1, 2, -1]), ConfigurationError, "numbers of at least 0, received -1"),
    (lambda: nl.ensemble(THREE, weights=[0, 0, 0]), ConfigurationError, "a positive sum"),
    (
        lambda: nl.ensemble([constant(1.0, loss="mse", ending="linear")], "vote"),
        ConfigurationError,
        "Expected classifiers",
    ),
    (lambda: nl.ensemble([THREE[0], constant(1, 2)]).predict(ONE), ShapeError, "all of one shape"),
    (lambda: calibration([0, 1], [[0.5, 0.6], [0.5, 0.5]]), DataError, "sum to 1"),
    (lambda: calibration([0], [1.5]), DataError, "numbers from 0 to 1"),
    (lambda: calibration([0, 2], [[0.5, 0.5]] * 2), DataError, "a class from 0 to 1"),
    (lambda: calibration([0.5], [0.5]), DataError, "a class from 0 to 1"),
    (lambda: calibration([0], [0.5, 0.5]), DataError, "same number of samples"),
    (lambda: calibration([0], [[[0.5]]]), ShapeError, r"shape \(samples, classes\)"),
    (lambda: calibration([0], [0.5], bins=0), ConfigurationError, "bins expected a positive whole number"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[m[:40] for _, _, m in WRONG])
def test_wrong_use_is_said(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# ------------------------------------------------------------------------------------------------------ calibration


def test_calibration_counted_by_hand():
    """Five answers: confidences 0.95 (right), 0.95 (wrong), 0.65 (right), 0.65 (right), 0.55 (wrong)."""
    p = [0.95, 0.05, 0.65, 0.35, 0.55]
    y = [1, 1, 1, 0, 0]
    found = calibration(y, p)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 2, 0, 0, 2]
    np.testing.assert_allclose(found.accuracies[[5, 6, 9]], [0, 1, 0.5])
    np.testing.assert_allclose(found.confidences[[5, 6, 9]], [0.55, 0.65, 0.95])
    assert np.isnan(found.accuracies[0]) and found.accuracy == 0.6
    assert found.error == pytest.approx(1 / 5 * 0.55 + 2 / 5 * 0.35 + 2 / 5 * 0.45)
    assert found.brier == pytest.approx((0.05**2 + 0.95**2 + 0.35**2 + 0.35**2 + 0.55**2) / 5)
    assert calibration(y, p, bins=1).error == pytest.approx(0.75 - 0.6)


def test_the_edge_of_a_bin_belongs_to_the_lower_one():
    assert calibration([1, 1], [0.5, 1.0], bins=2).counts.tolist() == [1, 1]


def test_brier_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 60)
    y = rng.integers(0, 4, 60)
    assert calibration(y, p).brier == pytest.approx(brier_score_loss(y, p, labels=range(4)))
    assert calibration(np.eye(4)[y], p).brier == pytest.approx(calibration(y[:, None], p).brier)
    binary = calibration(y > 1, p[:, 0])
    assert binary.brier == pytest.approx(brier_score_loss(y > 1, p[:, 0]))
    columns = np.stack([1 - p[:, 0], p[:, 0]], axis=1)
    assert calibration(y > 1, columns).brier == pytest.approx(binary.brier)


def test_calibration_of_an_ensemble_and_its_picture(tmp_path):
    found = nl.ensemble([constant(2.0, ending="sigmoid")]).calibration(np.zeros((4, 1)), [1, 1, 1, 0])
    p = 1 / (1 + np.exp(-2.0))
    assert found.error == pytest.approx(p - 0.75, abs=1e-6)
    assert repr(found) == f"<Calibration: error {p - 0.75:.4f}, Brier score {found.brier:.4f}, accuracy 0.7500>"
    figure = found.plot(tmp_path / "r.png")
    assert (tmp_path / "r.png").exists()
    curve = figure.axes[0].lines[1]
    assert curve.get_xdata().tolist() == pytest.approx([p]) and curve.get_ydata().tolist() == [0.75]


def test_dots_have_areas_by_counts():
    axes = plots.reliability([0.2, np.nan, 0.9], [0.1, np.nan, 0.8], [10, 0, 40]).axes[0]
    assert axes.collections[0].get_sizes().tolist() == [48.0, 168.0]
    with pytest.raises(DataError, match="at least one answer"):
        plots.reliability([np.nan], [np.nan], [0])


def test_the_example_reaches_97_per_cent_with_eight_networks(capsys):
    one, found = example("many_networks").main(epochs=12)
    assert one > 0.94 and found.accuracy >= 0.97 and found.error < 0.1
    out = capsys.readouterr().out
    assert out.startswith("<Search over 4 settings") and "<Population of 8 models" in out and "<Calibration: " in out


def test_the_blocks_of_the_page_run_in_order():
    text = (ROOT / "docs" / "many_networks.md").read_text(encoding="utf-8")
    names = {}
    found = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    for block in found:
        exec(compile(block, "many_networks.md", "exec"), names)
    assert len(found) >= 5
