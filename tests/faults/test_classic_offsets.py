"""Features far from 0, and distances that are large beside the width: what is measured has its digits."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom.errors import DataError

FAR = 1.7e9
RNG = np.random.default_rng(3)
LABELS = np.arange(60) % 3
CENTRES = np.array([[-2.0, 1.0], [2.0, 1.5], [0.5, -2.0]])
X = np.round((CENTRES[LABELS] + 0.5 * RNG.normal(size=(60, 2))) * 1024) / 1024  # X + FAR is exact in float64
Y = X[:, 0] * X[:, 1]

few = {"random_state": 0}
LABELLED = [
    nl.networks.PNN(),
    nl.networks.RBFClassifier(n_centers=9, **few),
    nl.networks.RBFClassifier(n_centers=9, centers="ols", **few),
    nl.networks.RBFClassifier(n_centers=9, centers="gradient", max_iter=5, engine="jax", **few),
    nl.networks.LVQ(prototypes_per_class=2, epochs=3, **few),
    nl.networks.GLVQ(max_iter=5, engine="jax", **few),
    nl.networks.GRLVQ(max_iter=5, engine="jax", **few),
    nl.networks.GMLVQ(max_iter=5, engine="jax", **few),
    nl.networks.RSLVQ(max_iter=5, engine="jax", **few),
]
NUMBERS = [
    nl.networks.GRNN(),
    nl.networks.RBFRegressor(n_centers=12, **few),
    nl.networks.CMAC(epochs=5, **few),
]
PLAIN = [
    nl.networks.CompetitiveLayer(n_units=4, epochs=3, **few),
    nl.networks.NeuralGas(n_units=4, epochs=3, **few),
    nl.networks.GrowingNeuralGas(max_units=8, insert_every=20, epochs=3, **few),
    nl.networks.SelfOrganizingMap(shape=(3, 3), epochs=3, **few),
    nl.networks.SelfOrganizingMap(shape=(3, 3), epochs=3, training="online", distance="manhattan", **few),
    nl.networks.Oja(epochs=5, **few),
    nl.networks.Sanger(n_components=2, epochs=5, **few),
    nl.networks.FuzzyART(),
]
CASES = [(net, LABELS) for net in LABELLED] + [(net, Y) for net in NUMBERS] + [(net, None) for net in PLAIN]


def said(network, rows):
    methods = ("predict", "predict_proba", "decision_function")
    if not isinstance(network, nl.networks.GMLVQ):  # whose map takes nothing off
        methods += ("transform",)
    return {name: getattr(network, name)(rows) for name in methods if hasattr(network, name)}


ENGINES = ("numpy", "jax", "torch")
SWEEP = [
    pytest.param(net, y, engine, id=f"{type(net).__name__}-{i}-{engine}")
    for i, (net, y) in enumerate(CASES)
    for engine in ENGINES
]


@pytest.mark.parametrize("network, y, engine", SWEEP)
def test_what_depends_on_differences_only_is_the_same_far_from_zero(network, y, engine):
    """Fault 12: features around 1.7e9 were rounded to float32, whose step is 128 there, before they were centred."""
    made = type(network)(**{**network.get_params(), "engine": engine})
    near, far = said(made.fit(X, y), X), said(made.fit(X + FAR, y), X + FAR)
    assert near.keys() == far.keys()
    for name, values in near.items():
        if values.dtype.kind in "fc":
            np.testing.assert_allclose(far[name], values, rtol=2e-3, atol=2e-3, err_msg=name)
        else:
            assert np.mean(far[name] == values) > 0.97, name


def test_cities_far_from_zero_have_the_same_tour():
    """Fault 12: so had the travelling salesman's cities."""
    cities = np.array([[0, 0], [1, 1], [0, 1], [1, 0.0]])
    net = nl.networks.HopfieldTank(starts=4, max_steps=500, random_state=0).fit(cities + FAR)
    assert net.length_ == pytest.approx(4.0, abs=1e-6)
    np.testing.assert_array_equal(net.cities_, cities + FAR)


def test_learned_places_have_the_units_of_the_features():
    """Fault 12: prototypes at 1.7e9 need more digits than float32 has."""
    net = nl.networks.LVQ(epochs=5, random_state=0).fit(X + FAR, LABELS)
    means = np.array([X[c == LABELS].mean(axis=0) for c in range(3)])
    assert abs(net.prototypes_ - FAR - means).max() < 0.5


def kernel_regression(patterns, targets, rows, sigma):
    """Nadaraya and Watson's mean from differences, in float64."""
    squared = ((rows[:, None, :] - patterns[None]) ** 2).sum(axis=2)
    weights = np.exp(-(squared - squared.min(axis=1, keepdims=True)) / (2 * sigma**2))
    return (weights @ targets) / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
def test_distances_keep_their_digits_where_the_spread_is_many_widths(engine):
    """Fault 33: x² - 2 x y + y² in float32 was 0.09 wrong of 1 where the rows spread over 10⁴ widths."""
    rng = np.random.default_rng(0)
    patterns = np.concatenate([rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 1e4])
    classes, rows = rng.integers(0, 2, 80), patterns + 0.3 * rng.normal(size=(80, 3))
    right = kernel_regression(patterns, np.eye(2)[classes], rows, 1.0)
    found = nl.networks.PNN(sigma=1.0, engine=engine).fit(patterns, classes).predict_proba(rows)
    np.testing.assert_allclose(found, right, atol=1e-6)
    grnn = nl.networks.GRNN(sigma=1.0, engine=engine).fit(patterns, classes)
    np.testing.assert_allclose(grnn.predict(rows), right[:, 1], atol=1e-6)


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
def test_radial_units_are_as_narrow_as_told(engine):
    """Fault 33: so were the Gaussians of the other networks with centres."""
    rng = np.random.default_rng(1)
    patterns = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 1e4])
    net = nl.networks.RBFRegressor(n_centers=60, width=1.0, engine=engine, random_state=0)
    net.fit(patterns, rng.normal(size=60))
    rows = patterns + 0.3
    phi = np.exp(-((rows[:, None] - net.centers_) ** 2).sum(axis=2) / 2)
    np.testing.assert_allclose(net._hidden(rows), phi, atol=1e-6)


def test_targets_keep_their_digits():
    """Fault 12: the targets of GRNN were float32, so 1.7e9 + 20 was 1.7e9."""
    net = nl.networks.GRNN(sigma=0.01).fit([[0.0], [1.0]], [FAR, FAR + 20])
    np.testing.assert_allclose(net.predict([[0.0], [1.0]]) - FAR, [0, 20], atol=1e-3)


def test_numbers_beyond_float32_are_named():
    """Fault 12: what float32 does not have is an error that says where it stands."""
    wild = np.array([[1.0, 2.0], [3.0, -1e300]])
    with pytest.raises(DataError, match=r"received -1e\+300 in row 1, column 1 of X"):
        nl.networks.Perceptron().fit(wild, [0, 1])
    net = nl.networks.Perceptron().fit(wild / 1e300, [0, 1])
    with pytest.raises(DataError, match="row 1, column 1"):
        net.predict(wild)


# -------------------------------------------------------------------------------------------------------- units

WITH_UNITS = nl.networks.RSLVQ, nl.networks.Oja, nl.networks.Sanger  # in their sigma or learning rate
UNITS = [
    (nl.networks.SelfOrganizingMap(shape=(3, 3), epochs=3, distance="cosine", **few), None),
    (nl.networks.SelfOrganizingMap(shape=(3, 3), epochs=3, distance="cosine", training="online", **few), None),
    *[(net, y) for net, y in CASES if not isinstance(net, WITH_UNITS)],
]
SCALED = [
    pytest.param(net, y, engine, id=f"{type(net).__name__}-{i}-{engine}")
    for i, (net, y) in enumerate(UNITS)
    for engine in (("jax", "torch") if net.engine else ENGINES)
]


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**40])
@pytest.mark.parametrize("network, y, engine", SCALED)
def test_what_has_no_unit_is_the_same_in_all_units(network, y, engine, factor):
    """Fault 28: cosines were taken beside an absolute 1e-12, and steps of radial units were absolute."""
    made = type(network)(**{**network.get_params(), "engine": engine})
    one, other = made.fit(X, y), type(network)(**made.get_params()).fit(factor * X, y)
    for name in ("predict", "predict_proba"):
        if hasattr(one, name):
            right, found = getattr(one, name)(X), getattr(other, name)(factor * X)
            if right.dtype.kind in "fc":
                np.testing.assert_allclose(found, right, rtol=2e-3, atol=2e-3, err_msg=name)
            else:
                assert np.mean(found == right) > 0.97, name


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_targets_far_from_zero_keep_their_digits_in_descent(engine):
    """Fault 12: the descent of radial units took targets of 1.7e9 + 20 as float32."""
    make = {"n_centers": 9, "centers": "gradient", "max_iter": 30, "engine": engine, "random_state": 0}
    targets = np.round(Y * 1024) / 1024  # so that + FAR is exact
    near = nl.networks.RBFRegressor(**make).fit(X, targets)
    far = nl.networks.RBFRegressor(**make).fit(X, targets + FAR)
    np.testing.assert_allclose(far.loss_curve_, near.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(far.predict(X) - FAR, near.predict(X), atol=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_unit_far_from_all_winners_follows_the_batch_rule(engine):
    """Fault 28: weights of a neighbourhood below 1e-12 were none, so that such a unit stood still."""
    rows = np.array([[0.0], [1.0]])
    net = nl.networks.SelfOrganizingMap(shape=(1, 24), epochs=1, radius=1, random_state=0, engine=engine).fit(rows)
    start = nl.networks.SelfOrganizingMap(shape=(1, 24), random_state=0)._first(net._checked(), rows).ravel()
    winners = abs(start[:, None] - rows.ravel()).argmin(axis=0)
    h = np.exp(-((np.arange(24)[:, None] - winners) ** 2) / 2)
    np.testing.assert_allclose(net.weights_.ravel(), h @ rows.ravel() / h.sum(axis=1), atol=1e-5)
