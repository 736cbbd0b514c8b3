"""Networks that grow, at work."""

import itertools

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import CascadeCorrelationClassifier, CascadeCorrelationRegressor

_UNITS = ["u₁", "u₂", "u₃", "u₄"]


def _diagram(inputs):
    """Each unit receives from the inputs and from all units before, the output from all."""
    links = [*itertools.product(inputs, [*_UNITS, "ŷ"]), *itertools.combinations(_UNITS, 2)]
    return plots.unit_diagram([inputs, _UNITS, ["ŷ"]], [*links, *((unit, "ŷ") for unit in _UNITS)])


def _spirals():
    """Two spirals of 97 points each, three turns round each other (Lang and Witbrock)."""
    i = np.arange(97)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return np.concatenate([points, -points]), np.repeat(["one", "other"], 97)


def cascade_correlation_classifier():
    """Two spirals, for which Fahlman and Lebiere needed 12 to 19 units, 15.2 on average; and breast cancer."""
    x, y = _spirals()
    nets = [CascadeCorrelationClassifier(max_units=40, random_state=seed).fit(x, y) for seed in range(10)]
    units = [net.n_units_ for net in nets]
    print(f"spirals, 10 seeds: {min(units)} to {max(units)} units, {np.mean(units):.1f} on average, until")
    print(f"{np.mean([net.score(x, y) for net in nets]):.3f} of the points are right")
    (x_1, y_1), (x_2, y_2) = nl.datasets.breast_cancer.load_data()
    net = make_pipeline(StandardScaler(), CascadeCorrelationClassifier(max_units=3, random_state=0))
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    scores = cross_val_score(net, np.concatenate([x_1, x_2]), np.concatenate([y_1, y_2]), cv=folds)
    print(f"breast cancer, at most 3 units, 10-fold cross-validation: accuracy {scores.mean():.3f}")
    axis = np.linspace(-7, 7, 400)
    answers = nets[0].predict(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)).reshape(400, 400)
    return _diagram(["x₁", "x₂"]), plots.decision_regions(x, y, (axis, axis, answers), ("x₁", "x₂"))


def cascade_correlation_regressor():
    """A noisy function: the more units, the closer to the points."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 6, 80))
    y, grid = np.sin(2 * x) * np.exp(-0.25 * x) + rng.normal(0, 0.1, 80), np.linspace(0, 6, 400)
    truth = np.sin(2 * grid) * np.exp(-0.25 * grid)
    curves = {"without noise": truth}
    for units in (1, 3, 6):
        net = CascadeCorrelationRegressor(max_units=units, goal=0.0, random_state=0).fit(x[:, None], y)
        curves[f"{units} unit" + "s" * (units > 1)] = found = net.predict(grid[:, None])
        error = np.sqrt(np.mean((found - truth) ** 2))
        print(f"units {units}: mse {net.loss_curve_[-1]:.4f}, root mean squared distance to the function {error:.3f}")
    return _diagram(["x"]), plots.approximation(x, y, grid, curves)
