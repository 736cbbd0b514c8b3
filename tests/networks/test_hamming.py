"""Lippmann's network: equal bits, MAXNET by hand, letters with flipped bits."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from data_folder import DATA, needs_data
from neuroloom.errors import ConfigurationError
from neuroloom.networks import HammingNetwork
from neuroloom.networks.base import run
from neuroloom.networks.competitive.hamming import maxnet

ENGINES = ("numpy", "jax", "torch")


def signs(seed, *shape):
    return np.where(np.random.default_rng(seed).random(shape) < 0.5, -1.0, 1.0)


def test_matches_are_bits_less_the_hamming_distance():
    exemplars, X = signs(0, 7, 20), signs(1, 30, 20)
    net = HammingNetwork().fit(exemplars, range(7))
    np.testing.assert_array_equal(net.exemplars_, exemplars)
    np.testing.assert_allclose(net.matches(X), 20 - 20 * cdist(X, exemplars, "hamming"))


@pytest.mark.parametrize("engine", ENGINES)
def test_maxnet_by_hand(engine):
    y = np.array([[3.0, 2.0, 1.0]])
    np.testing.assert_allclose(run(engine, maxnet, y, 0.2, 1)[0], [[2.4, 1.2, 0.0]], rtol=1e-6)
    # 2.4 - 0.24, 1.2 - 0.48; 2.16 - 0.144, 0.72 - 0.432; 2.016 - 0.0576, 0.288 - 0.4032
    y, steps = run(engine, maxnet, y, 0.2, 100)
    np.testing.assert_allclose(y, [[1.9584, 0.0, 0.0]], rtol=1e-5)
    assert steps.tolist() == [4]


def test_inhibition_is_one_over_classes_and_one():
    net = HammingNetwork().fit([[1, 1, 1, 1], [-1, -1, -1, 1]], [0, 1])
    activations, steps = net.compete([[1, 1, -1, 1]])  # 3 and 2 equal bits: 7/3 and 1, 2 and 2/9, 52/27 and 0
    np.testing.assert_allclose(activations, [[52 / 27, 0]])
    assert steps.tolist() == [3]


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_matches_are_left_as_they_are(engine):
    y, steps = run(engine, maxnet, np.array([[4.0, 4, 1], [0, 0, 0], [2, 0, 0]]), 0.25, 1000)
    assert y[0, 0] == y[0, 1] > 0 == y[0, 2]
    assert steps.tolist() == [1, 0, 0]  # 1 - 0.25 * 8 is below 0
    net = HammingNetwork().fit([[1, 1], [-1, -1]], ["first", "second"])
    assert net.predict([[1, -1]]).tolist() == ["first"]


def test_the_best_match_wins():
    exemplars, X = signs(2, 12, 31), signs(3, 200, 31)
    net = HammingNetwork().fit(exemplars, range(12))
    activations, steps = net.compete(X)
    matches = net.matches(X)
    single = (matches == matches.max(axis=1, keepdims=True)).sum(axis=1) == 1
    assert single.sum() > 100 and ((activations > 0).sum(axis=1)[single] == 1).all()
    np.testing.assert_array_equal(net.predict(X), matches.argmax(axis=1))
    assert steps.max() < 100


def test_the_majority_of_a_class_is_its_exemplar():
    X, y = signs(4, 30, 9), np.arange(30) % 3
    net = HammingNetwork().fit(X, y)
    for label in range(3):
        expected = np.where(X[y == label].sum(axis=0) >= 0, 1, -1)
        np.testing.assert_array_equal(net.exemplars_[label], expected)
    parts = HammingNetwork().partial_fit(X[:10], y[:10], classes=[0, 1, 2]).partial_fit(X[10:], y[10:])
    np.testing.assert_array_equal(parts.votes_, net.votes_)
    weight = np.random.default_rng(0).integers(0, 3, 30)
    weighted = HammingNetwork().fit(X, y, sample_weight=weight)
    repeated = HammingNetwork().fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_array_equal(weighted.votes_, repeated.votes_)


@needs_data
def test_letters_with_flipped_bits():
    """26 letters of 8 x 8: found as often as by the least Hamming distance, which no classifier can do better than."""
    table = np.loadtxt(DATA / "letters" / "letters_8x8.csv", delimiter=",", skiprows=1, dtype=str)
    letters, X = table[:, 0], 2 * table[:, 1:].astype(float) - 1
    net = HammingNetwork().fit(X, letters)
    assert net.score(X, letters) == 1
    rng = np.random.default_rng(0)
    rates = []
    for share in (0.1, 0.2, 0.3):
        noisy = np.repeat(X, 20, axis=0) * np.where(rng.random((520, 64)) < share, -1, 1)
        nearest = cdist(noisy, X, "hamming").argmin(axis=1)
        found = net.predict(noisy)
        np.testing.assert_array_equal(found, letters[nearest])
        rates.append((found == letters.repeat(20)).mean())
    assert rates[0] > 0.97 and rates[0] >= rates[1] >= rates[2]


def test_wrong_inhibition():
    with pytest.raises(ConfigurationError, match=r"below 1 / \(classes - 1\) = 0.5, received 0.5"):
        HammingNetwork(inhibition=0.5).fit(signs(5, 3, 4), [0, 1, 2])
    with pytest.raises(ConfigurationError, match="expected inhibition to be a number between 0 and 1 or None"):
        HammingNetwork(inhibition=1.0).fit(signs(5, 2, 4), [0, 1])
    with pytest.raises(ConfigurationError, match="max_steps to be a positive whole number"):
        HammingNetwork(max_steps=0).fit(signs(5, 2, 4), [0, 1])
