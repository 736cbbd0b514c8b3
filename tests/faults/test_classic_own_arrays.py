"""What a network keeps is its own: changing the arrays that were given, or the answers, changes nothing in it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

sys.path.insert(0, str(Path(__file__).parents[1] / "networks"))
from network_rows import ROWS

import neuroloom as nl

METHODS = ("predict", "predict_proba", "decision_function", "transform")
ONE_EACH = list({type(row.network): row for row in reversed(ROWS)}.values())

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* beyond the capacity of .*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* expected values from 0 to 1, .*:UserWarning"),
]


def answers(network, X):
    return {name: getattr(network, name)(X).copy() for name in METHODS if hasattr(network, name)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", ONE_EACH, ids=lambda row: type(row.network).__name__)
def test_a_network_keeps_nothing_of_the_users_memory(row, dtype):
    """Fault 39: HammingMemory, ModernHopfield, GRNN, PNN and HopfieldTank kept the user's array."""
    network = clone(row.network).set_params(engine=row.checks)
    X, *y = (np.array(part, dtype) if np.asarray(part).dtype.kind == "f" else np.array(part) for part in row.data())
    network.fit(X, *y)
    kept = [value for value in vars(network).values() if isinstance(value, np.ndarray)]
    assert not any(np.shares_memory(value, given) for value in kept for given in (X, *y))
    asked = X.copy()
    before = answers(network, asked)
    X[:] = 0
    for part in y:
        part[:] = part[0]
    for given in answers(network, asked).values():
        given[...] = given[:1]  # what goes out is the user's
    for name, values in answers(network, asked).items():
        np.testing.assert_array_equal(values, before[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_of_a_hamming_memory_are_its_own(dtype):
    """Fault 39: the rows of y, too; in `partial_fit` as in `fit`."""
    X, y = np.array([[1, 1, -1], [-1, 1, 1]], dtype), np.array([[1.0, 2.0], [3.0, 4.0]])
    for fit in ("fit", "partial_fit"):
        net = getattr(nl.networks.HammingMemory(), fit)(X, y)
        y[:] = 0
        np.testing.assert_array_equal(net.predict(X), [[1, 2], [3, 4]])
        y[:] = [[1, 2], [3, 4]]


@pytest.mark.parametrize("cls", [nl.networks.ModernHopfield, nl.networks.PNN, nl.networks.GRNN])
def test_patterns_added_later_are_its_own(cls):
    """Fault 39: so in `partial_fit`."""
    X, y = np.eye(3), np.array([0, 1, 1])
    net = cls().partial_fit(X, y) if cls is not nl.networks.PNN else cls().partial_fit(X, y, classes=[0, 1])
    net.partial_fit(X, y)
    X[:] = 7
    np.testing.assert_array_equal(net.patterns_, np.vstack([np.eye(3)] * 2))
