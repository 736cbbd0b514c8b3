"""Kohonen's map: its grid, its two rules, what it says of data, how it behaves on real data."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from data_folder import DATA, needs_data
from neuroloom import plots
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.networks import SelfOrganizingMap
from neuroloom.networks.base import run
from neuroloom.networks.competitive import som_grid, som_rules
from neuroloom.ops import draws

ENGINES = ("numpy", "jax", "torch")
HALF = np.exp(-0.5)


def made(weights, X=None, **parameters):
    """A fitted map with these weights."""
    weights = np.asarray(weights, np.float32)
    som = SelfOrganizingMap(engine="numpy", random_state=0, **parameters)
    som.fit(np.random.default_rng(0).normal(size=(9, weights.shape[1])) if X is None else X)
    assert som.weights_.shape == weights.shape
    som.weights_ = weights
    return som


# ------------------------------------------------------------------------------------------------------------ grid


def test_a_rectangular_grid_has_eight_neighbours_and_meets_at_its_edges_if_toroidal():
    touch = som_grid.neighbours((3, 4), "rectangular", False)
    assert np.flatnonzero(touch[5]).tolist() == [0, 1, 2, 4, 6, 8, 9, 10]
    assert np.flatnonzero(touch[0]).tolist() == [1, 4, 5]
    around = som_grid.neighbours((3, 4), "rectangular", True)
    assert np.flatnonzero(around[0]).tolist() == [1, 3, 4, 5, 7, 8, 9, 11]
    assert som_grid.squared_distances((3, 4), "rectangular", False)[0].tolist() == [
        0,
        1,
        4,
        9,
        1,
        2,
        5,
        10,
        4,
        5,
        8,
        13,
    ]
    assert som_grid.squared_distances((3, 4), "rectangular", True)[0].tolist() == [0, 1, 4, 1, 1, 2, 5, 2, 1, 2, 5, 2]


def test_a_hexagonal_grid_has_six_neighbours_at_distance_one():
    touch = som_grid.neighbours((4, 3), "hexagonal", False)
    assert np.flatnonzero(touch[4]).tolist() == [1, 2, 3, 5, 7, 8]  # row 1 lies half a unit to the right
    assert np.flatnonzero(touch[7]).tolist() == [3, 4, 6, 8, 9, 10]
    assert (som_grid.neighbours((4, 3), "hexagonal", True).sum(axis=1) == 6).all()
    np.testing.assert_allclose(
        som_grid.squared_distances((4, 3), "hexagonal", False)[0, :9], [0, 1, 4, 1, 3, 7, 3, 4, 7]
    )


def test_grids_of_any_dimension():
    touch = som_grid.neighbours((3, 3, 3), "rectangular", False)
    assert touch[13].sum() == 26 and touch[0].sum() == 7
    assert som_grid.positions((2, 1, 3), "rectangular").tolist()[4] == [1, 0, 1]
    X = np.random.default_rng(1).normal(size=(30, 4))
    assert SelfOrganizingMap(shape=(2, 3, 2), engine="numpy").fit(X).u_matrix().shape == (2, 3, 2)
    assert SelfOrganizingMap(shape=7, engine="numpy").fit(X).hit_map(X).sum() == 30


def test_first_weights_span_the_principal_components():
    X = np.random.default_rng(2).normal(size=(200, 5)) * [1, 3, 0.1, 2, 0.1] + 7
    w = som_grid.unfolded(X, (5, 9), "rectangular").astype(float).reshape(5, 9, 5)
    pca = PCA(2).fit(X)
    sigma = np.sqrt(pca.explained_variance_ * 199 / 200)
    along = (w - X.mean(axis=0)) @ pca.components_.T
    np.testing.assert_allclose(abs(along[2, :, 0]), sigma[0] * abs(np.linspace(-1, 1, 9)), atol=1e-5)
    np.testing.assert_allclose(abs(along[:, 4, 1]), sigma[1] * abs(np.linspace(-1, 1, 5)), atol=1e-5)
    np.testing.assert_allclose(w[2, 4], X.mean(axis=0), atol=1e-5)


# ----------------------------------------------------------------------------------------------------------- rules


@pytest.mark.parametrize("engine", ENGINES)
def test_one_online_step_by_hand(engine):
    squared = np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]], float)
    w, curve = run(
        engine, som_rules.online, np.array([[2.0]]), np.array([[0.0], [3.0], [5.0]]), squared, np.array([0.5, 0.1]),
        np.array([1.0, 0.2]), draws.key(0), 0, np.zeros(1), 10.0,
        distance="euclidean", kind="gaussian", decay="linear", missing=False,
    )  # fmt: skip
    np.testing.assert_allclose(w[:, 0], [0.5 * HALF * 2, 2.5, 5 - 0.5 * HALF * 3], rtol=1e-6)
    assert curve == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_one_batch_step_by_hand(engine):
    squared = np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]], float)
    w, curve = run(
        engine, som_rules.batch, np.array([[0.5], [1.0], [6.0]]), np.array([[0.0], [3.0], [5.0]]), squared,
        np.array([1.0, 1.0]), 0, np.zeros(1), 10.0,
        distance="euclidean", kind="gaussian", decay="linear", missing=False,
    )  # fmt: skip
    far = np.exp(-2)  # rows 0.5 and 1 are won by the first unit, 6 by the last
    expected = [(1.5 + 6 * far) / (2 + far), 7.5 / 3, (1.5 * far + 6) / (2 * far + 1)]
    np.testing.assert_allclose(w[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(curve, 2.5 / 3, rtol=1e-6)


def bell(d, r, kind):
    """h, from its definition."""
    if kind == "gaussian":
        return np.exp(-(d**2) / (2 * r**2))
    if kind == "mexican_hat":
        return (1 - d**2 / r**2) * np.exp(-(d**2) / (2 * r**2))
    return float(d <= r + 1e-6) if kind == "bubble" else max(0.0, 1 - d / r)


def slow_online(X, w, at, key, epochs, rates, radii, kind, metric, fall):
    """The map as in Kohonen's paper, in float64, row by row and unit by unit, for what is known of each row."""
    w = w.astype(float).copy()
    for epoch in range(epochs):
        order = draws.permutation(draws.fold_in(key, epoch), len(X))
        for i, row in enumerate(order):
            t = (epoch + i / len(X)) / epochs
            rate, radius = fall(*rates, t), fall(*radii, t)
            there = np.isfinite(X[row])
            c = cdist(X[row : row + 1, there], w[:, there], metric)[0].argmin()
            for j in range(len(w)):
                d = np.linalg.norm(at[c] - at[j])
                w[j, there] += rate * bell(d, radius, kind) * (X[row, there] - w[j, there])
            if kind == "mexican_hat":
                w = w.clip(np.nanmin(X, axis=0), np.nanmax(X, axis=0))
    return w


def slow_batch(X, w, at, epochs, radii, kind, metric, fall):
    w = w.astype(float).copy()
    for epoch in range(epochs):
        radius = fall(*radii, epoch / (epochs - 1))
        above, below = np.zeros_like(w), np.zeros_like(w)
        for row in X:
            there = np.isfinite(row)
            c = cdist(row[None, there], w[:, there], metric)[0].argmin()
            for j in range(len(w)):
                h = bell(np.linalg.norm(at[c] - at[j]), radius, kind)
                above[j, there] += h * (row - w[j])[there]
                below[j, there] += abs(h)
        w += above / np.maximum(below, 1e-12)
        if kind == "mexican_hat":
            w = w.clip(np.nanmin(X, axis=0), np.nanmax(X, axis=0))
    return w


FALLS = {
    "linear": lambda a, b, t: a + (b - a) * t,
    "exponential": lambda a, b, t: a * (b / a) ** t,
    "inverse": lambda a, b, t: a / (1 + (a / b - 1) * t),
}
METRICS = {"euclidean": "euclidean", "manhattan": "cityblock", "chebyshev": "chebyshev", "cosine": "cosine"}
WAYS = [
    ("gaussian", "euclidean", "linear", "rectangular"),
    ("bubble", "manhattan", "exponential", "hexagonal"),
    ("mexican_hat", "chebyshev", "inverse", "rectangular"),
    ("triangle", "cosine", "linear", "hexagonal"),
]


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("training", ["online", "batch"])
@pytest.mark.parametrize(("kind", "distance", "decay", "grid"), WAYS)
def test_learning_is_that_of_a_slow_loop(kind, distance, decay, grid, training, gaps):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(23, 4)).astype(np.float32) + 1
    if gaps:
        X[rng.random(X.shape) < 0.2] = np.nan
    rates, radii, epochs = (0.4, 0.05), (2.0, 0.8), 4
    som = SelfOrganizingMap(
        shape=(3, 4), grid=grid, neighborhood=kind, distance=distance, training=training, init="sample",
        learning_rate=rates, radius=radii, decay=decay, epochs=1, random_state=5, engine="numpy",
    ).fit(X)  # fmt: skip
    first = som._first(som._settled(), X)
    at = np.array([(i * (0.75**0.5 if grid == "hexagonal" else 1), j + (i % 2) * (grid == "hexagonal") / 2)
                   for i, j in itertools.product(range(3), range(4))])  # fmt: skip
    found = som.set_params(epochs=epochs).fit(X).weights_
    rest = kind, METRICS[distance], FALLS[decay]
    if training == "online":
        expected = slow_online(X, first, at, draws.key(5, "order"), epochs, rates, radii, *rest)
    else:
        expected = slow_batch(X, first, at, epochs, radii, *rest)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    assert abs(found - first).max() > 0.1


@pytest.mark.parametrize("training", ["online", "batch"])
def test_parts_make_a_whole_and_later_ones_go_on(training):
    X = np.random.default_rng(4).normal(size=(40, 3))
    som = SelfOrganizingMap(shape=(3, 3), training=training, epochs=4, random_state=1, engine="numpy")
    whole = som.fit(X).weights_
    assert som.n_iter_ == 4 and som.loss_curve_.shape == (4,)
    again = SelfOrganizingMap(shape=(3, 3), training=training, epochs=4, random_state=1, engine="numpy")
    for _ in range(4):
        again.partial_fit(X)
    np.testing.assert_allclose(whole, again.weights_, rtol=1e-5, atol=1e-6)
    assert again.partial_fit(X).n_iter_ == 5
    np.testing.assert_array_equal(again.fit(X).weights_, whole)


def test_data_far_from_zero_give_the_same_map():
    X = np.random.default_rng(5).normal(size=(60, 3)).astype(np.float32).round(2)
    near, far = (SelfOrganizingMap(shape=(4, 4), engine="jax").fit(X + shift) for shift in (0, 4096))
    assert (near.predict(X) == far.predict(X + 4096)).mean() > 0.95  # float32 there has steps of 0.0005
    np.testing.assert_allclose(near.weights_, far.weights_ - 4096, atol=0.05)


# ------------------------------------------------------------------------------------------------ what it says of X


def test_errors_and_maps_by_hand():
    som = made([[0.0, 0], [0, 1], [0, 2], [9, 9]], shape=4, radius=1.0)
    X = np.array([[0, 0.1], [0, 1.6], [3, 0], [8, 8]])
    assert som.predict(X).tolist() == [0, 2, 0, 3]
    np.testing.assert_allclose(som.quantization_error(X), (0.1 + 0.4 + 3 + 2**0.5) / 4)
    assert som.score(X) == -som.quantization_error(X)
    # nearest two: 0 1, 2 1, 0 1, 3 2: all touch; with units 1 and 3 exchanged 0 3, 2 3, 0 3, 1 2
    assert som.topographic_error(X) == 0
    som.weights_ = som.weights_[[0, 3, 2, 1]]
    assert som.topographic_error(X) == 0.5
    assert som.hit_map(X).tolist() == [2, 1, 1, 0]
    assert som.label_map(X, ["b", "a", "a", "c"]).tolist() == ["a", "c", "a", None]
    assert som.positions(X).ravel().tolist() == [0, 2, 0, 1]
    with pytest.raises(ShapeError, match="expected 4 labels, one per row, received shape"):
        som.label_map(X, [1, 2])


def test_distortion_by_hand():
    som = made([[0.0], [3.0]], shape=2, radius=(5.0, 1.0))
    np.testing.assert_allclose(som.distortion([[1.0], [2.5]]), ((1 + 4 * HALF) + (0.25 + 6.25 * HALF)) / 2)


def test_u_matrix_planes_and_clusters_by_hand():
    som = made([[0.0, 1], [0, 2], [5, 2], [5, 3], [5, 5], [5, 9]], shape=(2, 3))

    def far(a, b):
        return np.linalg.norm(som.weights_[a] - som.weights_[b])

    u = som.u_matrix()
    np.testing.assert_allclose(u[0, 0], (far(0, 1) + far(0, 3) + far(0, 4)) / 3, rtol=1e-6)
    np.testing.assert_allclose(u[1, 1], sum(far(4, j) for j in (0, 1, 2, 3, 5)) / 5, rtol=1e-6)
    assert som.component_planes()[1].tolist() == [[1, 2, 2], [3, 5, 9]]
    two = som.cluster(2)
    assert two[0, 0] == two[0, 1] != two[1, 0] and (two.ravel()[2:] == two[1, 0]).all()
    line = made([[0.0], [10], [0.1], [10.1]], shape=4).cluster(2)
    assert (line[1:] != line[:-1]).sum() == 1  # like units that do not touch are no region
    assert som.cluster(6).ravel().size == len(set(som.cluster(6).ravel().tolist()))


@pytest.mark.parametrize("distance", METRICS)
def test_distances_are_those_of_scipy_and_of_what_is_known(distance):
    X = np.random.default_rng(6).normal(size=(12, 5))
    som = SelfOrganizingMap(shape=(2, 3), distance=distance, epochs=2, engine="numpy").fit(X)
    expected = cdist(X, som.weights_, METRICS[distance])
    np.testing.assert_allclose(som.transform(X), expected, rtol=1e-9, atol=1e-12)
    gappy = X.copy()
    gappy[:, 2] = np.nan
    keep = [0, 1, 3, 4]
    expected = cdist(X[:, keep], som.weights_[:, keep], METRICS[distance])
    np.testing.assert_allclose(som.transform(gappy), expected, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------------------------- real data


def digits():
    return load_digits().data / 16


@pytest.mark.parametrize("training", ["batch", "online"])
def test_digits_lie_on_a_map(training):
    """Sum of squares of the best 100 means: k-means; a map has to stay near it although it keeps its order."""
    X = digits()
    som = SelfOrganizingMap(training=training, random_state=0).fit(X)
    least = KMeans(100, n_init=1, random_state=0).fit(X).transform(X).min(axis=1).mean()
    assert least < som.quantization_error(X) < 1.17 * least
    assert som.topographic_error(X) < 0.06
    ordered = SelfOrganizingMap(training=training, radius=(5.0, 1.0), random_state=0).fit(X)
    assert ordered.quantization_error(X) > som.quantization_error(X)
    assert ordered.topographic_error(X) < 0.03
    shuffled = SelfOrganizingMap(init="sample", epochs=1, radius=0.01, random_state=0).fit(X)
    assert shuffled.topographic_error(X) > 0.6


@pytest.mark.parametrize("training", ["batch", "online"])
@pytest.mark.parametrize("kind", ["bubble", "mexican_hat", "triangle"])
def test_other_neighbourhoods_order_the_digits_too(kind, training):
    X = digits()
    som = SelfOrganizingMap(neighborhood=kind, training=training, shape=(8, 8), random_state=0).fit(X)
    assert som.topographic_error(X) < 0.2
    assert som.quantization_error(X) < (2.15 if kind == "mexican_hat" else 1.45)  # 2.155 to the mean of all
    assert X.min() - 1e-6 <= som.weights_.min() and som.weights_.max() <= X.max() + 1e-6


def test_wines_of_three_growers():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    som = SelfOrganizingMap(shape=(8, 8)).fit(X)
    assert adjusted_rand_score(y, som.cluster(3).ravel()[som.predict(X)]) > 0.7
    known = X.copy()
    known[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    gappy = SelfOrganizingMap(shape=(8, 8)).fit(known)
    assert adjusted_rand_score(y, gappy.cluster(3).ravel()[gappy.predict(known)]) > 0.6


@needs_data
def test_old_faithful_has_short_and_long_eruptions():
    X = np.loadtxt(DATA / "old-faithful" / "faithful.csv", delimiter=",", skiprows=1)
    som = SelfOrganizingMap(shape=(6, 6)).fit(StandardScaler().fit_transform(X))
    found = som.cluster(2).ravel()[som.predict(StandardScaler().fit_transform(X))]
    assert adjusted_rand_score(X[:, 0] > 3, found) > 0.95


# ----------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"shape": (3, 3, 3), "grid": "hexagonal"}, r"hexagonal grid expected shape \(rows, columns\)"),
        ({"shape": (3, 4), "grid": "hexagonal", "toroidal": True}, "even number of rows"),
        ({"shape": ()}, r"units along each axis, received \(\)"),
        ({"shape": (0, 4)}, "expected shape to be a positive whole number"),
        ({"learning_rate": 1.5}, "expected learning_rate to be a number above 0 and up to 1, or a tuple of two"),
        ({"radius": (3.0, 0.0)}, "expected radius to be a positive number, or a tuple of two"),
        ({"radius": (3.0, 2.0, 1.0)}, "a tuple of two"),
        ({"neighborhood": "gauss"}, "expected neighborhood to be 'gaussian'"),
        ({"epochs": 0}, "expected epochs to be a positive whole number"),
    ],
)
def test_wrong_parameters(parameters, text):
    with pytest.raises(ConfigurationError, match=text):
        SelfOrganizingMap(**parameters).fit(np.eye(4))


def test_wrong_data():
    with pytest.raises(DataError, match="at least one known value in each row, received only NaN in row 1"):
        SelfOrganizingMap(engine="numpy").fit([[1.0, 2.0], [np.nan, np.nan]])
    with pytest.raises(DataError, match="in each column, received only NaN in column 0"):
        SelfOrganizingMap(engine="numpy").fit([[np.nan, 2.0], [np.nan, 1.0]])
    with pytest.raises(ValueError, match="infinity"):
        SelfOrganizingMap(engine="numpy").fit([[np.inf, 2.0], [1, 1.0]])
    som = made(np.eye(4), shape=(2, 2))
    with pytest.raises(ConfigurationError, match=r"fitted with 4 units, and now has shape \(3, 3\)"):
        made(np.eye(4), shape=(2, 2)).set_params(shape=(3, 3)).u_matrix()
    for wrong in (0, 5, 1.0, True):
        with pytest.raises(ConfigurationError, match="whole number from 1 to 4, the number of units"):
            som.cluster(wrong)


# -------------------------------------------------------------------------------------------------------- pictures


def test_cells_lie_where_the_units_do():
    for shape, grid in (((3, 4), "rectangular"), ((3, 4), "hexagonal")):
        cells = plots.hit_map(np.arange(12).reshape(shape), grid).axes[0].collections[0]
        middles = np.array([path.vertices[:-1].mean(axis=0) for path in cells.get_paths()])
        np.testing.assert_allclose(middles[:, ::-1], som_grid.positions(shape, grid), atol=1e-9)
        for path in cells.get_paths():  # neighbours share an edge: half a unit from each middle
            edges = (path.vertices[:-1] + path.vertices[1:]) / 2 - path.vertices[:-1].mean(axis=0)
            np.testing.assert_allclose(np.linalg.norm(edges, axis=1), 0.5, atol=1e-9)
            assert np.isclose(edges, [0.5, 0]).all(axis=1).any()  # to the right
        assert cells.get_array().tolist() == list(range(12))


def test_wrong_pictures():
    with pytest.raises(ConfigurationError, match="Expected grid to be 'rectangular' or 'hexagonal', received 'hex'"):
        plots.u_matrix(np.ones((2, 2)), "hex")
    with pytest.raises(ShapeError, match="u_matrix expected shape"):
        plots.u_matrix(np.ones((2, 2, 2)))
    with pytest.raises(ShapeError, match=r"labels of shape \(2, 2\)"):
        plots.u_matrix(np.ones((2, 2)), labels=["a"])
    with pytest.raises(ShapeError, match="2 names"):
        plots.component_planes(np.ones((3, 2, 2)), ["a", "b"])
    with pytest.raises(ShapeError, match="label_map expected labels"):
        plots.label_map(np.ones((1, 2, 2)))
    with pytest.raises(ShapeError, match="unit_graph expected points"):
        plots.unit_graph(np.ones((3, 2)), np.ones((2, 2)), [[0, 2]])
