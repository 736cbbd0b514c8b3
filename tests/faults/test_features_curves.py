"""Learning curves have one name, scikit-learn's, in every network."""

import numpy as np
import pytest

import neuroloom.networks as networks
from neuroloom.networks import Adaline, BernoulliRBM, DeltaRule, Perceptron

OLD = ("error_curve_", "cost_curve_", "curve_")
LEARNERS = [
    name
    for name in networks.__all__
    if isinstance(getattr(networks, name), type) and "_curve_" in (getattr(networks, name).__doc__ or "")
]


def blobs():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    return rng.normal(size=(30, 2)) + np.array([[0, 3], [3, -3], [-3, -3]])[y], y


def test_every_learning_curve_has_the_same_name():
    """Fault 35: curves had four names, `loss_curve_`, `error_curve_`, `cost_curve_` and `curve_`."""
    others = [n for n in LEARNERS if any(f" {old}" in getattr(networks, n).__doc__ for old in OLD)]
    assert others == [] and len(LEARNERS) >= 25
    X, y = blobs()
    for name, settings in [("LVQ", {"epochs": 3}), ("GLVQ", {"max_iter": 3}), ("NeuralGas", {"epochs": 3})]:
        net = getattr(networks, name)(random_state=0, **settings).fit(X, y)
        assert len(net.loss_curve_) == 3
        assert not any(hasattr(net, old) for old in OLD)


def test_the_perceptron_counts_the_mistakes_of_each_pass():
    """Fault 35: Perceptron had no curve. By hand, from 0 and without shuffling."""
    X, t = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([-1, -1, -1, 1])
    w, b, wanted = np.zeros(2), 0.0, []
    while not wanted or wanted[-1]:
        wrong = 0
        for x, target in zip(X, t, strict=True):
            if target * (w @ x + b) <= 0:
                w, b, wrong = w + target * x, b + target, wrong + 1
        wanted.append(wrong / 4)
    net = Perceptron(shuffle=False, random_state=0).fit(X, t)
    np.testing.assert_allclose(net.loss_curve_, wanted)
    assert len(wanted) > 3 and net.n_iter_ == len(wanted)


@pytest.mark.parametrize("network", [Perceptron, Adaline, DeltaRule])
def test_curves_of_partial_fits_are_joined(network):
    """Fault 35: Adaline's curve forgot the passes before the last `partial_fit`, though `n_iter_` counted them."""
    X, y = blobs()
    net = network(random_state=0)
    for i in range(4):
        net.partial_fit(X, y, *([[0, 1, 2]] if network is not DeltaRule and i == 0 else []))
        if i == 0:
            first = net.loss_curve_.copy()
    assert len(net.loss_curve_) == net.n_iter_ == 4
    np.testing.assert_array_equal(net.loss_curve_[:1], first)


def test_the_loss_of_a_boltzmann_machine_falls():
    """Fault 35: what was `curve_` of BernoulliRBM rose while it learned; a loss falls."""
    X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 50)
    net = BernoulliRBM(n_components=3, epochs=100, random_state=0).fit(X)
    assert 0 < net.loss_curve_[-10:].mean() < net.loss_curve_[:3].mean()
    assert net.loss_curve_[-10:].mean() == pytest.approx(-net.score_samples(X).mean(), abs=0.1)
