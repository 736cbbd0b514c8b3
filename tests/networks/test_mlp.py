"""Multilayer perceptrons: each algorithm against its formula or another library, gradients, weights, real data."""

import functools
import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, minimize, rosen, rosen_der
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuroloom import engines
from neuroloom.errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from neuroloom.networks import MultilayerPerceptronClassifier, MultilayerPerceptronRegressor
from neuroloom.networks.base import answer
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer import mlp_rules as rules
from neuroloom.networks.multilayer.mlp_base import ALGORITHMS

Classifier = functools.partial(MultilayerPerceptronClassifier, scale=False)  # formulas are of features as they are
Regressor = functools.partial(MultilayerPerceptronRegressor, scale=False)
RNG = np.random.default_rng(8)
X = np.float32(RNG.normal(size=(30, 3)))
Y = np.float32(np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2])
LABELS = np.digitize(X[:, 0] * X[:, 1], [-0.3, 0.3])
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), np.array([0, 1, 1, 0])
MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1]])
SKIPS = [(0, 1, MASK), (1, 2), (0, 2), (2, 3), (1, 3), (0, 3)]
HILLS = np.array([-1.2, 1.0, 0.7, -0.4])  # where Rosenbrock's valley is left and right of the walls

every_training_engine = pytest.mark.parametrize("engine", ["jax", "torch"])


def plan(loss="mse", outputs=2):
    return rules.Plan((3, 4, 5, outputs), ("tanh", "sigmoid"), tuple((a, b) for a, b, *_ in SKIPS), loss)


def weights_and_mask(p):
    masks = rules.filled(p, [link if len(link) == 3 else (*link, None) for link in SKIPS])
    mask = rules.joined(masks, [np.ones(size) for size in p.sizes[1:]])
    return RNG.normal(size=len(mask)), mask


def network(kernels, biases, x):
    """The skipping network in NumPy, written out."""
    a = np.tanh(x @ kernels[0] + biases[0])
    b = 1 / (1 + np.exp(-(a @ kernels[1] + x @ kernels[2] + biases[1])))
    return b @ kernels[3] + a @ kernels[4] + x @ kernels[5] + biases[2]


def differences(f, w, h=1e-6):
    return np.array([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(len(w))])


# ------------------------------------------------------------------------------------- outputs, errors, gradients


@every_training_engine
@pytest.mark.parametrize("loss", ["mse", "sparse_categorical_crossentropy", "binary_crossentropy"])
def test_errors_and_gradients_with_skips_and_masks(engine, loss):
    p = plan(loss, 1 if loss.startswith("binary") else 3)
    w, mask = weights_and_mask(p)
    s = RNG.uniform(0.1, 1, 30)
    t = {"mse": RNG.normal(size=(30, 3)), "binary_crossentropy": RNG.integers(0, 2, (30, 1)) * 1.0}.get(loss, LABELS)

    def error(w):
        kernels, biases = rules.parts(p, w * mask)
        z = network(kernels, biases, X.astype(float))
        if loss == "mse":
            values = ((z - t) ** 2).mean(axis=1)
        elif z.shape[1] == 1:
            values = (np.logaddexp(0, z) - t * z)[:, 0]
        else:
            values = np.log(np.exp(z).sum(axis=1)) - z[np.arange(30), t]
        return (s * values).sum() + 0.5 * 0.3 * sum((k**2).sum() for k in rules.parts(p, w)[0])

    f, g = answer(engine, rules.value_and_gradient, w * mask, (X, t, s), mask, 0.3, plan=p)
    assert f == pytest.approx(error(w * mask), rel=1e-9)
    np.testing.assert_allclose(g * mask, differences(error, w * mask) * mask, atol=1e-7)
    assert not g[mask == 0].any()


def jacobians(engine, w, x, mask, *, plan):
    return [rules.jacobian(engine, plan, w, x, mask, k) for k in range(plan.sizes[-1])]


@every_training_engine
def test_jacobian_and_curvature(engine):
    p = plan()
    w, mask = weights_and_mask(p)
    w = w * mask
    expected = differences(lambda w: network(*rules.parts(p, w * mask), X.astype(float)), w)  # (weights, rows, outputs)
    found = answer(engine, jacobians, w, X, mask, plan=p)
    np.testing.assert_allclose(np.stack(found, axis=2), np.moveaxis(expected, 0, 1), atol=1e-7)
    s = RNG.uniform(0.1, 1, 30)
    h = answer(engine, curvatures, w, (X, Y[:, None], s), mask, 0.2, plan=p)
    biases = sum(p.sizes[1:])
    decay = 0.2 * np.diag(mask * (np.arange(len(w)) < len(w) - biases))
    np.testing.assert_allclose(h, np.einsum("anc,n,bnc->ab", expected, s, expected) + decay, atol=1e-6)


def curvatures(engine, w, data, mask, l2, *, plan):
    return rules.curvature(engine, plan, w, data, mask, l2)


def test_nguyen_and_widrows_weights():
    low, high = np.array([-3.0, 0.0, 10.0]), np.array([5.0, 1.0, 30.0])
    kernel, bias = rules.nguyen_widrow(np.ones((3, 7)), low, high, True, np.random.default_rng(1))
    half, middle = (high - low) / 2, (high + low) / 2
    length = 0.7 * 7 ** (1 / 3)
    np.testing.assert_allclose(np.linalg.norm(kernel * half[:, None], axis=0), length)
    assert (abs(middle @ kernel + bias) <= length).all() and np.ptp(middle @ kernel + bias) > length
    partial, _ = rules.nguyen_widrow(MASK, low, high, True, np.random.default_rng(1))
    assert not partial[MASK == 0].any()
    lengths = 0.7 * 4 ** (1 / MASK.sum(axis=0))
    np.testing.assert_allclose(np.linalg.norm(partial * half[:, None], axis=0), lengths)


# ------------------------------------------------------------------------------------------------ the algorithms


def course(name, w, epochs, rate=None, momentum=0.9, fun=(rosen, rosen_der), curvature=None):
    """All points of an algorithm on a function of its own, eagerly on NumPy."""
    problem = algorithms.Problem(engines.load("numpy"), lambda w: (np.float64(fun[0](w)), fun[1](w)), curvature)
    rate = algorithms.usual_rate(name) if rate is None else rate
    slots, point, found = algorithms.begin(name, w, rate, momentum), (w, fun[0](w), fun[1](w)), []
    for _ in range(epochs):
        with np.errstate(invalid="ignore"):  # a line search has an end at infinity
            point, slots = algorithms.algorithm(name, momentum).step(problem, point, slots, np.array(rate))
        found.append(point[0])
    return np.array(found), slots


@pytest.mark.parametrize("name, momentum", [("gd", 0.0), ("gdm", 0.8)])
def test_gradient_descent(name, momentum):
    w, v, expected = HILLS, np.zeros(4), []
    for _ in range(6):
        v = momentum * v - 0.001 * rosen_der(w)
        w = w + v
        expected.append(w)
    np.testing.assert_allclose(course(name, HILLS, 6, rate=0.001, momentum=0.8)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("name, momentum", [("gda", 0.0), ("gdx", 0.8)])
def test_gradient_descent_with_an_adaptive_rate(name, momentum):
    w, v, rate, expected, rates = HILLS, np.zeros(4), 0.004, [], set()
    for _ in range(40):
        new = w + momentum * v - rate * rosen_der(w)
        if rosen(new) > 1.04 * rosen(w):
            v, factor = np.zeros(4), 0.7
        else:
            factor = 1.05 if rosen(new) < rosen(w) else 1.0
            v, w = new - w, new
        rate *= factor
        rates.add(factor)
        expected.append(w)
    assert {0.7, 1.05} <= rates
    found, slots = course(name, HILLS, 40, rate=0.004, momentum=0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert slots["rate"] == pytest.approx(rate)


def test_rprop_is_pytorchs():
    w = torch.tensor(HILLS, requires_grad=True)
    optimizer, expected = torch.optim.Rprop([w], lr=0.1), []
    for _ in range(30):
        w.grad = torch.tensor(rosen_der(w.detach().numpy()))
        optimizer.step()
        expected.append(w.detach().numpy().copy())
    np.testing.assert_allclose(course("rprop", HILLS, 30)[0], expected, rtol=1e-12)


def test_irprop_plus_weight_by_weight():
    w, step, before, change, last, expected, back = HILLS.copy(), [0.1] * 4, [0.0] * 4, [0.0] * 4, np.inf, [], 0
    for _ in range(30):
        g, f = rosen_der(w), rosen(w)
        for i in range(4):
            if g[i] * before[i] > 0:
                step[i] = min(step[i] * 1.2, 50)
            elif g[i] * before[i] < 0:
                step[i] = max(step[i] * 0.5, 1e-6)
                change[i] = -change[i] if f > last else 0.0
                back += f > last
                before[i] = 0.0
                w[i] += change[i]
                continue
            change[i], before[i] = -np.sign(g[i]) * step[i], g[i]
            w[i] += change[i]
        last = f
        expected.append(w.copy())
    assert back
    np.testing.assert_allclose(course("irprop+", HILLS, 30)[0], expected, rtol=1e-12)


def fahlman(slope, before, last, rate, mu=1.75):
    """One weight, in the words of Fahlman's program."""
    step = 0.0
    if last < 0:
        if slope > 0:
            step -= rate * slope
        step += mu * last if slope >= mu / (1 + mu) * before else last * slope / (before - slope)
    elif last > 0:
        if slope < 0:
            step -= rate * slope
        step += mu * last if slope <= mu / (1 + mu) * before else last * slope / (before - slope)
    else:
        step -= rate * slope
    return step


def test_quickprop_is_fahlmans():
    w, before, last, expected = HILLS, np.zeros(4), np.zeros(4), []
    for _ in range(25):
        g = rosen_der(w)
        last = np.array([fahlman(*each, 0.001) for each in zip(g, before, last, strict=True)])
        w, before = w + last, g
        expected.append(w)
    np.testing.assert_allclose(course("quickprop", HILLS, 25, rate=0.001)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["cgf", "cgp"])
def test_conjugate_gradients_follow_the_formula_and_wolfes_conditions(name):
    points = np.vstack([HILLS, course(name, HILLS, 60)[0]])
    old, d, formulas = None, None, 0
    for step, (a, b) in enumerate(itertools.pairwise(points[:13])):
        g = rosen_der(a)
        anew = step % len(a) == 0  # as many steps as there are weights
        beta = 0.0 if anew else max(0, g @ (g - (0 if name == "cgf" else old)) / (old @ old))
        d = -g if anew else -g + beta * d
        d = d if g @ d < 0 else -g
        formulas += beta > 0
        length = (b - a) @ d / (d @ d)
        np.testing.assert_allclose(b - a, length * d, atol=1e-9)
        assert rosen(b) <= rosen(a) + 1e-4 * length * g @ d and abs(rosen_der(b) @ d) <= 0.1 * abs(g @ d)
        old = g
    assert formulas > 5 and abs(rosen_der(points[-1])).max() < 1e-3


@pytest.mark.parametrize("name", ["cgf", "cgp"])
def test_conjugate_gradients_never_go_uphill(name):
    g = rosen_der(HILLS)
    problem = algorithms.Problem(engines.load("numpy"), lambda w: (rosen(w), rosen_der(w)), None)
    old = {"direction": 100 * g, "gradient": -g, "slope": -1.0, "length": 1e-4 * g @ g, "still": 0, "since": 1}
    with np.errstate(invalid="ignore"):
        (w, f, _), _ = algorithms.algorithm(name, 0.9).step(problem, (HILLS, rosen(HILLS), g), old, 1.0)
    assert f < rosen(HILLS) and (w - HILLS) @ g < 0


def test_a_line_search_is_not_content_with_a_level_place():
    """From 0 along -w (1 - w)², which is level at 1, where it has not fallen."""
    fun = (lambda w: -(w * (1 - w) ** 2).sum(), lambda w: -((1 - w) ** 2) + 2 * w * (1 - w))
    found, _ = course("cgp", np.zeros(1), 1, rate=1.0, fun=fun)
    assert found[0] == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("name", ["cgf", "cgp"])
def test_conjugate_gradients_end_at_the_minimum(name):
    squares = (lambda w: ((w - 1) ** 2).sum(), lambda w: 2 * (w - 1))
    found, _ = course(name, np.zeros(3), 4, fun=squares)
    np.testing.assert_allclose(found[-1], 1, atol=1e-7)
    net = Regressor(hidden=(), algorithm=name, random_state=0, engine="torch").fit(X, Y)
    rows = np.c_[X, np.ones(30)].astype(float)
    np.testing.assert_allclose(net.weights_, np.linalg.lstsq(rows, Y.astype(float))[0], atol=1e-6)
    assert net.n_iter_ < 60  # it stops by itself


def test_levenberg_marquardt_step_by_step():
    def residuals(w):
        return np.array([10 * (w[1] - w[0] ** 2), 1 - w[0], 10 * (w[3] - w[2] ** 2), 1 - w[2]])

    def f(w):
        return (residuals(w) ** 2).sum()

    def jac(w):
        return differences(residuals, w).T

    w, mu, expected, grew = HILLS, 0.001, [], 0
    for _ in range(12):
        while f(new := w - np.linalg.solve(2 * jac(w).T @ jac(w) + mu * np.eye(4), 2 * jac(w).T @ residuals(w))) >= f(
            w
        ):
            mu, grew = mu * 10, grew + 1
        w, mu = new, mu / 10
        expected.append(w)
    assert grew
    gradient = (f, lambda w: 2 * jac(w).T @ residuals(w))
    found, _ = course("lm", HILLS, 12, fun=gradient, curvature=lambda w: 2 * jac(w).T @ jac(w))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@every_training_engine
def test_levenberg_marquardt_finds_what_scipy_finds(engine):
    net = Regressor(hidden=(3,), algorithm="lm", epochs=100, random_state=0, engine=engine).fit(X, Y)

    def residuals(w):
        a, b = w[:9].reshape(3, 3), w[12:15]
        return np.tanh(X.astype(float) @ a + b) @ w[9:12] + w[15] - Y

    found = least_squares(residuals, net.weights_, method="lm", xtol=1e-12, ftol=1e-12)
    assert net.loss_ == pytest.approx((found.fun**2).mean(), rel=1e-5)
    assert net.loss_ == pytest.approx((residuals(net.weights_) ** 2).mean(), rel=1e-9)
    assert (np.diff(net.loss_curve_) <= 0).all() and net.n_iter_ < 100  # it stops by itself


@pytest.mark.parametrize("name, scipys", [("bfgs", "BFGS"), ("lbfgs", "L-BFGS-B"), ("ncg", "Newton-CG")])
def test_scipys_algorithms(name, scipys):
    net = Regressor(hidden=(2,), algorithm=name, epochs=6, random_state=1, engine="torch").fit(X, Y)
    begun = Regressor(hidden=(2,), random_state=1, algorithm="gd", learning_rate=1e-30, epochs=1, engine="torch").fit(
        X, Y
    )

    def error(w):
        w = torch.tensor(w, requires_grad=True)
        x, y = torch.tensor(X).double(), torch.tensor(Y).double()
        f = ((torch.tanh(x @ w[:6].reshape(3, 2) + w[8:10]) @ w[6:8] + w[10] - y) ** 2).mean()
        f.backward()
        return f.item(), w.grad.numpy()

    expected = minimize(error, begun.weights_, jac=True, method=scipys, options={"maxiter": 6})
    np.testing.assert_allclose(net.weights_, expected.x, rtol=1e-4, atol=1e-6)
    assert net.n_iter_ == 6 and net.loss_ == pytest.approx(expected.fun, rel=1e-6)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_mini_batches_of_all_rows_are_steps_of_the_librarys_optimizers(name):
    from neuroloom import optimizers

    net = Regressor(hidden=(), algorithm=name, batch_size=100, epochs=5, random_state=1, engine="torch").fit(X, Y)
    start = Regressor(hidden=(), random_state=1, algorithm="gd", learning_rate=1e-30, epochs=1, engine="torch").fit(
        X, Y
    )
    w, rows, optimizer = start.weights_, np.c_[X, np.ones(30)].astype(float), optimizers.get(name)
    slots = optimizer.init(w)
    for step in range(5):
        w, slots = optimizer.update(w, 2 * rows.T @ (rows @ w - Y) / 30, slots, optimizer.learning_rate, step)
    np.testing.assert_allclose(net.weights_, w, rtol=1e-6)


def test_mini_batches_see_each_row_once_an_epoch():
    """With a rate near 0 the mean over the batches, the last of them shorter, is the error of all rows."""
    net = Regressor(algorithm="sgd", learning_rate=1e-12, batch_size=7, epochs=3, random_state=1, engine="jax").fit(
        X, Y
    )
    error = ((net.predict(X) - Y) ** 2).mean()
    np.testing.assert_allclose(net.loss_curve_, error, rtol=1e-7)
    weight = RNG.uniform(0, 2, 30)
    net.fit(X, Y, weight)
    np.testing.assert_allclose(
        net.loss_curve_.mean(), (weight * (net.predict(X) - Y) ** 2).sum() / weight.sum(), rtol=0.1
    )


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "lm"])
def test_every_algorithm_solves_xor(name):
    rate = {"gd": 1.0, "gdm": 0.3, "sgd": 1.0, "quickprop": 0.5}.get(name, 0.1 if name in algorithms.BATCHES else None)
    net = Classifier(
        hidden=(6,), algorithm=name, learning_rate=rate, epochs=300, goal=0.1, random_state=3, engine="torch"
    )
    net.fit(*XOR)
    assert net.score(*XOR) == 1.0 and net.loss_ <= 0.1 < net.loss_curve_[-2] and net.n_iter_ < 300
    np.testing.assert_allclose(-np.log(net.predict_proba(XOR[0])[range(4), XOR[1]]).mean(), net.loss_, rtol=0.2)


@pytest.mark.parametrize("labels", [LABELS, LABELS > 0])
def test_without_hidden_layers_it_is_logistic_regression(labels):
    net = Classifier(hidden=(), algorithm="lbfgs", l2=0.02, epochs=300, random_state=0, engine="torch").fit(X, labels)
    other = LogisticRegression(C=1 / (0.02 * 30), tol=1e-9, max_iter=1000).fit(X.astype(float), labels)
    np.testing.assert_allclose(net.predict_proba(X), other.predict_proba(X.astype(float)), atol=1e-5)
    if labels.dtype == bool:
        np.testing.assert_allclose(net.coefs_[0].T, other.coef_, atol=1e-4)


# -------------------------------------------------------------------------------------------------- the training


def test_goal_and_show(capsys):
    settings = {"hidden": (5,), "random_state": 2, "engine": "torch"}
    whole = Regressor(**settings, epochs=60).fit(X, Y)
    goal = float(whole.loss_curve_[24])
    early = Regressor(**settings, epochs=60, goal=goal).fit(X, Y)
    assert early.n_iter_ == 1 + np.argmax(whole.loss_curve_ <= goal) < 60
    assert not capsys.readouterr().out
    shown = Regressor(**settings, epochs=60, show=25).fit(X, Y)
    np.testing.assert_allclose(shown.weights_, whole.weights_, rtol=1e-9)
    batches = {**settings, "algorithm": "adam", "batch_size": 10, "epochs": 3}
    np.testing.assert_allclose(
        Regressor(**batches, show=3).fit(X, Y).weights_, Regressor(**batches, show=1).fit(X, Y).weights_, rtol=1e-7
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "epoch 25",
        "epoch 50",
        "epoch 60",
        *(f"epoch {i}" for i in (3, 1, 2, 3)),
    ]
    assert lines[0] == f"epoch 25: loss {whole.loss_curve_[24]:.6g}"
    Regressor(**settings, algorithm="bfgs", epochs=10, show=5).fit(X, Y)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 5", "epoch 10"]


@every_training_engine
@pytest.mark.parametrize("name", ["gdx", "rprop", "irprop+", "cgp", "adam"])
def test_partial_fit_goes_on_as_fit_would(name, engine):
    settings = {"algorithm": name, "random_state": 2, "engine": engine, "batch_size": 8}
    whole = Regressor(epochs=4, **settings).fit(X, Y)
    parts = Regressor(epochs=1, **settings).fit(X, Y)
    for _ in range(3):
        parts.partial_fit(X, Y)
    np.testing.assert_allclose(parts.weights_, whole.weights_, rtol=1e-7)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-9)
    assert parts.n_iter_ == 4 and not hasattr(Regressor(algorithm="bfgs"), "partial_fit")


@pytest.mark.parametrize("name", ["rprop", "cgp"])
def test_weights_of_classes_and_rows_are_rows_given_again(name):
    settings = {"algorithm": name, "epochs": 8, "random_state": 0, "engine": "torch"}
    times = np.array([2, 1, 3])[LABELS]
    again = Classifier(**settings).fit(np.repeat(X, times, axis=0), np.repeat(LABELS, times)).predict_proba(X)
    by_class = Classifier(class_weight={0: 2, 1: 1, 2: 3}, **settings).fit(X, LABELS).predict_proba(X)
    np.testing.assert_allclose(by_class, again, atol=1e-9)
    by_row = Classifier(**settings).fit(X, LABELS, times).predict_proba(X)
    np.testing.assert_allclose(by_row, again, atol=1e-9)
    far, none = np.vstack([X, [[1e3, -1e3, 1e3]]]), np.append(times, 0)
    without = Classifier(**settings).fit(far, np.append(LABELS, 0), none).predict_proba(X)
    np.testing.assert_allclose(without, again, atol=1e-9)
    share = np.bincount(LABELS, weights=30 / (3 * np.bincount(LABELS)[LABELS]))
    np.testing.assert_allclose(share, 10)
    balanced = Classifier(class_weight="balanced", **settings).fit(X, LABELS).predict_proba(X)
    factors = dict(enumerate(1 / np.bincount(LABELS)))
    other = Classifier(class_weight=factors, **settings).fit(X, LABELS).predict_proba(X)
    np.testing.assert_allclose(balanced, other, atol=1e-9)


@pytest.mark.parametrize("name", ["rprop", "lbfgs", "adam"])
def test_early_stopping_keeps_the_best_weights(name):
    rate = 0.05 if name == "adam" else None
    net = Regressor(hidden=(20,), algorithm=name, learning_rate=rate, early_stopping=True, validation_fraction=0.3,
                    patience=15, epochs=1000, l2=1e-6, random_state=1, engine="torch").fit(X, Y)  # fmt: skip
    held = net._generator("validation").permutation(30)[:9]
    error = ((net.predict(X[held]) - Y[held]) ** 2).mean()
    assert error == pytest.approx(net.validation_curve_.min(), rel=1e-7)
    assert net.n_iter_ == len(net.validation_curve_) == net.validation_curve_.argmin() + 16 < 1000
    rest = np.setdiff1d(np.arange(30), held)
    assert net.validation_curve_[-1] > error and ((net.predict(X[rest]) - Y[rest]) ** 2).mean() > net.loss_


def dropped(engine, x, key, rate):
    return rules.dropping(key, rate)(x, 1), rules.dropping(key, rate)(x, 2)


@every_training_engine
def test_dropout(engine):
    one, two = answer(engine, dropped, np.ones((400, 5)), np.array([3, 4], np.int32), 0.25)
    assert set(np.unique(one.round(6))) == {0.0, round(1 / 0.75, 6)} and abs(one.mean() - 1) < 0.05
    assert (one != two).any()
    without, low = (
        Regressor(algorithm="gd", dropout=d, epochs=3, random_state=0, engine=engine).fit(X, Y) for d in (0.0, 0.5)
    )
    assert abs(without.weights_ - low.weights_).max() > 1e-3
    for settings in ({"algorithm": "gd"}, {"algorithm": "sgd", "batch_size": 30}):
        still = Regressor(learning_rate=1e-30, dropout=0.5, epochs=4, random_state=0, engine=engine, **settings)
        assert len(np.unique(still.fit(X, Y).loss_curve_.round(9))) == 4  # other units are left out in each epoch
    settings = {"dropout": 0.5, "batch_size": 10, "epochs": 5, "random_state": 0, "engine": engine}
    learned = Regressor(algorithm="adam", **settings).fit(X, Y)
    np.testing.assert_array_equal(learned.predict(X), learned.predict(X))


def test_sums_of_squares():
    settings = {"hidden": (4,), "epochs": 20, "random_state": 0, "engine": "torch"}
    both = np.stack([Y, 2 - Y], axis=1)
    mean, whole = (Regressor(loss=loss, **settings).fit(X, both) for loss in ("mse", "sse"))
    np.testing.assert_allclose(whole.loss_curve_, 60 * mean.loss_curve_, rtol=1e-9)  # Rprop asks for signs only
    assert whole.loss_ == pytest.approx(((whole.predict(X) - both) ** 2).sum(), rel=1e-9)


# ---------------------------------------------------------------------------------------------------- connections


def test_connections_and_masks():
    net = Regressor(hidden=(4, 5), activation=["tanh", "sigmoid"], connections=SKIPS, epochs=10, random_state=0,
                    engine="jax").fit(X, Y)  # fmt: skip
    assert [k.shape for k in net.coefs_] == [(3, 4), (4, 5), (3, 5), (5, 1), (4, 1), (3, 1)]
    assert not net.coefs_[0][MASK == 0].any() and net.coefs_[0][MASK == 1].all()
    expected = network(net.coefs_, net.intercepts_, X.astype(float))[:, 0]
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-9)
    same = Regressor(connections=[(0, 1), (1, 2)], epochs=3, random_state=0, engine="jax").fit(X, Y)
    plain = Regressor(epochs=3, random_state=0, engine="jax").fit(X, Y)
    np.testing.assert_array_equal(same.weights_, plain.weights_)


def test_partial_connections_keep_apart_what_is_not_connected():
    halves = [(0, 1, [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]), (1, 2, [[1, 0], [1, 0], [0, 1], [0, 1]])]
    net = Regressor(hidden=(4,), connections=halves, algorithm="lm", epochs=10, random_state=0, engine="torch")
    net.fit(X, np.stack([Y, -Y], axis=1))
    moved = X + [0, 0, 5]
    first, second = (net.predict(moved) - net.predict(X)).T
    assert not first.any() and abs(second).max() > 0.1


@pytest.mark.parametrize(
    "error, text, settings",
    [
        (ConfigurationError, r"0 <= from < to <= 2, received \(1, 1\)", {"connections": [(0, 1), (1, 1), (1, 2)]}),
        (ConfigurationError, r"received \(0, 1\) twice", {"connections": [(0, 1), (0, 1), (1, 2)]}),
        (ConfigurationError, "layer 1 does not", {"connections": [(0, 2)]}),
        (ShapeError, r"mask of shape \(3, 8\) for \(0, 1\)", {"connections": [(0, 1, [[1, 0]]), (1, 2)]}),
        (ConfigurationError, "connections to be a list of", {"connections": "full"}),
        (ConfigurationError, "connections to be a list of", {"connections": [(0, 1, [[2.0]])]}),
        (ConfigurationError, "one activation or 1, one per hidden layer, received 2", {"activation": ["tanh", "relu"]}),
        (ConfigurationError, "Did you mean 'tanh'", {"activation": "tahn"}),
        (ConfigurationError, "dropout=0 with algorithm='rprop'", {"dropout": 0.5}),
        (ConfigurationError, "algorithm to be 'gd' or", {"algorithm": "newton"}),
        (ConfigurationError, "validation_fraction above 0", {"early_stopping": True, "validation_fraction": 0.0}),
        (ConfigurationError, "Unknown initializer", {"init": "nguyen"}),
        (NonFiniteError, "after epoch .* smaller learning_rate", {"algorithm": "gd", "learning_rate": 1e9}),
    ],
)
def test_wrong_settings(error, text, settings):
    with pytest.raises(error, match=text):
        Regressor(engine="torch", random_state=0, **settings).fit(X, Y)


def test_wrong_calls():
    with pytest.raises(ConfigurationError, match="cannot be trained by algorithm='lm'"):
        Classifier(algorithm="lm", engine="torch").fit(X, LABELS)
    with pytest.raises(ConfigurationError, match='class_weight to be "balanced" or a dict'):
        Classifier(class_weight="equal", engine="torch").fit(X, LABELS)
    with pytest.raises(DataError, match="expected weights of examples above 0"):
        Classifier(class_weight={0: 0, 1: 0, 2: 0}, engine="torch").fit(X, LABELS)
    with pytest.raises(DataError, match="expected 1 outputs, received 2"):
        Regressor(engine="torch", epochs=1).fit(X, Y).partial_fit(X, np.stack([Y, Y], axis=1))


def test_library_initializers():
    net = Regressor(hidden=(4,), init="ones", algorithm="gd", learning_rate=1e-30, epochs=1, engine="torch").fit(X, Y)
    assert (net.coefs_[0] == 1).all() and (net.coefs_[1] == 1).all() and abs(np.hstack(net.intercepts_)).max() < 1e-20


# ------------------------------------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    "settings", [{"algorithm": "rprop", "epochs": 60}, {"algorithm": "adam", "learning_rate": 0.005, "epochs": 25}]
)
def test_digits(settings):
    x, x_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0, test_size=0.3)
    net = Classifier(hidden=(40,), l2=1e-4, random_state=0, engine="jax", **settings).fit(x / 16, y)
    assert net.score(x_test / 16, y_test) >= 0.95


def test_diabetes_as_well_as_scikit_learn():
    x, y = load_diabetes(return_X_y=True)
    folds = KFold(4, shuffle=True, random_state=0)

    def score(net):
        pipe = make_pipeline(StandardScaler(), TransformedTargetRegressor(net, transformer=StandardScaler()))
        return cross_val_score(pipe, x, y, cv=folds).mean()

    theirs = score(
        MLPRegressor(
            hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", alpha=10.0, max_iter=200, random_state=0
        )
    )
    ours = score(Regressor(hidden=(8,), algorithm="lbfgs", l2=10 / 331, epochs=200, random_state=0, engine="jax"))
    assert ours > theirs - 0.02 > 0.4
