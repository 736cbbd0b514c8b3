"""Conjugate gradients and quasi-Newton rules begin anew; a multilayer perceptron keeps scikit-learn's contract."""

import numpy as np
import pytest
from scipy.optimize import OptimizeResult
from sklearn.datasets import make_blobs
from sklearn.model_selection import train_test_split

import neuroloom as nl
from neuroloom.networks.multilayer import mlp_training as training

x = np.linspace(-7, 7, 20)[:, None]
y = 0.5 * np.sin(x[:, 0])


def slope(net, rows, targets):
    """The gradient of the mean squared error of a 1-h-1 network of tanh units, by back-propagation on paper."""
    (a, c), (b, d) = net.coefs_, net.intercepts_
    hidden = np.tanh(rows @ a + b)
    delta = 2 * (hidden @ c + d - targets[:, None]) / len(rows)
    back = (delta @ c.T) * (1 - hidden**2)
    return np.concatenate([(rows.T @ back).ravel(), (hidden.T @ delta).ravel(), back.sum(axis=0), delta.sum(axis=0)])


@pytest.mark.parametrize("engine", ["jax", "torch"])
@pytest.mark.parametrize("algorithm", ["cgf", "cgp"])
def test_after_as_many_steps_as_weights_the_direction_is_that_of_the_gradient(algorithm, engine):
    """Fault 30: there was no restart but where a direction led uphill."""
    settings = {"hidden": (2,), "algorithm": algorithm, "random_state": 3, "engine": engine, "scale": False}
    n, down, g = 7, [], np.zeros(7)
    for epochs in range(1, n + 3):  # the direction of epoch number k belongs to the weights after k - 1
        after = nl.networks.MultilayerPerceptronRegressor(epochs=epochs, **settings).fit(x, y)
        assert after.n_iter_ == epochs
        if epochs > 1:
            down.append(bool(np.allclose(after.memory_["direction"], -g, rtol=1e-4, atol=1e-7)))
        g = slope(after, x, y)
    assert down[n - 1]  # epoch n + 1
    assert not down[n]
    assert not all(down[: n - 1])


def test_conjugate_gradients_reach_the_goal_of_the_small_sine():
    """Fault 30: `cgf` stalled there for most first weights."""
    reached = [
        nl.networks.MultilayerPerceptronRegressor(
            hidden=(5,), algorithm="cgf", loss="sse", goal=0.02, epochs=1000, random_state=seed, engine="torch",
            scale=False,
        ).fit(x, y).loss_ <= 0.02
        for seed in range(10)
    ]  # fmt: skip
    assert sum(reached) >= 9


def test_a_search_that_finds_nothing_lower_begins_anew():
    """Fault 30: BFGS ended where its estimate of the curvature was spoilt, here by gradients wrong for a while."""
    calls, scales = [], 10.0 ** np.arange(6)

    def bowl(w):
        calls.append(w)
        return 0.5 * float(scales @ w**2), scales * w * (-1 if 5 < len(calls) < 60 else 1)

    course = training.Course(30.0 * np.arange(1, 7), 1e-12, 100, None)
    training.minimized("bfgs", bowl, course.w, 400, course)
    assert len(calls) > 60
    assert course.errors[-1][0] < 1e-6


@pytest.mark.parametrize("algorithm", ["bfgs", "lbfgs", "ncg"])
def test_searches_begin_anew_from_where_they_stuck_while_that_leads_on(algorithm, monkeypatch):
    """Fault 30: with the epochs that are left, and not for ever."""
    starts = []

    def stuck(fun, w, *, callback, options, **others):
        starts.append((float(w[0]), options["maxiter"]))
        for _ in range((2, 1, 0)[len(starts) - 1]):
            w = w - 1
            callback(OptimizeResult(x=w, fun=w[0]))
        return OptimizeResult(status=2)

    monkeypatch.setattr(training, "minimize", stuck)
    course = training.Course(np.array([9.0]), 0.0, 100, None)
    training.minimized(algorithm, None, course.w, 50, course)
    assert starts == [(9.0, 50), (7.0, 48), (6.0, 47)]
    assert course.errors == [(8.0, 0.0), (7.0, 0.0), (6.0, 0.0)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_rows_that_weigh_next_to_nothing_move_nothing(classes, engine):
    """Fault 27: the default classifier fitted classes of weight 1e-4 beside one of 1000 (scikit-learn's check)."""
    X, labels = make_blobs(centers=classes, random_state=0, cluster_std=20)
    X, other, labels, _ = train_test_split(X, labels, test_size=0.5, random_state=0)
    weight = {0: 1000, 1: 0.0001, 2: 0.0001}
    net = nl.networks.MultilayerPerceptronClassifier(
        class_weight={c: weight[c] for c in range(classes)}, random_state=0, engine=engine
    )
    assert (net.fit(X, labels).predict(other) == 0).mean() > 0.87


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_weight_is_a_repetition(engine):
    """Fault 27: weights against repeated and left-out rows, with the default settings."""
    rng = np.random.default_rng(42)
    X, labels, weight = rng.random((15, 10)) * 2, np.arange(15) % 3, rng.integers(0, 5, 15)
    make = nl.networks.MultilayerPerceptronClassifier
    weighted = make(random_state=0, engine=engine).fit(X, labels, sample_weight=weight)
    repeated = make(random_state=0, engine=engine).fit(X.repeat(weight, axis=0), labels.repeat(weight))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-7)
