"""Cascade-correlation: scores and steps by hand, frozen units, the two spirals."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score

from neuroloom.errors import ConfigurationError, NonFiniteError
from neuroloom.networks import CascadeCorrelationClassifier as Classifier
from neuroloom.networks import CascadeCorrelationRegressor as Regressor
from neuroloom.networks.base import answer
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer.cascade import recruit, scores

RNG = np.random.default_rng(9)
X = np.float32(RNG.normal(size=(40, 2)))
Y = np.float32(np.sin(2 * X[:, 0]) * X[:, 1])
LABELS = np.array(["in", "near", "out"])[np.digitize((X**2).sum(axis=1), [1.0, 2.0])]

every_training_engine = pytest.mark.parametrize("engine", ["jax", "torch"])


def spirals():
    """Lang and Witbrock's two spirals, 97 points each."""
    i = np.arange(97)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return np.concatenate([points, -points]), np.repeat([1, 0], 97)


def scores_of(engine, values, residual, shares):
    return scores(values, residual, shares)


def test_scores_are_weighted_covariances():
    values, residual = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 2))
    times = RNG.integers(1, 4, 40)
    v, e = np.repeat(values, times, axis=0), np.repeat(residual, times, axis=0)
    covariances = np.cov(v.T, e.T, bias=True)
    expected = abs(covariances[:3, 3:]).sum(axis=1) / np.sqrt(np.trace(covariances[3:, 3:]))
    found = answer("numpy", scores_of, values, residual, times / times.sum())
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@every_training_engine
def test_candidates_climb_their_score(engine):
    residual, shares = RNG.normal(size=(40, 2)), np.full(40, 1 / 40)
    u = RNG.normal(size=(3, 4))

    def score(u):
        v = np.tanh(X.astype(float) @ u[:-1] + u[-1])
        covariances = (v - v.mean(axis=0)).T @ (residual - residual.mean(axis=0)) / 40
        return abs(covariances).sum(axis=1) / np.sqrt(residual.var(axis=0).sum())

    def train(epochs):
        slots = algorithms.begin("rprop", u.ravel(), 0.1, 0.0)
        return answer(engine, recruit, u.ravel(), slots, X, residual, shares, 0.1, epochs, algorithm="rprop",
                      activation="tanh")  # fmt: skip

    steps = 1e-6 * np.eye(12).reshape(12, 3, 4)
    slope = np.array([(score(u + h) - score(u - h)).sum() for h in steps]).reshape(3, 4)
    weights, found, values = train(1)
    np.testing.assert_allclose(weights.reshape(3, 4), u + 0.1 * np.sign(slope), rtol=1e-9)
    weights, found, values = train(60)
    assert (found > score(u)).all()
    np.testing.assert_allclose(found, score(weights.reshape(3, 4)), rtol=1e-9)
    np.testing.assert_allclose(values, np.tanh(X.astype(float) @ weights[:8].reshape(2, 4) + weights[8:]), rtol=1e-6)


@every_training_engine
def test_the_network_is_what_its_weights_say(engine):
    net = Regressor(max_units=3, epochs=40, random_state=1, engine=engine).fit(X, np.stack([Y, 1 - Y], axis=1))
    rows = X.astype(float)
    for unit in range(3):
        assert not net.hidden_coef_[unit, 2 + unit :].any() and net.hidden_coef_[unit, : 2 + unit].all()
        z = rows @ net.hidden_coef_[unit, : 2 + unit] + net.hidden_intercept_[unit]
        rows = np.c_[rows, np.tanh(z)]
    expected = rows @ net.coef_.T + net.intercept_
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-9)
    error = ((expected - np.stack([Y, 1 - Y], axis=1)) ** 2).mean()
    assert net.loss_curve_[-1] == pytest.approx(error, rel=1e-9) and len(net.loss_curve_) == 4


def test_units_are_frozen_once_they_are_there():
    few, more = (Classifier(max_units=m, epochs=30, random_state=2, engine="jax").fit(X, LABELS) for m in (2, 4))
    np.testing.assert_allclose(more.hidden_coef_[:2, :4], few.hidden_coef_, rtol=1e-6)
    np.testing.assert_allclose(more.loss_curve_[:3], few.loss_curve_, rtol=1e-6)
    assert (np.diff(more.loss_curve_) < 0).all() and (abs(more.coef_ - np.pad(few.coef_, [(0, 0), (0, 2)])) > 0).any()
    np.testing.assert_allclose(more.correlations_[:2], few.correlations_, rtol=1e-6)
    p = more.predict_proba(X)[np.arange(40), np.searchsorted(more.classes_, LABELS)]
    assert more.loss_curve_[-1] == pytest.approx(-np.log(p).mean(), rel=1e-9)


def test_the_best_candidate_is_taken():
    net = Regressor(max_units=1, candidates=6, epochs=25, random_state=3, engine="jax").fit(X, Y)
    p, start = net._checked(), net._start_of(net._checked(), X.astype(float), 0)
    line = Regressor(max_units=0, epochs=25, random_state=3, engine="jax").fit(X, Y)
    residual = (line.predict(X) - Y)[:, None]
    slots = algorithms.begin("rprop", start.ravel(), 0.1, 0.0)
    _, found, _ = answer("jax", recruit, start.ravel(), slots, np.c_[X, np.zeros(40)], residual, np.full(40, 1 / 40),
                         0.1, p.epochs, algorithm="rprop", activation="tanh")  # fmt: skip
    assert net.correlations_[0] == pytest.approx(found.max(), rel=1e-9) and found.min() < 0.99 * found.max()


def test_what_is_linear_needs_no_unit():
    y = X @ [1.0, -2.0] + 3
    net = Regressor(epochs=400, goal=1e-10, random_state=0, engine="jax").fit(X, y)
    assert net.n_units_ == 0 and net.n_iter_ == 1
    np.testing.assert_allclose(net.coef_[0], LinearRegression().fit(X, y).coef_, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["quickprop", "rprop", "irprop+"])
def test_xor_takes_one_unit(algorithm):
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    net = Classifier(algorithm=algorithm, epochs=200, random_state=1, engine="jax").fit(x, y)
    assert net.n_units_ == 1 and net.score(x, y) == 1.0 and net.loss_curve_[-1] <= 0.01


@pytest.mark.parametrize("algorithm", ["quickprop", "rprop"])
def test_two_spirals(algorithm):
    """Fahlman and Lebiere needed 12 to 19 units, 15.2 on average."""
    x, y = spirals()
    net = Classifier(max_units=25, algorithm=algorithm, random_state=0, engine="jax").fit(x, y)
    assert net.score(x, y) == 1.0 and 8 <= net.n_units_ <= 20


def test_iris():
    net = Classifier(max_units=3, epochs=40, random_state=0, engine="jax")
    assert cross_val_score(net, *load_iris(return_X_y=True), cv=5).mean() >= 0.93


def test_wrong_settings():
    with pytest.raises(ConfigurationError, match="algorithm to be 'quickprop' or"):
        Classifier(algorithm="lm", engine="jax").fit(X, LABELS)
    with pytest.raises(ConfigurationError, match="Did you mean 'tanh'"):
        Regressor(activation="tahn", engine="jax").fit(X, Y)
    with pytest.raises(NonFiniteError, match=r"CascadeCorrelationRegressor was .* after epoch"):
        Regressor(algorithm="quickprop", learning_rate=1e200, engine="jax").fit(X, Y)
