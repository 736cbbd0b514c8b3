"""Shares of sums of exponentials and of high powers, which vanish in float32 unless the largest term is taken out."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.datasets import load_digits

import neuroloom as nl
from neuroloom.ops import draws

ENGINES = ["jax", "torch"]


def rslvq_cost(X, y, prototypes, labels, sigma):
    """Seo and Obermayer's -mean log(Σ_own exp / Σ_all exp), and its gradient by the prototypes, in float64."""
    logits = -((X[:, None] - prototypes) ** 2).sum(axis=2) / (2 * sigma**2)
    own = np.where(y[:, None] == labels, logits, -np.inf)
    cost = logsumexp(logits, axis=1) - logsumexp(own, axis=1)
    shares = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    mine = np.exp(own - logsumexp(own, axis=1, keepdims=True))
    pull = ((shares - mine)[:, :, None] * (X[:, None] - prototypes)).mean(axis=0) / sigma**2
    return cost.mean(), pull


@pytest.mark.parametrize("engine", ENGINES)
def test_the_cost_of_rslvq_is_the_formulas_on_unscaled_data(engine):
    """Fault 28: -log(Σ exp + 1e-30) ends at 69, so that the first cost on the digits was 5.2 instead of 11.8."""
    X, y = load_digits(return_X_y=True)
    first = nl.networks.RSLVQ(max_iter=1, random_state=0, engine=engine).fit(X, y)
    means = np.array([X[y == c].mean(axis=0) for c in range(10)])
    right, pull = rslvq_cost(X, y, means, np.arange(10), 1.0)
    assert right > 11
    assert first.loss_curve_[0] == pytest.approx(right, rel=1e-3)
    moved = (first.prototypes_ - means) / np.maximum(abs(pull), 1e-12)
    strong = abs(pull) > 0.01
    assert strong.sum() > 50
    assert (moved[strong] * np.sign(pull[strong]) < 0).mean() > 0.99  # each step goes down the gradient


@pytest.mark.parametrize("engine", ENGINES)
def test_rslvq_says_log_probabilities_below_what_floats_hold(engine):
    """Fault 28: log P was -708 for whatever is less."""
    X, y = np.array([[0.0], [0.1], [100.0], [100.1], [200.0]]), np.array([0, 0, 1, 1, 2])
    net = nl.networks.RSLVQ(max_iter=1, random_state=0, engine=engine).fit(X, y)
    logits = -((X - net.prototypes_.ravel()) ** 2) / 2
    right = logits - logsumexp(logits, axis=1, keepdims=True)
    assert right.min() < -4000
    np.testing.assert_allclose(net.decision_function(X), right, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(net.predict_proba(X), np.exp(right), atol=1e-6)


def left_out_log_likelihood(X, y, sigma):
    squared = ((X[:, None] - X) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    logits = -squared / (2 * sigma**2)
    own = np.where(y[:, None] == y, logits, -np.inf)
    return (logsumexp(own, axis=1) - logsumexp(logits, axis=1)).sum()


@pytest.mark.parametrize("engine", ["numpy", *ENGINES])
def test_the_width_of_a_pnn_has_the_greatest_likelihood(engine):
    """Fault 28: log(p + 1e-12) ended at -27.6, so that rows far from their class cost a narrow Gaussian nothing."""
    rng = np.random.default_rng(2)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 2)) + 2.5 * y[:, None]
    y[:3] = 1 - y[:3]  # wrong labels
    net = nl.networks.PNN(engine=engine, random_state=0).fit(X, y)
    tried = np.geomspace(0.01, 2.0, 28) * np.sqrt(2 * X.var(axis=0).sum())
    right = np.array([left_out_log_likelihood(X, y, sigma) for sigma in tried])
    assert right.min() < -28 * 3  # where the floor counted
    errors = -right
    wanted = tried[np.flatnonzero(errors <= errors.min() + 1e-3 * errors.std())[-1]]
    assert net.sigma_ == pytest.approx(wanted)


def test_a_class_with_one_example_does_not_choose_the_width():
    """Fault 28: its left-out likelihood is 0 with every width."""
    X, y = np.array([[0.0], [0.2], [0.5], [3.0], [3.3], [9.0]]), np.array([0, 0, 0, 1, 1, 2])
    assert np.isfinite(nl.networks.PNN(random_state=0).fit(X, y).sigma_)


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("engine", ENGINES)
def test_glvq_learns_alike_in_all_units(factor, engine):
    """Fault 28: a cost of distances beside an absolute 1e-12, and 1e30 for those that do not count."""
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X[:, 20:30]
    net = nl.networks.GLVQ(max_iter=20, random_state=0, engine=engine).fit(factor * X, y)
    one = nl.networks.GLVQ(max_iter=20, random_state=0, engine=engine).fit(X, y)
    np.testing.assert_allclose(net.loss_curve_, one.loss_curve_, rtol=1e-3, atol=1e-4)


# ----------------------------------------------------------------------------------------------- dense memory


def exact_recall(patterns, state, degree, seed, sweeps=100):
    """Krotov and Hopfield's rule in whole numbers of any length, in the orders of the network."""
    key, s = draws.key(seed, "order"), [int(v) for v in state]
    patterns = [[int(v) for v in row] for row in patterns]
    n = len(s)
    for sweep in range(sweeps):
        before = list(s)
        overlaps = [sum(a * b for a, b in zip(row, s, strict=True)) for row in patterns]
        for i in draws.permutation(draws.fold_in(key, sweep), n).tolist():
            rest = [o - row[i] * s[i] for o, row in zip(overlaps, patterns, strict=True)]
            energy = [
                sum(max(o + row[i] * side, 0) ** degree for o, row in zip(rest, patterns, strict=True))
                for side in (1, -1)
            ]
            if energy[0] != energy[1]:
                s[i] = 1 if energy[0] > energy[1] else -1
            overlaps = [o + row[i] * s[i] for o, row in zip(rest, patterns, strict=True)]
        if s == before:
            break
    return s


@pytest.mark.parametrize("degree", [2, 3, 30, 400])
@pytest.mark.parametrize("engine", ["numpy", *ENGINES])
def test_a_dense_memory_of_any_degree_follows_the_exact_rule(degree, engine):
    """Fault 29: gains of (overlap / N)ⁿ were compared with 1e-7, so that nothing moved at degree 30."""
    rng = np.random.default_rng(4)
    patterns = rng.choice([-1, 1], (12, 64))
    starts = patterns * np.where(rng.random(patterns.shape) < 0.3, -1, 1)
    net = nl.networks.DenseAssociativeMemory(degree=degree, random_state=0, engine=engine).fit(patterns)
    found = net.transform(starts)
    right = [exact_recall(patterns, row, degree, 0) for row in starts]
    np.testing.assert_array_equal(found, right)
    if degree >= 30:
        assert (found == patterns).all(axis=1).mean() > 0.8
