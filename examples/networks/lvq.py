"""Prototypes of classes at work."""

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import GLVQ, GMLVQ, GRLVQ, LVQ, RSLVQ


def _iris():
    (x, y), (x_test, y_test) = nl.datasets.iris.load_data()
    return np.concatenate([x, x_test]), np.concatenate([y, y_test])


def _checked(net):
    """Print the cross-validated accuracy on iris flowers."""
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), net), *_iris(), cv=folds)
    print(f"iris, 10-fold cross-validation: accuracy {scores.mean():.3f}")


def _regions(net, names=("petal length", "petal width")):
    x, y = _iris()
    x = x[:, 2:]
    classes = nl.datasets.iris.class_names
    axes = [np.linspace(x[:, i].min() - 0.3, x[:, i].max() + 0.3, 400) for i in (0, 1)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    answers = net.fit(x, y).predict(grid).reshape(400, 400)
    return plots.decision_regions(x, [classes[i] for i in y], (axes[0], axes[1], np.array(classes)[answers]), names)


def _diagram():
    return plots.unit_diagram([["x₁", "x₂", "x₃", "x₄"], ["w₁", "w₂", "…", "wₖ"], ["setosa", "versic.", "virgin."]])


def lvq():
    """Two prototypes per species, by four rules."""
    for rule in ("lvq1", "olvq1", "lvq2.1", "lvq3"):
        print(rule, end=": ")
        _checked(LVQ(rule=rule, prototypes_per_class=2, random_state=0))
    return _diagram(), _regions(LVQ(prototypes_per_class=2, random_state=0))


def glvq():
    """One prototype per species, by the gradient of the margin."""
    _checked(GLVQ(random_state=0))
    return _diagram(), _regions(GLVQ(random_state=0))


def grlvq():
    """Which of the four measurements tell the species apart."""
    _checked(GRLVQ(random_state=0))
    x, y = _iris()
    net = GRLVQ(random_state=0).fit(StandardScaler().fit_transform(x), y)
    names = ["sepal l.", "sepal w.", "petal l.", "petal w."]
    print("relevances:", dict(zip(names, net.relevances_.round(2).tolist(), strict=True)))
    return _diagram(), plots.hinton(net.relevances_[None], ["λ"], names, "Relevances of GRLVQ", ("measurement", ""))


def gmlvq():
    """The map in which the species are farthest apart."""
    _checked(GMLVQ(random_state=0))
    x, y = _iris()
    net = GMLVQ(random_state=0).fit(StandardScaler().fit_transform(x), y)
    names = ["sepal l.", "sepal w.", "petal l.", "petal w."]
    return _diagram(), plots.hinton(
        net.relevance_matrix_, names, names, "GMLVQ: Λ = Ωᵀ Ω", ("measurement", "measurement")
    )


def rslvq():
    """One Gaussian per species."""
    _checked(RSLVQ(sigma=0.7, random_state=0))
    return _diagram(), _regions(RSLVQ(sigma=0.7, random_state=0))
