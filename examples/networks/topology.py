"""Connections as matrices, networks that run along them, and memories that learn along them."""

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import ConnectedNetwork, Hopfield, topology


def _trained(x, y):
    """The weights and biases of scikit-learn's perceptron with 5 hidden units as those of 4 + 5 + 3 units."""
    mlp = MLPClassifier((5,), activation="tanh", solver="lbfgs", alpha=0.1, max_iter=1000, random_state=0).fit(x, y)
    weights = topology.layered((4, 5, 3))
    weights[:4, 4:9], weights[4:9, 9:] = mlp.coefs_
    return weights, np.concatenate([np.zeros(4), *mlp.intercepts_])


def connected_network():
    """A trained network of three layers as one matrix, run whole and with gaps; then memories that learn with gaps."""
    (x, y), (x_test, y_test) = nl.datasets.iris.load_data()
    scaler = StandardScaler().fit(x)
    x, x_test = scaler.transform(x), scaler.transform(x_test)
    weights, bias = _trained(x, y)
    for density in (1, 0.9, 0.75, 0.5):
        rates = []
        for seed in range(20):
            part = topology.partial(weights, density, seed)
            net = ConnectedNetwork(weights=part, bias=bias, activation="tanh", inputs=4).fit(x)
            rates.append((net.transform(x_test)[:, 9:].argmax(axis=1) == y_test).mean())
        print(f"with {density:4.0%} of the connections: {np.mean(rates):.3f} of {len(y_test)} other irises are right")
    for density in (1, 0.75, 0.5, 0.25):
        print(f"Hopfield, {density:4.0%} of the connections: {_recalled(density):.2f} of 6 random patterns come back")
    names = ["sl", "sw", "pl", "pw", *"abcde", "set.", "vers.", "virg."]
    figure = plots.connections(weights, layers=(4, 5, 3), names=names, title="Sizes of sepals and petals to iris")
    return plots.connections(
        topology.local((4, 5), neighbours=4, torus=True), grid=(4, 5), torus=True, title="A torus"
    ), figure


def _recalled(density):
    """The rate at which 6 patterns of 100 units come back with 10 % of their units wrong, over 10 networks."""
    rates = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        patterns = np.where(rng.random((6, 100)) < 0.5, -1.0, 1.0)
        given = np.where(rng.random(patterns.shape) < 0.1, -patterns, patterns)
        mask = topology.partial(topology.full(100), density, seed, pairs=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* beyond the capacity of .*")
            net = Hopfield(connections=mask, random_state=0).fit(patterns)
        rates.append((net.transform(given) == patterns).all(axis=1).mean())
    return np.mean(rates)
