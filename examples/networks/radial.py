"""Networks of kernels, radial units, random units and tilings at work."""

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import CMAC, GRNN, PNN, ELMClassifier, ELMRegressor, RBFClassifier, RBFRegressor


def _iris():
    """Petal length and width, and the species, of all iris flowers."""
    (x, y), (x_test, y_test) = nl.datasets.iris.load_data()
    return np.concatenate([x, x_test])[:, 2:], np.concatenate([y, y_test])


def _noisy():
    """A noisy function, and the grid on which it is drawn."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 6, 80))
    return x, np.sin(2 * x) * np.exp(-0.25 * x) + rng.normal(0, 0.1, 80), np.linspace(0, 6, 400)


def _truth(x):
    return np.sin(2 * x) * np.exp(-0.25 * x)


def _regions(net):
    x, y = _iris()
    names = nl.datasets.iris.class_names
    axes = [np.linspace(x[:, i].min() - 0.3, x[:, i].max() + 0.3, 400) for i in (0, 1)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    answers = net.fit(x, y).predict(grid).reshape(400, 400)
    measures = ("petal length", "petal width")
    return plots.decision_regions(x, [names[i] for i in y], (*axes, np.array(names)[answers]), measures)


def grnn():
    """How diabetes has gone on after a year, from ten measurements; and a noisy function."""
    (x, y), (x_test, y_test) = nl.datasets.diabetes.load_data()
    x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    folds = KFold(10, shuffle=True, random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), GRNN()), x, y, cv=folds)
    print(f"diabetes, 10-fold cross-validation: R² {scores.mean():.3f}")
    x, y, grid = _noisy()
    curves = {f"σ = {s}": GRNN(sigma=s).fit(x[:, None], y).predict(grid[:, None]) for s in (0.02, 0.15, 1.0)}
    diagram = plots.unit_diagram([["x₁", "…", "x₁₀"], ["k₁", "k₂", "…", "kₙ"], ["Σ y k", "Σ k"], ["ŷ"]])
    return diagram, plots.approximation(x, y, grid, curves)


def pnn():
    """Handwritten digits, each classified by all others around it."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    x, y = np.concatenate([x, x_test]).reshape(-1, 64) / 16, np.concatenate([y, y_test])
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    print(f"digits, 10-fold cross-validation: accuracy {cross_val_score(PNN(), x, y, cv=folds).mean():.3f}")
    diagram = plots.unit_diagram([["x₁", "…", "x₆₄"], ["k₁", "k₂", "…", "kₙ"], ["Σ₀", "…", "Σ₉"], ["ŷ"]])
    shares = PNN().fit(x[200:], y[200:]).predict_proba(x[:12])
    return diagram, plots.hinton(shares, y[:12], range(10), "PNN: P(c | x) of digits", ("class c", "true class of x"))


def rbf_regressor():
    """Ten units, placed by k-means and by orthogonal least squares, on a noisy function."""
    x, y, grid = _noisy()
    curves = {"without noise": _truth(grid)}
    for centers in ("kmeans", "ols", "gradient"):
        net = RBFRegressor(n_centers=10, centers=centers, width=0.6, random_state=0).fit(x[:, None], y)
        curves[centers] = net.predict(grid[:, None])
        error = np.sqrt(np.mean((curves[centers] - _truth(grid)) ** 2))
        print(f"{centers}: root mean squared distance to the function without noise {error:.3f}")
    diagram = plots.unit_diagram([["x"], ["φ₁", "φ₂", "…", "φ₁₀"], ["ŷ"]])
    return diagram, plots.approximation(x, y, grid, curves, marks=net.centers_)


def rbf_classifier():
    """Irises from petals, and digits from pixels."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    net = RBFClassifier(n_centers=150, random_state=0).fit(x.reshape(-1, 64) / 16, y)
    print(f"digits, accuracy on {len(y_test)} others: {net.score(x_test.reshape(-1, 64) / 16, y_test):.3f}")
    diagram = plots.unit_diagram([["x₁", "x₂"], ["φ₁", "φ₂", "…", "φₘ"], ["setosa", "versic.", "virgin."]])
    return diagram, _regions(RBFClassifier(n_centers=9, random_state=0))


def elm_regressor():
    """A noisy function over random units, of which only the sum is learned."""
    x, y, grid = _noisy()
    curves = {"without noise": _truth(grid)}
    for units in (10, 200):
        net = ELMRegressor(n_hidden=units, alpha=1e-4, random_state=0).fit(x[:, None] - 3, y)
        curves[f"{units} units"] = net.predict(grid[:, None] - 3)
        error = np.sqrt(np.mean((curves[f"{units} units"] - _truth(grid)) ** 2))
        print(f"{units} units: root mean squared distance to the function without noise {error:.3f}")
    diagram = plots.unit_diagram([["x"], ["g₁", "g₂", "…", "gₘ"], ["ŷ"]])
    return diagram, plots.approximation(x, y, grid, curves)


def elm_classifier():
    """Irises from petals, and digits from pixels, over random units."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    net = ELMClassifier(n_hidden=1000, random_state=0).fit(x.reshape(-1, 64) / 8 - 1, y)
    print(f"digits, accuracy on {len(y_test)} others: {net.score(x_test.reshape(-1, 64) / 8 - 1, y_test):.3f}")
    diagram = plots.unit_diagram([["x₁", "x₂"], ["g₁", "g₂", "…", "gₘ"], ["setosa", "versic.", "virgin."]])
    return diagram, _regions(make_pipeline(StandardScaler(), ELMClassifier(n_hidden=50, random_state=0)))


def cmac():
    """A noisy function in tables: what is learned at one place does not disturb another."""
    x, y, grid = _noisy()
    net = CMAC(n_tilings=16, n_tiles=6, random_state=0).fit(x[:, None], y)
    error = np.sqrt(np.mean((net.predict(grid[:, None]) - _truth(grid)) ** 2))
    print(f"{len(net.boxes_)} weights; root mean squared distance to the function without noise {error:.3f}")
    diagram = plots.unit_diagram([["x"], ["box 1", "box 2", "…", "box C"], ["ŷ"]])
    return diagram, plots.approximation(x, y, grid, {"without noise": _truth(grid), "CMAC": net.predict(grid[:, None])})
