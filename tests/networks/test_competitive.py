"""The competitive layer: one step by hand, a slow loop, idle units, wines and geysers."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from data_folder import DATA, needs_data
from neuroloom.errors import ConfigurationError
from neuroloom.networks import CompetitiveLayer
from neuroloom.networks.base import run
from neuroloom.networks.competitive.layer import compete
from neuroloom.networks.competitive.layer_rules import start
from neuroloom.ops import draws

ENGINES = ("numpy", "jax", "torch")


def one_step(engine, x, w, shares, rate, memory, bias, conscience):
    values = np.array([x]), (np.array(w), np.array(shares)), np.array([rate, rate]), memory, bias, draws.key(0)
    return run(engine, compete, *values, 0, np.zeros(1), 1.0, conscience=conscience)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_winner_takes_all_by_hand(engine):
    (w, shares), curve = one_step(engine, [1.0, 2.0], [[0.0, 2], [4, 2], [1, 5]], [1 / 3] * 3, 0.25, 0.1, 0.0, False)
    np.testing.assert_allclose(w, [[0.25, 2], [4, 2], [1, 5]], rtol=1e-6)
    np.testing.assert_allclose(shares, [0.4, 0.3, 0.3], rtol=1e-6)
    assert curve == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_unit_that_won_too_often_stands_back_by_hand(engine):
    # squared distances 1, 4; shares 0.9, 0.1 become 0.91, 0.09; biases 4 (0.5 - p) = -1.64, 1.64: 2.64 against 2.36
    (w, shares), curve = one_step(engine, [1.0], [[0.0], [3.0]], [0.9, 0.1], 0.5, 0.1, 4.0, True)
    np.testing.assert_allclose(w, [[0.0], [2.0]], rtol=1e-6)
    np.testing.assert_allclose(shares, [0.91, 0.09], rtol=1e-6)
    assert curve == 2
    (w, _), _ = one_step(engine, [1.0], [[0.0], [3.0]], [0.9, 0.1], 0.5, 0.1, 3.0, True)  # 2.23 against 2.77
    np.testing.assert_allclose(w, [[0.5], [3.0]], rtol=1e-6)


@pytest.mark.parametrize("conscience", [False, True])
def test_learning_is_that_of_a_slow_loop(conscience):
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    layer = CompetitiveLayer(
        n_units=5, conscience=conscience, bias=3.0, memory=0.05, learning_rate=(0.4, 0.1), epochs=3, random_state=2,
        engine="numpy",
    ).fit(X)  # fmt: skip
    w, p = start(X, 5, "sample", layer._generator("weights")).astype(float), np.full(5, 0.2)
    variance = np.square(X - X.mean(axis=0)).sum(axis=1).mean()
    for epoch in range(3):
        for i, row in enumerate(draws.permutation(draws.fold_in(draws.key(2, "order"), epoch), 30)):
            rate = 0.4 - 0.3 * (epoch + i / 30) / 3
            d = np.square(X[row] - w).sum(axis=1)
            p += 0.05 * ((np.arange(5) == d.argmin()) - p)
            k = (d - 3 * variance * (0.2 - p)).argmin() if conscience else d.argmin()
            w[k] += rate * (X[row] - w[k])
    np.testing.assert_allclose(layer.weights_, w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.shares_, p, rtol=1e-4)
    np.testing.assert_allclose(layer.scale_, variance, rtol=1e-5)


def test_a_conscience_leaves_no_unit_idle():
    """Random weights in a box whose corners alone hold data: without a conscience most units never win."""
    rng = np.random.default_rng(1)
    X = rng.choice([-1.0, 1.0], (200, 6))[:, [0, 0, 0, 1, 1, 1]] + 0.05 * rng.normal(size=(200, 6))
    used = {}
    for conscience in (False, True):
        layer = CompetitiveLayer(n_units=20, conscience=conscience, bias=10.0, init="random", epochs=30, random_state=0)
        used[conscience] = len(np.unique(layer.fit(X).predict(X)))
    assert used[True] >= 3 * used[False]


def test_parts_make_a_whole():
    X = np.random.default_rng(2).normal(size=(40, 3))
    layer = CompetitiveLayer(n_units=4, conscience=True, epochs=3, random_state=1, engine="numpy")
    whole = layer.fit(X).weights_
    again = CompetitiveLayer(n_units=4, conscience=True, epochs=3, random_state=1, engine="numpy")
    for _ in range(3):
        again.partial_fit(X)
    np.testing.assert_array_equal(whole, again.weights_)
    assert again.n_iter_ == 3


def test_wines_are_split_as_by_k_means():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    layer = CompetitiveLayer(n_units=3, conscience=True, epochs=100, random_state=0).fit(X)
    best = KMeans(3, n_init=10, random_state=0).fit(X)
    assert np.square(layer.transform(X).min(axis=1)).sum() < 1.02 * best.inertia_
    assert adjusted_rand_score(y, layer.predict(X)) > 0.8


@needs_data
def test_old_faithful_has_two_kinds_of_eruptions():
    X = np.loadtxt(DATA / "old-faithful" / "faithful.csv", delimiter=",", skiprows=1)
    scale = StandardScaler().fit(X)
    layer = CompetitiveLayer(n_units=2, conscience=True, epochs=50, random_state=0).fit(scale.transform(X))
    means = scale.inverse_transform(layer.weights_)
    expected = scale.inverse_transform(KMeans(2, n_init=10, random_state=0).fit(scale.transform(X)).cluster_centers_)
    np.testing.assert_allclose(means[means[:, 0].argsort()], expected[expected[:, 0].argsort()], rtol=0.02)
    assert adjusted_rand_score(X[:, 0] > 3, layer.predict(scale.transform(X))) > 0.95


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"n_units": 0}, "expected n_units to be a positive whole number"),
        ({"memory": 1.5}, "expected memory to be a number from 0 to 1"),
        ({"bias": -1.0}, "expected bias to be a number of at least 0"),
        ({"init": "pca"}, "expected init to be 'sample' or 'random'"),
        ({"concience": True}, "has no argument 'concience'. Did you mean 'conscience'"),
    ],
)
def test_wrong_parameters(parameters, text):
    with pytest.raises(ConfigurationError, match=text):
        CompetitiveLayer(**parameters).fit(np.eye(4))
