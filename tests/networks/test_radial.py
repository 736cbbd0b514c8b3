"""GRNN, PNN, radial basis functions, extreme learning machines, CMAC: against formulas and other libraries."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold, LeaveOneOut, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuroloom import engines
from neuroloom.networks import CMAC, GRNN, PNN, ELMClassifier, ELMRegressor, RBFClassifier, RBFRegressor
from neuroloom.networks.radial.kernel import WIDTHS
from neuroloom.networks.radial.rbf import neighbour_widths, orthogonal_selection

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3)) + 5.0  # away from the origin, where careless distances lose digits
Y = np.sin(X[:, 0]) + 0.3 * X[:, 1] * X[:, 2]
LABELS = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [4.6, 5.5])]
NEW = RNG.normal(size=(11, 3)) + 5.0


def kernel(a, b, sigma):
    return np.exp(-((a[:, None] - b) ** 2).sum(axis=2) / (2 * sigma**2))


# ------------------------------------------------------------------------------------------------- GRNN and PNN


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("sigma", [0.4, 2.0])
def test_grnn_is_the_quotient_of_kernel_sums(engine, sigma):
    k = kernel(NEW, X, sigma)
    found = GRNN(sigma=sigma, engine=engine).fit(X, Y).predict(NEW)
    np.testing.assert_allclose(found, k @ Y / k.sum(axis=1), rtol=2e-5)


def test_grnn_of_two_outputs_is_two_grnns():
    both = GRNN(sigma=0.5).fit(X, np.stack([Y, -3 * Y], axis=1)).predict(NEW)
    np.testing.assert_allclose(both, GRNN(sigma=0.5).fit(X, Y).predict(NEW)[:, None] * [1, -3], rtol=1e-5)


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
def test_pnn_is_bayes_rule_with_kernel_densities(engine):
    densities = [KernelDensity(bandwidth=0.6).fit(X[c == LABELS]).score_samples(NEW) for c in "abc"]
    joint = np.exp(densities).T * [np.mean(c == LABELS) for c in "abc"]
    found = PNN(sigma=0.6, engine=engine).fit(X, LABELS)
    np.testing.assert_allclose(found.predict_proba(NEW), joint / joint.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    assert list(found.predict(NEW)) == list(np.array(list("abc"))[joint.argmax(axis=1)])


def test_far_from_everything_the_nearest_example_decides():
    far = X[:1] + [[1e4, 0, 0]]
    nearest = ((X - far) ** 2).sum(axis=1).argmin()
    assert GRNN(sigma=0.1).fit(X, Y).predict(far)[0] == pytest.approx(Y[nearest], rel=1e-5)
    assert PNN(sigma=0.1).fit(X, LABELS).predict(far)[0] == LABELS[nearest]


def test_the_width_has_the_least_leave_one_out_error():
    tried = WIDTHS * np.sqrt(2 * X.var(axis=0).sum())
    squared = [
        ((cross_val_predict(GRNN(sigma=s, engine="numpy"), X, Y, cv=LeaveOneOut()) - Y) ** 2).sum() for s in tried
    ]
    assert GRNN().fit(X, Y).sigma_ == pytest.approx(tried[np.argmin(squared)], rel=1e-5)
    likelihood = []
    for s in tried:
        p = cross_val_predict(PNN(sigma=s, engine="numpy"), X, LABELS, cv=LeaveOneOut(), method="predict_proba")
        likelihood.append(np.log(p[np.arange(len(X)), np.searchsorted(list("abc"), LABELS)] + 1e-12).sum())
    assert PNN().fit(X, LABELS).sigma_ == pytest.approx(tried[np.argmax(likelihood)], rel=1e-5)


def test_examples_can_come_in_parts():
    whole = GRNN(sigma=0.5).fit(X, Y).predict(NEW)
    parts = GRNN(sigma=0.5).partial_fit(X[:15], Y[:15]).partial_fit(X[15:], Y[15:])
    np.testing.assert_allclose(parts.predict(NEW), whole, rtol=1e-6)
    net = PNN(sigma=0.5).partial_fit(X[:15], LABELS[:15], classes=["a", "b", "c"]).partial_fit(X[15:], LABELS[15:])
    np.testing.assert_allclose(net.predict_proba(NEW), PNN(sigma=0.5).fit(X, LABELS).predict_proba(NEW), rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 600])
def test_rows_do_not_depend_on_their_neighbours(rows):
    many = np.resize(NEW, (rows, 3))
    net = GRNN(sigma=0.5, engine="jax").fit(X, Y)
    np.testing.assert_array_equal(net.predict(many), np.resize(net.predict(NEW), rows))


def test_pnn_on_digits():
    images, digits = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(PNN(), images / 16, digits, cv=folds).mean() > 0.98


def test_grnn_on_diabetes():
    folds = KFold(10, shuffle=True, random_state=0)
    data = load_diabetes(return_X_y=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), GRNN()), *data, cv=folds)
    assert scores.mean() > 0.40  # 0.436 measured


# ----------------------------------------------------------------------------------------------- radial functions


def test_with_a_unit_on_every_example_the_network_interpolates():
    net = RBFRegressor(n_centers=40, width=1.0, random_state=0).fit(X, Y)
    np.testing.assert_allclose(net.predict(X), Y, atol=2e-3)
    assert len(net.centers_) == 40


def test_the_linear_layer_is_that_of_least_squares():
    net = RBFRegressor(n_centers=5, random_state=0).fit(X, Y)
    phi = np.exp(-((X[:, None] - net.centers_) ** 2).sum(axis=2) / (2 * net.widths_**2))
    line = LinearRegression().fit(phi, Y)
    np.testing.assert_allclose(net.predict(X), line.predict(phi), atol=1e-4)
    np.testing.assert_allclose(net.coef_[0], line.coef_, rtol=2e-3)


def test_widths_by_hand():
    centers = np.array([[0.0, 0], [3, 4], [0, 1]])
    squared = [(1 + 25) / 2, (25 + 18) / 2, (1 + 18) / 2]
    np.testing.assert_allclose(neighbour_widths(centers), np.sqrt(squared))
    np.testing.assert_allclose(neighbour_widths(centers[:2]), [5, 5])
    assert neighbour_widths(centers[:1]) == [1]


def test_orthogonal_least_squares_takes_the_best_next_column():
    phi, targets = kernel(X, X, 1.0), np.stack([Y, np.cos(X[:, 1])], axis=1)
    chosen, shares = orthogonal_selection(phi, targets, 4)
    centred = targets - targets.mean(axis=0)
    for k in range(4):  # by brute force over all columns
        fits = [LinearRegression().fit(phi[:, [*chosen[:k], j]], targets) for j in range(len(X))]
        errors = [((targets - f.predict(phi[:, [*chosen[:k], j]])) ** 2).sum() for j, f in enumerate(fits)]
        assert chosen[k] == np.argmin(errors)
        assert shares[: k + 1].sum() == pytest.approx(1 - min(errors) / (centred**2).sum(), rel=1e-6)


def test_orthogonal_least_squares_stops_where_nothing_is_left():
    phi = np.repeat(kernel(X, X[:2], 1.0), 3, axis=1)  # two different columns
    chosen, _ = orthogonal_selection(phi, Y[:, None], 6)
    assert len(chosen) == 2


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_the_gradient_improves_on_kmeans(engine):
    start = RBFRegressor(n_centers=6, random_state=0, engine=engine).fit(X, Y)
    net = RBFRegressor(n_centers=6, random_state=0, engine=engine, centers="gradient", max_iter=150).fit(X, Y)
    assert net.loss_curve_[0] == pytest.approx(np.mean((start.predict(X) - Y) ** 2), rel=1e-3)
    assert net.loss_curve_[-1] < 0.7 * net.loss_curve_[0]
    assert np.mean((net.predict(X) - Y) ** 2) <= net.loss_curve_[-1] * 1.01  # the linear layer is solved for again
    assert not np.allclose(net.centers_, start.centers_, atol=0.05)


@pytest.mark.parametrize("centers", ["kmeans", "ols"])
def test_rbf_on_digits(centers):
    images, digits = load_digits(return_X_y=True)
    net = RBFClassifier(n_centers=100, centers=centers, random_state=0).fit(images[:900] / 16, digits[:900])
    assert net.score(images[900:] / 16, digits[900:]) > 0.9


# ------------------------------------------------------------------------------------- extreme learning machines


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_elm_is_ridge_regression_on_the_hidden_layer(activation):
    net = ELMRegressor(n_hidden=25, activation=activation, alpha=0.1, random_state=1).fit(X, Y)
    z = X.astype(np.float32) @ net.hidden_coef_ + net.hidden_intercept_
    h = {"tanh": np.tanh(z), "sigmoid": 1 / (1 + np.exp(-z)), "relu": np.maximum(z, 0)}[activation]
    ridge = Ridge(alpha=0.1).fit(h.astype(np.float64), Y)
    np.testing.assert_allclose(net.predict(X), ridge.predict(h), rtol=1e-4, atol=1e-4)


def test_elm_weights_of_examples():
    weights = np.arange(40) % 3
    one = ELMRegressor(n_hidden=12, random_state=0).fit(X, Y, sample_weight=weights)
    rows = np.repeat(np.arange(40), weights)
    other = ELMRegressor(n_hidden=12, random_state=0).fit(X[rows], Y[rows])
    np.testing.assert_allclose(one.predict(NEW), other.predict(NEW), rtol=1e-6)


def test_elm_hidden_units_are_not_saturated_by_many_features():
    wide = np.random.default_rng(0).normal(size=(50, 400))
    net = ELMClassifier(random_state=0).fit(wide, np.arange(50) % 2)
    assert np.std(wide @ net.hidden_coef_) == pytest.approx(1, abs=0.1)


def test_elm_on_digits():
    images, digits = load_digits(return_X_y=True)
    net = ELMClassifier(n_hidden=500, random_state=0).fit(images[:1300] / 8 - 1, digits[:1300])
    assert net.score(images[1300:] / 8 - 1, digits[1300:]) > 0.92


# ----------------------------------------------------------------------------------------------------------- CMAC


def test_one_step_of_cmac_by_hand():
    net = CMAC(n_tilings=2, n_tiles=2, learning_rate=0.5, epochs=1, random_state=0)
    net.fit([[0.0], [1.0]], [4.0, 4.0])
    # boxes are 0.5 wide; the second tiling is shifted by a quarter: 0 -> boxes 0, 0 and 1 -> boxes 2, 2
    np.testing.assert_array_equal(net.boxes_, [[0, 0], [0, 2], [1, 0], [1, 2]])
    np.testing.assert_allclose(net.weights_, np.full((4, 1), 0.5 * 4 / 2))
    np.testing.assert_allclose(net.loss_curve_, [16.0])
    # 0.3 lies in box 0 of the first tiling and in box 1 of the second, which has no weight
    np.testing.assert_allclose(net.predict([[0.0], [0.3], [0.6], [9.0]]), [2.0, 1.0, 0.0, 0.0])


def test_with_rate_one_the_last_example_is_met():
    net = CMAC(learning_rate=1.0, epochs=1, random_state=0).fit([[0.0], [0.05], [1.0]], [1.0, 3.0, 7.0])
    assert net.predict([[1.0]])[0] == pytest.approx(7)
    near = net.predict([[0.0], [0.05]])
    assert near[0] == pytest.approx(1) or near[1] == pytest.approx(3)


def test_cmac_leaves_distant_places_alone():
    grid = np.linspace(0, 1, 101)
    found = CMAC(epochs=30, random_state=0).fit([[0.0], [0.5], [1.0]], [0.0, 1.0, 0.0]).predict(grid[:, None])
    assert found[50] == pytest.approx(1, abs=1e-3)
    assert (found[abs(grid - 0.5) < 0.06] > 0.3).all()
    assert not found[abs(grid - 0.5) > 1 / 8].any()


def test_the_error_of_cmac_falls():
    net = CMAC(random_state=0).fit(X, Y)
    assert net.loss_curve_[-1] < 0.01 * net.loss_curve_[0]


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
def test_add_at_adds_rows_that_are_named_twice_up(engine):
    engine = engines.load(engine)
    x = engine.asarray(np.arange(6, dtype=np.float32).reshape(3, 2))
    values = engine.asarray(np.array([[1, 2], [10, 20], [100, 200]], np.float32))
    found = engine.add_at(x, engine.asarray(np.array([2, 0, 2], np.int32)), values)
    np.testing.assert_array_equal(engine.to_numpy(found), [[10, 21], [2, 3], [105, 207]])
    np.testing.assert_array_equal(engine.to_numpy(x), [[0, 1], [2, 3], [4, 5]])
