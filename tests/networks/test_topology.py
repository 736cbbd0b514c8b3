"""Connection matrices by hand, and units that run along them."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import neuroloom as nl
from neuroloom import plots
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import ConnectedNetwork, topology


def test_full_by_hand():
    assert topology.full(3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert topology.full(2, own=True).tolist() == [[1, 1], [1, 1]]
    assert nl.networks.topology is topology


def test_local_by_hand():
    four = [[0, 1, 0, 1, 0, 0], [1, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]]
    four += [[1, 0, 0, 0, 1, 0], [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 0]]
    assert topology.local((2, 3), neighbours=4).tolist() == four
    eight = [[0, 1, 0, 1, 1, 0], [1, 0, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1]]
    eight += [[1, 1, 0, 0, 1, 0], [1, 1, 1, 1, 0, 1], [0, 1, 1, 0, 1, 0]]
    assert topology.local((2, 3)).tolist() == eight
    ring = [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [1, 0, 0, 1, 0]]
    assert topology.local((5,), torus=True).tolist() == ring


@pytest.mark.parametrize("neighbours, metric", [(4, "cityblock"), (8, "chebyshev")])
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_local_joins_by_distance(neighbours, metric, radius):
    at = np.argwhere(np.ones((5, 7)))
    distance = cdist(at, at, metric)
    found = topology.local((5, 7), neighbours, radius)
    np.testing.assert_array_equal(found, (distance > 0) & (distance <= radius))
    moves = [(i, j) for i in (-5, 0, 5) for j in (-7, 0, 7)]
    distance = np.min([cdist(at, at + move, metric) for move in moves], axis=0)
    found = topology.local((5, 7), neighbours, radius, torus=True)
    np.testing.assert_array_equal(found, (distance > 0) & (distance <= radius))
    counts = {4: 2 * radius * (radius + 1), 8: (2 * radius + 1) ** 2 - 1}
    if 2 * radius < 5:
        assert (found.sum(axis=0) == counts[neighbours]).all()


def test_layers_by_hand():
    forward = np.zeros((6, 6))
    forward[:2, 2:5] = forward[2:5, 5:] = 1
    np.testing.assert_array_equal(topology.layered((2, 3, 1)), forward)
    np.testing.assert_array_equal(topology.layered((2, 3, 1), two_way=True), forward + forward.T)
    within = np.zeros((6, 6))
    within[:2, :2] = within[2:5, 2:5] = 1
    np.fill_diagonal(within, 0)
    np.testing.assert_array_equal(topology.layered((2, 3, 1), between=False, within=True), within)
    np.testing.assert_array_equal(topology.layered((2, 3, 1), within=True), forward + within)
    np.testing.assert_array_equal(topology.layered((2, 3, 1), between=False, within=True, two_way=True), within)
    np.testing.assert_array_equal(topology.layered((2, 3, 1), within=True, two_way=True), forward + forward.T + within)


def test_partial_keeps_a_share_of_what_there_is():
    whole = topology.local((6, 6)) * 0.5
    part = topology.partial(whole, 0.3, seed=4)
    assert np.count_nonzero(part) == round(0.3 * np.count_nonzero(whole))
    assert ((part == 0) | (part == whole)).all()
    np.testing.assert_array_equal(part, topology.partial(whole, 0.3, seed=4))
    assert (part != topology.partial(whole, 0.3, seed=5)).any() and (part != part.T).any()
    pairs = topology.partial(whole, 0.3, pairs=True)
    np.testing.assert_array_equal(pairs, pairs.T)
    assert np.count_nonzero(pairs) == 2 * round(0.15 * np.count_nonzero(whole))
    own = topology.partial(topology.full(6, own=True), 0.5, pairs=True)
    assert set(own.diagonal()) == {0, 1} and own.max() == 1
    assert np.count_nonzero(topology.partial(topology.full(4), 0.3)) == 4  # of 3.6
    np.testing.assert_array_equal(topology.partial(whole, 1), whole)
    assert not topology.partial(whole, 0).any() and np.count_nonzero(whole) == 220
    means = np.mean([topology.partial(topology.full(4), 0.5, seed) for seed in range(400)], axis=0)
    np.testing.assert_allclose(means, 0.5 * topology.full(4), atol=0.1)  # 4 standard errors


def test_one_and_two_ways():
    weights = [[1, 2, 0], [-3, 0, 0], [4, 0, 0]]
    assert topology.symmetric(weights).tolist() == [[1, -3, 4], [-3, 0, 0], [4, 0, 0]]
    assert topology.symmetric([[0, 2], [-2, 0]]).tolist() == [[0, 2], [2, 0]]
    assert topology.one_way(weights).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: topology.full(0), ConfigurationError, "Expected units to be a positive whole number"),
        (lambda: topology.local((2, 2), 6), ConfigurationError, "neighbours to be 4 or 8, received 6"),
        (lambda: topology.local((2, 2), radius=0), ConfigurationError, "Expected radius to be a positive whole"),
        (lambda: topology.local(()), ConfigurationError, "Expected shape to have at least one number"),
        (lambda: topology.layered((2, -1)), ConfigurationError, "Expected sizes to be a positive whole"),
        (lambda: topology.partial(np.eye(2), 1.5), ConfigurationError, "density to be a number from 0 to 1"),
        (lambda: topology.partial([[0, 1], [0, 0]], 0.5, pairs=True), ConfigurationError, "expected symmetric"),
        (lambda: topology.symmetric([[1, 2]]), ShapeError, r"Expected connections \(units, units\)"),
    ],
)
def test_wrong_topologies_are_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ------------------------------------------------------------------------------------------------- running them

every_engine = pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])


@every_engine
def test_layers_compute_one_after_the_other(rng, engine):
    sizes = (3, 4, 2)
    weights = topology.layered(sizes) * rng.normal(size=(9, 9))
    bias = rng.normal(size=9)
    X = rng.normal(size=(5, 3)).astype(np.float32)
    net = ConnectedNetwork(weights=weights, bias=bias, activation="tanh", inputs=3, engine=engine).fit(X)
    hidden = np.tanh(X @ weights[:3, 3:7] + bias[3:7])
    expected = np.hstack([X, hidden, np.tanh(hidden @ weights[3:7, 7:] + bias[7:])])
    np.testing.assert_allclose(net.transform(X), expected, atol=1e-12)
    assert not net.trajectory(X, 1)[0][:, 3:].any()
    np.testing.assert_allclose(net.trajectory(X, 2)[-1], expected, atol=1e-12)


@every_engine
def test_threshold_units_by_hand(engine):
    # a ring that passes a 1 on, and stays for ever at none
    ring = [[-1, 2, 0], [0, -1, 2], [2, 0, -1]]
    net = ConnectedNetwork(weights=ring, engine=engine, max_steps=4).fit([[1, 0, 0]])
    assert net.trajectory([[1, 0, 0]], 3)[:, 0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert net.transform([[1, 0, 0], [0, 0, 0]]).tolist() == [[0, 1, 0], [0, 0, 0]]
    kept = ConnectedNetwork(weights=np.zeros((3, 3)), engine=engine).fit([[1, 0, 0]])
    assert kept.transform([[0.5, 0, 1]]).tolist() == [[0.5, 0, 1]]  # sums of 0
    signs = ConnectedNetwork(weights=np.eye(2), bias=[-2, 0], activation="sign", engine=engine).fit([[1, 1]])
    assert signs.transform([[1, -3]]).tolist() == [[-1, -1]]


@pytest.mark.parametrize("activation, f", [("sigmoid", lambda z: 1 / (1 + np.exp(-z))), ("linear", lambda z: z)])
def test_graded_units_rest_at_the_fixed_point(rng, activation, f):
    weights = 0.1 * rng.normal(size=(6, 6)) * topology.partial(topology.full(6), 0.5)
    net = ConnectedNetwork(weights=weights, bias=0.3, activation=activation, tol=1e-12, engine="numpy")
    s = net.fit(rng.normal(size=(4, 6))).transform(rng.normal(size=(4, 6)))
    np.testing.assert_allclose(s, f(s @ weights + 0.3), atol=1e-9)
    if activation == "linear":
        np.testing.assert_allclose(s[0], np.linalg.solve(np.eye(6) - weights.T, np.full(6, 0.3)), atol=1e-9)


def test_wrong_networks_are_errors():
    X = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"expected weights \(units, units\) and one bias or .* received \(2, 3\)"):
        ConnectedNetwork(weights=np.ones((2, 3))).fit(X)
    with pytest.raises(ShapeError, match=r"received \(3, 3\) and \(2,\)"):
        ConnectedNetwork(bias=[1, 2]).fit(X)
    with pytest.raises(ShapeError, match="ConnectedNetwork expected 4 features, received 3"):
        ConnectedNetwork(weights=np.ones((4, 4))).fit(X)
    with pytest.raises(ConfigurationError, match="expected inputs of at most 3 units, received 5"):
        ConnectedNetwork(inputs=5).fit(X)


# ------------------------------------------------------------------------------------------------------ drawing


def lines(axes):
    return [patch for patch in axes.patches if hasattr(patch, "_posA_posB")]


def test_arrows_go_one_way_and_lines_both():
    matrix, graph = plots.connections([[0, 1, 1], [0, 0, 0], [1, -1, 2]]).axes
    np.testing.assert_array_equal(matrix.images[0].get_array(), [[0, 1, 1], [0, 0, 0], [1, -1, 2]])
    styles = [type(line.get_arrowstyle()).__name__ for line in lines(graph)]
    assert sorted(styles) == ["Curve", "CurveFilledB", "CurveFilledB"]
    assert len(graph.patches) == 3 + 3 + 1  # units and the ring of the last one
    assert [text.get_text() for text in graph.texts] == ["0", "1", "2"]


def test_units_lie_in_layers_or_on_a_grid():
    graph = plots.connections(topology.layered((2, 1)), layers=(2, 1), names="abc").axes[1]
    places = [text.get_position() for text in graph.texts]
    assert places == [(0, -0.5), (0, 0.5), (1.6, 0)] and [text.get_text() for text in graph.texts] == list("abc")
    graph = plots.connections(topology.local((2, 3), 4), grid=(2, 3)).axes[1]
    assert [text.get_position() for text in graph.texts] == [(c, r) for r in (0, 1) for c in (0, 1, 2)]
    assert len(lines(graph)) == 7
    torus = plots.connections(topology.local((3, 3), 4, torus=True), grid=(3, 3), torus=True).axes[1]
    assert len(lines(torus)) == 12 + 2 * 6


def test_only_lines_that_would_run_behind_units_are_bent():
    def bent(graph):
        return sum(abs(line.get_connectionstyle().rad) > 0 for line in lines(graph))

    assert bent(plots.connections(topology.layered((3, 3)), layers=(3, 3)).axes[1]) == 0
    within = topology.layered((3, 3), between=False, within=True)
    assert bent(plots.connections(within, layers=(3, 3)).axes[1]) == 2
    assert bent(plots.connections(topology.local((3, 3), radius=2), grid=(3, 3)).axes[1]) == 6


@pytest.mark.parametrize(
    "draw, error, message",
    [
        (lambda: plots.connections([[1, 2]]), ShapeError, r"matrix \(units, units\), received shape \(1, 2\)"),
        (lambda: plots.connections(np.eye(3), layers=(2, 2)), ShapeError, "grid of 3 units, received one of 4"),
        (lambda: plots.connections(np.eye(2), layers=(2,), grid=(1, 2)), ConfigurationError, "received both"),
        (lambda: plots.connections(np.eye(2), names="a"), ShapeError, "expected 2 names, one per unit, received 1"),
        (lambda: plots.recall_rates([0, 1], {"a": [1]}), ShapeError, "expected 2 rates of 'a'"),
    ],
)
def test_wrong_pictures_are_errors(draw, error, message):
    with pytest.raises(error, match=message):
        draw()
