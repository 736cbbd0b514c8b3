"""Bidirectional, Hamming and threshold memories, brain-state-in-a-box: energies, fixed points, rules by hand."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import BAM, BrainStateInABox, HammingMemory, Hopfield, ThresholdHopfield, topology


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


pytestmark = pytest.mark.filterwarnings("ignore:.* beyond the capacity of .*:UserWarning")


def signs(rng, *shape):
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def every(units):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=units)))


# ------------------------------------------------------------------------------------------------------------- BAM


def test_koskos_example():
    """Two pairs of 0 and 1 with the matrix that the paper gives; energies: 6 · 4 + 2 · 0, and the same."""
    x = [[1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0]]
    y = [[1, 1, 0, 0], [1, 0, 1, 0]]
    net = BAM().fit(x, y)
    expected = [[2, 0, 0, -2], [0, -2, 2, 0], [2, 0, 0, -2], [-2, 0, 0, 2], [0, 2, -2, 0], [-2, 0, 0, 2]]
    assert net.weights_.tolist() == expected
    np.testing.assert_array_equal(net.predict(x), 2 * np.array(y) - 1)
    np.testing.assert_array_equal(net.recall_inputs(y), 2 * np.array(x) - 1)
    assert net.energy(x, y).tolist() == [-24, -24]


def test_one_step_by_hand():
    # sums of y: 1 + 1 + 1 = 3 and 1 - 1 - 1 = -1; then of x: 2, 0, 0, and two units stay as they were
    net = BAM(max_steps=1).fit([[1, 1, 1], [1, -1, -1]], [[1, 1], [1, -1]])
    assert net.weights_.tolist() == [[2, 0], [0, 2], [0, 2]]
    x, y = net.recall([[1, -1, 1]])
    assert y.tolist() == [[1, 0]] and x.tolist() == [[1, -1, 1]]  # the second sum is -2 + 2
    x, y = net.recall([[-1, 1, 1]], [[1, -1]])
    assert y.tolist() == [[-1, 1]] and x.tolist() == [[-1, 1, 1]]


def test_a_sum_of_zero_keeps_both_layers():
    net = BAM().fit([[1, 1], [1, -1]], [[1, 1], [-1, -1]])
    assert net.weights_.tolist() == [[0, 0], [2, 2]]
    x, y = net.recall(every(2), [[1, -1]] * 4)
    np.testing.assert_array_equal(x, every(2))
    np.testing.assert_array_equal(y, np.sign(every(2)[:, 1:]) * [1, 1])
    x, y = net.recall([[-1, 1]], [[1, 1]])
    assert x.tolist() == [[-1, 1]]


@pytest.mark.parametrize("seed", range(2))
def test_bam_energies_never_rise_and_end_at_rest(seed):
    rng = np.random.default_rng(seed)
    net = BAM().fit(signs(rng, 6, 9), signs(rng, 6, 7))
    x, y, energies = net.trajectory(every(9))
    assert (np.diff(energies, axis=0) <= 0).all() and len(energies) > 2
    assert not y[0].any() and (energies[0] == 0).all()
    x, y, w = x[-1], y[-1], net.weights_
    assert (y * (x @ w) >= 0).all() and (x * (y @ w.T) >= 0).all() and abs(y[(x @ w) != 0]).min() == 1
    np.testing.assert_array_equal(net.recall(every(9))[0], x)
    np.testing.assert_array_equal(net.predict(every(9)), y)
    np.testing.assert_allclose(energies[-1], [-a @ w @ b for a, b in zip(x, y, strict=True)])
    started = net.trajectory(every(9), signs(rng, 512, 7))[2]
    assert (np.diff(started, axis=0) <= 0).all()


def plain_bam(w, x, y=None):
    """One row at a time, one unit at a time."""
    x, y = list(x), [0] * w.shape[1] if y is None else list(y)
    while True:
        before = x[:], y[:]
        for j in range(w.shape[1]):
            h = sum(w[i, j] * x[i] for i in range(len(x)))
            y[j] = np.sign(h) if h else y[j]
        for i in range(w.shape[0]):
            h = sum(w[i, j] * y[j] for j in range(len(y)))
            x[i] = np.sign(h) if h else x[i]
        if (x, y) == before:
            return x, y


def test_bam_against_a_plain_loop(rng):
    net = BAM().fit(signs(rng, 8, 6), signs(rng, 8, 5))
    for x, *found in zip(every(6), *net.recall(every(6)), strict=True):
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate(plain_bam(net.weights_, x)))
    for x in every(6)[:16]:  # y goes with x at first, x does not with y: one of them alone is no rest
        y = np.sign(x @ net.weights_) + (x @ net.weights_ == 0)
        found = net.recall([x], [y])
        np.testing.assert_array_equal(np.hstack(found)[0], np.concatenate(plain_bam(net.weights_, x, y)))


def test_pairs_are_learned_in_parts_and_with_one_target(rng):
    x, y = signs(rng, 4, 60), signs(rng, 4, 50)
    whole, parts = BAM().fit(x, y), BAM().fit(x[:1], y[:1]).partial_fit(x[1:], y[1:])
    np.testing.assert_array_equal(whole.weights_, parts.weights_)
    assert parts.n_patterns_ == 4 and whole.score(x, y) == 1.0
    assert whole.score(x, -y) == 0.0
    one = BAM().fit(x[:2], [1, -1])
    assert one.predict(x[:2]).tolist() == [1, -1] and one.score(x[:2], [1, -1]) == 1.0
    with pytest.raises(ShapeError, match=r"BAM expected 50 targets, as before, received 2\."):
        whole.partial_fit(x, y[:, :2])
    with pytest.raises(ShapeError, match=r"BAM expected y \(examples, 50\), received \(4, 3\)"):
        whole.recall_inputs(y[:, :3])


@pytest.mark.filterwarnings("error")
def test_bam_warns_beyond_its_capacity(rng):
    x, y = signs(rng, 12, 100), signs(rng, 12, 80)
    with pytest.warns(UserWarning, match=r"BAM holds 12 pairs, beyond the capacity of 100 and 80 units: about 8\.7"):
        BAM().fit(x, y)
    assert BAM().fit(x[:8], y[:8]).capacity_ == pytest.approx(80 / (2 * np.log(100)))


def test_nearly_all_pairs_rest_at_the_capacity():
    rng = np.random.default_rng(0)
    rest = []
    for _ in range(20):
        x, y = signs(rng, 8, 100), signs(rng, 8, 80)
        found = BAM().fit(x, y).recall(x, y)
        rest.append((found[0] == x).all(axis=1) & (found[1] == y).all(axis=1))
    assert np.mean(rest) > 0.9


# ---------------------------------------------------------------------------------------------------- Hamming


def test_the_nearest_pattern_comes_back(rng):
    patterns, X = signs(rng, 40, 31), signs(rng, 100, 31)
    nearest = cdist(X, patterns, "hamming").argmin(axis=1)  # of equal ones the first, too
    net = HammingMemory().fit(np.where(patterns > 0, 3.0, 0.0))
    np.testing.assert_array_equal(net.transform(X), patterns[nearest])
    np.testing.assert_array_equal(net.predict(X), patterns[nearest])
    answers = rng.normal(size=(40, 3))
    hetero = HammingMemory().fit(patterns, answers)
    np.testing.assert_array_equal(hetero.predict(X), answers[nearest])
    np.testing.assert_array_equal(hetero.transform(X), patterns[nearest])
    parts = HammingMemory().fit(patterns[:7], answers[:7]).partial_fit(patterns[7:], answers[7:])
    np.testing.assert_array_equal(parts.predict(X), answers[nearest])
    np.testing.assert_array_equal(HammingMemory(max_steps=1).fit(patterns).transform(X), patterns[nearest])


def test_fewer_wrong_bits_than_half_the_distance_are_mended(rng):
    patterns = signs(rng, 12, 40)
    distance = 40 * cdist(patterns, patterns, "hamming") + 99 * np.eye(12)
    X = patterns.copy()
    for x, nearest in zip(X, distance.min(axis=1), strict=True):
        x[rng.permutation(40)[: int(np.ceil(nearest / 2)) - 1]] *= -1
    np.testing.assert_array_equal(HammingMemory().fit(patterns).transform(X), patterns)


def test_one_pattern_and_words_are_remembered(rng):
    one = HammingMemory().fit([[1, 0, 1]], ["only"])
    assert one.predict(every(3)).tolist() == 8 * ["only"]
    assert one.partial_fit([[0, 0, 0]], ["none"]).predict([[0, 0, 0], [1, 1, 1]]).tolist() == ["none", "only"]
    with pytest.raises(ShapeError, match=r"answers of shape \(\) for a pattern, as before, received \(3,\)"):
        one.partial_fit([[0, 0, 0]])


# ------------------------------------------------------------------------------------------------ thresholds


def plain_sweep(w, theta, s, order, on, off):
    """Hopfield's rule of 1982, unit after unit."""
    for i in order:
        h = w[i].astype(float) @ s
        s[i] = s[i] if abs(h - theta[i]) < 1e-6 else on if h > theta[i] else off
    return s


@pytest.mark.parametrize("units, off", [("bipolar", -1), ("binary", 0)])
def test_a_sweep_is_hopfields_rule(rng, units, off):
    from neuroloom.networks.base import run
    from neuroloom.ops import draws

    theta = 0.3 * rng.normal(size=70)
    net = ThresholdHopfield(thresholds=theta, units=units, max_sweeps=1, random_state=5).fit(signs(rng, 9, 70))
    states = np.where(signs(rng, 4, 70) > 0, 1.0, off)
    order = run("numpy", _order, draws.key(5, "order"))
    expected = [plain_sweep(net.weights_, theta, s.copy(), order, 1, off) for s in states]
    np.testing.assert_array_equal(net.transform(states), expected)


def test_all_units_at_once_have_thresholds_too(rng):
    theta = 0.3 * rng.normal(size=20)
    net = ThresholdHopfield(thresholds=theta, update="synchronous", max_sweeps=1).fit(signs(rng, 3, 20))
    states = signs(rng, 5, 20)
    np.testing.assert_array_equal(net.transform(states), np.sign(states @ net.weights_.astype(float) - theta))


def _order(engine, key):
    from neuroloom.ops import draws

    return draws.permutation(draws.fold_in(key, 0), 70)


@pytest.mark.parametrize("units", ["bipolar", "binary"])
@pytest.mark.parametrize("thresholds", [None, "random"])
def test_threshold_energies_never_rise(rng, units, thresholds):
    theta = None if thresholds is None else 0.5 * rng.normal(size=8)
    net = ThresholdHopfield(units=units, thresholds=theta, random_state=0).fit(signs(rng, 4, 8))
    states, energies = net.trajectory(every(8))
    assert (np.diff(energies, axis=0) <= 1e-6).all() and energies[-1].min() < energies[0].min() + 1e-6
    assert set(np.unique(states)) == ({-1, 1} if units == "bipolar" else {0, 1})
    w, v = net.weights_.astype(float), states[-1]
    expected = [-0.5 * s @ w @ s + net.thresholds_ @ s for s in v]
    np.testing.assert_allclose(energies[-1], expected, atol=1e-9)
    fields = v @ w - net.thresholds_  # at rest: on where above 0, off where below
    assert ((v == 1) | (fields <= 1e-5)).all() and ((v < 1) | (fields >= -1e-5)).all()


def test_thresholds_by_hand():
    net = ThresholdHopfield().fit([[1, 1, -1], [1, -1, -1]])
    np.testing.assert_allclose(net.thresholds_, [-0.5, 0, 0.5])  # 3 units and one that is always 1
    np.testing.assert_allclose(net.weights_, np.array([[0, 0, -2], [0, 0, 0], [-2, 0, 0]]) / 4)
    binary = ThresholdHopfield(units="binary").fit([[1, 1, -1], [1, -1, -1]])
    np.testing.assert_allclose(binary.thresholds_, [-0.5, 0, 0])  # (-0.5 - 0.5) / 2, 0, (0.5 - 0.5) / 2
    # sums 0 and thresholds 2, 1: everything goes off, whatever it was
    off = ThresholdHopfield(thresholds=[2.0, 1.0]).fit([[1, 1], [1, -1]])
    assert off.transform(every(2)).tolist() == [[-1, -1]] * 4
    on = ThresholdHopfield(thresholds=-1.0, units="binary").fit([[1, 1], [1, -1]])
    assert on.transform(every(2)).tolist() == [[1, 1]] * 4


@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo-inverse"])
@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_learned_thresholds_are_a_unit_that_is_always_on(rng, rule, update):
    X = signs(rng, 4, 20)
    more = np.hstack([X, np.ones((4, 1))])
    net = ThresholdHopfield(rule=rule, update=update, random_state=0).fit(X)
    wide = Hopfield(rule=rule).fit(more)
    np.testing.assert_allclose(net.weights_, wide.weights_[:-1, :-1])
    np.testing.assert_allclose(net.thresholds_, -wide.weights_[-1, :-1])
    binary = ThresholdHopfield(rule=rule, update=update, units="binary", random_state=0).fit(X)
    states = signs(rng, 30, 20)
    np.testing.assert_array_equal(2 * binary.transform(states) - 1, net.transform(states))
    for one in (net, binary):
        parts = ThresholdHopfield(rule=rule, units=one.units).fit(X[:1]).partial_fit(X[1:])
        np.testing.assert_allclose(parts.weights_, one.weights_, atol=1e-6)
        np.testing.assert_allclose(parts.thresholds_, one.thresholds_, atol=1e-6)


def test_thresholds_of_other_numbers_of_units_are_errors(rng):
    with pytest.raises(ShapeError, match="ThresholdHopfield expected 5 thresholds, one per unit, received 3"):
        ThresholdHopfield(thresholds=[1, 2, 3]).fit(signs(rng, 2, 5))
    with pytest.raises(ConfigurationError, match="thresholds to be a number or a list of numbers or None, received"):
        ThresholdHopfield(thresholds=[[1.0]]).fit(signs(rng, 2, 5))
    with pytest.raises(ConfigurationError, match="thresholds to be a number or a list of numbers"):
        ThresholdHopfield(thresholds=[np.nan]).fit(signs(rng, 2, 1))


# ----------------------------------------------------------------------------------------------- connections


def local_storkey(patterns, mask):
    """Storkey's rule, one weight at a time, where there are connections."""
    n = patterns.shape[1]
    w = np.zeros((n, n))
    for s in patterns:
        old = w.copy()
        for i, j in np.argwhere(mask):
            h_ij, h_ji = old[i] @ s - old[i, j] * s[j], old[j] @ s - old[j, i] * s[i]
            w[i, j] += (s[i] * s[j] - s[i] * h_ji - h_ij * s[j]) / n
    return w


@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo-inverse"])
def test_only_connections_are_learned(rng, rule):
    X, mask = signs(rng, 5, 36), topology.local((6, 6), neighbours=4)
    whole, net = Hopfield(rule=rule).fit(X), Hopfield(rule=rule, connections=mask, random_state=0).fit(X)
    assert not net.weights_[mask == 0].any() and net.weights_[mask == 1].any()
    np.testing.assert_allclose(net.weights_, net.weights_.T, atol=1e-7)
    expected = local_storkey(X, mask) if rule == "storkey" else mask * whole.weights_
    np.testing.assert_allclose(net.weights_, expected, atol=1e-6)
    energies = net.trajectory(signs(rng, 20, 36))[1]
    assert (np.diff(energies, axis=0) <= 1e-6).all()
    parts = Hopfield(rule=rule, connections=mask).fit(X[:2]).partial_fit(X[2:])
    np.testing.assert_allclose(parts.weights_, net.weights_, atol=1e-6)
    learned = ThresholdHopfield(rule=rule, connections=mask).fit(X)
    assert not learned.weights_[mask == 0].any() and learned.thresholds_.any()


def test_capacity_counts_the_connections():
    mask = topology.local((10, 10), neighbours=8, torus=True)
    with pytest.warns(UserWarning, match="about 1.2 random"):
        net = Hopfield(connections=mask).fit(signs(np.random.default_rng(0), 2, 100))
    assert net.capacity_ == pytest.approx(0.138 * 9)


def test_wrong_connections_are_errors(rng):
    with pytest.raises(ShapeError, match=r"Expected connections of shape \(5, 5\), received \(4, 4\)"):
        Hopfield(connections=np.ones((4, 4))).fit(signs(rng, 1, 5))
    with pytest.raises(ConfigurationError, match="Expected symmetric connections"):
        Hopfield(connections=topology.layered((2, 3))).fit(signs(rng, 1, 5))
    with pytest.raises(ConfigurationError, match="connections to be a matrix of numbers or None, received 'all'"):
        Hopfield(connections="all").fit(signs(rng, 1, 5))


# --------------------------------------------------------------------------------------- brain-state-in-a-box


def test_a_step_in_the_box_by_hand():
    net = BrainStateInABox(rule="hebb", beta=0.5, max_steps=1).fit([[1, 1], [1, -0.5]])
    np.testing.assert_allclose(net.weights_, [[1, 0.25], [0.25, 0.625]])
    # 0.4 + 0.5 (0.4 - 0.2) = 0.5, -0.8 + 0.5 (0.1 - 0.5) = -1.0; 0.9 + 0.5 (0.9 + 0.125) is cut off, 0.5 + 0.26875
    np.testing.assert_allclose(net.transform([[0.4, -0.8], [0.9, 0.5]]), [[0.5, -1.0], [1.0, 0.76875]])
    assert net.energy([[0.4, -0.8]]) == pytest.approx(-0.5 * (0.16 - 0.16 + 0.4))
    parts = BrainStateInABox(rule="hebb").fit([[1, 1]]).partial_fit([[1, -0.5]])
    np.testing.assert_allclose(parts.weights_, net.weights_)


def test_widrow_and_hoffs_rule_by_hand():
    net = BrainStateInABox(learning_rate=0.5, epochs=1).fit([[1, 1], [1, -0.5]])
    # first W = 0.25 (1, 1)ᵀ(1, 1); then W ξ = 0.125, errors 0.875 and -0.625, times ξᵀ / 2.5
    np.testing.assert_allclose(net.weights_, [[0.25 + 0.35, 0.25 - 0.175], [0.25 - 0.25, 0.25 + 0.125]], rtol=1e-6)
    # W x = (0.24 - 0.06, -0.3)
    np.testing.assert_allclose(net.set_params(max_steps=1).transform([[0.4, -0.8]]), [[0.436, -0.86]], rtol=1e-6)


def test_widrow_and_hoffs_rule_ends_in_the_projection(rng):
    X = signs(rng, 5, 20)
    net = BrainStateInABox(epochs=300).fit(X)
    np.testing.assert_allclose(net.weights_, np.linalg.pinv(X) @ X, atol=1e-4)
    np.testing.assert_allclose(BrainStateInABox().fit([[0, 0], [1, 0]]).weights_, [[1, 0], [0, 0]])


@pytest.mark.parametrize("rule", ["hebb", "widrow-hoff"])
def test_stored_corners_attract(rng, rule):
    X = signs(rng, 3, 50)
    net = BrainStateInABox(rule=rule).fit(X)
    np.testing.assert_array_equal(net.transform(X), X)
    np.testing.assert_array_equal(net.transform(0.1 * X), X)
    np.testing.assert_array_equal(net.transform(0.2 * X + 0.1 * rng.normal(size=X.shape)), X)
    states, energies = net.trajectory(rng.uniform(-1, 1, size=(20, 50)), steps=80)
    assert (np.diff(energies, axis=0) <= 1e-9).all() and (energies[-1] < energies[0]).all()
    np.testing.assert_allclose(energies[-1], net.energy(states[-1]))
    assert abs(states).max() == 1


def test_a_pattern_grows_by_its_eigenvalue():
    net = BrainStateInABox(rule="hebb", beta=0.1).fit([[1, 1, 1, 1]])
    states, _ = net.trajectory([[0.2, 0.2, 0.2, 0.2]], steps=3)
    np.testing.assert_allclose(states[:, 0, 0], 0.2 * 1.1 ** np.arange(4))  # W ξ = ξ
    still, _ = net.trajectory([[0.2, -0.2, 0.2, -0.2]], steps=2)
    np.testing.assert_allclose(still[-1], still[0])
