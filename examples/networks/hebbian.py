"""Hebbian learning at work."""

import numpy as np

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import Hebb, Instar, Oja, Outstar, Sanger


def _digits():
    parts = nl.datasets.digits.load_data()
    return [(x.reshape(-1, 64) / 16, y) for x, y in parts]


def hebb():
    """Ten digits call up their numbers; mean digits are not at right angles, so there is some crosstalk."""
    (x, y), _ = _digits()
    means = np.stack([x[y == d].mean(axis=0) for d in range(10)])
    means -= means.mean(axis=0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    net = Hebb().fit(means, np.eye(10))
    answers = net.predict(means)
    print(f"largest answer is the right one for {(answers.argmax(axis=1) == np.arange(10)).sum()} of 10")
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₆₄"], ["0", "1", "…", "9"]])
    return diagram, plots.hinton(answers, range(10), range(10), "Hebb: answers to mean digits", ("unit", "digit"))


def instar():
    """A unit per digit turns to the direction of that digit's pictures."""
    (x, y), (x_test, y_test) = _digits()
    net = Instar(learning_rate=0.02, epochs=5).fit(x, y)
    print(f"accuracy on {len(y_test)} other digits: {net.score(x_test, y_test):.3f}")
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₆₄"], ["0", "1", "…", "9"]])
    pictures = net.coef_ / net.coef_.max()
    return diagram, plots.images(pictures.reshape(10, 8, 8), titles=range(10), columns=5)


def outstar():
    """An input unit per digit learns the picture that it is to call up."""
    (x, y), _ = _digits()
    net = Outstar(learning_rate=0.02, epochs=5).fit(np.eye(10)[y], x)
    pictures = net.predict(np.eye(10))
    means = np.stack([x[y == d].mean(axis=0) for d in range(10)])
    print(f"largest difference from the mean pictures: {abs(pictures - means).max():.2f}")
    diagram = plots.unit_diagram([["0", "1", "…", "9"], ["x₁", "x₂", "…", "x₆₄"]])
    return diagram, plots.images(pictures.reshape(10, 8, 8), titles=range(10), columns=5)


def oja():
    """One unit finds the direction in which iris flowers differ most."""
    (x, _), _ = nl.datasets.iris.load_data()
    net = Oja(epochs=30, random_state=0).fit(x)
    exact = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][0]
    print(f"cosine to the first principal component: {abs(net.components_[0] @ exact):.5f}")
    names = ["sepal l.", "sepal w.", "petal l.", "petal w."]
    diagram = plots.unit_diagram([["x₁", "x₂", "x₃", "x₄"], ["y"]])
    return diagram, plots.hinton(net.components_, ["y"], names, "Weights of Oja's unit", ("measurement", ""))


def sanger():
    """Eight units find the principal components of digits, in order."""
    (x, _), _ = _digits()
    net = Sanger(n_components=8, epochs=30, random_state=0).fit(x)
    exact = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:8]
    cosines = abs((net.components_ * exact).sum(axis=1)) / np.linalg.norm(net.components_, axis=1)
    print("cosines to the principal components:", cosines.round(3))
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₆₄"], ["y₁", "y₂", "…", "y₈"]])
    return diagram, plots.images(net.components_.reshape(8, 8, 8), titles=range(1, 9), columns=4)
