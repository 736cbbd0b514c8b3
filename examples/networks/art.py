"""Adaptive resonance at work: categories that come as the data ask for them."""

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import ART1, ART2A, ARTMAP, FuzzyART

_PETALS = ("petal length (cm)", "petal width (cm)")


def _iris():
    """The 150 irises in one random order: categories depend on it."""
    parts = nl.datasets.iris.load_data()
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _digits():
    return [(x.reshape(-1, 64), y) for x, y in nl.datasets.digits.load_data()]


def _diagram(inputs, *answers):
    """Signals and categories are connected both ways: upwards for choice, downwards for the match."""
    categories = ["w₁", "w₂", "w₃"]
    pairs = [(a, b) for a in inputs for b in categories if a != "…"]
    classes = list(zip(categories, answers, strict=False))
    layers = [inputs, categories, *([list(dict.fromkeys(answers))] if answers else [])]
    return plots.unit_diagram(layers, pairs + [(b, a) for a, b in pairs] + classes)


def art1():
    """Bitmaps of digits: how many categories each vigilance makes, and what they know of other digits."""
    (x, y), _ = _digits()
    vigilances, counts = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), []
    for vigilance in vigilances:
        net = ART1(vigilance=vigilance).fit(x > 7)
        counts.append(net.n_categories_)
        print(f"vigilance {vigilance}: {net.n_categories_} categories, {net.n_iter_} passes, {_known(net, x > 7, y)}")
    diagram = _diagram(["x₁", "x₂", "…", "x₆₄"])
    return diagram, plots.category_counts(vigilances, {"ART1": counts}, f"Categories of {len(x)} digits, 8 x 8 bits")


def _known(net, x, y):
    """Which share of test digits fall into a category whose most frequent digit they are, and into none."""
    _, (x_test, y_test) = _digits()
    digit = np.array([np.bincount(y[net.labels_ == j], minlength=10).argmax() for j in range(net.n_categories_)])
    found = net.predict(x_test > 7 if x.dtype == bool else x_test)
    right = (found >= 0) & (digit[found] == y_test)
    none = np.mean(found < 0)
    return f"of {len(y_test)} other digits {right.mean():.3f} in a category of their digit, {none:.3f} in none"


def fuzzy_art():
    """Boxes around the petals of irises, and how many boxes all four measurements need."""
    x, y = _iris()
    for vigilance in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        net = FuzzyART(vigilance=vigilance).fit(x)
        same = adjusted_rand_score(y, net.labels_)
        print(f"vigilance {vigilance}: {net.n_categories_} categories, adjusted Rand index with species {same:.3f}")
    net = FuzzyART(vigilance=0.6).fit(x[:, 2:])
    title = f"Petals of irises, vigilance 0.6: {net.n_categories_} categories"
    numbers = np.arange(net.n_categories_)
    diagram = _diagram(["x₁", "1 - x₁", "x₂", "1 - x₂"])
    return diagram, plots.category_boxes(x[:, 2:], net.labels_, net.boxes_, numbers, _PETALS, title)


def art2a():
    """Directions of digits: what a category has in common, whatever the amount of ink."""
    (x, y), _ = _digits()
    for vigilance in (0.6, 0.7, 0.8, 0.9):
        net = ART2A(vigilance=vigilance).fit(x)
        print(f"vigilance {vigilance}: {net.n_categories_} categories, {_known(net, x, y)}")
    net = ART2A(vigilance=0.8).fit(x)
    rows = np.bincount(net.labels_[net.labels_ >= 0], minlength=net.n_categories_)
    pictures = net.templates_ / net.templates_.max(axis=1, keepdims=True)
    return _diagram(["x₁", "x₂", "…", "x₆₄"]), plots.images(1 - pictures.reshape(-1, 8, 8), rows, columns=9)


def artmap():
    """Boxes around the petals of irises, as small as the species ask for; all four measurements; and digits."""
    x, y = _iris()
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    print(f"iris, 10-fold cross-validation: accuracy {cross_val_score(ARTMAP(), x, y, cv=folds).mean():.3f}")
    (d, t), (d_test, t_test) = _digits()
    net = ARTMAP().fit(d, t)
    print(
        f"digits: {net.n_categories_} categories after {net.n_iter_} passes, accuracy {net.score(d, t):.3f} on "
        f"{len(t)} learned, {net.score(d_test, t_test):.3f} on {len(t_test)} others"
    )
    net = ARTMAP(epsilon=-0.001).fit(x[:, 2:], y)
    species = np.array(nl.datasets.iris.class_names)
    title = f"Petals of irises: {net.n_categories_} categories, training accuracy {net.score(x[:, 2:], y):.3f}"
    picture = plots.category_boxes(
        x[:, 2:], species[y], net.boxes_, species[net.category_labels_], _PETALS, title
    )  # fmt: skip
    return _diagram(["x₁", "1 - x₁", "x₂", "1 - x₂"], "setosa", "versic.", "versic."), picture
