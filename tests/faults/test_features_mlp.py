"""Multilayer perceptrons: features and targets of any unit, and errors and outputs of more kinds."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from neuroloom import losses, ops
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.networks import MultilayerPerceptronClassifier as Classifier
from neuroloom.networks import MultilayerPerceptronRegressor as Regressor
from neuroloom.networks import load

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3)) * [1.0, 100.0, 1e-3] + [0.0, 5e4, 7.0]
Y = X @ [1.0, 0.02, 300.0] + 0.1 * RNG.normal(size=40)
LABELS = np.digitize(RNG.normal(size=40) + (X[:, 0] > 0), [0.0, 1.0])

every_training_engine = pytest.mark.parametrize("engine", ["jax", "torch"])


# ------------------------------------------------------------------------------------------------------------ scales


def test_raw_wine_needs_no_scaling_by_hand():
    """Fault 34: the default scored 0.40 on raw wine, whose features differ a thousandfold."""
    x, y = load_wine(return_X_y=True)
    assert cross_val_score(Classifier(random_state=0), x, y, cv=5).mean() > 0.96
    assert cross_val_score(Classifier(random_state=0, scale=False), x, y, cv=5).mean() < 0.6


def test_raw_targets_need_no_scaling_by_hand():
    """Fault 34: targets of 25 to 346."""
    x, y = load_diabetes(return_X_y=True)
    score = cross_val_score(Regressor(hidden=(3,), l2=0.03, epochs=100, random_state=0), x, y, cv=4).mean()
    assert score > 0.4 > cross_val_score(LinearRegression(), x, y, cv=4).mean() - 0.15


@every_training_engine
@pytest.mark.parametrize("name", ["rprop", "lbfgs", "adam"])
def test_the_scales_are_those_of_a_standard_scaler(engine, name):
    """Fault 34: what is done inside is what could be done outside, and can be seen."""
    weight = RNG.integers(0, 3, 40)
    scaler, target = StandardScaler().fit(X, sample_weight=weight), StandardScaler()
    target.fit(Y[:, None], sample_weight=weight)
    settings = {"algorithm": name, "epochs": 5, "random_state": 0, "engine": engine}
    inside = Regressor(**settings).fit(X, Y, weight)
    np.testing.assert_allclose(inside.input_mean_, scaler.mean_)
    np.testing.assert_allclose(inside.input_scale_, scaler.scale_)
    np.testing.assert_allclose([inside.target_mean_, inside.target_scale_], [target.mean_, target.scale_])
    outside = Regressor(scale=False, **settings)
    outside.fit(scaler.transform(X), target.transform(Y[:, None])[:, 0], weight)
    assert not outside.input_mean_.any() and (outside.target_scale_ == 1).all()
    np.testing.assert_allclose(inside.loss_curve_, outside.loss_curve_, rtol=1e-5)
    found = outside.predict(scaler.transform(X)) * target.scale_ + target.mean_
    np.testing.assert_allclose(inside.predict(X), found, rtol=1e-6)


@pytest.mark.parametrize("unit, origin", [(1e-30, 0.0), (1.0, 1.7e9), (1e30, 1e31), (1e200, 0.0), (1e-200, 0.0)])
def test_no_unit_changes_what_is_learned(unit, origin):
    """Fault 34: the same data in other units, also where float32 has no room for them."""
    x = RNG.normal(size=(30, 2)).round(3)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    settings = {"epochs": 10, "random_state": 0, "engine": "torch"}
    plain, other = (Classifier(**settings).fit(z, y).predict_proba(z) for z in (x, x * unit + origin))
    np.testing.assert_allclose(other, plain, atol=1e-4)
    plain, other = (Regressor(**settings).fit(x, t).predict(x) for t in (x[:, 0], x[:, 0] * unit + origin))
    np.testing.assert_allclose((other - origin) / unit, plain, atol=1e-4)


def test_constants_held_out_rows_and_further_parts(tmp_path):
    """Fault 34: a constant column divides by 1; scales are of the rows that are learned from, and stay."""
    constant = np.hstack([X, np.full((40, 1), 0.1)])
    net = Regressor(epochs=2, early_stopping=True, random_state=0, engine="torch").fit(constant, Y)
    learned = net._generator("validation").permutation(40)[4:]
    np.testing.assert_allclose(net.input_scale_, [*X[learned].std(axis=0), 1.0])
    np.testing.assert_allclose(net.target_mean_, Y[learned].mean())
    before = net.input_mean_.copy(), net.target_scale_.copy()
    net.partial_fit(constant[:5] * 3, Y[:5])
    np.testing.assert_array_equal(net.input_mean_, before[0])
    np.testing.assert_array_equal(net.target_scale_, before[1])
    net.save(tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors").set_params(engine="torch")
    np.testing.assert_array_equal(again.predict(constant), net.predict(constant))


# -------------------------------------------------------------------------------------------------- errors, outputs


def mistake(y_true, y_pred):
    return ops.mean((y_pred - y_true) ** 4, axis=-1)


TARGETS = RNG.uniform(0.1, 0.9, (40, 2))
TARGETS /= TARGETS.sum(axis=1, keepdims=True)
LOSSES = {
    "mae": lambda t, p: (p - t).abs().mean(),
    "sae": lambda t, p: (p - t).abs().sum(),
    "sse": lambda t, p: ((p - t) ** 2).sum(),
    "binary_crossentropy": torch.nn.functional.binary_cross_entropy,
    "categorical_crossentropy": lambda t, p: -(t * p.log()).sum(dim=1).mean(),
    mistake: lambda t, p: ((p - t) ** 4).mean(),
}
FITTING = [
    *((loss, output) for loss in ("mae", "sae", "sse", mistake) for output in ("linear", "sigmoid", "tanh", "softmax")),
    ("binary_crossentropy", "sigmoid"),
    ("categorical_crossentropy", "softmax"),
]
OUTPUTS = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda z: torch.softmax(z, dim=1),
}


@every_training_engine
@pytest.mark.parametrize("loss, output", FITTING)
def test_errors_and_outputs_are_pytorchs(engine, loss, output):
    """Fault 35: there were no errors but mse and sse, and no outputs but linear ones."""
    settings = {"hidden": (4,), "random_state": 0, "engine": engine, "scale": False, "l2": 0.0}
    rate = 1e-3
    x = (X - X.mean(axis=0)) / X.std(axis=0)
    still = Regressor(algorithm="gd", epochs=1, learning_rate=1e-30, loss=loss, output_activation=output, **settings)
    moved = Regressor(algorithm="gd", epochs=1, learning_rate=rate, loss=loss, output_activation=output, **settings)
    start = still.fit(x, TARGETS)
    w = torch.tensor(start.weights_, requires_grad=True)
    hidden = torch.tanh(torch.tensor(x) @ w[:12].reshape(3, 4) + w[20:24])
    p = OUTPUTS[output](hidden @ w[12:20].reshape(4, 2) + w[24:])
    t = torch.tensor(TARGETS)
    error = LOSSES[loss](p, t) if loss == "binary_crossentropy" else LOSSES[loss](t, p)
    error.backward()
    assert start.loss_ == pytest.approx(error.item(), rel=1e-5)
    np.testing.assert_allclose(start.predict(x), p.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        moved.fit(x, TARGETS).weights_, start.weights_ - rate * w.grad.numpy(), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("loss", ["mse", "mae", "sse", "crossentropy", mistake])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_with_other_errors(loss, output, classes):
    """Fault 35: squared errors of class outputs, as the old toolboxes train them."""
    labels = np.minimum(LABELS, classes - 1)
    net = Classifier(loss=loss, output_activation=output, epochs=30, random_state=0, engine="torch").fit(X, labels)
    p = net.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert net.score(X, labels) > (0.7 if loss != "mae" else np.bincount(labels).max() / 40)
    if loss in ("mse", "sse") and (classes == 2 or output == "softmax"):
        wanted = np.eye(classes)[labels]
        outputs = slice(1, 2) if classes == 2 else slice(0, 3)
        squares = ((p - wanted)[:, outputs]) ** 2
        assert net.loss_ == pytest.approx(squares.mean() if loss == "mse" else squares.sum(), rel=1e-6)


def test_a_sigmoid_per_class_is_a_regression_per_class():
    """Fault 35: with cross-entropy the units of separate sigmoids are separate logistic regressions."""
    x = (X - X.mean(axis=0)) / X.std(axis=0)
    settings = {"hidden": (), "algorithm": "lbfgs", "l2": 0.02, "epochs": 300, "random_state": 0, "engine": "torch"}
    net = Classifier(output_activation="sigmoid", scale=False, **settings).fit(x, LABELS)
    other = LogisticRegression(C=1 / (3 * 0.02 * 40), tol=1e-10, max_iter=1000)
    each = np.stack([other.fit(x, c == LABELS).predict_proba(x)[:, 1] for c in range(3)], axis=1)
    np.testing.assert_allclose(net.predict_proba(x), each / each.sum(axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize(
    "error, text, settings, y",
    [
        (ConfigurationError, "output_activation='sigmoid' with loss BinaryC", {"loss": "binary_crossentropy"}, TARGETS),
        (ConfigurationError, "which is of classes", {"loss": "sparse_categorical_crossentropy"}, Y),
        (ConfigurationError, "which is of classes", {"loss": "crossentropy"}, Y),
        (ConfigurationError, "two or more outputs", {"output_activation": "softmax"}, TARGETS[:, 0]),
        (DataError, r"targets from 0 to 1 with output_activation='sigmoid'", {"output_activation": "sigmoid"}, Y),
        (DataError, r"targets from -1 to 1 with output_activation='tanh'", {"output_activation": "tanh"}, Y),
        (DataError, r"targets from 0 to inf with output_activation='relu'", {"output_activation": "relu"}, Y - 1e9),
        (ConfigurationError, "squared errors of linear", {"algorithm": "lm", "output_activation": "tanh"}, TARGETS),
        (ConfigurationError, "squared errors of linear", {"algorithm": "lm", "loss": "mae"}, Y),
        (ConfigurationError, "Did you mean 'mse'", {"loss": "msee"}, Y),
        (ShapeError, r"one number per row, \(40,\), received values of shape \(40, 2\)",
         {"loss": lambda y_true, y_pred: (y_pred - y_true) ** 2}, TARGETS),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(error, text, settings, y):
    """Fault 35: losses and outputs that do not go together, and targets that outputs cannot reach."""
    with pytest.raises(error, match=text):
        Regressor(engine="torch", random_state=0, **settings).fit(X, y)


def test_losses_as_objects_are_kept_in_files(tmp_path):
    """Fault 35: a loss may be an object, and a saved network keeps it."""
    loss = losses.BinaryCrossentropy(label_smoothing=0.1)
    net = Regressor(loss=loss, output_activation="sigmoid", epochs=3, random_state=0, engine="torch").fit(X, TARGETS)
    net.save(tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors").set_params(engine="torch")
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert again.loss.get_config() == loss.get_config()
