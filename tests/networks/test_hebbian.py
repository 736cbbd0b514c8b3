"""Hebbian networks, against steps by hand and principal components."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import Hebb, Instar, Oja, Outstar, Sanger
from neuroloom.networks.base import run
from neuroloom.networks.linear.hebbian import turn


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


def test_hebb_sums_products():
    X, y = [[1, 2], [3, -1], [0, 1]], [[1, 0, 2], [0, 1, 1], [2, 2, 0]]
    net = Hebb(learning_rate=0.5).fit(X, y)
    assert net.coef_.tolist() == [[0.5, 1.5, 2.5], [2.0, 0.5, 1.5]]
    assert Hebb(learning_rate=0.5).fit(X[:1], y[:1]).partial_fit(X[1:], y[1:]).coef_.tolist() == net.coef_.tolist()
    assert (
        Hebb().fit(X, y, sample_weight=[2, 0, 1]).coef_.tolist()
        == Hebb().fit([X[0], X[0], X[2]], [y[0], y[0], y[2]]).coef_.tolist()
    )


def test_hebb_answers_orthonormal_inputs_exactly(rng):
    X, y = np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.normal(size=(5, 3))
    np.testing.assert_allclose(Hebb().fit(X, y).predict(X), y, atol=1e-6)


def test_outstar_by_hand():
    net = Outstar(learning_rate=0.5, epochs=1).fit([[1, 0.5], [0, 2]], [[4, 8], [2, 0]])
    # first: w_1 = 0.5 (4, 8), w_2 = 0.25 (4, 8); second, x cut off at 1: w_2 = (1, 2) + 0.5 ((2, 0) - (1, 2))
    assert net.coef_.tolist() == [[2, 4], [1.5, 1]]
    assert net.predict([[1, 0], [1, 1]]).tolist() == [[2, 4], [3.5, 5]]
    with pytest.raises(ShapeError, match="expected 2 targets, received 1"):
        net.partial_fit([[1, 0]], [3])


def test_outstar_comes_close_as_a_power(rng):
    net = Outstar(learning_rate=0.2, epochs=7).fit([[1.0]], [[5.0, -3.0]])
    np.testing.assert_allclose(net.coef_, [[5 * (1 - 0.8**7), -3 * (1 - 0.8**7)]], rtol=1e-6)


def test_instar_by_hand():
    net = Instar(learning_rate=0.5, epochs=1).fit([[3, 4], [0, 2], [6, 8]], [7, 9, 7])
    # rows become (0.6, 0.8), (0, 1), (0.6, 0.8); unit 7 goes 1/2, then 3/4 of the way
    np.testing.assert_allclose(net.coef_, [[0.45, 0.6], [0, 0.5]], rtol=1e-6)
    assert net.predict([[5, 1]]).tolist() == [7]


@pytest.mark.parametrize("triangular", [False, True])
def test_one_step_by_hand(training_engine, triangular):
    w, x, rate = np.array([[0.6, 0.0, 0.8], [0.5, 0.5, 0.0]]), np.array([1.0, -2.0, 0.5]), 0.1
    y = w @ x  # 1.0, -0.5
    pull = np.array([y[0] * w[0], y[0] * w[0] + y[1] * w[1]]) if triangular else np.array([y @ w, y @ w])
    expected = w + rate * y[:, None] * (x - pull)
    key = np.array([1, 2], np.int32)
    found = run(training_engine.name, turn, w, x[None], rate, 0, 1, key, triangular=triangular)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sanger_finds_the_principal_components_in_order():
    X = load_iris().data[::2]
    net, pca = Sanger(n_components=3, epochs=80, random_state=0).fit(X), PCA(3).fit(X)
    cosines = abs((net.components_ * pca.components_).sum(axis=1)) / np.linalg.norm(net.components_, axis=1)
    assert (cosines[:2] > 0.999).all() and cosines[2] > 0.97
    np.testing.assert_allclose(np.linalg.norm(net.components_, axis=1), 1, atol=0.03)
    np.testing.assert_allclose(net.transform(X).var(axis=0)[:2], pca.explained_variance_[:2] * 74 / 75, rtol=0.05)


def test_oja_finds_the_first_component_and_its_units_the_space_of_several():
    X = load_iris().data[::2]
    pca = PCA(2).fit(X)
    one = Oja(epochs=40, random_state=0).fit(X).components_[0]
    assert abs(one @ pca.components_[0]) > 0.999
    several = np.linalg.qr(Oja(n_components=2, epochs=40, random_state=1).fit(X).components_.T)[0]
    cosines = np.linalg.svd(several.T @ pca.components_.T)[1]  # of the angles between the two planes
    assert cosines.min() > 0.99


def test_more_components_than_columns_are_an_error():
    with pytest.raises(ConfigurationError, match="n_components of at most 2, the columns of X, received 3"):
        Sanger(n_components=3).fit([[1, 2], [3, 4]])
