"""Threshold units and single layers at work."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import Adaline, DeltaRule, McCullochPitts, Perceptron


def _iris(columns, classes):
    (x, y), _ = nl.datasets.iris.load_data()
    keep = np.isin(y, classes)
    return x[keep][:, columns], np.array(["setosa", "versicolor", "virginica"])[y[keep]]


def _regions(net, x, y, names, title):
    columns, rows = (np.linspace(v.min() - 0.3, v.max() + 0.3, 400) for v in x.T)
    places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return plots.decision_regions(x, y, (columns, rows, net.predict(places).reshape(400, 400)), names, title)


def mc_culloch_pitts():
    """Three units make the exclusive or: each of the first two fires for one input without the other."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    first = McCullochPitts(weights=[[1, -1], [-1, 1]]).fit_transform(x)
    second = McCullochPitts(threshold=1).fit_transform(first)
    for given, (answer,) in zip(x.tolist(), second, strict=True):
        print(given, "->", int(answer))
    diagram = plots.unit_diagram([["x₁", "x₂"], ["u₁", "u₂"], ["xor"]])
    return diagram, plots.hinton([[1, -1], [-1, 1]], ["unit 1", "unit 2"], ["x₁", "x₂"], "Weights of the first units")


def perceptron():
    """Setosa and versicolor are separable by two measurements: the mistakes end, far below the bound."""
    x, y = _iris([0, 1], [0, 1])
    net = Perceptron(random_state=0).fit(x, y)
    print(f"{net.n_iter_} passes, {net.mistakes_[0]} mistakes, bound {net.mistake_bound_[0]:.0f}")
    diagram = plots.unit_diagram([["x₁", "x₂", "1"], ["sign"]])
    return diagram, _regions(net, x, y, ("sepal length (cm)", "sepal width (cm)"), "Perceptron on iris")


def adaline():
    """Versicolor and virginica overlap: the least squared error still gives a sensible line."""
    x, y = _iris([2, 3], [1, 2])
    net = make_pipeline(StandardScaler(), Adaline(learning_rate=0.02, random_state=0)).fit(x, y)
    print(f"{net[-1].n_iter_} passes, accuracy {net.score(x, y):.2f} on the data it learned from")
    diagram = plots.unit_diagram([["x₁", "x₂", "1"], ["Σ"]])
    return diagram, _regions(net, x, y, ("petal length (cm)", "petal width (cm)"), "Adaline on iris")


def delta_rule():
    """A layer of ten sigmoid units on digits; each unit's weights are a picture of what speaks for its digit."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    net = DeltaRule(activation="sigmoid", learning_rate=1.0, max_iter=10, random_state=0)
    net.fit(x.reshape(-1, 64) / 16, np.eye(10)[y])
    answers = net.predict(x_test.reshape(-1, 64) / 16).argmax(axis=1)
    print(f"accuracy on {len(y_test)} other digits: {(answers == y_test).mean():.3f}")
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₆₄"], ["0", "1", "…", "9"]])
    return diagram, plots.images(net.coef_.reshape(10, 8, 8), titles=range(10), columns=5)
