"""Feed-forward networks at work."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import MultilayerPerceptronClassifier, MultilayerPerceptronRegressor


def _petals():
    """Petal length and width, and the species, of all iris flowers."""
    (x, y), (x_test, y_test) = nl.datasets.iris.load_data()
    return np.concatenate([x, x_test])[:, 2:], np.concatenate([y, y_test])


def multilayer_perceptron_classifier():
    """Handwritten digits by six algorithms, 100 epochs each; and irises from petals."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16
    for name in ("gdx", "rprop", "irprop+", "cgp", "lbfgs", "adam"):
        net = MultilayerPerceptronClassifier(hidden=(40,), algorithm=name, epochs=100, l2=1e-4, random_state=0).fit(
            x, y
        )
        print(f"{name:8} loss {net.loss_:.4f}, accuracy on {len(y_test)} other digits {net.score(x_test, y_test):.3f}")
    points, species = _petals()
    net = MultilayerPerceptronClassifier(hidden=(6,), l2=1e-3, random_state=0).fit(points, species)
    axes = [np.linspace(points[:, i].min() - 0.3, points[:, i].max() + 0.3, 400) for i in (0, 1)]
    answers = net.predict(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)).reshape(400, 400)
    names = np.array(nl.datasets.iris.class_names)
    diagram = plots.unit_diagram([["x₁", "x₂"], [f"h{i}" for i in "₁₂₃₄₅₆"], ["setosa", "versic.", "virgin."]])
    measures = ("petal length", "petal width")
    return diagram, plots.decision_regions(points, names[species], (*axes, names[answers]), measures)


def multilayer_perceptron_regressor():
    """A noisy function by three algorithms, 200 epochs each; and how diabetes goes on, with a skip connection."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 6, 80))
    y, grid = np.sin(2 * x) * np.exp(-0.25 * x) + rng.normal(0, 0.1, 80), np.linspace(0, 6, 400)
    truth = np.sin(2 * grid) * np.exp(-0.25 * grid)
    curves = {"without noise": truth}
    for name in ("gdx", "rprop", "lm"):
        net = MultilayerPerceptronRegressor(hidden=(8,), algorithm=name, random_state=0).fit(x[:, None], y)
        curves[name] = net.predict(grid[:, None])
        error = np.sqrt(np.mean((curves[name] - truth) ** 2))
        mse = np.mean((net.predict(x[:, None]) - y) ** 2)
        print(f"{name:5} mse {mse:.4f}, root mean squared distance to the function without noise {error:.3f}")
    net = MultilayerPerceptronRegressor(
        hidden=(8,), connections=[(0, 1), (1, 2), (0, 2)], algorithm="lbfgs", l2=0.05, random_state=0
    )
    pipe = make_pipeline(StandardScaler(), TransformedTargetRegressor(net, transformer=StandardScaler()))
    (x_1, y_1), (x_2, y_2) = nl.datasets.diabetes.load_data()
    folds = KFold(10, shuffle=True, random_state=0)
    scores = cross_val_score(pipe, np.concatenate([x_1, x_2]), np.concatenate([y_1, y_2]), cv=folds)
    print(f"diabetes, 10-fold cross-validation: R² {scores.mean():.3f}")
    layers = [["x₁", "x₂"], ["h₁", "h₂", "h₃", "h₄"], ["ŷ"]]
    links = [(a, b) for i, j in ((0, 1), (1, 2), (0, 2)) for a in layers[i] for b in layers[j]]
    return plots.unit_diagram(layers, links), plots.approximation(x, y, grid, curves)
