"""Threshold units and single layers, against numbers worked by hand, theorems and other libraries."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, RidgeClassifier

from neuroloom.errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from neuroloom.networks import Adaline, DeltaRule, McCullochPitts, Perceptron

GATES = [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


def separable(rng, n=60):
    """Points with a gap between the classes, and the margin of the direction that made them."""
    direction = np.array([3.0, -4.0, 1.0]) / np.sqrt(26)  # the last is the bias
    X = rng.uniform(-2, 2, (400, 2))
    z = np.hstack([X, np.ones((400, 1))]) @ direction
    keep = np.flatnonzero(abs(z) > 0.3)[:n]
    return X[keep], (z[keep] > 0).astype(int), abs(z[keep]).min()


# ---------------------------------------------------------------------------------------------- McCulloch and Pitts


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"threshold": 1}, [0, 1, 1, 1]),  # or
        ({"threshold": 2}, [0, 0, 0, 1]),  # and
        ({"weights": [-1, 1]}, [0, 1, 0, 0]),  # the second, forbidden by the first
        ({"weights": [-1, 2], "inhibition": "weighted"}, [0, 1, 0, 1]),  # 2 - 1 reaches 1
        ({"weights": [-1, -1], "threshold": 0}, [1, 0, 0, 0]),  # neither
    ],
)
def test_gates(settings, expected):
    assert McCullochPitts(**settings).fit_transform(GATES).ravel().tolist() == expected


def test_two_layers_of_units_make_exclusive_or():
    first = McCullochPitts(weights=[[1, -1], [-1, 1]]).fit_transform(GATES)
    assert McCullochPitts(threshold=1).fit_transform(first).ravel().tolist() == [0, 1, 1, 0]


def test_weights_that_do_not_fit_are_errors():
    with pytest.raises(ShapeError, match="one weight per column of X, 2, received 3"):
        McCullochPitts(weights=[1, 1, 1]).fit(GATES)
    with pytest.raises(ConfigurationError, match="expected weights to be a list of numbers or a matrix of numbers"):
        McCullochPitts(weights=[1, np.nan]).fit(GATES)


# --------------------------------------------------------------------------------------------------- perceptron


def test_one_pass_by_hand():
    # (1, 2) +: z = 0, a mistake: w = (1, 2), b = 1.   (2, -1) -: z = 2 - 2 + 1 = 1, a mistake: w = (-1, 3), b = 0.
    # (-1, -1) +: z = 1 - 3 = -2, a mistake: w = (-2, 2), b = 1.   (-3, 1) -: z = 6 + 2 + 1 = 9: w = (1, 1), b = 0.
    X, y = [[1, 2], [2, -1], [-1, -1], [-3, 1]], [1, 0, 1, 0]
    net = Perceptron(shuffle=False, max_iter=1).fit(X, y)
    assert net.coef_.tolist() == [[1, 1]] and net.intercept_.tolist() == [0]
    assert net.mistakes_.tolist() == [4] and net.n_iter_ == 1
    scaled = Perceptron(shuffle=False, max_iter=1, learning_rate=0.5).fit(X, y)
    assert scaled.coef_.tolist() == [[0.5, 0.5]]


def test_mistakes_stay_below_novikoffs_bound(rng):
    X, y, margin = separable(rng)
    radius = np.sqrt((X**2).sum(axis=1) + 1).max()
    for seed in range(3):
        net = Perceptron(random_state=seed).fit(X, y)
        assert net.score(X, y) == 1 and net.n_iter_ < 1000
        assert 0 < net.mistakes_[0] <= (radius / margin) ** 2
        assert net.mistakes_[0] <= net.mistake_bound_[0]
        unit = np.append(net.coef_[0], net.intercept_[0]).astype(float)
        found = ((2 * y - 1) * (np.hstack([X, np.ones((len(X), 1))]) @ (unit / np.linalg.norm(unit)))).min()
        np.testing.assert_allclose(net.mistake_bound_, [(radius / found) ** 2], rtol=1e-4)


def test_the_last_pass_is_without_mistake(rng):
    X, y, _ = separable(rng)
    net = Perceptron(random_state=0).fit(X, y)
    before = net.mistakes_.copy()
    assert net.partial_fit(X, y).mistakes_.tolist() == before.tolist()


def test_what_no_line_separates_has_no_bound():
    net = Perceptron(max_iter=7, random_state=0).fit(GATES, [0, 1, 1, 0])
    assert net.mistake_bound_.tolist() == [np.inf] and net.n_iter_ == 7


def gallant(X, y, passes):
    """The pocket algorithm with ratchet as the paper lists it, example by example."""
    X, t = np.hstack([X, np.ones((len(X), 1))]), 2 * np.array(y) - 1
    w, pocket, run, best_run, best_right = np.zeros(X.shape[1]), np.zeros(X.shape[1]), 0, 0, -1
    for i in [*range(len(X))] * passes:
        if t[i] * (w @ X[i]) > 0:
            run += 1
            right = (t * (X @ w) > 0).sum()
            if run > best_run and right > best_right:
                pocket, best_run, best_right = w.copy(), run, right
        else:
            w, run = w + t[i] * X[i], 0
    return pocket


def test_the_pocket_is_gallants(rng):
    X, y = rng.integers(-4, 5, (40, 2)).astype(float), rng.integers(0, 2, 40)
    y[X[:, 0] > 1] = 1  # partly separable
    net = Perceptron(max_iter=6, pocket=True, shuffle=False).fit(X, y)
    assert [*net.coef_[0], *net.intercept_] == gallant(X, y, 6).tolist()
    assert net.score(X, y) >= Perceptron(max_iter=6, shuffle=False).fit(X, y).score(X, y)


def test_partial_fit_wants_all_classes_first():
    net = Perceptron(random_state=0).partial_fit(GATES, [0, 1, 1, 1], classes=[0, 1, 2])
    assert net.coef_.shape == (3, 2)
    with pytest.raises(DataError, match=r"expected classes among \[0, 1, 2\], received \[5\]"):
        net.partial_fit(GATES, [0, 1, 2, 5])
    with pytest.raises(DataError, match="at least two classes, received one class"):
        Perceptron().fit(GATES, [1, 1, 1, 1])


# ------------------------------------------------------------------------------------------ adaline and delta rule


def test_one_adaline_step_by_hand():
    # x = (3, 4), t = -1: e = -1, ‖x‖² + 1 = 26: w = (-3, -4)·η/26, b = -η/26. Then x = (0, 2), t = 1 ...
    net = Adaline(shuffle=False, max_iter=1, learning_rate=0.5).fit([[3, 4], [0, 2]], ["a", "b"])
    w, b = np.array([-3, -4]) * 0.5 / 26, -0.5 / 26
    e = 1 - (w @ [0, 2] + b)
    np.testing.assert_allclose(net.coef_, [w + 0.5 * e * np.array([0, 2]) / 5], rtol=1e-6)
    np.testing.assert_allclose(net.intercept_, [b + 0.5 * e / 5], rtol=1e-6)
    np.testing.assert_allclose(net.loss_curve_, [(1 + e**2) / 2], rtol=1e-6)


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh"])
def test_one_delta_step_is_half_the_gradient(activation):
    x, t, w, b = np.array([0.5, -1.5]), np.array([0.3, 0.9]), np.zeros((2, 2)), np.zeros(2)
    phi = {"linear": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[activation]

    def error(w, b):
        return ((t - phi(w @ x + b)) ** 2).sum()

    slope = np.array([[(error(w + d, b) - error(w - d, b)) / 2e-5 for d in row] for row in _steps((2, 2))])
    net = DeltaRule(activation=activation, normalize=False, max_iter=1, learning_rate=0.2).fit(x[None], t[None])
    np.testing.assert_allclose(net.coef_, -0.2 / 2 * slope, atol=1e-6)


def _steps(shape):
    for i in range(shape[0]):
        yield [np.where((np.arange(4) == i * shape[1] + j).reshape(shape), 1e-5, 0) for j in range(shape[1])]


def test_lms_comes_to_least_squares(rng):
    X = rng.normal(size=(80, 2)) * [1, 3] + [0.5, 0]
    y = X @ [[2.0, -1.0], [0.5, 0.25]] + [1.0, -2.0] + 0.01 * rng.normal(size=(80, 2))
    net, exact = DeltaRule(tol=0, max_iter=60, random_state=0).fit(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(net.coef_, exact.coef_, atol=0.01)
    np.testing.assert_allclose(net.intercept_, exact.intercept_, atol=0.02)
    assert net.loss_curve_[-1] < 1e-3 < net.loss_curve_[0]


def test_adaline_on_digits():
    X, y = load_digits(return_X_y=True)
    net = Adaline(learning_rate=0.02, max_iter=3, random_state=0).fit(X[:600] / 16, y[:600])
    best = RidgeClassifier().fit(X[:600] / 16, y[:600]).score(X[600:900] / 16, y[600:900])
    assert net.score(X[600:900] / 16, y[600:900]) > best - 0.06


def test_a_rate_that_diverges_is_an_error_that_says_what_to_do():
    X = 50 * np.array(GATES, float)
    with pytest.raises(NonFiniteError, match="normalize=True"):
        DeltaRule(learning_rate=1.0, normalize=False).fit(X, [0.0, 1.0, 2.0, 9.0])
