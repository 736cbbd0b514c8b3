"""Neural gas and growing neural gas: slow loops, graphs that take the shape of the data."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_circles

from neuroloom.errors import ConfigurationError
from neuroloom.networks import GrowingNeuralGas, NeuralGas
from neuroloom.networks.base import run
from neuroloom.networks.competitive.gas import diffuse, joined, parts
from neuroloom.networks.competitive.layer_rules import start
from neuroloom.ops import draws

ENGINES = ("numpy", "jax", "torch")


@pytest.mark.parametrize("engine", ENGINES)
def test_one_step_of_neural_gas_by_hand(engine):
    w, curve = run(
        engine, diffuse, np.array([[2.0]]), np.array([[7.0], [1.0], [4.0]]), np.array([0.5, 0.1]),
        np.array([2.0, 0.1]), draws.key(0), 0, np.zeros(1), 10.0,
    )  # fmt: skip
    expected = [7 - 0.5 * np.exp(-1) * 5, 1.5, 4 - 0.5 * np.exp(-0.5) * 2]  # ranks 2, 0, 1
    np.testing.assert_allclose(w[:, 0], expected, rtol=1e-6)
    assert curve == 1


def test_neural_gas_is_a_slow_loop():
    X = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
    gas = NeuralGas(n_units=6, learning_rate=(0.6, 0.02), range=(3.0, 0.1), epochs=4, random_state=3, engine="numpy")
    w = start(X, 6, "sample", gas.fit(X)._generator("weights")).astype(float)
    for epoch in range(4):
        for i, row in enumerate(draws.permutation(draws.fold_in(draws.key(3, "order"), epoch), 25)):
            t = (epoch + i / 25) / 4
            rate, reach = 0.6 * (0.02 / 0.6) ** t, 3 * (0.1 / 3) ** t
            for rank, j in enumerate(np.linalg.norm(X[row] - w, axis=1).argsort()):
                w[j] += rate * np.exp(-rank / reach) * (X[row] - w[j])
    np.testing.assert_allclose(gas.weights_, w, rtol=1e-4, atol=1e-5)


def test_units_nearest_and_second_to_a_row_are_joined():
    distances = np.array([[1.0, 2, 3, 9], [3, 2, 1, 9], [2, 1, 5, 9]])
    assert joined(distances).tolist() == [[0, 1], [1, 2]]
    assert parts(joined(distances), 4).tolist() == [0, 0, 0, 1]
    assert joined(np.ones((3, 1))).shape == (0, 2)


def test_neural_gas_is_as_good_as_the_best_of_ten_k_means():
    X = load_iris().data
    best = KMeans(12, n_init=10, random_state=0).fit(X).inertia_
    found = [np.square(NeuralGas(n_units=12, epochs=60, random_state=s).fit(X).transform(X).min(axis=1)).sum()
             for s in range(3)]  # fmt: skip
    assert max(found) < 1.04 * best


def slow_growing(X, gas, key, epochs):
    """Fritzke's algorithm with lists and a dictionary of edges, in float64."""
    w = list(start(X, 2, "sample", gas._generator("weights")).astype(float))
    error, age, seen = [0.0, 0.0], {}, 0
    for epoch in range(epochs):
        for row in draws.permutation(draws.fold_in(key, epoch), len(X)):
            x = X[row].astype(float)
            s, u = np.argsort([np.sum((x - v) ** 2) for v in w])[:2]
            error[s] += np.sum((x - w[s]) ** 2)
            near = [e for e in age if s in e]
            w[s] = w[s] + gas.learning_rate * (x - w[s])
            for e in near:
                age[e] += 1
                (n,) = e - {s}
                w[n] = w[n] + gas.neighbor_rate * (x - w[n])
            age[frozenset((s, u))] = 0
            age = {e: a for e, a in age.items() if a <= gas.max_age}
            kept = [i for i in range(len(w)) if any(i in e for e in age)]
            w, error = [w[i] for i in kept], [error[i] for i in kept]
            age = {frozenset(kept.index(i) for i in e): a for e, a in age.items()}
            seen += 1
            if seen % gas.insert_every == 0 and len(w) < gas.max_units:
                q = int(np.argmax(error))
                f = max((j for e in age if q in e for j in e - {q}), key=lambda j: error[j])
                error[q] *= gas.error_split
                error[f] *= gas.error_split
                w.append((w[q] + w[f]) / 2)
                error.append(error[q])
                del age[frozenset((q, f))]
                age[frozenset((q, len(w) - 1))] = age[frozenset((f, len(w) - 1))] = 0
            error = [e * gas.error_decay for e in error]
    return np.array(w), age, np.array(error)


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_growing_neural_gas_is_a_slow_loop(engine):
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 9]).astype(np.float32)
    gas = GrowingNeuralGas(
        max_units=12, insert_every=15, max_age=6.0, error_decay=0.98, neighbor_rate=0.02, epochs=4, random_state=0,
        engine=engine,
    ).fit(X)  # fmt: skip
    w, age, error = slow_growing(X, gas, draws.key(0, "order"), 4)
    assert len(w) == len(gas.weights_) > 8
    match = np.linalg.norm(gas.weights_[:, None] - w, axis=2).argmin(axis=1)  # places are used again
    assert sorted(match) == list(range(len(w)))
    np.testing.assert_allclose(gas.weights_, w[match], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(gas.errors_, error[match], rtol=1e-2)
    assert {frozenset(match[edge]) for edge in gas.edges_} == set(age)
    assert all(gas.ages_[i, j] == age[frozenset((match[i], match[j]))] for i, j in gas.edges_)
    assert (gas.ages_ == gas.ages_.T).all() and gas.clusters_.max() == 1


def test_growing_neural_gas_follows_two_rings():
    X, y = make_circles(600, factor=0.3, noise=0.02, random_state=0)
    gas = GrowingNeuralGas(max_units=40, epochs=15, random_state=0).fit(X)
    assert len(gas.weights_) == 40 and gas.clusters_.max() == 1
    assert (
        np.unique(gas.clusters_[gas.predict(X)][y == 0]).size
        == np.unique(gas.clusters_[gas.predict(X)][y == 1]).size
        == 1
    )
    radius = np.linalg.norm(gas.weights_, axis=1)
    assert ((abs(radius - 1) < 0.12) | (abs(radius - 0.3) < 0.1)).all()
    assert gas.n_inputs_ == 9000 and gas.loss_curve_[-1] < gas.loss_curve_[0] / 2


@pytest.mark.parametrize("Gas", [NeuralGas, GrowingNeuralGas])
def test_parts_make_a_whole(Gas):
    X = np.random.default_rng(2).normal(size=(50, 3))
    few = {"insert_every": 20} if Gas is GrowingNeuralGas else {}
    whole, again = (Gas(epochs=3, random_state=1, engine="numpy", **few) for _ in range(2))
    whole.fit(X)
    for _ in range(3):
        again.partial_fit(X)
    np.testing.assert_allclose(whole.weights_, again.weights_, rtol=1e-5, atol=1e-6)
    assert whole.edges_.tolist() == again.edges_.tolist() and again.n_iter_ == 3


@pytest.mark.parametrize("seed", range(3))
def test_setosas_are_a_part_of_their_own(seed):
    X, y = load_iris(return_X_y=True)
    gas = GrowingNeuralGas(max_units=20, max_age=20.0, epochs=40, random_state=seed).fit(X[:, 2:])
    found = gas.clusters_[gas.predict(X[:, 2:])]
    assert len(set(found[y == 0])) == 1 and found[y == 0][0] not in found[y > 0]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (NeuralGas(n_units=0), "expected n_units to be a positive whole number"),
        (NeuralGas(range=(0, 1)), "expected range to be a positive number, or a tuple of two"),
        (GrowingNeuralGas(max_units=1), "expected max_units to be a whole number of at least 2"),
        (GrowingNeuralGas(error_decay=1.1), "expected error_decay to be a number from 0 to 1"),
        (GrowingNeuralGas(insert_every=0), "expected insert_every to be a positive whole number"),
    ],
)
def test_wrong_parameters(network, text):
    with pytest.raises(ConfigurationError, match=text):
        network.fit(np.eye(4))
