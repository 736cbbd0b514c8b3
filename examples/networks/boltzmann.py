"""Boltzmann machines on the digits that scikit-learn brings along."""

import itertools

import numpy as np
from sklearn.datasets import load_digits

from neuroloom import plots
from neuroloom.networks import BoltzmannMachine


def _digits():
    """500 binary digits to learn, and 300 others, with their labels."""
    X, y = load_digits(return_X_y=True)
    X = (X > 7).astype(float)
    return X[:500], X[500:800], y[500:800]


def _left(X):
    """The pictures with their right half missing."""
    given = X.reshape(-1, 8, 8).copy()
    given[:, :, 4:] = np.nan
    return given.reshape(-1, 64)


def boltzmann_machine():
    """The missing half of digits that it has never seen: frequencies of states that settle beside the left half."""
    X, others, y = _digits()
    net = BoltzmannMachine(n_hidden=20, learning_rate=0.1, epochs=200, random_state=0).fit(X)
    given = _left(others)
    missing = np.isnan(given)
    found = net.complete(given, chains=30)
    for name, guess in (("the mean digit", np.where(missing, X.mean(axis=0), given)), ("the machine", found)):
        print(f"missing pixels that {name} gets right: {((guess > 0.5) == others)[missing].mean():.1%}")
    units = [["v₁", "v₂", "v₃"], ["h₁", "h₂"]]
    pairs = list(itertools.permutations([*units[0], *units[1]], 2))
    some = [int(np.flatnonzero(y == d)[0]) for d in range(10)]
    shown = np.where(missing, 0.5, given)
    parts, title = (others[some], shown[some], found[some]), "BoltzmannMachine: the right half is missing"
    pictures = plots.recalls(*parts, (8, 8), title, nearest=True)
    return plots.unit_diagram(units, pairs), pictures
