"""Simulated annealing and Hopfield and Tank's network against enumeration, formulas and the shortest tours."""

import itertools

import numpy as np
import pytest

from neuroloom import ops, plots
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import HopfieldTank, simulated_annealing, tour_lengths
from neuroloom.networks.base import run
from neuroloom.networks.boltzmann import annealing
from neuroloom.networks.memory import hopfield_tank
from neuroloom.ops import draws


def shortest(distances):
    """The length of the shortest closed tour (Held and Karp, 1962)."""
    n = len(distances)
    best = {(1 << j, j): distances[0][j] for j in range(1, n)}
    for size in range(2, n):
        for others in itertools.combinations(range(1, n), size):
            bits = sum(1 << j for j in others)
            for j in others:
                left = bits ^ (1 << j)
                best[bits, j] = min(best[left, i] + distances[i][j] for i in others if i != j)
    return min(best[(1 << n) - 2, j] + distances[j][0] for j in range(1, n))


def cities(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


def test_shortest_by_all_orders():
    d = hopfield_tank.pairwise(cities(6))
    every = [np.r_[0, order] for order in itertools.permutations(range(1, 6))]
    assert shortest(d) == pytest.approx(tour_lengths(np.array(every), d).min())


# ------------------------------------------------------------------------------------------------------- annealing


def ising(states, couplings):
    return -ops.sum((2 * states - 1) * ((2 * states - 1) @ couplings), axis=1) / 2


def test_the_lowest_of_all_states_is_found(rng, training_engine):
    w = rng.normal(size=(10, 10))
    w = np.triu(w, 1) + np.triu(w, 1).T
    every = np.array(list(itertools.product([0.0, 1.0], repeat=10)))
    energies = -np.einsum("si,ij,sj->s", 2 * every - 1, w, 2 * every - 1) / 2
    found = simulated_annealing(ising, np.zeros((4, 10)), w, hot=5, cold=0.1, steps=1500)
    assert found.energy == pytest.approx(energies.min(), rel=1e-5)
    assert ising(found.state[None], w)[0] == pytest.approx(found.energy, rel=1e-5)
    assert found.energies.shape == (1500, 4) and found.energies.min() == np.float32(found.energy)


def linear(states, weights):
    return states @ weights


def test_a_constant_temperature_samples_boltzmanns_distribution():
    weights = np.array([0.5, 1.0, -0.7])
    found = simulated_annealing(linear, np.zeros((3000, 3)), weights, hot=0.8, cold=0.8, steps=60, engine="jax")
    p = 1 / (1 + np.exp(weights / 0.8))  # independent units; mean energy Σ w p
    mean, error = p @ weights, np.sqrt((p * (1 - p)) @ weights**2 / 3000)
    assert found.energies[-1].mean() == pytest.approx(mean, abs=4 * error)


def test_uphill_steps_have_the_chance_of_metropolis():
    found = simulated_annealing(linear, np.zeros((20000, 1)), np.ones(1), hot=0.7, cold=0.7, steps=1, engine="jax")
    assert found.energies.mean() == pytest.approx(np.exp(-1 / 0.7), abs=0.012)
    assert found.energy == 0 and found.state.tolist() == [0]  # the best state, not the last


def test_the_best_state_is_kept_though_the_search_leaves_it():
    weights = np.array([-2.0, 1, 1, 1, 1, 1])
    found = simulated_annealing(linear, np.zeros(6), weights, hot=5, cold=5, steps=301, random_state=1)
    assert found.energy == found.energies.min() < found.energies[-1, 0]
    assert found.state @ weights == found.energy


def _neighbours(engine, states, key, *, moves):
    return annealing.neighbours(engine, states, key, moves)


@pytest.mark.parametrize("moves", annealing.MOVES)
def test_neighbours(moves, training_engine):
    start = np.array([0, 1, 1, 0, 1.0]) if moves == "flip" else np.array([3, 0, 4, 1, 2], np.int32)
    found = run(None, _neighbours, np.tile(start, (2000, 1)), draws.key(0, "n"), moves=moves)
    expected = set()
    for i, j in itertools.combinations_with_replacement(range(5), 2):
        other = start.copy()
        if moves == "flip":
            other[i] = 1 - other[i]
        elif moves == "swap":
            other[[i, j]] = other[[j, i]]
        else:
            other[i : j + 1] = other[i : j + 1][::-1]
        expected.add(tuple(other))
    assert {tuple(row) for row in found} == expected


def test_shortest_tours_are_found():
    for seed in range(3):
        d = hopfield_tank.pairwise(cities(9, seed))
        found = simulated_annealing(tour_lengths, np.tile(np.arange(9), (4, 1)), d, moves="reverse", steps=3000)
        assert found.energy == pytest.approx(shortest(d), rel=1e-5)
        assert sorted(found.state) == list(range(9))


def test_seeds_and_engines():
    d = hopfield_tank.pairwise(cities(8))
    args, keywords = (tour_lengths, np.arange(8), d), {"moves": "swap", "steps": 300}
    found = [simulated_annealing(*args, engine=e, **keywords) for e in ("numpy", "jax", "torch")]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].state, other.state)
        np.testing.assert_allclose(found[0].energies, other.energies, rtol=1e-5)
    again = simulated_annealing(*args, random_state=1, engine="jax", **keywords)
    assert (again.energies != found[1].energies).any()


@pytest.mark.parametrize(
    "error, message, keywords",
    [
        (ConfigurationError, "expected moves to be one of .* received 'jump'", {"moves": "jump"}),
        (ConfigurationError, "expected hot >= cold > 0, received 0.1 and 1", {"hot": 0.1, "cold": 1}),
        (ShapeError, r"expected states \(chains, n\), received \(1, 1, 3\)", {"start": np.zeros((1, 1, 3))}),
    ],
)
def test_wrong_arguments(error, message, keywords):
    with pytest.raises(error, match=message):
        simulated_annealing(linear, keywords.pop("start", np.zeros(3)), np.ones(3), **keywords)


# --------------------------------------------------------------------------------------------------- Hopfield-Tank


def energy_by_hand(v, d, a, b, c, d_, m, u0, tau):
    """The paper's sums, one term at a time."""
    n = len(v)
    total = c / 2 * (v.sum() - m) ** 2
    for x, i in itertools.product(range(n), repeat=2):
        total += a / 2 * sum(v[x, i] * v[x, j] for j in range(n) if j != i)
        total += b / 2 * sum(v[x, i] * v[y, i] for y in range(n) if y != x)
        total += d_ / 2 * sum(d[x, y] * v[x, i] * (v[y, (i + 1) % n] + v[y, i - 1]) for y in range(n))
    return total + u0 / (2 * tau) * (v * np.log(v) + (1 - v) * np.log(1 - v)).sum()


def _energy(engine, u, d, weights, m, u0, tau):
    v = hopfield_tank.activities(u, u0)
    return v, hopfield_tank.energy(u, v, d, weights, m, u0, tau), hopfield_tank.slopes(v, d, weights, m) + u / tau


def test_energy_and_its_slope(rng, training_engine):
    d, u = hopfield_tank.pairwise(cities(4)), 0.1 * rng.normal(size=(2, 4, 4))
    weights, rest = (3.0, 2.0, 5.0, 4.0), (4.5, 0.2, 1.5)
    v, found, slopes = run(None, _energy, u, d, weights, *rest)
    v = v.astype(float)
    np.testing.assert_allclose(found, [energy_by_hand(part, d, *weights, *rest) for part in v], rtol=1e-5)
    sides = []
    for step in (1e-5, -1e-5):
        other = v[0].copy()
        other[1, 2] += step
        sides.append(energy_by_hand(other, d, *weights, *rest))
    assert slopes[0, 1, 2] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4)


def test_energies_never_rise():
    for n in (10, 20):
        energies = HopfieldTank(starts=4, max_steps=2000, engine="jax", random_state=0).fit(cities(n)).energies_
        assert (np.diff(energies, axis=0) <= 1e-5 * energies.max()).all() and energies[-1].max() < energies[0].min()


def test_tours_are_read_by_assignment():
    v = np.array([[0.1, 0.9, 0.0], [0.8, 0.0, 0.1], [0.2, 0.6, 0.3]])
    assert hopfield_tank.read(v).tolist() == [1, 0, 2] and not hopfield_tank.is_tour(v)
    assert hopfield_tank.is_tour(v > [[0.5], [0.5], [0.25]]) is False and hopfield_tank.is_tour(np.eye(3)[[2, 0, 1]])


def test_ten_cities_are_toured_on_short_ways():
    excess = []
    for seed in range(4):
        X = 100 * cities(10, seed) + 7
        net = HopfieldTank(random_state=0, engine="jax").fit(X)
        best = shortest(hopfield_tank.pairwise(X))
        assert net.length_ == pytest.approx(
            np.linalg.norm(np.diff(X[np.r_[net.tour_, net.tour_[0]]], axis=0), axis=1).sum()
        )
        assert net.length_ == net.lengths_.min() >= best - 1e-6
        assert net.predict(X)[net.tour_].tolist() == list(range(10))
        excess.append(net.length_ / best)
    assert np.mean(excess) < 1.1


# --------------------------------------------------------------------------------------------------------- pictures


def test_tours_are_closed():
    axes = plots.tours([[0, 0], [1, 0], [0, 1]], [[2, 0, 1], [0, 1, 2]], ["a", "b"]).axes
    assert axes[0].lines[0].get_xydata().tolist() == [[0, 1], [0, 0], [1, 0], [0, 1]]
    assert [a.get_title(loc="left") for a in axes] == ["a", "b"]
    with pytest.raises(ShapeError, match="each of them once in every order"):
        plots.tours([[0, 0], [1, 0]], [[0, 0]])


def test_receptive_fields_share_a_scale_around_zero():
    axes = plots.receptive_fields([[1.0, -2, 0, 0, 0, 0], [0, 0, 0, 0.5, 0, 0]], (2, 3)).axes
    assert len(axes) == 2 and axes[1].images[0].get_array().tolist() == [[0, 0, 0], [0.5, 0, 0]]
    low, high = axes[0].images[0].get_clim()
    assert low == -high < -1 and axes[1].images[0].get_clim() == (low, high)
    with pytest.raises(ShapeError, match=r"expected \(units, 6\), received \(2, 4\)"):
        plots.receptive_fields([[0] * 4] * 2, (2, 3))
