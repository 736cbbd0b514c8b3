"""Boltzmann machines against sums over all states."""

import itertools

import numpy as np
import pytest
from scipy.special import expit

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import BernoulliRBM, BoltzmannMachine
from neuroloom.networks.base import run
from neuroloom.networks.boltzmann import machine_rules as rules
from neuroloom.ops import draws


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def machine(rng, visible, hidden, scale=1.0, **settings):
    """A fitted machine whose weights are replaced by random ones."""
    rows = rng.integers(0, 2, (12, visible))
    net = BoltzmannMachine(n_hidden=hidden, epochs=1, random_state=0, **settings).fit(rows)
    w = np.triu(scale * rng.normal(size=net.weights_.shape), 1)
    net.weights_, net.bias_ = w + w.T, scale * rng.normal(size=len(w))
    return net


def log_weights(w, bias, s):
    """-E, term by term."""
    n = len(bias)
    pairs = [sum(w[i, j] * row[i] * row[j] for i in range(n) for j in range(i)) for row in s]
    return np.array(pairs) + s @ bias


def visible_probabilities(net):
    d, s = net.n_features_in_, states(len(net.bias_))
    p = np.exp(log_weights(net.weights_, net.bias_, s))
    return p.reshape(2**d, -1).sum(axis=1) / p.sum()


def test_energy_and_likelihood_by_hand(rng):
    net = machine(rng, 3, 2)
    s = states(5)
    np.testing.assert_allclose(net.energy(s), -log_weights(net.weights_, net.bias_, s), atol=1e-12)
    np.testing.assert_allclose(net.log_likelihood(states(3)), np.log(visible_probabilities(net)), rtol=1e-9)
    with pytest.raises(ShapeError, match=r"energy expected shape \(rows, 5\), received \(8, 3\)"):
        net.energy(states(3))


def test_hidden_units_given_a_row(rng):
    net = machine(rng, 3, 2, scale=0.6)
    p = np.exp(log_weights(net.weights_, net.bias_, states(5))).reshape(8, 4)
    expected = (p / p.sum(axis=1, keepdims=True)) @ states(2)
    np.testing.assert_allclose(net.transform(states(3)), expected, rtol=1e-9)
    h = run("numpy", rules.mean_field, (net.weights_, net.bias_), states(3), 200)
    field = np.hstack([states(3), h]) @ net.weights_[:, 3:] + net.bias_[3:]
    np.testing.assert_allclose(h, expit(field), atol=1e-5)  # at rest
    assert abs(h - expected).max() < 0.1


def test_a_two_layer_machine_is_a_restricted_one(rng):
    rbm = BernoulliRBM(n_components=3, epochs=1, random_state=0).fit(states(4))
    rbm.components_ = rng.normal(size=(3, 4))
    net = machine(rng, 4, 3)
    net.weights_ = np.block([[np.zeros((4, 4)), rbm.components_.T], [rbm.components_, np.zeros((3, 3))]])
    net.bias_ = np.r_[rbm.intercept_visible_, rbm.intercept_hidden_]
    np.testing.assert_allclose(net.log_likelihood(states(4)), rbm.log_likelihood(states(4)), rtol=1e-9)
    np.testing.assert_allclose(net.transform(states(4)), rbm.transform(states(4)), rtol=1e-6)


# -------------------------------------------------------------------------------------------------------- sampling


def _settle(engine, net, s, free, temperatures, key):
    return rules.settle(engine, net, s, free, temperatures, key)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_states_settle_into_boltzmanns_distribution(rng, training_engine, temperature):
    net = machine(rng, 3, 1)
    start = states(4)[rng.integers(0, 16, 40_000)].astype(np.float32)
    weights = (net.weights_, net.bias_)
    end, every = run(None, _settle, weights, start, np.ones((1, 4), bool), np.full(20, temperature), draws.key(0, "s"))
    p = np.exp(log_weights(net.weights_, net.bias_, states(4)) / temperature)
    found = np.bincount((end @ [8, 4, 2, 1]).astype(int), minlength=16) / len(end)
    np.testing.assert_allclose(found, p / p.sum(), atol=0.009)
    assert every.shape == (20, 40_000, 4) and (every[-1] == end).all()


def test_clamped_units_stay(rng):
    net = machine(rng, 3, 2)
    start = states(5)[rng.integers(0, 32, 50)].astype(np.float32)
    free = rng.random((50, 5)) < 0.5
    _, every = run(None, _settle, (net.weights_, net.bias_), start, free, np.ones(6), draws.key(0, "s"))
    assert (every[:, ~free] == start[~free]).all() and (every[:, free] != start[free]).any()


def test_samples_and_completions(rng):
    net = machine(rng, 4, 2, scale=0.8, engine="jax", sweeps=30)
    p = visible_probabilities(net)
    found = np.bincount((net.sample(40_000) @ [8, 4, 2, 1]).astype(int), minlength=16) / 40_000
    np.testing.assert_allclose(found, p, atol=0.009)
    X = np.array([[1, np.nan, 0, np.nan], [0, 1, np.nan, 1]])
    expected = X.copy()
    for row, given in zip(expected, X, strict=True):
        fits = ((states(4) == given) | np.isnan(given)).all(axis=1)
        row[:] = p[fits] @ states(4)[fits] / p[fits].sum()
    np.testing.assert_allclose(net.complete(X, chains=4000), expected, atol=0.015)
    assert (net.sample(30) == net.sample(30)).all() and (net.sample(30) != net.sample(30, seed=1)).any()


# -------------------------------------------------------------------------------------------------------- learning


def test_gradient_against_central_differences(rng):
    net = machine(rng, 5, 3, scale=0.5)
    X = states(5)[rng.integers(0, 32, 9)]
    net.method, net.learning_rate = "exact", 1.0
    w, bias = net.weights_.copy(), net.bias_.copy()
    found = net.partial_fit(X)
    step_w, step_b = found.weights_ - w, found.bias_ - bias
    for i, j in itertools.combinations(range(8), 2):
        sides = []
        for step in (1e-4, -1e-4):
            net.weights_, net.bias_ = w.copy(), bias
            net.weights_[i, j] = net.weights_[j, i] = w[i, j] + step
            sides.append(net.log_likelihood(X).mean())
        assert step_w[i, j] == step_w[j, i] == pytest.approx((sides[0] - sides[1]) / 2e-4, abs=2e-5)
    net.weights_ = w
    for i in range(8):
        sides = []
        for step in (1e-4, -1e-4):
            net.bias_ = bias + step * np.eye(8)[i]
            sides.append(net.log_likelihood(X).mean())
        assert step_b[i] == pytest.approx((sides[0] - sides[1]) / 2e-4, abs=2e-5)


def test_annealing_follows_the_gradient(rng, training_engine):
    net = machine(rng, 4, 2, scale=0.5, learning_rate=1.0, chains=6000, sweeps=20, weight_decay=0.1)
    X = np.repeat(states(4)[rng.integers(0, 16, 9)], 600, axis=0)
    w, bias = net.weights_.copy(), net.bias_.copy()
    net.partial_fit(X)
    step_w, step_b = net.weights_ - w, net.bias_ - bias
    step_w += 0.1 * w
    net.weights_, net.bias_, net.method, net.weight_decay = w, bias, "exact", 0.0
    net.partial_fit(X)
    np.testing.assert_allclose(step_w, net.weights_ - w, atol=0.012)
    np.testing.assert_allclose(step_b, net.bias_ - bias, atol=0.012)


def test_without_hidden_units_the_maximum_has_the_datas_frequencies(rng):
    X = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 0.7]])
    net = BoltzmannMachine(method="exact", learning_rate=1.0, epochs=800, random_state=0).fit(X)
    s, p = states(3), np.exp(net.log_likelihood(states(3)))
    v = (X > 0.5).astype(float)
    np.testing.assert_allclose(s.T @ (p[:, None] * s), v.T @ v / 5, atol=0.005)
    assert net.loss_curve_[-1] < 0.003 < net.loss_curve_[0] and net.transform(X).shape == (5, 0)


def test_annealing_comes_near_the_best_likelihood():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 2, (200, 2)), 2, axis=1)
    X[:, 3] ^= rng.random(200) < 0.2
    _, counts = np.unique(X, axis=0, return_counts=True)
    best = (counts / 200 * np.log(counts / 200)).sum()
    net = BoltzmannMachine(n_hidden=2, epochs=500, learning_rate=0.3, engine="jax", random_state=0).fit(X)
    assert best - 0.1 < net.log_likelihood(X).mean() <= best


def encoder():
    """Ackley, Hinton and Sejnowski's 4-2-4 problem: two groups of four units that only two hidden ones connect."""
    mask = np.zeros((10, 10))
    mask[:4, :4] = mask[4:8, 4:8] = mask[8:, :] = mask[:, 8:] = 1
    return np.hstack([np.eye(4)] * 2), mask


def test_the_encoder_finds_a_code():
    X, mask = encoder()
    settings = {"learning_rate": 0.3, "epochs": 3000, "weight_decay": 0.003, "engine": "jax", "random_state": 1}
    net = BoltzmannMachine(n_hidden=2, connections=mask, **settings).fit(np.repeat(X, 10, axis=0))
    assert not net.weights_[:4, 4:8].any() and not net.weights_.diagonal().any()
    assert {tuple(code) for code in net.transform(X).round()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    X[:, 4:] = np.nan
    assert (net.complete(X)[:, 4:].diagonal() > 0.7).all()


def test_what_cannot_be(rng):
    with pytest.raises(ShapeError, match=r"connections to be a symmetric matrix \(3, 3\), received shape \(2, 2\)"):
        BoltzmannMachine(connections=np.ones((2, 2))).fit(states(3))
    with pytest.raises(ShapeError, match="symmetric"):
        BoltzmannMachine(connections=np.tri(3)).fit(states(3))
    with pytest.raises(ConfigurationError, match="at most 16 units, received 17"):
        BoltzmannMachine(n_hidden=14, method="exact").fit(states(3))
    with pytest.raises(ConfigurationError, match="temperatures to be a tuple of positive numbers"):
        BoltzmannMachine(temperatures=(1.0, 0.0)).fit(states(3))
    net = BoltzmannMachine(n_hidden=17, epochs=1, random_state=0).fit(states(3))
    assert net.transform(states(3)).shape == (8, 17)
    with pytest.raises(ConfigurationError, match="received 20"):
        net.log_likelihood(states(3))
