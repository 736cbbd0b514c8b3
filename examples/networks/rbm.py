"""Restricted Boltzmann machines on the digits that scikit-learn brings along."""

import numpy as np
from scipy.ndimage import shift
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuroloom import plots
from neuroloom.networks import BernoulliRBM, GaussianRBM

_LAYERS = [["v₁", "v₂", "v₃", "…", "v₆₄"], ["h₁", "h₂", "…", "h₁₀₀"]]
_PAIRS = [pair for v in ("v₁", "v₂", "v₃", "v₆₄") for h in ("h₁", "h₂", "h₁₀₀") for pair in ((v, h), (h, v))]


def _nudged():
    """scikit-learn's setting: the digits and the same shifted by a pixel in four directions, a fifth for testing."""
    X, y = load_digits(return_X_y=True)
    images = X.reshape(-1, 8, 8) / 16
    moves = [(0, 0), (0, -1), (-1, 0), (0, 1), (1, 0)]
    X = np.concatenate([shift(images, (0, *move), order=0).reshape(-1, 64) for move in moves])
    return train_test_split(X, np.tile(y, 5), test_size=0.2, random_state=0)


def bernoulli_rbm():
    """Its features let a linear classifier tell digits apart, and annealing measures how well it models them."""
    X, X_test, y, y_test = _nudged()
    rbm = BernoulliRBM(n_components=100, learning_rate=0.06, epochs=10, random_state=0)
    on_features = make_pipeline(rbm, LogisticRegression(solver="newton-cg", C=6000)).fit(X, y)
    on_pixels = LogisticRegression(solver="newton-cg", C=100).fit(X, y)
    score, plain = on_features.score(X_test, y_test), on_pixels.score(X_test, y_test)
    print(f"logistic regression: {plain:.3f} on pixels, {score:.3f} on features ({score - plain:+.3f})")
    log_z, low, high = rbm.ais(chains=100, steps=2000)
    print(f"log-likelihood of a test digit: {rbm.log_likelihood(X_test, log_z).mean():.1f} nats", end=" ")
    print(f"(ln Z {log_z:.1f}, from {low:.1f} to {high:.1f})")
    print("negative log pseudo-likelihood after each pass:", *rbm.loss_curve_.round(1))
    diagram = plots.unit_diagram(_LAYERS, _PAIRS)
    return diagram, plots.receptive_fields(rbm.components_, (8, 8), "What 100 hidden units look for")


def gaussian_rbm():
    """Grey digits with noise on every pixel become clearer, though none of them was seen in training."""
    X, y = load_digits(return_X_y=True)
    scaler = StandardScaler().fit(X[:1500])
    train, test = scaler.transform(X[:1500]), scaler.transform(X[1500:])
    net = GaussianRBM(n_components=200, epochs=60, momentum=0.5, random_state=0).fit(train)
    noisy = test + np.random.default_rng(0).normal(size=test.shape)
    found = net.reconstruct(noisy)
    print(f"mean squared distance to the clean digits: {((noisy - test) ** 2).mean():.2f} with noise, ", end="")
    print(f"{((found - test) ** 2).mean():.2f} reconstructed")
    some = [int(np.flatnonzero(y[1500:] == d)[0]) for d in range(10)]
    pictures = [np.clip(scaler.inverse_transform(part[some]), 0, 16) for part in (test, noisy, found)]
    diagram = plots.unit_diagram(_LAYERS, _PAIRS)
    return diagram, plots.recalls(*pictures, (8, 8), "GaussianRBM: clean, with noise, reconstructed", nearest=True)
