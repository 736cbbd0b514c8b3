"""Associative memories: energies that never rise, fixed points, rules by hand, recall of letters."""

import itertools

import numpy as np
import pytest

from data_folder import DATA, needs_data
from neuroloom.networks import ContinuousHopfield, DenseAssociativeMemory, Hopfield, ModernHopfield


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


def signs(rng, *shape):
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def falls(energies):
    """Whether no energy rises from one state to the next."""
    return (np.diff(energies, axis=0) <= 1e-5 * abs(energies).max()).all()


pytestmark = pytest.mark.filterwarnings("ignore:.* beyond the capacity of .*:UserWarning")


# ------------------------------------------------------------------------------------------------------ the rules


def test_hebb_by_hand():
    net = Hopfield().fit([[1, 1, -1], [1, -1, -1]])
    np.testing.assert_allclose(net.weights_, np.array([[0, 0, -2], [0, 0, 0], [-2, 0, 0]]) / 3, rtol=1e-6)
    zeros_and_ones = Hopfield().fit([[1, 1, 0], [1, 0, 0]])
    assert zeros_and_ones.weights_.tolist() == net.weights_.tolist()


def storkey(patterns):
    """The rule as the paper writes it, one weight at a time."""
    n = patterns.shape[1]
    w = np.zeros((n, n))
    for s in patterns:
        old = w.copy()
        for i, j in itertools.permutations(range(n), 2):
            h_ij = sum(old[i, k] * s[k] for k in range(n) if k not in (i, j))
            h_ji = sum(old[j, k] * s[k] for k in range(n) if k not in (i, j))
            w[i, j] += (s[i] * s[j] - s[i] * h_ji - h_ij * s[j]) / n
    return w


def test_storkeys_rule_is_the_papers(rng):
    patterns = signs(rng, 4, 7)
    net = Hopfield(rule="storkey").fit(patterns)
    np.testing.assert_allclose(net.weights_, storkey(patterns), atol=1e-6)
    parts = Hopfield(rule="storkey").fit(patterns[:1]).partial_fit(patterns[1:])
    np.testing.assert_allclose(parts.weights_, net.weights_, atol=1e-6)
    assert parts.n_patterns_ == 4


def test_the_pseudo_inverse_projects(rng):
    patterns = signs(rng, 5, 12)
    net = Hopfield(rule="pseudo-inverse").fit(patterns)
    np.testing.assert_allclose(patterns @ net.projection_, patterns, atol=1e-9)
    assert np.linalg.matrix_rank(net.projection_) == 5 and not net.weights_.diagonal().any()
    parts = Hopfield(rule="pseudo-inverse").fit(patterns[:3]).partial_fit(patterns[2:])  # one of them twice
    np.testing.assert_allclose(parts.projection_, net.projection_, atol=1e-9)


# --------------------------------------------------------------------------------------------------------- recall


@pytest.mark.parametrize("rule, patterns", [("hebb", 3), ("storkey", 6), ("pseudo-inverse", 20)])
@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_patterns_are_fixed_points_that_noise_falls_into(rng, rule, patterns, update):
    X = signs(rng, patterns, 70)  # more units than a block
    net = Hopfield(rule=rule, update=update, random_state=0).fit(X)
    np.testing.assert_array_equal(net.transform(X), X)
    noisy = X.copy()
    noisy[:, :4] *= -1
    np.testing.assert_array_equal(net.transform(noisy), X)


def test_energies_never_rise(rng):
    net = Hopfield(random_state=3).fit(signs(rng, 9, 70))
    states, energies = net.trajectory(signs(rng, 12, 70))
    assert len(states) > 2 and falls(energies) and energies[-1].max() < energies[0].min()
    np.testing.assert_array_equal(net.transform(states[0]), states[-1])


def test_the_end_is_a_fixed_point_for_every_state():
    net = Hopfield(random_state=0).fit([[1, 1, 1, -1, -1, -1, 1, -1], [1, -1, 1, -1, 1, 1, -1, -1]])
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=8)))
    ends = net.transform(every)
    fields = ends @ net.weights_
    assert (ends * fields >= -1e-6).all()
    assert (net.energy(ends) <= net.energy(every) + 1e-6).all()


def test_a_recall_is_single_updates_in_order(rng):
    """One sweep, against a plain loop in the order that the network draws."""
    from neuroloom.networks.base import run
    from neuroloom.ops import draws

    net = Hopfield(random_state=5, max_sweeps=1).fit(signs(rng, 30, 70))
    states = signs(rng, 3, 70)
    order = run("numpy", _order, draws.key(5, "order"))
    expected = states.copy()
    for row in expected:
        for i in order:
            h = net.weights_[i].astype(float) @ row
            row[i] = row[i] if abs(h) < 1e-6 else np.sign(h)
    np.testing.assert_array_equal(net.transform(states), expected)


def _order(engine, key):
    from neuroloom.ops import draws

    return draws.permutation(draws.fold_in(key, 0), 70)


def test_a_sum_of_zero_keeps_the_state():
    net = Hopfield(random_state=0).fit([[1, 1, 1, 1], [1, -1, 1, -1]])  # units 0 and 1 are not connected
    assert net.transform([[-1, 1, -1, -1]])[0, 0] == -1
    lonely = Hopfield().fit([[1, 1], [1, -1]])
    assert not lonely.weights_.any()
    assert lonely.transform([[-1, 1], [1, -1]]).tolist() == [[-1, 1], [1, -1]]


def test_all_at_once_may_alternate():
    net = Hopfield(update="synchronous", max_sweeps=9).fit([[1, -1]])
    states, _ = net.trajectory([[1, 1]])
    assert states[:, 0].tolist() == [[1, 1], [-1, -1], [1, 1]]
    alone = net.transform([[1, 1]])
    assert alone.tolist() == net.set_params(max_sweeps=8).transform([[1, 1]]).tolist()  # each stops in its cycle
    np.testing.assert_array_equal(net.transform([[1, 1], [1, -1], [-1, -1]])[0], alone[0])


@pytest.mark.filterwarnings("error")
def test_too_many_patterns_warn(rng):
    with pytest.warns(UserWarning, match=r"holds 10 patterns, beyond the capacity of 'hebb': about 6\.9"):
        Hopfield().fit(signs(rng, 10, 50))
    net = Hopfield().fit(signs(rng, 6, 50))
    with pytest.warns(UserWarning, match="holds 7 patterns"):
        net.partial_fit(signs(rng, 1, 50))
    assert net.capacity_ == pytest.approx(6.9)


@needs_data
def test_letters_come_back_from_noise():
    letters = np.loadtxt(DATA / "letters" / "letters_8x8.csv", delimiter=",", skiprows=1, usecols=range(1, 65))
    X = 2 * letters - 1
    net = Hopfield(rule="pseudo-inverse", random_state=0).fit(X)
    noisy = X.copy()
    for i, row in enumerate(noisy):
        row[[(7 * i) % 64, (11 * i + 5) % 64, (13 * i + 30) % 64]] *= -1
    found = net.transform(noisy)
    assert (found == X).all(axis=1).mean() >= 0.7
    assert (Hopfield(random_state=0).fit(X).transform(noisy) == X).all(axis=1).mean() < 0.1
    dense = DenseAssociativeMemory(degree=20, random_state=0).fit(X)
    assert (dense.transform(noisy) == X).all()


# ------------------------------------------------------------------------------------------------ graded and modern


def test_graded_units_flow_downhill_to_the_patterns(rng):
    X = signs(rng, 3, 40)
    net = ContinuousHopfield(gain=6.0).fit(X)
    start = 0.3 * X + 0.2 * rng.normal(size=X.shape)
    _, energies = net.trajectory(start)
    assert falls(energies) and (energies[-1] < energies[0]).all()
    np.testing.assert_array_equal(np.sign(net.transform(start)), X)


def test_graded_units_rest_where_the_flow_does():
    # two units, w = 1/2: v = tanh(β v / 2) at rest
    net = ContinuousHopfield(gain=4.0, tol=0, max_steps=2000).fit([[1, 1]])
    v = net.transform([[0.5, 0.5]])[0, 0]
    assert v == pytest.approx(np.tanh(2 * v), abs=1e-6) and v > 0.9
    low = ContinuousHopfield(gain=1.5, tol=0, max_steps=2000).fit([[1, 1]])
    assert abs(low.transform([[0.5, 0.5]])).max() < 1e-6  # β w < 1: only 0 rests


def dense_sweep(patterns, s, order, n):
    for i in order:
        on, off = s.copy(), s.copy()
        on[i], off[i] = 1, -1
        gain = (np.maximum(patterns @ on, 0) ** n).sum() - (np.maximum(patterns @ off, 0) ** n).sum()
        s[i] = s[i] if gain == 0 else np.sign(gain)
    return s


def test_dense_memory_takes_the_sign_of_lower_energy(rng):
    from neuroloom.networks.base import run
    from neuroloom.ops import draws

    patterns, states = signs(rng, 20, 70), signs(rng, 4, 70)
    net = DenseAssociativeMemory(degree=3, random_state=2, max_sweeps=1).fit(patterns)
    order = run("numpy", _order, draws.key(2, "order"))
    expected = [dense_sweep(patterns, s.copy(), order, 3) for s in states]
    np.testing.assert_array_equal(net.transform(states), expected)
    assert (net.energy(expected) <= net.energy(states)).all()


def test_dense_memory_holds_more_patterns_than_units(rng):
    X = signs(rng, 60, 40)
    net = DenseAssociativeMemory(degree=6, random_state=0).fit(X)
    noisy = X.copy()
    noisy[:, :3] *= -1
    assert (net.transform(noisy) == X).all(axis=1).mean() > 0.95
    assert (Hopfield(random_state=0).fit(X).transform(noisy) == X).all(axis=1).mean() < 0.1
    with pytest.warns(UserWarning, match="capacity"):
        Hopfield().fit(X)


def test_one_modern_step_is_attention(rng):
    patterns, s = rng.normal(size=(6, 4)), rng.normal(size=(3, 4))
    net = ModernHopfield(beta=1.7, max_steps=1).fit(patterns)
    weights = np.exp(1.7 * s @ patterns.T)
    expected = weights / weights.sum(axis=1, keepdims=True) @ patterns
    np.testing.assert_allclose(net.transform(s), expected, rtol=1e-5)
    assert ModernHopfield().fit(patterns).beta_ == 0.5


def test_modern_energies_never_rise(rng):
    patterns = rng.normal(size=(6, 4))
    net = ModernHopfield(beta=2.0, max_steps=1).fit(patterns)
    states = [rng.normal(size=(10, 4))]
    for _ in range(6):
        states.append(net.transform(states[-1]))
    energies = np.stack([net.energy(s) for s in states])
    assert falls(energies) and energies.min() >= -1e-6
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    sharp = ModernHopfield(beta=100.0).fit(patterns)
    np.testing.assert_allclose(sharp.transform(patterns + 0.02), patterns, atol=1e-4)
