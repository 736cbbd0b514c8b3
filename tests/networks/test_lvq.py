"""Learning vector quantisation: one step of each rule by hand, gradients, published behaviour."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuroloom.networks import GLVQ, GMLVQ, GRLVQ, LVQ, RSLVQ
from neuroloom.networks.base import run
from neuroloom.networks.competitive.glvq import descend
from neuroloom.networks.competitive.lvq import learn

W = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]])
MARKS = np.array([0, 1, 0])
KEY = np.array([1, 2], np.int32)


def one_step(rule, x, label, rate=0.1, window=0.5, epsilon=0.2, engine="numpy"):
    """The prototypes after one example."""
    given = np.array([x]), np.array([label]), W, MARKS, np.array([[rate]]), window, epsilon, KEY
    return run(engine, learn, *given, rule=rule)[0]


def moved(*changes):
    """W with rows changed: (row, new value)."""
    new = W.copy()
    for row, value in changes:
        new[row] = value
    return new


BY_HAND = {
    # the winner of (0.5, 0) is prototype 0 at 0.5; the second is prototype 1 at 1.5
    "lvq1, right": (("lvq1", (0.5, 0.0), 0), moved((0, (0.05, 0)))),
    "lvq1, wrong": (("lvq1", (0.5, 0.0), 1), moved((0, (-0.05, 0)))),
    "olvq1": (("olvq1", (0.5, 0.0), 1), moved((0, (-0.05, 0)))),
    # (0.9, 0): distances 0.9 and 1.1, ratio 0.82 > (1 - 0.5) / (1 + 0.5)
    "lvq2, wrong and next right": (("lvq2", (0.9, 0.0), 1), moved((0, (-0.09, 0)), (1, (1.89, 0)))),
    "lvq2, right": (("lvq2", (0.9, 0.0), 0), W),
    "lvq2.1, right and next wrong": (("lvq2.1", (0.9, 0.0), 0), moved((0, (0.09, 0)), (1, (2.11, 0)))),
    "lvq2.1, outside the window": (("lvq2.1", (0.4, 0.0), 0), W),  # ratio 0.25
    # (0, 2.6): distances 2.4 to prototype 2 and 2.6 to prototype 0, both of class 0
    "lvq2.1, both right": (("lvq2.1", (0.0, 2.6), 0), W),
    "lvq3, both right": (("lvq3", (0.0, 2.6), 0), moved((0, (0, 0.02 * 2.6)), (2, (0, 5 - 0.02 * 2.4)))),
    "lvq3, right and next wrong": (("lvq3", (0.9, 0.0), 0), moved((0, (0.09, 0)), (1, (2.11, 0)))),
    "lvq3, both wrong": (("lvq3", (0.0, 2.6), 1), W),
}


@pytest.mark.parametrize("engine", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("name", BY_HAND)
def test_one_step_by_hand(name, engine):
    given, expected = BY_HAND[name]
    np.testing.assert_allclose(one_step(*given, engine=engine), expected, atol=1e-6)


def test_rates_of_olvq1_follow_kohonens_formula():
    x = np.array([[0.5, 0.0]] * 3)
    given = x, np.array([0, 0, 0]), W, MARKS, np.full((1, 3), 0.4), 0.3, 0.2, KEY
    w, rate = 0.0, 0.4
    for _ in range(3):
        w, rate = w + rate * (0.5 - w), rate / (1 + rate)
    assert run("numpy", learn, *given, rule="olvq1")[0][0, 0] == pytest.approx(w, rel=1e-5)
    wrong = run("numpy", learn, x, np.array([1, 1, 1]), *given[2:], rule="olvq1")[0]
    assert wrong[0, 0] == pytest.approx(0.5 - 0.5 * 1.4**3, rel=1e-5)  # the rate is bounded by its first value


def test_errors_are_counted_and_the_rate_falls():
    x, y = load_iris(return_X_y=True)
    net = LVQ(prototypes_per_class=2, epochs=20, random_state=0).fit(x, y)
    assert net.loss_curve_.shape == (20,)
    assert net.loss_curve_[-1] < 0.06
    first = LVQ(prototypes_per_class=2, epochs=1, learning_rate=1e-9, random_state=0).fit(x, y)
    assert first.loss_curve_[0] == pytest.approx(1 - first.score(x, y), abs=1e-6)


def test_partial_fit_goes_on():
    x, y = load_iris(return_X_y=True)
    net = LVQ(random_state=0).partial_fit(x, y)
    before = net.prototypes_.copy()
    net.partial_fit(x[:50], y[:50])
    assert net.n_iter_ == 2
    assert len(net.loss_curve_) == 2
    assert not np.array_equal(net.prototypes_[0], before[0])


# ------------------------------------------------------------------------------------------------- by the gradient

X = np.random.default_rng(0).normal(size=(9, 3))
LABELS = np.arange(9) % 3
PROTOTYPES = np.random.default_rng(1).normal(size=(4, 3))
OF = np.array([0, 1, 2, 0])
RELEVANCES = np.array([0.5, 0.2, 0.3])
OMEGA = np.random.default_rng(2).normal(size=(2, 3))
OMEGA /= np.sqrt((OMEGA**2).sum())


def cost(prototypes, relevances=None, omega=None, sigma=None):
    """The cost, from its formula."""
    values = []
    for x, label in zip(X, LABELS, strict=True):
        apart = x - prototypes
        if relevances is not None:
            d = (relevances * apart**2).sum(1)
        elif omega is not None:
            d = ((apart @ omega.T) ** 2).sum(1)
        else:
            d = (apart**2).sum(1)
        if sigma is not None:
            k = np.exp(-d / (2 * sigma**2))
            values.append(-np.log(k[label == OF].sum() / k.sum()))
        else:
            right, wrong = d[label == OF].min(), d[label != OF].min()
            values.append((right - wrong) / (right + wrong))
    return np.mean(values)


CASES = {
    "GLVQ": ({}, "glvq", {}),
    "GRLVQ": ({"relevances": RELEVANCES}, "glvq", {"relevances": RELEVANCES}),
    "GMLVQ": ({"omega": OMEGA}, "glvq", {"omega": OMEGA}),
    "RSLVQ": ({}, "rslvq", {"sigma": 0.8}),
}


@pytest.mark.parametrize("engine", ["jax", "torch"])
@pytest.mark.parametrize("name", CASES)
def test_the_first_cost_is_that_of_the_formula_and_the_first_step_goes_down_its_gradient(name, engine):
    metric, kind, formula = CASES[name]
    start = {"prototypes": PROTOTYPES, **metric}
    rate = 1e-4
    found, curve = run(engine, descend, start, X, LABELS, OF, rate, formula.get("sigma", 1.0), cost=kind, steps=1)
    assert curve[0] == pytest.approx(cost(PROTOTYPES, **formula), rel=1e-5)
    slope = np.empty_like(PROTOTYPES)
    for place in np.ndindex(PROTOTYPES.shape):
        step = np.zeros_like(PROTOTYPES)
        step[place] = 1e-5
        slope[place] = (cost(PROTOTYPES + step, **formula) - cost(PROTOTYPES - step, **formula)) / 2e-5
    expected = -rate * slope / (abs(slope) + 1e-4 / np.sqrt(1e-3))  # the first step of Adam
    np.testing.assert_allclose(found["prototypes"] - PROTOTYPES, expected, atol=0.05 * rate)


def test_metrics_keep_their_size():
    x, y = load_wine(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    relevances = GRLVQ(random_state=0).fit(x, y).relevances_
    assert relevances.sum() == pytest.approx(1, abs=1e-5)
    assert relevances.min() >= 0
    net = GMLVQ(rank=2, random_state=0).fit(x, y)
    assert net.relevance_matrix_.trace() == pytest.approx(1, abs=1e-5)
    assert net.transform(x).shape == (178, 2)
    near = ((net.transform(x)[:, None] - net.transform(net.prototypes_)) ** 2).sum(2).argmin(1)
    assert (net.classes_[net.prototype_labels_[near]] == net.predict(x)).all()


def test_probabilities_of_rslvq():
    x, y = load_iris(return_X_y=True)
    net = RSLVQ(prototypes_per_class=2, random_state=0).fit(x, y)
    k = np.exp(-((x[:, None] - net.prototypes_) ** 2).sum(2) / 2)
    expected = np.stack([k[:, net.prototype_labels_ == c].sum(1) for c in range(3)], axis=1) / k.sum(1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(x), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("net", "least"),
    [
        (LVQ(prototypes_per_class=2, random_state=0), 0.93),
        (GLVQ(random_state=0), 0.88),
        (GRLVQ(random_state=0), 0.94),
        (GMLVQ(random_state=0), 0.95),  # published for this network
        (RSLVQ(random_state=0), 0.93),
    ],
    ids=lambda value: type(value).__name__,
)
def test_on_iris(net, least):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    data = load_iris(return_X_y=True)
    score = cross_val_score(make_pipeline(StandardScaler(), net), *data, cv=folds).mean()
    assert score >= least
    assert score > cross_val_score(make_pipeline(StandardScaler(), NearestCentroid()), *data, cv=folds).mean()
