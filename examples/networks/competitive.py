"""Competing units at work: maps, gases, a Hamming network."""

import itertools

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import CompetitiveLayer, GrowingNeuralGas, HammingNetwork, NeuralGas, SelfOrganizingMap


def _wine():
    """178 Italian wines of three growers, each chemical measure scaled to mean 0 and variance 1."""
    (a, ya), (b, yb) = nl.datasets.wine.load_data()
    return StandardScaler().fit_transform(np.concatenate([a, b])), np.concatenate([ya, yb])


def _digits():
    parts = nl.datasets.digits.load_data()
    return [(x.reshape(-1, 64) / 16, y) for x, y in parts]


def self_organizing_map():
    """Handwritten digits settle on a map without being told what they are; each unit shows its most frequent digit."""
    (x, y), (x_test, y_test) = _digits()
    som = SelfOrganizingMap(shape=(14, 14), grid="hexagonal", epochs=30, random_state=0).fit(x)
    labels = som.label_map(x, y)
    right = labels.ravel()[som.predict(x_test)] == y_test
    print(f"quantization error on {len(x_test)} other digits: {som.quantization_error(x_test):.3f}")
    print(f"topographic error: {som.topographic_error(x_test):.3f}")
    print(f"the label of the nearest unit is right for {right.mean():.3f}")
    inputs, units = ["x₁", "x₂", "…", "x₆₄"], ["1", "2", "3", "4"]
    pairs = [(x_i, unit) for x_i in inputs if x_i != "…" for unit in units]
    grid = [edge for a, b in itertools.pairwise(units) for edge in ((a, b), (b, a))]
    diagram = plots.unit_diagram([inputs, units], pairs + grid)
    return diagram, plots.u_matrix(som.u_matrix(), "hexagonal", labels, "Digits: distances to neighbours")


def competitive_layer():
    """Three units with a conscience find the three growers of the wines."""
    x, y = _wine()
    layer = CompetitiveLayer(n_units=3, conscience=True, epochs=100, random_state=0).fit(x)
    found = layer.predict(x)
    print(f"adjusted Rand index with the growers: {adjusted_rand_score(y, found):.3f}")
    plane = PCA(2).fit(x)
    points, units = plane.transform(x), plane.transform(layer.weights_)
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₁₃"], ["1", "2", "3"]])
    return diagram, plots.unit_graph(points, units, labels=y, names=("component 1", "component 2"), title="Wines")


def neural_gas():
    """Units spread over the irises; those that are nearest and second to some flower are joined."""
    x, y = _iris()
    gas = NeuralGas(n_units=20, epochs=100, random_state=0).fit(x)
    print(f"quantization error: {gas.quantization_error(x):.3f}, {len(gas.edges_)} edges")
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₄"], ["1", "2", "…", "20"]])
    names = ("petal length (cm)", "petal width (cm)")
    return diagram, plots.unit_graph(x[:, 2:], gas.weights_[:, 2:], gas.edges_, y, names, "Irises")


def growing_neural_gas():
    """A graph grows over the petals of irises and falls into two parts, of which one is the setosas."""
    x, y = _iris()
    gas = GrowingNeuralGas(max_units=20, max_age=20, epochs=40, random_state=0).fit(x[:, 2:])
    parts = gas.clusters_[gas.predict(x[:, 2:])]
    print(f"{len(gas.weights_)} units in {parts.max() + 1} parts")
    for part in range(parts.max() + 1):
        print(f"part {part}: {np.bincount(y[parts == part], minlength=3).tolist()} setosa, versicolor, virginica")
    names = ("petal length (cm)", "petal width (cm)")
    diagram = plots.unit_diagram([["x₁", "x₂"], ["1", "2", "…", "20"]])
    return diagram, plots.unit_graph(x[:, 2:], gas.weights_, gas.edges_, y, names, "Irises")


def _iris():
    (a, ya), (b, yb) = nl.datasets.iris.load_data()
    return np.concatenate([a, b]), np.concatenate([ya, yb])


def hamming_network():
    """One exemplar per digit, and digits of which every sixth pixel is wrong."""
    (x, y), (x_test, y_test) = _digits()
    net = HammingNetwork().fit(x - 0.5, y)
    noisy = np.where(x_test > 0.5, 1, -1)
    print(f"accuracy on {len(y_test)} other digits: {net.score(noisy, y_test):.3f}")
    noisy[:, np.random.default_rng(0).permutation(64)[::6]] *= -1
    _, steps = net.compete(noisy)
    print(f"with 11 of 64 pixels wrong: {net.score(noisy, y_test):.3f}, MAXNET takes {steps.mean():.0f} steps")
    inputs, matches, answers = ["x₁", "x₂", "…", "x₆₄"], ["y₀", "y₁", "…", "y₉"], ["0", "1", "…", "9"]
    counted = [(x_i, y_j) for x_i in inputs for y_j in matches if "…" not in (x_i, y_j)]
    held_down = [("y₀", "y₁"), ("y₁", "y₀"), ("y₁", "y₉"), ("y₉", "y₁")]
    won = [("y₀", "0"), ("y₁", "1"), ("y₉", "9")]
    diagram = plots.unit_diagram([inputs, matches, answers], counted + won, inhibitory=held_down)
    return diagram, plots.images(net.exemplars_.reshape(10, 8, 8), titles=range(10), columns=5)
